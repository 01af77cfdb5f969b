// SPDX-License-Identifier: Apache-2.0
// Datagrams as hex and field by field, and what became of the options of a request.
#include "pcpc.h"

#include <jansson.h>
#include <stdio.h>

// ---- for people ------------------------------------------------------------------------------

static void print_hex(const uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		printf("%s%02x", i > 0 && i % 4 == 0 ? " " : "", octets[i]);
	putchar('\n');
}

static void print_field(void *to, const struct pcpc_field *f)
{
	const char **part = to;

	if (*part != f->part) {
		printf("    %s\n", f->part);
		*part = f->part;
	}
	printf("    %5zu %4zu  %-26s %s", f->at, f->length, f->name, f->value);
	if (f->note)
		printf("  (%s)", f->note);
	putchar('\n');
}

static void print_datagram(
	const struct pcpc_show *show, const char *way, const uint8_t *octets, size_t n)
{
	const struct pcpc_options *o = show->options;
	const char *part = NULL;

	printf("%s ", way);
	print_hex(octets, n);
	if (o->fields || o->is_probe)
		pcpc_decode(show->dialect, octets, n, print_field, &part);
	fflush(stdout);
}

// ---- for programs ----------------------------------------------------------------------------

static void add_field(void *to, const struct pcpc_field *f)
{
	json_t *field = json_pack("{s:I, s:I, s:s, s:s, s:s}", "at", (json_int_t)f->at, "octets",
		(json_int_t)f->length, "part", f->part, "name", f->name, "value", f->value);

	if (f->note)
		json_object_set_new(field, "note", json_string(f->note));
	json_array_append_new(to, field);
}

static json_t *datagram_object(
	const struct pcpc_show *show, const char *way, const uint8_t *octets, size_t n)
{
	const struct pcpc_options *o = show->options;
	char text[2 * PCPC_LARGEST + 1];
	json_t *datagram, *fields;

	datagram = json_pack("{s:s}", way, pcpc_format_hex(octets, n, text));
	if (!o->fields && !o->is_probe)
		return datagram;
	fields = json_array();
	pcpc_decode(show->dialect, octets, n, add_field, fields);
	json_object_set_new(datagram, "fields", fields);
	return datagram;
}

void pcpc_show_datagram(struct pcpc_show *show, bool sent, const uint8_t *octets, size_t n)
{
	const struct pcpc_options *o = show->options;

	if ((!o->raw && !o->fields && !o->is_probe) || n > PCPC_LARGEST)
		return;
	if (!o->json) {
		print_datagram(show, sent ? ">" : "<", octets, n);
		return;
	}
	if (!show->datagrams)
		show->datagrams = json_array();
	json_array_append_new(
		show->datagrams, datagram_object(show, sent ? "sent" : "received", octets, n));
}

// ---- options of the last answer --------------------------------------------------------------

enum {
	MAX_OPTIONS = PCP_MAX_OPTIONS
};

static size_t answer_options(
	const struct pcpc_show *show, struct pcp_message *m, struct pcp_option *options)
{
	enum pcp_dialect dialect = show->dialect;
	size_t n = 0;

	if (dialect == PCP_NATPMP ||
		!pcp_decode_response_in(dialect, show->answer, show->n_answer, m))
		return 0;
	pcp_decode_options(show->answer, show->n_answer, m, options, MAX_OPTIONS, &n);
	return n;
}

static bool is_among(const struct pcp_option *options, size_t n, uint8_t code)
{
	for (size_t i = 0; i < n; i++)
		if (options[i].code == code)
			return true;
	return false;
}

// A server repeats what it took. Only options from 128 on may be left out of a success.
static bool was_left_out(const struct pcpc_show *show, unsigned wish, const struct pcp_message *m,
	const struct pcp_option *options, size_t n)
{
	const struct pcpc_wish *w = &show->options->wishes[wish];

	return show->n_answer > 0 && m->response && m->result == PCP_SUCCESS && w->code >= 128 &&
	       show->options->command != PCPC_DELETE && !is_among(options, n, w->code);
}

static void print_option(const char *name, const char *text)
{
	printf("  %s%s%s\n", name, *text ? ": " : "", text);
}

void pcpc_show_options(struct pcpc_show *show)
{
	struct pcp_option options[MAX_OPTIONS];
	struct pcp_message m = {0};
	size_t n = answer_options(show, &m, options);
	char text[PCPC_OPTION_TEXT];

	for (size_t i = 0; i < n; i++)
		print_option(pcpc_option_label(show->dialect, options[i].wire_code),
			pcpc_option_text(&m, &options[i], text));
	for (unsigned i = 0; i < show->options->n_wishes; i++)
		if (was_left_out(show, i, &m, options, n))
			printf("  without %s: the server did not take it\n",
				pcp_option_name(show->options->wishes[i].code));
}

void pcpc_json_options(struct pcpc_show *show, json_t *object)
{
	struct pcp_option options[MAX_OPTIONS];
	struct pcp_message m = {0};
	size_t n = answer_options(show, &m, options);
	json_t *taken = json_array(), *left_out = json_array();
	char text[PCPC_OPTION_TEXT];

	for (size_t i = 0; i < n; i++)
		json_array_append_new(taken,
			json_pack("{s:i, s:s, s:s}", "code", (int)options[i].wire_code, "name",
				pcpc_option_label(show->dialect, options[i].wire_code), "value",
				pcpc_option_text(&m, &options[i], text)));
	for (unsigned i = 0; i < show->options->n_wishes; i++)
		if (was_left_out(show, i, &m, options, n))
			json_array_append_new(left_out,
				json_string(pcp_option_name(show->options->wishes[i].code)));
	json_object_set_new(object, "options", taken);
	json_object_set_new(object, "left_out", left_out);
}
