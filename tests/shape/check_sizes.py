#!/usr/bin/env python3
"""Files stay under 800 lines, functions under 100 and lines under 121 columns; names say something: check_sizes.py ROOT.

A function may be longer by an entry in LONG, with its reason.
"""
import re
import sys
from pathlib import Path

LONG = {}
FOLDERS = ["base", "engine", "storage", "proof", "dataset", "audit", "model", "unlearn", "verify", "erasure", "workers", "api",
           "daemon", "cli", "tests", "bench"]
EMPTY_NAMES = re.compile(r"^(utils?|common|helpers?|misc)\.(c|h|py)$")


def columns(line):
    width = 0
    for c in line:
        width += 8 - width % 8 if c == "\t" else 1
    return width


def functions(lines):
    """Kernel style: a function's body opens with { in column 0 and closes with } in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line.startswith("{"):
            start = number
        elif line.startswith("}") and start:
            yield start, number - start
            start = None


def check(root, path):
    name = path.relative_to(root)
    lines = path.read_text().splitlines()
    if EMPTY_NAMES.match(path.name):
        yield f"{name}: a file's name says what is in it"
    if len(lines) > 800:
        yield f"{name}: {len(lines)} lines, at most 800"
    for number, line in enumerate(lines, 1):
        if columns(line) > 120:
            yield f"{name}:{number}: {columns(line)} columns, at most 120"
    for start, length in functions(lines):
        if length > 100 and f"{name}:{lines[start - 2]}" not in LONG:
            yield f"{name}:{start}: a function of {length} lines, at most 100"


def main():
    root = Path(sys.argv[1]).resolve()
    problems = []
    for folder in FOLDERS:
        for path in sorted((root / folder).rglob("*.[ch]")):
            problems += check(root, path)
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
