#include <string.h>
#include <strings.h>

#include "engine/recurrent.h"

/* ---- what the node says ---- */

static int expect_shape(const struct op_build *b, size_t i, const struct shape *shape, struct exp_error *err)
{
	char ours[SHAPE_TEXT], theirs[SHAPE_TEXT];

	if (shape_equal(&b->inputs[i]->shape, shape))
		return 0;
	return error_set(err, EXP_ESHAPE, "its input %zu is %s; %s fits the others", i, op_format(b, i, theirs),
			 shape_format(shape, ours));
}

static int read_direction(const struct op_build *b, struct recurrent *c, struct exp_error *err)
{
	const char *direction = "forward";
	int rc = op_get_string(b, "direction", &direction, err);

	if (rc)
		return rc;
	c->directions = strcmp(direction, "bidirectional") == 0 ? 2 : 1;
	c->first_is_reverse = strcmp(direction, "reverse") == 0;
	if (c->directions == 1 && !c->first_is_reverse && strcmp(direction, "forward") != 0)
		return error_set(err, EXP_EUNSUPPORTED, "the direction \"%.32s\" is not known", direction);
	return 0;
}

static int read_attributes(const struct op_build *b, struct recurrent *c, struct exp_error *err)
{
	int64_t layout = 0, hidden = (int64_t)c->hidden;
	int rc;

	if ((rc = read_direction(b, c, err)) || (rc = op_get_int(b, "layout", &layout, err)) ||
	    (rc = op_get_int(b, "hidden_size", &hidden, err)))
		return rc;
	if (layout != 0 && layout != 1)
		return error_set(err, EXP_EUNSUPPORTED, "the layout %lld is not known", (long long)layout);
	if (hidden != (int64_t)c->hidden)
		return error_set(err, EXP_ESHAPE, "hidden_size is %lld, but its input 2 is for %zu", (long long)hidden,
				 c->hidden);
	c->batch_first = layout == 1;
	return 0;
}

static int read_shapes(struct op_build *b, struct recurrent *c, struct exp_error *err)
{
	const struct shape *x = &b->inputs[RECURRENT_X]->shape, *r = &b->inputs[RECURRENT_R]->shape;
	struct shape gates;
	char text[SHAPE_TEXT];
	size_t count;
	int rc;

	if (x->rank != 3 || r->rank != 3 || shape_count(x) == 0 || shape_count(r) == 0)
		return error_set(err, EXP_ESHAPE, "its input %d is %s; three dimensions above 0 are expected",
				 x->rank != 3 || shape_count(x) == 0 ? RECURRENT_X : RECURRENT_R,
				 op_format(b, x->rank != 3 || shape_count(x) == 0 ? RECURRENT_X : RECURRENT_R, text));
	c->hidden = r->dims[2];
	rc = read_attributes(b, c, err);
	if (rc)
		return rc;
	c->times = x->dims[c->batch_first];
	c->rows = x->dims[!c->batch_first];
	c->inputs = x->dims[2];
	c->width = c->cell->gates * c->hidden;
	gates = (struct shape){ 3, { c->times + 1, c->rows, c->width } };
	if (!shape_try_count(&gates, &count))
		return error_set(err, EXP_ELIMIT, "its gates would have more than %zu elements", SHAPE_MAX_COUNT);
	if ((rc = expect_shape(b, RECURRENT_R, &(struct shape){ 3, { c->directions, c->width, c->hidden } }, err)) ||
	    (rc = expect_shape(b, RECURRENT_W, &(struct shape){ 3, { c->directions, c->width, c->inputs } }, err)))
		return rc;
	if (op_has(b, RECURRENT_B))
		rc = expect_shape(b, RECURRENT_B, &(struct shape){ 2, { c->directions, 2 * c->width } }, err);
	if (rc == 0 && op_has(b, RECURRENT_P))
		rc = expect_shape(b, RECURRENT_P, &(struct shape){ 2, { c->directions, 3 * c->hidden } }, err);
	return rc;
}

static int check_types(const struct op_build *b, struct exp_error *err)
{
	for (size_t i = 0; i < b->input_count; i++) {
		bool is_weight = i == RECURRENT_W || i == RECURRENT_R || i == RECURRENT_B || i == RECURRENT_P;
		int rc;

		if (i > RECURRENT_R && !op_has(b, i))
			continue;
		rc = op_need(b, i, i == RECURRENT_LENGTHS ? TENSOR_I64 : TENSOR_F32, err);
		if (rc)
			return rc;
		if (is_weight && b->inputs[i]->batched)
			return error_set(err, EXP_EUNSUPPORTED, "its weights, input %zu, differ between samples", i);
	}
	return 0;
}

/* ---- where the samples are ---- */

/* Sequences of a sample stand side by side on one axis, samples one after the other. */
static int find_sequences(const struct op_build *b, size_t i, size_t axis, size_t *each, struct exp_error *err)
{
	char text[SHAPE_TEXT];
	struct op_samples at;
	int rc = op_find_samples(b, b->inputs[i], &at, err);

	if (rc)
		return rc;
	if (at.axis != axis || at.before != 1)
		return error_set(err, EXP_EUNSUPPORTED, "its input %zu, %s, has no samples on dimension %zu", i,
				 op_format(b, i, text), axis);
	*each = at.after;
	return 0;
}

static int place_sequences(const struct op_build *b, struct recurrent *c, struct exp_error *err)
{
	c->samples = 1;
	c->each = c->rows;
	if (!b->inputs[RECURRENT_X]->batched)
		return 0;
	c->samples = b->samples;
	return find_sequences(b, RECURRENT_X, !c->batch_first, &c->each, err);
}

/* An input with something for every sequence: given for each, or once for the sequences of one sample. */
static int place_companion(const struct op_build *b, const struct recurrent *c, size_t i, size_t axis, bool *shared,
			   struct exp_error *err)
{
	const struct op_value *v = b->inputs[i];
	size_t each = c->each;
	int rc = v->batched ? find_sequences(b, i, axis, &each, err) : 0;

	if (rc)
		return rc;
	if (each != c->each || (v->batched && !b->inputs[RECURRENT_X]->batched))
		return error_set(err, EXP_EUNSUPPORTED, "its inputs 0 and %zu do not have the same samples", i);
	*shared = b->inputs[RECURRENT_X]->batched && !v->batched;
	return 0;
}

static int place_lengths(const struct op_build *b, struct recurrent *c, struct exp_error *err)
{
	bool shared;
	int rc;

	if (!op_has(b, RECURRENT_LENGTHS))
		return 0;
	rc = place_companion(b, c, RECURRENT_LENGTHS, 0, &shared, err);
	if (rc)
		return rc;
	c->lengths = shared ? c->each : c->rows;
	return expect_shape(b, RECURRENT_LENGTHS, &(struct shape){ 1, { c->lengths } }, err);
}

/* Exporters write zeros for the example's batch size: they say nothing, whatever their shape. */
static bool is_zero(const struct op_value *v)
{
	const float *known = v->known;

	for (size_t i = 0; known && i < v->count; i++)
		if (known[i] != 0.0f)
			return false;
	return known != NULL;
}

static int place_initial(const struct op_build *b, struct recurrent *c, size_t state, struct exp_error *err)
{
	size_t i = RECURRENT_INITIAL + state, rows;
	struct shape shape;
	int rc;

	if (!op_has(b, i) || is_zero(b->inputs[i]))
		return 0;
	rc = place_companion(b, c, i, !c->batch_first, &c->shared[state], err);
	if (rc)
		return rc;
	rows = c->shared[state] ? c->each : c->rows;
	shape = c->batch_first ? (struct shape){ 3, { rows, c->directions, c->hidden } }
			       : (struct shape){ 3, { c->directions, rows, c->hidden } };
	if (c->shared[state] && c->batch_first && c->each > 1)
		return error_set(err, EXP_EUNSUPPORTED, "its input %zu is the same for all samples in layout 1", i);
	c->initial[state] = true;
	return expect_shape(b, i, &shape, err);
}

static void set_steps(struct recurrent *c)
{
	size_t h = c->hidden;

	c->x = c->batch_first ? (struct recurrent_steps){ c->inputs, c->times * c->inputs, 0 }
			      : (struct recurrent_steps){ c->rows * c->inputs, c->inputs, 0 };
	c->y = c->batch_first ? (struct recurrent_steps){ c->directions * h, c->times * c->directions * h, h }
			      : (struct recurrent_steps){ c->directions * c->rows * h, h, c->rows * h };
	c->state = c->batch_first ? (struct recurrent_steps){ 0, c->directions * h, h }
				  : (struct recurrent_steps){ 0, h, c->rows * h };
}

static void set_outputs(struct op_build *b, const struct recurrent *c)
{
	bool batched = b->inputs[RECURRENT_X]->batched;

	for (size_t k = 0; k < b->output_count; k++) {
		struct op_value *v = b->outputs[k];
		size_t axis = c->batch_first ? 0 : k == 0 ? 2 : 1;

		if (!v)
			continue;
		if (k == 0 && c->batch_first)
			v->shape = (struct shape){ 4, { c->rows, c->times, c->directions, c->hidden } };
		else if (k == 0)
			v->shape = (struct shape){ 4, { c->times, c->directions, c->rows, c->hidden } };
		else if (c->batch_first)
			v->shape = (struct shape){ 3, { c->rows, c->directions, c->hidden } };
		else
			v->shape = (struct shape){ 3, { c->directions, c->rows, c->hidden } };
		if (batched)
			op_put_samples(b, v, &(struct op_samples){ axis, 1, c->each });
	}
}

/* torch.nn's layers start weights and biases alike, by the size of their state. */
static void set_roles(const struct op_build *b, const struct recurrent *c)
{
	op_set_role(b, RECURRENT_W, GRAPH_ROLE_WEIGHT, c->hidden);
	op_set_role(b, RECURRENT_R, GRAPH_ROLE_WEIGHT, c->hidden);
	op_set_role(b, RECURRENT_B, GRAPH_ROLE_BIAS, c->hidden);
}

int recurrent_infer(struct op_build *b, const struct recurrent_cell *cell, struct exp_error *err)
{
	struct recurrent *c = b->config;
	int rc;

	c->cell = cell;
	if ((rc = check_types(b, err)) || (rc = read_shapes(b, c, err)) || (rc = place_sequences(b, c, err)) ||
	    (rc = place_lengths(b, c, err)))
		return rc;
	for (size_t i = 0; rc == 0 && i < cell->states; i++)
		rc = place_initial(b, c, i, err);
	if (rc)
		return rc;
	set_steps(c);
	set_outputs(b, c);
	b->scratch = recurrent_scratch(c, &b->reduce_scratch);
	b->flops = 2ull * c->times * c->rows * c->width * (c->inputs + c->hidden) * c->directions;
	set_roles(b, c);
	return 0;
}

int recurrent_expect_activations(const struct op_build *b, const char *const *names, size_t count,
				 struct exp_error *err)
{
	const struct op_attribute *a = op_get(b, "activations");

	if (!a)
		return 0;
	if (a->type != OP_STRINGS || a->count % count != 0)
		return error_set(err, EXP_EPARSE, "the attribute \"activations\" needs %zu names a direction", count);
	for (size_t i = 0; i < a->count; i++)
		if (strcasecmp(a->strings[i], names[i % count]) != 0)
			return error_set(err, EXP_EUNSUPPORTED, "the activation %.32s is not supported in place of %s",
					 a->strings[i], names[i % count]);
	return 0;
}
