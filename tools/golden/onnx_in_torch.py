"""Runs an ONNX graph with torch's functions in float64, its fp32 initializers as leaves that autograd differentiates.

Written from the operators' specification, so that a golden file holds what the exported file means: weights as the
exporter left them (transposed, folded, merged), not as the module has them.
"""
import math

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper
from torch.nn import functional as F

UNARY = {
    "Abs": torch.abs, "Cos": torch.cos, "Erf": torch.erf, "Exp": torch.exp, "Identity": lambda x: x, "Log": torch.log,
    "Neg": torch.neg, "Not": torch.logical_not, "Reciprocal": torch.reciprocal, "Relu": torch.relu, "Selu": F.selu,
    "Sigmoid": torch.sigmoid, "Sin": torch.sin, "Softplus": F.softplus, "Softsign": F.softsign, "Sqrt": torch.sqrt,
    "Tanh": torch.tanh, "HardSwish": lambda x: x * torch.clamp(x / 6 + 0.5, 0, 1),
}
BINARY = {
    "Add": torch.add, "Sub": torch.sub, "Mul": torch.mul, "Pow": lambda x, y: torch.pow(x, y.to(x.dtype)),
    "MatMul": torch.matmul, "Equal": torch.eq, "Less": torch.lt, "Greater": torch.gt, "And": torch.logical_and,
    "Or": torch.logical_or,
    "Div": lambda x, y: x / y if x.is_floating_point() else torch.div(x, y, rounding_mode="trunc"),
}
REDUCE = {
    "ReduceMean": torch.mean, "ReduceSum": torch.sum, "ReduceMax": torch.amax, "ReduceMin": torch.amin,
    "ReduceL2": lambda x, dim, keepdim: torch.sqrt(torch.sum(x * x, dim, keepdim)),
}


def ints(t):
    return [int(i) for i in t.flatten()]


def pairs(pads):
    """ONNX pads (all starts, all ends) as F.pad wants them: last dimension first."""
    half = len(pads) // 2
    return [v for i in reversed(range(half)) for v in (pads[i], pads[half + i])]


def windows(a, dims):
    assert a.get("auto_pad", b"NOTSET") == b"NOTSET"
    return a.get("strides", [1] * dims), a.get("pads", [0] * 2 * dims), a.get("dilations", [1] * dims)


def conv(a, x, w, bias=None):
    stride, pads, dilation = windows(a, w.dim() - 2)
    f = F.conv2d if w.dim() == 4 else F.conv1d
    return f(F.pad(x, pairs(pads)), w, bias, stride, 0, dilation, a.get("group", 1))


def conv_transpose(a, x, w, bias=None):
    dims = w.dim() - 2
    stride, pads, dilation = windows(a, dims)
    assert pads[:dims] == pads[dims:]
    f = F.conv_transpose2d if dims == 2 else F.conv_transpose1d
    return f(x, w, bias, stride, pads[:dims], a.get("output_padding", [0] * dims), a.get("group", 1), dilation)


def max_pool(a, x):
    kernel = a["kernel_shape"]
    stride, pads, dilation = windows(a, len(kernel))
    f = F.max_pool2d if len(kernel) == 2 else F.max_pool1d
    return f(F.pad(x, pairs(pads), value=-math.inf), kernel, stride, 0, dilation, bool(a.get("ceil_mode", 0)))


def average_pool(a, x):
    kernel = a["kernel_shape"]
    stride, pads, _ = windows(a, len(kernel))
    assert pads[:len(kernel)] == pads[len(kernel):]
    f = F.avg_pool2d if len(kernel) == 2 else F.avg_pool1d
    return f(x, kernel, stride, pads[:len(kernel)], bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))


def layer_norm(a, x, scale, bias=None):
    axes = tuple(range(a.get("axis", -1) % x.dim(), x.dim()))
    centred = x - x.mean(axes, keepdim=True)
    y = centred / torch.sqrt((centred * centred).mean(axes, keepdim=True) + a.get("epsilon", 1e-5)) * scale
    return y if bias is None else y + bias


def gemm(a, x, w, c=None):
    y = a.get("alpha", 1) * (x.T if a.get("transA") else x) @ (w.T if a.get("transB") else w)
    return y if c is None else y + a.get("beta", 1) * c


def source_coordinate(mode, i, size, out, scale):
    if mode == b"align_corners":
        return i * (size - 1) / (out - 1) if out > 1 else 0.0
    if mode == b"asymmetric":
        return i / scale
    if mode == b"pytorch_half_pixel" and out == 1:
        return 0.0
    return (i + 0.5) / scale - 0.5


def resize_matrix(a, size, out, scale):
    """[out, size]: each output position's weights over the input positions of one axis."""
    m = torch.zeros(out, size, dtype=torch.float64)
    rounding = {b"floor": math.floor, b"ceil": math.ceil, b"round_prefer_floor": lambda c: math.ceil(c - 0.5),
                b"round_prefer_ceil": lambda c: math.floor(c + 0.5)}[a.get("nearest_mode", b"round_prefer_floor")]
    for i in range(out):
        c = source_coordinate(a.get("coordinate_transformation_mode", b"half_pixel"), i, size, out, scale)
        if a.get("mode", b"nearest") == b"nearest":
            m[i, min(max(rounding(c), 0), size - 1)] = 1
            continue
        assert a["mode"] == b"linear"
        low = math.floor(c)
        for j, weight in ((low, 1 - (c - low)), (low + 1, c - low)):
            m[i, min(max(j, 0), size - 1)] += weight
    return m


def resize(a, x, _, scales=None, sizes=None):
    for axis in range(x.dim()):
        size = x.shape[axis]
        given = scales is not None and scales.numel() > 0
        out = math.floor(size * float(scales[axis])) if given else int(sizes[axis])
        if out != size:
            m = resize_matrix(a, size, out, float(scales[axis]) if given else out / size)
            x = torch.movedim(torch.tensordot(m, x, ([1], [axis])), 0, axis)
    return x


def lstm_cell(gates, r, recurrent_bias, state):
    """Gates in ONNX's order i, o, f, c."""
    h, c = state
    i, o, f, g = torch.chunk(gates + h @ r.T + recurrent_bias, 4, 1)
    c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
    return torch.sigmoid(o) * torch.tanh(c), c


def gru_cell(gates, r, recurrent_bias, state):
    """Gates in ONNX's order z, r, h; linear_before_reset = 1, as PyTorch has it."""
    (h,) = state
    z, reset, g = torch.chunk(gates, 3, 1)
    hz, hr, hg = torch.chunk(h @ r.T + recurrent_bias, 3, 1)
    z = torch.sigmoid(z + hz)
    return ((1 - z) * torch.tanh(g + torch.sigmoid(reset + hr) * hg) + z * h,)


def recurrent(a, v, cell, states):
    """X [T, N, I], W [D, G H, I], R [D, G H, H], B [D, 2 G H]: Y [T, D, N, H] and each final state [D, N, H]."""
    x, w, r, b = v[:4]
    assert len(v) < 5 or v[4] is None, "sequence_lens"
    steps, directions, outputs, finals = x.shape[0], w.shape[0], [], []
    for d in range(directions):
        backwards = a.get("direction", b"forward") == b"reverse" or d == 1
        zero = torch.zeros(x.shape[1], r.shape[2], dtype=torch.float64)
        state = tuple(zero if len(v) <= 5 + i or v[5 + i] is None else v[5 + i][d] for i in range(states))
        input_bias, recurrent_bias = torch.chunk(b[d], 2)
        ys = [None] * steps
        for t in reversed(range(steps)) if backwards else range(steps):
            state = cell(x[t] @ w[d].T + input_bias, r[d], recurrent_bias, state)
            ys[t] = state[0]
        outputs.append(torch.stack(ys))
        finals.append(state)
    return (torch.stack(outputs, 1), *(torch.stack([f[i] for f in finals]) for i in range(states)))


def gru(a, v):
    assert a.get("linear_before_reset") == 1
    return recurrent(a, v, gru_cell, 1)


def slices(a, x, starts=None, ends=None, axes=None, steps=None):
    starts, ends = (a["starts"], a["ends"]) if starts is None else (ints(starts), ints(ends))
    axes = a.get("axes", range(len(starts))) if axes is None else ints(axes)
    for start, end, axis, step in zip(starts, ends, axes, [1] * len(starts) if steps is None else ints(steps)):
        index = range(x.shape[axis])[start:end:step]
        x = x.index_select(axis, torch.tensor(list(index), dtype=torch.int64))
    return x


def gather(a, x, index):
    axis = a.get("axis", 0) % x.dim()
    index = torch.where(index < 0, index + x.shape[axis], index)
    y = x.index_select(axis, index.flatten())
    return y.reshape([*x.shape[:axis], *index.shape, *x.shape[axis + 1:]])


def split(a, outputs, x, sizes=None):
    axis = a.get("axis", 0)
    sizes = a.get("split", [x.shape[axis] // outputs] * outputs) if sizes is None else ints(sizes)
    return torch.split(x, sizes, axis)


def axes_of(a, v):
    axes = a.get("axes") if len(v) < 2 or v[1] is None else ints(v[1])
    return axes


def squeeze(a, v):
    axes = axes_of(a, v) or [i for i, s in enumerate(v[0].shape) if s == 1]
    for axis in sorted((i % v[0].dim() for i in axes), reverse=True):
        v[0] = v[0].squeeze(axis)
    return v[0]


def unsqueeze(a, v):
    axes = axes_of(a, v)
    for axis in sorted(i % (v[0].dim() + len(axes)) for i in axes):
        v[0] = v[0].unsqueeze(axis)
    return v[0]


def reduced(op, a, v):
    axes = axes_of(a, v) or list(range(v[0].dim()))
    return REDUCE[op](v[0], dim=tuple(axes), keepdim=bool(a.get("keepdims", 1)))


def expand(x, shape):
    return x.expand(torch.broadcast_shapes(x.shape, ints(shape)))


def constant_of_shape(a, shape):
    value = tensor(a["value"]) if "value" in a else torch.zeros(1, dtype=torch.float64)
    return value.reshape(()).expand(ints(shape))


def cast(a, x):
    if a["to"] == TensorProto.BOOL:
        return x != 0
    return x.double() if a["to"] in (TensorProto.FLOAT, TensorProto.DOUBLE) else x.long()


def clip(a, x, low=None, high=None):
    return torch.clamp(x, a.get("min") if low is None else float(low), a.get("max") if high is None else float(high))


def pad(a, x, pads=None, value=None):
    assert a.get("mode", b"constant") == b"constant"
    pads = a["pads"] if pads is None else ints(pads)
    return F.pad(x, pairs(pads), value=a.get("value", 0.0) if value is None else float(value))


def reshape(a, x, shape):
    shape = ints(shape)
    return x.reshape([x.shape[i] if s == 0 and not a.get("allowzero") else s for i, s in enumerate(shape)])


def run_other(node, a, v):
    op, x = node.op_type, v[0] if v else None
    table = {
        "ArgMax": lambda: x.argmax(a.get("axis", 0), bool(a.get("keepdims", 1))),
        "AveragePool": lambda: average_pool(a, x),
        "BatchNormalization": lambda: F.batch_norm(x, v[3], v[4], v[1], v[2], False, 0.0, a.get("epsilon", 1e-5)),
        "Cast": lambda: cast(a, x), "Clip": lambda: clip(a, *v), "Concat": lambda: torch.cat(v, a["axis"]),
        "Constant": lambda: tensor(a["value"]), "ConstantOfShape": lambda: constant_of_shape(a, x),
        "Conv": lambda: conv(a, *v), "ConvTranspose": lambda: conv_transpose(a, *v), "Dropout": lambda: x,
        "Einsum": lambda: torch.einsum(a["equation"].decode(), *v),
        "Elu": lambda: F.elu(x, a.get("alpha", 1.0)), "Expand": lambda: expand(x, v[1]),
        "Flatten": lambda: x.reshape(math.prod(x.shape[:a.get("axis", 1)]), -1), "Gather": lambda: gather(a, *v),
        "Gemm": lambda: gemm(a, *v), "GlobalAveragePool": lambda: x.mean(tuple(range(2, x.dim())), keepdim=True),
        "GlobalMaxPool": lambda: x.amax(tuple(range(2, x.dim())), keepdim=True), "GRU": lambda: gru(a, v),
        "HardSigmoid": lambda: torch.clamp(a.get("alpha", 0.2) * x + a.get("beta", 0.5), 0, 1),
        "InstanceNormalization": lambda: F.instance_norm(x, None, None, v[1], v[2], eps=a.get("epsilon", 1e-5)),
        "LayerNormalization": lambda: layer_norm(a, *v), "LeakyRelu": lambda: F.leaky_relu(x, a.get("alpha", 0.01)),
        "LogSoftmax": lambda: torch.log_softmax(x, a.get("axis", -1)),
        "LSTM": lambda: recurrent(a, v, lstm_cell, 2), "MaxPool": lambda: max_pool(a, x), "Pad": lambda: pad(a, *v),
        "PRelu": lambda: torch.where(x < 0, x * v[1], x), "Range": lambda: torch.arange(*(int(i) for i in v)),
        "Reshape": lambda: reshape(a, *v), "Resize": lambda: resize(a, *v),
        "Shape": lambda: torch.tensor(x.shape, dtype=torch.int64), "Slice": lambda: slices(a, *v),
        "Softmax": lambda: torch.softmax(x, a.get("axis", -1)), "Split": lambda: split(a, len(node.output), *v),
        "Squeeze": lambda: squeeze(a, v), "Tile": lambda: x.repeat(ints(v[1])),
        "Transpose": lambda: x.permute(a.get("perm", list(reversed(range(x.dim()))))),
        "Unsqueeze": lambda: unsqueeze(a, v), "Where": lambda: torch.where(*v),
    }
    return table[op]()


def run_node(node, v):
    a = {i.name: helper.get_attribute_value(i) for i in node.attribute}
    op = node.op_type
    if op in UNARY:
        return UNARY[op](v[0])
    if op in BINARY:
        return BINARY[op](*v)
    return reduced(op, a, v) if op in REDUCE else run_other(node, a, v)


def tensor(proto):
    """float32 becomes float64, every integer int64, bool stays."""
    array = np.array(numpy_helper.to_array(proto))
    if array.dtype in (np.float32, np.float64):
        return torch.from_numpy(array.astype(np.float64))
    return torch.from_numpy(array if array.dtype == bool else array.astype(np.int64))


def row_inputs(graph):
    """The graph's inputs without the initializers that old exporters list there too."""
    weights = {i.name for i in graph.initializer}
    return [i.name for i in graph.input if i.name not in weights]


def run_graph(graph, leaves, inputs):
    """The first output; inputs in the order of row_inputs."""
    values = {**leaves, **dict(zip(row_inputs(graph), inputs))}
    for node in graph.node:
        result = run_node(node, [values[n] if n else None for n in node.input])
        values.update(zip((n for n in node.output), result if isinstance(result, tuple) else (result,)))
    return values[graph.output[0].name]


def load_leaves(graph):
    """All initializers, and the names of the parameters: the fp32 ones, batch-norm statistics left out."""
    statistics = {n for node in graph.node if node.op_type == "BatchNormalization" for n in node.input[3:5]}
    leaves = {i.name: tensor(i) for i in graph.initializer}
    names = [i.name for i in graph.initializer if i.data_type == TensorProto.FLOAT and i.name not in statistics]
    return leaves, names
