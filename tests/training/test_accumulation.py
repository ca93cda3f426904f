"""Chunks give the gradient of the whole batch, with dropout and batch statistics too."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seesay.errors import InputError
from seesay.training.accumulation import contrastive_step
from seesay.training.losses import info_nce, sigmoid_loss

Part = tuple[Tensor, Tensor]


class Towers(nn.Module):
    """Two small towers and the scale, with what makes two passes differ where it is asked for."""

    def __init__(self, *, dropout: float = 0.0, norm: bool = False) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.image = nn.Sequential(
            nn.Linear(6, 8), nn.BatchNorm1d(8) if norm else nn.Identity(), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 5)
        )
        self.text = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 5))
        self.logit_scale = nn.Parameter(torch.tensor(2.0))

    def encode(self, part: Part) -> Part:
        images, texts = self.image(part[0]), self.text(part[1])
        return F.normalize(images, dim=-1), F.normalize(texts, dim=-1)

    def loss(self, images: Tensor, texts: Tensor) -> Tensor:
        return info_nce(images, texts, self.logit_scale.exp(), tile=4)

    def gradients(self) -> list[Tensor]:
        return [parameter.grad for parameter in self.parameters() if parameter.grad is not None]


def parts(*sizes: int, dtype: torch.dtype = torch.float64) -> list[Part]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(n, 6, dtype=dtype, generator=generator), torch.randn(n, 4, dtype=dtype, generator=generator))
        for n in sizes
    ]


def whole(given: list[Part]) -> Part:
    images, texts = (torch.cat(side) for side in zip(*given, strict=True))
    return images, texts


@pytest.mark.parametrize(("dtype", "exactness"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
@pytest.mark.parametrize("sizes", [(7, 7, 3), (1, 16), (17,)])
def test_parts_give_the_gradient_of_the_whole_batch(dtype: torch.dtype, exactness: float, sizes: tuple[int, ...]) -> None:
    at_once, in_parts = Towers().to(dtype), Towers().to(dtype)
    given = parts(*sizes, dtype=dtype)
    expected = at_once.loss(*at_once.encode(whole(given)))
    expected.backward()
    loss = contrastive_step(in_parts.encode, given, in_parts.loss)
    assert not loss.requires_grad
    torch.testing.assert_close(loss, expected.detach(), rtol=0, atol=exactness)
    assert len(in_parts.gradients()) == len(list(in_parts.parameters()))
    for actual, expected in zip(in_parts.gradients(), at_once.gradients(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=exactness)


def kept_whole(model: Towers, given: list[Part], loss: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """What contrastive_step must equal: every part encoded once, all of them held for one backward."""
    value = loss(*whole([model.encode(part) for part in given]))
    value.backward()
    return value.detach()


def test_dropout_falls_alike_in_both_passes() -> None:
    reference, model = Towers(dropout=0.5).double(), Towers(dropout=0.5).double()
    given = parts(6, 5, 4)
    torch.manual_seed(7)
    expected = kept_whole(reference, given, reference.loss)
    after = torch.rand(3)
    torch.manual_seed(7)
    loss = contrastive_step(model.encode, given, model.loss)
    torch.testing.assert_close(torch.rand(3), after)  # and nobody later draws other numbers than without
    torch.testing.assert_close(loss, expected)
    for actual, expected in zip(model.gradients(), reference.gradients(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_random_numbers_of_the_loss_are_not_drawn_again() -> None:
    model = Towers(dropout=0.5).double()
    torch.manual_seed(7)
    drawn = []

    def loss(images: Tensor, texts: Tensor) -> Tensor:
        drawn.append(torch.rand(1))
        return model.loss(images, texts)

    contrastive_step(model.encode, parts(4, 4), loss)
    assert torch.rand(1) != drawn[0]


def test_batch_norm_counts_every_part_once() -> None:
    reference, model = Towers(dropout=0.3, norm=True).double(), Towers(dropout=0.3, norm=True).double()
    given = parts(6, 5, 4)
    torch.manual_seed(7)
    kept_whole(reference, given, reference.loss)
    torch.manual_seed(7)
    contrastive_step(model.encode, given, model.loss)
    for (name, actual), expected in zip(model.named_buffers(), reference.buffers(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12, msg=name)
    assert int(model.image[1].num_batches_tracked) == 3
    for actual, expected in zip(model.gradients(), reference.gradients(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_a_buffer_that_is_replaced_is_put_back() -> None:
    class Counting(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.register_buffer("calls", torch.zeros(()))

        def forward(self, x: Tensor) -> Tensor:
            self.calls = self.calls + 1
            return x

    model = Towers().double()
    model.text.append(Counting())
    contrastive_step(model.encode, parts(4, 4, 4), model.loss)
    assert model.text[-1].calls == 3


def test_buffers_come_back_after_an_error() -> None:
    model = Towers(norm=True).double()
    with pytest.raises(RuntimeError):
        contrastive_step(model.encode, [parts(4)[0], (torch.zeros(4, 9), torch.zeros(4, 4))], model.loss)
    assert int(model.image[1].num_batches_tracked) == 0
    model.encode(parts(4)[0])
    assert int(model.image[1].num_batches_tracked) == 1  # no hook stayed behind


def test_a_locked_tower_gets_no_gradient() -> None:
    reference, model = Towers().double(), Towers().double()
    for towers in (reference, model):
        towers.image.requires_grad_(False)
    given = parts(5, 4)
    kept_whole(reference, given, reference.loss)
    contrastive_step(model.encode, given, model.loss)
    assert all(parameter.grad is None for parameter in model.image.parameters())
    for actual, expected in zip(model.gradients(), reference.gradients(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0, atol=1e-12)


def test_gradients_add_to_those_that_are_there() -> None:
    once, twice = Towers().double(), Towers().double()
    given = parts(5, 4)
    bias = torch.tensor(-3.0, dtype=torch.float64)
    for model, times in ((once, 1), (twice, 2)):
        for _ in range(times):
            contrastive_step(model.encode, given, lambda i, t, model=model: sigmoid_loss(i, t, model.logit_scale.exp(), bias))
    for one, two in zip(once.gradients(), twice.gradients(), strict=True):
        torch.testing.assert_close(2 * one, two)


def test_weights_learn_under_one_autocast() -> None:
    reference, model = Towers(), Towers()
    given = parts(5, 4, dtype=torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        kept_whole(reference, given, reference.loss)
        contrastive_step(model.encode, given, model.loss)
    assert len(model.gradients()) == len(list(model.parameters()))
    for actual, expected in zip(model.gradients(), reference.gradients(), strict=True):
        torch.testing.assert_close(actual, expected, rtol=0.02, atol=0.02 * float(expected.abs().max()))


def test_no_parts_are_an_input_error() -> None:
    model = Towers()
    with pytest.raises(InputError, match="at least one part"):
        contrastive_step(model.encode, [], model.loss)
