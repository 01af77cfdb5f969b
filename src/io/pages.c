// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <postern/shard.h>

#include <errno.h>

#include "memory.h"

static size_t one_shard(const struct conf *c, const struct nat_limits *limits)
{
	struct shard_setup setup = {
		.n_shards = c->n_workers, .limits = *limits, .clients = conf_shard_clients(c)};

	return memory_round(shard_size(&setup));
}

static size_t all_shards(const struct conf *c)
{
	struct nat_limits limits = conf_shard_limits(c);

	return c->n_workers * one_shard(c, &limits);
}

// Where there is too little for both, the shards come first: theirs are the cold lines.
struct pages pages_plan(const struct conf *c, const struct eal_plan *plan, uint64_t n_free)
{
	struct pages p = {
		.free = n_free,
		.eal = memory_round(plan->megabytes << 20) / HUGE_PAGE,
		.shards = all_shards(c) / HUGE_PAGE,
	};

	p.shards_huge = p.free >= p.shards;
	p.eal_huge = p.free >= p.eal + (p.shards_huge ? p.shards : 0);
	return p;
}

uint64_t pages_ordinary(const struct conf *c, const struct eal_plan *plan, const struct pages *p)
{
	return (p->shards_huge ? 0 : all_shards(c)) +
	       (p->eal_huge ? 0 : (uint64_t)plan->megabytes_plain << 20);
}

// ---- which limit takes it --------------------------------------------------------------------

struct share {
	const char *leaf;
	uint64_t octets;
};

// What all shards would save with next to nothing of this limit.
static uint64_t saved_without(const struct conf *c, size_t at)
{
	struct nat_limits limits = conf_shard_limits(c);
	size_t whole = one_shard(c, &limits);
	uint32_t one = 1;

	memcpy((char *)&limits + at, &one, sizeof one);
	return c->n_workers * (uint64_t)(whole - one_shard(c, &limits));
}

// " limits.mappings (57 MiB)" for every limit that takes an eighth or more of what is needed.
static void name_limits(const struct conf *c, uint64_t needed, char *out, size_t size)
{
	const struct share shares[] = {
		{"mappings", saved_without(c, offsetof(struct nat_limits, mappings))},
		{"leases", saved_without(c, offsetof(struct nat_limits, leases))},
		{"subscribers", saved_without(c, offsetof(struct nat_limits, subscribers))},
		{"external-addresses", saved_without(c, offsetof(struct nat_limits, addresses))},
	};
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

static int refuse_ordinary(
	const struct log *log, const struct conf *c, uint64_t needed, uint64_t available)
{
	char limits[256];

	name_limits(c, needed, limits, sizeof limits);
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
		return refuse_ordinary(log, c, needed, available);
	log_warn(log,
		"huge pages: %llu of 2 MiB are needed, %llu are free; %s go without and are "
		"slower",
		(unsigned long long)(p->eal + p->shards), (unsigned long long)p->free,
		p->shards_huge ? "packet buffers"
		: p->eal_huge  ? "shards"
			       : "shards and packet buffers");
	return 0;
}
