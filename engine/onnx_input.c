#include "engine/onnx_input.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/onnx_text.h"

/* ---- dimensions of the file ---- */

static bool is_fixed(const Onnx__TensorShapeProto__Dimension *d)
{
	return d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_VALUE && d->dim_value > 0;
}

/* NULL: it has none, or none that could be said. */
static const char *symbol_of(const Onnx__TensorShapeProto__Dimension *d)
{
	const char *symbol =
	    d->value_case == ONNX__TENSOR_SHAPE_PROTO__DIMENSION__VALUE_DIM_PARAM ? d->dim_param : NULL;

	return symbol && *symbol && onnx_is_clean_text(symbol) ? symbol : NULL;
}

static bool has_symbol(const Onnx__TensorShapeProto__Dimension *d, const char *symbol)
{
	const char *own = symbol_of(d);

	return own && strcmp(own, symbol) == 0;
}

static const Onnx__TensorShapeProto *shape_of(const Onnx__ValueInfoProto *info)
{
	const Onnx__TypeProto *type = info->type;

	return type && type->value_case == ONNX__TYPE_PROTO__VALUE_TENSOR_TYPE ? type->tensor_type->shape : NULL;
}

static const Onnx__ValueInfoProto *find_input(const Onnx__GraphProto *proto, const char *name)
{
	for (size_t i = 0; i < proto->n_input; i++)
		if (proto->input[i]->name && strcmp(proto->input[i]->name, name) == 0)
			return proto->input[i];
	return NULL;
}

/* ---- what the options say ---- */

static const struct graph_size *find_size(const struct onnx_open_sizes *s, const char *symbol)
{
	for (size_t i = 0; i < s->count; i++)
		if (strcmp(s->sizes[i].symbol, symbol) == 0)
			return &s->sizes[i];
	return NULL;
}

static const struct graph_shape *find_shape(const struct onnx_open_sizes *s, const char *input)
{
	for (size_t i = 0; i < s->options->shape_count; i++)
		if (strcmp(s->options->shapes[i].input, input) == 0)
			return &s->options->shapes[i];
	return NULL;
}

static int add_size(struct onnx_open_sizes *s, const char *symbol, size_t size, struct exp_error *err)
{
	const struct graph_size *known = find_size(s, symbol);

	if (known && known->size != size)
		return error_set(err, EXP_ESHAPE, "the inputs' dimension \"%s\" cannot be both %zu and %zu", symbol,
				 known->size, size);
	if (!known)
		s->sizes[s->count++] = (struct graph_size){ symbol, size };
	return 0;
}

/* The symbol stands anywhere but in front. */
static int check_symbol(const Onnx__GraphProto *proto, const char *symbol, struct exp_error *err)
{
	bool in_front = false;

	for (size_t i = 0; i < proto->n_input; i++) {
		const Onnx__TensorShapeProto *shape = shape_of(proto->input[i]);

		for (size_t k = 0; shape && k < shape->n_dim; k++) {
			if (!has_symbol(shape->dim[k], symbol))
				continue;
			if (k > 0)
				return 0;
			in_front = true;
		}
	}
	if (in_front)
		return error_set(err, EXP_EINVAL,
				 "\"%.96s\" is the inputs' first dimension, the batch: it needs no size", symbol);
	return error_set(err, EXP_EINVAL, "no dimension of an input has the symbol \"%.96s\"", symbol);
}

static int take_shape(struct onnx_open_sizes *s, const Onnx__GraphProto *proto, const struct graph_shape *said,
		      struct exp_error *err)
{
	const Onnx__ValueInfoProto *info = find_input(proto, said->input);
	const Onnx__TensorShapeProto *shape = info ? shape_of(info) : NULL;
	int rc = 0;

	if (!info)
		return error_set(err, EXP_EINVAL, "a shape is given for \"%.96s\", but the model has no such input",
				 said->input);
	if (shape && shape->n_dim != said->rank + 1)
		return error_set(err, EXP_ESHAPE,
				 "the input \"%.96s\" has %zu dimensions after the batch, not the %zu that are given",
				 said->input, shape->n_dim ? shape->n_dim - 1 : 0, said->rank);
	for (size_t k = 1; rc == 0 && shape && k < shape->n_dim; k++) {
		const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
		const char *symbol = symbol_of(d);

		if (is_fixed(d) && (uint64_t)d->dim_value != said->dims[k - 1])
			rc = error_set(err, EXP_ESHAPE,
				       "dimension %zu of the input \"%.96s\" is %" PRId64 " in the file, not %zu", k,
				       said->input, d->dim_value, said->dims[k - 1]);
		else if (symbol)
			rc = add_size(s, symbol, said->dims[k - 1], err);
	}
	return rc;
}

int onnx_open_sizes_init(struct onnx_open_sizes *s, struct graph *g, const Onnx__GraphProto *proto,
			 struct exp_error *err)
{
	const struct graph_options *o = &g->options;
	int rc = 0;

	*s = (struct onnx_open_sizes){ .options = o };
	s->sizes =
	    arena_try_alloc(&g->arena, o->size_count + o->shape_count * (GRAPH_MAX_DIMS - 1), sizeof(s->sizes[0]));
	if (!s->sizes)
		return error_set(err, EXP_EMEMORY, "not enough memory to load the model");
	for (size_t i = 0; rc == 0 && i < o->size_count; i++) {
		rc = check_symbol(proto, o->sizes[i].symbol, err);
		if (rc == 0)
			rc = add_size(s, o->sizes[i].symbol, o->sizes[i].size, err);
	}
	for (size_t i = 0; rc == 0 && i < o->shape_count; i++)
		rc = take_shape(s, proto, &o->shapes[i], err);
	return rc;
}

/* ---- shapes ---- */

/* "3,?,?": what is known of a row, for a message. */
static const char *write_row(const Onnx__TensorShapeProto *shape, char *text, size_t size)
{
	size_t used = 0;

	*text = '\0';
	for (size_t k = 1; k < shape->n_dim && used < size; k++) {
		const Onnx__TensorShapeProto__Dimension *d = shape->dim[k];
		char number[24] = "?";

		if (is_fixed(d))
			snprintf(number, sizeof(number), "%" PRId64, d->dim_value);
		used += (size_t)snprintf(text + used, size - used, "%s%s", k > 1 ? "," : "", number);
	}
	return text;
}

static int refuse_open(const struct graph *g, const Onnx__TensorShapeProto *shape, size_t i, const char *input,
		       struct exp_error *err)
{
	const char *symbol = symbol_of(shape->dim[i]);
	char row[96];

	if (g->whole)
		return error_set(err, EXP_ESHAPE,
				 "dimension %zu of the input \"%.96s\" is not fixed: export with a fixed size", i,
				 input);
	if (symbol)
		return error_set(err, EXP_ESHAPE,
				 "dimension %zu of the input \"%.64s\" is open, with the symbol \"%.64s\": say its "
				 "size with --size %.64s=NUMBER, in a registration with \"sizes\"",
				 i, input, symbol, symbol);
	return error_set(err, EXP_ESHAPE,
			 "dimension %zu of the input \"%.64s\" is open and has no symbol: say the shape of its rows "
			 "with --shape %.64s=%s, numbers in place of ?, in a registration with \"shapes\"",
			 i, input, input, write_row(shape, row, sizeof(row)));
}

/* Not the batch, unless the graph is whole. */
static int read_dim(const struct onnx_open_sizes *s, const struct graph *g, const Onnx__TensorShapeProto *shape,
		    size_t i, struct graph_value *value, struct exp_error *err)
{
	const Onnx__TensorShapeProto__Dimension *d = shape->dim[i];
	const struct graph_shape *said = find_shape(s, value->name);
	const char *symbol = symbol_of(d);
	const struct graph_size *size = symbol ? find_size(s, symbol) : NULL;

	if (is_fixed(d))
		value->shape.dims[i] = (size_t)d->dim_value;
	else if (said && i > 0)
		value->shape.dims[i] = said->dims[i - 1];
	else if (size)
		value->shape.dims[i] = size->size;
	else
		return refuse_open(g, shape, i, value->name, err);
	return 0;
}

static int read_batch(struct graph *g, size_t fixed, struct graph_value *value, struct exp_error *err)
{
	value->shape.dims[0] = fixed ? fixed : 1;
	if (g->input_count > 0 && fixed != g->file_batch)
		return error_set(err, EXP_ESHAPE,
				 "the inputs differ in their first dimension, the batch: export all of them with the "
				 "same one");
	g->file_batch = fixed;
	return 0;
}

static int read_file_shape(const struct onnx_open_sizes *s, struct graph *g, const Onnx__TensorShapeProto *shape,
			   struct graph_value *value, struct exp_error *err)
{
	size_t first = g->whole ? 0 : 1;
	int rc = 0;

	if (shape->n_dim < first || shape->n_dim > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE,
				 "the input \"%s\" needs a shape of 1 to %d dimensions, the batch first", value->name,
				 GRAPH_MAX_DIMS);
	value->shape.rank = shape->n_dim;
	if (first)
		rc = read_batch(g, is_fixed(shape->dim[0]) ? (size_t)shape->dim[0]->dim_value : 0, value, err);
	for (size_t i = first; rc == 0 && i < shape->n_dim; i++)
		rc = read_dim(s, g, shape, i, value, err);
	return rc;
}

/* The file says nothing: all of the row is the owner's word. */
static int take_said_shape(struct graph *g, const struct graph_shape *said, struct graph_value *value,
			   struct exp_error *err)
{
	if (g->whole)
		return error_set(err, EXP_ESHAPE, "the input \"%.96s\" has no shape: export with one", value->name);
	if (!said)
		return error_set(err, EXP_ESHAPE,
				 "the file says no shape for the input \"%.64s\": say that of its rows with --shape "
				 "%.64s=NUMBERS, in a registration with \"shapes\"",
				 value->name, value->name);
	value->shape.rank = said->rank + 1;
	memcpy(value->shape.dims + 1, said->dims, said->rank * sizeof(said->dims[0]));
	return read_batch(g, 0, value, err);
}

int onnx_input_shape(const struct onnx_open_sizes *s, struct graph *g, const Onnx__TensorShapeProto *shape,
		     struct graph_value *value, struct exp_error *err)
{
	int rc = shape ? read_file_shape(s, g, shape, value, err)
		       : take_said_shape(g, find_shape(s, value->name), value, err);
	size_t count;

	if (rc == 0 && !shape_try_count(&value->shape, &count))
		rc = error_set(err, EXP_ELIMIT, "the input \"%s\" has more than %zu elements", value->name,
			       SHAPE_MAX_COUNT);
	return rc;
}
