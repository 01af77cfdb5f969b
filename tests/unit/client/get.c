// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "world.h"

#define HELD 40

// A server that holds 40 mappings of ours and tells them in pages of at most 15.
struct shelf {
	struct world w;
	bool endless; // every page is the first one again
	unsigned pages;
};

static struct pcp_next entry_at(unsigned i)
{
	return (struct pcp_next){.protocol = 6,
		.internal_ip = ip6_mapped(0x6440000a),
		.external_ip = ip6_mapped(0xcb007105),
		.internal_port = (uint16_t)(1000 + i),
		.external_port = (uint16_t)(40000 + i),
		.lifetime_s = 600 + i,
		.end = i == HELD - 1,
		.nonce.b = {(uint8_t)i}};
}

static unsigned first_of(
	const struct shelf *s, const struct pcp_message *m, const struct postern_datagram *d)
{
	struct pcp_option o[2];
	struct pcp_next locator;
	size_t n;

	cr_assert_eq(pcp_decode_options(d->octets, d->length, m, o, 2, &n), PCP_SUCCESS);
	cr_assert_eq(n, 1);
	cr_assert(pcp_read_next(&o[0], &locator));
	cr_expect_eq(locator.lifetime_s, 0);
	return s->endless || locator.internal_port == 0 ? 0 : locator.internal_port - 1000u;
}

// From the locator on, that entry included.
static void answer_page(struct shelf *s)
{
	struct pcp_served served = {.dialects = PCP_SERVES(PCP_V2), .get = true};
	struct postern_datagram d;
	enum pcp_result result;
	uint8_t msg[PCP_MAX];
	struct pcp_message m;
	size_t len, more;

	cr_assert(postern_client_send(s->w.client, s->w.now, &d));
	cr_assert_eq(pcp_decode_request(d.octets, d.length, &served, &m, &result), PCP_DOOR_OPEN);
	cr_assert_eq(m.opcode, PCP_GET);
	len = pcp_success_reply(msg, &m, 0, 500);
	for (unsigned i = first_of(s, &m, &d), n = 0; i < HELD && n < 15; i++, n++) {
		struct pcp_next e = entry_at(i);

		more = pcp_append_next(msg, len, sizeof msg, &e);
		cr_assert_gt(more, 0);
		len = more;
	}
	s->pages++;
	cr_expect(world_deliver(&s->w, &s->w.servers[0], msg, len));
}

Test(client, get_tells_every_entry_once_and_then_the_end)
{
	struct shelf s = {.pages = 0};
	struct postern_event e;
	unsigned n = 0;

	world_init(&s.w, 1);
	cr_assert_eq(postern_client_get(s.w.client, s.w.servers[0].id, 0, s.w.now), 0);
	cr_expect_eq(postern_client_get(s.w.client, s.w.servers[0].id, 0, s.w.now), -EBUSY);
	cr_expect_eq(postern_client_get(s.w.client, 77, 0, s.w.now), -EINVAL);
	for (;;) {
		while (postern_client_event(s.w.client, &e) && e.what == POSTERN_ENTRY) {
			cr_expect_eq(e.id, -1);
			cr_expect_eq(e.internal_port, 1000 + n);
			cr_expect_eq(e.external.port, 40000 + n);
			cr_expect_eq(e.lifetime_s, 600 + n);
			cr_expect_eq(e.nonce[0], n);
			cr_expect_eq(e.internal[15], 10);
			n++;
		}
		if (n == HELD)
			break;
		cr_assert_leq(postern_client_deadline(s.w.client), s.w.now);
		answer_page(&s);
	}
	cr_expect_eq(e.what, POSTERN_ENTRIES_END);
	cr_expect_eq(s.pages, 3);
	world_no_news(&s.w);
	cr_expect_eq(postern_client_deadline(s.w.client), POSTERN_NEVER);
	cr_expect_eq(postern_client_get(s.w.client, s.w.servers[0].id, 6, s.w.now), 0);
	world_fini(&s.w);
}

Test(client, a_server_that_tells_the_same_page_again_does_not_go_on_for_ever)
{
	struct shelf s = {.endless = true};
	struct postern_event e = {.what = POSTERN_ENTRY};

	world_init(&s.w, 1);
	postern_client_get(s.w.client, s.w.servers[0].id, 0, s.w.now);
	while (e.what != POSTERN_ENTRIES_END && s.pages < 10000) {
		if (postern_client_event(s.w.client, &e))
			continue;
		answer_page(&s);
	}
	cr_expect_lt(s.pages, 10000);
	world_fini(&s.w);
}

Test(client, a_get_that_is_not_allowed_is_refused)
{
	struct postern_event e;
	struct world w;

	world_init(&w, 1);
	w.servers[0].result = PCP_UNSUPP_OPCODE;
	w.servers[0].lifetime_s = 1800;
	postern_client_get(w.client, w.servers[0].id, 0, w.now);
	world_exchange(&w);
	e = world_news(&w, POSTERN_REFUSED);
	cr_expect_eq(e.id, -1);
	cr_expect_eq(e.result, PCP_UNSUPP_OPCODE);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

Test(client, nothing_held_is_the_end_of_a_get)
{
	struct world w;

	world_init(&w, 1);
	w.servers[0].result = PCP_NONEXIST_MAP;
	w.servers[0].lifetime_s = 30;
	postern_client_get(w.client, w.servers[0].id, 17, w.now);
	world_exchange(&w);
	cr_expect_eq(world_news(&w, POSTERN_ENTRIES_END).result, PCP_NONEXIST_MAP);
	world_fini(&w);
}

Test(client, a_page_without_entries_is_the_end)
{
	struct world w;

	world_init(&w, 1);
	postern_client_get(w.client, w.servers[0].id, 0, w.now);
	w.servers[0].silent = true;
	world_exchange(&w);
	{
		uint8_t msg[PCP_MAX];
		struct pcp_message m = w.servers[0].last;
		size_t len = pcp_success_reply(msg, &m, 0, 500);

		cr_expect(world_deliver(&w, &w.servers[0], msg, len));
		world_news(&w, POSTERN_ENTRIES_END);
		cr_expect_not(world_deliver(&w, &w.servers[0], msg, len), "nobody asked any more");
	}
	world_fini(&w);
}
