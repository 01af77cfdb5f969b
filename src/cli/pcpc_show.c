// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>

static const char *const advice[] = {
	[1] = "the server does not speak this version of the protocol",
	[2] = "the operator does not allow it, or the port belongs to whoever made it with another "
	      "nonce: take another port, or give that --nonce",
	[3] = "the server could not read the request: please report it with the output of --raw",
	[4] = "the server does not serve this kind of request",
	[5] = "the server does not serve an option of the request: try without --prefer-failure",
	[6] = "the server could not read an option of the request: please report it with the "
	      "output "
	      "of --raw",
	[7] = "the NAT has no external address or no connection at the moment: try later",
	[8] = "the NAT is out of ports, memory or time at the moment: try later",
	[9] = "this NAT does not map that protocol: tcp and udp are the usual ones",
	[10] = "you have as many mappings as the operator allows: delete one first",
	[11] = "that external address and port cannot be had: wish for another, or leave out "
	       "--prefer-failure",
	[12] = "there is another NAT between this host and the server: ask the nearer one with "
	       "--server",
	[13] = "too many filters for one mapping",
};

static const char *advice_for(unsigned result)
{
	return result < ARRAY_SIZE(advice) && advice[result] ? advice[result]
							     : "a code this program does not know";
}

void pcpc_complain(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fputs("pcpc: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

// ---- datagrams -------------------------------------------------------------------------------

void pcpc_show_datagram(struct pcpc_show *show, bool sent, const uint8_t *octets, size_t n)
{
	char text[2 * POSTERN_DATAGRAM + 1];

	if (!show->options->raw || n > POSTERN_DATAGRAM)
		return;
	pcpc_format_hex(octets, n, text);
	if (show->options->json) {
		if (!show->datagrams)
			show->datagrams = json_array();
		json_array_append_new(
			show->datagrams, json_pack("{s:s}", sent ? "sent" : "received", text));
		return;
	}
	printf("%c ", sent ? '>' : '<');
	for (size_t i = 0; text[i]; i++) {
		if (i > 0 && i % 8 == 0)
			putchar(' ');
		putchar(text[i]);
	}
	putchar('\n');
	fflush(stdout);
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

static void print_object(struct pcpc_show *show, json_t *object)
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

static json_t *endpoint_object(const uint8_t octets[16], uint16_t port)
{
	char text[IP6_TEXT];
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	return json_pack("{s:s, s:i}", "address", ip6_format(ip, text), "port", (int)port);
}

static void add_mapping(struct pcpc_show *show, json_t *object, const struct postern_result *r)
{
	char protocol[4], nonce[25];

	json_object_set_new(
		object, "protocol", json_string(pcpc_protocol_text(r->protocol, protocol)));
	json_object_set_new(object, "internal", endpoint_object(show->source, r->internal_port));
	if (r->what == POSTERN_GRANTED || r->what == POSTERN_CHANGED)
		json_object_set_new(
			object, "external", endpoint_object(r->external.ip, r->external.port));
	json_object_set_new(
		object, "nonce", json_string(pcpc_format_hex(r->nonce, sizeof r->nonce, nonce)));
}

static void show_json(struct pcpc_show *show, const struct postern_result *r)
{
	json_t *object = json_pack("{s:s, s:i, s:s, s:I, s:I}", "status", status_of(r->what),
		"result", (int)r->result, "result_name", postern_result_name(r->result), "lifetime",
		(json_int_t)r->lifetime_s, "epoch", (json_int_t)r->epoch_s);

	if (r->id >= 0)
		add_mapping(show, object, r);
	if (r->what == POSTERN_OTHER_VERSION)
		json_object_set_new(object, "version", json_integer(r->version));
	print_object(show, object);
}

// ---- for people ------------------------------------------------------------------------------

static void show_mapping(const struct pcpc_show *show, const struct postern_result *r)
{
	char external[PCPC_ENDPOINT_TEXT], internal[PCPC_ENDPOINT_TEXT], protocol[4];
	struct postern_endpoint inside = {.port = r->internal_port};

	memcpy(inside.ip, show->source, sizeof inside.ip);
	printf("%s -> %s %s, lifetime %u s, epoch %u\n",
		pcpc_format_endpoint(&r->external, external),
		pcpc_format_endpoint(&inside, internal), pcpc_protocol_text(r->protocol, protocol),
		r->lifetime_s, r->epoch_s);
}

static void show_refusal(const struct postern_result *r)
{
	fprintf(stderr, "refused: %s (%u), and for %u s the answer will be the same: %s\n",
		postern_result_name(r->result), r->result, r->lifetime_s, advice_for(r->result));
}

static void show_about_mapping(const struct postern_result *r)
{
	char protocol[4];

	printf("%s %u ", pcpc_protocol_text(r->protocol, protocol), r->internal_port);
	if (r->what == POSTERN_DELETED)
		printf("is closed, epoch %u\n", r->epoch_s);
	else if (r->what == POSTERN_REMAINS)
		printf("stays open for %u s more: there was traffic\n", r->lifetime_s);
	else
		printf("expired: no renewal was answered\n");
}

static void show_announced(const char *server, const struct postern_result *r)
{
	uint32_t s = r->epoch_s;

	if (r->result != 0) {
		show_refusal(r);
		return;
	}
	printf("%s serves PCP version 2, epoch %u: its state is %u d %u h %u min %u s old\n",
		server, s, s / 86400, s / 3600 % 24, s / 60 % 60, s % 60);
}

static void show_version(const char *server, const struct postern_result *r)
{
	if (r->version == 0)
		fprintf(stderr,
			"%s speaks NAT-PMP (version 0) only; this program speaks PCP "
			"version 2\n",
			server);
	else
		fprintf(stderr, "%s does not serve PCP version 2 but version %u\n", server,
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
		show_about_mapping(r);
		break;
	case POSTERN_REFUSED:
		show_refusal(r);
		break;
	case POSTERN_ANNOUNCED:
		show_announced(server, r);
		break;
	case POSTERN_RESTARTED:
		printf("%s lost its state, epoch %u: asking again\n", server, r->epoch_s);
		break;
	case POSTERN_OTHER_VERSION:
		show_version(server, r);
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
		print_object(show, json_pack("{s:s, s:b}", "status", "no-answer", "unreachable",
					   (int)unreachable));
		return;
	}
	pcpc_complain("no answer from %s%s", pcpc_format_endpoint(&show->server, server),
		unreachable ? ": it says that nothing listens there (ICMP unreachable)"
			    : ": no PCP server there, or it is not allowed to answer");
}
