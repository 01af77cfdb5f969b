// SPDX-License-Identifier: Apache-2.0
// pcpc.h - the parts of the PCP client tool and what they hand each other.
#ifndef CLI_PCPC_H
#define CLI_PCPC_H

#include <postern/base.h>
#include <postern/client.h>
#include <postern/pcp.h>

#include <getopt.h>
#include <poll.h>
#include <signal.h>

enum pcpc_exit {
	PCPC_OK = 0,
	PCPC_REFUSED = 1, // for good; or this host cannot do it
	PCPC_USAGE = 2,
	PCPC_NO_ANSWER = 3,
	PCPC_UNEXPECTED = 4, // --expect said otherwise
	PCPC_TRY_LATER = 5,  // refused, but the same request may be granted later
	PCPC_PARTLY = 6,     // granted by one server, but not by another
	PCPC_INTERRUPTED = 130,
};

enum pcpc_command {
	PCPC_ANNOUNCE,
	PCPC_MAP,
	PCPC_PEER,
	PCPC_RENEW,
	PCPC_DELETE,
	PCPC_GET,
	PCPC_ADDRESS,
	PCPC_WATCH,
	PCPC_LIST,
	PCPC_PROBE, // alone: a datagram given as it is; otherwise the word before a request
};

enum {
	PCPC_LARGEST = 4096,  // octets of a datagram; more than PCP allows, for probes
	PCPC_MAX_WISHES = 64, // options of one request
	PCPC_MAX_EDITS = 64,
	PCPC_POOL = 2 * PCPC_LARGEST,
	PCPC_MAX_SERVERS = 16,
	PCPC_PATH = 1024,
};

// One option of the request; they are sent in the order of the command line.
struct pcpc_wish {
	uint8_t code;  // enum pcp_option_code
	bool verbatim; // --option CODE:HEX: code and data as they are, in every dialect
	union {
		ip6 address; // THIRD_PARTY
		struct pcp_filter filter;
		struct pcp_port_set ports; // `first` is filled in when it is sent
		struct {
			const uint8_t *at;
			uint16_t n;
		} octets; // everything else
	};
};

enum pcpc_edit_kind {
	PCPC_SET,
	PCPC_TRUNCATE,
	PCPC_APPEND,
	PCPC_PAD_TO,
	PCPC_OPTION_LENGTH,
};

// One change to a finished datagram; they are made in the order of the command line.
struct pcpc_edit {
	enum pcpc_edit_kind kind;
	uint32_t at; // offset, or code of an option
	uint32_t n;  // new length, or octets
	const uint8_t *octets;
};

enum pcpc_expect {
	PCPC_ANYTHING,
	PCPC_SILENCE,
	PCPC_ANSWER,
	PCPC_RESULT,
};

struct pcpc_probe { // what `pcpc probe` does to a request
	struct pcpc_edit edits[PCPC_MAX_EDITS];
	unsigned n_edits;
	const uint8_t *datagram; // --raw HEX, instead of a request
	uint32_t n_datagram;
	uint32_t repeat, rate; // rate: 0 is as fast as answers come
	bool count_only;
	bool has_seed; // --random
	uint32_t seed;
	enum pcpc_expect expect;
	unsigned expected; // RFC 6887's number
};

struct pcpc_options {
	enum pcpc_command command;
	bool is_probe;
	struct postern_mapping mapping; // protocol, port, peer, wish, lifetime, nonce as given
	bool has_source, has_external, has_lifetime, has_timeout, has_version;
	bool has_client;
	bool raw, json, fields, no_next;
	bool leave_open; // what was kept stays open at the end
	enum pcp_dialect dialect;
	unsigned dialects; // enum postern_dialects that may be spoken; 0: all
	struct postern_server servers[PCPC_MAX_SERVERS]; // none: they are looked for
	unsigned n_servers;
	unsigned prefer;              // 4 or 6: found servers of this family alone; 0: of both
	const char *config_path;      // --config
	char servers_from[PCPC_PATH]; // the file that names them; empty: the command line does
	uint8_t source[16];
	uint16_t source_port; // 0: any
	uint8_t client[16];   // in the header, instead of the source
	uint32_t timeout_s;   // 0: no limit
	uint32_t count;       // watch: leave after so many; 0: never
	const char *state_path;
	const char *socket_path; // list: the agent's; NULL: where it is by default
	struct pcpc_wish wishes[PCPC_MAX_WISHES];
	unsigned n_wishes;
	uint8_t wanted[64]; // get: codes of options to be told
	uint16_t n_wanted;
	struct pcpc_probe probe;
	uint8_t pool[PCPC_POOL]; // octets that wishes and edits point to
	size_t pool_used;
};

// ---- pcpc_options.c: 0 to go on, otherwise -1 and *exit_code says what to leave with
int pcpc_options_read(struct pcpc_options *o, int argc, char **argv, int *exit_code);

extern const struct option pcpc_long_options[];
extern const char pcpc_short_options[];

// ---- pcpc_complete.c: prints what may stand where the last of n words does
void pcpc_complete(int n, char **words);

// ---- pcpc_words.c: the command and what follows it
const char *pcpc_command_word(unsigned i); // as it is advertised; NULL behind the last
bool pcpc_words_read(struct pcpc_options *o, int n, char **words);

// ---- pcpc_wishes.c: options of the request, and what a probe does to it
enum {
	PCPC_OPTION_FILTER = 512,
	PCPC_OPTION_THIRD_PARTY,
	PCPC_OPTION_THIRD_PARTY_ID,
	PCPC_OPTION_DESCRIPTION,
	PCPC_OPTION_PORT_SET,
	PCPC_OPTION_PREFIX64,
	PCPC_OPTION_CHECKPOINT,
	PCPC_OPTION_PORT_RESERVATION,
	PCPC_OPTION_VERBATIM,
	PCPC_OPTION_WANTED,
	PCPC_OPTION_SET,
	PCPC_OPTION_TRUNCATE,
	PCPC_OPTION_APPEND,
	PCPC_OPTION_PAD_TO,
	PCPC_OPTION_LENGTH_LIE,
	PCPC_OPTION_REPEAT,
	PCPC_OPTION_RATE,
	PCPC_OPTION_RANDOM,
	PCPC_OPTION_EXPECT,
};
bool pcpc_wish_read(struct pcpc_options *o, int option, const char *text);
bool pcpc_wrong(const char *option, const char *found, const char *wanted); // false
// Octets of hexadecimal text into the pool; NULL when it is none or there is no room.
const uint8_t *pcpc_pool_hex(struct pcpc_options *o, const char *text, uint32_t *n);

// One option of the command line or, by its name, of the configuration file.
bool pcpc_option_read(struct pcpc_options *o, int option, const char *text);
bool pcpc_option_read_named(struct pcpc_options *o, const char *name, const char *text);

// ---- pcpc_config.c: what the command line left open
bool pcpc_config_read(struct pcpc_options *o); // false with a complaint

extern const char pcpc_usage_text[]; // pcpc_help.c

// ---- pcpc_parse.c: words of the command line; false when they are not what they should be
bool pcpc_parse_number(const char *text, uint32_t max, uint32_t *out);
bool pcpc_parse_seconds(const char *text, uint32_t *out);   // 90, 2m, 1h, 1d
bool pcpc_parse_protocol(const char *text, uint8_t *out);   // tcp, udp, 1..255
bool pcpc_parse_address(const char *text, uint8_t out[16]); // IPv4 or IPv6
bool pcpc_parse_nonce(const char *text, uint8_t out[12]);   // 24 hex digits
bool pcpc_parse_endpoint(const char *text, uint16_t port, struct postern_endpoint *out);
bool pcpc_parse_filter(const char *text, struct pcp_filter *out); // none, ADDR[/BITS][:PORT]
bool pcpc_parse_dialect(const char *text, enum pcp_dialect *out); // 2, nat-pmp, 1a ..
bool pcpc_parse_versions(const char *text, unsigned *dialects);   // 2,1,0
// Hexadecimal octets; blanks, colons and newlines between them are fine.
bool pcpc_parse_hex(const char *text, uint8_t *out, size_t max, size_t *n);

#define PCPC_ENDPOINT_TEXT (IP6_TEXT + 8)
char *pcpc_format_endpoint(const struct postern_endpoint *e, char out[PCPC_ENDPOINT_TEXT]);
char *pcpc_format_hex(const uint8_t *octets, size_t n, char *out); // 2 * n + 1 characters
const char *pcpc_protocol_text(uint8_t protocol, char out[4]);

// ---- pcpc_build.c: requests in every dialect
// The message that the options ask for. False, with a complaint, when the dialect has no such.
bool pcpc_build_message(
	const struct pcpc_options *o, const uint8_t source[16], struct pcp_message *m);
// Header, body and options; its length, or 0 when it would pass `cap`.
size_t pcpc_build(const struct pcpc_options *o, struct pcp_message *m, uint8_t *out, size_t cap);
// The options alone, from `at` on (not 0); the new end, or 0 with a complaint. m tells the dialect
// and the internal port.
size_t pcpc_build_options(const struct pcpc_options *o, const struct pcp_message *m,
	bool prefer_failure, uint8_t *out, size_t at, size_t cap);

// ---- pcpc_mutate.c: requests that are wrong on purpose
// Makes one change; NULL, or why it cannot be made. `dialect` tells where options begin.
const char *pcpc_edit(const struct pcpc_edit *edit, enum pcp_dialect dialect, uint8_t *datagram,
	size_t *n, size_t cap);
// One to eight random changes.
void pcpc_mutate(struct rng *rng, uint8_t *datagram, size_t *n, size_t cap);

// ---- pcpc_decode.c, pcpc_decode_options.c: a datagram, field by field
struct pcpc_field {
	size_t at, length; // octets of the datagram
	const char *part;  // header, MAP, FILTER ..
	const char *name;  // requested lifetime
	const char *value; // 3600 s
	const char *note;  // what it means, or what is wrong with it; may be NULL
};

typedef void pcpc_field_sink(void *to, const struct pcpc_field *field);

// Tells every octet exactly once, in order, whatever they are. Answers of versions 0 and 2 are
// known by their first octet; `dialect` tells which version 1 it is.
void pcpc_decode(enum pcp_dialect dialect, const uint8_t *datagram, size_t n, pcpc_field_sink *sink,
	void *to);
// Where options begin, by dialect, direction and opcode; n when there are none or nobody knows.
size_t pcpc_options_at(enum pcp_dialect dialect, const uint8_t *datagram, size_t n);
// What an option says, in few words: "198.51.100.0/24, every port". `out` for messages to show.
#define PCPC_OPTION_TEXT (4 * PCP_MAX + 64)
char *pcpc_option_text(
	const struct pcp_message *m, const struct pcp_option *option, char out[PCPC_OPTION_TEXT]);
// Text of a stranger made safe for a terminal: what is not printable becomes \xNN.
#define PCPC_ESCAPED(n) (4 * (n) + 1)
char *pcpc_escape(const uint8_t *text, size_t n, char *out);

// ---- pcpc_meaning.c: numbers in words
const char *pcpc_result_text(enum pcp_dialect dialect, unsigned wire); // as the dialect counts
const char *pcpc_option_label(enum pcp_dialect dialect, unsigned wire);
const char *pcpc_opcode_label(enum pcp_dialect dialect, unsigned wire);
const char *pcpc_result_name(unsigned result);       // RFC 6887 and its successors
const char *pcpc_advice(unsigned result);            // what it means and what to do
bool pcpc_find_result(const char *text, unsigned *); // a name or a number

// ---- pcpc_net.c: sockets and routes; 0 or -errno
// A UDP socket connected to `server` on `interface` (0: any), from `source` (NULL: any address);
// *local is what it got.
int pcpc_open(const struct postern_endpoint *server, uint32_t interface, const uint8_t *source,
	uint16_t port, struct postern_endpoint *local);
bool pcpc_is_ours(const uint8_t ip[16]); // packets can leave from this address
// A UDP socket that hears everybody, on this port of `source` (NULL: any address).
int pcpc_open_listener(const uint8_t *source, uint16_t port, struct postern_endpoint *local);
// Hears restart announcements (RFC 6887 s.14.1.3) where `local` is attached: 224.0.0.1 or ff02::1.
int pcpc_open_announcements(const struct postern_endpoint *local);
// Who sent the datagram in `from` (a struct sockaddr_storage).
struct postern_endpoint pcpc_endpoint_of(const void *from);

// ---- pcpc_state.c: the nonces of earlier runs
struct pcpc_memory {
	struct postern_endpoint server;
	uint8_t source[16]; // the internal host: a third party, or ourselves
	uint8_t protocol;
	uint16_t port;
	struct postern_endpoint peer; // port 0: a mapping for everybody
	uint8_t nonce[12];
	struct postern_endpoint external; // last assigned
	uint64_t until;                   // wall clock, seconds: may be forgotten a day later
};

// Where the file is when --state does not say. False when there is no home for it.
bool pcpc_state_default_path(char *out, size_t size);
// Looks for server, source, protocol, port and peer of *m and fills the rest. 0, -ENOENT or -errno.
int pcpc_state_find(const char *path, struct pcpc_memory *m);
// Remembers *m, or forgets it. Replaces the file as a whole; other runs wait meanwhile. 0 or
// -errno.
int pcpc_state_put(const char *path, const struct pcpc_memory *m);
int pcpc_state_drop(const char *path, const struct pcpc_memory *m);

// ---- what became of a request, in every dialect
enum pcpc_what {
	PCPC_IS_GRANTED,       // created or renewed
	PCPC_IS_CHANGED,       // granted, but not at the external address and port of before
	PCPC_IS_DELETED,       // it is gone, or never was
	PCPC_IS_REMAINS,       // deletion was accepted, but the server keeps it for lifetime_s
	PCPC_IS_REFUSED,       // result; the same request would fail for lifetime_s
	PCPC_IS_EXPIRED,       // its time ran out unrenewed
	PCPC_IS_ANNOUNCED,     // answer to ANNOUNCE: epoch_s
	PCPC_IS_RESTARTED,     // the server lost state: epoch_s
	PCPC_IS_OTHER_VERSION, // the server does not speak this one: version, lifetime_s
	PCPC_IS_DIALECT,       // it is spoken to in another one from now on: dialect
	PCPC_IS_GONE,          // it does not answer any more
	PCPC_IS_BACK,          // it answers again
	PCPC_IS_LEFT,          // left open for lifetime_s on our own wish
};

struct pcpc_result {
	enum pcpc_what what;
	int id;          // of the mapping; -1: about the server
	uint16_t result; // RFC 6887 s.7.4; 0 is success
	uint8_t version; // PCPC_IS_OTHER_VERSION: nearest it speaks; 0: only NAT-PMP
	uint8_t protocol;
	uint16_t internal_port;
	struct postern_endpoint external;
	struct postern_endpoint before; // PCPC_IS_CHANGED: what it was; port 0: not known
	uint8_t nonce[12];
	uint32_t lifetime_s;
	uint32_t epoch_s;
	bool renewed;   // granted before, and again
	bool recovered; // granted again after the server or the mapping was lost
};

// ---- pcpc_show.c: what people and programs read
struct json_t;

struct pcpc_show {
	const struct pcpc_options *options;
	enum pcp_dialect dialect; // spoken with this server
	struct postern_endpoint server;
	enum postern_origin origin; // where it is known from
	uint32_t interface;         // of a server that was found
	bool several;               // one of many servers
	bool timed;                 // lines begin with the time
	uint8_t source[16];         // the internal host: a third party, or ourselves
	struct json_t *datagrams;   // --raw --json, --fields --json: since the last result
	size_t n_answer;            // the answer that the result is about
	uint8_t answer[POSTERN_DATAGRAM];
};

void pcpc_show_result(struct pcpc_show *show, const struct pcpc_result *r);
void pcpc_show_silence(struct pcpc_show *show, bool unreachable);
void pcpc_show_asking(const struct pcpc_show *show); // whom, and how that one was found
void pcpc_show_address(struct pcpc_show *show, const struct pcp_message *m);
void pcpc_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
// Adds the server and the datagrams, prints a line and drops the object.
void pcpc_show_object(struct pcpc_show *show, struct json_t *object);
struct json_t *pcpc_json_endpoint(const uint8_t octets[16], uint16_t port);
void pcpc_show_refusal(const struct pcp_message *m);

// ---- pcpc_show_datagram.c
void pcpc_show_datagram(struct pcpc_show *show, bool sent, const uint8_t *octets, size_t n);
// The options of the answer, and those of the request that the server did not take.
void pcpc_show_options(struct pcpc_show *show);
void pcpc_json_options(struct pcpc_show *show, struct json_t *object);

// ---- pcpc_exchange.c: one question to the server, asked again until it is answered
struct pcpc_exchange {
	const struct pcpc_options *options;
	struct pcpc_show show;
	struct pollfd fd;
	struct postern_endpoint local;
	sigset_t waiting; // the signal mask while asleep
	bool unreachable;
};

// To this address of `server`. 0 or -1
int pcpc_exchange_open(struct pcpc_exchange *x, const struct pcpc_options *o,
	const struct postern_server *server, unsigned address);
void pcpc_exchange_close(struct pcpc_exchange *x);
// Sends `request` (n octets) until an answer to *asked has come: true, and *answer is decoded; its
// octets are in x->show.answer. A refusal of the version has result UNSUPP_VERSION and no opcode.
bool pcpc_exchange_ask(struct pcpc_exchange *x, const struct pcp_message *asked,
	const uint8_t *request, size_t n, struct pcp_message *answer);
// Nobody answered: says so, unless we were stopped.
enum pcpc_exit pcpc_exchange_silence(struct pcpc_exchange *x);
// The next datagram before `until` (pcpc_now()); its length, 0 when none came.
size_t pcpc_exchange_receive(struct pcpc_exchange *x, ns until, uint8_t *out, size_t cap);

// ---- pcpc_find.c: which servers to ask
struct pcpc_servers {
	unsigned n;
	struct postern_server list[PCPC_MAX_SERVERS]; // in the order to ask them
};

struct pcpc_finder { // the library's loop, only to look for servers and follow routes
	struct postern_client *client;
	struct postern_loop *loop;
	uint64_t sent;
};

// 0, or -1 with a complaint.
int pcpc_finder_open(struct pcpc_finder *finder, const struct pcpc_options *o);
void pcpc_finder_close(struct pcpc_finder *finder);
int pcpc_finder_fd(const struct pcpc_finder *finder); // readable: follow
// True when the host moved: the silent servers are to be asked anew.
bool pcpc_finder_follow(struct pcpc_finder *finder);
void pcpc_finder_servers(
	const struct pcpc_finder *finder, const struct pcpc_options *o, struct pcpc_servers *out);
// All at once. False, with a complaint, when there is none. `only_ip4`: only those of IPv4.
bool pcpc_find_servers(const struct pcpc_options *o, bool only_ip4, struct pcpc_servers *out);
// Runs the command for each server that was named; of those found, until one answers.
typedef enum pcpc_exit pcpc_command_run(
	const struct pcpc_options *o, const struct postern_server *server, unsigned address);
enum pcpc_exit pcpc_ask_each(const struct pcpc_options *o, bool only_ip4, pcpc_command_run *run);

// ---- pcpc_outcome.c: exit codes
struct pcpc_outcome { // how many servers did what
	unsigned granted, refused, later, silent, other;
};
enum pcpc_exit pcpc_exit_of_result(unsigned result); // RFC 6887's number
void pcpc_outcome_add(struct pcpc_outcome *outcome, enum pcpc_exit end);
enum pcpc_exit pcpc_outcome_exit(const struct pcpc_outcome *outcome);

// ---- the commands: enum pcpc_exit
int pcpc_session_run(const struct pcpc_options *o); // by the library
int pcpc_dialect_run(const struct pcpc_options *o); // one dialect; address
int pcpc_get_run(const struct pcpc_options *o);     // all mappings, page by page
int pcpc_watch_run(const struct pcpc_options *o);   // listens
int pcpc_probe_run(const struct pcpc_options *o);   // sends what it was told
int pcpc_list_run(const struct pcpc_options *o);    // asks the agent

// ---- pcpc_run.c: what every command needs
// A descriptor, or negative with a complaint.
int pcpc_open_to(const struct pcpc_options *o, const struct postern_endpoint *server,
	uint32_t interface, struct postern_endpoint *local);
void pcpc_catch_signals(sigset_t *waiting); // SIGINT and SIGTERM are heeded while asleep only
unsigned pcpc_stopped(void);                // how many of them came
ns pcpc_now(void);
ns pcpc_time_limit(const struct pcpc_options *o); // from now
bool pcpc_is_unreachable(int err);
int pcpc_wait(struct pollfd *fds, nfds_t n, ns until, const sigset_t *waiting); // as ppoll()

#endif
