// SPDX-License-Identifier: Apache-2.0
// Looking ahead: it changes nothing, whatever stands in the room and whatever is asked for, and the
// port it foresees is the one that is chosen.
#include "world.h"

enum {
	HOSTS = 40,
	PORTS = 30,
	FIRST_PORT = 4000,
	ROUNDS = 400,
	CHANGES = 40 // between two looks
};

static const struct nat_limits LIMITS = {.mappings = 1000,
	.leases = 200,
	.filters = 16,
	.sessions = 400,
	.descriptions = 4,
	.subscribers = 64,
	.addresses = 1,
	.port_set_min = 4};

// ---- a room in which everything happens ------------------------------------------------------

struct stage {
	struct world w;
	struct rng dice;
	uint8_t *image;
	size_t size;
};

static void stage_open(struct stage *s)
{
	*s = (struct stage){.w = world_open(&LIMITS, 64), .size = nat_size(&LIMITS)};
	world_add(&s->w, POOL_A, 1024, 65535);
	s->w.policy.filtering[NAT_UDP - 1] = NAT_APDF;
	s->w.policy.port_limit = 200;
	nat_set_policy(s->w.nat, 0, &s->w.policy);
	s->image = malloc(s->size);
	cr_assert_not_null(s->image);
	rng_init_u64(&s->dice, 1024);
}

static void stage_close(struct stage *s)
{
	free(s->image);
	world_close(&s->w);
}

static void remember(struct stage *s)
{
	memcpy(s->image, s->w.mem, s->size);
}

// But for the hints where to look for whom first, which may say anything.
static void expect_unchanged(const struct stage *s, const char *by)
{
	const uint8_t *now = s->w.mem, *hints = (const void *)s->w.nat->recent;
	size_t at = 0;

	memcpy(s->image + (hints - now), hints, RECENT * sizeof *s->w.nat->recent);
	if (memcmp(s->image, now, s->size) == 0)
		return;
	while (s->image[at] == now[at])
		at++;
	cr_assert_fail("%s changed octet %zu of %zu", by, at, s->size);
}

static struct nat_key random_key(struct stage *s)
{
	struct nat_key key = key_of(HOST + rng_below(&s->dice, HOSTS + 10),
		(uint8_t)(1 + rng_below(&s->dice, NAT_PROTOCOLS)),
		(uint16_t)(FIRST_PORT + rng_below(&s->dice, PORTS)));

	key.realm = (uint8_t)(1 + (rng_below(&s->dice, 10) == 0));
	return key;
}

static struct recipe random_remote(struct stage *s)
{
	return (struct recipe){REMOTE.addr + rng_below(&s->dice, 3), REMOTE.port};
}

static void random_packet(struct stage *s)
{
	static const uint8_t flags[] = {TCP_SYN, TCP_SYN, TCP_ACK, TCP_FIN | TCP_ACK, TCP_RST};
	struct nat_key key = random_key(s);
	struct recipe to, remote = random_remote(s);
	enum drop why = world_send(&s->w, key, flags[rng_below(&s->dice, ARRAY_SIZE(flags))],
		rng_below(&s->dice, 2) == 0, remote, &to);

	if (why == DROP_NONE && rng_below(&s->dice, 2) == 0)
		world_receive(&s->w, key.protocol, to, remote, TCP_SYN | TCP_ACK);
}

static void random_lease(struct stage *s)
{
	const struct nat_filter filter = {REMOTE.addr, 32, 0};
	struct nat_wish wish = wish_of(
		random_key(s), (uint8_t)rng_below(&s->dice, 3), 1 + rng_below(&s->dice, 300));
	struct nat_view view;

	switch (rng_below(&s->dice, 5)) {
	case 0:
		wish.remote = random_remote(s);
		world_ask_peer(&s->w, &wish, &view);
		return;
	case 1:
		wish.n_ports = (uint16_t)rng_below(&s->dice, 9);
		break;
	case 2: // few of 16 are left at most, some get none
		wish.filters = &filter;
		wish.n_filters = 1;
		break;
	case 3:
		world_end(&s->w, wish.key, rng_below(&s->dice, 2) == 0);
		return;
	default:
		break;
	}
	world_ask(&s->w, &wish, &view);
}

static void random_changes(struct stage *s)
{
	for (unsigned i = 0; i < CHANGES; i++) {
		if (rng_below(&s->dice, 3) != 0)
			random_packet(s);
		else
			random_lease(s);
		if (rng_below(&s->dice, 20) == 0)
			world_pass(&s->w, 1 + rng_below(&s->dice, 40));
	}
}

// ---- it changes nothing ----------------------------------------------------------------------

static void look_at_random(struct stage *s)
{
	struct nat_ahead ahead[NAT_BURST];
	unsigned count = rng_below(&s->dice, NAT_BURST + 1);

	for (unsigned i = 0; i < count; i++)
		ahead[i] = (struct nat_ahead){.key = random_key(s),
			.leases = rng_below(&s->dice, 3) != 0,
			.ends = rng_below(&s->dice, 3) == 0,
			.suggested = {POOL_A + rng_below(&s->dice, 2),
				(uint16_t)rng_below(&s->dice, 65536)}};
	nat_look_ahead(s->w.nat, ahead, count);
}

Test(ahead, looking_ahead_changes_nothing)
{
	struct stage s;

	stage_open(&s);
	for (unsigned i = 0; i < ROUNDS; i++) {
		remember(&s);
		look_at_random(&s);
		expect_unchanged(&s, "the look ahead");
		random_changes(&s);
	}
	cr_assert_gt(nat_counters(s.w.nat)->implicit_created, 1000);
	cr_assert_gt(nat_counters(s.w.nat)->explicit_created, 1000);
	cr_assert_gt(nat_counters(s.w.nat)->sessions_created, 1000);
	stage_close(&s);
}

// Two rooms to which the same happens; one of them looks in the wrong places first.
Test(ahead, hints_may_say_anything)
{
	struct stage s, twin;
	struct rng any;

	rng_init_u64(&any, 7);
	stage_open(&s);
	stage_open(&twin);
	for (unsigned round = 0; round < ROUNDS; round++) {
		const struct nat *n = s.w.nat, *m = twin.w.nat;

		for (unsigned i = 0; i < RECENT; i++)
			n->recent[i] = rng_below(&any, LIMITS.subscribers);
		random_changes(&s);
		random_changes(&twin);
		cr_assert_eq(memcmp(&n->counters, &m->counters, sizeof n->counters), 0);
		cr_assert_eq(memcmp(n->subscribers, m->subscribers,
				     LIMITS.subscribers * sizeof *n->subscribers),
			0);
	}
	stage_close(&s);
	stage_close(&twin);
}

// Packets that must look closer, of mappings that stand.
static void foresee_packets(struct stage *s)
{
	struct nat_out out[NAT_BURST];
	struct nat_in in[NAT_BURST];
	struct entry *entry[NAT_BURST] = {NULL};
	uint32_t slot[NAT_BURST], which = 0;

	for (unsigned i = 0; i < NAT_BURST; i++) {
		out[i] = (struct nat_out){.key = random_key(s), .tcp_flags = TCP_SYN};
		in[i] = (struct nat_in){.protocol = out[i].key.protocol, .tcp_flags = TCP_SYN};
		slot[i] = slot_find(s->w.nat, &out[i].key);
		if (slot[i] == NO_SLOT)
			continue;
		which |= UINT32_C(1) << i;
		entry[i] = entry_at(s->w.nat, in[i].protocol, slot_at(s->w.nat, slot[i])->ext);
	}
	foresee_out(s->w.nat, out, slot, which);
	foresee_in(s->w.nat, in, entry, which);
}

static void foresee_background(struct stage *s)
{
	const struct nat *n = s->w.nat;
	uint32_t leases[NAT_BURST], sessions[NAT_BURST];
	unsigned n_leases = 0, n_sessions = 0, n_rests = min_u32(n->rest_count, NAT_BURST);

	for (uint32_t i = 0; i < n->lease_high && n_leases < NAT_BURST; i++) {
		if (n->leases[i].state != LEASE_FREE && n->leases[i].state != LEASE_STATIC)
			leases[n_leases++] = i;
	}
	for (uint32_t i = 0; i < n->session_high && n_sessions < NAT_BURST; i++) {
		if (n->sessions[i].state != NAT_CLOSED && n->sessions[i].state < NAT_STATES)
			sessions[n_sessions++] = i;
	}
	foresee_leases(n, leases, n_leases);
	foresee_sessions(n, sessions, n_sessions);
	if (n->rest_head + n_rests <= n->rest_room)
		foresee_release(n, &n->rests[n->rest_head], n_rests);
}

Test(ahead, foreseeing_packets_and_ends_changes_nothing)
{
	struct stage s;

	stage_open(&s);
	for (unsigned i = 0; i < ROUNDS; i++) {
		random_changes(&s);
		remember(&s);
		foresee_packets(&s);
		expect_unchanged(&s, "foreseeing packets");
		foresee_background(&s);
		expect_unchanged(&s, "foreseeing the background");
	}
	stage_close(&s);
}

// ---- what is foreseen comes ------------------------------------------------------------------

struct tally {
	unsigned foreseen, right;
};

// One new mapping of each of 32 subscribers, who have a block with room.
static void try_burst(struct world *w, uint8_t protocol, uint16_t port, struct tally *t)
{
	uint32_t ext[NAT_BURST];

	for (uint32_t i = 0; i < NAT_BURST; i++) {
		struct nat_key key = key_of(HOST + i, protocol, port);
		uint32_t s = subscriber_find(w->nat, 1, HOST + i);

		cr_assert_neq(s, NO_SUBSCRIBER);
		ext[i] = port_foresee(w->nat, &w->nat->subscribers[s], &key);
		t->foreseen += ext[i] != NO_EXT;
	}
	for (uint32_t i = 0; i < NAT_BURST; i++) {
		struct recipe to = world_out(w, key_of(HOST + i, protocol, port));

		t->right += ext[i] == ext_of(0, to.port);
	}
}

static void try_block_size(uint16_t port_set_size, unsigned bursts)
{
	struct world w = world_simple(port_set_size);
	struct tally t = {0, 0};
	unsigned all = bursts * NAT_BURST;

	for (uint32_t i = 0; i < NAT_BURST; i++)
		world_out(&w, key_of(HOST + i, NAT_UDP, 3999));
	for (uint16_t i = 0; i < bursts; i++) {
		try_burst(&w, (uint8_t)(NAT_UDP + i % NAT_PROTOCOLS), (uint16_t)(4000 + i), &t);
		world_pass(&w, i % 2);
	}
	cr_assert_eq(t.foreseen, all, "%u of %u foreseen", t.foreseen, all);
	cr_assert(t.right * 100 > all * 99, "%u of %u right", t.right, all);
	world_close(&w);
}

Test(ahead, the_port_that_is_foreseen_is_the_one_that_is_chosen)
{
	try_block_size(64, 100); // up to 35 of the 64 ports of each protocol
}

Test(ahead, ports_of_small_and_large_blocks_are_foreseen_as_well)
{
	try_block_size(16, 30);
	try_block_size(512, 120);
	try_block_size(4, 6);
}

// Nobody is told a port that is not free, nor one of a subscriber who has no block.
Test(ahead, a_block_that_is_full_foresees_nothing)
{
	struct world w = world_simple(4);
	uint32_t s;
	struct nat_key key = key_of(HOST, NAT_UDP, 5000);

	for (uint16_t i = 0; i < 4; i++)
		world_out(&w, key_of(HOST, NAT_UDP, (uint16_t)(4000 + i)));
	s = subscriber_find(w.nat, 1, HOST);
	cr_assert_eq(port_foresee(w.nat, &w.nat->subscribers[s], &key), NO_EXT);
	key.protocol = NAT_TCP;
	cr_assert_neq(port_foresee(w.nat, &w.nat->subscribers[s], &key), NO_EXT);
	cr_assert_eq(port_foresee(w.nat, &(struct subscriber){.host = HOST}, &key), NO_EXT);
	world_close(&w);
}

// The choice is drawn anew each second, also when each begins with a new mapping.
Test(ahead, a_key_does_not_lead_to_the_same_port_for_long)
{
	struct world w = world_simple(64);
	struct nat_key key = key_of(HOST, NAT_UDP, 5000);
	uint32_t s, first, same = 0;

	world_out(&w, key_of(HOST, NAT_UDP, 4000));
	s = subscriber_find(w.nat, 1, HOST);
	first = port_foresee(w.nat, &w.nat->subscribers[s], &key);
	for (uint16_t i = 1; i <= 20; i++) {
		w.now_s++;
		world_out(&w, key_of(HOST + 1, NAT_UDP, (uint16_t)(4000 + i)));
		world_settle(&w);
		same += port_foresee(w.nat, &w.nat->subscribers[s], &key) == first;
	}
	cr_assert_lt(same, 10, "%u of 20 seconds", same);
	world_close(&w);
}

// RFC 6056 s.3.3: somebody outside sees what three new flows of consecutive internal ports got
// within one second. By chance he knows the fourth once in 64 times.
Test(ahead, the_ports_of_some_flows_do_not_tell_the_next_ones)
{
	enum {
		TRIES = 500
	};
	struct world w = world_simple(64);
	unsigned right = 0;

	for (uint32_t i = 0; i < TRIES; i++) {
		uint16_t p[4];

		for (uint16_t k = 0; k < 4; k++)
			p[k] = world_out(&w, key_of(HOST + i % 400, NAT_UDP, (uint16_t)(4000 + k)))
				       .port;
		right += (((unsigned)p[2] - p[0] + p[1]) & 63) == (p[3] & 63u);
		world_pass(&w, 2000);
	}
	world_close(&w);
	cr_assert_lt(right, TRIES / 20, "%u of %u guesses are right", right, TRIES);
}
