// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>

#include "world.h"

Test(client, a_client_needs_a_seed)
{
	struct postern_client *c = NULL;
	struct postern_client_options o = {.max_mappings = 1};

	cr_expect_eq(postern_client_create(&o, &c), -EINVAL);
	cr_expect_null(c);
	o.seed[3] = 1;
	cr_expect_eq(postern_client_create(&o, &c), 0);
	postern_client_destroy(c);
	postern_client_destroy(NULL);
}

struct purse { // an allocator that may run dry
	unsigned left, held;
};

static void *spend(void *context, size_t octets)
{
	struct purse *p = context;

	if (p->left == 0)
		return NULL;
	p->left--;
	p->held++;
	return calloc(1, octets);
}

static void give_back(void *context, void *memory)
{
	struct purse *p = context;

	p->held--;
	free(memory);
}

static void use_up(struct postern_client *c)
{
	struct postern_server as = {.n_addresses = 1, .addresses = {world_ip4(192, 0, 2, 1)}};
	struct postern_mapping m = world_want();
	int server = postern_client_add_server(c, &as, 0), id;

	cr_expect(server >= 0 || server == -ENOMEM);
	cr_expect_eq(postern_mapping_add_port_set(&m, 8, false), 0);
	for (int i = 0; i < 12; i++) {
		id = postern_client_map(c, &m, 0);
		cr_expect(id >= 0 || id == -ENOMEM);
	}
	as.addresses[0] = world_ip4(192, 0, 2, 2);
	server = postern_client_add_server(c, &as, 0);
	cr_expect(server >= 0 || server == -ENOMEM);
}

Test(client, running_out_of_memory_anywhere_is_told_and_leaks_nothing)
{
	for (unsigned n = 0; n < 60; n++) {
		struct purse purse = {.left = n};
		struct postern_client_options o = world_options(1);
		struct postern_client *c;

		o.max_mappings = 20;
		o.allocator = (struct postern_allocator){spend, give_back, &purse};
		if (postern_client_create(&o, &c) == 0)
			use_up(c);
		else
			cr_expect_eq(n, 0);
		postern_client_destroy(c);
		cr_expect_eq(purse.held, 0, "%u of %u", purse.held, n);
	}
}

Test(client, a_created_client_has_nothing_to_do)
{
	struct world w;
	struct postern_datagram out;

	world_init(&w, 1);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	cr_expect_not(postern_client_send(w.client, w.now, &out));
	world_no_news(&w);
	world_fini(&w);
}

Test(client, senseless_wishes_are_refused_before_anything_is_sent)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.protocol = 0;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	m = world_want();
	m.internal_port = 0;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	m = world_want();
	m.prefer_failure = true;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	m.external.port = 443;
	m.lifetime_s = 0;
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -EINVAL);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

Test(client, ids_run_out_and_come_back)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	for (int i = 0; i < 4; i++)
		cr_expect_eq(postern_client_map(w.client, &m, w.now), i);
	cr_expect_eq(postern_client_map(w.client, &m, w.now), -ENOSPC);
	postern_client_forget(w.client, 2);
	cr_expect_eq(postern_client_renew(w.client, 2, w.now), -EINVAL);
	cr_expect_eq(postern_client_delete(w.client, 2, w.now), -EINVAL);
	cr_expect_eq(postern_client_delete(w.client, -1, w.now), -EINVAL);
	cr_expect_eq(postern_client_delete(w.client, 4, w.now), -EINVAL);
	postern_client_forget(w.client, 99);
	cr_expect_eq(postern_client_map(w.client, &m, w.now), 2);
	world_fini(&w);
}

Test(client, map_asks_octet_for_octet_like_the_rfc)
{
	static const uint8_t want[] = {2, 1, 0, 0, 0, 0, 0x0e, 0x10,                    //
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 100, 64, 0, 10,               //
		0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99, 0xaa, 0xbb, //
		6, 0, 0, 0, 0x01, 0xbb, 0x20, 0xfb,                                     //
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 203, 0, 113, 5,               //
		2, 0, 0, 0};                                                            // V13
	static const uint8_t pool[4] = {203, 0, 113, 5};
	struct postern_datagram out;
	struct postern_mapping m = {.protocol = 6,
		.server = POSTERN_ALL_SERVERS,
		.internal_port = 443,
		.lifetime_s = 3600,
		.external = postern_endpoint_ip4(pool, 8443),
		.prefer_failure = true,
		.has_nonce = true};
	struct world w;

	world_init(&w, 1);
	memcpy(m.nonce, want + 24, sizeof m.nonce);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert(postern_client_send(w.client, w.now, &out));
	cr_expect_eq(out.length, sizeof want);
	cr_expect_arr_eq(out.octets, want, sizeof want);
	cr_expect_arr_eq(out.source, world_source(), 16);
	cr_expect_eq(out.to.port, POSTERN_SERVER_PORT);
	cr_expect_eq(out.server, w.servers[0].id);
	world_fini(&w);
}

Test(client, no_preference_keeps_to_the_family_of_the_source)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	world_map(&w, &m);
	cr_expect(ip6_eq(w.servers[0].last.external_ip, ip6_mapped(0)));
	cr_expect_eq(w.servers[0].last.external_port, 0);
	world_fini(&w);
}

Test(client, nonces_differ_between_mappings_and_clients)
{
	struct world a, b;
	struct postern_mapping m = world_want();
	struct pcp_nonce first;

	world_init(&a, 1);
	world_init(&b, 2);
	world_map(&a, &m);
	first = a.servers[0].last.nonce;
	world_map(&a, &m);
	cr_expect_not(pcp_nonce_eq(first, a.servers[0].last.nonce));
	world_map(&b, &m);
	cr_expect_not(pcp_nonce_eq(first, b.servers[0].last.nonce));
	world_fini(&a);
	world_fini(&b);
}

Test(client, delete_names_the_family_and_nothing_else)
{
	struct world w;
	struct postern_mapping m = world_want();
	struct pcp_nonce nonce;
	int id;

	world_init(&w, 1);
	m.external.port = 9000;
	m.prefer_failure = true;
	w.servers[0].external_port = 9000;
	id = world_map(&w, &m);
	nonce = w.servers[0].last.nonce;
	cr_expect(w.servers[0].last_prefer_failure);
	cr_assert_eq(postern_client_delete(w.client, id, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	cr_expect_eq(w.servers[0].last.external_port, 0);
	cr_expect(ip6_eq(w.servers[0].last.external_ip, ip6_mapped(0)));
	cr_expect(pcp_nonce_eq(w.servers[0].last.nonce, nonce));
	cr_expect_not(
		w.servers[0].last_prefer_failure, "PREFER_FAILURE in a delete is MALFORMED_OPTION");
	cr_expect_eq(world_news(&w, POSTERN_DELETED).id, id);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	world_fini(&w);
}

Test(client, a_mapping_of_an_earlier_run_is_deleted_by_its_nonce)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	m.lifetime_s = 0;
	m.has_nonce = true;
	memset(m.nonce, 0x5a, sizeof m.nonce);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.servers[0].last.nonce.b[7], 0x5a);
	cr_expect_eq(w.servers[0].last.lifetime_s, 0);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, what_is_told_has_names)
{
	cr_expect_str_eq(postern_result_name(8), "NO_RESOURCES");
	cr_expect_str_eq(postern_result_name(200), "unassigned");
	cr_expect_str_eq(postern_what_name(POSTERN_ENTRIES_END), "entries-end");
	cr_expect_str_eq(postern_what_name(POSTERN_MAPPED), "mapped");
	cr_expect_str_eq(postern_deed_name(POSTERN_SEND_RENEWAL), "renew");
}

Test(client, calls_every_state_by_its_name)
{
	static const char *const names[] = {"NOT_SENT", "WAIT_RESPONSE", "MAPPED", "REFRESHING",
		"ERROR_WAIT", "DELETING", "ENDED"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_str_eq(postern_state_name((enum postern_state)i), names[i]);
}
