// SPDX-License-Identifier: Apache-2.0
// Requests drawn at random: of every kind, of every client, some doubled, some lost, some late,
// some with octets that nobody meant.
#include "simulation_pcp.h"

static struct pcp_nonce nonce_of(int client, int endpoint)
{
	struct pcp_nonce nonce = {{0}};

	memcpy(nonce.b, &client, sizeof client);
	memcpy(nonce.b + 4, &endpoint, sizeof endpoint);
	nonce.b[11] = 1;
	return nonce;
}

static uint32_t lifetime(struct crowd *c)
{
	if (chance(c, 20))
		return 0;
	return chance(c, 5) ? 1 + draw(c, 200000) : 120 + draw(c, 400);
}

static struct pcp_message request_of(struct crowd *c, int client, int endpoint)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.has_nonce = true,
		.has_client = true,
		.lifetime_s = lifetime(c),
		.client = ip6_mapped(c->parties[client].address),
		.nonce = nonce_of(client, endpoint),
		.protocol = protocol_of(endpoint),
		.internal_port = port_of(endpoint),
		.external_ip = ip6_mapped(0)};

	if (chance(c, 8))
		m.nonce.b[11] = 2; // somebody else's
	return m;
}

// A port of one's own, of another's, or any.
static void suggest(struct crowd *c, struct pcp_message *m)
{
	const struct endpoint *e = &c->endpoints[draw(c, ENDPOINTS)];

	m->external_port = chance(c, 50) ? e->ext.port : (uint16_t)draw(c, 65536);
	if (e->ext.addr != 0 && chance(c, 70))
		m->external_ip = ip6_mapped(e->ext.addr);
}

static struct pcp_filter filter(struct crowd *c)
{
	struct pcp_filter f = ask_filter(FAR + draw(c, REMOTES), 32, 0);

	if (chance(c, 12))
		return (struct pcp_filter){.prefix = 0};
	if (chance(c, 30))
		f = ask_filter(FAR & 0xffffff00, (uint8_t)(24 + draw(c, 3)), 0);
	if (chance(c, 40))
		f.port = (uint16_t)(100 + draw(c, REMOTES));
	return f;
}

static struct ask map(struct crowd *c, int client, int endpoint)
{
	struct ask a = {.m = request_of(c, client, endpoint)};

	if (chance(c, 25))
		suggest(c, &a.m);
	if (a.m.lifetime_s > 0 && a.m.external_port != 0)
		a.prefer_failure = chance(c, 40);
	if (a.m.lifetime_s > 0 && chance(c, 30)) {
		a.n_filters = 1 + draw(c, 3);
		for (unsigned i = 0; i < a.n_filters; i++)
			a.filters[i] = filter(c);
	}
	if (!a.prefer_failure && chance(c, 12))
		a.set = (struct pcp_port_set){
			(uint16_t)(2 + draw(c, 4)), a.m.internal_port, chance(c, 30)};
	if (chance(c, 15))
		a.text = chance(c, 80) ? "a program that wants to be reached" : "";
	if (client >= HOSTS)
		a.third_party = c->parties[host_of(endpoint)].address;
	return a;
}

static struct ask peer(struct crowd *c, int client, int endpoint)
{
	struct ask a = {.m = request_of(c, client, endpoint)};
	uint32_t remote = draw(c, REMOTES);

	a.m.opcode = PCP_PEER;
	a.m.remote_ip = ip6_mapped(FAR + remote);
	a.m.remote_port = (uint16_t)(100 + remote);
	a.m.lifetime_s %= 1000;
	if (chance(c, 10))
		suggest(c, &a.m);
	return a;
}

// ---- NAT-PMP ---------------------------------------------------------------------------------

static size_t nat_pmp(struct crowd *c, uint8_t msg[12], int endpoint)
{
	uint16_t port = port_of(endpoint);
	uint32_t s = lifetime(c);

	memset(msg, 0, 12);
	if (chance(c, 20))
		return 2;
	msg[1] = protocol_of(endpoint) == IP_UDP ? 1 : 2;
	if (s == 0 && chance(c, 20))
		return 12; // all of this protocol
	msg[4] = (uint8_t)(port >> 8);
	msg[5] = (uint8_t)port;
	if (chance(c, 30))
		msg[6] = (uint8_t)draw(c, 256);
	for (unsigned i = 0; i < 4; i++)
		msg[8 + i] = (uint8_t)(s >> (24 - 8 * i));
	return 12;
}

// ---- any -------------------------------------------------------------------------------------

static size_t draw_request(struct crowd *c, uint8_t msg[PCP_MAX], int client, int endpoint)
{
	uint32_t which = draw(c, 100);
	struct ask a;

	if (which < 15 && client < HOSTS)
		return nat_pmp(c, msg, endpoint);
	a = which < 35 && client < HOSTS ? peer(c, client, endpoint) : map(c, client, endpoint);
	if (which == 99) {
		a = (struct ask){.m = a.m};
		a.m.opcode = PCP_ANNOUNCE;
	}
	return ask_write(msg, &a);
}

static size_t spoil(struct crowd *c, uint8_t msg[PCP_MAX], size_t len)
{
	for (unsigned i = 1 + draw(c, 3); i > 0; i--)
		msg[draw(c, (uint32_t)len)] ^= (uint8_t)(1u << draw(c, 8));
	return chance(c, 30) ? draw(c, (uint32_t)len + 1) : len;
}

static void remember_late(struct crowd *c, int client, const uint8_t *msg, size_t len)
{
	memcpy(c->late.msg, msg, len);
	c->late.len = len;
	c->late.client = client;
}

void crowd_ask_anything(struct crowd *c)
{
	int endpoint = (int)draw(c, ENDPOINTS), client = host_of(endpoint);
	uint8_t msg[PCP_MAX];
	size_t len;

	if (c->parties[client].group == HOMES && chance(c, 12))
		client = HOSTS + (int)draw(c, PORTALS);
	len = draw_request(c, msg, client, endpoint);
	if (chance(c, 5))
		len = spoil(c, msg, len);
	if (chance(c, 8)) {
		c->lost++;
		return;
	}
	crowd_ask(c, client, msg, len);
	if (chance(c, 15)) {
		crowd_ask(c, client, msg, len);
		c->doubled++;
	}
	if (c->late.len > 0 && chance(c, 10))
		crowd_ask(c, c->late.client, c->late.msg, c->late.len);
	if (chance(c, 10))
		remember_late(c, client, msg, len);
}
