// SPDX-License-Identifier: Apache-2.0
// server - the shards of one configuration behind a pipe: packets in, packets out, time as told.
//
// Reads commands, one a line, from standard input; answers each with lines of its own and `end`:
//
//   config FILE             a new world with this configuration
//   reload FILE             the world takes this configuration over
//   epoch SECONDS           every group's Epoch reads this now
//   time MILLISECONDS       pass
//   packet SIDE HEX         a whole IPv4 packet arrives `inside` or `outside`
//   announce                what control asks of every worker after a restart
//   clear ADDRESS           what the operator asks to clear one subscriber
//   clear-group             what he asks to clear all of them
//   owner ADDRESS           value: the worker of this inside host
//
// Lines of an answer: `out SIDE HEX` a packet left, `drop REASON` the one given was dropped,
// `value TEXT`, `error TEXT`. tools/conformance is the other end.
#include <postern/shard.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	MAX_SHARDS = 4,
	MAX_SPARE = 64,
	MAX_HOPS = 4, // from worker to worker
	PACKET_ROOM = 2048,
	LINE_ROOM = 2 * PACKET_ROOM + 64,
	MAX_STEPS = 1000000, // of shard_step() until nobody has anything left to do
	TICK_MS = 50,
	START_S = 100000,
	SEED = 6887
};

struct world {
	struct conf *conf;
	struct shard_epochs *epochs;
	struct shard *shards[MAX_SHARDS];
	void *mem[MAX_SHARDS];
	unsigned n;
	ns now;
	struct pkt spare[MAX_SPARE];
	uint8_t spare_bytes[MAX_SPARE][PACKET_ROOM];
	unsigned n_spare;
};

static void *zeroed(size_t size)
{
	size_t whole = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	void *mem = aligned_alloc(CACHE_LINE, whole);

	if (mem == NULL)
		abort();
	return memset(mem, 0, whole);
}

// ---- what the shards let out -----------------------------------------------------------------

static void show(const struct world *w, const struct pkt *p)
{
	const struct conf_next_hop *hop = &w->conf->next_hops[p->next_hop];
	bool inside = w->conf->interfaces[hop->iface].side == CONF_INSIDE;

	printf("out %s ", inside ? "inside" : "outside");
	for (unsigned i = 0; i < p->len; i++)
		printf("%02x", p->l3[i]);
	putchar('\n');
}

static struct pkt *sink_alloc(void *ctx)
{
	struct world *w = ctx;
	unsigned i = w->n_spare++ % MAX_SPARE;

	w->spare[i] = (struct pkt){
		.buf = w->spare_bytes[i], .l3 = w->spare_bytes[i], .room = PACKET_ROOM};
	return &w->spare[i];
}

static void sink_send(void *ctx, struct pkt *p)
{
	show(ctx, p);
}

static struct shard_sink sink_of(struct world *w)
{
	return (struct shard_sink){.ctx = w, .alloc = sink_alloc, .send = sink_send};
}

// ---- time ------------------------------------------------------------------------------------

static bool settle(struct world *w)
{
	struct shard_sink sink = sink_of(w);
	bool more = true;

	for (unsigned i = 0; i < MAX_STEPS && more; i++) {
		more = false;
		for (unsigned k = 0; k < w->n; k++)
			more |= shard_step(w->shards[k], w->conf, w->now, &sink);
	}
	return !more;
}

static void pass(struct world *w, unsigned long ms)
{
	while (ms > 0) {
		unsigned long tick = ms < TICK_MS ? ms : TICK_MS;
		w->now += tick * NS_PER_MS;
		ms -= tick;
		settle(w);
	}
}

static void set_epoch(struct world *w, uint32_t epoch_s)
{
	for (unsigned group = 0; group < NAT_MAX_GROUPS; group++)
		w->epochs->base_ns[group] = w->now - epoch_s * NS_PER_S;
}

// ---- open and close --------------------------------------------------------------------------

static struct conf *load(const char *file, const struct conf *previous)
{
	struct conf_complaints all = {.file = file};
	struct conf *conf = NULL;
	char text[512];

	if (conf_load(file, previous, &conf, &all) == 0)
		conf->generation = previous == NULL ? 1 : previous->generation + 1;
	else
		conf = NULL;
	for (uint32_t i = 0; i < all.n; i++) {
		conf_complaint_format(&all, i, text, sizeof text);
		printf("error %s\n", text);
	}
	conf_complaints_destroy(&all);
	return conf;
}

static void close_world(struct world *w)
{
	for (unsigned i = 0; i < w->n; i++)
		free(w->mem[i]);
	conf_destroy(w->conf);
	free(w->epochs);
	*w = (struct world){.now = START_S * NS_PER_S};
}

static void open_shard(struct world *w, uint16_t id)
{
	struct shard_setup setup = {.id = id,
		.n_shards = w->conf->n_workers,
		.limits = conf_shard_limits(w->conf),
		.epochs = w->epochs};

	rng_init_u64(&setup.seed, SEED + id);
	w->mem[id] = zeroed(shard_size(&setup));
	w->shards[id] = shard_init(w->mem[id], &setup, w->now);
}

static void do_config(struct world *w, const char *file)
{
	close_world(w);
	w->conf = load(file, NULL);
	if (w->conf == NULL)
		return;
	if (w->conf->n_workers > MAX_SHARDS) {
		printf("error at most %d workers\n", MAX_SHARDS);
		return;
	}
	w->epochs = zeroed(sizeof *w->epochs);
	set_epoch(w, 0);
	w->n = w->conf->n_workers;
	for (uint16_t i = 0; i < w->n; i++)
		open_shard(w, i);
	if (!settle(w))
		puts("error the shards do not come to rest");
}

static void do_reload(struct world *w, const char *file)
{
	struct conf *old = w->conf, *conf = load(file, old);

	if (conf == NULL)
		return;
	w->conf = conf;
	settle(w);
	for (unsigned i = 0; i < w->n; i++)
		if (shard_generation(w->shards[i]) != conf->generation)
			puts("error a shard does not take the configuration over");
	conf_destroy(old);
}

// ---- packets ---------------------------------------------------------------------------------

static int first_interface(const struct conf *c, uint8_t side)
{
	for (uint16_t i = 0; i < c->n_interfaces; i++)
		if (c->interfaces[i].side == side)
			return i;
	return -1;
}

static void run(struct world *w, struct pkt *p, uint16_t owner)
{
	struct shard_sink sink = sink_of(w);
	enum verdict verdict = VERDICT_HANDOFF;

	p->owner = owner;
	for (unsigned hop = 0; hop < MAX_HOPS && verdict == VERDICT_HANDOFF; hop++)
		shard_run(w->shards[p->owner % w->n], w->conf, w->now, p, &verdict, 1, &sink);
	if (verdict == VERDICT_PASS || verdict == VERDICT_REPLY)
		show(w, p);
	else if (verdict == VERDICT_DROP)
		printf("drop %s\n", drop_name(p->drop));
	else
		printf("error verdict %d\n", (int)verdict);
}

static size_t read_hex(const char *hex, uint8_t *out)
{
	size_t n = 0;
	unsigned octet;

	while (n < PACKET_ROOM && sscanf(hex + 2 * n, "%2x", &octet) == 1)
		out[n++] = (uint8_t)octet;
	return n;
}

static void do_packet(struct world *w, const char *rest)
{
	bool inside = strncmp(rest, "inside ", 7) == 0;
	int iface = first_interface(w->conf, inside ? CONF_INSIDE : CONF_OUTSIDE);
	uint8_t bytes[PACKET_ROOM];
	size_t len = read_hex(rest + (inside ? 7 : 8), bytes);
	struct pkt p = {0};
	enum drop drop = pkt_parse_ip4(&p, bytes, len);

	if (drop != DROP_NONE) {
		printf("drop %s\n", drop_name(drop));
		return;
	}
	p.buf = bytes;
	p.room = PACKET_ROOM;
	p.iface = (uint16_t)iface;
	p.stage = PKT_FRESH;
	run(w, &p, shard_owner(w->conf, &p, 0));
	settle(w);
}

// ---- wishes of control -----------------------------------------------------------------------

// Asks one worker; clients of others that lost state by it are told of to their own workers.
static void ask(struct world *w, uint16_t worker, const struct shard_wish *wish)
{
	struct shard_answer answer = {.kind = SHARD_ROW_TEXT};

	if (!shard_wish(w->shards[worker], wish)) {
		puts("error the shard takes no wish");
		return;
	}
	settle(w);
	while (shard_answer(w->shards[worker], &answer)) {
		struct shard_wish reset = {.kind = SHARD_RESET_CLIENT,
			.key = {.realm = answer.client.realm, .host = answer.client.address}};
		if (answer.kind == SHARD_LOST_CLIENT)
			ask(w, conf_inside_owner(w->conf, answer.client.address), &reset);
		settle(w);
	}
	if (answer.kind != SHARD_DONE)
		puts("error the shard did not answer");
	else if (answer.error != 0)
		printf("error the shard answers %d\n", answer.error);
}

static void do_announce(struct world *w)
{
	for (uint16_t group = 0; group < CONF_MAX_GROUPS; group++) {
		struct shard_wish wish = {.kind = SHARD_ANNOUNCE, .group = (uint8_t)group};

		for (uint16_t i = 0; i < w->n && w->conf->groups[group].used; i++)
			ask(w, i, &wish);
	}
}

static bool read_address(const char *text, ip4 *out)
{
	bool good = ip4_parse(text, out);

	if (!good)
		puts("error no address");
	return good;
}

static void do_clear(struct world *w, const char *rest)
{
	int iface = first_interface(w->conf, CONF_INSIDE);
	struct shard_wish wish = {.kind = SHARD_CLEAR_SUBSCRIBER};

	if (!read_address(rest, &wish.key.host))
		return;
	wish.key.realm = w->conf->interfaces[iface].realm;
	ask(w, conf_inside_owner(w->conf, wish.key.host), &wish);
}

static void do_clear_group(struct world *w)
{
	struct shard_wish wish = {.kind = SHARD_CLEAR_GROUP};

	for (uint16_t i = 0; i < w->n; i++)
		ask(w, i, &wish);
	set_epoch(w, 0);
	do_announce(w);
}

static void do_owner(const struct world *w, const char *rest)
{
	ip4 host;

	if (read_address(rest, &host))
		printf("value %u\n", conf_inside_owner(w->conf, host));
}

// ---- the pipe --------------------------------------------------------------------------------

static bool is(const char *line, const char *verb)
{
	size_t n = strlen(verb);

	return strncmp(line, verb, n) == 0 && (line[n] == ' ' || line[n] == '\0');
}

static void obey_in_world(struct world *w, const char *line, const char *rest)
{
	if (is(line, "reload"))
		do_reload(w, rest);
	else if (is(line, "epoch"))
		set_epoch(w, (uint32_t)strtoul(rest, NULL, 10));
	else if (is(line, "time"))
		pass(w, strtoul(rest, NULL, 10));
	else if (is(line, "packet"))
		do_packet(w, rest);
	else if (is(line, "announce"))
		do_announce(w);
	else if (is(line, "clear"))
		do_clear(w, rest);
	else if (is(line, "clear-group"))
		do_clear_group(w);
	else if (is(line, "owner"))
		do_owner(w, rest);
	else
		puts("error unknown command");
}

static void obey(struct world *w, const char *line)
{
	const char *blank = strchr(line, ' ');
	const char *rest = blank == NULL ? "" : blank + 1;

	if (is(line, "config"))
		do_config(w, rest);
	else if (w->n == 0)
		puts("error no configuration yet");
	else
		obey_in_world(w, line, rest);
	puts("end");
	fflush(stdout);
}

int main(void)
{
	struct world *w = zeroed(sizeof *w);
	char *line = malloc(LINE_ROOM);

	if (line == NULL)
		return 1;
	w->now = START_S * NS_PER_S;
	while (fgets(line, LINE_ROOM, stdin) != NULL) {
		line[strcspn(line, "\n")] = '\0';
		obey(w, line);
	}
	close_world(w);
	free(w);
	free(line);
	return 0;
}
