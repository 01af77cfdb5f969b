// SPDX-License-Identifier: Apache-2.0
// What comes of a datagram: every answer is read into the promises, and an error must have left
// everything as it was.
#include "simulation_pcp.h"

// ---- the tables as control sees them ---------------------------------------------------------

static bool next_answer(struct crowd *c, uint16_t shard, struct shard_answer *a)
{
	for (unsigned i = 0; i < 1000000; i++) {
		if (shard_answer(c->w.shard[shard], a))
			return a->kind != SHARD_DONE;
		world_step(&c->w);
	}
	world_die("a wish is never granted");
}

static void begin_show(struct crowd *c, uint16_t shard, const struct shard_wish *wish)
{
	if (!shard_wish(c->w.shard[shard], wish))
		world_die("a wish is not taken");
}

static struct shard_wish show_of(enum shard_wish_kind kind)
{
	return (struct shard_wish){.kind = kind, .max = UINT32_MAX, .group = 255};
}

bool crowd_look(struct crowd *c, const struct nat_key *key, struct nat_view *view)
{
	struct shard_wish wish = show_of(SHARD_SHOW_MAPPINGS);
	uint16_t shard = conf_inside_owner(c->w.conf, key->host);
	struct shard_answer a;
	bool found = false;

	wish.key = *key;
	wish.key.port = 0; // a set is shown by its first port
	begin_show(c, shard, &wish);
	while (next_answer(c, shard, &a)) {
		uint32_t at = (uint32_t)(key->port - a.mapping.key.port);

		if (at >= a.mapping.n_ports)
			continue;
		found = true;
		*view = a.mapping;
		view->external.port = (uint16_t)(view->external.port + at);
	}
	return found;
}

// One number for all leases of a host. (What lives for its traffic may be swept while we look.)
static uint64_t sum_of(struct crowd *c, ip4 host)
{
	struct shard_wish wish = show_of(SHARD_SHOW_MAPPINGS);
	uint16_t shard = conf_inside_owner(c->w.conf, host);
	struct shard_answer a;
	uint64_t sum = 0;

	wish.key.host = host;
	wish.detail = true;
	wish.kinds = 1 << NAT_EXPLICIT | 1 << NAT_PEER;
	begin_show(c, shard, &wish);
	while (next_answer(c, shard, &a)) {
		const struct nat_view *v = &a.mapping;
		uint64_t row = a.kind;

		if (a.kind == SHARD_ROW_FILTER)
			row = hash_fold(a.filter.address ^ (uint64_t)a.filter.port << 32 ^ row,
				0x9e3779b97f4a7c15);
		if (a.kind == SHARD_ROW_MAPPING)
			row = hash_fold((uint64_t)v->external.addr << 16 ^ v->external.port ^
						(uint64_t)v->key.port << 40 ^
						(uint64_t)v->kind << 56,
				      0x9e3779b97f4a7c15 + v->lease_left_s) ^
			      hash_fold(v->nonce[0] + 256u * v->nonce[11] + v->n_ports * 65536u,
				      0xbf58476d1ce4e5b9);
		sum += row;
	}
	return sum;
}

static void audit_mapping(struct crowd *c, const struct nat_view *v, bool seen[ENDPOINTS])
{
	uint8_t protocol = v->key.protocol == NAT_UDP ? IP_UDP : IP_TCP;

	for (uint16_t i = 0; i < v->n_ports; i++) {
		struct recipe ext = {v->external.addr, (uint16_t)(v->external.port + i)};
		int e = crowd_endpoint(v->key.host, protocol, (uint16_t)(v->key.port + i));
		int other = crowd_at(c, protocol, ext);

		if (other != NOBODY && other != e)
			world_die("the table gives endpoint %d's pair to %d", other, e);
		if (e == NOBODY)
			continue;
		if (seen[e] && v->kind != NAT_RESTING)
			world_die("endpoint %d is in the table twice", e);
		seen[e] = true;
		if (crowd_holds(c, e) && (c->endpoints[e].ext.addr != ext.addr ||
						 c->endpoints[e].ext.port != ext.port))
			world_die("the table gives endpoint %d another pair", e);
		if (crowd_has_map(c, e) && v->lease_left_s + c->now_s < c->endpoints[e].map_s)
			world_die("the lease of endpoint %d, of kind %u, runs %u s and was "
				  "promised %u",
				e, v->kind, v->lease_left_s, c->endpoints[e].map_s - c->now_s);
	}
}

static void audit_subscriber(const struct nat_subscriber_view *v)
{
	if (v->n_leases > QUOTA)
		world_die("a subscriber has %u leases", v->n_leases);
}

void crowd_audit(struct crowd *c)
{
	static bool seen[ENDPOINTS];
	struct shard_answer a;
	struct shard_wish wish;

	memset(seen, 0, sizeof seen);
	for (uint16_t k = 0; k < c->w.n; k++) {
		wish = show_of(SHARD_SHOW_MAPPINGS);
		begin_show(c, k, &wish);
		while (next_answer(c, k, &a))
			audit_mapping(c, &a.mapping, seen);
		wish = show_of(SHARD_SHOW_SUBSCRIBERS);
		begin_show(c, k, &wish);
		while (next_answer(c, k, &a))
			audit_subscriber(&a.subscriber);
	}
	for (int e = 0; e < ENDPOINTS; e++) {
		if (crowd_holds(c, e) && !seen[e])
			world_die("endpoint %d is in no table", e);
	}
	world_account(&c->w);
}

bool crowd_is_leaving(struct crowd *c)
{
	struct shard_answer a;
	bool found = false;

	for (uint16_t k = 0; k < c->w.n; k++) {
		struct shard_wish wish = show_of(SHARD_SHOW_MAPPINGS);

		begin_show(c, k, &wish);
		while (next_answer(c, k, &a))
			found |= a.mapping.kind != NAT_RESTING &&
				 c->leaves >> (a.mapping.external.addr - POOL) & 1;
	}
	return found;
}

// ---- answers ---------------------------------------------------------------------------------

struct answer {
	struct pcp_message m;
	const uint8_t *msg;
	size_t len;
	int client;
	bool late; // it is read after more has happened
	bool ends; // it was asked for a lifetime of 0
};

struct said { // by the options of an answer
	ip4 host;
	uint16_t first, n;
	struct pcp_filter filters[SERVER_MAX_FILTERS];
	size_t n_filters;
};

static struct said read_options(const struct crowd *c, const struct answer *a)
{
	struct said said = {
		.host = c->parties[a->client].address, .first = a->m.internal_port, .n = 1};
	struct pcp_option options[PCP_MAX_OPTIONS];
	struct pcp_port_set set;
	ip6 host;
	size_t n;

	if (a->m.dialect == PCP_NATPMP)
		return said;
	if (pcp_decode_options(a->msg, a->len, &a->m, options, PCP_MAX_OPTIONS, &n) != PCP_SUCCESS)
		world_die("an answer's options do not read");
	for (size_t i = 0; i < n; i++) {
		if (options[i].code == PCP_THIRD_PARTY &&
			pcp_read_third_party(&a->m, &options[i], &host))
			said.host = ip6_to_ip4(host);
		if (options[i].code == PCP_FILTER && said.n_filters < SERVER_MAX_FILTERS)
			(void)pcp_read_filter(&a->m, &options[i], &said.filters[said.n_filters++]);
		if (options[i].code == PCP_PORT_SET && pcp_read_port_set(&options[i], &set)) {
			said.first = set.first;
			said.n = set.size;
		}
	}
	return said;
}

// NAT-PMP names no address in the answer to a map request: the table does.
static struct recipe external_of(struct crowd *c, const struct answer *a, ip4 host)
{
	struct nat_key key = {
		host, a->m.internal_port, 1, a->m.protocol == IP_UDP ? NAT_UDP : NAT_TCP};
	struct nat_view view;

	if (a->m.dialect != PCP_NATPMP)
		return ask_granted(&a->m);
	if (crowd_look(c, &key, &view) && view.external.port == a->m.external_port)
		return view.external;
	if (!a->late)
		world_die("NAT-PMP promises what is in no table");
	return (struct recipe){0, 0}; // cleared since that was sent
}

static int remote_of(const struct pcp_message *m)
{
	uint32_t r = ip6_to_ip4(m->remote_ip) - FAR;

	return r < REMOTES && m->remote_port == 100 + r ? (int)r : NOBODY;
}

static void read_success(struct crowd *c, const struct answer *a)
{
	struct said said = read_options(c, a);
	struct promise p = {.host = said.host,
		.protocol = a->m.protocol,
		.port = said.first,
		.n = said.n,
		.lifetime_s = a->m.lifetime_s,
		.has_nonce = a->m.dialect != PCP_NATPMP,
		.nonce = a->m.nonce,
		.client = a->client};

	if (a->m.opcode != PCP_MAP && a->m.opcode != PCP_PEER)
		return;
	if (a->m.opcode == PCP_MAP && a->ends && a->m.lifetime_s == 0)
		crowd_return(c, &p);
	if (a->ends || a->m.lifetime_s == 0) // PEER's questions; what ends this second anyway
		return;
	p.ext = external_of(c, a, said.host);
	if (p.ext.addr == 0)
		return;
	if (a->m.opcode == PCP_MAP)
		crowd_promise(c, &p, said.filters, said.n_filters);
	else
		crowd_promise_peer(c, &p, remote_of(&a->m));
}

static bool decode(const struct frame *f, struct answer *a)
{
	a->msg = f->p.l3 + 28;
	a->len = f->p.len - 28u;
	return a->msg[0] == 0 ? pcp_decode_response_in(PCP_NATPMP, a->msg, a->len, &a->m)
			      : pcp_decode_response(a->msg, a->len, &a->m);
}

// NAT-PMP hands such a request back, the Epoch's octets as they came (RFC 6886 s.3.5).
static bool is_unknown_opcode(const struct frame *f)
{
	const uint8_t *msg = f->p.l3 + 28;

	return f->p.len >= 28 + 4 && msg[0] == 0 && (msg[1] & 0x7f) > 2 && msg[3] == 5;
}

static void judge_answer(struct crowd *c, const struct frame *f, int client, bool ends)
{
	struct answer a = {.client = client, .ends = ends};

	if (f->p.dst != c->parties[client].address || f->p.dport != ASK_PORT)
		world_die("an answer goes to somebody else");
	if (f->p.len - 28u > PCP_MAX)
		world_die("an answer is longer than the RFC allows");
	if (is_unknown_opcode(f))
		return;
	if (!decode(f, &a))
		world_die("an answer does not read");
	c->results[pcp_result_index(a.m.result)]++;
	crowd_hear_epoch(c, client, a.m.epoch_s);
	if (a.m.result == PCP_SUCCESS)
		read_success(c, &a);
	c->granted += a.m.result == PCP_SUCCESS;
	c->errors += a.m.result != PCP_SUCCESS;
}

// ---- one datagram ----------------------------------------------------------------------------

struct gauges {
#define X(name, sentence) uint64_t name;
	NAT_GAUGES(X)
#undef X
};

static struct gauges read_gauges(const struct crowd *c)
{
	struct gauges g;
#define X(name, sentence) g.name = WORLD_NAT(&c->w, name);
	NAT_GAUGES(X)
#undef X
	return g;
}

// A mapping whose time was over may have gone to rest, and its block been given back, at this look
// instead of at the next sweep.
static bool are_alike(struct gauges before, struct gauges after)
{
	return after.leases == before.leases && after.filters == before.filters &&
	       after.descriptions == before.descriptions && after.addresses == before.addresses &&
	       after.mappings <= before.mappings && after.blocks <= before.blocks &&
	       after.subscribers <= before.subscribers &&
	       after.resting <= before.resting + (before.mappings - after.mappings);
}

static bool is_success(const struct frame *f)
{
	const uint8_t *msg = f->p.l3 + 28;

	return f->verdict == VERDICT_REPLY &&
	       (msg[0] == 0 ? msg[2] == 0 && msg[3] == 0 : msg[3] == 0);
}

// NAT-PMP: one answer for many mappings, of which some may be gone with an error.
static bool deletes_many(const uint8_t *msg, size_t len)
{
	static const uint8_t zeros[8] = {0};

	return len >= 12 && msg[0] == 0 && memcmp(msg + 4, zeros, 2) == 0 &&
	       memcmp(msg + 8, zeros, 4) == 0;
}

static bool asks_for_nothing(const uint8_t *msg, size_t len)
{
	static const uint8_t zeros[4] = {0};
	size_t at = len > 0 && msg[0] == 0 ? 8 : 4;

	return len >= at + 4 && memcmp(msg + at, zeros, 4) == 0;
}

// Those made without a nonce; of a vague one nobody knows, so nobody counts on it any more.
static void return_many(struct crowd *c, int client, uint8_t protocol)
{
	int first = client * 2 * PORTS_EACH;

	for (int e = first; client < HOSTS && e < first + 2 * PORTS_EACH; e++) {
		struct endpoint *one = &c->endpoints[e];
		struct promise p = {.host = c->parties[client].address,
			.protocol = protocol,
			.port = port_of(e),
			.n = 1};

		if (protocol_of(e) != protocol || !crowd_has_map(c, e) || one->has_nonce ||
			one->client == OPERATOR)
			continue;
		if (one->vague_s >= c->now_s)
			one->map_s = 0;
		else
			crowd_return(c, &p);
	}
}

void crowd_ask(struct crowd *c, int client, const uint8_t *msg, size_t len)
{
	const struct party *party = &c->parties[client];
	uint64_t sum = 0;
	struct gauges before;
	bool thorough = client < HOSTS && chance(c, 5);
	bool ends = asks_for_nothing(msg, len);
	unsigned further;
	struct frame f;

	before = read_gauges(c);
	if (thorough)
		sum = sum_of(c, party->address);
	crowd_listen(c);
	ask_octets(&c->w, DOOR, party->address, ASK_PORT, SERVER_OF(party->group), msg, len, &f);
	c->requests++;
	for (further = c->w.n_sent - c->told; c->told < c->w.n_sent; c->told++)
		judge_answer(c, &c->w.sent[c->told % CROWD_SENT], client, ends);
	if (f.verdict == VERDICT_REPLY && f.p.kind == PKT_UDP)
		judge_answer(c, &f, client, ends);
	if (deletes_many(msg, len))
		return_many(c, client, msg[1] == 1 ? IP_UDP : IP_TCP);
	else if (further > 0) // each mapping was judged for itself
		return;
	else if (!is_success(&f) && !are_alike(before, read_gauges(c)))
		world_die("an error leaves a trace: %s", f.verdict == VERDICT_DROP
								 ? drop_name(f.drop)
								 : pcp_result_name(f.p.l3[28 + 3]));
	else if (!is_success(&f) && thorough && sum != sum_of(c, party->address))
		world_die("an error changes a row");
}

// ---- unasked ---------------------------------------------------------------------------------

static void judge_unasked(struct crowd *c, const struct frame *f)
{
	struct answer a = {.client = crowd_party(f->p.dst), .late = true};
	int e;

	if (f->p.dst == 0xe0000001)
		return;
	if (a.client == NOBODY || !decode(f, &a))
		world_die("somebody is told what does not read");
	crowd_hear_epoch(c, a.client, a.m.epoch_s);
	if (a.m.opcode != PCP_MAP && a.m.opcode != PCP_PEER)
		return;
	c->updates++;
	if (a.m.result == PCP_SUCCESS) {
		read_success(c, &a);
		return;
	}
	e = crowd_endpoint(read_options(c, &a).host, a.m.protocol, a.m.internal_port);
	if (e != NOBODY && a.m.opcode == PCP_MAP && crowd_has_map(c, e) &&
		c->endpoints[e].client == a.client)
		world_die("endpoint %d is told to be lost, and stands", e);
}

void crowd_listen(struct crowd *c)
{
	if (c->w.n_sent - c->told > CROWD_SENT)
		world_die("more is said than is kept");
	for (; c->told < c->w.n_sent; c->told++)
		judge_unasked(c, &c->w.sent[c->told % CROWD_SENT]);
}

// ---- packets ---------------------------------------------------------------------------------

static bool lets_in(const struct crowd *c, const struct endpoint *e, int remote)
{
	bool in = e->n_filters == 0 || e->map_s < c->now_s || e->peer_s[remote] >= c->now_s;

	for (unsigned i = 0; i < e->n_filters && !in; i++) {
		struct prefix4 p = {
			ip6_to_ip4(e->filters[i].address), (uint8_t)(e->filters[i].prefix - 96)};

		in = prefix4_has(p, FAR + (ip4)remote) &&
		     (e->filters[i].port == 0 || e->filters[i].port == 100 + remote);
	}
	return in;
}

static struct make from_far(int endpoint, struct recipe ext, int remote)
{
	return (struct make){.src = FAR + (ip4)remote,
		.dst = ext.addr,
		.sport = (uint16_t)(100 + remote),
		.dport = ext.port,
		.protocol = protocol_of(endpoint),
		.flags = TCP_SYN,
		.payload_len = 8};
}

void crowd_probe(struct crowd *c, int endpoint)
{
	const struct endpoint *e = &c->endpoints[endpoint];
	struct nat_key key = key_of(c, endpoint);
	int remote = (int)draw(c, REMOTES);
	uint8_t packet[MAKE_MAX];
	struct frame f;

	if (e->ext.addr == 0)
		return;
	struct make m = from_far(endpoint, e->ext, remote);
	world_put(&c->w, UPLINK, packet, make_packet(packet, &m), &f);
	c->probes++;
	bool reached = f.verdict == VERDICT_PASS && f.p.dst == key.host && f.p.dport == key.port;
	if (e->vague_s >= c->now_s) // it moved with filters that nobody repeated
		return;
	if (crowd_holds(c, endpoint) && lets_in(c, e, remote) && !reached)
		world_die("endpoint %d is not reached where it was promised: %s", endpoint,
			f.verdict == VERDICT_DROP ? drop_name(f.drop) : "somebody else is");
	if (crowd_has_map(c, endpoint) && !lets_in(c, e, remote)) {
		c->filtered++;
		if (f.verdict != VERDICT_DROP || f.drop != DROP_PCP_FILTER)
			world_die("endpoint %d is reached past its filters", endpoint);
	}
	if (reached && !crowd_holds(c, endpoint) && c->now_s > e->open_s)
		world_die("endpoint %d is reached long after its end", endpoint);
}

void crowd_send(struct crowd *c, int endpoint)
{
	struct nat_key key = key_of(c, endpoint);
	int remote = (int)draw(c, REMOTES);
	struct make m = {.src = key.host,
		.dst = FAR + (ip4)remote,
		.sport = key.port,
		.dport = (uint16_t)(100 + remote),
		.protocol = protocol_of(endpoint),
		.flags = TCP_SYN,
		.payload_len = 8};
	uint8_t packet[MAKE_MAX];
	struct frame f;

	world_put(&c->w, DOOR, packet, make_packet(packet, &m), &f);
	if (f.verdict == VERDICT_PASS)
		crowd_seen_outside(c, endpoint, (struct recipe){f.p.src, f.p.sport});
	else if (crowd_holds(c, endpoint))
		world_die("endpoint %d may not send with what it was promised", endpoint);
}
