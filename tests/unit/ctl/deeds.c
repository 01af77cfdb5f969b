// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOST 0x64500001u // 100.80.0.1: of the realm "inside" alone

// One request of its own connection; the answer's error code must be `code` ("": none).
static json_t *expect(struct lab *lab, const char *request, const char *code)
{
	int fd = lab_connect(lab);
	json_t *answer = lab_ask(lab, fd, request, NULL);

	cr_assert_str_eq(lab_code(answer), code, "%s", request);
	close(fd);
	return answer;
}

static char *addition(char *out, size_t size, const char *what, const char *rest)
{
	snprintf(out, size,
		"{\"cmd\":\"add\",\"what\":\"%s\",\"key\":{\"subscriber\":\"100.80.0.1\",%s}}",
		what, rest);
	return out;
}

static const char *message_of(const json_t *answer)
{
	return json_string_value(json_object_get(json_object_get(answer, "error"), "message"));
}

Test(ctl, adds_a_mapping_at_its_owner)
{
	struct lab *lab = lab_open();
	struct shard *owner = &lab->io.shards[conf_inside_owner(lab->io.conf, HOST)];
	const struct shard_wish *w = &owner->last_wish;
	char request[256];

	json_t *answer = expect(lab,
		addition(request, sizeof request, "mapping",
			"\"protocol\":\"tcp\",\"port\":80,\"external\":\"203.0.113.1:4000\","
			"\"lifetime\":3600,\"description\":\"web\""),
		"");
	cr_assert_eq(w->kind, SHARD_ADD_MAPPING);
	cr_assert_eq(w->key.host, HOST);
	cr_assert_eq(w->key.port, 80);
	cr_assert_eq(w->key.protocol, NAT_TCP);
	cr_assert_str_eq(row_realm_name(lab->io.conf, w->key.realm), "inside");
	cr_assert_eq(w->external.addr, 0xcb007101u);
	cr_assert_eq(w->external.port, 4000);
	cr_assert_eq(w->lifetime_s, 3600u);
	cr_assert_eq(w->text_length, 3);
	cr_assert_eq(memcmp(w->text, "web", 3), 0);
	char *done = json_dumps(json_object_get(answer, "done"), JSON_COMPACT);
	cr_assert_not_null(strstr(done, "\"external_port\":4000"));
	cr_assert_not_null(strstr(done, "\"lifetime_left_s\":3600"));
	cr_assert_not_null(strstr(done, "\"operator\":true"));
	free(done);
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, adds_a_mapping_for_as_long_as_its_group_allows)
{
	struct lab *lab = lab_open();
	struct shard *owner = &lab->io.shards[conf_inside_owner(lab->io.conf, HOST)];
	char request[256];

	json_decref(expect(lab,
		addition(request, sizeof request, "mapping", "\"protocol\":\"udp\",\"port\":80"),
		""));
	cr_assert_eq(owner->last_wish.lifetime_s, lab->io.conf->groups[0].pcp.lifetime_max_s);
	cr_assert_eq(owner->last_wish.external.addr, 0u);
	lab_close(lab);
}

Test(ctl, adds_a_static_mapping_without_an_end)
{
	struct lab *lab = lab_open();
	struct shard *owner = &lab->io.shards[conf_inside_owner(lab->io.conf, HOST)];
	char request[256];

	json_t *answer = expect(lab,
		addition(request, sizeof request, "static",
			"\"protocol\":\"tcp\",\"port\":22,\"external\":\"203.0.113.1:22\""),
		"");
	cr_assert_eq(owner->last_wish.kind, SHARD_ADD_MAPPING);
	cr_assert_eq(owner->last_wish.lifetime_s, 0u);
	cr_assert_str_eq(
		json_string_value(json_object_get(json_object_get(answer, "done"), "kind")),
		"static");
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, refuses_additions_before_it_asks_a_worker)
{
	static const struct {
		const char *what, *rest, *code, *words;
	} cases[] = {
		{"mapping", "\"protocol\":\"icmp\",\"port\":1", "bad-request", "udp and tcp"},
		{"mapping", "\"protocol\":\"tcp\",\"port\":0", "bad-request", "1 to 65535"},
		{"mapping", "\"protocol\":\"udp\",\"port\":5351", "bad-request", "belong to PCP"},
		{"mapping", "\"protocol\":\"udp\",\"port\":1,\"external\":\"203.0.113.1:5350\"",
			"bad-request", "belong to PCP"},
		{"static", "\"protocol\":\"tcp\",\"port\":1,\"external\":\"203.0.113.1\"",
			"bad-request", "with :PORT"},
		{"static", "\"protocol\":\"tcp\",\"port\":1,\"external\":\"203.0.113.9:1\"",
			"not-found", "no external address of NAT group \"residential\""},
		{"static", "\"protocol\":\"tcp\",\"port\":1,\"external\":\"192.0.2.16:1\"",
			"not-found", "no external address of NAT group \"residential\""},
		{"mapping", "\"protocol\":\"tcp\",\"port\":1,\"realm\":\"office\"", "not-found",
			"no NAT group has this subscriber"},
	};
	struct lab *lab = lab_open();
	char request[256];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		json_t *answer =
			expect(lab, addition(request, sizeof request, cases[i].what, cases[i].rest),
				cases[i].code);
		cr_assert_not_null(
			strstr(message_of(answer), cases[i].words), "%s", message_of(answer));
		json_decref(answer);
	}
	cr_assert_eq(lab->io.shards[0].n_wishes + lab->io.shards[1].n_wishes, 0u);
	lab_close(lab);
}

Test(ctl, says_what_to_do_when_a_worker_cannot_add)
{
	static const struct {
		int error;
		const char *code, *words;
	} cases[] = {
		{-EXDEV, "other-worker", "belongs to worker"},
		{-EEXIST, "exists", "delete that one first"},
		{-EAGAIN, "hold-down", "try again in"},
		{-EDQUOT, "quota", "mappings-per-subscriber"},
		{-ENOSPC, "full", "show workers"},
		{-ENOENT, "not-found", "external address"},
		{-EPERM, "static", "change it there"},
		{-EIO, "failed", "Input/output"},
	};
	struct lab *lab = lab_open();
	struct shard *owner = &lab->io.shards[conf_inside_owner(lab->io.conf, HOST)];
	char request[256];

	addition(request, sizeof request, "mapping",
		"\"protocol\":\"tcp\",\"port\":80,\"external\":\"203.0.113.1:4000\"");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		owner->deed_error = cases[i].error;
		json_t *answer = expect(lab, request, cases[i].code);
		cr_assert_not_null(
			strstr(message_of(answer), cases[i].words), "%s", message_of(answer));
		json_decref(answer);
	}
	lab_close(lab);
}

Test(ctl, refuses_deeds_to_groups_that_are_not_there)
{
	struct lab *lab = lab_open();

	json_decref(
		expect(lab, "{\"cmd\":\"clear\",\"what\":\"group\",\"key\":{\"group\":\"gone\"}}",
			"not-found"));
	json_decref(
		expect(lab, "{\"cmd\":\"reset\",\"what\":\"epoch\",\"key\":{\"group\":\"gone\"}}",
			"not-found"));
	cr_assert_eq(lab->io.n_resets, 0u);
	lab_close(lab);
}
