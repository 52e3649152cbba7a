/*
 * ScatterElements (Scatter before opset 11) and ScatterND: the data with some elements, or slices, replaced by updates,
 * or with the updates added or multiplied (opset 16). Updates that meet at one place take their turns in order.
 *
 * Backward goes through the updates from the last to the first with s, the gradient of what stands at a place once an
 * update has been made; before it is made the gradient is
 *
 *   none  s := 0        add  s         mul  s := s * update
 *   du = s                   du = s         du = s * what stood there before
 */
#include <string.h>

#include "engine/indexing.h"
#include "engine/kernels.h"

enum { DATA, INDICES, UPDATES };
enum { ELEMENTS, TUPLES };
enum reduction { NONE, ADD, MUL };

struct scatter {
	struct indexing at;
	struct spread data, updates; /* data to the output, updates to [places, width] */
	size_t out_count, count;     /* elements of the output, of all updates */
	size_t rows_floats;          /* scratch for per-sample gradients */
	size_t bytes;                /* of an element */
	enum reduction reduction;
};

/* ---- infer ---- */

static int read_reduction(const struct op_build *b, enum reduction *out, struct exp_error *err)
{
	static const char *const names[] = { "none", "add", "mul" };
	const char *name = "none";
	int rc = op_get_string(b, "reduction", &name, err);

	for (size_t i = 0; rc == 0 && i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(name, names[i]) != 0)
			continue;
		*out = (enum reduction)i;
		if (i == NONE || b->inputs[DATA]->type != TENSOR_BOOL)
			return 0;
	}
	return rc ? rc : error_set(err, EXP_EUNSUPPORTED, "the reduction \"%.32s\" is not supported", name);
}

/* The samples of input i, moved to where they are among the output's dimensions; those of all inputs must agree. */
static int agree(const struct op_samples *each, struct op_samples *at, bool *batched, struct exp_error *err)
{
	if (*batched && (each->axis != at->axis || each->before != at->before))
		return error_set(err, EXP_EUNSUPPORTED, "its inputs hold the samples on different dimensions");
	*at = *each;
	*batched = true;
	return 0;
}

/* Updates have the shape of what they replace; where the samples are, one for all will do. */
static int spread_updates(struct op_build *b, const struct spread_place *to, struct spread *out, struct exp_error *err)
{
	const struct shape *s = &b->inputs[UPDATES]->shape;
	char have[SHAPE_TEXT], want[SHAPE_TEXT];
	bool fits = s->rank == to->shape.rank;

	for (size_t d = 0; fits && d < s->rank; d++)
		fits = s->dims[d] == to->shape.dims[d] || (to->samples && to->samples->axis == d);
	if (!fits)
		return error_set(err, EXP_ESHAPE, "updates of shape %s do not fit; %s is expected",
				 op_format(b, UPDATES, have), shape_format(&to->shape, want));
	return spread_init(b, UPDATES, to, out, err);
}

static int infer_elements(struct op_build *b, struct scatter *c, struct exp_error *err)
{
	struct spread_place out = { .shape = b->inputs[DATA]->shape }, places = { .shape = b->inputs[INDICES]->shape };
	struct op_samples at;
	size_t axis;
	bool batched = false;
	int rc = op_get_axis(b, "axis", out.shape.rank, 0, &axis, err);

	for (size_t i = DATA; rc == 0 && i <= UPDATES; i++) {
		struct op_samples each;

		if (b->inputs[i]->shape.rank != out.shape.rank)
			rc = error_set(err, EXP_ESHAPE, "input %zu has %zu dimensions, its data %zu", i,
				       b->inputs[i]->shape.rank, out.shape.rank);
		else if (b->inputs[i]->batched && (rc = op_keep_apart(b, i, axis, err)) == 0 &&
			 (rc = op_find_samples(b, b->inputs[i], &each, err)) == 0)
			rc = agree(&each, &at, &batched, err);
	}
	if (rc)
		return rc;
	if (batched) {
		out.samples = places.samples = &at;
		out.shape.dims[at.axis] = places.shape.dims[at.axis] = at.before * b->samples * at.after;
	}
	spread_dense(&out.shape, out.steps);
	spread_dense(&places.shape, places.steps);
	b->outputs[0]->shape = out.shape;
	if (batched)
		op_put_samples(b, b->outputs[0], &at);
	if ((rc = indexing_elements(b, INDICES, &places, &out.shape, axis, &c->at, err)) ||
	    (rc = spread_init(b, DATA, &out, &c->data, err)))
		return rc;
	return spread_updates(b, &places, &c->updates, err);
}

/* What place_tuples finds. */
struct tuples {
	struct indexing_tuples how;
	struct op_samples own, updates; /* where data and updates have the samples */
	bool batched;
};

/* Indices with samples, or those of the one sample that the file was made for, for data that have samples in an indexed
 * dimension. */
static int place_own(struct op_build *b, struct tuples *t, struct exp_error *err)
{
	struct op_samples each;
	int rc;

	t->how.own = &t->own;
	t->how.shared = indexing_may_share(b, INDICES, &t->own, &t->how.axis);
	if (t->how.shared) {
		each = (struct op_samples){ t->how.axis, 1, 1 };
		return agree(&each, &t->updates, &t->batched, err);
	}
	if (!b->inputs[INDICES]->batched)
		return error_set(err, EXP_EUNSUPPORTED, "it mixes samples: its indices do not stay in each of them");
	rc = op_find_samples(b, b->inputs[INDICES], &each, err);
	return rc ? rc : agree(&each, &t->updates, &t->batched, err);
}

/*
 * Indices [places, tuple], updates [places, slice], data [indexed, slice]. Samples are in the slice, of data or updates
 * or both; or data, indices and updates have them among the places, and each tuple names its own.
 */
static int place_tuples(struct op_build *b, struct tuples *t, struct exp_error *err)
{
	const struct op_value *x = b->inputs[DATA], *indices = b->inputs[INDICES], *u = b->inputs[UPDATES];
	size_t places = indices->shape.rank - 1, tuple = indices->shape.dims[places];
	struct op_samples each;
	int rc = indices->batched ? op_keep_apart(b, INDICES, places, err) : 0;

	if (rc || (x->batched && (rc = op_find_samples(b, x, &t->own, err))))
		return rc;
	if (x->batched && t->own.axis < tuple) {
		rc = place_own(b, t, err);
	} else if (indices->batched) {
		rc = error_set(err, EXP_EUNSUPPORTED, "each sample would change the entries of all samples");
	} else if (x->batched) {
		each = (struct op_samples){ t->own.axis - tuple + places, t->own.before, t->own.after };
		rc = agree(&each, &t->updates, &t->batched, err);
	}
	if (rc == 0 && u->batched && (rc = op_find_samples(b, u, &each, err)) == 0)
		rc = agree(&each, &t->updates, &t->batched, err);
	if (rc == 0 && t->batched && !t->how.own && t->updates.axis < places)
		rc = error_set(err, EXP_EUNSUPPORTED, "each sample would change the entries of all samples");
	return rc;
}

static int infer_tuples(struct op_build *b, struct scatter *c, struct exp_error *err)
{
	const struct shape *s = &b->inputs[INDICES]->shape;
	struct spread_place out = { .shape = b->inputs[DATA]->shape }, to = { 0 };
	struct tuples t = { .how = { .data = &out.shape } };
	struct op_samples at;
	size_t places = s->rank - 1, tuple;
	int rc;

	if (s->rank < 1 || s->dims[places] > out.shape.rank ||
	    places + out.shape.rank - s->dims[places] > GRAPH_MAX_DIMS)
		return error_set(err, EXP_ESHAPE, "its indices do not fit data of %zu dimensions", out.shape.rank);
	tuple = s->dims[places];
	rc = place_tuples(b, &t, err);
	if (rc)
		return rc;
	to.shape.rank = places + out.shape.rank - tuple;
	memcpy(to.shape.dims, s->dims, places * sizeof(s->dims[0]));
	if (t.batched) {
		at = t.how.own
			 ? t.own
			 : (struct op_samples){ t.updates.axis + tuple - places, t.updates.before, t.updates.after };
		out.samples = &at;
		to.samples = &t.updates;
		out.shape.dims[at.axis] = at.before * b->samples * at.after;
	}
	if (t.how.shared)
		to.shape.dims[t.how.axis] = b->samples;
	memcpy(to.shape.dims + places, out.shape.dims + tuple, (out.shape.rank - tuple) * sizeof(s->dims[0]));
	spread_dense(&out.shape, out.steps);
	spread_dense(&to.shape, to.steps);
	b->outputs[0]->shape = out.shape;
	if (t.batched)
		op_put_samples(b, b->outputs[0], &at);
	if ((rc = indexing_tuples(b, INDICES, &t.how, &c->at, err)) || (rc = spread_init(b, DATA, &out, &c->data, err)))
		return rc;
	return spread_updates(b, &to, &c->updates, err);
}

static int infer(struct op_build *b, struct exp_error *err)
{
	struct scatter *c = b->config;
	const struct op_value *x = b->inputs[DATA];
	int rc;

	if ((rc = op_need(b, INDICES, TENSOR_I64, err)) || (rc = op_need(b, UPDATES, x->type, err)) ||
	    (rc = read_reduction(b, &c->reduction, err)))
		return rc;
	rc = b->op->variant == ELEMENTS ? infer_elements(b, c, err) : infer_tuples(b, c, err);
	if (rc)
		return rc;
	b->outputs[0]->type = x->type;
	b->outputs[0]->onnx_type = x->onnx_type;
	c->bytes = tensor_size(x->type);
	c->out_count = shape_count(&b->outputs[0]->shape);
	c->count = c->at.places * c->at.width;
	c->rows_floats = (b->scratch + 15) / 16 * 16;
	b->scratch = c->rows_floats + 2 * c->at.places + 6 * c->count + 2 * c->out_count;
	return indexing_check(b, INDICES, &c->at, err);
}

/* ---- run ---- */

struct room {
	int64_t *rows;    /* [places] */
	void *updates;    /* [places, width] of any type */
	float *moves;     /* [places, width]: their tangents or gradients */
	float *before;    /* [places, width]: what stood there before the update */
	float *data, *to; /* like the output */
};

static struct room divide(const struct op_run *r)
{
	const struct scatter *c = r->config;
	float *at = r->scratch + c->rows_floats;
	struct room room = { .rows = (int64_t *)(void *)at };

	at += 2 * c->at.places;
	room.updates = at;
	room.moves = at + 2 * c->count;
	room.before = room.moves + c->count;
	room.data = room.before + c->count;
	room.to = room.data + c->out_count;
	indexing_rows(&c->at, r->in[INDICES].i, room.rows);
	return room;
}

#define COMBINE(type)                                                                                                  \
	static void combine_##type(enum reduction reduction, type *to, const type *update, size_t n)                   \
	{                                                                                                              \
		for (size_t j = 0; j < n; j++)                                                                         \
			to[j] = reduction == ADD ? to[j] + update[j] : to[j] * update[j];                              \
	}

COMBINE(float)
COMBINE(uint64_t)

static void write_update(const struct scatter *c, enum tensor_type type, char *to, const char *update)
{
	if (c->reduction == NONE)
		memcpy(to, update, c->at.width * c->bytes);
	else if (type == TENSOR_F32)
		combine_float(c->reduction, (float *)(void *)to, (const float *)(const void *)update, c->at.width);
	else
		combine_uint64_t(c->reduction, (uint64_t *)(void *)to, (const uint64_t *)(const void *)update,
				 c->at.width);
}

static void forward(const struct op_run *r)
{
	const struct scatter *c = r->config;
	struct room room = divide(r);
	size_t bytes = c->at.width * c->bytes;

	strided_copy(&c->data.map, c->bytes, r->out->data, r->in[DATA].data);
	strided_copy(&c->updates.map, c->bytes, room.updates, r->in[UPDATES].data);
	for (size_t p = 0; p < c->at.places; p++) {
		char *out = r->out->data;
		bool found = room.rows[p] >= 0;

		if (found)
			write_update(c, r->out->value->type, out + (size_t)room.rows[p] * bytes,
				     (char *)room.updates + p * bytes);
		else if (c->out_count)
			indexing_fill_missing(r->out->value->type, out, 1);
	}
}

/* Takes the updates to the data in turn and keeps what stood there before each. */
static void replay(const struct scatter *c, const struct op_run *r, const struct room *room)
{
	size_t width = c->at.width;

	strided_copy(&c->updates.map, sizeof(float), room->updates, r->in[UPDATES].data);
	if (c->reduction != MUL)
		return;
	strided_copy(&c->data.map, sizeof(float), room->data, r->in[DATA].data);
	for (size_t p = 0; p < c->at.places; p++) {
		float *at = room->data;

		if (room->rows[p] < 0)
			continue;
		at += (size_t)room->rows[p] * width;
		memcpy(room->before + p * width, at, width * sizeof(float));
		combine_float(MUL, at, (const float *)room->updates + p * width, width);
	}
}

/* One update undone: s, of the place, and the gradient of the update. */
static void undo(const struct scatter *c, const struct room *room, size_t p, float *s)
{
	const float *update = (const float *)room->updates + p * c->at.width, *before = room->before + p * c->at.width;
	float *move = room->moves + p * c->at.width;

	for (size_t j = 0; j < c->at.width; j++) {
		move[j] = c->reduction == MUL ? s[j] * before[j] : s[j];
		if (c->reduction == MUL)
			s[j] *= update[j];
		else if (c->reduction == NONE)
			s[j] = 0.0f;
	}
}

static void backward(const struct op_run *r)
{
	const struct scatter *c = r->config;
	struct room room = divide(r);

	replay(c, r, &room);
	memcpy(room.to, r->out->grad, c->out_count * sizeof(float));
	for (size_t p = c->at.places; p-- > 0;) {
		if (room.rows[p] >= 0)
			undo(c, &room, p, room.to + (size_t)room.rows[p] * c->at.width);
		else
			memset(room.moves + p * c->at.width, 0, c->at.width * sizeof(float));
	}
	spread_back(&c->data, &r->in[DATA], room.to, r->scratch);
	spread_back(&c->updates, &r->in[UPDATES], room.moves, r->scratch);
}

static void copy_tangent(const struct spread *s, float *to, const float *from, size_t count)
{
	if (from)
		strided_copy(&s->map, sizeof(float), to, from);
	else
		memset(to, 0, count * sizeof(float));
}

static void tangent(const struct op_run *r)
{
	const struct scatter *c = r->config;
	struct room room = divide(r);
	size_t width = c->at.width;

	replay(c, r, &room);
	copy_tangent(&c->data, r->out->tangent, r->in[DATA].tangent, c->out_count);
	copy_tangent(&c->updates, room.moves, r->in[UPDATES].tangent, c->count);
	for (size_t p = 0; p < c->at.places; p++) {
		const float *update = (const float *)room.updates + p * width, *before = room.before + p * width;
		float *to = r->out->tangent, *move = room.moves + p * width;

		if (room.rows[p] < 0)
			continue;
		to += (size_t)room.rows[p] * width;
		for (size_t j = 0; j < width; j++) {
			if (c->reduction == NONE)
				to[j] = move[j];
			else if (c->reduction == ADD)
				to[j] += move[j];
			else
				to[j] = to[j] * update[j] + before[j] * move[j];
		}
	}
}

#define SCATTER(onnx_name, known, which)                                                                               \
	{                                                                                                              \
		.name = onnx_name, .min_inputs = 3, .max_inputs = 3, .attributes = known, .indices = 1u << INDICES,    \
		.config_size = sizeof(struct scatter), .variant = which, .infer = infer, .forward = forward,           \
		.backward = backward, .tangent = tangent                                                               \
	}

const struct op op_scatter = SCATTER("Scatter", "axis", ELEMENTS);
const struct op op_scatter_elements = SCATTER("ScatterElements", "axis reduction", ELEMENTS);
const struct op op_scatter_nd = SCATTER("ScatterND", "reduction", TUPLES);
