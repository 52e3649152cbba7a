#!/usr/bin/env python3
"""Writes tests/golden/engine/models: whole models as PyTorch exports them, and what they compute, in float64.

Usage: tools/golden/make_model_goldens.py [NAME…]   (README.md beside it says what a file holds and where it comes from)
"""
import io
import pathlib
import struct
import sys
import warnings
import zlib

import numpy as np
import onnx
import torch
from torch import nn
from torch.nn import functional as F

import whole_models as m
from onnx_in_torch import load_leaves, row_inputs, run_graph

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "engine" / "models"
ROWS = 4
IGNORED = -100


def image(*shape):
    return (lambda: torch.randn(ROWS, *shape),)


def tokens(count, length):
    return (lambda: torch.randint(1, count, (ROWS, length)),)


def padding(length):
    """Attention masks: the last tokens of all rows but the first are padding."""
    return (lambda: (torch.arange(length)[None] < length - torch.arange(ROWS)[:, None]).long(),)


def adjacency(vertices):
    """Symmetrically normalised random graphs with self loops."""
    def make(rows=ROWS):
        a = torch.triu((torch.rand(rows, vertices, vertices) < 0.4).float(), 1)
        a = a + a.transpose(1, 2) + torch.eye(vertices)
        d = a.sum(2).rsqrt()
        return d[:, :, None] * a * d[:, None, :]
    return (make,)


def fixed_gcn():
    return m.Gcn(adjacency(6)[0](1)[0])


PRESERVE = {"training": torch.onnx.TrainingMode.PRESERVE}
UNFOLDED = {"do_constant_folding": False}
UNFUSED = {**PRESERVE, **UNFOLDED}

# name: module, inputs, opset, arguments of the exporter; "same_norms" keeps batch norms' equal first values,
# "fixed" exports a batch of 1 without dynamic axes.
MODELS = {
    "resnet": (m.ResNet, image(3, 12, 12), 13, {}),
    "resnet_unfused": (m.ResNet, image(3, 12, 12), 14, UNFUSED),
    "resnet_merged": (m.ResNet, image(3, 12, 12), 11,
                      {**UNFUSED, "keep_initializers_as_inputs": True, "same_norms": True}),
    "resnet_fixed": (m.ResNet, image(3, 12, 12), 17, {"fixed": True}),
    "mobilenet": (m.MobileNet, image(3, 12, 12), 14, {}),
    "mobilenet_unfused": (m.MobileNet, image(3, 12, 12), 11, PRESERVE),
    "vgg": (m.Vgg, image(3, 8, 8), 9, {}),
    "unet": (m.UNet, image(2, 8, 8), 13, {}),
    "unet_unfolded": (m.UNet, image(2, 8, 8), 11, UNFOLDED),
    "vit": (m.Vit, image(3, 8, 8), 17, {}),
    "vit_decomposed": (m.Vit, image(3, 8, 8), 13, UNFOLDED),
    "vit_fixed": (m.Vit, image(3, 8, 8), 14, {"fixed": True}),
    "swin": (m.Swin, image(3, 8, 8), 14, {}),
    "convnext": (m.ConvNext, image(3, 8, 8), 12, {}),
    "encoder_layers": (m.EncoderLayers, image(5, 3), 14, {}),
    "time_first": (m.TimeFirst, image(6, 5), 17, {}),
    "time_first_unfolded": (m.TimeFirst, image(6, 5), 13, UNFOLDED),
    "bert": (m.Bert, tokens(32, 6) + padding(6), 13, {}),
    "bert_unfolded": (m.Bert, tokens(32, 6) + padding(6), 11, UNFOLDED),
    "gpt": (m.Gpt, tokens(32, 6), 13, UNFOLDED),
    "gpt_untied": (m.Gpt, tokens(32, 6), 17, {}),
    "lstm": (m.Lstm, tokens(30, 5), 14, {}),
    "lstm_unfolded": (m.Lstm, tokens(30, 5), 9, UNFOLDED),
    "lstm_fixed": (m.Lstm, tokens(30, 5), 13, {"fixed": True}),
    "lstm_deep": (lambda: m.Lstm(2, True), tokens(30, 5), 13, {}),
    "gru": (m.Gru, image(5, 4), 14, {}),
    "gcn": (m.Gcn, image(6, 5) + adjacency(6), 13, {}),
    "gcn_fixed": (fixed_gcn, image(6, 5), 11, {}),
    "mlp_unfolded": (m.Mlp, image(6), 14, UNFOLDED),
}


def randomise(module, same_norms):
    """As after training: no two weights are alike, and statistics and scales are not the first ones."""
    for p in [] if same_norms else module.parameters():
        p.data.add_(torch.randn(p.shape), alpha=0.05)
    for layer in module.modules():
        if isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm, nn.LayerNorm, nn.InstanceNorm2d)) and not same_norms:
            nn.init.uniform_(layer.weight, 0.5, 2.5), nn.init.uniform_(layer.bias, -0.5, 0.5)
        if isinstance(layer, nn.BatchNorm2d):
            nn.init.uniform_(layer.running_mean, -0.3, 0.3), nn.init.uniform_(layer.running_var, 0.2, 0.9)


def export(module, inputs, opset, arguments):
    arguments = dict(arguments)
    fixed = arguments.pop("fixed", False)
    names = [f"x{i}" for i in range(len(inputs))]
    axes = None if fixed else {n: {0: "n"} for n in names + ["y"]}
    file = io.BytesIO()
    torch.onnx.export(module, tuple(i[:1] if fixed else i for i in inputs), file, opset_version=opset,
                      input_names=names, output_names=["y"], dynamic_axes=axes, **arguments)
    return file.getvalue()


def make_labels(output):
    """[N], or [N, steps] of which some are left out."""
    steps = output.shape[1:-1]
    labels = torch.randint(0, output.shape[-1], (ROWS, *steps))
    if steps:
        labels[torch.rand(labels.shape) < 0.25] = IGNORED
        labels[:, 0] = 1
    return labels


def loss_of(output, label):
    """The mean over a sample's steps of the cross-entropy, those labelled -100 left out."""
    return F.cross_entropy(output.reshape(-1, output.shape[-1]), label.reshape(-1), ignore_index=IGNORED)


def direction(count):
    """The fixed direction in parameter space: values in [-1, 1) that hash the place, the same in C."""
    x = (np.arange(count, dtype=np.uint64) * 2654435761 + 12345) & 0xffffffff
    x = ((x ^ (x >> 16)) * 0x45d9f3b) & 0xffffffff
    x = x ^ (x >> 16)
    return torch.from_numpy((x >> 8).astype(np.float64) / 2.0 ** 23 - 1.0)


class Exported:
    """The exported graph as a function of one sample, and its derivatives by the parameters that reach the output."""

    def __init__(self, graph, inputs):
        self.graph, (self.leaves, names) = graph, load_leaves(graph)
        for n in names:
            self.leaves[n].requires_grad_(True)
        used = torch.autograd.grad(self.run(inputs, 0).sum(), [self.leaves[n] for n in names], allow_unused=True)
        self.names = [n for n, g in zip(names, used) if g is not None]
        self.parameters = [self.leaves[n] for n in self.names]
        self.count = sum(p.numel() for p in self.parameters)
        parts = torch.split(direction(self.count), [p.numel() for p in self.parameters])
        self.direction = [d.reshape(p.shape) for d, p in zip(parts, self.parameters)]

    def run(self, inputs, row=None, leaves=None):
        rows = [i if row is None else i[row:row + 1] for i in inputs]
        rows = [i.double() if i.is_floating_point() else i for i in rows]
        return run_graph(self.graph, leaves or self.leaves, rows)

    def gradient(self, scalar):
        return torch.cat([g.flatten() for g in torch.autograd.grad(scalar, self.parameters, retain_graph=True)])

    def tangent(self, inputs, row):
        def f(*parameters):
            return self.run(inputs, row, {**self.leaves, **dict(zip(self.names, parameters))})
        return torch.autograd.functional.jvp(f, tuple(self.parameters), tuple(self.direction))[1].detach()


def derivatives(exported, inputs, labels):
    """For all rows: losses, summed and squared gradients, norms, tangents, Gauss-Newton product with the direction."""
    losses, norms, tangents = [], [], []
    summed, squared, product = (torch.zeros(exported.count, dtype=torch.float64) for _ in range(3))
    for row in range(ROWS):
        output = exported.run(inputs, row)
        loss = loss_of(output, labels[row])
        g = exported.gradient(loss)
        tangent = exported.tangent(inputs, row)
        cut = output.detach()
        curved = torch.autograd.functional.hvp(lambda y: loss_of(y, labels[row]), cut, tangent)[1]
        product += exported.gradient((output * curved).sum())
        summed, squared = summed + g, squared + g * g
        losses.append(loss.detach()), norms.append((g * g).sum()), tangents.append(tangent)
    return [torch.stack(losses), summed, squared, torch.stack(norms), torch.cat(tangents), product]


def check_module(exported, module, inputs, labels, summed):
    """Where the exporter kept every parameter's name, the module's own gradient is the graph's."""
    parameters = dict(module.named_parameters())
    if set(exported.names) != set(parameters):
        return False
    loss = sum(loss_of(module(*(i[row:row + 1] for i in inputs)), labels[row]) for row in range(ROWS))
    g = torch.cat([i.flatten() for i in torch.autograd.grad(loss, [parameters[n] for n in exported.names])])
    np.testing.assert_allclose(g.numpy(), summed.numpy(), rtol=1e-4, atol=1e-5 * float(summed.abs().max()))
    return True


def write(name, file, exported, arrays, labels):
    x, y = arrays[0], arrays[1]
    header = struct.pack("<6Q", ROWS, x.shape[1], y[0].numel(), labels[0].numel(), exported.count, len(exported.names))
    parts = [np.ascontiguousarray(a.detach().numpy(), "<f4").tobytes() for a in arrays]
    parts.insert(1, labels.numpy().astype("<i4").tobytes())
    table = b"".join(struct.pack("<Q", p.numel()) for p in exported.parameters)
    names = b"".join(n.encode() + b"\0" for n in exported.names)
    (FOLDER / f"{name}.onnx").write_bytes(file)
    (FOLDER / f"{name}.golden").write_bytes(b"GOLDEN2\n" + header + table + b"".join(parts) + names)


def make(name):
    build, inputs, opset, arguments = MODELS[name]
    arguments = dict(arguments)
    torch.manual_seed(zlib.crc32(name.encode()))
    inputs, module = [i() for i in inputs], build()
    randomise(module, arguments.pop("same_norms", False))
    module.eval()
    with torch.no_grad():
        expected = module(*inputs)
    file = export(module, inputs, opset, arguments)
    graph = onnx.load_from_string(file).graph
    assert len(row_inputs(graph)) == len(inputs)
    exported, labels = Exported(graph, inputs), make_labels(expected)
    output = torch.cat([exported.run(inputs, row) for row in range(ROWS)]).detach()
    np.testing.assert_allclose(output.numpy(), expected.numpy(), rtol=1e-4, atol=1e-5)
    if not arguments.get("fixed"):
        np.testing.assert_allclose(exported.run(inputs).detach().numpy(), output.numpy(), rtol=1e-9, atol=1e-10)
    rows = torch.cat([i.double().flatten(1) for i in inputs], 1)
    arrays = [rows, output, *derivatives(exported, inputs, labels)]
    checked = check_module(exported, module, inputs, labels, arrays[3])
    write(name, file, exported, arrays, labels)
    size = sum((FOLDER / f"{name}.{e}").stat().st_size for e in ("onnx", "golden"))
    print(f"{name}: opset {opset}, {exported.count} parameters, {size} bytes,",
          "held to the module's gradient," if checked else "renamed,", *sorted({n.op_type for n in graph.node}))
    print("   ", *exported.names)


def main():
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in sys.argv[1:] or MODELS:
        make(name)


if __name__ == "__main__":
    main()
