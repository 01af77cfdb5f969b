// SPDX-License-Identifier: Apache-2.0
// recount.h - counts everything in the tables anew, the slow way, and compares.
#ifndef TEST_NAT_RECOUNT_H
#define TEST_NAT_RECOUNT_H

#include <postern/nat.h>

#define RECOUNT_TEXT 256

// False when two tables tell different stories; `text` then says where.
bool recount(const struct nat *n, char text[RECOUNT_TEXT]);
// Its parts in recount_sessions.c: the VISIT bits of one mapping, and all sessions.
bool recount_visit(const struct nat *n, uint32_t slot, char text[RECOUNT_TEXT]);
bool recount_sessions(const struct nat *n, char text[RECOUNT_TEXT]);

#endif
