// SPDX-License-Identifier: Apache-2.0
// Prints messages of our encoder, one a line, each with what a stranger should read in it:
//
//	request|response HEX FIELD=VALUE ...
//
// tshark.py shows them to tshark's portcontrol dissector.
#include <postern/pcp.h>
#include <stdio.h>
#include <stdlib.h>

static const struct pcp_nonce nonce = {
	{0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb}};

static ip6 address(const char *text)
{
	ip4 a;

	if (!ip4_parse(text, &a))
		abort();
	return ip6_mapped(a);
}

static void print(const char *direction, const uint8_t *msg, size_t len, const char *fields)
{
	printf("%s ", direction);
	for (size_t i = 0; i < len; i++)
		printf("%02x", msg[i]);
	printf(" %s\n", fields);
}

static struct pcp_message map_request(void)
{
	return (struct pcp_message){
		.opcode = PCP_MAP,
		.lifetime_s = 3600,
		.client = address("100.64.0.10"),
		.nonce = nonce,
		.protocol = 6,
		.internal_port = 8080,
		.external_port = 443,
		.external_ip = address("203.0.113.5"),
	};
}

#define MAP_FIELDS                                                                                 \
	"portcontrol.version=2 portcontrol.opcode=1 "                                              \
	"portcontrol.map.nonce=00112233445566778899aabb "                                          \
	"portcontrol.map.protocol=6 portcontrol.map.internal_port=8080 "

static void print_map(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();
	size_t len = pcp_encode_request(msg, sizeof msg, &m);

	len = pcp_append_option(msg, len, sizeof msg, PCP_PREFER_FAILURE, NULL, 0);
	print("request", msg, len,
		MAP_FIELDS "portcontrol.r=False portcontrol.lifetime_req=3600 "
			   "portcontrol.client_ip=::ffff:100.64.0.10 "
			   "portcontrol.map.req_sug_external_port=443 "
			   "portcontrol.map.req_sug_external_ip=::ffff:203.0.113.5 "
			   "portcontrol.option.code=2 portcontrol.option.length=0");
	pcp_error_reply(msg, len, sizeof msg, &m,
		&(struct pcp_error){PCP_CANNOT_PROVIDE_EXTERNAL, true, 620, 100, NULL});
	print("response", msg, len,
		MAP_FIELDS "portcontrol.r=True portcontrol.result_code=11 "
			   "portcontrol.lifetime_rsp=620 portcontrol.epoch_time=100 "
			   "portcontrol.option.code=2");
	m.external_port = 40001;
	len = pcp_success_reply(msg, &m, 7200, 100);
	print("response", msg, len,
		MAP_FIELDS "portcontrol.r=True portcontrol.result_code=0 "
			   "portcontrol.lifetime_rsp=7200 portcontrol.epoch_time=100 "
			   "portcontrol.map.rsp_assigned_external_port=40001 "
			   "portcontrol.map.rsp_assigned_ext_ip=::ffff:203.0.113.5");
}

static void print_options(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();
	size_t len = pcp_encode_request(msg, sizeof msg, &m);
	struct pcp_filter filter = {120, 443, address("198.51.100.0")};

	len = pcp_append_third_party(msg, len, sizeof msg, &m, address("100.64.0.20"));
	len = pcp_append_filter(msg, len, sizeof msg, &m, &filter);
	print("request", msg, len,
		MAP_FIELDS "portcontrol.option.code=1,3 portcontrol.option.length=16,20 "
			   "portcontrol.option.third_party.internal_ip=::ffff:100.64.0.20 "
			   "portcontrol.option.filter.prefix_length=120 "
			   "portcontrol.option.filter.remote_peer_port=443 "
			   "portcontrol.option.filter.remote_peer_ip=::ffff:198.51.100.0");
}

static void print_peer(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();

	m.opcode = PCP_PEER;
	m.remote_port = 993;
	m.remote_ip = address("198.51.100.7");
	print("request", msg, pcp_encode_request(msg, sizeof msg, &m),
		"portcontrol.version=2 portcontrol.opcode=2 "
		"portcontrol.peer.nonce=00112233445566778899aabb portcontrol.peer.protocol=6 "
		"portcontrol.peer.internal_port=8080 portcontrol.peer.req_sug_external_port=443 "
		"portcontrol.peer.req_sug_external_ip=::ffff:203.0.113.5 "
		"portcontrol.peer.remote_peer_port=993 "
		"portcontrol.peer.remote_peer_ip=::ffff:198.51.100.7");
}

static void print_extensions(void)
{
	static const struct pcp_port_set set = {100, 50000, true};
	static const struct pcp_prefix64 prefix = {
		7, {0x20, 0x01, 0x0d, 0xb8, 0x01, 0x22, 0x03}, 1, {{24, 0xc0000200}}};
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();
	size_t len = pcp_encode_request(msg, sizeof msg, &m);

	len = pcp_append_option(msg, len, sizeof msg, PCP_DESCRIPTION, "webs", 4);
	len = pcp_append_port_set(msg, len, sizeof msg, &set);
	print("request", msg, len,
		MAP_FIELDS "portcontrol.option.code=128,130 portcontrol.option.length=4,5 "
			   "portcontrol.option.description=webs "
			   "portcontrol.option.portset.size=100 "
			   "portcontrol.option.portset.req_sug_first_external_port=50000 "
			   "portcontrol.option.portset.parity=True");
	len = pcp_success_reply(msg, &m, 7200, 100);
	len = pcp_append_prefix64(msg, len, sizeof msg, &prefix);
	print("response", msg, len,
		MAP_FIELDS "portcontrol.option.code=129 portcontrol.option.length=22 "
			   "portcontrol.option.p64.length=7 "
			   "portcontrol.option.p64.ipv4_prefix_count=1 "
			   "portcontrol.option.p64.ipv4_prefix_length=24 "
			   "portcontrol.option.p64.ipv4_address=192.0.2.0");
}

// The layout that tshark knows as version 1 is that of drafts -16 to -24.
static void print_version_1(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();

	m.dialect = PCP_V1B;
	print("request", msg, pcp_encode_request(msg, sizeof msg, &m),
		"portcontrol.version=1 portcontrol.opcode=1 portcontrol.map.protocol=6 "
		"portcontrol.map.internal_port=8080 portcontrol.map.req_sug_external_port=443 "
		"portcontrol.map.req_sug_external_ip=::ffff:203.0.113.5");
	print("response", msg, pcp_success_reply(msg, &m, 7200, 100),
		"portcontrol.version=1 portcontrol.r=True portcontrol.epoch_time=100 "
		"portcontrol.map.internal_port=8080 "
		"portcontrol.map.rsp_assigned_external_port=443");
}

static void print_natpmp(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = map_request();

	m.dialect = PCP_NATPMP;
	print("request", msg, pcp_encode_request(msg, sizeof msg, &m),
		"nat-pmp.version=0 nat-pmp.opcode=2 nat-pmp.internal_port=8080 "
		"nat-pmp.external_port=443 nat-pmp.pml=3600");
	print("response", msg, pcp_success_reply(msg, &m, 7200, 100),
		"nat-pmp.version=0 nat-pmp.opcode=130 nat-pmp.result_code=0 nat-pmp.sssoe=100 "
		"nat-pmp.internal_port=8080 nat-pmp.external_port=443 nat-pmp.pml=7200");
	m.opcode = PCP_EXTERNAL_ADDRESS;
	print("response", msg, pcp_success_reply(msg, &m, 0, 100),
		"nat-pmp.version=0 nat-pmp.opcode=128 nat-pmp.sssoe=100 "
		"nat-pmp.external_ip=203.0.113.5");
}

static void print_announce(void)
{
	uint8_t msg[PCP_MAX];
	struct pcp_message m = {.opcode = PCP_ANNOUNCE, .client = address("100.64.0.10")};

	print("request", msg, pcp_encode_request(msg, sizeof msg, &m),
		"portcontrol.version=2 portcontrol.opcode=0 portcontrol.lifetime_req=0 "
		"portcontrol.client_ip=::ffff:100.64.0.10");
	print("response", msg, pcp_success_reply(msg, &m, 0, 4711),
		"portcontrol.version=2 portcontrol.opcode=0 portcontrol.r=True "
		"portcontrol.result_code=0 portcontrol.epoch_time=4711");
}

int main(void)
{
	print_announce();
	print_map();
	print_options();
	print_peer();
	print_extensions();
	print_version_1();
	print_natpmp();
	return 0;
}
