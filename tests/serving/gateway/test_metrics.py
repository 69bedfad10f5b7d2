"""What is counted, with values worked by hand."""

from serving.gateway.metrics import MOST_LABELS, BoundedLabels, GatewayMetrics, ServedWindow


def test_concentration_of_what_was_served():
    window = ServedWindow(10)
    assert (window.distinct(), window.share_of_top(2)) == (0.0, 0.0)
    window.add(["a"] * 4 + ["b"] * 3 + ["c", "d", "e"])
    assert window.distinct() == 5.0
    assert window.share_of_top(2) == 7 / 10
    window.add(["f", "g"])  # Pushes two of the a's out.
    assert window.distinct() == 7.0
    assert window.share_of_top(2) == 5 / 10


def test_callers_cannot_make_labels_without_end():
    labels = BoundedLabels(2)
    assert [labels.of(value) for value in "abcab"] == ["a", "b", "other", "a", "b"]
    metrics = GatewayMetrics()
    for number in range(MOST_LABELS + 10):
        metrics.recorded(f"kind-{number}", number)

    def sample(event, version):
        labels = {"event": event, "model_version": version}
        return metrics.registry.get_sample_value("tfrec_gateway_events_total", labels)

    assert sample("other", "other") == 10
    assert sample("kind-1", "1") == 1
    assert sample("kind-55", "55") is None


def test_unknown_items_count_where_they_were_looked_up():
    metrics = GatewayMetrics()
    metrics.served(7, ["a"], history=4, unknown=3, degraded=False)
    metrics.served(7, ["a", "b"], history=5, unknown=None, degraded=True)
    metrics.served(7, ["a"], history=0, unknown=0, degraded=False)
    values = {
        name: metrics.registry.get_sample_value(
            f"tfrec_gateway_{name}_total", {"model_version": "7"}
        )
        for name in (
            "recommendations", "served_items", "empty_histories", "degraded", "history_items",
            "unknown_items",
        )
    }  # fmt: skip
    assert values == {
        "recommendations": 3, "served_items": 4, "empty_histories": 1, "degraded": 1,
        "history_items": 4, "unknown_items": 3,
    }  # fmt: skip
