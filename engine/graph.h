/*
 * graph.h: a model's computation, read from an ONNX file, immutable and shared.
 *
 * A graph knows inputs, operators, the shapes that follow and which fp32 initializers are parameters: those on a path
 * to the output, but for what the options freeze; statistics of batch norms are listed last and have no gradient. It
 * holds no weights of its own that anyone trains: those are a struct params (engine/params.h). The bytes of the file
 * are kept, so that graph_save can write the same file with new initializers.
 *
 * Hostile files are the normal case: the bytes are scanned on the wire for depth and sizes before protobuf-c sees them,
 * and types, shapes, cycles and overflow are checked before anything is allocated by their measure. Ownership:
 * graph_load's result is reference-counted. Threads: any number may read one graph at a time.
 */
#ifndef ENGINE_GRAPH_H
#define ENGINE_GRAPH_H

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/error.h"

enum { GRAPH_MAX_DIMS = 8 };

/* What the terminal operator yields: a Softmax or LogSoftmax at the end is read as (log-)probabilities, all else as
 * logits. */
enum graph_output { GRAPH_LOGITS, GRAPH_PROBABILITIES, GRAPH_LOG_PROBABILITIES };

/* What a parameter is for, as the first operator that uses it says; initialisation follows from it. */
enum graph_role {
	GRAPH_ROLE_OTHER,    /* no rule: an initializer that an element-wise operator uses, say */
	GRAPH_ROLE_WEIGHT,   /* of a dense or convolutional layer; fan_in: inputs of one output */
	GRAPH_ROLE_BIAS,     /* added to what a weight made; fan_in: that weight's */
	GRAPH_ROLE_SCALE,    /* of a normalisation: starts at one */
	GRAPH_ROLE_SHIFT,    /* of a normalisation: starts at zero */
	GRAPH_ROLE_MEAN,     /* statistics of training rows, without gradient: starts at zero */
	GRAPH_ROLE_VARIANCE, /* the same: starts at one */
};

struct graph_parameter {
	const char *name; /* the ONNX initializer's, borrowed from the graph */
	size_t dims[GRAPH_MAX_DIMS];
	size_t rank;
	size_t offset, count; /* floats, within the flat block of params */
	enum graph_role role;
	size_t fan_in; /* see enum graph_role; 0 where the role has none */
};

struct graph;
struct graph_options; /* engine/graph_options.h */
struct params;

/* Opset 9 to 17, fp32. bytes are copied. Errors name the node and what to do: EXP_EPARSE (not ONNX, too deep),
 * EXP_EUNSUPPORTED (operator, type, opset), EXP_ESHAPE, EXP_ENONFINITE (a weight), EXP_ELIMIT (over limit bytes of file
 * or of memory). */
EXP_NODISCARD int graph_load(const void *bytes, size_t size, struct graph **out, struct exp_error *err);
EXP_NODISCARD int graph_load_file(const char *path, size_t limit, struct graph **out, struct exp_error *err);

/* The same with sizes of dimensions that the file leaves open, and what of it is frozen; copied. NULL: nothing is said.
 * EXP_EINVAL: the file has no such symbol, input or initializer. */
EXP_NODISCARD int graph_load_with(const void *bytes, size_t size, const struct graph_options *options,
				  struct graph **out, struct exp_error *err);
EXP_NODISCARD int graph_load_file_with(const char *path, size_t limit, const struct graph_options *options,
				       struct graph **out, struct exp_error *err);

/* What the graph was loaded with; borrowed. What graph_save writes is loaded with the same. */
const struct graph_options *graph_options(const struct graph *g);

struct graph *graph_ref(struct graph *g);
void graph_unref(struct graph *g); /* the last one zeroes the file's bytes: weights must not linger */

/* The file's own weights as a new block of parameters. EXP_EMEMORY. */
EXP_NODISCARD int graph_initial_params(const struct graph *g, struct params **out);

size_t graph_parameter_count(const struct graph *g);
const struct graph_parameter *graph_parameter(const struct graph *g, size_t i);
size_t graph_parameter_floats(const struct graph *g); /* of the flat block */
/* Of its front part: what has a gradient. Statistics of training rows (batch norm's) are the tail. */
size_t graph_trainable_floats(const struct graph *g);

/* The data inputs. A row is all of them one after the other; name and dims are those of the first, dims [row floats]
 * when there are several. */
const char *graph_input_name(const struct graph *g);
const size_t *graph_input_dims(const struct graph *g, size_t *rank); /* of one row, without the batch dimension */
size_t graph_input_floats(const struct graph *g);                    /* of one row */
size_t graph_input_count(const struct graph *g);

/* The first output, [positions, classes] for each sample: positions is 1 for [N, C], T for [N, T, C]. */
const char *graph_output_name(const struct graph *g);
size_t graph_classes(const struct graph *g);
size_t graph_positions(const struct graph *g);     /* labels of one sample */
size_t graph_output_floats(const struct graph *g); /* positions * classes */
enum graph_output graph_output_kind(const struct graph *g);

/* The first node that holds statistics of the training rows (batch norm), "" when it has no name; NULL: there is none.
 */
const char *graph_statistics_node(const struct graph *g);

/* The same file, byte for byte, with the initializers' values taken from params; appended to out. EXP_EINVAL when
 * params belong to another graph. The result loads wherever the original did. */
EXP_NODISCARD int graph_save(const struct graph *g, const struct params *params, struct buf *out,
			     struct exp_error *err);

#endif
