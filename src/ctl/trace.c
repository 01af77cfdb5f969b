// SPDX-License-Identifier: Apache-2.0
// Who has an external port, or had it at a given time, as far as the shards still know: the mapping
// that stands there, the holder of its block, and the holder before him. Older things are in the
// NAT log alone, and the answer then says so: a guess would name the wrong subscriber.
#include "state.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	UNSURE_MS = 1000, // shards note holders by the second
};

struct trace {
	uint8_t protocols[NAT_PROTOCOLS]; // still to be asked for
	unsigned n_protocols;
	bool known;               // some shard knows this port
	struct nat_tenancy block; // of any of them: blocks hold for all protocols
	struct nat_view mappings[NAT_PROTOCOLS];
	uint16_t shards[NAT_PROTOCOLS];
	unsigned n_mappings;
};

// ---- asking ----------------------------------------------------------------------------------

static const struct conf_external *find_external(const struct ctl *ctl, ip4 address)
{
	const struct conf_local *local = conf_find_local(ctl->conf, 0, address);

	return local && local->kind == CONF_LOCAL_POOL ? &ctl->conf->external[local->index] : NULL;
}

// The next protocol, at the worker that owns the port for it.
static bool ask_next(struct ctl *ctl, struct client *c)
{
	struct ask *ask = &c->ask;
	const struct conf_external *e = find_external(ctl, ask->wish.external.addr);

	if (!e || ask->trace->n_protocols == 0)
		return false;
	ask->wish.key.protocol = ask->trace->protocols[--ask->trace->n_protocols];
	ask->shard =
		conf_outside_owner(ctl->conf, e, ask->wish.key.protocol, ask->wish.external.port);
	ask->shard_end = (uint16_t)(ask->shard + 1);
	ask->state = ASK_PENDING;
	return true;
}

void trace_start(struct ctl *ctl, struct client *c)
{
	const struct request_filter *f = &c->request.filter;
	struct ask *ask = &c->ask;
	char text[IP4_TEXT];

	*ask = (struct ask){.since = ctl->now};
	ask->wish = (struct shard_wish){.kind = SHARD_TRACE,
		.external = {f->external, f->external_port},
		.group = UINT8_MAX};
	ask->trace = calloc(1, sizeof *ask->trace);
	if (!ask->trace) {
		client_error(c, "failed", "out of memory");
		return;
	}
	if (f->protocol)
		ask->trace->protocols[ask->trace->n_protocols++] = f->protocol;
	for (uint8_t i = NAT_ICMP; i >= NAT_UDP && !f->protocol; i--)
		ask->trace->protocols[ask->trace->n_protocols++] = i;
	if (!f->has_external_port)
		client_error(c, "bad-request", "\"external\" must be an address with :PORT");
	else if (f->at_ms > journal_utc_ms(ctl, ctl->now) + UNSURE_MS)
		client_error(c, "bad-request", "\"at\" is in the future");
	else if (!ask_next(ctl, c))
		client_error(c, "not-found",
			"%s is no external address of this configuration; \"show groups\" lists "
			"them",
			ip4_format(f->external, text));
}

void trace_take(struct ask *ask, uint16_t shard, const struct nat_tenancy *t)
{
	struct trace *trace = ask->trace;

	trace->known = true;
	if (t->mapped && trace->n_mappings < NAT_PROTOCOLS) {
		trace->shards[trace->n_mappings] = shard;
		trace->mappings[trace->n_mappings++] = t->mapping;
	}
	if (t->held || t->held_before)
		trace->block = *t;
}

// ---- judging ---------------------------------------------------------------------------------

enum holder {
	HOLDER_NOBODY,
	HOLDER_SUBSCRIBER,
	HOLDER_UNKNOWN
};

struct finding {
	enum holder holder;
	ip4 host;
	uint8_t realm;
	bool unsure;      // within a second of a change
	const char *by;   // "mapping", "block", "plan"
	const char *note; // for people; NULL: nothing to add
};

static const char ask_the_log[] = "not known any more: ask the NAT log";

static struct finding unknown(const char *note)
{
	return (struct finding){.holder = HOLDER_UNKNOWN, .unsure = true, .note = note};
}

static struct finding subscriber(ip4 host, uint8_t realm, const char *by)
{
	return (struct finding){
		.holder = HOLDER_SUBSCRIBER, .host = host, .realm = realm, .by = by};
}

static bool is_near(uint64_t a, uint64_t b)
{
	return a > b ? a - b <= UNSURE_MS : b - a <= UNSURE_MS;
}

static uint64_t second_ms(const struct ctl *ctl, uint32_t second)
{
	return journal_utc_ms(ctl, second * NS_PER_S);
}

static bool is_one_host(const struct trace *t)
{
	for (unsigned i = 1; i < t->n_mappings; i++) {
		if (t->mappings[i].key.host != t->mappings[0].key.host ||
			t->mappings[i].key.realm != t->mappings[0].key.realm)
			return false;
	}
	return t->n_mappings > 0;
}

static struct finding judge_mappings(const struct trace *t)
{
	if (!is_one_host(t))
		return unknown("this port is several subscribers', by protocol: name one");
	return subscriber(t->mappings[0].key.host, t->mappings[0].key.realm, "mapping");
}

static struct finding judge_now(const struct trace *t)
{
	if (t->n_mappings)
		return judge_mappings(t);
	if (t->block.held)
		return subscriber(t->block.host, t->block.realm, "block");
	return (struct finding){.holder = HOLDER_NOBODY};
}

// A port outside of any block: it is only known who has it now.
static struct finding judge_loose(const struct trace *t)
{
	if (t->n_mappings == 0)
		return unknown("no port block holds this port now, nor one before: ask the NAT "
			       "log for mappings");
	struct finding v = judge_mappings(t);
	v.unsure = true;
	v.note = "the mapping stands there now; since when, the NAT log knows";
	return v;
}

static struct finding judge_block(const struct ctl *ctl, const struct trace *t, uint64_t at)
{
	const struct nat_tenancy *b = &t->block;
	uint64_t since = b->held ? second_ms(ctl, b->since_s) : UINT64_MAX;
	uint64_t before = second_ms(ctl, b->since_before_s);
	uint64_t until = second_ms(ctl, b->until_before_s);
	struct finding v = {.holder = HOLDER_NOBODY};

	if (!b->held && !b->held_before)
		return judge_loose(t);
	if (b->held && at >= since)
		v = subscriber(b->host, b->realm, "block");
	else if (b->held_before && at >= before && at <= until)
		v = subscriber(b->host_before, b->realm_before, "block-before");
	else if (b->held_before && at < before)
		return unknown(ask_the_log);
	v.unsure = (b->held && is_near(at, since)) ||
		   (b->held_before && (is_near(at, before) || is_near(at, until)));
	if (v.unsure)
		v.note = "within a second of a change of holder: ask the NAT log";
	return v;
}

// A plan cannot change while the daemon runs, so it tells for as long as that.
static bool judge_plan(const struct ctl *ctl, const struct ask *ask, struct finding *v)
{
	struct recipe at = ask->wish.external;
	const struct conf_external *e = find_external(ctl, at.addr);
	const struct nat_plan *plan = e ? ctl->conf->groups[e->group].nat.plan : NULL;
	ip4 host;

	if (!plan || nat_plan_reverse(plan, at.addr, at.port, &host) != NAT_PLAN_HOST)
		return false;
	*v = subscriber(host, 0, "plan");
	for (unsigned i = 0; i < ctl->conf->n_interfaces; i++) {
		const struct conf_interface *iface = &ctl->conf->interfaces[i];
		if (iface->side == CONF_INSIDE &&
			conf_group_of(ctl->conf, iface->realm, host) == e->group)
			v->realm = iface->realm;
	}
	return true;
}

static struct finding judge(const struct ctl *ctl, const struct ask *ask, uint64_t at)
{
	uint64_t started = journal_utc_ms(ctl, ctl->started);
	struct finding v;

	if (at && at < started)
		return unknown("before this daemon started: ask the NAT log, or the history of "
			       "plans");
	if (judge_plan(ctl, ask, &v))
		return v;
	return at ? judge_block(ctl, ask->trace, at) : judge_now(ask->trace);
}

// ---- saying it -------------------------------------------------------------------------------

static void add_host(json_t *row, const struct ctl *ctl, ip4 host, uint8_t realm)
{
	json_object_set_new(row, "subscriber", row_address(host));
	json_object_set_new(row, "realm", row_realm(ctl->conf, realm));
}

static void add_time(json_t *row, const char *name, uint64_t ms)
{
	char text[NATLOG_TIME];

	json_object_set_new(row, name, json_string(natlog_time_format(ms, text)));
}

static json_t *block_now(const struct ctl *ctl, const struct nat_tenancy *b)
{
	json_t *row = json_object();

	add_host(row, ctl, b->host, b->realm);
	add_time(row, "since", second_ms(ctl, b->since_s));
	return row;
}

static json_t *block_before(const struct ctl *ctl, const struct nat_tenancy *b)
{
	json_t *row = json_object();

	add_host(row, ctl, b->host_before, b->realm_before);
	add_time(row, "since", second_ms(ctl, b->since_before_s));
	add_time(row, "until", second_ms(ctl, b->until_before_s));
	return row;
}

static void add_block(json_t *row, const struct ctl *ctl, const struct nat_tenancy *b)
{
	if (!b->held && !b->held_before)
		return;
	json_object_set_new(row, "port_first", json_integer(b->first));
	json_object_set_new(row, "port_last", json_integer(b->last));
	if (b->held)
		json_object_set_new(row, "block", block_now(ctl, b));
	if (b->held_before)
		json_object_set_new(row, "block_before", block_before(ctl, b));
}

static void add_verdict(json_t *row, const struct ctl *ctl, const struct finding *v)
{
	static const char *const holders[] = {"nobody", "subscriber", "unknown"};

	json_object_set_new(row, "holder", json_string(holders[v->holder]));
	json_object_set_new(row, "certain", json_boolean(!v->unsure));
	if (v->holder == HOLDER_SUBSCRIBER) {
		add_host(row, ctl, v->host, v->realm);
		json_object_set_new(row, "by", json_string(v->by));
	}
	if (v->note)
		json_object_set_new(row, "note", json_string(v->note));
}

static json_t *trace_row(const struct ctl *ctl, const struct ask *ask, uint64_t at)
{
	const struct trace *t = ask->trace;
	const struct conf_external *e = find_external(ctl, ask->wish.external.addr);
	struct finding v = judge(ctl, ask, at);
	json_t *row = json_object(), *mappings = json_array();

	json_object_set_new(row, "external_address", row_address(ask->wish.external.addr));
	json_object_set_new(row, "external_port", json_integer(ask->wish.external.port));
	add_time(row, "at", at ? at : journal_utc_ms(ctl, ctl->now));
	add_verdict(row, ctl, &v);
	if (e)
		json_object_set_new(row, "group", row_group(ctl->conf, e->group));
	add_block(row, ctl, &t->block);
	for (unsigned i = 0; i < t->n_mappings; i++)
		json_array_append_new(mappings, row_of_mapping(ctl, t->shards[i], &t->mappings[i]));
	json_object_set_new(row, "mappings", mappings);
	return row;
}

void trace_end(struct ctl *ctl, struct client *c, const struct shard_answer *answer)
{
	struct ask *ask = &c->ask;
	char text[IP4_TEXT];

	if (answer->error && answer->error != -ENOENT) {
		client_error(c, "failed", "%s", strerror(-answer->error));
		return;
	}
	if (ask_next(ctl, c))
		return;
	if (!ask->trace->known) {
		client_error(c, "not-found", "%s:%u is no port that is given to anybody",
			ip4_format(ask->wish.external.addr, text), ask->wish.external.port);
		return;
	}
	client_row(c, trace_row(ctl, ask, c->request.filter.at_ms));
	client_done(c, json_pack("{s:i}", "rows", 1));
}
