// SPDX-License-Identifier: Apache-2.0
// The translation of packets, whole or in fragments. The checksum change is reckoned from the old
// and the new fields each time (RFC 1624 equation 3): a few adds, against a wider table slot.
#include <postern/xlat.h>

#include "rewrite.h"

// The increment cannot tell a message of nothing but zeros from one whose words add up to 0xffff,
// and the two have different checksums.
static void sum_echo_anew(const struct pkt *p, struct icmp_wire *icmp)
{
	uint16_t sum;

	icmp->checksum = be16_of(0);
	sum = checksum_fold(checksum_add(0, icmp, (size_t)p->len - p->l4_at));
	// Of a fragment only zeros tell: the rest of the sum is elsewhere.
	icmp->checksum = be16_of(p->resolved && sum != 0xffff ? 0 : sum);
}

// A transport checksum was zero before or is now, which happens once in 65 536 packets.
__attribute__((noinline)) static void settle_zero(const struct pkt *p)
{
	struct udp_wire *udp = (void *)(p->l3 + p->l4_at);
	struct icmp_wire *icmp = (void *)(p->l3 + p->l4_at);

	if (p->kind == PKT_UDP)
		udp->checksum = be16_of(0xffff);
	if (p->kind == PKT_ECHO && be16_eq(icmp->checksum, 0))
		sum_echo_anew(p, icmp);
}

// A fragment without transport header has its address in the IP header and nowhere else.
__attribute__((noinline)) static void rewrite_later(
	struct pkt *p, ip4 to, be32 *addr, uint32_t delta)
{
	struct ip4_wire *ip = (void *)p->l3;

	apply_delta(&ip->checksum, delta + replace_addr(addr, to) + lower_ttl(ip, ttl_step(p)));
}

// Gives one end of the packet, whose address and port stand at these places, its new values.
// `delta`: what else changed in the IP header.
static inline __attribute__((always_inline)) void rewrite(
	struct pkt *p, struct recipe to, be32 *addr, uint8_t *port, uint32_t delta)
{
	const struct l4_layout *layout = l4_layout_of(p->kind);
	struct ip4_wire *ip = (void *)p->l3;
	uint8_t *checksum = p->l3 + p->l4_at + layout->checksum_at;

	if (unlikely(p->later)) {
		rewrite_later(p, to.addr, addr, delta);
		return;
	}
	uint32_t moved = replace_addr(addr, to.addr);
	uint32_t renumbered = replace_word(port, to.port);

	apply_delta(&ip->checksum, delta + moved + lower_ttl(ip, ttl_step(p)));
	uint16_t before = word_at(checksum);
	uint16_t after = checksum_apply(before, (moved & layout->pseudo) + renumbered);
	if (unlikely(before == 0 && p->kind == PKT_UDP))
		return; // RFC 768: there is none
	put_word(checksum, after);
	if (unlikely(before == 0 || after == 0))
		settle_zero(p);
}

// The fields of *p come first, so that nothing has to be remembered across the rare last call.
static inline __attribute__((always_inline)) void rewrite_source(
	struct pkt *p, struct recipe to, uint32_t delta)
{
	struct ip4_wire *ip = (void *)p->l3;

	p->src = to.addr;
	p->sport = to.port;
	p->dport = p->kind == PKT_ECHO ? to.port : p->dport;
	rewrite(p, to, &ip->src, p->l3 + p->l4_at + l4_layout_of(p->kind)->src_at, delta);
}

void xlat_source(struct pkt *p, struct recipe to)
{
	rewrite_source(p, to, 0);
}

void xlat_source_anew(struct pkt *p, struct recipe to, uint16_t id)
{
	struct ip4_wire *ip = (void *)p->l3;

	rewrite_source(p, to, replace_word(ip->id.b, id));
}

void xlat_destination(struct pkt *p, struct recipe to)
{
	struct ip4_wire *ip = (void *)p->l3;

	p->dst = to.addr;
	p->dport = to.port;
	p->sport = p->kind == PKT_ECHO ? to.port : p->sport;
	rewrite(p, to, &ip->dst, p->l3 + p->l4_at + l4_layout_of(p->kind)->dst_at, 0);
}

void xlat_lower_ttl(struct pkt *p)
{
	struct ip4_wire *ip = (void *)p->l3;

	apply_delta(&ip->checksum, lower_ttl(ip, 1));
}
