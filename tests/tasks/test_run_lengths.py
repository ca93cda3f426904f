"""Run lengths are those of COCO's tools, and give the mask back."""

import numpy as np
import pytest

from seesay.tasks.run_lengths import RunLengths, from_run_lengths, to_run_lengths

# Made with pycocotools 2.0.11: mask.encode(np.asfortranarray(mask)).
CROSS = np.array([[0, 1, 1], [1, 1, 0]], dtype=bool)
FRAME = np.zeros((30, 40), dtype=bool)
FRAME[2:25, 3:39] = True
FRAME[5:10, 5:15] = False
ENCODED = {
    "141": CROSS,
    "06": np.ones((2, 3), dtype=bool),
    "6": np.zeros((2, 3), dtype=bool),
    r"l2g0700\ON<2DN<2DN<2DN<2DN<2DN<2DN<2DN<2DN<2DN<280000000000000000000000000000000000000000000000l0": FRAME,
}


@pytest.mark.parametrize(("counts", "mask"), ENCODED.items())
def test_equal_those_of_pycocotools(counts: str, mask: np.ndarray) -> None:
    assert to_run_lengths(mask) == {"size": list(mask.shape), "counts": counts}


def test_give_the_mask_back() -> None:
    generator = np.random.default_rng(0)
    for share in (0, 0.02, 0.5, 0.98, 1):
        for shape in ((1, 1), (1, 70), (70, 1), (13, 17), (300, 200)):
            mask = generator.random(shape) < share
            assert (from_run_lengths(to_run_lengths(mask)) == mask).all()


@pytest.mark.parametrize("counts", ["", "5", "7", "14", "06" * 3])
def test_runs_that_do_not_fill_the_size_are_refused(counts: str) -> None:
    with pytest.raises(ValueError, match="runs of 6 pixels"):
        from_run_lengths(RunLengths(size=[2, 3], counts=counts))
