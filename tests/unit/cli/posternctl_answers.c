// SPDX-License-Identifier: Apache-2.0
// Golden text: what an operator reads, octet for octet.
#include "posternctl.h"

#include <criterion/criterion.h>
#include <stdlib.h>

struct page { // one conversation
	enum subject subject;
	bool json, colour, detail;
	const char *rows[2]; // JSON arrays, one a page
	const char *done, *error;
};

static char *print(const struct page *page)
{
	struct words w = {.subject = page->subject,
		.json = page->json,
		.detail = page->detail,
		.file = "new.yaml"};
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct answers a;

	answers_init(&a, &w, page->colour, out, out);
	for (unsigned i = 0; i < 2; i++) {
		json_t *rows = json_loads(page->rows[i] ? page->rows[i] : "[]", 0, NULL);
		cr_assert_not_null(rows);
		answers_rows(&a, rows);
		json_decref(rows);
	}
	json_t *end = json_loads(page->error ? page->error : page->done, 0, NULL);
	cr_assert_not_null(end);
	if (page->error)
		answers_error(&a, end);
	else
		answers_done(&a, end);
	json_decref(end);
	fclose(out);
	return text;
}

static void expect(const struct page *page, const char *wanted)
{
	char *text = print(page);

	cr_assert_str_eq(text, wanted);
	free(text);
}

#define EXPLICIT                                                                                   \
	"{\"protocol\":\"tcp\",\"internal_address\":\"100.64.0.10\",\"internal_port\":8080,"       \
	"\"realm\":\"inside\",\"external_address\":\"203.0.113.7\",\"external_port\":40001,"       \
	"\"ports\":4,\"kind\":\"dynamic-explicit\",\"group\":\"residential\",\"shard\":1,"         \
	"\"replied\":false,\"operator\":false,\"lifetime_left_s\":3599,\"has_nonce\":true,"        \
	"\"client\":\"100.64.0.99\",\"client_port\":40000,\"dialect\":\"2\","                      \
	"\"third_party\":true,\"filter_count\":2,\"description_octets\":9"
#define DETAIL                                                                                     \
	",\"filters\":[{\"prefix\":\"198.51.100.0/24\",\"port\":0},"                               \
	"{\"prefix\":\"198.51.100.9/32\",\"port\":443}],"                                          \
	"\"description\":\"a\\u001b[2Jb\\u202ec\"}"
#define IMPLICIT                                                                                   \
	"{\"protocol\":\"udp\",\"internal_address\":\"100.64.0.9\",\"internal_port\":5000,"        \
	"\"realm\":\"inside\",\"external_address\":\"203.0.113.7\",\"external_port\":1024,"        \
	"\"ports\":1,\"kind\":\"dynamic-implicit\",\"group\":\"residential\",\"shard\":0,"         \
	"\"replied\":true,\"operator\":false,\"idle_left_s\":299}"

Test(posternctl, shows_mappings_as_a_table)
{
	struct page page = {.subject = SUBJECT_MAPPINGS,
		.rows = {"[" EXPLICIT "}," IMPLICIT "]"},
		.done = "{\"rows\":2}"};

	expect(&page,
		"PROTO  INTERNAL          EXTERNAL           PORTS  KIND              LIFETIME"
		"  IDLE-OUT  DIALECT  CLIENT             FILTERS  SHARD  REALM   GROUP\n"
		"tcp    100.64.0.10:8080  203.0.113.7:40001      4  dynamic-explicit    59m59s"
		"         -  2        100.64.0.99:40000  2            1  inside  residential\n"
		"udp    100.64.0.9:5000   203.0.113.7:1024       1  dynamic-implicit         -"
		"     4m59s  -        -                  -            0  inside  residential\n");
}

Test(posternctl, shows_what_was_asked_for_in_detail)
{
	struct page page = {.subject = SUBJECT_MAPPINGS,
		.detail = true,
		.rows = {"[" EXPLICIT DETAIL "]"},
		.done = "{\"rows\":1}"};

	expect(&page,
		"PROTO  INTERNAL          EXTERNAL           PORTS  KIND              LIFETIME"
		"  IDLE-OUT  DIALECT  CLIENT             3RD-PARTY  NONCE  SHARD  REALM"
		"   GROUP        FILTERS                              DESCRIPTION\n"
		"tcp    100.64.0.10:8080  203.0.113.7:40001      4  dynamic-explicit    59m59s"
		"         -  2        100.64.0.99:40000  yes        yes        1  inside"
		"  residential  198.51.100.0/24 198.51.100.9/32:443  a\\x1b[2Jb\\u202ec\n");
}

Test(posternctl, shows_peer_leases_with_their_remote_peers)
{
	struct page page = {.subject = SUBJECT_LEASES,
		.rows = {"[{\"protocol\":\"udp\",\"internal_address\":\"100.64.0.9\","
			 "\"internal_port\":5000,\"external_address\":\"203.0.113.7\","
			 "\"external_port\":1024,\"kind\":\"peer\",\"remote_address\":"
			 "\"198.51.100.9\",\"remote_port\":443,\"lifetime_left_s\":60,\"dialect\":"
			 "\"1a\",\"client\":\"100.64.0.9\",\"client_port\":7,\"third_party\":false,"
			 "\"has_nonce\":false,\"realm\":\"in\",\"group\":\"g\","
			 "\"description_octets\":7,\"description\":\"call \\u2022\"}]"},
		.done = "{\"rows\":1}"};

	expect(&page, "PROTO  INTERNAL         EXTERNAL          REMOTE            LIFETIME  "
		      "DIALECT  CLIENT        3RD-PARTY  NONCE  REALM  GROUP  DESCRIPTION\n"
		      "udp    100.64.0.9:5000  203.0.113.7:1024  198.51.100.9:443     1m00s  "
		      "1a       100.64.0.9:7  no         no     in     g      call \u2022\n");
}

Test(posternctl, shows_pcp_counters_that_moved)
{
	struct page page = {.subject = SUBJECT_PCP,
		.rows = {"[{\"group\":\"a\",\"pcp\":true,\"epoch_s\":1,\"dialects\":{\"2\":3,"
			 "\"nat-pmp\":0},\"opcodes\":{\"map\":3},\"options\":{\"FILTER\":1},"
			 "\"results\":{\"SUCCESS\":2,\"NO_RESOURCES\":1},\"events\":"
			 "{\"requests\":3}},{\"group\":\"b\",\"events\":{\"requests\":0}}]"},
		.done = "{}"};
	struct page quiet = {.subject = SUBJECT_PCP,
		.rows = {"[{\"group\":\"b\",\"events\":{\"requests\":0}}]"},
		.done = "{}"};

	expect(&page, "GROUP  COUNTED  NAME          NUMBER\n"
		      "a      dialect  2                  3\n"
		      "a      opcode   map                3\n"
		      "a      option   FILTER             1\n"
		      "a      result   SUCCESS            2\n"
		      "a      result   NO_RESOURCES       1\n"
		      "a      event    requests           3\n");
	expect(&quiet, "(none)\n");
}

Test(posternctl, shows_the_busiest_clients)
{
	struct page page = {.subject = SUBJECT_CLIENTS,
		.rows = {"[{\"address\":\"100.64.0.9\",\"port\":5350,\"realm\":\"in\",\"group\":"
			 "\"g\",\"dialect\":\"nat-pmp\",\"requests\":856,\"refused\":12,"
			 "\"silent_s\":70,\"shard\":1}]"},
		.done = "{\"rows\":1}"};

	expect(&page, "CLIENT           REALM  GROUP  DIALECT  REQUESTS  REFUSED  SILENT  SHARD\n"
		      "100.64.0.9:5350  in     g      nat-pmp       856       12   1m10s      1\n");
}

Test(posternctl, heads_a_table_once_over_many_pages)
{
	struct page page = {.subject = SUBJECT_NEIGHBOURS,
		.rows = {"[{\"interface\":\"in\",\"address\":\"100.64.0.10\",\"mac\":"
			 "\"02:00:00:00:00:01\",\"state\":\"reachable\",\"age_s\":5}]",
			"[{\"interface\":\"outside\",\"address\":\"198.51.100.1\",\"mac\":"
			"\"02:00:00:00:00:02\",\"state\":\"stale\",\"age_s\":61}]"},
		.done = "{}"};

	expect(&page, "INTERFACE  ADDRESS      MAC                STATE      CONFIRMED\n"
		      "in         100.64.0.10  02:00:00:00:00:01  reachable         5s\n"
		      "outside    198.51.100.1  02:00:00:00:00:02  stale          1m01s\n");
}

Test(posternctl, says_none_where_nothing_is)
{
	struct page page = {.subject = SUBJECT_MAPPINGS, .done = "{\"rows\":0}"};

	expect(&page, "(none)\n");
}

Test(posternctl, prints_rows_as_lines_of_json)
{
	struct page page = {.subject = SUBJECT_MAPPINGS,
		.json = true,
		.rows = {"[" IMPLICIT "]"},
		.done = "{\"rows\":1}"};

	expect(&page, IMPLICIT "\n");
}

Test(posternctl, colours_titles_and_kinds_on_a_terminal)
{
	struct page page = {.subject = SUBJECT_NEIGHBOURS,
		.colour = true,
		.rows = {"[{\"interface\":\"in\",\"address\":\"1.2.3.4\",\"mac\":"
			 "\"02:00:00:00:00:01\",\"state\":\"stale\",\"age_s\":70}]"},
		.done = "{}"};
	char *text = print(&page);

	cr_assert_not_null(strstr(text, "\033[1mSTATE\033[0m"));
	cr_assert_not_null(strstr(text, "\033[33mstale\033[0m"));
	free(text);
}

Test(posternctl, does_not_let_a_name_steer_the_terminal)
{
	struct page page = {.subject = SUBJECT_NEIGHBOURS,
		.rows = {"[{\"interface\":\"in\\u001b[2J\",\"address\":\"1.2.3.4\",\"mac\":"
			 "\"02:00:00:00:00:01\",\"state\":\"stale\",\"age_s\":70}]"},
		.done = "{}"};
	char *text = print(&page);

	cr_assert_null(strchr(text, '\033'));
	cr_assert_not_null(strstr(text, "in\\x1b[2J"));
	free(text);
}

Test(posternctl, shows_status_line_by_line)
{
	struct page page = {.subject = SUBJECT_STATUS,
		.rows = {"[{\"version\":\"0.1.0\",\"uptime_s\":93784,\"config_file\":"
			 "\"/etc/postern.yaml\",\"generation\":3,\"workers\":2,\"huge_pages\":true,"
			 "\"buffers\":8192,\"buffers_in_use\":130,\"mappings\":12,\"leases\":1,"
			 "\"resting\":0,\"subscribers\":2,\"blocks\":2,\"addresses\":4,\"drops\":7,"
			 "\"epoch_s\":{\"residential\":59}}]"},
		.done = "{}"};

	expect(&page, "posternd:           0.1.0\n"
		      "up for:             1d02h\n"
		      "configuration:      /etc/postern.yaml\n"
		      "generation:         3\n"
		      "workers:            2\n"
		      "huge pages:         yes\n"
		      "packet buffers:     130 of 8192 in use\n"
		      "subscribers:        2\n"
		      "mappings:           12\n"
		      "leases:             1\n"
		      "resting ports:      0\n"
		      "port blocks:        2\n"
		      "external addresses: 4\n"
		      "packets dropped:    7\n"
		      "Epoch:              59s (residential)\n");
}

Test(posternctl, shows_who_owns_a_groups_addresses)
{
	struct page page = {.subject = SUBJECT_GROUPS,
		.rows = {"[{\"name\":\"residential\",\"id\":0,\"epoch_s\":3725,\"pcp\":true,"
			 "\"pcp_listen\":[\"192.0.2.1\",\"gateway\"],\"pcp_port\":5351,"
			 "\"pool_size\":3,\"pool\":[{\"address\":\"203.0.113.0\",\"worker\":1},"
			 "{\"address\":\"203.0.113.1\",\"workers\":[{\"worker\":0,\"first_port\":0,"
			 "\"last_port\":32767},{\"worker\":1,\"first_port\":32768,"
			 "\"last_port\":65535}]}],\"pcp_results\":{\"SUCCESS\":9,"
			 "\"NO_RESOURCES\":1}}]"},
		.done = "{}"};

	expect(&page, "residential (id 0): Epoch 1h02m, 3 external addresses\n"
		      "  PCP on 192.0.2.1 gateway port 5351\n"
		      "  PCP answers: SUCCESS 9, NO_RESOURCES 1\n"
		      "ADDRESS      OWNER\n"
		      "203.0.113.0  worker 1\n"
		      "203.0.113.1  worker 0: 0-32767, worker 1: 32768-65535\n"
		      "... and 1 more\n");
}

Test(posternctl, shows_ports_and_their_interfaces)
{
	struct page page = {.subject = SUBJECT_PORTS,
		.rows = {"[{\"name\":\"p0\",\"device\":\"net_tap0\",\"driver\":\"net_tap\",\"mac\":"
			 "\"02:00:00:00:00:01\",\"link_up\":true,\"mtu\":1500,\"steering\":"
			 "\"software\",\"rx_queues\":1,\"tx_queues\":1,\"interfaces\":[{\"name\":"
			 "\"inside\",\"side\":\"inside\",\"vlan\":7,\"mtu\":1500,\"addresses\":"
			 "[\"100.64.0.1/10\",\"10.0.0.1/8\"]}],\"rx_packets\":10,\"rx_bytes\":2048,"
			 "\"rx_missed\":1,\"rx_errors\":2,\"rx_no_buffer\":3,\"tx_packets\":4,"
			 "\"tx_bytes\":512,\"tx_errors\":0}]"},
		.done = "{}"};

	expect(&page, "PORT  DRIVER   LINK  MAC                 MTU  QUEUES  STEERING  RX-PACKETS"
		      "  RX-BYTES  RX-LOST  TX-PACKETS  TX-BYTES\n"
		      "p0    net_tap  up    02:00:00:00:00:01  1500       1  software          10"
		      "   2.0 KiB        6           4       512\n"
		      "\n"
		      "INTERFACE  PORT  SIDE    VLAN   MTU  ADDRESSES\n"
		      "inside     p0    inside  7     1500  100.64.0.1/10 10.0.0.1/8\n");
}

Test(posternctl, shows_the_members_of_a_link_aggregation)
{
	struct page page = {.subject = SUBJECT_PORTS,
		.rows = {"[{\"name\":\"p0\",\"driver\":\"net_bonding\",\"mac\":\"02:00:00:00:00:"
			 "01\","
			 "\"link_up\":true,\"mtu\":1500,\"steering\":\"software\",\"rx_queues\":1,"
			 "\"interfaces\":[],\"rx_packets\":10,\"rx_bytes\":2048,"
			 "\"tx_packets\":4,\"tx_bytes\":512,\"aggregation\":\"802.1AX\","
			 "\"members\":["
			 "{\"device\":\"0000:3b:00.0\",\"state\":\"active\",\"rx_packets\":10,"
			 "\"tx_packets\":4},{\"device\":\"net_tap2,iface=x\",\"state\":\"standby\","
			 "\"rx_packets\":0,\"tx_packets\":0}]}]"},
		.done = "{}"};

	expect(&page, "PORT  DRIVER       LINK  MAC                 MTU  QUEUES  STEERING  "
		      "RX-PACKETS  RX-BYTES  RX-LOST  TX-PACKETS  TX-BYTES\n"
		      "p0    net_bonding  up    02:00:00:00:00:01  1500       1  software  "
		      "        10   2.0 KiB        0           4       512\n"
		      "\n"
		      "INTERFACE  PORT  SIDE  VLAN  MTU  ADDRESSES\n"
		      "\n"
		      "MEMBER        PORT  AGGREGATION  STATE    RX-PACKETS  TX-PACKETS\n"
		      "0000:3b:00.0  p0    802.1AX      active           10           4\n"
		      "net_tap2      p0    802.1AX      standby           0           0\n");
}

Test(posternctl, a_link_that_the_daemon_cannot_read_is_unknown)
{
	struct page page = {.subject = SUBJECT_PORTS,
		.rows = {"[{\"name\":\"p0\",\"driver\":\"net_tap\",\"mac\":\"02:00:00:00:00:01\","
			 "\"link_up\":null,\"mtu\":1500,\"steering\":\"software\",\"rx_queues\":1,"
			 "\"interfaces\":[],\"rx_packets\":10,\"rx_bytes\":2048,"
			 "\"tx_packets\":4,\"tx_bytes\":512}]"},
		.done = "{}"};

	expect(&page, "PORT  DRIVER   LINK     MAC                 MTU  QUEUES  STEERING  "
		      "RX-PACKETS  RX-BYTES  RX-LOST  TX-PACKETS  TX-BYTES\n"
		      "p0    net_tap  unknown  02:00:00:00:00:01  1500       1  software  "
		      "        10   2.0 KiB        0           4       512\n"
		      "\n"
		      "INTERFACE  PORT  SIDE  VLAN  MTU  ADDRESSES\n");
}

Test(posternctl, shows_each_worker)
{
	struct page page = {.subject = SUBJECT_WORKERS,
		.rows = {"[{\"worker\":0,\"cpu\":1,\"running\":true,\"huge_pages\":false,"
			 "\"shard_bytes\":1073741824,\"generation\":1,\"io\":{\"rx_packets\":10,"
			 "\"tx_packets\":9,\"loops\":200,\"busy_loops\":25,\"naps\":3,"
			 "\"handoff_in\":1,\"handoff_out\":2},\"shard\":{\"mappings\":5,"
			 "\"subscribers\":1,\"leases\":0,\"pcp_replies\":8}}]"},
		.done = "{}"};

	expect(&page, "WORKER  CPU  STATE    GENERATION  RX  TX  HANDED-OUT  HANDED-IN  BUSY   NAPS"
		      "  MAPPINGS  SUBSCRIBERS  LEASES  PCP  SHARD-MEMORY  HUGE\n"
		      "     0    1  running           1  10   9           2          1  12.5%     3"
		      "         5            1       0    8       1.0 GiB  no\n");
}

Test(posternctl, shows_counters_with_what_they_mean)
{
	struct page page = {.subject = SUBJECT_COUNTERS,
		.rows = {"[{\"name\":\"drop.ttl\",\"value\":5,\"workers\":[2,3],"
			 "\"about\":\"Time to live used up.\"}]"},
		.done = "{}"};

	expect(&page, "COUNTER   VALUE  BY-WORKER  ABOUT\n"
		      "drop.ttl      5  2 3        Time to live used up.\n");
}

Test(posternctl, tells_what_a_check_found)
{
	struct page good = {.subject = SUBJECT_CHECK, .done = "{\"live\":true,\"restart\":[]}"};
	struct page restart = {.subject = SUBJECT_CHECK,
		.done = "{\"live\":false,\"restart\":[{\"text\":\"new.yaml:1:1: workers: ...\"}]}"};
	struct page bad = {.subject = SUBJECT_CHECK,
		.error = "{\"code\":\"invalid\",\"message\":\"the configuration has mistakes\","
			 "\"complaints\":[{\"text\":\"new.yaml:2:3: a\"},{\"text\":\"b\"}]}"};

	expect(&good, "new.yaml: correct; every change in it can be applied live\n");
	expect(&restart, "new.yaml: correct, but these leaves need a restart of posternd:\n"
			 "new.yaml:1:1: workers: ...\n");
	expect(&bad, "new.yaml:2:3: a\nb\nposternctl: the configuration has mistakes\n");
}

Test(posternctl, tells_what_was_added)
{
	struct page mapping = {.subject = SUBJECT_ADD, .done = EXPLICIT "}"};
	struct page fixed = {.subject = SUBJECT_ADD_STATIC,
		.done = "{\"protocol\":\"tcp\",\"internal_address\":\"100.64.0.1\","
			"\"internal_port\":22,\"external_address\":\"203.0.113.1\","
			"\"external_port\":22,\"kind\":\"static\"}"};
	struct page epoch = {.subject = SUBJECT_RESET_EPOCH, .done = "{}"};

	expect(&mapping, "tcp 100.64.0.10:8080 is 203.0.113.7:40001 outside, for 59m59s\n");
	expect(&fixed, "tcp 100.64.0.1:22 is 203.0.113.1:22 outside, until posternd ends\n");
	expect(&epoch, "the group's Epoch starts again, and its clients are told\n");
}

Test(posternctl, keeps_a_terminal_safe_from_messages_and_json)
{
	struct page error = {.subject = SUBJECT_DELETE,
		.error = "{\"code\":\"x\",\"message\":\"a\\u001b[2J\\u009b\"}"};
	struct page json = {.subject = SUBJECT_MAPPINGS,
		.json = true,
		.rows = {"[{\"description\":\"\\u009b31m\\u001b\\u00fc\"}]"},
		.done = "{}"};

	expect(&error, "posternctl: a\\x1b[2J\\x9b\n");
	expect(&json, "{\"description\":\"\\u009B31m\\u001B\\u00FC\"}\n");
}

Test(posternctl, tells_that_a_deed_is_done)
{
	struct page deleted = {.subject = SUBJECT_DELETE, .done = "{}"};
	struct page applied = {
		.subject = SUBJECT_APPLY, .done = "{\"generation\":2,\"workers\":4}"};
	struct page json = {
		.subject = SUBJECT_APPLY, .json = true, .done = "{\"generation\":2,\"workers\":4}"};
	struct page text = {.subject = SUBJECT_CONFIG, .done = "{\"text\":\"a: 1\\n\"}"};
	struct page refused = {.subject = SUBJECT_DELETE,
		.json = true,
		.error = "{\"code\":\"static\",\"message\":\"m\"}"};

	expect(&deleted, "deleted\n");
	expect(&applied, "generation 2 is in force on all 4 workers\n");
	expect(&json, "{\"generation\":2,\"workers\":4}\n");
	expect(&text, "a: 1\n");
	expect(&refused, "{\"error\":{\"code\":\"static\",\"message\":\"m\"}}\n");
}
