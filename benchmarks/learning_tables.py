"""The tables of what is learnt, and from what, from their results' figures to Markdown."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from statistics import fmean
from typing import Any

from ltr.evaluation.notation import difference, figure, with_interval
from ltr.evaluation.segments import FEWEST


def fusion(found: dict[str, Any]) -> Iterator[str]:
    """A table per kind of query, best first, and the sentences that the figures make."""
    name = found["config"].removeprefix("configs/").removesuffix(".yaml")
    yield f"\n## {name}: strategies of fusion\n"
    yield f"{found['convention']} `{found['config']}`, {found['facts']['split']}.\n"
    for segment, sentences in found["statements"].items():
        yield f"**{segment}**\n"
        # Recorded as they were told on the day: only the figures' 0 before the point goes.
        yield from ("- " + re.sub(r"(?<![\d.])0(?=\.\d)", "", sentence) for sentence in sentences)
        yield from strategies(found, segment)
    yield from (f"- Left out: {left_out}" for left_out in found["left_out"])
    yield from notes(found)
    yield f"\n{found['wall_seconds']:g} s in all, peak memory {found['peak_memory_mib']:,} MiB."


def strategies(found: dict[str, Any], segment: str) -> Iterator[str]:
    rows = [row for row in found["summary"] if row["segment"] == segment and "Judged" not in row["metric"]]
    means = {(row["system"], row["metric"]): row for row in rows}
    metrics = list(dict.fromkeys(row["metric"] for row in rows))
    systems = dict.fromkeys(row["system"] for row in rows if row["mean"] is not None)
    yield f"\n| system | level | {' | '.join(metrics)} | accuracy | training, s | µs |"
    yield f"|---|---|{'---:|' * (len(metrics) + 3)}"
    for system in sorted(systems, key=lambda name: -means[name, found["headline"]]["mean"]):
        cost = found["strategies"].get(system)
        cells = [figure(means[system, metric]["mean"]) for metric in metrics]
        spread = means[system, found["headline"]]
        cells[metrics.index(found["headline"])] += f" [{figure(spread['low'])}, {figure(spread['high'])}]"
        accuracy = figure(cost["accuracy"]["mean"]) if cost and cost["accuracy"] else ""
        times = [f"{cost[name]:.1f}" if cost else "" for name in ("fit_seconds", "microseconds")]
        level = cost["level"] if cost else "baseline"
        yield f"| {system} | {level} | {' | '.join([*cells, accuracy, *times])} |"
    yield ""


def photos(found: dict[str, Any]) -> Iterator[str]:
    """The gain of photos on text queries by what they name, and photo queries beside plain baselines."""
    yield "\n## fashion: what photos are worth\n"
    yield (
        f"{found['convention']} `{found['config']}`, test split, photos read by an encoder aligned to its titles; "
        "intervals and p hold the queries' chance alone, not that of training.\n"
    )
    yield "**text queries**: all features against those that use no photo\n"
    yield "| booster | queries | without photos | all | gain [95 %] | p | p (Holm, over segments) |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for ranker, part in found["text_queries"].items():
        for row in ({"segment": "all", **part["all"]}, *part["segments"]):
            holm = figure(row["p_holm"], 4) if "p_holm" in row else ""
            gain = difference(row)
            means = f"{figure(row['mean_b'])} | {figure(row['mean_a'])}"
            yield (
                f"| {ranker} | {row['segment']} ({row['queries']}) | {means} | {gain} "
                f"| {figure(row['p_value'], 4)} | {holm} |"
            )
    for ranker, part in found["text_queries"].items():
        yield (
            f"\n{ranker}: these queries show a gain of {figure(part['smallest_seen'])} four times in five; one of .01 "
            f"takes {part['queries_needed_for_.01']:,}."
        )
    if not any(row["segment"] == "names a brand" for row in found["text_queries"]["lightgbm"]["segments"]):
        yield f"\nFewer than {FEWEST} of these queries name a brand: not tested apart."
    rows = [row for row in found["photo_queries"]["summary"] if row["segment"] == "all queries"]
    yield f"\n**photo queries** ({rows[0]['queries']})\n\n| system | nDCG@10 [95 %] |\n|---|---:|"
    for row in sorted(rows, key=lambda one: one["mean"]):
        yield f"| {row['system']} | {with_interval(row['mean'], row['low'], row['high'])} |"
    yield "\nOut of fold on the training queries, on which encoder, features and dropout were chosen:\n"
    yield "| queries | against | mean of that | all | gain [95 %] | p |\n|---|---|---:|---:|---:|---:|"
    for row in found["out_of_fold"]:
        gain = difference(row)
        means = f"{figure(row['mean_b'])} | {figure(row['mean_a'])}"
        what = {"text": "text", "image": "photo"}[row["kind"]]
        against = "no photos" if row["kind"] == "text" else row["baseline"]
        yield f"| {what} ({row['queries']}) | {against} | {means} | {gain} | {figure(row['p_value'], 4)} |"
    yield from notes(found)


def photo_views(found: dict[str, Any]) -> Iterator[str]:
    """Two small aligned encoders, by their cosines alone."""
    yield "\n## fashion: second views in fitting an aligned encoder\n"
    yield (
        f"{found['convention']} Training queries, whose grades no encoder saw; {found['photos']:,} photos, "
        f"{found['epochs']} epochs; the cosine alone.\n"
    )
    fitted = found["fitted"]
    yield f"| queries | {' | '.join(fitted)} | by [95 %] | p |"
    yield "|---|---:|---:|---:|---:|"
    for row in found["queries"]:
        what = {"text": "words by photo", "image": "photo by photo"}[row["kind"]]
        means = f"{figure(row['mean_b'])} | {figure(row['mean_a'])}"
        yield f"| {what} ({row['queries']}) | {means} | {difference(row)} | {figure(row['p_value'], 4)} |"
    seconds = " and ".join(f"{one['seconds']:,}" for one in fitted.values())
    recall = " and ".join(figure(one["recall"]) for one in fitted.values())
    yield f"\nRecall of the held-out titles {recall}; fitted in {seconds} s."


def tuning(found: dict[str, Any]) -> Iterator[str]:
    """What a search found, and what that was worth on queries it had not seen."""
    counts, nested, test = found["counts"], found["nested"], found["test"]
    yield "\n## fashion: a search by ltr.tune\n"
    done = f"{counts['complete']} trials complete, {counts['pruned']} pruned"
    chosen = ", ".join(
        f"{name} {value:.3g}" if isinstance(value, float) else f"{name} {value}"
        for name, value in found["params"].items()
    )
    yield f"{done}. Best on the folds: {chosen}.\n"
    yield (
        f"On the folds {figure(nested['winner'])} against {figure(nested['default'])} of the defaults; by the "
        f"nested estimate {figure(nested['nested'])}. Measured once on the test split:\n"
    )
    yield "| queries | defaults | tuned | difference [95 %] | p |\n|---|---:|---:|---:|---:|"
    for row in test:
        gain = difference(row)
        means = f"{figure(row['default'])} | {figure(row['tuned'])}"
        yield f"| {row['segment']} ({row['queries']}) | {means} | {gain} | {figure(row['p_value'], 4)} |"


def grocery(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## grocery: phone photo → shop product\n"
    yield f"{found['convention']} `{found['config']}`, every one of {found['products']} products a candidate.\n"
    ndcg, recall = found["metrics"]
    for segment in dict.fromkeys(row["segment"] for row in found["summary"]):
        rows = [row for row in found["summary"] if row["segment"] == segment and row["mean"] is not None]
        ours, first = ({row["system"]: row for row in rows if row["metric"] == m} for m in (ndcg, recall))
        tests = {test["against"]: test["p_holm"] for test in found["tests"] if test["segment"] == segment}
        yield f"**{segment}** ({rows[0]['queries']:,} queries)\n"
        yield f"| system | {ndcg} [95 %] | recall@1 [95 %] | last row better, p (Holm) |\n|---|---:|---:|---:|"
        for name, row in ours.items():
            figures = (with_interval(r["mean"], r["low"], r["high"]) for r in (row, first[name]))
            p_value = figure(tests[name], 4) if name in tests else ""
            yield f"| {name} | {' | '.join(figures)} | {p_value} |"
        yield ""
    if found["absent"]:
        yield "Absent: " + "; ".join(f"{name} ({why})" for name, why in found["absent"].items()) + "."


def transfer(found: dict[str, Any]) -> Iterator[str]:
    """A table a set: every variant against the cosine, and the chosen one against training alone."""
    yield "\n## Few judged queries: leaning on a cosine, learning from other sets\n"
    source = found["source"]
    yield (
        f"{found['convention']} Five folds by query, dealt {found['repeats']} times; a query's value is its mean over "
        f"the deals. Base: `{found['base']}`. Other sets weigh {source['weight']:g} of the set's own queries.\n"
    )
    for name, part in found["sets"].items():
        first = part["tests"][0]
        yield f"**{name}** ({first['queries']} queries; {first['against']} alone {figure(first['mean_b'])})\n"
        yield "| system | nDCG@10 | better than | by [95 %] | p | p (Holm) | queries needed for p < 0.01 |"
        yield "|---|---:|---|---:|---:|---:|---:|"
        for row in part["tests"]:
            gain = difference(row)
            yield (
                f"| {row['system']} | {figure(row['mean_a'])} | {row['against']} | {gain} "
                f"| {figure(row['p_value'], 4)} | {figure(row['p_holm'], 4)} | {row['queries_needed']:,} |"
            )
        yield ""
    yield "Queries needed: with a power of 80 %, if the difference is the one seen."


def few_judgements(found: dict[str, Any]) -> Iterator[str]:
    """A row a set and number of training queries."""
    yield "\n## Few judgements: never below the best cosine?\n"
    yield (
        f"{found['convention']} Training queries drawn {found['draws']} times, the others tested; a query's value is "
        f"its mean over the draws; {found['bags']} bags of 100 trees. Against the best single cosine of the training "
        "queries:\n"
    )
    yield "| set | training queries | the cosine | system | nDCG@10 | by [95 %] | p |"
    yield "|---|---:|---:|---|---:|---:|---:|"
    for name, rows in found["sets"].items():
        for row in rows:
            yield (
                f"| {name} | {row['size']} | {figure(row['mean_b'])} | {row['system']} | {figure(row['mean_a'])} "
                f"| {difference(row)} | {figure(row['p_value'], 4)} |"
            )
    yield from notes(found)


def adapted(found: dict[str, Any]) -> Iterator[str]:
    """The adapted cosine alone, then as a feature."""
    yield "\n## Cosines adapted to the judgements\n"
    yield f"{found['convention']} Query and title by a frozen encoder.\n"
    yield "| what | queries | without | with | by [95 %] | p |"
    yield "|---|---:|---:|---:|---:|---:|"
    for name, row in found["cosines"].items():
        yield f"| {name}, the cosine alone, out of fold | {_compared(row)}"
    for what, row in found["models"].items():
        yield f"| fashion, {what} | {_compared(row)}"
    yield from notes(found)


def adapted_photos(found: dict[str, Any]) -> Iterator[str]:
    """What photos add with their cosine adapted, and without."""
    yield "\n## fashion_aligned: the cosine of words and photo, adapted\n"
    encoder = found["encoder"]
    yield (
        f"{found['convention']} LightGBM with all features (3 bags, texts read by int8, no modality dropout) ranks "
        "the judged products, standings among what retrieval gives (of adapted cosines: among the judged); photos by "
        f"an aligned encoder of {encoder['epochs']} epochs (recall@10 {figure(encoder['recall@10'])}; the config says "
        "18). training: out of fold on the queries that train (4 folds), on which this was chosen; held out: looked "
        "at after.\n"
    )
    yield "| of | queries with | system | against | queries | the other | system | by [95 %] | p |"
    yield "|---|---|---|---|---:|---:|---:|---:|---:|"
    for row in found["rows"]:
        yield f"| {row['of']} | {row['queries_with']} | {row['system']} | {row['against']} | {_compared(row)}"


def word_pairs(found: dict[str, Any]) -> Iterator[str]:
    """Which words go together, learnt: what it adds to the model with all features."""
    yield "\n## Words that go together, as the judgements have it\n"
    yield (
        f"{found['convention']} LightGBM with all features (2 bags, judged lists; texts read by int8), without and "
        "with what is learnt from judgements: which words of a query go with which of title, brand and category; the "
        "title's cosine adapted; both. training: out of fold on the queries that train (3 folds), on which this was "
        "chosen; held out: the set's own test queries, looked at once, after.\n"
    )
    yield "| set | of | queries with | learnt | queries | without | with | by [95 %] | p |"
    yield "|---|---|---|---|---:|---:|---:|---:|---:|"
    for name, rows in found["sets"].items():
        for row in rows:
            yield f"| {name} | {row['of']} | {row['queries_with']} | {row['learnt']} | {_compared(row)}"
    yield from notes(found)


def _compared(row: dict[str, Any]) -> str:
    means = f"{figure(row['mean_b'])} | {figure(row['mean_a'])}"
    return f"{row['queries']:,} | {means} | {difference(row)} | {figure(row['p_value'], 4)} |"


def notes(found: dict[str, Any]) -> Iterator[str]:
    """What was done otherwise than the command does it."""
    lines = [f"- {line}" for line in found.get("notes", ())]
    yield from ["", *lines] if lines else []


FUSION = ("fashion_aligned", "esci", "icecat", "demo")


def shown_lists(found: dict[str, Any]) -> Iterator[str]:
    """What the demo shop's shoppers are shown on new queries, by the kind of list that the run was trained on."""
    yield "\n## demo: what is shown\n"
    yield (
        f"True nDCG@10 of what is shown against the best ten of the whole catalogue, on {found['queries']} new queries "
        f"by the shop's own rules (seed {found['seed']}); beside it what the run says of itself, held out. "
        "The runs are trained as `make demo` trains them. Features and settings were chosen on training queries and on "
        "new queries of other seeds (5001 to 5003); these were not looked at before. Another seed (90210) was measured "
        "once before each probe of a word had its own penalty and words could overrule a photo: LightGBM, trained on "
        "served lists, had .828 [.809, .846], .781 [.746, .809] and .696 [.654, .731].\n"
    )
    yield "| | words | photo | both |"
    yield "|---|---:|---:|---:|"
    for kind, run in found["trained_on"].items():
        means = {(row["system"], row["segment"]): row for row in run["shown"]}
        for system in dict.fromkeys(row["system"] for row in run["shown"]):
            rows = [means[system, segment] for segment in ("text", "photo", "mixed")]
            name = f"**LightGBM, trained on {kind}**" if system == "lightgbm" else system
            if kind == next(iter(found["trained_on"])) or system == "lightgbm":
                cells = (with_interval(row["mean"], row["low"], row["high"]) for row in rows)
                yield f"| {name} | {' | '.join(cells)} |"
        for figures, key in (("judged lists", "judged_lists"), ("true, held out", "held out: true nDCG@10")):
            if key in run:
                cells = (figure(run[key][part]) for part in ("words", "photo", "words and photo"))
                yield f"| its own figure, trained on {kind}: {figures} | {' | '.join(cells)} |"


def pooled_judgements(found: dict[str, Any]) -> Iterator[str]:
    """How far estimates of what is shown are from the truth, by how the shop was judged, and after judging more."""
    yield "\n## demo: judged as drawn, and judged as a team pools\n"
    yield (
        f"One demo shop of {found['products']:,} products and {found['queries']} queries, held out (three folds, "
        f"{found['trees']} trees): the estimate (condensed nDCG@10, ideal of the judged products), the truth (ideal of "
        f"the whole catalogue). Pooled: the first {found['depth']} of BM25, three cosines and a first ranker. tau: how "
        "alike estimate and truth order the queries. Worst and best hold for the judged ideal alone: where a query has "
        "more good products than were judged, the truth may lie below the worst. LightGBM taught by pooled "
        f"judgements shows {figure(found['taught']['mean_a'])} in truth, by drawn ones "
        f"{figure(found['taught']['mean_b'])}: {difference(found['taught'])}, p = "
        f"{figure(found['taught']['p_value'], 4)}.\n"
    )
    yield "| judged | judgements | system | Judged@10 | worst | estimate | best | truth | estimate − truth | tau |"
    yield "|---|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for name, part in found["judged"].items():
        for row in part["systems"]:
            cells = [row[key] for key in ("Judged@10", "worst", "condensed nDCG@10", "best", "true nDCG@10")]
            shown = " | ".join(figure(value) for value in cells)
            end = f"{difference(row['error'])} | {figure(row['tau'])}"
            yield f"| {name} | {part['judgements']:,} | {row['system']} | {shown} | {end} |"
    yield (
        "\nWhat judging more moves: the estimated difference of LightGBM with and without photos, by which products of "
        f"their first ten are judged next (random: the mean of {found['draws']} draws); settled: all of them judged.\n"
    )
    yield from _judged_next(found)


def _judged_next(found: dict[str, Any]) -> Iterator[str]:
    budgets = list(dict.fromkeys(row["judged"] for row in next(iter(found["judged"].values()))["next"]))
    yield f"| judged | next | {' | '.join(f'{budget:,} more' for budget in budgets)} | settled | truth |"
    yield f"|---|---|{'---:|' * (len(budgets) + 2)}"
    for name, part in found["judged"].items():
        ends = figure(part["settled"]["estimated"]), figure(part["settled"]["true"])
        for way in dict.fromkeys(row["way"] for row in part["next"]):
            means = [
                fmean(
                    [row["estimated"] for row in part["next"] if (row["way"], row["judged"]) == (way, budget)]
                )
                for budget in budgets
            ]
            yield f"| {name} | {way} | {' | '.join(figure(mean) for mean in means)} | {' | '.join(ends)} |"


def unjudged(found: dict[str, Any]) -> Iterator[str]:
    """A row a set, ranker and policy: each measure, and how far it is from that of one policy."""
    yield "\n## What training makes of what nobody judged\n"
    yield (
        f"{found['convention']} Training queries only, out of fold ({found['folds']} folds, {found['trees']} trees, "
        f"{found['bags']} bag). In brackets: against {found['against']}, with its 95 % interval by query. Left out is "
        "the default.\n"
    )
    measures = list(dict.fromkeys(m for one in found["sets"].values() for m in one["rows_of"][0]["measures"]))
    yield "| set | queries | judged | ranker | what is not judged | " + " | ".join(measures) + " |"
    yield "|---|---:|---:|---|---|" + "---:|" * len(measures)
    for name, one in found["sets"].items():
        for row in one["rows_of"]:
            cells = [_against(row["measures"].get(m), row["policy"] == found["against"]) for m in measures]
            what = f"{name} | {one['queries']} | {one['judged']:.0%} | {row['ranker']} | {row['policy']}"
            yield f"| {what} | {' | '.join(cells)} |"


def _against(compared: dict[str, Any] | None, itself: bool) -> str:
    if compared is None:
        return ""
    return figure(compared["mean_a"]) + ("" if itself else f" ({difference(compared)})")


def retrieval_ways(found: dict[str, Any]) -> Iterator[str]:
    """A table a set and kind of query: each system's recall, and how far it is from that of another."""
    yield "\n## What earns recall\n"
    cuts = ", ".join(map(str, found["cuts"]))
    yield (
        f"Share of a query's products of its best judged grade, and of those judged relevant, among its first {cuts} "
        "candidates; what nobody judged does not count. In brackets: against another system, with its 95 % interval by "
        "query. Weights of the ways (of "
        f"{', '.join(map(str, found['weights']))}) are learnt on one half of the queries and measured on the other. "
        f"Test splits are not looked at. Titles are read by the text encoder's runtime {found['runtime']}.\n"
    )
    for name, one in found["sets"].items():
        for kind, part in one["kinds"].items():
            yield f"**{name}, {kind}** ({', '.join(_recall_in_words(one, part))})\n"
            yield from _recalls(part)
            yield ""


def _recall_in_words(one: dict[str, Any], part: dict[str, Any]) -> Iterator[str]:
    yield f"{part['queries']:,} {'training queries' if one['queries_of'] == 'training' else 'queries, all of the set'}"
    if one["products"] == one["judged_products"]:
        yield f"the catalogue is its {one['products']:,} judged products: easier than in a shop"
    else:
        yield f"{one['products']:,} products, {one['judged_products']:,} of them judged for some query"
    if "mended" in part:
        yield f"a typo mended in {part['mended']:,} queries"
    yield "weights learnt: " + " and ".join(
        " ".join(f"{way} {weight}" for way, weight in zip(part["ways"], weights, strict=True))
        for weights in part["learnt"]
    )


def _recalls(part: dict[str, Any]) -> Iterator[str]:
    rows = part["rows"]
    yield f"| system | against | {' | '.join(rows[0]['measures'])} |"
    yield f"|---|---|{'---:|' * len(rows[0]['measures'])}"
    yield f"| {rows[0]['against']} | | {' | '.join(figure(m['mean_b']) for m in rows[0]['measures'].values())} |"
    for row in rows:
        cells = (_against(measure, itself=False) for measure in row["measures"].values())
        yield f"| {row['system']} | {row['against']} | {' | '.join(cells)} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "shown_lists": shown_lists,
    "pooled_judgements": pooled_judgements,
    "unjudged": unjudged,
    "retrieval_ways": retrieval_ways,
    "photos": photos,
    "photo_views": photo_views,
    "grocery": grocery,
    **{f"fusion_{name}": fusion for name in FUSION},
    "transfer": transfer,
    "few_judgements": few_judgements,
    "adapted": adapted,
    "adapted_photos": adapted_photos,
    "word_pairs": word_pairs,
    "tuning": tuning,
}
