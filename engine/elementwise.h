/*
 * elementwise.h: outputs each of whose elements is made of one element of every operand, with NumPy's broadcasting:
 * Add, Pow, Where, Max.
 *
 * An output is walked plane by plane: rows of n elements that follow one another in the output. In an operand the next
 * row is row[k] elements away, and the next element step[k], 0 or 1: 0 where the operand is repeated. A family brings
 * loops over one plane; this module brings the walk, and the way back, in which what reaches a repeated element is
 * added up, sample by sample where the operand is a weight.
 * Threads: constant once it is made.
 */
#ifndef ENGINE_ELEMENTWISE_H
#define ENGINE_ELEMENTWISE_H

#include "engine/spread.h"

enum { ELEMENTWISE_OPERANDS = 3 };

struct elementwise {
	size_t operands, count; /* count: elements of the output */
	size_t rank, dims[GRAPH_MAX_DIMS];
	size_t steps[ELEMENTWISE_OPERANDS][GRAPH_MAX_DIMS]; /* elements; 0: repeated */
	bool plain[ELEMENTWISE_OPERANDS];                   /* shaped like the output */
	struct spread spread[ELEMENTWISE_OPERANDS];         /* of fp32 operands */
};

struct elementwise_plane {
	size_t rows, n;
	size_t out; /* where it starts in the output */
	size_t at[ELEMENTWISE_OPERANDS], row[ELEMENTWISE_OPERANDS], step[ELEMENTWISE_OPERANDS]; /* in the operands */
};

/* Arrays of a call: whole tensors, to which the plane's places refer. */
struct elementwise_arrays {
	void *out;
	const float *dy; /* of the output's shape; for slopes */
	const void *in[ELEMENTWISE_OPERANDS];
};

/* out = f(in), or for a slope out = dy times f's derivative by one operand. config: the operator's. */
typedef void (*elementwise_loop)(const struct elementwise_plane *p, const struct elementwise_arrays *a,
				 const void *config);

/*
 * Inputs first … first+count-1 are the operands of output 0, whose shape and samples are set. Raises b->scratch to what
 * elementwise_backward and elementwise_tangent need: where an operand is trainable, twice the output's elements and
 * behind them what spread_back needs. EXP_ESHAPE, EXP_ELIMIT.
 */
EXP_NODISCARD int elementwise_init(struct op_build *b, size_t first, size_t count, struct elementwise *out,
				   struct exp_error *err);

/* The same where the output's shape and samples are set already, for operands that broadcast to it. */
EXP_NODISCARD int elementwise_place(struct op_build *b, size_t first, size_t count, struct elementwise *out,
				    struct exp_error *err);

void elementwise_run(const struct elementwise *e, elementwise_loop loop, const struct elementwise_arrays *a,
		     const void *config);

/* Writes grad of operand k, or serves its reduction. slope NULL: the output's gradient itself. in: the operands' inputs
 */
void elementwise_backward(const struct elementwise *e, size_t k, elementwise_loop slope, const struct op_run *r,
			  const struct op_input *in);

/* Writes the output's tangent: the sum over operands of slope times tangent; slopes as above. */
void elementwise_tangent(const struct elementwise *e, const elementwise_loop slopes[], const struct op_run *r,
			 const struct op_input *in);

/* Wraps integers to the width of TensorProto.DataType onnx_type: they are held in 64 bits. */
void elementwise_wrap(int64_t *x, size_t count, int onnx_type);

#endif
