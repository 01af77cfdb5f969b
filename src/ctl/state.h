// SPDX-License-Identifier: Apache-2.0
// Everything the control thread holds, and what its files offer each other.
#ifndef CTL_STATE_H
#define CTL_STATE_H

#include <postern/ctl.h>
#include <postern/natlog.h>

#include "buffer.h"
#include "request.h"

#include <sys/types.h>

enum {
	CTL_CLIENTS = 16,
	CTL_BACKLOG = 1 << 20,    // octets of answers beyond which a client's walk pauses
	CTL_PAGE = 256,           // rows asked of a shard at a time
	CTL_ROUND_MS = 10,        // the longest sleep
	CTL_ROUND_REQUESTS = 16,  // of one client
	CTL_ROUND_ANSWERS = 1024, // of one shard
	CTL_ROUND_EVENTS = 4096,  // NAT events, of all shards together
	CTL_LOSERS = 64,          // PCP clients whose Epoch is to be reset
};

// How long a shard may take to answer (a filter may leave it nothing to say for a whole walk), and
// to take over a configuration.
#define CTL_ANSWER_PATIENCE (30 * NS_PER_S)
#define CTL_TAKEOVER_PATIENCE (10 * NS_PER_S)

enum ask_state {
	ASK_IDLE,     // the client has no request under way
	ASK_PENDING,  // waits for its turn at the desk of shard `shard`
	ASK_WAITING,  // that shard has the wish
	ASK_TAKEOVER, // waits for every shard to reach `generation`
	ASK_ERRAND    // waits for wish.group to be cleared on every shard
};

struct top;   // the busiest PCP clients so far, see pcp.c
struct trace; // what the shards said of an external port so far, see trace.c

struct ask { // the request a client waits for
	enum ask_state state;
	struct shard_wish wish;
	uint16_t shard, shard_end; // asks these in turn
	uint32_t rows, limit;
	uint64_t generation;
	ns since;            // when it last got on
	json_t *row;         // a mapping whose filters and text may follow
	struct top *top;     // of `show pcp-clients`
	struct trace *trace; // of `trace port`
};

struct client {
	int fd;           // -1: this place is free
	bool eof;         // sends no more
	bool doomed;      // closes once its answers are out
	uint32_t watched; // epoll events asked for
	size_t scanned;   // octets of `in` known to hold no line end
	struct buffer in, out;
	struct request request; // alive while ask.state is not ASK_IDLE
	struct ask ask;
};

struct desk { // a shard takes one wish at a time
	bool busy;
	uint32_t id;           // of the wish it has
	struct client *client; // NULL: left meanwhile, or an errand
	bool errand;           // control's own wish
	uint8_t kind, group;   // of the errand
};

struct loser { // a PCP client that lost what it had asked for as a third party
	ip4 host;
	uint8_t realm, group;
	uint64_t workers; // as bits: they do not know yet
};

// What control itself wants of shards. Nobody's leaving can stop it half-way: mappings that are
// gone without an Epoch that says so would be a lie.
struct errands {
	uint64_t clear[CONF_MAX_WORKERS];    // groups, as bits: to be cleared there
	uint64_t clearing[CONF_MAX_WORKERS]; // being cleared there
	uint64_t announce[CONF_MAX_WORKERS]; // to be announced there
	struct loser losers[CTL_LOSERS];
	unsigned n_losers;
};

static_assert(CONF_MAX_GROUPS <= 64, "sets of groups are 64 bits");

struct ctl;

struct journal { // what goes to the NAT log
	struct natlog *log;
	int64_t (*wall_ms)(const struct ctl *ctl); // the system's clock; a lab has its own
	int64_t offset_ms;                         // from the monotonic clock to UTC
	ns clock_at;                               // when that was looked up
	uint64_t last[CONF_MAX_WORKERS];           // number of each shard's last event
	struct natlog_event pending[2];            // taken, and not written yet
	unsigned n_pending;
	uint64_t taken, lost; // since the start
	ns watched_at;        // when the tables of the shards were looked at
	uint64_t full[2];     // of each kind of table, the workers that were told, as bits
};

struct pools {
	ns looked_at;
	struct watermark {
		bool high;  // the high watermark was reached, the low one not since
		ns told_at; // 0: never
	} marks[CONF_MAX_GROUPS];
};

struct ctl {
	const struct log *log;
	const char *conf_file;
	struct io *io;
	const struct conf *conf; // in force, owned by io
	ns started, now;
	int epoll, listener, signals;
	char socket_path[108];
	dev_t socket_device; // the socket we made, so that we remove no other's
	ino_t socket_inode;
	bool stop, hurry; // hurry: the next round shall not sleep
	uint32_t last_id;
	uint64_t awaited; // generation that the shards are taking over; 0: none
	ns awaited_since;
	bool awaited_late;              // and that has been logged
	uint64_t to_reset, to_announce; // groups, as bits, once it is taken over
	struct client clients[CTL_CLIENTS];
	struct desk desks[CONF_MAX_WORKERS];
	struct errands errands;
	struct journal journal;
	struct pools pools;
	ns plans_told; // when every plan was told, last
};

// ---- loop.c: one round of ctl_run() ----------------------------------------------------------

int ctl_round(struct ctl *ctl); // 0 or -errno

// ---- socket.c: the socket's file -------------------------------------------------------------

int socket_open(const char *path, uint32_t mode, const struct log *log); // descriptor or -errno

// ---- client.c: octets in, lines out ----------------------------------------------------------

void client_accept(struct ctl *ctl);
void client_event(struct ctl *ctl, struct client *c, uint32_t events);
void client_step(struct ctl *ctl, struct client *c); // runs its requests, writes its answers
void client_close(struct ctl *ctl, struct client *c);
bool client_paused(const struct client *c); // its reader is too slow for more answers
// Both take the reference to `value`; {"row": value}, {"done": value}. done ends the request.
void client_row(struct client *c, json_t *value);
void client_done(struct client *c, json_t *value);
void client_error(struct client *c, const char *code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));
void client_fail(struct client *c, json_t *error); // {"error": value}, taken; ends the request

// ---- show.c, pcp.c, ask.c, deeds.c, reload.c: the requests -------------------------------------

void show_start(struct ctl *ctl, struct client *c);                  // answers at once
void counters_show(struct ctl *ctl, struct client *c);               // likewise
void pcp_show(struct ctl *ctl, struct client *c);                    // likewise
uint64_t pcp_count(const struct ctl *ctl, uint8_t group, size_t at); // in struct server_counters
uint64_t counters_drops(const struct ctl *ctl);
uint64_t counter_read(const uint64_t *counter); // a worker may be writing it
void ask_start(struct ctl *ctl, struct client *c);
void ask_step(struct ctl *ctl, struct client *c);
void ask_collect(struct ctl *ctl);                               // takes up the shards' answers
void ask_abandon(struct ctl *ctl, struct client *c);             // the client leaves
bool ask_busy(const struct ctl *ctl);                            // some shard has a wish
uint8_t ask_find_group(const struct ctl *ctl, const char *name); // UINT8_MAX: there is none
void deeds_start(struct ctl *ctl, struct client *c);             // clear group, reset epoch
// What a deed needs besides its key. False: refused, and the client knows why.
bool deeds_prepare(struct ctl *ctl, struct client *c);
void deeds_end(struct ctl *ctl, struct client *c, const struct shard_answer *answer);
bool top_open(struct ask *ask); // false: out of memory
void top_offer(struct ask *ask, uint16_t shard, const struct server_client *client);
void top_show(struct ctl *ctl, struct client *c); // its rows
void reload_start(struct ctl *ctl, struct client *c);
void reload_step(struct ctl *ctl, struct client *c);
void reload_hangup(struct ctl *ctl); // SIGHUP
void reload_watch(struct ctl *ctl);

// ---- trace.c: who has, or had, an external port ----------------------------------------------

void trace_start(struct ctl *ctl, struct client *c);
void trace_take(struct ask *ask, uint16_t shard, const struct nat_tenancy *tenancy);
void trace_end(struct ctl *ctl, struct client *c, const struct shard_answer *answer);

// ---- journal.c: from the shards' rings to the NAT log -----------------------------------------

MUST_CHECK int journal_open(struct ctl *ctl);
void journal_close(struct ctl *ctl);     // drains what is left; NULL log is fine
void journal_configure(struct ctl *ctl); // the targets of ctl->conf, from now on
void journal_step(struct ctl *ctl);
void journal_tell(struct ctl *ctl, const struct natlog_event *event); // control's own; stamped here
uint64_t journal_utc_ms(const struct ctl *ctl, ns at);                // of a monotonic moment
void journal_show(struct ctl *ctl, struct client *c);

// ---- plans.c: deterministic plans ------------------------------------------------------------

void plans_start(struct ctl *ctl);
void plans_step(struct ctl *ctl);                                        // once a day
uint64_t plans_compare(const struct conf *old, const struct conf *next); // groups, as bits
void plans_end(struct ctl *ctl, const struct conf *next);                // before it is in force
void plans_changed(struct ctl *ctl, uint64_t groups);                    // after

// ---- pools.c: how full they are --------------------------------------------------------------

void pools_step(struct ctl *ctl);
void pools_forget(struct ctl *ctl, uint8_t group); // its id is another group's now
void pools_show(struct ctl *ctl, struct client *c);
struct nat_group_counters pools_count(const struct ctl *ctl, uint8_t group); // of all shards

// ---- errands.c: what control itself wants of shards ------------------------------------------

void errands_step(struct ctl *ctl);
void errands_clear_group(struct ctl *ctl, uint8_t group); // on every shard, then its Epoch
// The worker that has not cleared the group yet; n_workers: none.
uint16_t errands_clearing(const struct ctl *ctl, uint8_t group);
void errands_reset_epoch(struct ctl *ctl, uint8_t group, const char *cause); // and announces it
void errands_announce(struct ctl *ctl, uint8_t group);
void errands_lost_client(struct ctl *ctl, const struct server_client *client);
void errands_end(struct ctl *ctl, uint16_t shard, int32_t error);
void errands_forget_group(struct ctl *ctl, uint8_t group); // its id is another group's now

// ---- rows.c: what a shard says, as JSON ------------------------------------------------------

json_t *row_of_mapping(const struct ctl *ctl, uint16_t shard, const struct nat_view *view);
json_t *row_of_subscriber(
	const struct ctl *ctl, uint16_t shard, const struct nat_subscriber_view *view);
// A lease of row_of_mapping()'s, as it hangs on the mapping.
json_t *row_of_session(const struct ctl *ctl, uint16_t shard, const struct nat_session_view *view);
void row_add_filter(json_t *row, const struct nat_filter *filter);
void row_add_text(json_t *row, const struct shard_text *text);
json_t *row_of_client(const struct ctl *ctl, uint16_t shard, const struct server_client *client);
json_t *row_address(ip4 address);
json_t *row_group(const struct conf *conf, uint8_t group); // its name, or "#7"
json_t *row_realm(const struct conf *conf, uint8_t realm); // likewise
json_t *row_text(const char *text);                        // with '?' for what is not UTF-8
const char *row_realm_name(const struct conf *conf, uint8_t realm);
const char *row_group_name(const struct conf *conf, uint8_t group);
uint64_t row_epoch_s(const struct ctl *ctl, uint8_t group, uint32_t own_base_s);
bool row_find_realm(const struct conf *conf, const char *name, uint8_t *out);

#endif
