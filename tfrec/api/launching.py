"""New and changed products, from a notebook: into exported models, and how they will start."""

from pathlib import Path
from typing import TYPE_CHECKING

from tfrec.api.datasets import Raw, as_file
from tfrec.api.experiments import Source, configure
from tfrec.api.scratch import scratch_folder
from tfrec.export.refresh import Refreshed
from tfrec.export.refresh import refresh_index as refresh

if TYPE_CHECKING:
    from tfrec.launch.expectations import LaunchKit


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


def forecast_launches(
    events: Raw,
    catalogue: Raw,
    items: Raw,
    config: Source = None,
    *,
    shoppers: int = 100,
    coverage: float = 0.8,
    use_ids: bool = True,
) -> "LaunchKit":
    """Forecasts how products will start that are not yet on sale.

    It is `tfrec launch forecast`, which takes files; this takes tables as well.

    Args:
        events: the event log: a table, a file or a glob.
        catalogue: the products in it, likewise.
        items: the products to come, likewise.
        config: how to read them, and the BERT.
        shoppers: how many likely buyers to list of each product.
        coverage: share of outcomes that the intervals should hold.
        use_ids: whether numbers in item ids mean something in this shop.

    Raises:
        UserError: if an input cannot be used, or holds too few launches to learn from.
    """
    # Here, because scikit-learn takes a second to import.
    from tfrec.launch.kit import forecast_launches as forecast

    return forecast(
        as_file(events, "events"),
        as_file(catalogue, "catalogue"),
        as_file(items, "items"),
        configure(config),
        text_cache=scratch_folder("text_vectors"),
        shoppers=shoppers,
        coverage=coverage,
        use_ids=use_ids,
    )
