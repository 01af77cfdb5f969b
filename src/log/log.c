// SPDX-License-Identifier: Apache-2.0
// A record is one line whatever its arguments hold: names that came over the wire may carry line
// ends, terminal commands or broken UTF-8, and all of those are shown as escapes. Text goes into
// the line piece by piece - a character or its escape - so a cut never leaves half of one.
#include <postern/log.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define CUT_MARK " [cut]"
#define CUT_MARK_LENGTH (sizeof CUT_MARK - 1)
#define LINE_ROOM (LOG_LINE - 1) // the line end always fits

static const struct level {
	const char *name;
	char priority; // RFC 5424 s.6.2.1
	const char *colour;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", '3', "\033[1;31m"},
	[LOG_LEVEL_WARN] = {"warn", '4', "\033[33m"},
	[LOG_LEVEL_NOTICE] = {"notice", '5', "\033[1m"},
	[LOG_LEVEL_INFO] = {"info", '6', ""},
	[LOG_LEVEL_DEBUG] = {"debug", '7', "\033[2m"},
};

struct line {
	char text[LOG_LINE];
	size_t length;
	size_t cut_at; // the longest length at which the mark of a cut still fits behind
	bool full;     // something did not fit, nothing was added since
};

static void add_piece(struct line *line, const char *text, size_t length)
{
	line->full = line->full || length > LINE_ROOM - line->length;
	if (line->full)
		return;
	memcpy(line->text + line->length, text, length);
	line->length += length;
	if (line->length <= LINE_ROOM - CUT_MARK_LENGTH)
		line->cut_at = line->length;
}

static void add_text(struct line *line, const char *text)
{
	add_piece(line, text, strlen(text));
}

static void add_escape(struct line *line, unsigned char c)
{
	static const char names[] = "abtnvfr"; // from 7 on, as in C
	char text[5];

	if (c >= 7 && c <= 13)
		snprintf(text, sizeof text, "\\%c", names[c - 7]);
	else if (c == '\\')
		snprintf(text, sizeof text, "\\\\");
	else
		snprintf(text, sizeof text, "\\x%02x", c);
	add_text(line, text);
}

static bool is_continuation(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

// Octets of the printable character at `text`, which ends in NUL; 0 when an octet must be escaped:
// ASCII controls and the backslash, what is not UTF-8 by RFC 3629, and the C1 controls U+0080..9F,
// which some terminals obey.
static size_t printable_length(const char *text)
{
	unsigned char c = (unsigned char)text[0], next = (unsigned char)text[1];

	if (c < 0x80)
		return c >= ' ' && c != 0x7f && c != '\\';
	if (!is_continuation(text[1]))
		return 0;
	if (c < 0xe0)
		return c > 0xc2 || (c == 0xc2 && next >= 0xa0) ? 2 : 0;
	if (!is_continuation(text[2]) || (c == 0xe0 && next < 0xa0) || (c == 0xed && next > 0x9f))
		return 0;
	if (c < 0xf0)
		return 3;
	if (!is_continuation(text[3]) || (c == 0xf0 && next < 0x90) || (c == 0xf4 && next > 0x8f))
		return 0;
	return c <= 0xf4 ? 4 : 0;
}

static void add_escaped(struct line *line, const char *text)
{
	while (*text && !line->full) {
		size_t length = printable_length(text);
		if (length)
			add_piece(line, text, length);
		else
			add_escape(line, (unsigned char)*text);
		text += length ? length : 1;
	}
}

// Wall clock, in UTC: people lay these lines beside those of other machines.
static void add_stamp(struct line *line)
{
	struct timespec now;
	struct tm utc;
	char text[64];

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &utc);
	size_t length = strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%S", &utc);
	snprintf(text + length, sizeof text - length, ".%03ldZ ", now.tv_nsec / 1000000);
	add_text(line, text);
}

static void add_head(struct line *line, const struct log *log, const struct level *level)
{
	if (log->priorities)
		add_piece(line, (char[]){'<', level->priority, '>'}, 3);
	if (log->stamps)
		add_stamp(line);
	if (!log->priorities) { // the journal knows who writes
		add_escaped(line, log->program);
		add_text(line, ": ");
	}
	add_text(line, log->colour ? level->colour : "");
	add_text(line, level->name);
	add_text(line, log->colour && level->colour[0] ? "\033[0m: " : ": ");
}

static void end_line(struct line *line)
{
	if (line->full) {
		memcpy(line->text + line->cut_at, CUT_MARK, CUT_MARK_LENGTH);
		line->length = line->cut_at + CUT_MARK_LENGTH;
	}
	line->text[line->length++] = '\n';
}

// JOURNAL_STREAM holds "device:inode" of the socket systemd gave as stderr; a daemon whose output
// was sent elsewhere since must not write priorities there (systemd.exec(5)).
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	struct stat st;
	char text[64];

	if (!stream || fstat(fd, &st) != 0)
		return false;
	snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	return strcmp(stream, text) == 0;
}

void log_init(struct log *log, const char *program, int fd, enum log_level level)
{
	const char *no_colour = getenv("NO_COLOR");
	bool journal = is_journal(fd);

	*log = (struct log){
		.fd = fd,
		.level = level,
		.colour = !(no_colour && no_colour[0]) && isatty(fd),
		.stamps = !journal,
		.priorities = journal,
		.program = program,
	};
}

bool log_level_parse(const char *text, enum log_level *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(levels); i++) {
		if (strcmp(text, levels[i].name) == 0) {
			*out = (enum log_level)i;
			return true;
		}
	}
	return false;
}

void log_line(const struct log *log, enum log_level level, const char *format, ...)
{
	struct line line = {.length = 0};
	int saved_errno = errno;
	char text[LOG_LINE]; // the line has a head too, so what is lost here is cut there anyway
	va_list args;

	if (level > log->level)
		return;
	va_start(args, format);
	int length = vsnprintf(text, sizeof text, format, args);
	va_end(args);
	add_head(&line, log, &levels[level]);
	add_escaped(&line, length < 0 ? format : text);
	end_line(&line);
	while (write(log->fd, line.text, line.length) < 0 && errno == EINTR)
		continue;
	errno = saved_errno; // a caller may still want to look at it
}
