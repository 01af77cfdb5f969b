// SPDX-License-Identifier: Apache-2.0
// Deterministic NAT is logged once, by its function (RFC 7422): at the start of the daemon and
// whenever the function changes, a line with the time and the whole plan goes to the history that
// the configuration names, and to the NAT log. Who keeps those lines can answer for any time.
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

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

static bool is_same(const struct nat_plan *a, const struct nat_plan *b)
{
	if (!a || !b)
		return a == b;
	return a->n_hosts == b->n_hosts && a->hosts_per_address == b->hosts_per_address &&
	       a->port_first == b->port_first && a->port_last == b->port_last &&
	       a->ports_per_host == b->ports_per_host && a->port_set_size == b->port_set_size &&
	       a->n_external == b->n_external && is_same_inside(a, b) &&
	       memcmp(a->external, b->external, a->n_external * sizeof *a->external) == 0;
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
	return (struct natlog_event){.kind = kind,
		.at_ms = journal_utc_ms(ctl, ctl->now),
		.nat.group = group,
		.group = row_group_name(ctl->conf, group),
		.plan = group < CONF_MAX_GROUPS ? plan_of(ctl->conf, group) : NULL};
}

static void tell(struct ctl *ctl, uint8_t group)
{
	struct natlog_event e = describe(ctl, NATLOG_PLAN, group);

	add_to_history(ctl, &e);
	journal_tell(ctl, &e);
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
	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		if (plan_of(ctl->conf, i))
			tell(ctl, i);
	}
}

// ---- a new configuration ---------------------------------------------------------------------

static bool is_same_name(const struct conf *old, const struct conf *next, uint8_t group)
{
	return strcmp(old->groups[group].name, next->groups[group].name) == 0;
}

// While both are alive: which groups, as bits, have another plan from now on.
uint64_t plans_compare(const struct conf *old, const struct conf *next)
{
	uint64_t changed = 0;

	for (uint8_t i = 0; i < CONF_MAX_GROUPS; i++) {
		const struct nat_plan *a = plan_of(old, i), *b = plan_of(next, i);
		if (!is_same(a, b) || ((a || b) && !is_same_name(old, next, i)))
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
