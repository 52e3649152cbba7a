#include "dataset/erase.h"

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/dataset/fixture.h"

enum { ROWS = 60, FLOATS = 5 };

/* Linked with --wrap=pwrite64, which pwrite is when offsets have 64 bits: a device that says it has written and has
 * not. */
static bool device_lies;

ssize_t __real_pwrite64(int fd, const void *bytes, size_t size, off_t at);
ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t at);

ssize_t __wrap_pwrite64(int fd, const void *bytes, size_t size, off_t at)
{
	return device_lies ? (ssize_t)size : __real_pwrite64(fd, bytes, size, at);
}

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
	fixture_make(&f, ROWS, FLOATS, 7);
	fixture_import(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(erase, .init = init, .fini = fini);

static bool is_among(size_t row, const size_t *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (rows[i] == row)
			return true;
	return false;
}

static void check_rows(const struct dataset *d, const size_t *erased, size_t count)
{
	const struct source *all = dataset_all(d);

	for (size_t row = 0; row < ROWS; row++) {
		bool gone = is_among(row, erased, count);
		float inputs[FLOATS];
		int32_t label;

		cr_assert_eq(all->read(all, &row, 1, inputs, &label), 0);
		cr_assert_eq(label, gone ? 0 : (int32_t)(row % 3));
		for (size_t k = 0; k < FLOATS; k++)
			cr_assert_eq(inputs[k], gone ? 0.0f : (float)row + (float)k / 100, "row %zu", row);
	}
}

Test(erase, rows_are_zeros_in_the_map_and_on_the_disk)
{
	static const size_t rows[] = { 59, 0, 8, 8, 22 };
	float canary[FLOATS];
	struct exp_error err = { 0 };
	struct dataset *d, *again;

	for (size_t k = 0; k < FLOATS; k++)
		canary[k] = 22.0f + (float)k / 100;
	cr_assert(fixture_grep(f.data, canary, sizeof(canary)));
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	cr_assert_eq(erase_rows(d, rows, 5, &err), 0, "%s", err.message);
	check_rows(d, rows, 5);
	cr_assert_not(fixture_grep(f.data, canary, sizeof(canary)));
	cr_assert_eq(erase_rows(d, rows, 5, &err), 0, "%s", err.message);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &again, &err), 0, "%s", err.message);
	check_rows(again, rows, 5);
	dataset_close(again);
	dataset_close(d);
}

Test(erase, a_row_that_is_none_changes_nothing)
{
	static const size_t rows[] = { 1, ROWS };
	struct exp_error err = { 0 };
	struct dataset *d;

	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	cr_assert_eq(erase_rows(d, rows, 2, &err), EXP_ERANGE);
	cr_assert_str_eq(err.message, "dataset people has no row 60");
	check_rows(d, NULL, 0);
	cr_assert_eq(erase_rows(d, NULL, 0, &err), 0);
	dataset_close(d);
}

Test(erase, missing_files_are_an_error)
{
	char *labels = mem_format("%s/datasets/people/labels.npy", f.data);
	struct exp_error err = { 0 };
	struct dataset *d;

	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	cr_assert_eq(file_destroy(labels, NULL), 0);
	cr_assert_eq(erase_rows(d, (size_t[]){ 1 }, 1, &err), EXP_ENOTFOUND);
	dataset_close(d);
	mem_free(labels);
}

Test(erase, bytes_that_are_still_there_are_noticed)
{
	struct exp_error err = { 0 };
	struct dataset *d;

	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	device_lies = true;
	cr_assert_eq(erase_rows(d, (size_t[]){ 4 }, 1, &err), EXP_ECORRUPT);
	device_lies = false;
	cr_assert(strstr(err.message, "row 4 of ") == err.message, "%s", err.message);
	dataset_close(d);
}
