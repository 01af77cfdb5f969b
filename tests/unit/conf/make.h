// SPDX-License-Identifier: Apache-2.0
// Texts the tests are made of, and snapshots from them.
#ifndef TEST_CONF_MAKE_H
#define TEST_CONF_MAKE_H

#include <postern/conf.h>

#include <criterion/criterion.h>

// Lines 1 to 3, and 4 to 7: the smallest configuration. Text behind it begins at line 8.
#define PORTS                                                                                      \
	"ports:\n"                                                                                 \
	"  inside: {device: a, addresses: [100.64.0.1/10]}\n"                                      \
	"  outside: {device: b, addresses: [198.51.100.2/24], gateway: 198.51.100.1}\n"
#define GROUP                                                                                      \
	"nat-groups:\n"                                                                            \
	"  g:\n"                                                                                   \
	"    subscribers: [100.64.0.0/10]\n"                                                       \
	"    external-address-pool: [203.0.113.0/29]\n"

// Loads, or fails the test and shows what was complained about. Give it to conf_destroy().
struct conf *make_conf(const char *text, const struct conf *previous);
struct conf *make_conf_format(const struct conf *previous, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
ip4 make_ip(const char *text);
const struct conf_external *find_external(const struct conf *c, ip4 ip);
// Whose a port is by the deal, static mappings and the ports of a plan's hosts aside.
uint16_t piece_owner(const struct conf *c, const struct conf_external *e, uint32_t port);

enum {
	LINES_MOST = 16
};

struct mistake {
	const char *text;
	const char *lines[LINES_MOST];
};

// Loads what is wrong and expects exactly these complaints, in this order.
void check_mistake(const struct mistake *m);
// Whatever a snapshot promises whoever reads it; fails the test.
void check_conf(const struct conf *c);

#endif
