"""Studies of a memo over the results of data/migration, without its notebook."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from llmbench.decision import StageAdvice
from llmbench.reporting import memo_study, read_parameters
from llmbench.reporting.folder import write_manifest
from llmbench.reporting.memo_parts import memo_stage_advice
from llmbench.reporting.memo_study import MemoStudy
from llmbench.reporting.parameters import check_parameters

ROOT = Path(__file__).resolve().parents[2]
RESULTS = ROOT / "data" / "migration"
DECLARED = read_parameters(ROOT / "notebooks" / "migration_memo.ipynb")
DAY = "2025-04-02"
"""On which none of the results is too old."""

Change = Callable[[dict[str, Any]], object]


def parameters(**given: Any) -> Mapping[str, Any]:
    defaults = {each.name: each.default for each in DECLARED} | {"as_of": DAY, "example": ""}
    return check_parameters(DECLARED, defaults | given, where="migration_memo")


def memo(reports: Path = RESULTS, **given: Any) -> MemoStudy:
    """The study; the advice by stage, which nothing else depends on, is worked out once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(memo_study, "memo_stage_advice", lambda *_: advice())
        return memo_study.make_study(parameters(**given), ROOT, reports)


@cache
def advice() -> StageAdvice:
    study = memo_study.gather(
        RESULTS, memo_study.Subject("gpt-4o", "mixtral-8x7b"), today=memo_study.day_of(DAY)
    )
    return memo_stage_advice(parameters(price_book="2025-01-23"), None, study)


def leave(folder: Path, **changes: Change) -> Path:
    """The results in `folder`, each as its change leaves it; those without one as they are."""
    for report in ("model_matrix", "ab_test", "break_even"):
        result = json.loads((RESULTS / report / "result.json").read_text(encoding="utf-8"))
        if report in changes:
            changes[report](result)
        (folder / report).mkdir(parents=True)
        (folder / report / "result.json").write_text(json.dumps(result), encoding="utf-8")
        write_manifest(folder / report)
    return folder
