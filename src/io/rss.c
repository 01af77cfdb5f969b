// SPDX-License-Identifier: Apache-2.0
// Receive-side scaling, best effort: what the device spreads right needs no hand-off. The workers
// find the owner of every packet in software anyway, so a device that differs costs speed, not
// correctness.
#include "ports.h"

#include <rte_flow.h>

#define RSS_PORTS (RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV4_UDP)
#define RSS_IP4                                                                                    \
	(RTE_ETH_RSS_IPV4 | RTE_ETH_RSS_FRAG_IPV4 | RTE_ETH_RSS_NONFRAG_IPV4_TCP |                 \
		RTE_ETH_RSS_NONFRAG_IPV4_UDP | RTE_ETH_RSS_NONFRAG_IPV4_OTHER)

// mlx5 takes the ports of UDP and TCP into the hash for as long as these are named, and without
// them hashes such packets as IPv4. Others, hns3 among them, want each kind of packet named.
static uint64_t without_ports(const struct rte_eth_dev_info *info, uint64_t fields)
{
	bool mlx5 = info->driver_name && strncmp(info->driver_name, "mlx5", 4) == 0;

	return mlx5 ? fields & ~RSS_PORTS : fields;
}

static enum io_rss choose_fields(
	const struct rte_eth_dev_info *info, uint8_t sides, uint64_t *fields)
{
	uint64_t can = info->flow_type_rss_offloads;

	if (sides == 1 << CONF_INSIDE && can & RTE_ETH_RSS_L3_SRC_ONLY) {
		*fields = without_ports(info, *fields) | RTE_ETH_RSS_L3_SRC_ONLY;
		return IO_RSS_SOURCE;
	}
	if (sides == 1 << CONF_OUTSIDE && can & RTE_ETH_RSS_L3_DST_ONLY) {
		*fields = without_ports(info, *fields) | RTE_ETH_RSS_L3_DST_ONLY;
		return IO_RSS_DESTINATION;
	}
	return IO_RSS_ADDRESSES;
}

enum io_rss rss_choose(const struct rte_eth_dev_info *info, uint8_t sides, uint16_t n_queues,
	uint8_t key[RSS_KEY_MAX], struct rte_eth_conf *conf)
{
	uint64_t fields = info->flow_type_rss_offloads & RSS_IP4;

	if (n_queues < 2 || fields == 0)
		return IO_RSS_NONE;
	enum io_rss rss = choose_fields(info, sides, &fields);
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

// ---- by rules --------------------------------------------------------------------------------

// For packets whose headers are `items`: a hash over one address alone, of the kind `types`.
static bool add_rule(uint16_t port_id, const struct rte_flow_item items[], uint64_t types)
{
	const struct rte_flow_attr attr = {.ingress = 1};
	const struct rte_flow_action_rss rss = {
		.func = RTE_ETH_HASH_FUNCTION_DEFAULT, .types = types};
	const struct rte_flow_action actions[] = {
		{.type = RTE_FLOW_ACTION_TYPE_RSS, .conf = &rss},
		{.type = RTE_FLOW_ACTION_TYPE_END},
	};
	struct rte_flow_error error = {.type = RTE_FLOW_ERROR_TYPE_NONE};

	return rte_flow_validate(port_id, &attr, items, actions, &error) == 0 &&
	       rte_flow_create(port_id, &attr, items, actions, &error) != NULL;
}

enum io_rss rss_rules(uint16_t port_id, uint8_t sides)
{
	static const struct rte_flow_item udp[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4}, {.type = RTE_FLOW_ITEM_TYPE_UDP},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	static const struct rte_flow_item tcp[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4}, {.type = RTE_FLOW_ITEM_TYPE_TCP},
		{.type = RTE_FLOW_ITEM_TYPE_END}};
	static const struct rte_flow_item other[] = {{.type = RTE_FLOW_ITEM_TYPE_ETH},
		{.type = RTE_FLOW_ITEM_TYPE_IPV4}, {.type = RTE_FLOW_ITEM_TYPE_END}};
	bool inside = sides == 1 << CONF_INSIDE;
	uint64_t only = inside ? RTE_ETH_RSS_L3_SRC_ONLY : RTE_ETH_RSS_L3_DST_ONLY;
	struct rte_flow_error error;

	if (!inside && sides != 1 << CONF_OUTSIDE)
		return IO_RSS_ADDRESSES;
	if (!add_rule(port_id, udp, RTE_ETH_RSS_NONFRAG_IPV4_UDP | only) ||
		!add_rule(port_id, tcp, RTE_ETH_RSS_NONFRAG_IPV4_TCP | only)) {
		(void)rte_flow_flush(port_id, &error);
		return IO_RSS_ADDRESSES;
	}
	(void)add_rule(port_id, other, RTE_ETH_RSS_IPV4 | only); // ICMP and fragments: few
	return inside ? IO_RSS_SOURCE : IO_RSS_DESTINATION;
}

// ---- the table -------------------------------------------------------------------------------

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
