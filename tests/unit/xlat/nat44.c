// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "vectors.h"

#define N_PORTS 65536

Test(xlat, udp_source_equals_another_encoder)
{
	uint8_t l3[sizeof udp_out_before];
	struct pkt p;

	check_load(&p, l3, udp_out_before, sizeof l3, sizeof l3);
	xlat_source(&p, recipe_of(OUTSIDE, 40000));
	check_octets(&p, udp_out_after, sizeof udp_out_after);
	check_in_step(&p);
}

Test(xlat, tcp_destination_equals_another_encoder)
{
	uint8_t l3[sizeof tcp_in_before];
	struct pkt p;

	check_load(&p, l3, tcp_in_before, sizeof l3, sizeof l3);
	xlat_destination(&p, recipe_of(INSIDE, 6000));
	check_octets(&p, tcp_in_after, sizeof tcp_in_after);
	check_in_step(&p);
}

Test(xlat, echo_source_equals_another_encoder)
{
	uint8_t l3[sizeof echo_out_before];
	struct pkt p;

	check_load(&p, l3, echo_out_before, sizeof l3, sizeof l3);
	xlat_source(&p, recipe_of(OUTSIDE, 0x4321));
	check_octets(&p, echo_out_after, sizeof echo_out_after);
	check_in_step(&p);
}

static struct make any(uint8_t protocol, const uint8_t *payload, size_t payload_len)
{
	return (struct make){.src = INSIDE,
		.dst = REMOTE,
		.sport = 5000,
		.dport = 53,
		.protocol = protocol,
		.type = ICMP_ECHO,
		.payload = payload,
		.payload_len = payload_len};
}

Test(xlat, there_and_back_is_the_same_packet_two_hops_on)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct make m = any(protocols[i], NULL, 33);
		size_t len = make_packet(expected, &m);
		check_load(&p, l3, expected, len, len);
		xlat_source(&p, recipe_of(OUTSIDE, 40000));
		xlat_source(&p, recipe_of(INSIDE, 5000));
		m.ttl = 62;
		make_packet(expected, &m);
		check_octets(&p, expected, len);
	}
}

// RFC 768: zero on the wire says that the sender computed none, and so it stays.
Test(xlat, udp_checksum_of_zero_stays_zero)
{
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct make m = any(IP_UDP, NULL, 12);
	struct pkt p;

	m.no_checksum = true;
	size_t len = make_packet(expected, &m);
	check_load(&p, l3, expected, len, len);
	xlat_source(&p, recipe_of(OUTSIDE, 40000));
	xlat_destination(&p, recipe_of(ROUTER, 1));
	m.src = OUTSIDE;
	m.sport = 40000;
	m.dst = ROUTER;
	m.dport = 1;
	m.ttl = 62;
	make_packet(expected, &m);
	check_octets(&p, expected, len);
	cr_assert(l3[26] == 0 && l3[27] == 0);
}

// All ports in turn, so that each possible checksum comes up, the computed zero with them.
Test(xlat, req_10e_computed_zero_is_sent_as_ffff)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX], before[MAKE_MAX];
	unsigned n_ones = 0, n_zeros = 0;
	struct pkt p;

	for (unsigned i = 0; i < N_PORTS * ARRAY_SIZE(protocols); i++) {
		struct make m = any(protocols[i / N_PORTS], (const uint8_t *)"checksum", 8);
		size_t len = make_packet(before, &m);
		check_load(&p, l3, before, len, len);
		xlat_source(&p, recipe_of(OUTSIDE, (uint16_t)i));
		m.src = OUTSIDE;
		m.sport = (uint16_t)i;
		m.ttl = 63;
		make_packet(expected, &m);
		cr_assert_eq(
			memcmp(l3, expected, len), 0, "protocol %u port %u", m.protocol, m.sport);
		const uint8_t *sum = l3 + 20 + (uint8_t[]){6, 16, 2}[i / N_PORTS];
		n_ones += m.protocol == IP_UDP && sum[0] == 0xff && sum[1] == 0xff;
		n_zeros += sum[0] == 0 && sum[1] == 0;
		cr_assert(m.protocol != IP_UDP || sum[0] || sum[1]);
	}
	cr_assert_eq(n_ones, 1);   // UDP
	cr_assert_geq(n_zeros, 2); // TCP and ICMP have plain zeros: one or, of two ports, both
}

// An echo reply of nothing but zeros has checksum 0xffff, and an increment alone would make it 0.
Test(xlat, echo_reply_of_zeros_keeps_a_valid_checksum)
{
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct make m = {.src = REMOTE,
		.dst = OUTSIDE,
		.sport = 40000,
		.protocol = IP_ICMP,
		.type = ICMP_ECHO_REPLY,
		.payload_len = 56};
	struct pkt p;
	size_t len = make_packet(expected, &m);

	check_load(&p, l3, expected, len, len);
	xlat_destination(&p, recipe_of(INSIDE, 0));
	m.dst = INSIDE;
	m.sport = 0;
	m.ttl = 63;
	make_packet(expected, &m);
	check_octets(&p, expected, len);
	cr_assert(l3[22] == 0xff && l3[23] == 0xff);
	check_in_step(&p);
	xlat_destination(&p, recipe_of(OUTSIDE, 40000)); // and away from 0xffff again
	check_in_step(&p);
}

// nat-behaviour 4787-9: both legs of a hairpin are one hop.
Test(xlat, hairpin_lowers_the_ttl_once)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		struct make m = any(protocols[i], NULL, 4);
		size_t len = make_packet(expected, &m);
		check_load(&p, l3, expected, len, len);
		xlat_source(&p, recipe_of(OUTSIDE, 40000));
		p.stage = PKT_HAIRPINNED;
		xlat_destination(&p, recipe_of(INSIDE + 1, 8080));
		m.src = OUTSIDE;
		m.dst = INSIDE + 1;
		m.sport = protocols[i] == IP_ICMP ? 8080 : 40000;
		m.dport = 8080;
		m.ttl = 63;
		make_packet(expected, &m);
		check_octets(&p, expected, len);
		check_in_step(&p);
	}
}

Test(xlat, lower_ttl_at_every_value)
{
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct make m = any(47, NULL, 10);
	struct pkt p;

	for (unsigned ttl = 255; ttl > 1; ttl--) {
		m.ttl = (uint8_t)ttl;
		size_t len = make_packet(expected, &m);
		check_load(&p, l3, expected, len, len);
		xlat_lower_ttl(&p);
		m.ttl = (uint8_t)(ttl - 1);
		make_packet(expected, &m);
		check_octets(&p, expected, len);
	}
}

Test(xlat, options_stay_where_they_are)
{
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct make m = any(IP_TCP, NULL, 5);
	struct pkt p;

	for (m.option_words = 1; m.option_words <= 10; m.option_words++) {
		struct make after = m;
		size_t len = make_packet(expected, &m);
		check_load(&p, l3, expected, len, len);
		xlat_source(&p, recipe_of(OUTSIDE, 40000));
		after.src = OUTSIDE;
		after.sport = 40000;
		after.ttl = 63;
		make_packet(expected, &after);
		check_octets(&p, expected, len);
	}
}
