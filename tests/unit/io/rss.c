// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "ports.h"

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
