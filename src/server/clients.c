// SPDX-License-Identifier: Apache-2.0
// Who asked, and how much: a table of buckets with eight places each. A client's bucket follows
// from a keyed hash, and so does the place in it where he stands if it was free when he came: one
// cache line tells. The keys of a bucket fill another, for those who stand elsewhere. Half of the
// places stay free: then most stand where they are looked for first, and of 120 clients one finds
// his bucket full; with no place to spare one in seven did. In a full bucket the newcomer takes the
// place of whoever was silent longest, of those first whose Epoch is not their own, because
// forgetting that one would turn his Epoch back.
//
// Limits are the generic cell rate algorithm: one moment says when the client will have his whole
// burst again. Every request moves it on by 1/rate; a client is over his rate when it would lie
// further ahead than the burst takes to come back.
#include "judge.h"

enum {
	PLACES = 8,
	LEASES_A_REQUEST = 64 // looked at, they cost about as much as a request
};

struct place {
	_Alignas(CACHE_LINE) struct server_client client;
};

static_assert(sizeof(struct place) == CACHE_LINE, "one line a client");

struct bucket {
	_Alignas(CACHE_LINE) uint64_t keys[PLACES]; // 0: free
	struct place places[PLACES];
};

static_assert(sizeof(struct bucket) == 9 * CACHE_LINE, "the keys' line and eight others");

struct server_clients {
	_Alignas(CACHE_LINE) struct secret secret;
	uint32_t n_buckets;
	_Alignas(CACHE_LINE) struct bucket buckets[];
};

static uint32_t buckets_for(uint32_t clients)
{
	return clients / (PLACES / 2) + 1;
}

size_t server_clients_size(uint32_t clients)
{
	return sizeof(struct server_clients) + buckets_for(clients) * sizeof(struct bucket);
}

struct server_clients *server_clients_init(void *mem, uint32_t clients, const struct rng *seed)
{
	struct server_clients *t = mem;
	struct rng r = *seed;

	memset(mem, 0, server_clients_size(clients));
	t->secret = rng_secret(&r);
	t->n_buckets = buckets_for(clients);
	return t;
}

static uint64_t key_of(uint8_t realm, ip4 address)
{
	return (uint64_t)1 << 40 | (uint64_t)realm << 32 | address;
}

struct home { // where a client is looked for first
	struct bucket *bucket;
	unsigned place;
};

static struct home home_of(const struct server_clients *t, uint64_t key)
{
	uint64_t hash = hash_u64(key, &t->secret);

	return (struct home){(struct bucket *)&t->buckets[hash_range(hash, t->n_buckets)],
		(unsigned)hash % PLACES};
}

// A free place has the address 0, which no source has.
static bool is_he(const struct server_client *c, uint8_t realm, ip4 address)
{
	return c->address == address && c->realm == realm;
}

static struct server_client *find_in(const struct home *h, uint64_t key, uint8_t realm, ip4 address)
{
	struct bucket *b = h->bucket;

	if (likely(is_he(&b->places[h->place].client, realm, address)))
		return &b->places[h->place].client;
	for (unsigned i = 0; i < PLACES; i++)
		if (b->keys[i] == key)
			return &b->places[i].client;
	return NULL;
}

struct server_client *server_client_find(const struct server_clients *t, uint8_t realm, ip4 address)
{
	uint64_t key = key_of(realm, address);
	struct home h = home_of(t, key);

	return find_in(&h, key, realm, address);
}

struct server_client *server_client_expect(
	const struct server_clients *t, uint8_t realm, ip4 address)
{
	struct home h = home_of(t, key_of(realm, address));
	struct server_client *expected = &h.bucket->places[h.place].client;

	prefetch_write(expected);
	return expected;
}

void server_client_settle(const struct server_clients *t, const struct server_client *expected,
	uint8_t realm, ip4 address)
{
	if (unlikely(!is_he(expected, realm, address)))
		prefetch_read(home_of(t, key_of(realm, address)).bucket->keys);
}

struct server_client *server_client_meet(
	const struct server_clients *t, struct server_client *expected, uint8_t realm, ip4 address)
{
	struct server_client *client = expected;

	if (unlikely(!is_he(expected, realm, address)))
		client = server_client_find(t, realm, address);
	if (client == NULL)
		return expected;
	if (client != expected)
		prefetch_write(client);
	return client;
}

// What forgetting him would cost: an Epoch that turns back, a client who is not told of his loss.
static unsigned worth(const struct server_client *c, uint32_t now_s)
{
	return (c->epoch_base_s != 0) * 2u + (c->holds_until_s > now_s);
}

// Whether a is the better one to forget.
static bool is_cheaper(const struct server_client *a, const struct server_client *b, uint32_t now_s)
{
	unsigned a_worth = worth(a, now_s), b_worth = worth(b, now_s);

	return a_worth != b_worth ? a_worth < b_worth : a->seen_s < b->seen_s;
}

static unsigned place_in(const struct home *h, uint32_t now_s)
{
	const struct bucket *b = h->bucket;
	unsigned best = h->place;

	if (b->keys[best] == 0)
		return best;
	for (unsigned i = 0; i < PLACES; i++) {
		if (b->keys[i] == 0)
			return i;
		if (is_cheaper(&b->places[i].client, &b->places[best].client, now_s))
			best = i;
	}
	return best;
}

static struct server_client *find_or_make(
	struct server_clients *t, uint8_t realm, ip4 address, uint32_t now_s)
{
	uint64_t key = key_of(realm, address);
	struct home h = home_of(t, key);
	struct server_client *client = find_in(&h, key, realm, address);
	unsigned i;

	if (likely(client != NULL))
		return client;
	i = place_in(&h, now_s);
	client = &h.bucket->places[i].client;
	h.bucket->keys[i] = key;
	*client = (struct server_client){.address = address, .realm = realm};
	return client;
}

// ---- limits ----------------------------------------------------------------------------------

static bool rate_allows(ns full, uint32_t rate, uint32_t burst, ns now)
{
	ns interval = rate > 0 ? NS_PER_S / rate : 0;
	ns ahead = full > now ? full - now : 0;

	return rate == 0 || ahead + interval <= interval * (burst > 0 ? burst : 1);
}

static void rate_charge(ns *full, uint32_t rate, ns now)
{
	if (rate > 0)
		*full = (*full > now ? *full : now) + NS_PER_S / rate;
}

struct server_client *server_client_guest(
	struct server_clients *t, uint8_t realm, ip4 address, ns now)
{
	uint32_t now_s = (uint32_t)(now / NS_PER_S);
	struct server_client *client = find_or_make(t, realm, address, now_s);

	client->guest = client->requests == 0;
	client->seen_s = now_s;
	return client;
}

bool server_client_admit(struct server_clients *t, const struct server_policy *policy,
	uint8_t realm, ip4 address, ns now, struct server_client **out)
{
	uint32_t now_s = (uint32_t)(now / NS_PER_S);
	struct server_client *client = *out;

	if (client == NULL || unlikely(!is_he(client, realm, address)))
		client = find_or_make(t, realm, address, now_s);
	*out = client;
	client->guest = false;
	client->requests++;
	client->seen_s = now_s;
	if (!rate_allows(client->request_full, policy->request_rate, policy->request_burst, now)) {
		client->refused++;
		return false;
	}
	rate_charge(&client->request_full, policy->request_rate, now);
	return true;
}

// For work that grows with what the client holds.
void work_charge(const struct question *q, uint32_t leases)
{
	struct server_client *client = q->asker->client;

	for (uint32_t n = leases / LEASES_A_REQUEST; client != NULL && n > 0; n--)
		rate_charge(&client->request_full, q->policy->request_rate, q->now_s * NS_PER_S);
}

bool probe_is_allowed(const struct question *q)
{
	const struct server_client *client = q->asker->client;

	return client == NULL || rate_allows(client->probe_full, q->policy->probe_rate,
					 q->policy->probe_burst, q->now_s * NS_PER_S);
}

void probe_charge(const struct question *q)
{
	if (q->asker->client != NULL)
		rate_charge(
			&q->asker->client->probe_full, q->policy->probe_rate, q->now_s * NS_PER_S);
}

// ---- walk ------------------------------------------------------------------------------------

bool server_clients_walk(const struct server_clients *t, uint32_t *cursor, uint32_t budget,
	bool (*see)(void *ctx, const struct server_client *client), void *ctx)
{
	uint64_t end = (uint64_t)t->n_buckets * PLACES;

	for (; budget > 0 && *cursor < end; budget--, (*cursor)++) {
		const struct bucket *b = &t->buckets[*cursor / PLACES];
		unsigned i = *cursor % PLACES;

		if (b->keys[i] != 0 && !see(ctx, &b->places[i].client))
			return false;
	}
	return *cursor >= end;
}
