/*
 * Trilu: of each matrix the upper or the lower triangle, zeros elsewhere. The diagonal k belongs to both.
 */
#include <string.h>

#include "engine/op.h"

enum { DIAGONAL = 1 };

struct trilu {
	size_t rows, columns, size; /* size: bytes of an element */
	int64_t k;
	bool upper;
};

static int infer(struct op_build *b, struct exp_error *err)
{
	struct trilu *c = b->config;
	const struct shape *s = &b->inputs[0]->shape;
	const int64_t *k;
	int64_t upper = 1, edge;
	size_t count;
	int rc = op_get_int(b, "upper", &upper, err);

	if (rc)
		return rc;
	if (s->rank < 2)
		return error_set(err, EXP_ESHAPE, "its input has %zu dimensions; 2 at least are expected", s->rank);
	c->rows = s->dims[s->rank - 2];
	c->columns = s->dims[s->rank - 1];
	if ((rc = op_keep_apart(b, 0, s->rank - 1, err)) || (rc = op_keep_apart(b, 0, s->rank - 2, err)))
		return rc;
	if (op_has(b, DIAGONAL)) {
		rc = op_need_ints(b, DIAGONAL, &k, NULL, &count, err);
		if (rc == 0 && count != 1)
			rc = error_set(err, EXP_ESHAPE, "k must be one number");
		if (rc)
			return rc;
		/* Beyond the matrix all diagonals are alike. */
		edge = (int64_t)(c->rows + c->columns);
		c->k = *k < -edge ? -edge : *k > edge ? edge : *k;
	}
	c->upper = upper != 0;
	c->size = tensor_size(b->inputs[0]->type);
	op_copy(b, 0, 0);
	return 0;
}

/* out [matrices, rows, columns] = in with the other triangle zero */
static void mask(const struct trilu *c, size_t size, char *out, const char *in, size_t count)
{
	size_t line = c->columns * size;

	for (size_t row = 0; count > 0 && row < count / c->columns; row++) {
		int64_t at = (int64_t)(row % c->rows) + c->k + (c->upper ? 0 : 1), most = (int64_t)c->columns;
		size_t cut = (size_t)(at < 0 ? 0 : at > most ? most : at) * size;
		char *to = out + row * line;
		const char *from = in + row * line;

		if (c->upper) {
			memset(to, 0, cut);
			memcpy(to + cut, from + cut, line - cut);
		} else {
			memcpy(to, from, cut);
			memset(to + cut, 0, line - cut);
		}
	}
}

static void forward(const struct op_run *r)
{
	const struct trilu *c = r->config;

	mask(c, c->size, r->out->data, r->in->data, r->out->value->count);
}

static void backward(const struct op_run *r)
{
	const struct trilu *c = r->config;

	if (r->in->grad)
		mask(c, sizeof(float), (char *)r->in->grad, (const char *)r->out->grad, r->out->value->count);
}

const struct op op_trilu = {
	.name = "Trilu",
	.min_inputs = 1,
	.max_inputs = 2,
	.attributes = "upper",
	.flags = OP_LINEAR,
	.config_size = sizeof(struct trilu),
	.infer = infer,
	.forward = forward,
	.backward = backward,
};
