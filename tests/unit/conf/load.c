// SPDX-License-Identifier: Apache-2.0
// Files that are right: the samples, the defaults, what each leaf becomes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "make.h"

static struct conf *load_sample(const char *name)
{
	struct conf_complaints all = {0};
	struct conf *c = NULL;
	char path[600], line[600] = "";

	snprintf(path, sizeof path, "%s/%s", CONF_SAMPLES, name);
	int error = conf_load(path, NULL, &c, &all);
	if (all.n > 0)
		conf_complaint_format(&all, 0, line, sizeof line);
	cr_assert_eq(error, 0, "%s", line);
	cr_assert_eq(all.n, 0);
	check_conf(c);
	return c;
}

static uint32_t count_lines(const char *text)
{
	uint32_t n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

Test(conf, ten_lines_are_a_working_cgn)
{
	struct conf *c = load_sample("minimal.yaml");

	cr_assert_leq(count_lines(c->text), 10);
	cr_assert_eq(c->n_workers, 1);
	cr_assert_eq(c->lcores[0], UINT16_MAX);
	cr_assert_eq(c->idle, CONF_IDLE_POLL);
	cr_assert_not(c->require_huge_pages);
	cr_assert_str_eq(c->control_socket, "/run/postern/control.sock");
	cr_assert_eq(c->control_mode, 0660);
	cr_assert_eq(c->limits.mappings, 1000000);
	cr_assert_eq(c->limits.leases, 256000);
	cr_assert_eq(c->limits.subscribers, 64000);
	cr_assert_eq(c->limits.addresses, 64);
	cr_assert_eq(c->limits.port_set_min, 512);
	cr_assert_eq(c->max_neighbours, 64000);
	cr_assert_eq(c->icmp_error_rate, 1000);
	cr_assert_eq(c->new_subscriber_rate, 10);
	cr_assert_eq(c->new_subscriber_burst, 8 * 126 * 3 / 4);
	conf_destroy(c);
}

Test(conf, default_timers_are_those_of_the_rfcs)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);

	cr_assert_eq(c->timers.udp, 300);
	cr_assert_eq(c->timers.udp_initial, 300);
	cr_assert_eq(c->timers.udp_unanswered, 120);
	cr_assert_eq(c->timers.tcp_idle, 7440);
	cr_assert_eq(c->timers.tcp_trans_open, 240);
	cr_assert_eq(c->timers.tcp_trans_close, 240);
	cr_assert_eq(c->timers.icmp, 60);
	cr_assert_eq(c->timers.hold_down, 120);
	cr_assert_eq(c->timers.pcp_hold_down, 120);
	conf_destroy(c);
}

Test(conf, a_group_has_defaults_for_all_but_its_addresses)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);
	const struct conf_group *g = &c->groups[0];

	cr_assert(g->used);
	cr_assert_str_eq(g->name, "g");
	cr_assert_eq(c->n_groups, 1);
	cr_assert_eq(g->n_external, 8);
	cr_assert_eq(g->nat.port_set_size, 512);
	cr_assert_eq(g->nat.block_limit, 8);
	cr_assert_eq(g->nat.port_limit, 0);
	cr_assert_eq(g->nat.lease_limit, 256);
	cr_assert_not(g->nat.pairing_soft);
	cr_assert_eq(g->port_first, 1024);
	cr_assert_eq(g->port_last, 65535);
	cr_assert(g->pcp.enabled);
	cr_assert_eq(g->pcp.lifetime_min_s, 120);
	cr_assert_eq(g->pcp.lifetime_max_s, 86400);
	cr_assert_eq(g->pcp_port, 5351);
	cr_assert_eq(g->n_listen, 0);
	cr_assert(g->listen_gateway);
	conf_destroy(c);
}

Test(conf, the_full_sample_says_what_it_says)
{
	struct conf *c = load_sample("postern.yaml");
	const struct conf_group *g = &c->groups[0];

	cr_assert_eq(c->n_workers, 2);
	cr_assert_eq(c->idle, CONF_IDLE_SLEEP);
	cr_assert_eq(c->n_ports, 2);
	cr_assert_eq(c->n_interfaces, 3);
	cr_assert_eq(c->n_realms, 3);
	cr_assert_str_eq(c->ports[0].device, "net_tap0,iface=pn-in");
	cr_assert_eq(c->ports[0].mtu, 1500);
	cr_assert_eq(c->ports[1].mtu, 0);
	cr_assert_not(c->ports[0].pci);
	cr_assert_eq(c->interfaces[2].vlan, 20);
	cr_assert_eq(c->interfaces[2].port, 0);
	cr_assert_eq(c->interfaces[2].realm, 2);
	cr_assert_eq(g->n_external, 64 + 1 + 11);
	cr_assert_eq(c->n_external, g->n_external + 16);
	cr_assert_eq(g->n_pass, 2);
	cr_assert_eq(g->nat.explicit_last, 8191);
	cr_assert_null(g->nat.plan);
	cr_assert_str_eq(c->groups[1].name, "business");
	cr_assert_eq(c->groups[1].nat.plan->ports_per_host, 896);
	cr_assert_eq(c->groups[1].nat.plan->hosts_per_address, 64);
	cr_assert_eq(c->n_logs, 3);
	cr_assert_eq(c->log_interim_s, 3600);
	cr_assert_eq(c->timers.n_ports, 2);
	cr_assert(c->ip6);
	cr_assert_eq(c->n_routes6, 4);
	cr_assert_eq(c->interfaces[0].n_neighbours, 2);
	cr_assert_eq(g->n_listen, 1);
	cr_assert_eq(g->listen[0], make_ip("192.0.2.1"));
	cr_assert(g->listen_gateway && g->listen_anycast);
	cr_assert_eq(g->pcp.third_party.sources.n, 2);
	cr_assert_eq(g->pcp.third_party.n_ids, 2);
	cr_assert_eq(g->pcp.third_party.ids[1].realm, 2);
	cr_assert_eq(g->pcp.nonce_readers.n, 1);
	cr_assert_eq(g->pcp.n_prefix64, 2);
	cr_assert_eq(c->n_statics, 2);
	cr_assert_eq(c->statics[0].key.realm, 1);
	cr_assert_eq(c->statics[0].external.port, 22);
	conf_destroy(c);
}

Test(conf, the_demo_loads)
{
	conf_destroy(load_sample("demo.yaml"));
}

// A packet generator answers no ARP.
Test(conf, the_samples_for_pktgen_ask_for_nobody)
{
	static const char *const names[] = {"pktgen.yaml", "pktgen-nic.yaml"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct conf *c = load_sample(names[i]);

		for (uint32_t k = c->n_interfaces; k < c->n_next_hops; k++) {
			const struct conf_next_hop *hop = &c->next_hops[k];
			cr_assert(conf_find_neighbour(
				&c->interfaces[hop->iface], ip6_mapped(hop->gateway)));
		}
		cr_assert_eq(c->n_next_hops, 4);
		conf_destroy(c);
	}
}

Test(conf, counts_and_times_have_suffixes)
{
	struct conf *c = make_conf(PORTS GROUP
		"limits: {mappings: 2M, leases: 20k, neighbours: 17, icmp-error-rate: 0}\n"
		"timers: {udp-timeout: 5m, tcp-idle-timeout: 3h, icmp-timeout: 61s, pcp-hold-down: "
		"0}\n",
		NULL);

	cr_assert_eq(c->limits.mappings, 2000000);
	cr_assert_eq(c->limits.leases, 20000);
	cr_assert_eq(c->max_neighbours, 17);
	cr_assert_eq(c->icmp_error_rate, 0);
	cr_assert_eq(c->timers.udp, 300);
	cr_assert_eq(c->timers.tcp_idle, 10800);
	cr_assert_eq(c->timers.icmp, 61);
	cr_assert_eq(c->timers.pcp_hold_down, 0);
	conf_destroy(c);
}

// A group with this pool and this after it; lines for the table below.
#define POOLED(pool, rest)                                                                         \
	PORTS "nat-groups:\n"                                                                      \
	      "  g:\n"                                                                             \
	      "    subscribers: [100.64.0.0/10]\n"                                                 \
	      "    external-address-pool: [" pool "]\n" rest

Test(conf, rates_of_new_subscribers_follow_what_they_could_use_up)
{
	static const struct {
		const char *text;
		uint32_t rate, burst;
	} cases[] = {
		// 8 addresses of 126 blocks.
		{PORTS GROUP, 10, 8 * 126 * 3 / 4},
		{PORTS GROUP "limits: {subscribers: 1M}\n", 10, 8 * 126 * 3 / 4},
		{PORTS GROUP "limits: {subscribers: 600}\n", 10, 450},
		// 1024 addresses of 1008 blocks.
		{POOLED("203.0.0.0/22", "    port-set-size: 64\n"), 1000, 48000},
		{POOLED("203.0.0.0/22", "    port-set-size: 64\n") "limits: {subscribers: 4M}\n",
			1024 * 1008 / 480, 1024 * 1008 / 4 * 3},
		// Blocks of 64 from 1088 to 1151 alone: the ports beside them are no whole one.
		{POOLED("203.0.113.0/29", "    port-set-size: 64\n    port-range: [1025, 1200]\n"),
			10, 16},
		{POOLED("203.0.113.0-203.0.113.99",
			 "    port-set-size: 64\n    port-range: [1025, 1200]\n"),
			10, 75},
		// Of all groups.
		{PORTS GROUP "  h: {subscribers: [10.0.0.0/8], external-address-pool: "
			     "[203.0.113.8/29], port-set-size: 1024}\n",
			10, (8 * 126 + 8 * 63) * 3 / 4},
		// What is said is said.
		{PORTS GROUP "limits: {new-subscriber-rate: 5k}\n", 5000, 8 * 126 * 3 / 4},
		{PORTS GROUP "limits: {new-subscriber-burst: 1}\n", 10, 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = make_conf(cases[i].text, NULL);

		cr_assert_eq(c->new_subscriber_rate, cases[i].rate, "%zu: %u", i,
			c->new_subscriber_rate);
		cr_assert_eq(c->new_subscriber_burst, cases[i].burst, "%zu: %u", i,
			c->new_subscriber_burst);
		conf_destroy(c);
	}
}

Test(conf, lcores_name_the_workers_cpus)
{
	struct conf *c = make_conf(PORTS GROUP "lcores: [2-4, 9]\n", NULL);
	const uint16_t wanted[] = {2, 3, 4, 9, UINT16_MAX};

	cr_assert_eq(c->n_workers, 4);
	cr_assert_arr_eq(c->lcores, wanted, sizeof wanted);
	conf_destroy(c);
}

Test(conf, a_pci_address_is_told_from_a_virtual_device)
{
	struct conf *c =
		make_conf("ports:\n"
			  "  inside: {device: '0000:3b:00.1', addresses: [100.64.0.1/10]}\n"
			  "  inside2: {device: '3b:00.0,x=y', addresses: [100.64.0.1/10]}\n"
			  "  outside: {device: net_null0, addresses: [198.51.100.2/24]}\n" GROUP,
			NULL);

	cr_assert(c->ports[0].pci);
	cr_assert(c->ports[1].pci);
	cr_assert_not(c->ports[2].pci);
	conf_destroy(c);
}

Test(conf, pcp_can_be_switched_off)
{
	struct conf *c = make_conf(PORTS GROUP "    pcp: false\n", NULL);

	cr_assert_not(c->groups[0].pcp.enabled);
	conf_destroy(c);
	c = make_conf(PORTS GROUP
		"    pcp: {options: [], early-delete: false, listen: [192.0.2.9],\n"
		"          port: 5399, mappings-per-subscriber: 8k,\n"
		"          lifetime: {min: 10, max: 20m}}\n"
		"    address-pooling: soft\n",
		NULL);
	cr_assert_eq(c->groups[0].pcp.options, 0);
	cr_assert_not(c->groups[0].pcp.early_delete);
	cr_assert_not(c->groups[0].listen_gateway);
	cr_assert_eq(c->groups[0].n_listen, 1);
	cr_assert_eq(c->groups[0].pcp_port, 5399);
	cr_assert_eq(c->groups[0].nat.lease_limit, 8000);
	cr_assert_eq(c->groups[0].nat.block_limit, 8000 / 512 + 2);
	cr_assert_eq(c->groups[0].pcp.lifetime_min_s, 10);
	cr_assert_eq(c->groups[0].pcp.lifetime_max_s, 1200);
	cr_assert(c->groups[0].nat.pairing_soft);
	conf_destroy(c);
}

Test(conf, a_vlan_takes_its_mtu_from_a_smaller_port)
{
	struct conf *c =
		make_conf("ports:\n"
			  "  trunk: {device: a, side: inside, mtu: 1400}\n"
			  "  v7: {parent: trunk, vlan: 7, side: inside, addresses: [10.0.0.1/24]}\n"
			  "  v8: {parent: trunk, vlan: 8, side: outside, addresses: "
			  "[198.51.100.2/24]}\n" GROUP,
			NULL);

	cr_assert_eq(c->n_ports, 1);
	cr_assert_eq(c->interfaces[1].mtu, 1400);
	cr_assert_eq(conf_find_interface(c, 0, 0), 0);
	cr_assert_eq(conf_find_interface(c, 0, 7), 1);
	cr_assert_eq(conf_find_interface(c, 0, 8), 2);
	cr_assert_eq(conf_find_interface(c, 0, 9), -1);
	cr_assert_eq(conf_find_interface(c, 1, 7), -1);
	conf_destroy(c);
}

Test(conf, a_reload_does_not_shrink_what_was_set_aside_at_start)
{
	struct conf *first =
		make_conf(PORTS "nat-groups: {g: {subscribers: [100.64.0.0/10], port-set-size: 64, "
				"external-address-pool: [203.0.112.0/25]}}\n",
			NULL);
	struct conf *second = make_conf(PORTS GROUP, first);

	cr_assert_eq(first->limits.addresses, 128 + 32);
	cr_assert_eq(second->limits.addresses, 128 + 32);
	cr_assert_eq(second->limits.port_set_min, 64);
	conf_destroy(first);
	conf_destroy(second);
}

static int load_file(const char *name, struct conf_complaints *all)
{
	struct conf *c = NULL;
	int error = conf_load(name, NULL, &c, all);

	cr_assert_null(c);
	return error;
}

Test(conf, a_file_that_cannot_be_read_is_a_complaint_too)
{
	struct conf_complaints all = {0};
	char line[300];

	cr_assert_eq(load_file("/nonexistent/x.yaml", &all), -ENOENT);
	cr_assert_eq(load_file("/", &all), -EISDIR);
	cr_assert_eq(all.n, 2);
	conf_complaint_format(&all, 0, line, sizeof line);
	cr_assert_str_eq(
		line, "/: found No such file or directory, expected a file that can be read");
	conf_complaints_destroy(&all);
	conf_complaints_destroy(&all);
}

Test(conf, a_file_of_more_than_a_mebibyte_is_refused)
{
	char name[] = "/tmp/postern-conf-XXXXXX";
	struct conf_complaints all = {0};
	struct conf *c;
	size_t head = strlen(PORTS GROUP "#");
	char *text = malloc(CONF_MAX_TEXT + 1);

	memset(text, 'x', CONF_MAX_TEXT + 1);
	memcpy(text, PORTS GROUP "#", head);
	cr_assert_eq(conf_load_text("t", text, CONF_MAX_TEXT, NULL, &c, &all), 0);
	conf_destroy(c);
	cr_assert_eq(conf_load_text("t", text, CONF_MAX_TEXT + 1, NULL, &c, &all), -EFBIG);
	int fd = mkstemp(name);
	cr_assert_eq(write(fd, text, CONF_MAX_TEXT + 1), CONF_MAX_TEXT + 1);
	close(fd);
	cr_assert_eq(load_file(name, &all), -EFBIG);
	cr_assert_eq(all.n, 2);
	unlink(name);
	free(text);
	conf_complaints_destroy(&all);
}
