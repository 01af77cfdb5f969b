// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>

#include "ports.h"

#include <urcu/urcu-qsbr.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// ---- sockets ---------------------------------------------------------------------------------

struct place {
	char directory[32];
	char path[64];
};

static struct place place_open(void)
{
	struct place p = {.directory = "/tmp/memif-XXXXXX"};

	cr_assert_not_null(mkdtemp(p.directory));
	snprintf(p.path, sizeof p.path, "%s/s", p.directory);
	return p;
}

static void place_close(const struct place *p)
{
	(void)unlink(p->path);
	cr_assert_eq(rmdir(p->directory), 0);
}

static int place_listen(const struct place *p)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	snprintf(at.sun_path, sizeof at.sun_path, "%s", p->path);
	cr_assert_eq(bind(fd, (const void *)&at, sizeof at), 0);
	cr_assert_eq(listen(fd, 1), 0);
	return fd;
}

// Whether the file is still there when the daemon that has this device is about to start.
static bool stays(const struct place *p, const char *device)
{
	struct log log = {.level = LOG_LEVEL_WARN, .program = "test"};
	struct conf *conf = calloc(1, sizeof *conf);
	struct io *io = calloc(1, sizeof *io);

	cr_assert(conf && io);
	snprintf(conf->ports[0].device, sizeof conf->ports[0].device, device, p->path);
	io->log = &log;
	io->conf = conf;
	io->n_ports = 1;
	memif_clear_sockets(io);
	free(io);
	free(conf);
	return access(p->path, F_OK) == 0;
}

#define SERVER "net_memif0,role=server,socket-abstract=no,socket=%s"

Test(io, memif_socket_of_a_killed_server_is_removed)
{
	static const char *const devices[] = {SERVER,
		"net_memif0,role=master,socket-abstract=no,socket=%s,id=3",
		"net_memif1,socket=%s,socket-abstract=no,role=server"};

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++) {
		struct place p = place_open();

		close(place_listen(&p));
		cr_assert_not(stays(&p, devices[i]), "%s", devices[i]);
		cr_assert_not(stays(&p, devices[i]), "nothing is there, and nothing happens");
		place_close(&p);
	}
}

Test(io, memif_socket_of_somebody_who_listens_stays)
{
	struct place p = place_open();
	int fd = place_listen(&p);

	cr_assert(stays(&p, SERVER));
	close(fd);
	place_close(&p);
}

Test(io, memif_file_that_is_no_socket_stays)
{
	struct place p = place_open();
	int fd = open(p.path, O_CREAT | O_WRONLY, 0600);

	cr_assert_geq(fd, 0);
	close(fd);
	cr_assert(stays(&p, SERVER));
	place_close(&p);
}

// Such a device binds no file of this name: it is a client, abstract, or another driver's.
Test(io, memif_socket_that_the_device_does_not_bind_stays)
{
	static const char *const devices[] = {
		"net_memif0,role=client,socket-abstract=no,socket=%s",
		"net_memif0,socket-abstract=no,socket=%s",
		"net_memif0,role=server,socket=%s",
		"net_memif0,role=server,socket-abstract=yes,socket=%s",
		"net_memif0,role=server,socket-abstract=no,secret=x,old-socket=%s",
		"net_virtio_user0,role=server,socket-abstract=no,socket=%s",
	};
	struct place p = place_open();

	close(place_listen(&p));
	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		cr_assert(stays(&p, devices[i]), "%s", devices[i]);
	place_close(&p);
}

// ---- a peer that goes ------------------------------------------------------------------------

struct unmapper {
	const char *name; // of its thread
	void *page;
	size_t size;
	bool began, done;
};

static void *unmap(void *unmapper)
{
	struct unmapper *u = unmapper;

	(void)prctl(PR_SET_NAME, u->name);
	__atomic_store_n(&u->began, true, __ATOMIC_RELEASE);
	cr_assert_eq(munmap(u->page, u->size), 0);
	__atomic_store_n(&u->done, true, __ATOMIC_RELEASE);
	return NULL;
}

static struct unmapper unmapper_of(const char *name)
{
	size_t size = (size_t)sysconf(_SC_PAGESIZE);
	void *page = mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	cr_assert_neq(page, MAP_FAILED);
	return (struct unmapper){.name = name, .page = page, .size = size};
}

static bool is_set(const bool *flag)
{
	return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static bool is_mapped(const struct unmapper *u)
{
	unsigned char resident;

	return mincore(u->page, u->size, &resident) == 0;
}

static void pass_ms(long ms)
{
	struct timespec span = {.tv_nsec = ms * 1000000};

	nanosleep(&span, NULL);
}

// This thread is the worker, in the middle of its turn.
Test(io, what_the_interrupt_thread_unmaps_stays_until_the_worker_begins_another_turn, .timeout = 30)
{
	pthread_t thread;
	struct unmapper u = unmapper_of("eal-intr-thread");

	urcu_qsbr_register_thread();
	cr_assert_eq(pthread_create(&thread, NULL, unmap, &u), 0);
	while (!is_set(&u.began))
		sched_yield();
	pass_ms(50);
	cr_assert_not(is_set(&u.done));
	cr_assert(is_mapped(&u));
	while (!is_set(&u.done)) {
		urcu_qsbr_quiescent_state();
		sched_yield();
	}
	cr_assert_not(is_mapped(&u));
	urcu_qsbr_unregister_thread();
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(io, what_other_threads_unmap_waits_for_no_worker, .timeout = 30)
{
	pthread_t thread;
	struct unmapper u = unmapper_of("eal-worker-1");

	urcu_qsbr_register_thread();
	cr_assert_eq(pthread_create(&thread, NULL, unmap, &u), 0);
	while (!is_set(&u.done)) // without a quiescent state
		sched_yield();
	cr_assert_not(is_mapped(&u));
	urcu_qsbr_unregister_thread();
	cr_assert_eq(pthread_join(thread, NULL), 0);
}

Test(io, unmapping_nonsense_fails_as_libc_says_it)
{
	errno = 0;
	cr_assert_eq(munmap((void *)1, 4096), -1);
	cr_assert_eq(errno, EINVAL);
}
