#!/usr/bin/env python3
"""Turns a folder with MNIST digits and their writers into inputs.npy, labels.npy, rows.csv and recipe.json.

Usage: ./prepare.py DATA OUT   (needs numpy)

DATA holds images.npy.gz (uint8 [N, 28, 28]) and meta.csv.gz with the columns label and writer, one line an image. OUT is made.
A subject is a writer. Whole writers are held out, so nobody stands on both sides. Pixels stay uint8: use them with the scale
1/255 (`--scale` of the offline commands, `scale` of a dataset).
"""
import argparse
import csv
import gzip
import hashlib
import pathlib
import shutil

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
HELD_OUT_WRITERS = 60


def held_out(writers):
    """The writers whose hashed numbers sort first: a draw that any tool can repeat."""
    ordered = sorted(set(writers), key=lambda writer: hashlib.sha256(f"mnist-writers/{writer}".encode()).digest())
    return set(ordered[:HELD_OUT_WRITERS])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=pathlib.Path)
    parser.add_argument("out", type=pathlib.Path)
    arguments = parser.parse_args()
    with gzip.open(arguments.data / "images.npy.gz") as f:
        images = np.load(f)
    with gzip.open(arguments.data / "meta.csv.gz", "rt", newline="") as f:
        meta = list(csv.DictReader(f))
    unseen = held_out(row["writer"] for row in meta)
    arguments.out.mkdir(parents=True, exist_ok=True)
    np.save(arguments.out / "inputs.npy", np.ascontiguousarray(images.reshape(-1, 1, 28, 28)))
    np.save(arguments.out / "labels.npy", np.array([int(row["label"]) for row in meta], dtype="<i8"))
    with open(arguments.out / "rows.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["sample_id", "subject", "split"])
        for i, row in enumerate(meta):
            out.writerow([f"m{i:05d}", f"writer:{row['writer']}", "heldout" if row["writer"] in unseen else "train"])
    shutil.copyfile(HERE / "recipe.json", arguments.out / "recipe.json")


if __name__ == "__main__":
    main()
