#!/usr/bin/env python3
"""Writes tests/golden/offline: two small models with rows, outputs and gradients by PyTorch, for the offline commands.

Usage: tools/golden/make_offline_goldens.py   (needs torch and onnx; the files are committed, so tests need neither)

The squared gradients are taken row by row, one backward pass each, which is the definition.
"""
import json
import pathlib
import struct

import numpy as np
import onnx
import onnx.numpy_helper
import torch

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "offline"


class Mlp(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = torch.nn.Linear(5, 7)
        self.output = torch.nn.Linear(7, 3)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(x)))


class Cnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 3, 3, padding=1)
        self.output = torch.nn.Linear(3 * 3 * 3, 4)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.conv(x)), 2)
        return self.output(torch.flatten(x, 1))


def save_tensors(path, tensors, metadata):
    header, data = {"__metadata__": metadata}, b""
    for name, tensor in tensors.items():
        raw = tensor.numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)


def gradients(model, inputs, labels):
    """The sum over rows of the gradients, and of their squares, in double precision."""
    model = model.double()
    names = [name for name, _ in model.named_parameters()]
    sums = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    squares = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for x, y in zip(inputs.double(), labels):
        loss = torch.nn.functional.cross_entropy(model(x[None]), y[None])
        for name, g in zip(names, torch.autograd.grad(loss, list(model.parameters()))):
            sums[name] += g
            squares[name] += g * g
    model.float()
    return sums, squares


def write(name, model, raw, labels, scale):
    inputs = torch.tensor(raw.astype("f4")) * scale
    rows = {"rows": str(len(labels))}
    np.save(FOLDER / f"{name}_inputs.npy", raw)
    np.save(FOLDER / f"{name}_labels.npy", labels)
    with torch.no_grad():
        np.save(FOLDER / f"{name}_outputs.npy", model(inputs).numpy())
    sums, squares = gradients(model, inputs, torch.tensor(labels.astype("i8")))
    save_tensors(FOLDER / f"{name}_sum.safetensors", sums, rows)
    save_tensors(FOLDER / f"{name}_square_sum.safetensors", squares, rows)
    torch.onnx.export(model, inputs[:1], FOLDER / f"{name}.onnx", opset_version=13, input_names=["x"], output_names=["y"],
                      dynamic_axes={"x": {0: "batch"}, "y": {0: "batch"}})


def write_unsupported():
    node = onnx.helper.make_node("Erf", ["x"], ["y"], name="the_odd_one", domain="org.example")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", 5]) for name in "xy")
    graph = onnx.helper.make_graph([node], "g", [x], [y])
    opsets = [onnx.helper.make_opsetid("", 13), onnx.helper.make_opsetid("org.example", 1)]
    onnx.save(onnx.helper.make_model(graph, opset_imports=opsets), str(FOLDER / "unsupported.onnx"))


def write_norm():
    """A dense layer, a batch norm and a learned factor: one parameter of every role that starting weights know."""
    def tensor(name, *shape):
        return onnx.numpy_helper.from_array(np.full(shape, 0.25, dtype="<f4"), name)

    nodes = [
        onnx.helper.make_node("Gemm", ["x", "weight", "bias"], ["a"], transB=1),
        onnx.helper.make_node("BatchNormalization", ["a", "scale", "shift", "mean", "variance"], ["b"]),
        onnx.helper.make_node("Mul", ["b", "factor"], ["y"]),
    ]
    x = onnx.helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["batch", 4])
    y = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["batch", 3])
    weights = [tensor("weight", 3, 4), *(tensor(name, 3) for name in ("bias", "scale", "shift", "mean", "variance", "factor"))]
    graph = onnx.helper.make_graph(nodes, "g", [x], [y], initializer=weights)
    onnx.save(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)]), str(FOLDER / "norm.onnx"))


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    random = np.random.RandomState(3)
    centres = random.randn(3, 5)
    labels = random.randint(0, 3, 37)
    write("mlp", Mlp(), (centres[labels] + 0.3 * random.randn(37, 5)).astype("<f4"), labels.astype("<i4"), 1.0)
    write("cnn", Cnn(), random.randint(0, 256, (19, 1, 6, 6)).astype("|u1"), random.randint(0, 4, 19).astype("|u1"), 1 / 255)
    np.save(FOLDER / "mlp_inputs_nan.npy", np.where(np.arange(185).reshape(37, 5) == 62, np.nan, 0).astype("<f4"))
    np.save(FOLDER / "mlp_labels_high.npy", np.where(np.arange(37) == 9, 3, 0).astype("<i8"))
    np.save(FOLDER / "mlp_labels_short.npy", np.zeros(36, dtype="<i8"))
    write_unsupported()
    write_norm()


if __name__ == "__main__":
    main()
