// SPDX-License-Identifier: Apache-2.0
// state.h - what a client remembers, and the calls its files make to each other.
//
// A wish is a mapping as the caller wants it; a fact is that wish at one server. What will happen
// stands in one list of actions, ordered by time. Every action is a member of the fact or server
// it belongs to, so planning allocates nothing.
#ifndef CLIENT_STATE_H
#define CLIENT_STATE_H

#include <postern/client.h>
#include <postern/pcp.h>

#include "epoch.h"
#include "schedule.h"

#define MOST_PREFIXES 16             // of NAT64, remembered of one server
#define MOST_PARTS 16                // answers to one request for a port set
#define TRIES_EACH_ADDRESS 4         // RFC 7488 s.3
#define TRIES_NATPMP 9               // RFC 6886 s.3.1
#define SERVER_REST (900 * NS_PER_S) // RFC 7488 s.3: after the last address

struct action {
	struct action *before, *after;
	bool planned;
	enum postern_deed deed;
	ns at;
	struct server *server;
	struct fact *fact; // NULL: about the server
};

struct news {
	struct news *next;
	bool queued;
	struct fact *owner; // to be released once this is told
	struct postern_event event;
};

struct request {         // one message exchange
	ns next;         // when to send next, as far as it goes by itself; NEVER
	ns wait;         // the last retransmission wait; 0 before the first transmission
	ns sent, first;  // last transmission; first one to the present address
	uint32_t n_sent; // transmissions
	uint32_t n_here; // those to the present address
};

enum phase {
	PHASE_ASKING,   // a create or renew request repeats until it is answered
	PHASE_HELD,     // granted; single renewal requests when kept
	PHASE_DELETING, // a delete request repeats until it is answered
	PHASE_DONE,     // nothing more happens until the caller says so
};

struct part { // one of several answers to a request for a port set
	bool used;
	uint16_t internal_port, n_ports;
	struct postern_endpoint external;
	struct news news;
};

struct wish {
	int id;
	bool deleting;
	bool loaded; // of an earlier run; nobody asked for it yet
	struct postern_mapping want;
	struct fact *facts;
};

struct fact {
	struct fact *next_of_wish, *next_of_server, *next_lost;
	struct postern_client *client;
	struct wish *wish;
	struct server *server;
	enum phase phase;
	bool granted_once;
	bool recovering; // asked for again since the server lost it, or since we moved
	bool refused;    // waits for the end of an error's lifetime
	bool listens;    // DONE, but a better answer is still taken (s.8)
	uint8_t nonce[12];
	struct postern_endpoint external; // what the next request suggests
	uint16_t n_ports;
	bool has_source;
	ip6 source; // the last request left from it
	struct request request;
	ns granted, expires; // expires: NEVER while nothing is granted
	unsigned renewals;   // sent since it was granted
	ns blocked;          // refused: not the same request before this
	ns again;            // nothing unbidden before this, whatever the server answers
	uint32_t remains_s;  // DELETING: the server says it keeps it; concluded at the next timer
	uint16_t result;     // of the last refusal
	struct action act, expiry;
	struct news news;
	struct farewell { // the same mapping, made from an address that was ours
		ip6 source;
		struct request request;
		struct action act;
	} farewell;
	struct part *parts; // MOST_PARTS of a port set, otherwise NULL
};

struct get { // a GET walk
	struct request request;
	bool under_way, last_page;
	uint8_t protocol;
	unsigned n_entries, n_before; // told; when the page came
	struct pcp_next locator;
	size_t length, at; // of the page, and how far it was told
	ns arrived;
	uint32_t epoch_s;
	uint8_t page[PCP_MAX];
};

struct server {
	struct server *next;
	struct postern_client *client;
	int id;
	struct postern_server as;
	struct {
		bool known;
		ip6 ip;
	} sources[POSTERN_ADDRESSES];
	unsigned address;              // in use
	bool gone;                     // told
	bool resting;                  // all addresses were tried; until `rest` is due
	ns heard;                      // 0: never
	uint8_t dialect, told_dialect; // enum postern_dialects
	ns better;                     // lower dialects: version 2 is tried again from then on
	struct epoch epoch;
	ns silent;                 // nothing at all is sent before this
	ns no_new;                 // no mapping that was never granted is asked for before this
	bool announce_told;        // the caller asked
	struct request announce;   // NAT-PMP: asks for the external address
	struct request *in_flight; // NAT-PMP: one at a time
	bool has_external;         // NAT-PMP: `external` was asked for
	ip6 external;
	struct get get;
	unsigned n_prefixes;
	struct postern_prefix64 prefixes[MOST_PREFIXES];
	struct action announcing, getting, rest;
	struct news news[POSTERN_ENTRIES_END + 1];
	struct fact *facts;
};

struct postern_client {
	struct postern_client_options options;
	struct rng rng;
	ns pace_next; // the next free place in a recovery
	int next_server;
	struct server *servers;
	struct wish **wishes; // by id; NULL: free
	uint32_t n_wishes;
	struct action *first, *last;
	struct news *news_first, *news_last;
	struct postern_client_counters counters;
};

static inline ns later(ns a, ns b)
{
	return a > b ? a : b;
}

static inline ns sooner(ns a, ns b)
{
	return a < b ? a : b;
}

static inline ip6 ip_of(const uint8_t octets[16])
{
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	return ip;
}

static inline bool is_any_ip(ip6 a)
{
	return ip6_is_mapped(a) ? ip6_to_ip4(a) == 0 : ip6_eq(a, (ip6){0});
}

static inline bool same_endpoint(const struct postern_endpoint *a, const struct postern_endpoint *b)
{
	return a->port == b->port && memcmp(a->ip, b->ip, sizeof a->ip) == 0;
}

// Ever, while n_sent counts anew with each address and each time it is asked for.
static inline bool was_sent(const struct request *r)
{
	return r->sent != 0;
}

static inline bool is_under_way(const struct request *r)
{
	return r->next != NEVER && r->n_sent > 0;
}

// client.c
void *client_allocate(struct postern_client *c, size_t octets);
void client_release(struct postern_client *c, void *memory);
struct wish *client_find_wish(const struct postern_client *c, int id);
ns client_lifetime(struct postern_client *c, uint32_t lifetime_s, uint32_t *believed_s); // cut

// actions.c
void action_plan(struct postern_client *c, struct action *a, ns at); // NEVER: not at all

// events.c
struct postern_event *fact_tell(struct fact *f, enum postern_what what);
struct postern_event *part_tell(struct fact *f, struct part *part, enum postern_what what);
struct postern_event *server_tell(struct server *s, enum postern_what what);
void news_drop(struct postern_client *c, struct news *news);
void news_drop_wish(struct postern_client *c, int id); // also what removed servers left of it

// mappings.c
int fact_create(struct wish *w, struct server *s, struct fact **out);
void fact_ask(struct fact *f, ns at); // not before `at` nor while it is blocked
void fact_end(struct fact *f, bool listens);
void fact_unlink(struct fact *f);  // from its server and its wish, and from the action list
void fact_release(struct fact *f); // its memory
void fact_expect(struct fact *f, ns expires);       // expiry
void fact_go_on(struct fact *f, bool same, ns now); // with what an earlier run left
bool mapping_is_enough(const struct postern_mapping *held, const struct postern_mapping *want);
bool wish_is_for(const struct wish *w, const struct postern_mapping *want); // the same mapping
struct fact *wish_at(const struct wish *w, const struct server *s);         // or NULL
enum postern_state fact_state(const struct fact *f);
void wish_release(struct postern_client *c, struct wish *w);
int wish_add(struct postern_client *c, const struct postern_mapping *want, struct wish **out);

// servers.c
int server_join_wishes(struct server *s, ns now); // mappings.c
struct server *server_find(const struct postern_client *c, int id);
bool server_has_way(const struct server *s);
const struct postern_endpoint *server_endpoint(const struct server *s);
bool server_waits(const struct server *s); // for any answer
void server_replan(struct server *s);
void server_restart_requests(struct server *s, ns now);
void server_next_address(struct server *s, ns now);
void server_use_address(struct server *s, unsigned address, ns now);
void server_try_again(struct server *s, ns now);
void server_went(struct server *s);
void server_hear(struct server *s, ns now);
unsigned server_count_ways(const struct server *s);

// moves.c
void fact_move(struct fact *f, bool still_ours, ns now);
void farewell_stop(struct fact *f);

// requests.c
void request_start(struct server *s, struct request *r, ns at);
void request_stop(struct server *s, struct request *r);
void fact_plan(struct fact *f);
void announce_plan(struct server *s);
void get_plan(struct server *s);
bool server_asks_first(const struct server *s); // for its Epoch or address, before anything else
void announce_start(struct server *s, ns at);

// recover.c
ns pace_slot(struct postern_client *c, ns from);
void server_lost(struct server *s, uint32_t epoch_s, ns now, bool spread);
void server_hurry(struct server *s, ns now); // what waits long goes now, paced

// receive.c, refuse.c
void take_refusal(struct fact *f, uint16_t result, uint32_t lifetime_s, uint32_t epoch_s, ns now);

// version.c
enum pcp_dialect version_codec(const struct server *s);
bool version_refused(struct server *s, const struct pcp_version_refusal *refusal, ns now);
void version_reconsider(struct server *s, ns now);
void version_reset(struct server *s, ns now); // back to version 2
void version_proved(struct server *s, unsigned dialect);
enum pcp_result version_cannot(const struct server *s, const struct fact *f); // PCP_SUCCESS: can

// natpmp.c
bool natpmp_may(const struct server *s); // our address is private IPv4, RFC 6886 s.3
ns natpmp_retry(ns previous);
bool natpmp_epoch_check(struct epoch *e, ns now, uint32_t server_s);
void natpmp_take_address(struct server *s, const struct pcp_message *msg);

// get.c
size_t get_write(struct server *s, uint8_t *out);
bool get_take(struct server *s, const struct pcp_message *msg, const uint8_t *octets, size_t length,
	ns now);
void get_refused(struct server *s, uint16_t result, uint32_t lifetime_s, uint32_t epoch_s);
bool get_event(struct server *s, struct postern_event *out);

// prefix64.c
void prefix64_take(
	struct server *s, const struct pcp_message *msg, const uint8_t *octets, size_t length);
void prefix64_drop(struct server *s);

// nonce.c
void nonce_choose(
	struct postern_client *c, const struct wish *w, const struct server *s, uint8_t nonce[12]);

// options.c
const uint8_t *options_find(const uint8_t *options, size_t length, uint8_t code, size_t *n);
size_t options_append(uint8_t *out, size_t at, const struct postern_mapping *want, bool deleting);
bool options_have_mandatory(const struct postern_mapping *want);
bool options_name_same(const struct postern_mapping *a, const struct postern_mapping *b);
bool options_read_port_set(const uint8_t *options, size_t length, struct pcp_port_set *out);
void options_set_first_port(struct postern_mapping *want);
// The answer's options name the same host as ours: a third party, or none.
bool options_name_same_host(
	const struct postern_mapping *want, const uint8_t *options, size_t length, bool refused);

#endif
