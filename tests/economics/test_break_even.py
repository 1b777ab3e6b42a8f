from __future__ import annotations

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from llmbench.economics import (
    HostingCosts,
    HostingOption,
    Workload,
    api_lines,
    break_even,
    break_even_of,
    week_profile,
)
from llmbench.errors import UsageError

LOAD = Workload(100_000, 500, 200, profile=week_profile(3))
RENT_ONLY = HostingCosts(spare_replicas=0, operations_hours=0, storage_usd=0)
T4 = HostingOption("T4", 1, "llama-3.1-8b", "awq-int4", 0.526, 400, 260, 580)


def test_golden_break_even_of_the_machine_alone(throughput_data: Path) -> None:
    golden = json.loads((throughput_data / "golden.json").read_text(encoding="utf-8"))
    lines = api_lines(LOAD, list(golden["break_even_infra_only"]), price_book="2025-01-23")
    for model, volume in golden["break_even_infra_only"].items():
        usd = lines[model].usd_per_message
        assert usd == pytest.approx(golden["cost_per_message"][model], rel=1e-12)
        found = break_even_of(T4, LOAD, RENT_ONLY, usd).messages_per_month
        assert found == pytest.approx(volume, abs=0.06)


def test_beyond_the_capacity_of_the_gpu_is_none_below_capacity() -> None:
    """Trap 13: the T4 would pay for itself at 2.74M messages, and carries a third of that."""
    found = break_even_of(T4, LOAD, RENT_ONLY, 0.00014)
    assert found.messages_per_month == pytest.approx(2_742_714, abs=1)
    assert not found.below_capacity
    assert found.capacity_per_month == pytest.approx(400 / 200 * 3600 * 730 * 0.7 / 3)
    assert found.first is None
    assert found.pays_from is None
    assert found.utilisation > 0.5 > found.achievable_utilisation
    assert found.words() == "never"


def test_spare_people_and_storage_count(throughput_data: Path) -> None:
    """Trap 12: one replica is no production."""
    rows = json.loads((throughput_data / "claims.json").read_text(encoding="utf-8"))["claims"]
    right = next(row["right"] for row in rows if row["id"] == "breakeven-full")
    lines = api_lines(LOAD, list(right["break_even_messages_month"]), price_book="2025-01-23")
    for model, volume in right["break_even_messages_month"].items():
        found = break_even_of(T4, LOAD, HostingCosts(), lines[model].usd_per_message or 0.0)
        assert found.messages_per_month == pytest.approx(volume, abs=0.6)


def test_a_month_has_730_hours() -> None:
    """Trap 15."""
    assert T4.month(LOAD, RENT_ONLY).usd == pytest.approx(383.98)


def test_utilisation_is_in_the_capacity_and_never_in_the_rent() -> None:
    """Trap 2: an idle GPU bills all the same."""
    idle = Workload(10, 500, 200, profile=week_profile(3))
    assert T4.month(idle, RENT_ONLY).rent_usd == T4.month(LOAD, RENT_ONLY).rent_usd == pytest.approx(383.98)
    assert T4.month(idle, RENT_ONLY).utilisation < 1e-5


@given(
    usd=st.floats(1e-5, 0.1),
    rent=st.floats(10, 5000),
    capacity=st.floats(1e4, 1e7),
    fixed=st.floats(0, 2000),
    spare=st.integers(0, 2),
)
def test_crossings_are_those_of_the_costs_themselves(
    usd: float, rent: float, capacity: float, fixed: float, spare: int
) -> None:
    """The definition: on either side of each crossing another one is cheaper, and nowhere else."""
    found = break_even(usd, rent, capacity, fixed_usd_per_month=fixed, spare_replicas=spare)

    def cheaper(volume: float) -> str:
        serving = max(1, math.ceil(volume / capacity))
        return "self-hosting" if fixed + (serving + spare) * rent < usd * volume else "api"

    if len(found.crossings) > 50:
        return
    edges = [0.0, *(each.messages_per_month for each in found.crossings)]
    edges.append(edges[-1] + 3 * capacity)
    state = "api"
    for at, (low, high) in enumerate(pairwise(edges)):
        if at:
            state = found.crossings[at - 1].cheaper
        for volume in np.linspace(low, high, 41)[1:-1]:
            near = min(abs(volume - low), abs(volume - high)) < 1e-6 * high
            step = abs(volume / capacity - round(volume / capacity)) < 1e-6
            assert near or step or cheaper(volume) == state
    if found.pays_from is None:
        assert all(cheaper(found.capacity_per_month * k) == "api" for k in (1e6, 1e7, 1e8))


def test_a_staircase_that_pays_stops_paying_and_pays_again() -> None:
    # 100 a replica that carries 1,000 at 0.15 each: 667 pay, the second replica takes it back until 1,333.
    found = break_even(0.15, 100, 1000)
    told = [(round(each.messages_per_month), each.cheaper) for each in found.crossings]
    assert (
        told
        == [
            (667, "self-hosting"),
            (1000, "api"),
            (1333, "self-hosting"),
            (2000, "self-hosting"),
        ][:3]
    )
    assert found.pays_from == pytest.approx(4000 / 3)
    assert found.first == pytest.approx(2000 / 3)
    assert found.below_capacity


def test_an_api_cheaper_than_what_each_message_adds_is_never_met() -> None:
    found = break_even(0.0001, 100, 1000, own_usd_per_message=0.0002)
    assert found.messages_per_month is None
    assert not found.crossings


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((-1.0, 100, 1000), "usd_per_message"),
        ((0.1, -5, 1000), "replica_usd_per_month"),
        ((0.1, 100, 0), "capacity_per_month"),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: tuple[float, float, float], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        break_even(*arguments)


def test_an_option_that_does_not_work_says_why() -> None:
    with pytest.raises(UsageError, match="does not fit into the memory"):
        break_even_of(
            HostingOption("T4", 1, "llama-3.1-70b", "fp16", 0.5, 0, 0, 0, fits="does not fit"),
            LOAD,
            HostingCosts(),
            0.001,
        )
