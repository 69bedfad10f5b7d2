"""What a trained model must know of its data to be built again without it."""

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator

from tfrec.data.dataset import PreparedDataset
from tfrec.towers.features import ItemFeatures


class DataSpec(BaseModel):
    """Sizes and vocabularies that the shapes of a model's weights come from.

    Attributes:
        num_ids: items that have an id of their own; later ones are known by their text.
        text_dimension: size of a text vector.
        vector_sizes: size of the vectors of each vector column, such as `image_embedding`.
        use_price: whether any item has a price.
        categories: names of each categorical column's values; index 0 is padding.
        event_types: names of the event types; event index `e` is `event_types[e - 1]`.
        target_events: those that count as a hit.
        return_event: the one that undoes a purchase, or `None`.
        contexts: names of each context column's values; value index `v` is `contexts[c][v - 1]`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    num_ids: int
    text_dimension: int
    vector_sizes: dict[str, int]
    use_price: bool
    categories: dict[str, list[str]]
    event_types: list[str]
    target_events: list[str]
    return_event: str | None
    contexts: dict[str, list[str]]

    @model_validator(mode="before")
    @classmethod
    def _read_one_column(cls, content: Any) -> Any:
        """Reads what was written when images were the only vectors."""
        if not isinstance(content, dict) or "image_dimension" not in content:
            return content
        rest = {name: value for name, value in content.items() if name != "image_dimension"}
        size = content["image_dimension"]
        return {"vector_sizes": {"image_embedding": size} if size else {}, **rest}

    @classmethod
    def of(cls, dataset: PreparedDataset, features: ItemFeatures) -> "DataSpec":
        """Returns the specification of a model trained on `dataset`."""
        index = dataset.return_event_index
        return cls(
            num_ids=features.num_items,
            text_dimension=features.text.shape[1],
            vector_sizes={name: table.shape[1] for name, table in features.vectors.items()},
            use_price=features.has_prices,
            categories=features.vocabularies,
            event_types=dataset.event_types,
            target_events=dataset.target_events,
            return_event=None if index is None else dataset.event_types[index - 1],
            contexts=dict(dataset.manifest.context_vocabularies),
        )

    @property
    def target_event_indices(self) -> list[int]:
        """Event indices, from 1, that count as a hit."""
        return [self.event_types.index(name) + 1 for name in self.target_events]

    @property
    def return_event_index(self) -> int | None:
        """Event index of returns, from 1."""
        return None if self.return_event is None else self.event_types.index(self.return_event) + 1

    @property
    def context_sizes(self) -> dict[str, int]:
        """Number of values, the unknown one included, of each context column."""
        return {column: len(values) + 1 for column, values in self.contexts.items()}
