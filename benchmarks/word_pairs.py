"""python -m benchmarks.word_pairs [demo esci icecat fashion homedepot]

What learning from the judgements which words go together is worth to LightGBM with all features (2 bags, judged lists):
against the same model without, and with the title's cosine adapted instead of or beside it. Out of fold on the queries
that train (3 folds), and where a set has its own test queries on those, looked at after all was chosen. Texts are read
by int8.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import polars as pl

from benchmarks import record
from features.groups.adapted import WORDS
from ltr.config.tree import Config, read_config
from ltr.data.dataset import Dataset
from ltr.data.embedded import EmbeddedDataset, EmbeddingFusionConfig, choose_vectors
from ltr.data.splits import FoldsConfig, SplitConfig, make_folds
from ltr.evaluation.per_query import convention, evaluate
from ltr.evaluation.significance import compare
from ltr.pipeline.prepare import prepare
from ltr.training.cross_fit import cross_fit

SETS = ("demo", "esci", "icecat", "fashion", "homedepot")
TITLE, METRIC = "text.title", "nDCG@10"
LEARNED = {"words": (WORDS,), "title's cosine": (TITLE,), "both": (WORDS, TITLE)}


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("sets", nargs="*", help=f"of {', '.join(SETS)}; default: those at hand")
    given = arguments.parse_args()
    sets = [name for name in given.sets or SETS if name == "demo" or record.have(name)]
    found = {name: measured(name) for name in sets}
    about = convention(read_config(record.config_path("demo")).evaluation)
    record.write(
        "word_pairs",
        f"python -m benchmarks.word_pairs {' '.join(sets)}",
        {"convention": about, "sets": found},
    )


def measured(name: str) -> list[dict[str, Any]]:
    """Rows of what was learnt, on which queries, and the comparison with the model without."""
    quick = {} if name == "demo" else {"encoders.text.runtime": "onnx-int8"}
    config = read_config(record.config_path(name), quick)
    prepared = prepare(config)
    queries = prepared.collection.queries
    data = Dataset.from_frame(prepared.table.frame, prepared.schema).judged()
    both = EmbeddingFusionConfig(adapted=LEARNED["both"])
    vectors = prepared.builder.embeddings(queries, data.frame) | prepared.builder.words(queries, data.frame)
    rows = EmbeddedDataset(data, choose_vectors(vectors, both))
    if "split" not in queries.columns:
        return list(compared(config, rows, queries, FoldsConfig(folds=3), "training"))
    train = queries.filter(split="train")
    known = rows.take(sorted(set(train["query_id"]) & set(data.query_ids)))
    return [
        *compared(config, known, train, FoldsConfig(folds=3), "training"),
        *compared(config, rows, queries, config.split, "held out"),
    ]


def compared(
    config: Config, rows: EmbeddedDataset, queries: pl.DataFrame, split: SplitConfig, of: str
) -> Iterator[dict[str, Any]]:
    """A row for each thing learnt and kind of queries, on the test queries of the split."""
    folds = make_folds(split, queries, rows.data.frame["query_id"])
    tested = {query for fold in folds for query in fold.test}
    ranker = config.ranker.model_copy(update={"threads": 1, "bags": 2})

    def values(embeddings: EmbeddingFusionConfig | None) -> pl.DataFrame:
        fitted = cross_fit(rows, folds, ranker, embeddings)
        scored = rows.data.scored(fitted.scores).filter(pl.col("query_id").is_in(tested))
        return evaluate(scored, config.evaluation).select("query_id", METRIC)

    without = values(None)
    for what, adapted in LEARNED.items():
        ours = values(EmbeddingFusionConfig(adapted=adapted))
        for kind, chosen in kinds(queries).items():
            pair = (table.join(chosen, on="query_id", how="semi") for table in (ours, without))
            row = {"of": of, "learnt": what, "queries_with": kind, **asdict(compare(*pair, METRIC))}
            print(config.name, row, flush=True)
            yield row


def kinds(queries: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The queries with words; where there are any, those without."""
    worded = pl.col("text").is_not_null()
    without = queries.filter(~worded)
    return {"words": queries.filter(worded), **({"photos alone": without} if without.height else {})}


if __name__ == "__main__":
    main()
