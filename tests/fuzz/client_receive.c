// SPDX-License-Identifier: Apache-2.0
// The client under libFuzzer, with its state: the input is a small program of what the caller, the
// clock and whoever answers do. Answers may be any octets, or the last request turned into its
// answer and then spoilt, so that nonces fit. Beside memory errors it looks for broken promises: a
// deadline that does not move, more requests at one time than there are facts, a plan out of order,
// counters that do not add up, and a text of facts that the next run cannot load.
#include <postern/client.h>
#include <postern/pcp.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MAPPINGS 6

struct script {
	struct reader r;
	struct postern_client *client;
	ns now;
	int servers[2];
	struct postern_datagram last;
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

static struct postern_endpoint at(uint8_t net, uint8_t host)
{
	uint8_t octets[4] = {10, 0, net, host};

	return postern_endpoint_ip4(octets, POSTERN_SERVER_PORT);
}

// ---- what the caller does --------------------------------------------------------------------

static void add_server(struct script *s, unsigned i)
{
	struct postern_server as = {.origin = i == 0 ? POSTERN_ROUTER : POSTERN_ANYCAST,
		.n_addresses = 1 + i,
		.addresses = {at((uint8_t)i, 1), at((uint8_t)i, 2)}};
	int id = postern_client_add_server(s->client, &as, s->now);

	if (id < 0)
		return;
	s->servers[i] = id;
	for (unsigned k = 0; k <= i; k++) {
		struct postern_endpoint us = at(9, 9);

		postern_client_source(s->client, id, k, us.ip, false, s->now);
	}
}

static void change_source(struct script *s, uint8_t how)
{
	struct postern_endpoint us = at(9, how & 4 ? 9 : 10);

	postern_client_source(s->client, s->servers[how & 1], how >> 1 & 1, how & 8 ? NULL : us.ip,
		how & 16, s->now);
}

static void map(struct script *s, uint8_t how)
{
	struct postern_mapping m = {.protocol = how & 1 ? 17 : 6,
		.internal_port = (uint16_t)(1000 + (how >> 1 & 3)),
		.lifetime_s = how & 8 ? 60 : 3600,
		.keep = how & 16,
		.server = how & 32 ? POSTERN_ALL_SERVERS : s->servers[how & 1],
		.importance = how & 3};
	struct postern_endpoint host = at(7, 7);

	if (how & 64)
		postern_mapping_add_port_set(&m, 8, false);
	if (how & 128)
		postern_mapping_add_third_party(&m, host.ip);
	if ((how & 0x60) == 0)
		m.peer = at(3, 3);
	check(postern_client_map(s->client, &m, s->now) < MAPPINGS);
}

static void ask(struct script *s, uint8_t how)
{
	int id = how >> 3 & 7, server = s->servers[how >> 6 & 1];

	switch (how & 7) {
	case 0:
		postern_client_renew(s->client, id, s->now);
		break;
	case 1:
		postern_client_delete(s->client, id, s->now);
		break;
	case 2:
		postern_client_forget(s->client, id);
		break;
	case 3:
		postern_client_announce(s->client, server, s->now);
		break;
	case 4:
		postern_client_get(s->client, server, 0, s->now);
		break;
	case 5:
		postern_client_moved(s->client, s->now);
		break;
	case 6:
		postern_client_remove_server(s->client, server, s->now);
		break;
	default:
		add_server(s, how >> 6 & 1);
	}
}

// ---- what the clock does ---------------------------------------------------------------------

static void send_all(struct script *s)
{
	unsigned n = 0;

	while (postern_client_send(s->client, s->now, &s->last)) {
		check(s->last.length > 0 && s->last.length <= sizeof s->last.octets);
		check(++n < 64);
	}
	check(postern_client_deadline(s->client) > s->now);
}

static void sleep_for(struct script *s, uint8_t how)
{
	uint64_t next = postern_client_deadline(s->client);

	if (how & 128)
		s->now += (how & 127) * NS_PER_S;
	else if (next != POSTERN_NEVER && next > s->now)
		s->now = next;
	send_all(s);
}

static void look(struct script *s)
{
	struct postern_event e;
	struct postern_action a;
	struct postern_fact f;
	uint64_t before = 0;
	uintptr_t cursor = 0;

	while (postern_client_event(s->client, &e))
		check(e.id >= -1 && e.id < MAPPINGS);
	while (postern_client_action(s->client, &cursor, &a)) {
		check(a.at_ns >= before);
		before = a.at_ns;
	}
	for (cursor = 0; postern_client_fact(s->client, &cursor, &f);)
		check(f.id < MAPPINGS && f.state <= POSTERN_STATE_ENDED);
}

// ---- what the network does -------------------------------------------------------------------

static void deliver(struct script *s, uint8_t how, const uint8_t *octets, size_t length)
{
	struct postern_endpoint from = s->last.to, to = at(9, how & 1 ? 10 : 9);
	uint8_t *copy;

	if (how & 2)
		from = at(how >> 2 & 1, how >> 3 & 3);
	if (how & 32)
		memcpy(to.ip, s->last.source, sizeof to.ip);
	if ((how & 0xc0) == 0xc0) {
		uint8_t all[4] = {224, 0, 0, 1};

		to = postern_endpoint_ip4(all, POSTERN_ANNOUNCE_PORT);
	}
	copy = malloc(length + 1);
	check(copy != NULL);
	memcpy(copy + 1, octets, length); // so that a read beyond is one beyond the block
	(void)postern_client_receive(s->client, s->now, &from, &to, copy + 1, length);
	free(copy);
}

static void answer(struct script *s, uint8_t how)
{
	uint8_t msg[POSTERN_DATAGRAM + 64] = {0};
	size_t length = s->last.length;

	memcpy(msg, s->last.octets, length);
	msg[1] |= 0x80;
	msg[3] = how & 4 ? read_u8(&s->r) : 0;
	msg[10] = (uint8_t)(s->now / NS_PER_S >> 8);
	msg[11] = (uint8_t)(s->now / NS_PER_S);
	if (how & 8)
		msg[read_u8(&s->r)] = read_u8(&s->r);
	if (how & 16 && length + 56 <= sizeof msg && reader_left(&s->r) >= 56) {
		read_bytes(&s->r, msg + length, 56);
		length += 56;
	}
	deliver(s, 32, msg, length);
}

static void noise(struct script *s, uint8_t how)
{
	uint8_t msg[256];
	size_t length = read_u8(&s->r);

	if (length > reader_left(&s->r))
		length = reader_left(&s->r);
	read_bytes(&s->r, msg, length);
	deliver(s, how, msg, length);
}

// ---- the next run ----------------------------------------------------------------------------

static struct postern_client *create(void)
{
	struct postern_client_options o = {.seed = {1}, .max_mappings = MAPPINGS};
	struct postern_client *client = NULL;

	check(postern_client_create(&o, &client) == 0);
	return client;
}

static void start_over(struct script *s)
{
	size_t size = postern_client_save(s->client, s->now, 1000, NULL, 0);
	char *text = malloc(size + 1);
	unsigned skipped;

	check(text != NULL);
	check(postern_client_save(s->client, s->now, 1000, text, size + 1) == size);
	postern_client_destroy(s->client);
	s->client = create();
	add_server(s, 0);
	add_server(s, 1);
	check(postern_client_load(s->client, text, size, s->now, 1001, &skipped) == 0);
	free(text);
}

static void step(struct script *s)
{
	uint8_t what = read_u8(&s->r), how = read_u8(&s->r);

	switch (what & 7) {
	case 0:
		map(s, how);
		break;
	case 1:
		ask(s, how);
		break;
	case 2:
		change_source(s, how);
		break;
	case 3:
		sleep_for(s, how);
		break;
	case 4:
		answer(s, how);
		break;
	case 5:
		noise(s, how);
		break;
	case 6:
		postern_client_unreachable(s->client, &s->last.to, s->now);
		break;
	default:
		if (how == 0x55)
			start_over(s);
	}
	send_all(s);
	look(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct script s = {
		.r = {.at = data, .end = data + size}, .now = 1000 * NS_PER_S, .client = create()};
	const struct postern_client_counters *c;

	add_server(&s, 0);
	add_server(&s, 1);
	while (reader_left(&s.r) > 1)
		step(&s);
	c = postern_client_counters(s.client);
	check(c->received ==
		c->taken + c->malformed + c->not_asked + c->other_nonce + c->not_from_server);
	postern_client_destroy(s.client);
	return 0;
}
