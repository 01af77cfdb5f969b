// SPDX-License-Identifier: Apache-2.0
// Who may send in, and what TCP has said: RFC 4787 s.5 and RFC 6146 s.3.5.2.2, read once more.
// Where what happened does not tell, nothing is believed.
#include "simulation.h"

enum {
	UDP_LEAST_S = 120,
	ICMP_LEAST_S = 60,
	LATE_S = 160 // the most by which anything may end late
};

static uint32_t longest_s(const struct flow *f)
{
	return LATE_S + (f->protocol == NAT_TCP          ? SIM_TCP_IDLE_S
				: f->protocol == NAT_UDP ? 300
							 : 60);
}

static uint32_t timeout_s(uint8_t state)
{
	switch (state) {
	case NAT_I_INIT:
	case NAT_E_INIT:
		return SIM_TCP_OPEN_S;
	case NAT_BOTH_FIN:
		return SIM_TCP_CLOSE_S;
	case NAT_TRANS:
		return SIM_TCP_RST_S;
	default:
		return SIM_TCP_IDLE_S;
	}
}

// ---- the list --------------------------------------------------------------------------------

static bool is_same(const struct flow *f, struct recipe a, struct recipe b)
{
	return a.addr == b.addr && (a.port == b.port || f->protocol == NAT_ICMP);
}

static struct talk *find(struct flow *f, struct recipe remote)
{
	for (unsigned i = 0; i < f->n_talks; i++) {
		if (is_same(f, f->talks[i].remote, remote))
			return &f->talks[i];
	}
	return NULL;
}

static struct talk *find_over(struct flow *f, uint32_t now_s)
{
	for (unsigned i = 0; i < f->n_talks; i++) {
		if (now_s > f->talks[i].end_s)
			return &f->talks[i];
	}
	return NULL;
}

bool talk_has_place(const struct model *m, int flow, struct recipe remote)
{
	struct flow f = m->flows[flow];

	return f.n_talks < TALKS || find(&f, remote) != NULL || find_over(&f, m->now_s) != NULL;
}

// NULL: no place.
static struct talk *take(struct model *m, int flow, struct recipe remote)
{
	struct flow *f = &m->flows[flow];
	struct talk *t = find(f, remote);

	if (t != NULL && m->now_s <= t->end_s)
		return t;
	if (t == NULL && f->n_talks < TALKS)
		t = &f->talks[f->n_talks++];
	if (t == NULL)
		t = find_over(f, m->now_s);
	if (t == NULL) {
		f->blurred = true;
		return NULL;
	}
	*t = (struct talk){.remote = remote};
	return t;
}

void talk_doubt(struct flow *f)
{
	for (unsigned i = 0; i < f->n_talks; i++) {
		f->talks[i].doubt = true;
		f->talks[i].syn_s = 0;
	}
}

void talk_forget(struct flow *f)
{
	f->n_talks = 0;
	f->blurred = false;
}

// ---- TCP -------------------------------------------------------------------------------------

static void expire(struct talk *t, uint32_t now_s)
{
	uint32_t timeout = timeout_s(t->state);

	if (t->state != NAT_CLOSED && now_s - t->refreshed_s > timeout) {
		t->doubt |= now_s - t->perhaps_s <= timeout;
		t->state = NAT_CLOSED;
	}
	if (now_s > t->end_s)
		t->doubt = false;
}

static void become(struct talk *t, uint8_t state, uint32_t now_s)
{
	t->state = state;
	t->refreshed_s = now_s;
}

static void synchronize(struct talk *t, bool out, uint32_t now_s)
{
	switch (t->state) {
	case NAT_CLOSED:
		become(t, out ? NAT_I_INIT : NAT_E_INIT, now_s);
		break;
	case NAT_I_INIT:
		become(t, out ? NAT_I_INIT : NAT_ESTABLISHED, now_s);
		break;
	case NAT_E_INIT:
		if (out)
			become(t, NAT_ESTABLISHED, now_s);
		break;
	case NAT_TRANS:
		become(t, NAT_ESTABLISHED, now_s);
		break;
	case NAT_BOTH_FIN:
		break;
	default:
		t->refreshed_s = now_s;
	}
}

static void finish(struct talk *t, bool out, uint32_t now_s)
{
	uint8_t mine = out ? NAT_I_FIN : NAT_E_FIN, theirs = out ? NAT_E_FIN : NAT_I_FIN;

	if (t->state == NAT_ESTABLISHED)
		become(t, mine, now_s);
	else if (t->state == theirs)
		become(t, NAT_BOTH_FIN, now_s);
	else if (t->state == mine)
		t->refreshed_s = now_s;
	else if (t->state == NAT_TRANS)
		become(t, NAT_ESTABLISHED, now_s);
}

static void segment(struct talk *t, bool out, uint8_t flags, uint32_t now_s)
{
	bool opens = (flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;

	expire(t, now_s);
	if (flags & TCP_RST) {
		if (t->state == NAT_ESTABLISHED)
			become(t, NAT_TRANS, now_s);
	} else if (opens && out && t->state == NAT_BOTH_FIN) { // tcp-reopen
		become(t, NAT_I_INIT, now_s);
	} else if (flags & TCP_SYN) {
		if (opens || t->state != NAT_CLOSED)
			synchronize(t, out, now_s);
	} else if (flags & TCP_FIN) {
		finish(t, out, now_s);
	} else if (t->state == NAT_TRANS) {
		become(t, NAT_ESTABLISHED, now_s);
	} else if (t->state == NAT_ESTABLISHED && !out) {
		t->perhaps_s = now_s; // data from outside need not be looked at
	} else if (t->state >= NAT_ESTABLISHED && t->state <= NAT_E_FIN) {
		t->refreshed_s = now_s;
	}
}

static bool is_alive(const struct talk *t, uint32_t now_s)
{
	return t->state != NAT_CLOSED && !t->doubt && now_s - t->refreshed_s <= timeout_s(t->state);
}

// A SYN from inside keeps what it belongs to, whatever that is.
static bool has_begun(const struct talk *t, uint32_t now_s)
{
	return t->syn_s != 0 && now_s - t->syn_s <= SIM_TCP_OPEN_S;
}

// What only the outside began keeps nothing and lets nobody in, nor does a packet of no connection.
static bool keeps(const struct talk *t, uint32_t now_s)
{
	return has_begun(t, now_s) || (is_alive(t, now_s) && t->state != NAT_E_INIT);
}

bool talk_keeps(const struct model *m, const struct flow *f)
{
	for (unsigned i = 0; i < f->n_talks; i++) {
		const struct talk *t = &f->talks[i];
		if (keeps(t, m->now_s))
			return true;
	}
	return false;
}

bool talk_on_edge(const struct model *m)
{
	for (int flow = 0; flow < FLOWS; flow++) {
		const struct flow *f = &m->flows[flow];
		for (unsigned i = 0; f->protocol == NAT_TCP && i < f->n_talks; i++) {
			const struct talk *t = &f->talks[i];
			uint32_t timeout = timeout_s(t->state);
			if (t->state != NAT_CLOSED && (m->now_s - t->refreshed_s == timeout ||
							      m->now_s - t->perhaps_s == timeout))
				return true;
		}
	}
	return false;
}

// ---- packets ---------------------------------------------------------------------------------

void talk_out(struct model *m, int flow, struct recipe remote, uint8_t flags)
{
	struct flow *f = &m->flows[flow];
	struct talk *t = take(m, flow, remote);

	if (t == NULL)
		return;
	if (f->protocol == NAT_TCP)
		segment(t, true, flags, m->now_s);
	if (f->protocol == NAT_TCP && (flags & (TCP_SYN | TCP_ACK | TCP_RST)) == TCP_SYN)
		t->syn_s = m->now_s;
	t->sent_s = m->now_s;
	t->end_s = m->now_s + longest_s(f);
	t->doubt = t->doubt && f->protocol == NAT_TCP;
}

// Strangers who only knock are not remembered, but for the connections that they begin.
void talk_in(struct model *m, int flow, struct recipe remote, uint8_t flags)
{
	struct flow *f = &m->flows[flow];
	struct talk *t = find(f, remote);

	if (f->protocol != NAT_TCP)
		return;
	if (t == NULL && (flags & (TCP_SYN | TCP_ACK)) != TCP_SYN)
		return;
	t = take(m, flow, remote);
	if (t == NULL)
		return;
	segment(t, false, flags, m->now_s);
	t->end_s = m->now_s + longest_s(f);
	f->end_s = max_u32(f->end_s, t->end_s);
}

// ---- filtering -------------------------------------------------------------------------------

static bool is_friend(
	const struct flow *f, const struct talk *t, enum nat_filtering filtering, struct recipe r)
{
	if (t->sent_s == 0 || t->remote.addr != r.addr)
		return false;
	return filtering == NAT_ADF || is_same(f, t->remote, r);
}

static bool is_fresh(const struct flow *f, const struct talk *t, uint32_t now_s)
{
	switch (f->protocol) {
	case NAT_TCP:
		return keeps(t, now_s);
	case NAT_UDP:
		return !t->doubt && now_s - t->sent_s <= UDP_LEAST_S;
	default:
		return !t->doubt && now_s - t->sent_s <= ICMP_LEAST_S;
	}
}

enum belief talk_admits(
	const struct model *m, int flow, enum nat_filtering filtering, struct recipe remote)
{
	const struct flow *f = &m->flows[flow];
	enum belief belief = f->blurred || f->shaky ? PERHAPS : NEVER;

	if (filtering == NAT_EIF)
		return SURELY;
	for (unsigned i = 0; i < f->n_talks; i++) {
		const struct talk *t = &f->talks[i];
		if (!is_friend(f, t, filtering, remote) || m->now_s > t->end_s)
			continue;
		if (is_fresh(f, t, m->now_s))
			return SURELY;
		belief = PERHAPS;
	}
	return belief;
}
