#include "engine/npy.h"

#include <math.h>

#include "base/check.h"
#include "base/mem.h"
#include "engine/loss.h"

static int64_t label_at(const struct npy *labels, size_t i)
{
	switch (labels->type) {
	case NPY_U1:
		return ((const uint8_t *)labels->data)[i];
	case NPY_I1:
		return ((const int8_t *)labels->data)[i];
	case NPY_I2:
		return ((const int16_t *)labels->data)[i];
	case NPY_I4:
		return ((const int32_t *)labels->data)[i];
	case NPY_I8:
		return ((const int64_t *)labels->data)[i];
	case NPY_F4:
	case NPY_F8:
		break;
	}
	exp_require(!"labels are integers");
	return 0;
}

/* Row i of the inputs, scaled, as float32. */
static void convert_row(const struct npy_source *s, size_t i, float *out)
{
	size_t n = s->source.row_floats, first = i * n;
	const float *f4 = s->inputs->data;
	const double *f8 = s->inputs->data;
	const uint8_t *u1 = s->inputs->data;
	const int32_t *i4 = s->inputs->data;
	const int64_t *i8 = s->inputs->data;

	switch (s->inputs->type) {
	case NPY_F4:
		for (size_t k = 0; k < n; k++)
			out[k] = f4[first + k] * s->scale;
		return;
	case NPY_F8:
		for (size_t k = 0; k < n; k++)
			out[k] = (float)(f8[first + k] * (double)s->scale);
		return;
	case NPY_U1:
		for (size_t k = 0; k < n; k++)
			out[k] = (float)u1[first + k] * s->scale;
		return;
	case NPY_I4:
		for (size_t k = 0; k < n; k++)
			out[k] = (float)i4[first + k];
		return;
	case NPY_I8:
		for (size_t k = 0; k < n; k++)
			out[k] = (float)i8[first + k];
		return;
	default:
		exp_require(!"checked by npy_source_init");
	}
}

static int read_rows(const struct source *source, const size_t *index, size_t n, float *inputs, int32_t *labels)
{
	const struct npy_source *s = source->self;
	size_t each = source_row_labels(source);

	for (size_t i = 0; i < n; i++) {
		exp_require(index[i] < source->rows);
		convert_row(s, index[i], inputs + i * source->row_floats);
		for (size_t k = 0; k < each; k++)
			labels[i * each + k] = s->labels ? (int32_t)label_at(s->labels, index[i] * each + k) : 0;
	}
	return 0;
}

/* What a row would be after conversion must be finite: a float64 beyond float32 is as bad as an infinity. */
static bool is_finite(const struct npy_source *s, size_t k)
{
	if (s->inputs->type == NPY_F4)
		return isfinite(((const float *)s->inputs->data)[k] * s->scale);
	return isfinite((float)(((const double *)s->inputs->data)[k] * (double)s->scale));
}

static int check_finite(const struct npy_source *s, struct exp_error *err)
{
	if (s->inputs->type != NPY_F4 && s->inputs->type != NPY_F8)
		return 0;
	for (size_t k = 0; k < s->inputs->count; k++)
		if (!is_finite(s, k))
			return error_set(err, EXP_ENONFINITE,
					 "row %zu of the inputs holds a NaN or an infinity (or is beyond float32)",
					 k / s->source.row_floats);
	return 0;
}

static int check_labels(const struct npy_source *s, size_t classes, struct exp_error *err)
{
	int64_t lowest = classes ? 0 : INT32_MIN,
		highest = classes && classes <= INT32_MAX ? (int64_t)classes - 1 : INT32_MAX;

	if (!s->labels)
		return 0;
	if (s->labels->type == NPY_F4 || s->labels->type == NPY_F8)
		return error_set(err, EXP_EUNSUPPORTED, "labels are %s; they must be integers",
				 npy_type_name(s->labels->type));
	if (s->labels->rank < 1 || s->labels->rank > 2 || s->labels->dims[0] != s->source.rows)
		return error_set(
		    err, EXP_ESHAPE,
		    "the inputs have %zu rows, but the labels are neither one list of %zu nor one for each "
		    "of %zu sequences",
		    s->source.rows, s->source.rows, s->source.rows);
	for (size_t i = 0; i < s->labels->count; i++) {
		int64_t label = label_at(s->labels, i);
		bool none = s->labels->rank == 2 && label == LOSS_NO_LABEL;

		if (!none && (label < lowest || label > highest))
			return error_set(err, EXP_ERANGE, "row %zu has a label outside %lld to %lld",
					 i / (s->labels->count / s->source.rows), (long long)lowest,
					 (long long)highest);
	}
	return 0;
}

static int check_inputs(const struct npy *inputs, float scale, struct exp_error *err)
{
	if (inputs->type == NPY_I1 || inputs->type == NPY_I2)
		return error_set(err, EXP_EUNSUPPORTED,
				 "inputs are %s; they must be float32, float64, uint8, int32 or int64",
				 npy_type_name(inputs->type));
	if (inputs->rank == 0)
		return error_set(err, EXP_ESHAPE, "the inputs are a single number; they must be [rows, …]");
	if (!isfinite(scale))
		return error_set(err, EXP_EINVAL, "the scale of the inputs must be finite");
	return 0;
}

int npy_source_init(struct npy_source *s, const struct npy *inputs, const struct npy *labels, float scale,
		    size_t classes, struct exp_error *err)
{
	struct npy_source made = { .inputs = inputs, .labels = labels, .scale = scale };
	int rc = check_inputs(inputs, scale, err);

	if (rc)
		return rc;
	made.source.rows = inputs->dims[0];
	made.source.row_floats = 1;
	made.source.row_labels = labels && labels->rank == 2 ? labels->dims[1] : 1;
	for (size_t i = 1; i < inputs->rank; i++)
		if (!mem_size(made.source.row_floats, inputs->dims[i], &made.source.row_floats))
			return error_set(err, EXP_ESHAPE,
					 "one row of the inputs has more elements than memory can hold");
	rc = check_labels(&made, classes, err);
	if (!rc)
		rc = check_finite(&made, err);
	if (rc)
		return rc;
	*s = made;
	s->source.read = read_rows;
	s->source.self = s;
	return 0;
}
