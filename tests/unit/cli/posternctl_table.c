// SPDX-License-Identifier: Apache-2.0
#include "posternctl.h"

#include <criterion/criterion.h>

Test(posternctl, writes_spans_of_time_in_two_units)
{
	static const struct {
		uint64_t seconds;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{59, "59s"},
		{60, "1m00s"},
		{3599, "59m59s"},
		{3600, "1h00m"},
		{86399, "23h59m"},
		{86400, "1d00h"},
		{93784, "1d02h"},
		{UINT32_MAX, "49710d06h"},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_assert_str_eq(
			duration_format(cases[i].seconds, text, sizeof text), cases[i].text);
}

static const char *cell(const char *row, struct column column, char out[CELL_SIZE])
{
	json_t *json = json_loads(row, 0, NULL);

	cr_assert_not_null(json);
	cell_format(json, &column, out);
	json_decref(json);
	return out;
}

Test(posternctl, writes_cells_of_every_kind)
{
	char out[CELL_SIZE];
	const char *row = "{\"t\":\"x\",\"n\":5,\"l\":[1,\"b\"],\"e\":[],\"y\":true,\"o\":1536,"
			  "\"a\":\"1.2.3.4\",\"in\":{\"n\":6}}";

	cr_assert_str_eq(cell(row, (struct column){"", CELL_TEXT, "t", NULL}, out), "x");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_NUMBER, "n", NULL}, out), "5");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_NUMBER, "in.n", NULL}, out), "6");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_NUMBER, "none", NULL}, out), "-");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_DURATION, "none", NULL}, out), "-");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_LIST, "l", NULL}, out), "1 b");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_LIST, "e", NULL}, out), "-");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_YES, "y", NULL}, out), "yes");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_OCTETS, "o", NULL}, out), "1.5 KiB");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_ENDPOINT, "a", "n"}, out), "1.2.3.4:5");
	cr_assert_str_eq(cell(row, (struct column){"", CELL_ENDPOINT, "none", "none"}, out), "-");
}

Test(posternctl, counts_characters_not_octets_when_it_aligns)
{
	static const struct column columns[] = {
		{"NAME", CELL_TEXT, "n", NULL}, {"X", CELL_TEXT, "x", NULL}};
	json_t *rows = json_loads("[{\"n\":\"B\\u00fcro-1\",\"x\":\"a\"},{\"n\":\"Bueros\",\"x\":"
				  "\"b\"}]",
		0, NULL);
	char text[128] = "";
	FILE *out = fmemopen(text, sizeof text, "w");
	struct table t;

	table_init(&t, (struct columns){columns, 2}, false);
	table_print(&t, rows, out);
	fclose(out);
	json_decref(rows);
	cr_assert_str_eq(text, "NAME    X\nB\u00fcro-1  a\nBueros  b\n");
}

Test(posternctl, cuts_a_long_cell_between_characters)
{
	char row[1024], out[CELL_SIZE];
	size_t n = 0;

	n += (size_t)snprintf(row, sizeof row, "{\"t\":\"");
	for (unsigned i = 0; i < 200; i++)
		n += (size_t)snprintf(row + n, sizeof row - n, "\u00fc");
	snprintf(row + n, sizeof row - n, "\"}");
	cell(row, (struct column){"", CELL_TEXT, "t", NULL}, out);
	cr_assert_lt(strlen(out), (size_t)CELL_SIZE);
	json_t *whole = json_string(out); // NULL unless it is UTF-8
	cr_assert_not_null(whole);
	json_decref(whole);
}
