// SPDX-License-Identifier: Apache-2.0
#include "memory.h"

#include <stdio.h>
#include <sys/mman.h>

#ifndef MAP_HUGE_2MB
#define MAP_HUGE_2MB (21 << 26)
#endif

size_t memory_round(size_t size)
{
	return (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
}

uint64_t memory_free_huge_pages(void)
{
	FILE *f = fopen("/sys/kernel/mm/hugepages/hugepages-2048kB/free_hugepages", "re");
	unsigned long n = 0;

	if (!f)
		return 0;
	if (fscanf(f, "%lu", &n) != 1)
		n = 0;
	fclose(f);
	return n;
}

uint64_t memory_read_available(FILE *meminfo)
{
	char line[128];
	unsigned long long kilobytes;

	while (fgets(line, sizeof line, meminfo)) {
		if (sscanf(line, "MemAvailable: %llu kB", &kilobytes) == 1)
			return (uint64_t)kilobytes << 10;
	}
	return 0;
}

uint64_t memory_available(void)
{
	FILE *f = fopen("/proc/meminfo", "re");

	if (!f)
		return 0;
	uint64_t octets = memory_read_available(f);
	fclose(f);
	return octets;
}

// Populated at once: the first touch of a huge page zeroes 2 MiB, too long a stall for a worker.
static void *take_huge(size_t size)
{
	void *at = mmap(NULL, memory_round(size), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_HUGE_2MB | MAP_POPULATE, -1, 0);

	return at == MAP_FAILED ? NULL : at;
}

static void *take_ordinary(size_t size)
{
	void *at = mmap(NULL, memory_round(size), PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (at == MAP_FAILED)
		return NULL;
	// Advice: where it is not taken, everything still works.
	(void)madvise(at, memory_round(size), MADV_HUGEPAGE);
	return at;
}

void *memory_take(size_t size, bool *huge)
{
	void *at = *huge ? take_huge(size) : NULL;

	*huge = at != NULL;
	return at ? at : take_ordinary(size);
}

void memory_give(void *at, size_t size)
{
	if (at)
		munmap(at, memory_round(size));
}
