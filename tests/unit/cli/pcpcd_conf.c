// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcpcd.h"

static struct pcpcd_conf conf; // too large for a stack
static struct pcpcd_complaints complaints;

static bool read_text(const char *text)
{
	return pcpcd_conf_read("f.yaml", text, strlen(text), &conf, &complaints);
}

static const char *complaint(unsigned i)
{
	static char line[700];

	cr_assert_lt(i, complaints.n, "there are only %u complaints", complaints.n);
	pcpcd_complaint_format(&complaints, i, line, sizeof line);
	return line;
}

static void expect_right(const char *text)
{
	if (!read_text(text))
		cr_assert_fail("%s\n%s", complaint(0), text);
}

#define PORT "ports: [{name: web, protocol: tcp, internal-port: 80"
#define END "}]\n"

Test(pcpcd, reads_a_file_of_one_port_with_defaults_for_the_rest)
{
	const struct pcpcd_want *w = &conf.wants[0];

	expect_right("ports:\n  - name: web\n    protocol: tcp\n    internal-port: 8080\n");
	cr_expect_eq(conf.n_wants, 1);
	cr_expect_str_eq(w->name, "web");
	cr_expect_eq(w->protocol, 6);
	cr_expect_eq(w->internal_port, 8080);
	cr_expect_eq(w->external_port, 0);
	cr_expect_eq(w->lifetime_s, 7200);
	cr_expect_eq(w->line, 2);
	cr_expect_not(w->prefer_failure);
	cr_expect_eq(conf.n_servers, 0);
	cr_expect(conf.prefer_ipv6);
	cr_expect_not(conf.anycast);
	cr_expect_not(conf.release_on_exit);
	cr_expect_eq(conf.pace_ms, 500);
	cr_expect_eq(conf.dialects, POSTERN_V2 | POSTERN_V1 | POSTERN_NATPMP);
	cr_expect_str_eq(conf.state_file, PCPCD_DEFAULT_STATE);
	cr_expect_str_eq(conf.socket, PCPCD_DEFAULT_SOCKET);
}

Test(pcpcd, reads_every_setting)
{
	expect_right("servers: [192.0.2.1, '192.0.2.2:5360', ['2001:db8::1', '[2001:db8::2]:7']]\n"
		     "anycast: true\nprefer-ipv6: false\nversions: [nat-pmp, 2]\npace: 250ms\n"
		     "state-file: /tmp/s\nsocket: /tmp/k\nrelease-on-exit: true\nports: []\n");
	cr_expect_eq(conf.n_servers, 3);
	cr_expect_eq(conf.servers[0].addresses[0].port, POSTERN_SERVER_PORT);
	cr_expect_eq(conf.servers[1].addresses[0].port, 5360);
	cr_expect_eq(conf.servers[2].n_addresses, 2);
	cr_expect_eq(conf.servers[2].addresses[1].port, 7);
	cr_expect_eq(conf.servers[2].addresses[1].ip[15], 2);
	cr_expect(conf.anycast);
	cr_expect_not(conf.prefer_ipv6);
	cr_expect_eq(conf.dialects, POSTERN_V2 | POSTERN_NATPMP);
	cr_expect_eq(conf.pace_ms, 250);
	cr_expect_str_eq(conf.state_file, "/tmp/s");
	cr_expect_str_eq(conf.socket, "/tmp/k");
	cr_expect(conf.release_on_exit);
	cr_expect_eq(conf.n_wants, 0);
}

Test(pcpcd, reads_everything_that_a_port_can_have)
{
	const struct pcpcd_want *w = conf.wants;

	expect_right(
		PORT ", external-port: 8080, prefer-failure: true, lifetime: 90m, "
		     "description: Grüße, filters: ['198.51.100.0/24:443', '2001:db8::/32']" END);
	cr_expect_eq(w->external_port, 8080);
	cr_expect(w->prefer_failure);
	cr_expect_eq(w->lifetime_s, 5400);
	cr_expect_str_eq(w->description, "Grüße");
	cr_expect_eq(w->n_filters, 2);
	cr_expect_eq(w->filters[0].prefix, 120);
	cr_expect_eq(w->filters[0].port, 443);
	cr_expect_eq(w->filters[1].prefix, 32);
}

Test(pcpcd, takes_both_protocols_as_two_mappings_and_the_first_as_the_most_important)
{
	expect_right("ports:\n- {name: a, protocol: both, internal-port: 1}\n"
		     "- {name: b, protocol: udp, internal-port: 2}\n");
	cr_expect_eq(conf.n_wants, 3);
	cr_expect_eq(conf.wants[0].protocol, 6);
	cr_expect_eq(conf.wants[1].protocol, 17);
	cr_expect_str_eq(conf.wants[1].name, "a");
	cr_expect_gt(conf.wants[0].importance, conf.wants[1].importance);
	cr_expect_gt(conf.wants[1].importance, conf.wants[2].importance);
}

Test(pcpcd, finds_a_link_local_server_by_its_interface)
{
	expect_right("servers: ['fe80::1%lo']\nports: []\n");
	cr_expect_neq(conf.servers[0].interface, 0);
	expect_right("servers: ['[fe80::1%lo]:99']\nports: []\n");
	cr_expect_eq(conf.servers[0].addresses[0].port, 99);
}

// fe80::1 is the router of many a link.
Test(pcpcd, takes_one_address_at_two_interfaces_for_two_servers)
{
	expect_right("servers: ['192.0.2.1%lo', 192.0.2.1]\nports: []\n");
	cr_expect_eq(conf.n_servers, 2);
	cr_expect_not(read_text("servers: ['fe80::1%lo', 'fe80::1%lo']\nports: []\n"));
}

struct mistake {
	const char *text, *complaint;
};

static void expect_mistakes(const struct mistake *all, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		cr_expect_not(read_text(all[i].text), "taken: %s", all[i].text);
		cr_expect_eq(complaints.n, 1, "%u complaints: %s", complaints.n, all[i].text);
		cr_expect_str_eq(complaint(0), all[i].complaint);
	}
}

Test(pcpcd, complains_of_every_wrong_setting_with_its_place)
{
	static const struct mistake mistakes[] = {
		{"port: []\nports: []",
			"f.yaml:1:1: found 'port', expected one of servers, anycast, prefer-ipv6, "
			"versions, pace, state-file, socket, release-on-exit, ports"},
		{"ports: []\nanycast: true\nanycast: true",
			"f.yaml:3:1: found 'anycast', expected the name once: it stands in line 2 "
			"already"},
		{"anycast: yes\nports: []",
			"f.yaml:1:10: anycast: found 'yes', expected true or false"},
		{"prefer-ipv6: []\nports: []",
			"f.yaml:1:14: prefer-ipv6: found a list, expected true or false"},
		{"release-on-exit:\nports: []",
			"f.yaml:1:17: release-on-exit: found nothing, expected true or false"},
		{"versions: 2\nports: []", "f.yaml:1:11: versions: found '2', expected a list of "
					   "versions such as [2, 1, nat-pmp]"},
		{"versions: [2, 3]\nports: []",
			"f.yaml:1:15: versions[1]: found '3', expected 2, 1 or nat-pmp"},
		{"versions: [2, 2]\nports: []",
			"f.yaml:1:15: versions[1]: found '2', expected each version once"},
		{"versions: [1]\nports: []", "f.yaml:1:11: versions: found a list, expected 2 "
					     "among the versions: it is always tried first"},
		{"pace: fast\nports: []", "f.yaml:1:7: pace: found 'fast', expected a time from "
					  "1ms to 60s, such as 500ms"},
		{"pace: 61s\nports: []", "f.yaml:1:7: pace: found '61s', expected a time from 1ms "
					 "to 60s, such as 500ms"},
		{"pace: 0ms\nports: []", "f.yaml:1:7: pace: found '0ms', expected a time from 1ms "
					 "to 60s, such as 500ms"},
		{"state-file: here\nports: []", "f.yaml:1:13: state-file: found 'here', expected "
						"an absolute path of at most 255 octets"},
		{"socket: {a: b}\nports: []",
			"f.yaml:1:9: socket: found a mapping, expected an absolute path"},
		{"anycast: true", "f.yaml:1:1: found no ports, expected a list of them under the "
				  "name ports"},
		{"", "f.yaml:1:1: found an empty file, expected a list of ports: see pcpcd(8)"},
		{"[]", "f.yaml:1:1: found a list, expected a mapping (name: value)"},
		{"ports: []\n---\nports: []",
			"f.yaml:2:1: found a second document, expected one document"},
		{"anycast: !x true\nports: []", "f.yaml:1:10: anycast: found a tag (!), expected "
						"a plain value: tags are not used"},
		{"[a]: b\nports: []", "f.yaml:1:1: found a list, expected a plain name"},
		{"socket: \"/a\\u001b\"\nports: [}",
			"f.yaml:2:9: found no YAML: did not find expected node content, expected "
			"well-formed YAML while parsing a flow node"},
	};

	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

Test(pcpcd, complains_of_every_wrong_server)
{
	static const struct mistake mistakes[] = {
		{"servers: 192.0.2.1\nports: []", "f.yaml:1:10: servers: found '192.0.2.1', "
						  "expected a list of servers such as "
						  "[192.168.1.1]"},
		{"servers: [router]\nports: []", "f.yaml:1:11: servers[0]: found 'router', "
						 "expected ADDRESS, IPV4:PORT or [IPV6]:PORT"},
		{"servers: [0.0.0.0]\nports: []", "f.yaml:1:11: servers[0]: found '0.0.0.0', "
						  "expected ADDRESS, IPV4:PORT or [IPV6]:PORT"},
		{"servers: [224.0.0.1]\nports: []", "f.yaml:1:11: servers[0]: found '224.0.0.1', "
						    "expected ADDRESS, IPV4:PORT or [IPV6]:PORT"},
		{"servers: ['192.0.2.1:0']\nports: []",
			"f.yaml:1:11: servers[0]: found '192.0.2.1:0', expected ADDRESS, IPV4:PORT "
			"or [IPV6]:PORT"},
		{"servers: ['fe80::1']\nports: []", "f.yaml:1:11: servers[0]: found 'fe80::1', "
						    "expected its interface too, such as "
						    "fe80::1%eth0"},
		{"servers: ['fe80::1%nothing-here']\nports: []",
			"f.yaml:1:11: servers[0]: found 'fe80::1%nothing-here', expected an "
			"interface that this host has"},
		{"servers: ['fe80::1%']\nports: []", "f.yaml:1:11: servers[0]: found 'fe80::1%', "
						     "expected ADDRESS, IPV4:PORT or "
						     "[IPV6]:PORT"},
		{"servers: [192.0.2.1, '192.0.2.1:5351']\nports: []",
			"f.yaml:1:22: servers[1]: found '192.0.2.1:5351', expected each server "
			"once"},
		{"servers: [[]]\nports: []", "f.yaml:1:11: servers[0]: found a list, expected the "
					     "addresses of one server, at most 8"},
		{"servers: [{a: b}]\nports: []", "f.yaml:1:11: servers[0]: found a mapping, "
						 "expected ADDRESS, IPV4:PORT or [IPV6]:PORT"},
	};

	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

Test(pcpcd, complains_of_every_wrong_port)
{
	static const struct mistake mistakes[] = {
		{"ports: web", "f.yaml:1:8: ports: found 'web', expected a list of ports, each "
			       "with a name, a protocol and an internal-port"},
		{"ports: [web]", "f.yaml:1:9: ports[0]: found 'web', expected a mapping (name: "
				 "value)"},
		{"ports: [{protocol: tcp, internal-port: 1}]",
			"f.yaml:1:9: ports[0]: found no name, expected a name: what the port is "
			"for"},
		{"ports: [{name: a, internal-port: 1}]",
			"f.yaml:1:9: ports[0]: found no protocol, expected protocol: tcp, udp or "
			"both"},
		{"ports: [{name: a, protocol: icmp, internal-port: 1}]",
			"f.yaml:1:29: ports[0].protocol: found 'icmp', expected tcp, udp or both"},
		{"ports: [{name: a, protocol: tcp}]",
			"f.yaml:1:9: ports[0]: found no internal-port, expected internal-port: 1 "
			"to 65535"},
		{"ports: [{name: a, protocol: tcp, internal-port: 0}]",
			"f.yaml:1:49: ports[0].internal-port: found '0', expected a port from 1 to "
			"65535"},
		{PORT ", external-port: 65536" END,
			"f.yaml:1:70: ports[0].external-port: found '65536', expected a port from "
			"1 to 65535"},
		{PORT ", lifetime: 119" END,
			"f.yaml:1:65: ports[0].lifetime: found '119', expected a time from 2m to "
			"1d, such as 90m, 2h or 7200"},
		{PORT ", lifetime: 25h" END,
			"f.yaml:1:65: ports[0].lifetime: found '25h', expected a time from 2m to "
			"1d, such as 90m, 2h or 7200"},
		{PORT ", prefer-failure: true" END,
			"f.yaml:1:9: ports[0]: found prefer-failure without external-port, "
			"expected the external-port that nothing else will do for"},
		{PORT ", filters: none" END,
			"f.yaml:1:64: ports[0].filters: found 'none', expected a list of remote "
			"hosts such as [198.51.100.0/24]"},
		{PORT ", filters: [none]" END,
			"f.yaml:1:65: ports[0].filters[0]: found 'none', expected "
			"ADDRESS[/BITS][:PORT]"},
		{PORT ", filters: [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q]" END,
			"f.yaml:1:64: ports[0].filters: found a longer list, expected at most 16 "
			"items"},
		{PORT ", colour: red" END,
			"f.yaml:1:55: ports[0]: found 'colour', expected one of name, protocol, "
			"internal-port, external-port, prefer-failure, lifetime, description, "
			"filters"},
		{PORT ", name: web" END, "f.yaml:1:55: ports[0]: found 'name', expected the name "
					 "once: it stands in line 1 already"},
		{PORT ", description: \"\\u0000\"" END,
			"f.yaml:1:68: ports[0].description: found nothing, expected a text"},
	};

	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
}

Test(pcpcd, complains_of_names_and_ports_that_come_twice)
{
	static const struct mistake mistakes[] = {
		{"ports:\n- {name: a, protocol: tcp, internal-port: 1}\n"
		 "- {name: a, protocol: tcp, internal-port: 2}",
			"f.yaml:3:10: ports[1].name: found 'a', expected each name once: line 2 "
			"has it"},
		{"ports:\n- {name: a, protocol: tcp, internal-port: 1}\n"
		 "- {name: b, protocol: both, internal-port: 1}",
			"f.yaml:3:44: ports[1].internal-port: found '1', expected each port of a "
			"protocol once: 'a' in line 2 has it"},
		{"ports:\n- {name: a, protocol: udp, internal-port: 1, external-port: 9}\n"
		 "- {name: b, protocol: udp, internal-port: 2, external-port: 9}",
			"f.yaml:3:61: ports[1].external-port: found '9', expected each external "
			"port of a protocol once: 'a' in line 2 wants it"},
	};

	expect_mistakes(mistakes, ARRAY_SIZE(mistakes));
	expect_right("ports:\n- {name: a, protocol: tcp, internal-port: 1, external-port: 9}\n"
		     "- {name: b, protocol: udp, internal-port: 1, external-port: 9}");
}

Test(pcpcd, tells_all_mistakes_at_once_in_the_order_of_the_file)
{
	cr_assert_not(read_text("pace: 0\nports:\n- {name: a, protocol: x, internal-port: y}\n"
				"anycast: 1\n"));
	cr_assert_eq(complaints.n, 4);
	for (unsigned i = 1; i < complaints.n; i++)
		cr_expect_geq(complaints.list[i].line, complaints.list[i - 1].line);
	cr_expect_eq(complaints.list[0].line, 1);
	cr_expect_eq(complaints.list[3].line, 4);
}

Test(pcpcd, counts_the_mistakes_that_it_does_not_list)
{
	char text[8000] = "ports:\n";

	for (int i = 0; i < PCPCD_MAX_COMPLAINTS + 7; i++)
		strcat(text, "- {name: , protocol: tcp, internal-port: 1}\n");
	cr_assert_not(read_text(text));
	cr_expect_eq(complaints.n, PCPCD_MAX_COMPLAINTS);
	cr_expect_eq(complaints.more, 7);
}

Test(pcpcd, shows_no_control_characters_of_the_file)
{
	cr_assert_not(read_text("anycast: \"\\e[31m\"\nports: []"));
	cr_expect_str_eq(
		complaint(0), "f.yaml:1:10: anycast: found '?[31m', expected true or false");
}

Test(pcpcd, says_what_is_wrong_with_the_file_itself)
{
	char path[] = "/tmp/pcpcd-conf-XXXXXX";
	int fd = mkstemp(path);

	cr_assert_not(pcpcd_conf_load("/nowhere/at-all", &conf, &complaints));
	cr_expect_str_eq(complaint(0), "/nowhere/at-all: No such file or directory");
	cr_assert_not(pcpcd_conf_load("/tmp", &conf, &complaints));
	cr_expect_str_eq(complaint(0), "/tmp: Is a directory");
	cr_assert_eq(ftruncate(fd, (1 << 20) + 1), 0);
	cr_assert_not(pcpcd_conf_load(path, &conf, &complaints));
	cr_expect(strstr(complaint(0), "found more than 1 MiB"));
	cr_assert_eq(ftruncate(fd, 0), 0);
	cr_assert_eq(write(fd, "ports: []\n", 10), 10);
	cr_expect(pcpcd_conf_load(path, &conf, &complaints));
	close(fd);
	unlink(path);
}

Test(pcpcd, never_crashes_on_a_file_that_was_cut_or_bent)
{
	static const char text[] =
		"servers: [192.0.2.1, ['2001:db8::1', '[2001:db8::2]:7']]\n"
		"versions: [2, nat-pmp]\npace: 250ms\nstate-file: /tmp/s\n"
		"ports:\n  - {name: web, protocol: both, internal-port: 80, filters: [1.2.3.4]}\n";
	char bent[sizeof text];

	for (size_t i = 0; i < sizeof text - 1; i++) {
		pcpcd_conf_read("f", text, i, &conf, &complaints);
		for (const char *c = "[]{}:&*!\n'\xff"; *c; c++) {
			memcpy(bent, text, sizeof text);
			bent[i] = *c;
			cr_expect_eq(
				pcpcd_conf_read("f", bent, sizeof text - 1, &conf, &complaints),
				complaints.n == 0);
		}
	}
}

// Who waits for a writer renews nothing, and does not hear that he is to end.
Test(pcpcd, waits_for_no_writer_of_a_pipe, .timeout = 10)
{
	char folder[] = "/tmp/pcpcd-pipe-XXXXXX", path[64];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/pipe", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_not(pcpcd_conf_load(path, &conf, &complaints));
	cr_expect_not_null(
		strstr(complaint(0), "/pipe: found no regular file"), "%s", complaint(0));
	unlink(path);
	rmdir(folder);
}

// libyaml needs time by the square of it, in which nothing is renewed.
Test(pcpcd, gives_up_early_on_what_is_nested_too_deep, .timeout = 10)
{
	char *text = malloc(500001);

	memset(text, '[', 500000);
	text[500000] = '\0';
	cr_expect_not(read_text(text));
	cr_expect_str_eq(complaint(0),
		"f.yaml:1:11: found lists and mappings in each other, expected 10 levels of them "
		"at most");
	free(text);
}

Test(pcpcd, gives_up_early_on_too_many_anchors, .timeout = 10)
{
	char *text = malloc(900001);
	size_t n = (size_t)sprintf(text, "ports: []\nx: [");

	for (int i = 0; n < 899980; i++)
		n += (size_t)sprintf(text + n, "&a%d b,", i);
	strcpy(text + n, "]\n");
	cr_expect_not(read_text(text));
	cr_expect_not_null(strstr(complaint(0), "found one more anchor (&), expected 1000 of"),
		"%s", complaint(0));
	free(text);
}

Test(pcpcd, tells_where_octets_are_that_are_no_text)
{
	cr_expect_not(read_text("# a\n# b\nports: []\n# caf\xff\n"));
	cr_expect_str_eq(complaint(0),
		"f.yaml:4:6: found no YAML: invalid leading UTF-8 octet, expected "
		"well-formed YAML");
}
