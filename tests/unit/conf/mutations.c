// SPDX-License-Identifier: Apache-2.0
// The sample file, spoilt in twenty thousand ways: whatever comes of it is a complaint or a
// snapshot that keeps its promises, never a crash.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "make.h"

enum {
	ROOM = 32768
};

struct text {
	char mem[ROOM];
	uint32_t len;
};

static void read_sample(struct text *t)
{
	FILE *f = fopen(CONF_SAMPLES "/postern.yaml", "r");

	cr_assert_not_null(f);
	t->len = (uint32_t)fread(t->mem, 1, sizeof t->mem, f);
	fclose(f);
	cr_assert(t->len > 1000 && t->len < ROOM / 2);
}

static void cut_out(struct text *t, uint32_t at, uint32_t n)
{
	n = min_u32(n, t->len - at);
	memmove(t->mem + at, t->mem + at + n, t->len - at - n);
	t->len -= n;
}

static void put_in(struct text *t, uint32_t at, const char *what, uint32_t n)
{
	if (t->len + n > ROOM)
		return;
	memmove(t->mem + at + n, t->mem + at, t->len - at);
	memcpy(t->mem + at, what, n);
	t->len += n;
}

static uint32_t line_start(const struct text *t, uint32_t at)
{
	while (at > 0 && t->mem[at - 1] != '\n')
		at--;
	return at;
}

static uint32_t line_length(const struct text *t, uint32_t at)
{
	uint32_t n = 0;

	while (at + n < t->len && t->mem[at + n] != '\n')
		n++;
	return n + (at + n < t->len);
}

static void double_a_line(struct rng *rng, struct text *t, uint32_t at)
{
	char line[200];
	uint32_t start = line_start(t, at), n = line_length(t, start);

	n = min_u32(n, sizeof line);
	memcpy(line, t->mem + start, n);
	put_in(t, line_start(t, rng_below(rng, t->len)), line, n);
}

static void change_a_digit(struct rng *rng, struct text *t, uint32_t at)
{
	while (at < t->len && !(t->mem[at] >= '0' && t->mem[at] <= '9'))
		at++;
	if (at < t->len)
		t->mem[at] = (char)('0' + rng_below(rng, 10));
}

static void mutate(struct rng *rng, struct text *t)
{
	static const char *const words[] = {"{", "}", "[", "]", ": ", "- ", ", ", "&a ", "*a ",
		"!t ", "~", "\n", "\t", "\"", "'", "|", "<<: ", "---\n", "0", "4294967296", "-1",
		"999999999999999999999", "0.0.0.0/0", "255.255.255.255", "\xff", "\xef\xbb\xbf",
		"\xc3\xa4", "[[[[[[[[[[[[[[[[[[[[[[[[[", "inside", "outside", "? ", "%YAML 9.9\n"};
	uint32_t at = rng_below(rng, t->len);
	const char *word = words[rng_below(rng, ARRAY_SIZE(words))];

	switch (rng_below(rng, 8)) {
	case 0:
		t->mem[at] = (char)rng_u32(rng);
		break;
	case 1:
		cut_out(t, at, 1 + rng_below(rng, 20));
		break;
	case 2:
		put_in(t, at, word, (uint32_t)strlen(word));
		break;
	case 3:
		double_a_line(rng, t, at);
		break;
	case 4:
		cut_out(t, line_start(t, at), line_length(t, line_start(t, at)));
		break;
	case 5:
		t->mem[at] = (char)(t->mem[at] ^ 1 << rng_below(rng, 8));
		break;
	default:
		change_a_digit(rng, t, at);
		break;
	}
	if (t->len == 0)
		put_in(t, 0, "a", 1);
}

static void check_complaints(const struct conf_complaints *all, uint32_t n_lines)
{
	char line[700];

	cr_assert_gt(all->n, 0);
	for (uint32_t i = 0; i < all->n; i++) {
		const struct conf_complaint *one = &all->list[i];
		cr_assert_leq(one->line, n_lines + 1);
		cr_assert(one->found[0] && one->wanted[0]);
		conf_complaint_format(all, i, line, sizeof line);
		for (const char *at = line; *at; at++)
			cr_assert((unsigned char)*at >= ' ' && *at != 127);
	}
}

// YAML ends lines at NEL, LS and PS too, but never at more places than there are octets.
static void try_one(const struct text *t, struct conf **previous, uint32_t *n_good)
{
	struct conf_complaints all = {0}, restart = {0};
	char *exact = malloc(t->len); // the sanitizer sees an octet read too many
	struct conf *c;

	memcpy(exact, t->mem, t->len);
	int error = conf_load_text("t", exact, t->len, *previous, &c, &all);
	free(exact);
	if (error) {
		cr_assert_eq(error, -EINVAL);
		cr_assert_null(c);
		check_complaints(&all, t->len);
	} else {
		cr_assert_eq(all.n, 0);
		check_conf(c);
		if (*previous)
			conf_restart_leaves(*previous, c, &restart);
		conf_destroy(*previous);
		*previous = c;
		++*n_good;
	}
	conf_complaints_destroy(&all);
	conf_complaints_destroy(&restart);
}

Test(conf, no_mutation_of_the_sample_crashes, .timeout = 200)
{
	struct text *sample = malloc(sizeof *sample), *t = malloc(sizeof *t);
	struct conf *previous = NULL;
	uint32_t n_good = 0;
	struct rng rng;

	read_sample(sample);
	rng_init_u64(&rng, 2026);
	for (uint32_t i = 0; i < 20000; i++) {
		*t = *sample;
		for (uint32_t n = 1 + rng_below(&rng, 6); n > 0; n--)
			mutate(&rng, t);
		try_one(t, &previous, &n_good);
	}
	cr_assert(n_good > 1000 && n_good < 19000, "%u of 20000 loaded", n_good);
	conf_destroy(previous);
	free(sample);
	free(t);
}

Test(conf, every_beginning_of_the_sample_is_survived, .timeout = 200)
{
	struct text *t = malloc(sizeof *t);
	struct conf *previous = NULL;
	uint32_t n_good = 0;

	read_sample(t);
	for (uint32_t len = t->len; len > 0; len -= min_u32(len, 3)) {
		t->len = len;
		try_one(t, &previous, &n_good);
	}
	conf_destroy(previous);
	free(t);
}
