/*
 * Chains of nodes that become one: the same outputs and gradients as node by node, for every order in which exporters
 * write them; and what is nearly such a chain stays as it is. A chain is kept apart by a second user of one of its
 * inner values, who takes the value from itself and adds the nought to the result.
 */
#include <criterion/criterion.h>
#include <criterion/parameterized.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/session.h"
#include "model_text.h"

enum { ROWS = 5, TEXT = 2048 };

#define NUMBER(name, value) "Constant _ -> " name " value_float=" value "\n"
#define HEAD                                                                                                           \
	"opset 13\ninput x 3 4\nparam w 3 4\nMul x,w -> h\n" NUMBER("one", "1.0") NUMBER("two", "2.0")                 \
	    NUMBER("half", "0.5") NUMBER("three", "3.0")
#define TAIL "Flatten s -> f\nparam v 12 5\nMatMul f,v -> y"

#define ERF  NUMBER("root", "1.41421354")
#define TANH NUMBER("kappa", "0.044715") NUMBER("beta", "0.797884561")
#define NORM "positive g 4\nparam b 4\n" NUMBER("epsilon", "0.01")
#define MEAN "ReduceMean h -> m axes=[-1]\nSub h,m -> d\n"

/* From h to r; the inner values, which vanish. */
static const struct chain {
	const char *text, *inner;
} chains[] = {
	/* torch.nn.GELU() */
	{ ERF "Div h,root -> a\nErf a -> e\nAdd e,one -> c\nMul h,c -> p\nMul p,half -> r\n", "a e c p" },
	/* 0.5 x first, every operand the other way round, a product for the quotient */
	{ NUMBER("rsqrt", "0.707106769") "Mul rsqrt,h -> a\nErf a -> e\nAdd one,e -> c\nMul half,h -> p\n"
					 "Mul c,p -> r\n",
	  "a e c p" },
	/* x times the distribution function, halved by division */
	{ ERF "Div h,root -> a\nErf a -> e\nAdd e,one -> c\nDiv c,two -> p\nMul h,p -> r\n", "a e c p" },
	/* torch.nn.GELU(approximate="tanh") */
	{ TANH "Mul h,h -> q\nMul h,q -> k\nMul kappa,k -> u\nAdd h,u -> i\nMul beta,i -> a\nTanh a -> t\n"
	       "Add one,t -> c\nMul h,c -> p\nMul half,p -> r\n",
	  "q k u i a t c p" },
	/* GPT-2's */
	{ TANH "Mul h,half -> p\nPow h,three -> k\nMul k,kappa -> u\nAdd h,u -> i\nMul i,beta -> a\nTanh a -> t\n"
	       "Add t,one -> c\nMul p,c -> r\n",
	  "p k u i a t c" },
	/* x before the bracket */
	{ TANH "Mul h,half -> p\nMul h,beta -> z\nPow h,two -> k\nMul k,kappa -> u\nAdd u,one -> i\nMul z,i -> a\n"
	       "Tanh a -> t\nAdd t,one -> c\nMul p,c -> r\n",
	  "p z k u i a t c" },
	/* torch.nn.LayerNorm below opset 17 */
	{ NORM MEAN "Pow d,two -> q\nReduceMean q -> k axes=[-1]\nAdd k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\n"
		    "Mul n,g -> p\nAdd p,b -> r\n",
	  "m d q k z t n p" },
	/* every operand the other way round, the square as a product, axes from the front */
	{ NORM "ReduceMean h -> m axes=[2]\nSub h,m -> d\nMul d,d -> q\nReduceMean q -> k axes=[2] keepdims=1\n"
	       "Add epsilon,k -> z\nSqrt z -> t\nDiv d,t -> n\nMul g,n -> p\nAdd b,p -> r\n",
	  "m d q k z t n p" },
	/* the deviation written twice, and its mean */
	{ NORM MEAN "ReduceMean h -> m1 axes=[-1]\nSub h,m1 -> d1\nPow d1,two -> q\nReduceMean q -> k axes=[-1]\n"
		    "Add k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\nMul n,g -> p\nAdd p,b -> r\n",
	  "m d m1 d1 q k z t n p" },
	/* without shift, before a residual connection */
	{ NORM MEAN "Pow d,two -> q\nReduceMean q -> k axes=[-1]\nAdd k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\n"
		    "Mul n,g -> p\nAdd p,h -> r\n",
	  "m d q k z t n" },
	/* without scale */
	{ NUMBER("epsilon", "0.01") MEAN
	  "Pow d,two -> q\nReduceMean q -> k axes=[-1]\nAdd k,epsilon -> z\nSqrt z -> t\n"
	  "Div d,t -> r\n",
	  "m d q k z t" },
	/* over two dimensions without scale */
	{ NUMBER("epsilon", "0.01") "ReduceMean h -> m axes=[2,1]\nSub h,m -> d\nPow d,two -> q\n"
				    "ReduceMean q -> k axes=[-1,-2]\nAdd k,epsilon -> z\nSqrt z -> t\nDiv d,t -> r\n",
	  "m d q k z t" },
	/* over two dimensions, scale and shift on their way from parameters */
	{ "positive g0 4 3\nparam b 3 4\nTranspose g0 -> g perm=[1,0]\nIdentity b -> b1\n" NUMBER(
	      "epsilon",
	      "0.01") "ReduceMean h -> m axes=[-2,-1]\nSub h,m -> d\nPow d,two -> q\nReduceMean q -> k axes=[-2,-1]\n"
		      "Add k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\nMul n,g -> p\nAdd p,b1 -> r\n",
	  "m d q k z t n p" },
	/* a Gelu of a normalised value: two chains, end to end */
	{ NORM ERF MEAN "Pow d,two -> q\nReduceMean q -> k axes=[-1]\nAdd k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\n"
			"Mul n,g -> p\nAdd p,b -> l\nDiv l,root -> a\nErf a -> e\nAdd e,one -> c\nMul l,c -> o\n"
			"Mul o,half -> r\n",
	  "m d q k z t n p a e c o" },
};

enum { CHAINS = sizeof(chains) / sizeof(chains[0]) };

/* The model with a chain in it; seen: a value that has a second user, or NULL. */
static const char *write_model(char text[TEXT], const struct chain *c, const char *seen)
{
	char extra[128] = "Identity r -> s\n";
	int size;

	if (seen)
		snprintf(extra, sizeof(extra), "Sub %s,%s -> nought\nAdd r,nought -> s\n", seen, seen);
	size = snprintf(text, TEXT, "%s%s%s%s", HEAD, c->text, extra, TAIL);
	cr_assert(size > 0 && size < TEXT);
	return text;
}

/* The engine computes the value as the file has it. */
static bool is_computed(struct graph *g, const char *name)
{
	const char *taps[] = { name };
	const struct session_options options = { .batch = 2, .taps = taps, .tap_count = 1 };
	struct exp_error err = { 0 };
	struct session *s;
	int rc = session_open(g, &options, &s, &err);

	cr_assert(rc == 0 || rc == EXP_EFIELD, "%s: %s", name, err.message);
	if (rc == 0)
		session_free(s);
	return rc == 0;
}

static size_t count_computed(struct graph *g, const char *names, size_t *all)
{
	char *copy = strdup(names), *save = NULL;
	size_t count = 0;

	*all = 0;
	for (char *name = strtok_r(copy, " ", &save); name; name = strtok_r(NULL, " ", &save), ++*all)
		count += is_computed(g, name);
	free(copy);
	return count;
}

/* ---- results ---- */

struct results {
	float *outputs, *tangents; /* [ROWS, output floats] */
	float *sum, *square_sum;   /* [parameter floats] */
	size_t outputs_count, floats;
};

static void differentiate(struct session *s, const struct params *p, const float *rows, enum session_reduce kind,
			  float *out)
{
	static const int32_t labels[ROWS] = { 0, 4, 2, 1, 3 };
	struct session_result r = { .out = out };

	cr_assert_eq(session_backward(s, p, rows, labels, ROWS, kind, &r), 0);
}

static void compute(const char *text, struct graph *g, struct results *out)
{
	float *rows = calloc(ROWS * graph_input_floats(g), sizeof(*rows));
	float *direction = calloc(graph_parameter_floats(g), sizeof(*direction));
	struct session_tangent tangent = { .inputs = rows, .n = ROWS, .direction = direction };
	struct session *s;
	struct params *p;

	out->outputs_count = ROWS * graph_output_floats(g);
	out->floats = graph_parameter_floats(g);
	out->outputs = calloc(out->outputs_count, sizeof(float));
	out->tangents = calloc(out->outputs_count, sizeof(float));
	out->sum = calloc(out->floats, sizeof(float));
	out->square_sum = calloc(out->floats, sizeof(float));
	model_text_rows(text, ROWS, rows);
	for (size_t i = 0; i < out->floats; i++)
		direction[i] = (float)((i * 7919) % 101) * 0.02f - 1.0f;
	cr_assert_eq(session_new(g, ROWS, &s, NULL), 0);
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_forward(s, p, rows, ROWS, out->outputs), 0);
	differentiate(s, p, rows, SESSION_SUM, out->sum);
	differentiate(s, p, rows, SESSION_SQUARE_SUM, out->square_sum);
	tangent.params = p;
	tangent.tangents = out->tangents;
	cr_assert_eq(session_tangent(s, &tangent, NULL), 0);
	session_free(s);
	params_free(p);
	free(rows);
	free(direction);
}

static void results_fini(struct results *r)
{
	free(r->outputs);
	free(r->tangents);
	free(r->sum);
	free(r->square_sum);
}

static void compare(const char *text, const char *what, const float *a, const float *b, size_t count)
{
	double largest = 0.0;

	for (size_t i = 0; i < count; i++)
		largest = fmax(largest, fabs((double)b[i]));
	cr_assert_gt(largest, 1e-3, "%s in\n%s", what, text);
	for (size_t i = 0; i < count; i++)
		cr_assert(fabs((double)a[i] - (double)b[i]) <= 1e-6 * largest, "%s %zu: fused %.9g, apart %.9g in\n%s",
			  what, i, (double)a[i], (double)b[i], text);
}

static struct criterion_test_params chain_numbers(void)
{
	static size_t numbers[CHAINS];

	for (size_t i = 0; i < CHAINS; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, CHAINS);
}

ParameterizedTestParameters(fuse, chains_become_one_node)
{
	return chain_numbers();
}

ParameterizedTest(const size_t *number, fuse, chains_become_one_node)
{
	const struct chain *c = &chains[*number];
	char text[TEXT];
	struct graph *g = model_text_load(write_model(text, c, NULL));
	size_t all;

	cr_assert_eq(count_computed(g, c->inner, &all), 0, "%s", text);
	cr_assert(is_computed(g, "h") && is_computed(g, "r"), "what goes in and what comes out:\n%s", text);
	graph_unref(g);
}

ParameterizedTestParameters(fuse, results_are_those_of_the_chain)
{
	return chain_numbers();
}

/* Any inner value that someone else uses keeps its chain apart; a scaled norm is a shorter chain that ends there. */
ParameterizedTest(const size_t *number, fuse, results_are_those_of_the_chain)
{
	const struct chain *c = &chains[*number];
	char text[TEXT], *names = strdup(c->inner), *save = NULL;
	struct graph *g = model_text_load(write_model(text, c, NULL));
	struct results fused, apart;

	compute(text, g, &fused);
	graph_unref(g);
	for (char *name = strtok_r(names, " ", &save); name; name = strtok_r(NULL, " ", &save)) {
		g = model_text_load(write_model(text, c, name));
		cr_assert(is_computed(g, name), "%s in\n%s", name, text);
		compute(text, g, &apart);
		cr_assert_eq(fused.floats, apart.floats);
		compare(text, "output", fused.outputs, apart.outputs, fused.outputs_count);
		compare(text, "tangent", fused.tangents, apart.tangents, fused.outputs_count);
		compare(text, "gradient", fused.sum, apart.sum, fused.floats);
		compare(text, "square", fused.square_sum, apart.square_sum, fused.floats);
		results_fini(&apart);
		graph_unref(g);
	}
	results_fini(&fused);
	free(names);
}

/* ---- what stays as it is ---- */

#define GELU_OF(divisor, gate, factor)                                                                                 \
	"Div h," divisor " -> a\nErf a -> e\nAdd e," gate " -> c\nMul h,c -> p\nMul p," factor " -> r\n"
#define NORM_OF(exponent, first, second, end)                                                                          \
	"ReduceMean h -> m axes=" first "\nSub h,m -> d\nPow d," exponent " -> q\nReduceMean q -> k axes=" second      \
	"\nAdd k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\nMul n,g -> p\n" end

static const struct chain near_misses[] = {
	{ NUMBER("root", "1.4142") GELU_OF("root", "one", "half"), "a e c p" },
	{ ERF NUMBER("more", "1.00001") GELU_OF("root", "more", "half"), "a e c p" },
	{ ERF NUMBER("less", "0.49999") GELU_OF("root", "one", "less"), "a e c p" },
	/* numbers that training may change */
	{ ERF "number trained 0.5\n" GELU_OF("root", "one", "trained"), "a e c p" },
	{ "number trained 1.41421354\n" GELU_OF("trained", "one", "half"), "a e c p" },
	/* erf of something else than the factor */
	{ ERF "Neg h -> o\nDiv o,root -> a\nErf a -> e\nAdd e,one -> c\nMul h,c -> p\nMul p,half -> r\n", "a e c p" },
	{ ERF "Mul h,h -> o\nDiv o,root -> a\nErf a -> e\nAdd e,one -> c\nMul h,c -> p\nMul p,half -> r\n", "a e c p" },
	/* 1 - erf */
	{ ERF "Div h,root -> a\nErf a -> e\nSub one,e -> c\nMul h,c -> p\nMul p,half -> r\n", "a e c p" },
	{ NUMBER("kappa", "0.0447") NUMBER("beta", "0.797884561") "Mul h,half -> p\nPow h,three -> k\nMul k,kappa -> "
								  "u\nAdd h,u -> i\nMul i,beta -> a\nTanh a -> t\n"
								  "Add t,one -> c\nMul p,c -> r\n",
	  "p k u i a t c" },
	{ TANH "Mul h,half -> p\nPow h,two -> k\nMul k,kappa -> u\nAdd h,u -> i\nMul i,beta -> a\nTanh a -> t\n"
	       "Add t,one -> c\nMul p,c -> r\n",
	  "p k u i a t c" },
	{ TANH "Mul h,half -> p\nPow h,three -> k\nMul k,kappa -> u\nSub h,u -> i\nMul i,beta -> a\nTanh a -> t\n"
	       "Add t,one -> c\nMul p,c -> r\n",
	  "p k u i a t c" },
	/* a result of another shape */
	{ ERF
	  "ints ones 1 1 1 1\nConstantOfShape ones -> wide value={0.5}\nDiv h,root -> a\nErf a -> e\nAdd e,one -> c\n"
	  "Mul h,c -> p\nMul p,wide -> r4\nints zero 0\nSqueeze r4,zero -> r\n",
	  "a e c p" },
	/* another power; a mean over other dimensions than the variance, or not over the last; an epsilon that is
	 * trained
	 */
	{ NORM NORM_OF("three", "[-1]", "[-1]", "Add p,b -> r\n"), "m d q k z t n p" },
	{ NORM NORM_OF("two", "[-2]", "[-1]", "Add p,b -> r\n"), "m d q k z t n p" },
	{ NORM NORM_OF("two", "[-1]", "[-2]", "Add p,b -> r\n"), "m d q k z t n p" },
	{ NORM NORM_OF("two", "[-2]", "[-2]", "Add p,b -> r\n"), "m d q k z t n p" },
	{ "positive g 4\nparam b 4\nnumber epsilon 0.01\n" NORM_OF("two", "[-1]", "[-1]", "Add p,b -> r\n"),
	  "m d q k z t n p" },
};

enum { NEAR_MISSES = sizeof(near_misses) / sizeof(near_misses[0]) };

ParameterizedTestParameters(fuse, near_misses_stay)
{
	static size_t numbers[NEAR_MISSES];

	for (size_t i = 0; i < NEAR_MISSES; i++)
		numbers[i] = i;
	return cr_make_param_array(size_t, numbers, NEAR_MISSES);
}

ParameterizedTest(const size_t *number, fuse, near_misses_stay)
{
	const struct chain *c = &near_misses[*number];
	char text[TEXT];
	struct graph *g = model_text_load(write_model(text, c, NULL));
	size_t all, computed = count_computed(g, c->inner, &all);

	cr_assert_eq(computed, all, "%zu of %zu inner values are left in\n%s", computed, all, text);
	graph_unref(g);
}

/* What is no scale or no shift stays behind: the chain ends before it. */
static const struct shorter {
	const char *text, *inner, *left;
} shorter[] = {
	/* a shift for each sample */
	{ NORM NORM_OF("two", "[-1]", "[-1]", "Add h,p -> r\n"), "m d q k z t n", "p" },
	/* a scale for each sample */
	{ NUMBER("epsilon", "0.01") "param b 4\nAbs h -> g\n" NORM_OF("two", "[-1]", "[-1]", "Add p,b -> r\n"),
	  "m d q k z t", "n p" },
	/* one scale for all */
	{ "positive g 1\nparam b 4\n" NUMBER("epsilon", "0.01") NORM_OF("two", "[-1]", "[-1]", "Add p,b -> r\n"),
	  "m d q k z t", "n p" },
	/* fewer than there are dimensions that the mean was taken over */
	{ NORM NORM_OF("two", "[-2,-1]", "[-2,-1]", "Add p,b -> r\n"), "m d q k z t", "n p" },
	/* one shift for all */
	{ "positive g 4\nparam b 1\n" NUMBER("epsilon", "0.01") NORM_OF("two", "[-1]", "[-1]", "Add p,b -> r\n"),
	  "m d q k z t n", "p" },
};

Test(fuse, chains_end_before_what_does_not_belong)
{
	for (size_t i = 0; i < sizeof(shorter) / sizeof(shorter[0]); i++) {
		const struct chain c = { shorter[i].text, shorter[i].inner };
		char text[TEXT];
		struct graph *g = model_text_load(write_model(text, &c, NULL));
		size_t all;

		cr_assert_eq(count_computed(g, c.inner, &all), 0, "%s", text);
		cr_assert_eq(count_computed(g, shorter[i].left, &all), all, "%s", text);
		graph_unref(g);
	}
}

/* Without samples a normalised vector may be its own scale. */
Test(fuse, a_chain_that_scales_itself_is_whole)
{
#define OWN                                                                                                            \
	"input x 4\nparam w 4\n" NUMBER("two", "2.0")                                                                  \
	    NUMBER("epsilon",                                                                                          \
		   "0.01") "ReduceMean w -> m axes=[-1]\nSub w,m -> d\nPow d,two -> q\nReduceMean q -> k axes=[-1]\n"  \
			   "Add k,epsilon -> z\nSqrt z -> t\nDiv d,t -> n\n"
	static const char *const texts[] = {
		OWN "Mul n,n -> p\nparam v 4 5\nMul x,p -> s\nMatMul s,v -> y",
		OWN "Mul d,n -> p0\nDiv p0,t -> p\nparam v 4 5\nMul x,p -> s\nMatMul s,v -> y"
	};
	struct results r[2];

	for (size_t i = 0; i < 2; i++) {
		struct graph *g = model_text_load(texts[i]);

		compute(texts[i], g, &r[i]);
		graph_unref(g);
	}
	compare(texts[0], "output", r[0].outputs, r[1].outputs, r[0].outputs_count);
	compare(texts[0], "gradient", r[0].sum, r[1].sum, r[0].floats);
	results_fini(&r[0]);
	results_fini(&r[1]);
}

Test(fuse, an_output_inside_a_chain_is_computed)
{
	struct graph *g = model_text_load("input x 4\nparam w 4 3\nMatMul x,w -> h\n" NUMBER("one", "1.0")
					      NUMBER("half", "0.5") ERF GELU_OF("root", "one", "half") "output c");

	cr_assert_str_eq(graph_output_name(g), "c");
	cr_assert(is_computed(g, "a") && is_computed(g, "e") && is_computed(g, "c"));
	cr_assert_not(is_computed(g, "r"), "nothing needs it");
	graph_unref(g);
}

/* ---- what does not change ---- */

Test(fuse, parameters_are_the_files_and_have_their_roles)
{
	char text[TEXT];
	struct graph *g = model_text_load(write_model(text, &chains[6], NULL));

	cr_assert_eq(graph_parameter_count(g), 4);
	cr_assert_str_eq(graph_parameter(g, 1)->name, "g");
	cr_assert_eq(graph_parameter(g, 1)->role, GRAPH_ROLE_SCALE);
	cr_assert_str_eq(graph_parameter(g, 2)->name, "b");
	cr_assert_eq(graph_parameter(g, 2)->role, GRAPH_ROLE_SHIFT);
	graph_unref(g);
}

Test(fuse, the_file_keeps_its_chains)
{
	for (size_t i = 0; i < CHAINS; i++) {
		struct buf file = { 0 }, saved = { 0 };
		struct graph *g = NULL;
		struct params *p;
		char text[TEXT];

		model_text_write(write_model(text, &chains[i], NULL), &file);
		cr_assert_eq(graph_load(file.data, file.size, &g, NULL), 0);
		cr_assert_eq(graph_initial_params(g, &p), 0);
		cr_assert_eq(graph_save(g, p, &saved, NULL), 0);
		cr_assert(saved.size == file.size && memcmp(saved.data, file.data, file.size) == 0, "%s", text);
		params_free(p);
		graph_unref(g);
		buf_fini(&file);
		buf_fini(&saved);
	}
}
