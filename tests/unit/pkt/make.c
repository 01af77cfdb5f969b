// SPDX-License-Identifier: Apache-2.0
#include "make.h"

static void put(uint8_t *at, unsigned octets, uint32_t n)
{
	while (octets--) {
		at[octets] = (uint8_t)n;
		n >>= 8;
	}
}

uint16_t make_sum(uint32_t sum, const uint8_t *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		sum += i % 2 ? data[i] : (uint32_t)data[i] << 8;
		if (sum > 0xffff)
			sum -= 0xffff;
	}
	return (uint16_t)~sum;
}

static uint16_t pseudo_sum(const struct make *m, const uint8_t *l4, size_t len)
{
	uint8_t pseudo[12] = {0};

	put(pseudo, 4, m->src);
	put(pseudo + 4, 4, m->dst);
	pseudo[9] = m->protocol;
	put(pseudo + 10, 2, (uint32_t)len);
	return make_sum((uint16_t)~make_sum(0, pseudo, sizeof pseudo), l4, len);
}

static size_t put_payload(uint8_t *at, const struct make *m)
{
	if (m->payload)
		memcpy(at, m->payload, m->payload_len);
	else
		memset(at, 0, m->payload_len);
	return m->payload_len;
}

static size_t make_udp(uint8_t *l4, const struct make *m)
{
	size_t len = 8 + put_payload(l4 + 8, m);
	uint16_t sum;

	put(l4, 2, m->sport);
	put(l4 + 2, 2, m->dport);
	put(l4 + 4, 2, (uint32_t)len);
	put(l4 + 6, 2, 0);
	sum = pseudo_sum(m, l4, len);
	put(l4 + 6, 2, m->no_checksum ? 0 : sum == 0 ? 0xffff : sum);
	return len;
}

static size_t make_tcp(uint8_t *l4, const struct make *m)
{
	size_t len = 20 + put_payload(l4 + 20, m);

	put(l4, 2, m->sport);
	put(l4 + 2, 2, m->dport);
	put(l4 + 4, 4, 0x01020304);
	put(l4 + 8, 4, 0x0a0b0c0d);
	l4[12] = 0x50;
	l4[13] = m->flags;
	put(l4 + 14, 2, 64240);
	put(l4 + 16, 4, 0);
	put(l4 + 16, 2, pseudo_sum(m, l4, len));
	return len;
}

static size_t make_icmp(uint8_t *l4, const struct make *m)
{
	bool echo = m->type == 8 || m->type == 0;
	size_t len = 8 + put_payload(l4 + 8, m);

	l4[0] = m->type;
	l4[1] = m->code;
	put(l4 + 2, 2, 0);
	put(l4 + 4, 2, echo ? m->sport : m->length_words);
	put(l4 + 6, 2, m->seq);
	put(l4 + 2, 2, make_sum(0, l4, len));
	return len;
}

static size_t make_l4(uint8_t *l4, const struct make *m)
{
	switch (m->protocol) {
	case IP_UDP:
		return make_udp(l4, m);
	case IP_TCP:
		return make_tcp(l4, m);
	case IP_ICMP:
		return make_icmp(l4, m);
	default:
		return put_payload(l4, m);
	}
}

size_t make_packet(uint8_t out[MAKE_MAX], const struct make *m)
{
	size_t header = 20 + 4u * m->option_words;
	size_t len = header + make_l4(out + header, m);

	out[0] = (uint8_t)(0x45 + m->option_words);
	out[1] = m->tos;
	put(out + 2, 2, (uint32_t)len);
	put(out + 4, 2, m->id);
	put(out + 6, 2, m->fragment);
	out[8] = m->ttl ? m->ttl : 64;
	out[9] = m->protocol;
	put(out + 12, 4, m->src);
	put(out + 16, 4, m->dst);
	memset(out + 20, 1, header - 20);
	make_header_right(out);
	return len;
}

size_t make_piece(uint8_t out[MAKE_MAX], const uint8_t *packet, size_t first, size_t end)
{
	size_t header = (packet[0] & 15u) * 4, total = (size_t)packet[2] << 8 | packet[3];
	size_t len = header + end - first;
	uint32_t flags = packet[6] & 0xc0u;

	memcpy(out, packet, header);
	memcpy(out + header, packet + header + first, end - first);
	put(out + 2, 2, (uint32_t)len);
	put(out + 6, 2, flags << 8 | (end < total - header ? 0x2000 : 0) | (uint32_t)first / 8);
	make_header_right(out);
	return len;
}

void make_header_right(uint8_t *l3)
{
	put(l3 + 10, 2, 0);
	put(l3 + 10, 2, make_sum(0, l3, (l3[0] & 15u) * 4));
}

void make_right(uint8_t *l3)
{
	size_t header = (l3[0] & 15u) * 4, len = (size_t)l3[2] << 8 | l3[3];

	make_header_right(l3);
	if (l3[9] != IP_ICMP || len < header + 4)
		return;
	put(l3 + header + 2, 2, 0);
	put(l3 + header + 2, 2, make_sum(0, l3 + header, len - header));
}

enum drop make_parse(struct pkt *p, uint8_t *l3, size_t len)
{
	memset(p, 0xee, sizeof *p);
	p->room = (uint16_t)len;
	p->stage = PKT_FRESH;
	return pkt_parse_ip4(p, l3, len);
}
