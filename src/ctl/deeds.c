// SPDX-License-Identifier: Apache-2.0
// What an operator does to mappings: adds, deletes, clears, resets. What control can see to be
// wrong is refused before a shard is asked, and whatever a shard refuses is said with what to do
// about it.
#include "state.h"

#include <errno.h>

// ---- groups ----------------------------------------------------------------------------------

void deeds_start(struct ctl *ctl, struct client *c)
{
	const char *name = c->request.filter.group;
	uint8_t group = ask_find_group(ctl, name);

	if (group == UINT8_MAX) {
		client_error(c, "not-found", "there is no NAT group \"%.32s\"", name);
	} else if (c->request.kind == REQUEST_RESET_EPOCH) {
		errands_reset_epoch(ctl, group, "the operator asked for it");
		client_done(c, json_object());
	} else {
		errands_clear_group(ctl, group);
		c->ask = (struct ask){.state = ASK_ERRAND, .since = ctl->now};
		c->ask.wish.group = group;
	}
}

// ---- a mapping to be added -------------------------------------------------------------------

static bool is_pcp_port(const struct nat_key *key, uint16_t port)
{
	return key->protocol == NAT_UDP && (port == PCP_SERVER_PORT || port == PCP_CLIENT_PORT);
}

static bool check_ports(struct client *c, const struct shard_wish *wish)
{
	if (wish->key.protocol != NAT_UDP && wish->key.protocol != NAT_TCP)
		client_error(c, "bad-request", "only udp and tcp mappings can be added");
	else if (wish->key.port == 0)
		client_error(c, "bad-request", "\"port\" must be a number from 1 to 65535");
	else if (is_pcp_port(&wish->key, wish->key.port) ||
		 is_pcp_port(&wish->key, wish->external.port))
		client_error(c, "bad-request", "UDP ports %d and %d belong to PCP", PCP_CLIENT_PORT,
			PCP_SERVER_PORT);
	else if (c->request.kind == REQUEST_ADD_STATIC && wish->external.port == 0)
		client_error(c, "bad-request", "a static mapping needs \"external\" with :PORT");
	else
		return true;
	return false;
}

static const struct conf_external *find_external(const struct conf *conf, ip4 address)
{
	const struct conf_local *local = conf_find_local(conf, 0, address);

	return local && local->kind == CONF_LOCAL_POOL ? &conf->external[local->index] : NULL;
}

static bool check_external(struct ctl *ctl, struct client *c, const struct shard_wish *wish)
{
	const struct conf_external *e = find_external(ctl->conf, wish->external.addr);
	char text[IP4_TEXT];

	if (wish->external.addr == 0 || (e && e->group == wish->group))
		return true;
	client_error(c, "not-found",
		"%s is no external address of NAT group \"%s\", which serves this subscriber; "
		"\"show groups\" lists them",
		ip4_format(wish->external.addr, text), ctl->conf->groups[wish->group].name);
	return false;
}

static void fill_text(const struct request_filter *f, struct shard_wish *wish)
{
	if (!f->description)
		return;
	wish->text_length = (uint8_t)f->description_length;
	memcpy(wish->text, f->description, f->description_length);
}

bool deeds_prepare(struct ctl *ctl, struct client *c)
{
	const struct request_filter *f = &c->request.filter;
	struct shard_wish *wish = &c->ask.wish;

	if (wish->kind != SHARD_ADD_MAPPING)
		return true;
	uint32_t group = conf_group_of(ctl->conf, wish->key.realm, wish->key.host);
	if (group == PREFIX_NONE) {
		client_error(c, "not-found", "no NAT group has this subscriber");
		return false;
	}
	wish->group = (uint8_t)group;
	if (!check_ports(c, wish) || !check_external(ctl, c, wish))
		return false;
	if (c->request.kind == REQUEST_ADD_MAPPING)
		wish->lifetime_s =
			f->lifetime_s ? f->lifetime_s : ctl->conf->groups[group].pcp.lifetime_max_s;
	fill_text(f, wish);
	return true;
}

// ---- how a deed ended ------------------------------------------------------------------------

static void explain_other_worker(struct ctl *ctl, struct client *c, const struct shard_wish *wish)
{
	const struct conf_external *e = find_external(ctl->conf, wish->external.addr);
	char text[IP4_TEXT];

	ip4_format(wish->external.addr, text);
	if (!e)
		client_error(c, "other-worker", "%s is no external address any more", text);
	else
		client_error(c, "other-worker",
			"%s:%u belongs to worker %u, this subscriber to worker %u: leave "
			"\"external\" away or take one of that worker (\"show groups\"); only a "
			"static mapping of the configuration can cross workers",
			text, wish->external.port,
			conf_outside_owner(ctl->conf, e, wish->key.protocol, wish->external.port),
			c->ask.shard);
}

static void explain_addition(struct ctl *ctl, struct client *c, int error)
{
	switch (error) {
	case -EXDEV:
		explain_other_worker(ctl, c, &c->ask.wish);
		break;
	case -EEXIST:
		client_error(c, "exists",
			"this internal port has another mapping, or the external port is taken or "
			"rests: look with \"show mappings\" and delete that one first, or take "
			"another port");
		break;
	case -EAGAIN:
		client_error(c, "hold-down",
			"the external port rests after its last mapping; try again in %u seconds "
			"(pcp-hold-down), or take another port",
			ctl->conf->timers.pcp_hold_down);
		break;
	case -EDQUOT:
		client_error(c, "quota",
			"the subscriber has as many ports or leases as its NAT group allows "
			"(port-limit, pcp.mappings-per-subscriber)");
		break;
	case -ENOSPC:
		client_error(c, "full",
			"this worker has no free port or no room for another mapping; see "
			"\"show workers\" and \"limits\" in the configuration");
		break;
	default:
		client_error(
			c, "not-found", "the worker does not know that external address (yet)");
	}
}

static void explain(struct ctl *ctl, struct client *c, int error)
{
	bool subscriber = c->ask.wish.kind == SHARD_CLEAR_SUBSCRIBER ||
			  c->ask.wish.kind == SHARD_SHOW_LEASES ||
			  (c->ask.wish.kind == SHARD_SHOW_SESSIONS && !c->ask.wish.key.protocol);
	bool addition = c->ask.wish.kind == SHARD_ADD_MAPPING;

	if (error == -EPERM && addition)
		client_error(c, "static",
			"a static mapping of the configuration stands there; change it there");
	else if (error == -EPERM)
		client_error(c, "static",
			"a static mapping is removed from the configuration, not here");
	else if (addition && (error == -ENOENT || error == -EXDEV || error == -EEXIST ||
				     error == -EAGAIN || error == -EDQUOT || error == -ENOSPC))
		explain_addition(ctl, c, error);
	else if (error == -ENOENT)
		client_error(c, "not-found", "there is no such %s",
			subscriber ? "subscriber" : "mapping");
	else
		client_error(c, "failed", "%s", strerror(-error));
}

void deeds_end(struct ctl *ctl, struct client *c, const struct shard_answer *answer)
{
	char text[IP4_TEXT];

	if (answer->error) {
		explain(ctl, c, answer->error);
		return;
	}
	ip4_format(c->ask.wish.key.host, text);
	if (c->ask.wish.kind == SHARD_CLEAR_SUBSCRIBER)
		log_notice(ctl->log, "subscriber %s: the operator cleared its mappings", text);
	if (c->ask.wish.kind == SHARD_ADD_MAPPING)
		client_done(c, row_of_mapping(ctl, c->ask.shard, &answer->mapping));
	else
		client_done(c, json_object());
}
