// SPDX-License-Identifier: Apache-2.0
// own-loop PORT SERVER - asks an IPv4 server for UDP port PORT with a socket, clock and loop of its
// own, and prints where it can be reached. Built like keep-port.c; the library makes no system
// call.
#include <arpa/inet.h>
#include <poll.h>
#include <postern/client.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE_NS 10000000000 // ten seconds

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

// A connected socket knows which of our addresses leads to the server.
static int open_socket(const struct postern_endpoint *server, struct postern_endpoint *source)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(server->port)}, ours;
	socklen_t length = sizeof ours;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	memcpy(&to.sin_addr, server->ip + 12, sizeof to.sin_addr);
	if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0 ||
		getsockname(fd, (struct sockaddr *)&ours, &length) < 0) {
		perror("own-loop: no way to the server");
		exit(1);
	}
	*source = postern_endpoint_ip4((const uint8_t *)&ours.sin_addr, ntohs(ours.sin_port));
	return fd;
}

static int wait_ms(const struct postern_client *client, uint64_t until)
{
	uint64_t now = now_ns(), next = postern_client_deadline(client);

	if (next > until)
		next = until;
	return next > now ? (int)((next - now) / 1000000) + 1 : 0;
}

static bool is_mapped(struct postern_client *client, uint16_t port)
{
	struct postern_event event;
	char text[INET6_ADDRSTRLEN];

	while (postern_client_event(client, &event)) {
		if (event.what == POSTERN_REFUSED)
			fprintf(stderr, "own-loop: %s\n", postern_result_name(event.result));
		if (event.what != POSTERN_MAPPED)
			continue;
		inet_ntop(AF_INET, event.external.ip + 12, text, sizeof text);
		printf("udp port %u is %s:%u for %u s\n", port, text, event.external.port,
			event.lifetime_s);
		return true;
	}
	return false;
}

static bool run(struct postern_client *client, int fd, const struct postern_endpoint *server,
	const struct postern_endpoint *source, uint16_t port)
{
	struct postern_datagram datagram;
	uint64_t until = now_ns() + PATIENCE_NS;
	uint8_t octets[POSTERN_DATAGRAM + 1];
	struct pollfd ready = {.fd = fd, .events = POLLIN};

	while (!is_mapped(client, port) && now_ns() < until) {
		ssize_t n;

		while (postern_client_send(client, now_ns(), &datagram))
			if (send(fd, datagram.octets, datagram.length, 0) < 0)
				postern_client_unreachable(client, server, now_ns());
		poll(&ready, 1, wait_ms(client, until));
		while ((n = recv(fd, octets, sizeof octets, 0)) >= 0)
			postern_client_receive(client, now_ns(), server, source, octets, (size_t)n);
	}
	return now_ns() < until;
}

int main(int argc, char **argv)
{
	struct postern_client_options options = {0};
	struct postern_server server = {.origin = POSTERN_CONFIGURED, .n_addresses = 1};
	struct postern_mapping want = {
		.protocol = 17, .lifetime_s = 600, .server = POSTERN_ALL_SERVERS};
	struct postern_endpoint source;
	struct postern_client *client;
	uint8_t address[4];
	bool good;
	int fd, id;

	if (argc != 3 || inet_pton(AF_INET, argv[2], address) != 1) {
		fprintf(stderr, "usage: own-loop PORT SERVER\n");
		return 2;
	}
	want.internal_port = (uint16_t)atoi(argv[1]);
	server.addresses[0] = postern_endpoint_ip4(address, POSTERN_SERVER_PORT);
	if (getrandom(options.seed, sizeof options.seed, 0) != sizeof options.seed ||
		postern_client_create(&options, &client) < 0)
		return 1;
	fd = open_socket(&server.addresses[0], &source);
	id = postern_client_add_server(client, &server, now_ns());
	postern_client_source(client, id, 0, source.ip, true, now_ns());
	good = id >= 0 && postern_client_map(client, &want, now_ns()) >= 0 &&
	       run(client, fd, &server.addresses[0], &source, want.internal_port);
	postern_client_destroy(client);
	close(fd);
	return !good;
}
