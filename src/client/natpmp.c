// SPDX-License-Identifier: Apache-2.0
// What is different in NAT-PMP (RFC 6886): who may speak it, when to send again, how far two
// clocks may run apart, and that the external address is a question of its own.
#include "state.h"

#define RETRY_NATPMP (250 * NS_PER_MS) // s.3.1: doubling, 9 times

static bool is_private(ip4 a)
{
	return a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8; // RFC 1918
}

bool natpmp_may(const struct server *s)
{
	ip6 source = s->sources[s->address].ip;

	return s->sources[s->address].known && ip6_is_mapped(source) &&
	       ip6_is_mapped(ip_of(server_endpoint(s)->ip)) && is_private(ip6_to_ip4(source));
}

ns natpmp_retry(ns previous)
{
	return previous == 0 ? RETRY_NATPMP : 2 * previous;
}

// s.3.6: what it said last plus 7/8 of the time since, less 2 seconds.
bool natpmp_epoch_check(struct epoch *e, ns now, uint32_t server_s)
{
	uint64_t passed_s = (now - e->heard) / NS_PER_S;
	bool valid = !e->known || server_s + 2 >= e->server_s + passed_s * 7 / 8;

	*e = (struct epoch){.known = true, .heard = now, .server_s = server_s};
	return valid;
}

static void change_external(struct fact *f, ip6 external)
{
	if (f->phase != PHASE_HELD || ip6_eq(ip_of(f->external.ip), external))
		return;
	memcpy(f->external.ip, external.b, sizeof f->external.ip);
	fact_tell(f, POSTERN_CHANGED);
}

void natpmp_take_address(struct server *s, const struct pcp_message *msg)
{
	s->has_external = true;
	s->external = msg->external_ip;
	if (msg->result == PCP_SUCCESS)
		for (struct fact *f = s->facts; f; f = f->next_of_server)
			change_external(f, msg->external_ip);
	server_replan(s);
}
