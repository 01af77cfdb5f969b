// SPDX-License-Identifier: Apache-2.0
// Prints IPFIX messages for tests/unit/natlog/tshark.py, one a line: hex, then what tshark must
// read in it, as FIELD=VALUE. The first messages hold the templates.
#include "ipfix.h"
#include "samples.h"

#include <stdio.h>

static uint8_t message[1400];

static void print_message(struct ipfix *x)
{
	size_t length = ipfix_finish(x);

	for (size_t i = 0; i < length; i++)
		printf("%02x", message[i]);
}

static void print_address(const char *field, ip4 address)
{
	char text[IP4_TEXT];

	printf(" %s=%s", field, ip4_format(address, text));
}

static void print_flow(const struct natlog_event *e, unsigned fields)
{
	if (fields & SHAPE_INTERNAL_PORT) {
		printf(" cflow.srcport=%u", e->nat.key.port);
		printf(" cflow.post_naptsource_transport_port=%u", e->nat.external.port);
		printf(" cflow.protocol=%u", shape_protocol(e));
	}
	if (fields & SHAPE_RANGE) {
		printf(" cflow.port_range_start=%u", e->nat.external.port);
		printf(" cflow.port_range_end=%u", e->nat.last_port);
	}
	if (fields & SHAPE_REMOTE) {
		print_address("cflow.dstaddr", e->nat.remote.addr);
		printf(" cflow.dstport=%u", e->nat.remote.port);
	}
}

static void print_wanted(const struct natlog_event *e)
{
	const struct shape *shape = shape_of(e);

	printf(" cflow.nat_event=%u cflow.nat_instanceid=%u", shape->nat_event, SAMPLE_DOMAIN);
	if (e->kind == NATLOG_NAT && (shape->fields & SHAPE_HOST) && e->nat.key.host &&
		shape->tmpl != SHAPE_NO_ADDRESS && shape->tmpl != SHAPE_NO_PORT)
		print_address("cflow.srcaddr", e->nat.key.host);
	if (shape->fields & SHAPE_EXTERNAL)
		print_address("cflow.post_natsource_ipv4_address", e->nat.external.addr);
	print_flow(e, shape->fields);
	if (shape->nat_event == 13)
		printf(" cflow.nat_quota_exceeded_event=%u", shape->sub_event);
	if (shape->nat_event == 18)
		printf(" cflow.nat_threshold_event=%u", shape->sub_event);
}

int main(void)
{
	struct ipfix_setup setup = {.domain = SAMPLE_DOMAIN,
		.destinations = true,
		.started_ms = SAMPLE_MS,
		.buffer = message,
		.mtu = sizeof message};
	struct ipfix *x = ipfix_create(&setup);

	for (unsigned i = 0; x && i < SHAPE_TEMPLATES; i++) {
		if (!ipfix_add_template(x, i, SAMPLE_MS))
			return 1;
	}
	print_message(x);
	puts("");
	for (size_t i = 0; i < n_samples; i++) {
		if (!samples[i].ipfix || !ipfix_add(x, &samples[i].event, SAMPLE_MS))
			continue;
		print_message(x);
		print_wanted(&samples[i].event);
		puts("");
	}
	if (!ipfix_add_losses(x, 12345, SAMPLE_MS))
		return 1;
	print_message(x);
	puts(" cflow.notsent_flows=12345");
	ipfix_destroy(x);
	return 0;
}
