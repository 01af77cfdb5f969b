// SPDX-License-Identifier: Apache-2.0
// What an operator adds, clears and looks up about PCP.
#include <errno.h>

#include "ask.h"
#include "check.h"

struct page { // what a wish brought
	unsigned mappings, filters, texts, clients, losers;
	int32_t error;
	struct nat_view mapping; // of DONE, or the last row
	struct nat_filter filter;
	struct shard_text text;
	struct server_client client;
};

static void read_row(struct page *page, const struct shard_answer *a)
{
	switch ((enum shard_answer_kind)a->kind) {
	case SHARD_ROW_MAPPING:
		page->mappings++;
		page->mapping = a->mapping;
		return;
	case SHARD_ROW_FILTER:
		page->filters++;
		page->filter = a->filter;
		return;
	case SHARD_ROW_TEXT:
		page->texts++;
		page->text = a->text;
		return;
	case SHARD_ROW_CLIENT:
		page->clients++;
		page->client = a->client;
		return;
	case SHARD_LOST_CLIENT:
		page->losers++;
		page->client = a->client;
		return;
	default:
		cr_assert_fail("a row that nobody asked for");
	}
}

static struct page grant(struct world *w, uint16_t shard, const struct shard_wish *wish)
{
	struct page page = {.error = 0};
	struct shard_answer a;

	cr_assert(shard_wish(w->shard[shard], wish));
	for (unsigned i = 0; i < 100000; i++) {
		while (shard_answer(w->shard[shard], &a)) {
			cr_assert_eq(a.id, wish->id);
			if (a.kind != SHARD_DONE) {
				read_row(&page, &a);
				continue;
			}
			page.error = a.error;
			if (wish->kind == SHARD_ADD_MAPPING)
				page.mapping = a.mapping;
			return page;
		}
		shard_step(w->shard[shard], w->conf, w->now, &w->sink);
	}
	cr_assert_fail("a wish is never granted");
	return page;
}

static struct shard_wish wish_of(enum shard_wish_kind kind, ip4 host, uint16_t port)
{
	return (struct shard_wish){
		.kind = kind, .id = 7, .max = 1000, .group = 255, .key = {host, port, 1, NAT_TCP}};
}

static struct shard_wish add_of(ip4 host, uint16_t port, ip4 addr, uint16_t external)
{
	struct shard_wish wish = wish_of(SHARD_ADD_MAPPING, host, port);

	wish.external = (struct recipe){addr, external};
	wish.lifetime_s = 600;
	return wish;
}

// ---- adding ----------------------------------------------------------------------------------

Test(add, a_lease_is_what_was_wished_for_and_is_reached)
{
	struct world w;
	struct frame f;
	struct shard_wish wish = add_of(HOME, 8080, 0xcb007104, 30000);

	world_open(&w, ONE_SHARD);
	memcpy(wish.text, "camera", wish.text_length = 6);
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.error, 0);
	cr_assert(page.mapping.kind == NAT_EXPLICIT && page.mapping.operators);
	cr_assert(recipe_eq(page.mapping.external, wish.external));
	cr_assert_eq(page.mapping.lease_left_s, 600);
	cr_assert_eq(page.mapping.text_length, 6);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, 0xcb007104, 30000, TCP_SYN), &f);
	expect_in(&f, PEER, 9, HOME, 8080);
	wish.lifetime_s = 1200; // again: his own is renewed
	cr_assert_eq(grant(&w, 0, &wish).mapping.lease_left_s, 1200);
	wish.external.port++;
	cr_assert_eq(grant(&w, 0, &wish).error, -EEXIST);
	world_close(&w);
}

Test(add, an_endpoint_that_is_not_named_is_chosen)
{
	struct world w;
	struct shard_wish wish = add_of(HOME, 8080, 0, 0);

	world_open(&w, ONE_SHARD);
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.error, 0);
	cr_assert_neq(page.mapping.external.port, 0);
	world_close(&w);
}

Test(add, a_static_mapping_outlives_every_lifetime_and_a_reload)
{
	struct world w;
	struct frame f;
	struct shard_wish wish = add_of(HOME, 8080, 0xcb007104, 2000);

	world_open(&w, ONE_SHARD);
	wish.lifetime_s = 0;
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.error, 0);
	cr_assert(page.mapping.kind == NAT_STATIC && page.mapping.operators);
	world_pass(&w, 100);
	world_reload(&w, ONE_SHARD);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, 0xcb007104, 2000, TCP_SYN), &f);
	expect_in(&f, PEER, 9, HOME, 8080);
	wish = wish_of(SHARD_DELETE_MAPPING, HOME, 8080);
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, 0xcb007104, 2000, TCP_SYN), &f);
	expect_drop(&f, DROP_UNSOLICITED_SYN);
	world_close(&w);
}

// It evicts whoever holds the port: he is told, and so is the portal that had asked for it.
Test(add, rfc6887_s8_5_a_static_mapping_is_told_to_those_it_evicts)
{
	static const char yaml[] =
		PORTS LIMITS "nat-groups:\n"
			     "  homes: { subscribers: [100.64.0.0/16], external-address-pool: "
			     "[203.0.113.4], pcp: { listen: [198.18.0.1],"
			     " third-party: { sources: [100.65.0.0/30] } } }\n";
	struct world w;
	struct pcp_message m;
	struct ask a = ask_for(STRANGER, NEIGHBOR, IP_TCP, 80, 3600);

	world_open(&w, yaml);
	ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 81, 3600);
	struct pcp_message had = ask_with(&w, SERVER, &a);
	cr_assert_eq(had.result, PCP_SUCCESS);
	world_set_epoch(&w, 0, 900);
	world_pass(&w, 10);
	struct shard_wish wish = add_of(HOME, 8080, 0xcb007104, had.external_port);
	wish.lifetime_s = 0;
	unsigned since = w.n_sent;
	struct page page = grant(&w, 0, &wish);
	cr_assert(page.error == 0 || page.error == -EAGAIN);
	cr_assert_eq(page.losers, 1);
	cr_assert(page.client.address == STRANGER && page.client.group == 0);
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, NEIGHBOR, ASK_PORT, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 1, 600).epoch_s, 910);
	world_close(&w);
}

Test(add, a_static_mapping_that_is_refused_tells_nobody)
{
	struct world w;
	struct pcp_message m;

	world_open(&w, ONE_SHARD);
	world_set_epoch(&w, 0, 900);
	ask_map(&w, HOME, SERVER, IP_TCP, 80, 3600);
	struct shard_wish wish = add_of(HOME, 80, 0xcb007104, 30000);
	wish.lifetime_s = 0;
	unsigned since = w.n_sent;
	cr_assert_eq(grant(&w, 0, &wish).error, -EEXIST, "he has something there");
	wish = add_of(HOME, 81, PEER, 30000);
	wish.lifetime_s = 0;
	cr_assert_eq(grant(&w, 0, &wish).error, -ENOENT);
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), 0);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 80, 600).epoch_s, 900);
	world_close(&w);
}

Test(add, what_cannot_be_is_refused_with_the_reason)
{
	struct world w;
	struct shard_wish wish;

	world_open(&w, TWO_SHARDS);
	ip4 a = world_host(&w, 0, 0), own = world_external(&w, 0), other = world_external(&w, 1);
	struct pcp_message m = ask_map(&w, a, SERVER, IP_TCP, 80, 600);
	wish = add_of(a, 8080, other, 30000);
	cr_assert_eq(grant(&w, 0, &wish).error, -EXDEV);
	wish = add_of(a, 8080, other, 0);
	cr_assert_eq(grant(&w, 0, &wish).error, -EXDEV);
	wish = add_of(a, 8080, PEER, 30000); // no address of the pool
	cr_assert_eq(grant(&w, 0, &wish).error, -ENOENT);
	wish = add_of(a, 8080, own, m.external_port); // somebody's
	cr_assert_eq(grant(&w, 0, &wish).error, -EEXIST);
	wish = add_of(a, 80, 0, 0); // the client's own
	cr_assert_eq(grant(&w, 0, &wish).error, -EEXIST);
	wish = add_of(a, 8080, own, 30000);
	cr_assert_eq(grant(&w, 1, &wish).error, -ENOENT, "another worker's subscriber");
	wish = add_of(STRANGER, 8080, 0, 0);
	cr_assert_eq(grant(&w, conf_inside_owner(w.conf, STRANGER), &wish).error, -ENOENT);
	wish = add_of(a, 0, 0, 0);
	cr_assert_eq(grant(&w, 0, &wish).error, -EINVAL);
	wish = add_of(a, 8080, 0, 0);
	wish.lifetime_s = 0; // a static mapping names its endpoint
	cr_assert_eq(grant(&w, 0, &wish).error, -EINVAL);
	cr_assert_eq(WORLD_NAT(&w, mappings), 1);
	world_close(&w);
}

Test(add, the_subscribers_limit_holds_for_the_operator_too)
{
	static const char yaml[] = PORTS LIMITS
		"nat-groups:\n"
		"  homes: { subscribers: [100.64.0.0/16], external-address-pool: [203.0.113.4],"
		" pcp: { mappings-per-subscriber: 1 } }\n";
	struct world w;
	struct shard_wish wish = add_of(HOME, 8080, 0, 0);

	world_open(&w, yaml);
	cr_assert_eq(ask_map(&w, HOME, GATEWAY, IP_TCP, 80, 600).result, PCP_SUCCESS);
	cr_assert_eq(grant(&w, 0, &wish).error, -EDQUOT);
	world_close(&w);
}

// ---- looking ---------------------------------------------------------------------------------

Test(look, details_follow_their_mapping)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_MAPPINGS, HOME, 0);
	struct ask a = {.m = ask_of(HOME, IP_TCP, 80, 600), .n_filters = 2, .text = "web server"};

	world_open(&w, ONE_SHARD);
	a.filters[0] = ask_filter(PEER, 24, 0);
	a.filters[0].address = ip6_mapped(PEER & 0xffffff00);
	a.filters[1] = ask_filter(OTHER_PEER, 32, 443);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	ask_map(&w, HOME, SERVER, IP_TCP, 81, 600);
	struct page page = grant(&w, 0, &wish);
	cr_assert(page.mappings == 2 && page.filters == 0 && page.texts == 0);
	wish.detail = true;
	page = grant(&w, 0, &wish);
	cr_assert(page.mappings == 2 && page.filters == 2 && page.texts == 1);
	cr_assert_eq(page.text.length, 10);
	cr_assert(memcmp(page.text.octets, "web server", 10) == 0);
	world_close(&w);
}

Test(look, peer_leases_of_one_host_are_shown)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_SHOW_LEASES, HOME, 0);
	struct ask a = ask_peer(HOME, IP_TCP, 80, PEER, 443);

	world_open(&w, ONE_SHARD);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	a = ask_peer(HOME, IP_TCP, 80, OTHER_PEER, 443);
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 80, 600).result, PCP_SUCCESS);
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.mappings, 2);
	cr_assert_eq(page.mapping.kind, NAT_PEER);
	cr_assert_eq(page.mapping.remote.port, 443);
	cr_assert_eq(page.texts, 0);
	a.text = "call";
	cr_assert_eq(ask_with(&w, SERVER, &a).result, PCP_SUCCESS);
	page = grant(&w, 0, &wish);
	cr_assert(page.mappings == 2 && page.texts == 1 && page.text.length == 4);
	cr_assert(memcmp(page.text.octets, "call", 4) == 0);
	wish.key.host = NEIGHBOR;
	cr_assert_eq(grant(&w, 0, &wish).mappings, 0);
	world_close(&w);
}

Test(look, clients_are_shown_with_what_they_asked)
{
	struct world w;
	struct frame f;
	struct shard_wish wish = wish_of(SHARD_SHOW_CLIENTS, 0, 0);

	world_open(&w, ONE_SHARD);
	for (unsigned i = 0; i < 5; i++)
		ask_announce(&w, INSIDE_PORT, HOME, SERVER, &f);
	ask_announce(&w, INSIDE_PORT, NEIGHBOR, SERVER, &f);
	cr_assert_eq(grant(&w, 0, &wish).clients, 2);
	wish.key.host = HOME;
	struct page page = grant(&w, 0, &wish);
	cr_assert_eq(page.clients, 1);
	cr_assert(page.client.address == HOME && page.client.requests == 5);
	cr_assert(page.client.port == ASK_PORT && page.client.group == 0);
	world_close(&w);
}

// ---- clearing --------------------------------------------------------------------------------

Test(clear, a_group_loses_everything_but_what_is_static)
{
	struct world w;
	struct shard_wish wish = add_of(HOME, 22, 0xcb007104, 2000);
	struct frame f;

	world_open(&w, ONE_SHARD);
	wish.lifetime_s = 0;
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	for (unsigned i = 0; i < 40; i++) {
		open_udp(&w, HOME + i, 5000, PEER);
		ask_map(&w, HOME + i, SERVER, IP_TCP, 80, 600);
	}
	wish = (struct shard_wish){.kind = SHARD_CLEAR_GROUP, .id = 7, .group = 0};
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	cr_assert_eq(WORLD_NAT(&w, mappings), 1);
	put(&w, OUTSIDE_PORT, tcp_of(PEER, 9, 0xcb007104, 2000, TCP_SYN), &f);
	expect_in(&f, PEER, 9, HOME, 22);
	wish.group = 1;
	cr_assert_eq(grant(&w, 0, &wish).error, -EINVAL);
	world_close(&w);
}

// An operator who deletes one lease takes state away from one client: his Epoch alone begins anew.
Test(clear, a_deleted_lease_is_told_to_its_client)
{
	struct world w;
	struct pcp_message m;
	struct shard_wish wish = wish_of(SHARD_DELETE_MAPPING, HOME, 80);

	world_open(&w, ONE_SHARD);
	world_set_epoch(&w, 0, 900);
	ask_map(&w, HOME, SERVER, IP_TCP, 80, 600);
	world_pass(&w, 10);
	unsigned since = w.n_sent;
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	world_settle(&w);
	cr_assert_eq(ask_told(&w, since, HOME, ASK_PORT, &m), 1);
	cr_assert(m.opcode == PCP_ANNOUNCE && m.epoch_s == 0);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 81, 600).epoch_s, 0);
	cr_assert_eq(ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 81, 600).epoch_s, 910);
	open_udp(&w, NEIGHBOR, 5000, PEER);
	wish = wish_of(SHARD_DELETE_MAPPING, NEIGHBOR, 5000);
	wish.key.protocol = NAT_UDP;
	world_pass(&w, 1);
	cr_assert_eq(grant(&w, 0, &wish).error, 0); // nobody had asked for that one
	cr_assert_eq(ask_map(&w, NEIGHBOR, SERVER, IP_TCP, 81, 600).epoch_s, 911);
	world_close(&w);
}

Test(clear, a_client_nobody_knows_yet_has_an_epoch_from_then_on)
{
	struct world w;
	struct shard_wish wish = wish_of(SHARD_RESET_CLIENT, HOME, 0);

	world_open(&w, ONE_SHARD);
	world_set_epoch(&w, 0, 900);
	wish.group = 0;
	cr_assert_eq(grant(&w, 0, &wish).error, 0);
	world_pass(&w, 20);
	cr_assert_eq(ask_map(&w, HOME, SERVER, IP_TCP, 81, 600).epoch_s, 20);
	world_close(&w);
}
