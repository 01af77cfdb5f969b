// SPDX-License-Identifier: Apache-2.0
#include "leaf.h"

#include <stdio.h>

struct unit {
	char suffix;
	uint64_t factor;
};

// Digits only; no leading zero, which some YAML readers take for octal. At most ten digits, so that
// nothing overflows. NULL: no number.
static const char *read_digits(const char *text, uint64_t *out)
{
	const char *at = text;
	uint64_t n = 0;

	while (*at >= '0' && *at <= '9' && at - text <= 10)
		n = n * 10 + (uint64_t)(*at++ - '0');
	if (at == text || at - text > 10 || (*text == '0' && at - text > 1))
		return NULL;
	*out = n;
	return at;
}

static bool read_unit(const char *text, const struct unit *units, size_t n_units, uint64_t *out)
{
	uint64_t n;
	const char *at = read_digits(text, &n);

	if (!at)
		return false;
	if (!*at) {
		*out = n;
		return true;
	}
	for (size_t i = 0; i < n_units; i++) {
		if (at[0] == units[i].suffix && !at[1]) {
			*out = n * units[i].factor;
			return true;
		}
	}
	return false;
}

bool leaf_count(const char *text, uint64_t *out)
{
	static const struct unit units[] = {{'k', 1000}, {'M', 1000000}, {'G', 1000000000}};

	return read_unit(text, units, ARRAY_SIZE(units), out);
}

bool leaf_seconds(const char *text, uint64_t *out)
{
	static const struct unit units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};

	return read_unit(text, units, ARRAY_SIZE(units), out);
}

bool leaf_millis(const char *text, uint64_t *out)
{
	const char *at = read_digits(text, out);

	if (at && !strcmp(at, "ms"))
		return true;
	if (!leaf_seconds(text, out))
		return false;
	*out *= 1000;
	return true;
}

bool leaf_percent(const char *text, uint64_t *out)
{
	const char *at = read_digits(text, out);

	return at && !strcmp(at, "%");
}

bool leaf_span(const char *text, uint32_t *first, uint32_t *last)
{
	uint64_t low = 0, high;
	const char *at = read_digits(text, &low);

	high = low;
	if (at && *at == '-')
		at = read_digits(at + 1, &high);
	if (!at || *at || low > high || high > UINT16_MAX)
		return false;
	*first = (uint32_t)low;
	*last = (uint32_t)high;
	return true;
}

bool leaf_mode(const char *text, uint32_t *out)
{
	size_t len = strlen(text);
	uint32_t mode = 0;

	if (len < 3 || len > 4 || (len == 4 && *text != '0'))
		return false;
	for (; *text; text++) {
		if (*text < '0' || *text > '7')
			return false;
		mode = mode * 8 + (uint32_t)(*text - '0');
	}
	*out = mode;
	return true;
}

// The text before the last `mark` as an address; where it goes on behind, or NULL.
static const char *read_ip_before(const char *text, char mark, ip4 *ip)
{
	char copy[IP4_TEXT];
	const char *at = strrchr(text, mark);

	if (!at || (size_t)(at - text) >= sizeof copy)
		return NULL;
	memcpy(copy, text, (size_t)(at - text));
	copy[at - text] = 0;
	return ip4_parse(copy, ip) ? at + 1 : NULL;
}

bool leaf_endpoint(const char *text, ip4 *ip, uint16_t *port)
{
	uint64_t n;
	const char *at = read_ip_before(text, ':', ip);

	at = at ? read_digits(at, &n) : NULL;
	if (!at || *at || n == 0 || n > UINT16_MAX)
		return false;
	*port = (uint16_t)n;
	return true;
}

bool leaf_addresses(const char *text, ip4 *first, ip4 *last)
{
	struct prefix4 prefix;
	const char *at;

	if (prefix4_parse(text, &prefix, NULL)) {
		*first = prefix.base;
		*last = prefix.base | ~prefix4_mask(prefix.bits);
		return true;
	}
	at = read_ip_before(text, '-', first);
	return at && ip4_parse(at, last) && *first <= *last;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

size_t leaf_octets(const char *text, uint8_t *out, size_t most)
{
	size_t n = strlen(text);

	if (n % 2 != 0 || n / 2 > most)
		return 0;
	for (size_t i = 0; i < n; i++) {
		int value = hex_value(text[i]);
		if (value < 0)
			return 0;
		out[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : out[i / 2] | value);
	}
	return n / 2;
}

bool leaf_mac(const char *text, uint8_t out[6])
{
	for (size_t i = 0; i < 6; i++, text += 3) {
		int high = hex_value(text[0]), low = high < 0 ? -1 : hex_value(text[1]);
		if (low < 0 || text[2] != (i < 5 ? ':' : 0))
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

bool leaf_is_name(const char *text)
{
	const char *at = text;

	while (is_letter_or_digit(*at) || (at != text && (*at == '-' || *at == '_')))
		at++;
	return !*at && at != text && at - text < CONF_NAME;
}

bool leaf_is_device(const char *text)
{
	const char *at = text;

	while (*at > ' ' && *at < 127)
		at++;
	return !*at && at != text && (size_t)(at - text) < sizeof((struct conf_port *)NULL)->device;
}

static bool is_hex(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		if (hex_value(text[i]) < 0)
			return false;
	}
	return true;
}

bool leaf_is_pci(const char *text)
{
	if (is_hex(text, 4) && text[4] == ':')
		text += 5;
	return is_hex(text, 2) && text[2] == ':' && is_hex(text + 3, 2) && text[5] == '.' &&
	       text[6] >= '0' && text[6] <= '7' && (!text[7] || text[7] == ',');
}

bool leaf_is_host(ip4 a)
{
	return a >> 24 != 0 && a >> 24 != 127 && a >> 24 < 224;
}

bool leaf_is_host6(ip6 a)
{
	static const uint8_t zeros[15];
	bool low = memcmp(a.b, zeros, sizeof zeros) == 0 && a.b[15] <= 1;

	return !low && a.b[0] != 0xff && !ip6_is_mapped(a);
}

bool leaf_is_link_local6(ip6 a)
{
	return a.b[0] == 0xfe && (a.b[1] & 0xc0) == 0x80;
}

char *seconds_format(uint32_t seconds, char out[SECONDS_TEXT])
{
	static const struct unit units[] = {{'d', 86400}, {'h', 3600}, {'m', 60}};

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		// 124m would puzzle more than 7440s.
		if (units[i].suffix == 'm' && seconds > 3600)
			break;
		if (seconds >= units[i].factor && seconds % units[i].factor == 0) {
			snprintf(out, SECONDS_TEXT, "%u%c", (uint32_t)(seconds / units[i].factor),
				units[i].suffix);
			return out;
		}
	}
	snprintf(out, SECONDS_TEXT, "%us", seconds);
	return out;
}

// ---- names -----------------------------------------------------------------------------------

enum {
	NAME_MOST = 40
};

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
	return min_u32(min_u32(a, b), c);
}

// Edits to make one text of the other: a letter put in, taken out or replaced.
static uint32_t distance(const char *a, const char *b)
{
	uint32_t row[NAME_MOST + 1];
	uint32_t n = (uint32_t)strlen(b);

	for (uint32_t i = 0; i <= n; i++)
		row[i] = i;
	for (uint32_t j = 0; a[j]; j++) {
		uint32_t corner = row[0];
		row[0] = j + 1;
		for (uint32_t i = 0; i < n; i++) {
			uint32_t up = row[i + 1];
			row[i + 1] = min3(corner + (a[j] != b[i]), up + 1, row[i] + 1);
			corner = up;
		}
	}
	return row[n];
}

size_t nearest_name(const char *text, const char *const *names, size_t n)
{
	size_t best = n, len = strlen(text);
	uint32_t least = 1 + (uint32_t)max_u32(2, (uint32_t)len / 3);

	if (len > NAME_MOST)
		return n;
	for (size_t i = 0; i < n; i++) {
		uint32_t d = strlen(names[i]) <= NAME_MOST ? distance(text, names[i]) : least;
		// Nothing of a short name may be left when all of it is replaced.
		if (d < least && d < strlen(names[i])) {
			least = d;
			best = i;
		}
	}
	return best;
}

void join_names(char *out, size_t size, const char *const *names, size_t n)
{
	size_t used = 0;

	out[0] = 0;
	for (size_t i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(
			out + used, size - used, "%s%s", i > 0 ? ", " : "", names[i]);
}
