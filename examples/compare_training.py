#!/usr/bin/env python3
"""Trains an example's model by the same recipes with PyTorch and with `expunge train`, over seeds, and compares the accuracies.

Usage: compare_training.py {digits,mnist-writers} FOLDER [--seeds N] [--epochs N] [--expunge PROGRAM]

FOLDER holds inputs.npy, labels.npy and rows.csv (examples/digits itself; what examples/mnist-writers/prepare.py made). Needs
torch. Both sides train on the rows of the split `train` with one thread and are measured on the others. Initial weights and the
order of rows come from each side's own random numbers, so single seeds differ; means must not, beyond their standard error.
"""
import argparse
import csv
import json
import math
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from torch import nn

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import recipe_in_pytorch  # noqa: E402

RECIPES = {
    "sgd, momentum, cosine": {
        "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4, "batch": 64,
        "drop_last": True, "schedule": {"kind": "cosine"}},
    "adamw, warm-up, clipping": {
        "optimizer": "adamw", "learning_rate": 0.004, "weight_decay": 0.05, "decay": "weights", "clip_norm": 1.0,
        "label_smoothing": 0.05, "batch": 64, "drop_last": True,
        "schedule": {"kind": "cosine", "unit": "steps", "warmup": 30, "warmup_start_factor": 0.0}},
}


def block(inputs, outputs, kernel, stride, norm):
    """With batch norm, without a bias, which the norm would take away again."""
    conv = nn.Conv2d(inputs, outputs, kernel, stride=stride, padding=kernel // 2, bias=not norm)
    return [conv, nn.BatchNorm2d(outputs), nn.ReLU()] if norm else [conv, nn.ReLU()]


def make_digits(norm):
    return nn.Sequential(*block(1, 8, 3, 1, norm), *block(8, 16, 3, 1, norm), nn.MaxPool2d(2), nn.Flatten(),
                         nn.Linear(16 * 4 * 4, 10))


def make_writers(norm):
    return nn.Sequential(*block(1, 8, 5, 2, norm), *block(8, 16, 5, 2, norm), nn.Flatten(), nn.Linear(16 * 7 * 7, 10))


DATA = {"digits": (make_digits, 1.0, 20), "mnist-writers": (make_writers, 1 / 255, 6)}


class Rows:
    def __init__(self, folder, work, scale):
        inputs, labels = np.load(folder / "inputs.npy"), np.load(folder / "labels.npy")
        with open(folder / "rows.csv", newline="") as f:
            train = np.array([row["split"] == "train" for row in csv.DictReader(f)])
        self.scale = scale
        self.parts = {"train": (inputs[train], labels[train]), "test": (inputs[~train], labels[~train])}
        for name, (x, y) in self.parts.items():
            np.save(work / f"{name}_inputs.npy", x)
            np.save(work / f"{name}_labels.npy", y)

    def tensors(self, part):
        x, y = self.parts[part]
        return torch.tensor(x).float() * self.scale, torch.tensor(y.astype("i8"))


def train_pytorch(make_model, recipe, seed, rows):
    start = time.monotonic()
    model = recipe_in_pytorch.fit(make_model, recipe, seed, *rows.tensors("train"))
    return recipe_in_pytorch.accuracy(model, *rows.tensors("test")), time.monotonic() - start


def call(*command):
    return json.loads(subprocess.run([*map(str, command), "--json"], check=True, capture_output=True).stdout)


def train_expunge(program, work, seed, scale):
    def data(part):
        return ["--inputs", work / f"{part}_inputs.npy", "--labels", work / f"{part}_labels.npy", "--scale", repr(scale)]

    trained = call(program, "train", work / "model.onnx", *data("train"), "--recipe", work / "recipe.json", "--seed", seed,
                   "--out", work / "trained.onnx")
    return call(program, "onnx", "score", work / "trained.onnx", *data("test"))["accuracy"], trained["seconds"]


def export(make_model, rows, path):
    """Statistics are moved first: the exporter would merge fresh ones with scales and shifts of the same values."""
    model, inputs = make_model(), rows.tensors("train")[0][:64]
    model(inputs)
    recipe_in_pytorch.export(model.eval(), inputs[:1], path)


def show(name, runs):
    accuracies = [100 * accuracy for accuracy, _ in runs]
    mean, spread = statistics.mean(accuracies), statistics.stdev(accuracies)
    print(f"  {name:8} {mean:6.2f} % ± {spread:.2f}   {min(accuracies):.2f} … {max(accuracies):.2f}   "
          f"{statistics.median(seconds for _, seconds in runs):5.1f} s a run", flush=True)
    return mean, spread / math.sqrt(len(runs))


def compare(title, make_model, recipe, arguments, rows, work):
    print(f"{title}, {recipe['epochs']} epochs, {arguments.seeds} seeds: mean ± spread of the accuracy on rows held out")
    seeds = range(1, arguments.seeds + 1)
    torch.manual_seed(0)
    export(make_model, rows, work / "model.onnx")
    (work / "recipe.json").write_text(json.dumps(recipe))
    theirs = show("PyTorch", [train_pytorch(make_model, recipe, seed, rows) for seed in seeds])
    ours = show("expunge", [train_expunge(arguments.expunge, work, seed, rows.scale) for seed in seeds])
    error = math.hypot(theirs[1], ours[1])
    print(f"  difference {ours[0] - theirs[0]:+.2f} points, {abs(ours[0] - theirs[0]) / error if error else 0:.1f} standard errors\n",
          flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("example", choices=DATA)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--expunge", default="expunge")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    make_model, scale, epochs = DATA[arguments.example]
    with tempfile.TemporaryDirectory() as folder:
        rows = Rows(arguments.folder, pathlib.Path(folder), scale)
        for norm in (False, True):
            for name, recipe in RECIPES.items():
                compare(f"{arguments.example}, {name}, {'with' if norm else 'without'} batch norm", lambda: make_model(norm),
                        {**recipe, "epochs": arguments.epochs or epochs, "seed": 1}, arguments, rows, pathlib.Path(folder))


if __name__ == "__main__":
    main()
