"""How much of the traffic is moved in which month."""

from __future__ import annotations

import pytest

from llmbench.decision.ramp import DEFAULT_WEEKS, RampMonth, check_ramp, ramp_by_stage
from llmbench.errors import UsageError

SHARES = {"canary-1": 0.01, "canary-5": 0.05, "canary-25": 0.25, "full": 1.0}


def test_ramp_is_the_mean_over_the_hours_of_each_month() -> None:
    """Hour by hour, which stage it is."""
    hours = [stage for stage, weeks in DEFAULT_WEEKS.items() for _ in range(round(weeks * 168))]
    hours += ["decommission"] * (4 * 730 - len(hours))
    for month, found in enumerate(ramp_by_stage(months=4, shadow_share=0.2)):
        own = hours[730 * month : 730 * (month + 1)]
        assert found.moved == pytest.approx(sum(SHARES.get(s, s == "decommission") for s in own) / 730)
        assert found.doubled == pytest.approx(0.2 * own.count("shadow") / 730)
        assert found.old_on == pytest.approx(1 - own.count("decommission") / 730)
        assert found.both_on == pytest.approx(found.old_on)
        assert found.stages == tuple(dict.fromkeys(own))


def test_ramp_without_stages_is_done_at_once() -> None:
    assert ramp_by_stage({}, 1) == (RampMonth(1.0, 0.0, 0.0, 1.0, 0.0, ("decommission",)),)


def test_ramp_that_goes_on_repeats_its_last_month() -> None:
    found = check_ramp([0.25, 1.0], 4)
    assert [month.moved for month in found] == [0.25, 1.0, 1.0, 1.0]
    assert [month.old_on for month in found] == [1.0, 0.0, 0.0, 0.0]
    assert len(check_ramp([0.1] * 9, 3)) == 3


@pytest.mark.parametrize("ramp", [[], [1.5], [-0.1], [float("nan")], [RampMonth(0.8, doubled=0.5)]])
def test_ramp_that_cannot_be_meant(ramp: list[float]) -> None:
    with pytest.raises(UsageError, match="ramp"):
        check_ramp(ramp, 3)


def test_stages_that_cannot_be_meant() -> None:
    with pytest.raises(UsageError, match="no stage 'canary-10'"):
        ramp_by_stage({"canary-10": 1})
    with pytest.raises(UsageError, match="decommission"):
        ramp_by_stage({"decommission": 1})
    with pytest.raises(UsageError, match="weeks of shadow"):
        ramp_by_stage({"shadow": -1})
    with pytest.raises(UsageError, match="months"):
        ramp_by_stage(months=0)
    with pytest.raises(UsageError, match="shadow_share"):
        ramp_by_stage(shadow_share=1.1)
