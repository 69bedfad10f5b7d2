"""Prints whether the named reasons are why an item stands where it stands.

    python -m benchmarks.reason_faithfulness --run RUN [--data DATA] [--shoppers 400] [--json FILE]

The best items for a shopper are ranked anew without the item of his history that was named, and
without every other one, through both stages; then without the named word of their text, and every
other one, through the first stage. Random is the mean over all of them, the named one included.
Compared are changes of the rank and of its logarithm: the ratio of means over shoppers with its
bootstrap interval. Beside the reason that is served stand the latest item, the one with the
largest cosine, and the one whose removal lowers the score furthest beside those of the other items
shown: an exact leave-one-out.

What a shopper had before is measured apart (`--repeats exclude` never shows it): without its
earlier orders, a re-purchase has no reason left at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

import tfrec  # noqa: F401  (decides which Keras TensorFlow gets)
from benchmarks.measuring import json_option, run_options
from tfrec.data.records import Histories
from tfrec.explaining.history_reasons import event_weights, history_weights, mean_vector
from tfrec.explaining.word_reasons import WordReasons
from tfrec.explaining.words import Words, without_word
from tfrec.files import write_json
from tfrec.index.exact import best_items, hide_items
from tfrec.models.recommender import Retriever
from tfrec.progress import progress
from tfrec.towers.bert.weights import find_weights
from tfrec.towers.histories import History
from tfrec.training.loading import TrainedRun
from tfrec.training.retrieval import text_tower_of
from tfrec.training.text import encode_all

import tensorflow as tf  # isort: skip

SHOWN = 10
WITH_WORDS = 3
"""Items of each shopper whose texts are read again."""
AT_ONCE = 32
FEWEST = 2
EVERYONE = (FEWEST, 10**9)
LENGTHS = (EVERYONE, (FEWEST, 20), (21, 60), (61, 10**9))


@dataclass(frozen=True)
class WordChanges:
    """What becomes of an item without each word of its text, `[words]` each.

    Attributes:
        rank: the change of its rank in the first stage.
        log_rank: the change of the logarithm of that.
        effects: how much each word is said to weigh.
        lost: what its score in the first stage loses.
    """

    rank: np.ndarray
    log_rank: np.ndarray
    effects: np.ndarray
    lost: np.ndarray


WORD_CHOICES: dict[str, Callable[[WordChanges], np.ndarray]] = {
    "served": lambda words: words.effects,
    "first word": lambda words: -np.arange(len(words.rank)),
    "leave one out": lambda words: words.lost,
}


@dataclass(frozen=True)
class Case:
    """What a shopper is shown, and what becomes of it without each item of the history.

    Attributes:
        items: int64 `[distinct]`, the items of the history.
        shown: int64 `[SHOWN]`.
        rank: float64 `[1 + distinct, SHOWN]`, first with all of the history.
        value: float64 `[1 + distinct, SHOWN]`, logits of the value.
        reasons: float64 by name, `[distinct, SHOWN]`: how much each item is said to weigh.
        scores: float32 `[num_items + 1]`, of the first stage.
        query: float32 `[dimension]`.
        effects: float32 `[SHOWN, most]`: how much each word of the items is said to weigh.
    """

    items: np.ndarray
    shown: np.ndarray
    rank: np.ndarray
    value: np.ndarray
    reasons: dict[str, np.ndarray]
    scores: np.ndarray
    query: np.ndarray
    effects: np.ndarray


class Funnel:
    """Both stages of a run, asked with histories that lack something."""

    def __init__(self, run: TrainedRun, *, repeats: str) -> None:
        assert run.ranker is not None, "the run has a ranking model"
        self.run = run
        self.ranker = run.ranker
        self.retriever = Retriever(run.retrieval)
        self.candidates = run.config.ranking.candidates
        self.hide = repeats == "exclude"
        self.longest = run.retrieval.config.max_history
        self.words = Words.of(run.dataset.items["text"].tolist())
        self.named_words = WordReasons(
            self.words,
            run.retrieval.catalogue.text.numpy(),
            self.retriever.vectors.numpy(),
            run.retrieval.item_tower.text_projection.numpy(),
        )
        self.tower = text_tower_of(
            run.retrieval, find_weights(run.config.text.bert), run.config.text.max_tokens
        )
        self._ranked = tf.function(self._rank, reduce_retracing=True, autograph=False)
        self._weights = tf.function(self._weigh, reduce_retracing=True, autograph=False)

    def _rank(self, history: History, targets: tf.Tensor, hidden: tf.Tensor) -> tuple[Any, ...]:
        scores = self.retriever.scores(history)
        visible = hide_items(scores, hidden)
        _, items = best_items(visible, self.candidates)
        both = tf.concat([tf.ensure_shape(items, [None, self.candidates]), targets], axis=1)
        values, _ = self.ranker.rank(history, both, scores)
        return visible, items, values

    def _weigh(self, history: History, items: tf.Tensor) -> tuple[tf.Tensor, ...]:
        usable = history["item"] > 0
        returned = self.run.retrieval.spec.return_event_index
        if returned is not None:
            usable = tf.logical_and(usable, history["event"] != returned)
        weight = event_weights(history["length"], usable)
        vectors = self.retriever.index
        taste = mean_vector(vectors, history["item"], weight)
        cosines = tf.einsum("bkd,bld->bkl", vectors.rows(items), vectors.rows(history["item"]))
        return (
            history_weights(vectors, items, history["item"], weight),
            cosines,
            self.named_words.effects(taste, items),
        )

    def ranks(
        self, history: History, targets: np.ndarray, hidden: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Returns ranks and logits of `targets`, then the candidates' items and values.

        An item that is no longer a candidate has its rank of the first stage.

        Args:
            history: the histories.
            targets: int64 `[batch, count]`.
            hidden: int64 `[batch, items]`, never ranked.
        """
        scores, items, values = (part.numpy() for part in self._ranked(history, targets, hidden))
        first, last = values[:, : self.candidates], values[:, self.candidates :]
        first = np.where(items > 0, first, -np.inf)
        ranks = 1.0 + (first[:, np.newaxis] > last[..., np.newaxis]).sum(axis=2)
        for row, target in np.argwhere(~(targets[..., None] == items[:, None]).any(axis=2)):
            ranks[row, target] = 1 + (scores[row] > scores[row, targets[row, target]]).sum()
        return ranks, logit(last), items, first

    def case(self, histories: Histories, row: int) -> Case:
        """Measures one shopper."""
        place = histories.history(row)
        events = {
            name: getattr(histories, name)[place][-self.longest :].astype(np.int64)
            for name in ("item", "event", "timestamp")
        }
        context = {name: int(values[place][-1]) for name, values in histories.context.items()}
        items = np.unique(events["item"])
        keeps = [np.ones(len(events["item"]), bool), *(events["item"] != item for item in items)]
        hidden = items if self.hide else np.zeros(1, np.int64)
        whole = as_history(events, keeps[:1], context)
        _, _, candidates, first = self.ranks(whole, np.zeros((1, 1), np.int64), hidden[None])
        shown = candidates[0][np.argsort(-first[0], kind="stable")][:SHOWN]
        shown = shown[shown > 0]
        ranks, values = [], []
        for start in range(0, len(keeps), AT_ONCE):
            some = keeps[start : start + AT_ONCE]
            done = self.ranks(
                as_history(events, some, context),
                np.tile(shown, (len(some), 1)),
                np.tile(hidden, (len(some), 1)),
            )
            ranks.append(done[0])
            values.append(done[1])
        rank, value = np.concatenate(ranks), np.concatenate(values)
        weights, cosines, effects = (
            part.numpy()[0] for part in self._weights(whole, tf.constant(shown[None]))
        )
        last = [int(np.flatnonzero(events["item"] == item)[-1]) for item in items]
        lost = value[:1] - value[1:]
        reasons = {
            "served": weights[:, last].T,
            "largest cosine": cosines[:, last].T,
            "latest": np.tile(np.array(last, float)[:, None], (1, len(shown))),
            "leave one out": lost - np.median(lost, axis=1, keepdims=True),
        }
        scores = self._ranked(whole, shown[None], hidden[None])[0].numpy()[0]
        query = self.retriever.query_vectors(whole).numpy()[0]
        return Case(items, shown, rank, value, reasons, scores, query, effects)

    def word_changes(self, cases: Sequence[Case]) -> list[list[WordChanges]]:
        """Returns what becomes of items in the first stage without each word, case by case."""
        chosen = [
            [(place, int(item)) for place, item in enumerate(case.shown[:WITH_WORDS])]
            for case in cases
        ]
        described = self._described({item for row in chosen for _, item in row})
        return [
            [
                word_changes(case, place, item, described[item])
                for place, item in row
                if len(described[item]) > FEWEST
            ]
            for case, row in zip(cases, chosen, strict=True)
        ]

    def _described(self, items: set[int]) -> dict[int, np.ndarray]:
        """Returns the vectors of items, as they are and without each of their words."""
        texts, owner = [], []
        for item in sorted(items):
            text = self.run.dataset.items["text"].iloc[item - 1]
            words = [self.words.spelling[word] for word in self.words.of_item[item] if word]
            texts += [text, *(without_word(text, word) for word in words)]
            owner += [item] * (1 + len(words))
        features = self.run.retrieval.catalogue.features(tf.constant(owner, tf.int64))
        features["text"] = tf.constant(encode_all(self.tower, texts))
        vectors = tf.cast(self.run.retrieval.item_tower(features), tf.float32).numpy()
        return {item: vectors[np.array(owner) == item] for item in items}


def word_changes(case: Case, place: int, item: int, vectors: np.ndarray) -> WordChanges:
    """Returns what becomes of one item; `vectors` are its own, and those without each word."""
    near = vectors @ case.query
    lost = near[0] - near[1:]
    own = case.scores[item]
    before = 1 + (case.scores > own).sum()
    # The item itself is above what it would be without a word that speaks for it.
    after = 1 + (case.scores > (own - lost)[:, np.newaxis]).sum(axis=1) - (lost > 0)
    return WordChanges(
        after - before, np.log(after / before), case.effects[place, : len(lost)], lost
    )


def as_history(
    events: dict[str, np.ndarray], keeps: Sequence[np.ndarray], context: dict[str, int]
) -> History:
    """Returns a history a mask, with the events that it keeps moved together."""
    length = [int(keep.sum()) for keep in keeps]
    width = max(*length, 1)
    history = {
        name: tf.constant(
            np.stack(
                [np.pad(values[k], (0, width - n)) for k, n in zip(keeps, length, strict=True)]
            )
        )
        for name, values in events.items()
    }
    history |= {
        f"context/{name}": tf.fill([len(keeps), width], tf.constant(value, tf.int64))
        for name, value in context.items()
    }
    return history | {"length": tf.constant(length, tf.int64)}


def logit(values: np.ndarray) -> np.ndarray:
    """Returns the logits of values from 0 to 1."""
    inside = np.clip(values.astype(np.float64), 1e-9, 1 - 1e-9)
    return np.log(inside / (1 - inside))


def ratio(pairs: np.ndarray, seed: int) -> dict[str, float]:
    """Returns the ratio of the means of two columns, with its bootstrap interval over rows."""
    low, high = ratio_interval(pairs, seed=seed)
    named, random = pairs.mean(axis=0)
    return {
        "named": float(named),
        "random": float(random),
        "ratio": float(named / random),
        "low": low,
        "high": high,
    }


def ratio_interval(pairs: np.ndarray, *, seed: int, samples: int = 2000) -> tuple[float, float]:
    """Returns the 95 % percentile interval of the ratio of means, rows drawn with replacement."""
    generator = np.random.default_rng(seed)
    draws = generator.integers(0, len(pairs), (samples, len(pairs)))
    means = pairs[draws].mean(axis=1)
    low, high = np.quantile(means[:, 0] / means[:, 1], [0.025, 0.975])
    return float(low), float(high)


def item_figures(cases: Sequence[Case], name: str, seed: int) -> dict[str, dict[str, float]]:
    """Returns the changes of rank and of log rank without the reason, and without any item."""
    pairs: dict[str, list[tuple[float, float]]] = {"rank": [], "log rank": []}
    for case in cases:
        best = case.reasons[name].argmax(axis=0)
        change = {
            "rank": np.abs(case.rank[1:] - case.rank[0]),
            "log rank": np.abs(np.log(case.rank[1:] / case.rank[0])),
        }
        for kind, values in change.items():
            own = values[best, np.arange(values.shape[1])]
            pairs[kind].append((own.mean(), values.mean()))
    return {kind: ratio(np.array(rows), seed) for kind, rows in pairs.items()}


def word_figures(
    changes: Sequence[list[WordChanges]], chosen: Callable[[WordChanges], np.ndarray], seed: int
) -> dict[str, dict[str, float]]:
    """Returns the same for words; cases without an item of two words are left out."""
    pairs: dict[str, list[list[float]]] = {"rank": [], "log rank": []}
    for words in changes:
        if not words:
            continue
        for kind in pairs:
            rows = []
            for word in words:
                change = np.abs(word.rank if kind == "rank" else word.log_rank)
                rows.append((change[chosen(word).argmax()], change.mean()))
            pairs[kind].append(np.mean(rows, axis=0).tolist())
    return {kind: ratio(np.array(rows), seed) for kind, rows in pairs.items()}


@click.command()
@run_options
@click.option("--shoppers", default=400, show_default=True, help="How many of the test split.")
@click.option("--repeats", type=click.Choice(["count", "exclude"]), default="exclude")
@click.option("--seed", default=42, show_default=True)
@json_option
def main(
    run_folder: Path,
    data: Path | None,
    shoppers: int,
    repeats: str,
    seed: int,
    json_path: Path | None,
) -> None:
    """Measure the reasons of a run."""
    funnel = Funnel(TrainedRun.open(run_folder, data), repeats=repeats)
    histories = funnel.run.dataset.histories("test")
    distinct = [len(np.unique(histories.item[histories.history(i)])) for i in range(len(histories))]
    enough = np.flatnonzero(np.array(distinct) >= FEWEST)
    drawn = np.random.default_rng(seed).permutation(enough)[:shoppers]
    bar = progress(drawn.tolist(), description="Leaving one out", unit="shopper")
    cases = [funnel.case(histories, row) for row in bar]
    figures: list[dict[str, Any]] = []
    for low, high in LENGTHS:
        some = [case for case in cases if low <= len(case.items) <= high]
        if not some:
            continue
        for name in some[0].reasons if (low, high) == EVERYONE else ("served", "leave one out"):
            row = {"what": "item", "histories": [low, high], "reason": name, "cases": len(some)}
            figures.append(row | item_figures(some, name, seed))
    changes = funnel.word_changes(cases)
    for name, chosen in WORD_CHOICES.items():
        row = {"what": "word", "histories": list(EVERYONE), "reason": name, "cases": len(cases)}
        figures.append(row | word_figures(changes, chosen, seed))
    Console(width=140).print(table(figures, f"re-purchases {repeats}, {len(cases)} shoppers"))
    if json_path is not None:
        write_json(json_path, figures)


def table(figures: Sequence[dict[str, Any]], title: str) -> Table:
    """Returns the figures for people."""
    drawn = Table(title=title, title_justify="left")
    for name in ("left out", "items of the history", "shoppers", "reason"):
        drawn.add_column(name, justify="right" if name == "shoppers" else "left")
    for name in ("rank: named / random", "ratio", "log rank: named / random", "ratio"):
        drawn.add_column(name, justify="right")
    for row in figures:
        low, high = row["histories"]
        span = f"{low} or more" if high >= EVERYONE[1] else f"{low} to {high}"
        cells = [row["what"], span, f"{row['cases']:,}", row["reason"]]
        for kind, digits in (("rank", 2), ("log rank", 3)):
            one = row[kind]
            cells.append(f"{one['named']:.{digits}f} / {one['random']:.{digits}f}")
            cells.append(f"{one['ratio']:.2f} [{one['low']:.2f}, {one['high']:.2f}]")
        drawn.add_row(*cells)
    return drawn


if __name__ == "__main__":
    main()
