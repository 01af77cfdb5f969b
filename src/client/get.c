// SPDX-License-Identifier: Apache-2.0
// GET with NEXT: what the server holds for us, page by page. A page waits in the server's memory
// until its entries were told; then the next is asked for, from the last entry on.
#include <errno.h>

#include "state.h"

#define MOST_ENTRIES 65536 // no server ends later; one that lies does not go on for ever

int postern_client_get(struct postern_client *c, int server, uint8_t protocol, uint64_t now_ns)
{
	struct server *s = server_find(c, server);

	if (!s)
		return -EINVAL;
	if (s->get.under_way)
		return -EBUSY;
	s->get = (struct get){.under_way = true, .protocol = protocol};
	request_start(s, &s->get.request, now_ns);
	get_plan(s);
	return 0;
}

size_t get_write(struct server *s, uint8_t *out)
{
	struct pcp_message msg = {
		.dialect = PCP_V2,
		.opcode = PCP_GET,
		.client = s->sources[s->address].ip,
		.get = {.protocol = s->get.protocol},
	};
	size_t n = pcp_encode_request(out, POSTERN_DATAGRAM, &msg);

	return pcp_append_next(out, n, POSTERN_DATAGRAM, &s->get.locator);
}

static void end(struct get *get)
{
	get->under_way = false;
	get->last_page = false;
	get->length = 0;
	get->at = 0;
}

void get_refused(struct server *s, uint16_t result, uint32_t lifetime_s, uint32_t epoch_s)
{
	struct postern_event *event;

	request_stop(s, &s->get.request);
	get_plan(s);
	end(&s->get);
	event = server_tell(s, result == PCP_NONEXIST_MAP ? POSTERN_ENTRIES_END : POSTERN_REFUSED);
	event->result = result;
	event->lifetime_s = lifetime_s;
	event->epoch_s = epoch_s;
}

bool get_take(struct server *s, const struct pcp_message *msg, const uint8_t *octets, size_t length,
	ns now)
{
	struct get *get = &s->get;

	if (!is_under_way(&get->request))
		return false;
	if (msg->result != PCP_SUCCESS) {
		get_refused(s, msg->result, msg->lifetime_s, msg->epoch_s);
		return true;
	}
	if (msg->get.protocol != get->protocol)
		return false;
	request_stop(s, &get->request);
	get_plan(s);
	get->n_before = get->n_entries;
	get->at = 0;
	get->length = length - msg->options_at;
	memcpy(get->page, octets + msg->options_at, get->length);
	get->arrived = now;
	get->epoch_s = msg->epoch_s;
	return true;
}

// ---- telling a page --------------------------------------------------------------------------

static bool same_place(const struct pcp_next *a, const struct pcp_next *b)
{
	return a->protocol == b->protocol && ip6_eq(a->internal_ip, b->internal_ip) &&
	       ip6_eq(a->external_ip, b->external_ip) && a->internal_port == b->internal_port &&
	       a->external_port == b->external_port;
}

static bool next_entry(struct get *get, struct pcp_next *out)
{
	while (get->length - get->at >= 4) {
		const uint8_t *option = get->page + get->at;
		struct pcp_option o = {.code = option[0],
			.length = (uint16_t)(option[2] << 8 | option[3]),
			.data = option + 4};
		size_t padded = ((size_t)o.length + 3) & ~(size_t)3;

		if (get->length - get->at - 4 < padded)
			break;
		get->at += 4 + padded;
		if (o.code == PCP_NEXT && pcp_read_next(&o, out))
			return true;
	}
	get->at = get->length;
	return false;
}

static void tell_entry(
	const struct server *s, const struct pcp_next *entry, struct postern_event *out)
{
	*out = (struct postern_event){
		.what = POSTERN_ENTRY,
		.id = -1,
		.server = s->id,
		.dialect = s->dialect,
		.protocol = entry->protocol,
		.internal_port = entry->internal_port,
		.n_ports = 1,
		.external.port = entry->external_port,
		.lifetime_s = entry->lifetime_s,
		.epoch_s = s->get.epoch_s,
	};
	memcpy(out->external.ip, entry->external_ip.b, sizeof out->external.ip);
	memcpy(out->internal, entry->internal_ip.b, sizeof out->internal);
	memcpy(out->nonce, entry->nonce.b, sizeof out->nonce);
}

// Whether it is told: not when it is the place that the page was to begin with.
static bool take_entry(struct get *get, struct pcp_next *entry)
{
	bool told = !same_place(entry, &get->locator);

	get->last_page = get->last_page || entry->end;
	get->n_entries += told;
	entry->end = false;
	entry->wanted = NULL;
	entry->n_wanted = 0;
	get->locator = *entry;
	return told;
}

static bool turn_page(struct server *s, struct postern_event *out)
{
	struct get *get = &s->get;

	if (!get->last_page && get->n_entries > get->n_before && get->n_entries < MOST_ENTRIES) {
		get->locator.lifetime_s = 0;
		get->length = 0;
		request_start(s, &get->request, get->arrived);
		get_plan(s);
		return false;
	}
	end(get);
	*out = (struct postern_event){.what = POSTERN_ENTRIES_END,
		.id = -1,
		.server = s->id,
		.dialect = s->dialect,
		.epoch_s = get->epoch_s};
	return true;
}

bool get_event(struct server *s, struct postern_event *out)
{
	struct get *get = &s->get;
	struct pcp_next entry;

	if (!get->under_way || get->request.next != NEVER)
		return false;
	while (!get->last_page && next_entry(get, &entry)) {
		if (!take_entry(get, &entry))
			continue;
		tell_entry(s, &entry, out);
		return true;
	}
	return turn_page(s, out);
}
