// SPDX-License-Identifier: Apache-2.0
// RFC 3339 text of UTC moments. Leap seconds are the kernel's affair: its clock has none.
#include <postern/natlog.h>

#include <stdio.h>
#include <time.h>

char *natlog_time_format(uint64_t ms, char out[NATLOG_TIME])
{
	time_t seconds = (time_t)(ms / 1000);
	struct tm t;

	if (!gmtime_r(&seconds, &t))
		memset(&t, 0, sizeof t);
	size_t n = strftime(out, NATLOG_TIME, "%Y-%m-%dT%H:%M:%S", &t);
	snprintf(out + n, NATLOG_TIME - n, ".%03uZ", (unsigned)(ms % 1000));
	return out;
}

// ".25" is 250; digits behind the third are dropped.
static const char *parse_decimals(const char *at, unsigned *ms)
{
	unsigned weight = 100;

	*ms = 0;
	if (*at != '.')
		return at;
	for (at++; *at >= '0' && *at <= '9'; at++) {
		*ms += (unsigned)(*at - '0') * weight;
		weight /= 10;
	}
	return at;
}

// "Z", nothing, or "+02:00".
static bool parse_offset(const char *at, int64_t *seconds)
{
	unsigned hours, minutes;
	int end = 0;

	*seconds = 0;
	if (strcmp(at, "Z") == 0 || *at == '\0')
		return true;
	if ((*at != '+' && *at != '-') ||
		sscanf(at + 1, "%2u:%2u%n", &hours, &minutes, &end) != 2 || at[1 + end] ||
		hours > 23 || minutes > 59)
		return false;
	*seconds = (int64_t)hours * 3600 + minutes * 60;
	if (*at == '-')
		*seconds = -*seconds;
	return true;
}

static bool parse_number(const char *text, uint64_t *ms)
{
	uint64_t seconds = 0;
	size_t n = strspn(text, "0123456789");

	if (n == 0 || n > 11 || text[n])
		return false;
	for (; *text; text++)
		seconds = seconds * 10 + (uint64_t)(*text - '0');
	*ms = seconds * 1000;
	return true;
}

// What strptime() takes is more than a date has: 31 February becomes March.
static bool is_same_day(const struct tm *said, time_t seconds)
{
	struct tm t;

	return gmtime_r(&seconds, &t) && t.tm_mday == said->tm_mday && t.tm_mon == said->tm_mon;
}

bool natlog_time_parse(const char *text, uint64_t *ms)
{
	struct tm t = {0};
	int64_t offset;
	unsigned decimals;

	if (parse_number(text, ms))
		return true;
	const char *at = strptime(text, "%Y-%m-%d", &t);
	if (!at || (*at != 'T' && *at != ' '))
		return false;
	at = strptime(at + 1, "%H:%M:%S", &t);
	if (!at || !parse_offset(parse_decimals(at, &decimals), &offset))
		return false;
	struct tm said = t;
	time_t seconds = timegm(&t);
	if (seconds < 0 || !is_same_day(&said, seconds) || seconds - offset < 0)
		return false;
	*ms = (uint64_t)(seconds - offset) * 1000 + decimals;
	return true;
}
