// SPDX-License-Identifier: Apache-2.0
// "trace offline": who had an external port, from files alone.
#ifndef CLI_POSTERNCTL_OFFLINE_H
#define CLI_POSTERNCTL_OFFLINE_H

#include "posternctl.h"

#include <postern/conf.h>

struct offline_plan { // what one line of the history says, with memory of its own
	struct nat_plan plan;
	uint32_t ports_most; // of one host, overflow included; 0: older lines lack it
	struct prefix4 *inside;
	ip4 *external;
};

// False: the line holds no plan, and there is nothing to give back.
bool offline_plan_read(const json_t *line, struct offline_plan *out);
void offline_plan_fini(struct offline_plan *p);

struct offline_found {
	ip4 external; // asked: endpoint, protocol (0: any), moment in milliseconds of UTC
	uint16_t port;
	uint8_t protocol;
	uint64_t at_ms;

	uint8_t place; // enum nat_plan_place
	bool is_static;
	ip4 host;
	struct nat_share share;
	char group[CONF_NAME];
	uint32_t ports_most; // likewise
	uint64_t since_ms;   // 0: not known
};

// Fills what is asked from the request's key; false: there is no endpoint.
bool offline_asked(const json_t *key, struct offline_found *out);
void offline_in_conf(const struct conf *c, struct offline_found *out);
// Lines in order of time; the last plan of a group at or before the moment counts. False: the file
// could not be read.
bool offline_in_history(FILE *in, struct offline_found *out);
void offline_say(const struct offline_found *f, bool json, FILE *out);

int offline_run(const struct words *w); // enum exit_code

#endif
