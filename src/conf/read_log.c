// SPDX-License-Identifier: Apache-2.0
// `log`: where the NAT's events go (RFC 8158), and how.
#include <stdio.h>

#include "draft.h"
#include "leaf.h"

enum {
	IPFIX_PORT = 4739,
	SYSLOG_PORT = 514,
	MTU = 1400,
	MTU_LEAST = 512, // RFC 7011 s.10.3.3: what is sent while the path's is not known
	MTU_MOST = 65507,
	TEMPLATES = 600,
	INTERIM_LEAST = 60,
	WAIT_MOST_MS = 10000
};

static const char *const format_words[] = {
	[CONF_LOG_IPFIX] = "ipfix", [CONF_LOG_SYSLOG] = "syslog", [CONF_LOG_JSON] = "json"};

struct said_log {
	struct conf_log log;
	const struct node *format_at, *file_at, *host_at, *source_at;
};

// ---- one target ------------------------------------------------------------------------------

static void read_format(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_log *s = out;
	size_t i = field_word(d, at, format_words, ARRAY_SIZE(format_words));

	(void)f;
	s->format_at = at;
	if (i < ARRAY_SIZE(format_words))
		s->log.format = (uint8_t)i;
}

static void read_file(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_log *s = out;

	(void)f;
	s->file_at = at;
	field_path(d, at, s->log.file, sizeof s->log.file);
}

static void read_address(struct draft *d, const struct node *at, char *out, size_t size)
{
	ip4 four;
	ip6 six;

	// A name could change its meaning, and asking for it could make the log wait.
	if (at->kind == NODE_SCALAR && (ip4_parse(at->text, &four) || ip6_parse(at->text, &six)))
		snprintf(out, size, "%s", at->text);
	else
		complain(&d->critic, at, "an address such as 192.0.2.1 or 2001:db8::1");
}

static void read_host(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_log *s = out;

	(void)f;
	s->host_at = at;
	read_address(d, at, s->log.host, sizeof s->log.host);
}

static void read_source(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	struct said_log *s = out;

	(void)f;
	s->source_at = at;
	read_address(d, at, s->log.source, sizeof s->log.source);
}

// Leaves that mean nothing here would look as if they did.
static void check_needless(struct draft *d, const struct node *at, const struct said_log *s)
{
	static const struct {
		const char *name;
		bool ipfix; // only there; else: wherever it goes by UDP
	} leaves[] = {{"port", false}, {"source", false}, {"mtu", false},
		{"template-refresh", true}, {"domain", true}};

	for (unsigned i = 0; i < ARRAY_SIZE(leaves); i++) {
		const struct node *leaf = tree_find(at, leaves[i].name);
		if (!leaf)
			continue;
		if (leaves[i].ipfix && s->log.format != CONF_LOG_IPFIX)
			complain_name(&d->critic, leaf, "this of an ipfix target only");
		else if (!leaves[i].ipfix && s->file_at)
			complain_name(&d->critic, leaf, "this of a target with a host only");
	}
}

static void check_target(struct draft *d, const struct node *at, struct said_log *s)
{
	struct conf_log *log = &s->log;

	if (!s->format_at)
		complain_found(&d->critic, at, "no format", "format: ipfix, syslog or json");
	else if (!s->host_at && (!s->file_at || log->format == CONF_LOG_IPFIX))
		complain_found(&d->critic, at, "no host",
			log->format == CONF_LOG_IPFIX ? "the address of a collector"
						      : "host: an address, or file: a path");
	else if (s->host_at && s->file_at)
		complain_found(&d->critic, at, "both a host and a file", "one of them");
	else
		check_needless(d, at, s);
	if (s->source_at && s->host_at && log->host[0] && log->source[0] &&
		!strchr(log->host, ':') != !strchr(log->source, ':'))
		complain(&d->critic, s->source_at, "an address of the host's IP version");
	if (log->port == 0 && s->host_at && s->format_at && !tree_find(at, "port")) {
		log->port = log->format == CONF_LOG_IPFIX ? IPFIX_PORT : SYSLOG_PORT;
		if (log->format == CONF_LOG_JSON)
			complain_found(&d->critic, at, "no port", "the port of the json receiver");
	}
}

static bool is_same_target(const struct conf_log *a, const struct conf_log *b)
{
	if (a->file[0] || b->file[0])
		return !strcmp(a->file, b->file);
	return !strcmp(a->host, b->host) && a->port == b->port;
}

static void read_target(struct draft *d, const struct node *at, struct conf *c)
{
#define LOG(member) offsetof(struct said_log, log.member)
	static const struct field fields[] = {
		{"format", read_format, 0, 0, 0},
		{"file", read_file, 0, 0, 0},
		{"host", read_host, 0, 0, 0},
		{"port", read_u16_count, LOG(port), 1, UINT16_MAX},
		{"source", read_source, 0, 0, 0},
		{"mtu", read_u16_count, LOG(mtu), MTU_LEAST, MTU_MOST},
		{"template-refresh", read_u32_seconds, LOG(templates_s), 1, 86400},
		{"domain", read_u32_count, LOG(domain), 0, UINT32_MAX},
		{"destinations", read_bool, LOG(destinations), 0, 0},
	};
#undef LOG
	struct said_log s = {.log = {.mtu = MTU, .templates_s = TEMPLATES, .domain = 1}};
	uint32_t before = d->critic.n;

	fields_read(d, at, fields, ARRAY_SIZE(fields), &s);
	if (d->critic.n == before)
		check_target(d, at, &s);
	if (d->critic.n > before)
		return;
	for (uint16_t i = 0; i < c->n_logs; i++) {
		if (is_same_target(&c->logs[i], &s.log)) {
			complain_found(&d->critic, at, "a target that stands there already",
				"each target once");
			return;
		}
	}
	c->logs[c->n_logs++] = s.log;
}

static void read_targets(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	if (!field_list(d, at, CONF_MAX_LOGS,
		    "a list of targets such as {format: ipfix, host: 192.0.2.9}"))
		return;
	for (const struct node *item = at->first; item; item = item->next)
		read_target(d, item, out);
}

// ---- the whole -------------------------------------------------------------------------------

static void read_interim(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	if (at->kind == NODE_SCALAR && !strcmp(at->text, "0"))
		*(uint32_t *)out = 0;
	else
		read_u32_seconds(d, at, f, out);
}

static void read_wait(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	(void)f;
	if (at->kind == NODE_SCALAR && leaf_millis(at->text, &n) && n <= WAIT_MOST_MS)
		*(uint32_t *)out = (uint32_t)n;
	else
		complain(&d->critic, at, "a time from 0 to 10s, such as 300ms");
}

static void read_history(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	field_path(d, at, out, sizeof d->c->log_history);
}

static void check_files(struct draft *d, const struct node *at)
{
	const struct conf *c = d->c;

	for (uint16_t i = 0; i < c->n_logs; i++) {
		if (c->log_history[0] && !strcmp(c->logs[i].file, c->log_history))
			complain(&d->critic, tree_find(at, "history"),
				"a file of its own: a target writes there");
	}
}

void read_log(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"targets", read_targets, 0, 0, 0},
		{"interim", read_interim, offsetof(struct conf, log_interim_s), INTERIM_LEAST,
			7 * 86400},
		{"max-wait", read_wait, offsetof(struct conf, log_wait_ms), 0, 0},
		{"fail-closed", read_bool, offsetof(struct conf, log_fail_closed), 0, 0},
		{"history", read_history, offsetof(struct conf, log_history), 0, 0},
	};
	uint32_t before = d->critic.n;

	(void)f;
	(void)out;
	fields_read(d, at, fields, ARRAY_SIZE(fields), d->c);
	if (d->critic.n > before)
		return;
	check_files(d, at);
	if (d->c->log_fail_closed && d->c->n_logs == 0)
		complain(&d->critic, tree_find(at, "fail-closed"),
			"targets beside it: nothing is written anywhere");
}
