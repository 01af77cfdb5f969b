// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static int open_again(struct lab *lab)
{
	struct ctl_setup setup = {.io = &lab->io, .conf_file = lab->conf_file, .log = &lab->log};

	return ctl_create(&setup, &lab->ctl);
}

Test(ctl, makes_the_sockets_directory_and_sets_its_mode)
{
	struct lab *lab = lab_open();
	char run[96];
	struct stat st;

	snprintf(run, sizeof run, "%s/run", lab->folder);
	cr_assert_eq(stat(run, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0755u);
	cr_assert_eq(stat(lab->socket, &st), 0);
	cr_assert(S_ISSOCK(st.st_mode));
	cr_assert_eq(st.st_mode & 07777, 0600u);
	lab_close(lab);
}

Test(ctl, removes_its_socket_when_it_ends)
{
	struct lab *lab = lab_open();

	ctl_destroy(lab->ctl);
	lab->ctl = NULL;
	cr_assert_neq(access(lab->socket, F_OK), 0);
	lab_close(lab);
}

Test(ctl, takes_the_place_of_a_killed_daemon)
{
	struct lab *lab = lab_open();
	char aside[128];

	snprintf(aside, sizeof aside, "%s.aside", lab->socket);
	cr_assert_eq(rename(lab->socket, aside), 0); // so that destroy leaves it behind
	ctl_destroy(lab->ctl);
	lab->ctl = NULL;
	cr_assert_eq(rename(aside, lab->socket), 0);
	cr_assert_eq(open_again(lab), 0);
	json_t *answer =
		lab_ask(lab, lab_connect(lab), "{\"cmd\":\"config\",\"what\":\"show\"}", NULL);
	cr_assert_not_null(json_object_get(answer, "done"));
	json_decref(answer);
	lab_close(lab);
}

Test(ctl, refuses_to_start_where_another_daemon_answers)
{
	struct lab *lab = lab_open();
	struct ctl *first = lab->ctl;

	cr_assert_eq(open_again(lab), -EADDRINUSE);
	cr_assert_not_null(strstr(lab_log(lab), "another daemon answers there"));
	lab->ctl = first;
	int fd = lab_connect(lab); // the first one is unharmed
	json_t *answer = lab_ask(lab, fd, "{\"cmd\":\"config\",\"what\":\"show\"}", NULL);
	cr_assert_not_null(json_object_get(answer, "done"));
	json_decref(answer);
	close(fd);
	lab_close(lab);
}

Test(ctl, does_not_remove_a_file_that_is_no_socket)
{
	struct lab *lab = lab_open_cold();
	char run[96];

	snprintf(run, sizeof run, "%s/run", lab->folder);
	cr_assert_eq(mkdir(run, 0755), 0);
	close(open(lab->socket, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
	cr_assert_eq(open_again(lab), -ENOTSOCK);
	cr_assert_not_null(strstr(lab_log(lab), "no socket is in the way"));
	cr_assert_eq(access(lab->socket, F_OK), 0);
	lab->ctl = NULL;
	lab_close(lab);
}
