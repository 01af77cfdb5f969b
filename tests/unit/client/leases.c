// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

static const uint8_t two[] = {8, 198, 51, 100, 1, 198, 51, 100, 2, 4, 203, 0, 113, 1};

static void read_file(const char *name, const char *text, struct found *found)
{
	*found = (struct found){0};
	leases_read(name, (const uint8_t *)text, strlen(text), 1000000000, found);
}

static void expect_address(const struct found *found, unsigned server, unsigned i, ip4 want)
{
	cr_assert_lt(server, found->n);
	cr_assert_lt(i, found->servers[server].n_addresses);
	cr_expect_eq(ip6_to_ip4(ip_of(found->servers[server].addresses[i].ip)), want);
	cr_expect_eq(found->servers[server].addresses[i].port, POSTERN_SERVER_PORT);
	cr_expect_eq(found->servers[server].origin, POSTERN_DHCP);
}

Test(leases, option_158_is_a_list_of_servers)
{
	struct found found = {0};

	leases_read_option158(two, sizeof two, 3, &found);
	cr_assert_eq(found.n, 2);
	expect_address(&found, 0, 0, 0xc6336401);
	expect_address(&found, 0, 1, 0xc6336402);
	expect_address(&found, 1, 0, 0xcb007101);
	cr_expect_eq(found.servers[1].interface, 3);
}

Test(leases, a_malformed_option_158_teaches_nothing)
{
	static const struct {
		size_t length;
		uint8_t data[12];
	} cases[] = {
		{0, {0}}, {6, {5, 198, 51, 100, 1, 0}}, // a length that is no multiple of 4
		{5, {0, 198, 51, 100, 1}},              // 0
		{4, {4, 198, 51, 100}},                 // cut
		{7, {4, 198, 51, 100, 1, 4, 203}}, {6, {4, 198, 51, 100, 1, 0}}, // good, then 0
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct found found = {0};

		leases_read_option158(cases[i].data, cases[i].length, 0, &found);
		cr_expect_eq(found.n, 0, "case %zu", i);
	}
}

Test(leases, addresses_that_no_server_has_are_left_out)
{
	static const uint8_t data[] = {
		12, 127, 0, 0, 1, 224, 0, 0, 1, 203, 0, 113, 1, 4, 0, 0, 0, 0};
	struct found found = {0};

	leases_read_option158(data, sizeof data, 0, &found);
	cr_assert_eq(found.n, 1);
	cr_expect_eq(found.servers[0].n_addresses, 1);
	expect_address(&found, 0, 0, 0xcb007101);
}

Test(leases, option_86_is_one_server)
{
	static const uint8_t data[32] = {
		[10] = 0xff, [11] = 0xff, 198, 51, 100, 1, 0x20, 1, 0xd, 0xb8, [31] = 1};
	struct found found = {0};

	leases_read_option86(data, 31, 0, &found);
	leases_read_option86(data, 0, 0, &found);
	cr_expect_eq(found.n, 0);
	leases_read_option86(data, sizeof data, 2, &found);
	cr_assert_eq(found.n, 1);
	cr_expect_eq(found.servers[0].n_addresses, 2);
	expect_address(&found, 0, 0, 0xc6336401);
}

Test(leases, parts_of_a_long_option_are_one)
{
	static const uint8_t octets[] = {53, 1, 5, 158, 3, 4, 198, 51, 0, 158, 2, 100, 1, 255, 158};
	struct found found = {0};

	leases_read_options4(octets, sizeof octets, 0, &found);
	cr_assert_eq(found.n, 1);
	expect_address(&found, 0, 0, 0xc6336401);
}

Test(leases, options_may_be_cut_anywhere)
{
	static const uint8_t four[] = {53, 1, 5, 158, 5, 4, 198, 51, 100, 1, 255};
	static const uint8_t six[] = {0, 1, 0, 1, 7, 0, 86, 0, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0xff, 0xff, 198, 51, 100, 1};

	for (size_t n = 0; n <= sizeof four; n++) {
		struct found found = {0};
		uint8_t *exact = malloc(n + 1);

		memcpy(exact, four, n);
		leases_read_options4(exact, n, 0, &found);
		cr_expect_eq(found.n, n >= 10, "%zu octets", n);
		free(exact);
	}
	for (size_t n = 0; n <= sizeof six; n++) {
		struct found found = {0};

		leases_read_options6(six, n, 0, &found);
		cr_expect_eq(found.n, n == sizeof six, "%zu octets", n);
	}
}

Test(leases, dhclient_writes_hexadecimal_and_the_last_lease_counts)
{
	struct found found;

	read_file("dhclient.lo.leases",
		"lease {\n  interface \"lo\";\n  option unknown-158 4:c0:0:2:1;\n"
		"  expire never;\n}\n"
		"lease {\n  interface \"lo\";\n  option unknown-158 4:c6:33:64:1;\n"
		"  expire 1 2040/01/02 03:04:05;\n}\n",
		&found);
	cr_assert_eq(found.n, 1);
	expect_address(&found, 0, 0, 0xc6336401);
	cr_expect_neq(found.servers[0].interface, 0);
}

Test(leases, an_ended_lease_teaches_nothing)
{
	static const char *const ends[] = {
		"expire 0 2001/09/09 01:46:40;", "expire epoch 999999999;", "released;"};

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		struct found found;
		char text[256];

		snprintf(text, sizeof text,
			"lease {\n interface \"lo\";\n option unknown-158 4:c6:33:64:1;\n %s\n}\n",
			ends[i]);
		read_file("x", text, &found);
		cr_expect_eq(found.n, 0, "%s", ends[i]);
	}
}

Test(leases, dhclient_quotes_what_can_be_printed)
{
	struct found found;

	read_file("x",
		"lease {\n interface \"lo\";\n option pcp-server \"\\004ABCD\";\n expire "
		"never;\n}\n",
		&found);
	expect_address(&found, 0, 0, 0x41424344);
	read_file("x", "lease {\n interface \"lo\";\n option pcp-server \"\\004ABCD;\n}\n", &found);
	cr_expect_eq(found.n, 0);
}

Test(leases, dhclient_for_ipv6_and_networkd_are_read)
{
	struct found found;

	read_file("x",
		"lease6 {\n interface \"lo\";\n ia-na 1:2:3:4 {\n  starts 1;\n }\n"
		" option dhcp6.unknown-86 0:0:0:0:0:0:0:0:0:0:ff:ff:c6:33:64:1;\n}\n",
		&found);
	expect_address(&found, 0, 0, 0xc6336401);
	read_file(
		"/run/systemd/netif/leases/7", "ADDRESS=1.2.3.4\nOPTION_158=04c6336401\n", &found);
	expect_address(&found, 0, 0, 0xc6336401);
	cr_expect_eq(found.servers[0].interface, 7);
}

Test(leases, dhcpcd_keeps_the_message)
{
	static const uint8_t options[] = {99, 130, 83, 99, 158, 5, 4, 198, 51, 100, 1, 255};
	uint8_t message[236 + sizeof options] = {2, 1, 6};
	struct found found = {0};

	memcpy(message + 236, options, sizeof options);
	leases_read("lo.lease", message, sizeof message, 0, &found);
	expect_address(&found, 0, 0, 0xc6336401);
	cr_expect_neq(found.servers[0].interface, 0);
}

Test(leases, random_octets_do_no_harm)
{
	struct rng rng;

	rng_init_u64(&rng, 7);
	for (int i = 0; i < 20000; i++) {
		static const char *const heads[] = {
			"", "lease {\n", "OPTION_158=", "lease6 {\noption "};
		const char *head = heads[rng_below(&rng, 4)];
		uint8_t octets[300];
		size_t n = strlen(head) + rng_below(&rng, 200);
		struct found found = {0};

		for (size_t j = 0; j < n; j++)
			octets[j] = (uint8_t)rng_u32(&rng);
		memcpy(octets, head, strlen(head));
		leases_read("x.lease6", octets, n, 0, &found);
		for (unsigned j = 0; j < found.n; j++)
			cr_assert_gt(found.servers[j].n_addresses, 0);
	}
}
