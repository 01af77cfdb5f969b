// SPDX-License-Identifier: Apache-2.0
// One scalar's text to its value. Pure; false when it is none.
#ifndef CONF_LEAF_H
#define CONF_LEAF_H

#include <postern/conf.h>

MUST_CHECK bool leaf_count(const char *text, uint64_t *out);   // 5, 64k, 1M, 2G: thousands
MUST_CHECK bool leaf_seconds(const char *text, uint64_t *out); // 90, 90s, 2m, 1h, 1d
MUST_CHECK bool leaf_span(const char *text, uint32_t *first, uint32_t *last); // 3 or 2-9
MUST_CHECK bool leaf_mode(const char *text, uint32_t *out); // 660, 0660: octal either way
MUST_CHECK bool leaf_endpoint(const char *text, ip4 *ip, uint16_t *port);
// a.b.c.d, a.b.c.d/n without host bits, a.b.c.d-e.f.g.h
MUST_CHECK bool leaf_addresses(const char *text, ip4 *first, ip4 *last);
MUST_CHECK bool leaf_millis(const char *text, uint64_t *out);  // 300ms, 1s; 2 are seconds
MUST_CHECK bool leaf_percent(const char *text, uint64_t *out); // 10%
// Pairs of hexadecimal digits, 1 to `most` of them; how many octets, 0: they are none.
size_t leaf_octets(const char *text, uint8_t *out, size_t most);
MUST_CHECK bool leaf_mac(const char *text, uint8_t out[6]); // 02:00:00:00:00:0a
bool leaf_is_name(const char *text);   // letters, digits, - and _; fits CONF_NAME
bool leaf_is_device(const char *text); // printable, without blanks, fits conf_port.device
bool leaf_is_pci(const char *text);    // 0000:3b:00.1 or 3b:00.1, arguments may follow a comma
bool leaf_is_host(ip4 a);              // not of 0/8, 127/8, multicast or beyond
bool leaf_is_host6(ip6 a); // not ::, ::1, mapped or multicast; link-local ones are hosts'
bool leaf_is_link_local6(ip6 a);

#define SECONDS_TEXT 16
char *seconds_format(uint32_t seconds, char out[SECONDS_TEXT]); // 120 -> 2m

// The name nearest to `text` by edits; n when none is near enough to be meant.
size_t nearest_name(const char *text, const char *const *names, size_t n);
// "a, b, c" of as many names as fit.
void join_names(char *out, size_t size, const char *const *names, size_t n);

#endif
