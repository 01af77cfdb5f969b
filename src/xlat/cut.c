// SPDX-License-Identifier: Apache-2.0
// Cutting packets for links that take less (RFC 791 s.3.2), and the identification by which their
// receiver knows what belongs together (RFC 6864).
#include <postern/xlat.h>

#include "rewrite.h"

enum {
	UNIT = 8, // of offsets
	OPTION_END = 0,
	OPTION_NOP = 1,
	OPTION_COPIED = 0x80,
	MTU_MIN = 68 // RFC 791: the longest header and one unit
};

void xlat_identify(struct pkt *p, uint16_t id)
{
	struct ip4_wire *ip = (void *)p->l3;
	uint16_t before = word_at(&ip->id);

	ip->id = be16_of(id);
	apply_delta(&ip->checksum, checksum_delta16(before, word_at(&ip->id)));
}

bool xlat_is_atomic(const struct pkt *p)
{
	const struct ip4_wire *ip = (const void *)p->l3;

	return (be16_get(ip->fragment) & (IP4_DF | IP4_MF | IP4_OFFSET)) == IP4_DF;
}

// Writes those of the packet's options that every piece has and returns their octets, a multiple of
// four. What follows a malformed option is no option.
static uint32_t copy_options(const struct pkt *p, uint8_t *out)
{
	uint32_t at = sizeof(struct ip4_wire), n = 0;

	while (at < p->l4_at && p->l3[at] != OPTION_END) {
		uint32_t size = 1;
		if (p->l3[at] != OPTION_NOP) {
			size = at + 1 < p->l4_at ? p->l3[at + 1] : 0;
			if (size < 2 || size > p->l4_at - at)
				break;
		}
		if (p->l3[at] & OPTION_COPIED) {
			memcpy(out + n, p->l3 + at, size);
			n += size;
		}
		at += size;
	}
	while (n % 4 != 0)
		out[n++] = OPTION_END;
	return n;
}

static uint32_t write_options(const struct pkt *p, bool first, uint8_t *out)
{
	uint32_t n = p->l4_at - (uint32_t)sizeof(struct ip4_wire);

	if (!first)
		return n == 0 ? 0 : copy_options(p, out);
	memcpy(out, p->l3 + sizeof(struct ip4_wire), n);
	return n;
}

// Of the packet's own header, what is another one in this piece.
static void finish_piece(uint8_t *out, uint32_t header, uint32_t octets, uint32_t field)
{
	struct ip4_wire *ip = (void *)out;

	ip->version_ihl = (uint8_t)(0x40 + header / 4);
	ip->total_length = be16_of((uint16_t)(header + octets));
	ip->fragment = be16_of((uint16_t)field);
	ip->checksum = be16_of(0);
	ip->checksum = be16_of(checksum_ip4(out, header));
}

size_t xlat_cut(const struct pkt *p, uint16_t mtu, uint32_t *at, uint8_t *out, size_t room)
{
	const struct ip4_wire *ip = (const void *)p->l3;
	uint32_t field = be16_get(ip->fragment), left = (uint32_t)p->len - p->l4_at - *at;
	uint32_t offset = (field & IP4_OFFSET) + *at / UNIT;

	// An offset that does not fit its field: not of a datagram that was ever whole.
	if (left == 0 || mtu < MTU_MIN || room < mtu || offset > IP4_OFFSET)
		return 0;
	memcpy(out, ip, sizeof *ip);
	uint32_t header = (uint32_t)sizeof *ip + write_options(p, *at == 0, out + sizeof *ip);
	uint32_t octets = left > mtu - header ? (mtu - header) / UNIT * UNIT : left;
	uint32_t more = octets < left ? IP4_MF : field & IP4_MF;

	memcpy(out + header, p->l3 + p->l4_at + *at, octets);
	finish_piece(
		out, header, octets, (field & ~(uint32_t)(IP4_MF | IP4_OFFSET)) | more | offset);
	*at += octets;
	return header + octets;
}
