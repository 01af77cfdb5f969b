// SPDX-License-Identifier: Apache-2.0
// Every packet that leaves or ends is looked at here: came it to whom it was meant for, from whom
// he must see, with its own octets, and was what was dropped or refused nobody's right?
#include "simulation.h"

// ---- out of the switch: towards the Internet -------------------------------------------------

static struct recipe remote_of(const struct note *n)
{
	return (struct recipe){n->peer, n->peer_port};
}

static uint64_t number_in(const struct frame *f)
{
	const uint8_t *l4 = f->p.l3 + (f->p.l3[0] & 15u) * 4;
	uint64_t number;

	if (!f->p.resolved || !f->p.later)
		l4 += f->p.kind == PKT_TCP ? 20 : 8;
	memcpy(&number, l4, sizeof number);
	return number;
}

static void check_group(const struct simulation *s, int flow, struct recipe ext)
{
	if (!s->m.reloading &&
		plan_group_at(&s->plan, ext.addr) != plan_group_of(&s->plan, &s->m, flow))
		world_die("flow %d has an address of another group", flow);
}

static void saw_leave(
	struct simulation *s, int flow, struct recipe ext, struct recipe to, uint8_t flags)
{
	check_group(s, flow, ext);
	model_claimed(&s->m, flow, ext);
	model_left(&s->m, flow, ext);
	talk_out(&s->m, flow, to, flags);
}

static void peer_receives(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct recipe ext = {f->p.src, f->p.sport};
	uint8_t protocol = s->m.flows[n->from].protocol;
	struct note answer = {.kind = TO_HOST,
		.from = NOBODY,
		.to = n->from,
		.ext = ext,
		.peer = n->peer,
		.peer_port = n->peer_port};

	if (f->p.dst != n->peer || (protocol != NAT_ICMP && f->p.dport != n->peer_port))
		world_die("a packet left for somebody else");
	if (number_in(f) != n->number)
		world_die("a packet left with another's octets");
	saw_leave(s, n->from, ext, remote_of(n), n->flags);
	s->left++;
	if (n->piece > 1)
		return;
	if (chance(s, 60))
		sim_post(s, UPLINK, sim_packet_to(s, protocol, ext, n->peer, n->peer_port), answer);
	if (n->piece == 0 && chance(s, 5)) {
		answer.kind = ERROR_IN;
		sim_post_error(s, UPLINK, HOP, &f->p, answer);
	}
}

static void leaves(struct simulation *s, const struct frame *f, const struct note *n)
{
	if (n->kind == FROM_HOST || n->kind == LAST_HOP) {
		peer_receives(s, f, n);
		return;
	}
	if (n->kind != ERROR_OUT)
		world_die("a packet of kind %u left", n->kind);
	if (f->p.dst != n->peer)
		world_die("an error left for somebody else");
	if (sim_stands(s, n) && (f->p.src != n->ext.addr || f->p.inner.dst != n->ext.addr ||
					f->p.inner.dport != n->ext.port))
		world_die("an error left that its receiver cannot know");
	s->errors++;
}

// ---- filtering -------------------------------------------------------------------------------

enum belief sim_admits(const struct simulation *s, int flow, struct recipe remote)
{
	const struct flow *f = &s->m.flows[flow];
	uint8_t group = plan_group_of(&s->plan, &s->m, flow);

	if (group == 255 || s->m.reloading)
		return PERHAPS;
	if (f->fixed || f->lease_s > s->m.now_s) // they let everybody in
		return SURELY;
	if (f->filtered && f->lent_s + 2 >= s->m.now_s)
		return PERHAPS;
	return talk_admits(&s->m, flow, plan_filtering(group, f->protocol), remote);
}

// Whether it must arrive.
static bool must_arrive(const struct simulation *s, const struct note *n)
{
	if (!sim_stands(s, n))
		return false;
	switch ((enum kind)n->kind) {
	case ERROR_OUT:
		return true;
	case ERROR_ROUND:
		return sim_admits(s, n->to, n->ext) == SURELY;
	default:
		return sim_admits(s, n->to, remote_of(n)) == SURELY;
	}
}

// ---- out of the switch: towards a subscriber -------------------------------------------------

static int receiver_of(const struct simulation *s, const struct frame *f)
{
	const struct nat_key key = {
		f->p.dst, f->p.dport, s->w.conf->interfaces[f->out].realm, f->p.kind};
	int flow = model_find(&s->m, &key);

	if (flow == NOBODY)
		world_die("a packet came to nobody's door");
	return flow;
}

static void reached(
	struct simulation *s, int flow, struct recipe ext, struct recipe from, uint8_t flags)
{
	if (!model_claimed(&s->m, flow, ext)) {
		if (sim_admits(s, flow, from) == NEVER)
			world_die("flow %d is reached by a stranger", flow);
		model_reached(&s->m, flow, ext);
	}
	talk_in(&s->m, flow, from, flags);
	s->opened += s->m.flows[flow].filtered;
	s->reached++;
}

static void host_receives(struct simulation *s, const struct frame *f, const struct note *n)
{
	int flow = receiver_of(s, f);
	uint8_t kind = n->kind == HAIRPIN ? ERROR_ROUND : ERROR_OUT;
	struct note complaint = {.kind = kind,
		.from = flow,
		.to = n->from,
		.ext = n->ext,
		.peer = f->p.src,
		.peer_port = f->p.sport};

	if (number_in(f) != n->number)
		world_die("a subscriber received another's octets");
	if (n->to != NOBODY && flow != n->to)
		world_die("flow %d received what was meant for flow %d", flow, n->to);
	if (n->kind != HAIRPIN && f->p.src != n->peer)
		world_die("a subscriber sees another sender than there was");
	reached(s, flow, n->ext, (struct recipe){f->p.src, f->p.sport}, n->flags);
	if (n->piece == 0 && chance(s, 4))
		sim_post_error(s, iface_of_flow(s, flow), s->m.subscribers[flow / FLOWS_EACH].host,
			&f->p, complaint);
}

// RFC 4787 REQ-9a: the sender is seen as the Internet sees him.
static void hairpin_arrives(struct simulation *s, const struct frame *f, const struct note *n)
{
	saw_leave(s, n->from, (struct recipe){f->p.src, f->p.sport}, n->ext, n->flags);
	host_receives(s, f, n);
	s->hairpinned++;
}

static void error_arrives(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct nat_key key = model_key(&s->m, n->to);

	if (f->p.kind != PKT_ICMP_ERROR)
		world_die("an error turned into something else");
	if (sim_stands(s, n) && (f->p.dst != key.host || f->p.inner.src != key.host ||
					f->p.inner.sport != key.port ||
					s->w.conf->interfaces[f->out].realm != key.realm))
		world_die("an error came to somebody it does not concern");
	s->errors++;
}

static void arrives(struct simulation *s, const struct frame *f, const struct note *n)
{
	switch ((enum kind)n->kind) {
	case TO_HOST:
	case SCAN:
		host_receives(s, f, n);
		return;
	case HAIRPIN:
		hairpin_arrives(s, f, n);
		return;
	case ERROR_IN:
	case ERROR_ROUND:
		error_arrives(s, f, n);
		return;
	default:
		world_die("a packet of kind %u came inside", n->kind);
	}
}

// ---- out of the switch: answers and drops ----------------------------------------------------

// RFC 6888 REQ-11: refusals are for those who have no mapping yet.
static void refused(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct nat_key key = model_key(&s->m, n->from);
	uint8_t type = f->p.l3[f->p.l4_at];

	if (f->p.dst != key.host ||
		(n->piece == 0 &&
			(f->p.inner.src != key.host ||
				(f->p.kind == PKT_ICMP_ERROR && f->p.inner.sport != key.port))))
		world_die("a refusal is told to somebody else");
	if (n->kind == LAST_HOP ? type != ICMP_TIME_EXCEEDED : type != ICMP_UNREACHABLE)
		world_die("a refusal of type %u", type);
	if (n->kind != LAST_HOP && model_holds(&s->m, n->from))
		world_die("flow %d is refused what it has", n->from);
	s->refused++;
}

static void pcp_answered(struct simulation *s, const struct frame *f, const struct note *n);

static void replied(struct simulation *s, const struct frame *f, const struct note *n)
{
	if (n->kind == REQUEST) {
		pcp_answered(s, f, n);
		return;
	}
	if (n->kind == PING) {
		if (f->p.kind != PKT_ECHO || f->p.dst != model_key(&s->m, n->from).host ||
			number_in(f) != n->number)
			world_die("a ping was answered wrongly");
		return;
	}
	refused(s, f, n);
}

static bool is_kept_out(enum drop why)
{
	return why == DROP_NO_MAPPING_INBOUND || why == DROP_FILTERED_ADF ||
	       why == DROP_FILTERED_APDF || why == DROP_UNSOLICITED_SYN;
}

static void hairpin_dropped(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct recipe from = {f->p.src, f->p.sport};

	if (f->drop == DROP_TCP_NO_SESSION && model_holds(&s->m, n->from))
		world_die("a packet of flow %d is dropped: %s", n->from, drop_name(f->drop));
	if (!is_kept_out(f->drop))
		return;
	saw_leave(s, n->from, from, n->ext, n->flags);
	if (sim_stands(s, n) && sim_admits(s, n->to, from) == SURELY)
		world_die("a hairpin did not reach flow %d, which has a mapping: %s", n->to,
			drop_name(f->drop));
}

static void dropped(struct simulation *s, const struct frame *f, const struct note *n)
{
	int holder = n->kind == SCAN ? model_at(&s->m, n->protocol, n->ext) : NOBODY;

	if (n->piece > 0)
		sim_judge_piece(s, f, n);
	if (n->piece > 1 || (n->piece == 1 && f->drop == DROP_FRAG_OVERLAP))
		return;
	s->kept_out += f->drop == DROP_FILTERED_ADF || f->drop == DROP_FILTERED_APDF;
	if (n->kind == HAIRPIN)
		hairpin_dropped(s, f, n);
	else if (must_arrive(s, n))
		world_die("a packet of kind %u for flow %d is dropped: %s", n->kind, n->to,
			drop_name(f->drop));
	if (holder != NOBODY && model_holds(&s->m, holder) &&
		sim_admits(s, holder, remote_of(n)) == SURELY)
		world_die("a packet for flow %d is dropped: %s", holder, drop_name(f->drop));
	if (n->kind == FROM_HOST && model_holds(&s->m, n->from))
		world_die("a packet of flow %d is dropped: %s", n->from, drop_name(f->drop));
	if (n->kind == PING || n->kind == REQUEST)
		world_die("a request to us is dropped: %s", drop_name(f->drop));
}

void sim_deliver(void *ctx, struct frame *f)
{
	struct simulation *s = ctx;
	const struct note *n = &s->notes[f->tag % NOTES_KEPT];

	if (f->verdict == VERDICT_PASS && f->p.l3[8] != n->ttl - 1)
		world_die("a packet of kind %u came with a TTL of %u and leaves with %u", n->kind,
			n->ttl, f->p.l3[8]);
	if (n->piece > 0 && f->verdict == VERDICT_PASS)
		sim_judge_piece(s, f, n);
	if (f->verdict == VERDICT_DROP)
		dropped(s, f, n);
	else if (f->verdict == VERDICT_REPLY)
		replied(s, f, n);
	else if (f->out == UPLINK)
		leaves(s, f, n);
	else
		arrives(s, f, n);
}

// ---- PCP -------------------------------------------------------------------------------------

static void check_epoch(struct simulation *s, const struct note *n, const struct pcp_message *m)
{
	uint8_t group = plan_group_of(&s->plan, &s->m, n->from);
	uint32_t age = group < 3 ? s->m.now_s - s->epoch_s[group] : 0;

	if (group >= 3)
		return;
	if (m->epoch_s > age || (!model_subscriber(&s->m, n->from)->disturbed && m->epoch_s != age))
		world_die("flow %d is told the Epoch %u, and it is %u", n->from, m->epoch_s, age);
}

static void map_granted(struct simulation *s, const struct note *n, const struct pcp_message *m)
{
	struct recipe ext = {ip6_to_ip4(m->external_ip), m->external_port};
	struct flow *f = &s->m.flows[n->from];

	if (m->lifetime_s == 0) {
		if (f->fixed)
			world_die("a static mapping was deleted by request");
		model_forget(&s->m, n->from);
		s->deleted++;
		return;
	}
	if (f->fixed || model_claimed(&s->m, n->from, ext)) {
		if (ext.addr != f->ext.addr || ext.port != f->ext.port)
			world_die("a static mapping is told wrongly");
		return;
	}
	check_group(s, n->from, ext);
	if (m->lifetime_s < n->request.lifetime_s)
		world_die("a lease of %u s instead of %u", m->lifetime_s, n->request.lifetime_s);
	model_leased(&s->m, n->from, ext, m->lifetime_s);
	s->leases++;
}

static void pcp_answered(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct nat_key key = model_key(&s->m, n->from);
	struct flow *flow = &s->m.flows[n->from];
	struct pcp_message m = ask_read(f);
	bool mine = !n->foreign;
	bool leased = model_holds(&s->m, n->from) && flow->lease_s > s->m.now_s + 1;

	if (f->p.dst != key.host || f->p.dport != ASK_PORT || iface_of_flow(s, n->from) != f->out)
		world_die("a PCP answer went to somebody else");
	check_epoch(s, n, &m);
	if (m.result == PCP_SUCCESS && !mine && leased && !flow->fixed)
		world_die("a wrong nonce was good enough");
	if (m.result == PCP_SUCCESS)
		map_granted(s, n, &m);
	else if (mine && leased && m.result != PCP_CANNOT_PROVIDE_EXTERNAL)
		world_die("flow %d has a lease and is told %s", n->from, pcp_result_name(m.result));
}
