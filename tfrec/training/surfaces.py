"""The surfaces of a run: fitted from its data set and its retrieval model, and opened again."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig
from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import write_line
from tfrec.surfaces.buy_again import AgainTables
from tfrec.surfaces.buy_again_fitting import NoRepeatsError, fit_again
from tfrec.surfaces.campaign import CampaignTables
from tfrec.surfaces.cart import CartTables
from tfrec.surfaces.cart_fitting import NoOrdersError, fit_cart
from tfrec.surfaces.opening import OpeningTables, fit_opening
from tfrec.surfaces.search_fitting import fit_search
from tfrec.surfaces.shelves import ShelfTables, count_shelves
from tfrec.surfaces.similar import SimilarTables
from tfrec.surfaces.similar_fitting import fit_similar
from tfrec.surfaces.stored import StoredTables
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.bert.weights import find_weights
from tfrec.training.campaign import NoThemesError, fit_campaign
from tfrec.training.retrieval import load_retrieval, text_tower_of, weights_fingerprint
from tfrec.training.run import RunDirectory

SURFACES = "surfaces"
CART, AGAIN, OPENING, SHELVES, SIMILAR, CAMPAIGN = (
    "cart.npz",
    "buy_again.npz",
    "opening.npz",
    "shelves.npz",
    "similar.npz",
    "campaign.npz",
)
FITTED = "surfaces.json"

Tables = TypeVar("Tables", bound=StoredTables)


@dataclass(frozen=True)
class Surfaces:
    """What the surfaces of a shop know beside the models.

    Attributes:
        cart: complements of baskets; None where the log has no orders.
        search: float32, weights of the parts of a search.
        again: repeat purchases; None where the log says nothing of them.
        opening: what a shopper without a history is shown; None where the models decide.
        shelves: kinds of products, news and trends; None of surfaces fitted before there were any.
        similar: what makes products alike; None as `shelves`.
        campaign: who buys what a text advertises; None where the log cannot say it.
    """

    cart: CartTables | None
    search: np.ndarray
    again: AgainTables | None = None
    opening: OpeningTables | None = None
    shelves: ShelfTables | None = None
    similar: SimilarTables | None = None
    campaign: CampaignTables | None = None

    @classmethod
    def find(cls, folder: Path, retrieval: RetrievalModel) -> "Surfaces | None":
        """Opens the surfaces in a folder of a run or of an export; None where there are none.

        Args:
            folder: the folder.
            retrieval: the retrieval model that they must have been fitted with.

        Raises:
            UserError: if a file is damaged, or they were fitted with another model.
        """
        if not (folder / FITTED).is_file():
            return None
        fitted = read_json(folder / FITTED)
        if fitted["retrieval"] != weights_fingerprint(retrieval):
            raise UserError(
                f"the surfaces in {folder} were fitted with another retrieval model; fit them "
                "again with `tfrec train surfaces --overwrite`"
            )

        def stored(kind: type[Tables], name: str) -> Tables | None:
            return kind.load(folder / name) if (folder / name).is_file() else None

        return cls(
            None if fitted["cart"] is None else CartTables.load(folder / CART),
            np.array(fitted["search"], np.float32),
            stored(AgainTables, AGAIN),
            stored(OpeningTables, OPENING),
            stored(ShelfTables, SHELVES),
            stored(SimilarTables, SIMILAR),
            stored(CampaignTables, CAMPAIGN),
        )


def run_surfaces(
    run: str | Path,
    data: str | Path | None = None,
    *,
    overwrite: bool = False,
    settings: ExperimentConfig | None = None,
) -> tuple[RunDirectory, dict[str, float]]:
    """Fits the surfaces of a run that has a retrieval model.

    Args:
        run: the run's folder.
        data: its data set, where it has moved.
        overwrite: whether to replace surfaces that are already in the run.
        settings: its section `surfaces` stands in for that of the run.

    Returns:
        Their folder, and metrics on the validation split.

    Raises:
        UserError: if there is no finished retrieval model, the run holds surfaces and `overwrite`
            is false.
    """
    first = RunDirectory.open(run, "retrieval")
    dataset = PreparedDataset.open(first.dataset_path if data is None else data)
    first.check_dataset(dataset.path, dataset.checksum)
    config = first.config
    if settings is not None:
        config = config.model_copy(update={"surfaces": settings.surfaces})
    retrieval = load_retrieval(first.path, config, dataset.items)
    directory = RunDirectory.create(
        run, SURFACES, config, dataset.path, dataset.checksum, config.seed, overwrite=overwrite
    )
    encode = text_tower_of(retrieval, find_weights(config.text.bert), config.text.max_tokens)
    search, metrics = fit_search(
        dataset.items["title"].tolist(),
        dataset.items["text"].tolist(),
        retrieval.catalogue.text.numpy(),
        encode,
        seed=config.seed,
    )
    fitted: dict[str, Any] = {
        "retrieval": weights_fingerprint(retrieval),
        "search": search.tolist(),
        "cart": None,
    }
    metrics |= _fit_lists(directory, dataset, retrieval, config, fitted)
    metrics |= _fit_probabilities(directory, dataset, retrieval, config, encode)
    write_json(directory.path / FITTED, fitted)
    directory.finish(metrics)
    return directory, metrics


def _fit_lists(
    directory: RunDirectory,
    dataset: PreparedDataset,
    retrieval: RetrievalModel,
    config: ExperimentConfig,
    fitted: dict[str, Any],
) -> dict[str, float]:
    """Fits the surfaces that order the catalogue; says in `fitted` how."""
    vectors = tf.cast(retrieval.item_vectors(), tf.float32).numpy()
    texts = retrieval.catalogue.text.numpy()
    metrics: dict[str, float] = {}
    try:
        cart = fit_cart(dataset, vectors, seed=config.seed)
    except NoOrdersError as error:
        write_line(f"no cart: {error}")
    else:
        cart.tables.save(directory.path / CART)
        fitted["cart"] = asdict(cart.settings)
        metrics |= cart.metrics
    similar, found = fit_similar(dataset, vectors, texts, seed=config.seed)
    similar.save(directory.path / SIMILAR)
    metrics |= found
    count_shelves(
        dataset,
        "test",
        texts[1:],
        column=config.surfaces.group_column,
        groups=config.surfaces.learned_groups,
        seed=config.seed,
    ).save(directory.path / SHELVES)
    if config.surfaces.opening:
        opening, settings, found = fit_opening(dataset, texts[1:])
        opening.save(directory.path / OPENING)
        fitted["opening"] = asdict(settings)
        metrics |= found
    return metrics


def _fit_probabilities(
    directory: RunDirectory,
    dataset: PreparedDataset,
    retrieval: RetrievalModel,
    config: ExperimentConfig,
    encode: BertTextTower,
) -> dict[str, float]:
    """Fits the surfaces that say how likely something is."""
    metrics: dict[str, float] = {}
    try:
        again = fit_again(dataset)
        again.tables.save(directory.path / AGAIN)
        metrics |= again.metrics
    except NoRepeatsError as error:
        write_line(f"nothing to buy again: {error}")
    try:
        campaign, found = fit_campaign(dataset, retrieval, encode, seed=config.seed)
        campaign.save(directory.path / CAMPAIGN)
        metrics |= found
    except NoThemesError as error:
        write_line(f"no campaigns: {error}")
    return metrics
