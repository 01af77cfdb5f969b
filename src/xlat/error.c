// SPDX-License-Identifier: Apache-2.0
// ICMP errors about translated flows (RFC 5508 s.4). The quoted packet must read as its sender
// wrote it, checksums included, or he will not know it for his own. Every 16-bit word that changes
// inside the message is fed into the ICMP checksum; an error's type is never zero, so its checksum
// has no doubtful zero. (A quoted echo reply of nothing but zeros has one; as what was cut off the
// quote cannot be summed, it gets the increment's 0 where its sender wrote 0xffff.)
#include <postern/xlat.h>

#include "rewrite.h"

// Follows the embedded transport checksum where it was quoted (TCP's often was not) and returns
// what that adds to the change of the ICMP checksum.
static uint32_t follow_checksum(const struct pkt_inner *inner, uint8_t *l4, uint32_t delta)
{
	uint32_t at = l4_layout_of(inner->kind)->checksum_at;

	if (at + sizeof(be16) > inner->l4_left)
		return 0;
	uint16_t before = word_at(l4 + at);
	if (inner->kind == PKT_UDP && before == 0)
		return 0;
	uint16_t after = checksum_apply(before, delta);
	if (inner->kind == PKT_UDP && after == 0)
		after = 0xffff;
	put_word(l4 + at, after);
	return checksum_delta16(before, after);
}

// Gives one end of the quoted packet its new values and returns the change of the ICMP checksum.
static uint32_t rewrite_embedded(struct pkt *p, struct recipe to, be32 *addr, uint8_t *port)
{
	struct ip4_wire *ip = (void *)(p->l3 + p->inner.at);
	const struct l4_layout *layout = l4_layout_of(p->inner.kind);
	uint16_t before = word_at(&ip->checksum);
	uint32_t moved = replace_addr(addr, to.addr);
	uint32_t renumbered = replace_word(port, to.port);

	apply_delta(&ip->checksum, moved);
	return moved + renumbered + checksum_delta16(before, word_at(&ip->checksum)) +
	       follow_checksum(
		       &p->inner, p->l3 + p->inner.l4_at, (moved & layout->pseudo) + renumbered);
}

// Gives the error itself its new address and both its checksums their changes.
static void rewrite_outer(struct pkt *p, ip4 to, be32 *addr, uint32_t icmp_delta)
{
	struct ip4_wire *ip = (void *)p->l3;
	struct icmp_wire *icmp = (void *)(p->l3 + p->l4_at);

	apply_delta(&ip->checksum, replace_addr(addr, to) + lower_ttl(ip, ttl_step(p)));
	apply_delta(&icmp->checksum, icmp_delta);
}

void xlat_error_from_outside(struct pkt *p, struct recipe to)
{
	struct ip4_wire *outer = (void *)p->l3;
	struct ip4_wire *inner = (void *)(p->l3 + p->inner.at);
	uint8_t *port = p->l3 + p->inner.l4_at + l4_layout_of(p->inner.kind)->src_at;

	rewrite_outer(p, to.addr, &outer->dst, rewrite_embedded(p, to, &inner->src, port));
	p->dst = to.addr;
	p->inner.src = to.addr;
	p->inner.sport = to.port;
	if (p->inner.kind == PKT_ECHO)
		p->inner.dport = to.port;
}

void xlat_error_from_inside(struct pkt *p, struct recipe to)
{
	struct ip4_wire *outer = (void *)p->l3;
	struct ip4_wire *inner = (void *)(p->l3 + p->inner.at);
	uint8_t *port = p->l3 + p->inner.l4_at + l4_layout_of(p->inner.kind)->dst_at;

	rewrite_outer(p, to.addr, &outer->src, rewrite_embedded(p, to, &inner->dst, port));
	p->src = to.addr;
	p->inner.dst = to.addr;
	p->inner.dport = to.port;
	if (p->inner.kind == PKT_ECHO)
		p->inner.sport = to.port;
}
