// SPDX-License-Identifier: Apache-2.0
// ICMP errors: those of others, translated both ways (RFC 5508 s.4), and our own.
#include <postern/shard.h>

#include "world.h"

// On to the shard of the subscriber whose external endpoint the quote names, as if from outside.
static enum verdict error_to_hairpin(struct burst *b, struct pkt *p)
{
	p->stage = PKT_HAIRPINNED;
	p->owner = shard_owner(b->c, p, b->s->id);
	return p->owner == b->s->id ? error_from_outside(b, p) : VERDICT_HANDOFF;
}

// From the address of the interface that the packet came by, whatever it is about. The source of a
// hairpinned packet reads as external already: what is told to it comes in like an
// error from outside (RFC 5508 REQ-7).
enum verdict refuse(
	struct burst *b, struct pkt *p, enum drop why, uint8_t type, uint8_t code, uint16_t mtu)
{
	const struct conf_interface *in = iface_of(b->c, p);
	uint32_t rate = b->c->icmp_error_rate;

	drop(b->s, p, why);
	if (rate == 0 || in->n_addresses == 0 || !in->icmp_errors || !xlat_may_answer(p, false))
		return VERDICT_DROP; // icmp_errors: RFC 5508 REQ-9
	if (!bucket_has(&b->s->icmp_errors, b->now, rate, rate)) {
		b->s->counters.drops[DROP_ICMP_RATE]++;
		return VERDICT_DROP;
	}
	if (!xlat_make_error(p, in->addresses[0].ip, type, code, mtu))
		return VERDICT_DROP;
	if (p->stage != PKT_HAIRPINNED && !route(b->c, in->realm, p))
		return VERDICT_DROP;
	bucket_charge(&b->s->icmp_errors, b->now, rate);
	b->s->counters.icmp_errors_sent++;
	return p->stage == PKT_HAIRPINNED ? error_to_hairpin(b, p) : VERDICT_REPLY;
}

// An inside host complains about a packet it got: the embedded destination is our subscriber. What
// has no ports was never translated, and what passed untranslated was seen to before.
enum verdict error_from_inside(struct burst *b, struct pkt *p, bool to_pool)
{
	struct nat_key key = {
		p->inner.dst, p->inner.dport, iface_of(b->c, p)->realm, p->inner.kind};
	struct recipe to;

	if (p->inner.kind == PKT_OTHER)
		return drop(b->s, p, DROP_ICMP_EMBEDDED);
	if (!nat_peek_out(b->s->nat, &key, &to))
		return drop(b->s, p, DROP_ICMP_NO_MAPPING);
	if (!to_pool && conf_group_of(b->c, key.realm, p->dst) != PREFIX_NONE)
		return drop(b->s, p, DROP_INSIDE_TO_INSIDE);
	if (!to_pool && !route(b->c, 0, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	xlat_error_from_inside(p, to);
	if (!xlat_is_atomic(p)) // it is one of many hosts' now (RFC 6864)
		identify(b, p);
	b->s->counters.icmp_errors_translated++;
	if (!to_pool)
		return VERDICT_PASS;
	return error_to_hairpin(b, p); // RFC 5508 REQ-7: about a hairpinned packet
}

// Somebody outside complains about a packet of ours: the embedded source is our external endpoint.
// Who he is does not count (RFC 4787 REQ-12a), but under ADF and APDF the packet must be one that
// was sent. Nothing is refreshed and nothing ends by it (RFC 4787 REQ-12, RFC 5508 REQ-6).
enum verdict error_from_outside(struct burst *b, struct pkt *p)
{
	struct recipe at = {p->inner.src, p->inner.sport}, remote = {p->inner.dst, p->inner.dport};
	struct nat_key to;

	if (p->inner.src != p->dst || p->inner.kind == PKT_OTHER)
		return drop(b->s, p, DROP_ICMP_EMBEDDED);
	if (!nat_peek_in(b->s->nat, p->inner.kind, at, &to) ||
		!nat_may_complain(b->s->nat, p->inner.kind, at, remote))
		return drop(b->s, p, DROP_ICMP_NO_MAPPING);
	xlat_error_from_outside(p, (struct recipe){to.host, to.port});
	if (!route(b->c, to.realm, p))
		return drop(b->s, p, DROP_NO_ROUTE);
	b->s->counters.icmp_errors_translated++;
	return VERDICT_PASS;
}

// A packet from inside that has its own source still was not translated; one from outside came to
// an address that is none of the pool's, if endpoints like its sender pass.
static bool was_passed(const struct conf *c, const struct pkt *p, uint8_t out_realm)
{
	uint32_t group;

	if (p->stage != PKT_FRESH)
		return false;
	if (out_realm == 0)
		return conf_find_local(c, 0, p->src) == NULL;
	group = conf_group_of(c, out_realm, p->dst);
	return group != PREFIX_NONE &&
	       conf_passes(&c->groups[group], p->src, p->protocol, p->sport);
}

// The packet was translated before its port turned out to take less than its interface promised:
// its sender must find in the quote what he wrote (RFC 4787 REQ-13).
static bool untranslate(struct burst *b, struct pkt *p)
{
	uint8_t out_realm = b->c->interfaces[b->c->next_hops[p->next_hop].iface].realm;
	struct nat_key inside = {p->dst, p->dport, out_realm, p->kind};
	struct recipe external;

	if (was_passed(b->c, p, out_realm))
		return true;
	if (p->kind < PKT_UDP || p->kind > PKT_ECHO || p->stage == PKT_HAIRPINNED)
		return false;
	p->stage = PKT_HAIRPINNED; // the TTL was lowered once already
	bool known = out_realm != 0 ? nat_peek_out(b->s->nat, &inside, &external)
				    : nat_peek_in(b->s->nat, p->kind,
					      (struct recipe){p->src, p->sport}, &inside);
	if (known && out_realm != 0)
		xlat_destination(p, external);
	else if (known)
		xlat_source(p, (struct recipe){inside.host, inside.port});
	p->stage = PKT_FRESH;
	return known;
}

enum verdict shard_too_big(
	struct shard *s, const struct conf *c, ns now, struct pkt *p, uint16_t mtu)
{
	struct burst b = {.s = s, .c = c, .now = now};

	if (!untranslate(&b, p))
		return drop(s, p, DROP_MTU_DF);
	return refuse(&b, p, DROP_MTU_DF, ICMP_UNREACHABLE, ICMP_TOO_BIG, mtu);
}
