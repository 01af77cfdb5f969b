// SPDX-License-Identifier: Apache-2.0
// Room io in this process: the worker of the daemon on an lcore of its own, net_ring for a network,
// and this thread for control and generator. net_ring can only be made of rings that are there, so
// they are made between EAL's start and that of the ports.
#include "ethdev.h"

#include <postern/io.h>

#include <rte_eth_ring.h>
#include <rte_ring.h>

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define RING 4096

struct wires { // what EAL's start has to know, and has no argument for
	bool wanted;
	int error;
	uint16_t ours[SIDES];
};
static struct wires wires;

static int make_wires(void)
{
	static const char *const theirs[SIDES] = {"in", "out"};
	static const char *const ours[SIDES] = {"gen_in", "gen_out"};

	for (enum side side = INSIDE; side < SIDES; side++) {
		char name[2][32];

		snprintf(name[0], sizeof name[0], "to_%s", theirs[side]);
		snprintf(name[1], sizeof name[1], "from_%s", theirs[side]);
		struct rte_ring *to = rte_ring_create(
			name[0], RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		struct rte_ring *from = rte_ring_create(
			name[1], RING, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (!to || !from)
			return -ENOMEM;
		int port = rte_eth_from_rings(theirs[side], &to, 1, &from, 1, 0);
		int own = rte_eth_from_rings(ours[side], &from, 1, &to, 1, 0);
		if (port < 0 || own < 0)
			return -EIO;
		wires.ours[side] = (uint16_t)own;
	}
	return 0;
}

int __real_rte_eal_init(int argc, char **argv);
int __wrap_rte_eal_init(int argc, char **argv);

// Without huge pages all memory is asked for at the start, and the generator's is not in room io's
// reckoning.
static void ask_for_more(int argc, char **argv, char *text, size_t size)
{
	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "-m") != 0)
			continue;
		snprintf(text, size, "%lu", strtoul(argv[i + 1], NULL, 10) + LINK_PLAIN_MB);
		argv[i + 1] = text;
	}
}

int __wrap_rte_eal_init(int argc, char **argv)
{
	char megabytes[24];

	if (wires.wanted)
		ask_for_more(argc, argv, megabytes, sizeof megabytes);
	int n = __real_rte_eal_init(argc, argv);

	if (n >= 0 && wires.wanted)
		wires.error = make_wires();
	return n;
}

static int load(const struct daemon *d, struct conf **out)
{
	char path[PATH_ROOM + 16], line[1024];
	struct conf_complaints complaints = {.file = path};

	snprintf(path, sizeof path, "%s/postern.yaml", d->dir);
	int error = conf_load(path, NULL, out, &complaints);
	for (uint32_t i = 0; i < complaints.n; i++) {
		conf_complaint_format(&complaints, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	conf_complaints_destroy(&complaints);
	return error;
}

int ring_start(struct daemon *d)
{
	struct conf *conf;
	struct rng rng;

	d->log = calloc(1, sizeof *d->log);
	if (!d->log)
		return -ENOMEM;
	log_init(d->log, "bench-ethdev", STDERR_FILENO, LOG_LEVEL_WARN);
	int error = load(d, &conf);
	if (error)
		return error;
	conf->generation = 1;
	rng_init_u64(&rng, 1);
	wires.wanted = true;
	const struct io_setup setup = {.log = d->log, .conf = conf, .rng = &rng};
	error = io_create(&setup, &d->io);
	if (error == 0)
		error = wires.error;
	if (error) {
		conf_destroy(conf);
		return error;
	}
	return io_start(d->io);
}

void ring_ports(uint16_t port[SIDES])
{
	memcpy(port, wires.ours, sizeof wires.ours);
}

void ring_poll(struct daemon *d)
{
	io_poll(d->io, io_now(d->io));
}

void ring_sample(const struct daemon *d, struct sample *out)
{
	struct io_worker_info info;

	for (uint16_t k = 0; k < io_n_workers(d->io); k++) {
		const struct io_counters *c = io_counters(d->io, k);
		const struct nat_counters *n = shard_nat_counters(io_shard(d->io, k));

		out->loops += c->loops;
		out->busy_loops += c->busy_loops;
		for (int i = 0; i < DROP_COUNT; i++)
			out->drops += c->drops[i];
		out->mappings += n->mappings;
		out->leases += n->leases;
	}
	out->cpu_ns = workers_cpu_ns(getpid());
	out->huge = io_worker_info(d->io, 0, &info) && info.shard_huge_pages;
}

void ring_stop(struct daemon *d)
{
	conf_destroy(io_destroy(d->io));
	free(d->log);
	d->log = NULL;
	d->io = NULL;
}
