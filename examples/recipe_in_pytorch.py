"""Trains a PyTorch model by an example's recipe.json and exports it to ONNX: what each export_model.py stands on.

The recipe means here what it means to `expunge train`: PyTorch's default initialisation, a new shuffle every epoch, rows
that do not fill a batch left out when drop_last says so, the mean cross-entropy of a batch, and torch.optim's own
optimisers and schedules. Only the random numbers differ.
"""
import argparse
import csv
import json

import numpy as np
import torch
from torch.optim import lr_scheduler


def load_rows(folder, scale=1.0):
    inputs = torch.tensor(np.load(folder / "inputs.npy")).float() * scale
    labels = torch.tensor(np.load(folder / "labels.npy"))
    with open(folder / "rows.csv", newline="") as f:
        train = torch.tensor([row["split"] == "train" for row in csv.DictReader(f)])
    return inputs, labels, train


def make_groups(recipe, model, decay):
    """Of the parameters: with decay "weights", biases and the scales and shifts of normalisations have none."""
    parameters = list(model.parameters())
    if recipe.get("decay", "all") == "all":
        return [{"params": parameters, "weight_decay": decay}]
    return [{"params": [p for p in parameters if p.ndim >= 2], "weight_decay": decay},
            {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0}]


def make_optimizer(recipe, model):
    name, rate = recipe["optimizer"], recipe["learning_rate"]
    groups = make_groups(recipe, model, recipe.get("weight_decay", 0.01 if name == "adamw" else 0))
    if name == "sgd":
        return torch.optim.SGD(groups, lr=rate, momentum=recipe.get("momentum", 0), nesterov=recipe.get("nesterov", False))
    betas = recipe.get("beta1", 0.9), recipe.get("beta2", 0.999)
    kind = torch.optim.AdamW if name == "adamw" else torch.optim.Adam
    return kind(groups, lr=rate, betas=betas, eps=recipe.get("epsilon", 1e-8))


def make_curve(schedule, rate, optimizer, rest):
    """The schedule without its warm-up; rest: the units of the run that are left for it."""
    kind, t_max, eta_min = schedule["kind"], schedule.get("t_max", max(rest, 1)), schedule.get("eta_min", 0)
    if kind == "step":
        return lr_scheduler.StepLR(optimizer, schedule["step_size"], schedule.get("gamma", 0.1))
    if kind == "multistep":
        return lr_scheduler.MultiStepLR(optimizer, schedule["milestones"], schedule.get("gamma", 0.1))
    if kind == "cosine":
        return lr_scheduler.CosineAnnealingLR(optimizer, t_max, eta_min)
    if kind == "linear":
        return lr_scheduler.LinearLR(optimizer, 1, eta_min / rate, t_max)
    return lr_scheduler.LambdaLR(optimizer, lambda t: 1)


def make_schedule(recipe, optimizer, steps_an_epoch):
    """A scheduler and its unit: its step() is due after each epoch or each step."""
    schedule, rate = recipe.get("schedule", {"kind": "constant"}), recipe["learning_rate"]
    unit = schedule.get("unit", "steps" if schedule["kind"] == "one_cycle" else "epochs")
    total = recipe["epochs"] * (steps_an_epoch if unit == "steps" else 1)
    if schedule["kind"] == "one_cycle":
        rest = {key: value for key, value in schedule.items() if key not in ("kind", "unit")}
        return lr_scheduler.OneCycleLR(optimizer, rate, total, **rest), unit
    warmup, start = schedule.get("warmup", 0), schedule.get("warmup_start_factor", 1 / 3)
    if not warmup:
        return make_curve(schedule, rate, optimizer, total), unit
    rise = lr_scheduler.LambdaLR(optimizer, lambda t: start + (1 - start) * min(t, warmup) / warmup)
    curve = make_curve(schedule, rate, optimizer, total - warmup)
    return lr_scheduler.SequentialLR(optimizer, [rise, curve], [warmup]), unit


def clip(recipe, model):
    if "clip_norm" in recipe:
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe["clip_norm"])
    if "clip_value" in recipe:
        torch.nn.utils.clip_grad_value_(model.parameters(), recipe["clip_value"])


def train(model, recipe, inputs, labels, order):
    """order(epoch): the rows of an epoch, shuffled."""
    batch, rows = recipe["batch"], len(inputs)
    used = rows - rows % batch if recipe.get("drop_last") and rows > batch else rows
    optimizer = make_optimizer(recipe, model)
    schedule, unit = make_schedule(recipe, optimizer, -(-used // batch))
    loss = torch.nn.CrossEntropyLoss(label_smoothing=recipe.get("label_smoothing", 0))
    model.train()
    for epoch in range(recipe["epochs"]):
        for picked in order(epoch)[:used].split(batch):
            optimizer.zero_grad()
            loss(model(inputs[picked]), labels[picked]).backward()
            clip(recipe, model)
            optimizer.step()
            if unit == "steps":
                schedule.step()
        if unit == "epochs":
            schedule.step()
    return model.eval()


def fit(make_model, recipe, seed, inputs, labels):
    torch.manual_seed(seed)
    return train(make_model(), recipe, inputs, labels, lambda epoch: torch.randperm(len(inputs)))


def accuracy(model, inputs, labels):
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def export(model, example, path):
    """Batch norm stays a node of its own, with its statistics: PRESERVE keeps the exporter from folding it away."""
    torch.onnx.export(model, example, path, opset_version=13, input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}},
                      training=torch.onnx.TrainingMode.PRESERVE, do_constant_folding=False)


def run(make_model, description, folder, scale=1.0):
    """The command line of an export_model.py: folder holds the prepared rows and recipe.json and receives model.onnx."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--measure", type=int, metavar="SEEDS",
                        help="train with the seeds 1 to SEEDS, print accuracies and export nothing")
    measure = parser.parse_args().measure
    recipe = json.loads((folder / "recipe.json").read_text())
    inputs, labels, train_rows = load_rows(folder, scale)
    for seed in range(1, measure + 1) if measure else [recipe["seed"]]:
        model = fit(make_model, recipe, seed, inputs[train_rows], labels[train_rows])
        print(f"seed {seed}: train {accuracy(model, inputs[train_rows], labels[train_rows]):.4f}, "
              f"held out {accuracy(model, inputs[~train_rows], labels[~train_rows]):.4f}")
    if not measure:
        export(model, inputs[:1], folder / "model.onnx")
