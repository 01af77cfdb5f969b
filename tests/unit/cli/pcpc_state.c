// SPDX-License-Identifier: Apache-2.0
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "pcpc.h"

struct place {
	char folder[64], path[128];
};

static struct place make_place(void)
{
	struct place p;

	strcpy(p.folder, "/tmp/pcpc-state-XXXXXX");
	cr_assert_not_null(mkdtemp(p.folder));
	snprintf(p.path, sizeof p.path, "%s/deep/er/pcpc", p.folder);
	return p;
}

static void clear_place(const struct place *p)
{
	static const char *const files[] = {
		"/deep/er/pcpc", "/deep/er/pcpc.lock", "/deep/er", "/deep", ""};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		char path[128];

		snprintf(path, sizeof path, "%s%s", p->folder, files[i]);
		(void)remove(path);
	}
	cr_expect_eq(access(p->folder, F_OK), -1, "something was left in %s", p->folder);
}

static struct pcpc_memory memory(uint16_t port)
{
	struct pcpc_memory m = {.protocol = 6, .port = port, .nonce = {1, 2, 3}};

	cr_assert(pcpc_parse_endpoint("100.64.0.1", 5351, &m.server));
	cr_assert(pcpc_parse_address("100.64.0.10", m.source));
	cr_assert(pcpc_parse_endpoint("203.0.113.5:40001", 0, &m.external));
	m.until = (uint64_t)time(NULL) + 3600;
	return m;
}

Test(pcpc, what_was_put_is_found_by_its_key)
{
	struct place p = make_place();
	struct pcpc_memory a = memory(8080), b = memory(8081), found = memory(8080);

	cr_expect_eq(pcpc_state_find(p.path, &found), -ENOENT);
	cr_assert_eq(pcpc_state_put(p.path, &a), 0);
	b.nonce[0] = 9;
	b.external = (struct postern_endpoint){.port = 0};
	cr_assert_eq(pcpc_state_put(p.path, &b), 0);
	memset(found.nonce, 0, sizeof found.nonce);
	cr_assert_eq(pcpc_state_find(p.path, &found), 0);
	cr_expect_arr_eq(found.nonce, a.nonce, 12);
	cr_expect_eq(found.external.port, 40001);
	cr_expect_eq(found.until, a.until);
	found = memory(8081);
	cr_assert_eq(pcpc_state_find(p.path, &found), 0);
	cr_expect_eq(found.nonce[0], 9);
	cr_expect_eq(found.external.port, 0);
	found.source[15] = 11;
	cr_expect_eq(pcpc_state_find(p.path, &found), -ENOENT);
	clear_place(&p);
}

Test(pcpc, a_second_put_replaces_and_a_drop_forgets_only_its_own)
{
	struct place p = make_place();
	struct pcpc_memory a = memory(8080), b = memory(8081), found = memory(8080);

	cr_assert_eq(pcpc_state_drop(p.path, &a), 0, "nothing there yet");
	cr_assert_eq(pcpc_state_put(p.path, &a), 0);
	cr_assert_eq(pcpc_state_put(p.path, &b), 0);
	a.nonce[11] = 0xff;
	cr_assert_eq(pcpc_state_put(p.path, &a), 0);
	cr_assert_eq(pcpc_state_find(p.path, &found), 0);
	cr_expect_eq(found.nonce[11], 0xff);
	cr_assert_eq(pcpc_state_drop(p.path, &a), 0);
	cr_expect_eq(pcpc_state_find(p.path, &found), -ENOENT);
	found = memory(8081);
	cr_expect_eq(pcpc_state_find(p.path, &found), 0);
	clear_place(&p);
}

Test(pcpc, nobody_else_may_read_the_nonces)
{
	struct place p = make_place();
	struct pcpc_memory a = memory(8080);
	struct stat st;

	umask(0);
	cr_assert_eq(pcpc_state_put(p.path, &a), 0);
	cr_assert_eq(stat(p.path, &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
	clear_place(&p);
}

Test(pcpc, garbage_and_old_lines_are_survived_and_swept)
{
	struct place p = make_place();
	struct pcpc_memory old = memory(8080), b = memory(8081);
	char text[1024] = {0};
	FILE *f;

	old.until = (uint64_t)time(NULL) - 90000;
	cr_assert_eq(pcpc_state_put(p.path, &old), 0);
	f = fopen(p.path, "a");
	cr_assert_not_null(f);
	fputs("what is this\n999999 1 2 3 4 5 6\n\n", f);
	fclose(f);
	cr_expect_eq(pcpc_state_find(p.path, &old), 0);
	cr_assert_eq(pcpc_state_put(p.path, &b), 0);
	f = fopen(p.path, "r");
	cr_assert_not_null(f);
	cr_expect_not_null(fgets(text, sizeof text, f));
	cr_expect_not_null(strstr(text, " 8081 "));
	cr_expect_null(fgets(text, sizeof text, f), "only one line is left");
	fclose(f);
	clear_place(&p);
}
