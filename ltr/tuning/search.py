"""The search: trials one after another until there are enough of them, whoever else works on the study.

Killed at any moment, it loses no finished trial and repeats none: the trial that was running is failed and
queued again, by the next worker that sees its process gone.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import optuna
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import FrozenTrial, TrialState

from features.errors import InputError
from ltr.evaluation.notation import figure
from ltr.rankers.search_space import Choice, Float, Range
from ltr.tuning.candidates import Candidate, CandidateSpace, TuningConfig
from ltr.tuning.liveness import WORKER, Heartbeat, Watcher, is_alone, register
from ltr.tuning.pruning import CURVE, CURVE_OF, CurveWatch, is_default
from ltr.tuning.study import GIVEN_UP, RETRIES, SLOT, enqueue_default, slot_of
from ltr.tuning.trials import CrossValidation, FoldResult, mean_result

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
FOLDS, KEY, LATENCY, FEATURES, SECONDS = "folds", "key", "latency", "features", "seconds"
POLL = 0.5  # seconds between looks at what other workers finish


@dataclass(frozen=True)
class Search:
    """What is searched, and how far: `trials` in all, and no new one after `seconds`."""

    study: optuna.Study
    space: CandidateSpace
    judge: CrossValidation
    tuning: TuningConfig
    trials: int
    seconds: float | None
    say: Callable[[str], None]

    def run(self) -> None:
        """Raises KeyboardInterrupt after the trial during which Ctrl-C was pressed, or at once the second time."""
        started, watcher = time.monotonic(), Watcher()
        register(self.study)
        with _stop_gently(self.say) as stop:
            while not self._enough() and not self._late(started):
                self._take_up(watcher)
                if self._taken() >= self.trials:
                    time.sleep(POLL)  # others are at the last ones: theirs may yet fail
                else:
                    self._one_trial(started)
                if stop:
                    raise KeyboardInterrupt

    def _late(self, started: float) -> bool:
        return self.seconds is not None and time.monotonic() - started >= self.seconds

    def _enough(self) -> bool:
        return len(self.study.get_trials(deepcopy=False, states=FINISHED)) >= self.trials

    def _taken(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING)))

    def _take_up(self, watcher: Watcher) -> None:
        """Fail the trials whose worker is gone, and queue them again."""
        for trial in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
            if watcher.gone(trial) or (WORKER not in trial.user_attrs and is_alone(self.study)):
                self.say(f"trial {trial.number}: its process is gone, queued again")
                self._queue_again(trial)

    def _queue_again(self, trial: FrozenTrial) -> None:
        try:
            self.study.tell(trial.number, state=TrialState.FAIL)
        except (ValueError, UpdateFinishedTrialError):
            return  # another worker was first
        retries = trial.user_attrs.get("retries", 0) + 1
        if is_default(trial):
            enqueue_default(self.study, self.space, retries)
        elif retries <= RETRIES and SLOT in trial.user_attrs:
            # Without its settings: they are drawn again, and those not drawn yet from where the generator stood.
            again = {"retries": retries, SLOT: trial.user_attrs[SLOT]}
            self.study.enqueue_trial({}, user_attrs=again)

    def _one_trial(self, started: float) -> None:
        trial = self.study.ask()
        trial.set_user_attr(SLOT, slot_of(self.study, _frozen(self.study, trial)))
        try:
            with Heartbeat(trial):
                before = time.monotonic()
                ended = None if self._surplus(trial) else self._judge(trial)
                trial.set_user_attr(SECONDS, round(time.monotonic() - before, 3))
        except InputError:
            trial.set_user_attr(GIVEN_UP, value=True)
            self.study.tell(trial, state=TrialState.FAIL)
            raise
        except BaseException:
            self._queue_again(_frozen(self.study, trial))
            raise
        if ended is None:
            self.study.tell(trial, state=TrialState.FAIL)
        elif isinstance(ended, str):
            self.study.tell(trial, state=TrialState.PRUNED)
            self._report(trial, ended, started)
        else:
            second = self.tuning.second
            seconds = [] if second is None else [float(getattr(ended, second))]
            self.study.tell(trial, [ended.value, *seconds])
            self._report(trial, self._result_in_words(ended), started)

    def _surplus(self, trial: optuna.Trial) -> bool:
        """Two workers may both begin what each takes for the last trial: the later one gives way."""
        ahead = self.study.get_trials(deepcopy=False, states=(*FINISHED, TrialState.RUNNING))
        return sum(other.number < trial.number for other in ahead) >= self.trials

    def _judge(self, trial: optuna.Trial) -> FoldResult | str:
        """The trial's result, or why it was stopped."""
        default = is_default(_frozen(self.study, trial))
        candidate = self._candidate(trial, default=default)
        if not candidate.groups:
            return "no feature group"
        # A small space offers the same settings more than once.
        finished = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        twin = next((other for other in finished if other.user_attrs.get(KEY) == candidate.key), None)
        if twin:
            for name in (FOLDS, LATENCY, FEATURES):
                trial.set_user_attr(name, twin.user_attrs[name])
            for step, value in twin.intermediate_values.items():
                trial.report(value, step)
            trial.set_user_attr("same as", twin.number)
            values = twin.user_attrs
            return FoldResult(twin.values[0], values[LATENCY], values[FEATURES])
        trial.set_user_attr(KEY, candidate.key)
        return self._cross_validate(trial, candidate, default=default)

    def _cross_validate(
        self, trial: optuna.Trial, candidate: Candidate, *, default: bool
    ) -> FoldResult | str:
        results: list[FoldResult] = []
        earlier = self.study.get_trials(deepcopy=False, states=FINISHED)
        watch = CurveWatch(earlier, _like(candidate), spare=default or not self._prunes)
        for number, fold in enumerate(self.judge.folds):
            results.append(self.judge.fit(candidate, fold, watch if number == 0 else None))
            if number == 0:
                if watch.stopped:
                    return f"stopped at tree {32 << len(watch.curve) - 1}"
                trial.set_user_attr(CURVE, watch.curve)
                trial.set_user_attr(CURVE_OF, _like(candidate))
            mean = mean_result(results)
            if self._prunes and number + 1 < len(self.judge.folds):
                trial.report(mean.value, number)
                if trial.should_prune():
                    return (
                        f"stopped after fold {number + 1} at {figure(mean.value)}{self._best_after(number)}"
                    )
        trial.set_user_attr(FOLDS, [result.value for result in results])
        trial.set_user_attr(LATENCY, mean.latency)
        trial.set_user_attr(FEATURES, mean.features)
        return mean

    def _best_after(self, fold: int) -> str:
        """What the best complete trial had on the same folds: its mean over all of them is no measure of these."""
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        same = [trial.user_attrs[FOLDS][: fold + 1] for trial in complete if FOLDS in trial.user_attrs]
        best = max((sum(values) / len(values) for values in same), default=None)
        return "" if best is None else f", where the best has {figure(best)} on the same folds"

    @property
    def _prunes(self) -> bool:
        """With a second objective nothing is stopped early: a trial poor in the first may be the cheapest."""
        return self.tuning.second is None

    def _candidate(self, trial: optuna.Trial, *, default: bool) -> Candidate:
        if default:
            for name, span in self.space.default_spans().items():
                _suggest(trial, name, span)
            return self.space.default()
        return self.space.candidate(lambda name, span: _suggest(trial, name, span))

    def _result_in_words(self, result: FoldResult) -> str:
        second = {
            None: "",
            "latency": f" at {result.latency:.2f} µs",
            "features": f" with {result.features} features",
        }
        return f"{self.judge.metric} {figure(result.value)}{second[self.tuning.second]}"

    def _report(self, trial: optuna.Trial, summary: str, started: float) -> None:
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        complete = [one for one in finished if one.state == TrialState.COMPLETE]
        best = max(complete, key=lambda one: one.values[0], default=None)
        record = f" (best {figure(best.values[0])}, trial {best.number})" if best else ""
        self.say(
            f"trial {trial.number}: {summary}{record}; {len(finished)} of {self.trials}{self._left(started)}"
        )

    def _left(self, started: float) -> str:
        """By the mean time of the trials finished, shared among the workers running; no more than the limit."""
        finished = self.study.get_trials(deepcopy=False, states=FINISHED)
        seconds = [trial.user_attrs[SECONDS] for trial in finished if SECONDS in trial.user_attrs]
        workers = 1 + len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))
        left = (self.trials - len(finished)) * sum(seconds) / max(1, len(seconds)) / workers
        if self.seconds is not None:
            left = min(left, self.seconds - (time.monotonic() - started))
        return f", {left / 60:.0f} min left" if left >= 90 else f", {left:.0f} s left" if left > 0 else ""


def _like(candidate: Candidate) -> str:
    """Trials whose validation nDCG is the same measure."""
    return f"{candidate.ranker.kind} {candidate.ranker.gain}"


def _frozen(study: optuna.Study, trial: optuna.Trial) -> FrozenTrial:
    return next(one for one in study.get_trials(deepcopy=False) if one.number == trial.number)


def _suggest(trial: optuna.Trial, name: str, span: Range) -> Any:
    if isinstance(span, Choice):
        return trial.suggest_categorical(name, span.options)
    if isinstance(span, Float):
        return trial.suggest_float(name, span.low, span.high, log=span.log)
    return trial.suggest_int(name, span.low, span.high, log=span.log)


@contextmanager
def _stop_gently(say: Callable[[str], None]) -> Iterator[list[bool]]:
    """A list that the first Ctrl-C fills; the second one interrupts at once."""
    asked: list[bool] = []

    def on_signal(*_: object) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(True)
        say("stopping after this trial; Ctrl-C again: at once, and the trial is queued again")

    before = signal.signal(signal.SIGINT, on_signal)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)
