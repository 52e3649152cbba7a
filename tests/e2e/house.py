"""A whole house for a test: a data folder, expunged on a free port, expunge as its client, and people that do not exist.

Standard library only. Everything lies in one temporary folder that is removed at the end; the daemon is ended by its
process id.
"""
import contextlib
import json
import os
import random
import re
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

import onnx_writer

CANARY = "Zebraquartz"          # in every identity: it must turn up nowhere
FEATURES, CLASSES, TRAIN, HELDOUT = 4, 3, 75, 45
RECIPE = {"optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.9, "epochs": 300, "batch": 16, "seed": 1}
POLICY = {"retrain_first_below_s": 0, "exact_within_s": 0, "evidence_window_s": 0, "rounds": 4, "folds": 5,
          "fidelity_models": 2, "pseudo_subjects": 45, "neighbours": 2, "sweep_points": 6,
          "retained_margin": 1, "loss_margin": 100, "heldout_margin": 1, "class_margin": 1, "guard_margin": 1,
          "fidelity_accuracy_margin": 1, "fidelity_loss_ratio": 100, "fidelity_heldout_z": 100}
# Approximate attempts are published without a verdict, so that exact work stays owed and a retrain job follows.
OWING = POLICY | {"fidelity_heldout_z": 0, "publish_inconclusive": True}
DEADLINE = 90


def npy(path, kind, shape, data):
    head = f"{{'descr': '{kind}', 'fortran_order': False, 'shape': {shape!r}, }}"
    head += " " * ((64 - (len(head) + 11) % 64) % 64) + "\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) + head.encode() + data)


def person(i):
    return f"email:{CANARY}.{i:03d}@example.org"


class People:
    """Three noisy classes. Persons 0 to 69 have one training row each, person 70 has five, the rest are held out; person
    200 and 201 have held-out rows only, like all of 200 to 244."""

    def __init__(self, folder):
        rng = random.Random(5)
        self.folder = folder
        owners = [(i, "train") for i in range(70)] + [(70, "train")] * 5 + [(200 + i, "heldout") for i in range(HELDOUT)]
        self.labels = [rng.randrange(CLASSES) for _ in owners]
        self.rows = [[rng.gauss(1.2 if f == y else 0, 1) for f in range(FEATURES)] for y in self.labels]
        self.write(folder / "all", self.rows, self.labels)
        self.write(folder / "train", self.rows[:TRAIN], self.labels[:TRAIN])
        lines = [f"row-{n},{person(i)},{split}" for n, (i, split) in enumerate(owners)]
        (folder / "rows.csv").write_text("\n".join(["sample_id,subject,split", *lines]) + "\n")
        (folder / "recipe.json").write_text(json.dumps(RECIPE))

    @staticmethod
    def write(stem, rows, labels):
        flat = [x for row in rows for x in row]
        npy(Path(f"{stem}_inputs.npy"), "<f4", (len(rows), len(rows[0])), struct.pack(f"<{len(flat)}f", *flat))
        npy(Path(f"{stem}_labels.npy"), "<i8", (len(labels),), struct.pack(f"<{len(labels)}q", *labels))


class LeftOut(Exception):
    """The test cannot be made on this machine."""


class Refused(Exception):
    """expunge ended with a status that is not 0."""

    def __init__(self, run):
        super().__init__(f"status {run.returncode}: {run.stderr.strip()}")
        self.status, self.error = run.returncode, run.stderr


class House:
    def __init__(self, expunged, expunge):
        self.programs = Path(expunged).resolve(), Path(expunge).resolve()
        self.folder = Path(tempfile.mkdtemp(prefix="expunge-e2e."))
        self.data, self.log = self.folder / "data", self.folder / "log"
        self.people = People(self.folder)
        self.daemon, self.printed = None, []
        out = self.run([self.programs[0], "--data", self.data, "--init"])
        self.vkey = re.search(r"log key\s+(\S+)", out).group(1)

    def close(self):
        if self.daemon and self.daemon.poll() is None:
            self.daemon.kill()
            self.daemon.wait()
        shutil.rmtree(self.folder)

    # --- programs ---------------------------------------------------------------------------------------------------

    def run(self, command, stdin=""):
        run = subprocess.run([str(c) for c in command], input=stdin, capture_output=True, text=True, timeout=120,
                             env=os.environ | getattr(self, "env", {}))
        self.printed.append(run.stdout + run.stderr)
        if run.returncode:
            raise Refused(run)
        return run.stdout

    def expunge(self, *arguments, stdin=""):
        return self.run([self.programs[1], *arguments], stdin)

    def ask(self, *arguments, stdin=""):
        return json.loads(self.expunge(*arguments, "--json", stdin=stdin))

    def start(self, failpoint=None, settings=(), wrapper=()):
        """Starts expunged; wrapper: a command line that starts it in its place."""
        stream = open(self.log, "ab")
        start = self.log.stat().st_size
        environment = os.environ | ({"EXPUNGE_FAILPOINT": failpoint} if failpoint else {})
        self.daemon = subprocess.Popen([*wrapper, self.programs[0], "--data", self.data, "--port", "0", "--lease", "3",
                                        "--checkpoint-interval", "50", *settings],
                                       stdout=stream, stderr=stream, env=environment)
        stream.close()

        def ready():
            found = re.search(r"event=ready url=(\S+)", self.log.read_text()[start:])
            assert found or self.daemon.poll() is None, "expunged ended:\n" + self.log.read_text()[start:]
            return found and found.group(1)

        self.url = until(ready, "the daemon is ready")
        self.env = {"EXPUNGE_SERVER": self.url, "EXPUNGE_TOKEN_FILE": str(self.data / "admin.token")}

    def stop(self):
        self.daemon.send_signal(signal.SIGTERM)
        assert self.daemon.wait(30) == 0, "SIGTERM ends with status 0"

    def wait_for_death(self):
        assert self.daemon.wait(DEADLINE) == -signal.SIGKILL, "the failpoint kills the daemon"

    # --- HTTP -------------------------------------------------------------------------------------------------------

    def http(self, method, path, body=None, headers=(), token=None):
        """Status and parsed body; body may be bytes."""
        token = (self.data / "admin.token").read_text().strip() if token is None else token
        data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, method=method, headers={
            "Authorization": f"Bearer {token}", "Content-Type": "application/json", **dict(headers)})
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=60) as answer:
                status, text = answer.status, answer.read()
        except urllib.error.HTTPError as answer:
            status, text = answer.code, answer.read()
        self.printed.append(text.decode(errors="replace"))
        return status, json.loads(text) if text[:1] in (b"{", b"[") else text

    # --- things that many tests need --------------------------------------------------------------------------------

    def register_dataset(self, name="people"):
        f = self.folder
        return self.ask("dataset", "register", name, "--inputs", f / "all_inputs.npy", "--labels", f / "all_labels.npy",
                        "--rows", f / "rows.csv")

    def train(self):
        """A model that was trained by the recipe, in a file."""
        fresh, trained = self.folder / "fresh.onnx", self.folder / "model.onnx"
        fresh.write_bytes(onnx_writer.mlp((FEATURES, 16, CLASSES)))
        self.expunge("train", fresh, "--inputs", self.folder / "train_inputs.npy", "--labels",
                     self.folder / "train_labels.npy", "--recipe", self.folder / "recipe.json", "--out", trained)
        return trained

    def register_model(self, *options, policy=POLICY, name="classes"):
        (self.folder / "policy.json").write_text(json.dumps(policy))
        return self.ask("model", "register", name, "--dataset", "people", "--onnx", self.train(), "--recipe",
                        self.folder / "recipe.json", "--policy", self.folder / "policy.json", *options)

    def furnish(self, **more):
        self.register_dataset()
        return self.register_model("--wait", **more)

    def submit(self, who, *options):
        return self.ask("request", "submit", "--identity-file", "-", *options, stdin=person(who) + "\n")

    def request(self, request):
        return self.ask("request", "show", request)

    def finish(self, request):
        """Waits for the end; the daemon may be restarted meanwhile."""
        def over():
            now = self.request(request)
            assert now["status"] not in ("failed", "rejected"), now
            return now["status"] == "completed" and now
        try:
            return until(over, f"request {request} completes")
        except AssertionError as e:
            raise AssertionError(f"{e}\n{self.expunge('job', 'list')}{self.request(request)}") from e

    def verify_receipt(self, request, who):
        path = self.folder / f"{request}.tlog-proof"
        self.expunge("request", "receipt", request, "--out", path, "--wait")
        identity = self.folder / "identity"
        identity.write_text(person(who) + "\n")
        self.expunge("audit", "verify", path, "--key", self.vkey, "--identity", f"@{identity}")
        return path

    def verify_log(self):
        """A whole copy, checked offline; returns its leaves. A copy that is taken while the daemon signs holds tiles of a
        checkpoint that is not there yet: then it is taken again."""
        copy = self.folder / "log-copy"

        def holds():
            shutil.rmtree(copy, ignore_errors=True)
            try:
                shutil.copytree(self.data / "log", copy)
                self.expunge("audit", "verify", copy, "--key", self.vkey)
            except (Refused, shutil.Error) as e:
                self.doubt = e
                return False
            return True
        try:
            until(holds, "a copy of the log verifies")
        except AssertionError:
            raise self.doubt
        return list(leaves(copy))


def leaves(log):
    """The entries of a log folder's data tiles: C2SP tlog-tiles, 16-bit big-endian lengths. Of a tile that is not full yet
    the longest partial one counts."""
    best = {}
    for path in (log / "tile" / "entries").rglob("*"):
        if path.is_file():
            partial = path.parent.name.endswith(".p")
            tile, size = (path.parent, int(path.name)) if partial else (path, 256)
            name = str(tile.relative_to(log)).removesuffix(".p")
            best[name] = max(best.get(name, (0, path)), (size, path))
    for name in sorted(best):
        data = best[name][1].read_bytes()
        while data:
            size = int.from_bytes(data[:2], "big")
            yield json.loads(data[2:2 + size])
            data = data[2 + size:]


def until(condition, what):
    """Polls; the deadline only ends a test that would otherwise hang."""
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"in vain: {what}")


@contextlib.contextmanager
def refused(status, *words):
    """The command inside ends with the status and says all the words."""
    try:
        yield
    except Refused as e:
        assert e.status == status, f"status {e.status}, {status} was due: {e.error}"
        for word in words:
            assert word in e.error, f"{word!r} is not in: {e.error}"
    else:
        raise AssertionError(f"was not refused (status {status} was due)")


def main(*tests):
    """Runs each test in a house of its own: PROGRAM EXPUNGED EXPUNGE [NAME…]. Prints TAP."""
    expunged, expunge, *names = sys.argv[1:]
    tests = [t for t in tests if not names or t.__name__ in names]
    failed = 0
    print(f"1..{len(tests)}")
    for number, test in enumerate(tests, 1):
        house = House(expunged, expunge)
        try:
            test(house)
            print(f"ok {number} - {test.__name__}", flush=True)
        except LeftOut as e:
            print(f"ok {number} - {test.__name__} # SKIP {e}", flush=True)
        except Exception:
            failed += 1
            print(f"not ok {number} - {test.__name__}", flush=True)
            for line in traceback.format_exc().splitlines() + house.log.read_text().splitlines()[-15:]:
                print("#", line)
        finally:
            house.close()
    sys.exit(1 if failed else 0)
