// SPDX-License-Identifier: Apache-2.0
// The beliefs. A mapping must stand while its own traffic is younger than the shortest time that
// could end it, or while a lease runs; it must be gone when the longest such time, and the delay a
// sweep may have, are over; in between nobody knows.
#include <stdlib.h>

#include "simulation.h"

static const struct { // subscribers: the same numbers stand in two realms
	uint8_t realm;
	ip4 first;
	int n;
} blocks[] = {
	{1, 0x6440000a, 100}, // 100.64.0.10: homes
	{1, 0x6440020a, 40},  // 100.64.2.10: roaming
	{1, 0x6442000a, 60},  // 100.66.0.10: offices
	{1, 0x6443000a, 20},  // 100.67.0.10: poor
	{2, 0x6440000a, 50},  // 100.64.0.10: homes
};

static const struct {
	uint8_t protocol;
	uint16_t port;
} endpoints[FLOWS_EACH] = {{NAT_UDP, 5000}, {NAT_UDP, 5001}, {NAT_UDP, 5002}, {NAT_TCP, 6000},
	{NAT_TCP, 6001}, {NAT_ICMP, 7000}, {NAT_TCP, 80}};

void model_open(struct model *m)
{
	int at = 0;

	*m = (struct model){.now_s = WORLD_START_S};
	m->at = calloc(16 * NAT_PROTOCOLS << 16, sizeof *m->at);
	if (m->at == NULL)
		world_die("no memory");
	for (unsigned b = 0; b < ARRAY_SIZE(blocks); b++) {
		for (int i = 0; i < blocks[b].n; i++)
			m->subscribers[at++] = (struct subscriber){.realm = blocks[b].realm,
				.block = (uint8_t)b,
				.host = blocks[b].first + (ip4)i};
	}
	if (at != SUBSCRIBERS)
		world_die("the blocks hold %d subscribers", at);
	for (int f = 0; f < FLOWS; f++) {
		m->flows[f].protocol = endpoints[f % FLOWS_EACH].protocol;
		m->flows[f].port = endpoints[f % FLOWS_EACH].port;
	}
}

void model_close(struct model *m)
{
	free(m->at);
}

int model_find(const struct model *m, const struct nat_key *key)
{
	int first = 0;

	for (unsigned b = 0; b < ARRAY_SIZE(blocks); first += blocks[b++].n) {
		ip4 i = key->host - blocks[b].first;
		if (blocks[b].realm != key->realm || i >= (ip4)blocks[b].n)
			continue;
		for (int e = 0; e < FLOWS_EACH; e++) {
			int flow = (first + (int)i) * FLOWS_EACH + e;
			if (m->flows[flow].protocol == key->protocol &&
				m->flows[flow].port == key->port)
				return flow;
		}
	}
	return NOBODY;
}

// ---- until when ------------------------------------------------------------------------------

static uint32_t shortest_s(const struct flow *f)
{
	if (f->protocol == NAT_ICMP)
		return 60;
	return f->replied && !f->filtered ? 300 : 120; // unanswered ones end early
}

static uint32_t longest_s(const struct flow *f)
{
	uint32_t timeout = f->protocol == NAT_UDP   ? 300
			   : f->protocol == NAT_TCP ? SIM_TCP_IDLE_S
						    : 60;

	return timeout + 10 + timeout / 50 + 1; // the sweep's delay
}

// A static mapping that waits for its port to rest takes it, and its own internal endpoint, from
// whoever has them meanwhile.
static bool is_claimed(const struct model *m, int flow)
{
	const struct flow *f = &m->flows[flow];

	for (unsigned i = 0; i < STATICS; i++) {
		const struct claim *c = &m->claims[i];
		bool place = f->protocol == m->flows[c->flow].protocol &&
			     c->external.addr == f->ext.addr && c->external.port == f->ext.port;
		if (c->open && (c->flow == flow || place))
			return true;
	}
	return false;
}

bool model_holds(const struct model *m, int flow)
{
	const struct flow *f = &m->flows[flow];

	if (!f->known || f->shaky || is_claimed(m, flow))
		return false;
	if (f->fixed || f->lease_s >= m->now_s)
		return true;
	if (f->protocol == NAT_TCP)
		return f->sent && talk_keeps(m, f);
	return f->sent && m->now_s - f->last_s <= shortest_s(f);
}

bool model_ended(const struct model *m, int flow)
{
	const struct flow *f = &m->flows[flow];

	return f->known && !f->fixed && !f->shaky && !f->stirring && m->now_s > f->end_s;
}

// ---- where -----------------------------------------------------------------------------------

static int16_t *place(const struct model *m, uint8_t protocol, struct recipe ext)
{
	uint32_t a = ext.addr - POOL;

	if (a >= 16)
		world_die("an external address of no pool");
	return &m->at[(a * NAT_PROTOCOLS + protocol - 1u) << 16 | ext.port];
}

static bool stands_at(const struct model *m, int flow, struct recipe ext)
{
	const struct flow *f = &m->flows[flow];

	return f->known && f->ext.addr == ext.addr && f->ext.port == ext.port;
}

bool model_holds_at(const struct model *m, int flow, struct recipe ext)
{
	return model_holds(m, flow) && stands_at(m, flow, ext);
}

int model_at(const struct model *m, uint8_t protocol, struct recipe ext)
{
	int flow = *place(m, protocol, ext) - 1;

	return flow >= 0 && stands_at(m, flow, ext) ? flow : NOBODY;
}

int model_last_at(const struct model *m, uint8_t protocol, struct recipe ext)
{
	int flow = *place(m, protocol, ext) - 1;
	const struct flow *f = &m->flows[flow < 0 ? 0 : flow];

	return flow >= 0 && f->ext.addr == ext.addr && f->ext.port == ext.port ? flow : NOBODY;
}

// A flow of the same subscriber that has another address; NOBODY: they are together.
static int apart_from(const struct model *m, int flow, struct recipe ext)
{
	int first = flow - flow % FLOWS_EACH;

	for (int other = first; other < first + FLOWS_EACH; other++) {
		const struct flow *f = &m->flows[other];
		if (!f->fixed && model_holds(m, other) && f->ext.addr != ext.addr)
			return other;
	}
	return NOBODY;
}

// RFC 4787 REQ-2: all flows of one subscriber on one address, but for static mappings, which stand
// where the operator put them, and a lease that got its old port back on an address that had left
// and returned meanwhile.
static void check_pairing(struct model *m, int flow, struct recipe ext, bool leased)
{
	struct subscriber *s = model_subscriber(m, flow);
	int other = apart_from(m, flow, ext);

	if (m->flows[flow].fixed || m->flows[flow].shaky || other == NOBODY)
		return;
	s->wandered |= leased || m->flows[other].lease_s != 0;
	if (!s->wandered)
		world_die(
			"flow %d has another address than flow %d of its subscriber", flow, other);
}

// RFC 4787 REQ-1 and REQ-3: one external endpoint for each internal one, and the other way round.
static void settle_at(struct model *m, int flow, struct recipe ext, bool leased)
{
	struct flow *f = &m->flows[flow];
	int other = model_at(m, f->protocol, ext);

	if (model_holds(m, flow) && !stands_at(m, flow, ext))
		world_die("flow %d was given another external endpoint while it had one", flow);
	if (other != NOBODY && other != flow && model_holds(m, other))
		world_die("flows %d and %d have one external endpoint", flow, other);
	if (other != NOBODY && other != flow)
		model_forget(m, other);
	check_pairing(m, flow, ext, leased);
	if (!model_holds(m, flow)) {
		f->shaky |= m->reloading;
		f->sent = f->replied = false;
		f->lease_s = 0;
		if (f->known && !stands_at(m, flow, ext) && !f->shaky)
			talk_forget(f);
		else
			talk_doubt(f);
	}
	f->known = true;
	f->ext = ext;
	*place(m, f->protocol, ext) = (int16_t)(flow + 1);
}

// Whatever the model forgets meanwhile because it is not sure.
static void may_live_until(struct flow *f, uint32_t end_s)
{
	f->end_s = max_u32(f->end_s, end_s);
}

void model_left(struct model *m, int flow, struct recipe ext)
{
	settle_at(m, flow, ext, false);
	m->flows[flow].sent = true;
	m->flows[flow].last_s = m->now_s;
	may_live_until(&m->flows[flow], m->now_s + longest_s(&m->flows[flow]));
}

void model_leased(struct model *m, int flow, struct recipe ext, uint32_t lifetime_s)
{
	settle_at(m, flow, ext, true);
	m->flows[flow].lease_s = m->now_s + lifetime_s;
	m->flows[flow].lent_s = max_u32(m->flows[flow].lent_s, m->flows[flow].lease_s);
	may_live_until(&m->flows[flow], m->flows[flow].lease_s + 2);
}

void model_reached(struct model *m, int flow, struct recipe ext)
{
	struct flow *f = &m->flows[flow];
	int holder = model_at(m, f->protocol, ext);

	if (holder != NOBODY && holder != flow && model_holds(m, holder))
		world_die("flow %d received what was sent to flow %d", flow, holder);
	if (model_holds(m, flow) && !stands_at(m, flow, ext))
		world_die("flow %d was reached at an external endpoint that is not his", flow);
	if (stands_at(m, flow, ext) && model_ended(m, flow))
		world_die("flow %d was reached long after its end", flow);
	f->replied = model_holds(m, flow) || f->replied;
}

bool model_claimed(struct model *m, int flow, struct recipe ext)
{
	for (unsigned i = 0; i < STATICS; i++) {
		struct claim *c = &m->claims[i];
		if (!c->open || c->flow != flow || c->external.addr != ext.addr ||
			c->external.port != ext.port)
			continue;
		c->open = false;
		m->flows[flow].fixed = true;
		m->flows[flow].lease_s = 0;
		m->flows[flow].known = true;
		m->flows[flow].ext = ext;
		*place(m, m->flows[flow].protocol, ext) = (int16_t)(flow + 1);
		return true;
	}
	return false;
}

void model_forget(struct model *m, int flow)
{
	struct flow *f = &m->flows[flow];

	f->known = f->sent = f->replied = false;
	f->lease_s = 0;
	talk_doubt(f);
}

void model_end(struct model *m, int flow)
{
	model_forget(m, flow);
	talk_forget(&m->flows[flow]);
}
