// SPDX-License-Identifier: Apache-2.0
// What the steps of granting a wish share: a MAP lease, a PEER lease, a set of ports.
#ifndef NAT_GRANTS_H
#define NAT_GRANTS_H

#include "tables.h"

struct grant { // what the steps of granting work on
	struct nat *n;
	const struct nat_policy *policy;
	const struct nat_wish *wish;
	struct nat_view *view;
	uint64_t hash;
	uint32_t now_s;
	uint32_t slot; // of the mapping, or where it will be
	uint32_t subscriber;
	uint8_t group;
	bool exact; // the suggestion, or nothing
};

struct grant grant_of(struct nat *n, const struct nat_policy *policy, uint8_t group,
	const struct nat_wish *wish, uint32_t now_s, struct nat_view *view);
// The slot of the wished mapping, or NO_SLOT; ends one that idled out.
uint32_t grant_find(struct grant *g);
// Whether the wished mapping may be made: finds slot and subscriber, asks limits and quotas.
enum nat_grant grant_open(struct grant *g);
// Makes it: the port that rests for this client, the suggested one, or any.
enum nat_grant grant_place(struct grant *g);
// A lease for the mapping in g->slot, which is not known anywhere yet.
struct lease grant_lease(const struct grant *g, uint8_t state);
// The lease as wished: nonce, client, expiry, filters, text; and the view of it.
void grant_write(struct grant *g, uint32_t lease, uint32_t expiry_s);
// Whether a mapping that stands may get one more lease; finds its subscriber.
enum nat_grant grant_join(struct grant *g);
// An implicit mapping gets its first lease: to the log it is another one.
void grant_adopt(const struct grant *g);
// The address a suggestion means; NO_ADDRESS when he cannot have it.
uint32_t grant_address(const struct grant *g);

// sets.c
// Makes the wished set with as many ports as can be had; false: not even two.
bool set_place(struct grant *g);

// extras.c
// Whether the wish's filters fit on this lease, or on a new one (NO_LEASE).
enum nat_grant filters_check(const struct grant *g, uint32_t lease);
void filters_write(struct nat *n, uint32_t lease, const struct nat_wish *w);
void text_write(struct nat *n, uint32_t lease, const struct nat_wish *w);

#endif
