// SPDX-License-Identifier: Apache-2.0
// keep-port PORT [SERVER] - keeps TCP port PORT reachable from outside until Ctrl-C, with the
// ready-made loop. Built with:  cc keep-port.c $(pkg-config --cflags --libs postern-client)
#include <arpa/inet.h>
#include <errno.h>
#include <postern/client.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static volatile sig_atomic_t is_over;

static void end(int signal)
{
	(void)signal;
	is_over = 1;
}

static void tell(const struct postern_event *event)
{
	char text[INET6_ADDRSTRLEN];

	inet_ntop(AF_INET6, event->external.ip, text, sizeof text);
	printf("%s: [%s]:%u for %u s (%s)\n", postern_what_name(event->what), text,
		event->external.port, event->lifetime_s, postern_result_name(event->result));
	fflush(stdout);
}

static bool parse_server(const char *text, struct postern_server *server)
{
	uint8_t four[4];

	server->n_addresses = 1;
	server->addresses[0].port = POSTERN_SERVER_PORT;
	if (inet_pton(AF_INET, text, four) == 1)
		server->addresses[0] = postern_endpoint_ip4(four, POSTERN_SERVER_PORT);
	else if (inet_pton(AF_INET6, text, server->addresses[0].ip) != 1)
		return false;
	return true;
}

// Until `what` was told of our mapping, or a signal came, or the time is over.
static int run_until(struct postern_client *client, struct postern_loop *loop, int timeout_ms,
	enum postern_what what)
{
	uint64_t until = postern_loop_now() + (uint64_t)timeout_ms * 1000000;
	struct postern_event event;
	int error = 0;

	while (error == 0 && (timeout_ms < 0 || postern_loop_now() < until)) {
		error = postern_loop_run(loop, timeout_ms);
		while (postern_client_event(client, &event)) {
			tell(&event);
			if (event.id >= 0 && event.what == what)
				return 0;
		}
	}
	return error;
}

static int keep(struct postern_client *client, struct postern_loop *loop, uint16_t port)
{
	struct postern_mapping want = {.protocol = 6, // TCP
		.internal_port = port,
		.lifetime_s = 7200,
		.keep = true,
		.server = POSTERN_ALL_SERVERS};
	int id = postern_client_map(client, &want, postern_loop_now()), error = id;

	while (error >= 0 && !is_over) {
		error = run_until(client, loop, -1, POSTERN_DELETED);
		if (error == -EINTR)
			error = 0;
	}
	if (id >= 0 && error == 0 && postern_client_delete(client, id, postern_loop_now()) == 0)
		error = run_until(client, loop, 3000, POSTERN_DELETED);
	return error;
}

int main(int argc, char **argv)
{
	struct postern_client_options options = {0};
	struct postern_server server = {.origin = POSTERN_CONFIGURED};
	struct postern_loop_options where = {0}; // no servers: the loop looks for them
	struct sigaction on_signal = {.sa_handler = end};
	struct postern_client *client;
	struct postern_loop *loop;
	int port = argc > 1 ? atoi(argv[1]) : 0, error;

	if (port < 1 || port > 65535 || (argc > 2 && !parse_server(argv[2], &server))) {
		fprintf(stderr, "usage: keep-port PORT [SERVER]\n");
		return 2;
	}
	if (argc > 2) {
		where.servers = &server;
		where.n_servers = 1;
	}
	sigaction(SIGINT, &on_signal, NULL);
	sigaction(SIGTERM, &on_signal, NULL);
	if (getrandom(options.seed, sizeof options.seed, 0) != sizeof options.seed)
		return 1;
	error = postern_client_create(&options, &client);
	if (error < 0)
		return 1;
	error = postern_loop_create(client, &where, &loop);
	if (error == 0) {
		error = keep(client, loop, (uint16_t)port);
		postern_loop_destroy(loop);
	}
	postern_client_destroy(client);
	if (error < 0)
		fprintf(stderr, "keep-port: %s\n", strerror(-error));
	return error < 0;
}
