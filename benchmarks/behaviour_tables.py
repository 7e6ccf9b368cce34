"""The tables of behaviour features and of privacy, from their figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ltr.evaluation.notation import figure, with_interval


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
    told = found["history"]
    yield "\n## Who is asking: a session's history\n"
    yield (
        f"trivago, hotel searches that ended in a click-out: {told['lists_train']:,} lists train, "
        f"{told['lists_test']:,} of the {told['sessions_test']:,} sessions that began last test; "
        f"{told['with_history']:.0%} of these have a history, and in {told['clicked_was_seen']:.0%} the click-out is "
        "of a hotel in it. MRR, intervals by session:\n"
    )
    yield "| order | MRR [95 %] | with a history | without | last row better by [95 %] |\n|---|---:|---:|---:|---:|"
    for name, row in told["mrr"].items():
        gain = told["gain"].get(name)
        better = with_interval(gain["mean"], *gain["interval"]) if gain else ""
        cells = [with_interval(row["mean"], *row["interval"])]
        cells += [figure(row["with_history"]), figure(row["without_history"]), better]
        yield f"| {name} | {' | '.join(cells)} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "behaviour": behaviour,
    "session_history": session_history,
}
