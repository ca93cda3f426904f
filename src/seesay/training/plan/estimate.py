"""The estimate of a run: operations, days, machines, storage and network, by arithmetic alone."""

from dataclasses import dataclass

from seesay.errors import InputError
from seesay.training.plan.accelerators import Fleet
from seesay.training.plan.computation import TRAINING_STATE_BYTES, Towers, towers
from seesay.training.plan.runs import DAY_S, law, spread

BATCH = 32_768  # CLIP's (Radford and others 2021, section 2.5)
PICTURE_PX = 256
# Of a pair in img2dataset's shards: LAION-400M at 256 px is 10 TB for 400 million, LAION-5B at 384 px 220 TB for 5.86 billion
# (rom1504/img2dataset, dataset_examples). Both are 98 bytes for each pixel of the shorter side.
SHARD_BYTES_PER_PX = 98
# A tar file keeps for the picture, its caption and its record a header each, and fills each up to a multiple of 512 bytes.
TAR_BYTES = 3 * 512 + 256 + 512 + 1024
F16_BYTES = 2
INDEX_LINKS = 32  # of a vector in usearch's lowest layer with its default connectivity of 16, four bytes each
LINK_BYTES = 4


@dataclass(frozen=True)
class Storage:
    """Bytes of a data set. pictures: as JPEG files; shards: the same in tar files with their captions; embeddings: of pictures
    and texts, float16; index: of the pictures, 8 bits a number, with its graph of neighbours."""

    pictures: float
    shards: float
    embeddings: float
    index: float


@dataclass(frozen=True)
class Plan:
    """What a run takes. flops: operations of the whole run; days_low, days_high: within which eight of ten published runs lie;
    utilisation: the share of the accelerators' peak that the days assume; feed_bytes_per_s: what reading the shards takes."""

    towers: Towers
    fleet: Fleet
    pairs: int
    epochs: float
    batch: int
    checkpointing: bool
    picture_px: int
    utilisation: float
    flops: float
    days: float
    days_low: float
    days_high: float
    storage: Storage
    feed_bytes_per_s: float

    @property
    def pairs_per_s(self) -> float:
        """Pairs a second, of the whole fleet."""
        return self.pairs * self.epochs / (self.days * DAY_S)

    @property
    def steps(self) -> int:
        """Updates of the weights."""
        return max(1, round(self.pairs * self.epochs / self.batch))

    @property
    def state_bytes(self) -> int:
        """Memory of weights, gradients and the optimizer on each accelerator, before any activation."""
        return TRAINING_STATE_BYTES * self.towers.parameters


def storage(pairs: int, dim: int, picture_px: int = PICTURE_PX) -> Storage:
    """What a data set takes, with vectors of a length."""
    shard = SHARD_BYTES_PER_PX * picture_px
    return Storage(
        pictures=pairs * float(shard - TAR_BYTES),
        shards=pairs * float(shard),
        embeddings=pairs * 2.0 * dim * F16_BYTES,
        index=pairs * float(dim + INDEX_LINKS * LINK_BYTES),
    )


def plan(
    model: str,
    pairs: int,
    fleet: Fleet,
    *,
    epochs: float = 32,
    batch: int = BATCH,
    checkpointing: bool = False,
    picture_px: int = PICTURE_PX,
    utilisation: float | None = None,
) -> Plan:
    """The plan of a run.

    utilisation: the share of the accelerators' peak, where it is known better than from published runs
    (`runs.law`); the range of days is then that estimate alone. Raises InputError.
    """
    _check({"pairs": pairs, "epochs": epochs, "batch": batch}, picture_px, utilisation)
    made_of = towers(model)
    share = utilisation or law().utilisation(made_of.name)
    flops = made_of.pair_flops(checkpointing=checkpointing) * pairs * epochs
    days = flops / (share * fleet.count * fleet.accelerator.peak_flops) / DAY_S
    low, high = (1.0, 1.0) if utilisation else spread()
    stored = storage(pairs, made_of.dim, picture_px)
    return Plan(
        made_of,
        fleet,
        pairs,
        epochs,
        batch,
        checkpointing,
        picture_px,
        share,
        flops,
        days,
        days * low,
        days * high,
        stored,
        stored.shards * epochs / (days * DAY_S),
    )


def _check(positive: dict[str, float], picture_px: int, utilisation: float | None) -> None:
    for name, value in positive.items():
        if value <= 0:
            raise InputError(f"expected {name} above 0, got {value}", parameter=name)
    if utilisation is not None and not 0 < utilisation <= 1:
        raise InputError(f"expected a utilisation above 0 and at most 1, got {utilisation}", parameter="utilisation")
    if picture_px < 64:
        raise InputError(f"expected a picture_px of at least 64, got {picture_px}", parameter="picture_px")
