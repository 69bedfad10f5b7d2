"""Tables of portraits that can be followed by hand."""

import math

import numpy as np
import tensorflow as tf

from tfrec.profiles.purchase_gaps import SECONDS_PER_DAY, PurchaseRhythm
from tfrec.profiles.tables import ProfileTables

DAY = SECONDS_PER_DAY
VECTORS = np.array([[0, 0], [1, 0], [0, 1], [0.6, 0.8], [-1, 0], [0, -1]], np.float32)
ITEMS = {
    "categories": {"kinds": np.array([[0, 0], [1, 0], [1, 2], [0, 0], [3, 0], [2, 0]], np.int32)},
    "names": {"kinds": ["", "wear", "cotton", "home"]},
    "text": np.array([[0, 0], [1, 0], [1, 0], [0, 0], [0, 1], [0, 1]], np.float32),
    "vectors_of": lambda items: tf.gather(VECTORS, items),
    "prices": np.array([np.nan, 1.0, 2.0, np.nan, 8.0, 3.0], np.float32),
    "target_events": [1],
}


def portrait_tables(columns: tuple[str, ...] | list[str] = ("kinds",)) -> ProfileTables:
    return ProfileTables(
        segment_centres=np.array([[1, 0], [0, 1]], np.float32),
        segment_names=["east", "north"],
        segment_shares=[0.5, 0.5],
        silhouettes={"2": 0.5},
        columns=list(columns),
        group_centres=np.array([[0, 1], [1, 0]], np.float32),
        group_names=["lamps", "hearts"],
        price_bounds=(2.0, 4.0),
        rhythm=PurchaseRhythm(
            math.log(10), 0.5, 2.0, np.array([-1.0, 0.0, 1.0]), np.array([0.75, 0.5, 0.04])
        ),
        retrieval="model",
    )
