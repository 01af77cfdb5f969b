// SPDX-License-Identifier: Apache-2.0
// What the agent (pcpcd) keeps open: its status socket is read to the end and shown.
#include "pcpc.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/pcpcd/status.sock"
#define PATIENCE_S 5

enum {
	COLUMNS = 8,
	CELL = 72, // octets of a cell
};

static const char *const heads[COLUMNS] = {
	"NAME", "STATE", "PROTOCOL", "INTERNAL", "EXTERNAL", "LEFT", "SERVER", "LAST RESULT"};

struct table {
	int width[COLUMNS];
	bool printing; // otherwise measuring
};

// ---- the agent -------------------------------------------------------------------------------

static const char *explain(int error)
{
	switch (error) {
	case ENOENT:
	case ECONNREFUSED:
		return "no agent runs there: start pcpcd, or name its socket with --socket PATH";
	case EACCES:
		return "not allowed: ask as root, or as a member of the socket's group";
	case EAGAIN:
		return "the agent did not answer in time";
	case EPROTO:
		return "what answers there is no pcpcd, or hung up early";
	default:
		return strerror(error);
	}
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct timeval patience = {.tv_sec = PATIENCE_S};
	int fd, error;

	if (strlen(path) >= sizeof address.sun_path)
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	(void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(fd, (const struct sockaddr *)&address, sizeof address) == 0)
		return fd;
	error = -errno;
	close(fd);
	return error;
}

static int read_rows(int fd, json_t *rows)
{
	FILE *from = fdopen(fd, "r");
	char *line = NULL;
	size_t size = 0;
	int error = 0;

	if (!from) {
		close(fd);
		return -ENOMEM;
	}
	while (error == 0 && getline(&line, &size, from) > 0) {
		json_t *row = json_loads(line, 0, NULL);

		error = json_is_object(row) && json_array_append(rows, row) == 0 ? 0 : -EPROTO;
		json_decref(row);
	}
	if (error == 0 && ferror(from))
		error = errno == EWOULDBLOCK ? -EAGAIN : -EIO;
	free(line);
	fclose(from);
	return error;
}

// ---- for people ------------------------------------------------------------------------------

static const char *text_of(const json_t *row, const char *name)
{
	const char *text = json_string_value(json_object_get(row, name));

	return text ? text : "-";
}

static void put_endpoint(const json_t *row, const char *name, char out[CELL])
{
	const json_t *e = json_object_get(row, name);
	const char *address = json_string_value(json_object_get(e, "address"));
	int port = (int)json_integer_value(json_object_get(e, "port"));

	if (!e || json_is_null(e))
		snprintf(out, CELL, "-");
	else if (!address)
		snprintf(out, CELL, "?:%d", port);
	else
		snprintf(out, CELL, strchr(address, ':') ? "[%s]:%d" : "%s:%d", address, port);
}

static void put_left(const json_t *row, char out[CELL])
{
	long long s = json_integer_value(json_object_get(row, "lifetime"));

	if (s <= 0)
		snprintf(out, CELL, "-");
	else if (s < 3600)
		snprintf(out, CELL, "%lldm%02llds", s / 60, s % 60);
	else
		snprintf(out, CELL, "%lldh%02lldm", s / 3600, s / 60 % 60);
}

static void put_cell(const json_t *row, int column, char out[CELL])
{
	static const char *const names[COLUMNS] = {
		"name", "state", "protocol", "internal", "external", NULL, "server", "result_name"};

	if (column == 3 || column == 4)
		put_endpoint(row, names[column], out);
	else if (column == 5)
		put_left(row, out);
	else
		snprintf(out, CELL, "%s", text_of(row, names[column]));
}

static void put_row(struct table *t, char cells[COLUMNS][CELL])
{
	char safe[PCPC_ESCAPED(CELL)];

	for (int i = 0; i < COLUMNS; i++) {
		int n = (int)strlen(pcpc_escape((uint8_t *)cells[i], strlen(cells[i]), safe));

		if (t->printing)
			printf("%-*s%s", i < COLUMNS - 1 ? t->width[i] : 0, safe,
				i < COLUMNS - 1 ? "  " : "\n");
		else if (n > t->width[i])
			t->width[i] = n;
	}
}

static void put_all(struct table *t, const json_t *rows)
{
	char cells[COLUMNS][CELL];
	size_t i;
	json_t *row;

	for (int c = 0; c < COLUMNS; c++)
		snprintf(cells[c], CELL, "%s", heads[c]);
	put_row(t, cells);
	json_array_foreach(rows, i, row)
	{
		for (int c = 0; c < COLUMNS; c++)
			put_cell(row, c, cells[c]);
		put_row(t, cells);
	}
}

static void show_advice(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		const char *advice = text_of(row, "advice");
		char safe[PCPC_ESCAPED(CELL + 300)], line[CELL + 300];

		if (strcmp(advice, "-") == 0)
			continue;
		snprintf(line, sizeof line, "%s: %s", text_of(row, "name"), advice);
		puts(pcpc_escape((const uint8_t *)line, strlen(line), safe));
	}
}

static void show(const json_t *rows)
{
	struct table t = {.printing = false};

	if (json_array_size(rows) == 0) {
		puts("The agent keeps no ports.");
		return;
	}
	put_all(&t, rows);
	t.printing = true;
	put_all(&t, rows);
	show_advice(rows);
}

static void show_json(const json_t *rows)
{
	size_t i;
	json_t *row;

	json_array_foreach(rows, i, row)
	{
		json_dumpf(row, stdout, JSON_COMPACT);
		putchar('\n');
	}
}

int pcpc_list_run(const struct pcpc_options *o)
{
	const char *path = o->socket_path ? o->socket_path : DEFAULT_SOCKET;
	json_t *rows = json_array();
	int error = connect_to(path);

	if (error >= 0)
		error = read_rows(error, rows);
	if (error < 0)
		pcpc_complain("%s: %s", path, explain(-error));
	else if (o->json)
		show_json(rows);
	else
		show(rows);
	json_decref(rows);
	return error < 0 ? PCPC_NO_ANSWER : PCPC_OK;
}
