// SPDX-License-Identifier: Apache-2.0
// posternd: the built daemon on a configuration of ours, in a directory that goes with the run.
// What it counts is asked of it as any operator would.
#include "ethdev.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define START_S 30
#define STOP_S 10

// ---- CPUs and places -------------------------------------------------------------------------

// The worker has one CPU, we have the other. Control, which sleeps, is on ours.
static int choose_cpus(struct daemon *d)
{
	cpu_set_t usable;
	int n = 0;

	if (sched_getaffinity(0, sizeof usable, &usable) != 0)
		return -errno;
	for (uint16_t cpu = 0; cpu < CPU_SETSIZE && n < 2; cpu++) {
		if (!CPU_ISSET(cpu, &usable))
			continue;
		d->own_cpu = cpu;
		if (n++ == 0)
			d->cpu = cpu;
	}
	if (n == 1)
		fputs("bench-ethdev: one CPU for posternd and the generator: they disturb each "
		      "other\n",
			stderr);
	return 0;
}

int daemon_prepare(struct daemon *d, const struct options *o, enum device device, uint32_t n_flows)
{
	*d = (struct daemon){.o = o, .device = device, .n_flows = n_flows};
	int error = choose_cpus(d);

	if (error)
		return error;
	if (o->control) {
		snprintf(d->control, sizeof d->control, "%s", o->control);
		snprintf(d->memif, sizeof d->memif, "%s", o->memif);
		return 0;
	}
	snprintf(d->dir, sizeof d->dir, "%s/postern-bench.XXXXXX",
		access("/run", W_OK) == 0 ? "/run" : "/tmp");
	if (!mkdtemp(d->dir)) {
		error = -errno;
		fprintf(stderr, "bench-ethdev: %s: %s\n", d->dir, strerror(-error));
		d->dir[0] = 0;
		return error;
	}
	snprintf(d->control, sizeof d->control, "%.200s/control.sock", d->dir);
	snprintf(d->memif, sizeof d->memif, "%.200s/memif.sock", d->dir);
	return 0;
}

// ---- configuration ---------------------------------------------------------------------------

static void write_device(const struct daemon *d, enum side side, char *out, size_t size)
{
	static const char *const names[SIDES] = {"in", "out"};
	const char *name = names[side];

	switch (d->device) {
	case DEVICE_MEMIF:
		snprintf(out, size,
			"net_memif%u,role=server,id=%u,socket=%s,socket-abstract=no,"
			"mac=02:00:00:00:00:%02x",
			side, side, d->memif, side + 1);
		return;
	case DEVICE_RING:
		snprintf(out, size, "net_ring_%s", name);
		return;
	case DEVICE_AF_XDP:
		snprintf(out, size, "net_af_xdp%u,iface=pn-%s", side, name);
		return;
	default:
		snprintf(out, size, "net_af_packet%u,iface=pn-%s", side, name);
	}
}

static void write_ports(const struct daemon *d, FILE *out)
{
	char inside[PATH_ROOM + 96], outside[PATH_ROOM + 96];

	write_device(d, INSIDE, inside, sizeof inside);
	write_device(d, OUTSIDE, outside, sizeof outside);
	fprintf(out,
		"ports:\n"
		"  inside:\n"
		"    device: \"%s\"\n"
		"    addresses: [10.0.0.1/30]\n"
		"    routes: [{ to: 100.64.0.0/10, via: 10.0.0.2 }]\n"
		"  outside:\n"
		"    device: \"%s\"\n"
		"    addresses: [198.51.100.2/30]\n"
		"    gateway: 198.51.100.1\n",
		inside, outside);
}

// A subscriber takes one block for his flows and another for his explicit mappings; some blocks
// lose a port or two to PCP and want a third.
void daemon_write_config(const struct daemon *d, FILE *out)
{
	uint32_t subscribers = (d->n_flows + PORTS_EACH - 1) / PORTS_EACH;
	uint32_t addresses = 1 + subscribers * 5 / 2 / (64512 / PORTS_EACH);

	fprintf(out, "# Written by bench-ethdev.\nlcores: [%u]\nidle: %s\n", d->cpu,
		d->cpu == d->own_cpu || d->o->control || d->o->print_config ? "sleep" : "poll");
	write_ports(d, out);
	fprintf(out,
		"limits:\n"
		"  mappings: %u\n"
		"  leases: %u\n"
		"  subscribers: %u\n"
		"  external-addresses: %u\n"
		"  new-subscriber-rate: 1M\n"
		"  new-subscriber-burst: 1M\n"
		"nat-groups:\n"
		"  bench:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [203.0.113.0-203.0.%u.%u]\n"
		"    port-set-size: %u\n"
		"    nat-pass-through: [{ prefix: 198.18.0.0/15 }]\n"
		"    pcp: { listen: [gateway], request-rate: 0 }\n"
		"control: { socket: %s }\n",
		2 * d->n_flows + 20000, d->n_flows + 20000, subscribers + 1000, addresses + 16,
		113 + (addresses - 1) / 256, (addresses - 1) % 256, PORTS_EACH, d->control);
}

// ---- life ------------------------------------------------------------------------------------

static int write_file(const struct daemon *d, const char *path)
{
	FILE *out = fopen(path, "we");

	if (!out)
		return -errno;
	daemon_write_config(d, out);
	return fclose(out) == 0 ? 0 : -errno;
}

static int ask(const struct daemon *d, const char *what, FILE **out)
{
	char command[3 * PATH_ROOM];

	snprintf(command, sizeof command, "'%s' --socket '%s' --json show %s 2>/dev/null",
		d->o->posternctl, d->control, what);
	*out = popen(command, "re");
	return *out ? 0 : -errno;
}

static bool answers(const struct daemon *d)
{
	FILE *out;
	char line[64];

	if (ask(d, "version", &out) != 0)
		return false;
	bool any = fgets(line, sizeof line, out) != NULL;
	while (fgets(line, sizeof line, out))
		;
	return pclose(out) == 0 && any;
}

// A daemon whose bench was killed has nobody to end it.
static _Noreturn void be_posternd(const struct daemon *d, const char *file, pid_t parent)
{
	int log;
	char path[PATH_ROOM + 16];

	snprintf(path, sizeof path, "%s/log", d->dir);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	log = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (log >= 0)
		dup2(log, STDERR_FILENO);
	if (getppid() == parent)
		execl(d->o->posternd, "posternd", "-c", file, (char *)NULL);
	fprintf(stderr, "%s: %s\n", d->o->posternd, strerror(errno));
	_exit(127);
}

static void show_log(const struct daemon *d)
{
	char path[PATH_ROOM + 16], line[512];

	snprintf(path, sizeof path, "%s/log", d->dir);
	FILE *f = fopen(path, "re");
	while (f && fgets(line, sizeof line, f))
		fprintf(stderr, "  %s", line);
	if (f)
		fclose(f);
}

static int wait_serving(struct daemon *d)
{
	for (int tenth = 0; tenth < START_S * 10 && !interrupted; tenth++) {
		int status;

		if (answers(d))
			return 0;
		if (waitpid(d->pid, &status, WNOHANG) == d->pid) {
			d->pid = 0;
			break;
		}
		usleep(100000);
	}
	fprintf(stderr, "bench-ethdev: %s does not serve:\n", d->o->posternd);
	show_log(d);
	return interrupted ? -EINTR : -EIO;
}

int daemon_start(struct daemon *d)
{
	char file[PATH_ROOM + 16];
	pid_t parent = getpid();

	if (d->o->control && answers(d))
		return 0;
	if (d->o->control) {
		fprintf(stderr, "bench-ethdev: no posternd answers on %s\n", d->control);
		return -EIO;
	}
	snprintf(file, sizeof file, "%s/postern.yaml", d->dir);
	int error = write_file(d, file);
	if (error)
		return error;
	if (d->device == DEVICE_RING)
		return ring_start(d);
	d->pid = fork();
	if (d->pid < 0)
		return -errno;
	if (d->pid == 0)
		be_posternd(d, file, parent);
	return wait_serving(d);
}

static void end_process(struct daemon *d)
{
	int status;

	kill(d->pid, SIGTERM);
	for (int tenth = 0; tenth < STOP_S * 10; tenth++) {
		if (waitpid(d->pid, &status, WNOHANG) == d->pid)
			return;
		usleep(100000);
	}
	kill(d->pid, SIGKILL);
	waitpid(d->pid, &status, 0);
}

void daemon_stop(struct daemon *d)
{
	static const char *const files[] = {"postern.yaml", "log", "control.sock", "memif.sock"};
	char path[PATH_ROOM + 16];

	if (d->pid > 0)
		end_process(d);
	d->pid = 0;
	for (size_t i = 0; d->dir[0] && i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", d->dir, files[i]);
		(void)unlink(path);
	}
	if (d->dir[0])
		(void)rmdir(d->dir);
	d->dir[0] = 0;
}

// ---- counters --------------------------------------------------------------------------------

static uint64_t task_cpu_ns(const char *tasks, const char *task)
{
	char path[PATH_ROOM + 300], name[32] = "";
	unsigned long long spent = 0;

	snprintf(path, sizeof path, "%s/%s/comm", tasks, task);
	FILE *f = fopen(path, "re");
	if (!f)
		return 0;
	if (!fgets(name, sizeof name, f))
		name[0] = 0;
	fclose(f);
	if (!strstr(name, "-worker-"))
		return 0;
	snprintf(path, sizeof path, "%s/%s/schedstat", tasks, task);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &spent) != 1)
		spent = 0;
	fclose(f);
	return spent;
}

uint64_t workers_cpu_ns(int pid)
{
	char tasks[64];
	uint64_t sum = 0;

	snprintf(tasks, sizeof tasks, "/proc/%d/task", pid);
	DIR *dir = opendir(tasks);
	if (!dir)
		return 0;
	for (struct dirent *e = readdir(dir); e; e = readdir(dir)) {
		if (e->d_name[0] != '.')
			sum += task_cpu_ns(tasks, e->d_name);
	}
	closedir(dir);
	return sum;
}

static void take(struct sample *s, const char *name, uint64_t value)
{
	if (strcmp(name, "io.loops") == 0)
		s->loops = value;
	else if (strcmp(name, "io.busy_loops") == 0)
		s->busy_loops = value;
	else if (strcmp(name, "nat-now.mappings") == 0)
		s->mappings = value;
	else if (strcmp(name, "nat-now.leases") == 0)
		s->leases = value;
	else if (strncmp(name, "drop.", 5) == 0)
		s->drops += value;
}

static int take_status(const struct daemon *d, struct sample *s)
{
	char line[4096];
	FILE *out;
	int error = ask(d, "status", &out);

	if (error)
		return error;
	while (fgets(line, sizeof line, out))
		s->huge |= strstr(line, "\"huge_pages\":true") != NULL;
	return pclose(out) == 0 ? 0 : -EIO;
}

int daemon_sample(const struct daemon *d, struct sample *s)
{
	char line[4096], name[64];
	unsigned long long value;
	FILE *out;

	*s = (struct sample){.loops = 0};
	if (d->io) {
		ring_sample(d, s);
		return 0;
	}
	int error = ask(d, "counters", &out);
	if (error)
		return error;
	while (fgets(line, sizeof line, out)) {
		if (sscanf(line, "{\"name\":\"%63[^\"]\",\"value\":%llu", name, &value) == 2)
			take(s, name, value);
	}
	if (pclose(out) != 0) {
		fputs("bench-ethdev: posternd does not tell its counters\n", stderr);
		return -EIO;
	}
	s->cpu_ns = d->pid ? workers_cpu_ns(d->pid) : 0;
	return take_status(d, s);
}
