/*
 * operator_models.h: a small model for every operator and every attribute that changes its arithmetic, in the language
 * of model_text.h. What uses the operator stands behind a parameter, so that its input gradient is tried too.
 */
#ifndef TESTS_ENGINE_OPERATOR_MODELS_H
#define TESTS_ENGINE_OPERATOR_MODELS_H

#define IMAGE "input x 2 6 5\nparam w0 4 2 1 1\nparam b0 4\nConv x,w0,b0 -> h\n"

static const char *const models[] = {
	/* dense layers */
	"input x 6\nparam w 4 6\nparam b 4\nGemm x,w,b -> y transB=1",
	"input x 6\nparam w 6 4\nparam b 1 4\nGemm x,w,b -> y alpha=0.5 beta=-1.5",
	"input x 6\nparam w 6 4\nparam b 1\nGemm x,w,b -> y alpha=2.0",
	"input x 6\nparam v 6 6\nparam w 6 4\nMatMul x,v -> h\nGemm h,w -> y",
	"input x 6\nparam v 6 4\nparam w 6 4\nMatMul x,v -> h\nGemm x,w,h -> y beta=0.5",
	"input x 6\npositive p 1 3\nparam q 3 6\nparam w 4 6\nGemm p,q -> r transA=1 transB=1\nparam s 1 3\nparam t 3 "
	"6\n"
	"Gemm s,t -> u\nMul x,u -> h\nGemm h,w -> y transB=1",
	"input x 3 4\nparam w 4 5\nparam v 15 3\nMatMul x,w -> h\nTanh h -> t\nFlatten t -> f\nMatMul t,u -> k\n"
	"param u 5 2\nparam z 6 3\nFlatten k -> l\nMatMul f,v -> m\nMatMul l,z -> n\nAdd m,n -> y",
	"input x 3 4\nints merge -1 4\nints split -1 15\nparam w 4 5\nparam b 5\nparam v 15 3\nReshape x,merge -> s\n"
	"Gemm s,w,b -> h beta=0.5\nReshape h,split -> f\nGemm f,v -> y",
	/* element by element */
	"input x 6\nparam w 6 4\nparam b 4\nMatMul x,w -> h\nAdd h,b -> y",
	"input x 6\nparam w 6 4\nparam b 4\nMatMul x,w -> h\nSub b,h -> y",
	"input x 2 3 4\nparam a 2 3 4\nparam b 3 1\nparam c 2 1 4\npositive d 1 4\nMul x,a -> p\nAdd p,b -> q\nMul c,q "
	"-> r\n"
	"Div r,d -> s\nSub s,a -> t\nparam z 4\nMul t,z -> u\nFlatten u -> y",
	"input x 6\nparam w 6 4\nparam v 6 4\nMatMul x,w -> h\nMatMul x,v -> k\nMul h,k -> m\nSub m,h -> n\nAdd n,k -> "
	"y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nMul h,h -> y",
	"input x 6\nparam w 6 4\nparam v 6 4\nnumber two 2.5\nMatMul x,w -> h\nMatMul x,v -> k\nMul k,k -> s\nAdd "
	"s,two -> p\nDiv h,p -> y",
	"input x 3 4\nparam w 4 4\nparam s 1\nparam v 12 3\nMatMul x,w -> h\nMul h,s -> k\nFlatten k -> f\nMatMul f,v "
	"-> y",
	"input x 2 4\nparam w 4 4\nparam u 4 1\nMatMul x,w -> h\nMatMul x,u -> g\nMul g,h -> k\nFlatten k -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nRelu h -> r\nMatMul r,v -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nSigmoid h -> r\nMatMul r,v -> y",
	"input x 6\nparam w 6 8\nparam v 8 4\nMatMul x,w -> h\nTanh h -> r\nMatMul r,v -> y",
	/* softmax in the middle and at the end, both meanings of axis */
	"input x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nSoftmax h -> s axis=2\nFlatten s -> f\nMatMul f,v -> "
	"y",
	"input x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nLogSoftmax h -> s axis=1\nFlatten s -> f\nMatMul f,v "
	"-> y",
	"opset 11\ninput x 2 3\nparam w 3 5\nparam v 10 4\nMatMul x,w -> h\nSoftmax h -> s\nFlatten s -> f\nMatMul f,v "
	"-> y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nSoftmax h -> y",
	"input x 6\nparam w 6 4\nMatMul x,w -> h\nLogSoftmax h -> k\nIdentity k -> y",
	/* views, and what exporters write around them */
	"input x 2 3\nparam w 3 4\nparam v 8 3\nMatMul x,w -> h\nints a 1\nUnsqueeze h,a -> u\nSqueeze u,a -> "
	"q\nDropout q -> d\n"
	"Shape d -> s\nint zero 0\nGather s,zero -> n\nints first 0\nUnsqueeze n,first -> m\nints rest -1\nConcat "
	"m,rest -> t axis=0\n"
	"Reshape d,t -> f\nIdentity f -> i\nMatMul i,v -> y",
	"opset 11\ninput x =1 2 3\nparam w 3 4\nparam v 8 3\nMatMul x,w -> h\nUnsqueeze h -> u axes=[1]\nSqueeze u -> "
	"q axes=[1]\nints t 1 8\n"
	"Reshape q,t -> f\nMatMul f,v -> y",
	"input x 2 3 4\nparam w 4 4\nparam v 24 3\nMatMul x,w -> h\nTranspose h -> t perm=[0,3,1,2]\nFlatten t -> "
	"f\nMatMul f,v -> y",
	/* weights that are used twice or by way of others */
	"input x 4\nparam w 4 4\nMatMul x,w -> h\nTanh h -> t\nMatMul t,w -> y",
	"input x 4\nparam w 3 4\nparam b 3\nTranspose w -> v perm=[1,0]\nMatMul x,v -> h\nAdd h,b -> k\nAdd k,b -> y",
	"input x 4\nparam w 3 4\npositive g 3 1\nMul w,g -> v\nSigmoid v -> u\nGemm x,u -> h transB=1\nGemm x,w -> k "
	"transB=1\nAdd h,k -> y",
	"input x 4\nparam w 12\nints s 4 3\nReshape w,s -> v\nMatMul x,v -> y",
	"input x 4\nconstant w 3 4\nconstant b 3\nGemm x,w,b -> y transB=1",
	/* convolutions */
	"input x 2 6 5\nparam w 4 2 3 3\nparam b 4\nConv x,w,b -> h\nFlatten h -> y",
	IMAGE "param w 4 4 3 2\nparam b 4\nConv h,w,b -> k pads=[1,0,2,1] strides=[2,1]\nFlatten k -> y",
	IMAGE "param w 6 2 3 3\nparam b 6\nConv h,w,b -> k group=2 dilations=[2,1] pads=[2,1,2,1]\nFlatten k -> y",
	IMAGE "param w 4 1 2 3\nConv h,w -> k group=4 auto_pad=SAME_UPPER strides=[2,2]\nFlatten k -> y",
	IMAGE "param w 3 4 2 2\nConv h,w -> k auto_pad=SAME_LOWER kernel_shape=[2,2]\nFlatten k -> y",
	IMAGE "param w 3 4 3 3\nConv h,w -> k auto_pad=VALID strides=[3,2]\nFlatten k -> y",
	IMAGE "param w 3 2 1 1\nparam b 3\nConv x,w,b -> k strides=[2,2]\nparam u 3 4 1 1\nConv h,u -> l "
	      "strides=[2,2]\nAdd k,l -> m\n"
	      "Flatten m -> y",
	"input x 3 9\nparam v 3 3 1\nparam w 4 3 3\nparam b 4\nConv x,v -> h\nConv h,w,b -> k pads=[2,1] strides=[2] "
	"dilations=[2]\nFlatten k -> y",
	"input x 2 4 4\nparam w 2 2 3 3\nConv x,w -> h pads=[1,1,1,1]\nTanh h -> t\nConv t,w -> k\nFlatten k -> y",
	/* normalisation and pools */
	IMAGE "positive s 4\nparam b 4\nparam m 4\npositive v 4\nBatchNormalization h,s,b,m,v -> k "
	      "epsilon=0.1\nFlatten k -> y",
	"input x 6\nparam w 6 4\npositive s 4\nparam b 4\nparam m 4\npositive v 4\nMatMul x,w -> h\nBatchNormalization "
	"h,s,b,m,v -> y",
	IMAGE "MaxPool h -> k kernel_shape=[2,2] strides=[2,2]\nFlatten k -> y",
	IMAGE
	"MaxPool h -> k kernel_shape=[3,2] pads=[1,1,1,0] strides=[2,1] dilations=[1,2] ceil_mode=1\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[2,2] strides=[2,2]\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] ceil_mode=1\nFlatten k -> y",
	IMAGE "AveragePool h -> k kernel_shape=[3,3] pads=[1,1,1,1] strides=[2,2] ceil_mode=1 "
	      "count_include_pad=1\nFlatten k -> y",
	IMAGE "GlobalAveragePool h -> k\nFlatten k -> y",
	IMAGE "ints p 0 1 2 0 0 0 1 1\nPad h,p -> k\nFlatten k -> f\nparam z 270 3\nMatMul f,z -> y",
	"input x 3 8\nparam v 3 3 1\nConv x,v -> h\nMaxPool h -> k kernel_shape=[3] strides=[2]\nAveragePool k -> l "
	"kernel_shape=[2]\nFlatten l -> y",
};

#endif
