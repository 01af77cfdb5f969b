// SPDX-License-Identifier: Apache-2.0
// What net_memif of DPDK 22.11 leaves to others.
#include "ports.h"

#include <urcu/urcu-qsbr.h>

#include <errno.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

// ---- sockets ---------------------------------------------------------------------------------
// A server removes its socket when it ends, and one that was killed does not: then the next one
// could not start. A socket on which nobody listens is nobody's.

#define MEMIF_SOCKET "/run/memif.sock" // what the driver takes when nothing is said

// The value of `key` among a device's arguments, up to the next comma; NULL: it is not there.
static const char *find_argument(const char *device, const char *key)
{
	size_t len = strlen(key);

	for (const char *at = strchr(device, ','); at; at = strchr(at + 1, ',')) {
		if (strncmp(at + 1, key, len) == 0 && at[1 + len] == '=')
			return at + 2 + len;
	}
	return NULL;
}

static bool argument_is(const char *device, const char *key, const char *value)
{
	const char *found = find_argument(device, key);

	return found && strncmp(found, value, strlen(value)) == 0;
}

// False: the device binds no file.
static bool socket_of(const char *device, struct sockaddr_un *out)
{
	const char *path = find_argument(device, "socket");

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if (strncmp(device, "net_memif", strlen("net_memif")) != 0 ||
		!argument_is(device, "socket-abstract", "no") ||
		!(argument_is(device, "role", "server") || argument_is(device, "role", "master")))
		return false;
	path = path ? path : MEMIF_SOCKET;
	snprintf(out->sun_path, sizeof out->sun_path, "%.*s", (int)strcspn(path, ","), path);
	return true;
}

static bool is_left_behind(const struct sockaddr_un *at)
{
	struct stat st;

	if (lstat(at->sun_path, &st) != 0 || !S_ISSOCK(st.st_mode))
		return false;
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	bool refused = connect(fd, (const void *)at, sizeof *at) != 0 && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

void memif_clear_sockets(const struct io *io)
{
	struct sockaddr_un at;

	for (uint16_t i = 0; i < io->n_ports; i++) {
		const struct conf_port *p = &io->conf->ports[i];

		if (socket_of(p->device, &at) && is_left_behind(&at) && unlink(at.sun_path) == 0)
			log_info(io->log, "port %s: removed %s, which nobody served", p->name,
				at.sun_path);
	}
}

// ---- a peer that goes ------------------------------------------------------------------------
// When a peer has gone, EAL's interrupt thread marks the port as not connected and then takes the
// rings away, while a worker may be in the middle of a burst: it would die of that, and does where
// its CPU is taken from it there. So whatever that thread unmaps waits until every worker has begun
// another turn, which sees the mark. This stands in the place of libc's call for all libraries, so
// no worker may wait for a lock under which somebody unmaps: workers take none of malloc's or EAL's
// heap while they are online. From DPDK 23.03 on the thread has the second name.

static bool is_interrupt_thread(void)
{
	char name[16] = "";

	if (prctl(PR_GET_NAME, name) != 0)
		return false;
	return strcmp(name, "eal-intr-thread") == 0 || strcmp(name, "dpdk-intr") == 0;
}

int munmap(void *at, size_t size)
{
	if (is_interrupt_thread())
		urcu_qsbr_synchronize_rcu();
	return (int)syscall(SYS_munmap, at, size);
}
