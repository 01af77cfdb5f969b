// SPDX-License-Identifier: Apache-2.0
// The options a mapping is asked for with. They are kept as they travel, so that the library needs
// to understand only those that say which mapping is meant.
#include <errno.h>

#include "state.h"

int postern_mapping_add_option(
	struct postern_mapping *want, uint8_t code, const void *data, size_t length)
{
	size_t end;

	if (length > POSTERN_OPTIONS || want->n_options > POSTERN_OPTIONS)
		return -ENOSPC;
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
	bool is_ip4;
	ip6 ip;

	memcpy(ip.b, address, sizeof ip.b);
	is_ip4 = ip6_is_mapped(ip);
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
	return postern_mapping_add_option(want, PCP_THIRD_PARTY, address, 16);
}

int postern_mapping_add_description(struct postern_mapping *want, const char *utf8)
{
	size_t length = strlen(utf8);

	if (!pcp_text_is_utf8((const uint8_t *)utf8, length))
		return -EINVAL;
	return postern_mapping_add_option(want, PCP_DESCRIPTION, utf8, length);
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

static bool find_option(struct walk *w, uint8_t code)
{
	const uint8_t *option;

	while ((option = next_option(w)))
		if (option[0] == code)
			return true;
	return false;
}

static bool names_the_mapping(uint8_t code)
{
	return code == PCP_THIRD_PARTY || code == PCP_THIRD_PARTY_ID || code == PCP_PORT_SET ||
	       code == PCP_PORT_RESERVATION;
}

void options_for_delete(struct postern_mapping *want)
{
	struct walk w = {.at = want->options, .end = want->options + want->n_options};
	uint8_t *to = want->options;
	const uint8_t *option;

	while ((option = next_option(&w))) {
		size_t length = (size_t)(w.at - option);

		if (!names_the_mapping(option[0]))
			continue;
		memmove(to, option, length);
		to += length;
	}
	want->n_options = (uint16_t)(to - want->options);
}

// An error may have been cut, so there a missing option says nothing.
static bool same_option(const struct postern_mapping *want, const uint8_t *options, size_t length,
	bool refused, uint8_t code)
{
	struct walk ours = {.at = want->options, .end = want->options + want->n_options};
	struct walk theirs = {.at = options, .end = options + length};
	bool asked = find_option(&ours, code), answered = find_option(&theirs, code);

	if (!answered)
		return !asked || refused;
	return asked && ours.length == theirs.length &&
	       memcmp(ours.data, theirs.data, ours.length) == 0;
}

bool options_name_same_host(
	const struct postern_mapping *want, const uint8_t *options, size_t length, bool refused)
{
	return same_option(want, options, length, refused, PCP_THIRD_PARTY) &&
	       same_option(want, options, length, refused, PCP_THIRD_PARTY_ID);
}
