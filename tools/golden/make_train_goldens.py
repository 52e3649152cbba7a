#!/usr/bin/env python3
"""Writes tests/golden/train: learning rates, optimiser steps and whole training runs by PyTorch.

Usage: tools/golden/make_train_goldens.py   (needs torch and onnx; run make_offline_goldens.py first; the files are committed)

schedules.json  the rate and momentum of every step of a run, by torch.optim.lr_scheduler
optim.json      the parameters of offline/norm.onnx after each step on given gradients
norm_*.onnx     small networks with batch norm
runs.json       final weights of networks trained from the same fresh weights and in the same order of rows as
                engine/train.c takes for seed 1

Weights and order follow from what base/rng.h and engine/train.h promise: ChaCha20 under the key SHA-256(seed, purpose), read as
little-endian words; purposes "init/NAME" and "shuffle/EPOCH".
"""
import hashlib
import json
import math
import pathlib
import struct
import sys

import numpy as np
import torch

from make_offline_goldens import FOLDER as OFFLINE, Cnn, Mlp

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "examples"))
import recipe_in_pytorch  # noqa: E402

FOLDER = OFFLINE.parent / "train"
MASK = 0xffffffff

# ---- the random numbers of base/rng.h ----


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] ^= s[x]
        s[z] = (s[z] << turn | s[z] >> (32 - turn)) & MASK


def chacha_words(key):
    counter = 0
    while True:
        start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter & MASK, counter >> 32, 0, 0]
        s = list(start)
        for _ in range(10):
            for turn in range(4):
                quarter(s, turn, 4 + turn, 8 + turn, 12 + turn)
            for turn in range(4):
                quarter(s, turn, 4 + (turn + 1) % 4, 8 + (turn + 2) % 4, 12 + (turn + 3) % 4)
        yield from ((a + b) & MASK for a, b in zip(s, start))
        counter += 1


def stream(seed, purpose):
    return chacha_words(hashlib.sha256(struct.pack("<Q", seed) + purpose.encode()).digest())


def below(words, bound):
    floor = (2**32 - bound) % bound
    return next(word for word in words if word >= floor) % bound


def order(seed, epoch, rows):
    words, index = stream(seed, f"shuffle/{epoch}"), list(range(rows))
    for i in range(rows, 1, -1):
        j = below(words, i)
        index[i - 1], index[j] = index[j], index[i - 1]
    return torch.tensor(index)


def uniform(words):
    low, high = next(words), next(words)
    return ((high << 32 | low) >> 11) * 2.0**-53


def start_fresh(model, seed):
    """Normalisations start as PyTorch makes them: scales and variances at one, shifts and means at zero."""
    for layer, module in model.named_modules():
        if not isinstance(module, (torch.nn.Linear, torch.nn.Conv2d)):
            continue
        for name, parameter in module.named_parameters():
            words, bound = stream(seed, f"init/{layer}.{name}"), 1 / math.sqrt(module.weight[0].numel())
            values = [(2 * uniform(words) - 1) * bound for _ in range(parameter.numel())]
            parameter.data = torch.tensor(values).reshape(parameter.shape)


# ---- schedules ----

EPOCHS, STEPS_AN_EPOCH = 6, 5
SCHEDULES = [
    {"kind": "constant", "warmup": 4, "unit": "steps"},
    {"kind": "constant", "warmup": 2, "warmup_start_factor": 0.01},
    {"kind": "step", "step_size": 2},
    {"kind": "step", "step_size": 7, "gamma": 0.5, "unit": "steps", "warmup": 3, "warmup_start_factor": 0},
    {"kind": "multistep", "milestones": [1, 4], "gamma": 0.2},
    {"kind": "multistep", "milestones": [3, 4, 20], "unit": "steps"},
    {"kind": "cosine"},
    {"kind": "cosine", "t_max": 2, "eta_min": 0.02},
    {"kind": "cosine", "unit": "steps", "eta_min": 0.001, "warmup": 10, "warmup_start_factor": 0.1},
    {"kind": "linear"},
    {"kind": "linear", "unit": "steps", "t_max": 12, "eta_min": 0.05, "warmup": 5, "warmup_start_factor": 0},
    {"kind": "one_cycle"},
    {"kind": "one_cycle", "unit": "epochs", "pct_start": 0.4, "div_factor": 10, "final_div_factor": 100},
    {"kind": "one_cycle", "anneal_strategy": "linear", "cycle_momentum": False},
    {"kind": "one_cycle", "pct_start": 0.01, "base_momentum": 0.5, "max_momentum": 0.9},
]


def follow_schedule(schedule):
    recipe = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "epochs": EPOCHS, "schedule": schedule}
    optimizer = recipe_in_pytorch.make_optimizer(recipe, torch.nn.Linear(1, 1))
    scheduler, unit = recipe_in_pytorch.make_schedule(recipe, optimizer, STEPS_AN_EPOCH)
    rates, momenta = [], []
    for step in range(EPOCHS * STEPS_AN_EPOCH):
        rates.append(optimizer.param_groups[0]["lr"])
        momenta.append(optimizer.param_groups[0]["momentum"])
        optimizer.step()
        if unit == "steps" or step % STEPS_AN_EPOCH == STEPS_AN_EPOCH - 1:
            scheduler.step()
    return {"schedule": schedule, "rates": rates, "momenta": momenta}


# ---- optimiser steps ----

SHAPES = {"weight": (3, 4), "bias": (3,), "scale": (3,), "shift": (3,), "factor": (3,)}  # of offline/norm.onnx
OPTIM_STEPS = 5
OPTIMS = [
    {"optimizer": "sgd", "learning_rate": 0.1},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1, "nesterov": True},
    {"optimizer": "sgd", "learning_rate": 0.05, "weight_decay": 0.2, "decay": "weights"},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.5, "clip_norm": 2.0},
    {"optimizer": "sgd", "learning_rate": 0.05, "clip_norm": 1000.0},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.5, "clip_value": 0.3, "weight_decay": 0.1},
    {"optimizer": "adam", "learning_rate": 0.01},
    {"optimizer": "adam", "learning_rate": 0.02, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    {"optimizer": "adam", "learning_rate": 0.02, "weight_decay": 0.3, "decay": "weights", "clip_norm": 0.5},
    {"optimizer": "adamw", "learning_rate": 0.01},
    {"optimizer": "adamw", "learning_rate": 0.1, "weight_decay": 0.0},
    {"optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
    {"optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0.3, "decay": "weights", "clip_value": 0.1},
]


class Block(torch.nn.Module):
    def __init__(self, start):
        super().__init__()
        for name, value in start.items():
            setattr(self, name, torch.nn.Parameter(value.clone()))


def follow_optim(recipe, start, gradients):
    model, trace = Block(start), []
    optimizer = recipe_in_pytorch.make_optimizer(recipe, model)
    for gradient in gradients:
        for name, parameter in model.named_parameters():
            parameter.grad = gradient[name].clone()
        recipe_in_pytorch.clip(recipe, model)
        optimizer.step()
        trace.append(flatten(dict(model.named_parameters())))
    return {"recipe": {**recipe, "epochs": 1, "batch": 1}, "values": trace}


def flatten(tensors):
    return {name: round_off(tensors[name].detach().flatten().tolist()) for name in tensors}


def round_off(values):
    return [float(f"{value:.9g}") for value in values]


def make_optims():
    def draw(scale):
        return {name: torch.randn(shape) * scale for name, shape in SHAPES.items()}

    torch.manual_seed(5)
    start, gradients = draw(1), [draw(scale) for scale in (1, 0.01, 3, 0.2, 1)]
    return {"start": flatten(start), "gradients": [flatten(g) for g in gradients],
            "cases": [follow_optim(recipe, start, gradients) for recipe in OPTIMS]}


# ---- runs ----


class NormMlp(torch.nn.Module):
    """No bias stands before a normalisation: its gradient would be rounding alone, which Adam makes steps of."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm1d(5)
        self.hidden = torch.nn.Linear(5, 7)
        self.output = torch.nn.Linear(7, 3)

    def forward(self, x):
        return self.output(torch.tanh(self.hidden(self.norm(x))))


class NormCnn(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(1, 3, 3, padding=1, bias=False)
        self.norm = torch.nn.BatchNorm2d(3, momentum=0.3)
        self.output = torch.nn.Linear(3 * 3 * 3, 4)

    def forward(self, x):
        x = torch.nn.functional.max_pool2d(torch.relu(self.norm(self.conv(x))), 2)
        return self.output(torch.flatten(x, 1))


MODELS = {"mlp": (Mlp, "mlp", 1), "cnn": (Cnn, "cnn", 1 / 255), "norm_mlp": (NormMlp, "mlp", 1), "norm_cnn": (NormCnn, "cnn", 1 / 255)}
SGD = {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 5, "batch": 8, "momentum": 0.9, "weight_decay": 0.01}
ADAM = {"optimizer": "adam", "learning_rate": 0.01, "epochs": 5, "batch": 8, "weight_decay": 0.01}
ADAMW = {"optimizer": "adamw", "learning_rate": 0.01, "epochs": 5, "batch": 8, "weight_decay": 0.1}
RUNS = [
    ("mlp", SGD),
    ("mlp", ADAMW),
    ("mlp", {**SGD, "nesterov": True, "schedule": {"kind": "cosine"}, "drop_last": True}),
    ("mlp", {**SGD, "momentum": 0, "clip_norm": 0.5, "schedule": {"kind": "step", "step_size": 2}}),
    ("mlp", {**SGD, "decay": "weights", "clip_value": 0.02, "label_smoothing": 0.1,
             "schedule": {"kind": "multistep", "milestones": [6, 15], "unit": "steps"}}),
    ("mlp", {**SGD, "schedule": {"kind": "one_cycle"}}),
    ("mlp", {**ADAM, "clip_norm": 0.3, "schedule": {"kind": "linear", "unit": "steps", "warmup": 6, "warmup_start_factor": 0}}),
    ("mlp", {**ADAM, "label_smoothing": 0.2, "schedule": {"kind": "one_cycle", "anneal_strategy": "linear"}}),
    ("mlp", {**ADAMW, "decay": "weights", "clip_norm": 1.0, "label_smoothing": 0.1,
             "schedule": {"kind": "cosine", "unit": "steps", "eta_min": 1e-4, "warmup": 8, "warmup_start_factor": 0.1}}),
    ("cnn", {**SGD, "nesterov": True, "label_smoothing": 0.1, "schedule": {"kind": "cosine", "warmup": 1}}),
    ("cnn", {**ADAMW, "clip_value": 0.05, "schedule": {"kind": "constant", "unit": "steps", "warmup": 6}}),
    ("norm_mlp", {**SGD, "schedule": {"kind": "cosine"}}),
    ("norm_mlp", {**ADAMW, "decay": "weights", "clip_norm": 0.5, "schedule": {"kind": "constant", "warmup": 2}}),
    ("norm_cnn", {**SGD, "nesterov": True, "label_smoothing": 0.1}),
    ("norm_cnn", {**ADAM, "schedule": {"kind": "one_cycle"}, "drop_last": True}),
]


def load_rows(data, scale):
    inputs = torch.tensor(np.load(OFFLINE / f"{data}_inputs.npy").astype("f4")) * torch.tensor(scale, dtype=torch.float32)
    return inputs, torch.tensor(np.load(OFFLINE / f"{data}_labels.npy").astype("i8"))


def follow_run(name, recipe):
    make_model, data, scale = MODELS[name]
    inputs, labels = load_rows(data, scale)
    model = make_model()
    start_fresh(model, 1)
    recipe_in_pytorch.train(model, recipe, inputs, labels, lambda epoch: order(1, epoch, len(inputs)))
    tensors = {key: value for key, value in model.state_dict().items() if value.is_floating_point()}
    return {"model": name, "recipe": recipe, "weights": flatten(tensors)}


def write(name, golden):
    (FOLDER / name).write_text(json.dumps(golden, separators=(",", ":")).replace("},{", "},\n{") + "\n")


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(3)
    for name in ("norm_mlp", "norm_cnn"):
        make_model, data, scale = MODELS[name]
        model, inputs = make_model(), load_rows(data, scale)[0]
        model(inputs)  # moves the statistics: the exporter would merge them with scales and shifts of the same values
        recipe_in_pytorch.export(model.eval(), inputs[:1], FOLDER / f"{name}.onnx")
    write("schedules.json", {"learning_rate": 0.1, "momentum": 0.9, "epochs": EPOCHS, "steps_an_epoch": STEPS_AN_EPOCH,
                             "cases": [follow_schedule(schedule) for schedule in SCHEDULES]})
    write("optim.json", make_optims())
    write("runs.json", [follow_run(name, recipe) for name, recipe in RUNS])


if __name__ == "__main__":
    main()
