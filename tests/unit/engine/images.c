/* What operators on images refuse: convolutions, pools, padding and resizing. */
#include <criterion/criterion.h>

#include "model_text.h"

#define IMAGE "input x 2 6 5\nparam v 2 1 1 1\nConv x,v -> h group=2\n"
#define WIDE  "2147483647"

struct refusal {
	const char *model;
	int code;
	const char *words[3];
};

static const struct refusal refusals[] = {
	/* shapes of convolutions */
	{ IMAGE "param w 4 2 3\nConv h,w -> y", EXP_EUNSUPPORTED, { "[N, 2, 6, 5]", "[4, 2, 3]" } },
	{ IMAGE "param w 4 3 3 3\nConv h,w -> y", EXP_ESHAPE, { "do not fit in 1 groups" } },
	{ IMAGE "param w 4 1 3 3\nConv h,w -> y group=3", EXP_ESHAPE, { "3 groups" } },
	{ IMAGE "param w 4 1 3 3\nConv h,w -> y group=0", EXP_ESHAPE, { "0 groups" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y group=" WIDE, EXP_ESHAPE, { "groups" } },
	{ IMAGE "param w 4 2 3 3\nparam b 3\nConv h,w,b -> y", EXP_ESHAPE, { "[3]", "4 filters" } },
	{ IMAGE "param w 4 2 7 3\nConv h,w -> y", EXP_ESHAPE, { "a window of 7", "6 padded" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y kernel_shape=[3,2]", EXP_ESHAPE, { "kernel_shape" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y strides=[0,1]", EXP_ESHAPE, { "strides holds 0" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y strides=[1]", EXP_ESHAPE, { "strides has 1", "2 are expected" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y pads=[-1,0,0,0]", EXP_EUNSUPPORTED, { "pads holds -1" } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y auto_pad=LEFT", EXP_EUNSUPPORTED, { "LEFT" } },
	{ "input x 2 5 4 3 2\nparam w 1 2 1 1 1 1\nConv x,w -> y", EXP_EUNSUPPORTED, { "volumes" } },
	{ IMAGE "param w 2 3 3 3\nConvTranspose h,w -> y pads=[9,9,9,9]", EXP_ESHAPE, { "leaves nothing" } },
	{ IMAGE "param w 3 3 3 3\nConvTranspose h,w -> y", EXP_ESHAPE, { "do not fit" } },
	/* images that do not hold one sample each */
	{ IMAGE "Transpose h -> t perm=[1,0,2,3]\nTranspose t -> u perm=[1,0,3,2]\nTranspose u -> r perm=[2,1,0,3]\n"
		"param w 1 2 1 1\nConv r,w -> y",
	  EXP_EUNSUPPORTED,
	  { "first dimension" } },
	{ IMAGE "Conv h,h -> y", EXP_EUNSUPPORTED, { "not those of a convolution" } },
	/* pools */
	{ IMAGE "MaxPool h -> y", EXP_EPARSE, { "kernel_shape is missing" } },
	{ IMAGE "MaxPool h -> y kernel_shape=[0,1]", EXP_ESHAPE, { "kernel_shape holds 0" } },
	{ IMAGE "AveragePool h -> y kernel_shape=[2,2] pads=[2,0,0,0]", EXP_EUNSUPPORTED, { "as wide as" } },
	{ "input x 4\nparam w 4\nMul x,w -> h\nGlobalAveragePool h -> y", EXP_ESHAPE, { "no spatial dimensions" } },
	/* padding and resizing */
	{ IMAGE "ints p 1 0 0 0 0 0 0 0\nPad h,p -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ IMAGE "ints p 0 0 1\nPad h,p -> y", EXP_ESHAPE, { "pads has 3", "8 are expected" } },
	{ IMAGE "ints p 0 0 -4 0 0 0 -3 0\nPad h,p -> y", EXP_ESHAPE, { "dimension 2 of 6" } },
	{ IMAGE "ints p 0 0 1 1 0 0 1 1\nPad h,p -> y mode=wrap", EXP_EUNSUPPORTED, { "wrap" } },
	{ IMAGE "numbers s 2.0 1.0 1.0 1.0\nResize h,_,s -> y", EXP_EUNSUPPORTED, { "mixes samples" } },
	{ IMAGE "numbers s 1.0 1.0 -1.0 1.0\nResize h,_,s -> y", EXP_ESHAPE, { "a scale of -1" } },
	{ IMAGE "numbers s 1.0 2.0\nResize h,_,s -> y", EXP_ESHAPE, { "scales has 2", "4 are expected" } },
	{ IMAGE "Resize h -> y", EXP_ESHAPE, { "neither scales nor sizes" } },
	{ IMAGE "numbers s 1.0 1.0 2.0 2.0\nResize h,_,s -> y mode=area", EXP_EUNSUPPORTED, { "area" } },
	/* sizes that only a file could name */
	{ IMAGE "MaxPool h -> y kernel_shape=[" WIDE ",1] pads=[2147483646,0,2147483646,0]",
	  EXP_ELIMIT,
	  { "a kernel of " WIDE } },
	{ IMAGE "param w 4 2 3 3\nConv h,w -> y pads=[" WIDE "," WIDE "," WIDE "," WIDE "]",
	  EXP_ELIMIT,
	  { "more than" } },
	{ IMAGE "param w 2 3 3 3\nConvTranspose h,w -> y strides=[" WIDE "," WIDE "]", EXP_ELIMIT, { "more than" } },
	{ IMAGE "param w 2 3 3 3\nConvTranspose h,w -> y output_shape=[65536,65536]", EXP_ELIMIT, { "more than" } },
	{ IMAGE "ints p 0 0 " WIDE " 0 0 0 0 0\nPad h,p -> y", EXP_ELIMIT, { "pads holds" } },
	{ IMAGE "ints p 0 0 16000000 0 0 0 0 16000000\nPad h,p -> y", EXP_ELIMIT, { "more than" } },
	{ IMAGE "numbers s 1.0 1.0 999999.0 999999.0\nResize h,_,s -> y", EXP_ELIMIT, { "more than" } },
	{ IMAGE "ints z 2 2 " WIDE " 5\nResize h,_,_,z -> y", EXP_ESHAPE, { "cannot become" } },
};

Test(images, refusals)
{
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++)
		model_text_refused(refusals[i].model, refusals[i].code, refusals[i].words);
}
