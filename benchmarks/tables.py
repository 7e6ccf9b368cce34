"""python -m benchmarks.tables

Write the tables of benchmarks/README.md, and the headlines of README.md, from benchmarks/results/*.json;
no figure there is typed by hand.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import (
    behaviour_tables,
    click_tables,
    core_tables,
    encoding_tables,
    experiment_tables,
    learning_tables,
    serving_tables,
)
from benchmarks.overview import overview
from benchmarks.record import RESULTS
from ltr.evaluation.notation import difference, figure, with_interval

HERE = Path(__file__).parent
SETS = ("fashion", "fashion_aligned", "esci", "icecat", "homedepot", "demo")
BEGIN, END = "<!-- tables: written by python -m benchmarks.tables -->", "<!-- end of tables -->"


def main() -> None:
    for page, text in pages().items():
        page.write_text(text, encoding="utf-8")
        print(f"wrote {page.parent.name}/{page.name}")


def pages() -> dict[Path, str]:
    """Each page with its tables as the results have them."""
    tables = [line for section in SECTIONS for line in section()]
    return {
        HERE / "README.md": filled(HERE / "README.md", [*overview(results, headlines(), tables), *tables]),
        HERE.parent / "README.md": filled(HERE.parent / "README.md", headlines()),
    }


def filled(page: Path, lines: Iterable[str]) -> str:
    """The page with these lines between its two markers."""
    text = page.read_text(encoding="utf-8")
    return f"{text.split(BEGIN)[0]}{BEGIN}\n" + "\n".join(lines) + f"\n{END}{text.split(END)[1]}"


def headlines() -> Iterator[str]:
    """nDCG@10 of the plain baselines and of each booster with all features, a row a set and kind of query."""
    plain = ("random", "BM25", "text cosine", "photo cosine")
    yield "\nnDCG@10 on queries held out from training, gain 2^grade − 1, queries with nothing relevant left out."
    yield "Photos of fashion and demo are read by random weights, fashion_aligned by an aligned encoder:\n"
    yield "| set | queries | " + " | ".join(plain) + " | LightGBM, all | XGBoost, all |"
    yield "|---|---:|" + "---:|" * (len(plain) + 2)
    for name in SETS:
        found = results(f"quality_{name}")
        if found is None:
            continue
        runs = found["rankers"]
        rows = [row for run in runs.values() for row in run["summary"] if row["metric"] == run["headline"]]
        kinds = list(dict.fromkeys(row["segment"] for row in rows))
        for kind in kinds[1:] or kinds:
            means = {row["system"]: row for row in rows if row["segment"] == kind}
            cells = [three(means[s]["mean"]) if s in means else "" for s in (*plain, *runs)]
            label = name if len(kinds) == 1 else f"{name}: {kind}"
            yield f"| {label} | {means['random']['queries']:,} | " + " | ".join(cells) + " |"
    yield ""


def results(name: str) -> dict[str, Any] | None:
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def about(found: dict[str, Any]) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in found["versions"].items())
    return f"`{found['command']}` · {found['date']} · {found['machine']} · {versions}"


def quality() -> Iterator[str]:
    for name in SETS:
        found = results(f"quality_{name}")
        if found is None:
            continue
        first = next(iter(found["rankers"].values()))
        yield f"\n## {name}: the ladder\n"
        yield f"{first['convention']} `{found['config']}`, {first['split']}.\n"
        for segment in dict.fromkeys(row["segment"] for row in first["summary"]):
            yield from ladder(segment, found["rankers"], first["headline"])
        for number, (ranker, run) in enumerate(found["rankers"].items()):
            built = "features from the store" if number else "features built, vectors from the cache"
            yield (
                f"- {ranker}: {run['wall_seconds']:g} s in all ({built}), {run['fit_seconds']:g} s of it fitting "
                f"the full model; peak memory {run['peak_memory_mib']:,} MiB"
            )
        yield from learning_tables.notes(found)
        yield f"\n{about(found)}"


def ladder(segment: str, rankers: dict[str, Any], headline: str) -> Iterator[str]:
    """Plain baselines once, then each booster's rungs; differences are of the full model to that row."""
    counted = next(
        row
        for run in rankers.values()
        for row in run["summary"]
        if row["segment"] == segment and row["metric"] == headline
    )
    yield f"**{segment}** ({counted['queries']} queries, {counted['left_out']} left out)\n"
    yield f"| system | {headline} [95 %] | full model better by [95 %] | p | p (Holm) |"
    yield "|---|---:|---:|---:|---:|"
    seen: set[str] = set()
    for ranker, run in rankers.items():
        for row in run["summary"]:
            if row["segment"] != segment or row["metric"] != headline:
                continue
            is_ranker = row["system"] in LEARNED or row["system"] == run["model"]
            if not is_ranker and row["system"] in seen:
                continue
            seen.add(row["system"])
            yield line(row, run, ranker if is_ranker else "")
    yield ""


def three(value: float | None) -> str:
    """n/a: of a baseline that cannot read such queries."""
    return "n/a" if value is None else figure(value)


LEARNED = ("lexical", "+ structured", "+ text", "+ image")


def line(row: dict[str, Any], run: dict[str, Any], ranker: str) -> str:
    name = (
        f"**{ranker}: all**"
        if row["system"] == run["model"]
        else f"{ranker}: {row['system']}"
        if ranker
        else row["system"]
    )
    test = next(
        (t for t in run["tests"] if t["segment"] == row["segment"] and t["against"] == row["system"]), None
    )
    figures = f"{three(row['mean'])} [{three(row['low'])}, {three(row['high'])}]"
    if test is None:
        return f"| {name} | {figures} | | | |"
    gain = difference(test)
    return f"| {name} | {figures} | {gain} | {figure(test['p_value'], 4)} | {figure(test['p_holm'], 4)} |"


def letor() -> Iterator[str]:
    found = results("mq2008")
    if found is None:
        return
    yield "\n## MQ2008, five folds\n"
    yield f"Settings per fold: best validation nDCG@10 out of {found['grid']}; tested once. Gain 2^grade − 1.\n"
    yield "| ranker | queries without relevant documents | nDCG@1 | nDCG@5 | nDCG@10 [95 %] | MAP | fold 1 nDCG@10 |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for ranker, run in found["rankers"].items():
        for under in run["conventions"]:
            rows = {row["metric"]: row for row in under["summary"]}
            ten = rows["nDCG@10"]
            empty = {"zero": "count as 0", "one": "count as 1", "skip": "left out"}[under["empty_queries"]]
            yield (
                f"| {ranker} | {empty} | {figure(rows['nDCG@1']['mean'], 4)} | {figure(rows['nDCG@5']['mean'], 4)} "
                f"| {with_interval(ten['mean'], ten['low'], ten['high'], 4)} | {figure(rows['AP']['mean'], 4)} "
                f"| {figure(under['ndcg_at_10_by_fold'][0], 4)} |"
            )
    published = ", ".join(f"{name} {figure(value, 4)}" for name, value in found["published_fold_1"].items())
    yield f"\nPublished for fold 1, counting such queries as 1, chosen on the test set: {published}.\n\n{about(found)}"


def parity() -> Iterator[str]:
    found = results("parity_lightgbm_rank")
    if found:
        row = found["ndcg_at_10"]
        yield "\n## LightGBM's own example\n"
        yield (
            f"The same parameters through the toolkit and through bare LightGBM: largest score difference "
            f"{found['largest_score_difference']:.1e}; nDCG@10 "
            f"{with_interval(row['mean'], row['low'], row['high'], 4)} "
            f"on {row['queries']} test queries.\n\n{about(found)}"
        )


def overhead() -> Iterator[str]:
    found = results("training_overhead")
    if found:
        yield "\n## Training overhead\n"
        yield "Fitting by `ltr.train` over the bare library call on the same arrays, equal scores checked first.\n"
        yield "| booster | ratio: median (lowest to highest) | bare call, s |\n|---|---:|---:|"
        for name, row in found["ratio_to_bare_library"].items():
            span = f"{row['lowest']:.3f} to {row['highest']:.3f}"
            yield f"| {name} | {row['median']:.3f} ({span}) | {row['bare_seconds']:g} |"
        yield f"\n{about(found)}"


def metrics() -> Iterator[str]:
    found = results("metrics_speed")
    if not found:
        return
    yield "\n## Metrics\n"
    yield (
        "nDCG@10, P@10, R@10, AP and RR of a shuffled table, values checked to be equal first; each peer from its own "
        "structures made beforehand (ranx compiled and its lists sorted), and from the table that `evaluate` reads.\n"
    )
    peers = ("ranx", "pytrec_eval")
    heads = [f"{peer}{what} / ours" for what in ("", " from the table") for peer in peers]
    yield f"| rows | ours, s | {' | '.join(heads)} | memory beside the table |\n|{'---:|' * 7}"
    for row in found["sizes"]:
        ratios = [row[f"times_faster_than_{peer}{what}"] for what in ("", "_from_table") for peer in peers]
        cells = [f"{row['rows']:,}", f"{row['seconds_evaluate']:.3f}", *(f"{ratio:g}" for ratio in ratios)]
        yield f"| {' | '.join(cells)} | {row['memory_beside_the_table']:.0%} |"
    compiling = found["sizes"][0]["seconds_ranx_first_time"]
    yield f"\nThe first call of ranx in a process, which compiles: {compiling:.1f} s; `evaluate` compiles nothing."
    yield f"\n{about(found)}"


def point_in_time() -> Iterator[str]:
    found = results("point_in_time")
    if found is None:
        return
    rows = found["rows"]
    yield "\n## Point-in-time join, and what a leak is worth\n"
    size = f"{rows['left']:,} rows against {rows['right']:,} values of {rows['keys']:,} keys"
    yield f"{size}, equal outputs checked first.\n"
    yield "| join | time over ours |\n|---|---:|"
    for name, ratio in found["ratio"].items():
        yield f"| {name} | {ratio:.2f} |"
    shop = found.get("hm")
    if shop:
        yield (
            f"\nhm: popularity and last price of each article as of each of {shop['transactions']:,} transactions in "
            f"{shop['seconds_as_of_two_views']:g} s; {shop['rows_recounted_and_equal']} rows recounted by brute force, "
            f"all equal. Popularity as a ranker of what is bought next day by day:\n"
        )
        yield "| popularity | AUC [95 %] | nDCG@10 [95 %] |\n|---|---:|---:|"
        for name, row in shop["popularity_as_ranker"].items():
            if isinstance(row, dict):
                yield (
                    "| "
                    + " | ".join([name, *(interval(row[metric]) for metric in ("AUC", "nDCG@10"))])
                    + " |"
                )
    yield f"\n{about(found)}"


def section(name: str, lines: Callable[[dict[str, Any]], Iterator[str]]) -> Iterator[str]:
    found = results(name)
    if found is not None:
        yield from lines(found)
        yield f"\n{about(found)}"


def interval(row: dict[str, Any]) -> str:
    return with_interval(row["mean"], *row["interval"])


def faults() -> Iterator[str]:
    found = results("faults")
    if found is None:
        return
    yield "\n## Faults\n"
    yield "Damage done on purpose. A try survives where the fault is found (one line), healed, or without effect.\n"
    yield "| fault | tried | survived | rest |\n|---|---:|---:|---:|"
    for name, row in found["faults"].items():
        yield f"| {name} | {row['tried']:,} | {row['survived']:,} | {row['rest']:,} |"
    yield f"\n{about(found)}"


LEARNING, ENCODING, EXPERIMENTS, BEHAVIOUR, CLICKS, CORE, SERVING = (
    tuple(partial(section, name, lines) for name, lines in module.SECTIONS.items())
    for module in (
        learning_tables,
        encoding_tables,
        experiment_tables,
        behaviour_tables,
        click_tables,
        core_tables,
        serving_tables,
    )
)
SECTIONS = (
    quality,
    *LEARNING,
    letor,
    parity,
    overhead,
    metrics,
    point_in_time,
    *ENCODING,
    *EXPERIMENTS,
    *BEHAVIOUR,
    *CLICKS,
    *CORE,
    *SERVING,
    faults,
)

if __name__ == "__main__":
    main()
