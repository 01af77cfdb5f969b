// SPDX-License-Identifier: Apache-2.0
// The clients. Most are engines of the client library. Those who know no pacing are no engines:
// they send every mapping again and again, whatever is answered.
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "crowd.h"

enum {
	TOUCHED = 32 // clients between two bursts
};

#define UNPACED_RETRY (3 * NS_PER_S) // before they begin to storm

bool crowd_is_unpaced(const struct crowd *c, uint32_t who)
{
	return c->engines[who] == NULL;
}

bool crowd_is_whole(const struct crowd *c)
{
	return c->whole_paced == c->n_paced && c->whole_unpaced == c->n_unpaced;
}

static uint8_t *state_of(struct crowd *c, uint32_t who, unsigned mapping)
{
	return &c->states[(size_t)who * c->o->mappings + mapping];
}

static bool is_lost_on_the_way(struct crowd *c)
{
	return c->o->loss > 0 && rng_below(&c->rng, 100) < c->o->loss;
}

// ---- what becomes of a mapping ---------------------------------------------------------------

static void set_state(struct crowd *c, uint32_t who, unsigned mapping, uint8_t state)
{
	uint8_t *at = state_of(c, who, mapping);
	bool was = *at & (ASKED | REFUSED), is = state & (ASKED | REFUSED);

	if (!crowd_is_unpaced(c, who))
		c->pending = c->pending + is - was;
	*at = state;
}

static void note_grant(struct crowd *c, uint32_t who, unsigned mapping, struct recipe external)
{
	struct recipe *pair = &c->pairs[(size_t)who * c->o->mappings + mapping];
	uint8_t before = *state_of(c, who, mapping);

	set_state(c, who, mapping, WHOLE);
	if (before & WHOLE)
		return;
	c->kept +=
		before & HELD_BEFORE && pair->addr == external.addr && pair->port == external.port;
	*pair = external;
	if (--c->lacking[who] > 0)
		return;
	if (crowd_is_unpaced(c, who))
		c->whole_unpaced++;
	else
		c->whole_paced++;
}

static void note_refusal(struct crowd *c, uint32_t who, unsigned mapping)
{
	uint8_t state = *state_of(c, who, mapping);

	set_state(c, who, mapping, (uint8_t)((state & ~ASKED) | REFUSED));
}

void crowd_lose(struct crowd *c)
{
	size_t n = (size_t)c->o->clients * c->o->mappings;

	c->lost_at = c->now;
	c->whole_paced = 0;
	c->whole_unpaced = 0;
	c->restarts = 0;
	c->answered_unpaced = 0;
	for (uint32_t i = 0; i < c->o->clients; i++)
		c->lacking[i] = (uint8_t)c->o->mappings;
	for (size_t i = 0; i < n; i++) {
		if (c->states[i] & WHOLE)
			c->states[i] ^= WHOLE | HELD_BEFORE;
	}
	door_lose(&c->door);
}

// ---- engines ---------------------------------------------------------------------------------

static struct postern_endpoint endpoint_of(ip4 address, uint16_t port)
{
	struct postern_endpoint e = {.port = port};
	ip6 ip = ip6_mapped(address);

	memcpy(e.ip, ip.b, sizeof e.ip);
	return e;
}

static struct recipe recipe_of(const struct postern_endpoint *e)
{
	ip6 ip;

	memcpy(ip.b, e->ip, sizeof ip.b);
	return (struct recipe){ip6_to_ip4(ip), e->port};
}

static void drain_events(struct crowd *c, uint32_t who)
{
	struct postern_event e;

	while (postern_client_event(c->engines[who], &e)) {
		if (e.what == POSTERN_MAPPED || e.what == POSTERN_CHANGED)
			note_grant(c, who, (unsigned)e.id, recipe_of(&e.external));
		else if (e.what == POSTERN_REFUSED && e.id >= 0)
			note_refusal(c, who, (unsigned)e.id);
		if (e.what != POSTERN_RESTARTED)
			continue;
		c->knows[who] = true;
		c->restarts++;
	}
}

static void hear(struct crowd *c, uint32_t who, const struct reply *message)
{
	struct postern_endpoint from = endpoint_of(CROWD_GATEWAY, PCP_SERVER_PORT);
	struct postern_endpoint to = endpoint_of(message->to, message->port);

	postern_client_receive(
		c->engines[who], c->now, &from, &to, message->octets, message->length);
	drain_events(c, who);
}

void crowd_announce(struct crowd *c, const struct reply *message)
{
	for (uint32_t i = 0; i < c->o->clients; i++) {
		if (is_lost_on_the_way(c))
			continue;
		if (crowd_is_unpaced(c, i)) {
			if (!c->knows[i])
				calendar_put(&c->calendar, i, c->now);
			c->knows[i] = true;
			continue;
		}
		hear(c, i, message);
		calendar_put(&c->calendar, i, postern_client_deadline(c->engines[i]));
	}
}

// ---- those who know no pacing ----------------------------------------------------------------

static size_t write_unpaced(const struct crowd *c, uint32_t who, unsigned mapping, uint8_t *out)
{
	struct pcp_message m = {.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = c->o->lifetime_s,
		.client = ip6_mapped(door_address(who)),
		.protocol = IP_UDP,
		.internal_port = (uint16_t)(CROWD_FIRST_PORT + mapping),
		.external_ip = ip6_mapped(0)};

	memcpy(m.nonce.b, &who, sizeof who);
	m.nonce.b[11] = (uint8_t)mapping;
	return pcp_encode_request(out, PCP_MAX, &m);
}

static void take_unpaced(
	struct crowd *c, uint32_t who, unsigned mapping, const struct reply *message)
{
	struct pcp_message m;

	if (!pcp_decode_response(message->octets, message->length, &m))
		return;
	if (m.result == PCP_SUCCESS)
		note_grant(c, who, mapping,
			(struct recipe){ip6_to_ip4(m.external_ip), m.external_port});
	else
		note_refusal(c, who, mapping);
}

// Before the loss like anybody; from then on without end.
static ns unpaced_next(const struct crowd *c, uint32_t who)
{
	if (c->knows[who])
		return c->now + c->o->again_ms * NS_PER_MS;
	return c->lacking[who] > 0 ? c->now + UNPACED_RETRY : UINT64_MAX;
}

// ---- to the server and back ------------------------------------------------------------------

static void count_request(struct crowd *c, uint32_t who, uint8_t before)
{
	struct second *s = c->second;

	if (crowd_is_unpaced(c, who))
		s->unpaced++;
	else if (before & (ASKED | REFUSED))
		s->again++;
	else if (before & WHOLE || (before & HELD_BEFORE && !c->knows[who]))
		s->renewals++;
	else
		s->first++;
}

static bool is_success(const struct reply *r)
{
	const struct pcp_response_wire *wire = (const void *)r->octets;

	return wire->result == PCP_SUCCESS;
}

static void count_answer(struct crowd *c, uint32_t who, const struct reply *r)
{
	struct second *s = c->second;
	bool unpaced = crowd_is_unpaced(c, who);

	if (r->length == 0) {
		s->dropped++;
		s->dropped_paced += !unpaced;
		return;
	}
	c->answered_unpaced += unpaced;
	if (is_success(r))
		s->granted++;
	else
		s->refused++;
}

static void run_burst(struct crowd *c)
{
	struct reply answered[SHARD_BURST];
	unsigned n = door_run(&c->door, answered);

	for (unsigned i = 0; i < n; i++) {
		uint32_t who = c->door.of[i].who;

		count_answer(c, who, &answered[i]);
		if (answered[i].length == 0 || is_lost_on_the_way(c))
			continue;
		if (crowd_is_unpaced(c, who))
			take_unpaced(c, who, c->door.of[i].mapping, &answered[i]);
		else
			hear(c, who, &answered[i]);
	}
}

static void send(struct crowd *c, uint32_t who, const uint8_t *octets, size_t length)
{
	const struct pcp_map_wire *map = (const void *)(octets + PCP_HEADER);
	unsigned mapping = be16_get(map->internal_port) - CROWD_FIRST_PORT;
	uint8_t before = *state_of(c, who, mapping);

	set_state(c, who, mapping, (uint8_t)((before & ~REFUSED) | ASKED));
	if (is_lost_on_the_way(c))
		return;
	count_request(c, who, before);
	if (door_put(&c->door, who, (uint8_t)mapping, door_address(who), octets, length))
		run_burst(c);
}

static void act_engine(struct crowd *c, uint32_t who)
{
	struct postern_datagram datagram;

	while (postern_client_send(c->engines[who], c->now, &datagram))
		send(c, who, datagram.octets, datagram.length);
}

static void act_unpaced(struct crowd *c, uint32_t who)
{
	uint8_t octets[PCP_MAX];

	for (unsigned m = 0; m < c->o->mappings; m++) {
		size_t length = write_unpaced(c, who, m, octets);

		if (c->knows[who] || !(*state_of(c, who, m) & WHOLE))
			send(c, who, octets, length);
	}
}

static void settle(struct crowd *c, const uint32_t *touched, unsigned n)
{
	run_burst(c);
	for (unsigned i = 0; i < n; i++) {
		uint32_t who = touched[i];
		bool unpaced = crowd_is_unpaced(c, who);

		if (!unpaced)
			drain_events(c, who);
		calendar_put(&c->calendar, who,
			unpaced ? unpaced_next(c, who) : postern_client_deadline(c->engines[who]));
	}
}

void crowd_tick(struct crowd *c)
{
	uint32_t touched[TOUCHED], who;
	unsigned n = 0;

	while (calendar_take(&c->calendar, &who)) {
		if (crowd_is_unpaced(c, who))
			act_unpaced(c, who);
		else
			act_engine(c, who);
		touched[n++] = who;
		if (n == TOUCHED) {
			settle(c, touched, n);
			n = 0;
		}
	}
	if (n > 0)
		settle(c, touched, n);
}

// ---- memory ----------------------------------------------------------------------------------

static void *arena_give(void *ctx, size_t octets)
{
	struct arena *a = ctx;
	size_t rounded = (octets + 15) & ~(size_t)15;
	void *mem = a->mem + a->used;

	a->late += a->closed;
	if (a->size - a->used < rounded)
		return NULL;
	a->used += rounded;
	return mem;
}

// All of it goes at once.
static void arena_take(void *ctx, void *mem)
{
	(void)ctx;
	(void)mem;
}

static void arena_close(struct arena *a)
{
	if (a->mem != NULL)
		munmap(a->mem, a->size);
}

// The kernel promises more than it has, and then ends whoever takes it.
static bool is_there(size_t size)
{
	FILE *f = fopen("/proc/meminfo", "r");
	size_t kib = SIZE_MAX >> 10;
	char line[100];

	while (f != NULL && fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "MemAvailable: %zu", &kib) == 1)
			break;
	}
	if (f != NULL)
		fclose(f);
	return size < kib << 10;
}

static int arena_open(struct arena *a, size_t size)
{
	void *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (mem == MAP_FAILED)
		return -ENOMEM;
	if (!is_there(size)) {
		munmap(mem, size);
		return -ENOMEM;
	}
	*a = (struct arena){.mem = mem, .size = size};
	return 0;
}

// ---- making them -----------------------------------------------------------------------------

static int add_mappings(struct postern_client *client, const struct options *o, int server, ns at)
{
	struct postern_mapping want = {
		.protocol = IP_UDP, .lifetime_s = o->lifetime_s, .keep = true, .server = server};

	for (unsigned m = 0; m < o->mappings; m++) {
		int id;

		want.internal_port = (uint16_t)(CROWD_FIRST_PORT + m);
		id = postern_client_map(client, &want, at);
		if (id != (int)m)
			return id < 0 ? id : -EINVAL;
	}
	return 0;
}

// `at`: when he starts.
static int make_engine(
	struct arena *a, const struct options *o, uint32_t who, ns at, struct postern_client **out)
{
	struct postern_client_options options = {.allocator = {arena_give, arena_take, a},
		.dialects = POSTERN_V2,
		.pace_ms = o->pace_ms,
		.max_mappings = o->mappings};
	struct postern_server as = {.origin = POSTERN_CONFIGURED, .n_addresses = 1};
	struct postern_endpoint source = endpoint_of(door_address(who), 0);
	int error, server;

	memcpy(options.seed, &o->seed, sizeof o->seed);
	memcpy(options.seed + sizeof o->seed, &who, sizeof who);
	options.seed[31] = 1;
	as.addresses[0] = endpoint_of(CROWD_GATEWAY, PCP_SERVER_PORT);
	error = postern_client_create(&options, out);
	if (error != 0)
		return error;
	server = postern_client_add_server(*out, &as, at);
	if (server < 0)
		return server;
	postern_client_source(*out, server, 0, source.ip, false, at);
	return add_mappings(*out, o, server, at);
}

// What one client asks for; the same for all.
static size_t measure_client(const struct options *o)
{
	struct arena a;
	struct postern_client *client;
	size_t used = 0;

	if (arena_open(&a, 1 << 20) != 0)
		return 0;
	if (make_engine(&a, o, 0, NS_PER_S, &client) == 0)
		used = a.used;
	arena_close(&a);
	return used;
}

static int make_all(struct crowd *c)
{
	for (uint32_t i = 0; i < c->o->clients; i++) {
		ns start = c->now + rng_below(&c->rng, c->o->ramp_s * 1000) * NS_PER_MS;
		bool unpaced = i % 100 < c->act->unpaced;
		int error = unpaced ? 0 : make_engine(&c->arena, c->o, i, start, &c->engines[i]);

		if (error != 0)
			return error;
		c->n_unpaced += unpaced;
		c->n_paced += !unpaced;
		c->lacking[i] = (uint8_t)c->o->mappings;
		calendar_put(&c->calendar, i, start);
	}
	c->arena.closed = true;
	return 0;
}

static int allocate(struct crowd *c)
{
	size_t n = c->o->clients, each = measure_client(c->o);

	c->engines = calloc(n, sizeof(struct postern_client *));
	c->states = calloc(n, c->o->mappings);
	c->lacking = calloc(n, 1);
	c->knows = calloc(n, sizeof *c->knows);
	c->pairs = calloc(n * c->o->mappings, sizeof *c->pairs);
	if (!c->engines || !c->states || !c->lacking || !c->knows || !c->pairs || each == 0)
		return -ENOMEM;
	return arena_open(&c->arena, n * each);
}

int crowd_open(struct crowd *c, const struct options *o, const struct act *act)
{
	int error;

	*c = (struct crowd){.o = o, .act = act, .now = 100000 * NS_PER_S, .lost_at = UINT64_MAX};
	rng_init_u64(&c->rng, o->seed);
	error = allocate(c);
	if (error == 0)
		error = calendar_open(&c->calendar, o->clients, c->now);
	if (error == 0)
		error = door_open(&c->door, o, c->now);
	return error != 0 ? error : make_all(c);
}

void crowd_close(struct crowd *c)
{
	door_close(&c->door);
	calendar_close(&c->calendar);
	arena_close(&c->arena);
	free(c->engines);
	free(c->states);
	free(c->lacking);
	free(c->knows);
	free(c->pairs);
	free(c->seconds);
}
