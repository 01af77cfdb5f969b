// SPDX-License-Identifier: Apache-2.0
#include <postern/log.h>

#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <pty.h>
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define READ_MOST 8192

// A log without stamps into memory, so that a line can be told exactly.
static struct log make_log(void)
{
	struct log log = {.level = LOG_LEVEL_DEBUG, .program = "posternd"};

	log.fd = memfd_create("log", 0);
	cr_assert_geq(log.fd, 0);
	return log;
}

static const char *written(const struct log *log)
{
	static char text[READ_MOST];
	ssize_t n = pread(log->fd, text, sizeof text - 1, 0);

	cr_assert_geq(n, 0);
	text[n] = '\0';
	return text;
}

static void clear_environment(void)
{
	unsetenv("NO_COLOR");
	unsetenv("JOURNAL_STREAM");
}

Test(log, a_record_is_program_level_and_text_on_one_line)
{
	struct log log = make_log();

	log_error(&log, "port %d is gone", 7);
	log_warn(&log, "w");
	log_notice(&log, "n");
	log_info(&log, "i");
	log_debug(&log, "d");
	cr_assert_str_eq(written(&log),
		"posternd: error: port 7 is gone\nposternd: warn: w\n"
		"posternd: notice: n\nposternd: info: i\nposternd: debug: d\n");
}

Test(log, lines_above_the_level_are_not_written)
{
	for (int limit = LOG_LEVEL_ERROR; limit <= LOG_LEVEL_DEBUG; limit++) {
		struct log log = make_log();
		struct stat st;
		off_t size = 0;
		log.level = (enum log_level)limit;
		for (int level = LOG_LEVEL_ERROR; level <= LOG_LEVEL_DEBUG; level++) {
			log_line(&log, (enum log_level)level, "x");
			cr_assert_eq(fstat(log.fd, &st), 0);
			cr_assert_eq(st.st_size > size, level <= limit);
			size = st.st_size;
		}
		close(log.fd);
	}
}

Test(log, levels_are_read_by_name)
{
	static const char *const names[] = {"error", "warn", "notice", "info", "debug"};
	static const char *const wrong[] = {"", "Error", "errors", "warn ", "err", "3"};
	enum log_level level;

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
		cr_assert(log_level_parse(names[i], &level));
		cr_assert_eq((unsigned)level, i);
	}
	for (unsigned i = 0; i < ARRAY_SIZE(wrong); i++)
		cr_assert(!log_level_parse(wrong[i], &level), "%s", wrong[i]);
	cr_assert_eq(level, LOG_LEVEL_DEBUG);
}

/** time(2) reads a clock that may be a tick behind the one the stamps are made of. */
static time_t exact_time(void)
{
	struct timespec now;

	cr_assert_eq(clock_gettime(CLOCK_REALTIME, &now), 0);
	return now.tv_sec;
}

Test(log, a_stamp_is_utc_with_milliseconds)
{
	struct log log = make_log();
	regex_t form;

	log.stamps = true;
	setenv("TZ", "Asia/Tokyo", 1);
	time_t before = exact_time();
	log_info(&log, "x");
	cr_assert_eq(
		regcomp(&form,
			"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\\.[0-9]{3}Z posternd: info: x\n$",
			REG_EXTENDED | REG_NOSUB),
		0);
	cr_assert_eq(regexec(&form, written(&log), 0, NULL, 0), 0, "%s", written(&log));
	regfree(&form);
	struct tm utc = {0};
	cr_assert_not_null(strptime(written(&log), "%Y-%m-%dT%H:%M:%S", &utc));
	cr_assert(timegm(&utc) >= before && timegm(&utc) <= exact_time());
}

Test(log, control_characters_cannot_make_a_second_line)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"two\nlines", "two\\nlines"},
		{"\r\t\v\f\a\b", "\\r\\t\\v\\f\\a\\b"},
		{"\033[2J", "\\x1b[2J"},
		{"\x01\x1f\x7f", "\\x01\\x1f\\x7f"},
		{"C:\\n", "C:\\\\n"},
		{"\xc2\x9b"
		 "2J \xc2\x80 \xc2\x85",
			"\\xc2\\x9b2J \\xc2\\x80 \\xc2\\x85"},
		{"\x9b", "\\x9b"},
		{"end\n", "end\\n"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct log log = make_log();
		char wanted[128];
		log_info(&log, "%s", cases[i].text);
		snprintf(wanted, sizeof wanted, "posternd: info: %s\n", cases[i].shown);
		cr_assert_str_eq(written(&log), wanted);
		close(log.fd);
	}
}

// The edges of RFC 3629 s.4.
Test(log, utf8_is_kept_and_what_only_looks_like_it_is_escaped)
{
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{"Zürich € 😀", "Zürich € 😀"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf",
			"\xdf\xbf \xe0\xa0\x80 \xed\x9f\xbf \xee\x80\x80 \xef\xbf\xbf"},
		{"\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf", "\xf0\x90\x80\x80 \xf4\x8f\xbf\xbf"},
		{"\xc0\x8a", "\\xc0\\x8a"},
		{"\xc1\xbf", "\\xc1\\xbf"},
		{"\xe0\x9f\xbf", "\\xe0\\x9f\\xbf"},
		{"\xed\xa0\x80", "\\xed\\xa0\\x80"},
		{"\xf0\x8f\xbf\xbf", "\\xf0\\x8f\\xbf\\xbf"},
		{"\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"},
		{"\xf5\x80\x80\x80", "\\xf5\\x80\\x80\\x80"},
		{"\xff\xfe", "\\xff\\xfe"},
		{"\xc3", "\\xc3"},
		{"\xc3(", "\\xc3("},
		{"\xe2\x82", "\\xe2\\x82"},
		{"\xe2\x82\n", "\\xe2\\x82\\n"},
		{"\xf0\x9f\x98", "\\xf0\\x9f\\x98"},
		{"\x80", "\\x80"},
	};

	for (unsigned i = 0; i < ARRAY_SIZE(cases); i++) {
		struct log log = make_log();
		char wanted[128];
		log_info(&log, "%s", cases[i].text);
		snprintf(wanted, sizeof wanted, "posternd: info: %s\n", cases[i].shown);
		cr_assert_str_eq(written(&log), wanted);
		close(log.fd);
	}
}

static void fill(char *text, size_t n, const char *unit)
{
	size_t length = strlen(unit);

	for (size_t i = 0; i < n; i++)
		text[i] = unit[i % length];
	text[n] = '\0';
}

Test(log, a_line_that_just_fits_is_not_cut)
{
	struct log log = make_log();
	char text[LOG_LINE];
	size_t head = strlen("posternd: info: ");

	fill(text, LOG_LINE - 1 - head, "x");
	log_info(&log, "%s", text);
	cr_assert_eq(strlen(written(&log)), LOG_LINE);
	cr_assert_str_eq(written(&log) + LOG_LINE - 4, "xxx\n");
}

Test(log, a_longer_line_is_cut_and_says_so)
{
	char text[3 * LOG_LINE];

	for (size_t n = LOG_LINE - strlen("posternd: info: "); n < sizeof text; n += 97) {
		struct log log = make_log();
		fill(text, n, "x");
		log_info(&log, "%s", text);
		cr_assert_eq(strlen(written(&log)), LOG_LINE);
		cr_assert_str_eq(written(&log) + LOG_LINE - 9, "xx [cut]\n");
		close(log.fd);
	}
}

// Every offset, so that the cut meets the euro sign and the escape in each of their octets.
Test(log, a_cut_leaves_no_half_character_and_no_half_escape)
{
	char text[LOG_LINE];

	for (size_t offset = 0; offset < 12; offset++) {
		struct log log = make_log();
		fill(text, offset, "x");
		fill(text + offset, LOG_LINE - 1 - offset, "\xe2\x82\xac\x1b");
		log_info(&log, "%s", text);
		const char *line = written(&log), *mark = strstr(line, " [cut]\n");
		cr_assert_not_null(mark);
		cr_assert_eq(mark + 7, line + strlen(line));
		cr_assert_leq(strlen(line), LOG_LINE);
		cr_assert_geq(strlen(line), LOG_LINE - 3);
		cr_assert(memcmp(mark - 4, "\\x1b", 4) == 0 ||
				  memcmp(mark - 3, "\xe2\x82\xac", 3) == 0,
			"%s", line);
		close(log.fd);
	}
}

// Names of wide characters leave an octet or two free, where a shorter piece must not creep in.
Test(log, a_program_with_an_endless_name_still_gets_one_line)
{
	char name[2 * LOG_LINE];

	for (size_t offset = 0; offset < 4; offset++) {
		struct log log = make_log();
		fill(name, offset, "n");
		fill(name + offset, sizeof name - 1 - offset, "\xe2\x82\xac");
		log.program = name;
		log_info(&log, "lost");
		cr_assert_leq(strlen(written(&log)), LOG_LINE);
		cr_assert_str_eq(strstr(written(&log), " [cut]"), " [cut]\n");
		cr_assert_null(strstr(written(&log), "lost"));
		cr_assert_null(strstr(written(&log), ": "));
		close(log.fd);
	}
}

Test(log, a_file_gets_stamps_and_neither_colour_nor_priorities)
{
	struct log log;
	int fd = memfd_create("log", 0);

	clear_environment();
	log_init(&log, "posternd", fd, LOG_LEVEL_INFO);
	cr_assert(log.stamps && !log.colour && !log.priorities);
	cr_assert_eq(log.fd, fd);
	cr_assert_eq(log.level, LOG_LEVEL_INFO);
	cr_assert_str_eq(log.program, "posternd");
}

Test(log, a_terminal_gets_colour_unless_no_color_says_otherwise)
{
	int terminal, other_end;
	struct log log;

	clear_environment();
	cr_assert_eq(openpty(&other_end, &terminal, NULL, NULL, NULL), 0);
	log_init(&log, "posternd", terminal, LOG_LEVEL_INFO);
	cr_assert(log.colour && log.stamps && !log.priorities);
	setenv("NO_COLOR", "1", 1);
	log_init(&log, "posternd", terminal, LOG_LEVEL_INFO);
	cr_assert(!log.colour);
	setenv("NO_COLOR", "", 1); // no-color.org: an empty value does not count
	log_init(&log, "posternd", terminal, LOG_LEVEL_INFO);
	cr_assert(log.colour);
}

Test(log, colour_covers_the_level_and_ends_there)
{
	struct log log = make_log();

	log.colour = true;
	log_error(&log, "red");
	log_info(&log, "plain");
	cr_assert_str_eq(
		written(&log), "posternd: \033[1;31merror\033[0m: red\nposternd: info: plain\n");
}

static void name_journal(int fd, unsigned offset)
{
	struct stat st;
	char text[64];

	cr_assert_eq(fstat(fd, &st), 0);
	snprintf(text, sizeof text, "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino + offset);
	setenv("JOURNAL_STREAM", text, 1);
}

Test(log, the_journal_gets_priorities_and_no_stamps)
{
	static const char *const lines =
		"<3>error: e\n<4>warn: w\n<5>notice: n\n<6>info: i\n<7>debug: d\n";
	struct log log;
	int fd = memfd_create("journal", 0);

	clear_environment();
	name_journal(fd, 0);
	log_init(&log, "posternd", fd, LOG_LEVEL_DEBUG);
	cr_assert(log.priorities && !log.stamps && !log.colour);
	log_error(&log, "e");
	log_warn(&log, "w");
	log_notice(&log, "n");
	log_info(&log, "i");
	log_debug(&log, "d");
	cr_assert_str_eq(written(&log), lines);
}

Test(log, output_sent_away_from_the_journal_is_an_ordinary_file)
{
	static const char *const crooked[] = {"", ":", "1", "1:2", "x:y"};
	struct log log;
	int fd = memfd_create("log", 0);

	clear_environment();
	name_journal(fd, 1);
	log_init(&log, "posternd", fd, LOG_LEVEL_DEBUG);
	cr_assert(!log.priorities && log.stamps);
	for (unsigned i = 0; i < ARRAY_SIZE(crooked); i++) {
		setenv("JOURNAL_STREAM", crooked[i], 1);
		log_init(&log, "posternd", fd, LOG_LEVEL_DEBUG);
		cr_assert(!log.priorities && log.stamps, "%s", crooked[i]);
	}
}

Test(log, a_line_is_one_write)
{
	struct log log = make_log();
	char packet[2 * LOG_LINE];
	int ends[2];

	// Packet mode: a read gives what one write wrote.
	cr_assert_eq(pipe2(ends, O_DIRECT | O_NONBLOCK), 0);
	log.fd = ends[1];
	log_info(&log, "first");
	log_info(&log, "second");
	cr_assert_eq(
		read(ends[0], packet, sizeof packet), (ssize_t)strlen("posternd: info: first\n"));
	cr_assert_eq(
		read(ends[0], packet, sizeof packet), (ssize_t)strlen("posternd: info: second\n"));
	cr_assert_eq(read(ends[0], packet, sizeof packet), -1);
}

Test(log, errno_survives_and_can_be_told)
{
	struct log log = make_log();

	errno = ENOENT;
	log_error(&log, "open: %m");
	cr_assert_eq(errno, ENOENT);
	cr_assert_str_eq(written(&log), "posternd: error: open: No such file or directory\n");
	close(log.fd);
	log_error(&log, "nowhere to go");
	cr_assert_eq(errno, ENOENT);
}
