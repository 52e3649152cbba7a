#!/usr/bin/env python3
"""The models without their weights, for machines that have no PyTorch to export them.

bench/skeletons/NAME.onnx.gz is what bench/models.py exports with the data of its large fp32 initializers taken out; mean and
standard deviation of each stand in its doc_string.

    skeletons.py fill FOLDER    writes models with random weights of the same spread, rows and labels, as bench/models.py does
    skeletons.py strip FOLDER   makes the skeletons anew from what bench/models.py has written

Protocol Buffers' wire format is walked by hand: this needs Python's standard library alone.
"""
import array
import gzip
import math
import random
import shutil
import statistics
import struct
import sys
from pathlib import Path

from rows import CLASSES, DELETED, MODELS

FOLDER = Path(__file__).resolve().parent / "skeletons"
SMALL = 256  # bytes of an initializer that stays: shapes, constants
GRAPH, INITIALIZER = 7, 5                             # of ModelProto, GraphProto
DIMS, DATA_TYPE, RAW_DATA, DOC_STRING = 1, 2, 9, 12   # of TensorProto
FLOAT = 1


def read_varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)


def fields(data):
    """(number, wire type, value) of each field: bytes for those with a length, else an integer or raw bytes."""
    at = 0
    while at < len(data):
        key, at = read_varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = read_varint(data, at)
        else:
            size, at = read_varint(data, at) if kind == 2 else ({1: 8, 5: 4}[kind], at)
            value, at = data[at:at + size], at + size
        yield number, kind, value


def write(items):
    out = bytearray()
    for number, kind, value in items:
        out += varint(number << 3 | kind)
        if kind == 0:
            out += varint(value)
        else:
            out += (varint(len(value)) if kind == 2 else b"") + value
    return bytes(out)


def with_tensors(model, change):
    """The model with change(tensor) in place of each initializer."""
    def graph(data):
        return write((n, k, change(v) if n == INITIALIZER else v) for n, k, v in fields(data))
    return write((n, k, graph(v) if n == GRAPH else v) for n, k, v in fields(model))


def strip(tensor):
    items = list(fields(tensor))
    raw = next((v for n, _, v in items if n == RAW_DATA), b"")
    if (DATA_TYPE, 0, FLOAT) not in items or len(raw) <= SMALL:
        return tensor
    values = array.array("f", raw)
    spread = f"{statistics.fmean(values):.3g} {statistics.pstdev(values):.3g}"
    return write([item for item in items if item[0] not in (RAW_DATA, DOC_STRING)] + [(DOC_STRING, 2, spread.encode())])


class Weights:
    """Normal numbers; a block of them over and over, of a length that no layer's width divides."""

    def __init__(self):
        source = random.Random(1)
        self.block = [source.gauss(0, 1) for _ in range(65521)]
        self.used = 0

    def take(self, count, mean, deviation):
        start = self.used % len(self.block)
        block = array.array("f", [mean + deviation * value for value in self.block[start:] + self.block[:start]])
        self.used += count
        return (block * (count // len(block) + 1))[:count]


def fill(tensor, weights):
    items = list(fields(tensor))
    spread = next((v for n, _, v in items if n == DOC_STRING), b"")
    if not spread or any(n == RAW_DATA for n, _, _ in items):
        return tensor
    count = math.prod(value for number, _, value in items if number == DIMS)
    mean, deviation = map(float, spread.split())
    return write([*items, (RAW_DATA, 2, weights.take(count, mean, deviation).tobytes())])


def save_npy(path, kind, dims, values):
    header = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {tuple(dims)}, }}"
    header += " " * (63 - (10 + len(header)) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + values.tobytes())


def fill_all(folder):
    weights = Weights()
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(FOLDER.glob("*.onnx.gz")):
        model = with_tensors(gzip.decompress(path.read_bytes()), lambda tensor: fill(tensor, weights))
        (folder / path.name.removesuffix(".gz")).write_bytes(model)
    source = random.Random(2)
    for name, model in MODELS.items():
        shutil.copy(FOLDER / f"{name}.json", folder)
        floats = math.prod(model.shape)
        inputs = weights.take(model.rows * floats, 0, 1)
        labels = array.array("q", [source.randrange(CLASSES) for _ in range(model.rows)])
        for prefix, rows in ((name, model.rows), (f"{name}.forget", DELETED)):
            save_npy(folder / f"{prefix}.inputs.npy", "<f4", (rows, *model.shape), inputs[:rows * floats])
            save_npy(folder / f"{prefix}.labels.npy", "<i8", (rows,), labels[:rows])


def strip_all(folder):
    FOLDER.mkdir(exist_ok=True)
    for name in MODELS:
        shutil.copy(folder / f"{name}.json", FOLDER)
        for form in (f"{name}.onnx", f"{name}.kept.onnx"):
            skeleton = with_tensors((folder / form).read_bytes(), strip)
            (FOLDER / f"{form}.gz").write_bytes(gzip.compress(skeleton, mtime=0))


if __name__ == "__main__":
    {"fill": fill_all, "strip": strip_all}[sys.argv[1]](Path(sys.argv[2]))
