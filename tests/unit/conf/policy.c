// SPDX-License-Identifier: Apache-2.0
// What the leaves of limits, timers, groups and the log become, and what stands there when they are
// left out. Whatever every snapshot must be, make_conf() checks.
#include "make.h"

Test(conf, defaults_are_those_rfc_6888_asks_for)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);
	const struct conf_group *g = &c->groups[0];

	cr_assert_eq(c->limits.sessions, c->limits.mappings);
	cr_assert_eq(c->limits.mappings_reserved, 0);
	cr_assert_eq(c->limits.resting, 0);
	cr_assert_eq(c->fragments, 1024);
	cr_assert_eq(c->fragments_per_source, 64);
	cr_assert_eq(c->syns, 0);
	for (unsigned i = 0; i < NAT_PROTOCOLS; i++)
		cr_assert_eq(g->nat.filtering[i], NAT_EIF); // REQ-7
	cr_assert_eq(g->nat.session_limit, 16000);          // REQ-5
	cr_assert_eq(g->nat.mapping_rate, 0);
	cr_assert(g->nat.tcp_reopen);
	cr_assert_not(g->nat.rst_in_fin || g->nat.inbound_refresh || g->nat.parity);
	cr_assert_not(g->nat.compact || g->nat.log_mappings || g->nat.log_sessions);
	cr_assert_eq(g->nat.explicit_first, 0);
	cr_assert_eq(g->nat.block_timeout, 0);
	cr_assert_eq(g->nat.pairing_retention, 0);
	cr_assert_eq(g->nat.user_high, 0);
	cr_assert_null(g->nat.plan);
	cr_assert_eq(g->fragments, CONF_FRAGMENTS_OUT_OF_ORDER);
	cr_assert_not(g->tcp_unsolicited_icmp);
	cr_assert_eq(g->mss_clamp, 0);
	cr_assert_eq(g->n_pass, 0);
	cr_assert_eq(g->pool_high, 0);
	cr_assert_eq(g->notify_interval_s, 20);
	cr_assert(c->interfaces[0].icmp_errors && c->interfaces[1].icmp_errors);
	cr_assert_eq(c->n_logs, 0);
	cr_assert_eq(c->log_wait_ms, 300);
	cr_assert_not(c->log_fail_closed || c->log_interim_s || c->log_history[0]);
	conf_destroy(c);
}

Test(conf, default_session_timers_are_those_of_the_rfcs)
{
	struct conf *c = make_conf(PORTS GROUP, NULL);

	cr_assert_eq(c->timers.tcp_rst, 240);
	cr_assert_eq(c->in_syn_timeout_s, 6);
	cr_assert_eq(c->fragment_timeout_s, 2);
	cr_assert_eq(c->timers.n_ports, 0);
	conf_destroy(c);
}

Test(conf, limits_of_sessions_fragments_and_reserves_are_read)
{
	struct conf *c = make_conf(PORTS GROUP
		"limits: {mappings: 200k, mappings-reserved: 10%, sessions: 3M, hold-down-max: "
		"7k,\n"
		"  fragments-limit: 0, fragments-per-source: 5, max-stored-syn: 99}\n",
		NULL);

	cr_assert_eq(c->limits.mappings_reserved, 20000);
	cr_assert_eq(c->limits.sessions, 3000000);
	cr_assert_eq(c->limits.resting, 7000);
	cr_assert_eq(c->fragments, 0);
	cr_assert_eq(c->fragments_per_source, 5);
	cr_assert_eq(c->syns, 99);
	conf_destroy(c);
	c = make_conf(PORTS GROUP "limits: {mappings-reserved: 5k}\n", NULL);
	cr_assert_eq(c->limits.mappings_reserved, 5000);
	conf_destroy(c);
}

Test(conf, a_shard_has_its_part_of_sessions_and_of_what_rests)
{
	struct conf *c = make_conf("workers: 4\n" PORTS GROUP
				   "limits: {mappings: 1M, mappings-reserved: 50%, sessions: 2M, "
				   "hold-down-max: 32k}\n",
		NULL);
	struct nat_limits l = conf_shard_limits(c);

	cr_assert_eq(l.sessions, 562500);
	cr_assert_eq(l.mappings_reserved, 140625);
	cr_assert_eq(l.resting, 9000);
	conf_destroy(c);
	c = make_conf("workers: 4\n" PORTS GROUP, NULL);
	cr_assert_eq(conf_shard_limits(c).resting, 0, "what follows from the mappings stays so");
	conf_destroy(c);
}

// RFC 4787 REQ-5a.
Test(conf, t_4787_5a_timers_of_ports_are_sorted)
{
	struct conf *c =
		make_conf(PORTS GROUP "timers:\n"
				      "  per-port-timeout: {123: 10s, 1: 1m, 53: 15, 1023: 3}\n"
				      "  tcp-rst-timeout: 5m\n"
				      "  tcp-in-syn-timeout: 7\n"
				      "  fragment-min-timeout: 15\n",
			NULL);
	static const struct nat_port_timer wanted[] = {{1, 60}, {53, 15}, {123, 10}, {1023, 3}};

	cr_assert_eq(c->timers.n_ports, ARRAY_SIZE(wanted));
	for (unsigned i = 0; i < ARRAY_SIZE(wanted); i++) {
		cr_assert_eq(c->timers.ports[i].port, wanted[i].port);
		cr_assert_eq(c->timers.ports[i].seconds, wanted[i].seconds);
	}
	cr_assert_eq(c->timers.tcp_rst, 300);
	cr_assert_eq(c->in_syn_timeout_s, 7);
	cr_assert_eq(c->fragment_timeout_s, 15);
	conf_destroy(c);
}

// RFC 7857 s.2.1, RFC 5382 REQ-5: less than the floors only by explicit choice.
Test(conf, t_7857_2_1_short_timers_are_the_operators_choice)
{
	struct conf *c = make_conf(PORTS GROUP
		"timers: {tcp-trans-open-timeout: 10, tcp-trans-close-timeout: 11, "
		"tcp-rst-timeout: 12,\n"
		"  tcp-idle-timeout: 2h, udp-initial-timeout: 15, udp-unanswered-timeout: 60,\n"
		"  allow-short-timers: true}\n",
		NULL);

	cr_assert_eq(c->timers.tcp_trans_open, 10);
	cr_assert_eq(c->timers.tcp_trans_close, 11);
	cr_assert_eq(c->timers.tcp_rst, 12);
	cr_assert_eq(c->timers.tcp_idle, 7200);
	cr_assert_eq(c->timers.udp_initial, 15);
	cr_assert_eq(c->timers.udp_unanswered, 60);
	conf_destroy(c);
}

// ---- groups ----------------------------------------------------------------------------------

Test(conf, t_4787_8_filtering_is_one_word_or_one_for_each_protocol)
{
	static const struct {
		const char *leaf;
		uint8_t udp, tcp, icmp;
	} cases[] = {{"eif", NAT_EIF, NAT_EIF, NAT_EIF}, {"adf", NAT_ADF, NAT_ADF, NAT_ADF},
		{"apdf", NAT_APDF, NAT_APDF, NAT_APDF}, {"edf", NAT_APDF, NAT_APDF, NAT_APDF},
		{"{tcp: adf}", NAT_EIF, NAT_ADF, NAT_EIF},
		{"{udp: edf, tcp: eif, icmp: adf}", NAT_APDF, NAT_EIF, NAT_ADF}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = make_conf_format(
			NULL, PORTS GROUP "    filtering-type: %s\n", cases[i].leaf);
		const uint8_t *filtering = c->groups[0].nat.filtering;
		cr_assert_eq(filtering[NAT_UDP - 1], cases[i].udp, "%s", cases[i].leaf);
		cr_assert_eq(filtering[NAT_TCP - 1], cases[i].tcp, "%s", cases[i].leaf);
		cr_assert_eq(filtering[NAT_ICMP - 1], cases[i].icmp, "%s", cases[i].leaf);
		conf_destroy(c);
	}
}

Test(conf, every_leaf_of_a_group_arrives_where_it_belongs)
{
	struct conf *c = make_conf(PORTS GROUP "    mapping-type: eim\n"
					       "    address-allocation-type: paired\n"
					       "    port-allocation-type: port-range-allocation\n"
					       "    port-limit: 1k\n"
					       "    port-range: [10000, 65535]\n"
					       "    port-forwarding-range: [1, 9999]\n"
					       "    port-set-timeout: 90\n"
					       "    block-compact: true\n"
					       "    port-parity-preservation: true\n"
					       "    address-pairing-retention: 24h\n"
					       "    inbound-refresh: true\n"
					       "    session-limit: 0\n"
					       "    mapping-rate: {rate: 100, burst: 700}\n"
					       "    notify-user-high: 80\n"
					       "    notify-pool-usage: {low-threshold: 60, "
					       "high-threshold: 95, notify-interval: 1h}\n"
					       "    tcp-reopen: false\n"
					       "    handle-rst-in-fin: true\n"
					       "    tcp-unsolicited: icmp\n"
					       "    tcp-mss-clamp: 1452\n"
					       "    fragment-behavior: in-order\n"
					       "    log: sessions\n"
					       "limits: {max-stored-syn: 1k}\n",
		NULL);
	const struct conf_group *g = &c->groups[0];

	cr_assert(g->nat.explicit_first == 1 && g->nat.explicit_last == 9999);
	cr_assert_eq(g->nat.block_timeout, 90);
	cr_assert(g->nat.compact && g->nat.parity && g->nat.inbound_refresh && g->nat.rst_in_fin);
	cr_assert_not(g->nat.tcp_reopen);
	cr_assert_eq(g->nat.pairing_retention, 86400);
	cr_assert_eq(g->nat.session_limit, 0);
	cr_assert(g->nat.mapping_rate == 100 && g->nat.mapping_burst == 700);
	cr_assert_eq(g->nat.user_high, 80);
	cr_assert(g->pool_low == 60 && g->pool_high == 95 && g->notify_interval_s == 3600);
	cr_assert(g->tcp_unsolicited_icmp);
	cr_assert_eq(g->mss_clamp, 1452);
	cr_assert_eq(g->fragments, CONF_FRAGMENTS_IN_ORDER);
	cr_assert(!g->nat.log_mappings && g->nat.log_sessions);
	conf_destroy(c);
}

Test(conf, a_mapping_rate_without_a_burst_saves_one_second)
{
	struct conf *c = make_conf(PORTS GROUP "    mapping-rate: {rate: 50}\n"
					       "    fragment-behavior: drop-all\n"
					       "    log: mappings\n",
		NULL);
	const struct conf_group *g = &c->groups[0];

	cr_assert(g->nat.mapping_rate == 50 && g->nat.mapping_burst == 50);
	cr_assert_eq(g->fragments, CONF_FRAGMENTS_DROP_ALL);
	cr_assert(g->nat.log_mappings && !g->nat.log_sessions);
	conf_destroy(c);
}

Test(conf, own_icmp_errors_are_switched_by_port)
{
	struct conf *c = make_conf("ports:\n"
				   "  inside: {device: a, addresses: [100.64.0.1/10], icmp-errors: "
				   "false}\n"
				   "  outside: {device: b, addresses: [198.51.100.2/24]}\n" GROUP,
		NULL);

	cr_assert_not(c->interfaces[0].icmp_errors);
	cr_assert(c->interfaces[1].icmp_errors);
	conf_destroy(c);
}

// ---- pass-through ----------------------------------------------------------------------------

Test(conf, t_6888_6_destinations_pass_by_prefix_protocol_and_port)
{
	struct conf *c =
		make_conf(PORTS GROUP "    nat-pass-through:\n"
				      "    - {prefix: 198.18.0.0/15}\n"
				      "    - {prefix: 192.0.2.53, protocol: udp, ports: 53}\n"
				      "    - {prefix: 192.0.2.60/31, ports: 5060-5061}\n"
				      "    - {prefix: 192.0.2.70, protocol: icmp}\n"
				      "    - {prefix: 192.0.2.80, protocol: 47}\n",
			NULL);
	enum {
		ICMP = 1,
		TCP = 6,
		UDP = 17
	};
	static const struct {
		const char *remote;
		uint8_t protocol;
		uint16_t port;
		bool passes;
	} cases[] = {
		{"198.18.0.0", TCP, 80, true},
		{"198.19.255.255", 47, 0, true},
		{"198.20.0.0", TCP, 80, false},
		{"192.0.2.53", UDP, 53, true},
		{"192.0.2.53", UDP, 54, false},
		{"192.0.2.53", UDP, 0, false}, // a fragment: its ports are not known
		{"192.0.2.53", TCP, 53, false},
		{"192.0.2.54", UDP, 53, false},
		{"192.0.2.60", UDP, 5060, true},
		{"192.0.2.61", TCP, 5061, true},
		{"192.0.2.61", TCP, 5062, false},
		{"192.0.2.61", ICMP, 5061, false}, // that is no port
		{"192.0.2.70", ICMP, 7, true},
		{"192.0.2.70", UDP, 7, false},
		{"192.0.2.80", 47, 0, true},
		{"192.0.2.80", 50, 0, false},
	};

	cr_assert_eq(c->groups[0].n_pass, 5);
	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_eq(conf_passes(&c->groups[0], make_ip(cases[i].remote), cases[i].protocol,
				     cases[i].port),
			cases[i].passes, "%s %u %u", cases[i].remote, cases[i].protocol,
			cases[i].port);
	conf_destroy(c);
}

// ---- the log ---------------------------------------------------------------------------------

Test(conf, log_targets_have_the_ports_of_their_formats)
{
	struct conf *c = make_conf(PORTS GROUP
		"log:\n"
		"  targets:\n"
		"  - {format: ipfix, host: 192.0.2.9}\n"
		"  - {format: syslog, host: '2001:db8::9', source: '2001:db8::1', destinations: "
		"true}\n"
		"  - {format: json, host: 192.0.2.9, port: 7000, mtu: 9000}\n"
		"  - {format: json, file: /var/log/nat.json}\n"
		"  - {format: ipfix, host: 192.0.2.9, port: 4740, domain: 4294967295, "
		"template-refresh: 1m}\n"
		"  interim: 1h\n"
		"  max-wait: 1s\n"
		"  fail-closed: true\n"
		"  history: /var/lib/plans\n",
		NULL);

	cr_assert_eq(c->n_logs, 5);
	cr_assert(c->logs[0].format == CONF_LOG_IPFIX && c->logs[0].port == 4739);
	cr_assert(c->logs[0].mtu == 1400 && c->logs[0].templates_s == 600);
	cr_assert(c->logs[0].domain == 1 && !c->logs[0].destinations && !c->logs[0].source[0]);
	cr_assert(c->logs[1].format == CONF_LOG_SYSLOG && c->logs[1].port == 514);
	cr_assert_str_eq(c->logs[1].host, "2001:db8::9");
	cr_assert_str_eq(c->logs[1].source, "2001:db8::1");
	cr_assert(c->logs[1].destinations);
	cr_assert(c->logs[2].format == CONF_LOG_JSON && c->logs[2].mtu == 9000);
	cr_assert_str_eq(c->logs[3].file, "/var/log/nat.json");
	cr_assert_eq(c->logs[3].host[0], 0);
	cr_assert(c->logs[4].domain == UINT32_MAX && c->logs[4].templates_s == 60);
	cr_assert_eq(c->log_interim_s, 3600);
	cr_assert_eq(c->log_wait_ms, 1000);
	cr_assert(c->log_fail_closed);
	cr_assert_str_eq(c->log_history, "/var/lib/plans");
	conf_destroy(c);
}

Test(conf, an_event_may_wait_for_so_many_milliseconds)
{
	static const struct {
		const char *leaf;
		uint32_t ms;
	} cases[] = {{"0", 0}, {"1ms", 1}, {"250ms", 250}, {"2", 2000}, {"10s", 10000}};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct conf *c = make_conf_format(
			NULL, PORTS GROUP "log: {max-wait: %s, interim: 0}\n", cases[i].leaf);
		cr_assert_eq(c->log_wait_ms, cases[i].ms, "%s", cases[i].leaf);
		conf_destroy(c);
	}
}
