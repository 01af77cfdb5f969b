// SPDX-License-Identifier: Apache-2.0
// client.h - ask a Port Control Protocol server for ports, keep them, give them back.
//
// Owner    the calling program. It owns the socket and the loop; this library owns the protocol.
// Threads  one thread at a time per client; clients share nothing.
// Memory   postern_client_create() allocates once; no other call allocates.
// Time     `now_ns`: nanoseconds of a clock that never jumps (CLOCK_BOOTTIME, CLOCK_MONOTONIC).
// Book     docs/design/client.md; RFC 6887 s.8, s.11, s.12, s.14
//
// A program's loop, with one UDP socket connected to the server:
//
//	postern_client_map(client, &want, now);
//	for (;;) {
//		while ((n = postern_client_send(client, now, datagram)) > 0)
//			send(fd, datagram, n, 0);
//		while (postern_client_result(client, &result))
//			look at it;
//		poll fd until postern_client_deadline(client);
//		postern_client_receive(client, now, &server, datagram, n_received);
//	}
#ifndef POSTERN_CLIENT_H
#define POSTERN_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define POSTERN_DATAGRAM 1100    // the largest PCP message, octets
#define POSTERN_NEVER UINT64_MAX // a deadline that does not come
#define POSTERN_SERVER_PORT 5351
#define POSTERN_ANNOUNCE_PORT 5350 // where restart announcements to 224.0.0.1 arrive
#define POSTERN_OPTIONS 1020       // octets of options that fit behind the longest request

struct postern_endpoint {
	uint8_t ip[16]; // IPv6, or IPv4 as ::ffff:a.b.c.d
	uint16_t port;  // host order
};

// `octets` as inet_pton(AF_INET) leaves them.
struct postern_endpoint postern_endpoint_ip4(const uint8_t octets[4], uint16_t port);

// ---- a client: one source address talking to one server --------------------------------------

struct postern_client;

struct postern_client_options {
	struct postern_endpoint server;
	uint8_t source[16];    // where requests come from, as the server sees it; goes into them
	uint8_t seed[32];      // from getrandom(): nonces and jitter are drawn from it
	uint32_t max_mappings; // mappings that can be asked for at the same time
};

// 0, -ENOMEM, or -EINVAL when max_mappings is 0 or the server's port is 0.
int postern_client_create(
	const struct postern_client_options *options, struct postern_client **out);
void postern_client_destroy(struct postern_client *client); // NULL is fine; nothing is sent

// ---- what to ask for -------------------------------------------------------------------------

struct postern_mapping {
	uint8_t protocol; // 6 TCP, 17 UDP, any IANA number
	uint16_t internal_port;
	bool wildcard; // port 0 is meant: every port of the protocol; with protocol 0 of the host
	struct postern_endpoint peer; // port not 0: PEER, for the traffic with this one remote host
	struct postern_endpoint external; // a wish; all zeros: the server's choice
	uint32_t lifetime_s;              // 0: delete the mapping
	bool prefer_failure;              // rather no mapping than another external port
	bool keep;                        // renew it, ask again when it is lost, until deleted
	bool has_nonce;                   // of an earlier run; otherwise one is drawn
	uint8_t nonce[12];
	uint16_t n_options; // octets of options: postern_mapping_add_*() writes them
	uint8_t options[POSTERN_OPTIONS];
};

// Adds an option to every request for the mapping, behind those added before. 0, -ENOSPC, or
// -EINVAL when it makes no sense. A server may ignore DESCRIPTION and other options from 128 on;
// what it took it repeats in the answer. Deletes carry only what tells which mapping is meant.
//
// Only remote hosts of the prefix may reach the mapping (RFC 6887 s.13.3). `bits` of the address,
// 0..32 for IPv4; port 0: every port. Filters add up, also to those the server holds already.
int postern_mapping_add_filter(
	struct postern_mapping *want, const uint8_t address[16], uint8_t bits, uint16_t port);
int postern_mapping_clear_filters(struct postern_mapping *want); // what was there before goes
// The mapping leads to this host instead of the one that asks (s.13.1), if the server allows it.
int postern_mapping_add_third_party(struct postern_mapping *want, const uint8_t address[16]);
int postern_mapping_add_description(struct postern_mapping *want, const char *utf8); // RFC 7220
int postern_mapping_add_option(
	struct postern_mapping *want, uint8_t code, const void *data, size_t length);

// Starts asking. The id of the mapping, or -EINVAL (no protocol or port and no wildcard; a peer
// and PREFER_FAILURE or lifetime 0; PREFER_FAILURE without a port or with lifetime 0), or -ENOSPC.
// The request repeats until answered: give up with postern_client_forget().
int postern_client_map(
	struct postern_client *client, const struct postern_mapping *want, uint64_t now_ns);

// Asks again now, or deletes: 0, or -EINVAL for an id that is not in use (or, to renew, one that is
// being deleted; or, to delete, one with a peer: PCP cannot end those early). A mapping that was
// refused is not asked for again before the time has passed that the server named; the request
// waits for that.
int postern_client_renew(struct postern_client *client, int id, uint64_t now_ns);
int postern_client_delete(struct postern_client *client, int id, uint64_t now_ns);

// Gives the id back; what the server holds stays there until it expires.
void postern_client_forget(struct postern_client *client, int id);

// Asks for the server's Epoch alone (ANNOUNCE): is it there, did it restart?
void postern_client_announce(struct postern_client *client, uint64_t now_ns);

// ---- the loop --------------------------------------------------------------------------------

// The next datagram that is due, for the server's address and port; its length, 0 when none is.
size_t postern_client_send(
	struct postern_client *client, uint64_t now_ns, uint8_t out[POSTERN_DATAGRAM]);

// When postern_client_send() is to be called next, at the latest; POSTERN_NEVER: not by itself.
uint64_t postern_client_deadline(const struct postern_client *client);

// A datagram came from `from`: to the requests' own source port, or to the announcement port.
// False when it answers nothing that was asked.
bool postern_client_receive(struct postern_client *client, uint64_t now_ns,
	const struct postern_endpoint *from, const uint8_t *datagram, size_t length);

// The socket told of an ICMP unreachable (ECONNREFUSED, EHOSTUNREACH). Requests go on: such errors
// pass, and anybody can forge them.
void postern_client_unreachable(struct postern_client *client);

// ---- what became of it -----------------------------------------------------------------------

enum postern_what {
	POSTERN_GRANTED,       // created or renewed: external, lifetime_s
	POSTERN_CHANGED,       // granted, but not at the external address and port of before
	POSTERN_DELETED,       // it is gone, or never was
	POSTERN_REMAINS,       // deletion was accepted, but the server keeps it for lifetime_s
	POSTERN_REFUSED,       // result; the same request would fail for lifetime_s. It is not
			       // repeated, yet a better answer to it may follow
	POSTERN_EXPIRED,       // its time ran out unrenewed; a kept one is being asked for again
	POSTERN_ANNOUNCED,     // answer to postern_client_announce(): epoch_s
	POSTERN_RESTARTED,     // the server lost state: epoch_s; kept mappings are asked for again
	POSTERN_OTHER_VERSION, // the server does not speak version 2: version, lifetime_s
	POSTERN_UNREACHABLE,   // nothing listens there at the moment
};

struct postern_result {
	enum postern_what what;
	int id;          // of the mapping; -1: about the server
	uint16_t result; // RFC 6887 s.7.4; 0 is success
	uint8_t version; // POSTERN_OTHER_VERSION: nearest it speaks; 0: only NAT-PMP
	uint8_t protocol;
	uint16_t internal_port;
	struct postern_endpoint external; // assigned by the server
	uint8_t nonce[12];                // whoever knows it may renew and delete the mapping
	uint32_t lifetime_s;
	uint32_t epoch_s; // seconds since the server began to keep state
};

// The next thing to know; false when there is none. Of two about one mapping the newer is told.
bool postern_client_result(struct postern_client *client, struct postern_result *out);

const char *postern_result_name(unsigned result); // "NO_RESOURCES"; "unassigned" beyond s.7.4

#ifdef __cplusplus
}
#endif

#endif
