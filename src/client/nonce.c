// SPDX-License-Identifier: Apache-2.0
// Nonces: 96 bits that nobody can guess, other ones for each server (RFC 6887 s.11.2, RFC 7488
// s.4). With a secret they follow from it, so that a later run knows them without a file (failure
// F13): a cascade of ChaCha, each step keyed by the one before and fed 16 octets.
#include "state.h"

#define FED 12 // word of the ChaCha state where counter and nonce are

static void absorb(uint8_t key[32], const void *block)
{
	struct rng r;

	rng_init(&r, key);
	memcpy(&r.state[FED], block, 16);
	rng_refill(&r);
	memcpy(key, r.out, 32);
}

static void absorb_option(uint8_t key[32], const struct postern_mapping *want, uint8_t code)
{
	uint8_t block[16] = {code};
	size_t n = 0;
	const uint8_t *data = options_find(want->options, want->n_options, code, &n);

	block[1] = data != NULL;
	block[2] = (uint8_t)(n >> 8);
	block[3] = (uint8_t)n;
	absorb(key, block);
	for (size_t at = 0; data && at < n; at += 16) {
		size_t length = n - at < 16 ? n - at : 16;

		memset(block, 0, sizeof block);
		memcpy(block, data + at, length);
		absorb(key, block);
	}
}

static void derive(const uint8_t secret[32], const struct postern_mapping *want,
	const struct postern_endpoint *server, uint8_t nonce[12])
{
	uint8_t key[32], block[16] = {0};
	struct writer w = {.at = block, .end = block + sizeof block};

	memcpy(key, secret, sizeof key);
	write_u16(&w, server->port);
	write_u8(&w, want->protocol);
	write_u16(&w, want->internal_port);
	write_u16(&w, want->peer.port);
	absorb(key, block);
	absorb(key, server->ip);
	absorb(key, want->peer.ip);
	absorb_option(key, want, PCP_THIRD_PARTY);
	absorb_option(key, want, PCP_THIRD_PARTY_ID);
	memcpy(nonce, key, 12);
}

// A given one is some server's: of several, the first one's.
static bool is_given(const struct wish *w, const struct server *s)
{
	return w->want.has_nonce &&
	       (w->want.server != POSTERN_ALL_SERVERS || s->client->servers == s);
}

void nonce_choose(
	struct postern_client *c, const struct wish *w, const struct server *s, uint8_t nonce[12])
{
	if (is_given(w, s)) {
		memcpy(nonce, w->want.nonce, 12);
		return;
	}
	if (c->options.has_secret) {
		derive(c->options.secret, &w->want, &s->as.addresses[0], nonce);
		return;
	}
	for (size_t i = 0; i < 12; i += 4) {
		uint32_t word = rng_u32(&c->rng);

		memcpy(nonce + i, &word, 4);
	}
}
