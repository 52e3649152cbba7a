#!/usr/bin/env python3
"""Compiles files into a program: embed.py OUT.c HEADER ARRAY FILE...

HEADER declares the struct (name, bytes, size) under the name `struct embedded_file`, ARRAY[] and ARRAY_count.
"""
import sys
from pathlib import Path


def main():
    out, header, array, *files = sys.argv[1:]
    text = [f'/* Made by tools/embed.py. */\n#include "{header}"\n']
    for number, file in enumerate(files):
        data = Path(file).read_bytes()
        text.append(f"static const unsigned char file_{number}[] = {{")
        text += ["".join(f"{byte}," for byte in data[i:i + 32]) for i in range(0, len(data), 32)]
        text.append("0};\n")
    text.append(f"const struct embedded_file {array}[] = {{")
    text += [f'{{ "{Path(file).name}", file_{n}, sizeof(file_{n}) - 1 }},' for n, file in enumerate(files)]
    text.append(f"}};\nconst size_t {array}_count = {len(files)};")
    Path(out).write_text("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
