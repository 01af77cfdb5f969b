// SPDX-License-Identifier: Apache-2.0
// What one shard holds, and the calls its files make on each other.
#ifndef SHARD_WORLD_H
#define SHARD_WORLD_H

#include <postern/shard.h>

// ---- state -----------------------------------------------------------------------------------

// A rate limit with a burst: the moment at which the bucket would be full again (GCRA).
struct bucket {
	ns full_at;
};

// ---- a wish being granted --------------------------------------------------------------------

enum {
	WISH_LOST_KEPT = 16
};

struct granting {
	bool busy; // `wish` is being granted
	bool began;
	struct shard_wish wish;
	uint32_t rows;
	// Clearing: first those who lose what they asked for others are named.
	bool named;
	uint32_t lease_cursor;
	// Sessions of a subscriber: where it stands in the mapping that the wish's cursor is at.
	struct nat_key session_of;
	uint32_t session_cursor;
	uint16_t session_port; // of a set: behind its first
	struct lost {
		ip4 address;
		uint8_t realm;
	} lost[WISH_LOST_KEPT]; // named already, the last of them
	uint32_t n_lost;
};

// ---- taking over a configuration -------------------------------------------------------------

enum reconcile_phase {
	RECONCILE_START,
	RECONCILE_DROP_ADDRESSES,
	RECONCILE_PRUNE_STATICS,
	RECONCILE_ADD_ADDRESSES,
	RECONCILE_ADD_STATICS,
	RECONCILE_SUBSCRIBERS,
	RECONCILE_DONE,
};

enum {
	RECONCILE_RESTING = 64
};

struct reconcile {
	uint64_t generation; // the one being taken over
	uint8_t phase;       // enum reconcile_phase
	uint32_t cursor;
	bool prune_again;   // the walk over static mappings began under an older snapshot
	bool waiting;       // an address drains or a port rests: try once more each second
	uint32_t n_resting; // static mappings whose ports rest, as many as are remembered
	uint32_t resting[RECONCILE_RESTING];
	uint32_t rested_s; // when they were tried last
	bool is_retry;     // this is such a try
	uint32_t tried_s;
	struct leaving {         // a subscriber whose group is another now is being cleared
		bool busy, lost; // lost: leases of his
		uint8_t realm;
		ip4 host;
	} leaving;
	struct granting naming; // who else loses leases: as if a wish with the id 0 did it
};

// ---- what is said unasked --------------------------------------------------------------------

struct datagram { // from one of our addresses to a host of `realm`
	ip4 from, to;
	uint16_t sport, dport;
	uint8_t realm, ttl;
};

struct multicast { // one group's announcements, going on
	ns due;
	uint8_t sent;   // rounds that are over
	uint8_t source; // where this one goes on: address that speaks, on this interface
	uint16_t iface;
};

struct announce {
	uint64_t groups;           // bit set of those that are being announced by multicast
	uint64_t calling, to_call; // bit sets: whose clients are called now, and when that is over
	bool calling_losers, losers_to_call; // likewise: those who lost something and do not know
	uint32_t cursor;                     // of the call
	struct multicast multicast[CONF_MAX_GROUPS];
	uint64_t marks[CONF_MAX_GROUPS]; // what was announced, in one number
	ip4 external[CONF_MAX_GROUPS];   // of groups with one external address
};

enum {
	UNASKED_SENDS = 3,
	UNASKED_WAITING = 256
};

struct telling { // one client, to be told in three datagrams
	ns due;
	bool cleared;     // an ANNOUNCE to view.client; else `update`
	uint32_t since_s; // cleared: what he asked for later told him
	struct nat_update update;
};

struct telling_queue {
	uint32_t first, n;
	struct telling list[UNASKED_WAITING];
};

struct unasked {
	struct bucket rate;
	struct telling_queue queues[UNASKED_SENDS]; // by how often it was said
};

// ---- what the NAT log is told ----------------------------------------------------------------

struct events {
	struct ring *ring;
	uint64_t sequence;
	uint64_t nat_lost; // those that room nat lost and the sequence has counted
	bool telling;      // blocks, once more
	uint32_t cursor;
	ns told; // when that began last
};

struct shard {
	struct nat *nat;
	struct server_clients *clients;
	uint16_t id, n_shards;
	const struct shard_epochs *epochs;
	struct bucket icmp_errors;
	struct bucket new_subscribers[CONF_MAX_INTERFACES];
	struct shard_counters counters;
	struct events events;

	uint64_t seen; // generation of the snapshot whose policies are in force
	bool passes;   // some group of it lets packets pass untranslated
	struct nat_policy policies[CONF_MAX_GROUPS]; // as room nat has them
	uint64_t generation;                         // fully taken over; read by control
	struct reconcile reconcile;
	struct fragments *fragments;
	struct syns *syns;
	struct nat_address *held; // external addresses, ascending; room for limits.addresses
	uint32_t n_held;

	struct ring *wishes, *answers;
	struct granting granting;
	struct announce announce;
	struct unasked unasked;
};

// A stretch of destinations that one next hop serves. Packets of a burst mostly go the same way, so
// each burst keeps the last one found: two comparisons instead of two binary searches.
struct way {
	ip4 first, rest; // first .. first + rest
	ip4 gateway;     // 0: on-link
	uint16_t next_hop;
	uint16_t mtu; // of its link; 0: none was found yet
	uint8_t realm;
};

// Likewise a stretch of sources that belong to one group, or to none.
struct sources {
	ip4 first, rest;
	uint32_t group; // or PREFIX_NONE
	uint16_t realm; // NO_REALM: none was found yet
};
#define NO_REALM 256
#define NO_GROUP UINT16_MAX

// One burst on its way through the shard.
struct burst {
	struct shard *s;
	const struct conf *c;
	const struct shard_sink *sink;
	ns now;
	uint32_t now_s;
	struct pkt *packets;
	enum verdict *verdicts;

	struct way leaving, arriving;
	struct sources sources;
	uint32_t epoch_s;     // what its requests are told, of epoch_group
	uint16_t epoch_group; // NO_GROUP: not reckoned yet
	uint32_t cut;         // bit set of packets that leave in pieces
	unsigned n_outside;   // of its packets those from outside

	unsigned n_out, n_in, n_pcp;
	struct nat_out out[SHARD_BURST];
	struct nat_in in[SHARD_BURST];
	uint8_t out_at[SHARD_BURST], in_at[SHARD_BURST]; // index into packets
	uint8_t pcp_at[SHARD_BURST], pcp_group[SHARD_BURST];
};

static inline const struct conf_interface *iface_of(const struct conf *c, const struct pkt *p)
{
	return &c->interfaces[p->iface];
}

// From the Internet's side: arrived there, or hairpinned and so seen as if it had.
static inline bool is_from_outside(const struct conf *c, const struct pkt *p)
{
	return p->stage == PKT_HAIRPINNED || iface_of(c, p)->side == CONF_OUTSIDE;
}

static inline uint8_t realm_of(const struct conf *c, const struct pkt *p)
{
	return p->stage == PKT_HAIRPINNED ? 0 : iface_of(c, p)->realm;
}

static inline enum verdict drop(struct shard *s, struct pkt *p, enum drop why)
{
	p->drop = (uint8_t)why;
	s->counters.drops[why]++;
	return VERDICT_DROP;
}

static inline ns max_ns(ns a, ns b)
{
	return a > b ? a : b;
}

// Whether there is a unit, at `rate` per second with `burst` of them saved at most.
static inline bool bucket_has(const struct bucket *b, ns now, uint32_t rate, uint32_t burst)
{
	ns unit = NS_PER_S / max_u32(rate, 1);

	return b->full_at <= now + unit * max_u32(burst, 1) - unit;
}

static inline void bucket_charge(struct bucket *b, ns now, uint32_t rate)
{
	b->full_at = max_ns(b->full_at, now) + NS_PER_S / max_u32(rate, 1);
}

// ---- run.c -----------------------------------------------------------------------------------

// What shard_run() does with packets but count them; held ones come here when they go on. Returns
// how many are from outside.
unsigned run_packets(struct shard *s, const struct conf *c, ns now, struct pkt *packets,
	enum verdict *verdicts, unsigned n, const struct shard_sink *sink);
// Sets next hop and via for p->dst in a realm. False: no route.
bool route(const struct conf *c, uint8_t realm, struct pkt *p);
// The way around p->dst in a realm; `leaving`: to the Internet, where no inside host of the
// packet's own realm is. DROP_NONE, DROP_INSIDE_TO_INSIDE or DROP_NO_ROUTE.
enum drop way_find(struct burst *b, struct way *way, uint8_t realm, ip4 dst, bool leaving);

static inline bool way_covers(const struct way *way, uint8_t realm, ip4 dst)
{
	return dst - way->first <= way->rest && way->realm == realm && way->mtu != 0;
}

static inline void way_take(const struct way *way, struct pkt *p, ip4 dst)
{
	p->next_hop = way->next_hop;
	p->via = way->gateway != 0 ? way->gateway : dst;
}

// As conf_group_of().
uint32_t sources_find(struct burst *b, uint8_t realm, ip4 host);

static inline uint32_t group_of_host(struct burst *b, uint8_t realm, ip4 host)
{
	const struct sources *s = &b->sources;

	if (likely(host - s->first <= s->rest && s->realm == realm))
		return s->group;
	return sources_find(b, realm, host);
}

// Whether the packet fits the link of its next hop, and if not, whether it may be cut for it.
bool fits_link(const struct conf *c, const struct pkt *p);
bool may_be_cut(const struct pkt *p);
uint16_t link_mtu(const struct conf *c, const struct pkt *p);
// Sends on what was translated, or is to pass untranslated: PASS, or in pieces.
enum verdict send_on(struct burst *b, struct pkt *p);
// Lowers the MSS of a TCP SYN to what the host's group allows.
void clamp_mss(struct burst *b, struct pkt *p, uint8_t realm, ip4 host);
bool tcp_has_data(const struct pkt *p); // false for other protocols
// Flags that some segment of a TCP connection can have, RFC 9293.
bool tcp_flags_are_possible(uint8_t flags);

// False only of a TCP header with flags that no segment has.
static inline bool tcp_makes_sense(const struct pkt *p)
{
	return p->kind != PKT_TCP || p->later || tcp_flags_are_possible(p->tcp_flags);
}

// ---- pass.c ----------------------------------------------------------------------------------

// Packets that pass untranslated (RFC 6888 REQ-6), from inside once they are known to go outside,
// from outside when they are for none of our addresses. False: not such a packet.
bool pass_out(struct burst *b, struct pkt *p, enum verdict *verdict);
bool pass_in(struct burst *b, struct pkt *p, enum verdict *verdict);

// ---- outbound.c, inbound.c -------------------------------------------------------------------

enum verdict outbound_sort(struct burst *b, unsigned i); // PASS: waits in b->out
void outbound_finish(struct burst *b);
enum verdict inbound_sort(struct burst *b, unsigned i); // PASS: waits in b->in
void inbound_finish(struct burst *b);
// The second leg of a hairpin, or its hand-off to the shard that owns the external endpoint.
enum verdict hairpin(struct burst *b, struct pkt *p);

// ---- fragments.c, identify.c, pieces.c, held.c, syns.c ----------------------------------------

size_t fragments_size(const struct shard_setup *setup);
struct fragments *fragments_init(void *mem, const struct shard_setup *setup, struct rng *rng);
size_t syns_size(const struct shard_setup *setup);
struct syns *syns_init(void *mem, const struct shard_setup *setup, struct rng *rng);

// A PKT_FRAGMENT at the worker where all of its datagram meet. PASS: resolved, go on with it as
// with a whole packet. HOLD, DROP. HANDOFF: resolved, but its ports are another worker's.
enum verdict fragment_sort(struct burst *b, struct pkt *p);
// After translating the source: another IPv4 identification where RFC 6864 asks for one, the same
// for all fragments of a datagram.
void identify(struct burst *b, struct pkt *p);
// The identification itself, for one whose source is going to be `external`.
uint16_t identification(struct burst *b, const struct pkt *p, ip4 external);
// A translated packet that is larger than its link and has no DF leaves in pieces, through the
// sink; the packet itself is done with: VERDICT_DROP, not counted.
enum verdict send_in_pieces(struct burst *b, struct pkt *p);
// Held fragments whose first has come, and those that waited too long: a bounded number. Runs them
// and gives them to the sink.
bool fragments_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink);
// RFC 5382 REQ-4: holds an unsolicited SYN, or drops it.
enum verdict syn_hold(struct burst *b, struct pkt *p);
// An outbound SYN of these endpoints went out: the held one is forgotten.
void syn_forget(struct burst *b, uint8_t realm, struct recipe external, struct recipe remote);
bool syns_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink);

// ---- ip6.c -----------------------------------------------------------------------------------

enum verdict ip6_packet(struct burst *b, struct pkt *p);

// ---- events.c --------------------------------------------------------------------------------

void events_drain(struct shard *s, ns now); // from nat to the ring
// Whether something new may be made: the log's records of it must find room where the operator said
// so (log_fail_closed).
bool events_allow(const struct shard *s, const struct conf *c);
// Blocks are told once more, in portions.
bool events_step(struct shard *s, const struct conf *c, ns now);

// ---- errors.c --------------------------------------------------------------------------------

enum verdict error_from_inside(struct burst *b, struct pkt *p, bool to_pool);
enum verdict error_from_outside(struct burst *b, struct pkt *p);
// Drops the packet under `why`, and tells its sender by ICMP when that is allowed.
enum verdict refuse(
	struct burst *b, struct pkt *p, enum drop why, uint8_t type, uint8_t code, uint16_t mtu);

// ---- local.c, pcp.c --------------------------------------------------------------------------

// A source that no host there can have: one of our own addresses, or the network or broadcast
// address of a subnet of the interface it came by.
bool is_impossible_source(const struct conf *c, const struct pkt *p);
// Network or broadcast address of a subnet of this interface.
bool is_subnet_end(const struct conf_interface *iface, ip4 ip);

enum verdict local_packet(struct burst *b, struct pkt *p, const struct conf_local *local);
// The group whose PCP server a UDP packet to one of our addresses is for, or PREFIX_NONE.
// `home`: the group that its source belongs to.
uint32_t pcp_group(
	const struct conf *c, const struct pkt *p, const struct conf_local *local, uint32_t home);
enum verdict pcp_sort(struct burst *b, struct pkt *p, uint32_t group); // waits in b->pcp_at
void pcp_finish(struct burst *b);
// Whether this source may ask for others.
bool pcp_is_third_party(const struct server_policy *policy, ip4 source);
// The worker that owns the host which a PKT_THIRD_PARTY packet is about.
uint16_t pcp_target_owner(const struct conf *c, const struct pkt *p, uint16_t any);
// The limit on new subscribers of the interface: asked before, charged only when one was made, so
// that requests that come to nothing cost nobody a place.
bool newcomer_allowed(struct burst *b, const struct pkt *p);
void newcomer_charge(struct burst *b, const struct pkt *p);

// ---- epoch.c ---------------------------------------------------------------------------------

uint32_t group_epoch_s(const struct shard *s, uint32_t group, ns now);
uint32_t client_epoch_s(const struct shard *s, uint32_t group, uint8_t realm, ip4 client, ns now);
// The same of a client whose record is at hand (NULL: he has none), and the group's Epoch.
uint32_t known_epoch_s(const struct shard *s, uint32_t group_s, const struct server_client *record,
	uint8_t realm, ip4 client, ns now);

// ---- datagram.c ------------------------------------------------------------------------------

// A packet with its next hop, towards d->to; NULL: no route, or no buffer (counted).
struct pkt *datagram_open(struct shard *s, const struct conf *c, const struct datagram *d,
	const struct shard_sink *sink);
uint8_t *datagram_payload(struct pkt *p);
void datagram_send(
	struct pkt *p, const struct datagram *d, size_t payload_len, const struct shard_sink *sink);
// A datagram from a group's server to one of its clients; false: there is no server to speak.
bool datagram_to_client(const struct shard *s, const struct conf *c, uint32_t group, uint8_t realm,
	ip4 client, uint16_t port, struct datagram *d);
// Whether this group's server listens there for the hosts of a realm.
bool datagram_is_served(
	const struct conf *c, const struct conf_group *g, uint8_t realm, ip4 server);

// ---- announce.c, updates.c -------------------------------------------------------------------

void announce_group(struct shard *s, uint32_t group, ns now);
// A configuration was taken over: announces what changed for clients.
void announce_configuration(struct shard *s, const struct conf *c, ns now);
// One unicast ANNOUNCE; false: he cannot be told.
bool announce_to(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink,
	const struct server_client *client);
bool announce_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink);

// The operator's limit on unicast datagrams that nobody asked for.
bool unasked_allowed(const struct shard *s, const struct conf *c, ns now);
void unasked_charge(struct shard *s, const struct conf *c, ns now);
// An ANNOUNCE to a client whose state was cleared: three of them, or one where there are too many
// to be told.
void tell_cleared(struct shard *s, uint8_t realm, ip4 client, ns now);
bool updates_step(struct shard *s, const struct conf *c, ns now, const struct shard_sink *sink);

// ---- reconcile.c, wishes.c -------------------------------------------------------------------

// The first look at a new snapshot: its policies are in force at once, before anything uses what
// an older one pointed to.
void snapshot_see(struct shard *s, const struct conf *c);
bool reconcile_step(struct shard *s, const struct conf *c, ns now); // true: more to do
// Ports came out of their rest: static mappings take theirs before anybody else can.
void reconcile_rested(struct shard *s, const struct conf *c, uint32_t now_s);
bool wishes_step(struct shard *s, const struct conf *c, ns now);

#endif
