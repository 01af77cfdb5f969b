// SPDX-License-Identifier: Apache-2.0
// Who asked, and how much: a table of buckets with eight places each. A client's bucket follows
// from a keyed hash; in a full bucket the newcomer takes the place of whoever was silent longest,
// of those first whose Epoch is not their own, because forgetting that one would turn his Epoch
// back. The keys of a bucket fill one cache line, so a look-up costs that line and the record's.
//
// Limits are the generic cell rate algorithm: one moment says when the client will have his whole
// burst again. Every request moves it on by 1/rate; a client is over his rate when it would lie
// further ahead than the burst takes to come back.
#include "judge.h"

enum {
	PLACES = 8,
	LEASES_A_REQUEST = 64 // looked at, they cost about as much as a request
};

struct bucket {
	uint64_t keys[PLACES]; // 0: free
	struct server_client clients[PLACES];
};

static_assert(sizeof(struct bucket) % CACHE_LINE == 0, "buckets begin on a line");

struct server_clients {
	_Alignas(CACHE_LINE) struct secret secret;
	uint32_t n_buckets;
	_Alignas(CACHE_LINE) struct bucket buckets[];
};

static uint32_t buckets_for(uint32_t clients)
{
	uint32_t n = clients / PLACES + (clients % PLACES != 0);

	return n > 0 ? n : 1;
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

static struct bucket *bucket_of(const struct server_clients *t, uint64_t key)
{
	uint32_t at = hash_range(hash_u64(key, &t->secret), t->n_buckets);

	return (struct bucket *)&t->buckets[at];
}

static struct server_client *find_in(struct bucket *b, uint64_t key)
{
	for (unsigned i = 0; i < PLACES; i++)
		if (b->keys[i] == key)
			return &b->clients[i];
	return NULL;
}

struct server_client *server_client_find(const struct server_clients *t, uint8_t realm, ip4 address)
{
	uint64_t key = key_of(realm, address);

	return find_in(bucket_of(t, key), key);
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

static unsigned place_in(const struct bucket *b, uint32_t now_s)
{
	unsigned best = 0;

	for (unsigned i = 0; i < PLACES; i++) {
		if (b->keys[i] == 0)
			return i;
		if (is_cheaper(&b->clients[i], &b->clients[best], now_s))
			best = i;
	}
	return best;
}

static struct server_client *find_or_make(
	struct server_clients *t, uint8_t realm, ip4 address, uint32_t now_s)
{
	uint64_t key = key_of(realm, address);
	struct bucket *b = bucket_of(t, key);
	struct server_client *client = find_in(b, key);
	unsigned i;

	if (client != NULL)
		return client;
	i = place_in(b, now_s);
	b->keys[i] = key;
	b->clients[i] = (struct server_client){.address = address, .realm = realm};
	return &b->clients[i];
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
	struct server_client *client = find_or_make(t, realm, address, now_s);

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

		if (b->keys[i] != 0 && !see(ctx, &b->clients[i]))
			return false;
	}
	return *cursor >= end;
}
