// SPDX-License-Identifier: Apache-2.0
// The log with real sockets and files, on a clock of its own.
#include "samples.h"

#include "ipfix.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

struct scene {
	struct natlog *log;
	struct conf conf;
	ns now;
	char folder[64], file[96];
};

static void poll_for(struct scene *s, ns span)
{
	for (ns end = s->now + span; s->now < end;) {
		s->now += 10 * NS_PER_MS;
		natlog_poll(s->log, s->now, SAMPLE_MS);
	}
}

static struct scene *open_scene(void)
{
	struct scene *s = calloc(1, sizeof *s);
	struct natlog_setup setup = {.host = "cgn-1", .started_ms = SAMPLE_MS - 1000};

	cr_assert_not_null(s);
	strcpy(s->folder, "/tmp/natlog-XXXXXX");
	cr_assert_not_null(mkdtemp(s->folder));
	snprintf(s->file, sizeof s->file, "%s/nat.log", s->folder);
	s->conf.log_wait_ms = 300;
	s->now = NS_PER_S;
	cr_assert_eq(natlog_create(&setup, &s->log), 0);
	natlog_poll(s->log, s->now, SAMPLE_MS);
	return s;
}

static void close_scene(struct scene *s)
{
	natlog_destroy(s->log);
	unlink(s->file);
	cr_assert_eq(rmdir(s->folder), 0);
	free(s);
}

static struct conf_log *add_log(struct scene *s, uint8_t format)
{
	struct conf_log *log = &s->conf.logs[s->conf.n_logs++];

	*log = (struct conf_log){
		.format = format, .mtu = 1400, .templates_s = 600, .domain = SAMPLE_DOMAIN};
	return log;
}

static struct conf_log *add_file(struct scene *s, uint8_t format)
{
	struct conf_log *log = add_log(s, format);

	strcpy(log->file, s->file);
	return log;
}

static struct conf_log *add_udp(struct scene *s, uint8_t format, uint16_t port)
{
	struct conf_log *log = add_log(s, format);

	strcpy(log->host, "127.0.0.1");
	log->port = port;
	return log;
}

// A collector: a socket, and the port it has.
static int open_collector(uint16_t *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t length = sizeof at;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	if (*port)
		at.sin_port = htons(*port);
	cr_assert_eq(bind(fd, (struct sockaddr *)&at, sizeof at), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&at, &length), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static ssize_t hear(int fd, char *out, size_t room)
{
	ssize_t n = recv(fd, out, room - 1, 0);

	out[n > 0 ? n : 0] = '\0';
	return n;
}

static char *read_file(const char *path)
{
	static char text[1 << 20];
	FILE *in = fopen(path, "r");
	size_t n = in ? fread(text, 1, sizeof text - 1, in) : 0;

	text[n] = '\0';
	if (in)
		fclose(in);
	return text;
}

static unsigned count(const char *text, const char *what)
{
	unsigned n = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		n++;
	return n;
}

static struct natlog_counters counters_of(const struct scene *s, unsigned i)
{
	struct natlog_target target;

	natlog_target(s->log, i, &target);
	return target.counters;
}

// ---- batches ---------------------------------------------------------------------------------

Test(natlog, events_wait_for_company_and_no_longer)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char text[2048];

	add_udp(s, CONF_LOG_JSON, port);
	natlog_configure(s->log, &s->conf);
	for (unsigned i = 0; i < 3; i++)
		cr_assert(natlog_write(s->log, &samples[3].event));
	poll_for(s, 290 * NS_PER_MS);
	cr_assert_lt(hear(fd, text, sizeof text), 0, "nothing goes before log-wait");
	poll_for(s, 20 * NS_PER_MS);
	cr_assert_gt(hear(fd, text, sizeof text), 0);
	cr_assert_eq(count(text, "\n"), 3u, "three lines in one datagram");
	cr_assert_lt(hear(fd, text, sizeof text), 0);
	cr_assert_eq(counters_of(s, 0).records, 3u);
	cr_assert_eq(counters_of(s, 0).datagrams, 1u);
	close(fd);
	close_scene(s);
}

Test(natlog, a_datagram_is_no_larger_than_its_mtu)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char text[2048];
	unsigned lines = 0;

	add_udp(s, CONF_LOG_JSON, port)->mtu = 600;
	natlog_configure(s->log, &s->conf);
	for (unsigned i = 0; i < 10; i++)
		cr_assert(natlog_write(s->log, &samples[3].event));
	natlog_flush(s->log);
	for (ssize_t n; (n = hear(fd, text, sizeof text)) > 0; lines += count(text, "\n"))
		cr_assert_leq(n, 600);
	cr_assert_eq(lines, 10u);
	close(fd);
	close_scene(s);
}

// RFC 5426 s.3.1, and the numbers of RFC 5424 s.7.3.1.
Test(natlog, a_syslog_datagram_holds_one_message)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char text[2048], wanted[64];

	add_udp(s, CONF_LOG_SYSLOG, port);
	natlog_configure(s->log, &s->conf);
	for (unsigned i = 1; i <= 3; i++) {
		cr_assert(natlog_write(s->log, &samples[0].event));
		cr_assert_gt(hear(fd, text, sizeof text), 0);
		snprintf(wanted, sizeof wanted, "PBADD [meta sequenceId=\"%u\"]", i);
		cr_assert_not_null(strstr(text, wanted), "%s", text);
		cr_assert_null(strchr(text, '\n'));
	}
	close(fd);
	close_scene(s);
}

Test(natlog, every_target_gets_every_event)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char text[2048];

	add_file(s, CONF_LOG_JSON);
	add_udp(s, CONF_LOG_SYSLOG, port);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[0].event));
	natlog_flush(s->log);
	cr_assert_eq(count(read_file(s->file), "\n"), 1u);
	cr_assert_gt(hear(fd, text, sizeof text), 0);
	close(fd);
	close_scene(s);
}

// ---- IPFIX -----------------------------------------------------------------------------------

static unsigned set_of(const char *datagram)
{
	return (unsigned)(uint8_t)datagram[16] << 8 | (uint8_t)datagram[17];
}

// Templates first, again after templates_s, and losses with them; records in between.
Test(natlog, templates_come_first_and_again)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char data[2048];

	add_udp(s, CONF_LOG_IPFIX, port)->templates_s = 60;
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[0].event));
	natlog_flush(s->log);
	cr_assert_gt(hear(fd, data, sizeof data), 0);
	cr_assert_eq(set_of(data), 2u, "templates");
	cr_assert_gt(hear(fd, data, sizeof data), 0);
	cr_assert_eq(set_of(data), IPFIX_FIRST_TEMPLATE + SHAPE_LOSSES);
	cr_assert_lt(hear(fd, data, sizeof data), 0, "and the event in the same message");
	poll_for(s, 59 * NS_PER_S);
	cr_assert_lt(hear(fd, data, sizeof data), 0);
	poll_for(s, 2 * NS_PER_S);
	cr_assert_gt(hear(fd, data, sizeof data), 0);
	cr_assert_eq(set_of(data), 2u, "templates, though nothing happened");
	close(fd);
	close_scene(s);
}

// With room for two or three templates in a message each of them goes out all the same.
Test(natlog, templates_go_into_small_datagrams)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char data[2048];
	unsigned messages = 0;

	add_udp(s, CONF_LOG_IPFIX, port)->mtu = 160;
	natlog_configure(s->log, &s->conf);
	natlog_poll(s->log, s->now, SAMPLE_MS);
	for (ssize_t n; (n = hear(fd, data, sizeof data)) > 0; messages++)
		cr_assert_leq(n, 160);
	cr_assert_geq(messages, 5u);
	cr_assert_eq(counters_of(s, 0).errors, 0u);
	close(fd);
	close_scene(s);
}

// ---- losses ----------------------------------------------------------------------------------

// Nobody listens: each datagram after the first tells of a refusal. Nothing waits, all is counted,
// and who listens later is told how many he lacks.
Test(natlog, t_17_g_an_absent_collector_costs_records_and_nothing_else)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	char text[4096];

	close(open_collector(&port));
	add_udp(s, CONF_LOG_SYSLOG, port);
	natlog_configure(s->log, &s->conf);
	for (unsigned i = 0; i < 100; i++)
		cr_assert(natlog_write(s->log, &samples[0].event));
	struct natlog_counters c = counters_of(s, 0);
	cr_assert_gt(c.lost, 50u);
	cr_assert_gt(c.errors, 50u);
	int fd = open_collector(&port);
	cr_assert(natlog_write(s->log, &samples[0].event));
	cr_assert(natlog_write(s->log, &samples[0].event));
	cr_assert_gt(hear(fd, text, sizeof text), 0);
	cr_assert_not_null(strstr(text, " LOST [meta sequenceId="), "%s", text);
	cr_assert_gt(hear(fd, text, sizeof text), 0);
	cr_assert_not_null(strstr(text, " PBADD "), "%s", text);
	close(fd);
	close_scene(s);
}

// The source address is nobody's: the socket cannot be opened, and is tried again.
Test(natlog, what_cannot_be_sent_is_lost_and_numbered)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);

	strcpy(add_udp(s, CONF_LOG_JSON, port)->source, "192.0.2.77");
	natlog_configure(s->log, &s->conf);
	cr_assert_not(natlog_ready(s->log));
	for (unsigned i = 0; i < 7; i++)
		cr_assert(natlog_write(s->log, &samples[0].event));
	natlog_flush(s->log);
	cr_assert_eq(counters_of(s, 0).lost, 7u);
	cr_assert_eq(counters_of(s, 0).records, 0u);
	struct natlog_target target;
	natlog_target(s->log, 0, &target);
	cr_assert_eq(target.error, EADDRNOTAVAIL);
	uint64_t errors = target.counters.errors;
	poll_for(s, 5 * NS_PER_S);
	cr_assert_geq(counters_of(s, 0).errors, errors + 4);
	cr_assert_leq(counters_of(s, 0).errors, errors + 6);
	close(fd);
	close_scene(s);
}

// A full disk: what has room in the batch waits, the rest is lost; then the file tells how many.
Test(natlog, t_17_e_a_file_tells_its_own_losses)
{
	struct scene *s = open_scene();
	unsigned n = 2000; // more than a batch

	snprintf(s->file, sizeof s->file, "%s/fifo", s->folder);
	cr_assert_eq(mkfifo(s->file, 0600), 0);
	add_file(s, CONF_LOG_JSON);
	natlog_configure(s->log, &s->conf);
	for (unsigned i = 0; i < n; i++)
		cr_assert(natlog_write(s->log, &samples[0].event));
	uint64_t lost = counters_of(s, 0).lost;
	cr_assert_gt(lost, 0u);
	cr_assert_lt(lost, n);
	int fd = open(s->file, O_RDONLY | O_NONBLOCK);
	cr_assert_geq(fd, 0);
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	poll_for(s, 3 * NS_PER_S);
	cr_assert(natlog_write(s->log, &samples[1].event));
	natlog_flush(s->log);
	static char text[1 << 20];
	ssize_t got = read(fd, text, sizeof text - 1);
	cr_assert_gt(got, 0);
	text[got] = '\0';
	cr_assert_eq(count(text, "block-allocated"), n - lost);
	char wanted[64];
	snprintf(wanted, sizeof wanted, "\"event\":\"lost\",\"count\":%ju}", (uintmax_t)lost);
	cr_assert_not_null(strstr(text, wanted));
	cr_assert_eq(count(text, "block-released"), 1u);
	cr_assert_eq(counters_of(s, 0).lost, lost);
	close(fd);
	close_scene(s);
}

// What a shard lost is this target's loss too.
Test(natlog, t_17_e_losses_on_the_way_to_control_are_told)
{
	struct scene *s = open_scene();
	struct natlog_event lost = {
		.kind = NATLOG_LOST, .worker = 0, .at_ms = SAMPLE_MS, .sequence = 100, .count = 17};

	add_file(s, CONF_LOG_JSON);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &lost));
	natlog_flush(s->log);
	cr_assert_str_eq(read_file(s->file),
		"{\"time\":\"2026-07-01T12:00:00.123Z\",\"event\":\"lost\",\"worker\":0,"
		"\"sequence\":100,\"count\":17}\n");
	cr_assert_eq(counters_of(s, 0).lost, 17u);
	close_scene(s);
}

// ---- 17-h ------------------------------------------------------------------------------------

Test(natlog, t_17_h_fail_closed_loses_nothing)
{
	struct scene *s = open_scene();
	unsigned taken = 0;

	snprintf(s->file, sizeof s->file, "%s/fifo", s->folder);
	cr_assert_eq(mkfifo(s->file, 0600), 0);
	s->conf.log_fail_closed = true;
	add_file(s, CONF_LOG_JSON);
	natlog_configure(s->log, &s->conf);
	cr_assert_not(natlog_ready(s->log), "a FIFO that nobody reads cannot take a record");
	while (taken < 5000 && natlog_write(s->log, &samples[0].event))
		taken++;
	cr_assert_gt(taken, 0u);
	cr_assert_lt(taken, 5000u, "a batch is full at last");
	int fd = open(s->file, O_RDONLY | O_NONBLOCK);
	fcntl(fd, F_SETPIPE_SZ, 1 << 20);
	poll_for(s, 2 * NS_PER_S);
	cr_assert(natlog_ready(s->log));
	cr_assert(natlog_write(s->log, &samples[1].event));
	natlog_flush(s->log);
	static char text[1 << 20];
	ssize_t got = read(fd, text, sizeof text - 1);
	cr_assert_gt(got, 0);
	text[got] = '\0';
	cr_assert_eq(count(text, "block-allocated"), taken);
	cr_assert_eq(count(text, "block-released"), 1u);
	cr_assert_eq(counters_of(s, 0).lost, 0u);
	close(fd);
	close_scene(s);
}

// ---- changes ---------------------------------------------------------------------------------

Test(natlog, a_rotated_file_is_let_go)
{
	struct scene *s = open_scene();
	char old[128];

	snprintf(old, sizeof old, "%s.1", s->file);
	add_file(s, CONF_LOG_JSON);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[0].event));
	cr_assert_eq(rename(s->file, old), 0);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[1].event));
	natlog_flush(s->log);
	cr_assert_eq(count(read_file(old), "block-allocated"), 1u, "what waited went there");
	cr_assert_eq(count(read_file(s->file), "block-released"), 1u);
	cr_assert_eq(counters_of(s, 0).records, 2u);
	struct stat st;
	cr_assert_eq(stat(s->file, &st), 0);
	cr_assert_eq(st.st_mode & 07u, 0u, "nobody else reads whose ports were whose");
	unlink(old);
	close_scene(s);
}

Test(natlog, targets_come_and_go_with_the_configuration)
{
	struct scene *s = open_scene();
	uint16_t port = 0;
	int fd = open_collector(&port);
	char text[2048];
	struct natlog_counters sum;

	add_udp(s, CONF_LOG_JSON, port);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[0].event));
	s->conf.n_logs = 0;
	natlog_configure(s->log, &s->conf);
	cr_assert_gt(hear(fd, text, sizeof text), 0, "what waited was sent");
	cr_assert_eq(natlog_targets(s->log), 0u);
	cr_assert(natlog_write(s->log, &samples[0].event));
	natlog_totals(s->log, &sum);
	cr_assert_eq(sum.records, 1u, "counters never step back");
	add_file(s, CONF_LOG_SYSLOG);
	natlog_configure(s->log, &s->conf);
	cr_assert(natlog_write(s->log, &samples[0].event));
	natlog_destroy(s->log); // flushes
	s->log = NULL;
	cr_assert_eq(count(read_file(s->file), " PBADD "), 1u);
	close(fd);
	close_scene(s);
}
