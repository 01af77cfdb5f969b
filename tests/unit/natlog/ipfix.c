// SPDX-License-Identifier: Apache-2.0
#include "ipfix.h"
#include "samples.h"

#include <stdio.h>

enum {
	MTU = 1400
};

static uint8_t message[MTU];

static struct ipfix *open_one(uint16_t mtu, bool destinations)
{
	struct ipfix_setup setup = {.domain = SAMPLE_DOMAIN,
		.destinations = destinations,
		.started_ms = 0x1122334455,
		.buffer = message,
		.mtu = mtu};
	struct ipfix *x = ipfix_create(&setup);

	cr_assert_not_null(x);
	return x;
}

// Hex with blanks, as people write it, to octets.
static size_t octets(const char *hex, uint8_t *out)
{
	size_t n = 0;

	for (; *hex; hex++) {
		unsigned octet;
		if (*hex == ' ')
			continue;
		cr_assert_eq(sscanf(hex, "%2x", &octet), 1, "%s", hex);
		out[n++] = (uint8_t)octet;
		hex++;
	}
	return n;
}

static void expect_message(const char *hex, size_t length)
{
	uint8_t wanted[MTU];
	size_t n = octets(hex, wanted);

	cr_expect_eq(length, n, "%zu octets, not %zu: %s", length, n, hex);
	for (size_t i = 0; i < n && i < length; i++)
		cr_expect_eq(message[i], wanted[i], "octet %zu: %02x, not %02x: %s", i, message[i],
			wanted[i], hex);
}

// Each event in a message of its own: header, set header, record.
Test(natlog, ipfix_of_every_event)
{
	struct ipfix *x = open_one(MTU, false);
	unsigned sequence = 0;

	for (size_t i = 0; i < n_samples; i++) {
		char wanted[1024];
		uint8_t record[MTU];
		cr_assert(ipfix_add(x, &samples[i].event, SAMPLE_MS));
		size_t length = ipfix_finish(x);
		if (!samples[i].ipfix) {
			cr_expect_eq(length, 0u, "sample %zu has no record", i);
			continue;
		}
		unsigned set = 4 + (unsigned)octets(samples[i].ipfix + 5, record);
		snprintf(wanted, sizeof wanted, "000a %04x 6a450140 %08x 00000007 %.4s %04x %s",
			16 + set, sequence++, samples[i].ipfix, set, samples[i].ipfix + 5);
		expect_message(wanted, length);
	}
	ipfix_destroy(x);
}

static const struct natlog_event session = {.kind = NATLOG_NAT,
	.at_ms = SAMPLE_MS,
	.realm = "inside",
	.nat = {.kind = NAT_EVENT_SESSION_CREATED,
		.key = {.host = 0x6440000a, .port = 5000, .realm = 1, .protocol = NAT_TCP},
		.external = {0xcb007107, 1027},
		.remote = {0xc6336409, 443}}};

Test(natlog, t_6888_12_ipfix_shows_a_destination_only_when_asked)
{
	struct ipfix *x = open_one(MTU, true);

	cr_assert(ipfix_add(x, &session, SAMPLE_MS));
	expect_message("000a 0045 6a450140 00000000 00000007 0101 0035 0000019f1d8ce27b 04 "
		       "6440000a cb007107 06 1388 0403 c6336409 c6336409 01bb 01bb 00000007 "
		       "00000001 06 696e73696465",
		ipfix_finish(x));
	ipfix_destroy(x);
}

// RFC 7011 s.4.3: who exports, when it began, and how many records there should have been more.
Test(natlog, t_17_e_ipfix_tells_losses)
{
	struct ipfix *x = open_one(MTU, false);

	cr_assert(ipfix_add_losses(x, 0x10000000005, SAMPLE_MS));
	expect_message("000a 0030 6a450140 00000000 00000007 010e 0020 00000007 0000019f1d8ce27b "
		       "0000001122334455 0000010000000005",
		ipfix_finish(x));
	ipfix_destroy(x);
}

#define FLOW_FIELDS "0143 0008 00e6 0001 0008 0004 00e1 0004 0004 0001 0007 0002 00e3 0002 "
#define REALM_FIELDS "01cf 0004 00ea 0004 01d0 ffff "

static void expect_template(unsigned which, const char *set)
{
	struct ipfix *x = open_one(MTU, false);
	char wanted[1024];
	uint8_t body[MTU];
	size_t n = octets(set, body);

	cr_assert(ipfix_add_template(x, which, SAMPLE_MS));
	snprintf(wanted, sizeof wanted, "000a %04zx 6a450140 00000000 00000007 %s", 16 + n, set);
	expect_message(wanted, ipfix_finish(x));
	ipfix_destroy(x);
}

// Field by field in the order of the project's sheet, then instance and realm.
Test(natlog, ipfix_templates)
{
	expect_template(SHAPE_FLOW, "0002 0030 0100 000a " FLOW_FIELDS REALM_FIELDS);
	expect_template(SHAPE_FLOW_REMOTE, "0002 0040 0101 000e " FLOW_FIELDS
					   "000c 0004 00e2 0004 000b 0002 00e4 0002 " REALM_FIELDS);
	expect_template(
		SHAPE_SET, "0002 0038 0102 000c " FLOW_FIELDS "0169 0002 016a 0002 " REALM_FIELDS);
	expect_template(SHAPE_BINDING,
		"0002 0024 0103 0007 0143 0008 00e6 0001 0008 0004 00e1 0004 " REALM_FIELDS);
	expect_template(SHAPE_BLOCK, "0002 0034 0104 000b 0143 0008 00e6 0001 0008 0004 00e1 0004 "
				     "0169 0002 016a 0002 016b 0002 016c 0002 " REALM_FIELDS);
	expect_template(SHAPE_NO_ADDRESS,
		"0002 001c 0105 0005 0143 0008 00e6 0001 011b 0004 011c ffff 01cf 0004");
	expect_template(SHAPE_NO_PORT,
		"0002 001c 0106 0005 0143 0008 00e6 0001 00e1 0004 0004 0001 01cf 0004");
	expect_template(SHAPE_QUOTA_SESSIONS,
		"0002 001c 0107 0005 0143 0008 00e6 0001 01d2 0004 01d7 0004 01cf 0004");
	expect_template(SHAPE_QUOTA_MAPPINGS,
		"0002 001c 0108 0005 0143 0008 00e6 0001 01d2 0004 01d8 0004 01cf 0004");
	expect_template(SHAPE_QUOTA_USER, "0002 0028 0109 0008 0143 0008 00e6 0001 01d2 0004 01d9 "
					  "0004 0008 0004 " REALM_FIELDS);
	expect_template(SHAPE_QUOTA_SUBSCRIBERS,
		"0002 001c 010a 0005 0143 0008 00e6 0001 01d2 0004 01da 0004 01cf 0004");
	expect_template(SHAPE_POOL_HIGH,
		"0002 0024 010b 0007 0143 0008 00e6 0001 01d3 0004 01dc 0004 "
		"011b 0004 011c ffff 01cf 0004");
	expect_template(SHAPE_POOL_LOW,
		"0002 0024 010c 0007 0143 0008 00e6 0001 01d3 0004 01dd 0004 "
		"011b 0004 011c ffff 01cf 0004");
	expect_template(SHAPE_USER_HIGH, "0002 0028 010d 0008 0143 0008 00e6 0001 01d3 0004 01e0 "
					 "0004 0008 0004 " REALM_FIELDS);
	expect_template(
		SHAPE_LOSSES, "0003 001a 010e 0004 0001 0090 0004 0143 0008 00a0 0008 00a6 0008");
	expect_template(SHAPE_MAPPINGS_HIGH,
		"0002 001c 010f 0005 0143 0008 00e6 0001 01d3 0004 01de 0004 01cf 0004");
	expect_template(SHAPE_SUBSCRIBERS_HIGH,
		"0002 001c 0110 0005 0143 0008 00e6 0001 01d3 0004 01e1 0004 01cf 0004");
	expect_template(SHAPE_QUOTA_FRAGMENTS, "0002 0028 0111 0008 0143 0008 00e6 0001 01d2 0004 "
					       "01db 0004 0008 0004 " REALM_FIELDS);
}

// RFC 7011 s.3.1: the sequence number counts records, not messages; templates do not count.
Test(natlog, t_17_e_ipfix_numbers_records)
{
	struct ipfix *x = open_one(MTU, false);

	for (unsigned i = 0; i < 3; i++)
		cr_assert(ipfix_add(x, &session, SAMPLE_MS));
	cr_assert_eq(ipfix_finish(x), 16u + 4 + 3 * 37);
	for (unsigned i = 0; i < SHAPE_TEMPLATES; i++)
		cr_assert(ipfix_add_template(x, i, SAMPLE_MS));
	cr_assert_gt(ipfix_finish(x), 0u);
	cr_assert_eq(message[11], 3);
	cr_assert(ipfix_add(x, &session, SAMPLE_MS));
	cr_assert_gt(ipfix_finish(x), 0u);
	cr_assert_eq(message[11], 3);
	cr_assert(ipfix_add_losses(x, 1, SAMPLE_MS));
	cr_assert_gt(ipfix_finish(x), 0u);
	cr_assert_eq(message[11], 4);
	cr_assert_eq(ipfix_finish(x), 0u, "nothing is no message");
	ipfix_destroy(x);
}

// What ipfix_room() says is what libfixbuf has, to the octet; and no record is larger than said.
Test(natlog, ipfix_room_is_right_whatever_is_mixed)
{
	struct ipfix *x = open_one(MTU, true);

	for (size_t i = 0; i < n_samples; i++) {
		struct natlog_event e = samples[i].event;
		e.group = e.realm = "a-name-of-all-the-31-octets-it-c";
		size_t before = ipfix_room(x);
		cr_assert(ipfix_add(x, &e, SAMPLE_MS));
		cr_assert_leq(before - ipfix_room(x), (size_t)IPFIX_RECORD);
		if (ipfix_room(x) < 200) {
			size_t left = ipfix_room(x);
			cr_assert_eq(ipfix_finish(x), MTU - left);
		}
	}
	size_t left = ipfix_room(x);
	cr_assert_eq(ipfix_finish(x), MTU - left);
	ipfix_destroy(x);
}

Test(natlog, ipfix_fills_a_message_and_no_more)
{
	struct ipfix *x = open_one(200, false);
	unsigned n = 0;

	while (ipfix_add(x, &session, SAMPLE_MS))
		n++;
	cr_assert_eq(n, (200u - 16 - 4) / 37);
	cr_assert_eq(ipfix_finish(x), 16u + 4 + n * 37);
	cr_assert(ipfix_add(x, &session, SAMPLE_MS));
	ipfix_destroy(x);
}
