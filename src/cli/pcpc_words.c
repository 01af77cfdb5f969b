// SPDX-License-Identifier: Apache-2.0
// The command and what follows it, and whether all that was said fits together.
#include "pcpc.h"

#include <stdio.h>

static const char *const names[] = {
	[PCPC_ANNOUNCE] = "announce",
	[PCPC_MAP] = "map",
	[PCPC_PEER] = "peer",
	[PCPC_RENEW] = "renew",
	[PCPC_DELETE] = "delete",
	[PCPC_GET] = "get",
	[PCPC_ADDRESS] = "address",
	[PCPC_WATCH] = "watch",
	[PCPC_LIST] = "list",
	[PCPC_PROBE] = "probe",
};

const char *pcpc_command_word(unsigned i)
{
	if (i >= ARRAY_SIZE(names))
		return NULL;
	return i == PCPC_DELETE ? "unmap" : names[i];
}

static bool find_command(const char *word, enum pcpc_command *out)
{
	if (strcmp(word, "unmap") == 0)
		word = names[PCPC_DELETE];
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(word, names[i]) == 0) {
			*out = (enum pcpc_command)i;
			return true;
		}
	}
	return false;
}

static bool read_protocol(struct pcpc_options *o, const char *word)
{
	if (strcmp(word, "all") == 0)
		return true;
	return pcpc_parse_protocol(word, &o->mapping.protocol) ||
	       pcpc_wrong("protocol", word, "tcp, udp, all or a number from 1 to 255");
}

static bool read_port(struct pcpc_options *o, const char *word)
{
	uint32_t port;

	if (strcmp(word, "all") == 0) {
		o->mapping.wildcard = true;
		return true;
	}
	if (!pcpc_parse_number(word, 65535, &port) || port == 0)
		return pcpc_wrong("port", word, "a port from 1 to 65535, or all");
	o->mapping.internal_port = (uint16_t)port;
	return true;
}

static bool read_peer(struct pcpc_options *o, const char *word)
{
	if (pcpc_parse_endpoint(word, 0, &o->mapping.peer) && o->mapping.peer.port != 0)
		return true;
	return pcpc_wrong("remote host", word, "ADDR:PORT or [ADDR]:PORT");
}

static bool takes(const char *command, int n, int least, int most, const char *what)
{
	if (n >= least && n <= most)
		return true;
	pcpc_complain("'%s' takes %s", command, what);
	return false;
}

static bool read_arguments(struct pcpc_options *o, const char *command, int n, char **words)
{
	switch (o->command) {
	case PCPC_MAP:
	case PCPC_RENEW:
	case PCPC_DELETE:
		return takes(command, n, 2, 2, "PROTOCOL and PORT") && read_protocol(o, words[0]) &&
		       read_port(o, words[1]);
	case PCPC_PEER:
		return takes(command, n, 3, 3, "PROTOCOL, PORT and REMOTE:PORT") &&
		       read_protocol(o, words[0]) && read_port(o, words[1]) &&
		       read_peer(o, words[2]);
	case PCPC_GET:
		return takes(command, n, 0, 2, "PROTOCOL and PORT, or less") &&
		       (n < 1 || read_protocol(o, words[0])) && (n < 2 || read_port(o, words[1]));
	default:
		return takes(command, n, 0, 0, "no further words");
	}
}

// probe --raw 0201..: the octets may come as several words.
static bool read_datagram(struct pcpc_options *o, int n, char **words)
{
	char text[4 * PCPC_LARGEST];
	size_t at = 0;

	for (int i = 0; i < n; i++) {
		int length = snprintf(text + at, sizeof text - at, "%s ", words[i]);

		at += (size_t)length;
		if (at >= sizeof text)
			return pcpc_wrong("--raw", words[i], "what still fits into a datagram");
	}
	o->probe.datagram = pcpc_pool_hex(o, text, &o->probe.n_datagram);
	return o->probe.datagram || pcpc_wrong("--raw", words[0], "hexadecimal octets");
}

static bool read_probe(struct pcpc_options *o, int n, char **words)
{
	o->is_probe = true;
	if (n == 0)
		return o->probe.datagram ||
		       takes("probe", 0, 1, 1, "a request to send, or --raw HEX");
	if (o->probe.datagram)
		return takes("probe", n, 0, 0, "either a request or --raw HEX");
	if (find_command(words[0], &o->command) && o->command < PCPC_WATCH)
		return read_arguments(o, words[0], n - 1, words + 1);
	o->command = PCPC_PROBE;
	if (o->raw)
		return read_datagram(o, n, words);
	return pcpc_wrong("request", words[0],
		"announce, map, peer, renew, delete, get or address (a datagram goes behind "
		"--raw)");
}

// ---- does it fit together? -------------------------------------------------------------------

struct rule {
	bool broken;
	const char *complaint;
};

static bool judge(const struct rule *rules, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (rules[i].broken) {
			pcpc_complain("%s", rules[i].complaint);
			return false;
		}
	}
	return true;
}

static bool check(const struct pcpc_options *o)
{
	const struct postern_mapping *m = &o->mapping;
	enum pcpc_command c = o->command;
	bool makes = c == PCPC_MAP || c == PCPC_RENEW, old = o->has_version && o->dialect != PCP_V2;
	const struct rule rules[] = {
		{m->keep && !makes && c != PCPC_PEER, "--keep goes with map, renew and peer only"},
		{m->keep && old, "--keep goes with version 2, and what a server has instead of it"},
		{o->leave_open && !m->keep, "--leave-open goes with --keep"},
		{m->prefer_failure && !makes, "--prefer-failure goes with map and renew only"},
		{m->prefer_failure && c == PCPC_MAP && m->external.port == 0,
			"--prefer-failure needs --external-port or --external ADDR:PORT"},
		{m->lifetime_s == 0, "--lifetime: '0' is not a time such as 90, 2m, 1h or 1d"},
		{c == PCPC_ADDRESS && o->has_version && o->dialect != PCP_NATPMP,
			"address is a question of NAT-PMP: other versions have none such"},
		{c == PCPC_GET && old, "get goes with version 2 only"},
		{c == PCPC_ANNOUNCE && old && (o->dialect == PCP_NATPMP || o->dialect == PCP_V1A),
			"that version knows no announce"},
		{c == PCPC_RENEW && old, "renew goes with version 2 only: use map"},
		{m->wildcard && c == PCPC_PEER, "peer needs one port"},
		{m->protocol == 0 && makes && !m->wildcard,
			"every protocol means every port: all all"},
		{m->protocol == 0 && c == PCPC_PEER, "peer needs one protocol"},
		{o->probe.n_edits > 0 || o->probe.has_seed || o->probe.repeat != 1 ||
				o->probe.rate != 0 || o->probe.count_only || o->probe.datagram ||
				o->probe.expect != PCPC_ANYTHING,
			"such changes go with probe only"},
	};

	if (o->is_probe && o->n_servers > 1) {
		pcpc_complain("probe asks one server");
		return false;
	}
	// A probe may contradict itself: that is what it is for.
	return o->is_probe || judge(rules, ARRAY_SIZE(rules));
}

static bool read_command(struct pcpc_options *o, int n, char **words)
{
	if (!find_command(words[0], &o->command))
		return pcpc_wrong("command", words[0],
			"announce, map, peer, renew, unmap, get, address, watch, list or probe");
	if (o->command == PCPC_PROBE)
		return read_probe(o, n - 1, words + 1);
	return read_arguments(o, words[0], n - 1, words + 1);
}

bool pcpc_words_read(struct pcpc_options *o, int n, char **words)
{
	if (n == 0) {
		pcpc_complain("no command given");
		return false;
	}
	if (!read_command(o, n, words) || !check(o))
		return false;
	if (o->command == PCPC_ADDRESS && !o->has_version)
		o->dialect = PCP_NATPMP;
	if (!o->has_timeout && o->is_probe)
		o->timeout_s = 2;
	if (!o->has_timeout && o->command == PCPC_WATCH)
		o->timeout_s = 0;
	return true;
}
