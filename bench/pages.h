// SPDX-License-Identifier: Apache-2.0
// pages.h - memory for tables, in pages of 2 MiB where the kernel has some.
#ifndef BENCH_PAGES_H
#define BENCH_PAGES_H

#include <stdbool.h>
#include <stddef.h>

enum pages {
	PAGES_2M,          // from the kernel's pool (hugetlb)
	PAGES_TRANSPARENT, // put together by the kernel; looked up, not hoped for
	PAGES_4K
};

// Zeroed memory of at least `size` octets, all of it there already; NULL: there is none. `small`
// asks for 4 KiB pages.
void *pages_map(size_t size, bool small, enum pages *got);
void pages_unmap(void *mem, size_t size); // NULL is fine
const char *pages_name(enum pages pages); // "2m", "thp", "4k"
bool pages_are_huge(enum pages pages);

#endif
