import pandas as pd
import pytest

from tfrec.errors import UserError
from tfrec.profiles.files import erase_portrait, write_portraits


def test_a_shopper_is_erased(tmp_path):
    path = tmp_path / "portraits.parquet"
    write_portraits(path, pd.DataFrame({"user": ["a", "b", "c"], "top_groups": [["x"], [], ["y"]]}))
    assert erase_portrait(path, "b") == 1
    assert pd.read_parquet(path)["user"].tolist() == ["a", "c"]
    before = path.read_bytes()
    assert erase_portrait(path, "b") == 0 and path.read_bytes() == before


def test_what_is_no_file_of_portraits_is_told(tmp_path):
    with pytest.raises(UserError, match="holds no portraits"):
        erase_portrait(tmp_path / "none.parquet", "a")
    other = tmp_path / "other.parquet"
    pd.DataFrame({"item": [1]}).to_parquet(other)
    with pytest.raises(UserError, match="holds no portraits"):
        erase_portrait(other, "a")
