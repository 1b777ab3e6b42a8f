"""What result.json says of an experiment; null is unknown, or not to be shown yet."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from llmbench.stats import Interval
from llmbench.stats.intervals import UNKNOWN_INTERVAL

if TYPE_CHECKING:
    from llmbench.abtest.results import AbResult, ArmResult, Comparison

__all__ = ["comparison_data", "comparison_of", "remembered_data", "result_data"]


def result_data(result: AbResult) -> dict[str, Any]:
    """`data` of the report's result.json; `simulated` is a key of it only where the data are."""
    segments = result.segments
    data = {
        "srm": {"p_value": _known(result.health.p_value), "healthy": result.health.healthy},
        "arms": [_arm_data(arm) for arm in result.arms],
        "comparisons": [comparison_data(each) for each in result.comparisons],
        "power": {
            "mde": _known(result.power.mde),
            "units_needed": _whole(result.power.units_needed),
            "days_needed": _known(result.power.days_needed),
        },
        "segments": [
            {
                "column": e.column, "segment": e.segment, "treatment": e.treatment, "units": e.units,
                "control_units": e.control_units, "replies": e.replies, "control_replies": e.control_replies,
                "difference": _known(e.difference), "difference_ci": _pair(e.difference_ci),
                "ratio": _known(e.ratio), "ratio_ci": _pair(e.ratio_ci),
                "p_value": _known(e.p_value), "p_adjusted": _known(e.p_adjusted),
            }
            for e in (segments.effects if segments else ())
        ],
        "looks": [
            {
                "look": look.number, "cut_off": look.cut_off.isoformat(), "units": look.units,
                "information": look.information, "seen_at": look.seen_at.isoformat(),
            }
            for look in result.looks
        ],
        "excluded": [{"reason": e.reason, "rows": e.rows} for e in result.excluded],
    }  # fmt: skip
    return data | {"simulated": True} if result.counts.simulated else data


def comparison_data(c: Comparison) -> dict[str, Any]:
    """One comparison, as in result.json."""
    net, sequential, bayes = c.net_value, c.sequential, c.bayes
    return {
        "control": c.control,
        "treatment": c.treatment,
        "difference": _known(c.difference),
        "difference_ci": _pair(c.difference_ci),
        "ratio": _known(c.ratio),
        "ratio_ci": _pair(c.ratio_ci),
        "p_value": _known(c.p_value),
        "p_adjusted": _known(c.p_adjusted),
        "method": c.method,
        "non_inferiority": {
            "margin": c.margin, "scale": c.scale, "p_value": _known(c.margin_p), "passed": c.passed,
        },
        "verdict": c.verdict,
        "net_value_per_1000": None if net is None else {
            "estimate": _known(net.estimate), "ci": _pair(net.ci),
            "probability_positive": net.probability_positive,
        },
        "sequential": None if sequential is None else {
            "kind": sequential.kind, "looks": sequential.looks, "crossed": sequential.crossed,
            "ci": _pair(sequential.ci),
        },
        "bayes": None if bayes is None else {
            "probability_better": bayes.probability_better, "expected_loss": bayes.expected_loss,
        },
    }  # fmt: skip


def remembered_data(c: Comparison) -> dict[str, Any]:
    """What the ledger remembers of one comparison of a look."""
    return comparison_data(c) | {
        "control_rate": c.control_rate,
        "net_value_look_confidence": None if c.net_value is None else c.net_value.look_confidence,
    }


def comparison_of(data: dict[str, Any], look: int) -> Comparison:
    """What `remembered_data` was made of, as far as it says."""
    from llmbench.abtest.money import NetValue
    from llmbench.abtest.results import Bayes, Comparison, Sequential

    net, sequential, bayes = data["net_value_per_1000"], data["sequential"], data["bayes"]
    return Comparison(
        data["control"],
        data["treatment"],
        data["non_inferiority"]["margin"],
        data["non_inferiority"]["scale"],
        data["verdict"],
        data["difference"],
        _interval(data["difference_ci"]),
        data["ratio"],
        _interval(data["ratio_ci"]),
        data["p_value"],
        data["p_adjusted"],
        data["method"],
        data["non_inferiority"]["p_value"],
        None if net is None
        else NetValue(
            net["estimate"],
            _interval(net["ci"]) or UNKNOWN_INTERVAL,
            net["probability_positive"],
            data.get("net_value_look_confidence"),
        ),
        None if sequential is None
        else Sequential(
            sequential["kind"], sequential["looks"], sequential["crossed"], _interval(sequential["ci"])
        ),
        None if bayes is None else Bayes(bayes["probability_better"], bayes["expected_loss"]),
        look,
        data.get("control_rate"),
    )  # fmt: skip


def _arm_data(arm: ArmResult) -> dict[str, Any]:
    cost = arm.cost
    return {
        "arm": arm.arm,
        "messages": arm.messages,
        "units": arm.units,
        "replies": arm.replies,
        "rate": _known(arm.rate),
        "rate_ci": _pair(arm.rate_ci),
        "cost_usd": _known(cost.cost_usd),
        # With the replies of an arm before a look, its cost per reply would tell them.
        "cost_per_reply": None if arm.replies is None else _known(cost.per_reply),
        "cost_per_reply_ci": None if arm.replies is None else _pair(cost.per_reply_ci),
        "served_by_other": arm.served_by_other,
    }


def _known(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def _whole(value: float | None) -> int | None:
    return None if value is None or not math.isfinite(value) else math.ceil(value - 1e-9)


def _pair(interval: Interval | None) -> list[float | None] | None:
    """An infinite limit is null; so is an interval of which nothing is known."""
    if interval is None or (math.isnan(interval.low) and math.isnan(interval.high)):
        return None
    return [_known(interval.low), _known(interval.high)]


def _interval(pair: list[float | None] | None) -> Interval | None:
    if pair is None:
        return None
    low, high = pair
    return Interval(-math.inf if low is None else low, math.inf if high is None else high)
