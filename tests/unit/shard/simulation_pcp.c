// SPDX-License-Identifier: Apache-2.0
// A crowd of PCP clients on one to four shards: MAP with every option, PEER, ANNOUNCE and NAT-PMP,
// for themselves and by portals for others, doubled, lost, late and spoilt, while leases end, pools
// run dry, an operator clears and adds, and addresses come and go. There are three thousand
// subscribers. After every answer:
//
// - no external endpoint has two owners, and none changes while it is promised;
// - what the table says of an endpoint, what a packet from outside finds and what was promised
// agree;
// - a success is true for its lifetime, behind its filters, and over soon after;
// - no subscriber has more than his quota;
// - an error left nothing behind;
// - nobody renews or ends with another's nonce;
// - an Epoch is as old as what happened to that client, not older and not younger.
//
// What a datagram was about is judged at once, with the gauges of all tables; of one in twenty all
// rows of that subscriber are compared as well. Whole tables are read each AUDIT_TURNS turns, after
// some 1300 datagrams, and in the end.
//
//     simulation_pcp [SEED [REQUESTS [SHARDS]]]
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "simulation_main.h"
#include "simulation_pcp.h"

enum {
	EMPTY_MOST = 1000, // quarters of a second
	REQUESTS_A_TURN = 60,
	PROBES_A_TURN = 90,
	AUDIT_TURNS = 20,
	WHOLE_RUN = 60000 // requests: what comes seldom has come
};

static void pass_ms(struct crowd *c, uint64_t ms)
{
	c->w.now += ms * NS_PER_MS;
	c->now_s = (uint32_t)(c->w.now / NS_PER_S);
	world_settle(&c->w);
	crowd_listen(c);
}

// ---- the operator ----------------------------------------------------------------------------

struct losers { // third parties that a clearing takes something from
	unsigned n;
	struct server_client list[64];
};

static int32_t grant_to_end(
	struct crowd *c, uint16_t shard, const struct shard_wish *wish, struct losers *losers)
{
	struct shard_answer a;

	if (!shard_wish(c->w.shard[shard], wish))
		world_die("a wish is not taken");
	for (unsigned i = 0; i < 1000000; i++) {
		while (shard_answer(c->w.shard[shard], &a)) {
			if (a.kind == SHARD_DONE)
				return a.error;
			if (a.kind == SHARD_LOST_CLIENT && losers->n < ARRAY_SIZE(losers->list))
				losers->list[losers->n++] = a.client;
		}
		world_step(&c->w);
		if (i % 100 == 99) // it may wait for its turn to speak
			c->w.now += NS_PER_MS;
		c->now_s = (uint32_t)(c->w.now / NS_PER_S);
		crowd_listen(c);
	}
	world_die("a wish is never granted");
}

// Control's part of a clearing: the third parties that are named begin a new Epoch on their shard.
static int32_t grant(struct crowd *c, uint16_t shard, const struct shard_wish *wish)
{
	struct losers losers = {.n = 0};
	int32_t error = grant_to_end(c, shard, wish, &losers);

	for (unsigned i = 0, n = losers.n; i < n; i++) {
		const struct server_client *l = &losers.list[i];
		struct shard_wish reset = {.kind = SHARD_RESET_CLIENT,
			.key = {.host = l->address, .realm = l->realm},
			.group = l->group};

		c->parties[crowd_party(l->address)].may_s = c->now_s;
		for (uint16_t k = 0; k < c->w.n; k++) {
			if (grant_to_end(c, k, &reset, &losers) != 0)
				world_die("a client does not begin anew");
		}
	}
	return error;
}

// What a clearing of this endpoint, or of all its host has, ends: of a set the whole set.
static bool is_meant(const struct crowd *c, int endpoint, bool whole, int e)
{
	const struct endpoint *one = &c->endpoints[endpoint], *other = &c->endpoints[e];

	if (whole || e == endpoint)
		return host_of(e) == host_of(endpoint);
	return e / PORTS_EACH == endpoint / PORTS_EACH && crowd_has_map(c, endpoint) &&
	       crowd_has_map(c, e) && one->n > 1 && other->first == one->first;
}

static void clear_one(struct crowd *c)
{
	int endpoint = (int)draw(c, ENDPOINTS), host = host_of(endpoint);
	bool whole = chance(c, 50), meant[2 * PORTS_EACH];
	struct shard_wish wish = {.kind = whole ? SHARD_CLEAR_SUBSCRIBER : SHARD_DELETE_MAPPING,
		.key = key_of(c, endpoint)};
	int32_t error;

	for (int i = 0; i < 2 * PORTS_EACH; i++)
		meant[i] = is_meant(c, endpoint, whole, host * 2 * PORTS_EACH + i);
	c->parties[host].may_s = c->now_s;
	error = grant(c, conf_inside_owner(c->w.conf, c->parties[host].address), &wish);
	if (error != 0 && error != -ENOENT)
		world_die("clearing ends with %d", error);
	if (error == -ENOENT && crowd_holds(c, endpoint))
		world_die("endpoint %d is not there for the operator", endpoint);
	c->parties[host].may_s = c->now_s;
	for (int i = 0; i < 2 * PORTS_EACH; i++) {
		if (meant[i])
			crowd_lose(c, host * 2 * PORTS_EACH + i);
	}
	c->clears++;
}

static void new_epoch(struct crowd *c, unsigned group)
{
	c->base_s[group] = c->now_s;
	c->w.epochs->base_ns[group] = c->w.now;
}

static void clear_group(struct crowd *c)
{
	unsigned group = draw(c, GROUPS);
	struct shard_wish wish = {.kind = SHARD_CLEAR_GROUP, .group = (uint8_t)group};

	for (int i = 0; i < CLIENTS; i++) {
		if (c->parties[i].group == group)
			c->parties[i].may_s = c->now_s;
	}
	for (uint16_t k = 0; k < c->w.n; k++) {
		if (grant(c, k, &wish) != 0)
			world_die("a group is not cleared");
	}
	for (int e = 0; e < ENDPOINTS; e++) {
		if (c->parties[host_of(e)].group == group)
			crowd_forget(c, e);
	}
	new_epoch(c, group);
	wish.kind = SHARD_ANNOUNCE;
	for (uint16_t k = 0; k < c->w.n; k++)
		ask_wish(&c->w, k, wish);
}

static void add_one(struct crowd *c)
{
	int endpoint = (int)draw(c, ENDPOINTS);
	struct shard_wish wish = {.kind = SHARD_ADD_MAPPING,
		.key = key_of(c, endpoint),
		.lifetime_s = 60 + draw(c, 300)};
	struct promise p = {.host = wish.key.host,
		.protocol = protocol_of(endpoint),
		.port = wish.key.port,
		.n = 1,
		.lifetime_s = wish.lifetime_s,
		.client = OPERATOR};
	struct nat_view view;

	if (grant(c, conf_inside_owner(c->w.conf, wish.key.host), &wish) != 0)
		return;
	if (!crowd_look(c, &wish.key, &view) || !view.operators)
		world_die("what the operator added is not there");
	p.ext = view.external;
	crowd_promise(c, &p, NULL, 0);
}

static bool has_left(const struct crowd *c, uint16_t before, int endpoint)
{
	uint32_t a = c->endpoints[endpoint].ext.addr - POOL;

	return a < 16 && before >> a & 1 && !(c->pool >> a & 1);
}

// Where it lives now is told later, if at all; with filters that nobody may have repeated.
static void withdraw_one(struct crowd *c, int endpoint)
{
	if (crowd_holds(c, endpoint))
		crowd_lose(c, endpoint);
	c->parties[host_of(endpoint)].may_s = c->now_s;
	c->endpoints[endpoint].open_s = UINT32_MAX;
	c->endpoints[endpoint].ext.addr = 0;
}

// Mappings of an address that leaves move or end: who had one is told, and his Epoch begins anew.
// The group of the portals begins anew as a whole (control does that).
static void withdraw(struct crowd *c, uint16_t before)
{
	bool homes = false;

	for (int e = 0; e < ENDPOINTS; e++) {
		if (has_left(c, before, e) && crowd_has_map(c, e))
			c->endpoints[e].vague_s = c->endpoints[e].map_s;
	}
	for (int e = 0; e < ENDPOINTS; e++) {
		if (!has_left(c, before, e))
			continue;
		homes |= c->endpoints[e].ext.addr < POOL + 8;
		withdraw_one(c, e);
	}
	if (homes)
		new_epoch(c, HOMES);
}

// No more move than can be told of it, so that takes its time.
static void empty(struct crowd *c)
{
	pass_ms(c, 0);
	for (unsigned i = 0; c->leaves != 0 && crowd_is_leaving(c); i++) {
		if (i == EMPTY_MOST)
			world_die("an address is never emptied");
		pass_ms(c, 250);
		for (unsigned k = 0; k < 8; k++)
			crowd_ask_anything(c);
		for (unsigned k = 0; k < PROBES_A_TURN; k++) // others notice nothing
			crowd_probe(c, (int)draw(c, ENDPOINTS));
	}
	for (unsigned i = 0; c->leaves != 0 && i < CLIENTS; i++) // also without a promise
		c->parties[i].may_s = c->now_s;
	c->leaves = 0;
}

static void reload(struct crowd *c)
{
	uint16_t before = c->pool;

	c->pool ^= (uint16_t)(1u << (chance(c, 30) ? 9 : 3 + draw(c, 4)));
	if (!world_try_publish(&c->w, crowd_text(c))) {
		c->pool = before;
		return;
	}
	c->leaves = before & ~c->pool;
	withdraw(c, before);
	empty(c);
	c->reloads++;
}

// ---- a run -----------------------------------------------------------------------------------

static void pass_time(struct crowd *c)
{
	uint64_t ms = draw(c, 400);

	if (chance(c, 3))
		ms = draw(c, 20000);
	if (draw(c, 1000) < 4)
		ms = draw(c, 500000);
	pass_ms(c, ms);
}

static void turn(struct crowd *c, unsigned number)
{
	pass_time(c);
	for (unsigned i = 0; i < REQUESTS_A_TURN; i++)
		crowd_ask_anything(c);
	for (unsigned i = 0; i < PROBES_A_TURN; i++)
		crowd_probe(c, (int)draw(c, ENDPOINTS));
	if (chance(c, 30))
		crowd_send(c, (int)draw(c, ENDPOINTS));
	crowd_listen(c); // before anything else happens to whoever was told
	if (number % 10 == 0)
		clear_one(c);
	crowd_listen(c);
	if (number % 25 == 0)
		add_one(c);
	crowd_listen(c);
	if (number % 40 == 0)
		reload(c);
	if (number % 400 == 0)
		clear_group(c);
	if (number % AUDIT_TURNS == 0)
		crowd_audit(c);
	crowd_listen(c);
}

static unsigned served(const struct crowd *c)
{
	unsigned n = 0;

	for (int i = 0; i < HOSTS; i++)
		n += c->parties[i].served;
	return n;
}

// A short run, as the sanitizers', need not have met everything there is.
static void report(const struct crowd *c)
{
	bool whole = c->requests >= WHOLE_RUN;
	static const enum pcp_result tried[] = {PCP_NOT_AUTHORIZED, PCP_MALFORMED_REQUEST,
		PCP_UNSUPP_OPTION, PCP_NO_RESOURCES, PCP_USER_EX_QUOTA, PCP_CANNOT_PROVIDE_EXTERNAL,
		PCP_EXCESSIVE_REMOTE_PEERS, PCP_ADDRESS_MISMATCH};

	printf("%u shards, %u subscribers served, %lu requests, %lu virtual seconds: granted %lu, "
	       "errors %lu, doubled %lu,"
	       " lost %lu, probes %lu, filtered %lu, handed %lu, updates %lu, clears %lu,"
	       " reloads %lu, sets %lu, peers %lu\n",
		c->w.n, served(c), (unsigned long)c->requests,
		(unsigned long)(c->now_s - WORLD_START_S), (unsigned long)c->granted,
		(unsigned long)c->errors, (unsigned long)c->doubled, (unsigned long)c->lost,
		(unsigned long)c->probes, (unsigned long)c->filtered,
		(unsigned long)WORLD_COUNT(&c->w, third_party_handed), (unsigned long)c->updates,
		(unsigned long)c->clears, (unsigned long)c->reloads,
		(unsigned long)WORLD_COUNT(&c->w, server[0].sets_created),
		(unsigned long)WORLD_COUNT(&c->w, server[0].peers_created));
	for (unsigned i = 0; i < ARRAY_SIZE(tried); i++) {
		printf("%s%s %lu", i > 0 ? ", " : "  ", pcp_result_name(tried[i]),
			(unsigned long)c->results[pcp_result_index(tried[i])]);
		if (whole && c->results[pcp_result_index(tried[i])] == 0)
			world_die(": this run never saw it");
	}
	printf("\n");
	if (whole && (c->granted < c->requests / 4 || c->filtered == 0 || c->updates == 0 ||
			     c->reloads == 0))
		world_die("this run tried too little to say anything");
}

static void run(uint64_t seed, uint64_t requests, unsigned n_workers)
{
	static struct crowd c;

	crowd_open(&c, seed, n_workers);
	for (unsigned i = 1; c.requests < requests; i++)
		turn(&c, i);
	crowd_audit(&c);
	report(&c);
	crowd_close(&c);
}

int main(int argc, char **argv)
{
	return simulation_main(argc, argv,
		(struct simulation_course){.amount = 120000, .first = 1, .last = 4, .run = run});
}
