// SPDX-License-Identifier: Apache-2.0
// epoch.h - has the server lost its state since it last spoke to us? (RFC 6887 s.8.5)
#ifndef CLIENT_EPOCH_H
#define CLIENT_EPOCH_H

#include <postern/base.h>

struct epoch {
	bool known;
	ns heard;          // our clock when the server last told its Epoch
	uint32_t server_s; // what it told
};

// Takes the Epoch of one more answer. False when the two clocks ran apart further than drift and
// delay explain: the server started over. The new pair is remembered either way.
bool epoch_check(struct epoch *e, ns now, uint32_t server_s);

#endif
