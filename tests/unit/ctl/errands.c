// SPDX-License-Identifier: Apache-2.0
// Epochs that never lie: what an operator clears or withdraws, and who is told. Names begin with
// the row of the table of state losses that they prove, where there is one.
#include "lab.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CLEAR_GROUP "{\"cmd\":\"clear\",\"what\":\"group\",\"key\":{\"group\":\"residential\"}}"
#define CLEAR_SUBSCRIBER                                                                           \
	"{\"cmd\":\"clear\",\"what\":\"subscriber\",\"key\":{\"subscriber\":\"100.80.0.1\"}}"
#define APPLY "{\"cmd\":\"config\",\"what\":\"apply\"}"
#define HOST 0x64500001u

static void ask(struct lab *lab, const char *request, const char *code)
{
	int fd = lab_connect(lab);
	json_t *answer = lab_ask(lab, fd, request, NULL);

	cr_assert_str_eq(lab_code(answer), code, "%s", request);
	json_decref(answer);
	close(fd);
}

static uint32_t wishes(const struct lab *lab, enum shard_wish_kind kind)
{
	return lab->io.shards[0].n_of_kind[kind] + lab->io.shards[1].n_of_kind[kind];
}

Test(ctl, f4_clearing_a_group_resets_its_epoch_and_announces_on_every_worker)
{
	struct lab *lab = lab_open();
	ns before = lab->io.now;

	ask(lab, CLEAR_GROUP, "");
	lab_rounds(lab, 4);
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		cr_assert_eq(lab->io.shards[i].n_of_kind[SHARD_CLEAR_GROUP], 1u);
		cr_assert_eq(lab->io.shards[i].n_of_kind[SHARD_ANNOUNCE], 1u);
		cr_assert_eq(lab->io.shards[i].last_wish.group, 0);
	}
	cr_assert_eq(lab->io.n_resets, 1u);
	cr_assert_geq(lab->io.epochs.base_ns[0], before);
	cr_assert_eq(lab->io.epochs.base_ns[1], 0u, "the other group's Epoch kept counting");
	cr_assert_not_null(strstr(lab_log(lab), "NAT group residential: its Epoch starts again"));
	lab_close(lab);
}

// The Epoch is reset when the last worker has cleared, not before: what a client gets in between
// would be cleared under a new Epoch.
Test(ctl, f4_an_epoch_is_not_reset_before_the_last_worker_has_cleared)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	lab->io.shards[1].asleep = true;
	lab_say(fd, CLEAR_GROUP "\n");
	lab_rounds(lab, 20);
	cr_assert_eq(lab->io.n_resets, 0u);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 0u);
	lab->io.shards[1].asleep = false;
	json_t *answer = lab_next(lab, fd);
	cr_assert_not_null(json_object_get(answer, "done"));
	cr_assert_eq(lab->io.n_resets, 1u);
	json_decref(answer);
	close(fd);
	lab_close(lab);
}

Test(ctl, f4_a_clearing_goes_on_when_the_operator_hangs_up)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	lab->io.shards[0].asleep = lab->io.shards[1].asleep = true;
	lab_say(fd, CLEAR_GROUP "\n");
	lab_rounds(lab, 3);
	close(fd);
	lab_rounds(lab, 3);
	lab->io.shards[0].asleep = lab->io.shards[1].asleep = false;
	lab_rounds(lab, 5);
	cr_assert_eq(wishes(lab, SHARD_CLEAR_GROUP), 2u);
	cr_assert_eq(lab->io.n_resets, 1u);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 2u);
	lab_close(lab);
}

Test(ctl, a_clearing_names_the_worker_that_does_not_answer)
{
	struct lab *lab = lab_open();

	lab->io.tick = NS_PER_S;
	lab->io.shards[1].asleep = true;
	ask(lab, CLEAR_GROUP, "no-answer");
	lab->io.shards[1].asleep = false;
	lab_rounds(lab, 5);
	cr_assert_eq(lab->io.n_resets, 1u, "but it is done when that worker wakes up");
	lab_close(lab);
}

Test(ctl, f5_clearing_a_subscriber_leaves_the_groups_epoch_alone)
{
	struct lab *lab = lab_open();

	ask(lab, CLEAR_SUBSCRIBER, "");
	lab_rounds(lab, 4);
	cr_assert_eq(wishes(lab, SHARD_CLEAR_SUBSCRIBER), 1u);
	cr_assert_eq(wishes(lab, SHARD_RESET_CLIENT) + wishes(lab, SHARD_ANNOUNCE), 0u);
	cr_assert_eq(lab->io.n_resets, 0u);
	lab_close(lab);
}

Test(ctl, f6_the_portal_that_asked_for_a_cleared_subscriber_loses_its_epoch)
{
	struct lab *lab = lab_open();
	uint16_t worker = conf_inside_owner(lab->io.conf, HOST);
	struct server_client portal = lab_client(worker, 0);
	uint16_t owner = conf_inside_owner(lab->io.conf, portal.address);

	lab->io.shards[worker].n_losers = 1;
	ask(lab, CLEAR_SUBSCRIBER, "");
	lab_rounds(lab, 4);
	for (unsigned i = 0; i < LAB_WORKERS; i++)
		cr_assert_eq(lab->io.shards[i].n_of_kind[SHARD_RESET_CLIENT], 1u, "each is told");
	const struct shard_wish *w = &lab->io.shards[owner].last_wish;
	cr_assert_eq(w->kind, SHARD_RESET_CLIENT);
	cr_assert_eq(w->key.host, portal.address);
	cr_assert_eq(w->key.realm, portal.realm);
	cr_assert_eq(lab->io.n_resets, 0u);
	cr_assert_not_null(strstr(lab_log(lab), "on behalf of others"));
	lab_close(lab);
}

// A new configuration takes leases away, too, perhaps long after it was applied.
Test(ctl, rfc6887_s8_5_a_portal_that_loses_by_a_configuration_loses_its_epoch)
{
	struct lab *lab = lab_open();
	struct server_client portal = lab_client(1, 0);

	lab->io.shards[1].n_unasked_losers = 1;
	lab_rounds(lab, 4);
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		cr_assert_eq(lab->io.shards[i].n_of_kind[SHARD_RESET_CLIENT], 1u);
		cr_assert_eq(lab->io.shards[i].last_wish.key.host, portal.address);
	}
	cr_assert_eq(lab->io.n_resets, 0u);
	lab_close(lab);
}

Test(ctl, f6_a_portal_is_told_although_the_operator_hung_up)
{
	struct lab *lab = lab_open();
	struct shard *shard = &lab->io.shards[conf_inside_owner(lab->io.conf, HOST)];
	int fd = lab_connect(lab);

	shard->n_losers = 1;
	shard->asleep = true;
	lab_say(fd, CLEAR_SUBSCRIBER "\n");
	lab_rounds(lab, 3);
	close(fd);
	lab_rounds(lab, 3);
	shard->asleep = false;
	lab_rounds(lab, 6);
	cr_assert_eq(wishes(lab, SHARD_RESET_CLIENT), 2u);
	lab_close(lab);
}

// More losers than control remembers: then everybody of the group is told.
Test(ctl, f6_too_many_portals_are_told_by_the_groups_epoch)
{
	struct lab *lab = lab_open();
	uint16_t worker = conf_inside_owner(lab->io.conf, HOST);

	lab->io.shards[worker].n_losers = 2 * CTL_LOSERS + 10;
	lab->io.shards[0].asleep = worker != 0;
	lab->io.shards[1].asleep = worker != 1;
	ask(lab, CLEAR_SUBSCRIBER, "");
	lab->io.shards[0].asleep = lab->io.shards[1].asleep = false;
	lab_rounds(lab, 3 * CTL_LOSERS);
	cr_assert_geq(lab->io.n_resets, 1u);
	cr_assert_geq(wishes(lab, SHARD_RESET_CLIENT), (uint32_t)CTL_LOSERS);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 2u, "however often it was reset");
	cr_assert_eq(lab->ctl->errands.n_losers, 0u);
	lab_close(lab);
}

Test(ctl, an_operator_resets_an_epoch)
{
	struct lab *lab = lab_open();
	ns before = lab->io.now;

	ask(lab, "{\"cmd\":\"reset\",\"what\":\"epoch\",\"key\":{\"group\":\"business\"}}", "");
	lab_rounds(lab, 4);
	cr_assert_geq(lab->io.epochs.base_ns[1], before);
	cr_assert_eq(lab->io.epochs.base_ns[0], 0u);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 2u);
	cr_assert_eq(lab->io.shards[0].last_wish.group, 1);
	cr_assert_eq(wishes(lab, SHARD_CLEAR_GROUP), 0u);
	lab_close(lab);
}

// ---- configurations --------------------------------------------------------------------------

static void apply(struct lab *lab, const char *pool, const char *pcp)
{
	lab->pcp = pcp;
	lab_write_conf(lab, pool, "");
	ask(lab, APPLY, "");
	lab_rounds(lab, 4);
}

Test(ctl, f7_a_withdrawn_address_resets_the_epoch_where_third_parties_ask)
{
	struct lab *lab = lab_open();

	apply(lab, "203.0.113.0/30", ", third-party: { sources: [100.64.0.0/24] }");
	cr_assert_eq(lab->io.n_resets, 0u);
	apply(lab, "203.0.113.0/31", ", third-party: { sources: [100.64.0.0/24] }");
	cr_assert_eq(lab->io.n_resets, 1u);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 2u);
	cr_assert_not_null(strstr(lab_log(lab), "an external address was withdrawn"));
	apply(lab, "203.0.113.0/29", ", third-party: { sources: [100.64.0.0/24] }");
	cr_assert_eq(lab->io.n_resets, 1u, "more addresses are no loss");
	lab_close(lab);
}

Test(ctl, f7_a_withdrawn_address_is_told_one_by_one_where_nobody_asks_for_others)
{
	struct lab *lab = lab_open();

	apply(lab, "203.0.113.0/31", "");
	cr_assert_eq(lab->io.n_resets, 0u);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 0u);
	lab_close(lab);
}

Test(ctl, f7_the_epoch_waits_for_the_last_worker_to_take_the_configuration_over)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	apply(lab, "203.0.113.0/30", ", third-party: { sources: [100.64.0.0/24] }");
	lab->io.shards[1].stubborn = true;
	lab->io.tick = NS_PER_S;
	lab_write_conf(lab, "203.0.113.0/31", "");
	lab_say(fd, APPLY "\n");
	lab_rounds(lab, 20);
	cr_assert_eq(lab->io.n_resets, 0u);
	lab->io.shards[1].stubborn = false;
	lab_rounds(lab, 4);
	cr_assert_eq(lab->io.n_resets, 1u, "however late");
	close(fd);
	lab_close(lab);
}

Test(ctl, f29_other_prefixes_or_port_sets_are_announced_and_keep_the_epoch)
{
#define PREFIX(prefix) ", options: [prefix64], prefix64: [{ prefix: \"" prefix "\" }]"
	static const char *const worlds[] = {
		", options: [prefix64]",
		PREFIX("64:ff9b::/96"),
		PREFIX("2001:db8:64::/96"),
		", options: [prefix64, port-set]",
	};
	struct lab *lab = lab_open();

	for (uint32_t i = 0; i < ARRAY_SIZE(worlds); i++) {
		apply(lab, "203.0.113.0/30", worlds[i]);
		cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 2 * (i + 1), "%s", worlds[i]);
	}
	apply(lab, "203.0.113.0/30", worlds[3]);
	cr_assert_eq(wishes(lab, SHARD_ANNOUNCE), 8u, "nothing changed, nothing is announced");
	cr_assert_eq(lab->io.n_resets, 0u);
	lab_close(lab);
}
