"""This machine's speed at running and at training towers, measured in a few seconds, and what that is enough for."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from seesay.engines.speed import machine_speed
from seesay.models import size
from seesay.system.cpu import available_cores
from seesay.system.memory import memory_bytes
from seesay.training.plan.computation import towers
from seesay.training.plan.runs import DAY_S

if TYPE_CHECKING:
    import torch

MEASURED = "ViT-S-32-alt"  # small enough to train a step in a second on two cores, large enough to fill them
BATCH = 8
STEPS = 2


@dataclass(frozen=True)
class Machine:
    """What this machine does. forward_flops_per_s: running towers in ONNX Runtime, estimated from a measured product;
    training_flops_per_s: measured steps of a small model in torch, None where torch is not installed."""

    cpu: str
    cores: int
    memory_gb: float | None
    device: str
    forward_flops_per_s: float
    training_flops_per_s: float | None


@dataclass(frozen=True)
class Job:
    """Work that a machine may be asked to do. days: None where it cannot, because torch is not installed."""

    name: str
    model: str
    pairs: int
    epochs: float
    training: bool
    flops: float
    days: float | None


# (name, model, pictures or pairs, epochs, whether it is training)
JOBS = (
    ("embed a collection of photos", "ViT-B-32", 10_000, 1, False),
    ("embed a million photos", "ViT-B-32", 1_000_000, 1, False),
    ("embed a collection with a large model", "ViT-L-14", 10_000, 1, False),
    ("fine-tune on your own pairs", "ViT-B-32", 5_000, 5, True),
    ("train a small model from scratch", "ViT-S-32-alt", 100_000, 30, True),
    ("train as OpenAI did", "ViT-B-32", 400_000_000, 32, True),
)


def measure() -> Machine:
    """Measures this machine: half a second, and a few more where torch is installed."""
    speed = machine_speed()
    try:
        import torch  # noqa: F401
    except ImportError:
        device, training = "cpu", None
    else:
        device, training = _training()
    forward = 2 * speed.multiplications_per_s * size.EFFICIENCY
    memory = memory_bytes()
    memory_gb = None if memory is None else memory / 1e9
    return Machine(speed.cpu, speed.cores, memory_gb, device, forward, training)


def jobs(machine: Machine, own: tuple[str, int, float] | None = None) -> list[Job]:
    """What the machine can do, and how long it takes. own: a model, pairs and epochs to train, listed first.

    Raises InputError for a model that is not known.
    """
    listed = [_job(machine, *job) for job in JOBS]
    return listed if own is None else [_job(machine, "your plan", own[0], own[1], own[2], True), *listed]


def _job(machine: Machine, name: str, model: str, pairs: int, epochs: float, training: bool) -> Job:
    made_of = towers(model)
    flops = pairs * epochs * (made_of.pair_flops() if training else made_of.image_flops)
    speed = machine.training_flops_per_s if training else machine.forward_flops_per_s
    return Job(name, made_of.name, pairs, epochs, training, flops, None if speed is None else flops / speed / DAY_S)


def _training() -> tuple[str, float]:
    """The device that training takes here, and the operations a second of its steps: forward, backward and AdamW.

    On a CPU it is processor time on one core, times the cores, as in `engines.speed`: other programs change it little.
    """
    import torch

    from seesay.training.device import prepare_device

    threads = torch.get_num_threads()
    device = prepare_device(None, None)
    is_cpu = device.type == "cpu"
    try:
        if is_cpu:
            torch.set_num_threads(1)
        step = _step(device)
        step()  # allocates
        times = [_time_s(step, time.process_time if is_cpu else time.perf_counter) for _ in range(STEPS)]
    finally:
        torch.set_num_threads(threads)
    return device.type, towers(MEASURED).pair_flops() * BATCH / min(times) * (available_cores() if is_cpu else 1)


def _time_s(step: Callable[[], None], clock: Callable[[], float]) -> float:
    start = clock()
    step()
    return clock() - start


def _step(device: "torch.device") -> Callable[[], None]:
    """A training step of the small model, on random inputs."""
    import torch

    from seesay.checkpoints.hub.catalog import architecture
    from seesay.models.clip import make_tower
    from seesay.models.initialise import initialise
    from seesay.training.losses import info_nce

    pair = architecture(MEASURED)
    image, text = make_tower(pair.image, pair.dim), make_tower(pair.text, pair.dim)
    for tower in (image, text):
        initialise(tower)
        tower.train().to(device)
    optimizer = torch.optim.AdamW([*image.parameters(), *text.parameters()], lr=1e-5)
    pixels = torch.rand(BATCH, 3, pair.image.image_px, pair.image.image_px, device=device)
    ids = torch.randint(1, pair.text.vocabulary - 2, (BATCH, pair.tokenizer_spec.context_length), device=device)
    ids[:, -1] = pair.text.end_id or 1
    scale = torch.tensor(14.0, device=device)

    def step() -> None:
        loss = info_nce(image(pixels), text(ids), scale)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad()
        float(loss.detach())  # waits for the device

    return step
