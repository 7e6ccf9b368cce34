"""The tables of one request and of the build at scale, from their results' figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def request(found: dict[str, Any]) -> Iterator[str]:
    shops, shares = found["shops"], found["milliseconds_at"]
    yield "\n## One request\n"
    yield (
        f"Warm, one core, 100 candidates; milliseconds at p{' / p'.join(map(str, shares))} of the requests; the floor "
        "is the query through `SentenceTransformer.encode` and the booster's own `predict` on the same matrix.\n"
    )
    sizes = [f"{name} ({shop['products']:,} products)" for name, shop in shops.items()]
    yield "| stage | " + " | ".join(sizes) + " |"
    yield "|---|" + "---:|" * len(sizes)
    for stage in dict.fromkeys(stage for shop in shops.values() for stage in shop["stages"]):
        cells = [
            " / ".join(f"{value:.2f}" for value in shop["stages"].get(stage, ())) for shop in shops.values()
        ]
        yield f"| {stage} | " + " | ".join(cells) + " |"
    opened = [f"{shop['index_seconds']:.1f} s / {shop['open_seconds']:.2f} s" for shop in shops.values()]
    yield "| index made / opened | " + " | ".join(opened) + " |"


def build_scale(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Building tables at scale\n"
    yield f"Slope of log time in log pairs: {found['slope']}. `old`: another checkout in the same run.\n"
    yield "| million pairs | code | products | features | index, s | pairs, s | pairs/s | peak, MiB |"
    yield "|---:|---|---:|---:|---:|---:|---:|---:|"
    for size, by_code in found["millions_of_pairs"].items():
        for code, one in by_code.items():
            yield (
                f"| {size} | {code} | {one['products']:,} | {one['features']} | {one['index_seconds']} "
                f"| {one['pairs_seconds']} | {one['pairs_a_second']:,} | {one['peak_memory_mib']:,} |"
            )


def train_overhead_scale(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## What of training at scale is not the fit\n"
    yield (
        f"{found['millions_of_pairs']:g} million made-up pairs × {found['features']} features from svmlight files, one "
        "model of 100 trees, one thread, so processor seconds; `old`: another checkout in the same run.\n"
    )
    yield "| code | whole | reading | fit | left | left, of left and fit | nDCG@10 | peak, MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for code, one in found["checkouts"].items():
        seconds = " | ".join(f"{one[f'{stage}_cpu']:.1f} s" for stage in ("whole", "reading", "fit", "left"))
        share, headline = one["share_not_fit_without_reading"], one["headline"]
        yield f"| {code} | {seconds} | {share:.0%} | {headline:.4f} | {one['peak_memory_mib']:,.0f} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "request": request,
    "build_scale": build_scale,
    "build_scale_vectors": build_scale,
    "train_overhead_scale": train_overhead_scale,
}
