/*
 * runner.h: runs a plan on a block of memory: forward, backward, forward mode.
 *
 * A runner borrows everything and allocates nothing; its owner fills it in before each use. Threads: a runner
 * and its memory belong to one thread at a time; the plan and the parameters may be shared.
 */
#ifndef ENGINE_RUNNER_H
#define ENGINE_RUNNER_H

#include "engine/plan.h"

enum { RUNNER_MAX_DIRECTIONS = 64 };

/* What one thread needs to run any plan of a graph; grown as plans come. */
struct runner_memory {
	float *block; /* [floats], 64-byte aligned */
	size_t floats;
	struct op_input *in, *spare_in; /* [edges] */
	struct op_output *out;          /* [edges] */
	struct reduce *reduces;         /* [edges] */
	const float **directions;       /* [edges, RUNNER_MAX_DIRECTIONS] */
	size_t edges;
	uint8_t *reached; /* [value_count of the graph] */
};

/* Weights in the form that operators like best. */
struct runner_prepared {
	float *floats;
	size_t count;
	size_t *at, *sizes; /* [node_count]; sizes 0: nothing for that node */
};

struct runner {
	const struct plan *plan;
	const struct graph *graph;
	struct runner_memory *memory;
	const float *params;         /* the block of a struct params; NULL in a graph without parameters */
	const float *rows;           /* [samples, row floats] */
	const void *const *feeds;    /* of a graph run whole: [input_count], in the memory type */
	const float *const *replace; /* [tap_count]: sample-major values to put in place; NULL, or entries NULL */
	const size_t *taps;
	size_t tap_count;
	float *statistics; /* the tail of a parameter block, to be moved by a training plan; NULL: left alone */
	const struct runner_prepared *prepared; /* of these parameters; NULL: none */
	bool with_end;                          /* run a terminal softmax too */
};

/* EXP_EMEMORY. What was there is overwritten before it is freed: activations follow from people's rows. */
EXP_NODISCARD int runner_memory_fit(struct runner_memory *m, const struct plan *p);
void runner_memory_fini(struct runner_memory *m);

void runner_forward(struct runner *r);

/* Prepares the weights for all plans of the graph. EXP_EMEMORY, and also when they would take more than limit floats:
 * then nothing is prepared. Undo with runner_prepared_fini. */
EXP_NODISCARD int runner_prepare(struct runner *r, size_t limit, struct runner_prepared *out);
void runner_prepared_fini(struct runner_prepared *p);

/* Where a value's contents or gradient stand after a pass; batched ones in their own layout (see op.h). grad: NULL when
 * none reached it. */
const void *runner_data(const struct runner *r, size_t value);
const float *runner_grad(const struct runner *r, size_t value);
const float *runner_tangent(const struct runner *r, size_t value); /* NULL: zero */

/* Copies [outer, N, inner] to [N, outer * inner] and back. floats: of one sample. */
void runner_gather(const struct runner *r, size_t value, const float *from, float *to);
void runner_spread(const struct runner *r, size_t value, const float *from, float *to);

/* ---- backward: after runner_forward ---- */

/* What becomes of gradients by parameters; out, dots and so on as in session.h, dots of the runner's own samples. */
struct runner_gradients {
	bool none;
	enum reduce_kind kind;
	float *out;
	double *dots;
	const float *const *directions; /* whole parameter blocks */
	size_t direction_count;
	float *const *left, *const *right; /* MOMENTS: [parameter count], entries may be NULL */

	/* Several runners add to one out: what node (node_count: what follows the nodes) adds comes between wait and
	 * pass. Both are called for each turn exactly once a pass. NULL: alone. */
	void (*wait)(void *arg, size_t turn);
	void (*pass)(void *arg, size_t turn);
	void *arg;
};

/* Forgets all gradients; then seeds are set, each at most once per value: adds cotangent, sample-major. */
void runner_start_backward(struct runner *r);
void runner_seed(struct runner *r, size_t value, const float *cotangent);
/* Where the caller may write a first seed itself; NULL when it must be added by runner_seed. */
float *runner_seed_place(struct runner *r, size_t value);
void runner_backward(struct runner *r, const struct runner_gradients *g);

/* ---- forward mode, with a PLAN_TANGENT: values and tangents in one pass ---- */

void runner_forward_mode(struct runner *r, const float *direction);

#endif
