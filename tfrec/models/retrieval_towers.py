"""The two towers of a retrieval model, as its configuration and its data ask for them."""

from tfrec.config import RetrievalConfig
from tfrec.towers.item import ItemTower
from tfrec.towers.query import QueryTower
from tfrec.towers.spec import DataSpec


def item_tower_of(spec: DataSpec, config: RetrievalConfig, precision: str) -> ItemTower:
    """Returns a new item tower.

    Args:
        spec: sizes and vocabularies of the data.
        config: what is read of items, and how.
        precision: Keras dtype policy.
    """
    # Ids and categories are names that one shop gave, so that no other knows them.
    own_categories = {} if config.content_only else spec.categories
    return ItemTower(
        dimension=config.dimension,
        num_ids=0 if config.content_only else spec.num_ids,
        text_dimension=spec.text_dimension,
        category_sizes={column: len(names) for column, names in own_categories.items()},
        use_price=spec.use_price,
        vector_sizes=spec.vector_sizes,
        id_dropout=config.id_dropout,
        vector_dropout=config.vector_dropout,
        fusion=config.text_fusion,
        name="item_tower",
        dtype=precision,
    )


def query_tower_of(spec: DataSpec, config: RetrievalConfig, precision: str) -> QueryTower:
    """Returns a new query tower; see `item_tower_of` for the arguments."""
    return QueryTower(
        config.dimension,
        len(spec.event_types),
        context_sizes=spec.context_sizes,
        units=config.lstm_units,
        layers=config.lstm_layers,
        dropout=config.dropout,
        averages=config.history_averages,
        layer_norm=config.lstm_layer_norm,
        first_residual=config.lstm_first_residual,
        attention_heads=config.state_attention,
        time_gaps=config.time_gaps,
        event_features=config.event_features,
        name="query_tower",
        dtype=precision,
    )
