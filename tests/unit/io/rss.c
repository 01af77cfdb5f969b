// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "ports.h"

#include <rte_flow.h>

enum {
	IN = 1 << CONF_INSIDE,
	OUT = 1 << CONF_OUTSIDE
};

#define FULL (RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_L3_SRC_ONLY | RTE_ETH_RSS_L3_DST_ONLY)

Test(io, device_spreads_by_the_subscribers_side_where_it_can)
{
	static const struct {
		uint64_t can;
		uint8_t sides;
		uint16_t queues;
		enum io_rss rss;
		uint64_t asked;
	} cases[] = {
		{FULL, IN, 2, IO_RSS_SOURCE, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_L3_SRC_ONLY},
		{FULL, OUT, 2, IO_RSS_DESTINATION, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_L3_DST_ONLY},
		{FULL, IN | OUT, 2, IO_RSS_ADDRESSES, RTE_ETH_RSS_IPV4},
		{RTE_ETH_RSS_IPV4, IN, 2, IO_RSS_ADDRESSES, RTE_ETH_RSS_IPV4},
		{FULL, IN, 1, IO_RSS_NONE, 0},
		{0, IN, 4, IO_RSS_NONE, 0},
		{RTE_ETH_RSS_IPV6, IN, 4, IO_RSS_NONE, 0},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rte_eth_dev_info info = {
			.flow_type_rss_offloads = cases[i].can, .hash_key_size = 52};
		struct rte_eth_conf conf = {.rxmode.mtu = 0};
		uint8_t key[RSS_KEY_MAX];

		cr_assert_eq(rss_choose(&info, cases[i].sides, cases[i].queues, key, &conf),
			cases[i].rss, "case %zu", i);
		cr_assert_eq(conf.rx_adv_conf.rss_conf.rss_hf, cases[i].asked, "case %zu", i);
		if (cases[i].rss == IO_RSS_NONE)
			continue;
		cr_assert_eq(conf.rx_adv_conf.rss_conf.rss_key_len, 52);
		cr_assert_arr_eq(key, toeplitz_default_key, TOEPLITZ_KEY_SIZE);
	}
}

Test(io, mlx5_hashes_ports_for_as_long_as_they_are_named)
{
	struct rte_eth_dev_info info = {
		.flow_type_rss_offloads = FULL | RTE_ETH_RSS_NONFRAG_IPV4_UDP,
		.hash_key_size = 40,
		.driver_name = "mlx5_pci"};
	struct rte_eth_conf conf = {.rxmode.mtu = 0};
	uint8_t key[RSS_KEY_MAX];

	cr_assert_eq(rss_choose(&info, IN, 2, key, &conf), IO_RSS_SOURCE);
	cr_assert_eq(conf.rx_adv_conf.rss_conf.rss_hf, RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_L3_SRC_ONLY);
	info.driver_name = "net_hns3";
	cr_assert_eq(rss_choose(&info, IN, 2, key, &conf), IO_RSS_SOURCE);
	cr_assert_eq(conf.rx_adv_conf.rss_conf.rss_hf,
		RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_L3_SRC_ONLY);
}

Test(io, device_whose_key_has_no_room_for_ours_keeps_its_own)
{
	static const uint8_t sizes[] = {0, 16, 39, RSS_KEY_MAX + 1};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct rte_eth_dev_info info = {
			.flow_type_rss_offloads = FULL, .hash_key_size = sizes[i]};
		struct rte_eth_conf conf = {.rxmode.mtu = 0};
		uint8_t key[RSS_KEY_MAX];

		cr_assert_eq(rss_choose(&info, IN, 2, key, &conf), IO_RSS_SOURCE);
		cr_assert_null(conf.rx_adv_conf.rss_conf.rss_key, "%u octets", sizes[i]);
	}
}

// ---- a device that takes rules ---------------------------------------------------------------
// These stand in the place of librte_ethdev's calls and remember what was asked of the device.

enum {
	PORT = 7,
	RULES_MOST = 8
};

static struct {
	uint64_t refused, uncreated; // of kinds: validated not, or created not
	unsigned n, flushed;
	uint64_t types[RULES_MOST];
	enum rte_flow_item_type last[RULES_MOST]; // header that a rule's packets end with
	int table_error;
	uint16_t table_size;
	uint16_t workers[RTE_ETH_RSS_RETA_SIZE_512];
} device;

static uint64_t types_of(const struct rte_flow_action actions[])
{
	const struct rte_flow_action_rss *rss = actions[0].conf;

	cr_assert_eq(actions[0].type, RTE_FLOW_ACTION_TYPE_RSS);
	cr_assert_eq(actions[1].type, RTE_FLOW_ACTION_TYPE_END);
	return rss->types;
}

int rte_flow_validate(uint16_t port_id, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	cr_assert_eq(port_id, PORT);
	cr_assert(attr->ingress && !attr->egress);
	cr_assert_eq(pattern[0].type, RTE_FLOW_ITEM_TYPE_ETH);
	cr_assert_eq(pattern[1].type, RTE_FLOW_ITEM_TYPE_IPV4);
	(void)error;
	return types_of(actions) & device.refused ? -ENOTSUP : 0;
}

struct rte_flow *rte_flow_create(uint16_t port_id, const struct rte_flow_attr *attr,
	const struct rte_flow_item pattern[], const struct rte_flow_action actions[],
	struct rte_flow_error *error)
{
	cr_assert_eq(rte_flow_validate(port_id, attr, pattern, actions, error), 0);
	if (types_of(actions) & device.uncreated)
		return NULL;
	device.last[device.n] = pattern[2].type;
	device.types[device.n++] = types_of(actions);
	return (struct rte_flow *)&device;
}

int rte_flow_flush(uint16_t port_id, struct rte_flow_error *error)
{
	(void)error;
	cr_assert_eq(port_id, PORT);
	device.flushed++;
	device.n = 0;
	return 0;
}

int rte_eth_dev_rss_reta_update(
	uint16_t port_id, struct rte_eth_rss_reta_entry64 *reta, uint16_t size)
{
	cr_assert_eq(port_id, PORT);
	device.table_size = size;
	for (uint16_t i = 0; i < size; i++) {
		cr_assert_eq(reta[i / 64].mask >> i % 64 & 1, 1);
		device.workers[i] = reta[i / 64].reta[i % 64];
	}
	return device.table_error;
}

static void expect_rules(uint64_t only)
{
	static const enum rte_flow_item_type last[] = {
		RTE_FLOW_ITEM_TYPE_UDP, RTE_FLOW_ITEM_TYPE_TCP, RTE_FLOW_ITEM_TYPE_END};
	const uint64_t types[] = {RTE_ETH_RSS_NONFRAG_IPV4_UDP | only,
		RTE_ETH_RSS_NONFRAG_IPV4_TCP | only, RTE_ETH_RSS_IPV4 | only};

	cr_assert_eq(device.n, ARRAY_SIZE(types));
	cr_assert_eq(device.flushed, 0);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++) {
		cr_assert_eq(device.types[i], types[i], "rule %zu", i);
		cr_assert_eq(device.last[i], last[i], "rule %zu", i);
	}
}

Test(io, rules_hash_over_the_subscribers_address_inside)
{
	cr_assert_eq(rss_rules(PORT, IN), IO_RSS_SOURCE);
	expect_rules(RTE_ETH_RSS_L3_SRC_ONLY);
}

Test(io, rules_hash_over_the_external_address_outside)
{
	cr_assert_eq(rss_rules(PORT, OUT), IO_RSS_DESTINATION);
	expect_rules(RTE_ETH_RSS_L3_DST_ONLY);
}

Test(io, port_with_both_sides_gets_no_rules)
{
	cr_assert_eq(rss_rules(PORT, IN | OUT), IO_RSS_ADDRESSES);
	cr_assert_eq(rss_rules(PORT, 0), IO_RSS_ADDRESSES);
	cr_assert_eq(device.n, 0);
	cr_assert_eq(device.flushed, 0);
}

// Half of the rules would spread one subscriber's packets in two ways.
Test(io, device_that_refuses_a_rule_for_udp_or_tcp_keeps_none)
{
	static const uint64_t kinds[] = {
		RTE_ETH_RSS_NONFRAG_IPV4_UDP, RTE_ETH_RSS_NONFRAG_IPV4_TCP};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(kinds); i++) {
		memset(&device, 0, sizeof device);
		*(i % 2 ? &device.refused : &device.uncreated) = kinds[i / 2];
		cr_assert_eq(rss_rules(PORT, IN), IO_RSS_ADDRESSES, "case %zu", i);
		cr_assert_eq(device.n, 0, "case %zu", i);
		cr_assert_eq(device.flushed, 1, "case %zu", i);
	}
}

Test(io, device_that_refuses_the_rule_for_the_rest_keeps_the_others)
{
	device.refused = RTE_ETH_RSS_IPV4;
	cr_assert_eq(rss_rules(PORT, IN), IO_RSS_SOURCE);
	cr_assert_eq(device.n, 2);
	cr_assert_eq(device.flushed, 0);
}

Test(io, table_of_the_device_repeats_the_one_of_the_snapshot)
{
	static const uint16_t sizes[] = {CONF_RETA, 2 * CONF_RETA, 4 * CONF_RETA};
	uint8_t reta[CONF_RETA];

	for (unsigned i = 0; i < CONF_RETA; i++)
		reta[i] = (uint8_t)(i * 7 % 5);
	for (size_t k = 0; k < ARRAY_SIZE(sizes); k++) {
		struct rte_eth_dev_info info = {.reta_size = sizes[k]};

		cr_assert(rss_table(PORT, &info, reta));
		cr_assert_eq(device.table_size, sizes[k]);
		for (uint16_t i = 0; i < sizes[k]; i++)
			cr_assert_eq(device.workers[i], reta[i % CONF_RETA], "entry %u", i);
		device.table_error = -ENOTSUP;
		cr_assert_not(rss_table(PORT, &info, reta));
		device.table_error = 0;
	}
}

Test(io, table_of_another_size_is_left_alone)
{
	static const uint16_t sizes[] = {0, 64, CONF_RETA + 64, 8 * CONF_RETA};
	const uint8_t reta[CONF_RETA] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct rte_eth_dev_info info = {.reta_size = sizes[i]};

		cr_assert_not(rss_table(PORT, &info, reta), "%u entries", sizes[i]);
	}
	cr_assert_eq(device.table_size, 0, "it was not asked");
}
