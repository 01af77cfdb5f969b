// SPDX-License-Identifier: Apache-2.0
// The commands there are, as data: what parses a line, what completes it and what explains it read
// the same tables.
#include "posternctl.h"

#define PAIRS_ENDPOINT (PAIR_SUBSCRIBER | PAIR_PROTOCOL | PAIR_PORT)

const struct command commands[SUBJECT_COUNT] = {
	[SUBJECT_VERSION] = {"show", "version", OPERANDS_NONE, 0, 0, "of the daemon"},
	[SUBJECT_STATUS] = {"show", "status", OPERANDS_NONE, 0, 0, "how it is, in a few lines"},
	[SUBJECT_PORTS] = {"show", "ports", OPERANDS_NONE, 0, 0,
		"ports, their interfaces and packets"},
	[SUBJECT_WORKERS] = {"show", "workers", OPERANDS_NONE, 0, 0,
		"what each worker does and holds"},
	[SUBJECT_GROUPS] = {"show", "groups", OPERANDS_NONE, 0, 0,
		"NAT groups: pool and owners, Epoch, PCP"},
	[SUBJECT_SUBSCRIBERS] = {"show", "subscribers", OPERANDS_NONE,
		PAIR_SUBSCRIBER | PAIR_GROUP | PAIR_REALM | PAIR_LIMIT, 0,
		"subscribers, their ports and leases"},
	[SUBJECT_MAPPINGS] = {"show", "mappings", OPERANDS_NONE,
		PAIRS_ENDPOINT | PAIR_EXTERNAL | PAIR_GROUP | PAIR_KIND | PAIR_REALM | PAIR_LIMIT |
			PAIR_DETAIL,
		0, "mappings, with what was asked for"},
	[SUBJECT_LEASES] = {"show", "leases", OPERANDS_NONE,
		PAIR_SUBSCRIBER | PAIR_REALM | PAIR_LIMIT, PAIR_SUBSCRIBER,
		"PEER leases of one subscriber"},
	[SUBJECT_PCP] = {"show", "pcp", OPERANDS_NONE, PAIR_GROUP, 0,
		"PCP by opcode, option, result and dialect"},
	[SUBJECT_CLIENTS] = {"show", "pcp-clients", OPERANDS_NONE,
		PAIR_SUBSCRIBER | PAIR_GROUP | PAIR_REALM | PAIR_TOP, 0,
		"PCP clients, the busiest first"},
	[SUBJECT_COUNTERS] = {"show", "counters", OPERANDS_NONE, PAIR_NONZERO, 0,
		"every counter, with what it means"},
	[SUBJECT_NEIGHBOURS] = {"show", "neighbours", OPERANDS_NONE, PAIR_LIMIT, 0,
		"what ARP has learned"},
	[SUBJECT_SESSIONS] = {"show", "sessions", OPERANDS_NONE,
		PAIRS_ENDPOINT | PAIR_REALM | PAIR_LIMIT, PAIR_SUBSCRIBER,
		"TCP connections and peers of one subscriber"},
	[SUBJECT_POOLS] = {"show", "pools", OPERANDS_NONE, PAIR_GROUP, 0,
		"how full the pools of external addresses are"},
	[SUBJECT_LOG] = {"show", "log", OPERANDS_NONE, 0, 0,
		"where the NAT log goes, and what was lost"},
	[SUBJECT_TRACE] = {"trace", "port", OPERANDS_EXTERNAL, PAIR_PROTOCOL | PAIR_AT, 0,
		"who has, or had, an external port"},
	[SUBJECT_TRACE_OFFLINE] = {"trace", "offline", OPERANDS_EXTERNAL,
		PAIR_PROTOCOL | PAIR_AT | PAIR_CONFIG | PAIR_HISTORY, 0,
		"the same of deterministic groups, from files alone"},
	[SUBJECT_ADD] = {"add", "mapping", OPERANDS_MAPPING,
		PAIR_EXTERNAL | PAIR_LIFETIME | PAIR_DESCRIPTION | PAIR_REALM, 0,
		"an explicit mapping, as if PCP had asked"},
	[SUBJECT_ADD_STATIC] = {"add", "static", OPERANDS_MAPPING, PAIR_EXTERNAL | PAIR_REALM,
		PAIR_EXTERNAL, "a mapping that stays until the daemon ends"},
	[SUBJECT_DELETE] = {"delete", "mapping", OPERANDS_MAPPING, PAIR_REALM, 0,
		"one mapping, at once"},
	[SUBJECT_CLEAR] = {"clear", "subscriber", OPERANDS_SUBSCRIBER, PAIR_REALM, 0,
		"all dynamic mappings of one subscriber"},
	[SUBJECT_CLEAR_GROUP] = {"clear", "group", OPERANDS_GROUP, 0, 0,
		"all dynamic mappings of a NAT group"},
	[SUBJECT_RESET_EPOCH] = {"reset", "epoch", OPERANDS_GROUP, 0, 0,
		"make a group's PCP clients ask anew"},
	[SUBJECT_CHECK] = {"config", "check", OPERANDS_FILE, 0, 0, "say what is wrong with a file"},
	[SUBJECT_APPLY] = {"config", "apply", OPERANDS_FILE_MAYBE, 0, 0, "put it in force"},
	[SUBJECT_CONFIG] = {"config", "show", OPERANDS_NONE, 0, 0, "the configuration in force"},
};

static const struct {
	const char *verb, *about;
} verbs[] = {
	{"show", "look at something"},
	{"trace", "find out who had an external port"},
	{"add", "make a mapping"},
	{"delete", "remove a mapping"},
	{"clear", "remove many mappings"},
	{"reset", "begin an Epoch anew"},
	{"config", "check and change the configuration"},
};

static const struct pair_word pair_words[] = {
	{"subscriber", PAIR_SUBSCRIBER, VALUE_ADDRESS, "the inside host"},
	{"external", PAIR_EXTERNAL, VALUE_EXTERNAL, "the outside endpoint"},
	{"protocol", PAIR_PROTOCOL, VALUE_PROTOCOL, "udp, tcp or icmp"},
	{"port", PAIR_PORT, VALUE_PORT, "the internal port"},
	{"group", PAIR_GROUP, VALUE_GROUP, "a NAT group"},
	{"kind", PAIR_KIND, VALUE_KIND, "how it came to be"},
	{"realm", PAIR_REALM, VALUE_REALM, "an inside interface"},
	{"nonzero", PAIR_NONZERO, VALUE_NONE, "only what moved"},
	{"limit", PAIR_LIMIT | PAIR_TOP, VALUE_LIMIT, "rows at most"},
	{"detail", PAIR_DETAIL, VALUE_NONE, "filters and descriptions too"},
	{"lifetime", PAIR_LIFETIME, VALUE_LIFETIME, "seconds, or 30m, 12h, 7d"},
	{"description", PAIR_DESCRIPTION, VALUE_TEXT, "a text kept with it"},
	{"at", PAIR_AT, VALUE_TIME, "at that time, UTC"},
	{"config", PAIR_CONFIG, VALUE_FILE, "a configuration"},
	{"history", PAIR_HISTORY, VALUE_FILE, "the history of deterministic plans"},
	{"address", PAIR_SUBSCRIBER, VALUE_ADDRESS, NULL}, // other words for the same: not offered
	{"top", PAIR_TOP, VALUE_LIMIT, NULL},
};

static const struct {
	const char *word, *about;
} protocols[] = {{"udp", NULL}, {"tcp", NULL}, {"icmp", NULL}},
  kinds[] = {{"implicit", "made by a packet"}, {"explicit", "asked for with MAP"},
	  {"peer", "asked for with PEER"}, {"static", "of the configuration or the operator"},
	  {"resting", "in hold-down"}};

const struct command *grammar_find(const char *verb, const char *what)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(verb, commands[i].verb) == 0 && strcmp(what, commands[i].what) == 0)
			return &commands[i];
	}
	return NULL;
}

const struct pair_word *grammar_pair(const struct command *command, const char *word)
{
	for (size_t i = 0; i < ARRAY_SIZE(pair_words); i++) {
		if ((command->pairs & pair_words[i].pair) && strcmp(word, pair_words[i].name) == 0)
			return &pair_words[i];
	}
	return NULL;
}

// ---- lists for complaints --------------------------------------------------------------------

static void append(char *out, size_t size, const char *word)
{
	size_t used = strlen(out);

	snprintf(out + used, size - used, "%s%s", used ? ", " : "", word);
}

void grammar_list_verbs(char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		append(out, size, verbs[i].verb);
}

void grammar_list_whats(const char *verb, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].verb, verb) == 0)
			append(out, size, commands[i].what);
	}
}

void grammar_list_pairs(const struct command *command, char *out, size_t size)
{
	out[0] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(pair_words); i++) {
		if ((command->pairs & pair_words[i].pair) && pair_words[i].about)
			append(out, size, pair_words[i].name);
	}
}

// ---- what may come next ----------------------------------------------------------------------

static void expect_word(struct expected *e, const char *word, const char *about)
{
	if (e->n == ARRAY_SIZE(e->list))
		return;
	e->list[e->n].word = word;
	e->list[e->n++].about = about;
}

static void expect_value(struct expected *e, enum value value)
{
	static const char *const titles[] = {[VALUE_ADDRESS] = "ADDRESS",
		[VALUE_ENDPOINT] = "ADDRESS:PORT",
		[VALUE_EXTERNAL] = "ADDRESS[:PORT]",
		[VALUE_PROTOCOL] = NULL,
		[VALUE_PORT] = "PORT",
		[VALUE_GROUP] = "NAME of a NAT group",
		[VALUE_REALM] = "NAME of an inside interface",
		[VALUE_KIND] = NULL,
		[VALUE_LIMIT] = "NUMBER",
		[VALUE_LIFETIME] = "SECONDS, or 30m, 12h, 7d",
		[VALUE_TEXT] = "TEXT",
		[VALUE_FILE] = "FILE",
		[VALUE_TIME] = "2026-11-23T10:15:00Z, or -10m"};

	e->value = value;
	e->title = titles[value];
	for (size_t i = 0; value == VALUE_PROTOCOL && i < ARRAY_SIZE(protocols); i++)
		expect_word(e, protocols[i].word, protocols[i].about);
	for (size_t i = 0; value == VALUE_KIND && i < ARRAY_SIZE(kinds); i++)
		expect_word(e, kinds[i].word, kinds[i].about);
}

// Where a mapping's endpoint is spelt: both orders are understood.
static size_t expect_mapping(const char *const *words, size_t n, struct expected *e)
{
	bool address_first = n > 0 && value_is_address(words[0]);

	if (n == 0) {
		expect_value(e, VALUE_PROTOCOL);
		expect_value(e, VALUE_ADDRESS);
	} else if (n == 1) {
		expect_value(e, address_first ? VALUE_PROTOCOL : VALUE_ENDPOINT);
	} else if (n == 2 && address_first) {
		expect_value(e, VALUE_PORT);
	} else {
		return address_first ? 3 : 2;
	}
	return 0;
}

// How many of the words are operands; 0 with *e filled when the next one is.
static size_t expect_operands(
	const struct command *command, const char *const *words, size_t n, struct expected *e)
{
	switch (command->operands) {
	case OPERANDS_MAPPING:
		return expect_mapping(words, n, e);
	case OPERANDS_EXTERNAL:
		if (n == 0)
			expect_value(e, VALUE_ENDPOINT);
		return n > 0;
	case OPERANDS_SUBSCRIBER:
		if (n == 0)
			expect_value(e, VALUE_ADDRESS);
		return n > 0;
	case OPERANDS_GROUP:
		if (n == 0 || (n == 1 && strcmp(words[0], "group") == 0))
			expect_value(e, VALUE_GROUP);
		return n;
	case OPERANDS_FILE:
	case OPERANDS_FILE_MAYBE:
		if (n == 0)
			expect_value(e, VALUE_FILE);
		return n > 0;
	case OPERANDS_NONE:
		break;
	}
	return 0;
}

static void expect_pairs(
	const struct command *command, const char *const *words, size_t n, struct expected *e)
{
	unsigned seen = 0;

	for (size_t i = 0; i < n; i++) {
		const struct pair_word *pair = grammar_pair(command, words[i]);
		if (!pair && (command->pairs & PAIR_SUBSCRIBER) && value_is_address(words[i])) {
			seen |= PAIR_SUBSCRIBER;
			continue;
		}
		if (!pair)
			return;
		seen |= pair->pair;
		if (pair->value == VALUE_NONE)
			continue;
		if (++i == n) {
			expect_value(e, pair->value);
			return;
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pair_words); i++) {
		const struct pair_word *pair = &pair_words[i];
		if ((command->pairs & ~seen & pair->pair) && pair->about)
			expect_word(e, pair->name, pair->about);
	}
	if (command->pairs & ~seen & PAIR_SUBSCRIBER)
		expect_value(e, VALUE_ADDRESS);
}

void grammar_expect(const char *const *words, size_t n, struct expected *out)
{
	const struct command *command = n < 2 ? NULL : grammar_find(words[0], words[1]);

	*out = (struct expected){0};
	for (size_t i = 0; n == 0 && i < ARRAY_SIZE(verbs); i++)
		expect_word(out, verbs[i].verb, verbs[i].about);
	for (size_t i = 0; n == 1 && i < ARRAY_SIZE(commands); i++) {
		if (strcmp(commands[i].verb, words[0]) == 0)
			expect_word(out, commands[i].what, commands[i].about);
	}
	if (!command)
		return;
	size_t operands = expect_operands(command, words + 2, n - 2, out);
	if (!out->value)
		expect_pairs(command, words + 2 + operands, n - 2 - operands, out);
}
