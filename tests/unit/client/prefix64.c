// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct pcp_prefix64 whole = {.length = 12, .octets = {0, 0x64, 0xff, 0x9b}};

// An announcement that names these prefixes.
static bool announce(struct world *w, const struct pcp_prefix64 *p, unsigned n)
{
	struct pcp_message m = {.dialect = PCP_V2, .opcode = PCP_ANNOUNCE};
	struct postern_endpoint all = world_ip4(224, 0, 0, 1);
	uint8_t msg[PCP_MAX];
	size_t len = pcp_success_reply(msg, &m, 0, world_epoch(w, &w->servers[0]));

	for (unsigned i = 0; i < n; i++)
		len = pcp_append_prefix64(msg, len, sizeof msg, &p[i]);
	return postern_client_receive(w->client, w->now, &w->servers[0].at[0], &all, msg, len);
}

static bool at(struct world *w, unsigned i, struct postern_prefix64 *out)
{
	return postern_client_prefix64(w->client, w->servers[0].id, i, out);
}

Test(client, rfc7225_a_mapping_asks_for_prefixes_and_the_answer_tells_them)
{
	struct postern_mapping m = world_want();
	struct postern_prefix64 p;
	uint8_t msg[PCP_MAX];
	struct world w;
	size_t len;

	world_init(&w, 1);
	cr_assert_eq(postern_mapping_add_prefix64(&m), 0);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_exchange(&w);
	cr_assert_eq(w.servers[0].last_n_options, 1);
	cr_expect_eq(w.servers[0].last_options[0].code, PCP_PREFIX64);
	cr_expect_eq(w.servers[0].last_options[0].length, 14);
	len = world_grant(&w, &w.servers[0], msg);
	len = pcp_append_prefix64(msg, len, sizeof msg, &whole);
	cr_expect(world_deliver(&w, &w.servers[0], msg, len));
	world_news(&w, POSTERN_PREFIXES);
	world_news(&w, POSTERN_MAPPED);
	cr_assert(at(&w, 0, &p));
	cr_expect_eq(p.bits, 96);
	cr_expect_eq(p.prefix[1], 0x64);
	cr_expect_not(p.has_ip4);
	cr_expect_not(at(&w, 1, &p));
	world_fini(&w);
}

Test(client, rfc7225_lists_decide_by_destination_and_a_new_set_replaces_the_old)
{
	struct pcp_prefix64 lists[2] = {{.length = 7,
						.octets = {0x20, 1},
						.n = 2,
						.ip4 = {{24, 0xc0000200}, {8, 0x0a000000}}},
		{.length = 6, .octets = {0x20, 2}, .n = 1, .ip4 = {{24, 0xc6336400}}}};
	struct postern_prefix64 p;
	struct world w;

	world_init(&w, 1);
	cr_expect(announce(&w, lists, 2));
	world_news(&w, POSTERN_PREFIXES);
	cr_assert(at(&w, 1, &p));
	cr_expect(p.has_ip4 && p.ip4_bits == 8 && p.ip4[0] == 10 && p.bits == 56);
	cr_assert(at(&w, 2, &p));
	cr_expect(p.ip4_bits == 24 && p.ip4[0] == 198 && p.bits == 48);
	cr_expect(announce(&w, lists, 2));
	world_no_news(&w);
	cr_expect(announce(&w, NULL, 0), "one that names none says nothing about them");
	cr_expect(at(&w, 2, &p));
	cr_expect(announce(&w, &whole, 1));
	world_news(&w, POSTERN_PREFIXES);
	cr_expect(at(&w, 0, &p) && p.bits == 96);
	cr_expect_not(at(&w, 1, &p));
	world_fini(&w);
}

Test(client, rfc7225_the_prefixes_go_with_their_server)
{
	struct postern_mapping m = world_want();
	struct postern_prefix64 p;
	struct world w;

	world_init(&w, 1);
	cr_expect(announce(&w, &whole, 1));
	world_news(&w, POSTERN_PREFIXES);
	w.servers[0].silent = true;
	postern_client_map(w.client, &m, w.now);
	world_pass(&w, 100);
	cr_expect_not(at(&w, 0, &p));
	world_news(&w, POSTERN_PREFIXES);
	world_news(&w, POSTERN_SERVER_GONE);
	world_fini(&w);
}

Test(client, more_prefixes_than_fit_are_cut)
{
	struct pcp_prefix64 p[4] = {{.n = 0}};
	struct postern_prefix64 out;
	struct world w;

	for (unsigned i = 0; i < 4; i++) {
		p[i] = (struct pcp_prefix64){.length = 12, .octets = {0x20, (uint8_t)i}, .n = 8};
		for (unsigned k = 0; k < 8; k++) {
			p[i].ip4[k].bits = 24;
			p[i].ip4[k].address = (i * 8 + k) << 8;
		}
	}
	world_init(&w, 1);
	cr_expect(announce(&w, p, 4));
	cr_expect(at(&w, 15, &out));
	cr_expect_not(at(&w, 16, &out));
	world_fini(&w);
}
