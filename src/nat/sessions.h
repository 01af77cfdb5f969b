// SPDX-License-Identifier: Apache-2.0
// Sessions, within the room: tcp.c, sessions.c, aging.c, visit.c.
#ifndef POSTERN_NAT_SESSIONS_H
#define POSTERN_NAT_SESSIONS_H

#include "tables.h"

#define NO_SESSION UINT32_MAX

enum side {
	INSIDE,
	OUTSIDE
};

enum {
	STEP_STATE = 0x0f,
	STEP_REFRESH = 0x10
};
// What a segment does to its session: the next state, and whether that begins to last anew.
uint8_t tcp_step(const struct nat_policy *policy, uint8_t state, enum side side, uint8_t flags);
enum {
	TCP_BEGIN_OR_END = TCP_SYN | TCP_FIN | TCP_RST // of other protocols no packet has these
};

static inline bool tcp_begins(uint8_t flags)
{
	return (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
}

static inline const struct nat_policy *policy_on(const struct nat *n, uint32_t ext)
{
	return &n->policies[n->addresses[ext >> 16].group];
}

// Whether its packets must look closer because of the group; see visit.c.
static inline bool group_looks_closer(const struct nat_policy *policy, uint8_t protocol)
{
	return policy->filtering[protocol - 1] != NAT_EIF || policy->inbound_refresh;
}

// Any session of these endpoints, also one that is over; and the anchor, if there is one.
uint32_t session_find(const struct nat *n, uint8_t protocol, uint32_t ext, struct recipe remote);
uint32_t *session_head(const struct nat *n, uint8_t protocol, uint32_t ext); // of its chain
uint32_t session_anchor(const struct nat *n, uint8_t protocol, uint32_t ext);
uint32_t session_slot(const struct nat *n, const struct session *x); // of its mapping
uint32_t session_idle_s(const struct nat *n, const struct session *x, uint32_t now_s);
uint32_t session_open_timeout(const struct nat *n, const struct session *x); // UDP, ICMP
// Whether there is room for one session more of this subscriber: DROP_NONE, DROP_SESSIONS_FULL or
// DROP_QUOTA_SESSIONS. What outsiders begin leaves a quarter of it to the inside.
enum drop sessions_room(const struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, bool begun_outside);
// Makes a session of a mapping, or says why not.
enum drop session_open(
	struct nat *n, uint32_t slot, struct recipe remote, uint8_t state, uint32_t now_s);
void session_set_state(struct nat *n, uint32_t session, uint8_t state);
void session_end(struct nat *n, uint32_t session, uint32_t slot); // the mapping stays
bool sessions_kept(
	const struct nat *n, const struct slot *s); // by one that the inside takes part in
// Under ADF a TCP session lets in its whole remote address while it has a permit for it.
void session_permit(struct nat *n, uint32_t session);
bool session_permitted(const struct nat *n, uint8_t protocol, uint32_t ext, ip4 remote);
// The mapping ends, or its port changes. Many sessions are forgotten at once and freed by and by.
void sessions_end_all(struct nat *n, uint32_t slot);

static inline void sessions_end(struct nat *n, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);

	if (unlikely(entry_at(n, s->bits & SLOT_PROTOCOL, s->ext)->bits & EXT_SESSIONS))
		sessions_end_all(n, slot);
}

enum keeping {
	KEPT_BY_NONE, // it has no sessions that the inside takes part in
	KEPT,
	KEPT_NO_MORE // they are all over
};
// Whether TCP sessions keep this mapping, and for how long.
enum keeping sessions_keep(const struct nat *n, uint32_t slot, uint32_t now_s, uint32_t *left_s);
bool step_graves(struct nat *n); // those that were forgotten
bool step_sessions(struct nat *n, uint32_t now_s);
// It may be over sooner than its group knows; likewise all, for the timers are others now.
void session_await(struct nat *n, uint32_t session, uint32_t now_s);
void sessions_doubt(struct nat *n);

static inline struct recipe session_remote(const struct session *x)
{
	return (struct recipe){x->remote, x->remote_port};
}

// Open both ways, or half closed: only SYN, FIN and RST change it, and all else refreshes it. Data
// of a mapping's only session need not be looked at then, and the slot keeps its time.
static inline bool session_is_plain(const struct session *x)
{
	return 1u << x->state & (1u << NAT_ESTABLISHED | 1u << NAT_I_FIN | 1u << NAT_E_FIN);
}

// By its own clock.
static inline uint32_t session_own_idle_s(const struct session *x, uint32_t now_s)
{
	return (uint16_t)(now_s - x->tick);
}

static inline uint32_t session_timeout(const struct nat *n, const struct session *x)
{
	return x->state == NAT_OPEN ? session_open_timeout(n, x) : n->session_timeout[x->state];
}

// Its own clock mostly tells; only if not, what its slot knows is asked.
static inline bool session_is_over(const struct nat *n, uint32_t session, uint32_t now_s)
{
	const struct session *x = &n->sessions[session];
	uint32_t timeout = session_timeout(n, x);

	return unlikely(session_own_idle_s(x, now_s) > timeout) &&
	       session_idle_s(n, x, now_s) > timeout;
}

// A packet that must look closer. DROP_NONE, or why it cannot pass.
enum drop visit_out(struct nat *n, uint32_t slot, struct nat_out *p, uint32_t now_s);
enum drop visit_in(struct nat *n, const struct nat_in *p, uint32_t ext, uint32_t now_s);
void visit_first(struct nat *n, uint32_t slot, const struct nat_out *p, uint32_t now_s);
// Writes SLOT_VISIT and EXT_VISIT as policy and sessions want them.
void visit_update(struct nat *n, uint32_t slot);
void review_begin(struct nat *n, bool rules); // of all mappings, after a change
bool step_review(struct nat *n);

#endif
