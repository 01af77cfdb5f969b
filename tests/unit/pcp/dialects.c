// SPDX-License-Identifier: Apache-2.0
// Every dialect against itself: what a client writes a server reads, and what the server answers
// the client reads.
#include "vector.h"

static void fill(struct rng *r, void *out, size_t n)
{
	for (uint8_t *at = out; n-- > 0; at++)
		*at = (uint8_t)rng_u32(r);
}

static ip6 random_ip(struct rng *r)
{
	ip6 a;

	if (rng_below(r, 2))
		return ip6_mapped(rng_u32(r));
	fill(r, a.b, sizeof a.b);
	a.b[0] = 0x20;
	return a;
}

static uint16_t random_opcode(struct rng *r, unsigned dialect)
{
	static const uint16_t v2[] = {PCP_ANNOUNCE, PCP_MAP, PCP_PEER, PCP_GET};
	static const uint16_t natpmp[] = {PCP_EXTERNAL_ADDRESS, PCP_MAP};

	switch (dialect) {
	case PCP_V2:
		return v2[rng_below(r, ARRAY_SIZE(v2))];
	case PCP_NATPMP:
		return natpmp[rng_below(r, ARRAY_SIZE(natpmp))];
	default:
		return v2[1 + rng_below(r, 2)];
	}
}

// Only what the dialect can say.
static struct pcp_message random_message(struct rng *r, unsigned dialect)
{
	struct pcp_message m = {
		.dialect = (uint8_t)dialect,
		.opcode = random_opcode(r, dialect),
		.lifetime_s = 1 + rng_below(r, UINT32_MAX),
		.client = random_ip(r),
		.protocol = (uint8_t)(1 + rng_below(r, 255)),
		.internal_port = (uint16_t)(1 + rng_below(r, 65535)),
		.external_port = (uint16_t)rng_u32(r),
		.external_ip = random_ip(r),
		.remote_port = (uint16_t)rng_u32(r),
		.remote_ip = random_ip(r),
	};

	fill(r, m.nonce.b, sizeof m.nonce.b);
	fill(r, &m.get, sizeof m.get);
	if (dialect == PCP_NATPMP) {
		m.protocol = rng_below(r, 2) ? 6 : 17;
		m.external_ip = ip6_mapped(m.opcode == PCP_MAP ? 0 : rng_u32(r));
	}
	return m;
}

static void expect_body(const struct pcp_message *in, const struct pcp_message *out)
{
	cr_assert_eq(out->opcode, in->opcode);
	if (in->opcode == PCP_GET) {
		cr_assert_eq(out->get.protocol, in->get.protocol);
		cr_assert(ip6_eq(out->get.internal_ip, in->get.internal_ip));
		cr_assert(ip6_eq(out->get.external_ip, in->get.external_ip));
		cr_assert_eq(out->get.internal_port, in->get.internal_port);
		cr_assert_eq(out->get.external_port, in->get.external_port);
	}
	if (in->opcode != PCP_MAP && in->opcode != PCP_PEER)
		return;
	cr_assert_eq(out->protocol, in->protocol);
	cr_assert_eq(out->internal_port, in->internal_port);
	if (out->has_nonce)
		cr_assert(pcp_nonce_eq(out->nonce, in->nonce));
	if (in->opcode != PCP_PEER)
		return;
	cr_assert_eq(out->remote_port, in->remote_port);
	cr_assert(ip6_eq(out->remote_ip, in->remote_ip));
}

static void expect_external(const struct pcp_message *in, const struct pcp_message *out)
{
	if (in->opcode != PCP_MAP && in->opcode != PCP_PEER)
		return;
	cr_assert_eq(out->external_port, in->external_port);
	cr_assert(ip6_eq(out->external_ip, in->external_ip));
}

static void check_request(const struct pcp_message *in, struct pcp_message *out)
{
	struct pcp_served served = {
		.dialects = SERVES_ALL, .get = true, .external_ip6 = true, .source = in->client};
	uint8_t msg[PCP_MAX];
	enum pcp_result result;
	size_t len = pcp_encode_request(msg, sizeof msg, in);

	cr_assert_gt(len, 0);
	cr_assert_eq(pcp_encode_request(msg, len - 1, in), 0);
	cr_assert_eq(pcp_decode_request(msg, len, &served, out, &result), PCP_DOOR_OPEN);
	cr_assert_eq(out->dialect, in->dialect);
	expect_body(in, out);
	if (in->opcode != PCP_EXTERNAL_ADDRESS)
		cr_assert_eq(out->lifetime_s, in->lifetime_s);
	cr_assert(ip6_eq(out->client, in->client));
	if (in->dialect != PCP_V1A || in->opcode == PCP_MAP)
		expect_external(in, out); // v1a's PEER has no suggestion
}

static void check_response(const struct pcp_message *in)
{
	struct pcp_message out;
	uint8_t msg[PCP_MAX];
	size_t len = pcp_success_reply(msg, in, in->lifetime_s, 4711);

	cr_assert_gt(len, 0);
	cr_assert(pcp_decode_response_in((enum pcp_dialect)in->dialect, msg, len, &out));
	cr_assert_eq(out.result, PCP_SUCCESS);
	cr_assert_eq(out.epoch_s, 4711);
	expect_body(in, &out);
	expect_external(in, &out);
	if (in->opcode == PCP_EXTERNAL_ADDRESS)
		cr_assert(ip6_eq(out.external_ip, in->external_ip));
	else
		cr_assert_eq(out.lifetime_s, in->lifetime_s);
}

Test(pcp, random_messages_survive_the_way_there_and_back_in_every_dialect)
{
	struct rng r;

	rng_init_u64(&r, 6887);
	for (unsigned i = 0; i < 50000; i++) {
		struct pcp_message in = random_message(&r, i % PCP_DIALECTS), out;

		check_request(&in, &out);
		if (in.dialect == PCP_V1A)
			out.external_ip = in.opcode == PCP_MAP ? in.external_ip : random_ip(&r);
		else
			out.external_ip = in.external_ip;
		out.external_port = in.external_port;
		check_response(&out);
	}
}

struct wishes {
	struct pcp_filter filter;
	ip6 third;
};

static struct wishes random_wishes(struct rng *r)
{
	struct wishes w = {.filter = {.address = random_ip(r), .port = 443}, .third = random_ip(r)};

	w.filter.prefix = ip6_is_mapped(w.filter.address) ? (uint8_t)(97 + rng_below(r, 32))
							  : (uint8_t)(1 + rng_below(r, 128));
	return w;
}

// In the order that v1a asks for.
static size_t write_wishes(
	uint8_t msg[PCP_MAX], const struct pcp_message *in, const struct wishes *w)
{
	enum pcp_dialect dialect = (enum pcp_dialect)in->dialect;
	size_t at = pcp_encode_request(msg, PCP_MAX, in);

	at = pcp_append_filter(msg, at, PCP_MAX, in, &w->filter);
	at = pcp_append_option(
		msg, at, PCP_MAX, pcp_option_code_in(dialect, PCP_PREFER_FAILURE), NULL, 0);
	return pcp_append_third_party(msg, at, PCP_MAX, in, w->third);
}

static void expect_wishes(
	const struct pcp_message *m, const struct pcp_option o[3], const struct wishes *w)
{
	struct pcp_filter filter;
	ip6 third;

	cr_assert_eq(o[0].code, PCP_FILTER);
	cr_assert(pcp_read_filter(m, &o[0], &filter));
	cr_assert_eq(filter.prefix, w->filter.prefix);
	cr_assert_eq(filter.port, w->filter.port);
	cr_assert(ip6_eq(filter.address, w->filter.address));
	cr_assert_eq(o[1].code, PCP_PREFER_FAILURE);
	cr_assert_eq(o[1].length, 0);
	cr_assert_eq(o[2].code, PCP_THIRD_PARTY);
	cr_assert(pcp_read_third_party(m, &o[2], &third));
	cr_assert(ip6_eq(third, w->third));
}

Test(pcp, options_survive_the_way_in_every_dialect_that_has_them)
{
	static const uint8_t dialects[] = {PCP_V2, PCP_V1A, PCP_V1B, PCP_V1C};
	struct rng r;

	rng_init_u64(&r, 129);
	for (unsigned i = 0; i < 20000; i++) {
		struct pcp_message in = random_message(&r, dialects[i % ARRAY_SIZE(dialects)]), out;
		struct pcp_served served = {
			.dialects = SERVES_ALL, .external_ip6 = true, .source = in.client};
		struct wishes wishes = random_wishes(&r);
		struct pcp_option o[3];
		uint8_t msg[PCP_MAX];
		enum pcp_result result;
		size_t len, n;

		in.opcode = PCP_MAP;
		len = write_wishes(msg, &in, &wishes);
		cr_assert_eq(pcp_decode_request(msg, len, &served, &out, &result), PCP_DOOR_OPEN);
		cr_assert_eq(out.dialect, in.dialect);
		cr_assert_eq(pcp_decode_options(msg, len, &out, o, ARRAY_SIZE(o), &n), PCP_SUCCESS);
		cr_assert_eq(n, 3);
		expect_wishes(&out, o, &wishes);
	}
}
