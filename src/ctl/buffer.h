// SPDX-License-Identifier: Apache-2.0
// A queue of octets that grows at its end and is eaten from its front.
#ifndef CTL_BUFFER_H
#define CTL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

struct buffer {
	char *data;
	size_t start, end; // what is in it
	size_t room;       // octets at data
};

static inline size_t buffer_length(const struct buffer *b)
{
	return b->end - b->start;
}

// Where `n` more octets can be written behind the end; NULL without memory. buffer_grew() then
// says how many were.
char *buffer_reserve(struct buffer *b, size_t n);
void buffer_grew(struct buffer *b, size_t n);
bool buffer_append(struct buffer *b, const void *data, size_t n); // false without memory
void buffer_eat(struct buffer *b, size_t n);
void buffer_free(struct buffer *b);

#endif
