// SPDX-License-Identifier: Apache-2.0
// IPv6 is routed, not translated: to another interface, or answered when it is for us. Neighbour
// discovery is the business of room io, which knows the MACs: of packets to link-local addresses it
// gives us only those that are to ours.
#include <postern/shard.h>

#include "world.h"

static bool route6(const struct conf *c, struct pkt *p, ip6 to)
{
	uint32_t i = conf_route6(c, to);

	if (ip6_is_link_local(to)) { // where it came from; the first next hops are the interfaces
		p->next_hop = p->iface;
		p->via6 = to;
		return true;
	}
	if (i == PREFIX_NONE)
		return false;
	p->next_hop = (uint16_t)i;
	p->via6 = ip6_is_unspecified(c->next_hops[i].gateway6) ? to : c->next_hops[i].gateway6;
	return true;
}

// The limit is the one of all our errors, of both families.
static enum verdict refuse6(struct burst *b, struct pkt *p, const struct pkt_ip6 *six,
	enum drop why, uint8_t type, uint8_t code, uint32_t data)
{
	const struct conf_interface *in = iface_of(b->c, p);
	uint32_t rate = b->c->icmp_error_rate;

	drop(b->s, p, why);
	if (rate == 0 || !in->icmp_errors || !xlat_may_answer6(six, p))
		return VERDICT_DROP;
	if (!bucket_has(&b->s->icmp_errors, b->now, rate, rate)) {
		b->s->counters.drops[DROP_ICMP_RATE]++;
		return VERDICT_DROP;
	}
	if (!xlat_make_error6(p, in->addresses6[0].ip, type, code, data) ||
		!route6(b->c, p, six->src))
		return VERDICT_DROP;
	bucket_charge(&b->s->icmp_errors, b->now, rate);
	b->s->counters.icmp_errors_sent++;
	return VERDICT_REPLY;
}

static bool is_echo(const struct pkt *p, const struct pkt_ip6 *six)
{
	const uint8_t *l4 = p->l3 + six->l4_at;

	return six->protocol == IP_ICMP6 && six->l4_len >= sizeof(struct icmp6_wire) &&
	       l4[0] == ICMP6_ECHO && l4[1] == 0 &&
	       checksum_ip6(six->src, six->dst, IP_ICMP6, l4, six->l4_len) == 0;
}

static enum verdict to_us(struct burst *b, struct pkt *p, const struct pkt_ip6 *six)
{
	if (is_echo(p, six) && route6(b->c, p, six->src)) {
		xlat_echo6_reply(p, six);
		b->s->counters.echo_replies++;
		return VERDICT_REPLY;
	}
	if (six->protocol == IP_UDP) // nothing listens
		return refuse6(b, p, six, DROP_LOCAL_PROTOCOL, ICMP6_UNREACHABLE,
			ICMP6_PORT_UNREACHABLE, 0);
	return drop(b->s, p, DROP_LOCAL_PROTOCOL);
}

static enum verdict forward(struct burst *b, struct pkt *p, const struct pkt_ip6 *six)
{
	struct ip6_wire *ip = (void *)p->l3;

	if (six->hop_limit <= 1)
		return refuse6(b, p, six, DROP_TTL, ICMP6_TIME_EXCEEDED, 0, 0);
	if (!route6(b->c, p, six->dst))
		return refuse6(b, p, six, DROP_NO_ROUTE, ICMP6_UNREACHABLE, ICMP6_NO_ROUTE, 0);
	if (!fits_link(b->c, p))
		return refuse6(b, p, six, DROP_MTU_DF, ICMP6_TOO_BIG, 0,
			b->c->interfaces[b->c->next_hops[p->next_hop].iface].mtu);
	ip->hop_limit--;
	b->s->counters.passed_through++;
	return VERDICT_PASS;
}

enum verdict ip6_packet(struct burst *b, struct pkt *p)
{
	struct pkt_ip6 six;

	pkt_look_ip6(p, &six);
	if (iface_of(b->c, p)->n_addresses6 == 0)
		return drop(b->s, p, DROP_IPV6);
	if (conf_find_local6(b->c, six.src) >= 0)
		return drop(b->s, p, DROP_SPOOFED);
	if (conf_find_local6(b->c, six.dst) >= 0 || ip6_is_link_local(six.dst))
		return to_us(b, p, &six);
	// RFC 4291 s.2.5.6: a router forwards nothing from or to a link-local address.
	if (ip6_is_multicast(six.dst) || ip6_is_link_local(six.src) || ip6_is_unspecified(six.src))
		return drop(b->s, p, DROP_IP6_ADDRESS);
	return forward(b, p, &six);
}
