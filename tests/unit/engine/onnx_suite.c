/* Test cases made here: what is right, wrong, unknown and broken, and how folders are searched. */
#include "engine/onnx_suite.h"

#include <criterion/criterion.h>
#include <ftw.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "model_text.h"

enum { DIMS = 1, DATA_TYPE = 2, RAW = 9, FLOAT = 1, INT64 = 7, FLOAT16 = 10 };

static char root[] = "/tmp/onnx_suite_XXXXXX";

static void make_root(void)
{
	cr_assert_not_null(mkdtemp(root));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static void remove_root(void)
{
	nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

TestSuite(onnx_suite, .init = make_root, .fini = remove_root);

/* ---- files ---- */

static void write_part(const char *folder, const char *part, const void *bytes, size_t size)
{
	char *place = mem_format("%s/%s", root, folder), *path = mem_format("%s/%s", place, part);
	struct exp_error err = { 0 };

	cr_assert_eq(file_make_folder(place, &err), 0, "%s", err.message);
	cr_assert_eq(file_write_durable(path, bytes, size, &err), 0, "%s", err.message);
	mem_free(path);
	mem_free(place);
}

static void write_model(const char *folder, const char *text)
{
	struct buf file = { 0 };

	model_text_write(text, &file);
	write_part(folder, "model.onnx", file.data, file.size);
	buf_fini(&file);
}

/* part: "test_data_set_0/input_0.pb"; dims end with 0. */
static void write_tensor(const char *folder, const char *part, int type, const int64_t *dims, const void *values,
			 size_t size)
{
	char *place = mem_format("%s/%.*s", folder, (int)(strchr(part, '/') - part), part);
	struct buf b = { 0 };

	for (size_t i = 0; dims[i]; i++) {
		wire_key(&b, DIMS, 0);
		wire_varint(&b, (uint64_t)dims[i]);
	}
	wire_key(&b, DATA_TYPE, 0);
	wire_varint(&b, (uint64_t)type);
	wire_bytes(&b, RAW, values, size);
	write_part(place, strchr(part, '/') + 1, b.data, b.size);
	buf_fini(&b);
	mem_free(place);
}

static const float x[] = { 1, 2, 3, 4, 5, 6 }, turned[] = { 1, 4, 2, 5, 3, 6 };
static const int64_t two_three[] = { 2, 3, 0 }, three_two[] = { 3, 2, 0 };

/* A case that passes when y, of size bytes, is the transpose of x. */
static void write_case(const char *folder, int type, const int64_t *dims, const void *y, size_t size)
{
	write_model(folder, "input x =2 3\nTranspose x -> y\n");
	write_tensor(folder, "test_data_set_0/input_0.pb", FLOAT, two_three, x, sizeof(x));
	write_tensor(folder, "test_data_set_0/output_0.pb", type, dims, y, size);
}

/* Runs the one case called name. */
static struct onnx_case *run_one(struct onnx_suite *s, const char *name)
{
	struct exp_error err = { 0 };

	cr_assert_eq(onnx_suite_find(s, root, name, &err), 0, "%s", err.message);
	cr_assert_eq(s->count, 1, "%s", name);
	cr_assert_eq(onnx_suite_run(s, &s->cases[0], &err), 0, "%s", err.message);
	return &s->cases[0];
}

static void expect(const char *name, enum onnx_verdict verdict, const char *says)
{
	struct onnx_suite s = { 0 };
	const struct onnx_case *c = run_one(&s, name);

	cr_expect_eq(c->verdict, verdict, "%s: %s", name, c->why.message);
	if (says)
		cr_expect_not_null(strstr(c->why.message, says), "%s: \"%s\" says nothing of \"%s\"", name,
				   c->why.message, says);
	else
		cr_expect_eq(c->why.code, 0);
	onnx_suite_fini(&s);
}

/* ---- verdicts ---- */

Test(onnx_suite, right_and_wrong)
{
	float off[6], near[6];
	struct onnx_suite s = { 0 };
	const struct onnx_case *c;

	memcpy(off, turned, sizeof(off));
	memcpy(near, turned, sizeof(near));
	off[3] += 0.25f;
	off[5] += 0.01f;
	near[5] += 0.005f;
	write_case("right", FLOAT, three_two, turned, sizeof(turned));
	expect("right", ONNX_PASSED, NULL);
	write_case("near", FLOAT, three_two, near, sizeof(near));
	expect("near", ONNX_PASSED, NULL);
	write_case("off", FLOAT, three_two, off, sizeof(off));
	expect("off", ONNX_FAILED,
	       "data set 0, output 0 \"y\": 2 of 6 elements differ, most at [1, 1]: 5, expected 5.25");
	c = run_one(&s, "off");
	cr_expect_float_eq(c->deviation, 0.25, 1e-6);
	onnx_suite_fini(&s);
	write_case("shape", FLOAT, two_three, x, sizeof(x));
	expect("shape", ONNX_FAILED, "its shape is [3, 2], expected [2, 3]");
	write_case("type", INT64, three_two, (const int64_t[6]){ 1, 4, 2, 5, 3, 6 }, 48);
	expect("type", ONNX_FAILED, "its type is float, expected int64");
}

Test(onnx_suite, every_data_set_counts)
{
	static const float none[6];

	write_case("sets", FLOAT, three_two, turned, sizeof(turned));
	write_tensor("sets", "test_data_set_1/input_0.pb", FLOAT, two_three, x, sizeof(x));
	write_tensor("sets", "test_data_set_1/output_0.pb", FLOAT, three_two, none, sizeof(none));
	expect("sets", ONNX_FAILED, "data set 1, output 0 \"y\": 6 of 6");
}

Test(onnx_suite, what_decides_a_shape_is_known_beforehand)
{
	static const int64_t shape[] = { 3, -1 }, two[] = { 2, 0 };

	write_model("reshape", "input x =2 3\nids s 1 2\nReshape x,s -> y\n");
	write_tensor("reshape", "test_data_set_0/input_0.pb", FLOAT, two_three, x, sizeof(x));
	write_tensor("reshape", "test_data_set_0/input_1.pb", INT64, two, shape, sizeof(shape));
	write_tensor("reshape", "test_data_set_0/output_0.pb", FLOAT, three_two, x, sizeof(x));
	expect("reshape", ONNX_PASSED, NULL);
}

Test(onnx_suite, what_is_unknown_is_named)
{
	struct onnx_suite s = { 0 };
	const struct onnx_case *c;

	write_model("unknown", "input x =2 3\nOdd x -> a\nTranspose a -> b\nStrange b -> c\nOdd c -> y\n");
	c = run_one(&s, "unknown");
	cr_expect_eq(c->verdict, ONNX_UNSUPPORTED);
	cr_assert_eq(c->operator_count, 2);
	cr_expect_str_eq(c->operators[0], "Odd");
	cr_expect_str_eq(c->operators[1], "Strange");
	onnx_suite_fini(&s);
	write_case("half", FLOAT16, three_two, "0123456789a", 12);
	expect("half", ONNX_UNSUPPORTED, "float16");
}

Test(onnx_suite, broken_cases_fail)
{
	write_case("no_input", FLOAT, three_two, turned, sizeof(turned));
	write_tensor("no_input", "test_data_set_0/input_0.pb", FLOAT, three_two, x, sizeof(x));
	expect("no_input", ONNX_FAILED, "input 0");
	write_case("more", FLOAT, three_two, turned, sizeof(turned));
	write_tensor("more", "test_data_set_0/output_1.pb", FLOAT, three_two, turned, sizeof(turned));
	expect("more", ONNX_FAILED, "more outputs");
	write_model("no_data", "input x =2 3\nTranspose x -> y\n");
	expect("no_data", ONNX_FAILED, "test_data_set_0");
	write_part("no_model", "model.onnx", "nonsense", 8);
	expect("no_model", ONNX_FAILED, "ONNX");
}

/* ---- finding ---- */

Test(onnx_suite, folders_at_any_depth)
{
	struct exp_error err = { 0 };
	struct onnx_suite s = { 0 };
	char *one = mem_format("%s/b/deep/case//", root), *nothing = mem_format("%s/nothing", root);
	char *loop = mem_format("%s/b/loop", root);

	write_case("b/deep/case", FLOAT, three_two, turned, sizeof(turned));
	write_case("a", FLOAT, three_two, turned, sizeof(turned));
	write_part("b", "readme.txt", "x", 1);
	cr_assert_eq(mkdir(nothing, 0700), 0);
	cr_assert_eq(symlink(root, loop), 0);
	cr_assert_eq(onnx_suite_find(&s, root, "[ab]*e", &err), 0, "%s", err.message);
	cr_assert(s.count >= 1);
	cr_expect_str_eq(s.cases[0].name, "b/deep/case");
	onnx_suite_fini(&s);
	cr_assert_eq(onnx_suite_find(&s, one, NULL, &err), 0, "%s", err.message);
	cr_assert_eq(s.count, 1);
	cr_expect_str_eq(s.cases[0].name, "case");
	onnx_suite_fini(&s);
	cr_expect_eq(onnx_suite_find(&s, nothing, NULL, &err), EXP_ENOTFOUND);
	cr_expect_eq(onnx_suite_find(&s, "/nonexistent/folder", NULL, &err), EXP_ENOTFOUND);
	onnx_suite_fini(&s);
	mem_free(one);
	mem_free(nothing);
	mem_free(loop);
}
