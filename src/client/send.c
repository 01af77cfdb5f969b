// SPDX-License-Identifier: Apache-2.0
// Everything that happens because time passed: requests, retransmissions, renewals, expiry.
#include "state.h"

static_assert(PCP_HEADER + PCP_PEER_BODY + POSTERN_OPTIONS == POSTERN_DATAGRAM &&
		      PCP_MAP_BODY + 4 < PCP_PEER_BODY,
	"whatever the options, the request fits");

static void note_sent(struct postern_client *c, struct request *r, ns now)
{
	r->wait = schedule_retry(&c->rng, r->wait);
	r->next = now + r->wait;
	r->sent = now;
	r->n_sent++;
}

static size_t write_announce(struct postern_client *c, ns now, uint8_t *out)
{
	struct pcp_message msg = {.version = PCP_VERSION,
		.dialect = PCP_V2,
		.opcode = PCP_ANNOUNCE,
		.client = c->source};

	note_sent(c, &c->announce, now);
	return pcp_encode_request(out, POSTERN_DATAGRAM, &msg);
}

static size_t write_map(struct postern_client *c, const struct mapping *m, uint8_t *out)
{
	const struct postern_mapping *want = &m->want;
	struct pcp_message msg = {
		.version = PCP_VERSION,
		.dialect = PCP_V2,
		.opcode = want->peer.port != 0 ? PCP_PEER : PCP_MAP,
		.lifetime_s = m->phase == PHASE_DELETING ? 0 : want->lifetime_s,
		.client = c->source,
		.protocol = want->protocol,
		.internal_port = want->internal_port,
		.external_port = want->external.port,
		.remote_port = want->peer.port,
	};
	size_t n;

	memcpy(msg.nonce.b, want->nonce, sizeof msg.nonce.b);
	memcpy(msg.external_ip.b, want->external.ip, sizeof msg.external_ip.b);
	memcpy(msg.remote_ip.b, want->peer.ip, sizeof msg.remote_ip.b);
	n = pcp_encode_request(out, POSTERN_DATAGRAM, &msg);
	if (want->prefer_failure)
		n = pcp_append_option(out, n, POSTERN_DATAGRAM, PCP_PREFER_FAILURE, NULL, 0);
	memcpy(out + n, want->options, want->n_options);
	return n + want->n_options;
}

// A kept mapping gets single renewal requests, each further towards its end (s.11.2.1): no
// retransmissions in between.
static void note_mapping_sent(struct postern_client *c, struct mapping *m, ns now)
{
	note_sent(c, &m->request, now);
	m->again = now + RENEWALS_APART;
	if (m->phase != PHASE_HELD)
		return;
	m->renewals++;
	m->request.next = schedule_renewal(
		&c->rng, m->granted, m->expires - m->granted, m->renewals + 1, now);
}

static void expire(struct mapping *m, int id, ns now)
{
	m->expires = NEVER;
	mapping_tell(m, POSTERN_EXPIRED, id);
	if (m->phase == PHASE_ASKING)
		return;
	if (m->want.keep)
		mapping_ask(m, later(now, m->again));
	else
		m->phase = PHASE_DONE;
}

static void conclude_remains(struct mapping *m, int id)
{
	m->phase = PHASE_DONE;
	mapping_tell(m, POSTERN_REMAINS, id)->lifetime_s = m->remains_s;
}

ns mapping_due(const struct postern_client *c, const struct mapping *m)
{
	ns at = m->request.next;

	if (m->phase == PHASE_FREE || m->phase == PHASE_DONE || at == NEVER)
		return NEVER;
	if (m->phase == PHASE_ASKING && !m->granted_once)
		at = later(at, c->no_new);
	return later(at, c->silent);
}

static void pass_time(struct mapping *m, int id, ns now)
{
	if (m->phase == PHASE_DELETING && m->remains_s > 0 && m->request.next <= now)
		conclude_remains(m, id);
	if (m->phase != PHASE_FREE && m->phase != PHASE_DONE && m->expires <= now)
		expire(m, id, now);
}

size_t postern_client_send(struct postern_client *c, uint64_t now_ns, uint8_t out[POSTERN_DATAGRAM])
{
	if (c->announce.next != NEVER && later(c->announce.next, c->silent) <= now_ns)
		return write_announce(c, now_ns, out);
	for (uint32_t i = 0; i < c->n; i++) {
		struct mapping *m = &c->mappings[i];

		pass_time(m, (int)i, now_ns);
		if (mapping_due(c, m) > now_ns)
			continue;
		note_mapping_sent(c, m, now_ns);
		return write_map(c, m, out);
	}
	return 0;
}

uint64_t postern_client_deadline(const struct postern_client *c)
{
	ns first = c->announce.next == NEVER ? NEVER : later(c->announce.next, c->silent);

	for (uint32_t i = 0; i < c->n; i++) {
		const struct mapping *m = &c->mappings[i];

		first = sooner(first, mapping_due(c, m));
		if (m->phase != PHASE_FREE && m->phase != PHASE_DONE)
			first = sooner(first, m->expires);
	}
	return first;
}
