// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop.h"

static char folder[64], path[128];

static void make(void)
{
	strcpy(folder, "/tmp/postern-file.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/sub/state", folder);
}

static void clean(void)
{
	static const char *const names[] = {"sub/state", "sub/state.lock", "sub/state.new"};
	char name[160];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(name, sizeof name, "%s/%s", folder, names[i]);
		unlink(name);
	}
	snprintf(name, sizeof name, "%s/sub", folder);
	rmdir(name);
	rmdir(folder);
}

TestSuite(file, .init = make, .fini = clean);

Test(file, what_was_written_is_read_and_nobody_else_may)
{
	int lock = file_lock(path);
	struct stat is;
	size_t length;
	char *text;

	cr_assert_geq(lock, 0);
	cr_expect_eq(file_read(path, &text, &length), -ENOENT);
	cr_assert_eq(file_replace(path, "one\n", 4), 0);
	cr_assert_eq(file_replace(path, "another\n", 8), 0);
	cr_assert_eq(file_read(path, &text, &length), 0);
	cr_expect_eq(length, 8);
	cr_expect_eq(memcmp(text, "another\n", 8), 0);
	cr_assert_eq(stat(path, &is), 0);
	cr_expect_eq(is.st_mode & 0777, 0600);
	free(text);
	close(lock);
}

Test(file, only_one_may_use_it_at_a_time)
{
	int lock = file_lock(path);

	cr_assert_geq(lock, 0);
	cr_expect_eq(file_lock(path), -EBUSY);
	close(lock);
	lock = file_lock(path);
	cr_expect_geq(lock, 0);
	close(lock);
}

Test(file, what_a_crash_left_behind_is_no_obstacle)
{
	int lock = file_lock(path);
	char left[160];
	size_t length;
	char *text;
	FILE *f;

	snprintf(left, sizeof left, "%s.new", path);
	f = fopen(left, "w");
	cr_assert_not_null(f);
	fputs("half of a", f);
	fclose(f);
	cr_assert_eq(file_replace(path, "whole\n", 6), 0);
	cr_assert_eq(file_read(path, &text, &length), 0);
	cr_expect_eq(length, 6);
	cr_expect_neq(access(left, F_OK), 0);
	free(text);
	close(lock);
}

Test(file, a_folder_is_not_a_state_file)
{
	size_t length;
	char *text;

	cr_expect_eq(file_read(folder, &text, &length), -EFBIG);
	cr_expect_null(text);
}

// A program that waits here for a writer hears no signal that it blocked before.
Test(file, a_pipe_is_not_a_state_file, .timeout = 10)
{
	size_t length;
	char *text;

	snprintf(path, sizeof path, "%s/pipe", folder);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(file_read(path, &text, &length), -EFBIG);
	cr_expect_null(text);
	unlink(path);
}

// 16 servers hold 512 mappings with 16 filters and a description: what one run may write, the next
// one has to be able to read.
Test(file, what_many_mappings_at_many_servers_need_is_read)
{
	size_t most = 16 * 512 * 1700, length;
	int lock = file_lock(path);
	char *text = malloc(most);

	memset(text, 'x', most);
	cr_assert_eq(file_replace(path, text, most), 0);
	free(text);
	cr_assert_eq(file_read(path, &text, &length), 0);
	cr_expect_eq(length, most);
	free(text);
	close(lock);
}
