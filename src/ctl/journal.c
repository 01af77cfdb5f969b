// SPDX-License-Identifier: Apache-2.0
// From the shards' rings to the NAT log. A shard stamps an event with its own clock and numbers it;
// here it gets the time of day, and a number that is missing is told as a loss. A ring that is not
// drained fills, and the shard goes on without it: traffic never waits for the log.
#include "state.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timex.h>
#include <time.h>
#include <unistd.h>

enum {
	TABLE_HIGH = 90,  // percent at which a table that fills is told once ...
	TABLE_LOW = 80,   // ... and below which it may be again
	STEP_MS = 1000,   // of the wall clock that is worth a line
	LAST_ROUNDS = 64, // at the end, for events that still come while we drain
};

// ---- the time of day -------------------------------------------------------------------------

static int64_t wall_ms(const struct ctl *ctl)
{
	struct timespec t;

	(void)ctl;
	clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void set_clock(struct ctl *ctl)
{
	struct journal *journal = &ctl->journal;
	int64_t offset = journal->wall_ms(ctl) - (int64_t)(ctl->now / NS_PER_MS);
	int64_t step = offset - journal->offset_ms;

	if (journal->clock_at && (step >= STEP_MS || step <= -STEP_MS))
		log_warn(ctl->log,
			"the wall clock stepped by %jd ms: the times of the NAT log step with it",
			(intmax_t)step);
	journal->offset_ms = offset;
	journal->clock_at = ctl->now;
}

uint64_t journal_utc_ms(const struct ctl *ctl, ns at)
{
	int64_t ms = (int64_t)(at / NS_PER_MS) + ctl->journal.offset_ms;

	return ms > 0 ? (uint64_t)ms : 0;
}

// ---- one event -------------------------------------------------------------------------------

// Names are looked up when the event is written: it may have waited over a new configuration.
static bool write_pending(struct ctl *ctl)
{
	struct journal *journal = &ctl->journal;

	while (journal->n_pending > 0) {
		struct natlog_event e = journal->pending[0];
		e.group = row_group_name(ctl->conf, e.nat.group);
		e.realm = row_realm_name(ctl->conf, e.nat.key.realm);
		if (!natlog_write(journal->log, &e))
			return false;
		journal->pending[0] = journal->pending[1];
		journal->n_pending--;
	}
	return true;
}

static void note_gap(struct ctl *ctl, uint16_t worker, const struct shard_event *e)
{
	struct journal *journal = &ctl->journal;
	uint64_t expected = journal->last[worker] + 1;

	journal->last[worker] = e->sequence;
	if (e->sequence <= expected)
		return;
	journal->lost += e->sequence - expected;
	journal->pending[journal->n_pending++] = (struct natlog_event){.kind = NATLOG_LOST,
		.worker = worker,
		.at_ms = journal_utc_ms(ctl, e->at),
		.sequence = expected,
		.count = e->sequence - expected,
		.nat.group = UINT8_MAX};
}

static bool take_event(struct ctl *ctl, uint16_t worker, const struct shard_event *e)
{
	struct journal *journal = &ctl->journal;

	note_gap(ctl, worker, e);
	journal->taken++;
	journal->pending[journal->n_pending++] = (struct natlog_event){.kind = NATLOG_NAT,
		.worker = worker,
		.at_ms = journal_utc_ms(ctl, e->at),
		.sequence = e->sequence,
		.nat = e->nat};
	return write_pending(ctl);
}

// ---- a round ---------------------------------------------------------------------------------

// At most `max` of one worker's ring. True when there may be more.
static bool drain_worker(struct ctl *ctl, uint16_t worker, unsigned max)
{
	struct shard *shard = io_shard(ctl->io, worker);
	struct shard_event e;
	unsigned taken = 0;

	while (taken < max && shard_event(shard, &e)) {
		taken++;
		if (!take_event(ctl, worker, &e))
			return false;
	}
	return taken == max;
}

// While the log cannot take a record and must not lose one (17-h), the rings fill: their shards
// then refuse new mappings.
static bool is_held_up(struct ctl *ctl)
{
	return !write_pending(ctl) ||
	       (ctl->conf->log_fail_closed && !natlog_ready(ctl->journal.log));
}

static bool drain(struct ctl *ctl)
{
	unsigned share = CTL_ROUND_EVENTS / ctl->conf->n_workers;
	bool more = false;

	for (uint16_t i = 0; i < ctl->conf->n_workers && !is_held_up(ctl); i++)
		more |= drain_worker(ctl, i, share);
	return more;
}

// ---- tables that fill ------------------------------------------------------------------------

struct table { // of a shard; when it is full new mappings are refused
	uint8_t kind;
	const char *name;
	uint32_t used, size;
};

static uint32_t gauge(const uint64_t *counter)
{
	return (uint32_t)counter_read(counter);
}

// Packets find no room any more where the reserve of explicit mappings begins.
static void look_at_tables(const struct ctl *ctl, uint16_t worker, struct table tables[2])
{
	const struct nat_counters *now = shard_nat_counters(io_shard(ctl->io, worker));
	struct nat_limits limits = conf_shard_limits(ctl->conf);

	tables[0] = (struct table){NATLOG_MAPPINGS_HIGH, "mappings", gauge(&now->mappings),
		limits.mappings - limits.mappings_reserved};
	tables[1] = (struct table){NATLOG_SUBSCRIBERS_HIGH, "subscribers", gauge(&now->subscribers),
		limits.subscribers};
}

static void tell_table(struct ctl *ctl, uint16_t worker, const struct table *t, uint32_t percent)
{
	struct natlog_event e = {.kind = t->kind,
		.worker = worker,
		.usage = (uint8_t)min_u32(percent, UINT8_MAX),
		.nat = {.group = UINT8_MAX,
			.limit = (uint32_t)((uint64_t)t->size * TABLE_HIGH / 100)}};

	log_warn(ctl->log, "worker %u has %u of %u %s, %u %%: at %u new ones are refused", worker,
		t->used, t->size, t->name, percent, t->size);
	journal_tell(ctl, &e);
}

static void watch_table(struct ctl *ctl, uint16_t worker, const struct table *t, uint64_t *told)
{
	uint32_t percent = t->size ? (uint32_t)((uint64_t)t->used * 100 / t->size) : 0;
	uint64_t bit = UINT64_C(1) << worker;

	if (percent < TABLE_LOW)
		*told &= ~bit;
	if (percent < TABLE_HIGH || *told & bit)
		return;
	*told |= bit;
	tell_table(ctl, worker, t, percent);
}

// RFC 8158 s.4.6.8.2 and s.4.6.8.4: before the tables of a shard are full.
static void watch_tables(struct ctl *ctl)
{
	struct journal *journal = &ctl->journal;
	struct table tables[2];

	if (ctl->now - journal->watched_at < NS_PER_S)
		return;
	journal->watched_at = ctl->now;
	for (uint16_t i = 0; i < ctl->conf->n_workers; i++) {
		look_at_tables(ctl, i, tables);
		for (unsigned k = 0; k < ARRAY_SIZE(tables); k++)
			watch_table(ctl, i, &tables[k], &journal->full[k]);
	}
}

void journal_step(struct ctl *ctl)
{
	struct journal *journal = &ctl->journal;

	if (ctl->now - journal->clock_at >= NS_PER_S)
		set_clock(ctl);
	natlog_poll(journal->log, ctl->now, journal_utc_ms(ctl, ctl->now));
	plans_step(ctl);
	watch_tables(ctl);
	if (drain(ctl))
		ctl->hurry = true;
}

// ---- what control itself has to tell ---------------------------------------------------------

void journal_tell(struct ctl *ctl, const struct natlog_event *event)
{
	struct natlog_event e = *event;

	e.at_ms = journal_utc_ms(ctl, ctl->now);
	e.group = row_group_name(ctl->conf, e.nat.group);
	if (!natlog_write(ctl->journal.log, &e))
		log_warn(ctl->log, "the NAT log is held up and lacks an event of the daemon's own");
}

// ---- life ------------------------------------------------------------------------------------

int journal_open(struct ctl *ctl)
{
	char host[256] = "";
	struct natlog_setup setup = {.host = host};

	ctl->journal.wall_ms = wall_ms;
	set_clock(ctl);
	(void)!gethostname(host, sizeof host - 1);
	setup.started_ms = journal_utc_ms(ctl, ctl->started);
	int error = natlog_create(&setup, &ctl->journal.log);
	if (error)
		return error;
	natlog_poll(ctl->journal.log, ctl->now, setup.started_ms);
	journal_configure(ctl);
	journal_tell(ctl, &(struct natlog_event){.kind = NATLOG_STARTED, .nat.group = UINT8_MAX});
	return 0;
}

void journal_configure(struct ctl *ctl)
{
	struct natlog *log = ctl->journal.log;
	struct natlog_target target;

	natlog_configure(log, ctl->conf);
	for (unsigned i = 0; i < natlog_targets(log); i++) {
		natlog_target(log, i, &target);
		if (target.error)
			log_warn(ctl->log, "NAT log to %s%s: %s", target.conf->file,
				target.conf->host, strerror(target.error));
	}
}

// After the workers have ended nothing comes any more; while they run the end is where the rings
// were found empty.
void journal_close(struct ctl *ctl)
{
	struct journal *journal = &ctl->journal;
	struct natlog_counters sum;
	bool more = true;

	if (!journal->log)
		return;
	for (unsigned i = 0; i < LAST_ROUNDS && more; i++) {
		natlog_poll(journal->log, ctl->now, journal_utc_ms(ctl, ctl->now));
		more = drain(ctl);
	}
	journal_tell(ctl, &(struct natlog_event){.kind = NATLOG_STOPPED, .nat.group = UINT8_MAX});
	natlog_flush(journal->log);
	natlog_totals(journal->log, &sum);
	if (sum.lost)
		log_warn(ctl->log, "the NAT log lacks %ju records", (uintmax_t)sum.lost);
	natlog_destroy(journal->log);
	journal->log = NULL;
}

// ---- show log --------------------------------------------------------------------------------

static json_t *target_row(const struct natlog_target *t)
{
	static const char *const formats[] = {
		[CONF_LOG_IPFIX] = "ipfix", [CONF_LOG_SYSLOG] = "syslog", [CONF_LOG_JSON] = "json"};
	const struct conf_log *conf = t->conf;
	bool six = strchr(conf->host, ':') != NULL;
	json_t *to = conf->file[0]
			     ? row_text(conf->file)
			     : json_sprintf(six ? "[%s]:%u" : "%s:%u", conf->host, conf->port);
	json_t *row = json_pack("{s:s,s:o,s:s}", "format", formats[conf->format], "target", to,
		"state", t->error ? "failing" : "good");

	if (t->error)
		json_object_set_new(row, "error", json_string(strerror(t->error)));
#define X(name, sentence)                                                                          \
	json_object_set_new(row, #name, json_integer((json_int_t)t->counters.name));
	NATLOG_COUNTERS(X)
#undef X
	json_object_set_new(row, "waiting", json_integer(t->waiting));
	return row;
}

// 17-c: how far the times may be wrong, as the kernel's clock discipline says.
static void add_clock(json_t *done)
{
	struct timex t = {.modes = 0};
	bool known = adjtimex(&t) >= 0;

	json_object_set_new(
		done, "clock_synchronized", json_boolean(known && !(t.status & STA_UNSYNC)));
	if (known)
		json_object_set_new(done, "clock_error_us", json_integer(t.maxerror));
}

void journal_show(struct ctl *ctl, struct client *c)
{
	struct natlog *log = ctl->journal.log;
	char now[NATLOG_TIME];

	for (unsigned i = 0; i < natlog_targets(log); i++) {
		struct natlog_target target;
		natlog_target(log, i, &target);
		client_row(c, target_row(&target));
	}
	natlog_time_format(journal_utc_ms(ctl, ctl->now), now);
	json_t *done = json_pack("{s:I,s:I,s:b,s:b,s:s}", "events", (json_int_t)ctl->journal.taken,
		"events_lost", (json_int_t)ctl->journal.lost, "fail_closed",
		(int)ctl->conf->log_fail_closed, "held_up",
		(int)(ctl->conf->log_fail_closed && !natlog_ready(log)), "time", now);
	add_clock(done);
	client_done(c, done);
}
