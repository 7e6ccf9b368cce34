"""python -m benchmarks.goldens write CHECKOUT FOLDER [SET …] | compare FOLDER FOLDER [SET …]

Whether two checkouts give the same results. `write` runs the commands of a checkout, with this interpreter, and
keeps in FOLDER what they made: the feature table of each set, and for the demo shop both boosters' model files,
held-out scores and figures. `compare` prints, of each, the columns that one has alone and the largest difference in
those that both have, and ends with status 1 where rows differ, or a number by more than 1e-6 of itself.

What was changed on purpose since is switched off where a checkout knows the switch: lists as they are served
(judged lists instead) and three bags (one instead).

The two share one cache of vectors (FOLDER/../cache), so that a network is asked once and only what is computed
from its vectors can differ.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import polars as pl
import yaml

from benchmarks import record
from features.feature_schema import KEYS

TINY = [
    *("--data.products", "90", "--data.queries", "40", "--data.judged_per_query", "15"),
    *("--encoders", "{text: {kind: tfidf, dimensions: 32}, image: {kind: torchvision, backbone: resnet18, "
      "weights: random, size: 32, threads: 1}}"),
    *("--ranker.trees", "20", "--ranker.bags", "1", "--ranker.threads", "1", "--split.folds", "3"),
    *("--evaluation.bootstrap.resamples", "200"),
]  # fmt: skip
SWITCHED = {"ltr/data/lists.py": ["--lists.kind", "judged"]}  # where a checkout has the file
SETS: dict[str, list[str]] = {"demo_tiny": TINY, "demo": [], "esci": [], "fashion_cut": []}
TRAINED = ("demo_tiny", "demo")
BOOSTERS = ("lightgbm", "xgboost")
CUT_QUERIES, CUT_PRODUCTS = 300, 3000
TOLERANCE = 1e-6


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    arguments.add_argument("what", choices=("write", "compare"))
    arguments.add_argument("first", type=Path)
    arguments.add_argument("second", type=Path)
    arguments.add_argument("sets", nargs="*", help=f"among {', '.join(SETS)}; default: all")
    given = arguments.parse_args()
    for name in given.sets or SETS:
        if name not in SETS:
            arguments.error(f"no set {name!r}")
    if given.what == "write":
        write(given.first.resolve(), given.second.resolve(), given.sets or list(SETS))
    elif not compare(given.first, given.second, given.sets or list(SETS)):
        raise SystemExit(1)


def write(checkout: Path, folder: Path, sets: list[str]) -> None:
    for name in sets:
        needed = {"esci": "esci", "fashion_cut": "fashion"}.get(name)
        if needed and not record.have(needed):
            continue
        shutil.rmtree(folder / name, ignore_errors=True)
        scratch = folder / name / "scratch"
        scratch.mkdir(parents=True)
        words = [*_config(name, checkout, scratch), *SETS[name], "--cache.folder", f"{folder.parent}/cache"]
        words += ["--store.root", f"{scratch}/store", "--ranker.threads", "1", "--ranker.bags", "1"]
        words += [word for file, given in SWITCHED.items() if (checkout / file).is_file() for word in given]
        _run(checkout, "build_features", words)
        _table(scratch / "store").write_parquet(folder / name / "features.parquet")
        for booster in BOOSTERS if name in TRAINED else ():
            run = scratch / booster
            _run(
                checkout,
                "train",
                [*words, "--ranker", booster, "--objective", "lambdarank", "--run", str(run)],
            )
            kept = folder / name / booster
            shutil.copytree(run / "model", kept / "model")
            for file in ("scores.parquet", "metrics.json"):
                shutil.copy(run / file, kept / file)
        shutil.rmtree(scratch)


def _config(name: str, checkout: Path, scratch: Path) -> list[str]:
    if name.startswith("demo"):
        return []
    if name != "fashion_cut":
        return ["--config", str(checkout / "configs" / f"{name}.yaml")]
    tree = yaml.safe_load((checkout / "configs" / "fashion.yaml").read_text(encoding="utf-8"))
    data = {part: pl.read_parquet(record.DATA / "fashion" / f"{part}.parquet")
            for part in ("products", "images", "queries", "judgments")}  # fmt: skip
    queries = data["queries"].sort("query_id").gather_every(data["queries"].height // CUT_QUERIES + 1)
    judged = data["judgments"].join(queries, on="query_id", how="semi")
    known = data["products"]["product_id"].is_in(judged["product_id"].unique().implode())
    rest = data["products"].filter(~known).head(max(0, CUT_PRODUCTS - int(known.sum())))
    products = pl.concat([data["products"].filter(known), rest])
    parts = {
        "products": products,
        "images": data["images"].join(products, on="product_id", how="semi"),
        "queries": queries,
        "judgments": judged,
    }
    for part, table in parts.items():
        table.write_parquet(scratch / f"{part}.parquet")
        section = {"judgments": "judgements"}.get(part, part)
        tree["data"][section]["path"] = str(scratch / f"{part}.parquet")
    (scratch / "fashion_cut.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
    return ["--config", str(scratch / "fashion_cut.yaml")]


def _run(checkout: Path, verb: str, words: list[str]) -> None:
    print(f"{checkout.name}: ltr.{verb} {' '.join(words)}", flush=True)
    command = [sys.executable, "-m", f"ltr.{verb}", *words]
    subprocess.run(
        command, cwd=checkout, env=os.environ | {"PYTHONPATH": str(checkout)}, check=True, stdout=sys.stderr
    )


def _table(store: Path) -> pl.DataFrame:
    """The one feature table of a store, as its newest version names its files, by key."""
    from deltalake import DeltaTable  # noqa: PLC0415 - only where a table is written

    (folder,) = [path.parent for path in store.rglob("_delta_log")]
    table = pl.DataFrame(DeltaTable(str(folder)).to_pyarrow_table())
    return table.drop([name for name in table.columns if name.startswith("_")]).sort("query_id", "product_id")


def compare(first: Path, second: Path, sets: list[str]) -> bool:
    """Print how far apart; whether all is equal within TOLERANCE."""
    same = True
    for name in sets:
        for path in sorted((first / name).rglob("*")):
            if path.is_file():
                other = second / path.relative_to(first)
                same &= _alike(str(path.relative_to(first)), path, other)
    return same


def _alike(label: str, left: Path, right: Path) -> bool:
    if not right.is_file():
        print(f"{label}: only in the first")
        return False
    if left.suffix == ".parquet":
        return _frames_alike(label, pl.read_parquet(left), pl.read_parquet(right))
    if left.suffix == ".json" and left.name == "metrics.json":
        ours, theirs = (json.loads(path.read_text(encoding="utf-8")) for path in (left, right))
        for timed in (ours, theirs):
            timed.pop("fit_seconds")
        equal = ours == theirs
    else:
        equal = left.read_bytes() == right.read_bytes()
    print(f"{label}: {'equal' if equal else 'DIFFERENT'}")
    return equal


def _frames_alike(label: str, left: pl.DataFrame, right: pl.DataFrame) -> bool:
    keys = [name for name in KEYS if name in left.columns]
    if not left.select(keys).equals(right.select(keys)):
        print(f"{label}: other rows: {left.height:,} and {right.height:,}")
        return False
    for which, one, other in (("first", left, right), ("second", right, left)):
        alone = sorted(set(one.columns) - set(other.columns))
        if alone:
            print(f"{label}: in the {which} only: {', '.join(alone)}")
    both = [name for name in left.columns if name in right.columns]
    far = {c: _apart(left[c], right[c]) for c in both if not left[c].equals(right[c])}
    worst = ", ".join(f"{c} {d:.1e}" for c, d in sorted(far.items(), key=lambda item: -item[1]))
    equal = f"{len(both) - len(far)} of {len(both)} columns bit for bit"
    print(f"{label}: {left.height:,} rows, {equal}{f'; apart: {worst}' if far else ''}")
    return all(distance <= TOLERANCE for distance in far.values())


def _apart(left: pl.Series, right: pl.Series) -> float:
    """The largest |a - b| / max(1, |a|); infinite where the nulls or what is no number differ."""
    if not (left.dtype.is_float() and right.dtype.is_float()):
        return float("inf")
    ours, theirs = left.cast(pl.Float64).to_numpy(), right.cast(pl.Float64).to_numpy()
    if (np.isnan(ours) != np.isnan(theirs)).any() or (left.is_null() != right.is_null()).any():
        return float("inf")
    gap = np.abs(ours - theirs) / np.maximum(1, np.abs(ours))
    return float(np.nanmax(gap)) if not np.isnan(gap).all() else 0.0


if __name__ == "__main__":
    main()
