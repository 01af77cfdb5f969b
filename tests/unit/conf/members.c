// SPDX-License-Identifier: Apache-2.0
// Link aggregations: ports that are made of several devices.
#include "make.h"

#define BOND(members)                                                                              \
	"ports:\n"                                                                                 \
	"  inside: {device: a, addresses: [100.64.0.1/10]}\n"                                      \
	"  outside: {device: 'net_bonding0,mode=4', addresses: [198.51.100.2/24]" members          \
	"}\n" GROUP

Test(conf, a_link_aggregation_has_its_members_in_their_order)
{
	struct conf *c = make_conf(
		BOND(", members: ['0000:3b:00.1', '3b:00.0,x=y', 'net_tap7,iface=t']"), NULL);
	const struct conf_port *p = &c->ports[1];

	cr_assert_eq(c->ports[0].n_members, 0);
	cr_assert_not(p->pci);
	cr_assert_eq(p->n_members, 3);
	cr_assert_str_eq(p->members[0].device, "0000:3b:00.1");
	cr_assert_str_eq(p->members[1].device, "3b:00.0,x=y");
	cr_assert_str_eq(p->members[2].device, "net_tap7,iface=t");
	cr_assert(p->members[0].pci && p->members[1].pci && !p->members[2].pci);
	conf_destroy(c);
}

static const struct mistake mistakes[] = {
	{BOND(""), {"t:3:21: ports.outside.device: found no members, expected members: a list of "
		    "devices such as [\"0000:3b:00.0\", \"0000:3b:00.1\"]"}},
	{BOND(", members: []"),
		{"t:3:74: ports.outside.members: found an empty list, expected a list of devices "
		 "such as [\"0000:3b:00.0\", \"0000:3b:00.1\"]"}},
	{BOND(", members: x"),
		{"t:3:83: ports.outside.members: found 'x', expected a list of devices such as "
		 "[\"0000:3b:00.0\", \"0000:3b:00.1\"]"}},
	{BOND(", members: [c, 'a b', {d: e}, net_bonding1, 'a,x=y', c, f]"),
		{"t:3:87: ports.outside.members[1]: found 'a b', expected a device such as "
		 "0000:3b:00.1, no net_bonding",
			"t:3:94: ports.outside.members[2]: found a mapping, expected a device such "
			"as 0000:3b:00.1, no net_bonding",
			"t:3:102: ports.outside.members[3]: found 'net_bonding1', expected a "
			"device "
			"such as 0000:3b:00.1, no net_bonding",
			"t:3:116: ports.outside.members[4]: found 'a,x=y', expected a device of "
			"its own: ports.inside (line 2) has this one",
			"t:3:125: ports.outside.members[5]: found 'c', expected a device of its "
			"own: ports.outside (line 3) has this one"}},
	{BOND(", members: [c, d, e, f, g, h, i, j, k]"),
		{"t:3:74: ports.outside.members: found 9 items, expected at most 8"}},
	{PORTS "  outside2: {device: c, addresses: [198.18.0.1/24], members: [d]}\n" GROUP,
		{"t:4:53: ports.outside2.members: found 'members', expected none: only a "
		 "net_bonding device has members"}},
};

Test(conf, mistakes_in_members)
{
	for (size_t i = 0; i < ARRAY_SIZE(mistakes); i++)
		check_mistake(&mistakes[i]);
}

Test(conf, members_change_by_a_restart)
{
	struct conf_complaints complaints = {.file = "t"};
	struct conf *old = make_conf(BOND(", members: [c, d]"), NULL);
	struct conf *same = make_conf(BOND(", members: [c, d]"), old);
	struct conf *new = make_conf(BOND(", members: [d, c]"), old);
	char line[512];

	cr_assert_eq(conf_restart_leaves(old, same, &complaints), 0);
	cr_assert_eq(conf_restart_leaves(old, new, &complaints), 1);
	conf_complaint_format(&complaints, 0, line, sizeof line);
	cr_assert_str_eq(line, "t:3:74: ports.outside.members: found other devices, expected those "
			       "in use until a restart");
	conf_complaints_destroy(&complaints);
	conf_destroy(old);
	conf_destroy(same);
	conf_destroy(new);
}
