// SPDX-License-Identifier: Apache-2.0
#include "paper.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct nat_event block = {.kind = NAT_EVENT_BLOCK_TAKEN,
	.key = {.host = 0x6440000a, .realm = 1},
	.external = {0xcb007101, 1024},
	.last_port = 1087};

static struct paper open_paper(bool fail_closed)
{
	struct paper p = {.lab = lab_open_cold()};

	add_target(&p);
	p.lab->io.conf->log_fail_closed = fail_closed;
	lab_start(p.lab);
	return p;
}

Test(ctl, t_17_a_an_event_gets_names_and_the_time_of_day)
{
	struct paper p = open_paper(false);
	uint64_t before = journal_utc_ms(p.lab->ctl, p.lab->io.now), ms = 0;

	lab_event(p.lab, 1, &block);
	lab_rounds(p.lab, 3);
	json_t *lines = read_lines(&p);
	cr_assert_eq(json_array_size(lines), 2u);
	cr_assert_str_eq(text_of(lines, 0, "event"), "started");
	cr_assert_str_eq(text_of(lines, 1, "event"), "block-allocated");
	cr_assert_str_eq(text_of(lines, 1, "group"), "residential");
	cr_assert_str_eq(text_of(lines, 1, "realm"), "inside");
	cr_assert_eq(number_of(lines, 1, "worker"), 1);
	cr_assert(natlog_time_parse(text_of(lines, 1, "time"), &ms));
	cr_assert_geq(ms, before);
	cr_assert_leq(ms, before + 1000);
	json_decref(lines);
	close_paper(&p);
}

// A ring that was full leaves a gap in the numbers; the log tells how many are missing, in place.
Test(ctl, t_17_e_a_gap_is_told_as_a_loss)
{
	struct paper p = open_paper(false);

	lab_event(p.lab, 0, &block);
	p.lab->io.shards[0].sequence += 17;
	lab_event(p.lab, 0, &block);
	lab_event(p.lab, 1, &block);
	lab_rounds(p.lab, 3);
	json_t *lines = read_lines(&p);
	cr_assert_eq(json_array_size(lines), 5u);
	cr_assert_str_eq(text_of(lines, 2, "event"), "lost");
	cr_assert_eq(number_of(lines, 2, "worker"), 0);
	cr_assert_eq(number_of(lines, 2, "sequence"), 2);
	cr_assert_eq(number_of(lines, 2, "count"), 17);
	cr_assert_eq(number_of(lines, 3, "sequence"), 19);
	cr_assert_eq(number_of(lines, 4, "sequence"), 1);
	json_decref(lines);
	close_paper(&p);
}

static void fill(struct lab *lab, uint16_t shard, uint32_t mappings, uint32_t subscribers)
{
	lab->io.shards[shard].nat.mappings = mappings;
	lab->io.shards[shard].nat.subscribers = subscribers;
	lab->io.now += 2 * NS_PER_S;
	lab_rounds(lab, 2);
}

static unsigned told(const struct paper *p, const char *event)
{
	json_t *lines = read_lines(p);
	unsigned n = count_of(lines, event);

	json_decref(lines);
	return n;
}

// Before a table is full, and not again while it stays there; each worker has tables of its own.
Test(ctl, rfc8158_s4_6_8_2_a_mapping_table_that_fills_is_told_once)
{
	struct paper p = open_paper(false);
	struct nat_limits limits = conf_shard_limits(p.lab->io.conf);
	uint32_t size = limits.mappings - limits.mappings_reserved;

	fill(p.lab, 0, size / 100 * 89, 0);
	cr_assert_eq(told(&p, "mappings-high"), 0u);
	fill(p.lab, 0, size / 100 * 91, 0);
	fill(p.lab, 0, size, 0);
	cr_assert_eq(told(&p, "mappings-high"), 1u);
	fill(p.lab, 1, size, 0);
	cr_assert_eq(told(&p, "mappings-high"), 2u);
	fill(p.lab, 0, size / 100 * 85, 0);
	fill(p.lab, 0, size, 0);
	cr_assert_eq(told(&p, "mappings-high"), 2u, "it was not low between");
	fill(p.lab, 0, size / 100 * 75, 0);
	fill(p.lab, 0, size, 0);
	cr_assert_eq(told(&p, "mappings-high"), 3u);
	json_t *lines = read_lines(&p);
	cr_assert_eq(number_of(lines, 1, "worker"), 0);
	cr_assert_geq(number_of(lines, 1, "usage_percent"), 90);
	cr_assert_eq(number_of(lines, 1, "threshold"), (json_int_t)((uint64_t)size * 90 / 100));
	cr_assert_eq(number_of(lines, 2, "worker"), 1);
	json_decref(lines);
	cr_assert_not_null(strstr(lab_log(p.lab), "new ones are refused"));
	close_paper(&p);
}

Test(ctl, rfc8158_s4_6_8_4_a_subscriber_table_that_fills_is_told_once)
{
	struct paper p = open_paper(false);
	uint32_t size = conf_shard_limits(p.lab->io.conf).subscribers;

	fill(p.lab, 1, 0, size);
	fill(p.lab, 1, 0, size);
	cr_assert_eq(told(&p, "subscribers-high"), 1u);
	cr_assert_eq(told(&p, "mappings-high"), 0u);
	json_t *lines = read_lines(&p);
	cr_assert_eq(number_of(lines, 1, "worker"), 1);
	cr_assert_eq(number_of(lines, 1, "threshold"), (json_int_t)((uint64_t)size * 90 / 100));
	json_decref(lines);
	close_paper(&p);
}

// No round takes more than its share, whatever waits; the next follows at once.
Test(ctl, a_round_drains_a_bounded_number)
{
	struct paper p = open_paper(false);
	unsigned n = 7000;

	for (unsigned i = 0; i < n; i++)
		cr_assert(lab_event(p.lab, 0, &block));
	cr_assert_eq(ctl_round(p.lab->ctl), 0);
	cr_assert_eq(p.lab->ctl->journal.taken, (uint64_t)CTL_ROUND_EVENTS / LAB_WORKERS);
	cr_assert(p.lab->ctl->hurry);
	lab_rounds(p.lab, 5);
	json_t *lines = read_lines(&p);
	cr_assert_eq(count_of(lines, "block-allocated"), n);
	json_decref(lines);
	close_paper(&p);
}

// SIGTERM: what the rings hold is written, then the end.
Test(ctl, the_log_is_drained_at_the_end)
{
	struct paper p = open_paper(false);
	struct lab *lab = p.lab;

	for (unsigned i = 0; i < 5000; i++) {
		lab_event(lab, 0, &block);
		lab_event(lab, 1, &block);
	}
	ctl_destroy(lab->ctl);
	lab->ctl = NULL;
	json_t *lines = read_lines(&p);
	cr_assert_eq(count_of(lines, "block-allocated"), 10000u);
	cr_assert_str_eq(text_of(lines, json_array_size(lines) - 1, "event"), "stopped");
	json_decref(lines);
	close_paper(&p);
}

// 17-h: what the log cannot take stays in the rings, until it can.
Test(ctl, t_17_h_rings_fill_while_a_fail_closed_log_is_held_up)
{
	struct paper p = {.lab = lab_open_cold()};

	add_target(&p);
	p.lab->io.conf->log_fail_closed = true;
	cr_assert_eq(mkfifo(p.file, 0600), 0);
	lab_start(p.lab);
	lab_event(p.lab, 0, &block);
	lab_rounds(p.lab, 50);
	cr_assert_eq(p.lab->ctl->journal.taken, 0u);
	int fd = open(p.file, O_RDONLY | O_NONBLOCK);
	p.lab->io.now += 2 * NS_PER_S;
	lab_rounds(p.lab, 50);
	cr_assert_eq(p.lab->ctl->journal.taken, 1u);
	char text[4096] = "";
	cr_assert_gt(read(fd, text, sizeof text - 1), 0);
	cr_assert_not_null(strstr(text, "block-allocated"));
	close(fd);
	close_paper(&p);
}

// 17-g: with a target that takes nothing, and rings that overflow, rounds go on as ever.
Test(ctl, t_17_g_a_log_that_fails_holds_nobody_up)
{
	struct paper p = {.lab = lab_open_cold()};
	unsigned lost = 0;

	add_target(&p);
	cr_assert_eq(mkfifo(p.file, 0600), 0);
	lab_start(p.lab);
	for (unsigned i = 0; i < LAB_EVENTS + 100; i++)
		lost += !lab_event(p.lab, 0, &block);
	cr_assert_eq(lost, 100u);
	lab_rounds(p.lab, 10);
	lab_event(p.lab, 0, &block);
	lab_rounds(p.lab, 1);
	cr_assert_eq(p.lab->ctl->journal.taken, LAB_EVENTS + 1u);
	cr_assert_eq(p.lab->ctl->journal.lost, 100u);
	struct natlog_counters sum;
	natlog_totals(p.lab->ctl->journal.log, &sum);
	cr_assert_gt(sum.lost, LAB_EVENTS / 2u);
	close_paper(&p);
}

Test(ctl, show_log_tells_targets_and_losses)
{
	struct paper p = open_paper(false);
	json_t *rows = json_array();
	int fd = lab_connect(p.lab);

	p.lab->io.shards[0].sequence = 4;
	lab_event(p.lab, 0, &block);
	lab_rounds(p.lab, 3);
	json_t *answer = lab_ask(p.lab, fd, "{\"cmd\":\"show\",\"what\":\"log\"}", rows);
	json_t *done = json_object_get(answer, "done");
	cr_assert_eq(json_array_size(rows), 1u);
	cr_assert_str_eq(text_of(rows, 0, "format"), "json");
	cr_assert_str_eq(text_of(rows, 0, "target"), p.file);
	cr_assert_str_eq(text_of(rows, 0, "state"), "good");
	cr_assert_eq(number_of(rows, 0, "records"), 2);
	cr_assert_eq(number_of(rows, 0, "lost"), 4);
	cr_assert_eq(json_integer_value(json_object_get(done, "events")), 1);
	cr_assert_eq(json_integer_value(json_object_get(done, "events_lost")), 4);
	cr_assert_not_null(json_object_get(done, "clock_synchronized"));
	json_decref(answer);
	json_decref(rows);
	close(fd);
	close_paper(&p);
}

Test(ctl, a_reload_opens_the_log_again)
{
	struct paper p = open_paper(false);
	char old[128];

	snprintf(old, sizeof old, "%s.1", p.file);
	cr_assert_eq(rename(p.file, old), 0);
	lab_event(p.lab, 0, &block);
	journal_configure(p.lab->ctl);
	lab_rounds(p.lab, 3);
	json_t *lines = read_lines(&p);
	cr_assert_eq(count_of(lines, "block-allocated"), 1u);
	json_decref(lines);
	unlink(old);
	close_paper(&p);
}

static int64_t a_minute_later(const struct ctl *ctl)
{
	return (int64_t)(ctl->now / NS_PER_MS) + ctl->journal.offset_ms + 60000;
}

// 17-c: whoever reads the log must know that its clock was set.
Test(ctl, t_17_c_a_step_of_the_clock_is_logged)
{
	struct lab *lab = lab_open();
	uint64_t before = journal_utc_ms(lab->ctl, lab->io.now);

	lab_rounds(lab, 10);
	cr_assert_null(strstr(lab_log(lab), "stepped"));
	lab->ctl->journal.wall_ms = a_minute_later;
	lab->io.now += NS_PER_S;
	lab_rounds(lab, 1);
	cr_assert_not_null(strstr(lab_log(lab), "the wall clock stepped by 60000 ms"));
	cr_assert_geq(journal_utc_ms(lab->ctl, lab->io.now), before + 60000);
	lab_close(lab);
}
