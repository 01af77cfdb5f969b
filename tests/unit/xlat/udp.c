// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "vectors.h"

#define SERVER 0xc0000201U // 192.0.2.1
#define ALL_NODES 0xe0000001U

// Writes the answer that `reply` holds: the request's 23 octets backwards, then forwards.
static void write_payload(struct pkt *p)
{
	memcpy(p->l3 + p->l4_at + 8, reply + 28, sizeof reply - 28);
}

Test(xlat, udp_reply_equals_another_encoder)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, request, sizeof request, MAKE_MAX);
	write_payload(&p);
	cr_assert(xlat_udp_reply(&p, sizeof reply - 28));
	check_octets(&p, reply, sizeof reply);
	check_in_step(&p);
}

Test(xlat, udp_reply_leaves_options_out)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, request_options, sizeof request_options, MAKE_MAX);
	cr_assert_gt(p.l4_at, 20);
	write_payload(&p);
	cr_assert(xlat_udp_reply(&p, sizeof reply - 28));
	check_octets(&p, reply, sizeof reply);
	check_in_step(&p);
}

Test(xlat, udp_reply_must_fit)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, request, sizeof request, sizeof request);
	cr_assert_not(xlat_udp_reply(&p, sizeof request - 28 + 1));
	cr_assert_not(xlat_udp_reply(&p, SIZE_MAX));
	check_octets(&p, request, sizeof request);
	check_in_step(&p);
	cr_assert(xlat_udp_reply(&p, sizeof request - 28));
	cr_assert_eq(p.len, sizeof request);
	check_in_step(&p);
	cr_assert(xlat_udp_reply(&p, 0));
	cr_assert_eq(p.len, 28);
	check_in_step(&p);
}

// A request without a checksum is answered with one.
Test(xlat, udp_reply_has_a_checksum)
{
	uint8_t l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, request, sizeof request, MAKE_MAX);
	l3[26] = l3[27] = 0;
	write_payload(&p);
	cr_assert(xlat_udp_reply(&p, sizeof reply - 28));
	check_octets(&p, reply, sizeof reply);
}

Test(xlat, udp_make_equals_another_encoder)
{
	uint8_t l3[MAKE_MAX] = {0};
	struct pkt p = {.l3 = l3, .room = MAKE_MAX};

	memcpy(l3 + 28, announce + 28, sizeof announce - 28);
	cr_assert(xlat_udp_make(&p, SERVER, 5351, ALL_NODES, 5350, 1, sizeof announce - 28));
	check_octets(&p, announce, sizeof announce);
	cr_assert(p.kind == PKT_UDP && p.src == SERVER && p.dst == ALL_NODES);
	cr_assert(p.sport == 5351 && p.dport == 5350 && p.l4_at == 20 && p.protocol == IP_UDP);
}

Test(xlat, udp_make_must_fit)
{
	uint8_t l3[64];
	struct pkt p = {.l3 = l3};

	memset(l3, 0x5a, sizeof l3);
	for (p.room = 0; p.room < 38; p.room++)
		cr_assert_not(xlat_udp_make(&p, SERVER, 1, INSIDE, 2, 64, 10));
	cr_assert_not(xlat_udp_make(&p, SERVER, 1, INSIDE, 2, 64, SIZE_MAX - 8));
	for (size_t i = 0; i < sizeof l3; i++)
		cr_assert_eq(l3[i], 0x5a);
	cr_assert(xlat_udp_make(&p, SERVER, 1, INSIDE, 2, 64, 10));
	cr_assert_eq(l3[38], 0x5a);
	check_in_step(&p);
}

// Over all source ports one checksum is computed as zero and sent as 0xffff.
Test(xlat, udp_make_never_sends_a_checksum_of_zero)
{
	uint8_t l3[28];
	struct pkt p = {.l3 = l3, .room = sizeof l3};
	unsigned n_ones = 0;

	for (unsigned port = 0; port < 65536; port++) {
		cr_assert(xlat_udp_make(&p, SERVER, (uint16_t)port, INSIDE, 2, 64, 0));
		cr_assert(l3[26] || l3[27]);
		n_ones += l3[26] == 0xff && l3[27] == 0xff;
	}
	cr_assert_eq(n_ones, 1);
}
