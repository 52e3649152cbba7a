/*
 * Which axes make the matrix product out [m, n] = left [m, k] right [k, n], and which are loops around it. BLAS wants
 * one of the two steps of each matrix to be 1; of all choices that it can read, the largest product is taken.
 */
#include "engine/contraction_internal.h"

#define NONE ((size_t)-1)

enum { WORTH_CALLING = 64 }; /* multiplications */

static bool acts_as_one(const struct contraction_axis *inner, const struct contraction_axis *outer)
{
	for (size_t i = 0; i < CONTRACTION_OPERANDS; i++)
		if (outer->step[i] != inner->step[i] * inner->count)
			return false;
	return true;
}

static bool try_merge(struct contraction_axis *axes, size_t *count, bool apart)
{
	for (size_t i = 0; i < *count; i++) {
		for (size_t k = 0; k < *count; k++) {
			if (i == k || !acts_as_one(&axes[i], &axes[k]) ||
			    (apart && (axes[i].samples || axes[k].samples)))
				continue;
			axes[i].count *= axes[k].count;
			axes[i].samples = axes[i].samples || axes[k].samples;
			axes[k] = axes[--*count];
			return true;
		}
	}
	return false;
}

size_t contraction_merge(struct contraction_axis *axes, size_t count, bool apart)
{
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (axes[i].count != 1 || (apart && axes[i].samples))
			axes[kept++] = axes[i];
	while (try_merge(axes, &kept, apart))
		;
	return kept;
}

/* ---- the choice ---- */

struct choice {
	const struct contraction_loop *loops; /* all axes as loops of the order */
	size_t m, n, k;                       /* of loops, or NONE */
	double size;
	bool readable;
};

static size_t count_of(const struct choice *c, size_t i)
{
	return i == NONE ? 1 : c->loops[i].count;
}

/* A matrix stored row by row or, when that does not serve, column by column: ld floats from one to the next. */
struct stored {
	bool readable, across;
	size_t ld;
};

/* The steps of its rows and columns; those of an axis that is not there do not matter. */
static struct stored store(size_t rows, size_t row_step, size_t columns, size_t column_step)
{
	if (columns == 1 || column_step == 1)
		return (struct stored){ rows == 1 || row_step >= columns, false, rows == 1 ? columns : row_step };
	return (struct stored){ (rows == 1 || row_step == 1) && column_step >= rows, true, column_step };
}

static struct stored store_out(const struct choice *c)
{
	return store(count_of(c, c->m), c->m == NONE ? 0 : c->loops[c->m].out, count_of(c, c->n),
		     c->n == NONE ? 0 : c->loops[c->n].out);
}

static struct stored store_left(const struct choice *c)
{
	return store(count_of(c, c->m), c->m == NONE ? 0 : c->loops[c->m].left, count_of(c, c->k),
		     c->k == NONE ? 0 : c->loops[c->k].left);
}

static struct stored store_right(const struct choice *c)
{
	return store(count_of(c, c->k), c->k == NONE ? 0 : c->loops[c->k].right, count_of(c, c->n),
		     c->n == NONE ? 0 : c->loops[c->n].right);
}

/* A matrix that BLAS can read comes before any that it cannot, then the larger product, then the wider one. */
static bool is_better(const struct choice *a, const struct choice *b)
{
	if (a->readable != b->readable)
		return a->readable;
	if (a->size > b->size || a->size < b->size)
		return a->size > b->size;
	return count_of(a, a->n) > count_of(b, b->n);
}

static bool is_m(const struct contraction_loop *l)
{
	return l->out && l->left && !l->right;
}

static bool is_n(const struct contraction_loop *l)
{
	return l->out && !l->left && l->right;
}

static bool is_k(const struct contraction_loop *l)
{
	return !l->out && l->left && l->right;
}

static struct choice choose(const struct contraction_loop *loops, size_t count)
{
	struct choice best = { .loops = loops, .m = NONE, .n = NONE, .k = NONE, .size = -1.0 };

	for (size_t m = 0; m <= count; m++) {
		for (size_t n = 0; n <= count; n++) {
			for (size_t k = 0; k <= count; k++) {
				struct choice c = { .loops = loops,
						    .m = m < count ? m : NONE,
						    .n = n < count ? n : NONE,
						    .k = k < count ? k : NONE };

				if ((m < count && !is_m(&loops[m])) || (n < count && !is_n(&loops[n])) ||
				    (k < count && !is_k(&loops[k])))
					continue;
				c.size =
				    (double)count_of(&c, c.m) * (double)count_of(&c, c.n) * (double)count_of(&c, c.k);
				c.readable =
				    store_out(&c).readable && store_left(&c).readable && store_right(&c).readable;
				if (is_better(&c, &best))
					best = c;
			}
		}
	}
	return best;
}

/* What BLAS is not worth calling for: the longest axes, whatever their steps. */
static struct choice choose_strided(const struct contraction_loop *loops, size_t count)
{
	struct choice c = { .loops = loops, .m = NONE, .n = NONE, .k = NONE };

	for (size_t i = 0; i < count; i++) {
		if (loops[i].summed) {
			c.k = loops[i].count > count_of(&c, c.k) ? i : c.k;
		} else if (loops[i].count > count_of(&c, c.n)) {
			c.m = c.n;
			c.n = i;
		} else if (loops[i].count > count_of(&c, c.m)) {
			c.m = i;
		}
	}
	return c;
}

/* ---- the order ---- */

static struct contraction_loop loop_of(const struct choice *c, size_t i)
{
	return i == NONE ? (struct contraction_loop){ .count = 1 } : c->loops[i];
}

static void set_product(struct contraction_order *o, const struct choice *c)
{
	struct stored out = store_out(c), left = store_left(c), right = store_right(c);
	struct blas_product *p = &o->product;

	o->exchanged = out.across;
	p->ldc = out.ld;
	p->m = out.across ? o->n.count : o->m.count;
	p->n = out.across ? o->m.count : o->n.count;
	p->k = o->k.count;
	/* Exchanged, Y^T = right^T left^T. */
	p->trans_a = out.across ? !right.across : left.across;
	p->trans_b = out.across ? !left.across : right.across;
	p->lda = out.across ? right.ld : left.ld;
	p->ldb = out.across ? left.ld : right.ld;
}

void contraction_set_order(const struct contraction_axis *axes, size_t count, enum contraction_operand target,
			   struct contraction_order *out)
{
	struct contraction_loop loops[CONTRACTION_MAX_AXES];
	struct choice c;

	for (size_t i = 0; i < count; i++) {
		loops[i] = (struct contraction_loop){ .count = axes[i].count,
						      .out = axes[i].step[target],
						      .left = axes[i].step[contraction_left(target)],
						      .right = axes[i].step[contraction_right(target)] };
		loops[i].summed = loops[i].out == 0;
		out->empty = out->empty || loops[i].count == 0;
	}
	c = choose(loops, count);
	if (!c.readable || c.size < WORTH_CALLING)
		c = choose_strided(loops, count);
	out->m = loop_of(&c, c.m);
	out->n = loop_of(&c, c.n);
	out->k = loop_of(&c, c.k);
	out->strided = !c.readable;
	if (c.readable)
		set_product(out, &c);
	for (int summed = 0; summed < 2; summed++)
		for (size_t i = 0; i < count; i++)
			if (i != c.m && i != c.n && i != c.k && loops[i].summed == (summed == 1))
				out->loops[out->loop_count++] = loops[i];
}
