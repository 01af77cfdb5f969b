// SPDX-License-Identifier: Apache-2.0
// The tester: initiator and responder in one thread, with the state table between them. Frames it
// gets back are the next ones it writes, so they lie in its cache already.
#include "rfc9693.h"

#include <rte_cycles.h>
#include <rte_prefetch.h>
#undef NS_PER_S
#define NS_PER_S ((ns)1000000000)

#include <stdlib.h>

enum {
	BURST_FRAMES = 32,
	FRAME = 60, // 64 with the check sequence, which rings have not
	L3_AT = sizeof(struct eth_wire),
	L4_AT = L3_AT + sizeof(struct ip4_wire),
	NOTE_AT = L4_AT + sizeof(struct udp_wire),
	L4_LENGTH = FRAME - L4_AT,
	LATE = 1024, // frames: who is behind by more does not catch up, it is counted
	STOCK_STEP = 1024,
	STOCK_LEFT = 2048, // buffers that are left to the device
	TENDS_PER_S = 10000,
	PATIENCE_S = 1, // a trial ends when nothing has come for so long
	LEARN_TRIES = 200
};

#define PEER ((ip4)0xcb007107) // 203.0.113.7

struct station {
	uint8_t mac[6];
	ip4 ip, device;
};

static const struct station stations[ENDS] = {
	[INITIATOR] = {{2, 0, 0, 0, 0, 1}, 0x0aff0002, 0x0aff0001},
	[RESPONDER] = {{2, 0, 0, 0, 0, 2}, 0xc0000202, 0xc0000201},
};

struct note { // in the payload: what tells a test frame from others
	uint32_t tag, index;
};

struct template
{
	uint8_t octets[FRAME];
	uint32_t ip_sum, udp_sum; // of what stays the same
};

struct tester {
	struct rig *r;
	struct template templates[ENDS];
	struct rte_mbuf **stock;
	uint32_t n_stock, room;
	uint32_t tag; // of this trial
	uint64_t random;
	uint64_t tended;

	// The trial.
	const struct trial *trial;
	struct outcome outcome;
	uint32_t ahead[ENDS][SPREAD]; // connections whose lines are on their way
	uint32_t next[ENDS];
	uint64_t sent[ENDS];
	uint64_t late[ENDS];
	uint64_t heard; // when the last test frame came
};

// ---- frames ----------------------------------------------------------------------------------

static void template_make(struct template *t, const struct rig *r, enum end end)
{
	struct eth_wire *eth = (void *)t->octets;
	struct ip4_wire *ip = (void *)(t->octets + L3_AT);
	struct udp_wire *udp = (void *)(t->octets + L4_AT);

	memset(t, 0, sizeof *t);
	memcpy(eth->dst, r->macs[end], sizeof eth->dst);
	memcpy(eth->src, stations[end].mac, sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_IP4);
	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of(FRAME - L3_AT),
		.ttl = 64,
		.protocol = IP_UDP};
	udp->length = be16_of(L4_LENGTH);
	t->ip_sum = checksum_add(0, ip, sizeof *ip);
	t->udp_sum = checksum_add(0, udp, sizeof *udp) + IP_UDP + L4_LENGTH;
}

static inline uint32_t halves(uint32_t v)
{
	return (v >> 16) + (v & 0xffff);
}

static inline uint16_t udp_checksum(uint32_t sum)
{
	uint16_t checksum = checksum_fold(sum);

	return checksum ? checksum : 0xffff;
}

// Notes are numbers in host order; the checksum takes them as the octets they are.
static inline uint32_t note_sum(struct note note)
{
	return halves(__builtin_bswap32(note.tag)) + halves(__builtin_bswap32(note.index));
}

static void frame_write(struct tester *t, struct rte_mbuf *m, enum end end, uint32_t index)
{
	const struct template *template = &t->templates[end];
	const struct connection *c = &t->r->table[index];
	bool out = end == INITIATOR;
	struct recipe src =
		out ? (struct recipe){c->host, c->port} : (struct recipe){PEER, c->remote_port};
	struct recipe dst = out ? (struct recipe){PEER, c->remote_port}
				: (struct recipe){c->external, c->external_port};
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	struct ip4_wire *ip = (void *)(at + L3_AT);
	struct udp_wire *udp = (void *)(at + L4_AT);
	struct note note = {t->tag, index};
	uint32_t addresses = halves(src.addr) + halves(dst.addr);

	memcpy(at, template->octets, FRAME);
	ip->src = be32_of(src.addr);
	ip->dst = be32_of(dst.addr);
	ip->checksum = be16_of(checksum_fold(template->ip_sum + addresses));
	udp->src = be16_of(src.port);
	udp->dst = be16_of(dst.port);
	memcpy(at + NOTE_AT, &note, sizeof note);
	udp->checksum = be16_of(
		udp_checksum(template->udp_sum + addresses + src.port + dst.port + note_sum(note)));
	m->data_len = FRAME;
	m->pkt_len = FRAME;
}

// ---- buffers ---------------------------------------------------------------------------------

// Frames that the device dropped have gone back to the pool, and are taken from there again.
static void stock_fill(struct tester *t)
{
	if (rte_mempool_avail_count(t->r->pool) < STOCK_STEP + STOCK_LEFT)
		return;
	if (rte_pktmbuf_alloc_bulk(t->r->pool, t->stock + t->n_stock, STOCK_STEP) == 0)
		t->n_stock += STOCK_STEP;
}

static inline struct rte_mbuf *stock_take(struct tester *t)
{
	struct rte_mbuf *m = t->stock[--t->n_stock];

	rte_pktmbuf_reset(m);
	return m;
}

static inline void stock_put(struct tester *t, struct rte_mbuf *m)
{
	t->stock[t->n_stock++] = m;
}

// ---- receiving -------------------------------------------------------------------------------

static void answer_arp(struct tester *t, enum end end, struct rte_mbuf *m)
{
	uint8_t *at = rte_pktmbuf_mtod(m, uint8_t *);
	struct eth_wire *eth = (void *)at;
	struct pkt_arp arp;
	enum {
		REQUEST = 1,
		REPLY = 2
	};

	if (pkt_parse_arp(at + L3_AT, m->data_len - L3_AT, &arp) != DROP_NONE ||
		arp.operation != REQUEST || arp.target_ip != stations[end].ip) {
		rte_pktmbuf_free(m);
		return;
	}
	memcpy(eth->dst, arp.sender_mac, sizeof eth->dst);
	memcpy(eth->src, stations[end].mac, sizeof eth->src);
	pkt_write_arp(
		at + L3_AT, REPLY, stations[end].mac, arp.target_ip, arp.sender_mac, arp.sender_ip);
	if (rte_ring_sp_enqueue(t->r->wires[end].in, m) != 0)
		rte_pktmbuf_free(m);
}

static void ask_arp(struct tester *t, enum end end)
{
	static const uint8_t nobody[6];
	struct rte_mbuf *m = rte_pktmbuf_alloc(t->r->pool);
	struct eth_wire *eth;

	if (!m)
		return;
	eth = rte_pktmbuf_mtod(m, struct eth_wire *);
	m->data_len = FRAME;
	m->pkt_len = FRAME;
	memset(eth, 0, FRAME);
	memset(eth->dst, 0xff, sizeof eth->dst);
	memcpy(eth->src, stations[end].mac, sizeof eth->src);
	eth->type = be16_of(ETHERTYPE_ARP);
	pkt_write_arp((uint8_t *)(eth + 1), 1, stations[end].mac, stations[end].ip, nobody,
		stations[end].device);
	if (rte_ring_sp_enqueue(t->r->wires[end].in, m) != 0)
		rte_pktmbuf_free(m);
}

static bool is_test_frame(const struct tester *t, const uint8_t *at, struct note *note)
{
	const struct eth_wire *eth = (const void *)at;

	memcpy(note, at + NOTE_AT, sizeof *note);
	return note->tag == t->tag && be16_eq(eth->type, ETHERTYPE_IP4) &&
	       note->index < t->r->n_ends;
}

static void look_closer(struct tester *t, enum end end, const uint8_t *at, uint32_t index)
{
	const struct ip4_wire *ip = (const void *)(at + L3_AT);
	const struct udp_wire *udp = (const void *)(at + L4_AT);
	struct connection *c = &t->r->table[index];

	if (end == RESPONDER && t->trial->learn) {
		c->external = be32_get(ip->src);
		c->external_port = be16_get(udp->src);
	} else if (end == INITIATOR && t->trial->verify) {
		t->outcome.wrong += !be32_eq(ip->dst, c->host) || !be16_eq(udp->dst, c->port);
	}
}

static void receive_frame(struct tester *t, enum end end, struct rte_mbuf *m)
{
	const uint8_t *at = rte_pktmbuf_mtod(m, const uint8_t *);
	const struct eth_wire *eth = (const void *)at;
	struct note note;

	if (unlikely(be16_eq(eth->type, ETHERTYPE_ARP))) {
		answer_arp(t, end, m);
		return;
	}
	if (unlikely(m->data_len < FRAME || !is_test_frame(t, at, &note))) {
		rte_pktmbuf_free(m); // ICMP errors, and frames of a trial that is over
		return;
	}
	t->outcome.received++;
	if (t->trial->learn || t->trial->verify)
		look_closer(t, end, at, note.index);
	if (t->n_stock < t->room)
		stock_put(t, m);
	else
		rte_pktmbuf_free(m);
}

static void receive(struct tester *t, enum end end, uint64_t now)
{
	struct rte_mbuf *frames[BURST_FRAMES];
	uint64_t before = t->outcome.received;
	unsigned n = rte_ring_sc_dequeue_burst(
		t->r->wires[end].out, (void **)frames, BURST_FRAMES, NULL);

	for (unsigned i = 0; i < n; i++)
		rte_prefetch0(rte_pktmbuf_mtod(frames[i], void *));
	for (unsigned i = 0; i < n; i++)
		receive_frame(t, end, frames[i]);
	if (t->outcome.received != before)
		t->heard = now;
}

static void tend(struct tester *t, uint64_t now)
{
	if (now - t->tended < rte_get_tsc_hz() / TENDS_PER_S)
		return;
	t->tended = now;
	rig_tend(t->r);
}

void tester_listen(struct tester *t)
{
	uint64_t now = rte_rdtsc();

	receive(t, INITIATOR, now);
	receive(t, RESPONDER, now);
	tend(t, now);
}

// ---- sending ---------------------------------------------------------------------------------

// xorshift64*; which connection is next needs no secrets, only speed.
static inline uint32_t draw(struct tester *t, uint32_t n)
{
	t->random ^= t->random >> 12;
	t->random ^= t->random << 25;
	t->random ^= t->random >> 27;
	return hash_range(t->random * 0x2545f4914f6cdd1d, n);
}

static inline uint32_t next_connection(struct tester *t, enum end end)
{
	uint32_t at = t->next[end]++, index;

	if (t->trial->order == EACH_ONCE)
		return at;
	index = t->ahead[end][at % SPREAD];
	t->ahead[end][at % SPREAD] = draw(t, t->trial->n);
	rte_prefetch0(&t->r->table[t->ahead[end][at % SPREAD]]);
	return index;
}

// What finds no room in the device's queue is lost, as on a wire.
static void send(struct tester *t, enum end end, uint32_t n)
{
	struct rte_mbuf *frames[BURST_FRAMES];
	unsigned taken;

	for (uint32_t i = 0; i < n; i++) {
		frames[i] = stock_take(t);
		frame_write(t, frames[i], end, next_connection(t, end));
	}
	taken = rte_ring_sp_enqueue_burst(t->r->wires[end].in, (void **)frames, n, NULL);
	t->outcome.refused += n - taken;
	while (taken < n)
		stock_put(t, frames[taken++]);
	t->sent[end] += n;
}

struct pace {
	uint64_t begin, length; // ticks
	double frames_per_tick;
	uint64_t most; // frames of one direction
};

// Frames that are due now. One who was kept from sending does not make up for it by a flood.
static uint32_t due(struct tester *t, enum end end, const struct pace *pace, uint64_t now)
{
	uint64_t behind, left = pace->most - t->sent[end];

	if (t->trial->rate == 0) {
		uint32_t room = rte_ring_free_count(t->r->wires[end].in);
		return min_u32(BURST_FRAMES, (uint32_t)(left < room ? left : room));
	}
	behind = (uint64_t)((double)(now - pace->begin) * pace->frames_per_tick);
	behind = behind > t->sent[end] + t->late[end] ? behind - t->sent[end] - t->late[end] : 0;
	if (behind > LATE) {
		t->late[end] += behind - LATE;
		behind = LATE;
	}
	return min_u32(BURST_FRAMES, (uint32_t)(behind < left ? behind : left));
}

static bool send_due(struct tester *t, enum end end, const struct pace *pace, uint64_t now)
{
	uint32_t n;

	if (!t->trial->sends[end])
		return false;
	if (t->sent[end] == pace->most || (pace->length > 0 && now - pace->begin > pace->length))
		return false;
	if (t->n_stock < BURST_FRAMES)
		stock_fill(t);
	n = due(t, end, pace, now);
	if (n > 0 && t->n_stock >= n)
		send(t, end, n);
	return true;
}

// ---- trials ----------------------------------------------------------------------------------

static struct pace pace_of(const struct trial *trial)
{
	double hz = (double)rte_get_tsc_hz();
	bool once = trial->order == EACH_ONCE;

	return (struct pace){.begin = rte_rdtsc(),
		.length = once ? 0 : (uint64_t)(trial->seconds * hz),
		.frames_per_tick = trial->rate / hz,
		.most = once ? trial->n : UINT64_MAX};
}

static void begin(struct tester *t, const struct trial *trial)
{
	t->trial = trial;
	t->outcome = (struct outcome){0};
	t->tag++;
	for (enum end end = INITIATOR; end < ENDS; end++) {
		t->sent[end] = t->late[end] = t->next[end] = 0;
		for (uint32_t i = 0; i < SPREAD; i++)
			t->ahead[end][i] = draw(t, trial->n);
	}
}

static bool rings_are_empty(const struct rig *r)
{
	bool empty = true;

	for (enum end end = INITIATOR; end < ENDS; end++)
		empty = empty && rte_ring_empty(r->wires[end].in) &&
			rte_ring_empty(r->wires[end].out);
	return empty;
}

// The worker has made whole turns since its queues were seen empty: nothing is on its way.
static bool device_is_through(struct tester *t, uint64_t *since)
{
	uint64_t loops = rig_loops(t->r);

	if (!rings_are_empty(t->r))
		*since = loops;
	return loops > *since + 2;
}

static void await_rest(struct tester *t)
{
	uint64_t patience = rte_get_tsc_hz() * PATIENCE_S, since = rig_loops(t->r);

	t->heard = rte_rdtsc();
	while (t->outcome.received + t->outcome.refused < t->outcome.sent &&
		rte_rdtsc() - t->heard < patience && !device_is_through(t, &since))
		tester_listen(t);
}

// At a given rate one lost frame decides; the rest of the trial would only take time.
static bool is_failed(const struct tester *t)
{
	return t->trial->rate > 0 && t->outcome.refused > 0;
}

struct outcome tester_run(struct tester *t, const struct trial *trial)
{
	struct pace pace;
	uint64_t now;
	bool more = true;

	begin(t, trial);
	pace = pace_of(trial);
	for (now = pace.begin; more && !is_failed(t); now = rte_rdtsc()) {
		more = send_due(t, INITIATOR, &pace, now);
		more |= send_due(t, RESPONDER, &pace, now);
		receive(t, INITIATOR, now);
		receive(t, RESPONDER, now);
		tend(t, now);
	}
	t->outcome.seconds = (double)(now - pace.begin) / (double)rte_get_tsc_hz();
	t->outcome.sent = t->sent[INITIATOR] + t->sent[RESPONDER];
	t->outcome.late = t->late[INITIATOR] + t->late[RESPONDER];
	await_rest(t);
	return t->outcome;
}

// ---- life ------------------------------------------------------------------------------------

struct tester *tester_create(struct rig *r)
{
	static const struct trial none;
	struct tester *t = calloc(1, sizeof *t);

	if (!t)
		return NULL;
	t->r = r;
	t->room = TESTER_FRAMES;
	t->stock = calloc(t->room + STOCK_STEP, sizeof *t->stock);
	if (!t->stock) {
		free(t);
		return NULL;
	}
	t->random = 88172645463325252u;
	t->trial = &none;
	t->tag = 1;
	for (enum end end = INITIATOR; end < ENDS; end++)
		template_make(&t->templates[end], r, end);
	return t;
}

void tester_destroy(struct tester *t)
{
	if (!t)
		return;
	rte_pktmbuf_free_bulk(t->stock, t->n_stock);
	free(t->stock);
	free(t);
}

// RFC 2544 s.23 has learning frames before a trial, too.
bool tester_learn(struct tester *t)
{
	struct trial out = {.sends = {[INITIATOR] = true}, .n = 1, .learn = true};
	struct trial in = {.sends = {[RESPONDER] = true}, .n = 1, .verify = true};

	for (unsigned i = 0; i < LEARN_TRIES; i++) {
		struct outcome there, back;

		ask_arp(t, INITIATOR);
		ask_arp(t, RESPONDER);
		there = tester_run(t, &out);
		back = tester_run(t, &in);
		if (there.received == 1 && back.received == 1 && back.wrong == 0)
			return true;
	}
	return false;
}
