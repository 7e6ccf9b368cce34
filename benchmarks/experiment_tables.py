"""The tables of experiments: false alarms, power, coverage, and two real logs, from their figures to Markdown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.behaviour_tables import gained

WAYS = {"probabilistic": "mixed probabilistically", "swaps": "swapped by neighbours"}


def experiments(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Experiments: how far their tests can be trusted\n"
    yield (
        "Made-up shops whose truth is known. False alarms of 5 % are asked for; ± is a binomial standard error. A/B "
        "tests are random splits of 3,000 visitors; interleaving is of 100 lists, clicked by visitors who go for what "
        "is good, from rankers of which none is better; of surveys four sessions of ten answer, more of the pleased "
        "and of the angry.\n"
    )
    yield "| test without a difference | 2,000 runs | 20,000 |"
    yield "|---|---:|---:|"
    for row in found["false_alarms"]:
        yield f"| {row['test']} | {_of(row['runs_2000'], 2000)} | {_of(row['runs_20000'], 20_000)} |"
    yield "\n| 20 looks at one A/A test | false alarms |"
    yield "|---|---:|"
    yield from (f"| {name} | {share:.1%} |" for name, share in found["false_alarms_under_20_looks"].items())
    yield "\n| plan | planned power | realised |"
    yield "|---|---:|---:|"
    yield from (f"| {row['plan']} | {row['planned']:.0%} | {row['realised']:.1%} |" for row in found["plans"])
    fell = "; ".join(f"{row['variance_fell']:.1%} at ρ² = {row['rho_squared']:.0%}" for row in found["cuped"])
    yield f"\nCUPED takes out {fell} of the variance.\n"
    yield from off_policy(found["off_policy"])
    yield from served_logs(found["served_logs"])
    yield from gaps(found["gaps"])
    if "open_bandit" in found:
        yield from real_logs(found)


def off_policy(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield "Off-policy, 500 logs of 1,000 rows: root mean square error over SNIPS's, and coverage of 95 % intervals.\n"
    names = list(rows[0]["error_over_snips"])
    yield f"| shop, reward model | {' | '.join(names)} |"
    yield f"|---|{'---:|' * len(names)}"
    for row in rows:
        cells = [f"{row['error_over_snips'][name]:.2f}, {row['coverage'][name]:.1%}" for name in names]
        yield f"| {row['shop']}, {row['reward_model']} | {' | '.join(cells)} |"


def served_logs(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        "\nOff-policy from a server's log, 500 replays each: coverage of 95 % intervals of the new ranker's own lists, "
        "their truth a sum over all that can be shown. The first column decides.\n"
    )
    names = list(dict.fromkeys(name for row in rows for name in row["coverage"]))
    yield f"| lists were | lists | {' | '.join(names)} | refused |"
    yield f"|---|---:|{'---:|' * len(names)}---:|"
    for row in rows:
        cells = [
            _of(share, 500 - row["refused"], 1) if (share := row["coverage"].get(name)) else ""
            for name in names
        ]
        yield f"| {WAYS[row['way']]} | {row['lists']:,} | {' | '.join(cells)} | {row['refused']} of 500 |"


def gaps(rows: list[dict[str, Any]]) -> Iterator[str]:
    yield (
        "\nA gap: for a share of the searches the log could not have shown what the new ranker would. How often such a "
        "log is let through (50 logs each), by mean weights alone and with the rankings that the log tells:\n"
    )
    yield "| lists were | lists | gap | by mean weights | with the rankings |"
    yield "|---|---:|---:|---:|---:|"
    for row in rows:
        passes = f"{row['passes_mean_weights']:.0%} | {row['passes']:.0%}"
        yield f"| {WAYS[row['way']]} | {row['lists']:,} | {row['gap']:.0%} | {passes} |"


def _of(share: float, runs: int, digits: int = 2) -> str:
    """With its binomial standard error."""
    error = (share * (1 - share) / max(runs, 1)) ** 0.5
    return f"{share:.{digits}%} ± {error:.{digits}%}"


def real_logs(found: dict[str, Any]) -> Iterator[str]:
    yield f"\n- Cookie Cats (A/B of 90,189 players): {found['cookie_cats']['verdict']}"
    for people, seen in found["open_bandit"].items():
        truth = seen["figures"].get("truth")
        own = (
            f" The random policy's own log: {truth['value']:.4f} ± {1.96 * truth['error']:.4f}."
            if truth
            else ""
        )
        yield f"- Open Bandit, {people}, log of bts, asked about random: {seen['verdict']}{own}"
    yield ""


def offline_online(found: dict[str, Any]) -> Iterator[str]:
    yield "\n## Offline against online: what to trust\n"
    yield (
        "Simulated people of the demo shop, whose exact chances of a click are known; 20 pairs of rankers of graded "
        "quality. A way is right where its difference has the sign of the true lift in clicks per list (lifts below "
        "2 % are ties and left out there); sure where its own 95 % interval leaves out 0. Experiments of 3,000 "
        "sessions. Off-policy is asked about lists that the new ranker would draw, and their own lift; `says` counts "
        "what it did not refuse.\n"
    )
    for world in found["worlds"]:
        low, high = min(world["lifts"]), max(world["lifts"])
        yield f"People look by {world['examination']}; true lifts from {low:+.1%} to {high:+.1%}:\n"
        yield "| way | says | Kendall's τ | correlation | right side | sure | sure and wrong |"
        yield "|---|---:|---:|---:|---:|---:|---:|"
        for way in world["ways"]:
            known = [f"{way[name]:.2f}" if way[name] is not None else "" for name in ("tau", "correlation")]
            right = f"{way['right_side']} of {way['clear_pairs']}"
            yield (
                f"| {way['way']} | {way['says']} | {' | '.join(known)} | {right} | {way['sure']} "
                f"| {way['sure_and_wrong']} |"
            )
        saved = world["interleaving_saves"]
        yield (
            f"\nInterleaving (team draft) needs {saved['pooled']:.1f} times fewer sessions than an A/B test for the "
            f"same power (pooled over {saved['pairs']} pairs; median {saved['median']:.1f}).\n"
        )


def recommendation(found: dict[str, Any]) -> Iterator[str]:
    shop, hm = found["yoochoose"], found["hm"]
    yield "\n## Recommendation: what comes next\n"
    yield (
        f"Click sessions of a shop, {shop['steps']} steps of the test day, beside the stored answers of four published "
        "systems to the same steps; `ranked` is a LambdaMART over the rules' candidates, chosen and learnt on earlier "
        "days. Differences are paired by step.\n"
    )
    yield "| way | HR@20 | MRR@20 | ranked is better by [95 %] |"
    yield "|---|---:|---:|---:|"
    yield from (_way(line, "HR@20", "MRR@20") for line in shop["lines"])
    every = "; ".join(f"{line['way']} {line['HR@20']:.3f}" for line in shop["all"])
    yield f"\nOn all {shop['all_steps']:,} steps of that day, HR@20: {every}.\n"
    best = max(hm["lines"], key=lambda line: line["recall@20"])
    beaten = [line["way"] for line in hm["lines"] if line["interval"][0] > 0]
    yield (
        f"H&M: what {hm['customers']:,} customers bought in each of the last {hm['months']} times 28 days "
        f"({hm['customer_months']:,} customer-months), from all that was bought before; lists that are too short end "
        f"with what is popular (half-life {hm['half_life_days']:g} days, the best of 7, 30, 90 and 365 on the months "
        f"before). The rules found {min(hm['learned_from'])} to {max(hm['learned_from'])} purchases "
        "for the ranker to learn from; with fewer than 200 the rule that found most of them leads. Intervals by "
        f"customer. Best: {best['way']}. Popularity is beaten beyond noise by "
        f"{', '.join(beaten) if beaten else 'nothing here'}.\n"
    )
    yield "| way | recall@20 | better than popularity by [95 %] |"
    yield "|---|---:|---:|"
    for line in hm["lines"]:
        apart = gained(line["better_than_popularity_by"], line["interval"])
        yield f"| {line['way']} | {line['recall@20']:.4f} | {apart if line['way'] != 'popularity' else ''} |"
    yield ""


def _way(line: dict[str, Any], *measures: str) -> str:
    apart = (
        ""
        if line["way"] == "ranked"
        else "{:+.3f} [{:+.3f}, {:+.3f}]".format(line["ranked_better_by"], *(line["interval"] or (0.0, 0.0)))
    )
    return f"| {line['way']} | {' | '.join(f'{line[name]:.3f}' for name in measures)} | {apart} |"


SECTIONS: dict[str, Callable[[dict[str, Any]], Iterator[str]]] = {
    "experiments": experiments,
    "offline_online": offline_online,
    "recommendation": recommendation,
}
