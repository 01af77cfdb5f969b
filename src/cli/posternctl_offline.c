// SPDX-License-Identifier: Apache-2.0
// Who had an external port, from files alone (RFC 7422 s.4): a configuration, or the history of
// deterministic plans that posternd keeps. No daemon is asked.
#include "posternctl_offline.h"

#include <errno.h>
#include <stdlib.h>

// ---- a plan out of one line of the history ---------------------------------------------------

static bool get_port(const json_t *line, const char *name, uint16_t *out)
{
	json_int_t n = json_integer_value(json_object_get(line, name));

	*out = (uint16_t)n;
	return n > 0 && n <= UINT16_MAX;
}

static bool get_prefixes(const json_t *list, struct offline_plan *out)
{
	out->inside = calloc(json_array_size(list) + 1, sizeof *out->inside);
	for (size_t i = 0; out->inside && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !prefix4_parse(text, &out->inside[i], NULL))
			return false;
		out->plan.n_hosts += UINT32_C(1) << (32 - out->inside[i].bits);
	}
	out->plan.inside = out->inside;
	out->plan.n_inside = (uint32_t)json_array_size(list);
	return out->inside && out->plan.n_inside > 0;
}

static bool get_addresses(const json_t *list, struct offline_plan *out)
{
	out->external = calloc(json_array_size(list) + 1, sizeof *out->external);
	for (size_t i = 0; out->external && i < json_array_size(list); i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (!text || !ip4_parse(text, &out->external[i]))
			return false;
	}
	out->plan.external = out->external;
	out->plan.n_external = (uint32_t)json_array_size(list);
	return out->external && out->plan.n_external > 0;
}

// Lines of before it was kept are as good as any.
static uint32_t get_most(const json_t *line)
{
	json_int_t n = json_integer_value(json_object_get(line, "max_ports_per_host"));

	return n > 0 && n <= UINT32_MAX ? (uint32_t)n : 0;
}

bool offline_plan_read(const json_t *line, struct offline_plan *out)
{
	json_int_t per_address = json_integer_value(json_object_get(line, "hosts_per_address"));
	struct nat_plan *plan = &out->plan;

	*out = (struct offline_plan){.ports_most = get_most(line)};
	plan->hosts_per_address = (uint32_t)per_address;
	if (per_address > 0 && per_address <= UINT16_MAX &&
		get_port(line, "port_first", &plan->port_first) &&
		get_port(line, "port_last", &plan->port_last) &&
		get_port(line, "ports_per_host", &plan->ports_per_host) &&
		get_port(line, "port_set_size", &plan->port_set_size) &&
		get_prefixes(json_object_get(line, "inside"), out) &&
		get_addresses(json_object_get(line, "external"), out))
		return true;
	offline_plan_fini(out);
	return false;
}

void offline_plan_fini(struct offline_plan *p)
{
	free(p->inside);
	free(p->external);
	*p = (struct offline_plan){0};
}

// ---- looking in a plan, in a configuration, in a history -------------------------------------

static void found_in_plan(const struct nat_plan *plan, const char *group, struct offline_found *out)
{
	ip4 host;
	enum nat_plan_place place = nat_plan_reverse(plan, out->external, out->port, &host);

	if (place == NAT_PLAN_NONE)
		return;
	out->place = (uint8_t)place;
	snprintf(out->group, sizeof out->group, "%s", group);
	if (place == NAT_PLAN_HOST) {
		out->host = host;
		nat_plan_forward(plan, host, &out->share);
	}
}

static bool is_static(const struct conf *c, struct offline_found *out)
{
	for (uint32_t i = 0; i < c->n_statics; i++) {
		const struct conf_static *s = &c->statics[i];

		if (s->external.addr != out->external || s->external.port != out->port ||
			(out->protocol != 0 && s->key.protocol != out->protocol))
			continue;
		out->is_static = true;
		out->host = s->key.host;
		out->place = NAT_PLAN_HOST;
		snprintf(out->group, sizeof out->group, "%s", c->groups[s->group].name);
		return true;
	}
	return false;
}

void offline_in_conf(const struct conf *c, struct offline_found *out)
{
	if (is_static(c, out))
		return;
	for (uint16_t g = 0; g < c->n_groups && out->place == NAT_PLAN_NONE; g++) {
		const struct conf_group *group = &c->groups[g];

		if (group->used && group->nat.plan)
			found_in_plan(group->nat.plan, group->name, out);
	}
}

static void forget(struct offline_found *out)
{
	out->place = NAT_PLAN_NONE;
	out->host = 0;
	out->share = (struct nat_share){0};
	out->group[0] = '\0';
	out->ports_most = 0;
	out->since_ms = 0;
}

// The plan is told again each day: what it says of the port holds since it said so first.
static bool is_told_again(const struct offline_found *before, const struct offline_found *now)
{
	return before->place == now->place && before->host == now->host &&
	       before->share.first == now->share.first && before->share.last == now->share.last &&
	       strcmp(before->group, now->group) == 0;
}

static void take_plan(const struct offline_plan *p, const char *group, uint64_t at_ms,
	const struct offline_found *before, struct offline_found *out)
{
	found_in_plan(&p->plan, group, out);
	if (out->place == NAT_PLAN_NONE)
		return;
	out->ports_most = p->ports_most;
	out->since_ms = is_told_again(before, out) ? before->since_ms : at_ms;
}

// A line says that its group has this plan from then on, or still; or with "plan": null that it has
// none any more; or that the daemon started, and nothing from before holds.
static void take_line(const json_t *line, struct offline_found *out)
{
	const char *event = json_string_value(json_object_get(line, "event"));
	const char *group = json_string_value(json_object_get(line, "group"));
	const char *time = json_string_value(json_object_get(line, "time"));
	struct offline_found before = *out;
	struct offline_plan p;
	uint64_t at_ms;

	if (!time || !value_time(time, 0, &at_ms) || at_ms > out->at_ms)
		return;
	if (event && strcmp(event, "started") == 0) // with other plans, perhaps
		forget(out);
	if (!group)
		return;
	if (strcmp(out->group, group) == 0) // a later plan of the same group counts instead
		forget(out);
	if (!offline_plan_read(line, &p))
		return;
	if (out->place == NAT_PLAN_NONE)
		take_plan(&p, group, at_ms, &before, out);
	offline_plan_fini(&p);
}

bool offline_in_history(FILE *in, struct offline_found *out)
{
	char *text = NULL;
	size_t size = 0;

	while (getline(&text, &size, in) > 0) {
		json_t *line = json_loads(text, 0, NULL);

		if (line) // a line that a crash cut short is none
			take_line(line, out);
		json_decref(line);
	}
	free(text);
	return !ferror(in);
}

// ---- saying it -------------------------------------------------------------------------------

static json_t *found_json(const struct offline_found *f)
{
	char external[IP4_TEXT], host[IP4_TEXT], time[TIME_TEXT];
	json_t *o = json_pack("{s:s, s:i}", "external_address", ip4_format(f->external, external),
		"external_port", f->port);

	static const char *const places[] = {"nobody", "subscriber", "overflow"};
	json_object_set_new(o, "holder", json_string(places[f->place]));
	if (f->place != NAT_PLAN_NONE)
		json_object_set_new(o, "group", json_string(f->group));
	if (f->place == NAT_PLAN_HOST)
		json_object_set_new(o, "subscriber", json_string(ip4_format(f->host, host)));
	if (f->is_static)
		json_object_set_new(o, "kind", json_string("static"));
	if (f->share.last != 0) {
		json_object_set_new(o, "port_first", json_integer(f->share.first));
		json_object_set_new(o, "port_last", json_integer(f->share.last));
	}
	if (f->ports_most != 0)
		json_object_set_new(o, "max_ports_per_host", json_integer(f->ports_most));
	if (f->since_ms != 0)
		json_object_set_new(o, "since", json_string(time_format(f->since_ms, time)));
	return o;
}

static void found_text(const struct offline_found *f, FILE *out)
{
	char external[IP4_TEXT], host[IP4_TEXT], time[TIME_TEXT];

	fprintf(out, "%s:%u ", ip4_format(f->external, external), f->port);
	if (f->place == NAT_PLAN_NONE)
		fputs("belongs to no deterministic plan and no static mapping there", out);
	else if (f->place == NAT_PLAN_OVERFLOW)
		fprintf(out, "is in the overflow part of group %s: the NAT log has its blocks",
			f->group);
	else if (f->is_static)
		fprintf(out, "is a static mapping of %s in group %s", ip4_format(f->host, host),
			f->group);
	else
		fprintf(out, "belongs to %s, who has ports %u to %u of it, in group %s",
			ip4_format(f->host, host), f->share.first, f->share.last, f->group);
	if (f->since_ms != 0)
		fprintf(out, ", by the plan of %s", time_format(f->since_ms, time));
	fputc('\n', out);
}

void offline_say(const struct offline_found *f, bool json, FILE *out)
{
	if (!json) {
		found_text(f, out);
		return;
	}
	json_t *o = found_json(f);
	json_dumpf(o, out, JSON_COMPACT);
	fputc('\n', out);
	json_decref(o);
}

// ---- the command -----------------------------------------------------------------------------

static bool look_in_conf(const char *file, struct offline_found *out)
{
	struct conf_complaints complaints = {0};
	struct conf *c = NULL;
	char line[512];
	int error = conf_load(file, NULL, &c, &complaints);

	if (error == -EINVAL) {
		for (uint32_t i = 0; i < complaints.n; i++) {
			conf_complaint_format(&complaints, i, line, sizeof line);
			fprintf(stderr, "posternctl: %s\n", line);
		}
	} else if (error) {
		fprintf(stderr, "posternctl: %s: %s\n", file, strerror(-error));
	} else {
		offline_in_conf(c, out);
		conf_destroy(c);
	}
	conf_complaints_destroy(&complaints);
	return error == 0;
}

static bool look_in_history(const char *file, struct offline_found *out)
{
	FILE *in = fopen(file, "re");
	bool right = in && offline_in_history(in, out);

	if (!right)
		fprintf(stderr, "posternctl: %s: %s\n", file, strerror(errno));
	if (in)
		fclose(in);
	return right;
}

int offline_run(const struct words *w)
{
	const char *config = json_string_value(json_object_get(w->key, "config"));
	const char *history = json_string_value(json_object_get(w->key, "history"));
	struct offline_found found = {.at_ms = UINT64_MAX};

	if (!offline_asked(w->key, &found))
		return EXIT_USAGE;
	if (!(history ? look_in_history(history, &found) : look_in_conf(config, &found)))
		return EXIT_REFUSED;
	offline_say(&found, w->json, stdout);
	return found.place == NAT_PLAN_NONE ? EXIT_REFUSED : EXIT_OK;
}

bool offline_asked(const json_t *key, struct offline_found *out)
{
	const char *external = json_string_value(json_object_get(key, "external"));
	const char *protocol = json_string_value(json_object_get(key, "protocol"));
	const json_t *at = json_object_get(key, "at");
	char address[IP4_TEXT];
	uint64_t port;

	if (!external || !value_split_port(external, address, &port) ||
		!ip4_parse(address, &out->external))
		return false;
	out->port = (uint16_t)port;
	if (protocol)
		out->protocol = strcmp(protocol, "udp") == 0   ? NAT_UDP
				: strcmp(protocol, "tcp") == 0 ? NAT_TCP
							       : NAT_ICMP;
	if (at)
		out->at_ms = (uint64_t)json_integer_value(at);
	return true;
}
