/*
 * graph_internal.h: a graph's insides, for the files of engine/ that build, plan, run and write it.
 *
 * What the file says, checked and linked; shapes of computed values follow from the number of samples and are in
 * engine/infer.h. Everything hangs in the graph's arena and is constant once graph_load has returned.
 */
#ifndef ENGINE_GRAPH_INTERNAL_H
#define ENGINE_GRAPH_INTERNAL_H

#include <stdatomic.h>

#include "engine/arena.h"
#include "engine/graph_options.h"
#include "engine/op.h"
#include "engine/wire.h"

#define GRAPH_NONE ((size_t)-1)

enum graph_value_kind {
	VALUE_COMPUTED,    /* a node's output */
	VALUE_INPUT,       /* data */
	VALUE_INITIALIZER, /* in the file: an initializer or a Constant node's tensor; or bound (graph_load_whole) */
};

struct graph_value {
	const char *name;
	enum graph_value_kind kind;
	enum tensor_type type; /* of inputs and initializers, as all that follows */
	int onnx_type;
	struct shape shape;       /* of an input: dims[0] is 1, or the file's batch when that is fixed */
	size_t node;              /* that makes it; GRAPH_NONE */
	size_t parameter;         /* GRAPH_NONE when it is none */
	size_t first_span, spans; /* of an fp32 initializer: its data in the file */
	const void *constant;     /* contents of an initializer that is no parameter; read when it is used */
	bool from_constant;       /* a Constant node's */
	bool unreadable;          /* of a type that is not supported: nothing can use it */
	bool is_statistic;        /* a parameter without gradient */
	bool is_frozen;           /* the owner's word: no parameter */
	bool used;                /* the output depends on it */
};

struct graph_node {
	const char *name, *op_type; /* name NULL when the file gives none */
	const struct op *op;
	size_t *inputs; /* values; GRAPH_NONE for one left out */
	size_t input_count;
	size_t *outputs; /* values; GRAPH_NONE for one without a name */
	size_t output_count;
	const struct op_attribute *attributes;
	size_t attribute_count;
	bool live;        /* on a path to the output */
	bool is_constant; /* a Constant node: its output is an initializer */
	bool known_domain;
};

struct graph {
	atomic_size_t refs;
	struct arena arena;
	uint8_t *bytes; /* the file */
	size_t size;
	struct wire wire;
	int64_t opset;
	size_t file_batch; /* 0: dynamic */
	bool whole;        /* no batch: see graph_load_whole */
	struct graph_options options;
	struct graph_value *values;
	size_t value_count;
	struct graph_node *nodes; /* in the file's order, which is topological */
	size_t node_count;
	size_t *inputs, input_count; /* values */
	size_t *outputs, output_count;
	size_t output;     /* outputs[0] */
	size_t loss_value; /* logits: the output, or the input of a terminal Softmax */
	size_t loss_node;  /* that terminal operator; GRAPH_NONE */
	enum graph_output output_kind;
	size_t row_dims[GRAPH_MAX_DIMS], row_rank, row_floats;
	size_t positions, classes;
	const struct op_samples **samples;  /* [value_count]: where samples lie in computed values; NULL: unbatched */
	struct graph_parameter *parameters; /* trainable ones first */
	size_t *parameter_values;           /* [parameter_count] */
	size_t parameter_count, parameter_floats, trainable_floats;
};

/* onnx_load.c: fills values, nodes, inputs, outputs, opset and spans from g->bytes and g->options. Inputs named in
 * bound become initializers with those contents. */
struct graph_binding {
	const char *name;
	struct tensor tensor;
};
EXP_NODISCARD int onnx_load(struct graph *g, const struct graph_binding *bound, size_t bound_count,
			    struct exp_error *err);

/* graph_build.c: finds what is live and which initializers are parameters, tries shapes at two samples. */
EXP_NODISCARD int graph_build(struct graph *g, struct exp_error *err);

/* For suites of test cases: a graph without batch, run as ONNX says. Every input is a tensor of the shape and type that
 * the file or the binding says; bound ones (copied) are known when the plan is made. All outputs are kept. Older
 * opsets are taken too, for what has not changed its meaning since. Run it with a runner (engine/runner.h) for 0
 * samples. */
EXP_NODISCARD int graph_load_whole(const void *bytes, size_t size, const struct graph_binding *bound,
				   size_t bound_count, struct graph **out, struct exp_error *err);

/* Copies an fp32 initializer's data out of the file. */
void graph_read_floats(const struct graph *g, const struct graph_value *v, float *out);

/* Puts the node in front of a callee's message; returns rc. */
int graph_at_node(const struct graph *g, size_t node, int rc, struct exp_error *err);

#endif
