"""From the keys of pairs to rows of the tables they point into."""

from __future__ import annotations

import numpy as np
import polars as pl

from features.errors import InputError


def rows_of(keys: pl.Series, table: pl.DataFrame) -> np.ndarray:
    """The row in `table` of each key, (n,) int64; the key column is the one named as `keys` is.

    A key that the table lacks raises InputError naming it: its features would all be null, and the
    pair would be ranked on nothing.
    """
    index = table.select(keys.name).with_row_index("row")
    found = keys.to_frame().join(index, on=keys.name, how="left", maintain_order="left", validate="m:1")
    unknown = found.filter(pl.col("row").is_null())[keys.name].unique().sort()
    if len(unknown):
        raise InputError(
            where=f"pairs, column {keys.name!r}",
            expected=f"keys among the {table.height} known",
            got=f"{len(unknown)} unknown, such as {unknown[0]!r}",
            cure="leave these pairs out, or add the rows they name",
        )
    return found["row"].cast(pl.Int64).to_numpy()
