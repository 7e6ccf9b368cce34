"""Tuning put into practice: a config's data, split and candidates; the winner fitted, measured and kept as a run."""

from __future__ import annotations

import dataclasses
import hashlib
import logging
from pathlib import Path
from typing import Any

from optuna.trial import FrozenTrial

from features.build import FeatureTable
from features.errors import InputError
from features.feature_schema import KEYS
from ltr.config.tree import Config
from ltr.data.embedded import EmbeddedDataset
from ltr.data.splits import Fold
from ltr.evaluation.baselines import held_out_baselines
from ltr.evaluation.systems import measure
from ltr.pipeline.examination import Examined
from ltr.pipeline.fitting import check_settings, embed, weigh
from ltr.pipeline.shown_lists import measure_shown_lists
from ltr.pipeline.thinned_catalogue import ThinnedCatalogue
from ltr.rankers.boosters.boosted import BoostedConfig
from ltr.runs.record import RunRecord
from ltr.runs.sources import learning_inputs, read_transfer
from ltr.training.anchoring import Transfer
from ltr.training.cross_fit import cross_fit
from ltr.tuning.candidates import ADAPTED, Candidate, CandidateSpace
from ltr.tuning.search import Search
from ltr.tuning.study import digest, open_study
from ltr.tuning.study_storage import open_storage, shown
from ltr.tuning.summary import complete_trials, tuning_section
from ltr.tuning.trials import CrossValidation, chosen_embeddings, chosen_groups, inner_folds

log = logging.getLogger(__name__)

TUNED, DEFAULTS = "tuned", "default"
SPEED_ONLY = {"threads", "device"}  # settings that other machines may have otherwise


@dataclasses.dataclass(frozen=True)
class Task:
    """A config's data with the split that the search works in, and its candidates.

    transfer, thinned: what training goes by, as in `cross_fit`.
    """

    config: Config
    examined: Examined
    rows: EmbeddedDataset
    transfer: Transfer | None
    thinned: EmbeddedDataset
    space: CandidateSpace
    judge: CrossValidation

    @property
    def outer(self) -> Fold:
        """The split whose test queries no trial sees."""
        return self.examined.folds[0]

    def made_with(self) -> dict[str, str]:
        """Fingerprints of all that a trial's value depends on; none of the `train` section where it is idle."""
        config, data = self.config, self.rows.data
        learning = learning_inputs(config, self.transfer)
        pairs = data.frame.select(*KEYS, "grade").write_csv().encode()
        features = {"schema": data.schema.to_json(), "settings": config.features.model_dump(mode="json")}
        encoders = {name: encoder.model_dump(mode="json") for name, encoder in config.encoders.items()}
        embeddings = config.embeddings.model_dump(mode="json") if config.embeddings else None
        return {
            "data": digest(
                [self.examined.prepared.collection.fingerprints, hashlib.sha256(pairs).hexdigest()]
            ),
            "features": digest([features, encoders, embeddings]),
            "lists": digest(config.lists.model_dump(mode="json")),
            "folds": digest([dataclasses.astuple(fold) for fold in self.judge.folds]),
            "space": digest([self.space.describe(), config.tuning.second]),
            "ranker settings": digest(config.ranker.model_dump(mode="json", exclude=SPEED_ONLY)),
            "evaluation": digest(config.evaluation.model_dump(mode="json", exclude={"bootstrap"})),
            **({"train settings": digest(learning)} if learning else {}),
        }


def make_task(config: Config, examined: Examined) -> Task:
    """Folds and space over data read with `last_fold`, each checked before the first trial."""
    prepared, outer = examined.prepared, examined.folds[0]
    data = prepared.dataset
    check_settings(config, data)
    adapted = [ADAPTED] if config.embeddings and config.embeddings.adapted else []
    space = CandidateSpace(config.ranker, config.tuning, [*data.schema.groups, *adapted])
    if isinstance(config.ranker, BoostedConfig):
        _check_stoppable(config.ranker, outer)
    share = getattr(config.split, "validation_share", 0.15) if outer.validation else 0.0
    folds = inner_folds(config.tuning, outer, prepared.collection.queries, share)
    rows = embed(config, prepared, data)
    transfer = read_transfer(config, examined, data, config.tuning.kinds)
    thinned = ThinnedCatalogue(config, prepared, rows).thinned()
    judge = CrossValidation(rows, folds, config.evaluation, config.embeddings, transfer, thinned)
    inside = len(outer.train) + len(outer.validation)
    log.info(
        "tuning on %s queries in %d folds; %s test queries are kept for the end",
        *(f"{inside:,}", len(folds), f"{len(outer.test):,}"),
    )
    return Task(config, examined, rows, transfer, thinned, space, judge)


def _check_stoppable(ranker: BoostedConfig, outer: Fold) -> None:
    if ranker.early_stopping_rounds and not outer.validation:
        raise InputError(
            where="split",
            expected="validation queries, to stop the training by",
            got="none",
            cure="raise split.validation_share, or set ranker.early_stopping_rounds: 0 (trees are searched then)",
        )


def open_search(task: Task, name: str, storage: str | None, trials: int, seconds: float | None) -> Search:
    """The study of that name, begun or taken up; storage: None for a file beside the runs."""
    folder = Path(task.config.runs) / "studies" / name
    tuning = task.config.tuning
    study = open_study(
        open_storage(storage, folder),
        name,
        task.made_with(),
        task.space,
        tuning.seed,
        two=tuning.second is not None,
    )
    place, complete = shown(storage, folder), len(complete_trials(study))
    log.info("study %r in %s: %d complete trials", name, place, complete)
    return Search(study, task.space, task.judge, tuning, trials, seconds, log.info)


def candidate_of(space: CandidateSpace, trial: FrozenTrial) -> Candidate:
    """The candidate that a finished trial tried."""
    if trial.user_attrs.get("role") == DEFAULTS:
        return space.default()
    return space.candidate(lambda name, _: trial.params[name])


def measure_winner(task: Task, winner: Candidate, command: str) -> RunRecord:
    """The winner and the default, both fitted on the training part, on the test part; config: the winner's."""
    embeddings, folds = chosen_embeddings(task.config.embeddings, winner.groups), [task.outer]
    config = task.config.model_copy(update={"ranker": winner.ranker, "embeddings": embeddings})
    config._base = task.config.base
    rows, thinned = (chosen_groups(known, winner.groups) for known in (task.rows, task.thinned))
    transfer = task.transfer and task.transfer.within(rows.data.schema)
    before = cross_fit(
        *(task.rows, folds, task.config.ranker, task.config.embeddings),
        transfer=task.transfer,
        thinned=task.thinned,
    )
    fitted = cross_fit(rows, folds, winner.ranker, embeddings, transfer=transfer, thinned=thinned)
    baselines = held_out_baselines(task.rows.data, folds, config.evaluation)
    scores = baselines | {DEFAULTS: before.scores, TUNED: fitted.scores}
    queries = task.examined.prepared.collection.queries
    by_bag = {name: one.by_bag for name, one in ((DEFAULTS, before), (TUNED, fitted)) if one.by_bag}
    measured = measure(rows.data.frame, scores, queries, config.evaluation, TUNED, by_bag)
    table = FeatureTable(rows.data.frame, task.examined.prepared.table.seconds)
    prepared = dataclasses.replace(
        task.examined.prepared, config=config, table=table, schema=rows.data.schema
    )
    weighed = weigh(config, rows, folds, fitted)
    judged = rows.data.is_judged
    return RunRecord(
        *(command, config, prepared, folds, task.examined.findings, rows.data.judged()),
        {name: values[judged] for name, values in scores.items()},
        *(measured, fitted, fitted.last, weighed),
        shown=measure_shown_lists(prepared, rows.data, scores, TUNED),
    )


def against_default(record: RunRecord) -> list[dict[str, Any]]:
    """The paired tests against the default settings, by segment, with both means."""
    measured = record.measured
    means = {
        (row["system"], row["segment"]): row["mean"]
        for row in measured.summary.iter_rows(named=True)
        if row["metric"] == measured.headline
    }
    return [
        row | {"tuned": means[TUNED, row["segment"]], "default": means[DEFAULTS, row["segment"]]}
        for row in measured.tests.iter_rows(named=True)
        if row["against"] == DEFAULTS
    ]


def is_measured(target: Path, found: dict[str, Any]) -> bool:
    """Whether the run holds this winner already: its test queries are not measured a second time."""
    kept = tuning_section(target)
    return kept is not None and all(
        kept[name] == found[name] for name in ("study", "winner", "params", "trials")
    )
