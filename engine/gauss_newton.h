/*
 * gauss_newton.h: products with the Gauss-Newton matrix of the mean loss over a set of rows,
 *
 *   G v = 1/rows sum_n J_n^T H_n J_n v,
 *
 * J_n the Jacobian of a sample's scores by the parameters, H_n the Hessian of its loss by the scores (Schraudolph,
 * "Fast Curvature Matrix-Vector Products for Second-Order Gradient Descent", Neural Computation 2002). J v is taken in
 * forward mode and J^T by backward: exact up to rounding, no differences. G is positive semi-definite. For the
 * cross-entropy it is the Fisher information under the model's own predictions.
 *
 * Cost: about two forward and two backward passes over the rows. Threads: those of the session.
 */
#ifndef ENGINE_GAUSS_NEWTON_H
#define ENGINE_GAUSS_NEWTON_H

#include "engine/accumulate.h"
#include "engine/loss.h"

struct gauss_newton {
	struct session *session;
	const struct params *at;
	const struct source *source;

	const struct progress *progress; /* may be NULL */
};

/* out [parameter floats], written: G v for v [parameter floats]; zeros for an empty source. EXP_ERANGE, EXP_ENONFINITE,
 * EXP_ECANCELLED, EXP_EMEMORY. */
EXP_NODISCARD int gauss_newton_multiply(const struct gauss_newton *g, const float *v, float *out,
					struct exp_error *err);

#endif
