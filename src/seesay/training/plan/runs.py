"""Published training runs, which say how much of its accelerators' peak a run reaches (`utilisation`).

Every figure is its authors'. What they did not publish is None, and gradient checkpointing that nobody mentions is counted as
absent; a run of which that is wrong reached more of the peak than is computed here.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import fmean, quantiles

from seesay.training.plan.accelerators import ACCELERATORS
from seesay.training.plan.computation import towers

DAY_S = 86_400
MOST_UTILISATION = 0.6  # no published run reached more, and the fitted law knows no bound
OPENAI = "Radford and others 2021, arXiv:2103.00020, section 2.5"
OPEN_CLIP = "OpenCLIP, docs/PRETRAINED.md"
SCALING = "Cherti and others 2022, LAION-AI/scaling-laws-openclip, trained_models_info.csv"
BIG_G = "LAION, Reaching 80% zero-shot accuracy with OpenCLIP, laion.ai/blog/giant-openclip"
NEMO = "NVIDIA, NeMo Framework user guide, CLIP, performance"
SIGLIP = "Zhai and others 2023, arXiv:2303.15343, abstract; google/siglip-base-patch16-224, model card"


@dataclass(frozen=True)
class PublishedRun:
    """One run. pairs: seen in training, all epochs together; days: None where only a rate was published; checkpointing: of
    gradients, where its authors say so."""

    name: str
    model: str
    accelerator: str
    count: int
    pairs: float | None
    days: float | None
    checkpointing: bool
    source: str

    @property
    def utilisation(self) -> float | None:
        """The share of the accelerators' peak that the run reached; None where its pairs or its time were not published."""
        if self.pairs is None or self.days is None:
            return None
        flops = towers(self.model).pair_flops(checkpointing=self.checkpointing) * self.pairs
        return flops / (self.days * DAY_S * self.count * ACCELERATORS[self.accelerator].peak_flops)


def _hours(name: str, model: str, count: int, gpu_hours: float, *, checkpointing: bool = False) -> PublishedRun:
    """A run on LAION-400M (32 epochs of 407,332,084 pairs) whose GPU-hours are published."""
    pairs = 32 * 407_332_084
    return PublishedRun(name, model, "a100", count, pairs, gpu_hours / count / 24, checkpointing, OPEN_CLIP)


def _rate(
    name: str, model: str, count: int, pairs: float, per_s: float, source: str = SCALING, *, on: str = "a100", kept: bool = True
) -> PublishedRun:
    """A run whose pairs a second are published. kept: its activations were, so that nothing was computed twice."""
    return PublishedRun(name, model, on, count, pairs, pairs / per_s / DAY_S, not kept, source)


RUNS = (
    PublishedRun("OpenAI ViT-L/14", "ViT-L-14", "v100", 256, 32 * 400e6, 12, True, OPENAI),
    PublishedRun("OpenAI RN50x64", "RN50x64", "v100", 592, 32 * 400e6, 18, True, OPENAI),
    _hours("OpenCLIP ViT-B/32 LAION-400M", "ViT-B-32", 128, 4600),
    _hours("OpenCLIP ViT-B/16 LAION-400M", "ViT-B-16", 176, 10_700),
    _hours("OpenCLIP ViT-B/16+ 240 LAION-400M", "ViT-B-16-plus-240", 224, 13_620),
    _hours("OpenCLIP ViT-L/14 LAION-400M", "ViT-L-14", 400, 50_800, checkpointing=True),
    _rate("scaling laws ViT-B/32, 3B pairs", "ViT-B-32", 344, 6 * 407_332_084, 219_759),
    _rate("scaling laws ViT-B/16, 3B pairs", "ViT-B-16", 344, 6 * 407_332_084, 136_371),
    _rate("scaling laws ViT-L/14, 3B pairs", "ViT-L-14", 396, 6 * 407_332_084, 40_027),
    _rate("scaling laws ViT-L/14, 200 GPUs", "ViT-L-14", 200, 163 * 80_000_415, 35_525),
    _rate("OpenCLIP ViT-B/32 LAION-2B", "ViT-B-32", 824, 256 * 135_646_078, 187_872),
    _rate("OpenCLIP ViT-L/14 LAION-2B", "ViT-L-14", 384, 160 * 200_000_000, 27_862),
    _rate("OpenCLIP ViT-H/14 LAION-2B", "ViT-H-14", 824, 256 * 135_646_078, 34_608),
    _rate("OpenCLIP ViT-g/14 LAION-2B", "ViT-g-14", 800, 90 * 135_646_078, 24_800),
    _rate("OpenCLIP ViT-bigG/14, unmasked part", "ViT-bigG-14", 512, 2e9, 10_450, BIG_G, kept=False),
    _rate("NeMo ViT-g/14, a rate", "ViT-g-14", 128, 32 * 400e6, 8_633, NEMO),
    _rate("NeMo ViT-g/14, a rate", "ViT-g-14", 128, 32 * 400e6, 13_829, NEMO, on="h100"),
    PublishedRun("SigLIP ViT-B/16", "ViT-B-16-SigLIP", "tpu-v4", 16, None, 3, False, SIGLIP),
)


@dataclass(frozen=True)
class Law:
    """Utilisation grows with the work of one pair, as a power: large products fill an accelerator, and feeding it matters
    less. at_one_gflop: for a pair whose forward pass takes 10^9 operations."""

    at_one_gflop: float
    exponent: float

    def utilisation(self, model: str) -> float:
        """The expected share of the peak for a model."""
        share: float = self.at_one_gflop * (towers(model).forward_flops / 1e9) ** self.exponent
        return min(share, MOST_UTILISATION)


def fit(runs: Sequence[PublishedRun]) -> Law:
    """The law that fits runs best: least squares over the logarithms."""
    known = [(towers(run.model).forward_flops / 1e9, run.utilisation) for run in runs]
    points = [(math.log(work), math.log(share)) for work, share in known if share is not None]
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / sum((x - mean_x) ** 2 for x, _ in points)
    return Law(math.exp(mean_y - slope * mean_x), slope)


@cache
def law() -> Law:
    """The law of all published runs."""
    return fit(RUNS)


@dataclass(frozen=True)
class Comparison:
    """A published run beside what is estimated for it from all other runs. error: of the days, as a share; None where the run
    cannot be compared."""

    run: PublishedRun
    estimated_days: float | None
    error: float | None


@cache
def comparisons() -> tuple[Comparison, ...]:
    """Every published run, each estimated without itself."""
    found = []
    for run in RUNS:
        share = run.utilisation
        if share is None or run.days is None:
            found.append(Comparison(run, None, None))
            continue
        expected = fit([other for other in RUNS if other is not run]).utilisation(run.model)
        found.append(Comparison(run, run.days * share / expected, share / expected - 1))
    return tuple(found)


@cache
def spread() -> tuple[float, float]:
    """The factors on an estimate of days between which the middle eight tenths of the published runs lie."""
    factors = [1 / (1 + each.error) for each in comparisons() if each.error is not None]
    tenths = quantiles(factors, n=10, method="inclusive")
    return tenths[0], tenths[-1]
