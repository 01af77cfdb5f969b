// SPDX-License-Identifier: Apache-2.0
// client.h - ask Port Control Protocol servers for ports, keep them, give them back.
//
// Owner    the calling program. It owns sockets, clock and loop; the library owns the protocol.
//          The last part of this header is a ready-made loop for those who want none of their own.
// Threads  one thread at a time per client; clients share nothing. No globals, no threads, and but
//          for the ready-made loop no system calls.
// Memory   only what the allocator of postern_client_options gives, and only in calls that say so.
// Time     `now_ns`: nanoseconds of a clock that never jumps (CLOCK_BOOTTIME, CLOCK_MONOTONIC).
// Errors   0 or an id on success, otherwise a negative errno value.
// Book     docs/design/client.md, postern_client(3); RFC 6887 s.8, s.11, s.12, s.14, RFC 6886,
//          RFC 7488 (several servers and addresses), RFC 7291 (DHCP), RFC 7723 (anycast)
//
// A program's loop, with UDP sockets that may be its own or the library's:
//
//	server = postern_client_add_server(client, &known, now);
//	postern_client_source(client, server, 0, our_address, now);
//	id = postern_client_map(client, &want, now);
//	for (;;) {
//		while (postern_client_send(client, now, &datagram))
//			send it from datagram.source to datagram.to;
//		while (postern_client_event(client, &event))
//			look at it;
//		poll until postern_client_deadline(client);
//		postern_client_receive(client, now, &from, &to, octets, length);
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
#define POSTERN_ANNOUNCE_PORT 5350 // where announcements to 224.0.0.1 and ff02::1 arrive
#define POSTERN_OPTIONS 1020       // octets of options that fit behind the longest request
#define POSTERN_ADDRESSES 8        // of one server
#define POSTERN_ALL_SERVERS (-1)

struct postern_endpoint {
	uint8_t ip[16]; // IPv6, or IPv4 as ::ffff:a.b.c.d
	uint16_t port;  // host order
};

// `octets` as inet_pton(AF_INET) leaves them.
struct postern_endpoint postern_endpoint_ip4(const uint8_t octets[4], uint16_t port);

// ---- a client --------------------------------------------------------------------------------

struct postern_client;

struct postern_allocator {
	void *(*allocate)(void *context, size_t octets); // zeroed, or NULL
	void (*release)(void *context, void *memory);
	void *context;
};

enum postern_dialects { // what may be spoken; version 2 is always tried first
	POSTERN_V2 = 1,
	POSTERN_V1 = 2,     // drafts 16 to 24, the last before RFC 6887
	POSTERN_NATPMP = 4, // RFC 6886; only from private addresses
};

struct postern_client_options { // zeros are sensible where it does not say otherwise
	uint8_t seed[32];   // from getrandom(), never zeros: nonces and jitter are drawn from it
	bool has_secret;    // nonces follow from `secret`, server and mapping: a later run with
	uint8_t secret[32]; // the same secret renews what this one made, without a file of nonces
	struct postern_allocator allocator; // zeros: calloc() and free()
	unsigned dialects;                  // enum postern_dialects; 0: all
	uint32_t pace_ms;                   // between two requests of a recovery; 0: 500, +-20 %
	uint32_t longest_lifetime_s;        // what a server grants beyond is not believed; 0: 86400
	uint32_t max_mappings;              // of all servers together; 0: 1024
};

// Allocates. 0, -ENOMEM, or -EINVAL without a seed.
int postern_client_create(
	const struct postern_client_options *options, struct postern_client **out);
void postern_client_destroy(struct postern_client *client); // NULL is fine; nothing is sent

// ---- servers (RFC 6887 s.8.1, RFC 7488) ------------------------------------------------------

enum postern_origin { // where a server is known from, the most trusted first
	POSTERN_CONFIGURED,
	POSTERN_DHCP,    // options 158 and 86 (RFC 7291)
	POSTERN_ROUTER,  // a default router
	POSTERN_ANYCAST, // 192.0.0.9, 2001:1::1 (RFC 7723): asked for its Epoch before anything
			 // else
};

struct postern_server {
	enum postern_origin origin;
	unsigned n_addresses; // of this one server, in the order to try them
	struct postern_endpoint addresses[POSTERN_ADDRESSES];
	uint32_t interface; // index of the one it was learned on, 0: any; for link-local addresses
};

// Every mapping is asked for at every server, independently and with nonces of its own (RFC 7488
// s.4); one server's addresses are tried one after the other, four transmissions each. Allocates,
// for each mapping that is there, too. The server's id, -EINVAL (no address; multicast or loopback
// from DHCP), -ENOMEM or -EEXIST (one with its first address is there).
int postern_client_add_server(
	struct postern_client *client, const struct postern_server *server, uint64_t now_ns);
// Nothing is sent to it any more; its mappings are lost (POSTERN_LOST).
void postern_client_remove_server(struct postern_client *client, int server, uint64_t now_ns);

// A route fact: the address that packets for this address of the server leave from, as a connected
// socket tells it; NULL: there is no way there now. Nothing is sent to an address before its source
// is known. When it changes, mappings are asked for anew from the new address, and ended from the
// old one where `still_ours` says that packets can still leave from it (failure F17).
void postern_client_source(struct postern_client *client, int server, unsigned address,
	const uint8_t source[16], bool still_ours, uint64_t now_ns);

// ---- mappings --------------------------------------------------------------------------------

struct postern_mapping {
	uint8_t protocol; // 6 TCP, 17 UDP, any IANA number
	uint16_t internal_port;
	bool wildcard; // port 0 is meant: every port of the protocol; with protocol 0 of the host
	struct postern_endpoint peer; // port not 0: PEER, for the traffic with this one remote host
	struct postern_endpoint external; // a wish; all zeros: the server's choice
	uint32_t lifetime_s;              // 0: delete the mapping
	bool prefer_failure;              // rather no mapping than another external port
	bool keep;           // renew it, ask again when it is lost, until it is deleted
	int server;          // id, or POSTERN_ALL_SERVERS
	unsigned importance; // after a loss the greater come first
	bool has_nonce;      // of an earlier run; otherwise one is drawn, or made of the secret
	uint8_t nonce[12];
	void *tag;          // the caller's; comes back in events
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
int postern_mapping_add_third_party_id(
	struct postern_mapping *want, const void *id, size_t length);                // RFC 7843
int postern_mapping_add_description(struct postern_mapping *want, const char *utf8); // RFC 7220
// `size` ports from the internal port on, 2 at least (RFC 7753). The grant may be smaller, or a
// single port, and may come in several answers: each is an event of its own.
int postern_mapping_add_port_set(struct postern_mapping *want, uint16_t size, bool parity);
int postern_mapping_add_prefix64(struct postern_mapping *want);   // RFC 7225: tell the prefixes
int postern_mapping_add_checkpoint(struct postern_mapping *want); // survive a failover
int postern_mapping_add_option(
	struct postern_mapping *want, uint8_t code, const void *data, size_t length);

// Starts asking. The id of the mapping, or -EINVAL (no protocol or port and no wildcard; a peer
// and PREFER_FAILURE or lifetime 0; PREFER_FAILURE without a port or with lifetime 0; a PORT_SET
// with PREFER_FAILURE; no such server), -ENOSPC, -ENOMEM. Allocates. The request repeats until it
// is answered: give up with postern_client_forget().
int postern_client_map(
	struct postern_client *client, const struct postern_mapping *want, uint64_t now_ns);

// Asks again now, or deletes: 0, or -EINVAL for an id that is not in use (or, to renew, one that is
// being deleted; or, to delete, one with a peer: PCP cannot end those early). What was refused is
// not asked for again before the time has passed that the server named. A deleted mapping's id is
// in use until it is forgotten.
int postern_client_renew(struct postern_client *client, int id, uint64_t now_ns);
int postern_client_delete(struct postern_client *client, int id, uint64_t now_ns);

// Gives the id and its memory back; what servers hold stays there until it expires.
void postern_client_forget(struct postern_client *client, int id);

// Asks for the server's Epoch alone (ANNOUNCE): is it there, did it restart?
void postern_client_announce(struct postern_client *client, int server, uint64_t now_ns);

// What the server holds for us: GET with NEXT, page by page (a draft that servers seldom allow).
// `protocol` 0: all. Entries arrive as POSTERN_ENTRY, the end as POSTERN_ENTRIES_END or
// POSTERN_REFUSED with id -1. 0, -EBUSY while one is under way, -EINVAL.
int postern_client_get(
	struct postern_client *client, int server, uint8_t protocol, uint64_t now_ns);

// ---- the loop --------------------------------------------------------------------------------

struct postern_datagram {
	struct postern_endpoint to;
	uint8_t source[16];
	int server;
	uint32_t interface; // of the server
	size_t length;
	uint8_t octets[POSTERN_DATAGRAM];
};

// The next datagram that is due; false when none is.
bool postern_client_send(
	struct postern_client *client, uint64_t now_ns, struct postern_datagram *out);

// When postern_client_send() is to be called next, at the latest; POSTERN_NEVER: not by itself.
uint64_t postern_client_deadline(const struct postern_client *client);

// A datagram came from `from` to `to`: to a request's source, or to the announcement port. False
// when it was not taken; postern_client_counters() says why.
bool postern_client_receive(struct postern_client *client, uint64_t now_ns,
	const struct postern_endpoint *from, const struct postern_endpoint *to,
	const uint8_t *octets, size_t length);

// A socket told of an ICMP error about this address. The server's next address is tried at once; a
// server with one address keeps its timer, since such errors pass and anybody can forge them.
void postern_client_unreachable(
	struct postern_client *client, const struct postern_endpoint *server, uint64_t now_ns);

// The machine slept or moved: the default route changed. Each server is asked for its Epoch, those
// heard just now a little later: by the new route there may be another one.
void postern_client_moved(struct postern_client *client, uint64_t now_ns);

// ---- what became of it -----------------------------------------------------------------------

enum postern_what {
	POSTERN_MAPPED,      // created or renewed: external, lifetime_s
	POSTERN_CHANGED,     // granted, but not at the external address and port of before
	POSTERN_LOST,        // expired, or its server went; a kept one is being asked for again
	POSTERN_REFUSED,     // result; not asked for again before lifetime_s have passed
	POSTERN_DELETED,     // it is gone, or never was
	POSTERN_REMAINS,     // deletion was accepted, but the server keeps it for lifetime_s
	POSTERN_ANNOUNCED,   // answer to postern_client_announce(): epoch_s
	POSTERN_RESTARTED,   // the server lost state: epoch_s; kept mappings are asked for again
	POSTERN_DIALECT,     // the server is spoken to in another dialect from now on: dialect
	POSTERN_INNER_NAT,   // ADDRESS_MISMATCH: a NAT between us and the server
	POSTERN_SERVER_GONE, // none of its addresses answers
	POSTERN_SERVER_BACK, // answers again
	POSTERN_PREFIXES,    // its NAT64 prefixes are other ones: postern_client_prefix64()
	POSTERN_ENTRY,       // one that the server holds (postern_client_get)
	POSTERN_ENTRIES_END,
};

struct postern_event {
	enum postern_what what;
	int id;          // of the mapping; -1: about the server
	int server;      // id
	void *tag;       // of the mapping
	uint16_t result; // as RFC 6887 s.7.4 counts, in every dialect; 0 is success
	uint8_t dialect; // enum postern_dialects
	uint8_t protocol;
	uint16_t internal_port;
	uint16_t n_ports;                 // of a port set; 1 for a single port
	struct postern_endpoint external; // assigned by the server
	struct postern_endpoint peer;
	uint8_t internal[16]; // POSTERN_ENTRY: whose it is
	uint8_t nonce[12];    // whoever knows it may renew and delete the mapping
	uint32_t lifetime_s;
	uint32_t epoch_s; // seconds since the server began to keep state
};

// The next thing to know; false when there is none. Of two about one mapping at one server the
// newer is told.
bool postern_client_event(struct postern_client *client, struct postern_event *out);

// ---- what is known: facts and what is planned ------------------------------------------------

enum postern_state {                 // of one mapping at one server
	POSTERN_STATE_NOT_SENT,      // its request waits for a route, for its turn or for the clock
	POSTERN_STATE_WAIT_RESPONSE, // asked; the request repeats
	POSTERN_STATE_MAPPED,        // granted; renewed when its time comes, if kept
	POSTERN_STATE_REFRESHING,    // granted, and a renewal is under way
	POSTERN_STATE_ERROR_WAIT,    // refused; asked again when the server's time has passed
	POSTERN_STATE_DELETING,      // a delete repeats until it is answered
	POSTERN_STATE_ENDED,         // nothing more happens by itself
};

struct postern_fact {
	int id, server;
	enum postern_state state;
	struct postern_mapping want; // external: what the next request suggests
	uint16_t result;             // of the last refusal
	uint16_t n_ports;
	uint64_t granted_ns, expires_ns; // POSTERN_NEVER: not granted
};

enum postern_deed { // what an action will do
	POSTERN_SEND_REQUEST,
	POSTERN_SEND_RENEWAL,
	POSTERN_SEND_DELETE,
	POSTERN_SEND_ANNOUNCE,
	POSTERN_SEND_GET,
	POSTERN_TRY_ADDRESS, // a silent server's first address again
	POSTERN_EXPIRE,
};

struct postern_action {
	uint64_t at_ns;
	enum postern_deed deed;
	int id, server; // id -1: about the server
	unsigned sent;  // transmissions of this request so far
};

// Walk both lists: *cursor is 0 at first; false at the end. Actions come in the order of their
// time. Nothing may be called in between that changes the client.
bool postern_client_fact(
	const struct postern_client *client, uintptr_t *cursor, struct postern_fact *out);
bool postern_client_action(
	const struct postern_client *client, uintptr_t *cursor, struct postern_action *out);

struct postern_server_fact {
	struct postern_server server;
	unsigned address; // the one in use
	bool has_source, answers, gone;
	uint8_t source[16];
	uint8_t dialect; // enum postern_dialects
	uint32_t epoch_s;
	uint64_t heard_ns; // 0: never
};
bool postern_client_server(
	const struct postern_client *client, int server, struct postern_server_fact *out);

// The i-th NAT64 prefix of the server (RFC 7225): 16 octets and its length in bits; an IPv4 list of
// its own, when it has one, decides by destination.
struct postern_prefix64 {
	uint8_t prefix[16];
	uint8_t bits;
	bool has_ip4; // for this part of IPv4 alone
	uint8_t ip4[4];
	uint8_t ip4_bits;
};
bool postern_client_prefix64(
	const struct postern_client *client, int server, unsigned i, struct postern_prefix64 *out);

struct postern_client_counters {
	uint64_t sent, received, taken;
	uint64_t not_from_server, // source address or port
		malformed,
		not_asked,   // answers nothing that we asked, or a stale address
		other_nonce, // and with it another protocol, port, peer or third party
		restarts, retransmissions, lifetimes_cut;
};
const struct postern_client_counters *postern_client_counters(const struct postern_client *client);

const char *postern_what_name(enum postern_what what);    // "mapped"
const char *postern_state_name(enum postern_state state); // "WAIT_RESPONSE"
const char *postern_deed_name(enum postern_deed deed);    // "renew"
const char *postern_result_name(unsigned result); // "NO_RESOURCES"; "unassigned" beyond s.7.4

// ---- memory of a later run -------------------------------------------------------------------

// All facts as text, one mapping a line; its length without the final zero. Nothing is cut: with
// less room than that, call again. `wall_s`: seconds since 1970, since clocks that never jump begin
// anew with the machine.
size_t postern_client_save(const struct postern_client *client, uint64_t now_ns, uint64_t wall_s,
	char *out, size_t size);
// Makes the mappings of such a text that still live known at `server`'s address and source again,
// as held ones, not kept until postern_client_map() asks for the same; a mapping that was asked for
// already, but not yet sent for, takes over nonce and grant. Servers and sources must be there.
// Lines that are not understood are skipped and counted in *skipped. Allocates. 0 or -ENOMEM.
int postern_client_load(struct postern_client *client, const char *text, size_t length,
	uint64_t now_ns, uint64_t wall_s, unsigned *skipped);

// ---- a ready-made loop (Linux) ---------------------------------------------------------------

// Sockets, routes by netlink, announcements on port 5350, and servers found by themselves, all in
// one epoll descriptor that may be polled by a greater loop.
struct postern_loop;

struct postern_loop_options {
	const struct postern_server *servers; // configured; none: they are looked for
	unsigned n_servers;
	bool no_dhcp, no_routers, anycast; // where to look, in this order
	bool ip4_first;                    // of two default routers' families; default: IPv6 first
	const char *const
		*lease_files;   // NULL-terminated; NULL: where Debian's DHCP clients leave them
	const uint8_t *source;  // requests leave from this address; NULL: the kernel's choice, but
				// postern_source_beyond() for a link-local server
	const char *state_file; // NULL: none. Read at the start; replaced as a whole, mode 0600
};

// Allocates. 0 or a negative errno value. The client stays the caller's.
int postern_loop_create(struct postern_client *client, const struct postern_loop_options *options,
	struct postern_loop **out);
void postern_loop_destroy(struct postern_loop *loop); // saves; closes what it opened
int postern_loop_fd(const struct postern_loop *loop); // readable: call postern_loop_run()
// Sends, receives and follows routes for `timeout_ms` (-1: until something is to be told), not
// longer than until the first event: 0 or a negative errno value. With an outer loop: timeout 0,
// when the descriptor is readable and after every call that asks for something, since only here
// datagrams leave and the descriptor's timer is set.
int postern_loop_run(struct postern_loop *loop, int timeout_ms);
uint64_t postern_loop_now(void); // the clock it uses: CLOCK_BOOTTIME

// For sockets of one's own; the loop does so by itself. A router known by its link-local address
// must not be asked from ours: a mapping to that is of no use beyond the link. This is the host's
// IPv6 address for what is reached through `interface` (an index; 0: any). Makes system calls,
// sends nothing; any thread. 0 or a negative errno value: there is none.
int postern_source_beyond(uint32_t interface, uint8_t source[16]);

#ifdef __cplusplus
}
#endif

#endif
