// SPDX-License-Identifier: Apache-2.0
// What others spent while we asked: a process's CPU time, that of all its threads; and a core's.
// What a thread has used since its last tick counts later, so a run of a few ticks tells nothing.
#include "requests.h"

#include <time.h>
#include <unistd.h>

static double process_seconds(int pid)
{
	struct timespec spent;
	clockid_t clock;

	if (pid == 0 || clock_getcpuclockid(pid, &clock) != 0 || clock_gettime(clock, &spent) != 0)
		return 0;
	return (double)spent.tv_sec + (double)spent.tv_nsec / (double)NS_PER_S;
}

// User, nice, system, interrupts: what a core did, and not idle, waiting or stolen time.
static double core_seconds(int core)
{
	unsigned long long user, nice, system, idle, wait, irq, softirq;
	char line[256], name[16];
	double ticks = 0;
	FILE *f = core >= 0 ? fopen("/proc/stat", "r") : NULL;

	if (f == NULL)
		return 0;
	snprintf(name, sizeof name, "cpu%d ", core);
	while (fgets(line, sizeof line, f) != NULL) {
		if (strncmp(line, name, strlen(name)) == 0 &&
			sscanf(line + strlen(name), "%llu %llu %llu %llu %llu %llu %llu", &user,
				&nice, &system, &idle, &wait, &irq, &softirq) == 7)
			ticks = (double)(user + nice + system + irq + softirq);
	}
	fclose(f);
	return ticks / (double)sysconf(_SC_CLK_TCK);
}

struct spent watch_read(const struct watched *w)
{
	return (struct spent){process_seconds(w->pid), core_seconds(w->core)};
}
