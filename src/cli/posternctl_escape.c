// SPDX-License-Identifier: Apache-2.0
// A description was written by a subscriber, and an operator's terminal obeys what it is told. So
// whatever a terminal would act on is shown, not sent.
#include "posternctl.h"

// One UTF-8 character; *used: its octets. What is none counts as one octet of its own.
static uint32_t decode(const unsigned char *text, size_t length, size_t *used)
{
	static const uint32_t masks[] = {0, 0, 0x1f, 0x0f, 0x07};
	size_t n = text[0] < 0x80   ? 1
		   : text[0] < 0xc0 ? 0
		   : text[0] < 0xe0 ? 2
		   : text[0] < 0xf0 ? 3
				    : 4;
	uint32_t character;

	*used = 1;
	if (n == 1 || n == 0 || n > length)
		return text[0];
	character = text[0] & masks[n];
	for (size_t i = 1; i < n; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return text[0];
		character = character << 6 | (text[i] & 0x3f);
	}
	*used = n;
	return character;
}

// Marks that turn writing around or have no width: what is read must be what stands there.
static bool is_invisible(uint32_t c)
{
	return (c >= 0x200b && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
	       (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0x61c;
}

static int spell(uint32_t c, const char *text, size_t used, char *out, size_t size)
{
	if (c == '\\')
		return snprintf(out, size, "\\\\");
	if (c == '\n')
		return snprintf(out, size, "\\n");
	if (c == '\t')
		return snprintf(out, size, "\\t");
	if (c < ' ' || (c >= 0x7f && c < 0xa0) || (c >= 0x80 && used == 1))
		return snprintf(out, size, "\\x%02x", (unsigned)c);
	if (is_invisible(c))
		return snprintf(out, size, "\\u%04x", (unsigned)c);
	return snprintf(out, size, "%.*s", (int)used, text);
}

size_t text_escape(const char *text, size_t length, char *out, size_t size)
{
	size_t at = 0, n = 0, used;

	out[0] = '\0';
	while (at < length) {
		uint32_t c = decode((const unsigned char *)text + at, length - at, &used);
		char one[16];
		int spelt = spell(c, text + at, used, one, sizeof one);
		if (n + (size_t)spelt >= size)
			break;
		memcpy(out + n, one, (size_t)spelt + 1);
		n += (size_t)spelt;
		at += used;
	}
	return n;
}

void text_print(const char *text, FILE *out)
{
	size_t length = strlen(text), at = 0, used;
	char one[16];

	for (; at < length; at += used) {
		uint32_t c = decode((const unsigned char *)text + at, length - at, &used);
		spell(c, text + at, used, one, sizeof one);
		fputs(one, out);
	}
}
