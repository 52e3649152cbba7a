#!/usr/bin/env python3
"""Writes tests/golden/offline/mlp_trained_*.safetensors: the small network of make_offline_goldens.py, trained with PyTorch from
the same fresh weights and in the same order of rows as engine/train.c takes for seed 1.

Usage: tools/golden/make_train_goldens.py   (needs torch; run make_offline_goldens.py first; the files are committed)

Weights and order follow from what base/rng.h and engine/train.h promise: ChaCha20 under the key SHA-256(seed, purpose), read as
little-endian words; purposes "init/NAME" and "shuffle/EPOCH".
"""
import hashlib
import json
import math
import struct

import numpy as np
import torch

from make_offline_goldens import FOLDER, Mlp, save_tensors

RECIPES = {
    "adamw": {"optimizer": "adamw", "learning_rate": 0.01, "epochs": 5, "batch": 8, "weight_decay": 0.1},
    "sgd": {"optimizer": "sgd", "learning_rate": 0.05, "epochs": 5, "batch": 8, "momentum": 0.9, "weight_decay": 0.01},
}
MASK = 0xffffffff


def quarter(s, a, b, c, d):
    for x, y, z, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
        s[x] = (s[x] + s[y]) & MASK
        s[z] ^= s[x]
        s[z] = (s[z] << turn | s[z] >> (32 - turn)) & MASK


def chacha_words(key):
    counter = 0
    while True:
        start = [*struct.unpack("<4I", b"expand 32-byte k"), *struct.unpack("<8I", key), counter & MASK, counter >> 32, 0, 0]
        s = list(start)
        for _ in range(10):
            for turn in range(4):
                quarter(s, turn, 4 + turn, 8 + turn, 12 + turn)
            for turn in range(4):
                quarter(s, turn, 4 + (turn + 1) % 4, 8 + (turn + 2) % 4, 12 + (turn + 3) % 4)
        yield from ((a + b) & MASK for a, b in zip(s, start))
        counter += 1


def stream(seed, purpose):
    return chacha_words(hashlib.sha256(struct.pack("<Q", seed) + purpose.encode()).digest())


def below(words, bound):
    floor = (2**32 - bound) % bound
    return next(word for word in words if word >= floor) % bound


def order(seed, epoch, rows):
    words, index = stream(seed, f"shuffle/{epoch}"), list(range(rows))
    for i in range(rows, 1, -1):
        j = below(words, i)
        index[i - 1], index[j] = index[j], index[i - 1]
    return index


def uniform(words):
    low, high = next(words), next(words)
    return ((high << 32 | low) >> 11) * 2.0**-53


def start_fresh(model, seed):
    fan_in = {}
    for name, parameter in model.named_parameters():
        layer = name.rsplit(".", 1)[0]
        fan_in.setdefault(layer, parameter[0].numel())
        words, bound = stream(seed, f"init/{name}"), 1 / math.sqrt(fan_in[layer])
        values = [(2 * uniform(words) - 1) * bound for _ in range(parameter.numel())]
        parameter.data = torch.tensor(values).reshape(parameter.shape)


def make_optimizer(recipe, model):
    rate, decay = recipe["learning_rate"], recipe["weight_decay"]
    if recipe["optimizer"] == "sgd":
        return torch.optim.SGD(model.parameters(), lr=rate, momentum=recipe["momentum"], weight_decay=decay)
    return torch.optim.AdamW(model.parameters(), lr=rate, weight_decay=decay)


def train(model, recipe, seed, inputs, labels):
    start_fresh(model, seed)
    optimizer = make_optimizer(recipe, model)
    for epoch in range(recipe["epochs"]):
        for rows in torch.tensor(order(seed, epoch, len(inputs))).split(recipe["batch"]):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(inputs[rows]), labels[rows]).backward()
            optimizer.step()


def main():
    inputs = torch.tensor(np.load(FOLDER / "mlp_inputs.npy"))
    labels = torch.tensor(np.load(FOLDER / "mlp_labels.npy").astype("i8"))
    for name, recipe in RECIPES.items():
        model = Mlp()
        train(model, recipe, 1, inputs, labels)
        tensors = {key: value.detach() for key, value in model.named_parameters()}
        save_tensors(FOLDER / f"mlp_trained_{name}.safetensors", tensors, {"recipe": json.dumps(recipe)})


if __name__ == "__main__":
    main()
