"""The user's files → clean canonical tables, with every step counted and every input file fingerprinted."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import polars as pl
from pydantic import Field

from features.media.photos import PhotoChecks
from features.sources import catalogue, cleaning
from features.sources.columns import Inputs
from features.sources.config import CatalogueConfig, SvmlightConfig
from features.sources.events.event_log import Events
from features.sources.formats.svmlight import group_file, read_svmlight
from features.sources.ledger import Ledger, Step, steps_frame
from features.sources.remarks import Remark, Said
from features.sources.schema import Judgements, Products, Queries, completed
from features.sources.whole_catalogue import pair_with_catalogue

__all__ = ["CatalogueConfig", "Collection", "DataConfig", "SvmlightConfig", "load"]

DataConfig = Annotated[CatalogueConfig | SvmlightConfig, Field(discriminator="kind")]


@dataclass(frozen=True)
class Collection:
    """Clean canonical tables and the account of how they came to be.

    events: what shoppers were shown and did; None where there are none.
    given: ready-made features (query_id, product_id, given.*) of svmlight files, else None.
    rejected: the rows set apart, by table, with a `reason` column.
    fingerprints: SHA-256 of each input file, by its path in the config.
    remarks: what the reader guessed or noticed, for the data doctor.
    """

    products: pl.DataFrame
    queries: pl.DataFrame
    judgements: pl.DataFrame
    events: Events | None
    given: pl.DataFrame | None
    steps: list[Step]
    rejected: dict[str, pl.DataFrame]
    fingerprints: dict[str, str]
    remarks: list[Remark] = field(default_factory=list)

    def summary(self) -> pl.DataFrame:
        """One row a cleaning step: table, step, rows, affected, action, example."""
        return steps_frame(self.steps)


def load(
    config: CatalogueConfig | SvmlightConfig,
    base: Path,
    products: pl.DataFrame | None = None,
    checks: PhotoChecks | None = None,
) -> Collection:
    """Read, map and clean the files of a config; their paths are relative to `base`.

    products: a clean catalogue already at hand, in place of the config's. checks: what earlier loads found
    out about photos, so that only new ones are decoded.
    Raises InputError for a file that cannot be read, a column that is not there or is wrong as a whole, and
    for judgements of which none can be used. Single bad rows are counted, not raised.
    """
    checks = checks or PhotoChecks()
    if isinstance(config, SvmlightConfig):
        return _load_svmlight(config, Inputs(base, checks=checks))
    inputs = Inputs(base, checks=checks, outside=config.files_outside)
    return load_catalogue(config, inputs, products)


def load_catalogue(config: CatalogueConfig, inputs: Inputs, products: pl.DataFrame | None) -> Collection:
    """The tables that the inputs give, mapped and cleaned by the config; see `load`."""
    judged = catalogue.read_judgements(config.judgements, inputs) if config.judgements else None
    if products is None:
        products = catalogue.load_products(config, judged, inputs)
    queries = catalogue.load_queries(config, judged, inputs)
    judgements = pl.DataFrame(schema=pl.Schema(Judgements))
    if config.judgements and judged is not None:
        path = inputs.base / config.judgements.path
        judgements = catalogue.match_judgements(judged, products, queries, path, inputs.ledger)
        if config.judgements.candidates == "catalogue":
            judgements = pair_with_catalogue(judgements, products, inputs.ledger)
    events = catalogue.load_events(config.events, products, queries, inputs) if config.events else None
    if events is not None:
        queries = catalogue.with_known_history(queries, events, inputs.ledger)
    return _collection(inputs, products, queries, judgements, events=events)


def _load_svmlight(config: SvmlightConfig, inputs: Inputs) -> Collection:
    rows = _read_parts(config, inputs)
    rows = cleaning.reject_broken(rows, "judgements", Judgements, inputs.ledger)
    given = cleaning.clean_numbers(rows.drop("grade", "split"), "given", inputs.ledger)
    products = completed(Products, rows.select("product_id").unique(maintain_order=True))
    queries = completed(Queries, rows.select("query_id", "split").unique("query_id", maintain_order=True))
    no_photo = [pl.lit(None, dtype=pl.String).alias(name) for name in ("image", "image_hash")]
    judgements = rows.select("query_id", "product_id", "grade")
    return _collection(
        inputs, products.with_columns(no_photo), queries.with_columns(no_photo), judgements, given=given
    )


def _read_parts(config: SvmlightConfig, inputs: Inputs) -> pl.DataFrame:
    """All files as one frame with a `split` column; features that only some files use are 0 in the others."""
    parts: dict[str, pl.DataFrame] = {}
    for split, path in config.files.items():
        # Running numbers start anew in each file: the part's name keeps them apart.
        prefix, said = f"{split}-" if len(config.files) > 1 else "", list[Said]()
        parts[split] = read_svmlight(inputs.base / path, prefix, said)
        inputs.ledger.remark(said, f"{path.name}: ids", "data")
        inputs.fingerprint(path)
        groups = group_file(inputs.base / path)
        if groups is not None:
            inputs.fingerprint(path.with_name(groups.name))
    parts = _distinct_queries(parts, inputs.ledger)
    names = {name for part in parts.values() for name in part.columns if name.startswith("given.")}
    features = sorted(names, key=lambda name: int(name.removeprefix("given.f")))
    return pl.concat(
        part.with_columns(pl.lit(0.0).alias(name) for name in features if name not in part.columns).select(
            "query_id", "product_id", "grade", *features, split=pl.lit(split)
        )
        for split, part in parts.items()
    )


def _distinct_queries(parts: dict[str, pl.DataFrame], ledger: Ledger) -> dict[str, pl.DataFrame]:
    """Queries numbered alike in several files are different ones: the part's name goes before the qid."""
    per_part = pl.concat(part.select("query_id").unique(maintain_order=True) for part in parts.values())
    shared = per_part.filter(pl.col("query_id").is_duplicated())
    ledger.note("queries", "qid in several files, taken as different queries", per_part, shared, "reported")
    if not shared.height:
        return parts
    return {
        split: part.with_columns(query_id=f"{split}-" + pl.col("query_id")) for split, part in parts.items()
    }


def _collection(
    inputs: Inputs,
    products: pl.DataFrame,
    queries: pl.DataFrame,
    judgements: pl.DataFrame,
    *,
    events: Events | None = None,
    given: pl.DataFrame | None = None,
) -> Collection:
    ledger = inputs.ledger
    return Collection(
        products,
        queries,
        judgements,
        events,
        given,
        ledger.steps,
        ledger.rejected,
        inputs.fingerprints,
        ledger.remarks,
    )
