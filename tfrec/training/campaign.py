"""Fits the campaign's probabilities: who buys in a theme within the validation period."""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from tfrec.data.dataset import PreparedDataset
from tfrec.data.item_counts import SECONDS_PER_DAY, item_counts
from tfrec.data.records import Histories, batches_by_length
from tfrec.errors import UserError
from tfrec.evaluation.probabilities import log_loss
from tfrec.models.recommender import Retriever
from tfrec.models.retrieval import RetrievalModel
from tfrec.progress import progress
from tfrec.surfaces.campaign import FEATURES, Campaign, CampaignTables
from tfrec.surfaces.logistic import fit_logistic, probabilities
from tfrec.surfaces.themes import Theme, themes_of
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.histories import History, pad_histories

THEMES = 200
SHOPPERS = 3000
CENTRES = (0.5, 0.4, 0.6, 0.3)
RECENT_DAYS = 30
BATCH = 64


class NoThemesError(UserError):
    """The data set says nothing of who would buy what a text advertises."""


@dataclass(frozen=True)
class Audience:
    """Shoppers, what they could be told, and what they did.

    Attributes:
        histories: the shoppers, without targets.
        now: unix time at which they would be told.
        bought: bool `[shoppers, themes]`, who chose something of a theme in the period after.
    """

    histories: Histories
    now: int
    bought: np.ndarray


def fit_campaign(
    dataset: PreparedDataset, retrieval: RetrievalModel, encode: BertTextTower, *, seed: int
) -> tuple[CampaignTables, dict[str, float]]:
    """Fits the weights on the validation period, with every other theme of the titles.

    Args:
        dataset: the prepared data set.
        retrieval: the trained model; its counts are those of the log before the test split again
            at the end.
        encode: the BERT that the item texts were read with.
        seed: seed of themes and shoppers.

    Returns:
        The tables, and log loss on the pairs of shoppers and themes, with that of the base rate.

    Raises:
        NoThemesError: if the split has no period, or the titles have too few words in common.
    """
    themes = split_themes(dataset, seed)[0]
    audience = audience_of(dataset, "valid", themes, seed=seed)
    if not audience.bought.any():
        raise NoThemesError("nobody buys anything of any theme in the validation period")
    creatives = creative_vectors(themes, encode)
    retrieval.count(dataset.log_before("valid"))
    fitted: list[tuple[float, float, np.ndarray]] = []
    labels = audience.bought.ravel()
    counted = count_campaign(dataset, "valid", CENTRES[0])
    try:
        for centre in CENTRES:
            tables = dataclasses.replace(counted, centre=np.array(centre, np.float32))
            features = described(Campaign(tables), retrieval, audience, creatives)
            weights = fit_logistic(features.reshape(-1, len(FEATURES)), labels)
            loss = log_loss(labels, probabilities(features, weights).ravel())
            fitted.append((loss, centre, weights))
    finally:
        retrieval.count(dataset.log_before("test"))
    loss, centre, weights = min(fitted, key=lambda one: one[0])
    tables = dataclasses.replace(count_campaign(dataset, "test", centre), weights=weights)
    base = log_loss(labels, np.full(len(labels), labels.mean()))
    return tables, {"campaign_log_loss": loss, "campaign_base_log_loss": base}


def creative_vectors(themes: Sequence[Theme], encode: BertTextTower) -> np.ndarray:
    """Returns the unit vectors of the themes' texts, float32 `[themes, text_dimension]`."""
    vectors: np.ndarray = encode(tf.constant([theme.text for theme in themes])).numpy()
    return vectors


def split_themes(dataset: PreparedDataset, seed: int) -> tuple[list[Theme], list[Theme]]:
    """Returns the themes that weights are fitted on, and those that they never see.

    Raises:
        NoThemesError: if there are fewer than two.
    """
    themes = themes_of(dataset.items["title"].tolist(), THEMES, seed=seed)
    if len(themes) < 2:
        raise NoThemesError("the titles have no words in common, of which themes could be made")
    return themes[::2], themes[1::2]


def audience_of(
    dataset: PreparedDataset, split: str, themes: Sequence[Theme], *, seed: int
) -> Audience:
    """Returns shoppers of the log before a split, those who never come back too.

    Args:
        dataset: the prepared data set.
        split: `valid` or `test`.
        themes: what they could buy of.
        seed: seed of the draw of `SHOPPERS` of them.

    Raises:
        NoThemesError: if the split has no period.
    """
    later = dataset.histories(split)
    start = dataset.period_start(split)
    if start is None:
        raise NoThemesError(
            "campaigns are learned from a period; prepare the data set with times and "
            "`data.split: temporal`"
        )
    log = dataset.log_before(split)
    chosen = np.random.default_rng(seed).permutation(len(log))[:SHOPPERS]
    log = log.select(np.sort(chosen))
    belongs = np.zeros((dataset.num_items + 1, len(themes)), bool)
    for place, theme in enumerate(themes):
        belongs[theme.items, place] = True
    counted = np.isin(later.target_event, dataset.target_event_indices)
    owner = log.owners_of_targets(later)
    counted &= owner >= 0
    bought = np.zeros((len(log), len(themes)), bool)
    np.logical_or.at(bought, owner[counted], belongs[later.target_item[counted]])
    return Audience(log, start, bought)


def count_campaign(dataset: PreparedDataset, before: str, centre: float) -> CampaignTables:
    """Returns what the log before a split says; the weights are 0."""
    config = dataset.manifest.config
    sales = item_counts(
        dataset.log_before(before),
        dataset.num_items + 1,
        dataset.target_event_indices,
        days=RECENT_DAYS,
    )
    share = (sales + 1e-3) / (sales.sum() + 1e-3 * len(sales))
    days = config.valid_days if before == "valid" else config.test_days
    return CampaignTables(
        np.zeros(len(FEATURES), np.float32),
        np.array(centre, np.float32),
        np.log(share).astype(np.float32),
        np.array(days),
    )


def described(
    campaign: Campaign, retrieval: RetrievalModel, audience: Audience, creatives: np.ndarray
) -> np.ndarray:
    """Returns every shopper with every creative, float32 `[shoppers, themes, len(FEATURES)]`."""
    retriever = Retriever(retrieval)
    texts = retrieval.catalogue.text
    themes = campaign.themes(tf.constant(creatives), texts)
    every = tf.range(len(creatives))[tf.newaxis]

    def describe(history: History, now: tf.Tensor) -> tf.Tensor:
        rows = tf.shape(now)[0]
        return shopper_features(
            campaign, retriever, themes, tf.tile(every, [rows, 1]), history, now
        )

    compiled = tf.function(describe, reduce_retracing=True)
    found = np.zeros((*audience.bought.shape, len(FEATURES)), np.float32)
    batches = batches_by_length(audience.histories.lengths, BATCH)
    for rows in progress(batches, description="Audience of campaigns", unit="batch"):
        history = pad_histories(audience.histories.select(rows), retrieval.config.max_history)
        for column in retrieval.spec.contexts:
            history.setdefault(f"context/{column}", tf.zeros_like(history["item"]))
        now = tf.fill([len(rows)], tf.constant(audience.now, tf.int64))
        found[rows] = compiled(history, now).numpy()
    return found


def shopper_features(
    campaign: Campaign,
    retriever: Retriever,
    themes: tf.Tensor,
    theme: tf.Tensor,
    history: History,
    now: tf.Tensor,
) -> tf.Tensor:
    """Describes shoppers with themes, as `Campaign.features` does.

    Args:
        campaign: what describes them.
        retriever: the trained model.
        themes: as `Campaign.themes` returns it.
        theme: int `[batch, count]`, rows of `themes`.
        history: the shoppers' histories.
        now: int64 `[batch]`, unix seconds; 0 for the time of the last event.
    """
    temperature = retriever.model.temperature
    last = tf.reduce_max(history["timestamp"], axis=1)
    seconds = tf.where(now > 0, tf.maximum(now - last, 0), 0)
    return campaign.features(
        themes,
        theme,
        chances_of(retriever.scores(history), temperature),
        retriever.query_vectors(history),
        retriever.vectors,
        history["item"],
        tf.cast(seconds, tf.float32) / SECONDS_PER_DAY,
    )


def chances_of(scores: tf.Tensor, temperature: float | tf.Tensor) -> tf.Tensor:
    """Returns the probability of each item to be the next choice, float32 of the same shape.

    Args:
        scores: float32 `[batch, num_items + 1]` of the retrieval model; column 0 has no meaning.
        temperature: the model's.
    """
    nothing = tf.fill([tf.shape(scores)[0], 1], -1e9)
    return tf.nn.softmax(tf.concat([nothing, scores[:, 1:]], axis=1) / temperature, axis=1)
