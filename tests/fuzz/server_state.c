// SPDX-License-Identifier: Apache-2.0
// The server with state under libFuzzer: datagrams of several clients, packets and passing time
// against one shard's mappings. The input is a list of steps; a datagram is raw octets, or put
// together from a few small numbers so that requests often meet on the same mappings. Beside memory
// errors it looks for broken promises: an answer is well formed and never too long, nothing is said
// twice, and an answer that says "no" has changed nothing.
#include <postern/server.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
	HOSTS = 4,
	PORTS = 6,
	GROUP = 0,
	REALM = 1,
	OTHER_REALM = 2
};

#define POOL_IP 0xcb007105u   // 203.0.113.5
#define FIRST_IP 0x6440000au  // 100.64.0.10
#define PORTAL_IP 0xc6336414u // 198.51.100.20
#define REMOTE_IP 0xc6336407u // 198.51.100.7

static const struct nat_limits limits = {.mappings = 256,
	.leases = 64,
	.filters = 6,
	.sessions = 32,
	.descriptions = 3,
	.subscribers = 16,
	.addresses = 1,
	.port_set_min = 32};
static const struct nat_timers timers = {.udp = 300,
	.udp_initial = 300,
	.udp_unanswered = 300,
	.tcp_idle = 7440,
	.tcp_trans_open = 240,
	.tcp_trans_close = 240,
	.tcp_rst = 240,
	.icmp = 60,
	.hold_down = 120,
	.pcp_hold_down = 120};
static const struct nat_policy nat_policy = {.port_set_size = 32,
	.block_limit = 3,
	.port_limit = 64,
	.lease_limit = 8,
	.filter_limit = 2};
static const struct prefix4 portals[] = {{PORTAL_IP, 32}};
static const struct server_id ids[] = {{1, {7}, OTHER_REALM}, {1, {8}, REALM}};
static const struct pcp_prefix64 prefix64 = {.length = 12, .octets = {0, 0x64, 0xff, 0x9b}};

struct world {
	struct nat *nat;
	struct server_clients *clients;
	struct server_policy policy;
	struct server_counters counters;
	uint32_t now_s;
	bool sent_more;
};

static void check(bool promise)
{
	if (!promise)
		abort();
}

// ---- the input -------------------------------------------------------------------------------

static uint8_t next_u8(struct reader *r)
{
	return reader_left(r) > 0 ? read_u8(r) : 0;
}

static uint16_t next_u16(struct reader *r)
{
	uint16_t high = next_u8(r);

	return (uint16_t)(high << 8 | next_u8(r));
}

// ---- a fingerprint of everything that a request could change -----------------------------------

struct print {
	const struct world *w;
	uint64_t sum; // of all items: their order does not matter
};

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15u;
	return h ^ h >> 29;
}

static uint64_t mix_octets(uint64_t h, const uint8_t *octets, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = mix(h, octets[i]);
	return h;
}

static uint64_t print_extras(const struct print *p, const struct nat_key *key, uint64_t h)
{
	struct nat_filter filters[SERVER_MAX_FILTERS];
	uint8_t text[NAT_DESCRIPTION];
	uint32_t n = nat_lease_filters(p->w->nat, key, filters, ARRAY_SIZE(filters));

	for (uint32_t i = 0; i < n; i++)
		h = mix(mix(h, filters[i].address),
			(uint64_t)filters[i].bits << 16 | filters[i].port);
	n = nat_lease_text(p->w->nat, key, text, sizeof text);
	return mix_octets(h, text, n);
}

static uint64_t print_view(const struct nat_view *v)
{
	uint64_t h = mix(v->key.host,
		(uint64_t)v->key.port << 16 | (uint64_t)v->key.realm << 8 | v->key.protocol);

	h = mix(h, (uint64_t)v->external.addr << 16 | v->external.port);
	h = mix(h, (uint64_t)v->kind << 40 | (uint64_t)v->group << 32 | v->idle_left_s);
	h = mix(h, (uint64_t)v->lease_left_s << 16 | v->n_ports);
	h = mix_octets(h, v->nonce, sizeof v->nonce);
	h = mix(h, (uint64_t)v->client << 16 | v->client_port);
	h = mix(h, (uint64_t)v->dialect << 8 | v->client_realm);
	h = mix(h, (uint64_t)v->third_party << 4 | (uint64_t)v->exact << 3 |
			   (uint64_t)v->has_nonce << 2 | (uint64_t)v->traffic << 1 | v->moved);
	h = mix(h, (uint64_t)v->n_filters << 8 | v->text_length);
	return mix(h, (uint64_t)v->remote.addr << 16 | v->remote.port);
}

static bool see_mapping(void *ctx, const struct nat_view *view)
{
	struct print *p = ctx;

	// An outbound flow whose time is over is taken away when somebody next looks.
	if (view->kind != NAT_IMPLICIT || view->traffic)
		p->sum += print_extras(p, &view->key, print_view(view));
	return true;
}

static bool see_lease(void *ctx, const struct nat_view *view)
{
	struct print *p = ctx;

	p->sum += 3 * print_view(view);
	return true;
}

static bool see_subscriber(void *ctx, const struct nat_subscriber_view *s)
{
	struct print *p = ctx;
	uint64_t h = mix(s->host, (uint64_t)s->realm << 8 | s->group);
	uint32_t cursor = 0;

	h = mix(mix(h, s->external), s->n_leases); // ports and blocks may have been waiting to go
	p->sum += mix(h, s->epoch_base_s);
	while (!nat_lease_walk(
		p->w->nat, s->realm, s->host, &cursor, 64, p->w->now_s, see_lease, p))
		;
	return true;
}

static uint64_t print_of(const struct world *w)
{
	struct print p = {.w = w};
	uint32_t cursor = 0;

	while (!nat_walk_mappings(w->nat, &cursor, 4096, w->now_s, see_mapping, &p))
		;
	cursor = 0;
	while (!nat_walk_subscribers(w->nat, &cursor, 4096, see_subscriber, &p))
		;
	return p.sum;
}

// ---- promises --------------------------------------------------------------------------------

static void check_options(const uint8_t *msg, size_t len, const struct pcp_message *m)
{
	struct pcp_option options[PCP_MAX_OPTIONS];
	size_t n;

	check(pcp_decode_options(msg, len, m, options, ARRAY_SIZE(options), &n) == PCP_SUCCESS);
}

static void check_reply(const uint8_t *msg, size_t len)
{
	struct pcp_message m;

	check(len >= 4 && len <= PCP_MAX && (msg[1] & 0x80) != 0 && msg[0] <= PCP_VERSION);
	if (msg[0] == 0) // RFC 6886 s.3.5: an unknown opcode's request goes back as long as it came
		return;
	check(len >= 12 && len % 4 == 0);
	if (msg[0] != PCP_VERSION)
		return;
	check(pcp_decode_response(msg, len, &m));
	if (m.result == PCP_SUCCESS)
		check_options(msg, len, &m);
}

static void take_more(void *ctx, const uint8_t *msg, size_t len)
{
	struct world *w = ctx;

	w->sent_more = true;
	check_reply(msg, len);
}

// A mapping that was just granted is there.
static void check_granted(const struct world *w, ip4 source, const uint8_t *msg, size_t len)
{
	struct nat_key key = {.host = source, .realm = REALM}, to;
	struct pcp_option options[PCP_MAX_OPTIONS];
	struct pcp_message m;
	size_t n;

	if (msg[0] != PCP_VERSION || !pcp_decode_response(msg, len, &m) || m.opcode != PCP_MAP ||
		m.lifetime_s == 0 || m.external_port == 0)
		return;
	if (pcp_decode_options(msg, len, &m, options, ARRAY_SIZE(options), &n) != PCP_SUCCESS)
		return;
	for (size_t i = 0; i < n; i++)
		if (options[i].code == PCP_THIRD_PARTY || options[i].code == PCP_PORT_SET)
			return;
	key.protocol = m.protocol == IP_UDP ? NAT_UDP : NAT_TCP;
	check(nat_peek_in(w->nat, key.protocol,
		(struct recipe){ip6_to_ip4(m.external_ip), m.external_port}, &to));
	check(to.host == source && to.port == m.internal_port && to.realm == REALM);
}

// ---- steps -----------------------------------------------------------------------------------

static struct server_asker asker_of(struct world *w, uint8_t who, uint8_t how)
{
	bool portal = who % (HOSTS + 1) == HOSTS;
	struct server_asker asker = {.source = portal ? PORTAL_IP : FIRST_IP + who % (HOSTS + 1),
		.port = (uint16_t)(5000 + who),
		.realm = REALM,
		.group = GROUP,
		.authorized = how != 1,
		.stranger = portal,
		.have_external = how != 2,
		.may_create = how != 3,
		.epoch_s = w->now_s - 1000};

	(void)server_client_admit(
		w->clients, &w->policy, REALM, asker.source, w->now_s * NS_PER_S, &asker.client);
	return asker;
}

static void ask(struct world *w, struct server_asker *asker, uint8_t *msg, size_t len)
{
	struct server_more more = {.ctx = w, .send = take_more};
	uint64_t before = print_of(w);
	bool natpmp = len > 0 && msg[0] == 0;
	bool deletes = len >= 8 && (msg[4] | msg[5] | msg[6] | msg[7]) == 0; // or only asks
	enum pcp_result result = PCP_SUCCESS;
	size_t reply_len = 0;
	enum drop why;

	w->sent_more = false;
	asker->has_target = server_find_target(
		&w->policy, asker, msg, len, &asker->target, &asker->target_realm);
	asker->target_ok = asker->target - FIRST_IP < HOSTS;
	why = server_answer(w->nat, &nat_policy, &w->policy, asker, msg, len, w->now_s,
		&w->counters, &more, &reply_len, &result);
	if (why == DROP_NONE)
		check_reply(msg, reply_len);
	// RFC 6886 s.3.4 alone deletes some and then says that it could not delete all.
	if ((why != DROP_NONE || result != PCP_SUCCESS) && !w->sent_more && !natpmp)
		check(print_of(w) == before);
	if (why == DROP_NONE && result == PCP_SUCCESS && !asker->has_target && !deletes)
		check_granted(w, asker->source, msg, reply_len);
}

static void step_raw(struct world *w, struct reader *r)
{
	static uint8_t msg[4096];
	uint8_t who = next_u8(r), how = next_u8(r) % 16;
	struct server_asker asker = asker_of(w, who, how);
	size_t len = next_u16(r) % 1300, have = reader_left(r);

	memset(msg, 0xee, sizeof msg);
	if (len > have)
		len = have;
	read_bytes(r, msg, len);
	ask(w, &asker, msg, len);
}

static ip6 pick_external(uint8_t pick)
{
	switch (pick % 4) {
	case 0:
		return ip6_mapped(POOL_IP);
	case 1:
		return (ip6){{0}};
	case 2:
		return (ip6){{0x20, 1}};
	default:
		return ip6_mapped(0);
	}
}

static const uint32_t lifetimes[] = {0, 1, 120, 600, 3600, 86400, UINT32_MAX, 0};

static struct pcp_message pick_message(struct reader *r, ip4 source)
{
	static const uint16_t opcodes[] = {PCP_MAP, PCP_MAP, PCP_PEER, PCP_ANNOUNCE, PCP_GET,
		PCP_EXTERNAL_ADDRESS, PCP_MAP, PCP_PEER};
	static const uint8_t protocols[] = {IP_TCP, IP_UDP, 0, 132};
	uint8_t shape = next_u8(r), what = next_u8(r), where = next_u8(r);
	struct pcp_message m = {
		.dialect = shape % PCP_DIALECTS,
		.opcode = opcodes[shape / 8 % 8],
		.lifetime_s = lifetimes[what % 8],
		.client = ip6_mapped(source),
		.nonce = {{what >> 6}},
		.protocol = protocols[what / 8 % 4 < 2 ? what / 8 % 2 : what / 8 % 4],
		.internal_port =
			where % (PORTS + 1) == PORTS ? 0 : (uint16_t)(8000 + where % (PORTS + 1)),
		.external_port = where & 0x40 ? (uint16_t)(9000 + where % 8) : 0,
		.external_ip = pick_external(where >> 4),
		.remote_port = (uint16_t)(443 + where % 3),
		.remote_ip = ip6_mapped(REMOTE_IP),
	};

	m.version = m.dialect == PCP_V2 ? 2 : m.dialect != PCP_NATPMP;
	return m;
}

static size_t add_option(
	struct reader *r, uint8_t *msg, size_t at, const struct pcp_message *m, uint8_t code)
{
	struct pcp_filter filter = {
		.prefix = (uint8_t)(96 + next_u8(r) % 33), .address = ip6_mapped(REMOTE_IP)};
	struct pcp_port_set set = {.size = next_u8(r) % 12, .parity = filter.prefix % 2};
	struct pcp_next next = {.end = set.size % 2, .protocol = set.size % 3 ? 0 : IP_TCP};
	uint8_t data[16];

	for (size_t i = 0; i < sizeof data; i++)
		data[i] = (uint8_t)('a' + i);
	switch (code % 11) {
	case 0:
		return pcp_append_third_party(
			msg, at, PCP_MAX, m, ip6_mapped(FIRST_IP + set.size % (HOSTS + 1)));
	case 1:
		return pcp_append_option(msg, at, PCP_MAX, PCP_PREFER_FAILURE, NULL, 0);
	case 2:
		return pcp_append_filter(msg, at, PCP_MAX, m, &filter);
	case 3:
		memset(data, 0, sizeof data);
		filter = (struct pcp_filter){.prefix = 0};
		return pcp_append_filter(msg, at, PCP_MAX, m, &filter);
	case 4:
		return pcp_append_option(msg, at, PCP_MAX, PCP_DESCRIPTION, data, set.size);
	case 5:
		return pcp_append_port_set(msg, at, PCP_MAX, &set);
	case 6:
		return pcp_append_prefix64(msg, at, PCP_MAX, &prefix64);
	case 7:
		data[0] = (uint8_t)(7 + set.size % 3);
		return pcp_append_option(msg, at, PCP_MAX, PCP_THIRD_PARTY_ID, data, 1);
	case 8:
		return pcp_append_next(msg, at, PCP_MAX, &next);
	case 9:
		return pcp_append_option(msg, at, PCP_MAX, PCP_PORT_RESERVATION, NULL, 0);
	default:
		return pcp_append_option(msg, at, PCP_MAX, next_u8(r), data, set.size);
	}
}

static void step_built(struct world *w, struct reader *r)
{
	static uint8_t msg[4096];
	uint8_t who = next_u8(r), how = next_u8(r);
	struct server_asker asker = asker_of(w, who, how >> 4);
	struct pcp_message m = pick_message(r, asker.source);
	size_t len, end;

	memset(msg, 0xee, sizeof msg);
	len = pcp_encode_request(msg, PCP_MAX, &m);
	for (unsigned i = 0; len > 0 && i < how % 4u && m.dialect != PCP_NATPMP; i++) {
		end = add_option(r, msg, len, &m, next_u8(r));
		len = end > 0 ? end : len;
	}
	if (len > 0)
		ask(w, &asker, msg, len);
}

static void step_time(struct world *w, struct reader *r)
{
	uint32_t seconds = next_u8(r);

	seconds = seconds > 250 ? seconds * 20 : seconds % 16;
	while (seconds-- > 0) {
		w->now_s++;
		while (nat_step(w->nat, w->now_s))
			;
	}
}

static void step_packet(struct world *w, struct reader *r)
{
	uint8_t who = next_u8(r), what = next_u8(r);
	struct nat_out p = {.key = {.host = FIRST_IP + who % HOSTS,
				    .port = (uint16_t)(8000 + what % PORTS),
				    .realm = REALM,
				    .protocol = what & 0x80 ? NAT_UDP : NAT_TCP},
		.tcp_flags = TCP_ACK};

	if (nat_find_out(w->nat, &p, 1, w->now_s) == 0)
		(void)nat_create(w->nat, &nat_policy, GROUP, &p, w->now_s);
}

static void step_policy(struct world *w, struct reader *r)
{
	uint8_t bits = next_u8(r);

	w->policy.early_delete = (bits & 1) != 0;
	w->policy.any_nonce = (bits & 2) != 0;
	w->policy.companion = (bits & 4) != 0;
	w->policy.third_party.id_required = (bits & 8) != 0;
	w->policy.port_set_max = bits & 16 ? 4 : NAT_SET_MAX;
	w->policy.description_max = bits & 32 ? 5 : NAT_DESCRIPTION;
}

// ---- the run ---------------------------------------------------------------------------------

// Taken once and cleared for each input: most of the time goes into that.
static void *room_of(void **mem, size_t size)
{
	size = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
	if (*mem == NULL)
		*mem = aligned_alloc(CACHE_LINE, size);
	check(*mem != NULL);
	memset(*mem, 0, size);
	return *mem;
}

static void world_open(struct world *w)
{
	struct nat_address pool = {
		.ip = POOL_IP, .port_first = 8992, .port_last = 9311, .port_set_size = 32};
	struct nat_key fixed = {
		.host = FIRST_IP, .port = 8002, .realm = REALM, .protocol = NAT_TCP};
	static void *nat_mem, *clients_mem;
	struct rng seed;

	rng_init_u64(&seed, 6887);
	*w = (struct world){.now_s = 1000};
	w->nat = nat_init(room_of(&nat_mem, nat_size(&limits)), &limits, &seed, w->now_s);
	w->clients = server_clients_init(room_of(&clients_mem, server_clients_size(4)), 4, &seed);
	nat_set_timers(w->nat, &timers);
	nat_set_policy(w->nat, GROUP, &nat_policy);
	check(nat_address_add(w->nat, &pool) == 0);
	check(nat_static_add(w->nat, &fixed, (struct recipe){POOL_IP, 80}, false, w->now_s) == 0);
	w->policy = (struct server_policy){.enabled = true,
		.dialects = (1u << PCP_DIALECTS) - 1,
		.opcodes = (1u << SERVER_OTHER_OPCODE) - 1,
		.options = (1u << PCP_OTHER_OPTION) - 1,
		.lifetime_min_s = 120,
		.lifetime_max_s = 86400,
		.description_max = NAT_DESCRIPTION,
		.port_set_max = NAT_SET_MAX,
		.probe_rate = 1,
		.probe_burst = 8,
		.third_party = {{1, portals}, ARRAY_SIZE(ids), ids, false},
		.n_prefix64 = 1,
		.prefix64 = &prefix64};
}

static void step(struct world *w, struct reader *r)
{
	switch (read_u8(r) % 8) {
	case 0:
	case 1:
		step_raw(w, r);
		break;
	case 2:
		step_time(w, r);
		break;
	case 3:
		step_packet(w, r);
		break;
	case 4:
		step_policy(w, r);
		break;
	default:
		step_built(w, r);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader r = {.at = data, .end = data + size};
	struct world w;

	world_open(&w);
	while (reader_left(&r) > 0)
		step(&w, &r);
	return 0;
}
