// SPDX-License-Identifier: Apache-2.0
#include "request.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static bool parse(const char *line, struct request *r, struct refusal *why)
{
	return request_parse(line, strlen(line), r, why);
}

Test(ctl, reads_every_filter_of_a_walk)
{
	struct refusal why;
	struct request r;

	cr_assert(
		parse("{\"cmd\":\"show\",\"what\":\"mappings\",\"limit\":7,\"cursor\":\"3:99\","
		      "\"filter\":{\"subscriber\":\"100.64.0.10\",\"external\":"
		      "\"203.0.113.1:4000\",\"protocol\":\"tcp\",\"port\":80,"
		      "\"group\":\"residential\",\"kind\":\"dynamic-explicit\",\"realm\":\"in\"}}",
			&r, &why));
	cr_assert_eq(r.kind, REQUEST_SHOW_MAPPINGS);
	cr_assert_eq(r.limit, 7);
	cr_assert_eq(r.shard, 3);
	cr_assert_eq(r.cursor, 99);
	cr_assert_eq(r.filter.subscriber, 0x6440000au);
	cr_assert_eq(r.filter.external, 0xcb007101u);
	cr_assert(r.filter.has_external_port && r.filter.external_port == 4000);
	cr_assert_eq(r.filter.protocol, NAT_TCP);
	cr_assert(r.filter.has_port && r.filter.port == 80);
	cr_assert_eq(r.filter.kinds, 1 << NAT_EXPLICIT);
	cr_assert_str_eq(r.filter.group, "residential");
	cr_assert_str_eq(r.filter.realm, "in");
	request_fini(&r);
}

Test(ctl, understands_short_names_of_kinds)
{
	struct refusal why;
	struct request r;

	cr_assert(parse("{\"cmd\":\"show\",\"what\":\"mappings\","
			"\"filter\":{\"kind\":\"implicit\"}}",
		&r, &why));
	cr_assert_eq(r.filter.kinds, 1 << NAT_IMPLICIT);
	cr_assert_eq(r.limit, REQUEST_LIMIT);
	request_fini(&r);
}

Test(ctl, reads_a_mapping_to_be_added)
{
	struct refusal why;
	struct request r;

	cr_assert(parse("{\"cmd\":\"add\",\"what\":\"mapping\",\"key\":{\"subscriber\":"
			"\"100.64.0.10\",\"protocol\":\"udp\",\"port\":80,\"external\":"
			"\"203.0.113.1:4000\",\"lifetime\":3600,\"description\":\"caf\u00e9\"}}",
		&r, &why));
	cr_assert_eq(r.kind, REQUEST_ADD_MAPPING);
	cr_assert_eq(r.filter.lifetime_s, 3600u);
	cr_assert_eq(r.filter.description_length, 5u);
	cr_assert_eq(memcmp(r.filter.description, "caf\xc3\xa9", 5), 0);
	cr_assert_eq(r.filter.external_port, 4000);
	request_fini(&r);
}

Test(ctl, reads_what_a_walk_shall_show)
{
	struct refusal why;
	struct request r;

	cr_assert(parse("{\"cmd\":\"show\",\"what\":\"mappings\",\"detail\":true,"
			"\"filter\":{\"kind\":\"peer\"}}",
		&r, &why));
	cr_assert(r.detail);
	cr_assert_eq(r.filter.kinds, 1 << NAT_PEER);
	request_fini(&r);
	cr_assert(parse("{\"cmd\":\"show\",\"what\":\"pcp-clients\"}", &r, &why));
	cr_assert_eq(r.limit, REQUEST_TOP);
	request_fini(&r);
	cr_assert(parse(
		"{\"cmd\":\"reset\",\"what\":\"epoch\",\"key\":{\"group\":\"a\"}}", &r, &why));
	cr_assert_str_eq(r.filter.group, "a");
	request_fini(&r);
}

#define ADD(rest)                                                                                  \
	"{\"cmd\":\"add\",\"what\":\"mapping\",\"key\":{\"subscriber\":\"1.2.3.4\","               \
	"\"protocol\":\"tcp\",\"port\":1," rest "}}"

static const struct {
	const char *line, *code, *words;
} wrong[] = {
	{ADD("\"lifetime\":0"), "bad-request", "31536000"},
	{ADD("\"lifetime\":31536001"), "bad-request", "31536000"},
	{ADD("\"lifetime\":\"1h\""), "bad-request", "31536000"},
	{ADD("\"description\":7"), "bad-request", "128 octets"},
	{ADD("\"nonce\":\"00\""), "bad-request", "knows no \"nonce\""},
	{"{\"cmd\":\"add\",\"what\":\"static\",\"key\":{\"subscriber\":\"1.2.3.4\",\"protocol\":"
	 "\"tcp\",\"port\":1}}",
		"bad-request", "\"external\" must be given"},
	{"{\"cmd\":\"clear\",\"what\":\"group\"}", "bad-request", "\"key\" must be given"},
	{"{\"cmd\":\"reset\",\"what\":\"epoch\",\"key\":{}}", "bad-request",
		"\"group\" must be given"},
	{"{\"cmd\":\"show\",\"what\":\"leases\"}", "bad-request", "\"filter\" must be given"},
	{"{\"cmd\":\"show\",\"what\":\"leases\",\"filter\":{}}", "bad-request",
		"\"subscriber\" must be given"},
	{"{\"cmd\":\"show\",\"what\":\"pcp-clients\",\"limit\":1001}", "bad-request", "1000"},
	{"{\"cmd\":\"show\",\"what\":\"pcp-clients\",\"cursor\":\"0:0\"}", "bad-request",
		"knows no \"cursor\""},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"detail\":1}", "bad-request", "true or false"},
	{"", "bad-json", "not a line of JSON"},
	{"show status", "bad-json", "not a line of JSON"},
	{"[]", "bad-request", "\"cmd\" and \"what\""},
	{"7", "bad-json", ""},
	{"{\"cmd\":\"show\",\"what\":\"status\"} x", "bad-json", ""},
	{"{\"cmd\":\"show\",\"cmd\":\"show\",\"what\":\"status\"}", "bad-json", "duplicate"},
	{"{\"cmd\":\"show\",\"what\":7}", "bad-request", "\"cmd\" and \"what\""},
	{"{\"cmd\":\"show\",\"what\":\"maps\"}", "bad-request", "show maps"},
	{"{\"cmd\":\"show\",\"what\":\"status\",\"limit\":1}", "bad-request", "knows no \"limit\""},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"limit\":0}", "bad-request", "limit"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"limit\":10001}", "bad-request", "limit"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"cursor\":\"1\"}", "bad-request", "cursor"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"cursor\":\"1:2x\"}", "bad-request", "cursor"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":[]}", "bad-request", "an object"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"subscribr\":\"1.2.3.4\"}}",
		"bad-request", "knows no \"subscribr\""},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"subscriber\":\"1.2.3\"}}",
		"bad-request", "an IPv4 address"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"subscriber\":\"0.0.0.0\"}}",
		"bad-request", "an IPv4 address"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"external\":\"1.2.3.4:\"}}",
		"bad-request", ":PORT"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"external\":\"1.2.3.4:65536\"}}",
		"bad-request", ":PORT"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"external\":\"1.2.3.4:-1\"}}",
		"bad-request", ":PORT"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"port\":65536}}", "bad-request",
		"65535"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"port\":\"80\"}}", "bad-request",
		"65535"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"protocol\":\"sctp\"}}",
		"bad-request", "udp"},
	{"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"kind\":\"absent\"}}", "bad-request",
		"static"},
	{"{\"cmd\":\"show\",\"what\":\"counters\",\"filter\":{\"nonzero\":1}}", "bad-request",
		"true or false"},
	{"{\"cmd\":\"delete\",\"what\":\"mapping\"}", "bad-request", "\"key\" must be given"},
	{"{\"cmd\":\"delete\",\"what\":\"mapping\",\"key\":{\"protocol\":\"tcp\",\"port\":1}}",
		"bad-request", "\"subscriber\" must be given"},
	{"{\"cmd\":\"delete\",\"what\":\"mapping\",\"filter\":{}}", "bad-request",
		"knows no \"filter\""},
	{"{\"cmd\":\"clear\",\"what\":\"subscriber\",\"key\":{\"group\":\"a\"}}", "bad-request",
		"knows no \"group\""},
	{"{\"cmd\":\"config\",\"what\":\"check\",\"file\":\"\"}", "bad-request", "absolute path"},
	{"{\"cmd\":\"config\",\"what\":\"check\",\"file\":\"a.yaml\"}", "bad-request",
		"absolute path"},
	{"{\"cmd\":\"config\",\"what\":\"check\",\"text\":7}", "bad-request", "a configuration"},
};

Test(ctl, says_what_is_wrong_with_a_request)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		struct refusal why;
		struct request r;
		cr_assert(!parse(wrong[i].line, &r, &why), "%s", wrong[i].line);
		cr_assert_str_eq(why.code, wrong[i].code, "%s: %s", wrong[i].line, why.code);
		cr_assert_not_null(
			strstr(why.message, wrong[i].words), "%s: %s", wrong[i].line, why.message);
	}
}

static char *long_request(const char *head, size_t padding, const char *tail)
{
	size_t size = strlen(head) + padding + strlen(tail) + 1;
	char *line = malloc(size);

	strcpy(line, head);
	memset(line + strlen(head), 'x', padding);
	strcpy(line + strlen(head) + padding, tail);
	return line;
}

Test(ctl, lets_only_a_configuration_be_long)
{
	char *group =
		long_request("{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"group\":\"",
			REQUEST_LINE, "\"}}");
	char *text = long_request(
		"{\"cmd\":\"config\",\"what\":\"check\",\"text\":\"", REQUEST_LINE, "\"}");
	struct refusal why;
	struct request r;

	cr_assert(!parse(group, &r, &why));
	cr_assert_str_eq(why.code, "too-long");
	cr_assert(parse(text, &r, &why));
	cr_assert_eq(r.text_length, (size_t)REQUEST_LINE);
	request_fini(&r);
	free(group);
	free(text);
}

// Any octets at all are either a request or a complaint, never an accident.
Test(ctl, survives_mutilated_requests)
{
	static const char good[] = "{\"cmd\":\"show\",\"what\":\"mappings\",\"limit\":7,\"filter\":"
				   "{\"subscriber\":\"100.64.0.10\",\"port\":80}}";
	struct rng rng;
	unsigned accepted = 0, refused = 0;

	rng_init_u64(&rng, 1);
	for (unsigned i = 0; i < 20000; i++) {
		char line[sizeof good];
		struct refusal why = {.code = NULL};
		struct request r;
		memcpy(line, good, sizeof good);
		for (unsigned k = 0; k < 1 + i % 3; k++)
			line[rng_below(&rng, sizeof good - 1)] = (char)rng_u32(&rng);
		size_t length = i % 2 ? sizeof good - 1 : rng_below(&rng, sizeof good);
		if (request_parse(line, length, &r, &why)) {
			accepted++;
			request_fini(&r);
		} else {
			cr_assert_not_null(why.code);
			refused++;
		}
	}
	cr_assert(accepted > 0 && refused > 1000, "%u %u", accepted, refused);
}
