// SPDX-License-Identifier: Apache-2.0
#include "world.h"

static const struct nat_key KEY = {HOST, 8080, 1, NAT_TCP};

enum {
	NET_A = 0xc6336400, // 198.51.100.0
	NET_B = 0xc0000200  // 192.0.2.0
};

// ---- filters ---------------------------------------------------------------------------------

static enum nat_grant ask_filtered(struct world *w, struct nat_key key, bool clear,
	const struct nat_filter *filters, uint16_t count)
{
	struct nat_wish wish = wish_of(key, 1, 600);
	struct nat_view view;

	wish.clear_filters = clear;
	wish.filters = filters;
	wish.n_filters = count;
	return world_ask(w, &wish, &view);
}

static enum in from(struct world *w, ip4 addr, uint16_t port)
{
	return world_in_from(
		w, KEY.protocol, world_look(w, KEY).external, (struct recipe){addr, port});
}

Test(nat, rfc6887_s13_3_only_what_a_filter_names_comes_in)
{
	struct world w = world_simple(64);
	const struct nat_filter filters[] = {{NET_A, 24, 0}, {NET_B + 7, 32, 80}};
	struct nat_filter kept[4];

	cr_assert_eq(ask_filtered(&w, KEY, false, filters, 2), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_A + 200, 4711), IN_PASSES);
	cr_assert_eq(from(&w, NET_A + 256, 4711), IN_FILTERED);
	cr_assert_eq(from(&w, NET_B + 7, 80), IN_PASSES);
	cr_assert_eq(from(&w, NET_B + 7, 81), IN_FILTERED);
	cr_assert_eq(from(&w, NET_B + 6, 80), IN_FILTERED);
	cr_assert_eq(world_look(&w, KEY).n_filters, 2);
	cr_assert_eq(nat_lease_filters(w.nat, &KEY, kept, 4), 2);
	cr_assert_eq(kept[0].address, NET_A);
	cr_assert(kept[1].address == NET_B + 7 && kept[1].bits == 32 && kept[1].port == 80);
	cr_assert_eq(nat_lease_filters(w.nat, &KEY, kept, 1), 1);
	cr_assert_eq(nat_counters(w.nat)->filters, 2);
	world_close(&w);
}

Test(nat, rfc6887_s13_3_an_empty_prefix_means_any_host)
{
	struct world w = world_simple(64);
	const struct nat_filter any = {NET_A, 0, 443};

	cr_assert_eq(ask_filtered(&w, KEY, false, &any, 1), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_B, 443), IN_PASSES);
	cr_assert_eq(from(&w, NET_B, 444), IN_FILTERED);
	world_close(&w);
}

// A packet kept out is no answer: it neither wakes the block nor counts for the timers.
Test(nat, a_filtered_packet_leaves_no_mark)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {NET_A, 32, 0};

	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_B, 1), IN_FILTERED);
	cr_assert_not(world_look(&w, KEY).replied);
	cr_assert_eq(from(&w, NET_A, 1), IN_PASSES);
	cr_assert(world_look(&w, KEY).replied);
	world_close(&w);
}

Test(nat, rfc6887_s13_3_filters_accumulate_and_are_wiped)
{
	struct world w = world_simple(64);
	const struct nat_filter a = {NET_A, 24, 0}, b = {NET_B, 24, 0};

	cr_assert_eq(ask_filtered(&w, KEY, false, &a, 1), NAT_GRANTED);
	cr_assert_eq(ask_filtered(&w, KEY, false, &b, 1), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_A, 1), IN_PASSES);
	cr_assert_eq(from(&w, NET_B, 1), IN_PASSES);
	cr_assert_eq(ask_filtered(&w, KEY, true, &b, 1), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_A, 1), IN_FILTERED);
	cr_assert_eq(nat_counters(w.nat)->filters, 1);
	cr_assert_eq(ask_filtered(&w, KEY, true, NULL, 0), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_A, 1), IN_PASSES);
	cr_assert_eq(nat_counters(w.nat)->filters, 0);
	world_map(&w, KEY, 1, 900);
	cr_assert_eq(from(&w, 1, 1), IN_PASSES);
	world_close(&w);
}

// A client that sends its filters with every renewal does not run into the limit.
Test(nat, rfc6887_s13_3_a_filter_that_is_there_is_not_added_again)
{
	struct world w = world_simple(64);
	const struct nat_filter same[] = {{NET_A, 24, 0}, {NET_A + 9, 24, 0}, {NET_B, 24, 0}};

	w.policy.filter_limit = 2;
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(ask_filtered(&w, KEY, i == 10, same, 3), NAT_GRANTED);
	cr_assert_eq(nat_counters(w.nat)->filters, 2);
	world_close(&w);
}

Test(nat, rfc6887_s13_3_too_many_filters_refuse_the_whole_request)
{
	struct world w = world_simple(64);
	struct nat_filter many[17];
	struct nat_wish wish = wish_of(KEY, 1, 900);
	struct nat_view view;

	for (uint32_t i = 0; i < 17; i++)
		many[i] = (struct nat_filter){NET_A + i, 32, 0};
	cr_assert_eq(ask_filtered(&w, KEY, false, many, 17), NAT_TOO_MANY_FILTERS);
	cr_assert_eq(nat_counters(w.nat)->subscribers, 0);
	cr_assert_eq(ask_filtered(&w, KEY, false, many, 16), NAT_GRANTED);
	wish.filters = &many[16];
	wish.n_filters = 1;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_TOO_MANY_FILTERS);
	cr_assert_eq(world_look(&w, KEY).lease_left_s, 600, "nothing was changed");
	cr_assert_eq(from(&w, NET_A + 16, 1), IN_FILTERED);
	wish.clear_filters = true;
	cr_assert_eq(world_ask(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(from(&w, NET_A + 16, 1), IN_PASSES);
	world_close(&w);
}

Test(nat, a_full_filter_table_refuses_and_changes_nothing)
{
	struct nat_limits limits = WORLD_LIMITS;
	const struct nat_filter two[] = {{NET_A, 24, 0}, {NET_B, 24, 0}}, other = {NET_B, 16, 0};
	struct world w;

	limits.filters = 3;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	cr_assert_eq(ask_filtered(&w, KEY, false, two, 2), NAT_GRANTED);
	cr_assert_eq(
		ask_filtered(&w, key_of(HOST + 1, NAT_TCP, 1), false, two, 2), NAT_NO_RESOURCES);
	cr_assert(nat_is_new_subscriber(w.nat, 1, HOST + 1));
	cr_assert_eq(ask_filtered(&w, key_of(HOST + 1, NAT_TCP, 1), false, &other, 1), NAT_GRANTED);
	cr_assert_eq(ask_filtered(&w, KEY, true, two, 2), NAT_GRANTED, "in place of the old ones");
	cr_assert_eq(ask_filtered(&w, KEY, true, &other, 1), NAT_GRANTED);
	cr_assert_eq(nat_counters(w.nat)->filters, 2);
	world_close(&w);
}

Test(nat, rfc6887_s13_3_the_remote_peer_of_a_peer_lease_passes_every_filter)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {NET_A, 32, 0};

	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	world_peer(&w, KEY, 1, 300, (struct recipe){NET_B, 443});
	world_peer(&w, KEY, 1, 600, (struct recipe){NET_B, 444});
	cr_assert_eq(from(&w, NET_B, 443), IN_PASSES);
	cr_assert_eq(from(&w, NET_B, 444), IN_PASSES);
	cr_assert_eq(from(&w, NET_B, 445), IN_FILTERED);
	world_pass(&w, 301);
	cr_assert_eq(from(&w, NET_B, 443), IN_FILTERED);
	cr_assert_eq(from(&w, NET_B, 444), IN_PASSES);
	world_close(&w);
}

Test(nat, filters_go_with_their_lease)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {NET_A, 32, 0};
	struct recipe to;

	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	to = world_out(&w, KEY);
	world_end(&w, KEY, false);
	cr_assert_eq(world_look(&w, KEY).kind, NAT_IMPLICIT);
	cr_assert_eq(world_in_from(&w, NAT_TCP, to, (struct recipe){NET_B, 1}), IN_PASSES);
	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	world_peer(&w, KEY, 1, 900, (struct recipe){NET_B, 2});
	world_pass(&w, 601); // the MAP lease ran out under the PEER one
	cr_assert_eq(world_look(&w, KEY).kind, NAT_PEER);
	cr_assert_eq(world_in_from(&w, NAT_TCP, to, (struct recipe){NET_B, 1}), IN_PASSES);
	cr_assert_eq(nat_counters(w.nat)->filters, 0);
	world_close(&w);
}

// RFC 6887 s.11.3 wants ICMP errors of a mapping to pass, whoever sent them: they are peeked at.
Test(nat, rfc6887_s11_3_a_peek_knows_no_filters)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {NET_A, 32, 0};
	struct nat_key to;

	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	cr_assert(nat_peek_in(w.nat, NAT_TCP, world_look(&w, KEY).external, &to));
	cr_assert_eq(key_word(&to), key_word(&KEY));
	world_close(&w);
}

Test(nat, a_burst_tells_the_filtered_from_the_unmapped)
{
	struct world w = world_simple(64);
	const struct nat_filter one = {NET_A, 32, 0};
	struct nat_in in[4];

	cr_assert_eq(ask_filtered(&w, KEY, false, &one, 1), NAT_GRANTED);
	for (unsigned i = 0; i < 4; i++)
		in[i] = (struct nat_in){.at = world_look(&w, KEY).external,
			.from = {NET_A + (i & 1), 5},
			.protocol = NAT_TCP};
	in[2].at.port ^= 1;
	cr_assert_eq(nat_find_in(w.nat, in, 4, w.now_s), 1);
	cr_assert_eq(in[0].drop, DROP_NONE);
	cr_assert_eq(in[1].drop, DROP_PCP_FILTER);
	cr_assert_eq(in[2].drop, DROP_NO_MAPPING_INBOUND);
	cr_assert_eq(in[3].drop, DROP_PCP_FILTER);
	world_close(&w);
}

// ---- texts -----------------------------------------------------------------------------------

static struct nat_view ask_with_text(struct world *w, struct nat_key key, const char *text)
{
	struct nat_wish wish = wish_of(key, 1, 600);
	struct nat_view view;

	wish.has_text = true;
	wish.text = (const uint8_t *)text;
	wish.text_length = (uint8_t)strlen(text);
	cr_assert_eq(world_ask(w, &wish, &view), NAT_GRANTED);
	return view;
}

static bool text_is(const struct world *w, struct nat_key key, const char *text)
{
	uint8_t kept[NAT_DESCRIPTION];
	uint32_t length = nat_lease_text(w->nat, &key, kept, sizeof kept);

	return length == strlen(text) && memcmp(kept, text, length) == 0;
}

Test(nat, rfc7220_s3_a_description_is_kept_replaced_and_erased)
{
	struct world w = world_simple(64);
	uint8_t two[2];

	cr_assert_eq(ask_with_text(&w, KEY, "web server").text_length, 10);
	cr_assert(text_is(&w, KEY, "web server"));
	cr_assert_eq(nat_lease_text(w.nat, &KEY, two, 2), 2);
	world_map(&w, KEY, 1, 900);
	cr_assert(text_is(&w, KEY, "web server"), "a renewal without one keeps it");
	cr_assert_eq(ask_with_text(&w, KEY, "camera").text_length, 6);
	cr_assert(text_is(&w, KEY, "camera"));
	cr_assert_eq(nat_counters(w.nat)->descriptions, 1);
	cr_assert_eq(ask_with_text(&w, KEY, "").text_length, 0);
	cr_assert(text_is(&w, KEY, ""));
	cr_assert_eq(nat_counters(w.nat)->descriptions, 0);
	world_close(&w);
}

Test(nat, rfc7220_s3_a_description_may_be_128_octets_of_anything)
{
	struct world w = world_simple(64);
	char text[NAT_DESCRIPTION + 1];

	memset(text, 0xff, NAT_DESCRIPTION);
	text[NAT_DESCRIPTION] = 0;
	cr_assert_eq(ask_with_text(&w, KEY, text).text_length, NAT_DESCRIPTION);
	cr_assert(text_is(&w, KEY, text));
	world_close(&w);
}

Test(nat, a_description_that_finds_no_room_is_left_out)
{
	struct nat_limits limits = WORLD_LIMITS;
	struct nat_key other = key_of(HOST, NAT_TCP, 1);
	struct world w;

	limits.descriptions = 1;
	w = world_open(&limits, 64);
	world_add(&w, POOL_A, 1024, 65535);
	ask_with_text(&w, KEY, "first");
	cr_assert_eq(ask_with_text(&w, other, "second").text_length, 0);
	cr_assert(text_is(&w, other, "") && text_is(&w, KEY, "first"));
	world_end(&w, KEY, true);
	cr_assert_eq(nat_counters(w.nat)->descriptions, 0);
	cr_assert_eq(ask_with_text(&w, other, "second").text_length, 6);
	world_close(&w);
}

Test(nat, a_peer_lease_may_have_a_description_of_its_own)
{
	struct world w = world_simple(64);
	struct nat_wish wish = wish_of(KEY, 1, 600);
	struct recipe other = {NET_A, 2};
	struct nat_view view;
	uint8_t text[4];

	wish.remote = (struct recipe){NET_A, 1};
	wish.has_text = true;
	wish.text = (const uint8_t *)"call";
	wish.text_length = 4;
	cr_assert_eq(world_ask_peer(&w, &wish, &view), NAT_GRANTED);
	cr_assert_eq(view.text_length, 4);
	world_peer(&w, KEY, 1, 300, other);
	cr_assert_eq(nat_peer_text(w.nat, &KEY, wish.remote, text, sizeof text), 4);
	cr_assert(memcmp(text, "call", 4) == 0);
	cr_assert_eq(nat_peer_text(w.nat, &KEY, wish.remote, text, 2), 2);
	cr_assert_eq(nat_peer_text(w.nat, &KEY, other, text, sizeof text), 0);
	other.port++;
	cr_assert_eq(nat_peer_text(w.nat, &KEY, other, text, sizeof text), 0, "no such lease");
	cr_assert(text_is(&w, KEY, "call"), "the longest-lived one stands for the mapping");
	world_map(&w, KEY, 1, 60);
	cr_assert(text_is(&w, KEY, ""), "but not for a MAP lease");
	world_end(&w, KEY, true);
	world_pass(&w, 601);
	cr_assert_eq(nat_counters(w.nat)->descriptions, 0);
	world_close(&w);
}

// Everything a slab gave out comes back, whatever the order.
Test(nat, slabs_give_out_every_record_once)
{
	uint32_t items[8 * 3] = {0};
	struct slab s = {(uint8_t *)items, 12, 8, 0, 0};
	bool seen[9] = {false};

	for (unsigned i = 0; i < 8; i++) {
		uint32_t index = slab_get(&s);
		cr_assert(index >= 1 && index <= 8 && !seen[index]);
		seen[index] = true;
	}
	cr_assert_eq(slab_get(&s), 0);
	slab_put(&s, 3);
	slab_put(&s, 7);
	cr_assert_eq(slab_get(&s), 7);
	cr_assert_eq(slab_get(&s), 3);
	cr_assert_eq(slab_get(&s), 0);
}
