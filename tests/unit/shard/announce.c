// SPDX-License-Identifier: Apache-2.0
// Unsolicited ANNOUNCE: to whom, from where, when.
#include "check.h"

#define GROUPS                                                                                     \
	"workers: 2\n"                                                                             \
	"ports:\n"                                                                                 \
	"  inside: { device: a, addresses: [100.64.0.1/10] }\n"                                    \
	"  outside: { device: b, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"                \
	"  inside2: { device: c, addresses: [100.64.0.2/10] }\n"                                   \
	"limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6 }\n"      \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.4-203.0.113.5]\n"                                   \
	"    pcp: { listen: [198.18.0.1, gateway], port: 5351 }\n"                                 \
	"  offices:\n"                                                                             \
	"    inside: [inside2]\n"                                                                  \
	"    subscribers: [100.66.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.8-203.0.113.9]\n"                                   \
	"    pcp: { listen: [198.18.0.2, 198.18.0.3], port: 6000 }\n"                              \
	"  museums:\n"                                                                             \
	"    subscribers: [100.67.0.0/16]\n"                                                       \
	"    external-address-pool: [203.0.113.12-203.0.113.13]\n"                                 \
	"    pcp: false\n"

static bool was_sent(const struct world *w, ip4 from, uint16_t out, uint16_t port, uint32_t epoch_s)
{
	for (unsigned i = 0; i < w->n_sent; i++) {
		const struct frame *f = &w->sent[i];
		struct pcp_message m;

		cr_assert(pcp_decode_response(f->p.l3 + 28, f->p.len - 28u, &m));
		cr_assert_eq(m.opcode, PCP_ANNOUNCE);
		cr_assert_eq(m.result, PCP_SUCCESS);
		cr_assert_eq(f->p.l3[8], 1, "not to be forwarded");
		cr_assert(f->p.dst == 0xe0000001 && f->p.via == f->p.dst);
		cr_assert_eq(f->p.dport, PCP_CLIENT_PORT);
		if (f->p.src == from && f->out == out && f->p.sport == port && m.epoch_s == epoch_s)
			return true;
	}
	return false;
}

Test(announce, every_server_is_announced_once_at_start_where_its_subscribers_are)
{
	struct world w;

	world_open(&w, GROUPS);
	cr_assert(was_sent(&w, 0x64400001, 0, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120001, 0, 5351, 0));
	cr_assert(was_sent(&w, 0x64400002, 2, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120001, 2, 5351, 0));
	cr_assert(was_sent(&w, 0xc6120002, 2, 6000, 0));
	cr_assert(was_sent(&w, 0xc6120003, 2, 6000, 0));
	cr_assert_eq(w.n_sent, 6);
	world_pass(&w, 10);
	world_reload(&w, GROUPS);
	cr_assert_eq(w.n_sent, 6);
	cr_assert_eq(WORLD_COUNT(&w, announces_sent), 6);
	world_close(&w);
}

Test(announce, control_may_wish_for_one_group)
{
	struct shard_wish wish = {.kind = SHARD_ANNOUNCE, .group = 1};
	struct world w;

	world_open(&w, GROUPS);
	w.n_sent = 0;
	world_set_epoch(&w, 1, 77);
	cr_assert(shard_wish(w.shard[1], &wish));
	world_settle(&w);
	cr_assert_eq(w.n_sent, 2);
	cr_assert(was_sent(&w, 0xc6120002, 2, 6000, 77));
	cr_assert(was_sent(&w, 0xc6120003, 2, 6000, 77));
	world_close(&w);
}

Test(announce, a_group_without_pcp_has_nothing_to_say)
{
	struct shard_wish wish = {.kind = SHARD_ANNOUNCE, .group = 2};
	struct world w;

	world_open(&w, GROUPS);
	w.n_sent = 0;
	cr_assert(shard_wish(w.shard[0], &wish));
	world_settle(&w);
	cr_assert_eq(w.n_sent, 0);
	world_close(&w);
}

Test(announce, without_buffers_it_is_counted)
{
	struct shard_wish wish = {.kind = SHARD_ANNOUNCE, .group = 1};
	struct world w;

	world_open(&w, GROUPS);
	w.no_buffers = true;
	cr_assert(shard_wish(w.shard[0], &wish));
	world_settle(&w);
	cr_assert_eq(world_drops(&w, DROP_NO_BUFFER), 2);
	world_close(&w);
}
