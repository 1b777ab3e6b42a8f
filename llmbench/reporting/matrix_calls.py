"""The calls of the notebook `model_matrix`: what they would take, what was sent, what became of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from llmbench.matrix.missingness import why_ungraded
from llmbench.matrix.summary import answers_by_cell
from llmbench.money import dollars
from llmbench.reporting.matrix_tables import FIRST_SCREEN, ranked_cells
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.text import encodable
from llmbench.reporting.wording import expected, whole
from llmbench.unknown import NONE, UNKNOWN

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import MatrixResults, Quote
    from llmbench.matrix.quote import PerCall

__all__ = ["call_sentence", "call_table", "missing_text", "prompt_table", "quote_table"]

_MOST_REASONS = 3


def quote_table(quote: Quote) -> ReportTable:
    """What the run would take, cell by cell, before it is made."""
    import pandas as pd

    rows = [
        {
            "cell": cell.cell,
            "calls": cell.calls,
            "in ledger": cell.in_ledger,
            "to make": cell.to_make,
            "input tokens": expected(cell.input_tokens, whole),
            "a call, p50 (p95)": _spread(cell.input_per_call),
            "output tokens": expected(cell.output_tokens, whole),
            "an answer, p50 (p95)": _spread(cell.output_per_call),
            "usd": expected(cell.usd, dollars),
            "in batches": NONE if cell.batch_usd is None else expected(cell.batch_usd, dollars),
            "basis": cell.basis,
        }
        for cell in quote.cells
    ]
    shown = pd.DataFrame(rows)
    if (shown["in batches"] == NONE).all():
        shown = shown.drop(columns="in batches")
    return ReportTable(quote.to_pandas(), shown, tuple(shown.columns[4:-1]))


def _spread(tokens: PerCall | None) -> str:
    return UNKNOWN if tokens is None else f"{tokens.p50:,.0f} ({tokens.p95:,.0f})"


def prompt_table(templates: Mapping[str, str]) -> ReportTable | None:
    """The prompt templates, as they were given; None where nothing is called, and so none is filled in."""
    import pandas as pd

    if not templates:
        return None
    frame = pd.DataFrame(templates.items(), columns=["prompt", "template"])
    return ReportTable(frame, frame)


def call_table(results: MatrixResults) -> ReportTable:
    """Answers by cell: from this run or the ledger, missing with the reason, tokens and cost. Of many cells
    a reader sees those that miss most.
    """
    import pandas as pd

    rows = []
    by_cell = answers_by_cell(results.answers)
    for cell in ranked_cells(results):
        answers = by_cell[cell.cell]
        missing = answers[answers["missing"].astype(bool)]
        reasons = missing["error"].fillna("no reason recorded").value_counts()
        without = answers[~answers["missing"].astype(bool) & answers["score"].isna()]
        why = without["note"].map(why_ungraded).value_counts()
        rows.append(
            {
                "cell": cell.cell,
                "answers": len(answers) - len(missing),
                "replayed": 0 if results.sources else int(answers["replayed"].astype(bool).sum()),
                "missing": len(missing),
                "no score": len(without),
                "cut off": int((answers["finish_reason"] == "length").sum()),
                "filtered": int((answers["finish_reason"] == "content_filter").sum()),
                "input tokens": cell.input_tokens,
                "output tokens": cell.output_tokens,
                "cost usd": cell.cost_usd,
                "served model": None if cell.served_model is None else encodable(cell.served_model),
                "why missing": _most_frequent(reasons),
                "why no score": encodable("; ".join(f"{count} x {reason}" for reason, count in why.items())),
            }
        )
    frame = pd.DataFrame(rows)
    shown = frame.assign(**{"cost usd": [dollars(None if pd.isna(v) else v) for v in frame["cost usd"]]})
    if len(shown) > FIRST_SCREEN + 1:
        shown = shown.sort_values(["missing", "no score"], ascending=False, kind="stable").head(FIRST_SCREEN)
    if not frame["missing"].any():
        shown = shown.drop(columns="why missing")
    if not frame["no score"].any():
        shown = shown.drop(columns=["no score", "why no score"])
    if not frame["filtered"].any():
        shown = shown.drop(columns="filtered")
    if results.sources:
        shown = shown.drop(columns=["replayed", "served model"])
    return ReportTable(frame, shown, ("cost usd",))


def _most_frequent(counts: pd.Series[int]) -> str:
    """The most frequent reasons, and how often it was another one."""
    told = [f"{count} x {reason}" for reason, count in counts.head(_MOST_REASONS).items()]
    if rest := int(counts.iloc[_MOST_REASONS:].sum()):
        told.append(f"{rest} x another reason")
    return encodable("; ".join(told))


def missing_text(results: MatrixResults) -> str | None:
    """Which cells have no answer, and why: an endpoint was down, a column is empty; None where all have."""
    lines = []
    by_cell = answers_by_cell(results.answers)
    for cell in ranked_cells(results):
        answers = by_cell[cell.cell]
        if answers["missing"].astype(bool).all():
            reason = str(answers["error"].fillna("no reason recorded").value_counts().index[0])
            role = ", the baseline," if cell.cell == results.baseline else ""
            lines.append(
                f"{cell.cell}{role} has none of {len(answers):,} answers, so nothing is known of it; most "
                f"often: {reason.rstrip('.')}."
            )
    return " ".join(lines) or None


def call_sentence(results: MatrixResults) -> str:
    """How many calls this run made, and how many the ledger answered."""
    if results.sources:
        names = ", ".join(path.name for path in results.sources[:3])
        more = f" and {len(results.sources) - 3:,} more files" if len(results.sources) > 3 else ""
        return f"No call was made: another tool wrote these results ({names}{more})."
    calls = results.calls
    return (
        f"This run made {calls.made:,} calls ({calls.retried:,} retried, {calls.failed:,} failed) and "
        f"replayed {calls.replayed:,} answers from the ledger{calls.caveat}."
    )
