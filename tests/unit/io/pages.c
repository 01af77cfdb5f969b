// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "memory.h"
#include "pages.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define GIB (UINT64_C(1) << 30)

static struct conf *conf_with(uint32_t mappings, uint32_t leases, uint32_t subscribers)
{
	struct conf *c = calloc(1, sizeof *c);

	cr_assert(c);
	c->n_workers = 2;
	c->n_ports = 2;
	c->limits = (struct nat_limits){.mappings = mappings,
		.leases = leases,
		.subscribers = subscribers,
		.addresses = 8,
		.port_set_min = 512};
	return c;
}

// What pages_judge() answers and logs, with no huge page free.
static int judge(const struct conf *c, uint64_t available, char *text, size_t size)
{
	struct eal_plan plan = {.n_buffers = 0};
	struct log log = {.level = LOG_LEVEL_WARN, .program = "test"};
	int ends[2];

	cr_assert_eq(pipe(ends), 0);
	log.fd = ends[1];
	eal_plan_memory(c, &plan);
	struct pages p = pages_plan(c, &plan, 0);
	int error = pages_judge(&log, c, &plan, &p, available);
	close(ends[1]);
	ssize_t n = read(ends[0], text, size - 1);
	cr_assert_geq(n, 0);
	text[n] = 0;
	close(ends[0]);
	return error;
}

Test(io, limits_beyond_the_memory_there_is_are_refused_by_name)
{
	struct conf *c = conf_with(1u << 30, 1u << 30, 16u << 20);
	char text[512];

	cr_assert_eq(judge(c, 24 * GIB, text, sizeof text), -ENOMEM);
	cr_assert(strstr(text, "too little memory: "));
	cr_assert(strstr(text, "24576 MiB are available"));
	cr_assert(strstr(text, "limits.mappings (") && strstr(text, "limits.leases ("));
	cr_assert_not(strstr(text, "limits.subscribers"));
	cr_assert_not(strstr(text, "limits.external-addresses"));
	free(c);
}

Test(io, clients_fragments_and_sessions_beyond_the_memory_are_named)
{
	struct conf *c = conf_with(1u << 20, 256u << 10, 64u << 10);
	char text[512];

	c->pcp_clients = 1u << 30;
	cr_assert_eq(judge(c, 4 * GIB, text, sizeof text), -ENOMEM);
	cr_assert(strstr(text, "lower limits.pcp-clients ("), "%s", text);
	cr_assert_not(strstr(text, "limits.mappings"));
	c->pcp_clients = 64u << 10;
	c->fragments = 1u << 20;
	cr_assert_eq(judge(c, 4 * GIB, text, sizeof text), -ENOMEM);
	cr_assert(strstr(text, "lower limits.fragments-limit ("), "%s", text);
	c->fragments = 1024;
	c->limits.sessions = 1u << 30;
	cr_assert_eq(judge(c, 4 * GIB, text, sizeof text), -ENOMEM);
	cr_assert(strstr(text, "lower limits.sessions ("), "%s", text);
	free(c);
}

Test(io, limits_that_fit_start_without_huge_pages)
{
	struct conf *c = conf_with(1u << 20, 256u << 10, 64u << 10);
	char text[512];

	cr_assert_eq(judge(c, 4 * GIB, text, sizeof text), 0);
	cr_assert(strstr(text, "shards and packet buffers go without"));
	cr_assert_eq(judge(c, 0, text, sizeof text), 0, "not known is no reason");
	c->require_huge_pages = true;
	cr_assert_eq(judge(c, 4 * GIB, text, sizeof text), -ENOMEM);
	cr_assert(strstr(text, "huge pages are required"));
	free(c);
}

Test(io, ordinary_memory_is_needed_for_what_huge_pages_do_not_hold)
{
	struct conf *c = conf_with(1u << 20, 256u << 10, 64u << 10);
	struct eal_plan plan = {.n_buffers = 0};

	eal_plan_memory(c, &plan);
	struct pages none = pages_plan(c, &plan, 0);
	struct pages some = pages_plan(c, &plan, none.shards);
	struct pages all = pages_plan(c, &plan, none.shards + none.eal);
	cr_assert(some.shards_huge && !some.eal_huge);
	cr_assert_eq(pages_ordinary(c, &plan, &none),
		none.shards * HUGE_PAGE + ((uint64_t)plan.megabytes_plain << 20));
	cr_assert_eq(pages_ordinary(c, &plan, &some), (uint64_t)plan.megabytes_plain << 20);
	cr_assert_eq(pages_ordinary(c, &plan, &all), 0);
	free(c);
}

Test(io, available_memory_is_read_from_the_kernels_table)
{
	char table[] = "MemTotal:       24684036 kB\nMemFree: 1 kB\nMemAvailable:   23451 kB\n";
	char other[] = "MemTotal:       24684036 kB\n";
	FILE *f = fmemopen(table, sizeof table - 1, "r");

	cr_assert_eq(memory_read_available(f), UINT64_C(23451) << 10);
	fclose(f);
	f = fmemopen(other, sizeof other - 1, "r");
	cr_assert_eq(memory_read_available(f), 0);
	fclose(f);
}
