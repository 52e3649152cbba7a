#include "golden_model.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"

enum { LIMIT = 1 << 20, MAGIC = 8 };

static void read_file(const char *name, const char *extension, struct buf *out)
{
	struct exp_error err = { 0 };
	char path[512];

	snprintf(path, sizeof(path), GOLDEN "/engine/%s.%s", name, extension);
	cr_assert_eq(file_read(path, LIMIT, out, &err), 0, "%s", err.message);
}

static const void *take(const char **at, size_t size)
{
	const void *here = *at;

	*at += size;
	return here;
}

void golden_open(struct golden_model *m, const char *name)
{
	struct exp_error err = { 0 };
	const char *at;

	*m = (struct golden_model){ 0 };
	read_file(name, "onnx", &m->onnx);
	read_file(name, "golden", &m->bytes);
	cr_assert(m->bytes.size > MAGIC && memcmp(m->bytes.data, "GOLDEN1\n", MAGIC) == 0);
	memcpy(&m->rows, m->bytes.data + MAGIC, 5 * sizeof(uint64_t));
	at = m->bytes.data + MAGIC + 5 * sizeof(uint64_t);
	m->inputs = take(&at, m->rows * m->row_floats * sizeof(float));
	m->labels = take(&at, m->rows * sizeof(int32_t));
	m->outputs = take(&at, m->rows * m->classes * sizeof(float));
	m->log_probs = take(&at, m->rows * m->classes * sizeof(float));
	m->losses = take(&at, m->rows * sizeof(float));
	m->sum = take(&at, m->parameter_floats * sizeof(float));
	m->square_sum = take(&at, m->parameter_floats * sizeof(float));
	m->norms = take(&at, m->rows * sizeof(float));
	cr_assert_eq(at - m->bytes.data, (ptrdiff_t)m->bytes.size, "%s: size", name);
	cr_assert_eq(graph_load(m->onnx.data, m->onnx.size, &m->graph, &err), 0, "%s: %s", name, err.message);
}

void golden_close(struct golden_model *m)
{
	graph_unref(m->graph);
	buf_fini(&m->onnx);
	buf_fini(&m->bytes);
}

void golden_compare(const char *name, const char *what, const float *got, const float *want, size_t count,
		    double relative)
{
	double scale = 0.0;

	for (size_t i = 0; i < count; i++)
		scale = fmax(scale, fabs((double)want[i]));
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)got[i] - (double)want[i]) <= relative * (fabs((double)want[i]) + scale / 10.0),
			  "%s: %s[%zu] is %g, PyTorch has %g", name, what, i, (double)got[i], (double)want[i]);
}
