"""Who may ask, and how often."""

import hashlib
import os

import pytest

from serving.gateway.access import Access, Credentials
from serving.gateway.api_keys import ApiKeys
from serving.gateway.errors import GatewaySetupError, RefusalError


def line(name, key):
    return f"{name}:{hashlib.sha256(key.encode()).hexdigest()}\n"


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "keys"
    path.write_text(line("web", "one") + line("app", "two"))
    return path


def test_keys_name_their_callers(path):
    access = Access(ApiKeys(path), None)
    assert access.admit(Credentials("one")) == "web"
    assert access.admit(Credentials("two")) == "app"
    for wrong in (None, "", "three", "web"):
        with pytest.raises(RefusalError, match="API key"):
            access.admit(Credentials(wrong))
    # A verified certificate is no substitute where keys are asked for.
    with pytest.raises(RefusalError, match="there is no API key"):
        access.admit(Credentials(None, "shop"))


def test_a_changed_file_counts_at_once_and_a_broken_one_does_not(path):
    keys = ApiKeys(path)
    path.write_text(line("app", "two") + line("new", "four"))
    assert (keys.name_of("one"), keys.name_of("four")) == (None, "new")
    path.write_text("half a li")
    assert keys.name_of("four") == "new"
    os.unlink(path)
    assert keys.name_of("four") == "new"
    path.write_text(line("web", "one"))
    assert (keys.name_of("four"), keys.name_of("one")) == (None, "web")


def test_limits_are_counted_per_caller(path):
    access = Access(ApiKeys(path), "2/hour")
    for _ in range(2):
        access.admit(Credentials("one"))
    with pytest.raises(
        RefusalError, match="web may ask 2 per 1 hour only; ask less often"
    ) as caught:
        access.admit(Credentials("one"))
    assert caught.value.code.name == "RESOURCE_EXHAUSTED"
    assert access.admit(Credentials("two")) == "app"


def test_without_keys_the_certificate_names_the_caller():
    access = Access(None, "1/hour")
    assert access.admit(Credentials(None, "shop")) == "shop"
    assert access.admit(Credentials()) == "anyone"
    with pytest.raises(RefusalError, match="shop may ask"):
        access.admit(Credentials(None, "shop"))


@pytest.mark.parametrize("text", ["often", "10", "10/fortnight", "-1/second"])
def test_limits_that_cannot_be_read_are_one_sentence(text):
    with pytest.raises(GatewaySetupError, match="should be NUMBER/UNIT, such as 100/second, not"):
        Access(None, text)
