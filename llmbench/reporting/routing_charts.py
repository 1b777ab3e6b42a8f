"""Tables and figures of the notebook `routing`."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.money import dollars
from llmbench.numbers import signed, signed_points
from llmbench.reporting.figures import DASHED, PALETTE, Plot, house_style, new_figure
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.routing_report import category_losses, monthly_saving
from llmbench.reporting.wording import estimate, p_value, percent
from llmbench.stats import Interval
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from llmbench.reporting.routing_report import RoutingStudy
    from llmbench.routing.curve import Curve

__all__ = [
    "budget_figure",
    "budget_table",
    "category_table",
    "curve_figure",
    "deploy_text",
    "policy_table",
    "recommended_table",
]

_THOUSAND = 1000
_DRAWN = {"learned": "blue", "category": "green", "prompt length": "orange", "random": "grey"}
_HINTS = "oracle"
"""Nobody can know it: a bound, and no way to choose."""


def policy_table(study: RoutingStudy) -> ReportTable | None:
    """Ways to choose between the cheapest model and the strong one; None where there is no cheaper one."""
    import pandas as pd

    evaluation = study.evaluation
    if evaluation is None:
        return None
    rows = sorted(evaluation.policies, key=lambda row: (math.isnan(row.apgr), -row.apgr))
    shown = pd.DataFrame(
        [
            {
                "how the model is chosen": _called(row.name, study),
                "APGR": _ratio(row.apgr, row.apgr_interval),
                "learned is better by": (
                    NONE if row.name == "learned" else _ratio(row.difference, row.difference_interval)
                ),
                "calls of the strong model for half of the gap": (
                    NONE if math.isnan(row.cpt50) else percent(row.cpt50)
                ),
                "quality": estimate(row.quality, row.quality_interval, percent),
                "at strong calls": percent(row.strong_share),
                "$ per 1,000 requests": (
                    UNKNOWN if math.isnan(row.cost_usd) else dollars(_THOUSAND * row.cost_usd)
                ),
            }
            for row in rows
        ]
    )
    return ReportTable(evaluation.to_pandas(), shown, tuple(shown.columns[1:]))


def recommended_table(study: RoutingStudy) -> ReportTable | None:
    """What the certified file gives, beside the strong model always; None where nothing is routed."""
    import pandas as pd

    expected, routing = study.routing.expected, study.routing
    if expected is None or routing.threshold is None:
        return None
    saving = monthly_saving(study)
    lost = expected.quality_lost_interval
    rows: list[tuple[str, str, float | None, float | None, float | None]] = [
        ("share of " + model, percent(share), share, None, None) for model, share in expected.shares.items()
    ]
    rows += [
        (
            "quality, routed", estimate(expected.quality, _pair(expected.quality_interval), percent),
            expected.quality, *(expected.quality_interval or (None, None)),
        ),
        (
            "quality, always " + routing.strong, percent(expected.strong_quality), expected.strong_quality,
            None, None,
        ),
        (
            "quality lost, points", estimate(expected.quality_lost, _pair(lost), signed_points),
            expected.quality_lost, *(lost or (None, None)),
        ),
        (
            f"saved a month, {study.requests_per_month:,.0f} requests",
            UNKNOWN if saving is None else estimate(saving[0], saving[1], dollars),
            None if saving is None else saving[0], *(saving[1] if saving is not None else (None, None)),
        ),
        (
            "asked where the chances differ by at most", signed(routing.threshold, "+.3f"),
            routing.threshold, None, None,
        ),
    ]  # fmt: skip
    frame = pd.DataFrame(
        [(name, *numbers) for name, _, *numbers in rows], columns=["what", "value", "low", "high"]
    )
    shown = pd.DataFrame([(name, text) for name, text, *_ in rows], columns=["what", "value"])
    return ReportTable(frame, shown, ("value",))


@house_style()
def curve_figure(study: RoutingStudy) -> Plot | None:
    """Quality against dollars (or the share of strong calls) of what was learned and of the baselines; None
    where there is no cheaper model or no gap between the two.
    """
    import pandas as pd

    evaluation = study.evaluation
    if evaluation is None or evaluation.reason is not None:
        return None
    priced = evaluation.curve.cost_usd is not None
    figure, axes = new_figure(height=3.8)
    frames = []
    for name, curve in evaluation.curves().items():
        if name not in _DRAWN and name != _HINTS:
            continue
        x = _THOUSAND * curve.cost_usd if priced and curve.cost_usd is not None else 100 * curve.share
        dashed = name == _HINTS
        axes.plot(
            x, 100 * curve.quality, color=PALETTE[_DRAWN.get(name, "ink")],
            linewidth=2.4 if name == "learned" else 1.3, linestyle=(0, (2, 2)) if dashed else "-",
        )  # fmt: skip
        frames.append(
            pd.DataFrame(
                {"policy": name, "strong_share": curve.share, "quality": curve.quality,
                 "usd_per_1k": _THOUSAND * curve.cost_usd if curve.cost_usd is not None else math.nan}
            )
        )  # fmt: skip
        _name_curve(axes, name, curve, priced)
    _mark_recommended(axes, study, priced)
    axes.margins(y=0.1)
    axes.set_xlabel("cost of 1,000 requests, USD" if priced else "calls of the strong model, %")
    if priced:
        axes.xaxis.set_major_formatter("${x:,g}")
    axes.set_ylabel("quality, %")
    axes.set_title("What the strong model's calls buy")
    caption = (
        f"From {study.weak} alone (left) to {study.routing.strong} alone (right), {evaluation.n:,} prompts. "
        "Blue: by chances that were learned without the prompt in question. Dashed: what nobody can know, "
        f"the best choice for each prompt.{_diamond(study)}"
    )
    return Plot(figure, pd.concat(frames, ignore_index=True), caption)


@house_style()
def budget_figure(study: RoutingStudy) -> Plot | None:
    """APGR by the number of labelled prompts, beside the length of the prompt; None without a curve."""
    if len(study.budget) < 2:
        return None
    figure, axes = new_figure(height=3.4)
    labels = [point.labels for point in study.budget]
    alone = study.budget[0].length_apgr
    axes.axhline(alone, color=PALETTE["orange"], linewidth=1.3, linestyle=DASHED)
    axes.annotate(
        "prompt length", (labels[-1], alone), xytext=(0, 4), textcoords="offset points", fontsize=8,
        color=PALETTE["orange"], ha="right",
    )  # fmt: skip
    axes.plot(labels, [point.apgr for point in study.budget], "o-", color=PALETTE["blue"], linewidth=2)
    for point in study.budget:
        low, high = alone + point.interval.low, alone + point.interval.high
        axes.vlines(point.labels, low, high, color=PALETTE["blue"], linewidth=2)
    axes.set_xlabel("labelled prompts")
    axes.set_ylabel("APGR")
    axes.margins(x=0.08)
    axes.set_title("What each label bought")
    frame = _budget_frame(study)
    caption = (
        "Of prompts that were in no fit (nested cross-validation). Bars: intervals of the difference to the "
        "prompt's length, paired, drawn from its line."
    )
    return Plot(figure, frame, caption)


def budget_table(study: RoutingStudy) -> ReportTable | None:
    """The points of `budget_figure`; None where there are none."""
    import pandas as pd

    if not study.budget:
        return None
    frame = _budget_frame(study)
    shown = pd.DataFrame(
        [
            {
                "labelled prompts": f"{point.labels:,}",
                "APGR": _ratio(point.apgr, None),
                "more than prompt length": _ratio(point.difference, point.interval),
                "clear of it": "yes" if point.clear else "no",
            }
            for point in study.budget
        ]
    )
    return ReportTable(frame, shown, tuple(shown.columns[:3]))


def category_table(study: RoutingStudy) -> ReportTable | None:
    """The categories that lose most by routing; None without categories."""
    import pandas as pd

    found = category_losses(study)
    if not found:
        return None
    frame = pd.DataFrame(
        [
            {"category": c.category, "n": c.n, "cheap_share": c.cheap_share, "lost": c.lost, "low": c.ci.low,
             "high": c.ci.high, "p_adjusted": c.p_adjusted}
            for c in found
        ]
    )  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "category": c.category,
                "prompts": f"{c.n:,}",
                "not asked of the strong model": percent(c.cheap_share),
                "quality lost, points": estimate(c.lost, c.ci, signed_points),
                "p adjusted": p_value(c.p_adjusted),
            }
            for c in found
        ]
    )
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def deploy_text(study: RoutingStudy) -> str:
    """How the file is put to work."""
    if not study.routing.routes:
        return f"There is no file to deploy: every request goes to {study.routing.strong}, which needs none."
    return (
        'ModelRouter(providers, routes="routes.json") routes by it under RoutingStrategy.SMART, without '
        "scikit-learn and without a call. It goes to the strong model in conversations of several turns, and "
        "whenever its drift monitor says that prompts are not what they were. The file holds words of the "
        "prompts and nothing that can be run."
    )


def _diamond(study: RoutingStudy) -> str:
    expected = study.routing.expected
    if expected is None or not study.routing.routes:
        return ""
    return (
        f" Diamond: the certified file, on the {study.routing.certificate.n:,} prompts that trained nothing, "
        f"of which the strong model alone gets {percent(expected.strong_quality)}."
    )


def _budget_frame(study: RoutingStudy) -> pd.DataFrame:
    import pandas as pd

    rows = [{**p._asdict(), "low": p.interval.low, "high": p.interval.high} for p in study.budget]
    return pd.DataFrame(rows).drop(columns=["interval"])


def _name_curve(axes: Axes, name: str, curve: Curve, priced: bool) -> None:
    import numpy as np

    share = {"learned": 0.30, "category": 0.45, "prompt length": 0.55, "random": 0.6, _HINTS: 0.5}[name]
    ways = _THOUSAND * curve.cost_usd if priced and curve.cost_usd is not None else 100 * curve.share
    x, y = (float(np.interp(share, curve.share, along)) for along in (ways, 100 * curve.quality))
    above = name in {"learned", _HINTS}
    axes.annotate(
        name, (x, y), xytext=(0, 6 if above else -12),
        textcoords="offset points", fontsize=8, color=PALETTE[_DRAWN.get(name, "ink")],
    )  # fmt: skip


def _mark_recommended(axes: Axes, study: RoutingStudy, priced: bool) -> None:
    expected = study.routing.expected
    if expected is None or not study.routing.routes:
        return
    x = 100 * expected.shares.get(study.routing.strong, 0.0)
    if priced:
        if expected.cost_usd is None:
            return
        x = _THOUSAND * expected.cost_usd
    if expected.quality_interval is not None:
        low, high = expected.quality_interval
        axes.vlines(x, 100 * low, 100 * high, color=PALETTE["ink"], linewidth=1.2)
    axes.plot(x, 100 * expected.quality, "D", color=PALETTE["ink"], markersize=6)
    axes.annotate(
        "certified", (x, 100 * expected.quality), xytext=(8, -4), textcoords="offset points", fontsize=8,
        color=PALETTE["ink"],
    )  # fmt: skip


def _called(name: str, study: RoutingStudy) -> str:
    told = {
        "weak alone": f"always {study.weak}",
        "strong alone": f"always {study.routing.strong}",
        "oracle": "oracle (nobody can know it)",
    }
    return told.get(name, name)


def _ratio(value: float, interval: Interval | None) -> str:
    if math.isnan(value):
        return NONE
    return estimate(value, interval, lambda number: signed(number, ".2f"))


def _pair(pair: tuple[float, float] | None) -> Interval | None:
    return None if pair is None else Interval(*pair)
