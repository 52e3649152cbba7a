#!/usr/bin/env python3
"""Writes tests/golden/engine: models as PyTorch exports them, with rows, outputs, losses and gradients in float64.

Usage: tools/golden/make_engine_goldens.py   (needs torch and onnx; the files are committed, so tests need neither)

Exporters rename and fold weights, so gradients are taken on the exported graph: a small interpreter below runs the ONNX
nodes with torch's functions, in float64, with the initializers as leaves. Its outputs are held to those of the module itself.
Squared gradients and norms come from one backward pass for each row, which is the definition.

NAME.golden: "GOLDEN1\\n", five little-endian u64 (rows, floats of a row, classes, floats of all parameters, parameters),
then float32 inputs, int32 labels, float32 outputs, log_probs, losses, sum, square_sum, norms; gradients in the file's order of
initializers, batch-norm statistics left out.
"""
import io
import pathlib
import struct
import warnings

import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from torch import nn
from torch.nn import functional as F

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "engine"
ROWS = 7


class Mlp(nn.Module):
    def __init__(self, end):
        super().__init__()
        self.one, self.two, self.three = nn.Linear(6, 9), nn.Linear(9, 8), nn.Linear(8, 4)
        self.drop, self.end = nn.Dropout(0.3), end

    def forward(self, x):
        x = self.drop(torch.relu(self.one(x)))
        x = self.three(torch.tanh(self.two(x)))
        return self.end(x) if self.end else x


class Views(nn.Module):
    """Sizes that are computed, a sequence merged into the batch, MatMul with a bias, a weight that is used twice."""

    def __init__(self):
        super().__init__()
        self.mix, self.out = nn.Linear(4, 4), nn.Linear(12, 3)
        self.scale = nn.Parameter(torch.rand(4) + 0.5)

    def forward(self, x):
        x = torch.sigmoid(self.mix(x))
        x = self.mix(x) * self.scale
        x = x.reshape(x.size(0) * 3, 4) @ self.mix.weight
        return self.out(x.view(x.size(0) // 3, -1)) / 2


class Cnn(nn.Module):
    def __init__(self, pool, strided):
        super().__init__()
        self.one = nn.Conv2d(2, 4, 3, padding=1, stride=2 if strided else 1, bias=not strided)
        self.norm = nn.BatchNorm2d(4)
        self.two = nn.Conv2d(4, 6, 3, padding=2, dilation=2, groups=2)
        self.pool = pool
        self.out = nn.LazyLinear(3)

    def forward(self, x):
        x = torch.relu(self.norm(self.one(x)))
        x = self.pool(torch.relu(self.two(x)))
        return self.out(torch.flatten(x, 1))


class Residual(nn.Module):
    """Batch norm before and after, a skip connection, global average pooling, 1 x 1 convolutions."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(1, 4, 3, padding=1), nn.Conv2d(4, 4, 1)
        self.before, self.after = nn.BatchNorm2d(1), nn.BatchNorm2d(4)
        self.out = nn.Linear(4, 3)

    def forward(self, x):
        x = torch.relu(self.one(self.before(x)))
        x = x + self.after(torch.sigmoid(self.two(x)))
        return self.out(F.adaptive_avg_pool2d(x, 1).flatten(1))


class Series(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.out = nn.Conv1d(2, 5, 3, padding=1, stride=2), nn.Linear(5 * 3, 3)
        self.norm = nn.BatchNorm1d(5)

    def forward(self, x):
        return self.out(F.max_pool1d(torch.relu(self.norm(self.one(x))), 2).flatten(1))


# ---- the interpreter ----

def pairs(pads):
    """ONNX pads (all starts, all ends) as F.pad wants them: last dimension first."""
    half = len(pads) // 2
    return [v for i in reversed(range(half)) for v in (pads[i], pads[half + i])]


def windows(x, attributes, kernel):
    dims = len(kernel)
    return (attributes.get("strides", [1] * dims), attributes.get("pads", [0] * 2 * dims),
            attributes.get("dilations", [1] * dims))


def run_conv(x, a, w, bias=None):
    stride, pads, dilation = windows(x, a, w.shape[2:])
    f = F.conv2d if w.dim() == 4 else F.conv1d
    return f(F.pad(x, pairs(pads)), w, bias, stride, 0, dilation, a.get("group", 1))


def run_pool(x, a, op):
    stride, pads, dilation = windows(x, a, a["kernel_shape"])
    two = len(a["kernel_shape"]) == 2
    if op == "MaxPool":
        f = F.max_pool2d if two else F.max_pool1d
        return f(F.pad(x, pairs(pads), value=-torch.inf), a["kernel_shape"], stride, 0, dilation, bool(a.get("ceil_mode", 0)))
    f = F.avg_pool2d if two else F.avg_pool1d
    half = len(pads) // 2
    assert pads[:half] == pads[half:], "torch pads both ends alike"
    return f(x, a["kernel_shape"], stride, pads[:half], bool(a.get("ceil_mode", 0)), bool(a.get("count_include_pad", 0)))


def run_node(node, a, v):
    op = node.op_type
    x = v[0] if v else None
    if op == "Gemm":
        y = a.get("alpha", 1) * (x.T if a.get("transA") else x) @ (v[1].T if a.get("transB") else v[1])
        return y + a.get("beta", 1) * v[2] if len(v) > 2 else y
    simple = {
        "MatMul": lambda: x @ v[1], "Add": lambda: x + v[1], "Sub": lambda: x - v[1], "Mul": lambda: x * v[1],
        "Div": lambda: x // v[1] if x.dtype == torch.int64 else x / v[1],
        "Relu": lambda: torch.relu(x), "Sigmoid": lambda: torch.sigmoid(x), "Tanh": lambda: torch.tanh(x),
        "Softmax": lambda: torch.softmax(x, a.get("axis", -1)), "LogSoftmax": lambda: torch.log_softmax(x, a.get("axis", -1)),
        "Flatten": lambda: x.flatten(a.get("axis", 1)), "Identity": lambda: x, "Dropout": lambda: x,
        "Reshape": lambda: x.reshape([x.shape[i] if s == 0 else int(s) for i, s in enumerate(v[1])]),
        "Shape": lambda: torch.tensor(x.shape), "Gather": lambda: x[v[1]],
        "Unsqueeze": lambda: x.unsqueeze(int(v[1][0]) if len(v) > 1 else a["axes"][0]),
        "Squeeze": lambda: x.squeeze(int(v[1][0]) if len(v) > 1 else a["axes"][0]),
        "Concat": lambda: torch.cat(v, a["axis"]), "Cast": lambda: x, "Transpose": lambda: x.permute(a["perm"]),
        "Pad": lambda: F.pad(x, pairs([int(p) for p in v[1]])),
        "Conv": lambda: run_conv(x, a, *v[1:]), "MaxPool": lambda: run_pool(x, a, op), "AveragePool": lambda: run_pool(x, a, op),
        "GlobalAveragePool": lambda: x.mean(dim=tuple(range(2, x.dim())), keepdim=True),
        "BatchNormalization": lambda: F.batch_norm(x, v[3], v[4], v[1], v[2], False, 0.0, a.get("epsilon", 1e-5)),
    }
    return simple[op]()


def attributes_of(node):
    return {a.name: helper.get_attribute_value(a) for a in node.attribute}


def tensor(proto):
    array = np.array(numpy_helper.to_array(proto))
    return torch.from_numpy(array.astype(np.float64) if array.dtype == np.float32 else array)


def run_graph(graph, leaves, x):
    values = dict(leaves)
    values[[i.name for i in graph.input if i.name not in leaves][0]] = x
    for node in graph.node:
        a = attributes_of(node)
        if node.op_type == "Constant":
            values[node.output[0]] = tensor(a["value"])
        else:
            values[node.output[0]] = run_node(node, a, [values[n] for n in node.input if n])
    return values[graph.output[0].name]


def load_leaves(graph):
    statistics = {n for node in graph.node if node.op_type == "BatchNormalization" for n in node.input[3:5]}
    leaves = {i.name: tensor(i) for i in graph.initializer}
    names = [n for n, t in leaves.items() if t.dtype == torch.float64 and n not in statistics]
    for n in names:
        leaves[n].requires_grad_(True)
    return leaves, names


# ---- goldens ----

def log_probs_of(graph, output):
    end = next(n for n in graph.node if graph.output[0].name in n.output)
    if end.op_type == "Softmax":
        return torch.log(output)
    return output if end.op_type == "LogSoftmax" else torch.log_softmax(output, 1)


def gradients(graph, leaves, names, x, labels):
    summed, squared, norms = 0, 0, []
    for row in range(len(x)):
        output = run_graph(graph, leaves, x[row:row + 1])
        loss = F.nll_loss(log_probs_of(graph, output), labels[row:row + 1])
        g = torch.cat([t.flatten() for t in torch.autograd.grad(loss, [leaves[n] for n in names])])
        summed, squared = summed + g, squared + g * g
        norms.append(float((g * g).sum()))
    return summed, squared, np.array(norms)


def save(name, module, shape, opset=13, folding=True, dynamic=True):
    torch.manual_seed(len(name))
    x, labels = torch.randn(ROWS, *shape), torch.arange(ROWS) % 3
    module(x)
    for m in module.modules():
        if isinstance(m, (nn.BatchNorm1d, nn.BatchNorm2d)):
            nn.init.uniform_(m.weight, 0.5, 1.5), nn.init.uniform_(m.bias), nn.init.uniform_(m.running_mean)
    module.eval()
    file = io.BytesIO()
    torch.onnx.export(module, x if dynamic else x[:1], file, opset_version=opset, do_constant_folding=folding,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}, "y": {0: "n"}} if dynamic else None)
    graph = onnx.load_from_string(file.getvalue()).graph
    leaves, names = load_leaves(graph)
    output = torch.cat([run_graph(graph, leaves, x[i:i + 1].double()) for i in range(ROWS)])
    np.testing.assert_allclose(output.detach().numpy(), module(x).detach().numpy(), rtol=1e-4, atol=1e-5)
    log_probs = log_probs_of(graph, output).detach()
    summed, squared, norms = gradients(graph, leaves, names, x.double(), labels)
    header = struct.pack("<5Q", ROWS, int(np.prod(shape)), output.shape[1], len(summed), len(names))
    parts = [x, output.detach(), log_probs, -log_probs[torch.arange(ROWS), labels], summed, squared, norms]
    arrays = [np.ascontiguousarray(np.asarray(p), "<f4").tobytes() for p in parts]
    arrays.insert(1, labels.numpy().astype("<i4").tobytes())
    (FOLDER / f"{name}.onnx").write_bytes(file.getvalue())
    (FOLDER / f"{name}.golden").write_bytes(b"GOLDEN1\n" + header + b"".join(arrays))
    print(name, sorted({n.op_type for n in graph.node}), names)


def main():
    warnings.simplefilter("ignore")
    torch.manual_seed(20)
    FOLDER.mkdir(parents=True, exist_ok=True)
    save("mlp_logits", Mlp(None), (6,))
    save("mlp_softmax", Mlp(nn.Softmax(1)), (6,), opset=11)
    save("mlp_log_softmax", Mlp(nn.LogSoftmax(1)), (6,), opset=17, folding=False, dynamic=False)
    save("views", Views(), (3, 4), opset=13)
    save("views_unfolded", Views(), (3, 4), opset=11, folding=False)
    save("views_batch_one", Views(), (3, 4), opset=9, dynamic=False)
    save("cnn_max", Cnn(nn.MaxPool2d(3, 2, padding=1), False), (2, 8, 7))
    save("cnn_average", Cnn(nn.AvgPool2d(2, ceil_mode=True), True), (2, 9, 9), opset=17, folding=False, dynamic=False)
    save("cnn_average_padded", Cnn(nn.AvgPool2d(3, 2, padding=1, count_include_pad=False), False), (2, 7, 7), opset=11)
    save("residual", Residual(), (1, 6, 5), opset=17)
    save("series", Series(), (2, 12), opset=13, folding=False)


if __name__ == "__main__":
    main()
