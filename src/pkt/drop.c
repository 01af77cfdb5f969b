// SPDX-License-Identifier: Apache-2.0
#include <postern/pkt.h>

static const struct {
	const char *name, *sentence;
} drops[DROP_COUNT] = {[DROP_NONE] = {"none", "Not dropped."},
#define X(name, text, sentence) [DROP_##name] = {text, sentence},
	PKT_DROPS(X)
#undef X
};

const char *drop_name(enum drop d)
{
	assert(d < DROP_COUNT);
	return drops[d].name;
}

const char *drop_sentence(enum drop d)
{
	assert(d < DROP_COUNT);
	return drops[d].sentence;
}
