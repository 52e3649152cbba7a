#include "base/mem.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#include "base/buf.h"

Test(mem, detects_overflow)
{
	size_t product = 7;

	cr_assert_not(mem_size(SIZE_MAX / 2, 3, &product));
	cr_assert_eq(product, 7);
	cr_assert_null(mem_try_aligned(SIZE_MAX / 2, 3));
	cr_assert_null(mem_try_realloc(NULL, SIZE_MAX, 2));
}

Test(mem, aligned_memory_is_zeroed_and_aligned)
{
	unsigned char *p = mem_try_aligned(3, 5);

	cr_assert_not_null(p);
	cr_assert_eq((uintptr_t)p % 64, 0);
	for (int i = 0; i < 15; i++)
		cr_assert_eq(p[i], 0);
	mem_free(p);
}

Test(mem, fails_at_the_nth_call)
{
	void *p;

	mem_fail_at(2);
	p = mem_try_alloc(1, 1);
	cr_assert_not_null(p);
	mem_free(p);
	cr_assert_null(mem_try_alloc(1, 1));
	p = mem_try_alloc(1, 1);
	cr_assert_not_null(p);
	mem_free(p);
}

Test(buf, grows_formats_and_keeps_its_limit)
{
	struct buf b = { 0 };
	char *text;

	for (int i = 0; i < 100; i++)
		buf_format(&b, "%d,", i);
	cr_assert_eq(b.size, 290);
	cr_assert_eq(buf_add_limited(&b, "xyz", 3, 292), EXP_ELIMIT);
	cr_assert_eq(b.size, 290);
	cr_assert_eq(buf_add_limited(&b, "xy", 2, 292), 0);
	text = buf_take(&b);
	cr_assert_eq(strlen(text), 292);
	cr_assert_eq(b.size, 0);
	mem_free(text);
	text = buf_take(&b);
	cr_assert_str_eq(text, "");
	mem_free(text);
}
