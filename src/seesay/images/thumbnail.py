"""Small copies of pictures that a page carries inside itself."""

import base64
import io

from seesay.errors import UnreadableImage
from seesay.images.read import ImageInput, read

THUMBNAIL_PX = 320


def thumbnail_url(source: ImageInput, px: int = THUMBNAIL_PX) -> str:
    """A data: URL of a JPEG whose longer side is at most `px`; "" where the picture cannot be read."""
    try:
        image = read(source, decode="fast", enough_px=px).image
    except UnreadableImage:
        return ""
    image.thumbnail((px, px))
    stream = io.BytesIO()
    image.save(stream, "JPEG", quality=82)
    return "data:image/jpeg;base64," + base64.b64encode(stream.getvalue()).decode()
