// SPDX-License-Identifier: Apache-2.0
// One word becomes one member of a request, or a sentence that says why not. The daemon checks all
// of it again; what is refused here is refused sooner and in the operator's own words.
#include "posternctl.h"

#include <stdarg.h>
#include <time.h>

enum {
	TEXT_OCTETS = 128,
	LIFETIME_MOST = 365 * 86400
};

__attribute__((format(printf, 3, 4))) static bool refuse(
	char *why, size_t size, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(why, size, format, args);
	va_end(args);
	return false;
}

bool value_number(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t n = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || n > max)
			return false;
		n = n * 10 + (uint64_t)(*c - '0');
	}
	*out = n;
	return *text && n <= max;
}

static uint64_t seconds_of(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 86400;
	default:
		return 0;
	}
}

// "90", "30m", "1h30m": numbers with units, the last unit may be left out only if it is alone.
bool value_seconds(const char *text, uint64_t *out)
{
	uint64_t sum = 0, n = 0;
	bool digits = false;

	if (value_number(text, LIFETIME_MOST, out))
		return *out > 0;
	for (; *text; text++) {
		if (*text >= '0' && *text <= '9') {
			n = n * 10 + (uint64_t)(*text - '0');
			digits = true;
		} else if (digits && seconds_of(*text)) {
			sum += n * seconds_of(*text);
			n = 0;
			digits = false;
		} else {
			return false;
		}
		if (n > LIFETIME_MOST || sum > LIFETIME_MOST)
			return false;
	}
	*out = sum;
	return !digits && sum > 0;
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

// Behind the seconds: a fraction, and Z, or nothing.
static bool read_fraction(const char *text, uint64_t *ms)
{
	uint64_t unit = 100;

	*ms = 0;
	if (*text == '.') {
		for (text++; *text >= '0' && *text <= '9'; text++, unit /= 10)
			*ms += (uint64_t)(*text - '0') * unit;
	}
	return *text == '\0' || strcmp(text, "Z") == 0;
}

bool value_time(const char *text, uint64_t now, uint64_t *out_ms)
{
	struct tm tm = {0};
	uint64_t seconds, ms;

	if (text[0] == '-' && value_seconds(text + 1, &seconds) && seconds * 1000 <= now) {
		*out_ms = now - seconds * 1000;
		return true;
	}
	const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);
	if (!rest)
		rest = strptime(text, "%Y-%m-%d %H:%M:%S", &tm);
	time_t at = rest ? timegm(&tm) : -1;
	if (at < 0 || !read_fraction(rest, &ms))
		return false;
	*out_ms = (uint64_t)at * 1000 + ms;
	return true;
}

char *time_format(uint64_t ms, char out[TIME_TEXT])
{
	time_t at = (time_t)(ms / 1000);
	struct tm tm;

	gmtime_r(&at, &tm);
	size_t n = strftime(out, TIME_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(out + n, TIME_TEXT - n, ".%03uZ", (unsigned)(ms % 1000));
	return out;
}

bool value_is_address(const char *text)
{
	ip4 address;

	return ip4_parse(text, &address);
}

bool value_split_port(const char *text, char address[IP4_TEXT], uint64_t *port)
{
	const char *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;

	if (!colon || length >= IP4_TEXT || !value_number(colon + 1, UINT16_MAX, port))
		return false;
	memcpy(address, text, length);
	address[length] = '\0';
	return value_is_address(address);
}

bool value_put_endpoint(json_t *object, const char *text, char *why, size_t why_size)
{
	char address[IP4_TEXT];
	uint64_t port;

	if (!value_split_port(text, address, &port))
		return refuse(why, why_size, "\"%s\" is no ADDRESS:PORT", text);
	json_object_set_new(object, "port", json_integer((json_int_t)port));
	return json_object_set_new(object, "subscriber", json_string(address)) == 0;
}

static bool check_external(const char *text, char *why, size_t why_size)
{
	char address[IP4_TEXT];
	uint64_t port;

	if (value_is_address(text) || value_split_port(text, address, &port))
		return true;
	return refuse(why, why_size, "\"%s\" is no ADDRESS or ADDRESS:PORT", text);
}

static bool check_choice(const char *name, const char *text, const char *const *choices,
	const char *wanted, char *why, size_t why_size)
{
	for (; *choices; choices++) {
		if (strcmp(text, *choices) == 0)
			return true;
	}
	return refuse(why, why_size, "%s \"%s\": expected %s", name, text, wanted);
}

static bool check_text(
	const char *name, enum value value, const char *text, char *why, size_t why_size)
{
	static const char *const protocols[] = {"udp", "tcp", "icmp", NULL};
	static const char *const kinds[] = {"dynamic-implicit", "dynamic-explicit", "implicit",
		"explicit", "peer", "static", "resting", NULL};

	switch (value) {
	case VALUE_ADDRESS:
		return value_is_address(text) ||
		       refuse(why, why_size, "\"%s\" is no IPv4 address", text);
	case VALUE_EXTERNAL:
		return check_external(text, why, why_size);
	case VALUE_PROTOCOL:
		return check_choice(name, text, protocols, "udp, tcp or icmp", why, why_size);
	case VALUE_KIND:
		return check_choice(name, text, kinds,
			"implicit, explicit, peer, static or resting", why, why_size);
	case VALUE_TEXT:
		return strlen(text) <= TEXT_OCTETS ||
		       refuse(why, why_size, "the %s has more than %d octets", name, TEXT_OCTETS);
	default:
		return true;
	}
}

static bool put_text(json_t *object, const char *name, enum value value, const char *text,
	char *why, size_t why_size)
{
	if (!check_text(name, value, text, why, why_size))
		return false;
	json_t *json = json_string(text);
	if (!json)
		return refuse(why, why_size, "%s: that is not UTF-8", name);
	return json_object_set_new(object, name, json) == 0;
}

bool value_put(json_t *object, const char *name, enum value value, const char *text, char *why,
	size_t why_size)
{
	uint64_t n;

	if (value == VALUE_PORT && !value_number(text, UINT16_MAX, &n))
		return refuse(why, why_size, "\"%s\" is no port (0 to 65535)", text);
	if (value == VALUE_LIFETIME && !value_seconds(text, &n))
		return refuse(why, why_size,
			"\"%s\" is no lifetime: seconds, or 30m, 12h, 7d; a year at most", text);
	if (value == VALUE_TIME && !value_time(text, now_ms(), &n))
		return refuse(why, why_size,
			"\"%s\" is no time: 2026-11-23T10:15:00Z (always UTC), or -10m", text);
	if (value == VALUE_PORT || value == VALUE_LIFETIME || value == VALUE_TIME)
		return json_object_set_new(object, name, json_integer((json_int_t)n)) == 0;
	return put_text(object, name, value, text, why, why_size);
}
