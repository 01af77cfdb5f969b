// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <stdio.h>

enum {
	OPTION_EXTERNAL = 256,
	OPTION_EXTERNAL_PORT,
	OPTION_SOURCE,
	OPTION_STATE,
	OPTION_CLIENT,
	OPTION_VERSION,
	OPTION_COUNT,
	OPTION_NO_NEXT,
	OPTION_DATAGRAMS,
	OPTION_PREFER,
	OPTION_VERSIONS,
	OPTION_CONFIG,
	OPTION_LEAVE_OPEN,
	OPTION_SOCKET,
};

const char pcpc_short_options[] = "pl:kn:s:t:v:frjhV";

const struct option pcpc_long_options[] = {
	{"external", required_argument, NULL, OPTION_EXTERNAL},
	{"external-port", required_argument, NULL, OPTION_EXTERNAL_PORT},
	{"prefer-failure", no_argument, NULL, 'p'},
	{"lifetime", required_argument, NULL, 'l'},
	{"keep", no_argument, NULL, 'k'},
	{"leave-open", no_argument, NULL, OPTION_LEAVE_OPEN},
	{"nonce", required_argument, NULL, 'n'},
	{"server", required_argument, NULL, 's'},
	{"prefer", required_argument, NULL, OPTION_PREFER},
	{"versions", required_argument, NULL, OPTION_VERSIONS},
	{"config", required_argument, NULL, OPTION_CONFIG},
	{"source", required_argument, NULL, OPTION_SOURCE},
	{"timeout", required_argument, NULL, 't'},
	{"state", required_argument, NULL, OPTION_STATE},
	{"socket", required_argument, NULL, OPTION_SOCKET},
	{"client", required_argument, NULL, OPTION_CLIENT},
	{"filter", required_argument, NULL, PCPC_OPTION_FILTER},
	{"third-party", required_argument, NULL, PCPC_OPTION_THIRD_PARTY},
	{"third-party-id", required_argument, NULL, PCPC_OPTION_THIRD_PARTY_ID},
	{"description", required_argument, NULL, PCPC_OPTION_DESCRIPTION},
	{"port-set", required_argument, NULL, PCPC_OPTION_PORT_SET},
	{"prefix64", no_argument, NULL, PCPC_OPTION_PREFIX64},
	{"checkpoint", no_argument, NULL, PCPC_OPTION_CHECKPOINT},
	{"port-reservation", no_argument, NULL, PCPC_OPTION_PORT_RESERVATION},
	{"option", required_argument, NULL, PCPC_OPTION_VERBATIM},
	{"wanted", required_argument, NULL, PCPC_OPTION_WANTED},
	{"no-next", no_argument, NULL, OPTION_NO_NEXT},
	{"datagrams", required_argument, NULL, OPTION_DATAGRAMS},
	{"set", required_argument, NULL, PCPC_OPTION_SET},
	{"truncate", required_argument, NULL, PCPC_OPTION_TRUNCATE},
	{"append", required_argument, NULL, PCPC_OPTION_APPEND},
	{"pad-to", required_argument, NULL, PCPC_OPTION_PAD_TO},
	{"option-length", required_argument, NULL, PCPC_OPTION_LENGTH_LIE},
	{"repeat", required_argument, NULL, PCPC_OPTION_REPEAT},
	{"rate", required_argument, NULL, PCPC_OPTION_RATE},
	{"count", no_argument, NULL, OPTION_COUNT},
	{"random", required_argument, NULL, PCPC_OPTION_RANDOM},
	{"expect", required_argument, NULL, PCPC_OPTION_EXPECT},
	{"fields", no_argument, NULL, 'f'},
	{"raw", optional_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", optional_argument, NULL, OPTION_VERSION},
	{0},
};

static bool read_external_port(struct pcpc_options *o, const char *text)
{
	uint32_t n;

	if (!pcpc_parse_number(text, 65535, &n) || n == 0)
		return pcpc_wrong("--external-port", text, "a port from 1 to 65535");
	o->mapping.external.port = (uint16_t)n;
	o->has_external = true;
	return true;
}

static bool read_external(struct pcpc_options *o, const char *text)
{
	if (!pcpc_parse_endpoint(text, o->mapping.external.port, &o->mapping.external))
		return pcpc_wrong("--external", text, "ADDR, ADDR:PORT or [ADDR]:PORT");
	o->has_external = true;
	return true;
}

static bool read_lifetime(struct pcpc_options *o, const char *text)
{
	o->has_lifetime = pcpc_parse_seconds(text, &o->mapping.lifetime_s);
	if (!o->has_lifetime)
		return pcpc_wrong("--lifetime", text, "a time such as 90, 2m, 1h or 1d");
	return true;
}

static bool read_nonce(struct pcpc_options *o, const char *text)
{
	o->mapping.has_nonce = pcpc_parse_nonce(text, o->mapping.nonce);
	return o->mapping.has_nonce || pcpc_wrong("--nonce", text, "24 hexadecimal digits");
}

static bool read_server(struct pcpc_options *o, const char *text)
{
	struct postern_server *server = &o->servers[o->n_servers];

	if (o->n_servers == PCPC_MAX_SERVERS) {
		pcpc_complain("too many servers: %d at most", PCPC_MAX_SERVERS);
		return false;
	}
	*server = (struct postern_server){.origin = POSTERN_CONFIGURED, .n_addresses = 1};
	if (!pcpc_parse_endpoint(text, POSTERN_SERVER_PORT, &server->addresses[0]))
		return pcpc_wrong("--server", text, "ADDR, ADDR:PORT or [ADDR]:PORT");
	o->n_servers++;
	return true;
}

static bool read_prefer(struct pcpc_options *o, const char *text)
{
	return (pcpc_parse_number(text, 6, &o->prefer) && (o->prefer == 4 || o->prefer == 6)) ||
	       pcpc_wrong("--prefer", text, "4 or 6");
}

// One version alone is --version; of several, the second is tried where the first is refused.
static bool read_versions(struct pcpc_options *o, const char *text)
{
	if (!pcpc_parse_versions(text, &o->dialects))
		return pcpc_wrong("--versions", text,
			"2 and what may follow it: 2,1,0 or 2,0 or 2,1 (or one of them alone)");
	if (o->dialects == POSTERN_V2 || (o->dialects & POSTERN_V2) == 0) {
		o->has_version = true;
		o->dialect = o->dialects == POSTERN_V2   ? PCP_V2
			     : o->dialects == POSTERN_V1 ? PCP_V1B
							 : PCP_NATPMP;
	}
	return true;
}

// ADDR, ADDR:PORT, or PORT alone.
static bool read_source(struct pcpc_options *o, const char *text)
{
	struct postern_endpoint e;
	uint32_t port;

	if (pcpc_parse_number(text, 65535, &port) && port != 0) {
		o->source_port = (uint16_t)port;
		return true;
	}
	o->has_source = pcpc_parse_endpoint(text, 0, &e);
	memcpy(o->source, e.ip, sizeof o->source);
	o->source_port = e.port;
	return o->has_source || pcpc_wrong("--source", text, "ADDR, ADDR:PORT or PORT");
}

static bool read_client(struct pcpc_options *o, const char *text)
{
	o->has_client = pcpc_parse_address(text, o->client);
	return o->has_client || pcpc_wrong("--client", text, "an IPv4 or IPv6 address");
}

static bool read_timeout(struct pcpc_options *o, const char *text)
{
	o->has_timeout = pcpc_parse_seconds(text, &o->timeout_s);
	return o->has_timeout || pcpc_wrong("--timeout", text, "a time such as 10 or 2m");
}

static bool read_dialect(struct pcpc_options *o, const char *text)
{
	o->has_version = pcpc_parse_dialect(text, &o->dialect);
	o->dialects = POSTERN_V2; // of no meaning for the others
	return o->has_version || pcpc_wrong("--version", text, "2, nat-pmp, 1a, 1b or 1c");
}

// --raw=HEX is a datagram to probe with; --raw alone, as ever, shows what is sent and received.
static bool read_raw(struct pcpc_options *o, const char *text)
{
	if (!text) {
		o->raw = true;
		return true;
	}
	o->probe.datagram = pcpc_pool_hex(o, text, &o->probe.n_datagram);
	return o->probe.datagram || pcpc_wrong("--raw", text, "hexadecimal octets");
}

static bool read_datagrams(struct pcpc_options *o, const char *text)
{
	return (pcpc_parse_number(text, 1000000000, &o->count) && o->count > 0) ||
	       pcpc_wrong("--datagrams", text, "a number from 1 on");
}

static bool read_flag(struct pcpc_options *o, int option)
{
	switch (option) {
	case 'p':
		o->mapping.prefer_failure = true;
		return true;
	case 'k':
		o->mapping.keep = true;
		return true;
	case 'f':
		o->fields = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	case OPTION_COUNT:
		o->probe.count_only = true;
		return true;
	case OPTION_NO_NEXT:
		o->no_next = true;
		return true;
	case OPTION_LEAVE_OPEN:
		o->leave_open = true;
		return true;
	default:
		return false;
	}
}

static bool read_about_server(struct pcpc_options *o, int option, const char *text)
{
	switch (option) {
	case 's':
		return read_server(o, text);
	case OPTION_PREFER:
		return read_prefer(o, text);
	case OPTION_VERSIONS:
		return read_versions(o, text);
	case OPTION_SOURCE:
		return read_source(o, text);
	case OPTION_CLIENT:
		return read_client(o, text);
	case 't':
		return read_timeout(o, text);
	case 'v':
	case OPTION_VERSION:
		return read_dialect(o, text);
	default:
		return read_flag(o, option);
	}
}

bool pcpc_option_read(struct pcpc_options *o, int option, const char *text)
{
	if (option >= PCPC_OPTION_FILTER)
		return pcpc_wish_read(o, option, text);
	switch (option) {
	case OPTION_EXTERNAL:
		return read_external(o, text);
	case OPTION_EXTERNAL_PORT:
		return read_external_port(o, text);
	case 'l':
		return read_lifetime(o, text);
	case 'n':
		return read_nonce(o, text);
	case OPTION_STATE:
		o->state_path = text;
		return true;
	case OPTION_CONFIG:
		o->config_path = text;
		return true;
	case OPTION_SOCKET:
		o->socket_path = text;
		return true;
	case 'r':
		return read_raw(o, text);
	case OPTION_DATAGRAMS:
		return read_datagrams(o, text);
	default:
		return read_about_server(o, option, text);
	}
}

bool pcpc_option_read_named(struct pcpc_options *o, const char *name, const char *text)
{
	for (const struct option *l = pcpc_long_options; l->name; l++)
		if (strcmp(l->name, name) == 0)
			return pcpc_option_read(o, l->val, text);
	return false;
}

static int leave(int code, int *exit_code)
{
	*exit_code = code;
	return -1;
}

// `--version` alone asks for the program's; before the name of a dialect it says what to speak.
static bool asks_for_version(int option, int argc, char **argv)
{
	enum pcp_dialect dialect;

	if (option == 'V')
		return true;
	if (option != OPTION_VERSION || optarg)
		return false;
	if (optind >= argc || !pcpc_parse_dialect(argv[optind], &dialect))
		return true;
	optarg = argv[optind++];
	return false;
}

static int next_option(int argc, char **argv)
{
	return getopt_long(argc, argv, pcpc_short_options, pcpc_long_options, NULL);
}

// Also what is wrong is told in the language that was asked for, maybe further on.
static int leave_wrong(struct pcpc_options *o, int argc, char **argv, int *exit_code)
{
	int option;

	fputs("Try 'pcpc --help'.\n", stderr);
	opterr = 0;
	while ((option = next_option(argc, argv)) != -1)
		o->json = o->json || option == 'j';
	return leave(PCPC_USAGE, exit_code);
}

int pcpc_options_read(struct pcpc_options *o, int argc, char **argv, int *exit_code)
{
	int option;

	*o = (struct pcpc_options){
		.timeout_s = 10, .mapping.lifetime_s = 3600, .probe.repeat = 1, .dialect = PCP_V2};
	while ((option = next_option(argc, argv)) != -1) {
		if (option == 'h') {
			fputs(pcpc_usage_text, stdout);
			return leave(PCPC_OK, exit_code);
		}
		if (asks_for_version(option, argc, argv)) {
			puts("pcpc " POSTERN_VERSION);
			return leave(PCPC_OK, exit_code);
		}
		if (!pcpc_option_read(o, option, optarg))
			return leave_wrong(o, argc, argv, exit_code);
	}
	if (!pcpc_config_read(o))
		return leave(PCPC_USAGE, exit_code);
	if (!pcpc_words_read(o, argc - optind, argv + optind))
		return leave_wrong(o, argc, argv, exit_code);
	return 0;
}
