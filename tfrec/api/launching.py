"""New and changed products for exported models, from a notebook."""

from pathlib import Path

from tfrec.api.datasets import Raw, as_file
from tfrec.api.experiments import Source, configure
from tfrec.export.refresh import Refreshed
from tfrec.export.refresh import refresh_index as refresh


def refresh_index(models: str | Path, items: Raw, config: Source = None) -> Refreshed:
    """Publishes a new version of exported models with new or changed items, without training.

    It is `tfrec index refresh`, which takes a file; this takes a table as well.

    Args:
        models: folder of exported models.
        items: the new and changed rows of the catalogue: a table, a file or a glob.
        config: the sections `data`, `display`, `evaluation` and `export` of this take the place
            of those that the models were made with.

    Raises:
        UserError: if the models or the items cannot be used.
    """
    return refresh(models, as_file(items, "items"), None if config is None else configure(config))
