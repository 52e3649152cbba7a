#!/usr/bin/env python3
"""Trains the digit model with PyTorch by recipe.json and exports it to model.onnx, beside this script.

Usage: ./export_model.py [--measure SEEDS]   (needs numpy and torch; model.onnx is committed)
"""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import recipe_in_pytorch  # noqa: E402


class Digits(torch.nn.Module):
    """Images [1, 8, 8], two convolutions, ten digits."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 8, 3, padding=1)
        self.conv2 = torch.nn.Conv2d(8, 16, 3, padding=1)
        self.output = torch.nn.Linear(16 * 4 * 4, 10)

    def forward(self, x):
        x = torch.relu(self.conv1(x))
        x = torch.nn.functional.max_pool2d(torch.relu(self.conv2(x)), 2)
        return self.output(torch.flatten(x, 1))


if __name__ == "__main__":
    recipe_in_pytorch.run(Digits, __doc__.splitlines()[0], HERE)
