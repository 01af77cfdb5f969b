// SPDX-License-Identifier: Apache-2.0
// What the agent's file says. Everything that is wrong in it is told at once.
#include "pcpcd_yaml.h"

#include "pcpc.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	MOST_TEXT = 1 << 20,
	SHORTEST_S = 120, // RFC 6887 s.15: what servers hold for at least
	LONGEST_S = 86400,
	DEFAULT_LIFETIME_S = 7200,
	SLOWEST_MS = 60000,
};

// ---- servers ---------------------------------------------------------------------------------

static bool is_link_local(const uint8_t ip[16])
{
	return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

static bool is_nobody(const uint8_t octets[16])
{
	ip6 ip;

	memcpy(ip.b, octets, sizeof ip.b);
	if (ip6_is_mapped(ip))
		return ip6_to_ip4(ip) == 0 || ip6_to_ip4(ip) >> 28 >= 14; // multicast and beyond
	return ip6_eq(ip, (ip6){{0}}) || octets[0] == 0xff;
}

// Cuts "%eth0" out of the text; false when it is longer than any interface's name.
static bool cut_zone(char *text, char zone[IF_NAMESIZE])
{
	char *percent = strchr(text, '%');
	size_t n;

	zone[0] = '\0';
	if (!percent)
		return true;
	n = strcspn(percent + 1, "]");
	if (n == 0 || n >= IF_NAMESIZE)
		return false;
	memcpy(zone, percent + 1, n);
	zone[n] = '\0';
	memmove(percent, percent + 1 + n, strlen(percent + 1 + n) + 1);
	return true;
}

static void read_address(
	struct yaml_reader *r, const struct place *at, struct postern_server *server)
{
	static const char wanted[] = "ADDRESS, IPV4:PORT or [IPV6]:PORT";
	const char *said = yaml_text(r, at, wanted);
	char text[PCPC_ENDPOINT_TEXT + IF_NAMESIZE], zone[IF_NAMESIZE];
	struct postern_endpoint *e = &server->addresses[server->n_addresses];

	if (!said)
		return;
	snprintf(text, sizeof text, "%s", said);
	if (strlen(said) >= sizeof text || !cut_zone(text, zone) ||
		!pcpc_parse_endpoint(text, POSTERN_SERVER_PORT, e) || is_nobody(e->ip)) {
		yaml_complain(r, at, "%s", wanted);
		return;
	}
	if (is_link_local(e->ip) && zone[0] == '\0')
		yaml_complain(r, at, "its interface too, such as fe80::1%%eth0");
	server->n_addresses++;
	if (zone[0] == '\0')
		return;
	server->interface = if_nametoindex(zone);
	if (server->interface != 0)
		return;
	r->complaints->waiting++; // at boot it may come later
	yaml_complain(r, at, "an interface that this host has");
}

static void read_server(
	struct yaml_reader *r, const struct place *at, struct postern_server *server)
{
	size_t n;

	if (at->at->type != YAML_SEQUENCE_NODE) {
		read_address(r, at, server);
		return;
	}
	n = yaml_list_length(r, at, POSTERN_ADDRESSES, "addresses");
	if (n == 0)
		yaml_complain(r, at, "the addresses of one server, at most %d", POSTERN_ADDRESSES);
	for (size_t i = 0; i < n; i++) {
		struct place item = yaml_item(r, at, i);

		read_address(r, &item, server);
	}
}

static bool is_known(const struct pcpcd_conf *c, const struct postern_server *server)
{
	for (unsigned i = 0; i < c->n_servers; i++)
		if (c->servers[i].interface == server->interface &&
			memcmp(&c->servers[i].addresses[0], &server->addresses[0],
				sizeof server->addresses[0]) == 0)
			return true;
	return false;
}

static void read_servers(struct yaml_reader *r, const struct place *at, void *into)
{
	size_t n = yaml_list_length(
		r, at, PCPCD_MAX_SERVERS, "a list of servers such as [192.168.1.1]");
	struct pcpcd_conf *c = into;

	for (size_t i = 0; i < n; i++) {
		struct postern_server server = {.origin = POSTERN_CONFIGURED};
		struct place item = yaml_item(r, at, i);

		read_server(r, &item, &server);
		if (server.n_addresses == 0)
			continue;
		if (is_known(c, &server))
			yaml_complain(r, &item, "each server once");
		else
			c->servers[c->n_servers++] = server;
	}
}

// ---- the other settings ----------------------------------------------------------------------

static void read_anycast(struct yaml_reader *r, const struct place *at, void *into)
{
	yaml_read_bool(r, at, &((struct pcpcd_conf *)into)->anycast);
}

static void read_prefer_ipv6(struct yaml_reader *r, const struct place *at, void *into)
{
	yaml_read_bool(r, at, &((struct pcpcd_conf *)into)->prefer_ipv6);
}

static void read_release(struct yaml_reader *r, const struct place *at, void *into)
{
	yaml_read_bool(r, at, &((struct pcpcd_conf *)into)->release_on_exit);
}

static void read_state_file(struct yaml_reader *r, const struct place *at, void *into)
{
	struct pcpcd_conf *c = into;

	yaml_read_path(r, at, c->state_file, sizeof c->state_file);
}

static void read_socket(struct yaml_reader *r, const struct place *at, void *into)
{
	struct pcpcd_conf *c = into;

	yaml_read_path(r, at, c->socket, sizeof c->socket);
}

// 500ms, or a time in seconds as elsewhere.
static bool parse_pace(const char *text, uint32_t *out)
{
	size_t n = strlen(text);
	char digits[16];

	if (n > 2 && n < sizeof digits && strcmp(text + n - 2, "ms") == 0) {
		memcpy(digits, text, n - 2);
		digits[n - 2] = '\0';
		return pcpc_parse_number(digits, SLOWEST_MS, out) && *out > 0;
	}
	if (!pcpc_parse_seconds(text, out) || *out == 0 || *out > SLOWEST_MS / 1000)
		return false;
	*out *= 1000;
	return true;
}

static void read_pace(struct yaml_reader *r, const struct place *at, void *into)
{
	static const char wanted[] = "a time from 1ms to 60s, such as 500ms";
	struct pcpcd_conf *c = into;
	const char *text = yaml_text(r, at, wanted);

	if (text && !parse_pace(text, &c->pace_ms))
		yaml_complain(r, at, "%s", wanted);
}

static unsigned dialect_of(const char *text)
{
	static const struct {
		const char *name;
		unsigned dialect;
	} dialects[] = {{"2", POSTERN_V2}, {"1", POSTERN_V1}, {"nat-pmp", POSTERN_NATPMP}};

	for (size_t i = 0; i < ARRAY_SIZE(dialects); i++)
		if (strcmp(text, dialects[i].name) == 0)
			return dialects[i].dialect;
	return 0;
}

static void read_versions(struct yaml_reader *r, const struct place *at, void *into)
{
	static const char wanted[] = "a list of versions such as [2, 1, nat-pmp]";
	size_t before = r->complaints->n, n = yaml_list_length(r, at, 3, wanted);
	struct pcpcd_conf *c = into;
	unsigned said = 0;

	for (size_t i = 0; i < n; i++) {
		struct place item = yaml_item(r, at, i);
		const char *text = yaml_text(r, &item, "2, 1 or nat-pmp");
		unsigned dialect = text ? dialect_of(text) : 0;

		if (text && dialect == 0)
			yaml_complain(r, &item, "2, 1 or nat-pmp");
		else if (said & dialect)
			yaml_complain(r, &item, "each version once");
		said |= dialect;
	}
	if (before == r->complaints->n && (said & POSTERN_V2) == 0)
		yaml_complain(r, at, "2 among the versions: it is always tried first");
	c->dialects = said;
}

// ---- ports -----------------------------------------------------------------------------------

struct port {
	struct pcpcd_want want; // its protocol is filled in last
	bool tcp, udp;
	struct place name_at, protocol_at, internal_at, external_at; // `at` is NULL: not said
};

static void read_name(struct yaml_reader *r, const struct place *at, void *into)
{
	struct port *p = into;

	p->name_at = *at;
	yaml_read_text(r, at, p->want.name, sizeof p->want.name);
}

static void read_description(struct yaml_reader *r, const struct place *at, void *into)
{
	struct port *p = into;

	yaml_read_text(r, at, p->want.description, sizeof p->want.description);
}

static void read_protocol(struct yaml_reader *r, const struct place *at, void *into)
{
	const char *text = yaml_text(r, at, "tcp, udp or both");
	struct port *p = into;
	bool both;

	p->protocol_at = *at;
	if (!text)
		return;
	both = strcmp(text, "both") == 0;
	p->tcp = both || strcmp(text, "tcp") == 0;
	p->udp = both || strcmp(text, "udp") == 0;
	if (!p->tcp && !p->udp)
		yaml_complain(r, at, "tcp, udp or both");
}

static void read_internal_port(struct yaml_reader *r, const struct place *at, void *into)
{
	struct port *p = into;

	p->internal_at = *at;
	yaml_read_port(r, at, &p->want.internal_port);
}

static void read_external_port(struct yaml_reader *r, const struct place *at, void *into)
{
	struct port *p = into;

	p->external_at = *at;
	yaml_read_port(r, at, &p->want.external_port);
}

static void read_lifetime(struct yaml_reader *r, const struct place *at, void *into)
{
	static const char wanted[] = "a time from 2m to 1d, such as 90m, 2h or 7200";
	const char *text = yaml_text(r, at, wanted);
	struct port *p = into;
	uint32_t s;

	if (!text)
		return;
	if (pcpc_parse_seconds(text, &s) && s >= SHORTEST_S && s <= LONGEST_S)
		p->want.lifetime_s = s;
	else
		yaml_complain(r, at, "%s", wanted);
}

static void read_prefer_failure(struct yaml_reader *r, const struct place *at, void *into)
{
	yaml_read_bool(r, at, &((struct port *)into)->want.prefer_failure);
}

static void read_filters(struct yaml_reader *r, const struct place *at, void *into)
{
	size_t n = yaml_list_length(
		r, at, PCPCD_MAX_FILTERS, "a list of remote hosts such as [198.51.100.0/24]");
	struct pcpcd_want *w = &((struct port *)into)->want;

	for (size_t i = 0; i < n; i++) {
		struct place item = yaml_item(r, at, i);
		const char *text = yaml_text(r, &item, "ADDRESS[/BITS][:PORT]");
		struct pcp_filter filter;

		if (!text)
			continue;
		if (pcpc_parse_filter(text, &filter) && filter.prefix > 0)
			w->filters[w->n_filters++] = filter;
		else
			yaml_complain(r, &item, "ADDRESS[/BITS][:PORT]");
	}
}

static const struct pcpcd_want *find_name(const struct pcpcd_conf *c, const char *name)
{
	for (unsigned i = 0; i < c->n_wants; i++)
		if (strcmp(c->wants[i].name, name) == 0)
			return &c->wants[i];
	return NULL;
}

static const struct pcpcd_want *find_external(
	const struct pcpcd_conf *c, uint8_t protocol, uint16_t port)
{
	for (unsigned i = 0; i < c->n_wants; i++)
		if (c->wants[i].protocol == protocol && c->wants[i].external_port == port)
			return &c->wants[i];
	return NULL;
}

static void add_want(
	struct yaml_reader *r, const struct port *p, uint8_t protocol, struct pcpcd_conf *c)
{
	const struct pcpcd_want *other = pcpcd_find_want(c, protocol, p->want.internal_port);
	struct pcpcd_want *w = &c->wants[c->n_wants];

	if (other) {
		yaml_complain(r, &p->internal_at,
			"each port of a protocol once: '%s' in line %u has it", other->name,
			other->line);
		return;
	}
	other = p->want.external_port ? find_external(c, protocol, p->want.external_port) : NULL;
	if (other) {
		yaml_complain(r, &p->external_at,
			"each external port of a protocol once: '%s' in line %u wants it",
			other->name, other->line);
		return;
	}
	*w = p->want;
	w->protocol = protocol;
	w->importance = PCPCD_MAX_WANTS - c->n_wants;
	c->n_wants++;
}

// Whether all is said that must be, and nothing that contradicts it.
static bool check_port(struct yaml_reader *r, const struct place *at, const struct port *p,
	const struct pcpcd_conf *c)
{
	const struct pcpcd_want *other = find_name(c, p->want.name);

	if (!p->name_at.at)
		yaml_complain_found(r, at, "no name", "a name: what the port is for");
	else if (*p->want.name && other)
		yaml_complain(r, &p->name_at, "each name once: line %u has it", other->line);
	if (!p->protocol_at.at)
		yaml_complain_found(r, at, "no protocol", "protocol: tcp, udp or both");
	if (!p->internal_at.at)
		yaml_complain_found(r, at, "no internal-port", "internal-port: 1 to 65535");
	if (p->want.prefer_failure && p->want.external_port == 0)
		yaml_complain_found(r, at, "prefer-failure without external-port",
			"the external-port that nothing else will do for");
	return *p->want.name && p->want.internal_port > 0;
}

static void read_port(struct yaml_reader *r, const struct place *at, struct pcpcd_conf *c)
{
	static const struct yaml_field fields[] = {
		{"name", read_name},
		{"protocol", read_protocol},
		{"internal-port", read_internal_port},
		{"external-port", read_external_port},
		{"prefer-failure", read_prefer_failure},
		{"lifetime", read_lifetime},
		{"description", read_description},
		{"filters", read_filters},
	};
	struct port p = {.want = {.lifetime_s = DEFAULT_LIFETIME_S, .line = yaml_line(at)}};

	if (!yaml_read_map(r, at, fields, ARRAY_SIZE(fields), &p) || !check_port(r, at, &p, c))
		return;
	if (p.tcp)
		add_want(r, &p, 6, c);
	if (p.udp)
		add_want(r, &p, 17, c);
}

static void read_ports(struct yaml_reader *r, const struct place *at, void *into)
{
	size_t n = yaml_list_length(r, at, PCPCD_MAX_PORTS,
		"a list of ports, each with a name, a "
		"protocol and an internal-port");

	for (size_t i = 0; i < n; i++) {
		struct place item = yaml_item(r, at, i);

		read_port(r, &item, into);
	}
}

// ---- the file --------------------------------------------------------------------------------

static bool has_member(struct yaml_reader *r, const struct place *map, const char *name)
{
	for (const yaml_node_pair_t *pair = map->at->data.mapping.pairs.start;
		pair < map->at->data.mapping.pairs.top; pair++) {
		const yaml_node_t *key = yaml_document_get_node(r->document, pair->key);

		if (key->type == YAML_SCALAR_NODE &&
			strcmp((const char *)key->data.scalar.value, name) == 0)
			return true;
	}
	return false;
}

static void read_all(struct yaml_reader *r, const struct place *at, void *into)
{
	static const struct yaml_field fields[] = {
		{"servers", read_servers},
		{"anycast", read_anycast},
		{"prefer-ipv6", read_prefer_ipv6},
		{"versions", read_versions},
		{"pace", read_pace},
		{"state-file", read_state_file},
		{"socket", read_socket},
		{"release-on-exit", read_release},
		{"ports", read_ports},
	};

	if (yaml_read_map(r, at, fields, ARRAY_SIZE(fields), into) && !has_member(r, at, "ports"))
		yaml_complain_found(r, at, "no ports", "a list of them under the name ports");
}

static int compare_complaints(const void *left, const void *right)
{
	const struct pcpcd_complaint *a = left, *b = right;

	if (a->line != b->line)
		return a->line < b->line ? -1 : 1;
	if (a->column != b->column)
		return a->column < b->column ? -1 : 1;
	return strcmp(a->text, b->text);
}

bool pcpcd_conf_read(const char *file, const char *text, size_t length, struct pcpcd_conf *out,
	struct pcpcd_complaints *complaints)
{
	*complaints = (struct pcpcd_complaints){.file = file};
	*out = (struct pcpcd_conf){.prefer_ipv6 = true,
		.pace_ms = 500,
		.dialects = POSTERN_V2 | POSTERN_V1 | POSTERN_NATPMP,
		.state_file = PCPCD_DEFAULT_STATE,
		.socket = PCPCD_DEFAULT_SOCKET};
	yaml_read_document(text, length, complaints, read_all, out);
	qsort(complaints->list, complaints->n, sizeof complaints->list[0], compare_complaints);
	return complaints->n == 0;
}

static bool complain_file(struct pcpcd_complaints *complaints, const char *file, const char *what)
{
	*complaints = (struct pcpcd_complaints){.file = file, .n = 1};
	snprintf(complaints->list[0].text, sizeof complaints->list[0].text, "%s", what);
	return false;
}

static ssize_t read_whole(int fd, char *text, size_t size)
{
	size_t length = 0;

	while (length < size) {
		ssize_t n = read(fd, text + length, size - length);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		length += (size_t)n;
	}
	return (ssize_t)length;
}

// A pipe without a writer would keep the agent from everything else, so it is not waited for; a
// folder is told by read().
static bool is_endless(int fd)
{
	struct stat is;

	return fd >= 0 && fstat(fd, &is) == 0 && !S_ISREG(is.st_mode) && !S_ISDIR(is.st_mode);
}

bool pcpcd_conf_load(const char *file, struct pcpcd_conf *out, struct pcpcd_complaints *complaints)
{
	char *text = malloc(MOST_TEXT + 1);
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t n = fd < 0 ? -errno : text ? read_whole(fd, text, MOST_TEXT + 1) : -ENOMEM;
	bool good;

	if (is_endless(fd))
		good = complain_file(complaints, file, "found no regular file, expected one");
	else if (n < 0)
		good = complain_file(complaints, file, strerror((int)-n));
	else if (n > MOST_TEXT)
		good = complain_file(complaints, file, "found more than 1 MiB, expected less");
	else
		good = pcpcd_conf_read(file, text, (size_t)n, out, complaints);
	if (fd >= 0)
		close(fd);
	free(text);
	return good;
}
