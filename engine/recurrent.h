/*
 * recurrent.h: what LSTM, GRU and RNN share: shapes, directions, sequences of different lengths, the products with the
 * inputs, and the gradients that are sums over time. A cell says what happens in one step.
 *
 * X is [T, B, I] (layout 0) or [B, T, I] (layout 1), B being `each` sequences of every sample. All work is done on
 * arrays [T, B, width], so that a step is one matrix product of all sequences with R. Directions run one after the
 * other in the same scratch. A sequence that is over keeps its state, and its outputs are zero from there on. Nothing
 * is kept from forward to backward, which runs forward again: its scratch is what a step leaves for its own gradient.
 */
#ifndef ENGINE_RECURRENT_H
#define ENGINE_RECURRENT_H

#include "engine/op.h"

enum {
	RECURRENT_X,
	RECURRENT_W, /* [D, width, I] */
	RECURRENT_R, /* [D, width, H] */
	RECURRENT_B, /* [D, 2 width]: of W, then of R */
	RECURRENT_LENGTHS,
	RECURRENT_INITIAL, /* h, and after it LSTM's c: [D, B, H], or in layout 1 [B, D, H] */
	RECURRENT_P = 7    /* peepholes [D, 3 H] */
};

struct recurrent_cell;

/* Floats from one to the next. */
struct recurrent_steps {
	size_t time, row, direction;
};

struct recurrent {
	const struct recurrent_cell *cell;
	size_t times, rows, inputs, hidden, directions; /* T, B, I, H, D */
	size_t width;                                   /* of all gates: gates * H */
	size_t samples, each;                           /* B = samples * each */
	size_t lengths;                                 /* how many are given: 0, B or each */
	bool batch_first, first_is_reverse;
	bool linear_before_reset; /* GRU */
	bool relu;                /* RNN: in place of tanh */
	struct recurrent_steps x, y, state;
	bool initial[2], shared[2]; /* given; given for one sample and the same for all */
};

/* One direction of a run. Arrays over time stand in time's order whichever way the direction goes. */
struct recurrent_pass {
	const struct recurrent *c;
	const struct op_run *run;
	size_t direction;
	bool reverse;
	const float *w, *r, *peepholes; /* of this direction; peepholes zeros when there are none */
	const float *bias;              /* [2, width]; NULL */
	const int64_t *lengths;         /* NULL: none is short */

	float *gates; /* [T, B, width]: before its step what inputs and biases give, then the gates, then, going back,
			 the gradients by what the gates' functions were applied to */
	float *states[2]; /* [T + 1, B, H] */
	float *kept;      /* [T, B, H], GRU: the factor of R for the hidden gate, or with linear_before_reset their
			     product and, going back, the gradient by it */
	float *grads[2];  /* [B, H], going back: by the states after the step, then before it */
	float *spare;     /* [B, H] */
	float *zeros;     /* [3 H] */
	float *sums;      /* [samples, 2 width], going back */
	float *scratch;   /* of reductions */

	float *gate_tangents;                              /* [T, B, width] */
	float *tangents[2];                                /* [B, H]: of the states before the step, then after it */
	const float *w_tangent, *r_tangent, *bias_tangent; /* of this direction; NULL: zero */
	const float *peephole_tangent;                     /* zeros when there is none */
};

struct recurrent_cell {
	size_t gates, states;
	bool keeps;
	/* Each takes the rows of one time; those whose sequence is over are left as they are (recurrent_is_over), but
	 * for gates, and kept, which back makes zero there. */
	void (*step)(const struct recurrent_pass *p, size_t t);
	void (*back)(const struct recurrent_pass *p, size_t t);
	void (*tangent)(const struct recurrent_pass *p, size_t t);         /* of step, after it */
	void (*reduce)(const struct recurrent_pass *p, struct reduce *to); /* the gradient by R, after all back */
};

bool recurrent_is_over(const struct recurrent_pass *p, size_t row, size_t t);
float *recurrent_gates(const struct recurrent_pass *p, size_t t);                /* [B, width] */
float *recurrent_kept(const struct recurrent_pass *p, size_t t);                 /* [B, H] */
float *recurrent_before(const struct recurrent_pass *p, size_t state, size_t t); /* [B, H] */
float *recurrent_after(const struct recurrent_pass *p, size_t state, size_t t);

/* out [B, count], rows ld apart, += states [B, H] weights [count, H]^T */
void recurrent_drive(const struct recurrent_pass *p, float *out, size_t ld, const float *states, const float *weights,
		     size_t count);
/* out [B, H] += grads [B, count], rows ld apart, weights [count, H] */
void recurrent_drive_back(const struct recurrent_pass *p, float *out, const float *grads, size_t ld,
			  const float *weights, size_t count);

/* Hands over R's rows first … first+rows-1 of this direction: left [T, B, rows], ld apart, right [T, B, H]. */
struct recurrent_factor {
	const float *left, *right;
	size_t ld, first, rows;
};
void recurrent_reduce(const struct recurrent_pass *p, const struct recurrent_factor *f, struct reduce *to);

/* Floats that any of the three needs; *reduce_scratch: those of a reduction alone. */
size_t recurrent_scratch(const struct recurrent *c, size_t *reduce_scratch);

/* What infer, forward, backward and tangent of the operators are. */
EXP_NODISCARD int recurrent_infer(struct op_build *b, const struct recurrent_cell *cell, struct exp_error *err);
void recurrent_forward(const struct op_run *r);
void recurrent_backward(const struct op_run *r);
void recurrent_tangent(const struct op_run *r);

/* EXP_EUNSUPPORTED unless the node has these activations for each direction, or names none. */
EXP_NODISCARD int recurrent_expect_activations(const struct op_build *b, const char *const *names, size_t count,
					       struct exp_error *err);

#endif
