"""The surfaces of a run: fitted from its data set and its retrieval model, and opened again."""

from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.errors import UserError
from tfrec.files import read_json, write_json
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import write_line
from tfrec.surfaces.cart import CartTables
from tfrec.surfaces.cart_fitting import NoOrdersError, fit_cart
from tfrec.surfaces.search_fitting import fit_search
from tfrec.towers.bert.weights import find_weights
from tfrec.training.retrieval import load_retrieval, text_tower_of, weights_fingerprint
from tfrec.training.run import RunDirectory

SURFACES = "surfaces"
CART = "cart.npz"
FITTED = "surfaces.json"


@dataclass(frozen=True)
class Surfaces:
    """What the surfaces of a shop know beside the models.

    Attributes:
        cart: complements of baskets; None where the log has no orders.
        search: float32, weights of the parts of a search.
    """

    cart: CartTables | None
    search: np.ndarray

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
        cart = None if fitted["cart"] is None else CartTables.load(folder / CART)
        return cls(cart, np.array(fitted["search"], np.float32))


def run_surfaces(
    run: str | Path, data: str | Path | None = None, *, overwrite: bool = False
) -> tuple[RunDirectory, dict[str, float]]:
    """Fits the surfaces of a run that has a retrieval model.

    Args:
        run: the run's folder.
        data: its data set, where it has moved.
        overwrite: whether to replace surfaces that are already in the run.

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
    retrieval = load_retrieval(first.path, config, dataset.items)
    vectors = tf.cast(retrieval.item_vectors(), tf.float32).numpy()
    directory = RunDirectory.create(
        run, SURFACES, config, dataset.path, dataset.checksum, config.seed, overwrite=overwrite
    )
    search, metrics = fit_search(
        dataset.items["title"].tolist(),
        dataset.items["text"].tolist(),
        retrieval.catalogue.text.numpy(),
        text_tower_of(retrieval, find_weights(config.text.bert), config.text.max_tokens),
        seed=config.seed,
    )
    fitted = {
        "retrieval": weights_fingerprint(retrieval),
        "search": search.tolist(),
        "cart": None,
    }
    try:
        cart = fit_cart(dataset, vectors, seed=config.seed)
    except NoOrdersError as error:
        write_line(f"no cart: {error}")
    else:
        cart.tables.save(directory.path / CART)
        fitted["cart"] = asdict(cart.settings)
        metrics |= cart.metrics
    write_json(directory.path / FITTED, fitted)
    directory.finish(metrics)
    return directory, metrics
