"""Decides whether a challenger takes the champion's place: guardrails, one by one."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from tfrec.config import UpdateConfig
from tfrec.evaluation.bootstrap import bootstrap_interval
from tfrec.updating.judging import Judged

TRAINED = "run"
"""The folder of the models that an update trains."""

Outcome = Literal["passed", "failed", "not judged"]


@dataclass(frozen=True)
class Check:
    """One guardrail.

    Attributes:
        name: what is measured.
        champion: the old models' figure; None if it is not known.
        challenger: the new models' figure.
        low: lower end of the 95 % interval of the difference, paired by shopper or item; None for
            figures that are no means over these.
        high: its upper end.
        limit: what the rule asks, in words.
        outcome: whether it holds.
        cases: shoppers, or new items, behind the figures.
    """

    name: str
    champion: float | None
    challenger: float | None
    low: float | None
    high: float | None
    limit: str
    outcome: Outcome
    cases: int


@dataclass(frozen=True)
class Verdict:
    """The decision.

    Attributes:
        passed: whether the challenger is to be published.
        reason: why, in one sentence.
        checks: the guardrails.
        run: folder of the challenger in its generation's.
    """

    passed: bool
    reason: str
    checks: list[Check]
    run: str = TRAINED

    def to_json(self) -> dict[str, Any]:
        """Returns plain values."""
        return asdict(self)

    @classmethod
    def of_json(cls, content: dict[str, Any]) -> "Verdict":
        """Reads what `to_json` returned."""
        return cls(**{**content, "checks": [Check(**each) for each in content["checks"]]})


def decide(
    champion: Judged,
    challenger: Judged,
    config: UpdateConfig,
    *,
    latency: list[float] | None,
    seed: int,
) -> Verdict:
    """Compares two recommenders that were judged on the same cases.

    Over all shoppers the challenger may lose `most_loss` of the champion's NDCG. New items and new
    shoppers are few, so there a loss counts that is beyond `most_loss_of_part` and certain (the
    whole interval is below zero).

    Args:
        champion: the old models.
        challenger: the new ones.
        config: the limits.
        latency: median milliseconds of an answer, of the champion and of the challenger.
        seed: of the bootstrap.
    """
    checks = [
        _accuracy(
            f"NDCG@{config.cutoff}, all shoppers",
            champion.ndcg,
            challenger.ndcg,
            config.most_loss,
            config.least_cases,
            seed=seed,
            certain=False,
        ),
        _accuracy(
            f"NDCG@{config.cutoff}, new items",
            champion.ndcg_new_items,
            challenger.ndcg_new_items,
            config.most_loss_of_part,
            config.least_new_items,
            seed=seed,
            certain=True,
        ),
        _accuracy(
            f"NDCG@{config.cutoff}, new shoppers",
            champion.ndcg_new_shoppers,
            challenger.ndcg_new_shoppers,
            config.most_loss_of_part,
            config.least_cases,
            seed=seed,
            certain=True,
        ),
        _figure(
            "coverage",
            champion.coverage,
            challenger.coverage,
            f"at most {config.most_loss_of_coverage:.0%} lost",
            challenger.coverage >= (1.0 - config.most_loss_of_coverage) * champion.coverage,
            len(champion.ndcg),
        ),
        _figure(
            "calibration error",
            champion.calibration_error,
            challenger.calibration_error,
            f"at most {config.most_calibration_error:g} more",
            challenger.calibration_error
            <= champion.calibration_error + config.most_calibration_error,
            len(champion.ndcg),
        ),
    ]
    if latency is not None and config.most_slower is not None:
        before, after = latency
        limit = f"at most {config.most_slower:.0%} slower"
        fast = after <= (1.0 + config.most_slower) * before
        checks.append(_figure("milliseconds an answer", before, after, limit, fast, 1))
    return _verdict(checks)


def _verdict(checks: list[Check]) -> Verdict:
    failed = [check for check in checks if check.outcome == "failed"]
    first = checks[0]
    if failed:
        told = "; ".join(
            f"{check.name} {check.champion:.4g} -> {check.challenger:.4g} ({check.limit})"
            for check in failed
        )
        return Verdict(False, f"the new models miss a guardrail: {told}", checks)
    if first.outcome == "not judged":
        reason = f"too few shoppers ({first.cases}) to judge the new models on the newest days"
        return Verdict(False, reason, checks)
    return Verdict(
        True,
        f"the new models hold all guardrails: {first.name} {first.champion:.4f} -> "
        f"{first.challenger:.4f}",
        checks,
    )


def _accuracy(
    name: str,
    before: np.ndarray,
    after: np.ndarray,
    most_loss: float,
    least_cases: int,
    *,
    seed: int,
    certain: bool,
) -> Check:
    limit = f"at most {most_loss:.0%} lost" + (" for certain" if certain else "")
    if len(before) < least_cases:
        return Check(name, None, None, None, None, limit, "not judged", len(before))
    low, high = bootstrap_interval((after - before)[:, None], seed=seed)
    old, new = float(before.mean()), float(after.mean())
    lost = new < (1.0 - most_loss) * old and (not certain or float(high[0]) < 0)
    outcome: Outcome = "failed" if lost else "passed"
    return Check(name, old, new, float(low[0]), float(high[0]), limit, outcome, len(before))


def _figure(name: str, before: float, after: float, limit: str, holds: bool, cases: int) -> Check:
    if np.isnan(before) or np.isnan(after):
        return Check(name, None, None, None, None, limit, "not judged", cases)
    outcome: Outcome = "passed" if holds else "failed"
    return Check(name, before, after, None, None, limit, outcome, cases)
