"""A page of shelves, beside a plain reference."""

import numpy as np
import pytest
import tensorflow as tf
from pydantic import ValidationError

from tfrec.config import HomeConfig, ShelfConfig
from tfrec.index.exact import NEVER
from tfrec.surfaces.page import FILLED, FULL, LEFT_OUT, SHORT, STATES, fill_page

ITEMS = 12


def shelf(kind="for_you", products=3, minimum=2, when_short="fill"):
    return ShelfConfig(kind=kind, products=products, minimum=minimum, when_short=when_short)


def row(scores):
    """Returns scores `[ITEMS + 1]` of a dictionary by item, `NEVER` elsewhere."""
    values = np.full(ITEMS + 1, NEVER, np.float32)
    for item, score in scores.items():
        values[item] = score
    return values


def filled(shelves, *pages, others):
    """Fills pages; each is a list of dictionaries, one a shelf."""
    scores = [
        tf.constant(np.stack([row(page[place]) for page in pages])) for place in range(len(shelves))
    ]
    page = fill_page(shelves, scores, tf.constant(np.stack([row(others)] * len(pages))))
    states = [[STATES[state] for state in line] for line in page.states.numpy()]
    return page.items.numpy(), page.own.numpy(), states, page.scores.numpy()


def reference(shelves, page, others):
    """Fills one page one product after another."""
    taken: list[int] = []
    lines, states = [], []

    def best(scores, count):
        free = [item for item in scores if item not in taken]
        return sorted(free, key=lambda item: -scores[item])[:count]

    for wanted, scores in zip(shelves, page, strict=True):
        own = best(scores, wanted.products)
        state = FULL if len(own) == wanted.products else SHORT
        shown = own
        if len(own) < min(wanted.minimum, wanted.products):
            if not own or wanted.when_short == "leave_out":
                shown, state = [], LEFT_OUT
            else:
                gap = min(wanted.minimum, wanted.products) - len(own)
                rest = {item: score for item, score in others.items() if item not in own}
                shown, state = own + best(rest, gap), FILLED
        elif not own:
            state = LEFT_OUT
        taken += shown
        lines.append(shown)
        states.append(state)
    return lines, states


def test_no_product_stands_twice_and_the_best_come_first():
    shelves = [shelf(), shelf("trending"), shelf("buy_again", products=2)]
    both = {1: 0.9, 2: 0.8, 3: 0.7, 4: 0.6, 5: 0.5, 6: 0.4, 7: 0.3, 8: 0.2}
    items, own, states, scores = filled(shelves, [both, both, both], others=both)
    assert items[0].tolist() == [[1, 2, 3], [4, 5, 6], [7, 8, 0]]
    assert own[0].tolist() == [[True] * 3, [True] * 3, [True, True, False]]
    assert states == [[FULL, FULL, FULL]]
    np.testing.assert_allclose(scores[0, 0], [0.9, 0.8, 0.7])


def test_a_short_shelf_is_filled_or_left_out_and_says_so():
    shelves = [
        shelf("trending", products=4, minimum=3),
        shelf("new_for_you", products=4, minimum=3, when_short="leave_out"),
        shelf("because_of", products=4, minimum=1),
        shelf("buy_again", products=4, minimum=2),
    ]
    others = {item: 1 - item / 20 for item in range(1, 9)}
    page = [{5: 0.3}, {1: 0.2, 6: 0.1}, {7: 0.5}, {}]
    items, own, states, _ = filled(shelves, page, others=others)
    # The first is filled with the best others; the second is left out, as it is two of three.
    assert items[0].tolist() == [[5, 1, 2, 0], [0] * 4, [7, 0, 0, 0], [0] * 4]
    assert own[0, 0].tolist() == [True, False, False, False]
    assert states == [[FILLED, LEFT_OUT, SHORT, LEFT_OUT]]


def test_random_pages_are_those_of_the_reference():
    random = np.random.default_rng(0)
    kinds = ["for_you", "because_of", "trending", "new_for_you"]
    for _ in range(20):
        shelves = [
            shelf(
                kind,
                products=int(random.integers(1, 5)),
                minimum=int(random.integers(1, 5)),
                when_short=str(random.choice(["fill", "leave_out"])),
            )
            for kind in kinds
        ]

        def some(count):
            chosen = random.choice(np.arange(1, ITEMS + 1), count, replace=False)
            return dict(zip(chosen.tolist(), random.random(count).tolist(), strict=True))

        pages = [[some(int(random.integers(0, 6))) for _ in kinds] for _ in range(3)]
        others = some(8)
        items, _, states, _ = filled(shelves, *pages, others=others)
        for place, page in enumerate(pages):
            lines, said = reference(shelves, page, others)
            assert [[item for item in line if item] for line in items[place].tolist()] == lines
            assert states[place] == said
            shown = items[place][items[place] > 0]
            assert len(shown) == len(set(shown.tolist()))


def test_more_places_than_the_catalogue_has_items():
    everything = {item: float(item) for item in range(1, ITEMS + 1)}
    items, _, states, _ = filled(
        [shelf(products=50), shelf("trending", products=50)], [everything] * 2, others=everything
    )
    assert items.shape == (1, 2, 50)
    assert sorted(items[0, 0][:ITEMS].tolist()) == list(range(1, ITEMS + 1))
    assert states == [[SHORT, LEFT_OUT]]


@pytest.mark.parametrize(
    ("home", "sentence"),
    [
        ({"shelves": []}, "one shelf at least"),
        ({"shelves": [{"kind": "for_you"}, {"kind": "for_you"}]}, "two shelves for_you"),
        ({"shelves": [{"kind": "for_yu"}]}, "for_you"),
        ({"shelves": [{"kind": "for_you", "products": 0}]}, "products"),
    ],
)
def test_a_wrong_page_is_told(home, sentence):
    with pytest.raises(ValidationError, match=sentence):
        HomeConfig.model_validate(home)
