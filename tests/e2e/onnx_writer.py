"""Writes ONNX files without any ONNX library: the few protobuf messages that the tests need, field by field.

Field numbers are those of onnx.proto (IR version 8). Whatever reads these files was written by somebody else.
"""
import random
import struct


def varint(n):
    out = b""
    while n > 0x7F:
        out += bytes([n & 0x7F | 0x80])
        n >>= 7
    return out + bytes([n])


def integer(field, value):
    return varint(field << 3) + varint(value)


def message(field, data):
    data = data.encode() if isinstance(data, str) else data
    return varint(field << 3 | 2) + varint(len(data)) + data


def tensor(name, dims, values):
    raw = struct.pack(f"<{len(values)}f", *values)
    return b"".join(integer(1, d) for d in dims) + integer(2, 1) + message(8, name) + message(9, raw)


def value_info(name, dims):
    shape = b"".join(message(1, message(2, d) if isinstance(d, str) else integer(1, d)) for d in dims)
    return message(1, name) + message(2, message(1, integer(1, 1) + message(2, shape)))


def node(op, inputs, outputs, attributes=()):
    parts = [message(1, i) for i in inputs] + [message(2, o) for o in outputs] + [message(3, outputs[0]), message(4, op)]
    parts += [message(5, message(1, name) + integer(3, value) + integer(20, 2)) for name, value in attributes]
    return b"".join(parts)


def model(nodes, initializers, inputs, outputs):
    graph = b"".join(message(1, n) for n in nodes) + message(2, "graph")
    graph += b"".join(message(5, i) for i in initializers)
    graph += b"".join(message(11, value_info(*i)) for i in inputs) + b"".join(message(12, value_info(*o)) for o in outputs)
    return integer(1, 8) + message(2, "expunge-tests") + message(7, graph) + message(8, message(1, "") + integer(2, 13))


def mlp(sizes, seed=1, activation="Relu", fixed=()):
    """Gemm, activation, Gemm …: sizes (4, 8, 3) has one hidden layer. Weights are uniform; training starts afresh anyway.

    fixed: a square matrix "fixed" before all layers; the file then leaves the number of features open."""
    rng = random.Random(seed)
    nodes, initializers, last, features = [], [], "input", sizes[0]
    if fixed:
        initializers.append(tensor("fixed", (features, features), fixed))
        nodes.append(node("MatMul", [last, "fixed"], ["mixed"]))
        last, features = "mixed", "features"
    for i, (n, m) in enumerate(zip(sizes, sizes[1:])):
        final = i == len(sizes) - 2
        out = "logits" if final else f"h{i}"
        initializers.append(tensor(f"w{i}", (m, n), [rng.uniform(-1, 1) / n**0.5 for _ in range(n * m)]))
        initializers.append(tensor(f"b{i}", (m,), [0.0] * m))
        nodes.append(node("Gemm", [last, f"w{i}", f"b{i}"], [out], [("transB", 1)]))
        last = out
        if not final:
            nodes.append(node(activation, [out], [f"a{i}"]))
            last = f"a{i}"
    return model(nodes, initializers, [("input", ("batch", features))], [("logits", ("batch", sizes[-1]))])


def nested(depth):
    """A graph in an attribute of a node of a graph …: a few kilobytes that exhaust the stack of a careless reader."""
    graph = b""
    for _ in range(depth):
        graph = message(1, message(4, "If") + message(5, message(1, "then_branch") + message(6, graph)))
    return integer(1, 8) + message(7, graph) + message(8, message(1, "") + integer(2, 13))
