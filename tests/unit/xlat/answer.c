// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "vectors.h"

#define SERVER 0xc0000201U // 192.0.2.1

Test(xlat, echo_reply_equals_another_encoder)
{
	uint8_t l3[sizeof ping];
	struct pkt p;

	check_load(&p, l3, ping, sizeof ping, sizeof l3);
	xlat_echo_reply(&p);
	check_octets(&p, pong, sizeof pong);
	check_in_step(&p);
}

static struct make echo_of(uint8_t type)
{
	return (struct make){.src = INSIDE,
		.dst = SERVER,
		.protocol = IP_ICMP,
		.type = type,
		.id = 0x1234,
		.fragment = IP4_DF,
		.ttl = 3};
}

// Options are left out, DSCP kept, ECN cleared; identification and DF are the request's.
Test(xlat, echo_reply_has_a_plain_header)
{
	uint8_t l3[MAKE_MAX], expected[MAKE_MAX];
	struct make m = echo_of(ICMP_ECHO);
	struct pkt p;

	m.option_words = 3;
	m.tos = 0xb9;
	m.sport = 99;
	m.seq = 1;
	m.payload_len = 1400;
	check_load(&p, l3, expected, make_packet(expected, &m), MAKE_MAX);
	xlat_echo_reply(&p);
	m.option_words = 0;
	m.tos = 0xb8;
	m.type = ICMP_ECHO_REPLY;
	m.ttl = 64;
	m.src = SERVER;
	m.dst = INSIDE;
	check_octets(&p, expected, make_packet(expected, &m));
	check_in_step(&p);
}

// Identifier, sequence and payload of zeros leave nothing but zeros to sum.
Test(xlat, echo_reply_of_zeros_has_checksum_ffff)
{
	uint8_t l3[MAKE_MAX], before[MAKE_MAX];
	struct make m = echo_of(ICMP_ECHO);
	struct pkt p;

	for (m.payload_len = 0; m.payload_len < 5; m.payload_len++) {
		check_load(&p, l3, before, make_packet(before, &m), MAKE_MAX);
		xlat_echo_reply(&p);
		cr_assert(l3[22] == 0xff && l3[23] == 0xff);
		check_in_step(&p);
	}
}

Test(xlat, echo_reply_for_every_checksum)
{
	uint8_t l3[MAKE_MAX], before[MAKE_MAX], expected[MAKE_MAX];
	struct make m = echo_of(ICMP_ECHO), answer = echo_of(ICMP_ECHO_REPLY);
	struct pkt p;

	answer.ttl = 64;
	answer.src = SERVER;
	answer.dst = INSIDE;
	for (unsigned id = 0; id < 65536; id++) {
		m.sport = answer.sport = (uint16_t)id;
		check_load(&p, l3, before, make_packet(before, &m), MAKE_MAX);
		xlat_echo_reply(&p);
		check_octets(&p, expected, make_packet(expected, &answer));
	}
}

// RFC 1812 s.4.3.2.7, RFC 5508 REQ-10e.
Test(xlat, req_10e_table_of_what_may_be_answered)
{
	static const struct {
		const char *what;
		struct make m;
		bool link_group, may;
	} cases[] = {
		{"UDP", {.protocol = IP_UDP}, false, true},
		{"TCP", {.protocol = IP_TCP}, false, true},
		{"echo request", {.protocol = IP_ICMP, .type = 8}, false, true},
		{"echo reply", {.protocol = IP_ICMP, .type = 0}, false, true},
		{"another protocol", {.protocol = 47}, false, true},
		{"sent to a group of stations", {.protocol = IP_UDP}, true, false},
		{"first fragment", {.protocol = IP_UDP, .fragment = IP4_MF}, false, true},
		{"later fragment", {.protocol = IP_UDP, .fragment = 1}, false, false},
		{"middle fragment", {.protocol = IP_TCP, .fragment = IP4_MF | 3}, false, false},
		{"first fragment of an echo", {.protocol = IP_ICMP, .type = 8, .fragment = IP4_MF},
			false, true},
		{"first fragment of an error", {.protocol = IP_ICMP, .type = 3, .fragment = IP4_MF},
			false, false},
		{"first fragment of a redirect",
			{.protocol = IP_ICMP, .type = 5, .fragment = IP4_MF}, false, false},
	};
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct make m = cases[i].m;
		m.src = INSIDE;
		m.dst = REMOTE;
		cr_assert_eq(make_parse(&p, l3, make_packet(l3, &m)), DROP_NONE);
		cr_assert_eq(xlat_may_answer(&p, cases[i].link_group), cases[i].may, "%s",
			cases[i].what);
	}
}

Test(xlat, errors_are_not_answered)
{
	uint8_t l3[sizeof too_big_in_before];
	struct pkt p;

	check_load(&p, l3, too_big_in_before, sizeof l3, sizeof l3);
	cr_assert_not(xlat_may_answer(&p, false));
}

// The parse refuses such addresses; whoever asks about a packet from elsewhere is told the same.
Test(xlat, only_single_hosts_are_answered)
{
	static const ip4 sources[] = {0, 0x7f000001, 0xe0000001, 0xffffffff};
	uint8_t l3[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = IP_UDP};
	struct pkt p;

	cr_assert_eq(make_parse(&p, l3, make_packet(l3, &m)), DROP_NONE);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		p.src = sources[i];
		cr_assert_not(xlat_may_answer(&p, false));
	}
	p.src = INSIDE;
	p.dst = 0xe0000001;
	cr_assert_not(xlat_may_answer(&p, false));
}

Test(xlat, made_errors_equal_another_encoder)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, request, sizeof request, sizeof request + 28);
	cr_assert(xlat_make_error(&p, SERVER, ICMP_TIME_EXCEEDED, 0, 1280));
	check_octets(&p, exceeded_made, sizeof exceeded_made);
	check_in_step(&p);
	check_load(&p, l3, request, sizeof request, sizeof request + 28);
	cr_assert(xlat_make_error(&p, SERVER, ICMP_UNREACHABLE, ICMP_TOO_BIG, 1280));
	check_octets(&p, too_big_made, sizeof too_big_made);
	check_in_step(&p);
}

// RFC 1812 s.4.3.2.3: never more than 576 octets; and never past the room there is.
Test(xlat, made_errors_quote_what_fits)
{
	uint8_t l3[MAKE_MAX], before[MAKE_MAX];
	struct make m = {.src = INSIDE, .dst = REMOTE, .protocol = IP_TCP, .tos = 0x2a};
	struct pkt p;

	for (m.payload_len = 0; m.payload_len <= 1460; m.payload_len += 73) {
		size_t len = make_packet(before, &m), quoted = len < 548 ? len : 548;
		check_load(&p, l3, before, len, quoted + 27);
		cr_assert_not(xlat_make_error(&p, ROUTER, ICMP_UNREACHABLE, 1, 0));
		check_octets(&p, before, len);
		p.room++;
		cr_assert(xlat_make_error(&p, ROUTER, ICMP_UNREACHABLE, 1, 0));
		cr_assert_eq(p.len, quoted + 28);
		cr_assert_eq(memcmp(l3 + 28, before, quoted), 0);
		cr_assert_eq(l3[1], 0x28); // RFC 5508 REQ-10d: the DSCP, without ECN
		cr_assert(p.src == ROUTER && p.dst == INSIDE && p.inner.kind == PKT_TCP);
		check_in_step(&p);
	}
}
