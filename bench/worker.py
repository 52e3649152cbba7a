"""A process that does one job when it is told to: the runner's end of the protocol of bench/engine.c."""
import os
import statistics
import subprocess
import time
from pathlib import Path

ENOUGH = 0.12    # seconds of one timed run, unless one unit takes longer
WARM = 0.4       # seconds of warming up, at least, until a run is no longer faster than the one before
WARM_LIMIT = 6   # runs at most
LONG = 1.5       # seconds of a unit that needs one run to warm up


class Refused(Exception):
    """A worker cannot do its job; the text says why."""


class Sample:
    def __init__(self, wall, cpu, samples):
        self.wall, self.cpu, self.samples = wall, cpu, samples


class Worker:
    def __init__(self, command, environment, folder):
        self.errors = open(Path(folder) / "worker.log", "a+b")
        self.process = subprocess.Popen([str(part) for part in command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=self.errors, env=environment, cwd=folder, text=True, bufsize=1)
        self.samples, self.count, self.peak, self.about = [], 1, 0, ""

    def start(self):
        """Waits until it is prepared, then warms it up and finds how many units make a run."""
        self.about = self.read("ready")
        spent, last = 0.0, None
        for runs in range(1, 100):
            sample = self.run(self.count)
            spent += sample.wall
            settled = last is not None and sample.wall > 0.95 * last or sample.wall > LONG and self.count == 1
            if sample.wall >= ENOUGH and (spent >= WARM and settled or runs >= WARM_LIMIT):
                return
            last = sample.wall if sample.wall >= ENOUGH else None
            if sample.wall < ENOUGH:
                self.count = min(self.count * 10, int(self.count * 1.1 * ENOUGH / max(sample.wall, 1e-7)) + 1)

    def read(self, word):
        line = self.process.stdout.readline().strip()
        first, _, rest = line.partition(" ")
        if first == word:
            return rest
        if first == "no":
            raise Refused(rest)
        raise Refused(f"ended with status {self.process.wait()}; worker.log says more")

    def ask(self, text):
        try:
            self.process.stdin.write(text + "\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass
        return self.read("ok").split()

    def run(self, count):
        return Sample(*map(float, self.ask(f"run {count}")))

    def measure(self):
        self.samples.append(self.run(self.count))

    def check(self):
        """The number that follows from the result, or None."""
        try:
            return float(self.ask("check")[0])
        except Refused:
            return None

    def stop(self):
        """Ends it. Call before check, which may take more memory, to know the job's own peak."""
        self.note_peak()
        self.process.stdin.close()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.errors.close()

    def note_peak(self):
        """Most memory that was resident so far, in MiB."""
        if self.peak or self.process.poll() is not None:
            return
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                self.peak = int(line.split()[1]) / 1024

    def seconds(self, clock):
        """Median seconds a sample, by "wall" or "cpu"."""
        return statistics.median(getattr(sample, clock) / sample.samples for sample in self.samples)


class Command:
    """A whole process, measured from its start to its end."""

    def __init__(self, command, environment, folder):
        self.command, self.environment, self.folder = [str(part) for part in command], environment, folder
        self.samples, self.peak, self.about = [], 0, ""

    def start(self):
        """There is nothing to warm up: a user's process is a first one too."""

    def run(self):
        start = time.monotonic()
        with open(Path(self.folder) / "worker.log", "a+b") as log:
            process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                       env=self.environment, cwd=self.folder)
            _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            raise Refused(f"{Path(self.command[0]).name} ended with status {process.returncode}; worker.log says more")
        self.peak = max(self.peak, usage.ru_maxrss / 1024)
        return Sample(time.monotonic() - start, usage.ru_utime + usage.ru_stime, 1)

    def measure(self):
        self.samples.append(self.run())

    def check(self):
        return None

    def stop(self):
        pass

    seconds = Worker.seconds
    note_peak = stop
