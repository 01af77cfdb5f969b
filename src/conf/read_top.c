// SPDX-License-Identifier: Apache-2.0
// The outermost mapping, and the sections that are plain leaves.
#include <sys/un.h>

#include "draft.h"
#include "leaf.h"

static_assert(
	sizeof((struct conf *)NULL)->control_socket == sizeof((struct sockaddr_un *)NULL)->sun_path,
	"a control socket's path must fit its address");

static bool lcore_is_taken(const struct conf *c, uint32_t n, uint32_t lcore)
{
	for (uint32_t i = 0; i < n; i++) {
		if (c->lcores[i] == lcore)
			return true;
	}
	return false;
}

static uint32_t read_lcore_span(struct draft *d, const struct node *at, uint32_t n)
{
	uint32_t first, last;

	if (at->kind != NODE_SCALAR || !leaf_span(at->text, &first, &last) || last == UINT16_MAX) {
		complain(&d->critic, at, "a CPU number or a range such as 2-9");
		return n;
	}
	for (; first <= last; first++) {
		if (n == CONF_MAX_WORKERS) {
			complain(&d->critic, at, "at most %u CPUs", CONF_MAX_WORKERS);
			break;
		}
		if (lcore_is_taken(d->c, n, first)) {
			complain(&d->critic, at, "each CPU once: %u is named before", first);
			break;
		}
		d->c->lcores[n++] = (uint16_t)first;
	}
	return n;
}

static void read_lcores(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint32_t n = 0;

	(void)f;
	(void)out;
	d->lcores_at = at;
	if (!field_list(d, at, CONF_MAX_WORKERS, "a list of CPUs such as [2-9]"))
		return;
	for (const struct node *item = at->first; item; item = item->next)
		n = read_lcore_span(d, item, n);
	if (at->n == 0)
		complain(&d->critic, at, "a list of CPUs such as [2-9]");
	d->c->n_workers = (uint16_t)max_u32(n, 1);
}

static void read_workers(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	d->workers_at = at;
	read_u32_count(d, at, f, out);
}

static void read_idle(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const char *const words[] = {[CONF_IDLE_POLL] = "poll", [CONF_IDLE_SLEEP] = "sleep"};
	size_t i = field_word(d, at, words, ARRAY_SIZE(words));

	(void)f;
	(void)out;
	if (i < ARRAY_SIZE(words))
		d->c->idle = (uint8_t)i;
}

static void read_huge(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)out;
	read_bool(d, at, f, &d->c->require_huge_pages);
}

// ---- limits ----------------------------------------------------------------------------------

static void read_address_limit(
	struct draft *d, const struct node *at, const struct field *f, void *out)
{
	d->addresses_at = at;
	read_u32_count(d, at, f, out);
}

// Of the mappings, in percent or as a number.
static void read_reserved(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	uint64_t n;

	d->reserved_at = at;
	if (at->kind == NODE_SCALAR && leaf_percent(at->text, &n) && n < 100)
		d->reserved_percent = (uint32_t)n;
	else if (at->kind == NODE_SCALAR && strchr(at->text, '%'))
		complain(&d->critic, at, "0%% to 99%%, or a number");
	else
		read_u32_count(d, at, f, out);
}

// What one shard can index: slots and leases stand in lists with 32-bit links.
#define MAPPINGS_MOST 1000000000
#define LEASES_MOST 1000000000
// Packets that a worker holds: each keeps one of its buffers.
#define HELD_MOST 1000000

static void read_limits(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"mappings", read_u32_count, offsetof(struct conf, limits.mappings), 1000,
			MAPPINGS_MOST},
		{"mappings-reserved", read_reserved,
			offsetof(struct conf, limits.mappings_reserved), 0, MAPPINGS_MOST},
		{"sessions", read_u32_count, offsetof(struct conf, limits.sessions), 1000,
			MAPPINGS_MOST},
		{"hold-down-max", read_u32_count, offsetof(struct conf, limits.resting), 1,
			MAPPINGS_MOST},
		{"fragments-limit", read_u32_count, offsetof(struct conf, fragments), 0, HELD_MOST},
		{"fragments-per-source", read_u32_count,
			offsetof(struct conf, fragments_per_source), 1, HELD_MOST},
		{"max-stored-syn", read_u32_count, offsetof(struct conf, syns), 0, HELD_MOST},
		{"leases", read_u32_count, offsetof(struct conf, limits.leases), 100, LEASES_MOST},
		{"lease-details", read_u32_count, offsetof(struct conf, limits.lease_details), 1,
			LEASES_MOST},
		{"filters", read_u32_count, offsetof(struct conf, limits.filters), 1, LEASES_MOST},
		{"descriptions", read_u32_count, offsetof(struct conf, limits.descriptions), 1,
			LEASES_MOST},
		{"subscribers", read_u32_count, offsetof(struct conf, limits.subscribers), 100,
			LEASES_MOST},
		{"pcp-clients", read_u32_count, offsetof(struct conf, pcp_clients), 100,
			LEASES_MOST},
		{"external-addresses", read_address_limit, offsetof(struct conf, limits.addresses),
			1, NAT_MAX_ADDRESSES},
		{"neighbours", read_u32_count, offsetof(struct conf, max_neighbours), 16, 1000000},
		{"announce-rate", read_u32_count, offsetof(struct conf, announce_rate), 1, 1000000},
		{"icmp-error-rate", read_u32_count, offsetof(struct conf, icmp_error_rate), 0,
			1000000},
		{"new-subscriber-rate", read_u32_count, offsetof(struct conf, new_subscriber_rate),
			1, 1000000000},
		{"new-subscriber-burst", read_u32_count,
			offsetof(struct conf, new_subscriber_burst), 1, 1000000000},
	};

	(void)f;
	(void)out;
	fields_read(d, at, fields, ARRAY_SIZE(fields), d->c);
}

// ---- control ---------------------------------------------------------------------------------

static void read_socket(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	field_path(d, at, out, sizeof d->c->control_socket);
}

static void read_mode(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	(void)f;
	if (at->kind != NODE_SCALAR || !leaf_mode(at->text, out))
		complain(&d->critic, at, "an octal file mode such as 0660");
}

static void read_control(struct draft *d, const struct node *at, const struct field *f, void *out)
{
	static const struct field fields[] = {
		{"socket", read_socket, offsetof(struct conf, control_socket), 0, 0},
		{"mode", read_mode, offsetof(struct conf, control_mode), 0, 0},
	};

	(void)f;
	(void)out;
	fields_read(d, at, fields, ARRAY_SIZE(fields), d->c);
}

// ---- the whole -------------------------------------------------------------------------------

static void set_defaults(struct conf *c)
{
	c->n_workers = 1;
	c->idle = CONF_IDLE_POLL;
	strcpy(c->control_socket, "/run/postern/control.sock");
	c->control_mode = 0660;
	c->limits =
		(struct nat_limits){.mappings = 1000000, .leases = 256000, .subscribers = 64000};
	c->max_neighbours = 64000;
	c->announce_rate = 1000;
	c->icmp_error_rate = 1000;
	c->fragments = 1024;
	c->fragments_per_source = 64;
	c->log_wait_ms = 300;
	set_timer_defaults(c);
	memset(c->lcores, 0xff, sizeof c->lcores);
}

static void set_derived_limits(struct conf *c)
{
	struct nat_limits *l = &c->limits;

	if (l->sessions == 0)
		l->sessions = l->mappings;
	if (l->lease_details == 0)
		l->lease_details = l->leases;
	if (l->filters == 0)
		l->filters = max_u32(l->leases / 4, 1024);
	if (l->descriptions == 0)
		l->descriptions = l->leases / 8;
	if (c->pcp_clients == 0)
		c->pcp_clients = l->subscribers;
}

static void settle_reserved(struct draft *d)
{
	struct nat_limits *l = &d->c->limits;

	if (d->reserved_percent > 0)
		l->mappings_reserved =
			(uint32_t)((uint64_t)l->mappings * d->reserved_percent / 100);
	if (l->mappings_reserved >= l->mappings)
		complain(&d->critic, d->reserved_at, "less than the %u of limits.mappings",
			l->mappings);
}

// Defaults that follow from other leaves; those of new subscribers follow from the pools too and
// wait until they are built.
static void set_derived(struct draft *d)
{
	struct conf *c = d->c;

	if (d->workers && d->lcores_at)
		complain_name(&d->critic, d->workers_at, "workers or lcores, not both");
	else if (d->workers)
		c->n_workers = (uint16_t)d->workers;
	for (uint32_t i = 0; i < CONF_RETA; i++)
		c->reta[i] = (uint8_t)(i % c->n_workers);
	toeplitz_init(&c->toeplitz, toeplitz_default_key);
	set_derived_limits(c);
	settle_reserved(d);
}

void read_all(struct draft *d)
{
	static const struct field fields[] = {
		{"workers", read_workers, offsetof(struct draft, workers), 1, CONF_MAX_WORKERS},
		{"lcores", read_lcores, 0, 0, 0},
		{"idle", read_idle, 0, 0, 0},
		{"require-huge-pages", read_huge, 0, 0, 0},
		{"ports", read_node, offsetof(struct draft, ports_at), 0, 0},
		{"limits", read_limits, 0, 0, 0},
		{"timers", read_timers, 0, 0, 0},
		{"nat-groups", read_node, offsetof(struct draft, groups_at), 0, 0},
		{"log", read_log, 0, 0, 0},
		{"control", read_control, 0, 0, 0},
	};

	set_defaults(d->c);
	fields_read(d, d->root, fields, ARRAY_SIZE(fields), d);
	set_derived(d);
	if (d->ports_at)
		read_ports(d, d->ports_at);
	order_interfaces(d);
	if (d->groups_at)
		read_groups(d, d->groups_at);
}
