#!/usr/bin/env python3
"""Turns digits.csv.gz into inputs.npy, labels.npy and rows.csv, beside this script.

Usage: ./prepare.py   (needs numpy; the results are committed, so nothing that uses the example needs it)

The task: read a handwritten digit of 8x8 pixels. Who wrote which digit is not recorded, so each row is a subject of its own.
Pixels are divided by 16, the largest value that the format allows: no row sets the scale of another.
"""
import csv
import gzip
import hashlib
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
HELD_OUT = 397
WHITE = 16


def held_out(names):
    """The rows whose hashed names sort first: a draw that any tool can repeat."""
    ordered = sorted(names, key=lambda name: hashlib.sha256(f"digits/{name}".encode()).digest())
    return set(ordered[:HELD_OUT])


def main():
    with gzip.open(HERE / "digits.csv.gz", "rt") as f:
        table = np.loadtxt(f, delimiter=",")
    names = [f"d{i:04d}" for i in range(1, len(table) + 1)]
    unseen = held_out(names)
    np.save(HERE / "inputs.npy", (table[:, :64] / WHITE).astype("<f4").reshape(-1, 1, 8, 8))
    np.save(HERE / "labels.npy", table[:, 64].astype("<i8"))
    with open(HERE / "rows.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["sample_id", "subject", "split"])
        for name in names:
            out.writerow([name, f"sample:{name}", "heldout" if name in unseen else "train"])


if __name__ == "__main__":
    main()
