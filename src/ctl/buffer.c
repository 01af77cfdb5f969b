// SPDX-License-Identifier: Apache-2.0
#include "buffer.h"

#include <stdlib.h>
#include <string.h>

enum {
	ROOM_MIN = 4096,
	ROOM_KEPT = 64 << 10, // an empty buffer that grew beyond this gives its memory back
};

char *buffer_reserve(struct buffer *b, size_t n)
{
	size_t length = buffer_length(b), room = b->room ? b->room : ROOM_MIN;

	if (b->room - b->end >= n && b->data)
		return b->data + b->end;
	if (b->start) {
		memmove(b->data, b->data + b->start, length);
		b->start = 0;
		b->end = length;
	}
	while (room - length < n)
		room *= 2;
	if (room != b->room) {
		char *data = realloc(b->data, room);
		if (!data)
			return NULL;
		b->data = data;
		b->room = room;
	}
	return b->data + b->end;
}

void buffer_grew(struct buffer *b, size_t n)
{
	b->end += n;
}

bool buffer_append(struct buffer *b, const void *data, size_t n)
{
	char *at = buffer_reserve(b, n);

	if (!at)
		return false;
	memcpy(at, data, n);
	b->end += n;
	return true;
}

void buffer_eat(struct buffer *b, size_t n)
{
	b->start += n;
	if (b->start < b->end)
		return;
	b->start = b->end = 0;
	if (b->room > ROOM_KEPT)
		buffer_free(b);
}

void buffer_free(struct buffer *b)
{
	free(b->data);
	*b = (struct buffer){0};
}
