"""What is measured: for each job ours and the peers', and by which factor ours is to be faster."""
from dataclasses import dataclass

FORWARD, GRADIENT = "forward", "gradient"  # which count of operations in NAME.json a job's arithmetic is


@dataclass
class Peer:
    label: str
    kind: str           # "pytorch", "onnxruntime", or "engine": ours itself, at one thread
    job: str
    batch: int
    goal: float = None  # how many times as fast ours is to be
    memory: float = None  # how many times less memory ours is to take at its peak
    same: bool = True   # it computes the same, so that results are compared


@dataclass
class Row:
    name: str
    model: str
    title: str
    job: str
    batch: int
    peers: list
    operations: str = None
    per: str = "row"
    kept: bool = False  # of the model with its batch norm kept
    threads: int = None  # instead of the table's


CLASSES = 100
DELETED = 100


@dataclass
class Model:
    title: str
    shape: tuple   # of one row
    rows: int      # in its file
    batch: int     # rows of one importance, at which the peers' fastest way is at its best
    goals: dict    # of the exact importance against each of the peers' ways, of its memory, and of a deletion


CHUNK = 16  # rows that vmap takes at once: more need memory and gain nothing
MODELS = {
    "resnet18": Model("ResNet18, 32x32", (3, 32, 32), 128, 64,
                      {"loop": 3, "vmap": 2.2, "published": 1.25, "memory": 2, "deletion": 1.5}),
    "vit_ti": Model("ViT-Ti/4, 32x32", (3, 32, 32), 128, 64, {"loop": 2, "expert": 1.25, "deletion": 1.5}),
    "mlp": Model("MLP 600-256-256-100", (600,), 512, 512, {"loop": 30, "expert": 1, "deletion": 4}),
}


def forward(name, batch):
    return Row(f"{name}/forward-{batch}", name, f"forward, batch {batch}", "forward", batch, operations=FORWARD, peers=[
        Peer("onnxruntime", "onnxruntime", "forward", batch, goal=1),
        Peer("PyTorch", "pytorch", "forward", batch)])


def exact(name, model):
    goal = model.goals.get
    return Row(f"{name}/exact", name, "exact importance", "exact", model.batch, operations=GRADIENT, peers=[
        Peer("PyTorch, loop over rows", "pytorch", "loop", 1, goal=goal("loop")),
        Peer("PyTorch, vmap(grad)", "pytorch", "vmap", CHUNK, goal=goal("vmap")),
        Peer("PyTorch, expert-written", "pytorch", "expert", model.batch, goal=goal("expert")),
        Peer("PyTorch, SSD as published", "pytorch", "published", 64, goal=goal("published"), memory=goal("memory"), same=False)])


def training(name):
    return Row(f"{name}/train", name, "training step, batch 64", "train", 64, kept=True, operations=GRADIENT,
               peers=[Peer("PyTorch", "pytorch", "train", 64, goal=1)])


def dampening(name):
    return Row(f"{name}/dampen", name, "dampening", "dampen", 1, per="pass",
               peers=[Peer("PyTorch, SSD as published", "pytorch", "dampen", 1, goal=4, same=False)])


def deletion(name, goal):
    return Row(f"{name}/deletion", name, f"deletion of {DELETED} rows, warm", "deletion", DELETED, per="deletion",
               peers=[Peer("PyTorch, SSD as published", "pytorch", "deletion", DELETED, goal=goal, same=False)])


def process(name):
    return Row(f"{name}/process", name, "the same as a whole process", "process", DELETED, per="deletion",
               peers=[Peer("PyTorch, SSD as published", "pytorch", "process", DELETED, same=False)])


def two_threads(name, model):
    return Row(f"{name}/two-threads", name, "exact importance, 2 threads", "exact", model.batch, threads=2,
               peers=[Peer("expunge, 1 thread", "engine", "exact", model.batch, goal=1.85)])


def table():
    rows = []
    for name, model in MODELS.items():
        rows += [forward(name, 1), forward(name, 64), exact(name, model), training(name), dampening(name),
                 deletion(name, model.goals["deletion"]), process(name)]
        if name != "mlp":
            rows.append(two_threads(name, model))
    return rows
