import pytest

from tfrec.data.tensor_names import tensor_names


@pytest.mark.parametrize("names, prefix, expected", [
    (["purchase", "return"], "probability_", ["probability_purchase", "probability_return"]),
    (["add to cart", "add-to-cart"], "p_", ["p_add_to_cart", "p_add_to_cart_2"]),
    (["äpfel", "购买", "1st", ""], "", ["column__pfel", "column___", "column_1st", "column_"]),
    ([], "", []),
])  # fmt: skip
def test_names_are_valid_and_distinct(names, prefix, expected):
    assert list(tensor_names(names, prefix).values()) == expected
    assert list(tensor_names(names, prefix)) == names
