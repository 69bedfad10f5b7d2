"""Encodes the item texts of a data set with BERT, ahead of training."""

from pathlib import Path

import click

from pipelines.options import config_option, data_option
from pipelines.running import run
from tfrec.config import load_config


@click.command()
@data_option
@config_option
def command(data: Path, config: Path | None) -> None:
    """Encode the item texts of a data set with BERT.

    Training does it, too, where it has not been done. Texts whose vectors are there are not
    encoded again.
    """
    settings = load_config(config)
    # Here, because pandas and TensorFlow take seconds to import.
    from tfrec.data.dataset import PreparedDataset
    from tfrec.training.text import item_text_vectors

    vectors = item_text_vectors(PreparedDataset.open(data), settings.text)
    click.echo(f"Text vectors: {len(vectors):,} items, {vectors.shape[1]} dimensions.")


if __name__ == "__main__":
    run(command)
