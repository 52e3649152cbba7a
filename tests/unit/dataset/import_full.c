/*
 * import_full.c: the disk runs full at the n-th write of an import, for every n, until the import succeeds. Linked with
 * --wrap=write, so that files see it and SQLite, a shared library, does not.
 */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "base/mem.h"
#include "storage/datasets.h"
#include "tests/unit/dataset/fixture.h"

static long writes_left = -1; /* negative: no limit */

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (writes_left > 0 && --writes_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, bytes, size);
}

static struct fixture f;

static bool nothing_is_left(void)
{
	char *path = mem_format("%s/datasets", f.data);
	struct stored_dataset_list list;
	bool none = fixture_count(path) == 0;
	struct db *db;

	cr_assert_eq(reader_take(f.store, &db, NULL), 0);
	cr_assert_eq(datasets_list(db, &list, NULL), 0);
	none = none && list.count == 0;
	stored_dataset_list_fini(&list);
	reader_give(f.store, db);
	mem_free(path);
	return none;
}

Test(import_full, every_failing_write_leaves_nothing)
{
	struct dataset_summary s;
	long n = 0;
	int rc;

	fixture_init(&f);
	fixture_make(&f, 3000, 50, 40);
	do {
		struct exp_error err = { 0 };

		writes_left = ++n;
		rc = dataset_import(&f.home, &f.spec, &s, &err);
		if (rc) {
			cr_assert_eq(rc, EXP_ENOSPACE, "write %ld: %s", n, err.message);
			cr_assert(nothing_is_left(), "write %ld", n);
		}
	} while (rc);
	cr_assert_geq(n, 6, "inputs take four writes, labels two");
	writes_left = -1;
	cr_assert_not(nothing_is_left());
	fixture_fini(&f);
}
