#!/usr/bin/env python3
"""What is wrong is refused with a precise error, and nothing has changed: errors.py EXPUNGED EXPUNGE."""
import json
import os
import struct
import subprocess

import onnx_writer
from house import CLASSES, FEATURES, RECIPE, LeftOut, main, npy, person, refused


def picture(h):
    """What the daemon knows, and the files of its data folder that hold something for good."""
    known = [h.http("GET", path)[1] for path in ("/v1/datasets", "/v1/models", "/v1/deletion-requests", "/v1/jobs")]
    files = sorted(str(p.relative_to(h.data)) for part in ("datasets", "models") for p in (h.data / part).rglob("*"))
    return json.dumps(known, sort_keys=True), files


class unchanged:
    def __init__(self, h):
        self.h = h

    def __enter__(self):
        self.before = picture(self.h)

    def __exit__(self, kind, *_):
        if kind is None:
            assert picture(self.h) == self.before, "something has changed"


def problem(answer, status, slug, *words):
    got, body = answer
    assert got == status, (got, body)
    assert body["type"].endswith("/" + slug) and body["status"] == status, body
    text = json.dumps(body)
    for word in words:
        assert word in text, f"{word!r} is not in {text}"


def calls(h):
    h.start(settings=("--body-limit", "64"))
    ok = {"subject": {"identities": [{"type": "email", "value": "a@b.example"}]}}
    post = lambda body, **more: h.http("POST", "/v1/deletion-requests", body, **more)
    with unchanged(h):
        problem(post(ok, token="expunge_admin_0123456789abcdef_" + "0" * 48), 401, "unauthorized")
        problem(post(ok, token="nonsense"), 401, "unauthorized")
        problem(post(b'{"subject": ' + b" " * 70000 + b"}"), 413, "too-large")
        problem(post(b'{"subject": {'), 400, "malformed", "line 1")
        problem(post(b'{"subject": 1, "subject": 2}'), 400, "malformed")
        problem(post(ok | {"sbject": 1}), 422, "invalid-field", "/sbject")
        problem(post({}), 422, "invalid-field", "/subject")
        problem(post({"subject": {"identities": []}}), 422, "invalid-field", "/subject/identities")
        problem(post({"subject": {"identities": [{"type": "e mail", "value": "x"}]}}), 422, "invalid-argument", "/subject/identities/0")
        problem(post(ok | {"regime": "hipaa"}), 422, "invalid-field", "/regime", "gdpr")
        problem(post(ok | {"received_at": "yesterday"}), 422, "invalid-field", "/received_at")
        problem(h.http("GET", "/v1/deletion-requests/42"), 404, "not-found")
        problem(h.http("GET", "/v1/deletion-requests?page_size=0"), 400, "malformed", "page_size")
        assert h.http("DELETE", "/v1/deletion-requests")[0] == 405
        assert h.http("GET", "/v1/nothing")[0] == 404


def models(h):
    """ONNX files: unsupported, truncated, hostile, of other shapes."""
    h.start()
    h.register_dataset()
    good = onnx_writer.mlp((FEATURES, 8, CLASSES))
    files = {
        "operator": (onnx_writer.mlp((FEATURES, 8, CLASSES), activation="NoSuchOperator"), "NoSuchOperator"),
        "truncated": (good[:-40], ""),
        "empty message": (b"\x00" * 40, ""),
        "text": (b"this is no model", ""),
        "nested": (onnx_writer.nested(5000), "deep"),
        "inputs": (onnx_writer.mlp((FEATURES + 1, 8, CLASSES)), "dataset people has 4"),
        "classes": (onnx_writer.mlp((FEATURES, 8, CLASSES - 1)), "classes"),
        "not finite": (good.replace(struct.pack("<f", 0.0), struct.pack("<f", float("nan")), 1), "b0"),
    }
    for name, (data, word) in files.items():
        path = h.folder / "bad.onnx"
        path.write_bytes(data)
        with unchanged(h), refused(3, word):
            h.expunge("model", "register", "bad", "--dataset", "people", "--onnx", path)
        assert h.daemon.poll() is None, f"{name}: the daemon lives"
    for field, value, word in (("epochs", 0, "/recipe/epochs"), ("optimizer", "adam2", "/recipe/optimizer"),
                               ("learningrate", 1, "/recipe/learningrate")):
        (h.folder / "bad.json").write_text(json.dumps(RECIPE | {field: value}))
        with unchanged(h), refused(3, word):
            h.expunge("model", "register", "bad", "--dataset", "people", "--onnx", h.train(), "--recipe", h.folder / "bad.json")
    (h.folder / "bad.json").write_text(json.dumps({"alpha": 0.001, "pseudo_subjects": 2000}))
    with unchanged(h), refused(3, "held-out"):
        h.expunge("model", "register", "bad", "--dataset", "people", "--onnx", h.train(), "--recipe", h.folder / "recipe.json",
                  "--policy", h.folder / "bad.json")
    with unchanged(h), refused(4, "there is no dataset nobody"):
        h.expunge("model", "register", "bad", "--dataset", "nobody", "--onnx", h.train())


def datasets(h):
    h.start()
    rows, labels = h.people.rows, h.people.labels
    good_inputs, good_labels, good_csv = (h.folder / n for n in ("all_inputs.npy", "all_labels.npy", "rows.csv"))
    bad_inputs, bad_labels, bad_csv = (h.folder / n for n in ("bad_inputs.npy", "bad_labels.npy", "bad.csv"))
    flat = [x for row in rows for x in row]

    def register(inputs=good_inputs, labels=good_labels, csv=good_csv, *options):
        h.expunge("dataset", "register", "bad", "--inputs", inputs, "--labels", labels, "--rows", csv, *options)

    def inputs_with(values, shape=(len(rows), FEATURES)):
        npy(bad_inputs, "<f4", shape, struct.pack(f"<{len(values)}f", *values))
        return bad_inputs

    def csv_with(old, new):
        bad_csv.write_text(good_csv.read_text().replace(old, new, 1))
        return bad_csv

    at = 17 * FEATURES + 2
    with unchanged(h), refused(3, "row 17"):
        register(inputs_with(flat[:at] + [float("nan")] + flat[at + 1:]))
    with unchanged(h), refused(3, "119 rows"):
        register(inputs_with(flat[:-FEATURES], (len(rows) - 1, FEATURES)))
    npy(bad_labels, "<i8", (len(labels),), struct.pack(f"<{len(labels)}q", *labels[:30], 7, *labels[31:]))
    with unchanged(h), refused(3, "row 30"):
        register(good_inputs, bad_labels, good_csv, "--classes", CLASSES)
    npy(bad_labels, "<i8", (len(labels),), struct.pack(f"<{len(labels)}q", -1, *labels[1:]))
    with unchanged(h), refused(3, "row 0"):
        register(good_inputs, bad_labels)
    bad_inputs.write_bytes(good_inputs.read_bytes()[:-3])
    with unchanged(h), refused(3, "inputs"):
        register(bad_inputs)
    bad_inputs.write_bytes(b"PK\x03\x04 no npy")
    with unchanged(h), refused(3, "inputs"):
        register(bad_inputs)
    for old, new, word in ((",heldout", ",neither", "line"), (person(200) + ",heldout", person(3) + ",heldout", "line"),
                           ("sample_id,", "sample,", "header"), ("row-5,", "row-5,extra,", "line 7"),
                           ("row-5,", "row-4,", "line")):
        with unchanged(h), refused(3, word):
            register(good_inputs, good_labels, csv_with(old, new))
    with unchanged(h), refused(5, "import"):
        register(good_inputs, good_labels, good_csv, "--import")
    h.register_dataset("bad")
    with unchanged(h), refused(4, "bad"):
        register()


def imports_stay_below_the_root(h):
    root = h.folder / "root"
    root.mkdir()
    for name in ("all_inputs.npy", "all_labels.npy", "rows.csv"):
        (root / name).write_bytes((h.folder / name).read_bytes())
    (root / "way_out.npy").symlink_to(h.folder / "all_inputs.npy")
    h.start(settings=("--import-root", str(root)))
    register = lambda inputs: h.expunge("dataset", "register", "people", "--import", "--inputs", inputs, "--labels",
                                        "all_labels.npy", "--rows", "rows.csv")
    for path in ("../all_inputs.npy", "way_out.npy", "/etc/passwd", "nothing.npy"):
        with unchanged(h), refused(3, "/inputs"):
            register(path)
    register("all_inputs.npy")


def full_disk(h):
    """On a file system of its own that is nearly full: the registration is refused and leaves nothing behind."""
    limit = 64 * 1024
    big = 6000
    npy(h.folder / "all_inputs.npy", "<f4", (big, FEATURES), bytes(4 * FEATURES * big))
    npy(h.folder / "all_labels.npy", "<i8", (big,), bytes(8 * big))
    (h.folder / "rows.csv").write_text("sample_id,subject,split\n" + "".join(f"r{i},,train\n" for i in range(big)))
    root = h.folder / "small"
    root.mkdir()
    if os.geteuid() or subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={limit * 24}", "tmpfs", root],
                                      capture_output=True).returncode:
        raise LeftOut("a small file system cannot be mounted here")
    try:
        full_disk_on(h, root)
    finally:
        if h.daemon and h.daemon.poll() is None:
            h.daemon.kill()
            h.daemon.wait()
        subprocess.run(["umount", root], check=True)


def full_disk_on(h, root):
    h.data = root / "data"
    h.run([h.programs[0], "--data", h.data, "--init"])
    h.start()
    filler = root / "filler"
    with filler.open("wb") as f:
        space = os.statvfs(root)
        f.write(bytes(max(0, space.f_bavail * space.f_frsize - 128 * 1024)))
    with unchanged(h), refused(7, "space"):
        h.register_dataset("large")
    assert h.daemon.poll() is None, "the daemon lives"
    filler.unlink()
    h.register_dataset("large")


main(calls, models, datasets, imports_stay_below_the_root, full_disk)
