"""The model matrix: the same items put to several models, graded, compared, and paid for within
a budget.

    matrix = Matrix(Dataset.load("items.csv"), ["local/smollm2-135m"], {"plain": "{{ prompt }}"})
    matrix.quote()
    matrix.run(budget_usd=5).ranking()
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.matrix.compare import Comparison
    from llmbench.matrix.counts import CallCounts
    from llmbench.matrix.dataset import Dataset, Item
    from llmbench.matrix.graders import Function, PerItem
    from llmbench.matrix.grading import Grade, Grader
    from llmbench.matrix.json_schema import JsonSchema
    from llmbench.matrix.judge_health import Judging
    from llmbench.matrix.judges import Pairwise, Rubric
    from llmbench.matrix.matrix import Matrix
    from llmbench.matrix.progress import Progress
    from llmbench.matrix.prompts import Prompt
    from llmbench.matrix.quote import CellQuote, Quote, Range
    from llmbench.matrix.recorded import RecordedModel
    from llmbench.matrix.results import MatrixResults
    from llmbench.matrix.rules import Choice, Contains, Exact, Numeric, Regex
    from llmbench.matrix.similarity import Similarity
    from llmbench.matrix.summary import CellSummary

# numpy and scipy stand behind most of these, so they are imported when they are asked for.
_MODULE_OF = {
    "CallCounts": "counts",
    "CellQuote": "quote",
    "CellSummary": "summary",
    "Choice": "rules",
    "Comparison": "compare",
    "Contains": "rules",
    "Dataset": "dataset",
    "Exact": "rules",
    "Function": "graders",
    "Grade": "grading",
    "Grader": "grading",
    "Item": "dataset",
    "JsonSchema": "json_schema",
    "Judging": "judge_health",
    "Matrix": "matrix",
    "MatrixResults": "results",
    "Numeric": "rules",
    "Pairwise": "judges",
    "PerItem": "graders",
    "Progress": "progress",
    "Prompt": "prompts",
    "Quote": "quote",
    "Range": "quote",
    "RecordedModel": "recorded",
    "Regex": "rules",
    "Rubric": "judges",
    "Similarity": "similarity",
}

__all__ = [
    "CallCounts",
    "CellQuote",
    "CellSummary",
    "Choice",
    "Comparison",
    "Contains",
    "Dataset",
    "Exact",
    "Function",
    "Grade",
    "Grader",
    "Item",
    "JsonSchema",
    "Judging",
    "Matrix",
    "MatrixResults",
    "Numeric",
    "Pairwise",
    "PerItem",
    "Progress",
    "Prompt",
    "Quote",
    "Range",
    "RecordedModel",
    "Regex",
    "Rubric",
    "Similarity",
]

__getattr__, __dir__ = attach(__name__, {name: f"{__name__}.{module}" for name, module in _MODULE_OF.items()})
