// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <postern/shard.h>

#include <errno.h>

#include "memory.h"

static struct shard_setup setup_of(const struct conf *c)
{
	return (struct shard_setup){.n_shards = c->n_workers,
		.limits = conf_shard_limits(c),
		.clients = conf_shard_clients(c),
		.fragments = c->fragments,
		.syns = c->syns};
}

static size_t all_shards(const struct conf *c, const struct shard_setup *setup)
{
	return c->n_workers * memory_round(shard_size(setup));
}

// Where there is too little for both, the shards come first: theirs are the cold lines.
struct pages pages_plan(const struct conf *c, const struct eal_plan *plan, uint64_t n_free)
{
	struct shard_setup setup = setup_of(c);
	struct pages p = {
		.free = n_free,
		.eal = memory_round(plan->megabytes << 20) / HUGE_PAGE,
		.shards = all_shards(c, &setup) / HUGE_PAGE,
	};

	p.shards_huge = p.free >= p.shards;
	p.eal_huge = p.free >= p.eal + (p.shards_huge ? p.shards : 0);
	return p;
}

uint64_t pages_ordinary(const struct conf *c, const struct eal_plan *plan, const struct pages *p)
{
	struct shard_setup setup = setup_of(c);

	return (p->shards_huge ? 0 : all_shards(c, &setup)) +
	       (p->eal_huge ? 0 : (uint64_t)plan->megabytes_plain << 20);
}

// ---- which limit takes it --------------------------------------------------------------------

struct share {
	const char *leaf;
	uint64_t octets;
};

// What all shards would save with next to nothing of this limit; `at` is its place in the setup.
static uint64_t saved_without(const struct conf *c, size_t at)
{
	struct shard_setup setup = setup_of(c);
	size_t whole = all_shards(c, &setup);
	uint32_t one = 1;

	memcpy((char *)&setup + at, &one, sizeof one);
	return whole - all_shards(c, &setup);
}

// A fragment that is held, or a SYN, keeps a packet buffer.
static uint64_t buffers_of(const struct conf *c, const struct eal_plan *plan, uint32_t held)
{
	return c->n_workers * (uint64_t)held * (plan->megabytes_plain << 20) / plan->n_buffers;
}

// " limits.mappings (57 MiB)" for every limit that takes an eighth or more of what is needed.
static void name_limits(
	const struct conf *c, const struct eal_plan *plan, uint64_t needed, char *out, size_t size)
{
#define SAVED(member) saved_without(c, offsetof(struct shard_setup, member))
	const struct share shares[] = {
		{"mappings", SAVED(limits.mappings)},
		{"sessions", SAVED(limits.sessions)},
		{"leases", SAVED(limits.leases)},
		{"subscribers", SAVED(limits.subscribers)},
		{"external-addresses", SAVED(limits.addresses)},
		{"pcp-clients", SAVED(clients)},
		{"fragments-limit", SAVED(fragments) + buffers_of(c, plan, c->fragments)},
		{"max-stored-syn", SAVED(syns) + buffers_of(c, plan, c->syns)},
	};
#undef SAVED
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < ARRAY_SIZE(shares) && used < size; i++) {
		if (shares[i].octets >= needed / 8)
			used += (size_t)snprintf(out + used, size - used, "%s limits.%s (%llu MiB)",
				used ? "," : "", shares[i].leaf,
				(unsigned long long)(shares[i].octets >> 20));
	}
	if (!used)
		snprintf(out, size, " workers");
}

// ---- judging ---------------------------------------------------------------------------------

static int refuse_huge(const struct log *log, const struct pages *p)
{
	log_error(log, "huge pages are required: %llu of 2 MiB are needed, %llu are free",
		(unsigned long long)(p->eal + p->shards), (unsigned long long)p->free);
	return -ENOMEM;
}

static int refuse_ordinary(const struct log *log, const struct conf *c, const struct eal_plan *plan,
	uint64_t needed, uint64_t available)
{
	char limits[256];

	name_limits(c, plan, needed, limits, sizeof limits);
	log_error(log,
		"too little memory: %llu MiB are needed, %llu MiB are available (MemAvailable); "
		"lower%s",
		(unsigned long long)(needed >> 20), (unsigned long long)(available >> 20), limits);
	return -ENOMEM;
}

int pages_judge(const struct log *log, const struct conf *c, const struct eal_plan *plan,
	const struct pages *p, uint64_t available)
{
	uint64_t needed = pages_ordinary(c, plan, p);

	if (p->eal_huge && p->shards_huge)
		return 0;
	if (c->require_huge_pages)
		return refuse_huge(log, p);
	if (available != 0 && needed > available)
		return refuse_ordinary(log, c, plan, needed, available);
	log_warn(log,
		"huge pages: %llu of 2 MiB are needed, %llu are free; %s go without and are "
		"slower",
		(unsigned long long)(p->eal + p->shards), (unsigned long long)p->free,
		p->shards_huge ? "packet buffers"
		: p->eal_huge  ? "shards"
			       : "shards and packet buffers");
	return 0;
}
