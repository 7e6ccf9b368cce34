"""One page of results before the long tables: the quality table, a line for each speed, and where the rest stands."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ltr.evaluation.notation import difference, figure

Results = Callable[[str], dict[str, Any] | None]


def overview(results: Results, headlines: Iterable[str], tables: Iterable[str]) -> Iterator[str]:
    """tables: the lines of all sections, whose headings are linked to."""
    yield "\n## Results on one page"
    yield from headlines
    for line in (photos(results), training(results), measures(results), texts(results), change(results)):
        if line:
            yield f"- {line}"
    yield "\nAll tables, each with its command, date, machine and versions:\n"
    for heading in (line.strip().removeprefix("## ") for line in tables if line.lstrip().startswith("## ")):
        yield f"- [{heading}](#{anchor(heading)})"


def anchor(heading: str) -> str:
    """As GitHub makes it: lower case, blanks to hyphens, of other signs only hyphens and underscores kept."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def photos(results: Results) -> str | None:
    found = results("photos")
    if found is None:
        return None
    gains = []
    for booster, tests in found["text_queries"].items():
        test = tests["all"]
        gains.append(f"{difference(test)} with {booster} (p = {figure(test['p_value'], 4)})")
    return f"photos on {test['queries']} text queries of a fashion shop, nDCG@10: {'; '.join(gains)}"


def training(results: Results) -> str | None:
    found = results("training_overhead")
    if found is None:
        return None
    ratios = (f"{ratio['median']:.3f} ({name})" for name, ratio in found["ratio_to_bare_library"].items())
    return f"fitting by `ltr.train` over the bare library's call: {', '.join(ratios)}"


def measures(results: Results) -> str | None:
    found = results("metrics_speed")
    if found is None:
        return None
    size = found["sizes"][-1]
    return (
        f"measures of {size['rows']:,} rows: {size['times_faster_than_ranx']:g} times as fast as ranx, "
        f"{size['times_faster_than_pytrec_eval']:g} times as pytrec_eval, each from its own ready structures"
    )


def texts(results: Results) -> str | None:
    found = results("text_speed")
    if found is None:
        return None
    steps = {"int8": "+ int8", "static vectors": "static"}
    fastest = ", ".join(
        f"{found['speed']['steps'][step]['times_default']:g} by {name}" for name, step in steps.items()
    )
    return f"texts encoded, times the speed of `SentenceTransformer.encode`: {fastest}; what each costs stands below"


def change(results: Results) -> str | None:
    found = results("incremental")
    if found is None:
        return None
    return (
        f"a build after {found['changed']['products']:,} of {found['products']:,} products changed: "
        f"{found['ratio']:.1%} of the first build's time"
    )
