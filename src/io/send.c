// SPDX-License-Identifier: Apache-2.0
// From a next hop to a frame in a port's queue.
#include "worker.h"

// ---- frames ----------------------------------------------------------------------------------

static uint64_t frames_bytes(struct rte_mbuf *const *frames, uint16_t n)
{
	uint64_t bytes = 0;

	for (uint16_t i = 0; i < n; i++)
		bytes += frames[i]->pkt_len;
	return bytes;
}

static void push_to_queue(struct worker *w, uint16_t port)
{
	struct tx_port *tx = &w->tx[port];
	struct io_port_counters *counters = &w->counters.ports[port];
	uint64_t bytes = frames_bytes(tx->frames, tx->n);
	uint16_t sent = rte_eth_tx_burst(tx->port_id, tx->queue, tx->frames, tx->n);

	if (unlikely(sent < tx->n)) {
		bytes -= frames_bytes(tx->frames + sent, (uint16_t)(tx->n - sent));
		for (uint16_t i = sent; i < tx->n; i++)
			worker_drop(w, tx->frames[i], DROP_TX_FULL);
	}
	counters->tx_packets += sent;
	counters->tx_bytes += bytes;
	tx->n = 0;
}

static void push(struct worker *w, uint16_t port)
{
	struct tx_port *tx = &w->tx[port];

	if (likely(tx->relay == w->id)) {
		push_to_queue(w, port);
		return;
	}
	for (uint16_t i = 0; i < tx->n; i++)
		handoff_put(w, tx->relay, tx->frames[i], port | NOTE_FRAME);
	tx->n = 0;
}

void send_frame(struct worker *w, uint16_t port, struct rte_mbuf *m)
{
	struct tx_port *tx = &w->tx[port];

	tx->frames[tx->n++] = m;
	if (tx->n == BURST)
		push(w, port);
}

void send_flush(struct worker *w)
{
	for (uint16_t port = 0; port < w->io->n_ports; port++) {
		if (w->tx[port].n > 0)
			push(w, port);
	}
}

#define BEAT_NS (20 * NS_PER_MS)

// IEEE 802.1AX frames leave with ours, and wait for an empty burst when there are none: net_bonding
// wants one every 100 ms.
void send_beat(struct worker *w)
{
	if (likely(w->now < w->next_beat))
		return;
	w->next_beat = w->now + BEAT_NS;
	for (uint16_t port = 0; port < w->io->n_ports; port++) {
		const struct tx_port *tx = &w->tx[port];

		if (tx->lacp && tx->relay == w->id)
			(void)rte_eth_tx_burst(tx->port_id, tx->queue, NULL, 0);
	}
}

// ---- the Ethernet header ---------------------------------------------------------------------

struct tagged_wire { // IEEE 802.1Q
	uint8_t dst[6], src[6];
	be16 tpid, tag, type;
};
static_assert(sizeof(struct tagged_wire) == 18, "Ethernet header with one tag is 18 octets");

static void write_plain(
	uint8_t *at, const uint8_t dst[6], const struct rte_ether_addr *src, uint16_t type)
{
	struct eth_wire *eth = (void *)at;

	memcpy(eth->dst, dst, sizeof eth->dst);
	memcpy(eth->src, src, sizeof eth->src);
	eth->type = be16_of(type);
}

static void write_tagged(uint8_t *at, const uint8_t dst[6], const struct rte_ether_addr *src,
	uint16_t vlan, uint16_t type)
{
	struct tagged_wire *eth = (void *)at;

	memcpy(eth->dst, dst, sizeof eth->dst);
	memcpy(eth->src, src, sizeof eth->src);
	eth->tpid = be16_of(ETHERTYPE_VLAN);
	eth->tag = be16_of(vlan);
	eth->type = be16_of(type);
}

static void send_to(struct worker *w, const struct conf_interface *iface, const uint8_t mac[6],
	struct rte_mbuf *m)
{
	const struct rte_ether_addr *src = &w->tx[iface->port].mac;
	bool six = *rte_pktmbuf_mtod(m, const uint8_t *) >> 4 == 6;
	uint16_t type = six ? ETHERTYPE_IP6 : ETHERTYPE_IP4;
	uint16_t size = iface->vlan ? sizeof(struct tagged_wire) : sizeof(struct eth_wire);
	void *at = rte_pktmbuf_prepend(m, size);

	if (unlikely(!at)) {
		worker_drop(w, m, DROP_NO_BUFFER);
		return;
	}
	if (iface->vlan)
		write_tagged(at, mac, src, iface->vlan, type);
	else
		write_plain(at, mac, src, type);
	send_frame(w, iface->port, m);
}

// ---- neighbours ------------------------------------------------------------------------------

static bool is_multicast(ip4 ip)
{
	return ip >> 28 == 14;
}

static void send_multicast(
	struct worker *w, const struct conf_interface *iface, ip4 ip, struct rte_mbuf *m)
{
	// RFC 1112 s.6.4: the low 23 bits of the group.
	const uint8_t mac[6] = {1, 0, 0x5e, ip >> 16 & 127, (uint8_t)(ip >> 8), (uint8_t)ip};

	send_to(w, iface, mac, m);
}

struct hop { // whom to ask
	uint64_t key;
	uint16_t iface;
	bool six;
	union {
		ip4 ip;
		ip6 ip6;
	};
};

static inline struct hop hop4(uint16_t iface, ip4 ip)
{
	return (struct hop){.key = neighbour_key(iface, ip), .iface = iface, .ip = ip};
}

static struct hop hop6(const struct worker *w, uint16_t iface, ip6 ip)
{
	return (struct hop){.key = neighbour_key6(w->neighbours, iface, ip),
		.iface = iface,
		.six = true,
		.ip6 = ip};
}

static void ask(struct worker *w, const struct hop *hop)
{
	if (hop->six)
		nd_ask(w, hop->iface, hop->ip6);
	else
		arp_ask(w, hop->iface, hop->ip);
}

// Half of the waiting room is for packets: he who disputes many neighbours keeps none of them out.
// A static neighbour is believed without being asked.
static void probe(struct worker *w, const struct hop *hop)
{
	if (w->waiting.n_seats < WAITING_SEATS / 2 &&
		!neighbours_is_static(w->neighbours, hop->key) &&
		waiting_put(&w->waiting, hop->key, NULL, w->now) == WAITING_ASK)
		ask(w, hop);
}

void send_probe(struct worker *w, uint16_t iface, ip4 ip)
{
	struct hop hop = hop4(iface, ip);

	probe(w, &hop);
}

void send_probe6(struct worker *w, uint16_t iface, ip6 ip)
{
	struct hop hop = hop6(w, iface, ip);

	probe(w, &hop);
}

static void wait_for(struct worker *w, const struct hop *hop, struct rte_mbuf *m)
{
	switch (waiting_put(&w->waiting, hop->key, m, w->now)) {
	case WAITING_ASK:
		ask(w, hop);
		w->counters.packets_waited++;
		return;
	case WAITING_TOLD:
		w->counters.packets_waited++;
		return;
	case WAITING_FULL:
		worker_drop(w, m, DROP_NEIGHBOUR_QUEUE);
		return;
	}
}

static inline void send_hop(struct worker *w, const struct hop *hop, struct rte_mbuf *m)
{
	uint64_t value;
	uint8_t mac[6];

	if (unlikely(!neighbours_find(w->neighbours, hop->key, &value))) {
		wait_for(w, hop, m);
		return;
	}
	if (unlikely(value & NEIGHBOUR_FLAG_STALE))
		probe(w, hop);
	neighbour_value_mac(value, mac);
	send_to(w, &w->conf->interfaces[hop->iface], mac, m);
}

static void send_via(struct worker *w, uint16_t iface, ip4 ip, struct rte_mbuf *m)
{
	struct hop hop = hop4(iface, ip);

	if (unlikely(is_multicast(ip)))
		send_multicast(w, &w->conf->interfaces[iface], ip, m);
	else
		send_hop(w, &hop, m);
}

static void send_via6(struct worker *w, uint16_t iface, ip6 ip, struct rte_mbuf *m)
{
	struct hop hop = hop6(w, iface, ip);

	send_hop(w, &hop, m);
}

static void leave_seat(struct worker *w, uint32_t seat, const uint8_t *mac)
{
	uint16_t iface = neighbour_key_iface(w->waiting.keys[seat]);
	void *packets[WAITING_EACH];
	uint32_t n = waiting_leave(&w->waiting, seat, packets);

	for (uint32_t i = 0; i < n; i++) {
		if (mac && iface < w->conf->n_interfaces)
			send_to(w, &w->conf->interfaces[iface], mac, packets[i]);
		else
			worker_drop(w, packets[i], DROP_NEIGHBOUR);
	}
}

void send_waiting(struct worker *w)
{
	struct waiting *room = &w->waiting;

	if (likely(room->n_seats == 0) || w->now < room->next_look)
		return;
	room->next_look = w->now + WAITING_LOOK_NS;
	for (uint32_t i = 0; i < WAITING_SEATS; i++) {
		uint64_t value;
		uint8_t mac[6];

		if (room->keys[i] == 0)
			continue;
		if (room->n[i] > 0 && neighbours_find(w->neighbours, room->keys[i], &value)) {
			neighbour_value_mac(value, mac);
			leave_seat(w, i, mac);
		} else if (w->now >= room->until[i]) {
			leave_seat(w, i, NULL);
		}
	}
}

// ---- packets ---------------------------------------------------------------------------------

static uint16_t packet_mtu(const struct worker *w, const struct pkt *p)
{
	return w->conf->interfaces[w->conf->next_hops[p->next_hop].iface].mtu;
}

static void send_fitting(struct worker *w, struct pkt *p)
{
	uint16_t iface = w->conf->next_hops[p->next_hop].iface;

	if (unlikely(p->kind == PKT_IP6))
		send_via6(w, iface, p->via6, p->buf);
	else
		send_via(w, iface, p->via, p->buf);
}

void send_made(struct worker *w, struct pkt *p)
{
	if (p->len > packet_mtu(w, p))
		worker_drop(w, p->buf, DROP_MTU_DF);
	else
		send_fitting(w, p);
}

void send_packet(struct worker *w, struct pkt *p)
{
	uint16_t mtu = packet_mtu(w, p);

	if (likely(p->len <= mtu)) {
		send_fitting(w, p);
		return;
	}
	if (shard_too_big(w->shard, w->conf, w->now, p, mtu) != VERDICT_REPLY) {
		rte_pktmbuf_free(p->buf);
		return;
	}
	packet_settle(p);
	send_fitting(w, p);
}
