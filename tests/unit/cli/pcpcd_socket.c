// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "pcpcd.h"

struct scene {
	char folder[64], path[PCPCD_SOCKET_PATH];
	struct pcpcd_socket socket;
	size_t length; // of what is told
};

static void set_up(struct scene *s)
{
	*s = (struct scene){.folder = "/tmp/pcpcd-socket-XXXXXX", .length = 10};
	cr_assert_not_null(mkdtemp(s->folder));
	snprintf(s->path, sizeof s->path, "%s/run/sock", s->folder);
	cr_assert_eq(pcpcd_socket_open(&s->socket, s->path), 0);
}

static void tear_down(struct scene *s)
{
	char run[80];

	pcpcd_socket_close(&s->socket);
	cr_expect_eq(access(s->path, F_OK), -1, "the socket is gone with its agent");
	snprintf(run, sizeof run, "%s/run", s->folder);
	rmdir(run);
	rmdir(s->folder);
}

static char *tell(void *context, size_t *length)
{
	const struct scene *s = context;
	char *text = malloc(s->length);

	memset(text, 'x', s->length);
	*length = s->length;
	return text;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);

	strcpy(address.sun_path, path);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	return fd;
}

// Octets that can be read now; *ended: the agent has hung up.
static size_t read_now(int fd, bool *ended)
{
	char text[65536];
	size_t length = 0;
	ssize_t n;

	while ((n = read(fd, text, sizeof text)) > 0)
		length += (size_t)n;
	*ended = n == 0;
	return length;
}

static unsigned n_readers(const struct scene *s)
{
	unsigned n = 0;

	for (size_t i = 0; i < PCPCD_MAX_READERS; i++)
		n += s->socket.readers[i].fd >= 0;
	return n;
}

Test(pcpcd, tells_a_reader_everything_and_hangs_up)
{
	struct scene s;
	bool ended;
	int fd;

	set_up(&s);
	fd = connect_to(s.path);
	pcpcd_socket_serve(&s.socket, 0, tell, &s);
	cr_expect_eq(read_now(fd, &ended), 10);
	cr_expect(ended);
	cr_expect_eq(n_readers(&s), 0);
	close(fd);
	tear_down(&s);
}

Test(pcpcd, lets_its_group_connect_and_nobody_else)
{
	struct scene s;
	struct stat is;

	set_up(&s);
	cr_assert_eq(stat(s.path, &is), 0);
	cr_expect_eq(is.st_mode & 07777, 0660);
	tear_down(&s);
}

Test(pcpcd, waits_for_nobody_and_cuts_who_reads_too_slowly)
{
	struct scene s;
	bool ended;
	size_t got;
	int fd;

	set_up(&s);
	s.length = 8 << 20; // more than a socket holds
	fd = connect_to(s.path);
	pcpcd_socket_serve(&s.socket, 5, tell, &s);
	cr_expect_eq(n_readers(&s), 1);
	cr_expect_eq(pcpcd_socket_deadline(&s.socket), 5 + PCPCD_PATIENCE_MS * NS_PER_MS);
	got = read_now(fd, &ended);
	cr_expect_not(ended);
	pcpcd_socket_serve(&s.socket, 6, tell, &s); // he read something: more is sent
	cr_expect_eq(n_readers(&s), 1);
	pcpcd_socket_serve(&s.socket, 5 + PCPCD_PATIENCE_MS * NS_PER_MS, tell, &s);
	cr_expect_eq(n_readers(&s), 0);
	cr_expect_eq(pcpcd_socket_deadline(&s.socket), POSTERN_NEVER);
	got += read_now(fd, &ended);
	cr_expect_lt(got, s.length);
	close(fd);
	tear_down(&s);
}

Test(pcpcd, tells_a_patient_reader_more_than_a_socket_holds)
{
	struct scene s;
	bool ended = false;
	size_t got = 0;
	int fd;

	set_up(&s);
	s.length = 8 << 20;
	fd = connect_to(s.path);
	for (int i = 0; i < 10000 && !ended; i++) {
		pcpcd_socket_serve(&s.socket, 0, tell, &s);
		got += read_now(fd, &ended);
	}
	cr_expect(ended);
	cr_expect_eq(got, s.length);
	close(fd);
	tear_down(&s);
}

Test(pcpcd, serves_only_so_many_readers_at_a_time)
{
	int fds[PCPCD_MAX_READERS + 3];
	struct pollfd watched[PCPCD_FDS];
	struct scene s;

	set_up(&s);
	s.length = 8 << 20;
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		fds[i] = connect_to(s.path);
	pcpcd_socket_serve(&s.socket, 0, tell, &s);
	cr_expect_eq(n_readers(&s), PCPCD_MAX_READERS);
	cr_expect_eq(pcpcd_socket_watch(&s.socket, watched), PCPCD_FDS);
	cr_expect_eq(watched[0].fd, -1, "the others wait");
	pcpcd_socket_serve(&s.socket, PCPCD_PATIENCE_MS * NS_PER_MS, tell, &s);
	cr_expect_eq(n_readers(&s), 3, "their turn comes");
	cr_expect_eq((pcpcd_socket_watch(&s.socket, watched), watched[0].fd), s.socket.fd);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	pcpcd_socket_serve(&s.socket, PCPCD_PATIENCE_MS * NS_PER_MS, tell, &s);
	cr_expect_eq(n_readers(&s), 0, "who hung up is forgotten");
	tear_down(&s);
}

Test(pcpcd, takes_the_place_of_a_dead_agent_but_not_of_a_living_one)
{
	struct pcpcd_socket other;
	struct scene s;

	set_up(&s);
	cr_expect_eq(pcpcd_socket_open(&other, s.path), -EADDRINUSE);
	close(s.socket.fd); // as when it was killed
	cr_expect_eq(pcpcd_socket_open(&s.socket, s.path), 0);
	tear_down(&s);
}

Test(pcpcd, takes_no_file_for_a_socket)
{
	char path[] = "/tmp/pcpcd-file-XXXXXX";
	struct pcpcd_socket other;
	int fd = mkstemp(path);

	cr_expect_eq(pcpcd_socket_open(&other, path), -ENOTSOCK);
	cr_expect_eq(access(path, F_OK), 0);
	close(fd);
	unlink(path);
}

// Such as /dev/log: nobody can connect to it with a stream, but somebody lives there.
Test(pcpcd, leaves_another_programs_socket_alone)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
	struct pcpcd_socket other;

	snprintf(address.sun_path, sizeof address.sun_path, "/tmp/pcpcd-other-%d", getpid());
	cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
	cr_expect_eq(pcpcd_socket_open(&other, address.sun_path), -EPROTOTYPE);
	cr_expect_eq(access(address.sun_path, F_OK), 0);
	close(fd);
	unlink(address.sun_path);
}
