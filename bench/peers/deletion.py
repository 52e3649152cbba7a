#!/usr/bin/python3
"""One deletion as a process of its own: weights and stored importance in, weights out. deletion.py MODEL FOLDER ROWS ALPHA NORM."""
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

import models
from peers import dampening


def main():
    name, folder, count, alpha, norm = sys.argv[1:]
    folder, count = Path(folder), int(count)
    model = models.load(name, folder, norm == "folded")
    inputs, labels = models.rows(name, folder)
    everything = torch.load(folder / f"{name}.importance.pt")
    dampening.delete(model, everything, inputs[:count], labels[:count], float(alpha))
    torch.save(model.state_dict(), folder / f"{name}.forgot.pt")


if __name__ == "__main__":
    main()
