#include "engine/op.h"

#include <inttypes.h>
#include <string.h>

/* Every operator: a row here, a file op_*.c, a test. In alphabetical order. */
#define OPERATORS(X)                                                                                                   \
	X(op_add)                                                                                                      \
	X(op_average_pool)                                                                                             \
	X(op_batch_normalization)                                                                                      \
	X(op_cast)                                                                                                     \
	X(op_concat)                                                                                                   \
	X(op_conv)                                                                                                     \
	X(op_div)                                                                                                      \
	X(op_dropout)                                                                                                  \
	X(op_flatten)                                                                                                  \
	X(op_gather)                                                                                                   \
	X(op_gemm)                                                                                                     \
	X(op_global_average_pool)                                                                                      \
	X(op_identity)                                                                                                 \
	X(op_log_softmax)                                                                                              \
	X(op_mat_mul)                                                                                                  \
	X(op_max_pool)                                                                                                 \
	X(op_mul)                                                                                                      \
	X(op_pad)                                                                                                      \
	X(op_relu)                                                                                                     \
	X(op_reshape)                                                                                                  \
	X(op_shape)                                                                                                    \
	X(op_sigmoid)                                                                                                  \
	X(op_slice)                                                                                                    \
	X(op_softmax)                                                                                                  \
	X(op_squeeze)                                                                                                  \
	X(op_sub)                                                                                                      \
	X(op_tanh)                                                                                                     \
	X(op_transpose)                                                                                                \
	X(op_unsqueeze)

#define DECLARE(row) extern const struct op row;
OPERATORS(DECLARE)

#define POINT(row) &row,
static const struct op *const rows[] = { OPERATORS(POINT) };

const struct op *op_find(const char *name)
{
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (strcmp(rows[i]->name, name) == 0)
			return rows[i];
	return NULL;
}

const struct op *const *op_all(size_t *count)
{
	*count = sizeof(rows) / sizeof(rows[0]);
	return rows;
}

/* ---- attributes ---- */

static int find_attribute(const struct op_build *b, const char *name, enum op_attribute_type type,
			  const struct op_attribute **out, struct exp_error *err)
{
	*out = NULL;
	for (size_t i = 0; i < b->attribute_count; i++) {
		if (strcmp(b->attributes[i].name, name) != 0)
			continue;
		if (b->attributes[i].type != type)
			return error_set(err, EXP_EPARSE, "the attribute \"%s\" has the wrong type", name);
		*out = &b->attributes[i];
	}
	return 0;
}

int op_get_int(const struct op_build *b, const char *name, int64_t *value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = find_attribute(b, name, OP_INT, &a, err);

	if (rc == 0 && a)
		*value = a->i;
	return rc;
}

int op_get_float(const struct op_build *b, const char *name, float *value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = find_attribute(b, name, OP_FLOAT, &a, err);

	if (rc == 0 && a && a->f - a->f != 0.0f)
		return error_set(err, EXP_ENONFINITE, "the attribute \"%s\" is not finite", name);
	if (rc == 0 && a)
		*value = a->f;
	return rc;
}

int op_get_string(const struct op_build *b, const char *name, const char **value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = find_attribute(b, name, OP_STRING, &a, err);

	if (rc == 0 && a)
		*value = a->s;
	return rc;
}

int op_get_ints(const struct op_build *b, const char *name, const int64_t **values, size_t *count,
		struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = find_attribute(b, name, OP_INTS, &a, err);

	if (rc == 0 && a) {
		*values = a->ints;
		*count = a->count;
	}
	return rc;
}

int op_axis(int64_t value, size_t rank, size_t *axis, struct exp_error *err)
{
	int64_t limit = (int64_t)rank;

	if (value < -limit || value >= limit)
		return error_set(err, EXP_ESHAPE, "the axis %" PRId64 " lies outside a tensor of %zu dimensions", value,
				 rank);
	*axis = (size_t)(value < 0 ? value + limit : value);
	return 0;
}

int op_get_axis(const struct op_build *b, const char *name, size_t rank, int64_t fallback, size_t *axis,
		struct exp_error *err)
{
	int64_t value = fallback;
	int rc = op_get_int(b, name, &value, err);

	return rc ? rc : op_axis(value, rank, axis, err);
}

/* ---- inputs ---- */

int op_need_float(const struct op_build *b, size_t i, struct exp_error *err)
{
	if (i >= b->input_count || !b->inputs[i])
		return error_set(err, EXP_ESHAPE, "input %zu is missing", i);
	if (b->inputs[i]->integers)
		return error_set(err, EXP_EUNSUPPORTED, "input %zu \"%.64s\" is an integer tensor; fp32 is expected", i,
				 b->inputs[i]->name);
	return 0;
}

int op_need_integers(const struct op_build *b, size_t i, const struct op_integer **values, size_t *count,
		     struct exp_error *err)
{
	if (i >= b->input_count || !b->inputs[i])
		return error_set(err, EXP_ESHAPE, "input %zu is missing", i);
	if (!b->inputs[i]->integers)
		return error_set(err, EXP_EUNSUPPORTED,
				 "input %zu \"%.64s\" must be an integer tensor known beforehand", i,
				 b->inputs[i]->name);
	*values = b->inputs[i]->integers;
	*count = shape_count(&b->inputs[i]->shape);
	return 0;
}

void op_set_role(const struct op_build *b, size_t i, enum graph_role role, size_t fan_in)
{
	struct op_value *v = i < b->input_count ? b->inputs[i] : NULL;

	if (!v || !v->is_parameter || v->role != GRAPH_ROLE_OTHER)
		return;
	v->role = role;
	v->fan_in = fan_in;
}

int op_new_integers(struct op_build *b, struct op_integer **out, struct exp_error *err)
{
	enum { MANY = 1 << 16 };
	size_t count;

	if (!shape_try_count(&b->output->shape, &count) || count > MANY)
		return error_set(err, EXP_ELIMIT, "an integer tensor may have at most %d elements", MANY);
	*out = arena_try_alloc(b->arena, count, sizeof(**out));
	return *out ? 0 : error_set(err, EXP_EMEMORY, "not enough memory to load the model");
}
