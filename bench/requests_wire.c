// SPDX-License-Identifier: Apache-2.0
// bench-requests' wire: frames are sent by sendmmsg around the queueing discipline, and read from a
// ring that the kernel fills, so that reading costs no system calls.
#include "requests.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
	CELL = 512, // of the ring: the kernel's header, and FRAME octets at the least
	CELLS = 8192,
	BLOCK = 1 << 16
};

static int bound_socket(const char *interface, uint16_t protocol)
{
	struct sockaddr_ll here = {.sll_family = AF_PACKET,
		.sll_protocol = __builtin_bswap16(protocol),
		.sll_ifindex = (int)if_nametoindex(interface)};
	int fd = here.sll_ifindex ? socket(AF_PACKET, SOCK_RAW, 0) : -1;

	if (fd >= 0 && bind(fd, (struct sockaddr *)&here, sizeof here) == 0)
		return fd;
	int error = here.sll_ifindex ? errno : ENODEV;
	if (fd >= 0)
		close(fd);
	return -error;
}

static int set(int fd, int what, int value)
{
	return setsockopt(fd, SOL_PACKET, what, &value, sizeof value) == 0 ? 0 : -errno;
}

// ---- in --------------------------------------------------------------------------------------

static int catcher_map(struct catcher *c)
{
	struct tpacket_req shape = {.tp_block_size = BLOCK,
		.tp_block_nr = (unsigned)CELL * CELLS / BLOCK,
		.tp_frame_size = CELL,
		.tp_frame_nr = CELLS};

	if (setsockopt(c->fd, SOL_PACKET, PACKET_RX_RING, &shape, sizeof shape) != 0)
		return -errno;
	c->memory = mmap(NULL, (size_t)CELL * CELLS, PROT_READ | PROT_WRITE, MAP_SHARED, c->fd, 0);
	return c->memory == MAP_FAILED ? -errno : 0;
}

int catcher_open(struct catcher *c, const char *interface)
{
	int error;

	*c = (struct catcher){.fd = bound_socket(interface, 0)};
	if (c->fd < 0)
		return c->fd;
	error = set(c->fd, PACKET_VERSION, TPACKET_V2);
	if (error == 0)
		error = set(c->fd, PACKET_IGNORE_OUTGOING, 1);
	if (error == 0)
		error = catcher_map(c);
	if (error != 0)
		return error;
	// It takes frames from here on, when the ring is there.
	struct sockaddr_ll all = {.sll_family = AF_PACKET,
		.sll_protocol = __builtin_bswap16(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(interface)};
	return bind(c->fd, (struct sockaddr *)&all, sizeof all) == 0 ? 0 : -errno;
}

static struct tpacket2_hdr *catcher_cell(const struct catcher *c)
{
	return (void *)(c->memory + (size_t)c->next * CELL);
}

const uint8_t *catcher_look(struct catcher *c, size_t *length)
{
	const struct tpacket2_hdr *cell = catcher_cell(c);

	if (!(__atomic_load_n(&cell->tp_status, __ATOMIC_ACQUIRE) & TP_STATUS_USER))
		return NULL;
	*length = cell->tp_snaplen;
	return (const uint8_t *)cell + cell->tp_mac;
}

void catcher_done(struct catcher *c)
{
	__atomic_store_n(&catcher_cell(c)->tp_status, TP_STATUS_KERNEL, __ATOMIC_RELEASE);
	c->next = (c->next + 1) % CELLS;
}

// ---- out -------------------------------------------------------------------------------------

int sender_open(struct sender *s, const char *interface, uint8_t mac[6])
{
	struct ifreq request = {0};
	int error;

	s->n = 0;
	s->fd = bound_socket(interface, 0);
	if (s->fd < 0)
		return s->fd;
	error = set(s->fd, PACKET_QDISC_BYPASS, 1);
	if (error != 0)
		return error;
	snprintf(request.ifr_name, sizeof request.ifr_name, "%s", interface);
	if (ioctl(s->fd, SIOCGIFHWADDR, &request) != 0)
		return -errno;
	memcpy(mac, request.ifr_hwaddr.sa_data, 6);
	return 0;
}

int sender_flush(struct sender *s)
{
	struct mmsghdr messages[BATCH];
	struct iovec parts[BATCH];
	unsigned done = 0;

	for (unsigned i = 0; i < s->n; i++) {
		parts[i] = (struct iovec){s->frames[i], s->lengths[i]};
		messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
	}
	while (done < s->n) {
		int n = sendmmsg(s->fd, messages + done, s->n - done, 0);

		// ENOBUFS: the other end has no room now. What is lost is sent again later.
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN && errno != EINTR)
			return -errno;
		done += n > 0 ? (unsigned)n : errno == EINTR ? 0 : 1;
	}
	s->n = 0;
	return 0;
}
