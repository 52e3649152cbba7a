/*
 * ladder.h: one erasure job: the policy's methods in order, each verified, until one may be published.
 *
 * - Measured retraining below retrain_first_below_s, or exact_only: exact work is the first and only rung.
 * - An approximate attempt is accepted when no request's verdict is a fail and at least one is a pass (or, by policy,
 *   none is either); requests without a pass stay open until exact work closes them. A fail discards it and escalates.
 * - Exact work is accepted on utility alone; without a recipe it does not apply, and the attempt says so.
 *
 * Several requests are unlearned as one set and tested each on its own. Nothing is written; the live parameters are not
 * changed. Threads: one call uses the calling thread and up to `threads` of its own.
 */
#ifndef ERASURE_LADDER_H
#define ERASURE_LADDER_H

#include "erasure/calibrate.h"
#include "erasure/evidence.h"

struct erasure_job {
	const struct policy *policy;
	const struct population *population;   /* train: all live training rows, those of the requests included */
	const struct params *live, *initial;   /* initial: the registered ONNX file's weights */
	const struct recipe *recipe;           /* NULL: none */
	const struct importance *importance;   /* over population.train, as kept up to date; NULL: computed here */
	const struct scores *scores;           /* NULL: none */
	const struct calibration *calibration; /* NULL: none, verdicts capped */
	const struct row_list *requests;       /* [request_count]: training rows of each request; disjoint */
	size_t request_count;
	bool exact_only; /* a retrain job that closes debt */
	uint64_t seed;   /* committed to before the job runs */
	size_t threads;
	const struct watch *watch; /* may be NULL */
};

/* One request under one attempt. */
struct erasure_finding {
	enum verdict verdict;
	bool closes; /* the request is mitigated (approximate) or erased (exact) when the attempt is published */
	char reason[160];
	json_t *evidence; /* owned; erasure/evidence.h */
	struct evidence_numbers numbers;
};

struct erasure_attempt {
	const struct method *method;
	json_t *parameters; /* owned */
	uint64_t seed;
	double seconds; /* of the edit and its search; without verification */
	double verify_seconds;
	uint64_t edited; /* parameters */
	bool ran, accepted;
	char reason[160]; /* why not run, or why not accepted */
	struct utility utility;
	struct erasure_finding *findings; /* [request_count], owned; NULL when it did not run */
};

struct erasure_result {
	struct erasure_attempt attempts[POLICY_MAX_RUNGS];
	size_t attempt_count, request_count;
	int accepted;                 /* index of the accepted attempt, -1 when none */
	struct params *params;        /* owned; its weights, or NULL */
	struct importance importance; /* brought up to date for them; sum is NULL when none */
};

/* EXP_EINVAL: a request without rows or with rows that are not live training rows, requests that share rows, nothing
 * retained. EXP_ECANCELLED, EXP_EMEMORY and what methods and scoring report. *out is untouched on failure. */
EXP_NODISCARD int erasure_run(const struct erasure_job *job, struct erasure_result *out, struct exp_error *err);
void erasure_result_fini(struct erasure_result *r);

#endif
