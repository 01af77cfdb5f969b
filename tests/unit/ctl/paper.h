// SPDX-License-Identifier: Apache-2.0
// paper.h - the lab's NAT log in a file of JSON lines, and what stands there.
#ifndef PAPER_H
#define PAPER_H

#include "lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct paper { // the lab's NAT log, in a file
	struct lab *lab;
	char file[96];
};

static inline void add_target(struct paper *p)
{
	struct conf_log *log = &p->lab->io.conf->logs[0];

	snprintf(p->file, sizeof p->file, "/tmp/ctl-events-%d.json", getpid());
	unlink(p->file);
	*log = (struct conf_log){.format = CONF_LOG_JSON, .mtu = 1400, .templates_s = 600};
	snprintf(log->file, sizeof log->file, "%s", p->file);
	p->lab->io.conf->n_logs = 1;
	p->lab->io.conf->log_wait_ms = 0;
}

static inline void close_paper(struct paper *p)
{
	lab_close(p->lab);
	unlink(p->file);
}

static inline json_t *read_file(const char *file)
{
	FILE *in = fopen(file, "r");
	json_t *lines = json_array();
	char *text = NULL;
	size_t size = 0;

	cr_assert_not_null(in, "%s", file);
	while (getline(&text, &size, in) > 0) {
		json_t *line = json_loads(text, 0, NULL);
		cr_assert_not_null(line, "%s", text);
		json_array_append_new(lines, line);
	}
	free(text);
	fclose(in);
	return lines;
}

static inline json_t *read_lines(const struct paper *p)
{
	return read_file(p->file);
}

static inline const char *text_of(const json_t *lines, size_t i, const char *name)
{
	return json_string_value(json_object_get(json_array_get(lines, i), name));
}

static inline json_int_t number_of(const json_t *lines, size_t i, const char *name)
{
	return json_integer_value(json_object_get(json_array_get(lines, i), name));
}

static inline unsigned count_of(const json_t *lines, const char *event)
{
	unsigned n = 0;

	for (size_t i = 0; i < json_array_size(lines); i++)
		n += strcmp(text_of(lines, i, "event"), event) == 0;
	return n;
}

#endif
