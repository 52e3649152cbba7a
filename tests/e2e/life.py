#!/usr/bin/env python3
"""The life of deletion requests, from HTTP to a verified receipt: life.py EXPUNGED EXPUNGE."""
import hashlib
import json

import onnx_writer
from house import CANARY, CLASSES, FEATURES, OWING, POLICY, RECIPE, Refused, main, person, refused, until

# References that take a while, so that what comes meanwhile waits.
SLOW = POLICY | {"rounds": 30, "folds": 10}


def from_request_to_receipt(h):
    h.start()
    model = h.furnish()
    assert model["state"] == "ready" and model["live_version"] == 1
    dataset = h.ask("dataset", "show", "people")
    request = h.submit(3)
    assert request["status"] in ("queued", "running")
    done = h.finish(request["id"])
    assert done["outcome"] == "erased" and done["verdict"] == "pass/by_construction", done
    [part] = done["models"]
    assert part["model"] == "classes" and part["outcome"] == "erased" and part["evidence"]["evidence"]["utility"]["pass"]
    after = h.ask("dataset", "show", "people")["splits"]
    assert after["train"]["live"] == dataset["splits"]["train"]["live"] - 1 and after["train"]["erased"] == 1
    versions = h.ask("model", "show", "classes")["versions"]
    assert [v["state"] for v in versions[:-1]] == ["destroyed"] * (len(versions) - 1) and versions[-1]["state"] == "live"
    h.verify_receipt(request["id"], 3)
    kinds = [leaf["type"] for leaf in h.verify_log()]
    assert kinds.count("request.completed") == 1 and kinds.count("rows.erased") == 1, kinds
    assert kinds.count("model.published") == len(versions) - 1


def receipt_of_another_person_is_refused(h):
    h.start()
    h.furnish()
    request = h.submit(3)["id"]
    h.finish(request)
    path = h.verify_receipt(request, 3)
    with refused(1, "identity"):
        h.expunge("audit", "verify", path, "--key", h.vkey, "--identity", person(4))
    forged = bytearray(path.read_bytes())
    forged[len(forged) // 2] ^= 1
    path.write_bytes(forged)
    with refused(1):
        h.expunge("audit", "verify", path, "--key", h.vkey)


def many_rows_are_one_person(h):
    h.start()
    h.furnish()
    preview = h.ask("request", "preview", "--identity-file", "-", stdin=person(70) + "\n")
    assert preview["matched"]["train"] == 5 and preview["models"][0]["model"] == "classes"
    assert h.finish(h.submit(70)["id"])["outcome"] == "erased"
    assert h.ask("dataset", "show", "people")["splits"]["train"]["erased"] == 5


def exact_work_closes_what_was_mitigated(h):
    """Also where a retraining is over within a millisecond."""
    (h.folder / "recipe.json").write_text(json.dumps(RECIPE | {"epochs": 1}))
    h.start()
    h.furnish(policy=OWING)
    done = h.finish(h.submit(1)["id"])
    assert done["outcome"] == "erased" and done["verdict"] == "pass/by_construction", done
    assert {j["kind"] for j in done["jobs"]} == {"unlearn", "retrain"}, done["jobs"]
    assert h.ask("model", "show", "classes")["debt"] == 0


def held_out_rows_need_no_unlearning(h):
    h.start()
    h.furnish()
    done = h.finish(h.submit(200)["id"])
    assert done["outcome"] == "erased" and done["verdict"] == "none", done
    assert h.ask("dataset", "show", "people")["splits"]["heldout"]["erased"] == 1
    assert len(h.ask("model", "show", "classes")["versions"]) == 1, "the model never saw the rows"
    h.verify_receipt(done["id"], 200)


def nobody_has_a_record_too(h):
    h.start()
    h.furnish()
    done = h.finish(h.submit(999)["id"])
    assert (done["outcome"], done["verdict"], done["jobs"]) == ("not_found", "none", []), done
    h.verify_receipt(done["id"], 999)


def same_person_twice(h):
    h.start()
    h.furnish()
    first = h.finish(h.submit(5)["id"])
    second = h.finish(h.submit(5)["id"])
    assert second["id"] != first["id"] and second["duplicate_of"] == first["id"]
    assert second["outcome"] == "already_erased" and second["jobs"] == []
    h.verify_receipt(second["id"], 5)


def two_models_forget_before_the_rows_go(h):
    """Two workers finish the two models of a request at about one time: it is completed once, with both."""
    h.start(settings=("--workers", "2"))
    h.furnish()
    h.register_model("--wait", name="twin")
    people = (3, 4, 5, 6)
    requests = [h.submit(who)["id"] for who in people]
    for request, who in zip(requests, people):
        done = h.finish(request)
        h.verify_receipt(request, who)
        assert [(m["model"], m["outcome"]) for m in done["models"]] == [("classes", "erased"), ("twin", "erased")], done
    completed = [leaf for leaf in h.verify_log() if leaf["type"] == "request.completed"]
    assert sorted(leaf["request"] for leaf in completed) == sorted(requests)
    for leaf in completed:
        assert leaf["rows"] == {"train": 1, "heldout": 0} and len(leaf["models"]) == 2, leaf


def rows_that_arrive_late_go_too(h):
    """A dataset that is registered while somebody waits holds that person's rows dead from the start."""
    h.start()
    h.register_dataset()
    h.register_model(policy=SLOW)
    request = h.submit(3)["id"]
    h.register_dataset("late")
    assert h.ask("dataset", "show", "late")["splits"]["train"]["tombstoned"] == 1
    h.finish(request)
    for name in ("people", "late"):
        train = h.ask("dataset", "show", name)["splits"]["train"]
        assert train["erased"] == 1 and train["tombstoned"] == 0, (name, train)
    h.verify_log()


def spelled_otherwise_is_the_same_person(h):
    h.start()
    h.furnish()
    text = person(6).upper().replace("EMAIL:", "email:  ") + "  "
    done = h.finish(h.ask("request", "submit", "--identity-file", "-", stdin=text + "\n")["id"])
    assert done["outcome"] == "erased"


def same_key_is_the_same_request(h):
    h.start()
    h.furnish()
    first = h.submit(7, "--idempotency-key", "k-1")
    again = h.submit(7, "--idempotency-key", "k-1")
    assert again["id"] == first["id"]
    with refused(4, "key"):
        h.submit(8, "--idempotency-key", "k-1")
    assert len(h.ask("request", "list")["items"]) == 1
    h.finish(first["id"])


def cancelled_before_a_worker_has_it(h):
    h.start()
    h.register_dataset()
    h.register_model(policy=SLOW)
    request = h.submit(9)["id"]
    assert h.ask("dataset", "show", "people")["splits"]["train"]["tombstoned"] == 1
    cancelled = h.ask("request", "cancel", request, "--reason", "withdrawn")
    assert cancelled["status"] == "cancelled"
    assert h.ask("dataset", "show", "people")["splits"]["train"]["tombstoned"] == 0
    with refused(4, "cancelled"):
        h.ask("request", "cancel", request)
    assert [leaf["type"] for leaf in until(lambda: sealed(h, "request.cancelled"), "the cancellation is sealed")]


def sealed(h, kind):
    found = h.verify_log()
    return found if any(leaf["type"] == kind for leaf in found) else None


def terminated_and_started_again(h):
    h.start()
    h.register_dataset()
    h.register_model(policy=SLOW)
    request = h.submit(10)["id"]
    h.stop()
    assert h.log.read_text().count("event=stopped") == 1
    h.start()
    assert h.finish(request)["outcome"] == "erased"
    assert h.ask("model", "show", "classes")["state"] == "ready"
    h.verify_receipt(request, 10)
    h.verify_log()


def served_by_its_own_versions(h):
    h.start()
    h.furnish()
    out = h.folder / "out.npy"
    before = h.ask("model", "predict", "classes", "--inputs", h.folder / "all_inputs.npy", "--out", out)
    first = out.read_bytes()
    h.expunge("onnx", "run", h.folder / "model.onnx", "--inputs", h.folder / "all_inputs.npy", "--out", h.folder / "x.npy")
    assert first == (h.folder / "x.npy").read_bytes(), "the daemon serves what the file says"
    h.finish(h.submit(11)["id"])
    after = h.ask("model", "predict", "classes", "--inputs", h.folder / "all_inputs.npy", "--out", out)
    assert after["version"] != before["version"] and after["weights_sha256"] != before["weights_sha256"]
    assert out.read_bytes() != first


def what_the_file_leaves_open_is_said_once(h):
    """Sizes and frozen weights hold for every version, and after a restart."""
    matrix = [1.0 if i % 5 == 0 else 0.25 for i in range(FEATURES * FEATURES)]
    fixed = onnx_writer.tensor("fixed", (FEATURES, FEATURES), matrix)
    fresh, trained, out = h.folder / "fresh.onnx", h.folder / "model.onnx", h.folder / "out.npy"
    said = "--size", f"features={FEATURES}", "--frozen", "fixed"
    rows = "--inputs", h.folder / "train_inputs.npy", "--labels", h.folder / "train_labels.npy"
    fresh.write_bytes(onnx_writer.mlp((FEATURES, 16, CLASSES), fixed=matrix))
    with refused(3, "--size features=NUMBER"):
        h.expunge("train", fresh, *rows, "--recipe", h.folder / "recipe.json", "--out", trained)
    h.expunge("train", fresh, *rows, "--recipe", h.folder / "recipe.json", "--out", trained, *said)
    assert fixed in trained.read_bytes() and trained.read_bytes() != fresh.read_bytes()
    (h.folder / "policy.json").write_text(json.dumps(POLICY))
    h.start()
    h.register_dataset()
    register = ("model", "register", "classes", "--dataset", "people", "--onnx", trained, "--recipe", h.folder / "recipe.json",
                "--policy", h.folder / "policy.json", "--wait")
    with refused(3, "--size features=NUMBER"):
        h.expunge(*register)
    model = h.ask(*register, *said)
    assert model["state"] == "ready" and model["sizes"] == {"features": FEATURES} and model["frozen"] == ["fixed"], model
    assert h.finish(h.submit(12)["id"])["outcome"] == "erased"
    h.stop()
    h.start()
    served = h.ask("model", "predict", "classes", "--inputs", h.folder / "all_inputs.npy", "--out", out)
    weights = h.data / "models" / f"{served['weights_sha256']}.onnx"
    assert fixed in weights.read_bytes() and weights.read_bytes() != trained.read_bytes()
    h.expunge("onnx", "run", weights, "--inputs", h.folder / "all_inputs.npy", "--out", h.folder / "x.npy", *said)
    assert out.read_bytes() == (h.folder / "x.npy").read_bytes()
    [leaf] = [leaf for leaf in h.verify_log() if leaf["type"] == "model.registered"]
    text = json.dumps({"frozen": ["fixed"], "sizes": {"features": FEATURES}}, separators=(",", ":"))
    assert leaf["options_sha256"] == hashlib.sha256(text.encode()).hexdigest()


def roles_bound_what_a_token_may_do(h):
    h.start()
    h.furnish()
    tokens = {}
    for role in ("submitter", "auditor", "ml_engineer"):
        tokens[role] = h.folder / f"{role}.token"
        h.expunge("token", "create", "--role", role, "--out", tokens[role])
        assert tokens[role].stat().st_mode & 0o777 == 0o600
    use = lambda role: ("--token-file", tokens[role])
    request = h.submit(12, *use("submitter"))
    h.finish(request["id"])
    text = h.expunge("request", "show", request["id"], *use("submitter"))
    assert "pass/by_construction" in text and "retrain" in text
    h.expunge("job", "list", *use("auditor"))
    forged = h.folder / "forged.token"
    forged.write_text("expunge_admin_nope_nope\n")
    with refused(5, "token-file"):
        h.expunge("request", "list", "--token-file", forged)
    for role, command in (("submitter", ("job", "list")), ("auditor", ("token", "list")), ("ml_engineer", ("request", "list"))):
        with refused(5):
            h.expunge(*command, *use(role))
    revoked = next(t for t in h.ask("token", "list")["items"] if t["role"] == "auditor")
    h.expunge("token", "revoke", revoked["id"])
    with refused(5):
        h.expunge("job", "list", *use("auditor"))


def no_identity_is_anywhere(h):
    """Neither in clear, nor under a hash that anybody could repeat."""
    h.start()
    h.furnish()
    for who in (13, 70, 201, 998):
        request = h.submit(who)["id"]
        h.finish(request)
        h.expunge("audit", "show", h.verify_receipt(request, who))
        h.expunge("request", "show", request)
        h.expunge("request", "watch", request)
    try:
        h.ask("request", "submit", "--identity-file", "-", stdin=f"e mail:{CANARY}\n")
    except Refused:
        pass
    h.http("POST", "/v1/deletion-requests", {"subject": {"identities": [{"type": "email", CANARY: "x"}]}})
    h.http("POST", "/v1/deletion-requests", {"subject": {"identities": [{"type": CANARY, "value": CANARY}]}})
    h.http("GET", f"/v1/deletion-requests/{CANARY}")
    with_bad_rows(h)
    metrics = h.http("GET", "/metrics")[1]
    assert b"expunge_" in metrics
    h.stop()
    shown = "\n".join(h.printed).encode()
    places = {"what was printed and answered": shown, "the daemon's log": h.log.read_bytes()}
    places |= {str(p.relative_to(h.data)): p.read_bytes() for p in h.data.rglob("*") if p.is_file()}
    canonical = person(13).lower().replace("email:", "email\x1f").encode()
    digest = hashlib.sha256(canonical)
    for place, content in places.items():
        assert CANARY.lower().encode() not in content.lower(), f"an identity stands in {place}"
        assert digest.digest() not in content and digest.hexdigest().encode() not in content, f"a plain hash stands in {place}"
    assert len(places) > 10


def with_bad_rows(h):
    """A registration that is refused because of what rows.csv says."""
    rows = h.folder / "bad.csv"
    rows.write_text((h.folder / "rows.csv").read_text().replace("heldout", "neither", 1))
    try:
        h.ask("dataset", "register", "bad", "--inputs", h.folder / "all_inputs.npy", "--labels", h.folder / "all_labels.npy",
              "--rows", rows)
    except Refused as e:
        assert e.status == 3, e
    else:
        raise AssertionError("a split that is none was accepted")


main(from_request_to_receipt, receipt_of_another_person_is_refused, many_rows_are_one_person,
     exact_work_closes_what_was_mitigated,
     held_out_rows_need_no_unlearning, nobody_has_a_record_too, same_person_twice,
     two_models_forget_before_the_rows_go, rows_that_arrive_late_go_too, spelled_otherwise_is_the_same_person,
     same_key_is_the_same_request, cancelled_before_a_worker_has_it, terminated_and_started_again,
     served_by_its_own_versions, what_the_file_leaves_open_is_said_once, roles_bound_what_a_token_may_do, no_identity_is_anywhere)
