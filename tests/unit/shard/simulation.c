// SPDX-License-Identifier: Apache-2.0
// A virtual provider: two to four shards, some hundreds of subscribers in two realms, an Internet
// that answers, and a clock that leaps. Packets are lost, doubled and late; ports are mapped,
// renewed and deleted by PCP; the configuration changes under traffic. After every packet the model
// of simulation.h is asked whether that could be.
//
//     simulation [SEED [PACKETS]]
#include <stdio.h>
#include <stdlib.h>

#include "ask.h"
#include "simulation.h"

enum {
	LETTERS = 4096, // packets under way outside the NAT
	LETTER_ROOM = 200,
	NOTES = 200,    // of one burst of feeding
	PATIENCE_S = 5, // the Internet delivers nothing later than this
	CLAIM_MOST_S = 700
};

#define GATEWAY 0x64400001u // 100.64.0.1, in both realms
#define EDGE 0xc0000202u
#define HOMES_SERVER 0xc6120001u
#define OFFICES_SERVER 0xc6120002u
#define PEERS 0xc6336400u // 198.51.100.0/24
#define HOP 0xc000024du   // 192.0.2.77, a router that complains

enum kind {
	FROM_HOST,   // `from` to a peer
	TO_HOST,     // a peer's answer to `to` at `ext`
	SCAN,        // from anybody to `ext`
	HAIRPIN,     // `from` to `to` at `ext`
	ERROR_IN,    // about a packet of `to` that left with `ext`
	ERROR_OUT,   // of `from`, about a packet that came to `ext`
	ERROR_ROUND, // of `from`, about a hairpinned packet of `to` to `ext`
	PING,        // `from` to an address of ours
	REQUEST,     // PCP, of `from`
	LAST_HOP     // `from` to a peer, with a TTL of one
};

struct note { // what a packet in the switch is about
	uint8_t kind;
	int from, to; // flows
	struct recipe ext;
	ip4 peer;
	uint16_t peer_port;
	uint64_t number; // stands in its payload too
	struct pcp_message request;
	bool foreign; // with another's nonce
};

struct letter {
	ns at;
	uint16_t iface, len;
	struct note note;
	uint8_t bytes[LETTER_ROOM];
};

struct simulation {
	struct world w;
	struct model m;
	struct plan plan;
	struct rng rng;
	struct letter *letters;
	unsigned n_letters;
	struct note notes[NOTES];
	unsigned n_notes;
	uint64_t number;
	uint32_t epoch_s[3];
	// What happened, so that a run that tried nothing does not look like one that passed.
	uint64_t left, reached, hairpinned, errors, refused, leases, deleted, reloads, lost, clears;
};

static uint32_t draw(struct simulation *s, uint32_t n)
{
	return rng_below(&s->rng, n);
}

static bool chance(struct simulation *s, uint32_t percent)
{
	return draw(s, 100) < percent;
}

static uint8_t ip_protocol(uint8_t protocol)
{
	return protocol == NAT_UDP ? IP_UDP : protocol == NAT_TCP ? IP_TCP : IP_ICMP;
}

static uint16_t iface_of_flow(const struct simulation *s, int flow)
{
	return s->m.subscribers[flow / FLOWS_EACH].realm == 1 ? INSIDE_1 : INSIDE_2;
}

// ---- into the switch -------------------------------------------------------------------------

static void feed(struct simulation *s, uint16_t iface, const uint8_t *bytes, size_t len,
	const struct note *note)
{
	if (s->n_notes == NOTES)
		world_die("too many packets in one burst");
	s->notes[s->n_notes] = *note;
	world_feed(&s->w, iface, bytes, len, s->n_notes++);
	if (s->n_notes < NOTES && chance(s, 3)) { // doubled on the way
		s->notes[s->n_notes] = *note;
		world_feed(&s->w, iface, bytes, len, s->n_notes++);
	}
}

static void flush(struct simulation *s)
{
	world_flush(&s->w);
	s->n_notes = 0;
}

static size_t write_packet(
	struct simulation *s, struct make m, struct note *note, uint8_t packet[MAKE_MAX])
{
	uint8_t payload[64] = {0};

	note->number = ++s->number;
	memcpy(payload, &note->number, sizeof note->number);
	m.payload = payload;
	m.payload_len = sizeof note->number + draw(s, 40);
	return make_packet(packet, &m);
}

static void feed_packet(struct simulation *s, uint16_t iface, struct make m, struct note note)
{
	uint8_t packet[MAKE_MAX];
	size_t len = write_packet(s, m, &note, packet);

	feed(s, iface, packet, len, &note);
}

static uint8_t tcp_flags(struct simulation *s)
{
	static const uint8_t flags[] = {
		TCP_SYN, TCP_ACK, TCP_ACK, TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN, TCP_RST};

	return flags[draw(s, ARRAY_SIZE(flags))];
}

static struct make packet_of(struct simulation *s, int flow, ip4 to, uint16_t port)
{
	struct nat_key key = model_key(&s->m, flow);

	return (struct make){.src = key.host,
		.dst = to,
		.sport = key.port,
		.dport = port,
		.protocol = ip_protocol(key.protocol),
		.type = ICMP_ECHO,
		.flags = tcp_flags(s),
		.no_checksum = chance(s, 5),
		.option_words = chance(s, 2) ? 3 : 0};
}

static struct make packet_to(
	struct simulation *s, uint8_t protocol, struct recipe ext, ip4 from, uint16_t port)
{
	return (struct make){.src = from,
		.dst = ext.addr,
		.sport = protocol == NAT_ICMP ? ext.port : port,
		.dport = ext.port,
		.protocol = ip_protocol(protocol),
		.type = ICMP_ECHO_REPLY,
		.flags = tcp_flags(s)};
}

// ---- letters: packets under way outside the NAT ----------------------------------------------

static struct letter *letter_new(struct simulation *s, uint16_t iface, const struct note *note)
{
	struct letter *l;

	if (s->n_letters == LETTERS || chance(s, 5)) {
		s->lost++;
		return NULL;
	}
	l = &s->letters[s->n_letters++];
	l->at = s->w.now + draw(s, 3000) * NS_PER_MS;
	l->iface = iface;
	l->note = *note;
	return l;
}

static void post(struct simulation *s, uint16_t iface, struct make m, struct note note)
{
	uint8_t packet[MAKE_MAX];
	size_t len = write_packet(s, m, &note, packet);
	struct letter *l = letter_new(s, iface, &note);

	if (l == NULL)
		return;
	memcpy(l->bytes, packet, len);
	l->len = (uint16_t)len;
}

// An ICMP error about the packet in *p, by `router` to its source.
static void post_error(
	struct simulation *s, uint16_t iface, ip4 router, const struct pkt *p, struct note note)
{
	uint8_t packet[MAKE_MAX];
	struct make m = {.src = router,
		.dst = p->src,
		.protocol = IP_ICMP,
		.type = ICMP_UNREACHABLE,
		.code = ICMP_PORT_UNREACHABLE,
		.payload = p->l3,
		.payload_len = min_u32(p->len, (p->l3[0] & 15u) * 4 + 8 + draw(s, 60))};
	size_t len = make_packet(packet, &m);
	struct letter *l = letter_new(s, iface, &note);

	if (l == NULL)
		return;
	memcpy(l->bytes, packet, len);
	l->len = (uint16_t)len;
}

static void letter_drop(struct simulation *s, unsigned i)
{
	s->letters[i] = s->letters[--s->n_letters];
	s->lost++;
}

// Whether what the packet is about must still be as it was when the packet was written.
static bool stands(const struct simulation *s, const struct note *n)
{
	switch ((enum kind)n->kind) {
	case TO_HOST:
	case ERROR_IN:
	case HAIRPIN:
		return model_holds_at(&s->m, n->to, n->ext);
	case ERROR_OUT:
		return model_holds_at(&s->m, n->from, n->ext);
	case ERROR_ROUND:
		return model_holds_at(&s->m, n->from, n->ext) &&
		       model_holds_at(&s->m, n->to, (struct recipe){n->peer, n->peer_port});
	default:
		return false;
	}
}

// A mapping that somebody ended is not to be judged by what was under way to it.
static void lose_letters(struct simulation *s)
{
	for (unsigned i = 0; i < s->n_letters;) {
		if (!stands(s, &s->letters[i].note))
			letter_drop(s, i);
		else
			i++;
	}
}

static void deliver_letters(struct simulation *s)
{
	for (unsigned i = 0; i < s->n_letters;) {
		struct letter *l = &s->letters[i];
		if (l->at + PATIENCE_S * NS_PER_S < s->w.now) {
			letter_drop(s, i);
			continue;
		}
		if (l->at > s->w.now || s->n_notes + 2 > NOTES || chance(s, 10)) {
			i++;
			continue;
		}
		feed(s, l->iface, l->bytes, l->len, &l->note);
		*l = s->letters[--s->n_letters];
	}
}

// ---- out of the switch: towards the Internet -------------------------------------------------

static uint64_t number_in(const struct frame *f)
{
	const uint8_t *l4 = f->p.l3 + f->p.l4_at;
	uint64_t number;

	memcpy(&number, l4 + (f->p.kind == PKT_TCP ? 20 : 8), sizeof number);
	return number;
}

static void saw_leave(struct simulation *s, int flow, struct recipe ext)
{
	if (!model_claimed(&s->m, flow, ext))
		model_left(&s->m, flow, ext);
	else
		s->m.flows[flow].last_s = s->m.now_s;
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
	saw_leave(s, n->from, ext);
	s->left++;
	if (chance(s, 60))
		post(s, UPLINK, packet_to(s, protocol, ext, n->peer, n->peer_port), answer);
	if (chance(s, 5)) {
		answer.kind = ERROR_IN;
		post_error(s, UPLINK, HOP, &f->p, answer);
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
	if (stands(s, n) && (f->p.src != n->ext.addr || f->p.inner.dst != n->ext.addr ||
				    f->p.inner.dport != n->ext.port))
		world_die("an error left that its receiver cannot know");
	s->errors++;
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

static void reached(struct simulation *s, int flow, struct recipe ext)
{
	if (!model_claimed(&s->m, flow, ext))
		model_reached(&s->m, flow, ext);
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
	reached(s, flow, n->ext);
	if (chance(s, 4))
		post_error(s, iface_of_flow(s, flow), s->m.subscribers[flow / FLOWS_EACH].host,
			&f->p, complaint);
}

// RFC 4787 REQ-9a: the sender is seen as the Internet sees him.
static void hairpin_arrives(struct simulation *s, const struct frame *f, const struct note *n)
{
	saw_leave(s, n->from, (struct recipe){f->p.src, f->p.sport});
	host_receives(s, f, n);
	s->hairpinned++;
}

static void error_arrives(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct nat_key key = model_key(&s->m, n->to);

	if (f->p.kind != PKT_ICMP_ERROR)
		world_die("an error turned into something else");
	if (stands(s, n) && (f->p.dst != key.host || f->p.inner.src != key.host ||
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

	if (f->p.dst != key.host || f->p.inner.src != key.host ||
		(f->p.kind == PKT_ICMP_ERROR && f->p.inner.sport != key.port))
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

static void hairpin_dropped(struct simulation *s, const struct frame *f, const struct note *n)
{
	if (f->drop != DROP_NO_MAPPING_INBOUND)
		return;
	saw_leave(s, n->from, (struct recipe){f->p.src, f->p.sport});
	if (stands(s, n))
		world_die("a hairpin did not reach flow %d, which has a mapping", n->to);
}

static void dropped(struct simulation *s, const struct frame *f, const struct note *n)
{
	int holder = n->kind == SCAN ? model_at(&s->m, f->p.kind, n->ext) : NOBODY;

	if (n->kind == HAIRPIN)
		hairpin_dropped(s, f, n);
	else if (stands(s, n))
		world_die("a packet of kind %u for flow %d is dropped: %s", n->kind, n->to,
			drop_name(f->drop));
	if (holder != NOBODY && model_holds(&s->m, holder))
		world_die("a packet for flow %d is dropped: %s", holder, drop_name(f->drop));
	if (n->kind == FROM_HOST && model_holds(&s->m, n->from))
		world_die("a packet of flow %d is dropped: %s", n->from, drop_name(f->drop));
	if (n->kind == PING || n->kind == REQUEST)
		world_die("a request to us is dropped: %s", drop_name(f->drop));
}

static void delivered(void *ctx, struct frame *f)
{
	struct simulation *s = ctx;
	const struct note *n = &s->notes[f->tag];

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

static ip4 server_of(struct simulation *s, int flow)
{
	uint8_t group = plan_group_of(&s->plan, &s->m, flow);

	return group == 0 && chance(s, 50) ? HOMES_SERVER : group == 1 ? OFFICES_SERVER : GATEWAY;
}

static void feed_request(struct simulation *s, int flow)
{
	struct nat_key key = model_key(&s->m, flow);
	struct note n = {.kind = REQUEST, .from = flow, .to = NOBODY};
	uint32_t lifetime_s = chance(s, 20) ? 0 : 120 + draw(s, 500);
	uint8_t packet[MAKE_MAX];
	size_t len;

	if (key.protocol == NAT_ICMP || plan_group_of(&s->plan, &s->m, flow) > 1)
		return;
	n.request = ask_of(key.host, ip_protocol(key.protocol), key.port, lifetime_s);
	if (chance(s, 30))
		n.request.external_port = (uint16_t)(1024 + draw(s, 64000));
	n.foreign = s->m.flows[flow].lease_s > s->m.now_s + 2 && chance(s, 10);
	n.request.nonce.b[11] = n.foreign;
	len = ask_packet(packet, key.host, server_of(s, flow), &n.request);
	feed(s, iface_of_flow(s, flow), packet, len, &n);
}

// PCP is answered before the tables are looked up, so it has bursts of its own: the model knows
// packets one after the other.
static void pcp_round(struct simulation *s)
{
	for (unsigned i = 0; i < 8; i++)
		feed_request(s, (int)draw(s, FLOWS));
	flush(s);
	lose_letters(s);
}

// ---- traffic ---------------------------------------------------------------------------------

static void feed_from_host(struct simulation *s, int flow, uint8_t kind)
{
	struct note n = {.kind = kind, .from = flow, .to = NOBODY};
	struct make m;

	n.peer = PEERS + 1 + draw(s, 250);
	n.peer_port = (uint16_t)(1 + draw(s, 65535));
	m = packet_of(s, flow, n.peer, n.peer_port);
	m.ttl = kind == LAST_HOP ? 1 : (uint8_t)(2 + draw(s, 250));
	feed_packet(s, iface_of_flow(s, flow), m, n);
}

static void feed_hairpin(struct simulation *s, int from, int to)
{
	const struct flow *f = &s->m.flows[to];
	struct note n = {.kind = HAIRPIN, .from = from, .to = to, .ext = f->ext};

	if (!model_holds(&s->m, to) || f->protocol == NAT_ICMP ||
		f->protocol != s->m.flows[from].protocol)
		return;
	feed_packet(s, iface_of_flow(s, from), packet_of(s, from, f->ext.addr, f->ext.port), n);
}

// At an old acquaintance's, or anywhere.
static void feed_scan(struct simulation *s)
{
	struct flow *f = &s->m.flows[draw(s, FLOWS)];
	struct note n = {.kind = SCAN, .from = NOBODY, .to = NOBODY};

	n.peer = PEERS + 1 + draw(s, 250);
	n.peer_port = (uint16_t)(1 + draw(s, 65535));
	n.ext = f->ext;
	if (n.ext.addr == 0 || chance(s, 30))
		n.ext = (struct recipe){POOL + 1 + draw(s, 15), (uint16_t)draw(s, 65536)};
	feed_packet(s, UPLINK, packet_to(s, f->protocol, n.ext, n.peer, n.peer_port), n);
}

static void feed_ping(struct simulation *s, int flow)
{
	static const ip4 ours[] = {GATEWAY, HOMES_SERVER, OFFICES_SERVER, EDGE};
	struct note n = {.kind = PING, .from = flow, .to = NOBODY};
	struct make m = packet_of(s, flow, ours[draw(s, ARRAY_SIZE(ours))], 0);

	m.protocol = IP_ICMP;
	m.sport = 1;
	feed_packet(s, iface_of_flow(s, flow), m, n);
}

static void feed_anything(struct simulation *s)
{
	int flow = (int)draw(s, FLOWS), other = (int)draw(s, FLOWS);
	uint32_t which = draw(s, 100);

	if (which < 70)
		feed_from_host(s, flow, FROM_HOST);
	else if (which < 84)
		feed_hairpin(s, flow, other);
	else if (which < 96)
		feed_scan(s);
	else if (which < 98)
		feed_ping(s, flow);
	else
		feed_from_host(s, flow, LAST_HOP);
}

static void traffic(struct simulation *s)
{
	unsigned n = 1 + draw(s, 60);

	for (unsigned i = 0; i < n; i++)
		feed_anything(s);
	deliver_letters(s);
	flush(s);
}

// Static mappings that wait for their ports are asked for until they are there.
static void probe_claims(struct simulation *s)
{
	for (unsigned i = 0; i < STATICS; i++) {
		const struct claim *c = &s->m.claims[i];
		struct note n = {.kind = SCAN, .from = NOBODY, .to = NOBODY, .peer = PEERS + 1};
		if (!c->open)
			continue;
		if (s->m.now_s - c->since_s > CLAIM_MOST_S)
			world_die("static mapping %u is never installed", i);
		n.ext = c->external;
		n.peer_port = 1;
		feed_packet(
			s, UPLINK, packet_to(s, s->m.flows[c->flow].protocol, n.ext, n.peer, 1), n);
	}
	flush(s);
}

// ---- the operator ----------------------------------------------------------------------------

static void wish_for(struct simulation *s, uint16_t shard, const struct shard_wish *wish)
{
	if (!shard_wish(s->w.shard[shard], wish))
		world_die("a wish is not taken");
	world_settle(&s->w);
}

static void remove_something(struct simulation *s)
{
	int flow = (int)draw(s, FLOWS), first = flow - flow % FLOWS_EACH;
	struct shard_wish wish = {
		.kind = chance(s, 50) ? SHARD_DELETE_MAPPING : SHARD_CLEAR_SUBSCRIBER,
		.key = model_key(&s->m, flow)};
	uint16_t shard = conf_inside_owner(s->w.conf, wish.key.host);
	struct shard_answer answer;

	wish_for(s, shard, &wish);
	if (!shard_answer(s->w.shard[shard], &answer) || answer.kind != SHARD_DONE)
		world_die("a wish is not answered");
	model_subscriber(&s->m, flow)->disturbed = true;
	for (int f = first; f < first + FLOWS_EACH; f++) {
		bool meant = wish.kind == SHARD_CLEAR_SUBSCRIBER || f == flow;
		if (meant && !s->m.flows[f].fixed)
			model_forget(&s->m, f);
	}
	s->clears++;
	lose_letters(s);
}

static void reload(struct simulation *s)
{
	struct plan next = plan_draw(&s->rng, &s->plan);

	if (!world_try_publish(&s->w, plan_text(&next, &s->m)))
		return; // it would need another deal of the addresses
	plan_reload(&s->m, &s->plan, &next);
	s->plan = next;
	lose_letters(s);
	for (unsigned i = draw(s, 12); i > 0; i--) {
		world_step(&s->w);
		traffic(s);
	}
	world_settle(&s->w);
	plan_settled(&s->m);
	lose_letters(s);
	s->reloads++;
}

// ---- the tables as control sees them ---------------------------------------------------------

struct audit {
	bool seen[FLOWS];
	unsigned rows;
};

static void audit_row(struct simulation *s, struct audit *a, const struct nat_view *view)
{
	int flow = model_find(&s->m, &view->key), holder;

	if (flow == NOBODY || a->seen[flow])
		world_die("a mapping that nobody asked for, or one twice");
	a->seen[flow] = true;
	a->rows++;
	holder = model_at(&s->m, view->key.protocol, view->external);
	if (holder != NOBODY && holder != flow && model_holds(&s->m, holder))
		world_die("the table gives flow %d's endpoint to flow %d", holder, flow);
	if (model_holds(&s->m, flow) && (s->m.flows[flow].ext.addr != view->external.addr ||
						s->m.flows[flow].ext.port != view->external.port))
		world_die("the table gives flow %d another endpoint", flow);
}

static void audit_shard(struct simulation *s, uint16_t shard, struct audit *a)
{
	struct shard_wish wish = {.kind = SHARD_SHOW_MAPPINGS, .max = UINT32_MAX, .group = 255};
	struct shard_answer answer = {.kind = SHARD_ROW_MAPPING};

	wish_for(s, shard, &wish);
	while (answer.kind != SHARD_DONE) {
		if (!shard_answer(s->w.shard[shard], &answer))
			world_step(&s->w);
		else if (answer.kind == SHARD_ROW_MAPPING)
			audit_row(s, a, &answer.mapping);
	}
}

static void audit(struct simulation *s)
{
	static struct audit a;

	a = (struct audit){.rows = 0};
	for (uint16_t k = 0; k < s->w.n; k++)
		audit_shard(s, k, &a);
	for (int flow = 0; flow < FLOWS; flow++) {
		if (!a.seen[flow] && model_holds(&s->m, flow))
			world_die("flow %d is in no table", flow);
	}
	world_account(&s->w);
}

// ---- a run -----------------------------------------------------------------------------------

static void pass_time(struct simulation *s)
{
	uint32_t which = draw(s, 1000);
	uint64_t ms = draw(s, 200);

	if (which < 50)
		ms = draw(s, 10000);
	if (which < 5)
		ms = draw(s, 400000);
	s->w.now += ms * NS_PER_MS;
	s->m.now_s = (uint32_t)(s->w.now / NS_PER_S);
	world_settle(&s->w);
}

static void turn(struct simulation *s, unsigned number)
{
	pass_time(s);
	traffic(s);
	if (chance(s, 30))
		pcp_round(s);
	if (number % 20 == 0)
		probe_claims(s);
	if (number % 40 == 0)
		remove_something(s);
	if (number % 50 == 0)
		reload(s);
	if (number % 200 == 0)
		audit(s);
}

static void open_simulation(struct simulation *s, uint64_t seed, unsigned n_workers)
{
	memset(s, 0, sizeof *s);
	rng_init_u64(&s->rng, seed * 64 + n_workers);
	s->letters = calloc(LETTERS, sizeof *s->letters);
	if (s->letters == NULL)
		world_die("no memory");
	model_open(&s->m);
	s->plan = (struct plan){.n_workers = n_workers, .homes = 15};
	world_open(&s->w, plan_text(&s->plan, &s->m));
	s->w.deliver = delivered;
	s->w.ctx = s;
	for (unsigned g = 0; g < ARRAY_SIZE(s->epoch_s); g++)
		s->epoch_s[g] = WORLD_START_S;
}

static void report(const struct simulation *s)
{
	printf("%u shards, %lu packets, %lu virtual seconds: left %lu, reached %lu, hairpins %lu,"
	       " errors %lu, refused %lu, leases %lu, deleted %lu, lost %lu, reloads %lu,"
	       " removals %lu\n",
		s->w.n, (unsigned long)s->w.put, (unsigned long)(s->m.now_s - WORLD_START_S),
		(unsigned long)s->left, (unsigned long)s->reached, (unsigned long)s->hairpinned,
		(unsigned long)s->errors, (unsigned long)s->refused, (unsigned long)s->leases,
		(unsigned long)s->deleted, (unsigned long)s->lost, (unsigned long)s->reloads,
		(unsigned long)s->clears);
	if (s->left < s->w.put / 3 || s->reached < s->w.put / 5 || s->hairpinned == 0 ||
		s->errors == 0 || s->refused == 0 || s->leases == 0 || s->deleted == 0 ||
		s->reloads == 0)
		world_die("this run tried too little to say anything");
}

static void run(uint64_t seed, uint64_t packets, unsigned n_workers)
{
	static struct simulation s;

	open_simulation(&s, seed, n_workers);
	for (unsigned i = 1; s.w.put < packets; i++)
		turn(&s, i);
	audit(&s);
	report(&s);
	world_close(&s.w);
	model_close(&s.m);
	free(s.letters);
}

int main(int argc, char **argv)
{
	uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 0) : 6887;
	uint64_t packets = argc > 2 ? strtoull(argv[2], NULL, 0) : 120000;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("seed %lu\n", (unsigned long)seed);
	for (unsigned n_workers = 2; n_workers <= 4; n_workers++)
		run(seed, packets, n_workers);
	return 0;
}
