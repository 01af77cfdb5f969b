// SPDX-License-Identifier: Apache-2.0
// Sessions in the book: a list of flows, and what packets do to them by RFC 6146, RFC 4787 and
// RFC 7857. Flows that are over stay in the list until the tables have swept them away too.
#include "book.h"

// ---- looks -----------------------------------------------------------------------------------

struct flow *book_find_flow(struct book *b, struct nat_key key, struct recipe remote)
{
	for (uint32_t i = 0; i < b->n_flows; i++) {
		if (key_eq(b->flows[i].key, key) && recipe_eq(b->flows[i].remote, remote))
			return &b->flows[i];
	}
	return NULL;
}

uint32_t book_count_flows(const struct book *b, ip4 host)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < b->n_flows; i++)
		count += host == 0 || b->flows[i].key.host == host;
	return count;
}

// The operator's static mappings may lie on any group's address.
unsigned book_group(const struct book *b, struct nat_key key)
{
	for (unsigned i = 0; i < ARRAY_SIZE(b->statics); i++) {
		if (key_eq(b->statics[i].key, key))
			return group_of(b->statics[i].at.addr);
	}
	return group_of(key.host);
}

static const struct nat_policy *policy_of(const struct book *b, struct nat_key key)
{
	return &b->policy[book_group(b, key)];
}

static enum nat_filtering filtering_of(const struct book *b, struct nat_key key)
{
	return policy_of(b, key)->filtering[key.protocol - 1];
}

uint32_t book_flow_timeout(const struct book *b, const struct flow *f)
{
	const struct nat_timers *t = &b->timers;
	const uint32_t seconds[NAT_STATES] = {[NAT_I_INIT] = t->tcp_trans_open,
		[NAT_E_INIT] = t->tcp_trans_open,
		[NAT_ESTABLISHED] = t->tcp_idle,
		[NAT_I_FIN] = t->tcp_idle,
		[NAT_E_FIN] = t->tcp_idle,
		[NAT_BOTH_FIN] = t->tcp_trans_close,
		[NAT_TRANS] = t->tcp_rst,
		[NAT_OPEN] = f->key.protocol == NAT_ICMP ? t->icmp
			     : f->mark                   ? t->udp
							 : t->udp_initial};

	return seconds[f->state];
}

// Open both ways, or half closed.
static bool is_plain(enum nat_state state)
{
	return state == NAT_ESTABLISHED || state == NAT_I_FIN || state == NAT_E_FIN;
}

// Data of a mapping's only plain connection is not looked at: any packet from inside counts.
uint32_t book_flow_idle_s(struct book *b, const struct flow *f)
{
	const struct mapping *m = book_find(b, f->key);
	uint32_t idle = b->now_s - f->at_s;

	if (m != NULL && m->plain && is_plain(f->state))
		idle = min_u32(idle, b->now_s - m->sent_s);
	return idle;
}

bool book_flow_is_over(struct book *b, const struct flow *f)
{
	return book_flow_idle_s(b, f) > book_flow_timeout(b, f);
}

uint32_t book_flow_left_s(struct book *b, const struct flow *f)
{
	return book_flow_timeout(b, f) - book_flow_idle_s(b, f);
}

static bool is_kept(const struct flow *f)
{
	return f->key.protocol == NAT_TCP && f->state != NAT_E_INIT;
}

struct kept { // TCP connections that the inside takes part in
	uint32_t all, living, left_s;
};

static struct kept count_kept(struct book *b, struct nat_key key)
{
	struct kept kept = {0, 0, 0};

	for (uint32_t i = 0; i < b->n_flows; i++) {
		const struct flow *f = &b->flows[i];
		if (!key_eq(f->key, key) || !is_kept(f))
			continue;
		kept.all++;
		if (book_flow_is_over(b, f))
			continue;
		kept.living++;
		kept.left_s = max_u32(kept.left_s, book_flow_left_s(b, f));
	}
	return kept;
}

bool book_traffic_left(struct book *b, const struct mapping *m, uint32_t *left_s)
{
	struct kept kept = count_kept(b, m->key);
	uint32_t timeout = book_idle_timeout(b, m);

	if (kept.living > 0) {
		*left_s = kept.left_s;
		return true;
	}
	if (m->sent_s == 0 || b->now_s - m->sent_s > timeout || (kept.all > 0 && !m->loose))
		return false;
	*left_s = timeout - (b->now_s - m->sent_s);
	return true;
}

bool book_is_kept(struct book *b, struct nat_key key)
{
	return count_kept(b, key).all > 0;
}

// A connection of this PEER lease that was closed, and is over.
bool book_flow_closed(struct book *b, struct nat_key key, struct recipe remote)
{
	const struct flow *f = book_find_flow(b, key, remote);

	return f != NULL && (f->state == NAT_BOTH_FIN || f->state == NAT_TRANS) &&
	       book_flow_is_over(b, f);
}

// ---- the list --------------------------------------------------------------------------------

static bool has_permit(const struct book *b, struct nat_key key, ip4 remote)
{
	for (uint32_t i = 0; i < b->n_flows; i++) {
		const struct flow *f = &b->flows[i];
		if (key.protocol == NAT_TCP && key_eq(f->key, key) && f->mark &&
			f->remote.addr == remote)
			return true;
	}
	return false;
}

static void remove_flow(struct book *b, struct flow *f)
{
	struct flow gone = *f;

	*f = b->flows[--b->n_flows];
	b->used--;
	if (gone.key.protocol == NAT_TCP && gone.mark && !has_permit(b, gone.key, gone.remote.addr))
		b->used--;
}

void book_end_flows(struct book *b, struct nat_key key)
{
	for (uint32_t i = b->n_flows; i > 0; i--) {
		if (key_eq(b->flows[i - 1].key, key))
			remove_flow(b, &b->flows[i - 1]);
	}
}

// Only what outsiders began is left on it, or nothing.
static void dry(struct book *b, struct mapping *m)
{
	if (m == NULL || m->key.protocol != NAT_TCP || m->loose || count_kept(b, m->key).all > 0)
		return;
	m->sent_s = 0;
	m->dry_s = b->now_s;
	m->tcp = OPENING;
}

void book_move_flows(struct book *b, struct mapping *m)
{
	bool kept = count_kept(b, m->key).all > 0;

	book_end_flows(b, m->key);
	m->plain = false;
	if (kept)
		dry(b, m);
}

void book_expire_flow(struct book *b, struct mapping *m, struct flow *f)
{
	bool kept = is_kept(f);

	TRUTH(b, book_flow_is_over(b, f), "port %u", f->remote.port);
	remove_flow(b, f);
	b->flows_expired++;
	if (kept)
		dry(b, m);
}

static struct flow *only_kept(struct book *b, struct nat_key key)
{
	for (uint32_t i = 0; i < b->n_flows; i++) {
		if (key_eq(b->flows[i].key, key) && is_kept(&b->flows[i]))
			return &b->flows[i];
	}
	return NULL;
}

// Whose clock counts changes with what is looked at.
void book_update_plain(struct book *b, struct mapping *m)
{
	struct flow *f =
		m->plain ? book_find_flow(b, m->key, m->plain_remote) : only_kept(b, m->key);
	bool plain = count_kept(b, m->key).all == 1 && is_plain(only_kept(b, m->key)->state) &&
		     !m->loose && filtering_of(b, m->key) == NAT_EIF;

	if (plain == m->plain)
		return;
	m->plain = plain;
	if (plain) {
		m->plain_remote = f->remote;
		m->sent_s = f->at_s;
	} else if (f != NULL && is_plain(f->state)) {
		f->at_s = m->sent_s;
	}
}

// ---- room ------------------------------------------------------------------------------------

enum drop book_room(const struct book *b, struct nat_key key, bool begun_outside)
{
	const struct nat_policy *p = policy_of(b, key);
	uint32_t records = key.protocol == NAT_TCP && filtering_of(b, key) == NAT_ADF ? 2 : 1;
	uint32_t room = b->limits.sessions, limit = p->session_limit;

	if (begun_outside) {
		room = room / 4 * 3;
		limit = limit / 4 * 3;
	}
	if (b->used + records > room)
		return DROP_SESSIONS_FULL;
	if (p->session_limit != 0 && book_count_flows(b, key.host) >= limit)
		return DROP_QUOTA_SESSIONS;
	return DROP_NONE;
}

static struct flow *add_flow(
	struct book *b, struct nat_key key, struct recipe remote, enum nat_state state)
{
	struct flow *f = &b->flows[b->n_flows];

	TRUTH(b, b->n_flows < MAX_FLOWS, "%u", b->n_flows);
	b->n_flows++;
	b->used++;
	b->flows_made++;
	b->states[state]++;
	*f = (struct flow){.key = key, .remote = remote, .state = (uint8_t)state, .at_s = b->now_s};
	return f;
}

static void permit(struct book *b, struct flow *f)
{
	if (has_permit(b, f->key, f->remote.addr)) {
		f->mark = true;
	} else if (b->used < b->limits.sessions) {
		f->mark = true;
		b->used++;
	}
}

static struct recipe peer_of(const struct book *b, struct nat_key key, struct recipe remote)
{
	if (key.protocol != NAT_TCP &&
		(filtering_of(b, key) == NAT_ADF || key.protocol == NAT_ICMP))
		remote.port = 0;
	return remote;
}

// ---- the state machine, as RFC 6146 tells it ---------------------------------------------------

static bool begins(uint8_t flags)
{
	return flags & TCP_SYN && !(flags & TCP_ACK);
}

static enum nat_state next_state(
	const struct nat_policy *p, enum nat_state state, bool outside, uint8_t flags)
{
	bool rst = flags & TCP_RST, syn = flags & TCP_SYN && !rst, fin = flags & TCP_FIN && !rst;

	switch (state) {
	case NAT_I_INIT:
		return outside && syn ? NAT_ESTABLISHED : state;
	case NAT_E_INIT:
		return !outside && syn ? NAT_ESTABLISHED : state;
	case NAT_ESTABLISHED:
		return rst ? NAT_TRANS : !fin || syn ? state : outside ? NAT_E_FIN : NAT_I_FIN;
	case NAT_I_FIN:
		return rst && p->rst_in_fin ? NAT_TRANS : outside && fin ? NAT_BOTH_FIN : state;
	case NAT_E_FIN:
		return rst && p->rst_in_fin ? NAT_TRANS : !outside && fin ? NAT_BOTH_FIN : state;
	case NAT_BOTH_FIN:
		return p->tcp_reopen && !outside && begins(flags) ? NAT_I_INIT : state;
	case NAT_TRANS:
		return rst ? state : NAT_ESTABLISHED;
	default:
		return state;
	}
}

static bool refreshes(enum nat_state from, enum nat_state to, bool outside, uint8_t flags)
{
	if (from != to)
		return true;
	if (from == NAT_I_INIT)
		return !outside && flags & TCP_SYN;
	return (from == NAT_ESTABLISHED || from == NAT_I_FIN || from == NAT_E_FIN) &&
	       !(flags & TCP_RST);
}

static bool advance(struct book *b, struct flow *f, bool outside, uint8_t flags)
{
	enum nat_state was = f->state;

	f->state = (uint8_t)next_state(policy_of(b, f->key), was, outside, flags);
	if (refreshes(was, f->state, outside, flags))
		f->at_s = b->now_s;
	b->states[f->state] += f->state != was;
	return f->state != was;
}

// ---- from inside -----------------------------------------------------------------------------

// The mapping's own class, by which it lives where not all its connections have a record.
static void note_class(struct book *b, struct mapping *m, const struct nat_out *p)
{
	m->sent_s = b->now_s;
	if (p->tcp_flags & TCP_FIN)
		m->tcp = CLOSING;
	else if (p->tcp_flags & TCP_SYN)
		m->tcp = m->tcp == CLOSING ? OPENING : m->tcp;
	else if (m->tcp == OPENING || p->tcp_data)
		m->tcp = ESTABLISHED;
}

static void note_tcp(struct book *b, struct mapping *m, const struct nat_out *p, bool recorded)
{
	if (p->tcp_flags & TCP_RST)
		return;
	if (m->loose || count_kept(b, m->key).all == 0)
		note_class(b, m, p);
	else if (recorded)
		m->sent_s = b->now_s;
}

static void establish(struct mapping *m)
{
	if (!m->loose)
		m->tcp = ESTABLISHED;
}

static enum drop begin_inside(struct book *b, struct mapping *m, const struct nat_out *p)
{
	struct flow *old = book_find_flow(b, m->key, p->remote);
	enum drop why;

	if (old != NULL)
		book_expire_flow(b, m, old);
	why = book_room(b, m->key, false);
	if (why == DROP_NONE) {
		struct flow *f = add_flow(b, m->key, p->remote, NAT_I_INIT);
		if (filtering_of(b, m->key) == NAT_ADF)
			permit(b, f);
		establish(m);
	} else if (filtering_of(b, m->key) == NAT_EIF) {
		m->loose = true;
		b->unrecorded++;
		why = DROP_NONE;
	}
	book_update_plain(b, m);
	return why;
}

static enum drop tcp_out(struct book *b, struct mapping *m, const struct nat_out *p)
{
	struct flow *f = book_find_flow(b, m->key, p->remote);
	enum drop why;

	// Data on a plain connection is not looked at: it counts whoever it is for.
	if (m->plain && !(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST))) {
		m->sent_s = b->now_s;
		return DROP_NONE;
	}
	if (f != NULL && !book_flow_is_over(b, f)) {
		bool changed = advance(b, f, false, p->tcp_flags);
		if (filtering_of(b, m->key) == NAT_ADF && !f->mark && is_kept(f))
			permit(b, f);
		if (changed) {
			establish(m);
			book_update_plain(b, m);
		}
		note_tcp(b, m, p, true);
		return DROP_NONE;
	}
	if (!begins(p->tcp_flags)) {
		m->loose = m->loose || p->tcp_flags & TCP_SYN;
		book_update_plain(b, m);
		note_tcp(b, m, p, false);
		return DROP_NONE;
	}
	if (count_kept(b, m->key).all == 0 && m->sent_s != 0 &&
		b->now_s - m->sent_s <= book_idle_timeout(b, m))
		m->loose = true;
	why = begin_inside(b, m, p);
	if (why == DROP_NONE)
		note_tcp(b, m, p, true);
	return why;
}

static enum drop note_peer(struct book *b, struct mapping *m, const struct nat_out *p)
{
	struct recipe peer = peer_of(b, m->key, p->remote);
	struct flow *f = book_find_flow(b, m->key, peer);
	enum drop why;

	if (filtering_of(b, m->key) == NAT_EIF)
		return DROP_NONE;
	if (f != NULL && !book_flow_is_over(b, f)) {
		f->at_s = b->now_s;
		return DROP_NONE;
	}
	if (f != NULL)
		book_expire_flow(b, m, f);
	why = book_room(b, m->key, false);
	if (why == DROP_NONE)
		add_flow(b, m->key, peer, NAT_OPEN);
	return why;
}

enum drop book_send(struct book *b, struct mapping *m, const struct nat_out *p)
{
	enum drop why;

	if (m->key.protocol == NAT_TCP)
		return tcp_out(b, m, p);
	why = note_peer(b, m, p);
	if (why != DROP_NONE)
		return why;
	m->sent_s = b->now_s;
	m->rule = m->rule && p->remote.port == b->timers.ports[0].port;
	return DROP_NONE;
}

// The packet that made its mapping. How many records were in use when it asked is known from how
// many are now.
void book_send_first(struct book *b, struct mapping *m, const struct nat_out *p)
{
	bool tcp = m->key.protocol == NAT_TCP;
	enum nat_filtering filtering = filtering_of(b, m->key);
	uint32_t slot = slot_find(b->n, &m->key);
	bool made = session_anchor(b->n, m->key.protocol, slot_at(b->n, slot)->ext) != NO_SESSION;
	enum drop why;

	b->used = b->n->session_used;
	if (made)
		b->used -= tcp && filtering == NAT_ADF ? 2 : 1;
	m->sent_s = b->now_s;
	m->tcp = OPENING;
	m->rule = m->key.protocol == NAT_UDP && p->remote.port == b->timers.ports[0].port;
	why = tcp ? begin_inside(b, m, p) : note_peer(b, m, p);
	TRUTH(b, why == DROP_NONE, "%s", drop_name(why));
}

// ---- from outside ----------------------------------------------------------------------------

static bool filters_fit(struct book *b, const struct mapping *m, struct recipe from)
{
	bool fits = m->n_filters == 0;

	for (unsigned i = 0; i < m->n_filters; i++) {
		const struct nat_filter *f = &m->filters[i];
		uint32_t mask = f->bits == 0 ? 0 : UINT32_MAX << (32 - f->bits);
		fits |= ((from.addr ^ f->address) & mask) == 0 &&
			(f->port == 0 || f->port == from.port || m->key.protocol == NAT_ICMP);
	}
	return fits || book_find_peer(b, m->key, from) != NULL;
}

static bool is_known(struct book *b, struct nat_key key, struct recipe from)
{
	const struct flow *f = book_find_flow(b, key, peer_of(b, key, from));

	if (f != NULL && f->state != NAT_E_INIT && !book_flow_is_over(b, f))
		return true;
	return filtering_of(b, key) == NAT_ADF && has_permit(b, key, from.addr);
}

enum drop book_admit(struct book *b, const struct mapping *m, const struct nat_in *p)
{
	bool syn = p->protocol == NAT_TCP && begins(p->tcp_flags);

	if (m == NULL)
		return syn ? DROP_UNSOLICITED_SYN : DROP_NO_MAPPING_INBOUND;
	if (m->lease)
		return filters_fit(b, m, p->from) ? DROP_NONE : DROP_PCP_FILTER;
	if (filtering_of(b, m->key) == NAT_EIF || is_known(b, m->key, p->from) ||
		book_find_peer(b, m->key, p->from) != NULL)
		return DROP_NONE;
	if (syn)
		return DROP_UNSOLICITED_SYN;
	return filtering_of(b, m->key) == NAT_ADF ? DROP_FILTERED_ADF : DROP_FILTERED_APDF;
}

// Only what is looked at is followed.
static bool is_looked_at(struct book *b, const struct mapping *m, uint8_t flags)
{
	struct kept kept = count_kept(b, m->key);

	return flags & (TCP_SYN | TCP_FIN | TCP_RST) || filtering_of(b, m->key) != NAT_EIF ||
	       policy_of(b, m->key)->inbound_refresh || m->n_filters > 0 ||
	       (kept.all > 0 && !m->plain);
}

static void refresh(struct book *b, struct mapping *m)
{
	if (m->sent_s != 0 && b->now_s - m->sent_s <= book_idle_timeout(b, m))
		m->sent_s = b->now_s;
}

static void tcp_in(struct book *b, struct mapping *m, const struct nat_in *p)
{
	struct flow *f = book_find_flow(b, m->key, p->from);

	if (!is_looked_at(b, m, p->tcp_flags))
		return;
	if (f != NULL && !book_flow_is_over(b, f)) {
		enum nat_state was = f->state;
		if (advance(b, f, true, p->tcp_flags))
			book_update_plain(b, m);
		if (is_plain(was) && is_plain(f->state) && !(p->tcp_flags & TCP_RST) &&
			count_kept(b, m->key).all == 1)
			refresh(b, m);
		return;
	}
	if (!begins(p->tcp_flags))
		return;
	if (f != NULL)
		book_expire_flow(b, m, f);
	if (book_room(b, m->key, true) == DROP_NONE)
		add_flow(b, m->key, p->from, NAT_E_INIT);
	else
		b->unrecorded++;
	book_update_plain(b, m);
}

void book_receive(struct book *b, struct mapping *m, const struct nat_in *p)
{
	struct flow *f;

	if (m->key.protocol == NAT_TCP) {
		tcp_in(b, m, p);
		return;
	}
	f = book_find_flow(b, m->key, peer_of(b, m->key, p->from));
	if (f != NULL && !book_flow_is_over(b, f) && is_looked_at(b, m, 0)) {
		f->mark = true;
		if (policy_of(b, m->key)->inbound_refresh)
			f->at_s = b->now_s;
	}
	if (policy_of(b, m->key)->inbound_refresh)
		refresh(b, m);
}

bool book_may_complain(struct book *b, const struct mapping *m, struct recipe remote)
{
	if (filtering_of(b, m->key) == NAT_EIF)
		return true;
	if (m->lease)
		return book_find_flow(b, m->key, peer_of(b, m->key, remote)) != NULL ||
		       filters_fit(b, m, remote);
	return book_find_flow(b, m->key, peer_of(b, m->key, remote)) != NULL ||
	       (filtering_of(b, m->key) == NAT_ADF && has_permit(b, m->key, remote.addr)) ||
	       book_find_peer(b, m->key, remote) != NULL;
}
