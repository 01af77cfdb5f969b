// SPDX-License-Identifier: Apache-2.0
// The generator's two ports. Over memif it is the client of posternd's sockets. With veth pairs
// both processes live in a network namespace of this run, which goes with the last of them.
#include "ethdev.h"

#include <rte_dev.h>
#include <rte_eal.h>
#include <rte_errno.h>

#include <errno.h>
#include <sched.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum {
	N_BUFFERS = 16383,
	CACHE = 256,
	DESCRIPTORS = 1024,
	ROOM = 2048 + RTE_PKTMBUF_HEADROOM,
	UP_MS = 10000,
};

static const char *const names[SIDES] = {"in", "out"};

// ---- namespaces and veth ---------------------------------------------------------------------

static int run(const char *const argv[])
{
	pid_t pid;
	int status;
	int error = posix_spawnp(&pid, argv[0], NULL, NULL, (char **)argv, environ);

	if (error == 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return 0;
	fprintf(stderr, "bench-ethdev: `%s %s %s ...` failed (package iproute2, and root)\n",
		argv[0], argv[1], argv[2]);
	return error ? -error : -EIO;
}

static int make_pair(enum side side)
{
	char ours[16], theirs[16], our_mac[18], their_mac[18];

	snprintf(ours, sizeof ours, "gen-%s", names[side]);
	snprintf(theirs, sizeof theirs, "pn-%s", names[side]);
	snprintf(our_mac, sizeof our_mac, "02:00:00:00:01:%02x", side + 1);
	snprintf(their_mac, sizeof their_mac, "02:00:00:00:00:%02x", side + 1);
	const char *const add[] = {"ip", "link", "add", ours, "address", our_mac, "type", "veth",
		"peer", "name", theirs, "address", their_mac, NULL};
	const char *const up[] = {"ip", "link", "set", ours, "up", NULL};
	const char *const peer_up[] = {"ip", "link", "set", theirs, "up", NULL};

	int error = run(add);
	if (error == 0)
		error = run(up);
	return error ? error : run(peer_up);
}

// Frames that the kernel would send of itself.
static void keep_kernel_quiet(void)
{
	FILE *f = fopen("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w");

	if (!f)
		return;
	fputs("1", f);
	fclose(f);
}

int link_prepare(struct daemon *d)
{
	if (d->device != DEVICE_AF_PACKET && d->device != DEVICE_AF_XDP)
		return 0;
	if (unshare(CLONE_NEWNET) != 0) {
		int error = -errno;
		fprintf(stderr, "bench-ethdev: no network namespace for %s: %s\n",
			device_name(d->device), strerror(-error));
		return error;
	}
	keep_kernel_quiet();
	int error = make_pair(INSIDE);
	return error ? error : make_pair(OUTSIDE);
}

// ---- EAL -------------------------------------------------------------------------------------

static bool has_huge_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long n = 0;

	if (!f)
		return false;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n >= LINK_PLAIN_MB / 2;
}

static int eal_up(struct generator *g, const struct daemon *d)
{
	char lcores[32], prefix[48], megabytes[16];
	bool huge = d->o->huge && has_huge_pages();
	const char *argv[16] = {
		"bench-ethdev", lcores, prefix, "--no-pci", "--no-telemetry", "--log-level=error"};
	int n = 6;

	if (d->o->huge && !huge)
		fputs("bench-ethdev: too few free huge pages for the generator: it goes without\n",
			stderr);
	snprintf(lcores, sizeof lcores, "--lcores=0@%u", d->own_cpu);
	snprintf(prefix, sizeof prefix, "--file-prefix=bench-ethdev-%d", (int)getpid());
	snprintf(megabytes, sizeof megabytes, "%u", LINK_PLAIN_MB);
	if (huge) {
		argv[n++] = "--in-memory";
	} else {
		argv[n++] = "--no-huge";
		argv[n++] = "--no-shconf";
		argv[n++] = "-m";
		argv[n++] = megabytes;
	}
	int error = rte_eal_init(n, (char **)argv) < 0 ? -rte_errno : 0;
	(void)rmdir(rte_eal_get_runtime_dir());
	g->hz = (double)rte_get_tsc_hz();
	if (error)
		fprintf(stderr, "bench-ethdev: DPDK does not start: %s\n", rte_strerror(-error));
	return error;
}

// posternd keeps a struct pkt in the private area of buffers, and net_ring hands ours to it.
int link_make_pool(struct generator *g)
{
	uint16_t private_size = RTE_ALIGN(sizeof(struct pkt), RTE_MBUF_PRIV_ALIGN);

	g->pool = rte_pktmbuf_pool_create(
		"generator", N_BUFFERS, CACHE, private_size, ROOM, SOCKET_ID_ANY);
	if (g->pool)
		return 0;
	fputs("bench-ethdev: no memory for packet buffers\n", stderr);
	return -ENOMEM;
}

// ---- ports -----------------------------------------------------------------------------------

static void write_device(const struct daemon *d, enum side side, char *out, size_t size)
{
	switch (d->device) {
	case DEVICE_MEMIF:
		snprintf(out, size,
			"net_memif%u,role=client,id=%u,socket=%s,socket-abstract=no,rsize=12,"
			"mac=02:00:00:00:01:%02x",
			side, side, d->memif, side + 1);
		return;
	case DEVICE_AF_XDP:
		snprintf(out, size, "net_af_xdp%u,iface=gen-%s", side, names[side]);
		return;
	default:
		snprintf(out, size, "net_af_packet%u,iface=gen-%s", side, names[side]);
	}
}

static int fail(const char *device, const char *what, int error)
{
	fprintf(stderr, "bench-ethdev: %s %s: %s\n", device, what, rte_strerror(-error));
	return error;
}

int link_start_port(struct generator *g, enum side side)
{
	struct rte_eth_conf conf = {.rxmode.mq_mode = RTE_ETH_MQ_RX_NONE};
	uint16_t id = g->port[side], n_rx = DESCRIPTORS, n_tx = DESCRIPTORS;
	int error = rte_eth_dev_configure(id, 1, 1, &conf);

	if (error == 0)
		error = rte_eth_dev_adjust_nb_rx_tx_desc(id, &n_rx, &n_tx);
	if (error == 0)
		error = rte_eth_rx_queue_setup(id, 0, n_rx, (unsigned)SOCKET_ID_ANY, NULL, g->pool);
	if (error == 0)
		error = rte_eth_tx_queue_setup(id, 0, n_tx, (unsigned)SOCKET_ID_ANY, NULL);
	if (error == 0)
		error = rte_eth_dev_start(id);
	if (error)
		return fail(names[side], "port does not start", error);
	error = rte_eth_macaddr_get(id, &g->mac[side]);
	if (error == 0 && rte_is_zero_ether_addr(&g->mac[side]))
		g->mac[side] = (struct rte_ether_addr){{2, 0, 0, 0, 1, (uint8_t)(side + 1)}};
	return error;
}

static int open_port(struct generator *g, const struct daemon *d, enum side side)
{
	char device[PATH_ROOM + 96], devargs[sizeof device + 8], name[32];

	write_device(d, side, device, sizeof device);
	snprintf(devargs, sizeof devargs, "vdev:%s", device);
	int error = rte_dev_probe(devargs);
	if (error)
		return fail(device, "does not start", error);
	snprintf(name, sizeof name, "%.*s", (int)strcspn(device, ","), device);
	error = rte_eth_dev_get_port_by_name(name, &g->port[side]);
	return error ? fail(name, "is not there", error) : link_start_port(g, side);
}

int link_open(struct generator *g, struct daemon *d)
{
	int error = eal_up(g, d);

	if (error == 0)
		error = link_make_pool(g);
	for (enum side side = INSIDE; error == 0 && side < SIDES; side++)
		error = open_port(g, d, side);
	return error;
}

static bool is_up(uint16_t port)
{
	struct rte_eth_link link;

	return rte_eth_link_get_nowait(port, &link) == 0 && link.link_status == RTE_ETH_LINK_UP;
}

int link_wait_up(struct generator *g)
{
	for (int ms = 0; ms < UP_MS && !interrupted; ms += 10) {
		if (is_up(g->port[INSIDE]) && is_up(g->port[OUTSIDE]))
			return 0;
		rte_delay_us_sleep(10000);
	}
	fputs("bench-ethdev: the link does not come up: is posternd the server of this socket, "
	      "with ids 0 and 1, and one queue on both sides?\n",
		stderr);
	return -ENOLINK;
}

void link_close(struct generator *g)
{
	for (enum side side = INSIDE; side < SIDES; side++) {
		(void)rte_eth_dev_stop(g->port[side]);
		(void)rte_eth_dev_close(g->port[side]);
	}
	rte_mempool_free(g->pool);
}
