// SPDX-License-Identifier: Apache-2.0
#include "ethdev.h"

static const char *const devices[DEVICES] = {
	[DEVICE_MEMIF] = "memif",
	[DEVICE_RING] = "ring",
	[DEVICE_AF_PACKET] = "af_packet",
	[DEVICE_AF_XDP] = "af_xdp",
};

const char *device_name(enum device device)
{
	return devices[device];
}

void tell_begin(const struct options *o, const struct daemon *d, const struct sample *s,
	double empty_cycles)
{
	static bool warned;

	if (!s->huge && !warned)
		fputs("4 KiB pages: cold lines cost nearly twice as much\n", stderr);
	warned = true;
	if (o->json)
		return;
	printf("%s, %u flows of %u subscribers, worker on CPU %u, generator on CPU %u, %s pages\n",
		device_name(d->device), d->n_flows, (d->n_flows + PORTS_EACH - 1) / PORTS_EACH,
		d->cpu, d->own_cpu, s->huge ? "2 MiB" : "4 KiB");
	if (empty_cycles > 0)
		printf("  busy cycles: the worker's CPU time less its empty turns at %.0f cycles "
		       "each, for every packet\n",
			empty_cycles);
	printf("  %-12s %10s %14s %12s %10s %8s\n", "operation", "packets/s", "busy cycles", "sent",
		"lost", "wrong");
	fflush(stdout);
}

void tell_figure(const struct options *o, const struct daemon *d, const struct sample *s,
	const struct figure *f)
{
	char cycles[24] = "-";

	if (f->cycles > 0)
		snprintf(cycles, sizeof cycles, "%.0f", f->cycles);
	if (o->json)
		printf("{\"bench\":\"ethdev\",\"device\":\"%s\",\"operation\":\"%s\",\"mappings\":"
		       "%u,\"cycles\":%s,\"unit\":\"busy cycles of the worker per packet: CPU "
		       "time less empty turns\","
		       "\"packets_per_second\":%.0f,\"sent\":%llu,\"lost\":%llu,\"wrong\":%llu,"
		       "\"huge_pages\":%s}\n",
			device_name(d->device), f->operation, f->mappings,
			f->cycles > 0 ? cycles : "null", f->pps, (unsigned long long)f->sent,
			(unsigned long long)f->lost, (unsigned long long)f->wrong,
			s->huge ? "true" : "false");
	else
		printf("  %-12s %10.0f %14s %12llu %10llu %8llu\n", f->operation, f->pps, cycles,
			(unsigned long long)f->sent, (unsigned long long)f->lost,
			(unsigned long long)f->wrong);
	fflush(stdout);
}

void tell_latency(const struct options *o, const struct daemon *d, const struct sample *s,
	uint32_t mappings, const struct latency *l)
{
	if (o->json)
		printf("{\"bench\":\"ethdev\",\"device\":\"%s\",\"operation\":\"pcp-latency\","
		       "\"mappings\":%u,\"value\":%.1f,\"p50\":%.1f,\"p99\":%.1f,\"max\":%.1f,"
		       "\"unit\":\"microseconds\",\"sent\":%llu,\"lost\":%llu,\"huge_pages\":%s}\n",
			device_name(d->device), mappings, l->p50_us, l->p50_us, l->p99_us,
			l->max_us, (unsigned long long)l->asked,
			(unsigned long long)(l->asked - l->answered), s->huge ? "true" : "false");
	else
		printf("  pcp-latency  p50 %.1f us, p99 %.1f us, longest %.1f us of %llu answers\n",
			l->p50_us, l->p99_us, l->max_us, (unsigned long long)l->answered);
	fflush(stdout);
}
