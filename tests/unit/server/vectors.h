// SPDX-License-Identifier: Apache-2.0
// vectors.h - requests and answers octet for octet, in a world arranged for each.
#ifndef TEST_SERVER_VECTORS_H
#define TEST_SERVER_VECTORS_H

#include "world.h"

struct vector {
	const char *id, *what;
	void (*arrange)(struct world *w); // NULL: nothing stands yet
	size_t port_at;                   // where the answer has a port of our choice; 0: nowhere
	const char *request, *reply;      // reply NULL: silence
};

static inline void expect_octets(const struct vector *v, const struct world *w, size_t len)
{
	uint8_t want[PCP_MAX];
	size_t want_len = hex(v->reply, want);

	if (v->port_at > 0) {
		cr_expect((w->msg[v->port_at] | w->msg[v->port_at + 1]) != 0, "%s: no port", v->id);
		memcpy(want + v->port_at, w->msg + v->port_at, 2);
	}
	cr_expect_eq(len, want_len, "%s %s: %zu octets, not %zu", v->id, v->what, len, want_len);
	for (size_t i = 0; i < want_len && i < len; i++)
		cr_expect_eq(w->msg[i], want[i], "%s %s: octet %zu is %02x, not %02x", v->id,
			v->what, i, w->msg[i], want[i]);
}

static inline void try_vector(const struct vector *v, ip4 pool_ip, uint32_t epoch_s)
{
	struct world w;
	enum drop why;
	size_t len = 0;

	world_open_at(&w, pool_ip);
	w.asker.epoch_s = epoch_s;
	w.nat_policy.lease_limit = 300;
	if (v->arrange != NULL)
		v->arrange(&w);
	memset(w.msg, 0xee, sizeof w.msg); // what stood in the buffer must not show
	w.len = hex(v->request, w.msg);
	why = world_ask(&w, &len);
	cr_expect_eq(why == DROP_NONE, v->reply != NULL, "%s %s: %u", v->id, v->what, why);
	if (why == DROP_NONE && v->reply != NULL)
		expect_octets(v, &w, len);
	world_close(&w);
}

#endif
