"""What portraits are drawn with: segments, groups of products, price bands, rhythm of purchases."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tfrec.errors import UserError
from tfrec.files import atomic_file, read_json, write_json
from tfrec.profiles.purchase_gaps import PurchaseRhythm

ARRAYS, NAMES = "profiles.npz", "profiles.json"
GROUPS = "groups"
BANDS = ("low", "middle", "high")


@dataclass(frozen=True)
class ProfileTables:
    """Fitted to a shop as a whole; no shopper can be told from it.

    Attributes:
        segment_centres: float32 `[segments, dimension]`, unit vectors.
        segment_names: their names.
        segment_shares: share of the shoppers in each.
        silhouettes: the criterion, by number of segments tried.
        columns: columns of the catalogue whose values a portrait names; empty where the catalogue
            has none that most products have, and `group_centres` stand in.
        group_centres: float32 `[groups, text_dimension]`, unit vectors of texts.
        group_names: their names.
        price_bounds: middle prices that part the bands `BANDS`.
        rhythm: None where too few shoppers bought twice.
        retrieval: fingerprint of the retrieval model that the segments are of.
    """

    segment_centres: np.ndarray
    segment_names: list[str]
    segment_shares: list[float]
    silhouettes: dict[str, float]
    columns: list[str]
    group_centres: np.ndarray
    group_names: list[str]
    price_bounds: tuple[float, float]
    rhythm: PurchaseRhythm | None
    retrieval: str

    def save(self, folder: Path) -> None:
        """Writes the tables into a folder."""
        arrays = {"segment_centres": self.segment_centres, "group_centres": self.group_centres}
        document: dict[str, Any] = {
            name: getattr(self, name)
            for name in (
                "segment_names",
                "segment_shares",
                "silhouettes",
                "columns",
                "group_names",
                "price_bounds",
                "retrieval",
            )
        } | {"rhythm": None}
        if self.rhythm is not None:
            rhythm = asdict(self.rhythm)
            arrays |= {name: rhythm.pop(name) for name in ("places", "survival")}
            document["rhythm"] = rhythm
        with atomic_file(folder / ARRAYS) as temporary, temporary.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        write_json(folder / NAMES, document)

    @classmethod
    def find(cls, folder: Path, retrieval: str) -> "ProfileTables | None":
        """Opens the tables in a folder; None where there are none.

        Args:
            folder: of a run or of an export.
            retrieval: fingerprint of the retrieval model that they must have been fitted with.

        Raises:
            UserError: if they are damaged, or were fitted with another model.
        """
        if not (folder / NAMES).is_file():
            return None
        again = "make them again with `tfrec profile --refit`"
        try:
            document = read_json(folder / NAMES)
            if document["retrieval"] != retrieval:
                raise UserError(
                    f"the profiles in {folder} were fitted with another retrieval model; {again}"
                )
            with np.load(folder / ARRAYS, allow_pickle=False) as arrays:
                rhythm = document.pop("rhythm")
                if rhythm is not None:
                    rhythm = PurchaseRhythm(
                        **rhythm, places=arrays["places"], survival=arrays["survival"]
                    )
                low, high = document.pop("price_bounds")
                return cls(
                    segment_centres=arrays["segment_centres"],
                    group_centres=arrays["group_centres"],
                    rhythm=rhythm,
                    price_bounds=(low, high),
                    **document,
                )
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise UserError(f"the profiles in {folder} are damaged; {again}") from error


def groups_of_texts(text: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Returns the group of each item's text, int32 `[num_items + 1]`, from 1.

    Padding and texts that say nothing are in no group, which is 0.

    Args:
        text: float32 `[num_items + 1, text_dimension]`, unit vectors of the items' texts, or zeros.
        centres: float32 `[groups, text_dimension]`.
    """
    nearest = 1 + (text @ centres.T).argmax(axis=1)
    return np.where(np.abs(text).sum(axis=1) > 0, nearest, 0).astype(np.int32)
