#!/usr/bin/python3
"""PyTorch's side of the measurements: one job in one process, told over standard input when to run.

    pytorch.py JOB MODEL FOLDER BATCH THREADS NORM      NORM: folded or kept, see models.py

It answers as bench/engine.c does, which describes the protocol.
"""
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import torch

import models
from peers import dampening, importance

CHECK_ROWS = 8
SELECTED = 0.01  # of the parameters are dampened
STORED_ROWS = 1000  # that the stored importance stands for: those to forget, and the rest of the file in place of the others


class Job:
    """A unit of work on samples rows. What reset does is not timed; without it the units of a run are timed together."""

    reset = None

    def __init__(self, name, folder, batch, folded):
        self.name, self.folder, self.folded = name, Path(folder), folded
        self.model = self.load()
        self.inputs, self.labels = models.rows(name, folder)
        self.batch = self.samples = batch
        self.prepare()

    def load(self):
        return models.load(self.name, self.folder, self.folded)

    def prepare(self):
        pass

    def about(self):
        return f"PyTorch {torch.__version__}"

    def check(self):
        return None


class Forward(Job):
    def unit(self):
        with torch.inference_mode():
            self.scores = self.model(self.inputs[:self.batch])

    def check(self):
        self.unit()
        return self.scores.double().abs().mean().item()


class Importance(Job):
    """way: a function of a batch that gives a way of bench/peers/importance.py. chunk: rows that it takes at once."""

    def __init__(self, way, samples, exact, *arguments):
        self.way, self.rows, self.exact = way, samples, exact
        super().__init__(*arguments)

    def prepare(self):
        self.run = self.way(self.batch)
        self.samples = max(self.rows, self.batch)
        self.sums = importance.zeros(self.model)

    def unit(self):
        self.run(self.model, self.inputs[:self.samples], self.labels[:self.samples], self.sums)

    def check(self):
        if not self.exact:
            return None
        model = self.load()
        sums = importance.zeros(model)
        self.way(self.batch)(model, self.inputs[:CHECK_ROWS], self.labels[:CHECK_ROWS], sums)
        return sum(total.double().sum().item() for total in sums.values())


class Training(Job):
    """A step of stochastic gradient descent with momentum. Batch norm takes its statistics from the batch."""

    def load(self):
        return models.load(self.name, self.folder, folded=False).train()

    def prepare(self):
        self.criterion = torch.nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=0.01, momentum=0.9, foreach=True)

    def unit(self):
        self.optimizer.zero_grad(set_to_none=True)
        self.criterion(self.model(self.inputs[:self.batch]), self.labels[:self.batch]).backward()
        self.optimizer.step()

    def check(self):
        """How far two steps move the parameters."""
        self.model = self.load()
        self.prepare()
        before = [p.detach().double().clone() for p in self.model.parameters()]
        self.unit()
        self.unit()
        return sum((p.detach() - b).abs().sum().item() for p, b in zip(self.model.parameters(), before))


class Weights(Job):
    """What edits weights: they are put back between units."""

    def remember(self):
        self.original = [p.detach().clone() for p in self.model.parameters()]

    def reset(self):
        with torch.no_grad():
            for p, original in zip(self.model.parameters(), self.original):
                p.copy_(original)


class Dampening(Weights):
    """Log-normal importances, of which SELECTED exceed alpha."""

    def prepare(self):
        torch.manual_seed(1)
        self.remember()
        self.samples = 1
        self.all = {name: torch.randn(p.shape).exp_() for name, p in self.model.named_parameters()}
        self.forget = {name: total * torch.randn(total.shape).exp_() for name, total in self.all.items()}
        self.alpha = dampening.alpha_that_selects(SELECTED, self.all, self.forget)

    def unit(self):
        dampening.dampen(self.model, self.all, self.forget, self.alpha, 1)


class Deletion(Weights):
    """Of the first rows, with the importance of all rows known; it is left in a file for bench/peers/deletion.py."""

    def prepare(self):
        self.remember()
        self.samples = 1
        forget = importance.mean(self.model, self.inputs[:self.batch], self.labels[:self.batch])
        rest = importance.mean(self.model, self.inputs[self.batch:], self.labels[self.batch:])
        self.all = {name: (forget[name] * self.batch + rest[name] * (STORED_ROWS - self.batch)) / STORED_ROWS for name in rest}
        self.alpha = dampening.alpha_that_selects(SELECTED, self.all, forget)
        torch.save(self.all, self.folder / f"{self.name}.importance.pt")

    def about(self):
        return f"alpha {self.alpha!r}"

    def unit(self):
        dampening.delete(self.model, self.all, self.inputs[:self.batch], self.labels[:self.batch], self.alpha)


JOBS = {
    "forward": Forward,
    "published": lambda *rest: Importance(importance.published, 1, False, *rest),
    "loop": lambda *rest: Importance(importance.published, 8, True, *rest),
    "vmap": lambda *rest: Importance(importance.vmapped, 1, True, *rest),
    "expert": lambda *rest: Importance(importance.Expert, 1, True, *rest),
    "train": Training,
    "dampen": Dampening,
    "deletion": Deletion,
}


def run(job, count):
    """Wall and processor seconds of count units."""
    wall = cpu = 0.0
    times, units = (count, 1) if job.reset else (1, count)
    for _ in range(times):
        if job.reset:
            job.reset()
        wall_start, cpu_start = time.perf_counter(), time.process_time()
        for _ in range(units):
            job.unit()
        wall += time.perf_counter() - wall_start
        cpu += time.process_time() - cpu_start
    return wall, cpu


def answer(job, words):
    if words[0] == "run":
        wall, cpu = run(job, int(words[1]))
        return f"ok {wall!r} {cpu!r} {int(words[1]) * job.samples}"
    value = job.check()
    return "no comparable result" if value is None else f"ok {value!r}"


def main():
    job, name, folder, batch, threads, norm = sys.argv[1:]
    torch.set_num_threads(int(threads))
    job = JOBS[job](name, folder, int(batch), norm == "folded")
    print("ready", job.about(), flush=True)
    for line in sys.stdin:
        print(answer(job, line.split()), flush=True)


if __name__ == "__main__":
    main()
