// SPDX-License-Identifier: Apache-2.0
// GET and NEXT (draft-boucadair-pcp-failure-06, version 2 form): a client that lost its notes asks
// for its mappings again. The host's MAP mappings in a fixed order, from where the last answer
// ended; the walk itself keeps nothing here.
#include "judge.h"

enum {
	MOST_ENTRIES = 17, // that fit into one reply
	MOST_LEASES = 8192 // that one request looks at
};

struct place { // by what mappings are ordered, and told apart
	ip6 internal_ip, external_ip;
	uint8_t protocol;
	uint16_t internal_port, external_port;
};

struct shelf { // the first mappings that are asked for, from the locator on
	const struct question *q;
	bool has_from;
	struct place from;
	uint32_t n_seen;
	uint32_t n_matching; // from the locator on, also those that find no room here
	unsigned n;
	struct nat_view list[MOST_ENTRIES + 1]; // one more: the locator itself may be left out
};

static int compare_numbers(uint32_t a, uint32_t b)
{
	return (a > b) - (a < b);
}

static int compare(const struct place *a, const struct place *b)
{
	int order = memcmp(a->internal_ip.b, b->internal_ip.b, sizeof a->internal_ip.b);

	if (order == 0)
		order = compare_numbers(a->protocol, b->protocol);
	if (order == 0)
		order = compare_numbers(a->internal_port, b->internal_port);
	if (order == 0)
		order = memcmp(a->external_ip.b, b->external_ip.b, sizeof a->external_ip.b);
	return order != 0 ? order : compare_numbers(a->external_port, b->external_port);
}

static struct place place_of(const struct nat_view *view)
{
	return (struct place){.internal_ip = ip6_mapped(view->key.host),
		.external_ip = ip6_mapped(view->external.addr),
		.protocol = ip_protocol_of(view->key.protocol),
		.internal_port = view->key.port,
		.external_port = view->external.port};
}

// :: and ::ffff:0.0.0.0 both stand for any address.
static bool is_any(ip6 a)
{
	return ip6_eq(a, (ip6){{0}}) || ip6_eq(a, ip6_mapped(0));
}

static bool matches(const struct pcp_get *get, const struct place *p)
{
	if (get->protocol != 0 && get->protocol != p->protocol)
		return false;
	if (!is_any(get->internal_ip) && !ip6_eq(get->internal_ip, p->internal_ip))
		return false;
	if (!is_any(get->external_ip) && !ip6_eq(get->external_ip, p->external_ip))
		return false;
	return (get->internal_port == 0 || get->internal_port == p->internal_port) &&
	       (get->external_port == 0 || get->external_port == p->external_port);
}

static void put_in_order(struct shelf *s, const struct nat_view *view, const struct place *p)
{
	unsigned at = s->n;

	while (at > 0) {
		struct place before = place_of(&s->list[at - 1]);

		if (compare(&before, p) <= 0)
			break;
		at--;
	}
	if (at == ARRAY_SIZE(s->list))
		return;
	s->n += s->n < ARRAY_SIZE(s->list);
	memmove(&s->list[at + 1], &s->list[at], (s->n - 1 - at) * sizeof s->list[0]);
	s->list[at] = *view;
}

static bool shelf_see(void *ctx, const struct nat_view *view)
{
	struct shelf *s = ctx;
	struct place p = place_of(view);

	s->n_seen++;
	if (view->kind != NAT_EXPLICIT || !matches(&s->q->m.get, &p))
		return true;
	if (s->has_from && compare(&p, &s->from) < 0)
		return true;
	s->n_matching++;
	put_in_order(s, view, &p);
	return true;
}

// False: the host holds more than one request may take time for.
static bool fill_shelf(struct shelf *s)
{
	const struct question *q = s->q;
	uint32_t cursor = 0;
	bool all = nat_lease_walk(
		q->nat, q->realm, q->host, &cursor, MOST_LEASES, q->now_s, shelf_see, s);

	work_charge(q, s->n_seen);
	return all;
}

// ---- NEXT ------------------------------------------------------------------------------------

static bool read_locator(const struct question *q, struct pcp_next *next)
{
	const struct room *room = q->room;

	if (room == NULL || !is_seen(q, PCP_INDEX_NEXT))
		return false;
	for (size_t i = 0; i < room->n_options; i++)
		if (room->options[i].code == PCP_NEXT)
			return pcp_read_next(&room->options[i], next);
	return false;
}

static struct place locator_place(const struct pcp_next *next)
{
	return (struct place){.internal_ip = next->internal_ip,
		.external_ip = next->external_ip,
		.protocol = next->protocol,
		.internal_port = next->internal_port,
		.external_port = next->external_port};
}

static bool is_defined(const struct place *p)
{
	return p->protocol != 0 || p->internal_port != 0 || p->external_port != 0 ||
	       !is_any(p->internal_ip) || !is_any(p->external_ip);
}

static size_t embed_filters(
	const struct question *q, const struct nat_view *view, uint8_t *out, size_t at)
{
	struct nat_filter list[SERVER_MAX_FILTERS];
	uint32_t count = nat_lease_filters(q->nat, &view->key, list, ARRAY_SIZE(list));

	for (uint32_t i = 0; i < count; i++) {
		struct pcp_filter filter = {.prefix = (uint8_t)(96 + list[i].bits),
			.port = list[i].port,
			.address = ip6_mapped(list[i].address)};
		size_t end = pcp_append_filter(out, at, PCP_MAX, &q->m, &filter);

		at = end > 0 ? end : at;
	}
	return at;
}

// The options of the mapping that the client names; what it has none of is left out.
static size_t embed_option(const struct question *q, const struct nat_view *view, uint8_t code,
	uint8_t *out, size_t at)
{
	struct pcp_port_set set = {.size = view->n_ports, .first = view->key.port};
	uint8_t text[NAT_DESCRIPTION];
	uint32_t length;
	size_t end = at;

	if (code == PCP_DESCRIPTION && view->text_length > 0) {
		length = nat_lease_text(q->nat, &view->key, text, sizeof text);
		end = pcp_append_option(out, at, PCP_MAX, code, text, (uint16_t)length);
	} else if (code == PCP_FILTER) {
		end = embed_filters(q, view, out, at);
	} else if (code == PCP_PORT_SET && view->n_ports > 1) {
		end = pcp_append_port_set(out, at, PCP_MAX, &set);
	}
	return end > 0 ? end : at;
}

static uint16_t embed(const struct question *q, const struct nat_view *view,
	const struct pcp_next *asked, uint8_t *out)
{
	bool told[256] = {false};
	size_t at = 0;

	for (uint16_t i = 0; i < asked->n_wanted; i++) {
		uint8_t code = asked->wanted[i];

		if (!told[code])
			at = embed_option(q, view, code, out, at);
		told[code] = true;
	}
	return (uint16_t)at;
}

// Who reads a nonce can take the mapping over, so it is shown only to whom the operator trusts.
static struct pcp_next entry_of(const struct question *q, const struct nat_view *view, bool end)
{
	struct place p = place_of(view);
	struct pcp_next next = {.protocol = p.protocol,
		.end = end,
		.internal_ip = p.internal_ip,
		.external_ip = p.external_ip,
		.lifetime_s = view->lease_left_s,
		.internal_port = p.internal_port,
		.external_port = p.external_port};

	if (source_is_in(&q->policy->nonce_readers, q->asker->source))
		memcpy(next.nonce.b, view->nonce, sizeof next.nonce.b);
	return next;
}

// The new end; 0 when there is no room. An entry that is too large for any reply goes bare.
static size_t append_entry(const struct question *q, const struct nat_view *view,
	const struct pcp_next *asked, bool is_end, size_t at)
{
	struct pcp_next next = entry_of(q, view, is_end);
	size_t cap = PCP_MAX - reply_size(q), end;
	uint8_t options[PCP_MAX];

	next.n_wanted = embed(q, view, asked, options);
	next.wanted = options;
	end = pcp_append_next(q->room->built, at, cap, &next);
	if (end > 0 || at > 0)
		return end;
	next.n_wanted = 0;
	return pcp_append_next(q->room->built, at, cap, &next);
}

// Entries from list[first] on; how many there was room for.
static unsigned build_from(const struct shelf *s, const struct pcp_next *asked, unsigned first)
{
	unsigned i, most = asked->end ? 1 : s->n;
	size_t at = 0;

	for (i = first; i < s->n && i - first < most; i++) {
		bool is_end = i + 1 == s->n_matching;
		size_t end = append_entry(s->q, &s->list[i], asked, is_end, at);

		if (end == 0)
			break;
		at = end;
	}
	s->q->room->built_len = at;
	return i - first;
}

// The draft begins with the locator itself. Where only that one fits, going on is better.
static void build(const struct shelf *s, const struct pcp_next *asked)
{
	struct place first = place_of(&s->list[0]);
	unsigned n = build_from(s, asked, 0);

	if (n == 1 && s->n > 1 && s->has_from && compare(&first, &s->from) == 0)
		build_from(s, asked, 1);
}

enum pcp_result judge_get(struct question *q)
{
	struct shelf s = {.q = q};
	struct pcp_next asked;
	bool walks = read_locator(q, &asked);

	if (q->m.get.protocol == 0 && (q->m.get.internal_port | q->m.get.external_port) != 0)
		return refuse(q, PCP_MALFORMED_REQUEST);
	if (walks) {
		s.from = locator_place(&asked);
		s.has_from = is_defined(&s.from);
	}
	if (!fill_shelf(&s))
		return refuse(q, PCP_AMBIGUOUS);
	if (s.n == 0)
		return refuse(q, PCP_NONEXIST_MAP);
	if (walks)
		build(&s, &asked);
	q->lifetime_s = 0;
	return PCP_SUCCESS;
}
