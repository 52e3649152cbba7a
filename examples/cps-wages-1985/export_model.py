#!/usr/bin/env python3
"""Trains the occupation model with PyTorch by recipe.json and exports it to model.onnx, beside this script.

Usage: ./export_model.py [--measure SEEDS]   (needs numpy and torch; model.onnx is committed)
"""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import recipe_in_pytorch  # noqa: E402


class Occupation(torch.nn.Module):
    """14 features, two hidden layers, six occupations."""

    def __init__(self):
        super().__init__()
        self.hidden1 = torch.nn.Linear(14, 128)
        self.hidden2 = torch.nn.Linear(128, 128)
        self.output = torch.nn.Linear(128, 6)

    def forward(self, x):
        return self.output(torch.relu(self.hidden2(torch.relu(self.hidden1(x)))))


if __name__ == "__main__":
    recipe_in_pytorch.run(Occupation, __doc__.splitlines()[0], HERE)
