// SPDX-License-Identifier: Apache-2.0
#include "epoch.h"

// The RFC's arithmetic is meant for unsigned integers, where a step back of the one second it
// allows underflows the server's delta. It counts as zero here.
static bool plausible(const struct epoch *e, ns now, uint32_t server_s)
{
	int64_t client_delta = (int64_t)((now - e->heard) / NS_PER_S);
	int64_t server_delta = (int64_t)server_s - e->server_s;

	if (server_delta < -1)
		return false;
	if (server_delta < 0)
		server_delta = 0;
	return client_delta + 2 >= server_delta - server_delta / 16 &&
	       server_delta + 2 >= client_delta - client_delta / 16;
}

bool epoch_check(struct epoch *e, ns now, uint32_t server_s)
{
	bool valid = !e->known || plausible(e, now, server_s);

	*e = (struct epoch){.known = true, .heard = now, .server_s = server_s};
	return valid;
}
