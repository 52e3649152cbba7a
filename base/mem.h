/*
 * mem.h: allocation.
 *
 * Two families. mem_* never returns NULL: small things whose failure nothing could survive; the process aborts and
 * storage recovers. mem_try_* returns NULL and is for anything whose size a client, a model or a dataset decides.
 * Products of sizes are always formed with mem_size, which detects overflow.
 * Threads: any. Tests can make the n-th call of the mem_try_* family fail.
 */
#ifndef BASE_MEM_H
#define BASE_MEM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

void *mem_alloc(size_t size); /* zeroed */
char *mem_strdup(const char *text);
char *mem_format(const char *format, ...) EXP_PRINTF(1, 2);

EXP_NODISCARD void *mem_try_alloc(size_t count, size_t size); /* zeroed; NULL on overflow or exhaustion */
EXP_NODISCARD void *mem_try_realloc(void *old, size_t count, size_t size);
EXP_NODISCARD void *mem_try_aligned(size_t count, size_t size); /* 64-byte aligned, zeroed; freed by mem_free */

void mem_free(void *p); /* NULL is fine */

/* Overwrites size bytes so that the compiler cannot leave it out, then frees: for identities, keys, row contents. */
void mem_free_secret(void *p, size_t size);

/* *product = a * b. False on overflow; *product is then untouched. */
EXP_NODISCARD bool mem_size(size_t a, size_t b, size_t *product);

/* The n-th mem_try_* call from now fails, counting from 1, once; 0 switches off. Tests only; not thread safe. */
void mem_fail_at(long n);

#endif
