// SPDX-License-Identifier: Apache-2.0
// hex.h - octets as a reader of the RFC writes them: "02010000 00000e10", blanks ignored.
#ifndef TEST_PCP_HEX_H
#define TEST_PCP_HEX_H

#include <criterion/criterion.h>
#include <ctype.h>
#include <postern/pcp.h>

#define HEX_MAX 1200

static inline int hex_digit(char c)
{
	return isdigit((unsigned char)c) ? c - '0' : tolower((unsigned char)c) - 'a' + 10;
}

static inline size_t hex(const char *text, uint8_t out[HEX_MAX])
{
	size_t n = 0;

	for (; *text; text++) {
		if (isspace((unsigned char)*text))
			continue;
		cr_assert(isxdigit((unsigned char)text[0]) && isxdigit((unsigned char)text[1]));
		out[n++] = (uint8_t)(hex_digit(text[0]) << 4 | hex_digit(text[1]));
		text++;
	}
	return n;
}

#define CLIENT "00000000 00000000 0000ffff 6440000a "
#define NONCE "00112233 44556677 8899aabb "
#define ZERO12 "00000000 00000000 00000000 "
#define NO_IP4 "00000000 00000000 0000ffff 00000000 "
#define POOL "00000000 00000000 0000ffff cb007105 "

// RFC 6887 requests that other files of this folder cut, pad and answer.
#define V01 "02010000 00000e10 " CLIENT NONCE "06000000 1f900000 " NO_IP4
#define V11 "02010000 00000e10 " CLIENT NONCE "06000000 01bb01bb " POOL "02000000"
#define V26 "02000000 00000000 " CLIENT
#define V29                                                                                        \
	"02020000 00000258 " CLIENT NONCE "06000000 c3500000 " NO_IP4                              \
	"01bb0000 00000000 00000000 0000ffff c6336407"

#endif
