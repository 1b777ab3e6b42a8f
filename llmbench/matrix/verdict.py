"""From comparisons to one decision and one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from llmbench.matrix.compare import Comparison
from llmbench.matrix.confirmation import Confirmation
from llmbench.matrix.missingness import UnevenMissing
from llmbench.matrix.summary import CellSummary
from llmbench.money import dollars
from llmbench.numbers import signed_points
from llmbench.results import Decision, Verdict
from llmbench.unknown import UNKNOWN

__all__ = ["decide", "decisive"]

FEW_CLUSTERS = 40
"""Under so many a clustered standard error is known to be too small (Cameron and Miller 2015, J. Human
Resources 50:317)."""
_GOOD = ("better", "not worse")
_MOST_TOLD = 8
"""More candidates than this are counted, not told one by one."""


def decisive(
    comparisons: Sequence[Comparison],
    cells: Mapping[str, CellSummary],
    confirmation: Confirmation | None = None,
) -> Comparison | None:
    """The comparison that the verdict rests on: of the best kind there is (better, not worse, cannot tell,
    worse) the candidate that was picked and confirmed on held-out items; where that one is of another
    kind, or there was none, the one with the highest score, at equal scores the cheaper one.
    """
    kinds = ("better", "not worse", "cannot tell", "worse")
    picked = confirmation.candidate if confirmation is not None else None
    good = any(c.candidate == picked and c.verdict in _GOOD for c in comparisons)

    def rank(c: Comparison) -> tuple[int, bool, float, float]:
        cell = cells[c.candidate]
        cost = float("inf") if cell.cost_per_1k_calls is None else cell.cost_per_1k_calls
        # "Better" and "not worse" are both good enough: of these the picked one is the confirmed one.
        kind = 0 if good and c.verdict in _GOOD else kinds.index(c.verdict)
        return kind, c.candidate != picked, -(cell.score if cell.score is not None else -1.0), cost

    return min(comparisons, key=rank, default=None)


def decide(
    comparisons: Sequence[Comparison],
    cells: Mapping[str, CellSummary],
    confirmation: Confirmation | None = None,
    uneven: Sequence[UnevenMissing] = (),
) -> Verdict:
    """GO where the best candidate is better or not worse, HOLD where it cannot be told, NO_GO where
    every candidate is worse; by all items, with p-values adjusted for the number of candidates.

    GO_WITH_CONDITIONS where that candidate was picked among several and the items that had no part in
    picking it do not show the same by themselves.
    """
    chosen = decisive(comparisons, cells, confirmation)
    if chosen is None:
        return Verdict(
            Decision.HOLD, "There is one cell only, so nothing is compared; add a model or a prompt."
        )
    ours, theirs = cells[chosen.candidate], cells[chosen.baseline]
    own = confirmation if confirmation is not None and confirmation.candidate == chosen.candidate else None
    numbers = _numbers(chosen, ours, theirs, own)
    cost = _cost(ours, theirs)
    if chosen.verdict in _GOOD:
        decision = Decision.GO
        # What is not seen again on the items that did not pick it is not claimed.
        low = None if own is None or own.ci is None else own.ci.low
        better = chosen.verdict == "better" and (confirmation is None or (low is not None and low > 0))
        if confirmation is not None and (low is None or low <= -chosen.margin):
            decision = Decision.GO_WITH_CONDITIONS
        word = "is better than" if better else "is not worse than"
        summary = f"{ours.cell} {word} {theirs.cell}{numbers}{cost}."
    elif chosen.verdict == "cannot tell":
        decision = Decision.HOLD
        more = (
            f" About {chosen.items_needed:,} more items are needed, if the difference stays."
            if chosen.items_needed
            else ""
        )
        summary = f"It cannot be told yet whether {ours.cell} is as good as {theirs.cell}{numbers}.{more}"
    else:
        decision = Decision.NO_GO
        who = f"{ours.cell} is worse than {theirs.cell}{numbers}"
        if len(comparisons) > 1:
            who = f"Every candidate is worse than {theirs.cell}; the best is {ours.cell}{numbers}"
        summary = f"{who}{cost}."
    return Verdict(decision, summary, tuple(_reasons(comparisons, chosen, cells, confirmation, uneven)))


def _numbers(chosen: Comparison, ours: CellSummary, theirs: CellSummary, own: Confirmation | None) -> str:
    """Scores and difference, both of the same items."""
    if own is None:
        scores = f"{_percent(ours.score)} against {_percent(theirs.score)} on {chosen.n:,} items"
        return f": {scores}, difference {_difference(chosen)}"
    scores = f"{_percent(own.score)} against {_percent(own.baseline_score)}"
    return (
        f" over all {chosen.n:,} items. On the {own.n:,} that had no part in picking it: {scores}, "
        f"difference {_difference(own, chosen.margin)}"
    )


def _reasons(
    comparisons: Sequence[Comparison],
    chosen: Comparison,
    cells: Mapping[str, CellSummary],
    confirmation: Confirmation | None,
    uneven: Sequence[UnevenMissing],
) -> list[str]:
    reasons = [
        # The summary has the numbers of the chosen one.
        f"{c.candidate}: {c.verdict}, because {c.reason}"
        + ("." if c is chosen else f"; difference {_difference(c)}, n {c.n}.")
        for c in comparisons
        if c is chosen or len(comparisons) <= _MOST_TOLD
    ]
    if len(comparisons) > _MOST_TOLD:
        reasons.append(_counted(comparisons))
    if confirmation is not None:
        reasons += _of_confirmation(comparisons, chosen, confirmation)
    elif len(comparisons) > 1 and chosen.verdict in _GOOD:
        reasons.append(
            f"{chosen.candidate} is the best of {len(comparisons)} candidates on the items that picked it, "
            "so its score is probably a little too high; the p-values that the verdicts rest on are adjusted "
            "(Holm) for their number, the intervals are not."
        )
    if chosen.clusters is not None and chosen.clusters < FEW_CLUSTERS:
        reasons.append(
            f"The items belong to {chosen.clusters} clusters only: under {FEW_CLUSTERS} an interval that "
            "allows for clusters tends to be too narrow, so take it with care."
        )
    reasons += [
        f"Answers of {each.candidate} are missing or without a score on {each.missing} items where the "
        f"baseline has one, and the other way round on {each.missing_baseline} (p = "
        f"{each.p_adjusted:.2g}): they are not missing by chance, so look at what those items have in common."
        for each in uneven
    ]
    return reasons + _notes(list(cells.values()))


def _of_confirmation(
    comparisons: Sequence[Comparison], chosen: Comparison, confirmation: Confirmation
) -> list[str]:
    """Which items picked, and what the others say."""
    many = len(comparisons)
    basis = f"Verdicts are by all items, their p-values adjusted (Holm) for the {many} candidates."
    if confirmation.candidate != chosen.candidate:
        told = (
            f"{confirmation.picked_on:,} items picked {confirmation.candidate}, whose verdict over all items "
            f"is another than that of {chosen.candidate}. {basis}"
        )
        alone = (
            f"The condition: nothing confirms the difference of {chosen.candidate} on items of its own; run "
            "it alone against the baseline on new items."
        )
        return [told, alone] if chosen.verdict in _GOOD else [told]
    told = (
        f"{chosen.candidate} was picked among {many} candidates on {confirmation.picked_on:,} items; on all "
        f"{chosen.n:,} its difference is {_difference(chosen)}, a little too good, because these include the "
        f"ones that picked it. {basis}"
    )
    low = None if confirmation.ci is None else confirmation.ci.low
    if chosen.verdict in _GOOD and (low is None or low <= -chosen.margin):
        alone = (
            "The condition: the held-out items alone do not keep it within the margin; watch it, or add "
            "items."
        )
        return [told, alone]
    return [told]


def _notes(cells: Sequence[CellSummary]) -> list[str]:
    """What is missing or unknown, cell by cell where they are few."""
    missing = [cell for cell in cells if cell.missing]
    ungraded = [cell for cell in cells if cell.ungraded]
    unpriced = [cell for cell in cells if cell.cost_usd is None and cell.n]
    left_out = "they are left out, never counted as wrong"
    if len(cells) > _MOST_TOLD + 1:
        told = (
            (missing, f"{sum(cell.missing for cell in missing):,} answers are missing; {left_out}"),
            (
                ungraded,
                f"{sum(c.ungraded for c in ungraded):,} answers have no score; {left_out}",
            ),
            (unpriced, "cost unknown"),
        )
        return [f"{len(found)} of {len(cells)} cells: {what}." for found, what in told if found]
    return [
        *(
            f"{cell.cell}: 1 answer is missing; it is left out, never counted as wrong."
            if cell.missing == 1
            else f"{cell.cell}: {cell.missing:,} answers are missing; {left_out}."
            for cell in missing
        ),
        *(
            f"{cell.cell}: 1 answer has no score; it is left out, never counted as wrong."
            if cell.ungraded == 1
            else f"{cell.cell}: {cell.ungraded:,} answers have no score; {left_out}."
            for cell in ungraded
        ),
        *(f"{cell.cell}: cost unknown ({cell.priced} of its answers have a price)." for cell in unpriced),
    ]


def _counted(comparisons: Sequence[Comparison]) -> str:
    number = Counter[str](c.verdict for c in comparisons)
    words = {"better": "better", "not worse": "not worse", "cannot tell": "cannot be told", "worse": "worse"}
    counts = ", ".join(f"{number[kind]} {word}" for kind, word in words.items() if number[kind])
    return f"Of {len(comparisons)} candidates: {counts}; the table has each with its difference."


def _difference(c: Comparison | Confirmation, margin: float | None = None) -> str:
    if c.difference is None:
        return UNKNOWN
    text = f"{signed_points(c.difference)} points"
    if c.ci is not None:
        margin = c.margin if isinstance(c, Comparison) else margin
        beside = "" if margin is None else f", margin {100 * margin:g} points"
        text += f" (interval {signed_points(c.ci.low)} to {signed_points(c.ci.high)}{beside})"
    return text


def _cost(ours: CellSummary, theirs: CellSummary) -> str:
    if ours.cost_per_1k_calls is None and theirs.cost_per_1k_calls is None:
        return ""
    return (
        f", at {dollars(ours.cost_per_1k_calls)} against {dollars(theirs.cost_per_1k_calls)} per 1,000 calls"
    )


def _percent(score: float | None) -> str:
    return "no score" if score is None else f"{100 * score:.1f}%"
