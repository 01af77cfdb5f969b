// SPDX-License-Identifier: Apache-2.0
// The maximum segment size of a TCP SYN (RFC 9293 s.3.2): lowered where the operator knows of a
// smaller link behind, so that nothing depends on ICMP errors that somebody filters.
#include <postern/xlat.h>

#include "rewrite.h"

enum {
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_MSS = 2,
	MSS_SIZE = 4
};

static uint16_t swapped(uint16_t v)
{
	return (uint16_t)(v << 8 | v >> 8);
}

// The value may begin in the middle of a word of the checksum; its octets are then the other way
// round.
static void lower(struct tcp_wire *tcp, uint8_t *value, uint16_t mss)
{
	be16 fresh = be16_of(mss);
	uint16_t before = word_at(value), after = word_at(&fresh);
	bool odd = (value - (uint8_t *)tcp) & 1;

	if (swapped(before) <= mss) // little-endian: the number it says
		return;
	put_word(value, after);
	apply_delta(&tcp->checksum, odd ? checksum_delta16(swapped(before), swapped(after))
					: checksum_delta16(before, after));
}

// Octets of the option at `at`; 0: the list ends here, or is no list.
static uint32_t option_size(const uint8_t *l4, uint32_t at, uint32_t end)
{
	if (l4[at] == OPTION_END)
		return 0;
	if (l4[at] == OPTION_NOP)
		return 1;
	if (at + 1 >= end || l4[at + 1] < 2 || l4[at + 1] > end - at)
		return 0;
	return l4[at + 1];
}

void xlat_clamp_mss(struct pkt *p, uint16_t mss)
{
	uint8_t *l4 = p->l3 + p->l4_at;
	struct tcp_wire *tcp = (void *)l4;

	if (p->kind != PKT_TCP || p->later || !(p->tcp_flags & TCP_SYN))
		return;
	uint32_t end = min_u32(tcp->offset / 16u * 4, (uint32_t)p->len - p->l4_at), size;
	for (uint32_t at = sizeof *tcp; at < end; at += size) {
		size = option_size(l4, at, end);
		if (size == 0)
			return;
		if (l4[at] == OPTION_MSS && size == MSS_SIZE)
			lower(tcp, l4 + at + 2, mss);
	}
}
