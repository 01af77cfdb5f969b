// SPDX-License-Identifier: Apache-2.0
// One key made, changed and ended again and again within one burst: each request, and each packet,
// finds what the one before it left.
#include "ask.h"
#include "check.h"

#define PER_MAPPING ONE_SHARD "    log: mappings\n"

enum {
	KEY_PORT = 5000
};

struct burst { // and what came of it
	struct world w;
	unsigned n;
	struct frame frames[SHARD_BURST];
};

static void keep_frame(void *ctx, struct frame *f)
{
	struct burst *b = ctx;
	struct frame *kept = &b->frames[f->tag];

	*kept = *f;
	if (f->verdict == VERDICT_DROP)
		return;
	memmove(kept->bytes, f->p.l3, f->p.len);
	kept->p.l3 = kept->bytes;
}

static struct burst *burst_open(const char *yaml)
{
	struct burst *b = calloc(1, sizeof *b);

	cr_assert_not_null(b);
	world_open(&b->w, yaml);
	return b;
}

static void burst_close(struct burst *b)
{
	world_close(&b->w);
	free(b);
}

static void burst_begin(struct burst *b)
{
	b->n = 0;
	b->w.deliver = keep_frame;
	b->w.ctx = b;
}

static void add_packet(struct burst *b, uint16_t iface, struct make m)
{
	uint8_t packet[MAKE_MAX];
	size_t len = make_packet(packet, &m);

	world_feed(&b->w, iface, packet, len, b->n++);
}

// By the owner of HOME's port; `nonce` tells clients apart.
static void add_map(struct burst *b, uint32_t lifetime_s, uint8_t nonce)
{
	struct pcp_message m = ask_of(HOME, IP_UDP, KEY_PORT, lifetime_s);
	uint8_t packet[MAKE_MAX];
	size_t len;

	m.nonce.b[8] = nonce;
	len = ask_packet(packet, HOME, SERVER, &m);
	world_feed(&b->w, INSIDE_PORT, packet, len, b->n++);
}

static struct pcp_message answer_of(const struct burst *b, unsigned i)
{
	return ask_read(&b->frames[i]);
}

static struct recipe granted(const struct burst *b, unsigned i, uint32_t lifetime_s)
{
	struct pcp_message m = answer_of(b, i);

	cr_assert_eq(m.result, PCP_SUCCESS, "%u: %s", i, pcp_result_name(m.result));
	cr_assert_eq(m.lifetime_s, lifetime_s, "%u: %u s", i, m.lifetime_s);
	return ask_granted(&m);
}

static void refused(const struct burst *b, unsigned i, enum pcp_result result)
{
	struct pcp_message m = answer_of(b, i);

	cr_assert_eq(m.result, result, "%u: %s", i, pcp_result_name(m.result));
}

// The next event about a mapping, with its number.
static uint64_t expect_event(struct world *w, uint8_t kind, uint8_t mapping)
{
	struct shard_event e;

	do
		cr_assert(shard_event(w->shard[0], &e), "no event of kind %u", kind);
	while (e.nat.kind != NAT_EVENT_MAPPING_CREATED && e.nat.kind != NAT_EVENT_MAPPING_DELETED);
	cr_assert_eq(e.nat.kind, kind, "number %lu is of kind %u, not %u",
		(unsigned long)e.sequence, e.nat.kind, kind);
	cr_assert_eq(e.nat.mapping, mapping);
	cr_assert(e.nat.key.host == HOME && e.nat.key.port == KEY_PORT);
	cr_assert_eq(e.at, w->now);
	return e.sequence;
}

// ---- requests --------------------------------------------------------------------------------

Test(bursts, a_lease_is_made_renewed_ended_and_made_again_in_one_burst)
{
	struct burst *b = burst_open(ONE_SHARD);
	struct recipe pair;

	burst_begin(b);
	add_map(b, 600, 0);  // 0: made
	add_map(b, 700, 0);  // 1: renewed
	add_map(b, 700, 1);  // 2: somebody else's
	add_map(b, 0, 1);    // 3: likewise
	add_map(b, 0, 0);    // 4: ended
	add_map(b, 0, 0);    // 5: there is none
	add_map(b, 800, 0);  // 6: his own again
	add_map(b, 900, 0);  // 7
	add_map(b, 0, 0);    // 8
	add_map(b, 1000, 1); // 9: another's, who gets another port
	add_map(b, 1100, 0); // 10
	world_flush(&b->w);
	pair = granted(b, 0, 600);
	cr_assert(recipe_eq(granted(b, 1, 700), pair));
	refused(b, 2, PCP_NOT_AUTHORIZED);
	refused(b, 3, PCP_NOT_AUTHORIZED);
	granted(b, 4, 0);
	granted(b, 5, 0);
	cr_assert(recipe_eq(granted(b, 6, 800), pair));
	cr_assert(recipe_eq(granted(b, 7, 900), pair));
	granted(b, 8, 0);
	cr_assert_not(recipe_eq(granted(b, 9, 1000), pair));
	refused(b, 10, PCP_NOT_AUTHORIZED);
	cr_assert_eq(WORLD_NAT(&b->w, explicit_created), 3);
	cr_assert_eq(WORLD_NAT(&b->w, explicit_renewed), 2);
	cr_assert_eq(WORLD_NAT(&b->w, explicit_deleted), 2);
	cr_assert_eq(WORLD_NAT(&b->w, mappings), 1);
	cr_assert_eq(WORLD_NAT(&b->w, leases), 2);
	cr_assert_eq(WORLD_NAT(&b->w, subscribers_created), 1);
	burst_close(b);
}

Test(bursts, the_log_is_told_every_step_in_its_order_and_with_its_number)
{
	struct burst *b = burst_open(ONE_SHARD);
	uint64_t last = 0;

	burst_begin(b);
	for (unsigned i = 0; i < SHARD_BURST; i++)
		add_map(b, i % 2 ? 0 : 600, 0);
	world_flush(&b->w);
	for (unsigned i = 0; i < SHARD_BURST; i++) {
		uint64_t number = expect_event(&b->w,
			i % 2 ? NAT_EVENT_MAPPING_DELETED : NAT_EVENT_MAPPING_CREATED,
			NAT_EXPLICIT);

		cr_assert(last == 0 || number == last + 1);
		last = number;
	}
	cr_assert_eq(WORLD_NAT(&b->w, mappings), 0);
	cr_assert_eq(WORLD_NAT(&b->w, resting), 1);
	world_pass(&b->w, 130);
	cr_assert_eq(WORLD_NAT(&b->w, resting), 0);
	cr_assert_eq(WORLD_NAT(&b->w, subscribers), 0);
	burst_close(b);
}

// Each comes and ends what he had, and it rests for him while the next one comes.
Test(bursts, subscribers_who_come_and_go_in_one_burst_are_told_apart)
{
	struct burst *b = burst_open(ONE_SHARD);
	struct recipe pair[SHARD_BURST];

	burst_begin(b);
	for (unsigned i = 0; i < SHARD_BURST; i++) {
		struct pcp_message m = ask_of(HOME + i / 2 * 256, IP_TCP, 80, i % 2 ? 0 : 600);
		uint8_t packet[MAKE_MAX];
		size_t len = ask_packet(packet, HOME + i / 2 * 256, SERVER, &m);

		world_feed(&b->w, INSIDE_PORT, packet, len, b->n++);
	}
	world_flush(&b->w);
	for (unsigned i = 0; i < SHARD_BURST; i += 2) {
		pair[i] = granted(b, i, 600);
		granted(b, i + 1, 0);
		for (unsigned k = 0; k < i; k += 2)
			cr_assert_not(recipe_eq(pair[i], pair[k]), "they rest");
	}
	cr_assert_eq(WORLD_NAT(&b->w, subscribers), SHARD_BURST / 2);
	world_pass(&b->w, 130);
	cr_assert_eq(WORLD_NAT(&b->w, subscribers), 0);
	burst_close(b);
}

// ---- packets, and both -----------------------------------------------------------------------

// What was there before the lease stays when that ends (RFC 6887 s.11.3).
Test(bursts, a_flow_that_begins_in_the_burst_is_adopted_and_outlives_its_lease)
{
	struct burst *b = burst_open(PER_MAPPING);
	struct recipe pair;

	burst_begin(b);
	add_map(b, 600, 0);
	add_packet(b, INSIDE_PORT, udp_of(HOME, KEY_PORT, PEER, 53));
	add_map(b, 0, 0);
	add_packet(b, INSIDE_PORT, udp_of(HOME, KEY_PORT, OTHER_PEER, 53));
	world_flush(&b->w);
	expect_pass(&b->frames[1], OUTSIDE_PORT);
	expect_pass(&b->frames[3], OUTSIDE_PORT);
	pair = (struct recipe){b->frames[1].p.src, b->frames[1].p.sport};
	cr_assert(recipe_eq((struct recipe){b->frames[3].p.src, b->frames[3].p.sport}, pair));
	cr_assert(recipe_eq(granted(b, 0, 600), pair), "packets come first in a burst");
	granted(b, 2, 0);
	expect_event(&b->w, NAT_EVENT_MAPPING_CREATED, NAT_IMPLICIT);
	expect_event(&b->w, NAT_EVENT_MAPPING_DELETED, NAT_IMPLICIT);
	expect_event(&b->w, NAT_EVENT_MAPPING_CREATED, NAT_EXPLICIT);
	expect_event(&b->w, NAT_EVENT_MAPPING_DELETED, NAT_EXPLICIT);
	expect_event(&b->w, NAT_EVENT_MAPPING_CREATED, NAT_IMPLICIT);
	cr_assert(recipe_eq(open_udp(&b->w, HOME, KEY_PORT, PEER), pair));
	burst_close(b);
}

// The first packet of a burst finds the mapping idled out, the second one the new mapping.
Test(bursts, a_mapping_that_idled_out_is_ended_once_and_made_once)
{
	struct burst *b = burst_open(ONE_SHARD);

	open_udp(&b->w, HOME, KEY_PORT, PEER);
	b->w.now += 121 * NS_PER_S; // nobody swept
	burst_begin(b);
	for (unsigned i = 0; i < 8; i++)
		add_packet(b, INSIDE_PORT, udp_of(HOME, KEY_PORT, PEER, 53));
	world_flush(&b->w);
	for (unsigned i = 0; i < 8; i++) {
		expect_pass(&b->frames[i], OUTSIDE_PORT);
		cr_assert_eq(b->frames[i].p.sport, b->frames[0].p.sport);
	}
	cr_assert_eq(WORLD_NAT(&b->w, implicit_expired), 1);
	cr_assert_eq(WORLD_NAT(&b->w, implicit_created), 2);
	cr_assert_eq(WORLD_NAT(&b->w, mappings), 1);
	burst_close(b);
}

// Of one connection all it has to say, and of the next one on the same mapping the beginning.
Test(bursts, a_connection_begins_and_is_reset_in_one_burst_and_another_begins)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_ACK, TCP_RST, TCP_ACK, TCP_SYN, TCP_ACK};
	struct burst *b = burst_open(ONE_SHARD "    filtering-type: apdf\n");
	struct frame f;

	burst_begin(b);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		add_packet(b, INSIDE_PORT,
			tcp_of(HOME, KEY_PORT, i < 4 ? PEER : OTHER_PEER, 443, flags[i]));
	world_flush(&b->w);
	for (unsigned i = 0; i < ARRAY_SIZE(flags); i++)
		expect_pass(&b->frames[i], OUTSIDE_PORT);
	cr_assert_eq(WORLD_NAT(&b->w, implicit_created), 1);
	cr_assert_eq(WORLD_NAT(&b->w, sessions_created), 2);
	put(&b->w, OUTSIDE_PORT,
		tcp_of(OTHER_PEER, 443, b->frames[0].p.src, b->frames[0].p.sport,
			TCP_SYN | TCP_ACK),
		&f);
	expect_in(&f, OTHER_PEER, 443, HOME, KEY_PORT);
	burst_close(b);
}

// What one packet from outside does to a connection the next one finds done.
Test(bursts, a_reset_from_outside_is_seen_by_the_segments_behind_it)
{
	struct burst *b = burst_open(ONE_SHARD);
	struct frame f;
	struct recipe pair;

	put(&b->w, INSIDE_PORT, tcp_of(HOME, KEY_PORT, PEER, 443, TCP_SYN), &f);
	expect_pass(&f, OUTSIDE_PORT);
	pair = (struct recipe){f.p.src, f.p.sport};
	burst_begin(b);
	add_packet(b, OUTSIDE_PORT,
		tcp_of(PEER, 443, pair.addr, pair.port, TCP_SYN | TCP_ACK)); // established
	add_packet(b, OUTSIDE_PORT, tcp_of(PEER, 443, pair.addr, pair.port, TCP_ACK));
	add_packet(b, OUTSIDE_PORT, tcp_of(PEER, 443, pair.addr, pair.port, TCP_RST));
	world_flush(&b->w);
	for (unsigned i = 0; i < 3; i++)
		expect_in(&b->frames[i], PEER, 443, HOME, KEY_PORT);
	world_pass(&b->w, 250); // the timer of a reset one, not the 124 minutes of an open one
	cr_assert_eq(WORLD_NAT(&b->w, mappings), 0);

	put(&b->w, INSIDE_PORT, tcp_of(HOME, KEY_PORT, PEER, 443, TCP_SYN), &f);
	pair = (struct recipe){f.p.src, f.p.sport};
	burst_begin(b);
	add_packet(b, OUTSIDE_PORT, tcp_of(PEER, 443, pair.addr, pair.port, TCP_SYN | TCP_ACK));
	add_packet(b, OUTSIDE_PORT, tcp_of(PEER, 443, pair.addr, pair.port, TCP_RST));
	add_packet(b, OUTSIDE_PORT, tcp_of(PEER, 443, pair.addr, pair.port, TCP_ACK)); // forged RST
	world_flush(&b->w);
	world_pass(&b->w, 250);
	cr_assert_eq(WORLD_NAT(&b->w, mappings), 1);
	burst_close(b);
}
