// SPDX-License-Identifier: Apache-2.0
// simulation.h - what the simulation believes about the NAT: which external endpoint each internal
// one has, and until when it must keep it. A few rules of the RFCs and no tables of ours.
#ifndef TEST_SHARD_SIMULATION_H
#define TEST_SHARD_SIMULATION_H

#include "ask.h"
#include "world.h"

enum {
	FLOWS_EACH = 7,    // internal endpoints of a subscriber
	SUBSCRIBERS = 270, // see blocks[] in simulation_model.c
	FLOWS = SUBSCRIBERS * FLOWS_EACH,
	TALKS = 24, // remote endpoints of one flow that are remembered
	NOBODY = -1
};

enum {
	INSIDE_1,
	UPLINK,
	INSIDE_2
}; // interfaces, in the order of the file

enum { // each another, so that one taken for another shows
	SIM_TCP_OPEN_S = 240,
	SIM_TCP_RST_S = 270,
	SIM_TCP_CLOSE_S = 300,
	SIM_TCP_IDLE_S = 700
};

#define POOL 0xcb007100u // 203.0.113.0; all external addresses are among its first sixteen

struct subscriber {
	uint8_t realm, block;
	ip4 host;
	bool disturbed; // he may have an Epoch of his own
	bool wandered;  // he may have more than one address
};

struct talk { // what went between a flow and one remote endpoint
	struct recipe remote;
	uint8_t state;        // TCP: enum nat_state
	bool doubt;           // TCP: it may be another, or none
	uint32_t refreshed_s; // TCP: when a packet last counted for `state`
	uint32_t perhaps_s;   // TCP: likewise, one that need not count
	uint32_t sent_s;      // the inside last sent there; 0: never
	uint32_t syn_s;       // TCP: it last sent a SYN there; 0: never
	uint32_t end_s;       // nothing of it is left behind this
};

struct flow {
	uint8_t protocol; // enum nat_protocol
	uint16_t port;    // or identifier
	bool known;       // `ext` is what he was last seen with
	bool sent;        // with it, at last_s
	bool replied;     // something reached him since
	bool shaky;       // the snapshot that is being taken over may end it
	bool stirring;    // a packet of his is in this very burst
	bool fixed;       // it is a static mapping of the snapshot, and was seen to work
	struct recipe ext;
	uint32_t last_s;
	uint32_t lease_s; // the last second of his lease; 0: none
	uint32_t lent_s;  // likewise of any lease that he may still have
	uint32_t end_s;   // it cannot live beyond this
	bool filtered;    // his group lets not everybody in
	bool busy;        // TCP, or filtered: one packet of a burst may be about it
	bool blurred;     // it has talked to more than are remembered
	uint8_t n_talks;
	struct talk talks[TALKS];
};

enum {
	STATICS = 7 // those a snapshot may have, see simulation_plan.c
};

struct claim { // a static mapping that is to be installed, but was not seen to work
	bool open;
	int flow;
	struct recipe external;
	uint32_t since_s;
};

struct model {
	struct subscriber subscribers[SUBSCRIBERS];
	struct flow flows[FLOWS];
	struct claim claims[STATICS];
	int16_t *at; // by external endpoint: the flow last seen there, + 1
	uint32_t now_s;
	bool reloading; // the shards have not taken the snapshot over
};

void model_open(struct model *m);
void model_close(struct model *m);
int model_find(const struct model *m, const struct nat_key *key); // NOBODY

static inline struct subscriber *model_subscriber(struct model *m, int flow)
{
	return &m->subscribers[flow / FLOWS_EACH];
}

static inline struct nat_key model_key(const struct model *m, int flow)
{
	const struct subscriber *s = &m->subscribers[flow / FLOWS_EACH];
	const struct flow *f = &m->flows[flow];

	return (struct nat_key){s->host, f->port, s->realm, f->protocol};
}

bool model_holds(const struct model *m, int flow); // it must still have `ext`
bool model_holds_at(const struct model *m, int flow, struct recipe ext);
bool model_ended(const struct model *m, int flow); // it cannot have it any more
int model_at(const struct model *m, uint8_t protocol, struct recipe ext); // NOBODY
// Also who was forgotten, but may be there still.
int model_last_at(const struct model *m, uint8_t protocol, struct recipe ext);

// What was seen. Each ends the program when it cannot be.
void model_left(struct model *m, int flow, struct recipe ext);    // a packet of his, outside
void model_reached(struct model *m, int flow, struct recipe ext); // one from outside, at his door
void model_end(struct model *m, int flow);                        // all of it was removed
void model_leased(struct model *m, int flow, struct recipe ext, uint32_t lifetime_s);

// A static mapping was seen where the configuration puts it: true when this is one.
bool model_claimed(struct model *m, int flow, struct recipe ext);

// ---- who may send in, and what TCP has said (simulation_talk.c) -------------------------------

// A packet passed between the flow and a remote endpoint; `flags` of TCP.
void talk_out(struct model *m, int flow, struct recipe remote, uint8_t flags);
void talk_in(struct model *m, int flow, struct recipe remote, uint8_t flags);
bool talk_has_place(const struct model *m, int flow, struct recipe remote);
bool talk_keeps(const struct model *m, const struct flow *f); // TCP: it keeps the mapping
void talk_doubt(struct flow *f);          // whether they stand is not known any more
void talk_forget(struct flow *f);         // they do not
bool talk_on_edge(const struct model *m); // some ends this very second, or does not
enum belief {
	NEVER,
	PERHAPS,
	SURELY
};
// Whether a packet from there comes in, where the mapping stands.
enum belief talk_admits(
	const struct model *m, int flow, enum nat_filtering filtering, struct recipe remote);

// What was done: this mapping, or all of a subscriber's, is no more.
void model_forget(struct model *m, int flow);

// ---- snapshots -------------------------------------------------------------------------------

struct plan { // a configuration to come
	unsigned n_workers;
	uint8_t homes;   // bit i: 203.0.113.(i + 1) is in the pool of homes; 0 and 1 always are
	bool lent;       // 203.0.113.9 is the offices', else the homes'
	uint8_t roaming; // 100.64.2.0/24 is 0: the homes', 1: the offices', 2: nobody's
	uint8_t statics; // bit set of plan_statics
};

struct plan_static {
	int flow;
	struct recipe external;
};

struct plan plan_draw(struct rng *rng, const struct plan *now);
const char *plan_text(const struct plan *p, const struct model *m); // valid until the next call
struct plan_static plan_static(unsigned i);
// What taking `new` over after `old` may end becomes shaky, and is forgotten when it is done.
void plan_reload(struct model *m, const struct plan *old, const struct plan *new);
void plan_settled(struct model *m);
uint8_t plan_group_of(const struct plan *p, const struct model *m, int flow); // 255: none
uint8_t plan_group_at(const struct plan *p, ip4 external);
enum nat_filtering plan_filtering(uint8_t group, uint8_t protocol);
void plan_apply(const struct plan *p, struct model *m); // tells the flows whether they are filtered

// ---- a run -----------------------------------------------------------------------------------

enum {
	LETTERS = 4096, // packets under way outside the NAT
	LETTER_ROOM = 200,
	NOTES = 200,          // packets of one burst of feeding
	PIECES = 4,           // of one datagram, at most
	NOTES_KEPT = 1 << 16, // of those that a shard may still hold
	DATAGRAMS = 1 << 13,  // fragmented ones, likewise
	PATIENCE_S = 5,       // the Internet delivers nothing later than this
	CLAIM_MOST_S = 700
};

#define GATEWAY 0x64400001u // 100.64.0.1, in both realms
#define EDGE 0xc0000202u
#define HOMES_SERVER 0xc6120001u
#define OFFICES_SERVER 0xc6120002u
#define PEERS 0xc6336400u // 198.51.100.0/24
#define HOP 0xc000024du   // 192.0.2.77, a router that complains

enum kind {
	FROM_HOST,   // `from` to a peer
	TO_HOST,     // a peer's answer to `to` at `ext`
	SCAN,        // from anybody to `ext`
	HAIRPIN,     // `from` to `to` at `ext`
	ERROR_IN,    // about a packet of `to` that left with `ext`
	ERROR_OUT,   // of `from`, about a packet that came to `ext`
	ERROR_ROUND, // of `from`, about a hairpinned packet of `to` to `ext`
	PING,        // `from` to an address of ours
	REQUEST,     // PCP, of `from`
	LAST_HOP     // `from` to a peer, with a TTL of one
};

struct note { // what a packet in the switch is about
	uint8_t kind;
	int from, to; // flows
	struct recipe ext;
	ip4 peer;
	uint16_t peer_port;
	uint64_t number;  // stands in its payload too
	uint8_t ttl;      // as it was sent
	uint8_t protocol; // of a SCAN
	uint8_t flags;    // TCP
	uint8_t piece;    // of a fragmented datagram: from 1 on; 0: whole
	uint32_t datagram;
	struct pcp_message request;
	bool foreign; // with another's nonce
};

struct letter {
	ns at;
	uint16_t iface, len;
	struct note note;
	uint8_t bytes[LETTER_ROOM];
};

struct datagram { // in pieces
	ns fed_at;
	bool has_first, doubled, first_passed, has_id;
	uint16_t id; // as it left
};

struct simulation {
	struct world w;
	struct model m;
	struct plan plan;
	struct rng rng;
	struct letter *letters;
	unsigned n_letters;
	struct note *notes;           // NOTES_KEPT, round and round
	uint64_t n_notes, first_note; // all of them; the first of this burst
	struct datagram *datagrams;   // DATAGRAMS, likewise
	uint32_t n_datagrams;
	int busy[NOTES * 2]; // flows that this burst's packets are about
	unsigned n_busy;
	uint64_t number;
	uint32_t epoch_s[3];
	// What happened, so that a run that tried nothing does not look like one that passed.
	uint64_t left, reached, hairpinned, errors, refused, leases, deleted, reloads, lost, clears;
	uint64_t pieces, late_pieces, kept_out, opened;
};

static inline uint32_t draw(struct simulation *s, uint32_t n)
{
	return rng_below(&s->rng, n);
}

static inline bool chance(struct simulation *s, uint32_t percent)
{
	return draw(s, 100) < percent;
}

static inline uint8_t ip_protocol(uint8_t protocol)
{
	return protocol == NAT_UDP ? IP_UDP : protocol == NAT_TCP ? IP_TCP : IP_ICMP;
}

static inline uint16_t iface_of_flow(const struct simulation *s, int flow)
{
	return s->m.subscribers[flow / FLOWS_EACH].realm == 1 ? INSIDE_1 : INSIDE_2;
}

// simulation_traffic.c: packets into the switch, and those under way outside the NAT.
void sim_traffic(struct simulation *s);      // a burst of anything
void sim_ask(struct simulation *s);          // one of PCP
void sim_probe_claims(struct simulation *s); // static mappings that wait for their ports
void sim_post(struct simulation *s, uint16_t iface, struct make m, struct note note);
// An ICMP error about the packet in *p, by `router` to its source.
void sim_post_error(
	struct simulation *s, uint16_t iface, ip4 router, const struct pkt *p, struct note note);
struct make sim_packet_to(
	struct simulation *s, uint8_t protocol, struct recipe ext, ip4 from, uint16_t port);
// Whether what the packet is about must still be as it was when the packet was written.
bool sim_stands(const struct simulation *s, const struct note *n);
// A mapping that somebody ended is not to be judged by what was under way to it.
void sim_lose_letters(struct simulation *s);

// Whether a packet from there is let in to the flow, as far as filtering goes.
enum belief sim_admits(const struct simulation *s, int flow, struct recipe remote);
// simulation_pieces.c: a packet in pieces, which may come late, twice or not at all.
void sim_feed_pieces(struct simulation *s, uint16_t iface, const uint8_t *packet, size_t len,
	const struct note *note);
void sim_judge_piece(struct simulation *s, const struct frame *f, const struct note *n);
void sim_feed(struct simulation *s, uint16_t iface, const uint8_t *bytes, size_t len,
	const struct note *note);

// simulation_judge.c: what became of a packet, and whether that could be.
void sim_deliver(void *simulation, struct frame *f);

#endif
