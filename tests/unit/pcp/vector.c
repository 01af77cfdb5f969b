// SPDX-License-Identifier: Apache-2.0
#include "vector.h"

void expect_octets(
	const char *what, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len)
{
	cr_expect_eq(got_len, want_len, "%s: %zu octets, want %zu", what, got_len, want_len);
	for (size_t i = 0; i < got_len && i < want_len; i++)
		cr_assert_eq(got[i], want[i], "%s: octet %zu is %02x, want %02x", what, i, got[i],
			want[i]);
}

ip6 hex_address(const char *text)
{
	uint8_t octets[HEX_MAX];
	ip6 a;

	cr_assert_eq(hex(text, octets), sizeof a.b);
	memcpy(a.b, octets, sizeof a.b);
	return a;
}

struct pcp_served serving(unsigned dialects, const char *source)
{
	return (struct pcp_served){
		.dialects = dialects,
		.source = hex_address(source),
		.port = 12345,
	};
}

struct expected {
	uint8_t octets[HEX_MAX];
	size_t len;
	struct pcp_message m;
};

static void read_expected(const struct vector *v, unsigned dialect, struct expected *want)
{
	want->len = hex(v->reply, want->octets);
	cr_assert(pcp_decode_response_in(
			  (enum pcp_dialect)dialect, want->octets, want->len, &want->m),
		"%s: its reply is no response", v->name);
}

// The options of the expected reply, behind the body.
static size_t echo_options(uint8_t *msg, size_t at, const struct expected *want)
{
	struct pcp_option o[PCP_MAX_OPTIONS];
	size_t n;

	cr_assert_eq(pcp_decode_options(want->octets, want->len, &want->m, o, ARRAY_SIZE(o), &n),
		PCP_SUCCESS);
	for (size_t i = 0; i < n; i++)
		at = pcp_append_option(msg, at, PCP_MAX, o[i].wire_code, o[i].data, o[i].length);
	return at;
}

static size_t succeed(uint8_t *msg, struct pcp_message *m, const struct expected *want)
{
	m->internal_port = want->m.internal_port; // RFC 7753: not always the one asked for
	m->external_port = want->m.external_port;
	m->external_ip = want->m.external_ip;
	return echo_options(
		msg, pcp_success_reply(msg, m, want->m.lifetime_s, want->m.epoch_s), want);
}

static size_t fail(const struct vector *v, uint8_t *msg, size_t len, const struct pcp_message *m,
	const struct expected *want, const struct pcp_option *blamed)
{
	struct pcp_error error = {
		.result = v->result,
		.parsed = v->decides == JUDGE,
		.lifetime_s = want->m.lifetime_s,
		.epoch_s = want->m.epoch_s,
		.blamed = blamed,
	};

	if (v->decides != JUDGE)
		error.lifetime_s = pcp_result_lifetime_s(v->result);
	return pcp_error_reply(msg, len, HEX_MAX, m, &error);
}

static void check_silence(
	const struct vector *v, const uint8_t *msg, size_t len, const struct pcp_served *served)
{
	struct pcp_message m;
	enum pcp_result result;
	enum pcp_door want = v->decides == SILENT_SHORT ? PCP_DOOR_SHORT : PCP_DOOR_RESPONSE;

	cr_expect_eq(pcp_decode_request(msg, len, served, &m, &result), want, "%s", v->name);
}

static void check_unasked(const struct vector *v)
{
	uint8_t msg[HEX_MAX];
	struct expected want;
	size_t len;

	memset(msg, 0xee, sizeof msg);
	read_expected(v, PCP_V2, &want);
	len = pcp_success_reply(msg, &want.m, want.m.lifetime_s, want.m.epoch_s);
	expect_octets(v->name, msg, len, want.octets, want.len);
}

// What a client would write to say the same. Octets 2 and 3 are reserved, whatever came.
static void check_encoder(
	const struct vector *v, const struct pcp_message *m, const struct pcp_option *o, size_t n)
{
	uint8_t msg[HEX_MAX], want[HEX_MAX];
	size_t want_len = hex(v->request, want), at;

	memset(msg, 0xee, sizeof msg);
	if (want_len > 3)
		want[2] = want[3] = 0;
	at = pcp_encode_request(msg, sizeof msg, m);
	cr_assert_gt(at, 0, "%s", v->name);
	for (size_t i = 0; i < n; i++)
		at = pcp_append_option(msg, at, sizeof msg, o[i].wire_code, o[i].data, o[i].length);
	expect_octets(v->name, msg, at, want, want_len);
}

static size_t check_open(const struct vector *v, uint8_t *msg, size_t len, struct pcp_message *m,
	const struct expected *want)
{
	struct pcp_option o[PCP_MAX_OPTIONS];
	size_t n;
	enum pcp_result walked = pcp_decode_options(msg, len, m, o, ARRAY_SIZE(o), &n);

	cr_expect_eq(walked, v->decides == WALK ? v->result : PCP_SUCCESS, "%s", v->name);
	if (v->decides == WALK)
		return fail(v, msg, len, m, want, NULL);
	check_encoder(v, m, o, n);
	if (v->result != PCP_SUCCESS)
		return fail(v, msg, len, m, want, n > 0 ? &o[0] : NULL);
	return succeed(msg, m, want);
}

void vector_check(const struct vector *v)
{
	uint8_t msg[HEX_MAX];
	struct pcp_served served = serving(v->served, v->source);
	struct pcp_message m;
	enum pcp_result result;
	enum pcp_door door;
	struct expected want;
	size_t len;

	if (v->decides == UNASKED) {
		check_unasked(v);
		return;
	}
	memset(msg, 0xee, sizeof msg); // padding must not come from what was there
	len = hex(v->request, msg);
	served.get = strstr(v->name, "switched off") == NULL;
	if (v->reply == NULL) {
		check_silence(v, msg, len, &served);
		return;
	}
	door = pcp_decode_request(msg, len, &served, &m, &result);
	cr_assert_eq(door, v->decides == DOOR ? PCP_DOOR_REFUSE : PCP_DOOR_OPEN, "%s", v->name);
	cr_expect_eq(result, v->decides == DOOR ? v->result : PCP_SUCCESS, "%s", v->name);
	read_expected(v, m.dialect, &want);
	cr_expect_eq(want.m.result, v->result, "%s", v->name);
	len = door == PCP_DOOR_OPEN ? check_open(v, msg, len, &m, &want)
				    : fail(v, msg, len, &m, &want, NULL);
	expect_octets(v->name, msg, len, want.octets, want.len);
}
