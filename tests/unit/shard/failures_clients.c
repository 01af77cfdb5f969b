// SPDX-License-Identifier: Apache-2.0
// What happens to clients, each as it concerns the server. None of it turns an Epoch back.
#include "failures.h"

static void epochs_are_kept(struct lab *l, uint32_t epoch_s)
{
	cr_assert_eq(lab_epoch(l, l->a), epoch_s);
	cr_assert_eq(lab_epoch(l, l->b), epoch_s);
}

static struct pcp_message other_nonce(const struct lab *l, unsigned i)
{
	struct pcp_message m = lab_request(l, i);

	memset(m.nonce.b, 0x5a, sizeof m.nonce.b);
	return m;
}

static void nonce_is_asked_for(struct lab *l)
{
	struct pcp_message m;

	world_pass(&l->w, 600);
	m = other_nonce(l, 0);
	m = ask(&l->w, l->a, SERVER, &m);
	cr_assert_eq(m.result, PCP_NOT_AUTHORIZED);
	cr_assert_eq(m.lifetime_s, LAB_LIFE_S - 600);
	cr_assert(lab_is_reached(l, 0));
	m = lab_again(l, 0);
	cr_assert(m.result == PCP_SUCCESS && lab_same_pair(l, 0, &m));
	epochs_are_kept(l, LAB_EPOCH_S + 600);
}

// ---- the application -------------------------------------------------------------------------

Test(failure, f13_the_application_restarts_without_its_nonce)
{
	struct lab l;

	lab_open(&l, LAB);
	nonce_is_asked_for(&l);
	lab_close(&l);
}

Test(failure, f13_where_the_source_may_renew_with_any_nonce_it_does)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB_POOL("203.0.113.4-203.0.113.7", ", nonce-check: same-source"));
	m = other_nonce(&l, 0);
	m = ask(&l.w, l.a, SERVER, &m);
	cr_assert(m.result == PCP_SUCCESS && lab_same_pair(&l, 0, &m));
	m = lab_request(&l, 0); // the old nonce now: a delete is strict all the same
	m.lifetime_s = 0;
	cr_assert_eq(ask(&l.w, l.a, SERVER, &m).result, PCP_NOT_AUTHORIZED);
	epochs_are_kept(&l, LAB_EPOCH_S);
	lab_close(&l);
}

Test(failure, f14_the_application_restarts_on_another_port)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB_POOL("203.0.113.4-203.0.113.7", ", mappings-per-subscriber: 3"));
	m = ask_map(&l.w, l.a, SERVER, IP_TCP, 9000, LAB_LIFE_S);
	cr_assert_eq(m.result, PCP_SUCCESS);
	m = ask_map(&l.w, l.a, SERVER, IP_TCP, 9001, LAB_LIFE_S);
	cr_assert_eq(m.result, PCP_USER_EX_QUOTA);
	cr_assert_eq(m.lifetime_s, 30);
	cr_assert(lab_is_reached(&l, 0), "the stale one lives to its end");
	epochs_are_kept(&l, LAB_EPOCH_S);
	world_pass(&l.w, LAB_LIFE_S + 1);
	cr_assert(!lab_is_reached(&l, 0));
	cr_assert_eq(ask_map(&l.w, l.a, SERVER, IP_TCP, 9001, LAB_LIFE_S).result, PCP_SUCCESS);
	lab_close(&l);
}

// ---- the client's daemon ---------------------------------------------------------------------

Test(failure, f15_the_client_restarts_and_remembers_everything)
{
	static const char *const pools[4] = {LAB_POOL("203.0.113.5-203.0.113.7", ""),
		LAB_POOL("203.0.113.4, 203.0.113.6-203.0.113.7", ""),
		LAB_POOL("203.0.113.4-203.0.113.5, 203.0.113.7", ""),
		LAB_POOL("203.0.113.4-203.0.113.6", "")};
	struct lab l;
	struct pcp_message m;
	struct ask a;

	lab_open(&l, LAB);
	a = (struct ask){.m = lab_request(&l, 0), .port = 55555};
	m = ask_with(&l.w, SERVER, &a);
	cr_assert(m.result == PCP_SUCCESS && lab_same_pair(&l, 0, &m));
	epochs_are_kept(&l, LAB_EPOCH_S);
	world_reload(&l.w, pools[ask_granted(&m).addr & 3]);
	cr_assert_eq(ask_told(&l.w, l.since, l.a, 55555, &m), 1, "updates go to the new port");
	cr_assert_eq(m.internal_port, LAB_FIRST);
	lab_close(&l);
}

Test(failure, f16_the_client_restarts_and_remembers_nothing)
{
	struct lab l;
	struct pcp_message get = {.version = PCP_VERSION,
		.opcode = PCP_GET,
		.has_client = true,
		.get = {.internal_ip = ip6_mapped(0), .external_ip = ip6_mapped(0)}};

	lab_open(&l, LAB);
	nonce_is_asked_for(&l);
	get.client = ip6_mapped(l.a);
	cr_assert_eq(ask(&l.w, l.a, SERVER, &get).result, PCP_UNSUPP_OPCODE, "GET is off");
	lab_close(&l);
}

Test(failure, f16_with_get_it_learns_what_it_had)
{
	struct lab l;
	struct pcp_message get = {.version = PCP_VERSION,
		.opcode = PCP_GET,
		.has_client = true,
		.get = {.internal_ip = ip6_mapped(0), .external_ip = ip6_mapped(0)}};
	struct pcp_option options[8];
	struct pcp_next next = {.internal_ip = ip6_mapped(0), .external_ip = ip6_mapped(0)};
	uint8_t request[PCP_MAX];
	struct frame f;
	size_t n, found = 0;

	lab_open(&l, LAB_POOL("203.0.113.4-203.0.113.7",
			     ", legacy: true, nonce-readers: [100.64.0.0/16]"));
	get.client = ip6_mapped(l.a);
	n = pcp_encode_request(request, sizeof request, &get);
	n = pcp_append_next(request, n, sizeof request, &next); // from the beginning
	ask_octets(&l.w, INSIDE_PORT, l.a, ASK_PORT, SERVER, request, n, &f);
	struct pcp_message m = ask_read(&f);
	cr_assert_eq(m.result, PCP_SUCCESS);
	const uint8_t *msg = f.p.l3 + 28;
	cr_assert_eq(pcp_decode_options(msg, f.p.len - 28u, &m, options, 8, &n), PCP_SUCCESS);
	for (size_t i = 0; i < n; i++) {
		cr_assert(pcp_read_next(&options[i], &next));
		cr_assert(pcp_nonce_eq(next.nonce, l.had[0].nonce), "nonces for who may read them");
		for (unsigned k = 0; k < 2; k++)
			found += next.internal_port == l.had[k].internal_port &&
				 next.external_port == l.had[k].external_port;
	}
	cr_assert(n == 2 && found == 2, "%zu rows, %zu his", n, found);
	lab_close(&l);
}

// ---- hosts move ------------------------------------------------------------------------------

static void old_mapping_is_stale_until_its_end(struct lab *l, ip4 new_address)
{
	struct pcp_message m = ask_map(&l->w, new_address, SERVER, IP_TCP, LAB_FIRST, LAB_LIFE_S);

	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert(!lab_same_pair(l, 0, &m));
	cr_assert(lab_is_reached(l, 0));
	epochs_are_kept(l, LAB_EPOCH_S);
}

Test(failure, f17_a_host_gets_a_new_address)
{
	struct lab l;
	struct pcp_message m;

	lab_open(&l, LAB);
	old_mapping_is_stale_until_its_end(&l, world_host(&l.w, 0, 7));
	m = lab_request(&l, 0); // while it still owns the old one
	m.lifetime_s = 0;
	cr_assert_eq(ask(&l.w, l.a, SERVER, &m).result, PCP_SUCCESS);
	cr_assert(!lab_is_reached(&l, 0));
	lab_close(&l);
}

Test(failure, f18_a_host_of_a_third_party_gets_a_new_address)
{
	struct lab l;
	struct pcp_message m;
	struct ask old, new;

	lab_open(&l, LAB);
	old = ask_for(LAB_PORTAL, l.a, IP_UDP, 53, LAB_LIFE_S);
	m = ask_with(&l.w, SERVER, &old);
	cr_assert_eq(m.result, PCP_SUCCESS);
	old.m.lifetime_s = 0;
	cr_assert_eq(ask_with(&l.w, SERVER, &old).result, PCP_SUCCESS);
	new = ask_for(LAB_PORTAL, world_host(&l.w, 1, 7), IP_UDP, 53, LAB_LIFE_S);
	m = ask_with(&l.w, SERVER, &new);
	cr_assert_eq(m.result, PCP_SUCCESS);
	cr_assert_eq(m.epoch_s, LAB_EPOCH_S);
	epochs_are_kept(&l, LAB_EPOCH_S);
	lab_close(&l);
}

Test(failure, f22_the_wan_address_of_a_cpe_changes)
{
	struct lab l;

	lab_open(&l, LAB);
	old_mapping_is_stale_until_its_end(&l, world_host(&l.w, 1, 7)); // on another shard
	world_pass(&l.w, LAB_LIFE_S + 1);
	cr_assert(!lab_is_reached(&l, 0));
	lab_close(&l);
}

// ---- interworking functions ------------------------------------------------------------------

Test(failure, f23_the_renewal_of_an_interworking_function_fails)
{
	struct lab l;
	struct pcp_message m;
	struct ask a;

	lab_open(&l, LAB_POOL("203.0.113.4-203.0.113.7", ", mappings-per-subscriber: 3"));
	a = ask_for(LAB_PORTAL, l.a, IP_UDP, 53, LAB_LIFE_S);
	cr_assert_eq(ask_with(&l.w, SERVER, &a).result, PCP_SUCCESS);
	a.m.internal_port = 54;
	m = ask_with(&l.w, SERVER, &a);
	cr_assert_eq(m.result, PCP_USER_EX_QUOTA);
	cr_assert_eq(m.epoch_s, LAB_EPOCH_S);
	epochs_are_kept(&l, LAB_EPOCH_S);
	lab_close(&l);
}

Test(failure, f24_an_interworking_function_restarts_without_its_table)
{
	struct lab l;
	struct pcp_message m;
	struct ask a;

	lab_open(&l, LAB_POOL("203.0.113.4-203.0.113.7", ", mappings-per-subscriber: 3"));
	a = ask_for(LAB_PORTAL, l.a, IP_UDP, 53, LAB_LIFE_S);
	cr_assert_eq(ask_with(&l.w, SERVER, &a).result, PCP_SUCCESS);
	memset(a.m.nonce.b, 0x5a, sizeof a.m.nonce.b);
	m = ask_with(&l.w, SERVER, &a);
	cr_assert_eq(m.result, PCP_NOT_AUTHORIZED);
	cr_assert_eq(m.lifetime_s, LAB_LIFE_S);
	a.m.internal_port = 54; // the stale entry holds its part of the quota
	cr_assert_eq(ask_with(&l.w, SERVER, &a).result, PCP_USER_EX_QUOTA);
	epochs_are_kept(&l, LAB_EPOCH_S);
	lab_close(&l);
}

// ---- datagrams are lost ----------------------------------------------------------------------

Test(failure, f28_a_reply_is_lost_and_the_request_comes_again)
{
	struct lab l;
	struct pcp_message request, first, second;
	struct frame f;

	lab_open(&l, LAB);
	request = ask_of(l.a, IP_UDP, 700, LAB_LIFE_S);
	first = ask(&l.w, l.a, SERVER, &request);
	second = ask(&l.w, l.a, SERVER, &request);
	cr_assert(first.result == PCP_SUCCESS && second.result == PCP_SUCCESS);
	cr_assert(recipe_eq(ask_granted(&first), ask_granted(&second)));
	cr_assert(first.lifetime_s == second.lifetime_s && first.epoch_s == second.epoch_s);
	cr_assert_eq(WORLD_NAT(&l.w, explicit_created), LAB_MAPPINGS + 1);
	request.lifetime_s = 0;
	ask_frame(&l.w, INSIDE_PORT, l.a, SERVER, &request, &f);
	cr_assert_eq(ask_read(&f).result, PCP_SUCCESS);
	cr_assert_eq(ask(&l.w, l.a, SERVER, &request).result, PCP_SUCCESS);
	cr_assert_eq(WORLD_NAT(&l.w, explicit_deleted), 1);
	epochs_are_kept(&l, LAB_EPOCH_S);
	lab_close(&l);
}
