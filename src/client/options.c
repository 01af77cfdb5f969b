// SPDX-License-Identifier: Apache-2.0
// The options a mapping is asked for with. They are kept as they travel, so that the library needs
// to understand only those that say which mapping is meant.
#include <errno.h>

#include "state.h"

// Those that a server refuses to see twice.
static bool is_single(uint8_t code)
{
	return code == PCP_THIRD_PARTY || code == PCP_PREFER_FAILURE ||
	       code == PCP_THIRD_PARTY_ID || code == PCP_DESCRIPTION || code == PCP_PREFIX64 ||
	       code == PCP_PORT_SET || code == PCP_PORT_RESERVATION ||
	       code == PCP_CHECKPOINT_REQUIRED;
}

int postern_mapping_add_option(
	struct postern_mapping *want, uint8_t code, const void *data, size_t length)
{
	size_t end;

	if (length > POSTERN_OPTIONS || want->n_options > POSTERN_OPTIONS)
		return -ENOSPC;
	if (is_single(code) && options_find(want->options, want->n_options, code, NULL))
		return -EINVAL;
	end = pcp_append_option(
		want->options, want->n_options, POSTERN_OPTIONS, code, data, (uint16_t)length);
	if (end == 0)
		return -ENOSPC;
	want->n_options = (uint16_t)end;
	return 0;
}

// On the wire every prefix counts the bits of the IPv6 form, so IPv4's are 96 more (s.13.3).
static int add_filter(
	struct postern_mapping *want, const uint8_t address[16], uint8_t prefix, uint16_t port)
{
	uint8_t data[20] = {[1] = prefix, [2] = (uint8_t)(port >> 8), [3] = (uint8_t)port};

	memcpy(data + 4, address, 16);
	return postern_mapping_add_option(want, PCP_FILTER, data, sizeof data);
}

int postern_mapping_add_filter(
	struct postern_mapping *want, const uint8_t address[16], uint8_t bits, uint16_t port)
{
	bool is_ip4 = ip6_is_mapped(ip_of(address));

	if (bits > (is_ip4 ? 32 : 128) || (bits == 0 && !is_ip4))
		return -EINVAL;
	return add_filter(want, address, (uint8_t)(is_ip4 ? bits + 96 : bits), port);
}

int postern_mapping_clear_filters(struct postern_mapping *want)
{
	static const uint8_t nobody[16];

	return add_filter(want, nobody, 0, 0);
}

int postern_mapping_add_third_party(struct postern_mapping *want, const uint8_t address[16])
{
	if (is_any_ip(ip_of(address)))
		return -EINVAL; // nobody
	return postern_mapping_add_option(want, PCP_THIRD_PARTY, address, 16);
}

int postern_mapping_add_third_party_id(struct postern_mapping *want, const void *id, size_t length)
{
	if (length == 0)
		return -EINVAL;
	return postern_mapping_add_option(want, PCP_THIRD_PARTY_ID, id, length);
}

int postern_mapping_add_description(struct postern_mapping *want, const char *utf8)
{
	size_t length = strlen(utf8);

	if (!pcp_text_is_utf8((const uint8_t *)utf8, length))
		return -EINVAL;
	return postern_mapping_add_option(want, PCP_DESCRIPTION, utf8, length);
}

int postern_mapping_add_port_set(struct postern_mapping *want, uint16_t size, bool parity)
{
	uint8_t data[5] = {(uint8_t)(size >> 8), (uint8_t)size, (uint8_t)(want->internal_port >> 8),
		(uint8_t)want->internal_port, parity};

	if (size < 2)
		return -EINVAL;
	return postern_mapping_add_option(want, PCP_PORT_SET, data, sizeof data);
}

int postern_mapping_add_prefix64(struct postern_mapping *want)
{
	static const uint8_t any[14] = {0, 12}; // ::/96

	return postern_mapping_add_option(want, PCP_PREFIX64, any, sizeof any);
}

int postern_mapping_add_checkpoint(struct postern_mapping *want)
{
	return postern_mapping_add_option(want, PCP_CHECKPOINT_REQUIRED, NULL, 0);
}

// ---- reading them back -----------------------------------------------------------------------

struct walk {
	const uint8_t *at, *end;
	const uint8_t *data; // of the option under way
	size_t length;
};

// The next option's octets with its head, NULL at the end or when it is cut.
static const uint8_t *next_option(struct walk *w)
{
	const uint8_t *option = w->at;
	size_t padded;

	if (w->end - w->at < 4)
		return NULL;
	w->length = (size_t)(option[2] << 8 | option[3]);
	padded = (w->length + 3) & ~(size_t)3;
	if ((size_t)(w->end - option) - 4 < padded)
		return NULL;
	w->data = option + 4;
	w->at = w->data + padded;
	return option;
}

const uint8_t *options_find(const uint8_t *options, size_t length, uint8_t code, size_t *n)
{
	struct walk w = {.at = options, .end = options + length};
	const uint8_t *option;

	while ((option = next_option(&w))) {
		if (option[0] != code)
			continue;
		if (n)
			*n = w.length;
		return w.data;
	}
	return NULL;
}

bool options_read_port_set(const uint8_t *options, size_t length, struct pcp_port_set *out)
{
	size_t n = 0;
	const uint8_t *data = options_find(options, length, PCP_PORT_SET, &n);
	struct pcp_option option = {.code = PCP_PORT_SET, .length = (uint16_t)n, .data = data};

	return data && pcp_read_port_set(&option, out);
}

// RFC 7753 s.4: a request's First Internal Port is its Internal Port, whichever was set first.
void options_set_first_port(struct postern_mapping *want)
{
	size_t n = 0;
	const uint8_t *data = options_find(want->options, want->n_options, PCP_PORT_SET, &n);
	uint8_t *at;

	if (!data || n < 4)
		return;
	at = want->options + (data - want->options) + 2;
	at[0] = (uint8_t)(want->internal_port >> 8);
	at[1] = (uint8_t)want->internal_port;
}

bool options_have_mandatory(const struct postern_mapping *want)
{
	struct walk w = {.at = want->options, .end = want->options + want->n_options};
	const uint8_t *option;

	while ((option = next_option(&w)))
		if (option[0] < 128)
			return true;
	return false;
}

// ---- writing them ----------------------------------------------------------------------------

static bool names_the_mapping(uint8_t code)
{
	return code == PCP_THIRD_PARTY || code == PCP_THIRD_PARTY_ID || code == PCP_PORT_SET ||
	       code == PCP_PORT_RESERVATION;
}

size_t options_append(uint8_t *out, size_t at, const struct postern_mapping *want, bool deleting)
{
	struct walk w = {.at = want->options, .end = want->options + want->n_options};
	const uint8_t *option;

	if (want->prefer_failure && !deleting)
		at = pcp_append_option(out, at, POSTERN_DATAGRAM, PCP_PREFER_FAILURE, NULL, 0);
	while ((option = next_option(&w))) {
		size_t length = (size_t)(w.at - option);

		if (deleting && !names_the_mapping(option[0]))
			continue;
		memcpy(out + at, option, length);
		at += length;
	}
	return at;
}

// ---- comparing them --------------------------------------------------------------------------

static bool same_data(
	const struct postern_mapping *a, const struct postern_mapping *b, uint8_t code)
{
	size_t n_a = 0, n_b = 0;
	const uint8_t *data_a = options_find(a->options, a->n_options, code, &n_a);
	const uint8_t *data_b = options_find(b->options, b->n_options, code, &n_b);

	if (!data_a || !data_b)
		return !data_a && !data_b;
	return n_a == n_b && memcmp(data_a, data_b, n_a) == 0;
}

bool options_name_same(const struct postern_mapping *a, const struct postern_mapping *b)
{
	return same_data(a, b, PCP_THIRD_PARTY) && same_data(a, b, PCP_THIRD_PARTY_ID) &&
	       (options_find(a->options, a->n_options, PCP_PORT_SET, NULL) != NULL) ==
		       (options_find(b->options, b->n_options, PCP_PORT_SET, NULL) != NULL);
}

// An error may have been cut, so there a missing option says nothing.
static bool same_option(const struct postern_mapping *want, const uint8_t *options, size_t length,
	bool refused, uint8_t code)
{
	size_t n_ours = 0, n_theirs = 0;
	const uint8_t *ours = options_find(want->options, want->n_options, code, &n_ours);
	const uint8_t *theirs = options_find(options, length, code, &n_theirs);

	if (!theirs)
		return !ours || refused;
	return ours && n_ours == n_theirs && memcmp(ours, theirs, n_ours) == 0;
}

bool options_name_same_host(
	const struct postern_mapping *want, const uint8_t *options, size_t length, bool refused)
{
	return same_option(want, options, length, refused, PCP_THIRD_PARTY) &&
	       same_option(want, options, length, refused, PCP_THIRD_PARTY_ID);
}
