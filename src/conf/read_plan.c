// SPDX-License-Identifier: Apache-2.0
// `port-allocation-type` and the numbers of a deterministic NAT (RFC 7422).
#include "draft.h"

void read_port_allocation(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {"port-range-allocation", "deterministic"};
	struct said_group *g = out;

	(void)f;
	g->plan.wanted_at = at;
	g->plan.wanted = field_word(d, at, words, ARRAY_SIZE(words)) == 1;
}

static void read_plan_ports(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_plan *p = out;

	p->ports_at = at;
	read_u32_count(d, at, f, &p->ports);
}

static void read_overflow(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_plan *p = out;

	p->overflow_at = at;
	read_u32_count(d, at, f, &p->overflow);
}

void read_deterministic(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"ports-per-subscriber", read_plan_ports, 0, 4, UINT16_MAX},
		{"overflow", read_overflow, 0, 0, UINT16_MAX},
	};
	struct said_group *g = out;

	(void)f;
	g->plan.at = at;
	fields_read(d, at, fields, ARRAY_SIZE(fields), &g->plan);
}
