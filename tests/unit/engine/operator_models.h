/*
 * operator_models.h: a small model for every operator and every attribute that changes its arithmetic, in the language
 * of model_text.h. What uses the operator stands behind a parameter, so that its input gradient is tried too.
 */
#ifndef TESTS_ENGINE_OPERATOR_MODELS_H
#define TESTS_ENGINE_OPERATOR_MODELS_H

#define IMAGE "input x 2 6 5\nparam w0 4 2 1 1\nparam b0 4\nConv x,w0,b0 -> h\n"

/* What moves data stands behind a parameter as large as the data: h [N, 3, 4]. */
#define MATRIX  "input x 3 4\nparam w 3 4\nMul x,w -> h\n"
#define BATCH   "Shape h -> q\nints z 0\nGather q,z -> n\n"
#define RANGE   "Shape h -> q\nint z 0\nint o 1\nGather q,z -> n\nRange z,n,o -> i\n"
#define UPDATES MATRIX "param v 3 4\nMul x,v -> k\nints s 0\nints e 2\nints a 1\nSlice k,s,e,a -> u\n"
#define TURNED                                                                                                         \
	"input x 2 4\nparam w 2 4\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\nints i 1 -2\nints s 2 1\nReshape i,s " \
	"-> j\n"
#define IMAGE8 "input x 4 2 4\nparam w 4 2 4\nMul x,w -> h\n"

/* Sequences of three, time in front: t [3, N, 4]. */
#define SEQUENCE "opset 14\ninput x 3 4\nparam w 3 4\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\n"
#define LSTM     "param u 1 8 4\nparam r 1 8 2\nparam b 1 16\n"
#define LSTM2    "param u 2 8 4\nparam r 2 8 2\nparam b 2 16\n"
#define GRU      "param u 1 6 4\nparam r 1 6 2\nparam b 1 12\n"
#define GRU2     "param u 2 6 4\nparam r 2 6 2\nparam b 2 12\n"
#define RNN2     "param u 2 2 4\nparam r 2 2 2\nparam b 2 4\n"
/* All outputs of a recurrent node, the samples in front. */
#define TIMES  "Transpose s -> y perm=[2,0,1,3]\n"
#define STATES "Concat f,c -> e axis=2\nTranspose e -> y perm=[1,0,2]"
#define BOTH                                                                                                           \
	"Transpose s -> p0 perm=[2,0,1,3]\nFlatten p0 -> p1\nTranspose f -> p2 perm=[1,0,2]\nFlatten p2 -> "           \
	"p3\nConcat "                                                                                                  \
	"p1,p3 -> y axis=1"

#define HEADS                                                                                                          \
	"input x 3 8\nparam p 8 8\nMatMul x,p -> a\nints s 0 3 2 4\nReshape a,s -> b\n"                                \
	"Transpose b -> h perm=[0,2,1,3]\n"

/* Activations of a dense layer: h and k [N, 8], p positive, i between -1 and 1. */
#define HIDDEN   "input x 6\nparam w 6 8\nMatMul x,w -> h\n"
#define TWO      HIDDEN "param v 6 8\nMatMul x,v -> k\n"
#define POSITIVE HIDDEN "Softplus h -> p\n"
#define INSIDE   HIDDEN "Tanh h -> t\nnumber c 0.8\nMul t,c -> i\n"

/* h [N, 2, 3, 4]; t the same with the samples on the second dimension. */
#define VOLUME "input x 2 3 4\nparam w 2 3 4\nMul x,w -> h\n"
#define SWUNG  VOLUME "Transpose h -> t perm=[1,0,2,3]\n"
#define BACK   "Transpose z -> y perm=[1,0,2,3]"

/* The numbers of Gelu and of layer normalisation. */
#define CONSTANT(name, value) "Constant _ -> " name " value_float=" value "\n"
#define GELU                                                                                                           \
	CONSTANT("r", "1.41421354")                                                                                    \
	CONSTANT("o", "1.0")                                                                                           \
	CONSTANT("f", "0.5") CONSTANT("t", "3.0") CONSTANT("k", "0.044715") CONSTANT("s", "0.797884561")
#define NORM CONSTANT("t", "2.0") CONSTANT("e", "0.1")

static const char *const models[] = {
	/* dense layers */
	"input x 6\nparam w 4 6\nparam b 4\nGemm x,w,b -> y transB=1",
	"input x 6\nparam w 6 4\nparam b 1 4\nGemm x,w,b -> y alpha=0.5 beta=-1.5",
	"input x 6\nparam w 6 4\nparam b 1\nGemm x,w,b -> y alpha=2.0",
	"input x 6\nparam w 6 4\nparam b 1 1\nGemm x,w,b -> y alpha=2.0",
	"input x 6\nparam v 6 6\nparam w 6 4\nMatMul x,v -> h\nGemm h,w -> y",
	"input x 6\nparam v 6 4\nparam w 6 4\nMatMul x,v -> h\nGemm x,w,h -> y beta=0.5",
	"input x 6\npositive p 1 3\nparam q 3 6\nparam w 4 6\nGemm p,q -> r transA=1 transB=1\nparam s 1 3\nparam t 3 "
	"6\n"
	"Gemm s,t -> u\nMul x,u -> h\nGemm h,w -> y transB=1",
	"input x 3 4\nparam w 4 5\nparam v 15 3\nMatMul x,w -> h\nTanh h -> t\nFlatten t -> f\nMatMul t,u -> k\n"
	"param u 5 2\nparam z 6 3\nFlatten k -> l\nMatMul f,v -> m\nMatMul l,z -> n\nAdd m,n -> y",
	"input x 3 4\nints merge -1 4\nints split -1 15\nparam w 4 5\nparam b 5\nparam v 15 3\nReshape x,merge -> s\n"
	"Gemm s,w,b -> h beta=0.5\nReshape h,split -> f\nGemm f,v -> y",
	/* samples along the columns of both */
	"input x 6\nparam w 4 6\nparam b 4 1\nTranspose x -> t perm=[1,0]\nGemm w,t,b -> h beta=2.0\nparam v 4 3\nGemm "
	"h,v -> y transA=1",
	"input x 6\nparam w 6 4\nparam v 4 3\nTranspose x -> t perm=[1,0]\nGemm w,t -> h transA=1\nGemm v,h -> g "
	"transA=1\nTranspose g -> y perm=[1,0]",
	"input x 6\nparam w 6 4\nGemm x,w -> h\nparam v 4 3\nGemm v,h -> g transA=1 transB=1\nTranspose g -> y "
	"perm=[1,0]",
	/* sequences: rows of samples, samples in the middle */
	"input x 3 4\nparam w 4 5\nparam v 15 3\nMatMul x,w -> h\nFlatten h -> f\nMatMul f,v -> y",
	"input x 3 4\nparam w 4 5\nparam v 15 3\nTranspose x -> t perm=[1,0,2]\nMatMul t,w -> h\nTranspose h -> g "
	"perm=[1,0,2]\nFlatten g -> f\nMatMul f,v -> y",
	"input x 3 4\nparam w 4 5\nparam b 5\nparam v 5 3\nTranspose x -> t perm=[1,0,2]\nints s -1 4\nReshape t,s -> "
	"r\nGemm r,w,b -> h\nMatMul h,v -> g\nints u 3 -1 3\nReshape g,u -> k\nTranspose k -> l perm=[1,0,2]\nFlatten "
	"l -> y",
	/* the weight on the left, with heads of its own, broadcast over the samples, a vector */
	"input x 4 5\nparam p 5 5\nparam w 3 4\nMatMul x,p -> a\nMatMul w,a -> h\nparam v 15 2\nFlatten h -> f\nMatMul "
	"f,v -> y",
	HEADS "param w 2 4 5\nMatMul h,w -> k\nFlatten k -> f\nparam z 30 2\nMatMul f,z -> y",
	HEADS "param w 1 2 5 3\nMatMul w,h -> k\nFlatten k -> f\nparam z 40 2\nMatMul f,z -> y",
	HEADS "param w 1 4 5\nMatMul h,w -> k\nFlatten k -> f\nparam z 30 2\nMatMul f,z -> y",
	HEADS
	"param w 2 1 4\nparam u 4 1\nMatMul h,u -> o\nMatMul o,w -> k\nFlatten k -> f\nparam z 24 2\nMatMul f,z -> y",
	"input x 3 4\nparam p 4 4\nMatMul x,p -> a\nparam w 2 1 4 5\nMatMul a,w -> h\nTranspose h -> t "
	"perm=[1,0,2,3]\nFlatten t -> f\nparam z 30 2\nMatMul f,z -> y",
	"input x 3 4\nparam p 4 4\nMatMul x,p -> a\nparam w 4\nMatMul a,w -> y",
	"input x 3 4\nparam p 4 4\nMatMul x,p -> a\nparam w 3\nMatMul w,a -> y",
	"input x 6\nparam p 6 4\nMatMul x,p -> a\nparam w 4\nMatMul a,w -> y",
	/* both sides from the samples */
	HEADS "Transpose h -> t perm=[0,1,3,2]\nMatMul h,t -> q\nMatMul q,h -> k\nFlatten k -> f\nparam z 24 2\nMatMul "
	      "f,z -> y",
	"input x 3 4\nparam p 4 4\nMatMul x,p -> a\nints s 0 1 3 4\nReshape a,s -> b\nints t 0 2 2 3\nReshape a,t -> "
	"c\nMatMul c,b -> d\nFlatten d -> f\nparam z 16 2\nMatMul f,z -> y",
	/* einsum */
	HEADS "Einsum h,h -> q equation=bhqd,bhkd->bhqk\nEinsum q,h -> k equation=bhqk,bhkd->bqhd\nFlatten k -> "
	      "f\nparam z 24 2\nMatMul f,z -> y",
	HEADS "param w 3 5 4\nEinsum h,w -> k equation=bhqc,qkc->bhqk\nFlatten k -> f\nparam z 30 2\nMatMul f,z -> y",
	HEADS "param w 2 4 5\nEinsum h,w -> k equation=bhtd,hde->bte\nFlatten k -> f\nparam z 15 2\nMatMul f,z -> y",
	HEADS "param w 5 3 2\nEinsum h,w -> k equation=bhtd,eth->bed\nFlatten k -> f\nparam z 20 2\nMatMul f,z -> y",
	HEADS "param w 4\nEinsum h,w -> k equation=...d,d\nFlatten k -> f\nparam z 6 2\nMatMul f,z -> y",
	HEADS "param w 3 2\nEinsum w,h -> k equation=th,bhtd->thbd\nTranspose k -> l perm=[2,0,1,3]\nFlatten l -> "
	      "f\nparam z 24 2\nMatMul f,z -> y",
	HEADS "param w 4 6\nEinsum h,w -> k equation=bhtd,de->bhe\nFlatten k -> f\nparam z 12 2\nMatMul f,z -> y",
	"input x 3 3\nparam p 3 3\nMatMul x,p -> a\nEinsum a -> d equation=bii->bi\nEinsum a -> e "
	"equation=...ij->...ji\nEinsum e -> g equation=bij->bi\nEinsum d,g -> h equation=...i,...i->...i\nparam z 3 "
	"2\nMatMul h,z -> y",
	"input x 3 3\nparam p 3 3\nMatMul x,p -> a\nEinsum p -> d equation=ij->ji\nEinsum a,d -> e "
	"equation=bij,jk\nFlatten e -> f\nparam z 9 2\nEinsum f,z -> y equation=ab,bc",
	"input x 4 3 2\nparam p 2 2\nMatMul x,p -> a\nparam w 3 2 5\nEinsum a,w -> k equation=bsct,cte->bse\nFlatten k "
	"-> f\nparam z 20 2\nMatMul f,z -> y",
	"input x 4 3 2\nparam p 2 2\nMatMul x,p -> a\nparam w 3 5\nEinsum a,w -> k equation=bsct,ce->bset\nFlatten k "
	"-> f\nparam z 40 2\nMatMul f,z -> y",
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
	/* functions of one number */
	HIDDEN "LeakyRelu h -> y alpha=0.2",
	HIDDEN "param s 8\nPRelu h,s -> y",
	HIDDEN "param s 1\nPRelu h,s -> y",
	HIDDEN "Elu h -> y",
	HIDDEN "Elu h -> y alpha=0.4",
	HIDDEN "Selu h -> y",
	HIDDEN "Selu h -> y alpha=1.2 gamma=0.8",
	HIDDEN "Celu h -> y alpha=0.7",
	HIDDEN "HardSigmoid h -> y",
	HIDDEN "HardSigmoid h -> y alpha=0.3 beta=0.4",
	"opset 14\n" HIDDEN "HardSwish h -> y",
	HIDDEN "Erf h -> y",
	HIDDEN "Softplus h -> y",
	HIDDEN "Softsign h -> y",
	HIDDEN "ThresholdedRelu h -> y alpha=0.9",
	HIDDEN "Neg h -> y",
	HIDDEN "Abs h -> y",
	HIDDEN "Sin h -> y",
	HIDDEN "Cos h -> y",
	HIDDEN "Atan h -> y",
	HIDDEN "Sinh h -> y",
	HIDDEN "Cosh h -> y",
	HIDDEN "Asinh h -> y",
	HIDDEN "Exp h -> y",
	HIDDEN "Sign h -> s\nMul s,h -> y",
	HIDDEN "Floor h -> f\nSub h,f -> y",
	HIDDEN "Ceil h -> f\nSub h,f -> y",
	HIDDEN "Round h -> f\nSub h,f -> y",
	POSITIVE "Sqrt p -> y",
	POSITIVE "Log p -> y",
	POSITIVE "Reciprocal p -> y",
	POSITIVE "number o 1.2\nAdd p,o -> q\nAcosh q -> y",
	INSIDE "Tan i -> y",
	INSIDE "Asin i -> y",
	INSIDE "Acos i -> y",
	INSIDE "Atanh i -> y",
	VOLUME "param s 2 1 1\nPRelu h,s -> y",
	HIDDEN "number a -0.5\nnumber b 0.7\nClip h,a,b -> y",
	HIDDEN "number b 0.7\nClip h,_,b -> y",
	HIDDEN "number a -0.2\nClip h,a -> y",
	"opset 9\n" HIDDEN "Clip h -> y min=-0.5 max=0.7",
	/* functions of two, broadcast with and without samples */
	POSITIVE "Div h,p -> y",
	HIDDEN "positive d 8\nDiv h,d -> y",
	HIDDEN "param n 8\nExp h -> e\nDiv n,e -> y",
	"opset 10\n" TWO "Exp k -> e\nMod h,e -> y fmod=1",
	POSITIVE "number e 2.0\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e 3.0\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e 0.5\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e -1.0\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e 1.0\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e 0.0\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "number e 1.7\nPow p,e -> q\nAdd q,h -> y",
	POSITIVE "numbers e 2.0 0.5 3.0 1.5 -0.5 1.0 0.3 2.5\nPow p,e -> y",
	POSITIVE "Tanh h -> t\nPow p,t -> y",
	POSITIVE "int e 3\nPow p,e -> y",
	HIDDEN "number b 1.7\nPow b,h -> y",
	POSITIVE "ints e 2 3 1 0 2 1 3 -1\nPow p,e -> y",
	SWUNG "param a 2 1 1 4\nAdd t,a -> u\nparam b 4\nMul u,b -> v\npositive c 2 1 3 1\nDiv v,c -> f\nparam d 1 1 3 "
	      "1\nSub d,f -> z\n" BACK,
	VOLUME
	"param a 3 1\nparam b 2 1 1\nMul a,b -> c\nAdd h,c -> k\nReduceMean k -> n axes=[3] keepdims=1\nSub k,n -> y",
	TWO "Equal h,k -> c\nCast c -> m to=1\nSub h,k -> d\nMul m,d -> q\nAdd q,k -> y",
	TWO "Less h,k -> c\nCast c -> m to=1\nSub h,k -> d\nMul m,d -> q\nAdd q,k -> y",
	TWO "LessOrEqual h,k -> c\nCast c -> m to=1\nSub h,k -> d\nMul m,d -> q\nAdd q,k -> y",
	TWO "Greater h,k -> c\nCast c -> m to=1\nSub h,k -> d\nMul m,d -> q\nAdd q,k -> y",
	TWO "GreaterOrEqual h,k -> c\nCast c -> m to=1\nSub h,k -> d\nMul m,d -> q\nAdd q,k -> y",
	TWO "number z 0.1\nLess h,z -> a\nGreater k,z -> b\nAnd a,b -> c\nOr a,b -> d\nXor a,b -> e\nNot e -> f\nWhere "
	    "c,h,k -> q\nWhere d,q,h -> s\nWhere f,s,z -> y",
	/* any number of inputs */
	TWO "param c 8\nSum h,c,k -> y",
	HIDDEN "Sum h -> y",
	VOLUME "param a 2 1 4\nparam b 3 1\nSum a,b -> c\nparam d 1\nSum d,h,c -> y",
	TWO "param c 8\nMean h,c,k -> y",
	HIDDEN "Mean h -> y",
	VOLUME "param a 2 1 4\nparam b 3 1\nMean a,b -> c\nparam d 1\nMean d,h,c -> y",
	TWO "param c 8\nMax h,c,k -> y",
	HIDDEN "Max h -> y",
	VOLUME "param a 2 1 4\nparam b 3 1\nMax a,b -> c\nparam d 1\nMax d,h,c -> y",
	TWO "param c 8\nMin h,c,k -> y",
	HIDDEN "Min h -> y",
	VOLUME "param a 2 1 4\nparam b 3 1\nMin a,b -> c\nparam d 1\nMin d,h,c -> y",
	HIDDEN "Max h,h -> y",
	/* choices */
	TWO "bools m 1 0 0 1 0 1 1 0\nWhere m,h,k -> y",
	TWO "Less h,k -> c\nparam u 8\nparam z 1\nWhere c,u,z -> d\nSub h,k -> e\nMul e,d -> f\nWhere c,f,k -> "
	    "g\nWhere c,g,f -> i\nMul i,e -> y",
	VOLUME
	"bools m 1 0 1\nints a 1\nUnsqueeze m,a -> n\nparam e 2 1 4\nnumber l -3.0\nWhere n,h,l -> q\nWhere n,e,q -> y",
	HIDDEN "bools m 1 0 0 1 0 1 1 0\nparam a 8\nparam b 8\nWhere m,a,b -> c\nMul h,c -> y",
	HIDDEN "Cast h -> d to=11\nCast d -> y to=1",
	HIDDEN "Cast h -> i to=7\nCast i -> f to=1\nMul f,h -> y",
	"opset 15\n" TWO "CastLike h,k -> y",
	/* many made one: along the last dimension, in the middle, with gaps, of a weight, beside the samples */
	VOLUME "ints a 3\nReduceSum h,a -> y keepdims=0",
	VOLUME "ints a 2\nReduceSum h,a -> y ",
	VOLUME "ints a 1 -1\nReduceSum h,a -> y keepdims=0",
	VOLUME "ints a 1 2 3\nReduceSum h,a -> r \nFlatten r -> y",
	VOLUME "ReduceMean h -> y axes=[3] keepdims=0",
	VOLUME "ReduceMean h -> y axes=[2]",
	VOLUME "ReduceMean h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceMean h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceMax h -> y axes=[3] keepdims=0",
	VOLUME "ReduceMax h -> y axes=[2]",
	VOLUME "ReduceMax h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceMax h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceMin h -> y axes=[3] keepdims=0",
	VOLUME "ReduceMin h -> y axes=[2]",
	VOLUME "ReduceMin h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceMin h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceProd h -> y axes=[3] keepdims=0",
	VOLUME "ReduceProd h -> y axes=[2]",
	VOLUME "ReduceProd h -> y axes=[1,-1] keepdims=0",
	VOLUME "Exp h -> e\nReduceProd e -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceL1 h -> y axes=[3] keepdims=0",
	VOLUME "ReduceL1 h -> y axes=[2]",
	VOLUME "ReduceL1 h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceL1 h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceL2 h -> y axes=[3] keepdims=0",
	VOLUME "ReduceL2 h -> y axes=[2]",
	VOLUME "ReduceL2 h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceL2 h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceSumSquare h -> y axes=[3] keepdims=0",
	VOLUME "ReduceSumSquare h -> y axes=[2]",
	VOLUME "ReduceSumSquare h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceSumSquare h -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "Exp h -> e\nReduceLogSum e -> y axes=[3] keepdims=0",
	VOLUME "Exp h -> e\nReduceLogSum e -> y axes=[2]",
	VOLUME "Exp h -> e\nReduceLogSum e -> y axes=[1,-1] keepdims=0",
	VOLUME "Exp h -> e\nReduceLogSum e -> r axes=[1,2,3]\nFlatten r -> y",
	VOLUME "ReduceLogSumExp h -> y axes=[3] keepdims=0",
	VOLUME "ReduceLogSumExp h -> y axes=[2]",
	VOLUME "ReduceLogSumExp h -> y axes=[1,-1] keepdims=0",
	VOLUME "ReduceLogSumExp h -> r axes=[1,2,3]\nFlatten r -> y",
	"opset 12\n" VOLUME "ReduceSum h -> y axes=[2,3]",
	VOLUME "ReduceSum h -> y noop_with_empty_axes=1",
	"input x 4\nparam w 3 4\nReduceL2 w -> n axes=[1]\nDiv w,n -> v\nReduceSum v -> s\nGemm x,v -> h transB=1\nMul "
	"h,s -> y",
	SWUNG "ReduceMean t -> u axes=[0]\nReduceSumSquare t -> v axes=[0,2]\nSub t,u -> q\nSub q,v -> z\n" BACK,
	SWUNG "ReduceLogSumExp t -> y axes=[0,2] keepdims=0",
	VOLUME "ArgMax h -> i axis=2\nCast i -> f to=1\nMul h,f -> y",
	VOLUME "ArgMin h -> i axis=-1 keepdims=0 select_last_index=1\nints a 3\nUnsqueeze i,a -> j\nCast j -> f "
	       "to=1\nMul h,f -> y",
	/* softmax on other dimensions, hard, in front of samples */
	VOLUME "Softmax h -> s axis=1\nMul s,h -> y",
	VOLUME "LogSoftmax h -> s axis=2\nMul s,h -> y",
	"opset 11\n" VOLUME "Softmax h -> s axis=2\nMul s,h -> y",
	SWUNG "Softmax t -> u axis=0\nLogSoftmax u -> z axis=-1\n" BACK,
	VOLUME "Hardmax h -> m axis=2\nMul m,h -> y",
	"opset 11\n" VOLUME "Hardmax h -> m axis=2\nMul m,h -> y",
	"input x 2 70 3\nparam w 2 70 3\nMul x,w -> h\n"
	"Softmax h -> s axis=2\nMul s,h -> y",
	/* normalisation of layers and instances, as operators and as exported */
	"opset 17\n" VOLUME "param s 4\nparam b 4\nLayerNormalization h,s,b -> y epsilon=0.1",
	"opset 17\n" VOLUME "param s 3 4\nLayerNormalization h,s -> y axis=2 epsilon=0.1",
	"opset 17\n" SWUNG "param s 2 4\nTranspose t -> u perm=[0,2,1,3]\nparam b 4\nparam a 4\nLayerNormalization "
	"t,a,b -> z epsilon=0.1\n" BACK,
	"opset 17\n"
	"input x 4\nparam w 3 4\nparam s 4\nparam b 4\nLayerNormalization w,s,b -> v epsilon=0.1\nGemm x,v -> y "
	"transB=1",
	VOLUME "ReduceMean h -> m axes=[-1]\nSub h,m -> d\nnumber two 2.0\nPow d,two -> q\nReduceMean q -> v "
	       "axes=[-1]\nnumber e 0.1\nAdd v,e -> a\nSqrt a -> r\nDiv d,r -> n\nparam s 4\nparam b 4\nMul n,s -> "
	       "t\nAdd t,b -> y",
	IMAGE "positive s 4\nparam b 4\nInstanceNormalization h,s,b -> k epsilon=0.1\nFlatten k -> y",
	IMAGE "ints g 0 2 -1\nReshape h,g -> k\nconstant s 2\nconstant b 2\nInstanceNormalization k,s,b -> n "
	      "epsilon=0.1\nShape h -> t\nReshape n,t -> o\nparam a 4 1 1\nparam c 4 1 1\nMul o,a -> u\nAdd u,c -> "
	      "v\nFlatten v -> y",
	"input x 3\nparam w 2 3 5\npositive s 3\nparam b 3\nInstanceNormalization w,s,b -> v epsilon=0.1\nReduceSum v "
	"-> u\nints a 0 2\nReduceSum v,a -> q keepdims=0\nMul x,q -> k\nMul k,u -> y",
	IMAGE "Transpose h -> t perm=[0,2,3,1]\nints f -1 4\nReshape t,f -> r\npositive s 4\nparam b 4\nparam m "
	      "4\npositive v 4\nBatchNormalization r,s,b,m,v -> k epsilon=0.1\nints g -1 120\nReshape k,g -> y",
	"input x 3\nparam w 2 3 5\npositive s 3\nparam b 3\nparam m 3\npositive v 3\nBatchNormalization w,s,b,m,v -> k "
	"epsilon=0.1\nints a 0 2\nReduceSum k,a -> q keepdims=0\nMul x,q -> y",
	/* Gelu as exported */
	HIDDEN "number r 1.41421356\nnumber o 1.0\nnumber f 0.5\nDiv h,r -> a\nErf a -> b\nAdd b,o -> c\nMul h,c -> "
	       "d\nMul d,f -> y",
	HIDDEN "number f 0.5\nnumber o 1.0\nnumber t 3.0\nnumber a 0.044715\nnumber s 0.79788456\nPow h,t -> b\nMul "
	       "b,a -> c\nAdd h,c -> d\nMul d,s -> e\nTanh e -> g\nAdd g,o -> i\nMul h,i -> j\nMul j,f -> y",
	/* the same with constants, and layer normalisation as exported: one node each, see engine/fuse.h */
	HIDDEN GELU "Div h,r -> a\nErf a -> b\nAdd b,o -> c\nMul h,c -> d\nMul d,f -> y",
	HIDDEN GELU "Pow h,t -> b\nMul b,k -> c\nAdd h,c -> d\nMul d,s -> e\nTanh e -> g\nAdd g,o -> i\nMul h,i -> j\n"
		    "Mul j,f -> y",
	MATRIX NORM
	"positive s 4\nparam b 4\nReduceMean h -> m axes=[-1]\nSub h,m -> d\nPow d,t -> q\nReduceMean q -> k "
	"axes=[-1]\nAdd k,e -> v\nSqrt v -> r\nDiv d,r -> n\nMul n,s -> o\nAdd o,b -> p\nFlatten p -> y",
	MATRIX NORM
	"ReduceMean h -> m axes=[-2,-1]\nSub h,m -> d\nPow d,t -> q\nReduceMean q -> k axes=[-2,-1]\nAdd k,e "
	"-> v\nSqrt v -> r\nDiv d,r -> n\nFlatten n -> y",
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
	"input x 4\nparam w 4 6\nints half 3 3\nSplit w,half -> a,b axis=1\nMatMul x,a -> h\nTanh h -> t\nMatMul x,b "
	"-> k\n"
	"Mul k,t -> m\nTranspose b -> c perm=[1,0]\nMatMul m,c -> y",
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
	/* volumes, films (several images a sample), channels of their own, enough for Winograd */
	"input x 2 3 4 5\nparam v 2 2 1 1 1\nparam w 3 2 2 3 2\nparam b 3\nConv x,v -> h\nConv h,w,b -> k "
	"pads=[1,1,0,0,1,1] strides=[1,2,2] dilations=[1,1,2]\nFlatten k -> y",
	"input x 3 2 4 4\nints m -1 2 4 4\nints u -1 3 2 4 4\nparam v 2 2 1 1\nparam w 2 2 3 3\nparam b 2\nReshape x,m "
	"-> "
	"f\nConv f,v -> g\nConv g,w,b -> h pads=[1,1,1,1]\nReshape h,u -> k\nFlatten k -> y",
	"input x 6 5 5\nparam v 6 1 1 1\nparam w 12 1 3 3\nparam b 12\nConv x,v -> h group=6\nConv h,w,b -> k group=6 "
	"pads=[1,1,1,1] strides=[2,1]\nFlatten k -> y",
	"input x 2 13 13\nparam v 32 2 1 1\nparam w 32 32 3 3\nparam b 32\nConv x,v -> h\nConv h,w,b -> k "
	"pads=[1,1,1,1]\n"
	"GlobalAveragePool k -> l\nFlatten l -> y",
	"input x 2 4 3\nparam u 2 2 1 1\nparam c 2\nparam v 3 2 2 2\nConv v,u,c -> w\nConv x,w -> k\nFlatten k -> y",
	IMAGE "param w 4 3 3 2\nparam b 3\nConvTranspose h,w,b -> k strides=[2,3] pads=[1,0,0,1] output_padding=[1,2]\n"
	      "Flatten k -> y",
	IMAGE "param w 4 2 2 3\nConvTranspose h,w -> k group=2 dilations=[2,1]\nFlatten k -> y",
	IMAGE "param w 4 1 3 3\nparam b 1\nConvTranspose h,w,b -> k auto_pad=SAME_UPPER strides=[2,2]\nFlatten k -> y",
	IMAGE "param w 4 2 3 3\nConvTranspose h,w -> k output_shape=[13,10] strides=[2,2]\nFlatten k -> y",
	"input x 3 4\nparam v 3 3 1\nparam w 3 2 3\nparam b 2\nConv x,v -> h\nConvTranspose h,w,b -> k strides=[2]\n"
	"Flatten k -> y",
	"input x 2 2 3 2\nparam v 2 2 1 1 1\nparam w 2 2 2 2 3\nConv x,v -> h\nConvTranspose h,w -> k strides=[1,2,1]\n"
	"Flatten k -> y",
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
	IMAGE "GlobalMaxPool h -> k\nFlatten k -> y",
	IMAGE "MaxPool h -> k,i kernel_shape=[2,3] auto_pad=SAME_UPPER strides=[2,1]\nFlatten k -> y",
	"input x 2 3 4 5\nparam v 2 2 1 1 1\nConv x,v -> h\nMaxPool h -> k kernel_shape=[2,2,3]\nAveragePool k -> l "
	"kernel_shape=[1,2,2] pads=[0,1,0,0,0,1] count_include_pad=1\nFlatten l -> y",
	/* around and between */
	IMAGE "ints p 0 -1 2 3 0 2 3 1\nPad h,p -> k mode=reflect\nFlatten k -> y",
	IMAGE "ints p 0 1 -1 3 0 -2 2 -1\nPad h,p -> k mode=edge\nFlatten k -> y",
	IMAGE "ints p 0 1 -1 3 0 -2 2 -1\nnumber c 0.5\nPad h,p,c -> k\nFlatten k -> y",
	"opset 10\n" IMAGE "Pad h -> k pads=[0,0,1,2,0,1,0,-1] value=0.25\nFlatten k -> y",
	IMAGE
	"numbers s 1.0 1.0 2.0 3.0\nResize h,_,s -> k coordinate_transformation_mode=asymmetric nearest_mode=floor\n"
	"Flatten k -> y",
	IMAGE BATCH "ints c 4 9 3\nConcat n,c -> s axis=0\nResize h,_,_,s -> k mode=linear\nFlatten k -> y",
	IMAGE "numbers s 1.0 1.0 1.5 0.6\nResize h,_,s -> k mode=linear coordinate_transformation_mode=align_corners\n"
	      "Flatten k -> y",
	IMAGE
	"numbers s 1.0 1.0 1.7 0.5\nResize h,_,s -> k mode=cubic coordinate_transformation_mode=pytorch_half_pixel\n"
	"Flatten k -> y",
	IMAGE
	"numbers s 1.0 1.0 1.7 1.5\nResize h,_,s -> k mode=cubic exclude_outside=1 cubic_coeff_a=-0.5\nFlatten k -> y",
	IMAGE BATCH "numbers r 0.0 0.0 0.4 0.6 1.0 1.0 0.6 1.2\nints c 4 3 4\nConcat n,c -> s axis=0\nResize h,r,_,s "
		    "-> k mode=linear "
		    "coordinate_transformation_mode=tf_crop_and_resize extrapolation_value=2.0\nFlatten k -> y",
	"opset 10\n" IMAGE "numbers s 1.0 1.0 2.0 0.5\nResize h,s -> k mode=linear\nFlatten k -> y",
	"opset 9\n" IMAGE "numbers s 1.0 1.0 2.0 2.0\nUpsample h,s -> k mode=nearest\nFlatten k -> y",
	IMAGE "ints p 0 1 2 0 0 0 1 1\nPad h,p -> k\nFlatten k -> f\nparam z 270 3\nMatMul f,z -> y",
	"input x 3 8\nparam v 3 3 1\nConv x,v -> h\nMaxPool h -> k kernel_shape=[3] strides=[2]\nAveragePool k -> l "
	"kernel_shape=[2]\nFlatten l -> y",
	/* views, and samples that are not in front */
	MATRIX "Transpose h -> t perm=[1,0,2]\nints m -1 4\nReshape t,m -> r\nparam v 4\nMul r,v -> s\nints a 3 -1 4\n"
	       "Reshape s,a -> u\nTranspose u -> y perm=[1,0,2]",
	"input x =2 3 4\nparam w 3 4\nMul x,w -> h\nints m 6 4\nReshape h,m -> r\nparam v 4\nMul r,v -> s\nints a 2 "
	"12\n"
	"Reshape s,a -> y",
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\nints m 3 1 2 2\nReshape t,m -> r\n"
	"ints a 3 4\nReshape r,a -> s\nints b 3 1 4\nReshape s,b -> u\nTranspose u -> y perm=[1,0,2]",
	MATRIX "Dropout h -> d,_\nFlatten d -> y axis=2",
	"input x 12\nparam w 12\nMul x,w -> h\nints m 0 3 -1\nReshape h,m -> r\nints a -1\nUnsqueeze r,a -> u\n"
	"Squeeze u -> y",
	/* transposes: of blocks, of lines, of parameters */
	"input x 9 17\nparam w 9 17\nMul x,w -> h\nTranspose h -> y perm=[0,2,1]",
	"input x 3 8 5\nparam w 3 8 5\nMul x,w -> h\nTranspose h -> y perm=[0,3,1,2]",
	"input x 6 2 5\nparam w 6 2 5\nMul x,w -> h\nTranspose h -> y perm=[2,3,0,1]",
	"input x 3 4\nparam w 4 3\nTranspose w -> v\nMul x,v -> y",
	/* pieces */
	MATRIX "ints s 2 -1\nints e -9 0\nints a 1 -1\nints d -1 -2\nSlice h,s,e,a,d -> y",
	MATRIX "ints s 0 1\nints e 9223372036854775807 2\nints a 0 2\nSlice h,s,e,a -> y",
	"opset 9\n" MATRIX "Slice h -> y starts=[1,-3] ends=[3,9] axes=[1,2]",
	"input x 3 4\nparam w 5 4\nints s 1\nints e 4\nSlice w,s,e -> v\nMul x,v -> y",
	MATRIX "ints s 1 2 1\nSplit h,s -> a,_,c axis=2\nConcat c,a -> y axis=-1",
	"opset 11\n" MATRIX "Split h -> a,b axis=2 split=[1,3]\nConcat b,a,b -> y axis=2",
	MATRIX "Split h -> a,b,c axis=1\nMul a,c -> d\nMul d,b -> y",
	"input x 3 2\nparam w 3 4\nSplit w -> a,b axis=1\nMul x,b -> h\nMul h,a -> y",
	"input x 4\nparam v 1\nparam w 3\nConcat v,w -> u axis=0\nMul x,u -> y",
	/* what is the same for all samples, beside what is not */
	MATRIX "param c 1 1 4\nConcat c,h -> y axis=1",
	"input x =1 3 4\nparam w 3 4\nparam c 1 3 2\nMul x,w -> h\nConcat h,c -> y axis=2",
	MATRIX "param c 3 1 2\nTranspose h -> t perm=[1,0,2]\nConcat t,c -> u axis=2\nTanh u -> y",
	MATRIX BATCH
	"ints r 2 4\nConcat n,r -> s axis=0\nparam c 1 4\nExpand c,s -> e\nTanh e -> f\nConcat f,h -> y axis=1",
	MATRIX BATCH
	"ints r 1 1\nConcat n,r -> s axis=0\nparam c 1 2 4\nTile c,s -> e\nTanh e -> f\nConcat f,h -> y axis=1",
	"input x =2 3 4\nparam w 3 4\nMul x,w -> h\nparam c 1 1 4\nints s 2 2 4\nExpand c,s -> e\nConcat e,h -> y "
	"axis=1",
	"input x 3 1\nparam w 3 1\nMul x,w -> h\nints s 3 4\nExpand h,s -> y",
	"input x 3 4\nparam w 3 1\nints s 3 4\nExpand w,s -> v\nMul x,v -> y",
	MATRIX "ints r 2 1 3\nTile h,r -> t\nints m 2 -1 36\nReshape t,m -> u\nTranspose u -> y perm=[1,0,2]",
	"input x 4 6\nparam w 2 3\nints r 2 2\nTile w,r -> v\nMul x,v -> y",
	MATRIX "Shape h -> s\nConstantOfShape s -> k value={0.5}\nparam v 4\nMul k,v -> u\nConcat h,u -> y axis=2",
	/* lookups */
	"ids i 7 5\nparam w 7 4\nGather w,i -> y",
	"ids i 5 3\nparam w 2 5 3\nGather w,i -> t axis=1\nTanh t -> u\nTranspose u -> y perm=[1,0,2,3]",
	"ids i 5 3\nparam w 5 2\nTanh w -> v\nGather v,i -> y",
	MATRIX "ints i 2 -3 2\nGather h,i -> y axis=1",
	MATRIX "int i -1\nGather h,i -> y axis=1",
	"input x 3 4\nparam w 5 4\nints i 4 0 2\nGather w,i -> v\nMul x,v -> y",
	"input x 3 4\nparam w 5 4\nints i 4 0 4\nGather w,i -> v\nMul x,v -> y",
	MATRIX RANGE "Gather h,i -> y",
	MATRIX RANGE "ints a 1\nUnsqueeze i,a -> u\nids j 3 1\nConcat u,j -> t axis=1\nGatherND h,t -> y",
	MATRIX "ids i 3 2 2\nGatherElements h,i -> y axis=1",
	MATRIX "ids i 4 3 5\nGatherElements h,i -> y axis=-1",
	"ids i 7 5\nparam w 1 7\nGatherElements w,i -> y axis=1",
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nints i 0 2 -1 1 1 1\nints s 1 2 3\nReshape i,s -> j\n"
	"GatherElements h,j -> y axis=1",
	"ids i 3 2 5 2\nparam w 3 3 4\nGatherND w,i -> y",
	MATRIX "ids i 3 2 1\nGatherND h,i -> y batch_dims=1",
	MATRIX "Transpose h -> t perm=[1,0,2]\nints i 2 0 2\nints s 3 1\nReshape i,s -> j\nGatherND t,j -> u\n"
	       "Transpose u -> y perm=[1,0,2]",
	/* scattered updates, meeting ones among them */
	UPDATES "ids i 3 2 4\nScatterElements h,i,u -> y axis=1",
	"opset 16\n" UPDATES "ids i 3 2 4\nScatterElements h,i,u -> y axis=1 reduction=add",
	"opset 16\n" UPDATES "ids i 3 2 4\nScatterElements h,i,u -> y axis=1 reduction=mul",
	"opset 10\n" MATRIX "ids i 3 2 2\nparam c 1 2 2\nScatter h,i,c -> y axis=1",
	"opset 16\nids i 3 2 2\nparam c 1 3 2\nparam d 1 2 2\nScatterElements c,i,d -> y axis=1 reduction=mul",
	"opset 16\n" TURNED
	"param v 2 1 4\nMul t,v -> u\nScatterND t,j,u -> z reduction=mul\nTranspose z -> y perm=[1,0,2]",
	"opset 16\n" TURNED "param v 2 1 4\nScatterND t,j,v -> z reduction=add\nTranspose z -> y perm=[1,0,2]",
	TURNED "param v 3 1 4\nScatterND v,j,t -> z\nTranspose z -> y perm=[1,0,2]",
	MATRIX RANGE
	"ints a 1\nUnsqueeze i,a -> u\nids j 3 1\nConcat u,j -> t axis=1\nparam c 1 4\nScatterND h,t,c -> y",
	/* files that were made for one sample, or two */
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\nints s 3 2 2\nReshape t,s -> r\n"
	"Transpose r -> u perm=[1,2,0]\nparam v 1 2 3\nMul u,v -> k\nTranspose k -> l perm=[2,0,1]\nints m 3 4\n"
	"Reshape l,m -> o\nparam q 4\nMul o,q -> p\nints e 3 1 4\nReshape p,e -> a\nTranspose a -> y perm=[1,0,2]",
	"input x =2 3 4\nparam w 3 4\nMul x,w -> h\nTranspose h -> t perm=[1,0,2]\nparam c 2 1 4\nints s 2 2 4\n"
	"Expand c,s -> e\nConcat e,t -> u axis=0\nTranspose u -> y perm=[1,0,2]",
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nints s -1 4\nReshape h,s -> r\nArgMax x -> i axis=1 "
	"keepdims=0\nGather r,i -> y",
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nints i 0 2 0 -3\nints s 1 2 2\nReshape i,s -> j\nGatherND h,j -> y",
	"input x =1 3 4\nparam w 3 4\nMul x,w -> h\nints i 0 2 0 0\nints s 1 2 2\nReshape i,s -> j\nparam u 1 2 4\n"
	"ScatterND h,j,u -> k\nparam v 2 4\nints a 1\nints b 3\nSlice x,a,b,a -> c\nMul c,v -> d\nScatterND k,j,d -> "
	"l\n"
	"Mul l,h -> y",
	/* triangles, sums, blocks, turns, masks */
	MATRIX "Trilu h -> y",
	"opset 14\n" MATRIX "int k -1\nTrilu h,k -> y upper=0",
	MATRIX "int a 1\nCumSum h,a -> y",
	MATRIX "int a -1\nCumSum h,a -> y exclusive=1",
	MATRIX "int a 1\nCumSum h,a -> y exclusive=1 reverse=1",
	IMAGE8 "DepthToSpace h -> y blocksize=2",
	IMAGE8 "DepthToSpace h -> y blocksize=2 mode=CRD",
	IMAGE8 "SpaceToDepth h -> y blocksize=2",
	"ids l 4\n" MATRIX "ReverseSequence h,l -> y batch_axis=0 time_axis=1",
	"ids i 5 3\nparam w 3 5\nint d 5\nnumbers v 0.5 2.0\nOneHot i,d,v -> o\nMul o,w -> y",
	"ids i 5 3\nparam w 5 3\nint d 5\nnumbers v 0.5 2.0\nOneHot i,d,v -> o axis=1\nMul o,w -> y",
	"input x 4 4\nparam w 4 4\nEyeLike w -> e k=1\nMul w,e -> v\nMul x,v -> y",
	"input x 4\nparam w 4\nnumber a 0.5\nnumber b 2.5\nRange a,b,a -> r\nMul w,r -> v\nMul x,v -> y",
	/* recurrent layers: directions, lengths, states that are given, several sequences a sample, weights alone */
	SEQUENCE LSTM "LSTM t,u,r,b -> s hidden_size=2\n" TIMES,
	SEQUENCE LSTM "LSTM t,u,r,b -> _,f,c direction=reverse\n" STATES,
	"ids l 4\n" SEQUENCE LSTM2 "LSTM t,u,r,b,l -> s,f,c direction=bidirectional\n" BOTH,
	"ids l 4\n" SEQUENCE LSTM2
	"param i 2 1 2\nparam j 2 1 2\nLSTM t,u,r,b,l,i,j -> _,f,c direction=bidirectional\n" STATES,
	SEQUENCE LSTM
	"LSTM t,u,r -> s0,f0,c0\nints o 1\nSqueeze s0,o -> q\nparam u1 1 8 2\nparam r1 1 8 2\nparam p 1 6\n"
	"LSTM q,u1,r1,b,_,f0,c0,p -> s,f,c direction=reverse activations=[Sigmoid,Tanh,Tanh]\n" BOTH,
	"opset 14\ninput x 3 4\nparam w 3 4\nMul x,w -> h\nparam p 2 6\n" LSTM2
	"LSTM h,u,r,b,_,_,_,p -> s,f,c direction=bidirectional layout=1\nFlatten s -> p1\nFlatten f -> p2\nFlatten c "
	"-> p3\n"
	"Concat p1,p2,p3 -> y axis=1",
	"input x 2 3 4\nparam w 2 3 4\nMul x,w -> h\nTranspose h -> t perm=[2,0,1,3]\nints m 3 -1 4\nReshape t,m -> "
	"q\n" LSTM "LSTM q,u,r,b -> _,f\nints k -1 4\nReshape f,k -> y",
	"input x 2 2\nparam w 3 2 4\n" LSTM "LSTM w,u,r,b -> _,f\nMul x,f -> y",
	SEQUENCE GRU "GRU t,u,r,b -> s\n" TIMES,
	SEQUENCE GRU "GRU t,u,r,b -> s linear_before_reset=1\n" TIMES,
	"ids l 4\n" SEQUENCE GRU2 "param i 2 1 2\nGRU t,u,r,b,l,i -> s,f direction=bidirectional\n" BOTH,
	"ids l 4\n" SEQUENCE GRU2
	"param i 2 1 2\nGRU t,u,r,b,l,i -> s,f direction=bidirectional linear_before_reset=1\n" BOTH,
	SEQUENCE "param u 1 6 4\nparam r 1 6 2\nGRU t,u,r -> s0,f0\nGRU t,u,r,_,_,f0 -> s,f direction=reverse "
		 "linear_before_reset=1\n" BOTH,
	"opset 14\ninput x 3 4\nparam w 3 4\nMul x,w -> h\n" GRU "GRU h,u,r,b -> y layout=1 direction=reverse",
	"input x 2 2\nparam w 3 2 4\n" GRU "GRU w,u,r,b -> _,f linear_before_reset=1\nMul x,f -> y",
	"ids l 4\n" SEQUENCE RNN2 "RNN t,u,r,b,l -> s,f direction=bidirectional\n" BOTH,
	SEQUENCE RNN2 "RNN t,u,r,b -> s,f direction=bidirectional activations=[Relu,Relu]\n" BOTH,
	/* losses as nodes */
	"ids l 4\ninput x 6\nparam w 6 4\nMatMul x,w -> h\nSoftmaxCrossEntropyLoss h,l -> s reduction=none\nints o 1\n"
	"Unsqueeze s,o -> y",
	"ids l 4 3\ninput x 4 3\nparam w 4 3\nMul x,w -> h\nparam c 4\nSoftmaxCrossEntropyLoss h,l,c -> s,p "
	"reduction=none ignore_index=1\nints o 1\nUnsqueeze s,o -> q\nConcat p,q -> y axis=1",
	"ids l 4 3\ninput x 4 3\nparam w 4 3\nMul x,w -> h\nNegativeLogLikelihoodLoss h,l -> y reduction=none "
	"ignore_index=-7",
};

#endif
