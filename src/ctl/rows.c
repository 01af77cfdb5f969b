// SPDX-License-Identifier: Apache-2.0
// What a shard says about a mapping or a subscriber, with numbers turned into the names of the
// configuration in force. A thing may outlive its group or interface for a moment; then the number
// is shown.
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

static json_t *nonce_text(const uint8_t nonce[12])
{
	char text[25];

	for (unsigned i = 0; i < 12; i++)
		snprintf(text + 2 * i, 3, "%02x", nonce[i]);
	return json_string(text);
}

static void add_lease(json_t *row, const struct nat_view *v)
{
	json_object_set_new(row, "lifetime_left_s", json_integer(v->lease_left_s));
	json_object_set_new(row, "nonce", nonce_text(v->nonce));
	if (v->kind != NAT_EXPLICIT)
		return;
	json_object_set_new(row, "client", row_address(v->client));
	json_object_set_new(row, "client_port", json_integer(v->client_port));
}

json_t *row_of_mapping(const struct ctl *ctl, uint16_t shard, const struct nat_view *v)
{
	json_t *row = json_pack("{s:s,s:o,s:i,s:o,s:o,s:i,s:s,s:o,s:i}", "protocol",
		request_protocol_name(v->key.protocol), "internal_address",
		row_address(v->key.host), "internal_port", v->key.port, "realm",
		name_or_number(row_realm_name(ctl->conf, v->key.realm), v->key.realm),
		"external_address", row_address(v->external.addr), "external_port",
		v->external.port, "kind", request_kind_name(v->kind), "group",
		name_or_number(row_group_name(ctl->conf, v->group), v->group), "shard", shard);

	if (!row)
		return NULL;
	json_object_set_new(row, "replied", json_boolean(v->replied));
	if (v->traffic)
		json_object_set_new(row, "idle_left_s", json_integer(v->idle_left_s));
	if (v->kind == NAT_EXPLICIT || v->kind == NAT_RESTING)
		add_lease(row, v);
	return row;
}

json_t *row_of_subscriber(
	const struct ctl *ctl, uint16_t shard, const struct nat_subscriber_view *v)
{
	uint64_t epoch_s = row_epoch_s(ctl, v->group, v->epoch_base_s);

	return json_pack("{s:o,s:o,s:o,s:o,s:{s:I,s:I,s:I},s:I,s:I,s:i,s:I}", "address",
		row_address(v->host), "group",
		name_or_number(row_group_name(ctl->conf, v->group), v->group), "realm",
		name_or_number(row_realm_name(ctl->conf, v->realm), v->realm), "external_address",
		row_address(v->external), "ports", "udp", (json_int_t)v->n_ports[0], "tcp",
		(json_int_t)v->n_ports[1], "icmp", (json_int_t)v->n_ports[2], "blocks",
		(json_int_t)v->n_blocks, "leases", (json_int_t)v->n_leases, "shard", (int)shard,
		"epoch_s", (json_int_t)epoch_s);
}
