// SPDX-License-Identifier: Apache-2.0
// `prefix64`: the NAT64 prefixes that clients are told (RFC 7225). Nothing here translates to them.
#include "draft.h"
#include "leaf.h"

enum {
	PREFIX64_MOST = 8, // of one group: they go into one reply, with what else it has to say
	ZERO_OCTET = 8     // bits 64 to 71 of an address (RFC 6052 s.2.2)
};

static bool is_pref64_length(uint8_t bits)
{
	return bits == 32 || bits == 40 || bits == 48 || bits == 56 || bits == 64 || bits == 96;
}

// ::/96 is what a client asks with; mapped, link-local and multicast addresses lead nowhere.
static bool is_unicast(const ip6 *base)
{
	static const uint8_t zeros[12] = {0};

	return memcmp(base->b, zeros, 4) != 0 && base->b[0] != 0xff &&
	       !(base->b[0] == 0xfe && (base->b[1] & 0xc0) == 0x80);
}

static const char *judge_prefix(const struct prefix6 *p, ip6 host)
{
	if (!ip6_eq(p->base, host))
		return "no bits behind the prefix";
	if (!is_unicast(&p->base))
		return "a unicast prefix";
	if (p->base.b[ZERO_OCTET])
		return "bits 64 to 71 zero (RFC 6052 s.2.2)";
	return NULL;
}

static void read_prefix(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_prefix64 *s = out;
	const char *wanted = "an IPv6 prefix of 32, 40, 48, 56, 64 or 96 bits, such as "
			     "2001:db8:64::/96";
	struct prefix6 p;
	ip6 host;

	(void)f;
	s->prefix_at = at;
	if (at->kind == NODE_SCALAR && prefix6_parse(at->text, &p, &host) &&
		is_pref64_length(p.bits))
		wanted = judge_prefix(&p, host);
	if (wanted) {
		complain(&d->critic, at, "%s", wanted);
		return;
	}
	s->p.length = p.bits / 8;
	memcpy(s->p.octets, p.base.b, s->p.length);
}

static void read_suffix(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_prefix64 *s = out;

	(void)f;
	s->suffix_at = at;
	if (at->kind == NODE_SCALAR)
		s->n_suffix = (uint8_t)leaf_octets(at->text, s->suffix, sizeof s->suffix);
	if (s->n_suffix == 0)
		complain(&d->critic, at,
			"3 to 7 octets of two hexadecimal digits each, such as 000000");
}

static void read_ip4(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_prefix64 *s = out;
	struct said_prefix *list = NULL;
	uint32_t n;

	(void)f;
	if (!field_list(d, at, ARRAY_SIZE(s->p.ip4), "a list of prefixes such as [192.0.2.0/24]"))
		return;
	if (at->n == 0)
		complain(&d->critic, at,
			"a list of prefixes such as [192.0.2.0/24] (leave it out for all)");
	n = field_prefixes(d, at, &list);
	for (uint32_t i = 0; i < n; i++) {
		s->ip4_at[i] = list[i].at;
		s->p.ip4[i].bits = list[i].prefix.bits;
		s->p.ip4[i].address = list[i].prefix.base;
	}
	s->p.n = (uint16_t)n;
}

// What is left of 96 bits is the zero octet and the suffix: none for a /96.
static void settle_suffix(struct draft *d, struct said_prefix64 *s)
{
	size_t room = s->p.length < ZERO_OCTET + 1 ? 11u - s->p.length : 0;

	if (!s->suffix_at || s->n_suffix == 0 || s->p.length == 0)
		return;
	if (room == 0)
		complain(&d->critic, s->suffix_at, "no suffix: none fits behind a /96");
	else if (s->n_suffix != room)
		complain(&d->critic, s->suffix_at, "%zu octets behind a /%u", room,
			8u * s->p.length);
	else
		memcpy(s->p.octets + s->p.length + 1, s->suffix, room);
}

// ---- each once -------------------------------------------------------------------------------

static bool same_prefix(const struct pcp_prefix64 *a, const struct pcp_prefix64 *b)
{
	return a->length == b->length && !memcmp(a->octets, b->octets, a->length);
}

static const struct node *find_ip4(
	const struct said_prefix64 *s, unsigned n, uint8_t bits, ip4 address)
{
	for (unsigned i = 0; i < n; i++) {
		if (s->p.ip4[i].bits == bits && s->p.ip4[i].address == address)
			return s->ip4_at[i];
	}
	return NULL;
}

// An IPv4 destination goes by the longest match, so no prefix may stand in two lists.
static void check_ip4(struct draft *d, const struct said_prefix64 *all, uint32_t self)
{
	const struct said_prefix64 *s = &all[self];
	char place[PLACE_TEXT];

	for (unsigned i = 0; i < s->p.n; i++) {
		const struct node *other = NULL;
		for (uint32_t j = 0; j <= self && !other; j++)
			other = find_ip4(&all[j], j == self ? i : all[j].p.n, s->p.ip4[i].bits,
				s->p.ip4[i].address);
		if (other)
			complain(&d->critic, s->ip4_at[i], "each IPv4 prefix once: %s has this one",
				node_place(other, place));
	}
}

static void check_once(struct draft *d, const struct said_prefix64 *all, uint32_t self)
{
	char place[PLACE_TEXT];

	for (uint32_t j = 0; j < self && all[self].p.length; j++) {
		if (same_prefix(&all[j].p, &all[self].p)) {
			complain(&d->critic, all[self].prefix_at,
				"each prefix once: %s has this one", node_place(all[j].at, place));
			break;
		}
	}
	check_ip4(d, all, self);
}

// ---- one, all --------------------------------------------------------------------------------

static void read_item(struct draft *d, const struct node *at, struct said_prefix64 *s)
{
	static const struct field fields[] = {
		{"prefix", read_prefix, 0, 0, 0},
		{"suffix", read_suffix, 0, 0, 0},
		{"ip4", read_ip4, 0, 0, 0},
	};
	uint32_t before = d->critic.n;

	*s = (struct said_prefix64){.at = at};
	fields_read(d, at, fields, ARRAY_SIZE(fields), s);
	if (!s->prefix_at && d->critic.n == before)
		complain_found(&d->critic, at, "no prefix", "prefix: such as 2001:db8:64::/96");
	settle_suffix(d, s);
}

void read_prefix64s(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_pcp *p = &((struct said_group *)out)->pcp;

	(void)f;
	if (!field_list(d, at, PREFIX64_MOST, "a list such as [{prefix: 2001:db8:64::/96}]"))
		return;
	p->prefix64 = draft_alloc(d, at->n, sizeof *p->prefix64);
	for (const struct node *item = at->first; item && p->prefix64; item = item->next) {
		read_item(d, item, &p->prefix64[p->n_prefix64]);
		check_once(d, p->prefix64, p->n_prefix64++);
	}
}
