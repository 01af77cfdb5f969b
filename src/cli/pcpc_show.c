// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <jansson.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <time.h>

void pcpc_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pcpc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

// ---- for programs ----------------------------------------------------------------------------

static const char *status_of(enum pcpc_what what)
{
	static const char *const names[] = {
		[PCPC_IS_GRANTED] = "granted",
		[PCPC_IS_CHANGED] = "changed",
		[PCPC_IS_DELETED] = "deleted",
		[PCPC_IS_REMAINS] = "remains",
		[PCPC_IS_REFUSED] = "refused",
		[PCPC_IS_EXPIRED] = "expired",
		[PCPC_IS_ANNOUNCED] = "announced",
		[PCPC_IS_RESTARTED] = "restarted",
		[PCPC_IS_OTHER_VERSION] = "other-version",
		[PCPC_IS_DIALECT] = "dialect",
		[PCPC_IS_GONE] = "gone",
		[PCPC_IS_BACK] = "back",
		[PCPC_IS_LEFT] = "left-open",
	};

	return names[what];
}

static const char *origin_of(const struct pcpc_show *show)
{
	switch (show->origin) {
	case POSTERN_DHCP:
		return "dhcp";
	case POSTERN_ROUTER:
		return "default-router";
	case POSTERN_ANYCAST:
		return "anycast";
	default:
		return show->options->servers_from[0] ? "configuration-file" : "command-line";
	}
}

void pcpc_show_object(struct pcpc_show *show, json_t *object)
{
	char server[PCPC_ENDPOINT_TEXT];

	json_object_set_new(
		object, "server", json_string(pcpc_format_endpoint(&show->server, server)));
	json_object_set_new(object, "found", json_string(origin_of(show)));
	if (show->datagrams) {
		json_object_set_new(object, "datagrams", show->datagrams);
		show->datagrams = NULL;
	}
	json_dumpf(object, stdout, JSON_COMPACT);
	putchar('\n');
	fflush(stdout);
	json_decref(object);
}

json_t *pcpc_json_endpoint(const uint8_t octets[16], uint16_t port)
{
	char text[IP6_TEXT];
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	return json_pack("{s:s, s:i}", "address", ip6_format(ip, text), "port", (int)port);
}

// NAT-PMP's answers name a port only; the library asks for the address, too.
static bool names_port_only(const struct pcpc_show *show, const struct pcpc_result *r)
{
	ip6 ip;

	memcpy(ip.b, r->external.ip, sizeof ip.b);
	return show->dialect == PCP_NATPMP && (ip6_eq(ip, (ip6){0}) || ip6_eq(ip, ip6_mapped(0)));
}

static json_t *external_object(const struct pcpc_show *show, const struct pcpc_result *r)
{
	if (names_port_only(show, r))
		return json_pack("{s:i}", "port", (int)r->external.port);
	return pcpc_json_endpoint(r->external.ip, r->external.port);
}

static void add_mapping(struct pcpc_show *show, json_t *object, const struct pcpc_result *r)
{
	const struct pcpc_options *o = show->options;
	char protocol[4], nonce[25];

	json_object_set_new(
		object, "protocol", json_string(pcpc_protocol_text(r->protocol, protocol)));
	json_object_set_new(object, "internal", pcpc_json_endpoint(show->source, r->internal_port));
	if (r->what == PCPC_IS_GRANTED || r->what == PCPC_IS_CHANGED)
		json_object_set_new(object, "external", external_object(show, r));
	if (o->mapping.peer.port != 0)
		json_object_set_new(object, "peer",
			pcpc_json_endpoint(o->mapping.peer.ip, o->mapping.peer.port));
	pcpc_json_options(show, object);
	if (r->before.port != 0)
		json_object_set_new(
			object, "before", pcpc_json_endpoint(r->before.ip, r->before.port));
	if (show->dialect == PCP_V2 || show->dialect == PCP_V1C)
		json_object_set_new(object, "nonce",
			json_string(pcpc_format_hex(r->nonce, sizeof r->nonce, nonce)));
}

// What a lower version has no words for is refused here, on behalf of the server.
static const char *advice_of(enum pcp_dialect dialect, unsigned result)
{
	bool no_words = result == PCP_UNSUPP_OPTION || result == PCP_UNSUPP_OPCODE ||
			result == PCP_UNSUPP_PROTOCOL;

	if (no_words && dialect == PCP_NATPMP)
		return "NAT-PMP, which is all that this server speaks, knows plain ports of tcp "
		       "and "
		       "udp only: leave out what is more";
	return pcpc_advice(result);
}

static void show_json(struct pcpc_show *show, const struct pcpc_result *r)
{
	char text[IP6_TEXT];
	ip6 external;
	json_t *object = json_pack("{s:s, s:i, s:s, s:I, s:I}", "status", status_of(r->what),
		"result", (int)r->result, "result_name", pcpc_result_name(r->result), "lifetime",
		(json_int_t)r->lifetime_s, "epoch", (json_int_t)r->epoch_s);

	json_object_set_new(object, "version", json_string(pcp_dialect_name(show->dialect)));
	if (r->what == PCPC_IS_GRANTED || r->what == PCPC_IS_CHANGED) {
		json_object_set_new(object, "renewed", json_boolean(r->renewed));
		json_object_set_new(object, "recovered", json_boolean(r->recovered));
	}
	if (r->id >= 0)
		add_mapping(show, object, r);
	if (r->what == PCPC_IS_ANNOUNCED && show->dialect == PCP_NATPMP) {
		memcpy(external.b, r->external.ip, sizeof external.b);
		json_object_set_new(object, "address", json_string(ip6_format(external, text)));
	}
	if (r->result != 0)
		json_object_set_new(
			object, "advice", json_string(advice_of(show->dialect, r->result)));
	if (r->what == PCPC_IS_OTHER_VERSION)
		json_object_set_new(object, "speaks", json_integer(r->version));
	pcpc_show_object(show, object);
}

// ---- for people ------------------------------------------------------------------------------

static const char *version_of(const struct pcpc_show *show)
{
	return show->dialect == PCP_NATPMP ? "NAT-PMP" : "PCP";
}

static const char *dialect_text(enum pcp_dialect dialect)
{
	static const char *const names[PCP_DIALECTS] = {
		[PCP_V2] = "PCP version 2",
		[PCP_NATPMP] = "NAT-PMP",
		[PCP_V1A] = "PCP version 1a",
		[PCP_V1B] = "PCP version 1b",
		[PCP_V1C] = "PCP version 1c",
	};

	return names[dialect];
}

static const char *port_text(uint16_t port, char out[8])
{
	if (port == 0)
		return "all";
	snprintf(out, 8, "%u", port);
	return out;
}

static const char *all_or_protocol(uint8_t protocol, char out[4])
{
	return protocol == 0 ? "all" : pcpc_protocol_text(protocol, out);
}

// With --keep: what this grant is news to.
static void show_news(const struct pcpc_result *r)
{
	char before[PCPC_ENDPOINT_TEXT];

	if (r->recovered)
		printf("open again: ");
	else if (r->renewed && r->what != PCPC_IS_CHANGED)
		printf("renewed: ");
	if (r->what == PCPC_IS_CHANGED && r->before.port != 0)
		printf("the external address changed, it was %s: ",
			pcpc_format_endpoint(&r->before, before));
}

static void show_mapping(struct pcpc_show *show, const char *server, const struct pcpc_result *r)
{
	char external[PCPC_ENDPOINT_TEXT], internal[PCPC_ENDPOINT_TEXT], protocol[4];
	char peer[PCPC_ENDPOINT_TEXT];
	struct postern_endpoint inside = {.port = r->internal_port};

	memcpy(inside.ip, show->source, sizeof inside.ip);
	pcpc_format_endpoint(&r->external, external);
	if (names_port_only(show, r))
		snprintf(external, sizeof external, "external port %u", r->external.port);
	show_news(r);
	printf("%s -> %s %s, lifetime %u s, epoch %u", external,
		pcpc_format_endpoint(&inside, internal), all_or_protocol(r->protocol, protocol),
		r->lifetime_s, r->epoch_s);
	if (show->options->mapping.peer.port != 0)
		printf(", with %s", pcpc_format_endpoint(&show->options->mapping.peer, peer));
	if (show->several)
		printf(", by %s", server);
	putchar('\n');
	pcpc_show_options(show);
}

static void show_refusal(enum pcp_dialect dialect, unsigned result, uint32_t lifetime_s)
{
	fprintf(stderr, "refused: %s (%u)", pcpc_result_name(result), result);
	if (lifetime_s > 0)
		fprintf(stderr, ", and for %u s the answer will be the same", lifetime_s);
	fprintf(stderr, ": %s\n", advice_of(dialect, result));
}

void pcpc_show_refusal(const struct pcp_message *m)
{
	show_refusal((enum pcp_dialect)m->dialect, m->result, m->lifetime_s);
}

static void show_about_mapping(struct pcpc_show *show, const struct pcpc_result *r)
{
	char protocol[4], port[8];

	printf("%s %s ", all_or_protocol(r->protocol, protocol), port_text(r->internal_port, port));
	if (r->what == PCPC_IS_DELETED)
		printf("is closed, epoch %u\n", r->epoch_s);
	else if (r->what == PCPC_IS_REMAINS)
		printf("stays open for %u s more: there was traffic\n", r->lifetime_s);
	else if (r->what == PCPC_IS_LEFT)
		printf("is left open: it ends by itself in %u s\n", r->lifetime_s);
	else
		printf("expired: no renewal was answered\n");
	if (r->what == PCPC_IS_DELETED)
		pcpc_show_options(show);
}

static void show_announced(struct pcpc_show *show, const char *server, const struct pcpc_result *r)
{
	uint32_t s = r->epoch_s;
	char text[IP6_TEXT];
	ip6 external;

	if (r->result != 0) {
		show_refusal(show->dialect, r->result, r->lifetime_s);
		return;
	}
	printf("%s serves %s, epoch %u: its state is %u d %u h %u min %u s old", server,
		dialect_text(show->dialect), s, s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
	if (show->dialect == PCP_NATPMP && !names_port_only(show, r)) {
		memcpy(external.b, r->external.ip, sizeof external.b);
		printf("; external address %s", ip6_format(external, text));
	}
	putchar('\n');
	pcpc_show_options(show);
}

static const char *why_not_natpmp(const struct pcpc_show *show)
{
	unsigned may = show->options->dialects;

	if (may != 0 && (may & POSTERN_NATPMP) == 0)
		return "which was not allowed: leave out --version and --versions";
	return "which is for hosts with a private IPv4 address (RFC 6886): --version nat-pmp asks "
	       "all the same";
}

static void show_version(
	const struct pcpc_show *show, const char *server, const struct pcpc_result *r)
{
	const char *asked = dialect_text(show->dialect);

	if (r->version == 0)
		fprintf(stderr, "%s does not serve %s but NAT-PMP (version 0), %s\n", server, asked,
			why_not_natpmp(show));
	else if (r->version == 1)
		fprintf(stderr,
			"%s does not serve %s but version 1, a draft of PCP; drafts 16 to 24 are "
			"tried unless --version or --versions forbids it: try --version 1a or 1c\n",
			server, asked);
	else
		fprintf(stderr, "%s does not serve %s but version %u\n", server, asked, r->version);
}

static void show_about_server(
	const struct pcpc_show *show, const char *server, const struct pcpc_result *r)
{
	if (r->what == PCPC_IS_RESTARTED)
		printf("%s lost its state, epoch %u: asking again\n", server, r->epoch_s);
	else if (r->what == PCPC_IS_BACK)
		printf("%s answers again\n", server);
	else if (r->what == PCPC_IS_GONE)
		printf("%s does not answer: asking on\n", server);
	else
		fprintf(stderr, "%s is spoken to in %s from now on\n", server,
			dialect_text(show->dialect));
}

static void show_time(void)
{
	time_t now = time(NULL);
	char text[16];
	struct tm tm;

	localtime_r(&now, &tm);
	strftime(text, sizeof text, "%H:%M:%S ", &tm);
	fputs(text, stdout);
}

static void show_text(struct pcpc_show *show, const struct pcpc_result *r)
{
	char server[PCPC_ENDPOINT_TEXT];

	pcpc_format_endpoint(&show->server, server);
	if (show->timed && r->what != PCPC_IS_REFUSED && r->what != PCPC_IS_DIALECT &&
		r->what != PCPC_IS_OTHER_VERSION)
		show_time();
	switch (r->what) {
	case PCPC_IS_GRANTED:
	case PCPC_IS_CHANGED:
		show_mapping(show, server, r);
		break;
	case PCPC_IS_DELETED:
	case PCPC_IS_REMAINS:
	case PCPC_IS_LEFT:
	case PCPC_IS_EXPIRED:
		show_about_mapping(show, r);
		break;
	case PCPC_IS_REFUSED:
		show_refusal(show->dialect, r->result, r->lifetime_s);
		break;
	case PCPC_IS_ANNOUNCED:
		show_announced(show, server, r);
		break;
	case PCPC_IS_RESTARTED:
	case PCPC_IS_DIALECT:
	case PCPC_IS_GONE:
	case PCPC_IS_BACK:
		show_about_server(show, server, r);
		break;
	case PCPC_IS_OTHER_VERSION:
		show_version(show, server, r);
		break;
	}
	fflush(stdout);
}

void pcpc_show_result(struct pcpc_show *show, const struct pcpc_result *r)
{
	if (show->options->json)
		show_json(show, r);
	else
		show_text(show, r);
}

void pcpc_show_silence(struct pcpc_show *show, bool unreachable)
{
	char server[PCPC_ENDPOINT_TEXT];

	if (show->options->json) {
		pcpc_show_object(show, json_pack("{s:s, s:b}", "status", "no-answer", "unreachable",
					       (int)unreachable));
		return;
	}
	pcpc_format_endpoint(&show->server, server);
	if (unreachable)
		pcpc_complain("no answer from %s: it says that nothing listens there (ICMP "
			      "unreachable)",
			server);
	else if (show->origin == POSTERN_ROUTER)
		pcpc_complain("no answer from %s: routers often have PCP and NAT-PMP switched off: "
			      "look at its settings, or name another server with --server",
			server);
	else
		pcpc_complain("no answer from %s: no %s server there, or it is not allowed to "
			      "answer",
			server, version_of(show));
}

static void asking(const struct pcpc_show *show, const char *server)
{
	char name[IF_NAMESIZE] = "?";

	if (show->interface != 0)
		if_indextoname(show->interface, name);
	if (show->origin == POSTERN_ROUTER)
		pcpc_complain("asking %s, the default router on %s", server, name);
	else if (show->origin == POSTERN_DHCP)
		pcpc_complain("asking %s, which DHCP named", server);
	else if (show->options->servers_from[0])
		pcpc_complain("asking %s, which %s names", server, show->options->servers_from);
	else
		pcpc_complain("asking %s, which --server names", server);
}

void pcpc_show_asking(const struct pcpc_show *show)
{
	char server[PCPC_ENDPOINT_TEXT];

	if (!show->options->json)
		asking(show, pcpc_format_endpoint(&show->server, server));
}

// ---- what only NAT-PMP can say ---------------------------------------------------------------

void pcpc_show_address(struct pcpc_show *show, const struct pcp_message *m)
{
	char text[IP6_TEXT];

	ip6_format(m->external_ip, text);
	if (!show->options->json) {
		printf("%s, epoch %u\n", text, m->epoch_s);
		fflush(stdout);
		return;
	}
	pcpc_show_object(show, json_pack("{s:s, s:i, s:s, s:I, s:s}", "status", "address", "result",
				       (int)m->result, "result_name", pcpc_result_name(m->result),
				       "epoch", (json_int_t)m->epoch_s, "address", text));
}
