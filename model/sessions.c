#include "model/sessions.h"

#include "base/check.h"
#include "base/mem.h"
#include "base/thread.h"

struct sessions {
	struct graph *graph;
	size_t max, batch;
	struct lock lock;
	struct condition returned;
	struct session **idle; /* [max], idle_count of them */
	size_t idle_count, made;
};

int sessions_new(struct graph *g, size_t max, size_t batch, struct sessions **out, struct exp_error *err)
{
	struct sessions *p;
	struct session *first;
	int rc = session_new(g, batch, &first, err);

	if (rc)
		return rc;
	p = mem_alloc(sizeof(*p));
	p->graph = graph_ref(g);
	p->max = max;
	p->batch = batch;
	p->idle = mem_alloc(max * sizeof(struct session *));
	p->idle[p->idle_count++] = first;
	p->made = 1;
	lock_init(&p->lock, LOCK_MODELS);
	condition_init(&p->returned);
	*out = p;
	return 0;
}

void sessions_free(struct sessions *p)
{
	if (!p)
		return;
	exp_require(p->idle_count == p->made);
	for (size_t i = 0; i < p->idle_count; i++)
		session_free(p->idle[i]);
	condition_fini(&p->returned);
	lock_fini(&p->lock);
	graph_unref(p->graph);
	mem_free(p->idle);
	mem_free(p);
}

/* An idle session, or NULL with the right to make one. */
static struct session *wait_for_one(struct sessions *p)
{
	struct session *s = NULL;

	lock_take(&p->lock);
	while (!p->idle_count && p->made == p->max)
		condition_wait(&p->returned, &p->lock);
	if (p->idle_count)
		s = p->idle[--p->idle_count];
	else
		p->made++;
	lock_release(&p->lock);
	return s;
}

/* s NULL: the right to make one comes back unused. */
static void give_back(struct sessions *p, struct session *s)
{
	lock_take(&p->lock);
	if (s)
		p->idle[p->idle_count++] = s;
	else
		p->made--;
	condition_signal(&p->returned);
	lock_release(&p->lock);
}

static int take(struct sessions *p, struct session **out, struct exp_error *err)
{
	struct session *s = wait_for_one(p);
	int rc = s ? 0 : session_new(p->graph, p->batch, &s, err);

	if (rc)
		give_back(p, NULL);
	else
		*out = s;
	return rc;
}

int sessions_forward(struct sessions *pool, const struct params *p, const float *inputs, size_t n, float *outputs,
		     struct exp_error *err)
{
	size_t in = graph_input_floats(pool->graph), floats = graph_output_floats(pool->graph);
	struct session *s;
	int rc = take(pool, &s, err);

	if (rc)
		return rc;
	session_hold(s, p);
	for (size_t first = 0; !rc && first < n; first += pool->batch) {
		size_t count = n - first < pool->batch ? n - first : pool->batch;

		rc = session_forward(s, p, inputs + first * in, count, outputs + first * floats);
	}
	give_back(pool, s);
	return rc ? error_set(err, rc, "the model cannot be run on these rows: %s", error_sentence(rc)) : 0;
}
