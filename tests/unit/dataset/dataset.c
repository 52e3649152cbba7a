#include "dataset/dataset.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "tests/unit/dataset/fixture.h"

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(dataset, .init = init, .fini = fini);

Test(dataset, reads_what_was_imported)
{
	float row[12];
	int32_t labels[2];
	size_t rank, index[2] = { 7, 3 };
	const struct source *all;
	struct dataset *d;

	fixture_make(&f, 9, 6, 4);
	fixture_import(&f);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	cr_assert_str_eq(dataset_name(d), "people");
	cr_assert_eq(dataset_rows(d), 9);
	cr_assert_eq(dataset_row_floats(d), 6);
	cr_assert_eq(dataset_row_dims(d, &rank)[0], 6);
	cr_assert_eq(rank, 1);
	cr_assert_eq(dataset_classes(d), 3);
	all = dataset_all(d);
	cr_assert_eq(all->rows, 9);
	cr_assert_eq(all->read(all, index, 2, row, labels), 0);
	for (int k = 0; k < 6; k++) {
		cr_assert_eq(row[k], 7.0f + (float)k / 100);
		cr_assert_eq(row[6 + k], 3.0f + (float)k / 100);
	}
	cr_assert_eq(labels[0], 1);
	cr_assert_eq(labels[1], 0);
	dataset_close(d);
}

Test(dataset, uint8_rows_come_scaled)
{
	static const uint8_t pixels[3] = { 0, 51, 255 };
	static const int64_t labels[3] = { 0, 1, 1 };
	const struct source *all;
	struct dataset *d;
	float inputs[3];
	int32_t out[3];

	fixture_make(&f, 3, 1, 2);
	fixture_npy(f.inputs, "|u1", "(3, 1, 1)", pixels, sizeof(pixels));
	fixture_npy(f.labels, "<i8", "(3,)", labels, sizeof(labels));
	f.spec.scale = 1 / 255.0;
	fixture_import(&f);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), 0);
	all = dataset_all(d);
	cr_assert_eq(all->read(all, (size_t[]){ 0, 1, 2 }, 3, inputs, out), 0);
	for (int i = 0; i < 3; i++)
		cr_assert_float_eq(inputs[i], (float)pixels[i] / 255, 1e-7f);
	dataset_close(d);
}

Test(dataset, files_that_do_not_fit_are_corrupt)
{
	char *inputs = mem_format("%s/datasets/people/inputs.npy", f.data);
	static const float other[4] = { 1, 2, 3, 4 };
	struct exp_error err = { 0 };
	struct dataset *d;

	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, NULL), EXP_ENOTFOUND);
	fixture_make(&f, 9, 6, 4);
	fixture_import(&f);
	fixture_npy(inputs, "<f4", "(2, 2)", other, sizeof(other));
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, &err), EXP_ECORRUPT);
	fixture_write(inputs, "short", 5);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, &err), EXP_ECORRUPT);
	cr_assert_eq(file_destroy(inputs, NULL), 0);
	cr_assert_eq(dataset_open(f.store, f.data, "people", &d, &err), EXP_ECORRUPT);
	mem_free(inputs);
}
