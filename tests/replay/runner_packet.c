// SPDX-License-Identifier: Apache-2.0
// Packets as this runner reads and writes them. Everything here, checksums above all, is on purpose
// not the code of the rooms under test: a second reading of RFC 791, 768, 9293, 792 and 1071.
#include "runner.h"

#include <stdlib.h>

enum {
	UDP_SUM_AT = 6,
	TCP_SUM_AT = 16,
	ICMP_SUM_AT = 2,
	ICMP_ID_AT = 4,
	ICMP_QUOTE_AT = 8,
	IP_ID_AT = 4,
	IP_FRAGMENT_AT = 6,
	IP_SUM_AT = 10,
	IP_SRC_AT = 12,
	IP_DST_AT = 16,
	IP_HEADER = 20,
	UDP_HEADER = 8,
	FRESH_TTL = 64
};

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static void put16(uint8_t *at, unsigned v)
{
	at[0] = (uint8_t)(v >> 8);
	at[1] = (uint8_t)v;
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put32(uint8_t *at, uint32_t v)
{
	put16(at, v >> 16);
	put16(at + 2, v & 0xffff);
}

// ---- where things stand in an IPv4 packet
// --------------------------------------------------------

struct view { // into octets that may be cut short (the quote of an ICMP error)
	uint8_t *ip, *l4;
	size_t l4_len; // octets of the transport header and payload that are there
	uint8_t protocol;
};

static bool is_fragment(const uint8_t *ip)
{
	return (get16(ip + IP_FRAGMENT_AT) & (IP4_MF | IP4_OFFSET)) != 0;
}

static bool is_later(const uint8_t *ip) // a fragment without a transport header
{
	return (get16(ip + IP_FRAGMENT_AT) & IP4_OFFSET) != 0;
}

static bool view_open(uint8_t *bytes, size_t len, struct view *v)
{
	size_t header;

	if (len < IP_HEADER || bytes[0] >> 4 != 4)
		return false;
	header = (size_t)(bytes[0] & 15) * 4;
	if (header < IP_HEADER || header + (is_later(bytes) ? 0 : ICMP_QUOTE_AT) > len)
		return false;
	*v = (struct view){bytes, bytes + header, len - header, bytes[9]};
	return true;
}

static bool is_icmp_error(const struct view *v)
{
	uint8_t type = is_later(v->ip) ? 0 : v->l4[0];

	return v->protocol == IP_ICMP &&
	       (type == ICMP_UNREACHABLE || type == ICMP_TIME_EXCEEDED || type == ICMP_PARAMETER);
}

static int sum_at(const struct view *v) // -1: no transport checksum there
{
	int at = v->protocol == IP_UDP    ? UDP_SUM_AT
		 : v->protocol == IP_TCP  ? TCP_SUM_AT
		 : v->protocol == IP_ICMP ? ICMP_SUM_AT
					  : -1;

	return at >= 0 && (size_t)at + 2 <= v->l4_len ? at : -1;
}

// ---- checksums
// -----------------------------------------------------------------------------------

static uint16_t sum_words(const uint8_t *at, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += get16(at + i);
	if (len % 2 != 0)
		sum += (uint32_t)at[len - 1] << 8;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)sum;
}

static uint16_t sum_l4(const struct view *v)
{
	uint32_t pseudo = 0;

	if (v->protocol != IP_ICMP)
		pseudo = sum_words(v->ip + IP_SRC_AT, 8, v->protocol + (uint32_t)v->l4_len);
	return sum_words(v->l4, v->l4_len, pseudo);
}

static void write_sums(struct view *v)
{
	size_t header = (size_t)(v->l4 - v->ip);
	int at = sum_at(v);
	uint16_t sum;

	put16(v->ip + IP_SUM_AT, 0);
	put16(v->ip + IP_SUM_AT, (uint16_t)~sum_words(v->ip, header, 0));
	if (at < 0 || (v->protocol == IP_UDP && get16(v->l4 + at) == 0))
		return;
	put16(v->l4 + at, 0);
	sum = (uint16_t)~sum_l4(v);
	put16(v->l4 + at, sum == 0 && v->protocol == IP_UDP ? 0xffff : sum);
}

const char *packet_fault(const struct packet *p)
{
	struct packet copy = *p;
	struct view v;
	int at;

	if (!view_open(copy.bytes, copy.len, &v))
		return "no IPv4 header";
	if (get16(v.ip + 2) != copy.len)
		return "total length is not the packet's length";
	if (sum_words(v.ip, (size_t)(v.l4 - v.ip), 0) != 0xffff)
		return "wrong IP header checksum";
	if (is_fragment(v.ip)) // the rest of what its checksum covers is elsewhere
		return NULL;
	if (v.protocol == IP_UDP && get16(v.l4 + 4) != v.l4_len)
		return "UDP length is not the packet's length";
	at = sum_at(&v);
	if (at < 0 || (v.protocol == IP_UDP && get16(v.l4 + at) == 0))
		return NULL;
	return sum_l4(&v) == 0xffff ? NULL : "wrong transport checksum";
}

// ---- UDP
// -----------------------------------------------------------------------------------------

void packet_make_udp(struct packet *p, struct endpoint from, struct endpoint to,
	const uint8_t *payload, size_t len)
{
	uint8_t *ip = p->bytes, *udp = ip + IP_HEADER;
	struct view v;

	memset(p->bytes, 0, sizeof p->bytes);
	p->len = IP_HEADER + UDP_HEADER + len;
	ip[0] = 0x45;
	put16(ip + 2, (unsigned)p->len);
	ip[8] = FRESH_TTL;
	ip[9] = IP_UDP;
	put32(ip + IP_SRC_AT, from.addr);
	put32(ip + IP_DST_AT, to.addr);
	put16(udp, from.port);
	put16(udp + 2, to.port);
	put16(udp + 4, (unsigned)(UDP_HEADER + len));
	put16(udp + UDP_SUM_AT, 1); // not "none"
	memcpy(udp + UDP_HEADER, payload, len);
	if (view_open(p->bytes, p->len, &v))
		write_sums(&v);
}

const uint8_t *packet_udp_payload(
	const struct packet *p, struct endpoint from, struct endpoint to, size_t *len)
{
	const uint8_t *ip = p->bytes, *udp = ip + (size_t)(ip[0] & 15) * 4;

	if (ip[9] != IP_UDP || get32(ip + IP_SRC_AT) != from.addr ||
		get32(ip + IP_DST_AT) != to.addr)
		return NULL;
	if (get16(udp) != from.port || get16(udp + 2) != to.port)
		return NULL;
	*len = get16(udp + 4) - (size_t)UDP_HEADER;
	return udp + UDP_HEADER;
}

// ---- external ports
// ------------------------------------------------------------------------------

static bool in_pool(const struct conf *c, const uint8_t *address)
{
	const struct conf_local *local = conf_find_local(c, 0, get32(address));

	return local != NULL && local->kind == CONF_LOCAL_POOL;
}

// The one or two places of a header that hold an external port. A hairpin has two.
static unsigned external_places(const struct view *v, const struct conf *c, uint8_t *places[2])
{
	bool src = in_pool(c, v->ip + IP_SRC_AT), dst = in_pool(c, v->ip + IP_DST_AT);
	unsigned n = 0;

	if (is_later(v->ip))
		return 0;
	if (v->protocol == IP_ICMP) {
		if (src || dst)
			places[n++] = v->l4 + ICMP_ID_AT;
		return n;
	}
	if (src)
		places[n++] = v->l4;
	if (dst)
		places[n++] = v->l4 + 2;
	return n;
}

static bool view_quote(const struct view *v, struct view *quote)
{
	return is_icmp_error(v) &&
	       view_open(v->l4 + ICMP_QUOTE_AT, v->l4_len - ICMP_QUOTE_AT, quote);
}

static uint16_t first_port(const struct view *v, const struct conf *c)
{
	uint8_t *places[2];

	return external_places(v, c, places) > 0 ? get16(places[0]) : 0;
}

bool packet_is_identified(const struct packet *p, const struct conf *c)
{
	uint16_t field = get16(p->bytes + IP_FRAGMENT_AT);

	return in_pool(c, p->bytes + IP_SRC_AT) &&
	       (field & (IP4_DF | IP4_MF | IP4_OFFSET)) != IP4_DF;
}

bool packet_is_piece(const struct packet *p)
{
	return is_fragment(p->bytes);
}

uint16_t packet_id(const struct packet *p)
{
	return get16(p->bytes + IP_ID_AT);
}

void packet_set_id(struct packet *p, uint16_t id)
{
	put16(p->bytes + IP_ID_AT, id);
	put16(p->bytes + IP_SUM_AT, 0);
	put16(p->bytes + IP_SUM_AT,
		(uint16_t)~sum_words(p->bytes, (size_t)(p->bytes[0] & 15) * 4, 0));
}

uint16_t packet_external_port(const struct packet *p, const struct conf *c)
{
	struct packet copy = *p;
	struct view v, quote;

	if (!view_open(copy.bytes, copy.len, &v))
		return 0;
	if (view_quote(&v, &quote))
		return first_port(&quote, c);
	return is_icmp_error(&v) ? 0 : first_port(&v, c);
}

// A quote or a fragment is cut short, so its checksum cannot be made anew: RFC 1624, HC' = ~(~HC +
// ~m + m').
static void mend_cut_sum(const struct view *v, uint16_t from, uint16_t to)
{
	int at = sum_at(v);
	uint32_t sum;

	if (at < 0 || (v->protocol == IP_UDP && get16(v->l4 + at) == 0))
		return;
	sum = (uint16_t)~get16(v->l4 + at) + (uint32_t)(uint16_t)~from + to;
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	put16(v->l4 + at, (uint16_t)~sum);
}

static bool rename_in(
	const struct view *v, const struct conf *c, uint16_t from, uint16_t to, bool is_cut)
{
	uint8_t *places[2];
	unsigned n = external_places(v, c, places);
	bool renamed = false;

	for (unsigned i = 0; i < n; i++) {
		if (get16(places[i]) != from)
			continue;
		put16(places[i], to);
		renamed = true;
		if (is_cut)
			mend_cut_sum(v, from, to);
	}
	return renamed;
}

void packet_rename_port(struct packet *p, const struct conf *c, uint16_t from, uint16_t to)
{
	struct view v, quote;
	bool renamed = false;

	if (!view_open(p->bytes, p->len, &v))
		return;
	if (view_quote(&v, &quote))
		renamed = rename_in(&quote, c, from, to, true);
	else if (!is_icmp_error(&v))
		renamed = rename_in(&v, c, from, to, is_fragment(v.ip));
	if (renamed && !is_fragment(v.ip))
		write_sums(&v);
}
