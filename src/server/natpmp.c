// SPDX-License-Identifier: Apache-2.0
// What only NAT-PMP asks for (RFC 6886).
#include "judge.h"

// s.3.2: the one external address this client would have, although there may be no mapping yet.
enum pcp_result judge_external(struct question *q)
{
	ip4 external;
	enum drop why;

	if (!q->asker->have_external)
		return refuse(q, PCP_NETWORK_FAILURE);
	if (!q->asker->may_create) {
		q->counters->newcomers_refused++;
		return refuse(q, PCP_NO_RESOURCES);
	}
	why = nat_pair(
		q->nat, q->nat_policy, q->asker->group, q->realm, q->host, q->now_s, &external);
	if (why != DROP_NONE)
		return refuse(q, PCP_NO_RESOURCES);
	q->m.external_ip = ip6_mapped(external);
	q->lifetime_s = 0;
	return PCP_SUCCESS;
}

// s.3.3: a port that one protocol has is kept for the same host in the other. Port blocks belong
// to one subscriber in all protocols, so nobody else gets it; here the same internal port gets it.
struct recipe companion_of(const struct question *q, const struct nat_key *key)
{
	struct nat_key other = *key;
	struct nat_view view;

	other.protocol = key->protocol == NAT_TCP ? NAT_UDP : NAT_TCP;
	nat_lease_look(q->nat, &other, q->now_s, &view);
	if (view.kind == NAT_EXPLICIT && view.n_ports == 1)
		return view.external;
	return (struct recipe){0};
}
