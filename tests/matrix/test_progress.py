from __future__ import annotations

import itertools
import time

import pytest

from llmbench.matrix import Progress
from llmbench.matrix.progress import ProgressReporter


def test_at_most_four_times_a_second_and_once_at_the_end() -> None:
    seen: list[tuple[float, Progress]] = []
    reporter = ProgressReporter(lambda event: seen.append((time.monotonic(), event)), total=200, to_make=150)
    begin = time.monotonic()
    for made in range(1, 100):
        reporter.report(50 + made, made, 50, 0, 0.5, "cell")
        time.sleep(0.006)
    reporter.report(200, 150, 50, 0, 0.5, "", final=True)
    assert all(later - earlier > 0.24 for (earlier, _), (later, _) in itertools.pairwise(seen[:-1]))
    assert len(seen) >= 3
    instant, event = seen[-2]
    assert (event.done, event.total, event.replayed, event.spent_usd, event.message) == (
        50 + event.made,
        200,
        50,
        0.5,
        "cell",
    )
    assert event.rate == pytest.approx(event.made / (instant - begin), rel=0.1)
    assert event.eta_s == pytest.approx((150 - event.made) / event.rate, rel=0.1)
    assert seen[-1][1].eta_s == 0


def test_before_the_first_call_nothing_is_promised() -> None:
    seen: list[Progress] = []
    ProgressReporter(seen.append, total=2, to_make=2).report(0, 0, 0, 0, 0.0, "")
    assert (seen[0].rate, seen[0].eta_s) == (None, None)


def test_no_callback_is_no_error() -> None:
    ProgressReporter(None, total=1, to_make=1).report(1, 1, 0, 0, None, "", final=True)
