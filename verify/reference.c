#include "verify/reference.h"

#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"
#include "base/thread.h"
#include "engine/train.h"
#include "verify/reference_internal.h"

enum { THREADS_MAX = 64, POLL_MS = 100 };

/* The work that threads share; only what lock protects changes while they run, and stop. */
struct pool {
	const struct reference_job *job;
	const struct scores *table;
	struct lock lock;
	struct condition changed;
	size_t next, done, running;
	int rc; /* the first failure */
	struct exp_error error;
	atomic_bool stop;
};

/* What one thread trains with. */
struct trainer {
	struct pool *pool;
	struct session *session;
	struct params *params;
	size_t *trained; /* [train.count] rows of the present model */
	float *values;   /* [columns, STATISTICS] */
};

static uint64_t model_seed(uint64_t seed, const char *purpose, size_t model)
{
	char text[48];
	struct rng rng;

	snprintf(text, sizeof(text), "reference/%s/%zu", purpose, model);
	rng_init(&rng, seed, text);
	return rng_u64(&rng);
}

static bool stopped(void *arg, uint64_t done, uint64_t total)
{
	(void)done;
	(void)total;
	return atomic_load(&((struct pool *)arg)->stop);
}

static size_t rows_of_model(const struct pool *pool, size_t model, size_t *rows)
{
	const struct scores *table = pool->table;
	size_t n = 0;

	for (size_t c = 0; c < table->columns; c++)
		if (!scores_is_out(table, model, c))
			rows[n++] = table->rows[c];
	return n;
}

static int behave(struct trainer *t, struct row_list trained, struct behaviour *out, struct exp_error *err)
{
	const struct reference_job *job = t->pool->job;
	const struct source *source = job->population->source;
	struct predictions now = { 0 }, before = { 0 }, heldout = { 0 };
	int rc = predictions_of(t->session, t->params, source, trained, &now, err);

	if (!rc)
		rc = predictions_of(t->session, job->served, source, trained, &before, err);
	if (!rc)
		rc = predictions_of(t->session, t->params, source, job->population->heldout, &heldout, err);
	if (!rc)
		*out = behaviour_of(&now, &before, &heldout);
	predictions_fini(&now);
	predictions_fini(&before);
	predictions_fini(&heldout);
	return rc;
}

static int train_model(struct trainer *t, size_t model, struct row_list trained, struct exp_error *err)
{
	const struct reference_job *job = t->pool->job;
	struct progress progress = { stopped, t->pool };
	struct source_subset subset;
	uint64_t seed = model_seed(job->seed, "train", model);
	int rc;

	source_subset_init(&subset, job->population->source, trained.index, trained.count);
	params_copy(t->params, job->initial);
	rc = train_initialize(job->recipe, seed, job->initial, t->params, err);
	if (!rc)
		rc = train_run(t->session, job->recipe, seed, &subset.source, t->params, &progress, err);
	return rc;
}

static int make_model(struct trainer *t, size_t model, struct exp_error *err)
{
	const struct reference_job *job = t->pool->job;
	const struct scores *table = t->pool->table;
	struct reference_scorer how = { table, job->population->source, job->recipe };
	struct row_list trained = { t->trained, rows_of_model(t->pool, model, t->trained) };
	struct scored_model scored = { t->params, trained, model_seed(job->seed, "finetune", model) };
	struct behaviour behaviour;
	int rc = train_model(t, model, trained, err);

	if (!rc)
		rc = behave(t, trained, &behaviour, err);
	if (!rc)
		rc = reference_score(t->session, &how, &scored, (struct row_list){ table->rows, table->columns },
				     t->values, err);
	if (!rc)
		rc = scores_write_model(job->folder, table, model, &behaviour, t->values, err);
	return rc ? error_wrap(err, rc, "reference model %zu of %zu", model + 1, table->models) : 0;
}

static int trainer_init(struct trainer *t, struct pool *pool, struct exp_error *err)
{
	const struct reference_job *job = pool->job;
	int rc;

	*t = (struct trainer){ .pool = pool };
	rc = session_new(job->served->graph, score_batch(job->recipe), &t->session, err);
	if (rc)
		return rc;
	t->trained = mem_try_alloc(job->population->train.count, sizeof(*t->trained));
	t->values = mem_try_alloc(pool->table->columns, STATISTICS * sizeof(*t->values));
	rc = params_clone(job->initial, &t->params);
	if (rc || !t->trained || !t->values)
		return error_set(err, EXP_EMEMORY, "no memory to train reference models");
	return 0;
}

static void trainer_fini(struct trainer *t)
{
	session_free(t->session);
	params_free(t->params);
	mem_free(t->trained);
	mem_free(t->values);
}

/* The next model that is missing, or false. */
static bool take(struct pool *pool, size_t *model)
{
	bool found;

	lock_take(&pool->lock);
	while (pool->next < pool->table->models && pool->table->done[pool->next])
		pool->next++;
	found = pool->next < pool->table->models && !atomic_load(&pool->stop);
	if (found)
		*model = pool->next++;
	lock_release(&pool->lock);
	return found;
}

static void finish(struct pool *pool, int rc, const struct exp_error *error)
{
	lock_take(&pool->lock);
	pool->done += rc == 0;
	if (rc && !pool->rc) {
		pool->rc = rc;
		pool->error = *error;
	}
	if (rc)
		atomic_store(&pool->stop, true);
	condition_signal(&pool->changed);
	lock_release(&pool->lock);
}

static void run_thread(void *arg)
{
	struct pool *pool = arg;
	struct exp_error error = { 0 };
	struct trainer t;
	size_t model;
	int rc = trainer_init(&t, pool, &error);

	if (rc)
		finish(pool, rc, &error);
	while (!rc && take(pool, &model)) {
		rc = make_model(&t, model, &error);
		finish(pool, rc, &error);
	}
	trainer_fini(&t);
	lock_take(&pool->lock);
	pool->running--;
	condition_signal(&pool->changed);
	lock_release(&pool->lock);
}

/* Tells the job's progress from the calling thread, without the lock, and passes its wish to cancel on. */
static void follow(struct pool *pool)
{
	const struct progress *progress = pool->job->progress;
	bool running = true;

	while (running) {
		size_t done;

		lock_take(&pool->lock);
		if (pool->running)
			condition_wait_for(&pool->changed, &pool->lock, POLL_MS);
		done = pool->done;
		running = pool->running > 0;
		lock_release(&pool->lock);
		if (progress && progress->report(progress->arg, done, pool->table->models))
			atomic_store(&pool->stop, true);
	}
}

static int start_threads(struct pool *pool, struct thread *threads, struct exp_error *err)
{
	size_t wanted = pool->job->threads < THREADS_MAX ? pool->job->threads : THREADS_MAX;
	int rc = 0;

	for (size_t i = 0; !rc && i < (wanted ? wanted : 1); i++) {
		lock_take(&pool->lock);
		pool->running++;
		lock_release(&pool->lock);
		rc = thread_start(&threads[i], "reference", run_thread, pool);
		if (!rc)
			continue;
		lock_take(&pool->lock);
		pool->running--;
		lock_release(&pool->lock);
		atomic_store(&pool->stop, true);
	}
	return rc ? error_set(err, rc, "a thread for reference models did not start") : 0;
}

static int run_pool(struct pool *pool, struct exp_error *err)
{
	struct thread threads[THREADS_MAX] = { 0 };
	int rc = start_threads(pool, threads, err);

	follow(pool);
	for (size_t i = 0; i < THREADS_MAX; i++)
		thread_join(&threads[i]);
	if (rc)
		return rc;
	if (pool->rc && pool->rc != EXP_ECANCELLED)
		return error_set(err, pool->rc, "%s", pool->error.message);
	if (pool->done < pool->table->models)
		return error_set(err, EXP_ECANCELLED, "cancelled after %zu of %zu reference models", pool->done,
				 pool->table->models);
	return 0;
}

static int train_missing(const struct reference_job *job, const struct scores *table, struct exp_error *err)
{
	struct pool pool = { .job = job, .table = table };
	int rc;

	for (size_t m = 0; m < table->models; m++)
		pool.done += table->done[m];
	lock_init(&pool.lock, LOCK_REFERENCES);
	condition_init(&pool.changed);
	rc = run_pool(&pool, err);
	condition_fini(&pool.changed);
	lock_fini(&pool.lock);
	return rc;
}

int reference_train(const struct reference_job *job, struct exp_error *err)
{
	struct scores table = { 0 };
	int rc = reference_prepare(job, err);

	if (!rc)
		rc = scores_load(job->folder, &table, err);
	if (!rc)
		rc = train_missing(job, &table, err);
	scores_fini(&table);
	return rc;
}

int reference_score(struct session *s, const struct reference_scorer *how, const struct scored_model *model,
		    struct row_list rows, float *out, struct exp_error *err)
{
	const struct scores *table = how->scores;
	struct scoring scoring = {
		.source = how->source,
		.recipe = how->recipe,
		.neighbours = table->neighbours,
		.neighbour_spread = table->neighbour_spread,
		.finetune_epochs = table->finetune_epochs,
		.feature_spread = table->feature_spread,
		.seed = table->seed,
	};
	float *packed = mem_try_alloc(rows.count + 1, STATISTICS * sizeof(*packed));
	int rc = packed ? score_rows(s, &scoring, model, rows, packed, err)
			: error_set(err, EXP_EMEMORY, "no memory for the scores of %zu rows", rows.count);

	for (size_t i = 0; !rc && i < table->columns * STATISTICS; i++)
		out[i] = NAN;
	for (size_t i = 0; !rc && i < rows.count; i++) {
		size_t column = scores_column(table, rows.index[i]);

		if (column != SIZE_MAX)
			memcpy(out + column * STATISTICS, packed + i * STATISTICS, STATISTICS * sizeof(float));
	}
	mem_free(packed);
	return rc;
}
