// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	SEED = 4787,
	STEPS_MOST = 1000000, // until everybody must have settled
	HANDOFFS_MOST = 3     // a fragment to its ports' owner, a hairpin, and an error about it
};

#define TAG_LATE UINT64_MAX // held by a shard for a while

void world_die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	abort();
}

static void *zeroed(size_t size)
{
	size_t whole = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *mem = aligned_alloc(CACHE_LINE, whole);

	if (mem == NULL)
		world_die("no memory");
	return memset(mem, 0, whole);
}

// ---- what leaves -----------------------------------------------------------------------------

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t pseudo_sum(const uint8_t *ip, size_t l4_len)
{
	uint8_t pseudo[12] = {0};

	memcpy(pseudo, ip + 12, 8);
	pseudo[9] = ip[9];
	pseudo[10] = (uint8_t)(l4_len >> 8);
	pseudo[11] = (uint8_t)l4_len;
	return (uint16_t)~make_sum(0, pseudo, sizeof pseudo);
}

static bool quote_is_right(const uint8_t *icmp, size_t len)
{
	const uint8_t *quote = icmp + 8;

	if (icmp[0] == ICMP_ECHO || icmp[0] == ICMP_ECHO_REPLY)
		return true;
	return len >= 8 + 28 && make_sum(0, quote, (quote[0] & 15u) * 4) == 0;
}

static bool is_fragment(const uint8_t *packet)
{
	return (get16(packet + 6) & (IP4_MF | IP4_OFFSET)) != 0;
}

bool world_sums_are_right(const uint8_t *packet, size_t len)
{
	size_t header = (packet[0] & 15u) * 4, l4_len = len - header;
	const uint8_t *l4 = packet + header;

	if (make_sum(0, packet, header) != 0 || get16(packet + 2) != len)
		return false;
	if (is_fragment(packet)) // the rest of what its checksum covers is elsewhere
		return true;
	switch (packet[9]) {
	case IP_UDP:
		return get16(l4 + 6) == 0 || make_sum(pseudo_sum(packet, l4_len), l4, l4_len) == 0;
	case IP_TCP:
		return make_sum(pseudo_sum(packet, l4_len), l4, l4_len) == 0;
	case IP_ICMP:
		return make_sum(0, l4, l4_len) == 0 && quote_is_right(l4, l4_len);
	default:
		return true;
	}
}

// What *p says is what its octets say.
static bool is_in_step(const struct pkt *p)
{
	struct pkt again;

	if (p->dst >> 28 == 14) // ours alone may go to a group; the parse takes no such packet
		return true;
	if (is_fragment(p->l3)) // it may have got the ports of its datagram
		return true;
	if (make_parse(&again, p->l3, p->len) != DROP_NONE)
		return false;
	return p->src == again.src && p->dst == again.dst && p->len == again.len &&
	       p->sport == again.sport && p->dport == again.dport && p->kind == again.kind;
}

static void look_at_leaving(const struct world *w, struct frame *f)
{
	const struct pkt *p = &f->p;

	if (p->next_hop >= w->conf->n_next_hops)
		world_die(
			"a packet leaves by next hop %u of %u", p->next_hop, w->conf->n_next_hops);
	f->out = w->conf->next_hops[p->next_hop].iface;
	if (p->len > w->conf->interfaces[f->out].mtu)
		world_die("a packet leaves that does not fit its link");
	if (p->kind == PKT_IP6)
		return;
	if (p->via == 0)
		world_die("a packet leaves to nobody");
	if (!world_sums_are_right(p->l3, p->len))
		world_die("a packet leaves with a wrong checksum");
	if (!is_in_step(p))
		world_die("a packet leaves whose octets say something else");
}

static struct pkt *sink_alloc(void *ctx)
{
	struct world *w = ctx;

	if (w->no_buffers) {
		w->denied++;
		return NULL;
	}
	w->spare.p = (struct pkt){.buf = &w->spare, .l3 = w->spare.bytes, .room = WORLD_ROOM};
	return &w->spare.p;
}

static void note_sent(struct world *w, const struct frame *from)
{
	struct frame *f = &w->sent[w->n_sent++ % w->n_kept];

	*f = *from;
	memmove(f->bytes, from->p.l3, from->p.len);
	f->p.l3 = f->bytes;
}

static void sink_send(void *ctx, struct pkt *p)
{
	struct world *w = ctx;

	if (p != &w->spare.p)
		world_die("a shard sends what is not its own");
	look_at_leaving(w, &w->spare);
	note_sent(w, &w->spare);
}

static void judge(struct world *w, uint16_t shard, struct frame *f, struct pkt *p, enum verdict v);

static void sink_give(void *ctx, struct pkt *p, enum verdict verdict)
{
	struct world *w = ctx;
	struct frame *f = p->buf, **at = &w->held;

	while (*at != NULL && *at != f)
		at = &(*at)->next;
	if (*at == NULL || verdict == VERDICT_HOLD)
		world_die("a shard gives what it did not hold");
	*at = f->next;
	w->n_held--;
	w->released[f->shard]++;
	judge(w, f->shard, f, p, verdict);
	free(f);
}

// ---- the snapshot ----------------------------------------------------------------------------

static struct conf *load(const char *yaml, const struct conf *previous)
{
	struct conf_complaints all = {.file = "test.yaml"};
	struct conf *c;
	char line[600];

	if (conf_load_text("test.yaml", yaml, strlen(yaml), previous, &c, &all) == 0) {
		conf_complaints_destroy(&all);
		c->generation = previous ? previous->generation + 1 : 1;
		return c;
	}
	for (uint32_t i = 0; i < all.n; i++) {
		conf_complaint_format(&all, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	world_die("the configuration is refused");
}

bool world_try_publish(struct world *w, const char *yaml)
{
	struct conf_complaints all = {.file = "test.yaml"};
	struct conf *old = w->conf, *new = load(yaml, old);
	bool live = conf_restart_leaves(old, new, &all) == 0;

	conf_complaints_destroy(&all);
	w->conf = live ? new : old;
	conf_destroy(live ? old : new); // a shard keeps nothing of it between two calls
	return live;
}

void world_publish(struct world *w, const char *yaml)
{
	if (!world_try_publish(w, yaml))
		world_die("this configuration asks for a restart");
}

// ---- life ------------------------------------------------------------------------------------

static void open_shard(struct world *w, uint16_t k)
{
	struct shard_setup setup = {.id = k,
		.n_shards = w->n,
		.limits = conf_shard_limits(w->conf),
		.clients = conf_shard_clients(w->conf),
		.fragments = w->conf->fragments,
		.syns = w->conf->syns,
		.epochs = w->epochs};

	rng_init_u64(&setup.seed, SEED + k);
	w->mem[k] = zeroed(shard_size(&setup));
	w->shard[k] = shard_init(w->mem[k], &setup, w->now);
	w->queue[k].frames = zeroed(WORLD_QUEUE * sizeof(struct frame *));
}

void world_keep(struct world *w, unsigned n)
{
	free(w->sent);
	w->sent = zeroed(n * sizeof *w->sent);
	w->n_kept = n;
	w->n_sent = 0;
}

void world_open(struct world *w, const char *yaml)
{
	*w = (struct world){.now = WORLD_START_S * NS_PER_S};
	w->sink = (struct shard_sink){
		.ctx = w, .alloc = sink_alloc, .send = sink_send, .give = sink_give};
	world_keep(w, WORLD_SENT);
	w->epochs = zeroed(sizeof *w->epochs);
	w->conf = load(yaml, NULL);
	w->n = w->conf->n_workers;
	if (w->n > WORLD_SHARDS)
		world_die("at most %u workers", WORLD_SHARDS);
	for (uint32_t g = 0; g < NAT_MAX_GROUPS; g++)
		w->epochs->base_ns[g] = w->now;
	for (uint16_t k = 0; k < w->n; k++)
		open_shard(w, k);
	world_settle(w);
}

void world_close(struct world *w)
{
	world_account(w);
	for (uint16_t k = 0; k < w->n; k++) {
		free(w->mem[k]);
		free(w->queue[k].frames);
	}
	while (w->held != NULL) {
		struct frame *next = w->held->next;
		free(w->held);
		w->held = next;
	}
	conf_destroy(w->conf);
	free(w->epochs);
	free(w->sent);
}

void world_step(struct world *w)
{
	for (uint16_t k = 0; k < w->n; k++)
		shard_step(w->shard[k], w->conf, w->now, &w->sink);
}

static void settle_one(struct world *w, uint16_t k)
{
	for (unsigned i = 0; i < STEPS_MOST; i++) {
		if (!shard_step(w->shard[k], w->conf, w->now, &w->sink))
			return;
	}
	world_die("shard %u never settles", k);
}

void world_settle(struct world *w)
{
	for (uint16_t k = 0; k < w->n; k++)
		settle_one(w, k);
}

void world_reload(struct world *w, const char *yaml)
{
	world_publish(w, yaml);
	world_settle(w);
}

void world_pass(struct world *w, uint32_t seconds)
{
	while (seconds-- > 0) {
		w->now += NS_PER_S;
		world_settle(w);
	}
}

void world_pass_ms(struct world *w, uint32_t ms)
{
	for (; ms >= 50; ms -= 50) {
		w->now += 50 * NS_PER_MS;
		world_settle(w);
	}
}

void world_set_epoch(struct world *w, uint32_t group, uint32_t age_s)
{
	w->epochs->base_ns[group] = w->now - age_s * NS_PER_S;
}

// ---- the switch ------------------------------------------------------------------------------

static void keep(void *ctx, struct frame *f);

// What comes later than its world_put() is not that one's any more.
static void end(struct world *w, struct frame *f)
{
	if (w->deliver == keep && f->tag == TAG_LATE)
		note_sent(w, f);
	else if (w->deliver != NULL)
		w->deliver(w->ctx, f);
}

// A place at the end of a shard's queue.
static struct frame *queue_place(struct world *w, uint16_t shard)
{
	struct world_queue *q = &w->queue[shard];

	struct frame *f = malloc(sizeof *f);

	if (q->n == WORLD_QUEUE)
		world_die("the queue of shard %u is full", shard);
	if (f == NULL)
		world_die("no memory");
	q->frames[(q->first + q->n++) % WORLD_QUEUE] = f;
	return f;
}

static void copy_packet(struct frame *to, const struct pkt *p)
{
	to->p = *p;
	to->p.buf = to;
	to->p.l3 = to->bytes;
	memcpy(to->bytes, p->l3, p->len);
}

void world_feed(struct world *w, uint16_t iface, const uint8_t *packet, size_t len, uint64_t tag)
{
	struct frame *f;
	struct pkt p;
	enum drop drop;

	w->put++;
	drop = make_parse(&p, (uint8_t *)(uintptr_t)packet, len);
	if (drop != DROP_NONE) {
		w->unparsed++;
		end(w, &(struct frame){.verdict = VERDICT_DROP, .drop = drop, .tag = tag});
		return;
	}
	p.iface = iface;
	p.room = WORLD_ROOM;
	f = queue_place(w, shard_owner(w->conf, &p, (uint16_t)(w->put % w->n)));
	f->handoffs = 0;
	f->tag = tag;
	copy_packet(f, &p);
}

// As io does: the octets travel, with the interface, the stage, for third parties the Epoch and for
// resolved fragments kind and ports; the rest is found anew.
static void hand_over(struct world *w, const struct frame *from, const struct pkt *p)
{
	struct frame *f = queue_place(w, p->owner);
	enum drop drop;

	f->handoffs = from->handoffs + 1;
	f->tag = from->tag;
	memcpy(f->bytes, p->l3, p->len);
	drop = make_parse(&f->p, f->bytes, p->len);
	if (drop != DROP_NONE)
		world_die("a packet handed over does not parse: %s", drop_name(drop));
	if (!world_sums_are_right(f->bytes, p->len))
		world_die("a packet is handed over with a wrong checksum");
	f->p.buf = f;
	f->p.iface = p->iface;
	f->p.room = WORLD_ROOM;
	f->p.stage = p->stage;
	f->p.epoch_s = p->epoch_s;
	if (p->resolved)
		pkt_resolve(&f->p, p->kind, p->sport, p->dport);
	if (f->handoffs > HANDOFFS_MOST)
		world_die("a packet changes hands again and again");
	if (shard_owner(w->conf, &f->p, p->owner) != p->owner)
		world_die("the steering knows another owner than the shard");
}

static void judge(struct world *w, uint16_t shard, struct frame *f, struct pkt *p, enum verdict v)
{
	w->verdicts[shard][v]++;
	f->verdict = v;
	f->shard = shard;
	f->drop = v == VERDICT_DROP ? p->drop : DROP_NONE;
	f->p = *p;
	switch (v) {
	case VERDICT_HANDOFF:
		if (p->owner == shard || p->owner >= w->n)
			world_die("shard %u hands over to %u", shard, p->owner);
		hand_over(w, f, p);
		return;
	case VERDICT_PASS:
	case VERDICT_REPLY:
		look_at_leaving(w, f);
		end(w, f);
		return;
	case VERDICT_DROP:
		if (p->drop >= DROP_COUNT)
			world_die("a packet is dropped without a reason");
		w->cut += p->drop == DROP_NONE;
		end(w, f);
		return;
	case VERDICT_HOLD:
		f->next = w->held;
		w->held = f;
		w->n_held++;
		if (w->deliver == keep)
			f->tag = TAG_LATE;
		return;
	default:
		world_die("nothing here punts");
	}
}

static void run_burst(struct world *w, uint16_t shard)
{
	struct world_queue *q = &w->queue[shard];
	unsigned n = min_u32(q->n, SHARD_BURST);
	struct pkt packets[SHARD_BURST];
	enum verdict verdicts[SHARD_BURST];

	for (unsigned i = 0; i < n; i++)
		packets[i] = q->frames[(q->first + i) % WORLD_QUEUE]->p;
	w->given[shard] += n;
	shard_run(w->shard[shard], w->conf, w->now, packets, verdicts, n, &w->sink);
	for (unsigned i = 0; i < n; i++) {
		struct frame *f = q->frames[q->first];
		judge(w, shard, f, &packets[i], verdicts[i]);
		if (verdicts[i] != VERDICT_HOLD)
			free(f);
		q->first = (q->first + 1) % WORLD_QUEUE;
		q->n--;
	}
}

void world_flush(struct world *w)
{
	bool more = true;

	while (more) {
		more = false;
		for (uint16_t k = 0; k < w->n; k++) {
			if (w->queue[k].n == 0)
				continue;
			run_burst(w, k);
			more = true;
		}
	}
}

static void keep(void *ctx, struct frame *f)
{
	struct frame *out = ctx;

	*out = *f;
	if (f->verdict == VERDICT_DROP)
		return;
	out->p.buf = out;
	memmove(out->bytes, f->p.l3, f->p.len);
	out->p.l3 = out->bytes;
}

void world_put(
	struct world *w, uint16_t iface, const uint8_t *packet, size_t len, struct frame *out)
{
	unsigned held = w->n_held;

	out->verdict = VERDICT_HOLD;
	w->deliver = keep;
	w->ctx = out;
	world_feed(w, iface, packet, len, 0);
	world_flush(w);
	if (out->verdict == VERDICT_HOLD && w->n_held == held)
		world_die("a packet is lost in the switch");
}
