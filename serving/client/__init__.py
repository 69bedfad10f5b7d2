"""A client for back-end developers: recommendations by gRPC, without TensorFlow.

Example:
    ```python
    from serving.client import RecommenderClient

    with RecommenderClient("localhost:8500") as client:
        for item in client.recommend(["85123A", "22423"], k=5):
            print(item.item_id, item.title, item.score)
    ```
"""

from serving.client.asynchronous import AsyncRecommenderClient
from serving.client.blocking import RecommenderClient
from serving.client.naming import RETRIEVAL
from serving.client.operations import RANKING, RECOMMENDER, SERVING_DEFAULT
from serving.client.results import (
    HomePage,
    Item,
    ModelVersion,
    Reason,
    Recommendation,
    Recommendations,
    Shelf,
)
from serving.client.tls import Tls

__all__ = [
    "RANKING",
    "RECOMMENDER",
    "RETRIEVAL",
    "SERVING_DEFAULT",
    "AsyncRecommenderClient",
    "HomePage",
    "Item",
    "ModelVersion",
    "Reason",
    "Recommendation",
    "Recommendations",
    "RecommenderClient",
    "Shelf",
    "Tls",
]
