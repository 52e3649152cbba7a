/*
 * Weights that are held: what a session computes with them in the form that operators like best is what it computes
 * without, but for the last bits; for every operator's model, and for dense layers of sizes that fill tiles.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "engine/session.h"
#include "model_text.h"
#include "operator_models.h"

enum { ROWS = 40 };

static const char *const dense[] = {
	"input x 70\nparam w 50 70\nparam b 50\nGemm x,w,b -> h transB=1\nRelu h -> r\nparam v 33 50\nparam c "
	"33\nGemm r,v,c -> y transB=1",
	"input x 70\nparam w 70 50\nparam b 50\nGemm x,w,b -> h alpha=0.5 beta=-1.5\nparam v 50 9\nparam c 1\nGemm "
	"h,v,c -> y",
	"input x 70\nparam w 50 70\nTranspose w -> t perm=[1,0]\nMatMul x,t -> h\nparam v 50 20\nMatMul h,v -> y",
	"input x 300\nparam w 300 100\nparam b 100\nMatMul x,w -> h\nAdd h,b -> y",
	"input x 7 24\nparam w 24 40\nMatMul x,w -> h\nparam v 280 5\nFlatten h -> f\nMatMul f,v -> y",
	"input x 7 24\nTranspose x -> t perm=[1,0,2]\nparam w 24 40\nMatMul t,w -> h\nTranspose h -> g "
	"perm=[1,0,2]\nFlatten g -> f\nparam v 280 5\nMatMul f,v -> y",
	"input x 12 20\nparam w 3 20 18\nints s 0 3 4 20\nReshape x,s -> h\nMatMul h,w -> k\nFlatten k -> f\nparam v "
	"216 4\nMatMul f,v -> y",
};

enum { OPERATORS = sizeof(models) / sizeof(models[0]), DENSE = sizeof(dense) / sizeof(dense[0]) };

struct pair {
	struct graph *graph;
	struct params *params;
	struct session *held, *plain;
	float *inputs;
	size_t outputs; /* of one row */
};

static void set_up(struct pair *p, const char *model)
{
	struct exp_error err = { 0 };

	p->graph = model_text_load(model);
	cr_assert_eq(graph_initial_params(p->graph, &p->params), 0);
	cr_assert_eq(session_new(p->graph, ROWS, &p->held, &err), 0, "%s", err.message);
	cr_assert_eq(session_new(p->graph, ROWS, &p->plain, &err), 0, "%s", err.message);
	session_hold(p->held, p->params);
	p->outputs = graph_output_floats(p->graph);
	p->inputs = calloc(ROWS * graph_input_floats(p->graph), sizeof(*p->inputs));
	model_text_rows(model, ROWS, p->inputs);
}

static void tear_down(struct pair *p)
{
	free(p->inputs);
	session_free(p->held);
	session_free(p->plain);
	params_free(p->params);
	graph_unref(p->graph);
}

static void check_equal(const char *model, const char *what, const float *held, const float *plain, size_t count)
{
	double size = 0.0;

	for (size_t i = 0; i < count; i++)
		size = fmax(size, fabs((double)plain[i]));
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)held[i] - (double)plain[i]) <= 1e-5 * size, "%s\n%s: %g is not %g", model, what,
			  (double)held[i], (double)plain[i]);
}

static void check_forward(struct pair *p, const char *model, size_t n)
{
	float *held = calloc(n * p->outputs, sizeof(*held)), *plain = calloc(n * p->outputs, sizeof(*plain));

	cr_assert_eq(session_forward(p->held, p->params, p->inputs, n, held), 0);
	cr_assert_eq(session_forward(p->plain, p->params, p->inputs, n, plain), 0);
	check_equal(model, "outputs", held, plain, n * p->outputs);
	free(held);
	free(plain);
}

/* Forward mode runs forward on tangents of the weights: not with what was prepared of their values. */
static void check_tangent(struct pair *p, const char *model, size_t n)
{
	size_t floats = graph_parameter_floats(p->graph);
	float *held = calloc(n * p->outputs, sizeof(*held)), *plain = calloc(n * p->outputs, sizeof(*plain));
	float *direction = calloc(floats, sizeof(*direction));
	struct session_tangent call = {
		.params = p->params, .inputs = p->inputs, .n = n, .direction = direction, .tangents = held
	};
	struct exp_error err = { 0 };
	struct rng rng;

	rng_init(&rng, 1, "held");
	for (size_t i = 0; i < graph_trainable_floats(p->graph); i++)
		direction[i] = (float)rng_normal(&rng);
	cr_assert_eq(session_tangent(p->held, &call, &err), 0, "%s", err.message);
	call.tangents = plain;
	cr_assert_eq(session_tangent(p->plain, &call, &err), 0, "%s", err.message);
	check_equal(model, "tangents", held, plain, n * p->outputs);
	free(direction);
	free(held);
	free(plain);
}

static void check_gradients(struct pair *p, const char *model, size_t n)
{
	size_t floats = graph_trainable_floats(p->graph);
	float *held = calloc(floats, sizeof(*held)), *plain = calloc(floats, sizeof(*plain));
	float *cotangent = calloc(n * p->outputs, sizeof(*cotangent));
	struct loss loss = { .kind = LOSS_UPSTREAM, .targets = cotangent };
	struct session_result result = { .out = held };
	struct session_call call = { .params = p->params,
				     .inputs = p->inputs,
				     .n = n,
				     .loss = &loss,
				     .reduce = SESSION_SQUARE_SUM,
				     .result = &result };
	struct exp_error err = { 0 };
	struct rng rng;

	rng_init(&rng, 2, "held");
	for (size_t i = 0; i < n * p->outputs; i++)
		cotangent[i] = (float)rng_normal(&rng);
	cr_assert_eq(session_run(p->held, &call, &err), 0, "%s", err.message);
	result.out = plain;
	cr_assert_eq(session_run(p->plain, &call, &err), 0, "%s", err.message);
	check_equal(model, "squared gradients", held, plain, floats);
	free(cotangent);
	free(held);
	free(plain);
}

static void check_model(const char *model, size_t rows)
{
	struct pair p;

	set_up(&p, model);
	check_forward(&p, model, rows);
	check_forward(&p, model, 1);
	check_forward(&p, model, rows - 1);
	check_tangent(&p, model, rows);
	check_gradients(&p, model, rows);
	tear_down(&p);
}

/* Tests run in processes of their own, to which a number travels but not a pointer. */
static struct criterion_test_params numbers_below(size_t *numbers, size_t count)
{
	for (size_t i = 0; i < count; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, count);
}

ParameterizedTestParameters(held, operators)
{
	static size_t numbers[OPERATORS];

	return numbers_below(numbers, OPERATORS);
}

ParameterizedTest(const size_t *number, held, operators)
{
	check_model(models[*number], 5);
}

ParameterizedTestParameters(held, dense_layers)
{
	static size_t numbers[DENSE];

	return numbers_below(numbers, DENSE);
}

ParameterizedTest(const size_t *number, held, dense_layers)
{
	check_model(dense[*number], ROWS);
}

/* What was prepared of one set of weights serves no other, and none once they are let go. */
Test(held, another_set_of_weights)
{
	struct params *other;
	struct pair p;

	set_up(&p, dense[0]);
	check_forward(&p, dense[0], ROWS);
	cr_assert_eq(params_clone(p.params, &other), 0);
	for (size_t i = 0; i < other->count; i++)
		other->values[i] *= -0.5f;
	params_free(p.params);
	p.params = other;
	check_forward(&p, "not held", ROWS);
	session_hold(p.held, other);
	check_forward(&p, "held in its place", ROWS);
	session_hold(p.held, NULL);
	for (size_t i = 0; i < other->count; i++)
		other->values[i] *= 3.0f;
	check_forward(&p, "let go and changed", ROWS);
	tear_down(&p);
}
