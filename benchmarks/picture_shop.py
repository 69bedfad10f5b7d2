"""Makes a shop in which the pictures of products say what shoppers like, and their titles do not.

Every product has a colour and a shape, which are drawn in its picture, and a kind, which its title
names. Every shopper likes one colour, one shape and some kinds. Some products are launched in the
test period, so that no model can have learned anything of them but what they look like.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFilter

COLOURS = {
    "red": (200, 40, 45),
    "orange": (235, 140, 40),
    "green": (50, 150, 70),
    "teal": (40, 150, 160),
    "blue": (45, 80, 190),
    "purple": (130, 60, 160),
}
SHAPES = {"circle": 60, "square": 4, "triangle": 3, "hexagon": 6}
KINDS = (
    "mug", "lamp", "bowl", "scarf", "clock", "vase", "tray", "candle", "apron", "teapot", "mirror",
    "basket", "cushion", "blanket", "notebook", "umbrella", "wallet", "kettle", "plate", "towel",
)  # fmt: skip
NAMES = ("Alto", "Brisa", "Corin", "Delva", "Esker", "Fonte", "Gavia", "Hollin", "Ister", "Juno")
LIKED_KINDS = 4
WEIGHTS = {"colour": 2.0, "shape": 1.2, "kind": 1.5}
SIDE = 160
START, DAYS, LAST_DAYS = 1_600_000_000, 100, 10


@dataclass(frozen=True)
class PictureShop:
    """A log and a catalogue.

    Attributes:
        items: `item_id`, `title`, and what only the pictures say: `colour`, `shape`; whether it
            has a `picture` and is `new`.
        events: the log.
    """

    items: pd.DataFrame
    events: pd.DataFrame


def make_shop(*, items: int, shoppers: int, pictures: float, new: float, seed: int) -> PictureShop:
    """Draws a shop.

    Args:
        items: products.
        shoppers: shoppers, with 6 to 20 purchases each.
        pictures: share of products with a picture.
        new: share of products launched in the last days, which are the test period.
        seed: of all draws.
    """
    random = np.random.default_rng(seed)
    colour = random.integers(len(COLOURS), size=items)
    shape = random.integers(len(SHAPES), size=items)
    kind = random.integers(len(KINDS), size=items)
    is_new = np.arange(items) < round(new * items)
    names = random.choice(NAMES, items)
    frame = pd.DataFrame(
        {
            "item_id": [f"p{number:05}" for number in random.permutation(items)],
            "title": [
                f"{KINDS[k].title()} {name} {number}"
                for k, name, number in zip(kind, names, random.integers(10, 99, items), strict=True)
            ],
            "colour": np.array(list(COLOURS))[colour],
            "shape": np.array(list(SHAPES))[shape],
            "picture": random.random(items) < pictures,
            "new": is_new,
        }
    )
    value = WEIGHTS["colour"] * (random.integers(len(COLOURS), size=shoppers)[:, None] == colour)
    value += WEIGHTS["shape"] * (random.integers(len(SHAPES), size=shoppers)[:, None] == shape)
    liked = np.argsort(random.random((shoppers, len(KINDS))))[:, :LIKED_KINDS]
    value += WEIGHTS["kind"] * (liked[:, :, None] == kind).any(axis=1)
    value += random.normal(0.0, 0.7, items)
    # The best by value and Gumbel noise are draws without replacement by the softmax of values.
    order_old = np.argsort(-(value + random.gumbel(size=value.shape) - 1e9 * is_new), axis=1)
    order_all = np.argsort(-(value + random.gumbel(size=value.shape)), axis=1)
    rows: list[tuple[str, str, int]] = []
    for shopper in range(shoppers):
        days = np.sort(random.uniform(0, DAYS, random.integers(6, 21)))
        late = int((days >= DAYS - LAST_DAYS).sum())
        early = order_old[shopper, : len(days) - late]
        later = order_all[shopper][~np.isin(order_all[shopper], early)][:late]
        rows.extend(
            (f"u{shopper}", frame["item_id"].iloc[item], START + int(day * 86400))
            for item, day in zip([*early, *later], days, strict=True)
        )
    events = pd.DataFrame(rows, columns=["user_id", "item_id", "timestamp"])
    # The last second of the log is where the periods are counted back from.
    end = START + DAYS * 86400
    events.loc[events["timestamp"].idxmax(), "timestamp"] = end
    return PictureShop(frame, events.assign(event="purchase"))


def draw_pictures(shop: PictureShop, folder: Path, *, broken: float, seed: int) -> None:
    """Draws a JPEG of every product that has a picture.

    Place, size, angle, tint, light and background differ from picture to picture, and so do two
    products of one style.

    Args:
        shop: the shop.
        folder: to write `<item id>.jpg` into.
        broken: share of the files that are cut short.
        seed: of all draws.
    """
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    shown = shop.items[shop.items["picture"]]
    for item, colour, shape in zip(shown["item_id"], shown["colour"], shown["shape"], strict=True):
        path = folder / f"{item}.jpg"
        _draw(colour, shape, random).save(path, quality=85)
        if random.random() < broken:
            path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def _draw(colour: str, shape: str, random: np.random.Generator) -> Image.Image:
    floor = random.integers(200, 250)
    picture = Image.new("RGB", (SIDE, SIDE), (int(floor),) * 3)
    pen = ImageDraw.Draw(picture)
    shade = tuple(int(part) for part in np.full(3, floor - random.integers(20, 60)))
    pen.rectangle((0, int(random.integers(90, 130)), SIDE, SIDE), fill=shade)
    tint = np.clip(np.array(COLOURS[colour]) * random.uniform(0.8, 1.15), 0, 255)
    tint = np.clip(tint + random.normal(0, 10, 3), 0, 255).astype(int)
    centre = random.uniform(0.4, 0.6, 2) * SIDE
    pen.regular_polygon(
        (*centre, random.uniform(0.22, 0.36) * SIDE),
        SHAPES[shape],
        rotation=float(random.uniform(-20, 20)),
        fill=tuple(tint.tolist()),
    )
    pixels = np.asarray(picture.filter(ImageFilter.GaussianBlur(0.8)), np.float64)
    noisy = pixels + random.normal(0, 6, pixels.shape)
    return Image.fromarray(noisy.clip(0, 255).astype(np.uint8))
