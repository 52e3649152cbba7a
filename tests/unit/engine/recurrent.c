/*
 * LSTM, GRU and RNN beside their equations as ONNX writes them down, one sequence and one number at a time in double:
 * both directions, sequences of every length, states that are given, peepholes. Gradients:
 * tests/unit/engine/operators.c.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "base/mem.h"
#include "engine/session.h"
#include "model_text.h"

enum { ROWS = 9, TIMES = 4, INPUTS = 3, HIDDEN = 2, DIRECTIONS = 2 };

#define SEQUENCES "opset 14\nids l 5\ninput x 4 3\nTranspose x -> t perm=[1,0,2]\nparam i 2 1 2\nparam j 2 1 2\n"

/* What a cell's equations need of one direction; weights [gates, HIDDEN, …]. */
struct weights {
	const float *w, *r, *b, *p;
	size_t gates;
};

typedef void cell(const struct weights *k, const float *x, double *h, double *c);

struct kind {
	const char *nodes;
	cell *cell;
	size_t gates;
};

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

/* W x + its bias, and R h + its own, of one unit of a gate. */
static double from_inputs(const struct weights *k, size_t gate, size_t unit, const float *x)
{
	size_t row = gate * HIDDEN + unit;
	double sum = (double)k->b[row];

	for (size_t i = 0; i < INPUTS; i++)
		sum += (double)k->w[row * INPUTS + i] * (double)x[i];
	return sum;
}

static double from_states(const struct weights *k, size_t gate, size_t unit, const double *h)
{
	size_t row = gate * HIDDEN + unit;
	double sum = (double)k->b[k->gates * HIDDEN + row];

	for (size_t i = 0; i < HIDDEN; i++)
		sum += (double)k->r[row * HIDDEN + i] * h[i];
	return sum;
}

static double both(const struct weights *k, size_t gate, size_t unit, const float *x, const double *h)
{
	return from_inputs(k, gate, unit, x) + from_states(k, gate, unit, h);
}

static double peephole(const struct weights *k, size_t gate, size_t unit, double c)
{
	return k->p ? (double)k->p[gate * HIDDEN + unit] * c : 0;
}

static void lstm(const struct weights *k, const float *x, double *h, double *c)
{
	double next[HIDDEN];

	for (size_t u = 0; u < HIDDEN; u++) {
		double i = sigmoid(both(k, 0, u, x, h) + peephole(k, 0, u, c[u]));
		double f = sigmoid(both(k, 2, u, x, h) + peephole(k, 2, u, c[u]));

		c[u] = f * c[u] + i * tanh(both(k, 3, u, x, h));
		next[u] = sigmoid(both(k, 1, u, x, h) + peephole(k, 1, u, c[u])) * tanh(c[u]);
	}
	memcpy(h, next, sizeof(next));
}

static void gru_published(const struct weights *k, const float *x, double *h, double *c)
{
	double next[HIDDEN], reset[HIDDEN];

	(void)c;
	for (size_t u = 0; u < HIDDEN; u++)
		reset[u] = sigmoid(both(k, 1, u, x, h)) * h[u];
	for (size_t u = 0; u < HIDDEN; u++) {
		double z = sigmoid(both(k, 0, u, x, h));

		next[u] = (1 - z) * tanh(both(k, 2, u, x, reset)) + z * h[u];
	}
	memcpy(h, next, sizeof(next));
}

static void gru_before_reset(const struct weights *k, const float *x, double *h, double *c)
{
	double next[HIDDEN];

	(void)c;
	for (size_t u = 0; u < HIDDEN; u++) {
		double z = sigmoid(both(k, 0, u, x, h)), r = sigmoid(both(k, 1, u, x, h));

		next[u] = (1 - z) * tanh(from_inputs(k, 2, u, x) + r * from_states(k, 2, u, h)) + z * h[u];
	}
	memcpy(h, next, sizeof(next));
}

static void rnn_tanh(const struct weights *k, const float *x, double *h, double *c)
{
	double next[HIDDEN];

	(void)c;
	for (size_t u = 0; u < HIDDEN; u++)
		next[u] = tanh(both(k, 0, u, x, h));
	memcpy(h, next, sizeof(next));
}

static void rnn_relu(const struct weights *k, const float *x, double *h, double *c)
{
	double next[HIDDEN];

	(void)c;
	for (size_t u = 0; u < HIDDEN; u++)
		next[u] = fmax(both(k, 0, u, x, h), 0);
	memcpy(h, next, sizeof(next));
}

static const struct kind kinds[] = {
	{ "param w 2 8 3\nparam r 2 8 2\nparam b 2 16\nparam p 2 6\nLSTM t,w,r,b,l,i,j,p -> s,f,c ", lstm, 4 },
	{ "param w 2 8 3\nparam r 2 8 2\nparam b 2 16\nLSTM t,w,r,b,l,i,j -> s,f,c ", lstm, 4 },
	{ "param w 2 6 3\nparam r 2 6 2\nparam b 2 12\nGRU t,w,r,b,l,i -> s,f ", gru_published, 3 },
	{ "param w 2 6 3\nparam r 2 6 2\nparam b 2 12\nGRU t,w,r,b,l,i -> s,f linear_before_reset=1 ", gru_before_reset,
	  3 },
	{ "param w 2 2 3\nparam r 2 2 2\nparam b 2 4\nRNN t,w,r,b,l,i -> s,f ", rnn_tanh, 1 },
	{ "param w 2 2 3\nparam r 2 2 2\nparam b 2 4\nRNN t,w,r,b,l,i -> s,f activations=[Relu,Relu] ", rnn_relu, 1 },
};

/* The values of a parameter for one direction; NULL when there is none of that name. */
static const float *find(const struct params *p, const char *name, size_t direction)
{
	for (size_t i = 0; i < graph_parameter_count(p->graph); i++) {
		const struct graph_parameter *g = graph_parameter(p->graph, i);

		if (strcmp(g->name, name) == 0)
			return p->values + g->offset + direction * g->count / DIRECTIONS;
	}
	return NULL;
}

static void start(const float *given, double *state)
{
	for (size_t u = 0; u < HIDDEN; u++)
		state[u] = given ? (double)given[u] : 0;
}

/* y [TIMES, DIRECTIONS, HIDDEN], last [DIRECTIONS, HIDDEN] of one sequence. */
static void define(const struct kind *k, const struct params *p, const float *row, double *y, double *last)
{
	size_t length = (size_t)row[0];

	memset(y, 0, TIMES * DIRECTIONS * HIDDEN * sizeof(*y));
	for (size_t d = 0; d < DIRECTIONS; d++) {
		struct weights weights = { find(p, "w", d), find(p, "r", d), find(p, "b", d), find(p, "p", d),
					   k->gates };
		double h[HIDDEN], c[HIDDEN];

		start(find(p, "i", d), h);
		start(find(p, "j", d), c);
		for (size_t s = 0; s < length && length <= TIMES; s++) {
			size_t t = d ? length - 1 - s : s;

			k->cell(&weights, row + 1 + t * INPUTS, h, c);
			memcpy(y + (t * DIRECTIONS + d) * HIDDEN, h, sizeof(h));
		}
		memcpy(last + d * HIDDEN, h, sizeof(h));
	}
}

static void compare(const struct kind *k, const char *end, bool last)
{
	enum { ROW = 1 + TIMES * INPUTS };
	char *model = mem_format(SEQUENCES "%sdirection=bidirectional\n%s", k->nodes, end);
	size_t floats = (last ? 1 : TIMES) * DIRECTIONS * HIDDEN;
	float inputs[ROWS * ROW], outputs[ROWS * TIMES * DIRECTIONS * HIDDEN];
	struct graph *g = model_text_load(model);
	struct exp_error err = { 0 };
	struct session *s;
	struct params *p;

	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_new(g, ROWS, &s, &err), 0, "%s", err.message);
	model_text_rows(model, ROWS, inputs);
	for (size_t n = 0; n < 5; n++)
		inputs[n * ROW] = (float)n;
	cr_assert_eq(session_forward(s, p, inputs, ROWS, outputs), 0);
	for (size_t n = 0; n < ROWS; n++) {
		double y[TIMES * DIRECTIONS * HIDDEN], state[DIRECTIONS * HIDDEN];

		define(k, p, inputs + n * ROW, y, state);
		for (size_t i = 0; i < floats; i++)
			cr_assert_float_eq((double)outputs[n * floats + i], last ? state[i] : y[i], 2e-6,
					   "sequence %zu of length %g, output %zu: %g, by definition %g in\n%s", n,
					   (double)inputs[n * ROW], i, (double)outputs[n * floats + i],
					   last ? state[i] : y[i], model);
	}
	session_free(s);
	params_free(p);
	graph_unref(g);
	mem_free(model);
}

Test(recurrent, definitions)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		compare(&kinds[i], "Transpose s -> y perm=[2,0,1,3]", false);
		compare(&kinds[i], "Transpose f -> y perm=[1,0,2]", true);
	}
}

#define SEQUENCE "opset 14\ninput x 3 4\nTranspose x -> t perm=[1,0,2]\nparam u 1 8 4\nparam r 1 8 2\n"
#define END      "\nTranspose s -> y perm=[2,0,1,3]"

static void run_three(const char *model, float outputs[3 * 3 * 2])
{
	struct graph *g = model_text_load(model);
	struct exp_error err = { 0 };
	float inputs[3 * 3 * 4];
	struct session *s;
	struct params *p;

	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_new(g, 3, &s, &err), 0, "%s", err.message);
	model_text_rows(model, 3, inputs);
	cr_assert_eq(session_forward(s, p, inputs, 3, outputs), 0);
	session_free(s);
	params_free(p);
	graph_unref(g);
}

/* An exporter's zeros for a batch of five say no more than none. */
Test(recurrent, zeros_of_another_batch_size)
{
	float with[3 * 3 * 2], without[3 * 3 * 2];

	run_three(SEQUENCE "ints z 1 5 2\nConstantOfShape z -> i\nLSTM t,u,r,_,_,i,i -> s" END, with);
	run_three(SEQUENCE "LSTM t,u,r -> s" END, without);
	cr_assert_arr_eq(with, without, sizeof(with));
}

struct refusal {
	const char *model;
	int code;
	const char *words[3];
};

static const struct refusal refusals[] = {
	/* samples */
	{ SEQUENCE "LSTM x,u,r -> s" END, EXP_EUNSUPPORTED, { "no samples on dimension 1", "[N, 3, 4]" } },
	{ SEQUENCE "LSTM t,u,r -> s layout=1" END, EXP_EUNSUPPORTED, { "no samples on dimension 0", "[3, N, 4]" } },
	{ SEQUENCE
	  "param k 3 1 4\nTranspose k -> m perm=[0,1,2]\nparam v 1 16 4\nparam q 1 16 4\nLSTM m,v,q,_,_,t -> s" END,
	  EXP_EUNSUPPORTED,
	  { "inputs 0 and 5" } },
	/* shapes */
	{ SEQUENCE "param v 1 7 4\nLSTM t,v,r -> s" END, EXP_ESHAPE, { "input 1 is [1, 7, 4]", "[1, 8, 4]" } },
	{ SEQUENCE "param v 2 8 2\nLSTM t,u,v -> s" END, EXP_ESHAPE, { "input 2 is [2, 8, 2]", "[1, 8, 2]" } },
	{ SEQUENCE "LSTM t,u,r -> s direction=bidirectional" END, EXP_ESHAPE, { "input 2", "[2, 8, 2]" } },
	{ SEQUENCE "param b 1 8\nLSTM t,u,r,b -> s" END, EXP_ESHAPE, { "input 3", "[1, 16]" } },
	{ SEQUENCE "param p 1 8\nLSTM t,u,r,_,_,_,_,p -> s" END, EXP_ESHAPE, { "input 7", "[1, 6]" } },
	{ SEQUENCE "param i 1 3 2\nLSTM t,u,r,_,_,i -> s" END, EXP_ESHAPE, { "input 5", "[1, 1, 2]" } },
	{ SEQUENCE "LSTM t,u,r -> s hidden_size=3" END, EXP_ESHAPE, { "hidden_size is 3", "2" } },
	{ "opset 14\nids l 5\n" SEQUENCE "ints o 1\nUnsqueeze l,o -> m\nLSTM t,u,r,_,m -> s" END,
	  EXP_ESHAPE,
	  { "input 4" } },
	/* what is not there */
	{ SEQUENCE "LSTM t,u,r -> s activations=[Sigmoid,Tanh,Elu]" END, EXP_EUNSUPPORTED, { "Elu", "Tanh" } },
	{ SEQUENCE "LSTM t,u,r -> s activations=[Sigmoid,Tanh]" END, EXP_EPARSE, { "3 names" } },
	{ SEQUENCE "LSTM t,u,r -> s direction=sideways" END, EXP_EUNSUPPORTED, { "sideways" } },
	{ SEQUENCE "LSTM t,u,r -> s input_forget=1" END, EXP_EUNSUPPORTED, { "coupled" } },
	{ SEQUENCE "LSTM t,u,r -> s layout=2" END, EXP_EUNSUPPORTED, { "layout 2" } },
	{ SEQUENCE "LSTM t,u,r -> s clip=3.0" END, EXP_EUNSUPPORTED, { "clip" } },
	{ SEQUENCE "GRU t,u,r -> s" END, EXP_ESHAPE, { "input 2 is [1, 8, 2]", "[1, 6, 2]" } },
	{ SEQUENCE "RNN t,u,r -> s activations=[Sigmoid]" END, EXP_EUNSUPPORTED, { "Sigmoid", "Tanh" } },
};

Test(recurrent, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		model_text_refused(refusals[i].model, refusals[i].code, refusals[i].words);
}
