#!/usr/bin/env python3
"""Turns cps_wages_1985.csv into inputs.npy, labels.npy and rows.csv, beside this script.

Usage: ./prepare.py   (needs numpy; the results are committed, so nothing that uses the example needs it)

The task: name a worker's occupation from the other columns. One row is one person.

No person sets the scale of a column: centres and widths are round public constants that follow from what a column means
(see SCALES), not statistics of these rows. Deleting any row leaves every other row's numbers as they are.
"""
import csv
import hashlib
import pathlib

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
HELD_OUT = 134
OCCUPATIONS = ["clerical", "management", "other", "professional", "sales", "service"]
RACES = ["hispanic", "other", "white"]
SECTORS = ["construction", "manufacturing", "other"]

# column: (centre, width)
SCALES = {
    "education": (12, 4),     # years: high school ends at 12, college at 16
    "experience": (20, 10),   # years, in decades around 20
    "age": (40, 10),          # years, in decades around the middle of a working life
}
MINIMUM_WAGE = 3.35           # dollars an hour, federal, 1981 to 1990
FLAGS = ["south", "union", "married"]   # 0 or 1, coded as in the file


def one_hot(value, names):
    return [float(value == name) for name in names]


def features(row):
    numbers = [(float(row[name]) - centre) / width for name, (centre, width) in SCALES.items()]
    wage = np.log2(float(row["wage"]) / MINIMUM_WAGE)     # doublings of the minimum wage
    flags = [float(row[name]) for name in FLAGS] + [float(row["gender"] == "female")]
    return numbers + [wage] + flags + one_hot(row["race"], RACES) + one_hot(row["sector"], SECTORS)


def held_out(names):
    """The people whose hashed names sort first: a draw that any tool can repeat."""
    ordered = sorted(names, key=lambda name: hashlib.sha256(f"cps-wages-1985/{name}".encode()).digest())
    return set(ordered[:HELD_OUT])


def main():
    with open(HERE / "cps_wages_1985.csv", newline="") as f:
        people = list(csv.DictReader(f))
    names = [f"w{i:04d}" for i in range(1, len(people) + 1)]
    unseen = held_out(names)
    np.save(HERE / "inputs.npy", np.array([features(row) for row in people], dtype="<f4"))
    np.save(HERE / "labels.npy", np.array([OCCUPATIONS.index(row["occupation"]) for row in people], dtype="<i8"))
    with open(HERE / "rows.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["sample_id", "subject", "split"])
        for name in names:
            out.writerow([name, f"worker:{name}", "heldout" if name in unseen else "train"])


if __name__ == "__main__":
    main()
