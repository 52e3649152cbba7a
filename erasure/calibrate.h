/*
 * calibrate.h: what registration of a model does: importances, fidelity, references. Resumable: what is finished in the
 * folder is not done again, so a job that was killed goes on where it stood.
 *
 * Files in the folder handed in: "importance.safetensors", "fidelity.json", and the score table of verify/scores.h
 * under "scores/".
 */
#ifndef ERASURE_CALIBRATE_H
#define ERASURE_CALIBRATE_H

#include "erasure/policy.h"
#include "erasure/watch.h"
#include "verify/reference.h"

struct calibrate_job {
	const struct policy *policy;
	const struct population *population;
	const struct recipe *recipe; /* NULL: the model is served and mitigable, verdicts stay not_exchangeable */
	const struct params
	    *served; /* the file's weights; also the initial ones of a recipe with initialization "file" */
	uint64_t seed;
	size_t threads; /* >= 1 */
	const char *folder;
	const struct watch *watch; /* may be NULL */
};

struct calibration {
	bool has_recipe;
	double retrain_seconds; /* 0 without a recipe */
	bool exchangeable;
	char capped[160];  /* why verdicts are capped at not_exchangeable, or "" */
	size_t references; /* finished models */
	size_t heldout_subjects, train_rows, heldout_rows;
	struct behaviour served;
	struct band band;
	double heldout_z[STATISTICS];
	double negative_control; /* share of true reference models flagged, over sampled subjects; NaN without
				    references */
	double positive_control; /* the same share of models that saw the subject */
	size_t control_subjects;
};

/* Validates that model, dataset and recipe fit (EXP_ESHAPE, EXP_ERANGE, EXP_EINVAL from policy_check_heldout), then
 * does the work. EXP_ECANCELLED keeps what is finished. */
EXP_NODISCARD int calibrate(const struct calibrate_job *job, struct calibration *out, struct exp_error *err);

/* For storage: everything of the struct. Numbers that are not known (NaN) are left out. */
json_t *calibration_to_json(const struct calibration *c); /* new reference */
EXP_NODISCARD int calibration_from_json(const json_t *json, struct calibration *out, struct exp_error *err);

/* "FOLDER/importance.safetensors", "FOLDER/scores"; mem_free. */
char *calibrate_importance_path(const char *folder);
char *calibrate_scores_path(const char *folder);

#endif
