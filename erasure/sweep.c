#include "erasure/sweep.h"

#include <math.h>
#include <stdatomic.h>

#include "base/mem.h"
#include "base/thread.h"

enum { THREADS_MAX = 64 };

/* One point of the grid as some thread found it. */
struct point {
	struct sweep_score score;
	uint64_t selected;
};

struct run {
	const struct sweep *sweep;
	struct point points[SWEEP_MAX_POINTS + 1];
	size_t threads;
	atomic_size_t done;
	atomic_bool stop;
};

/* Thread number of a run takes points number, number + threads, …; number 0 is the calling thread. */
struct worker {
	struct run *run;
	size_t number;
	struct session *session;
	struct params *params;
	int rc;
	struct exp_error error;
	struct thread thread;
};

double sweep_alpha(const struct sweep *s, size_t point)
{
	double ceiling = ssd_alpha_ceiling(s->all, s->forget);

	return point == 0 ? ceiling : pow(ceiling, 1 - (double)point / (double)s->points);
}

static int score_point(struct worker *w, size_t number)
{
	const struct sweep *s = w->run->sweep;
	struct point *p = &w->run->points[number];
	int rc;

	params_copy(w->params, s->live);
	rc = ssd_dampen(w->params, s->all, s->forget, sweep_alpha(s, number), 1, &p->selected);
	if (rc)
		return error_set(&w->error, rc, "the importances do not fit the model");
	return s->score(s->arg, w->session, w->params, &p->score, &w->error);
}

static void report(struct worker *w)
{
	const struct progress *progress = w->run->sweep->progress;

	if (w->number == 0 && progress &&
	    progress->report(progress->arg, atomic_load(&w->run->done), w->run->sweep->points + 1))
		w->rc = error_set(&w->error, EXP_ECANCELLED, "the search for alpha was cancelled");
}

static void work(void *arg)
{
	struct worker *w = arg;
	const struct sweep *s = w->run->sweep;

	w->rc = session_new(s->live->graph, s->batch, &w->session, &w->error);
	if (!w->rc && params_clone(s->live, &w->params))
		w->rc = error_set(&w->error, EXP_EMEMORY, "no memory for a copy of the model");
	for (size_t i = w->number; !w->rc && i <= s->points && !atomic_load(&w->run->stop); i += w->run->threads) {
		w->rc = score_point(w, i);
		atomic_fetch_add(&w->run->done, 1);
		if (!w->rc)
			report(w);
	}
	if (w->rc)
		atomic_store(&w->run->stop, true);
	session_free(w->session);
	params_free(w->params);
}

static int run_workers(struct run *r, struct worker *workers, struct exp_error *err)
{
	int rc = 0;

	for (size_t i = 0; i < r->threads; i++)
		workers[i] = (struct worker){ .run = r, .number = i };
	for (size_t i = 1; !rc && i < r->threads; i++)
		rc = thread_start(&workers[i].thread, "sweep", work, &workers[i]);
	if (rc)
		atomic_store(&r->stop, true);
	else
		work(&workers[0]);
	for (size_t i = 1; i < r->threads; i++)
		thread_join(&workers[i].thread);
	if (rc)
		return error_set(err, rc, "a thread for the search did not start");
	for (size_t i = 0; i < r->threads; i++)
		if (workers[i].rc)
			return error_set(err, workers[i].rc, "%s", workers[i].error.message);
	return 0;
}

/* The nearest admitted point; of equals the gentler. Point 0 is the unchanged model, which needs no admission. */
static void choose(const struct run *r, struct sweep_choice *out)
{
	struct sweep_choice c = { 0 };
	size_t best = 0;

	for (size_t i = 1; i <= r->sweep->points; i++) {
		const struct point *p = &r->points[i];

		c.admitted += p->score.admitted;
		if (p->score.admitted && p->score.distance < r->points[best].score.distance)
			best = i;
	}
	c.alpha = sweep_alpha(r->sweep, best);
	c.distance = r->points[best].score.distance;
	c.selected = r->points[best].selected;
	c.start_distance = r->points[0].score.distance;
	*out = c;
}

int sweep_run(const struct sweep *s, struct sweep_choice *out, struct exp_error *err)
{
	struct run *r;
	struct worker *workers;
	int rc;

	if (s->points < 1 || s->points > SWEEP_MAX_POINTS || s->forget->rows == 0 || s->all->rows < s->forget->rows)
		return error_set(err, EXP_EINVAL,
				 "a sweep needs 1 to %d points and an importance of fewer rows than all",
				 SWEEP_MAX_POINTS);
	r = mem_alloc(sizeof(*r));
	r->sweep = s;
	r->threads = s->threads < 1 ? 1 : s->threads < THREADS_MAX ? s->threads : THREADS_MAX;
	workers = mem_alloc(r->threads * sizeof(*workers));
	rc = run_workers(r, workers, err);
	if (!rc)
		choose(r, out);
	mem_free(workers);
	mem_free(r);
	return rc;
}
