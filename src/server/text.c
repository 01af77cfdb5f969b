// SPDX-License-Identifier: Apache-2.0
// DESCRIPTION (RFC 7220): a text that is kept beside a mapping. What is too long is cut between
// characters and the client told what is left; what is no UTF-8 is not kept, and not echoed.
#include "judge.h"

static bool is_continuation(uint8_t octet)
{
	return (octet & 0xc0) == 0x80;
}

bool read_text(struct question *q, const struct pcp_option *o)
{
	size_t length = o->length, max = q->policy->description_max;

	if (!pcp_text_is_utf8(o->data, length))
		return false;
	if (max > NAT_DESCRIPTION)
		max = NAT_DESCRIPTION;
	if (length > max) {
		length = max;
		while (length > 0 && is_continuation(o->data[length]))
			length--;
	}
	q->text = o->data;
	q->text_length = (uint8_t)length;
	return true;
}

// The nat room leaves a text out when it has no place for it.
void note_text(struct question *q, const struct nat_view *view)
{
	if (!is_seen(q, PCP_INDEX_DESCRIPTION) || view->text_length == q->text_length)
		return;
	q->counters->texts_dropped++;
	q->echo &= ~option_bit(PCP_INDEX_DESCRIPTION);
}
