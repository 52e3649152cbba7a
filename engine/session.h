/*
 * session.h: the means to run a graph forward and backward: plans for the numbers of samples that occur, and memory.
 *
 * Parameters are passed to each call, so one session serves many models of the same graph (references, attempts).
 * A call's samples are cut into shards whose size follows from graph and batch alone; threads take shards, and what
 * they add to a parameter's sum is added in the shards' order. So results are a function of the rows and of the batch
 * size, never of threads, and buffers as large as the parameters do not multiply.
 * Nothing is allocated by a call whose number of samples and kind has occurred before; a plan for a new one is made
 * then and kept (the eight latest). Threads: a session belongs to one caller at a time. It may use threads of its own.
 * A row is all inputs of one sample one after the other, in the graph's order, fp32 (integers too: exact to 2^24).
 * n is at most the session's batch, that at most 2^20.
 */
#ifndef ENGINE_SESSION_H
#define ENGINE_SESSION_H

#include <stdbool.h>

#include "engine/graph.h"
#include "engine/loss.h"
#include "engine/params.h"
#include "engine/source.h"

struct session;

struct session_options {
	size_t batch;            /* samples of one call, at most; >= 1 */
	unsigned threads;        /* of the caller and the session together; 0: one */
	size_t shard;            /* samples that are run at once; 0: chosen from the graph and the batch */
	const char *const *taps; /* names of values that calls read or replace; copied */
	size_t tap_count;
};

/* EXP_EMEMORY, EXP_ESHAPE, EXP_ELIMIT; EXP_EFIELD (a tap that the graph does not compute, without samples, no fp32, or
 * known beforehand). A view (Reshape, Flatten …) shares what is read, replaced and differentiated with what it views.
 */
EXP_NODISCARD int session_open(struct graph *g, const struct session_options *options, struct session **out,
			       struct exp_error *err);
/* With batch, one thread and no taps. */
EXP_NODISCARD int session_new(struct graph *g, size_t batch, struct session **out, struct exp_error *err);
void session_free(struct session *s);
size_t session_batch(const struct session *s);
struct graph *session_graph(const struct session *s);         /* borrowed */
size_t session_tap_floats(const struct session *s, size_t k); /* of one sample */

/* How many of a call's samples a session runs at once on each thread, worked out without opening one. Errors as above.
 */
EXP_NODISCARD int session_shard(const struct graph *g, size_t batch, size_t *shard, struct exp_error *err);

/* p stays as it is from now on: forward calls with p may keep weights in a form that suits the operators, at the cost
 * of memory of about the parameters' size. Until another is held; NULL: none. Holding the same again is fine. */
void session_hold(struct session *s, const struct params *p);

/* outputs [n, output floats]: the graph's own first output, as it is (serving). */
EXP_NODISCARD int session_forward(struct session *s, const struct params *p, const float *inputs, size_t n,
				  float *outputs);

/* log_probs [n, output floats]: log-softmax over the classes of each position, whatever the terminal operator is. */
EXP_NODISCARD int session_log_probs(struct session *s, const struct params *p, const float *inputs, size_t n,
				    float *log_probs);

/* What becomes of the per-sample gradients by the parameters; see engine/reduce.h. */
enum session_reduce {
	SESSION_SUM,        /* out [parameter floats] += sum_n g[n] */
	SESSION_SQUARE_SUM, /* out [parameter floats] += sum_n g[n]^2, exact per sample */
	SESSION_NORM,       /* dots [n] = sum_p g[n][p]^2 */
	SESSION_DOT,        /* dots [n, direction_count] = sum_p g[n][p] d_k[p] */
	SESSION_MOMENTS,    /* moments [parameter count]: Kronecker factors of each weight, added to */
	SESSION_NONE,       /* none: gradients by taps are wanted, or the forward pass alone */
};

/* Kronecker factors of a weight [out, in] (convolutions: in = channels * taps); NULL leaves one out. A parameter that
 * is used twice or by way of arithmetic has none: its buffers stay as they are. */
struct session_moments {
	float *out; /* [out, out]: sum over samples and positions of output gradients' outer products */
	float *in;  /* [in, in]: of activations */
};

struct session_result {
	float *out;                            /* SUM, SQUARE_SUM: added to */
	double *dots;                          /* NORM, DOT: written */
	const float *const *directions;        /* DOT: direction_count blocks [parameter floats] */
	size_t direction_count;                /* at most 64 */
	const struct session_moments *moments; /* MOMENTS: [parameter count] */
	float *losses;                         /* [n], written, or NULL */
	float *log_probs;                      /* [n, output floats], written, or NULL; for losses that read logits */
};

/* Of the cross-entropy: labels [n, positions]. EXP_ERANGE (a label outside 0 … classes-1; in sequences LOSS_NO_LABEL is
 * left out), EXP_ENONFINITE (outputs of the call are then unspecified). */
EXP_NODISCARD int session_backward(struct session *s, const struct params *p, const float *inputs,
				   const int32_t *labels, size_t n, enum session_reduce reduce,
				   struct session_result *result);

/* A tapped value in a call; arrays are [n, session_tap_floats], sample after sample. NULL: not wanted. */
struct session_tap {
	float *read;            /* written: its value */
	const float *replace;   /* put in place of what was computed; what is behind it gets no gradient */
	const float *cotangent; /* added to the loss's gradient by it */
	float *grad;            /* written: the gradient by it */
};

/* One pass, with everything that a pass can do. Zero what is not wanted. */
struct session_call {
	const struct params *params;
	const float *inputs;
	size_t n;
	const struct session_tap *taps; /* [tap_count of the session], or NULL */
	float *outputs;                 /* [n, output floats], written: the graph's own output */
	const struct loss *loss;        /* NULL: none; gradients then start at cotangents of taps */
	enum session_reduce reduce;     /* SESSION_NONE: no gradients by parameters */
	struct session_result *result;  /* may be NULL with SESSION_NONE */
	bool training; /* batch norm uses the batch's own statistics: one shard, SUM only. statistics, when given, are
			  moved: s = momentum s + (1 - momentum) batch's */
	float *statistics; /* [parameter floats - trainable floats], the tail of a parameter block */
};

/* As session_backward; err (may be NULL) says more. EXP_EINVAL: the call contradicts itself. */
EXP_NODISCARD int session_run(struct session *s, const struct session_call *call, struct exp_error *err);

/* Forward mode: tangents [n, output floats] of what the loss reads (logits, or the graph's own output when logits is
 * false) along direction [parameter floats]. Exact, no differences. log_probs as above, or NULL. */
struct session_tangent {
	const struct params *params;
	const float *inputs;
	size_t n;
	const float *direction;
	bool logits;
	float *tangents;
	float *scores; /* [n, output floats], written: the logits or outputs themselves; or NULL */
};
EXP_NODISCARD int session_tangent(struct session *s, const struct session_tangent *call, struct exp_error *err);

#endif
