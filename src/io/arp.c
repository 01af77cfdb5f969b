// SPDX-License-Identifier: Apache-2.0
// RFC 826 on a worker: answers for our addresses, questions for next hops, and what was heard on
// its way to control, which alone writes the neighbour table.
#include "worker.h"

#include "onlink.h"

enum {
	ARP_REQUEST = 1,
	ARP_REPLY = 2,
	ANNOUNCE_AT_ONCE = 8, // gratuitous requests a millisecond
	ANNOUNCE_ROUNDS = 2,  // RFC 5227 s.2.3: twice, two seconds apart
	GATEWAYS_ASKED = 64,  // after each round
};
#define ANNOUNCE_PAUSE (2 * NS_PER_S)

static const uint8_t everyone[6] = {255, 255, 255, 255, 255, 255};

// ---- out -------------------------------------------------------------------------------------

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
	write_u16(&out, ETHERTYPE_ARP);
	return out.at;
}

static bool send_request(struct worker *w, uint16_t index, ip4 sender, ip4 target)
{
	static const uint8_t nobody[6];
	const struct conf_interface *iface = &w->conf->interfaces[index];
	const struct rte_ether_addr *mac = &w->tx[iface->port].mac;
	struct rte_mbuf *m = rte_pktmbuf_alloc(w->pool);

	if (!m) {
		w->counters.drops[DROP_NO_BUFFER]++;
		return false;
	}
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	uint8_t *arp = write_link(frame, mac, everyone, iface->vlan);
	pkt_write_arp(arp, ARP_REQUEST, mac->addr_bytes, sender, nobody, target);
	m->data_len = (uint16_t)(arp - frame + (int)sizeof(struct arp_wire));
	m->pkt_len = m->data_len;
	send_frame(w, iface->port, m);
	return true;
}

void arp_ask(struct worker *w, uint16_t iface, ip4 ip)
{
	ip4 source = onlink_source(&w->conf->interfaces[iface], ip);

	if (source != 0 && send_request(w, iface, source, ip))
		w->counters.arp_requests_sent++;
}

// The request's frame becomes the answer; a VLAN tag stays in its place.
static void answer(struct worker *w, uint16_t index, struct rte_mbuf *m,
	const struct pkt_link *link, const struct pkt_arp *arp)
{
	uint16_t port = w->conf->interfaces[index].port;
	const struct rte_ether_addr *mac = &w->tx[port].mac;
	uint8_t *frame = rte_pktmbuf_mtod(m, uint8_t *);
	struct eth_wire *eth = (void *)frame;

	memcpy(eth->dst, arp->sender_mac, sizeof eth->dst);
	memcpy(eth->src, mac, sizeof eth->src);
	pkt_write_arp(frame + link->l3_at, ARP_REPLY, mac->addr_bytes, arp->target_ip,
		arp->sender_mac, arp->sender_ip);
	m->data_len = (uint16_t)(link->l3_at + sizeof(struct arp_wire));
	m->pkt_len = m->data_len;
	w->counters.arp_replies_sent++;
	send_frame(w, port, m);
}

// ---- in --------------------------------------------------------------------------------------

static void tell_control(
	struct worker *w, uint16_t iface, const struct pkt_arp *arp, enum neighbour_word word)
{
	struct learned news = {.key = neighbour_key(iface, arp->sender_ip),
		.name = ip6_mapped(arp->sender_ip),
		.word = (uint8_t)word};

	memcpy(news.mac, arp->sender_mac, sizeof news.mac);
	if (!ring_push(w->learned, &news))
		w->counters.neighbour_news_lost++;
}

static void hear_request(struct worker *w, uint16_t iface, struct rte_mbuf *m,
	const struct pkt_link *link, const struct pkt_arp *arp, bool believed)
{
	if (!onlink_is_ours(w->conf, iface, arp->target_ip)) {
		if (believed && arp->sender_ip == arp->target_ip)
			tell_control(w, iface, arp, NEIGHBOUR_HEARSAY);
		worker_drop(w, m, DROP_ARP);
		return;
	}
	w->counters.arp_requests_received++;
	if (believed)
		tell_control(w, iface, arp, NEIGHBOUR_ASKER);
	answer(w, iface, m, link, arp);
}

static void hear_reply(struct worker *w, uint16_t iface, struct rte_mbuf *m,
	const struct pkt_link *link, const struct pkt_arp *arp, bool believed)
{
	bool to_us = !link->group && onlink_is_ours(w->conf, iface, arp->target_ip);

	if (!believed) {
		worker_drop(w, m, DROP_ARP);
		return;
	}
	tell_control(w, iface, arp, to_us ? NEIGHBOUR_ANSWER : NEIGHBOUR_HEARSAY);
	w->counters.arp_replies_received += to_us;
	rte_pktmbuf_free(m);
}

// The neighbour's own answer shall settle who has his address.
static void defend(struct worker *w, uint16_t iface, const struct pkt_arp *arp)
{
	if (!neighbours_contradict(
		    w->neighbours, neighbour_key(iface, arp->sender_ip), arp->sender_mac))
		return;
	w->counters.arp_conflicts++;
	send_probe(w, iface, arp->sender_ip);
}

static void hear(struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link,
	const struct pkt_arp *arp, bool believed)
{
	if (believed)
		defend(w, iface, arp);
	if (arp->operation == ARP_REQUEST)
		hear_request(w, iface, m, link, arp, believed);
	else
		hear_reply(w, iface, m, link, arp, believed);
}

void arp_receive(struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link)
{
	const uint8_t *at = rte_pktmbuf_mtod_offset(m, const uint8_t *, link->l3_at);
	const struct eth_wire *eth = rte_pktmbuf_mtod(m, const void *);
	const uint8_t *own_mac = w->tx[w->conf->interfaces[iface].port].mac.addr_bytes;
	struct pkt_arp arp;

	if (pkt_parse_arp(at, (size_t)(m->data_len - link->l3_at), &arp) != DROP_NONE) {
		worker_drop(w, m, DROP_ARP);
		return;
	}
	switch (onlink_judge_sender(w->conf, iface, own_mac, eth->src, &arp)) {
	case ONLINK_NEIGHBOUR:
		hear(w, iface, m, link, &arp, true);
		return;
	case ONLINK_STRANGER:
		hear(w, iface, m, link, &arp, false);
		return;
	case ONLINK_CLAIMS_OURS:
		w->counters.arp_conflicts++;
		worker_drop(w, m, DROP_ARP);
		return;
	case ONLINK_FORGED:
		worker_drop(w, m, DROP_ARP);
		return;
	}
}

// ---- gratuitous ------------------------------------------------------------------------------

static void announce_restart(struct worker *w, uint32_t changes)
{
	w->announced_generation = w->conf->generation;
	w->announced_changes = changes;
	w->announce_cursor = 0;
	w->announce_rounds = ANNOUNCE_ROUNDS;
	w->announce_next = w->now;
}

// Gateways are asked for before the first packet needs them, or a burst at start would wait.
static void ask_gateways(struct worker *w)
{
	const struct conf *c = w->conf;
	uint32_t n = min_u32(c->n_next_hops, GATEWAYS_ASKED);
	uint64_t value;

	for (uint32_t i = 0; i < n; i++) {
		const struct conf_next_hop *hop = &c->next_hops[i];

		if (hop->gateway != 0 && !neighbours_find(w->neighbours,
						 neighbour_key(hop->iface, hop->gateway), &value))
			arp_ask(w, hop->iface, hop->gateway);
	}
}

void arp_announce_step(struct worker *w)
{
	uint32_t changes = __atomic_load_n(&w->io->link_changes, __ATOMIC_RELAXED);
	uint16_t iface;
	ip4 ip;

	if (unlikely(w->announced_generation != w->conf->generation ||
		     w->announced_changes != changes))
		announce_restart(w, changes);
	if (likely(w->announce_rounds == 0) || w->now < w->announce_next)
		return;
	w->announce_next = w->now + NS_PER_MS;
	for (int i = 0; i < ANNOUNCE_AT_ONCE; i++) {
		if (!onlink_next_own(w->conf, &w->announce_cursor, &iface, &ip)) {
			w->announce_rounds--;
			w->announce_cursor = 0;
			w->announce_next = w->now + ANNOUNCE_PAUSE;
			nd_announce(w);
			ask_gateways(w);
			return;
		}
		if (send_request(w, iface, ip, ip))
			w->counters.arp_gratuitous_sent++;
	}
}
