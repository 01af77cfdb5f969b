// SPDX-License-Identifier: Apache-2.0
// The configuration file: a line is the name of an option and its value,
//
//	# Two servers, asked both
//	server 192.0.2.1
//	server 2001:db8::1
//	lifetime 2h
//
// The person's own file is read, else the system's. What the command line says is not read here.
#include "pcpc.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SYSTEM_FILE "/etc/pcpc.conf"

static bool find_own(char *out, size_t size)
{
	const char *config = getenv("XDG_CONFIG_HOME"), *home = getenv("HOME");
	int n;

	if (config && config[0] == '/')
		n = snprintf(out, size, "%s/pcpc", config);
	else if (home && home[0] == '/')
		n = snprintf(out, size, "%s/.config/pcpc", home);
	else
		return false;
	return n > 0 && (size_t)n < size;
}

// NULL when there is no file, which is no error unless it was named.
static FILE *open_file(const struct pcpc_options *o, char *path, size_t size)
{
	FILE *f;

	if (o->config_path) {
		snprintf(path, size, "%s", o->config_path);
		return fopen(path, "re");
	}
	if (find_own(path, size) && (f = fopen(path, "re")))
		return f;
	snprintf(path, size, SYSTEM_FILE);
	return fopen(path, "re");
}

// ---- a line ----------------------------------------------------------------------------------

enum key {
	KEY_SERVER,
	KEY_PREFER,
	KEY_VERSIONS,
	KEY_LIFETIME,
	KEY_TIMEOUT,
	KEY_STATE,
	KEYS
};

static const char *const names[KEYS] = {
	[KEY_SERVER] = "server",
	[KEY_PREFER] = "prefer",
	[KEY_VERSIONS] = "versions",
	[KEY_LIFETIME] = "lifetime",
	[KEY_TIMEOUT] = "timeout",
	[KEY_STATE] = "state",
};

// What the command line said, it said for good.
static void note_said(const struct pcpc_options *o, bool said[KEYS])
{
	said[KEY_SERVER] = o->n_servers > 0;
	said[KEY_PREFER] = o->prefer != 0;
	said[KEY_VERSIONS] = o->dialects != 0 || o->has_version;
	said[KEY_LIFETIME] = o->has_lifetime;
	said[KEY_TIMEOUT] = o->has_timeout;
	said[KEY_STATE] = o->state_path != NULL;
}

// The text must outlive the line it came from.
static const char *pool_text(struct pcpc_options *o, const char *text)
{
	size_t n = strlen(text) + 1;
	char *at = (char *)o->pool + o->pool_used;

	if (n > sizeof o->pool - o->pool_used)
		return NULL;
	o->pool_used += n;
	return memcpy(at, text, n);
}

static bool take(struct pcpc_options *o, enum key key, const char *value)
{
	bool had_timeout = o->has_timeout, good;

	if (key == KEY_STATE)
		value = pool_text(o, value);
	good = value && pcpc_option_read_named(o, names[key], value);
	o->has_timeout = had_timeout; // probe and watch have their own
	return good;
}

static bool read_line(struct pcpc_options *o, char *line, const bool said[KEYS])
{
	char *name, *value, *rest;

	line[strcspn(line, "#\n")] = '\0';
	name = strtok_r(line, " \t=", &rest);
	if (!name)
		return true;
	value = strtok_r(NULL, " \t=", &rest);
	if (!value || strtok_r(NULL, " \t", &rest))
		return pcpc_wrong("configuration", name, "a name and one value");
	for (unsigned i = 0; i < KEYS; i++)
		if (strcmp(name, names[i]) == 0)
			return said[i] || take(o, (enum key)i, value);
	return pcpc_wrong(
		"configuration", name, "server, prefer, versions, lifetime, timeout or state");
}

static bool read_lines(struct pcpc_options *o, FILE *f, const char *path)
{
	bool said[KEYS], good = true;
	unsigned number = 0;
	char line[PCPC_PATH + 64];

	note_said(o, said);
	while (good && fgets(line, sizeof line, f)) {
		number++;
		good = read_line(o, line, said);
		if (!good)
			pcpc_complain("this stands in %s, line %u", path, number);
	}
	if (!said[KEY_SERVER] && o->n_servers > 0)
		snprintf(o->servers_from, sizeof o->servers_from, "%s", path);
	return good;
}

bool pcpc_config_read(struct pcpc_options *o)
{
	char path[PCPC_PATH];
	FILE *f = open_file(o, path, sizeof path);
	bool good;

	if (!f && (o->config_path || errno != ENOENT)) {
		pcpc_complain("%s: %s", path, strerror(errno));
		return !o->config_path; // somebody else's file that we may not read says nothing
	}
	if (!f)
		return true;
	good = read_lines(o, f, path);
	fclose(f);
	return good;
}
