#include "engine/contraction.h"

#include <string.h>

#include "engine/contraction_internal.h"
#include "engine/packed_product.h"

/* ---- samples ---- */

/* Where samples are: a letter, and where within its dimension. */
struct where {
	size_t letter; /* letter_count: nowhere */
	struct op_samples at;
};

static int find_letter(const struct op_build *b, const struct contraction_letter *letters, size_t count, size_t operand,
		       struct where *out, struct exp_error *err)
{
	const struct op_value *v = operand < b->input_count ? b->inputs[operand] : NULL;
	int rc;

	out->letter = count;
	if (!v || !v->batched)
		return 0;
	rc = op_find_samples(b, v, &out->at, err);
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (letters[i].dim[operand] == (int)out->at.axis)
			out->letter = i;
	if (rc == 0 && out->letter == count)
		rc = error_set(err, EXP_EUNSUPPORTED, "it takes the dimension that holds the samples twice");
	return rc;
}

static bool same_place(const struct where *a, const struct where *b)
{
	return a->letter == b->letter && a->at.before == b->at.before && a->at.after == b->at.after;
}

/* Both operands may have samples, on the same letter; one that has none has not that letter either. */
static int find_samples(struct op_build *b, const struct contraction_letter *letters, size_t count, struct where *out,
			struct exp_error *err)
{
	struct where found[2];
	size_t first;
	char left[SHAPE_TEXT], right[SHAPE_TEXT];

	for (size_t i = 0; i < 2; i++) {
		int rc = find_letter(b, letters, count, i, &found[i], err);

		if (rc)
			return rc;
	}
	first = found[0].letter < count ? 0 : 1;
	*out = found[first];
	if (out->letter == count)
		return 0;
	if (letters[out->letter].dim[CONTRACTION_Y] < 0 ||
	    (found[1 - first].letter == count && letters[out->letter].step[1 - first]) ||
	    (found[1 - first].letter < count && !same_place(&found[0], &found[1])))
		return error_set(err, EXP_EUNSUPPORTED, "it mixes samples: its inputs are %s and %s",
				 op_format(b, 0, left), op_format(b, 1, right));
	out->at.axis = (size_t)letters[out->letter].dim[CONTRACTION_Y];
	op_put_samples(b, b->outputs[0], &out->at);
	return 0;
}

/* ---- axes ---- */

static void push(struct contraction_axis *axes, size_t *count, const struct contraction_letter *l, size_t size,
		 size_t inner)
{
	axes[*count] = (struct contraction_axis){ .count = size };
	for (size_t i = 0; i < CONTRACTION_OPERANDS; i++)
		axes[*count].step[i] = l->step[i] * inner;
	++*count;
}

static size_t list_axes(const struct op_build *b, const struct contraction_letter *letters, size_t count,
			const struct where *where, struct contraction_axis *axes)
{
	size_t n = 0;

	for (size_t i = 0; i < count; i++) {
		const struct contraction_letter *l = &letters[i];

		if (i != where->letter) {
			push(axes, &n, l, l->size, 1);
			continue;
		}
		push(axes, &n, l, where->at.before, b->samples * where->at.after);
		push(axes, &n, l, b->samples, where->at.after);
		axes[n - 1].samples = true;
		push(axes, &n, l, where->at.after, 1);
	}
	return n;
}

/* ---- weights ---- */

/* A weight's axes, seen from it: shared with the output alone, with the other input alone, or with both. */
struct view {
	struct contraction_axis *axes;
	size_t count, weight, other;
	size_t row, column; /* axes, or count */
};

static bool is_matrix_axis(const struct view *v, size_t i, size_t operand)
{
	const struct contraction_axis *a = &v->axes[i];
	size_t besides = operand == CONTRACTION_Y ? v->other : CONTRACTION_Y;

	return a->step[v->weight] && a->step[operand] && !a->step[besides];
}

/* The column is the axis along which the weight lies densely, the row the longest one of the other kind. */
static void choose_matrix(struct view *v, struct contraction_weight *w)
{
	size_t row_operand;

	v->row = v->column = v->count;
	for (size_t i = 0; i < v->count; i++)
		if (v->axes[i].step[v->weight] == 1 &&
		    (is_matrix_axis(v, i, CONTRACTION_Y) || is_matrix_axis(v, i, v->other)))
			v->column = i;
	w->right_is_output = v->column < v->count && is_matrix_axis(v, v->column, CONTRACTION_Y);
	row_operand = w->right_is_output ? v->other : CONTRACTION_Y;
	for (size_t i = 0; i < v->count; i++)
		if (is_matrix_axis(v, i, row_operand) &&
		    (v->row == v->count || v->axes[i].count > v->axes[v->row].count))
			v->row = i;
}

/* Places that a sample's gradient sums over: at most two axes. */
static int set_places(const struct view *v, struct reduce_factors *f, size_t left, size_t right, struct exp_error *err)
{
	size_t levels = 0;

	f->outer = f->positions = 1;
	for (size_t i = 0; i < v->count; i++) {
		const struct contraction_axis *a = &v->axes[i];

		if (a->step[v->weight])
			continue;
		if (a->samples) {
			f->left.sample = a->step[left], f->right.sample = a->step[right];
		} else if (levels == 0) {
			f->positions = a->count;
			f->left.position = a->step[left], f->right.position = a->step[right];
			levels = 1;
		} else if (levels == 1) {
			f->outer = a->count;
			f->left.outer = a->step[left], f->right.outer = a->step[right];
			levels = 2;
		} else {
			return error_set(err, EXP_EUNSUPPORTED,
					 "its weight is used along more than two dimensions "
					 "of each sample that do not lie side by side");
		}
	}
	return 0;
}

/* Positions that lie densely are the inner ones. */
static void order_places(struct reduce_factors *f)
{
	struct reduce_factors old = *f;

	if (f->left.outer != 1 && f->right.outer != 1)
		return;
	f->outer = old.positions, f->positions = old.outer;
	f->left.outer = old.left.position, f->left.position = old.left.outer;
	f->right.outer = old.right.position, f->right.position = old.right.outer;
}

static int set_weight(const struct op_build *b, const struct contraction_axis *axes, size_t count, size_t weight,
		      struct contraction_weight *w, struct exp_error *err)
{
	struct contraction_axis merged[CONTRACTION_MAX_AXES];
	struct view v = { .axes = merged, .weight = weight, .other = 1 - weight };
	struct reduce_factors *f = &w->factors;
	size_t left, right;
	int rc;

	memcpy(merged, axes, count * sizeof(*axes));
	v.count = contraction_merge(merged, count, true);
	choose_matrix(&v, w);
	left = w->right_is_output ? v.other : CONTRACTION_Y;
	right = w->right_is_output ? CONTRACTION_Y : v.other;
	*f = (struct reduce_factors){ .samples = b->samples, .rows = 1, .cols = 1, .ld = 1 };
	f->left.element = f->right.element = 1;
	if (v.row < v.count) {
		f->rows = merged[v.row].count, f->ld = merged[v.row].step[weight];
		f->left.element = merged[v.row].step[left];
	}
	if (v.column < v.count) {
		f->cols = merged[v.column].count;
		f->right.element = merged[v.column].step[right];
		f->ld = v.row < v.count ? f->ld : f->cols;
	}
	rc = set_places(&v, f, left, right, err);
	order_places(f);
	for (size_t i = 0; rc == 0 && i < v.count; i++)
		if (merged[i].step[weight] && i != v.row && i != v.column)
			w->loops[w->loop_count++] = (struct contraction_loop){ .count = merged[i].count,
									       .out = merged[i].step[weight],
									       .left = merged[i].step[left],
									       .right = merged[i].step[right] };
	return rc;
}

/* ---- panels ---- */

/* A weight that is the right operand of one product, or of the same one for all entries of the loops. */
static void set_prepared(struct op_build *b, struct contraction *c)
{
	const struct contraction_order *o = &c->orders[CONTRACTION_Y];

	c->prepares = b->input_count > 1 && b->inputs[0]->batched && !b->inputs[1]->batched && !o->empty &&
		      !o->strided && !o->exchanged && packed_product_is_fast();
	for (size_t i = 0; i < o->loop_count; i++)
		c->prepares = c->prepares && o->loops[i].right == 0;
	if (c->prepares)
		b->prepared = packed_product_floats(o->product.n, o->product.k);
}

/* ---- all of it ---- */

static int set_weights(struct op_build *b, const struct contraction_axis *axes, size_t count, struct contraction *c,
		       struct exp_error *err)
{
	for (size_t i = 0; i < 2 && i < b->input_count; i++) {
		size_t scratch;
		int rc;

		if (b->inputs[i]->batched || !b->outputs[0]->batched)
			continue;
		rc = set_weight(b, axes, count, i, &c->weights[i], err);
		if (rc && !b->inputs[i]->trainable)
			rc = 0;
		if (rc)
			return rc;
		scratch = reduce_scratch_factors(&c->weights[i].factors);
		b->reduce_scratch = scratch > b->reduce_scratch ? scratch : b->reduce_scratch;
	}
	return 0;
}

int contraction_infer(struct op_build *b, const struct contraction_letter *letters, size_t letter_count,
		      struct contraction *c, struct exp_error *err)
{
	struct contraction_axis axes[CONTRACTION_MAX_AXES], merged[CONTRACTION_MAX_AXES];
	struct where where;
	size_t count;
	int rc = find_samples(b, letters, letter_count, &where, err);

	if (rc)
		return rc;
	count = list_axes(b, letters, letter_count, &where, axes);
	b->flops = 2;
	for (size_t i = 0; i < count; i++)
		b->flops *= axes[i].count;
	c->count[CONTRACTION_A] = b->inputs[0]->count;
	c->count[CONTRACTION_B] = b->input_count > 1 ? b->inputs[1]->count : 1;
	if (!shape_try_count(&b->outputs[0]->shape, &c->count[CONTRACTION_Y]))
		return error_set(err, EXP_ELIMIT, "its output has more than %zu elements", SHAPE_MAX_COUNT);
	rc = set_weights(b, axes, count, c, err);
	memcpy(merged, axes, count * sizeof(*axes));
	count = contraction_merge(merged, count, false);
	for (int target = CONTRACTION_A; rc == 0 && target <= CONTRACTION_Y; target++)
		contraction_set_order(merged, count, (enum contraction_operand)target, &c->orders[target]);
	if (rc == 0)
		set_prepared(b, c);
	return rc;
}
