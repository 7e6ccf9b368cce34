"""What a search finds where the answer is known, what it may try, and the run that its winner becomes."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState, create_trial

from features.batch import QueryBatch
from features.errors import InputError
from ltr import evaluate, tune
from ltr.pipeline.examination import read_data
from ltr.pipeline.prepare import load_collection
from ltr.rankers import CatBoostConfig, LightGBMConfig, XGBoostConfig, make_ranker
from ltr.rankers.boosters import catboost_ranker
from ltr.rankers.search_space import Choice, Range
from ltr.runs.saved_run import SavedRun
from ltr.runs.tuned import make_task
from ltr.serving.ranking import one_query, rank
from ltr.tuning.candidates import CandidateSpace, TuningConfig
from ltr.tuning.pruning import EqualFoldsPruner
from ltr.tuning.study_storage import open_storage
from ltr.tuning.summary import (
    choose_winner,
    complete_trials,
    importances,
    nested_estimate,
    summarise_search,
    tuning_section,
)
from tests.ltr.conftest import Trained
from tests.ltr.rankers.test_rankers import dataset
from tests.ltr.tuning.tuning_world import RANKER, judge, search

GROUPS = ["lexical", "extra"]


def space(ranker: Any = RANKER, **tuning: Any) -> CandidateSpace:
    return CandidateSpace(ranker, TuningConfig(**tuning), GROUPS)


def test_a_search_finds_that_a_group_is_noise(tmp_path: Path) -> None:
    """One fit on two features beats all on forty-two; the search needs no more than a dozen trials to see it."""
    few = {"learning_rate": (0.1, 0.2), "leaves": (8, 9), "l2": (1, 2), "min_rows_per_leaf": (2, 3)}
    study = search(None, tmp_path, 16, TuningConfig(folds=3, groups=True, space=few))
    winner = choose_winner(study, None)
    assert (winner.params["group.lexical"], winner.params["group.extra"]) == (True, False)
    found = summarise_search(study, winner, "nDCG@5", None)
    assert found["nested"]["gain"] > 0 < found["nested"]["optimism"] + 1e-12
    assert [row["best"] for row in found["history"]] == sorted(row["best"] for row in found["history"])
    assert found["trials"][0]["number"] == found["default"] == 0
    assert sum(found["importances"].values()) == pytest.approx(1)
    json.dumps(found, allow_nan=False)


def test_few_features_are_a_second_objective(tmp_path: Path) -> None:
    study = search(None, tmp_path, 14, TuningConfig(folds=3, groups=True, second="features"))
    found = summarise_search(study, choose_winner(study, None), "nDCG@5", "features")
    assert {row["second"] for row in found["front"]} <= {1, 40, 41}
    assert found["front"][-1]["second"] == 1
    for worse, better in itertools.pairwise(found["front"]):
        assert (worse["value"] > better["value"]) and (worse["second"] > better["second"])
    assert not study.get_trials(states=(TrialState.PRUNED,), deepcopy=False) or all(
        not any(on for name, on in trial.params.items() if name.startswith("group."))
        for trial in study.get_trials(states=(TrialState.PRUNED,))
    )


def test_latency_is_told_in_microseconds(tmp_path: Path) -> None:
    study = search(None, tmp_path, 2, TuningConfig(folds=3, second="latency"))
    assert all(0 < trial.values[1] < 1e6 for trial in study.trials)


def test_the_gain_of_training_does_not_touch_the_gain_of_measuring() -> None:
    judged = judge()
    fold = judged.folds[0]
    one, other = (RANKER.model_copy(update={"gain": gain}) for gain in ("exp", "linear"))
    candidate = space().default()
    scores = []
    for ranker in (one, other):
        model = make_ranker(ranker)
        model.fit(judged.rows.take(fold.train).data, judged.rows.take(fold.validation).data)
        scores.append(judged._value(judged.rows.data.frame, model.score(judged.rows.data)))
    same = judged._value(judged.rows.data.frame, judged.rows.data.grades)
    assert same == pytest.approx(1)
    assert scores[0] != scores[1]
    assert candidate.ranker.gain == "exp"


@pytest.mark.parametrize(
    "ranker", [LightGBMConfig(), XGBoostConfig(), CatBoostConfig()], ids=lambda c: c.kind
)
def test_every_ranker_holds_its_defaults_in_its_own_space(ranker: Any) -> None:
    made = space(ranker, gain=True, groups=True, kinds=("lightgbm", "xgboost", "catboost"))
    assert {"kind", "gain", "group.lexical", "group.extra", *ranker.search_space()} == set(
        made.default_params()
    )

    def default(name: str, span: Range) -> Any:
        return made.default_params()[name]

    assert made.candidate(default) == made.default()


def test_kinds_share_settings_by_name() -> None:
    made = space(kinds=("xgboost", "catboost"), space={"leaves": (5, 6)})
    seen: list[str] = []

    def lowest(name: str, span: Range) -> Any:
        seen.append(name)
        return span.options[0] if isinstance(span, Choice) else span.low

    candidate = made.candidate(lowest)
    assert (candidate.ranker.kind, candidate.ranker.leaves) == ("xgboost", 5)
    assert "min_child_weight" in seen
    assert "min_rows_per_leaf" not in seen


def test_a_default_outside_the_space_is_tried_as_it_is(tmp_path: Path) -> None:
    few = {"learning_rate": (0.25, 0.3), "params.path_smooth": (0, 5)}
    study = search(None, tmp_path, 2, TuningConfig(folds=3, space=few))
    default, other = study.trials
    assert "learning_rate" not in default.params
    assert {"learning_rate", "params.path_smooth"} <= set(other.params)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"learning_rte": (0.1, 0.2)}, "did you mean 'learning_rate'?"),
        ({"min_child_weight": (1, 2)}, "expected settings of lightgbm"),
        ({"learning_rate": (0.3, 0.1)}, "low below high"),
        ({"learning_rate": (0, 0.1, "log")}, "with log, low above 0"),
        ({"leaves": (7.5, 9)}, "whole numbers"),
        ({"leaves": (1, 9)}, "greater than or equal to 2"),
        ({"gain": ("exp", "cubic")}, "narrow the range"),
        ({"objective": ("lambdarank", "pairwise")}, "narrow the range"),
    ],
)
def test_a_bad_space_is_told(given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        space(space=given)
    assert message in str(caught.value)


def test_without_early_stopping_the_trees_are_searched() -> None:
    assert "trees" not in RANKER.search_space()
    assert "trees" in RANKER.model_copy(update={"early_stopping_rounds": 0}).search_space()


def trial(*folds: float, **attributes: Any) -> Any:
    return SimpleNamespace(
        number=0, values=[float(np.mean(folds))], user_attrs={"folds": list(folds), **attributes}
    )


def test_the_nested_estimate_of_luck_is_the_mean_of_what_had_no_say() -> None:
    """Each of three trials is lucky on one fold: chosen by the others, it is valued where its luck ends."""
    lucky = [trial(0.9, 0.5, 0.5), trial(0.5, 0.9, 0.5), trial(0.5, 0.5, 0.9)]
    default = trial(0.6, 0.6, 0.6, role="default")
    default.number = 3
    found = nested_estimate([*lucky, default], lucky[0], default)
    assert found["nested"] == pytest.approx(0.5)
    assert found["optimism"] == pytest.approx(1.9 / 3 - 0.5)
    assert "fitted its folds" in found["warning"]


def test_a_gain_on_every_fold_is_no_luck() -> None:
    default, better = trial(0.5, 0.6, 0.7, role="default"), trial(0.6, 0.7, 0.8)
    better.number = 1
    found = nested_estimate([default, better], better, default)
    assert (found["optimism"], found["gain"]) == (pytest.approx(0), pytest.approx(0.1))
    assert found["warning"] is None


@pytest.mark.parametrize(
    ("value", "role", "pruned"), [(0.69, "", True), (0.71, "", False), (0.1, "default", False)]
)
def test_pruning_compares_equal_folds(value: float, role: str, pruned: bool) -> None:
    """An easy first fold makes no trial look good: each fold's mean is set against the same fold's."""
    study = optuna.create_study(direction="maximize", pruner=EqualFoldsPruner())
    for end in (0.5, 0.6, 0.7, 0.8, 0.9):
        study.add_trial(create_trial(value=end, intermediate_values={0: 0.95, 1: end}))
    asked = study.ask()
    asked.set_user_attr("role", role)
    asked.report(0.95, 0)
    assert not asked.should_prune()
    asked.report(value, 1)
    assert asked.should_prune() == pruned


@pytest.mark.parametrize("config", [LightGBMConfig, XGBoostConfig, CatBoostConfig])
def test_every_booster_can_be_stopped_at_a_tree(config: Any) -> None:
    ranker = make_ranker(config(trees=20, leaves=4, threads=1, early_stopping_rounds=0, bags=1))
    seen: list[tuple[int, float]] = []

    def stop(tree: int, ndcg: float) -> bool:
        seen.append((tree, ndcg))
        return tree == 4

    ranker.on_tree = stop  # type: ignore[union-attr]
    ranker.fit(dataset(queries=20), dataset(queries=10, seed=2))
    assert [tree for tree, _ in seen] == [1, 2, 3, 4]
    assert [ndcg for _, ndcg in seen] == ranker.history["ndcg"].to_list()


def test_importance_goes_to_what_matters() -> None:
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(
        lambda t: t.suggest_float("much", 0, 1) + 0 * t.suggest_float("nothing", 0, 1), n_trials=40
    )
    found = importances(study)
    assert found["much"] > 0.8 > found["nothing"]


def test_an_installation_without_catboost_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "catboost", None)
    with pytest.raises(InputError, match=r"run pip install 'shop-ltr\[catboost\]'"):
        make_ranker(CatBoostConfig()).fit(dataset(queries=2))
    assert catboost_ranker._library.__doc__


SMALL = ("--ranker.trees", "5", "--tuning.folds", "2", "--study", "small")


@pytest.fixture(scope="module")
def tuned(trained: Trained) -> Path:
    words = trained.words(*SMALL, "--trials", "4", "--tuning.groups", "true", "--tuning.gain", "true")
    made = tune.main(words)
    assert made is not None
    return made


def test_the_winner_becomes_a_run_measured_beside_the_default(tuned: Path, trained: Trained) -> None:
    section = tuning_section(tuned)
    assert section is not None
    assert section["counts"]["complete"] + section["counts"]["pruned"] == 4
    figures = json.loads((tuned / "metrics.json").read_text(encoding="utf-8"))
    assert {"random", "default", "tuned"} <= {row["system"] for row in figures["summary"]}
    test = section["test"][0]
    assert test["difference"] == pytest.approx(test["tuned"] - test["default"])
    assert 0 < test["p_value"] <= 1
    assert (tuned / "report.html").is_file()
    assert tuning_section(trained.run) is None


def test_a_tuned_run_can_be_evaluated_and_asked(tuned: Path) -> None:
    run = SavedRun.open(tuned)
    assert {feature.group for feature in run.schema.features} == set(tuning_section(tuned)["groups"])  # type: ignore[index]
    assert evaluate.main(["--run", str(tuned)]).model == "tuned"
    builder = run.builder(load_collection(run.config).products)
    assert rank(run, builder, QueryBatch(one_query("red tee", None))).height


def test_what_is_adapted_may_be_left_out_and_the_winner_is_kept_with_or_without(
    trained: Trained, tmp_path: Path
) -> None:
    words = trained.words("--ranker.trees", "5", "--tuning.folds", "2", "--study", "adapted", "--trials", "8")
    words += ["--tuning.groups", "true", "--embeddings.adapted", "[words]"]
    tune.main([*words, "--search-only"])
    storage = open_storage(None, trained.work / "runs" / "studies" / "adapted")
    study = optuna.load_study(study_name="adapted", storage=storage)
    by_choice = {trial.params.get("group.adapted", True): trial.number for trial in complete_trials(study)}
    assert set(by_choice) == {True, False}
    for adapted, number in by_choice.items():
        made = tune.main([*words, "--winner", str(number), "--run", str(tmp_path / str(number))])
        assert made is not None
        run = SavedRun.open(made)
        assert ("adapted" in tuning_section(made)["groups"]) is adapted  # type: ignore[index]
        assert (run.config.embeddings is not None) is adapted
        assert any(name.startswith("adapted.") for name in run.model.ranker.schema.names) is adapted
        builder = run.builder(load_collection(run.config).products)
        assert rank(run, builder, QueryBatch(one_query("red tee", None))).height


@pytest.mark.parametrize("kept", [("lexical", "adapted"), ("lexical",), ("adapted",), ()])
def test_adapted_cosines_alone_are_no_candidate(kept: tuple[str, ...]) -> None:
    made = CandidateSpace(RANKER, TuningConfig(groups=True), ["lexical", "adapted"])

    def pick(name: str, span: Range) -> Any:
        group = name.removeprefix("group.")
        return group in kept if group != name else RANKER.model_dump().get(name, getattr(span, "low", 1))

    assert made.candidate(pick).groups == (kept if "lexical" in kept else ())


def test_test_queries_are_seen_by_no_trial_and_measured_once(
    tuned: Path, trained: Trained, capsys: pytest.CaptureFixture[str]
) -> None:
    made = (tuned / "run.json").stat().st_mtime_ns
    words = trained.words(*SMALL, "--trials", "4", "--tuning.groups", "true", "--tuning.gain", "true")
    tune.main(words)
    assert "not measured a second time" in capsys.readouterr().out
    assert (tuned / "run.json").stat().st_mtime_ns == made
    config = SavedRun.open(tuned).config
    task = make_task(config, read_data(config, last_fold=True))
    inside = {
        query
        for fold in task.judge.folds
        for part in (fold.train, fold.validation, fold.test)
        for query in part
    }
    assert inside == {*task.outer.train, *task.outer.validation}
    assert not inside & set(task.outer.test)
    for fold in task.judge.folds:
        assert not set(fold.test) & {*fold.train, *fold.validation}


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--trials", "0"), "expected a whole number of 1 or more"),
        (("--winner", "99"), "choose among 0"),
        (
            ("--split.validation_share", "0", "--ranker.early_stopping_rounds", "20"),
            "expected validation queries, to stop the training by",
        ),
        (("--tuning.space", "{tees: [1, 2]}"), "did you mean 'trees'?"),
        (("--data.judged_per_query", "14"), "made with other data"),
        (("--evaluation.relevant_from", "1"), "made with other evaluation"),
        (("--train.modality_dropout", "{photos: 0.5}"), "made with other train settings"),
        (("--train.base", "auto"), "made with other train settings"),
        (("--train.base", "text.tittle"), "expected a numeric feature, got 'text.tittle'"),
        (
            ("--train.also", "[x.yaml]", "--tuning.kinds", "[catboost]"),
            "expected a ranker that weighs queries",
        ),
    ],
)
def test_what_cannot_be_searched_is_told(
    more: tuple[str, ...], message: str, tuned: Path, trained: Trained
) -> None:
    words = trained.words(*SMALL, "--trials", "4", "--tuning.groups", "true", "--tuning.gain", "true", *more)
    with pytest.raises(InputError) as caught:
        tune.main(words)
    assert message in str(caught.value)
