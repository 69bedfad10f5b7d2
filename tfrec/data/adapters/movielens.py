"""MovieLens: 100k (``u.data``), 1M and 10M (``ratings.dat``), 20M and later (``ratings.csv``)."""

from pathlib import Path

import pandas as pd
import pyarrow as pa

from tfrec.data.adapters.base import Adapter
from tfrec.data.csv_reader import read_csv
from tfrec.data.parts import Part
from tfrec.data.readers import read_table
from tfrec.data.table import Table, to_pandas_text

RATING_COLUMNS = ["userId", "movieId", "rating", "timestamp"]
MOVIE_COLUMNS = ["movieId", "title", "genres"]
GENRES = [
    *("unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime"),
    *("Documentary", "Drama", "Fantasy", "Film-Noir", "Horror", "Musical", "Mystery"),
    *("Romance", "Sci-Fi", "Thriller", "War", "Western"),
]
ITEM_COLUMNS = ["movieId", "title", "release_date", "video_release_date", "imdb_url", *GENRES]
NO_GENRE = ["(no genres listed)", "unknown"]


class MovieLensAdapter(Adapter):
    """Reads every rating as one event `rating`; genres become `categories`."""

    timestamp_unit = "seconds"

    def events(self, source: str | Path) -> Table:
        """Reads the ratings."""
        table = read_table(source, "ratings", reader=_read_ratings, user_column="userId")
        renamed = {"userId": "user_id", "movieId": "item_id"}
        columns = table.raw.rename_columns(
            [renamed.get(name, name) for name in table.raw.column_names]
        )
        table.columns = columns.append_column(
            "event", pa.array(["rating"] * len(table), pa.string())
        )
        return table

    def items(self, source: str | Path) -> Table:
        """Reads the movies."""
        table = read_table(source, "movies", reader=_read_movies)
        raw = table.raw
        renamed = {"movieId": "item_id"}
        columns = raw.rename_columns([renamed.get(name, name) for name in raw.column_names])
        if "genres" in raw.column_names:
            genres = [
                [genre for genre in value.split("|") if genre and genre not in NO_GENRE]
                for value in to_pandas_text(raw.column("genres")).fillna("")
            ]
        elif set(GENRES) <= set(raw.column_names):
            flags = pd.DataFrame({genre: raw.column(genre).to_pandas() for genre in GENRES}) == "1"
            genres = [
                [genre for genre, is_one in zip(GENRES, row, strict=True) if is_one]
                for row in flags.drop(columns=NO_GENRE, errors="ignore")
                .reindex(columns=GENRES, fill_value=False)
                .to_numpy()
            ]
        else:
            genres = [[] for _ in range(len(table))]
        columns = columns.append_column("categories", pa.array(genres, pa.list_(pa.string())))
        if "release_date" in raw.column_names:
            columns = columns.append_column("launched_at", raw.column("release_date"))
        table.columns = columns
        return table


def _read_ratings(path: Path) -> Part:
    name = path.name.lower()
    if name.endswith(".dat"):
        return read_csv(path, delimiter="::", names=RATING_COLUMNS, quoted=False)
    if name.endswith((".csv", ".csv.gz")):
        return read_csv(path, delimiter=",")
    return read_csv(path, delimiter="\t", names=RATING_COLUMNS, quoted=False)


def _read_movies(path: Path) -> Part:
    name = path.name.lower()
    if name.endswith(".dat"):
        return read_csv(path, delimiter="::", names=MOVIE_COLUMNS, quoted=False, encoding="latin-1")
    if name.endswith((".csv", ".csv.gz")):
        return read_csv(path, delimiter=",")
    return read_csv(path, delimiter="|", names=ITEM_COLUMNS, quoted=False, encoding="latin-1")
