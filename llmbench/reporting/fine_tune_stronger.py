"""What the notebook `fine_tune` says of the tuned model beside a stronger one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmbench.money import dollars
from llmbench.numbers import signed_points
from llmbench.reporting.fine_tune_money import cell_costs, paybacks
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import category_text, estimate, limits, p_value, percent
from llmbench.result_data import model_of_cell
from llmbench.unknown import UNKNOWN

if TYPE_CHECKING:
    from llmbench.reporting.fine_tune_results import TunedResults

__all__ = ["stronger_cost_sentence", "stronger_sentence", "stronger_table"]

_BESIDE = {
    "better": "better",
    "not worse": "not worse, within the margin",
    "worse": "worse",
    "cannot tell": "not known whether it is as good",
}


def stronger_sentence(tuned: TunedResults) -> str:
    """How the tuned model stands beside a stronger one on the same items, and whether that is one."""
    beside = tuned.beside_stronger
    if beside is None:
        return "No stronger model was asked, so how far it could go is not known."
    found = beside.comparisons[0]
    change = estimate(found.difference, found.ci, signed_points)
    said = (
        f"Beside the stronger {found.baseline} it is {_BESIDE[found.verdict]}: {change} points on the "
        f"{found.n:,} items that both answered."
    )
    itself = _whether_stronger(tuned, found.baseline)
    kept = "Its stored answers are taken: it was not asked again." if _kept(tuned, found.baseline) else ""
    return " ".join(part for part in (said, itself, kept) if part)


def stronger_table(tuned: TunedResults) -> ReportTable | None:
    """Both scores and the paired difference, by category and over all; None where there is no stronger model.

    Of the categories p is adjusted by Benjamini-Hochberg; they are exploratory.
    """
    import pandas as pd

    beside = tuned.beside_stronger
    if beside is None:
        return None
    found = beside.comparisons[0]
    mine, theirs = beside.cell(tuned.candidate), beside.cell(found.baseline)
    by_category = {(each.category, each.cell): each.score for each in beside.categories()}
    rows = [
        (
            category_text(each.category),
            each.n,
            by_category[each.category, theirs.cell],
            by_category[each.category, mine.cell],
            each.difference,
            each.ci,
            each.p_adjusted,
        )
        for each in beside.category_differences(tuned.candidate)
    ]
    whole = ("all", found.n, theirs.score, mine.score, found.difference, found.ci, found.p_adjusted)
    rows = [*(rows if len(rows) > 1 else ()), whole]
    frame = pd.DataFrame(
        [
            {
                "category": name, "n": n, "stronger": old, "tuned": new, "difference": difference,
                "low": limits(ci)[0], "high": limits(ci)[1], "p_adjusted": p,
            }
            for name, n, old, new, difference, ci, p in rows
        ]
    )  # fmt: skip
    shown = pd.DataFrame(
        [
            {
                "category": name,
                "items": f"{n:,}",
                "stronger": UNKNOWN if old is None else percent(old),
                "tuned": UNKNOWN if new is None else percent(new),
                "difference, points": estimate(difference, ci, signed_points),
                "p adjusted": p_value(p),
            }
            for name, n, old, new, difference, ci, p in rows
        ]
    )
    return ReportTable(frame, shown, tuple(shown.columns[1:]))


def stronger_cost_sentence(tuned: TunedResults, parameters: Mapping[str, Any]) -> str:
    """What the stronger model costs beside the tuned one, and when the training is earned against it."""
    beside = tuned.beside_stronger
    if beside is None:
        return "No stronger model was asked, so there is nothing to set the tuned one beside."
    costs = {each.cell: each for each in cell_costs(tuned, parameters)}
    theirs, mine = costs[beside.baseline], costs[tuned.candidate]
    same = theirs.basis == mine.basis
    return (
        f"1,000 requests cost {dollars(theirs.cost.usd_per_1k_requests)} at {theirs.cell}"
        f"{'' if same else f' ({theirs.basis})'} and {dollars(mine.cost.usd_per_1k_requests)} at the tuned "
        f"model ({mine.basis}). "
        f"{paybacks(tuned, parameters)[beside.baseline].reason}"
    )


def _whether_stronger(tuned: TunedResults, stronger: str) -> str:
    """A name says nothing: the stronger model against the baseline, on the items themselves."""
    found = next((each for each in tuned.results.comparisons if each.candidate == stronger), None)
    if found is None or found.ci is None:
        return ""
    change = f"{estimate(found.difference, found.ci, signed_points)} points"
    if found.ci.low > 0:
        return f"That one is itself above {found.baseline}: {change}."
    if found.ci.high < 0:
        return f"On this task that one is not the stronger: it is below {found.baseline}, {change}."
    return f"That {stronger} is stronger on this task is not shown: {change} against {found.baseline}."


def _kept(tuned: TunedResults, stronger: str) -> bool:
    told = tuned.provenance.get("stronger_model")
    if not isinstance(told, dict) or told.get("asked_again") is not False:
        return False
    return model_of_cell(stronger) == told.get("name")
