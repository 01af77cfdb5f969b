// SPDX-License-Identifier: Apache-2.0
// TCP SYNs from outside that nothing lets in (RFC 5382 REQ-4): an inside host may be about to open
// the same connection from its end. So the refusal waits, and is never sent if he does.
#include <postern/shard.h>

#include "world.h"

enum {
	STEP_SYNS = 32 // of one call of syns_step()
};
#define NO_SYN UINT32_MAX

struct syn {
	struct pkt p;
	ns since;
	uint8_t realm;         // of the side it came from
	uint32_t next;         // of those with the same hash
	uint32_t newer, older; // in its list
};

struct syn_list { // oldest first
	uint32_t first, last;
};

struct syns {
	struct secret secret;
	struct syn *all;
	uint32_t *heads, mask;
	uint32_t n_held;
	struct syn_list free, waiting, forgotten;
};

static uint32_t heads_of(const struct shard_setup *setup)
{
	uint32_t n = 2;

	while (n < setup->syns)
		n *= 2;
	return n;
}

size_t syns_size(const struct shard_setup *setup)
{
	return sizeof(struct syns) + setup->syns * sizeof(struct syn) +
	       heads_of(setup) * sizeof(uint32_t);
}

static void list_add(struct syns *t, struct syn_list *list, uint32_t i)
{
	t->all[i].older = list->last;
	t->all[i].newer = NO_SYN;
	if (list->last != NO_SYN)
		t->all[list->last].newer = i;
	else
		list->first = i;
	list->last = i;
}

static void list_remove(struct syns *t, struct syn_list *list, uint32_t i)
{
	uint32_t older = t->all[i].older, newer = t->all[i].newer;

	if (older != NO_SYN)
		t->all[older].newer = newer;
	else
		list->first = newer;
	if (newer != NO_SYN)
		t->all[newer].older = older;
	else
		list->last = older;
}

struct syns *syns_init(void *mem, const struct shard_setup *setup, struct rng *rng)
{
	static const struct syn_list empty = {NO_SYN, NO_SYN};
	struct syns *t = mem;

	t->secret = rng_secret(rng);
	t->all = (void *)(t + 1);
	t->heads = (void *)(t->all + setup->syns);
	t->mask = heads_of(setup) - 1;
	memset(t->heads, 0xff, (t->mask + 1) * sizeof *t->heads);
	t->free = t->waiting = t->forgotten = empty;
	for (uint32_t i = 0; i < setup->syns; i++)
		list_add(t, &t->free, i);
	return t;
}

// ---- finding ---------------------------------------------------------------------------------

struct connection {
	uint8_t realm;
	struct recipe at, from; // external and remote endpoint
};

static struct connection connection_of(uint8_t realm, const struct pkt *p)
{
	return (struct connection){realm, {p->dst, p->dport}, {p->src, p->sport}};
}

static uint32_t *head_of(struct syns *t, const struct connection *c)
{
	uint64_t ends = (uint64_t)c->at.addr << 32 | c->from.addr;
	uint64_t rest = (uint64_t)c->realm << 32 | (uint64_t)c->at.port << 16 | c->from.port;

	return &t->heads[hash_u64(hash_u64(ends, &t->secret) ^ rest, &t->secret) & t->mask];
}

static bool is_of(const struct syn *syn, const struct connection *c)
{
	return syn->p.dst == c->at.addr && syn->p.dport == c->at.port &&
	       syn->p.src == c->from.addr && syn->p.sport == c->from.port && syn->realm == c->realm;
}

// Where it hangs in its chain; *there is NO_SYN when there is none.
static uint32_t *find(struct syns *t, const struct connection *c)
{
	uint32_t *there = head_of(t, c);

	while (*there != NO_SYN && !is_of(&t->all[*there], c))
		there = &t->all[*there].next;
	return there;
}

// ---- holding ---------------------------------------------------------------------------------

// A second SYN of the same connection adds nothing.
enum verdict syn_hold(struct burst *b, struct pkt *p)
{
	struct syns *t = b->s->syns;
	struct connection c = connection_of(realm_of(b->c, p), p);
	uint32_t *there = find(t, &c), i = t->free.first;

	if (*there != NO_SYN || i == NO_SYN || t->n_held >= b->c->syns)
		return drop(b->s, p, DROP_UNSOLICITED_SYN);
	list_remove(t, &t->free, i);
	list_add(t, &t->waiting, i);
	t->all[i].p = *p;
	t->all[i].since = b->now;
	t->all[i].realm = c.realm;
	t->all[i].next = NO_SYN;
	*there = i;
	t->n_held++;
	b->s->counters.syns_held++;
	return VERDICT_HOLD;
}

static void end(struct syns *t, uint32_t i, struct syn_list *to)
{
	struct connection c = connection_of(t->all[i].realm, &t->all[i].p);

	*find(t, &c) = t->all[i].next;
	list_remove(t, &t->waiting, i);
	list_add(t, to, i);
}

void syn_forget(struct burst *b, uint8_t realm, struct recipe external, struct recipe remote)
{
	struct syns *t = b->s->syns;
	uint32_t i = *find(t, &(struct connection){realm, external, remote});

	if (i != NO_SYN)
		end(t, i, &t->forgotten);
}

// ---- ending ----------------------------------------------------------------------------------

static void give_forgotten(struct shard *s, const struct shard_sink *sink)
{
	struct syns *t = s->syns;
	uint32_t i = t->forgotten.first;
	struct pkt p = t->all[i].p;

	list_remove(t, &t->forgotten, i);
	list_add(t, &t->free, i);
	t->n_held--;
	sink->give(sink->ctx, &p, drop(s, &p, DROP_UNSOLICITED_SYN));
}

static void give_refusal(struct burst *b)
{
	struct syns *t = b->s->syns;
	uint32_t i = t->waiting.first;
	struct pkt p = t->all[i].p;
	enum verdict verdict;

	end(t, i, &t->free);
	t->n_held--;
	if (p.iface >= b->c->n_interfaces) // a newer snapshot took it
		verdict = drop(b->s, &p, DROP_NO_INTERFACE);
	else
		verdict = refuse(
			b, &p, DROP_UNSOLICITED_SYN, ICMP_UNREACHABLE, ICMP_PORT_UNREACHABLE, 0);
	b->sink->give(b->sink->ctx, &p, verdict);
}

static bool is_due(const struct syns *t, const struct conf *c, ns now)
{
	return t->waiting.first != NO_SYN &&
	       now - t->all[t->waiting.first].since >= c->in_syn_timeout_s * NS_PER_S;
}

bool syns_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink)
{
	struct syns *t = s->syns;
	struct burst b;

	b.s = s;
	b.c = c;
	b.sink = sink;
	b.now = now;
	b.now_s = (uint32_t)(now / NS_PER_S);
	for (unsigned i = 0; i < STEP_SYNS && t->forgotten.first != NO_SYN; i++)
		give_forgotten(s, sink);
	for (unsigned i = 0; i < STEP_SYNS && is_due(t, c, now); i++)
		give_refusal(&b);
	return t->forgotten.first != NO_SYN || is_due(t, c, now);
}
