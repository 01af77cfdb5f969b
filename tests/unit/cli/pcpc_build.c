// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>

#include "pcpc.h"

static const uint8_t source[16] = {[10] = 0xff, [11] = 0xff, 100, 64, 0, 10};

void pcpc_complain(const char *format, ...) // what people would read
{
	(void)format;
}

// The options that a command line means; words are separated by single blanks.
static int read_line(struct pcpc_options *o, const char *line)
{
	static char copy[512]; // what was read points into it
	char *words[40] = {(char *)"pcpc"}, *rest = copy, *word;
	int n = 1, exit_code = 0;

	cr_assert_lt(strlen(line), sizeof copy);
	strcpy(copy, line);
	while ((word = strsep(&rest, " ")))
		words[n++] = word;
	optind = 0; // glibc: start over
	return pcpc_options_read(o, n, words, &exit_code) == 0 ? 0 : exit_code ? exit_code : -1;
}

static void expect_request(const char *line, const char *hex)
{
	static struct pcpc_options o;
	struct pcp_message m;
	uint8_t request[PCPC_LARGEST], want[PCPC_LARGEST];
	char text[2 * PCPC_LARGEST + 1];
	size_t n, n_want;

	cr_assert_eq(read_line(&o, line), 0, "%s", line);
	cr_assert(pcpc_build_message(&o, source, &m), "%s", line);
	n = pcpc_build(&o, &m, request, sizeof request);
	cr_assert(pcpc_parse_hex(hex, want, sizeof want, &n_want));
	cr_expect(n == n_want && memcmp(request, want, n) == 0, "%s\n%s\nwant %s", line,
		pcpc_format_hex(request, n, text), hex);
}

#define HEAD "00000000 00000000 0000ffff 6440000a "
#define NONCE "00112233 44556677 8899aabb "
#define ANY "00000000 00000000 0000ffff 00000000 "
#define OWN "-n 00112233445566778899aabb "

Test(pcpc_build, rfc6887_requests)
{
	expect_request("announce", "02000000 00000000 " HEAD);
	expect_request(OWN "map tcp 8080",
		"02010000 00000e10 00000000 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " ANY);
	expect_request(OWN "delete tcp 8080",
		"02010000 00000000 00000000 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " ANY);
	expect_request(OWN "map tcp 443 -p --external 203.0.113.5:8443",
		"02010000 00000e10 00000000 00000000 0000ffff 6440000a " NONCE
		"06000000 01bb20fb 00000000 00000000 0000ffff cb007105 02000000");
	expect_request(OWN "map all all",
		"02010000 00000e10 00000000 00000000 0000ffff 6440000a " NONCE
		"00000000 00000000 " ANY);
	expect_request(OWN "-l 600 peer tcp 50000 198.51.100.7:443",
		"02020000 00000258 00000000 00000000 0000ffff 6440000a " NONCE
		"06000000 c3500000 " ANY "01bb0000 00000000 00000000 0000ffff c6336407");
	expect_request(OWN "--client 192.0.2.99 map tcp 8080",
		"02010000 00000e10 00000000 00000000 0000ffff c0000263 " NONCE
		"06000000 1f900000 " ANY);
}

#define MAP8080                                                                                    \
	"02010000 00000e10 00000000 00000000 0000ffff 6440000a " NONCE "06000000 1f900000 " ANY

Test(pcpc_build, options_keep_the_order_of_the_command_line)
{
	expect_request(OWN "map tcp 8080 --filter none --filter 198.51.100.7:443",
		MAP8080 "03000014 00000000 00000000 00000000 00000000 00000000 "
			"03000014 008001bb 00000000 00000000 0000ffff c6336407");
	expect_request(OWN "map tcp 8080 --filter 198.51.100.0/24",
		MAP8080 "03000014 00780000 00000000 00000000 0000ffff c6336400");
	expect_request(OWN "map tcp 8080 --third-party 100.64.0.77 --third-party-id 00abcdef",
		MAP8080 "01000010 00000000 00000000 0000ffff 6440004d 0d000004 00abcdef");
	expect_request(OWN "map tcp 8080 --description web", MAP8080 "80000003 77656200");
	expect_request(OWN "map tcp 8080 --port-set 100", MAP8080 "82000005 00641f90 00000000");
	expect_request(
		OWN "map tcp 8080 --port-set 2,parity", MAP8080 "82000005 00021f90 01000000");
	expect_request(OWN "map tcp 8080 --prefix64",
		MAP8080 "8100000e 000c0000 00000000 00000000 00000000");
	expect_request(
		OWN "map tcp 8080 --checkpoint --port-reservation", MAP8080 "c0000000 84000000");
	expect_request(OWN "map tcp 8080 --option 200:abcd", MAP8080 "c8000002 abcd0000");
}

Test(pcpc_build, the_draft_s_get)
{
	expect_request("get",
		"02620000 00000000 00000000 00000000 0000ffff 6440000a "
		"00000000 " ANY ANY "00000000 "
		"83000038 00000000 00000000 00000000 00000000 " ANY ANY "00000000 00000000");
	expect_request("get udp 9 --no-next",
		"02620000 00000000 00000000 00000000 0000ffff 6440000a "
		"11000000 " ANY ANY "00090000");
	expect_request("get --wanted 3 --wanted 128",
		"02620000 00000000 00000000 00000000 0000ffff 6440000a "
		"00000000 " ANY ANY "00000000 "
		"8300003a 00000000 00000000 00000000 00000000 " ANY ANY
		"00000000 00000000 03800000");
}

Test(pcpc_build, rfc6886_requests)
{
	expect_request("address", "0000");
	expect_request("--version nat-pmp -l 7200 map tcp 8080 --external-port 8080",
		"00020000 1f901f90 00001c20");
	expect_request("--version=nat-pmp delete tcp 8080", "00020000 1f900000 00000000");
	expect_request("-v nat-pmp delete udp all", "00010000 00000000 00000000");
}

Test(pcpc_build, version_1_requests)
{
	expect_request("-v 1a map tcp 8080", "01010000 00000e10 06000000 1f900000 00000000");
	expect_request("-v 1a delete all all", "01010000 00000000 00000000 00000000 00000000");
	expect_request("-v 1a map tcp 443 -p --external 203.0.113.5:443 --filter 198.51.100.0/24",
		"01010000 00000e10 06000000 01bb01bb cb007105 "
		"02000008 00180000 c6336400 03000000");
	expect_request("-v 1a -l 600 peer tcp 50000 198.51.100.7:443",
		"01030000 00000258 06000000 c3500000 01bb0000 c6336407 "
		"00000000 00000000 00000000 00000000");
	expect_request("-v 1b map tcp 8080",
		"01010000 00000e10 00000000 00000000 0000ffff 6440000a 06000000 1f900000 " ANY);
	expect_request("-v 1b announce", "01000000 00000000 00000000 00000000 0000ffff 6440000a");
	expect_request(OWN "-v 1c map tcp 8080",
		"01010000 00000e10 00000000 00000000 0000ffff 6440000a " NONCE
		"06000000 1f900000 " ANY);
}

Test(pcpc_build, what_a_dialect_cannot_say_is_refused)
{
	static const char *const lines[] = {"-v nat-pmp map 132 80",
		"-v nat-pmp map tcp 80 --filter 198.51.100.7",
		"-v 1b map tcp 80 --description web"};
	static struct pcpc_options o;
	struct pcp_message m;
	uint8_t request[PCP_MAX];

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		cr_assert_eq(read_line(&o, lines[i]), 0, "%s", lines[i]);
		cr_expect(!pcpc_build_message(&o, source, &m) ||
				  pcpc_build(&o, &m, request, sizeof request) == 0,
			"%s", lines[i]);
	}
}

Test(pcpc_words, what_does_not_fit_together_is_refused)
{
	static const char *const lines[] = {"open", "map tcp", "map tcp 0", "map tcp 80 -l 0",
		"map all 80", "peer tcp 80", "peer tcp 80 198.51.100.7", "peer tcp all 1.2.3.4:5",
		"-v 3 map tcp 80", "-v 1a announce", "-v nat-pmp announce", "-v 2 address",
		"-v 1b get", "-v 1b -k map tcp 80", "map tcp 80 --filter 1.2.3.4/33",
		"map tcp 80 --filter x", "map tcp 80 --port-set 65536",
		"map tcp 80 --port-set 2,odd", "map tcp 80 --option 256:00",
		"map tcp 80 --option 1:0", "map tcp 80 --set 0=00", "map tcp 80 --repeat 2",
		"watch tcp", "probe", "probe watch", "probe xyz", "probe --raw xyz",
		"probe --raw=00 map tcp 80", "probe map tcp 80 --expect NO_SUCH",
		"probe map tcp 80 --rate 0", "probe map tcp 80 --set 0",
		"probe map tcp 80 --set 4097=0", "get tcp 80 81", "announce --third-party x",
		"map tcp 80 --third-party-id abc"};
	static struct pcpc_options o;

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect_eq(read_line(&o, lines[i]), PCPC_USAGE, "%s", lines[i]);
}

Test(pcpc_words, a_probe_may_contradict_itself)
{
	static struct pcpc_options o;

	cr_assert_eq(read_line(&o, "probe map tcp 80 -l 0 -p --rate 10/s --repeat 3"), 0);
	cr_expect(o.is_probe && o.command == PCPC_MAP && o.mapping.lifetime_s == 0);
	cr_expect(o.probe.rate == 10 && o.probe.repeat == 3 && o.timeout_s == 2);
	cr_assert_eq(read_line(&o, "probe --raw 02810000 00000000 --expect silence"), 0);
	cr_expect(
		o.command == PCPC_PROBE && o.probe.n_datagram == 8 && o.probe.datagram[1] == 0x81);
	cr_expect_eq(o.probe.expect, PCPC_SILENCE);
	cr_assert_eq(read_line(&o, "probe --raw=0281 --expect result=NOT_AUTHORIZED"), 0);
	cr_expect(o.probe.n_datagram == 2 && o.probe.expected == 2);
	cr_assert_eq(read_line(&o, "--raw map tcp 80"), 0);
	cr_expect(o.raw && !o.probe.datagram);
}

// ---- changes ---------------------------------------------------------------------------------

static const char *edit_line(const char *line, char *hex)
{
	static struct pcpc_options o;
	struct pcp_message m;
	uint8_t request[PCPC_LARGEST];
	const char *why = NULL;
	size_t n;

	cr_assert_eq(read_line(&o, line), 0, "%s", line);
	cr_assert(pcpc_build_message(&o, source, &m));
	n = pcpc_build(&o, &m, request, sizeof request);
	for (unsigned i = 0; i < o.probe.n_edits && !why; i++)
		why = pcpc_edit(&o.probe.edits[i], o.dialect, request, &n, sizeof request);
	pcpc_format_hex(request, n, hex);
	return why;
}

Test(pcpc_mutate, changes_are_made_in_the_order_given)
{
	char hex[2 * PCPC_LARGEST + 1];

	cr_expect_null(edit_line("probe announce --set 0=03 --truncate 8 --append cafe", hex));
	cr_expect_str_eq(hex, "0300000000000000cafe");
	cr_expect_null(edit_line("probe announce --append cafe --truncate 8 --set 2=ffff", hex));
	cr_expect_str_eq(hex, "0200ffff00000000");
	cr_expect_null(edit_line("probe address --pad-to 6", hex));
	cr_expect_str_eq(hex, "000000000000");
	cr_expect_null(edit_line("probe announce --option 200:ab --option 42: "
				 "--option-length 42=64 --option-length 200=2",
		hex));
	cr_expect_str_eq(hex + 48, "c8000002ab0000002a000040");
	cr_expect_null(edit_line("probe address --truncate 0", hex));
	cr_expect_str_eq(hex, "");
}

Test(pcpc_mutate, impossible_changes_say_so)
{
	char hex[2 * PCPC_LARGEST + 1];

	cr_expect_not_null(edit_line("probe announce --set 23=0000", hex));
	cr_expect_not_null(edit_line("probe announce --set 4096=00", hex));
	cr_expect_not_null(edit_line("probe announce --truncate 25", hex));
	cr_expect_not_null(edit_line("probe announce --pad-to 20", hex));
	cr_expect_not_null(edit_line("probe announce --pad-to 4096 --append 00", hex));
	cr_expect_not_null(edit_line("probe announce --option-length 3=4", hex));
}

Test(pcpc_mutate, the_seed_tells_the_changes)
{
	uint8_t a[PCPC_LARGEST], b[PCPC_LARGEST];
	unsigned changed = 0;
	struct rng one, other;

	rng_init_u64(&one, 5);
	rng_init_u64(&other, 5);
	for (int i = 0; i < 5000; i++) {
		size_t n = 60, m = 60;

		memset(a, 0x5a, sizeof a);
		memset(b, 0x5a, sizeof b);
		pcpc_mutate(&one, a, &n, 256);
		pcpc_mutate(&other, b, &m, 256);
		cr_assert(n == m && n <= 256 && memcmp(a, b, n) == 0);
		cr_assert_eq(a[256], 0x5a, "it wrote beyond the end");
		changed += n != 60 || memcmp(a, a + 1, 59) != 0;
	}
	cr_expect_gt(changed, 4900);
}

Test(pcpc, filters_are_read_in_every_form)
{
	static const struct {
		const char *text;
		bool good;
		uint8_t prefix;
		uint16_t port;
	} cases[] = {{"none", true, 0, 0}, {"198.51.100.7", true, 128, 0},
		{"198.51.100.7:80", true, 128, 80}, {"198.51.100.0/24", true, 120, 0},
		{"198.51.100.0/24:80", true, 120, 80}, {"0.0.0.0/0", true, 96, 0},
		{"2001:db8::1", true, 128, 0}, {"[2001:db8::1]:80", true, 128, 80},
		{"2001:db8::/32", true, 32, 0}, {"[2001:db8::]/32:80", true, 32, 80},
		{"2001:db8::/0", false, 0, 0}, {"198.51.100.0/33", false, 0, 0},
		{"198.51.100.7:0", false, 0, 0}, {"198.51.100.7:65536", false, 0, 0},
		{"", false, 0, 0}, {":80", false, 0, 0}, {"/24", false, 0, 0},
		{"198.51.100.0/", false, 0, 0}, {"[]", false, 0, 0}, {"[", false, 0, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct pcp_filter f;

		cr_expect_eq(
			pcpc_parse_filter(cases[i].text, &f), cases[i].good, "'%s'", cases[i].text);
		cr_expect(
			!cases[i].good || (f.prefix == cases[i].prefix && f.port == cases[i].port),
			"'%s': /%u port %u", cases[i].text, f.prefix, f.port);
	}
}
