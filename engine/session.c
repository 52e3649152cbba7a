#include "engine/session.h"

#include <math.h>
#include <stdatomic.h>
#include <string.h>

#include "base/mem.h"
#include "engine/blas.h"
#include "engine/kernels.h"
#include "engine/lanes.h"
#include "engine/plan_cache.h"
#include "engine/runner.h"

/* Less than this many floating-point operations are not worth handing to another thread … */
#define SHARD_FLOPS ((uint64_t)1 << 27)
/* … and shards of fewer samples waste what convolutions share between samples. */
enum { SHARD_SAMPLES = 32 };
/* Of prepared weights. */
#define PREPARED_FLOATS ((size_t)1 << 28)
#define MAX_BATCH       ((size_t)1 << 20)
/* Floats of memory that a shard should take, unless one sample needs more. */
#define SHARD_FLOATS ((size_t)1 << 27)

/* One thread's means. scores, log_probs and grads are sample after sample. */
struct session_lane {
	struct runner_memory memory;
	float *scores, *log_probs, *grads, *losses; /* [shard, output floats]; losses [shard] */
};

/* The present call, as the lanes see it. */
struct call {
	const struct session_call *c;
	const struct session_tangent *t; /* instead of c */
	const struct plan *full, *rest;  /* for shard samples and for the last, smaller shard */
	bool with_end;
	float *log_probs; /* [n, output floats], wanted without a loss; or NULL */
	float *const *left, *const *right;
	atomic_bool failed;
};

struct session {
	struct graph *graph;
	size_t batch, shard;
	size_t *taps, *tap_roots, tap_count;
	struct plan_cache plans;
	struct lanes *lanes;
	unsigned threads;
	struct session_lane *each;       /* [threads] */
	float **left, **right;           /* [parameter_count]: moments, split */
	const float **replace;           /* [threads, tap_count] */
	uint64_t held;                   /* params.id; 0: none. See session_hold */
	struct runner_prepared prepared; /* held ones' weights, once there was a forward call */
	bool tried;                      /* to prepare them */
	struct call call;
};

/* ---- opening ---- */

static size_t find_value(const struct graph *g, const char *name)
{
	for (size_t i = 0; i < g->value_count; i++)
		if (strcmp(g->values[i].name, name) == 0)
			return i;
	return GRAPH_NONE;
}

/* A view's memory is what it views. */
static size_t root_of(const struct graph *g, size_t v)
{
	while (g->values[v].node != GRAPH_NONE && g->nodes[g->values[v].node].op &&
	       g->nodes[g->values[v].node].op->flags & OP_VIEW && g->nodes[g->values[v].node].outputs[0] == v)
		v = g->nodes[g->values[v].node].inputs[0];
	return v;
}

static int find_taps(struct session *s, const struct session_options *o, struct exp_error *err)
{
	s->taps = mem_try_alloc(o->tap_count + 1, sizeof(*s->taps));
	s->tap_roots = mem_try_alloc(o->tap_count + 1, sizeof(*s->tap_roots));
	if (!s->taps || !s->tap_roots)
		return error_set(err, EXP_EMEMORY, "not enough memory for a session");
	for (size_t i = 0; i < o->tap_count; i++) {
		size_t v = find_value(s->graph, o->taps[i]);

		if (v == GRAPH_NONE || !s->graph->values[v].used || !s->graph->samples[v])
			return error_set(err, EXP_EFIELD, "the graph computes no value \"%.96s\" with samples",
					 o->taps[i]);
		s->taps[s->tap_count] = v;
		s->tap_roots[s->tap_count++] = root_of(s->graph, v);
	}
	s->plans = (struct plan_cache){ .graph = s->graph, .taps = s->tap_roots, .tap_count = s->tap_count };
	return 0;
}

/* What is known beforehand is not computed, and only fp32 has gradients. */
static int check_taps(struct session *s, struct exp_error *err)
{
	const struct plan *p;
	int rc = s->tap_count ? plan_cache_get(&s->plans, s->shard, PLAN_BACKWARD, false, &p, err) : 0;

	for (size_t i = 0; rc == 0 && i < s->tap_count; i++) {
		const struct op_value *v = &p->inf.values[s->taps[i]];

		if (v->type != TENSOR_F32 || v->known || p->inf.roots[s->taps[i]] != s->tap_roots[i])
			rc = error_set(err, EXP_EFIELD, "the value \"%.96s\" %s: it cannot be tapped", v->name,
				       v->type == TENSOR_F32 ? "does not depend on the data" : "is no fp32 tensor");
	}
	return rc;
}

static uint64_t flops_of(const struct plan *p)
{
	uint64_t flops = 0;

	for (size_t i = 0; i < p->order_count; i++)
		flops += p->inf.nodes[p->order[i]].flops;
	return flops / p->inf.samples + 1;
}

static int check_batch(size_t batch, struct exp_error *err)
{
	if (batch < 1)
		return error_set(err, EXP_EINVAL, "a batch has at least one row");
	if (batch > MAX_BATCH)
		return error_set(err, EXP_ELIMIT, "a batch has at most %zu rows, not %zu", MAX_BATCH, batch);
	return 0;
}

/* Samples that are run at once: enough work for a thread, even shards, and not too much memory. */
static int choose_shard(struct session *s, size_t wanted, struct exp_error *err)
{
	const struct plan *p;
	size_t shard = wanted, pieces;
	int rc;

	if (!shard) {
		rc = plan_cache_get(&s->plans, 2, PLAN_BACKWARD, false, &p, err);
		if (rc == EXP_ELIMIT)
			rc = plan_cache_get(&s->plans, 1, PLAN_BACKWARD, false, &p, err);
		if (rc)
			return rc;
		shard = (size_t)(SHARD_FLOPS / flops_of(p)) + 1;
		shard = shard < SHARD_SAMPLES ? SHARD_SAMPLES : shard;
		shard = shard > s->batch ? s->batch : shard;
		pieces = (s->batch + shard - 1) / shard;
		shard = (s->batch + pieces - 1) / pieces;
	}
	s->shard = shard > s->batch ? s->batch : shard;
	for (;;) {
		rc = plan_cache_get(&s->plans, s->shard, PLAN_BACKWARD, false, &p, err);
		if ((rc == 0 && p->floats <= SHARD_FLOATS) || wanted || s->shard == 1 || (rc && rc != EXP_ELIMIT))
			return rc;
		s->shard = (s->shard + 1) / 2;
	}
}

int session_shard(const struct graph *g, size_t batch, size_t *shard, struct exp_error *err)
{
	struct session s = { .batch = batch, .plans = { .graph = g } };
	int rc = check_batch(batch, err);

	if (rc == 0)
		rc = choose_shard(&s, 0, err);

	plan_cache_fini(&s.plans);
	if (rc == 0)
		*shard = s.shard;
	return rc;
}

static int open_lanes(struct session *s, unsigned threads, struct exp_error *err)
{
	size_t floats = graph_output_floats(s->graph), scores;
	bool fits = mem_size(s->batch, floats, &scores);

	s->threads = threads = threads ? threads : 1;
	s->each = mem_try_alloc(threads, sizeof(*s->each));
	s->left = mem_try_alloc(s->graph->parameter_count + 1, sizeof(*s->left));
	s->right = mem_try_alloc(s->graph->parameter_count + 1, sizeof(*s->right));
	s->replace = mem_try_alloc(threads, (s->tap_count + 1) * sizeof(*s->replace));
	for (unsigned i = 0; s->each && fits && i < threads; i++) {
		struct session_lane *l = &s->each[i];

		l->scores = mem_try_aligned(scores, sizeof(float));
		l->log_probs = mem_try_aligned(scores, sizeof(float));
		l->grads = mem_try_aligned(scores, sizeof(float));
		l->losses = mem_try_aligned(s->batch, sizeof(float));
		fits = l->scores && l->log_probs && l->grads && l->losses;
	}
	if (!s->each || !s->left || !s->right || !s->replace || !fits)
		return error_set(err, EXP_EMEMORY, "not enough memory for a batch of %zu rows", s->batch);
	return lanes_new(threads, s->graph->node_count + 1, &s->lanes, err);
}

int session_open(struct graph *g, const struct session_options *o, struct session **out, struct exp_error *err)
{
	struct session *s;
	int rc;

	if (g->whole)
		return error_set(err, EXP_EINVAL, "the graph was loaded to be run whole, without samples");
	rc = check_batch(o->batch, err);
	if (rc)
		return rc;
	s = mem_try_alloc(1, sizeof(*s));
	if (!s)
		return error_set(err, EXP_EMEMORY, "not enough memory for a session");
	s->graph = graph_ref(g);
	s->batch = o->batch;
	blas_use_one_thread();
	rc = find_taps(s, o, err);
	if (rc == 0)
		rc = choose_shard(s, o->shard, err);
	if (rc == 0)
		rc = check_taps(s, err);
	if (rc == 0)
		rc = open_lanes(s, o->threads, err);
	if (rc) {
		session_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

int session_new(struct graph *g, size_t batch, struct session **out, struct exp_error *err)
{
	return session_open(g, &(struct session_options){ .batch = batch }, out, err);
}

/* Activations follow from people's rows, so they do not outlive the session. */
static void free_lane(const struct session *s, struct session_lane *l)
{
	size_t scores = s->batch * graph_output_floats(s->graph) * sizeof(float);
	float *const lists[] = { l->scores, l->log_probs, l->grads };

	runner_memory_fini(&l->memory);
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		if (lists[i])
			mem_free_secret(lists[i], scores);
	if (l->losses)
		mem_free_secret(l->losses, s->batch * sizeof(float));
}

void session_free(struct session *s)
{
	if (!s)
		return;
	for (unsigned i = 0; s->each && i < s->threads; i++)
		free_lane(s, &s->each[i]);
	runner_prepared_fini(&s->prepared);
	lanes_free(s->lanes);
	mem_free(s->each);
	mem_free(s->left);
	mem_free(s->right);
	mem_free(s->replace);
	plan_cache_fini(&s->plans);
	mem_free(s->taps);
	mem_free(s->tap_roots);
	graph_unref(s->graph);
	mem_free(s);
}

void session_hold(struct session *s, const struct params *p)
{
	uint64_t id = p ? p->id : 0;

	if (id == s->held)
		return;
	runner_prepared_fini(&s->prepared);
	s->held = id;
	s->tried = false;
}

size_t session_batch(const struct session *s)
{
	return s->batch;
}

struct graph *session_graph(const struct session *s)
{
	return s->graph;
}

size_t session_tap_floats(const struct session *s, size_t k)
{
	const struct plan *p;

	if (k >= s->tap_count ||
	    plan_cache_get(&((struct session *)(uintptr_t)s)->plans, s->shard, PLAN_BACKWARD, false, &p, NULL) != 0)
		return 0;
	return p->inf.values[s->taps[k]].count / s->shard;
}

/* ---- one shard ---- */

struct piece {
	struct session *s;
	struct session_lane *lane;
	struct runner runner;
	size_t number, first, samples;
};

static struct piece cut(struct session *s, unsigned lane, size_t shard, const struct params *p, const float *inputs)
{
	struct piece x = { .s = s, .lane = &s->each[lane], .number = shard, .first = shard * s->shard };
	const struct call *call = &s->call;
	size_t n = call->c ? call->c->n : call->t->n;

	x.samples = n - x.first < s->shard ? n - x.first : s->shard;
	if (call->c && call->c->training)
		x.samples = n;
	x.runner = (struct runner){ .plan = x.samples == call->full->inf.samples ? call->full : call->rest,
				    .graph = s->graph,
				    .memory = &x.lane->memory,
				    .params = p->values,
				    .rows = inputs + x.first * s->graph->row_floats,
				    .taps = s->taps,
				    .tap_count = s->tap_count,
				    .prepared = p->id == s->held && s->prepared.count ? &s->prepared : NULL,
				    .with_end = call->with_end };
	return x;
}

static void wait_turn(void *arg, size_t turn)
{
	const struct piece *x = arg;

	lanes_wait(x->s->lanes, x->number, turn);
}

static void pass_turn(void *arg, size_t turn)
{
	const struct piece *x = arg;

	lanes_pass(x->s->lanes, x->number, turn);
}

/* The scores of all samples, one after the other; in place when they lie so. */
static const float *scores_of(const struct piece *x, size_t value)
{
	const float *data = runner_data(&x->runner, value);

	if (x->runner.plan->inf.values[value].outer == 1)
		return data;
	runner_gather(&x->runner, value, data, x->lane->scores);
	return x->lane->scores;
}

static size_t score_value(const struct session *s, const struct loss *l)
{
	return loss_reads_logits(l) ? s->graph->loss_value : s->graph->output;
}

static void take_loss(struct piece *x, const struct session_call *c)
{
	const struct graph *g = x->s->graph;
	size_t value = score_value(x->s, c->loss), floats = graph_output_floats(g), at = x->first * floats;
	struct session_result *result = c->result;
	struct loss loss = loss_from(c->loss, x->first, g->positions, g->classes);
	struct loss_batch b = { .samples = x->samples, .positions = g->positions, .classes = g->classes };
	bool backward = x->runner.plan->kind == PLAN_BACKWARD &&
			x->runner.plan->grads[x->runner.plan->inf.roots[value]] != GRAPH_NONE;
	float *place = backward ? runner_seed_place(&x->runner, value) : NULL;

	b.scores = scores_of(x, value);
	b.log_probs = result && result->log_probs ? result->log_probs + at : x->lane->log_probs;
	b.values = result && result->losses ? result->losses + x->first : x->lane->losses;
	b.grads = place ? place : backward ? x->lane->grads : NULL;
	loss_evaluate(&loss, &b);
	if (!kernel_all_finite(b.values, x->samples))
		atomic_store_explicit(&x->s->call.failed, true, memory_order_relaxed);
	if (backward && !place)
		runner_seed(&x->runner, value, b.grads);
}

static void take_forward(struct piece *x, const struct session_call *c)
{
	size_t floats = graph_output_floats(x->s->graph);

	if (c->outputs)
		runner_gather(&x->runner, x->s->graph->output, runner_data(&x->runner, x->s->graph->output),
			      c->outputs + x->first * floats);
	for (size_t k = 0; c->taps && k < x->s->tap_count; k++) {
		size_t v = x->s->taps[k], count = x->runner.plan->inf.values[v].count / x->samples;

		if (c->taps[k].read)
			runner_gather(&x->runner, v, runner_data(&x->runner, v), c->taps[k].read + x->first * count);
	}
}

static void take_log_probs(struct piece *x, float *log_probs)
{
	const struct graph *g = x->s->graph;
	size_t floats = graph_output_floats(g), count = x->samples * floats;
	const float *scores = scores_of(x, g->loss_value);

	for (size_t i = 0; i < count; i += g->classes)
		loss_log_softmax(log_probs + x->first * floats + i, scores + i, g->classes);
}

static void seed_taps(struct piece *x, const struct session_call *c)
{
	for (size_t k = 0; c->taps && k < x->s->tap_count; k++) {
		size_t v = x->s->taps[k], count = x->runner.plan->inf.values[v].count / x->samples;

		if (c->taps[k].cotangent)
			runner_seed(&x->runner, v, c->taps[k].cotangent + x->first * count);
	}
}

static void take_tap_gradients(struct piece *x, const struct session_call *c)
{
	for (size_t k = 0; c->taps && k < x->s->tap_count; k++) {
		size_t v = x->s->taps[k], count = x->runner.plan->inf.values[v].count;
		const float *grad = runner_grad(&x->runner, v);
		float *to = c->taps[k].grad ? c->taps[k].grad + x->first * (count / x->samples) : NULL;

		if (to && grad)
			runner_gather(&x->runner, v, grad, to);
		else if (to)
			memset(to, 0, count * sizeof(*to));
	}
}

static void take_gradients(struct piece *x, const struct session_call *c)
{
	static const enum reduce_kind kinds[] = {
		[SESSION_SUM] = REDUCE_SUM, [SESSION_SQUARE_SUM] = REDUCE_SQUARE_SUM, [SESSION_NORM] = REDUCE_NORM,
		[SESSION_DOT] = REDUCE_DOT, [SESSION_MOMENTS] = REDUCE_MOMENTS,       [SESSION_NONE] = REDUCE_SUM,
	};
	const struct session_result *result = c->result;
	struct runner_gradients g = { .none = c->reduce == SESSION_NONE, .kind = kinds[c->reduce] };

	if (!g.none) {
		g.out = result->out;
		g.direction_count = c->reduce == SESSION_DOT ? result->direction_count : 0;
		g.directions = result->directions;
		g.dots = result->dots;
		if (g.dots)
			g.dots += x->first * (g.direction_count ? g.direction_count : 1);
		g.left = x->s->call.left;
		g.right = x->s->call.right;
	}
	if (lanes_threads(x->s->lanes) > 1) {
		g.wait = wait_turn;
		g.pass = pass_turn;
		g.arg = x;
	}
	runner_backward(&x->runner, &g);
}

static void run_shard(void *arg, unsigned lane, size_t shard)
{
	struct session *s = arg;
	const struct session_call *c = s->call.c;
	struct piece x = cut(s, lane, shard, c->params, c->inputs);
	const float **replace = s->replace + lane * (s->tap_count + 1);
	bool backward = x.runner.plan->kind == PLAN_BACKWARD;

	for (size_t k = 0; c->taps && k < s->tap_count; k++) {
		size_t count = x.runner.plan->inf.values[s->taps[k]].count / x.samples;

		replace[k] = c->taps[k].replace ? c->taps[k].replace + x.first * count : NULL;
	}
	x.runner.replace = c->taps ? replace : NULL;
	x.runner.statistics = c->training ? c->statistics : NULL;
	runner_forward(&x.runner);
	if (backward)
		runner_start_backward(&x.runner);
	take_forward(&x, c);
	if (s->call.log_probs)
		take_log_probs(&x, s->call.log_probs);
	if (c->loss)
		take_loss(&x, c);
	if (!backward)
		return;
	seed_taps(&x, c);
	take_gradients(&x, c);
	take_tap_gradients(&x, c);
}

/* ---- a call ---- */

static int prepare(struct session *s, enum plan_kind kind, size_t n, bool training, struct exp_error *err)
{
	size_t shard = training || n < s->shard ? n : s->shard, rest = n % shard;
	int rc = plan_cache_get(&s->plans, shard, kind, training, &s->call.full, err);

	s->call.rest = NULL;
	if (rc == 0 && rest)
		rc = plan_cache_get(&s->plans, rest, kind, training, &s->call.rest, err);
	for (unsigned i = 0; rc == 0 && i < lanes_threads(s->lanes); i++) {
		if (runner_memory_fit(&s->each[i].memory, s->call.full) ||
		    (rest && runner_memory_fit(&s->each[i].memory, s->call.rest)))
			rc = error_set(err, EXP_EMEMORY, "not enough memory for a batch of %zu rows", n);
		if (n <= shard)
			break;
	}
	return rc;
}

/* Weights that are held are prepared by their first forward call; without room for that, nothing is lost. */
static void prepare_held(struct session *s, const struct params *p)
{
	struct runner r = {
		.plan = s->call.full, .graph = s->graph, .memory = &s->each[0].memory, .params = p->values
	};

	if (s->tried || p->id != s->held || s->call.full->kind != PLAN_FORWARD)
		return;
	s->tried = true;
	if (runner_prepare(&r, PREPARED_FLOATS, &s->prepared) != 0)
		s->prepared = (struct runner_prepared){ 0 };
}

static bool wants_backward(const struct session *s, const struct session_call *c)
{
	if (c->reduce != SESSION_NONE)
		return true;
	for (size_t k = 0; c->taps && k < s->tap_count; k++)
		if (c->taps[k].grad || c->taps[k].cotangent)
			return true;
	return false;
}

static int check_reduce(const struct session_call *c)
{
	const struct session_result *r = c->result;

	switch (c->reduce) {
	case SESSION_SUM:
	case SESSION_SQUARE_SUM:
		return r && r->out ? 0 : EXP_EINVAL;
	case SESSION_NORM:
		return r && r->dots ? 0 : EXP_EINVAL;
	case SESSION_DOT:
		return r && r->dots && r->directions && r->direction_count <= RUNNER_MAX_DIRECTIONS ? 0 : EXP_EINVAL;
	case SESSION_MOMENTS:
		return r && r->moments ? 0 : EXP_EINVAL;
	case SESSION_NONE:
		break;
	}
	return 0;
}

static int check_call(const struct session *s, const struct session_call *c, struct exp_error *err)
{
	const struct graph *g = s->graph;
	int rc = check_reduce(c);

	if (rc || c->n > s->batch || c->params->graph != g || (c->taps && !s->tap_count) ||
	    (c->training && c->reduce != SESSION_SUM && c->reduce != SESSION_NONE))
		return error_set(err, EXP_EINVAL, "the call contradicts itself or its session");
	rc = c->loss ? loss_check(c->loss, c->n, g->positions, g->classes) : 0;
	if (rc == EXP_ERANGE)
		return error_set(err, rc, "a label is outside 0 … %zu", g->classes - 1);
	return rc ? error_set(err, rc, "the loss lacks its labels or targets") : 0;
}

static void clear_results(struct session *s, const struct session_call *c)
{
	size_t each = c->reduce == SESSION_DOT ? c->result->direction_count : 1;

	if (c->reduce == SESSION_NORM || c->reduce == SESSION_DOT)
		memset(c->result->dots, 0, c->n * each * sizeof(*c->result->dots));
	for (size_t i = 0; c->reduce == SESSION_MOMENTS && i < s->graph->parameter_count; i++) {
		s->left[i] = c->result->moments[i].out;
		s->right[i] = c->result->moments[i].in;
	}
}

static bool results_finite(const struct session *s, const struct session_call *c)
{
	size_t each = c->reduce == SESSION_DOT ? c->result->direction_count : 1;

	if (c->reduce == SESSION_SUM || c->reduce == SESSION_SQUARE_SUM)
		return kernel_all_finite(c->result->out, s->graph->trainable_floats);
	for (size_t i = 0; (c->reduce == SESSION_NORM || c->reduce == SESSION_DOT) && i < c->n * each; i++)
		if (!isfinite(c->result->dots[i]))
			return false;
	return true;
}

static size_t count_shards(const struct session *s, size_t n, bool training)
{
	return training || n < s->shard ? 1 : (n + s->shard - 1) / s->shard;
}

static int run(struct session *s, const struct session_call *c, float *log_probs, struct exp_error *err)
{
	bool backward = wants_backward(s, c) && s->graph->trainable_floats + s->tap_count > 0;
	int rc = check_call(s, c, err);

	if (rc || c->n == 0)
		return rc;
	rc = prepare(s, backward ? PLAN_BACKWARD : PLAN_FORWARD, c->n, c->training, err);
	if (rc)
		return rc;
	prepare_held(s, c->params);
	s->call.c = c;
	s->call.t = NULL;
	s->call.log_probs = log_probs;
	s->call.with_end = c->outputs || (c->loss && !loss_reads_logits(c->loss)) || s->tap_count;
	s->call.left = s->left;
	s->call.right = s->right;
	atomic_init(&s->call.failed, false);
	clear_results(s, c);
	lanes_run(s->lanes, count_shards(s, c->n, c->training), run_shard, s);
	if (atomic_load(&s->call.failed) || (backward && !results_finite(s, c)))
		return error_set(err, EXP_ENONFINITE, "a loss or a gradient is not finite");
	return 0;
}

int session_run(struct session *s, const struct session_call *c, struct exp_error *err)
{
	return run(s, c, NULL, err);
}

/* ---- forward mode ---- */

static void run_tangent(void *arg, unsigned lane, size_t shard)
{
	struct session *s = arg;
	const struct session_tangent *t = s->call.t;
	struct piece x = cut(s, lane, shard, t->params, t->inputs);
	size_t value = t->logits ? s->graph->loss_value : s->graph->output;
	size_t floats = graph_output_floats(s->graph), at = x.first * floats;
	const float *tangent;

	runner_forward_mode(&x.runner, t->direction);
	tangent = runner_tangent(&x.runner, value);
	if (tangent)
		runner_gather(&x.runner, value, tangent, t->tangents + at);
	else
		memset(t->tangents + at, 0, x.samples * floats * sizeof(*t->tangents));
	if (t->scores)
		runner_gather(&x.runner, value, runner_data(&x.runner, value), t->scores + at);
}

int session_tangent(struct session *s, const struct session_tangent *t, struct exp_error *err)
{
	int rc;

	if (t->n > s->batch || t->params->graph != s->graph || !t->direction || !t->tangents)
		return error_set(err, EXP_EINVAL, "the call contradicts itself or its session");
	if (t->n == 0)
		return 0;
	rc = prepare(s, PLAN_TANGENT, t->n, false, err);
	if (rc)
		return rc;
	s->call.c = NULL;
	s->call.t = t;
	s->call.with_end = !t->logits;
	lanes_run(s->lanes, count_shards(s, t->n, false), run_tangent, s);
	return kernel_all_finite(t->tangents, t->n * graph_output_floats(s->graph))
		   ? 0
		   : error_set(err, EXP_ENONFINITE, "a tangent is not finite");
}

/* ---- the usual calls ---- */

int session_forward(struct session *s, const struct params *p, const float *inputs, size_t n, float *outputs)
{
	struct session_call c = { .params = p, .inputs = inputs, .n = n, .outputs = outputs, .reduce = SESSION_NONE };

	return session_run(s, &c, NULL);
}

int session_log_probs(struct session *s, const struct params *p, const float *inputs, size_t n, float *log_probs)
{
	struct session_call c = { .params = p, .inputs = inputs, .n = n, .reduce = SESSION_NONE };

	return run(s, &c, log_probs, NULL);
}

int session_backward(struct session *s, const struct params *p, const float *inputs, const int32_t *labels, size_t n,
		     enum session_reduce reduce, struct session_result *result)
{
	struct loss loss = { .kind = LOSS_CROSS_ENTROPY, .labels = labels };
	struct session_call c = {
		.params = p, .inputs = inputs, .n = n, .loss = &loss, .reduce = reduce, .result = result
	};

	return session_run(s, &c, NULL);
}
