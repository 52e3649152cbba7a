"""Trains a PyTorch model by an example's recipe.json and exports it to ONNX: what each export_model.py stands on.

The recipe means here what it means to `expunge train`: PyTorch's default initialisation, a new shuffle every epoch, rows
that do not fill a batch left out when drop_last says so, the mean cross-entropy of a batch. Only the random numbers differ.
"""
import argparse
import csv
import json

import numpy as np
import torch


def load_rows(folder, scale=1.0):
    inputs = torch.tensor(np.load(folder / "inputs.npy")).float() * scale
    labels = torch.tensor(np.load(folder / "labels.npy"))
    with open(folder / "rows.csv", newline="") as f:
        train = torch.tensor([row["split"] == "train" for row in csv.DictReader(f)])
    return inputs, labels, train


def make_optimizer(recipe, model):
    rate, decay = recipe["learning_rate"], recipe["weight_decay"]
    if recipe["optimizer"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=rate, momentum=recipe["momentum"], weight_decay=decay)
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay, betas=(recipe["beta1"], recipe["beta2"]),
                             eps=recipe["epsilon"])


def fit(make_model, recipe, seed, inputs, labels):
    torch.manual_seed(seed)
    model = make_model()
    optimizer = make_optimizer(recipe, model)
    used = len(inputs) - len(inputs) % recipe["batch"] if recipe.get("drop_last") else len(inputs)
    for _ in range(recipe["epochs"]):
        for rows in torch.randperm(len(inputs))[:used].split(recipe["batch"]):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()
    return model.eval()


def accuracy(model, inputs, labels):
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels).float().mean().item()


def export(model, example, path):
    torch.onnx.export(model, example, path, opset_version=13, input_names=["input"], output_names=["logits"],
                      dynamic_axes={"input": {0: "batch"}, "logits": {0: "batch"}})


def run(make_model, description, folder, scale=1.0):
    """The command line of an export_model.py: folder holds the prepared rows and recipe.json and receives model.onnx."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--measure", type=int, metavar="SEEDS",
                        help="train with the seeds 1 to SEEDS, print accuracies and export nothing")
    measure = parser.parse_args().measure
    recipe = json.loads((folder / "recipe.json").read_text())
    inputs, labels, train = load_rows(folder, scale)
    for seed in range(1, measure + 1) if measure else [recipe["seed"]]:
        model = fit(make_model, recipe, seed, inputs[train], labels[train])
        print(f"seed {seed}: train {accuracy(model, inputs[train], labels[train]):.4f}, "
              f"held out {accuracy(model, inputs[~train], labels[~train]):.4f}")
    if not measure:
        export(model, inputs[:1], folder / "model.onnx")
