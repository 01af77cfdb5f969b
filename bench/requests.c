// SPDX-License-Identifier: Apache-2.0
// bench-requests: the load that every peer gets. PCP requests or packets of many hosts, in random
// order, over one interface; so many are under way at any time, and each answer makes room for the
// next. It fills its core and does not sleep.
#include "requests.h"

#include <getopt.h>
#include <stdlib.h>
#include <time.h>

enum {
	ROUND = 512,   // answers read before more is sent
	EAGER = 32,    // free places that are worth a system call
	LOOKED_AT = 16 // places whose time-out is looked at each turn
};

struct options {
	struct traffic traffic;
	const char *in, *out;
	uint32_t first, count, window;
	bool random;
	double seconds; // 0: no limit
	ns timeout;
	uint64_t seed;
	struct watched watched;
};

struct place { // in the window
	uint32_t number;
	bool busy;
	ns sent;
};

struct run {
	const struct options *o;
	struct sender sender;
	struct catcher catcher;
	struct rng rng;
	uint32_t *order; // of the numbers, when each is asked once
	uint32_t next;   // the first of them that was not sent yet
	ns now, start, last;
	uint64_t tsc; // the time stamp counter at the start
	uint32_t n_free, look;
	uint16_t free[WINDOW_MAX];
	struct place places[WINDOW_MAX];
	uint64_t sent, right, refused, resent, strays;
};

static ns clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (ns)t.tv_sec * NS_PER_S + (ns)t.tv_nsec;
}

static void fail(const char *what, int error)
{
	fprintf(stderr, "bench-requests: %s: %s\n", what, strerror(-error));
	exit(1);
}

// ---- sending ---------------------------------------------------------------------------------

static void send_place(struct run *r, uint16_t slot)
{
	struct place *p = &r->places[slot];
	struct sender *s = &r->sender;

	p->busy = true;
	p->sent = r->now;
	s->lengths[s->n] = frame_write(&r->o->traffic, s->frames[s->n], p->number, slot);
	r->sent++;
	if (++s->n < BATCH)
		return;
	int error = sender_flush(s);
	if (error != 0)
		fail("sending", error);
}

static bool is_over(const struct run *r)
{
	double limit = r->o->seconds * (double)NS_PER_S;

	return limit > 0 && (double)(r->now - r->start) >= limit;
}

static bool has_more(const struct run *r)
{
	return r->o->random || r->next < r->o->count;
}

static uint32_t draw(struct run *r)
{
	if (r->o->random)
		return r->o->first + rng_below(&r->rng, r->o->count);
	return r->order[r->next++];
}

static void send_more(struct run *r)
{
	while (r->n_free > 0 && has_more(r)) {
		uint16_t slot = r->free[--r->n_free];

		r->places[slot].number = draw(r);
		send_place(r, slot);
	}
}

// What was not answered in its time is asked once more.
static void send_again(struct run *r)
{
	for (unsigned i = 0; i < LOOKED_AT; i++) {
		struct place *p = &r->places[r->look];

		if (p->busy && r->now - p->sent > r->o->timeout) {
			r->resent++;
			send_place(r, (uint16_t)r->look);
		}
		r->look = (r->look + 1) % r->o->window;
	}
}

// ---- receiving -------------------------------------------------------------------------------

static void take(struct run *r, enum answer answer, uint32_t number, uint16_t slot)
{
	struct place *p = &r->places[slot % WINDOW_MAX];

	if (slot >= r->o->window || !p->busy || p->number != number) {
		r->strays++; // of a request that was asked again meanwhile, or of an earlier run
		return;
	}
	p->busy = false;
	r->free[r->n_free++] = slot;
	if (answer == ANSWER_RIGHT)
		r->right++;
	else
		r->refused++;
	r->last = r->now;
}

static unsigned receive(struct run *r)
{
	const uint8_t *frame;
	unsigned n = 0;
	size_t length;

	while (n < ROUND && (frame = catcher_look(&r->catcher, &length)) != NULL) {
		uint32_t number;
		uint16_t slot;
		enum answer answer = frame_read(&r->o->traffic, frame, length, &number, &slot);

		if (answer != ANSWER_NONE)
			take(r, answer, number, slot);
		catcher_done(&r->catcher);
		n++;
	}
	return n;
}

// ---- the whole -------------------------------------------------------------------------------

static void turn(struct run *r)
{
	r->now = clock_now();
	unsigned n = receive(r);
	if (n == 0 || r->n_free >= EAGER)
		send_more(r);
	send_again(r);
	int error = sender_flush(&r->sender);
	if (error != 0)
		fail("sending", error);
}

static void shuffle(struct run *r)
{
	uint32_t n = r->o->count;

	r->order = malloc(n * sizeof *r->order);
	if (r->order == NULL)
		fail("memory for the order", -12);
	for (uint32_t i = 0; i < n; i++)
		r->order[i] = r->o->first + i;
	for (uint32_t i = n - 1; i > 0; i--) {
		uint32_t j = rng_below(&r->rng, i + 1), swap = r->order[i];
		r->order[i] = r->order[j];
		r->order[j] = swap;
	}
}

static void print_result(const struct run *r, struct spent spent)
{
	double seconds = (double)(r->last - r->start) / (double)NS_PER_S;
	double elapsed = (double)(clock_now() - r->start) / (double)NS_PER_S;

	if (r->o->random || seconds <= 0)
		seconds = (double)(r->now - r->start) / (double)NS_PER_S;
	printf("{\"answers\":%llu,\"refused\":%llu,\"sent\":%llu,\"resent\":%llu,\"strays\":%llu,"
	       "\"seconds\":%.6f,\"per_second\":%.1f,\"process_s\":%.6f,\"core_s\":%.3f,"
	       "\"tsc_per_second\":%.0f}\n",
		(unsigned long long)r->right, (unsigned long long)r->refused,
		(unsigned long long)r->sent, (unsigned long long)r->resent,
		(unsigned long long)r->strays, seconds, (double)r->right / seconds, spent.process_s,
		spent.core_s, (double)(__builtin_ia32_rdtsc() - r->tsc) / elapsed);
}

static void run(struct run *r)
{
	const struct options *o = r->o;
	struct spent before, after;

	for (uint32_t i = 0; i < o->window; i++)
		r->free[r->n_free++] = (uint16_t)(o->window - 1 - i);
	before = watch_read(&o->watched);
	r->now = r->start = r->last = clock_now();
	r->tsc = __builtin_ia32_rdtsc();
	while (!is_over(r) && (has_more(r) || r->n_free < o->window))
		turn(r);
	after = watch_read(&o->watched);
	print_result(r,
		(struct spent){after.process_s - before.process_s, after.core_s - before.core_s});
}

// ---- options ---------------------------------------------------------------------------------

static const char usage[] =
	"usage: bench-requests [OPTION]... --in INTERFACE --mac MAC --to ADDRESS[:PORT]\n"
	"                      echo|map|packets\n"
	"Sends from many hosts, counts what comes back, prints one JSON object.\n"
	"\n"
	"  echo     PCP MAP requests that come back as they are\n"
	"  map      PCP MAP requests that are answered; those that are refused count apart\n"
	"  packets  UDP in frames of 64 octets, which arrive at another interface (--out)\n"
	"\n"
	"  -i, --in INTERFACE    where frames are sent, and answers come\n"
	"  -o, --out INTERFACE   where packets arrive\n"
	"  -m, --mac MAC         whom frames are for\n"
	"  -t, --to ADDRESS:PORT the server, or the peer of packets (default port 5351)\n"
	"      --hosts ADDRESS   the first host (default 100.64.0.2); 63 mappings each\n"
	"  -f, --first N         the first mapping (default 0)\n"
	"  -n, --count N         mappings (default 1000)\n"
	"  -r, --random          draws from them until --seconds are over, instead of each once\n"
	"  -s, --seconds S       not longer than that\n"
	"  -w, --window N        under way at a time, 1 to 4096 (default 256)\n"
	"      --timeout MS      until one is sent again (default 200)\n"
	"      --lifetime S      of MAP requests (default 7200); 0 deletes\n"
	"      --seed N          another order (default 1)\n"
	"      --process PID     adds the CPU time of all its threads, as process_s\n"
	"      --core N          adds the time for which that CPU was not idle, as core_s\n"
	"  -h, --help\n";

static void refuse(const char *what, const char *found)
{
	fprintf(stderr, "bench-requests: %s: %s; see --help\n", what, found);
	exit(2);
}

static uint64_t number(const char *name, const char *text, uint64_t least, uint64_t most)
{
	char *end;
	unsigned long long n = strtoull(text, &end, 10);

	if (end == text || *end != '\0' || n < least || n > most)
		refuse(name, text);
	return n;
}

static void parse_mac(const char *text, uint8_t mac[6])
{
	unsigned b[6];
	char rest;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4], &b[5],
		    &rest) != 6)
		refuse("not a MAC address", text);
	for (unsigned i = 0; i < 6; i++)
		mac[i] = (uint8_t)b[i];
}

static void parse_to(struct traffic *t, char *text)
{
	char *colon = strchr(text, ':');

	t->port = PCP_SERVER_PORT;
	if (colon != NULL) {
		*colon = '\0';
		t->port = (uint16_t)number("not a port", colon + 1, 1, UINT16_MAX);
	}
	if (!ip4_parse(text, &t->to))
		refuse("not an IPv4 address", text);
}

static void parse_kind(struct traffic *t, const char *word)
{
	static const char *const words[] = {"echo", "map", "packets"};

	for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(word, words[i]) == 0) {
			t->kind = (enum kind)i;
			return;
		}
	}
	refuse("neither echo, map nor packets", word);
}

enum {
	HOSTS = 256,
	TIMEOUT,
	LIFETIME,
	SEED,
	PROCESS,
	CORE
};

static void parse_rare(struct options *o, int c)
{
	if (c == HOSTS && !ip4_parse(optarg, &o->traffic.base))
		refuse("not an IPv4 address", optarg);
	else if (c == TIMEOUT)
		o->timeout = number("--timeout", optarg, 1, 1000000) * NS_PER_MS;
	else if (c == LIFETIME)
		o->traffic.lifetime_s = (uint32_t)number("--lifetime", optarg, 0, UINT32_MAX);
	else if (c == SEED)
		o->seed = number("--seed", optarg, 0, UINT64_MAX);
	else if (c == PROCESS)
		o->watched.pid = (int)number("--process", optarg, 1, INT32_MAX);
	else if (c == CORE)
		o->watched.core = (int)number("--core", optarg, 0, 4095);
}

static void parse_option(struct options *o, int c)
{
	switch (c) {
	case 'i':
		o->in = optarg;
		break;
	case 'o':
		o->out = optarg;
		break;
	case 'm':
		parse_mac(optarg, o->traffic.to_mac);
		break;
	case 't':
		parse_to(&o->traffic, optarg);
		break;
	case 'f':
		o->first = (uint32_t)number("--first", optarg, 0, 200000000);
		break;
	case 'n':
		o->count = (uint32_t)number("--count", optarg, 1, 200000000);
		break;
	case 'r':
		o->random = true;
		break;
	case 's':
		o->seconds = strtod(optarg, NULL);
		break;
	case 'w':
		o->window = (uint32_t)number("--window", optarg, 1, WINDOW_MAX);
		break;
	default:
		parse_rare(o, c);
	}
}

static void parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"in", required_argument, NULL, 'i'},
		{"out", required_argument, NULL, 'o'}, {"mac", required_argument, NULL, 'm'},
		{"to", required_argument, NULL, 't'}, {"hosts", required_argument, NULL, HOSTS},
		{"first", required_argument, NULL, 'f'}, {"count", required_argument, NULL, 'n'},
		{"random", no_argument, NULL, 'r'}, {"seconds", required_argument, NULL, 's'},
		{"window", required_argument, NULL, 'w'},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"lifetime", required_argument, NULL, LIFETIME},
		{"seed", required_argument, NULL, SEED},
		{"process", required_argument, NULL, PROCESS},
		{"core", required_argument, NULL, CORE}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	while ((c = getopt_long(argc, argv, "i:o:m:t:f:n:rs:w:h", names, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
		parse_option(o, c);
	}
	if (optind + 1 != argc)
		refuse("one word is wanted", "echo, map or packets");
	parse_kind(&o->traffic, argv[optind]);
	if (o->in == NULL || o->traffic.to == 0)
		refuse("wanted", "--in, --mac and --to");
	if (o->traffic.kind == KIND_PACKET && o->out == NULL)
		refuse("packets arrive", "--out says where");
	if (o->random && !(o->seconds > 0))
		refuse("--random", "--seconds says how long");
}

int main(int argc, char **argv)
{
	static struct options o = {.count = 1000,
		.window = 256,
		.timeout = 200 * NS_PER_MS,
		.seed = 1,
		.watched.core = -1};
	static struct run r = {.o = &o};
	int error;

	o.traffic.base = 0x64400002; // 100.64.0.2
	o.traffic.lifetime_s = 7200;
	parse(&o, argc, argv);
	rng_init_u64(&r.rng, o.seed);
	if (!o.random)
		shuffle(&r);
	error = sender_open(&r.sender, o.in, o.traffic.from_mac);
	if (error != 0)
		fail(o.in, error);
	error = catcher_open(&r.catcher, o.out != NULL ? o.out : o.in);
	if (error != 0)
		fail(o.out != NULL ? o.out : o.in, error);
	run(&r);
	free(r.order);
	return 0;
}
