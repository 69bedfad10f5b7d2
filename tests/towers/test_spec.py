"""What a trained model must know of its data, now and as earlier versions wrote it."""

import numpy as np
import pytest
from pydantic import ValidationError

from tests.models.small_model import data_spec, five_items
from tfrec.towers.spec import DataSpec


def test_it_survives_writing():
    spec = data_spec(five_items()).model_copy(update={"vector_sizes": {"image_embedding": 3}})
    assert DataSpec.model_validate(spec.model_dump()) == spec


@pytest.mark.parametrize(("size", "expected"), [(0, {}), (7, {"image_embedding": 7})])
def test_images_were_the_only_vectors_once(size, expected):
    content = data_spec(five_items()).model_dump()
    del content["vector_sizes"]
    spec = DataSpec.model_validate({**content, "image_dimension": size})
    assert spec.vector_sizes == expected


def test_unknown_keys_are_refused():
    with pytest.raises(ValidationError):
        DataSpec.model_validate({**data_spec(five_items()).model_dump(), "sizes": np.pi})
