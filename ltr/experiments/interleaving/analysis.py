"""Which ranker do shoppers like better in lists that mix them? Balance first, then credit, segments, a verdict."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from ltr.experiments.columns import Columns
from ltr.experiments.estimates import mean_of
from ltr.experiments.interleaving.preference import (
    Preference,
    corrected,
    couples,
    preferences,
    segment_preferences,
)
from ltr.experiments.interleaving.settings import InterleaveSettings
from ltr.experiments.interleaving.shown_lists import ShownLists, of_served_log, read_shown
from ltr.experiments.looks import Looks
from ltr.experiments.outcome import Bar, Check, Outcome, Says, State, Table, failed, refused

TITLE = "Interleaving"
UNBALANCED = 0.001
ASSUMPTIONS = (
    "Clicks at random prefer no ranker: the draft gives each the same chances at every place. Refuted by: the balance "
    "of credits that were on offer, clicked or not.",
    "A shopper does not notice that lists are mixed, and clicks an item for itself, not for its neighbours.",
    "Lists of one unit may depend on each other, units do not.",
    "It tells which ranker is preferred, not by how much CTR or GMV would rise: that takes an A/B test.",
)


def analyse_interleaving(settings: InterleaveSettings, table: Columns | None = None) -> Outcome:
    """yes: the second ranker named is preferred to the first, of more: one of them; no: none is. All pairs are told."""
    if table is None and settings.data.is_dir():
        settings, table = of_served_log(settings)
    shown = read_shown(settings, table or Columns.read(settings.data))
    checks = balance(shown)
    units = {"all": int(shown.unit.max()) + 1}
    if failed(checks):
        return refused("interleave", TITLE, checks, assumptions=ASSUMPTIONS, figures={"units": units})
    looks = settings.shared_by(len(couples(shown)))
    main = preferences(settings, shown, settings.credit, looks)
    others = [
        f for act in shown.acts if act != settings.credit for f in preferences(settings, shown, act, Looks())
    ]
    others = corrected(others, settings.level)
    segments = segment_preferences(settings, shown)
    tables = [_table(settings, looks, [*main, *others])]
    if segments:
        title = f"By segment, credit by {settings.credit}"
        words = "Explored, not decided: p is Holm's over all segments."
        tables.append(_rows(title, "segment", [f for *_, f in segments], words))
    figures: dict[str, Any] = {
        "units": units,
        "lists": len(shown.starts),
        "reading": looks.in_words,
        "metrics": [{"metric": settings.credit, **f.figures} for f in main],
        "others": [{"metric": f.of, **f.figures} for f in others],
        "segments": [{"column": c, "segment": name, **f.figures} for c, name, f in segments],
    }
    shared: dict[str, Any] = {"assumptions": ASSUMPTIONS, "tables": tables, "figures": figures}
    if not any(found.judged for found in main):
        return refused("interleave", TITLE, [*checks, Check("preferences", "FAIL", main[0].says)], **shared)
    says, verdict = _verdict(settings, looks, main)
    bars = [
        Bar(f"{f.b} over {f.a}", f.estimate.value, f.reading.low, f.reading.high) for f in main if f.judged
    ]
    title = f"credit by {settings.credit} per list"
    return Outcome("interleave", TITLE, says, verdict, checks, bars=bars, bars_title=title, **shared)


def balance(shown: ShownLists) -> list[Check]:
    """The credit on offer at each place, clicked or not, must be even between rankers."""
    worst, evidence = 1.0, "no place offers credit"
    tests = 0
    for a, b in itertools.combinations(range(len(shown.rankers)), 2):
        offered = shown.credit[:, b] - shown.credit[:, a]
        for place in range(int(shown.place.max()) + 1):
            here = offered[shown.place == place]
            if len(here) < 2 or not here.std() > 0:
                continue
            tests += 1
            p_value = mean_of(here).p_value
            if p_value <= worst:
                worst = p_value
                more = f"{shown.rankers[b]} {here.mean():+.3f} more than {shown.rankers[a]}"
                evidence = f"place {place + 1} offers {more}"
    worst = min(1.0, worst * max(tests, 1))
    state: State = "FAIL" if worst < UNBALANCED else "PASS"
    meaning = "the lists were not drawn as the method says" if state == "FAIL" else "chance"
    return [Check("balance", state, f"at most, {evidence} (p = {worst:.2g} over {tests} places): {meaning}")]


def _verdict(settings: InterleaveSettings, looks: Looks, main: Sequence[Preference]) -> tuple[Says, str]:
    if len(main) > 1:
        seen = [f"{f.says} ({f.a}, {f.b})" for f in main if f.decided]
        if not (seen or looks.final):
            return "cannot", f"By {settings.credit}: not decided yet. Go on as planned."
        better = any(f.decided and f.a == main[0].a and f.estimate.value > 0 for f in main)
        return ("yes" if better else "no"), (
            f"By {settings.credit}: " + ("; ".join(seen) or "no preference seen") + "."
        )
    found = main[0]
    if not (found.decided or looks.final):
        return "cannot", f"Not decided yet by {settings.credit}: {found.in_words}. Go on as planned."
    says: Says = "yes" if found.decided and found.estimate.value > 0 else "no"
    return says, f"{found.says} by {settings.credit}: {found.in_words}."


def _table(settings: InterleaveSettings, looks: Looks, found: Sequence[Preference]) -> Table:
    words = (
        f"{settings.credit} decides, read at {looks.in_words}. Credit of the second ranker less the first's; places "
        "that all rankers share at the top carry none."
    )
    return _rows("Preferences", "credit by", found, words)


def _rows(title: str, first: str, found: Sequence[Preference], words: str) -> Table:
    columns = [first, "pair", "lists", "first wins", "second wins", "ties"]
    columns += ["credit per list", "interval", "p (Holm)", ""]
    rows: list[list[object]] = []
    for f in found:
        interval = f"{f.reading.low:.4g} to {f.reading.high:.4g}" if f.judged else "–"
        won = [f.lists, f.wins_a, f.wins_b, f.lists - f.wins_a - f.wins_b]
        rows.append([f.of, f"{f.a}, {f.b}", *won, f.estimate.value, interval, round(f.p, 4), f.says])
    return Table(title, columns, rows, words)
