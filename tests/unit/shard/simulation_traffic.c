// SPDX-License-Identifier: Apache-2.0
// Who sends what: subscribers, peers that answer, scanners, routers that complain, PCP clients.
// Packets may be lost, doubled and late.
#include "simulation.h"

// ---- into the switch -------------------------------------------------------------------------

static uint32_t n_fed(const struct simulation *s)
{
	return (uint32_t)(s->n_notes - s->first_note);
}

static void feed_once(struct simulation *s, uint16_t iface, const uint8_t *bytes, size_t len,
	const struct note *note)
{
	if (n_fed(s) == NOTES)
		world_die("too many packets in one burst");
	s->notes[s->n_notes % NOTES_KEPT] = *note;
	world_feed(&s->w, iface, bytes, len, s->n_notes++);
}

static void set_busy(struct simulation *s, int flow)
{
	if (flow == NOBODY)
		return;
	s->m.flows[flow].busy = true;
	s->busy[s->n_busy++] = flow;
}

// Whom a packet from anybody concerns.
static int aim_of(const struct simulation *s, const struct note *n)
{
	return n->kind == SCAN ? model_last_at(&s->m, n->protocol, n->ext) : n->to;
}

void sim_feed(struct simulation *s, uint16_t iface, const uint8_t *bytes, size_t len,
	const struct note *note)
{
	if (note->from != NOBODY)
		s->m.flows[note->from].stirring = true;
	set_busy(s, note->from);
	set_busy(s, aim_of(s, note));
	feed_once(s, iface, bytes, len, note);
	if (n_fed(s) < NOTES && chance(s, 3)) { // doubled on the way
		s->datagrams[note->datagram % DATAGRAMS].doubled = true;
		feed_once(s, iface, bytes, len, note);
	}
}

// The order of a burst's packets is not that in which they are looked up, so that one packet a
// burst is about a flow where the order counts.
static bool is_busy(const struct simulation *s, int flow)
{
	const struct flow *f = &s->m.flows[flow < 0 ? 0 : flow];

	return flow != NOBODY && f->busy && (f->protocol == NAT_TCP || f->filtered);
}

static bool can_feed(const struct simulation *s, const struct note *n)
{
	return n_fed(s) + PIECES * 2 <= NOTES && !is_busy(s, n->from) && !is_busy(s, aim_of(s, n));
}

// In a burst, answers are looked up after the packets from inside that follow them: a mapping may
// end and be made anew before. Pieces that had to wait go on behind it.
static void flush(struct simulation *s)
{
	world_flush(&s->w);
	for (uint64_t i = s->first_note; i < s->n_notes; i++) {
		const struct note *n = &s->notes[i % NOTES_KEPT];
		if (n->from != NOBODY)
			s->m.flows[n->from].stirring = false;
	}
	while (s->n_busy > 0)
		s->m.flows[s->busy[--s->n_busy]].busy = false;
	s->first_note = s->n_notes;
	for (unsigned i = 0; i < 4 && s->w.n_held > 0; i++) {
		world_step(&s->w);
		world_flush(&s->w);
	}
}

static size_t write_packet(
	struct simulation *s, struct make m, struct note *note, uint8_t packet[MAKE_MAX])
{
	uint8_t payload[64];

	note->number = ++s->number;
	m.ttl = m.ttl ? m.ttl : 64;
	note->ttl = m.ttl;
	note->flags = m.flags;
	for (unsigned i = 0; i < sizeof payload; i += sizeof note->number)
		memcpy(payload + i, &note->number, sizeof note->number);
	m.payload = payload;
	m.payload_len = sizeof note->number * (1 + draw(s, 7));
	return make_packet(packet, &m);
}

static void feed_packet(struct simulation *s, uint16_t iface, struct make m, struct note note)
{
	uint8_t packet[MAKE_MAX];
	size_t len;

	if (!can_feed(s, &note))
		return;
	len = write_packet(s, m, &note, packet);
	if (m.protocol == IP_UDP && m.option_words == 0 && chance(s, 8))
		sim_feed_pieces(s, iface, packet, len, &note);
	else
		sim_feed(s, iface, packet, len, &note);
}

static uint8_t tcp_flags(struct simulation *s)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_SYN | TCP_ACK, TCP_ACK,
		TCP_ACK | TCP_PSH, TCP_ACK | TCP_FIN, TCP_RST, TCP_RST | TCP_ACK};

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

struct make sim_packet_to(
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

void sim_post(struct simulation *s, uint16_t iface, struct make m, struct note note)
{
	uint8_t packet[MAKE_MAX];
	size_t len = write_packet(s, m, &note, packet);
	struct letter *l = letter_new(s, iface, &note);

	if (l == NULL)
		return;
	memcpy(l->bytes, packet, len);
	l->len = (uint16_t)len;
}

void sim_post_error(
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
	l->note.ttl = 64;
}

static void letter_drop(struct simulation *s, unsigned i)
{
	s->letters[i] = s->letters[--s->n_letters];
	s->lost++;
}

bool sim_stands(const struct simulation *s, const struct note *n)
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

void sim_lose_letters(struct simulation *s)
{
	for (unsigned i = 0; i < s->n_letters;) {
		if (!sim_stands(s, &s->letters[i].note))
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
		if (l->at > s->w.now || !can_feed(s, &l->note) || chance(s, 10)) {
			i++;
			continue;
		}
		sim_feed(s, l->iface, l->bytes, l->len, &l->note);
		*l = s->letters[--s->n_letters];
	}
}

// ---- PCP -------------------------------------------------------------------------------------

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

	if (key.protocol == NAT_ICMP || plan_group_of(&s->plan, &s->m, flow) > 1 ||
		s->m.flows[flow].stirring) // one question at a time
		return;
	n.request = ask_of(key.host, ip_protocol(key.protocol), key.port, lifetime_s);
	if (chance(s, 30))
		n.request.external_port = (uint16_t)(1024 + draw(s, 64000));
	n.foreign = s->m.flows[flow].lease_s > s->m.now_s + 2 && chance(s, 10);
	n.request.nonce.b[11] = n.foreign;
	len = ask_packet(packet, key.host, server_of(s, flow), &n.request);
	sim_feed(s, iface_of_flow(s, flow), packet, len, &n);
}

// PCP is answered before the tables are looked up, so it has bursts of its own: the model knows
// packets one after the other.
void sim_ask(struct simulation *s)
{
	for (unsigned i = 0; i < 8; i++)
		feed_request(s, (int)draw(s, FLOWS));
	flush(s);
	sim_lose_letters(s);
}

// ---- traffic ---------------------------------------------------------------------------------

// Old acquaintances, of those who remember what was said.
static void draw_peer(struct simulation *s, int flow, struct note *n)
{
	const struct flow *f = &s->m.flows[flow];
	bool old = f->protocol == NAT_TCP || f->filtered;

	n->peer = PEERS + 1 + draw(s, old ? 3 : 250);
	n->peer_port = (uint16_t)(1 + draw(s, old ? 4 : 65535));
}

static void feed_from_host(struct simulation *s, int flow, uint8_t kind)
{
	struct note n = {.kind = kind, .from = flow, .to = NOBODY};
	struct make m;

	draw_peer(s, flow, &n);
	m = packet_of(s, flow, n.peer, n.peer_port);
	m.ttl = kind == LAST_HOP ? 1 : (uint8_t)(2 + draw(s, 250));
	feed_packet(s, iface_of_flow(s, flow), m, n);
}

static void feed_hairpin(struct simulation *s, int from, int to)
{
	const struct flow *f = &s->m.flows[to];
	struct note n = {.kind = HAIRPIN, .from = from, .to = to, .ext = f->ext};

	if (!model_holds(&s->m, to) || f->protocol == NAT_ICMP ||
		f->protocol != s->m.flows[from].protocol || !talk_has_place(&s->m, from, f->ext))
		return;
	feed_packet(s, iface_of_flow(s, from), packet_of(s, from, f->ext.addr, f->ext.port), n);
}

// At an old acquaintance's, or anywhere.
static void feed_scan(struct simulation *s)
{
	int flow = (int)draw(s, FLOWS);
	struct flow *f = &s->m.flows[flow];
	struct note n = {.kind = SCAN, .from = NOBODY, .to = NOBODY};

	draw_peer(s, flow, &n);
	n.peer += chance(s, 50) ? 0 : 128;
	n.ext = f->ext;
	if (n.ext.addr == 0 || chance(s, 30))
		n.ext = (struct recipe){POOL + 1 + draw(s, 15), (uint16_t)draw(s, 65536)};
	n.protocol = f->protocol;
	feed_packet(s, UPLINK, sim_packet_to(s, f->protocol, n.ext, n.peer, n.peer_port), n);
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

void sim_traffic(struct simulation *s)
{
	unsigned n = 1 + draw(s, 60);

	for (unsigned i = 0; i < n; i++)
		feed_anything(s);
	deliver_letters(s);
	flush(s);
}

// Static mappings that wait for their ports are asked for until they are there.
void sim_probe_claims(struct simulation *s)
{
	for (unsigned i = 0; i < STATICS; i++) {
		const struct claim *c = &s->m.claims[i];
		struct note n = {.kind = SCAN, .from = NOBODY, .to = NOBODY, .peer = PEERS + 1};
		n.protocol = s->m.flows[c->flow].protocol;
		if (!c->open)
			continue;
		n.ext = c->external;
		n.peer_port = 1;
		feed_packet(s, UPLINK,
			sim_packet_to(s, s->m.flows[c->flow].protocol, n.ext, n.peer, 1), n);
	}
	flush(s);
	for (unsigned i = 0; i < STATICS; i++) {
		const struct claim *c = &s->m.claims[i];
		if (c->open && s->m.now_s - c->since_s > CLAIM_MOST_S)
			world_die("static mapping %u is never installed", i);
	}
}
