// SPDX-License-Identifier: Apache-2.0
// flow.h - one TCP connection through the world: what either side sends, and what its session is.
#ifndef TEST_NAT_FLOW_H
#define TEST_NAT_FLOW_H

#include "world.h"

#define OTHER ((struct recipe){0xc6336402, 80}) // 198.51.100.2

struct flow {
	struct world *w;
	struct nat_key key;
	struct recipe remote, to; // to: external endpoint
};

struct looked_for {
	struct recipe remote;
	struct nat_session_view view;
};

static inline bool flow_seen(void *ctx, const struct nat_session_view *view)
{
	struct looked_for *l = ctx;

	if (recipe_eq(view->remote, l->remote))
		l->view = *view;
	return true;
}

// The session of these endpoints; state NAT_CLOSED when there is none.
static inline struct nat_session_view session_of(
	const struct world *w, struct nat_key key, struct recipe remote)
{
	struct looked_for l = {.remote = remote};
	uint32_t cursor = 0;

	while (!nat_session_walk(w->nat, &key, &cursor, 7, w->now_s, flow_seen, &l))
		;
	return l.view;
}

static inline struct nat_session_view flow_view(const struct flow *f)
{
	return session_of(f->w, f->key, f->remote);
}

static inline enum drop flow_out(struct flow *f, uint8_t flags)
{
	return world_send(f->w, f->key, flags, 0, f->remote, &f->to);
}

static inline enum drop flow_in(struct flow *f, uint8_t flags)
{
	return world_receive(f->w, NAT_TCP, f->to, f->remote, flags);
}

static inline struct flow flow_to(struct world *w, uint16_t port, struct recipe remote)
{
	return (struct flow){.w = w, .key = key_of(HOST, NAT_TCP, port), .remote = remote};
}

// An established connection.
static inline struct flow flow_open(struct world *w, uint16_t port, struct recipe remote)
{
	struct flow f = flow_to(w, port, remote);

	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_in(&f, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_out(&f, TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	return f;
}

// Whether packets of this mapping look closer than its own line.
static inline bool looks_closer(const struct flow *f)
{
	const struct slot *s = slot_at(f->w->nat, slot_find(f->w->nat, &f->key));

	return s->bits & SLOT_VISIT || entry_at(f->w->nat, NAT_TCP, s->ext)->bits & EXT_VISIT;
}

// Timers that tell the states apart.
static const struct nat_timers FLOW_TIMERS = {.udp = 300,
	.udp_initial = 300,
	.udp_unanswered = 120,
	.tcp_idle = 7440,
	.tcp_trans_open = 240,
	.tcp_trans_close = 250,
	.tcp_rst = 260,
	.icmp = 60,
	.hold_down = 120,
	.pcp_hold_down = 120};

static inline struct world flow_world(void)
{
	struct world w = world_simple(64);

	nat_set_timers(w.nat, &FLOW_TIMERS);
	return w;
}

static inline void world_filter(struct world *w, enum nat_filtering filtering)
{
	memset(w->policy.filtering, filtering, sizeof w->policy.filtering);
	nat_set_policy(w->nat, 0, &w->policy);
}

#endif
