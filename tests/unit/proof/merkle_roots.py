#!/usr/bin/env python3
"""Prints merkle_roots.inc: roots of RFC 6962 trees over the one-byte entries 00, 01, … for sizes 0 to 8."""
from hashlib import sha256


def root(entries):
    if not entries:
        return sha256(b"").digest()
    if len(entries) == 1:
        return sha256(b"\0" + entries[0]).digest()
    k = 1
    while 2 * k < len(entries):
        k *= 2
    return sha256(b"\1" + root(entries[:k]) + root(entries[k:])).digest()


for size in range(9):
    print(f'"{root([bytes([i]) for i in range(size)]).hex()}",')
