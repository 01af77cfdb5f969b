// SPDX-License-Identifier: Apache-2.0
// What a new file changes. A mapping is known by its protocol and internal port.
#include "pcpcd.h"

const struct pcpcd_want *pcpcd_find_want(
	const struct pcpcd_conf *conf, uint8_t protocol, uint16_t internal_port)
{
	for (unsigned i = 0; i < conf->n_wants; i++)
		if (conf->wants[i].protocol == protocol &&
			conf->wants[i].internal_port == internal_port)
			return &conf->wants[i];
	return NULL;
}

static bool same_filters(const struct pcpcd_want *a, const struct pcpcd_want *b)
{
	if (a->n_filters != b->n_filters)
		return false;
	for (unsigned i = 0; i < a->n_filters; i++)
		if (a->filters[i].prefix != b->filters[i].prefix ||
			a->filters[i].port != b->filters[i].port ||
			!ip6_eq(a->filters[i].address, b->filters[i].address))
			return false;
	return true;
}

// A server goes on with the external port it gave, and adds filters to those it has (RFC 6887
// s.11.3, s.13.3), so these can only be had by a new mapping.
static enum pcpcd_change compare(const struct pcpcd_want *old, const struct pcpcd_want *new)
{
	if (old->external_port != new->external_port ||
		old->prefer_failure != new->prefer_failure || !same_filters(old, new))
		return PCPCD_REPLACE;
	if (old->lifetime_s != new->lifetime_s || strcmp(old->description, new->description) != 0)
		return PCPCD_RENEW;
	return PCPCD_KEEP;
}

unsigned pcpcd_differences(
	const struct pcpcd_conf *old, const struct pcpcd_conf *new, struct pcpcd_difference *out)
{
	unsigned n = 0;

	for (unsigned i = 0; i < old->n_wants; i++) {
		const struct pcpcd_want *was = &old->wants[i];

		if (!pcpcd_find_want(new, was->protocol, was->internal_port))
			out[n++] = (struct pcpcd_difference){PCPCD_GONE, was, NULL};
	}
	for (unsigned i = 0; i < new->n_wants; i++) {
		const struct pcpcd_want *is = &new->wants[i];
		const struct pcpcd_want *was =
			pcpcd_find_want(old, is->protocol, is->internal_port);

		out[n++] = (struct pcpcd_difference){was ? compare(was, is) : PCPCD_NEW, was, is};
	}
	return n;
}

static bool same_servers(const struct pcpcd_conf *a, const struct pcpcd_conf *b)
{
	return a->n_servers == b->n_servers &&
	       memcmp(a->servers, b->servers, a->n_servers * sizeof a->servers[0]) == 0;
}

unsigned pcpcd_restart_names(
	const struct pcpcd_conf *old, const struct pcpcd_conf *new, const char **names)
{
	const struct {
		const char *name;
		bool differs;
	} settings[] = {
		{"servers", !same_servers(old, new)},
		{"anycast", old->anycast != new->anycast},
		{"prefer-ipv6", old->prefer_ipv6 != new->prefer_ipv6},
		{"versions", old->dialects != new->dialects},
		{"pace", old->pace_ms != new->pace_ms},
		{"state-file", strcmp(old->state_file, new->state_file) != 0},
		{"socket", strcmp(old->socket, new->socket) != 0},
	};
	unsigned n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		if (settings[i].differs)
			names[n++] = settings[i].name;
	return n;
}
