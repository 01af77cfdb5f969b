// SPDX-License-Identifier: Apache-2.0
// A virtual provider: two to four shards, some hundreds of subscribers in two realms, an Internet
// that answers, and a clock that leaps. Packets are lost, doubled, late and in pieces; TCP
// connections begin, end and are reset from both sides; groups let everybody in, or only those who
// were spoken to; ports are mapped, renewed and deleted by PCP; the configuration changes under
// traffic. After every packet the model of simulation.h is asked whether that could be.
//
// Tens of millions of packets, on four shards:
//
//     build/tests/unit/shard/shard_simulation 1 50000000 4
//
//     simulation [SEED [PACKETS [SHARDS]]]
#include <stdio.h>
#include <stdlib.h>

#include "simulation.h"
#include "simulation_main.h"

// ---- the operator ----------------------------------------------------------------------------

static void wish_for(struct simulation *s, uint16_t shard, const struct shard_wish *wish)
{
	if (!shard_wish(s->w.shard[shard], wish))
		world_die("a wish is not taken");
	world_settle(&s->w);
}

static void remove_something(struct simulation *s)
{
	int flow = (int)draw(s, FLOWS), first = flow - flow % FLOWS_EACH;
	struct shard_wish wish = {
		.kind = chance(s, 50) ? SHARD_DELETE_MAPPING : SHARD_CLEAR_SUBSCRIBER,
		.key = model_key(&s->m, flow)};
	uint16_t shard = conf_inside_owner(s->w.conf, wish.key.host);
	struct shard_answer answer;

	wish_for(s, shard, &wish);
	if (!shard_answer(s->w.shard[shard], &answer) || answer.kind != SHARD_DONE)
		world_die("a wish is not answered");
	model_subscriber(&s->m, flow)->disturbed = true;
	for (int f = first; f < first + FLOWS_EACH; f++) {
		bool meant = wish.kind == SHARD_CLEAR_SUBSCRIBER || f == flow;
		if (meant && !s->m.flows[f].fixed)
			model_end(&s->m, f);
	}
	s->clears++;
	sim_lose_letters(s);
}

static void reload(struct simulation *s)
{
	struct plan next = plan_draw(&s->rng, &s->plan);

	if (!world_try_publish(&s->w, plan_text(&next, &s->m)))
		return; // it would need another deal of the addresses
	plan_reload(&s->m, &s->plan, &next);
	s->plan = next;
	sim_lose_letters(s);
	for (unsigned i = draw(s, 12); i > 0; i--) {
		world_step(&s->w);
		sim_traffic(s);
	}
	world_settle(&s->w);
	plan_settled(&s->m);
	sim_lose_letters(s);
	s->reloads++;
}

// ---- the tables as control sees them ---------------------------------------------------------

struct audit {
	bool seen[FLOWS];
	unsigned rows;
};

static void audit_row(struct simulation *s, struct audit *a, const struct nat_view *view)
{
	int flow = model_find(&s->m, &view->key), holder;

	if (flow == NOBODY || a->seen[flow])
		world_die("a mapping that nobody asked for, or one twice");
	a->seen[flow] = true;
	a->rows++;
	holder = model_at(&s->m, view->key.protocol, view->external);
	if (holder != NOBODY && holder != flow && model_holds(&s->m, holder))
		world_die("the table gives flow %d's endpoint to flow %d", holder, flow);
	if (model_holds(&s->m, flow) && (s->m.flows[flow].ext.addr != view->external.addr ||
						s->m.flows[flow].ext.port != view->external.port))
		world_die("the table gives flow %d another endpoint", flow);
}

static void audit_shard(struct simulation *s, uint16_t shard, struct audit *a)
{
	struct shard_wish wish = {.kind = SHARD_SHOW_MAPPINGS, .max = UINT32_MAX, .group = 255};
	struct shard_answer answer = {.kind = SHARD_ROW_MAPPING};

	wish_for(s, shard, &wish);
	while (answer.kind != SHARD_DONE) {
		if (!shard_answer(s->w.shard[shard], &answer))
			world_step(&s->w);
		else if (answer.kind == SHARD_ROW_MAPPING)
			audit_row(s, a, &answer.mapping);
	}
}

static void audit(struct simulation *s)
{
	static struct audit a;

	a = (struct audit){.rows = 0};
	for (uint16_t k = 0; k < s->w.n; k++)
		audit_shard(s, k, &a);
	for (int flow = 0; flow < FLOWS; flow++) {
		if (!a.seen[flow] && model_holds(&s->m, flow))
			world_die("flow %d is in no table", flow);
	}
	world_account(&s->w);
}

// ---- a run -----------------------------------------------------------------------------------

static void pass_time(struct simulation *s)
{
	uint32_t which = draw(s, 1000);
	uint64_t ms = draw(s, 200);

	if (which < 50)
		ms = draw(s, 10000);
	if (which < 5)
		ms = draw(s, 400000);
	s->w.now += ms * NS_PER_MS;
	s->m.now_s = (uint32_t)(s->w.now / NS_PER_S);
	while (talk_on_edge(&s->m)) {
		s->w.now += NS_PER_S;
		s->m.now_s++;
	}
	world_settle(&s->w);
	world_flush(&s->w); // what the shards held until now
}

static void turn(struct simulation *s, unsigned number)
{
	pass_time(s);
	sim_traffic(s);
	if (chance(s, 30))
		sim_ask(s);
	if (number % 20 == 0)
		sim_probe_claims(s);
	if (number % 40 == 0)
		remove_something(s);
	if (number % 50 == 0)
		reload(s);
	if (number % 200 == 0)
		audit(s);
}

static void open_simulation(struct simulation *s, uint64_t seed, unsigned n_workers)
{
	memset(s, 0, sizeof *s);
	rng_init_u64(&s->rng, seed * 64 + n_workers);
	s->letters = calloc(LETTERS, sizeof *s->letters);
	s->notes = calloc(NOTES_KEPT, sizeof *s->notes);
	s->datagrams = calloc(DATAGRAMS, sizeof *s->datagrams);
	if (s->letters == NULL || s->notes == NULL || s->datagrams == NULL)
		world_die("no memory");
	model_open(&s->m);
	s->plan = (struct plan){.n_workers = n_workers, .homes = 15};
	plan_apply(&s->plan, &s->m);
	world_open(&s->w, plan_text(&s->plan, &s->m));
	s->w.deliver = sim_deliver;
	s->w.ctx = s;
	for (unsigned g = 0; g < ARRAY_SIZE(s->epoch_s); g++)
		s->epoch_s[g] = WORLD_START_S;
}

static unsigned wandered(const struct simulation *s)
{
	unsigned n = 0;

	for (unsigned i = 0; i < SUBSCRIBERS; i++)
		n += s->m.subscribers[i].wandered;
	return n;
}

static void report(const struct simulation *s)
{
	printf("%u shards, %lu packets, %lu virtual seconds: left %lu, reached %lu, hairpins %lu,"
	       " errors %lu, refused %lu, leases %lu, deleted %lu, lost %lu, reloads %lu,"
	       " removals %lu, pieces %lu, late %lu, kept out %lu, let in %lu\n",
		s->w.n, (unsigned long)s->w.put, (unsigned long)(s->m.now_s - WORLD_START_S),
		(unsigned long)s->left, (unsigned long)s->reached, (unsigned long)s->hairpinned,
		(unsigned long)s->errors, (unsigned long)s->refused, (unsigned long)s->leases,
		(unsigned long)s->deleted, (unsigned long)s->lost, (unsigned long)s->reloads,
		(unsigned long)s->clears, (unsigned long)s->pieces, (unsigned long)s->late_pieces,
		(unsigned long)s->kept_out, (unsigned long)s->opened);
	if (s->left < s->w.put / 3 || s->reached < s->w.put / 5 || s->hairpinned == 0 ||
		s->errors == 0 || s->refused == 0 || s->leases == 0 || s->deleted == 0 ||
		s->reloads == 0 || wandered(s) > SUBSCRIBERS / 10 || s->pieces == 0 ||
		s->late_pieces == 0 || s->kept_out == 0 || s->opened == 0)
		world_die("this run tried too little to say anything");
}

static void run(uint64_t seed, uint64_t packets, unsigned n_workers)
{
	static struct simulation s;

	open_simulation(&s, seed, n_workers);
	for (unsigned i = 1; s.w.put < packets; i++)
		turn(&s, i);
	audit(&s);
	report(&s);
	world_close(&s.w);
	model_close(&s.m);
	free(s.letters);
	free(s.notes);
	free(s.datagrams);
}

int main(int argc, char **argv)
{
	return simulation_main(argc, argv,
		(struct simulation_course){.amount = 120000, .first = 2, .last = 4, .run = run});
}
