// SPDX-License-Identifier: Apache-2.0
// The list of targets, and the same for each of them.
#include "target.h"

#include <errno.h>
#include <stdlib.h>

struct natlog {
	char host[SYSLOG_HOST];
	uint64_t started_ms;
	struct moment moment;
	ns wait;
	bool keep;
	unsigned n;
	struct target targets[CONF_MAX_LOGS];
	struct natlog_counters gone; // of targets that are no more
};

int natlog_create(const struct natlog_setup *setup, struct natlog **out)
{
	struct natlog *log = calloc(1, sizeof *log);

	if (!log)
		return -ENOMEM;
	syslog_host(setup->host, log->host);
	log->started_ms = setup->started_ms;
	*out = log;
	return 0;
}

static void add_counters(struct natlog_counters *sum, const struct natlog_counters *one)
{
#define X(name, sentence) sum->name += one->name;
	NATLOG_COUNTERS(X)
#undef X
}

static void close_target(struct natlog *log, struct target *t)
{
	target_flush(t, log->moment);
	t->counters.lost += t->records; // what the last try left behind
	add_counters(&log->gone, &t->counters);
	target_fini(t);
}

void natlog_destroy(struct natlog *log)
{
	if (!log)
		return;
	for (unsigned i = 0; i < log->n; i++)
		close_target(log, &log->targets[i]);
	free(log);
}

// ---- configuration ---------------------------------------------------------------------------

static bool is_same(const struct conf_log *a, const struct conf_log *b)
{
	return a->format == b->format && a->port == b->port && a->mtu == b->mtu &&
	       a->templates_s == b->templates_s && a->domain == b->domain &&
	       a->destinations == b->destinations && strcmp(a->file, b->file) == 0 &&
	       strcmp(a->host, b->host) == 0 && strcmp(a->source, b->source) == 0;
}

static bool is_wanted(const struct conf *conf, const struct conf_log *log)
{
	for (unsigned i = 0; i < conf->n_logs; i++) {
		if (is_same(&conf->logs[i], log))
			return true;
	}
	return false;
}

static bool is_there(const struct natlog *log, const struct conf_log *wanted)
{
	for (unsigned i = 0; i < log->n; i++) {
		if (is_same(&log->targets[i].conf, wanted))
			return true;
	}
	return false;
}

static void remove_target(struct natlog *log, unsigned i)
{
	close_target(log, &log->targets[i]);
	log->targets[i] = log->targets[--log->n];
	log->targets[log->n] = (struct target){.fd = -1};
}

static void add_target(struct natlog *log, const struct conf_log *wanted)
{
	if (log->n == CONF_MAX_LOGS || is_there(log, wanted))
		return;
	if (target_init(&log->targets[log->n], wanted, log->keep, log->started_ms, log->moment))
		log->gone.errors++;
	else
		log->n++;
}

void natlog_configure(struct natlog *log, const struct conf *conf)
{
	log->wait = conf->log_wait_ms * NS_PER_MS;
	log->keep = conf->log_fail_closed;
	for (unsigned i = log->n; i-- > 0;) {
		struct target *t = &log->targets[i];
		t->keep = log->keep;
		if (is_wanted(conf, &t->conf))
			target_reopen(t, log->moment);
		else
			remove_target(log, i);
	}
	for (unsigned i = 0; i < conf->n_logs; i++)
		add_target(log, &conf->logs[i]);
}

// ---- events ----------------------------------------------------------------------------------

bool natlog_write(struct natlog *log, const struct natlog_event *e)
{
	for (unsigned i = 0; i < log->n; i++) {
		if (!target_prepare(&log->targets[i], e, log->host, log->moment))
			return false;
	}
	for (unsigned i = 0; i < log->n; i++)
		target_commit(&log->targets[i], e, log->moment);
	return true;
}

bool natlog_ready(const struct natlog *log)
{
	for (unsigned i = 0; i < log->n; i++) {
		if (log->targets[i].held || log->targets[i].fd < 0)
			return false;
	}
	return true;
}

void natlog_poll(struct natlog *log, ns now, uint64_t now_ms)
{
	log->moment = (struct moment){.now = now, .now_ms = now_ms};
	for (unsigned i = 0; i < log->n; i++)
		target_poll(&log->targets[i], log->host, log->wait, log->moment);
}

void natlog_flush(struct natlog *log)
{
	for (unsigned i = 0; i < log->n; i++)
		target_flush(&log->targets[i], log->moment);
}

// ---- for people ------------------------------------------------------------------------------

unsigned natlog_targets(const struct natlog *log)
{
	return log->n;
}

void natlog_target(const struct natlog *log, unsigned i, struct natlog_target *out)
{
	const struct target *t = &log->targets[i];

	*out = (struct natlog_target){.conf = &t->conf,
		.counters = t->counters,
		.waiting = t->records,
		.error = t->error};
}

void natlog_totals(const struct natlog *log, struct natlog_counters *out)
{
	*out = log->gone;
	for (unsigned i = 0; i < log->n; i++)
		add_counters(out, &log->targets[i].counters);
}
