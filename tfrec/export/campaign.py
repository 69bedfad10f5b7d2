"""The signature of campaigns: who buys what a text advertises."""

import tensorflow as tf

from tfrec.export.histories import ROWS_OF_TEXT, HistoryReader
from tfrec.export.requests import NOW, TIMES
from tfrec.export.saving import Signature, Tensors
from tfrec.models.recommender import Retriever
from tfrec.surfaces.campaign import Campaign
from tfrec.surfaces.letters import cut
from tfrec.towers.bert.tower import BertTextTower
from tfrec.towers.histories import last_events
from tfrec.training.campaign import shopper_features

CREATIVE = "creative"


class CampaignSignatures:
    """What the retrieval model offers of campaigns.

    Args:
        histories: reads histories.
        retriever: the trained model.
        text_tower: the BERT that the item texts were read with.
        campaign: the probabilities.
    """

    def __init__(
        self,
        histories: HistoryReader,
        retriever: Retriever,
        text_tower: BertTextTower,
        campaign: Campaign,
    ) -> None:
        self._histories = histories
        self._retriever = retriever
        self._text_tower = text_tower
        self._campaign = campaign

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name."""
        inputs = {**self._histories.inputs, CREATIVE: ROWS_OF_TEXT, NOW: TIMES}
        return {"campaign": Signature(self.campaign, inputs)}

    def campaign(self, inputs: Tensors) -> Tensors:
        """Returns the probability that each shopper buys what each of his texts advertises.

        `creative` and `probability` are `[batch, texts]`; texts that are alike are read once.
        """
        texts = inputs[CREATIVE]
        distinct, place = tf.unique(tf.reshape(cut(tf.reshape(texts, [-1])), [-1]))
        catalogue = self._retriever.model.catalogue.text
        themes = self._campaign.themes(self._text_tower(distinct), catalogue)
        history = last_events(
            self._histories.read(inputs), self._retriever.model.config.max_history
        )
        features = shopper_features(
            self._campaign,
            self._retriever,
            themes,
            tf.reshape(place, tf.shape(texts)),
            history,
            inputs[NOW],
        )
        return {"probability": self._campaign(features)}
