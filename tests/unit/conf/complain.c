// SPDX-License-Identifier: Apache-2.0
// Complaints as such: places, cuts, bounds.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

Test(conf, a_raw_nul_is_placed)
{
	static const char text[] = "ports:\n  a\0b: 1\n";
	struct conf_complaints all = {0};
	struct conf *c;
	char line[200];

	cr_assert_eq(conf_load_text("t", text, sizeof text - 1, NULL, &c, &all), -EINVAL);
	cr_assert_eq(all.n, 1);
	conf_complaint_format(&all, 0, line, sizeof line);
	cr_assert_str_eq(line, "t:2:4: found a NUL octet, expected UTF-8 text");
	conf_complaints_destroy(&all);
}

Test(conf, a_line_that_does_not_fit_is_cut_and_terminated)
{
	struct conf_complaints all = {0};
	struct conf *c;
	char line[20] = "xxxxxxxxxxxxxxxxxxx";

	cr_assert_eq(conf_load_text("t", "a: 1", 4, NULL, &c, &all), -EINVAL);
	conf_complaint_format(&all, 0, line, 14);
	cr_assert_str_eq(line, "t:1:1: found ");
	conf_complaint_format(&all, 0, line, 0);
	cr_assert_str_eq(line, "t:1:1: found ");
	conf_complaints_destroy(&all);
}

Test(conf, what_was_found_is_cut_between_letters_and_has_no_control_characters)
{
	struct conf_complaints all = {0};
	struct conf *c;
	char text[400] = PORTS GROUP "idle: \"\\a\\e";

	while (strlen(text) < sizeof text - 5)
		strcat(text, "\xc3\xa4");
	strcat(text, "\"\n");
	cr_assert_eq(conf_load_text("t", text, strlen(text), NULL, &c, &all), -EINVAL);
	cr_assert_eq(all.n, 1);
	const char *found = all.list[0].found;
	size_t len = strlen(found);
	cr_assert(!strncmp(found, "'??\xc3\xa4", 5));
	cr_assert_str_eq(found + len - 5, "\xc3\xa4...");
	conf_complaints_destroy(&all);
}

Test(conf, a_thousand_mistakes_are_enough)
{
	struct conf_complaints all = {0};
	struct conf *c;
	size_t room = 64 << 10, at = 0;
	char *text = malloc(room), line[200];

	for (uint32_t i = 0; i < 3000; i++)
		at += (size_t)snprintf(text + at, room - at, "x%u: 1\n", i);
	at += (size_t)snprintf(text + at, room - at, "%s%s", PORTS, GROUP);
	cr_assert_eq(conf_load_text("t", text, at, NULL, &c, &all), -EINVAL);
	cr_assert_eq(all.n, 1001);
	conf_complaint_format(&all, 1000, line, sizeof line);
	cr_assert_str_eq(line, "t: found 2000 more mistakes, expected those above mended first");
	conf_complaints_destroy(&all);
	free(text);
}

Test(conf, complaints_of_several_loads_can_be_collected)
{
	struct conf_complaints all = {0};
	struct conf *c;

	cr_assert_eq(conf_load_text("t", "z: 1", 4, NULL, &c, &all), -EINVAL);
	uint32_t n = all.n;
	cr_assert_eq(conf_load_text("u", "[]", 2, NULL, &c, &all), -EINVAL);
	cr_assert_eq(all.n, n + 1);
	cr_assert_str_eq(all.file, "u");
	cr_assert_str_eq(all.list[n].wanted, "a mapping");
	conf_complaints_destroy(&all);
}

// Nothing in a mebibyte may take minutes or gigabytes.
static void check_heavy(const char *head, const char *piece, const char *tail)
{
	struct conf_complaints all = {0};
	struct conf *c;
	char *text = calloc(1, CONF_MAX_TEXT + 1), *at = stpcpy(text, head);

	while (at + strlen(piece) + strlen(tail) < text + CONF_MAX_TEXT)
		at = stpcpy(at, piece);
	at = stpcpy(at, tail);
	int error = conf_load_text("t", text, (size_t)(at - text), NULL, &c, &all);
	cr_assert_eq(error, -EINVAL, "%s", piece);
	conf_complaints_destroy(&all);
	free(text);
}

Test(conf, absurd_files_are_refused_in_time, .timeout = 60)
{
	check_heavy("", "[", "");
	check_heavy("", "{a: ", "");
	check_heavy("", "a:\n", "");
	check_heavy("ports:\n", " a:\n", "");
	check_heavy("ports: {a: {addresses: [", "1.2.3.4/8,", "]}}");
	check_heavy("nat-groups: {g: {subscribers: [", "1.0.0.0/8,", "]}}");
	check_heavy(PORTS "nat-groups: {g: {subscribers: [10.0.0.0/8], external-address-pool: [",
		"1.0.0.0,", "]}}");
	check_heavy(PORTS GROUP "    static-mappings:\n",
		"    - {protocol: tcp, internal: '100.64.0.1:1', external: '203.0.113.1:1'}\n", "");
	check_heavy(PORTS GROUP "idle: ", "x", "");
	check_heavy(PORTS GROUP, "- ", "");
	check_heavy(PORTS GROUP, "? ", "");
}
