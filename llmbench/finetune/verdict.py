"""Whether a tuned model should take over: one rule over what was measured.

the evaluation was seen in training                         HOLD
the tuned model is worse, or it gains less than is asked    NO_GO
better, or not worse and cheaper:                           GO
  ... but a price is not known, it costs more than what
  its right answers are said to be worth, it has lost or
  may have lost what it could do otherwise, or nobody
  looked for the evaluation in the training file            GO_WITH_CONDITIONS
anything else                                               HOLD

Cheaper is what has earned its training within the horizon.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from llmbench.finetune.payback import Payback
from llmbench.money import dollars, signed_dollars
from llmbench.numbers import signed, signed_points
from llmbench.results import Decision, Verdict
from llmbench.stats.intervals import Interval

__all__ = ["Gain", "GainVerdict", "TuningEvidence", "tuning_verdict"]

GainVerdict = Literal["better", "not worse", "worse", "cannot tell"]


@dataclass(frozen=True, slots=True)
class Gain:
    """Tuned minus another on the same items, in score (0..1)."""

    tuned: str
    against: str
    difference: float | None
    ci: Interval | None
    n: int
    verdict: GainVerdict
    margin: float
    items_needed: int | None = None
    """About so many more items would settle a "cannot tell"; None where no realistic number does."""


@dataclass(frozen=True, slots=True)
class TuningEvidence:
    """All that the rule looks at."""

    gain: Gain
    """On the task, against the best that a prompt alone gets out of the base model."""
    least_gain: float
    """A smaller gain is not worth the work, in score."""
    money: Payback
    value_per_answer_usd: float
    """What one more right answer is worth; 0: nobody has said."""
    general: Gain | None = None
    """On questions that it was not trained for; None: not looked at."""
    seen_in_training: int | None = 0
    """Lines of the training file that hold items of the evaluation, word for word or nearly; None: not looked
    for.
    """
    horizon_months: float = 24.0
    """Within which a training has to be earned."""

    @property
    def usd_per_month(self) -> float | None:
        """What the tuned model costs more, its training spread over the horizon; negative where it saves.
        None: not known.
        """
        saving, training = self.money.saving_per_month, self.money.tuned.training_usd
        return None if saving is None or training is None else training / self.horizon_months - saving


def tuning_verdict(evidence: TuningEvidence) -> Verdict:
    """The decision, its sentence and its reasons."""
    gain = evidence.gain
    reasons = [_measured(gain, "on the task"), *_worth(evidence), evidence.money.reason]
    if evidence.general is not None:
        reasons.append(_measured(evidence.general, "on what it was not trained for"))
    if evidence.seen_in_training:
        count = evidence.seen_in_training
        lines = f"{count:,} lines of the training file hold items" if count > 1 else (
            "a line of the training file holds an item"
        )  # fmt: skip
        summary = f"Nothing can be said of {gain.tuned}: {lines} of the evaluation."
        return Verdict(Decision.HOLD, summary, reasons)
    if gain.verdict == "worse":
        return Verdict(Decision.NO_GO, f"{gain.tuned} is worse than {gain.against}{_by(gain)}.", reasons)
    more = evidence.usd_per_month
    saves = (evidence.money.saving_per_month or 0.0) > 0
    cheaper = saves and (more is None or more <= 0)
    gains_too_little = gain.ci is not None and gain.ci.high < evidence.least_gain
    if gains_too_little and not (gain.verdict == "not worse" and cheaper):
        least = f"{100 * evidence.least_gain:g} points"
        return Verdict(
            Decision.NO_GO, f"{gain.tuned} gains less than {least} over {gain.against}{_by(gain)}.", reasons
        )
    if gain.verdict == "better" or (gain.verdict == "not worse" and cheaper):
        return _good(evidence, reasons)
    if gain.verdict == "not worse":
        but = "neither better nor cheaper"
        if saves:
            but = f"its training does not come back within {evidence.horizon_months:g} months"
        summary = f"{gain.tuned} is not worse than {gain.against}{_by(gain)}, and {but}."
        return Verdict(Decision.HOLD, summary, reasons)
    needed = f": about {gain.items_needed:,} more items are needed" if gain.items_needed else ""
    return Verdict(
        Decision.HOLD,
        f"It cannot be told yet whether {gain.tuned} is better than {gain.against}{_by(gain)}{needed}.",
        reasons,
    )


def _worth(evidence: TuningEvidence) -> list[str]:
    """What the gain is worth in a month, in right answers and, where somebody has said so, in USD."""
    gain, requests, each = evidence.gain, evidence.money.requests_per_month, evidence.value_per_answer_usd
    if gain.difference is None or gain.ci is None or not requests:
        return []
    middle, low, high = (_count(share * requests) for share in (gain.difference, *gain.ci))
    found = f"At {requests:,.0f} requests a month that is {middle} right answers ({low} to {high})"
    if each <= 0:
        return [f"{found}; nobody has said what one is worth."]
    usd, usd_low, usd_high = (
        signed_dollars(share * requests * each) for share in (gain.difference, *gain.ci)
    )
    return [f"{found}, worth {usd} ({usd_low} to {usd_high}) at {dollars(each)} each."]


def _count(number: float) -> str:
    return signed(number, "+,.0f")


def _good(evidence: TuningEvidence, reasons: list[str]) -> Verdict:
    gain, money = evidence.gain, evidence.money
    how = "better than" if gain.verdict == "better" else "as good as, and cheaper than,"
    conditions = [*_of_money(evidence), *_of_forgetting(evidence)]
    if evidence.seen_in_training is None:
        conditions.append("nobody looked whether the training file has the evaluation's questions")
    summary = f"{gain.tuned} is {how} {gain.against}{_by(gain)}"
    if conditions:
        return Verdict(Decision.GO_WITH_CONDITIONS, f"{summary}; {'; '.join(conditions)}.", reasons)
    if money.break_even_months is not None and money.break_even_months <= evidence.horizon_months:
        summary += f", and its training of {dollars(money.tuned.training_usd)} comes back"
    return Verdict(Decision.GO, f"{summary}.", reasons)


def _of_money(evidence: TuningEvidence) -> list[str]:
    money, gain, more = evidence.money, evidence.gain, evidence.usd_per_month
    if more is None:
        return ["what it costs is not known"]
    if more <= 0:
        return []
    answers = money.requests_per_month * (gain.difference or 0.0)
    each = more / answers if answers > 0 else None
    if each is None:
        return ["it costs more, and without requests no gain is there to hold that against"]
    if evidence.value_per_answer_usd <= 0:
        return [f"each further right answer costs {dollars(each)}, and nobody has said what it is worth"]
    if each > evidence.value_per_answer_usd:
        worth = dollars(evidence.value_per_answer_usd)
        return [f"each further right answer costs {dollars(each)} and is worth {worth}"]
    return []


def _of_forgetting(evidence: TuningEvidence) -> list[str]:
    general = evidence.general
    if general is None:
        return ["what it has forgotten was not looked at"]
    if general.verdict == "worse":
        return ["it has lost what it could do otherwise, so give it this task only"]
    if general.verdict == "cannot tell":
        return ["whether it has lost what it could do otherwise cannot be told, so give it this task only"]
    return []


def _by(gain: Gain) -> str:
    if gain.difference is None or gain.ci is None:
        return ""
    difference, low, high = (signed_points(value) for value in (gain.difference, *gain.ci))
    return f" ({difference} points, {low} to {high}, n = {gain.n:,})"


def _measured(gain: Gain, where: str) -> str:
    return f"{gain.tuned} against {gain.against} {where}: {gain.verdict}{_by(gain)}."
