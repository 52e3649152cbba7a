/*
 * method.h: the one interface of every unlearning method.
 *
 * A method is a pure function of weights, data views, stored importances, parameters and a seed: it changes the block
 * of parameters that it is given and nothing else. It declares what it needs, so that a policy can tell what applies
 * before anything runs, and what its result is worth:
 *
 *   METHOD_EXACT         the weights are those of a training run that never saw the rows
 *   METHOD_APPROXIMATE   the weights changed; only measured evidence says how far
 *   METHOD_SUPPRESSION   the weights that learned the rows are still there behind a filter: closes no erasure alone
 *
 * Ownership: what struct method_input points to is borrowed for the call. Threads: a call uses its session's thread.
 */
#ifndef UNLEARN_METHOD_H
#define UNLEARN_METHOD_H

#include "base/json.h"
#include "engine/importance.h"
#include "engine/recipe.h"
#include "engine/session.h"

enum method_class { METHOD_EXACT, METHOD_APPROXIMATE, METHOD_SUPPRESSION };

enum method_need {
	METHOD_NEEDS_FORGET = 1 << 0,         /* the rows to forget */
	METHOD_NEEDS_RETAIN = 1 << 1,         /* rows that stay */
	METHOD_NEEDS_IMPORTANCE = 1 << 2,     /* stored importances over all training rows */
	METHOD_NEEDS_ORIGINAL = 1 << 3,       /* a frozen copy of the weights before the request */
	METHOD_NEEDS_RECIPE = 1 << 4,         /* how the model is trained, and its initial weights */
	METHOD_NEEDS_TEMPLATE = 1 << 5,       /* substitute labels or answers */
	METHOD_NEEDS_ASSISTANT = 1 << 6,      /* a second, smaller model */
	METHOD_NEEDS_INPUT_GRADIENT = 1 << 7, /* gradients by an overridden value */
	METHOD_NEEDS_SURGERY = 1 << 8,        /* a changed graph */
};

enum { METHOD_MAX_PARAMETERS = 8 };

/* One number that a method takes. It goes into the record under its name. */
struct method_parameter {
	const char *name, *meaning;
	double fallback, min, max; /* inclusive; the fallback is used when the parameter is absent */
	bool required;
};

struct method_input {
	struct session *session;
	const struct source *forget, *retain;
	const struct importance *importance;        /* over all training rows, the forget rows included */
	const struct importance *forget_importance; /* over the forget rows; NULL: the method computes what it needs */
	const struct params *original, *initial;    /* initial: the weights that a training run starts from */
	const struct recipe *recipe;
	double parameters[METHOD_MAX_PARAMETERS]; /* in the order of the method's table */
	uint64_t seed;
	const struct progress *progress;
};

struct method_report {
	uint64_t edited;     /* parameters whose value may have changed */
	uint64_t parameters; /* of the model */
};

struct method {
	const char *name;
	int version; /* rises when the same input would give other weights */
	enum method_class class;
	unsigned needs; /* of enum method_need */
	const struct method_parameter *parameters;
	size_t parameter_count;
	int (*run)(const struct method_input *in, struct params *p, struct method_report *report,
		   struct exp_error *err);
};

size_t method_count(void);
const struct method *method_at(size_t i);
const struct method *method_find(const char *name); /* NULL when there is none */

const char *method_class_name(enum method_class class); /* "exact", "approximate", "suppression" */

/* The needs that in does not meet; 0 when the method can run. */
unsigned method_missing(const struct method *m, const struct method_input *in);
const char *method_need_name(unsigned need); /* of one bit */

/* Fills values from a JSON object of numbers (NULL: none given). EXP_EFIELD names the parameter; pointers start at
 * base. */
EXP_NODISCARD int method_parse(const struct method *m, const json_t *object, const char *base,
			       double values[METHOD_MAX_PARAMETERS], struct exp_error *err);
json_t *method_parameters_json(const struct method *m, const double *values); /* new reference */

/*
 * Changes p. EXP_EINVAL names a need that is not met or a parameter out of bounds, EXP_ECANCELLED, EXP_ENONFINITE (the
 * result holds a NaN or an infinity), what the engine reports. On failure p is unspecified: hand in a clone.
 */
EXP_NODISCARD int method_run(const struct method *m, const struct method_input *in, struct params *p,
			     struct method_report *report, struct exp_error *err);

#endif
