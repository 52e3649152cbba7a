/*
 * session.h: one thread's means to run a graph forward and backward: a plan for a batch size and the scratch it needs.
 *
 * Parameters are passed to each call, so one session serves many models of the same graph (references, attempts).
 * Nothing is allocated after session_new. Results are a function of the rows and of the batch size, never of threads.
 * Threads: a session belongs to one thread at a time; make one a thread.
 * Loss is cross-entropy with integer labels; inputs are [n, row floats], labels [n], n <= batch. The class scores that
 * come back are always log-probabilities, whatever the graph's terminal operator is.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <stdbool.h>

#include "engine/graph.h"
#include "engine/params.h"
#include "engine/source.h"

struct session;

/* EXP_EMEMORY, EXP_ESHAPE. batch >= 1. */
EXP_NODISCARD int session_new(struct graph *g, size_t batch, struct session **out, struct exp_error *err);
void session_free(struct session *s);
size_t session_batch(const struct session *s);
struct graph *session_graph(const struct session *s); /* borrowed */

/* outputs [n, classes]: the graph's own output, as it is (serving). */
EXP_NODISCARD int session_forward(struct session *s, const struct params *p, const float *inputs, size_t n,
				  float *outputs);

/* log_probs [n, classes]. */
EXP_NODISCARD int session_log_probs(struct session *s, const struct params *p, const float *inputs, size_t n,
				    float *log_probs);

/* What session_backward does with the per-sample gradients of the cross-entropy; see engine/reduce.h. */
enum session_reduce {
	SESSION_SUM,        /* out [parameter floats] += sum_n g[n] */
	SESSION_SQUARE_SUM, /* out [parameter floats] += sum_n g[n]^2, exact per sample */
	SESSION_NORM,       /* dots [n] = sum_p g[n][p]^2 */
};

struct session_result {
	float *out;       /* SUM, SQUARE_SUM: added to; else NULL */
	double *dots;     /* NORM: written; else NULL */
	float *losses;    /* [n], written, or NULL */
	float *log_probs; /* [n, classes], written, or NULL */
};

/* EXP_ERANGE (a label outside 0 … classes-1), EXP_ENONFINITE (outputs of the call are then unspecified). */
EXP_NODISCARD int session_backward(struct session *s, const struct params *p, const float *inputs,
				   const int32_t *labels, size_t n, enum session_reduce reduce,
				   struct session_result *result);

#endif
