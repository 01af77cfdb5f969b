// SPDX-License-Identifier: Apache-2.0
#include "paper.h"

static const struct prefix4 inside[] = {{0x64400000, 24}};
static const ip4 external[] = {0xcb007100, 0xcb007101};
static const struct nat_plan plan = {.inside = inside,
	.n_inside = 1,
	.n_hosts = 256,
	.external = external,
	.n_external = 2,
	.hosts_per_address = 128,
	.port_first = 1024,
	.port_last = 65535,
	.ports_per_host = 448,
	.port_set_size = 64};

static struct lab *open_planned(char history[96])
{
	struct lab *lab = lab_open_cold();

	snprintf(history, 96, "/tmp/ctl-plans-%d", getpid());
	unlink(history);
	snprintf(lab->io.conf->log_history, sizeof lab->io.conf->log_history, "%s", history);
	lab->io.conf->groups[0].nat.plan = &plan;
	lab_start(lab);
	return lab;
}

Test(ctl, t_7422_c_a_plan_is_kept_with_its_time)
{
	char history[96];
	struct lab *lab = open_planned(history);
	json_t *lines = read_file(history);
	uint64_t ms;

	cr_assert_eq(json_array_size(lines), 2u);
	cr_assert_str_eq(text_of(lines, 0, "event"), "started");
	cr_assert_str_eq(text_of(lines, 1, "event"), "plan");
	cr_assert_str_eq(text_of(lines, 1, "group"), "residential");
	cr_assert(natlog_time_parse(text_of(lines, 1, "time"), &ms));
	json_t *line = json_array_get(lines, 1);
	cr_assert_str_eq(json_string_value(json_array_get(json_object_get(line, "external"), 1)),
		"203.0.113.1");
	cr_assert_eq(json_integer_value(json_object_get(line, "ports_per_host")), 448);
	json_decref(lines);
	unlink(history);
	lab_close(lab);
}

Test(ctl, t_7422_c_a_new_plan_is_added_and_an_old_one_ends)
{
	char history[96];
	struct lab *lab = open_planned(history);
	struct nat_plan other = plan;
	struct conf *next = malloc(sizeof *next);

	*next = *lab->io.conf;
	cr_assert_eq(plans_compare(lab->io.conf, next), 0u);
	other.ports_per_host = 384;
	next->groups[0].nat.plan = &other;
	cr_assert_eq(plans_compare(lab->io.conf, next), 1u);
	lab->io.conf->groups[0].nat.plan = &other;
	plans_end(lab->ctl, next); // it lives on
	plans_changed(lab->ctl, 1);
	next->groups[0].used = false;
	plans_end(lab->ctl, next);
	json_t *lines = read_file(history);
	cr_assert_eq(json_array_size(lines), 4u);
	cr_assert_eq(
		json_integer_value(json_object_get(json_array_get(lines, 2), "ports_per_host")),
		384);
	cr_assert(json_is_null(json_object_get(json_array_get(lines, 3), "plan")));
	cr_assert_str_eq(text_of(lines, 3, "group"), "residential");
	json_decref(lines);
	free(next);
	unlink(history);
	lab_close(lab);
}

static void expect_plan(const json_t *lines, size_t i, json_int_t ports_per_host)
{
	const json_t *line = json_array_get(lines, i);

	cr_assert_str_eq(text_of(lines, i, "event"), "plan");
	cr_assert_str_eq(text_of(lines, i, "group"), "residential");
	cr_assert_not_null(text_of(lines, i, "time"));
	cr_assert_eq(number_of(lines, i, "ports_per_host"), ports_per_host);
	cr_assert_eq(number_of(lines, i, "hosts_per_address"), 128);
	cr_assert_eq(json_array_size(json_object_get(line, "inside")), 1u);
	cr_assert_eq(json_array_size(json_object_get(line, "external")), 2u);
}

// The history may be lost: whoever has the NAT log has the plans, too.
Test(ctl, t_7422_3_the_nat_log_has_every_plan_from_its_moment_on)
{
	struct paper p = {.lab = lab_open_cold()};
	struct nat_plan other = plan;
	struct conf *next = malloc(sizeof *next);

	add_target(&p);
	p.lab->io.conf->groups[0].nat.plan = &plan;
	lab_start(p.lab);
	lab_rounds(p.lab, 3);
	json_t *lines = read_lines(&p);
	cr_assert_eq(json_array_size(lines), 2u, "a start");
	expect_plan(lines, 1, 448);
	json_decref(lines);
	*next = *p.lab->io.conf;
	other.ports_per_host = 384;
	p.lab->io.conf->groups[0].nat.plan = &other;
	plans_changed(p.lab->ctl, plans_compare(next, p.lab->io.conf));
	next->groups[0].used = false;
	plans_end(p.lab->ctl, next);
	lab_rounds(p.lab, 3);
	lines = read_lines(&p);
	cr_assert_eq(json_array_size(lines), 4u, "a change, and an end");
	expect_plan(lines, 2, 384);
	cr_assert_str_eq(text_of(lines, 3, "event"), "plan");
	cr_assert_str_eq(text_of(lines, 3, "group"), "residential");
	cr_assert(json_is_null(json_object_get(json_array_get(lines, 3), "plan")));
	json_decref(lines);
	free(next);
	close_paper(&p);
}

// M of RFC 7422 s.2 is live, and so a change of it is one of the plan.
Test(ctl, t_7422_3_the_ports_that_a_host_may_have_belong_to_the_plan)
{
	char history[96];
	struct lab *lab = open_planned(history);
	struct conf *next = malloc(sizeof *next);
	struct nat_policy *policy = &lab->io.conf->groups[0].nat;
	uint32_t most = 448u + (uint32_t)policy->block_limit * policy->port_set_size;

	*next = *lab->io.conf;
	cr_assert_eq(plans_compare(lab->io.conf, next), 0u);
	next->groups[0].nat.port_limit = most + 1; // is no limit then
	cr_assert_eq(plans_compare(lab->io.conf, next), 0u);
	next->groups[0].nat.port_limit = 500;
	cr_assert_eq(plans_compare(lab->io.conf, next), 1u);
	next->groups[0].nat.port_limit = 0;
	next->groups[0].nat.block_limit++;
	cr_assert_eq(plans_compare(lab->io.conf, next), 1u);
	policy->port_limit = 500;
	plans_changed(lab->ctl, 1);
	json_t *lines = read_file(history);
	cr_assert_eq(json_array_size(lines), 3u);
	cr_assert_eq(number_of(lines, 1, "max_ports_per_host"), most);
	cr_assert_eq(number_of(lines, 2, "max_ports_per_host"), 500);
	json_decref(lines);
	free(next);
	unlink(history);
	lab_close(lab);
}

static size_t lines_at(struct lab *lab, const char *history, ns since_start)
{
	lab->io.now = lab->ctl->started + since_start;
	lab_rounds(lab, 3);
	json_t *lines = read_file(history);
	size_t n = json_array_size(lines);

	if (n > 2)
		cr_assert_str_eq(text_of(lines, n - 1, "event"), "plan");
	json_decref(lines);
	return n;
}

// RFC 7422 s.3: whoever has the log of any one day has what he needs.
Test(ctl, t_7422_3_every_plan_is_told_again_once_a_day)
{
	char history[96];
	struct lab *lab = open_planned(history);
	ns day = 86400 * NS_PER_S;

	cr_assert_eq(lines_at(lab, history, day - NS_PER_S), 2u, "the start, and its plan");
	cr_assert_eq(lines_at(lab, history, day), 3u);
	cr_assert_eq(lines_at(lab, history, day + 2 * NS_PER_S), 3u);
	cr_assert_eq(lines_at(lab, history, 2 * day - NS_PER_S), 3u);
	cr_assert_eq(lines_at(lab, history, 2 * day + NS_PER_S), 4u);
	unlink(history);
	lab_close(lab);
}

Test(ctl, a_history_that_cannot_be_written_is_logged_and_not_fatal)
{
	struct lab *lab = lab_open_cold();

	strcpy(lab->io.conf->log_history, "/nonexistent/folder/history");
	lab->io.conf->groups[0].nat.plan = &plan;
	lab_start(lab);
	cr_assert_not_null(strstr(lab_log(lab), "the history of plans lacks a line"));
	lab_close(lab);
}

// Without a plan, and without anything that was written before, there is nothing to keep.
Test(ctl, no_history_without_plans)
{
	struct lab *lab = lab_open_cold();

	snprintf(lab->io.conf->log_history, sizeof lab->io.conf->log_history, "/tmp/ctl-none-%d",
		getpid());
	lab_start(lab);
	cr_assert_neq(access(lab->io.conf->log_history, F_OK), 0);
	lab_close(lab);
}
