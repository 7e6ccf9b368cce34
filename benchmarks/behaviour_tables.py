"""The tables of behaviour features and of privacy, from their figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ltr.evaluation.notation import difference, figure, with_interval


def behaviour(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Behaviour as features, and the price of privacy\n"
    if "cold_start" in found:
        yield from cold_start(found["cold_start"])
        yield from hm_price(found["price"])
    yield (
        "\nA made-up shop of 500 products (true popularity as 1 / rank), each person buys 5: nDCG@10 of the order by "
        "noisy counts, gains the true popularity.\n"
    )
    names = [name for name in found["price_by_people"][0] if name != "people"]
    yield f"| people | {' | '.join(names)} |\n|---:|{'---:|' * len(names)}"
    for row in found["price_by_people"]:
        yield f"| {row['people']:,} | {' | '.join(figure(row[name]) for name in names)} |"
    law = ", ".join(f"{p:g} at scale {scale}" for scale, p in found["noise"].items())
    yield f"\nThe noise, a million draws against the discrete Laplace law: χ² p = {law}."


def cold_start(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"H&M, split by time: {found['lists_train']:,} lists train (LambdaMART, fixed settings), "
        f"{found['lists_test']:,} later ones test; a list is what a customer bought on a day and {found['others']} "
        "others on sale then. AUC of a bought product among the others of its list with as many purchases before that "
        "day (which products without any were on sale is known from later sales alone, so they are compared with each "
        "other):\n"
    )
    names = list(found["auc"])
    yield f"| purchases before | bought | {' | '.join(f'{name} [95 %]' for name in names)} |"
    yield f"|---|---:|{'---:|' * len(names)}"
    for bucket, first in found["auc"][names[0]].items():
        cells = [found["auc"][name][bucket] for name in names]
        shown = " | ".join(with_interval(one["mean"], *one["interval"]) for one in cells)
        yield f"| {bucket} | {first['bought']:,} | {shown} |"


def hm_price(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"\nH&M, {found['days']} days, {found['articles']:,} articles, {found['people_a_month']} people in a month: "
        "nDCG@10 of the order by purchases of the 30 days before, one private release a day:\n"
    )
    yield "| counts | nDCG@10 |\n|---|---:|"
    yield from (f"| {name} | {figure(value)} |" for name, value in found["ndcg"].items())


def session_history(found: dict[str, Any]) -> Iterator[str]:
    history = found["history"]
    yield "\n## Who is asking: a session's history\n"
    yield (
        f"trivago, hotel searches that ended in a click-out: {history['lists_train']:,} lists train, "
        f"{history['lists_test']:,} of the {history['sessions_test']:,} sessions that began last test; "
        f"{history['with_history']:.0%} of these have a history, and in {history['clicked_was_seen']:.0%} the "
        "click-out is of a hotel in it. MRR, intervals by session:\n"
    )
    yield "| order | MRR [95 %] | with a history | without | last row better by [95 %] |\n|---|---:|---:|---:|---:|"
    for name, row in history["mrr"].items():
        gain = history["gain"].get(name)
        better = with_interval(gain["mean"], *gain["interval"]) if gain else ""
        cells = [with_interval(row["mean"], *row["interval"])]
        cells += [figure(row["with_history"]), figure(row["without_history"]), better]
        yield f"| {name} | {' | '.join(cells)} |"


def item_graph(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## The item graph: a sparse walk, and a light graph network\n"
    yield (
        "The network smooths learned vectors of products over the graph of what was looked at together "
        "(`network_N`: N layers; none is the same without the graph); a session's steps are learned on other "
        f"sessions' graph. {found['epochs']} epochs, as many as an earlier look at the same day showed to be enough. "
        f"Next products in a shop's sessions on the last training day, {found['steps']:,} steps of "
        f"{found['sessions']:,} sessions, from all days before; intervals by session; seconds of one processor in "
        "fitting:\n"
    )
    yield "| way | HR@20 | MRR@20 | HR better than the walk | than vectors without a graph | seconds |"
    yield "|---|---:|---:|---:|---:|---:|"
    for line in found["lines"]:
        apart = [
            gained(of["better_by"], of["interval"])
            for of in (line["than graph_walk"], line["than network_0"])
        ]
        cells = [figure(line["HR@20"]), figure(line["MRR@20"]), *apart, f"{line['seconds']:g}"]
        yield f"| {line['way']} | {' | '.join(cells)} |"
    yield (
        "\nThe graph adds nothing to the learned vectors, so no graph network is in the library; the walk is kept as "
        "one of the ranker's rules, and as features of search."
    )


def gained(value: float, interval: list[float] | None) -> str:
    """`+.030 [+.007, +.051]`; nothing where nothing is compared."""
    if interval is None:
        return ""
    return difference({"difference": value, "low": interval[0], "high": interval[1]})


def behaviour_training(found: dict[str, Any]) -> Iterator[str]:
    parts, events = found["requests"], found["events"]
    yield "\n## From a log to a better ranker\n"
    yield (
        f"Simulated shoppers of the demo shop, {found['sessions']:,} sessions at BM25 over four weeks "
        f"({events['shown']:,} products shown, {events['actions']:,} actions), then `ltr.ingest_events` and "
        f"`ltr.train`. {parts['train']} requests of the second and third week train ({parts['validation']} validate), "
        f"{parts['test']} of the fourth, with other query texts, test; grades are what each shopper's own taste "
        "makes of BM25's first 40. Everything is as of the request. Intervals by query text:\n"
    )
    yield "| features | nDCG@10 | gain on content [95 %] |\n|---|---:|---:|"
    for row in found["lines"]:
        gain = gained(row["gain"], row["interval"])
        yield f"| {row['features']} | {figure(row['nDCG@10'])} | {gain} |"
    names = list(found["by_views"])
    yield (
        "\nCold start: AUC of a product that the shopper likes (grade 2 and more) against the others of its list, "
        "by how often it had been shown to anybody before that day:\n"
    )
    yield f"| shown before | liked | {' | '.join(names)} |\n|---|---:|{'---:|' * len(names)}"
    for bucket, first in found["by_views"][names[0]].items():
        if first is None:
            continue
        cells = [found["by_views"][name][bucket] for name in names]
        shown = " | ".join(with_interval(one["auc"], *one["interval"]) for one in cells)
        yield f"| {bucket} | {first['products']:,} | {shown} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "behaviour": behaviour,
    "behaviour_training": behaviour_training,
    "session_history": session_history,
    "item_graph": item_graph,
}
