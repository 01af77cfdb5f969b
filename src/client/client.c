// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>

#include "state.h"

struct postern_endpoint postern_endpoint_ip4(const uint8_t octets[4], uint16_t port)
{
	struct postern_endpoint e = {.ip = {[10] = 0xff, [11] = 0xff}, .port = port};

	memcpy(e.ip + 12, octets, 4);
	return e;
}

const char *postern_result_name(unsigned result)
{
	return pcp_result_name(result);
}

int postern_client_create(const struct postern_client_options *options, struct postern_client **out)
{
	struct postern_client *c;

	if (options->max_mappings == 0 || options->server.port == 0)
		return -EINVAL;
	c = calloc(1, sizeof *c + options->max_mappings * sizeof c->mappings[0]);
	if (!c)
		return -ENOMEM;
	c->server = options->server;
	memcpy(c->source.b, options->source, sizeof c->source.b);
	rng_init(&c->rng, options->seed);
	c->announce.next = NEVER;
	c->n = options->max_mappings;
	*out = c;
	return 0;
}

void postern_client_destroy(struct postern_client *c)
{
	free(c);
}

void request_start(struct request *r, ns at)
{
	*r = (struct request){.next = at};
}

void mapping_ask(struct mapping *m, ns at)
{
	m->phase = PHASE_ASKING;
	m->renewals = 0;
	request_start(&m->request, later(at, m->blocked));
}

struct postern_result *mapping_tell(struct mapping *m, enum postern_what what, int id)
{
	m->has_news = true;
	m->news = (struct postern_result){
		.what = what,
		.id = id,
		.protocol = m->want.protocol,
		.internal_port = m->want.internal_port,
		.external = m->want.external,
	};
	memcpy(m->news.nonce, m->want.nonce, sizeof m->news.nonce);
	return &m->news;
}

struct postern_result *server_tell(struct postern_client *c, enum postern_what what)
{
	struct postern_result *news = &c->server_news[what];

	c->told |= 1u << what;
	*news = (struct postern_result){.what = what, .id = -1};
	return news;
}

static bool take_server_news(struct postern_client *c, struct postern_result *out)
{
	int first;

	if (c->told == 0)
		return false;
	first = __builtin_ctz(c->told);
	c->told &= c->told - 1;
	*out = c->server_news[first];
	return true;
}

bool postern_client_result(struct postern_client *c, struct postern_result *out)
{
	if (take_server_news(c, out))
		return true;
	for (uint32_t i = 0; i < c->n; i++) {
		struct mapping *m = &c->mappings[i];

		if (m->phase == PHASE_FREE || !m->has_news)
			continue;
		m->has_news = false;
		*out = m->news;
		return true;
	}
	return false;
}

// ---- what to ask for -------------------------------------------------------------------------

static bool is_zero(const uint8_t *octets, size_t n)
{
	while (n > 0)
		if (octets[--n])
			return false;
	return true;
}

// "No preference" is :: or ::ffff:0.0.0.0, and the two are different requests (s.5, s.10). Whoever
// names no address means one of his own family.
static void set_family(struct postern_mapping *want, ip6 source)
{
	static const uint8_t no_ip4[4];

	if (is_zero(want->external.ip, sizeof want->external.ip) && ip6_is_mapped(source))
		want->external = postern_endpoint_ip4(no_ip4, want->external.port);
}

// A delete names only the family (s.15.1).
static void clear_external(struct postern_endpoint *external)
{
	ip6 ip;

	memcpy(ip.b, external->ip, sizeof ip.b);
	memset(external->ip + (ip6_is_mapped(ip) ? 12 : 0), 0, ip6_is_mapped(ip) ? 4 : 16);
	external->port = 0;
}

static struct mapping *find_free(struct postern_client *c)
{
	for (uint32_t i = 0; i < c->n; i++)
		if (c->mappings[i].phase == PHASE_FREE)
			return &c->mappings[i];
	return NULL;
}

static struct mapping *find_used(struct postern_client *c, int id)
{
	if (id < 0 || (uint32_t)id >= c->n || c->mappings[id].phase == PHASE_FREE)
		return NULL;
	return &c->mappings[id];
}

static void draw_nonce(struct postern_client *c, uint8_t nonce[12])
{
	for (size_t i = 0; i < 12; i += 4) {
		uint32_t word = rng_u32(&c->rng);
		memcpy(nonce + i, &word, 4);
	}
}

static void start_delete(struct mapping *m, ns now)
{
	m->want.prefer_failure = false;
	m->want.keep = false;
	options_for_delete(&m->want);
	clear_external(&m->want.external);
	m->phase = PHASE_DELETING;
	m->remains_s = 0;
	m->expires = NEVER;
	request_start(&m->request, now);
}

static bool makes_sense(const struct postern_mapping *want)
{
	if (want->wildcard ? want->internal_port != 0
			   : want->protocol == 0 || want->internal_port == 0)
		return false;
	if (want->peer.port != 0 &&
		(want->wildcard || want->prefer_failure || want->lifetime_s == 0))
		return false;
	if (want->prefer_failure && (want->external.port == 0 || want->lifetime_s == 0))
		return false;
	return want->n_options % 4 == 0 && want->n_options <= POSTERN_OPTIONS;
}

int postern_client_map(
	struct postern_client *c, const struct postern_mapping *want, uint64_t now_ns)
{
	struct mapping *m = find_free(c);

	if (!makes_sense(want))
		return -EINVAL;
	if (!m)
		return -ENOSPC;
	*m = (struct mapping){.want = *want, .expires = NEVER};
	set_family(&m->want, c->source);
	if (!want->has_nonce)
		draw_nonce(c, m->want.nonce);
	if (want->lifetime_s == 0)
		start_delete(m, now_ns);
	else
		mapping_ask(m, now_ns);
	return (int)(m - c->mappings);
}

int postern_client_renew(struct postern_client *c, int id, uint64_t now_ns)
{
	struct mapping *m = find_used(c, id);

	if (!m || m->phase == PHASE_DELETING || m->want.lifetime_s == 0)
		return -EINVAL;
	mapping_ask(m, now_ns);
	return 0;
}

int postern_client_delete(struct postern_client *c, int id, uint64_t now_ns)
{
	struct mapping *m = find_used(c, id);

	if (!m || m->want.peer.port != 0) // s.12.3: PEER can never delete
		return -EINVAL;
	start_delete(m, now_ns);
	return 0;
}

void postern_client_forget(struct postern_client *c, int id)
{
	struct mapping *m = find_used(c, id);

	if (m)
		m->phase = PHASE_FREE;
}

void postern_client_announce(struct postern_client *c, uint64_t now_ns)
{
	request_start(&c->announce, now_ns);
}

void postern_client_unreachable(struct postern_client *c)
{
	server_tell(c, POSTERN_UNREACHABLE);
}
