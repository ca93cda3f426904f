from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest

import seesay
from seesay.engines.fake import FakeEngine
from seesay.errors import InputError
from seesay.evaluation.features import picture_features, text_features
from seesay.model import Model
from seesay.system.cache import cache_dir
from tests.conftest import Paint, is_root


@dataclass
class Counted:
    """A fake model, and how many pictures and texts its towers were given."""

    model: Model
    pictures: int = 0
    texts: int = 0
    progress: list[tuple[str, int, int]] = field(default_factory=list)

    def show(self, what: str, done: int, total: int) -> None:
        self.progress.append((what, done, total))


@pytest.fixture
def counted(fake: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Counted]:
    counts = Counted(fake)
    pixels, tokens = FakeEngine.encode_pixels, FakeEngine.encode_tokens

    def encode_pixels(engine: FakeEngine, values: np.ndarray) -> np.ndarray:
        counts.pictures += len(values)
        return pixels(engine, values)

    def encode_tokens(engine: FakeEngine, ids: np.ndarray) -> np.ndarray:
        counts.texts += len(ids)
        return tokens(engine, ids)

    monkeypatch.setattr(FakeEngine, "encode_pixels", encode_pixels)
    monkeypatch.setattr(FakeEngine, "encode_tokens", encode_tokens)
    return counts


def test_a_second_look_encodes_nothing(counted: Counted, paint: Paint) -> None:
    images = [paint("a.png", "red"), paint("b.png", "blue")]
    first = picture_features(counted.model, images, progress=counted.show)
    second = picture_features(counted.model, images)
    assert counted.pictures == 2
    assert counted.progress == [("pictures", 1, 2), ("pictures", 2, 2)]
    np.testing.assert_array_equal(first.vectors, counted.model.encode_image(images))
    np.testing.assert_array_equal(first.vectors, second.vectors)
    assert second.readable.tolist() == [0, 1]


def test_a_changed_file_another_space_and_another_build_are_encoded_again(counted: Counted, paint: Paint) -> None:
    images = [paint("a.png", "red")]
    picture_features(counted.model, images)
    paint("a.png", "blue", size=(50, 40))
    changed = picture_features(counted.model, images)
    assert counted.pictures == 2
    np.testing.assert_array_equal(changed.vectors, counted.model.encode_image(images))
    picture_features(counted.model.with_decode("fast"), images)
    picture_features(seesay.fake_model(space_id="0" * 32), images)
    assert counted.pictures == 5
    text_features(counted.model, ["red"])
    text_features(seesay.fake_model(space_id="0" * 32), ["red"])
    assert counted.texts == 2


@pytest.mark.parametrize("damage", ["cut", "flipped", "empty", "other"])
def test_a_damaged_cache_file_is_made_again(counted: Counted, paint: Paint, damage: str) -> None:
    images = [paint("a.png", "red"), paint("b.png", "blue")]
    right = picture_features(counted.model, images).vectors
    (file,) = (cache_dir() / "evaluation").iterdir()
    content = bytearray(file.read_bytes())
    if damage == "cut":
        content = content[: len(content) // 2]
    elif damage == "flipped":
        content[content.index(right.tobytes()) + 9] ^= 64
    elif damage == "empty":
        content = bytearray()
    if damage == "other":
        np.savez(file, vectors=right[:1], kept=np.array([7]), failed=np.frombuffer(b"{}", dtype=np.uint8))
    else:
        file.write_bytes(content)
    np.testing.assert_array_equal(picture_features(counted.model, images).vectors, right)
    assert counted.pictures == 4
    picture_features(counted.model, images)
    assert counted.pictures == 4, "the file was mended"
    assert [path.suffix for path in file.parent.iterdir()] == [".npz"], "nothing half-written stays"


def test_what_cannot_be_read_is_left_out_and_said_also_from_the_cache(counted: Counted, paint: Paint) -> None:
    good = paint("a.png", "red")
    bad = good.with_name("bad.png")
    bad.write_text("x")
    for _ in range(2):
        found = picture_features(counted.model, [bad, good, good.with_name("none.png")])
        assert found.readable.tolist() == [1]
        assert found.vectors.shape == (1, counted.model.dim)
        assert list(found.failed) == [str(bad), str(good.with_name("none.png"))]
        assert found.failed[str(good.with_name("none.png"))] == "no such file"
    assert counted.pictures == 1
    with pytest.raises(InputError, match=r"none of 1 pictures can be read; the first, .*bad.png: is not a picture"):
        picture_features(counted.model, [bad])


@pytest.mark.skipif(is_root(), reason="root may read everything")
def test_a_fault_that_may_pass_is_not_remembered(fake: Model, paint: Paint) -> None:
    good, locked = paint("a.png", "red"), paint("b.png", "red")
    locked.chmod(0)
    assert len(picture_features(fake, [good, locked]).failed) == 1
    locked.chmod(0o600)
    assert not picture_features(fake, [good, locked]).failed


def test_a_cache_that_cannot_be_written_costs_no_result(
    fake: Model, paint: Paint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SEESAY_CACHE", str(tmp_path / "file" / "below"))
    assert len(picture_features(fake, [paint("a.png", "red")]).vectors) == 1


def test_texts_are_encoded_once_and_cut_ones_counted(counted: Counted) -> None:
    texts = ["red", "a b c d e f g h i j", "blue"]
    for _ in range(2):
        found = text_features(counted.model, texts, progress=counted.show)
        assert found.truncated == 1
    assert counted.texts == 3
    assert counted.progress[-1] == ("texts", 3, 3)
    np.testing.assert_array_equal(found.vectors[[0, 2]], counted.model.encode_text(["red", "blue"]))
