// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

Test(ctl, polls_io_at_least_every_ten_milliseconds)
{
	struct lab *lab = lab_open();
	struct timespec from, to;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (unsigned i = 0; i < 20; i++)
		cr_assert_eq(ctl_round(lab->ctl), 0);
	clock_gettime(CLOCK_MONOTONIC, &to);
	double ms =
		(double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
	cr_assert_eq(lab->io.polls, 20);
	cr_assert_geq(ms, 150.0); // it sleeps when nothing happens
	lab_close(lab);
}

static void end_by(int signal)
{
	struct lab *lab = lab_open();

	cr_assert_eq(kill(getpid(), signal), 0);
	cr_assert_eq(ctl_run(lab->ctl), 0);
	cr_assert_not_null(strstr(lab_log(lab), "stopping"));
	lab_close(lab);
}

Test(ctl, ends_on_sigterm)
{
	end_by(SIGTERM);
}

Test(ctl, ends_on_sigint)
{
	end_by(SIGINT);
}
