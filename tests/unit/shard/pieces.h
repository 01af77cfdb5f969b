// SPDX-License-Identifier: Apache-2.0
// pieces.h - datagrams in fragments: cut by plain copying, and put together by a receiver that
// takes every octet once.
#ifndef TEST_SHARD_PIECES_H
#define TEST_SHARD_PIECES_H

#include "check.h"

// Without a PCP server, which would speak unasked.
#define QUIET                                                                                      \
	PORTS LIMITS "nat-groups:\n"                                                               \
		     "  homes:\n"                                                                  \
		     "    subscribers: [100.64.0.0/16]\n"                                          \
		     "    external-address-pool: [203.0.113.4-203.0.113.5]\n"                      \
		     "    port-set-size: 64\n"                                                     \
		     "    pcp: false\n"

enum {
	PIECES_MOST = 64
};

struct pieces {
	unsigned n;
	size_t len[PIECES_MOST];
	uint8_t bytes[PIECES_MOST][MAKE_MAX];
};

// Cuts the packet so that each piece but the last has `octets` of its payload.
static inline void cut_up(struct pieces *all, const struct make *m, size_t octets)
{
	uint8_t packet[MAKE_MAX];
	size_t len = make_packet(packet, m), payload = len - (packet[0] & 15u) * 4;

	all->n = 0;
	for (size_t at = 0; at < payload; at += octets, all->n++) {
		cr_assert_lt(all->n, PIECES_MOST);
		all->len[all->n] = make_piece(all->bytes[all->n], packet, at,
			at + octets < payload ? at + octets : payload);
	}
}

static inline void put_piece(
	struct world *w, uint16_t iface, const struct pieces *all, unsigned i, struct frame *out)
{
	world_put(w, iface, all->bytes[i], all->len[i], out);
}

struct joined { // what a receiver makes of the pieces
	uint8_t seen[MAKE_MAX], packet[MAKE_MAX];
	size_t octets, end; // end 0: its last has not come
	uint16_t id;
	unsigned n;
};

static inline uint16_t get_u16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint16_t id_of(const struct frame *f)
{
	return get_u16(f->p.l3 + 4);
}

static inline void join_piece(struct joined *j, const struct frame *f)
{
	const uint8_t *l3 = f->p.l3;
	size_t header = (l3[0] & 15u) * 4, at = (get_u16(l3 + 6) & IP4_OFFSET) * 8u;

	cr_assert(j->n++ == 0 || j->id == id_of(f), "%04x is not %04x", id_of(f), j->id);
	j->id = id_of(f);
	if (at == 0)
		memcpy(j->packet, l3, header);
	for (size_t i = header; i < f->p.len; i++, at++) {
		cr_assert(!j->seen[at], "octet %zu comes twice", at);
		j->seen[at] = 1;
		j->packet[20 + at] = l3[i];
		j->octets++;
	}
	if (!(get_u16(l3 + 6) & IP4_MF))
		j->end = at;
}

// All is there, and the packet is a right one. Its header had no options.
static inline void expect_joined(struct joined *j, struct pkt *p)
{
	cr_assert_neq(j->end, 0, "the last piece is missing");
	cr_assert_eq(j->octets, j->end, "%zu octets of %zu", j->octets, j->end);
	j->packet[2] = (uint8_t)((20 + j->end) >> 8);
	j->packet[3] = (uint8_t)(20 + j->end);
	j->packet[6] &= 0xc0;
	j->packet[7] = 0;
	make_header_right(j->packet);
	cr_assert(world_sums_are_right(j->packet, 20 + j->end), "a checksum is wrong");
	cr_assert_eq(make_parse(p, j->packet, 20 + j->end), DROP_NONE);
}

// What the shards gave back or made since `from`; all of it was sent on.
static inline void join_sent(struct world *w, struct joined *j, unsigned from, uint16_t out)
{
	for (unsigned i = from; i < w->n_sent; i++) {
		expect_pass(&w->sent[i % w->n_kept], out);
		join_piece(j, &w->sent[i % w->n_kept]);
	}
}

static inline struct make long_udp(ip4 src, uint16_t sport, ip4 dst, uint16_t dport, uint16_t id)
{
	static uint8_t payload[1400];
	struct make m = udp_of(src, sport, dst, dport);

	for (size_t i = 0; i < sizeof payload; i++)
		payload[i] = (uint8_t)(i * 7 + i / 256);
	m.payload = payload;
	m.payload_len = sizeof payload;
	m.id = id;
	return m;
}

#endif
