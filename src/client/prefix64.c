// SPDX-License-Identifier: Apache-2.0
// The NAT64 prefixes a server tells (RFC 7225). A message that names any replaces what was known.
#include "state.h"

struct set {
	unsigned n;
	struct postern_prefix64 list[MOST_PREFIXES];
};

static struct postern_prefix64 plain(const struct pcp_prefix64 *p)
{
	struct postern_prefix64 out = {.bits = (uint8_t)(8 * p->length)};

	memcpy(out.prefix, p->octets, p->length);
	return out;
}

static void add(struct set *set, const struct pcp_prefix64 *p)
{
	struct postern_prefix64 one = plain(p);

	if (p->n == 0 && set->n < MOST_PREFIXES)
		set->list[set->n++] = one;
	for (unsigned i = 0; i < p->n && set->n < MOST_PREFIXES; i++) {
		be32 part = be32_of(p->ip4[i].address);

		one.has_ip4 = true;
		one.ip4_bits = p->ip4[i].bits;
		memcpy(one.ip4, part.b, sizeof one.ip4);
		set->list[set->n++] = one;
	}
}

static void read_all(
	struct set *set, const struct pcp_message *msg, const uint8_t *octets, size_t length)
{
	struct pcp_option options[64];
	struct pcp_prefix64 p;
	size_t n = 0;

	(void)pcp_decode_options(octets, length, msg, options, ARRAY_SIZE(options), &n);
	for (size_t i = 0; i < n; i++)
		if (options[i].code == PCP_PREFIX64 && pcp_read_prefix64(&options[i], &p))
			add(set, &p);
}

static bool same_one(const struct postern_prefix64 *a, const struct postern_prefix64 *b)
{
	return a->bits == b->bits && a->has_ip4 == b->has_ip4 && a->ip4_bits == b->ip4_bits &&
	       memcmp(a->prefix, b->prefix, sizeof a->prefix) == 0 &&
	       memcmp(a->ip4, b->ip4, sizeof a->ip4) == 0;
}

static bool is_known(const struct server *s, const struct set *set)
{
	if (set->n != s->n_prefixes)
		return false;
	for (unsigned i = 0; i < set->n; i++)
		if (!same_one(&set->list[i], &s->prefixes[i]))
			return false;
	return true;
}

void prefix64_take(
	struct server *s, const struct pcp_message *msg, const uint8_t *octets, size_t length)
{
	struct set set = {0};

	if (msg->dialect != PCP_V2 || msg->result != PCP_SUCCESS)
		return;
	read_all(&set, msg, octets, length);
	if (set.n == 0 || is_known(s, &set))
		return;
	s->n_prefixes = set.n;
	memcpy(s->prefixes, set.list, sizeof s->prefixes);
	server_tell(s, POSTERN_PREFIXES);
}

void prefix64_drop(struct server *s)
{
	if (s->n_prefixes == 0)
		return;
	s->n_prefixes = 0;
	server_tell(s, POSTERN_PREFIXES);
}

bool postern_client_prefix64(
	const struct postern_client *c, int server, unsigned i, struct postern_prefix64 *out)
{
	const struct server *s = server_find(c, server);

	if (!s || i >= s->n_prefixes)
		return false;
	*out = s->prefixes[i];
	return true;
}
