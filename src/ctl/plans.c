// SPDX-License-Identifier: Apache-2.0
// Deterministic NAT is logged by its function alone (RFC 7422 s.3): at the start of the daemon,
// whenever the function changes and once a day, a line with the time and the whole plan goes to the
// history that the configuration names, and to the NAT log. Who keeps those lines can answer for
// any time.
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define EVERY_DAY (86400 * NS_PER_S)

static const struct nat_plan *plan_of(const struct conf *conf, uint8_t group)
{
	return conf->groups[group].used ? conf->groups[group].nat.plan : NULL;
}

static bool is_same_inside(const struct nat_plan *a, const struct nat_plan *b)
{
	if (a->n_inside != b->n_inside)
		return false;
	for (uint32_t i = 0; i < a->n_inside; i++) {
		if (a->inside[i].base != b->inside[i].base ||
			a->inside[i].bits != b->inside[i].bits)
			return false;
	}
	return true;
}

static bool is_same_plan(const struct nat_plan *a, const struct nat_plan *b)
{
	return a->n_hosts == b->n_hosts && a->hosts_per_address == b->hosts_per_address &&
	       a->port_first == b->port_first && a->port_last == b->port_last &&
	       a->ports_per_host == b->ports_per_host && a->port_set_size == b->port_set_size &&
	       a->n_external == b->n_external && is_same_inside(a, b) &&
	       memcmp(a->external, b->external, a->n_external * sizeof *a->external) == 0;
}

// M of RFC 7422 s.2: what a host may have of one protocol, with blocks of the overflow.
static uint32_t ports_most(const struct nat_policy *policy)
{
	uint32_t most = policy->plan->ports_per_host +
			(uint32_t)policy->block_limit * policy->port_set_size;

	return policy->port_limit ? min_u32(most, policy->port_limit) : most;
}

static bool is_same_name(const struct conf *old, const struct conf *next, uint8_t group)
{
	return strcmp(old->groups[group].name, next->groups[group].name) == 0;
}

static bool is_same(const struct conf *old, const struct conf *next, uint8_t group)
{
	const struct nat_plan *a = plan_of(old, group), *b = plan_of(next, group);

	if (!a || !b)
		return a == b;
	return is_same_plan(a, b) && is_same_name(old, next, group) &&
	       ports_most(&old->groups[group].nat) == ports_most(&next->groups[group].nat);
}

// ---- the history -----------------------------------------------------------------------------

static int append(const char *file, const char *line)
{
	size_t length = strlen(line);
	int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY, 0640);

	if (fd < 0)
		return -errno;
	ssize_t n = write(fd, line, length);
	int error = n < 0 ? -errno : (size_t)n < length ? -ENOSPC : 0;
	if (fsync(fd) != 0 && error == 0 && errno != EINVAL) // a FIFO cannot be synced
		error = -errno;
	close(fd);
	return error;
}

static void add_to_history(struct ctl *ctl, const struct natlog_event *event)
{
	const char *file = ctl->conf->log_history;
	char *text = file[0] ? natlog_json(event, false) : NULL;
	size_t length = text ? strlen(text) : 0;
	char *line = text ? realloc(text, length + 2) : NULL;

	if (!file[0])
		return;
	if (line)
		memcpy(line + length, "\n", 2);
	int error = line ? append(file, line) : -ENOMEM;
	if (error)
		log_error(ctl->log, "%s: %s: the history of plans lacks a line", file,
			strerror(-error));
	free(line ? line : text);
}

static struct natlog_event describe(const struct ctl *ctl, uint8_t kind, uint8_t group)
{
	struct natlog_event e = {.kind = kind,
		.at_ms = journal_utc_ms(ctl, ctl->now),
		.nat.group = group,
		.group = row_group_name(ctl->conf, group)};

	if (group < CONF_MAX_GROUPS && plan_of(ctl->conf, group)) {
		e.plan = plan_of(ctl->conf, group);
		e.ports_most = ports_most(&ctl->conf->groups[group].nat);
	}
	return e;
}

static void tell(struct ctl *ctl, uint8_t group)
{
	struct natlog_event e = describe(ctl, NATLOG_PLAN, group);

	add_to_history(ctl, &e);
	journal_tell(ctl, &e);
}

static void tell_all(struct ctl *ctl)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (plan_of(ctl->conf, i))
			tell(ctl, i);
	}
	ctl->plans_told = ctl->now;
}

// Who keeps the log of one day has that day's plans.
void plans_step(struct ctl *ctl)
{
	if (ctl->now - ctl->plans_told >= EVERY_DAY)
		tell_all(ctl);
}

// What the file says of earlier runs ends here: first a line without a group, then every plan.
void plans_start(struct ctl *ctl)
{
	struct natlog_event started = describe(ctl, NATLOG_STARTED, UINT8_MAX);
	bool told = false;

	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++)
		told |= plan_of(ctl->conf, i) != NULL;
	if (told || (ctl->conf->log_history[0] && access(ctl->conf->log_history, F_OK) == 0))
		add_to_history(ctl, &started);
	tell_all(ctl);
}

// ---- a new configuration ---------------------------------------------------------------------

// While both are alive: which groups, as bits, have another plan from now on.
uint64_t plans_compare(const struct conf *old, const struct conf *next)
{
	uint64_t changed = 0;

	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (!is_same(old, next, i))
			changed |= UINT64_C(1) << i;
	}
	return changed;
}

void plans_changed(struct ctl *ctl, uint64_t groups)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if ((groups >> i & 1) && ctl->conf->groups[i].used)
			tell(ctl, i);
	}
}

// A group that is gone, or whose id is another's now, has no plan any more.
void plans_end(struct ctl *ctl, const struct conf *next)
{
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		bool stays = next->groups[i].used && is_same_name(ctl->conf, next, i);
		if (!plan_of(ctl->conf, i) || stays)
			continue;
		struct natlog_event e = describe(ctl, NATLOG_PLAN, i);
		e.plan = NULL;
		add_to_history(ctl, &e);
		journal_tell(ctl, &e);
	}
}
