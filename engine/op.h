/*
 * op.h: what an operator is. One operator, or one close family, is one file op_*.c: shape inference, forward, backward
 * and forward mode side by side, and one row in ops.c.
 *
 * Whole tensors. Shapes are ONNX's, concrete, the batch included: infer runs anew for each plan (a graph and a number
 * of samples N), and forward sees whole tensors and means what ONNX says.
 *
 * Samples. A *batched* value lies in memory as [outer, N, inner]: sample n owns outer runs of inner elements, N * inner
 * apart. Batch-first values have outer 1; [T, N, D] has outer T, and so has its reshape [T * N, D]. An *unbatched*
 * value is the same for all samples: a weight, a constant, what follows from these. infer says of each output which it
 * is, mostly through op_keep_samples, op_put_samples or op_broadcast; what would mix samples is refused.
 *
 * Known values. An output whose inputs are all known when the plan is made, no parameter among them, is computed then,
 * by the operator's own forward. An operator whose output shape depends on an input's contents asks for them in infer
 * (op_need_known). So that "the batch" is told from any other number, known values are computed for a second batch size
 * too: where known and probe differ, the number counts samples.
 *
 * Gradients. For an input, at most one of two things is asked for:
 *   in[i].grad    write (never add) the gradient, shaped like the input. Batched inputs, and unbatched inputs of a node
 *                 without batched outputs.
 *   in[i].reduce  hand over what makes up the per-sample gradients (engine/reduce.h). Unbatched inputs of a node with
 *                 a batched output: weights.
 * out[i].grad is NULL when no gradient reaches that output; at least one does. Sums over several users of a value are
 * the runner's business. Only fp32 values have gradients.
 *
 * Forward mode. tangent writes out[i].tangent, the derivative along the in[i].tangent (NULL: zero; at least one is
 * not). Data of inputs and outputs are in place. Operators that are linear need no function: see OP_LINEAR and
 * OP_BILINEAR.
 *
 * Memory: an operator keeps nothing between calls and allocates nothing; what it knows from its attributes and shapes
 * is in its config (filled by infer, then constant; release frees what is not the arena's), and its scratch is given
 * anew to each call.
 * Threads: any number may run the same node with different memory; no operator starts a thread.
 */
#ifndef ENGINE_OP_H
#define ENGINE_OP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/arena.h"
#include "engine/graph.h"
#include "engine/reduce.h"
#include "engine/shape.h"
#include "engine/tensor.h"

/* Where the samples of a batched value are: dims[axis] = before * N * after. */
struct op_samples {
	size_t axis, before, after;
};

/* An edge of a plan. */
struct op_value {
	const char *name;
	enum tensor_type type;
	int onnx_type; /* TensorProto.DataType; 0: the usual one of type */
	struct shape shape;
	size_t count; /* elements; the planner counts those of outputs after infer */
	bool batched;
	size_t outer;                  /* when batched: see above */
	const struct op_samples *hint; /* for N = 1, where shapes do not tell: as it was for more. The planner's */
	bool trainable;                /* a parameter, or depends on one; fp32 only. The planner's business */
	bool is_parameter;             /* an initializer that training may change */
	const void *known;             /* [count] elements when known at plan time; else NULL */
	const void *probe;             /* [count] elements, the same for another batch size; NULL: no different */
	enum graph_role role;          /* of a parameter, as its first user calls it */
	size_t fan_in; /* of a parameter: see graph.h; of any other value: of the weight that made it, or 0 */
};

enum op_attribute_type {
	OP_FLOAT = 1,
	OP_INT = 2,
	OP_STRING = 3,
	OP_TENSOR = 4,
	OP_FLOATS = 6,
	OP_INTS = 7,
	OP_STRINGS = 8,
	OP_OTHER = 0
};

struct op_attribute {
	const char *name;
	enum op_attribute_type type;
	float f;
	int64_t i;
	const char *s;
	const int64_t *ints;
	const float *floats;
	const char *const *strings;
	const struct tensor *t;
	size_t count; /* of ints, floats or strings */
};

/* What infer gets and what it fills. */
struct op_build {
	const struct op *op;
	const char *op_type;
	int64_t opset;
	size_t samples;    /* N; 0: the graph is run whole, nothing is batched */
	size_t file_batch; /* the batch size that the file fixes, 0 when it is dynamic or the graph is run whole */
	bool training;     /* batch norm takes the batch's own statistics */
	struct op_value *const *inputs; /* [input_count]; NULL for an optional input left out; read only */
	size_t input_count;
	const struct op_attribute *attributes;
	size_t attribute_count;
	struct arena *arena; /* the plan's: what config points to */

	struct op_value *const *outputs; /* [output_count], in the file's order; NULL for one that has no name. Set
					    shape, type (fp32 unless set) and samples (unbatched unless set) */
	size_t output_count;
	void *config;          /* config_size bytes, zeroed */
	size_t scratch;        /* floats that each call of forward, backward or tangent needs */
	size_t prepared;       /* floats that prepare writes; 0: nothing to prepare */
	size_t reduce_scratch; /* floats for in[i].reduce->scratch: reduce_scratch_…; the largest over the inputs */
	uint64_t flops;        /* of the forward pass, for the report */
	unsigned passes;       /* bit i: input i's gradient is output 0's, unchanged; then it is not always asked for */
	bool selects; /* every output element is one element of input 0, and none is taken twice (OP_LINEAR ops only) */
};

/* Edges while the graph runs. */
struct op_input {
	const struct op_value *value; /* NULL: an optional input left out */
	union {
		const void *data;
		const float *f;
		const int64_t *i;
		const uint8_t *b;
	};
	float *grad;           /* to write, or NULL */
	struct reduce *reduce; /* to hand factors to, or NULL */
	const float *tangent;  /* NULL: zero */
	float *statistic; /* training, inputs that hold statistics: to be moved, s = momentum s + (1 - momentum) of the
			     batch's (variances unbiased, as PyTorch's); or NULL */
};

struct op_output {
	const struct op_value *value; /* NULL: an output without a name; its data are NULL */
	union {
		void *data;
		float *f;
		int64_t *i;
		uint8_t *b;
	};
	const float *grad; /* NULL: nothing depends on it */
	float *tangent;
};

struct op_run {
	const struct op *op;
	const void *config;
	size_t samples; /* N; 0 when run whole */
	const struct op_input *in;
	size_t in_count;
	const struct op_output *out;
	size_t out_count;
	float *scratch;        /* of any content, 64-byte aligned */
	const float *prepared; /* what prepare wrote for these weights; NULL: forward does without */
};

enum {
	OP_VIEW = 1,     /* the first output is the first input's memory under another shape: no functions but infer */
	OP_LINEAR = 2,   /* jointly linear in all fp32 inputs: the tangent is forward of the tangents (zeros where there
			    is none) */
	OP_BILINEAR = 4, /* linear in input 0 and in input 1, and jointly linear in the others: the tangent is forward
			    with input 0 replaced and the others left out, plus forward with input 1 and the others
			    replaced; forward accepts data NULL for the others then */
	OP_SOFTMAX = 8,  /* at the end of a graph: read together with the loss; config begins with struct op_softmax */
	OP_LOG_SOFTMAX = 16,
	OP_READS_OUTPUT = 32, /* backward or tangent reads out[i].data */
	OP_IN_PLACE = 64,     /* forward may write over input 0 (out[0].data == in[0].data), and neither backward nor
				 tangent reads in[0].data */
};

struct op {
	const char *name;              /* ONNX operator of the default domain */
	size_t min_inputs, max_inputs; /* max_inputs SIZE_MAX: any number */
	size_t max_outputs;            /* 0: one */
	const char *attributes;        /* names that infer knows, separated by blanks; any other is refused */
	unsigned flags;
	unsigned fixed; /* bit i: an initializer at input i is no parameter (bounds, exponents, scales of a resize) */
	unsigned statistics; /* bit i: an initializer at input i holds statistics of training rows: stored with the
				parameters, changed by training mode, without gradient */
	unsigned weights;    /* bit i: a Constant node at input i is a parameter, as an initializer is */
	unsigned indices;    /* bit i: input i is never differentiated even when fp32 (a resize's scales) */
	size_t config_size;
	int variant; /* tells the members of a family apart; the file's own */

	/* Checks inputs and attributes, sets outputs, config and needs. Errors say what; the caller adds where. */
	int (*infer)(struct op_build *b, struct exp_error *err);
	void (*forward)(const struct op_run *r);
	/* Brings weights, inputs without samples, into the form that forward likes best, for callers that run the same
	 * weights many times: to prepared [b->prepared], 64-byte aligned. The others' data are NULL. What it writes
	 * depends on weights and attributes, not on N. NULL: nothing to prepare. */
	void (*prepare)(const struct op_run *r, float *prepared);
	void (*backward)(const struct op_run *r); /* NULL: has no gradient, as ArgMax; it ends there */
	void (*tangent)(const struct op_run *r);  /* NULL: see the flags; without one of them, zero */
	void (*release)(void *config);            /* NULL: nothing to free. Also after a failed infer */
};

/* The rows that a Softmax normalises: [before, size, after]. First member of its config. */
struct op_softmax {
	size_t before, size, after;
};

/* NULL when there is no such operator. */
const struct op *op_find(const char *name);

/* All rows, for reports and tests. */
const struct op *const *op_all(size_t *count);

/* ---- attributes: the value is untouched when the node has no such attribute; EXP_EPARSE when it has another type ----
 */

EXP_NODISCARD int op_get_int(const struct op_build *b, const char *name, int64_t *value, struct exp_error *err);
EXP_NODISCARD int op_get_float(const struct op_build *b, const char *name, float *value, struct exp_error *err);
EXP_NODISCARD int op_get_string(const struct op_build *b, const char *name, const char **value, struct exp_error *err);
EXP_NODISCARD int op_get_ints(const struct op_build *b, const char *name, const int64_t **values, size_t *count,
			      struct exp_error *err);
EXP_NODISCARD int op_get_floats(const struct op_build *b, const char *name, const float **values, size_t *count,
				struct exp_error *err);
const struct op_attribute *op_get(const struct op_build *b, const char *name); /* NULL: none */

/* A dimension's number: negative values count from rank; EXP_ESHAPE outside -rank … rank-1. */
EXP_NODISCARD int op_axis(int64_t value, size_t rank, size_t *axis, struct exp_error *err);
EXP_NODISCARD int op_get_axis(const struct op_build *b, const char *name, size_t rank, int64_t fallback, size_t *axis,
			      struct exp_error *err);

/* ---- inputs ---- */

bool op_has(const struct op_build *b, size_t i);      /* input i is given */
bool op_wants(const struct op_build *b, size_t i);    /* output i has a name */
bool op_is_float(const struct op_build *b, size_t i); /* input i is given and fp32 */

/* EXP_EUNSUPPORTED when input i has another type, EXP_ESHAPE when it is missing. */
EXP_NODISCARD int op_need(const struct op_build *b, size_t i, enum tensor_type type, struct exp_error *err);
EXP_NODISCARD int op_need_float(const struct op_build *b, size_t i, struct exp_error *err);

/* Input i's contents; EXP_EUNSUPPORTED when they are not known at plan time. *probe may be asked for too: contents for
 * another batch size, the same pointer where they do not differ. */
EXP_NODISCARD int op_need_known(const struct op_build *b, size_t i, enum tensor_type type, const void **known,
				struct exp_error *err);
EXP_NODISCARD int op_need_ints(const struct op_build *b, size_t i, const int64_t **known, const int64_t **probe,
			       size_t *count, struct exp_error *err);
EXP_NODISCARD int op_need_floats(const struct op_build *b, size_t i, const float **known, size_t *count,
				 struct exp_error *err);

/* Shape of input i as a reader knows it: "[N, 3, 28, 28]", N where the samples are; returns text. */
char *op_format(const struct op_build *b, size_t i, char text[SHAPE_TEXT]);

/* ---- outputs ---- */

/* Room for output i's contents, known already in infer: as after its shape and type. *probe too when not NULL. */
EXP_NODISCARD int op_set_known(struct op_build *b, size_t i, void **known, void **probe, struct exp_error *err);

/* Output i: input j's shape, type and samples. */
void op_copy(struct op_build *b, size_t i, size_t j);

/* ---- samples ---- */

/* EXP_EUNSUPPORTED when the samples straddle dimensions. v is batched. */
EXP_NODISCARD int op_find_samples(const struct op_build *b, const struct op_value *v, struct op_samples *out,
				  struct exp_error *err);

/* Marks v (its shape is set) as batched, samples on axis as said. */
void op_put_samples(const struct op_build *b, struct op_value *v, const struct op_samples *samples);

/* Output i has input j's rank, and samples where that has them; no-op when input j is unbatched. EXP_EUNSUPPORTED when
 * that dimension has changed its size: samples would be lost or mixed. */
EXP_NODISCARD int op_keep_samples(struct op_build *b, size_t i, size_t j, struct exp_error *err);

/* EXP_EUNSUPPORTED "mixes samples" when axis of input i is the one that holds the samples. For axes that an operator
 * sums over, sorts, cuts or normalises. */
EXP_NODISCARD int op_keep_apart(const struct op_build *b, size_t i, size_t axis, struct exp_error *err);

/* Samples on an axis whose length came from contents: dims[axis] was known, and known and probe differ. */
bool op_counts_samples(int64_t known, int64_t probe);

/* NumPy's broadcasting of inputs first … last: output 0's shape and samples. */
EXP_NODISCARD int op_broadcast(struct op_build *b, size_t first, size_t last, struct exp_error *err);

/* ---- parameters ---- */

/* Says what a parameter at input i is for; the first to say so counts. What is made of parameters alone by moving or
 * adding hands it on to them (engine/graph_build.c). No-op for other values. */
void op_set_role(const struct op_build *b, size_t i, enum graph_role role, size_t fan_in);

#endif
