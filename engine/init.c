#include "engine/train.h"

#include <math.h>

#include "base/mem.h"
#include "base/rng.h"

static void draw(uint64_t seed, const struct graph_parameter *g, const struct recipe_start *start, float *values)
{
	char *purpose = mem_format("init/%s", g->name);
	struct rng rng;

	rng_init(&rng, seed, purpose);
	for (size_t i = 0; i < g->count; i++) {
		double drawn = 1;

		if (start->distribution == RECIPE_UNIFORM)
			drawn = 2 * rng_uniform(&rng) - 1;
		else if (start->distribution == RECIPE_NORMAL)
			drawn = rng_normal(&rng);
		values[i] = (float)(drawn * start->size);
	}
	mem_free(purpose);
}

/* PyTorch's own start of what a layer holds. Kaiming-uniform with a = sqrt(5), for dense, convolutional and recurrent
 * weights, is U(-b, b) with b = 1 / sqrt(fan-in); biases have the same bound. False: there is none. */
static bool find_default(const struct graph_parameter *g, struct recipe_start *out)
{
	*out = (struct recipe_start){ .distribution = RECIPE_VALUE };
	switch (g->role) {
	case GRAPH_ROLE_WEIGHT:
	case GRAPH_ROLE_BIAS:
		if (!g->fan_in)
			return false;
		out->distribution = RECIPE_UNIFORM;
		out->size = 1 / sqrt((double)g->fan_in);
		return true;
	case GRAPH_ROLE_SCALE:
	case GRAPH_ROLE_VARIANCE:
		out->size = 1;
		return true;
	case GRAPH_ROLE_SHIFT:
	case GRAPH_ROLE_MEAN:
		return true;
	case GRAPH_ROLE_OTHER:
		break;
	}
	return false;
}

static const struct recipe_start *find_start(const struct recipe *r, const struct graph_parameter *g,
					     struct recipe_start *room)
{
	const struct recipe_start *start = recipe_find_start(r, g->name);

	if (start)
		return start;
	return find_default(g, room) ? room : NULL;
}

/* What a file's weights have learned must not survive a start from nothing. */
int train_check_start(const struct recipe *r, const struct graph *g, struct exp_error *err)
{
	for (size_t i = 0; r->initialization != RECIPE_FILE && i < graph_parameter_count(g); i++) {
		const struct graph_parameter *p = graph_parameter(g, i);
		struct recipe_start room;

		if (!find_start(r, p, &room))
			return error_set_field(
			    err, EXP_EUNSUPPORTED, "/start",
			    "no layer tells how the parameter \"%.64s\" starts: say so in the recipe, "
			    "\"start\": [{\"parameters\": \"%.64s\", \"normal\": 0.02}]",
			    p->name, p->name);
	}
	return 0;
}

int train_initialize(const struct recipe *r, uint64_t seed, const struct params *initial, struct params *p,
		     struct exp_error *err)
{
	int rc;

	if (initial->graph != p->graph)
		return error_set(err, EXP_EINVAL, "the starting weights belong to another model");
	rc = train_check_start(r, p->graph, err);
	if (rc)
		return rc;
	if (r->initialization == RECIPE_FILE)
		params_copy(p, initial);
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);
		const struct recipe_start *start;
		struct recipe_start room;

		start = r->initialization == RECIPE_FILE ? recipe_find_start(r, g->name) : find_start(r, g, &room);
		if (start)
			draw(seed, g, start, p->values + g->offset);
	}
	return 0;
}
