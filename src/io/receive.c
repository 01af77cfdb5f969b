// SPDX-License-Identifier: Apache-2.0
// From a frame of the wire to a packet at its owner's door.
#include "worker.h"

static bool is_for_us(const struct worker *w, uint16_t port, const struct rte_mbuf *m)
{
	return memcmp(rte_pktmbuf_mtod(m, const uint8_t *), &w->tx[port].mac, RTE_ETHER_ADDR_LEN) ==
	       0;
}

static void receive_link(
	struct worker *w, uint16_t iface, struct rte_mbuf *m, const struct pkt_link *link)
{
	switch (link->type) {
	case ETHERTYPE_IP4:
		// Routers do not forward what came in a group frame (RFC 1812 s.5.3.4), and
		// group destinations end in the parser.
		if (link->group) {
			worker_drop(w, m, DROP_IP_ADDRESS);
			return;
		}
		rte_pktmbuf_adj(m, link->l3_at);
		receive_packet(w, m, iface);
		return;
	case ETHERTYPE_ARP:
		arp_receive(w, iface, m, link);
		return;
	case ETHERTYPE_IP6:
		nd_receive(w, iface, m, link);
		return;
	default:
		worker_drop(w, m, DROP_ETHERNET_TYPE);
	}
}

void receive_frame(struct worker *w, uint16_t port, struct rte_mbuf *m)
{
	struct pkt_link link;

	if (unlikely(m->nb_segs > 1) && rte_pktmbuf_linearize(m) != 0) {
		worker_drop(w, m, DROP_SEGMENTED);
		return;
	}
	enum drop reason = pkt_parse_link(rte_pktmbuf_mtod(m, uint8_t *), m->data_len, &link);
	if (unlikely(reason != DROP_NONE)) {
		worker_drop(w, m, reason);
		return;
	}
	if (unlikely(!link.group && !is_for_us(w, port, m))) {
		worker_drop(w, m, DROP_ETHERNET_ADDRESS);
		return;
	}
	int iface = conf_find_interface(w->conf, port, link.vlan);
	if (unlikely(iface < 0)) {
		worker_drop(w, m, DROP_NO_INTERFACE);
		return;
	}
	receive_link(w, (uint16_t)iface, m, &link);
}

// The owner was found by the snapshot of the sender's turn. Ours may be newer and know another:
// then the packet travels once more, and no further.
static void hand_on(struct worker *w, struct pkt *p, uint16_t owner, uint32_t note)
{
	struct rte_mbuf *m = p->buf;

	if (unlikely(note & NOTE_RESTEERED)) {
		worker_drop(w, m, DROP_RESTEERED);
		return;
	}
	if (unlikely(note & NOTE_HANDED)) {
		w->counters.resteered++;
		note |= NOTE_RESTEERED;
	}
	handoff_put(w, owner, packet_settle(p), note | NOTE_HANDED);
}

static void receive_note(struct pkt *p, struct rte_mbuf *m, uint32_t note)
{
	p->iface = note & NOTE_INDEX;
	p->stage = note & NOTE_HAIRPINNED ? PKT_HAIRPINNED : PKT_FRESH;
	p->drop = DROP_NONE;
	if (unlikely(note & NOTE_RESOLVED)) {
		const struct pkt *carried = rte_mbuf_to_priv(m);

		pkt_resolve(p, carried->kind, carried->sport, carried->dport);
	}
	if (unlikely(note & NOTE_THIRD_PARTY)) {
		p->stage = PKT_THIRD_PARTY;
		p->epoch_s = ((const struct pkt *)rte_mbuf_to_priv(m))->epoch_s;
	}
}

void receive_packet(struct worker *w, struct rte_mbuf *m, uint32_t note)
{
	struct pkt *p = &w->own[w->n_own];
	enum drop reason = pkt_parse_ip4(p, rte_pktmbuf_mtod(m, uint8_t *), m->data_len);

	if (unlikely(reason != DROP_NONE)) {
		worker_drop(w, m, reason);
		return;
	}
	p->buf = m;
	p->room = (uint16_t)(m->buf_len - m->data_off);
	receive_note(p, m, note);
	uint16_t owner = shard_owner(w->conf, p, w->id);
	if (owner != w->id) {
		hand_on(w, p, owner, note);
		return;
	}
	if (++w->n_own == BURST)
		own_run(w);
}
