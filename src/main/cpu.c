// SPDX-License-Identifier: Apache-2.0
// Without this look, a build for a newer CPU would die of an illegal instruction, which tells
// nobody anything.
#include "main.h"

const char *cpu_lacks(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
#if defined(__SSE4_2__)
	if (!__builtin_cpu_supports("sse4.2"))
		return "sse4.2";
#endif
#if defined(__AVX2__)
	if (!__builtin_cpu_supports("avx2"))
		return "avx2";
#endif
#if defined(__BMI2__)
	if (!__builtin_cpu_supports("bmi2"))
		return "bmi2";
#endif
#if defined(__AVX512F__)
	if (!__builtin_cpu_supports("avx512f"))
		return "avx512f";
#endif
#endif
	return NULL;
}
