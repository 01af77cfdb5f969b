// SPDX-License-Identifier: Apache-2.0
// What a shard says about a mapping, a subscriber or a PCP client, with numbers turned into the
// names of the configuration in force. A thing may outlive its group or interface for a moment;
// then the number is shown.
#include "state.h"

#include <stdio.h>

json_t *row_text(const char *text)
{
	char copy[512];
	size_t n = 0;
	json_t *json = json_string(text);

	if (json)
		return json;
	for (; text[n] && n < sizeof copy - 1; n++)
		copy[n] = (unsigned char)text[n] < 0x80 ? text[n] : '?';
	copy[n] = '\0';
	return json_string(copy);
}

json_t *row_address(ip4 address)
{
	char text[IP4_TEXT];

	return json_string(ip4_format(address, text));
}

const char *row_realm_name(const struct conf *conf, uint8_t realm)
{
	for (unsigned i = 0; i < conf->n_interfaces; i++) {
		const struct conf_interface *iface = &conf->interfaces[i];
		if (iface->side == CONF_INSIDE && iface->realm == realm)
			return iface->name;
	}
	return NULL;
}

bool row_find_realm(const struct conf *conf, const char *name, uint8_t *out)
{
	for (unsigned i = 0; i < conf->n_interfaces; i++) {
		const struct conf_interface *iface = &conf->interfaces[i];
		if (iface->side == CONF_INSIDE && strcmp(iface->name, name) == 0) {
			*out = iface->realm;
			return true;
		}
	}
	return false;
}

const char *row_group_name(const struct conf *conf, uint8_t group)
{
	bool used = group < CONF_MAX_GROUPS && conf->groups[group].used;

	return used ? conf->groups[group].name : NULL;
}

static json_t *name_or_number(const char *name, uint8_t number)
{
	char text[8];

	if (name)
		return row_text(name);
	snprintf(text, sizeof text, "#%u", number);
	return json_string(text);
}

// What a client is told: the age of the later of the group's origin and his own (design D5).
uint64_t row_epoch_s(const struct ctl *ctl, uint8_t group, uint32_t own_base_s)
{
	ns base = group < NAT_MAX_GROUPS
			  ? __atomic_load_n(&io_epochs(ctl->io)->base_ns[group], __ATOMIC_RELAXED)
			  : 0;
	ns own = own_base_s * NS_PER_S;

	base = own > base ? own : base;
	return ctl->now > base ? (ctl->now - base) / NS_PER_S : 0;
}

json_t *row_group(const struct conf *conf, uint8_t group)
{
	return name_or_number(row_group_name(conf, group), group);
}

json_t *row_realm(const struct conf *conf, uint8_t realm)
{
	return name_or_number(row_realm_name(conf, realm), realm);
}

// ---- mappings and leases ---------------------------------------------------------------------

static bool has_lease(const struct nat_view *v)
{
	return v->kind == NAT_EXPLICIT || v->kind == NAT_PEER || v->kind == NAT_RESTING;
}

static void add_client(json_t *row, const struct conf *conf, const struct nat_view *v)
{
	json_object_set_new(row, "client", row_address(v->client));
	json_object_set_new(row, "client_port", json_integer(v->client_port));
	json_object_set_new(row, "client_realm", row_realm(conf, v->client_realm));
	json_object_set_new(row, "dialect", json_string(pcp_dialect_name(v->dialect)));
	json_object_set_new(row, "third_party", json_boolean(v->third_party));
	json_object_set_new(row, "prefer_failure", json_boolean(v->exact));
}

// A nonce is what protects a lease (RFC 6887 s.18): whether there is one is told, never which.
static void add_lease(json_t *row, const struct conf *conf, const struct nat_view *v)
{
	json_object_set_new(row, "lifetime_left_s", json_integer(v->lease_left_s));
	json_object_set_new(row, "has_nonce", json_boolean(v->has_nonce));
	if (v->kind == NAT_RESTING)
		return;
	if (!v->operators)
		add_client(row, conf, v);
	json_object_set_new(row, "moved", json_boolean(v->moved));
	json_object_set_new(row, "filter_count", json_integer(v->n_filters));
	json_object_set_new(row, "description_octets", json_integer(v->text_length));
}

json_t *row_of_mapping(const struct ctl *ctl, uint16_t shard, const struct nat_view *v)
{
	json_t *row = json_pack("{s:s,s:o,s:i,s:o,s:o,s:i,s:i,s:s,s:o,s:i}", "protocol",
		request_protocol_name(v->key.protocol), "internal_address",
		row_address(v->key.host), "internal_port", v->key.port, "realm",
		row_realm(ctl->conf, v->key.realm), "external_address",
		row_address(v->external.addr), "external_port", v->external.port, "ports",
		v->n_ports ? v->n_ports : 1, "kind", request_kind_name(v->kind), "group",
		row_group(ctl->conf, v->group), "shard", shard);

	if (!row)
		return NULL;
	json_object_set_new(row, "replied", json_boolean(v->replied));
	json_object_set_new(row, "operator", json_boolean(v->operators));
	if (v->traffic)
		json_object_set_new(row, "idle_left_s", json_integer(v->idle_left_s));
	if (v->remote.addr) {
		json_object_set_new(row, "remote_address", row_address(v->remote.addr));
		json_object_set_new(row, "remote_port", json_integer(v->remote.port));
	}
	if (has_lease(v))
		add_lease(row, ctl->conf, v);
	return row;
}

void row_add_filter(json_t *row, const struct nat_filter *filter)
{
	json_t *list = json_object_get(row, "filters");
	char text[IP4_TEXT];

	if (!list && json_object_set_new(row, "filters", json_array()) == 0)
		list = json_object_get(row, "filters");
	ip4_format(filter->address, text);
	json_array_append_new(
		list, json_pack("{s:o,s:i}", "prefix", json_sprintf("%s/%u", text, filter->bits),
			      "port", filter->port));
}

// Whatever a client sent as its text stands here as a JSON string.
void row_add_text(json_t *row, const struct shard_text *text)
{
	uint8_t length = text->length <= NAT_DESCRIPTION ? text->length : NAT_DESCRIPTION;
	json_t *value = json_stringn((const char *)text->octets, length);
	char copy[NAT_DESCRIPTION];

	for (uint8_t i = 0; i < length; i++)
		copy[i] = text->octets[i] < 0x80 ? (char)text->octets[i] : '?';
	if (!value) // no UTF-8
		value = json_stringn(copy, length);
	json_object_set_new(row, "description", value);
}

// ---- sessions --------------------------------------------------------------------------------

static const char *state_name(uint8_t state)
{
	static const char *const names[NAT_STATES] = {[NAT_CLOSED] = "closed",
		[NAT_I_INIT] = "internal-syn",
		[NAT_E_INIT] = "external-syn",
		[NAT_ESTABLISHED] = "established",
		[NAT_I_FIN] = "internal-fin",
		[NAT_E_FIN] = "external-fin",
		[NAT_BOTH_FIN] = "both-fin",
		[NAT_TRANS] = "transitory",
		[NAT_OPEN] = "open"};

	return state < NAT_STATES ? names[state] : "unknown";
}

json_t *row_of_session(const struct ctl *ctl, uint16_t shard, const struct nat_session_view *v)
{
	json_t *row = json_pack("{s:s,s:o,s:i,s:o,s:o,s:i,s:o,s:i,s:s,s:o,s:I,s:i}", "protocol",
		request_protocol_name(v->key.protocol), "internal_address",
		row_address(v->key.host), "internal_port", v->key.port, "realm",
		row_realm(ctl->conf, v->key.realm), "external_address",
		row_address(v->external.addr), "external_port", v->external.port, "remote_address",
		row_address(v->remote.addr), "remote_port", v->remote.port, "state",
		state_name(v->state), "group", row_group(ctl->conf, v->group), "idle_left_s",
		(json_int_t)v->left_s, "shard", shard);

	return row;
}

// ---- hosts -----------------------------------------------------------------------------------

json_t *row_of_client(const struct ctl *ctl, uint16_t shard, const struct server_client *client)
{
	uint64_t now_s = ctl->now / NS_PER_S;
	uint64_t silent_s = now_s > client->seen_s ? now_s - client->seen_s : 0;

	return json_pack("{s:o,s:o,s:o,s:i,s:s,s:I,s:I,s:I,s:i}", "address",
		row_address(client->address), "realm", row_realm(ctl->conf, client->realm), "group",
		row_group(ctl->conf, client->group), "port", (int)client->port, "dialect",
		pcp_dialect_name(client->dialect), "requests", (json_int_t)client->requests,
		"refused", (json_int_t)client->refused, "silent_s", (json_int_t)silent_s, "shard",
		(int)shard);
}

json_t *row_of_subscriber(
	const struct ctl *ctl, uint16_t shard, const struct nat_subscriber_view *v)
{
	uint64_t epoch_s = row_epoch_s(ctl, v->group, v->epoch_base_s);

	return json_pack("{s:o,s:o,s:o,s:o,s:{s:I,s:I,s:I},s:I,s:I,s:I,s:i,s:I}", "address",
		row_address(v->host), "group", row_group(ctl->conf, v->group), "realm",
		row_realm(ctl->conf, v->realm), "external_address", row_address(v->external),
		"ports", "udp", (json_int_t)v->n_ports[0], "tcp", (json_int_t)v->n_ports[1], "icmp",
		(json_int_t)v->n_ports[2], "blocks", (json_int_t)v->n_blocks, "leases",
		(json_int_t)v->n_leases, "sessions", (json_int_t)v->n_sessions, "shard", (int)shard,
		"epoch_s", (json_int_t)epoch_s);
}
