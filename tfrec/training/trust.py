"""How far a shop trusts what another shop's model has learned: fitted on its own validation."""

import itertools
from collections.abc import Callable

import numpy as np

from tfrec.config import TransferConfig
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import progress
from tfrec.towers.item import ItemTower

TEXT_TRUST = (0.0, 0.25, 0.5, 0.75, 1.0)
LSTM_TRUST = (0.0, 0.3, 1.0)


class Trust:
    """Moves a model between plain neighbours of text vectors and all that its source learned.

    Weights on a straight line between what a training began with and what it ended with serve
    foreign data better than either end (Wortsman et al., "Robust fine-tuning of zero-shot models",
    CVPR 2022). What items look like and how shoppers go on have a place of their own on theirs,
    as the second is more of the one shop.

    Args:
        model: has the source's weights.
        untrained: float `[text_dimension, dimension]`, the text projection that the source's
            training began with.
    """

    def __init__(self, model: RetrievalModel, untrained: np.ndarray) -> None:
        tower, behaviour = model.item_tower, model.query_tower.behaviour
        text = tower.text_projection
        self._by_text = [(text, aligned(untrained, text.numpy()), text.numpy())]
        scaled = [tower.price_projection] if tower.use_price else []
        scaled += [projection.projection for projection in tower.vector_projections.values()]
        self._by_text += [(each, np.zeros_like(each.numpy()), each.numpy()) for each in scaled]
        self._by_lstm = [
            (each, np.zeros_like(each.numpy()), each.numpy()) for each in behaviour.project.weights
        ]
        self._has_averages = bool(behaviour.averages)
        if self._has_averages:
            weight = behaviour.average_weight
            self._by_text.append((weight, np.ones_like(weight.numpy()), weight.numpy()))

    def put(self, text: float, lstm: float) -> None:
        """Places the model.

        Args:
            text: in [0, 1]; 0 leaves items where their texts alone put them.
            lstm: in [0, 1]; 0 leaves moving averages alone. Without these it is taken as 1.
        """
        for variable, start, end in self._by_text:
            variable.assign((1.0 - text) * start + text * end)
        for variable, start, end in self._by_lstm:
            place = lstm if self._has_averages else 1.0
            variable.assign((1.0 - place) * start + place * end)

    def fit(self, score: Callable[[], float], config: TransferConfig) -> tuple[float, float, float]:
        """Places the model where it scores best; equal scores go to the smaller trust.

        Args:
            score: the validation score of the model as it is.
            config: what is not to be fitted.

        Returns:
            The trust in texts and in the LSTM, and the score there.
        """
        texts = TEXT_TRUST if config.text_trust is None else (config.text_trust,)
        lstms = LSTM_TRUST if config.lstm_trust is None else (config.lstm_trust,)
        if not self._has_averages:
            lstms = (1.0,)
        found = []
        places = list(itertools.product(texts, lstms))
        for text, lstm in progress(places, description="Trust in the source", unit="place"):
            self.put(text, lstm)
            found.append((score(), text, lstm))
        best, text, lstm = max(found, key=lambda each: (each[0], -each[1], -each[2]))
        self.put(text, lstm)
        return text, lstm, best


def untrained_projection(text_vectors: np.ndarray, dimension: int) -> np.ndarray:
    """Returns the text projection that a training on a catalogue begins with.

    Args:
        text_vectors: float `[num_items, text_dimension]`.
        dimension: of the item vectors.

    Returns:
        float32 `[text_dimension, dimension]`.
    """
    tower = ItemTower(dimension, 0, text_vectors.shape[1])
    tower.adapt(text_vectors, np.zeros(0, np.float32))
    projection: np.ndarray = tower.text_projection.numpy()
    return projection


def aligned(untrained: np.ndarray, trained: np.ndarray) -> np.ndarray:
    """Returns `untrained` with the columns' signs as in `trained`.

    A principal component is as good as its opposite, and another machine may have found that one.

    Args:
        untrained: float `[text_dimension, dimension]`.
        trained: the same.
    """
    signs = np.where((untrained * trained).sum(axis=0) < 0.0, -1.0, 1.0)
    turned: np.ndarray = (untrained * signs).astype(np.float32)
    return turned
