// SPDX-License-Identifier: Apache-2.0
#include "pages.h"

#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum {
	HUGE = 2 << 20
};

static size_t rounded(size_t size)
{
	return (size + HUGE - 1) & ~(size_t)(HUGE - 1);
}

// Octets of the mapping around `mem` that stand in transparent huge pages.
static size_t transparent(const void *mem)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	uintptr_t first, end, at = (uintptr_t)mem;
	size_t kib = 0, of = 0;
	char line[512];
	bool inside = false;

	if (f == NULL)
		return 0;
	while (fgets(line, sizeof line, f) != NULL) {
		if (sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &first, &end) == 2)
			inside = at >= first && at < end;
		else if (inside && sscanf(line, "AnonHugePages: %zu kB", &of) == 1)
			kib += of;
	}
	fclose(f);
	return kib << 10;
}

static void *map(size_t size, int flags)
{
	void *mem = mmap(
		NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	return mem == MAP_FAILED ? NULL : mem;
}

static void *map_ordinary(size_t size, bool small, enum pages *got)
{
	void *mem = map(size, 0);

	*got = PAGES_4K;
	if (mem == NULL)
		return NULL;
	madvise(mem, size, small ? MADV_NOHUGEPAGE : MADV_HUGEPAGE);
	memset(mem, 0, size);
	if (!small && transparent(mem) >= size / 10 * 9)
		*got = PAGES_TRANSPARENT;
	return mem;
}

void *pages_map(size_t size, bool small, enum pages *got)
{
	void *mem = small ? NULL : map(rounded(size), MAP_HUGETLB | MAP_POPULATE);

	*got = PAGES_2M;
	return mem != NULL ? mem : map_ordinary(rounded(size), small, got);
}

void pages_unmap(void *mem, size_t size)
{
	if (mem != NULL)
		munmap(mem, rounded(size));
}

const char *pages_name(enum pages pages)
{
	static const char *const names[] = {"2m", "thp", "4k"};

	return names[pages];
}

bool pages_are_huge(enum pages pages)
{
	return pages != PAGES_4K;
}
