// SPDX-License-Identifier: Apache-2.0
// pkt.h - packet headers, the one-pass parse, checksums, and what a packet can be dropped for.
//
// Owner    the caller owns every octet; a struct pkt only points into its buffer.
// Threads  pure functions, no state.
// Memory   none.
// Lengths  octets. A header is looked at only after its length was checked; nothing a peer
//          sends can reach an assert or a read past `len`.
// Book     docs/design/pkt.md; RFC 791, 768, 9293, 792, 1624, 4884, 5508 s.3, 826, IEEE 802.1Q
#ifndef POSTERN_PKT_H
#define POSTERN_PKT_H

#include <postern/base.h>

// ---- what a packet can be dropped for: name, RFC 8512/7659 style, and one sentence -----------

#define PKT_DROPS(X)                                                                               \
	X(ETHERNET_SHORT, "ethernet-short", "Frame shorter than its Ethernet and VLAN header.")    \
	X(ETHERNET_TYPE, "ethernet-type", "Ethernet type that nothing here speaks.")               \
	X(ETHERNET_ADDRESS, "ethernet-address", "Unicast frame for another station.")              \
	X(NO_INTERFACE, "no-interface", "Port and VLAN that no configured interface has.")         \
	X(SEGMENTED, "segmented", "Frame in more than one buffer that could not be made one.")     \
	X(IPV6, "ipv6", "IPv6 packet on an interface without IPv6 addresses.")                     \
	X(IP6_HEADER, "ip6-header", "IPv6 header or length that is wrong.")                        \
	X(IP6_ADDRESS, "ip6-address", "IPv6 source or destination that no router forwards.")       \
	X(ND, "nd", "Neighbour discovery message that is malformed, forged or not for us.")        \
	X(ARP, "arp", "ARP message that is malformed or not for us.")                              \
	X(IP_HEADER, "ip-header", "IPv4 header too short, of a wrong version or length.")          \
	X(IP_CHECKSUM, "ip-checksum", "Wrong IPv4 header checksum.")                               \
	X(IP_ADDRESS, "ip-address", "Source or destination that no router forwards.")              \
	X(IP_TRUNCATED, "ip-truncated", "IPv4 total length beyond the end of the frame.")          \
	X(L4_HEADER, "l4-header", "UDP, TCP or ICMP header missing, cut or inconsistent.")         \
	X(ICMP_CHECKSUM, "icmp-bad-checksum", "Wrong ICMP checksum (RFC 5508 REQ-3).")             \
	X(ICMP_EMBEDDED, "icmp-embedded-bad", "ICMP error whose embedded packet is unusable.")     \
	X(ICMP_TYPE, "icmp-type", "ICMP type that is not translated (RFC 5508 REQ-11).")           \
	X(ICMP_NO_MAPPING, "icmp-no-mapping", "ICMP error about a flow that has no mapping.")      \
	X(FRAGMENT, "fragment", "Fragment, and fragment-behavior is drop-all.")                    \
	X(FRAG_ORDER, "frag-order",                                                                \
		"Fragment before its first, and fragment-behavior is in-order.")                   \
	X(FRAG_TIMEOUT, "frag-timeout", "Held fragment whose first did not come in time.")         \
	X(FRAG_OVERLAP, "frag-overlap", "Overlapping fragment, or one of a datagram given up.")    \
	X(FRAG_TINY, "frag-tiny", "Fragment that cuts or could overwrite a transport header.")     \
	X(FRAG_TABLE, "frag-table-full", "No record or buffer for one more fragmented datagram.")  \
	X(FRAG_MANY, "frag-too-many",                                                              \
		"Too many fragments of one datagram, or held of one source.")                      \
	X(PROTOCOL, "proto-unsupported", "Transport protocol that is not translated.")             \
	X(TTL, "ttl", "Time to live used up; ICMP time exceeded went back.")                       \
	X(MTU_DF, "mtu-df", "Too big for the next hop with DF set; ICMP went back.")               \
	X(NO_POLICY, "no-policy", "Inside source that belongs to no NAT group.")                   \
	X(SPOOFED, "spoofed", "Source address that cannot come from this interface.")              \
	X(INSIDE_TO_INSIDE, "inside-to-inside", "Destination is an inside prefix of the realm.")   \
	X(NO_ROUTE, "no-route", "No route to the destination.")                                    \
	X(NEIGHBOUR, "neighbour-unresolved", "Next hop did not answer ARP in time.")               \
	X(NEIGHBOUR_QUEUE, "neighbour-queue-full", "Too many packets wait for ARP answers.")       \
	X(NOT_POOL_ADDRESS, "not-pool-address", "From outside, to no address of ours.")            \
	X(NO_MAPPING_INBOUND, "no-mapping-inbound", "From outside, to an unmapped port.")          \
	X(LOCAL_PROTOCOL, "local-protocol", "To our own address, but nothing here serves it.")     \
	X(FILTERED_ADF, "filtered-adf", "From an address that was not sent to.")                   \
	X(FILTERED_APDF, "filtered-apdf", "From an address and port that was not sent to.")        \
	X(UNSOLICITED_SYN, "unsolicited-syn", "TCP SYN from outside that filtering keeps out.")    \
	X(TCP_FLAGS, "tcp-bad-flags", "TCP flags that no connection has.")                         \
	X(TCP_NO_SESSION, "tcp-no-session",                                                        \
		"TCP segment from inside that has no mapping and begins no connection.")           \
	X(LOG_FULL, "log-fail-closed", "New mapping refused: the NAT log cannot take its record.") \
	X(QUOTA_RATE, "quota-rate", "Subscriber makes mappings faster than mapping-rate.")         \
	X(QUOTA_SESSIONS, "quota-sessions", "Subscriber reached his session limit.")               \
	X(SESSIONS_FULL, "table-full-session", "Session table is full.")                           \
	X(QUOTA_PORTS, "quota-ports", "Subscriber reached his port limit (RFC 6888 REQ-4).")       \
	X(QUOTA_BLOCKS, "quota-blocks",                                                            \
		"Subscriber's port blocks are full, and he may have no more.")                     \
	X(NO_BLOCK, "no-block-on-address", "Paired address has no free port block left.")          \
	X(POOL_NO_ADDRESS, "pool-no-address", "No address of the pool has a free port block.")     \
	X(POOL_NO_PORT, "pool-no-port", "No free port in the subscriber's blocks.")                \
	X(TABLE_FULL, "table-full-mapping", "Mapping table is full.")                              \
	X(SUBSCRIBERS_FULL, "subscriber-table-full", "Subscriber table is full.")                  \
	X(SUBSCRIBER_RATE, "new-subscriber-rate", "Too many new inside sources on this port.")     \
	X(HAIRPIN_LOOP, "hairpin-loop", "Hairpinned packet that would hairpin again.")             \
	X(HANDOFF_FULL, "handoff-queue-full", "The ring to the owning worker is full.")            \
	X(RESTEERED, "resteered-twice", "Owner changed twice while the packet was in flight.")     \
	X(NO_BUFFER, "no-buffer", "No packet buffer was free.")                                    \
	X(TX_FULL, "tx-full", "The port's transmit queue did not take it.")                        \
	X(ICMP_RATE, "icmp-rate-limit", "ICMP error not sent: rate limit (RFC 5508 REQ-10f).")     \
	X(PCP_CHECKSUM, "pcp-bad-checksum", "PCP datagram with a wrong UDP checksum.")             \
	X(PCP_SHORT, "pcp-short", "PCP datagram of fewer octets than its version needs.")          \
	X(PCP_RESPONSE, "pcp-response", "PCP response sent to the server (R bit set).")            \
	X(PCP_INTERFACE, "pcp-interface", "PCP request from where no subscriber can be.")          \
	X(PCP_RATE, "pcp-rate", "PCP request over its client's rate.")                             \
	X(PCP_SILENT, "pcp-silent",                                                                \
		"PCP request that gets no answer: its dialect has none, or its source port is 0.") \
	X(PCP_FILTER, "pcp-filter", "From outside, kept out by a mapping's FILTERs.")

enum drop {
	DROP_NONE, // not dropped
#define X(name, text, sentence) DROP_##name,
	PKT_DROPS(X)
#undef X
	DROP_COUNT
};

const char *drop_name(enum drop d);     // "no-mapping-inbound"
const char *drop_sentence(enum drop d); // "From outside, to an unmapped port."

enum verdict {
	VERDICT_PASS,    // send to `next_hop`
	VERDICT_DROP,    // counted under `drop`
	VERDICT_REPLY,   // the buffer holds the answer: send to `next_hop` (counted apart)
	VERDICT_HANDOFF, // give to worker `owner`
	VERDICT_PUNT,    // for a service outside the data plane
	VERDICT_HOLD,    // the shard keeps the buffer
};

// ---- wire headers ----------------------------------------------------------------------------

struct eth_wire { // IEEE 802.3; a VLAN tag may follow the addresses
	uint8_t dst[6], src[6];
	be16 type;
};

struct arp_wire { // RFC 826 over Ethernet, for IPv4
	be16 hardware, protocol;
	uint8_t hardware_size, protocol_size;
	be16 operation;
	uint8_t sender_mac[6];
	be32 sender_ip;
	uint8_t target_mac[6];
	be32 target_ip;
};

struct ip4_wire { // RFC 791 s.3.1, without options
	uint8_t version_ihl, tos;
	be16 total_length;
	be16 id, fragment; // fragment: 0x8000 reserved, 0x4000 DF, 0x2000 MF, offset in 8 octets
	uint8_t ttl, protocol;
	be16 checksum;
	be32 src, dst;
};

struct udp_wire { // RFC 768
	be16 src, dst, length, checksum;
};

struct tcp_wire { // RFC 9293 s.3.1, without options
	be16 src, dst;
	be32 seq, ack;
	uint8_t offset, flags; // offset: header length in words in the upper four bits
	be16 window, checksum, urgent;
};

struct icmp_wire { // RFC 792; id and sequence of queries, or what the type says
	uint8_t type, code;
	be16 checksum;
	be16 id, seq; // destination unreachable code 4: seq is the next-hop MTU (RFC 1191)
};

struct ip6_wire { // RFC 8200 s.3
	be32 version_class_flow;
	be16 payload_length;
	uint8_t next_header, hop_limit;
	ip6 src, dst;
};

struct icmp6_wire { // RFC 4443 s.2.1; `data` is what the type says
	uint8_t type, code;
	be16 checksum;
	be32 data;
};

static_assert(sizeof(struct ip6_wire) == 40, "RFC 8200 s.3");
static_assert(sizeof(struct icmp6_wire) == 8, "RFC 4443 s.2.1");
static_assert(sizeof(struct eth_wire) == 14, "Ethernet header is 14 octets");
static_assert(sizeof(struct arp_wire) == 28, "RFC 826 for IPv4 over Ethernet is 28 octets");
static_assert(sizeof(struct ip4_wire) == 20, "RFC 791 s.3.1");
static_assert(sizeof(struct udp_wire) == 8, "RFC 768");
static_assert(sizeof(struct tcp_wire) == 20, "RFC 9293 s.3.1");
static_assert(sizeof(struct icmp_wire) == 8, "RFC 792");

enum {
	ETHERTYPE_IP4 = 0x0800,
	ETHERTYPE_ARP = 0x0806,
	ETHERTYPE_VLAN = 0x8100,
	ETHERTYPE_QINQ = 0x88a8,
	ETHERTYPE_IP6 = 0x86dd
};
enum {
	IP_ICMP = 1,
	IP_TCP = 6,
	IP_UDP = 17,
	IP_ICMP6 = 58
};
enum {
	IP4_DF = 0x4000,
	IP4_MF = 0x2000,
	IP4_OFFSET = 0x1fff
};
enum {
	TCP_FIN = 1,
	TCP_SYN = 2,
	TCP_RST = 4,
	TCP_PSH = 8,
	TCP_ACK = 16
};
enum {
	ICMP_ECHO_REPLY = 0,
	ICMP_UNREACHABLE = 3,
	ICMP_REDIRECT = 5,
	ICMP_ECHO = 8,
	ICMP_TIME_EXCEEDED = 11,
	ICMP_PARAMETER = 12
};
enum {
	ICMP_NET_UNREACHABLE = 0,
	ICMP_HOST_UNREACHABLE = 1,
	ICMP_PORT_UNREACHABLE = 3,
	ICMP_TOO_BIG = 4,
	ICMP_PROHIBITED = 13
};

enum { // RFC 4443, RFC 4861
	ICMP6_UNREACHABLE = 1,
	ICMP6_TOO_BIG = 2,
	ICMP6_TIME_EXCEEDED = 3,
	ICMP6_INFORMATIONAL = 128, // from here on no errors
	ICMP6_ECHO = 128,
	ICMP6_ECHO_REPLY = 129,
	ICMP6_ND_FIRST = 133, // router solicitation ... redirect
	ICMP6_SOLICITATION = 135,
	ICMP6_ADVERTISEMENT = 136,
	ICMP6_ND_LAST = 137,
	ICMP6_NO_ROUTE = 0, // codes of unreachable
	ICMP6_PORT_UNREACHABLE = 4
};

// ---- a parsed packet -------------------------------------------------------------------------

enum pkt_kind {
	PKT_UDP = 1, // 1..3 are also the table's protocol numbers, see nat.h
	PKT_TCP = 2,
	PKT_ECHO = 3,   // ICMP echo or echo reply; sport and dport both hold the identifier
	PKT_ICMP_ERROR, // `inner` holds the embedded packet
	PKT_FRAGMENT,   // a fragment that is not resolved yet, see pkt_resolve()
	PKT_OTHER,      // a protocol that has no ports here
	PKT_IP6,        // an IPv6 packet; of the fields of an IPv4 one only l3, len, room are set
};

enum pkt_stage {
	PKT_FRESH,       // as it came from the wire
	PKT_HAIRPINNED,  // source already translated; treat as arriving from outside
	PKT_THIRD_PARTY, // a PCP request for another host, let through by its source's shard
};

struct pkt_inner { // the packet inside an ICMP error
	ip4 src, dst;
	uint16_t sport, dport; // echo: both hold the identifier; PKT_OTHER: 0
	uint8_t kind;          // PKT_UDP, PKT_TCP, PKT_ECHO, or PKT_OTHER: never translated
	uint8_t l4_left;       // octets of the embedded transport header present, at most 255
	uint16_t at;           // offset of the embedded IP header from l3
	uint16_t l4_at;        // offset of the embedded transport header from l3
};

struct pkt {
	void *buf;     // the caller's handle, never looked at
	uint8_t *l3;   // first octet of the IP header
	uint16_t len;  // octets from l3: the IP total length, padding cut
	uint16_t room; // octets from l3 that may be written (>= len)
	ip4 src, dst;
	uint16_t sport, dport;
	uint8_t kind;      // enum pkt_kind
	uint8_t l4_at;     // offset of the transport header from l3
	uint8_t protocol;  // as in the IP header
	uint8_t tcp_flags; // TCP only
	uint8_t stage;     // enum pkt_stage
	uint8_t drop;      // enum drop, set with VERDICT_DROP
	bool resolved;     // a fragment that has a kind and ports, see pkt_resolve()
	bool later;        // a fragment without a transport header
	uint16_t iface;    // index of the interface it arrived on
	uint16_t owner;    // worker, set with VERDICT_HANDOFF
	uint16_t next_hop; // index into the snapshot's next hops, set with PASS and REPLY
	union {
		ip4 via;  // address to resolve on that next hop's link
		ip6 via6; // likewise of a PKT_IP6 packet
	};
	union {
		uint32_t epoch_s;  // PKT_THIRD_PARTY: what the client is to be told
		uint32_t datagram; // resolved, PKT_FRESH: the shard's own note of its datagram
	};
	struct pkt_inner inner;
};

// One endpoint as it shall read after translation: the recipe a mapping keeps. For ICMP echo
// `port` is the identifier.
struct recipe {
	ip4 addr;
	uint16_t port;
};

// ---- link layer ------------------------------------------------------------------------------

struct pkt_link {
	uint16_t type;  // Ethernet type behind the tags
	uint16_t vlan;  // 0: untagged (a priority tag counts as untagged)
	uint16_t l3_at; // offset of the network header
	bool group;     // sent to a multicast or broadcast address
};

// DROP_NONE, or DROP_ETHERNET_SHORT. A second tag makes the type ETHERTYPE_VLAN (unserved).
enum drop pkt_parse_link(const uint8_t *frame, size_t len, struct pkt_link *out);

// Turns the ARP request at `arp` (len octets behind the Ethernet header) into its answer by `mac`.
// pkt_parse_arp: DROP_NONE or DROP_ARP; what it says is for the caller to judge.
struct pkt_arp {
	uint16_t operation; // 1 request, 2 reply
	uint8_t sender_mac[6];
	ip4 sender_ip, target_ip;
};
enum drop pkt_parse_arp(const uint8_t *arp, size_t len, struct pkt_arp *out);
void pkt_write_arp(uint8_t arp[sizeof(struct arp_wire)], uint16_t operation,
	const uint8_t sender_mac[6], ip4 sender_ip, const uint8_t target_mac[6], ip4 target_ip);

// ---- network layer ---------------------------------------------------------------------------

// Parses the IPv4 packet at l3, `len` octets to the end of the frame. Fills every field of *p but
// buf, room, iface, stage and the results; p->len is the IP total length. Verifies the header
// checksum, and ICMP checksums. DROP_NONE or why not.
enum drop pkt_parse_ip4(struct pkt *p, uint8_t *l3, size_t len);

// ---- IPv6 and neighbour discovery ------------------------------------------------------------

// Checks the fixed header at l3 (RFC 8200 s.3) and that its addresses can be forwarded or answered:
// DROP_NONE, DROP_IP6_HEADER or DROP_IP6_ADDRESS. Fills kind, l3 and len of *p.
enum drop pkt_parse_ip6(struct pkt *p, uint8_t *l3, size_t len);

struct pkt_ip6 { // a closer look at a PKT_IP6 packet
	ip6 src, dst;
	uint8_t hop_limit;
	uint8_t protocol; // upper layer; 255: none that could be found
	bool later;       // a fragment without upper-layer header
	uint16_t l4_at;   // offset of the upper-layer header from l3
	uint16_t l4_len;
};
void pkt_look_ip6(const struct pkt *p, struct pkt_ip6 *out);

bool ip6_is_multicast(ip6 a);
bool ip6_is_link_local(ip6 a);
bool ip6_is_unspecified(ip6 a);
ip6 ip6_link_local(const uint8_t mac[6]); // RFC 4291 s.2.5.6, appendix A
ip6 ip6_solicited_node(ip6 a);            // RFC 4291 s.2.7.1
// Over the pseudo-header of RFC 8200 s.8.1 and `len` octets at l4; the checksum field as it stands.
uint16_t checksum_ip6(ip6 src, ip6 dst, uint8_t protocol, const uint8_t *l4, size_t len);

struct pkt_nd {       // neighbour solicitation or advertisement, RFC 4861 s.4.3 and s.4.4
	uint8_t type; // ICMP6_SOLICITATION, ICMP6_ADVERTISEMENT
	bool router, solicited, override;
	bool has_mac; // link-layer address option
	uint8_t mac[6];
	ip6 target;
};
enum {
	PKT_ND_SIZE = 72 // octets of such a message with its IPv6 header and one option
};
// DROP_NONE, or DROP_ND when RFC 4861 s.7.1 says so.
enum drop pkt_parse_nd(const struct pkt *p, const struct pkt_ip6 *six, struct pkt_nd *out);
void pkt_write_nd(uint8_t l3[PKT_ND_SIZE], const struct pkt_nd *nd, ip6 src, ip6 dst);

// What a fragment says of itself, for a packet of kind PKT_FRAGMENT.
struct pkt_fragment {
	uint16_t id;
	uint32_t first, end; // octets of the datagram's payload
	bool more;
	bool has_ports;        // a first fragment of UDP, TCP or ICMP echo
	uint16_t sport, dport; // then; echo: both hold the identifier
};
// DROP_NONE; DROP_FRAG_TINY: the first without its whole transport header, or a later one that
// begins inside a TCP header (RFC 1858, RFC 3128); DROP_ICMP_EMBEDDED, DROP_ICMP_TYPE: the first of
// an ICMP error, or of what is not translated; DROP_L4_HEADER: beyond 65535 octets, empty, or no
// multiple of eight though more follow. *out is filled in but for the ports whatever comes out.
enum drop pkt_parse_fragment(const struct pkt *p, struct pkt_fragment *out);
// Gives a fragment that passed pkt_parse_fragment() the ports of its datagram: it is then a packet
// of kind PKT_UDP, PKT_TCP or PKT_ECHO with `resolved` set, and `later` when it has no transport
// header. The first of a TCP segment has its flags, a later one none.
void pkt_resolve(struct pkt *p, uint8_t kind, uint16_t sport, uint16_t dport);

// ---- checksums (RFC 1071, RFC 1624) ----------------------------------------------------------

uint32_t checksum_add(uint32_t sum, const void *data, size_t len); // unfolded, len octets
uint16_t checksum_fold(uint32_t sum);                              // ready for the wire (inverted)
uint16_t checksum_ip4(const uint8_t *header, size_t len);          // 0 when a header is right
// UDP, TCP: over pseudo-header and payload; the checksum field counts as it stands.
uint16_t checksum_l4(ip4 src, ip4 dst, uint8_t protocol, const uint8_t *l4, size_t len);

// RFC 1624 equation 3. `delta` is the sum of ~old + new over all changed 16-bit words. Whether the
// words are numbers or as they stand in memory makes no difference (RFC 1071 s.2 B), as long as
// checksum and words agree.
static inline uint32_t checksum_delta16(uint16_t old_word, uint16_t new_word)
{
	return (uint32_t)(uint16_t)~old_word + new_word;
}

static inline uint32_t checksum_delta32(uint32_t old_word, uint32_t new_word)
{
	uint64_t sum = (uint64_t)(uint32_t)~old_word + new_word;

	return (uint32_t)(sum & 0xffff) + (uint32_t)(sum >> 16);
}

// The sum of both halves and its carry, in one addition: the lower half's is carried into the
// upper.
static inline uint16_t checksum_apply(uint16_t checksum, uint32_t delta)
{
	uint32_t sum = (uint32_t)(uint16_t)~checksum + delta;

	return (uint16_t) ~((sum + (sum << 16 | sum >> 16)) >> 16);
}

#endif
