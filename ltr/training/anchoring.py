"""A ranker that leans on scores known to be good before it learnt: a feature, or an earlier run.

With few judged queries a model is right on average and wrong by chance; its mean with a plain cosine keeps
most of the gain and loses most of the chance. How much to lean is learnt on the training queries, out of fold.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

import numpy as np

from features.errors import InputError
from features.feature_schema import FeatureSchema
from ltr.data.dataset import Dataset
from ltr.data.gains import gains_of
from ltr.evaluation.notation import figure
from ltr.rankers import (
    Bagged,
    Explainable,
    Ranker,
    RankerSettings,
    Watchable,
    Widening,
    load_ranker,
    make_ranker,
    parse_settings,
)
from ltr.rankers.lists import (
    differ_in_gain,
    divided,
    means_and_spreads,
    ndcg,
    simplex,
    starts_of,
    z_scores,
)
from ltr.rankers.out_of_fold import out_of_fold
from ltr.training.click_log import ClickLog
from ltr.training.click_strategies import Choice
from ltr.training.transfer import AUTO, SourceSet, conformed, with_sources

ABOUT, START = "anchor.json", "start"  # beside the ranker's own files
FOLDS = 5
CUTOFF = 10  # of the nDCG that the shares are learnt by
STEPS = 10  # shares are tenths
RESAMPLES = 200
COPY_AGAIN = "copy the whole run folder again, or train it again"
CONFIDENT = 1.645  # standard errors: a gain that is there with 95 % confidence, one-sided
COSINES = ("text.", "image.")  # features among which `auto` looks
STANDING = "_z"


@dataclass(frozen=True, eq=False)
class Transfer:
    """What a ranker learns from, or leans on, beside its training queries; `TrainConfig` says what is what.

    clicks: shown lists in place of judgements; alone, with none of the others. few: the training queries, where it
    leans because they are few.
    """

    sources: tuple[SourceSet, ...] = ()
    start: Ranker | None = None
    base: str | None = None
    clicks: ClickLog | None = None
    few: int | None = None

    @property
    def only_leans(self) -> bool:
        """Whether the ranker that leans is, by itself, as it were without this."""
        return not self.sources and self.clicks is None

    def ranker(self, config: RankerSettings) -> AnchoredRanker:
        """An unfitted ranker that makes use of it."""
        return AnchoredRanker(config, self)

    def within(self, part: FeatureSchema) -> Transfer:
        """The same for a table with part of the features: without a base where that part has none."""
        there = cosines_of(part) if self.base == AUTO else {self.base}.intersection(part.names)
        return self if there else replace(self, base=None)


class AnchoredRanker:
    """score = Σ share × z-score within the query, of the ranker's, the base feature's and the run's scores.

    base: the feature leant on, or None; shares: of ranker, base, run (those that are there), sum 1;
    sure_gain: what the mix gains in nDCG over its first anchor alone, at the lower end of its interval,
    out of fold on the training queries. With neither base nor run it is the ranker, trained on other sets too, or on
    shown lists; choice: how it learned from these.
    """

    def __init__(self, config: RankerSettings, transfer: Transfer) -> None:
        self.config, self.base, self.start = config, transfer.base, transfer.start
        self.few = transfer.few
        self._sources, self._clicks = transfer.sources, transfer.clicks
        self.ranker: Ranker = make_ranker(config)
        self.schema, self.history = self.ranker.schema, self.ranker.history
        self.shares = np.ones(1)
        self.sure_gain = 0.0
        self.choice: Choice | None = None

    @property
    def best_iteration(self) -> int:
        return self.ranker.best_iteration

    def fit(self, train: Dataset, validation: Dataset | None = None) -> None:
        """Train the ranker on the pairs and those of the other sets, then learn the shares.

        Raises InputError for a base that is no numeric feature here, and as the ranker's `fit` does.
        """
        if self._clicks:
            self._fit_on_clicks(self._clicks, train, validation)
            return
        self.ranker.fit(with_sources(train, self._sources, self.config.gain), validation)
        self.schema, self.history = self.ranker.schema, self.ranker.history
        judged, lists = train.is_judged, train.judged()
        gains = gains_of(lists.grades, self.config.gain)
        if self.base is not None:
            self.base = chosen_base(lists, self.base, gains, CUTOFF)
        anchors = self._anchors(train)
        if anchors.shape[1]:
            members = np.column_stack([self._out_of_fold(train, validation), anchors])
            standing = z_scores(members, train.groups)[judged]
            self.shares, self.sure_gain = surest_shares(standing, lists, gains, CUTOFF)

    def _fit_on_clicks(self, clicks: ClickLog, train: Dataset, validation: Dataset | None) -> None:
        found = clicks.training(train, self.config)
        if found.ranker != self.config:  # the library's own option
            made = make_ranker(found.ranker)
            if isinstance(made, Watchable) and isinstance(self.ranker, Watchable):
                made.on_tree = self.ranker.on_tree
            self.ranker = made
        self.ranker.fit(found.rows, validation)
        self.schema, self.history, self.choice = self.ranker.schema, self.ranker.history, found.choice

    def score(self, data: Dataset) -> np.ndarray:
        """Scores (n,) float64 in the order of `data.frame`: higher is better, comparable within a query only.

        Raises InputError when the features are not those of training.
        """
        return self.score_bags(data).T.mean(axis=0)

    def score_bags(self, data: Dataset) -> np.ndarray:
        """Scores (n, bags), of which `score` is the mean: each of the ranker's bags beside the same anchors.

        A bag stands where it would among the ranker's own scores, by their means and deviations within the list.
        """
        bags = self.ranker.score_bags(data) if isinstance(self.ranker, Bagged) else None
        scores = self.ranker.score(data) if bags is None else bags.T.mean(axis=0)
        bags = scores[:, None] if bags is None else bags
        if len(self.shares) == 1 or not len(scores):
            return bags
        mean, spread = means_and_spreads(scores[:, None], data.groups)
        anchors = z_scores(self._anchors(data), data.groups) @ self.shares[1:]
        standing: np.ndarray = divided((bags - mean) * self.shares[0], np.broadcast_to(spread, bags.shape))
        return standing + anchors[:, None]

    @property
    def trees(self) -> int:
        """Trees of the ranker and of the run leant on, in all their bags."""
        return sum(_explained(member).trees for member in (self.ranker, self.start) if member)

    def widened(self, data: Dataset) -> Dataset:
        """The same rows with the features that `contributions` speaks of."""
        return self.ranker.widened(data) if isinstance(self.ranker, Widening) else data

    def contributions(self, data: Dataset) -> tuple[np.ndarray, np.ndarray]:
        """What each feature adds to each score (n, f), and what is there before any (n,); float64, of `score`'s sum.

        Each member's own contributions in its standard deviations within the list, times its share; the base
        feature's share of the score is added to what that feature has in the ranker. Exact, given the list: its means
        and deviations are taken as they are. InputError where the ranker or the run is no sum over its features.
        """
        own, before = _explained(self.ranker).contributions(data)
        if len(self.shares) == 1 or not len(own):
            return own, before
        scores = np.column_stack([self.ranker.score(data), self._anchors(data)])
        mean, spread = means_and_spreads(scores, data.groups)
        scale = divided(np.broadcast_to(self.shares, scores.shape), spread)
        values, base = own * scale[:, :1], (before - mean[:, 0]) * scale[:, 0]
        if self.base is not None:
            values[:, self.schema.names.index(self.base)] += (scores[:, 1] - mean[:, 1]) * scale[:, 1]
        if self.start:
            theirs, start = _explained(self.start).contributions(conformed(data, self.start.schema))
            base += (start - mean[:, -1]) * scale[:, -1]
            for name, column in zip(self.start.schema.names, theirs.T, strict=True):
                if name in self.schema.names:
                    values[:, self.schema.names.index(name)] += column * scale[:, -1]
                else:  # missing in every row: it ranks only through what it is split with
                    base += column * scale[:, -1]
        return values, base

    def save(self, folder: Path) -> None:
        """The ranker's own files; where it leans on something, anchor.json, and the run's ranker in `start/`."""
        self.ranker.save(folder)
        if len(self.shares) == 1:
            return
        about = {
            "config": self.config.model_dump(mode="json"),
            "base": self.base,
            "shares": self.shares.tolist(),
            "sure_gain": self.sure_gain,
            "start": self.start is not None,
        }
        (folder / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
        if self.start:
            self.start.save(folder / START)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote; scores are equal to the last bit. InputError for files that are not whole."""
        try:
            about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
            config = parse_settings(about["config"])
            start = load_anchored(folder / START) if about["start"] else None
            ranker = cls(config, Transfer((), start, about["base"]))
            ranker.shares = np.array(about["shares"], dtype=np.float64)
            ranker.sure_gain = float(about["sure_gain"])
        except (ValueError, KeyError, TypeError) as error:
            got = f"another ({type(error).__name__}: {error})"
            raise _bad(str(folder / ABOUT), "the file as ltr.train wrote it", got, COPY_AGAIN) from error
        ranker.ranker = load_ranker(folder)
        ranker.schema, ranker.history = ranker.ranker.schema, ranker.ranker.history
        if len(ranker.shares) != 1 + (ranker.base is not None) + (start is not None):
            raise _bad(str(folder / ABOUT), "a share for each score", f"{len(ranker.shares)}", COPY_AGAIN)
        return ranker

    def _anchors(self, data: Dataset) -> np.ndarray:
        """(n, anchors), without NaN: a pair without the feature stands with the last of its list."""
        columns = [] if self.base is None else [_filled(_column(data, self.base), data.groups)]
        if self.start:
            columns.append(self.start.score(conformed(data, self.start.schema)))
        return np.column_stack(columns) if columns else np.empty((len(data.X), 0))

    def _out_of_fold(self, train: Dataset, validation: Dataset | None) -> np.ndarray:
        """The ranker's score (n,) of each training pair, fitted without its query, z-scored in its list."""
        queries = len(train.groups)
        if queries < 2:
            got = "1: none is left to learn the shares from"
            raise _bad("train", "at least 2 training queries", got, "judge more queries")

        def fit_and_score(kept: Dataset, left_out: Dataset) -> np.ndarray:
            if not differ_in_gain(gains_of(kept.grades, self.config.gain), kept.groups):
                return np.zeros(len(left_out.X))  # nothing to learn from, which some rankers refuse
            ranker = make_ranker(self.config)
            ranker.fit(with_sources(kept, self._sources, self.config.gain), validation)
            return ranker.score(left_out)

        return out_of_fold(train, FOLDS, queries, fit_and_score)


def _explained(ranker: Ranker) -> Explainable:
    if not isinstance(ranker, Explainable):
        expected, got = (
            "a ranker whose score is a sum over features",
            f"{type(ranker).__name__}, which is none",
        )
        raise _bad("explanation", expected, got, "explain a run of ranker lightgbm or xgboost")
    return ranker


def choice_of(ranker: Ranker) -> Choice | None:
    """How it learned from shown lists; None for one that did not."""
    return ranker.choice if isinstance(ranker, AnchoredRanker) else None


def unwrapped(ranker: Ranker) -> Ranker:
    """The ranker itself where it leans on nothing: other sets leave no trace but in what it learnt."""
    return ranker.ranker if isinstance(ranker, AnchoredRanker) and len(ranker.shares) == 1 else ranker


def load_anchored(folder: Path) -> Ranker:
    """The fitted ranker that `save` wrote to the folder, whether it leans on something or not."""
    return AnchoredRanker.load(folder) if (folder / ABOUT).is_file() else load_ranker(folder)


def chosen_base(train: Dataset, wanted: str, gains: np.ndarray, k: int) -> str:
    """The feature leant on: the one named, or for `auto` the cosine of the highest mean nDCG@k on these lists."""
    check_base(train.schema, wanted)
    if wanted != AUTO:
        return wanted
    cosines = cosines_of(train.schema)
    means = [
        np.nanmean(ndcg(_filled(_column(train, name), train.groups), gains, train.groups, k))
        for name in cosines
    ]
    return cosines[int(np.argmax(means))]


def check_base(schema: FeatureSchema, wanted: str) -> None:
    """Raise InputError for a base that is no numeric feature here, and for `auto` where there is no cosine."""
    numeric = _numeric(schema)
    if wanted != AUTO and wanted not in numeric:
        raise _bad(
            "train.base", "a numeric feature", repr(wanted), f"choose among {', '.join(numeric[:5])}, …"
        )
    if wanted == AUTO and not cosines_of(schema):
        got, cure = "none in this table", "name a feature instead of auto, or leave train.base out"
        raise _bad("train.base: auto", "a cosine (features text.*, image.*)", got, cure)


def cosines_of(schema: FeatureSchema) -> list[str]:
    """The features among which `auto` looks: likenesses stand in their list, too, as shares and agreements do not."""
    names = set(schema.names)
    return [name for name in _numeric(schema) if name.startswith(COSINES) and f"{name}{STANDING}" in names]


def _numeric(schema: FeatureSchema) -> list[str]:
    return [feature.name for feature in schema.features if feature.kind == "numeric"]


def surest_shares(members: np.ndarray, lists: Dataset, gains: np.ndarray, k: int) -> tuple[np.ndarray, float]:
    """Shares (m,) of the members (n, m), and what their mix surely gains in nDCG@k over member 1.

    Surely: the mean over queries less 1.645 of its standard errors, so that few queries lean on the anchor and
    many go by the mean. Member 1 alone gains 0 for sure. One best mix would hang on a handful of queries, so
    the shares are the mean of the best ones over resamples of the queries (bagging: Breiman, 1996).
    """
    before = ndcg(members[:, 1], gains, lists.groups, k)
    grid = np.array([np.eye(members.shape[1])[1], *simplex(members.shape[1], STEPS)])
    gained = np.stack([ndcg(members @ shares, gains, lists.groups, k) - before for shares in grid], axis=1)
    gained = gained[~np.isnan(before)]
    if not len(gained):
        return grid[0], 0.0
    rng = np.random.default_rng(len(gained))
    draws = (gained[rng.integers(0, len(gained), len(gained))] for _ in range(RESAMPLES))
    shares = np.mean([grid[_lower_ends(drawn).argmax()] for drawn in draws], axis=0)
    mixed = ndcg(members @ shares, gains, lists.groups, k) - before
    return shares, float(_lower_ends(mixed[~np.isnan(mixed)][:, None])[0])


def _lower_ends(differences: np.ndarray) -> np.ndarray:
    """The lower end of each column's mean: (queries, columns) → (columns,)."""
    spread = differences.std(axis=0, ddof=1) if len(differences) > 1 else np.inf
    return differences.mean(axis=0) - CONFIDENT * np.nan_to_num(
        spread / np.sqrt(len(differences)), posinf=1.0
    )


def _column(data: Dataset, name: str) -> np.ndarray:
    if name not in data.schema.names:
        raise _bad(
            "train.base", f"the feature {name!r}", "a table without it", "name a feature of the full model"
        )
    return data.X[:, data.schema.names.index(name)].astype(np.float64)


def _filled(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Missing values as the lowest of their list; 0 where the whole list is missing."""
    lowest = np.fmin.reduceat(values, starts_of(groups)) if len(values) else values
    return np.where(np.isnan(values), np.nan_to_num(np.repeat(lowest, groups)), values)


def _bad(where: str, expected: str, got: str, cure: str) -> InputError:
    return InputError(where=where, expected=expected, got=got, cure=cure)


def leans_on(ranker: Ranker) -> dict[str, float]:
    """The share of each score that a fitted ranker leans on, by name; empty for one that leans on nothing."""
    if not isinstance(ranker, AnchoredRanker):
        return {}
    names = [*filter(None, [ranker.base]), *(["the earlier run"] if ranker.start else [])]
    return dict(zip(names, ranker.shares[1:].tolist(), strict=True))


def describe(ranker: Ranker) -> str:
    """What a fitted ranker leans on, and why, in words; nothing for one that leans on nothing."""
    shares = " and ".join(f"{name} by {figure(share, 2)}" for name, share in leans_on(ranker).items())
    few = ranker.few if isinstance(ranker, AnchoredRanker) else None
    return shares and f"leans on {shares}{f', since {few:,} training queries are few' if few else ''}"


def by_itself(ranker: Ranker) -> Ranker:
    """The ranker without what it leans on."""
    return ranker.ranker if isinstance(ranker, AnchoredRanker) else ranker
