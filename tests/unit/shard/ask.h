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
		.lifetime_s = lifetime_s,
		.client = ip6_mapped(client),
		.protocol = protocol,
		.internal_port = port,
		.external_ip = ip6_mapped(0)};

	memcpy(m.nonce.b, &client, sizeof client);
	return m;
}

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

#endif
