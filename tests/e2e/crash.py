#!/usr/bin/env python3
"""Kills the daemon as soon as a job has durably entered a state, starts it again, and sees that nothing that was
acknowledged is lost and nothing that was published is repeated: crash.py EXPUNGED EXPUNGE KIND_STATE (needs the build option
failpoints)."""
from collections import Counter

from house import OWING, main


def check(h, requests):
    """requests: id by person, all acknowledged."""
    for who, request in requests.items():
        done = h.finish(request)
        assert done["outcome"] == "erased", done
        h.verify_receipt(request, who)
    model = h.ask("model", "show", "classes")
    log = h.verify_log()
    kinds = Counter(leaf["type"] for leaf in log)
    published = [leaf["version"] for leaf in log if leaf["type"] == "model.published"]
    assert len(published) == len(set(published)), f"a version was published twice: {published}"
    assert sorted(published) == [v["version"] for v in model["versions"] if v["published_at"] and v["version"] > 1]
    assert kinds["request.received"] == kinds["request.completed"] == len(requests), kinds
    assert kinds["model.registered"] == 1, kinds
    states = Counter(v["state"] for v in model["versions"])
    assert states["live"] == 1 and set(states) <= {"live", "destroyed"}, states
    kept = {p.name for p in (h.data / "models").glob("*.onnx")}
    assert kept == {f"{v['weights_sha256']}.onnx" for v in model["versions"] if v["state"] == "live"}, kept
    h.stop()
    h.start()
    assert h.ask("model", "show", "classes")["live_version"] == model["live_version"]


def crash(kind, state):
    def test(h):
        if kind == "register":
            h.start(failpoint=f"{kind}:{state}")
            h.register_dataset()
            h.register_model()
            h.wait_for_death()
            h.start()
            requests = {1: h.submit(1)["id"]}
        else:
            h.start()
            h.furnish(policy=OWING)
            h.stop()
            h.start(failpoint=f"{kind}:{state}")
            requests = {1: h.submit(1)["id"]}
            h.wait_for_death()
            h.start()
            requests[70] = h.submit(70)["id"]
        check(h, requests)
    test.__name__ = f"{kind}_{state}"
    return test


STATES = ("selecting", "unlearning", "verifying", "staged", "published", "draining", "erasing", "done")
if __name__ == "__main__":
    main(*[crash(kind, state) for kind, states in
           (("register", ("selecting", "done")), ("unlearn", STATES), ("retrain", STATES)) for state in states])
