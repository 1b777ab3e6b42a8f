from __future__ import annotations

import numpy as np
import pytest

from llmbench.errors import UsageError
from llmbench.routing import Outcomes, evaluate, outcomes_of
from llmbench.routing.label_needs import label_budget, unseen_chances
from tests.routing.test_calibration import synthetic

pytest.importorskip("sklearn")


def test_unseen_chances_do_not_know_the_prompts_own_outcome() -> None:
    """Turning round the outcomes of one fold changes nothing of what is said of that fold."""
    from llmbench.routing.success_models import grouped_folds

    known = outcomes_of(synthetic(200))
    fold_of = grouped_folds(known.groups(), 4, 3)
    before = unseen_chances(known, folds=4, penalty=1.0, seed=3)
    scores = known.scores.copy()
    scores[fold_of == 0] = 1 - scores[fold_of == 0]
    after = unseen_chances(Outcomes(known.prompts, known.models, scores), folds=4, penalty=1.0, seed=3)
    np.testing.assert_array_equal(before[fold_of == 0], after[fold_of == 0])
    assert not np.array_equal(before[fold_of == 1], after[fold_of == 1])


def test_label_budget_is_clear_where_words_tell_and_length_does_not() -> None:
    known = outcomes_of(synthetic(400))
    points = label_budget(known, "small", "large", sizes=(40, 5000), repeats=1, penalty=1.0, bootstraps=200)
    assert [point.labels for point in points] == [40, 320]
    assert points[-1].clear
    assert points[-1].apgr > 0.7
    chances = unseen_chances(known, penalty=1.0, seed=20250124, labels=320)
    small, large = known.scores.T
    assert points[-1].apgr == pytest.approx(evaluate(chances[:, 1] - chances[:, 0], small, large).apgr)
    assert points[-1].difference == pytest.approx(points[-1].apgr - points[-1].length_apgr)


def test_label_budget_refuses_too_little() -> None:
    with pytest.raises(UsageError, match="20 prompts have a score of both"):
        label_budget(synthetic(20), "small", "large")
    with pytest.raises(UsageError, match="no results of 'huge'"):
        label_budget(synthetic(100), "small", "huge")
