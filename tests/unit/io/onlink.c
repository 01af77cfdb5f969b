// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "onlink.h"

#include <stdlib.h>

static ip4 address(const char *text)
{
	ip4 a;

	cr_assert(ip4_parse(text, &a));
	return a;
}

static struct conf_interface interface(const char *first, uint8_t bits)
{
	struct conf_interface iface = {.n_addresses = 1};

	iface.addresses[0] = (struct conf_address){.ip = address(first), .bits = bits};
	return iface;
}

Test(io, neighbour_lives_in_a_subnet_of_the_interface)
{
	static const struct {
		const char *own;
		uint8_t bits;
		const char *who;
		bool is;
	} cases[] = {
		{"192.0.2.1", 24, "192.0.2.2", true},
		{"192.0.2.1", 24, "192.0.2.1", false},   // ourselves
		{"192.0.2.1", 24, "192.0.2.0", false},   // the network
		{"192.0.2.1", 24, "192.0.2.255", false}, // everyone
		{"192.0.2.1", 24, "192.0.3.2", false},
		{"100.64.0.1", 10, "100.127.255.254", true},
		{"192.0.2.0", 31, "192.0.2.1", true},
		{"192.0.2.1", 31, "192.0.2.0", true},
		{"192.0.2.1", 31, "192.0.2.2", false},
		{"192.0.2.1", 32, "192.0.2.1", false},
		{"192.0.2.1", 24, "0.0.0.0", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf_interface iface = interface(cases[i].own, cases[i].bits);
		cr_assert_eq(onlink_neighbour(&iface, address(cases[i].who)), cases[i].is,
			"case %zu", i);
	}
}

Test(io, source_of_a_question_shares_the_subnet)
{
	struct conf_interface iface = interface("192.0.2.1", 25);

	iface.n_addresses = 2;
	iface.addresses[1] = (struct conf_address){.ip = address("198.51.100.1"), .bits = 24};
	cr_assert_eq(onlink_source(&iface, address("198.51.100.9")), address("198.51.100.1"));
	cr_assert_eq(onlink_source(&iface, address("192.0.2.9")), address("192.0.2.1"));
	cr_assert_eq(onlink_source(&iface, address("203.0.113.9")), address("192.0.2.1"));
	iface.n_addresses = 0;
	cr_assert_eq(onlink_source(&iface, address("192.0.2.9")), 0);
}

static const char yaml[] =
	"workers: 1\n"
	"ports:\n"
	"  inside: { device: net_null0, addresses: [100.64.0.1/10] }\n"
	"  outside: { device: net_null1, addresses: [198.51.100.2/24], gateway: 198.51.100.1 }\n"
	"nat-groups:\n"
	"  homes:\n"
	"    subscribers: [100.64.0.0/10]\n"
	"    external-address-pool: [198.51.100.8/31, 203.0.113.0/31]\n"
	"    pcp: { listen: [192.0.2.1, gateway] }\n";

static struct conf *snapshot(void)
{
	struct conf_complaints complaints = {.file = "test"};
	struct conf *c = NULL;

	int error = conf_load_text("test", yaml, sizeof yaml - 1, NULL, &c, &complaints);
	if (error && complaints.n) {
		char line[512];
		conf_complaint_format(&complaints, 0, line, sizeof line);
		cr_log_error("%s", line);
	}
	cr_assert_eq(error, 0);
	conf_complaints_destroy(&complaints);
	return c;
}

Test(io, arp_is_answered_for_what_is_ours_on_that_link)
{
	static const struct {
		uint8_t side;
		const char *who;
		bool ours;
	} cases[] = {
		{CONF_INSIDE, "100.64.0.1", true},
		{CONF_INSIDE, "100.64.0.2", false},
		{CONF_INSIDE, "192.0.2.1", true},     // the PCP server's address
		{CONF_INSIDE, "198.51.100.2", false}, // the other side's address
		{CONF_INSIDE, "198.51.100.8", false}, // a pool address
		{CONF_OUTSIDE, "198.51.100.2", true},
		{CONF_OUTSIDE, "198.51.100.1", false},
		{CONF_OUTSIDE, "198.51.100.8", true}, // on-link pool
		{CONF_OUTSIDE, "198.51.100.9", true},
		{CONF_OUTSIDE, "203.0.113.0", false}, // routed to us
		{CONF_OUTSIDE, "192.0.2.1", false},
		{CONF_OUTSIDE, "100.64.0.1", false},
	};
	struct conf *c = snapshot();

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint16_t iface = 0;
		while (c->interfaces[iface].side != cases[i].side)
			iface++;
		cr_assert_eq(onlink_is_ours(c, iface, address(cases[i].who)), cases[i].ours,
			"case %zu", i);
	}
	conf_destroy(c);
}

Test(io, own_and_on_link_pool_addresses_are_announced_once_each)
{
	struct conf *c = snapshot();
	static const char *const wanted[] = {
		"100.64.0.1", "198.51.100.2", "198.51.100.8", "198.51.100.9"};
	unsigned seen[ARRAY_SIZE(wanted)] = {0};
	uint32_t cursor = 0, n = 0;
	uint16_t iface;
	ip4 ip;

	while (onlink_next_own(c, &cursor, &iface, &ip)) {
		cr_assert_lt(iface, c->n_interfaces);
		cr_assert(onlink_is_ours(c, iface, ip));
		for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
			seen[i] += ip == address(wanted[i]);
		n++;
	}
	cr_assert_eq(n, ARRAY_SIZE(wanted));
	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++)
		cr_assert_eq(seen[i], 1, "%s", wanted[i]);
	cr_assert_not(onlink_next_own(c, &cursor, &iface, &ip));
	conf_destroy(c);
}

Test(io, arp_sender_is_judged_by_frame_and_address)
{
	static const uint8_t own[6] = {2, 0, 0, 0, 0, 1}, his[6] = {2, 0, 0, 0, 0, 2};
	struct conf *c = calloc(1, sizeof *c);
	struct pkt_arp arp = {.operation = 2, .sender_ip = address("192.0.2.7")};
	struct conf_local nothing = {.kind = CONF_NOT_LOCAL};

	cr_assert(c);
	c->n_interfaces = 1;
	c->interfaces[0] = interface("192.0.2.1", 24);
	c->local = &nothing;
	memcpy(arp.sender_mac, his, sizeof his);
	cr_assert_eq(onlink_judge_sender(c, 0, own, his, &arp), ONLINK_NEIGHBOUR);
	cr_assert_eq(onlink_judge_sender(c, 0, own, own, &arp), ONLINK_FORGED, "another source");
	arp.sender_ip = address("203.0.113.7");
	cr_assert_eq(onlink_judge_sender(c, 0, own, his, &arp), ONLINK_STRANGER);
	arp.sender_ip = 0;
	cr_assert_eq(onlink_judge_sender(c, 0, own, his, &arp), ONLINK_STRANGER, "RFC 5227 probe");
	arp.sender_ip = address("192.0.2.1");
	cr_assert_eq(onlink_judge_sender(c, 0, own, his, &arp), ONLINK_CLAIMS_OURS);
	memcpy(arp.sender_mac, own, sizeof own);
	cr_assert_eq(onlink_judge_sender(c, 0, own, own, &arp), ONLINK_FORGED, "our own echo");
	free(c);
}

static ip6 address6(const char *text)
{
	ip6 a;

	cr_assert(ip6_parse(text, &a), "%s", text);
	return a;
}

static struct conf_interface interface6(void)
{
	struct conf_interface iface = {.n_addresses6 = 2};

	iface.addresses6[0] = (struct conf_address6){address6("2001:db8:a::1"), 64};
	iface.addresses6[1] = (struct conf_address6){address6("2001:db8:b::ff"), 127};
	return iface;
}

// RFC 4861 s.2.1, s.7.2.3: whose messages are believed.
Test(io, neighbour_of_ip6_is_link_local_or_within_a_prefix)
{
	static const struct {
		const char *who;
		bool is;
	} cases[] = {
		{"2001:db8:a::2", true},
		{"2001:db8:a::1", false}, // ourselves
		{"2001:db8:a:0:ffff::", true},
		{"2001:db8:a:1::2", false},
		{"2001:db8:b::fe", true},
		{"2001:db8:b::fd", false},
		{"fe80::7", true},
		{"ff02::1", false},
		{"::", false},
	};
	struct conf_interface iface = interface6(), none = {.n_addresses6 = 0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip6 who = address6(cases[i].who);
		cr_assert_eq(onlink6_neighbour(&iface, who), cases[i].is, "%s", cases[i].who);
		cr_assert_not(onlink6_neighbour(&none, who), "no IPv6 here");
	}
}

// RFC 4861 s.7.2.3: the target is an address of the interface; the one of its MAC is among them.
Test(io, solicitation_is_answered_for_what_is_ours_on_that_link)
{
	static const uint8_t mac[6] = {0x02, 0, 0x64, 0x40, 0, 1};
	static const struct {
		const char *target;
		bool ours;
	} cases[] = {
		{"2001:db8:a::1", true},
		{"2001:db8:b::ff", true},
		{"fe80::64ff:fe40:1", true},
		{"fe80::64ff:fe40:2", false},
		{"2001:db8:a::2", false},
	};
	struct conf_interface iface = interface6(), none = {.n_addresses6 = 0};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		ip6 target = address6(cases[i].target);
		cr_assert_eq(
			onlink6_is_ours(&iface, mac, target), cases[i].ours, "%s", cases[i].target);
		cr_assert_not(onlink6_is_ours(&none, mac, target), "no IPv6 here");
	}
}
