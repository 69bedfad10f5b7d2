"""Pictures made for tests."""

import io

import numpy as np
import pandas as pd
from PIL import Image

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def content_of(picture: Image.Image, kind: str = "PNG", **settings) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **settings)
    return file.getvalue()


def plain(colour=RED, size=(64, 64), kind: str = "PNG", mode: str = "RGB", **settings) -> bytes:
    return content_of(Image.new(mode, size, colour), kind, **settings)


def noise(seed: int = 0, kind: str = "JPEG") -> bytes:
    """A picture of some kilobytes, so that there is something to cut off."""
    pixels = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), np.uint8)
    return content_of(Image.fromarray(pixels), kind)


def shop(folder, count: int = 6):
    """Writes plain pictures `p0.png`, ... and `items.csv`; returns the two paths."""
    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    for number in range(count):
        (pictures / f"p{number}.png").write_bytes(plain((number + 1, 10 * number, 255)))
    items = folder / "items.csv"
    ids = [f"p{number}" for number in range(count)]
    pd.DataFrame({"item_id": ids, "title": ids}).to_csv(items, index=False)
    return pictures, items
