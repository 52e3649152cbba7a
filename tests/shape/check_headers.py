#!/usr/bin/env python3
"""Every header compiles alone, has an include guard FOLDER_NAME_H and opens with a comment: check_headers.py ROOT BUILD CC."""
import json
import re
import subprocess
import sys
from pathlib import Path


def flags(root, build):
    """The compiler's arguments for each folder, as its own sources are compiled."""
    wanted = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        source = (build / entry["file"]).resolve()
        if source.parent.parent == root:
            arguments = [a for a in entry["command"].split() if a.startswith(("-I", "-D", "-std", "-W"))]
            wanted.setdefault(source.parent.name, arguments)
    return wanted


def check(root, build, compiler, header, arguments):
    text = header.read_text()
    guard = f"{header.parent.name}_{header.stem}_H".upper()
    if not text.lstrip().startswith("/*"):
        yield f"{header.relative_to(root)}: does not open with a comment"
    if f"#ifndef {guard}" not in text:
        yield f"{header.relative_to(root)}: include guard must be {guard}"
    run = subprocess.run([compiler, *arguments, "-x", "c", "-fsyntax-only", "-"], cwd=build, capture_output=True, text=True,
                         input=f'#include "{header.parent.name}/{header.name}"\n')
    if run.returncode:
        yield f"{header.relative_to(root)} does not compile alone:\n{run.stderr}"


def main():
    root, build, compiler = Path(sys.argv[1]).resolve(), Path(sys.argv[2]).resolve(), sys.argv[3]
    table = [line.split()[1] for line in (root / "tests/shape/layers.txt").read_text().splitlines() if re.match(r"\d", line)]
    arguments = flags(root, build)
    problems = []
    for folder in table:
        for header in sorted((root / folder).glob("*.h")):
            problems += check(root, build, compiler, header, arguments.get(folder, [f"-I{root}", "-D_GNU_SOURCE"]))
    print("\n".join(problems))
    sys.exit(1 if problems else 0)


if __name__ == "__main__":
    main()
