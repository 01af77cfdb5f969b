// SPDX-License-Identifier: Apache-2.0
// One step is bounded by items, whatever there is to do: each kind of background work is given many
// times its bound at once, and is watched step by step until nothing is left of it.
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "pieces.h"

// The table of docs/design/shard.md, "Background".
enum {
	LEASES_A_STEP = 32,
	RESTS_A_STEP = 32,
	IDLE_A_STEP = 32 + 3, // the last line looked at may hold four
	CLEARED_A_STEP = 16,
	MOVED_A_STEP = 32,
	ADDRESSES_A_STEP = 1,
	STATICS_A_STEP = 8,
	PRUNED_A_STEP = 8,
	SUBSCRIBERS_A_STEP = 128,
	ROWS_A_STEP = 128,
	FRAGMENTS_A_STEP = 32,
	SYNS_A_STEP = 32,
	BLOCKS_A_STEP = 256,
	UPDATES_A_STEP = 16,
	CLIENTS_A_STEP = 64,
	ANNOUNCES_A_STEP = 32 + 1 // the last address may speak two dialects
};

enum {
	STEPS_MOST = 100000
};

#define HOSTS(rest)                                                                                \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    port-set-size: 64\n" rest
#define ROOM                                                                                       \
	PORTS "limits: { mappings: 16k, leases: 4000, subscribers: 4000, external-addresses: 40, " \
	      "new-subscriber-rate: 1M, new-subscriber-burst: 1M }\n"
// A host may have thousands of mappings.
#define LARGE ROOM HOSTS("    block-limit: 400\n")
#define MANY ROOM HOSTS("    pcp: { listen: [198.18.0.1, gateway], request-rate: 0 }\n")

// ---- watching --------------------------------------------------------------------------------

typedef uint64_t count_fn(const struct world *w);

struct course {
	uint64_t most; // of one step, whether the count rose or fell
	uint64_t all;
	unsigned steps; // that changed it
};

static void watch_step(struct world *w, count_fn *count, struct course *c, bool *more)
{
	uint64_t before = count(w);

	*more = shard_step(w->shard[0], w->conf, w->now, &w->sink);
	uint64_t after = count(w), change = after > before ? after - before : before - after;
	c->most = change > c->most ? change : c->most;
	c->all += change;
	c->steps += change > 0;
}

// Until the shard has nothing more to do right now.
static struct course watch(struct world *w, count_fn *count)
{
	struct course c = {.steps = 0};
	bool more = true;

	for (unsigned i = 0; more; i++) {
		cr_assert_lt(i, STEPS_MOST, "there is no end to it");
		watch_step(w, count, &c, &more);
	}
	return c;
}

// Second by second, as a sweep earns its lines, or datagrams their tokens.
static struct course watch_seconds(struct world *w, count_fn *count, uint32_t seconds)
{
	struct course all = {.steps = 0};

	for (uint32_t i = 0; i < seconds; i++) {
		struct course c = watch(w, count);

		all.most = c.most > all.most ? c.most : all.most;
		all.all += c.all;
		all.steps += c.steps;
		w->now += NS_PER_S;
	}
	return all;
}

static void expect_bounded(const struct course *c, uint64_t all, uint64_t most)
{
	cr_assert_eq(c->all, all, "%lu of %lu were done", c->all, all);
	cr_assert_leq(c->most, most, "%lu in one step, at most %lu are right", c->most, most);
	cr_assert_geq(c->steps, all / most);
}

static uint64_t leases_expired(const struct world *w)
{
	return WORLD_NAT(w, explicit_expired);
}

static uint64_t leases_kept(const struct world *w)
{
	return WORLD_NAT(w, leases);
}

static uint64_t idled_out(const struct world *w)
{
	return WORLD_NAT(w, implicit_expired);
}

static uint64_t ports_resting(const struct world *w)
{
	return WORLD_NAT(w, resting);
}

static uint64_t mappings_cleared(const struct world *w)
{
	return WORLD_NAT(w, cleared);
}

static uint64_t mappings_moved(const struct world *w)
{
	return WORLD_NAT(w, moved) + WORLD_NAT(w, move_failed);
}

static uint64_t mappings_now(const struct world *w)
{
	return WORLD_NAT(w, mappings);
}

static uint64_t addresses_now(const struct world *w)
{
	return WORLD_NAT(w, addresses);
}

static uint64_t updates_sent(const struct world *w)
{
	return WORLD_COUNT(w, updates_sent);
}

static uint64_t announces_sent(const struct world *w)
{
	return WORLD_COUNT(w, announces_sent);
}

static uint64_t fragments_released(const struct world *w)
{
	return w->released[0];
}

static uint64_t events_told(const struct world *w)
{
	return WORLD_COUNT(w, events);
}

// ---- what ends by itself ---------------------------------------------------------------------

static void lease_many(struct world *w, unsigned hosts, uint16_t each, uint32_t lifetime_s)
{
	for (unsigned i = 0; i < hosts; i++) {
		for (uint16_t port = 0; port < each; port++)
			ask_map(w, HOME + i, SERVER, IP_UDP, (uint16_t)(1000 + port), lifetime_s);
	}
}

static void open_many(struct world *w, unsigned hosts, uint16_t each)
{
	for (unsigned i = 0; i < hosts; i++) {
		for (uint16_t port = 0; port < each; port++)
			open_udp(w, HOME + i, (uint16_t)(5000 + port), PEER);
	}
}

Test(bounded, leases_that_fall_due_at_once)
{
	struct world w;

	world_open(&w, MANY);
	lease_many(&w, 50, 20, 300);
	w.now += 301 * NS_PER_S;
	struct course c = watch(&w, leases_expired);
	expect_bounded(&c, 1000, LEASES_A_STEP);
	world_close(&w);
}

Test(bounded, leases_whose_rest_is_over_at_once)
{
	struct world w;

	world_open(&w, MANY);
	lease_many(&w, 50, 20, 300);
	w.now += 301 * NS_PER_S;
	world_settle(&w);
	cr_assert_eq(WORLD_NAT(&w, leases), 1000, "they rest");
	w.now += 125 * NS_PER_S;
	struct course c = watch(&w, leases_kept);
	expect_bounded(&c, 1000, LEASES_A_STEP);
	world_close(&w);
}

Test(bounded, mappings_that_are_idle_at_once)
{
	struct world w;

	world_open(&w, MANY);
	open_many(&w, 50, 40);
	w.now += 400 * NS_PER_S;
	struct course c = watch_seconds(&w, idled_out, 15);
	expect_bounded(&c, 2000, IDLE_A_STEP);
	world_close(&w);
}

// Only ports that somebody outside knows must rest.
static void open_answered(struct world *w, unsigned hosts, uint16_t each)
{
	struct frame f;

	for (unsigned i = 0; i < hosts; i++) {
		for (uint16_t port = 0; port < each; port++) {
			struct recipe e = open_udp(w, HOME + i, (uint16_t)(5000 + port), PEER);
			put(w, OUTSIDE_PORT, udp_of(PEER, 53, e.addr, e.port), &f);
			expect_in(&f, PEER, 53, HOME + i, (uint16_t)(5000 + port));
		}
	}
}

Test(bounded, ports_whose_rest_is_over_at_once)
{
	struct world w;

	world_open(&w, MANY);
	open_answered(&w, 50, 40);
	w.now += 301 * NS_PER_S;
	world_pass(&w, 15);
	cr_assert_eq(WORLD_NAT(&w, resting), 2000);
	w.now += 140 * NS_PER_S;
	struct course c = watch(&w, ports_resting);
	expect_bounded(&c, 2000, RESTS_A_STEP);
	world_close(&w);
}

// ---- what control wishes ---------------------------------------------------------------------

static void wish(struct world *w, struct shard_wish it)
{
	cr_assert(shard_wish(w->shard[0], &it));
}

Test(bounded, a_group_that_is_cleared)
{
	struct world w;

	world_open(&w, LARGE);
	open_many(&w, 2, 6000);
	wish(&w, (struct shard_wish){.kind = SHARD_CLEAR_GROUP});
	struct course c = watch(&w, mappings_cleared);
	expect_bounded(&c, 12000, CLEARED_A_STEP);
	world_close(&w);
}

// A walk looks at so many places of a table, whether there are rows or not.
Test(bounded, rows_of_a_walk)
{
	struct shard_wish it = {
		.kind = SHARD_SHOW_MAPPINGS, .id = 1, .max = UINT32_MAX, .group = 255};
	struct shard_answer a;
	struct world w;
	unsigned rows = 0, steps = 0;
	bool done = false;

	world_open(&w, MANY);
	open_many(&w, 40, 300);
	wish(&w, it);
	while (!done) {
		unsigned before = rows;

		cr_assert_lt(steps++, STEPS_MOST);
		world_step(&w);
		while (shard_answer(w.shard[0], &a)) {
			rows += a.kind == SHARD_ROW_MAPPING;
			done |= a.kind == SHARD_DONE;
		}
		cr_assert_leq(rows - before, ROWS_A_STEP);
	}
	cr_assert_eq(rows, 12000);
	cr_assert_geq(steps, 12000 / ROWS_A_STEP);
	world_close(&w);
}

// ---- a configuration that is taken over ------------------------------------------------------

static const char pool_of_20[] =
	ROOM "nat-groups:\n"
	     "  homes:\n"
	     "    subscribers: [100.64.0.0/16]\n"
	     "    external-address-pool: [203.0.113.4-203.0.113.5, 203.0.113.32-203.0.113.63]\n"
	     "    port-set-size: 64\n"
	     "    pcp: { listen: [198.18.0.1, gateway], request-rate: 0 }\n";

Test(bounded, addresses_that_come_and_go)
{
	struct world w;
	struct course c;

	world_open(&w, MANY);
	world_publish(&w, pool_of_20);
	c = watch(&w, addresses_now);
	expect_bounded(&c, 32, ADDRESSES_A_STEP);
	world_publish(&w, MANY);
	c = watch(&w, addresses_now);
	expect_bounded(&c, 32, ADDRESSES_A_STEP);
	world_close(&w);
}

enum {
	STATICS = 200,
	STATICS_TEXT = 32768
};

static char *with_statics(void)
{
	char *text = malloc(STATICS_TEXT);
	size_t used = (size_t)snprintf(text, STATICS_TEXT, "%s    static-mappings:\n", MANY);

	for (unsigned i = 0; i < STATICS; i++)
		used += (size_t)snprintf(text + used, STATICS_TEXT - used,
			"      - { protocol: tcp, internal: \"100.64.9.%u:80\", external: "
			"\"203.0.113.4:%u\" }\n",
			1 + i, 2000 + i);
	return text;
}

Test(bounded, static_mappings_that_come_and_go)
{
	char *text = with_statics();
	struct world w;
	struct course c;

	world_open(&w, MANY);
	world_publish(&w, text);
	c = watch(&w, mappings_now);
	expect_bounded(&c, STATICS, STATICS_A_STEP);
	world_publish(&w, MANY);
	c = watch(&w, mappings_now);
	expect_bounded(&c, STATICS, PRUNED_A_STEP);
	world_close(&w);
	free(text);
}

static unsigned steps_of_reload(struct world *w)
{
	unsigned steps = 0;

	world_publish(w, MANY);
	for (; shard_generation(w->shard[0]) != w->conf->generation; steps++)
		world_step(w);
	return steps;
}

// Those that nothing happens to are looked at all the same, so many a step.
Test(bounded, subscribers_that_stay)
{
	struct world w;

	world_open(&w, MANY);
	unsigned without = steps_of_reload(&w);
	open_many(&w, 1200, 1);
	unsigned with = steps_of_reload(&w);
	cr_assert_geq(with - without, 1200 / SUBSCRIBERS_A_STEP, "%u, then %u", without, with);
	world_close(&w);
}

Test(bounded, subscribers_whose_group_is_another_now)
{
	static const char moved[] = ROOM "nat-groups:\n"
					 "  homes:\n"
					 "    subscribers: [100.65.0.0/16]\n"
					 "    external-address-pool: [203.0.113.4-203.0.113.5]\n"
					 "    port-set-size: 64\n"
					 "  others:\n"
					 "    subscribers: [100.64.0.0/16]\n"
					 "    external-address-pool: [203.0.113.6]\n"
					 "    port-set-size: 64\n";
	struct world w;

	world_open(&w, LARGE);
	open_many(&w, 2, 6000);
	world_publish(&w, moved);
	struct course c = watch(&w, mappings_cleared);
	expect_bounded(&c, 12000, CLEARED_A_STEP);
	world_close(&w);
}

// ---- an address that leaves with leases on it ------------------------------------------------

#define ONLY(last)                                                                                 \
	ROOM "nat-groups:\n"                                                                       \
	     "  homes:\n"                                                                          \
	     "    subscribers: [100.64.0.0/16]\n"                                                  \
	     "    external-address-pool: [203.0.113." last "]\n"                                   \
	     "    port-set-size: 64\n"                                                             \
	     "    pcp: { listen: [198.18.0.1, gateway], request-rate: 0 }\n"

Test(bounded, leases_that_move)
{
	struct world w;

	world_open(&w, ONLY("4"));
	lease_many(&w, 20, 20, 3600);
	world_publish(&w, ONLY("5"));
	struct course c = watch_seconds(&w, mappings_moved, 60);
	expect_bounded(&c, 400, MOVED_A_STEP);
	world_close(&w);
}

Test(bounded, mapping_updates)
{
	struct world w;

	world_open(&w, ONLY("4"));
	lease_many(&w, 20, 20, 3600);
	world_publish(&w, ONLY("5"));
	struct course c = watch_seconds(&w, updates_sent, 60);
	expect_bounded(&c, 3 * 400, UPDATES_A_STEP);
	world_close(&w);
}

// ---- announcements ---------------------------------------------------------------------------

// Twelve inside interfaces, seventeen addresses of the server on each.
static char *with_listeners(void)
{
	char *text = malloc(STATICS_TEXT);
	size_t used = (size_t)snprintf(text, STATICS_TEXT,
		"ports:\n"
		"  inside: { device: a, addresses: [100.64.0.1/16] }\n"
		"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n");

	for (unsigned i = 1; i < 12; i++)
		used += (size_t)snprintf(text + used, STATICS_TEXT - used,
			"  inside%u: { device: c%u, addresses: [100.64.0.%u/16] }\n", i, i, 1 + i);
	used += (size_t)snprintf(text + used, STATICS_TEXT - used, "%s",
		LIMITS HOSTS("    pcp: { listen: [gateway"));
	for (unsigned i = 0; i < CONF_MAX_LISTEN; i++)
		used += (size_t)snprintf(text + used, STATICS_TEXT - used, ", 198.18.0.%u", 1 + i);
	snprintf(text + used, STATICS_TEXT - used, "], versions: [2] }\n");
	return text;
}

Test(bounded, announcements_to_everybody)
{
	char *text = with_listeners();
	struct world w;

	world_open(&w, text);
	w.now += 200 * NS_PER_S; // all rounds are due, one after the other
	world_pass(&w, 400);
	wish(&w, (struct shard_wish){.kind = SHARD_ANNOUNCE});
	struct course c = watch(&w, announces_sent);
	expect_bounded(&c, 12 * (CONF_MAX_LISTEN + 1), ANNOUNCES_A_STEP);
	world_close(&w);
	free(text);
}

Test(bounded, announcements_to_known_clients)
{
	struct world w;

	world_open(&w, PORTS "limits: { mappings: 16k, leases: 4000, subscribers: 4000,\n"
			     "  external-addresses: 6, announce-rate: 1M }\n" HOSTS(
				     "    pcp: { listen: [198.18.0.1], request-rate: 0 }\n"));
	lease_many(&w, 600, 1, 3600);
	world_pass(&w, 1);
	wish(&w, (struct shard_wish){.kind = SHARD_ANNOUNCE});
	struct course c = watch_seconds(&w, announces_sent, 30);
	cr_assert_geq(c.all, 600);
	cr_assert_leq(c.most, CLIENTS_A_STEP);
	world_close(&w);
}

// ---- what is held ----------------------------------------------------------------------------

#define HOLDING                                                                                    \
	PORTS "limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6, "  \
	      "fragments-limit: 1000, fragments-per-source: 1000, max-stored-syn: 200 }\n" HOSTS(  \
		      "    pcp: false\n    tcp-unsolicited: icmp\n")

// Each first piece releases those that came before it.
static void put_early(struct world *w, unsigned host)
{
	struct make m = long_udp(HOME + host, 5000, PEER, 53, 9);
	struct pieces all;
	struct frame f;

	cut_up(&all, &m, 96);
	for (unsigned i = all.n - 1; i > 0; i--) {
		put_piece(w, INSIDE_PORT, &all, i, &f);
		cr_assert_eq(f.verdict, VERDICT_HOLD);
	}
	put_piece(w, INSIDE_PORT, &all, 0, &f);
	expect_pass(&f, OUTSIDE_PORT);
}

Test(bounded, fragments_that_go_on_at_once)
{
	struct world w;

	world_open(&w, HOLDING);
	for (unsigned i = 0; i < 20; i++)
		put_early(&w, i);
	struct course c = watch(&w, fragments_released);
	cr_assert_gt(c.all, 4 * FRAGMENTS_A_STEP);
	expect_bounded(&c, 20 * 14, FRAGMENTS_A_STEP);
	world_close(&w);
}

Test(bounded, syns_that_are_refused_at_once)
{
	struct world w;
	struct frame f;

	world_open(&w, HOLDING);
	for (uint16_t i = 0; i < 200; i++) {
		put(&w, OUTSIDE_PORT,
			tcp_of(PEER, (uint16_t)(1000 + i), 0xcb007104, 40000, TCP_SYN), &f);
		cr_assert_eq(f.verdict, VERDICT_HOLD);
	}
	w.now += 7 * NS_PER_S;
	struct course c = watch(&w, fragments_released);
	expect_bounded(&c, 200, SYNS_A_STEP);
	world_close(&w);
}

// ---- the log ---------------------------------------------------------------------------------

Test(bounded, blocks_told_once_more)
{
	struct shard_event e;
	struct world w;

	world_open(&w, MANY "log: { interim: 60 }\n");
	open_many(&w, 1200, 1);
	world_settle(&w);
	while (shard_event(w.shard[0], &e))
		;
	w.now += 61 * NS_PER_S;
	struct course c = watch(&w, events_told);
	expect_bounded(&c, 1200, BLOCKS_A_STEP);
	world_close(&w);
}
