"""python -m ltr.judge_next --run RUN [--against OTHER] --count 50 --out next.csv

Which products to judge next: of those that a run shows and nobody has judged, the ones whose grades would move its
nDCG, or its difference to another run's, the most. The CSV has an empty column `grade`; filled in, it is read as
judgements like any other file of them (ltr.evaluate --judgements, or data.judgements of a config).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ltr.config import command_line, output

if TYPE_CHECKING:
    import polars as pl


def main(argv: Sequence[str] | None = None) -> pl.DataFrame:
    arguments = command_line.parser(__doc__, config=False, json=True)
    arguments.add_argument("--run", type=Path, required=True, help="a folder that ltr.train wrote")
    arguments.add_argument("--against", type=Path, help="another run over the same queries")
    arguments.add_argument("--count", type=int, default=50, help="how many products; default: 50")
    arguments.add_argument("--out", type=Path, help="the CSV to write")
    given = command_line.read_given(arguments, argv)
    if given.against and given.against.resolve() == given.run.resolve():
        cure = "name another, or leave it out for the run's own figure"
        raise command_line.misuse("another run than --run, for --against", "the same", cure)
    if given.out and given.out.suffix != ".csv":
        raise command_line.misuse("a name that ends in .csv, for --out", repr(given.out.name), "rename it")

    from features.disk import write_whole
    from ltr.runs.judging import next_to_judge

    found = next_to_judge(given.run, given.against, given.count)
    if given.out:
        write_whole(given.out, found.write_csv())
        output.say(f"wrote: {found.height:,} products to {given.out}; fill in their grades")
    if given.json:
        output.write_json(found.to_dicts())
    elif not given.out and found.height:
        output.show("to judge next", found.columns, found.rows())
    if found.height < given.count:
        others = "what they show alike" if given.against else "what stands too low"
        output.say(
            f"{found.height:,} products are all whose grades would tell: the others are judged, or {others}"
        )
    return found


if __name__ == "__main__":
    command_line.run(main)
