#include "engine/train.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "engine/batch.h"
#include "engine/checkpoint.h"
#include "engine/optim.h"

/* Everything one run needs; all of it is made before the first step. */
struct run {
	const struct train_job *job;
	struct params *params, *gradient;
	struct optim optim;
	struct schedule_run pace;
	struct batch batch;
	size_t *order;         /* [rows] */
	size_t rows;           /* of an epoch */
	bool keeps_statistics; /* the model has some of its training rows */
	uint8_t data[DIGEST_SIZE];
};

static void shuffle(struct run *r, uint64_t epoch)
{
	size_t rows = r->job->source->rows;
	char purpose[32];
	struct rng rng;

	snprintf(purpose, sizeof(purpose), "shuffle/%llu", (unsigned long long)epoch);
	rng_init(&rng, r->job->seed, purpose);
	for (size_t i = 0; i < rows; i++)
		r->order[i] = i;
	rng_shuffle(&rng, r->order, rows);
}

static int step(struct run *r)
{
	const struct recipe *recipe = r->job->recipe;
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY,
			     .smoothing = (float)recipe->label_smoothing,
			     .labels = r->batch.labels };
	struct session_result result = { .out = r->gradient->values };
	struct session_call call = { .params = r->params,
				     .inputs = r->batch.inputs,
				     .n = r->batch.n,
				     .loss = &loss,
				     .reduce = SESSION_SUM,
				     .result = &result,
				     .training = r->keeps_statistics,
				     .statistics = r->params->values + r->optim.count };
	struct schedule_point at = schedule_at(&recipe->schedule, &r->pace, r->optim.steps);
	int rc;

	memset(r->gradient->values, 0, r->gradient->count * sizeof(float));
	rc = session_run(r->job->session, &call, NULL);
	if (!rc)
		optim_step(&r->optim, &at, r->params->values, r->gradient->values, 1.0f / (float)r->batch.n);
	return rc;
}

static int explain(int rc, uint64_t epoch, uint64_t steps, struct exp_error *err)
{
	if (rc == EXP_ENONFINITE)
		return error_set(err, rc, "training diverged in epoch %llu, step %llu; try a smaller learning_rate",
				 (unsigned long long)epoch + 1, (unsigned long long)steps + 1);
	return error_set(err, rc, "training stopped in epoch %llu, step %llu: %s", (unsigned long long)epoch + 1,
			 (unsigned long long)steps + 1, error_sentence(rc));
}

/* ---- checkpoints ---- */

static struct checkpoint checkpoint_of(struct run *r)
{
	struct checkpoint c = {
		.recipe = r->job->recipe, .seed = r->job->seed, .params = r->params, .optim = &r->optim
	};

	memcpy(c.data, r->data, sizeof(c.data));
	return c;
}

static int save(struct run *r, struct exp_error *err)
{
	struct checkpoint c = checkpoint_of(r);

	return checkpoint_save(&c, r->job->checkpoint, err);
}

static int digest_data(struct run *r, struct exp_error *err)
{
	const struct source *source = r->job->source;
	size_t labels = source_row_labels(source);
	struct digest d;

	digest_init(&d);
	for (size_t first = 0; first < source->rows; first += r->batch.n) {
		int rc = batch_read(&r->batch, NULL, first, err);

		if (rc)
			return rc;
		digest_add(&d, r->batch.inputs, r->batch.n * source->row_floats * sizeof(*r->batch.inputs));
		digest_add(&d, r->batch.labels, r->batch.n * labels * sizeof(*r->batch.labels));
	}
	digest_final(&d, r->data);
	return 0;
}

static int take_up(struct run *r, struct exp_error *err)
{
	struct checkpoint c;
	int rc = digest_data(r, err);

	if (rc || !file_exists(r->job->checkpoint))
		return rc;
	c = checkpoint_of(r);
	return checkpoint_load(&c, r->job->checkpoint, err);
}

/* ---- the run ---- */

/* After a step: tells who listens, and keeps what has been reached. */
static int account(struct run *r, uint64_t epoch, uint64_t done, struct exp_error *err)
{
	const struct train_job *job = r->job;
	bool cancelled =
	    job->progress && job->progress->report(job->progress->arg, done, r->pace.epochs * (uint64_t)r->rows);
	bool due = job->every && r->optim.steps % job->every == 0;
	int rc = job->checkpoint && (cancelled || due) ? save(r, err) : 0;

	if (!rc && cancelled)
		rc = error_set(err, EXP_ECANCELLED, "training was cancelled in epoch %llu",
			       (unsigned long long)epoch + 1);
	return rc;
}

/* From the step that the optimiser has reached. */
static int run_epoch(struct run *r, uint64_t epoch, struct exp_error *err)
{
	size_t first = (size_t)(r->optim.steps - epoch * r->pace.steps_an_epoch) * (size_t)r->job->recipe->batch;
	int rc;

	shuffle(r, epoch);
	for (; first < r->rows; first += r->batch.n) {
		rc = batch_read(&r->batch, r->order, first, err);
		if (rc)
			return rc;
		rc = step(r);
		if (rc)
			return explain(rc, epoch, r->optim.steps, err);
		rc = account(r, epoch, epoch * (uint64_t)r->rows + first + r->batch.n, err);
		if (rc)
			return rc;
	}
	return 0;
}

/* A step on a handful of rows is a jump: the recipe may leave out what does not fill a batch. */
static size_t rows_an_epoch(const struct recipe *r, size_t rows)
{
	size_t batch = (size_t)r->batch;

	return r->drop_last && rows > batch ? rows - rows % batch : rows;
}

static void set_pace(struct run *r)
{
	const struct recipe *recipe = r->job->recipe;
	size_t batch = (size_t)recipe->batch;

	r->rows = rows_an_epoch(recipe, r->job->source->rows);
	r->pace = (struct schedule_run){ .learning_rate = recipe->learning_rate,
					 .momentum = recipe->optimizer == RECIPE_SGD ? recipe->momentum : recipe->beta1,
					 .steps_an_epoch = (r->rows + batch - 1) / batch,
					 .epochs = (uint64_t)recipe->epochs };
}

static int prepare(struct run *r, struct exp_error *err)
{
	const struct train_job *job = r->job;
	struct graph *g = session_graph(job->session);
	int rc;

	if (job->source->rows == 0)
		return error_set(err, EXP_EINVAL, "there are no rows to train on");
	if ((size_t)job->recipe->batch > session_batch(job->session))
		return error_set(err, EXP_EINVAL, "the recipe's batch of %lld does not fit a session of %zu rows",
				 (long long)job->recipe->batch, session_batch(job->session));
	set_pace(r);
	r->keeps_statistics = graph_statistics_node(g) != NULL;
	rc = batch_init(&r->batch, g, job->source, (size_t)job->recipe->batch, err);
	if (rc)
		return rc;
	r->order = mem_try_alloc(job->source->rows, sizeof(*r->order));
	rc = r->order ? params_new(g, &r->gradient) : EXP_EMEMORY;
	if (!rc)
		rc = optim_init(&r->optim, job->recipe, g);
	if (rc)
		return error_set(err, rc, "no memory to train a model of %zu parameters", r->params->count);
	return job->checkpoint ? take_up(r, err) : 0;
}

int train_run_job(const struct train_job *job, struct params *p, struct exp_error *err)
{
	struct run run = { .job = job, .params = p };
	int rc = prepare(&run, err);

	for (uint64_t epoch = 0; !rc && epoch < run.pace.epochs; epoch++)
		if (run.optim.steps < (epoch + 1) * run.pace.steps_an_epoch)
			rc = run_epoch(&run, epoch, err);
	if (!rc)
		rc = params_check_finite(p, err);
	if (!rc && job->checkpoint)
		rc = file_destroy(job->checkpoint, err);
	optim_fini(&run.optim);
	batch_fini(&run.batch);
	params_free(run.gradient);
	mem_free(run.order);
	return rc;
}

int train_run(struct session *s, const struct recipe *r, uint64_t seed, const struct source *source, struct params *p,
	      const struct progress *progress, struct exp_error *err)
{
	struct train_job job = { .session = s, .recipe = r, .seed = seed, .source = source, .progress = progress };

	return train_run_job(&job, p, err);
}
