#include "dataset/arrays.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/buf.h"
#include "base/file.h"
#include "tests/unit/dataset/fixture.h"

static struct fixture f;
static char kept_inputs[96], kept_labels[96];

static void init(void)
{
	fixture_init(&f);
	snprintf(kept_inputs, sizeof(kept_inputs), "%s/kept-x.npy", f.root);
	snprintf(kept_labels, sizeof(kept_labels), "%s/kept-y.npy", f.root);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(arrays, .init = init, .fini = fini);

static const int64_t two_labels[2] = { 0, 1 };
static const float two_rows[4] = { 1, 2, 3, 4 };

static void put_good(void)
{
	fixture_npy(f.inputs, "<f4", "(2, 2)", two_rows, sizeof(two_rows));
	fixture_npy(f.labels, "<i8", "(2,)", two_labels, sizeof(two_labels));
}

static void check_refused(double scale, int64_t classes, int code, const char *message)
{
	struct exp_error err = { 0 };
	struct arrays a;

	cr_expect_eq(arrays_open(f.inputs, f.labels, scale, classes, &a, &err), code, "%s", message);
	cr_expect(strstr(err.message, message) != NULL, "\"%s\" is not in \"%s\"", message, err.message);
}

Test(arrays, refusals_say_where)
{
	static const float nan_at_1_0[4] = { 1, 2, NAN, 4 };
	static const double wide[4] = { 1, 2, 3, 1e300 };
	static const int64_t negative[2] = { 0, -1 }, large[2] = { 0, 7 }, huge[2] = { 0, 1ll << 40 };

	check_refused(0, 0, EXP_ENOTFOUND, f.inputs);
	put_good();
	fixture_npy(f.inputs, "<f4", "(2, 2)", nan_at_1_0, sizeof(nan_at_1_0));
	check_refused(0, 0, EXP_ENONFINITE, "row 1, column 0 of the inputs");
	fixture_npy(f.inputs, "<f8", "(2, 2)", wide, sizeof(wide));
	check_refused(0, 0, EXP_ENONFINITE, "row 1, column 1 of the inputs");
	fixture_npy(f.inputs, "<i4", "(2, 2)", two_rows, sizeof(two_rows));
	check_refused(0, 0, EXP_EUNSUPPORTED, "inputs are int32; they must be float32, float64 or uint8");
	fixture_npy(f.inputs, "<f4", "(0, 2)", two_rows, 0);
	check_refused(0, 0, EXP_ESHAPE, "the inputs are empty");
	fixture_npy(f.inputs, "<f4", "(2, 1, 1, 1, 1, 1, 1, 2)", two_rows, sizeof(two_rows));
	check_refused(0, 0, EXP_ESHAPE, "8 dimensions");
	fixture_npy(f.inputs, "<f4", "(2, 2)", two_rows, 12);
	check_refused(0, 0, EXP_ESHAPE, f.inputs);
	fixture_write(f.inputs, "not npy", 7);
	check_refused(0, 0, EXP_EPARSE, f.inputs);
	put_good();
	check_refused(0.5, 0, EXP_EINVAL, "scale must be a positive number, and applies to uint8 inputs only");
	check_refused(-1, 0, EXP_EINVAL, "scale must be");
	check_refused(NAN, 0, EXP_EINVAL, "scale must be");
	check_refused(0, -1, EXP_EINVAL, "classes must be 0");
	check_refused(0, 1, EXP_ERANGE, "row 1 has a label outside 0 to 0");
	fixture_npy(f.labels, "<i8", "(2,)", negative, sizeof(negative));
	check_refused(0, 0, EXP_ERANGE, "row 1 has a label outside 0 to");
	fixture_npy(f.labels, "<i8", "(2,)", large, sizeof(large));
	check_refused(0, 3, EXP_ERANGE, "row 1 has a label outside 0 to 2");
	fixture_npy(f.labels, "<i8", "(2,)", huge, sizeof(huge));
	check_refused(0, 0, EXP_ERANGE, "row 1 has a label outside 0 to");
	fixture_npy(f.labels, "<f4", "(2,)", two_rows, 8);
	check_refused(0, 0, EXP_EUNSUPPORTED, "labels are float32; they must be integers");
	fixture_npy(f.labels, "<i8", "(1,)", two_labels, 8);
	check_refused(0, 0, EXP_ESHAPE, "the inputs have 2 rows, but the labels are not one list of 2");
	fixture_npy(f.labels, "<i8", "(2, 1)", two_labels, sizeof(two_labels));
	check_refused(0, 0, EXP_ESHAPE, "not one list of 2");
}

/* Opens what is in place, writes it in the form that is kept, and opens that. */
static void keep(double scale, struct arrays *kept)
{
	uint8_t inputs[DIGEST_SIZE], labels[DIGEST_SIZE], digest[DIGEST_SIZE];
	struct exp_error err = { 0 };
	struct arrays a;

	cr_assert_eq(arrays_open(f.inputs, f.labels, scale, 0, &a, &err), 0, "%s", err.message);
	cr_assert_eq(arrays_digest(&a, inputs, labels, NULL), 0);
	cr_assert_eq(arrays_write(&a, kept_inputs, kept_labels, &err), 0, "%s", err.message);
	cr_assert_eq(file_digest(kept_inputs, digest, NULL), 0);
	cr_assert_arr_eq(digest, inputs, DIGEST_SIZE);
	cr_assert_eq(file_digest(kept_labels, digest, NULL), 0);
	cr_assert_arr_eq(digest, labels, DIGEST_SIZE);
	cr_assert_eq(arrays_write(&a, kept_inputs, kept_labels, NULL), EXP_EEXISTS);
	arrays_close(&a);
	cr_assert_eq(arrays_open(kept_inputs, kept_labels, scale, 0, kept, &err), 0, "%s", err.message);
	cr_assert_eq(kept->labels.type, NPY_I4);
}

Test(arrays, float64_is_kept_as_float32)
{
	static const double inputs[4] = { 0.1, -2.5, 1e-30, 3 };
	struct arrays kept;

	put_good();
	fixture_npy(f.inputs, "<f8", "(2, 2)", inputs, sizeof(inputs));
	keep(0, &kept);
	cr_assert_eq(kept.inputs.type, NPY_F4);
	for (int i = 0; i < 4; i++)
		cr_assert_eq(((const float *)kept.inputs.data)[i], (float)inputs[i]);
	cr_assert_eq(kept.classes, 2);
	arrays_close(&kept);
}

Test(arrays, uint8_is_kept_with_its_scale)
{
	static const uint8_t inputs[12] = { 0, 1, 2, 3, 4, 5, 250, 251, 252, 253, 254, 255 };
	struct arrays kept;

	put_good();
	fixture_npy(f.inputs, "|u1", "(2, 2, 3)", inputs, sizeof(inputs));
	keep(1 / 255.0, &kept);
	cr_assert_eq(kept.inputs.type, NPY_U1);
	cr_assert_eq(kept.row_floats, 6);
	cr_assert_arr_eq(kept.inputs.data, inputs, sizeof(inputs));
	cr_assert_float_eq(kept.scale, 1 / 255.0f, 1e-9f);
	arrays_close(&kept);
}

Test(arrays, labels_of_any_integer_type_become_int32)
{
	static const uint8_t u1[2] = { 200, 3 };
	static const int8_t i1[2] = { 100, 3 };
	static const int16_t i2[2] = { 300, 3 };
	static const int32_t i4[2] = { 70000, 3 };
	static const int64_t i8[2] = { 80000, 3 };
	static const struct {
		const char *descr;
		const void *data;
		size_t size;
		int32_t first;
	} cases[] = {
		{ "|u1", u1, sizeof(u1), 200 },   { "|i1", i1, sizeof(i1), 100 },   { "<i2", i2, sizeof(i2), 300 },
		{ "<i4", i4, sizeof(i4), 70000 }, { "<i8", i8, sizeof(i8), 80000 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct arrays kept;

		put_good();
		fixture_npy(f.labels, cases[i].descr, "(2,)", cases[i].data, cases[i].size);
		keep(0, &kept);
		cr_assert_eq(((const int32_t *)kept.labels.data)[0], cases[i].first);
		cr_assert_eq(((const int32_t *)kept.labels.data)[1], 3);
		cr_assert_eq(kept.classes, (size_t)cases[i].first + 1);
		arrays_close(&kept);
		cr_assert_eq(file_destroy(kept_inputs, NULL), 0);
		cr_assert_eq(file_destroy(kept_labels, NULL), 0);
	}
}

/* More elements than are converted at a time. */
Test(arrays, large_arrays_are_written_whole)
{
	enum { ROWS = 1000, FLOATS = 150 };
	static double inputs[ROWS * FLOATS];
	static int64_t labels[ROWS];
	struct arrays kept;

	for (size_t i = 0; i < ROWS * FLOATS; i++)
		inputs[i] = (double)i / 7;
	fixture_npy(f.inputs, "<f8", "(1000, 150)", inputs, sizeof(inputs));
	fixture_npy(f.labels, "<i8", "(1000,)", labels, sizeof(labels));
	keep(0, &kept);
	for (size_t i = 0; i < ROWS * FLOATS; i++)
		cr_assert_eq(((const float *)kept.inputs.data)[i], (float)inputs[i]);
	arrays_close(&kept);
}
