// SPDX-License-Identifier: Apache-2.0
// bench-echo: a UDP server that sends every datagram back, by kernel sockets: the ceiling of any
// server that is made of them. One datagram a system call, or up to 64 with recvmmsg and sendmmsg.
#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum {
	MOST = 64,
	ROOM = 2048,
	BUFFER = 8 << 20
};

struct batch {
	struct mmsghdr messages[MOST];
	struct sockaddr_in from[MOST];
	struct iovec parts[MOST];
	uint8_t data[MOST][ROOM];
};

static const char usage[] =
	"usage: bench-echo [--batch N] PORT\n"
	"Sends every UDP datagram that comes to PORT back, until it is ended by a signal.\n"
	"\n"
	"  -b, --batch N   datagrams a system call, 1 (recvfrom, sendto) to 64 (default 1)\n"
	"  -h, --help\n";

static int open_socket(uint16_t port)
{
	struct sockaddr_in here = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = socket(AF_INET, SOCK_DGRAM, 0), size = BUFFER;

	if (fd < 0 || bind(fd, (struct sockaddr *)&here, sizeof here) != 0)
		return -1;
	// Only root may have more than the system's limit; others go with that.
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
	return fd;
}

static int echo_single(int fd)
{
	struct sockaddr_in from;
	uint8_t data[ROOM];

	for (;;) {
		socklen_t length = sizeof from;
		ssize_t n = recvfrom(fd, data, sizeof data, 0, (struct sockaddr *)&from, &length);

		if (n >= 0)
			(void)sendto(fd, data, (size_t)n, 0, (struct sockaddr *)&from, length);
		else if (errno != EINTR)
			return 1;
	}
}

static int echo_batches(int fd, unsigned most)
{
	static struct batch b;

	for (;;) {
		for (unsigned i = 0; i < most; i++) {
			b.parts[i] = (struct iovec){b.data[i], ROOM};
			b.messages[i].msg_hdr = (struct msghdr){.msg_name = &b.from[i],
				.msg_namelen = sizeof b.from[i],
				.msg_iov = &b.parts[i],
				.msg_iovlen = 1};
		}
		int n = recvmmsg(fd, b.messages, most, MSG_WAITFORONE, NULL);
		if (n < 0 && errno != EINTR)
			return 1;
		for (int i = 0; i < n; i++)
			b.parts[i].iov_len = b.messages[i].msg_len;
		if (n > 0)
			(void)sendmmsg(fd, b.messages, (unsigned)n, 0);
	}
}

static unsigned long number(const char *text, unsigned long most)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || n == 0 || n > most) {
		fprintf(stderr, "bench-echo: %s is not a number from 1 to %lu\n", text, most);
		exit(2);
	}
	return n;
}

int main(int argc, char **argv)
{
	static const struct option names[] = {
		{"batch", required_argument, NULL, 'b'}, {"help", no_argument, NULL, 'h'}, {0}};
	unsigned batch = 1;
	int c, fd;

	while ((c = getopt_long(argc, argv, "b:h", names, NULL)) != -1) {
		if (c == 'b') {
			batch = (unsigned)number(optarg, MOST);
			continue;
		}
		fputs(usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	if (optind + 1 != argc) {
		fputs(usage, stderr);
		return 2;
	}
	fd = open_socket((uint16_t)number(argv[optind], UINT16_MAX));
	c = fd < 0 ? 1 : batch == 1 ? echo_single(fd) : echo_batches(fd, batch);
	fprintf(stderr, "bench-echo: port %s: %s\n", argv[optind], strerror(errno));
	return c;
}
