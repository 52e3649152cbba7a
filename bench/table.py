"""From samples to the table: medians, ratios, goals."""
import os
import statistics
from pathlib import Path

BUSY = 1.1        # wall over processor time beyond which somebody else had the processor
TOLERANCE = 1e-3  # relative, of results that must agree
WIDTHS = "{:<30}{:<28}{:>12}{:>14}{:>10}{:>8}  {}"


def cpu_info(key):
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(key):
            return line.partition(":")[2].strip()
    return ""


def has_avx512():
    return "avx512f" in cpu_info("flags").split()


def vector_level():
    flags = cpu_info("flags").split()
    return "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "neither AVX-512 nor AVX2"


def duration(seconds):
    for unit, scale in (("s", 1), ("ms", 1e3), ("µs", 1e6)):
        if seconds * scale >= 0.9995 or unit == "µs":
            return f"{seconds * scale:.3g} {unit}" if seconds * scale < 999.5 else f"{seconds * scale:.0f} {unit}"


def rate(worker):
    """Operations a second, of the time that it had the processor; None when the machine cannot do the job."""
    return 1 / min(worker.seconds("wall"), worker.seconds("cpu")) if worker else None


def machine(sgemm, fma, o):
    return {"processor": cpu_info("model name"), "cores": len(os.sched_getaffinity(0)), "vectors": vector_level(),
            "held_to_avx2": o.avx2, "blas": sgemm.about if sgemm else None, "sgemm_flops": rate(sgemm),
            "fma_flops": rate(fma), "load": os.getloadavg()[0], "threads": o.threads}


def gigaflops(value):
    return f"{value / 1e9:.0f} GFLOP/s" if value else "unknown"


def print_machine(m):
    print(f"machine    {m['processor']}, {m['cores']} cores, {m['vectors']}{', held to AVX2' if m['held_to_avx2'] else ''}; "
          f"load {m['load']:.1f}")
    print(f"BLAS       {m['blas']}")
    print(f"one core   sgemm 1024 {gigaflops(m['sgemm_flops'])}, multiply-adds in registers {gigaflops(m['fma_flops'])}")
    print(f"threads    {m['threads']}", flush=True)


def print_model(title, facts):
    print(f"\n{title}: {facts['parameters'] / 1e6:.2f} M parameters, {facts['forward'] / 1e9:.4g} GFLOP a row forward")
    print(WIDTHS.format("job", "who", "time", "processor", "peak MiB", "ratio", "goal").rstrip())


def verdict(ratio, goal):
    return f"{goal:g}: {'met' if ratio >= goal else 'missed'}"


class Result:
    """busy: others had the processor meanwhile, so processor times are compared. doubtful: they cannot be, with two threads."""

    def __init__(self, row, ours, peers, rates, facts, threads):
        self.row, self.ours, self.peers, self.rates, self.facts = row, ours, peers, rates, facts
        self.threads = row.threads or threads
        self.measured = [entry for entry in (ours, *peers) if "worker" in entry]
        waited = any(self.seconds(entry, "wall") > BUSY * self.seconds(entry, "cpu") for entry in self.measured)
        one_thread = threads == 1 and not row.threads and row.job != "process"
        self.busy = waited and one_thread
        self.doubtful = waited and bool(row.threads)

    @staticmethod
    def seconds(entry, clock):
        return entry["worker"].seconds(clock)

    def clock(self):
        return "cpu" if self.busy else "wall"

    def ratio(self, entry):
        if "worker" not in entry or "worker" not in self.ours:
            return None
        return self.seconds(entry, self.clock()) / self.seconds(self.ours, self.clock())

    def memory_ratio(self, entry):
        if not entry["peer"].memory or self.ratio(entry) is None:
            return None
        return entry["worker"].peak / self.ours["worker"].peak

    def goals(self):
        """(who, ratio, goal) of each goal that could be measured."""
        for entry in self.peers:
            if entry["peer"].goal and self.ratio(entry) is not None:
                yield entry["label"], self.ratio(entry), entry["peer"].goal
            if self.memory_ratio(entry):
                yield entry["label"] + ", memory", self.memory_ratio(entry), entry["peer"].memory

    def of_peak(self):
        """The share of OpenBLAS's speed in the same minute that ours reaches; Winograd's products can pass 1."""
        if not self.rates or "worker" not in self.ours or self.threads > 1:
            return None
        peak = statistics.median(pair[self.busy] for pair in self.rates)
        return self.facts[self.row.operations] / self.seconds(self.ours, self.clock()) / peak

    def differs(self, entry):
        ours, theirs = self.ours.get("value"), entry.get("value")
        if ours is None or theirs is None or not entry["peer"].same:
            return False
        return abs(ours - theirs) > TOLERANCE * abs(theirs)

    def line(self, first, entry, ratio="", last=""):
        if "worker" not in entry:
            return f"{first:<30}{entry['label']:<28}left out: {entry['left_out']}"
        wall, cpu = self.seconds(entry, "wall"), self.seconds(entry, "cpu")
        apart = max(wall, cpu) > BUSY * min(wall, cpu)
        return WIDTHS.format(first, entry["label"], duration(wall), duration(cpu) if apart else "",
                             f"{entry['worker'].peak:.0f}", ratio, last).rstrip()

    def print(self):
        share = self.of_peak()
        notes = [f"{100 * share:.0f} % of sgemm"] if share else []
        notes += ["ratios of processor time: others used the machine"] if self.busy else []
        notes += ["others used the machine: measure again"] if self.doubtful else []
        print(self.line(self.row.title, self.ours, last=", ".join(notes)))
        for entry in self.peers:
            ratio, notes = self.ratio(entry), []
            if ratio is not None and entry["peer"].goal:
                notes.append(verdict(ratio, entry["peer"].goal))
            if self.memory_ratio(entry):
                memory = self.memory_ratio(entry)
                notes.append(f"memory {memory:.2f}, {verdict(memory, entry['peer'].memory)}")
            if self.differs(entry):
                notes.append(f"RESULTS DIFFER: {self.ours['value']:.6g}, {entry['value']:.6g}")
            print(self.line("", entry, "" if ratio is None else f"{ratio:.2f}", "; ".join(notes)), flush=True)

    def entry_json(self, entry):
        if "worker" not in entry:
            return {"who": entry["label"], "left_out": entry["left_out"]}
        worker, peer = entry["worker"], entry["peer"]
        return {"who": entry["label"], "about": worker.about, "wall": self.seconds(entry, "wall"),
                "cpu": self.seconds(entry, "cpu"), "peak_mib": worker.peak, "value": entry.get("value"),
                "ratio": peer and self.ratio(entry), "goal": peer and peer.goal,
                "samples": [[s.wall, s.cpu, s.samples] for s in worker.samples]}

    def to_json(self):
        return {"name": self.row.name, "title": self.row.title, "per": self.row.per, "clock": self.clock(),
                "of_sgemm": self.of_peak(), "sgemm": self.rates, "ours": self.entry_json(self.ours),
                "peers": [self.entry_json(entry) for entry in self.peers]}


def print_summary(results):
    goals = [(result.row.name, *goal) for result in results for goal in result.goals()]
    met = sum(ratio >= goal for _, _, ratio, goal in goals)
    print(f"\n{met} of {len(goals)} measured goals met")
    for name, who, ratio, goal in goals:
        if ratio < goal:
            print(f"missed     {name}: {ratio:.2f} times {who}, goal {goal:g}")
