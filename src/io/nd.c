// SPDX-License-Identifier: Apache-2.0
// Neighbour discovery on a worker (RFC 4861 s.7). We send no router advertisements: hosts are told
// their routes by others.
#include "worker.h"

#include "onlink.h"

static const struct rte_ether_addr *mac_of(const struct worker *w, uint16_t iface)
{
	return &w->tx[w->conf->interfaces[iface].port].mac;
}

// ---- out -------------------------------------------------------------------------------------

// RFC 2464 s.7: the low 32 bits of the group.
static void group_mac(ip6 group, uint8_t mac[6])
{
	mac[0] = mac[1] = 0x33;
	memcpy(mac + 2, group.b + 12, 4);
}

static uint8_t *write_link(
	uint8_t *at, const struct rte_ether_addr *src, const uint8_t dst[6], uint16_t vlan)
{
	struct writer out = {.at = at, .end = at + sizeof(struct eth_wire) + 4};

	write_bytes(&out, dst, 6);
	write_bytes(&out, src, 6);
	if (vlan) {
		write_u16(&out, ETHERTYPE_VLAN);
		write_u16(&out, vlan);
	}
	write_u16(&out, ETHERTYPE_IP6);
	return out.at;
}

static bool send_nd(struct worker *w, uint16_t index, const struct pkt_nd *nd, ip6 src, ip6 dst,
	const uint8_t dst_mac[6])
{
	const struct conf_interface *iface = &w->conf->interfaces[index];
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m) {
		w->counters.drops[DROP_NO_BUFFER]++;
		return false;
	}
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t *l3 = write_link(frame, mac_of(w, index), dst_mac, iface->vlan);
	pkt_write_nd(l3, nd, src, dst);
	m->data_len = (uint16_t)(l3 - frame + PKT_ND_SIZE);
	m->pkt_len = m->data_len;
	send_frame(w, iface->port, m);
	return true;
}

static struct pkt_nd message(const struct worker *w, uint16_t iface, uint8_t type, ip6 target)
{
	struct pkt_nd nd = {.type = type, .target = target};

	memcpy(nd.mac, mac_of(w, iface), sizeof nd.mac);
	return nd;
}

void nd_ask(struct worker *w, uint16_t iface, ip6 ip)
{
	struct pkt_nd nd = message(w, iface, ICMP6_SOLICITATION, ip);
	ip6 source = ip6_link_local(mac_of(w, iface)->addr_bytes), group = ip6_solicited_node(ip);
	uint8_t mac[6];

	group_mac(group, mac);
	w->counters.nd_solicitations_sent += send_nd(w, iface, &nd, source, group, mac);
}

// RFC 4861 s.7.2.6: who had our address in mind by another MAC learns this one.
static void announce_one(struct worker *w, uint16_t iface, ip6 address)
{
	static const ip6 all_nodes = {{0xff, 2, [15] = 1}};
	struct pkt_nd nd = message(w, iface, ICMP6_ADVERTISEMENT, address);
	uint8_t mac[6];

	nd.router = nd.override = true;
	group_mac(all_nodes, mac);
	w->counters.nd_advertisements_sent += send_nd(w, iface, &nd, address, all_nodes, mac);
}

void nd_announce(struct worker *w)
{
	for (uint16_t i = 0; i < w->conf->n_interfaces; i++) {
		const struct conf_interface *iface = &w->conf->interfaces[i];

		for (uint16_t k = 0; k < iface->n_addresses6; k++)
			announce_one(w, i, iface->addresses6[k].ip);
	}
}

// ---- in --------------------------------------------------------------------------------------

static void tell_control(
	struct worker *w, uint16_t iface, ip6 who, const uint8_t mac[6], enum neighbour_word word)
{
	struct learned news = {.key = neighbour_key6(w->neighbours, iface, who),
		.name = who,
		.word = (uint8_t)word};

	memcpy(news.mac, mac, sizeof news.mac);
	if (neighbours_contradict(w->neighbours, news.key, mac)) {
		w->counters.arp_conflicts++;
		send_probe6(w, iface, who); // his own answer shall settle it
	}
	if (!ring_push(w->learned, &news))
		w->counters.neighbour_news_lost++;
}

// Whoever asks without an address of his own (duplicate address detection) is told as a group.
// Whoever asks one of us alone may leave out his MAC (RFC 4861 s.4.3): he is answered, not learned.
static bool hear_solicitation(struct worker *w, uint16_t iface, const struct pkt_ip6 *six,
	const uint8_t frame_source[6], const struct pkt_nd *nd)
{
	const struct conf_interface *in = &w->conf->interfaces[iface];
	struct pkt_nd answer = message(w, iface, ICMP6_ADVERTISEMENT, nd->target);
	bool detection = ip6_is_unspecified(six->src);

	if (!onlink6_is_ours(in, mac_of(w, iface)->addr_bytes, nd->target))
		return false;
	w->counters.nd_solicitations_received++;
	if (detection) {
		announce_one(w, iface, nd->target);
		return true;
	}
	if (!onlink6_neighbour(in, six->src) || (!nd->has_mac && ip6_is_multicast(six->dst)))
		return false;
	if (nd->has_mac)
		tell_control(w, iface, six->src, nd->mac, NEIGHBOUR_ASKER);
	answer.router = answer.solicited = answer.override = true;
	w->counters.nd_advertisements_sent +=
		send_nd(w, iface, &answer, nd->target, six->src, frame_source);
	return true;
}

static bool hear_advertisement(
	struct worker *w, uint16_t iface, const uint8_t frame_source[6], const struct pkt_nd *nd)
{
	const struct conf_interface *in = &w->conf->interfaces[iface];

	if (onlink6_is_ours(in, mac_of(w, iface)->addr_bytes, nd->target)) {
		w->counters.arp_conflicts++;
		return false;
	}
	if (!onlink6_neighbour(in, nd->target))
		return false;
	tell_control(w, iface, nd->target, nd->has_mac ? nd->mac : frame_source,
		nd->solicited ? NEIGHBOUR_ANSWER : NEIGHBOUR_HEARSAY);
	w->counters.nd_advertisements_received++;
	return true;
}

static void hear(struct worker *w, struct pkt *p, const struct pkt_ip6 *six, const uint8_t mac[6])
{
	struct pkt_nd nd;
	bool right = pkt_parse_nd(p, six, &nd) == DROP_NONE;

	// As for ARP: a message that names another MAC than its frame's is forged.
	if (right && nd.has_mac && memcmp(nd.mac, mac, sizeof nd.mac) != 0)
		right = false;
	if (right)
		right = nd.type == ICMP6_SOLICITATION
				? hear_solicitation(w, p->iface, six, mac, &nd)
				: hear_advertisement(w, p->iface, mac, &nd);
	if (right)
		rte_pktmbuf_free(p->buf);
	else
		worker_drop(w, p->buf, DROP_ND);
}

// Everything else is the shard's; of link-local destinations only our own, as it cannot know the
// MAC.
static void hand_to_shard(struct worker *w, struct pkt *p, const struct pkt_ip6 *six, bool group)
{
	bool stray = ip6_is_link_local(six->dst) &&
		     !ip6_eq(six->dst, ip6_link_local(mac_of(w, p->iface)->addr_bytes));

	if (group || stray)
		worker_drop(w, p->buf, DROP_IP6_ADDRESS);
	else if (++w->n_own == BURST)
		own_run(w);
}

void nd_receive(struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link)
{
	struct pkt *p = &w->own[w->n_own];
	struct pkt_ip6 six;
	uint8_t mac[6];

	memcpy(mac, rte_pktmbuf_mtod(m, const struct eth_wire *)->src, sizeof mac);
	rte_pktmbuf_adj(m, link->l3_at);
	enum drop why = w->conf->interfaces[iface].n_addresses6 == 0
				? DROP_IPV6
				: pkt_parse_ip6(p, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
	if (why != DROP_NONE) {
		worker_drop(w, m, why);
		return;
	}
	p->buf = m;
	p->room = (uint16_t)(m->buf_len - m->data_off);
	p->iface = iface;
	p->stage = PKT_FRESH;
	p->drop = DROP_NONE;
	pkt_look_ip6(p, &six);
	if (six.protocol == IP_ICMP6 && six.l4_len > 0 && p->l3[six.l4_at] >= ICMP6_ND_FIRST &&
		p->l3[six.l4_at] <= ICMP6_ND_LAST)
		hear(w, p, &six, mac);
	else
		hand_to_shard(w, p, &six, link->group);
}
