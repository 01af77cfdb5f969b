// SPDX-License-Identifier: Apache-2.0
// What EAL is told, worked out of the configuration without EAL.
#include "eal.h"
#include "memory.h"
#include "worker.h"

#include <stdarg.h>
#include <unistd.h>

// ---- CPUs ------------------------------------------------------------------------------------

static uint16_t list_cpus(const cpu_set_t *usable, uint16_t list[CPU_SETSIZE])
{
	uint16_t n = 0;

	for (uint16_t cpu = 0; cpu < CPU_SETSIZE; cpu++) {
		if (CPU_ISSET(cpu, usable))
			list[n++] = cpu;
	}
	return n;
}

static bool is_asked_for(const struct conf *c, uint16_t cpu)
{
	for (uint16_t i = 0; i < c->n_workers; i++) {
		if (c->lcores[i] == cpu)
			return true;
	}
	return false;
}

// CPUs that no worker asked for, ascending; the first is control's.
static uint16_t list_unasked(
	const struct conf *c, const uint16_t *cpus, uint16_t n_cpus, uint16_t *unasked)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < n_cpus; i++) {
		if (!is_asked_for(c, cpus[i]))
			unasked[n++] = cpus[i];
	}
	return n;
}

static uint16_t count_unplaced(const struct conf *c)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < c->n_workers; i++)
		n = (uint16_t)(n + (c->lcores[i] == UINT16_MAX));
	return n;
}

void eal_plan_cpus(const struct conf *c, const cpu_set_t *usable, struct eal_cpus *cpus)
{
	uint16_t all[CPU_SETSIZE], spare[CPU_SETSIZE];
	uint16_t n_all = list_cpus(usable, all);
	uint16_t n_spare = list_unasked(c, all, n_all, spare);
	uint16_t n_unplaced = count_unplaced(c);

	if (n_spare == 0) { // every CPU was asked for: share the first
		spare[0] = n_all ? all[0] : 0;
		n_spare = 1;
		cpus->shared = true;
	} else {
		cpus->shared = n_unplaced + 1 > n_spare;
	}
	cpus->control = spare[0];
	uint16_t next = cpus->shared ? 0 : 1;
	for (uint16_t i = 0; i < c->n_workers; i++) {
		bool asked = c->lcores[i] != UINT16_MAX;
		cpus->workers[i] = asked ? c->lcores[i] : spare[next++ % n_spare];
	}
}

uint16_t eal_plan_missing(const struct conf *c, const cpu_set_t *usable)
{
	for (uint16_t i = 0; i < c->n_workers; i++) {
		if (c->lcores[i] != UINT16_MAX && !CPU_ISSET(c->lcores[i], usable))
			return c->lcores[i];
	}
	return UINT16_MAX;
}

const char *eal_plan_list(const cpu_set_t *usable, char *out, size_t size)
{
	uint16_t all[CPU_SETSIZE];
	uint16_t n = list_cpus(usable, all);
	size_t used = 0;

	out[0] = 0;
	for (uint16_t first = 0, i = 1; i <= n && used < size; i++) {
		if (i < n && all[i] == all[i - 1] + 1)
			continue;
		used += (size_t)snprintf(
			out + used, size - used, "%s%u", used ? "," : "", all[first]);
		if (first < i - 1 && used < size)
			used += (size_t)snprintf(out + used, size - used, "-%u", all[i - 1]);
		first = i;
	}
	return out;
}

// ---- memory ----------------------------------------------------------------------------------

#define ROOM_STEP 1024u // some NICs count receive buffers in such steps, and cut frames at them
#define ROOM_LINK 64u   // for a link header, and what is put in front
#define PLAIN_MTU 1900u // what 2048 octets hold with room for that
#define PLAIN_PAGE 4096u
#define EAL_BASE_MB 48u // EAL itself, drivers, rings

static uint16_t largest_mtu(const struct conf *c)
{
	uint32_t mtu = 1500;

	for (uint16_t i = 0; i < c->n_ports; i++)
		mtu = max_u32(mtu, c->ports[i].mtu);
	for (uint16_t i = 0; i < c->n_interfaces; i++)
		mtu = max_u32(mtu, c->interfaces[i].mtu);
	return (uint16_t)mtu;
}

static uint16_t buffer_room(uint16_t mtu)
{
	uint32_t data =
		mtu <= PLAIN_MTU ? 2048 : (mtu + ROOM_LINK + ROOM_STEP - 1) / ROOM_STEP * ROOM_STEP;

	return (uint16_t)min_u32(data + RTE_PKTMBUF_HEADROOM, UINT16_MAX);
}

// Devices that have rings: of a link aggregation its members.
static uint32_t count_devices(const struct conf *c)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < c->n_ports; i++)
		n += max_u32(1, c->ports[i].n_members);
	return n;
}

// Enough that no queue, ring or cache can run another dry.
static uint32_t count_buffers(const struct conf *c)
{
	uint32_t per_worker = WAITING_PACKETS + EAL_CACHE * 3 / 2 + HANDOFF_RING + BURST * 4 +
			      c->fragments + c->syns;
	uint32_t per_queue = EAL_RX_DESCRIPTORS + EAL_TX_DESCRIPTORS + BURST;

	return c->n_workers * (per_worker + count_devices(c) * per_queue);
}

// With what EAL's mempool and struct rte_mbuf put in front, and alignment.
static size_t buffer_octets(uint16_t room)
{
	return (size_t)room + sizeof(struct rte_mbuf) + sizeof(struct pkt) + 2 * CACHE_LINE;
}

// Without huge pages a mempool lets no object cross from one page to the next.
static size_t buffer_octets_plain(uint16_t room)
{
	size_t octets = buffer_octets(room);

	if (octets <= PLAIN_PAGE)
		return PLAIN_PAGE / (PLAIN_PAGE / octets);
	return (octets + PLAIN_PAGE - 1) / PLAIN_PAGE * PLAIN_PAGE;
}

static uint32_t count_members(const struct conf *c)
{
	uint32_t n = 0;

	for (uint16_t i = 0; i < c->n_ports; i++)
		n += c->ports[i].n_members;
	return n;
}

// With LACP net_bonding keeps small buffers of its own, one for each descriptor of a member. It
// ends the process when it gets none.
static size_t member_octets(const struct conf *c)
{
	return (size_t)c->n_workers * EAL_TX_DESCRIPTORS * buffer_octets(512);
}

static size_t megabytes(const struct conf *c, size_t buffers)
{
	size_t worker = sizeof(struct worker) + c->n_workers * HANDOFF_RING * sizeof(void *);
	size_t octets = buffers + c->n_workers * worker + count_members(c) * member_octets(c);

	return EAL_BASE_MB + (octets + octets / 8) / (1u << 20);
}

void eal_plan_memory(const struct conf *c, struct eal_plan *plan)
{
	uint16_t room = buffer_room(largest_mtu(c));

	plan->buffer_room = room;
	plan->n_buffers = count_buffers(c);
	plan->megabytes = megabytes(c, plan->n_buffers * buffer_octets(room));
	plan->megabytes_plain = megabytes(c, plan->n_buffers * buffer_octets_plain(room));
	snprintf(plan->file_prefix, sizeof plan->file_prefix, "postern-%d", (int)getpid());
}

// ---- arguments -------------------------------------------------------------------------------

__attribute__((format(printf, 2, 3))) static void arg(
	struct eal_args *args, const char *format, ...)
{
	va_list list;
	size_t room = sizeof args->text - args->used;

	va_start(list, format);
	int n = vsnprintf(args->text + args->used, room, format, list);
	va_end(list);
	assert(n >= 0 && (size_t)n < room && args->n < EAL_MAX_ARGS);
	args->list[args->n++] = args->text + args->used;
	args->used += (size_t)n + 1;
}

// EAL's lcore 0 is control, lcore k + 1 is worker k.
static void arg_lcores(const struct conf *c, const struct eal_cpus *cpus, struct eal_args *args)
{
	char text[CONF_MAX_WORKERS * 12 + 16];
	size_t at = (size_t)snprintf(text, sizeof text, "0@%u", cpus->control);

	for (uint16_t i = 0; i < c->n_workers; i++)
		at += (size_t)snprintf(
			text + at, sizeof text - at, ",%u@%u", i + 1u, cpus->workers[i]);
	arg(args, "--lcores=%s", text);
}

static uint16_t arg_allow(struct eal_args *args, const char *device, bool pci)
{
	if (!pci)
		return 0;
	arg(args, "-a");
	arg(args, "%s", device);
	return 1;
}

static void arg_pci(const struct conf *c, struct eal_args *args)
{
	uint16_t n = 0;

	for (uint16_t i = 0; i < c->n_ports; i++) {
		const struct conf_port *p = &c->ports[i];

		n = (uint16_t)(n + arg_allow(args, p->device, p->pci));
		for (uint16_t k = 0; k < p->n_members; k++)
			n = (uint16_t)(n +
				       arg_allow(args, p->members[k].device, p->members[k].pci));
	}
	if (n == 0)
		arg(args, "--no-pci");
}

void eal_plan_args(const struct conf *c, const struct eal_plan *plan, struct eal_args *args)
{
	*args = (struct eal_args){.n = 0};
	arg(args, "posternd");
	arg_lcores(c, &plan->cpus, args);
	arg(args, "--file-prefix=%s", plan->file_prefix);
	arg(args, "--no-telemetry");
	arg(args, "--log-level=%s", plan->debug ? "info" : "error");
	if (plan->huge) {
		arg(args, "--in-memory");
	} else { // excludes --in-memory; --no-shconf leaves no files either
		arg(args, "--no-huge");
		arg(args, "--no-shconf");
		arg(args, "-m");
		arg(args, "%zu", plan->megabytes_plain);
	}
	arg_pci(c, args);
}
