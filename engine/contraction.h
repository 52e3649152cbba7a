/*
 * contraction.h: products of two tensors, summed over what the output has not: Gemm, MatMul, Einsum.
 *
 *   Y[...] = sum A[...] * B[...]
 *
 * is a set of axes, each with a step in every operand that has it. Where an operand has not (step 0), it is the same
 * all along the axis; where Y has not, products are summed. The gradients are contractions over the same axes with the
 * operands' parts exchanged: dA = sum dY * B, dB = sum A * dY. Each is worked out once, when shapes are known: axes
 * that act as one are merged, the ones that make the largest matrix product go to BLAS, the rest are loops around it.
 *
 * Ownership: plain data, part of an operator's config. Threads: constant after contraction_infer.
 */
#ifndef ENGINE_CONTRACTION_H
#define ENGINE_CONTRACTION_H

#include "engine/blas.h"
#include "engine/op.h"

enum contraction_operand { CONTRACTION_A, CONTRACTION_B, CONTRACTION_Y, CONTRACTION_OPERANDS };

enum { CONTRACTION_MAX_AXES = 2 * GRAPH_MAX_DIMS + 2 };

/* One letter of Einstein's notation: a dimension that some operands share. */
struct contraction_letter {
	size_t size;
	size_t step[CONTRACTION_OPERANDS]; /* elements; 0: has not, or has 1 entry for all */
	int dim[CONTRACTION_OPERANDS];     /* the dimension of the operand's shape; -1: none, or several */
};

struct contraction_axis {
	size_t count;
	size_t step[CONTRACTION_OPERANDS];
	bool samples;
};

/* A loop around products: steps in the operands of an order. */
struct contraction_loop {
	size_t count, out, left, right;
	bool summed;
};

/* How one operand follows from the other two. */
struct contraction_order {
	struct contraction_loop loops[CONTRACTION_MAX_AXES];
	size_t loop_count;
	struct blas_product product; /* all but alpha, beta and data */
	bool exchanged;              /* a is the right operand: Y is stored column by column */
	bool strided;                /* BLAS cannot read it: the three loops that follow are all there is */
	struct contraction_loop m, n, k;
	bool empty; /* nothing is summed: zero */
};

/* How a weight's gradient is handed over: a part for each entry of the loops. */
struct contraction_weight {
	struct reduce_factors factors; /* all but data and at */
	bool right_is_output;          /* the right factor is dY, the left one the other operand */
	struct contraction_loop loops[CONTRACTION_MAX_AXES]; /* out: floats of the weight */
	size_t loop_count;
};

struct contraction {
	size_t count[CONTRACTION_OPERANDS]; /* elements */
	struct contraction_order orders[CONTRACTION_OPERANDS];
	struct contraction_weight weights[2];
	bool prepares; /* B is a weight that forward reads in panels when these were prepared */
};

/*
 * For inputs 0 and 1 (B may be missing: a number that all letters go without) and output 0, whose shape is set: where
 * the samples are, orders, weights, flops, scratch of reductions, floats to prepare. EXP_EUNSUPPORTED when samples
 * would be mixed, or a weight's gradient is a sum over more places than reductions know.
 */
EXP_NODISCARD int contraction_infer(struct op_build *b, const struct contraction_letter *letters, size_t letter_count,
				    struct contraction *c, struct exp_error *err);

/* data: of the three operands; the one of target is written, or with beta 1 added to. alpha scales the products. */
void contraction_run(const struct contraction *c, enum contraction_operand target,
		     float *const data[CONTRACTION_OPERANDS], float alpha, float beta);

/* Forward of the inputs as they lie, or of B's panels where r has them. bias: [last dimension of Y], put in place of
 * beta Y; only where contraction_takes_bias. */
void contraction_forward(const struct contraction *c, const struct op_run *r, float alpha, float beta,
			 const float *bias);

/* A bias of so many columns can be added in the same pass, and that is fast. */
bool contraction_takes_bias(const struct contraction *c, const struct op_run *r, size_t columns);

/* B's panels: op.prepare of the operators that are nothing but a contraction. */
void contraction_prepare(const struct contraction *c, const struct op_run *r, float *prepared);

/* Backward of both inputs: writes gradients and hands over factors as r asks for. */
void contraction_backward(const struct contraction *c, const struct op_run *r, float alpha);

#endif
