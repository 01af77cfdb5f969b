// SPDX-License-Identifier: Apache-2.0
// Static routes of a port. A route is IPv4 or IPv6 by what it leads to, and its router by what is
// written: the two must agree.
#include "draft.h"
#include "leaf.h"

enum {
	ROUTES_MOST = 1024 // of one interface
};

struct said_way { // a route before it is known which of both it is
	struct prefix4 to;
	struct prefix6 to6;
	ip4 via;
	ip6 via6;
	bool six, via_six;
	const struct node *to_at, *via_at; // to_at: NULL when it could not be read
};

static bool is_six(const struct node *at)
{
	return at->kind == NODE_SCALAR && strchr(at->text, ':');
}

// ---- routers ---------------------------------------------------------------------------------

static ip4 read_router(struct draft *d, const struct node *at)
{
	ip4 ip;

	if (at->kind == NODE_SCALAR && ip4_parse(at->text, &ip) && leaf_is_host(ip))
		return ip;
	complain(&d->critic, at, "the address of a router such as 192.0.2.1");
	return 0;
}

static ip6 read_router6(struct draft *d, const struct node *at)
{
	ip6 ip;

	if (at->kind == NODE_SCALAR && ip6_parse(at->text, &ip) && leaf_is_host6(ip))
		return ip;
	complain(&d->critic, at, "the address of a router such as fe80::1 or 2001:db8::1");
	return (ip6){{0}};
}

// ---- lists -----------------------------------------------------------------------------------

static struct said_route *add_route(
	struct draft *d, const struct node *at, struct said_interface *s)
{
	struct said_route *r = draft_alloc(d, 1, sizeof *r), **last = &s->routes;

	if (!r)
		return NULL;
	r->at = at;
	while (*last)
		last = &(*last)->next;
	*last = r;
	return r;
}

static struct said_route6 *add_route6(
	struct draft *d, const struct node *at, struct said_interface *s)
{
	struct said_route6 *r = draft_alloc(d, 1, sizeof *r), **last = &s->routes6;

	if (!r)
		return NULL;
	r->at = at;
	while (*last)
		last = &(*last)->next;
	*last = r;
	return r;
}

void read_gateway(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_route *r = add_route(d, at, out);

	(void)f;
	if (!r)
		return;
	r->to_at = r->via_at = at;
	r->via = read_router(d, at);
}

void read_gateway6(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_route6 *r = add_route6(d, at, out);

	(void)f;
	if (!r)
		return;
	r->to_at = r->via_at = at;
	r->via = read_router6(d, at);
}

// ---- `routes` --------------------------------------------------------------------------------

static bool read_prefix(struct draft *d, const struct node *at, struct prefix4 *to)
{
	struct prefix4 loose;
	char text[PREFIX4_TEXT];
	ip4 host;

	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, to, NULL))
		return true;
	if (at->kind == NODE_SCALAR && prefix4_parse(at->text, &loose, &host))
		complain(&d->critic, at, "no bits behind the prefix: %s",
			prefix4_format(loose, text));
	else
		complain(&d->critic, at, "a prefix such as 10.0.0.0/8");
	return false;
}

static bool read_prefix6(struct draft *d, const struct node *at, struct prefix6 *to)
{
	struct prefix6 loose;
	char text[PREFIX6_TEXT];
	ip6 host;

	if (prefix6_parse(at->text, to, NULL) && !leaf_is_link_local6(to->base) &&
		to->base.b[0] != 0xff)
		return true;
	if (prefix6_parse(at->text, &loose, &host) && !ip6_eq(host, loose.base))
		complain(&d->critic, at, "no bits behind the prefix: %s",
			prefix6_format(loose, text));
	else
		complain(&d->critic, at, "a unicast prefix such as 2001:db8::/32");
	return false;
}

static void read_to(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_way *w = out;

	(void)f;
	w->six = is_six(at);
	w->to_at = (w->six ? read_prefix6(d, at, &w->to6) : read_prefix(d, at, &w->to)) ? at : NULL;
}

static void read_via(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_way *w = out;

	(void)f;
	w->via_at = at;
	w->via_six = is_six(at);
	if (w->via_six)
		w->via6 = read_router6(d, at);
	else
		w->via = read_router(d, at);
}

static void keep_way(
	struct draft *d, const struct node *at, const struct said_way *w, struct said_interface *s)
{
	if (w->to_at ? w->six : w->via_six) {
		struct said_route6 *r = add_route6(d, at, s);
		if (!r)
			return;
		r->to = w->to6;
		r->via = w->via6;
		r->to_at = w->to_at;
		r->via_at = w->via_at;
	} else {
		struct said_route *r = add_route(d, at, s);
		if (!r)
			return;
		r->to = w->to;
		r->via = w->via;
		r->to_at = w->to_at;
		r->via_at = w->via_at;
	}
}

static void read_route(struct draft *d, const struct node *at, struct said_interface *s)
{
	static const struct field fields[] = {
		{"to", read_to, 0, 0, 0},
		{"via", read_via, 0, 0, 0},
	};
	uint32_t before = d->critic.n;
	struct said_way w = {.to_at = NULL};

	fields_read(d, at, fields, ARRAY_SIZE(fields), &w);
	if (d->critic.n == before && (!w.to_at || !w.via_at))
		complain_found(&d->critic, at, w.to_at ? "no via" : "no to",
			"a route such as {to: 10.0.0.0/8, via: 192.0.2.1}");
	if (d->critic.n == before && w.six != w.via_six)
		complain(&d->critic, w.via_at, "an IPv%u router, as the route is of IPv%u",
			w.six ? 6 : 4, w.six ? 6 : 4);
	else
		keep_way(d, at, &w, s);
}

void read_routes(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	if (!field_list(d, at, ROUTES_MOST, "a list of routes such as {to: ..., via: ...}"))
		return;
	for (const struct node *item = at->first; item; item = item->next)
		read_route(d, item, out);
}
