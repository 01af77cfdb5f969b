// SPDX-License-Identifier: Apache-2.0
// The verbs of a case, one function each. A verb returns false after fail() said what is wrong.
#include "runner.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>

enum {
	MAP_PORT_AT = 42, // the assigned or suggested port of a MAP message (RFC 6887 s.11.1)
	MAP_MESSAGE = PCP_HEADER + PCP_MAP_BODY,
	SHOWN_OCTETS = 160
};

__attribute__((format(printf, 2, 3))) static bool fail(struct trial *t, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(t->why, sizeof t->why, format, args);
	va_end(args);
	return false;
}

// ---- words, numbers, octets
// ------------------------------------------------------------------------

static const char *word(const char **rest, char out[64])
{
	size_t n = 0;

	*rest += strspn(*rest, " \t");
	while (**rest != '\0' && !isspace((unsigned char)**rest) && n < 63)
		out[n++] = *(*rest)++;
	out[n] = '\0';
	return out;
}

static bool number(const char *text, uint32_t *out)
{
	char *end;
	unsigned long v = strtoul(text, &end, 10);

	*out = (uint32_t)v;
	return isdigit((unsigned char)text[0]) && *end == '\0' && v <= UINT32_MAX;
}

bool endpoint_parse(const char *text, struct endpoint *out, uint16_t default_port)
{
	char address[32];
	size_t n = strcspn(text, ":");
	uint32_t port = default_port;

	if (n >= sizeof address)
		return false;
	memcpy(address, text, n);
	address[n] = '\0';
	if (text[n] == ':' && !number(text + n + 1, &port))
		return false;
	out->port = (uint16_t)port;
	return port > 0 && port <= UINT16_MAX && ip4_parse(address, &out->addr);
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool octets(struct trial *t, const char *text, struct packet *p)
{
	p->len = 0;
	for (; *text != '\0'; text++) {
		int high = digit(text[0]), low = high < 0 ? -1 : digit(text[1]);

		if (isspace((unsigned char)*text))
			continue;
		if (low < 0 || p->len == PACKET_ROOM)
			return fail(t, "not hex, or too much of it: %.20s", text);
		p->bytes[p->len++] = (uint8_t)(high << 4 | low);
		text++;
	}
	return p->len > 0 || fail(t, "octets are missing");
}

static void show(const uint8_t *bytes, size_t len, char *out)
{
	out[0] = '\0';
	for (size_t i = 0; i < len && i < SHOWN_OCTETS; i++)
		out += sprintf(out, i % 4 == 0 && i > 0 ? " %02x" : "%02x", bytes[i]);
}

static bool compare(
	struct trial *t, const uint8_t *got, size_t got_len, const uint8_t *want, size_t want_len)
{
	char got_text[SHOWN_OCTETS * 3], want_text[SHOWN_OCTETS * 3];
	size_t at = 0;

	while (at < got_len && at < want_len && got[at] == want[at])
		at++;
	if (at == got_len && at == want_len)
		return true;
	show(got, got_len, got_text);
	show(want, want_len, want_text);
	return fail(t, "differs from octet %zu on (%zu octets, want %zu)\n  got  %s\n  want %s", at,
		got_len, want_len, got_text, want_text);
}

// ---- the world
// ---------------------------------------------------------------------------------------

static struct world *world(struct trial *t)
{
	if (t->world == NULL)
		t->world = world_open(t->file, t->yaml, strlen(t->yaml), t->why);
	return t->world;
}

static bool next_packet(struct trial *t, struct packet *p)
{
	struct world *w = world(t);
	const char *fault;

	if (w == NULL)
		return false;
	if (!world_take(w, p))
		return fail(t, "nothing came out (dropped: %s)",
			w->dropped == DROP_NONE ? "no" : drop_name(w->dropped));
	fault = packet_fault(p);
	return fault == NULL || fail(t, "what came out has a fault: %s", fault);
}

// ---- ports that the other side chooses
// -----------------------------------------------------------

static bool step_assign(struct trial *t, const char *rest)
{
	char text[64];
	uint32_t port;

	if (!number(word(&rest, text), &port) || port == 0 || port > UINT16_MAX)
		return fail(t, "assign wants a port");
	if (t->n_ports == MAX_PORTS)
		return fail(t, "too many assigned ports in one case");
	t->ports[t->n_ports++] = (struct port_name){.written = (uint16_t)port};
	return true;
}

static void bind_port(struct trial *t, uint16_t written, uint16_t actual)
{
	for (unsigned i = 0; i < t->n_ports; i++) {
		struct port_name *name = &t->ports[i];

		if (name->written == written && name->actual == 0) {
			name->actual = actual;
			return;
		}
	}
}

static uint16_t actual_port(const struct trial *t, uint16_t written)
{
	for (unsigned i = 0; i < t->n_ports; i++)
		if (t->ports[i].written == written && t->ports[i].actual != 0)
			return t->ports[i].actual;
	return written;
}

static bool is_map(const uint8_t *bytes, size_t len)
{
	return len >= MAP_MESSAGE && bytes[0] == PCP_VERSION && (bytes[1] & 0x7f) == PCP_MAP;
}

static uint16_t map_port(const uint8_t *bytes)
{
	return (uint16_t)(bytes[MAP_PORT_AT] << 8 | bytes[MAP_PORT_AT + 1]);
}

static void rename_in_map(const struct trial *t, struct packet *message)
{
	uint16_t port;

	if (!is_map(message->bytes, message->len))
		return;
	port = actual_port(t, map_port(message->bytes));
	message->bytes[MAP_PORT_AT] = (uint8_t)(port >> 8);
	message->bytes[MAP_PORT_AT + 1] = (uint8_t)port;
}

static void rename_in_packet(const struct trial *t, struct packet *p)
{
	for (unsigned i = 0; i < t->n_ports; i++)
		if (t->ports[i].actual != 0)
			packet_rename_port(
				p, t->world->conf, t->ports[i].written, t->ports[i].actual);
}

// ---- PCP
// ---------------------------------------------------------------------------------------------

static bool step_send(struct trial *t, const char *rest)
{
	char text[64];
	struct packet message, p;

	if (!endpoint_parse(word(&rest, text), &t->sender, 0))
		return fail(t, "send wants ADDRESS:PORT");
	if (!octets(t, rest, &message) || world(t) == NULL)
		return false;
	if (message.len > PACKET_ROOM - 28)
		return fail(t, "longer than this runner's packets");
	rename_in_map(t, &message);
	packet_make_udp(&p, t->sender, t->server, message.bytes, message.len);
	p.side = CONF_INSIDE;
	world_put(t->world, &p);
	return true;
}

static bool expect_datagram(struct trial *t, struct endpoint to, const char *hex)
{
	struct packet p, want;
	const uint8_t *got;
	size_t len;

	if (!octets(t, hex, &want) || !next_packet(t, &p))
		return false;
	got = packet_udp_payload(&p, t->server, to, &len);
	if (got == NULL || p.side != CONF_INSIDE)
		return fail(t, "what came out is no datagram from the server to that endpoint");
	if (is_map(want.bytes, want.len) && is_map(got, len) && got[3] == PCP_SUCCESS)
		bind_port(t, map_port(want.bytes), map_port(got));
	rename_in_map(t, &want);
	return compare(t, got, len, want.bytes, want.len);
}

static bool step_expect(struct trial *t, const char *rest)
{
	return expect_datagram(t, t->sender, rest);
}

static bool step_expect_multicast(struct trial *t, const char *rest)
{
	char text[64];
	struct endpoint to;

	if (!endpoint_parse(word(&rest, text), &to, 0))
		return fail(t, "expect-multicast wants ADDRESS:PORT");
	return expect_datagram(t, to, rest);
}

// Builds the MAP request with PREFER_FAILURE that `taken` stands for.
static size_t taken_request(uint8_t *msg, uint8_t protocol, struct endpoint ext,
	struct endpoint internal, uint32_t lifetime_s)
{
	struct pcp_message m = {
		.version = PCP_VERSION,
		.opcode = PCP_MAP,
		.lifetime_s = lifetime_s,
		.client = ip6_mapped(internal.addr),
		.nonce = {{'t', 'a', 'k', 'e', 'n'}},
		.protocol = protocol,
		.internal_port = internal.port,
		.external_port = ext.port,
		.external_ip = ip6_mapped(ext.addr),
	};
	size_t len = pcp_encode_request(msg, PACKET_ROOM, &m);

	return pcp_append_option(msg, len, PACKET_ROOM, PCP_PREFER_FAILURE, NULL, 0);
}

static bool take(struct trial *t, uint8_t protocol, struct endpoint ext, struct endpoint internal,
	uint32_t lifetime_s)
{
	struct endpoint from = {internal.addr, PCP_CLIENT_PORT};
	uint8_t msg[PACKET_ROOM];
	struct packet p = {0};
	struct pcp_message reply;
	const uint8_t *got;
	size_t len = taken_request(msg, protocol, ext, internal, lifetime_s);

	if (world(t) == NULL)
		return false;
	packet_make_udp(&p, from, t->server, msg, len);
	p.side = CONF_INSIDE;
	world_put(t->world, &p);
	if (!next_packet(t, &p))
		return false;
	got = packet_udp_payload(&p, t->server, from, &len);
	if (got == NULL || !pcp_decode_response(got, len, &reply))
		return fail(t, "taken: no answer of the server came out");
	if (reply.result != PCP_SUCCESS || reply.external_port != ext.port ||
		reply.lifetime_s != lifetime_s)
		return fail(t, "taken: not granted (%s)", pcp_result_name(reply.result));
	return true;
}

static bool step_taken(struct trial *t, const char *rest)
{
	char protocol[64], ext[64], by[64], internal[64], lifetime[64], number_text[64];
	struct endpoint e, i;
	uint32_t lifetime_s;

	word(&rest, protocol);
	word(&rest, ext);
	word(&rest, by);
	word(&rest, internal);
	word(&rest, lifetime);
	word(&rest, number_text);
	if (strcmp(by, "by") != 0 || strcmp(lifetime, "lifetime") != 0 ||
		!number(number_text, &lifetime_s) || !endpoint_parse(ext, &e, 0) ||
		!endpoint_parse(internal, &i, 0))
		return fail(t, "taken wants PROTO EXT:PORT by INT:PORT lifetime N");
	return take(t, strcmp(protocol, "tcp") == 0 ? IP_TCP : IP_UDP, e, i, lifetime_s);
}

// ---- packets
// -----------------------------------------------------------------------------------------

static bool read_packet(struct trial *t, const char *rest, struct packet *p)
{
	char side[64];

	word(&rest, side);
	if (strcmp(side, "inside") != 0 && strcmp(side, "outside") != 0)
		return fail(t, "inside or outside?");
	p->side = strcmp(side, "inside") == 0 ? CONF_INSIDE : CONF_OUTSIDE;
	return octets(t, rest, p) && world(t) != NULL;
}

static bool step_in(struct trial *t, const char *rest)
{
	struct packet p;

	if (!read_packet(t, rest, &p))
		return false;
	rename_in_packet(t, &p);
	world_put(t->world, &p);
	return true;
}

// A piece has the identification that its datagram was seen with first.
static bool bind_id(struct trial *t, uint16_t written, uint16_t actual)
{
	for (unsigned i = 0; i < t->n_ids; i++) {
		if (t->ids[i].written == written || t->ids[i].actual == actual)
			return (t->ids[i].written == written && t->ids[i].actual == actual) ||
			       fail(t, "identification %04x of a piece, %04x in the file", actual,
				       written);
	}
	if (t->n_ids == MAX_IDS)
		return fail(t, "more than %u datagrams in pieces", MAX_IDS);
	t->ids[t->n_ids++] = (struct id_name){written, actual};
	return true;
}

static bool identify(struct trial *t, struct packet *want, const struct packet *got)
{
	if (!packet_is_identified(want, t->world->conf))
		return true;
	if (packet_is_piece(want) && !bind_id(t, packet_id(want), packet_id(got)))
		return false;
	packet_set_id(want, packet_id(got));
	return true;
}

static bool step_out(struct trial *t, const char *rest)
{
	struct packet want, got;
	const char *fault;

	if (!read_packet(t, rest, &want) || !next_packet(t, &got))
		return false;
	fault = packet_fault(&want); // a new port would mend it, and hide a slip of the file
	if (fault != NULL)
		return fail(t, "what is expected has a fault: %s", fault);
	if (got.side != want.side)
		return fail(t, "it left %s", got.side == CONF_INSIDE ? "inside" : "outside");
	bind_port(t, packet_external_port(&want, t->world->conf),
		packet_external_port(&got, t->world->conf));
	rename_in_packet(t, &want);
	return identify(t, &want, &got) && compare(t, got.bytes, got.len, want.bytes, want.len);
}

static bool step_expect_drop(struct trial *t, const char *rest)
{
	char reason[64];
	const char *got;

	if (world(t) == NULL)
		return false;
	word(&rest, reason);
	if (strcmp(reason, "none") == 0)
		return t->world->dropped == DROP_NONE ||
		       fail(t, "it was dropped: %s", drop_name(t->world->dropped));
	if (t->world->dropped == DROP_NONE)
		return fail(t, "it was not dropped");
	got = drop_name(t->world->dropped);
	if (reason[0] != '\0' && strcmp(reason, got) != 0)
		return fail(t, "dropped for another reason: %s", got);
	return t->world->n_out == 0 || fail(t, "dropped, but something came out");
}

// ---- time, counters, options
// ---------------------------------------------------------------------

static bool step_time(struct trial *t, const char *rest)
{
	char text[64];
	uint32_t seconds;

	word(&rest, text);
	if (text[0] != '+' || !number(text + 1, &seconds))
		return fail(t, "time wants +N");
	if (world(t) == NULL)
		return false;
	world_pass(t->world, seconds);
	return true;
}

static bool step_time_ms(struct trial *t, const char *rest)
{
	char text[64];
	uint32_t ms;

	word(&rest, text);
	if (text[0] != '+' || !number(text + 1, &ms))
		return fail(t, "time-ms wants +N");
	if (world(t) == NULL)
		return false;
	world_pass_ms(t->world, ms);
	return true;
}

static bool step_at_epoch(struct trial *t, const char *rest)
{
	char text[64];
	uint32_t epoch_s;

	if (!number(word(&rest, text), &epoch_s))
		return fail(t, "at-epoch wants a number");
	if (world(t) == NULL)
		return false;
	world_set_epoch(t->world, epoch_s);
	return true;
}

static bool step_start(struct trial *t, const char *rest)
{
	(void)rest;
	if (world(t) == NULL)
		return false;
	world_set_epoch(t->world, 0);
	return world_announce(t->world) || fail(t, "the shard did not answer SHARD_ANNOUNCE");
}

static bool step_expect_counter(struct trial *t, const char *rest)
{
	char name[64], text[64];
	uint32_t want;
	uint64_t got;

	word(&rest, name);
	if (!number(word(&rest, text), &want))
		return fail(t, "expect-counter wants NAME N");
	if (world(t) == NULL)
		return false;
	if (!world_counter(t->world, name, &got))
		return fail(t, "no counter is called %s", name);
	return got == want || fail(t, "%s is %llu, want %u", name, (unsigned long long)got, want);
}

static bool step_option(struct trial *t, const char *rest)
{
	static const char list[] = "options: [";
	char name[64], *at = strstr(t->yaml, list), *yaml;
	size_t before;

	word(&rest, name);
	if (at == NULL || t->world != NULL)
		return fail(t, "option wants `%s` in the configuration and no step before", list);
	before = (size_t)(at - t->yaml) + strlen(list);
	yaml = malloc(strlen(t->yaml) + strlen(name) + 3);
	if (yaml == NULL)
		abort();
	sprintf(yaml, "%.*s%s, %s", (int)before, t->yaml, name, t->yaml + before);
	free(t->yaml);
	t->yaml = yaml;
	return true;
}

// ---- the table
// ---------------------------------------------------------------------------------------

static const struct verb {
	const char *name;
	bool (*run)(struct trial *t, const char *rest);
} verbs[] = {
	{"option", step_option},
	{"time", step_time},
	{"time-ms", step_time_ms},
	{"at-epoch", step_at_epoch},
	{"start", step_start},
	{"taken", step_taken},
	{"assign", step_assign},
	{"send", step_send},
	{"expect", step_expect},
	{"expect-multicast", step_expect_multicast},
	{"in", step_in},
	{"out", step_out},
	{"expect-drop", step_expect_drop},
	{"expect-counter", step_expect_counter},
};

bool trial_step(struct trial *t, const char *line)
{
	char name[64];

	word(&line, name);
	for (size_t i = 0; i < ARRAY_SIZE(verbs); i++)
		if (strcmp(verbs[i].name, name) == 0)
			return verbs[i].run(t, line);
	return fail(t, "no verb is called %s", name);
}

bool trial_end(struct trial *t)
{
	struct packet p;
	char text[SHOWN_OCTETS * 3];

	if (t->world == NULL || !world_take(t->world, &p))
		return true;
	show(p.bytes, p.len, text);
	return fail(t, "a packet nobody expected came out:\n  %s", text);
}
