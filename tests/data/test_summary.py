import io

from rich.console import Console

from tests.data.shop import small_config, small_events, write_small
from tfrec.data.prepare import prepare_dataset
from tfrec.data.summary import print_summary


def printed(manifest):
    console = Console(file=io.StringIO(), width=200)
    print_summary(manifest, console)
    return console.file.getvalue()


def row(text, name):
    """The filled cells of the one row whose first cell begins with `name` as a whole word."""
    rows = [
        [cell.strip() for cell in line.split("│") if cell.strip()]
        for line in text.splitlines()
        if "│" in line
    ]
    (found,) = [cells for cells in rows if cells[0] == name]
    return found


def test_the_tables_show_what_became_of_the_rows(tmp_path):
    sources = write_small(tmp_path / "raw")
    text = printed(prepare_dataset(*sources, tmp_path / "out", small_config()).manifest)
    events = text.split("Items:")[0]
    assert row(events, "in") == ["in", "11"]
    assert row(events, "kept") == ["kept", "10"]
    assert row(events, "rejected") == ["rejected", "1"]
    assert row(events, "no_target_in_period") == [
        "no_target_in_period",
        "1",
        "events.parquet row 7",
    ]
    assert row(text, "test") == ["test", "3", "4", "4", "2", "2024-02-12T22:13:21"]
    assert "timestamps: column timestamp read as seconds, because 100.00%" in text
    assert "events: purchase 9, return 1 (no target)" in text
    assert "note: 1 items have no events" in text


def test_a_log_without_time_says_what_orders_it(tmp_path):
    events = small_events().drop(columns="timestamp").assign(position=range(11))
    sources = write_small(tmp_path / "raw", events=events)
    config = small_config(split="leave_one_out")
    text = printed(prepare_dataset(*sources, tmp_path / "out", config).manifest)
    assert "timestamps: the log has none; its order is the column position" in text
