"""torch's number of threads: what is said counts, and what nobody said follows the free cores."""

from collections.abc import Iterator

import pytest
import torch

import seesay
from seesay.compat import clip, hf, open_clip
from seesay.engines import threads
from seesay.engines.threads import VARIABLES, Threads
from seesay.errors import InputError
from seesay.training.device import prepare_device


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """[how many cores are free], of four; torch begins with four threads."""
    before = torch.get_num_threads()
    count = [4]

    class Counted:
        def count(self) -> int:
            return count[0]

    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(threads, "_free", Counted())
    monkeypatch.setattr(threads, "_DEFAULT", 4)
    torch.set_num_threads(4)
    threads._last.threads = 4
    yield count
    torch.set_num_threads(before)
    threads._last.threads = threads._Last.anywhere = before


def test_threads_follow_the_free_cores(free: list[int]) -> None:
    threads = Threads()
    for count in (4, 1, 3):
        free[0] = count
        threads.apply()
        assert torch.get_num_threads() == count
    free[0] = 64  # torch's own default is the most: it knows hyper-threads
    threads.apply()
    assert torch.get_num_threads() == 4


def test_training_begins_with_torchs_own_number(free: list[int]) -> None:
    free[0] = 1
    Threads().apply()
    assert torch.get_num_threads() == 1
    prepare_device("cpu", None)
    assert torch.get_num_threads() == 4
    torch.set_num_threads(3)  # said by someone else
    prepare_device("cpu", None)
    assert torch.get_num_threads() == 3


def test_a_number_that_was_said_stays(free: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    free[0] = 1
    Threads(3).apply()
    assert torch.get_num_threads() == 3
    Threads().apply()  # another model's number is no wish of whoever runs this one
    assert torch.get_num_threads() == 1
    torch.set_num_threads(2)
    Threads().apply()
    assert torch.get_num_threads() == 2
    torch.set_num_threads(threads._last.threads)
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    free[0] = 3
    Threads().apply()
    assert torch.get_num_threads() == 1


def test_models_take_threads_and_use_them_when_they_run() -> None:
    model, _ = clip.load("bundled", "cpu", threads=3)
    pixels = torch.zeros(1, 3, model.visual.input_resolution, model.visual.input_resolution)  # type: ignore[arg-type]
    model.encode_image(pixels)
    assert torch.get_num_threads() == 3
    other = open_clip.create_model_from_pretrained("bundled", threads=2)[0]
    other.encode_text(open_clip.get_tokenizer("bundled")(["a dog"]))
    assert torch.get_num_threads() == 2
    model.encode_text(clip.tokenize(["a dog"]))
    assert torch.get_num_threads() == 3
    third = hf.CLIPModel.from_pretrained("bundled", threads=1)
    third.get_image_features(pixels)
    assert torch.get_num_threads() == 1
    seesay.load(engine="torch", threads=2).encode_text("a dog")
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("wrong", [0, -1])
def test_fewer_than_one_are_refused_wherever_they_are_said(wrong: int) -> None:
    message = f"threads: expected at least 1, got {wrong}"
    for call in (
        lambda: seesay.load(threads=wrong),
        lambda: seesay.load(engine="torch", threads=wrong),
        lambda: clip.load("bundled", threads=wrong),
        lambda: open_clip.create_model("bundled", threads=wrong),
        lambda: open_clip.create_model_and_transforms("bundled", threads=wrong),
        lambda: hf.CLIPModel.from_pretrained("bundled", threads=wrong),
    ):
        with pytest.raises(InputError, match=message):
            call()
