"""What a report is made of: calibration, gains, examples, plots and their words, with known answers."""

from __future__ import annotations

import json
import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import polars as pl
import pytest

from ltr.evaluation.notation import figure, signed
from ltr.evaluation.per_query import EvaluationConfig
from ltr.evaluation.shown import CEILING, ShownLists, measure_shown
from ltr.evaluation.significance import BootstrapConfig
from ltr.evaluation.systems import BEST, Measurement, best_baselines
from ltr.pipeline.robustness import RobustnessPoint
from ltr.reporting import shown_lists
from ltr.reporting.pages import as_markdown
from ltr.reporting.plotting import plots
from ltr.reporting.plotting.drawing import STAND_INS, Plot
from ltr.reporting.plotting.gain_bars import MOST, gain_bars
from ltr.reporting.plotting.plots import Curve, Interval
from ltr.reporting.plotting.report_plots import robustness_plots, shown_ladder_plots
from ltr.reporting.run_page.calibration import Calibration, calibrate
from ltr.reporting.run_page.examples import SHOWN, Candidates, build_examples, choose_queries
from ltr.reporting.run_page.query_gains import MOST_LINES, MOST_PHOTOS, QueryLine, query_gains, query_lines
from ltr.reporting.run_page.report import write_report
from ltr.reporting.thumbnails import thumbnail
from tests.ltr.reporting.report_world import made_report, photo, tuning

BOOTSTRAP = BootstrapConfig(resamples=200)


def graded(grades: np.ndarray) -> pl.DataFrame:
    """Pairs of grades (queries, products)."""
    queries, rows = grades.shape
    ids = {
        "query_id": np.repeat([f"q{i:03d}" for i in range(queries)], rows),
        "product_id": np.tile([f"p{i:03d}" for i in range(rows)], queries),
    }
    return pl.DataFrame({**ids, "grade": grades.ravel().astype(float)})


@pytest.mark.parametrize("scale", [1.0, 1e6])
def test_each_decile_has_the_grade_that_its_place_in_the_list_has(scale: float) -> None:
    """Ten products a query, graded by their place: whatever the query's scale, decile d holds the d-th."""
    grades = np.tile(np.arange(10), (20, 1))
    scores = grades * np.linspace(1, scale, 20)[:, None] + np.linspace(-scale, scale, 20)[:, None]
    found = calibrate(graded(grades), scores.ravel(), BOOTSTRAP)
    assert found is not None
    assert [row["grade"] for row in found.deciles] == pytest.approx(list(range(10)))
    assert [row["low"] for row in found.deciles] == pytest.approx([row["high"] for row in found.deciles])
    assert [row["pairs"] for row in found.deciles] == [20] * 10
    assert found.falls == []


def test_shares_are_of_the_decile_and_in_the_order_of_the_grades() -> None:
    grades = np.tile([0, 0, 0, 0, 0, 1, 1, 1, 2, 2], (20, 1))
    found = calibrate(graded(grades), np.tile(np.arange(10.0), 20), BOOTSTRAP)
    assert found is not None
    assert found.shares == {
        "0": [1.0] * 5 + [0.0] * 5,
        "1": [0.0] * 5 + [1.0] * 3 + [0.0] * 2,
        "2": [0.0] * 8 + [1.0] * 2,
    }


def test_scores_that_rank_the_wrong_way_are_told() -> None:
    grades = np.tile(np.arange(10), (20, 1))
    found = calibrate(graded(grades), -grades.ravel().astype(float), BOOTSTRAP)
    assert found is not None
    assert found.falls == list(range(2, 11))


def test_a_constant_scorer_gains_nothing_from_how_ties_are_broken() -> None:
    grades = np.random.default_rng(0).integers(0, 4, (200, 10))
    found = calibrate(graded(grades), np.zeros(2000), BOOTSTRAP)
    assert found is not None
    standard_error = grades.std() / np.sqrt(200)
    assert all(abs(row["grade"] - grades.mean()) < 4 * standard_error for row in found.deciles)


def test_rows_without_a_score_do_not_count_and_too_few_tell_nothing() -> None:
    grades = np.tile(np.arange(10), (20, 1))
    scores = grades.astype(float)
    scores[10:] = np.nan
    found = calibrate(graded(grades), scores.ravel(), BOOTSTRAP)
    assert found is not None
    assert sum(row["pairs"] for row in found.deciles) == 100
    scores[9:] = np.nan
    assert calibrate(graded(grades), scores.ravel(), BOOTSTRAP) is None


def test_intervals_are_those_of_a_ratio_resampled_by_query() -> None:
    """Against the plain way: draw queries, add up grades and pairs, divide."""
    random = np.random.default_rng(0)
    grades = random.integers(0, 4, (80, 12)) + random.normal(size=(80, 1)).round().clip(0, 2)
    scores = grades + random.normal(size=grades.shape)
    config = BootstrapConfig(resamples=1000)
    found = calibrate(graded(grades), scores.ravel(), config)
    assert found is not None
    z = (scores - scores.mean(axis=1, keepdims=True)) / scores.std(axis=1, keepdims=True)
    decile = np.argsort(np.argsort(z.ravel())).reshape(z.shape) * 10 // z.size
    draws = random.integers(0, 80, (1000, 80))
    for number, row in enumerate(found.deciles):
        inside = decile == number
        sums, counts = (grades * inside).sum(axis=1)[draws], inside.sum(axis=1)[draws]
        low, high = np.quantile(sums.sum(axis=1) / counts.sum(axis=1), [0.025, 0.975])
        assert row["grade"] == pytest.approx(grades[inside].mean())
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.35 * (high - low))


def measured(rows: list[tuple[str, str, str | None, float | None]]) -> Measurement:
    columns = ["system", "query_id", "kind", "nDCG@10"]
    per_query = pl.DataFrame(rows, schema=columns, orient="row")
    best = best_baselines(per_query, "nDCG@10")
    return Measurement(per_query, pl.DataFrame(), pl.DataFrame(), "model", "nDCG@10", best)


def test_each_kind_of_query_has_its_own_best_baseline() -> None:
    values = {
        "t1": ("words", 0.5, 0.1, 0.9),
        "t2": ("words", 0.7, 0.2, 0.4),
        "p1": ("photo", 0.1, 0.6, 0.6 + 1e-15),
        "n1": ("unknown", 0.2, 0.1, 0.3),
        "empty": ("words", None, None, None),
    }
    rows = [
        (system, query, kind, value)
        for query, (kind, *three) in values.items()
        for system, value in zip(("BM25", "photo cosine", "model"), three, strict=True)
    ]
    gains = query_gains(measured(rows))
    assert gains.select("query_id", "baseline").rows() == [
        ("t1", "BM25"),
        ("n1", "BM25"),
        ("p1", "photo cosine"),
        ("t2", "BM25"),
    ]
    assert gains["gain"].to_list() == pytest.approx([0.9 - 0.5, 0.3 - 0.2, 0.0, 0.4 - 0.7])
    assert gains["gain"][2] == 0.0


def many_gains(count: int) -> pl.DataFrame:
    gain = np.linspace(1, -1, count)
    return pl.DataFrame({"query_id": [f"q{i:05d}" for i in range(count)], "gain": gain}).with_columns(
        kind=pl.lit("unknown"), baseline=pl.lit("BM25"), before=0.5, after=0.5 + pl.col("gain") / 2
    )


def test_of_very_many_queries_those_that_moved_least_are_left_out_and_the_page_stays_small(
    tmp_path: Path,
) -> None:
    gains = many_gains(MOST_LINES + 1000)
    asked = gains.select("query_id", text=pl.lit("a query of some seven words or so"))
    lines = query_lines(gains, asked)
    assert len(lines) == MOST_LINES
    assert [line.gain for line in lines] == sorted((line.gain for line in lines), reverse=True)
    assert min(abs(line.gain) for line in lines) >= gains["gain"].abs().sort()[1000 - 1]
    page = made_report()
    write_report(tmp_path, type(page)(**{**vars(page), "gains": lines}))
    assert (tmp_path / "report.html").stat().st_size < 5_000_000


def test_retrieval_is_the_first_rung_of_what_is_shown() -> None:
    """Half of the products of grade 3 are retrieved, whatever the part of the queries."""
    lists = graded(np.tile([0.0, 1, 2, 3, 3], (8, 1))).with_columns(
        retrieved=pl.col("product_id") != "p004", grade=pl.col("grade")
    )
    scores = {"BM25": np.tile(np.arange(5.0), 8), "model": np.tile(np.arange(5.0), 8)}
    queries = pl.DataFrame(
        {
            "query_id": lists["query_id"].unique().sort(),
            "text": [*["words"] * 6, None, None],
            "image": [*[None] * 6, b"photo", b"photo"],
        }
    )
    config = EvaluationConfig(bootstrap=BOOTSTRAP)
    found = measure_shown(ShownLists.of(lists, config), scores, queries, "model")
    drawn = shown_ladder_plots(found)
    assert [plot.title for plot in drawn] == ["all queries", "words", "photo"]
    ceiling = found.summary.filter(system=CEILING, metric="condensed nDCG@10")["mean"][0]
    for plot in drawn:
        assert f"retrieval leaves room up to {figure(ceiling)}" in plot.words
        names = re.sub(r"\s+", " ", " ".join(ElementTree.fromstring(plot.svg).itertext()))
        first, second = names.index("retrieval: recall"), names.index("best order of the")
        assert first < second < names.index("model", second)


def test_a_system_that_reads_some_queries_says_so_where_lists_are_shown() -> None:
    """BM25's mean is of the queries with words, the model's of all: without a word, they look comparable."""
    lists = graded(np.tile([0.0, 1, 2, 3], (8, 1))).with_columns(retrieved=pl.lit(value=True))
    scores = {name: np.tile(np.arange(4.0), 8) for name in ("BM25", "price, low first", "model")}
    words = pl.Series("text", ["words"] * 6 + [None] * 2)
    photos = pl.Series("image", [None] * 6 + [b"photo"] * 2)
    queries = lists.select(pl.col("query_id").unique().sort()).with_columns(words, photos)
    config = EvaluationConfig(bootstrap=BOOTSTRAP)
    measured = measure_shown(ShownLists.of(lists, config), scores, queries, "model")
    everything, *kinds = shown_lists.shown_tables(measured)
    said = {line.system: line.reads for line in everything.lines}
    assert said == {CEILING: "", "BM25": "reads 6 of 8 queries", "price, low first": "", "model": ""} | {
        name: "" for name in said if name == BEST
    }
    assert not any(line.reads for table in kinds for line in table.lines)
    cells = {row[0]: row[-1] for row in shown_lists.test_cells(everything, 0.05)}
    assert cells["BM25"] == "within noise; reads 6 of 8 queries"


def test_photos_of_queries_are_shown_while_they_are_few() -> None:
    for count, shown in ((2, True), (MOST_PHOTOS + 1, False)):
        gains = many_gains(count)
        asked = gains.select("query_id", image=pl.lit(photo()), text=pl.lit(None, pl.String))
        lines = query_lines(gains, asked)
        assert {bool(line.photo) for line in lines} == {shown}
        assert {line.text for line in lines} == {"(photo)"}


@pytest.mark.parametrize(("gain", "outcome"), [(0.1, "won"), (-0.1, "lost"), (0.0, "equal")])
def test_an_outcome_is_a_word(gain: float, outcome: str) -> None:
    assert QueryLine("q", "words", "", "", "BM25", 0.5, 0.5 + gain, gain).outcome == outcome


def test_queries_are_the_most_improved_the_most_harmed_and_a_random_sample_none_twice() -> None:
    chosen = choose_queries(many_gains(40))
    assert [choice.query_id for choice in chosen[:3]] == ["q00000", "q00001", "q00002"]
    assert [choice.query_id for choice in chosen[3:6]] == ["q00039", "q00038", "q00037"]
    assert [choice.why for choice in chosen[6:]] == ["random sample"] * 3
    assert len({choice.query_id for choice in chosen}) == 9
    assert len(choose_queries(many_gains(2))) == 2


def test_a_product_knows_its_place_in_the_other_list() -> None:
    """The model turns a list of ten round: the last is new at the top, the first is gone from what is shown."""
    pairs = graded(np.zeros((1, 10)))
    chosen = choose_queries(many_gains(1).with_columns(query_id=pl.lit("q000")))
    asked = pl.DataFrame({"query_id": ["q000"], "text": ["words"]})
    goods = pl.DataFrame(
        {"product_id": pairs["product_id"], "title": [None, *"bcdefghij"], "price": [1234.5] * 10}
    )
    scores = {"BM25": -np.arange(10.0), "model": np.arange(10.0)}
    judged = Candidates(pairs, scores, {("q000", "p009"): [("price", -0.5)]})
    (example,) = build_examples(chosen, "model", (asked, goods), judged, currency="EUR")
    first, ninth = example.judged.model[0], example.judged.baseline[0]
    assert (first.product_id, first.place, first.elsewhere, first.climbed) == ("p009", 1, 10, 9)
    assert first.only_here
    assert first.reasons == [("price", -0.5)]
    assert (ninth.title, ninth.price, ninth.elsewhere, ninth.only_here) == ("p000", "1,234.50 EUR", 10, True)
    assert [item.climbed for item in example.judged.model] == [9, 7, 5, 3, 1, -1, -3, -5]
    assert len(example.judged.model) == SHOWN
    assert example.judged.candidates == 10
    assert example.searched is None


def test_thumbnails_are_small_jpegs_and_what_cannot_be_read_is_left_out() -> None:
    assert thumbnail(photo()).startswith("data:image/jpeg;base64,")
    assert len(thumbnail(photo())) < 3_000
    assert [thumbnail(None), thumbnail(b"no photo"), thumbnail("no/such/file")] == [""] * 3


def rows(*names: str) -> list[Interval]:
    return [Interval(name, place, place - 0.5, place + 0.5) for place, name in enumerate(names)]


NAMES = ("<b>bold</b>", "50 % & $x$", "中文")


@pytest.fixture(scope="module")
def drawn() -> dict[str, Plot]:
    return {
        "intervals": plots.intervals("a", "Title & <i>", "in words", rows(*NAMES), "nDCG", (0, 3)),
        "bars": plots.bars("b", "t", "w", rows(*NAMES), "share"),
        "deciles": plots.deciles("d", "t", "w", rows(*NAMES)),
        "shares": plots.shares("e", "t", "w", {name: [0.5, 0.5] for name in NAMES}),
        "history": plots.history("f", "t", "w", [(0, 0.5, 0.5), (1, 0.4, 0.5)], None, NAMES[0]),
        "front": plots.front("g", "t", "w", [(1.0, 2.0)], [(1.0, 2.0)], (NAMES[0], NAMES[1])),
        "curves": plots.curves(
            "h", "t", "w", [Curve(n, [0, 1], [1, 0], [1, 0], [1, 0]) for n in NAMES], ("x", "y")
        ),
    }


@pytest.mark.parametrize("kind", ["intervals", "bars", "deciles", "shares", "history", "front", "curves"])
def test_a_plot_is_whole_xml_with_its_names_as_text_and_colours_of_the_page(
    drawn: dict[str, Plot], kind: str
) -> None:
    plot = drawn[kind]
    tree = ElementTree.fromstring(plot.svg)
    texts = [element.text for element in tree.iter("text")]
    assert NAMES[0] in texts
    assert "var(--" in plot.svg
    assert [stand_in for stand_in in STAND_INS.values() if stand_in in plot.svg] == []
    assert "xlink" not in plot.svg
    assert "font-family" not in plot.svg
    assert [tree[0].text, tree[1].text] == [plot.title, plot.words]


def test_plots_of_other_names_share_no_id(drawn: dict[str, Plot]) -> None:
    ids = [name for plot in drawn.values() for name in re.findall(r' id="([^"]+)"', plot.svg)]
    assert len(ids) == len(set(ids))
    used = {name for plot in drawn.values() for name in re.findall(r'(?:href="|url\()#([^")]+)', plot.svg)}
    assert used <= set(ids)


def test_the_same_plot_is_drawn_the_same(drawn: dict[str, Plot]) -> None:
    assert plots.bars("b", "t", "w", rows(*NAMES), "share") == drawn["bars"]


def lines_of(*gains: float) -> list[QueryLine]:
    return [QueryLine(f"q{i}", "w", "", "", "BM25", 0.5, 0.5 + gain, gain) for i, gain in enumerate(gains)]


def test_a_bar_a_query_leads_to_its_row_and_of_many_the_ends_stay() -> None:
    few = gain_bars("g", "t", "w", [(7, lines_of(-0.2)[0]), (3, lines_of(0.4)[0])], (-0.2, 0.4))
    assert re.findall(r'href="#row-(\d+)"', few.svg) == ["3", "7"]
    assert re.findall(r'class="(gain|loss|other)"', few.svg) == ["gain", "loss"]
    many = list(enumerate(lines_of(*np.linspace(1, -1, 1001).tolist()), 1))
    rows = re.findall(r'href="#row-(\d+)"', gain_bars("g", "t", "w", many, (-1, 1)).svg)
    assert (len(rows), rows[0], rows[-1]) == (MOST, "1", "1001")


def test_robustness_has_a_plot_for_each_modality_that_was_dropped() -> None:
    points = [
        RobustnessPoint(dropped, share, system, 0.8 - share / 4, 0.7, 0.9)
        for dropped in ("photos", "descriptions")
        for share in (1.0, 0.0)
        for system in ("all", "without the modality")
    ]
    made = robustness_plots(points, "nDCG@10")
    assert [plot.title for plot in made] == ["Without photos", "Without descriptions"]
    assert made[0].words == "all: from .800 to .550; without the modality: from .800 to .550"


@pytest.mark.parametrize(("value", "text"), [(0.5, ".500"), (1.0, "1.000"), (-0.25, "−.250"), (None, "–")])
def test_figures_are_printed_as_the_field_does(value: float | None, text: str) -> None:
    assert figure(value) == text


@pytest.mark.parametrize(
    ("value", "text"), [(0.5, "+.500"), (-0.25, "−.250"), (0.0, ".000"), (-0.0001, ".000")]
)
def test_differences_have_a_sign(value: float, text: str) -> None:
    assert signed(value) == text


def test_what_a_report_lacks_is_left_out(tmp_path: Path) -> None:
    whole = made_report()
    bare = type(whole)(whole.title, whole.command, whole.convention, whole.measurement, whole.facts)
    write_report(tmp_path, bare)
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    headings = re.findall(r'<h2 id="(\w+)"', page)
    assert headings == ["shown", "verdict", "results", "ladder", "importance", "run"]
    assert "neither importance nor reasons are told" in page


def test_the_tuning_of_a_run_is_read_from_its_folder(tmp_path: Path) -> None:
    (tmp_path / "tuning.json").write_text(json.dumps(tuning()), encoding="utf-8")
    write_report(tmp_path, made_report())
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for words in (
        "the search fitted its folds",
        "Best so far",
        "What mattered",
        "Pareto front",
        "0.1235",
        "within noise",
    ):
        assert words in page, words


def test_the_markdown_says_what_is_worse(tmp_path: Path) -> None:
    report = made_report()
    assert report.verdict is not None
    worse = report.verdict.segments.with_columns(says=pl.lit("worse"), difference=pl.lit(-0.1))
    fallen = type(report.verdict)(**{**vars(report.verdict), "segments": worse})
    write_report(tmp_path, type(report)(**{**vars(report), "verdict": fallen}))
    text = (tmp_path / "report.md").read_text(encoding="utf-8")
    message = text.partition("## What is worse")[2].partition("##")[0]
    assert [f"- **worse beyond noise:** {as_markdown(name)}" in message for name in worse["segment"]] == [
        True,
        True,
    ]
    assert f"{report.verdict.overall.losses} of {report.verdict.overall.queries} queries lost" in message
    assert report.convention in text


def test_a_calibration_falls_only_where_interval_is_clear_of_interval() -> None:
    deciles = [
        {"decile": d, "grade": g, "low": g - 0.1, "high": g + 0.1} for d, g in ((1, 1.0), (2, 0.9), (3, 0.5))
    ]
    assert Calibration(deciles, {}).falls == [3]
