#!/usr/bin/env python3
"""Writes tests/golden/npy: arrays as NumPy itself saves them, for the reader in engine/npy.c.

Usage: tools/golden/make_npy_goldens.py   (needs numpy; the files are committed, so tests need nothing)
"""
import pathlib

import numpy as np
from numpy.lib import format as npy_format

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "tests" / "golden" / "npy"


def save(name, array, version=None):
    with open(FOLDER / f"{name}.npy", "wb") as f:
        npy_format.write_array(f, array, version=version)


def main():
    FOLDER.mkdir(parents=True, exist_ok=True)
    counting = np.arange(6).reshape(2, 3)
    for code in ("f4", "f8", "u1", "i1", "i2", "i4", "i8"):
        save(code, counting.astype("<" + code))
    for major in (1, 2, 3):
        save(f"version{major}", counting.astype("<f4"), version=(major, 0))
    save("scalar", np.array(7, dtype="<f4"))
    save("vector", np.array([0, 1, 2, -1], dtype="<i8"))
    save("empty", np.zeros((0, 3), dtype="<f4"))
    save("images", np.arange(2 * 1 * 2 * 2, dtype="|u1").reshape(2, 1, 2, 2) * 30)
    save("nan_row1", np.array([[0, 1], [2, np.nan], [np.inf, 0]], dtype="<f4"))
    save("beyond_f4", np.array([[0.0], [1e300]], dtype="<f8"))
    save("refused_fortran", np.asfortranarray(counting.astype("<f4")))
    save("refused_big_endian", counting.astype(">f4"))
    save("refused_bool", counting.astype("|b1"))
    save("refused_complex", counting.astype("<c8"))
    save("refused_unsigned", counting.astype("<u4"))
    save("refused_struct", np.zeros(2, dtype=[("a", "<f4"), ("b", "<i4")]))
    save("refused_text", np.array(["a", "bc"]))
    save("refused_nine_dims", np.zeros((1,) * 9, dtype="<f4"))


if __name__ == "__main__":
    main()
