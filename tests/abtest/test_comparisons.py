from __future__ import annotations

import dataclasses
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from llmbench.abtest import AbResult, Counts, Plan, analyse
from llmbench.abtest.counts import AssignedCounts, CostCounts, DayCounts, UnitSums
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.reporting.ab_charts import effect_figure
from llmbench.reporting.ab_effect import match_sentence
from llmbench.results import Decision

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
COSTS = {"c": 0.01, "t": 0.001, "u": 0.001}


def counts(day: int, costs: dict[str, float] | None = None, **arms: tuple[int, int]) -> Counts:
    """Replied and units by arm, as of `day`."""
    usd = COSTS if costs is None else costs
    sums, assigned, days, paid = [], [], [], []
    for arm, (x, n) in arms.items():
        c = usd[arm]
        sums.append(UnitSums(arm, "", n, x, n, x, n, x, x, n, x, c * n, c * c * n * 1.1, c * x, 0))
        assigned.append(AssignedCounts(arm, "", n, 1.0, START))
        paid += [CostCounts(arm, "", True, x, c), CostCounts(arm, "", False, n - x, c)]
        days.append(DayCounts(arm, "", date(2025, 12, 1), n, x, n, c * n, n))
    return Counts(
        "e", START + timedelta(days=day), 14.0, tuple(sums), tuple(assigned), tuple(days), costs=tuple(paid)
    )


def plan(**changes: Any) -> Plan:
    return Plan("e", **{"control": "c", "planned_units": 40_000, "value_per_reply_usd": 20.0, **changes})


def verdicts(result: AbResult) -> dict[str, str]:
    return {c.treatment: c.verdict for c in result.comparisons}


def test_what_was_decided_later_does_not_tell_an_earlier_day(ledger: Ledger) -> None:
    analyse(counts(10, c=(150, 5000), t=(150, 5000)), plan(), ledger, NOW)
    decided = analyse(counts(20, c=(300, 10_000), t=(400, 10_000)), plan(), ledger, NOW)
    assert decided.verdict().decision is Decision.GO
    for day in (5, 15):
        back = analyse(counts(day, c=(90, 3000), t=(90, 3000)), plan(), ledger, NOW)
        assert verdicts(back) == {"t": "cannot tell"}
        assert back.verdict().decision is Decision.HOLD
        assert not back.shows_effect


def test_the_same_cut_off_shows_what_was_shown_and_tells_of_other_rows(ledger: Ledger) -> None:
    given = counts(10, c=(150, 5000), t=(150, 5000))
    first = analyse(given, plan(), ledger, NOW)
    same = analyse(given, plan(), ledger, NOW)
    assert same.comparisons == first.comparisons
    assert same.deviations == ()
    other = analyse(counts(10, c=(150, 5000), t=(250, 5000)), plan(), ledger, NOW)
    assert other.comparisons == first.comparisons
    (told,) = other.deviations
    assert "better, ratio 1.667) than at look 1 (cannot tell, ratio 1.000): rows came or changed" in told


def test_an_arm_that_left_after_it_was_decided_ends_nothing(ledger: Ledger) -> None:
    given = plan(planned_units=60_000)
    first = analyse(counts(1, c=(500, 10_000), t=(200, 10_000), u=(500, 10_000)), given, ledger, NOW)
    assert verdicts(first) == {"t": "worse", "u": "cannot tell"}
    data = {"c": (1500, 30_000), "u": (1650, 30_000)}
    later = analyse(counts(9, **data), given, ledger, NOW)
    assert later.occasion.kind == "look"
    assert verdicts(later) == {"t": "worse", "u": "better"}
    assert any("arm 't' was there at the first look" in each for each in later.deviations)
    assert effect_figure(later) is not None
    str(later)
    later.data()
    # u is tested at half of alpha, as before: t was not passed.
    alone = analyse(counts(9, **data), plan(), now=NOW).comparisons[0]
    tested = next(c for c in later.comparisons if c.treatment == "u")
    assert tested.ratio_ci is not None
    assert alone.ratio_ci is not None
    assert tested.ratio_ci.low < alone.ratio_ci.low


def test_an_arm_that_came_after_the_first_look_is_not_tested(ledger: Ledger) -> None:
    analyse(counts(1, c=(500, 10_000), t=(500, 10_000)), plan(), ledger, NOW)
    later = analyse(counts(9, c=(1000, 20_000), t=(1300, 20_000), u=(2000, 20_000)), plan(), ledger, NOW)
    assert verdicts(later) == {"t": "better"}
    assert any("arm 'u' was not there at the first look" in each for each in later.deviations)


def test_a_control_that_was_renamed_is_told(ledger: Ledger) -> None:
    analyse(counts(1, c=(500, 10_000), t=(500, 10_000)), plan(), ledger, NOW)
    renamed = counts(9, {"C": 0.01, "T": 0.001}, C=(1000, 20_000), T=(1000, 20_000))
    with pytest.raises(UsageError, match="control was 'c' at the first look at e, and is no arm now"):
        analyse(renamed, plan(control="C"), ledger, NOW)


def test_money_is_that_of_the_look_that_decided(ledger: Ledger) -> None:
    fixed = plan(stopping_rule="fixed")
    read = analyse(counts(30, c=(600, 20_000), t=(640, 20_000)), fixed, ledger, NOW)
    assert read.verdict().decision is Decision.GO_WITH_CONDITIONS
    later = analyse(counts(40, c=(600, 25_000), t=(740, 25_000)), fixed, ledger, NOW)
    assert later.comparisons == read.comparisons
    assert later.verdict().decision is Decision.GO_WITH_CONDITIONS
    assert later.money["t"].net_value_per_1000 != read.comparisons[0].net_value


def test_a_value_that_is_given_after_the_decision_does_not_change_it(ledger: Ledger) -> None:
    data = counts(10, c=(600, 20_000), t=(900, 20_000))
    unpriced = analyse(data, plan(value_per_reply_usd=None), ledger, NOW)
    assert unpriced.verdict().decision is Decision.GO_WITH_CONDITIONS
    later = analyse(dataclasses.replace(data, as_of=NOW), plan(fixed_costs_usd={"t": 1.0}), ledger, NOW)
    verdict = later.verdict()
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert "it was not known at look 1, which decided" in verdict.summary
    assert [each.split()[0] for each in later.deviations] == ["value_per_reply_usd", "fixed_costs_usd"]


def test_money_that_speaks_against_it_is_said_to_be_lost() -> None:
    given = plan(planned_units=1000, fixed_costs_usd={"t": 600_000.0})
    verdict = analyse(counts(1, c=(3000, 30_000), t=(3300, 30_000)), given, now=NOW).verdict()
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert "money speaks against it: it loses $19,791.00 per 1,000 leads against c" in verdict.summary
    assert "more per" not in verdict.summary


def test_p_is_adjusted_over_all_treatments_at_later_looks_too(ledger: Ledger) -> None:
    given = plan(planned_units=60_000)
    analyse(counts(1, c=(5000, 10_000), t=(5010, 10_000), u=(4640, 10_000)), given, ledger, NOW)
    later = analyse(counts(5, c=(7500, 15_000), t=(7505, 15_000), u=(7250, 15_000)), given, ledger, NOW)
    tested = next(c for c in later.comparisons if c.treatment == "u")
    assert tested.look == 2
    assert tested.p_value is not None
    assert tested.p_adjusted == pytest.approx(2 * tested.p_value)


def test_sentences_have_a_control_rate_and_never_nan(ledger: Ledger) -> None:
    given = plan(planned_units=60_000)
    analyse(counts(1, c=(500, 10_000), t=(200, 10_000), u=(500, 10_000)), given, ledger, NOW)
    waiting = analyse(counts(2, c=(540, 10_400), t=(210, 10_400), u=(530, 10_400)), given, ledger, NOW)
    assert waiting.occasion.kind == "waiting"
    told = [match_sentence(waiting, c) for c in waiting.comparisons]
    assert "Of 1,000 leads that c would get 50 replies from, t gets about 20" in told[0]
    none = analyse(counts(1, c=(0, 3000), t=(300, 3000)), plan(planned_units=1000), now=NOW)
    told += [match_sentence(none, c) for c in none.comparisons] + [none.verdict().summary]
    assert "It does better. The difference of the reply rates is" in told[2]
    assert not any("nan" in each or "unknown" in each or "inf " in each for each in told)
