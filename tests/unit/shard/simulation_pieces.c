// SPDX-License-Identifier: Apache-2.0
// Datagrams in pieces: in any order, doubled, without one, or with a long pause in the middle. Each
// piece is judged as a packet is, and all that leave must have one identification.
#include "simulation.h"

enum {
	IP_HEADER = 20,
	PIECE_LEAST_MS = 1900 // younger than this nothing is given up
};

struct piece {
	uint16_t at, len; // of the payload
};

// Cuts at multiples of eight, so that each piece begins with the datagram's number.
static unsigned cut(struct simulation *s, size_t payload, struct piece out[PIECES])
{
	unsigned n = 0;
	size_t at = 0;

	while (at < payload) {
		size_t left = payload - at, least = at == 0 ? 16 : 8;
		size_t len = n + 1 == PIECES ? left : least + 8 * draw(s, 3);
		out[n++] = (struct piece){(uint16_t)at, (uint16_t)(len < left ? len : left)};
		at += len;
	}
	return n;
}

static void shuffle(struct simulation *s, struct piece *pieces, unsigned n)
{
	for (unsigned i = n; i > 1; i--) {
		unsigned j = draw(s, i);
		struct piece swap = pieces[i - 1];
		pieces[i - 1] = pieces[j];
		pieces[j] = swap;
	}
}

static void feed_piece(struct simulation *s, uint16_t iface, const uint8_t *packet, size_t len,
	const struct piece *piece, struct note note)
{
	size_t end = (size_t)piece->at + piece->len;
	uint16_t field = (uint16_t)(piece->at / 8 | (IP_HEADER + end < len ? IP4_MF : 0));
	struct datagram *d = &s->datagrams[note.datagram % DATAGRAMS];
	uint8_t out[MAKE_MAX];

	memcpy(out, packet, IP_HEADER);
	memcpy(out + IP_HEADER, packet + IP_HEADER + piece->at, piece->len);
	out[2] = 0;
	out[3] = (uint8_t)(IP_HEADER + piece->len);
	out[4] = (uint8_t)(note.datagram >> 8);
	out[5] = (uint8_t)note.datagram;
	out[6] = (uint8_t)(field >> 8);
	out[7] = (uint8_t)field;
	make_header_right(out);
	note.piece = (uint8_t)(1 + piece->at / 8);
	d->has_first |= piece->at == 0;
	sim_feed(s, iface, out, IP_HEADER + piece->len, &note);
	s->pieces++;
}

void sim_feed_pieces(struct simulation *s, uint16_t iface, const uint8_t *packet, size_t len,
	const struct note *note)
{
	struct note n = *note;
	struct piece pieces[PIECES];
	unsigned count;

	n.datagram = ++s->n_datagrams;
	s->datagrams[n.datagram % DATAGRAMS] = (struct datagram){.fed_at = s->w.now};
	count = cut(s, len - IP_HEADER, pieces);
	shuffle(s, pieces, count);
	for (unsigned i = 0; i < count; i++) {
		if (!chance(s, 4))
			feed_piece(s, iface, packet, len, &pieces[i], n);
	}
}

static void judge_identification(
	const struct simulation *s, struct datagram *d, const struct frame *f)
{
	uint16_t id = (uint16_t)(f->p.l3[4] << 8 | f->p.l3[5]);

	if (s->w.now - d->fed_at >= PIECE_LEAST_MS * NS_PER_MS)
		return;
	if (d->has_id && d->id != id)
		world_die("two pieces of one datagram leave as if of two");
	d->has_id = true;
	d->id = id;
}

// What was to be said of its first piece was said there: the others share its way.
void sim_judge_piece(struct simulation *s, const struct frame *f, const struct note *n)
{
	struct datagram *d = &s->datagrams[n->datagram % DATAGRAMS];
	bool whole = f->verdict == VERDICT_PASS;

	if (whole && !d->doubled)
		judge_identification(s, d, f);
	s->late_pieces += whole && f->tag < s->first_note;
	d->first_passed |= whole && n->piece == 1;
	if (f->drop == DROP_FRAG_OVERLAP && !d->doubled)
		world_die("a piece that came once is dropped as if twice");
	if (!whole && d->first_passed && !d->doubled && n->piece > 1 && !s->m.reloading &&
		s->w.now - d->fed_at < PIECE_LEAST_MS * NS_PER_MS)
		world_die("a piece is dropped whose first passed: %s", drop_name(f->drop));
}
