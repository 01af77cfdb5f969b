// SPDX-License-Identifier: Apache-2.0
// One question to the server, asked again until it is answered, in any dialect; and the commands
// that are no more than that. The library keeps mappings in version 2 (pcpc_session.c).
#include "pcpc.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#define FIRST_WAIT (250 * NS_PER_MS) // NAT-PMP, RFC 6886 s.3.1; PCP's would be 3 s
#define PCP_FIRST_WAIT (3 * NS_PER_S)
#define LONGEST_WAIT (1024 * NS_PER_S)

int pcpc_exchange_open(struct pcpc_exchange *x, const struct pcpc_options *o,
	const struct postern_server *server, unsigned address)
{
	*x = (struct pcpc_exchange){.options = o,
		.show = {.options = o,
			.dialect = o->dialect,
			.server = server->addresses[address],
			.origin = server->origin,
			.interface = server->interface},
		.fd = {.fd = -1, .events = POLLIN}};
	x->fd.fd = pcpc_open_to(o, &x->show.server, server->interface, &x->local);
	if (x->fd.fd < 0)
		return -1;
	memcpy(x->show.source, x->local.ip, sizeof x->show.source);
	pcpc_catch_signals(&x->waiting);
	pcpc_show_asking(&x->show);
	return 0;
}

void pcpc_exchange_close(struct pcpc_exchange *x)
{
	if (x->fd.fd >= 0)
		close(x->fd.fd);
}

size_t pcpc_exchange_receive(struct pcpc_exchange *x, ns until, uint8_t *out, size_t cap)
{
	for (;;) {
		ssize_t n = recv(x->fd.fd, out, cap, MSG_TRUNC);

		if (n > 0)
			return (size_t)n < cap ? (size_t)n : cap;
		if (n < 0 && pcpc_is_unreachable(errno)) {
			x->unreachable = true;
			continue;
		}
		if (n == 0) // an empty datagram answers nothing
			continue;
		if (pcpc_stopped() || pcpc_wait(&x->fd, 1, until, &x->waiting) == 0)
			return 0;
	}
}

// ---- is it the answer? -----------------------------------------------------------------------

static bool is_refusal_of_version(
	const uint8_t *datagram, size_t n, const struct pcp_message *asked, struct pcp_message *m)
{
	struct pcp_version_refusal refusal;

	if (!pcp_decode_version_refusal(datagram, n, &refusal))
		return false;
	*m = (struct pcp_message){
		.version = refusal.version,
		.dialect = asked->dialect,
		.opcode = PCP_NO_OPCODE,
		.response = true,
		.result = PCP_UNSUPP_VERSION,
		.lifetime_s = refusal.lifetime_s,
	};
	return true;
}

static bool is_about(const struct pcp_message *asked, const struct pcp_message *m)
{
	if (m->opcode != asked->opcode)
		return asked->dialect == PCP_NATPMP && m->opcode == PCP_NO_OPCODE;
	if (m->opcode != PCP_MAP && m->opcode != PCP_PEER)
		return true;
	if (m->dialect == PCP_NATPMP && m->result != PCP_SUCCESS && m->internal_port == 0)
		return true; // some gateways answer errors with no more than the head
	if (m->protocol != asked->protocol || m->internal_port != asked->internal_port)
		return false;
	if (m->has_nonce && !pcp_nonce_eq(m->nonce, asked->nonce))
		return false;
	return m->opcode == PCP_MAP ||
	       (m->remote_port == asked->remote_port && ip6_eq(m->remote_ip, asked->remote_ip));
}

static bool is_answer(
	const struct pcp_message *asked, const uint8_t *datagram, size_t n, struct pcp_message *m)
{
	if (is_refusal_of_version(datagram, n, asked, m))
		return true;
	return pcp_decode_response_in((enum pcp_dialect)asked->dialect, datagram, n, m) &&
	       is_about(asked, m);
}

// ---- asking ----------------------------------------------------------------------------------

static bool wait_answer(struct pcpc_exchange *x, const struct pcp_message *asked, ns until,
	struct pcp_message *answer)
{
	uint8_t datagram[POSTERN_DATAGRAM + 4]; // an oversized one must not look right
	size_t n;

	while ((n = pcpc_exchange_receive(x, until, datagram, sizeof datagram)) > 0) {
		if (n > POSTERN_DATAGRAM || !is_answer(asked, datagram, n, answer))
			continue;
		pcpc_show_datagram(&x->show, false, datagram, n);
		memcpy(x->show.answer, datagram, n);
		x->show.n_answer = n;
		return true;
	}
	return false;
}

bool pcpc_exchange_ask(struct pcpc_exchange *x, const struct pcp_message *asked,
	const uint8_t *request, size_t n, struct pcp_message *answer)
{
	ns end = pcpc_time_limit(x->options);
	ns wait = asked->dialect == PCP_NATPMP ? FIRST_WAIT : PCP_FIRST_WAIT;

	while (!pcpc_stopped() && pcpc_now() < end) {
		ns until = pcpc_now() + wait;

		pcpc_show_datagram(&x->show, true, request, n);
		if (send(x->fd.fd, request, n, 0) < 0 && pcpc_is_unreachable(errno))
			x->unreachable = true;
		if (wait_answer(x, asked, until < end ? until : end, answer))
			return true;
		wait = 2 * wait < LONGEST_WAIT ? 2 * wait : LONGEST_WAIT;
	}
	return false;
}

enum pcpc_exit pcpc_exchange_silence(struct pcpc_exchange *x)
{
	if (pcpc_stopped())
		return PCPC_INTERRUPTED;
	pcpc_show_silence(&x->show, x->unreachable);
	return PCPC_NO_ANSWER;
}

// ---- map, peer, delete, announce, address ----------------------------------------------------

static enum pcpc_what what_of(const struct pcp_message *asked, const struct pcp_message *answer)
{
	if (answer->opcode == PCP_NO_OPCODE && answer->result == PCP_UNSUPP_VERSION)
		return PCPC_IS_OTHER_VERSION;
	if (asked->opcode == PCP_ANNOUNCE)
		return PCPC_IS_ANNOUNCED;
	if (answer->result != PCP_SUCCESS)
		return PCPC_IS_REFUSED;
	if (asked->lifetime_s > 0)
		return PCPC_IS_GRANTED;
	return answer->lifetime_s > 0 ? PCPC_IS_REMAINS : PCPC_IS_DELETED;
}

static void show_answer(
	struct pcpc_exchange *x, const struct pcp_message *asked, const struct pcp_message *answer)
{
	struct pcpc_result r = {
		.what = what_of(asked, answer),
		.id = asked->opcode == PCP_MAP || asked->opcode == PCP_PEER ? 0 : -1,
		.result = answer->result,
		.version = answer->version,
		.protocol = asked->protocol,
		.internal_port = asked->internal_port,
		.external.port = answer->external_port,
		.lifetime_s = answer->lifetime_s,
		.epoch_s = answer->epoch_s,
	};

	if (answer->dialect == PCP_NATPMP && answer->result != PCP_SUCCESS)
		r.lifetime_s = 0; // its errors do not say how long they hold
	memcpy(r.external.ip, answer->external_ip.b, sizeof r.external.ip);
	memcpy(r.nonce, asked->nonce.b, sizeof r.nonce);
	if (asked->opcode == PCP_EXTERNAL_ADDRESS && answer->result == PCP_SUCCESS)
		pcpc_show_address(&x->show, answer);
	else
		pcpc_show_result(&x->show, &r);
}

static void draw_nonce(struct pcp_message *m)
{
	static const struct pcp_nonce none;

	if (pcp_nonce_eq(m->nonce, none) &&
		getrandom(m->nonce.b, sizeof m->nonce.b, 0) != (ssize_t)sizeof m->nonce.b)
		abort();
}

static enum pcpc_exit ask(struct pcpc_exchange *x)
{
	struct pcp_message asked, answer;
	uint8_t request[PCP_MAX];
	size_t n;

	if (!pcpc_build_message(x->options, x->show.source, &asked))
		return PCPC_USAGE;
	if (!x->options->mapping.has_nonce)
		draw_nonce(&asked);
	n = pcpc_build(x->options, &asked, request, sizeof request);
	if (n == 0)
		return PCPC_USAGE;
	if (!pcpc_exchange_ask(x, &asked, request, n, &answer))
		return pcpc_exchange_silence(x);
	show_answer(x, &asked, &answer);
	return pcpc_exit_of_result(answer.result);
}

static enum pcpc_exit run(
	const struct pcpc_options *o, const struct postern_server *server, unsigned address)
{
	struct pcpc_exchange x;
	enum pcpc_exit end =
		pcpc_exchange_open(&x, o, server, address) < 0 ? PCPC_NO_ANSWER : ask(&x);

	pcpc_exchange_close(&x);
	return end;
}

int pcpc_dialect_run(const struct pcpc_options *o)
{
	return pcpc_ask_each(o, o->dialect == PCP_NATPMP, run);
}
