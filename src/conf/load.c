// SPDX-License-Identifier: Apache-2.0
// From a file to a snapshot: read the text, grow the tree, take down what it says, judge it whole,
// and only when nothing is wrong build.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "draft.h"

static void check_all(struct draft *d)
{
	check_interfaces(d);
	check_members(d);
	check_routes(d);
	check_six(d);
	check_groups(d);
	check_pcp(d);
	check_pools(d);
	check_plans(d);
	check_policies(d);
	check_statics(d);
	check_neighbours(d);
}

static int build_all(struct draft *d, const char *text, size_t len)
{
	int error;

	d->c->text = strndup(text, len);
	if (!d->c->text)
		return -ENOMEM;
	error = build_interfaces(d);
	if (!error)
		error = build_six(d);
	if (!error)
		error = build_neighbours(d);
	if (!error)
		error = build_pcp(d);
	if (!error)
		error = build_policies(d);
	if (!error)
		error = build_groups(d);
	if (!error)
		error = build_locals(d->c);
	if (!error)
		error = build_statics(d);
	return error;
}

static int load_tree(struct draft *d, const char *text, size_t len)
{
	struct node *root;

	if (tree_read(&d->critic, &d->arena, text, len, &root)) {
		d->root = root;
		read_all(d);
		if (node_is_map(root) && !d->critic.no_memory)
			check_all(d);
	}
	if (d->critic.no_memory)
		return -ENOMEM;
	if (d->critic.n > 0)
		return -EINVAL;
	return build_all(d, text, len);
}

static int complain_size(struct conf_complaints *complaints)
{
	struct critic critic = {.out = complaints};

	complain_at(&critic, 0, 0, "a file of more than 1 MiB", "at most 1 MiB");
	return -EFBIG;
}

int conf_load_text(const char *file, const char *text, size_t len, const struct conf *previous,
	struct conf **out, struct conf_complaints *complaints)
{
	struct draft *d;
	int error = -ENOMEM;

	*out = NULL;
	complaints->file = file;
	if (len > CONF_MAX_TEXT)
		return complain_size(complaints);
	d = calloc(1, sizeof *d);
	if (!d)
		return -ENOMEM;
	d->critic.out = complaints;
	d->previous = previous;
	d->c = calloc(1, sizeof *d->c);
	if (d->c)
		error = load_tree(d, text, len);
	critic_finish(&d->critic);
	if (error)
		conf_destroy(d->c);
	else
		*out = d->c;
	arena_free(&d->arena);
	free(d);
	return error;
}

// Reads until the end or one octet more than is allowed; a pipe is as good as a file.
static int read_file(int fd, char *text, size_t *len)
{
	*len = 0;
	while (*len <= CONF_MAX_TEXT) {
		ssize_t n = read(fd, text + *len, CONF_MAX_TEXT + 1 - *len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		*len += (size_t)n;
	}
	return 0;
}

static int open_and_read(const char *file, char *text, size_t *len)
{
	int fd = open(file, O_RDONLY | O_CLOEXEC), error;

	if (fd < 0)
		return -errno;
	error = read_file(fd, text, len);
	close(fd);
	return error;
}

int conf_load(const char *file, const struct conf *previous, struct conf **out,
	struct conf_complaints *complaints)
{
	char *text = malloc(CONF_MAX_TEXT + 1);
	size_t len = 0;
	int error;

	*out = NULL;
	complaints->file = file;
	if (!text)
		return -ENOMEM;
	error = open_and_read(file, text, &len);
	if (error) {
		struct critic critic = {.out = complaints};
		complain_at(&critic, 0, 0, strerror(-error), "a file that can be read");
	} else {
		error = conf_load_text(file, text, len, previous, out, complaints);
	}
	free(text);
	return error;
}

void conf_destroy(struct conf *c)
{
	if (!c)
		return;
	for (uint32_t i = 0; i < CONF_MAX_REALMS; i++) {
		prefix_table_destroy(&c->routes[i]);
		prefix_table_destroy(&c->subscribers[i]);
	}
	arena_free(&(struct arena){c->borrowed});
	free(c->next_hops);
	free(c->routes6);
	free(c->external);
	free(c->statics);
	free(c->local);
	free(c->text);
	free(c);
}
