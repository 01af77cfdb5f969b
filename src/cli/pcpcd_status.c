// SPDX-License-Identifier: Apache-2.0
// One line of JSON for each mapping at each server.
#include "pcpcd.h"

#include "pcpc.h"

#include <jansson.h>
#include <stdlib.h>

static const char *version_name(uint8_t dialect)
{
	switch (dialect) {
	case POSTERN_NATPMP:
		return "nat-pmp";
	case POSTERN_V1:
		return "1";
	default:
		return "2";
	}
}

static json_t *endpoint(const uint8_t octets[16], uint16_t port)
{
	char text[IP6_TEXT];
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	return json_pack("{s:s, s:i}", "address", ip6_format(ip, text), "port", (int)port);
}

static json_t *internal(const struct pcpcd_row *row)
{
	uint16_t port = row->want->internal_port;

	if (row->server && row->server->has_source)
		return endpoint(row->server->source, port);
	return json_pack("{s:n, s:i}", "address", "port", (int)port);
}

bool pcpcd_is_open(const struct postern_fact *fact, uint64_t now_ns)
{
	switch (fact->state) {
	case POSTERN_STATE_MAPPED:
	case POSTERN_STATE_REFRESHING:
	case POSTERN_STATE_ERROR_WAIT: // a renewal was refused, but the lease goes on
		return fact->expires_ns != POSTERN_NEVER && fact->expires_ns > now_ns;
	default:
		return false;
	}
}

static void add_grant(json_t *line, const struct postern_fact *fact, uint64_t now_ns)
{
	bool held = fact && pcpcd_is_open(fact, now_ns);
	const struct postern_endpoint *e = held ? &fact->want.external : NULL;

	json_object_set_new(line, "external", e ? endpoint(e->ip, e->port) : json_null());
	json_object_set_new(line, "lifetime",
		json_integer(held ? (json_int_t)((fact->expires_ns - now_ns) / NS_PER_S) : 0));
}

static void add_server(json_t *line, const struct postern_server_fact *server)
{
	char text[PCPCD_SERVER_TEXT];

	json_object_set_new(line, "server",
		server ? json_string(pcpcd_server_format(server, text)) : json_null());
	json_object_set_new(
		line, "version", server ? json_string(version_name(server->dialect)) : json_null());
	json_object_set_new(line, "server_answers", json_boolean(server && server->answers));
}

// Of the last answer; null while there was none.
static void add_result(json_t *line, const struct postern_fact *fact, uint64_t now_ns)
{
	unsigned result = fact ? fact->result : 0;
	bool answered = result != 0 || (fact && pcpcd_is_open(fact, now_ns));
	const char *name = postern_result_name(result);

	json_object_set_new(line, "result", answered ? json_integer(result) : json_null());
	json_object_set_new(line, "result_name", answered ? json_string(name) : json_null());
	if (result != 0)
		json_object_set_new(line, "advice", json_string(pcpcd_advice(result)));
}

char *pcpcd_status_line(const struct pcpcd_row *row, uint64_t now_ns)
{
	const struct pcpcd_want *w = row->want;
	enum postern_state state = row->fact ? row->fact->state : POSTERN_STATE_NOT_SENT;
	char protocol[4], *text;
	json_t *line = json_pack("{s:s, s:s, s:s}", "name", w->name, "state",
		postern_state_name(state), "protocol", pcpc_protocol_text(w->protocol, protocol));

	if (!line)
		return NULL;
	json_object_set_new(line, "internal", internal(row));
	add_grant(line, row->fact, now_ns);
	add_server(line, row->server);
	add_result(line, row->fact, now_ns);
	if (w->description[0] != '\0')
		json_object_set_new(line, "description", json_string(w->description));
	text = json_dumps(line, JSON_COMPACT);
	json_decref(line);
	return text;
}
