"""The tables of how quickly photos and texts are encoded, from their results' figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ltr.evaluation.notation import signed


def text_speed(found: dict[str, Any]) -> Iterator[str]:
    run, sets = found["speed"], found["quality"]
    yield "\n## Text encoding\n"
    yield (
        f"{run['texts']:,} titles with descriptions ({run['distinct']:,} distinct), {found['threads']} threads; the "
        f"default `SentenceTransformer.encode` reads {run['default_texts_per_s']:g} a second. Cosine: to its vectors. "
        f"nDCG@10: difference to float32, of the text cosine / of LightGBM with all features.\n"
    )
    yield "| step | texts/s | times the default | times the step before | cosine | " + " | ".join(sets) + " |"
    yield "|---|---:|---:|---:|---:|" + "---:|" * len(sets)
    for step, row in run["steps"].items():
        speeds = f"{row['texts_per_s']:,g} | {row['times_default']:.2f} | {row['times_step_before']:.2f}"
        losses = " | ".join(nearness(figures, step) for figures in sets.values())
        yield f"| {step} | {speeds} | {row.get('cosine', '')} | {losses} |"


def nearness(figures: dict[str, Any], step: str) -> str:
    """Differences of nDCG to float32; nothing where the step gives the same vectors."""
    rows = [system.get(step, {}) for system in figures.values()]
    return " / ".join(signed(row["difference"]) for row in rows if "difference" in row)


def image_speed(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Image encoding\n"
    yield (
        f"Photos loaded by workers ahead of the network over a plain loop of decode, shrink, forward; equal vectors "
        f"checked first, {found['threads']} threads of torch, {found['turns']} turns.\n"
    )
    yield "| photos | network | photos/s | plain loop | ratio (lowest to highest) | network busy |"
    yield "|---|---|---:|---:|---:|---:|"
    for row in found["rows"]:
        ratio = f"{row['ratio']:.2f} ({row['lowest']:.2f} to {row['highest']:.2f})"
        rates = f"{row['photos_per_s']:,.0f} | {row['plain_photos_per_s']:,.0f}"
        photos = f"{row['count']:,} of {row['photos']}"
        yield f"| {photos} | {row['network']} | {rates} | {ratio} | {row['network_busy']:.0%} |"
    yield "\nPhotos decoded and shrunk a second without a network:\n"
    for size, rates in found["workers_alone"].items():
        yield f"- {size}: " + ", ".join(f"{name} {rate:,.0f}" for name, rate in rates.items())


def incremental(found: dict[str, Any]) -> Iterator[str]:
    builds = [found[f"{name}_build"] for name in ("first", "changed", "unchanged")]
    yield "\n## A build after a change\n"
    yield (
        f"{found['products']:,} products and {found['pairs']:,} pairs of `{found['config']}`; of "
        f"{found['changed']['products']:,} products the title and the photo are new: {builds[1]['encoded']:,} items "
        f"encoded, in {found['ratio']:.1%} of the first build's time. Seconds of whole processes, by stage:\n"
    )
    yield "| stage | first build | after the change | nothing changed |\n|---|---:|---:|---:|"
    for stage in dict.fromkeys(stage for build in builds for stage in build["stages"]):
        yield f"| {stage} | {cells(build['stages'].get(stage, 0) for build in builds)} |"
    yield f"| **all** | {cells(build['seconds'] for build in builds)} |"


def cells(seconds: Iterable[float]) -> str:
    return " | ".join(f"{value:.1f}" for value in seconds)


def device_encoding(found: dict[str, Any]) -> Iterator[str]:
    peaks = ", ".join(f"{name} {peak:g}" for name, peak in found["matrix_peak_tflops"].items())
    yield f"\n## Encoding on {found['device']}\n"
    yield (
        f"Peak of products of large matrices, measured in the same run: {peaks} TFLOP/s. Alone: the batch lies on the "
        f"device. Cosine: the lowest to the CPU's vectors in float32.\n"
    )
    yield "| network | precision | best batch | alone, items/s | share of peak | as encoded, items/s | cosine |"
    yield "|---|---|---:|---:|---:|---:|---:|"
    for row in found["rows"]:
        alone = f"{row['alone_per_s'][str(row['best_batch'])]:,.0f} | {row['share_of_peak']:.0%}"
        yield (
            f"| {row['network']} | {row['precision']} | {row['best_batch']} | {alone} "
            f"| {row['as_encoded_per_s']:,.0f} | {row['lowest_cosine_to_cpu']:.5f} |"
        )


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "text_speed": text_speed,
    "image_speed": image_speed,
    "incremental": incremental,
    "device_encoding": device_encoding,
}
