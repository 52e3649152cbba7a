#include "model/stage.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "engine/graph_options.h"
#include "model/predict.h"
#include "tests/unit/model/fixture.h"

/* Linked with --wrap: the n-th write finds the disk full; the engine saves other weights than it was given. */
static long writes_left = -1;
static bool saves_others;

ssize_t __real_write(int fd, const void *bytes, size_t size);
ssize_t __wrap_write(int fd, const void *bytes, size_t size);
int __real_graph_save(const struct graph *g, const struct params *params, struct buf *out, struct exp_error *err);
int __wrap_graph_save(const struct graph *g, const struct params *params, struct buf *out, struct exp_error *err);

ssize_t __wrap_write(int fd, const void *bytes, size_t size)
{
	if (writes_left > 0 && --writes_left == 0) {
		errno = ENOSPC;
		return -1;
	}
	return __real_write(fd, bytes, size);
}

int __wrap_graph_save(const struct graph *g, const struct params *params, struct buf *out, struct exp_error *err)
{
	int rc;

	if (saves_others)
		params->values[0] += 1;
	rc = __real_graph_save(g, params, out, err);
	if (saves_others)
		params->values[0] -= 1;
	return rc;
}

static struct fixture f;

static void init(void)
{
	fixture_init(&f);
}

static void fini(void)
{
	fixture_fini(&f);
}

TestSuite(stage, .init = init, .fini = fini);

static void check_outputs(struct snapshot *s, int variant)
{
	size_t count = f.golden.rows * f.golden.classes;
	float *outputs = calloc(count, sizeof(*outputs)), *expected = fixture_outputs(&f, variant);

	cr_assert_eq(predict(s, f.golden.inputs, f.golden.rows, outputs, NULL), 0);
	golden_compare("staged", "outputs", outputs, expected, count, 1e-5);
	free(outputs);
	free(expected);
}

static int read_golden(const struct source *s, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	for (size_t i = 0; i < n; i++) {
		memcpy(inputs + i * s->row_floats, f.golden.inputs + index[i] * s->row_floats,
		       s->row_floats * sizeof(float));
		labels[i] = f.golden.labels[index[i]];
	}
	return 0;
}

Test(stage, what_is_published_lies_on_the_disk)
{
	struct params *p = fixture_params(&f, 4);
	struct source rows = { .rows = f.golden.rows, .row_floats = f.golden.row_floats, .read = read_golden };
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p, .warm = &rows };
	struct exp_error err = { 0 };
	uint8_t digest[DIGEST_SIZE];
	char text[DIGEST_HEX], *path;
	struct snapshot *again;
	struct staged s, same;

	cr_assert_eq(model_stage(&spec, &s, &err), 0, "%s", err.message);
	path = model_weights_path(f.root, s.id.sha256);
	cr_assert_eq(file_digest(path, digest, NULL), 0);
	cr_assert_str_eq(hex_encode(digest, sizeof(digest), text), s.id.sha256);
	cr_assert_str_eq(s.snapshot->sha256, s.id.sha256);
	cr_assert_eq(s.bytes, f.golden.onnx.size, "only weights differ");
	cr_assert_eq(atomic_load(&s.snapshot->last_served_ms), 0, "a warm-up is no service");
	check_outputs(s.snapshot, 4);
	cr_assert_eq(model_stage(&spec, &same, &err), 0, "%s", err.message);
	cr_assert_str_eq(same.id.sha256, s.id.sha256);
	cr_assert_eq(fixture_files(&f, NULL, 0), 1);
	cr_assert_eq(model_open(f.root, "m", s.id.sha256, NULL, &again, &err), 0, "%s", err.message);
	check_outputs(again, 4);
	snapshot_free(again);
	snapshot_free(same.snapshot);
	snapshot_free(s.snapshot);
	params_free(p);
	mem_free(path);
}

Test(stage, the_first_version_is_the_uploaded_file)
{
	struct exp_error err = { 0 };
	struct staged s;

	cr_assert_eq(model_stage_file(f.root, "m", f.golden.onnx.data, f.golden.onnx.size, &s, &err), 0, "%s",
		     err.message);
	cr_assert_eq(fixture_files(&f, f.golden.onnx.data, f.golden.onnx.size), 1);
	check_outputs(s.snapshot, 0);
	snapshot_free(s.snapshot);
}

Test(stage, a_version_is_read_as_the_one_it_was_made_from)
{
	const char *const frozen[] = { "one.bias" };
	const struct graph_options options = { .frozen = frozen, .frozen_count = 1 };
	struct exp_error err = { 0 };
	struct graph *g;
	struct params *p;
	struct staged s;

	cr_assert_eq(graph_load_with(f.golden.onnx.data, f.golden.onnx.size, &options, &g, &err), 0, "%s", err.message);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	p->values[0] += 1.0f;
	cr_assert_eq(model_stage(&(struct stage_spec){ .data_folder = f.root, .model = "m", .params = p }, &s, &err), 0,
		     "%s", err.message);
	cr_assert_eq(s.snapshot->params->count, p->count);
	cr_assert_eq(p->count, graph_parameter_floats(f.golden.graph) - 9);
	snapshot_free(s.snapshot);
	params_free(p);
	graph_unref(g);
}

Test(stage, what_is_refused_leaves_no_file)
{
	struct params *p = fixture_params(&f, 1);
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p };
	struct exp_error err = { 0 };
	struct staged s;

	p->values[3] = NAN;
	cr_assert_eq(model_stage(&spec, &s, &err), EXP_ENONFINITE);
	for (size_t i = 0; i < p->count; i++)
		p->values[i] = i % 2 ? 3e38f : -3e38f;
	cr_assert_eq(fixture_files(&f, NULL, 0), 0);
	cr_assert_eq(model_stage_file(f.root, "m", "no model", 8, &s, &err), EXP_EPARSE);
	cr_assert_eq(model_stage_file(f.root, "../m", f.golden.onnx.data, f.golden.onnx.size, &s, &err), EXP_EINVAL);
	cr_assert_eq(fixture_files(&f, NULL, 0), 0);
	params_free(p);
}

/* Weights may be finite and their outputs not; seen on the warm-up rows. */
Test(stage, a_model_that_overflows_is_not_published)
{
	struct params *p = fixture_params(&f, 1);
	struct source rows = { .rows = f.golden.rows, .row_floats = f.golden.row_floats, .read = read_golden };
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p, .warm = &rows };
	struct exp_error err = { 0 };
	struct staged s;

	for (size_t i = 0; i < p->count; i++)
		p->values[i] = 3e38f;
	cr_assert_eq(model_stage(&spec, &s, &err), EXP_ENONFINITE);
	cr_assert_eq(fixture_files(&f, NULL, 0), 0);
	params_free(p);
}

Test(stage, altered_or_missing_files_are_corrupt)
{
	struct params *p = fixture_params(&f, 2);
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p };
	struct exp_error err = { 0 };
	struct snapshot *again;
	struct buf b = { 0 };
	struct staged s;
	char *path;

	cr_assert_eq(model_stage(&spec, &s, &err), 0, "%s", err.message);
	path = model_weights_path(f.root, s.id.sha256);
	cr_assert_eq(file_read(path, SIZE_MAX, &b, NULL), 0);
	b.data[b.size / 2] ^= 1;
	cr_assert_eq(file_write_durable(path, b.data, b.size, NULL), 0);
	cr_assert_eq(model_open(f.root, "m", s.id.sha256, NULL, &again, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "was altered") != NULL);
	cr_assert_eq(file_destroy(path, NULL), 0);
	cr_assert_eq(model_open(f.root, "m", s.id.sha256, NULL, &again, &err), EXP_ECORRUPT);
	cr_assert(strstr(err.message, "is missing") != NULL);
	snapshot_free(s.snapshot);
	params_free(p);
	buf_fini(&b);
	mem_free(path);
}

Test(stage, a_full_disk_leaves_no_file)
{
	struct params *p = fixture_params(&f, 3);
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p };
	struct exp_error err = { 0 };
	struct staged s;

	writes_left = 1;
	cr_assert_eq(model_stage(&spec, &s, &err), EXP_ENOSPACE);
	writes_left = -1;
	cr_assert_eq(fixture_files(&f, NULL, 0), 0);
	params_free(p);
}

Test(stage, weights_that_were_not_asked_for_are_noticed)
{
	struct params *p = fixture_params(&f, 3);
	struct stage_spec spec = { .data_folder = f.root, .model = "m", .params = p };
	struct exp_error err = { 0 };
	struct staged s;

	saves_others = true;
	cr_assert_eq(model_stage(&spec, &s, &err), EXP_ECORRUPT);
	saves_others = false;
	cr_assert_eq(fixture_files(&f, NULL, 0), 0);
	params_free(p);
}
