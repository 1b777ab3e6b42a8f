"""The quantities that gates are made of, each read from the result.json of one report.

A metric says where in a report's `data` its number, interval and n stand, and which way is good. What is not
there is None: a gate then has no evidence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from llmbench.decision.units import Unit
from llmbench.errors import UsageError
from llmbench.numbers import finite
from llmbench.result_data import as_count, cell_label, ends_of, part_of, row_of, rows_of
from llmbench.shown import shown

__all__ = ["METRICS", "Measured", "Metric", "metric_named"]


@shown
class Measured(NamedTuple):
    """A number of a report; None where the report does not have it."""

    value: float | None
    low: float | None = None
    high: float | None = None
    n: int | None = None
    confidence: float = 0.95
    """Of the interval from `low` to `high`."""
    clusters: int | None = None
    """Independent groups behind it, where it is a Student's t interval of them."""
    among: int = 1
    """Of how many comparisons of its report it is one, where the report adjusts for that and `low` and `high`
    do not."""
    worst_low: float | None = None
    """The lower limit with every missing answer counted against the candidate."""
    best_high: float | None = None
    """The upper limit with every missing answer counted for it."""


NOTHING = Measured(None)
_Read = Callable[[Mapping[str, Any], str], Measured]


@dataclass(frozen=True, slots=True)
class Metric:
    """What a gate can ask for."""

    name: str
    source: str
    """The notebook whose result.json has it."""
    what: str
    unit: Unit
    read: _Read
    """From `data` and the candidate's name as that report writes it."""
    certain: bool = False
    """It has no interval because nothing in it was drawn: a count, a probability that is itself a statement
    of what is not known."""
    says: Literal["number", "chance", "p-value"] = "number"
    """Of a certain one. "chance": how likely it is that what is asked for is so; below the threshold it is
    not shown, and refuted only where the opposite is as likely as the threshold. "p-value": how likely such
    data are where all is well."""


def _compared(*, several: bool) -> _Read:
    """`several`: the candidate was picked among those of the report, which adjusts its verdicts for that."""

    def read(data: Mapping[str, Any], candidate: str) -> Measured:
        row = row_of(data, "comparisons", "candidate", candidate)
        low, high = ends_of(row.get("ci"))
        rivals = [
            each
            for each in rows_of(data, "comparisons")
            if each.get("baseline") == row.get("baseline") and finite(each.get("difference")) is not None
        ]
        return Measured(
            finite(row.get("difference")),
            low,
            high,
            as_count(row.get("n")),
            clusters=as_count(row.get("clusters")),
            among=max(1, len(rivals)) if several else 1,
            worst_low=finite(row.get("worst_case_low")),
            best_high=finite(row.get("best_case_high")),
        )

    return read


def _cell(data: Mapping[str, Any], candidate: str) -> Mapping[str, Any]:
    for row in rows_of(data, "models"):
        model, prompt, params = (row.get(key) for key in ("model", "prompt", "params"))
        if model and candidate in (model, cell_label(model, prompt), cell_label(model, prompt, params)):
            return row
    return {}


def _score(data: Mapping[str, Any], candidate: str) -> Measured:
    row = _cell(data, candidate)
    return Measured(finite(row.get("score")), *ends_of(row.get("score_ci")), as_count(row.get("n")))


def _missing(data: Mapping[str, Any], candidate: str) -> Measured:
    from llmbench.stats import wilson_interval

    row = _cell(data, candidate)
    missing, n = as_count(row.get("missing")), as_count(row.get("n"))
    total = (n or 0) + (missing or 0)
    if missing is None or n is None or not total:
        return NOTHING
    return Measured(missing / total, *wilson_interval(missing, total), total)


def _latency(data: Mapping[str, Any], candidate: str) -> Measured:
    row = _cell(data, candidate)
    times = part_of(row, "latency_ms")
    if not times:
        return NOTHING
    return Measured(finite(times.get("p95")), *ends_of(times.get("p95_ci")), as_count(row.get("n")))


def _arm(name: str) -> _Read:
    def read(data: Mapping[str, Any], candidate: str) -> Measured:
        row = row_of(data, "comparisons", "treatment", candidate)
        arms = [row_of(data, "arms", "arm", str(row.get(side))) for side in ("treatment", "control")]
        units = [as_count(arm.get("units")) for arm in arms]
        n = None if None in units or not row else sum(unit or 0 for unit in units)
        low, high = ends_of(row.get(f"{name}_ci"))
        return Measured(finite(row.get(name)), low, high, n)

    return read


def _nested(section: str, value: str) -> _Read:
    def read(data: Mapping[str, Any], candidate: str) -> Measured:
        inner = part_of(row_of(data, "comparisons", "treatment", candidate), section)
        ends = ends_of(inner.get("ci")) if value == "estimate" else (None, None)
        return Measured(finite(inner.get(value)), *ends)

    return read


def _split(data: Mapping[str, Any], candidate: str) -> Measured:  # noqa: ARG001 - of all arms
    return Measured(finite(part_of(data, "srm").get("p_value")))


def _served_by_other(data: Mapping[str, Any], candidate: str) -> Measured:
    arm = row_of(data, "arms", "arm", candidate)
    other, messages = finite(arm.get("served_by_other")), finite(arm.get("messages"))
    if other is None or not messages:
        return NOTHING
    return Measured(other / messages, n=int(messages))


def _drawn(value: str) -> _Read:
    """Of the machine that the report compares with the API that it decides against."""

    def read(data: Mapping[str, Any], candidate: str) -> Measured:  # noqa: ARG001 - rows are by what is compared
        rows = rows_of(data, "monte_carlo")
        row = rows[0] if rows else {}
        if value == "saving":
            return Measured(
                finite(row.get("p50")), finite(row.get("p10")), finite(row.get("p90")),
                confidence=0.8,
            )  # fmt: skip
        return Measured(finite(row.get(value)))

    return read


def _recommended(value: str, interval: str) -> _Read:
    def read(data: Mapping[str, Any], candidate: str) -> Measured:  # noqa: ARG001 - one recommendation
        row = part_of(data, "recommended")
        return Measured(finite(row.get(value)), *ends_of(row.get(interval)), as_count(row.get("n")))

    return read


def _repaid(data: Mapping[str, Any], candidate: str) -> Measured:  # noqa: ARG001 - one training
    return Measured(finite(part_of(data, "costs").get("break_even_requests")))


METRICS: Mapping[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("score", "model_matrix", "score of the candidate", "share", _score),
        Metric(
            "score_difference", "model_matrix", "candidate's score minus the baseline's, on the same items",
            "points", _compared(several=True),
        ),
        Metric(
            "missing_share", "model_matrix", "answers that failed after every retry, or were not recorded",
            "share", _missing,
        ),
        Metric("latency_p95_ms", "model_matrix", "time that 95% of the answers take", "ms", _latency),
        Metric("reply_ratio", "ab_test", "reply rate over the baseline's", "times", _arm("ratio")),
        Metric(
            "reply_difference", "ab_test", "reply rate minus the baseline's", "points",
            _arm("difference"),
        ),
        Metric("split_p_value", "ab_test", "p of the split of leads", "probability", _split, certain=True,
            says="p-value",
        ),
        Metric(
            "net_value_per_1000", "ab_test", "what 1,000 leads bring more, costs taken off", "usd",
            _nested("net_value_per_1000", "estimate"),
        ),
        Metric(
            "net_value_probability", "ab_test", "chance that the candidate brings more", "probability",
            _nested("net_value_per_1000", "probability_positive"), certain=True, says="chance",
        ),
        Metric(
            "served_by_other_share", "ab_test", "the candidate's messages that another model wrote", "share",
            _served_by_other, certain=True,
        ),
        Metric(
            "self_hosting_probability", "break_even", "chance that own machines cost less", "probability",
            _drawn("probability_cheaper"), certain=True, says="chance",
        ),
        Metric(
            "self_hosting_saving", "break_even", "USD a month that own machines save, p10 to p90", "usd",
            _drawn("saving"),
        ),
        Metric(
            "tuned_difference", "fine_tune", "the tuned model's score minus the baseline's", "points",
            _compared(several=False),
        ),
        Metric(
            "tuned_break_even_requests", "fine_tune", "requests after which the training is earned", "count",
            _repaid, certain=True,
        ),
        Metric(
            "routing_saving", "routing", "USD a month that routing saves", "usd",
            _recommended("expected_saving_usd", "saving_ci"),
        ),
        Metric(
            "routing_quality", "routing", "quality of the routed answers", "share",
            _recommended("expected_quality", "quality_ci"),
        ),
    )
}  # fmt: skip


def metric_named(name: str) -> Metric:
    """The metric called `name`. Raises UsageError with the nearest names.

    >>> metric_named("reply_ratio").source
    'ab_test'
    """
    found = METRICS.get(name)
    if found is None:
        near = difflib.get_close_matches(str(name), METRICS, n=2) or sorted(METRICS)
        raise UsageError(f"No metric is called {name!r}; there is {', '.join(near)}.")
    return found
