import json
from dataclasses import dataclass
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seesay.errors import InputError
from seesay.images.spec import ImageSpec
from seesay.models.config import ModelConfig, make_space_id
from seesay.system.schema import from_json, to_json
from seesay.tokenizers.spec import TokenizerSpec


@dataclass(frozen=True)
class Cat:
    kind: Literal["cat"]
    lives: int

    def __post_init__(self) -> None:
        if self.lives > 9:
            raise ValueError("at most nine lives")


@dataclass(frozen=True)
class Dog:
    kind: Literal["dog"]
    good: bool = True


@dataclass(frozen=True)
class Home:
    pet: Cat | Dog
    rooms: tuple[float, ...]
    door: tuple[int, str]
    names: dict[str, str]
    note: str | None = None


GOOD = {"pet": {"kind": "dog"}, "rooms": [1, 2.5], "door": [3, "red"], "names": {"a": "b"}}


def test_reads_nested_tagged_and_optional_values() -> None:
    home = from_json(Home, GOOD, "home.json")
    assert home == Home(Dog("dog"), (1.0, 2.5), (3, "red"), {"a": "b"})
    assert from_json(Home, to_json(home), "again") == home


def test_reports_every_fault_at_once_with_near_names() -> None:
    bad = {"pet": {"kind": "cat", "lifes": 9}, "rooms": ["x"], "door": [1], "names": {}, "nose": None}
    with pytest.raises(InputError) as caught:
        from_json(Home, bad, "home.json")
    message = str(caught.value)
    assert message.startswith("home.json is not valid:")
    for part in (
        "pet.lifes: unknown key; did you mean 'lives'?",
        "pet.lives: missing",
        "rooms[0]: expected a number, got 'x'",
        "door: expected a list of 2 values",
        "nose: unknown key; did you mean 'note'?",
    ):
        assert part in message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pet": {"kind": "fish"}}, "pet.kind: expected one of 'cat', 'dog', got 'fish'"),
        ({"pet": 3}, "pet.kind: expected one of"),
        ({"pet": {"kind": ["cat"]}}, "pet.kind: expected one of 'cat', 'dog', got ['cat']"),
        ({"pet": {"kind": "cat", "lives": 10}}, "pet: expected at most nine lives"),
        ({"pet": {"kind": "cat", "lives": True}}, "pet.lives: expected a whole number, got True"),
        ({"names": {"a": 1}}, "names.a: expected a string, got 1"),
    ],
)
def test_wrong_types_are_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=None) as caught:
        from_json(Home, GOOD | change, "home.json")
    assert message in str(caught.value)


@given(st.integers(1, 4096), st.sampled_from(["shortest", "squash"]), st.floats(0, 1), st.sampled_from(["white", "drop"]))
def test_image_spec_survives_json(px: int, resize: str, mean: float, alpha: str) -> None:
    spec = ImageSpec(px, resize, px, "bicubic", (mean,) * 3, (1.0,) * 3, alpha)  # type: ignore[arg-type]
    assert from_json(ImageSpec, json.loads(json.dumps(to_json(spec))), "spec") == spec


def test_space_id_follows_everything_that_moves_vectors_and_nothing_else(bundled) -> None:  # type: ignore[no-untyped-def]
    config: ModelConfig = bundled.config
    parts = {"tokenizer": b"t", "sources": "s"}
    base = make_space_id(config.image, config.text, config.image_spec, config.tokenizer_spec, **parts)  # type: ignore[arg-type]
    assert len(base) == 32
    assert base == make_space_id(config.image, config.text, config.image_spec, config.tokenizer_spec, **parts)  # type: ignore[arg-type]
    assert base != make_space_id(
        config.image, config.text, config.image_spec, config.tokenizer_spec, tokenizer=b"u", sources="s"
    )
    other = ImageSpec(**{**config.image_spec.__dict__, "interpolation": "bilinear"})
    assert base != make_space_id(config.image, config.text, other, config.tokenizer_spec, **parts)  # type: ignore[arg-type]


def test_a_model_folder_cannot_ask_for_what_no_tower_takes() -> None:
    spec = to_json(ImageSpec(224, "shortest", 224, "bicubic", (0.5,) * 3, (0.5,) * 3))
    for change in ({"size_px": 10**9}, {"resize_px": 0}):
        with pytest.raises(InputError, match="expected sides of 1 to 10000 pixels"):
            from_json(ImageSpec, spec | change, "config.json")
    with pytest.raises(InputError, match="a context_length of at least 1 id, got 0"):
        TokenizerSpec(context_length=0, pad_id=0, padding="longest")
