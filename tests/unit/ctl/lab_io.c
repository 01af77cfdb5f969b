// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>

// ---- io --------------------------------------------------------------------------------------

ns io_now(const struct io *io)
{
	return io->now;
}

const struct conf *io_conf(const struct io *io)
{
	return io->conf;
}

struct conf *io_publish(struct io *io, struct conf *new_conf, ns now)
{
	struct conf *old = io->conf;

	(void)now;
	io->conf = new_conf;
	io->published++;
	return old;
}

const struct shard_epochs *io_epochs(const struct io *io)
{
	return &io->epochs;
}

void io_epoch_reset(struct io *io, uint8_t group, ns base)
{
	io->epochs.base_ns[group] = base;
	io->n_resets++;
}

struct shard *io_shard(struct io *io, uint16_t worker)
{
	cr_assert_lt(worker, LAB_WORKERS);
	return &io->shards[worker];
}

const struct io_counters *io_counters(const struct io *io, uint16_t worker)
{
	cr_assert_lt(worker, LAB_WORKERS);
	return &io->counters[worker];
}

bool io_port_info(const struct io *io, uint16_t i, struct io_port_info *info)
{
	*info = (struct io_port_info){.name = io->conf->ports[i].name,
		.device = io->conf->ports[i].device,
		.driver = "net_null",
		.mac = {2, 0, 0, 0, 0, 1},
		.link_known = !io->link_unknown,
		.link_up = !io->link_unknown,
		.mtu = 1500,
		.n_rx_queues = 1,
		.n_tx_queues = 2,
		.n_members = i == 1 ? io->n_members : 0,
		.mode = 4,
		.rx_packets = 10};
	return i < io->conf->n_ports;
}

// Members of port 1, each in another state than its neighbour.
bool io_member_info(const struct io *io, uint16_t port, uint16_t i, struct io_member_info *info)
{
	static const char *const devices[] = {"net_null1", "net_null2", "net_null3"};

	if (port != 1 || i >= io->n_members)
		return false;
	*info = (struct io_member_info){.device = devices[i % 3],
		.driver = "net_null",
		.state = (uint8_t)(i % 3),
		.speed_mbps = 10000u * i,
		.rx_packets = 100 + i,
		.tx_packets = 200 + i};
	return true;
}

bool io_worker_info(const struct io *io, uint16_t worker, struct io_worker_info *info)
{
	(void)io;
	*info = (struct io_worker_info){
		.cpu = (uint16_t)(worker + 1), .running = true, .shard_bytes = 4096};
	return worker < LAB_WORKERS;
}

void io_memory_info(const struct io *io, struct io_memory_info *info)
{
	(void)io;
	*info = (struct io_memory_info){.n_buffers = 1000, .buffers_in_use = 7};
}

uint32_t io_neighbours(
	const struct io *io, ns now, uint32_t *cursor, struct io_neighbour *out, uint32_t max)
{
	uint32_t n = 0;

	(void)now;
	for (; n < max && *cursor < io->n_neighbours; n++)
		out[n] = (struct io_neighbour){.ip = ip6_mapped(0x64400000u + *cursor),
			.age_s = 3,
			.is_static = (*cursor)++ % 50 == 0};
	if (*cursor >= io->n_neighbours)
		*cursor = 0;
	return n;
}

// ---- shards ----------------------------------------------------------------------------------

struct nat_view lab_mapping(uint16_t shard, uint32_t i)
{
	return (struct nat_view){
		.key = {.host = 0x64400000u + i / 8, // eight ports each
			.port = (uint16_t)(5000 + i % 8),
			.realm = 1,
			.protocol = i % 2 ? NAT_TCP : NAT_UDP},
		.external = {.addr = 0xcb007100u + shard, .port = (uint16_t)(1024 + i)},
		.kind = i % 2 ? NAT_EXPLICIT : NAT_IMPLICIT,
		.traffic = i % 2 == 0,
		.idle_left_s = 120,
		.lease_left_s = 3600,
		.nonce = {0xaa, 0xbb},
		.has_nonce = i % 2,
		.client = 0x64400000u + i / 8,
		.client_port = 40000,
		.client_realm = 1,
		.n_ports = i % 8 == 7 ? 4 : 1,
		.n_filters = i % 8 == 3 ? 2 : 0,
		.text_length = i % 8 == 3 ? 5 : 0,
	};
}

struct server_client lab_client(uint16_t shard, uint32_t i)
{
	return (struct server_client){.address = 0x64500000u + 1000u * shard + i,
		.realm = 1,
		.dialect = i % 2 ? PCP_NATPMP : PCP_V2,
		.port = 5350,
		.requests = (i * 7919u) % 1009u,
		.refused = i,
		.seen_s = 90};
}

static bool push(struct shard *s, const struct shard_answer *answer)
{
	if (s->head - s->tail == LAB_ANSWERS)
		return false;
	s->answers[s->head++ % LAB_ANSWERS] = *answer;
	return true;
}

static void finish(struct shard *s, int32_t error, uint32_t cursor)
{
	struct shard_answer done = {
		.kind = SHARD_DONE, .id = s->wish.id, .error = error, .cursor = cursor};

	if (push(s, &done))
		s->busy = false;
}

static bool wants(const struct shard_wish *w, const struct nat_view *v)
{
	return (w->key.host == 0 || w->key.host == v->key.host) &&
	       (w->key.protocol == 0 || w->key.protocol == v->key.protocol);
}

static uint32_t room(const struct shard *s)
{
	return LAB_ANSWERS - (s->head - s->tail);
}

// Two filters and a text hang on every eighth mapping.
static void push_detail(struct shard *s, const struct nat_view *v)
{
	struct shard_answer a = {.kind = SHARD_ROW_FILTER, .id = s->wish.id};

	for (uint16_t i = 0; i < v->n_filters; i++) {
		a.filter = (struct nat_filter){
			.address = 0xc6336400u, .bits = (uint8_t)(24 + i), .port = i};
		push(s, &a);
	}
	if (v->text_length) {
		a.kind = SHARD_ROW_TEXT;
		a.text = (struct shard_text){.length = 5, .octets = "a\033[2J"};
		push(s, &a);
	}
}

static void walk_clients(struct shard *s)
{
	uint32_t *at = &s->wish.cursor;

	for (; *at < s->n_clients && s->rows < s->wish.max && room(s) > 1; ++*at, s->rows++) {
		struct shard_answer a = {.kind = SHARD_ROW_CLIENT,
			.id = s->wish.id,
			.client = lab_client(s->id, *at)};
		push(s, &a);
	}
	if (*at == s->n_clients)
		finish(s, 0, 0);
	else if (s->rows == s->wish.max)
		finish(s, 0, *at);
}

static void walk_leases(struct shard *s)
{
	struct shard_answer a = {.kind = SHARD_ROW_MAPPING, .id = s->wish.id};

	a.mapping = lab_mapping(s->id, 1);
	a.mapping.key.host = s->wish.key.host;
	a.mapping.kind = NAT_PEER;
	a.mapping.remote = (struct recipe){.addr = 0xc6336409u, .port = 443};
	push(s, &a);
	a.kind = SHARD_ROW_TEXT;
	a.text = (struct shard_text){.length = 4, .octets = "call"};
	push(s, &a);
	finish(s, s->deed_error, 0);
}

struct nat_session_view lab_session(uint16_t shard, uint32_t i)
{
	return (struct nat_session_view){.key = {.host = 0x6440000au,
						 .port = (uint16_t)(5000 + i),
						 .realm = 1,
						 .protocol = NAT_TCP},
		.external = {0xcb007100u + shard, (uint16_t)(1024 + i)},
		.remote = {0xc6336409u, 443},
		.state = (uint8_t)(i % (NAT_STATES + 1)),
		.left_s = 100 + i};
}

static void walk_sessions(struct shard *s)
{
	uint32_t *at = &s->wish.cursor;

	for (; *at < s->n_sessions && s->rows < s->wish.max && room(s) > 1; ++*at, s->rows++) {
		struct shard_answer a = {.kind = SHARD_ROW_SESSION,
			.id = s->wish.id,
			.session = lab_session(s->id, *at)};
		push(s, &a);
	}
	if (*at == s->n_sessions)
		finish(s, s->deed_error, 0);
	else if (s->rows == s->wish.max)
		finish(s, 0, *at);
}

static void trace(struct shard *s)
{
	uint8_t protocol = s->wish.key.protocol;
	struct shard_answer a = {
		.kind = SHARD_ROW_TENANCY, .id = s->wish.id, .tenancy = s->tenancy[protocol]};

	if (s->has_tenancy[protocol])
		push(s, &a);
	finish(s, s->has_tenancy[protocol] ? 0 : -ENOENT, 0);
}

static void walk(struct shard *s)
{
	uint32_t *at = &s->wish.cursor;

	for (unsigned i = 0; i < LAB_PLACES && *at < s->n_mappings; i++, ++*at) {
		struct shard_answer a = {.kind = SHARD_ROW_MAPPING, .id = s->wish.id};
		a.mapping = lab_mapping(s->id, *at);
		if (s->wish.kind == SHARD_SHOW_SUBSCRIBERS) {
			a.kind = SHARD_ROW_SUBSCRIBER;
			a.subscriber = (struct nat_subscriber_view){
				.host = 0x64400000u + *at, .realm = 1, .n_ports = {1, 2, 3}};
		} else if (!wants(&s->wish, &a.mapping)) {
			continue;
		}
		if (s->rows == s->wish.max || room(s) <= 4 || !push(s, &a))
			break;
		s->rows++;
		if (s->wish.detail && a.kind == SHARD_ROW_MAPPING)
			push_detail(s, &a.mapping);
	}
	if (*at == s->n_mappings)
		finish(s, 0, 0);
	else if (s->rows == s->wish.max)
		finish(s, 0, *at);
}

// A clearing that takes what other hosts had asked for as third parties, one a step.
static void deed(struct shard *s)
{
	bool clears = s->wish.kind == SHARD_CLEAR_SUBSCRIBER || s->wish.kind == SHARD_CLEAR_GROUP;
	struct shard_answer a = {.kind = SHARD_LOST_CLIENT, .id = s->wish.id};

	if (clears && s->n_losers && room(s) > 1) {
		a.client = lab_client(s->id, --s->n_losers);
		push(s, &a);
		return;
	}
	a = (struct shard_answer){.kind = SHARD_DONE, .id = s->wish.id, .error = s->deed_error};
	a.mapping = (struct nat_view){.key = s->wish.key,
		.external = s->wish.external,
		.kind = s->wish.lifetime_s ? NAT_EXPLICIT : NAT_STATIC,
		.lease_left_s = s->wish.lifetime_s,
		.text_length = s->wish.text_length,
		.operators = true};
	if (push(s, &a))
		s->busy = false;
}

static void step(struct shard *s, const struct conf *conf)
{
	struct shard_answer loser = {.kind = SHARD_LOST_CLIENT};

	if (!s->stubborn)
		s->generation = conf->generation;
	for (; s->n_unasked_losers > 0; s->n_unasked_losers--) {
		loser.client = lab_client(s->id, s->n_unasked_losers - 1);
		push(s, &loser);
	}
	if (!s->busy || s->asleep)
		return;
	if (s->wish.kind == SHARD_SHOW_MAPPINGS || s->wish.kind == SHARD_SHOW_SUBSCRIBERS)
		walk(s);
	else if (s->wish.kind == SHARD_SHOW_CLIENTS)
		walk_clients(s);
	else if (s->wish.kind == SHARD_SHOW_LEASES)
		walk_leases(s);
	else if (s->wish.kind == SHARD_SHOW_SESSIONS)
		walk_sessions(s);
	else if (s->wish.kind == SHARD_TRACE)
		trace(s);
	else
		deed(s);
}

void io_poll(struct io *io, ns now)
{
	(void)now;
	io->polls++;
	io->now += io->tick;
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		step(&io->shards[i], io->conf);
}

bool shard_wish(struct shard *s, const struct shard_wish *wish)
{
	cr_assert(!s->busy, "one wish at a time");
	s->wish = s->last_wish = *wish;
	s->busy = true;
	s->rows = 0;
	s->n_wishes++;
	s->n_of_kind[wish->kind]++;
	return true;
}

bool shard_answer(struct shard *s, struct shard_answer *answer)
{
	if (s->head == s->tail)
		return false;
	*answer = s->answers[s->tail++ % LAB_ANSWERS];
	return true;
}

uint64_t shard_generation(const struct shard *s)
{
	return s->generation;
}

const struct shard_counters *shard_counters(const struct shard *s)
{
	return &s->counters;
}

const struct nat_counters *shard_nat_counters(const struct shard *s)
{
	return &s->nat;
}

// ---- NAT events ------------------------------------------------------------------------------

bool lab_event(struct lab *lab, uint16_t shard, const struct nat_event *event)
{
	struct shard *s = &lab->io.shards[shard];

	s->sequence++;
	if (s->events_head - s->events_tail == LAB_EVENTS)
		return false;
	s->events[s->events_head++ % LAB_EVENTS] =
		(struct shard_event){.at = lab->io.now, .sequence = s->sequence, .nat = *event};
	return true;
}

bool shard_event(struct shard *s, struct shard_event *event)
{
	if (s->events_head == s->events_tail)
		return false;
	*event = s->events[s->events_tail++ % LAB_EVENTS];
	return true;
}

const struct nat_group_counters *shard_group_counters(const struct shard *s, uint8_t group)
{
	return &s->groups[group];
}
