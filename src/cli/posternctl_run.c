// SPDX-License-Identifier: Apache-2.0
// One command, one conversation over the control socket.
#include "posternctl_offline.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
	PAGE = 1000,                  // rows asked for at a time
	REQUEST_MAX_OCTETS = 1 << 20, // the daemon takes no more either
};

// A walk over millions of rows is interrupted between two lines, never inside one. To shut the
// socket wakes a read that had not quite begun when the signal came.
static volatile sig_atomic_t interrupted, shut_when_interrupted = -1;

static void note_interrupt(int signal)
{
	int saved_errno = errno;

	interrupted = signal;
	shutdown(shut_when_interrupted, SHUT_RDWR);
	errno = saved_errno;
}

static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = note_interrupt};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int run_signal(void)
{
	int signal = interrupted;

	interrupted = 0;
	return signal;
}

const char *run_socket_path(const struct words *w)
{
	const char *from_environment = getenv("POSTERN_SOCKET");

	if (w->socket)
		return w->socket;
	return from_environment && from_environment[0] ? from_environment : DEFAULT_SOCKET;
}

static bool wants_colour(const struct words *w)
{
	const char *no_colour = getenv("NO_COLOR");

	return !w->json && !w->plain && !(no_colour && no_colour[0]) && isatty(STDOUT_FILENO);
}

// ---- a configuration to send along -----------------------------------------------------------

static char *read_all(FILE *in, size_t *length)
{
	char *text = malloc(REQUEST_MAX_OCTETS + 1);

	if (!text)
		return NULL;
	*length = fread(text, 1, REQUEST_MAX_OCTETS + 1, in);
	if (!ferror(in) && *length <= REQUEST_MAX_OCTETS)
		return text;
	errno = ferror(in) ? EIO : EFBIG;
	free(text);
	return NULL;
}

static bool attach_text(struct words *w, const char *text, size_t length)
{
	char path[PATH_MAX] = "/dev/stdin";
	json_t *value = json_stringn(text, length);

	if (!value || memchr(text, '\0', length)) {
		json_decref(value);
		fprintf(stderr, "posternctl: %s: not UTF-8 text\n", w->file);
		return false;
	}
	json_object_set_new(w->request, "text", value);
	// The name stands in every complaint; the daemon runs in another directory.
	if (strcmp(w->file, "-") == 0 || realpath(w->file, path))
		json_object_set_new(w->request, "file", json_string(path));
	if (json_dumpb(w->request, NULL, 0, JSON_COMPACT) >= REQUEST_MAX_OCTETS) {
		fprintf(stderr, "posternctl: %s: %s\n", w->file, strerror(EFBIG));
		return false;
	}
	return true;
}

static bool attach_file(struct words *w)
{
	if (!w->file)
		return true;
	bool standard = strcmp(w->file, "-") == 0;
	FILE *in = standard ? stdin : fopen(w->file, "r");
	size_t length;
	char *text = in ? read_all(in, &length) : NULL;
	bool right = text != NULL;

	if (!right)
		fprintf(stderr, "posternctl: %s: %s\n", w->file, strerror(errno));
	if (in && !standard)
		fclose(in);
	right = right && attach_text(w, text, length);
	free(text);
	return right;
}

// ---- the conversation ------------------------------------------------------------------------

static int explain_loss(int error)
{
	if (interrupted)
		return EXIT_INTERRUPTED;
	fprintf(stderr, "posternctl: the daemon's answer broke off: %s\n",
		error ? strerror(error) : "it closed the connection");
	return EXIT_NO_DAEMON;
}

// Reads the answer to one request. -1 when it ended well, with *cursor (the caller's, or NULL).
static int read_page(struct link *link, struct answers *a, uint64_t *n_rows, json_t **cursor)
{
	json_t *rows = json_array(), *line;
	int code = -2;

	*cursor = NULL;
	while (code == -2 && !interrupted && (line = link_receive(link))) {
		json_t *row = json_object_get(line, "row"), *done = json_object_get(line, "done");
		if (row) {
			json_array_append(rows, row);
		} else if (done) {
			*cursor = json_incref(json_object_get(done, "cursor"));
			answers_rows(a, rows);
			if (!*cursor)
				answers_done(a, done);
			code = -1;
		} else {
			answers_error(a, json_object_get(line, "error"));
			code = EXIT_REFUSED;
		}
		json_decref(line);
	}
	if (code == -2)
		code = explain_loss(errno);
	*n_rows += json_array_size(rows);
	json_decref(rows);
	return code;
}

static uint64_t page_size(const struct words *w, uint64_t n_rows)
{
	uint64_t left = w->limit ? w->limit - n_rows : PAGE;

	return left < PAGE ? left : PAGE;
}

static int converse(struct link *link, struct words *w, struct answers *a)
{
	json_t *cursor = NULL;
	uint64_t n_rows = 0;
	int code;

	do {
		if (w->paged)
			json_object_set_new(w->request, "limit",
				json_integer((json_int_t)page_size(w, n_rows)));
		if (cursor)
			json_object_set_new(w->request, "cursor", cursor);
		if (!link_send(link, w->request))
			return explain_loss(errno);
		code = read_page(link, a, &n_rows, &cursor);
	} while (code == -1 && cursor && (!w->limit || n_rows < w->limit));
	json_decref(cursor);
	return code == -1 ? EXIT_OK : code;
}

static int explain_absence(const struct words *w, const char *path, int error)
{
	if (error == EACCES || error == EPERM)
		fprintf(stderr,
			"posternctl: %s: permission denied; run it as root, or as a user "
			"whom the daemon's control-mode admits\n",
			path);
	else
		fprintf(stderr,
			"posternctl: no posternd answers on %s (%s)\n"
			"Start it (posternd -c FILE), or name its socket with --socket or "
			"POSTERN_SOCKET.\n",
			path, strerror(error));
	if (w->subject == SUBJECT_CHECK)
		fputs("Without a daemon, \"posternd --check -c FILE\" checks a file.\n", stderr);
	return EXIT_NO_DAEMON;
}

int run_command(struct words *w)
{
	const char *path = run_socket_path(w);
	struct answers answers;

	if (w->subject == SUBJECT_TRACE_OFFLINE)
		return offline_run(w);
	if (!attach_file(w))
		return EXIT_REFUSED;
	struct link *link = link_open(path);
	if (!link)
		return explain_absence(w, path, errno);
	catch_signals();
	shut_when_interrupted = link_descriptor(link);
	answers_init(&answers, w, wants_colour(w), stdout, stderr);
	int code = converse(link, w, &answers);
	shut_when_interrupted = -1;
	link_close(link);
	if (fflush(stdout) != 0 && code == EXIT_OK) {
		fprintf(stderr, "posternctl: output: %s\n", strerror(errno));
		code = EXIT_REFUSED;
	}
	return code;
}
