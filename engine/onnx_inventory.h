/*
 * onnx_inventory.h: what an ONNX file holds, without asking whether the engine can run it.
 *
 * graph_load stops at the first thing that it does not know; this reads on, so that a report can name all of them, and
 * keeps what a graph forgets: the names and order of everything, and which operators feed which.
 *
 * Hostile files: scanned on the wire like graph_load's; texts that are not printable UTF-8 of a sane length read "?".
 * Ownership: everything is the inventory's; onnx_inventory_fini. Threads: any number of readers.
 */
#ifndef ENGINE_ONNX_INVENTORY_H
#define ENGINE_ONNX_INVENTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "engine/arena.h"
#include "engine/shape.h"

#define ONNX_NOWHERE ((size_t)-1)

/* A dimension of an input or output: a number, a symbol ("batch"), or neither (a number of -1 and no symbol). */
struct onnx_dim {
	int64_t number;
	const char *symbol;
};

/* An input or output of the graph. */
struct onnx_port {
	const char *name;
	const char *type; /* "float", "int64", "sequence" … */
	int onnx_type;    /* TensorProto.DataType of its elements; 0: no tensor */
	struct onnx_dim *dims;
	size_t rank;
	bool shaped; /* the file says a shape at all */
};

struct onnx_constant {
	const char *name;
	int type; /* TensorProto.DataType */
	struct shape shape;
	bool odd;      /* more dimensions than the engine holds, or negative ones: shape says nothing */
	size_t offset; /* in the file, of fp32 data that lie together and fill the shape; else ONNX_NOWHERE */
};

struct onnx_node {
	const char *name, *op_type, *domain; /* "" where the file has none; domain "" for ai.onnx */
	const char **inputs, **outputs;      /* "" for one left out */
	const char **attributes;             /* their names */
	size_t input_count, output_count, attribute_count;
	bool known; /* the engine has the operator */
};

struct onnx_inventory {
	struct arena arena;
	int64_t opset; /* of the default domain; 0: none */
	int64_t ir_version;
	const char *producer; /* "pytorch 1.13.1", "" */
	struct onnx_port *inputs, *outputs;
	size_t input_count, output_count; /* inputs: those that no initializer gives */
	struct onnx_constant *initializers;
	size_t initializer_count;
	struct onnx_node *nodes; /* of the main graph, in the file's order */
	size_t node_count;
};

/* EXP_EPARSE, EXP_ELIMIT, EXP_EMEMORY. */
EXP_NODISCARD int onnx_inventory_init(struct onnx_inventory *v, const void *bytes, size_t size, struct exp_error *err);
void onnx_inventory_fini(struct onnx_inventory *v);

/* One operator of the file: its nodes counted. */
struct onnx_tally {
	const char *op_type, *domain;
	size_t count;
	bool known;
	const struct onnx_node *first; /* in the file */
};

/* By name, each operator once; in the inventory's arena. EXP_EMEMORY. */
EXP_NODISCARD int onnx_inventory_tally(struct onnx_inventory *v, struct onnx_tally **out, size_t *count,
				       struct exp_error *err);

/* One thing that the engine does not know: a node's operator or, when that is known, one of its attributes. */
struct onnx_gap {
	const struct onnx_node *node;
	const char *attribute; /* NULL: the operator */
};

/* All of them, in the file's order; in the inventory's arena. That there are none does not say that the engine can run
 * the file: shapes, types and attributes' values are graph_load's business. EXP_EMEMORY. */
EXP_NODISCARD int onnx_inventory_gaps(struct onnx_inventory *v, struct onnx_gap **out, size_t *count,
				      struct exp_error *err);

#endif
