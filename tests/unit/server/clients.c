// SPDX-License-Identifier: Apache-2.0
#include "world.h"

#define CLIENTS 64
#define REALM 1

struct crowd {
	void *mem;
	struct server_clients *table;
	struct server_policy policy;
};

static struct crowd crowd_open(uint32_t clients)
{
	struct crowd c = {.policy = WORLD_POLICY};
	size_t size = server_clients_size(clients);
	struct rng seed;

	rng_init_u64(&seed, 6887);
	c.mem = aligned_alloc(CACHE_LINE, size);
	cr_assert_not_null(c.mem);
	memset(c.mem, 0xee, size); // init asks for nothing but room
	c.table = server_clients_init(c.mem, clients, &seed);
	return c;
}

static struct server_client *crowd_admit(struct crowd *c, ip4 address, ns now)
{
	struct server_client *client = NULL;

	cr_assert(server_client_admit(c->table, &c->policy, REALM, address, now, &client));
	cr_assert_not_null(client);
	return client;
}

Test(clients, a_client_is_known_from_his_first_request_on)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *client = NULL;

	cr_assert_null(server_client_find(c.table, REALM, CLIENT_IP));
	client = crowd_admit(&c, CLIENT_IP, 5 * NS_PER_S);
	cr_assert(client->address == CLIENT_IP && client->realm == REALM);
	cr_assert(client->seen_s == 5 && client->requests == 1 && client->refused == 0);
	cr_assert_eq(server_client_find(c.table, REALM, CLIENT_IP), client);
	cr_assert_null(server_client_find(c.table, REALM + 1, CLIENT_IP)); // another host
	cr_assert_eq(crowd_admit(&c, CLIENT_IP, 6 * NS_PER_S), client);
	cr_assert_eq(client->requests, 2);
	free(c.mem);
}

Test(clients, a_burst_is_let_in_and_then_the_rate)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *client = NULL;
	ns now = 100 * NS_PER_S;
	unsigned let_in = 0;

	c.policy.request_rate = 10;
	c.policy.request_burst = 20;
	for (unsigned i = 0; i < 100; i++)
		let_in += server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, now, &client);
	cr_assert_eq(let_in, 20);
	cr_assert_eq(client->refused, 80);
	cr_assert_eq(client->requests, 100);
	now += NS_PER_S;
	for (unsigned i = 0; i < 100; i++)
		let_in += server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, now, &client);
	cr_assert_eq(let_in, 30);
	now += 10 * NS_PER_S; // silence earns no more than a burst
	for (unsigned i = 0; i < 100; i++)
		let_in += server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, now, &client);
	cr_assert_eq(let_in, 50);
	free(c.mem);
}

Test(clients, one_clients_flood_costs_nobody_else)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *client = NULL;

	c.policy.request_rate = c.policy.request_burst = 1;
	for (unsigned i = 0; i < 1000; i++)
		server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, NS_PER_S, &client);
	crowd_admit(&c, OTHER_IP, NS_PER_S);
	free(c.mem);
}

Test(clients, a_rate_of_zero_is_no_limit)
{
	struct crowd c = crowd_open(CLIENTS);

	c.policy.request_rate = 0;
	for (unsigned i = 0; i < 10000; i++)
		crowd_admit(&c, CLIENT_IP, NS_PER_S);
	free(c.mem);
}

// Rates beyond a thousand a second are kept as exactly as small ones.
Test(clients, fast_rates_are_exact)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *client = NULL;
	unsigned let_in = 0;

	c.policy.request_rate = 8000;
	c.policy.request_burst = 1;
	for (ns now = NS_PER_S; now < 2 * NS_PER_S; now += NS_PER_S / 100000)
		let_in += server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, now, &client);
	cr_assert(let_in >= 7600 && let_in <= 8001, "%u", let_in);
	free(c.mem);
}

// One bucket, eight places.
Test(clients, the_one_who_was_silent_longest_is_forgotten)
{
	struct crowd c = crowd_open(1);

	for (ip4 i = 1; i <= 8; i++)
		crowd_admit(&c, i, (100 + i) * NS_PER_S);
	crowd_admit(&c, 1, 200 * NS_PER_S); // not silent any more
	crowd_admit(&c, 9, 201 * NS_PER_S);
	cr_assert_null(server_client_find(c.table, REALM, 2));
	cr_assert_not_null(server_client_find(c.table, REALM, 1));
	cr_assert_not_null(server_client_find(c.table, REALM, 3));
	free(c.mem);
}

// Forgetting an Epoch of his own would turn it back for him.
Test(clients, who_has_an_epoch_of_his_own_is_forgotten_last)
{
	struct crowd c = crowd_open(1);

	for (ip4 i = 1; i <= 8; i++)
		crowd_admit(&c, i, (100 + i) * NS_PER_S)->epoch_base_s = i == 8 ? 0 : 50;
	for (ip4 i = 9; i <= 20; i++) {
		crowd_admit(&c, i, (100 + i) * NS_PER_S);
		for (ip4 k = 1; k < 8; k++)
			cr_assert_not_null(server_client_find(c.table, REALM, k));
	}
	server_client_find(c.table, REALM, 20)->epoch_base_s = 50;
	crowd_admit(&c, 21, 200 * NS_PER_S); // now only such are left: the oldest
	cr_assert_null(server_client_find(c.table, REALM, 1));
	cr_assert_not_null(server_client_find(c.table, REALM, 2));
	free(c.mem);
}

// He would not hear of his loss.
Test(clients, who_holds_a_lease_is_forgotten_after_those_who_hold_none)
{
	struct crowd c = crowd_open(1);

	for (ip4 i = 1; i <= 4; i++)
		crowd_admit(&c, i, (100 + i) * NS_PER_S)->holds_until_s = 1000;
	for (ip4 i = 5; i <= 300; i++)
		crowd_admit(&c, i, (100 + i) * NS_PER_S);
	for (ip4 i = 1; i <= 4; i++)
		cr_assert_not_null(server_client_find(c.table, REALM, i));
	for (ip4 i = 301; i <= 308; i++) // when the leases are over he is one of many
		crowd_admit(&c, i, (1000 + i) * NS_PER_S);
	cr_assert_null(server_client_find(c.table, REALM, 1));
	free(c.mem);
}

// Whom his own worker let in is not judged again, but what he does here is known.
Test(clients, a_guest_is_neither_counted_nor_limited)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *client = NULL;

	c.policy.request_rate = c.policy.request_burst = 1;
	for (unsigned i = 0; i < 5; i++) {
		client = server_client_guest(c.table, REALM, CLIENT_IP, 9 * NS_PER_S);
		cr_assert(client->guest && client->requests == 0 && client->refused == 0);
		cr_assert_eq(client->seen_s, 9);
	}
	cr_assert_eq(crowd_admit(&c, CLIENT_IP, 9 * NS_PER_S), client);
	cr_assert(!client->guest && client->requests == 1);
	cr_assert(!server_client_guest(c.table, REALM, CLIENT_IP, 10 * NS_PER_S)->guest);
	free(c.mem);
}

static bool count_until(void *ctx, const struct server_client *client)
{
	unsigned *n = ctx;

	cr_assert_neq(client->address, 0);
	if (*n == 5)
		return false;
	++*n;
	return true;
}

static bool count_all(void *ctx, const struct server_client *client)
{
	cr_assert_leq(client->address, 40);
	++*(unsigned *)ctx;
	return true;
}

Test(clients, a_walk_sees_everybody_once_and_can_be_stopped)
{
	struct crowd c = crowd_open(1000);
	uint32_t cursor = 0;
	unsigned n = 0;

	for (ip4 i = 1; i <= 40; i++)
		crowd_admit(&c, i, i * NS_PER_S);
	cr_assert(!server_clients_walk(c.table, &cursor, 100000, count_until, &n));
	cr_assert_eq(n, 5);
	while (!server_clients_walk(c.table, &cursor, 7, count_all, &n))
		;
	cr_assert_eq(n, 40);
	free(c.mem);
}

// What a hash does with what an enemy chooses: nobody's table is more than half empty.
Test(clients, a_full_table_holds_most_of_what_was_asked_for)
{
	struct crowd c = crowd_open(1024);
	uint32_t cursor = 0;
	unsigned n = 0;

	for (ip4 i = 1; i <= 1024; i++)
		crowd_admit(&c, 0x64400000 + i, i * NS_PER_MS);
	for (ip4 i = 1; i <= 1024; i++)
		n += server_client_find(c.table, REALM, 0x64400000 + i) != NULL;
	cr_assert_gt(n, 820);
	n = 0;
	while (!server_clients_walk(c.table, &cursor, 64, count_until, &n) && n < 5)
		;
	cr_assert_eq(n, 5);
	free(c.mem);
}

// RFC 6887 s.13.2: PREFER_FAILURE may be limited, for it finds out who has which port.
Test(clients, rfc6887_s13_2_failed_probes_are_limited_and_successes_are_not)
{
	struct server_client client = {0};
	struct pcp_message m = map_of(IP_TCP, 443, 3600);
	struct world w;

	world_open(&w);
	w.asker.client = &client;
	w.policy.probe_rate = 1;
	w.policy.probe_burst = 3;
	m.external_ip = ip6_mapped(FOREIGN_IP);
	m.external_port = 8443;
	for (unsigned i = 0; i < 3; i++)
		expect_answer(
			world_map_exactly(&w, &m), PCP_CANNOT_PROVIDE_EXTERNAL, PCP_ERROR_LONG_S);
	expect_answer(world_map_exactly(&w, &m), PCP_USER_EX_QUOTA, PCP_ERROR_SHORT_S);
	cr_assert_eq(w.counters.probes_refused, 1);
	expect_answer(world_map(&w, &m), PCP_SUCCESS, 3600); // who does not insist
	m.internal_port = 444;
	world_pass(&w, 1);
	m.external_ip = ip6_mapped(POOL_IP);
	for (unsigned i = 0; i < 10; i++) { // met, and renewed
		m.external_port = 9443;
		expect_answer(world_map_exactly(&w, &m), PCP_SUCCESS, 3600);
	}
	cr_assert_eq(w.counters.probes_refused, 1);
	world_close(&w);
}

// ---- where he is expected --------------------------------------------------------------------

// The next client after `address` who is expected at the same place.
static ip4 next_at(const struct crowd *c, const struct server_client *place, ip4 address)
{
	do
		address++;
	while (server_client_expect(c->table, REALM, address) != place);
	return address;
}

static struct server_client *crowd_admit_expected(struct crowd *c, ip4 address, ns now)
{
	struct server_client *client = server_client_expect(c->table, REALM, address);

	server_client_settle(c->table, client, REALM, address);
	client = server_client_meet(c->table, client, REALM, address);
	cr_assert(server_client_admit(c->table, &c->policy, REALM, address, now, &client));
	return client;
}

Test(clients, who_comes_first_stands_where_he_is_expected)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *expected = server_client_expect(c.table, REALM, CLIENT_IP);

	cr_assert_eq(expected->address, 0); // expecting makes nobody known
	cr_assert_null(server_client_find(c.table, REALM, CLIENT_IP));
	cr_assert_eq(crowd_admit_expected(&c, CLIENT_IP, NS_PER_S), expected);
	cr_assert_eq(server_client_find(c.table, REALM, CLIENT_IP), expected);
	cr_assert_eq(crowd_admit(&c, CLIENT_IP, NS_PER_S), expected);
	cr_assert_eq(expected->requests, 2);
	free(c.mem);
}

// In his place stands another: he is found elsewhere, and the other one's record stays his.
Test(clients, who_stands_elsewhere_is_not_taken_for_whom_he_was_expected_as)
{
	struct crowd c = crowd_open(CLIENTS);
	struct server_client *place = server_client_expect(c.table, REALM, CLIENT_IP), *second;
	ip4 other = next_at(&c, place, CLIENT_IP);

	cr_assert_eq(crowd_admit_expected(&c, CLIENT_IP, NS_PER_S), place);
	second = crowd_admit_expected(&c, other, 2 * NS_PER_S);
	cr_assert_neq(second, place);
	cr_assert(second->address == other && second->requests == 1 && second->seen_s == 2);
	cr_assert(place->address == CLIENT_IP && place->requests == 1 && place->seen_s == 1);
	cr_assert_eq(server_client_find(c.table, REALM, other), second);
	cr_assert_eq(server_client_meet(c.table, place, REALM, other), second);
	cr_assert_eq(crowd_admit_expected(&c, other, 3 * NS_PER_S), second);
	cr_assert_eq(crowd_admit(&c, other, 3 * NS_PER_S), second);
	cr_assert_eq(second->requests, 3);
	cr_assert_eq(server_client_guest(c.table, REALM, other, 4 * NS_PER_S), second);
	free(c.mem);
}

// One place, two realms.
Test(clients, the_same_address_in_another_realm_is_another_client)
{
	struct crowd c = crowd_open(1);
	struct server_client *here = crowd_admit(&c, CLIENT_IP, NS_PER_S), *there = here;

	cr_assert(server_client_admit(
		c.table, &c.policy, REALM + 1, CLIENT_IP, 2 * NS_PER_S, &there));
	cr_assert_neq(there, here);
	cr_assert(there->realm == REALM + 1 && there->requests == 1);
	cr_assert(here->realm == REALM && here->requests == 1);
	cr_assert_eq(server_client_find(c.table, REALM, CLIENT_IP), here);
	cr_assert_eq(server_client_find(c.table, REALM + 1, CLIENT_IP), there);
	free(c.mem);
}

// All of a burst are expected before the first is admitted, and he may push out another.
Test(clients, who_was_forgotten_since_he_was_expected_begins_anew)
{
	struct crowd c = crowd_open(1);
	struct server_client *place = server_client_expect(c.table, REALM, CLIENT_IP), *late;
	ip4 other = CLIENT_IP, last = CLIENT_IP;

	crowd_admit(&c, CLIENT_IP, NS_PER_S);
	for (unsigned i = 0; i < 7; i++) // the bucket is full
		crowd_admit(&c, last = next_at(&c, place, last), (10 + i) * NS_PER_S);
	late = server_client_expect(c.table, REALM, CLIENT_IP);
	cr_assert_eq(late, place);
	other = next_at(&c, place, last);
	cr_assert_eq(crowd_admit_expected(&c, other, 20 * NS_PER_S), place);
	cr_assert_null(server_client_find(c.table, REALM, CLIENT_IP));
	cr_assert(place->address == other && place->requests == 1);
	cr_assert(server_client_admit(c.table, &c.policy, REALM, CLIENT_IP, 20 * NS_PER_S, &late));
	cr_assert_neq(late, place);
	cr_assert(late->address == CLIENT_IP && late->requests == 1);
	cr_assert(place->address == other && place->requests == 1);
	free(c.mem);
}

// By chance, against a list: with and without expecting, nobody is ever taken for another, and who
// is known is known once.
Test(clients, nobody_is_ever_taken_for_another)
{
	struct crowd c = crowd_open(CLIENTS);
	uint32_t requests[400] = {0};
	struct rng r;

	rng_init_u64(&r, 8);
	for (unsigned i = 0; i < 40000; i++) {
		ip4 address = 1 + rng_below(&r, i % 1000 < 500 ? 30 : ARRAY_SIZE(requests));
		const struct server_client *known = server_client_find(c.table, REALM, address);
		const struct server_client *client =
			i % 3 ? crowd_admit_expected(&c, address, (1 + i) * NS_PER_MS)
			      : crowd_admit(&c, address, (1 + i) * NS_PER_MS);

		cr_assert_eq(client->address, address);
		cr_assert(known == NULL || known == client);
		requests[address - 1] = known == NULL ? 1 : requests[address - 1] + 1;
		cr_assert_eq(client->requests, requests[address - 1]);
		cr_assert_eq(server_client_find(c.table, REALM, address), client);
	}
	free(c.mem);
}

// A full bucket forgets somebody though there is room elsewhere; that is rare.
Test(clients, of_as_many_as_there_may_be_hardly_one_is_forgotten)
{
	enum {
		MANY = 10000
	};
	struct crowd c = crowd_open(MANY);
	unsigned known = 0;

	for (ip4 i = 1; i <= MANY; i++)
		crowd_admit(&c, i, NS_PER_S + i);
	for (ip4 i = 1; i <= MANY; i++)
		known += server_client_find(c.table, REALM, i) != NULL;
	cr_assert_gt(known, MANY - MANY / 80, "%u of %u are known", known, MANY);
	free(c.mem);
}
