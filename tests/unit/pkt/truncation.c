// SPDX-License-Identifier: Apache-2.0
// Every sample packet cut at every length, in a heap block of just that length, so that the address
// sanitizer sees a read of one octet too many. First as the wire would cut it, then with a total
// length that agrees with the cut, so that the later checks are reached.
#include <postern/pkt.h>

#include <criterion/criterion.h>

#include <stdlib.h>

#include "make.h"
#include "vectors.h"

#define SAMPLE(bytes)                                                                              \
	{                                                                                          \
		bytes, sizeof bytes                                                                \
	}

static const struct {
	const uint8_t *bytes;
	size_t len;
} samples[] = {
	{frame_udp_vlan + 18, sizeof frame_udp_vlan - 18},
	SAMPLE(packet_tcp_syn),
	SAMPLE(packet_echo),
	SAMPLE(packet_udp_options),
	SAMPLE(packet_gre),
	SAMPLE(packet_too_big),
	SAMPLE(packet_exceeded_mpls),
};

static enum drop parse_cut(const uint8_t *bytes, size_t cut, bool agree, struct pkt *p)
{
	uint8_t *l3 = malloc(cut);
	enum drop drop;

	memcpy(l3, bytes, cut);
	if (agree) {
		l3[2] = (uint8_t)(cut >> 8);
		l3[3] = (uint8_t)cut;
		make_right(l3);
	}
	drop = make_parse(p, l3, cut);
	free(l3);
	return drop;
}

Test(pkt, a_cut_packet_is_never_accepted)
{
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t header = (samples[i].bytes[0] & 15u) * 4;
		for (size_t cut = 0; cut < samples[i].len; cut++)
			cr_assert_eq(parse_cut(samples[i].bytes, cut, false, &p),
				cut < header ? DROP_IP_HEADER : DROP_IP_TRUNCATED,
				"sample %zu at %zu", i, cut);
		cr_assert_eq(parse_cut(samples[i].bytes, samples[i].len, false, &p), DROP_NONE);
	}
}

Test(pkt, an_accepted_packet_has_its_headers_inside)
{
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(samples); i++) {
		size_t header = (samples[i].bytes[0] & 15u) * 4;
		for (size_t cut = header; cut <= samples[i].len; cut++) {
			enum drop drop = parse_cut(samples[i].bytes, cut, true, &p);
			if (drop) {
				cr_assert(drop == DROP_L4_HEADER || drop == DROP_ICMP_EMBEDDED,
					"sample %zu at %zu: %s", i, cut, drop_name(drop));
				continue;
			}
			cr_assert_eq(p.len, cut);
			if (p.kind == PKT_UDP || p.kind == PKT_ECHO)
				cr_assert_geq(cut, p.l4_at + 8u);
			if (p.kind == PKT_TCP)
				cr_assert_geq(cut, p.l4_at + 20u);
			if (p.kind == PKT_ICMP_ERROR)
				cr_assert_geq(cut, (size_t)p.inner.l4_at + p.inner.l4_left);
		}
	}
}

Test(pkt, cut_frames)
{
	struct pkt_link link;

	for (size_t cut = 0; cut <= sizeof frame_udp_vlan; cut++) {
		uint8_t *frame = malloc(cut);
		memcpy(frame, frame_udp_vlan, cut);
		cr_assert_eq(pkt_parse_link(frame, cut, &link),
			cut < 18 ? DROP_ETHERNET_SHORT : DROP_NONE, "%zu", cut);
		free(frame);
	}
}

// Any octets at all, behind a header that parses often enough to get somewhere.
Test(pkt, garbage_is_parsed_or_dropped)
{
	unsigned accepted = 0;
	struct rng rng;
	struct pkt p;

	rng_init_u64(&rng, 791);
	for (unsigned i = 0; i < 300000; i++) {
		uint8_t bytes[128];
		size_t len = 20 + rng_below(&rng, sizeof bytes - 20);
		for (size_t k = 0; k < len; k++)
			bytes[k] = (uint8_t)rng_u32(&rng);
		bytes[0] = (uint8_t)(0x45 + rng_below(&rng, 2));
		bytes[9] = (uint8_t[]){IP_UDP, IP_TCP, IP_ICMP, 47}[i % 4];
		if (len >= 24)
			accepted += parse_cut(bytes, len, true, &p) == DROP_NONE;
	}
	cr_assert_gt(accepted, 1000);
}
