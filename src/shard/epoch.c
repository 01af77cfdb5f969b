// SPDX-License-Identifier: Apache-2.0
// What a PCP client is told as the Epoch (design D5).
#include <postern/shard.h>

#include "world.h"

uint32_t group_epoch_s(const struct shard *s, uint32_t group, ns now)
{
	ns base = __atomic_load_n(&s->epochs->base_ns[group], __ATOMIC_RELAXED);

	return now > base ? (uint32_t)((now - base) / NS_PER_S) : 0;
}

static uint32_t younger(uint32_t epoch_s, uint32_t base_s, uint32_t now_s)
{
	return base_s == 0 ? epoch_s : min_u32(epoch_s, now_s - base_s);
}

// Three moments at which state may have been lost: for the whole group, for this subscriber, and
// for this client as one who asked for others. The age of the latest is told. Of a client whose
// shard is another one only the first is known here.
uint32_t known_epoch_s(const struct shard *s, uint32_t group_s, const struct server_client *record,
	uint8_t realm, ip4 client, ns now)
{
	uint32_t own_s = nat_epoch_base(s->nat, realm, client);
	uint32_t guest_s = record == NULL ? 0 : record->epoch_base_s;

	if (likely((own_s | guest_s) == 0))
		return group_s;
	return younger(younger(group_s, own_s, (uint32_t)(now / NS_PER_S)), guest_s,
		(uint32_t)(now / NS_PER_S));
}

uint32_t client_epoch_s(const struct shard *s, uint32_t group, uint8_t realm, ip4 client, ns now)
{
	return known_epoch_s(s, group_epoch_s(s, group, now),
		server_client_find(s->clients, realm, client), realm, client, now);
}
