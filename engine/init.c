#include "engine/train.h"

#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "base/rng.h"

/* Kaiming-uniform with a = sqrt(5), PyTorch's default for dense and convolutional weights, is U(-b, b) with b = 1 /
 * sqrt(fan-in); biases have the same bound. */
static void fill_uniform(uint64_t seed, const struct graph_parameter *g, float *values)
{
	double bound = 1 / sqrt((double)g->fan_in);
	char *purpose = mem_format("init/%s", g->name);
	struct rng rng;

	rng_init(&rng, seed, purpose);
	for (size_t i = 0; i < g->count; i++)
		values[i] = (float)((2 * rng_uniform(&rng) - 1) * bound);
	mem_free(purpose);
}

static void fill_constant(float value, const struct graph_parameter *g, float *values)
{
	for (size_t i = 0; i < g->count; i++)
		values[i] = value;
}

static void fill(uint64_t seed, const struct graph_parameter *g, const float *initial, float *values)
{
	switch (g->role) {
	case GRAPH_ROLE_WEIGHT:
	case GRAPH_ROLE_BIAS:
		if (g->fan_in) {
			fill_uniform(seed, g, values);
			return;
		}
		break;
	case GRAPH_ROLE_SCALE:
	case GRAPH_ROLE_VARIANCE:
		fill_constant(1, g, values);
		return;
	case GRAPH_ROLE_SHIFT:
	case GRAPH_ROLE_MEAN:
		fill_constant(0, g, values);
		return;
	case GRAPH_ROLE_OTHER:
		break;
	}
	memcpy(values, initial, g->count * sizeof(float));
}

int train_initialize(const struct recipe *r, uint64_t seed, const struct params *initial, struct params *p,
		     struct exp_error *err)
{
	if (initial->graph != p->graph)
		return error_set(err, EXP_EINVAL, "the starting weights belong to another model");
	if (r->initialization == RECIPE_FILE) {
		params_copy(p, initial);
		return 0;
	}
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);

		fill(seed, g, initial->values + g->offset, p->values + g->offset);
	}
	return 0;
}
