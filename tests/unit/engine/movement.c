/* What operators that move data refuse, and what they make of indices that data decide. */
#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>

#include "engine/session.h"
#include "model_text.h"

#define INPUT "input x 3 4\nparam w 3 4\nMul x,w -> h\n"
#define BATCH "Shape h -> q\nints z 0\nGather q,z -> n\n"
#define BIG   "4611686018427387904"

struct refusal {
	const char *model;
	int code;
	const char *words[3];
};

static const struct refusal refusals[] = {
	/* samples would be mixed or lost */
	{ INPUT "ints s 0\nints e 1\nSlice h,s,e -> y", EXP_EUNSUPPORTED, { "mixes samples", "[N, 3, 4]" } },
	{ INPUT "ints s 0\nints e -1\nSlice h,s,e -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "Concat h,h -> y axis=0", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "Transpose h -> t perm=[1,0,2]\nConcat h,t -> y axis=2", EXP_ESHAPE, { "does not fit beside" } },
	{ INPUT "int i 0\nGather h,i -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "ids i 3 2\nGather h,i -> y axis=1", EXP_EUNSUPPORTED, { "entries of all samples" } },
	{ INPUT "int a 0\nCumSum h,a -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ "input x 4\nparam w 4\nMul x,w -> h\nTrilu h -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "Shape h -> s\nTile h,s -> y", EXP_EUNSUPPORTED, { "once for each sample" } },
	{ INPUT "ints a 0\nSqueeze h,a -> y", EXP_EUNSUPPORTED, { "it holds the samples" } },
	{ INPUT "ints i 0 1\nints s 2 1\nReshape i,s -> j\nGatherND h,j -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ INPUT "ids i 3 2 1\nScatterND h,i,h -> y", EXP_ESHAPE, { "updates of shape [N, 3, 4]" } },
	{ INPUT BATCH "Concat n,n -> m axis=0\nparam c 1\nExpand c,m -> e\nMul h,e -> y",
	  EXP_EUNSUPPORTED,
	  { "number of samples" } },
	{ "input x 4 4\nparam w 4 4\nMul x,w -> h\nDepthToSpace h -> y blocksize=2", EXP_ESHAPE, { "blocks of 2" } },
	/* shapes */
	{ INPUT "ints t -1 5\nReshape h,t -> y", EXP_ESHAPE, { "cannot be reshaped", "[N, 3, 4]" } },
	{ INPUT "ints t -1 -1 4\nReshape h,t -> y", EXP_ESHAPE, { "element 1", "-1" } },
	{ INPUT "ints t 0 0 0 0 -1\nReshape h,t -> y", EXP_ESHAPE, { "element 3", "0" } },
	{ INPUT "Transpose h -> y perm=[0,2,2]", EXP_ESHAPE, { "no permutation" } },
	{ INPUT "ints s 1 1\nSplit h,s -> a,b axis=1\nConcat a,b -> y axis=1", EXP_ESHAPE, { "leave 1 of 3" } },
	{ INPUT "Split h -> a,b axis=1\nConcat a,b -> y axis=1", EXP_ESHAPE, { "2 equal parts" } },
	{ INPUT "ints i 0 3\nGather h,i -> y axis=1", EXP_ESHAPE, { "3", "outside 3 entries" } },
	{ INPUT "param c 1 2 4\nConcat h,c -> y axis=2", EXP_ESHAPE, { "does not fit beside" } },
	{ INPUT "ints t 3 5\nExpand h,t -> y", EXP_ESHAPE, { "does not broadcast", "5" } },
	{ INPUT "ints s 0\nints e 1\nints a 1\nints p 0\nSlice h,s,e,a,p -> y", EXP_ESHAPE, { "a step is 0" } },
	/* what would have to be known beforehand, or is no evaluation */
	{ "ids i 3 1\nparam w 5 4\nReshape w,i -> y", EXP_EUNSUPPORTED, { "known beforehand" } },
	{ INPUT "number r 0.5\nbools t 1\nDropout h,r,t -> y", EXP_EUNSUPPORTED, { "evaluation mode" } },
	{ INPUT "NonZero h -> i\nGather h,i -> y axis=1", EXP_EUNSUPPORTED, { "known beforehand" } },
	/* sizes that only a file could name */
	{ INPUT "ints t 1 " BIG " " BIG "\nTile h,t -> y", EXP_ESHAPE, { "repeats axis 1" } },
	{ INPUT "ints t 1 2147483648 2147483648\nTile h,t -> y", EXP_ELIMIT, { "more than" } },
	{ INPUT "ints t 1 65536 65536 3 4\nExpand h,t -> y", EXP_ESHAPE, { "" } },
	{ INPUT "ints t 65536 65536 1 3 4\nExpand h,t -> y", EXP_ELIMIT, { "more than" } },
	{ INPUT "ints t " BIG " 3 4\nExpand h,t -> y", EXP_ESHAPE, { "does not broadcast" } },
	{ "input x 4\nparam w 4\nMul x,w -> h\nints s 2147483647 2147483647\nConstantOfShape s -> c\nMul h,c -> y",
	  EXP_ELIMIT,
	  { "more than" } },
	{ "input x 4\nparam w 4\nMul x,w -> h\nint a 0\nint b 9223372036854775807\nint c 1\nRange a,b,c -> i\n"
	  "Gather h,i -> y axis=1",
	  EXP_ELIMIT,
	  { "more than" } },
	{ "input x 4\nparam w 4\nMul x,w -> h\nint d 2147483647\nints i 1 2 3\nnumbers v 0.0 1.0\nOneHot i,d,v -> o\n"
	  "Mul h,o -> y",
	  EXP_ELIMIT,
	  { "more than" } },
	{ INPUT "ints s -9223372036854775808\nints e 9223372036854775807\nints a 1\nints p -9223372036854775808\n"
		"Slice h,s,e,a,p -> y",
	  EXP_ESHAPE,
	  { "" } },
	{ INPUT "DepthToSpace h -> y blocksize=" BIG, EXP_ESHAPE, { "blocksize" } },
};

Test(movement, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		model_text_refused(refusals[i].model, refusals[i].code, refusals[i].words);
}

/* An id outside the table: a clear answer, no read outside. */
Test(movement, ids_outside)
{
	static const float ids[6] = { 0, 4, 2, 1, 7, 3 };
	struct graph *g = model_text_load("ids i 5 3\nparam w 5 2\nGather w,i -> y");
	struct loss loss = { .kind = LOSS_UPSTREAM };
	float upstream[12], sum[10] = { 0 }, outputs[12];
	struct session_result result = { .out = sum };
	struct exp_error err = { 0 };
	struct params *p;
	struct session *s;
	struct session_call call;

	for (size_t i = 0; i < 12; i++)
		upstream[i] = 1.0f;
	loss.targets = upstream;
	cr_assert_eq(graph_initial_params(g, &p), 0);
	cr_assert_eq(session_new(g, 2, &s, &err), 0, "%s", err.message);
	call = (struct session_call){ .params = p,
				      .inputs = ids,
				      .n = 2,
				      .outputs = outputs,
				      .loss = &loss,
				      .reduce = SESSION_SUM,
				      .result = &result };
	cr_assert_eq(session_run(s, &call, &err), EXP_ENONFINITE);
	for (size_t i = 0; i < 12; i++)
		cr_assert_eq(isnan(outputs[i]) != 0, i / 2 == 4, "output %zu is %g", i, (double)outputs[i]);
	session_free(s);
	params_free(p);
	graph_unref(g);
}
