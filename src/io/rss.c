// SPDX-License-Identifier: Apache-2.0
// Receive-side scaling, best effort: what the device spreads right needs no hand-off. The workers
// find the owner of every packet in software anyway, so a device that differs costs speed, not
// correctness.
#include "ports.h"

#define RSS_IP4                                                                                    \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |                 \
		RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)

static enum io_rss choose_fields(uint64_t can, uint8_t sides, uint64_t *fields)
{
	if (sides == 1 << CONF_INSIDE && can & RTE_ETH_RSS_L3_SRC_ONLY) {
		*fields |= RTE_ETH_RSS_L3_SRC_ONLY;
		return IO_RSS_SOURCE;
	}
	if (sides == 1 << CONF_OUTSIDE && can & RTE_ETH_RSS_L3_DST_ONLY) {
		*fields |= RTE_ETH_RSS_L3_DST_ONLY;
		return IO_RSS_DESTINATION;
	}
	return IO_RSS_ADDRESSES;
}

enum io_rss rss_choose(const struct rte_eth_dev_info *info, uint8_t sides, uint16_t n_queues,
	uint8_t key[RSS_KEY_MAX], struct rte_eth_conf *conf)
{
	uint64_t can = info->flow_type_rss_offloads;
	uint64_t fields = can & RSS_IP4;

	if (n_queues < 2 || fields == 0)
		return IO_RSS_NONE;
	enum io_rss rss = choose_fields(can, sides, &fields);
	conf->rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
	conf->rx_adv_conf.rss_conf.rss_hf = fields;
	if (info->hash_key_size >= TOEPLITZ_KEY_SIZE && info->hash_key_size <= RSS_KEY_MAX) {
		// What is longer than 40 octets matters for more than IPv4 addresses only.
		memset(key, 0, RSS_KEY_MAX);
		memcpy(key, toeplitz_default_key, TOEPLITZ_KEY_SIZE);
		conf->rx_adv_conf.rss_conf.rss_key = key;
		conf->rx_adv_conf.rss_conf.rss_key_len = info->hash_key_size;
	}
	return rss;
}

// Entry i of a table of n serves hashes that are i modulo n: that agrees with ours when n is a
// multiple of CONF_RETA.
bool rss_table(uint16_t port_id, const struct rte_eth_dev_info *info, const uint8_t reta[CONF_RETA])
{
	struct rte_eth_rss_reta_entry64 table[RTE_ETH_RSS_RETA_SIZE_512 / RTE_ETH_RETA_GROUP_SIZE];
	uint16_t n = info->reta_size;

	if (n == 0 || n % CONF_RETA != 0 || n > RTE_ETH_RSS_RETA_SIZE_512)
		return false;
	for (uint16_t i = 0; i < n; i++) {
		struct rte_eth_rss_reta_entry64 *part = &table[i / RTE_ETH_RETA_GROUP_SIZE];
		part->mask = UINT64_MAX;
		part->reta[i % RTE_ETH_RETA_GROUP_SIZE] = reta[i % CONF_RETA];
	}
	return rte_eth_dev_rss_reta_update(port_id, table, n) == 0;
}
