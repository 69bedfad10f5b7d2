"""Adapters: how a source's files become rows of the data contract."""

import importlib

from tfrec.data.adapters.base import Adapter

_CLASSES = {
    "generic": "GenericAdapter",
    "online_retail": "OnlineRetailAdapter",
    "amazon_reviews": "AmazonReviewsAdapter",
    "movielens": "MovieLensAdapter",
    "recbole": "RecBoleAdapter",
}


def find_adapter(name: str) -> Adapter:
    """Returns the adapter called `name`.

    Raises:
        ValueError: if there is none.
    """
    if name not in _CLASSES:
        raise ValueError(f"`name` should be one of {list(_CLASSES)}. Received: name={name!r}")
    module = importlib.import_module(f"tfrec.data.adapters.{name}")
    adapter: Adapter = getattr(module, _CLASSES[name])()
    return adapter
