#include "engine/optim.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/kernels.h"

int optim_init(struct optim *o, const struct recipe *recipe, size_t count)
{
	struct optim made = { .recipe = recipe, .count = count };

	made.first = mem_try_aligned(count, sizeof(float));
	if (recipe->optimizer == RECIPE_ADAMW)
		made.second = mem_try_aligned(count, sizeof(float));
	if (!made.first || (recipe->optimizer == RECIPE_ADAMW && !made.second)) {
		optim_fini(&made);
		return EXP_EMEMORY;
	}
	*o = made;
	return 0;
}

/* Sums, products, quotients and roots are rounded alike at any vector width and none are fused: the same bits
 * everywhere. */
KERNEL static void step_sgd(struct optim *o, float *restrict values, const float *restrict gradients)
{
	float rate = (float)o->recipe->learning_rate, decay = (float)o->recipe->weight_decay;
	float momentum = (float)o->recipe->momentum, *restrict velocity = o->first;

	for (size_t i = 0; i < o->count; i++) {
		velocity[i] = momentum * velocity[i] + (gradients[i] + decay * values[i]);
		values[i] -= rate * velocity[i];
	}
}

KERNEL static void step_adamw(struct optim *o, float *restrict values, const float *restrict gradients)
{
	const struct recipe *r = o->recipe;
	double correction1 = 1 - pow(r->beta1, (double)o->steps), correction2 = 1 - pow(r->beta2, (double)o->steps);
	float keep = (float)(1 - r->learning_rate * r->weight_decay), size = (float)(r->learning_rate / correction1);
	float root = (float)sqrt(correction2), epsilon = (float)r->epsilon;
	float beta1 = (float)r->beta1, rest1 = (float)(1 - r->beta1), beta2 = (float)r->beta2,
	      rest2 = (float)(1 - r->beta2);
	float *restrict first = o->first, *restrict second = o->second;

	for (size_t i = 0; i < o->count; i++) {
		float g = gradients[i];

		first[i] = beta1 * first[i] + rest1 * g;
		second[i] = beta2 * second[i] + rest2 * g * g;
		values[i] = values[i] * keep - size * first[i] / (sqrtf(second[i]) / root + epsilon);
	}
}

void optim_step(struct optim *o, float *values, const float *gradients)
{
	o->steps++;
	if (o->recipe->optimizer == RECIPE_ADAMW)
		step_adamw(o, values, gradients);
	else
		step_sgd(o, values, gradients);
}

void optim_fini(struct optim *o)
{
	mem_free(o->first);
	mem_free(o->second);
	memset(o, 0, sizeof(*o));
}
