// SPDX-License-Identifier: Apache-2.0
// ICMP errors of others, translated both ways, and our own that a port asks for.
#include "check.h"

// ---- from outside ----------------------------------------------------------------------------

Test(errors, t_5508_4_an_error_from_outside_reaches_the_sender_in_his_own_terms)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	struct make m = udp_of(HOME, 5000, PEER, 53);
	put(&w, INSIDE_PORT, m, &out);
	put(&w, OUTSIDE_PORT,
		error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE, &out), &f);
	expect_pass(&f, INSIDE_PORT);
	expect_error(&f, INSIDE_PORT, ROUTER, &m, ICMP_UNREACHABLE, ICMP_HOST_UNREACHABLE);
	cr_assert_eq(f.p.l3[8], 63);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_translated), 1);
	world_close(&w);
}

Test(errors, t_4787_12b_errors_come_back_for_tcp_and_echo_too)
{
	struct world w;
	struct frame out, f;

	world_open(&w, TWO_SHARDS);
	ip4 host = world_host(&w, 1, 0);
	struct make m = tcp_of(host, 5000, PEER, 80, TCP_SYN);
	put(&w, INSIDE_PORT, m, &out);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_TIME_EXCEEDED, 0, &out), &f);
	expect_error(&f, INSIDE_PORT, ROUTER, &m, ICMP_TIME_EXCEEDED, 0);
	m = echo_of(host, PEER, ICMP_ECHO, 99);
	put(&w, INSIDE_PORT, m, &out);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_TIME_EXCEEDED, 0, &out), &f);
	expect_error(&f, INSIDE_PORT, ROUTER, &m, ICMP_TIME_EXCEEDED, 0);
	world_close(&w);
}

Test(errors, t_5382_9_destination_unreachable_comes_back_for_tcp)
{
	static const uint8_t codes[] = {0, 1, 2, 3, 5, 9, 10, 13};
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	struct make m = tcp_of(HOME, 5000, PEER, 80, TCP_SYN);
	put(&w, INSIDE_PORT, m, &out);
	for (unsigned i = 0; i < ARRAY_SIZE(codes); i++) {
		put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, codes[i], &out),
			&f);
		expect_pass(&f, INSIDE_PORT);
		expect_error(&f, INSIDE_PORT, ROUTER, &m, ICMP_UNREACHABLE, codes[i]);
	}
	world_close(&w);
}

// A router farther out has a narrow link: what it tells of it is for the sender.
Test(errors, t_5508_7_1_the_mtu_that_others_tell_arrives_as_they_wrote_it)
{
	static const uint16_t mtus[] = {0, 68, 576, 1372, 9000};
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	struct make m = udp_of(HOME, 5000, PEER, 53);
	m.fragment = IP4_DF;
	put(&w, INSIDE_PORT, m, &out);
	for (unsigned i = 0; i < ARRAY_SIZE(mtus); i++) {
		struct make told =
			error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, ICMP_TOO_BIG, &out);
		told.seq = mtus[i];
		put(&w, OUTSIDE_PORT, told, &f);
		expect_pass(&f, INSIDE_PORT);
		expect_error(&f, INSIDE_PORT, ROUTER, &m, ICMP_UNREACHABLE, ICMP_TOO_BIG);
		cr_assert_eq(f.p.l3[26] << 8 | f.p.l3[27], mtus[i]);
	}
	world_close(&w);
}

Test(errors, t_5508_4_an_error_about_no_mapping_is_dropped)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	struct make stray = udp_of(out.p.src, (uint16_t)(out.p.sport ^ 1), PEER, 53);
	struct frame quoted;
	quoted.p.len = (uint16_t)make_packet(quoted.bytes, &stray);
	quoted.p.l3 = quoted.bytes;
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &quoted), &f);
	expect_drop(&f, DROP_ICMP_NO_MAPPING);
	world_close(&w);
}

Test(errors, an_error_whose_quote_is_not_from_its_receiver_is_dropped)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	ip4 other = out.p.src ^ 1; // the pool's other address
	put(&w, OUTSIDE_PORT, error_of(ROUTER, other, ICMP_UNREACHABLE, 1, &out), &f);
	expect_drop(&f, DROP_ICMP_EMBEDDED);
	world_close(&w);
}

Test(errors, t_4787_12_no_error_ends_a_mapping)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	for (uint8_t code = 0; code < 16; code++)
		put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, code, &out),
			&f);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, out.p.src, out.p.sport), &f);
	expect_in(&f, PEER, 53, HOME, 5000);
	world_close(&w);
}

// ---- from inside -----------------------------------------------------------------------------

Test(errors, t_5508_5_an_error_from_inside_leaves_in_outside_terms)
{
	struct world w;
	struct frame in, f;

	world_open(&w, TWO_SHARDS);
	ip4 host = world_host(&w, 1, 0);
	struct recipe e = open_udp(&w, host, 5000, PEER);
	struct make m = udp_of(PEER, 53, e.addr, e.port);
	put(&w, OUTSIDE_PORT, m, &in);
	put(&w, INSIDE_PORT, error_of(host, PEER, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, &in),
		&f);
	expect_pass(&f, OUTSIDE_PORT);
	expect_error(&f, OUTSIDE_PORT, e.addr, &m, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE);
	cr_assert_eq(f.p.inner.dport, e.port);
	world_close(&w);
}

// A router between the subscriber and us, of the same shard or not: the quote decides.
Test(errors, t_5508_5_a_router_inside_may_tell_too)
{
	struct world w;
	struct frame in, f;

	world_open(&w, TWO_SHARDS);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
	for (ip4 router = 0x64420001; router < 0x64420009; router++) {
		put(&w, INSIDE_PORT, error_of(router, PEER, ICMP_TIME_EXCEEDED, 0, &in), &f);
		expect_pass(&f, OUTSIDE_PORT);
		expect_between(&f.p, e.addr, PEER);
	}
	world_close(&w);
}

Test(errors, t_5508_5_an_error_from_inside_about_no_mapping_is_dropped)
{
	struct world w;
	struct frame in, f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
	world_pass(&w, 400);
	put(&w, INSIDE_PORT, error_of(HOME, PEER, ICMP_UNREACHABLE, 3, &in), &f);
	expect_drop(&f, DROP_ICMP_NO_MAPPING);
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	world_close(&w);
}

Test(errors, an_error_from_inside_to_an_inside_address_does_not_leave)
{
	struct world w;
	struct frame in, f;

	world_open(&w, ONE_SHARD);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
	put(&w, INSIDE_PORT, error_of(HOME, NEIGHBOR, ICMP_UNREACHABLE, 3, &in), &f);
	expect_drop(&f, DROP_INSIDE_TO_INSIDE);
	world_close(&w);
}

static uint16_t id_at(const struct frame *f)
{
	return (uint16_t)(f->p.l3[4] << 8 | f->p.l3[5]);
}

// Errors leave from an address that many hosts share: without DF their identifications are as good
// as any other packet's (RFC 6864 s.4.1), with DF they are nobody's business.
Test(errors, t_7857_10_errors_from_inside_get_their_identification_here)
{
	enum {
		MANY = 100
	};
	uint16_t ids[MANY];
	struct world w;
	struct frame in, f;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < MANY; i++) {
		ip4 host = HOME + i % 10;
		struct recipe e = open_udp(&w, host, 5000, PEER);
		put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
		struct make m = error_of(host, PEER, ICMP_UNREACHABLE, 3, &in);
		m.id = 1;
		put(&w, INSIDE_PORT, m, &f);
		expect_pass(&f, OUTSIDE_PORT);
		cr_assert_eq(f.p.src, e.addr);
		cr_assert(world_sums_are_right(f.p.l3, f.p.len));
		ids[i] = id_at(&f);
		m.fragment = IP4_DF;
		put(&w, INSIDE_PORT, m, &f);
		expect_pass(&f, OUTSIDE_PORT);
		cr_assert_eq(id_at(&f), 1);
	}
	for (unsigned i = 0; i < MANY; i++) {
		for (unsigned k = 0; k < i; k++)
			cr_assert_neq(ids[i], ids[k], "%04x comes twice", ids[i]);
	}
	world_close(&w);
}

// GRE and the like are never translated; errors about them have nobody to go to.
Test(errors, errors_about_protocols_without_ports_are_dropped)
{
	struct world w;
	struct frame quoted, f;

	world_open(&w, TWO_SHARDS);
	ip4 host = world_host(&w, 1, 0);
	struct recipe e = open_udp(&w, host, 5000, PEER);
	struct make m = udp_of(e.addr, 0, PEER, 0);
	m.protocol = 47;
	quoted.p.len = (uint16_t)make_packet(quoted.bytes, &m);
	quoted.p.l3 = quoted.bytes;
	put(&w, OUTSIDE_PORT, error_of(ROUTER, e.addr, ICMP_UNREACHABLE, 4, &quoted), &f);
	expect_drop(&f, DROP_ICMP_EMBEDDED);
	m.src = PEER;
	m.dst = host;
	quoted.p.len = (uint16_t)make_packet(quoted.bytes, &m);
	put(&w, INSIDE_PORT, error_of(host, PEER, ICMP_UNREACHABLE, 4, &quoted), &f);
	expect_drop(&f, DROP_ICMP_EMBEDDED);
	put(&w, INSIDE_PORT, error_of(host, e.addr, ICMP_UNREACHABLE, 4, &quoted), &f);
	expect_drop(&f, DROP_ICMP_EMBEDDED);
	world_close(&w);
}

// ---- hairpinned ------------------------------------------------------------------------------

static void hairpinned_error(const char *yaml, uint16_t from_shard, uint16_t to_shard)
{
	struct world w;
	struct frame in, f;

	world_open(&w, yaml);
	ip4 from = world_host(&w, from_shard, 0), to = world_host(&w, to_shard, 1);
	struct recipe e = open_udp(&w, to, 6000, PEER);
	struct make m = udp_of(from, 5000, e.addr, e.port);
	put(&w, INSIDE_PORT, m, &in);
	expect_pass(&in, INSIDE_PORT);
	put(&w, INSIDE_PORT, error_of(to, in.p.src, ICMP_UNREACHABLE, 3, &in), &f);
	expect_pass(&f, INSIDE_PORT);
	expect_error(&f, INSIDE_PORT, e.addr, &m, ICMP_UNREACHABLE, 3);
	cr_assert_eq(f.p.inner.dport, e.port);
	cr_assert_eq(f.p.l3[8], 63, "one hop, not two");
	world_close(&w);
}

Test(errors, t_5508_7_an_error_about_a_hairpinned_packet_comes_back)
{
	hairpinned_error(ONE_SHARD, 0, 0);
	hairpinned_error(TWO_SHARDS, 1, 1);
}

Test(errors, t_5508_7a_across_shards_too)
{
	hairpinned_error(TWO_SHARDS, 0, 1);
	hairpinned_error(TWO_SHARDS, 1, 0);
}

// ---- our own ---------------------------------------------------------------------------------

#define RATE_10                                                                                    \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"                          \
	      " external-addresses: 2, icmp-error-rate: 10 }\n" GROUP

Test(errors, t_5508_10f_our_errors_have_a_rate_limit)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;
	unsigned told = 0;

	world_open(&w, RATE_10);
	m.ttl = 1;
	for (unsigned i = 0; i < 50; i++) {
		put(&w, INSIDE_PORT, m, &f);
		told += f.verdict == VERDICT_REPLY;
	}
	cr_assert_eq(told, 10);
	cr_assert_eq(world_drops(&w, DROP_TTL), 50);
	cr_assert_eq(world_drops(&w, DROP_ICMP_RATE), 40);
	w.now += NS_PER_S / 10;
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.verdict, VERDICT_REPLY);
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_TTL);
	world_close(&w);
}

Test(errors, t_5508_9_a_rate_of_zero_means_none)
{
	static const char yaml[] = PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000,"
					 " external-addresses: 2, icmp-error-rate: 0 }\n" GROUP;
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, yaml);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_TTL);
	cr_assert_eq(WORLD_COUNT(&w, icmp_errors_sent), 0);
	world_close(&w);
}

Test(errors, t_5508_10d_our_errors_keep_the_dscp)
{
	struct world w;
	struct make m = udp_of(HOME, 5000, PEER, 53);
	struct frame f;

	world_open(&w, ONE_SHARD);
	m.ttl = 1;
	m.tos = 0xb8; // expedited forwarding
	put(&w, INSIDE_PORT, m, &f);
	cr_assert_eq(f.p.l3[1], 0xb8);
	world_close(&w);
}

// A port may take less than its interface promised; then the packet is translated already.
static void too_big(
	struct world *w, struct frame *f, const struct make *sent, uint16_t iface, ip4 from)
{
	f->verdict = shard_too_big(w->shard[0], w->conf, w->now, &f->p, 1000);
	cr_assert_eq(f->verdict, VERDICT_REPLY);
	w->verdicts[0][VERDICT_REPLY]++; // the packet passed, and was counted as such
	w->verdicts[0][VERDICT_PASS]--;
	f->out = w->conf->next_hops[f->p.next_hop].iface;
	cr_assert(world_sums_are_right(f->p.l3, f->p.len));
	expect_error(f, iface, from, sent, ICMP_UNREACHABLE, ICMP_TOO_BIG);
	cr_assert_eq(f->p.l3[26] << 8 | f->p.l3[27], 1000);
}

Test(errors, a_port_that_takes_less_is_told_with_the_packet_as_it_was_sent)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct make m = udp_of(HOME, 5000, PEER, 53);
	m.payload_len = 1200;
	put(&w, INSIDE_PORT, m, &f);
	struct recipe e = {f.p.src, f.p.sport};
	too_big(&w, &f, &m, INSIDE_PORT, GATEWAY);
	m = udp_of(PEER, 53, e.addr, e.port);
	m.payload_len = 1200;
	put(&w, OUTSIDE_PORT, m, &f);
	expect_pass(&f, INSIDE_PORT);
	too_big(&w, &f, &m, OUTSIDE_PORT, EDGE);
	world_close(&w);
}

Test(errors, an_error_too_big_for_its_port_is_dropped)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD);
	put(&w, INSIDE_PORT, udp_of(HOME, 5000, PEER, 53), &out);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &out), &f);
	f.verdict = shard_too_big(w.shard[0], w.conf, w.now, &f.p, 30);
	f.drop = f.p.drop;
	w.verdicts[0][VERDICT_DROP]++;
	w.verdicts[0][VERDICT_PASS]--;
	expect_drop(&f, DROP_MTU_DF);
	world_close(&w);
}

// ---- where, and where not --------------------------------------------------------------------

#define SILENT_INSIDE                                                                              \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10], icmp-errors: false }\n"                \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n" LIMITS GROUP

Test(errors, t_5508_9_an_interface_may_be_told_to_be_silent)
{
	struct world w;
	struct frame f;

	world_open(&w, SILENT_INSIDE);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make m = udp_of(HOME, 5000, PEER, 53);
	m.ttl = 1;
	put(&w, INSIDE_PORT, m, &f);
	expect_drop(&f, DROP_TTL);
	struct make in = udp_of(PEER, 53, e.addr, e.port);
	in.ttl = 1;
	put(&w, OUTSIDE_PORT, in, &f);
	expect_error(&f, OUTSIDE_PORT, EDGE, &in, ICMP_TIME_EXCEEDED, 0);
	world_close(&w);
}

Test(errors, t_5508_10a_each_error_is_told_from_the_interface_the_packet_came_by)
{
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	struct make m = udp_of(STRANGER, 5000, PEER, 53);
	put(&w, INSIDE_PORT, m, &f);
	expect_error(&f, INSIDE_PORT, GATEWAY, &m, ICMP_UNREACHABLE, ICMP_PROHIBITED);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	struct make in = udp_of(PEER, 53, e.addr, e.port);
	in.ttl = 1;
	put(&w, OUTSIDE_PORT, in, &f);
	expect_error(&f, OUTSIDE_PORT, EDGE, &in, ICMP_TIME_EXCEEDED, 0);
	world_close(&w);
}

// Redirect, timestamp, address mask, source quench, information request.
Test(errors, t_5508_11_other_types_are_dropped_and_counted)
{
	static const uint8_t types[] = {4, 5, 9, 10, 13, 14, 15, 17, 18};
	struct world w;
	struct frame f;

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		put(&w, INSIDE_PORT, echo_of(HOME, PEER, types[i], 99), &f);
		expect_drop(&f, DROP_ICMP_TYPE);
	}
	world_close(&w);
}

Test(errors, t_5508_6_an_error_neither_refreshes_nor_ends_a_query_session)
{
	struct world w;
	struct frame out, f;

	world_open(&w, ONE_SHARD "    filtering-type: adf\n");
	put(&w, INSIDE_PORT, echo_of(HOME, PEER, ICMP_ECHO, 99), &out);
	for (unsigned i = 0; i < 5; i++) {
		world_pass(&w, 10);
		put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &out), &f);
		expect_pass(&f, INSIDE_PORT);
	}
	put(&w, OUTSIDE_PORT, echo_of(PEER, out.p.src, ICMP_ECHO_REPLY, out.p.sport), &f);
	expect_pass(&f, INSIDE_PORT);
	world_pass(&w, 80);
	cr_assert_eq(WORLD_NAT(&w, sessions), 0);
	put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, ICMP_UNREACHABLE, 1, &out), &f);
	expect_drop(&f, DROP_ICMP_NO_MAPPING);
	world_close(&w);
}

// ---- what they leave alone -------------------------------------------------------------------

// Hosts that complain about every packet keep no mapping, and no session, by that.
static void complain_until_it_is_gone(const char *yaml, unsigned sessions)
{
	struct world w;
	struct frame in, f;

	world_open(&w, yaml);
	struct recipe e = open_udp(&w, HOME, 5000, PEER);
	put(&w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &in);
	expect_pass(&in, INSIDE_PORT);
	for (unsigned i = 0; i < 30; i++) {
		put(&w, INSIDE_PORT, error_of(HOME, PEER, ICMP_UNREACHABLE, 3, &in), &f);
		expect_pass(&f, OUTSIDE_PORT);
		world_pass(&w, 10);
	}
	cr_assert_eq(WORLD_NAT(&w, mappings), 1);
	cr_assert_eq(WORLD_NAT(&w, sessions), sessions);
	world_pass(&w, 17); // late by at most 10 s and 2 %
	cr_assert_eq(WORLD_NAT(&w, mappings), 0);
	cr_assert_eq(WORLD_NAT(&w, sessions), 0);
	put(&w, INSIDE_PORT, error_of(HOME, PEER, ICMP_UNREACHABLE, 3, &in), &f);
	expect_drop(&f, DROP_ICMP_NO_MAPPING);
	world_close(&w);
}

Test(errors, t_7857_7_1_errors_from_inside_refresh_nothing)
{
	complain_until_it_is_gone(ONE_SHARD, 0);
	complain_until_it_is_gone(ONE_SHARD "    filtering-type: adf\n", 1);
}

static struct nat_session_view session_of_home(struct world *w)
{
	struct shard_wish wish = {.kind = SHARD_SHOW_SESSIONS,
		.id = 7,
		.max = 10,
		.group = 255,
		.key = {HOME, 5000, 1, NAT_TCP}};
	struct nat_session_view view = {.state = NAT_CLOSED};
	struct shard_answer a;
	unsigned rows = 0;

	cr_assert(shard_wish(w->shard[0], &wish));
	world_settle(w);
	while (shard_answer(w->shard[0], &a)) {
		if (a.kind != SHARD_ROW_SESSION)
			continue;
		view = a.session;
		rows++;
	}
	cr_assert_eq(rows, 1);
	return view;
}

static void expect_established(struct world *w, uint32_t left_s)
{
	struct nat_session_view view = session_of_home(w);

	cr_assert_eq(view.state, NAT_ESTABLISHED);
	cr_assert_eq(view.remote.addr, PEER);
	cr_assert_eq(view.left_s, left_s);
}

// Errors from both sides about what the other side sent: neither ends the connection, nor do they
// make it live longer.
Test(errors, t_5382_10_an_established_connection_outlives_errors_of_both_sides)
{
	static const uint8_t types[] = {ICMP_UNREACHABLE, ICMP_TIME_EXCEEDED};
	struct world w;
	struct frame out, in, f;

	world_open(&w, ONE_SHARD "    filtering-type: apdf\n");
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_SYN), &out);
	struct make answer = tcp_of(PEER, 80, out.p.src, out.p.sport, TCP_SYN | TCP_ACK);
	put(&w, OUTSIDE_PORT, answer, &in);
	expect_in(&in, PEER, 80, HOME, 5000);
	put(&w, INSIDE_PORT, tcp_of(HOME, 5000, PEER, 80, TCP_ACK), &out);
	expect_established(&w, 7440);
	world_pass(&w, 1000);
	for (unsigned i = 0; i < ARRAY_SIZE(types); i++) {
		for (uint8_t code = 0; code < 4; code++) {
			put(&w, OUTSIDE_PORT, error_of(ROUTER, out.p.src, types[i], code, &out),
				&f);
			expect_pass(&f, INSIDE_PORT);
			put(&w, INSIDE_PORT, error_of(HOME, PEER, types[i], code, &in), &f);
			expect_pass(&f, OUTSIDE_PORT);
		}
		expect_established(&w, 6440);
	}
	answer.flags = TCP_ACK;
	put(&w, OUTSIDE_PORT, answer, &f);
	expect_in(&f, PEER, 80, HOME, 5000);
	world_close(&w);
}
