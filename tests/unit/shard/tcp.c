// SPDX-License-Identifier: Apache-2.0
// TCP at the shard's door: flags, connections from both sides, unsolicited SYNs, the MSS.
#include "check.h"

#define ADF ONE_SHARD "    filtering-type: adf\n"

static struct recipe syn_out(struct world *w, struct frame *f)
{
	put(w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_SYN), f);
	expect_pass(f, OUTSIDE_PORT);
	return (struct recipe){f->p.src, f->p.sport};
}

static void segment_in(struct world *w, struct recipe e, uint8_t flags, struct frame *f)
{
	put(w, OUTSIDE_PORT, tcp_of(PEER, 80, e.addr, e.port, flags), f);
}

static void segment_out(struct world *w, uint8_t flags, struct frame *f)
{
	put(w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, flags), f);
}

Test(tcp, flags_of_no_connection_are_dropped_both_ways)
{
	static const uint8_t impossible[] = {0, TCP_FIN, TCP_PSH, TCP_SYN | TCP_FIN,
		TCP_SYN | TCP_RST, TCP_SYN | TCP_ACK | TCP_FIN, TCP_FIN | TCP_RST | TCP_ACK,
		TCP_FIN | TCP_PSH | 32};
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = syn_out(&w, &f);
	for (unsigned i = 0; i < ARRAY_SIZE(impossible); i++) {
		segment_out(&w, impossible[i], &f);
		expect_drop(&f, DROP_TCP_FLAGS);
		segment_in(&w, e, impossible[i], &f);
		expect_drop(&f, DROP_TCP_FLAGS);
	}
	cr_assert_eq(world_drops(&w, DROP_TCP_FLAGS), 2 * ARRAY_SIZE(impossible));
	world_close(&w);
}

Test(tcp, every_other_combination_passes)
{
	static const uint8_t possible[] = {TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH,
		TCP_FIN | TCP_ACK, TCP_FIN | TCP_ACK | TCP_PSH, TCP_RST, TCP_RST | TCP_ACK,
		TCP_ACK | 32, TCP_SYN | 64 | 128};
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < ARRAY_SIZE(possible); i++) {
		struct recipe e = syn_out(&w, &f);
		segment_out(&w, possible[i], &f);
		expect_pass(&f, OUTSIDE_PORT);
		segment_in(&w, e, possible[i], &f);
		expect_pass(&f, INSIDE_PORT);
	}
	world_close(&w);
}

// ---- connections -----------------------------------------------------------------------------

Test(tcp, t_5382_2_a_connection_opens_carries_and_closes)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	struct recipe e = syn_out(&w, &f);
	segment_in(&w, e, TCP_SYN | TCP_ACK, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	segment_out(&w, TCP_ACK, &f);
	expect_pass(&f, OUTSIDE_PORT);
	segment_in(&w, e, TCP_FIN | TCP_ACK, &f);
	segment_out(&w, TCP_FIN | TCP_ACK, &f);
	segment_in(&w, e, TCP_ACK, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	cr_assert_eq(WORLD_NAT(&w, sessions_created), 1);
	world_close(&w);
}

Test(tcp, t_5382_2a_simultaneous_open_works)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	struct recipe e = syn_out(&w, &f);
	segment_in(&w, e, TCP_SYN, &f); // crosses it
	expect_in(&f, PEER, 80, HOME, 5000);
	segment_out(&w, TCP_SYN | TCP_ACK, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_pass(&w, 3000); // established: longer than an opening
	segment_in(&w, e, TCP_ACK, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	world_close(&w);
}

Test(tcp, t_5382_5_an_established_connection_outlives_two_idle_hours)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	struct recipe e = syn_out(&w, &f);
	segment_in(&w, e, TCP_SYN | TCP_ACK, &f);
	world_pass(&w, 7439);
	segment_in(&w, e, TCP_ACK, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	world_close(&w);
}

Test(tcp, t_7857_2_2_a_reset_passes_and_data_brings_the_connection_back)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	struct recipe e = syn_out(&w, &f);
	segment_in(&w, e, TCP_SYN | TCP_ACK, &f);
	segment_in(&w, e, TCP_RST, &f); // forged, perhaps
	expect_in(&f, PEER, 80, HOME, 5000);
	world_pass(&w, 200);
	segment_out(&w, TCP_ACK, &f);
	expect_pass(&f, OUTSIDE_PORT);
	world_pass(&w, 3000);
	segment_in(&w, e, TCP_ACK, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	world_close(&w);
}

Test(tcp, t_7857_2_2_what_was_reset_is_gone_after_four_minutes)
{
	struct world w;
	struct frame f;

	world_open(&w, ADF);
	struct recipe e = syn_out(&w, &f);
	segment_in(&w, e, TCP_SYN | TCP_ACK, &f);
	segment_in(&w, e, TCP_RST, &f);
	world_pass(&w, 260);
	segment_in(&w, e, TCP_ACK, &f);
	cr_assert_eq(f.verdict, VERDICT_DROP);
	cr_assert_eq(WORLD_NAT(&w, sessions), 0);
	world_close(&w);
}

// ---- unsolicited SYNs: see syns.c, too -------------------------------------------------------

Test(tcp, under_eif_a_syn_from_anybody_comes_in)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct recipe e = syn_out(&w, &f);
	put(&w, OUTSIDE_PORT, tcp_of(OTHER_PEER, 81, e.addr, e.port, TCP_SYN), &f);
	expect_in(&f, OTHER_PEER, 81, HOME, 5000);
	world_close(&w);
}

// ---- the MSS ---------------------------------------------------------------------------------

#define CLAMPED ONE_SHARD "    tcp-mss-clamp: 1400\n"

// A segment with an MSS option, which stands behind the header as if it were payload.
static size_t make_with_mss(uint8_t packet[MAKE_MAX], struct make m, uint16_t mss)
{
	const uint8_t option[4] = {2, 4, (uint8_t)(mss >> 8), (uint8_t)mss};
	size_t len;
	uint8_t *tcp = packet + 20;

	m.payload = option;
	m.payload_len = sizeof option;
	len = make_packet(packet, &m);
	tcp[12] = 6 << 4;
	tcp[16] = tcp[17] = 0;
	uint16_t sum = checksum_l4(m.src, m.dst, IP_TCP, tcp, len - 20);
	tcp[16] = (uint8_t)(sum >> 8);
	tcp[17] = (uint8_t)sum;
	return len;
}

static uint16_t mss_through(struct world *w, uint16_t iface, struct make m, uint16_t mss)
{
	uint8_t packet[MAKE_MAX];
	size_t len = make_with_mss(packet, m, mss);
	struct frame f;

	world_put(w, iface, packet, len, &f);
	cr_assert_eq(f.verdict, VERDICT_PASS);
	return (uint16_t)(f.p.l3[42] << 8 | f.p.l3[43]);
}

Test(tcp, mss_is_lowered_in_syns_of_both_sides_and_never_raised)
{
	struct world w;
	struct frame f;

	world_open(&w, CLAMPED);
	struct recipe e = syn_out(&w, &f);
	struct make out = tcp_of(HOME, 5000, PEER, 80, TCP_SYN);
	struct make in = tcp_of(PEER, 80, e.addr, e.port, TCP_SYN | TCP_ACK);
	cr_assert_eq(mss_through(&w, INSIDE_PORT, out, 1460), 1400);
	cr_assert_eq(mss_through(&w, OUTSIDE_PORT, in, 1460), 1400);
	cr_assert_eq(WORLD_COUNT(&w, mss_clamped), 2);
	cr_assert_eq(mss_through(&w, INSIDE_PORT, out, 1200), 1200);
	out.flags = TCP_ACK;
	cr_assert_eq(mss_through(&w, INSIDE_PORT, out, 1460), 1460);
	cr_assert_eq(WORLD_COUNT(&w, mss_clamped), 2);
	world_close(&w);
}

Test(tcp, mss_is_let_alone_unless_the_operator_says_so)
{
	struct world w;

	world_open(&w, ONE_SHARD);
	cr_assert_eq(
		mss_through(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_SYN), 1460), 1460);
	world_close(&w);
}
