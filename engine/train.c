#include "engine/train.h"

#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "engine/batch.h"
#include "engine/optim.h"

/* Everything one run needs; all of it is made before the first step. */
struct run {
	struct session *session;
	const struct recipe *recipe;
	uint64_t seed;
	const struct progress *progress;
	struct params *params, *gradient;
	struct optim optim;
	struct batch batch;
	size_t *order; /* [rows] */
};

static void shuffle(struct run *r, int64_t epoch)
{
	char purpose[32];
	struct rng rng;

	snprintf(purpose, sizeof(purpose), "shuffle/%lld", (long long)epoch);
	rng_init(&rng, r->seed, purpose);
	for (size_t i = 0; i < r->batch.source->rows; i++)
		r->order[i] = i;
	rng_shuffle(&rng, r->order, r->batch.source->rows);
}

static int step(struct run *r)
{
	struct session_result result = { .out = r->gradient->values };
	float share = 1.0f / (float)r->batch.n;
	int rc;

	memset(r->gradient->values, 0, r->gradient->count * sizeof(float));
	rc =
	    session_backward(r->session, r->params, r->batch.inputs, r->batch.labels, r->batch.n, SESSION_SUM, &result);
	if (rc)
		return rc;
	for (size_t i = 0; i < r->gradient->count; i++)
		r->gradient->values[i] *= share;
	optim_step(&r->optim, r->params->values, r->gradient->values);
	return 0;
}

static int explain(int rc, int64_t epoch, uint64_t steps, struct exp_error *err)
{
	if (rc == EXP_ENONFINITE)
		return error_set(err, rc, "training diverged in epoch %lld, step %llu; try a smaller learning_rate",
				 (long long)epoch + 1, (unsigned long long)steps + 1);
	return error_set(err, rc, "training stopped in epoch %lld, step %llu: %s", (long long)epoch + 1,
			 (unsigned long long)steps + 1, error_sentence(rc));
}

/* A step on a handful of rows is a jump: the recipe may leave out what does not fill a batch. */
static size_t rows_an_epoch(const struct run *r)
{
	size_t rows = r->batch.source->rows, batch = (size_t)r->recipe->batch;

	return r->recipe->drop_last && rows > batch ? rows - rows % batch : rows;
}

static int run_epoch(struct run *r, int64_t epoch, struct exp_error *err)
{
	size_t rows = rows_an_epoch(r);
	uint64_t total = (uint64_t)r->recipe->epochs * rows, before = (uint64_t)epoch * rows;
	int rc;

	shuffle(r, epoch);
	for (size_t first = 0; first < rows; first += r->batch.n) {
		rc = batch_read(&r->batch, r->order, first, err);
		if (rc)
			return rc;
		rc = step(r);
		if (rc)
			return explain(rc, epoch, r->optim.steps, err);
		if (r->progress && r->progress->report(r->progress->arg, before + first + r->batch.n, total))
			return error_set(err, EXP_ECANCELLED, "training was cancelled in epoch %lld",
					 (long long)epoch + 1);
	}
	return 0;
}

static int prepare(struct run *r, const struct source *source, struct exp_error *err)
{
	int rc;

	if (source->rows == 0)
		return error_set(err, EXP_EINVAL, "there are no rows to train on");
	if ((size_t)r->recipe->batch > session_batch(r->session))
		return error_set(err, EXP_EINVAL, "the recipe's batch of %lld does not fit a session of %zu rows",
				 (long long)r->recipe->batch, session_batch(r->session));
	rc = batch_init(&r->batch, session_graph(r->session), source, (size_t)r->recipe->batch, err);
	if (rc)
		return rc;
	r->order = mem_try_alloc(source->rows, sizeof(*r->order));
	rc = r->order ? params_new(session_graph(r->session), &r->gradient) : EXP_EMEMORY;
	if (!rc)
		rc = optim_init(&r->optim, r->recipe, r->params->count);
	return rc ? error_set(err, rc, "no memory to train a model of %zu parameters", r->params->count) : 0;
}

int train_run(struct session *s, const struct recipe *r, uint64_t seed, const struct source *source, struct params *p,
	      const struct progress *progress, struct exp_error *err)
{
	struct run run = { .session = s, .recipe = r, .seed = seed, .progress = progress, .params = p };
	int rc = prepare(&run, source, err);

	for (int64_t epoch = 0; !rc && epoch < r->epochs; epoch++)
		rc = run_epoch(&run, epoch, err);
	if (!rc)
		rc = params_check_finite(p, err);
	optim_fini(&run.optim);
	batch_fini(&run.batch);
	params_free(run.gradient);
	mem_free(run.order);
	return rc;
}
