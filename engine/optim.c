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

/* ---- loops ---- */

/* Without momentum there is no velocity to keep. */
KERNEL static void descend(const struct kernel_sgd *k, float *restrict values, const float *restrict gradients,
			   size_t n)
{
	float rate = k->rate, decay = k->decay, scale = k->scale;

	for (size_t i = 0; i < n; i++)
		values[i] -= rate * (scale * gradients[i] + decay * values[i]);
}

KERNEL static void clamp(float *values, float limit, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		float x = values[i] > limit ? limit : values[i];

		values[i] = x < -limit ? -limit : x;
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

static void step_sgd(struct optim *o, const struct optim_group *g, const struct kernel_sgd *k, float *values,
		     const float *gradients)
{
	if (o->first)
		kernel_sgd_step(k, values + g->offset, o->first + g->offset, gradients + g->offset, g->count);
	else
		descend(k, values + g->offset, gradients + g->offset, g->count);
}

static struct kernel_adam pace_adam(const struct optim *o, const struct schedule_point *at, float scale)
{
	const struct recipe *r = o->recipe;
	double steps = (double)o->steps;

	return (struct kernel_adam){ .keep = 1,
				     .scale = scale,
				     .size = (float)(at->rate / (1 - pow(at->momentum, steps))),
				     .root = (float)sqrt(1 - pow(r->beta2, steps)),
				     .epsilon = (float)r->epsilon,
				     .beta1 = (float)at->momentum,
				     .rest1 = (float)(1 - at->momentum),
				     .beta2 = (float)r->beta2,
				     .rest2 = (float)(1 - r->beta2) };
}

static void step_adam(struct optim *o, const struct optim_group *g, const struct kernel_adam *k, float *values,
		      const float *gradients)
{
	struct kernel_adam_state state = { .values = values + g->offset,
					   .first = o->first + g->offset,
					   .second = o->second + g->offset,
					   .gradients = gradients + g->offset };

	kernel_adam_step(k, &state, g->count);
}

void optim_step(struct optim *o, const struct schedule_point *at, float *values, float *gradients, float share)
{
	const struct recipe *r = o->recipe;
	float scale = r->clip_norm > 0 ? share * clip_factor(r, gradients, share, o->count) : share;
	struct kernel_sgd sgd = {
		.rate = (float)at->rate, .momentum = (float)at->momentum, .scale = scale, .nesterov = r->nesterov
	};
	struct kernel_adam adam;

	o->steps++;
	adam = pace_adam(o, at, scale);
	if (r->clip_value > 0)
		clamp(gradients, (float)(r->clip_value / (double)share), o->count);
	for (size_t i = 0; i < o->group_count; i++) {
		const struct optim_group *g = &o->groups[i];
		double decay = g->decayed ? r->weight_decay : 0;

		sgd.decay = adam.decay = r->optimizer == RECIPE_ADAMW ? 0 : (float)decay;
		adam.keep = r->optimizer == RECIPE_ADAMW ? (float)(1 - at->rate * decay) : 1;
		if (r->optimizer == RECIPE_SGD)
			step_sgd(o, g, &sgd, values, gradients);
		else
			step_adam(o, g, &adam, values, gradients);
	}
}

void optim_fini(struct optim *o)
{
	mem_free(o->groups);
	mem_free(o->first);
	mem_free(o->second);
	memset(o, 0, sizeof(*o));
}
