// SPDX-License-Identifier: Apache-2.0
// pcpc.h - the parts of the PCP client tool and what they hand each other.
#ifndef CLI_PCPC_H
#define CLI_PCPC_H

#include <postern/base.h>
#include <postern/client.h>

enum pcpc_exit {
	PCPC_OK = 0,
	PCPC_REFUSED = 1,
	PCPC_USAGE = 2,
	PCPC_NO_ANSWER = 3,
};

enum pcpc_command {
	PCPC_ANNOUNCE,
	PCPC_MAP,
	PCPC_RENEW,
	PCPC_DELETE,
};

struct pcpc_options {
	enum pcpc_command command;
	struct postern_mapping mapping; // protocol, port, wish, lifetime, nonce as given
	bool has_server, has_source, has_external;
	bool raw, json;
	struct postern_endpoint server; // port 5351 unless given
	uint8_t source[16];
	uint32_t timeout_s; // 0: no limit
	const char *state_path;
};

// ---- pcpc_options.c: 0 to go on, otherwise -1 and *exit_code says what to leave with
int pcpc_options_read(struct pcpc_options *o, int argc, char **argv, int *exit_code);

// ---- pcpc_parse.c: words of the command line; false when they are not what they should be
bool pcpc_parse_number(const char *text, uint32_t max, uint32_t *out);
bool pcpc_parse_seconds(const char *text, uint32_t *out);   // 90, 2m, 1h, 1d
bool pcpc_parse_protocol(const char *text, uint8_t *out);   // tcp, udp, 1..255
bool pcpc_parse_address(const char *text, uint8_t out[16]); // IPv4 or IPv6
bool pcpc_parse_nonce(const char *text, uint8_t out[12]);   // 24 hex digits
bool pcpc_parse_endpoint(const char *text, uint16_t port, struct postern_endpoint *out);

#define PCPC_ENDPOINT_TEXT (IP6_TEXT + 8)
char *pcpc_format_endpoint(const struct postern_endpoint *e, char out[PCPC_ENDPOINT_TEXT]);
char *pcpc_format_hex(const uint8_t *octets, size_t n, char *out); // 2 * n + 1 characters
const char *pcpc_protocol_text(uint8_t protocol, char out[4]);

// ---- pcpc_net.c: sockets and routes; 0 or -errno
int pcpc_default_gateway(struct postern_endpoint *out);
// A UDP socket connected to `server`, from `source` unless NULL; *local is what it got.
int pcpc_open(const struct postern_endpoint *server, const uint8_t *source,
	struct postern_endpoint *local);
// Hears restart announcements (RFC 6887 s.14.1.1). IPv4 only.
int pcpc_open_announcements(const struct postern_endpoint *local);
// Who sent the datagram in `from` (a struct sockaddr_storage).
struct postern_endpoint pcpc_endpoint_of(const void *from);

// ---- pcpc_state.c: the nonces of earlier runs
struct pcpc_memory {
	struct postern_endpoint server;
	uint8_t source[16];
	uint8_t protocol;
	uint16_t port;
	uint8_t nonce[12];
	struct postern_endpoint external; // last assigned
	uint64_t until;                   // wall clock, seconds: may be forgotten a day later
};

// Where the file is when --state does not say. False when there is no home for it.
bool pcpc_state_default_path(char *out, size_t size);
// Looks for server, source, protocol and port of *m and fills the rest. 0, -ENOENT or -errno.
int pcpc_state_find(const char *path, struct pcpc_memory *m);
// Remembers *m, or forgets it. Replaces the file as a whole; other runs wait meanwhile. 0 or
// -errno.
int pcpc_state_put(const char *path, const struct pcpc_memory *m);
int pcpc_state_drop(const char *path, const struct pcpc_memory *m);

// ---- pcpc_show.c: what people and programs read
struct json_t;

struct pcpc_show {
	const struct pcpc_options *options;
	struct postern_endpoint server;
	uint8_t source[16];
	struct json_t *datagrams; // --raw --json: since the last result
};

void pcpc_show_datagram(struct pcpc_show *show, bool sent, const uint8_t *octets, size_t n);
void pcpc_show_result(struct pcpc_show *show, const struct postern_result *r);
void pcpc_show_silence(struct pcpc_show *show, bool unreachable);
void pcpc_complain(const char *format, ...) __attribute__((format(printf, 1, 2)));

// ---- pcpc_session.c
int pcpc_session_run(const struct pcpc_options *o); // enum pcpc_exit

#endif
