#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/op.h"

/* ---- attributes ---- */

const struct op_attribute *op_get(const struct op_build *b, const char *name)
{
	for (size_t i = 0; i < b->attribute_count; i++)
		if (strcmp(b->attributes[i].name, name) == 0)
			return &b->attributes[i];
	return NULL;
}

static int get(const struct op_build *b, const char *name, enum op_attribute_type type, const struct op_attribute **out,
	       struct exp_error *err)
{
	*out = op_get(b, name);
	if (*out && (*out)->type != type)
		return error_set(err, EXP_EPARSE, "the attribute \"%s\" has the wrong type", name);
	return 0;
}

int op_get_int(const struct op_build *b, const char *name, int64_t *value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = get(b, name, OP_INT, &a, err);

	if (rc == 0 && a)
		*value = a->i;
	return rc;
}

int op_get_float(const struct op_build *b, const char *name, float *value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = get(b, name, OP_FLOAT, &a, err);

	if (rc == 0 && a && a->f - a->f != 0.0f)
		return error_set(err, EXP_ENONFINITE, "the attribute \"%s\" is not finite", name);
	if (rc == 0 && a)
		*value = a->f;
	return rc;
}

int op_get_string(const struct op_build *b, const char *name, const char **value, struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = get(b, name, OP_STRING, &a, err);

	if (rc == 0 && a)
		*value = a->s;
	return rc;
}

int op_get_ints(const struct op_build *b, const char *name, const int64_t **values, size_t *count,
		struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = get(b, name, OP_INTS, &a, err);

	if (rc == 0 && a) {
		*values = a->ints;
		*count = a->count;
	}
	return rc;
}

int op_get_floats(const struct op_build *b, const char *name, const float **values, size_t *count,
		  struct exp_error *err)
{
	const struct op_attribute *a;
	int rc = get(b, name, OP_FLOATS, &a, err);

	if (rc == 0 && a) {
		*values = a->floats;
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

bool op_has(const struct op_build *b, size_t i)
{
	return i < b->input_count && b->inputs[i];
}

bool op_wants(const struct op_build *b, size_t i)
{
	return i < b->output_count && b->outputs[i];
}

bool op_is_float(const struct op_build *b, size_t i)
{
	return op_has(b, i) && b->inputs[i]->type == TENSOR_F32;
}

int op_need(const struct op_build *b, size_t i, enum tensor_type type, struct exp_error *err)
{
	if (!op_has(b, i))
		return error_set(err, EXP_ESHAPE, "input %zu is missing", i);
	if (b->inputs[i]->type != type)
		return error_set(err, EXP_EUNSUPPORTED, "input %zu \"%.64s\" is of type %s; %s is expected", i,
				 b->inputs[i]->name, tensor_type_name(b->inputs[i]->type), tensor_type_name(type));
	return 0;
}

int op_need_float(const struct op_build *b, size_t i, struct exp_error *err)
{
	return op_need(b, i, TENSOR_F32, err);
}

int op_need_known(const struct op_build *b, size_t i, enum tensor_type type, const void **known, struct exp_error *err)
{
	int rc = op_need(b, i, type, err);

	if (rc)
		return rc;
	if (!b->inputs[i]->known)
		return error_set(err, EXP_EUNSUPPORTED,
				 "input %zu \"%.64s\" must be known beforehand; it depends on the data or on weights",
				 i, b->inputs[i]->name);
	*known = b->inputs[i]->known;
	return 0;
}

int op_need_ints(const struct op_build *b, size_t i, const int64_t **known, const int64_t **probe, size_t *count,
		 struct exp_error *err)
{
	const void *p;
	int rc = op_need_known(b, i, TENSOR_I64, &p, err);

	if (rc)
		return rc;
	*known = p;
	*count = b->inputs[i]->count;
	if (probe)
		*probe = b->inputs[i]->probe ? b->inputs[i]->probe : p;
	return 0;
}

int op_need_floats(const struct op_build *b, size_t i, const float **known, size_t *count, struct exp_error *err)
{
	const void *p;
	int rc = op_need_known(b, i, TENSOR_F32, &p, err);

	if (rc)
		return rc;
	*known = p;
	*count = b->inputs[i]->count;
	return 0;
}

static void add_dim(char text[SHAPE_TEXT], size_t *used, const char *lead, const struct op_samples *at, size_t d,
		    size_t size)
{
	char before[24] = "", after[24] = "";
	int n;

	if (at && at->axis == d) {
		if (at->before > 1)
			snprintf(before, sizeof(before), "%zu*", at->before);
		if (at->after > 1)
			snprintf(after, sizeof(after), "*%zu", at->after);
		n = snprintf(text + *used, SHAPE_TEXT - *used, "%s%sN%s", lead, before, after);
	} else {
		n = snprintf(text + *used, SHAPE_TEXT - *used, "%s%zu", lead, size);
	}
	*used += n > 0 ? (size_t)n : 0;
	if (*used >= SHAPE_TEXT)
		*used = SHAPE_TEXT - 1;
}

char *op_format(const struct op_build *b, size_t i, char text[SHAPE_TEXT])
{
	const struct op_value *v = op_has(b, i) ? b->inputs[i] : NULL;
	struct op_samples at;
	bool known = v && v->batched && op_find_samples(b, v, &at, NULL) == 0;
	size_t used = 0;

	text[0] = '\0';
	for (size_t d = 0; v && d < v->shape.rank; d++)
		add_dim(text, &used, d ? ", " : "[", known ? &at : NULL, d, v->shape.dims[d]);
	snprintf(text + used, SHAPE_TEXT - used, used ? "]" : "[]");
	return text;
}

/* ---- outputs ---- */

int op_set_known(struct op_build *b, size_t i, void **known, void **probe, struct exp_error *err)
{
	struct op_value *v = b->outputs[i];
	size_t count, bytes;

	if (!shape_try_count(&v->shape, &count) || count > SHAPE_MAX_COUNT / 64)
		return error_set(err, EXP_ELIMIT, "it would make a constant of more than %zu elements",
				 SHAPE_MAX_COUNT / 64);
	bytes = count * tensor_size(v->type) + 1;
	*known = arena_try_alloc(b->arena, bytes, 1);
	if (probe)
		*probe = arena_try_alloc(b->arena, bytes, 1);
	if (!*known || (probe && !*probe))
		return error_set(err, EXP_EMEMORY, "not enough memory to plan the model");
	v->known = *known;
	if (probe)
		v->probe = *probe;
	return 0;
}

void op_copy(struct op_build *b, size_t i, size_t j)
{
	struct op_value *to = b->outputs[i];
	const struct op_value *from = b->inputs[j];

	if (!to)
		return;
	to->type = from->type;
	to->onnx_type = from->onnx_type;
	to->shape = from->shape;
	to->batched = from->batched;
	to->outer = from->outer;
}

/* ---- parameters ---- */

void op_set_role(const struct op_build *b, size_t i, enum graph_role role, size_t fan_in)
{
	struct op_value *v = op_has(b, i) ? b->inputs[i] : NULL;

	bool statistic = role == GRAPH_ROLE_MEAN || role == GRAPH_ROLE_VARIANCE;

	if (!v || v->role != GRAPH_ROLE_OTHER || !(v->is_parameter || statistic || (v->trainable && !v->batched)))
		return;
	v->role = role;
	v->fan_in = fan_in;
}
