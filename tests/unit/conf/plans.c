// SPDX-License-Identifier: Apache-2.0
// Deterministic groups (RFC 7422): the numbers that follow from a file, and who owns which port.
// That they fit together in every snapshot, make_conf() checks.
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

static struct conf *make_plan(
	uint32_t workers, const char *inside, const char *pool, const char *rest)
{
	return make_conf_format(NULL,
		"workers: %u\n" PORTS
		"nat-groups: {g: {subscribers: [%s], external-address-pool: [%s],\n"
		"  port-allocation-type: deterministic, %s}}\n",
		workers, inside, pool, rest);
}

Test(conf, t_7422_numbers_follow_from_hosts_addresses_and_ports)
{
	static const struct {
		const char *inside, *pool, *rest;
		uint32_t n_hosts, per_address, ports, first, overflow;
	} cases[] = {
		// 64512 ports, 126 whole blocks of 512.
		{"100.64.0.0/24", "203.0.113.0/29", "port-set-size: 512", 256, 32, 1536, 1024,
			64512 - 32 * 1536},
		{"100.64.0.0/24", "203.0.113.0/29", "port-set-size: 8", 256, 32, 2016, 1024, 0},
		{"100.64.0.0/24", "203.0.113.0/29",
			"port-set-size: 64, deterministic: {overflow: 4k}", 256, 32, 1856, 1024,
			64512 - 32 * 1856},
		{"100.64.0.0/24", "203.0.113.0/29",
			"port-set-size: 64, deterministic: {ports-per-subscriber: 1024}", 256, 32,
			1024, 1024, 64512 - 32 * 1024},
		// The pool has a range of its own, and three prefixes make the hosts.
		{"100.64.0.0/25, 10.0.0.0/30, 10.0.0.9", "203.0.113.1-203.0.113.4",
			"port-set-size: 256, port-range: [2000, 33000]", 133, 34, 768, 2048,
			33001 - 2048 - 34 * 768},
		{"100.64.0.1", "203.0.113.1", "port-set-size: 4, port-range: [1, 65535]", 1, 1,
			65532, 4, 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = make_plan(1, cases[i].inside, cases[i].pool, cases[i].rest);
		const struct nat_plan *p = c->groups[0].nat.plan;
		cr_assert_eq(p->n_hosts, cases[i].n_hosts, "%u: %u", i, p->n_hosts);
		cr_assert_eq(p->hosts_per_address, cases[i].per_address, "%u", i);
		cr_assert_eq(p->ports_per_host, cases[i].ports, "%u: %u", i, p->ports_per_host);
		cr_assert_eq(p->port_first, cases[i].first, "%u", i);
		cr_assert_eq(p->port_last + 1u - p->port_first -
				     p->hosts_per_address * p->ports_per_host,
			cases[i].overflow, "%u", i);
		conf_destroy(c);
	}
}

Test(conf, hosts_keep_the_order_of_the_file_and_addresses_are_sorted)
{
	struct conf *c = make_plan(
		1, "100.64.0.0/30, 10.0.0.0/30", "203.0.113.9, 203.0.113.4", "port-set-size: 4096");
	const struct nat_plan *p = c->groups[0].nat.plan;
	struct nat_share share;

	cr_assert_eq(p->inside[0].base, make_ip("100.64.0.0"));
	cr_assert_eq(p->inside[1].base, make_ip("10.0.0.0"));
	cr_assert_eq(p->external[0], make_ip("203.0.113.4"));
	cr_assert_eq(p->external[1], make_ip("203.0.113.9"));
	cr_assert(nat_plan_forward(p, make_ip("100.64.0.3"), &share));
	cr_assert_eq(share.address, make_ip("203.0.113.4"));
	cr_assert(nat_plan_forward(p, make_ip("10.0.0.0"), &share));
	cr_assert_eq(share.address, make_ip("203.0.113.9"));
	conf_destroy(c);
}

// ---- owners ----------------------------------------------------------------------------------

// Every port of every address: the host's worker, else the one that the deal gave the piece to.
static void check_owners(const struct conf *c)
{
	const struct nat_plan *p = c->groups[0].nat.plan;

	for (uint32_t i = 0; i < c->n_external; i++) {
		const struct conf_external *e = &c->external[i];
		for (uint32_t port = 0; port < 65536; port++) {
			uint16_t wanted = piece_owner(c, e, port);
			ip4 host;
			if (nat_plan_reverse(p, e->ip, (uint16_t)port, &host) == NAT_PLAN_HOST)
				wanted = conf_inside_owner(c, host);
			cr_assert_eq(conf_outside_owner(c, e, NAT_TCP, (uint16_t)port), wanted,
				"address %u, port %u", i, port);
		}
	}
}

// A host's packets from both sides come to one worker.
static void check_hosts(const struct conf *c)
{
	const struct nat_plan *p = c->groups[0].nat.plan;

	for (uint32_t k = 0; k < p->n_hosts; k++) {
		ip4 host = p->inside[0].base + k;
		struct nat_share share;
		cr_assert(nat_plan_forward(p, host, &share));
		const struct conf_external *e = find_external(c, share.address);
		cr_assert_eq(
			conf_outside_owner(c, e, NAT_UDP, share.first), conf_inside_owner(c, host));
		cr_assert_eq(
			conf_outside_owner(c, e, NAT_UDP, share.last), conf_inside_owner(c, host));
	}
}

Test(conf, t_7422_a_ports_of_a_host_belong_to_his_worker)
{
	static const char *const rests[] = {"port-set-size: 64", "port-set-size: 8",
		"port-set-size: 64, deterministic: {overflow: 20k}",
		"port-set-size: 2048, deterministic: {overflow: 4096}"};
	static const char *const pools[] = {
		"203.0.113.1", "203.0.113.1-203.0.113.3", "203.0.113.0/29"};

	for (unsigned i = 0; i < ARRAY_SIZE(rests); i++) {
		for (unsigned k = 0; k < ARRAY_SIZE(pools); k++) {
			for (uint32_t workers = 1; workers <= 5; workers += 2) {
				struct conf *c =
					make_plan(workers, "100.64.3.0/28", pools[k], rests[i]);
				check_owners(c);
				check_hosts(c);
				conf_destroy(c);
			}
		}
	}
}

static uint32_t count_blocks(const struct conf *c, uint32_t i, uint16_t w)
{
	struct nat_address share;

	cr_assert(conf_external_share(c, i, w, &share) && share.planned);
	if (share.port_first > share.port_last)
		return 0;
	cr_assert_eq(share.port_first % share.port_set_size, 0);
	return (share.port_last + 1u - share.port_first) / share.port_set_size;
}

// A pool of four; the overflow part of each has so many blocks.
static void check_overflow(
	const char *inside, const char *rest, uint32_t workers, uint32_t n_blocks)
{
	struct conf *c = make_plan(workers, inside, "203.0.113.0/30", rest);
	uint32_t all[CONF_MAX_WORKERS] = {0}, pieces = min_u32(n_blocks, CONF_CUT);
	uint32_t longest = (n_blocks + CONF_CUT - 1) / CONF_CUT, most = 0, least = UINT32_MAX;

	for (uint32_t i = 0; i < c->n_external; i++) {
		uint32_t sum = 0;
		cr_assert_eq(c->external[i].whole, CONF_CUT_ADDRESS, "hosts are elsewhere");
		for (uint16_t w = 0; w < workers; w++) {
			uint32_t n = count_blocks(c, i, w);
			cr_assert(n > 0 || pieces < workers, "%s: worker %u has none", rest, w);
			all[w] += n;
			sum += n;
		}
		cr_assert_eq(sum, n_blocks, "%s: %u blocks", rest, sum);
	}
	for (uint16_t w = 0; w < workers; w++) {
		most = max_u32(most, all[w]);
		least = min_u32(least, all[w]);
	}
	// One piece of rounding, and one that the last piece may be shorter, of each address.
	cr_assert_leq(most - least, 2 * longest * c->n_external, "%s, %u workers", rest, workers);
	conf_destroy(c);
}

Test(conf, t_7422_every_worker_has_overflow_of_every_address)
{
	static const struct {
		const char *inside, *rest;
		uint32_t n_blocks;
	} cases[] = {
		{"100.64.0.0/24", "port-set-size: 64, deterministic: {ports-per-subscriber: 512}",
			496},
		{"100.64.0.0/24", "port-set-size: 64", 48},
		{"100.64.0.0/24", "port-set-size: 4, deterministic: {ports-per-subscriber: 4}",
			16064},
		{"100.64.0.0/24", "port-set-size: 512", 62},
		{"100.64.0.0/28", "port-set-size: 2048, deterministic: {overflow: 20480}", 11},
		// Less than a block for each; and none.
		{"100.64.0.0/24", "port-set-size: 64, port-range: [1024, 5247]", 2},
		{"100.64.0.0/24", "port-set-size: 16", 0},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		for (uint32_t workers = 2; workers <= 9; workers++)
			check_overflow(cases[i].inside, cases[i].rest, workers, cases[i].n_blocks);
	}
}

Test(conf, the_overflow_of_an_address_is_cut_in_two_for_two_workers)
{
	struct conf *c = make_plan(2, "100.64.0.0/24", "203.0.113.0/31", "port-set-size: 64");
	uint32_t begins[2] = {0, 0};

	// 128 hosts with 448 ports each; 112 blocks remain, and the one who begins has the first.
	for (uint32_t i = 0; i < 2; i++) {
		for (uint16_t w = 0; w < 2; w++) {
			struct nat_address share;
			cr_assert(conf_external_share(c, i, w, &share));
			bool first = share.port_first == 58368;
			cr_assert_eq(share.port_first, first ? 58368 : 61952);
			cr_assert_eq(share.port_last, first ? 61951 : 65535);
			begins[w] += first;
		}
	}
	cr_assert(begins[0] == 1 && begins[1] == 1);
	conf_destroy(c);
}

Test(conf, one_worker_owns_all_of_a_planned_address)
{
	struct conf *c = make_plan(1, "100.64.0.0/24", "203.0.113.0/30", "port-set-size: 64");

	cr_assert_eq(c->external[0].whole, 0);
	cr_assert_eq(conf_fragment_owner(c, &c->external[0], 1, 2), 0);
	conf_destroy(c);
}

Test(conf, a_reload_leaves_the_overflow_where_it_was)
{
	static const char text[] =
		"workers: 4\n" PORTS
		"nat-groups: {g: {subscribers: [100.64.0.0/24], external-address-pool: "
		"[203.0.113.0/29],\n  port-allocation-type: deterministic, port-set-size: 64, "
		"deterministic: {overflow: 10k}, port-limit: %u}}\n";
	struct conf *a = make_conf_format(NULL, text, 0), *b = make_conf_format(a, text, 77);
	struct conf_complaints all = {0};

	cr_assert_eq(conf_restart_leaves(a, b, &all), 0);
	cr_assert_eq(memcmp(a->external, b->external, a->n_external * sizeof *a->external), 0);
	cr_assert_neq(a->groups[0].nat.plan, b->groups[0].nat.plan);
	cr_assert_neq(a->groups[0].nat.plan->inside, b->groups[0].nat.plan->inside);
	conf_destroy(a);
	check_owners(b); // nothing of the older snapshot is in it
	conf_destroy(b);
}

Test(conf, a_static_mapping_in_a_plan_is_on_its_hosts_own_ports_or_nobodys)
{
	struct conf *c = make_plan(5, "100.64.0.0/24", "203.0.113.0/30",
		"port-set-size: 64, deterministic: {overflow: 4096}, static-mappings: [\n"
		"{protocol: tcp, internal: '100.64.0.65:80', external: '203.0.113.1:80'},\n"
		"{protocol: tcp, internal: '100.64.0.65:81', external: '203.0.113.1:1984'},\n"
		"{protocol: tcp, internal: '100.64.0.65:82', external: '203.0.113.2:65000'}]");

	cr_assert_eq(c->n_statics, 3);
	for (uint32_t i = 0; i < 3; i++)
		cr_assert_eq(c->statics[i].owner, conf_inside_owner(c, make_ip("100.64.0.65")));
	cr_assert_eq(c->statics[1].addressee, c->statics[1].owner);
	conf_destroy(c);
}

// ---- fragments -------------------------------------------------------------------------------

// All of one datagram meet at one worker, and datagrams are spread over all.
Test(conf, t_4787_14_fragments_of_a_cut_address_are_spread_by_datagram)
{
	struct conf *c =
		make_conf("workers: 3\n" PORTS "nat-groups: {g: {subscribers: [100.64.0.0/10], "
			  "external-address-pool: [203.0.113.9]}}\n",
			NULL);
	uint32_t ids[3] = {0}, hosts[3] = {0};

	for (uint32_t i = 0; i < 30000; i++) {
		ids[conf_fragment_owner(c, &c->external[0], 0x08080808, (uint16_t)i)]++;
		hosts[conf_fragment_owner(c, &c->external[0], 0x08080808 + i, 7)]++;
	}
	for (unsigned w = 0; w < 3; w++)
		cr_assert(ids[w] > 9000 && hosts[w] > 9000, "%u, %u", ids[w], hosts[w]);
	conf_destroy(c);
}

Test(conf, fragments_of_a_whole_address_go_to_its_owner)
{
	struct conf *c = make_conf("workers: 3\n" PORTS GROUP, NULL);

	for (uint32_t i = 0; i < c->n_external; i++)
		cr_assert_eq(conf_fragment_owner(c, &c->external[i], 0x08080808 + i, (uint16_t)i),
			c->external[i].whole);
	conf_destroy(c);
}
