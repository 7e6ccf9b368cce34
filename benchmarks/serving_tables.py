"""The tables of the server under load, from their results' figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def serving(found: dict[str, Any]) -> Iterator[str]:
    shares = " / ".join(map(str, found["milliseconds_at"]))
    yield "\n## The server under load\n"
    yield (
        f"`ltr.serve` on one core over loopback; milliseconds at p{shares} by the clock, and processor milliseconds a "
        "request. The clock says what the machine gave with its other work; what can be compared is the ratio to the "
        "bare `predict` of the same rows, in turns on the same core. At fixed rates time runs from when a request was "
        "due. Where a text encoder is named, no query's words were asked before; else there is none.\n"
    )
    for name, shop in found["shops"].items():
        yield (
            f"**{name}**: {shop['products']:,} products, {shop['candidates']:g} candidates, {shop['features']} "
            f"features; capacity {shop['capacity_per_second']:g} searches a second on one core "
            f"(`{shop['command']}`, load {shop['load']:g})\n"
        )
        yield "| what | milliseconds | processor, ms | p99 over bare predict's | processor over bare predict's |"
        yield "|---|---:|---:|---:|---:|"
        bare = shop["measured"]["bare predict"]
        for what, one in shop["measured"].items():
            clock = " / ".join(f"{value:.1f}" for value in one["clock"])
            processor = one.get("processor")
            ratio = "" if processor is None else f"{processor / bare['processor']:.1f}"
            used = "" if processor is None else f"{processor:.2f}"
            yield f"| {what} | {clock} | {used} | {one['clock'][2] / bare['clock'][2]:.1f} | {ratio} |"
        yield ""
    published = found["published_by_metarank"]
    yield (
        f'For comparison only, theirs and from another machine: Metarank\'s documentation says "{published["says"]}" '
        f"({published['source']}); the row to hold it against is `rerank`.\n"
    )
    if found.get("soak"):
        yield _soak(found["soak"])


def _soak(one: dict[str, Any]) -> str:
    statuses = ", ".join(f"{count:,} {status}" for status, count in one["statuses"].items())
    malformed = ", ".join(f"{count:,} {status}" for status, count in one["malformed"].items())
    memory = one["memory_mib"]
    return (
        f"Soak on {one['shop']}: {one['minutes']:g} minutes at {one['rate_per_second']:g} searches a second, "
        f"{one['swaps']} changes of runs, {one['killed_clients']:,} clients killed half-way: searches answered "
        f"{statuses}; malformed bodies answered {malformed}; memory {memory['after_a_tenth']:,} MiB after a tenth, "
        f"{memory['at_the_end']:,} MiB at the end (most: {memory['most']:,}). The rate is 70 % of what was found just "
        f"before (`{one['command']}`, load {one['load']:g}). {_verdict(one)}"
    )


def _verdict(one: dict[str, Any]) -> str:
    """Passed where every search was answered, and every malformed body was refused as the client's fault."""
    bad = {what: count for what, count in one["statuses"].items() if what not in ("200", "degraded")}
    faults = [what for what in one["malformed"] if not what.startswith("4")]
    if not bad and not faults:
        return "**Passed**: no error that is not the client's."
    return "**Not passed**: searches were refused or broke off unanswered, and causes were not followed up."


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {"serving": serving}
