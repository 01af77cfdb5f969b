// SPDX-License-Identifier: Apache-2.0
// What a file says, read but not yet believed: values beside the nodes they came from. Reading
// fills it, the checks judge it, and only then the snapshot is built from it.
#ifndef CONF_DRAFT_H
#define CONF_DRAFT_H

#include "tree.h"

struct said_address {
	struct conf_address address;
	const struct node *at;
};

struct said_address6 {
	ip6 ip;
	struct prefix6 subnet;
	const struct node *at;
};

struct said_route {
	struct prefix4 to;
	ip4 via; // 0: could not be read
	const struct node *at, *to_at, *via_at;
	struct said_route *next;
};

struct said_route6 {
	struct prefix6 to;
	ip6 via; // zero: could not be read
	const struct node *at, *to_at, *via_at;
	struct said_route6 *next;
};

struct said_neighbour {
	ip6 ip; // IPv4 as mapped
	uint8_t mac[6];
	const struct node *ip_at, *mac_at;
};

struct said_interface {
	const struct node *at;
	char name[CONF_NAME];
	char device[256]; // empty: a VLAN
	const struct node *device_at, *parent_at, *vlan_at, *mtu_at, *addresses_at, *members_at,
		*neighbours_at;
	uint32_t order;     // in the file
	uint32_t rank;      // in the table
	uint32_t vlan, mtu; // 0: not said
	uint8_t side;       // enum conf_side
	bool side_known;
	bool icmp_errors;
	bool unsure;   // an address was wrong: what follows from them is not judged
	int parent;    // index; -1: none
	uint16_t port; // index of the conf_port, once built
	uint16_t n_addresses, n_addresses6;
	struct said_address addresses[CONF_MAX_ADDRESSES];
	struct said_address6 addresses6[CONF_MAX_ADDRESSES6];
	struct said_route *routes;   // the gateway too, as 0.0.0.0/0
	struct said_route6 *routes6; // gateway6 too, as ::/0
	uint32_t n_neighbours;
	struct said_neighbour *neighbours; // ascending by address once checked
};

struct said_prefix {
	struct prefix4 prefix;
	const struct node *at;
};

struct said_range { // of external addresses
	ip4 first, last;
	uint32_t group; // index of the said_group
	const struct node *at;
};

struct said_static {
	uint8_t protocol; // enum nat_protocol
	ip4 internal, external;
	uint16_t internal_port, external_port;
	int iface; // index
	uint32_t group;
	const struct node *at, *protocol_at, *internal_at, *external_at, *inside_at;
};

struct said_id { // a THIRD_PARTY_ID
	struct server_id id;
	int iface; // index; -1: none
	const struct node *at, *id_at, *inside_at;
};

struct said_prefix64 {
	struct pcp_prefix64 p;
	uint8_t n_suffix, suffix[7];
	const struct node *at, *prefix_at, *suffix_at,
		*ip4_at[ARRAY_SIZE((struct pcp_prefix64){0}.ip4)];
};

enum said_threat {
	THREAT_UNSAID,
	THREAT_SIMPLE,
	THREAT_ADVANCED
};

struct said_pcp { // what of `pcp` is settled when all of it is known
	const struct node *options_at, *early_at, *nonce_at, *anycast_at, *sources_at;
	enum said_threat threat;
	bool legacy;
	uint32_t n_sources, n_readers, n_ids, n_prefix64;
	struct said_prefix *sources, *readers;
	struct said_id *ids;
	struct said_prefix64 *prefix64;
};

struct said_plan { // `port-allocation-type: deterministic`
	bool wanted;
	bool good; // the numbers of the group's nat_plan stand
	const struct node *wanted_at, *at, *ports_at, *overflow_at;
	uint32_t ports;    // of a subscriber; 0: what there is, divided
	uint32_t overflow; // of an address
};

struct said_group {
	const struct node *at;
	const struct node *inside_at, *subscribers_at, *pool_at, *size_at, *range_at, *explicit_at;
	const struct node *lifetime_at, *listen_list_at;
	const struct node *listen_at[CONF_MAX_LISTEN];
	struct conf_group g;
	uint32_t size, block_limit, pcp_port; // 0: not said, or wrong
	bool inside[CONF_MAX_INTERFACES];     // those it serves
	int first_inside;                     // index; -1: none
	bool unsure;                          // a pool item was wrong
	uint32_t n_subscribers, n_pool, n_statics;
	uint64_t n_external;
	struct said_prefix *subscribers;
	struct said_range *pool;
	struct said_static *statics;
	struct said_pcp pcp;
	struct said_plan plan;
};

struct draft {
	struct critic critic;
	struct arena arena;
	const struct conf *previous; // may be NULL
	struct conf *c;              // leaves without cross-checks are read right into it
	const struct node *root, *workers_at, *lcores_at, *addresses_at;
	const struct node *ports_at, *groups_at, *reserved_at;
	uint32_t workers;          // 0: not said
	uint32_t reserved_percent; // mappings-reserved; 0: not said in percent
	bool short_timers;         // allow-short-timers
	uint16_t n_interfaces, n_groups;
	struct said_interface interfaces[CONF_MAX_INTERFACES];
	struct said_group groups[CONF_MAX_GROUPS];
	uint32_t n_ranges; // of all groups' pools, ascending
	struct said_range *ranges;
};

void *draft_alloc(struct draft *d, size_t n, size_t size); // NULL: critic.no_memory is set

// ---- fields.c: readers that several mappings use ---------------------------------------------

struct field;
typedef void field_reader(struct draft *d, const struct node *at, const struct field *f, void *out);

// One member a mapping may have. The reader is given the value and where the result goes.
struct field {
	const char *name;
	field_reader *read;
	size_t offset; // of the result in the struct that fields_read() was given
	uint32_t min, max;
};

// Reads a mapping by its fields: complains of unknown names and of names that come twice.
void fields_read(struct draft *d, const struct node *map, const struct field *fields,
	size_t n_fields, void *into);
// The text of a scalar, or NULL after a complaint.
const char *field_text(struct draft *d, const struct node *at, const char *wanted);
// Index of the scalar among `words`; n after a complaint.
size_t field_word(struct draft *d, const struct node *at, const char *const *words, size_t n);
// The words that a list names, each once: bit i is words[i].
uint32_t field_words(struct draft *d, const struct node *at, const char *const *words, size_t n,
	const char *wanted);
// The prefixes of a list, and how many of them are good.
uint32_t field_prefixes(struct draft *d, const struct node *at, struct said_prefix **out);
// Two ports of which the first is not behind the last; complains. False: nothing was read.
bool field_ports(struct draft *d, const struct node *at, const char *wanted, uint16_t *first,
	uint16_t *last);
// An absolute path that fits; complains.
void field_path(struct draft *d, const struct node *at, char *out, size_t size);
// Whether this is a list (or nothing) of at most `most` items; complains.
bool field_list(struct draft *d, const struct node *at, uint32_t most, const char *wanted);

field_reader read_u32_count, read_u16_count, read_u8_count;
field_reader read_u32_seconds, read_u16_seconds;
field_reader read_bool, read_node;

// ---- reading, checking, building -------------------------------------------------------------

void read_all(struct draft *d);                                              // read_top.c
void read_ports(struct draft *d, const struct node *at);                     // read_ports.c
void read_groups(struct draft *d, const struct node *at);                    // read_groups.c
void set_policy_defaults(struct said_group *g);                              // read_policy.c
void read_pcp(struct draft *d, const struct node *at, struct said_group *g); // read_pcp.c
void set_pcp_defaults(struct said_group *g);                                 // read_pcp.c

// Sections; out is the struct draft.
field_reader read_timers;                // read_timers.c
field_reader read_log;                   // read_log.c
void set_timer_defaults(struct conf *c); // read_timers.c
// Of a port; out is the struct said_interface.
field_reader read_gateway, read_gateway6, read_routes; // read_routes.c
field_reader read_static_neighbours;                   // neighbours.c

// Of a group; out is the struct said_group.
field_reader read_mapping_type, read_filtering, read_address_allocation; // read_policy.c
field_reader read_explicit, read_mapping_rate, read_unsolicited;         // read_policy.c
field_reader read_fragments, read_pool_usage, read_group_log;            // read_policy.c
field_reader read_passes;                                                // read_pass.c
field_reader read_port_allocation, read_deterministic;                   // read_plan.c

// Of `pcp`; out is the struct said_group.
field_reader read_third_party, read_nonce_readers;      // read_third.c
field_reader read_prefix64s;                            // read_prefix64.c
field_reader read_versions, read_opcodes, read_options; // read_spoken.c
void set_spoken_defaults(struct server_policy *p);
void settle_spoken(struct said_group *g); // defaults that follow from other leaves
const struct node *find_option(const struct said_group *g, enum pcp_option_index option);

void check_interfaces(struct draft *d); // check_interfaces.c
void check_members(struct draft *d);    // members.c
void check_routes(struct draft *d);     // check_routes.c
void check_six(struct draft *d);        // check_six.c
void check_groups(struct draft *d);     // check_groups.c
void check_pcp(struct draft *d);        // check_pcp.c
void check_pools(struct draft *d);      // check_pools.c
void check_plans(struct draft *d);      // check_plans.c
void check_policies(struct draft *d);   // check_policy.c
void check_statics(struct draft *d);    // check_statics.c
void check_neighbours(struct draft *d); // neighbours.c; behind the pools

int draft_find_interface(const struct draft *d, const char *name); // -1: none
// Two devices of which only one can be: the same, or on the same kernel interface.
bool same_device(const char *a, const char *b);
bool same_kernel_interface(const char *a, const char *b);
uint16_t draft_mtu(const struct draft *d, const struct said_interface *s);
bool address_is_on_link(struct conf_address a, ip4 ip); // a host of its subnet, or itself

// Memory that lives as long as the snapshot, for what its policies point to: zeroed, or NULL.
void *draft_keep(struct draft *d, size_t n, size_t size); // build_pcp.c

// The members of a port; false: no memory.
MUST_CHECK bool build_members(
	struct draft *d, const struct said_interface *s, struct conf_port *p); // members.c

// The snapshot; 0 or -ENOMEM. The draft is free of mistakes.
MUST_CHECK int build_interfaces(struct draft *d); // build_interfaces.c
MUST_CHECK int build_six(struct draft *d);        // build_six.c
MUST_CHECK int build_neighbours(struct draft *d); // neighbours.c
MUST_CHECK int build_pcp(struct draft *d);        // build_pcp.c
MUST_CHECK int build_policies(struct draft *d);   // build_policies.c
MUST_CHECK int build_groups(struct draft *d);     // build_groups.c
MUST_CHECK int build_statics(struct draft *d);    // build_groups.c
MUST_CHECK int build_locals(struct conf *c);      // locals.c

// Puts the interfaces into the order they have in `previous`, new ones behind: workers and devices
// know them by index. Before anything refers to them by index.
void order_interfaces(struct draft *d); // build_interfaces.c

#endif
