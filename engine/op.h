/*
 * op.h: what an operator is. One operator, or one close family, is one file op_*.c: shape inference, forward and
 * backward side by side, and one row in ops.c.
 *
 * Two kinds of values flow along a graph's edges. A *batched* value has one row a sample, rows one after the other in
 * memory; its shape is that of a row (engine/shape.h). An *unbatched* value is the same for all samples: a weight, a
 * constant, or what follows from these alone. An operator whose inputs are all unbatched runs once a call, as one row.
 *
 * Gradients. For an input, at most one of two things is asked for:
 *   in[i].grad    write (never add) the gradient, shaped like the input. Batched inputs, and unbatched inputs of an
 *                 operator that is unbatched itself.
 *   in[i].reduce  hand over what makes up the per-sample gradients (engine/reduce.h). Unbatched inputs of a batched
 *                 operator: gradients of a weight are never laid out sample by sample unless they are small.
 * Sums over several users of a value are the session's business.
 *
 * Memory: an operator keeps nothing between calls and allocates nothing; what it knows from its attributes is in its
 * config (filled by infer, then constant), and its scratch is given anew to each call.
 * Threads: any number may run the same node with different memory.
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

/* One element of an integer tensor: value, times the number of rows when per_row (that is how a graph says "batch"). */
struct op_integer {
	int64_t value;
	bool per_row;
};

/* An edge while shapes are worked out. */
struct op_value {
	const char *name;
	struct shape shape; /* of a row when batched, else of the whole */
	bool batched;
	const struct op_integer *integers; /* [shape_count] of an integer tensor, known at load; else NULL */
	const float *constant;             /* [shape_count] of an fp32 constant that is no parameter; else NULL */
	bool is_parameter;
	enum graph_role role; /* of a parameter, as its first user calls it */
	size_t fan_in;        /* of a parameter: see graph.h; of any other value: of the weight that made it, or 0 */
};

enum op_attribute_type {
	OP_FLOAT = 1,
	OP_INT = 2,
	OP_STRING = 3,
	OP_TENSOR = 4,
	OP_FLOATS = 6,
	OP_INTS = 7,
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
	size_t count; /* of ints or floats */
};

struct op;

/* What infer gets and what it fills. */
struct op_build {
	const char *op_type;
	int64_t opset;
	int64_t file_batch;       /* the batch size that the file fixes; 0 when it is dynamic */
	struct op_value **inputs; /* [input_count]; NULL for an optional input left out */
	size_t input_count;
	const struct op_attribute *attributes;
	size_t attribute_count;
	struct arena *arena; /* the graph's, for fold */

	struct op_value *output;         /* the first, the only one supported: shape or integers to fill */
	void *config;                    /* config_size bytes, zeroed */
	size_t scratch, scratch_per_row; /* floats that each call needs */
	size_t normalised;               /* Softmax: floats of a row that sum to one */
	uint64_t flops_per_row;          /* of the forward pass, for the report */
};

/* Edges while the graph runs. floats is that of one row, or of the whole when unbatched: arrays are [rows, floats] or
 * [floats]. */
struct op_input {
	const struct op_value *value;
	size_t floats;
	const float *data;     /* NULL for an optional input left out */
	float *grad;           /* to write, or NULL */
	struct reduce *reduce; /* to hand factors to, or NULL */
};

struct op_output {
	const struct op_value *value;
	size_t floats;
	float *data;
	const float *grad;
};

struct op_run {
	const struct op *op;
	size_t rows;
	const void *config;
	const struct op_input *in; /* [in_count] */
	size_t in_count;
	struct op_output *out;
	float *scratch; /* scratch + rows * scratch_per_row floats, of any content */
};

enum {
	OP_VIEW = 1, /* the output is the first input's memory under another shape; no forward, no backward */
	OP_SOFTMAX = 2,
	OP_LOG_SOFTMAX = 4, /* at the end of a graph: read together with the loss */
	OP_STATISTICS = 8,  /* holds means or variances of training rows that are no parameters */
};

struct op {
	const char *name; /* ONNX operator of the default domain */
	size_t min_inputs, max_inputs;
	const char *attributes; /* names that infer knows, separated by blanks; any other is refused */
	unsigned flags;
	unsigned fixed;   /* bit i: an initializer at input i is no parameter (batch-norm statistics, bounds) */
	unsigned weights; /* bit i: a Constant node at input i is a parameter, as an initializer is */
	size_t config_size;
	int variant; /* tells the members of a family apart; the file's own */

	/* Checks inputs and attributes, sets output, config and needs. Errors say what; the caller adds where. */
	int (*infer)(const struct op *op, struct op_build *b, struct exp_error *err);
	/* The same for integer tensors, known at load: sets output->shape and output->integers. NULL: not for those. */
	int (*fold)(const struct op *op, struct op_build *b, struct exp_error *err);
	void (*forward)(const struct op_run *r);
	void (*backward)(const struct op_run *r);
};

/* NULL when there is no such operator. */
const struct op *op_find(const char *name);

/* All rows, for reports and tests. */
const struct op *const *op_all(size_t *count);

/* Attributes: the value is untouched when the node has no such attribute. EXP_EPARSE when it has another type. */
EXP_NODISCARD int op_get_int(const struct op_build *b, const char *name, int64_t *value, struct exp_error *err);
EXP_NODISCARD int op_get_float(const struct op_build *b, const char *name, float *value, struct exp_error *err);
EXP_NODISCARD int op_get_string(const struct op_build *b, const char *name, const char **value, struct exp_error *err);
EXP_NODISCARD int op_get_ints(const struct op_build *b, const char *name, const int64_t **values, size_t *count,
			      struct exp_error *err);

/* A dimension's number: negative values count from rank; EXP_ESHAPE outside -rank … rank-1. */
EXP_NODISCARD int op_axis(int64_t value, size_t rank, size_t *axis, struct exp_error *err);
EXP_NODISCARD int op_get_axis(const struct op_build *b, const char *name, size_t rank, int64_t fallback, size_t *axis,
			      struct exp_error *err);

/* EXP_EUNSUPPORTED when input i is an integer tensor, EXP_ESHAPE when it is missing. */
EXP_NODISCARD int op_need_float(const struct op_build *b, size_t i, struct exp_error *err);

/* The integers of input i; EXP_EUNSUPPORTED when it is an fp32 tensor. */
EXP_NODISCARD int op_need_integers(const struct op_build *b, size_t i, const struct op_integer **values, size_t *count,
				   struct exp_error *err);

/* Says what a parameter at input i is for; the first to say so counts. No-op for other values. */
void op_set_role(const struct op_build *b, size_t i, enum graph_role role, size_t fan_in);

/* Room for the integers of the output's shape. EXP_EMEMORY, EXP_ELIMIT. */
EXP_NODISCARD int op_new_integers(struct op_build *b, struct op_integer **out, struct exp_error *err);

#endif
