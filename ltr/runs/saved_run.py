"""A run folder opened for scoring: its config, schema and model, applied to any catalogue."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from features.batch import Block, PairBatch, QueryBatch
from features.build import DEFINITIONS, FeatureBuilder
from features.errors import InputError
from features.feature_schema import KEYS, FeatureSchema
from features.sources.formats.readers import read_table
from ltr.config.tree import Config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset
from ltr.pipeline.prepare import embedded_dataset, make_builder, open_builder
from ltr.runs.record import SHOWN_VALUES, read_settings
from ltr.runs.sums import check_files, read_about
from ltr.training.anchoring import leans_on
from ltr.training.fused_ranker import FusedRanker


@dataclass(frozen=True)
class SavedRun:
    """What `ltr.train` kept; `schema` is of the built features, before any projection of embeddings.

    made_with: the definitions and the encoders' fingerprints of its features; None for ready-made ones.
    """

    folder: Path
    config: Config
    schema: FeatureSchema
    model: FusedRanker
    name: str
    made_with: Mapping[str, Any] | None = None

    @classmethod
    def open(cls, folder: Path) -> SavedRun:
        """Raise InputError when the folder is not a run."""
        config, schema, about = read_settings(folder)
        return cls(
            folder,
            config,
            schema,
            FusedRanker.load(folder, config.embeddings),
            about["model"],
            about.get("index"),
        )

    def builder(self, products: pl.DataFrame) -> FeatureBuilder:
        """The run's features over any catalogue."""
        return self._checked(make_builder(self.config, products, self.schema))

    def catalogue_builder(self) -> FeatureBuilder:
        """Over the catalogue that the run was trained on, as its files are now; read again only if they changed."""
        return self._checked(open_builder(self.config, self.schema))

    def _checked(self, builder: FeatureBuilder) -> FeatureBuilder:
        """The builder; InputError where its features would not mean what those of training meant."""
        if self.made_with is None:
            return builder
        if self.made_with.get("definitions") != DEFINITIONS:
            raise InputError(
                where=self.folder,
                expected=f"a run whose features are defined as in this version ({DEFINITIONS})",
                got=f"one of definitions {self.made_with.get('definitions')}",
                cure="train it again, or use the version that trained it",
            )
        if strange := sorted(
            builder.catalogue.vectors.fingerprints.difference(self.made_with["encoders"].values())
        ):
            raise InputError(
                where=f"{self.folder}, encoders",
                expected=f"those that the run was trained with ({', '.join(self.made_with['encoders'].values())})",
                got=f"one of fingerprint {strange[0]}: other weights, settings or another version of its library",
                cure="put the encoder back as it was, or train the run again",
            )
        return builder

    def score_list(self, builder: FeatureBuilder, query: QueryBatch, product_rows: np.ndarray) -> np.ndarray:
        """The model's score (n,) of one query's candidates, (n,) rising rows of the builder's index."""
        block = builder.block(PairBatch.of_one(query, product_rows))
        data = self.list_dataset(query, builder.catalogue.product_ids[product_rows], block)
        return self.score_dataset(data, query.frame, builder)

    def list_dataset(self, query: QueryBatch, product_ids: pl.Series, block: Block) -> Dataset:
        """One query's candidates, (n,) rising ids, with the features just made of them, as the model takes them."""
        query_id = query.frame["query_id"].new_from_index(0, len(product_ids))
        # An anchored model's other scorers read features by name.
        whole = self.config.embeddings is not None or bool(leans_on(self.model.ranker))
        keys = pl.DataFrame([query_id, product_ids.alias("product_id")])
        return Dataset.of_list(keys, block, columns=whole)

    def score(self, builder: FeatureBuilder, queries: pl.DataFrame, pairs: pl.DataFrame) -> np.ndarray:
        """The model's score (n,) of each pair, in the order of `pairs`."""
        data = self.dataset(builder.build(queries, pairs).frame)
        scored = data.frame.select(KEYS).with_columns(
            score=pl.Series(self.score_dataset(data, queries, builder))
        )
        return pairs.join(scored, on=KEYS, how="left", maintain_order="left")["score"].to_numpy()

    def score_dataset(
        self,
        data: Dataset,
        queries: pl.DataFrame | None = None,
        builder: FeatureBuilder | None = None,
        without: Collection[str] = (),
    ) -> np.ndarray:
        """Scores (n,) aligned with `data`; queries and builder are needed where embeddings are features.

        without: groups of features whose values are missing, as in a shop that has nothing for them.
        """
        rows = EmbeddedDataset(data)
        if queries is not None and builder is not None:
            rows = embedded_dataset(self.config, data, queries, builder)
        return self.model.score(rows.emptied(without) if without else rows)

    def check_groups(self, groups: Collection[str]) -> None:
        """Raise InputError for a group of which the run has no feature."""
        for group in groups:
            if group not in self.schema.groups:
                raise InputError(
                    where="command line, --without",
                    expected=f"groups of the run's features ({', '.join(self.schema.groups)})",
                    got=repr(group),
                    cure="name one of them",
                )

    def dataset(self, table: pl.DataFrame) -> Dataset:
        """A built table as the model takes it; InputError naming a feature that differs from the run's."""
        self.schema.check(table, f"features for {self.folder}")
        return Dataset.from_frame(table, self.schema)

    def table(self, name: str) -> pl.DataFrame:
        """A table of the run folder; InputError where it is not there, or changed since it was written."""
        check_files(self.folder, read_about(self.folder), name)
        return read_table(self.folder / name)

    def held_out(self) -> tuple[pl.DataFrame, dict[str, np.ndarray]]:
        """Judged pairs (query_id, product_id, grade) and each system's held-out scores (n,) of them."""
        _, pairs, scores = held_out(self.folder)
        return pairs, scores


def check_held_out(folder: Path) -> None:
    """Raise InputError for a folder without held-out scores, before anything else is done."""
    for name in ("run.json", "scores.parquet"):
        if not (folder / name).is_file():
            got = f"no {name} in it" if folder.is_dir() else "a file" if folder.exists() else "no such folder"
            cure = "name a folder that ltr.train wrote"
            raise InputError(where=folder, expected="a run with held-out scores", got=got, cure=cure)


def held_out(folder: Path) -> tuple[str, pl.DataFrame, dict[str, np.ndarray]]:
    """The model's name, the judged pairs and each system's held-out scores (n,) of them.

    Of a run folder, or of two files of one, run.json and scores.parquet: enough for a baseline that others are
    compared with. Raises InputError where they are not there.
    """
    check_held_out(folder)
    about = read_about(folder)
    check_files(folder, about, "scores.parquet")
    table = read_table(folder / "scores.parquet")
    systems = [name for name in table.columns if name.startswith("score: ")]
    scores = {name.removeprefix("score: "): table[name].to_numpy() for name in systems}
    return str(about["model"]), table.select(*KEYS, "grade"), scores


def held_out_shown(folder: Path) -> pl.DataFrame | None:
    """Measures of what a run shows, held out, as `kept_values` gives them; None where the run has kept none."""
    if not (folder / SHOWN_VALUES).is_file():
        return None
    check_files(folder, read_about(folder), SHOWN_VALUES)
    return read_table(folder / SHOWN_VALUES)
