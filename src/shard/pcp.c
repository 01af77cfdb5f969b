// SPDX-License-Identifier: Apache-2.0
// PCP requests: a packet like any other, answered by the shard that owns the subscriber, in place.
#include <postern/shard.h>

#include "world.h"

uint32_t pcp_group(const struct conf *c, const struct pkt *p, const struct conf_local *local)
{
	uint32_t group = local->index;

	if (iface_of(c, p)->side != CONF_INSIDE)
		return PREFIX_NONE;
	if (local->kind == CONF_LOCAL_INTERFACE) {
		if (local->realm != iface_of(c, p)->realm) // an outside one, though ours
			return PREFIX_NONE;
		group = conf_group_of(c, iface_of(c, p)->realm, p->src);
		if (group == PREFIX_NONE || !c->groups[group].listen_gateway)
			return PREFIX_NONE;
	}
	return c->groups[group].pcp.enabled && c->groups[group].pcp_port == p->dport ? group
										     : PREFIX_NONE;
}

uint32_t group_epoch_s(const struct shard *s, uint32_t group, ns now)
{
	ns base = __atomic_load_n(&s->epochs->base_ns[group], __ATOMIC_RELAXED);

	return now > base ? (uint32_t)((now - base) / NS_PER_S) : 0;
}

// The age of the later of the group's origin and the client's own (design D5).
static uint32_t client_epoch_s(struct burst *b, uint32_t group, uint8_t realm, ip4 host)
{
	uint32_t epoch_s = group_epoch_s(b->s, group, b->now);
	uint32_t base_s = nat_epoch_base(b->s->nat, realm, host);

	return base_s == 0 ? epoch_s : min_u32(epoch_s, b->now_s - base_s);
}

static bool checksum_is_right(const struct pkt *p, size_t udp_len)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);

	return be16_eq(udp->checksum, 0) ||
	       checksum_l4(p->src, p->dst, IP_UDP, p->l3 + p->l4_at, udp_len) == 0;
}

enum verdict pcp_packet(struct burst *b, struct pkt *p, uint32_t group)
{
	const struct udp_wire *udp = (const void *)(p->l3 + p->l4_at);
	size_t udp_len = be16_get(udp->length), at = (size_t)p->l4_at + sizeof *udp, reply_len;
	const struct conf_group *g = &b->c->groups[group];
	uint8_t realm = iface_of(b->c, p)->realm, *msg = p->l3 + at;
	uint32_t own_group = conf_group_of(b->c, realm, p->src);
	struct server_asker asker = {.source = p->src,
		.port = p->sport,
		.realm = realm,
		.group = (uint8_t)group,
		.authorized = own_group == group,
		.have_external = g->n_external > 0};
	enum drop why;
	bool newcomer;

	if (own_group == PREFIX_NONE)
		return drop(b->s, p, DROP_PCP_INTERFACE);
	if (!checksum_is_right(p, udp_len))
		return drop(b->s, p, DROP_PCP_CHECKSUM);
	if (p->room < at + PCP_MAX)
		return drop(b->s, p, DROP_NO_BUFFER);
	newcomer = nat_is_new_subscriber(b->s->nat, realm, p->src);
	asker.may_create = !newcomer || newcomer_allowed(b, p);
	asker.epoch_s = newcomer ? group_epoch_s(b->s, group, b->now)
				 : client_epoch_s(b, group, realm, p->src);
	why = server_answer(b->s->nat, &g->nat, &g->pcp, &asker, msg, udp_len - sizeof *udp,
		b->now_s, &b->s->counters.server, &reply_len);
	if (why != DROP_NONE)
		return drop(b->s, p, why);
	if (newcomer && !nat_is_new_subscriber(b->s->nat, realm, p->src))
		newcomer_charge(b, p);
	if (msg[3] < PCP_RESULT_COUNT)
		b->s->counters.group_results[group][msg[3]]++;
	if (!xlat_udp_reply(p, reply_len) || !route(b->c, realm, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	b->s->counters.pcp_replies++;
	return VERDICT_REPLY;
}
