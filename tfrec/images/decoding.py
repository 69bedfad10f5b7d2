"""The bytes of a picture become pixels, or a reason why they cannot."""

import io
import warnings

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP")
SMALLEST_SIDE = 32
MOST_PIXELS = 100_000_000
"""A picture with more is a mistake, or a small file made to fill the memory."""

NOT_AN_IMAGE, BROKEN, EMPTY = "not_an_image", "broken_image", "empty_file"
TOO_SMALL, TOO_LARGE = "too_small", "too_large"

# What Pillow raises for files that are cut short or damaged, by format.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, TypeError, KeyError)
_WHITE = (255, 255, 255)


class UnusablePictureError(Exception):
    """A picture that no vector can be made of.

    Attributes:
        reason: one of the codes of this module or of `tfrec.images.sources`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def decode(content: bytes, size: int, smallest_side: int = SMALLEST_SIDE) -> np.ndarray:
    """Returns the picture as uint8 `[size, size, 3]`, RGB.

    A picture is turned as its camera noted, laid on white where it is transparent, and made
    square with white margins, so that the whole product stays in it and keeps its shape. Of
    moving pictures the first one counts.

    Args:
        content: a JPEG, PNG, WebP, GIF or BMP.
        size: width and height to return.
        smallest_side: fewest pixels of the shorter side.

    Raises:
        UnusablePictureError: if the content is no such picture, broken, too small or too large.
    """
    if not content:
        raise UnusablePictureError(EMPTY)
    with warnings.catch_warnings():
        # Pillow warns of large pictures, which are judged here, and of odd metadata.
        warnings.simplefilter("ignore")
        try:
            picture = Image.open(io.BytesIO(content), formats=FORMATS)
        except UnidentifiedImageError as error:
            raise UnusablePictureError(NOT_AN_IMAGE) from error
        except Image.DecompressionBombError as error:
            raise UnusablePictureError(TOO_LARGE) from error
        except _DAMAGE as error:
            raise UnusablePictureError(BROKEN) from error
        if picture.width * picture.height > MOST_PIXELS:
            raise UnusablePictureError(TOO_LARGE)
        if min(picture.size) < smallest_side:
            raise UnusablePictureError(TOO_SMALL)
        try:
            return _pixels(picture, size)
        except _DAMAGE as error:
            raise UnusablePictureError(BROKEN) from error


def _pixels(picture: Image.Image, size: int) -> np.ndarray:
    # A JPEG may be decoded at a half, a quarter or an eighth of its size, which is much faster.
    picture.draft("RGB", (2 * size, 2 * size))
    picture.load()
    picture = _on_white(ImageOps.exif_transpose(picture))
    square = ImageOps.pad(picture, (size, size), Image.Resampling.BICUBIC, color=_WHITE)
    return np.asarray(square, np.uint8)


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):
        # 16 bits of grey, which Pillow would cut at 255.
        grey = np.asarray(picture, np.float64) / 257.0
        picture = Image.fromarray(grey.clip(0, 255).astype(np.uint8))
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    layer = picture.convert("RGBA")
    white = Image.new("RGBA", layer.size, (*_WHITE, 255))
    return Image.alpha_composite(white, layer).convert("RGB")
