// SPDX-License-Identifier: Apache-2.0
// check.h - comparisons every test of this room makes.
#ifndef TEST_XLAT_CHECK_H
#define TEST_XLAT_CHECK_H

#include <postern/xlat.h>

#include <criterion/criterion.h>

#include "../pkt/make.h"

static inline struct recipe recipe_of(ip4 addr, uint16_t port)
{
	return (struct recipe){.addr = addr, .port = port};
}

// Copies the packet to a buffer of `room` octets and parses it there.
static inline void check_load(
	struct pkt *p, uint8_t *l3, const uint8_t *packet, size_t len, size_t room)
{
	memcpy(l3, packet, len);
	enum drop drop = make_parse(p, l3, len);
	cr_assert_eq(drop, DROP_NONE, "%s", drop_name(drop));
	p->room = (uint16_t)room;
}

// The packet has exactly these octets.
static inline void check_octets(const struct pkt *p, const uint8_t *expected, size_t len)
{
	cr_assert_eq(p->len, len, "%u octets, not %zu", p->len, len);
	for (size_t i = 0; i < len; i++)
		cr_assert_eq(p->l3[i], expected[i], "octet %zu is %02x, not %02x", i, p->l3[i],
			expected[i]);
}

// What *p says is what a parse of its octets says.
static inline void check_in_step(const struct pkt *p)
{
	struct pkt again;
	enum drop drop = make_parse(&again, p->l3, p->len);

	cr_assert_eq(drop, DROP_NONE, "%s", drop_name(drop));
	cr_assert(p->src == again.src && p->dst == again.dst && p->len == again.len);
	cr_assert(p->sport == again.sport && p->dport == again.dport && p->kind == again.kind);
	cr_assert(p->l4_at == again.l4_at && p->protocol == again.protocol);
	cr_assert_eq(p->tcp_flags, again.tcp_flags);
	cr_assert(p->inner.src == again.inner.src && p->inner.dst == again.inner.dst);
	cr_assert(p->inner.sport == again.inner.sport && p->inner.dport == again.inner.dport);
	cr_assert(p->inner.kind == again.inner.kind && p->inner.l4_left == again.inner.l4_left);
	cr_assert(p->inner.at == again.inner.at && p->inner.l4_at == again.inner.l4_at);
}

#endif
