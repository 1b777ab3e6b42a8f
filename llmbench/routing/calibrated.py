"""A calibrated router: what was learned, the threshold that was certified, and what it saves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from llmbench.routing.drift import DriftMonitor, DriftReference
from llmbench.routing.success_scorer import SuccessScorer
from llmbench.routing.table import Choice
from llmbench.shown import shown

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["CalibratedRouting", "Certificate", "Expected", "GainFound", "Provenance", "Scored", "Status"]

Pair = tuple[float, float]


class Status(StrEnum):
    """What the calibration came to."""

    ROUTE = "route"
    """A threshold is certified, and its choices are better than a coin's."""
    CHEAPEST = "cheapest"
    """Even all prompts to the cheapest model lose no more than the tolerance."""
    NO_GAIN = "no gain"
    """The choices are not shown to be better than a coin's: route nothing."""
    NOT_CERTIFIED = "not certified"
    """No threshold is shown to stay within the tolerance: route nothing."""
    NO_CHEAPER = "no cheaper model"
    """The best model is also the cheapest."""
    NOT_ENOUGH_DATA = "not enough data"
    """Fewer calibration prompts than a certificate needs: route nothing."""


class Certificate(NamedTuple):
    """The guarantee, and what it rests on."""

    tolerance: float
    """Share of the strong model's quality that may be lost."""
    level: float
    """The chance, over draws of the calibration prompts, that more is lost."""
    n: int
    """Calibration prompts with a score of every model. None of them trained anything."""
    units: int
    """Independent clusters among them."""
    left_out: int
    """Calibration prompts without a score of some model."""
    tested: int
    """Thresholds in the sequence."""
    passed: int
    """Of those, rejected before the first that was not."""
    p_value: float | None
    """Of the last threshold passed."""
    holds_if_missing_are_worst: bool | None
    """Whether it would pass with the prompts left out counted as right for the strong model and wrong for
    the other; None where none was left out, or nothing passed."""


class GainFound(NamedTuple):
    """See `llmbench.routing.routing_gain`."""

    difference: float | None
    interval: Pair | None
    p_value: float | None
    level: float


class Expected(NamedTuple):
    """What the choice of models gives on the calibration prompts."""

    shares: Mapping[str, float]
    """Of prompts that each model gets."""
    quality: float
    quality_interval: Pair | None
    strong_quality: float
    quality_lost: float
    """Strong minus routed."""
    quality_lost_interval: Pair | None
    cost_usd: float | None
    """Mean per prompt; None where a cost is not known."""
    strong_cost_usd: float | None
    saving_usd: float | None
    """Mean per prompt."""
    saving_interval: Pair | None
    confidence: float


class Provenance(NamedTuple):
    """Where it comes from."""

    data_sha256: str
    prompts: int
    trained_prompts: int
    missing: Mapping[str, int]
    """Prompts without a score, by model: left out for that model."""
    penalties: Mapping[str, float]
    seed: int
    made_on: str
    """Date, UTC."""
    versions: Mapping[str, str]


class Scored(NamedTuple):
    """A prompt as the router sees it."""

    model: str
    success: Mapping[str, float]
    """The chance of each model."""
    watched: tuple[float, ...]
    """What the drift monitor counts."""


@shown
@dataclass(frozen=True, slots=True, eq=False)
class CalibratedRouting:
    """Made by `ModelRouter.calibrate`; given to `ModelRouter(routes=...)`, or saved and given by its path."""

    name: str
    models: tuple[str, ...]
    """Those that may be asked, the cheapest first; `strong` is the last."""
    strong: str
    status: Status
    summary: str
    """The recommendation in words."""
    threshold: float | None
    """A cheaper model is asked where its chance is at most this much below the strong model's. None: all
    goes to the strong model."""
    scorer: SuccessScorer
    quality: tuple[str, ...]
    """Models by falling mean score."""
    certificate: Certificate
    gain: GainFound
    expected: Expected | None
    drift: DriftReference
    provenance: Provenance
    trained_on: tuple[int, ...] = ()
    """Places of the prompts that trained it. Not kept in the file, as `certified_on`."""
    certified_on: tuple[int, ...] = ()
    monitor: DriftMonitor = field(init=False, repr=False)

    fallback = ()
    speed = ()
    experiment = None
    task_types: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "monitor", DriftMonitor(self.drift))

    @property
    def routes(self) -> bool:
        """Whether any model but the strong one is asked."""
        return self.threshold is not None

    def score(self, prompt: str) -> Scored:
        """The model for a prompt, and why; whatever the drift monitor says. Counts nothing."""
        chances = dict(zip(self.scorer.models, self.scorer.success(prompt), strict=True))
        best = chances[self.strong]
        chosen = self.strong
        if self.threshold is not None:
            limit = self.threshold
            chosen = next((m for m in self.models if best - chances[m] <= limit), self.strong)
        watched = (best - chances[self.models[0]], best, math.log1p(len(prompt)))
        return Scored(chosen, chances, watched)

    def choose(self, prompt: str, *, one_turn: bool = True, observe: bool = False) -> Choice:
        """The models for a prompt, the first first. `observe` lets the drift monitor count it.

        All goes to the strong model while the monitor has an alarm; and conversations of several turns
        do (`one_turn=False`), as the certificate is of single prompts.
        """
        if not one_turn:
            return self._to_strong("several turns", "the guarantee is of single prompts")
        if self.threshold is None:
            return self._to_strong(self.status.value, f"nothing is routed: {self.status.value}")
        found = self.score(prompt)
        alarm = self.monitor.observe(found.watched) if observe else self.monitor.alarm
        if alarm is not None:
            return self._to_strong("drift", f"the guarantee is void: {alarm}")
        best, own = found.success[self.strong], found.success[found.model]
        if found.model == self.strong:
            nearest = max(found.success[m] for m in self.models if m != self.strong)
            reason = (
                f"its chance {best:.2f} is more than {self.threshold:+.3f} above {nearest:.2f} of the others"
            )
        else:
            reason = (
                f"its chance {own:.2f} against {best:.2f} of {self.strong} is within {self.threshold:+.3f}"
            )
        return Choice("calibrated", reason, self._order(found.model))

    def save(self, path: str | Path) -> Path:
        """Write it as JSON, which can execute nothing. Raises UsageError where it is too large."""
        from llmbench.routing.calibrated_file import save

        return save(self, path)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read what `save` wrote. Raises ConfigError for a file that is none, or damaged."""
        from llmbench.routing.calibrated_file import load

        return load(path)  # type: ignore[return-value]

    def data(self) -> dict[str, Any]:
        """What a report keeps; null is unknown."""
        expected = self.expected
        return {
            "status": self.status.value,
            "summary": self.summary,
            "strong": self.strong,
            "recommended": {
                "threshold": self.threshold,
                "expected_quality": expected.quality if expected else None,
                "quality_ci": _list(expected and expected.quality_interval),
                "expected_saving_usd": expected.saving_usd if expected else None,
                "saving_ci": _list(expected and expected.saving_interval),
                "shares": dict(expected.shares) if expected else None,
            },
            "certificate": self.certificate._asdict(),
            "gain": {**self.gain._asdict(), "interval": _list(self.gain.interval)},
        }

    def _to_strong(self, rule: str, reason: str) -> Choice:
        return Choice(rule, reason, self._order(self.strong))

    def _order(self, first: str) -> tuple[str, ...]:
        return tuple(dict.fromkeys((first, self.strong, *self.quality)))

    def __repr__(self) -> str:
        return f"CalibratedRouting({self.status.value}: {self.summary!r})"


def _list(pair: Pair | None) -> list[float] | None:
    return None if pair is None else list(pair)
