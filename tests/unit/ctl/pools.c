// SPDX-License-Identifier: Apache-2.0
#include "paper.h"

// Usage of the first group's pool, half of it on each shard.
static void use(struct lab *lab, unsigned percent)
{
	for (unsigned i = 0; i < LAB_WORKERS; i++) {
		lab->io.shards[i].groups[0].blocks_total = 500;
		lab->io.shards[i].groups[0].blocks_allocated = 5 * percent;
	}
}

static void watch(struct lab *lab)
{
	lab->io.conf->groups[0].pool_high = 90;
	lab->io.conf->groups[0].pool_low = 70;
	lab->io.conf->groups[0].notify_interval_s = 20;
	lab->io.tick = NS_PER_S;
}

static struct lab *open_watched(void)
{
	struct lab *lab = lab_open();

	watch(lab);
	return lab;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static void expect_notices(struct lab *lab, unsigned high, unsigned low)
{
	cr_assert_eq(count(lab_log(lab), "at or above the high watermark of 90 %"), high, "%s",
		lab_log(lab));
	cr_assert_eq(count(lab_log(lab), "back at or below the low one of 70 %"), low, "%s",
		lab_log(lab));
}

// 7659 natv2NotificationPoolUsageHigh and Low: one each, with hysteresis between them.
Test(ctl, a_pool_is_told_full_once_and_empty_once)
{
	struct lab *lab = open_watched();

	use(lab, 89);
	lab_rounds(lab, 30);
	expect_notices(lab, 0, 0);
	use(lab, 90);
	lab_rounds(lab, 30);
	expect_notices(lab, 1, 0);
	use(lab, 71);
	lab_rounds(lab, 30);
	use(lab, 95);
	lab_rounds(lab, 30);
	expect_notices(lab, 1, 0);
	use(lab, 70);
	lab_rounds(lab, 30);
	expect_notices(lab, 1, 1);
	use(lab, 100);
	lab_rounds(lab, 30);
	expect_notices(lab, 2, 1);
	lab_close(lab);
}

static void expect_watermark(
	const json_t *lines, size_t i, const char *event, json_int_t usage, json_int_t threshold)
{
	cr_assert_str_eq(text_of(lines, i, "event"), event);
	cr_assert_str_eq(text_of(lines, i, "group"), "residential");
	cr_assert_eq(number_of(lines, i, "usage_percent"), usage);
	cr_assert_eq(number_of(lines, i, "threshold_percent"), threshold);
}

Test(ctl, rfc8158_s4_6_8_1_watermarks_reach_the_nat_log)
{
	static const unsigned percents[] = {89, 93, 71, 62};
	struct paper p = {.lab = lab_open_cold()};

	add_target(&p);
	lab_start(p.lab);
	watch(p.lab);
	for (size_t i = 0; i < ARRAY_SIZE(percents); i++) {
		use(p.lab, percents[i]);
		lab_rounds(p.lab, 30);
	}
	json_t *lines = read_lines(&p);
	cr_assert_eq(json_array_size(lines), 3u);
	expect_watermark(lines, 1, "pool-high", 93, 90);
	expect_watermark(lines, 2, "pool-low", 62, 70);
	json_decref(lines);
	close_paper(&p);
}

Test(ctl, a_pool_that_swings_is_told_no_more_than_once_an_interval)
{
	struct lab *lab = open_watched();

	for (unsigned i = 0; i < 60; i++) {
		use(lab, i % 2 ? 100 : 0);
		lab_rounds(lab, 1);
	}
	unsigned told =
		count(lab_log(lab), "watermark of 90") + count(lab_log(lab), "low one of 70");
	cr_assert_geq(told, 2u);
	cr_assert_leq(told, 4u);
	lab_close(lab);
}

Test(ctl, a_pool_without_watermarks_is_never_told)
{
	struct lab *lab = open_watched();

	lab->io.conf->groups[0].pool_high = 0;
	use(lab, 100);
	lab_rounds(lab, 30);
	expect_notices(lab, 0, 0);
	lab_close(lab);
}

Test(ctl, show_pools_adds_up_all_shards)
{
	struct lab *lab = open_watched();
	json_t *rows = json_array();
	int fd = lab_connect(lab);

	use(lab, 40);
	lab->io.shards[1].groups[0].total_port_mappings = 7;
	json_decref(lab_ask(lab, fd,
		"{\"cmd\":\"show\",\"what\":\"pools\",\"filter\":{\"group\":\"residential\"}}",
		rows));
	json_t *row = json_array_get(rows, 0);
	json_int_t size = lab->io.conf->groups[0].nat.port_set_size;
	cr_assert_eq(json_array_size(rows), 1u);
	cr_assert_eq(json_integer_value(json_object_get(row, "blocks_allocated")), 400);
	cr_assert_eq(json_integer_value(json_object_get(row, "blocks_free")), 600);
	cr_assert_eq(json_integer_value(json_object_get(row, "ports_allocated")), 400 * size);
	cr_assert_eq(json_integer_value(json_object_get(row, "ports_free")), 600 * size);
	cr_assert_eq(json_integer_value(json_object_get(row, "usage_percent")), 40);
	cr_assert_eq(json_integer_value(json_object_get(row, "addresses")), 4);
	cr_assert_eq(json_integer_value(json_object_get(row, "total_port_mappings")), 7);
	cr_assert(json_is_false(json_object_get(row, "high")));
	json_decref(rows);
	rows = json_array();
	json_decref(lab_ask(lab, fd, "{\"cmd\":\"show\",\"what\":\"pools\"}", rows));
	cr_assert_eq(json_array_size(rows), 2u);
	json_decref(rows);
	json_t *answer = lab_ask(lab, fd,
		"{\"cmd\":\"show\",\"what\":\"pools\",\"filter\":{\"group\":\"nowhere\"}}", NULL);
	cr_assert_str_eq(lab_code(answer), "not-found");
	json_decref(answer);
	close(fd);
	lab_close(lab);
}

Test(ctl, counters_of_each_group_stand_in_show_counters)
{
	struct lab *lab = open_watched();
	json_t *rows = json_array(), *row;
	int fd = lab_connect(lab);
	unsigned found = 0;
	size_t i;

	lab->io.shards[0].groups[1].total_sessions = 3;
	lab->io.shards[1].groups[1].total_sessions = 4;
	json_decref(lab_ask(lab, fd, "{\"cmd\":\"show\",\"what\":\"counters\"}", rows));
	json_array_foreach(rows, i, row)
	{
		const char *name = json_string_value(json_object_get(row, "name"));
		if (strcmp(name, "group.business.total_sessions") != 0)
			continue;
		found++;
		cr_assert_eq(json_integer_value(json_object_get(row, "value")), 7);
		cr_assert_str_eq(json_string_value(json_object_get(row, "group")), "business");
	}
	cr_assert_eq(found, 1u);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}
