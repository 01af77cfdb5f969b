// SPDX-License-Identifier: Apache-2.0
// Ways to servers: one connected socket for each address of each server, anew when routes change.
// Old ones stay for farewells and late answers. Being connected tells the source address and lets
// ICMP errors through.
#include "pcpc_session.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

static bool same_endpoint(const struct postern_endpoint *a, const struct postern_endpoint *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

// ---- sockets ---------------------------------------------------------------------------------

static void close_way(struct pcpc_session *s, struct pcpc_way *way)
{
	close(way->fd);
	*way = s->ways[--s->n_ways];
}

// The oldest one that was left makes room.
static bool make_room(struct pcpc_session *s)
{
	for (unsigned i = 0; s->n_ways == PCPC_WAYS && i < s->n_ways; i++)
		if (s->ways[i].left)
			close_way(s, &s->ways[i]);
	return s->n_ways < PCPC_WAYS;
}

static struct pcpc_way *add_way(struct pcpc_session *s, const struct pcpc_way *way)
{
	if (!make_room(s)) {
		close(way->fd);
		return NULL;
	}
	s->ways[s->n_ways] = *way;
	return &s->ways[s->n_ways++];
}

static struct pcpc_way *find_way(
	struct pcpc_session *s, const struct pcpc_target *target, unsigned address)
{
	for (unsigned i = 0; i < s->n_ways; i++)
		if (s->ways[i].target == target && s->ways[i].address == address &&
			!s->ways[i].left)
			return &s->ways[i];
	return NULL;
}

static bool open_way(
	struct pcpc_session *s, struct pcpc_target *t, unsigned address, struct pcpc_way *out)
{
	const struct pcpc_options *o = s->options;
	struct postern_endpoint local;

	*out = (struct pcpc_way){.target = t, .address = address, .to = t->as.addresses[address]};
	out->fd = pcpc_open(&out->to, t->as.interface, o->has_source ? o->source : NULL,
		o->source_port, &local);
	if (out->fd < 0)
		return false;
	memcpy(out->source, local.ip, sizeof out->source);
	memcpy(out->told, o->has_client ? o->client : local.ip, sizeof out->told);
	return true;
}

// True when there is a way, the one of before or another one.
static bool follow_address(struct pcpc_session *s, struct pcpc_target *t, unsigned address)
{
	struct pcpc_way *old = find_way(s, t, address), fresh;
	bool there = open_way(s, t, address, &fresh), still_ours;

	if (there && old && memcmp(fresh.source, old->source, sizeof old->source) == 0) {
		close(fresh.fd); // the old port is the one that the server knows
		return true;
	}
	if (!there && !old)
		return false;
	still_ours = old && pcpc_is_ours(old->source);
	if (old)
		old->left = true;
	if (there)
		there = add_way(s, &fresh) != NULL;
	postern_client_source(
		s->client, t->server, address, there ? fresh.told : NULL, still_ours, pcpc_now());
	if (there && address == 0)
		memcpy(t->show.source, fresh.source, sizeof t->show.source);
	return there;
}

// ---- servers ---------------------------------------------------------------------------------

static bool same_server(const struct postern_server *a, const struct postern_server *b)
{
	return a->interface == b->interface && a->n_addresses == b->n_addresses &&
	       memcmp(a->addresses, b->addresses, a->n_addresses * sizeof a->addresses[0]) == 0;
}

static struct pcpc_target *find_target(struct pcpc_session *s, const struct postern_server *as)
{
	for (unsigned i = 0; i < s->n_targets; i++)
		if (s->targets[i].state != PCPC_WENT && same_server(&s->targets[i].as, as))
			return &s->targets[i];
	return NULL;
}

static struct pcpc_target *add_target(struct pcpc_session *s, const struct postern_server *as)
{
	struct pcpc_target *t = &s->targets[s->n_targets];
	int server;

	if (s->n_targets == PCPC_TARGETS)
		return NULL;
	server = postern_client_add_server(s->client, as, pcpc_now());
	if (server < 0)
		return NULL;
	s->n_targets++;
	*t = (struct pcpc_target){
		.as = *as,
		.server = server,
		.mapping = -1,
		.end = PCPC_NO_ANSWER,
		.memory.server = as->addresses[0],
		.show = {.options = s->options,
			.dialect = PCP_V2,
			.server = as->addresses[0],
			.origin = as->origin,
			.interface = as->interface},
	};
	return t;
}

static bool is_among(const struct pcpc_servers *servers, const struct postern_server *as)
{
	for (unsigned i = 0; i < servers->n; i++)
		if (same_server(&servers->list[i], as))
			return true;
	return false;
}

// What it held is told to be lost. A name is not used twice, so the target stays where it is.
static void drop_gone(struct pcpc_session *s, const struct pcpc_servers *servers)
{
	for (unsigned i = 0; i < s->n_targets; i++) {
		struct pcpc_target *t = &s->targets[i];

		if (t->state == PCPC_WENT || is_among(servers, &t->as))
			continue;
		for (unsigned k = s->n_ways; k-- > 0;)
			if (s->ways[k].target == t)
				close_way(s, &s->ways[k]);
		postern_client_remove_server(s->client, t->server, pcpc_now());
		t->state = PCPC_WENT;
	}
}

int pcpc_ways_follow(struct pcpc_session *s)
{
	bool moved = pcpc_finder_follow(&s->finder);
	struct pcpc_servers servers;
	int n = 0;

	pcpc_finder_servers(&s->finder, s->options, &servers);
	drop_gone(s, &servers);
	for (unsigned i = 0; i < servers.n; i++) {
		struct pcpc_target *t = find_target(s, &servers.list[i]);

		if (!t)
			t = add_target(s, &servers.list[i]);
		for (unsigned k = 0; t && k < t->as.n_addresses; k++)
			n += follow_address(s, t, k);
	}
	for (unsigned i = 0; i < s->n_targets; i++)
		s->targets[i].show.several = servers.n > 1;
	if (moved)
		postern_client_moved(s->client, pcpc_now());
	return n;
}

void pcpc_ways_listen(struct pcpc_session *s)
{
	for (unsigned i = 0; i < s->n_ways; i++) {
		struct postern_endpoint local = {.port = 0};
		ip6 ip;
		int *fd;

		memcpy(local.ip, s->ways[i].source, sizeof local.ip);
		memcpy(ip.b, local.ip, sizeof ip.b);
		fd = &s->announcements[ip6_is_mapped(ip) ? 0 : 1];
		if (*fd < 0)
			*fd = pcpc_open_announcements(&local);
	}
}

void pcpc_ways_close(struct pcpc_session *s)
{
	while (s->n_ways > 0)
		close_way(s, &s->ways[0]);
	for (size_t i = 0; i < ARRAY_SIZE(s->announcements); i++)
		if (s->announcements[i] >= 0)
			close(s->announcements[i]);
	pcpc_finder_close(&s->finder);
}

// ---- sending ---------------------------------------------------------------------------------

static enum pcp_dialect dialect_of(const uint8_t *octets)
{
	return octets[0] == PCP_VERSION ? PCP_V2 : octets[0] == 0 ? PCP_NATPMP : PCP_V1B;
}

static void show_datagram(struct pcpc_target *t, bool sent, const uint8_t *octets, size_t n)
{
	enum pcp_dialect before = t->show.dialect;

	t->show.dialect = n > 0 ? dialect_of(octets) : before;
	pcpc_show_datagram(&t->show, sent, octets, n);
	t->show.dialect = before;
}

static void note_unreachable(struct pcpc_session *s, struct pcpc_way *way)
{
	way->target->unreachable = true;
	postern_client_unreachable(s->client, &way->to, pcpc_now());
}

// One in use rather than one that was left: their sources differ, but for lies.
static struct pcpc_way *way_of(struct pcpc_session *s, const struct postern_datagram *d)
{
	struct pcpc_way *found = NULL;

	for (unsigned i = 0; i < s->n_ways; i++) {
		struct pcpc_way *way = &s->ways[i];

		if (way->target->server == d->server && same_endpoint(&way->to, &d->to) &&
			memcmp(way->told, d->source, sizeof way->told) == 0 &&
			(!found || found->left))
			found = way;
	}
	return found;
}

// What the network said about an earlier datagram is the error of the next call, which did nothing
// else and is made again.
void pcpc_ways_send(struct pcpc_session *s)
{
	struct postern_datagram d;

	while (postern_client_send(s->client, pcpc_now(), &d)) {
		struct pcpc_way *way = way_of(s, &d);

		if (!way)
			continue;
		show_datagram(way->target, true, d.octets, d.length);
		if (send(way->fd, d.octets, d.length, 0) >= 0 || !pcpc_is_unreachable(errno))
			continue;
		note_unreachable(s, way);
		(void)send(way->fd, d.octets, d.length, 0);
	}
}

// ---- receiving -------------------------------------------------------------------------------

static struct pcpc_target *sender(struct pcpc_session *s, const struct postern_endpoint *from)
{
	for (unsigned i = 0; i < s->n_targets; i++)
		for (unsigned k = 0; k < s->targets[i].as.n_addresses; k++)
			if (s->targets[i].state != PCPC_WENT &&
				same_endpoint(&s->targets[i].as.addresses[k], from))
				return &s->targets[i];
	return NULL;
}

static void take(struct pcpc_session *s, struct pcpc_target *t, const struct postern_endpoint *from,
	const struct postern_endpoint *to, const uint8_t *octets, size_t n)
{
	if (!postern_client_receive(s->client, pcpc_now(), from, to, octets, n) || !t)
		return;
	t->refused_version |= pcp_decode_version_refusal(octets, n, &t->refusal);
	t->show.server = *from;
	show_datagram(t, false, octets, n);
	memcpy(t->show.answer, octets, n);
	t->show.n_answer = n;
}

static void receive(struct pcpc_session *s, int fd, struct pcpc_way *way, const uint8_t *to_ip)
{
	struct postern_endpoint to = {.port = POSTERN_ANNOUNCE_PORT};

	memcpy(to.ip, to_ip, sizeof to.ip);
	for (;;) {
		uint8_t datagram[POSTERN_DATAGRAM + 4]; // an oversized one must not look right
		struct sockaddr_storage sa;
		socklen_t len = sizeof sa;
		ssize_t n = recvfrom(fd, datagram, sizeof datagram, 0, (void *)&sa, &len);
		struct postern_endpoint from;

		if (n < 0 && way && pcpc_is_unreachable(errno)) {
			note_unreachable(s, way);
			continue;
		}
		if (n < 0)
			return;
		from = pcpc_endpoint_of(&sa);
		if ((size_t)n <= POSTERN_DATAGRAM)
			take(s, way ? way->target : sender(s, &from), &from, &to, datagram,
				(size_t)n);
	}
}

static void receive_all(struct pcpc_session *s, const struct pollfd *fds)
{
	static const uint8_t to_all[2][16] = {
		{[10] = 0xff, [11] = 0xff, 224, 0, 0, 1}, {0xff, 2, [15] = 1}};

	for (unsigned i = 0; i < ARRAY_SIZE(s->announcements); i++)
		if (fds[1 + i].revents)
			receive(s, s->announcements[i], NULL, to_all[i]);
	for (unsigned i = 0; i < s->n_ways; i++)
		if (fds[3 + i].revents)
			receive(s, s->ways[i].fd, &s->ways[i], s->ways[i].told);
	if (fds[0].revents) // the last: it may close ways
		pcpc_ways_follow(s);
}

void pcpc_ways_wait(struct pcpc_session *s, ns until)
{
	struct pollfd fds[3 + PCPC_WAYS] = {
		{.fd = pcpc_finder_fd(&s->finder), .events = POLLIN},
		{.fd = s->announcements[0], .events = POLLIN},
		{.fd = s->announcements[1], .events = POLLIN},
	};

	for (unsigned i = 0; i < s->n_ways; i++)
		fds[3 + i] = (struct pollfd){.fd = s->ways[i].fd, .events = POLLIN};
	if (pcpc_wait(fds, 3 + s->n_ways, until, &s->waiting) > 0)
		receive_all(s, fds);
}
