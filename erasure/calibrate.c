#include "erasure/calibrate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"

enum { CONTROL_SUBJECTS = 24, FILE_LIMIT = 1 << 20 };

char *calibrate_importance_path(const char *folder)
{
	return file_join(folder, "importance.safetensors");
}

char *calibrate_scores_path(const char *folder)
{
	return file_join(folder, "scores");
}

/* What the steps share. */
struct work {
	const struct calibrate_job *job;
	struct session *session;
	char *importance, *fidelity, *scores, *setup; /* paths */
	struct calibration result;
};

static int check_fit(const struct calibrate_job *job, struct exp_error *err)
{
	const struct population *p = job->population;
	size_t floats = graph_input_floats(job->served->graph);
	int rc = population_check(p, err);

	if (rc)
		return rc;
	if (p->source->row_floats != floats)
		return error_set(err, EXP_ESHAPE, "a row has %zu numbers, the model's input %s takes %zu",
				 p->source->row_floats, graph_input_name(job->served->graph), floats);
	rc = params_check_finite(job->served, err);
	if (rc || !job->recipe)
		return rc;
	return policy_check_heldout(job->policy, population_units(p->heldout_units, p->heldout.count), err);
}

static void digest_rows(struct digest *d, struct row_list rows, const int32_t *units)
{
	digest_add(d, &rows.count, sizeof(rows.count));
	digest_add(d, rows.index, rows.count * sizeof(*rows.index));
	digest_add(d, units, rows.count * sizeof(*units));
}

/* Everything that the files in the folder follow from. */
static void identify(const struct calibrate_job *job, char hex[DIGEST_HEX])
{
	uint8_t part[DIGEST_SIZE];
	struct buf recipe = { 0 };
	struct digest d;

	digest_init(&d);
	params_digest(job->served, part);
	digest_add(&d, part, sizeof(part));
	policy_digest(job->policy, part);
	digest_add(&d, part, sizeof(part));
	digest_add(&d, &job->seed, sizeof(job->seed));
	digest_rows(&d, job->population->train, job->population->train_units);
	digest_rows(&d, job->population->heldout, job->population->heldout_units);
	if (job->recipe) {
		json_t *json = recipe_to_json(job->recipe);

		json_write(json, false, &recipe);
		digest_add(&d, recipe.data, recipe.size);
		json_decref(json);
	}
	digest_final(&d, part);
	hex_encode(part, sizeof(part), hex);
	buf_fini(&recipe);
}

static bool same_text(const char *path, const char *text)
{
	struct buf found = { 0 };
	bool same = file_exists(path) && file_read(path, FILE_LIMIT, &found, NULL) == 0 && found.size == strlen(text) &&
		    memcmp(found.data, text, found.size) == 0;

	buf_fini(&found);
	return same;
}

/* Files of another setup (the population or the policy changed while the job was down) are of no use. */
static int start_over_unless_same(struct work *w, struct exp_error *err)
{
	char hex[DIGEST_HEX];
	int rc;

	identify(w->job, hex);
	if (same_text(w->setup, hex))
		return 0;
	rc = file_destroy(w->setup, err);
	if (!rc)
		rc = file_destroy(w->importance, err);
	if (!rc)
		rc = file_destroy(w->fidelity, err);
	if (!rc)
		rc = scores_destroy(w->scores, err);
	return rc ? rc : file_write_durable(w->setup, hex, strlen(hex), err);
}

static int make_importance(struct work *w, struct exp_error *err)
{
	const struct population *p = w->job->population;
	struct importance importance = { 0 };
	struct source_subset subset;
	struct watch_stage stage;
	int rc;

	if (file_exists(w->importance))
		return 0;
	source_subset_init(&subset, p->source, p->train.index, p->train.count);
	rc = importance_compute(w->session, w->job->served, &subset.source,
				watch_stage_init(&stage, w->job->watch, "importance"), &importance, err);
	if (!rc)
		rc = importance_save(&importance, w->importance, err);
	importance_fini(&importance);
	return rc;
}

static int read_fidelity(const char *path, struct fidelity *out, struct exp_error *err)
{
	struct buf text = { 0 };
	json_t *json = NULL;
	int rc = file_read(path, FILE_LIMIT, &text, err);

	if (!rc)
		rc = json_parse(text.data, text.size, &json, err);
	if (!rc)
		rc = fidelity_from_json(json, out, err);
	json_decref(json);
	buf_fini(&text);
	return rc ? error_wrap(err, rc, "%s", path) : 0;
}

static int write_fidelity(const char *path, const struct fidelity *f, struct exp_error *err)
{
	json_t *json = fidelity_to_json(f);
	struct buf text = { 0 };
	int rc;

	json_write(json, true, &text);
	rc = file_write_durable(path, text.data, text.size, err);
	json_decref(json);
	buf_fini(&text);
	return rc;
}

static int make_fidelity(struct work *w, struct fidelity *out, struct exp_error *err)
{
	const struct calibrate_job *job = w->job;
	struct watch_stage stage;
	struct fidelity_job fidelity = {
		.population = job->population,
		.recipe = job->recipe,
		.served = job->served,
		.initial = job->served,
		.models = (size_t)job->policy->fidelity_models,
		.seed = job->seed,
		.limits = job->policy->fidelity,
		.progress = watch_stage_init(&stage, job->watch, "fidelity"),
	};
	int rc;

	if (file_exists(w->fidelity))
		return read_fidelity(w->fidelity, out, err);
	rc = fidelity_measure(&fidelity, w->session, out, err);
	return rc ? rc : write_fidelity(w->fidelity, out, err);
}

static int make_references(struct work *w, struct exp_error *err)
{
	const struct calibrate_job *job = w->job;
	struct watch_stage stage;
	struct reference_job references = {
		.population = job->population,
		.recipe = job->recipe,
		.served = job->served,
		.initial = job->served,
		.rounds = (size_t)job->policy->rounds,
		.folds = (size_t)job->policy->folds,
		.threads = job->threads,
		.neighbours = (size_t)job->policy->neighbours,
		.neighbour_spread = job->policy->neighbour_spread,
		.finetune_epochs = job->policy->finetune_epochs,
		.seed = job->seed,
		.folder = w->scores,
		.progress = watch_stage_init(&stage, job->watch, "references"),
	};

	return reference_train(&references, err);
}

/* The rows of one training unit, in rows; the count is returned. */
static size_t rows_of_unit(const struct population *p, int32_t unit, size_t *rows)
{
	size_t n = 0;

	for (size_t i = 0; i < p->train.count; i++)
		if (p->train_units[i] == unit)
			rows[n++] = p->train.index[i];
	return n;
}

static int control_one(struct work *w, const struct scores *scores, struct row_list subject, size_t *frames,
		       struct subject_controls *sum, struct exp_error *err)
{
	const struct population *p = w->job->population;
	const struct policy *policy = w->job->policy;
	struct subject_limits limits = { policy_attempt_alpha(policy), policy->statistics,
					 (size_t)policy->pseudo_subjects, (size_t)policy->min_heldout };
	struct subject_rows rows = { subject, p->heldout, population_units(p->heldout_units, p->heldout.count) };
	struct subject_controls one;
	struct subject_frame frame;
	int rc = subject_frame_init(&frame, scores, &rows, &limits, w->job->seed, err);

	if (rc)
		return rc;
	subject_controls(&frame, &one);
	if (!frame.refused) {
		sum->power += one.power;
		sum->false_alarm += one.false_alarm;
		++*frames;
	}
	subject_frame_fini(&frame);
	return 0;
}

/* Positive and negative control over a seeded sample of training subjects. */
static int measure_controls(struct work *w, const struct scores *scores, struct exp_error *err)
{
	const struct population *p = w->job->population;
	size_t units = population_units(p->train_units, p->train.count), frames = 0;
	size_t *rows = mem_try_alloc(p->train.count, sizeof(*rows)), *order = mem_try_alloc(units, sizeof(*order));
	struct subject_controls sum = { 0 };
	struct rng rng;
	int rc = rows && order ? 0 : error_set(err, EXP_EMEMORY, "no memory for the controls");

	for (size_t i = 0; !rc && i < units; i++)
		order[i] = i;
	rng_init(&rng, w->job->seed, "controls");
	if (!rc)
		rng_shuffle(&rng, order, units);
	for (size_t i = 0; !rc && i < units && i < CONTROL_SUBJECTS; i++) {
		struct row_list subject = { rows, rows_of_unit(p, (int32_t)order[i], rows) };

		rc = control_one(w, scores, subject, &frames, &sum, err);
	}
	if (!rc && frames) {
		w->result.positive_control = sum.power / (double)frames;
		w->result.negative_control = sum.false_alarm / (double)frames;
		w->result.control_subjects = frames;
	}
	mem_free(rows);
	mem_free(order);
	return rc;
}

static int check_references(struct work *w, const struct scores *scores, struct fidelity *f, struct exp_error *err)
{
	const struct calibrate_job *job = w->job;
	struct reference_scorer how = { scores, job->population->source, job->recipe };
	struct scored_model served = { job->served, job->population->train, job->seed };
	float *values = mem_try_alloc(scores->columns, STATISTICS * sizeof(*values));
	int rc;

	if (!values)
		return error_set(err, EXP_EMEMORY, "no memory for the served model's scores");
	rc = reference_score(w->session, &how, &served, job->population->heldout, values, err);
	if (!rc)
		rc = fidelity_check_references(scores, values, &job->policy->fidelity, f, err);
	mem_free(values);
	return rc;
}

static void keep_fidelity(struct work *w, const struct fidelity *f, size_t references)
{
	struct calibration *c = &w->result;

	c->retrain_seconds = f->retrain_seconds;
	c->exchangeable = f->exchangeable;
	snprintf(c->capped, sizeof(c->capped), "%s", f->reason);
	c->served = f->served;
	c->band = f->band;
	memcpy(c->heldout_z, f->heldout_z, sizeof(c->heldout_z));
	c->references = references;
}

static int with_recipe(struct work *w, struct exp_error *err)
{
	struct scores scores = { 0 };
	struct fidelity f;
	int rc = make_fidelity(w, &f, err);

	if (!rc)
		rc = make_references(w, err);
	if (!rc)
		rc = scores_load(w->scores, &scores, err);
	if (!rc)
		rc = check_references(w, &scores, &f, err);
	if (!rc)
		rc = measure_controls(w, &scores, err);
	if (!rc)
		keep_fidelity(w, &f, scores.models);
	scores_fini(&scores);
	return rc;
}

/* Accuracy and loss without a recipe: there is no band, but the baseline is worth knowing. */
static int without_recipe(struct work *w, struct exp_error *err)
{
	const struct population *p = w->job->population;
	struct predictions train = { 0 }, heldout = { 0 };
	int rc = predictions_of(w->session, w->job->served, p->source, p->train, &train, err);

	if (!rc)
		rc = predictions_of(w->session, w->job->served, p->source, p->heldout, &heldout, err);
	if (!rc)
		w->result.served = behaviour_of(&train, &train, &heldout);
	snprintf(w->result.capped, sizeof(w->result.capped),
		 "no training recipe: there are no reference models to compare with");
	predictions_fini(&train);
	predictions_fini(&heldout);
	return rc;
}

static void start_result(struct work *w)
{
	const struct population *p = w->job->population;
	struct calibration *c = &w->result;

	c->has_recipe = w->job->recipe != NULL;
	c->train_rows = p->train.count;
	c->heldout_rows = p->heldout.count;
	c->heldout_subjects = population_units(p->heldout_units, p->heldout.count);
	c->positive_control = c->negative_control = NAN;
	for (size_t s = 0; s < STATISTICS; s++)
		c->heldout_z[s] = NAN;
}

static int run(struct work *w, struct exp_error *err)
{
	const struct calibrate_job *job = w->job;
	size_t batch = job->recipe ? score_batch(job->recipe) : 128;
	int rc = file_make_folder(job->folder, err);

	if (!rc)
		rc = start_over_unless_same(w, err);
	if (!rc)
		rc = session_open(job->served->graph,
				  &(struct session_options){ .batch = batch, .threads = (unsigned)job->threads },
				  &w->session, err);
	if (!rc)
		rc = make_importance(w, err);
	if (!rc)
		rc = job->recipe ? with_recipe(w, err) : without_recipe(w, err);
	return rc;
}

int calibrate(const struct calibrate_job *job, struct calibration *out, struct exp_error *err)
{
	struct work w = { .job = job };
	int rc = check_fit(job, err);

	if (rc)
		return rc;
	w.importance = calibrate_importance_path(job->folder);
	w.scores = calibrate_scores_path(job->folder);
	w.fidelity = file_join(job->folder, "fidelity.json");
	w.setup = file_join(job->folder, "calibration.setup");
	start_result(&w);
	rc = run(&w, err);
	if (!rc)
		*out = w.result;
	session_free(w.session);
	mem_free(w.importance);
	mem_free(w.scores);
	mem_free(w.fidelity);
	mem_free(w.setup);
	return rc;
}
