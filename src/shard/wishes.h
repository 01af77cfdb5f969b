// SPDX-License-Identifier: Apache-2.0
// How the files that grant wishes speak to each other and to control.
#ifndef SHARD_WISHES_H
#define SHARD_WISHES_H

#include <postern/shard.h>

#include <errno.h>

#include "world.h"

enum {
	WALK_PLACES = 128,
	CLEAR_PORTS_A_STEP = 256 // looked at, or 16 mappings that end
};

struct grant { // this step's world
	struct shard *s;
	const struct conf *c;
	struct granting *g;
	const struct shard_wish *wish;
	ns now;
	uint32_t now_s;
};

// Ends the wish; when the ring is full it goes on and tries again.
void wish_done(struct grant *w, int32_t error);
void wish_done_page(struct grant *w, uint32_t cursor);
void wish_done_mapping(struct grant *w, const struct nat_view *view);
// Whether so many answers, and DONE, find room now.
bool wish_has_room(const struct grant *w, uint32_t answers);
void wish_answer(struct grant *w, struct shard_answer *answer); // there must be room
// Ends a walk's page, when the walk ended or the page is full.
bool wish_page_is_full(const struct grant *w);
void wish_end_page(struct grant *w, bool ended);
// A static mapping of another shard's subscriber is here only to keep its port: that shard shows
// it, and grants what concerns him.
bool wish_is_mine(const struct grant *w, ip4 host);

// wishes_show.c
void wish_show_mappings(struct grant *w);
void wish_show_leases(struct grant *w);
void wish_show_subscribers(struct grant *w);
void wish_show_clients(struct grant *w);

// wishes_sessions.c
void wish_show_sessions(struct grant *w);
void wish_trace(struct grant *w);

// wishes_change.c
void wish_add_mapping(struct grant *w);
void wish_delete_mapping(struct grant *w);

// wishes_clear.c
void wish_clear_subscriber(struct grant *w);
void wish_clear_group(struct grant *w);
void wish_reset_client(struct grant *w);
void wish_announce(struct grant *w);
// Names every third party that has leases on this internal port, or on any of the host, as
// SHARD_LOST_CLIENT, and the host if he is one. True when all are named.
bool wish_name_lost(struct grant *w, const struct nat_key *key, bool whole_host);
// A client's Epoch begins anew, and he is called when known.
void wish_restart_client(struct grant *w, uint8_t realm, ip4 client, uint8_t group);
// Both, for whoever has leases on a mapping that is about to be removed. False: not all are named
// yet, ask again.
bool wish_tell_losers(struct grant *w, const struct nat_key *key);
// Removes what stands in the way of a static mapping, those who lose by it being told first. False:
// ask again.
bool wish_make_way(struct grant *w, const struct nat_key *key, struct recipe external);

#endif
