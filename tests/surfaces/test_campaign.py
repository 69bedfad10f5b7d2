"""The features of campaigns, beside a plain reference."""

import numpy as np
import tensorflow as tf

from tfrec.surfaces.campaign import (
    FEATURES,
    LEAST,
    SHARPNESS,
    TOP,
    Campaign,
    CampaignTables,
)

ITEMS, BATCH, THEMES = 30, 3, 4
RANDOM = np.random.default_rng(0)


def unit(rows, columns):
    values = RANDOM.normal(size=(rows, columns))
    return (values / np.linalg.norm(values, axis=1, keepdims=True)).astype(np.float32)


TEXTS, VECTORS = unit(ITEMS + 1, 5), unit(ITEMS + 1, 6)
CREATIVES, QUERIES = unit(THEMES, 5), unit(BATCH, 6)
CHANCES = RANDOM.dirichlet(np.ones(ITEMS + 1), BATCH).astype(np.float32)
HISTORY = np.array([[3, 9, 3, 0], [0, 0, 0, 0], [1, 2, 4, 5]], np.int64)
IDLE = np.array([2.0, 0.0, 30.0], np.float32)
ASKED = np.array([[0, 2], [1, 1], [3, 0]])
# The last two items came after the tables.
TABLES = CampaignTables(
    weights=np.linspace(-0.5, 0.5, len(FEATURES)).astype(np.float32),
    centre=np.array(0.2, np.float32),
    log_recent=np.log(RANDOM.dirichlet(np.ones(ITEMS - 1))).astype(np.float32),
    days=np.array(30),
)


def expected(row, theme):
    inside = 1 / (1 + np.exp(-SHARPNESS * (TEXTS @ CREATIVES[theme] - 0.2)))
    inside[0] = 0
    recent = np.append(np.exp(TABLES.log_recent), [0, 0])
    had = HISTORY[row][HISTORY[row] > 0]
    centre = ((recent + LEAST) * inside) @ VECTORS
    top = np.argsort(-CHANCES[row])[:TOP]
    return [
        1.0,
        np.log(CHANCES[row] @ inside + LEAST),
        inside[top].max(),
        inside[had].mean() if len(had) else 0.0,
        inside[had].max(initial=0.0),
        np.log(inside @ recent + LEAST),
        QUERIES[row] @ centre / np.linalg.norm(centre),
        np.log1p(len(had)),
        np.log1p(IDLE[row]),
        np.log(inside.sum() + LEAST),
    ]


def test_features_and_probabilities_are_what_the_formula_says():
    campaign = Campaign(TABLES)
    themes = campaign.themes(tf.constant(CREATIVES), tf.constant(TEXTS))
    found = campaign.features(
        themes,
        tf.constant(ASKED),
        tf.constant(CHANCES),
        tf.constant(QUERIES),
        tf.constant(VECTORS),
        tf.constant(HISTORY),
        tf.constant(IDLE),
    )
    wanted = np.array([[expected(row, theme) for theme in ASKED[row]] for row in range(BATCH)])
    np.testing.assert_allclose(found, wanted, rtol=2e-4, atol=1e-5)
    chances = 1 / (1 + np.exp(-(wanted @ TABLES.weights)))
    np.testing.assert_allclose(campaign(found), chances, rtol=2e-4)
