// SPDX-License-Identifier: Apache-2.0
// A request names a command, what it is about, and members that command knows; anything else is
// refused by name, so that a misspelt filter never shows (or clears) more than was meant.
#include "request.h"

#include <postern/natlog.h>

#include <stdarg.h>
#include <stdio.h>

enum member {
	MEMBER_FILTER = 1 << 0,
	MEMBER_KEY = 1 << 1,
	MEMBER_PAGE = 1 << 2, // limit, cursor
	MEMBER_FILE = 1 << 3, // file, text
	MEMBER_TOP = 1 << 4,  // limit of a top list
	MEMBER_DETAIL = 1 << 5,
};

enum field {
	FIELD_SUBSCRIBER = 1 << 0,
	FIELD_EXTERNAL = 1 << 1,
	FIELD_PROTOCOL = 1 << 2,
	FIELD_PORT = 1 << 3,
	FIELD_GROUP = 1 << 4,
	FIELD_KIND = 1 << 5,
	FIELD_REALM = 1 << 6,
	FIELD_NONZERO = 1 << 7,
	FIELD_LIFETIME = 1 << 8,
	FIELD_DESCRIPTION = 1 << 9,
	FIELD_AT = 1 << 10,
};

enum { // which internal endpoint
	FIELDS_ENDPOINT = FIELD_SUBSCRIBER | FIELD_PROTOCOL | FIELD_PORT
};

static const struct verb {
	const char *command, *what;
	unsigned members, fields;
	unsigned required; // fields that must be there
} verbs[REQUEST_KINDS] = {
	[REQUEST_SHOW_VERSION] = {"show", "version", 0, 0, 0},
	[REQUEST_SHOW_STATUS] = {"show", "status", 0, 0, 0},
	[REQUEST_SHOW_PORTS] = {"show", "ports", 0, 0, 0},
	[REQUEST_SHOW_WORKERS] = {"show", "workers", 0, 0, 0},
	[REQUEST_SHOW_GROUPS] = {"show", "groups", 0, 0, 0},
	[REQUEST_SHOW_SUBSCRIBERS] = {"show", "subscribers", MEMBER_FILTER | MEMBER_PAGE,
		FIELD_SUBSCRIBER | FIELD_GROUP | FIELD_REALM, 0},
	[REQUEST_SHOW_MAPPINGS] = {"show", "mappings", MEMBER_FILTER | MEMBER_PAGE | MEMBER_DETAIL,
		FIELDS_ENDPOINT | FIELD_EXTERNAL | FIELD_GROUP | FIELD_KIND | FIELD_REALM, 0},
	[REQUEST_SHOW_LEASES] = {"show", "leases", MEMBER_FILTER | MEMBER_PAGE,
		FIELD_SUBSCRIBER | FIELD_REALM, FIELD_SUBSCRIBER},
	[REQUEST_SHOW_CLIENTS] = {"show", "pcp-clients", MEMBER_FILTER | MEMBER_TOP,
		FIELD_SUBSCRIBER | FIELD_GROUP | FIELD_REALM, 0},
	[REQUEST_SHOW_PCP] = {"show", "pcp", MEMBER_FILTER, FIELD_GROUP, 0},
	[REQUEST_SHOW_COUNTERS] = {"show", "counters", MEMBER_FILTER, FIELD_NONZERO, 0},
	[REQUEST_SHOW_NEIGHBOURS] = {"show", "neighbours", MEMBER_PAGE, 0, 0},
	[REQUEST_SHOW_SESSIONS] = {"show", "sessions", MEMBER_FILTER | MEMBER_PAGE,
		FIELDS_ENDPOINT | FIELD_REALM, FIELD_SUBSCRIBER},
	[REQUEST_SHOW_POOLS] = {"show", "pools", MEMBER_FILTER, FIELD_GROUP, 0},
	[REQUEST_SHOW_LOG] = {"show", "log", 0, 0, 0},
	[REQUEST_TRACE] = {"trace", "port", MEMBER_KEY, FIELD_EXTERNAL | FIELD_PROTOCOL | FIELD_AT,
		FIELD_EXTERNAL},
	[REQUEST_ADD_MAPPING] = {"add", "mapping", MEMBER_KEY,
		FIELDS_ENDPOINT | FIELD_EXTERNAL | FIELD_REALM | FIELD_LIFETIME | FIELD_DESCRIPTION,
		FIELDS_ENDPOINT},
	[REQUEST_ADD_STATIC] = {"add", "static", MEMBER_KEY,
		FIELDS_ENDPOINT | FIELD_EXTERNAL | FIELD_REALM, FIELDS_ENDPOINT | FIELD_EXTERNAL},
	[REQUEST_DELETE_MAPPING] = {"delete", "mapping", MEMBER_KEY, FIELDS_ENDPOINT | FIELD_REALM,
		FIELDS_ENDPOINT},
	[REQUEST_CLEAR_SUBSCRIBER] = {"clear", "subscriber", MEMBER_KEY,
		FIELD_SUBSCRIBER | FIELD_REALM, FIELD_SUBSCRIBER},
	[REQUEST_CLEAR_GROUP] = {"clear", "group", MEMBER_KEY, FIELD_GROUP, FIELD_GROUP},
	[REQUEST_RESET_EPOCH] = {"reset", "epoch", MEMBER_KEY, FIELD_GROUP, FIELD_GROUP},
	[REQUEST_CONFIG_CHECK] = {"config", "check", MEMBER_FILE, 0, 0},
	[REQUEST_CONFIG_APPLY] = {"config", "apply", MEMBER_FILE, 0, 0},
	[REQUEST_CONFIG_SHOW] = {"config", "show", 0, 0, 0},
};

static const char *const protocols[] = {[NAT_UDP] = "udp", [NAT_TCP] = "tcp", [NAT_ICMP] = "icmp"};

static const char *const kinds[] = {[NAT_ABSENT] = "absent",
	[NAT_IMPLICIT] = "dynamic-implicit",
	[NAT_EXPLICIT] = "dynamic-explicit",
	[NAT_STATIC] = "static",
	[NAT_RESTING] = "resting",
	[NAT_PEER] = "peer"};

void request_refuse(struct refusal *why, const char *code, const char *format, ...)
{
	va_list args;

	why->code = code;
	va_start(args, format);
	vsnprintf(why->message, sizeof why->message, format, args);
	va_end(args);
}

const char *request_protocol_name(unsigned protocol)
{
	bool known = protocol < ARRAY_SIZE(protocols) && protocols[protocol];

	return known ? protocols[protocol] : "unknown";
}

const char *request_kind_name(unsigned nat_kind)
{
	return nat_kind < ARRAY_SIZE(kinds) ? kinds[nat_kind] : "unknown";
}

static bool refuse(struct refusal *why, const char *name, const char *wanted)
{
	request_refuse(why, "bad-request", "\"%.64s\" must be %s", name, wanted);
	return false;
}

// "a.b.c.d", or "a.b.c.d:port" where a port may follow.
static bool parse_endpoint(const char *text, ip4 *address, uint16_t *port, bool *has_port)
{
	char copy[IP4_TEXT + 6];
	size_t length = strlen(text);
	unsigned value = 0;

	if (length >= sizeof copy)
		return false;
	memcpy(copy, text, length + 1);
	char *colon = strchr(copy, ':');
	if (colon) {
		*colon++ = '\0';
		if (!*colon)
			return false;
		for (; *colon; colon++) {
			if (*colon < '0' || *colon > '9')
				return false;
			value = value * 10 + (unsigned)(*colon - '0');
		}
		if (value > UINT16_MAX)
			return false;
		*port = (uint16_t)value;
		*has_port = true;
	}
	return ip4_parse(copy, address) && *address != 0;
}

static bool read_subscriber(struct request_filter *f, const json_t *value)
{
	const char *text = json_string_value(value);

	return text && ip4_parse(text, &f->subscriber) && f->subscriber != 0;
}

static bool read_external(struct request_filter *f, const json_t *value)
{
	const char *text = json_string_value(value);

	return text && parse_endpoint(text, &f->external, &f->external_port, &f->has_external_port);
}

static bool read_protocol(struct request_filter *f, const json_t *value)
{
	const char *text = json_string_value(value);

	for (uint8_t i = NAT_UDP; text && i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(text, protocols[i]) == 0)
			f->protocol = i;
	}
	return f->protocol != 0;
}

static bool read_port(struct request_filter *f, const json_t *value)
{
	json_int_t port = json_is_integer(value) ? json_integer_value(value) : -1;

	f->port = (uint16_t)port;
	f->has_port = true;
	return port >= 0 && port <= UINT16_MAX;
}

// "explicit" and "implicit" are understood too: nobody types "dynamic-" twice.
static bool read_kind(struct request_filter *f, const json_t *value)
{
	const char *text = json_string_value(value);

	for (unsigned i = NAT_IMPLICIT; text && i < ARRAY_SIZE(kinds); i++) {
		const char *dash = strchr(kinds[i], '-');
		if (strcmp(text, kinds[i]) == 0 || (dash && strcmp(text, dash + 1) == 0))
			f->kinds |= (uint8_t)(1u << i);
	}
	return f->kinds != 0;
}

static bool read_group(struct request_filter *f, const json_t *value)
{
	f->group = json_string_value(value);
	return f->group != NULL;
}

static bool read_realm(struct request_filter *f, const json_t *value)
{
	f->realm = json_string_value(value);
	return f->realm != NULL;
}

static bool read_nonzero(struct request_filter *f, const json_t *value)
{
	f->nonzero = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_lifetime(struct request_filter *f, const json_t *value)
{
	json_int_t seconds = json_is_integer(value) ? json_integer_value(value) : 0;

	f->lifetime_s = (uint32_t)seconds;
	return seconds >= 1 && seconds <= REQUEST_LIFETIME_MAX;
}

static bool read_description(struct request_filter *f, const json_t *value)
{
	f->description = json_string_value(value);
	f->description_length = json_string_length(value);
	return f->description && f->description_length <= NAT_DESCRIPTION;
}

// Milliseconds since 1970, or text.
static bool read_at(struct request_filter *f, const json_t *value)
{
	const char *text = json_string_value(value);

	if (text)
		return natlog_time_parse(text, &f->at_ms) && f->at_ms > 0;
	f->at_ms = json_integer_value(value) > 0 ? (uint64_t)json_integer_value(value) : 0;
	return f->at_ms > 0;
}

static const struct field_reader {
	const char *name;
	unsigned field;
	bool (*read)(struct request_filter *f, const json_t *value);
	const char *wanted;
} readers[] = {
	{"subscriber", FIELD_SUBSCRIBER, read_subscriber, "an IPv4 address"},
	{"external", FIELD_EXTERNAL, read_external, "an IPv4 address, or one with :PORT"},
	{"protocol", FIELD_PROTOCOL, read_protocol, "\"udp\", \"tcp\" or \"icmp\""},
	{"port", FIELD_PORT, read_port, "a number from 0 to 65535"},
	{"group", FIELD_GROUP, read_group, "the name of a NAT group"},
	{"kind", FIELD_KIND, read_kind,
		"\"dynamic-implicit\", \"dynamic-explicit\", \"peer\", \"static\" or \"resting\""},
	{"realm", FIELD_REALM, read_realm, "the name of an inside interface"},
	{"nonzero", FIELD_NONZERO, read_nonzero, "true or false"},
	{"lifetime", FIELD_LIFETIME, read_lifetime, "a number of seconds from 1 to 31536000"},
	{"description", FIELD_DESCRIPTION, read_description, "a text of at most 128 octets"},
	{"at", FIELD_AT, read_at,
		"a time, \"2026-07-01T12:00:00Z\", or a number of milliseconds since 1970"},
};

static const struct field_reader *find_reader(const char *name, unsigned allowed)
{
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		if ((readers[i].field & allowed) && strcmp(name, readers[i].name) == 0)
			return &readers[i];
	}
	return NULL;
}

static bool read_filter(
	struct request *r, json_t *object, const struct verb *verb, struct refusal *why)
{
	unsigned seen = 0;
	const char *name;
	json_t *value;

	if (!json_is_object(object))
		return refuse(why, verb->members & MEMBER_KEY ? "key" : "filter", "an object");
	json_object_foreach(object, name, value)
	{
		const struct field_reader *reader = find_reader(name, verb->fields);
		if (!reader) {
			request_refuse(why, "bad-request", "\"%s %s\" knows no \"%.64s\"",
				verb->command, verb->what, name);
			return false;
		}
		if (!reader->read(&r->filter, value))
			return refuse(why, name, reader->wanted);
		seen |= reader->field;
	}
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++) {
		if (verb->required & ~seen & readers[i].field)
			return refuse(why, readers[i].name, "given");
	}
	return true;
}

static bool read_limit(struct request *r, const json_t *value)
{
	json_int_t limit = json_is_integer(value) ? json_integer_value(value) : 0;

	r->limit = (uint32_t)limit;
	return limit >= 1 && limit <= REQUEST_LIMIT_MAX;
}

static bool read_top(struct request *r, const json_t *value)
{
	return read_limit(r, value) && r->limit <= REQUEST_TOP_MAX;
}

static bool read_detail(struct request *r, const json_t *value)
{
	r->detail = json_is_true(value);
	return json_is_boolean(value);
}

static bool read_cursor(struct request *r, const json_t *value)
{
	const char *text = json_string_value(value);
	int end = 0;

	return text && strlen(text) < 20 &&
	       sscanf(text, "%hu:%u%n", &r->shard, &r->cursor, &end) == 2 && !text[end];
}

static bool read_file(struct request *r, const json_t *value)
{
	r->file = json_string_value(value);
	return r->file && r->file[0] == '/';
}

static bool read_text(struct request *r, const json_t *value)
{
	r->text = json_string_value(value);
	r->text_length = json_string_length(value);
	return r->text != NULL;
}

static const struct member_reader {
	const char *name;
	unsigned member;
	bool (*read)(struct request *r, const json_t *value);
	const char *wanted;
} members[] = {
	{"limit", MEMBER_PAGE, read_limit, "a number from 1 to 10000"},
	{"limit", MEMBER_TOP, read_top, "a number from 1 to 1000"},
	{"cursor", MEMBER_PAGE, read_cursor, "the cursor of the page before"},
	{"detail", MEMBER_DETAIL, read_detail, "true or false"},
	{"file", MEMBER_FILE, read_file, "an absolute path"},
	{"text", MEMBER_FILE, read_text, "a configuration"},
};

static bool read_member(struct request *r, const char *name, json_t *value, const struct verb *verb,
	struct refusal *why)
{
	bool key = verb->members & MEMBER_KEY;

	if (strcmp(name, "cmd") == 0 || strcmp(name, "what") == 0)
		return true;
	if (verb->members & (MEMBER_KEY | MEMBER_FILTER) && !strcmp(name, key ? "key" : "filter"))
		return read_filter(r, value, verb, why);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		if (!(verb->members & members[i].member) || strcmp(name, members[i].name) != 0)
			continue;
		return members[i].read(r, value) || refuse(why, name, members[i].wanted);
	}
	request_refuse(why, "bad-request", "\"%s %s\" knows no \"%.64s\"", verb->command,
		verb->what, name);
	return false;
}

static const struct verb *find_verb(const json_t *json, struct refusal *why)
{
	const char *command = json_string_value(json_object_get(json, "cmd"));
	const char *what = json_string_value(json_object_get(json, "what"));

	if (!command || !what) {
		request_refuse(
			why, "bad-request", "a request is an object with \"cmd\" and \"what\"");
		return NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(command, verbs[i].command) && !strcmp(what, verbs[i].what))
			return &verbs[i];
	}
	request_refuse(why, "bad-request", "unknown command \"%.32s %.32s\"", command, what);
	return NULL;
}

static bool read_members(struct request *r, const struct verb *verb, struct refusal *why)
{
	const char *name;
	json_t *value;

	json_object_foreach(r->json, name, value)
	{
		if (!read_member(r, name, value, verb, why))
			return false;
	}
	const char *object = verb->members & MEMBER_KEY ? "key" : "filter";
	if (verb->required && !json_object_get(r->json, object))
		return refuse(why, object, "given");
	return true;
}

bool request_parse(const char *line, size_t length, struct request *out, struct refusal *why)
{
	json_error_t error;

	*out = (struct request){.limit = REQUEST_LIMIT};
	out->json = json_loadb(line, length, JSON_REJECT_DUPLICATES, &error);
	if (!out->json) {
		request_refuse(why, "bad-json", "not a line of JSON: %s (at octet %d)", error.text,
			error.position);
		return false;
	}
	const struct verb *verb = find_verb(out->json, why);
	if (verb && (verb->members & MEMBER_TOP))
		out->limit = REQUEST_TOP;
	bool right = verb && read_members(out, verb, why);
	if (right && length > REQUEST_LINE && !out->text) {
		request_refuse(
			why, "too-long", "a request line has at most %d octets", REQUEST_LINE);
		right = false;
	}
	if (!right) {
		request_fini(out);
		return false;
	}
	out->kind = (enum request_kind)(verb - verbs);
	return true;
}

void request_fini(struct request *r)
{
	json_decref(r->json);
	r->json = NULL;
}
