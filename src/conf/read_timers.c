// SPDX-License-Identifier: Apache-2.0
// `timers`. What the RFCs allow by itself may be said plainly; less than that only beside
// allow-short-timers, where they leave the choice to the operator (RFC 5382 REQ-5, RFC 7857 s.2.1)
// or where breaking them must be meant.
#include "draft.h"
#include "leaf.h"

enum {
	// A mapping's tick has 16 bits of seconds, and the sweep that ends it may come 10 s + 2 %
	// late.
	TIMER_MOST = 64000,
	SHORT_LEAST = 10,
	SYN_MOST = 120,
	FRAGMENT_MOST = 120 // twice what RFC 1122 s.3.3.2 lets a host wait
};

void set_timer_defaults(struct conf *c)
{
	c->timers = (struct nat_timers){.udp = 300,
		.udp_initial = 300,
		.udp_unanswered = 120,
		.tcp_idle = 7440,
		.tcp_trans_open = 240,
		.tcp_trans_close = 240,
		.tcp_rst = 240,
		.icmp = 60,
		.hold_down = 120,
		.pcp_hold_down = 120};
	c->in_syn_timeout_s = 6;
	c->fragment_timeout_s = 2;
}

// ---- per-port-timeout ------------------------------------------------------------------------

static struct nat_port_timer *find_port(struct nat_timers *t, uint16_t port)
{
	uint16_t i = 0;

	while (i < t->n_ports && t->ports[i].port < port)
		i++;
	return &t->ports[i];
}

static void add_port(struct draft *d, const struct node *at, uint16_t port, uint16_t seconds)
{
	struct nat_timers *t = &d->c->timers;
	struct nat_port_timer *place = find_port(t, port), *end = &t->ports[t->n_ports];

	if (place < end && place->port == port) {
		complain_name(&d->critic, at, "each port once");
		return;
	}
	memmove(place + 1, place, (size_t)(end - place) * sizeof *place);
	*place = (struct nat_port_timer){port, seconds};
	t->n_ports++;
}

static void read_port_timers(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field seconds = {"", NULL, 0, 1, TIMER_MOST};

	(void)f;
	(void)out;
	if (!node_is_map(at) || at->n > NAT_PORT_TIMERS) {
		complain(&d->critic, at,
			"at most %u UDP ports and their times: {53: 15s, 123: 10s}",
			NAT_PORT_TIMERS);
		return;
	}
	for (const struct node *item = at->first; item; item = item->next) {
		uint16_t value = 0;
		uint64_t port;
		if (!leaf_count(item->name, &port) || port < 1 || port > 1023) {
			complain_name(
				&d->critic, item, "a UDP port from 1 to 1023 (RFC 4787 REQ-5a)");
			continue;
		}
		read_u16_seconds(d, item, &seconds, &value);
		if (value > 0)
			add_port(d, item, (uint16_t)port, value);
	}
}

// ---- all -------------------------------------------------------------------------------------

struct floor { // what needs allow-short-timers to go below
	const char *name;
	size_t offset; // in struct nat_timers
	uint16_t least;
	const char *source;
};

static void check_floors(struct draft *d, const struct node *at)
{
#define FLOOR(name, member, least, source)                                                         \
	{                                                                                          \
		name, offsetof(struct nat_timers, member), least, source                           \
	}
	static const struct floor floors[] = {
		FLOOR("udp-initial-timeout", udp_initial, 120, "RFC 4787 REQ-5"),
		FLOOR("udp-unanswered-timeout", udp_unanswered, 120, "RFC 4787 REQ-5"),
		FLOOR("tcp-idle-timeout", tcp_idle, 7440, "RFC 5382 REQ-5"),
		FLOOR("tcp-trans-open-timeout", tcp_trans_open, 240, "RFC 5382 REQ-5"),
		FLOOR("tcp-trans-close-timeout", tcp_trans_close, 240, "RFC 5382 REQ-5"),
		FLOOR("tcp-rst-timeout", tcp_rst, 240, "RFC 7857 s.2.2"),
	};
#undef FLOOR

	for (uint32_t i = 0; i < ARRAY_SIZE(floors) && !d->short_timers; i++) {
		const struct floor *f = &floors[i];
		uint16_t value;
		char text[SECONDS_TEXT];
		memcpy(&value, (const char *)&d->c->timers + f->offset, sizeof value);
		if (value < f->least)
			complain(&d->critic, tree_find(at, f->name),
				"at least %s (%s), or allow-short-timers: true",
				seconds_format(f->least, text), f->source);
	}
}

static void read_allow(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)out;
	read_bool(d, at, f, &d->short_timers);
}

void read_timers(struct draft *d, const struct node *at, const struct field *f, void *out)
{
#define TIMER(name, member, min)                                                                   \
	{                                                                                          \
		name, read_u16_seconds, offsetof(struct conf, timers.member), min, TIMER_MOST      \
	}
	static const struct field fields[] = {
		TIMER("udp-timeout", udp, 120),
		TIMER("udp-initial-timeout", udp_initial, SHORT_LEAST),
		TIMER("udp-unanswered-timeout", udp_unanswered, SHORT_LEAST),
		{"per-port-timeout", read_port_timers, 0, 0, 0},
		TIMER("tcp-idle-timeout", tcp_idle, 240),
		TIMER("tcp-trans-open-timeout", tcp_trans_open, SHORT_LEAST),
		TIMER("tcp-trans-close-timeout", tcp_trans_close, SHORT_LEAST),
		TIMER("tcp-rst-timeout", tcp_rst, SHORT_LEAST),
		{"tcp-in-syn-timeout", read_u32_seconds, offsetof(struct conf, in_syn_timeout_s), 6,
			SYN_MOST},
		TIMER("icmp-timeout", icmp, 60),
		{"fragment-min-timeout", read_u32_seconds,
			offsetof(struct conf, fragment_timeout_s), 2, FRAGMENT_MOST},
		TIMER("hold-down-timeout", hold_down, 0),
		TIMER("pcp-hold-down", pcp_hold_down, 0),
		{"allow-short-timers", read_allow, 0, 0, 0},
	};
#undef TIMER

	(void)f;
	(void)out;
	fields_read(d, at, fields, ARRAY_SIZE(fields), d->c);
	check_floors(d, at);
}
