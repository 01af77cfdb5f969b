// SPDX-License-Identifier: Apache-2.0
// The PCP codec under libFuzzer: any octets, read as a request where everything, or only one
// dialect, is served, and as an answer in every dialect. Beside memory errors it looks for broken
// promises: offsets inside the message, answers of a legal length, options that are read as they
// were written, and messages that encode to octets which say the same.
#include <postern/pcp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define ALL                                                                                        \
	(PCP_SERVES(PCP_V2) | PCP_SERVES(PCP_NATPMP) | PCP_SERVES(PCP_V1A) | PCP_SERVES(PCP_V1B) | \
		PCP_SERVES(PCP_V1C))

static void check(bool promise)
{
	if (!promise)
		abort();
}

static size_t max_of(const struct pcp_message *m)
{
	return m->dialect == PCP_V2 || m->dialect == PCP_NATPMP ? PCP_MAX : 1024;
}

// ---- options ---------------------------------------------------------------------------------

// The only option of `msg`, which begins at octet 0.
static struct pcp_option written(const uint8_t *msg, size_t len, const struct pcp_message *m)
{
	struct pcp_message at_0 = *m;
	struct pcp_option o = {0};
	size_t n;

	at_0.options_at = 0;
	check(len > 0 && pcp_decode_options(msg, len, &at_0, &o, 1, &n) == PCP_SUCCESS && n == 1);
	return o;
}

static void check_filter(const struct pcp_message *m, const struct pcp_option *o)
{
	uint8_t msg[PCP_MAX];
	struct pcp_filter f, again;
	struct pcp_option back;

	if (!pcp_read_filter(m, o, &f))
		return;
	check(f.prefix <= 128);
	check(f.prefix == 0 || f.prefix >= 96 || !ip6_is_mapped(f.address));
	if (m->dialect == PCP_NATPMP)
		return;
	back = written(msg, pcp_append_filter(msg, 0, sizeof msg, m, &f), m);
	check(back.code == PCP_FILTER && pcp_read_filter(m, &back, &again));
	check(again.port == f.port && ip6_eq(again.address, f.address));
	// 96 bits, "any IPv4 host", are what v1a cannot say.
	check(again.prefix == f.prefix || (m->dialect == PCP_V1A && f.prefix == 96));
}

static void check_third_party(const struct pcp_message *m, const struct pcp_option *o)
{
	uint8_t msg[PCP_MAX];
	struct pcp_option back;
	ip6 a, again = {0};

	if (!pcp_read_third_party(m, o, &a) || m->dialect == PCP_NATPMP)
		return;
	back = written(msg, pcp_append_third_party(msg, 0, sizeof msg, m, a), m);
	check(back.code == PCP_THIRD_PARTY && pcp_read_third_party(m, &back, &again));
	check(ip6_eq(a, again));
}

static void check_port_set(const struct pcp_message *m, const struct pcp_option *o)
{
	uint8_t msg[PCP_MAX];
	struct pcp_port_set set, again;
	struct pcp_option back;

	if (!pcp_read_port_set(o, &set))
		return;
	check(set.size > 0);
	back = written(msg, pcp_append_port_set(msg, 0, sizeof msg, &set), m);
	check(pcp_read_port_set(&back, &again));
	check(set.size == again.size && set.first == again.first && set.parity == again.parity);
}

static void check_prefix64(const struct pcp_message *m, const struct pcp_option *o)
{
	uint8_t msg[PCP_MAX];
	struct pcp_prefix64 p, again;
	struct pcp_option back;

	if (!pcp_read_prefix64(o, &p))
		return;
	check(p.n <= ARRAY_SIZE(p.ip4) && p.length <= 12);
	back = written(msg, pcp_append_prefix64(msg, 0, sizeof msg, &p), m);
	check(pcp_read_prefix64(&back, &again));
	check(again.n == p.n && again.length == p.length);
	check(memcmp(again.octets, p.octets, sizeof p.octets) == 0);
	for (unsigned i = 0; i < p.n; i++)
		check(again.ip4[i].bits == p.ip4[i].bits &&
			again.ip4[i].address == p.ip4[i].address);
}

static void check_next(const struct pcp_option *o)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = {.version = PCP_VERSION};
	struct pcp_next next, again;
	struct pcp_option back;
	size_t len;

	if (!pcp_read_next(o, &next))
		return;
	len = pcp_append_next(msg, 0, sizeof msg, &next);
	if (len == 0) {
		check(o->length > sizeof msg - 4);
		return;
	}
	back = written(msg, len, &m);
	check(pcp_read_next(&back, &again));
	check(again.n_wanted == next.n_wanted && again.end == next.end);
	check(next.n_wanted == 0 || memcmp(again.wanted, next.wanted, next.n_wanted) == 0);
	check(pcp_nonce_eq(again.nonce, next.nonce) && again.lifetime_s == next.lifetime_s);
}

// Every reader on every option, whatever its code: none trusts the code.
static void check_options(const uint8_t *msg, size_t len, const struct pcp_message *m)
{
	struct pcp_option options[PCP_MAX_OPTIONS];
	size_t n;
	unsigned sum = 0;

	(void)pcp_decode_options(msg, len, m, options, ARRAY_SIZE(options), &n);
	check(n <= ARRAY_SIZE(options));
	for (size_t i = 0; i < n; i++) {
		const struct pcp_option *o = &options[i];

		check((o->data == NULL) == (o->length == 0));
		for (size_t k = 0; k < o->length; k++)
			sum += o->data[k];
		check_filter(m, o);
		check_third_party(m, o);
		check_port_set(m, o);
		check_prefix64(m, o);
		check_next(o);
		(void)pcp_text_is_utf8(o->data, o->length);
		check(pcp_option_index(o->code) < PCP_OPTION_COUNT);
	}
	check(sum <= 255 * len);
}

// ---- messages --------------------------------------------------------------------------------

static void check_body(const struct pcp_message *a, const struct pcp_message *b)
{
	check(a->opcode == b->opcode && a->protocol == b->protocol);
	check(a->internal_port == b->internal_port && a->remote_port == b->remote_port);
	check(pcp_nonce_eq(a->nonce, b->nonce) && ip6_eq(a->remote_ip, b->remote_ip));
	check(a->get.protocol == b->get.protocol);
	check(a->get.internal_port == b->get.internal_port);
	check(a->get.external_port == b->get.external_port);
	check(ip6_eq(a->get.internal_ip, b->get.internal_ip));
	check(ip6_eq(a->get.external_ip, b->get.external_ip));
}

// What a request says in its meaningful octets is what the encoder writes for it. Without options,
// and with clean reserved octets, a version 1 message may look like another of its kind.
static void check_round_trip(const struct pcp_message *m, const struct pcp_served *served)
{
	uint8_t again[PCP_MAX];
	struct pcp_message back;
	enum pcp_result result;
	size_t len = pcp_encode_request(again, sizeof again, m);
	enum pcp_door door;

	check(len > 0 && (m->dialect == PCP_NATPMP || len == m->options_at));
	door = pcp_decode_request(again, len, served, &back, &result);
	if (m->version == 1 && (door != PCP_DOOR_OPEN || back.dialect != m->dialect))
		return;
	check(door == PCP_DOOR_OPEN && back.dialect == m->dialect && back.scope == m->scope);
	check(back.lifetime_s == m->lifetime_s && ip6_eq(back.client, m->client));
	check(back.external_port == m->external_port && ip6_eq(back.external_ip, m->external_ip));
	check_body(&back, m);
}

static uint8_t reply[65536];

static void check_error_reply(
	const uint8_t *msg, size_t len, const struct pcp_message *m, const struct pcp_error *error)
{
	struct pcp_message back;
	struct pcp_version_refusal refusal;
	size_t n;

	memcpy(reply, msg, len);
	n = pcp_error_reply(reply, len, sizeof reply, m, error);
	check(n <= max_of(m) && (m->dialect == PCP_NATPMP || (n > 0 && n % 4 == 0)));
	if (n == 0)
		return;
	check(reply[1] & 0x80);
	if (m->dialect != PCP_NATPMP || n >= 8) {
		check(pcp_decode_response_in((enum pcp_dialect)m->dialect, reply, n, &back));
		check(back.result != PCP_SUCCESS);
		check(m->dialect == PCP_NATPMP || back.lifetime_s == error->lifetime_s);
		if (m->dialect != PCP_NATPMP)
			check_options(reply, n, &back);
	}
	if (error->result == PCP_UNSUPP_VERSION)
		check(pcp_decode_version_refusal(reply, n, &refusal));
}

// Every cause, as the server may have one for any request that was let in.
static void check_every_error(const uint8_t *msg, size_t len, const struct pcp_message *m)
{
	struct pcp_option first;
	size_t n;

	(void)pcp_decode_options(msg, len, m, &first, 1, &n);
	for (unsigned i = 1; i < PCP_RESULT_COUNT; i++) {
		struct pcp_error error = {pcp_result_at(i), i % 2, 1800 + i, 100, NULL};

		check_error_reply(msg, len, m, &error);
		error.blamed = n > 0 ? &first : NULL;
		check_error_reply(msg, len, m, &error);
	}
}

static void check_success_reply(const struct pcp_message *m)
{
	struct pcp_message back;
	size_t len = pcp_success_reply(reply, m, m->lifetime_s, 4711);

	check(len > 0 && pcp_decode_response_in((enum pcp_dialect)m->dialect, reply, len, &back));
	check(back.result == PCP_SUCCESS && back.epoch_s == 4711);
	check_body(&back, m);
	check(m->opcode == PCP_EXTERNAL_ADDRESS || back.lifetime_s == m->lifetime_s);
	if (m->lifetime_s > 0)
		check(back.external_port == m->external_port);
}

static void check_request(const uint8_t *data, size_t size, const struct pcp_served *served)
{
	struct pcp_message m;
	enum pcp_result result;
	enum pcp_door door = pcp_decode_request(data, size, served, &m, &result);

	if (size >= 2)
		check(m.dialect < PCP_DIALECTS && m.version == data[0]);
	if (door == PCP_DOOR_OPEN) {
		check(result == PCP_SUCCESS && m.options_at <= size);
		check(m.dialect == PCP_NATPMP || size <= max_of(&m));
		check((served->dialects & PCP_SERVES(m.dialect)) != 0);
		check_options(data, size, &m);
		check_round_trip(&m, served);
		check_success_reply(&m);
		check_every_error(data, size, &m);
	} else if (door == PCP_DOOR_REFUSE) {
		struct pcp_error error = {result, false, 1800, 100, NULL};

		check(result != PCP_SUCCESS);
		check_error_reply(data, size, &m, &error);
	}
}

static void check_response(enum pcp_dialect dialect, const uint8_t *data, size_t size)
{
	struct pcp_message m;

	if (!pcp_decode_response_in(dialect, data, size, &m))
		return;
	check(m.response && m.options_at <= size && m.dialect == dialect);
	check_options(data, size, &m);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct pcp_served served = {.dialects = ALL, .get = true, .external_ip6 = true};
	struct pcp_version_refusal refusal;

	if (size > sizeof reply / 2)
		return 0;
	served.source = ip6_mapped(0x6440000a);
	check_request(data, size, &served);
	if (size >= PCP_HEADER) // the source that this client address belongs to
		memcpy(served.source.b, data + 8, sizeof served.source.b);
	for (unsigned i = 0; i < PCP_DIALECTS; i++) {
		served.dialects = PCP_SERVES(i);
		check_request(data, size, &served);
		check_response((enum pcp_dialect)i, data, size);
	}
	(void)pcp_decode_version_refusal(data, size, &refusal);
	return 0;
}
