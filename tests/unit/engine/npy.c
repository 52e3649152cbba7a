#include "engine/npy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/npy_header.h"

/* Arrays that NumPy itself saved: tools/golden/make_npy_goldens.py. */
static int open_golden(const char *name, struct npy *a, struct exp_error *err)
{
	char *path = mem_format(GOLDEN "/npy/%s.npy", name);
	int rc = npy_open(path, a, err);

	mem_free(path);
	return rc;
}

static double element(const struct npy *a, size_t i)
{
	switch (a->type) {
	case NPY_F4:
		return (double)((const float *)a->data)[i];
	case NPY_F8:
		return ((const double *)a->data)[i];
	case NPY_U1:
		return ((const uint8_t *)a->data)[i];
	case NPY_I1:
		return ((const int8_t *)a->data)[i];
	case NPY_I2:
		return ((const int16_t *)a->data)[i];
	case NPY_I4:
		return ((const int32_t *)a->data)[i];
	case NPY_I8:
		return (double)((const int64_t *)a->data)[i];
	}
	return NAN;
}

Test(npy, reads_every_type_and_format_that_numpy_writes)
{
	static const struct {
		const char *name;
		enum npy_type type;
	} cases[] = {
		{ "f4", NPY_F4 },       { "f8", NPY_F8 },       { "u1", NPY_U1 }, { "i1", NPY_I1 },
		{ "i2", NPY_I2 },       { "i4", NPY_I4 },       { "i8", NPY_I8 }, { "version1", NPY_F4 },
		{ "version2", NPY_F4 }, { "version3", NPY_F4 },
	};

	for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
		struct npy a;

		cr_assert_eq(open_golden(cases[c].name, &a, NULL), 0, "%s", cases[c].name);
		cr_assert_eq(a.type, cases[c].type, "%s", cases[c].name);
		cr_assert(a.rank == 2 && a.dims[0] == 2 && a.dims[1] == 3 && a.count == 6, "%s", cases[c].name);
		for (size_t i = 0; i < 6; i++)
			cr_assert_eq(element(&a, i), (double)i, "%s", cases[c].name);
		npy_close(&a);
	}
}

Test(npy, reads_scalars_and_empty_arrays)
{
	struct npy a;

	cr_assert_eq(open_golden("scalar", &a, NULL), 0);
	cr_assert(a.rank == 0 && a.count == 1 && element(&a, 0) == 7);
	npy_close(&a);
	cr_assert_eq(open_golden("empty", &a, NULL), 0);
	cr_assert(a.rank == 2 && a.dims[0] == 0 && a.dims[1] == 3 && a.count == 0);
	npy_close(&a);
}

Test(npy, says_what_it_cannot_use)
{
	static const char *const names[] = { "refused_fortran", "refused_big_endian", "refused_bool",
					     "refused_complex", "refused_unsigned",   "refused_struct",
					     "refused_text",    "refused_nine_dims" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct exp_error err = { 0 };
		struct npy a;

		cr_assert_eq(open_golden(names[i], &a, &err), EXP_EUNSUPPORTED, "%s", names[i]);
		cr_assert(strstr(err.message, names[i]) != NULL, "the message names the file: %s", err.message);
	}
}

/* An npy file of format 1.0 around a dict, and 24 bytes that could be data. */
static size_t wrap(const char *dict, uint8_t out[512])
{
	size_t length = strlen(dict);

	memcpy(out, "\x93NUMPY\x01\x00", 8);
	out[8] = (uint8_t)length;
	out[9] = (uint8_t)(length >> 8);
	memcpy(out + 10, dict, length);
	memset(out + 10 + length, 0, 24);
	return 10 + length + 24;
}

Test(npy, refuses_broken_headers)
{
	static const struct {
		const char *dict;
		int code;
	} cases[] = {
		{ "", EXP_EPARSE },
		{ "{", EXP_EPARSE },
		{ "{}", EXP_EPARSE },
		{ "[]", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), } x", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'x': 1}", EXP_EPARSE },
		{ "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (6,)}", EXP_EPARSE },
		{ "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': Maybe, 'shape': (6,)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': 6}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6 1)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6,,)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}", EXP_EPARSE },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (6,", EXP_EPARSE },
		{ "{'descr': '<f4", EXP_EPARSE },
		{ "{'descr': '<f4\\'', 'fortran_order': False, 'shape': (6,)}", EXP_EPARSE },
		{ "{'descr': '', 'fortran_order': False, 'shape': (6,)}", EXP_EUNSUPPORTED },
		{ "{'descr': '|O', 'fortran_order': False, 'shape': (6,)}", EXP_EUNSUPPORTED },
		{ "{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3)}", EXP_EUNSUPPORTED },
	};
	uint8_t file[512];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct npy_header h;
		size_t size = wrap(cases[i].dict, file);

		cr_assert_eq(npy_header_parse(file, size, &h, NULL), cases[i].code, "%s", cases[i].dict);
	}
}

Test(npy, refuses_every_truncation_of_a_header)
{
	uint8_t file[512];
	size_t size = wrap("{'descr': '<f4', 'fortran_order': False, 'shape': (6,), }", file);
	struct npy_header h;

	cr_assert_eq(npy_header_parse(file, size, &h, NULL), 0);
	for (size_t cut = 0; cut < h.data_offset; cut++) {
		uint8_t *exact = mem_alloc(cut); /* a byte read beyond it is seen by AddressSanitizer */
		struct npy_header other;

		memcpy(exact, file, cut);
		cr_assert_eq(npy_header_parse(exact, cut, &other, NULL), EXP_EPARSE, "cut at %zu", cut);
		mem_free(exact);
	}
}

static char folder[] = "/tmp/expunge-npy-XXXXXX";

static void make_folder(void)
{
	cr_assert(mkdtemp(folder) != NULL);
}

static void remove_folder(void)
{
	char *command = mem_format("rm -rf %s", folder);

	cr_assert_eq(system(command), 0);
	mem_free(command);
}

TestSuite(npy_file, .init = make_folder, .fini = remove_folder);

Test(npy_file, refuses_sizes_that_do_not_fit)
{
	static const char *const shapes[] = { "(5,)",
					      "(7,)",
					      "()",
					      "(4611686018427387904, 4)",
					      "(0, 6)",
					      "(18446744073709551615,)",
					      "(2, 9223372036854775811)" };
	char *path = file_join(folder, "a.npy");
	uint8_t file[512];

	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		char *dict = mem_format("{'descr': '<f4', 'fortran_order': False, 'shape': %s} ", shapes[i]);
		struct npy a;

		cr_assert_eq(file_write_durable(path, file, wrap(dict, file), NULL), 0);
		cr_assert_eq(npy_open(path, &a, NULL), EXP_ESHAPE, "%s", shapes[i]);
		mem_free(dict);
	}
	mem_free(path);
}

Test(npy_file, refuses_what_is_no_array_file)
{
	char *path = file_join(folder, "b.npy");
	struct npy a;

	cr_assert_eq(npy_open(path, &a, NULL), EXP_ENOTFOUND);
	cr_assert_eq(npy_open(folder, &a, NULL), EXP_EINVAL);
	cr_assert_eq(file_write_durable(path, "", 0, NULL), 0);
	cr_assert_eq(npy_open(path, &a, NULL), EXP_EPARSE);
	cr_assert_eq(file_write_durable(path, "PK\x03\x04 an npz file", 16, NULL), 0);
	cr_assert_eq(npy_open(path, &a, NULL), EXP_EPARSE);
	mem_free(path);
}

Test(npy_file, writes_what_numpy_would_write)
{
	char *path = file_join(folder, "c.npy");
	struct buf ours = { 0 }, theirs = { 0 };
	float data[6] = { 0, 1, 2, 3, 4, 5 };

	cr_assert_eq(npy_write_f4(path, data, (size_t[]){ 2, 3 }, 2, NULL), 0);
	cr_assert_eq(file_read(path, 1000, &ours, NULL), 0);
	cr_assert_eq(file_read(GOLDEN "/npy/f4.npy", 1000, &theirs, NULL), 0);
	cr_assert_eq(ours.size, theirs.size);
	cr_assert_eq(memcmp(ours.data, theirs.data, ours.size), 0);
	buf_fini(&ours);
	buf_fini(&theirs);
	mem_free(path);
}

Test(npy_file, reads_back_any_rank)
{
	static const size_t dims[] = { 1, 2, 1, 3, 1, 1, 2, 1 };
	char *path = file_join(folder, "d.npy");
	float data[12];

	for (size_t i = 0; i < 12; i++)
		data[i] = (float)i;
	for (size_t rank = 0; rank <= NPY_MAX_DIMS; rank++) {
		struct npy a;

		cr_assert_eq(npy_write_f4(path, data, dims, rank, NULL), 0);
		cr_assert_eq(npy_open(path, &a, NULL), 0, "rank %zu", rank);
		cr_assert(a.rank == rank && memcmp(a.dims, dims, rank * sizeof(size_t)) == 0);
		cr_assert_eq(memcmp(a.data, data, a.count * sizeof(float)), 0);
		cr_assert_eq((uintptr_t)a.data % 64, 0);
		npy_close(&a);
	}
	mem_free(path);
}

Test(npy_source, scales_rows_and_gives_labels)
{
	struct npy images, labels;
	struct npy_source s;
	float row[4];
	int32_t label;

	cr_assert_eq(open_golden("images", &images, NULL), 0);
	cr_assert_eq(npy_source_init(&s, &images, NULL, 1.0f / 255, 0, NULL), 0);
	cr_assert(s.source.rows == 2 && s.source.row_floats == 4);
	cr_assert_eq(s.source.read(&s.source, (size_t[]){ 1 }, 1, row, &label), 0);
	cr_assert_eq(label, 0);
	for (size_t i = 0; i < 4; i++)
		cr_assert_float_eq(row[i], (float)(30 * (4 + i)) / 255, 1e-6);
	npy_close(&images);

	cr_assert_eq(open_golden("vector", &labels, NULL), 0);
	cr_assert_eq(open_golden("f8", &images, NULL), 0);
	cr_assert_eq(npy_source_init(&s, &images, &labels, 1, 0, NULL), EXP_ESHAPE);
	cr_assert_eq(npy_source_init(&s, &images, &images, 1, 0, NULL), EXP_EUNSUPPORTED,
		     "labels that are no integers");
	npy_close(&images);
	npy_close(&labels);
}

Test(npy_source, names_the_row_at_fault)
{
	struct npy inputs, labels;
	struct npy_source s;
	struct exp_error err = { 0 };

	cr_assert_eq(open_golden("nan_row1", &inputs, NULL), 0);
	cr_assert_eq(npy_source_init(&s, &inputs, NULL, 1, 0, &err), EXP_ENONFINITE);
	cr_assert(strstr(err.message, "row 1 ") != NULL, "%s", err.message);
	npy_close(&inputs);
	cr_assert_eq(open_golden("beyond_f4", &inputs, NULL), 0);
	cr_assert_eq(npy_source_init(&s, &inputs, NULL, 1, 0, NULL), EXP_ENONFINITE);
	npy_close(&inputs);

	inputs = (struct npy){ .type = NPY_F4, .rank = 1, .dims = { 4 }, .count = 4, .data = (float[4]){ 0 } };
	cr_assert_eq(open_golden("vector", &labels, NULL), 0); /* 0, 1, 2, -1 */
	cr_assert_eq(npy_source_init(&s, &inputs, &labels, 1, 0, NULL), 0);
	cr_assert_eq(npy_source_init(&s, &inputs, &labels, 1, 3, &err), EXP_ERANGE);
	cr_assert(strstr(err.message, "row 3 ") != NULL, "%s", err.message);
	cr_assert_eq(npy_source_init(&s, &inputs, &labels, 1, 2, &err), EXP_ERANGE);
	cr_assert(strstr(err.message, "row 2 ") != NULL, "%s", err.message);
	cr_assert_eq(npy_source_init(&s, &inputs, &labels, INFINITY, 0, NULL), EXP_EINVAL);
	npy_close(&labels);
}

Test(npy_source, wide_labels_do_not_wrap)
{
	int64_t wide[2] = { 0, (int64_t)1 << 32 };
	struct npy inputs = { .type = NPY_F4, .rank = 2, .dims = { 2, 1 }, .count = 2, .data = (float[2]){ 0 } };
	struct npy labels = { .type = NPY_I8, .rank = 1, .dims = { 2 }, .count = 2, .data = wide };
	struct npy_source s;

	cr_assert_eq(npy_source_init(&s, &inputs, &labels, 1, 0, NULL), EXP_ERANGE);
}

Test(npy_source, a_subset_of_a_subset_reads_the_parents_rows)
{
	enum { ROWS = 600 };
	struct source_subset odd, tail;
	size_t odds[ROWS / 2], last[250], all[250];
	float values[ROWS], inputs[250];
	int32_t labels[250];
	struct npy a = { .type = NPY_F4, .rank = 1, .dims = { ROWS }, .count = ROWS, .data = values };
	struct npy_source s;

	for (size_t i = 0; i < ROWS; i++)
		values[i] = (float)i;
	for (size_t i = 0; i < ROWS / 2; i++)
		odds[i] = 2 * i + 1;
	for (size_t i = 0; i < 250; i++) {
		last[i] = 50 + i;
		all[i] = i;
	}
	cr_assert_eq(npy_source_init(&s, &a, NULL, 1, 0, NULL), 0);
	source_subset_init(&odd, &s.source, odds, ROWS / 2);
	source_subset_init(&tail, &odd.source, last, 250);
	cr_assert_eq(tail.source.read(&tail.source, all, 250, inputs, labels), 0);
	for (size_t i = 0; i < 250; i++)
		cr_assert_eq(inputs[i], (float)(2 * (50 + i) + 1));
}
