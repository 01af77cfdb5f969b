// SPDX-License-Identifier: Apache-2.0
// What an answer means (RFC 6887 s.8.3, s.11.4, s.12.4), in this order: does it come from our
// server; does it say that the server speaks another version (such answers need not look like PCP
// at all); is it well-formed; which mapping is it about; what does its Epoch say. Answers may come
// unasked, late, twice, and in another order than the requests.
#include "state.h"

#define ANNOUNCE_SPREAD (5 * NS_PER_S) // s.14.1.3: not all clients at once

static ns seconds(uint32_t s)
{
	return min_u32(s, LONGEST_LIFETIME_S) * NS_PER_S;
}

// ---- version ---------------------------------------------------------------------------------

static bool is_waiting(const struct mapping *m)
{
	if (m->phase == PHASE_HELD)
		return m->renewals > 0;
	return is_asked(m) && m->request.next != NEVER && m->request.n_sent > 0;
}

// Nothing more is sent. A better answer is still taken: the network may have doubled the request,
// and the server's state may have changed in between (s.8).
static void rest(struct mapping *m)
{
	m->request.next = NEVER;
}

static bool is_resting(const struct mapping *m)
{
	return is_asked(m) && m->request.next == NEVER;
}

static bool anything_waits(const struct postern_client *c)
{
	if (c->announce.next != NEVER && c->announce.n_sent > 0)
		return true;
	for (uint32_t i = 0; i < c->n; i++)
		if (is_waiting(&c->mappings[i]))
			return true;
	return false;
}

// Version 2 is all we speak, so nothing is left to try until the server may have changed (s.9).
static void end_for_version(
	struct postern_client *c, const struct pcp_version_refusal *refusal, ns now)
{
	uint32_t lifetime_s = min_u32(refusal->lifetime_s, PCP_ERROR_LONG_S);
	struct postern_result *news = server_tell(c, POSTERN_OTHER_VERSION);

	news->version = refusal->version;
	news->result = PCP_UNSUPP_VERSION;
	news->lifetime_s = lifetime_s;
	c->silent = now + later(seconds(lifetime_s), RENEWALS_APART);
	c->announce.next = NEVER;
	for (uint32_t i = 0; i < c->n; i++) {
		struct mapping *m = &c->mappings[i];

		if (is_waiting(m) && m->phase != PHASE_HELD && !m->want.keep)
			rest(m);
	}
}

// ---- the server started over -----------------------------------------------------------------

static void recreate_all(struct postern_client *c, ns now, bool spread)
{
	for (uint32_t i = 0; i < c->n; i++) {
		struct mapping *m = &c->mappings[i];
		ns at = now + (spread ? schedule_jitter(&c->rng, ANNOUNCE_SPREAD) : 0);

		if (m->phase == PHASE_HELD && m->want.keep)
			mapping_ask(m, later(at, m->again));
	}
}

static void follow_epoch(
	struct postern_client *c, const struct pcp_message *msg, ns now, bool unasked)
{
	if (epoch_check(&c->epoch, now, msg->epoch_s))
		return;
	server_tell(c, POSTERN_RESTARTED)->epoch_s = msg->epoch_s;
	recreate_all(c, now, unasked);
}

// ---- ANNOUNCE --------------------------------------------------------------------------------

static bool take_announce(struct postern_client *c, const struct pcp_message *msg, ns now)
{
	bool asked = c->announce.next != NEVER && c->announce.n_sent > 0;
	struct postern_result *news;

	follow_epoch(c, msg, now, !asked);
	if (!asked)
		return true;
	c->announce.next = NEVER;
	news = server_tell(c, POSTERN_ANNOUNCED);
	news->result = msg->result;
	news->lifetime_s = msg->lifetime_s;
	news->epoch_s = msg->epoch_s;
	return true;
}

// ---- MAP and PEER ----------------------------------------------------------------------------

static bool same_peer(const struct postern_mapping *want, const struct pcp_message *msg)
{
	if (msg->opcode != PCP_PEER)
		return want->peer.port == 0;
	return want->peer.port == msg->remote_port &&
	       memcmp(want->peer.ip, msg->remote_ip.b, sizeof msg->remote_ip.b) == 0;
}

static bool is_about(const struct mapping *m, const struct pcp_message *msg)
{
	return m->phase != PHASE_FREE && m->phase != PHASE_DONE &&
	       m->want.protocol == msg->protocol && m->want.internal_port == msg->internal_port &&
	       memcmp(m->want.nonce, msg->nonce.b, sizeof msg->nonce.b) == 0 &&
	       same_peer(&m->want, msg);
}

// One that rests only when no other is meant: the caller may have asked once more.
static struct mapping *find_mapping(struct postern_client *c, const struct pcp_message *msg,
	const uint8_t *options, size_t length)
{
	struct mapping *resting = NULL;

	for (uint32_t i = 0; i < c->n; i++) {
		struct mapping *m = &c->mappings[i];

		if (!is_about(m, msg) || !options_name_same_host(&m->want, options, length,
						 msg->result != PCP_SUCCESS))
			continue;
		if (!is_resting(m))
			return m;
		resting = m;
	}
	return resting;
}

static struct postern_endpoint assigned(const struct pcp_message *msg)
{
	struct postern_endpoint e = {.port = msg->external_port};

	memcpy(e.ip, msg->external_ip.b, sizeof e.ip);
	return e;
}

static bool same(const struct postern_endpoint *a, const struct postern_endpoint *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static bool is_any_address(const uint8_t ip[16])
{
	ip6 a;

	memcpy(a.b, ip, sizeof a.b);
	return ip6_is_mapped(a) ? ip6_to_ip4(a) == 0 : ip6_eq(a, (ip6){0});
}

// PREFER_FAILURE: a success with another pair than the one asked for is no answer to us but an
// update that crossed our request (s.13.2). The repeated request will be refused then.
static bool is_what_was_asked(const struct mapping *m, const struct postern_endpoint *external)
{
	if (!m->want.prefer_failure || m->phase != PHASE_ASKING)
		return true;
	if (is_any_address(m->want.external.ip))
		return m->want.external.port == external->port;
	return same(&m->want.external, external);
}

static void fill(struct postern_result *news, const struct pcp_message *msg)
{
	news->result = msg->result;
	news->lifetime_s = min_u32(msg->lifetime_s, LONGEST_LIFETIME_S);
	news->epoch_s = msg->epoch_s;
}

static void hold(struct postern_client *c, struct mapping *m, const struct pcp_message *msg, ns now)
{
	ns lifetime = seconds(msg->lifetime_s);

	m->phase = PHASE_HELD;
	m->granted_once = true;
	m->want.external = assigned(msg);
	m->granted = now;
	m->expires = now + lifetime;
	m->renewals = 0;
	m->blocked = 0;
	m->request.next = NEVER;
	m->request.wait = 0;
	if (m->want.keep)
		m->request.next = schedule_renewal(&c->rng, now, lifetime, 1, m->request.sent);
}

static bool take_grant(
	struct postern_client *c, struct mapping *m, const struct pcp_message *msg, ns now, int id)
{
	struct postern_endpoint external = assigned(msg);
	bool asked = m->phase == PHASE_ASKING || m->renewals > 0;
	bool moved = m->granted_once && !same(&m->want.external, &external);

	if (msg->lifetime_s == 0 || !is_what_was_asked(m, &external))
		return false;
	hold(c, m, msg, now);
	if (moved)
		fill(mapping_tell(m, POSTERN_CHANGED, id), msg);
	else if (asked)
		fill(mapping_tell(m, POSTERN_GRANTED, id), msg);
	return true;
}

// An answer to an earlier create request may still be under way when the delete leaves. It looks
// like a server that will not let go yet (s.15), so that is believed only when nothing better came
// until the request would have been repeated.
static bool take_deletion(struct mapping *m, const struct pcp_message *msg, int id)
{
	if (msg->lifetime_s > 0) {
		m->remains_s = min_u32(msg->lifetime_s, LONGEST_LIFETIME_S);
		return true;
	}
	m->phase = PHASE_DONE;
	fill(mapping_tell(m, POSTERN_DELETED, id), msg);
	return true;
}

// No identical request before the error's lifetime is over (s.8.3); one that ran out of resources
// is spared new mappings, or, when it could not even delete, everything (s.11.4).
static void take_refusal(
	struct postern_client *c, struct mapping *m, const struct pcp_message *msg, ns now, int id)
{
	ns until = now + later(seconds(msg->lifetime_s), RENEWALS_APART);

	if (is_resting(m))
		return; // he knows
	m->blocked = until;
	if (msg->result == PCP_NO_RESOURCES && m->phase == PHASE_DELETING)
		c->silent = until;
	else if (msg->result == PCP_NO_RESOURCES)
		c->no_new = until;
	if (m->phase == PHASE_HELD && m->request.next != NEVER)
		m->request.next = until < m->expires ? later(until, m->request.next) : NEVER;
	else if (m->phase == PHASE_ASKING && m->want.keep)
		mapping_ask(m, until);
	else if (m->phase != PHASE_HELD)
		rest(m);
	fill(mapping_tell(m, POSTERN_REFUSED, id), msg);
}

static bool take_map(struct postern_client *c, const struct pcp_message *msg,
	const uint8_t *options, size_t length, ns now)
{
	struct mapping *m = find_mapping(c, msg, options, length);
	int id = m ? (int)(m - c->mappings) : -1;

	if (!m)
		return false; // and its Epoch says nothing to us (s.8.3)
	follow_epoch(c, msg, now, false);
	if (msg->result != PCP_SUCCESS) {
		take_refusal(c, m, msg, now, id);
		return true;
	}
	if (m->phase == PHASE_DELETING)
		return take_deletion(m, msg, id);
	return take_grant(c, m, msg, now, id);
}

bool postern_client_receive(struct postern_client *c, uint64_t now_ns,
	const struct postern_endpoint *from, const uint8_t *datagram, size_t length)
{
	struct pcp_version_refusal refusal;
	struct pcp_message msg;

	if (!same(from, &c->server))
		return false;
	if (pcp_decode_version_refusal(datagram, length, &refusal)) {
		if (!anything_waits(c))
			return false;
		end_for_version(c, &refusal, now_ns);
		return true;
	}
	if (!pcp_decode_response(datagram, length, &msg))
		return false;
	if (msg.opcode == PCP_ANNOUNCE)
		return take_announce(c, &msg, now_ns);
	if (msg.opcode == PCP_MAP || msg.opcode == PCP_PEER)
		return take_map(
			c, &msg, datagram + msg.options_at, length - msg.options_at, now_ns);
	return false;
}
