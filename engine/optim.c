#include "engine/optim.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels.h"

/* ---- groups ---- */

/* Biases, scales and shifts have one axis; what has no role is told by its axes, as users of PyTorch do. */
static bool is_decayed(const struct recipe *r, const struct graph_parameter *p)
{
	if (r->decay == RECIPE_DECAY_ALL)
		return true;
	return p->role == GRAPH_ROLE_WEIGHT || (p->role == GRAPH_ROLE_OTHER && p->rank >= 2);
}

/* Neighbours of one kind become one group. */
static void add_group(struct optim *o, const struct graph_parameter *p)
{
	struct optim_group *last = o->group_count ? &o->groups[o->group_count - 1] : NULL;
	bool decayed = is_decayed(o->recipe, p);

	if (last && last->decayed == decayed && last->offset + last->count == p->offset)
		last->count += p->count;
	else
		o->groups[o->group_count++] =
		    (struct optim_group){ .offset = p->offset, .count = p->count, .decayed = decayed };
}

static bool has_first(const struct recipe *r)
{
	return r->optimizer != RECIPE_SGD || r->momentum > 0 ||
	       (r->schedule.kind == SCHEDULE_ONE_CYCLE && r->schedule.cycle_momentum);
}

int optim_init(struct optim *o, const struct recipe *recipe, const struct graph *g)
{
	struct optim made = { .recipe = recipe, .count = graph_trainable_floats(g) };
	bool has_second = recipe->optimizer != RECIPE_SGD;

	made.groups = mem_try_alloc(graph_parameter_count(g), sizeof(*made.groups));
	if (has_first(recipe))
		made.first = mem_try_aligned(made.count, sizeof(float));
	if (has_second)
		made.second = mem_try_aligned(made.count, sizeof(float));
	if (!made.groups || (has_first(recipe) && !made.first) || (has_second && !made.second)) {
		optim_fini(&made);
		return EXP_EMEMORY;
	}
	for (size_t i = 0; i < graph_parameter_count(g); i++)
		if (graph_parameter(g, i)->offset < made.count)
			add_group(&made, graph_parameter(g, i));
	*o = made;
	return 0;
}

/* ---- one group ---- */

/* What the loops need, rounded to fp32 once. */
struct pace {
	float scale, limit; /* of a gradient: multiplied, then clamped to -limit … limit */
	float rate, momentum, decay;
	float look, keep;                                       /* sgd: of d and v in what p moves by */
	float shrink, rest1, beta2, rest2, size, root, epsilon; /* adam; shrink: 1, or less in adamw */
};

static inline float clipped(float gradient, const struct pace *c)
{
	float g = gradient * c->scale;

	g = g > c->limit ? c->limit : g;
	return g < -c->limit ? -c->limit : g;
}

KERNEL static void descend(const struct pace *pace, float *restrict values, const float *restrict gradients, size_t n)
{
	const struct pace c = *pace;

	for (size_t i = 0; i < n; i++)
		values[i] -= c.rate * (clipped(gradients[i], &c) + c.decay * values[i]);
}

KERNEL static void roll(const struct pace *pace, float *restrict values, const float *restrict gradients,
			float *restrict velocity, size_t n)
{
	const struct pace c = *pace;

	for (size_t i = 0; i < n; i++) {
		float d = clipped(gradients[i], &c) + c.decay * values[i];

		velocity[i] = c.momentum * velocity[i] + d;
		values[i] -= c.rate * (c.look * d + c.keep * velocity[i]);
	}
}

KERNEL static void adapt(const struct pace *pace, float *restrict values, const float *restrict gradients,
			 float *restrict first, float *restrict second, size_t n)
{
	const struct pace c = *pace;

	for (size_t i = 0; i < n; i++) {
		float d = clipped(gradients[i], &c) + c.decay * values[i];

		first[i] = c.momentum * first[i] + c.rest1 * d;
		second[i] = c.beta2 * second[i] + c.rest2 * d * d;
		values[i] = values[i] * c.shrink - c.size * first[i] / (sqrtf(second[i]) / c.root + c.epsilon);
	}
}

/* ---- a step ---- */

/* As torch.nn.utils.clip_grad_norm_, the 1e-6 included. */
static float clip_factor(const struct recipe *r, const float *gradients, float share, size_t count)
{
	double norm = (double)share * sqrt(kernel_sum_squares(gradients, count));
	double factor = r->clip_norm / (norm + 1e-6);

	return factor < 1 ? (float)factor : 1;
}

static void set_adam(struct pace *pace, const struct optim *o, const struct schedule_point *at)
{
	const struct recipe *r = o->recipe;
	double steps = (double)o->steps;

	pace->rest1 = (float)(1 - at->momentum);
	pace->beta2 = (float)r->beta2;
	pace->rest2 = (float)(1 - r->beta2);
	pace->size = (float)(at->rate / (1 - pow(at->momentum, steps)));
	pace->root = (float)sqrt(1 - pow(r->beta2, steps));
	pace->epsilon = (float)r->epsilon;
}

static void step_group(struct optim *o, const struct optim_group *g, const struct schedule_point *at, struct pace pace,
		       float *values, const float *gradients)
{
	const struct recipe *r = o->recipe;
	double decay = g->decayed ? r->weight_decay : 0;

	values += g->offset;
	gradients += g->offset;
	pace.decay = r->optimizer == RECIPE_ADAMW ? 0 : (float)decay;
	pace.shrink = r->optimizer == RECIPE_ADAMW ? (float)(1 - at->rate * decay) : 1;
	if (r->optimizer != RECIPE_SGD)
		adapt(&pace, values, gradients, o->first + g->offset, o->second + g->offset, g->count);
	else if (o->first)
		roll(&pace, values, gradients, o->first + g->offset, g->count);
	else
		descend(&pace, values, gradients, g->count);
}

void optim_step(struct optim *o, const struct schedule_point *at, float *values, const float *gradients, float share)
{
	const struct recipe *r = o->recipe;
	struct pace pace = { .scale = share,
			     .limit = r->clip_value > 0 ? (float)r->clip_value : INFINITY,
			     .rate = (float)at->rate,
			     .momentum = (float)at->momentum,
			     .look = r->nesterov ? 1 : 0,
			     .keep = r->nesterov ? (float)at->momentum : 1 };

	o->steps++;
	if (r->clip_norm > 0)
		pace.scale *= clip_factor(r, gradients, share, o->count);
	if (r->optimizer != RECIPE_SGD)
		set_adam(&pace, o, at);
	for (size_t i = 0; i < o->group_count; i++)
		step_group(o, &o->groups[i], at, pace, values, gradients);
}

void optim_fini(struct optim *o)
{
	mem_free(o->groups);
	mem_free(o->first);
	mem_free(o->second);
	memset(o, 0, sizeof(*o));
}
