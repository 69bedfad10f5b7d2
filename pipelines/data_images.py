"""Encodes the pictures of a catalogue as vectors that the item tower reads."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.console import count_table, table_console
from pipelines.options import check_parquet, config_option, path_option
from pipelines.running import run
from tfrec.config import load_config

if TYPE_CHECKING:
    from tfrec.images.encoding import Encoded


@click.command()
@click.option(
    "--items", required=True, metavar="PATH", help="Catalogue: a file or a quoted glob of files."
)
@click.option(
    "--images",
    required=True,
    metavar="DIR|COLUMN",
    help="Folder of files named by item id (85123A.jpg), or the column with their paths or with "
    "the pictures themselves.",
)
@path_option(
    "--out",
    metavar="FILE",
    help="Catalogue to write, as Parquet: the columns of --items and the vectors.",
    required=True,
)
@click.option(
    "--model",
    default="efficientnet_lite0",
    show_default=True,
    metavar="NAME|DIR",
    help="efficientnet_lite0, a Keras application such as mobilenet_v2, or any SavedModel.",
)
@path_option(
    "--weights", metavar="FILE", help="Weights of a named model; by default those of ImageNet."
)
@click.option(
    "--pixels",
    type=click.Choice(["0..1", "-1..1", "0..255"]),
    default="0..1",
    show_default=True,
    help="Range of the pixels that a SavedModel reads.",
)
@click.option(
    "--size",
    type=click.IntRange(16, 1024),
    metavar="PIXELS",
    help="Side of the pictures that a SavedModel reads, where it does not say.",
)
@click.option(
    "--output", metavar="NAME", help="Output of a SavedModel with the vectors, if it has several."
)
@click.option(
    "--column",
    default="image_embedding",
    show_default=True,
    metavar="NAME",
    help="Column of the vectors.",
)
@click.option(
    "--smallest-side",
    type=click.IntRange(1, 4096),
    default=32,
    show_default=True,
    metavar="PIXELS",
    help="Smaller pictures are rejected.",
)
@config_option
def command(
    items: str,
    images: str,
    out: Path,
    model: str,
    weights: Path | None,
    pixels: str,
    size: int | None,
    output: str | None,
    column: str,
    smallest_side: int,
    config: Path | None,
) -> None:
    """Encode the pictures of a catalogue as vectors.

    JPEG, PNG, WebP, GIF and BMP are read. The catalogue that is written takes the place of
    --items in `tfrec data prepare`, `tfrec index refresh` and `tfrec update`; items without a
    usable picture have no vector there, and stand with a reason in a file of rejects beside it. A
    command that was killed goes on where it was when it is called again.
    """
    settings = load_config(config)
    check_parquet(out)
    from tfrec.data.adapters import find_adapter
    from tfrec.images.sources import find_pictures

    table = find_adapter(settings.data.adapter).items(items)
    table.require(["item_id"], "items")
    pictures = find_pictures(table, images, Path(items).parent)
    # Here, because TensorFlow takes seconds to import.
    from tfrec.images.encoding import Encoding, encode_catalogue
    from tfrec.images.models import load_model

    loaded = load_model(model, weights=weights, size=size, pixels=pixels, output=output)  # type: ignore[arg-type]
    encoding = Encoding(loaded.encode, loaded.size, loaded.fingerprint, smallest_side)
    encoded = encode_catalogue(table, pictures, encoding, out, column)
    _print(encoded, loaded.name)
    if encoded.rejects is not None:
        click.echo(f"Items without a vector are in {encoded.rejects}.")
    click.echo(f"The catalogue with the vectors is {out}.")
    if column not in settings.data.vector_columns:
        click.echo(f"Models read the column if data.vector_columns names it: [{column}].")


def _print(encoded: "Encoded", model: str) -> None:
    counts = (
        ("items", encoded.rows),
        ("  with a vector", encoded.vectors),
        ("  without one", encoded.rows - encoded.vectors),
        *((f"    {reason}", count) for reason, count in encoded.rejected.items()),
        ("numbers a vector", encoded.dimension),
        *([("done by an earlier command", encoded.resumed)] if encoded.resumed else []),
        *([("rows that cannot be read", encoded.unreadable)] if encoded.unreadable else []),
    )
    table_console().print(count_table(f"Pictures, read by {model}", counts))


if __name__ == "__main__":
    run(command)
