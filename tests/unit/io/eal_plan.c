// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "eal.h"

#include <stdlib.h>

static struct conf *workers(uint16_t n)
{
	struct conf *c = calloc(1, sizeof *c);

	cr_assert(c);
	c->n_workers = n;
	for (uint16_t i = 0; i < CONF_MAX_WORKERS; i++)
		c->lcores[i] = UINT16_MAX;
	return c;
}

static cpu_set_t cpus(uint16_t first, uint16_t n)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	for (uint16_t i = 0; i < n; i++)
		CPU_SET(first + i, &set);
	return set;
}

static bool has(const struct eal_args *args, const char *text)
{
	for (int i = 0; i < args->n; i++) {
		if (strcmp(args->list[i], text) == 0)
			return true;
	}
	return false;
}

Test(io, workers_get_cpus_of_their_own_where_there_are_enough)
{
	struct conf *c = workers(2);
	cpu_set_t usable = cpus(4, 3);
	struct eal_cpus plan;

	eal_plan_cpus(c, &usable, &plan);
	cr_assert_eq(plan.control, 4);
	cr_assert_eq(plan.workers[0], 5);
	cr_assert_eq(plan.workers[1], 6);
	cr_assert_not(plan.shared);
	free(c);
}

Test(io, control_shares_the_first_cpu_where_there_are_too_few)
{
	struct conf *c = workers(2);
	cpu_set_t usable = cpus(0, 2);
	struct eal_cpus plan;

	eal_plan_cpus(c, &usable, &plan);
	cr_assert_eq(plan.control, 0);
	cr_assert_eq(plan.workers[0], 0);
	cr_assert_eq(plan.workers[1], 1);
	cr_assert(plan.shared);
	free(c);
}

Test(io, one_cpu_carries_everything)
{
	struct conf *c = workers(3);
	cpu_set_t usable = cpus(7, 1);
	struct eal_cpus plan;

	eal_plan_cpus(c, &usable, &plan);
	cr_assert_eq(plan.control, 7);
	for (int i = 0; i < 3; i++)
		cr_assert_eq(plan.workers[i], 7);
	free(c);
}

Test(io, asked_for_cpus_are_given_and_control_keeps_off_them)
{
	struct conf *c = workers(3);
	cpu_set_t usable = cpus(0, 8);
	struct eal_cpus plan;

	c->lcores[0] = 0;
	c->lcores[1] = 1;
	c->lcores[2] = 2;
	eal_plan_cpus(c, &usable, &plan);
	cr_assert_eq(plan.control, 3);
	for (uint16_t i = 0; i < 3; i++)
		cr_assert_eq(plan.workers[i], i);
	cr_assert_not(plan.shared);
	free(c);
}

Test(io, control_shares_when_every_cpu_was_asked_for)
{
	struct conf *c = workers(2);
	cpu_set_t usable = cpus(0, 2);
	struct eal_cpus plan;

	c->lcores[0] = 0;
	c->lcores[1] = 1;
	eal_plan_cpus(c, &usable, &plan);
	cr_assert_eq(plan.control, 0);
	cr_assert_eq(plan.workers[0], 0);
	cr_assert_eq(plan.workers[1], 1);
	cr_assert(plan.shared);
	free(c);
}

Test(io, a_cpu_that_may_not_be_used_is_named)
{
	struct conf *c = workers(3);
	cpu_set_t usable = cpus(0, 2);

	cr_assert_eq(eal_plan_missing(c, &usable), UINT16_MAX);
	c->lcores[1] = 1;
	cr_assert_eq(eal_plan_missing(c, &usable), UINT16_MAX);
	c->lcores[2] = 17;
	cr_assert_eq(eal_plan_missing(c, &usable), 17);
	c->lcores[2] = UINT16_MAX - 1; // more than a set can hold
	cr_assert_eq(eal_plan_missing(c, &usable), UINT16_MAX - 1);
	free(c);
}

Test(io, usable_cpus_are_listed_in_ranges)
{
	cpu_set_t usable = cpus(0, 4);
	char text[32], tight[6];

	CPU_SET(8, &usable);
	CPU_SET(10, &usable);
	CPU_SET(11, &usable);
	cr_assert_str_eq(eal_plan_list(&usable, text, sizeof text), "0-3,8,10-11");
	cr_assert_str_eq(eal_plan_list(&usable, tight, sizeof tight), "0-3,8");
	CPU_ZERO(&usable);
	cr_assert_str_eq(eal_plan_list(&usable, text, sizeof text), "");
}

Test(io, eal_is_told_lcores_and_memory)
{
	struct conf *c = workers(2);
	struct eal_plan plan = {.megabytes_plain = 99, .file_prefix = "postern-1"};
	struct eal_args args;

	plan.cpus = (struct eal_cpus){.control = 0, .workers = {0, 1}};
	eal_plan_args(c, &plan, &args);
	cr_assert(has(&args, "--lcores=0@0,1@0,2@1"));
	cr_assert(has(&args, "--no-huge") && has(&args, "99") && has(&args, "--no-pci"));
	cr_assert_not(has(&args, "--in-memory"));
	cr_assert_null(args.list[args.n]);
	plan.huge = true;
	eal_plan_args(c, &plan, &args);
	cr_assert(has(&args, "--in-memory"));
	cr_assert_not(has(&args, "--no-huge"));
	free(c);
}

Test(io, pci_devices_are_allowed_one_by_one)
{
	struct conf *c = workers(1);
	struct eal_plan plan = {.megabytes_plain = 99, .file_prefix = "postern-1"};
	struct eal_args args;

	c->n_ports = 2;
	c->ports[0] = (struct conf_port){.device = "net_tap0,iface=x"};
	c->ports[1] = (struct conf_port){.device = "0000:3b:00.1", .pci = true};
	eal_plan_args(c, &plan, &args);
	cr_assert(has(&args, "-a") && has(&args, "0000:3b:00.1"));
	cr_assert_not(has(&args, "--no-pci"));
	cr_assert_not(has(&args, "net_tap0,iface=x")); // probed later, each with its own error
	free(c);
}

Test(io, most_workers_and_ports_fit_the_argument_list)
{
	struct conf *c = workers(CONF_MAX_WORKERS);
	struct eal_plan plan = {.megabytes_plain = SIZE_MAX, .file_prefix = "postern-4194304"};
	struct eal_args args;

	c->n_ports = CONF_MAX_PORTS;
	for (int i = 0; i < CONF_MAX_PORTS; i++) {
		c->ports[i].pci = true;
		memset(c->ports[i].device, 'x', sizeof c->ports[i].device - 1);
	}
	for (int i = 0; i < CONF_MAX_WORKERS; i++)
		plan.cpus.workers[i] = UINT16_MAX - 1;
	eal_plan_args(c, &plan, &args);
	cr_assert_leq(args.n, EAL_MAX_ARGS);
	cr_assert_leq(args.used, sizeof args.text);
	free(c);
}

Test(io, buffers_grow_with_mtu_workers_and_ports)
{
	struct conf *c = workers(2);
	struct eal_plan small, plan;

	c->n_ports = 2;
	eal_plan_memory(c, &small);
	cr_assert_eq(small.buffer_room, 2048 + 128);
	cr_assert_gt(small.n_buffers, 2 * 2 * (EAL_RX_DESCRIPTORS + EAL_TX_DESCRIPTORS));
	cr_assert_gt(small.megabytes << 20, small.n_buffers * (size_t)small.buffer_room);
	cr_assert_gt(small.megabytes_plain << 20, small.n_buffers * (size_t)4096);
	c->n_ports = 3;
	eal_plan_memory(c, &plan);
	cr_assert_gt(plan.n_buffers, small.n_buffers);
	c->ports[1].mtu = 9000;
	eal_plan_memory(c, &plan);
	cr_assert_geq(plan.buffer_room, 9000 + 18 + 128);
	cr_assert_gt(plan.megabytes_plain << 20, plan.n_buffers * (size_t)3 * 4096);
	c->ports[1].mtu = UINT16_MAX;
	eal_plan_memory(c, &plan);
	cr_assert_eq(plan.buffer_room, UINT16_MAX);
	free(c);
}

// What is cut at the end of a buffer arrives in two: rooms are of whole KiB, which every NIC can
// use.
Test(io, frame_of_the_mtu_fits_one_buffer)
{
	static const uint16_t mtus[] = {576, 1500, 1900, 1901, 4000, 9000, 9216};
	struct conf *c = workers(1);
	struct eal_plan plan;

	c->n_ports = 1;
	for (size_t i = 0; i < ARRAY_SIZE(mtus); i++) {
		c->ports[0].mtu = mtus[i];
		eal_plan_memory(c, &plan);
		uint16_t data = (uint16_t)(plan.buffer_room - 128);
		cr_assert_eq(data % 1024, 0);
		cr_assert_geq(data, mtus[i] + 22 + 4, "%u: two tags and the checksum", mtus[i]);
		cr_assert_geq(data, 2048);
	}
	free(c);
}

Test(io, held_fragments_and_syns_have_buffers_of_their_own)
{
	struct conf *c = workers(3);
	struct eal_plan none, plan;

	c->n_ports = 2;
	eal_plan_memory(c, &none);
	c->fragments = 1000;
	c->syns = 10;
	eal_plan_memory(c, &plan);
	cr_assert_eq(plan.n_buffers - none.n_buffers, 3 * 1010);
	free(c);
}

static struct conf_device members[] = {
	{.device = "0000:3b:00.0", .pci = true},
	{.device = "0000:3b:00.1", .pci = true},
	{.device = "net_tap7,iface=x"},
};

Test(io, members_of_a_port_are_allowed_and_have_rings)
{
	struct conf *c = workers(2);
	struct eal_plan one, plan;
	struct eal_args args;

	c->n_ports = 1;
	c->ports[0] = (struct conf_port){.device = "net_bonding0,mode=4"};
	eal_plan_memory(c, &one);
	c->ports[0].members = members;
	c->ports[0].n_members = ARRAY_SIZE(members);
	eal_plan_memory(c, &plan);
	cr_assert_eq(plan.n_buffers - one.n_buffers,
		2 * 2 * (EAL_RX_DESCRIPTORS + EAL_TX_DESCRIPTORS + 32));
	eal_plan_args(c, &plan, &args);
	cr_assert(has(&args, "0000:3b:00.0") && has(&args, "0000:3b:00.1"));
	cr_assert_not(has(&args, "net_tap7,iface=x"));
	cr_assert_not(has(&args, "--no-pci"));
	free(c);
}
