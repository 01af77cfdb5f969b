// SPDX-License-Identifier: Apache-2.0
#include "check.h"
#include "vectors.h"

Test(xlat, req_5508_4_error_from_outside_equals_another_encoder)
{
	uint8_t l3[sizeof too_big_in_before];
	struct pkt p;

	check_load(&p, l3, too_big_in_before, sizeof l3, sizeof l3);
	xlat_error_from_outside(&p, recipe_of(INSIDE, 6000));
	check_octets(&p, too_big_in_after, sizeof too_big_in_after);
	check_in_step(&p);
}

Test(xlat, req_5508_3d_extension_travels_untouched)
{
	uint8_t l3[sizeof exceeded_mpls_in_before];
	struct pkt p;

	check_load(&p, l3, exceeded_mpls_in_before, sizeof l3, sizeof l3);
	xlat_error_from_outside(&p, recipe_of(INSIDE, 5000));
	check_octets(&p, exceeded_mpls_in_after, sizeof exceeded_mpls_in_after);
	check_in_step(&p);
}

Test(xlat, req_5508_5_error_from_inside_equals_another_encoder)
{
	uint8_t l3[sizeof port_out_before];
	struct pkt p;

	check_load(&p, l3, port_out_before, sizeof l3, sizeof l3);
	xlat_error_from_inside(&p, recipe_of(OUTSIDE, 40000));
	check_octets(&p, port_out_after, sizeof port_out_after);
	check_in_step(&p);
}

// A packet between two endpoints, quoted to `quoted` octets, in an error between two hosts.
struct scene {
	struct make packet, error;
	size_t quoted;
};

static size_t scene_write(uint8_t out[MAKE_MAX], const struct scene *s)
{
	uint8_t packet[MAKE_MAX] = {0};
	struct make error = s->error;

	make_packet(packet, &s->packet);
	error.payload = packet;
	error.payload_len = s->quoted;
	return make_packet(out, &error);
}

static struct scene scene_of(uint8_t protocol, size_t quoted)
{
	return (struct scene){
		.packet = {.src = OUTSIDE,
			.dst = REMOTE,
			.sport = 40000,
			.dport = 443,
			.protocol = protocol,
			.type = ICMP_ECHO,
			.payload = (const uint8_t *)"the same octets on both sides",
			.payload_len = 29},
		.error = {.src = ROUTER,
			.dst = OUTSIDE,
			.protocol = IP_ICMP,
			.type = ICMP_UNREACHABLE,
			.code = ICMP_HOST_UNREACHABLE,
			.tos = 0xb8},
		.quoted = quoted,
	};
}

static void scene_check_outside(struct scene s)
{
	uint8_t before[MAKE_MAX], after[MAKE_MAX], l3[MAKE_MAX];
	struct pkt p;

	check_load(&p, l3, before, scene_write(before, &s), MAKE_MAX);
	xlat_error_from_outside(&p, recipe_of(INSIDE, 5000));
	s.packet.src = s.error.dst = INSIDE;
	s.packet.sport = 5000;
	s.error.ttl = 63;
	check_octets(&p, after, scene_write(after, &s));
	check_in_step(&p);
}

// RFC 5508 REQ-3d, 4: what the quote has of the transport checksum is followed, what it lacks is
// not looked for. TCP's is whole from 38 octets on; of 37 its first half stays as it was, which no
// packet made anew shows.
Test(xlat, quotes_of_every_length)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		for (size_t quoted = 28; quoted <= 57; quoted++)
			if (protocols[i] != IP_TCP || quoted != 37)
				scene_check_outside(scene_of(protocols[i], quoted));
}

Test(xlat, req_5508_3b_embedded_options)
{
	for (uint8_t words = 0; words <= 10; words++) {
		struct scene s = scene_of(IP_UDP, 28u + 4u * words);
		s.packet.option_words = words;
		s.error.option_words = (uint8_t)(10 - words);
		scene_check_outside(s);
	}
}

Test(xlat, embedded_udp_without_checksum_keeps_none)
{
	struct scene s = scene_of(IP_UDP, 57);

	s.packet.no_checksum = true;
	scene_check_outside(s);
}

Test(xlat, embedded_echo_reply)
{
	struct scene s = scene_of(IP_ICMP, 57);

	s.packet.type = ICMP_ECHO_REPLY;
	scene_check_outside(s);
}

Test(xlat, half_a_checksum_stays_as_it_was)
{
	struct scene s = scene_of(IP_TCP, 37);
	uint8_t before[MAKE_MAX], l3[MAKE_MAX];
	struct pkt p;

	size_t len = scene_write(before, &s);
	check_load(&p, l3, before, len, MAKE_MAX);
	xlat_error_from_outside(&p, recipe_of(INSIDE, 5000));
	cr_assert_eq(l3[len - 1], before[len - 1]);
	check_in_step(&p);
}

// What stands behind an RFC 4884 length may look like the rest of a TCP header; it is not.
Test(xlat, req_5508_3d_tcp_checksum_is_not_sought_in_an_extension)
{
	struct scene s = scene_of(IP_TCP, 49);
	uint8_t before[MAKE_MAX], l3[MAKE_MAX];
	struct pkt p;

	s.error.length_words = 7;
	size_t len = scene_write(before, &s);
	check_load(&p, l3, before, len, MAKE_MAX);
	xlat_error_from_outside(&p, recipe_of(INSIDE, 5000));
	cr_assert_eq(memcmp(l3 + 28 + 28, before + 28 + 28, len - 56), 0);
	check_in_step(&p);
}

// All external ports: the embedded UDP checksum passes through what would be zero.
Test(xlat, embedded_udp_checksum_is_never_computed_as_zero)
{
	uint8_t before[MAKE_MAX], after[MAKE_MAX], l3[MAKE_MAX];
	struct scene s = scene_of(IP_UDP, 28);
	unsigned n_ones = 0;
	struct pkt p;

	size_t len = scene_write(before, &s);
	s.packet.src = s.error.dst = INSIDE;
	s.error.ttl = 63;
	for (unsigned port = 0; port < 65536; port++) {
		check_load(&p, l3, before, len, MAKE_MAX);
		xlat_error_from_outside(&p, recipe_of(INSIDE, (uint16_t)port));
		s.packet.sport = (uint16_t)port;
		scene_write(after, &s);
		cr_assert_eq(memcmp(l3, after, len), 0, "port %u", port);
		n_ones += l3[54] == 0xff && l3[55] == 0xff;
	}
	cr_assert_eq(n_ones, 1);
}

// I1 sent to I2's external endpoint; I2's host answers with an error, which goes back through both
// mappings. RFC 5508 REQ-7a: the outer destination is then the translated embedded source.
Test(xlat, req_5508_7_hairpinned_error)
{
	static const uint8_t protocols[] = {IP_UDP, IP_TCP, IP_ICMP};
	uint8_t before[MAKE_MAX], after[MAKE_MAX], l3[MAKE_MAX];
	struct pkt p;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		bool echo = protocols[i] == IP_ICMP;
		struct scene s = scene_of(protocols[i], 57);
		s.error.src = s.packet.dst = INSIDE + 1; // I2, as I2 saw the packet from OUTSIDE
		s.packet.dport = 8080;
		s.packet.sport = echo ? 8080 : 40000;
		check_load(&p, l3, before, scene_write(before, &s), MAKE_MAX);
		xlat_error_from_inside(&p, recipe_of(OUTSIDE + 1, 41000));
		check_in_step(&p);
		p.stage = PKT_HAIRPINNED;
		xlat_error_from_outside(&p, recipe_of(INSIDE, 5000));
		s.error.src = s.packet.dst = OUTSIDE + 1;
		s.error.dst = s.packet.src = INSIDE;
		s.packet.dport = 41000;
		s.packet.sport = 5000;
		s.error.ttl = 63;
		check_octets(&p, after, scene_write(after, &s));
		check_in_step(&p);
		cr_assert_eq(p.dst, p.inner.src);
	}
}
