// SPDX-License-Identifier: Apache-2.0
// What the system's DHCP client left: dhclient's text (also under NetworkManager), the KEY=value
// files of systemd-networkd and NetworkManager, and the messages that dhcpcd keeps as they came.
// A lease that has ended, or was released, teaches nothing. A file that cannot be read is no error:
// most hosts have one such client or none.
#include <glob.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "loop.h"

#define MOST_LEASES (256 * 1024) // octets of one file
#define MOST_DATA 1024           // octets of one option
#define BOOTP_OPTIONS 240        // where they begin, behind the magic cookie

static const char *const usual[] = {
	"/var/lib/dhcp/dhclient*.leases",
	"/var/lib/NetworkManager/dhclient*.lease",
	"/var/lib/NetworkManager/internal-*.lease",
	"/run/systemd/netif/leases/*",
	"/var/lib/dhcpcd/*.lease",
	"/var/lib/dhcpcd/*.lease6",
	"/var/lib/dhcpcd5/*.lease",
	"/var/lib/dhcpcd5/*.lease6",
	NULL,
};

// ---- text ------------------------------------------------------------------------------------

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// "8:c6:33:64:1" as dhclient writes it, or "08c6336401".
static size_t read_hex(const char *text, uint8_t *out, size_t size)
{
	bool colons = strchr(text, ':') != NULL;
	size_t n = 0;

	while (hex_digit(*text) >= 0 && n < size) {
		unsigned value = (unsigned)hex_digit(*text++);

		if (hex_digit(*text) >= 0)
			value = value << 4 | (unsigned)hex_digit(*text++);
		else if (!colons)
			return 0;
		out[n++] = (uint8_t)value;
		if (*text == ':')
			text++;
	}
	return *text == '\0' ? n : 0;
}

// dhclient quotes an option of which every octet can be printed, with \ooo for those it escapes.
static size_t read_quoted(const char *text, uint8_t *out, size_t size)
{
	size_t n = 0;

	for (text++; *text != '"' && n < size; text++) {
		if (*text == '\0')
			return 0;
		if (*text == '\\' && text[1] >= '0' && text[1] <= '7') {
			unsigned value = 0;

			for (int i = 0; i < 3 && text[1] >= '0' && text[1] <= '7'; i++)
				value = value << 3 | (unsigned)(*++text - '0');
			out[n++] = (uint8_t)value;
			continue;
		}
		if (*text == '\\' && text[1] != '\0')
			text++;
		out[n++] = (uint8_t)*text;
	}
	return *text == '"' && text[1] == '\0' ? n : 0;
}

static size_t read_value(const char *text, uint8_t *out, size_t size)
{
	return *text == '"' ? read_quoted(text, out, size) : read_hex(text, out, size);
}

// ---- dhclient --------------------------------------------------------------------------------

struct lease { // the one being read, or the last of its interface
	char interface[IF_NAMESIZE];
	bool ended;
	struct found found;
};

struct leases {
	unsigned n;
	struct lease list[MOST_SERVERS];
};

// A later lease of the same interface and family takes the earlier one's place, whatever it says.
static void keep_lease(struct leases *leases, const struct lease *lease)
{
	for (unsigned i = 0; i < leases->n; i++)
		if (strcmp(leases->list[i].interface, lease->interface) == 0) {
			leases->list[i] = *lease;
			return;
		}
	if (leases->n < ARRAY_SIZE(leases->list))
		leases->list[leases->n++] = *lease;
}

// "expire never", "expire epoch 1767225600", "expire 4 2026/01/01 00:00:00".
static bool has_expired(const char *text, time_t wall)
{
	struct tm tm = {0};
	long long seconds;

	if (sscanf(text, "epoch %lld", &seconds) == 1)
		return seconds <= (long long)wall;
	if (sscanf(text, "%*d %d/%d/%d %d:%d:%d", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour,
		    &tm.tm_min, &tm.tm_sec) != 6)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	return timegm(&tm) <= wall;
}

// Whether an option of dhclient's is the one: it has no name there unless its configuration gave
// it one, and ours (postern_client(3)) is "pcp-server".
static const char *option_value(const char *line, const char *unknown, const char *named)
{
	const char *names[] = {unknown, named};

	if (strncmp(line, "option ", 7) != 0)
		return NULL;
	line += 7;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t n = strlen(names[i]);

		if (strncmp(line, names[i], n) == 0 && line[n] == ' ')
			return line + n + 1;
	}
	return NULL;
}

static void read_statement(const char *line, struct lease *lease, time_t wall)
{
	uint32_t interface = if_nametoindex(lease->interface);
	const char *value;
	uint8_t data[MOST_DATA];

	if (sscanf(line, "interface \"%15[^\"]\"", lease->interface) == 1)
		return;
	if (strncmp(line, "expire ", 7) == 0)
		lease->ended = lease->ended || has_expired(line + 7, wall);
	else if (strcmp(line, "released") == 0)
		lease->ended = true;
	else if ((value = option_value(line, "unknown-158", "pcp-server")))
		leases_read_option158(
			data, read_value(value, data, sizeof data), interface, &lease->found);
	else if ((value = option_value(line, "dhcp6.unknown-86", "dhcp6.pcp-server")))
		leases_read_option86(
			data, read_value(value, data, sizeof data), interface, &lease->found);
}

static void read_dhclient(char *text, time_t wall, struct found *found)
{
	static const struct lease none;
	struct leases *leases = calloc(1, sizeof *leases);
	struct lease lease = none;
	int depth = 0;

	if (!leases)
		return;
	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		size_t n;

		line += strspn(line, " \t");
		n = strlen(line);
		if (n > 0 && line[n - 1] == '{') {
			if (depth++ == 0)
				lease = none;
		} else if (*line == '}') {
			if (depth > 0 && --depth == 0)
				keep_lease(leases, &lease);
		} else if (n > 0 && line[n - 1] == ';') {
			line[n - 1] = '\0';
			read_statement(line, &lease, wall);
		}
	}
	for (unsigned i = 0; i < leases->n; i++)
		for (unsigned j = 0; !leases->list[i].ended && j < leases->list[i].found.n; j++)
			found_add(found, &leases->list[i].found.servers[j]);
	free(leases);
}

// ---- KEY=value -------------------------------------------------------------------------------

static void read_keys(char *text, uint32_t interface, struct found *found)
{
	uint8_t data[MOST_DATA];

	for (char *line; (line = strsep(&text, "\n")) != NULL;) {
		if (strncmp(line, "OPTION_158=", 11) == 0)
			leases_read_option158(
				data, read_hex(line + 11, data, sizeof data), interface, found);
		else if (strncmp(line, "OPTION_86=", 10) == 0)
			leases_read_option86(
				data, read_hex(line + 10, data, sizeof data), interface, found);
	}
}

// ---- names -----------------------------------------------------------------------------------

// "/run/systemd/netif/leases/3", "internal-UUID-eth0.lease", "eth0-network.lease", "eth0.lease6".
static uint32_t interface_of(const char *path)
{
	const char *base = strrchr(path, '/');
	char name[256], *end;
	unsigned long index;
	uint32_t found;

	snprintf(name, sizeof name, "%s", base ? base + 1 : path);
	name[strcspn(name, ".")] = '\0'; // a VLAN's interface may have a dot: tried below
	index = strtoul(name, &end, 10);
	if (end != name && *end == '\0' && index <= INT32_MAX)
		return (uint32_t)index;
	snprintf(name, sizeof name, "%s", base ? base + 1 : path);
	end = strrchr(name, '.');
	if (end)
		*end = '\0';
	for (char *at = name; at; at = strchr(at, '-') ? strchr(at, '-') + 1 : NULL) {
		if ((found = if_nametoindex(at)) != 0)
			return found;
	}
	while ((end = strrchr(name, '-')) != NULL) {
		*end = '\0';
		if ((found = if_nametoindex(name)) != 0)
			return found;
	}
	return 0;
}

static bool is_bootp(const uint8_t *octets, size_t length)
{
	static const uint8_t cookie[4] = {99, 130, 83, 99};

	return length >= BOOTP_OPTIONS && octets[0] == 2 &&
	       memcmp(octets + BOOTP_OPTIONS - sizeof cookie, cookie, sizeof cookie) == 0;
}

static bool ends_with(const char *text, const char *end)
{
	size_t n = strlen(text), m = strlen(end);

	return n >= m && strcmp(text + n - m, end) == 0;
}

void leases_read(
	const char *name, const uint8_t *octets, size_t length, time_t wall, struct found *found)
{
	uint32_t interface = interface_of(name);
	char *text;

	if (is_bootp(octets, length)) {
		leases_read_options4(
			octets + BOOTP_OPTIONS, length - BOOTP_OPTIONS, interface, found);
		return;
	}
	if (ends_with(name, ".lease6") && length > 4 && octets[0] == 7) { // a DHCPv6 reply
		leases_read_options6(octets + 4, length - 4, interface, found);
		return;
	}
	text = strndup((const char *)octets, length);
	if (!text)
		return;
	if (strstr(text, "lease {") || strstr(text, "lease6 {"))
		read_dhclient(text, wall, found);
	else
		read_keys(text, interface, found);
	free(text);
}

static void read_path(const char *path, time_t wall, struct found *found)
{
	uint8_t *octets = malloc(MOST_LEASES);
	FILE *f = octets ? fopen(path, "re") : NULL;

	if (f) {
		leases_read(path, octets, fread(octets, 1, MOST_LEASES, f), wall, found);
		fclose(f);
	}
	free(octets);
}

void leases_find(const char *const *patterns, time_t wall, struct found *found)
{
	for (patterns = patterns ? patterns : usual; *patterns; patterns++) {
		glob_t paths;

		if (glob(*patterns, 0, NULL, &paths) != 0)
			continue;
		for (size_t i = 0; i < paths.gl_pathc; i++)
			read_path(paths.gl_pathv[i], wall, found);
		globfree(&paths);
	}
}
