// SPDX-License-Identifier: Apache-2.0
// loop.h - the ready-made loop: its sockets, where it finds servers, and what it tells the engine.
//
// Everything that makes system calls stands behind this header; the engine (state.h) makes none.
#ifndef CLIENT_LOOP_H
#define CLIENT_LOOP_H

#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>

#include "state.h"

#define MOST_SERVERS 16                // found or configured
#define MOST_ROUTERS 16                // default routes looked at
#define LOOK_AGAIN (300 * NS_PER_S)    // for leases that changed without a change of routes
#define SETTLE (200 * NS_PER_MS)       // routes change in bursts
#define SOCKET_LINGERS (60 * NS_PER_S) // of an address that is no longer the one to ask from
#define SAVE_EVERY (2 * NS_PER_S)      // the state file, at most
#define MOST_STATE (16 * 1024 * 1024)  // octets of a state file

// ---- addresses.c ------------------------------------------------------------------------------

socklen_t address_to_socket(
	const struct postern_endpoint *e, uint32_t interface, struct sockaddr_storage *out);
struct postern_endpoint address_of_socket(const struct sockaddr_storage *in);
bool address_is_link_local(const uint8_t ip[16]); // fe80::/10: needs an interface
bool address_is_unicast(const uint8_t ip[16]);    // neither multicast nor loopback nor nothing

// ---- leases.c, lease_files.c: DHCP ------------------------------------------------------------

struct found { // servers, in the order in which they were found
	unsigned n;
	struct postern_server servers[MOST_SERVERS];
};

bool found_add(struct found *found, const struct postern_server *server); // not twice

// An option's data (RFC 7291). A malformed option teaches nothing.
void leases_read_option158(
	const uint8_t *data, size_t length, uint32_t interface, struct found *found);
void leases_read_option86(
	const uint8_t *data, size_t length, uint32_t interface, struct found *found);
// DHCPv4 options, codes and lengths between them; one code's data may be in several (RFC 3396).
void leases_read_options4(
	const uint8_t *octets, size_t length, uint32_t interface, struct found *found);
void leases_read_options6(
	const uint8_t *octets, size_t length, uint32_t interface, struct found *found);
// A file's content, in whichever form. `name` tells the interface where the content does not.
void leases_read(
	const char *name, const uint8_t *octets, size_t length, time_t wall, struct found *found);
// Reads what matches the patterns; NULL: where Debian's DHCP clients leave their leases.
void leases_find(const char *const *patterns, time_t wall, struct found *found);

// ---- routes.c: netlink ------------------------------------------------------------------------

struct router {
	ip6 ip;
	uint32_t interface, metric;
};

struct routers {
	unsigned n;
	struct router list[MOST_ROUTERS];
};

int routes_open(void);                // a descriptor that is readable after a change, or -errno
bool routes_changed(int fd);          // reads it empty; true when anything changed that matters
int routes_read(struct routers *out); // the default routers of both families, the best first
// The parser of what the kernel sends, alone. False when there was no end of a list in it.
bool routes_take(const uint8_t *octets, size_t length, struct routers *out);
void routes_sort(struct routers *routers, bool ip4_first);

// ---- file.c: the state file -------------------------------------------------------------------

int file_lock(const char *path);                             // a descriptor, -EBUSY, or -errno
int file_read(const char *path, char **out, size_t *length); // *out: malloc'ed
int file_replace(const char *path, const char *text, size_t length);

// ---- loop_servers.c ---------------------------------------------------------------------------

struct loop_server {
	bool used;
	int id; // the engine's
	struct postern_server as;
	struct {
		bool known;
		uint8_t ip[16];
	} sources[POSTERN_ADDRESSES];
};

struct loop_socket {
	struct loop_socket *next;
	int fd;
	struct postern_endpoint to;
	uint32_t interface;
	uint8_t source[16];
	ns idle_since; // NEVER: it is the one to ask from
};

struct postern_loop {
	struct postern_client *client;
	struct postern_loop_options options;
	uint8_t source[16];
	char *state_file;
	int epoll, timer, netlink, announcements[2], lock;
	struct found configured;
	struct loop_server servers[MOST_SERVERS];
	struct loop_socket *sockets;
	struct routers routers;
	ns look_at;     // when to look for servers again
	ns save_at;     // NEVER: nothing new
	ns saved;       // last time
	uint64_t taken; // datagrams, when it was last looked
	ns slept;       // CLOCK_BOOTTIME beyond CLOCK_MONOTONIC, when it was last looked
	char *unread;   // lines of the state file about servers that are not there yet
	size_t n_unread;
};

int servers_look(struct postern_loop *loop, ns now); // finds servers and sources anew
void servers_look_for_anycast(struct postern_loop *loop, ns now);

// ---- loop_sockets.c ---------------------------------------------------------------------------

// Connected, from `source` unless it is NULL.
struct loop_socket *sockets_open(struct postern_loop *loop, const struct postern_endpoint *to,
	uint32_t interface, const uint8_t *source);
struct loop_socket *sockets_find(struct postern_loop *loop, const struct postern_endpoint *to,
	uint32_t interface, const uint8_t source[16]);
void sockets_close(struct postern_loop *loop, struct loop_socket *socket);
void sockets_tidy(struct postern_loop *loop, ns now);
void sockets_send(struct postern_loop *loop, ns now);
void sockets_receive(struct postern_loop *loop, struct loop_socket *socket, ns now);
bool sockets_has_address(struct postern_loop *loop, const uint8_t ip[16]); // still ours

// ---- loop_announcements.c ---------------------------------------------------------------------

int announcements_open(bool ip6); // a descriptor or -errno
void announcements_receive(struct postern_loop *loop, int fd, ns now);

// ---- loop_memory.c ----------------------------------------------------------------------------

int memory_open(struct postern_loop *loop);
void memory_teach(struct postern_loop *loop, const struct postern_server *server, ns now);
void memory_save(struct postern_loop *loop, ns now);
void memory_close(struct postern_loop *loop);

#endif
