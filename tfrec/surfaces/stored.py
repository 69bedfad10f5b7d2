"""Tables of a surface as one file."""

from dataclasses import fields
from pathlib import Path
from typing import Self

import numpy as np

from tfrec.errors import UserError
from tfrec.files import atomic_file


class StoredTables:
    """Makes a dataclass of numpy arrays one that can be written and read again."""

    def save(self, path: Path) -> None:
        """Writes the tables into the file `path`."""
        arrays = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        with atomic_file(path) as temporary, temporary.open("wb") as file:
            np.savez_compressed(file, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Reads what `save` wrote.

        Raises:
            UserError: if the file is missing or damaged.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                return cls(**{field.name: file[field.name] for field in fields(cls)})  # type: ignore[arg-type]
        except (OSError, ValueError, KeyError) as error:
            raise UserError(
                f"{path} is damaged; make it again with `tfrec train surfaces --overwrite`"
            ) from error
