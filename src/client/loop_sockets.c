// SPDX-License-Identifier: Apache-2.0
// One connected UDP socket for each address of each server, and for each of our addresses that
// something is still to be said from. Being connected tells the source address, lets ICMP errors
// through, and keeps strangers out.
#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop.h"

static int bind_to(int fd, const uint8_t *source, uint32_t interface)
{
	struct postern_endpoint e = {.port = 0};
	struct sockaddr_storage sa;
	socklen_t length;

	memcpy(e.ip, source, sizeof e.ip);
	length = address_to_socket(&e, interface, &sa);
	return bind(fd, (struct sockaddr *)&sa, length);
}

static int open_to(const struct postern_endpoint *to, uint32_t interface, const uint8_t *source)
{
	struct sockaddr_storage sa;
	socklen_t length = address_to_socket(to, interface, &sa);
	int fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), error;
	int index = (int)interface;

	if (fd < 0)
		return -errno;
	// A server belongs to the interface it was learned on (RFC 7291 s.6). Kernels before 5.7
	// let only root say so; the routes decide there.
	if (interface != 0)
		(void)setsockopt(fd, SOL_SOCKET, SO_BINDTOIFINDEX, &index, sizeof index);
	if ((!source || bind_to(fd, source, interface) == 0) &&
		connect(fd, (struct sockaddr *)&sa, length) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static bool source_of(int fd, uint8_t source[16])
{
	struct sockaddr_storage sa;
	socklen_t length = sizeof sa;
	struct postern_endpoint e;

	if (getsockname(fd, (struct sockaddr *)&sa, &length) < 0)
		return false;
	e = address_of_socket(&sa);
	memcpy(source, e.ip, sizeof e.ip);
	return true;
}

int postern_source_beyond(uint32_t interface, uint8_t source[16])
{
	const struct postern_endpoint beyond = {.ip = {0x20, 0, [15] = 1}, .port = 9};
	int fd = open_to(&beyond, interface, NULL);
	bool found;

	if (fd < 0)
		return fd;
	found = source_of(fd, source) && !address_is_link_local(source);
	close(fd);
	return found ? 0 : -EADDRNOTAVAIL;
}

struct loop_socket *sockets_open(struct postern_loop *loop, const struct postern_endpoint *to,
	uint32_t interface, const uint8_t *source)
{
	struct loop_socket *s = client_allocate(loop->client, sizeof *s);
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = s};
	uint8_t beyond[16];

	if (!s)
		return NULL;
	if (!source && address_is_link_local(to->ip) &&
		postern_source_beyond(interface, beyond) == 0)
		source = beyond;
	*s = (struct loop_socket){.to = *to, .interface = interface, .idle_since = NEVER};
	s->fd = open_to(to, interface, source);
	if (s->fd < 0)
		goto out;
	if (!source_of(s->fd, s->source) ||
		epoll_ctl(loop->epoll, EPOLL_CTL_ADD, s->fd, &event) < 0)
		goto out_close;
	s->next = loop->sockets;
	loop->sockets = s;
	return s;
out_close:
	close(s->fd);
out:
	client_release(loop->client, s);
	return NULL;
}

struct loop_socket *sockets_find(struct postern_loop *loop, const struct postern_endpoint *to,
	uint32_t interface, const uint8_t source[16])
{
	struct loop_socket *s = loop->sockets;

	while (s && !(same_endpoint(&s->to, to) && s->interface == interface &&
			    memcmp(s->source, source, sizeof s->source) == 0))
		s = s->next;
	return s;
}

// Not while epoll's events are being looked at: one of them may be this socket's.
void sockets_close(struct postern_loop *loop, struct loop_socket *socket)
{
	struct loop_socket **at = &loop->sockets;

	while (*at != socket)
		at = &(*at)->next;
	*at = socket->next;
	close(socket->fd);
	client_release(loop->client, socket);
}

// Late answers to an address that we left are still taken for a while.
void sockets_tidy(struct postern_loop *loop, ns now)
{
	for (struct loop_socket *s = loop->sockets, *next; s; s = next) {
		next = s->next;
		if (s->idle_since != NEVER && now >= s->idle_since + SOCKET_LINGERS)
			sockets_close(loop, s);
	}
}

// ---- traffic ---------------------------------------------------------------------------------

static bool is_icmp(int error)
{
	return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH ||
	       error == EHOSTDOWN || error == ENOPROTOOPT || error == EPROTO || error == EACCES;
}

// What the network said about an earlier datagram comes as the error of the next call; that call
// did nothing else and is made again, once.
static void send_one(struct postern_loop *loop, const struct postern_datagram *d, ns now)
{
	struct loop_socket *s = sockets_find(loop, &d->to, d->interface, d->source);

	if (!s) { // a farewell from an address that a server was asked from before
		s = sockets_open(loop, &d->to, d->interface, d->source);
		if (!s) {
			loop->look_at = sooner(loop->look_at, now + SETTLE);
			return;
		}
		s->idle_since = now;
	}
	if (s->idle_since != NEVER)
		s->idle_since = now;
	if (send(s->fd, d->octets, d->length, MSG_NOSIGNAL) >= 0 || !is_icmp(errno))
		return;
	if (errno == ECONNREFUSED) {
		postern_client_unreachable(loop->client, &s->to, now);
		(void)send(s->fd, d->octets, d->length, MSG_NOSIGNAL);
		return;
	}
	postern_client_unreachable(loop->client, &s->to, now);
	loop->look_at = sooner(loop->look_at, now + SETTLE);
}

void sockets_send(struct postern_loop *loop, ns now)
{
	struct postern_datagram datagram;

	while (postern_client_send(loop->client, now, &datagram))
		send_one(loop, &datagram, now);
}

void sockets_receive(struct postern_loop *loop, struct loop_socket *s, ns now)
{
	struct postern_endpoint to = {.port = 0};
	uint8_t octets[POSTERN_DATAGRAM + 1]; // one more: what is too long is seen to be so
	struct sockaddr_storage sa;

	for (;;) {
		socklen_t length = sizeof sa;
		ssize_t n =
			recvfrom(s->fd, octets, sizeof octets, 0, (struct sockaddr *)&sa, &length);
		struct postern_endpoint from;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && is_icmp(errno)) {
			postern_client_unreachable(loop->client, &s->to, now);
			continue;
		}
		if (n < 0)
			return;
		from = address_of_socket(&sa);
		memcpy(to.ip, s->source, sizeof to.ip);
		postern_client_receive(loop->client, now, &from, &to, octets, (size_t)n);
	}
}

bool sockets_has_address(struct postern_loop *loop, const uint8_t ip[16])
{
	struct postern_endpoint e = {.port = 0};
	struct sockaddr_storage sa;
	int fd;
	bool is_ours;

	(void)loop;
	memcpy(e.ip, ip, sizeof e.ip);
	address_to_socket(&e, 0, &sa);
	if (address_is_link_local(ip)) // of which interface is not known any more
		return false;
	fd = socket(sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return false;
	is_ours = bind_to(fd, ip, 0) == 0;
	close(fd);
	return is_ours;
}
