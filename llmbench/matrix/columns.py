"""Which columns of the items prompts show, and which hold answers of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmbench.matrix.plan import Plan

__all__ = ["recorded_columns", "shown_columns"]


def shown_columns(plan: Plan) -> tuple[str, ...]:
    """Columns that some template of `plan` names, in the order of the file."""
    texts = {cell.template.text for cell in plan.cells if cell.template is not None}
    if not texts:
        return ()
    from jinja2 import Environment, meta

    parser = Environment(autoescape=True)
    named = {name for text in texts for name in meta.find_undeclared_variables(parser.parse(text))}
    if "prompt" in named and plan.dataset.prompt_column is not None:
        named.add(plan.dataset.prompt_column)
    return tuple(name for name in plan.dataset.columns if name in named)


def recorded_columns(plan: Plan) -> tuple[str, ...]:
    """Columns of past answers, their costs and their times."""
    found = [
        name
        for cell in plan.cells
        if (past := cell.recorded) is not None
        for name in (past.answer_column, past.cost_column, past.latency_column)
        if name is not None
    ]
    return tuple(dict.fromkeys(found))
