"""The signature that draws the portrait of a shopper."""

from tfrec.data.tensor_names import tensor_names
from tfrec.export.exportable import Exportable
from tfrec.export.histories import HistoryReader
from tfrec.export.requests import NOW, TIMES
from tfrec.export.saving import Signature, Tensors
from tfrec.models.recommender import Retriever
from tfrec.profiles.portrait import Portraits
from tfrec.profiles.tables import ProfileTables
from tfrec.training.profiles import portraits_of
from tfrec.training.retrieval import weights_fingerprint

PROFILE = "profile"


class ProfileSignatures:
    """What the model `retrieval` offers of portraits.

    Args:
        histories: reads histories.
        retriever: the trained model.
        portraits: draws them.
    """

    def __init__(
        self, histories: HistoryReader, retriever: Retriever, portraits: Portraits
    ) -> None:
        self._histories = histories
        self._retriever = retriever
        self._portraits = portraits

    @property
    def signatures(self) -> dict[str, Signature]:
        """Every signature by name; `now` is in unix seconds, 0 for the time of the last event."""
        inputs = {**self._histories.inputs, NOW: TIMES}
        return {PROFILE: Signature(self.profile, inputs)}

    def profile(self, inputs: Tensors) -> Tensors:
        """Returns the portrait of each history; see `Portraits`."""
        history = self._histories.read(inputs)
        queries = self._retriever.query_vectors(history)
        drawn = self._portraits(history, queries, inputs[NOW])
        names = tensor_names(drawn)
        return {names[name]: values for name, values in drawn.items()}


def profile_signatures(
    source: Exportable, histories: HistoryReader, retriever: Retriever
) -> dict[str, Signature]:
    """Returns the signature of a run's portraits; none where none were drawn.

    Args:
        source: the trained models with their items.
        histories: reads histories.
        retriever: the trained retrieval model.

    Raises:
        UserError: if what they are drawn with is damaged, or of another retrieval model.
    """
    tables = ProfileTables.find(source.profiles_folder, weights_fingerprint(source.retrieval))
    if tables is None:
        return {}
    return ProfileSignatures(histories, retriever, portraits_of(tables, retriever)).signatures
