// SPDX-License-Identifier: Apache-2.0
// The ready-made loop over loopback, with a server of a few lines.
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "loop.h"

struct scene {
	int server; // its socket
	unsigned asked;
	enum pcp_result refuses; // 0: it grants
	struct postern_server as;
	struct postern_client *client;
	struct postern_loop *loop;
	char folder[64], state[96];
};

// A socket of the host's own, and where it is.
static int listen_at(const struct postern_endpoint *wanted, struct postern_endpoint *out)
{
	struct sockaddr_storage sa;
	socklen_t length = address_to_socket(wanted, 0, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (fd >= 0 && bind(fd, (struct sockaddr *)&sa, length) == 0 &&
		getsockname(fd, (struct sockaddr *)&sa, &length) == 0) {
		*out = address_of_socket(&sa);
		return fd;
	}
	close(fd);
	return -1;
}

static struct postern_endpoint loopback(bool six)
{
	static const uint8_t four[4] = {127, 0, 0, 1};

	return six ? (struct postern_endpoint){.ip = {[15] = 1}} : postern_endpoint_ip4(four, 0);
}

static void set_up_over(struct scene *s, bool six)
{
	const struct postern_endpoint here = loopback(six);

	*s = (struct scene){.folder = "/tmp/postern-loop.XXXXXX", .as.n_addresses = 1};
	s->server = listen_at(&here, &s->as.addresses[0]);
	if (s->server < 0 && six)
		cr_skip_test("no IPv6 here");
	cr_assert_geq(s->server, 0);
	cr_assert_not_null(mkdtemp(s->folder));
	snprintf(s->state, sizeof s->state, "%s/state", s->folder);
}

static void set_up(struct scene *s)
{
	set_up_over(s, false);
}

static void start(struct scene *s)
{
	struct postern_client_options o = {.seed = {1}};
	struct postern_loop_options l = {.servers = &s->as, .n_servers = 1, .state_file = s->state};

	cr_assert_eq(postern_client_create(&o, &s->client), 0);
	cr_assert_eq(postern_loop_create(s->client, &l, &s->loop), 0);
}

static void stop(struct scene *s)
{
	postern_loop_destroy(s->loop);
	postern_client_destroy(s->client);
}

static void clear_up(struct scene *s)
{
	char lock[128];

	snprintf(lock, sizeof lock, "%s.lock", s->state);
	unlink(lock);
	unlink(s->state);
	rmdir(s->folder);
	if (s->server >= 0)
		close(s->server);
}

static void answer(struct scene *s)
{
	const struct pcp_served served = {.dialects = PCP_SERVES(PCP_V2)};
	struct sockaddr_storage from;
	socklen_t length = sizeof from;
	uint8_t octets[PCP_MAX];
	ssize_t n =
		recvfrom(s->server, octets, sizeof octets, 0, (struct sockaddr *)&from, &length);
	enum pcp_result result;
	struct pcp_error error;
	struct pcp_message m;

	if (n < 0)
		return;
	s->asked++;
	cr_assert_eq(pcp_decode_request(octets, (size_t)n, &served, &m, &result), PCP_DOOR_OPEN);
	if (m.opcode != PCP_ANNOUNCE) {
		m.external_ip = ip6_mapped(0xcb007105);
		m.external_port = 40001;
	}
	error = (struct pcp_error){.result = s->refuses, .parsed = true, .lifetime_s = 30};
	n = (ssize_t)(s->refuses ? pcp_error_reply(octets, (size_t)n, sizeof octets, &m, &error)
				 : pcp_success_reply(octets, &m, m.lifetime_s, 1000));
	cr_assert_eq(sendto(s->server, octets, (size_t)n, 0, (struct sockaddr *)&from, length), n);
}

static struct postern_event until(struct scene *s, enum postern_what what)
{
	struct postern_event event = {.id = -2};

	for (int i = 0; i < 100; i++) {
		cr_assert_eq(postern_loop_run(s->loop, 20), 0);
		answer(s);
		while (postern_client_event(s->client, &event))
			if (event.what == what)
				return event;
	}
	cr_assert_fail("%s was not told", postern_what_name(what));
	return event;
}

static int map(struct scene *s)
{
	struct postern_mapping want = {.protocol = 6,
		.internal_port = 8080,
		.lifetime_s = 3600,
		.keep = true,
		.server = POSTERN_ALL_SERVERS};

	return postern_client_map(s->client, &want, postern_loop_now());
}

static void ask_for_and_give_back(bool six)
{
	struct postern_event event;
	struct scene s;
	int id;

	set_up_over(&s, six);
	start(&s);
	id = map(&s);
	event = until(&s, POSTERN_MAPPED);
	cr_expect_eq(event.id, id);
	cr_expect_eq(event.external.port, 40001);
	cr_assert_eq(postern_client_delete(s.client, id, postern_loop_now()), 0);
	until(&s, POSTERN_DELETED);
	stop(&s);
	clear_up(&s);
}

Test(loop, a_port_is_asked_for_and_given_back)
{
	ask_for_and_give_back(false);
}

Test(loop, over_ipv6_a_port_is_asked_for_and_given_back)
{
	ask_for_and_give_back(true);
}

// RFC 6887 s.8.1.1 repeats after 3 s; until() waits for two.
static void try_the_next_address(bool six)
{
	const struct postern_endpoint here = loopback(six);
	struct scene s;
	int closed;

	set_up_over(&s, six);
	s.as.addresses[s.as.n_addresses++] = s.as.addresses[0];
	closed = listen_at(&here, &s.as.addresses[0]);
	cr_assert_geq(closed, 0);
	close(closed);
	start(&s);
	map(&s);
	until(&s, POSTERN_MAPPED);
	stop(&s);
	clear_up(&s);
}

Test(loop, a_port_that_is_closed_moves_on_to_the_next_address_at_once)
{
	try_the_next_address(false);
}

Test(loop, over_ipv6_a_port_that_is_closed_moves_on_to_the_next_address_at_once)
{
	try_the_next_address(true);
}

Test(loop, over_ipv6_an_inner_nat_is_told)
{
	struct scene s;

	set_up_over(&s, true);
	s.refuses = PCP_ADDRESS_MISMATCH;
	start(&s);
	map(&s);
	until(&s, POSTERN_INNER_NAT);
	stop(&s);
	clear_up(&s);
}

Test(loop, its_descriptor_tells_an_outer_loop_when_to_run)
{
	struct pollfd ready = {.events = POLLIN};
	struct scene s;

	set_up(&s);
	start(&s);
	cr_assert_eq(postern_loop_run(s.loop, 0), 0);
	ready.fd = postern_loop_fd(s.loop);
	cr_expect_eq(poll(&ready, 1, 0), 0, "there was nothing to do");
	map(&s);
	cr_assert_eq(postern_loop_run(s.loop, 0), 0);
	cr_assert_eq(poll(&(struct pollfd){.fd = s.server, .events = POLLIN}, 1, 1000), 1);
	answer(&s);
	cr_expect_eq(poll(&ready, 1, 1000), 1);
	until(&s, POSTERN_MAPPED);
	stop(&s);
	clear_up(&s);
}

Test(loop, a_later_run_holds_what_the_first_one_made)
{
	struct postern_fact fact;
	struct postern_event made;
	uintptr_t cursor = 0;
	struct stat is;
	struct scene s;

	set_up(&s);
	start(&s);
	map(&s);
	made = until(&s, POSTERN_MAPPED);
	stop(&s);
	cr_assert_eq(stat(s.state, &is), 0);
	cr_expect_eq(is.st_mode & 0777, 0600);
	start(&s);
	cr_assert(postern_client_fact(s.client, &cursor, &fact), "nothing was remembered");
	cr_expect_eq(fact.state, POSTERN_STATE_MAPPED);
	cr_expect_eq(fact.want.internal_port, 8080);
	cr_expect_eq(memcmp(fact.want.nonce, made.nonce, sizeof made.nonce), 0);
	stop(&s);
	clear_up(&s);
}

Test(loop, what_is_remembered_of_an_absent_server_is_not_forgotten)
{
	struct postern_server there;
	char *before, *after;
	size_t n_before, n_after;
	struct scene s;

	set_up(&s);
	start(&s);
	map(&s);
	until(&s, POSTERN_MAPPED);
	stop(&s);
	cr_assert_eq(file_read(s.state, &before, &n_before), 0);
	there = s.as;
	s.as.addresses[0].port++;
	start(&s);
	stop(&s);
	cr_assert_eq(file_read(s.state, &after, &n_after), 0);
	cr_expect_eq(n_before, n_after);
	cr_expect_eq(memcmp(before, after, n_before), 0);
	s.as = there;
	free(before);
	free(after);
	clear_up(&s);
}

Test(loop, two_loops_cannot_share_a_state_file)
{
	struct postern_loop_options l;
	struct postern_loop *second;
	struct scene s;

	set_up(&s);
	start(&s);
	l = (struct postern_loop_options){.servers = &s.as, .n_servers = 1, .state_file = s.state};
	cr_expect_eq(postern_loop_create(s.client, &l, &second), -EBUSY);
	cr_expect_null(second);
	stop(&s);
	clear_up(&s);
}

Test(loop, an_icmp_error_is_told_and_harms_nothing)
{
	struct scene s;

	set_up(&s);
	start(&s);
	close(s.server);
	s.server = -1;
	map(&s);
	for (int i = 0; i < 5; i++)
		cr_assert_eq(postern_loop_run(s.loop, 20), 0);
	cr_expect_geq(postern_client_counters(s.client)->sent, 1);
	cr_expect_neq(postern_client_deadline(s.client), POSTERN_NEVER, "it gave up");
	stop(&s);
	clear_up(&s);
}

Test(loop, several_listen_for_announcements)
{
	int first = announcements_open(false), second = announcements_open(false);

	cr_expect_geq(first, 0);
	cr_expect_geq(second, 0);
	close(first);
	close(second);
}

Test(loop, the_clock_does_not_stand)
{
	uint64_t before = postern_loop_now();

	usleep(2000);
	cr_expect_geq(postern_loop_now(), before + 2000000);
}
