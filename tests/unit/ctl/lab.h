// SPDX-License-Identifier: Apache-2.0
// A control thread on a machine room without machines: io_*() and shard_*() stand in lab_io.c, one
// step of every shard is taken at each io_poll(). Clients are real sockets of this process.
#ifndef LAB_H
#define LAB_H

#include "state.h"

#include <criterion/criterion.h>

enum {
	LAB_WORKERS = 2,
	LAB_ANSWERS = 64, // room in a shard's ring
	LAB_PLACES = 512, // looked at in a step
	LAB_LOG = 16 << 10,
	LAB_EVENTS = 8192, // places in a shard's ring of NAT events
};

struct shard { // of the stand-in
	uint16_t id;
	struct shard_counters counters;
	struct nat_counters nat;
	uint64_t generation;
	bool asleep;                            // takes no step
	bool stubborn;                          // takes no configuration over
	uint32_t n_mappings;                    // lab_mapping() says which
	uint32_t n_clients;                     // lab_client() says which
	uint32_t n_losers;                      // that a clearing reports, by lab_client()
	uint32_t n_unasked_losers;              // that a new configuration reports, likewise
	uint32_t n_of_kind[SHARD_ANNOUNCE + 1]; // wishes taken
	uint32_t n_wishes;                      // so far
	bool busy;
	struct shard_wish wish, last_wish;
	uint32_t rows;
	int32_t deed_error; // what a deletion comes to
	struct shard_answer answers[LAB_ANSWERS];
	uint32_t head, tail;
	struct nat_group_counters groups[NAT_MAX_GROUPS];
	struct shard_event events[LAB_EVENTS];
	uint32_t events_head, events_tail;
	uint64_t sequence; // of the last event, lost ones counted
	bool has_tenancy[NAT_PROTOCOLS + 1];
	struct nat_tenancy tenancy[NAT_PROTOCOLS + 1]; // by protocol, what SHARD_TRACE finds
	uint32_t n_sessions;                           // lab_session() says which
};

struct io {
	struct conf *conf;
	ns now, tick; // the clock moves by `tick` at each io_poll()
	uint32_t polls, published;
	struct shard shards[LAB_WORKERS];
	struct io_counters counters[LAB_WORKERS];
	struct shard_epochs epochs;
	uint32_t n_resets; // of Epochs
	uint32_t n_neighbours;
	bool link_unknown;
	uint16_t n_members; // of port 1
};

struct lab {
	char folder[64], conf_file[96], socket[96];
	struct io io;
	struct log log;
	int log_pipe[2];
	char log_text[LAB_LOG];
	const char *pcp; // more of the first group's pcp, such as ", legacy: true"
	struct ctl *ctl;
};

// Mapping i of shard k as the stand-in shows it.
struct nat_view lab_mapping(uint16_t shard, uint32_t i);

struct server_client lab_client(uint16_t shard, uint32_t i); // likewise of PCP clients

struct nat_session_view lab_session(uint16_t shard, uint32_t i);
// The shard tells an event now; false: its ring is full, and the event is lost.
bool lab_event(struct lab *lab, uint16_t shard, const struct nat_event *event);

struct lab *lab_open(void);      // the configuration of lab.c, running
struct lab *lab_open_cold(void); // without its control thread
void lab_start(struct lab *lab); // which this makes
void lab_close(struct lab *lab);
void lab_write_conf(const struct lab *lab, const char *format_of_pool, const char *more);
void lab_rounds(struct lab *lab, unsigned n);
const char *lab_log(struct lab *lab); // everything logged so far

int lab_connect(struct lab *lab);
void lab_say(int fd, const char *text);    // octets, as they are
char *lab_hear(struct lab *lab, int fd);   // one line, to be freed; NULL at the end
json_t *lab_next(struct lab *lab, int fd); // ... as JSON
// Sends the request, counts rows into *rows (NULL: there must be none), returns the last line.
json_t *lab_ask(struct lab *lab, int fd, const char *request, json_t *rows);
const char *lab_code(const json_t *answer); // of an error; "" when it is none

#endif
