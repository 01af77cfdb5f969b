// SPDX-License-Identifier: Apache-2.0
// shard.h - one worker's whole world: steer, look up, translate, serve PCP, expire. No DPDK.
//
// Owner    one worker makes every call on its shard; no locks anywhere.
// Readers  control reads counters at any time (relaxed; may lag). Wishes come down and answers go
//          up through two one-writer rings.
// Memory   given once to shard_init(); nothing is allocated afterwards. Packet buffers are the
//          caller's; extra packets come from and go to the sink.
// Time     `now` in nanoseconds of a monotonic clock; randomness from the seed. Same input, same
//          output: everything can be replayed.
// Book     docs/design/shard.md
#ifndef POSTERN_SHARD_H
#define POSTERN_SHARD_H

#include <postern/conf.h>
#include <postern/xlat.h>

enum {
	SHARD_BURST = NAT_BURST
};

// Epoch origins, one per NAT group: written by control alone, read by every shard (design D5).
struct shard_epochs {
	_Alignas(CACHE_LINE) uint64_t base_ns[NAT_MAX_GROUPS]; // moment at which the Epoch was 0
};

#define SHARD_COUNTERS(X)                                                                          \
	X(inside_packets, "Packets from inside given to this shard.")                              \
	X(outside_packets, "Packets from outside given to this shard.")                            \
	X(translated_out, "Packets translated from inside to outside.")                            \
	X(translated_in, "Packets translated from outside to inside.")                             \
	X(hairpinned, "Packets from one subscriber to another's external endpoint.")               \
	X(icmp_errors_translated, "ICMP errors translated, both ways.")                            \
	X(icmp_errors_sent, "ICMP errors of our own.")                                             \
	X(echo_replies, "Answers to ping on our own addresses.")                                   \
	X(passed_through, "Packets forwarded untranslated: nat-pass-through, or routed IPv6.")     \
	X(fragments_received, "Fragments received.")                                               \
	X(fragments_held, "Fragments held until their first comes.")                               \
	X(fragments_released, "Held fragments that went on.")                                      \
	X(fragments_sent, "Fragments made of packets too big for their link.")                     \
	X(syns_held, "Unsolicited SYNs held (RFC 5382 REQ-4).")                                    \
	X(mss_clamped, "TCP SYNs whose MSS option was lowered.")                                   \
	X(events, "NAT events given to the log.")                                                  \
	X(events_lost, "NAT events lost: the ring to control was full.")                           \
	X(pcp_replies, "PCP datagrams answered.")                                                  \
	X(announces_sent, "Unsolicited PCP ANNOUNCE datagrams sent.")                              \
	X(updates_sent, "Mapping Updates sent: mappings that moved, or were lost by moving.")      \
	X(third_party_handed, "Requests for another host handed to the worker that owns it.")      \
	X(reconciled, "Configuration generations this shard has taken over.")                      \
	X(statics_failed, "Static mappings that could not be installed.")

struct shard_counters {
#define X(name, sentence) uint64_t name;
	SHARD_COUNTERS(X)
#undef X
	uint64_t drops[DROP_COUNT];
	struct server_counters server[NAT_MAX_GROUPS];
};

// Where extra packets come from and go to. alloc() gives a packet with buf, l3 and room (at least
// the largest mtu of the snapshot) set, or NULL; send() takes it back with next_hop and via set (a
// PKT_IP6 packet: via6). give() ends VERDICT_HOLD: *p, the shard's copy, goes the way that
// `verdict` says, as after shard_run().
struct shard_sink {
	void *ctx;
	struct pkt *(*alloc)(void *ctx);
	void (*send)(void *ctx, struct pkt *p);
	void (*give)(void *ctx, struct pkt *p, enum verdict verdict);
};

struct shard_setup {
	uint16_t id, n_shards;
	struct nat_limits limits;          // of this shard
	uint32_t clients;                  // PCP clients remembered; 0: as many as subscribers
	uint32_t fragments;                // held at once; 0: none
	uint32_t datagrams;                // fragmented datagrams followed at once; 0: 4096
	uint32_t syns;                     // unsolicited SYNs held at once; 0: none
	struct rng seed;                   // each shard another one
	const struct shard_epochs *epochs; // borrowed for life
};

struct shard;

size_t shard_size(const struct shard_setup *setup);
struct shard *shard_init(void *mem, const struct shard_setup *setup, ns now);

// ---- packets ---------------------------------------------------------------------------------

// The worker that must see this packet (design D2): a pure function of configuration and packet.
// `any` is returned for packets that every worker may answer. A PKT_THIRD_PARTY packet goes to the
// owner of the host it names.
uint16_t shard_owner(const struct conf *c, const struct pkt *p, uint16_t any);

// Runs up to SHARD_BURST packets that this shard owns. verdicts[i] tells what to do with
// packets[i]: PASS and REPLY: send to next_hop/via; DROP: counted already, free it; HANDOFF: to
// `owner`, with iface and stage, of a PKT_THIRD_PARTY packet epoch_s, and of a resolved fragment
// `resolved`, kind, sport and dport. HOLD: the shard has copied *packets[i] and keeps its buffer
// until it calls sink->give().
void shard_run(struct shard *s, const struct conf *c, ns now, struct pkt *packets,
	enum verdict *verdicts, unsigned n, const struct shard_sink *sink);

// Turns the packet in *p, that could not be sent as it is too big for the next hop, into ICMP 3/4.
// (VERDICT_REPLY, or VERDICT_DROP when none may be sent.)
enum verdict shard_too_big(
	struct shard *s, const struct conf *c, ns now, struct pkt *p, uint16_t mtu);

// One bounded portion of background work: expiry, reconciling with `c`, walks, wishes,
// announcements. Call once a loop. True when there is more to do right now.
bool shard_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink);

// The configuration generation this shard has fully taken over; readable by control.
uint64_t shard_generation(const struct shard *s);
const struct shard_counters *shard_counters(const struct shard *s);
const struct nat_counters *shard_nat_counters(const struct shard *s);
const struct nat_group_counters *shard_group_counters(const struct shard *s, uint8_t group);

// ---- wishes down, answers up -----------------------------------------------------------------

enum shard_wish_kind {
	SHARD_SHOW_MAPPINGS,    // a page from `cursor`, at most `max` rows; sets are one row
	SHARD_SHOW_SUBSCRIBERS, // likewise
	SHARD_SHOW_LEASES,      // the PEER leases of key.realm, key.host, each with its text
	SHARD_SHOW_CLIENTS,     // PCP clients, likewise a page
	SHARD_DELETE_MAPPING,   // `key`; of the configuration: -EPERM
	SHARD_ADD_MAPPING,      // `key`, `external`, lifetime_s, text; 0 seconds: a static mapping,
				// which has no text and names its whole external endpoint
	SHARD_SHOW_SESSIONS,    // of the mapping `key`, or with key.protocol 0 of the subscriber
	SHARD_TRACE,            // key.protocol, `external`: one SHARD_ROW_TENANCY, or -ENOENT
	SHARD_CLEAR_SUBSCRIBER, // key.realm, key.host: he alone is told (Epoch, unicast ANNOUNCE)
	SHARD_CLEAR_GROUP,      // all dynamic mappings of `group`; the caller resets its Epoch
	SHARD_RESET_CLIENT,     // key.realm, key.host, `group`: his Epoch alone, as a PCP client;
				// his own worker calls him, the others need it for their Updates
	SHARD_ANNOUNCE, // `group`: multicast as after a restart (by worker 0), unicast to the
			// clients that are known (by each worker its own)
};

struct shard_wish {      // one at a time: the next is taken up when the last was answered
	uint32_t kind;   // enum shard_wish_kind
	uint32_t id;     // comes back with every answer
	uint32_t cursor; // 0 at first
	uint32_t max;
	// Filters of the walks; zero means any. Ports: `has_port`.
	struct nat_key key;
	struct recipe external;
	uint8_t group; // 255: any
	uint8_t kinds; // bit set of enum nat_kind; 0: any
	bool has_port, has_external_port, has_realm;
	bool detail; // mappings: rows of filters and text follow each row that has some
	uint32_t lifetime_s;
	uint8_t text_length;
	uint8_t text[NAT_DESCRIPTION];
};

enum shard_answer_kind {
	SHARD_ROW_MAPPING,
	SHARD_ROW_FILTER, // of the last SHARD_ROW_MAPPING
	SHARD_ROW_TEXT,   // likewise
	SHARD_ROW_SUBSCRIBER,
	SHARD_ROW_CLIENT,
	SHARD_ROW_SESSION,
	SHARD_ROW_TENANCY,
	SHARD_LOST_CLIENT, // `client`, who may ask for others, lost state by this wish, or with id
			   // 0 by a new configuration: send SHARD_RESET_CLIENT to every worker
	SHARD_DONE
};

struct shard_text {
	uint8_t length;
	uint8_t octets[NAT_DESCRIPTION];
};

struct shard_answer {
	uint32_t kind; // enum shard_answer_kind
	uint32_t id;
	uint32_t cursor; // DONE: where the next page begins; 0: there is none
	// DONE: 0, -ENOENT, -EPERM (of the configuration), -EXDEV (the external address is another
	// worker's), -EEXIST, -ENOSPC, -EAGAIN (in hold-down), -EDQUOT (the subscriber's limit),
	// -EINVAL (a wish that makes no sense)
	int32_t error;
	union {
		struct nat_view mapping; // SHARD_ADD_MAPPING: DONE carries what was made
		struct nat_filter filter;
		struct shard_text text;
		struct nat_subscriber_view subscriber;
		struct server_client client;
		struct nat_session_view session;
		struct nat_tenancy tenancy;
	};
};

// Control's side. False: the ring is full, ask again later / nothing there yet.
bool shard_wish(struct shard *s, const struct shard_wish *wish);
bool shard_answer(struct shard *s, struct shard_answer *answer);

// ---- NAT events up ---------------------------------------------------------------------------

enum {
	SHARD_EVENTS = 16384 // places in the ring, 64 octets each
};

struct shard_event {
	ns at;             // the shard's `now`
	uint64_t sequence; // counts this shard's events from 1, lost ones too: a gap is a loss
	struct nat_event nat;
};

bool shard_event(struct shard *s, struct shard_event *event); // control's side; false: none

#endif
