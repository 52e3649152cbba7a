#!/usr/bin/env python3
"""What documents say exists: check_docs.py ROOT EXPUNGED EXPUNGE EXPUNGE_VERIFY.

- expunge.1 has every command with every option that its --help shows; expunge-verify.1 and expunged.8 likewise
- expunge.conf.5 has every setting with its default; packaging/expunge.conf is what expunged --print-config prints
- docs/operate.md has every role, and every field of a policy
- docs/audit.md has every type of leaf; docs/verification.md or README.md every verdict and outcome
- every repository path and make target that a document names is there, and every relative link leads somewhere
"""
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(sys.argv[1])
EXPUNGED, EXPUNGE, EXPUNGE_VERIFY = sys.argv[2:5]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("migrations/*.md"), *ROOT.glob("examples/**/*.md")]
# Folders of the data folder and of the build, not of the repository.
ELSEWHERE = ("datasets/", "models/", "log/", "uploads/", "scores/", "tile/", "build/")
FOLDERS = {path.name for path in ROOT.iterdir() if path.is_dir()}
COMMON = {"--server", "--token-file", "--json", "--help"}

problems = []


def read(path):
    return (ROOT / path).read_text()


def need(found, what):
    if not found:
        problems.append(what)


def run(*arguments):
    return subprocess.run(arguments, capture_output=True, text=True, check=True).stdout


def plain(mdoc):
    """An mdoc page with its flags as they are typed."""
    return re.sub(r"\bFl (-\S+)", r"-\1", mdoc)


def options_of(help_text):
    return set(re.findall(r"^ {2}(--[a-z-]+)", help_text, re.M))


def check_commands():
    sections = read("docs/man/expunge.1").split(".It Xo\n.Cm ")[1:]
    by_name = {section.split("\n", 1)[0]: plain(section) for section in sections}
    commands = re.findall(r"^  ([a-z]+(?: [a-z]+)?)(?:  +|\n +)\S", run(EXPUNGE, "--help"), re.M)
    rows = re.findall(r"^X\(cmd_", read("cli/commands.def"), re.M)
    need(len(commands) == len(rows), f"expunge --help lists {len(commands)} commands, cli/commands.def {len(rows)}")
    for command in commands:
        section = by_name.get(command)
        need(section, f"docs/man/expunge.1: the command {command} is missing")
        for option in sorted(options_of(run(EXPUNGE, *command.split(), "--help")) - COMMON):
            need(section and option in section, f"docs/man/expunge.1: {command}: {option} is missing")


def check_programs():
    verify = plain(read("docs/man/expunge-verify.1"))
    for option in options_of(run(EXPUNGE_VERIFY, "--help")):
        need(option in verify, f"docs/man/expunge-verify.1: {option} is missing")
    flags = set(re.findall(r'^\t\{ "(--[a-z-]+)"', read("daemon/config.c"), re.M)) | {"--config"}
    daemon = plain(read("docs/man/expunged.8"))
    for flag in flags:
        need(flag in daemon, f"docs/man/expunged.8: {flag} is missing")


def check_settings():
    printed = run(EXPUNGED, "--print-config")
    page = read("docs/man/expunge.conf.5")
    need(printed == read("packaging/expunge.conf"), "packaging/expunge.conf is not what expunged --print-config prints")
    for key, value in re.findall(r"^([a-z-]+) = (.*)$", printed, re.M):
        row = f".It Ic {key} = Ar {value}\n" if value else f".It Ic {key}\n"
        need(row in page, f"docs/man/expunge.conf.5: {key} with its default \"{value}\" is missing")


def check_words():
    readme, operate = read("README.md"), read("docs/operate.md")
    for role in re.findall(r'"(\w+)"\)$', read("storage/role.def"), re.M):
        need(f"`{role}`" in operate, f"docs/operate.md: the role {role} is missing")
    policy = re.search(r"fields\[\] = \{(.*?)\n\};", read("erasure/policy.c"), re.S).group(1)
    for field in re.findall(r'"(\w+)"', policy):
        need(f"`{field}`" in operate, f"docs/operate.md: the field {field} of a policy is missing")
    for leaf in re.findall(r'^LEAF_TYPE\(\w+,\s+"([\w.]+)"\)', read("proof/leaf.def"), re.M):
        need(f"`{leaf}`" in read("docs/audit.md"), f"docs/audit.md: the leaf {leaf} is missing")
    for verdict in re.findall(r'^X\(\w+,\s+"([\w/]+)"', read("storage/verdict.def"), re.M):
        need(f"`{verdict}`" in readme, f"README.md: the verdict {verdict} is missing")


def check_paths(document):
    text = document.read_text()
    name = document.relative_to(ROOT)
    outside = re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
    for link in re.findall(r"\]\(([^)#]+)\)", outside):
        if not link.startswith("http"):
            need((document.parent / link).exists(), f"{name}: the link {link} leads nowhere")
    for path in re.findall(r"`([\w.-]+/[\w./*-]*)`", outside):
        known = path.split("/", 1)[0] in FOLDERS and not path.startswith(ELSEWHERE) and not re.search(r"[A-Z]{4}", path)
        if known:
            need(any(ROOT.glob(path.rstrip("/") + "*")), f"{name}: there is no {path}")
    targets = set(re.findall(r"^([a-z-]+):", read("Makefile"), re.M))
    for target in re.findall(r"(?:^|`|=\d )make ([a-z-]+)", text, re.M):
        need(target in targets, f"{name}: there is no make {target}")


check_commands()
check_programs()
check_settings()
check_words()
for document in DOCUMENTS:
    check_paths(document)
for problem in problems:
    print(problem)
sys.exit(1 if problems else 0)
