// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define VERSION "{\"cmd\":\"show\",\"what\":\"version\"}"
#define MAPPINGS "{\"cmd\":\"show\",\"what\":\"mappings\",\"limit\":10000}"

static void expect_version(struct lab *lab, int fd)
{
	json_t *row = lab_next(lab, fd), *done = lab_next(lab, fd);

	cr_assert_not_null(json_object_get(row, "row"));
	cr_assert_not_null(json_object_get(done, "done"));
	json_decref(row);
	json_decref(done);
}

static void expect_error(struct lab *lab, int fd, const char *code)
{
	json_t *answer = lab_next(lab, fd);

	cr_assert_str_eq(lab_code(answer), code);
	json_decref(answer);
}

Test(ctl, answers_garbage_and_goes_on)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	lab_say(fd, "hello\n{}\n\n\xff\xfe\n" VERSION "\n");
	expect_error(lab, fd, "bad-json");
	expect_error(lab, fd, "bad-request");
	expect_error(lab, fd, "bad-json");
	expect_version(lab, fd);
	close(fd);
	lab_close(lab);
}

Test(ctl, takes_a_request_octet_by_octet)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	for (const char *c = VERSION "\n"; *c; c++) {
		lab_say(fd, (char[]){*c, '\0'});
		lab_rounds(lab, 1);
	}
	expect_version(lab, fd);
	close(fd);
	lab_close(lab);
}

Test(ctl, answers_many_requests_of_one_write_in_order)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	for (unsigned i = 0; i < 100; i++)
		lab_say(fd, i % 2 ? VERSION "\n" : "garbage\n");
	for (unsigned i = 0; i < 50; i++) {
		expect_error(lab, fd, "bad-json");
		expect_version(lab, fd);
	}
	close(fd);
	lab_close(lab);
}

Test(ctl, answers_a_client_that_closed_its_sending_side)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab);

	lab_say(fd, VERSION); // not even a line end
	shutdown(fd, SHUT_WR);
	expect_version(lab, fd);
	cr_assert_null(lab_hear(lab, fd));
	close(fd);
	lab_close(lab);
}

Test(ctl, refuses_a_line_without_end_and_hangs_up)
{
	struct lab *lab = lab_open();
	int fd = lab_connect(lab), other = lab_connect(lab);
	size_t sent = 0;

	while (sent <= REQUEST_TEXT_LINE) {
		static const char filler[4096] = {[0 ... 4095] = 'x'};
		ssize_t n = send(fd, filler, sizeof filler, MSG_NOSIGNAL);
		cr_assert(n > 0 || errno == EAGAIN);
		sent += n > 0 ? (size_t)n : 0;
		lab_rounds(lab, n > 0 ? 0 : 1);
	}
	expect_error(lab, fd, "too-long");
	cr_assert_null(lab_hear(lab, fd));
	lab_say(other, VERSION "\n");
	expect_version(lab, other);
	close(fd);
	close(other);
	lab_close(lab);
}

Test(ctl, tells_the_seventeenth_client_to_come_back)
{
	struct lab *lab = lab_open();
	int fds[CTL_CLIENTS], late;

	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		fds[i] = lab_connect(lab);
		lab_rounds(lab, 1);
	}
	late = lab_connect(lab);
	expect_error(lab, late, "too-many-clients");
	cr_assert_null(lab_hear(lab, late));
	close(late);
	close(fds[3]);
	lab_rounds(lab, 2);
	late = lab_connect(lab);
	lab_say(late, VERSION "\n");
	expect_version(lab, late);
	lab_say(fds[15], VERSION "\n");
	expect_version(lab, fds[15]);
	close(late);
	for (unsigned i = 0; i < CTL_CLIENTS; i++)
		i == 3 ? 0 : close(fds[i]);
	lab_close(lab);
}

static size_t backlog_of(const struct lab *lab)
{
	size_t most = 0;

	for (unsigned i = 0; i < CTL_CLIENTS; i++) {
		size_t n = buffer_length(&lab->ctl->clients[i].out);
		most = n > most ? n : most;
	}
	return most;
}

// A page of 10000 rows is about 3 MB; the socket takes a few hundred KB of it.
Test(ctl, pauses_the_walk_of_a_slow_reader_and_serves_the_others)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = 20000;
	int slow = lab_connect(lab), quick = lab_connect(lab);

	lab_say(slow, MAPPINGS "\n");
	lab_rounds(lab, 600);
	size_t stuck = backlog_of(lab);
	uint32_t n_wishes = lab->io.shards[0].n_wishes;
	cr_assert_gt(stuck, (size_t)CTL_BACKLOG);
	cr_assert_lt(stuck, (size_t)CTL_BACKLOG + CTL_PAGE * 512);
	lab_rounds(lab, 100);
	cr_assert_eq(lab->io.shards[0].n_wishes, n_wishes, "a paused walk asks for no more");
	lab_say(quick, VERSION "\n");
	expect_version(lab, quick);
	json_t *done = lab_ask(lab, slow, VERSION, rows); // its answers come after the walk's
	cr_assert_eq(json_array_size(rows), 10000u);
	cr_assert_not_null(json_object_get(json_object_get(done, "done"), "cursor"));
	expect_version(lab, slow);
	json_decref(done);
	json_decref(rows);
	close(slow);
	close(quick);
	lab_close(lab);
}

Test(ctl, forgets_a_client_that_leaves_in_the_middle_of_a_walk)
{
	struct lab *lab = lab_open();
	json_t *rows = json_array();
	lab->io.shards[0].n_mappings = 5000;
	int fd = lab_connect(lab);

	lab_say(fd, MAPPINGS "\n");
	lab_rounds(lab, 4);
	cr_assert(ask_busy(lab->ctl));
	close(fd);
	lab_rounds(lab, 100);
	cr_assert(!ask_busy(lab->ctl), "the shard's desk is free again");
	fd = lab_connect(lab);
	json_t *done = lab_ask(lab, fd, MAPPINGS, rows);
	cr_assert_eq(json_array_size(rows), 5000u);
	json_decref(done);
	json_decref(rows);
	close(fd);
	lab_close(lab);
}

// Sixteen clients send noise, read or do not read, and leave; the control thread stays whole.
Test(ctl, survives_clients_that_do_anything)
{
	static const char *const pieces[] = {VERSION "\n", MAPPINGS "\n", "{\"cmd\":", "\n", "}",
		"\"\\u0000\"\n", "{\"cmd\":\"show\",\"what\":\"status\"}\n",
		"{\"cmd\":\"config\",\"what\":\"show\"}\n", "\xc3\x28\n", "[[[[[[[[\n"};
	struct lab *lab = lab_open();
	int fds[20];
	struct rng rng;

	rng_init_u64(&rng, 3);
	lab->io.shards[1].n_mappings = 3000;
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = lab_connect(lab);
		lab_rounds(lab, 1);
	}
	for (unsigned i = 0; i < 4000; i++) {
		int *fd = &fds[rng_below(&rng, ARRAY_SIZE(fds))];
		const char *piece = pieces[rng_below(&rng, ARRAY_SIZE(pieces))];
		char sink[4096];
		switch (rng_below(&rng, 6)) {
		case 0:
			close(*fd);
			lab_rounds(lab, 1);
			*fd = lab_connect(lab);
			break;
		case 1:
			shutdown(*fd, SHUT_WR);
			break;
		case 2:
			(void)!recv(*fd, sink, sizeof sink, MSG_DONTWAIT);
			break;
		default:
			(void)!send(*fd, piece, strlen(piece), MSG_NOSIGNAL | MSG_DONTWAIT);
		}
		if (i % 4 == 0)
			lab_rounds(lab, 1);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	lab_rounds(lab, 300);
	cr_assert(!ask_busy(lab->ctl));
	int fd = lab_connect(lab);
	lab_say(fd, VERSION "\n");
	expect_version(lab, fd);
	close(fd);
	lab_close(lab);
}
