"""What a run would call and cost, before it is made.

A notebook says itself what it calls, in its metadata: `"llmbench": {"calls": "nothing"}`, or "matrix" (those
of the matrix that its parameters make), or "training" (on this machine, if its parameter retrain is set).
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import BudgetExceededError
from llmbench.reporting.notebook_file import read_notebook
from llmbench.reporting.parameters import read_parameters
from llmbench.reporting.run import check_run
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

    from llmbench.matrix import Quote

__all__ = ["Quoted", "quote_run"]


@shown
class Quoted(NamedTuple):
    """What is known of a run beforehand."""

    sentence: str
    quote: Quote | None = None
    """Cell by cell; None where the notebook calls nothing, or its calls cannot be counted beforehand."""
    stops: str | None = None
    """Why the run would stop before its first call, as it would above its budget; None where it would not."""

    def to_pandas(self) -> pd.DataFrame:
        """One row per cell of a matrix; no row where there is none."""
        import pandas as pd

        return pd.DataFrame() if self.quote is None else self.quote.to_pandas()

    def _repr_html_(self) -> str:
        table = "" if self.quote is None else _table(self.quote)
        stops = f"<p><strong>{html.escape(self.stops)}</strong></p>" if self.stops else ""
        return f"<p>{html.escape(self.sentence)}</p>{stops}{table}"


def quote_run(notebook: Path, values: Mapping[str, Any], root: Path, *, fresh: bool = False) -> Quoted:
    """What a run of `notebook` with these values would call and cost; nothing is called.

    Of a matrix the calls are written, looked up in the ledger and priced; with `fresh` the ledger answers
    none of them. Raises the error that the run would raise for values that cannot be meant.
    """
    checked = check_run(notebook, values)
    declared = read_parameters(notebook)
    parameters = {parameter.name: parameter.default for parameter in declared} | checked
    match _calls_of(notebook):
        case "nothing":
            return Quoted("This notebook calls no model: a run costs nothing.")
        case "training":
            return _of_training(parameters)
        case "matrix":
            return _of_matrix(parameters, root, fresh=fresh)
    return Quoted("What this notebook calls is not known before it runs.")


def _calls_of(notebook: Path) -> object:
    """What the notebook says that it calls; None where it does not say."""
    said = read_notebook(notebook).metadata.get("llmbench")
    return said.get("calls") if isinstance(said, Mapping) else None


def _of_training(parameters: Mapping[str, Any]) -> Quoted:
    if parameters.get("retrain"):
        return Quoted(
            "This run trains and asks again on this machine, which takes hours; no vendor is paid for it."
        )
    return Quoted("This run reads stored results and calls no model: it costs nothing.")


def _of_matrix(parameters: Mapping[str, Any], root: Path, *, fresh: bool) -> Quoted:
    from llmbench.reporting.matrix_report import ResultsOfOthers, make_matrix, stop_above_budget

    matrix = make_matrix(parameters, root)
    try:
        if isinstance(matrix, ResultsOfOthers):
            return Quoted("This run reads results of another tool and calls no model: it costs nothing.")
        # Without the pilot, which would call.
        quote = matrix.quote(
            concurrency=parameters["concurrency"] or None,
            max_answer_age_days=parameters["max_answer_age_days"] or None,
            fresh=fresh,
        )
    finally:
        matrix.close()
    sentence = f"{quote}."
    if parameters["pilot"]:
        sentence += f" A pilot of {parameters['pilot']} items is asked first, within the budget."
    try:
        stop_above_budget(quote, parameters)
    except BudgetExceededError as error:
        return Quoted(sentence, quote, str(error))
    if quote.unpriced and not parameters["allow_unpriced"]:
        names = ", ".join(quote.unpriced)
        stops = f"The price of {names} is not known; set allow_unpriced to call it outside of the budget."
        return Quoted(sentence, quote, stops)
    return Quoted(sentence, quote)


def _table(quote: Quote) -> str:
    from llmbench.reporting.display import table_html
    from llmbench.reporting.matrix_calls import quote_table

    _, shown, numbers = quote_table(quote)
    warnings = "".join(f"<p>{html.escape(warning)}</p>" for warning in quote.warnings)
    return table_html(shown, numbers=numbers) + warnings
