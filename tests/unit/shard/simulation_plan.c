// SPDX-License-Identifier: Apache-2.0
// Snapshots drawn at random, each within what a reload may change.
#include <stdarg.h>
#include <stdio.h>

#include "simulation.h"

enum {
	HOMES,
	OFFICES,
	POOR
}; // groups, in the order of the file
enum {
	ROAMING_BLOCK = 1
};

// Some on ports that would be given out, some below; some of internal ports that have traffic.
static const struct {
	int subscriber, endpoint;
	uint8_t address;
	uint16_t port;
} statics[STATICS] = {
	{3, 0, 1, 4000},
	{7, 6, 2, 80},
	{12, 6, 1, 2443},
	{145, 0, 8, 3000},
	{149, 6, 8, 6000},
	{20, 5, 2, 1077},
	{33, 6, 1, 5000},
};

struct plan_static plan_static(unsigned i)
{
	return (struct plan_static){statics[i].subscriber * FLOWS_EACH + statics[i].endpoint,
		{POOL + statics[i].address, statics[i].port}};
}

struct plan plan_draw(struct rng *rng, const struct plan *now)
{
	struct plan p = *now;

	switch (rng_below(rng, 4)) {
	case 0:
		p.homes = (uint8_t)(rng_below(rng, 64) | 3);
		break;
	case 1:
		p.roaming = (uint8_t)rng_below(rng, 3);
		break;
	case 2:
		p.statics = (uint8_t)rng_below(rng, 1 << STATICS);
		break;
	default:
		p.lent = !p.lent;
		break;
	}
	return p;
}

// ---- text ------------------------------------------------------------------------------------

struct text {
	char at[8000];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
	va_list args;
	int n;

	va_start(args, format);
	n = vsnprintf(t->at + t->n, sizeof t->at - t->n, format, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof t->at - t->n)
		world_die("the configuration is too long");
	t->n += (size_t)n;
}

static void say_statics(struct text *t, const struct plan *p, const struct model *m, bool offices)
{
	static const char *const names[] = {"", "udp", "tcp", "icmp"};
	bool first = true;

	for (unsigned i = 0; i < STATICS; i++) {
		struct plan_static s = plan_static(i);
		struct nat_key key = model_key(m, s.flow);
		char internal[IP4_TEXT], external[IP4_TEXT];
		if (!(p->statics >> i & 1) || (statics[i].address == 8) != offices)
			continue;
		say(t, "%s      - { protocol: %s, internal: \"%s:%u\", external: \"%s:%u\" }\n",
			first ? "    static-mappings:\n" : "", names[key.protocol],
			ip4_format(key.host, internal), key.port,
			ip4_format(s.external.addr, external), s.external.port);
		first = false;
	}
}

static void say_homes(struct text *t, const struct plan *p, const struct model *m)
{
	say(t, "  homes:\n    subscribers: [100.64.0.0/24%s]\n",
		p->roaming == 0 ? ", 100.64.2.0/24" : "");
	say(t, "    port-set-size: 64\n    port-range: [1024, 9215]\n"
	       "    pcp: { listen: [198.18.0.1, gateway] }\n"
	       "    external-address-pool: [203.0.113.1, 203.0.113.2");
	for (unsigned i = 2; i < 6; i++) {
		if (p->homes >> i & 1)
			say(t, ", 203.0.113.%u", i + 1);
	}
	say(t, "%s]\n", p->lent ? "" : ", 203.0.113.9");
	say_statics(t, p, m, false);
}

static void say_offices(struct text *t, const struct plan *p, const struct model *m)
{
	say(t, "  offices:\n    subscribers: [100.66.0.0/24%s]\n",
		p->roaming == 1 ? ", 100.64.2.0/24" : "");
	say(t,
		"    port-set-size: 64\n    port-range: [1024, 9215]\n"
		"    pcp: { listen: [198.18.0.2] }\n"
		"    filtering-type: { udp: apdf, tcp: apdf, icmp: adf }\n"
		"    external-address-pool: [203.0.113.8%s]\n",
		p->lent ? ", 203.0.113.9" : "");
	say_statics(t, p, m, true);
}

const char *plan_text(const struct plan *p, const struct model *m)
{
	static struct text t;

	t.n = 0;
	say(&t,
		"workers: %u\n"
		"ports:\n"
		"  inside1: { device: a, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"  inside2: { device: c, addresses: [100.64.0.1/10] }\n"
		"limits: { mappings: 32k, leases: 4k, subscribers: 2k, external-addresses: 12,\n"
		"  new-subscriber-rate: 1000000, new-subscriber-burst: 1000000,\n"
		"  icmp-error-rate: 100 }\n"
		"timers: { allow-short-timers: true, tcp-trans-open-timeout: %u,\n"
		"  tcp-rst-timeout: %u, tcp-trans-close-timeout: %u, tcp-idle-timeout: %u }\n"
		"nat-groups:\n",
		p->n_workers, SIM_TCP_OPEN_S, SIM_TCP_RST_S, SIM_TCP_CLOSE_S, SIM_TCP_IDLE_S);
	say_homes(&t, p, m);
	say_offices(&t, p, m);
	say(&t, "  poor:\n" // as few blocks as shards could be: most of them go without
		"    subscribers: [100.67.0.0/24]\n"
		"    external-address-pool: [203.0.113.12]\n"
		"    port-set-size: 1024\n"
		"    port-range: [1024, 5119]\n"
		"    filtering-type: { udp: adf, tcp: adf, icmp: apdf }\n");
	return t.at;
}

// ---- what a reload may end -------------------------------------------------------------------

uint8_t plan_group_of(const struct plan *p, const struct model *m, int flow)
{
	static const uint8_t groups[] = {HOMES, ROAMING_BLOCK, OFFICES, POOR, HOMES};
	uint8_t block = m->subscribers[flow / FLOWS_EACH].block;

	if (block != ROAMING_BLOCK)
		return groups[block];
	return p->roaming == 0 ? HOMES : p->roaming == 1 ? OFFICES : 255;
}

enum nat_filtering plan_filtering(uint8_t group, uint8_t protocol)
{
	static const uint8_t filtering[][NAT_PROTOCOLS] = {
		[HOMES] = {NAT_EIF, NAT_EIF, NAT_EIF},
		[OFFICES] = {NAT_APDF, NAT_APDF, NAT_ADF},
		[POOR] = {NAT_ADF, NAT_ADF, NAT_APDF},
	};

	return filtering[group][protocol - 1];
}

uint8_t plan_group_at(const struct plan *p, ip4 addr)
{
	uint32_t a = addr - POOL;

	if (a == 8)
		return OFFICES;
	if (a == 9)
		return p->lent ? OFFICES : HOMES;
	if (a == 12)
		return POOR;
	return a >= 1 && a <= 6 && p->homes >> (a - 1) & 1 ? HOMES : 255;
}

// He is a static mapping, or stands where one is.
static bool meets_static(const struct plan *p, const struct model *m, int flow)
{
	const struct flow *f = &m->flows[flow];

	for (unsigned i = 0; i < STATICS; i++) {
		struct plan_static s = plan_static(i);
		bool place = f->protocol == m->flows[s.flow].protocol &&
			     s.external.addr == f->ext.addr && s.external.port == f->ext.port;
		if (p->statics >> i & 1 && (s.flow == flow || place))
			return true;
	}
	return false;
}

static bool is_touched(
	const struct model *m, const struct plan *old, const struct plan *new, int flow)
{
	const struct flow *f = &m->flows[flow];

	if (plan_group_of(old, m, flow) != plan_group_of(new, m, flow))
		return true;
	if (meets_static(old, m, flow) != meets_static(new, m, flow))
		return true;
	return f->known && plan_group_at(old, f->ext.addr) != plan_group_at(new, f->ext.addr);
}

static void claim_statics(struct model *m, const struct plan *old, const struct plan *new)
{
	for (unsigned i = 0; i < STATICS; i++) {
		struct plan_static s = plan_static(i);
		bool was = old->statics >> i & 1, is = new->statics >> i & 1;

		if (!is)
			m->claims[i].open = false;
		else if (!was)
			m->claims[i] = (struct claim){true, s.flow, s.external, m->now_s};
	}
}

void plan_apply(const struct plan *p, struct model *m)
{
	for (int flow = 0; flow < FLOWS; flow++) {
		uint8_t group = plan_group_of(p, m, flow);
		struct flow *f = &m->flows[flow];
		f->filtered = group != 255 && plan_filtering(group, f->protocol) != NAT_EIF;
	}
}

void plan_reload(struct model *m, const struct plan *old, const struct plan *new)
{
	m->reloading = true;
	for (int flow = 0; flow < FLOWS; flow++) {
		if (!is_touched(m, old, new, flow))
			continue;
		m->flows[flow].shaky = true;
		m->flows[flow].fixed = false;
		model_subscriber(m, flow)->disturbed = true;
	}
	claim_statics(m, old, new);
	plan_apply(new, m);
}

void plan_settled(struct model *m)
{
	m->reloading = false;
	for (int flow = 0; flow < FLOWS; flow++) {
		struct flow *f = &m->flows[flow];
		if (f->shaky && !f->fixed)
			model_forget(m, flow);
		f->shaky = false;
	}
}
