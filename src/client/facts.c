// SPDX-License-Identifier: Apache-2.0
// What is known and what is planned, to look at; and the names of it all.
#include "state.h"

// ---- facts -----------------------------------------------------------------------------------

static const struct fact *next_fact(const struct postern_client *c, uintptr_t cursor)
{
	const struct fact *f = (const struct fact *)cursor; // NOLINT: the caller keeps it for us
	uint32_t id = 0;

	if (f && f->next_of_wish)
		return f->next_of_wish;
	if (f)
		id = (uint32_t)f->wish->id + 1;
	for (; id < c->n_wishes; id++)
		if (c->wishes[id] && c->wishes[id]->facts)
			return c->wishes[id]->facts;
	return NULL;
}

bool postern_client_fact(
	const struct postern_client *c, uintptr_t *cursor, struct postern_fact *out)
{
	const struct fact *f = next_fact(c, *cursor);

	*cursor = (uintptr_t)f;
	if (!f)
		return false;
	*out = (struct postern_fact){
		.id = f->wish->id,
		.server = f->server->id,
		.state = fact_state(f),
		.want = f->wish->want,
		.result = f->result,
		.n_ports = f->n_ports ? f->n_ports : 1,
		.granted_ns = f->expires == NEVER ? POSTERN_NEVER : f->granted,
		.expires_ns = f->expires,
	};
	out->want.external = f->external;
	out->want.has_nonce = true;
	memcpy(out->want.nonce, f->nonce, sizeof out->want.nonce);
	return true;
}

// ---- actions ---------------------------------------------------------------------------------

static unsigned count_sent(const struct action *a)
{
	switch (a->deed) {
	case POSTERN_SEND_ANNOUNCE:
		return a->server->announce.n_sent;
	case POSTERN_SEND_GET:
		return a->server->get.request.n_sent;
	case POSTERN_TRY_ADDRESS:
	case POSTERN_EXPIRE:
		return 0;
	case POSTERN_SEND_REQUEST:
	case POSTERN_SEND_RENEWAL:
	case POSTERN_SEND_DELETE:
		break;
	}
	return a == &a->fact->farewell.act ? a->fact->farewell.request.n_sent
					   : a->fact->request.n_sent;
}

bool postern_client_action(
	const struct postern_client *c, uintptr_t *cursor, struct postern_action *out)
{
	const struct action *a = (const struct action *)*cursor;

	a = a ? a->after : c->first;
	*cursor = (uintptr_t)a;
	if (!a)
		return false;
	*out = (struct postern_action){
		.at_ns = a->at,
		.deed = a->deed,
		.id = a->fact ? a->fact->wish->id : -1,
		.server = a->server->id,
		.sent = count_sent(a),
	};
	return true;
}

// ---- names -----------------------------------------------------------------------------------

static const char *name_in(const char *const *names, size_t n, unsigned i)
{
	return i < n ? names[i] : "unknown";
}

const char *postern_what_name(enum postern_what what)
{
	static const char *const names[] = {
		[POSTERN_MAPPED] = "mapped",
		[POSTERN_CHANGED] = "changed",
		[POSTERN_LOST] = "lost",
		[POSTERN_REFUSED] = "refused",
		[POSTERN_DELETED] = "deleted",
		[POSTERN_REMAINS] = "remains",
		[POSTERN_ANNOUNCED] = "announced",
		[POSTERN_RESTARTED] = "restarted",
		[POSTERN_DIALECT] = "dialect",
		[POSTERN_INNER_NAT] = "inner-nat",
		[POSTERN_SERVER_GONE] = "server-gone",
		[POSTERN_SERVER_BACK] = "server-back",
		[POSTERN_PREFIXES] = "prefixes",
		[POSTERN_ENTRY] = "entry",
		[POSTERN_ENTRIES_END] = "entries-end",
	};

	return name_in(names, ARRAY_SIZE(names), what);
}

const char *postern_state_name(enum postern_state state)
{
	static const char *const names[] = {
		[POSTERN_STATE_NOT_SENT] = "NOT_SENT",
		[POSTERN_STATE_WAIT_RESPONSE] = "WAIT_RESPONSE",
		[POSTERN_STATE_MAPPED] = "MAPPED",
		[POSTERN_STATE_REFRESHING] = "REFRESHING",
		[POSTERN_STATE_ERROR_WAIT] = "ERROR_WAIT",
		[POSTERN_STATE_DELETING] = "DELETING",
		[POSTERN_STATE_ENDED] = "ENDED",
	};

	return name_in(names, ARRAY_SIZE(names), state);
}

const char *postern_deed_name(enum postern_deed deed)
{
	static const char *const names[] = {
		[POSTERN_SEND_REQUEST] = "request",
		[POSTERN_SEND_RENEWAL] = "renew",
		[POSTERN_SEND_DELETE] = "delete",
		[POSTERN_SEND_ANNOUNCE] = "announce",
		[POSTERN_SEND_GET] = "get",
		[POSTERN_TRY_ADDRESS] = "try-address",
		[POSTERN_EXPIRE] = "expire",
	};

	return name_in(names, ARRAY_SIZE(names), deed);
}

const char *postern_result_name(unsigned result)
{
	return pcp_result_name(result);
}
