#include "engine/contraction.h"

#include <string.h>

#include "engine/contraction_internal.h"
#include "engine/packed_product.h"

/* ---- products ---- */

struct walk {
	const struct contraction_order *order;
	float alpha, beta;
	float *out;
	const float *left, *right;
	const float *panels, *bias; /* of the right operand, the same in all loops; NULL */
};

/* Three loops over elements of any steps. */
static void multiply_strided(const struct walk *w, float beta)
{
	const struct contraction_loop *m = &w->order->m, *n = &w->order->n, *k = &w->order->k;

	for (size_t i = 0; i < m->count; i++) {
		for (size_t j = 0; j < n->count; j++) {
			const float *left = w->left + i * m->left + j * n->left;
			const float *right = w->right + i * m->right + j * n->right;
			float *out = w->out + i * m->out + j * n->out, sum = 0.0f;

			for (size_t t = 0; t < k->count; t++)
				sum += left[t * k->left] * right[t * k->right];
			*out = w->alpha * sum + (beta == 0.0f ? 0.0f : beta * *out);
		}
	}
}

static void multiply(const struct walk *w, float beta)
{
	struct blas_product p = w->order->product;

	if (w->order->strided) {
		multiply_strided(w, beta);
		return;
	}
	p.a = w->order->exchanged ? w->right : w->left;
	p.b = w->order->exchanged ? w->left : w->right;
	p.c = w->out;
	p.alpha = w->alpha;
	p.beta = beta;
	if (w->panels || w->bias)
		packed_product_run(&p, w->panels, w->bias);
	else
		blas_multiply(&p);
}

/* Loops depth …; what they sum over comes last and adds to what was written first. */
static void walk_loops(const struct walk *from, size_t depth, float beta)
{
	const struct contraction_loop *loop = &from->order->loops[depth];
	struct walk w = *from;

	if (depth == from->order->loop_count) {
		multiply(&w, beta);
		return;
	}
	for (size_t i = 0; i < loop->count; i++) {
		walk_loops(&w, depth + 1, loop->summed && i > 0 ? 1.0f : beta);
		w.out += loop->out;
		w.left += loop->left;
		w.right += loop->right;
	}
}

/* w: its order, factors, panels and bias are set. */
static void run(const struct contraction *c, enum contraction_operand target, float *const data[CONTRACTION_OPERANDS],
		struct walk w)
{
	w.out = data[target];
	w.left = data[contraction_left(target)];
	w.right = data[contraction_right(target)];
	if (c->count[target] == 0)
		return;
	if (!w.order->empty)
		walk_loops(&w, 0, w.beta);
	else if (w.beta == 0.0f)
		memset(w.out, 0, c->count[target] * sizeof(*w.out));
}

void contraction_run(const struct contraction *c, enum contraction_operand target,
		     float *const data[CONTRACTION_OPERANDS], float alpha, float beta)
{
	run(c, target, data, (struct walk){ .order = &c->orders[target], .alpha = alpha, .beta = beta });
}

/* ---- forward ---- */

void contraction_forward(const struct contraction *c, const struct op_run *r, float alpha, float beta,
			 const float *bias)
{
	float *data[] = { (float *)r->in[0].f, (float *)r->in[1].f, r->out[0].f };
	struct walk w = { .order = &c->orders[CONTRACTION_Y], .alpha = alpha, .beta = beta, .bias = bias };

	w.panels = c->prepares ? r->prepared : NULL;
	run(c, CONTRACTION_Y, data, w);
}

bool contraction_takes_bias(const struct contraction *c, const struct op_run *r, size_t columns)
{
	const struct contraction_order *o = &c->orders[CONTRACTION_Y];

	for (size_t i = 0; i < o->loop_count; i++)
		if (o->loops[i].summed)
			return false;
	return !o->empty && !o->strided && !o->exchanged && o->product.n == columns &&
	       ((c->prepares && r->prepared) || packed_product_suits(&o->product));
}

void contraction_prepare(const struct contraction *c, const struct op_run *r, float *prepared)
{
	struct blas_product p = c->orders[CONTRACTION_Y].product;

	p.b = r->in[1].f;
	packed_product_pack(&p, prepared);
}

/* ---- gradients ---- */

static void hand_over(const struct contraction_weight *w, size_t depth, struct reduce_factors *f, struct reduce *to)
{
	const struct contraction_loop *loop = &w->loops[depth];
	struct reduce_factors part = *f;

	if (depth == w->loop_count) {
		reduce_add_factors(to, f);
		return;
	}
	for (size_t i = 0; i < loop->count; i++) {
		hand_over(w, depth + 1, &part, to);
		part.at += loop->out;
		part.left.data += loop->left;
		part.right.data += loop->right;
	}
}

static void reduce_input(const struct contraction *c, const struct op_run *r, size_t i, float alpha)
{
	const struct contraction_weight *w = &c->weights[i];
	struct reduce_factors f = w->factors;
	const float *other = r->in[1 - i].f, *dy = r->out[0].grad;

	f.scale = alpha;
	f.left.data = w->right_is_output ? other : dy;
	f.right.data = w->right_is_output ? dy : other;
	if (c->count[i] > 0)
		hand_over(w, 0, &f, r->in[i].reduce);
}

void contraction_backward(const struct contraction *c, const struct op_run *r, float alpha)
{
	for (size_t i = 0; i < 2; i++) {
		/* contraction_run writes the target alone. */
		float *data[] = { (float *)r->in[0].f, (float *)r->in[1].f, (float *)r->out[0].grad };

		data[i] = r->in[i].grad;
		if (r->in[i].grad)
			contraction_run(c, (enum contraction_operand)i, data, alpha, 0.0f);
		else if (r->in[i].reduce)
			reduce_input(c, r, i, alpha);
	}
}
