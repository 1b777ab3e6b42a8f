"""What a parameter of llmbench's own notebooks can be, where its validator has a list."""

from __future__ import annotations

from functools import cache
from typing import get_args

__all__ = ["choices_of"]


def choices_of(notebook: str, parameter: str) -> tuple[str, ...]:
    """What `parameter` of `notebook` can be; () where anything of its type may do.

    >>> choices_of("ab_test", "scale"), choices_of("ab_test", "control")
    (('ratio', 'difference'), ())
    """
    return _choices().get((notebook, parameter), ())


@cache
def _choices() -> dict[tuple[str, str], tuple[str, ...]]:
    """From the modules that check them, so that a value is offered exactly where it is taken."""
    from llmbench.abtest.plan import Scale, StoppingRule
    from llmbench.abtest.source import EMPTY_REPLIED, REPLIED_FORMS
    from llmbench.catalog.books import BOOKS
    from llmbench.catalog.engines import all_engines
    from llmbench.catalog.gpu_offers import Purchase
    from llmbench.matrix.graders import GRADERS
    from llmbench.reporting.break_even_inputs import LATENCY_CLASSES

    return {
        ("ab_test", "scale"): get_args(Scale),
        ("ab_test", "stopping_rule"): get_args(StoppingRule),
        ("ab_test", "replied_form"): REPLIED_FORMS,
        ("ab_test", "empty_replied"): EMPTY_REPLIED,
        ("break_even", "latency_class"): LATENCY_CLASSES,
        ("break_even", "price_book"): BOOKS,
        ("break_even", "engine"): tuple(all_engines()),
        ("break_even", "purchase"): get_args(Purchase),
        ("model_matrix", "grader"): ("", *GRADERS),
    }
