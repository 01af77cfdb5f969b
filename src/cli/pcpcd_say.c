// SPDX-License-Identifier: Apache-2.0
// What became of a port, in words: one line for each change, none for what stays as it is.
#include "pcpcd.h"

#include "pcpc.h"

#include <stdarg.h>
#include <stdio.h>

// Advice names settings of the agent's file.
const char *pcpcd_advice(unsigned result)
{
	static const char *const advice[] = {
		[PCP_UNSUPP_VERSION] =
			"the server speaks none of the allowed versions: allow more in `versions`",
		[PCP_NOT_AUTHORIZED] =
			"the operator does not allow it, or the port belongs to somebody who asked "
			"with another nonce: take another internal-port, or wait until his lease "
			"ends",
		[PCP_MALFORMED_REQUEST] =
			"the server could not read the request: try without `description` and "
			"`filters`",
		[PCP_UNSUPP_OPCODE] = "the server does not open ports",
		[PCP_UNSUPP_OPTION] =
			"the server does not serve an option of the request: try without "
			"`prefer-failure` and `filters`",
		[PCP_MALFORMED_OPTION] =
			"the server could not read an option: try without `description` and "
			"`filters`",
		[PCP_NETWORK_FAILURE] =
			"the NAT has no external address or no connection at the moment; it is "
			"asked again by itself",
		[PCP_NO_RESOURCES] =
			"the NAT is out of ports or memory at the moment; it is asked again by "
			"itself",
		[PCP_UNSUPP_PROTOCOL] = "the NAT does not map this protocol",
		[PCP_USER_EX_QUOTA] =
			"you have as many mappings as the operator allows: take ports out of the "
			"file",
		[PCP_CANNOT_PROVIDE_EXTERNAL] =
			"that external port cannot be had: take another external-port, or leave "
			"out `prefer-failure`",
		[PCP_ADDRESS_MISMATCH] =
			"there is another NAT between this host and the server: name the nearer "
			"one in `servers`",
		[PCP_EXCESSIVE_REMOTE_PEERS] =
			"too many `filters` for one mapping: use wider prefixes",
	};

	if (result < ARRAY_SIZE(advice) && advice[result])
		return advice[result];
	return "a code that this program does not know: ask the operator of the NAT";
}

static char *endpoint_format(const struct postern_endpoint *e, char out[PCPCD_SERVER_TEXT])
{
	char text[IP6_TEXT];
	ip6 ip;

	memcpy(ip.b, e->ip, sizeof ip.b);
	snprintf(out, PCPCD_SERVER_TEXT, ip6_is_mapped(ip) ? "%s:%u" : "[%s]:%u",
		ip6_format(ip, text), e->port);
	return out;
}

char *pcpcd_server_format(const struct postern_server_fact *server, char out[PCPCD_SERVER_TEXT])
{
	return endpoint_format(&server->server.addresses[server->address], out);
}

__attribute__((format(printf, 3, 4))) static bool put(
	struct pcpcd_line *out, enum log_level level, const char *format, ...)
{
	va_list arguments;

	out->level = level;
	va_start(arguments, format);
	vsnprintf(out->text, sizeof out->text, format, arguments);
	va_end(arguments);
	return true;
}

// "web (tcp 8080)"
static char *subject(const struct pcpcd_want *w, char out[PCPCD_NAME + 16])
{
	char protocol[4];

	snprintf(out, PCPCD_NAME + 16, "%s (%s %u)", w->name,
		pcpc_protocol_text(w->protocol, protocol), w->internal_port);
	return out;
}

static bool same_external(const struct postern_endpoint *a, const struct postern_endpoint *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

static bool say_open(struct pcpcd_told *told, const struct postern_event *e, const char *what,
	const char *server, struct pcpcd_line *out)
{
	char is[PCPCD_SERVER_TEXT], was[PCPCD_SERVER_TEXT];
	struct pcpcd_told before = *told;

	told->open = true;
	told->result = 0;
	told->external = e->external;
	endpoint_format(&e->external, is);
	if (before.external.port != 0 && !same_external(&before.external, &e->external))
		return put(out, LOG_LEVEL_WARN,
			"%s: the external address changed: open at %s now, "
			"instead of %s (server %s)",
			what, is, endpoint_format(&before.external, was), server);
	if (before.open)
		return false; // renewed
	return put(out, LOG_LEVEL_NOTICE, "%s: open at %s for %u s (server %s)", what, is,
		e->lifetime_s, server);
}

static bool say_refused(struct pcpcd_told *told, const struct postern_event *e, const char *what,
	const char *server, struct pcpcd_line *out)
{
	bool again = told->result == e->result;

	told->result = e->result;
	if (again)
		return false;
	return put(out, LOG_LEVEL_WARN, "%s: refused by %s for %u s: %s (%u): %s", what, server,
		e->lifetime_s, postern_result_name(e->result), e->result, pcpcd_advice(e->result));
}

static bool say_about_mapping(struct pcpcd_told *told, const struct postern_event *e,
	const struct pcpcd_want *want, const char *server, struct pcpcd_line *out)
{
	char what[PCPCD_NAME + 16];

	subject(want, what);
	switch (e->what) {
	case POSTERN_MAPPED:
	case POSTERN_CHANGED:
		return say_open(told, e, what, server, out);
	case POSTERN_REFUSED:
		return say_refused(told, e, what, server, out);
	case POSTERN_LOST:
		if (!told->open)
			return false;
		told->open = false;
		return put(out, LOG_LEVEL_WARN,
			"%s: lost at %s: not renewed in time, or the server went; asking again",
			what, server);
	case POSTERN_DELETED:
		told->open = false;
		return put(out, LOG_LEVEL_NOTICE, "%s: closed (server %s)", what, server);
	case POSTERN_REMAINS:
		told->open = false;
		return put(out, LOG_LEVEL_NOTICE,
			"%s: given back, but %s keeps it for %u s more: there was traffic", what,
			server, e->lifetime_s);
	default:
		return false;
	}
}

static const char *dialect_name(uint8_t dialect)
{
	if (dialect == POSTERN_NATPMP)
		return "NAT-PMP";
	return dialect == POSTERN_V1 ? "version 1 of PCP" : "version 2 of PCP";
}

static bool say_about_server(
	const struct postern_event *e, const char *server, struct pcpcd_line *out)
{
	switch (e->what) {
	case POSTERN_RESTARTED:
		return put(out, LOG_LEVEL_WARN,
			"server %s lost its state: asking for every port again", server);
	case POSTERN_DIALECT:
		return put(out, LOG_LEVEL_NOTICE, "server %s is spoken to in %s from now on",
			server, dialect_name(e->dialect));
	case POSTERN_INNER_NAT:
		return put(out, LOG_LEVEL_WARN, "server %s: %s", server,
			pcpcd_advice(PCP_ADDRESS_MISMATCH));
	case POSTERN_SERVER_GONE:
		return put(out, LOG_LEVEL_WARN,
			"server %s does not answer: is it there, and does it serve PCP? It is "
			"asked again and again",
			server);
	case POSTERN_SERVER_BACK:
		return put(out, LOG_LEVEL_NOTICE, "server %s answers again", server);
	default:
		return false;
	}
}

bool pcpcd_say(struct pcpcd_told *told, const struct postern_event *event,
	const struct pcpcd_want *want, const char *server, struct pcpcd_line *out)
{
	if (want)
		return say_about_mapping(told, event, want, server, out);
	return say_about_server(event, server, out);
}
