"""The data doctor's call before training: what it is shown, and what stops the run."""

from __future__ import annotations

from collections.abc import Sequence

from features.errors import InputError
from ltr.config.tree import Config
from ltr.data.doctor import Finding, examine
from ltr.data.splits import Fold
from ltr.pipeline.prepare import Prepared


def diagnose(config: Config, prepared: Prepared, folds: Sequence[Fold]) -> list[Finding]:
    return examine(
        prepared.table.frame,
        prepared.collection.queries,
        folds,
        relevant_from=config.evaluation.relevant_from,
        limits={config.ranker.kind: config.ranker.limits},
    )


def stop_on_failure(findings: Sequence[Finding]) -> None:
    """Raise InputError for the first FAIL: a model trained on such data would mislead."""
    failed = [finding for finding in findings if finding.level == "FAIL"]
    if failed:
        more = f" (and {len(failed) - 1} more failed checks)" if len(failed) > 1 else ""
        raise InputError(
            where="data doctor",
            expected=f"{failed[0].check!r} to pass",
            got=failed[0].evidence + more,
            cure=failed[0].cure,
        )
