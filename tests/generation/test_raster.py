"""The soft rasteriser: its gradients, its order, and other renderers' pictures of the SVG that is written."""

import re
from dataclasses import replace
from io import BytesIO
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from PIL import Image
from playwright.sync_api import sync_playwright

from seesay.generation.drawing.paths import Paths
from seesay.generation.drawing.raster import rasterise
from seesay.generation.drawing.start import random_shapes, random_strokes
from seesay.generation.drawing.svg import to_svg
from tests.serving.page.conftest import CHROMIUM

SIZE = 224
LEVEL = 1 / 255


def strokes(count: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Paths:
    generator = torch.Generator().manual_seed(seed)
    made = random_strokes(count, size, generator)
    return Paths(made.points.to(dtype), made.widths.to(dtype) * (224 / size) ** 0.5, made.colours.to(dtype), closed=False)


def shapes(count: int, size: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> Paths:
    """Blobs whose points were moved, so that some cross themselves."""
    generator = torch.Generator().manual_seed(seed)
    made = random_shapes(count, size, generator)
    moved = made.points + size / 30 * torch.randn(made.points.shape, generator=generator)
    return Paths(moved.to(dtype), made.widths.to(dtype), made.colours.to(dtype), closed=True)


@pytest.mark.parametrize("make", [strokes, shapes])
def test_gradients_are_those_of_finite_differences(make: "type[Paths]") -> None:
    paths = make(3, 16, dtype=torch.float64)  # type: ignore[call-arg, arg-type]
    paths.widths[0] = 0.6  # thinner than a pixel

    def painted(points: torch.Tensor, widths: torch.Tensor, colours: torch.Tensor, ground: torch.Tensor) -> torch.Tensor:
        return rasterise((Paths(points, widths, colours, paths.closed),), 16, ground)

    ground = torch.rand(3, 16, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    inputs = [tensor.requires_grad_() for tensor in (paths.points, paths.widths, paths.colours, ground)]
    assert torch.autograd.gradcheck(painted, inputs, eps=1e-6, atol=1e-5)
    moved = torch.autograd.grad(painted(*inputs).square().sum(), paths.points)[0]
    assert moved.abs().amax(dim=(1, 2)).min() > 0  # every path has some


def test_a_stroke_is_what_a_supersampled_distance_says() -> None:
    paths = Paths(
        torch.tensor([[[4.0, 20.0], [10.0, -6.0], [22.0, 40.0], [28.0, 11.0]]]),
        torch.tensor([5.0]),
        torch.tensor([[1.0, 0.0, 0.0, 0.5]]),
        closed=False,
    )
    t = np.linspace(0, 1, 2000)[:, None]
    a, b, c, d = paths.points[0].numpy()
    curve = (1 - t) ** 3 * a + 3 * t * (1 - t) ** 2 * b + 3 * t**2 * (1 - t) * c + t**3 * d
    at = (np.arange(32 * 8) + 0.5) / 8
    covered = np.zeros((len(at), len(at)))
    for row, y in enumerate(at):
        squared = (at[:, None] - curve[:, 0]) ** 2 + (y - curve[:, 1]) ** 2
        covered[row] = squared.min(axis=1) <= 2.5**2
    share = covered.reshape(32, 8, 32, 8).mean(axis=(1, 3))
    expected = np.stack([np.ones_like(share), 1 - 0.5 * share, 1 - 0.5 * share])
    found = rasterise((paths,), 32).numpy()
    assert np.abs(found - expected).mean() < LEVEL
    assert np.abs(found - expected).max() < 0.12


def test_paths_are_painted_in_order_and_layers_too() -> None:
    square = torch.tensor([[8.0, 8.0], [40.0, 8.0], [40.0, 40.0], [8.0, 40.0]])
    corners = torch.stack([square.lerp(square.roll(-1, 0), share) for share in (0.0, 1 / 3, 2 / 3)], dim=1).flatten(0, 1)
    red, blue = torch.tensor([1.0, 0, 0, 1]), torch.tensor([0, 0, 1.0, 0.5])
    both = Paths(torch.stack([corners, corners]), torch.ones(2), torch.stack([red, blue]), closed=True)
    one, other = (replace(both, points=both.points[[n]], widths=torch.ones(1), colours=both.colours[[n]]) for n in (0, 1))
    for layers in ((both,), (one, other)):
        picture = rasterise(layers, 48)
        assert picture[:, 24, 24].tolist() == pytest.approx([0.5, 0, 0.5])
        assert picture[:, 2, 2].tolist() == [1, 1, 1]
    assert rasterise((other, one), 48)[:, 24, 24].tolist() == pytest.approx([1, 0, 0])


def test_paths_outside_and_of_no_length_do_no_harm() -> None:
    points = torch.tensor([[[-90.0, -90.0]] * 4, [[20.0, 20.0]] * 4, [[500.0, 3.0]] * 4])
    paths = Paths(points.requires_grad_(), torch.full((3,), 6.0), torch.tensor([[0.0, 0, 0, 1]] * 3), closed=False)
    picture = rasterise((paths,), 40)
    picture.sum().backward()  # type: ignore[no-untyped-call]
    assert picture[:, 20, 20].tolist() == [0, 0, 0]
    assert float((1 - picture.detach()).sum()) / 3 == pytest.approx(np.pi * 9, rel=0.02)  # a dot, 6 pixels wide
    assert points.grad is not None
    assert torch.isfinite(points.grad).all()
    assert rasterise((replace(paths, points=points.detach() + 1000),), 40).min() == 1


def drawing() -> tuple[Paths, ...]:
    return shapes(16, SIZE), strokes(48, SIZE, seed=5)


def test_larger_is_the_same_drawing() -> None:
    small = rasterise(drawing(), SIZE)
    large = rasterise(tuple(paths.scaled(3) for paths in drawing()), 3 * SIZE)
    shrunk = torch.nn.functional.avg_pool2d(large[None], 3)[0]
    assert (small - shrunk).abs().mean() < LEVEL


def test_the_svg_is_what_matplotlib_makes_of_it() -> None:
    found = rasterise(drawing(), SIZE).numpy().transpose(1, 2, 0)
    assert np.abs(found - by_matplotlib(to_svg(drawing(), SIZE))).mean() < LEVEL


@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here: scripts/browser installs one")
def test_the_svg_is_what_a_browser_makes_of_it() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--force-color-profile=srgb"])
        page = browser.new_page(viewport={"width": SIZE, "height": SIZE})
        page.set_content(f"<body style='margin:0;line-height:0'>{to_svg(drawing(), SIZE, 'a <b> & c')}")
        seen = np.asarray(Image.open(BytesIO(page.screenshot())).convert("RGB")) / 255
        browser.close()
    found = rasterise(drawing(), SIZE).numpy().transpose(1, 2, 0)
    assert np.abs(found - seen).mean() < LEVEL


def test_an_svg_is_xml_whatever_its_title_says() -> None:
    root = ElementTree.fromstring(to_svg(drawing(), SIZE, '<b> & "一只猫"\x00\udc80'))
    name = "{http://www.w3.org/2000/svg}"
    assert root.findtext(f"{name}title") == '<b> & "一只猫"'
    assert len(root.findall(f".//{name}path")) == 64
    assert "-0 " not in to_svg((replace(strokes(1, 16), points=torch.full((1, 4, 2), -1e-9)),), 16)


def by_matplotlib(svg: str) -> np.ndarray:
    """Rendered by Agg, from the numbers in the file: (SIZE, SIZE, 3) of 0..1. It fills by the other rule, so that a shape is
    painted here as the difference of its windings' parity."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path

    figure = Figure(figsize=(1, 1), dpi=SIZE)
    canvas, axes = FigureCanvasAgg(figure), figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, SIZE), ylim=(SIZE, 0))
    axes.axis("off")
    for element in re.findall(r"<path [^>]*/>", svg):
        values = dict(re.findall(r'([\w-]+)="([^"]*)"', element))
        numbers = np.array(re.findall(r"-?[\d.]+", values["d"]), dtype=float).reshape(-1, 2)
        codes = [Path.MOVETO, *[Path.CURVE4] * (len(numbers) - 1)]
        kind = "fill" if "fill" in values else "stroke"
        style = (
            {"facecolor": values["fill"], "edgecolor": "none"}
            if kind == "fill"
            else {"facecolor": "none", "edgecolor": values["stroke"], "linewidth": float(values["stroke-width"]) * 72 / SIZE}
        )
        axes.add_patch(
            PathPatch(
                Path(numbers, codes),
                alpha=float(values[f"{kind}-opacity"]),
                capstyle="round",
                joinstyle="round",
                **style,
            )
        )
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[:, :, :3] / 255  # type: ignore[no-untyped-call]
