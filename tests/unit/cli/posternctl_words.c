// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <criterion/criterion.h>

static char why[256];

static bool parse(struct words *w, char *line)
{
	static char program[] = "posternctl";
	char *argv[32] = {program};
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
	{"show mappings 100.64.0.10", "{\"cmd\":\"show\",\"what\":\"mappings\","
				      "\"filter\":{\"subscriber\":\"100.64.0.10\"}}"},
	{"show mappings subscriber 100.64.0.10 protocol tcp port 80 kind explicit",
		"{\"cmd\":\"show\",\"what\":\"mappings\",\"filter\":{\"subscriber\":\"100.64.0."
		"10\","
		"\"protocol\":\"tcp\",\"port\":80,\"kind\":\"explicit\"}}"},
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
	{"delete mapping tcp 100.64.0.10:8080 realm in",
		"{\"cmd\":\"delete\",\"what\":\"mapping\",\"key\":{\"protocol\":\"tcp\","
		"\"port\":8080,\"subscriber\":\"100.64.0.10\",\"realm\":\"in\"}}"},
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
	{"", "show status"},
	{"show", "version, status"},
	{"show maps", "mappings"},
	{"list mappings", "show, delete, clear, config"},
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
	{"show mappings kind dead", "implicit, explicit, static or resting"},
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
