// SPDX-License-Identifier: Apache-2.0
// A batch fills until it is as large as it may be, or has waited long enough; then it is written in
// one piece. What a socket does not take at once is lost, unless the configuration would rather
// have no new mappings than unlogged ones; what a file does not take stays, up to one batch. Every
// loss is counted, and told in the same log with the next thing that goes there.
#include "target.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

enum {
	LOST_LINE = 512, // what a line that tells losses may need
	SEQUENCE_MAX = 2147483647,
};

static bool is_file(const struct target *t)
{
	return sink_is_file(&t->conf);
}

// RFC 5426 s.3.1: one syslog message in a datagram. Others share it.
static size_t batch_limit(const struct target *t)
{
	if (is_file(t))
		return TARGET_FILE_BATCH;
	return t->conf.format == CONF_LOG_SYSLOG ? 0 : t->conf.mtu;
}

// ---- writing a batch -------------------------------------------------------------------------

static void note_failure(struct target *t, int error, struct moment m)
{
	ns pause = error == -EAGAIN ? 10 * NS_PER_MS : TARGET_RETRY;

	t->error = -error;
	t->counters.errors++;
	t->retry_at = m.now + pause;
}

static void try_open(struct target *t, struct moment m)
{
	if (t->fd >= 0 || m.now < t->retry_at)
		return;
	int fd = sink_open(&t->conf);
	if (fd < 0) {
		note_failure(t, fd, m);
		return;
	}
	t->fd = fd;
	t->error = 0;
	t->templates_at = m.now;
}

static void lose(struct target *t, uint64_t records)
{
	t->counters.lost += records;
	t->untold += records;
}

static void empty(struct target *t)
{
	t->length = 0;
	t->records = 0;
	t->told = 0;
	t->since = 0;
	t->held = false;
}

static void drop_batch(struct target *t)
{
	lose(t, t->records);
	t->untold += t->told; // these count already
	empty(t);
}

// The refusal is of a datagram that left earlier. Somebody may listen there again soon, and will
// know no template.
static void take_refusal(struct target *t, struct moment m)
{
	lose(t, t->last_records);
	t->last_records = 0;
	t->counters.errors++;
	t->error = ECONNREFUSED;
	if (t->templates_at > m.now + NS_PER_S)
		t->templates_at = m.now + NS_PER_S;
}

static ssize_t write_once(struct target *t, struct moment m)
{
	try_open(t, m);
	if (t->fd < 0)
		return t->error ? -t->error : -EAGAIN;
	ssize_t n = sink_write(t->fd, is_file(t), t->batch, t->length);
	if (n == -ECONNREFUSED) {
		take_refusal(t, m);
		n = sink_write(t->fd, is_file(t), t->batch, t->length);
	} else if (n >= 0) {
		t->error = 0;
	}
	return n;
}

static void finish_write(struct target *t)
{
	t->counters.records += t->records;
	t->counters.datagrams += !is_file(t);
	t->last_records = t->records;
	t->retry_at = 0;
	empty(t);
}

static bool stays(const struct target *t, ssize_t n)
{
	return n != -EMSGSIZE && (is_file(t) || t->keep);
}

// True when the batch is empty now.
static bool write_batch(struct target *t, struct moment m)
{
	if (t->length == 0 || (t->held && m.now < t->retry_at))
		return t->length == 0;
	ssize_t n = write_once(t, m);
	if (n > 0)
		t->counters.octets += (uint64_t)n;
	if (n == (ssize_t)t->length) {
		finish_write(t);
		return true;
	}
	if (n >= 0) { // a disk that is full within a line: the rest of it follows when it can
		memmove(t->batch, t->batch + n, t->length - (size_t)n);
		t->length -= (size_t)n;
		n = -ENOSPC;
	}
	if (t->fd >= 0) // else the failure to open it was noted
		note_failure(t, (int)n, m);
	t->held = stays(t, n);
	if (!t->held)
		drop_batch(t);
	return !t->held;
}

static bool flush(struct target *t, struct moment m)
{
	if (t->ipfix && t->length == 0)
		t->length = ipfix_finish(t->ipfix);
	return write_batch(t, m);
}

// The batch that is being filled says so; should it be lost, it is to be said once more.
static void note_told(struct target *t, uint64_t losses)
{
	t->told += losses;
	t->untold -= losses;
}

// ---- templates -------------------------------------------------------------------------------

// A message of templates is not worth keeping: the next try makes it anew.
static bool send_message(struct target *t, struct moment m)
{
	bool keep = t->keep;
	uint64_t sent = t->counters.datagrams;

	t->keep = false;
	flush(t, m);
	t->keep = keep;
	return t->counters.datagrams > sent;
}

static bool send_templates(struct target *t, struct moment m)
{
	bool sent = true;

	for (unsigned i = 0; i < SHAPE_TEMPLATES; i++) {
		if (ipfix_add_template(t->ipfix, i, m.now_ms))
			continue;
		sent &= send_message(t, m);
		if (!ipfix_add_template(t->ipfix, i, m.now_ms))
			sent = false;
	}
	return send_message(t, m) && sent;
}

// True when records may follow.
static bool refresh_templates(struct target *t, struct moment m)
{
	if (!t->ipfix || m.now < t->templates_at)
		return true;
	if (!flush(t, m))
		return false;
	bool sent = send_templates(t, m);
	t->templates_at = m.now + (sent ? t->conf.templates_s * NS_PER_S : TARGET_RETRY);
	if (!sent)
		return !t->keep;
	if (ipfix_add_losses(t->ipfix, t->counters.lost, m.now_ms)) {
		t->since = m.now;
		note_told(t, t->untold);
	}
	return true;
}

// ---- filling a batch -------------------------------------------------------------------------

static bool make_room_for_record(struct target *t, struct moment m)
{
	if (!refresh_templates(t, m))
		return false;
	if (t->length == 0 && ipfix_room(t->ipfix) >= IPFIX_RECORD)
		return true;
	return flush(t, m);
}

static bool make_room_for_line(struct target *t, size_t length, struct moment m)
{
	size_t limit = batch_limit(t), wanted = t->length + length;

	if (t->length == 0 || wanted <= limit || flush(t, m))
		return true;
	return is_file(t) && wanted <= limit; // flush() may have written some of it
}

static bool make_room(struct target *t, struct moment m)
{
	return t->ipfix ? make_room_for_record(t, m) : make_room_for_line(t, t->line_length, m);
}

static bool encode_line(struct target *t, const struct natlog_event *e, const char *host)
{
	bool destinations = t->conf.destinations;

	free(t->line);
	t->line_length = 0;
	if (t->conf.format == CONF_LOG_JSON) {
		t->line = natlog_json(e, destinations);
		t->line_length = t->line ? strlen(t->line) : 0;
	} else if ((t->line = malloc(SYSLOG_LINE)) != NULL) {
		t->line_length =
			syslog_encode(e, host, destinations, t->sequence, t->line, SYSLOG_LINE - 1);
	}
	if (t->line_length == 0)
		return false;
	if (is_file(t) || t->conf.format == CONF_LOG_JSON)
		t->line[t->line_length++] = '\n'; // over the NUL
	return true;
}

static bool append_line(struct target *t)
{
	size_t wanted = t->length + t->line_length;

	if (wanted > t->room) {
		uint8_t *larger = realloc(t->batch, wanted);
		if (!larger)
			return false;
		t->batch = larger;
		t->room = wanted;
	}
	memcpy(t->batch + t->length, t->line, t->line_length);
	t->length = wanted;
	t->sequence = t->sequence % SEQUENCE_MAX + 1;
	return true;
}

static bool append(struct target *t, const struct natlog_event *e, struct moment m)
{
	bool right;

	if (!t->ipfix)
		right = append_line(t);
	else if (e->kind == NATLOG_LOST)
		right = ipfix_add_losses(t->ipfix, t->counters.lost, m.now_ms);
	else
		right = ipfix_add(t->ipfix, e, m.now_ms);
	if (right && t->since == 0)
		t->since = m.now;
	return right;
}

// Says what this target lacks, before anything else goes there.
static void tell_losses(struct target *t, uint64_t at_ms, const char *host, struct moment m)
{
	struct natlog_event e = {
		.kind = NATLOG_LOST, .worker = UINT16_MAX, .at_ms = at_ms, .count = t->untold};

	if (t->untold == 0 || t->held || (!t->ipfix && !encode_line(t, &e, host)))
		return;
	// Making room may lose more, or tell some; what then stands is told.
	if (make_room(t, m) && t->untold >= e.count && append(t, &e, m))
		note_told(t, e.count);
}

bool target_prepare(
	struct target *t, const struct natlog_event *e, const char *host, struct moment m)
{
	tell_losses(t, e->at_ms, host, m);
	t->skip = !t->ipfix && !encode_line(t, e, host);
	if (t->skip)
		return true;
	t->skip = !make_room(t, m);
	return !t->skip || !t->keep;
}

// Losses are no events, and IPFIX has no record for some of what we tell.
static bool is_record(const struct target *t, const struct natlog_event *e)
{
	return e->kind != NATLOG_LOST && !(t->ipfix && shape_of(e)->tmpl == SHAPE_NO_RECORD);
}

void target_commit(struct target *t, const struct natlog_event *e, struct moment m)
{
	uint64_t lost = e->kind == NATLOG_LOST ? e->count : is_record(t, e);

	if (e->kind == NATLOG_LOST)
		t->counters.lost += lost;
	if (!t->skip && append(t, e, m)) {
		t->records += is_record(t, e);
		t->told += e->kind == NATLOG_LOST ? lost : 0;
		if (batch_limit(t) == 0)
			flush(t, m);
		return;
	}
	t->untold += lost;
	t->counters.lost += is_record(t, e);
}

void target_flush(struct target *t, struct moment m)
{
	if (t->held)
		t->retry_at = 0;
	flush(t, m);
}

void target_poll(struct target *t, const char *host, ns wait, struct moment m)
{
	try_open(t, m);
	if (t->held && m.now >= t->retry_at)
		flush(t, m);
	if (t->held)
		return;
	if (m.now >= t->retry_at) {
		refresh_templates(t, m);
		tell_losses(t, m.now_ms, host, m);
	}
	if (t->since && m.now - t->since >= wait)
		flush(t, m);
}

// ---- life ------------------------------------------------------------------------------------

static int make_batch(struct target *t, uint64_t started_ms)
{
	t->room = t->ipfix || t->conf.format == CONF_LOG_IPFIX ? t->conf.mtu : LOST_LINE;
	t->batch = malloc(t->room);
	if (!t->batch)
		return -ENOMEM;
	if (t->conf.format != CONF_LOG_IPFIX)
		return 0;
	t->ipfix = ipfix_create(&(struct ipfix_setup){.domain = t->conf.domain,
		.destinations = t->conf.destinations,
		.started_ms = started_ms,
		.buffer = t->batch,
		.mtu = t->conf.mtu});
	return t->ipfix ? 0 : -ENOMEM;
}

int target_init(struct target *t, const struct conf_log *conf, bool keep, uint64_t started_ms,
	struct moment m)
{
	*t = (struct target){.conf = *conf, .fd = -1, .keep = keep, .sequence = 1};
	int error = make_batch(t, started_ms);
	if (error)
		target_fini(t);
	else
		try_open(t, m);
	return error;
}

void target_fini(struct target *t)
{
	if (t->fd >= 0)
		close(t->fd);
	ipfix_destroy(t->ipfix);
	free(t->batch);
	free(t->line);
	*t = (struct target){.fd = -1};
}

void target_reopen(struct target *t, struct moment m)
{
	if (!is_file(t))
		return;
	target_flush(t, m);
	if (t->fd >= 0)
		close(t->fd);
	t->fd = -1;
	t->retry_at = 0;
	try_open(t, m);
}
