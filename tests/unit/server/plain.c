// SPDX-License-Identifier: Apache-2.0
// The short way of the plain request against the long one: what twins.h says of two worlds, by
// chance and case by case.
#include "twins.h"

enum {
	REQUESTS = 40000,
	LOOK_EVERY = 1000
};

// ---- chance ----------------------------------------------------------------------------------

static uint32_t below(struct rng *dice, uint32_t n)
{
	return rng_below(dice, n);
}

static bool one_in(struct rng *dice, uint32_t n)
{
	return below(dice, n) == 0;
}

static struct server_asker random_asker(struct rng *dice)
{
	uint32_t host = below(dice, one_in(dice, 3) ? TWINS_HOSTS : TWINS_HOSTS / 4);

	return (struct server_asker){.source = CLIENT_IP + host,
		.port = (uint16_t)(12345 + (one_in(dice, 8) ? below(dice, 3) : 0)),
		.realm = 1,
		.group = (uint8_t)((host % 4 == 3) ^ one_in(dice, 200)),
		.authorized = !one_in(dice, 60),
		.stranger = one_in(dice, 100),
		.have_external = !one_in(dice, 60),
		.epoch_s = EPOCH_S + below(dice, 100000)};
}

static uint32_t random_lifetime(struct rng *dice)
{
	static const uint32_t some[] = {
		0, 0, 1, 60, 120, 121, 300, 600, 600, 3600, 86400, 86401, 0x80000000, UINT32_MAX};

	return some[below(dice, ARRAY_SIZE(some))];
}

static ip6 random_suggestion(struct rng *dice, ip4 source)
{
	switch (below(dice, 14)) {
	case 0:
	case 12:
		return ip6_mapped(POOL_IP);
	case 13:
		return ip6_mapped(SECOND_IP);
	case 1:
		return ip6_mapped(SMALL_IP);
	case 2:
		return ip6_mapped(FOREIGN_IP);
	case 3:
		return (ip6){{0x20, 1}};
	case 4:
		return (ip6){{[15] = 1}};
	case 5:
		return ip6_mapped(source);
	case 6:
	case 7:
		return (ip6){{0}};
	default:
		return ip6_mapped(0);
	}
}

static uint8_t random_protocol(struct rng *dice)
{
	static const uint8_t odd[] = {0, IP_ICMP, 132, 255};

	if (one_in(dice, 40))
		return odd[below(dice, ARRAY_SIZE(odd))];
	return one_in(dice, 2) ? IP_TCP : IP_UDP;
}

static void random_map(struct rng *dice, ip4 source, struct pcp_map_wire *map)
{
	bool suggests = one_in(dice, 3);

	*map = (struct pcp_map_wire){.nonce = {(uint8_t)source, [11] = 1},
		.protocol = random_protocol(dice),
		.internal_port = be16_of(
			one_in(dice, 60) ? 0
					 : (uint16_t)(TWINS_FIRST_PORT + below(dice, TWINS_PORTS))),
		.external_ip = suggests ? random_suggestion(dice, source) : ip6_mapped(0)};
	if (one_in(dice, 12))
		map->nonce[11] ^= (uint8_t)(1 + below(dice, 2));
	if (one_in(dice, 10))
		map->reserved[below(dice, 3)] = (uint8_t)below(dice, 256);
	if (suggests && one_in(dice, 2))
		map->external_port = be16_of((uint16_t)(1000 + below(dice, 300)));
}

static void add_option(struct ask *a, uint8_t code, const void *data, uint16_t n)
{
	a->len = pcp_append_option(a->msg, a->len, sizeof a->msg, code, data, n);
	cr_assert_gt(a->len, 0);
}

static void random_option(struct rng *dice, struct ask *a)
{
	static const uint8_t filter[20] = {0, 128, 0, 80, [14] = 0xff, 0xff, 198, 51, 100, 1};
	static const uint8_t set[5] = {0, 3, 0x1f, 0x40, 0};
	ip6 other = ip6_mapped(OTHER_IP);

	switch (below(dice, 6)) {
	case 0:
	case 1:
		add_option(a, PCP_PREFER_FAILURE, NULL, 0);
		return;
	case 2:
		add_option(a, PCP_FILTER, filter, sizeof filter);
		return;
	case 3:
		add_option(a, PCP_DESCRIPTION, "porch", 5);
		return;
	case 4:
		add_option(a, PCP_PORT_SET, set, sizeof set);
		return;
	default:
		add_option(a, (uint8_t)(one_in(dice, 2) ? PCP_THIRD_PARTY : 90 + below(dice, 100)),
			&other, sizeof other);
		return;
	}
}

// Of any length that a datagram can have.
static void random_length(struct rng *dice, struct ask *a)
{
	size_t len = below(dice, one_in(dice, 2) ? 80 : PCP_MAX);

	if (len > a->len)
		memset(a->msg + a->len, (int)below(dice, 256), len - a->len);
	a->len = len;
}

// NAT-PMP (RFC 6886 s.3.3): leases that have no nonce.
static void natpmp_request(struct rng *dice, struct ask *a)
{
	uint16_t port = (uint16_t)(TWINS_FIRST_PORT + below(dice, TWINS_PORTS));
	be32 lifetime = be32_of(random_lifetime(dice));

	memset(a->msg, 0, 12);
	a->msg[1] = (uint8_t)(1 + below(dice, 2));
	memcpy(a->msg + 4, be16_of(port).b, 2);
	memcpy(a->msg + 8, &lifetime, 4);
	a->len = 12;
}

static void random_request(struct rng *dice, struct ask *a)
{
	struct pcp_request_wire *wire = (void *)a->msg;
	ip4 claimed = a->asker.source + one_in(dice, 60);

	memset(a->msg, 0, sizeof a->msg);
	*wire = (struct pcp_request_wire){
		.version = (uint8_t)(one_in(dice, 40) ? below(dice, 4) : 2),
		.opcode = (uint8_t)(one_in(dice, 20) ? below(dice, 256) : PCP_MAP),
		.lifetime = be32_of(random_lifetime(dice)),
		.client = ip6_mapped(claimed)};
	if (one_in(dice, 10))
		wire->reserved = be16_of((uint16_t)below(dice, 65536));
	random_map(dice, a->asker.source, (void *)(a->msg + PCP_HEADER));
	a->len = PCP_HEADER + PCP_MAP_BODY;
	if (one_in(dice, 20)) { // the remote peer is 198.51.100.n:4711
		struct pcp_peer_wire *peer = (void *)(a->msg + PCP_HEADER);

		wire->opcode = PCP_PEER;
		peer->remote_port = be16_of(4711);
		peer->remote_ip = ip6_mapped(0xc6336401 + below(dice, 2));
		a->len = PCP_HEADER + PCP_PEER_BODY;
	}
	if (one_in(dice, 10))
		random_option(dice, a);
	if (one_in(dice, 40))
		natpmp_request(dice, a);
	if (one_in(dice, 40))
		random_length(dice, a);
}

static struct ask random_ask(struct rng *dice)
{
	struct ask a = {.asker = random_asker(dice), .newcomers = !one_in(dice, 20)};

	random_request(dice, &a);
	return a;
}

// ---- what else goes on -----------------------------------------------------------------------

// The operator changes his mind; mostly about nothing that a plain request must care for.
static void random_policy(struct twins *t, struct rng *dice)
{
	static const struct pcp_prefix64 prefix = {.length = 12, .octets = {0, 0x64, 0xff, 0x9b}};
	struct server_policy *p = &t->quick.policy;

	*p = WORLD_POLICY;
	p->early_delete = true;
	t->quick.nat_policy.lease_limit = one_in(dice, 3) ? LEASE_LIMIT : 100;
	t->quick.nat_policy.port_limit = one_in(dice, 4) ? 6 : 1024;
	t->quick.nat_policy.compact = one_in(dice, 3);
	t->quick.nat_policy.parity = one_in(dice, 3);
	t->quick.nat_policy.explicit_first = one_in(dice, 10) ? TWINS_EXPLICIT : 0;
	t->quick.nat_policy.explicit_last = TWINS_EXPLICIT + 100;
	p->lifetime_min_s = one_in(dice, 2) ? 120 : 1;
	if (one_in(dice, 4))
		p->lifetime_max_s = 365 * 86400;
	p->enabled = !one_in(dice, 40);
	p->early_delete = !one_in(dice, 20);
	p->any_nonce = one_in(dice, 30);
	p->n_prefix64 = one_in(dice, 30);
	p->prefix64 = &prefix;
	if (one_in(dice, 40))
		p->opcodes &= (uint8_t) ~(1u << SERVER_MAP);
	if (one_in(dice, 40))
		p->dialects &= (uint8_t)~PCP_SERVES(PCP_V2);
	if (one_in(dice, 4))
		p->opcodes |= 1u << SERVER_GET;
	twins_publish(t);
}

struct fate { // of a packet from inside and of its answer
	enum drop out, in;
};

static struct fate send_in(struct world *w, uint8_t group, struct nat_out p, bool answered)
{
	struct fate fate = {DROP_NONE, DROP_NONE};
	struct nat_in in = {.from = p.remote, .protocol = p.key.protocol};

	if (nat_find_out(w->nat, &p, 1, w->now_s) == 0)
		fate.out = nat_create(w->nat, &w->nat_policy, group, &p, w->now_s);
	if (fate.out != DROP_NONE || !answered)
		return fate;
	in.at = p.to;
	in.tcp_flags = p.tcp_flags ? TCP_SYN | TCP_ACK : 0;
	nat_find_in(w->nat, &in, 1, w->now_s); // FILTERs may keep it out
	fate.in = in.drop;
	return fate;
}

static void random_packet(struct twins *t, struct rng *dice)
{
	uint32_t host = below(dice, TWINS_HOSTS / 4);
	uint8_t protocol = one_in(dice, 2) ? NAT_TCP : NAT_UDP;
	struct nat_out p = {.key = world_key(CLIENT_IP + host, protocol,
				    (uint16_t)(TWINS_FIRST_PORT + below(dice, TWINS_PORTS))),
		.remote = {0xc6336401 + below(dice, 2), 4711}};
	bool answered = one_in(dice, 2);
	struct fate quick, slow;

	if (protocol == NAT_TCP)
		p.tcp_flags = (uint8_t)(one_in(dice, 2)   ? TCP_SYN
					: one_in(dice, 4) ? TCP_FIN | TCP_ACK
							  : TCP_ACK);
	quick = send_in(&t->quick, host % 4 == 3, p, answered);
	slow = send_in(&t->slow, host % 4 == 3, p, answered);
	cr_assert(quick.out == slow.out && quick.in == slow.in);
}

// The operator adds and deletes mappings by himself.
static void random_operator(struct twins *t, struct rng *dice)
{
	struct nat_wish wish = {.key = world_key(CLIENT_IP + below(dice, TWINS_HOSTS / 4), NAT_UDP,
					(uint16_t)(TWINS_FIRST_PORT + below(dice, TWINS_PORTS))),
		.lifetime_s = 600,
		.operators = true,
		.client_realm = 1};
	struct nat_view view;
	uint8_t group = (wish.key.host - CLIENT_IP) % 4 == 3;

	if (one_in(dice, 2)) {
		cr_assert_eq(nat_delete(t->quick.nat, &wish.key, t->quick.now_s),
			nat_delete(t->slow.nat, &wish.key, t->slow.now_s));
		return;
	}
	wish.client = wish.key.host;
	cr_assert_eq(nat_lease_map(t->quick.nat, &t->quick.nat_policy, group, &wish, t->quick.now_s,
			     &view),
		nat_lease_map(
			t->slow.nat, &t->slow.nat_policy, group, &wish, t->slow.now_s, &view));
}

// An address leaves and comes back: mappings move, or are lost.
static void random_pool(struct twins *t, struct rng *dice)
{
	static const ip4 all[] = {POOL_IP, SECOND_IP, SMALL_IP};
	ip4 ip = all[below(dice, ARRAY_SIZE(all))];
	struct nat_update a, b;

	if (nat_address_known(t->quick.nat, ip) && one_in(dice, 10)) {
		nat_address_remove(t->quick.nat, ip);
		nat_address_remove(t->slow.nat, ip);
		twins_pass(t, 1 + below(dice, 5));
	} else if (!nat_address_known(t->quick.nat, ip)) {
		twins_add_address(t, ip);
	}
	while (nat_update_next(t->quick.nat, &a)) {
		cr_assert(nat_update_next(t->slow.nat, &b));
		cr_assert(a.kind == b.kind && twins_view_eq(&a.view, &b.view));
	}
	cr_assert_not(nat_update_next(t->slow.nat, &b));
}

static void random_event(struct twins *t, struct rng *dice)
{
	if (one_in(dice, 20))
		twins_pass(t, 1 + below(dice, one_in(dice, 10) ? 400 : 30));
	if (one_in(dice, 5))
		random_packet(t, dice);
	if (one_in(dice, 150))
		random_operator(t, dice);
	if (one_in(dice, 100))
		random_policy(t, dice);
	if (one_in(dice, 40))
		random_pool(t, dice);
}

static void run(struct twins *t, struct rng *dice, unsigned requests)
{
	for (unsigned i = 0; i < requests; i++) {
		struct ask a = random_ask(dice);

		random_event(t, dice);
		twins_ask(t, &a);
		if (i % LOOK_EVERY == 0)
			twins_expect_same_mappings(t);
	}
	twins_expect_same_mappings(t);
	twins_expect_same_clients(t);
}

// What happened often enough to have been tried.
static void expect_tried(const struct twins *t)
{
	const struct server_counters *c = &t->quick.counters;

	cr_assert(t->answered > REQUESTS / 10 && t->made > REQUESTS / 50 &&
			  t->declined > REQUESTS / 10,
		"%u answered, %u made, %u declined", t->answered, t->made, t->declined);
	cr_assert(c->maps_created > 100 && c->maps_renewed > 100 && c->maps_deleted > 100 &&
		  c->nonce_mismatches > 100 && c->newcomers_refused > 10);
	cr_assert_gt(c->results[PCP_RESULT_USER_EX_QUOTA], 100);
	cr_assert_gt(c->results[PCP_RESULT_NO_RESOURCES], 100);
	cr_assert_gt(c->results[PCP_RESULT_UNSUPP_OPCODE], 100);
	cr_assert_gt(nat_counters(t->quick.nat)->explicit_expired, 100);
	cr_assert_gt(nat_counters(t->quick.nat)->moved, 100);
	cr_assert_gt(nat_counters(t->quick.nat)->became_implicit, 10);
}

static void try_seed(uint64_t seed)
{
	struct twins t;
	struct rng dice;

	twins_open(&t);
	rng_init_u64(&dice, seed);
	run(&t, &dice, REQUESTS);
	expect_tried(&t);
	twins_close(&t);
}

Test(plain, nobody_can_tell_the_short_way_from_the_long_one)
{
	try_seed(6887);
}

Test(plain, nobody_can_tell_the_short_way_from_the_long_one_by_other_dice)
{
	try_seed(7753);
}

// ---- case by case ----------------------------------------------------------------------------

static struct ask plain_ask(ip4 source, uint8_t group, uint16_t port, uint32_t lifetime_s)
{
	struct ask a = {.asker = {.source = source,
				.port = 12345,
				.realm = 1,
				.group = group,
				.authorized = true,
				.have_external = true,
				.epoch_s = EPOCH_S},
		.newcomers = true};
	struct pcp_message m = map_of(IP_UDP, port, lifetime_s);

	m.client = ip6_mapped(source);
	a.len = pcp_encode_request(a.msg, sizeof a.msg, &m);
	cr_assert_eq(a.len, PCP_HEADER + PCP_MAP_BODY);
	return a;
}

// A create, a renewal, another nonce, an end: what has to be short is short.
Test(plain, plain_requests_take_the_short_way)
{
	struct twins t;
	struct ask create = plain_ask(CLIENT_IP, 0, 8080, 600), foreign = create;
	struct ask end = plain_ask(CLIENT_IP, 0, 8080, 0);

	foreign.msg[PCP_HEADER]++;
	twins_open(&t);
	twins_ask(&t, &create);
	cr_assert(t.made == 1 && t.answered == 0);
	twins_pass(&t, 100);
	twins_ask(&t, &create);
	twins_ask(&t, &foreign);
	twins_ask(&t, &end);
	cr_assert(t.made == 1 && t.answered == 3 && t.declined == 0);
	cr_assert(t.quick.counters.maps_created == 1 && t.quick.counters.maps_renewed == 1 &&
		  t.quick.counters.nonce_mismatches == 1 && t.quick.counters.maps_deleted == 1);
	twins_ask(&t, &create); // its port rests: the long way gives it back
	cr_assert(t.declined == 1 && t.made == 1);
	twins_expect_same_mappings(&t);
	twins_close(&t);
}

static void suggest(struct ask *a, ip4 addr, uint16_t port)
{
	struct pcp_map_wire *map = (void *)(a->msg + PCP_HEADER);

	map->external_ip = ip6_mapped(addr);
	map->external_port = be16_of(port);
}

// RFC 6887 s.11.3, s.16.1: after a loss of state all come back at once and suggest what they had.
Test(plain, rfc6887_16_1_a_suggested_pair_is_granted_the_short_way)
{
	struct twins t;
	struct ask first = plain_ask(CLIENT_IP, 0, 8080, 600);
	struct ask second = plain_ask(CLIENT_IP + 1, 0, 8080, 600);
	const struct pcp_map_wire *granted = (void *)(t.quick.msg + PCP_HEADER);

	suggest(&first, POOL_IP, 2000);
	suggest(&second, POOL_IP, 2000);
	twins_open(&t);
	twins_ask(&t, &first);
	cr_assert_eq(be16_get(granted->external_port), 2000);
	cr_assert(ip6_eq(granted->external_ip, ip6_mapped(POOL_IP)));
	cr_assert_eq(nat_counters(t.quick.nat)->suggestions_refused, 0);
	twins_ask(&t, &second); // it is another's: any port will do
	cr_assert_eq(t.quick.msg[3], PCP_SUCCESS);
	cr_assert_neq(be16_get(granted->external_port), 2000);
	cr_assert_eq(nat_counters(t.quick.nat)->suggestions_refused, 1);
	cr_assert(t.made == 2 && t.declined == 0);
	twins_close(&t);
}

// The reserved octets come back as the long way leaves them: of a success as zeros.
Test(plain, reserved_octets_are_answered_alike)
{
	struct twins t;
	struct ask a;

	twins_open(&t);
	for (unsigned i = 0; i < 6; i++) {
		a = plain_ask(CLIENT_IP, 0, 8080, i == 4 ? 0 : 600);
		a.msg[2] = a.msg[3] = 0xaa;
		memset(a.msg + PCP_HEADER + 13, 0xbb, 3);
		a.msg[PCP_HEADER] = (uint8_t)(i == 2);
		twins_ask(&t, &a);
	}
	cr_assert(t.answered == 4 && t.made == 1);
	twins_close(&t);
}

// The short way tries, and gives up; then the long way refuses him. He was seen for the first time
// only once.
static void expect_refused_once(struct twins *t, ip4 source, uint8_t group, enum pcp_result why)
{
	struct ask a = plain_ask(source, group, 8080, 600);
	uint64_t before = nat_counters(t->slow.nat)->subscribers_created;

	twins_ask(t, &a);
	cr_assert_eq(t->quick.msg[3], why);
	cr_assert_eq(nat_counters(t->slow.nat)->subscribers_created, before + 1);
}

Test(plain, a_newcomer_for_whom_there_is_no_port_is_counted_once)
{
	struct twins t;

	twins_open(&t);
	for (ip4 i = 0; i < SMALL_BLOCKS; i++) {
		struct ask a = plain_ask(CLIENT_IP + i, SMALL_GROUP, 8080, 600);
		twins_ask(&t, &a);
	}
	cr_assert_eq(t.made, SMALL_BLOCKS);
	expect_refused_once(&t, CLIENT_IP + SMALL_BLOCKS, SMALL_GROUP, PCP_NO_RESOURCES);
	twins_close(&t);
}

Test(plain, a_newcomer_who_may_hold_nothing_is_counted_once)
{
	struct twins t;

	twins_open(&t);
	t.quick.nat_policy.lease_limit = 0;
	twins_publish(&t);
	expect_refused_once(&t, CLIENT_IP, 0, PCP_USER_EX_QUOTA);
	twins_close(&t);
}

// Unknown opcodes are refused before anything else is looked at, and only those.
Test(plain, every_opcode_is_answered_alike_at_any_length)
{
	static const size_t lengths[] = {0, 1, 2, 4, 23, 24, 25, 28, 59, 60, 64, 1096, 1100, 1104};
	struct twins t;
	struct ask a;

	twins_open(&t);
	for (unsigned i = 0; i < 256 * ARRAY_SIZE(lengths) * 2; i++) {
		if (i == 256 * ARRAY_SIZE(lengths)) {
			t.quick.policy.dialects &= (uint8_t)~PCP_SERVES(PCP_V2);
			twins_publish(&t);
		}
		a = plain_ask(CLIENT_IP, 0, 8080, 600);
		a.msg[1] = (uint8_t)i;
		a.msg[2] = 0xaa;
		a.len = lengths[i / 256 % ARRAY_SIZE(lengths)];
		twins_ask(&t, &a);
	}
	cr_assert_gt(t.answered, 600);
	twins_close(&t);
}
