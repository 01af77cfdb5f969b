// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static char why[256];

static bool parse(struct words *w, char *line)
{
	const char *argv[32] = {"posternctl"};
	int argc = 1;

	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	return words_parse(argc, argv, w, why, sizeof why);
}

static const struct {
	const char *line, *request;
} right[] = {
	{"show status", "{\"cmd\":\"show\",\"what\":\"status\"}"},
	{"show mappings", "{\"cmd\":\"show\",\"what\":\"mappings\"}"},
	{"show mappings 100.64.0.10",
		"{\"cmd\":\"show\",\"what\":\"mappings\","
		"\"filter\":{\"subscriber\":\"100.64.0.10\"},\"detail\":true}"},
	{"show mappings detail kind peer", "{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":"
					   "{\"kind\":\"peer\"},\"detail\":true}"},
	{"show mappings subscriber 100.64.0.10 protocol tcp port 80 kind explicit",
		"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"subscriber\":\"100.64.0."
		"10\","
		"\"protocol\":\"tcp\",\"port\":80,\"kind\":\"explicit\"},\"detail\":true}"},
	{"show mappings external 203.0.113.1:4000 group residential realm in",
		"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"external\":"
		"\"203.0.113.1:4000\",\"group\":\"residential\",\"realm\":\"in\"}}"},
	{"show mappings external 203.0.113.1", "{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":"
					       "{\"external\":\"203.0.113.1\"}}"},
	{"show subscribers address 100.64.0.1 limit 5",
		"{\"cmd\":\"show\",\"what\":\"subscribers\","
		"\"filter\":{\"subscriber\":\"100.64.0.1\"}}"},
	{"show counters nonzero",
		"{\"cmd\":\"show\",\"what\":\"counters\",\"filter\":{\"nonzero\":true}}"},
	{"trace 203.0.113.1:4000", "{\"cmd\":\"trace\",\"what\":\"port\",\"key\":{\"external\":"
				   "\"203.0.113.1:4000\"}}"},
	{"trace port 203.0.113.1:4000 protocol tcp at 2026-11-23T10:15:00Z",
		"{\"cmd\":\"trace\",\"what\":\"port\",\"key\":{\"external\":\"203.0.113.1:4000\","
		"\"protocol\":\"tcp\",\"at\":1795428900000}}"},
	{"show sessions 100.64.0.10 protocol tcp port 80",
		"{\"cmd\":\"show\",\"what\":\"sessions\",\"filter\":{\"subscriber\":"
		"\"100.64.0.10\",\"protocol\":\"tcp\",\"port\":80}}"},
	{"delete mapping tcp 100.64.0.10:8080 realm in",
		"{\"cmd\":\"delete\",\"what\":\"mapping\",\"key\":{\"protocol\":\"tcp\","
		"\"port\":8080,\"subscriber\":\"100.64.0.10\",\"realm\":\"in\"}}"},
	{"delete mapping 100.64.0.10 tcp 8080",
		"{\"cmd\":\"delete\",\"what\":\"mapping\",\"key\":{\"subscriber\":\"100.64.0.10\","
		"\"protocol\":\"tcp\",\"port\":8080}}"},
	{"add mapping 100.64.0.10 tcp 80 external 203.0.113.1:4000 lifetime 1h30m description -w",
		"{\"cmd\":\"add\",\"what\":\"mapping\",\"key\":{\"subscriber\":\"100.64.0.10\","
		"\"protocol\":\"tcp\",\"port\":80,\"external\":\"203.0.113.1:4000\","
		"\"lifetime\":5400,\"description\":\"-w\"}}"},
	{"add static udp 100.64.0.10:53 external 203.0.113.1:53",
		"{\"cmd\":\"add\",\"what\":\"static\",\"key\":{\"protocol\":\"udp\",\"port\":53,"
		"\"subscriber\":\"100.64.0.10\",\"external\":\"203.0.113.1:53\"}}"},
	{"clear group residential",
		"{\"cmd\":\"clear\",\"what\":\"group\",\"key\":{\"group\":\"residential\"}}"},
	{"reset epoch group residential",
		"{\"cmd\":\"reset\",\"what\":\"epoch\",\"key\":{\"group\":\"residential\"}}"},
	{"show leases 100.64.0.10", "{\"cmd\":\"show\",\"what\":\"leases\",\"filter\":"
				    "{\"subscriber\":\"100.64.0.10\"}}"},
	{"show leases subscriber 100.64.0.10", "{\"cmd\":\"show\",\"what\":\"leases\",\"filter\":"
					       "{\"subscriber\":\"100.64.0.10\"}}"},
	{"show pcp group residential", "{\"cmd\":\"show\",\"what\":\"pcp\",\"filter\":"
				       "{\"group\":\"residential\"}}"},
	{"show pcp-clients top 5", "{\"cmd\":\"show\",\"what\":\"pcp-clients\",\"limit\":5}"},
	{"clear subscriber 100.64.0.10", "{\"cmd\":\"clear\",\"what\":\"subscriber\","
					 "\"key\":{\"subscriber\":\"100.64.0.10\"}}"},
	{"config check postern.yaml", "{\"cmd\":\"config\",\"what\":\"check\"}"},
	{"config apply", "{\"cmd\":\"config\",\"what\":\"apply\"}"},
	{"config show --json", "{\"cmd\":\"config\",\"what\":\"show\"}"},
};

Test(posternctl, turns_words_into_a_request)
{
	for (size_t i = 0; i < ARRAY_SIZE(right); i++) {
		char line[160];
		struct words w;
		snprintf(line, sizeof line, "%s", right[i].line);
		cr_assert(parse(&w, line), "%s: %s", right[i].line, why);
		char *text = json_dumps(w.request, JSON_COMPACT);
		cr_assert_str_eq(text, right[i].request);
		free(text);
		words_fini(&w);
	}
}

static const struct {
	const char *line, *words; // words of the explanation
} wrong[] = {
	{"show leases", "ADDRESS of a subscriber"},
	{"show pcp-clients top 1001", "1 to 1000"},
	{"add", "mapping, static"},
	{"add mapping", "PROTOCOL ADDRESS:PORT"},
	{"add mapping 100.64.0.1 tcp", "PROTOCOL PORT"},
	{"add mapping 100.64.0.1 tcp 65536", "no port"},
	{"add mapping tcp 100.64.0.1:1 lifetime 0", "no lifetime"},
	{"add mapping tcp 100.64.0.1:1 lifetime 1h30", "no lifetime"},
	{"add mapping tcp 100.64.0.1:1 lifetime 366d", "no lifetime"},
	{"add mapping tcp 100.64.0.1:1 text x", "external, realm, lifetime, description"},
	{"add static tcp 100.64.0.1:1", "external ADDRESS:PORT"},
	{"clear group", "NAME of a NAT group"},
	{"reset epoch group", "NAME of a NAT group"},
	{"reset epoch a b", "takes nothing more"},
	{"show", "version, status"},
	{"show maps", "mappings"},
	{"list mappings", "show, trace, add, delete, clear, reset, config"},
	{"trace", "port, offline"},
	{"trace port", "ADDRESS:PORT"},
	{"trace 203.0.113.1:4000 at noon", "no time"},
	{"trace offline 203.0.113.1:4000", "config FILE"},
	{"trace offline 203.0.113.1:4000 config a history b", "either"},
	{"show sessions", "ADDRESS of a subscriber"},
	{"show status now", "takes nothing more"},
	{"show mappings subscribr 100.64.0.1", "subscriber, external, protocol, port, group, kind"},
	{"show mappings subscriber", "needs a value"},
	{"show mappings subscriber 100.64.0", "no IPv4 address"},
	{"show mappings port 65536", "no port"},
	{"show mappings port -1", "unknown option"},
	{"show mappings port 8x", "no port"},
	{"show mappings limit 0", "no number of rows"},
	{"show mappings limit 99999999999999999999", "no number of rows"},
	{"show mappings protocol sctp", "udp, tcp or icmp"},
	{"show mappings kind dead", "implicit, explicit, peer, static or resting"},
	{"show mappings external 203.0.113.1:", "ADDRESS:PORT"},
	{"show mappings external 203.0.113.1:70000", "ADDRESS:PORT"},
	{"show subscribers port 1", "subscriber, group, realm, limit"},
	{"delete mapping tcp", "PROTOCOL ADDRESS:PORT"},
	{"delete mapping tcp 100.64.0.1", "ADDRESS:PORT"},
	{"delete mapping 100.64.0.1:1 tcp", "udp, tcp or icmp"},
	{"clear subscriber", "ADDRESS"},
	{"clear subscriber x", "no IPv4 address"},
	{"config check", "FILE"},
	{"config apply a b", "takes nothing more"},
	{"--socket", "needs a path"},
	{"--sockets x show status", "unknown option"},
};

Test(posternctl, explains_words_that_make_no_command)
{
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		char line[160];
		struct words w;
		snprintf(line, sizeof line, "%s", wrong[i].line);
		cr_assert(!parse(&w, line), "%s", wrong[i].line);
		cr_assert_not_null(strstr(why, wrong[i].words), "%s: %s", wrong[i].line, why);
		words_fini(&w);
	}
}

Test(posternctl, is_a_shell_without_a_command)
{
	static const char *const lines[] = {"", "shell", "--json", "-s /x shell --no-color"};

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		char line[64];
		struct words w;
		snprintf(line, sizeof line, "%s", lines[i]);
		cr_assert(parse(&w, line), "%s", why);
		cr_assert(w.shell, "%s", lines[i]);
		cr_assert_null(w.request);
		words_fini(&w);
	}
}

Test(posternctl, reads_spans_of_time)
{
	static const struct {
		const char *text;
		uint64_t seconds; // 0: refused
	} cases[] = {{"1", 1}, {"90", 90}, {"30m", 1800}, {"1h30m", 5400}, {"7d", 604800},
		{"365d", 31536000}, {"31536000", 31536000}, {"31536001", 0}, {"0", 0}, {"0m", 0},
		{"", 0}, {"m", 0}, {"1x", 0}, {"-1", 0}, {"1m1", 0}, {"99999999999999999999h", 0}};
	uint64_t seconds;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		bool read = value_seconds(cases[i].text, &seconds);
		cr_assert_eq(read, cases[i].seconds > 0, "%s", cases[i].text);
		cr_assert(!read || seconds == cases[i].seconds, "%s", cases[i].text);
	}
}

Test(posternctl, takes_a_description_as_long_as_the_daemon_keeps)
{
	char text[140] = "";
	const char *argv[] = {
		"posternctl", "add", "mapping", "tcp", "100.64.0.1:1", "description", text};
	struct words w;

	memset(text, 'x', 128);
	cr_assert(words_parse(7, argv, &w, why, sizeof why), "%s", why);
	words_fini(&w);
	memset(text, 'x', 129);
	cr_assert(!words_parse(7, argv, &w, why, sizeof why));
	words_fini(&w);
	strcpy(text, "\xff");
	cr_assert(!words_parse(7, argv, &w, why, sizeof why));
	cr_assert_not_null(strstr(why, "UTF-8"));
	words_fini(&w);
}

// Every command of the grammar is in the help, and the help names no other.
Test(posternctl, help_has_every_command)
{
	char *text = NULL;
	size_t size, lines = 0;
	FILE *out = open_memstream(&text, &size);

	words_help(out);
	fclose(out);
	for (size_t i = 0; i < SUBJECT_COUNT; i++) {
		char head[40];
		snprintf(head, sizeof head, "\n  %s %s", commands[i].verb, commands[i].what);
		cr_assert_not_null(strstr(text, head), "%s", head);
	}
	for (const char *line = text; (line = strstr(line, "\n  ")); line++)
		lines += line[3] >= 'a' && line[3] <= 'z' && strncmp(line + 3, "posternctl", 10);
	cr_assert_eq(lines, SUBJECT_COUNT);
	free(text);
}

Test(posternctl, helps_with_one_verb)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	cr_assert(words_help_verb("add", out));
	cr_assert(!words_help_verb("ad", out));
	fclose(out);
	cr_assert_not_null(strstr(text, "add static"));
	cr_assert_not_null(strstr(text, "[description TEXT]"));
	cr_assert_null(strstr(text, "delete"));
	free(text);
}

Test(posternctl, takes_options_anywhere)
{
	char line[] = "--json show -s /tmp/x.sock subscribers --no-color limit 7";
	struct words w;

	cr_assert(parse(&w, line), "%s", why);
	cr_assert(w.json && w.plain && w.paged && !w.help);
	cr_assert_str_eq(w.socket, "/tmp/x.sock");
	cr_assert_eq(w.limit, 7);
	cr_assert_eq(w.subject, SUBJECT_SUBSCRIBERS);
	words_fini(&w);
}

Test(posternctl, sends_a_file_named_on_the_command_line)
{
	char check[] = "config check -", apply[] = "config apply --socket=/x a.yaml";
	struct words w;

	cr_assert(parse(&w, check), "%s", why);
	cr_assert_str_eq(w.file, "-");
	words_fini(&w);
	cr_assert(parse(&w, apply), "%s", why);
	cr_assert_str_eq(w.file, "a.yaml");
	cr_assert_str_eq(w.socket, "/x");
	words_fini(&w);
}
