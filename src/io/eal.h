// SPDX-License-Identifier: Apache-2.0
// DPDK's environment, started from the configuration.
#ifndef IO_EAL_H
#define IO_EAL_H

#include <postern/conf.h>
#include <postern/log.h>

#include <sched.h>
#include <stdio.h>

// ---- the plan: pure --------------------------------------------------------------------------

struct eal_cpus {
	uint16_t control;
	uint16_t workers[CONF_MAX_WORKERS];
	bool shared; // more threads than CPUs
};

struct eal_plan {
	struct eal_cpus cpus;
	bool huge;              // EAL's own memory in huge pages
	size_t megabytes;       // of EAL's memory in huge pages
	size_t megabytes_plain; // ... in ordinary ones
	uint32_t n_buffers;     // packet buffers
	uint16_t buffer_room;   // octets in each, headroom included
	char file_prefix[32];
	bool debug; // pass on what DPDK has to say
};

enum {
	EAL_RX_DESCRIPTORS = 512,
	EAL_TX_DESCRIPTORS = 512,
	EAL_CACHE = 256, // packet buffers a worker keeps for itself
};

// Control and workers onto the CPUs of `usable`: apart from each other where there are enough.
void eal_plan_cpus(const struct conf *c, const cpu_set_t *usable, struct eal_cpus *cpus);
// A CPU that a worker was given and `usable` does not have; UINT16_MAX: there is none.
uint16_t eal_plan_missing(const struct conf *c, const cpu_set_t *usable);
// "0-3,8" into out, cut where it ends; returns out.
const char *eal_plan_list(const cpu_set_t *usable, char *out, size_t size);
// Everything else but `huge`.
void eal_plan_memory(const struct conf *c, struct eal_plan *plan);

enum {
	EAL_MAX_ARGS = 16 + 2 * CONF_MAX_PORTS
};
struct eal_args {
	int n;
	char *list[EAL_MAX_ARGS + 1];
	char text[EAL_MAX_ARGS * 16 + CONF_MAX_WORKERS * 12 + CONF_MAX_PORTS * 256];
	size_t used;
};
void eal_plan_args(const struct conf *c, const struct eal_plan *plan, struct eal_args *args);

// ---- doing it --------------------------------------------------------------------------------

// DPDK's own messages: its errors for who asks for info, the rest for debugging; net_tap alone has
// four to tell of things that do no harm. The first since eal_log_forget() is kept for the line
// that says what failed.
struct eal_log {
	const struct log *log;
	FILE *stream;
	char first[256]; // " (DPDK: ...)", or nothing
};

void eal_log_open(struct eal_log *l, const struct log *log);
void eal_log_close(struct eal_log *l);
void eal_log_forget(struct eal_log *l);

MUST_CHECK int eal_start(
	const struct eal_log *log, const struct conf *c, const struct eal_plan *plan);
void eal_stop(void);

#endif
