// SPDX-License-Identifier: Apache-2.0
// The server: one shard with a configuration for the whole crowd, and requests to it as packets
// with every checksum in place. The link takes no time.
#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "crowd.h"

enum {
	BLOCK = 16, // ports: enough for one client, and fewer addresses for all
	BLOCKS_AN_ADDRESS = 64512 / BLOCK,
	FRAME = 1536, // octets of room
	FRAMES = SHARD_BURST + 1,
	HOPS = 64,
	L4_AT = sizeof(struct ip4_wire),
	MESSAGE_AT = L4_AT + sizeof(struct udp_wire)
};

#define EXTERNAL_BASE ((ip4)0xc6120000) // 198.18.0.0, benchmarking (RFC 2544)
// Before the first client comes, the server has run for as long: the check of section 8.5 cannot
// see the restart of one that is younger than a sixteenth of the time since it was heard.
#define AGE (86400 * NS_PER_S)

ip4 door_address(uint32_t who)
{
	return CROWD_FIRST + who;
}

// Of this thread alone: who else uses the core costs the server nothing.
static ns spent(void)
{
	struct timespec t;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return (ns)t.tv_sec * NS_PER_S + (ns)t.tv_nsec;
}

// ---- the shard -------------------------------------------------------------------------------

static int write_conf(char *text, size_t size, const struct options *o)
{
	uint32_t leases = o->clients * o->mappings, addresses = o->subscribers / BLOCKS_AN_ADDRESS;
	char first[IP4_TEXT], last[IP4_TEXT];

	leases += leases / 64 + 1000;
	addresses += 2;
	return snprintf(text, size,
		"ports:\n"
		"  inside: { device: net_null0, addresses: [100.64.0.1/10] }\n"
		"  outside: { device: net_null1, addresses: [192.0.2.2/24], gateway: 192.0.2.1 }\n"
		"limits: { mappings: %u, leases: %u, subscribers: %u, external-addresses: %u,\n"
		"  sessions: 1000, lease-details: 1000, filters: 1000, descriptions: 1000 }\n"
		"nat-groups:\n"
		"  crowd:\n"
		"    subscribers: [100.64.0.0/10]\n"
		"    external-address-pool: [%s-%s]\n"
		"    port-set-size: %u\n"
		"    pcp: { listen: [gateway], request-rate: %u, request-burst: %u }\n",
		leases, leases, o->subscribers, addresses, ip4_format(EXTERNAL_BASE, first),
		ip4_format(EXTERNAL_BASE + addresses - 1, last), BLOCK, o->request_rate,
		2 * max_u32(o->request_rate, 1));
}

static int load_conf(struct door *d, const struct options *o)
{
	struct conf_complaints complaints = {0};
	char text[1200], line[600];
	int length = write_conf(text, sizeof text, o);
	int error = conf_load_text("crowd", text, (size_t)length, NULL, &d->conf, &complaints);

	for (uint32_t i = 0; i < complaints.n; i++) {
		conf_complaint_format(&complaints, i, line, sizeof line);
		fprintf(stderr, "%s\n", line);
	}
	conf_complaints_destroy(&complaints);
	if (error == 0)
		d->conf->generation = 1;
	return error;
}

static void begin(struct door *d, ns epoch_base)
{
	for (uint32_t group = 0; group < NAT_MAX_GROUPS; group++)
		d->epochs.base_ns[group] = epoch_base;
	rng_u64(&d->setup.seed); // another run draws other ports
	d->shard = shard_init(d->shard, &d->setup, d->now);
	while (shard_generation(d->shard) != d->conf->generation)
		shard_step(d->shard, d->conf, d->now, &d->sink);
}

void door_lose(struct door *d)
{
	memset((void *)d->shard, 0, d->bytes);
	begin(d, d->now);
}

// ---- what it says by itself ------------------------------------------------------------------

static struct pkt *give_buffer(void *ctx)
{
	struct door *d = ctx;
	uint8_t *frame = d->frames + (size_t)SHARD_BURST * FRAME;

	d->spare = (struct pkt){.buf = frame, .l3 = frame, .room = FRAME};
	return &d->spare;
}

static struct reply read_packet(const struct pkt *p)
{
	const struct ip4_wire *ip = (const void *)p->l3;
	const struct udp_wire *udp = (const void *)(p->l3 + L4_AT);

	return (struct reply){.to = be32_get(ip->dst),
		.port = be16_get(udp->dst),
		.octets = p->l3 + MESSAGE_AT,
		.length = be16_get(udp->length) - sizeof *udp};
}

static void take_message(void *ctx, struct pkt *p)
{
	struct door *d = ctx;
	struct reply message = read_packet(p);
	ns start = spent();

	if (d->unasked != NULL)
		d->unasked(d->ctx, &message);
	d->spent -= spent() - start; // it is the clients', within the shard's call
}

// No request is held by a shard.
static void take_back(void *ctx, struct pkt *p, enum verdict verdict)
{
	(void)ctx;
	(void)p;
	(void)verdict;
}

static void read_log(struct door *d)
{
	struct shard_event event;

	while (shard_event(d->shard, &event))
		;
}

void door_work(struct door *d)
{
	ns start = spent();

	while (shard_step(d->shard, d->conf, d->now, &d->sink))
		read_log(d);
	d->spent += spent() - start;
	read_log(d);
}

// ---- requests --------------------------------------------------------------------------------

static void write_packet(uint8_t *l3, ip4 source, const uint8_t *octets, size_t length)
{
	struct ip4_wire *ip = (void *)l3;
	struct udp_wire *udp = (void *)(l3 + L4_AT);
	size_t l4_length = sizeof *udp + length;

	memcpy(l3 + MESSAGE_AT, octets, length);
	*udp = (struct udp_wire){be16_of(CROWD_CLIENT_PORT), be16_of(PCP_SERVER_PORT),
		be16_of((uint16_t)l4_length), be16_of(0)};
	udp->checksum = be16_of(checksum_l4(source, CROWD_GATEWAY, IP_UDP, l3 + L4_AT, l4_length));
	*ip = (struct ip4_wire){.version_ihl = 0x45,
		.total_length = be16_of((uint16_t)(L4_AT + l4_length)),
		.fragment = be16_of(IP4_DF),
		.ttl = HOPS,
		.protocol = IP_UDP,
		.src = be32_of(source),
		.dst = be32_of(CROWD_GATEWAY)};
	ip->checksum = be16_of(checksum_ip4(l3, sizeof *ip));
}

bool door_put(struct door *d, uint32_t who, uint8_t mapping, ip4 source, const uint8_t *octets,
	size_t length)
{
	uint8_t *frame = d->frames + (size_t)d->n * FRAME;
	struct pkt *p = &d->packets[d->n];

	write_packet(frame, source, octets, length);
	if (pkt_parse_ip4(p, frame, MESSAGE_AT + length) != DROP_NONE)
		abort(); // our own mistake: the packet was written three lines above
	p->buf = frame;
	p->room = FRAME;
	p->stage = PKT_FRESH;
	p->iface = 0;
	d->of[d->n].who = who;
	d->of[d->n].mapping = mapping;
	return ++d->n == SHARD_BURST;
}

unsigned door_run(struct door *d, struct reply answered[SHARD_BURST])
{
	enum verdict verdicts[SHARD_BURST];
	unsigned n = d->n;
	ns start = spent();

	shard_run(d->shard, d->conf, d->now, d->packets, verdicts, n, &d->sink);
	d->spent += spent() - start;
	read_log(d);
	for (unsigned i = 0; i < n; i++) {
		answered[i] = (struct reply){.length = 0};
		if (verdicts[i] == VERDICT_REPLY)
			answered[i] = read_packet(&d->packets[i]);
	}
	d->n = 0;
	return n;
}

// ---- life ------------------------------------------------------------------------------------

int door_open(struct door *d, const struct options *o, ns now)
{
	int error;

	d->now = now;
	d->sink = (struct shard_sink){d, give_buffer, take_message, take_back};
	error = load_conf(d, o);
	if (error != 0)
		return error;
	d->setup = (struct shard_setup){.n_shards = 1,
		.epochs = &d->epochs,
		.limits = conf_shard_limits(d->conf),
		.clients = conf_shard_clients(d->conf)};
	rng_init_u64(&d->setup.seed, o->seed);
	d->bytes = shard_size(&d->setup);
	d->shard = pages_map(d->bytes, false, &d->pages);
	d->frames = calloc(FRAMES, FRAME);
	if (d->shard == NULL || d->frames == NULL)
		return -ENOMEM;
	begin(d, now - AGE);
	return 0;
}

void door_close(struct door *d)
{
	pages_unmap(d->shard, d->bytes);
	free(d->frames);
	conf_destroy(d->conf);
}
