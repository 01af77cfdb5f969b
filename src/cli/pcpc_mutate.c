// SPDX-License-Identifier: Apache-2.0
// Requests that are wrong on purpose: what a probe was told to change, and random changes.
#include "pcpc.h"

static const char *set_octets(const struct pcpc_edit *e, uint8_t *datagram, size_t n)
{
	if (e->at > n || e->n > n - e->at)
		return "--set reaches beyond the end of the datagram";
	memcpy(datagram + e->at, e->octets, e->n);
	return NULL;
}

static const char *append(const struct pcpc_edit *e, uint8_t *datagram, size_t *n, size_t cap)
{
	if (e->n > cap - *n)
		return "--append makes the datagram too long";
	memcpy(datagram + *n, e->octets, e->n);
	*n += e->n;
	return NULL;
}

static const char *pad_to(const struct pcpc_edit *e, uint8_t *datagram, size_t *n, size_t cap)
{
	if (e->n > cap || e->n < *n)
		return "--pad-to: the datagram is longer already, or would be too long";
	memset(datagram + *n, 0, e->n - *n);
	*n = e->n;
	return NULL;
}

static const char *lie(
	const struct pcpc_edit *e, enum pcp_dialect dialect, uint8_t *datagram, size_t n)
{
	size_t at = pcpc_options_at(dialect, datagram, n);

	while (n - at >= 4) {
		size_t length = (size_t)(datagram[at + 2] << 8 | datagram[at + 3]);

		if (datagram[at] == e->at) {
			datagram[at + 2] = (uint8_t)(e->n >> 8);
			datagram[at + 3] = (uint8_t)e->n;
			return NULL;
		}
		length = 4 + ((length + 3) & ~(size_t)3);
		at += length < n - at ? length : n - at;
	}
	return "--option-length: the datagram has no such option";
}

const char *pcpc_edit(const struct pcpc_edit *e, enum pcp_dialect dialect, uint8_t *datagram,
	size_t *n, size_t cap)
{
	switch (e->kind) {
	case PCPC_SET:
		return set_octets(e, datagram, *n);
	case PCPC_APPEND:
		return append(e, datagram, n, cap);
	case PCPC_PAD_TO:
		return pad_to(e, datagram, n, cap);
	case PCPC_OPTION_LENGTH:
		return lie(e, dialect, datagram, *n);
	case PCPC_TRUNCATE:
		break;
	}
	if (e->n > *n)
		return "--truncate: the datagram is shorter already";
	*n = e->n;
	return NULL;
}

// ---- at random -------------------------------------------------------------------------------

// Values at the edge of what fields may hold come up more often than chance would have them.
static uint8_t random_octet(struct rng *rng)
{
	static const uint8_t edges[] = {0, 1, 2, 0x7f, 0x80, 0xfe, 0xff};

	if (rng_below(rng, 2) == 0)
		return edges[rng_below(rng, ARRAY_SIZE(edges))];
	return (uint8_t)rng_u32(rng);
}

static void change_octet(struct rng *rng, uint8_t *datagram, size_t n)
{
	uint8_t *at = datagram + rng_below(rng, (uint32_t)n);

	if (rng_below(rng, 2) == 0)
		*at ^= (uint8_t)(1u << rng_below(rng, 8));
	else
		*at = random_octet(rng);
}

static void grow(struct rng *rng, uint8_t *datagram, size_t *n, size_t cap)
{
	size_t more = 1 + rng_below(rng, 32);

	while (more-- > 0 && *n < cap)
		datagram[(*n)++] = random_octet(rng);
}

static void repeat_words(struct rng *rng, uint8_t *datagram, size_t *n, size_t cap)
{
	size_t from = 4 * rng_below(rng, (uint32_t)(*n / 4 + 1)), length = *n - from;

	if (length > cap - *n)
		return;
	memcpy(datagram + *n, datagram + from, length);
	*n += length;
}

static void change(struct rng *rng, uint8_t *datagram, size_t *n, size_t cap)
{
	switch (rng_below(rng, 8)) {
	case 0:
		*n = rng_below(rng, (uint32_t)*n + 1);
		break;
	case 1:
		grow(rng, datagram, n, cap);
		break;
	case 2:
		repeat_words(rng, datagram, n, cap);
		break;
	default:
		if (*n > 0)
			change_octet(rng, datagram, *n);
	}
}

void pcpc_mutate(struct rng *rng, uint8_t *datagram, size_t *n, size_t cap)
{
	for (uint32_t changes = 1 + rng_below(rng, 8); changes > 0; changes--)
		change(rng, datagram, n, cap);
}
