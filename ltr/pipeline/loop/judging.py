"""Old against new, from what shoppers saw and clicked, wherever they shopped."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from ltr.experiments import AbSettings, Columns, InterleaveSettings, Outcome, analyse_ab, analyse_interleaving

_IN_MEMORY = Path("simulated")  # the settings ask for a file; the table itself is handed over


def judge_interleaved(rows: pl.DataFrame) -> Outcome:
    """rows: list, position, person, team (old or new), rank_old, rank_new, click; a row a product of a mixed list."""
    asked = InterleaveSettings(
        data=_IN_MEMORY,
        list="list",
        position="position",
        rank=("old=rank_old", "new=rank_new"),
        method="team-draft",
        team="team",
        click="click",
        unit="person",
    )
    return analyse_interleaving(asked, Columns(rows, "interleaved lists"))


def judge_arms(rows: pl.DataFrame) -> Outcome:
    """rows: list, arm (old or new), person, click (how many); a row a list, or a product. Clicks a list
    decide."""
    by_list = rows.group_by("list", maintain_order=True)
    lists = by_list.agg(pl.col("arm", "person").first(), clicks=pl.col("click").sum(), lists=pl.lit(1.0))
    asked = AbSettings(
        data=_IN_MEMORY, arm="arm", unit="person", metric=("clicks a list=clicks/lists",), control="old"
    )
    return analyse_ab(asked, Columns(lists, "A/B test"))
