// SPDX-License-Identifier: Apache-2.0
// runner.h - plays a text of steps on one real shard: bytes in, bytes out, time as an argument.
//
// A file is a list of lines; blank lines and lines that start with # say nothing. Before the cases:
//
//   config ... end          the lines between are the YAML of every case that follows
//   server ADDRESS[:PORT]   where `send` sends to; 100.64.0.1:5351 unless said
//
// Then cases, each in a world of its own: a fresh shard, the configuration taken over, the Epoch of
// every group at 100.
//
//   case NAME TEXT          a case begins; `case NAME later TEXT`: what it needs is not built yet,
//                           so it runs, must not crash, and counts as skipped whatever comes out
//   option NAME             one more PCP option is switched on (`options: [...]` of the YAML);
//                           stands before the steps
//   time +N                 N seconds pass, one by one
//   at-epoch N              the Epoch of every group reads N from now on; no time passes
//   start                   the server starts: Epoch 0, announcements are due
//   taken PROTO EXT:PORT by INT:PORT lifetime N
//                           INT asks the server for exactly EXT and must get it for N seconds
//   assign PORT             stands for the next external port the server or the NAT chooses: it is
//                           bound by the next packet of the shard that shows it where the text has
//                           PORT, and every later step of the case reads PORT as that port
//   send ADDRESS:PORT HEX   a UDP datagram from there to the server arrives on the inside
//   expect HEX              the next packet of the shard is a datagram from the server to the last
//                           sender, with these octets
//   expect-multicast ADDRESS:PORT HEX
//                           the same, sent unasked to a group
//   in SIDE HEX             a whole IPv4 packet arrives; SIDE is `inside` or `outside`
//   out SIDE HEX            the next packet of the shard leaves on SIDE and is this one
//   expect-drop [REASON]    the last send or in was dropped (for this reason), and nothing came
//                           out; `none`: it left in pieces, or waits in the shard
//   time-ms +N              N milliseconds pass
//   expect-counter NAME N   drops.REASON, results.RESULT, shard.X, server.X, nat.X
//
// The NAT chooses the identification of a packet that may be cut (RFC 6864) and that shows an
// external address as its source: of a whole packet it may be any, pieces that have the same one in
// the file must have the same one, and others another.
//
// Hex may hold blanks. The checksums of every packet of the shard are verified by arithmetic of the
// runner's own before anything is compared; those of a packet of the file in which an assigned port
// was replaced are made anew. A packet nobody expected fails the case.
#ifndef REPLAY_RUNNER_H
#define REPLAY_RUNNER_H

#include <postern/shard.h>
#include <stdio.h>

enum {
	PACKET_ROOM = 2048,
	MAX_OUT = 64,
	MAX_IN = 256, // packets that the shard may hold at once
	MAX_IDS = 32,
	MAX_PORTS = 8, // names of one case for ports the other side chooses
	WHY_SIZE = 4096
};

// ---- packets ---------------------------------------------------------------------------------

struct packet {
	uint8_t bytes[PACKET_ROOM];
	size_t len;
	uint8_t side; // enum conf_side: where it left, or shall arrive
};

struct endpoint {
	ip4 addr;
	uint16_t port;
};

void packet_make_udp(struct packet *p, struct endpoint from, struct endpoint to,
	const uint8_t *payload, size_t len);
// NULL, or what is wrong with its lengths or checksums.
const char *packet_fault(const struct packet *p);
// The payload of a sound UDP packet between these two; NULL: it is none.
const uint8_t *packet_udp_payload(
	const struct packet *p, struct endpoint from, struct endpoint to, size_t *len);
// The external port (or echo identifier) a sound packet shows: the port beside an address of the
// pools, of the packet or of the one an ICMP error holds. 0: none.
uint16_t packet_external_port(const struct packet *p, const struct conf *c);
// Whether the NAT chose the packet's identification, and whether it is a piece of a datagram.
bool packet_is_identified(const struct packet *p, const struct conf *c);
bool packet_is_piece(const struct packet *p);
uint16_t packet_id(const struct packet *p);
void packet_set_id(struct packet *p, uint16_t id);
// Writes `to` wherever an external port is `from`, and mends the checksums.
void packet_rename_port(struct packet *p, const struct conf *c, uint16_t from, uint16_t to);

// ---- the world of one case ---------------------------------------------------------------------

struct world {
	struct conf *conf;
	void *mem;
	struct shard *shard;
	struct shard_epochs *epochs;
	ns now;
	struct packet out[MAX_OUT]; // what the shard let out and nobody looked at yet
	unsigned n_out;
	enum drop dropped; // the last packet in; DROP_NONE: it was not
	struct pkt spare[MAX_OUT];
	uint8_t spare_bytes[MAX_OUT][PACKET_ROOM];
	unsigned n_spare;
	uint8_t in[MAX_IN][PACKET_ROOM]; // the last packets in, round and round
	unsigned n_in;
};

// NULL with why[] when the configuration is refused or the shard does not take it over.
struct world *world_open(const char *file, const char *yaml, size_t len, char why[WHY_SIZE]);
void world_close(struct world *w); // NULL is fine
void world_set_epoch(struct world *w, uint32_t epoch_s);
void world_pass(struct world *w, uint32_t seconds);
void world_pass_ms(struct world *w, uint32_t ms);
void world_put(struct world *w, const struct packet *p); // arrives on the first port of its side
bool world_take(struct world *w, struct packet *p);      // false: nothing (more) came out
bool world_announce(struct world *w);
bool world_counter(const struct world *w, const char *name, uint64_t *value);

// ---- steps
// ---------------------------------------------------------------------------------------

struct port_name {
	uint16_t written, actual; // actual 0: not bound yet
};

struct id_name {
	uint16_t written, actual;
};

struct trial { // one case while it runs
	const char *file;
	char *yaml; // its own copy: `option` changes it
	struct endpoint server, sender;
	struct world *world; // opened by the first step that needs it
	struct port_name ports[MAX_PORTS];
	unsigned n_ports;
	struct id_name ids[MAX_IDS]; // of datagrams in pieces
	unsigned n_ids;
	char why[WHY_SIZE]; // empty while all is well
};

bool trial_step(struct trial *t, const char *line); // false: why[] says why
bool trial_end(struct trial *t);                    // nothing may be left over
bool endpoint_parse(const char *text, struct endpoint *out, uint16_t default_port);

#endif
