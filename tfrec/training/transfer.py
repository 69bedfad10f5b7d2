"""Starts the retrieval model of a shop from a run of another shop."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tfrec.config import ExperimentConfig, TransferConfig
from tfrec.errors import UserError
from tfrec.files import read_json, sha256_of_file
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import write_line
from tfrec.towers.behaviour import BehaviourTower
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.spec import DataSpec
from tfrec.training.retrieval import LOADING_ERRORS, SPEC, WEIGHTS, load_text_vectors
from tfrec.training.run import RunDirectory
from tfrec.training.trust import Trust, untrained_projection

VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
BEHAVIOUR = "query_tower/behaviour"
RECURRENT_SETTINGS = (
    "lstm_units",
    "lstm_layers",
    "lstm_layer_norm",
    "lstm_first_residual",
    "state_attention",
    "time_gaps",
    "event_features",
)
"""Settings of `retrieval` that an LSTM's weights mean nothing without."""
RECURRENT_PARTS = ("start", "gap_embedding", "lstms", "norms", "attention", "project")
"""Parts of the behaviour tower that are taken together, as far as it has them."""


@dataclass(frozen=True)
class SourceRun:
    """The finished retrieval model of another shop, without that shop's data.

    Attributes:
        run: its folder.
        config: what it was trained with.
        spec: sizes and vocabularies of its data.
        weights: its weights by their path in the checkpoint, such as `item_tower/text_mean`.
    """

    run: RunDirectory
    config: ExperimentConfig
    spec: DataSpec
    weights: dict[str, np.ndarray]

    @classmethod
    def open(cls, path: str | Path) -> "SourceRun":
        """Reads the retrieval model of the run at `path`.

        Raises:
            UserError: if there is none, it is unfinished, or a file of it is damaged.
        """
        run = RunDirectory.open(path, "retrieval")
        try:
            spec = DataSpec.model_validate(read_json(run.path / SPEC))
            reader = tf.train.load_checkpoint(str(run.path / WEIGHTS))
            names = [name for name in reader.get_variable_to_shape_map() if name.endswith(VALUE)]
            weights = {name.removesuffix(VALUE): reader.get_tensor(name) for name in names}
        except LOADING_ERRORS as error:
            raise UserError(
                f"a file of the retrieval model in {run.path} is missing or damaged; start from "
                "another run, or train that one again"
            ) from error
        return cls(run, run.config, spec, weights)

    @property
    def record(self) -> dict[str, Any]:
        """What the new run's record says of this one: place, data and checksum of the weights."""
        digest = sha256_of_file(self.run.path / f"{WEIGHTS}.data-00000-of-00001")
        return {
            "run": str(self.run.path.parent.resolve()),
            "dataset": self.run.dataset_checksum,
            "seed": self.run.seed,
            "weights": digest,
        }

    def check(self, config: ExperimentConfig) -> None:
        """Makes sure that another shop's model can start from this one.

        Args:
            config: that of the other shop.

        Raises:
            UserError: if the two read texts differently, or place items in spaces of other sizes.
        """
        old, new = self.config, config
        place = self.run.path.parent
        if old.text.policy != "frozen":
            raise UserError(
                f"the run {place} trained its BERT (text.policy: {old.text.policy}), so no other "
                "shop has such text vectors; start from a run with text.policy: frozen"
            )
        if old.text.bert != new.text.bert and (
            find_weights(old.text.bert).fingerprint != find_weights(new.text.bert).fingerprint
        ):
            raise UserError(
                f"the run {place} read its texts with another BERT ({_named(old.text.bert)}, not "
                f"{_named(new.text.bert)}), so nothing of it fits; set text.bert to the one it "
                "was trained with, or start from another run"
            )
        if old.retrieval.dimension != new.retrieval.dimension:
            raise UserError(
                f"items of the run {place} have {old.retrieval.dimension} dimensions, not "
                f"{new.retrieval.dimension}, so nothing of it fits; set retrieval.dimension to "
                f"{old.retrieval.dimension}"
            )

    def give(self, model: RetrievalModel) -> list[str]:
        """Puts into `model` what it can use of this run's weights.

        How the texts, prices and pictures of a catalogue are centred and scaled stays that of the
        model's own shop, so that "cheap" means what it means there.

        Args:
            model: a model of another shop, whose item tower knows its catalogue's scales.

        Returns:
            One line for each part: whether it was taken, and if not, why.
        """
        return [*self._give_items(model), *self._give_behaviour(model)]

    def start(
        self, model: RetrievalModel, score: Callable[[], float], config: TransferConfig
    ) -> None:
        """Gives `model` what it can use, as far as it may be trusted, and writes what that is.

        Args:
            model: as in `give`.
            score: its validation score as it is.
            config: how far the source is trusted.
        """
        write_line(f"Retrieval starts from {self.run.path.parent}")
        for line in self.give(model):
            write_line(f"  {line}")
        vectors = load_text_vectors(self.run.path)
        trust = Trust(model, untrained_projection(vectors, model.config.dimension))
        text, lstm, best = trust.fit(score, config)
        write_line(
            f"  trust in texts {text:g}, in the LSTM {lstm:g}: validation NDCG@10 {best:.4f}"
        )

    def _give_items(self, model: RetrievalModel) -> list[str]:
        tower, told = model.item_tower, ["taken: how texts place items"]
        tower.text_projection.assign(self.weights["item_tower/text_projection"])
        if model.spec.use_price and self.spec.use_price:
            tower.price_projection.assign(self.weights["item_tower/price_projection"])
            told.append("taken: how prices place items")
        elif model.spec.use_price:
            told.append("not taken: how prices place items, as that shop's have none")
        for column, projection in tower.vector_projections.items():
            name = f"item_tower/vector_projections/{column}/projection"
            size = self.spec.vector_sizes.get(column)
            if size == projection.size and name in self.weights:
                projection.projection.assign(self.weights[name])
                told.append(f"taken: how {column} places items")
            else:
                had = "none" if size is None else f"vectors of {size} dimensions"
                told.append(f"not taken: how {column} places items, as that shop's have {had}")
        if not self.config.retrieval.content_only:
            told.append(f"not taken: the ids of its {self.spec.num_ids:,} items")
            told += [self._give_category(model, column) for column in tower.category_tables]
        return told

    def _give_category(self, model: RetrievalModel, column: str) -> str:
        table = model.item_tower.category_tables[column]
        names = list(self.spec.categories)
        if column not in names:
            return f"not taken: values of {column}, as that shop's items have none"
        old = self.weights[f"item_tower/category_{names.index(column)}"]
        taken, places = shared_rows(self.spec.categories[column], model.spec.categories[column])
        values = table.numpy()
        values[places] = old[taken]
        table.assign(values)
        return f"taken: {len(places):,} of {len(values) - 1:,} values of {column}, by their names"

    def _give_behaviour(self, model: RetrievalModel) -> list[str]:
        old, new, told = self.config.retrieval, model.config, []
        behaviour = model.query_tower.behaviour
        differing = [
            f"retrieval.{name} is {getattr(old, name)} there and {getattr(new, name)} here"
            for name in RECURRENT_SETTINGS
            if getattr(old, name) != getattr(new, name)
        ]
        if differing:
            told.append(f"not taken: the LSTM, as {' and '.join(differing)}")
        else:
            self._restore_recurrent_parts(behaviour)
            gaps = " and the gaps in time" if new.time_gaps else ""
            told.append(f"taken: the LSTM, the start of a history{gaps}")
        if old.event_features and new.event_features:
            behaviour.event_embedding.assign(
                event_rows(
                    self.weights[f"{BEHAVIOUR}/event_embedding"],
                    self.spec.event_types,
                    self.spec.target_events,
                    model.spec.event_types,
                )
            )
        if old.history_averages == new.history_averages:
            if new.history_averages:
                behaviour.average_weight.assign(self.weights[f"{BEHAVIOUR}/average_weight"])
                told.append("taken: the weights of the moving averages")
        else:
            told.append(
                f"not taken: the weights of the moving averages, which are {old.history_averages} "
                f"there and {new.history_averages} here (retrieval.history_averages)"
            )
        if model.query_tower.context_sizes:
            told.append("not taken: contexts, whose values are those of one shop")
        if model.repeat_bonus is not None:
            told.append(self._give_repeats(model.repeat_bonus))
        if model.learned_temperature is not None:
            told.append("not taken: the temperature, which is learned anew from where it is set")
        return told

    def _restore_recurrent_parts(self, behaviour: BehaviourTower) -> None:
        parts = {
            name: getattr(behaviour, name) for name in RECURRENT_PARTS if hasattr(behaviour, name)
        }
        tower = tf.train.Checkpoint(behaviour=tf.train.Checkpoint(**parts))
        status = tf.train.Checkpoint(query_tower=tower).read(str(self.run.path / WEIGHTS))
        status.assert_existing_objects_matched().expect_partial()

    def _give_repeats(self, bonus: Any) -> str:
        if not self.config.retrieval.repeat_bonus:
            return "not taken: the bonus of re-purchases, which that run has none of"
        for name in ("by_count", "by_steps", "by_days"):
            getattr(bonus, name).assign(self.weights[f"repeat_bonus/{name}"])
        return "taken: the bonus of re-purchases by their number and age"


def shared_rows(old: Sequence[str], new: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Returns where names that two vocabularies share are in the old and in the new one.

    Position 0 is padding in both and is not among them.

    Example:
        >>> shared_rows(["", "red", "blue"], ["", "blue", "green"])
        (array([2]), array([1]))
    """
    place = {name: index for index, name in enumerate(old) if index}
    pairs = [(place[name], index) for index, name in enumerate(new) if index and name in place]
    return (
        np.array([pair[0] for pair in pairs], np.int64),
        np.array([pair[1] for pair in pairs], np.int64),
    )


def event_rows(
    table: np.ndarray, old: Sequence[str], targets: Sequence[str], new: Sequence[str]
) -> np.ndarray:
    """Returns the embeddings of a shop's event types from those of another.

    An event type that the other shop has as well keeps its row; any other begins as the mean of
    those that count as a hit, because what shops call their main event differs most.

    Args:
        table: float `[len(old) + 1, size]`, row 0 for padding.
        old: event types of the table.
        targets: those of them that count as a hit.
        new: event types wanted.

    Returns:
        float `[len(new) + 1, size]`.
    """
    mean = np.mean([table[old.index(name) + 1] for name in targets], axis=0)
    rows = [table[old.index(name) + 1] if name in old else mean for name in new]
    return np.stack([table[0], *rows])


def _named(bert: str | None) -> str:
    return "the MiniLM weights package" if bert is None else bert
