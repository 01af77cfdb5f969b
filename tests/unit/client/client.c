// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "world.h"

Test(client, a_client_needs_a_server_port_and_room)
{
	struct postern_client *c = NULL;
	struct postern_client_options o = {.server.port = 5351};

	cr_expect_eq(postern_client_create(&o, &c), -EINVAL);
	o.max_mappings = 1;
	o.server.port = 0;
	cr_expect_eq(postern_client_create(&o, &c), -EINVAL);
	cr_expect_null(c);
	postern_client_destroy(NULL);
}

Test(client, a_created_client_has_nothing_to_do)
{
	struct world w;
	uint8_t out[POSTERN_DATAGRAM];

	world_init(&w, 1);
	cr_expect_eq(postern_client_deadline(w.client), POSTERN_NEVER);
	cr_expect_eq(postern_client_send(w.client, w.now, out), 0);
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
	uint8_t out[POSTERN_DATAGRAM];
	struct postern_mapping m = {.protocol = 6,
		.internal_port = 443,
		.lifetime_s = 3600,
		.external = postern_endpoint_ip4(pool, 8443),
		.prefer_failure = true,
		.has_nonce = true};
	struct world w;

	world_init(&w, 1);
	memcpy(m.nonce, want + 24, sizeof m.nonce);
	cr_assert_eq(postern_client_map(w.client, &m, w.now), 0);
	cr_assert_eq(postern_client_send(w.client, w.now, out), sizeof want);
	cr_expect_arr_eq(out, want, sizeof want);
	world_fini(&w);
}

Test(client, no_preference_keeps_to_the_family_of_the_source)
{
	struct world w;
	struct postern_mapping m = world_want();

	world_init(&w, 1);
	world_map(&w, &m);
	cr_expect(ip6_eq(w.last.external_ip, ip6_mapped(0)));
	cr_expect_eq(w.last.external_port, 0);
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
	first = a.last.nonce;
	world_map(&a, &m);
	cr_expect_not(pcp_nonce_eq(first, a.last.nonce));
	world_map(&b, &m);
	cr_expect_not(pcp_nonce_eq(first, b.last.nonce));
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
	w.external_port = 9000;
	id = world_map(&w, &m);
	nonce = w.last.nonce;
	cr_expect(w.last_prefer_failure);
	cr_assert_eq(postern_client_delete(w.client, id, w.now), 0);
	world_exchange(&w);
	cr_expect_eq(w.last.lifetime_s, 0);
	cr_expect_eq(w.last.external_port, 0);
	cr_expect(ip6_eq(w.last.external_ip, ip6_mapped(0)));
	cr_expect(pcp_nonce_eq(w.last.nonce, nonce));
	cr_expect_not(w.last_prefer_failure, "PREFER_FAILURE in a delete is MALFORMED_OPTION");
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
	cr_expect_eq(w.last.nonce.b[7], 0x5a);
	cr_expect_eq(w.last.lifetime_s, 0);
	world_news(&w, POSTERN_DELETED);
	world_fini(&w);
}

Test(client, result_codes_have_names)
{
	cr_expect_str_eq(postern_result_name(8), "NO_RESOURCES");
	cr_expect_str_eq(postern_result_name(200), "unassigned");
}
