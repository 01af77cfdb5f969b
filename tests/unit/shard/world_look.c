// SPDX-License-Identifier: Apache-2.0
// What a test may look at: counts that must add up, and where the deal put somebody.
#include "world.h"

static void account_shard(const struct world *w, uint16_t k)
{
	const struct shard_counters *c = shard_counters(w->shard[k]);
	uint64_t verdicts = 0;

	for (unsigned v = 0; v <= VERDICT_HOLD; v++)
		verdicts += w->verdicts[k][v];
	if (verdicts != w->given[k] + w->released[k] ||
		c->inside_packets + c->outside_packets != w->given[k])
		world_die("shard %u lost count of its packets", k);
}

// An error that its rate limit kept back is counted beside the drop it would have told of; what the
// shards would have said unasked and had no buffer for is counted as well.
static void account_drops(const struct world *w)
{
	uint64_t dropped = 0, told = 0, counted = 0;

	for (uint16_t k = 0; k < w->n; k++) {
		const struct shard_counters *c = shard_counters(w->shard[k]);

		dropped += w->verdicts[k][VERDICT_DROP];
		told += c->icmp_errors_sent;
		for (unsigned d = 0; d < DROP_COUNT; d++)
			counted += d == DROP_ICMP_RATE ? 0 : c->drops[d];
	}
	if (counted + w->cut != dropped + told + w->denied)
		world_die("%lu packets were dropped, %lu told of and %lu had no buffer, but %lu "
			  "are counted",
			(unsigned long)dropped, (unsigned long)told, (unsigned long)w->denied,
			(unsigned long)counted);
}

void world_account(const struct world *w)
{
	uint64_t given = 0, handed = 0;

	account_drops(w);
	for (uint16_t k = 0; k < w->n; k++) {
		account_shard(w, k);
		given += w->given[k];
		handed += w->verdicts[k][VERDICT_HANDOFF];
		if (w->queue[k].n != 0)
			world_die("packets still wait for shard %u", k);
	}
	if (given != w->put - w->unparsed + handed)
		world_die("the switch lost packets");
}

uint64_t world_drops(const struct world *w, enum drop why)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < w->n; k++)
		sum += shard_counters(w->shard[k])->drops[why];
	return sum;
}

static uint64_t count_at(const void *counters, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const uint8_t *)counters + offset, sizeof value);
	return value;
}

uint64_t world_sum(const struct world *w, size_t counter)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < w->n; k++)
		sum += count_at(shard_counters(w->shard[k]), counter);
	return sum;
}

uint64_t world_nat_sum(const struct world *w, size_t counter)
{
	uint64_t sum = 0;

	for (uint16_t k = 0; k < w->n; k++)
		sum += count_at(shard_nat_counters(w->shard[k]), counter);
	return sum;
}

ip4 world_host(const struct world *w, uint16_t shard, unsigned nth)
{
	ip4 host = 0x64400100; // 100.64.1.0

	for (unsigned found = 0; host < 0x64410000; host++) {
		if (conf_inside_owner(w->conf, host) == shard && found++ == nth)
			return host;
	}
	world_die("shard %u has no host %u", shard, nth);
}

ip4 world_external(const struct world *w, uint16_t shard)
{
	for (uint32_t i = 0; i < w->conf->n_external; i++) {
		if (w->conf->external[i].whole == shard)
			return w->conf->external[i].ip;
	}
	world_die("shard %u has no address", shard);
}

uint16_t world_owner(const struct world *w, uint8_t protocol, struct recipe external)
{
	const struct conf_local *local = conf_find_local(w->conf, 0, external.addr);

	if (local == NULL || local->kind != CONF_LOCAL_POOL)
		world_die("that is no address of the pool");
	return conf_outside_owner(
		w->conf, &w->conf->external[local->index], protocol, external.port);
}
