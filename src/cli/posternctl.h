// SPDX-License-Identifier: Apache-2.0
// What the files of posternctl offer each other: words in, a request out; answers in, text out.
#ifndef CLI_POSTERNCTL_H
#define CLI_POSTERNCTL_H

#include <postern/base.h>

#include <jansson.h>
#include <stdio.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_REFUSED = 1,   // the daemon said no
	EXIT_USAGE = 2,     // the words make no command
	EXIT_NO_DAEMON = 3, // nobody answers
	EXIT_INTERRUPTED = 130,
};

#define DEFAULT_SOCKET "/run/postern/control.sock"

// ---- grammar.c: the commands there are -------------------------------------------------------

enum subject { // a command; from SUBJECT_ADD on: one whose answer is what was done
	SUBJECT_VERSION,
	SUBJECT_STATUS,
	SUBJECT_PORTS,
	SUBJECT_WORKERS,
	SUBJECT_GROUPS,
	SUBJECT_SUBSCRIBERS,
	SUBJECT_MAPPINGS,
	SUBJECT_LEASES,
	SUBJECT_PCP,
	SUBJECT_CLIENTS,
	SUBJECT_COUNTERS,
	SUBJECT_NEIGHBOURS,
	SUBJECT_SESSIONS,
	SUBJECT_POOLS,
	SUBJECT_LOG,
	SUBJECT_TRACE,
	SUBJECT_TRACE_OFFLINE,
	SUBJECT_ADD,
	SUBJECT_ADD_STATIC,
	SUBJECT_DELETE,
	SUBJECT_CLEAR,
	SUBJECT_CLEAR_GROUP,
	SUBJECT_RESET_EPOCH,
	SUBJECT_CHECK,
	SUBJECT_APPLY,
	SUBJECT_CONFIG,
	SUBJECT_COUNT
};

enum value { // what a word can be, besides one that is written in the grammar
	VALUE_NONE,
	VALUE_ADDRESS,  // 100.64.0.10
	VALUE_ENDPOINT, // 100.64.0.10:8080
	VALUE_EXTERNAL, // 203.0.113.7, or with :4000
	VALUE_PROTOCOL,
	VALUE_PORT,
	VALUE_GROUP,
	VALUE_REALM,
	VALUE_KIND,
	VALUE_LIMIT,
	VALUE_LIFETIME, // 90, 30m, 1h30m
	VALUE_TEXT,
	VALUE_FILE,
	VALUE_TIME, // 2026-11-23T10:15:00Z, "2026-11-23 10:15:00", -10m; all UTC
};

enum operands { // what must follow a command, before its pairs
	OPERANDS_NONE,
	OPERANDS_MAPPING,    // PROTOCOL ADDRESS:PORT, or ADDRESS PROTOCOL PORT
	OPERANDS_SUBSCRIBER, // ADDRESS
	OPERANDS_GROUP,      // NAME, "group" before it if you like
	OPERANDS_FILE,       // FILE
	OPERANDS_FILE_MAYBE, // [FILE]
	OPERANDS_EXTERNAL,   // ADDRESS:PORT of the outside
};

enum pair { // "name value"; sets of them are bits
	PAIR_SUBSCRIBER = 1 << 0,
	PAIR_EXTERNAL = 1 << 1,
	PAIR_PROTOCOL = 1 << 2,
	PAIR_PORT = 1 << 3,
	PAIR_GROUP = 1 << 4,
	PAIR_KIND = 1 << 5,
	PAIR_REALM = 1 << 6,
	PAIR_NONZERO = 1 << 7, // this and detail have no value
	PAIR_LIMIT = 1 << 8,
	PAIR_DETAIL = 1 << 9,
	PAIR_LIFETIME = 1 << 10,
	PAIR_DESCRIPTION = 1 << 11,
	PAIR_TOP = 1 << 12, // a limit that is no page's
	PAIR_AT = 1 << 13,
	PAIR_CONFIG = 1 << 14,
	PAIR_HISTORY = 1 << 15,
};

struct command {
	const char *verb, *what;
	enum operands operands;
	unsigned pairs;    // that may follow
	unsigned required; // of those: must follow
	const char *about;
};

extern const struct command commands[SUBJECT_COUNT];

struct pair_word {
	const char *name;
	unsigned pair;
	enum value value;
	const char *about;
};

const struct command *grammar_find(const char *verb, const char *what); // NULL: none
const struct pair_word *grammar_pair(const struct command *command, const char *word);
// What may stand after n words; its list does not outlive the next call's.
struct expected {
	unsigned n;
	struct {
		const char *word, *about;
	} list[32];
	enum value value;  // what else
	const char *title; // "ADDRESS"; NULL: nothing else
};
void grammar_expect(const char *const *words, size_t n, struct expected *out);
// Names of a kind, separated by commas: verbs, what may follow a verb, pairs of a command.
void grammar_list_verbs(char *out, size_t size);
void grammar_list_whats(const char *verb, char *out, size_t size);
void grammar_list_pairs(const struct command *command, char *out, size_t size);

// ---- values.c: one word, checked -------------------------------------------------------------

// Puts it into the request's object under the name. False with a sentence in why.
bool value_put(json_t *object, const char *name, enum value value, const char *text, char *why,
	size_t why_size);
// "ADDRESS:PORT" becomes "subscriber" and "port".
bool value_put_endpoint(json_t *object, const char *text, char *why, size_t why_size);
bool value_is_address(const char *text);
bool value_split_port(const char *text, char address[IP4_TEXT], uint64_t *port);
// A moment, in milliseconds since 1970; "-10m" is that long before now_ms.
bool value_time(const char *text, uint64_t now_ms, uint64_t *out_ms);
#define TIME_TEXT 32
char *time_format(uint64_t ms, char out[TIME_TEXT]); // 2026-11-23T10:15:00.000Z
bool value_number(const char *text, uint64_t max, uint64_t *out);
bool value_seconds(const char *text, uint64_t *out);

// ---- words.c: the command line ---------------------------------------------------------------

struct words {
	const char *socket; // NULL: not said
	bool json, plain, help, version;
	bool shell; // no command: take commands from standard input
	enum subject subject;
	json_t *request;  // without limit, cursor, file and text
	json_t *key;      // borrowed of it: its filter or key
	uint64_t limit;   // rows in all; 0: all there are
	bool paged;       // follow the cursor
	bool detail;      // mappings with filters and text
	const char *file; // to be sent along; NULL: none
};

// False with a sentence in why. *out needs words_fini() in any case.
bool words_parse(int argc, const char *const *argv, struct words *out, char *why, size_t why_size);
void words_fini(struct words *w);
void words_help(FILE *out);
// The commands that begin with this verb; false: there are none.
bool words_help_verb(const char *verb, FILE *out);

// ---- link.c: the daemon's socket -------------------------------------------------------------

struct link;

// NULL with errno.
struct link *link_open(const char *path);
void link_close(struct link *l); // NULL is fine
int link_descriptor(const struct link *l);
void link_set_patience(struct link *l, unsigned seconds); // of every further read
// False with errno.
bool link_send(struct link *l, const json_t *request);
// The next line the daemon sent; NULL with errno (0: it closed the connection; EPROTO: no JSON).
json_t *link_receive(struct link *l);

// ---- run.c: one command, one conversation ----------------------------------------------------

int run_command(struct words *w); // enum exit_code
const char *run_socket_path(const struct words *w);
// SIGINT and SIGTERM end a conversation between two lines. Which came since this was asked last; 0:
// none.
int run_signal(void);

// ---- shell.c, script.c: many commands --------------------------------------------------------

int shell_run(const struct words *base); // on a terminal
int script_run(const struct words *base, FILE *in);
// Runs one line that is split already; its exit code. Exit and quit set *leave: then the code is
// that of the line before.
int script_line(
	const struct words *base, int argc, const char *const *argv, bool terminal, bool *leave);

// ---- complete.c: what TAB offers -------------------------------------------------------------

enum {
	CANDIDATES = 128,
	CANDIDATE_SIZE = 256
};

struct candidates {
	unsigned n;
	char words[CANDIDATES][CANDIDATE_SIZE];
};

// Names that only the daemon or the file system knows: those of `value` that begin with `start`.
typedef void complete_names(void *ctx, enum value value, const char *start, struct candidates *out);

// Candidates for the word that begins with `start` after n words, ascending. *common: how many
// octets all of them share.
void complete_word(const char *const *words, size_t n, const char *start, complete_names *names,
	void *ctx, struct candidates *out, size_t *common);
// Adds it when it begins with `start` and is not there yet.
void complete_add(struct candidates *out, const char *word, const char *start);
// complete_names() of a running daemon; ctx: the path of its socket. Silent when it does not
// answer within a second.
void complete_from_daemon(void *ctx, enum value value, const char *start, struct candidates *out);

// ---- offer.c: what the operator's own shell offers -------------------------------------------

// Prints, one a line, what may stand where the last of n words does.
void offer_print(int n, const char *const *words);

// ---- history.c: what was typed before --------------------------------------------------------

// Where lines are kept: $XDG_STATE_HOME/postern/history (its folder is made), else
// ~/.postern_history. False: nowhere.
bool history_path(char *out, size_t size);
// Opened for writing, 0600 and empty; NULL: it cannot be.
FILE *history_create(const char *path);

// ---- table.c: columns ------------------------------------------------------------------------

enum cell_kind {
	CELL_TEXT,     // a string, escaped
	CELL_NUMBER,   // to the right
	CELL_DURATION, // seconds, as 1d02h
	CELL_ENDPOINT, // address and port
	CELL_YES,      // true or false
	CELL_LIST,     // an array of strings or numbers
	CELL_OCTETS,   // 1.5 GiB
};

struct column {
	const char *title;
	enum cell_kind kind;
	const char *key;  // "io.naps" looks into an object
	const char *port; // CELL_ENDPOINT
};

enum {
	TABLE_COLUMNS = 16,
	CELL_SIZE = 256
};

struct table { // widths grow from page to page, so a walk of any length needs one page of memory
	const struct column *columns;
	unsigned n;
	size_t widths[TABLE_COLUMNS];
	bool headed; // the titles are out
	bool colour;
};

struct columns {
	const struct column *list;
	unsigned n;
};

void table_init(struct table *t, struct columns columns, bool colour);
void table_print(struct table *t, const json_t *rows, FILE *out); // rows: an array
char *cell_format(const json_t *row, const struct column *column, char out[CELL_SIZE]);
char *duration_format(uint64_t seconds, char *out, size_t size);

// ---- escape.c: text that others wrote --------------------------------------------------------

// What would steer a terminal, or turn its writing around, becomes visible: \n, \x1b, \u202e; a
// backslash is doubled. `text` is UTF-8; what does not fit is left out whole. Returns the length.
size_t text_escape(const char *text, size_t length, char *out, size_t size);
void text_print(const char *text, FILE *out); // escaped

// ---- columns.c, rows.c, answers.c: what people see -------------------------------------------

struct columns columns_of(enum subject subject, bool detail); // n 0: not a table
extern const struct columns columns_of_status, columns_of_interfaces, columns_of_members,
	columns_of_pool, columns_of_pcp;

// Adds to a row what its table shows in other words.
void row_complete(enum subject subject, json_t *row);
json_t *rows_of_pcp(const json_t *groups); // a row for every counter that is not 0

struct answers {
	enum subject subject;
	bool json, colour;
	const char *file; // the name the person used
	FILE *out, *err;
	struct table table;
	uint64_t rows;
};

void answers_init(struct answers *a, const struct words *w, bool colour, FILE *out, FILE *err);
void answers_rows(struct answers *a, const json_t *rows);   // a page of them
void answers_done(struct answers *a, const json_t *done);   // after the last page
void answers_error(struct answers *a, const json_t *error); // the daemon said no

#endif
