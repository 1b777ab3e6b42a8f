"""The effect in the notebook `ab_test`: the comparison that decides, others beside it, the answer."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from llmbench.reporting.ab_wording import fine_points, ratio_words, verdict_words
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import estimate, limits, p_value, percent
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, Comparison

__all__ = [
    "clusters_sentence",
    "effect_table",
    "match_sentence",
    "other_table",
]


def effect_table(result: AbResult) -> ReportTable | None:
    """The authoritative comparison; None where no effect is shown."""
    import pandas as pd

    known = [each for each in result.comparisons if each.difference is not None]
    if not known:
        return None
    rows = pd.json_normalize([each.data() for each in known])
    shown = pd.DataFrame(
        [
            {
                "treatment": c.treatment,
                "difference, points": estimate(c.difference, c.difference_ci, fine_points),
                "ratio": estimate(c.ratio, c.ratio_ci, ratio_words),
                "p, no difference": p_value(c.p_value),
                "p adjusted": p_value(c.p_adjusted),
                "p, margin": p_value(c.margin_p),
                "P(better)": UNKNOWN if c.bayes is None else percent(c.bayes.probability_better),
                "expected loss, points": UNKNOWN if c.bayes is None else f"{100 * c.bayes.expected_loss:.3f}",
                "verdict": verdict_words(result, c),
                "method": c.method,
            }
            for c in known
        ]
    )
    numbers = tuple(shown.columns[1:8])
    return ReportTable(rows, shown, numbers)


def other_table(result: AbResult) -> ReportTable | None:
    """Supplementary analyses; None where no effect is shown."""
    import pandas as pd

    if not result.other_analyses:
        return None
    rows, shown = [], []
    for each in result.other_analyses:
        low, high = limits(each.ci)
        rows.append(each._asdict() | {"low": low, "high": high})
        show = fine_points if each.measure.startswith("difference") else ratio_words
        shown.append(
            {
                "treatment": each.treatment,
                "what": f"{each.measure}, points" if show is fine_points else each.measure,
                "method": each.method,
                "estimate": NONE if each.estimate is None else estimate(each.estimate, each.ci, show),
                "p": p_value(each.p_value),
            }
        )
    frame = pd.DataFrame(rows).drop(columns="ci")
    return ReportTable(frame, pd.DataFrame(shown), ("estimate", "p"))


def match_sentence(result: AbResult, c: Comparison) -> str:
    """Does the treatment match the control? For a colleague who knows no statistics."""
    question = f"Does {c.treatment} match {c.control}?"
    if c.verdict == "invalid":
        return f"{question} Nobody can say: the split is broken, and any difference may come from that."
    if c.difference is None:
        return f"{question} Not shown yet: {result.occasion.why}"
    # A comparison is of its look, and the control's rate goes with it.
    rate = c.control_rate
    if rate is None:
        rate = next((arm.rate for arm in result.arms if arm.arm == c.control), None)
    if not rate or c.ratio is None or c.ratio_ci is None:
        return f"{question} {_by_difference(c)}"
    low, high = c.ratio_ci
    control = 1000 * rate
    if math.isfinite(high):
        compatible = f"between {control * low:.0f} and {control * high:.0f}"
    else:
        compatible = f"{control * low:.0f} or more"
    per_thousand = (
        f"Of 1,000 leads that {c.control} would get {control:.0f} replies from, {c.treatment} gets about "
        f"{control * c.ratio:.0f}, and {compatible} are compatible with what was seen."
    )
    if c.scale == "ratio":
        allowed = f"fewer than {control * c.margin:.1f} would be too few"
    else:
        allowed = f"fewer than {control + 1000 * c.margin:.1f} would be too few"
    answers = {
        "better": f"It does better. {per_thousand}",
        "not worse": (
            f"Yes, within the margin: {allowed}, and so few can be ruled out. {per_thousand} That is not the "
            "same as saying that they are equal."
        ),
        "worse": f"No: {allowed}, and it gets fewer. {per_thousand}",
        "cannot tell": f"It cannot be told yet: {allowed}, and neither too few nor enough can be ruled out. "
        f"{per_thousand}",
    }
    return f"{question} {answers[c.verdict]}"


def _by_difference(c: Comparison) -> str:
    """Where there is no ratio, or no rate of the control to take it of."""
    answers = {
        "better": "It does better.",
        "not worse": "Yes, within the margin.",
        "worse": "No: it gets too few replies.",
        "cannot tell": "It cannot be told yet.",
    }
    points = UNKNOWN if c.difference is None else fine_points(c.difference)
    told = f"{answers[c.verdict]} The difference of the reply rates is {points} points"
    if c.difference_ci is not None and all(map(math.isfinite, c.difference_ci)):
        told += f" ({fine_points(c.difference_ci.low)} to {fine_points(c.difference_ci.high)})"
    return f"{told}; a ratio to {c.control}'s rate is not known." if c.ratio is None else f"{told}."


def clusters_sentence(result: AbResult) -> str:
    """What clusters do to the intervals."""
    if not result.design_effects and result.counts.clusters:
        return (
            "There is one mailbox or domain (cluster) only, so how alike the leads of one are cannot be "
            "told; they are taken for independent of each other."
        )
    if not result.design_effects:
        return (
            "The source names no mailbox or domain (cluster), so leads are taken for independent of each "
            "other. If several leads sit behind one mail server, the intervals are too narrow."
        )
    told = [
        (
            f"{treatment}: leads behind one domain or mailbox reply alike, which multiplies the variance by "
            f"{effect:.2f} ({clusters:,} clusters). The intervals above are wider for it."
            if effect > 1
            else f"{treatment}: {clusters:,} mailboxes or domains, and no sign that leads behind one of them "
            f"reply more alike than others (design effect {max(0.0, effect):.2f}). "
            "The intervals are left as they are."
        )
        for treatment, (effect, clusters) in result.design_effects.items()
    ]
    few = min(clusters for _, clusters in result.design_effects.values())
    if few < 40:
        told.append(f"With {few} clusters that number is itself uncertain; 40 or more are wanted.")
    return " ".join(told)
