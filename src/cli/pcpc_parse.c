// SPDX-License-Identifier: Apache-2.0
#include "pcpc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

// Digits only: strtoul would take blanks and signs.
static bool read_digits(const char **text, uint64_t max, uint64_t *out)
{
	const char *p = *text;
	uint64_t n = 0;

	if (*p < '0' || *p > '9')
		return false;
	for (; *p >= '0' && *p <= '9'; p++) {
		n = n * 10 + (uint64_t)(*p - '0');
		if (n > max)
			return false;
	}
	*text = p;
	*out = n;
	return true;
}

bool pcpc_parse_number(const char *text, uint32_t max, uint32_t *out)
{
	uint64_t n;

	if (!read_digits(&text, max, &n) || *text != '\0')
		return false;
	*out = (uint32_t)n;
	return true;
}

static uint32_t unit_seconds(const char *unit)
{
	static const struct {
		const char *name;
		uint32_t s;
	} units[] = {{"", 1}, {"s", 1}, {"m", 60}, {"h", 3600}, {"d", 86400}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return units[i].s;
	return 0;
}

bool pcpc_parse_seconds(const char *text, uint32_t *out)
{
	uint64_t n;
	uint32_t unit;

	if (!read_digits(&text, UINT32_MAX, &n))
		return false;
	unit = unit_seconds(text);
	if (unit == 0 || n * unit > UINT32_MAX)
		return false;
	*out = (uint32_t)(n * unit);
	return true;
}

bool pcpc_parse_protocol(const char *text, uint8_t *out)
{
	uint32_t n;

	if (strcmp(text, "tcp") == 0)
		n = 6;
	else if (strcmp(text, "udp") == 0)
		n = 17;
	else if (!pcpc_parse_number(text, 255, &n) || n == 0)
		return false;
	*out = (uint8_t)n;
	return true;
}

bool pcpc_parse_address(const char *text, uint8_t out[16])
{
	uint8_t octets[4];

	if (inet_pton(AF_INET, text, octets) == 1) {
		struct postern_endpoint e = postern_endpoint_ip4(octets, 0);
		memcpy(out, e.ip, sizeof e.ip);
		return true;
	}
	return inet_pton(AF_INET6, text, out) == 1;
}

// ADDR, IPV4:PORT or [ADDR]:PORT; an IPv6 address without brackets has no port.
bool pcpc_parse_endpoint(const char *text, uint16_t port, struct postern_endpoint *out)
{
	char address[IP6_TEXT];
	const char *colon = strrchr(text, ':'), *end = text + strlen(text);
	bool brackets = text[0] == '[';
	uint32_t n;

	*out = (struct postern_endpoint){.port = port};
	if (colon && (brackets ? colon[-1] == ']' : strchr(text, ':') == colon)) {
		if (!pcpc_parse_number(colon + 1, 65535, &n) || n == 0)
			return false;
		out->port = (uint16_t)n;
		end = colon;
	}
	if (brackets) {
		text++;
		if (end <= text || *--end != ']')
			return false;
	}
	if ((size_t)(end - text) >= sizeof address)
		return false;
	memcpy(address, text, (size_t)(end - text));
	address[end - text] = '\0';
	return pcpc_parse_address(address, out->ip);
}

static int hex_value(char c)
{
	static const char digits[] = "0123456789abcdef0123456789ABCDEF";
	const char *p = c ? strchr(digits, c) : NULL;

	return p ? (int)(p - digits) % 16 : -1;
}

bool pcpc_parse_hex(const char *text, uint8_t *out, size_t max, size_t *n)
{
	for (*n = 0;; ++*n) {
		int high, low;

		text += strspn(text, " :\t\n");
		if (*text == '\0')
			return true;
		high = hex_value(text[0]);
		low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0 || *n == max)
			return false;
		out[*n] = (uint8_t)(high << 4 | low);
		text += 2;
	}
}

bool pcpc_parse_nonce(const char *text, uint8_t out[12])
{
	size_t n;

	return strlen(text) == 24 && pcpc_parse_hex(text, out, 12, &n) && n == 12;
}

// ---- what requests are made of ---------------------------------------------------------------

bool pcpc_parse_dialect(const char *text, enum pcp_dialect *out)
{
	for (unsigned i = 0; i < PCP_DIALECTS; i++) {
		if (strcmp(text, pcp_dialect_name(i)) == 0) {
			*out = (enum pcp_dialect)i;
			return true;
		}
	}
	return false;
}

// 2, then 1, then 0 (NAT-PMP), as far as they are there; 2 is tried first, or one is spoken alone.
bool pcpc_parse_versions(const char *text, unsigned *dialects)
{
	static const unsigned by_number[] = {POSTERN_NATPMP, POSTERN_V1, POSTERN_V2};
	int last = '3';

	*dialects = 0;
	for (;; text++) {
		if (*text < '0' || *text >= last)
			return false;
		last = *text;
		*dialects |= by_number[*text++ - '0'];
		if (*text == '\0')
			break;
		if (*text != ',')
			return false;
	}
	return *dialects != (POSTERN_V1 | POSTERN_NATPMP);
}

// Cuts ":PORT" off the end: behind a bracket or the only colon of the text, else behind the
// prefix length. False when it is no port.
static bool cut_port(char *text, uint16_t *port)
{
	char *slash = strchr(text, '/'), *colon = strrchr(slash ? slash : text, ':');
	uint32_t n;

	*port = 0;
	if (!colon || (!slash && strchr(text, ':') != colon && colon[-1] != ']'))
		return true;
	if (!pcpc_parse_number(colon + 1, 65535, &n) || n == 0)
		return false;
	*colon = '\0';
	*port = (uint16_t)n;
	return true;
}

static char *cut_brackets(char *text)
{
	size_t n = strlen(text);

	if (n < 2 || text[0] != '[' || text[n - 1] != ']')
		return text;
	text[n - 1] = '\0';
	return text + 1;
}

bool pcpc_parse_filter(const char *text, struct pcp_filter *out)
{
	char copy[PCPC_ENDPOINT_TEXT + 8], *slash;
	uint32_t bits = 128, longest;

	*out = (struct pcp_filter){0};
	if (strcmp(text, "none") == 0)
		return true;
	if (strlen(text) >= sizeof copy)
		return false;
	strcpy(copy, text);
	if (!cut_port(copy, &out->port))
		return false;
	slash = strchr(copy, '/');
	if (slash)
		*slash = '\0';
	if (!pcpc_parse_address(cut_brackets(copy), out->address.b))
		return false;
	longest = ip6_is_mapped(out->address) ? 32 : 128;
	if (slash && !pcpc_parse_number(slash + 1, longest, &bits))
		return false;
	if (longest == 32)
		bits = slash ? bits + 96 : 128;
	out->prefix = (uint8_t)bits;
	return bits != 0;
}

// ---- and back --------------------------------------------------------------------------------

char *pcpc_format_endpoint(const struct postern_endpoint *e, char out[PCPC_ENDPOINT_TEXT])
{
	char text[IP6_TEXT];
	ip6 ip;

	memcpy(ip.b, e->ip, sizeof ip.b);
	snprintf(out, PCPC_ENDPOINT_TEXT, ip6_is_mapped(ip) ? "%s:%u" : "[%s]:%u",
		ip6_format(ip, text), e->port);
	return out;
}

char *pcpc_format_hex(const uint8_t *octets, size_t n, char *out)
{
	for (size_t i = 0; i < n; i++)
		sprintf(out + 2 * i, "%02x", octets[i]);
	out[2 * n] = '\0';
	return out;
}

const char *pcpc_protocol_text(uint8_t protocol, char out[4])
{
	if (protocol == 6)
		return "tcp";
	if (protocol == 17)
		return "udp";
	snprintf(out, 4, "%u", protocol);
	return out;
}
