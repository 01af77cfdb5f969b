// SPDX-License-Identifier: Apache-2.0
#include "shard.h"

#include <getopt.h>
#include <stdlib.h>

const struct operation shard_operations[] = {
	{"implicit-create", TABLE_UDP, "first UDP packet from inside, of the last quarter"},
	{"in2out-hit", TABLE_UDP, "UDP from inside, DF not set: it gets a new identification"},
	{"in2out-hit-df", TABLE_UDP, "the same with DF set"},
	{"in2out-hit-zipf", TABLE_UDP, "keys drawn by Zipf 1.0"},
	{"in2out-hit-cold", TABLE_UDP, "from 65536 buffers instead of 4096"},
	{"out2in-hit", TABLE_UDP, "UDP from outside"},
	{"out2in-hit-zipf", TABLE_UDP, "keys drawn by Zipf 1.0"},
	{"out2in-hit-cold", TABLE_UDP, "from 65536 buffers instead of 4096"},
	{"unknown-drop", TABLE_UDP, "UDP from outside to ports of ours that nobody has"},
	{"unknown-drop-cold", TABLE_UDP, "from 65536 buffers instead of 4096"},
	{"idle-sweep", TABLE_UDP, "background work while all mappings live"},
	{"implicit-expire", TABLE_UDP, "end of a mapping, and of its port's rest"},
	{"memory-implicit", TABLE_UDP, "octets asked for, all-in"},
	{"raw-throughput", TABLE_UDP, "hits at the door, null pipeline included, against 1000"},
	{"in2out-tcp-data", TABLE_TCP, "data of an established connection, from inside"},
	{"out2in-tcp-data", TABLE_TCP, "likewise from outside"},
	{"idle-sweep-tcp", TABLE_TCP, "background work while all connections live"},
	{"tcp-life", TABLE_TCP, "SYN, SYN-ACK, ACK, data, FIN, ACK, FIN, ACK, and its expiry"},
	{"memory-tcp", TABLE_TCP, "octets asked for, all-in, of a connection"},
	{"pcp-map-create", TABLE_LEASES, "MAP request, of the last quarter"},
	{"pcp-map-renew", TABLE_LEASES, "MAP request for what is there"},
	{"pcp-error-nonce", TABLE_LEASES, "MAP request with another nonce: NOT_AUTHORIZED"},
	{"pcp-error-opcode", TABLE_LEASES, "a request with an opcode that nobody knows"},
	{"out2in-hit-explicit", TABLE_LEASES, "UDP from outside to an explicit mapping"},
	{"idle-sweep-explicit", TABLE_LEASES, "background work while all leases live"},
	{"pcp-map-delete", TABLE_LEASES, "MAP request with lifetime 0"},
	{"explicit-expire", TABLE_LEASES, "end of a lease, and of its port's rest"},
	{"memory-explicit", TABLE_LEASES, "octets asked for, all-in"},
	{"implicit-create-adf", TABLE_ADF, "first packet, address-dependent filtering"},
	{"in2out-hit-adf", TABLE_ADF, "hits with it"},
	{"out2in-hit-adf", TABLE_ADF, "likewise from outside"},
	{"pcp-map-create-filter", TABLE_FILTERS, "MAP request with a FILTER"},
	{"out2in-hit-filter", TABLE_FILTERS, "UDP from outside that the FILTER lets in"},
};

const unsigned n_shard_operations = ARRAY_SIZE(shard_operations);

static_assert(
	ARRAY_SIZE(shard_operations) <= MAX_OPERATIONS, "options.wanted has a place for each");

static const char usage[] =
	"usage: bench-shard [OPTION]...\n"
	"Cycles at the shard's door, by table size: one core, no EAL.\n"
	"\n"
	"  -o, --only LIST     operations, e.g. in2out-hit,out2in-hit (default: all)\n"
	"  -s, --sizes LIST    mappings, 100 to 16515072\n"
	"                      (default 1000,100000,1000000,10000000,16515072)\n"
	"  -r, --runs N        interleaved runs, 1..99 (default 15)\n"
	"  -p, --packets N     packets a run (default 1000000)\n"
	"  -q, --quick         sizes 1000,100000, 3 runs of 32768 packets\n"
	"      --pages 2m|4k   pages of the tables (default 2m, where the kernel has some)\n"
	"      --seed N        another order of keys (default 1)\n"
	"      --json          one JSON object a line\n"
	"  -h, --help\n"
	"\n"
	"cycles: median of raw minus null; p10 likewise; raw and null: medians; Mops: per core,\n"
	"raw. failed: packets that were not treated as expected (status 1 when there are any).\n"
	"\n"
	"Operations:\n";

static void print_help(void)
{
	fputs(usage, stdout);
	for (unsigned i = 0; i < n_shard_operations; i++)
		printf("  %-22s %s\n", shard_operations[i].name, shard_operations[i].sentence);
}

static _Noreturn void refuse(const char *why, const char *what)
{
	fprintf(stderr, "bench-shard: '%s': %s (see --help)\n", what, why);
	exit(2);
}

static unsigned find(const char *name, size_t length)
{
	unsigned i = 0;

	while (i < n_shard_operations &&
		(strlen(shard_operations[i].name) != length ||
			memcmp(shard_operations[i].name, name, length) != 0))
		i++;
	return i;
}

bool shard_wants(const struct options *o, const char *name)
{
	unsigned i = find(name, strlen(name));

	assert(i < n_shard_operations);
	return o->wanted[i];
}

bool shard_wants_table(const struct options *o, enum table table)
{
	for (unsigned i = 0; i < n_shard_operations; i++) {
		if (o->wanted[i] && shard_operations[i].table == table)
			return true;
	}
	return false;
}

static void parse_only(struct options *o, const char *text)
{
	memset(o->wanted, 0, sizeof o->wanted);
	for (;;) {
		size_t length = strcspn(text, ",");
		unsigned i = find(text, length);

		if (i == n_shard_operations)
			refuse("no operation of that name", text);
		o->wanted[i] = true;
		if (text[length] == '\0')
			return;
		text += length + 1;
	}
}

static uint64_t parse_number(const char *text, uint64_t least, uint64_t most, char **end)
{
	uint64_t n;

	if (*text < '0' || *text > '9')
		refuse("a number is expected", text);
	n = strtoull(text, end, 10);
	if (n < least || n > most)
		refuse("too small or too big", text);
	return n;
}

static uint64_t parse_one(const char *text, uint64_t least, uint64_t most)
{
	char *end;
	uint64_t n = parse_number(text, least, most, &end);

	if (*end != '\0')
		refuse("a number is expected", text);
	return n;
}

static void parse_sizes(struct options *o, const char *text)
{
	char *end;

	o->n_sizes = 0;
	for (;;) {
		if (o->n_sizes == MAX_SIZES)
			refuse("too many sizes", text);
		o->sizes[o->n_sizes++] =
			(uint32_t)parse_number(text, FEWEST_MAPPINGS, MOST_MAPPINGS, &end);
		if (*end == '\0')
			return;
		if (*end != ',')
			refuse("sizes are separated by commas", end);
		text = end + 1;
	}
}

static void parse_pages(struct options *o, const char *text)
{
	o->small_pages = strcmp(text, "4k") == 0;
	if (!o->small_pages && strcmp(text, "2m") != 0)
		refuse("2m or 4k is expected", text);
}

static void be_quick(struct options *o)
{
	o->sizes[0] = 1000;
	o->sizes[1] = 100000;
	o->n_sizes = 2;
	o->runs = 3;
	o->packets = 32768;
}

static void parse_option(struct options *o, int c)
{
	switch (c) {
	case 'o':
		parse_only(o, optarg);
		break;
	case 's':
		parse_sizes(o, optarg);
		break;
	case 'r':
		o->runs = (unsigned)parse_one(optarg, 1, MEASURE_MOST);
		break;
	case 'p':
		o->packets = (uint32_t)parse_one(optarg, 1000, 100000000);
		break;
	case 'q':
		be_quick(o);
		break;
	case 'P':
		parse_pages(o, optarg);
		break;
	case 'S':
		o->seed = parse_one(optarg, 0, UINT64_MAX);
		break;
	case 'j':
		o->json = true;
		break;
	case 'h':
		print_help();
		exit(0);
	default:
		fputs("Try bench-shard --help.\n", stderr);
		exit(2);
	}
}

void shard_parse(struct options *o, int argc, char **argv)
{
	static const struct option names[] = {{"only", required_argument, NULL, 'o'},
		{"sizes", required_argument, NULL, 's'}, {"runs", required_argument, NULL, 'r'},
		{"packets", required_argument, NULL, 'p'}, {"quick", no_argument, NULL, 'q'},
		{"pages", required_argument, NULL, 'P'}, {"seed", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {0}};
	int c;

	for (unsigned i = 0; i < n_shard_operations; i++)
		o->wanted[i] = true;
	while ((c = getopt_long(argc, argv, "o:s:r:p:qh", names, NULL)) != -1)
		parse_option(o, c);
	if (optind < argc)
		refuse("nothing but options is expected", argv[optind]);
}
