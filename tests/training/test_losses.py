"""Every loss against its plain formula in float64: values, all gradients, and memory."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from seesay.errors import InputError
from seesay.training.losses import class_loss, embedding_distillation, info_nce, sigmoid_loss, similarity_distillation

STORED = Path(__file__).parent.parent / "parity" / "data" / "losses.json"
DIM = 24
Ids = dict[str, Tensor]


# The plain formulas, each with all logits at once.


def plain_positives(count: int, image_ids: Tensor | None = None, text_ids: Tensor | None = None) -> Tensor:
    positives = torch.eye(count, dtype=torch.bool)
    for ids in (image_ids, text_ids):
        if ids is not None:
            positives |= ids[:, None] == ids
    return positives


def plain_info_nce(images: Tensor, texts: Tensor, scale: Tensor, **ids: Tensor) -> Tensor:
    logits = scale * images @ texts.T
    positives = plain_positives(len(images), **ids).to(logits)
    rows = -(positives / positives.sum(1, keepdim=True) * logits.log_softmax(1)).sum(1).mean()
    columns = -(positives / positives.sum(0) * logits.log_softmax(0)).sum(0).mean()
    return (rows + columns) / 2


def plain_sigmoid(images: Tensor, texts: Tensor, scale: Tensor, bias: Tensor, **ids: Tensor) -> Tensor:
    signs = 2 * plain_positives(len(images), **ids).to(images) - 1
    return -F.logsigmoid(signs * (scale * images @ texts.T + bias)).sum() / len(images)


def plain_distillation(images: Tensor, texts: Tensor, scale: Tensor, *teacher: Tensor) -> Tensor:
    logits, expected_gradient = scale * images @ texts.T, teacher[2] * teacher[0] @ teacher[1].T
    both = (-(expected_gradient.softmax(dim) * logits.log_softmax(dim)).sum(dim).mean() for dim in (0, 1))
    return sum(both) / 2


# Inputs.


def unit(*shape: int, seed: int = 0) -> Tensor:
    return F.normalize(torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)), dim=-1)


def vectors(kind: str, count: int) -> tuple[Tensor, Tensor]:
    """Images and texts, unit in float32: so float32 and float64 get the same values."""
    images, texts = unit(count, DIM), unit(count, DIM, seed=1)
    match kind:
        case "near":  # as in training: every text closest to its image
            texts = F.normalize(images + 0.3 * texts, dim=-1)
        case "identical":
            texts = images.clone()
        case "opposite":
            texts = -images
        case "one point":
            images, texts = images[:1].repeat(count, 1), images[:1].repeat(count, 1)
        case "poles":  # every cosine is -1: nothing of any row is in float32's range at scale 100 without care
            images, texts = images[:1].repeat(count, 1), -images[:1].repeat(count, 1)
        case "one far row":
            images[1:] = F.normalize(texts[:1] + 0.2 * images[1:], dim=-1)
            texts = F.normalize(texts[:1] + 0.2 * texts, dim=-1)
            images[0] = -texts.mean(0) / texts.mean(0).norm()
    return images.float().double(), texts.float().double()


KINDS = ("random", "near", "identical", "opposite", "one point", "poles", "one far row")
SIZES = ((1, 1), (7, 1), (70, 16), (70, 70), (61, 64), (64, 7))  # pairs, tile


def repeated(count: int) -> dict[str, Ids]:
    numbers = torch.arange(count)
    return {
        "none": {},
        "distinct": {"image_ids": numbers * 7 - 3, "text_ids": numbers.flip(0)},
        "five captions a picture": {"image_ids": numbers // 5},
        "a caption of different pictures": {"text_ids": torch.where(numbers % 11 == 0, 5, numbers + 100)},
        "both": {"image_ids": numbers // 3 + 10**12, "text_ids": (numbers * numbers) % 17 - 5},
        "all the same": {"image_ids": numbers * 0, "text_ids": numbers * 0},
    }


def with_gradients(loss: Callable[..., Tensor], *inputs: Tensor, dtype: torch.dtype, **options: Any) -> list[Tensor]:
    leaves = [tensor.detach().clone().to(dtype).requires_grad_() for tensor in inputs]
    value = loss(*leaves, **options)
    assert value.shape == ()
    value.backward()
    return [value.detach().double(), *(leaf.grad.double() for leaf in leaves)]


def largest(values: Tensor) -> float:
    return max(1.0, float(values.abs().max()))


def check(
    loss: Callable[..., Tensor], plain: Callable[..., Tensor], *inputs: Tensor, tile: int, ids: Ids | None = None
) -> None:
    """In float64 to 1e-12; in float32 to 1e-6, or what a logit's rounding comes to at larger scales (2e-7 of the scale)."""
    scale = float(inputs[2])
    expected = with_gradients(plain, *inputs, dtype=torch.float64, **ids or {})
    for dtype, tolerance in ((torch.float32, max(1e-6, 2e-7 * scale)), (torch.float64, 1e-12)):
        ours = with_gradients(loss, *inputs, dtype=dtype, tile=tile, **ids or {})
        for actual, expected_gradient in zip(ours, expected, strict=True):
            torch.testing.assert_close(actual, expected_gradient, rtol=0, atol=tolerance * largest(expected_gradient))


def number(value: float) -> Tensor:
    return torch.tensor(value, dtype=torch.float32).double()


CASES = pytest.mark.parametrize(
    ("count", "tile", "kind", "scale"),
    [(70, 16, kind, scale) for kind in KINDS for scale in (1.0, 14.3, 100.0)]
    + [(count, tile, "near", scale) for count, tile in SIZES for scale in (14.3, 100.0)],
)
IDS = pytest.mark.parametrize("ids", repeated(1))
BY_ID = pytest.mark.parametrize(
    ("count", "tile", "kind", "scale"),
    [(70, 16, "near", 14.3), (61, 64, "identical", 100.0), (64, 7, "random", 1.0), (70, 16, "poles", 100.0)],
)


@CASES
def test_info_nce_is_the_plain_formula(count: int, tile: int, kind: str, scale: float) -> None:
    check(info_nce, plain_info_nce, *vectors(kind, count), number(scale), tile=tile)


@IDS
@BY_ID
def test_info_nce_has_uniform_targets_over_equal_ids(ids: str, count: int, tile: int, kind: str, scale: float) -> None:
    check(info_nce, plain_info_nce, *vectors(kind, count), number(scale), tile=tile, ids=repeated(count)[ids])


@CASES
def test_sigmoid_loss_is_the_plain_formula(count: int, tile: int, kind: str, scale: float) -> None:
    check(sigmoid_loss, plain_sigmoid, *vectors(kind, count), number(scale), number(-10), tile=tile)


@IDS
@BY_ID
def test_sigmoid_loss_takes_equal_ids_for_positives(ids: str, count: int, tile: int, kind: str, scale: float) -> None:
    check(sigmoid_loss, plain_sigmoid, *vectors(kind, count), number(scale), number(-10), tile=tile, ids=repeated(count)[ids])


@pytest.mark.parametrize("teacher", ["near", "poles"])
@CASES
def test_similarity_distillation_is_the_plain_formula(count: int, tile: int, kind: str, scale: float, teacher: str) -> None:
    images, texts = (F.normalize(part[:, :9], dim=-1) for part in vectors(teacher, count))  # of another dimension

    def inputs(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
        return lambda *student, **options: loss(
            *student, *(part.to(student[0].dtype) for part in (images, texts, number(50))), **options
        )

    check(inputs(similarity_distillation), inputs(plain_distillation), *vectors(kind, count), number(scale), tile=tile)


def test_equal_captions_are_not_told_apart() -> None:
    """Without ids the two copies of a caption are pulled to different pictures, away from each other."""
    images, texts = unit(3, DIM), unit(3, DIM, seed=1)[[0, 0, 1]].requires_grad_()
    same = torch.tensor([3, 3, 4])
    of_texts = [torch.autograd.grad(info_nce(images, texts, number(10), text_ids=ids), texts)[0] for ids in (None, same)]
    apart = [float((gradient[0] - gradient[1]).abs().max()) for gradient in of_texts]
    assert apart[0] > 0.1
    assert apart[1] < 1e-12


LOSSES = pytest.mark.parametrize("loss", ["info_nce", "sigmoid", "distillation"])


def function(loss: str, teacher: tuple[Tensor, Tensor], **options: Any) -> tuple[Callable[..., Tensor], list[Tensor]]:
    """A loss of vectors and scalars, and the scalars."""
    match loss:
        case "info_nce":
            return (lambda *inputs: info_nce(*inputs, **options)), [number(20)]
        case "sigmoid":
            return (lambda *inputs: sigmoid_loss(*inputs, **options)), [number(20), number(-10)]
        case _:
            return (lambda *inputs: similarity_distillation(*inputs, *teacher, number(10), **options)), [number(20)]


@LOSSES
def test_gradients_pass_gradcheck(loss: str) -> None:
    def narrow(kind: str) -> tuple[Tensor, Tensor]:
        images, texts = (F.normalize(part[:, :4], dim=-1) for part in vectors(kind, 5))
        return images, texts

    ids = {} if loss == "distillation" else {"image_ids": torch.tensor([0, 0, 1, 2, 3])}
    for options in ({}, ids):
        computed, scalars = function(loss, narrow("random"), tile=3, **options)
        torch.autograd.gradcheck(computed, [part.requires_grad_() for part in (*narrow("near"), *scalars)])


@LOSSES
def test_the_upstream_gradient_counts(loss: str) -> None:
    inputs = vectors("near", 20)
    computed, scalars = function(loss, vectors("random", 20), tile=6)
    once, thrice = (
        with_gradients(lambda *g, by=by: by * computed(*g), *inputs, *scalars, dtype=torch.float64) for by in (1, 3)
    )
    for one, three in zip(once, thrice, strict=True):
        torch.testing.assert_close(3 * one, three)


@LOSSES
@pytest.mark.parametrize("learning", [(True, False, False), (False, True, False), (False, False, True), (False, True, True)])
def test_only_what_learns_gets_a_gradient(loss: str, learning: tuple[bool, ...]) -> None:
    computed, scalars = function(loss, vectors("random", 20), tile=6)
    all_given = [*vectors("near", 20), *scalars]
    expected = with_gradients(computed, *all_given, dtype=torch.float64)[1:]
    leaves = [part.detach().clone().requires_grad_(on) for part, on in zip(all_given, (*learning, False), strict=False)]
    computed(*leaves).backward()
    for leaf, expected_gradient in zip(leaves, expected, strict=True):
        if leaf.requires_grad:
            torch.testing.assert_close(leaf.grad, expected_gradient, rtol=1e-10, atol=1e-12)
        else:
            assert leaf.grad is None


@LOSSES
def test_without_gradients_the_value_is_the_same(loss: str) -> None:
    computed, scalars = function(loss, vectors("random", 20), tile=6)
    inputs = [part.requires_grad_() for part in vectors("near", 20)]
    with torch.no_grad():
        value_only = computed(*inputs, *scalars)
    assert not value_only.requires_grad
    assert computed(*inputs, *scalars) == value_only


@LOSSES
def test_autocast_computes_in_float32(loss: str) -> None:
    inputs = [part.bfloat16() for part in vectors("near", 40)]
    teacher = vectors("random", 40)
    computed, scalars = function(loss, teacher, tile=16)
    plain = {"info_nce": plain_info_nce, "sigmoid": plain_sigmoid}.get(
        loss, lambda *all_given: plain_distillation(*all_given, *teacher, number(10))
    )
    expected = with_gradients(plain, *(part.double() for part in inputs), *scalars, dtype=torch.float64)
    for dtype in (torch.bfloat16, torch.float32):
        leaves = [part.detach().clone().to(dtype).requires_grad_() for part in inputs]
        with torch.autocast("cpu", dtype=torch.bfloat16):
            value = computed(*leaves, *(scalar.float() for scalar in scalars))
            value.backward()
        assert value.dtype == torch.float32
        torch.testing.assert_close(value.double(), expected[0], rtol=1e-6, atol=1e-6)
        for leaf, expected_gradient in zip(leaves, expected[1:3], strict=True):
            assert leaf.grad.dtype == dtype
            rounding = 0 if dtype == torch.float32 else 2**-8  # of the gradient as it is handed back
            torch.testing.assert_close(leaf.grad.double(), expected_gradient, rtol=rounding, atol=1e-6)


class LargestTensor(TorchDispatchMode):
    """Numbers in the largest tensor that any operation gave."""

    numel = 0

    def __torch_dispatch__(self, operation: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        output = operation(*args, **kwargs or {})
        for tensor in output if isinstance(output, (tuple, list)) else [output]:
            if isinstance(tensor, Tensor):
                self.numel = max(self.numel, tensor.numel())
        return output


@LOSSES
@pytest.mark.parametrize("with_ids", [False, True])
def test_no_tensor_holds_all_pairs(loss: str, with_ids: bool) -> None:
    count, tile = 320, 32
    ids = {"image_ids": torch.arange(count) // 5} if with_ids and loss != "distillation" else {}
    for kind in ("near", "poles"):  # the poles go the careful way
        computed, scalars = function(loss, vectors("random", count), tile=tile, **ids)
        scalars[0] = number(100)
        with LargestTensor() as largest_tensor:
            with_gradients(computed, *vectors(kind, count), *scalars, dtype=torch.float32)
        assert largest_tensor.numel <= count * max(tile, DIM) < count * count / 8


def test_a_second_derivative_is_refused() -> None:
    images = unit(4, DIM).requires_grad_()
    (first,) = torch.autograd.grad(info_nce(images, unit(4, DIM, seed=1), number(10)), images, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        first.sum().backward()


def test_vectors_longer_than_one_are_still_right() -> None:
    """Only the fast sums assume unit length; sums that overflow are computed again."""
    check(info_nce, plain_info_nce, *(4 * part for part in vectors("near", 20)), number(100), tile=8)


@pytest.mark.parametrize("name", ["ClipLoss", "SigLipLoss", "DistillClipLoss"])
def test_losses_of_open_clip(name: str) -> None:
    stored = json.loads(STORED.read_text(encoding="utf-8"))["open_clip"][name]
    inputs, constant = (
        {key: torch.tensor(value, dtype=torch.float64) for key, value in stored[part].items()} for part in ("given", "constant")
    )
    ours = {"ClipLoss": info_nce, "SigLipLoss": sigmoid_loss, "DistillClipLoss": similarity_distillation}[name]
    value, *gradients = with_gradients(lambda *g: ours(*g, *constant.values(), tile=4), *inputs.values(), dtype=torch.float64)
    assert float(value) == pytest.approx(stored["loss"], abs=1e-12)
    for actual, expected_gradient in zip(gradients, stored["gradients"].values(), strict=True):
        torch.testing.assert_close(actual, torch.tensor(expected_gradient, dtype=torch.float64), rtol=1e-10, atol=1e-12)


def test_embedding_distillation_is_one_minus_cosine() -> None:
    student, teacher = (3 * unit(5, DIM)).requires_grad_(), unit(5, DIM, seed=1).requires_grad_()
    loss = embedding_distillation(student, teacher)
    torch.testing.assert_close(loss, 1 - (student * teacher).sum(1).mean() / 3)
    loss.backward()
    assert student.grad is not None
    assert teacher.grad is None
    assert embedding_distillation(teacher, 7 * teacher).item() == pytest.approx(0, abs=1e-12)


def test_class_loss_counts_labelled_rows_only() -> None:
    logits = torch.randn(5, 3, dtype=torch.float64, requires_grad=True)
    labels = torch.tensor([2, -1, 0, -1, 1])
    labelled = labels >= 0
    torch.testing.assert_close(class_loss(logits, labels), F.cross_entropy(logits[labelled], labels[labelled]))
    none = class_loss(logits, torch.full((5,), -1))
    none.backward()
    assert none == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v, s: info_nce(v(4, 3), v(5, 3), s), r"info_nce: images \(4, 3\) and texts \(5, 3\) must have the same shape"),
        (lambda v, s: info_nce(v(4, 3), v(4, 2), s), "same shape"),
        (lambda v, s: info_nce(v(0, 3), v(0, 3), s), "a row or more"),
        (lambda v, s: info_nce(v(4), v(4), s), r"images must be a matrix of floats, not torch.float32 \(4,\)"),
        (lambda v, s: info_nce(v(4, 3).int(), v(4, 3), s), "matrix of floats, not torch.int32"),
        (lambda v, s: info_nce(v(4, 3), v(4, 3), v(4)), r"scale must be one number, not \(4,\)"),
        (lambda v, s: info_nce(v(4, 3), v(4, 3), s, tile=0), "tile must be 1 or more, not 0"),
        (lambda v, s: info_nce(v(4, 3), v(4, 3), s, image_ids=torch.arange(5)), r"image_ids must be int64 of shape \(4,\)"),
        (lambda v, s: sigmoid_loss(v(4, 3), v(4, 3), s, s, text_ids=v(4)), "text_ids must be int64 .* not torch.float32"),
        (lambda v, s: sigmoid_loss(v(4, 3), v(4, 3), s, v(2)), "bias must be one number"),
        (lambda v, s: similarity_distillation(v(4, 3), v(4, 3), s, v(5, 2), v(5, 2), s), "4 pairs of the student, 5 of the"),
        (lambda v, s: similarity_distillation(v(4, 3), v(4, 3), s, v(4, 2), v(4, 3), s), "teacher: images .* same shape"),
        (lambda v, s: embedding_distillation(v(4, 3), v(4, 2)), "use similarity_distillation"),
        (lambda v, s: class_loss(v(4, 3), torch.arange(5)), r"labels must be int64 of shape \(4,\)"),
        (lambda v, s: class_loss(v(4, 3), torch.arange(4)), r"labels go from -1 \(none\) to 2; these go from 0 to 3"),
    ],
)
def test_what_does_not_fit_is_an_input_error(call: Callable[..., Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        call(torch.ones, torch.tensor(10.0))
