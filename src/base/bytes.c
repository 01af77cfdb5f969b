// SPDX-License-Identifier: Apache-2.0
#include <postern/base.h>

void read_bytes(struct reader *r, void *out, size_t n)
{
	if (n == 0)
		return;
	if (n > reader_left(r)) {
		r->bad = true;
		memset(out, 0, n);
		return;
	}
	memcpy(out, r->at, n);
	r->at += n;
}

uint8_t read_u8(struct reader *r)
{
	uint8_t v;

	read_bytes(r, &v, sizeof v);
	return v;
}

uint16_t read_u16(struct reader *r)
{
	be16 v;

	read_bytes(r, &v, sizeof v);
	return be16_get(v);
}

uint32_t read_u32(struct reader *r)
{
	be32 v;

	read_bytes(r, &v, sizeof v);
	return be32_get(v);
}

void write_bytes(struct writer *w, const void *in, size_t n)
{
	if (n == 0 || w->bad)
		return;
	if (n > (size_t)(w->end - w->at)) {
		w->bad = true;
		return;
	}
	memcpy(w->at, in, n);
	w->at += n;
}

void write_u8(struct writer *w, uint8_t v)
{
	write_bytes(w, &v, sizeof v);
}

void write_u16(struct writer *w, uint16_t v)
{
	be16 wire = be16_of(v);

	write_bytes(w, &wire, sizeof wire);
}

void write_u32(struct writer *w, uint32_t v)
{
	be32 wire = be32_of(v);

	write_bytes(w, &wire, sizeof wire);
}
