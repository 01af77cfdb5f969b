// SPDX-License-Identifier: Apache-2.0
// pcpcd.h - the parts of the agent that keeps wanted ports open, and what they hand each other.
#ifndef CLI_PCPCD_H
#define CLI_PCPCD_H

#include <postern/base.h>
#include <postern/client.h>
#include <postern/log.h>
#include <postern/pcp.h>

#include <poll.h>

#define PCPCD_DEFAULT_FILE "/etc/postern/pcpcd.yaml"
#define PCPCD_DEFAULT_STATE "/var/lib/pcpcd/state"
#define PCPCD_DEFAULT_SOCKET "/run/pcpcd/status.sock"

enum pcpcd_exit {
	PCPCD_OK = 0,
	PCPCD_FAILED = 1, // something failed while starting or running; later it may not
	PCPCD_WRONG = 2,  // wrong arguments or a wrong file
};

enum {
	PCPCD_MAX_PORTS = 256,                 // entries of the file
	PCPCD_MAX_WANTS = 2 * PCPCD_MAX_PORTS, // tcp and udp of each
	PCPCD_MAX_SERVERS = 16,
	PCPCD_MAX_FILTERS = 16, // of one port
	PCPCD_MAX_COMPLAINTS = 50,
	PCPCD_NAME = 64, // octets of a text, NUL included
	PCPCD_DESCRIPTION = 256,
	PCPCD_PATH = 256,
	PCPCD_SOCKET_PATH = 108, // sun_path's
};

// ---- the file --------------------------------------------------------------------------------

struct pcpcd_want { // one mapping to be kept
	char name[PCPCD_NAME];
	char description[PCPCD_DESCRIPTION]; // empty: none
	uint8_t protocol;
	bool prefer_failure;
	uint16_t internal_port;
	uint16_t external_port; // 0: the server's choice
	uint16_t n_filters;
	uint32_t lifetime_s;
	uint32_t line;       // of the file
	unsigned importance; // after a loss the greater are asked for first
	struct pcp_filter filters[PCPCD_MAX_FILTERS];
};

struct pcpcd_conf {
	struct postern_server servers[PCPCD_MAX_SERVERS];
	unsigned n_servers; // 0: they are looked for
	bool anycast, prefer_ipv6, release_on_exit;
	uint32_t pace_ms;
	unsigned dialects; // enum postern_dialects
	char state_file[PCPCD_PATH];
	char socket[PCPCD_SOCKET_PATH];
	unsigned n_wants; // the most important first
	struct pcpcd_want wants[PCPCD_MAX_WANTS];
};

struct pcpcd_complaint {
	uint32_t line, column; // 1-based; 0: the file as a whole
	char text[400];
};

struct pcpcd_complaints {
	const char *file; // borrowed
	unsigned n, more; // more: those that did not fit
	unsigned waiting; // of all these, those that this host may meet by and by
	struct pcpcd_complaint list[PCPCD_MAX_COMPLAINTS];
};

// True: *out is what the file says. False: the complaints, in the order of the file.
bool pcpcd_conf_read(const char *file, const char *text, size_t length, struct pcpcd_conf *out,
	struct pcpcd_complaints *complaints);
bool pcpcd_conf_load(const char *file, struct pcpcd_conf *out, struct pcpcd_complaints *complaints);
// "FILE:LINE:COLUMN: what was found, what would be right" into out.
void pcpcd_complaint_format(const struct pcpcd_complaints *all, unsigned i, char *out, size_t size);

// ---- pcpcd_plan.c: what a new file changes ---------------------------------------------------

enum pcpcd_change {
	PCPCD_KEEP,    // asked for as before; only what we call it may be another
	PCPCD_NEW,     // to be asked for
	PCPCD_GONE,    // to be deleted at the servers
	PCPCD_RENEW,   // the same mapping on other terms: asked for anew, nothing is closed
	PCPCD_REPLACE, // a server keeps to the old port or filters: deleted first
};

struct pcpcd_difference {
	enum pcpcd_change change;
	const struct pcpcd_want *old, *new; // NULL where there is none
};

// Those that go stand first, then the new file's in its order; how many. `out` has room for
// 2 * PCPCD_MAX_WANTS.
unsigned pcpcd_differences(
	const struct pcpcd_conf *old, const struct pcpcd_conf *new, struct pcpcd_difference *out);
// The names of settings that differ and need a restart; how many. `names` has room for eight.
unsigned pcpcd_restart_names(
	const struct pcpcd_conf *old, const struct pcpcd_conf *new, const char **names);
const struct pcpcd_want *pcpcd_find_want(
	const struct pcpcd_conf *conf, uint8_t protocol, uint16_t internal_port);

// ---- pcpcd_say.c: what became of a port, in words --------------------------------------------

struct pcpcd_told { // what was said last about a mapping at one server
	int server;
	bool known; // this entry is in use
	bool open;
	uint16_t result; // of a refusal
	struct postern_endpoint external;
};

struct pcpcd_line {
	enum log_level level;
	char text[700];
};

#define PCPCD_SERVER_TEXT 64
// False: nothing has changed since it was said last. `want` NULL: the event is about the server.
bool pcpcd_say(struct pcpcd_told *told, const struct postern_event *event,
	const struct pcpcd_want *want, const char *server, struct pcpcd_line *out);
const char *pcpcd_advice(unsigned result); // what a result code means and what to do
char *pcpcd_server_format(const struct postern_server_fact *server, char out[PCPCD_SERVER_TEXT]);

// ---- pcpcd_status.c: what is known about every mapping ---------------------------------------

struct pcpcd_row {
	const struct pcpcd_want *want;
	const struct postern_fact *fact;          // NULL: no server is known yet
	const struct postern_server_fact *server; // NULL: likewise
};

// One JSON object, malloc'ed; NULL: no memory.
char *pcpcd_status_line(const struct pcpcd_row *row, uint64_t now_ns);
// Whether the server holds it, as far as is known: not while it is asked for after a loss.
bool pcpcd_is_open(const struct postern_fact *fact, uint64_t now_ns);

// ---- pcpcd_socket.c: who asks for it ---------------------------------------------------------

enum {
	PCPCD_MAX_READERS = 8,
	PCPCD_PATIENCE_MS = 2000, // with a reader that takes nothing
	PCPCD_FDS = 1 + PCPCD_MAX_READERS,
};

struct pcpcd_reader {
	int fd; // -1: none
	char *text;
	size_t length, at;
	ns until; // he is cut when he took nothing before
};

struct pcpcd_socket {
	int fd;
	char path[PCPCD_SOCKET_PATH];
	struct pcpcd_reader readers[PCPCD_MAX_READERS];
};

// The text for one reader, malloc'ed, and its length; NULL: no memory.
typedef char *pcpcd_teller(void *context, size_t *length);

// 0 or -errno; makes the folder when it is missing, and takes the place of a socket that nobody
// listens on.
MUST_CHECK int pcpcd_socket_open(struct pcpcd_socket *s, const char *path);
void pcpcd_socket_close(struct pcpcd_socket *s);
// What to poll for; how many of PCPCD_FDS. While there are as many readers as may be, further ones
// wait in the kernel's queue.
unsigned pcpcd_socket_watch(const struct pcpcd_socket *s, struct pollfd *fds);
ns pcpcd_socket_deadline(const struct pcpcd_socket *s); // POSTERN_NEVER: none
void pcpcd_socket_serve(struct pcpcd_socket *s, ns now, pcpcd_teller *tell, void *context);

// ---- pcpcd_agent.c: the ports ----------------------------------------------------------------

struct pcpcd_agent;

MUST_CHECK int pcpcd_agent_create(
	const struct pcpcd_conf *conf, const struct log *log, struct pcpcd_agent **out);
void pcpcd_agent_destroy(struct pcpcd_agent *a); // NULL is fine; mappings stay
int pcpcd_agent_fd(const struct pcpcd_agent *a); // readable: call pcpcd_agent_round()
// Sends, receives, tells what changed. 0 or -errno.
MUST_CHECK int pcpcd_agent_round(struct pcpcd_agent *a);
ns pcpcd_agent_deadline(const struct pcpcd_agent *a); // when a round is due by itself
// Puts a new file into force: its ports, and release-on-exit. What else differs is told.
void pcpcd_agent_change(struct pcpcd_agent *a, const struct pcpcd_conf *conf);
void pcpcd_agent_release(struct pcpcd_agent *a);        // deletes all mappings
bool pcpcd_agent_is_idle(const struct pcpcd_agent *a);  // nothing is held, nothing being deleted
bool pcpcd_agent_releases(const struct pcpcd_agent *a); // release-on-exit
pcpcd_teller pcpcd_agent_tell;                          // context: the agent
void pcpcd_agent_count(const struct pcpcd_agent *a, unsigned *n_open, unsigned *n_wanted);

// ---- the rest --------------------------------------------------------------------------------

struct pcpcd_options {
	const char *file;
	bool check;
	enum log_level level;
};

// True: go on; false: leave with *status.
bool pcpcd_options_read(int argc, char **argv, struct pcpcd_options *o, int *status);
// 32 octets that nonces are made from, kept beside the state file; made when they are missing. 0 or
// -errno.
MUST_CHECK int pcpcd_secret_read(const char *state_file, uint8_t secret[32]);
void pcpcd_notify(const struct log *log, const char *state); // sd_notify(3)

#endif
