"""What a training wrote for TensorBoard, as a table."""

from pathlib import Path

import pandas as pd
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.util.tensor_util import make_ndarray

from tfrec.errors import UserError

LOGS = "logs"
SCALARS = "scalars"
_NO_LIMIT = 0


def read_scalars(run: str | Path) -> pd.DataFrame:
    """Returns the scalars that `tensorboard --logdir RUN` shows.

    Columns: `model` (``"retrieval"`` or ``"ranking"``), `tag`, `step`, `value` and `time`, when it
    was written, in Unix seconds.

    Args:
        run: folder of the run.

    Raises:
        UserError: if there are no logs below it.
    """
    folders = sorted(path for path in Path(run).glob(f"*/{LOGS}") if path.is_dir())
    if not folders:
        raise UserError(f"there are no logs of a training in {run}; name the folder of a run")
    rows = []
    for folder in folders:
        log = EventAccumulator(str(folder), size_guidance={"tensors": _NO_LIMIT})
        log.Reload()
        for tag in log.Tags()["tensors"]:
            if log.SummaryMetadata(tag).plugin_data.plugin_name != SCALARS:
                continue
            for event in log.Tensors(tag):
                value = float(make_ndarray(event.tensor_proto))
                rows.append((folder.parent.name, tag, event.step, value, event.wall_time))
    return pd.DataFrame(rows, columns=["model", "tag", "step", "value", "time"])
