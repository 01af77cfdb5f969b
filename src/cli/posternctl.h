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

// ---- words.c: the command line ---------------------------------------------------------------

enum subject {
	SUBJECT_VERSION,
	SUBJECT_STATUS,
	SUBJECT_PORTS,
	SUBJECT_WORKERS,
	SUBJECT_GROUPS,
	SUBJECT_SUBSCRIBERS,
	SUBJECT_MAPPINGS,
	SUBJECT_COUNTERS,
	SUBJECT_NEIGHBOURS,
	SUBJECT_DELETE,
	SUBJECT_CLEAR,
	SUBJECT_CHECK,
	SUBJECT_APPLY,
	SUBJECT_CONFIG,
};

struct words {
	const char *socket; // NULL: not said
	bool json, plain, help, version;
	enum subject subject;
	json_t *request;  // without limit, cursor, file and text
	uint64_t limit;   // rows in all; 0: all there are
	bool paged;       // follow the cursor
	const char *file; // to be sent along; NULL: none
};

// False with a sentence in why. *out needs words_fini() in any case.
bool words_parse(int argc, char *const *argv, struct words *out, char *why, size_t why_size);
void words_fini(struct words *w);
void words_help(FILE *out);

// ---- link.c: the daemon's socket -------------------------------------------------------------

struct link;

// NULL with errno.
struct link *link_open(const char *path);
void link_close(struct link *l); // NULL is fine
int link_descriptor(const struct link *l);
// False with errno.
bool link_send(struct link *l, const json_t *request);
// The next line the daemon sent; NULL with errno (0: it closed the connection; EPROTO: no JSON).
json_t *link_receive(struct link *l);

// ---- table.c: columns ------------------------------------------------------------------------

enum cell_kind {
	CELL_TEXT,     // a string, as it is
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

void table_init(struct table *t, const struct column *columns, unsigned n, bool colour);
void table_print(struct table *t, const json_t *rows, FILE *out); // rows: an array
char *cell_format(const json_t *row, const struct column *column, char out[CELL_SIZE]);
char *duration_format(uint64_t seconds, char *out, size_t size);

// ---- answers.c: what people see --------------------------------------------------------------

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
