// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pcpcd.h"

Test(pcpcd, keeps_its_secret_to_itself_and_for_later_runs)
{
	char folder[] = "/tmp/pcpcd-secret-XXXXXX", state[64], file[80], run[64];
	uint8_t first[32], again[32], other[32];
	struct stat is;

	cr_assert_not_null(mkdtemp(folder));
	snprintf(run, sizeof run, "%s/run", folder);
	snprintf(state, sizeof state, "%s/run/state", folder);
	snprintf(file, sizeof file, "%s.secret", state);
	cr_assert_eq(pcpcd_secret_read(state, first), 0);
	cr_assert_eq(stat(file, &is), 0);
	cr_expect_eq(is.st_mode & 07777, 0600);
	cr_assert_eq(pcpcd_secret_read(state, again), 0);
	cr_expect_arr_eq(first, again, sizeof first);
	cr_assert_eq(chmod(file, 0644), 0); // as from a backup
	cr_assert_eq(pcpcd_secret_read(state, again), 0);
	cr_assert_eq(stat(file, &is), 0);
	cr_expect_eq(is.st_mode & 07777, 0600);
	cr_expect_arr_eq(first, again, sizeof first);
	cr_assert_eq(truncate(file, 31), 0);
	cr_assert_eq(pcpcd_secret_read(state, other), 0, "half a secret is none");
	cr_expect_arr_neq(first, other, sizeof first);
	unlink(file);
	rmdir(run);
	rmdir(folder);
}

Test(pcpcd, says_that_it_has_no_place_for_its_secret)
{
	uint8_t secret[32];

	cr_expect_eq(pcpcd_secret_read("/nowhere/at/all", secret), -ENOENT);
}

Test(pcpcd, follows_no_link_and_waits_for_no_pipe_for_its_secret, .timeout = 10)
{
	char folder[] = "/tmp/pcpcd-secret-XXXXXX", state[64], file[80];
	uint8_t secret[32];

	cr_assert_not_null(mkdtemp(folder));
	snprintf(state, sizeof state, "%s/state", folder);
	snprintf(file, sizeof file, "%s.secret", state);
	cr_assert_eq(symlink("/dev/zero", file), 0);
	cr_expect_eq(pcpcd_secret_read(state, secret), -ELOOP);
	cr_assert_eq(unlink(file), 0);
	cr_assert_eq(mkfifo(file, 0600), 0);
	cr_expect_eq(pcpcd_secret_read(state, secret), 0, "it is replaced");
	unlink(file);
	rmdir(folder);
}
