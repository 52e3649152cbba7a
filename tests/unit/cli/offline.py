#!/usr/bin/env python3
"""The offline commands against PyTorch's numbers and against broken inputs: offline.py EXPUNGE GOLDENS EXAMPLES.

The goldens come from tools/golden/make_offline_goldens.py. Nothing but Python's own library is needed here.
"""
import ast
import csv
import json
import math
import pathlib
import struct
import subprocess
import sys
import tempfile
import time
import unittest

MODELS = ("mlp", "cnn")
EXPUNGE, GOLDEN, EXAMPLES = map(pathlib.Path, sys.argv[1:4])


def run(*arguments):
    return subprocess.run([EXPUNGE, *map(str, arguments)], capture_output=True, text=True, timeout=60)


def load_npy(path):
    raw = path.read_bytes()
    length = struct.unpack_from("<H", raw, 8)[0]
    header = ast.literal_eval(raw[10:10 + length].decode())
    assert header["descr"] == "<f4"
    return header["shape"], struct.unpack(f"<{(len(raw) - 10 - length) // 4}f", raw[10 + length:])


def load_tensors(path):
    raw = path.read_bytes()
    length = struct.unpack_from("<Q", raw)[0]
    header, data = json.loads(raw[8:8 + length]), raw[8 + length:]
    metadata = header.pop("__metadata__")
    tensors = {}
    for name, entry in header.items():
        begin, end = entry["data_offsets"]
        tensors[name] = (tuple(entry["shape"]), struct.unpack(f"<{(end - begin) // 4}f", data[begin:end]))
    return metadata, tensors


def fields(raw):
    """The length-delimited fields of a protobuf message as (number, bytes)."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = raw[at]
            at += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while at < len(raw):
        tag = varint()
        if tag & 7 == 2:
            size = varint()
            yield tag >> 3, raw[at:at + size]
            at += size
        elif tag & 7 == 0:
            varint()
        else:
            at += 8 if tag & 7 == 1 else 4


def load_weights(path):
    """Initializers of an ONNX file: ModelProto.graph 7, GraphProto.initializer 5, TensorProto.name 8, .raw_data 9."""
    weights = {}
    for number, graph in fields(path.read_bytes()):
        for inner, tensor in fields(graph) if number == 7 else []:
            if inner == 5:
                parts = dict(fields(tensor))
                weights[parts[8].decode()] = struct.unpack(f"<{len(parts[9]) // 4}f", parts[9])
    return weights


def write_npy(path, descr, shape, data):
    header = repr({"descr": descr, "fortran_order": False, "shape": shape}).encode()
    header += b" " * (-(len(header) + 11) % 64) + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + data)


class Offline(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.out = pathlib.Path(self.folder.name) / "out"
        self.addCleanup(self.folder.cleanup)

    def assert_close(self, ours, theirs):
        self.assertEqual(len(ours), len(theirs))
        bound = 2e-5 * max(abs(x) for x in theirs)
        self.assertLess(max(abs(a - b) for a, b in zip(ours, theirs)), bound)

    def assert_refused(self, status, says, *arguments):
        done = run(*arguments)
        self.assertEqual(done.returncode, status, done.stderr)
        for text in says:
            self.assertIn(text, done.stderr)
        self.assertEqual(done.stdout, "")
        self.assertFalse(self.out.exists(), "nothing is written on failure")
        return done


class Numbers(Offline):
    def rows(self, model):
        return "--inputs", GOLDEN / f"{model}_inputs.npy"

    def labelled(self, model):
        return *self.rows(model), "--labels", GOLDEN / f"{model}_labels.npy"

    def test_outputs(self):
        for model in MODELS:
            with self.subTest(model):
                done = run("onnx", "run", GOLDEN / f"{model}.onnx", *self.rows(model), "--out", self.out)
                self.assertEqual(done.returncode, 0, done.stderr)
                shape, ours = load_npy(self.out)
                expected_shape, theirs = load_npy(GOLDEN / f"{model}_outputs.npy")
                self.assertEqual(shape, expected_shape)
                self.assert_close(ours, theirs)

    def test_gradients_for_any_batch(self):
        for model in MODELS:
            for reduce in ("sum", "square_sum"):
                for batch in (1, 7, 256):
                    with self.subTest(model=model, reduce=reduce, batch=batch):
                        self.check_gradients(model, reduce, batch)

    def check_gradients(self, model, reduce, batch):
        done = run("onnx", "grad", GOLDEN / f"{model}.onnx", *self.labelled(model), "--reduce", reduce, "--batch", batch,
                   "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        metadata, ours = load_tensors(self.out)
        expected_metadata, theirs = load_tensors(GOLDEN / f"{model}_{reduce}.safetensors")
        self.assertEqual(metadata["rows"], expected_metadata["rows"])
        self.assertEqual(ours.keys(), theirs.keys())
        for name in theirs:
            self.assertEqual(ours[name][0], theirs[name][0])
            self.assert_close(ours[name][1], theirs[name][1])

    def test_scale_of_uint8(self):
        pixels = pathlib.Path(self.folder.name) / "pixels.npy"
        write_npy(pixels, "|u1", (3, 5), bytes(range(0, 255, 17)))
        default, same, other = (self.outputs(pixels, *scale) for scale in ((), ("--scale", repr(1 / 255)), ("--scale", "1")))
        self.assertEqual(default, same)
        self.assertNotEqual(default, other)

    def outputs(self, inputs, *options):
        done = run("onnx", "run", GOLDEN / "mlp.onnx", "--inputs", inputs, "--out", self.out, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return load_npy(self.out)

    def test_input_may_be_named(self):
        done = run("onnx", "run", GOLDEN / "mlp.onnx", "--inputs", f"x={GOLDEN / 'mlp_inputs.npy'}", "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_inspect(self):
        shown = json.loads(run("onnx", "inspect", GOLDEN / "mlp.onnx", "--json").stdout)
        self.assertEqual(shown["input"], {"name": "x", "row_shape": [5]})
        self.assertEqual(shown["output"], {"name": "y", "classes": 3, "positions": 1, "kind": "logits"})
        self.assertEqual(shown["parameter_count"], 5 * 7 + 7 + 7 * 3 + 3)
        self.assertEqual({p["name"]: p["shape"] for p in shown["parameters"]}["hidden.weight"], [7, 5])
        self.assertTrue(shown["accepted"])
        self.assertEqual(shown["unsupported"], [])
        self.assertEqual({o["name"]: o["count"] for o in shown["operators"]}, {"Gemm": 2, "Tanh": 1})
        self.assertGreaterEqual(shown["cost"]["forward_flops_per_row"], 2 * (5 * 7 + 7 * 3))
        text = run("onnx", "inspect", GOLDEN / "mlp.onnx").stdout
        for word in ("Gemm", "Tanh", "hidden.weight"):
            self.assertIn(word, text)

    def test_sequences_have_a_label_at_each_position(self):
        """Scores against the outputs of the same model; -100 is no label."""
        folder, rows, positions, classes = pathlib.Path(self.folder.name), 40, 6, 32
        tokens = [(5 * i * i + i) % classes for i in range(rows * positions)]
        labels = [-100 if i % 7 == 0 else token for i, token in enumerate(tokens[1:] + tokens[:1])]
        for name, numbers in (("x", tokens), ("y", labels)):
            write_npy(folder / f"{name}.npy", "<i8", (rows, positions), struct.pack(f"<{len(numbers)}q", *numbers))
        model = GOLDEN.parent / "engine" / "models" / "gpt.onnx", "--inputs", folder / "x.npy"
        done = run("onnx", "run", *model, "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        shape, outputs = load_npy(self.out)
        self.assertEqual(shape, (rows, positions * classes))
        right, losses = 0, [[] for _ in range(rows)]
        for i, label in enumerate(labels):
            logits = outputs[i * classes:(i + 1) * classes]
            if label != -100:
                right += logits[label] == max(logits)
                losses[i // positions].append(math.log(sum(map(math.exp, logits))) - logits[label])
        shown = json.loads(run("onnx", "score", *model, "--labels", folder / "y.npy", "--json").stdout)
        self.assertAlmostEqual(shown["accuracy"], right / sum(map(len, losses)), places=9)
        self.assertAlmostEqual(shown["mean_loss"], sum(sum(row) / len(row) for row in losses) / rows, places=5)

    def test_what_a_file_leaves_open(self):
        """The dimension of 5 features of mlp.onnx, made one without number and symbol."""
        path, inputs = pathlib.Path(self.folder.name) / "open.onnx", GOLDEN / "mlp_inputs.npy"
        path.write_bytes((GOLDEN / "mlp.onnx").read_bytes().replace(b"\x0a\x02\x08\x05", b"\x0a\x02\x12\x00"))
        run_open = "onnx", "run", path, "--inputs", inputs, "--out", self.out
        self.assert_refused(3, ['"x"', "dimension 1", "--shape x=?"], *run_open)
        self.assert_refused(3, ["--shape 5", "'='"], *run_open, "--shape", "5")
        self.assert_refused(3, ["--shape x=5,"], *run_open, "--shape", "x=5,")
        self.assert_refused(3, ["--size n=0"], *run_open, "--size", "n=0")
        self.assert_refused(3, ["twice", '"x"'], *run_open, "--shape", "x=5", "--shape", "x=5")
        self.assert_refused(3, ["Gemm", "[N, 6]"], *run_open, "--shape", "x=6")
        self.assert_refused(3, ['"absent"'], *run_open, "--shape", "x=5", "--frozen", "absent")
        done = run(*run_open, "--shape", "x=5")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assert_close(load_npy(self.out)[1], load_npy(GOLDEN / "mlp_outputs.npy")[1])

    def test_what_is_frozen_has_no_gradient(self):
        done = run("onnx", "grad", GOLDEN / "mlp.onnx", *self.labelled("mlp"), "--reduce", "sum", "--frozen", "hidden.bias",
                   "--out", self.out)
        self.assertEqual(done.returncode, 0, done.stderr)
        ours, theirs = load_tensors(self.out)[1], load_tensors(GOLDEN / "mlp_sum.safetensors")[1]
        self.assertEqual(theirs.keys() - ours.keys(), {"hidden.bias"})
        for name in ours:
            self.assert_close(ours[name][1], theirs[name][1])
        shown = json.loads(run("onnx", "inspect", GOLDEN / "mlp.onnx", "--frozen", "hidden.bias", "--json").stdout)
        self.assertEqual(shown["options"], {"frozen": ["hidden.bias"]})
        self.assertEqual(shown["parameter_count"], 5 * 7 + 7 * 3 + 3)

    def test_inspect_what_is_refused(self):
        odd = pathlib.Path(self.folder.name) / "odd.onnx"
        odd.write_bytes((GOLDEN / "unsupported.onnx").read_bytes().replace(b"Erf", b"Odd"))
        done = run("onnx", "inspect", odd, "--json")
        self.assertEqual(done.returncode, 3)
        self.assertIn("the_odd_one", json.loads(done.stderr)["detail"])
        shown = json.loads(done.stdout)
        self.assertFalse(shown["accepted"])
        self.assertEqual(shown["unsupported"], [{"operator": "Odd", "node": "the_odd_one"}])
        self.assertIn("Odd", run("onnx", "inspect", odd).stdout)


class Training(Offline):
    RECIPE = {"optimizer": "adamw", "learning_rate": 0.01, "epochs": 60, "batch": 8}

    def command(self, recipe, *options):
        path = pathlib.Path(self.folder.name) / "recipe.json"
        path.write_text(json.dumps(recipe))
        return ["train", GOLDEN / "mlp.onnx", "--inputs", GOLDEN / "mlp_inputs.npy", "--labels", GOLDEN / "mlp_labels.npy",
                "--recipe", path, "--out", self.out, "--json", *options]

    def train(self, recipe, *options):
        return run(*self.command(recipe, *options))

    def result(self, recipe, *options):
        done = self.train(recipe, *options)
        self.assertEqual(done.returncode, 0, done.stderr)
        return json.loads(done.stdout)

    def test_learns(self):
        for recipe in (self.RECIPE, {**self.RECIPE, "optimizer": "sgd", "learning_rate": 0.05, "momentum": 0.9}):
            trained = self.result(recipe)
            self.assertGreater(trained["accuracy"], 0.95)
            self.assertLess(trained["mean_loss"], 0.3)
            self.assertEqual(trained["seed"], 1)

    def test_is_a_function_of_recipe_rows_and_seed(self):
        first = self.result(self.RECIPE)["sha256"]
        self.assertEqual(first, self.result(self.RECIPE)["sha256"])
        self.assertEqual(first, self.result({**self.RECIPE, "seed": 9}, "--seed", "1")["sha256"])
        self.assertNotEqual(first, self.result(self.RECIPE, "--seed", "2")["sha256"])

    def test_the_file_may_be_the_start(self):
        still = {**self.RECIPE, "initialization": "file", "learning_rate": 1e-12, "weight_decay": 0}
        self.result(still)
        self.assertEqual(self.out.read_bytes(), (GOLDEN / "mlp.onnx").read_bytes())

    def test_divergence_is_named(self):
        done = self.train({**self.RECIPE, "optimizer": "sgd", "learning_rate": 1000, "weight_decay": 1000})
        self.assertEqual(done.returncode, 3)
        self.assertIn("diverged in epoch", json.loads(done.stderr)["detail"])
        self.assertFalse(self.out.exists())

    def test_a_killed_run_goes_on_to_the_same_bits(self):
        recipe = {**self.RECIPE, "epochs": 20000, "schedule": {"kind": "cosine", "unit": "steps", "warmup": 50}}
        checkpoint = pathlib.Path(self.folder.name) / "run.safetensors"
        options = "--checkpoint", checkpoint, "--every", 10000
        killed = subprocess.Popen([EXPUNGE, *map(str, self.command(recipe, *options))], stdout=subprocess.DEVNULL,
                                  stderr=subprocess.DEVNULL)
        while not checkpoint.exists():
            self.assertIsNone(killed.poll(), "it ended before its first checkpoint")
            time.sleep(0.001)
        killed.kill()
        killed.wait()
        self.assertTrue(checkpoint.exists())
        resumed = self.result(recipe, *options)["sha256"]
        self.assertFalse(checkpoint.exists())
        self.assertEqual(resumed, self.result(recipe)["sha256"])

    def test_a_checkpoint_of_another_recipe_is_refused(self):
        checkpoint = pathlib.Path(self.folder.name) / "run.safetensors"
        checkpoint.write_bytes(b"not a checkpoint")
        done = self.train(self.RECIPE, "--checkpoint", checkpoint)
        self.assertEqual(done.returncode, 3)
        self.assertIn("is not a training checkpoint", json.loads(done.stderr)["detail"])
        self.assertTrue(checkpoint.exists())

    def test_a_wrong_recipe_names_the_field(self):
        done = self.train({**self.RECIPE, "epochs": 0})
        self.assertEqual(done.returncode, 3)
        self.assertEqual(json.loads(done.stderr)["pointer"], "/epochs")


class Forgetting(Offline):
    ROWS, ALL = 4, 37

    def setUp(self):
        super().setUp()
        folder = pathlib.Path(self.folder.name)
        self.x, self.y, self.importance = folder / "x.npy", folder / "y.npy", GOLDEN / "mlp_square_sum.safetensors"
        write_npy(self.x, "<f4", (self.ROWS, 5), (GOLDEN / "mlp_inputs.npy").read_bytes()[-self.ROWS * 20:])
        write_npy(self.y, "<i4", (self.ROWS,), (GOLDEN / "mlp_labels.npy").read_bytes()[-self.ROWS * 4:])

    def forget(self, *options):
        return run("forget", GOLDEN / "mlp.onnx", "--forget-inputs", self.x, "--forget-labels", self.y, "--importance",
                   self.importance, "--out", self.out, "--json", *options)

    def squares(self):
        path = pathlib.Path(self.folder.name) / "f.safetensors"
        done = run("onnx", "grad", GOLDEN / "mlp.onnx", "--inputs", self.x, "--labels", self.y, "--reduce", "square_sum", "--out",
                   path)
        self.assertEqual(done.returncode, 0, done.stderr)
        return load_tensors(path)[1]

    def test_dampens_by_the_formula(self):
        alpha, strength = 1.5, 0.8
        done = self.forget("--method", "ssd", "--alpha", alpha, "--lambda", strength)
        self.assertEqual(done.returncode, 0, done.stderr)
        some, everything = self.squares(), load_tensors(self.importance)[1]
        before, after, edited = load_weights(GOLDEN / "mlp.onnx"), load_weights(self.out), 0
        for name, weights in before.items():
            for i, weight in enumerate(weights):
                ratio = (some[name][1][i] / self.ROWS) / (everything[name][1][i] / self.ALL)
                edited += ratio > alpha
                expected = weight * min(strength / ratio, 1) if ratio > alpha else weight
                self.assertAlmostEqual(after[name][i], expected, places=5)
        shown = json.loads(done.stdout)
        self.assertEqual(shown["edited"], edited)
        self.assertTrue(0 < edited < shown["parameter_count"])
        self.assertEqual((shown["forget_rows"], shown["importance_rows"]), (self.ROWS, self.ALL))
        self.assertEqual(len(self.out.read_bytes()), len((GOLDEN / "mlp.onnx").read_bytes()))

    def test_above_the_ceiling_nothing_changes(self):
        self.assertEqual(self.forget("--method", "ssd", "--alpha", self.ALL / self.ROWS).returncode, 0)
        self.assertEqual(self.out.read_bytes(), (GOLDEN / "mlp.onnx").read_bytes())

    def test_refusals(self):
        for says, options in (("alpha", ("--method", "ssd")), ("magic", ("--method", "magic", "--alpha", 1)),
                              ("retrain", ("--method", "retrain", "--alpha", 1)), ("retained rows", ("--method", "retrain"))):
            done = self.forget(*options)
            self.assertEqual(done.returncode, 3, done.stdout)
            self.assertIn(says, done.stderr)
            self.assertFalse(self.out.exists())

    def test_an_importance_of_other_rows_or_models(self):
        self.importance = GOLDEN / "cnn_square_sum.safetensors"
        self.assertEqual(self.forget("--method", "ssd", "--alpha", 1).returncode, 3)
        self.importance = GOLDEN / "mlp_sum.safetensors"   # holds negative numbers
        done = self.forget("--method", "ssd", "--alpha", 1)
        self.assertEqual(done.returncode, 3)
        self.assertIn("negative", done.stderr)


class Examples(Offline):
    """What PyTorch printed when export_model.py made the committed models, and the promises of rows.csv."""

    PRINTED = {"cps-wages-1985": (0.9200, 0.4701), "digits": (0.9929, 0.9798)}

    def test_models_score_as_in_pytorch(self):
        for name, (train, held_out) in self.PRINTED.items():
            folder = EXAMPLES / name
            splits = [row["split"] for row in self.rows(folder)]
            done = run("onnx", "score", folder / "model.onnx", "--inputs", folder / "inputs.npy", "--labels",
                       folder / "labels.npy", "--json")
            shown = json.loads(done.stdout)
            self.assertEqual(shown["rows"], len(splits))
            expected = (train * splits.count("train") + held_out * splits.count("heldout")) / len(splits)
            self.assertAlmostEqual(shown["accuracy"], expected, places=3)

    def rows(self, folder):
        with open(folder / "rows.csv", newline="") as f:
            return list(csv.DictReader(f))

    def test_nobody_stands_on_both_sides(self):
        for name in self.PRINTED:
            sides = {side: {row["subject"] for row in self.rows(EXAMPLES / name) if row["split"] == side}
                     for side in ("train", "heldout")}
            self.assertGreaterEqual(len(sides["heldout"]), 130)
            self.assertFalse(sides["train"] & sides["heldout"])


class Refusals(Offline):
    def grad(self, inputs, labels):
        return ("onnx", "grad", GOLDEN / "mlp.onnx", "--inputs", GOLDEN / inputs, "--labels", GOLDEN / labels, "--reduce", "sum",
                "--out", self.out)

    def test_rows(self):
        self.assert_refused(3, ["mlp_inputs_nan.npy", "row 12 "], *self.grad("mlp_inputs_nan.npy", "mlp_labels.npy"))
        self.assert_refused(3, ["mlp_labels_high.npy", "row 9 "], *self.grad("mlp_inputs.npy", "mlp_labels_high.npy"))
        self.assert_refused(3, ["mlp_labels_short.npy", "37 rows"], *self.grad("mlp_inputs.npy", "mlp_labels_short.npy"))
        self.assert_refused(3, ["cnn_inputs.npy", "[rows, 1, 6, 6]", "[rows, 5]"], *self.grad("cnn_inputs.npy", "mlp_labels.npy"))
        self.assert_refused(3, ["mlp_outputs.npy", "float32", "integers"], *self.grad("mlp_inputs.npy", "mlp_outputs.npy"))
        self.assert_refused(4, ["absent.npy"], *self.grad("absent.npy", "mlp_labels.npy"))

    def test_input_name(self):
        self.assert_refused(3, ["\"z\"", "\"x\""], "onnx", "run", GOLDEN / "mlp.onnx", "--inputs", "z=mlp_inputs.npy", "--out",
                            self.out)

    def test_models(self):
        self.assert_refused(3, [], "onnx", "inspect", GOLDEN / "mlp_inputs.npy")
        cut = pathlib.Path(self.folder.name) / "cut.onnx"
        whole = (GOLDEN / "mlp.onnx").read_bytes()
        for size in range(0, len(whole), 23):
            cut.write_bytes(whole[:size])
            self.assert_refused(3, ["cut.onnx"], "onnx", "inspect", cut)

    def test_errors_are_json_when_asked_for(self):
        done = self.assert_refused(3, [], *self.grad("mlp_inputs_nan.npy", "mlp_labels.npy"), "--json")
        self.assertEqual(json.loads(done.stderr)["error"], "not-finite")

    def test_a_folder_that_is_not_there(self):
        done = run("onnx", "run", GOLDEN / "mlp.onnx", "--inputs", GOLDEN / "mlp_inputs.npy", "--out", self.out / "y.npy")
        self.assertEqual(done.returncode, 4, done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
