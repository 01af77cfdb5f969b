// SPDX-License-Identifier: Apache-2.0
// limits.lease_details: how many leases may have more than a plain one.
#include "world.h"

static struct world crowded(void)
{
	struct nat_limits limits = WORLD_LIMITS;

	limits.lease_details = 1;
	struct world w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	return w;
}

static enum nat_grant peer_on(struct world *w, uint16_t port)
{
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, port), 1, 600);
	struct nat_view view;

	wish.remote = REMOTE;
	return world_ask_peer(w, &wish, &view);
}

Test(nat, a_full_table_of_lease_details_refuses_peers_and_filters_but_no_plain_lease)
{
	struct world w = crowded();
	struct nat_filter filter = {.address = REMOTE.addr, .bits = 32};
	struct nat_wish wish = wish_of(key_of(HOST, NAT_UDP, 3), 1, 600);
	struct nat_view view;

	cr_assert_eq(peer_on(&w, 1), NAT_GRANTED);
	cr_assert_eq(nat_counters(w.nat)->lease_details, 1);
	cr_assert_eq(peer_on(&w, 2), NAT_NO_RESOURCES);
	wish.n_filters = 1;
	wish.filters = &filter;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_NO_RESOURCES);
	wish.n_filters = 0;
	wish.has_text = true;
	wish.text_length = 2;
	wish.text = (const uint8_t *)"tv";
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.text_length, 0, "a text is not worth a refusal");
	cr_assert_eq(nat_counters(w.nat)->leases, 2);
	world_close(&w);
}

Test(nat, without_lease_details_a_set_is_a_single_port)
{
	struct world w = crowded();

	cr_assert_eq(peer_on(&w, 1), NAT_GRANTED);
	cr_assert_eq(world_set(&w, key_of(HOST, NAT_UDP, 100), 1, 600, 4).n_ports, 1);
	world_close(&w);
}

Test(nat, lease_details_come_back_with_their_lease)
{
	struct world w = crowded();
	struct nat_key key = key_of(HOST, NAT_UDP, 1);

	cr_assert_eq(peer_on(&w, 1), NAT_GRANTED);
	cr_assert(nat_delete(w.nat, &key, w.now_s));
	cr_assert_eq(nat_counters(w.nat)->lease_details, 0);
	cr_assert_eq(peer_on(&w, 2), NAT_GRANTED);
	world_close(&w);
}
