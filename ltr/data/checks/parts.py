"""The doctor on the names of a split's parts: those that nothing takes, and the data's own that nothing heeds."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl

from ltr.data.doctor import Finding, finding
from ltr.data.splits import ColumnSplitConfig, RotateConfig, SplitConfig, plain_part, validation_names


def check_part_names(config: SplitConfig, queries: pl.DataFrame, judged: pl.Series) -> Iterator[Finding]:
    """Queries whose part has a name that is none of the split's, and names that were read as one of them."""
    if not isinstance(config, ColumnSplitConfig | RotateConfig):
        yield from _unused_parts(config, queries)
        return
    if config.column not in queries.columns:
        return
    named = queries.filter(pl.col("query_id").is_in(judged.unique().implode()))[config.column].cast(pl.String)
    chosen = (
        config.parts
        if isinstance(config, RotateConfig)
        else (*config.train, *validation_names(config, queries), *config.test)
    )
    counts = (
        pl.DataFrame({"name": named, "plain": plain_part(named)}).group_by("name", "plain").len().sort("name")
    )
    known = plain_part(pl.Series(chosen, dtype=pl.String))
    outside = counts.filter(~pl.col("plain").is_in(known.implode()).fill_null(value=False))
    alike = counts.filter(pl.col("plain").is_in(known.implode()) & ~pl.col("name").is_in(list(chosen)))
    readings = [f"read {name!r} as {plain!r} ({rows:,} queries)" for name, plain, rows in alike.rows()]
    left = [f"{rows:,} queries of {name!r} stand in no part" for name, _, rows in outside.rows()]
    yield finding(
        "WARN" if left or readings else "PASS",
        "names of the parts",
        "; ".join([*left[:5], *readings[:5]]) or f"all are among {', '.join(chosen)}",
        "name them in split.train, split.validation or split.test (split.parts), or leave them out on purpose",
    )


def _unused_parts(config: SplitConfig, queries: pl.DataFrame) -> Iterator[Finding]:
    """A split that the data name themselves, and that is not used."""
    if "split" not in queries.columns:
        return
    plain = plain_part(queries["split"].cast(pl.String))
    counts = {name: int((plain == name).sum()) for name in ("train", "validation", "test")}
    if counts["train"] and counts["test"]:
        theirs = ", ".join(f"{name} {count:,}" for name, count in counts.items() if count)
        yield finding(
            "WARN",
            "names of the parts",
            f"the data name parts of their own ({theirs} queries), and split.kind {config.kind!r} does not heed them",
            "set split to {kind: column} to train and test as they do, or leave it so on purpose",
        )
