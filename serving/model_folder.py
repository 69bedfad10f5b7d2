"""A models folder: ``MODELS/<name>/<version>/saved_model.pb``, looked at without TensorFlow."""

import re
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from serving import wire

GRAPH = "saved_model.pb"
_SHARD = re.compile(r"variables\.data-(\d{5})-of-(\d{5})")


class ModelFolderError(Exception):
    """A models folder that cannot be served: one sentence that says what and how to fix it."""


@dataclass(frozen=True)
class ModelFolder:
    """One model below a models folder.

    Attributes:
        name: the model's name, which is its folder's.
        path: its folder.
        versions: its version numbers, newest first.
    """

    name: str
    path: Path
    versions: tuple[int, ...]


def versions_of(path: Path) -> dict[int, Path]:
    """Returns the version folders below a model's folder by number.

    Only integers count, as for the official server: ``00001`` is 1, and a hidden folder that
    is still being written has no integer for a name.
    """
    return {
        int(child.name): child
        for child in sorted(path.iterdir())
        if child.name.isascii() and child.name.isdecimal() and child.is_dir()
    }


def find_models(models: Path) -> list[ModelFolder]:
    """Returns every model below `models` with at least one version, sorted by name.

    Raises:
        ModelFolderError: if there is none, or the newest version of one is not whole.
    """
    if not models.is_dir():
        what = "is not a folder" if models.exists() else "does not exist"
        raise ModelFolderError(
            f"the models folder {models} {what}; give the folder that `tfrec export --models` wrote"
        )
    found = []
    for folder in sorted(path for path in models.iterdir() if path.is_dir()):
        if folder.name.startswith("."):
            continue
        versions = versions_of(folder)
        if versions:
            newest = max(versions)
            check_version(folder.name, versions[newest])
            found.append(ModelFolder(folder.name, folder, tuple(sorted(versions, reverse=True))))
    if not found:
        raise ModelFolderError(
            f"there is no model in {models}: a model is a folder NAME/VERSION/{GRAPH} in it, "
            "such as `tfrec export --models` writes"
        )
    return found


def check_version(name: str, folder: Path) -> None:
    """Checks that every file a SavedModel names is there.

    Raises:
        ModelFolderError: naming the first file that is missing or cut off.
    """

    def broken(what: str) -> ModelFolderError:
        return ModelFolderError(
            f"version {folder.name} of model {name} is not whole ({what} in {folder}); it may be "
            "half-copied: copy or export it again, or remove that folder"
        )

    graph = folder / GRAPH
    if not graph.is_file():
        raise broken(f"no {GRAPH}")
    try:
        saved = wire.SavedModel.FromString(graph.read_bytes())
    except DecodeError:
        raise broken(f"{GRAPH} is cut off or damaged") from None
    if not saved.meta_graphs:
        raise broken(f"{GRAPH} is empty")
    for meta_graph in saved.meta_graphs:
        for asset in meta_graph.asset_file_def:
            if not (folder / "assets" / asset.filename).is_file():
                raise broken(f"no assets/{asset.filename}")
    variables = folder / "variables"
    shards = [match for path in _files(variables) if (match := _SHARD.fullmatch(path.name))]
    has_index = (variables / "variables.index").is_file()
    # TensorFlow 2 writes the file for a model without variables, too; its loader takes a missing
    # one for a model that has none, and fails at the first request.
    expects_index = any(meta_graph.object_graph_def for meta_graph in saved.meta_graphs)
    if (shards or expects_index) and not has_index:
        raise broken("no variables/variables.index")
    if has_index and (not shards or len(shards) < int(shards[0][2])):
        raise broken("not every variables/variables.data file")


def _files(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []
