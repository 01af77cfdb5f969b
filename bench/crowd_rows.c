// SPDX-License-Identifier: Apache-2.0
#include <unistd.h>

#include "crowd.h"

enum {
	LINES = 24 // of seconds, for people
};

static bool progress_shown;

static void end_progress(void)
{
	if (progress_shown)
		fputs("\r\033[K", stderr);
	progress_shown = false;
}

void rows_progress(const struct crowd *c, int64_t second)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r\033[Kbench-crowd: %s: second %lld, %u of %u are whole", c->act->name,
		(long long)second, c->whole_paced + c->whole_unpaced, c->o->clients);
	progress_shown = true;
}

void rows_begin(const struct options *o)
{
	if (o->json)
		return;
	printf("%u clients, %u mappings each for %u s, paced %u ms; %u %% of datagrams lost\n",
		o->clients, o->mappings, o->lifetime_s, o->pace_ms, o->loss);
}

// ---- seconds ---------------------------------------------------------------------------------

static void print_second_json(const struct crowd *c, int64_t at, const struct second *s)
{
	printf("{\"bench\":\"crowd\",\"operation\":\"second\",\"act\":\"%s\",\"second\":%lld,"
	       "\"first\":%u,\"renewals\":%u,\"again\":%u,\"unpaced\":%u,\"bound\":%u,"
	       "\"granted\":%u,\"refused\":%u,\"dropped\":%u,\"whole\":%u,\"core\":%.4f}\n",
		c->act->name, (long long)at, s->first, s->renewals, s->again, s->unpaced, s->bound,
		s->granted, s->refused, s->dropped, s->whole, (double)s->core);
}

static uint32_t all_of(const struct second *s)
{
	return s->first + s->renewals + s->again + s->unpaced;
}

// The busiest of some seconds stands for them.
static const struct second *busiest(const struct second *s, uint32_t n)
{
	const struct second *best = s;

	for (uint32_t i = 1; i < n; i++) {
		if (all_of(&s[i]) > all_of(best))
			best = &s[i];
	}
	return best;
}

static void print_seconds(const struct crowd *c, int64_t first)
{
	uint32_t lost = (uint32_t)-first, after = c->n_seconds - lost;
	uint32_t each = (after + LINES - 1) / LINES;

	printf("\n%s: %s\n%7s %9s %9s %9s %9s %9s %9s %9s %9s %8s\n", c->act->name,
		c->act->sentence, "second", "first", "renewals", "again", "bound", "unpaced",
		"granted", "refused", "dropped", "whole");
	for (uint32_t at = lost; at < c->n_seconds; at += each) {
		const struct second *s = busiest(&c->seconds[at], min_u32(each, c->n_seconds - at));

		printf("%7lld %9u %9u %9u %9u %9u %9u %9u %9u %6.1f %%\n",
			(long long)(s - c->seconds) + first, s->first, s->renewals, s->again,
			s->bound, s->unpaced, s->granted, s->refused, s->dropped,
			100.0 * s->whole / c->o->clients);
	}
}

void rows_seconds(const struct crowd *c, int64_t first)
{
	end_progress();
	if (!c->o->json) {
		print_seconds(c, first);
		return;
	}
	for (uint32_t i = 0; i < c->n_seconds; i++)
		print_second_json(c, first + i, &c->seconds[i]);
}

// ---- what came of it -------------------------------------------------------------------------

struct row {
	const char *name;
	double value;
	const char *unit, *sentence;
};

static void print_row(const struct options *o, const struct outcome *out, const struct row *r)
{
	if (o->json)
		printf("{\"bench\":\"crowd\",\"operation\":\"%s\",\"act\":\"%s\",\"clients\":%u,"
		       "\"value\":%.10g,\"unit\":\"%s\"}\n",
			r->name, out->act->name, o->clients, r->value, r->unit);
	else
		printf("  %-22s %12.10g %-10s %s\n", r->name, r->value, r->unit, r->sentence);
}

static void print_drop(const struct options *o, const struct outcome *out, enum drop why)
{
	struct row r = {"dropped", (double)out->drops[why], "requests", drop_sentence(why)};
	char name[60];

	if (out->drops[why] == 0)
		return;
	snprintf(name, sizeof name, "dropped-%s", drop_name(why));
	r.name = name;
	print_row(o, out, &r);
}

static void print_unpaced(const struct options *o, const struct outcome *out)
{
	const struct row rows[] = {
		{"unpaced-whole-100", out->unpaced_100, "s", "until all who know no pacing are"},
		{"unpaced-answered", (double)out->answered_unpaced, "requests", "of theirs"},
		{"unpaced-allowed", (double)out->allowed_unpaced, "requests",
			"rate and burst of each"},
		{"largest-of-all", out->largest_all, "requests", "in one second, theirs too"},
		{"paced-dropped", (double)out->dropped_paced, "requests", "of the others"},
	};

	for (unsigned i = 0; out->act->unpaced > 0 && i < ARRAY_SIZE(rows); i++) {
		if (rows[i].value < (double)UINT64_MAX) // no limit, none to tell
			print_row(o, out, &rows[i]);
	}
}

void rows_outcome(const struct options *o, const struct outcome *out)
{
	const struct row rows[] = {
		{"whole-50", out->whole_50, "s", "until half of the clients had all back"},
		{"whole-99", out->whole_99, "s", "99 of 100"},
		{"whole-100", out->whole_100, "s", "all"},
		{"largest-second", out->largest, "requests", "of the paced, in one second"},
		{"bound", out->first_bound, "requests", "without what was asked again"},
		{"over-bound", out->over, "seconds", "in which there were more"},
		{"not-whole", out->not_whole, "clients", "at the end"},
		{"differ", out->differ, "mappings", "other than in the server's own table"},
		{"kept", out->kept, "%", "have the external address and port of before"},
		{"created", (double)out->server.maps_created, "requests", "made a mapping"},
		{"renewed", (double)out->server.maps_renewed, "requests", "renewed one"},
		{"newcomers-refused", (double)out->server.newcomers_refused, "requests",
			"NO_RESOURCES: too many new subscribers"},
		{"core", out->core, "s", "of a core, in the server's busiest second"},
		{"octets-a-client", out->bytes_client, "octets", "of the library"},
		{"octets-of-server", (double)out->bytes_server, "octets", "of the shard"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
		print_row(o, out, &rows[i]);
	print_unpaced(o, out);
	for (unsigned why = DROP_NONE + 1; why < DROP_COUNT; why++)
		print_drop(o, out, why);
	fflush(stdout);
}

static bool complain(const struct outcome *out, bool wrong, const char *what, double value)
{
	if (wrong)
		fprintf(stderr, "bench-crowd: %s: %s: %.10g\n", out->act->name, what, value);
	return wrong;
}

bool rows_is_bad(const struct outcome *out)
{
	bool bad = false;

	bad |= complain(out, out->over > 0, "seconds with more requests than the bound", out->over);
	bad |= complain(out, out->not_whole > 0, "clients who are not whole", out->not_whole);
	bad |= complain(out, out->differ > 0, "mappings that client and server see differently",
		out->differ);
	bad |= complain(out, out->late > 0, "allocations of the library after its start",
		(double)out->late);
	bad |= complain(out, out->answered_unpaced > out->allowed_unpaced,
		"answers to those who know no pacing, beyond the server's limit",
		(double)out->answered_unpaced);
	bad |= complain(out, out->later_than_without,
		"seconds until the paced were whole: later than without the others",
		out->whole_100);
	return bad;
}
