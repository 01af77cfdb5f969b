// SPDX-License-Identifier: Apache-2.0
// Packets that pass untranslated, because the operator named their outside endpoint
// (nat-pass-through, RFC 6888 REQ-6): both ways, errors about them included. No table knows of
// them.
//
// A fragment passes by the entries that name no ports. Where an entry does, a fragment from inside
// passes after its first piece told the ports; from outside it must be whole.
#include <postern/shard.h>

#include "world.h"

struct endpoint { // the one outside
	ip4 addr;
	uint16_t port;
	uint8_t protocol;
};

static uint8_t quoted_protocol(const struct pkt *p)
{
	const struct ip4_wire *quoted = (const void *)(p->l3 + p->inner.at);

	return quoted->protocol;
}

// Of an ICMP error it is what the packet that it is about says.
static struct endpoint endpoint_to(const struct pkt *p)
{
	if (p->kind == PKT_ICMP_ERROR)
		return (struct endpoint){p->inner.src, p->inner.sport, quoted_protocol(p)};
	return (struct endpoint){p->dst, p->kind == PKT_FRAGMENT ? 0 : p->dport, p->protocol};
}

static struct endpoint endpoint_from(const struct pkt *p)
{
	if (p->kind == PKT_ICMP_ERROR)
		return (struct endpoint){p->inner.dst, p->inner.dport, quoted_protocol(p)};
	return (struct endpoint){p->src, p->kind == PKT_FRAGMENT ? 0 : p->sport, p->protocol};
}

// An error from inside is the receiver's, to the sender: nobody speaks for another, and a quote
// that names somebody who passes is no way to anybody else.
static bool is_own_error_out(const struct pkt *p)
{
	return p->kind != PKT_ICMP_ERROR || (p->inner.dst == p->src && p->inner.src == p->dst);
}

// One from outside is about what its receiver sent, whoever tells it (RFC 4787 REQ-12a).
static bool is_own_error_in(const struct pkt *p)
{
	return p->kind != PKT_ICMP_ERROR || p->inner.src == p->dst;
}

static bool passes(const struct conf *c, uint32_t group, const struct endpoint *e)
{
	return group != PREFIX_NONE && c->groups[group].n_pass > 0 &&
	       conf_passes(&c->groups[group], e->addr, e->protocol, e->port);
}

static enum verdict forward(struct burst *b, struct pkt *p)
{
	const struct ip4_wire *ip = (const void *)p->l3;

	if (ip->ttl <= 1)
		return refuse(b, p, DROP_TTL, ICMP_TIME_EXCEEDED, 0, 0);
	if (!fits_link(b->c, p) && !may_be_cut(p))
		return refuse(b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG, link_mtu(b->c, p));
	xlat_lower_ttl(p);
	b->s->counters.passed_through++;
	return send_on(b, p);
}

bool pass_out(struct burst *b, struct pkt *p, enum verdict *verdict)
{
	uint8_t realm = iface_of(b->c, p)->realm;
	struct endpoint to = endpoint_to(p);

	if (!is_own_error_out(p) || !passes(b->c, conf_group_of(b->c, realm, p->src), &to))
		return false;
	if (is_impossible_source(b->c, p))
		*verdict = drop(b->s, p, DROP_SPOOFED);
	else if (!route(b->c, 0, p))
		*verdict = refuse(b, p, DROP_NO_ROUTE, ICMP_UNREACHABLE, ICMP_NET_UNREACHABLE, 0);
	else
		*verdict = forward(b, p);
	return true;
}

// Where two realms have the same subscriber and let the same endpoint pass, the lower one has it.
bool pass_in(struct burst *b, struct pkt *p, enum verdict *verdict)
{
	struct endpoint from = endpoint_from(p);

	for (unsigned realm = 1; realm < b->c->n_realms && is_own_error_in(p); realm++) {
		if (!passes(b->c, conf_group_of(b->c, (uint8_t)realm, p->dst), &from))
			continue;
		if (conf_find_local(b->c, 0, p->src) != NULL)
			*verdict = drop(b->s, p, DROP_SPOOFED);
		else if (!route(b->c, (uint8_t)realm, p))
			*verdict = drop(b->s, p, DROP_NO_ROUTE);
		else
			*verdict = forward(b, p);
		return true;
	}
	return false;
}
