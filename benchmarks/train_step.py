"""Speed of a training step of ViT-B/32 (forward, backward, AdamW), compared with OpenCLIP's.

    SEESAY_PEERS=python benchmarks/train_step.py [--batch 32] [--quick] [--json]

Everybody runs in the interpreter that SEESAY_PEERS names (open_clip), in the same torch, float32, each in a process of its own,
in turns, over the same pictures and captions of about a dozen tokens. OpenCLIP: its model, ClipLoss and its trainer's AdamW; it
pads texts to 77. Us: the trainer's own step, from levels and texts to new weights, with texts padded alike, and as it does
otherwise, with padding left out.

Goals: 1.2 times OpenCLIP's samples a second with padded texts, 1.5 times without padding.
"""

from functools import partial

from benchmark import Goal, Result, Table, run
from peer import Peer
from rounds import interleave

KINDS = {"open_clip": "OpenCLIP", "padded": "seesay, texts padded to 77", "trimmed": "seesay, padding left out"}
PADDED_GOAL, TRIMMED_GOAL = 1 / 1.2, 1 / 1.5


def measure(quick: bool, batch: tuple[int, ...]) -> Result:
    if not Peer.given():
        return Result(notes=["SEESAY_PEERS names no interpreter with open_clip: nothing is compared."])
    count = 8 if quick else batch[0]
    peers = {kind: Peer("train_process.py", kind, str(count)) for kind in KINDS}
    losses: dict[str, float] = {}

    def step(kind: str) -> None:
        losses[kind] = float(peers[kind].run("step"))

    # The threads of the contender before wait for work in a loop for a moment.
    times = interleave({kind: partial(step, kind) for kind in KINDS}, 2 if quick else 8, warm_ups=2, rest=0.3)
    for peer in peers.values():
        peer.close()
    theirs = times["open_clip"]
    rows: list[tuple[str, ...]] = [
        (KINDS[kind], f"{t.median:.2f}", f"{count / t.median:.1f}", f"{count / t.best:.1f}", f"{theirs.median / t.median:.2f}")
        for kind, t in times.items()
    ]
    header = ("", "median s", "samples/s", "best samples/s", "times OpenCLIP")
    ratios = {kind: times[kind].over(theirs) for kind in ("padded", "trimmed")}
    return Result(
        figures={"batch": count, "time_ratios": ratios, "seconds": {kind: t.to_json() for kind, t in times.items()}},
        tables=[Table(f"A step of {count} pairs", header, rows)],
        goals=[
            Goal("training step, padded texts, time over OpenCLIP's", ratios["padded"], PADDED_GOAL),
            Goal("training step, padding left out, time over OpenCLIP's", ratios["trimmed"], TRIMMED_GOAL),
        ],
    )


if __name__ == "__main__":
    run("train_step", __doc__ or "", measure, numbers={"batch": (32,)})
