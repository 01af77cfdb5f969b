// SPDX-License-Identifier: Apache-2.0
// All mappings, page by page (draft-boucadair-pcp-failure-06): each answer's last entry is where
// the next question goes on. Drafts do not say whether that entry comes again; it is told once.
#include "pcpc.h"

#include <jansson.h>
#include <stdio.h>

enum {
	MOST_PAGES = 10000 // a server that never ends does not hold us for ever
};

struct listing {
	struct pcpc_exchange x;
	struct pcp_next last; // the locator; `end` when all is told
	bool has_last;
	unsigned n;
};

static bool same_entry(const struct pcp_next *a, const struct pcp_next *b)
{
	return a->protocol == b->protocol && a->internal_port == b->internal_port &&
	       a->external_port == b->external_port && ip6_eq(a->internal_ip, b->internal_ip) &&
	       ip6_eq(a->external_ip, b->external_ip);
}

// ---- telling ---------------------------------------------------------------------------------

// Options of the mapping stand behind its entry; `m` tells how to read them.
static size_t options_of(
	const struct pcp_next *entry, struct pcp_message *m, struct pcp_option *options, size_t max)
{
	size_t n = 0;

	m->options_at = 0;
	if (entry->n_wanted > 0)
		pcp_decode_options(entry->wanted, entry->n_wanted, m, options, max, &n);
	return n;
}

static json_t *entry_object(const struct pcp_next *entry)
{
	char protocol[4], nonce[25];

	return json_pack("{s:s, s:o, s:o, s:I, s:s}", "protocol",
		pcpc_protocol_text(entry->protocol, protocol), "internal",
		pcpc_json_endpoint(entry->internal_ip.b, entry->internal_port), "external",
		pcpc_json_endpoint(entry->external_ip.b, entry->external_port), "lifetime",
		(json_int_t)entry->lifetime_s, "nonce",
		pcpc_format_hex(entry->nonce.b, sizeof entry->nonce.b, nonce));
}

static void tell_json(struct listing *l, const struct pcp_next *entry, const struct pcp_message *m,
	const struct pcp_option *options, size_t n)
{
	json_t *object = entry_object(entry), *list = json_array();
	char text[PCPC_OPTION_TEXT];

	json_object_set_new(object, "status", json_string("mapping"));
	for (size_t i = 0; i < n; i++)
		json_array_append_new(
			list, json_pack("{s:i, s:s, s:s}", "code", (int)options[i].code, "name",
				      pcpc_option_label(PCP_V2, options[i].code), "value",
				      pcpc_option_text(m, &options[i], text)));
	json_object_set_new(object, "options", list);
	pcpc_show_object(&l->x.show, object);
}

static void tell_text(const struct pcp_next *entry, const struct pcp_message *m,
	const struct pcp_option *options, size_t n)
{
	struct postern_endpoint inside = {.port = entry->internal_port};
	struct postern_endpoint outside = {.port = entry->external_port};
	char internal[PCPC_ENDPOINT_TEXT], external[PCPC_ENDPOINT_TEXT], protocol[4];
	char text[PCPC_OPTION_TEXT];

	memcpy(inside.ip, entry->internal_ip.b, sizeof inside.ip);
	memcpy(outside.ip, entry->external_ip.b, sizeof outside.ip);
	printf("%s -> %s %s, %u s left\n", pcpc_format_endpoint(&outside, external),
		pcpc_format_endpoint(&inside, internal),
		pcpc_protocol_text(entry->protocol, protocol), entry->lifetime_s);
	for (size_t i = 0; i < n; i++)
		printf("  %s: %s\n", pcpc_option_label(PCP_V2, options[i].code),
			pcpc_option_text(m, &options[i], text));
	fflush(stdout);
}

static void tell(struct listing *l, const struct pcp_next *entry, const struct pcp_message *answer)
{
	struct pcp_message m = *answer;
	struct pcp_option options[PCP_MAX_OPTIONS];
	size_t n = options_of(entry, &m, options, ARRAY_SIZE(options));

	l->n++;
	if (l->x.options->json)
		tell_json(l, entry, &m, options, n);
	else
		tell_text(entry, &m, options, n);
}

// ---- asking ----------------------------------------------------------------------------------

// Tells the entries of a page. False when the server said nothing new.
static bool take_page(struct listing *l, const struct pcp_message *answer)
{
	struct pcp_option options[PCP_MAX_OPTIONS];
	struct pcp_next before = l->last;
	bool had = l->has_last, news = false;
	size_t n = 0;

	pcp_decode_options(
		l->x.show.answer, l->x.show.n_answer, answer, options, ARRAY_SIZE(options), &n);
	for (size_t i = 0; i < n; i++) {
		struct pcp_next entry;

		if (options[i].code != PCP_NEXT || !pcp_read_next(&options[i], &entry))
			continue;
		l->last = entry;
		l->has_last = true;
		if (had && same_entry(&entry, &before))
			continue;
		tell(l, &entry, answer);
		news = true;
	}
	return news;
}

static size_t write_page(struct listing *l, struct pcp_message *asked, uint8_t *out)
{
	const struct pcpc_options *o = l->x.options;
	size_t n;

	if (!l->has_last)
		return pcpc_build(o, asked, out, PCP_MAX);
	l->last.lifetime_s = 0;
	l->last.end = false;
	l->last.wanted = o->wanted;
	l->last.n_wanted = o->n_wanted;
	n = pcp_encode_request(out, PCP_MAX, asked);
	n = n > 0 ? pcp_append_next(out, n, PCP_MAX, &l->last) : 0;
	return n > 0 ? pcpc_build_options(o, asked, false, out, n, PCP_MAX) : 0;
}

static enum pcpc_exit conclude(struct listing *l)
{
	if (l->n == 0 && !l->x.options->json)
		printf(l->x.options->no_next ? "there is such a mapping\n" : "no mappings\n");
	if (l->n == 0 && l->x.options->json)
		pcpc_show_object(&l->x.show,
			json_pack("{s:s}", "status", l->x.options->no_next ? "exists" : "none"));
	return PCPC_OK;
}

static enum pcpc_exit refuse(struct listing *l, const struct pcp_message *answer)
{
	if (answer->result == PCP_NONEXIST_MAP && l->n > 0)
		return PCPC_OK; // they went while we were asking
	if (!l->x.options->json)
		pcpc_show_refusal(answer);
	else
		pcpc_show_object(
			&l->x.show, json_pack("{s:s, s:i, s:s, s:I, s:I, s:s}", "status", "refused",
					    "result", (int)answer->result, "result_name",
					    pcpc_result_name(answer->result), "lifetime",
					    (json_int_t)answer->lifetime_s, "epoch",
					    (json_int_t)answer->epoch_s, "advice",
					    pcpc_advice(answer->result)));
	return pcpc_exit_of_result(answer->result);
}

static enum pcpc_exit list_all(struct listing *l)
{
	struct pcp_message asked, answer;
	uint8_t request[PCP_MAX];

	if (!pcpc_build_message(l->x.options, l->x.show.source, &asked))
		return PCPC_USAGE;
	for (unsigned page = 0; page < MOST_PAGES; page++) {
		size_t n = write_page(l, &asked, request);

		if (n == 0)
			return PCPC_USAGE;
		if (!pcpc_exchange_ask(&l->x, &asked, request, n, &answer))
			return pcpc_exchange_silence(&l->x);
		if (answer.result != PCP_SUCCESS)
			return refuse(l, &answer);
		if (!take_page(l, &answer) || l->last.end)
			break;
	}
	return conclude(l);
}

static enum pcpc_exit run(
	const struct pcpc_options *o, const struct postern_server *server, unsigned address)
{
	struct listing l = {.n = 0};
	enum pcpc_exit end =
		pcpc_exchange_open(&l.x, o, server, address) < 0 ? PCPC_NO_ANSWER : list_all(&l);

	pcpc_exchange_close(&l.x);
	return end;
}

int pcpc_get_run(const struct pcpc_options *o)
{
	return pcpc_ask_each(o, false, run);
}
