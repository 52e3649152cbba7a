#!/usr/bin/env python3
"""Writes tests/golden/optim.json: steps of PyTorch's SGD and AdamW on given gradients, for engine/optim.c.

Usage: tools/golden/make_optim_goldens.py   (needs torch; the file is committed, so tests need nothing)
"""
import json
import pathlib

import torch

PATH = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "optim.json"
STEPS, COUNT = 7, 5

CASES = [
    {"optimizer": "sgd", "learning_rate": 0.1},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9},
    {"optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9, "weight_decay": 0.1},
    {"optimizer": "adamw", "learning_rate": 0.01},
    {"optimizer": "adamw", "learning_rate": 0.1, "weight_decay": 0.0},
    {"optimizer": "adamw", "learning_rate": 0.02, "weight_decay": 0.3, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-3},
]


def make_optimizer(case, parameter):
    rate = case["learning_rate"]
    if case["optimizer"] == "sgd":
        return torch.optim.SGD([parameter], lr=rate, momentum=case.get("momentum", 0), weight_decay=case.get("weight_decay", 0))
    return torch.optim.AdamW([parameter], lr=rate, weight_decay=case.get("weight_decay", 0.01),
                             betas=(case.get("beta1", 0.9), case.get("beta2", 0.999)), eps=case.get("epsilon", 1e-8))


def run(case, start, gradients):
    parameter = torch.nn.Parameter(start.clone())
    optimizer = make_optimizer(case, parameter)
    trace = []
    for gradient in gradients:
        parameter.grad = gradient.clone()
        optimizer.step()
        trace.append(parameter.detach().tolist())
    return trace


def main():
    torch.manual_seed(5)
    start = torch.randn(COUNT)
    gradients = torch.randn(STEPS, COUNT) * torch.tensor([1.0, 10.0, 0.1, 1e-4, 0.0])
    cases = [{"recipe": {**case, "epochs": 1, "batch": 1}, "values": run(case, start, gradients)} for case in CASES]
    golden = {"start": start.tolist(), "gradients": gradients.tolist(), "cases": cases}
    PATH.write_text(json.dumps(golden, indent=1) + "\n")


if __name__ == "__main__":
    main()
