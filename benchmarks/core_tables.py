"""The tables of one request and of the build at scale, from their results' figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any


def request(found: dict[str, Any]) -> Iterator[str]:
    shares = " / ".join(map(str, found["milliseconds_at"]))
    yield "\n## One request\n"
    yield (
        f"Warm, one core, some 100 candidates; milliseconds at p{shares} of the requests by the clock, each the median "
        f"of three turns, and in brackets the p50 of processor time (load of the machine {found['load']:.0f}). “Every "
        "turn” is the whole request as it was clocked each time, whatever else the machine did. "
        "The floor is the query through `SentenceTransformer.encode` and the booster's own `predict` on the same "
        "matrix.\n"
    )
    columns = {
        f"{name} ({one['products']:,} products), {runtime}": one
        for name, by_runtime in found["shops"].items()
        for runtime, one in by_runtime.items()
    }
    yield "| stage | " + " | ".join(columns) + " |"
    yield "|---|" + "---:|" * len(columns)
    for stage in dict.fromkeys(stage for one in columns.values() for stage in one["stages"]):
        yield f"| {stage} | " + " | ".join(_cell(one, stage) for one in columns.values()) + " |"
    halves = [_share(one["processor"]) for one in columns.values()]
    yield "| ours, share of the floor (processor, p50) | " + " | ".join(halves) + " |"
    yield "| candidates | " + " | ".join(f"{one['candidates']:.0f}" for one in columns.values()) + " |"
    opened = [f"{one['open_seconds']:.2f} s" for one in columns.values()]
    yield "| index opened | " + " | ".join(opened) + " |"


def _cell(one: dict[str, Any], stage: str) -> str:
    if stage not in one["stages"]:
        return ""
    clock = " / ".join(f"{value:.1f}" for value in one["stages"][stage])
    return f"{clock} [{one['processor'][stage][0]:.1f}]"


def _share(processor: dict[str, list[float]]) -> str:
    ours = next(values[0] for stage, values in processor.items() if stage.startswith("ours"))
    return f"{ours / processor['floor'][0]:.2f}"


def index_opening(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Opening an index\n"
    yield (
        "An index kept on disk, opened in a process of its own; the median of five times, by the clock (machine loaded "
        "by other work) and by processor time, which that does not lengthen. Every byte of it is read, for its sums.\n"
    )
    yield "| million products | index of | MiB | made, s | opened, s | processor | sums | columns | first query |"
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for row in found["rows"]:
        yield (
            f"| {row['millions']:g} | {row['index']} | {row['mebibytes']:,} | {row['made_seconds']:.0f} "
            f"| {row['seconds']:.2f} | {row['processor']:.2f} | {row['processor_sums']:.2f} "
            f"| {row['processor_columns']:.2f} | {row['first_query']:.2f} |"
        )


def index_changes(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Changing an index\n"
    yield (
        "1 % of the products changed (a third gone, a third with another title and photo, a third new): processor "
        "seconds of the index of what is there now, anew / changed, median of each stage; vectors come from the cache. "
        f"Load of the machine: {found['load']:.1f}, this one counted. What hangs on one product alone is read of what "
        "changed; frequencies, probes and searches are of the whole catalogue. The arrays are equal to the bit; "
        "searches among more than 100,000 vectors keep their cells.\n"
    )
    shops = found["shops"]
    yield "| | " + " | ".join(f"{name} ({one['products']:,} products)" for name, one in shops.items()) + " |"
    yield "|---|" + "---:|" * len(shops)
    stages = dict.fromkeys(stage for one in shops.values() for stage in one["seconds"]["anew"])
    for stage in stages:
        cells = [
            f"{one['seconds']['anew'].get(stage, 0):.2f} / {one['seconds']['changed'].get(stage, 0):.2f}"
            for one in shops.values()
        ]
        yield f"| {stage} | " + " | ".join(cells) + " |"
    yield "| changed / anew | " + " | ".join(f"{one['ratio']:.2f}" for one in shops.values()) + " |"
    yield (
        "| same candidates | " + " | ".join(f"{one['same_candidates']:.1%}" for one in shops.values()) + " |"
    )


def build_scale(found: dict[str, Any]) -> Iterator[str]:
    vectors = "--vectors" in found["command"]
    yield f"\n## Building tables at scale{', with vectors' * vectors}\n"
    slopes = "; ".join(
        f"`{code}` {slope['pairs_seconds']} by the clock, {slope['pairs_processor_seconds']} by processor time"
        for code, slope in found["slope"].items()
    )
    yield f"Slope of log time in log pairs: {slopes}. `old`: another checkout in the same run.\n"
    if vectors:
        yield (
            "Products grow with the pairs. Each query is looked up among all products, for the votes of its "
            "neighbours; titles repeat beyond the 43,261 there are, and products of one title share a vector. The "
            "vectors have no structure: the hardest to search. Other work ran on the machine beside this.\n"
        )
    yield "| million pairs | code | products | features | index, s | pairs, s | processor, s | pairs/s | peak, MiB |"
    yield "|---:|---|---:|---:|---:|---:|---:|---:|---:|"
    for size, by_code in found["millions_of_pairs"].items():
        for code, one in by_code.items():
            yield (
                f"| {size} | {code} | {one['products']:,} | {one['features']} | {one['index_seconds']} "
                f"| {one['pairs_seconds']} | {one['pairs_processor_seconds']} "
                f"| {one['pairs_a_second']:,} | {one['peak_memory_mib']:,} |"
            )


def train_overhead_scale(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## What of training at scale is not the fit\n"
    yield (
        f"{found['millions_of_pairs']:g} million made-up pairs × {found['features']} features from svmlight files, "
        f"{found['bags']} x 100 trees, one thread, so processor seconds; `old`: another checkout in the same run.\n"
    )
    yield "| code | whole | reading | fit | left | left, of left and fit | nDCG@10 | peak, MiB |"
    yield "|---|---:|---:|---:|---:|---:|---:|---:|"
    for code, one in found["checkouts"].items():
        seconds = " | ".join(f"{one[f'{stage}_cpu']:.1f} s" for stage in ("whole", "reading", "fit", "left"))
        share, headline = one["share_not_fit_without_reading"], one["headline"]
        yield f"| {code} | {seconds} | {share:.0%} | {headline:.4f} | {one['peak_memory_mib']:,.0f} |"


def retrieval(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Nearest products among very many\n"
    change, lie = found["change"], found["lie"]
    yield (
        f"{found['products']:,} drawn vectors of 384 dimensions, {found['queries']} queries one at a time on one "
        "thread, processor time; the exact scan is a matrix product and a partition by numpy. The search keeps "
        f"{found['search_mib']:,} MiB beside the vectors' own {found['vectors_mib']:,}; it is made in "
        f"{found['make_seconds']:.0f} s, opened in {found['open_seconds']:.2f} s, and answers the first query after "
        f"{found['first_query_seconds']:.2f} s. A hundredth of the vectors replaced: {change['seconds']:.1f} s "
        f"instead of {change['seconds_anew']:.0f} anew, recall@100 {change['changed']['recall']:.4f} after it and "
        f"{change['anew']['recall']:.4f} anew.\n"
    )
    yield "| filter | recall@100 | of the worst query | exact, ms | ours, ms (p95) | times quicker |"
    yield "|---|---:|---:|---:|---:|---:|"
    for one in found["filters"]:
        yield (
            f"| {one['filter']} | {one['recall']:.4f} | {one['least_recall']:.2f} | {one['exact_ms']:.1f} "
            f"| {one['ms'][0]:.1f} ({one['ms'][1]:.1f}) | {one['times_quicker']:.0f} |"
        )
    cosines = ", ".join(f"{value:.2f}" for value in lie["cosine_to_1_10_100_of_a_query"])
    energy = ", ".join(f"{value:.2f}" for value in lie["energy_of_16_32_64_128_axes"])
    yield (
        "\nHow the vectors lie (43,261 of them; in brackets MiniLM's of fashion's titles): the first 16, 32, 64 and "
        f"128 axes hold {energy} of the squared length [.59, .71, .83, .94]; a query's 1st, 10th and 100th neighbour "
        f"have cosines {cosines} [.75, .70, .63]."
    )


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "request": request,
    "build_scale": build_scale,
    "build_scale_vectors": build_scale,
    "index_opening": index_opening,
    "index_changes": index_changes,
    "retrieval": retrieval,
    "train_overhead_scale": train_overhead_scale,
}
