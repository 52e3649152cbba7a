#!/usr/bin/env python3
"""Holds the tree to tests/shape/layers.txt: includes, and with --archives also the symbols that libraries link to.

check_layers.py SOURCE_ROOT                    includes: "folder/file.h" from the root, only downward, own header first
check_layers.py SOURCE_ROOT --archives BUILD   each lib<folder>.a needs only symbols of the libraries its row allows
"""
import re
import subprocess
import sys
from pathlib import Path

INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]', re.M)


def read_table(root):
    rows = {}
    for line in (root / "tests/shape/layers.txt").read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        rank, folder, rest = line.split(None, 2)
        columns = re.split(r"\s{2,}", rest.strip())
        allowed = set() if columns[0] == "-" else set(columns[0].split())
        reserved = set() if columns[1] == "-" else set(columns[1].split())
        rows[folder] = (int(rank), allowed, reserved)
    return rows


def check_table(table):
    for folder, (rank, allowed, _) in table.items():
        for other in allowed:
            if table[other][0] >= rank:
                yield f"layers.txt: {folder} (rank {rank}) may not include {other} (rank {table[other][0]})"


def check_include(path, folder, kind, name, table, generated):
    allowed, reserved = table[folder][1], {h: f for f, row in table.items() for h in row[2]}
    if kind == "<":
        owners = [f for f, row in table.items() if name in row[2]]
        if owners and folder not in owners:
            yield f"{path}: <{name}> belongs to {', '.join(owners)}"
        return
    if name in generated:
        return
    parts = name.split("/")
    if len(parts) != 2 or parts[0] not in table:
        yield f'{path}: "{name}" is not "folder/file.h"'
    elif parts[0] != folder and parts[0] not in allowed:
        yield f"{path}: {folder} may not include {parts[0]} ({name})"
    elif parts[0] != folder and parts[1].endswith("_internal.h"):
        yield f"{path}: {name} is private to {parts[0]}"


def check_source(root, path, folder, table, generated):
    text = path.read_text()
    found = INCLUDE.findall(text)
    for kind, name in found:
        yield from check_include(path.relative_to(root), folder, kind, name, table, generated)
    own = f"{folder}/{path.stem}.h"
    if path.suffix == ".c" and (root / own).exists() and found and found[0][1] != own:
        yield f"{path.relative_to(root)}: must include its own header {own} first"
    if re.search(r"\bassert\s*\(", re.sub(r"/\*.*?\*/|_?[Ss]tatic_assert", "", text, flags=re.S)):
        yield f"{path.relative_to(root)}: plain assert() is banned, see base/check.h"


def check_includes(root, table):
    generated = {"onnx.pb-c.h", "onnx/onnx.pb-c.h"}
    yield from check_table(table)
    for folder in table:
        for path in sorted((root / folder).rglob("*.[ch]")):
            yield from check_source(root, path, folder, table, generated)


def symbols(archive, flag):
    out = subprocess.run(["nm", "-g", flag, "-P", str(archive)], capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in out.splitlines() if line and not line.endswith(":")}


def check_archives(root, build, table):
    archives = {f: p for f in table if (p := build / f / f"lib{f}.a").exists()}
    defined = {f: symbols(p, "--defined-only") for f, p in archives.items()}
    for folder, path in archives.items():
        needs = symbols(path, "--undefined-only") - defined[folder]
        for other, names in defined.items():
            if other != folder and other not in table[folder][1]:
                for name in sorted(needs & names):
                    yield f"lib{folder}.a needs {name} of {other}, which its row does not allow"


def main():
    root = Path(sys.argv[1]).resolve()
    table = read_table(root)
    if "--archives" in sys.argv:
        problems = list(check_archives(root, Path(sys.argv[sys.argv.index("--archives") + 1]), table))
    else:
        problems = list(check_includes(root, table))
    for line in problems:
        print(line)
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
