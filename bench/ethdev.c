// SPDX-License-Identifier: Apache-2.0
// bench-ethdev: packets and PCP requests through posternd behind a real driver. The generator
// limits the rates, so each figure stands beside the cycles in which the worker was busy: its CPU
// time less its empty turns, each at the price of one in an idle time of the same run.
#include "ethdev.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define CREATE_ROUNDS 8
#define LONG_S 120.0
#define IDLE_MS 300
#define BACKGROUND_PPS 10000.0
#define ASKED_PPS 1000.0
#define ANSWERS (1u << 20)
// Less than the rings behind the ports, so that only posternd can lose packets: memif's have 4096
// places here and net_ring's as well, those of a packet socket 512.
#define WINDOW 1024
#define WINDOW_VETH 192

volatile bool interrupted;

static void on_signal(int number)
{
	(void)number;
	interrupted = true;
}

// ---- the generator ---------------------------------------------------------------------------

// Subscribers and ports lie scattered: keys that count upwards flatter any table.
static void draw_flows(struct generator *g)
{
	uint32_t start = 0;

	for (uint32_t i = 0; i < g->n; i++) {
		uint32_t subscriber = i / PORTS_EACH, k = i % PORTS_EACH;

		if (k == 0)
			start = rng_below(&g->rng, 60000);
		g->flows[i] = (struct flow){
			.host = SUBSCRIBERS + (subscriber * 2654435761u & 0x3fffffu),
			.port = (uint16_t)(1024 + (start + k * 997) % 60000),
			.lease_port = (uint16_t)(61024 + k),
		};
	}
}

int generator_open(struct generator *g, struct daemon *d, uint32_t n_flows)
{
	*g = (struct generator){.n = n_flows, .daemon = d, .hz = (double)rte_get_tsc_hz()};
	g->flows = calloc(n_flows, sizeof *g->flows);
	g->asked_at = calloc(n_flows, sizeof *g->asked_at);
	g->answers = calloc(ANSWERS, sizeof *g->answers);
	if (!g->flows || !g->asked_at || !g->answers)
		return -ENOMEM;
	g->max_answers = ANSWERS;
	g->window = d->device == DEVICE_MEMIF || d->device == DEVICE_RING ? WINDOW : WINDOW_VETH;
	rng_init_u64(&g->rng, n_flows);
	draw_flows(g);
	if (!d->io)
		return link_open(g, d);
	ring_ports(g->port);
	int error = link_make_pool(g);
	for (enum side side = INSIDE; error == 0 && side < SIDES; side++)
		error = link_start_port(g, side);
	return error;
}

void generator_close(struct generator *g)
{
	if (g->daemon->io)
		ring_stop(g->daemon); // it has buffers of ours; EAL goes, too
	else if (g->pool)
		link_close(g);
	free(g->flows);
	free(g->asked_at);
	free(g->answers);
}

// ---- measuring -------------------------------------------------------------------------------

struct bench {
	const struct options *o;
	struct daemon daemon;
	struct generator g;
	struct sample last;
	double empty_cycles; // of an empty turn; 0: not known
	uint32_t *order;     // all flows, shuffled
	bool failed;
};

static double cpu_cycles(const struct bench *b, const struct sample *from, const struct sample *to)
{
	return (double)(to->cpu_ns - from->cpu_ns) * b->g.hz / 1e9;
}

static int weigh_empty_turn(struct bench *b)
{
	struct sample from, to;
	int error = daemon_sample(&b->daemon, &from);

	if (error)
		return error;
	usleep(IDLE_MS * 1000);
	error = daemon_sample(&b->daemon, &to);
	if (error == 0 && to.loops > from.loops && to.cpu_ns > from.cpu_ns)
		b->empty_cycles = cpu_cycles(b, &from, &to) / (double)(to.loops - from.loops);
	b->last = to;
	return error;
}

static double busy_cycles(
	const struct bench *b, const struct sample *from, const struct sample *to, uint64_t packets)
{
	uint64_t empty = to->loops - from->loops - (to->busy_loops - from->busy_loops);
	double all = cpu_cycles(b, from, to), idle = (double)empty * b->empty_cycles;

	if (b->empty_cycles <= 0 || packets == 0 || all <= idle)
		return 0;
	return (all - idle) / (double)packets;
}

static struct tally sum_of(const struct generator *g, const struct load *loads, unsigned n)
{
	struct tally sum = {0, 0, 0};

	for (unsigned i = 0; i < n; i++) {
		const struct tally *t = &g->tally[loads[i].kind];

		sum.sent += t->sent;
		sum.received += t->received;
		sum.wrong += t->wrong;
	}
	return sum;
}

static int measure(struct bench *b, const char *name, struct load *loads, unsigned n,
	double seconds, struct figure *f)
{
	struct tally was = sum_of(&b->g, loads, n);
	struct sample from, to;
	int error = daemon_sample(&b->daemon, &from);

	if (error)
		return error;
	double passed = drive(&b->g, loads, n, seconds);
	struct tally is = sum_of(&b->g, loads, n);
	error = daemon_sample(&b->daemon, &to);
	if (error)
		return error;
	uint64_t received = is.received - was.received;
	*f = (struct figure){
		.operation = name,
		.pps = passed > 0 ? (double)received / passed : 0,
		.sent = is.sent - was.sent,
		.wrong = is.wrong - was.wrong,
		.mappings = b->g.n,
	};
	f->lost = f->sent > received ? f->sent - received : 0;
	f->cycles = busy_cycles(b, &from, &to, f->sent);
	b->last = to;
	return 0;
}

static void report(struct bench *b, const struct figure *f)
{
	tell_figure(b->o, &b->daemon, &b->last, f);
	b->failed |= f->wrong > 0 || f->sent == 0 || (b->o->check && f->lost > 0);
}

static double limited(const struct bench *b, double rate)
{
	return b->o->rate > 0 && (rate <= 0 || b->o->rate < rate) ? b->o->rate : rate;
}

// ---- creating --------------------------------------------------------------------------------

static void shuffle(struct bench *b)
{
	for (uint32_t i = 0; i < b->g.n; i++)
		b->order[i] = i;
	for (uint32_t i = b->g.n - 1; i > 0; i--) {
		uint32_t k = rng_below(&b->g.rng, i + 1), flow = b->order[i];

		b->order[i] = b->order[k];
		b->order[k] = flow;
	}
}

static bool is_made(const struct flow *f, enum kind kind)
{
	return kind == KIND_MAP ? f->leased : f->external != 0;
}

// What a queue swallowed is sent again until it is there; the figure is that of the first round.
static int create(struct bench *b, const char *name, enum kind kind)
{
	struct load load = {.kind = kind, .rate = limited(b, 0), .order = b->order};
	struct figure f, again;

	shuffle(b);
	load.n_order = b->g.n;
	int error = measure(b, name, &load, 1, LONG_S, &f);
	if (error)
		return error;
	report(b, &f);
	for (int round = 0; round < CREATE_ROUNDS && !interrupted; round++) {
		load.n_order = 0;
		for (uint32_t i = 0; i < b->g.n; i++) {
			if (!is_made(&b->g.flows[i], kind))
				b->order[load.n_order++] = i;
		}
		if (load.n_order == 0)
			return 0;
		error = measure(b, name, &load, 1, LONG_S, &again);
		if (error)
			return error;
	}
	if (interrupted)
		return -EINTR;
	fprintf(stderr, "bench-ethdev: %u of %u %s never came back\n", load.n_order, b->g.n, name);
	return -EIO;
}

// ---- hits, in turns --------------------------------------------------------------------------

struct operation {
	const char *name;
	unsigned n;
	enum kind kinds[2];
};

static const struct operation operations[] = {
	{"forward", 1, {KIND_PASS}}, // the same way without translation
	{"in2out", 1, {KIND_OUT}},
	{"out2in", 1, {KIND_IN}},
	{"both-ways", 2, {KIND_OUT, KIND_IN}},
	{"pcp-renew", 1, {KIND_MAP}},
};
#define N_OPERATIONS (sizeof operations / sizeof *operations)

static int by_pps(const void *a, const void *b)
{
	const struct figure *x = a, *y = b;

	return (x->pps > y->pps) - (x->pps < y->pps);
}

static int run_once(struct bench *b, const struct operation *op, struct figure *f)
{
	struct load loads[2] = {{.kind = op->kinds[0], .rate = limited(b, 0)},
		{.kind = op->kinds[1], .rate = limited(b, 0)}};

	return measure(b, op->name, loads, op->n, b->o->seconds, f);
}

// The median by rate of all rounds; lost and wrong are those of all.
static struct figure median(struct figure *f, unsigned n)
{
	struct figure out;
	uint64_t lost = 0, wrong = 0, sent = 0;

	for (unsigned i = 0; i < n; i++) {
		lost += f[i].lost;
		wrong += f[i].wrong;
		sent += f[i].sent;
	}
	qsort(f, n, sizeof *f, by_pps);
	out = f[n / 2];
	out.lost = lost;
	out.wrong = wrong;
	out.sent = sent;
	return out;
}

static int run_hits(struct bench *b)
{
	struct figure figures[N_OPERATIONS][MAX_ROUNDS];
	size_t n = b->o->no_pcp ? N_OPERATIONS - 1 : N_OPERATIONS;

	for (unsigned r = 0; r < b->o->rounds && !interrupted; r++) {
		for (size_t i = 0; i < n; i++) {
			int error = run_once(b, &operations[i], &figures[i][r]);
			if (error)
				return error;
		}
	}
	for (size_t i = 0; i < n && !interrupted; i++) {
		struct figure f = median(figures[i], b->o->rounds);
		report(b, &f);
	}
	return 0;
}

// ---- latency ---------------------------------------------------------------------------------

static int by_size(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double microseconds(const struct generator *g, double share)
{
	uint32_t at = (uint32_t)(share * (g->n_answers - 1));

	return (double)g->answers[at] * 16 / g->hz * 1e6;
}

// One worker answers renewals while packets pass.
static int run_latency(struct bench *b)
{
	struct generator *g = &b->g;
	struct load loads[2] = {{.kind = KIND_OUT, .rate = limited(b, BACKGROUND_PPS)},
		{.kind = KIND_MAP, .rate = limited(b, ASKED_PPS)}};
	struct figure f;

	for (uint32_t i = 0; i < g->n; i++)
		g->asked_at[i] = 0;
	g->n_answers = 0;
	uint64_t asked = g->tally[KIND_MAP].sent, answered = g->tally[KIND_MAP].received;
	int error = measure(b, "pcp-latency", loads, 2, b->o->seconds > 2 ? b->o->seconds : 2, &f);
	if (error || interrupted)
		return error;
	if (g->n_answers == 0) {
		fputs("bench-ethdev: no PCP request was answered\n", stderr);
		return -EIO;
	}
	qsort(g->answers, g->n_answers, sizeof *g->answers, by_size);
	struct latency l = {
		.p50_us = microseconds(g, 0.5),
		.p99_us = microseconds(g, 0.99),
		.max_us = microseconds(g, 1),
		.asked = g->tally[KIND_MAP].sent - asked,
		.answered = g->tally[KIND_MAP].received - answered,
	};
	tell_latency(b->o, &b->daemon, &b->last, g->n, &l);
	b->failed |= f.wrong > 0 || (b->o->check && f.lost > 0);
	return 0;
}

// ---- one device, one size --------------------------------------------------------------------

static int run_all(struct bench *b)
{
	if (!b->daemon.io && b->daemon.device == DEVICE_MEMIF) {
		int error = link_wait_up(&b->g);
		if (error)
			return error;
	}
	if (!drive_meet(&b->g)) {
		fputs("bench-ethdev: posternd does not answer ARP\n", stderr);
		return -EIO;
	}
	int error = weigh_empty_turn(b);
	if (error)
		return error;
	tell_begin(b->o, &b->daemon, &b->last, b->empty_cycles);
	error = create(b, "create", KIND_OUT);
	if (error == 0 && !b->o->no_pcp)
		error = create(b, "pcp-create", KIND_MAP);
	if (error == 0)
		error = run_hits(b);
	if (error == 0 && !b->o->no_pcp && !interrupted)
		error = run_latency(b);
	return error;
}

static int run_size(const struct options *o, enum device device, uint32_t n_flows)
{
	struct bench b = {.o = o};
	int error = daemon_prepare(&b.daemon, o, device, n_flows);

	if (error == 0)
		error = link_prepare(&b.daemon);
	if (error == 0)
		error = daemon_start(&b.daemon);
	if (error == 0)
		error = generator_open(&b.g, &b.daemon, n_flows);
	b.order = error ? NULL : calloc(n_flows, sizeof *b.order);
	if (error == 0)
		error = b.order ? run_all(&b) : -ENOMEM;
	free(b.order);
	if (b.g.daemon)
		generator_close(&b.g);
	daemon_stop(&b.daemon);
	if (b.failed && error == 0)
		fputs("bench-ethdev: packets were lost or wrong\n", stderr);
	return error || b.failed ? 1 : 0;
}

// EAL starts once in a process, so each run has one of its own.
static int run_in_child(const struct options *o, enum device device, uint32_t n_flows)
{
	int status;

	fflush(stdout);
	pid_t pid = fork();
	if (pid == 0) {
		status = run_size(o, device, n_flows);
		fflush(stdout);
		_exit(status);
	}
	if (pid < 0) {
		perror("bench-ethdev: fork");
		return 1;
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		kill(pid, SIGTERM);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static int print_config(const struct options *o)
{
	struct daemon d;
	int error = daemon_prepare(&d, o, DEVICE_MEMIF, o->sizes[0]);

	if (error)
		return 1;
	daemon_write_config(&d, stdout);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = {.sa_handler = on_signal};
	struct options o;
	int status = 0;

	options_read(&o, argc, argv);
	if (o.print_config)
		return print_config(&o);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	signal(SIGPIPE, SIG_IGN); // a reader that has seen enough leaves us our tidying up
	if (o.control)
		return run_size(&o, DEVICE_MEMIF, o.sizes[0]);
	for (enum device d = DEVICE_MEMIF; d < DEVICES; d++) {
		for (unsigned i = 0; o.devices[d] && i < o.n_sizes && !interrupted; i++)
			status |= run_in_child(&o, d, o.sizes[i]);
	}
	return interrupted ? 1 : status;
}
