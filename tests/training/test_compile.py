"""`compile = true`: the same training, compiled; names of weights, recomputing, frozen parts and resuming stay as they are."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

import seesay
from seesay.errors import InputError
from seesay.models.layers import compilation
from seesay.models.layers.compilation import check_compiler, compile_blocks
from seesay.models.layers.recompute import recompute_blocks
from seesay.training.accumulation import contrastive_step
from seesay.training.setup import set_up
from seesay.training.trainer import train
from tests.models.test_towers import make
from tests.training.conftest import Make
from tests.training.test_short_inputs import WITH_TEXTS
from tests.training.test_trainer import STARTED, Records, Stop, losses, weights_of

pytestmark = pytest.mark.filterwarnings(  # torch's own, which it hides from everybody but pytest
    "ignore:The .grad attribute of a Tensor", "ignore:`torch.jit.script_method` is deprecated"
)
BACKEND = "aot_eager"  # traced and differentiated as for inductor, without waiting for a C++ compiler


def tower_of(name: str) -> tuple[Any, Any]:
    """A small tower and inputs of it."""
    return make(name)[1:]


def gradients(tower: Any, inputs: torch.Tensor) -> list[torch.Tensor]:
    tower.zero_grad()
    tower(inputs).square().sum().backward()
    return [parameter.grad.clone() for parameter in tower.parameters() if parameter.grad is not None]


@pytest.fixture(autouse=True)
def nothing_compiled() -> Any:
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["vit", "eva", "siglip", "resnet", "text-mlp", "bert", "cbow-mlp"])
@pytest.mark.parametrize("recompute", [False, True])
def test_a_compiled_tower_computes_the_same(name: str, recompute: bool) -> None:
    tower, inputs = tower_of(name)
    expected, names = gradients(tower.train(), inputs), list(tower.state_dict())
    inference = tower.eval()(inputs)
    tower, inputs = tower_of(name)
    compile_blocks(tower, BACKEND)
    if recompute:
        recompute_blocks(tower)
    assert list(tower.state_dict()) == names == [name for name in names if "_orig_mod" not in name]
    torch._dynamo.utils.counters.clear()
    found = gradients(tower.train(), inputs)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0  # something was compiled
    for one, other in zip(found, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(tower.eval()(inputs), inference, rtol=1e-5, atol=1e-6)  # batch norms counted once


def test_batch_norms_of_a_compiled_tower_count_a_batch_in_parts_once() -> None:
    """The first pass over the parts leaves no trace, though compiled code tells no hook which modules it runs."""
    states = []
    for backend in (None, BACKEND):
        tower, inputs = tower_of("resnet")
        if backend is not None:
            compile_blocks(tower, backend)
        tower.train()

        def encode(pixels: torch.Tensor, tower: Any = tower) -> tuple[torch.Tensor, torch.Tensor]:
            return tower(pixels), tower(pixels).detach()

        contrastive_step(encode, list(inputs.split(2)), lambda images, texts: (images @ texts.T).sum())
        states.append(tower.state_dict())
    for name, plain in states[0].items():
        torch.testing.assert_close(states[1][name], plain, rtol=1e-5, atol=1e-6)


def test_all_lengths_of_texts_and_all_modes_are_compiled() -> None:
    """torch compiles eight variants of a piece of code and then silently no more, unless it is allowed to."""
    image, pixels = tower_of("vit")
    text, _ = tower_of("text-mlp")
    torch._dynamo.utils.counters.clear()
    for tower in (image, text):
        compile_blocks(tower, BACKEND)
        tower.train()
    for length in (2, 3, 4):
        ids = torch.full((4, length), 7)
        ids[:, -1] = 39
        with torch.autocast("cpu", dtype=torch.bfloat16):
            gradients(text, ids)
        gradients(text, ids)
        with torch.no_grad():
            text(ids)
    for share in (0.0, 0.5):
        image.patch_dropout = share
        gradients(image, pixels)
        with torch.no_grad():
            image(pixels)
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 8
    assert not torch._dynamo.utils.counters["unimplemented"]


def test_frozen_groups_stay_where_they_are(world: Path, recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, BACKEND)
    started = STARTED.replace("unlocked_groups = 1", "unlocked_groups = 2", 1)
    settings = ("steps=2", "compile=true", "data.augment.crop_scale=[0.5,1.0]")
    before = {name: value.clone() for name, value in set_up(recipe(towers=started)).clip.state_dict().items()}
    train(recipe(*settings, towers=started))
    after = weights_of(world / "run")
    assert after.keys() == before.keys()
    moved = {name for name in before if name.startswith("image.") and not torch.equal(before[name], after[name])}
    assert "image.projection.weight" in moved
    assert not any(name.startswith(("image.stem", "image.blocks.0.")) for name in moved)


def test_a_compiled_run_is_the_run_and_resumes(world: Path, recipe: Make, records: Records, monkeypatch: Any) -> None:
    use(monkeypatch, BACKEND)
    sets = ("steps=6", "checkpoints.every=3", "model.image.patch_dropout=0.5", "model.text.recompute=true")
    train(recipe(*sets, "out=plain", towers=WITH_TEXTS))
    compiled = train(recipe(*sets, "compile=true", "out=compiled", towers=WITH_TEXTS))
    plain = losses(records(world / "plain"))
    assert losses(records(world / "compiled")) == pytest.approx(plain, rel=1e-4)
    assert weights_of(world / "compiled").keys() == weights_of(world / "plain").keys()
    assert compiled.model is not None
    assert seesay.load(compiled.model).config.dim == 24  # its graphs were exported, and agree with torch
    train(recipe(*sets, "out=broken", towers=WITH_TEXTS), observer=Stop(after=3))
    train(recipe(*sets, "compile=true", "out=broken", towers=WITH_TEXTS), resume=True)  # one may be resumed as the other
    assert losses(records(world / "broken")) == pytest.approx(plain, rel=1e-4)


@pytest.mark.skipif(shutil.which("g++") is None, reason="there is no C++ compiler")
def test_inductor_compiles_a_step(recipe: Make, world: Path, records: Records) -> None:
    sets = ("steps=2", "model.image.config.depth=1")
    train(recipe(*sets, "out=plain"))
    train(recipe(*sets, "compile=true", "out=compiled"))
    assert losses(records(world / "compiled")) == pytest.approx(losses(records(world / "plain")), rel=1e-4)


def test_no_compiler_is_told_before_anything_else(recipe: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch._inductor.config.cpp, "cxx", ("no-such-compiler",))
    monkeypatch.setattr(compilation, "_sum", lambda x: x - x)  # nothing that the cache of compiled code could hold
    with torch._inductor.config.patch(force_disable_caches=True):
        with pytest.raises(InputError, match=r"compile: expected a compiler for cpu, found none .* apt install g\+\+"):
            set_up(recipe("compile=true"))
        with pytest.raises(InputError, match="Without compile the run computes the same"):
            check_compiler(torch.device("cpu"))


def use(monkeypatch: pytest.MonkeyPatch, backend: str) -> None:
    """Lets `compile = true` use another backend of torch.compile."""
    compile_with = torch.compile
    monkeypatch.setattr(torch, "compile", lambda f, **options: compile_with(f, **(options | {"backend": backend})))
