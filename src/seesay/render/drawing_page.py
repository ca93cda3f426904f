"""A drawing under way as a page that shows it anew every second, with the curve of its similarity."""

import base64
import io
from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from seesay.render.page import write_page

WIDTH, HEIGHT = 320, 60  # of the curve


def write_drawing_page(
    file: str | Path, image: Image.Image, similarity: Sequence[float], step: int, steps: int, *, title: str
) -> Path:
    """Writes the page in one step and returns its absolute path; it asks for itself again until the last step is done.

    similarity: cosines from the start to now. Missing folders are made. Raises InputError if it cannot be written.
    """
    stream = io.BytesIO()
    image.save(stream, "PNG")
    source = "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode()
    low, high = min(similarity), max(similarity)
    across, up = WIDTH / max(1, len(similarity) - 1), HEIGHT / max(high - low, 1e-6)
    points = " ".join(f"{at * across:.1f},{HEIGHT - (value - low) * up:.1f}" for at, value in enumerate(similarity))
    return write_page(
        file,
        "drawing.html",
        "preview",
        title=title,
        source=source,
        curve={"points": points, "width": WIDTH, "height": HEIGHT},
        similarity=f"{similarity[-1]:.3f}",
        step=step,
        steps=steps,
    )
