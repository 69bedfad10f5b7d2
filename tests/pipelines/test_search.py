"""`tfrec search`: what it says of long queries and of filters that nothing passes."""

import pytest
from click.testing import CliRunner

from pipelines import search
from serving.client import Recommendation, Recommendations


@pytest.fixture
def answered(monkeypatch):
    """Asks a server that has the given items, and returns what the command says."""

    def run(items, *arguments):
        class Ask:
            def __init__(self, *_):
                pass

            def __enter__(self):
                return self

            def __exit__(self, *_):
                return None

            def search(self, *_, **__):
                return Recommendations(tuple(items), "retrieval", 1)

        monkeypatch.setattr(search, "ask", Ask)
        done = CliRunner().invoke(
            search.command, ["--server", "x:1", *arguments], catch_exceptions=False
        )
        assert done.exit_code == 0
        return done

    return run


def test_a_long_query_is_not_repeated_whole(answered):
    shown = answered([Recommendation("a", 0.5)], "--query", "mug " * 2500).stdout
    assert "…”" in shown and shown.count("mug") == 25
    short = answered([Recommendation("a", 0.5)], "--query", "red mug").stdout
    assert "Items for “red mug”" in short


def test_filters_that_nothing_passes_are_said(answered):
    said = answered([], "--query", "mug", "--category", "Acme").stderr
    assert "no item passes the filters" in said
    assert "filters" not in answered([Recommendation("a", 0.5)], "--query", "mug").stderr
