// SPDX-License-Identifier: Apache-2.0
// judge.h - one request on its way through the judgement, and what the judges share.
#ifndef SERVER_JUDGE_H
#define SERVER_JUDGE_H

#include <postern/server.h>

enum {
	FIRST_OPTIONAL_CODE = 128
};

// What only a request with options needs. It is too large to be cleared for each, so only what is
// counted in it is valid.
struct room {
	size_t len; // octets of the request
	size_t n_options, built_len;
	struct pcp_option options[PCP_MAX_OPTIONS]; // they point into `request`
	struct nat_filter filters[SERVER_MAX_FILTERS];
	uint8_t request[PCP_MAX]; // as it came: the reply is written over the other copy
	uint8_t built[PCP_MAX];   // GET: the NEXT options of the reply, built_len octets
};

struct question {
	struct nat *nat;
	const struct nat_policy *nat_policy;
	const struct server_policy *policy;
	const struct server_asker *asker;
	struct server_counters *counters;
	const struct server_more *more;
	uint32_t now_s;

	struct pcp_message m; // the request; a judge that grants it writes the assigned fields
	bool parsed;          // its option list was walked to the end (octets 12..23 of an error)
	uint32_t lifetime_s;  // of the answer, whatever it is
	ip4 host;             // whose mapping it is about: the asker's, or a third party's
	uint8_t realm;

	// What the options ask for.
	struct room *room; // NULL: there are none
	const struct pcp_option *blamed;
	uint32_t counted; // bit set of enum pcp_option_index: known here, and at its place
	uint32_t seen;    // of those: what can be acted upon
	uint32_t echo;    // those that go into a success reply
	bool third_party;
	bool insists; // on the suggested pair: PREFER_FAILURE
	bool clear_filters;
	uint16_t n_filters; // room->filters
	uint16_t n_ports;   // of a set to be made; 1: no set
	bool parity;
	uint8_t text_length;
	const uint8_t *text;
	const struct pcp_option *id;
	ip6 target; // THIRD_PARTY, as it came

	struct pcp_port_set told; // what a PORT_SET in the reply says; size 0 or 1: none
};

static inline uint32_t option_bit(unsigned index)
{
	return 1u << index;
}

static inline bool is_seen(const struct question *q, unsigned index)
{
	return (q->seen & option_bit(index)) != 0;
}

// The answer is `why`, with the lifetime RFC 6887 s.7.4 recommends or with one known better.
static inline enum pcp_result refuse(struct question *q, enum pcp_result why)
{
	q->lifetime_s = pcp_result_lifetime_s(why);
	return why;
}

static inline enum pcp_result refuse_for(
	struct question *q, enum pcp_result why, uint32_t lifetime_s)
{
	q->lifetime_s = lifetime_s;
	return why;
}

// answer.c: whether the operator has the opcode switched on.
bool opcode_is_on(const struct server_policy *policy, const struct pcp_message *m);

// options.c, s.7.3: walks the list, then judges option by option in packet order. Changes no
// mapping.
enum pcp_result judge_options(struct question *q);

// third_party.c: one option; both together; and whether this shard may act for that host.
enum pcp_result judge_third_party(struct question *q, const struct pcp_option *o);
enum pcp_result judge_id(struct question *q, const struct pcp_option *o);
enum pcp_result judge_target(struct question *q);
enum pcp_result accept_target(struct question *q);
bool source_is_in(const struct server_sources *sources, ip4 source);

// text.c: what of a DESCRIPTION is kept. False: nothing, it is no UTF-8.
bool read_text(struct question *q, const struct pcp_option *o);

// reply.c: writes the answer over the request in msg (len octets of it); its length, 0: none.
size_t write_answer(const struct question *q, enum pcp_result result, uint8_t *msg, size_t len);
size_t reply_cap(const struct pcp_message *m);
size_t reply_size(const struct question *q); // with the options that are echoed
bool reply_is_too_long(const struct question *q);
size_t append_prefixes(uint8_t *msg, size_t at, size_t cap, const struct server_policy *policy);

// lease.c: what MAP and PEER share.
struct hint {
	struct recipe pair; // zero means any
	bool foreign;       // an address this NAT can never give
	bool reserved;      // s.11.3: PCP's own ports are never mapped; nat would not give them
};

bool read_protocol(uint8_t ip_protocol, uint8_t *protocol);
uint8_t ip_protocol_of(uint8_t protocol);
bool may_manage(const struct question *q, const struct nat_view *view, bool deleting);
enum pcp_result refuse_nonce(struct question *q, const struct nat_view *view);
void count_nonce(struct question *q, const struct nat_view *old);
uint32_t clamp_lifetime(const struct question *q);
struct nat_wish make_wish(const struct question *q, const struct nat_key *key,
	struct recipe suggested, uint32_t lifetime_s);
enum pcp_result refuse_grant(
	struct question *q, enum nat_grant grant, const struct nat_view *view, bool insisted);
enum pcp_result refuse_pair(struct question *q, uint32_t lifetime_s);
enum pcp_result judge_new(struct question *q, bool insists);
struct hint read_hint(const struct pcp_message *m);
bool hint_is_out_of_reach(const struct question *q, uint8_t protocol, const struct hint *h);
void note_text(struct question *q, const struct nat_view *view);

// clients.c: the limit on requests that insist on a pair and fail.
bool probe_is_allowed(const struct question *q);
void work_charge(const struct question *q, uint32_t leases);
void probe_charge(const struct question *q);

// map.c, s.11.3 and s.15: creates, renews, deletes. Any result but PCP_SUCCESS left everything as
// it was. judge_found: of one mapping that stands there, or of none.
enum pcp_result judge_map(struct question *q);
enum pcp_result judge_found(
	struct question *q, const struct nat_key *key, const struct nat_view *view);
// Writes a MAP lease; on success *view is what stands now.
enum pcp_result write_lease(struct question *q, const struct nat_wish *wish, struct nat_view *view);

// delete.c
uint32_t traffic_keeps_s(const struct question *q, const struct nat_view *view);
enum pcp_result judge_delete(struct question *q, const struct nat_view *view);
enum pcp_result judge_delete_many(struct question *q);
enum pcp_result deleted(struct question *q);

// portset.c (RFC 7753)
enum pcp_result judge_port_set(struct question *q, const struct pcp_option *o);
enum pcp_result judge_reservation(struct question *q, const struct pcp_option *o);
enum pcp_result judge_set(struct question *q, const struct nat_key *key);
uint16_t ports_wanted(const struct question *q);
void tell_pair(struct question *q, const struct nat_view *view);
void tell_deleted(struct question *q, const struct nat_view *view);

enum pcp_result judge_peer(struct question *q);     // peer.c, s.12.3
enum pcp_result judge_get(struct question *q);      // get.c
enum pcp_result judge_external(struct question *q); // natpmp.c
struct recipe companion_of(const struct question *q, const struct nat_key *key);

#endif
