from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any

import pytest

from llmbench.abtest import Counts, Plan
from llmbench.abtest.counts import AssignedCounts
from llmbench.abtest.health import check_health, split_shares
from llmbench.errors import UsageError
from llmbench.stats import sample_ratio_mismatch
from tests.abtest.made import START, counted, units_of

PLAN = Plan("mail-7", control="gpt-4o")
RATES = {"gpt-4o": 0.03, "mixtral": 0.03}
EPOCHS = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})


def of_sizes(rows: list[tuple[str, str, int, float | None]], **changes: Any) -> Counts:
    base = counted(units_of(RATES, 400))
    assigned = tuple(AssignedCounts(arm, stratum, n, w, None) for arm, stratum, n, w in rows)
    return dataclasses.replace(base, assigned=assigned, arms=(), days=(), **changes)


def test_a_kept_split_is_healthy() -> None:
    found = check_health(counted(units_of(RATES, 5000)), PLAN)
    assert found.healthy
    assert found.p_value is not None
    assert found.p_value > 0.001
    assert found.sequential_p is not None
    assert found.warnings == ()


def test_a_broken_split_is_not() -> None:
    found = check_health(of_sizes([("mixtral", "", 9000, 0.9), ("gpt-4o", "", 700, 0.1)]), PLAN)
    assert not found.healthy
    assert found.p_value == pytest.approx(sample_ratio_mismatch([9000, 700], [0.9, 0.1]).p_value)


def test_a_split_that_was_broken_for_some_days_only_is_seen_by_day_of_assignment() -> None:
    counts = counted(units_of(RATES, 20000, weights=({"gpt-4o": 0.5, "mixtral": 0.5},)))
    moved = tuple(
        row._replace(units=row.units + (100 if row.day < START + timedelta(days=30) else -100) * sign)
        for row in counts.assigned_days
        for sign in [1 if row.arm == "mixtral" else -1]
    )
    found = check_health(dataclasses.replace(counts, assigned_days=moved), PLAN)
    assert found.p_value is not None
    assert found.p_value > 0.001
    assert not found.healthy


def test_an_arm_that_is_sent_to_later_does_not_break_the_split() -> None:
    counts = counted(units_of(RATES, 20000))
    later = tuple(
        row._replace(day=row.day + timedelta(days=9)) if row.arm == "mixtral" else row for row in counts.days
    )
    shifted = dataclasses.replace(counts, days=later)
    assert check_health(shifted, PLAN) == check_health(counts, PLAN)
    unknown = check_health(dataclasses.replace(shifted, assigned_days=()), PLAN)
    assert unknown.healthy
    assert unknown.sequential_p is None


def test_an_arm_with_a_weight_and_no_unit_is_a_broken_split() -> None:
    rows = [("a", "", 2000, 0.4), ("b", "", 2000, 0.4), ("c", "", 0, 0.2)]
    found = check_health(of_sizes(rows), PLAN)
    assert not found.healthy
    assert "Not one unit is in c, which has a weight." in found.why
    assert found.strata[0].expected == pytest.approx({"a": 1600, "b": 1600, "c": 800})


def test_probabilities_that_leave_an_arm_out_are_a_broken_split() -> None:
    found = check_health(of_sizes([("a", "", 2000, 0.4), ("b", "", 2000, 0.4)]), PLAN)
    assert not found.healthy
    assert "an arm that is not in the source" in found.why
    rounded = [(arm, "", 20_000, 0.33) for arm in "abc"]
    assert check_health(of_sizes(rounded), PLAN).healthy


def test_two_wrongs_in_two_epochs_do_not_make_a_right() -> None:
    rows = [("mixtral", "1", 5000, 0.5), ("gpt-4o", "1", 4600, 0.5)]
    rows += [("mixtral", "2", 4600, 0.5), ("gpt-4o", "2", 5000, 0.5)]
    found = check_health(of_sizes(rows), PLAN)
    assert not found.healthy
    assert all(each.p_value is not None and each.p_value < 0.001 for each in found.strata)


def test_a_change_of_weights_is_no_alarm() -> None:
    counts = counted(units_of(RATES, 8000, weights=EPOCHS))
    assert check_health(counts, PLAN).healthy
    assert split_shares(counts, PLAN) == pytest.approx({"gpt-4o": 0.1, "mixtral": 0.9})


def test_unequal_arms_without_weights_are_refused() -> None:
    rows = [("mixtral", "", 9000, None), ("gpt-4o", "", 1000, None)]
    with pytest.raises(UsageError, match=r"different sizes .* give the weights that were meant"):
        check_health(of_sizes(rows), PLAN)
    split = dataclasses.replace(PLAN, split={"mixtral": 9, "gpt-4o": 1})
    assert check_health(of_sizes(rows), split).healthy


def test_equal_arms_without_weights_are_taken_for_equal() -> None:
    found = check_health(of_sizes([("mixtral", "", 5040, None), ("gpt-4o", "", 4960, None)]), PLAN)
    assert found.healthy
    assert found.strata[0].expected == {"mixtral": 5000.0, "gpt-4o": 5000.0}


def test_units_in_an_arm_of_weight_zero_are_refused() -> None:
    rows = [("mixtral", "", 5000, 1.0), ("gpt-4o", "", 5, 0.0)]
    with pytest.raises(UsageError, match="recorded weight there is 0"):
        check_health(of_sizes(rows), PLAN)


def test_one_arm_has_no_split() -> None:
    found = check_health(of_sizes([("gpt-4o", "", 5000, None)]), PLAN)
    assert found.healthy
    assert found.p_value is None
    with pytest.raises(UsageError, match="units of the other arms are missing"):
        check_health(of_sizes([("gpt-4o", "", 5000, 0.1)]), PLAN)


def test_many_fallbacks_and_missing_costs_are_told() -> None:
    units = units_of(RATES, 4000, other=0.3, costs={"gpt-4o": 0.004, "mixtral": 0.001})
    for u in units[:400]:
        u["cost"] = None
    told = " ".join(check_health(counted(units), PLAN).warnings)
    assert "of the messages of mixtral were written by another model" in told
    assert "is unknown; its money is of the others" in told


def test_units_lost_in_one_arm_only_are_told() -> None:
    units = units_of(RATES, 4000, weights=({"gpt-4o": 0.5, "mixtral": 0.5},))
    counts = counted(units)
    fewer = tuple(
        each._replace(units=each.units // 2, replied=each.replied // 2) if each.arm == "mixtral" else each
        for each in counts.arms
    )
    found = check_health(dataclasses.replace(counts, arms=fewer), PLAN)
    assert any("something after the assignment" in each for each in found.warnings)


def test_campaigns_of_unequal_arms_without_weights_are_named() -> None:
    rows = [("mixtral", "spring", 900, None), ("gpt-4o", "spring", 100, None)]
    with pytest.raises(
        UsageError, match=r"The arms of spring have different sizes \(mixtral 900, gpt-4o 100\)"
    ):
        check_health(of_sizes(rows), PLAN)


def test_a_p_value_that_is_too_small_for_a_number_is_not_called_0() -> None:
    found = check_health(of_sizes([("mixtral", "", 9000, 0.1), ("gpt-4o", "", 700, 0.9)]), PLAN)
    assert "(p < 1e-99)" in found.why


def test_one_cluster_cannot_tell_how_alike_its_leads_are() -> None:
    units = units_of(RATES, 2000, clusters=4)
    for unit in units:
        unit["cluster"] = 0
    (warning,) = check_health(counted(units), PLAN).warnings
    assert "All leads are in one mailbox or domain" in warning
    for unit in units:
        unit["cluster"] = 0 if unit["arm"] == "gpt-4o" else 1
    (warning,) = check_health(counted(units), PLAN).warnings
    assert "All leads of gpt-4o and of mixtral are in one mailbox" in warning
    for number, unit in enumerate(units):
        unit["cluster"] = 0 if unit["arm"] == "gpt-4o" else 1 + number % 30
    (warning,) = check_health(counted(units), PLAN).warnings
    assert "All leads of gpt-4o are in one mailbox" in warning
    for number, unit in enumerate(units):
        unit["cluster"] = number % 30
    assert check_health(counted(units), PLAN).warnings == ()
