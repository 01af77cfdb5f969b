// SPDX-License-Identifier: Apache-2.0
// requests.h - what bench-requests' files share: the frames, and the wire they go over.
//
// Mapping number i is one internal endpoint: every host has 63 of them. A frame carries its number,
// so that what comes back can be told apart, whatever a translator did to its header.
#ifndef BENCH_REQUESTS_H
#define BENCH_REQUESTS_H

#include <net/if.h>
#include <stdio.h>
#include <sys/socket.h>

#include <postern/pcp.h>
#include <postern/pkt.h>

enum {
	PORTS_EACH = 63,
	FRAME = 256, // octets kept of a frame
	BATCH = 64,
	WINDOW_MAX = 4096,
	FIRST_SLOT = 10000 // UDP source port of a PCP request: this and its place in the window
};

enum kind {
	KIND_ECHO,  // PCP MAP requests that come back as they are
	KIND_MAP,   // and that are answered
	KIND_PACKET // 64-octet frames, that arrive elsewhere
};

struct traffic { // what is sent
	enum kind kind;
	uint8_t from_mac[6], to_mac[6];
	ip4 base, to; // the first host; the server, or the peer
	uint16_t port;
	uint32_t lifetime_s;
};

// Writes the frame of mapping `number` that has place `slot` of the window; its length.
size_t frame_write(const struct traffic *t, uint8_t *frame, uint32_t number, uint16_t slot);

enum answer {
	ANSWER_NONE,   // not ours
	ANSWER_RIGHT,  // of mapping *number
	ANSWER_REFUSED // likewise: an error
};
enum answer frame_read(const struct traffic *t, const uint8_t *frame, size_t length,
	uint32_t *number, uint16_t *slot);

// ---- the wire --------------------------------------------------------------------------------

struct catcher { // what the kernel has taken in
	int fd;
	uint8_t *memory;
	uint32_t next;
};

// 0 or -errno. The ring sees all that comes in over the interface, also what others get.
int catcher_open(struct catcher *c, const char *interface);
// The next frame, or NULL. It is the caller's until catcher_done().
const uint8_t *catcher_look(struct catcher *c, size_t *length);
void catcher_done(struct catcher *c);

struct sender {
	int fd;
	unsigned n;
	size_t lengths[BATCH];
	uint8_t frames[BATCH][FRAME];
};

int sender_open(struct sender *s, const char *interface, uint8_t mac[6]);
int sender_flush(struct sender *s); // 0 or -errno

// ---- what others spend -----------------------------------------------------------------------

struct watched {
	int pid;  // 0: none
	int core; // -1: none
};
struct spent {
	double process_s, core_s;
};
struct spent watch_read(const struct watched *w); // since the process, or the machine, started

#endif
