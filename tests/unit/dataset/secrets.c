/*
 * secrets.c: reading rows.csv hands no block of memory back that still holds an identity or a sample id. Linked with
 * --wrap=free, which looks at each block before it goes.
 */
#include <criterion/criterion.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "dataset/rows.h"
#include "tests/unit/dataset/fixture.h"

static bool looking;
static size_t blocks, blocks_with_secrets;

void __real_free(void *p);
void __wrap_free(void *p);

void __wrap_free(void *p)
{
	if (looking && p) {
		blocks++;
		blocks_with_secrets += memmem(p, malloc_usable_size(p), "canary", 6) != NULL;
	}
	__real_free(p);
}

static void read_and_look(const struct fixture *f, const char *csv, int code)
{
	struct rows_table t = { 0 };

	fixture_write(f->rows, csv, strlen(csv));
	looking = true;
	cr_assert_eq(rows_read(f->rows, f->key, 2, &t, NULL), code);
	rows_fini(&t);
	looking = false;
	cr_assert_gt(blocks, 0);
	cr_assert_eq(blocks_with_secrets, 0, "%s", csv);
}

#define HEADER "sample_id,subject,split\n"

Test(secrets, nothing_that_is_freed_names_anybody)
{
	struct fixture f;
	char *seen;

	fixture_init(&f);
	read_and_look(&f, HEADER "canary1,email: canary2@example.org ,train\ncanary3,\"id:canary\"\"4\",heldout\n", 0);
	read_and_look(&f, HEADER "canary1,id:canary,train\ncanary1,id:canary,train\n", EXP_EINVAL);
	read_and_look(&f, HEADER "canary1,canary,train\n", EXP_EINVAL);
	read_and_look(&f, HEADER "canary1,id:canary,canary\n", EXP_EINVAL);
	read_and_look(&f, HEADER "canary1,id:canary,train\n", EXP_ESHAPE);
	seen = mem_strdup("a canary that the look must see");
	looking = true;
	mem_free(seen);
	looking = false;
	cr_assert_eq(blocks_with_secrets, 1);
	fixture_fini(&f);
}
