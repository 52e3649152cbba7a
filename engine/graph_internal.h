/*
 * graph_internal.h: a graph's insides, for the files of engine/ that build, plan, run and write it.
 *
 * Everything hangs in the graph's arena and is constant once graph_load has returned.
 */
#ifndef ENGINE_GRAPH_INTERNAL_H
#define ENGINE_GRAPH_INTERNAL_H

#include <stdatomic.h>

#include "engine/arena.h"
#include "engine/op.h"
#include "engine/wire.h"

#define GRAPH_NONE ((size_t)-1)

enum graph_value_kind {
	VALUE_COMPUTED,    /* a node's output; of an integer node too */
	VALUE_INPUT,       /* the data */
	VALUE_INITIALIZER, /* in the file: an initializer or a Constant node's tensor */
};

struct graph_value {
	struct op_value v;
	enum graph_value_kind kind;
	size_t node;              /* that makes it; GRAPH_NONE */
	size_t root;              /* the value whose memory this is: itself unless a view made it */
	size_t parameter;         /* GRAPH_NONE when it is none */
	size_t first_span, spans; /* of an fp32 initializer: its data in the file */
	bool from_constant;       /* a Constant node's */
	bool other_type;          /* an initializer that is neither fp32 nor integer: nothing can use it */
	bool used;                /* the output depends on it */
	bool trainable;           /* depends on a parameter */
	size_t uses;              /* inputs of live nodes that it feeds */
};

/* When a node is run. */
enum graph_phase {
	PHASE_FOLDED,     /* integers: done when the graph was loaded */
	PHASE_CONSTANT,   /* from constants alone: once a session */
	PHASE_PARAMETERS, /* from parameters alone: once a call */
	PHASE_ROWS,       /* for every row */
};

struct graph_node {
	const char *name, *op_type;
	const struct op *op;
	size_t *inputs; /* values; GRAPH_NONE for one left out */
	size_t input_count;
	size_t output;                     /* value; GRAPH_NONE when the first output has no name */
	size_t first_output, output_count; /* all values that it makes */
	const struct op_attribute *attributes;
	size_t attribute_count;
	void *config;
	size_t scratch, scratch_per_row, normalised;
	uint64_t flops_per_row;
	enum graph_phase phase;
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
	int64_t file_batch; /* 0: dynamic */
	struct graph_value *values;
	size_t value_count;
	struct graph_node *nodes; /* in the file's order, which is topological */
	size_t node_count;
	size_t input, output; /* values */
	size_t loss_value;    /* logits: the output, or the input of a terminal Softmax */
	size_t loss_node;     /* that terminal operator; GRAPH_NONE */
	enum graph_output output_kind;
	size_t classes;
	struct graph_parameter *parameters;
	size_t *parameter_values; /* [parameter_count] */
	size_t parameter_count, parameter_floats;
};

/* onnx_load.c: fills values, nodes, input, output, opset and spans from g->bytes; no shapes of computed values. */
EXP_NODISCARD int onnx_load(struct graph *g, struct exp_error *err);

/* graph_build.c: finds what is live, works out shapes, parameters and phases. */
EXP_NODISCARD int graph_build(struct graph *g, struct exp_error *err);

/* Copies an fp32 initializer's data out of the file. */
void graph_read_floats(const struct graph *g, const struct graph_value *v, float *out);

#endif
