// SPDX-License-Identifier: Apache-2.0
// Sessions: one mapping and one remote endpoint (RFC 6146 s.3.1). TCP has one for each connection,
// UDP and ICMP for each peer that ADF or APDF lets in.
//
// They stand in one hash table. The anchor of a mapping's ring is found by the external endpoint
// alone: most connections have a mapping to themselves, and take one look. A ring has a number of
// its own, so that when its mapping ends it can be forgotten at once, however long it is: the
// anchor becomes a grave, nobody finds the others any more, and they are freed by and by.
//
// Under ADF a TCP session also holds a permit, the record of an address that was sent to, which is
// there as long as one of the sessions to it. Permits are in no ring.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum {
	END_AT_ONCE = 4,
	STEP_FREED = 64,
	LIVES_LOOKED_AT = 32
};

static inline struct session *at(const struct nat *n, uint32_t index)
{
	return &n->sessions[index - 1];
}

static inline uint64_t hash_of(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return hash_u64((uint64_t)protocol << 32 | ext, &n->secret);
}

static inline uint32_t *head_of(const struct nat *n, uint64_t hash)
{
	return &n->session_heads[(uint32_t)hash & n->session_mask];
}

static uint32_t *head_with(const struct nat *n, uint64_t hash, struct recipe remote)
{
	return head_of(n, hash_u64(hash ^ ((uint64_t)remote.addr << 16 | remote.port), &n->secret));
}

// ---- finding ---------------------------------------------------------------------------------

static inline uint32_t anchor_hashed(
	const struct nat *n, uint64_t hash, uint8_t protocol, uint32_t ext)
{
	uint32_t i = *head_of(n, hash);

	for (; i != 0; i = at(n, i)->chain) {
		const struct session *x = at(n, i);
		if (x->anchor && x->ext == ext && x->protocol == protocol)
			return i - 1;
	}
	return NO_SESSION;
}

uint32_t *session_head(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return head_of(n, hash_of(n, protocol, ext));
}

uint32_t session_anchor(const struct nat *n, uint8_t protocol, uint32_t ext)
{
	return anchor_hashed(n, hash_of(n, protocol, ext), protocol, ext);
}

// Where the entry is at hand: most mappings without sessions need no look into their table.
static uint32_t anchor_on(const struct nat *n, const struct slot *s)
{
	uint8_t protocol = s->bits & SLOT_PROTOCOL;

	if (!(entry_at(n, protocol, s->ext)->bits & EXT_SESSIONS))
		return NO_SESSION;
	return session_anchor(n, protocol, s->ext);
}

// One of a ring that is not its anchor, or one of its permits.
static uint32_t find_in_ring(const struct nat *n, uint64_t hash, const struct session *anchor,
	struct recipe remote, bool permit)
{
	uint32_t i = *head_with(n, hash, remote);

	for (; i != 0; i = at(n, i)->chain) {
		const struct session *x = at(n, i);
		if (x->ring == anchor->ring && x->remote == remote.addr &&
			x->remote_port == remote.port && !x->anchor &&
			(x->state == SESSION_PERMIT) == permit)
			return i - 1;
	}
	return NO_SESSION;
}

uint32_t session_find(const struct nat *n, uint8_t protocol, uint32_t ext, struct recipe remote)
{
	uint64_t hash = hash_of(n, protocol, ext);
	uint32_t a = anchor_hashed(n, hash, protocol, ext);
	const struct session *anchor = &n->sessions[a];

	if (a == NO_SESSION ||
		(anchor->remote == remote.addr && anchor->remote_port == remote.port))
		return a;
	return find_in_ring(n, hash, anchor, remote, false);
}

bool session_permitted(const struct nat *n, uint8_t protocol, uint32_t ext, ip4 remote)
{
	uint64_t hash = hash_of(n, protocol, ext);
	uint32_t a = anchor_hashed(n, hash, protocol, ext);

	return a != NO_SESSION && find_in_ring(n, hash, &n->sessions[a], (struct recipe){remote, 0},
					  true) != NO_SESSION;
}

// ---- time ------------------------------------------------------------------------------------

uint32_t session_open_timeout(const struct nat *n, const struct session *x)
{
	if (x->protocol == NAT_ICMP)
		return n->timeout[NAT_ICMP];
	return x->mark ? n->timers.udp : n->timers.udp_initial;
}

uint32_t session_slot(const struct nat *n, const struct session *x)
{
	const struct entry *e = entry_at(n, x->protocol, x->ext);
	struct nat_key key = {e->host, e->port, e->realm, x->protocol};

	return slot_find(n, &key);
}

// While nobody looks at a mapping's only plain connection its slot keeps its time.
uint32_t session_idle_s(const struct nat *n, const struct session *x, uint32_t now_s)
{
	uint32_t idle = session_own_idle_s(x, now_s);
	const struct slot *s;

	if (!session_is_plain(x))
		return idle;
	s = slot_at(n, session_slot(n, x));
	return s->bits & SLOT_VISIT ? idle : min_u32(idle, slot_idle_s(s, now_s));
}

// Those that only outsiders take part in keep nothing alive.
enum keeping sessions_keep(const struct nat *n, uint32_t slot, uint32_t now_s, uint32_t *left_s)
{
	const struct slot *s = slot_at(n, slot);
	uint32_t i = anchor_on(n, s), kept;
	enum keeping keeping = KEPT_BY_NONE;

	if (i == NO_SESSION)
		return KEPT_BY_NONE;
	kept = (uint32_t)n->sessions[i].n_ring - n->sessions[i].n_begun;
	*left_s = 0;
	for (uint32_t k = min_u32(kept, LIVES_LOOKED_AT); k > 0; k--) {
		const struct session *x = &n->sessions[i];
		uint32_t idle = session_idle_s(n, x, now_s), timeout = session_timeout(n, x);

		if (keeping != KEPT)
			keeping = idle <= timeout ? KEPT : KEPT_NO_MORE;
		if (idle <= timeout)
			*left_s = max_u32(*left_s, timeout - idle);
		i = x->next - 1;
	}
	if (keeping == KEPT_NO_MORE && kept > LIVES_LOOKED_AT)
		return KEPT; // the sweep will see
	return keeping;
}

// ---- records ---------------------------------------------------------------------------------

// The sweep's round is one group longer now.
static void begin_group(struct nat *n, uint32_t group)
{
	n->session_due[group] = UINT32_MAX;
	n->session_unsure += n->session_unsure > 0;
}

static uint32_t record_get(struct nat *n)
{
	uint32_t i = n->session_free;

	if (i != 0) {
		n->session_free = at(n, i)->chain;
		if (n->session_free != 0)
			prefetch_write(at(n, n->session_free)); // tells the next
	} else if (n->session_high < n->limits.sessions) {
		if (n->session_high % SESSION_GROUP == 0)
			begin_group(n, n->session_high / SESSION_GROUP);
		i = ++n->session_high;
	} else {
		return NO_SESSION;
	}
	n->session_used++;
	return i - 1;
}

static void record_put(struct nat *n, uint32_t i)
{
	n->sessions[i] = (struct session){.chain = n->session_free};
	n->session_free = i + 1;
	n->session_used--;
}

static uint32_t *home_of(const struct nat *n, const struct session *x)
{
	uint64_t hash = hash_of(n, x->protocol, x->ext);

	return x->anchor ? head_of(n, hash) : head_with(n, hash, session_remote(x));
}

static void chain_in(struct nat *n, uint32_t i)
{
	uint32_t *head = home_of(n, &n->sessions[i]);

	n->sessions[i].chain = *head;
	*head = i + 1;
}

static void chain_out(struct nat *n, uint32_t i)
{
	uint32_t *link = home_of(n, &n->sessions[i]);

	while (*link != i + 1)
		link = &at(n, *link)->chain;
	*link = n->sessions[i].chain;
}

static void ring_insert(struct nat *n, uint32_t i, uint32_t before)
{
	struct session *x = &n->sessions[i], *next = &n->sessions[before];

	x->next = before + 1;
	x->prev = next->prev;
	at(n, x->prev)->next = i + 1;
	next->prev = i + 1;
}

static void ring_remove(struct nat *n, uint32_t i)
{
	const struct session *x = &n->sessions[i];

	at(n, x->next)->prev = x->prev;
	at(n, x->prev)->next = x->next;
}

static void make_anchor(struct nat *n, uint32_t i, uint16_t n_ring, uint8_t n_begun)
{
	struct session *x = &n->sessions[i];

	chain_out(n, i);
	x->anchor = 1;
	x->n_ring = n_ring;
	x->n_begun = n_begun;
	chain_in(n, i);
}

static void hand_over(struct nat *n, uint32_t from, uint32_t to)
{
	struct session *x = &n->sessions[from];

	chain_out(n, from);
	x->anchor = 0;
	chain_in(n, from);
	make_anchor(n, to, x->n_ring, x->n_begun);
}

// Into the ring of an anchor that counts it already: those that the inside takes part in stand
// first, and the anchor is one of them if there is any.
static void take_place(struct nat *n, uint32_t i, uint32_t anchor)
{
	const struct session *a = &n->sessions[anchor];
	bool begun = n->sessions[i].state == NAT_E_INIT;

	if (begun || a->state == NAT_E_INIT)
		ring_insert(n, i, anchor);
	else
		ring_insert(n, i, a->next - 1);
	if (!begun && a->state == NAT_E_INIT)
		hand_over(n, anchor, i);
}

// ---- permits ---------------------------------------------------------------------------------

static uint32_t permit_find(const struct nat *n, const struct session *x)
{
	struct recipe any_port = {x->remote, 0};

	return find_in_ring(n, hash_of(n, x->protocol, x->ext), x, any_port, true);
}

void session_permit(struct nat *n, uint32_t session)
{
	struct session *x = &n->sessions[session], *permit;
	uint32_t i = permit_find(n, x);

	if (i == NO_SESSION) {
		i = record_get(n);
		if (i == NO_SESSION)
			return; // its own packets come in all the same
		n->sessions[i] = (struct session){.ring = x->ring,
			.ext = x->ext,
			.remote = x->remote,
			.protocol = x->protocol,
			.state = SESSION_PERMIT};
		chain_in(n, i);
	}
	permit = &n->sessions[i];
	if (permit->n_ring == UINT16_MAX)
		return;
	permit->n_ring++;
	x->mark = 1;
}

static void permit_release(struct nat *n, const struct session *x)
{
	uint32_t i;

	if (x->protocol != NAT_TCP || !x->mark)
		return;
	i = permit_find(n, x);
	if (--n->sessions[i].n_ring > 0)
		return;
	chain_out(n, i);
	record_put(n, i);
}

// ---- beginning -------------------------------------------------------------------------------

static void tell(struct nat *n, const struct session *x, const struct nat_key *key, uint8_t kind)
{
	uint8_t group = n->addresses[x->ext >> 16].group;

	if (likely(!n->policies[group].log_sessions))
		return;
	*event_new(n) = (struct nat_event){.kind = kind,
		.group = group,
		.key = *key,
		.external = ext_recipe(n, x->ext),
		.remote = session_remote(x)};
}

// Who is charged for them. A static mapping may lie in a block of somebody else.
static uint32_t owner_of(const struct nat *n, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);
	uint32_t i = subscriber_of(n, slot);

	if (likely(i != NO_SUBSCRIBER && n->subscribers[i].host == s->host &&
		    n->subscribers[i].realm == s->realm))
		return i;
	return subscriber_find(n, s->realm, s->host);
}

static void count(struct nat *n, uint32_t ext, uint32_t owner, uint32_t change)
{
	n->counters.sessions += (int32_t)change;
	n->group_counters[n->addresses[ext >> 16].group].total_sessions += (int32_t)change;
	if (owner != NO_SUBSCRIBER)
		n->subscribers[owner].n_sessions += change;
}

static uint32_t share(uint32_t limit, bool begun_outside)
{
	return begun_outside ? limit / 4 * 3 : limit;
}

enum drop sessions_room(const struct nat *n, const struct nat_policy *policy, uint32_t subscriber,
	uint8_t protocol, bool begun_outside)
{
	uint32_t records = protocol == NAT_TCP && policy->filtering[1] == NAT_ADF ? 2 : 1;
	uint32_t limit = share(policy->session_limit, begun_outside);

	if (n->session_used + records > share(n->limits.sessions, begun_outside))
		return DROP_SESSIONS_FULL;
	if (policy->session_limit != 0 && subscriber != NO_SUBSCRIBER &&
		n->subscribers[subscriber].n_sessions >= limit)
		return DROP_QUOTA_SESSIONS;
	return DROP_NONE;
}

static bool ring_has_room(const struct session *anchor, uint8_t state)
{
	return anchor->n_ring < UINT16_MAX && (state != NAT_E_INIT || anchor->n_begun < UINT8_MAX);
}

static void join(struct nat *n, uint32_t i, uint32_t anchor)
{
	struct session *x = &n->sessions[i], *a = &n->sessions[anchor];

	x->ring = a->ring;
	a->n_ring++;
	a->n_begun = (uint8_t)(a->n_begun + (x->state == NAT_E_INIT));
	chain_in(n, i);
	take_place(n, i, anchor);
}

static void found(struct nat *n, uint32_t i)
{
	struct session *x = &n->sessions[i];

	x->ring = ++n->session_rings;
	x->next = x->prev = i + 1;
	x->anchor = 1;
	x->n_ring = 1;
	x->n_begun = x->state == NAT_E_INIT;
	chain_in(n, i);
	entry_at(n, x->protocol, x->ext)->bits |= EXT_SESSIONS;
}

enum drop session_open(
	struct nat *n, uint32_t slot, struct recipe remote, uint8_t state, uint32_t now_s)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	uint32_t anchor = anchor_on(n, s), owner = owner_of(n, slot), i;
	enum drop why =
		sessions_room(n, policy_on(n, s->ext), owner, key.protocol, state == NAT_E_INIT);

	if (why != DROP_NONE)
		return why;
	if (anchor != NO_SESSION && !ring_has_room(&n->sessions[anchor], state))
		return DROP_SESSIONS_FULL;
	i = record_get(n);
	n->sessions[i] = (struct session){.ext = s->ext,
		.remote = remote.addr,
		.remote_port = remote.port,
		.tick = (uint16_t)now_s,
		.protocol = key.protocol & 3u,
		.state = state & 15u};
	if (anchor != NO_SESSION)
		join(n, i, anchor);
	else
		found(n, i);
	session_await(n, i, now_s);
	count(n, s->ext, owner, 1);
	n->counters.sessions_created++;
	tell(n, &n->sessions[i], &key, NAT_EVENT_SESSION_CREATED);
	return DROP_NONE;
}

void session_set_state(struct nat *n, uint32_t session, uint8_t state)
{
	struct session *x = &n->sessions[session];
	bool answered = x->state == NAT_E_INIT && state != NAT_E_INIT;
	uint32_t anchor;

	x->state = state & 15u;
	if (!answered)
		return;
	anchor = session_anchor(n, x->protocol, x->ext);
	n->sessions[anchor].n_begun--;
	if (anchor == session)
		return;
	ring_remove(n, session);
	take_place(n, session, anchor);
}

// ---- ending ----------------------------------------------------------------------------------

static void release(struct nat *n, uint32_t i, const struct nat_key *key)
{
	tell(n, &n->sessions[i], key, NAT_EVENT_SESSION_DELETED);
	permit_release(n, &n->sessions[i]);
	chain_out(n, i);
	record_put(n, i);
}

static void leave(struct nat *n, uint32_t i)
{
	struct session *x = &n->sessions[i];
	struct session *a = x->anchor ? x : &n->sessions[session_anchor(n, x->protocol, x->ext)];

	a->n_ring--;
	a->n_begun = (uint8_t)(a->n_begun - (x->state == NAT_E_INIT));
	if (a->n_ring == 0) {
		entry_at(n, x->protocol, x->ext)->bits &= (uint8_t)~EXT_SESSIONS;
		return;
	}
	if (x->anchor)
		hand_over(n, i, x->next - 1);
	ring_remove(n, i);
}

// The last session that kept a mapping is gone. One that has connections without a record goes on
// by its class.
static void dry(struct slot *s)
{
	if (s->hangs & HANGS_LOOSE)
		return;
	s->bits = (uint8_t)(s->bits & ~(SLOT_CLASS | SLOT_SEEN)); // CLASS_OPEN
}

bool sessions_kept(const struct nat *n, const struct slot *s)
{
	uint32_t a = anchor_on(n, s);

	return a != NO_SESSION && n->sessions[a].state != NAT_E_INIT;
}

void session_end(struct nat *n, uint32_t session, uint32_t slot)
{
	struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	bool kept = n->sessions[session].state != NAT_E_INIT;

	count(n, s->ext, owner_of(n, slot), (uint32_t)-1);
	leave(n, session);
	release(n, session, &key);
	if (kept && key.protocol == NAT_TCP && !sessions_kept(n, s))
		dry(s);
}

// What is left of the anchor keeps whose sessions they were.
static void bury(struct nat *n, uint32_t anchor, const struct nat_key *key)
{
	struct session *x = &n->sessions[anchor];

	tell(n, x, key, NAT_EVENT_SESSION_DELETED);
	permit_release(n, x);
	chain_out(n, anchor);
	x->state = SESSION_GRAVE;
	x->anchor = x->mark = 0;
	x->remote = key->host;
	x->remote_port = key->port;
	x->n_begun = key->realm;
	x->chain = n->graves;
	n->graves = anchor + 1;
}

void sessions_end_all(struct nat *n, uint32_t slot)
{
	const struct slot *s = slot_at(n, slot);
	struct nat_key key = slot_key(s);
	struct entry *e = entry_at(n, key.protocol, s->ext);
	uint32_t i, n_ring;

	e->bits &= (uint8_t)~EXT_SESSIONS;
	i = session_anchor(n, key.protocol, s->ext);
	n_ring = n->sessions[i].n_ring;
	if (key.protocol == NAT_TCP && n->sessions[i].state != NAT_E_INIT)
		dry(slot_at(n, slot)); // a moved mapping lives on
	count(n, s->ext, owner_of(n, slot), (uint32_t) - (int32_t)n_ring);
	if (n_ring > END_AT_ONCE) {
		bury(n, i, &key);
		return;
	}
	for (; n_ring > 0; n_ring--) {
		uint32_t next = n->sessions[i].next - 1;
		release(n, i, &key);
		i = next;
	}
}

bool step_graves(struct nat *n)
{
	for (unsigned budget = STEP_FREED; budget > 0 && n->graves != 0; budget--) {
		uint32_t i = n->graves - 1, next;
		const struct session *x = &n->sessions[i];
		struct nat_key key = {x->remote, x->remote_port, x->n_begun, x->protocol};

		next = x->next - 1;
		if (next == i) {
			n->graves = x->chain;
			record_put(n, i);
			continue;
		}
		ring_remove(n, next);
		release(n, next, &key);
	}
	return n->graves != 0;
}
