// SPDX-License-Identifier: Apache-2.0
// What TCP segments do to a session: RFC 6146 s.3.5.2.2, which RFC 7857 s.2 takes over for NAT44.
//
// CLOSED has no record. There a SYN without ACK begins a session, from inside I_INIT and from
// outside, where it may come in, E_INIT; any other segment passes on a mapping that stands, and
// makes none. How long a state lasts without a refresh follows from the state alone.
#include <postern/nat.h>

#include "sessions.h"
#include "tables.h"

enum input {
	SYN, // also with ACK
	FIN,
	RST,
	OTHER,
	INPUTS
};

// The cells name the next state; GO also refreshes.
#define GO(state) (STEP_REFRESH | (state))
#define ESTABLISHED NAT_ESTABLISHED
#define I_INIT NAT_I_INIT
#define E_INIT NAT_E_INIT
#define I_FIN NAT_I_FIN
#define E_FIN NAT_E_FIN
#define BOTH_FIN NAT_BOTH_FIN
#define TRANS NAT_TRANS

static const uint8_t STEPS[NAT_OPEN][2][INPUTS] = {
	[I_INIT][INSIDE] = {GO(I_INIT), I_INIT, I_INIT, I_INIT},
	[I_INIT][OUTSIDE] = {GO(ESTABLISHED), I_INIT, I_INIT, I_INIT},
	[E_INIT][INSIDE] = {GO(ESTABLISHED), E_INIT, E_INIT, E_INIT},
	[E_INIT][OUTSIDE] = {E_INIT, E_INIT, E_INIT, E_INIT},
	[ESTABLISHED][INSIDE] = {GO(ESTABLISHED), GO(I_FIN), GO(TRANS), GO(ESTABLISHED)},
	[ESTABLISHED][OUTSIDE] = {GO(ESTABLISHED), GO(E_FIN), GO(TRANS), GO(ESTABLISHED)},
	[I_FIN][INSIDE] = {GO(I_FIN), GO(I_FIN), I_FIN, GO(I_FIN)},
	[I_FIN][OUTSIDE] = {GO(I_FIN), GO(BOTH_FIN), I_FIN, GO(I_FIN)},
	[E_FIN][INSIDE] = {GO(E_FIN), GO(BOTH_FIN), E_FIN, GO(E_FIN)},
	[E_FIN][OUTSIDE] = {GO(E_FIN), GO(E_FIN), E_FIN, GO(E_FIN)},
	[BOTH_FIN][INSIDE] = {BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN},
	[BOTH_FIN][OUTSIDE] = {BOTH_FIN, BOTH_FIN, BOTH_FIN, BOTH_FIN},
	[TRANS][INSIDE] = {GO(ESTABLISHED), GO(ESTABLISHED), TRANS, GO(ESTABLISHED)},
	[TRANS][OUTSIDE] = {GO(ESTABLISHED), GO(ESTABLISHED), TRANS, GO(ESTABLISHED)},
};

// A SYN that also says FIN or RST never comes here.
static enum input input_of(uint8_t flags)
{
	if (flags & TCP_RST)
		return RST;
	if (flags & TCP_SYN)
		return SYN;
	return flags & TCP_FIN ? FIN : OTHER;
}

// The two knobs: a new SYN from inside begins anew what both sides have closed; RST ends what one
// side has closed, which would otherwise be waited for as long as for an open connection.
uint8_t tcp_step(const struct nat_policy *policy, uint8_t state, enum side side, uint8_t flags)
{
	enum input input = input_of(flags);

	if (policy->tcp_reopen && state == BOTH_FIN && side == INSIDE && tcp_begins(flags))
		return GO(I_INIT);
	if (policy->rst_in_fin && input == RST && (state == I_FIN || state == E_FIN))
		return GO(TRANS);
	return STEPS[state][side][input];
}
