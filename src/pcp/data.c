// SPDX-License-Identifier: Apache-2.0
// The data of each option that has a structure, both ways. Readers are told lengths by the option
// list and trust nothing else.
#include <postern/pcp.h>

#include "wire.h"

enum {
	MAPPED_BITS = 96 // the part of ::ffff:a.b.c.d that is no IPv4 address
};

struct filter_wire { // RFC 6887 s.13.3
	uint8_t reserved, prefix;
	be16 port;
	ip6 address;
};

struct filter4_wire { // draft-ietf-pcp-base-07, in MAP4
	uint8_t reserved, prefix;
	be16 port;
	be32 address;
};

struct port_set_wire { // RFC 7753 s.4
	be16 size, first;
	uint8_t flags;
};

struct prefix64_wire { // RFC 7225 s.4.1, then: count, entries
	be16 length;
	uint8_t octets[12];
};

struct prefix64_entry { // the second one is not aligned to 4
	be16 bits;
	be32 address;
};

struct next_wire {
	uint8_t nonce[12];
	uint8_t protocol, reserved[2], end;
	ip6 internal_ip, external_ip;
	be32 lifetime;
	be16 internal_port, external_port;
};

static_assert(sizeof(struct filter_wire) == 20, "RFC 6887 s.13.3: 20 octets");
static_assert(sizeof(struct filter4_wire) == 8, "draft-ietf-pcp-base-07: 8 octets");
static_assert(sizeof(struct port_set_wire) == 5, "RFC 7753 s.4: 5 octets");
static_assert(sizeof(struct prefix64_wire) == 14, "RFC 7225 s.4.1: 14 octets without a list");
static_assert(sizeof(struct prefix64_entry) == 6, "RFC 7225 s.4.1: 6 octets an entry");
static_assert(sizeof(struct next_wire) == PCP_NEXT_ENTRY, "draft: 56 octets");

enum {
	PORT_SET_PARITY = 1
};

// ---- THIRD_PARTY -----------------------------------------------------------------------------

bool pcp_read_third_party(const struct pcp_message *m, const struct pcp_option *o, ip6 *out)
{
	be32 four;

	*out = (ip6){0};
	if (o->length == sizeof out->b) {
		memcpy(out->b, o->data, sizeof out->b);
		return true;
	}
	if (m->dialect == PCP_V1A && o->length == sizeof four) {
		memcpy(four.b, o->data, sizeof four);
		*out = ip6_mapped(be32_get(four));
		return true;
	}
	return m->dialect == PCP_V1B && o->length == 0; // -14 to -20: everybody, to delete
}

size_t pcp_append_third_party(
	uint8_t *msg, size_t at, size_t cap, const struct pcp_message *m, ip6 address)
{
	uint8_t code = pcp_option_code_in((enum pcp_dialect)m->dialect, PCP_THIRD_PARTY);

	if (code == 0)
		return 0;
	if (m->dialect == PCP_V1A && ip6_is_mapped(address))
		return pcp_append_option(msg, at, cap, code, address.b + 12, 4);
	return pcp_append_option(msg, at, cap, code, address.b, sizeof address.b);
}

// ---- FILTER ----------------------------------------------------------------------------------

static bool read_filter4(const struct pcp_option *o, struct pcp_filter *out)
{
	const struct filter4_wire *wire = (const void *)o->data;

	if (wire->prefix > 32)
		return false;
	out->prefix = wire->prefix ? (uint8_t)(MAPPED_BITS + wire->prefix) : 0;
	out->port = be16_get(wire->port);
	out->address = ip6_mapped(be32_get(wire->address));
	return true;
}

// -13 to -21 counted the bits of an IPv4 address from 0, later drafts from 96: 1..32 with a mapped
// address cannot be meant otherwise.
static bool check_prefix(const struct pcp_message *m, struct pcp_filter *f)
{
	if (f->prefix == 0)
		return true;
	if (f->prefix > 128)
		return false;
	if (!ip6_is_mapped(f->address) || f->prefix >= MAPPED_BITS)
		return true;
	if (m->dialect != PCP_V1B || f->prefix > 32)
		return false;
	f->prefix = (uint8_t)(f->prefix + MAPPED_BITS);
	return true;
}

bool pcp_read_filter(
	const struct pcp_message *m, const struct pcp_option *o, struct pcp_filter *out)
{
	const struct filter_wire *wire = (const void *)o->data;

	*out = (struct pcp_filter){0};
	if (m->dialect == PCP_V1A && o->length == sizeof(struct filter4_wire))
		return read_filter4(o, out);
	if (o->length != sizeof *wire)
		return false;
	out->prefix = wire->prefix;
	out->port = be16_get(wire->port);
	out->address = wire->address;
	return check_prefix(m, out);
}

static size_t append_filter4(
	uint8_t *msg, size_t at, size_t cap, uint8_t code, const struct pcp_filter *f)
{
	struct filter4_wire wire = {
		.prefix = f->prefix >= MAPPED_BITS ? (uint8_t)(f->prefix - MAPPED_BITS) : 0,
		.port = be16_of(f->port),
		.address = be32_of(ip6_to_ip4(f->address)),
	};

	return pcp_append_option(msg, at, cap, code, &wire, sizeof wire);
}

size_t pcp_append_filter(uint8_t *msg, size_t at, size_t cap, const struct pcp_message *m,
	const struct pcp_filter *filter)
{
	uint8_t code = pcp_option_code_in((enum pcp_dialect)m->dialect, PCP_FILTER);
	struct filter_wire wire = {
		.prefix = filter->prefix,
		.port = be16_of(filter->port),
		.address = filter->address,
	};

	if (code == 0)
		return 0;
	if (m->dialect == PCP_V1A && ip6_is_mapped(filter->address))
		return append_filter4(msg, at, cap, code, filter);
	return pcp_append_option(msg, at, cap, code, &wire, sizeof wire);
}

// ---- PORT_SET --------------------------------------------------------------------------------

bool pcp_read_port_set(const struct pcp_option *o, struct pcp_port_set *out)
{
	const struct port_set_wire *wire = (const void *)o->data;

	*out = (struct pcp_port_set){0};
	if (o->length != sizeof *wire)
		return false;
	out->size = be16_get(wire->size);
	out->first = be16_get(wire->first);
	out->parity = (wire->flags & PORT_SET_PARITY) != 0;
	return out->size > 0;
}

size_t pcp_append_port_set(uint8_t *msg, size_t at, size_t cap, const struct pcp_port_set *set)
{
	struct port_set_wire wire = {
		.size = be16_of(set->size),
		.first = be16_of(set->first),
		.flags = set->parity ? PORT_SET_PARITY : 0,
	};

	return pcp_append_option(msg, at, cap, PCP_PORT_SET, &wire, sizeof wire);
}

// ---- PREFIX64 --------------------------------------------------------------------------------

static bool is_prefix64_length(unsigned octets)
{
	return (octets >= 4 && octets <= 8) || octets == 12; // RFC 6052 s.2.2
}

// RFC 7225 s.4.3: an invalid entry is ignored, the others are not.
static void read_entry(const struct prefix64_entry *wire, struct pcp_prefix64 *out)
{
	uint16_t bits = be16_get(wire->bits);
	ip4 address = be32_get(wire->address);

	if (bits > 32 || (address & ~prefix4_mask((uint8_t)bits)) != 0)
		return;
	if (out->n == ARRAY_SIZE(out->ip4))
		return;
	out->ip4[out->n].bits = (uint8_t)bits;
	out->ip4[out->n].address = address;
	out->n++;
}

bool pcp_read_prefix64(const struct pcp_option *o, struct pcp_prefix64 *out)
{
	struct reader r = {0};
	uint16_t length, entries;

	*out = (struct pcp_prefix64){0};
	if (o->length < sizeof(struct prefix64_wire))
		return false;
	r = (struct reader){.at = o->data, .end = o->data + o->length};
	length = read_u16(&r);
	read_bytes(&r, out->octets, sizeof out->octets);
	if (!is_prefix64_length(length))
		return false;
	out->length = (uint8_t)length;
	if (reader_left(&r) == 0)
		return true;
	entries = read_u16(&r);
	if (r.bad || reader_left(&r) != entries * sizeof(struct prefix64_entry))
		return false;
	for (uint16_t i = 0; i < entries; i++)
		read_entry((const void *)(r.at + i * sizeof(struct prefix64_entry)), out);
	return entries == 0 || out->n > 0; // an empty rest of a list would mean "all"
}

size_t pcp_append_prefix64(uint8_t *msg, size_t at, size_t cap, const struct pcp_prefix64 *prefix)
{
	uint8_t data[sizeof(struct prefix64_wire) + 2 +
		     ARRAY_SIZE(prefix->ip4) * sizeof(struct prefix64_entry)];
	struct writer w = {.at = data, .end = data + sizeof data};

	assert(prefix->n <= ARRAY_SIZE(prefix->ip4));
	write_u16(&w, prefix->length);
	write_bytes(&w, prefix->octets, sizeof prefix->octets);
	if (prefix->n > 0)
		write_u16(&w, prefix->n);
	for (uint16_t i = 0; i < prefix->n; i++) {
		write_u16(&w, prefix->ip4[i].bits);
		write_u32(&w, prefix->ip4[i].address);
	}
	return pcp_append_option(msg, at, cap, PCP_PREFIX64, data, (uint16_t)(w.at - data));
}

// ---- NEXT ------------------------------------------------------------------------------------

bool pcp_read_next(const struct pcp_option *o, struct pcp_next *out)
{
	const struct next_wire *wire = (const void *)o->data;

	*out = (struct pcp_next){0};
	if (o->length < sizeof *wire)
		return false;
	memcpy(out->nonce.b, wire->nonce, sizeof out->nonce.b);
	out->protocol = wire->protocol;
	out->end = wire->end != 0;
	out->internal_ip = wire->internal_ip;
	out->external_ip = wire->external_ip;
	out->lifetime_s = be32_get(wire->lifetime);
	out->internal_port = be16_get(wire->internal_port);
	out->external_port = be16_get(wire->external_port);
	out->n_wanted = (uint16_t)(o->length - sizeof *wire);
	out->wanted = out->n_wanted > 0 ? o->data + sizeof *wire : NULL;
	return true;
}

size_t pcp_append_next(uint8_t *msg, size_t at, size_t cap, const struct pcp_next *next)
{
	uint8_t data[PCP_MAX];
	struct next_wire *wire = (void *)data;
	size_t length = sizeof *wire + next->n_wanted;

	if (length > sizeof data)
		return 0;
	*wire = (struct next_wire){
		.protocol = next->protocol,
		.end = next->end,
		.internal_ip = next->internal_ip,
		.external_ip = next->external_ip,
		.lifetime = be32_of(next->lifetime_s),
		.internal_port = be16_of(next->internal_port),
		.external_port = be16_of(next->external_port),
	};
	memcpy(wire->nonce, next->nonce.b, sizeof wire->nonce);
	if (next->n_wanted > 0)
		memcpy(data + sizeof *wire, next->wanted, next->n_wanted);
	return pcp_append_option(msg, at, cap, PCP_NEXT, data, (uint16_t)length);
}

// ---- DESCRIPTION -----------------------------------------------------------------------------

// Octets of the sequence that begins with `lead`, RFC 3629 s.3; 0: none does. *least is the
// smallest code point that needs so many: anything below is overlong.
static size_t sequence_length(uint8_t lead, uint32_t *point, uint32_t *least)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least;
	} forms[] = {
		{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		if ((lead & forms[i].mask) != forms[i].lead)
			continue;
		*point = lead & (uint8_t)~forms[i].mask;
		*least = forms[i].least;
		return i + 1;
	}
	return 0;
}

bool pcp_text_is_utf8(const uint8_t *text, size_t length)
{
	for (size_t at = 0; at < length;) {
		uint32_t point = 0, least = 0;
		size_t n = sequence_length(text[at], &point, &least);

		if (n == 0 || n > length - at)
			return false;
		for (size_t i = 1; i < n; i++) {
			if ((text[at + i] & 0xc0) != 0x80)
				return false;
			point = point << 6 | (text[at + i] & 0x3f);
		}
		if (point < least || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
			return false;
		at += n;
	}
	return true;
}
