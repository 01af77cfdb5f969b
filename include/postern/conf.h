// SPDX-License-Identifier: Apache-2.0
// conf.h - YAML in, one immutable checked snapshot out, or a list of pointed complaints.
//
// Owner    conf_load() gives the snapshot to its caller; once published nobody changes it, and
//          whoever unpublished it calls conf_destroy() after a grace period.
// Readers  every thread, through the pointer it was handed; look-ups below are pure.
// Memory   one snapshot is one malloc arena and a few tables; built aside, never on a worker.
// Book     docs/design/conf.md; names of RFC 8512 and RFC 7659
#ifndef POSTERN_CONF_H
#define POSTERN_CONF_H

#include <postern/nat.h>
#include <postern/server.h>

enum {
	CONF_MAX_WORKERS = 64,
	CONF_MAX_PORTS = 32,  // members of link aggregations count too
	CONF_MAX_MEMBERS = 8, // of one
	CONF_MAX_INTERFACES = 128,
	CONF_MAX_REALMS = 128, // realm 0 is outside; each inside interface is one more
	CONF_MAX_GROUPS = NAT_MAX_GROUPS,
	CONF_MAX_ADDRESSES = 16,    // of one interface
	CONF_MAX_LISTEN = 16,       // of one group
	CONF_NAME = 32,             // octets of a name, NUL included
	CONF_RETA = 128,            // receive-side scaling entries
	CONF_CUT = 64,              // an external address is owned in 64 pieces of 1024 ports
	CONF_MAX_ADDRESSES6 = 8,    // of one interface, its link-local one not counted
	CONF_MAX_NEIGHBOURS = 1024, // static ones of one interface
	CONF_MAX_PASS = 64,         // nat-pass-through entries of one group
	CONF_MAX_LOGS = 8,          // places that the NAT log goes to
	CONF_MAX_TEXT = 1 << 20,    // octets of YAML
};

#define CONF_ANYCAST ((ip4)0xc0000009) // 192.0.0.9: a PCP server, the nearest (RFC 7723)

struct conf_device { // a member of a link aggregation
	char device[256];
	bool pci;
};

struct conf_port { // a DPDK port
	char name[CONF_NAME];
	char device[256]; // "net_tap0,iface=x", "0000:3b:00.1"
	bool pci;         // device is a PCI address
	uint16_t mtu;     // 0: as the device has it
	uint16_t n_members;
	struct conf_device *members; // of a "net_bonding0,mode=4", the preferred one first
};

enum conf_side {
	CONF_INSIDE,
	CONF_OUTSIDE
};

struct conf_address {
	ip4 ip;
	uint8_t bits;
};

struct conf_address6 {
	ip6 ip;
	uint8_t bits;
};

struct conf_neighbour { // a static one: never asked for, never forgotten
	ip6 ip;         // IPv4 as mapped
	uint8_t mac[6]; // of one station
};

struct conf_interface { // a port, or a VLAN on it
	char name[CONF_NAME];
	uint16_t port;    // index into ports
	uint16_t vlan;    // 0: untagged
	uint8_t side;     // enum conf_side
	uint8_t realm;    // 0: outside
	uint16_t mtu;     // 1500 unless said
	bool icmp_errors; // RFC 5508 REQ-9: our own may be sent there
	uint16_t n_addresses;
	struct conf_address addresses[CONF_MAX_ADDRESSES];
	uint16_t n_addresses6; // 0: no IPv6 here
	struct conf_address6 addresses6[CONF_MAX_ADDRESSES6];
	uint32_t n_neighbours;
	struct conf_neighbour *neighbours; // ascending by address, on-link, none of ours
};

struct conf_next_hop {
	uint16_t iface;
	ip4 gateway;  // 0: on-link, resolve the destination itself
	ip6 gateway6; // of an IPv6 route; zero: on-link
};

struct conf_route6 { // IPv6 is routed between all realms: no translation keeps them apart
	struct prefix6 to;
	uint16_t next_hop;
};

struct conf_external { // one address of a pool
	ip4 ip;
	uint8_t group;
	uint8_t whole;           // owner of all of it, also of a planned one, or CONF_CUT_ADDRESS
	bool crossing;           // some static mapping here is not held by the deal's worker
	bool planned;            // deterministic: ports of hosts belong to their host's worker
	uint8_t owner[CONF_CUT]; // worker by port / 1024; planned: by piece of the overflow
};
#define CONF_CUT_ADDRESS 255

struct conf_static {
	uint8_t group;
	struct nat_key key;
	struct recipe external;
	uint8_t owner;     // the subscriber's worker: it holds the mapping
	uint8_t addressee; // the worker that the external port belongs to by the deal or the plan
};

enum conf_fragments { // fragment-behavior of RFC 8512
	CONF_FRAGMENTS_DROP_ALL,
	CONF_FRAGMENTS_IN_ORDER,
	CONF_FRAGMENTS_OUT_OF_ORDER
};

struct conf_pass { // nat-pass-through (RFC 6888 REQ-6): outside destinations
	struct prefix4 to;
	uint8_t protocol;               // of the IP header; 0: any
	uint16_t port_first, port_last; // 0, 65535: any; for UDP and TCP
};

struct conf_group {
	char name[CONF_NAME];
	uint8_t id; // stable over reloads while the name stays; index of its Epoch
	bool used;
	struct nat_policy nat;
	struct server_policy pcp;
	uint16_t n_listen;
	ip4 listen[CONF_MAX_LISTEN];    // loopback addresses of the data plane
	bool listen_gateway;            // also on the inside interfaces' own addresses
	bool listen_anycast;            // also on CONF_ANYCAST
	uint16_t pcp_port;              // 5351
	uint16_t port_first, port_last; // dynamic ports of its external addresses
	uint32_t n_external;            // addresses in its pool
	struct nat_plan plan;           // nat.plan points here when it is deterministic
	uint8_t fragments;              // enum conf_fragments
	uint16_t mss_clamp;             // tcp-mss-clamp; 0: none
	bool tcp_unsolicited_icmp;      // RFC 5382 REQ-4; false: silent drop (4a)
	uint16_t n_pass;
	struct conf_pass *pass;
	uint8_t pool_low, pool_high; // notify-pool-usage: percent of its blocks; 0: never
	uint32_t notify_interval_s;
};

// ---- the NAT log (RFC 8158) ------------------------------------------------------------------

enum conf_log_format {
	CONF_LOG_IPFIX,  // over UDP
	CONF_LOG_SYSLOG, // RFC 5424, over UDP (RFC 5426) or to a file
	CONF_LOG_JSON    // lines, to a file or over UDP
};

struct conf_log {
	uint8_t format; // enum conf_log_format
	char file[108]; // absolute path; empty: `host` and `port`
	char host[64];  // an address, not a name
	uint16_t port;
	char source[64];      // address to send from; empty: the system's choice
	uint16_t mtu;         // octets of a datagram's payload, at most
	uint32_t templates_s; // IPFIX: templates are sent again after so long
	uint32_t domain;      // IPFIX observation domain, natInstanceID
	bool destinations;    // RFC 6888 REQ-12: log them where a session has one
};

enum conf_idle {
	CONF_IDLE_POLL,
	CONF_IDLE_SLEEP
};

struct arena_block; // conf's own

struct conf {
	uint64_t generation; // 1, 2, ... given by the publisher
	uint16_t n_workers;
	uint16_t lcores[CONF_MAX_WORKERS]; // CPU of each worker; UINT16_MAX: the daemon chooses
	uint8_t idle;                      // enum conf_idle
	bool require_huge_pages;
	bool ip6; // some interface speaks IPv6
	char control_socket[108];
	uint32_t control_mode; // file mode of the socket

	struct nat_limits limits; // of the whole process; conf_shard_limits() gives one shard's
	uint32_t max_neighbours;
	uint32_t pcp_clients;         // PCP clients remembered, of the whole process
	uint32_t announce_rate;       // unicast announcements and updates, per second and worker
	uint32_t icmp_error_rate;     // per second and worker
	uint32_t new_subscriber_rate; // per second and inside interface
	uint32_t new_subscriber_burst;
	uint32_t fragments;            // fragments-limit: held at once, of one worker
	uint32_t fragments_per_source; // of these
	uint32_t fragment_timeout_s;   // fragment-min-timeout
	uint32_t syns;                 // max-stored-syn of one worker
	uint32_t in_syn_timeout_s;     // tcp-in-syn-timeout
	struct nat_timers timers;

	uint16_t n_logs;
	struct conf_log logs[CONF_MAX_LOGS];
	uint32_t log_interim_s; // blocks are told again after so long; 0: never
	uint32_t log_wait_ms;   // how long an event may wait for others
	bool log_fail_closed;   // no new mapping while the log cannot take its record
	char log_history[108];  // file that keeps every deterministic plan with its time; may be
				// empty

	uint16_t n_ports, n_interfaces;
	uint16_t n_groups; // one past the highest id in use
	uint16_t n_realms; // one past the highest realm in use
	struct conf_port ports[CONF_MAX_PORTS];
	struct conf_interface interfaces[CONF_MAX_INTERFACES];
	struct conf_group groups[CONF_MAX_GROUPS]; // by id; see `used`

	uint32_t n_next_hops; // entry i < n_interfaces is on-link on interface i; gateways follow
	struct conf_next_hop *next_hops;
	struct prefix_table routes[CONF_MAX_REALMS];      // by realm: index of a next hop
	struct prefix_table subscribers[CONF_MAX_REALMS]; // by realm: group id
	uint64_t groups_of[CONF_MAX_REALMS]; // by realm: bits of the groups that have subscribers
					     // there
	uint32_t n_routes6;
	struct conf_route6 *routes6; // longest prefix first

	uint32_t n_external;
	struct conf_external *external; // ascending by address
	uint32_t n_statics;
	struct conf_static *statics; // ascending by (external address, port, protocol)

	uint8_t reta[CONF_RETA]; // worker by Toeplitz hash of the inside source, or outside
				 // destination
	struct toeplitz toeplitz;

	struct conf_local *local; // hash of all our addresses; conf_find_local()
	uint32_t local_mask;
	struct arena_block *borrowed; // what the policies' pointers point to
	char *text;                   // the YAML it was made from
};

// ---- making ----------------------------------------------------------------------------------

struct conf_complaint {
	uint32_t line, column; // 1-based; 0 when the file as a whole is meant
	char path[128];        // nat-groups.residential.pcp.lifetime.min
	char found[128];       // what stands there
	char wanted[160];      // what would be right
};

struct conf_complaints {
	const char *file; // borrowed
	uint32_t n, room;
	struct conf_complaint *list;
};

// Reads, checks and deals. `previous` (may be NULL) is the snapshot in force: groups keep their ids
// and addresses that stay keep their owner (design D1). 0, or -errno with complaints: -EINVAL when
// the text is wrong (all mistakes are listed, in the order of the file), -ENOENT, -EFBIG and the
// like for the file itself. Indices of ports and interfaces, and realms, stay with their names.
MUST_CHECK int conf_load(const char *file, const struct conf *previous, struct conf **out,
	struct conf_complaints *complaints);
MUST_CHECK int conf_load_text(const char *file, const char *text, size_t len,
	const struct conf *previous, struct conf **out, struct conf_complaints *complaints);
// Adds a complaint for every leaf that differs and needs a restart; returns how many. `new` was
// loaded with `old` as its previous; lines and columns are those of new's text.
uint32_t conf_restart_leaves(
	const struct conf *old, const struct conf *new, struct conf_complaints *complaints);
void conf_destroy(struct conf *c); // NULL is fine
void conf_complaints_destroy(struct conf_complaints *complaints);
// "FILE:LINE:COLUMN: PATH: found X, expected Y" into out; always NUL-terminated.
void conf_complaint_format(const struct conf_complaints *all, uint32_t i, char *out, size_t size);

// ---- looking up ------------------------------------------------------------------------------

enum conf_local_kind {
	CONF_NOT_LOCAL,
	CONF_LOCAL_INTERFACE,
	CONF_LOCAL_LISTEN,
	CONF_LOCAL_ANYCAST, // index: unused; the group is the source's
	CONF_LOCAL_POOL
};

struct conf_local {
	ip4 ip;
	uint8_t kind;  // enum conf_local_kind; CONF_NOT_LOCAL: empty place
	uint8_t realm; // interfaces: theirs
	uint16_t spare;
	uint32_t index; // interface, group id, or index into `external`
};

// Which of our addresses this is for a packet of `realm`: an address of an interface of the same
// realm, or of an outside one; a listen address, or the anycast one when any group listens there
// (neither for realm 0); a pool address. NULL: none. Every packet asks: what is none of ours, or a
// pool address, mostly ends at the first place of the table.
const struct conf_local *conf_find_local_from(
	const struct conf *c, uint8_t realm, ip4 ip, uint32_t place);

static inline uint32_t conf_local_home(const struct conf *c, ip4 ip)
{
	return (uint32_t)(((uint64_t)ip * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & c->local_mask;
}

static inline const struct conf_local *conf_find_local(const struct conf *c, uint8_t realm, ip4 ip)
{
	uint32_t home = conf_local_home(c, ip);
	const struct conf_local *local = &c->local[home];

	if (local->kind == CONF_NOT_LOCAL)
		return NULL;
	if (local->kind == CONF_LOCAL_POOL && local->ip == ip)
		return local;
	return conf_find_local_from(c, realm, ip, home);
}

static inline uint32_t conf_group_of(const struct conf *c, uint8_t realm, ip4 host)
{
	return prefix_table_find(&c->subscribers[realm], host); // PREFIX_NONE: no group
}

static inline uint16_t conf_inside_owner(const struct conf *c, ip4 host)
{
	return c->reta[toeplitz_ip4(&c->toeplitz, host) % CONF_RETA];
}

// The worker that owns an external endpoint: by the deal, or the plan, but for static mappings
// whose subscriber lives elsewhere.
uint16_t conf_outside_owner(
	const struct conf *c, const struct conf_external *e, uint8_t protocol, uint16_t port);

// The worker for fragments from outside, whose ports are not known: all of one datagram meet there.
uint16_t conf_fragment_owner(
	const struct conf *c, const struct conf_external *e, ip4 remote, uint16_t id);
// Whether packets between an inside host of this group and an outside endpoint pass untranslated.
// `protocol` is that of the IP header; port 0: not known, only entries without ports pass it.
bool conf_passes(const struct conf_group *g, ip4 remote, uint8_t protocol, uint16_t port);
// The next hop for an IPv6 destination, or PREFIX_NONE; and which interface has this address, -1.
uint32_t conf_route6(const struct conf *c, ip6 destination);
int conf_find_local6(const struct conf *c, ip6 address);

// The static neighbour of this address; NULL: none.
const struct conf_neighbour *conf_find_neighbour(const struct conf_interface *iface, ip6 ip);

// The interface behind (port, VLAN); -1: none.
int conf_find_interface(const struct conf *c, uint16_t port, uint16_t vlan);
// The ports of external address i that worker w owns: one range of dynamic ones (first > last:
// none) and one of port-forwarding-range. False: neither, and it is not planned: a planned address
// is every worker's, with the worker's own run of its overflow part, and port_first is never in
// front of that part. (A static mapping may still name this address on this worker: see
// conf_static.owner and .addressee.)
bool conf_external_share(const struct conf *c, uint32_t i, uint16_t w, struct nat_address *share);
// One shard's limits: all but the external addresses divided, with a reserve of one eighth for an
// uneven hash.
struct nat_limits conf_shard_limits(const struct conf *c);
uint32_t conf_shard_clients(const struct conf *c); // the same of pcp_clients

#endif
