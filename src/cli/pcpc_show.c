// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

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

static const char *status_of(enum postern_what what)
{
	static const char *const names[] = {
		[POSTERN_GRANTED] = "granted",
		[POSTERN_CHANGED] = "changed",
		[POSTERN_DELETED] = "deleted",
		[POSTERN_REMAINS] = "remains",
		[POSTERN_REFUSED] = "refused",
		[POSTERN_EXPIRED] = "expired",
		[POSTERN_ANNOUNCED] = "announced",
		[POSTERN_RESTARTED] = "restarted",
		[POSTERN_OTHER_VERSION] = "other-version",
		[POSTERN_UNREACHABLE] = "unreachable",
	};

	return names[what];
}

void pcpc_show_object(struct pcpc_show *show, json_t *object)
{
	char server[PCPC_ENDPOINT_TEXT];

	json_object_set_new(
		object, "server", json_string(pcpc_format_endpoint(&show->server, server)));
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

// NAT-PMP's answers name a port only.
static json_t *external_object(const struct pcpc_show *show, const struct postern_result *r)
{
	if (show->options->dialect == PCP_NATPMP)
		return json_pack("{s:i}", "port", (int)r->external.port);
	return pcpc_json_endpoint(r->external.ip, r->external.port);
}

static void add_mapping(struct pcpc_show *show, json_t *object, const struct postern_result *r)
{
	const struct pcpc_options *o = show->options;
	char protocol[4], nonce[25];

	json_object_set_new(
		object, "protocol", json_string(pcpc_protocol_text(r->protocol, protocol)));
	json_object_set_new(object, "internal", pcpc_json_endpoint(show->source, r->internal_port));
	if (r->what == POSTERN_GRANTED || r->what == POSTERN_CHANGED)
		json_object_set_new(object, "external", external_object(show, r));
	if (o->mapping.peer.port != 0)
		json_object_set_new(object, "peer",
			pcpc_json_endpoint(o->mapping.peer.ip, o->mapping.peer.port));
	pcpc_json_options(show, object);
	if (o->dialect == PCP_V2 || o->dialect == PCP_V1C)
		json_object_set_new(object, "nonce",
			json_string(pcpc_format_hex(r->nonce, sizeof r->nonce, nonce)));
}

static void show_json(struct pcpc_show *show, const struct postern_result *r)
{
	json_t *object = json_pack("{s:s, s:i, s:s, s:I, s:I}", "status", status_of(r->what),
		"result", (int)r->result, "result_name", pcpc_result_name(r->result), "lifetime",
		(json_int_t)r->lifetime_s, "epoch", (json_int_t)r->epoch_s);

	if (r->id >= 0)
		add_mapping(show, object, r);
	if (r->result != 0)
		json_object_set_new(object, "advice", json_string(pcpc_advice(r->result)));
	if (r->what == POSTERN_OTHER_VERSION)
		json_object_set_new(object, "version", json_integer(r->version));
	pcpc_show_object(show, object);
}

// ---- for people ------------------------------------------------------------------------------

static const char *version_of(const struct pcpc_show *show)
{
	return show->options->dialect == PCP_NATPMP ? "NAT-PMP" : "PCP";
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

// NAT-PMP's answers do not name the external address.
static void show_mapping(struct pcpc_show *show, const struct postern_result *r)
{
	char external[PCPC_ENDPOINT_TEXT], internal[PCPC_ENDPOINT_TEXT], protocol[4];
	char peer[PCPC_ENDPOINT_TEXT];
	struct postern_endpoint inside = {.port = r->internal_port};

	memcpy(inside.ip, show->source, sizeof inside.ip);
	pcpc_format_endpoint(&r->external, external);
	if (show->options->dialect == PCP_NATPMP)
		snprintf(external, sizeof external, "external port %u", r->external.port);
	printf("%s -> %s %s, lifetime %u s, epoch %u", external,
		pcpc_format_endpoint(&inside, internal), all_or_protocol(r->protocol, protocol),
		r->lifetime_s, r->epoch_s);
	if (show->options->mapping.peer.port != 0)
		printf(", with %s", pcpc_format_endpoint(&show->options->mapping.peer, peer));
	putchar('\n');
	pcpc_show_options(show);
}

static void show_refusal(unsigned result, uint32_t lifetime_s)
{
	fprintf(stderr, "refused: %s (%u)", pcpc_result_name(result), result);
	if (lifetime_s > 0)
		fprintf(stderr, ", and for %u s the answer will be the same", lifetime_s);
	fprintf(stderr, ": %s\n", pcpc_advice(result));
}

void pcpc_show_refusal(const struct pcp_message *m)
{
	show_refusal(m->result, m->lifetime_s);
}

static void show_about_mapping(struct pcpc_show *show, const struct postern_result *r)
{
	char protocol[4], port[8];

	printf("%s %s ", all_or_protocol(r->protocol, protocol), port_text(r->internal_port, port));
	if (r->what == POSTERN_DELETED)
		printf("is closed, epoch %u\n", r->epoch_s);
	else if (r->what == POSTERN_REMAINS)
		printf("stays open for %u s more: there was traffic\n", r->lifetime_s);
	else
		printf("expired: no renewal was answered\n");
	if (r->what == POSTERN_DELETED)
		pcpc_show_options(show);
}

static void show_announced(
	struct pcpc_show *show, const char *server, const struct postern_result *r)
{
	uint32_t s = r->epoch_s;

	if (r->result != 0) {
		show_refusal(r->result, r->lifetime_s);
		return;
	}
	printf("%s serves PCP version %s, epoch %u: its state is %u d %u h %u min %u s old\n",
		server, pcp_dialect_name(show->options->dialect), s, s / 86400, s / 3600 % 24,
		s / 60 % 60, s % 60);
	pcpc_show_options(show);
}

static void show_version(
	const struct pcpc_show *show, const char *server, const struct postern_result *r)
{
	const char *asked = pcp_dialect_name(show->options->dialect);

	if (r->version == 0)
		fprintf(stderr,
			"%s speaks NAT-PMP (version 0) only, not PCP version %s: try "
			"--version nat-pmp\n",
			server, asked);
	else if (r->version == 1)
		fprintf(stderr,
			"%s does not serve version %s but version 1, a draft of PCP: try "
			"--version 1b or 1a\n",
			server, asked);
	else
		fprintf(stderr, "%s does not serve version %s but version %u\n", server, asked,
			r->version);
}

static void show_text(struct pcpc_show *show, const struct postern_result *r)
{
	char server[PCPC_ENDPOINT_TEXT];

	pcpc_format_endpoint(&show->server, server);
	switch (r->what) {
	case POSTERN_GRANTED:
	case POSTERN_CHANGED:
		show_mapping(show, r);
		break;
	case POSTERN_DELETED:
	case POSTERN_REMAINS:
	case POSTERN_EXPIRED:
		show_about_mapping(show, r);
		break;
	case POSTERN_REFUSED:
		show_refusal(r->result, r->lifetime_s);
		break;
	case POSTERN_ANNOUNCED:
		show_announced(show, server, r);
		break;
	case POSTERN_RESTARTED:
		printf("%s lost its state, epoch %u: asking again\n", server, r->epoch_s);
		break;
	case POSTERN_OTHER_VERSION:
		show_version(show, server, r);
		break;
	case POSTERN_UNREACHABLE:
		break;
	}
	fflush(stdout);
}

void pcpc_show_result(struct pcpc_show *show, const struct postern_result *r)
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
	else
		pcpc_complain("no answer from %s: no %s server there, or it is not allowed to "
			      "answer",
			server, version_of(show));
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
