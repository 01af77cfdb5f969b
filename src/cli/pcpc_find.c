// SPDX-License-Identifier: Apache-2.0
// Which servers to ask: those that were named, otherwise those that the library's loop finds. The
// loop here only looks and follows routes; what it would send for mappings is sent by ourselves,
// because people want to see the datagrams.
#include "pcpc.h"

#include <stdlib.h>
#include <sys/random.h>

int pcpc_finder_open(struct pcpc_finder *f, const struct pcpc_options *o)
{
	struct postern_client_options options = {.max_mappings = 1};
	struct postern_loop_options where = {
		.servers = o->servers, .n_servers = o->n_servers, .ip4_first = o->prefer == 4};
	int err;

	*f = (struct pcpc_finder){0};
	if (getrandom(options.seed, sizeof options.seed, 0) != (ssize_t)sizeof options.seed)
		abort();
	err = postern_client_create(&options, &f->client);
	if (err == 0)
		err = postern_loop_create(f->client, &where, &f->loop);
	if (err == 0)
		return 0;
	if (o->n_servers > 0) { // they are known without looking; only routes are not followed
		pcpc_finder_close(f);
		return 0;
	}
	pcpc_complain("cannot look for servers: %s", strerror(-err));
	pcpc_finder_close(f);
	return -1;
}

void pcpc_finder_close(struct pcpc_finder *f)
{
	postern_loop_destroy(f->loop);
	postern_client_destroy(f->client);
	*f = (struct pcpc_finder){0};
}

int pcpc_finder_fd(const struct pcpc_finder *f)
{
	return f->loop ? postern_loop_fd(f->loop) : -1;
}

// It has no mappings, so all it ever asks is whether silent servers are there after a move.
bool pcpc_finder_follow(struct pcpc_finder *f)
{
	struct postern_event ignored;
	uint64_t sent;
	bool moved;

	if (!f->loop)
		return false;
	(void)postern_loop_run(f->loop, 0);
	while (postern_client_event(f->client, &ignored))
		;
	sent = postern_client_counters(f->client)->sent;
	moved = sent > f->sent;
	f->sent = sent;
	return moved;
}

// ---- the list --------------------------------------------------------------------------------

static bool is_ip4(const struct postern_server *server)
{
	ip6 ip;

	memcpy(ip.b, server->addresses[0].ip, sizeof ip.b);
	return ip6_is_mapped(ip);
}

static void keep_family(struct pcpc_servers *servers, bool want_ip4)
{
	unsigned n = 0;

	for (unsigned i = 0; i < servers->n; i++)
		if (is_ip4(&servers->list[i]) == want_ip4)
			servers->list[n++] = servers->list[i];
	servers->n = n;
}

static bool has_family(const struct pcpc_servers *servers, bool want_ip4)
{
	for (unsigned i = 0; i < servers->n; i++)
		if (is_ip4(&servers->list[i]) == want_ip4)
			return true;
	return false;
}

// The library numbers servers as they come and never uses a number again.
void pcpc_finder_servers(
	const struct pcpc_finder *f, const struct pcpc_options *o, struct pcpc_servers *out)
{
	enum {
		MOST_IDS = 4096 // that came and went while we run
	};
	struct postern_server_fact fact;

	out->n = 0;
	for (unsigned i = 0; !f->loop && i < o->n_servers; i++)
		out->list[out->n++] = o->servers[i];
	for (int id = 0; f->loop && id < MOST_IDS && out->n < PCPC_MAX_SERVERS; id++)
		if (postern_client_server(f->client, id, &fact))
			out->list[out->n++] = fact.server;
	if (o->n_servers == 0 && o->prefer != 0 && has_family(out, o->prefer == 4))
		keep_family(out, o->prefer == 4);
}

bool pcpc_find_servers(const struct pcpc_options *o, bool want_ip4, struct pcpc_servers *out)
{
	struct pcpc_finder finder;

	out->n = 0;
	if (pcpc_finder_open(&finder, o) < 0)
		return false;
	pcpc_finder_servers(&finder, o, out);
	pcpc_finder_close(&finder);
	if (want_ip4 && has_family(out, true))
		keep_family(out, true);
	if (out->n == 0)
		pcpc_complain("no server to ask: DHCP named none, and there is no default router; "
			      "name one with --server");
	return out->n > 0;
}

// ---- one after the other ---------------------------------------------------------------------

static enum pcpc_exit ask(
	const struct pcpc_options *o, const struct postern_server *server, pcpc_command_run *run)
{
	enum pcpc_exit end = PCPC_NO_ANSWER;

	for (unsigned i = 0; i < server->n_addresses && end == PCPC_NO_ANSWER; i++)
		end = run(o, server, i);
	return end;
}

enum pcpc_exit pcpc_ask_each(const struct pcpc_options *o, bool want_ip4, pcpc_command_run *run)
{
	struct pcpc_outcome outcome = {0};
	struct pcpc_servers servers;

	if (!pcpc_find_servers(o, want_ip4, &servers))
		return PCPC_NO_ANSWER;
	for (unsigned i = 0; i < servers.n; i++) {
		enum pcpc_exit end = ask(o, &servers.list[i], run);

		if (end == PCPC_USAGE || end == PCPC_INTERRUPTED)
			return end;
		if (o->n_servers == 0 && end != PCPC_NO_ANSWER)
			return end;
		pcpc_outcome_add(&outcome, end);
	}
	return pcpc_outcome_exit(&outcome);
}
