// SPDX-License-Identifier: Apache-2.0
#include "onlink.h"

static bool in_subnet(const struct conf_address *a, ip4 ip)
{
	return ((a->ip ^ ip) & prefix4_mask(a->bits)) == 0;
}

// /31 has no network or broadcast address (RFC 3021), /32 has no neighbours.
static bool is_host_of(const struct conf_address *a, ip4 ip)
{
	uint32_t host_bits = ~prefix4_mask(a->bits);

	if (ip == a->ip || !in_subnet(a, ip))
		return false;
	return a->bits >= 31 || ((ip & host_bits) != 0 && (ip & host_bits) != host_bits);
}

bool onlink_neighbour(const struct conf_interface *iface, ip4 ip)
{
	bool host = false;

	for (uint16_t i = 0; i < iface->n_addresses; i++) {
		if (iface->addresses[i].ip == ip)
			return false;
		host |= is_host_of(&iface->addresses[i], ip);
	}
	return host;
}

static bool is_own6(const struct conf_interface *iface, ip6 ip)
{
	for (uint16_t i = 0; i < iface->n_addresses6; i++) {
		if (ip6_eq(iface->addresses6[i].ip, ip))
			return true;
	}
	return false;
}

bool onlink6_neighbour(const struct conf_interface *iface, ip6 ip)
{
	if (iface->n_addresses6 == 0 || ip6_is_multicast(ip) || is_own6(iface, ip))
		return false;
	if (ip6_is_link_local(ip))
		return true;
	for (uint16_t i = 0; i < iface->n_addresses6; i++) {
		struct prefix6 p = {iface->addresses6[i].ip, iface->addresses6[i].bits};

		if (prefix6_has(&p, ip))
			return true;
	}
	return false;
}

bool onlink6_is_ours(const struct conf_interface *iface, const uint8_t mac[6], ip6 ip)
{
	return iface->n_addresses6 > 0 && (is_own6(iface, ip) || ip6_eq(ip, ip6_link_local(mac)));
}

ip4 onlink_source(const struct conf_interface *iface, ip4 ip)
{
	for (uint16_t i = 0; i < iface->n_addresses; i++) {
		if (in_subnet(&iface->addresses[i], ip))
			return iface->addresses[i].ip;
	}
	return iface->n_addresses ? iface->addresses[0].ip : 0;
}

static bool is_pool_onlink(const struct conf_interface *iface, ip4 ip)
{
	if (iface->side != CONF_OUTSIDE)
		return false;
	for (uint16_t i = 0; i < iface->n_addresses; i++) {
		if (in_subnet(&iface->addresses[i], ip))
			return true;
	}
	return false;
}

static bool is_own(const struct conf_interface *iface, ip4 ip)
{
	for (uint16_t i = 0; i < iface->n_addresses; i++) {
		if (iface->addresses[i].ip == ip)
			return true;
	}
	return false;
}

bool onlink_is_ours(const struct conf *c, uint16_t i, ip4 ip)
{
	const struct conf_interface *iface = &c->interfaces[i];

	if (is_own(iface, ip))
		return true;
	const struct conf_local *local = conf_find_local(c, iface->realm, ip);
	if (!local)
		return false;
	if (local->kind == CONF_LOCAL_LISTEN)
		return iface->side == CONF_INSIDE;
	return local->kind == CONF_LOCAL_POOL && is_pool_onlink(iface, ip);
}

enum onlink_sender onlink_judge_sender(const struct conf *c, uint16_t i, const uint8_t own_mac[6],
	const uint8_t frame_source[6], const struct pkt_arp *arp)
{
	if (memcmp(frame_source, arp->sender_mac, sizeof arp->sender_mac) != 0 ||
		memcmp(own_mac, arp->sender_mac, sizeof arp->sender_mac) == 0)
		return ONLINK_FORGED;
	if (onlink_is_ours(c, i, arp->sender_ip))
		return ONLINK_CLAIMS_OURS;
	return onlink_neighbour(&c->interfaces[i], arp->sender_ip) ? ONLINK_NEIGHBOUR
								   : ONLINK_STRANGER;
}

// The cursor counts places, used or not: first every interface's CONF_MAX_ADDRESSES, then every
// interface times every pool address.
static bool own_at(const struct conf *c, uint32_t at, uint16_t *iface, ip4 *ip)
{
	uint32_t n_own = c->n_interfaces * (uint32_t)CONF_MAX_ADDRESSES;

	if (at < n_own) {
		uint32_t k = at % CONF_MAX_ADDRESSES;
		*iface = (uint16_t)(at / CONF_MAX_ADDRESSES);
		*ip = c->interfaces[*iface].addresses[k].ip;
		return k < c->interfaces[*iface].n_addresses;
	}
	*iface = (uint16_t)((at - n_own) / c->n_external);
	*ip = c->external[(at - n_own) % c->n_external].ip;
	return is_pool_onlink(&c->interfaces[*iface], *ip) && !is_own(&c->interfaces[*iface], *ip);
}

bool onlink_next_own(const struct conf *c, uint32_t *cursor, uint16_t *iface, ip4 *ip)
{
	uint32_t end = c->n_interfaces * (CONF_MAX_ADDRESSES + c->n_external);

	while (*cursor < end) {
		if (own_at(c, (*cursor)++, iface, ip))
			return true;
	}
	return false;
}
