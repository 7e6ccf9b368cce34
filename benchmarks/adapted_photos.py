"""python -m benchmarks.adapted_photos

What adapting the cosine of a query's words and a product's photo to the judgements is worth on fashion, photos read by
the aligned encoder, to LightGBM with all features (3 bags, texts by int8, no modality dropout): what photos add to
queries of words with it and without, where the title's cosine is adapted, too, and what it does to queries of photos.
Judged products are ranked; their standings are among what retrieval gives, those of adapted cosines among the judged.
Out of fold on the 720 training queries (4 folds), on which it was chosen; then on the held-out ones, looked at after.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any, NamedTuple

import polars as pl

from benchmarks import record
from benchmarks.word_pairs import kinds
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig, choose_vectors
from ltr.data.splits import FoldsConfig, SplitConfig, make_folds
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import prepare
from ltr.training.cross_fit import cross_fit

CONFIG, METRIC = "fashion_aligned", "nDCG@10"
TITLE, PHOTO = "text.title", "image.text_photo"


class System(NamedTuple):
    """photos: whether any feature reads them; adapted: which cosines are; against: the systems it is compared with."""

    photos: bool
    adapted: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


SYSTEMS = {
    "without photos": System(photos=False),
    "all": System(photos=True, against=("without photos",)),
    "all, words–photo adapted": System(True, (PHOTO,), ("without photos", "all")),
    "without photos, title adapted": System(False, (TITLE,), ("without photos",)),
    "all, title adapted": System(True, (TITLE,), ("without photos, title adapted", "all")),
    "all, both adapted": System(
        True,
        (TITLE, PHOTO),
        ("without photos, title adapted", "all, words–photo adapted", "all, title adapted"),
    ),
}


def main() -> None:
    if not (record.have("fashion") and record.have_aligned_encoder(CONFIG)):
        return
    config = read_config(record.config_path(CONFIG), {"encoders.text.runtime": "onnx-int8"})
    prepared = prepare(config)
    queries = prepared.collection.queries
    data = Dataset.from_frame(prepared.table.frame, prepared.schema).judged()
    both = EmbeddingFusionConfig(adapted=(TITLE, PHOTO))
    rows = EmbeddedDataset(data, choose_vectors(prepared.builder.embeddings(queries, data.frame), both))
    train = queries.filter(split="train")
    known = rows.take(sorted(set(train["query_id"]) & set(data.query_ids)))
    found = [
        *compared(config, known, train, FoldsConfig(folds=4), "training"),
        *compared(config, rows, queries, config.split, "held out"),
    ]
    fitting = json.loads((record.ROOT / "fitted" / "fashion" / "fitting.json").read_text(encoding="utf-8"))
    encoder = {"epochs": fitting["settings"]["epochs"], "recall@10": fitting["recall@10"]}
    figures = {"convention": convention(config.evaluation), "encoder": encoder, "rows": found}
    record.write("adapted_photos", "python -m benchmarks.adapted_photos", figures)


def compared(
    config: Config, rows: EmbeddedDataset, queries: pl.DataFrame, split: SplitConfig, of: str
) -> Iterator[dict[str, Any]]:
    """A row for each system, other and kind of queries, on the test queries of the split."""
    folds = make_folds(split, queries, rows.data.frame["query_id"])
    tested = {query for fold in folds for query in fold.test}
    seen = [name for name in rows.data.frame.columns if not name.startswith("image.")]
    blind = replace(Dataset.from_frame(rows.data.frame.select(seen)), unjudged=rows.data.unjudged)
    values = {}
    for name, system in SYSTEMS.items():
        own = EmbeddedDataset(rows.data if system.photos else blind, rows.vectors)
        embeddings = EmbeddingFusionConfig(adapted=system.adapted) if system.adapted else None
        scored = own.data.scored(cross_fit(own, folds, config.ranker, embeddings).scores)
        found = evaluate(scored.filter(pl.col("query_id").is_in(tested)), config.evaluation)
        values[name] = found.select("query_id", METRIC)
        for against in system.against:
            for kind, chosen in kinds(queries).items():
                pair = (values[one].join(chosen, on="query_id", how="semi") for one in (name, against))
                row = {"of": of, "queries_with": kind, "system": name, "against": against}
                row |= asdict(compare(*pair, METRIC))
                print(row, flush=True)
                yield row


if __name__ == "__main__":
    main()
