// SPDX-License-Identifier: Apache-2.0
// Sizing and setting up: one piece of memory is cut into the arrays of tables.h.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

struct cut {
	uint8_t *base; // NULL: only measure
	size_t at;
};

static void *cut(struct cut *c, size_t n, size_t size)
{
	void *piece = c->base ? c->base + c->at : NULL;

	c->at += (n * size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	return piece;
}

static void slab_cut(struct slab *s, struct cut *c, uint32_t room, size_t size)
{
	*s = (struct slab){cut(c, room, size), (uint32_t)size, room, 0, 0};
}

static void vacant_cut(struct vacant *v, struct cut *c, uint32_t room)
{
	for (unsigned level = 0; level < VACANT_LEVELS; level++) {
		room = room / 64 + 1;
		v->n_words[level] = room;
		v->levels[level] = cut(c, room, sizeof(uint64_t));
	}
}

static uint32_t pow2_at_least(uint32_t n)
{
	uint32_t p = 1;

	while (p < n && p < UINT32_C(1) << 31)
		p *= 2;
	return p;
}

// Heads of chains for each lease, and each session: one in five stands behind another, not two.
enum {
	HEADS_EACH = 2
};

// Load factor 5/8: about one key in twelve stands one line from home.
static uint32_t lines_for(uint32_t mappings)
{
	return (uint32_t)((uint64_t)mappings * 2 / 5) + 8;
}

static uint32_t rests_for(uint32_t mappings)
{
	return mappings / 2 + 1024;
}

static size_t nat_lay_out(struct nat *n, const struct nat_limits *limits, struct cut *c)
{
	uint32_t a = limits->addresses;
	uint32_t n_leases = limits->leases;

	n->limits = *limits;
	n->n_lines = lines_for(limits->mappings);
	n->entries_per_protocol = a << 16;
	n->blocks_per_address = 65536 / limits->port_set_min;
	n->block_bits = (uint32_t)__builtin_ctz(n->blocks_per_address);
	n->block_words = (n->blocks_per_address + 63) / 64;
	n->place_shift = 32 - (uint32_t)__builtin_ctz(pow2_at_least(max_u32(a * 4, 16)));
	n->subscriber_mask = pow2_at_least(limits->subscribers) - 1;
	n->lease_mask = pow2_at_least(HEADS_EACH * n_leases) - 1;
	n->n_chunks = n_leases / CHUNK_ITEMS + WHEEL_SLOTS + 1;
	n->rest_room = limits->resting != 0 ? limits->resting : rests_for(limits->mappings);
	n->session_mask = pow2_at_least(HEADS_EACH * limits->sessions) - 1;

	n->lines = cut(c, (size_t)n->n_lines + PROBE_MAX, sizeof(struct line));
	n->entries = cut(c, (size_t)a << 16, NAT_PROTOCOLS * sizeof(struct entry));
	n->address_ip = cut(c, a, sizeof(ip4));
	n->places = cut(c, (size_t)1 << (32 - n->place_shift), sizeof(struct address_place));
	n->addresses = cut(c, a, sizeof(struct address));
	n->used = cut(c, (size_t)a * NAT_PROTOCOLS * 1024, sizeof(uint64_t));
	n->blocks = cut(c, (size_t)a * n->blocks_per_address, sizeof(struct block));
	n->tenures = cut(c, (size_t)a * n->blocks_per_address, sizeof(struct tenure));
	n->free_blocks = cut(c, (size_t)a * n->block_words, sizeof(uint64_t));
	n->subscribers = cut(c, limits->subscribers, sizeof(struct subscriber));
	n->rates = cut(c, limits->subscribers, sizeof(struct rate));
	n->emptied_s = cut(c, limits->subscribers, sizeof(uint32_t));
	n->recent = cut(c, RECENT, sizeof(uint32_t));
	n->subscriber_heads = cut(c, (size_t)n->subscriber_mask + 1, sizeof(uint32_t));
	n->leases = cut(c, n_leases, sizeof(struct lease));
	vacant_cut(&n->lease_vacant, c, n_leases);
	n->lease_heads = cut(c, (size_t)n->lease_mask + 1, sizeof(uint32_t));
	slab_cut(&n->extras, c, limits->lease_details ? limits->lease_details : n_leases,
		sizeof(struct extra));
	slab_cut(&n->filters, c, limits->filters, sizeof(struct filter));
	slab_cut(&n->texts, c, limits->descriptions, sizeof(struct text));
	n->chunks = cut(c, n->n_chunks, sizeof(struct chunk));
	n->wheel = cut(c, WHEEL_SLOTS, sizeof(uint32_t));
	n->sessions = cut(c, limits->sessions, sizeof(struct session));
	n->session_heads = cut(c, (size_t)n->session_mask + 1, sizeof(uint32_t));
	n->session_due = cut(c, limits->sessions / SESSION_GROUP + 1, sizeof(uint32_t));
	n->rests = cut(c, n->rest_room, sizeof(struct rest));
	n->updates = cut(c, UPDATES, sizeof(struct nat_update));
	n->events = cut(c, EVENTS + 1, sizeof(struct nat_event));
	return c->at;
}

size_t nat_size(const struct nat_limits *limits)
{
	struct nat measured;
	struct cut c = {NULL, 0};

	cut(&c, 1, sizeof(struct nat));
	return nat_lay_out(&measured, limits, &c);
}

struct nat *nat_init(
	void *mem, const struct nat_limits *limits, const struct rng *seed, uint32_t now_s)
{
	struct cut c = {mem, 0};
	struct nat *n = cut(&c, 1, sizeof *n);
	static const struct nat_timers defaults = {.udp = 300,
		.udp_initial = 300,
		.udp_unanswered = 120,
		.tcp_idle = 7440,
		.tcp_trans_open = 240,
		.tcp_trans_close = 240,
		.tcp_rst = 240,
		.icmp = 60,
		.hold_down = 120,
		.pcp_hold_down = 120};

	nat_lay_out(n, limits, &c);
	n->rng = *seed;
	n->secret = rng_secret(&n->rng);
	n->salt = rng_u64(&n->rng);
	n->chunk_high = 1; // chunk 0 means none
	n->wheel_s = now_s;
	n->sweep_s = n->session_s = n->block_s = n->clock_s = now_s;
	n->review_line = UINT32_MAX;
	nat_set_timers(n, &defaults);
	return n;
}

static void set_session_timers(struct nat *n)
{
	const struct nat_timers *t = &n->timers;
	const uint16_t seconds[NAT_STATES] = {[NAT_I_INIT] = t->tcp_trans_open,
		[NAT_E_INIT] = t->tcp_trans_open,
		[NAT_ESTABLISHED] = t->tcp_idle,
		[NAT_I_FIN] = t->tcp_idle,
		[NAT_E_FIN] = t->tcp_idle,
		[NAT_BOTH_FIN] = t->tcp_trans_close,
		[NAT_TRANS] = t->tcp_rst};

	for (unsigned i = 0; i < NAT_STATES; i++)
		n->session_timeout[i] = (uint16_t)min_u32(seconds[i], IDLE_MAX_S);
	sessions_doubt(n);
}

static bool same_rules(const struct nat_timers *a, const struct nat_timers *b)
{
	return a->n_ports == b->n_ports &&
	       memcmp(a->ports, b->ports, a->n_ports * sizeof a->ports[0]) == 0;
}

void nat_set_timers(struct nat *n, const struct nat_timers *timers)
{
	uint16_t *t = n->timeout;

	if (!same_rules(&n->timers, timers))
		review_begin(n, true);
	n->timers = *timers;
	set_session_timers(n);
	n->timers.udp = (uint16_t)min_u32(timers->udp, IDLE_MAX_S);
	n->timers.udp_initial = (uint16_t)min_u32(timers->udp_initial, IDLE_MAX_S);
	for (unsigned class = 0; class < 4; class ++) {
		t[NAT_UDP | class << CLASS_SHIFT] = timers->udp;
		t[NAT_TCP | class << CLASS_SHIFT] = timers->tcp_idle;
		t[NAT_ICMP | class << CLASS_SHIFT] = timers->icmp;
	}
	t[NAT_UDP | CLASS_OPEN << CLASS_SHIFT] =
		(uint16_t)min_u32(timers->udp_initial, timers->udp_unanswered);
	t[NAT_TCP | CLASS_OPEN << CLASS_SHIFT] = timers->tcp_trans_open;
	t[NAT_TCP | CLASS_CLOSING << CLASS_SHIFT] = timers->tcp_trans_close;
	for (unsigned i = 0; i < 16; i++)
		t[i] = (uint16_t)min_u32(t[i], IDLE_MAX_S);
}

const struct nat_counters *nat_counters(const struct nat *n)
{
	return &n->counters;
}

const struct nat_group_counters *nat_group_counters(const struct nat *n, uint8_t group)
{
	return &n->group_counters[group];
}
