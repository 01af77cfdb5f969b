// SPDX-License-Identifier: Apache-2.0
// One shard with the configuration of the file, and everything a worker would do around it: parse,
// steer, run, send, look after time.
#include "runner.h"

#include <stdlib.h>

enum {
	START_S = 100000,
	START_EPOCH_S = 100,
	MAX_STEPS = 1000000, // of shard_step() until it has nothing left to do
	SEED = 6887,
	ANNOUNCED_S = 130 // by then a start was announced for the last time
};

// ---- what the shard lets out
// ---------------------------------------------------------------------

static void keep(struct world *w, const struct pkt *p)
{
	const struct conf_next_hop *hop = &w->conf->next_hops[p->next_hop];
	struct packet *out;

	if (w->n_out == MAX_OUT || p->len > PACKET_ROOM)
		return; // trial_end() complains about what is left over long before
	out = &w->out[w->n_out++];
	memcpy(out->bytes, p->l3, p->len);
	out->len = p->len;
	out->side = w->conf->interfaces[hop->iface].side;
}

static struct pkt *sink_alloc(void *ctx)
{
	struct world *w = ctx;
	struct pkt *p = &w->spare[w->n_spare % MAX_OUT];
	uint8_t *bytes = w->spare_bytes[w->n_spare++ % MAX_OUT];

	*p = (struct pkt){.buf = bytes, .l3 = bytes, .room = PACKET_ROOM};
	return p;
}

static void sink_send(void *ctx, struct pkt *p)
{
	keep(ctx, p);
}

static void judge(struct world *w, struct pkt *p, enum verdict verdict)
{
	if (verdict == VERDICT_PASS || verdict == VERDICT_REPLY)
		keep(w, p);
	if (verdict == VERDICT_DROP)
		w->dropped = p->drop;
}

static void sink_give(void *ctx, struct pkt *p, enum verdict verdict)
{
	judge(ctx, p, verdict);
}

static struct shard_sink sink_of(struct world *w)
{
	return (struct shard_sink){
		.ctx = w, .alloc = sink_alloc, .send = sink_send, .give = sink_give};
}

bool world_take(struct world *w, struct packet *p)
{
	if (w->n_out == 0)
		return false;
	*p = w->out[0];
	w->n_out--;
	memmove(&w->out[0], &w->out[1], w->n_out * sizeof w->out[0]);
	return true;
}

// ---- time
// ----------------------------------------------------------------------------------------

static bool settle(struct world *w)
{
	struct shard_sink sink = sink_of(w);

	for (unsigned i = 0; i < MAX_STEPS; i++)
		if (!shard_step(w->shard, w->conf, w->now, &sink))
			return true;
	return false;
}

void world_pass(struct world *w, uint32_t seconds)
{
	while (seconds-- > 0) {
		w->now += NS_PER_S;
		settle(w);
	}
}

void world_pass_ms(struct world *w, uint32_t ms)
{
	w->now += ms * NS_PER_MS;
	settle(w);
}

void world_set_epoch(struct world *w, uint32_t epoch_s)
{
	for (unsigned group = 0; group < NAT_MAX_GROUPS; group++)
		w->epochs->base_ns[group] = w->now - epoch_s * NS_PER_S;
}

// ---- open and close
// ------------------------------------------------------------------------------

static bool load(struct world *w, const char *file, const char *yaml, size_t len, char *why)
{
	struct conf_complaints all = {.file = file};
	int error = conf_load_text(file, yaml, len, NULL, &w->conf, &all);

	if (error != 0) {
		int at = snprintf(why, WHY_SIZE, "the configuration is refused (%d)", error);

		for (uint32_t i = 0; i < all.n && at + 2 < WHY_SIZE; i++) {
			why[at++] = '\n';
			conf_complaint_format(&all, i, why + at, WHY_SIZE - (size_t)at);
			at += (int)strlen(why + at);
		}
	}
	conf_complaints_destroy(&all);
	return error == 0;
}

static void *zeroed(size_t size)
{
	size_t whole = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *mem = aligned_alloc(CACHE_LINE, whole);

	if (mem == NULL)
		abort();
	return memset(mem, 0, whole);
}

static bool take_over(struct world *w)
{
	struct shard_setup setup = {.n_shards = 1,
		.limits = conf_shard_limits(w->conf),
		.clients = conf_shard_clients(w->conf),
		.fragments = w->conf->fragments,
		.syns = w->conf->syns,
		.epochs = w->epochs};

	rng_init_u64(&setup.seed, SEED);
	w->mem = zeroed(shard_size(&setup));
	w->shard = shard_init(w->mem, &setup, w->now);
	if (!settle(w) || shard_generation(w->shard) != w->conf->generation)
		return false;
	world_pass(w, ANNOUNCED_S);
	world_set_epoch(w, START_EPOCH_S);
	w->n_out = 0; // what it says on its own before anybody is there
	return true;
}

struct world *world_open(const char *file, const char *yaml, size_t len, char why[WHY_SIZE])
{
	struct world *w = zeroed(sizeof *w);

	w->now = START_S * NS_PER_S;
	w->epochs = zeroed(sizeof *w->epochs);
	world_set_epoch(w, START_EPOCH_S);
	if (!load(w, file, yaml, len, why))
		goto refused;
	w->conf->generation = 1;
	if (take_over(w))
		return w;
	snprintf(why, WHY_SIZE, "the shard does not take the configuration over");
refused:
	world_close(w);
	return NULL;
}

void world_close(struct world *w)
{
	if (w == NULL)
		return;
	conf_destroy(w->conf);
	free(w->mem);
	free(w->epochs);
	free(w);
}

// ---- packets in
// ----------------------------------------------------------------------------------

static int first_interface(const struct conf *c, uint8_t side)
{
	for (uint16_t i = 0; i < c->n_interfaces; i++)
		if (c->interfaces[i].side == side)
			return i;
	return -1;
}

static void run(struct world *w, struct pkt *p)
{
	struct shard_sink sink = sink_of(w);
	enum verdict verdict;

	shard_run(w->shard, w->conf, w->now, p, &verdict, 1, &sink);
	if (verdict == VERDICT_HANDOFF) // to itself: this world has one shard
		shard_run(w->shard, w->conf, w->now, p, &verdict, 1, &sink);
	judge(w, p, verdict);
}

void world_put(struct world *w, const struct packet *in)
{
	uint8_t *bytes = w->in[w->n_in++ % MAX_IN];
	struct pkt p = {0};
	int iface = first_interface(w->conf, in->side);

	memcpy(bytes, in->bytes, in->len);
	w->dropped = pkt_parse_ip4(&p, bytes, in->len);
	if (w->dropped != DROP_NONE || iface < 0)
		return;
	p.buf = bytes;
	p.room = PACKET_ROOM;
	p.iface = (uint16_t)iface;
	p.stage = PKT_FRESH;
	if (shard_owner(w->conf, &p, 0) == 0)
		run(w, &p);
	settle(w);
}

bool world_announce(struct world *w)
{
	for (uint16_t group = 0; group < CONF_MAX_GROUPS; group++) {
		struct shard_wish wish = {.kind = SHARD_ANNOUNCE, .group = (uint8_t)group};
		struct shard_answer answer;

		if (!w->conf->groups[group].used)
			continue;
		if (!shard_wish(w->shard, &wish) || !settle(w))
			return false;
		if (!shard_answer(w->shard, &answer) || answer.error != 0)
			return false;
	}
	return true;
}

// ---- counters
// ------------------------------------------------------------------------------------

static bool named(const char *name, const char *prefix, const char *rest)
{
	size_t n = strlen(prefix);

	return strncmp(name, prefix, n) == 0 && strcmp(name + n, rest) == 0;
}

// Of all groups.
static uint64_t server_sum(const struct shard_counters *s, size_t offset)
{
	uint64_t sum = 0, value;

	for (unsigned group = 0; group < NAT_MAX_GROUPS; group++) {
		memcpy(&value, (const uint8_t *)&s->server[group] + offset, sizeof value);
		sum += value;
	}
	return sum;
}

bool world_counter(const struct world *w, const char *name, uint64_t *value)
{
	const struct shard_counters *s = shard_counters(w->shard);
	const struct nat_counters *n = shard_nat_counters(w->shard);

	for (unsigned d = 1; d < DROP_COUNT; d++)
		if (named(name, "drops.", drop_name(d)))
			return *value = s->drops[d], true;
	for (unsigned r = 0; r < PCP_RESULT_COUNT; r++)
		if (named(name, "results.", pcp_result_name(pcp_result_at(r))))
			return *value = server_sum(s, offsetof(struct server_counters, results) +
							      r * sizeof(uint64_t)),
			       true;
#define X(field, sentence)                                                                         \
	if (named(name, "shard.", #field))                                                         \
		return *value = s->field, true;
	SHARD_COUNTERS(X)
#undef X
#define X(field, sentence)                                                                         \
	if (named(name, "server.", #field))                                                        \
		return *value = server_sum(s, offsetof(struct server_counters, field)), true;
	SERVER_COUNTERS(X)
#undef X
#define X(field, sentence)                                                                         \
	if (named(name, "nat.", #field))                                                           \
		return *value = n->field, true;
	NAT_COUNTERS(X)
	NAT_GAUGES(X)
#undef X
	return false;
}
