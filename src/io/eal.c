// SPDX-License-Identifier: Apache-2.0
#include "eal.h"

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_log.h>

#include <errno.h>
#include <unistd.h>

// ---- DPDK's messages -------------------------------------------------------------------------

static ssize_t log_write(void *cookie, const char *text, size_t size)
{
	struct eal_log *l = cookie;
	bool error = rte_log_cur_msg_loglevel() <= (int)RTE_LOG_ERR;
	size_t len = size;

	while (len > 0 && (text[len - 1] == '\n' || text[len - 1] == '\r'))
		len--;
	if (len == 0)
		return (ssize_t)size;
	if (error && !l->first[0])
		snprintf(l->first, sizeof l->first, " (DPDK: %.*s)", (int)len, text);
	log_line(l->log, error ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "DPDK: %.*s", (int)len, text);
	return (ssize_t)size;
}

// Without the stream DPDK writes to standard error by itself.
void eal_log_open(struct eal_log *l, const struct log *log)
{
	cookie_io_functions_t calls = {.write = log_write};

	*l = (struct eal_log){.log = log};
	l->stream = fopencookie(l, "w", calls);
	if (!l->stream)
		return;
	setvbuf(l->stream, NULL, _IOLBF, BUFSIZ);
	rte_openlog_stream(l->stream);
}

void eal_log_close(struct eal_log *l)
{
	if (!l->stream)
		return;
	rte_openlog_stream(NULL);
	fclose(l->stream);
}

void eal_log_forget(struct eal_log *l)
{
	l->first[0] = 0;
}

// ---- start and stop --------------------------------------------------------------------------

// EAL makes a directory even when it keeps nothing in it. Were it to stay, each kill -9 would leave
// one.
static void remove_directory(void)
{
	(void)rmdir(rte_eal_get_runtime_dir());
}

int eal_start(const struct eal_log *log, const struct conf *c, const struct eal_plan *plan)
{
	struct eal_args args;

	eal_plan_args(c, plan, &args);
	for (int i = 1; i < args.n; i++)
		log_debug(log->log, "EAL argument %s", args.list[i]);
	if (rte_eal_init(args.n, args.list) < 0) {
		int error = rte_errno > 0 ? rte_errno : EIO;
		remove_directory();
		log_error(log->log, "DPDK does not start: %s%s", rte_strerror(error), log->first);
		return -error;
	}
	remove_directory();
	return 0;
}

void eal_stop(void)
{
	rte_eal_cleanup();
}
