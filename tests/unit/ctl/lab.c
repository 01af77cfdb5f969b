// SPDX-License-Identifier: Apache-2.0
#include "lab.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum {
	PATIENCE_ROUNDS = 20000
};

static const char conf_text[] =
	"workers: 2\n"
	"ports:\n"
	"  inside: { device: net_null0, side: inside, addresses: [100.64.0.1/10] }\n"
	"  office: { parent: inside, vlan: 7, side: inside, addresses: [10.0.0.1/8] }\n"
	"  outside: { device: net_null1, side: outside, addresses: [198.51.100.2/24],\n"
	"             gateway: 198.51.100.1 }\n"
	"nat-groups:\n"
	"  residential:\n"
	"    inside: [inside]\n"
	"    subscribers: [100.64.0.0/10]\n"
	"    external-address-pool: [%s]\n"
	"    pcp: { listen: [gateway]%s }\n"
	"  business:\n"
	"    inside: [office]\n"
	"    subscribers: [10.0.0.0/8, 100.64.0.0/16]\n"
	"    external-address-pool: [192.0.2.16/31]\n"
	"control: { socket: %s, mode: 0600 }\n"
	"%s\n";

void lab_write_conf(const struct lab *lab, const char *format_of_pool, const char *more)
{
	FILE *out = fopen(lab->conf_file, "w");

	cr_assert_not_null(out);
	fprintf(out, conf_text, format_of_pool, lab->pcp ? lab->pcp : "", lab->socket, more);
	fclose(out);
}

static void load_conf(struct lab *lab)
{
	struct conf_complaints complaints = {.file = lab->conf_file};
	char text[512] = "";
	int error = conf_load(lab->conf_file, NULL, &lab->io.conf, &complaints);

	if (complaints.n)
		conf_complaint_format(&complaints, 0, text, sizeof text);
	cr_assert_eq(error, 0, "%s", text);
	conf_complaints_destroy(&complaints);
	lab->io.conf->generation = 1;
}

struct lab *lab_open_cold(void)
{
	struct lab *lab = calloc(1, sizeof *lab);

	strcpy(lab->folder, "/tmp/ctl-lab-XXXXXX");
	cr_assert_not_null(mkdtemp(lab->folder));
	snprintf(lab->conf_file, sizeof lab->conf_file, "%s/postern.yaml", lab->folder);
	snprintf(lab->socket, sizeof lab->socket, "%s/run/control.sock", lab->folder);
	lab_write_conf(lab, "203.0.113.0/30", "");
	cr_assert_eq(pipe2(lab->log_pipe, O_NONBLOCK | O_CLOEXEC), 0);
	log_init(&lab->log, "lab", lab->log_pipe[1], LOG_LEVEL_INFO);
	load_conf(lab);
	lab->io.now = 100 * NS_PER_S;
	lab->io.tick = NS_PER_MS;
	for (uint16_t i = 0; i < LAB_WORKERS; i++)
		lab->io.shards[i].id = i;
	return lab;
}

// The time of day goes with the lab's own clock.
static int64_t lab_wall_ms(const struct ctl *ctl)
{
	return (int64_t)(ctl->now / NS_PER_MS) + ctl->journal.offset_ms;
}

void lab_start(struct lab *lab)
{
	struct ctl_setup setup = {.io = &lab->io, .conf_file = lab->conf_file, .log = &lab->log};

	cr_assert_eq(ctl_block_signals(), 0);
	cr_assert_eq(ctl_create(&setup, &lab->ctl), 0);
	lab->ctl->journal.wall_ms = lab_wall_ms;
}

struct lab *lab_open(void)
{
	struct lab *lab = lab_open_cold();

	lab_start(lab);
	return lab;
}

void lab_close(struct lab *lab)
{
	char run[96];

	ctl_destroy(lab->ctl);
	conf_destroy(lab->io.conf);
	unlink(lab->conf_file);
	unlink(lab->socket);
	snprintf(run, sizeof run, "%s/run", lab->folder);
	rmdir(run);
	cr_assert_eq(rmdir(lab->folder), 0);
	close(lab->log_pipe[0]);
	close(lab->log_pipe[1]);
	free(lab);
}

void lab_rounds(struct lab *lab, unsigned n)
{
	while (n--) {
		lab->ctl->hurry = true; // the lab's clock needs no sleep to go on
		cr_assert_eq(ctl_round(lab->ctl), 0);
	}
}

const char *lab_log(struct lab *lab)
{
	size_t used = strlen(lab->log_text);
	ssize_t n = read(lab->log_pipe[0], lab->log_text + used, LAB_LOG - 1 - used);

	lab->log_text[used + (n > 0 ? (size_t)n : 0)] = '\0';
	return lab->log_text;
}

int lab_connect(struct lab *lab)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", lab->socket);
	cr_assert_geq(fd, 0);
	cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
	fcntl(fd, F_SETFL, O_NONBLOCK);
	return fd;
}

void lab_say(int fd, const char *text)
{
	cr_assert_eq(send(fd, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

// Reads octet by octet, so that nothing of the next line is taken.
char *lab_hear(struct lab *lab, int fd)
{
	static char line[1 << 21];
	size_t n = 0;

	for (unsigned i = 0; i < PATIENCE_ROUNDS; i++) {
		ssize_t got = recv(fd, line + n, sizeof line - 1 - n, MSG_PEEK);
		char *end = got > 0 ? memchr(line + n, '\n', (size_t)got) : NULL;
		size_t take = end ? (size_t)(end - line - (ssize_t)n) + 1 : (size_t)got;
		if (got == 0 || (got < 0 && errno != EAGAIN))
			return NULL;
		if (got > 0)
			n += (size_t)recv(fd, line + n, take, 0);
		line[n] = '\0';
		if (end)
			return strdup(line);
		lab_rounds(lab, 1);
	}
	cr_assert(false, "no answer");
	abort();
}

json_t *lab_next(struct lab *lab, int fd)
{
	char *line = lab_hear(lab, fd);

	if (!line)
		return NULL;
	json_t *json = json_loads(line, 0, NULL);
	cr_assert_not_null(json, "%s", line);
	free(line);
	return json;
}

json_t *lab_ask(struct lab *lab, int fd, const char *request, json_t *rows)
{
	lab_say(fd, request);
	lab_say(fd, "\n");
	for (;;) {
		json_t *answer = lab_next(lab, fd);
		cr_assert_not_null(answer, "the connection was closed");
		json_t *row = json_object_get(answer, "row");
		if (!row)
			return answer;
		cr_assert_not_null(rows, "rows nobody asked for");
		json_array_append(rows, row);
		json_decref(answer);
	}
}

const char *lab_code(const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *code = json_string_value(json_object_get(error, "code"));

	return code ? code : "";
}
