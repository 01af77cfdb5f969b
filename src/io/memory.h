// SPDX-License-Identifier: Apache-2.0
// Big zeroed memory for a shard: 2 MiB pages when asked for and to be had, else ordinary ones
// that the kernel may join.
#ifndef IO_MEMORY_H
#define IO_MEMORY_H

#include <postern/base.h>

#include <stdio.h>

#define HUGE_PAGE ((size_t)2 << 20)

size_t memory_round(size_t size); // to whole huge pages
uint64_t memory_free_huge_pages(void);
uint64_t memory_available(void); // octets that can be used without swapping; 0: not known
uint64_t memory_read_available(FILE *meminfo); // ... out of /proc/meminfo
// The calling thread's NUMA node gives the huge pages. NULL: there is not enough memory. *huge says
// what was wanted, then what was got.
void *memory_take(size_t size, bool *huge);
void memory_give(void *at, size_t size);

#endif
