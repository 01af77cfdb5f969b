// SPDX-License-Identifier: Apache-2.0
// bench-instructions: one operation, K times, in the same way whenever it runs. bench/instructions
// runs it under callgrind, which counts in the functions called counted_* and nowhere else: neither
// what stands before, nor the making of packets, nor the reading of the log is in a figure.
#include "instructions.h"

#include <errno.h>
#include <stdlib.h>

enum {
	SEED = 1,
	OUTLIVE_FIRST_S = 3700, // beyond every lifetime and idle timeout
	OUTLIVE_EACH_S = 10,
	OUTLIVE_ROUNDS = 200
};

struct trial {
	struct world w;
	uint32_t k;
	bool counted;
	uint64_t failures; // packets that did not get the verdict expected
};

// ---- what is counted -------------------------------------------------------------------------
// Never by a jump at the end: callgrind sees a function leave by its return.

#define COUNTED static __attribute__((noinline))
#define STAY_CALLED __asm__ volatile("" ::: "memory")

COUNTED void counted_run(struct world *w, struct pkt *packets, enum verdict *verdicts, unsigned n)
{
	shard_run(w->shard, w->conf, w->now, packets, verdicts, n, &w->sink);
	STAY_CALLED;
}

COUNTED bool counted_step(struct world *w)
{
	bool more = shard_step(w->shard, w->conf, w->now, &w->sink);

	STAY_CALLED;
	return more;
}

COUNTED void counted_parse(struct pkt *packets, const struct raw *raw, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		instructions_parse(&packets[i], &raw[i]);
	STAY_CALLED;
}

// ---- bursts ----------------------------------------------------------------------------------

struct burst {
	uint32_t of[SHARD_BURST];
	struct raw raw[SHARD_BURST];
	struct pkt packets[SHARD_BURST];
	enum verdict verdicts[SHARD_BURST];
	unsigned n;
};

// Whoever sends first learns the external endpoint: the packet tells it.
static void judge(struct trial *t, const struct burst *b, const struct pass *pass)
{
	bool learns = pass->message == UDP_OUT || pass->message == TCP_SYN_OUT;

	for (unsigned i = 0; i < b->n; i++) {
		t->failures += b->verdicts[i] != pass->verdict;
		if (!learns)
			continue;
		t->w.pairs[b->of[i]].external = b->packets[i].src;
		t->w.pairs[b->of[i]].external_port = b->packets[i].sport;
	}
}

static void run_burst(struct trial *t, struct burst *b, const struct pass *pass)
{
	struct world *w = &t->w;

	for (unsigned i = 0; i < b->n; i++)
		b->raw[i] = instructions_write(w, &w->pairs[b->of[i]], (enum message)pass->message);
	if (pass->work == PARSE) {
		counted_parse(b->packets, b->raw, b->n);
		return;
	}
	for (unsigned i = 0; i < b->n; i++)
		instructions_parse(&b->packets[i], &b->raw[i]);
	if (t->counted)
		counted_run(w, b->packets, b->verdicts, b->n);
	else
		shard_run(w->shard, w->conf, w->now, b->packets, b->verdicts, b->n, &w->sink);
	judge(t, b, pass);
	world_read_log(w); // which control does in the daemon, on another core
}

static void run_bursts(struct trial *t, const struct pass *pass)
{
	uint32_t count = pass->which == NONE_YET ? STANDING : t->k;
	uint32_t first = pass->which == EACH_NEW ? STANDING : 0;
	uint32_t most = pass->burst ? pass->burst : SHARD_BURST;
	struct burst b;

	for (uint32_t at = 0; at < count; at += b.n) {
		b.n = min_u32(most, count - at);
		for (unsigned i = 0; i < b.n; i++)
			b.of[i] = pass->which == ANY ? rng_below(&t->w.rng, STANDING)
						     : first + at + i;
		run_burst(t, &b, pass);
	}
}

// ---- time ------------------------------------------------------------------------------------

static bool all_is_over(const struct world *w)
{
	const struct nat_counters *n = shard_nat_counters(w->shard);

	return n->mappings == 0 && n->leases == 0 && n->sessions == 0 && n->resting == 0;
}

static void outlive(struct trial *t)
{
	struct world *w = &t->w;

	w->now += OUTLIVE_FIRST_S * NS_PER_S;
	for (unsigned round = 0; round < OUTLIVE_ROUNDS && !all_is_over(w); round++) {
		while (counted_step(w))
			world_read_log(w);
		world_read_log(w);
		w->now += OUTLIVE_EACH_S * NS_PER_S;
	}
	t->failures += !all_is_over(w);
}

static void stay_idle(struct trial *t)
{
	while (shard_step(t->w.shard, t->w.conf, t->w.now, &t->w.sink))
		;
	for (uint32_t i = 0; i < t->k; i++)
		t->failures += counted_step(&t->w);
}

// ---- operations ------------------------------------------------------------------------------

static void perform(struct trial *t, const struct pass *pass)
{
	if (pass->work == OUTLIVE)
		outlive(t);
	else if (pass->work == STEP)
		stay_idle(t);
	else if (pass->work != NOTHING)
		run_bursts(t, pass);
}

static int run_operation(const struct operation *o, uint32_t k)
{
	struct trial t = {.k = k};
	int error = world_open(&t.w, ALL, o->leases, SEED);

	if (error != 0) {
		fprintf(stderr, "bench-instructions: no table of %d mappings: %s\n", ALL,
			strerror(-error));
		return 1;
	}
	for (unsigned i = 0; i < ARRAY_SIZE(o->before); i++)
		perform(&t, &o->before[i]);
	t.counted = true;
	for (unsigned i = 0; i < ARRAY_SIZE(o->counted); i++)
		perform(&t, &o->counted[i]);
	world_close(&t.w);
	if (t.failures > 0)
		fprintf(stderr, "bench-instructions: %s: %llu answers were not those expected\n",
			o->name, (unsigned long long)t.failures);
	return t.failures > 0;
}

static const char usage[] =
	"usage: bench-instructions OPERATION K\n"
	"       bench-instructions --list\n"
	"\n"
	"Performs OPERATION, or all of them, K times (1..20000) on a table of 10000 mappings,\n"
	"always in the same way, for an instruction counter to watch. bench/instructions does\n"
	"that. The status is 1 when an answer was not the one expected.\n"
	"\n"
	"  --list   the operations, and what each is\n"
	"  --help\n";

static int list(void)
{
	for (unsigned i = 0; i < n_operations; i++)
		printf("%-16s %s\n", operations[i].name, operations[i].sentence);
	return 0;
}

// "all": every one of them, each in a world of its own.
static int run_named(const char *name, uint32_t k, unsigned *n_run)
{
	int failed = 0;

	for (unsigned i = 0; i < n_operations; i++) {
		if (strcmp(name, "all") != 0 && strcmp(name, operations[i].name) != 0)
			continue;
		failed |= run_operation(&operations[i], k);
		++*n_run;
	}
	return failed;
}

static int misused(const char *what, const char *found)
{
	fprintf(stderr, "bench-instructions: %s '%s'; see --help and --list\n", what, found);
	return 2;
}

int main(int argc, char **argv)
{
	char *end;
	unsigned long k;
	unsigned n_run = 0;
	int failed;

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc == 2 && strcmp(argv[1], "--list") == 0)
		return list();
	if (argc != 3) {
		fputs(usage, stderr);
		return 2;
	}
	k = strtoul(argv[2], &end, 10);
	if (end == argv[2] || *end != '\0' || k < 1 || k > MOST_OPERATIONS)
		return misused("K is a number from 1 to 20000, not", argv[2]);
	failed = run_named(argv[1], (uint32_t)k, &n_run);
	return n_run > 0 ? failed : misused("there is no operation", argv[1]);
}
