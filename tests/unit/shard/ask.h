// SPDX-License-Identifier: Apache-2.0
// ask.h - a PCP client in a few lines: a request through the switch, its answer decoded.
#ifndef TEST_SHARD_ASK_H
#define TEST_SHARD_ASK_H

#include "world.h"

enum {
	ASK_PORT = 40000 // the client's
};

// A MAP for one port, nothing suggested; the nonce follows from the client's address.
static inline struct pcp_message ask_of(
	ip4 client, uint8_t protocol, uint16_t port, uint32_t lifetime_s)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.has_nonce = true,
		.has_client = true,
		.lifetime_s = lifetime_s,
		.client = ip6_mapped(client),
		.protocol = protocol,
		.internal_port = port,
		.external_ip = ip6_mapped(0)};

	memcpy(m.nonce.b, &client, sizeof client);
	return m;
}

// ---- on the wire -----------------------------------------------------------------------------

static inline size_t ask_packet(
	uint8_t packet[MAKE_MAX], ip4 source, ip4 server, const struct pcp_message *m)
{
	uint8_t msg[PCP_MAX];
	struct make out = {.src = source,
		.dst = server,
		.sport = ASK_PORT,
		.dport = PCP_SERVER_PORT,
		.protocol = IP_UDP,
		.payload = msg};

	out.payload_len = pcp_encode_request(msg, sizeof msg, m);
	return make_packet(packet, &out);
}

static inline void ask_octets(struct world *w, uint16_t iface, ip4 source, uint16_t port,
	ip4 server, const uint8_t *msg, size_t len, struct frame *f)
{
	uint8_t packet[MAKE_MAX];
	struct make out = {.src = source,
		.dst = server,
		.sport = port,
		.dport = PCP_SERVER_PORT,
		.protocol = IP_UDP,
		.payload = msg,
		.payload_len = len};

	world_put(w, iface, packet, make_packet(packet, &out), f);
}

static inline void ask_frame(struct world *w, uint16_t iface, ip4 source, ip4 server,
	const struct pcp_message *m, struct frame *f)
{
	uint8_t packet[MAKE_MAX];
	size_t len = ask_packet(packet, source, server, m);

	world_put(w, iface, packet, len, f);
}

static inline struct pcp_message ask_read(const struct frame *f)
{
	struct pcp_message reply;

	if (f->verdict != VERDICT_REPLY || f->p.kind != PKT_UDP ||
		!pcp_decode_response(f->p.l3 + 28, f->p.len - 28u, &reply))
		world_die("no PCP answer: verdict %d, %s", f->verdict, drop_name(f->drop));
	return reply;
}

static inline struct pcp_message ask_at(
	struct world *w, uint16_t iface, ip4 source, ip4 server, const struct pcp_message *m)
{
	struct frame f;

	ask_frame(w, iface, source, server, m, &f);
	return ask_read(&f);
}

// By the first interface.
static inline struct pcp_message ask(
	struct world *w, ip4 source, ip4 server, const struct pcp_message *m)
{
	return ask_at(w, 0, source, server, m);
}

static inline struct pcp_message ask_map(struct world *w, ip4 client, ip4 server, uint8_t protocol,
	uint16_t port, uint32_t lifetime_s)
{
	struct pcp_message m = ask_of(client, protocol, port, lifetime_s);

	return ask(w, client, server, &m);
}

static inline void ask_announce(
	struct world *w, uint16_t iface, ip4 source, ip4 server, struct frame *f)
{
	struct pcp_message m = {
		.version = PCP_VERSION, .opcode = PCP_ANNOUNCE, .client = ip6_mapped(source)};

	ask_frame(w, iface, source, server, &m, f);
}

// ---- requests with options -------------------------------------------------------------------

struct ask { // zero: nothing of it
	struct pcp_message m;
	ip4 source; // 0: m.client
	uint16_t port;
	ip4 third_party;
	bool prefer_failure;
	unsigned n_filters;
	struct pcp_filter filters[3];
	struct pcp_port_set set;
	const char *text;
};

static inline struct pcp_filter ask_filter(ip4 address, uint8_t bits, uint16_t port)
{
	return (struct pcp_filter){
		.prefix = (uint8_t)(96 + bits), .port = port, .address = ip6_mapped(address)};
}

static inline size_t ask_write(uint8_t msg[PCP_MAX], const struct ask *a)
{
	size_t at = pcp_encode_request(msg, PCP_MAX, &a->m);

	if (a->third_party != 0)
		at = pcp_append_third_party(msg, at, PCP_MAX, &a->m, ip6_mapped(a->third_party));
	if (a->prefer_failure)
		at = pcp_append_option(msg, at, PCP_MAX, PCP_PREFER_FAILURE, NULL, 0);
	for (unsigned i = 0; i < a->n_filters; i++)
		at = pcp_append_filter(msg, at, PCP_MAX, &a->m, &a->filters[i]);
	if (a->text != NULL)
		at = pcp_append_option(
			msg, at, PCP_MAX, PCP_DESCRIPTION, a->text, (uint16_t)strlen(a->text));
	if (a->set.size > 0)
		at = pcp_append_port_set(msg, at, PCP_MAX, &a->set);
	return at;
}

static inline void ask_wholly(struct world *w, ip4 server, const struct ask *a, struct frame *f)
{
	uint8_t msg[PCP_MAX];
	size_t len = ask_write(msg, a);

	ask_octets(w, 0, a->source != 0 ? a->source : ip6_to_ip4(a->m.client),
		a->port != 0 ? a->port : ASK_PORT, server, msg, len, f);
}

static inline struct pcp_message ask_with(struct world *w, ip4 server, const struct ask *a)
{
	struct frame f;

	ask_wholly(w, server, a, &f);
	return ask_read(&f);
}

// `portal` asks for one port of `host`.
static inline struct ask ask_for(
	ip4 portal, ip4 host, uint8_t protocol, uint16_t port, uint32_t lifetime_s)
{
	struct ask a = {.m = ask_of(portal, protocol, port, lifetime_s), .third_party = host};

	memcpy(a.m.nonce.b + 4, &host, sizeof host);
	return a;
}

// A PEER lease of a flow to remote.
static inline struct ask ask_peer(
	ip4 client, uint8_t protocol, uint16_t port, ip4 remote, uint16_t remote_port)
{
	struct ask a = {.m = ask_of(client, protocol, port, 600)};

	a.m.opcode = PCP_PEER;
	a.m.remote_ip = ip6_mapped(remote);
	a.m.remote_port = remote_port;
	return a;
}

static inline struct recipe ask_granted(const struct pcp_message *m)
{
	return (struct recipe){ip6_to_ip4(m->external_ip), m->external_port};
}

// What a shard sent unasked, `since` the count of w->sent before: how many datagrams to `to`, the
// last of them decoded.
static inline unsigned ask_told(
	const struct world *w, unsigned since, ip4 to, uint16_t port, struct pcp_message *last)
{
	unsigned n = 0;

	if (w->n_sent - since > WORLD_SENT)
		world_die("more was sent than is kept");
	for (unsigned i = since; i < w->n_sent; i++) {
		const struct frame *f = &w->sent[i % WORLD_SENT];

		if (f->p.dst != to || f->p.dport != port)
			continue;
		if (!pcp_decode_response(f->p.l3 + 28, f->p.len - 28u, last))
			world_die("what is told does not read as an answer");
		n++;
	}
	return n;
}

// ---- wishes ----------------------------------------------------------------------------------

static inline int32_t ask_wish(struct world *w, uint16_t shard, struct shard_wish wish)
{
	struct shard_answer a;

	if (!shard_wish(w->shard[shard], &wish))
		world_die("no place for a wish");
	for (unsigned i = 0; i < 100000; i++) {
		while (shard_answer(w->shard[shard], &a)) {
			if (a.kind == SHARD_DONE)
				return a.error;
		}
		shard_step(w->shard[shard], w->conf, w->now, &w->sink);
	}
	world_die("a wish is never granted");
}

#endif
