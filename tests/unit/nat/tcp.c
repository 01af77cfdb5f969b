// SPDX-License-Identifier: Apache-2.0
#include "flow.h"

static const uint32_t SECONDS[NAT_OPEN] = {[NAT_I_INIT] = 240,
	[NAT_E_INIT] = 240,
	[NAT_ESTABLISHED] = 7440,
	[NAT_I_FIN] = 7440,
	[NAT_E_FIN] = 7440,
	[NAT_BOTH_FIN] = 250,
	[NAT_TRANS] = 260};

// A connection in this state. Another one stands on the same mapping.
static struct flow bring_to(struct world *w, enum nat_state state)
{
	struct flow f = flow_open(w, 4000, OTHER);

	f.remote = REMOTE;
	if (state == NAT_E_INIT) {
		cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
		return f;
	}
	flow_out(&f, TCP_SYN);
	if (state == NAT_I_INIT)
		return f;
	flow_in(&f, TCP_SYN | TCP_ACK);
	flow_out(&f, TCP_ACK);
	if (state == NAT_I_FIN || state == NAT_BOTH_FIN)
		flow_out(&f, TCP_FIN | TCP_ACK);
	if (state == NAT_E_FIN || state == NAT_BOTH_FIN)
		flow_in(&f, TCP_FIN | TCP_ACK);
	if (state == NAT_TRANS)
		flow_in(&f, TCP_RST);
	return f;
}

struct cell {
	bool outside;
	uint8_t flags;
	enum nat_state next;
	bool refreshed;
};

enum {
	SYN_ = TCP_SYN,
	SYN_ACK = TCP_SYN | TCP_ACK,
	FIN_ = TCP_FIN | TCP_ACK,
	RST_ = TCP_RST | TCP_ACK,
	DATA = TCP_PSH | TCP_ACK
};

// One row of the table: whatever the segment does, it passes.
static void check_row(enum nat_state state, const struct cell *cells, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		const struct cell *c = &cells[i];
		struct world w = flow_world();
		struct flow f = bring_to(&w, state);
		struct nat_session_view view;

		cr_assert_eq(flow_view(&f).state, state, "%u", flow_view(&f).state);
		cr_assert_eq(flow_view(&f).left_s, SECONDS[state]);
		world_pass(&w, 100);
		cr_assert_eq(
			c->outside ? flow_in(&f, c->flags) : flow_out(&f, c->flags), DROP_NONE);
		view = flow_view(&f);
		cr_assert_eq(view.state, c->next, "cell %u: %u", i, view.state);
		cr_assert_eq(view.left_s, SECONDS[view.state] - (c->refreshed ? 0 : 100),
			"cell %u: %u s", i, view.left_s);
		world_close(&w);
	}
}

Test(nat, t_7857_2_i_init)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_INIT, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_ACK, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_I_INIT, false},
		{true, FIN_, NAT_I_INIT, false},
		{false, RST_, NAT_I_INIT, false},
		{true, RST_, NAT_I_INIT, false},
		{false, DATA, NAT_I_INIT, false},
		{true, DATA, NAT_I_INIT, false},
	};
	check_row(NAT_I_INIT, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_e_init)
{
	static const struct cell cells[] = {
		{false, SYN_ACK, NAT_ESTABLISHED, true},
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_E_INIT, false},
		{false, FIN_, NAT_E_INIT, false},
		{true, FIN_, NAT_E_INIT, false},
		{false, RST_, NAT_E_INIT, false},
		{true, RST_, NAT_E_INIT, false},
		{false, DATA, NAT_E_INIT, false},
		{true, DATA, NAT_E_INIT, false},
	};
	check_row(NAT_E_INIT, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_established)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_I_FIN, true},
		{true, FIN_, NAT_E_FIN, true},
		{false, RST_, NAT_TRANS, true},
		{true, RST_, NAT_TRANS, true},
		{false, DATA, NAT_ESTABLISHED, true},
		{true, DATA, NAT_ESTABLISHED, true},
	};
	check_row(NAT_ESTABLISHED, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_i_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_FIN, true},
		{true, SYN_, NAT_I_FIN, true},
		{false, FIN_, NAT_I_FIN, true},
		{true, FIN_, NAT_BOTH_FIN, true},
		{false, RST_, NAT_I_FIN, false},
		{true, RST_, NAT_I_FIN, false},
		{false, DATA, NAT_I_FIN, true},
		{true, DATA, NAT_I_FIN, true},
	};
	check_row(NAT_I_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_e_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_E_FIN, true},
		{true, SYN_, NAT_E_FIN, true},
		{false, FIN_, NAT_BOTH_FIN, true},
		{true, FIN_, NAT_E_FIN, true},
		{false, RST_, NAT_E_FIN, false},
		{true, RST_, NAT_E_FIN, false},
		{false, DATA, NAT_E_FIN, true},
		{true, DATA, NAT_E_FIN, true},
	};
	check_row(NAT_E_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_both_fin)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_BOTH_FIN, false},
		{true, SYN_, NAT_BOTH_FIN, false},
		{false, FIN_, NAT_BOTH_FIN, false},
		{true, FIN_, NAT_BOTH_FIN, false},
		{false, RST_, NAT_BOTH_FIN, false},
		{true, RST_, NAT_BOTH_FIN, false},
		{false, DATA, NAT_BOTH_FIN, false},
		{true, DATA, NAT_BOTH_FIN, false},
	};
	check_row(NAT_BOTH_FIN, cells, ARRAY_SIZE(cells));
}

Test(nat, t_7857_2_trans)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_ESTABLISHED, true},
		{true, SYN_, NAT_ESTABLISHED, true},
		{false, FIN_, NAT_ESTABLISHED, true},
		{true, FIN_, NAT_ESTABLISHED, true},
		{false, RST_, NAT_TRANS, false},
		{true, RST_, NAT_TRANS, false},
		{false, DATA, NAT_ESTABLISHED, true},
		{true, DATA, NAT_ESTABLISHED, true},
	};
	check_row(NAT_TRANS, cells, ARRAY_SIZE(cells));
}

// CLOSED: only a SYN without ACK begins anything, and every segment passes on a mapping.
Test(nat, t_7857_2_closed)
{
	static const struct cell cells[] = {
		{false, SYN_, NAT_I_INIT, true},
		{true, SYN_, NAT_E_INIT, true},
		{false, SYN_ACK, NAT_CLOSED, false},
		{true, SYN_ACK, NAT_CLOSED, false},
		{false, FIN_, NAT_CLOSED, false},
		{true, FIN_, NAT_CLOSED, false},
		{false, RST_, NAT_CLOSED, false},
		{true, RST_, NAT_CLOSED, false},
		{false, DATA, NAT_CLOSED, false},
		{true, DATA, NAT_CLOSED, false},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cells); i++) {
		struct world w = flow_world();
		struct flow f = flow_open(&w, 4000, OTHER);

		f.remote = REMOTE;
		cr_assert_eq(cells[i].outside ? flow_in(&f, cells[i].flags)
					      : flow_out(&f, cells[i].flags),
			DROP_NONE);
		cr_assert_eq(flow_view(&f).state, cells[i].next, "cell %u", i);
		f.remote = OTHER;
		cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
		world_close(&w);
	}
}

Test(nat, t_7857_2_every_state_ends_after_its_own_time)
{
	for (unsigned state = NAT_I_INIT; state < NAT_OPEN; state++) {
		struct world w = flow_world();
		struct flow f = bring_to(&w, state);

		world_pass(&w, SECONDS[state]);
		cr_assert_eq(flow_view(&f).state, state, "%u", state);
		world_pass(&w, 1);
		cr_assert_eq(flow_view(&f).state, NAT_CLOSED, "%u", state);
		world_pass(&w, 2);
		cr_assert_eq(nat_counters(w.nat)->sessions, SECONDS[state] < 7440, "%u", state);
		world_close(&w);
	}
}

Test(nat, t_7857_2_tcp_reopen_begins_anew_what_both_sides_closed)
{
	struct world w = flow_world();
	struct flow f;

	w.policy.tcp_reopen = true;
	nat_set_policy(w.nat, 0, &w.policy);
	f = bring_to(&w, NAT_BOTH_FIN);
	cr_assert_eq(flow_in(&f, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_BOTH_FIN, "not from outside");
	cr_assert_eq(flow_out(&f, TCP_SYN), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_I_INIT);
	cr_assert_eq(flow_in(&f, TCP_SYN | TCP_ACK), DROP_NONE);
	cr_assert_eq(flow_view(&f).state, NAT_ESTABLISHED);
	world_close(&w);
}

Test(nat, t_7857_2_rst_in_fin_ends_what_one_side_closed)
{
	static const enum nat_state half[] = {NAT_I_FIN, NAT_E_FIN};

	for (unsigned i = 0; i < 4; i++) {
		struct world w = flow_world();
		struct flow f;

		w.policy.rst_in_fin = true;
		nat_set_policy(w.nat, 0, &w.policy);
		f = bring_to(&w, half[i / 2]);
		cr_assert_eq(i % 2 ? flow_in(&f, TCP_RST) : flow_out(&f, TCP_RST), DROP_NONE);
		cr_assert_eq(flow_view(&f).state, NAT_TRANS);
		cr_assert_eq(flow_view(&f).left_s, 260);
		world_close(&w);
	}
}
