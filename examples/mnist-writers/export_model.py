#!/usr/bin/env python3
"""Trains the digit model of mnist-writers with PyTorch by OUT/recipe.json and exports it to OUT/model.onnx.

Usage: ./export_model.py OUT [--measure SEEDS]   (needs numpy and torch; OUT is what prepare.py made)
"""
import pathlib
import sys

import torch

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))
import recipe_in_pytorch  # noqa: E402


class WritersDigits(torch.nn.Module):
    """Images [1, 28, 28], two convolutions of stride 2, ten digits."""

    def __init__(self):
        super().__init__()
        self.conv1 = torch.nn.Conv2d(1, 8, 5, stride=2, padding=2)
        self.conv2 = torch.nn.Conv2d(8, 16, 5, stride=2, padding=2)
        self.output = torch.nn.Linear(16 * 7 * 7, 10)

    def forward(self, x):
        x = torch.relu(self.conv2(torch.relu(self.conv1(x))))
        return self.output(torch.flatten(x, 1))


if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1].startswith("-"):
        sys.exit(__doc__)
    recipe_in_pytorch.run(WritersDigits, __doc__.splitlines()[0], pathlib.Path(sys.argv.pop(1)), scale=1 / 255)
