"""The portraits of a run's shoppers, and what they are drawn with, which is kept in the run."""

from pathlib import Path

import numpy as np
import pandas as pd
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.data.records import Histories, batches_by_length
from tfrec.explaining.words import words_in
from tfrec.models.recommender import Retriever
from tfrec.profiles.files import USER
from tfrec.profiles.fitting import Purchases, fit_profiles
from tfrec.profiles.portrait import Portraits
from tfrec.profiles.tables import ProfileTables
from tfrec.progress import progress
from tfrec.towers.histories import pad_histories
from tfrec.training.retrieval import load_retrieval, weights_fingerprint
from tfrec.training.run import RunDirectory

PROFILES = "profiles"
_BATCH = 256


def run_profiles(
    run: str | Path, data: str | Path | None = None, *, refit: bool = False
) -> tuple[ProfileTables, pd.DataFrame]:
    """Draws every shopper of a run's data set, as he stands at the end of the log.

    What the portraits are drawn with is fitted where the run does not hold it yet, and kept in it
    for the next export.

    Args:
        run: the run's folder.
        data: its data set, where it has moved.
        refit: whether to fit anew what the run holds.

    Returns:
        What they are drawn with, and a row a shopper, by hash.

    Raises:
        UserError: if there is no finished retrieval model, or what the run holds is damaged or of
            another model.
    """
    first = RunDirectory.open(run, "retrieval")
    dataset = PreparedDataset.open(first.dataset_path if data is None else data)
    first.check_dataset(dataset.path, dataset.checksum)
    retrieval = load_retrieval(first.path, first.config, dataset.items)
    folder, fingerprint = Path(run) / PROFILES, weights_fingerprint(retrieval)
    retriever = Retriever(retrieval)
    log = complete_log(dataset)
    queries = _queries(retriever, log)
    tables = None if refit else ProfileTables.find(folder, fingerprint)
    if tables is None:
        tables = fit_profiles(
            purchases_of(log, dataset.target_event_indices),
            queries,
            [words_in(title) for title in dataset.items["title"]],
            {name: table.numpy() for name, table in retrieval.catalogue.categories.items()},
            retrieval.catalogue.text.numpy(),
            retrieval.catalogue.price.numpy(),
            retrieval=fingerprint,
            seed=first.config.seed,
        )
        folder.mkdir(parents=True, exist_ok=True)
        tables.save(folder)
    return tables, _drawn(portraits_of(tables, retriever), log, queries)


def portraits_of(tables: ProfileTables, retriever: Retriever) -> Portraits:
    """Returns what draws portraits over the items of a retrieval model."""
    model = retriever.model
    return Portraits(
        tables,
        {name: table.numpy() for name, table in model.catalogue.categories.items()},
        model.spec.categories,
        model.catalogue.text.numpy(),
        retriever.index.rows,
        model.catalogue.price.numpy(),
        model.spec.target_event_indices,
    )


def complete_log(dataset: PreparedDataset) -> Histories:
    """Returns all events of every shopper, each with the shopper's last known context."""
    log = dataset.whole_log()
    last: dict[str, dict[str, int]] = {name: {} for name in dataset.context_columns}
    for split in ("train", "valid", "test"):
        some = dataset.histories(split)
        for name, values in some.context.items():
            ends = some.offsets[1:][some.lengths > 0] - 1
            last[name] |= dict(zip(some.user[some.lengths > 0], values[ends], strict=True))
    context = {
        name: np.repeat(np.array([known.get(user, 0) for user in log.user], np.int32), log.lengths)
        for name, known in last.items()
    }
    arrays = {**vars(log), "context": context}
    return Histories(**arrays)


def purchases_of(log: Histories, target_events: list[int]) -> Purchases:
    """Returns the events of a log that count as purchases."""
    owner = log.owner
    bought = np.isin(log.event, target_events)
    return Purchases(owner[bought], log.item[bought], log.timestamp[bought], len(log))


def _queries(retriever: Retriever, log: Histories) -> np.ndarray:
    ask = tf.function(retriever.query_vectors, reduce_retracing=True)
    longest = retriever.model.config.max_history
    queries = np.zeros((len(log), retriever.vectors.shape[1]), np.float32)
    for rows in progress(
        batches_by_length(log.lengths, _BATCH), description="Reading histories", unit="batch"
    ):
        queries[rows] = ask(pad_histories(log.select(rows), longest)).numpy()
    return queries


def _drawn(portraits: Portraits, log: Histories, queries: np.ndarray) -> pd.DataFrame:
    draw = tf.function(portraits.__call__, reduce_retracing=True, autograph=False)
    now = int(log.timestamp.max(initial=0))
    parts = []
    for rows in progress(
        batches_by_length(log.lengths, _BATCH), description="Drawing", unit="batch"
    ):
        some = log.select(rows)
        history = pad_histories(some, max(int(some.lengths.max(initial=0)), 1))
        drawn = draw(history, queries[rows], tf.fill([len(rows)], tf.constant(now, tf.int64)))
        parts.append(_frame(some.user, {name: values.numpy() for name, values in drawn.items()}))
    return pd.concat(parts, ignore_index=True).sort_values(USER, ignore_index=True)


def _frame(users: np.ndarray, drawn: dict[str, np.ndarray]) -> pd.DataFrame:
    columns: dict[str, object] = {USER: users}
    for name, values in drawn.items():
        if values.ndim == 2 and values.dtype == object:
            columns[name] = [[value.decode() for value in row if value] for row in values]
        elif values.ndim == 2:
            columns[name] = [[float(value) for value in row if value > 0] for row in values]
        elif values.dtype == object:
            columns[name] = [value.decode() for value in values]
        elif name.startswith("next_purchase"):
            moments = pd.Series(values).where(values > 0)
            columns[name] = pd.to_datetime(moments, unit="s", utc=True)
        else:
            columns[name] = values
    return pd.DataFrame(columns)
