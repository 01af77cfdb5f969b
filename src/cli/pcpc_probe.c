// SPDX-License-Identifier: Apache-2.0
// A packet generator for requests that no honest client sends, and an honest reader of the answers.
#include "pcpc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>
#include <sys/socket.h>

struct probe {
	struct pcpc_exchange x;
	uint8_t request[PCPC_LARGEST]; // before random changes
	size_t n;
	uint32_t sent, answered, other; // other: answers that --expect did not want
	uint32_t results[512];          // answers by RFC 6887's number
	uint32_t unread;                // answers that no dialect can read
};

// ---- what is sent ----------------------------------------------------------------------------

static bool build(struct probe *p)
{
	const struct pcpc_options *o = p->x.options;
	struct pcp_message m;

	if (o->probe.datagram) {
		p->n = o->probe.n_datagram;
		memcpy(p->request, o->probe.datagram, p->n);
		return true;
	}
	if (!pcpc_build_message(o, p->x.show.source, &m))
		return false;
	if (!o->mapping.has_nonce &&
		getrandom(m.nonce.b, sizeof m.nonce.b, 0) != (ssize_t)sizeof m.nonce.b)
		abort();
	p->n = pcpc_build(o, &m, p->request, sizeof p->request);
	return p->n > 0;
}

static bool edit(struct probe *p)
{
	const struct pcpc_options *o = p->x.options;

	for (unsigned i = 0; i < o->probe.n_edits; i++) {
		const char *why = pcpc_edit(
			&o->probe.edits[i], o->dialect, p->request, &p->n, sizeof p->request);

		if (why) {
			pcpc_complain("%s", why);
			return false;
		}
	}
	return true;
}

// ---- what comes back -------------------------------------------------------------------------

// RFC 6887's number of the result, or -1 when it cannot be read.
static int result_of(enum pcp_dialect dialect, const uint8_t *datagram, size_t n)
{
	struct pcp_version_refusal refusal;
	struct pcp_message m;

	if (pcp_decode_version_refusal(datagram, n, &refusal))
		return PCP_UNSUPP_VERSION;
	if (n > 0 && datagram[0] == PCP_VERSION)
		dialect = PCP_V2;
	else if (n > 0 && datagram[0] == 0)
		dialect = PCP_NATPMP;
	return pcp_decode_response_in(dialect, datagram, n, &m) ? m.result : -1;
}

static void count(struct probe *p, int result)
{
	const struct pcpc_probe *wanted = &p->x.options->probe;

	p->answered++;
	if (result < 0 || result >= (int)ARRAY_SIZE(p->results))
		p->unread++;
	else
		p->results[result]++;
	if (wanted->expect == PCPC_SILENCE ||
		(wanted->expect == PCPC_RESULT && result != (int)wanted->expected))
		p->other++;
}

static void tell(struct probe *p, int result, const uint8_t *datagram, size_t n)
{
	if (p->x.options->probe.count_only)
		return;
	pcpc_show_datagram(&p->x.show, false, datagram, n);
	if (p->x.options->json)
		pcpc_show_object(&p->x.show,
			json_pack("{s:s, s:i, s:s}", "status", "answered", "result", result,
				"result_name", result < 0 ? "unread" : pcpc_result_name(result)));
	else if (result < 0)
		printf("an answer that cannot be read\n");
	else
		printf("%s (%d)%s%s\n", pcpc_result_name(result), result, result ? ": " : "",
			result ? pcpc_advice(result) : "");
}

// Takes what comes until `until`, or until as many answers as requests are there.
static void collect(struct probe *p, ns until)
{
	uint8_t datagram[PCPC_LARGEST];
	size_t n;

	while (p->answered < p->sent &&
		(n = pcpc_exchange_receive(&p->x, until, datagram, sizeof datagram)) > 0) {
		int result = result_of(p->x.options->dialect, datagram, n);

		count(p, result);
		tell(p, result, datagram, n);
	}
}

static void tell_silence(struct probe *p)
{
	if (p->x.options->probe.count_only)
		return;
	if (p->x.options->json)
		pcpc_show_object(&p->x.show, json_pack("{s:s, s:b}", "status", "silence",
						     "unreachable", (int)p->x.unreachable));
	else
		printf("silence%s\n", p->x.unreachable ? " (ICMP unreachable)" : "");
}

// ---- the loop --------------------------------------------------------------------------------

static bool send_one(struct probe *p, struct rng *rng)
{
	uint8_t datagram[PCPC_LARGEST];
	size_t n = p->n;

	memcpy(datagram, p->request, n);
	if (p->x.options->probe.has_seed)
		pcpc_mutate(rng, datagram, &n, sizeof datagram);
	if (!p->x.options->probe.count_only)
		pcpc_show_datagram(&p->x.show, true, datagram, n);
	p->sent++;
	if (send(p->x.fd.fd, datagram, n, 0) >= 0)
		return true;
	if (!pcpc_is_unreachable(errno)) {
		pcpc_complain("cannot send: %s", strerror(errno));
		return false;
	}
	p->x.unreachable = true;
	return true;
}

// How long to look for answers before the next one: until it is answered, or by the rate.
static ns next_at(const struct probe *p, ns start)
{
	const struct pcpc_options *o = p->x.options;

	if (o->probe.rate > 0 && p->sent < o->probe.repeat)
		return start + p->sent * NS_PER_S / o->probe.rate;
	return pcpc_time_limit(o);
}

static void sleep_until(struct probe *p, ns until)
{
	while (!pcpc_stopped() && pcpc_now() < until)
		pcpc_wait(NULL, 0, until, &p->x.waiting);
}

static bool run(struct probe *p)
{
	const struct pcpc_options *o = p->x.options;
	ns start = pcpc_now();
	struct rng rng;

	rng_init_u64(&rng, o->probe.seed);
	while (p->sent < o->probe.repeat && !pcpc_stopped()) {
		uint32_t before = p->answered;
		ns until;

		if (!send_one(p, &rng))
			return false;
		until = next_at(p, start);
		collect(p, until);
		if (o->probe.rate > 0 && p->sent < o->probe.repeat)
			sleep_until(p, until);
		else if (p->answered == before)
			tell_silence(p);
	}
	return true;
}

// ---- the end ---------------------------------------------------------------------------------

static void sum_up_json(struct probe *p)
{
	json_t *results = json_object();

	for (unsigned i = 0; i < ARRAY_SIZE(p->results); i++)
		if (p->results[i] > 0)
			json_object_set_new(
				results, pcpc_result_name(i), json_integer(p->results[i]));
	pcpc_show_object(
		&p->x.show, json_pack("{s:s, s:I, s:I, s:I, s:o}", "status", "sum", "sent",
				    (json_int_t)p->sent, "answered", (json_int_t)p->answered,
				    "unread", (json_int_t)p->unread, "results", results));
}

static void sum_up(struct probe *p)
{
	if (p->x.options->json) {
		sum_up_json(p);
		return;
	}
	printf("%u sent, %u answered", p->sent, p->answered);
	for (unsigned i = 0; i < ARRAY_SIZE(p->results); i++)
		if (p->results[i] > 0)
			printf(", %u %s", p->results[i], pcpc_result_name(i));
	if (p->unread > 0)
		printf(", %u that cannot be read", p->unread);
	putchar('\n');
}

static enum pcpc_exit exit_of(const struct probe *p)
{
	if (p->x.options->probe.expect != PCPC_ANYTHING) {
		bool missing = p->x.options->probe.expect != PCPC_SILENCE && p->answered < p->sent;

		return p->other > 0 || missing ? PCPC_UNEXPECTED : PCPC_OK;
	}
	if (p->answered == 0)
		return PCPC_NO_ANSWER;
	return p->results[PCP_SUCCESS] == p->answered ? PCPC_OK : PCPC_REFUSED;
}

static enum pcpc_exit run_one(struct probe *p)
{
	const struct pcpc_options *o = p->x.options;
	enum pcpc_exit end = PCPC_NO_ANSWER;

	if (!build(p) || !edit(p))
		return PCPC_USAGE;
	if (run(p))
		end = exit_of(p);
	if (p->sent > 0 && (o->probe.count_only || o->probe.repeat > 1))
		sum_up(p);
	return end;
}

int pcpc_probe_run(const struct pcpc_options *o)
{
	bool only_ip4 = o->dialect == PCP_NATPMP;
	struct probe p = {.x.fd.fd = -1};
	enum pcpc_exit end = PCPC_NO_ANSWER;
	struct pcpc_servers servers;

	if (pcpc_find_servers(o, only_ip4, &servers) &&
		pcpc_exchange_open(&p.x, o, &servers.list[0], 0) == 0)
		end = run_one(&p);
	pcpc_exchange_close(&p.x);
	return end;
}
