// SPDX-License-Identifier: Apache-2.0
// failures.h - what every row of the failure table begins with: three mappings of two clients who
// live on different shards, and their Epoch at 5000. What a row shows afterwards: who still has
// what, who was told, and whose Epoch went on counting.
#ifndef TEST_SHARD_FAILURES_H
#define TEST_SHARD_FAILURES_H

#include "ask.h"
#include "check.h"

#define LAB_PORTAL STRANGER // asks for others, from 100.65.0.0/30

#define LAB_POOL(addresses, pcp)                                                                   \
	"workers: 2\n" PORTS                                                                       \
	"limits: { mappings: 16k, leases: 1000, subscribers: 1000, external-addresses: 6 }\n"      \
	"nat-groups:\n"                                                                            \
	"  homes:\n"                                                                               \
	"    subscribers: [100.64.0.0/16]\n"                                                       \
	"    external-address-pool: [" addresses "]\n"                                             \
	"    port-set-size: 64\n"                                                                  \
	"    pcp: { listen: [198.18.0.1], third-party: { sources: [100.65.0.0/30] }" pcp " }\n"
#define LAB LAB_POOL("203.0.113.4-203.0.113.7", "")

enum {
	LAB_EPOCH_S = 5000,
	LAB_LIFE_S = 3600,
	LAB_FIRST = 8080, // of client a: TCP 8080 and 8081; of b: TCP 8080
	LAB_MAPPINGS = 3
};

struct lab {
	struct world w;
	ip4 a, b;
	struct pcp_message had[LAB_MAPPINGS];
	unsigned since; // w.n_sent when all was well
};

static inline ip4 lab_client(const struct lab *l, unsigned i)
{
	return i < 2 ? l->a : l->b;
}

static inline struct pcp_message lab_request(const struct lab *l, unsigned i)
{
	return ask_of(lab_client(l, i), IP_TCP, (uint16_t)(LAB_FIRST + i % 2), LAB_LIFE_S);
}

static inline void lab_open(struct lab *l, const char *yaml)
{
	world_open(&l->w, yaml);
	world_pass(&l->w, 600); // the announcements of the start are over
	world_set_epoch(&l->w, 0, LAB_EPOCH_S);
	l->a = world_host(&l->w, 0, 0);
	l->b = world_host(&l->w, 1, 0);
	for (unsigned i = 0; i < LAB_MAPPINGS; i++) {
		struct pcp_message m = lab_request(l, i);

		l->had[i] = ask(&l->w, lab_client(l, i), SERVER, &m);
		cr_assert_eq(l->had[i].result, PCP_SUCCESS);
		cr_assert_eq(l->had[i].epoch_s, LAB_EPOCH_S);
	}
	l->since = l->w.n_sent;
}

// The client asks again as he did, with the pair he had as his suggestion.
static inline struct pcp_message lab_again(struct lab *l, unsigned i)
{
	struct pcp_message m = lab_request(l, i);

	m.external_ip = l->had[i].external_ip;
	m.external_port = l->had[i].external_port;
	return ask(&l->w, lab_client(l, i), SERVER, &m);
}

static inline bool lab_same_pair(const struct lab *l, unsigned i, const struct pcp_message *m)
{
	return recipe_eq(ask_granted(m), ask_granted(&l->had[i]));
}

// Whether a packet from outside to what was granted arrives.
static inline bool lab_is_reached(struct lab *l, unsigned i)
{
	struct recipe e = ask_granted(&l->had[i]);
	struct frame f;

	put(&l->w, OUTSIDE_PORT, tcp_of(PEER, 999, e.addr, e.port, TCP_SYN), &f);
	return f.verdict == VERDICT_PASS && f.p.dst == lab_client(l, i) &&
	       f.p.dport == LAB_FIRST + i % 2;
}

static inline uint32_t lab_epoch(struct lab *l, ip4 client)
{
	struct frame f;

	ask_announce(&l->w, INSIDE_PORT, client, SERVER, &f);
	return ask_read(&f).epoch_s;
}

static inline unsigned lab_told(const struct lab *l, ip4 client, struct pcp_message *last)
{
	return ask_told(&l->w, l->since, client, ASK_PORT, last);
}

static inline void lab_close(struct lab *l)
{
	world_close(&l->w);
}

#endif
