#include "bench/job.h"

#include <math.h>
#include <string.h>

#include "base/json.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/train.h"
#include "unlearn/ssd.h"

enum { FILE_LIMIT = 1 << 30, CHECK_ROWS = 8, STORED_ROWS = 1000 };

/* Of the parameters are dampened: the peers choose alpha alike. */
static const double selected_share = 0.01;

static const struct job *const jobs[] = { &job_sgemm, &job_fma,    &job_forward, &job_exact,
					  &job_train, &job_dampen, &job_deletion };

const struct job *job_find(const char *name)
{
	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		if (!strcmp(jobs[i]->name, name))
			return jobs[i];
	return NULL;
}

static int open_rows(struct job_work *w, struct exp_error *err)
{
	size_t batch = w->options.batch, rows;
	int rc = npy_open(w->options.inputs, &w->inputs, err);

	if (!rc)
		rc = npy_open(w->options.labels, &w->labels, err);
	if (!rc)
		rc = npy_source_init(&w->rows, &w->inputs, &w->labels, 1, graph_classes(w->graph), err);
	if (rc)
		return rc;
	rows = w->rows.source.rows;
	if (w->rows.source.row_floats != graph_input_floats(w->graph) || batch < 1 || batch > rows)
		return error_set(err, EXP_ESHAPE, "%s does not hold %zu rows for %s", w->options.inputs, batch,
				 w->options.model);
	w->index = mem_try_alloc(rows, sizeof(*w->index));
	w->batch_inputs = mem_try_aligned(batch * w->rows.source.row_floats, sizeof(float));
	w->batch_labels = mem_try_alloc(batch, sizeof(*w->batch_labels));
	w->scores = mem_try_aligned(batch * graph_classes(w->graph), sizeof(float));
	if (!w->index || !w->batch_inputs || !w->batch_labels || !w->scores)
		return EXP_EMEMORY;
	for (size_t i = 0; i < rows; i++)
		w->index[i] = i;
	source_subset_init(&w->subset, &w->rows.source, w->index, batch);
	return w->rows.source.read(&w->rows.source, w->index, batch, w->batch_inputs, w->batch_labels);
}

static int open_model(struct job_work *w, struct exp_error *err)
{
	struct session_options session = { .batch = w->options.batch, .threads = w->options.threads };
	int rc = graph_load_file(w->options.model, FILE_LIMIT, &w->graph, err);

	if (!rc)
		rc = graph_initial_params(w->graph, &w->params);
	if (!rc)
		rc = params_clone(w->params, &w->original);
	if (!rc)
		rc = open_rows(w, err);
	if (!rc)
		rc = session_open(w->graph, &session, &w->session, err);
	return rc;
}

int job_open(const struct job *job, const struct job_options *o, struct job_work *w, struct exp_error *err)
{
	int rc = 0;

	memset(w, 0, sizeof(*w));
	w->options = *o;
	w->samples = (double)o->batch;
	if (job->on_model)
		rc = open_model(w, err);
	return !rc && job->prepare ? job->prepare(w, err) : rc;
}

void job_close(struct job_work *w)
{
	session_free(w->session);
	importance_fini(&w->all);
	importance_fini(&w->forget);
	params_free(w->params);
	params_free(w->original);
	npy_close(&w->inputs);
	npy_close(&w->labels);
	mem_free(w->index);
	mem_free(w->batch_inputs);
	mem_free(w->batch_labels);
	mem_free(w->scores);
	mem_free(w->sums);
	mem_free(w->matrices);
	graph_unref(w->graph);
}

static void put_weights_back(struct job_work *w)
{
	params_copy(w->params, w->original);
}

/* As a server does. */
static int prepare_forward(struct job_work *w, struct exp_error *err)
{
	(void)err;
	session_hold(w->session, w->params);
	return 0;
}

static int run_forward(struct job_work *w, size_t units, struct exp_error *err)
{
	int rc = 0;

	(void)err;
	for (size_t i = 0; !rc && i < units; i++)
		rc = session_forward(w->session, w->params, w->batch_inputs, w->options.batch, w->scores);
	return rc;
}

static int check_forward(struct job_work *w, double *value, struct exp_error *err)
{
	size_t count = w->options.batch * graph_classes(w->graph);
	double sum = 0;
	int rc = run_forward(w, 1, err);

	for (size_t i = 0; i < count; i++)
		sum += fabs((double)w->scores[i]);
	*value = sum / (double)count;
	return rc;
}

const struct job job_forward = { "forward", true, prepare_forward, run_forward, NULL, check_forward };

static int prepare_exact(struct job_work *w, struct exp_error *err)
{
	(void)err;
	w->sums = mem_try_aligned(w->params->count, sizeof(float));
	return w->sums ? 0 : EXP_EMEMORY;
}

static int add_squares(struct job_work *w, size_t rows)
{
	struct session_result result = { .out = w->sums };

	return session_backward(w->session, w->params, w->batch_inputs, w->batch_labels, rows, SESSION_SQUARE_SUM,
				&result);
}

static int run_exact(struct job_work *w, size_t units, struct exp_error *err)
{
	int rc = 0;

	(void)err;
	for (size_t i = 0; !rc && i < units; i++)
		rc = add_squares(w, w->options.batch);
	return rc;
}

static int check_exact(struct job_work *w, double *value, struct exp_error *err)
{
	size_t rows = w->options.batch < CHECK_ROWS ? w->options.batch : CHECK_ROWS;
	double sum = 0;
	int rc;

	(void)err;
	memset(w->sums, 0, w->params->count * sizeof(float));
	rc = add_squares(w, rows);
	for (size_t i = 0; i < w->params->count; i++)
		sum += (double)w->sums[i];
	*value = sum;
	return rc;
}

const struct job job_exact = { "exact", true, prepare_exact, run_exact, NULL, check_exact };

static int prepare_train(struct job_work *w, struct exp_error *err)
{
	json_t *json = json_pack("{s:s, s:f, s:f, s:i, s:i}", "optimizer", "sgd", "learning_rate", 0.01, "momentum",
				 0.9, "epochs", 1, "batch", (int)w->options.batch);
	int rc = recipe_from_json(json, "", &w->recipe, err);

	json_decref(json);
	return rc;
}

/* Each epoch is one step. */
static int run_train(struct job_work *w, size_t units, struct exp_error *err)
{
	w->recipe.epochs = (int64_t)units;
	return train_run(w->session, &w->recipe, 1, &w->subset.source, w->params, NULL, err);
}

/* How far two steps move the parameters. */
static int check_train(struct job_work *w, double *value, struct exp_error *err)
{
	double moved = 0;
	int rc;

	put_weights_back(w);
	rc = run_train(w, 2, err);
	for (size_t i = 0; i < graph_trainable_floats(w->graph); i++)
		moved += fabs((double)w->params->values[i] - (double)w->original->values[i]);
	*value = moved;
	return rc;
}

const struct job job_train = { "train", true, prepare_train, run_train, NULL, check_train };

/* Parameters that an alpha selects: F N / n > alpha O. */
static double share_above(const struct importance *all, const struct importance *forget, double alpha)
{
	const float *o = all->sum->values, *f = forget->sum->values;
	double scale = ssd_alpha_ceiling(all, forget);
	size_t above = 0, count = graph_trainable_floats(all->sum->graph);

	for (size_t i = 0; i < count; i++)
		above += scale * (double)f[i] > alpha * (double)o[i];
	return (double)above / (double)count;
}

/* Halves an interval of logarithms: ratios spread over many powers of ten. */
static double alpha_that_selects(double share, const struct importance *all, const struct importance *forget)
{
	double low = -30, high = 30;

	for (int i = 0; i < 40; i++) {
		double middle = (low + high) / 2;

		if (share_above(all, forget, exp(middle)) > share)
			low = middle;
		else
			high = middle;
	}
	return exp(low);
}

/* Log-normal importances of 10,000 rows in all and one to forget, so that no alpha is out of reach. */
static int prepare_dampen(struct job_work *w, struct exp_error *err)
{
	struct rng rng;
	int rc = params_new(w->graph, &w->all.sum);

	(void)err;
	if (!rc)
		rc = params_new(w->graph, &w->forget.sum);
	if (rc)
		return rc;
	rng_init(&rng, 1, "importances");
	for (size_t i = 0; i < graph_trainable_floats(w->graph); i++) {
		w->all.sum->values[i] = (float)(10000 * exp(rng_normal(&rng)));
		w->forget.sum->values[i] = (float)(1e-4 * w->all.sum->values[i] * exp(rng_normal(&rng)));
	}
	w->all.rows = 10000;
	w->forget.rows = 1;
	w->samples = 1;
	w->alpha = alpha_that_selects(selected_share, &w->all, &w->forget);
	return 0;
}

static int run_dampen(struct job_work *w, size_t units, struct exp_error *err)
{
	int rc = 0;

	(void)err;
	for (size_t i = 0; !rc && i < units; i++)
		rc = ssd_dampen(w->params, &w->all, &w->forget, w->alpha, 1, NULL);
	return rc;
}

const struct job job_dampen = { "dampen", true, prepare_dampen, run_dampen, put_weights_back, NULL };

/*
 * The importance of all rows is stored before. It stands for STORED_ROWS: those to forget, and the rest of the file in
 * place of the others, so that ratios are not cut off at an N / n of hardly more than one.
 */
static int make_stored(struct job_work *w, const struct source *others, struct exp_error *err)
{
	size_t rows = w->options.batch;
	struct importance rest = { 0 };
	float weight;
	int rc = importance_compute(w->session, w->params, others, NULL, &rest, err);

	if (!rc)
		rc = params_clone(w->forget.sum, &w->all.sum);
	if (!rc) {
		weight = (float)(STORED_ROWS - rows) / (float)others->rows;
		for (size_t i = 0; i < w->params->count; i++)
			w->all.sum->values[i] += weight * rest.sum->values[i];
		w->all.rows = STORED_ROWS;
	}
	importance_fini(&rest);
	return rc;
}

/* Leaves the stored importance beside the model, for a deletion by the command line. */
static int prepare_deletion(struct job_work *w, struct exp_error *err)
{
	size_t rows = w->options.batch;
	struct source_subset others;
	char *path;
	int rc;

	if (rows >= w->rows.source.rows)
		return error_set(err, EXP_EINVAL, "%s has no rows that stay", w->options.inputs);
	source_subset_init(&others, &w->rows.source, w->index + rows, w->rows.source.rows - rows);
	rc = importance_compute(w->session, w->params, &w->subset.source, NULL, &w->forget, err);
	if (!rc)
		rc = make_stored(w, &others.source, err);
	if (rc)
		return rc;
	w->samples = 1;
	w->alpha = alpha_that_selects(selected_share, &w->all, &w->forget);
	path = mem_format("%s.importance.safetensors", w->options.model);
	rc = importance_save(&w->all, path, err);
	mem_free(path);
	return rc;
}

static int run_deletion(struct job_work *w, size_t units, struct exp_error *err)
{
	struct method_input in = { .session = w->session,
				   .forget = &w->subset.source,
				   .importance = &w->all,
				   .original = w->original,
				   .parameters = { [SSD_ALPHA] = w->alpha, [SSD_LAMBDA] = 1 },
				   .seed = 1 };
	struct method_report report;
	int rc = 0;

	for (size_t i = 0; !rc && i < units; i++)
		rc = method_run(&ssd_method, &in, w->params, &report, err);
	return rc;
}

const struct job job_deletion = { "deletion", true, prepare_deletion, run_deletion, put_weights_back, NULL };
