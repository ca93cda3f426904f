"""Views of a drawing, waves of pixels, and the eye."""

import numpy as np
import pytest
import torch

import seesay
from seesay.errors import MissingCapability
from seesay.generation.drawing.eye import Eye
from seesay.generation.drawing.fourier import FourierPicture
from seesay.generation.drawing.views import Views, blurred, plain
from seesay.images.spec import ImageSpec
from seesay.model import Model
from tests.parity.test_checkpoints import DATA

SPEC = ImageSpec(48, "shortest", 48, "bicubic", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
STILL = Views(count=2, scale=(1, 1), perspective=0, turn=0, blur=0, colour=0, noise=0)


def picture(size: int = 48) -> torch.Tensor:
    return torch.rand(3, size, size, generator=torch.Generator().manual_seed(3))


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_views_without_changes_are_the_picture_as_the_tower_takes_it() -> None:
    seen = STILL.of(picture(), SPEC, generator())
    assert seen.shape == (2, 3, 48, 48)
    torch.testing.assert_close(seen[1:], plain(picture(), SPEC), atol=1e-4, rtol=0)
    mean, std = (torch.tensor(values)[:, None, None] for values in (SPEC.mean, SPEC.std))
    torch.testing.assert_close(seen[0] * std + mean, picture(), atol=1e-5, rtol=0)


def test_views_differ_from_each_other_and_are_the_same_for_a_seed() -> None:
    first, again, other = (Views(count=3).of(picture(), SPEC, generator(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert (first[0] - first[1]).abs().mean() > 0.1


def test_views_of_two_pictures_are_the_same_views() -> None:
    one, other = Views(count=4).of_each([picture(), picture()], SPEC, generator(), side=32)
    assert one.shape == (4, 3, 32, 32)
    assert torch.equal(one, other)


def test_around_a_picture_is_white() -> None:
    small = Views(count=1, scale=(3, 3), perspective=0, turn=0, blur=0, colour=0, noise=0)
    seen = small.of(torch.zeros(3, 48, 48), SPEC, generator())[0] * torch.tensor(SPEC.std)[:, None, None]
    levels = seen + torch.tensor(SPEC.mean)[:, None, None]
    assert levels[:, 2, 2].tolist() == pytest.approx([1, 1, 1])
    assert levels[:, 24, 24].tolist() == pytest.approx([0, 0, 0], abs=1e-6)


def test_a_view_may_be_mirrored() -> None:
    mirrored = Views(count=16, scale=(1, 1), perspective=0, turn=0, flip=True, blur=0, colour=0, noise=0)
    seen = mirrored.of(picture(), SPEC, generator())
    upright = plain(picture(), SPEC)[0]
    assert {bool((view - upright).abs().max() < 1e-3) for view in seen} == {True, False}
    for view in seen:
        assert min((view - upright).abs().max(), (view.flip(2) - upright).abs().max()) < 1e-3


def test_a_low_pass_keeps_the_mean_and_takes_detail() -> None:
    pictures = torch.stack([picture(), picture()])
    soft = blurred(pictures, torch.tensor([0.0, 3.0]))
    torch.testing.assert_close(soft[0], pictures[0], atol=1e-5, rtol=0)
    assert soft[1].std() < 0.3 * pictures[1].std()
    assert float(soft[1].mean()) == pytest.approx(float(pictures[1].mean()), abs=0.02)


def test_gradients_pass_through_all_changes() -> None:
    drawn = picture().requires_grad_()
    Views(count=2).of(drawn, SPEC, generator()).square().sum().backward()  # type: ignore[no-untyped-call]
    assert drawn.grad is not None
    assert (drawn.grad != 0).float().mean() > 0.9


def test_waves_are_the_picture_that_they_were_made_of() -> None:
    waves = FourierPicture.of(0.1 + 0.8 * picture())
    torch.testing.assert_close(waves.picture(), 0.1 + 0.8 * picture(), atol=1e-4, rtol=0)
    grey = FourierPicture.random(48, generator()).picture()
    assert (grey - 0.5).abs().max() < 0.1


@pytest.mark.parametrize("which", ["tiny", "convolutions"])
def test_an_eye_sees_as_its_model_does(which: str, request: pytest.FixtureRequest) -> None:
    model: Model = request.getfixturevalue(which)
    side = model.image_spec.size_px
    levels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    drawn = torch.from_numpy(levels.transpose(2, 0, 1).astype(np.float32) / 255)
    eye = Eye(model)
    vector, states = eye.vectors_and_states(plain(drawn, model.image_spec))
    np.testing.assert_allclose(vector.numpy(), model.encode_image(levels), atol=1e-5)
    assert torch.equal(vector, eye.vectors(plain(drawn, model.image_spec)))
    hidden = model.engine.hidden_pixels(model.preprocess(levels))
    flat = [each[0].reshape(len(each[0]), -1) if each.ndim == 4 else each[0].T for each in hidden]
    assert any(each.shape == states[0][0].shape and np.allclose(states[0][0], each, atol=1e-4) for each in flat)


@pytest.mark.parametrize(
    "name", ["hf-clip-5", "open-clip-resnet", "hf-siglip-5", "eva-clip-02", "hf-align-5", "hf-chinese-clip-5"]
)
def test_gradients_reach_a_drawing_through_any_family(name: str) -> None:
    eye = Eye(seesay.load(DATA / name, engine="torch"))
    drawn = picture(64).requires_grad_()
    vectors, states = eye.vectors_and_states(Views(count=2).of(drawn, eye.spec, generator(), eye.sides[0]))
    assert vectors.norm(dim=1).tolist() == pytest.approx([1, 1], abs=1e-5)
    for value in (vectors[:, 0].sum(), *(state.sum() for state in states)):
        (gradient,) = torch.autograd.grad(value, drawn, retain_graph=True)
        assert gradient.abs().sum() > 0


def test_a_model_without_gradients_cannot_draw(fake: Model) -> None:
    with pytest.raises(MissingCapability, match="engine='torch'"):
        Eye(fake)
