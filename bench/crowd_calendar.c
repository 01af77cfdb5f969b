// SPDX-License-Identifier: Apache-2.0
// One list for each millisecond. Whoever is due later than all lists reach stands in the last one,
// is looked at too early, and put in again.
#include <errno.h>
#include <stdlib.h>

#include "crowd.h"

#define SLOTS (1u << 21)
#define NOBODY UINT32_MAX

int calendar_open(struct calendar *c, uint32_t n, ns now)
{
	*c = (struct calendar){.n = n,
		.heads = malloc(SLOTS * sizeof *c->heads),
		.next = malloc(n * sizeof *c->next),
		.before = malloc(n * sizeof *c->before),
		.slots = malloc(n * sizeof *c->slots),
		.now_ms = now / NS_PER_MS};
	if (c->heads == NULL || c->next == NULL || c->before == NULL || c->slots == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < SLOTS; i++)
		c->heads[i] = NOBODY;
	for (uint32_t i = 0; i < n; i++)
		c->slots[i] = NOBODY;
	return 0;
}

void calendar_close(struct calendar *c)
{
	free(c->heads);
	free(c->next);
	free(c->before);
	free(c->slots);
}

static void take_out(struct calendar *c, uint32_t who)
{
	uint32_t next = c->next[who], before = c->before[who];

	if (before == NOBODY)
		c->heads[c->slots[who]] = next;
	else
		c->next[before] = next;
	if (next != NOBODY)
		c->before[next] = before;
	c->slots[who] = NOBODY;
}

void calendar_put(struct calendar *c, uint32_t who, ns at)
{
	uint64_t ms = (at + NS_PER_MS - 1) / NS_PER_MS;
	uint32_t slot, head;

	if (c->slots[who] != NOBODY)
		take_out(c, who);
	if (at == UINT64_MAX)
		return;
	if (ms <= c->now_ms)
		ms = c->now_ms + 1;
	if (ms >= c->now_ms + SLOTS)
		ms = c->now_ms + SLOTS - 1;
	slot = (uint32_t)(ms % SLOTS);
	head = c->heads[slot];
	c->next[who] = head;
	c->before[who] = NOBODY;
	c->slots[who] = slot;
	if (head != NOBODY)
		c->before[head] = who;
	c->heads[slot] = who;
}

void calendar_step(struct calendar *c)
{
	c->now_ms++;
}

bool calendar_take(struct calendar *c, uint32_t *who)
{
	*who = c->heads[c->now_ms % SLOTS];
	if (*who == NOBODY)
		return false;
	take_out(c, *who);
	return true;
}
