"""The tables of learning from clicks: examination, models, strategies of training, from their figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

ORDER = ("naive", "rates", "ips", "labels", "smoothed", "positions", "unbiased", "automatic")


def clicks(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Learning from clicks, where the truth is known\n"
    if "examination" in found:
        yield from examination(found["examination"])
    if "models" in found:
        made = found["models"]
        by = made["perplexity"]
        yield (
            f"Position-based model: perplexity on later days {by['ours']:.4f}, of published EM in plain Python "
            f"{by['plain']:.4f}; {made['times_faster']:.0f} times faster in the same run.\n"
        )
    if "learning" in found:
        yield from learning(found["learning"])
    if found.get("real"):
        yield from real(found["real"])
    if found.get("open_bandit"):
        yield from open_bandit(found["open_bandit"])


def examination(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "Largest error of the chance that a place is seen, ten places, 100,000 lists (.03 is asked for).\n"
    names = list(rows[0]["largest_error"])
    yield f"| logging ranker, share in random order | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    for row in rows:
        cells = " | ".join(f"{row['largest_error'][name]:.3f}" for name in names)
        yield f"| {row['logging']}, {row['explored']:.0%} | {cells} |"
    yield ""


def learning(rows: list[dict[str, Any]]) -> Iterator[str]:
    first = rows[0]
    yield (
        f"nDCG@10 on test queries with true grades, {first['lists']:,} lists of LightGBM's ranking example, the same "
        "booster everywhere; on 50 queries one seed's differences of .02 are noise. "
        "Empty: refused, since the log cannot tell being seen from being good; the libraries' own options (positions, "
        f"unbiased) are run where clicks go by position alone. Seeds from {first['first_seed']}; what is new was made "
        "on others.\n"
    )
    yield f"| logging, clicks, seeds | {' | '.join(ORDER)} | automatic − naive (± error) | chosen |"
    yield f"|---|{'---:|' * (len(ORDER) + 1)}---|"
    for row in rows:
        cells = [f"{row['ndcg'][name]:.3f}" if name in row["ndcg"] else "" for name in ORDER]
        sure = f" ± {row['gain_error']:.3f}" if row["gain_error"] is not None else ""
        cells += [f"{row['gain']:+.3f}{sure}", ", ".join(dict.fromkeys(row["chosen"]))]
        share = f" + {row['explored']:.0%} random" if row.get("explored") else ""
        yield f"| {row['logging']}{share}, {row['clicks']}, {row['seeds']} | {' | '.join(cells)} |"
    yield ""


def real(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"trivago ({found['lists']:,} lists with a click-out, {found['rows_at_several_places']:.0%} of rows are of "
        "hotels seen at several places):\n"
    )
    yield "| place | 1 | 2 | 3 | 4 | 5 | 6 |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    yield f"| click rate | {' | '.join(f'{value:.2f}' for value in found['click_rate'])} |"
    for method, seen in found["seen"].items():
        cells = [f"{s:.2f} ± {e:.2f}" for s, e in zip(seen, found["error"][method], strict=True)]
        yield f"| seen, {method} | {' | '.join(cells)} |"
    best = ", ".join(f"{name} {values[0]:.4f}" for name, values in found["models"].items())
    yield (
        f"\nLog-likelihood a row on later days: {best}. Only lists with a click-out are in the log, one each, so "
        "a model that knows the click above knows that none follows: here it says little of how lists are read.\n"
    )


def open_bandit(found: dict[str, Any]) -> Iterator[str]:
    yield (
        f"Open Bandit ({found['rows']:,} recommendations at three places, all drawn evenly, "
        f"{sum(found['clicks'])} clicks; {found['rows_at_several_places']:.0%} of rows are of products seen at several "
        "places):\n"
    )
    yield "| place | 1 | 2 | 3 |"
    yield "|---|---:|---:|---:|"
    yield f"| clicks | {' | '.join(map(str, found['clicks']))} |"
    cells = [f"{seen:.2f} ± {error:.2f}" for seen, error in zip(found["seen"], found["error"], strict=True)]
    yield f"| seen, logged lots | {' | '.join(cells)} |"
    answer = f"refused: {'; '.join(found['problems'])}" if found["problems"] else "the log can tell"
    best = ", ".join(f"{name} {values[0]:.5f}" for name, values in found["models"].items())
    yield (
        f"\nThe check that comes first: {answer}. Log-likelihood a row on later days: {best}: with so few clicks no "
        "model beats the click rate by place. Training by `automatic` is naive here.\n"
    )


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {"clicks": clicks}
