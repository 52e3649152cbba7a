/*
 * graph_options.h: what an owner says of an ONNX file that the file leaves open.
 *
 *   {"sizes": {"sequence": 64}, "shapes": {"image": [3, 48, 192]}, "frozen": ["adjacency"]}
 *
 * sizes: how long the dimensions of the inputs with that symbol are. shapes: of one row of an input, without the batch;
 * for dimensions that have no symbol, and for inputs without a shape. What a shape says of a symbol holds for the other
 * inputs too. The plans that follow have these sizes; the file keeps its symbols.
 *
 * frozen: initializers that look like parameters and are none, such as a fixed adjacency matrix. They are constants
 * with the file's numbers: without gradient and importance, not trained and not initialised anew. Nothing that was
 * learned from people's rows may be frozen, for it would stay as it is in every later version.
 *
 * Ownership: all pointers are borrowed; what is read from JSON is in the arena that was given. Threads: readers only.
 */
#ifndef ENGINE_GRAPH_OPTIONS_H
#define ENGINE_GRAPH_OPTIONS_H

#include "base/json.h"
#include "engine/arena.h"
#include "engine/graph.h"

/* Of each list in JSON. */
enum { GRAPH_OPTIONS_MAX = 1024 };

struct graph_size {
	const char *symbol;
	size_t size;
};

struct graph_shape {
	const char *input;
	size_t dims[GRAPH_MAX_DIMS - 1];
	size_t rank;
};

struct graph_options {
	const struct graph_size *sizes;
	size_t size_count;
	const struct graph_shape *shapes;
	size_t shape_count;
	const char *const *frozen;
	size_t frozen_count;
};

/* Each list may be missing. EXP_EFIELD names the list at fault below base. EXP_EMEMORY. */
EXP_NODISCARD int graph_options_from_json(const json_t *json, const char *base, struct arena *arena,
					  struct graph_options *out, struct exp_error *err);

/* New reference, without empty lists; NULL when nothing is said at all. */
json_t *graph_options_to_json(const struct graph_options *o);

/* EXP_EMEMORY. */
EXP_NODISCARD int graph_options_copy(const struct graph_options *from, struct arena *arena, struct graph_options *to);

#endif
