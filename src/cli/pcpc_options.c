// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <getopt.h>
#include <stdio.h>

static const char usage_text[] =
	"Usage: pcpc [OPTIONS] announce\n"
	"       pcpc [OPTIONS] map PROTOCOL PORT\n"
	"       pcpc [OPTIONS] renew PROTOCOL PORT\n"
	"       pcpc [OPTIONS] delete PROTOCOL PORT\n"
	"\n"
	"Asks the NAT in front of this host, by the Port Control Protocol (RFC 6887), to lead a\n"
	"port of its external address to PORT of this host. PROTOCOL is tcp, udp or a number.\n"
	"\n"
	"  announce  is the server there, and how long has it kept its state?\n"
	"  map       create a mapping, or renew the one of an earlier run\n"
	"  renew     renew a mapping that an earlier run made: its nonce must be known\n"
	"  delete    close the port again\n"
	"\n"
	"Of a mapping:\n"
	"  --external ADDR[:PORT]   wished external address (and port)\n"
	"  --external-port N        wished external port\n"
	"  -p, --prefer-failure     rather nothing than another external address or port\n"
	"  -l, --lifetime TIME      ask for so long: 90, 2m, 1h, 1d (default 1h)\n"
	"  -k, --keep               renew it until interrupted, then delete it\n"
	"  -n, --nonce HEX          24 digits: the secret that owns the mapping\n"
	"\n"
	"Of the server:\n"
	"  -s, --server ADDR[:PORT] default: the default gateway, port 5351\n"
	"      --source ADDR        ask from this address of the host\n"
	"  -t, --timeout TIME       give up after so long without an answer (default 10, 0: "
	"never)\n"
	"\n"
	"Of the program:\n"
	"      --state FILE         where nonces are remembered (default: postern/pcpc in\n"
	"                           $XDG_STATE_HOME, else /var/lib for root, else ~/.local/state)\n"
	"  -r, --raw                show the datagrams in hex\n"
	"  -j, --json               one JSON object a line\n"
	"  -h, --help\n"
	"  -V, --version\n"
	"\n"
	"Exit status: 0 done, 1 refused by the server, 2 wrong usage, 3 no answer.\n";

enum {
	OPTION_EXTERNAL = 256,
	OPTION_EXTERNAL_PORT,
	OPTION_SOURCE,
	OPTION_STATE
};

static const struct option long_options[] = {
	{"external", required_argument, NULL, OPTION_EXTERNAL},
	{"external-port", required_argument, NULL, OPTION_EXTERNAL_PORT},
	{"prefer-failure", no_argument, NULL, 'p'},
	{"lifetime", required_argument, NULL, 'l'},
	{"keep", no_argument, NULL, 'k'},
	{"nonce", required_argument, NULL, 'n'},
	{"server", required_argument, NULL, 's'},
	{"source", required_argument, NULL, OPTION_SOURCE},
	{"timeout", required_argument, NULL, 't'},
	{"state", required_argument, NULL, OPTION_STATE},
	{"raw", no_argument, NULL, 'r'},
	{"json", no_argument, NULL, 'j'},
	{"help", no_argument, NULL, 'h'},
	{"version", no_argument, NULL, 'V'},
	{0},
};

static bool wrong(const char *option, const char *found, const char *wanted)
{
	pcpc_complain("%s: '%s' is not %s", option, found, wanted);
	return false;
}

static bool read_external_port(struct pcpc_options *o, const char *text)
{
	uint32_t n;

	if (!pcpc_parse_number(text, 65535, &n) || n == 0)
		return wrong("--external-port", text, "a port from 1 to 65535");
	o->mapping.external.port = (uint16_t)n;
	o->has_external = true;
	return true;
}

static bool read_external(struct pcpc_options *o, const char *text)
{
	if (!pcpc_parse_endpoint(text, o->mapping.external.port, &o->mapping.external))
		return wrong("--external", text, "ADDR, ADDR:PORT or [ADDR]:PORT");
	o->has_external = true;
	return true;
}

static bool read_lifetime(struct pcpc_options *o, const char *text)
{
	if (!pcpc_parse_seconds(text, &o->mapping.lifetime_s) || o->mapping.lifetime_s == 0)
		return wrong("--lifetime", text, "a time such as 90, 2m, 1h or 1d");
	return true;
}

static bool read_nonce(struct pcpc_options *o, const char *text)
{
	o->mapping.has_nonce = pcpc_parse_nonce(text, o->mapping.nonce);
	return o->mapping.has_nonce || wrong("--nonce", text, "24 hexadecimal digits");
}

static bool read_server(struct pcpc_options *o, const char *text)
{
	o->has_server = pcpc_parse_endpoint(text, POSTERN_SERVER_PORT, &o->server);
	return o->has_server || wrong("--server", text, "ADDR, ADDR:PORT or [ADDR]:PORT");
}

static bool read_source(struct pcpc_options *o, const char *text)
{
	o->has_source = pcpc_parse_address(text, o->source);
	return o->has_source || wrong("--source", text, "an IPv4 or IPv6 address");
}

static bool read_timeout(struct pcpc_options *o, const char *text)
{
	return pcpc_parse_seconds(text, &o->timeout_s) ||
	       wrong("--timeout", text, "a time such as 10 or 2m");
}

static bool read_option(struct pcpc_options *o, int option)
{
	switch (option) {
	case OPTION_EXTERNAL:
		return read_external(o, optarg);
	case OPTION_EXTERNAL_PORT:
		return read_external_port(o, optarg);
	case 'p':
		o->mapping.prefer_failure = true;
		return true;
	case 'l':
		return read_lifetime(o, optarg);
	case 'k':
		o->mapping.keep = true;
		return true;
	case 'n':
		return read_nonce(o, optarg);
	case 's':
		return read_server(o, optarg);
	case OPTION_SOURCE:
		return read_source(o, optarg);
	case 't':
		return read_timeout(o, optarg);
	case OPTION_STATE:
		o->state_path = optarg;
		return true;
	case 'r':
		o->raw = true;
		return true;
	case 'j':
		o->json = true;
		return true;
	default:
		return false;
	}
}

static bool read_command(struct pcpc_options *o, const char *word)
{
	static const char *const names[] = {
		[PCPC_ANNOUNCE] = "announce",
		[PCPC_MAP] = "map",
		[PCPC_RENEW] = "renew",
		[PCPC_DELETE] = "delete",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(word, names[i]) == 0) {
			o->command = (enum pcpc_command)i;
			return true;
		}
	}
	return wrong("command", word, "announce, map, renew or delete");
}

static bool read_words(struct pcpc_options *o, int n, char **words)
{
	uint32_t port;

	if (n == 0) {
		pcpc_complain("no command given");
		return false;
	}
	if (!read_command(o, words[0]))
		return false;
	if (n != (o->command == PCPC_ANNOUNCE ? 1 : 3)) {
		pcpc_complain("'%s' takes %s", words[0],
			o->command == PCPC_ANNOUNCE ? "no further words" : "PROTOCOL and PORT");
		return false;
	}
	if (o->command == PCPC_ANNOUNCE)
		return true;
	if (!pcpc_parse_protocol(words[1], &o->mapping.protocol))
		return wrong("protocol", words[1], "tcp, udp or a number from 1 to 255");
	if (!pcpc_parse_number(words[2], 65535, &port) || port == 0)
		return wrong("port", words[2], "a port from 1 to 65535");
	o->mapping.internal_port = (uint16_t)port;
	return true;
}

static bool check(const struct pcpc_options *o)
{
	if (o->mapping.keep && o->command != PCPC_MAP && o->command != PCPC_RENEW) {
		pcpc_complain("--keep goes with map and renew only");
		return false;
	}
	if (o->mapping.prefer_failure && o->command == PCPC_DELETE) {
		pcpc_complain("--prefer-failure goes with map and renew only");
		return false;
	}
	if (o->mapping.prefer_failure && o->command == PCPC_MAP && o->mapping.external.port == 0) {
		pcpc_complain("--prefer-failure needs --external-port or --external ADDR:PORT");
		return false;
	}
	return true;
}

static int leave(int code, int *exit_code)
{
	*exit_code = code;
	return -1;
}

int pcpc_options_read(struct pcpc_options *o, int argc, char **argv, int *exit_code)
{
	int option;

	*o = (struct pcpc_options){.timeout_s = 10, .mapping.lifetime_s = 3600};
	while ((option = getopt_long(argc, argv, "pl:kn:s:t:rjhV", long_options, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage_text, stdout);
			return leave(PCPC_OK, exit_code);
		}
		if (option == 'V') {
			puts("pcpc " POSTERN_VERSION);
			return leave(PCPC_OK, exit_code);
		}
		if (!read_option(o, option))
			return leave(PCPC_USAGE, exit_code);
	}
	if (!read_words(o, argc - optind, argv + optind) || !check(o)) {
		fputs("Try 'pcpc --help'.\n", stderr);
		return leave(PCPC_USAGE, exit_code);
	}
	return 0;
}
