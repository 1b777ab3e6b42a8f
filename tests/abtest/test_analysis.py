from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any

import pytest

from llmbench.abtest import Counts, Plan, analyse, day_series, power_curve
from llmbench.abtest.counts import GuardrailCounts, UnitSums
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.results import Decision
from tests.abtest.made import counted, units_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)
NOW = datetime(2026, 12, 1, tzinfo=UTC)


def plan(**changes: Any) -> Plan:
    return Plan("mail-7", **{"control": "gpt-4o", **changes})


def made(mixtral: float = 0.05, gpt: float = 0.05, n: int = 12_000, **changes: Any) -> list[dict[str, Any]]:
    return units_of({"gpt-4o": gpt, "mixtral": mixtral}, n, **{"weights": HALF, "costs": COSTS, **changes})


@pytest.fixture(scope="module")
def equal() -> list[dict[str, Any]]:
    return made()


def test_keys_of_the_data_are_those_of_the_report(equal: list[dict[str, Any]]) -> None:
    data = analyse(counted(equal), plan(planned_units=12_000, value_per_reply_usd=20.0), now=NOW).data()
    keys = ["srm", "arms", "comparisons", "power", "segments", "looks", "excluded"]
    assert list(data) == [*keys, "simulated"]
    assert data["simulated"] is True
    real = analyse(counted(equal, simulated=False), plan(planned_units=12_000), now=NOW).data()
    assert list(real) == keys
    assert list(data["srm"]) == ["p_value", "healthy"]
    assert set(data["arms"][0]) == {
        "arm", "messages", "units", "replies", "rate", "rate_ci", "cost_usd", "cost_per_reply",
        "cost_per_reply_ci", "served_by_other",
    }  # fmt: skip
    (comparison,) = data["comparisons"]
    assert set(comparison) == {
        "control", "treatment", "difference", "difference_ci", "ratio", "ratio_ci", "p_value", "p_adjusted",
        "method", "non_inferiority", "verdict", "net_value_per_1000", "sequential", "bayes",
    }  # fmt: skip
    assert set(comparison["non_inferiority"]) == {"margin", "scale", "p_value", "passed"}
    assert set(comparison["net_value_per_1000"]) == {"estimate", "ci", "probability_positive"}
    assert set(comparison["sequential"]) == {"kind", "looks", "crossed", "ci"}
    assert set(comparison["bayes"]) == {"probability_better", "expected_loss"}
    assert set(data["power"]) == {"mde", "units_needed", "days_needed"}
    json.dumps(data, allow_nan=False)


def test_before_a_look_nothing_tells_the_effect(equal: list[dict[str, Any]]) -> None:
    result = analyse(counted(equal), plan(planned_units=100_000, value_per_reply_usd=20.0), now=NOW)
    data = result.data()
    for arm in data["arms"]:
        assert [arm[k] for k in ("replies", "rate", "rate_ci", "cost_per_reply", "cost_per_reply_ci")] == [
            None
        ] * 5
        assert arm["cost_usd"] > 0
    (comparison,) = data["comparisons"]
    assert comparison["verdict"] == "cannot tell"
    assert [comparison[k] for k in ("difference", "ratio", "p_value", "bayes", "net_value_per_1000")] == [
        None
    ] * 5
    assert (data["segments"], data["looks"], day_series(result), result.other_analyses) == ([], [], [], ())
    assert result.money == {}
    verdict = result.verdict()
    assert verdict.decision is Decision.HOLD
    assert "too early to read" in verdict.summary
    assert "more leads" in verdict.summary
    assert data["power"]["units_needed"] > 0


def test_looks_are_taken_one_by_one(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    given = plan(planned_units=12_000, margin=0.9)
    kinds = []
    for day in (20, 30, 31, 44, 60, 74):
        result = analyse(counted(equal, as_of=day), given, ledger, NOW)
        kinds.append((day, result.occasion.kind, len(result.looks)))
    assert kinds == [
        (20, "waiting", 0),
        (30, "look", 1),
        (31, "waiting", 1),
        (44, "look", 2),
        (60, "look", 3),
        (74, "look", 4),
    ]
    again = analyse(counted(equal, as_of=74), given, ledger, NOW)
    assert again.occasion.kind == "again"
    assert again.comparisons == result.comparisons
    assert len(ledger.looks("mail-7")) == 4
    assert [look.information for look in ledger.looks("mail-7")][-1] == 1.0


def test_a_re_run_at_an_earlier_look_shows_what_it_showed(
    equal: list[dict[str, Any]], ledger: Ledger
) -> None:
    given = plan(planned_units=12_000)
    first = analyse(counted(equal, as_of=30), given, ledger, NOW)
    analyse(counted(equal, as_of=44), given, ledger, NOW)
    again = analyse(counted(equal, as_of=30), given, ledger, NOW)
    assert again.occasion.kind == "again"
    assert again.comparisons == first.comparisons
    assert len(ledger.looks("mail-7")) == 2


def test_what_a_look_decided_stands(ledger: Ledger) -> None:
    units = made(0.02, 0.06, 12_000)
    given = plan(planned_units=12_000)
    first = analyse(counted(units, as_of=44), given, ledger, NOW)
    assert first.comparisons[0].verdict == "worse"
    assert first.verdict().decision is Decision.NO_GO
    for day in (50, 74):
        later = analyse(counted(units, as_of=day), given, ledger, NOW)
        assert later.occasion.kind == "over"
        assert later.verdict().decision is Decision.NO_GO
        assert later.comparisons[0].ratio == first.comparisons[0].ratio
        assert later.shows_effect
    assert len(ledger.looks("mail-7")) == 1


def test_parameters_are_frozen_at_the_first_look(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    analyse(counted(equal, as_of=44), plan(planned_units=12_000), ledger, NOW)
    later = analyse(counted(equal, as_of=74), plan(planned_units=12_000, margin=0.5), ledger, NOW)
    assert later.plan.margin == 0.9
    assert later.comparisons[0].margin == 0.9
    assert later.deviations == ("margin is 0.5 now and was 0.9 at the first look, which is what counts.",)
    assert any("Deviation from the plan" in reason for reason in later.verdict().reasons)
    # Money is no part of the error that is controlled; that it moved is told.
    paid = analyse(counted(equal, as_of=74), plan(planned_units=12_000, value_per_reply_usd=5.0), ledger, NOW)
    (told,) = paid.deviations
    assert told.startswith("value_per_reply_usd is 5.0 now and was not given at the first look;")


def test_another_reply_window_is_another_experiment(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    analyse(counted(equal, as_of=44), plan(planned_units=12_000), ledger, NOW)
    with pytest.raises(UsageError, match="window_days is 7 and was 14 at the first look"):
        analyse(counted(equal, as_of=74, window=7), plan(planned_units=12_000, window_days=7), ledger, NOW)


def test_planned_units_that_follow_from_the_rate_are_frozen(
    equal: list[dict[str, Any]], ledger: Ledger
) -> None:
    given = plan(margin=0.6)
    first = analyse(counted(equal, as_of=44), given, ledger, NOW)
    assert first.occasion.kind == "look"
    frozen = ledger.frozen_plan("mail-7")
    assert frozen is not None
    later = analyse(counted(equal, as_of=60), given, ledger, NOW)
    assert later.planned_units == frozen["planned_units"]
    assert later.deviations == ()


def test_weights_that_change_between_looks_leave_the_information_in_order(ledger: Ledger) -> None:
    weights = ({"gpt-4o": 0.1, "mixtral": 0.9}, {"gpt-4o": 0.5, "mixtral": 0.5})
    units = made(0.05, 0.05, 12_000, weights=weights)
    given = plan(planned_units=12_000)
    found = [analyse(counted(units, as_of=day), given, ledger, NOW) for day in (30, 44, 51, 74)]
    assert found[0].shares == pytest.approx({"gpt-4o": 0.1, "mixtral": 0.9})
    assert found[-1].shares == pytest.approx({"gpt-4o": 0.5, "mixtral": 0.5})
    assert [len(each.looks) for each in found] == [1, 2, 3, 4]
    fractions = [look.information for look in found[-1].looks]
    assert fractions == sorted(fractions)
    frozen = ledger.frozen_plan("mail-7")
    assert frozen is not None
    assert found[-1].planned_shares == frozen["shares"]


def test_a_fixed_plan_is_read_once(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    given = plan(planned_units=6000, stopping_rule="fixed")
    early = analyse(counted(equal, as_of=30), given, ledger, NOW)
    assert early.occasion.kind == "waiting"
    read = analyse(counted(equal, as_of=46), given, ledger, NOW)
    assert read.occasion.kind == "look"
    assert read.comparisons[0].sequential is not None
    assert read.comparisons[0].sequential.kind == "anytime"
    later = analyse(counted(equal, as_of=74), given, ledger, NOW)
    assert later.occasion.kind == "over"
    assert later.comparisons[0].ratio == read.comparisons[0].ratio


def test_anytime_every_run_is_a_look(equal: list[dict[str, Any]], ledger: Ledger) -> None:
    given = plan(stopping_rule="anytime")
    for day in (20, 21, 22):
        assert analyse(counted(equal, as_of=day), given, ledger, NOW).occasion.kind == "look"
    assert analyse(counted(equal, as_of=22), given, ledger, NOW).occasion.kind == "again"
    assert len(ledger.looks("mail-7")) == 3


def test_without_a_ledger_a_run_is_the_first_look(equal: list[dict[str, Any]]) -> None:
    result = analyse(counted(equal), plan(planned_units=12_000), now=NOW)
    assert len(result.looks) == 1


@pytest.mark.parametrize(
    ("value", "mixtral", "decision"),
    [
        (None, 0.06, Decision.GO_WITH_CONDITIONS),
        (20.0, 0.09, Decision.GO),
        (20.0, 0.047, Decision.GO_WITH_CONDITIONS),
        (0.01, 0.055, Decision.GO),
        (20.0, 0.02, Decision.NO_GO),
        (20.0, 0.036, Decision.HOLD),
    ],
)
def test_the_rule_of_the_decision(value: float | None, mixtral: float, decision: Decision) -> None:
    given = plan(planned_units=12_000, margin=0.8, value_per_reply_usd=value)
    result = analyse(counted(made(mixtral, 0.05, seed=11)), given, now=NOW)
    verdict = result.verdict()
    assert verdict.decision is decision, verdict.summary
    assert verdict.summary.startswith("Simulated data: ")


def test_net_value_needs_a_probability_of_95_percent() -> None:
    for seed in range(4):
        result = analyse(
            counted(made(0.06, 0.05, seed=seed)),
            plan(planned_units=12_000, margin=0.8, value_per_reply_usd=2.0),
            now=NOW,
        )
        c = result.comparisons[0]
        assert c.net_value is not None
        if c.passed:
            sure = c.net_value.probability_positive >= 0.95
            assert (result.verdict().decision is Decision.GO) == sure


def test_an_unhealthy_split_is_invalid(ledger: Ledger) -> None:
    units = [u for k, u in enumerate(made()) if u["arm"] == "gpt-4o" or k % 5]
    result = analyse(counted(units), plan(planned_units=8000), ledger, NOW)
    assert not result.health.healthy
    assert result.verdict().decision is Decision.HOLD
    assert result.comparisons[0].verdict == "invalid"
    assert result.comparisons[0].ratio is None
    assert "split is broken" in result.verdict().summary
    assert ledger.looks("mail-7") == []


def test_more_than_two_arms() -> None:
    weights = ({"gpt-4o": 0.4, "mixtral": 0.3, "llama": 0.3},)
    rates = {"gpt-4o": 0.06, "mixtral": 0.065, "llama": 0.03}
    units = units_of(rates, 20_000, weights=weights, costs={**COSTS, "llama": 0.0002})
    result = analyse(
        counted(units), plan(planned_units=20_000, margin=0.8, value_per_reply_usd=10.0), now=NOW
    )
    assert [c.treatment for c in result.comparisons] == ["llama", "mixtral"]
    assert result.comparisons[0].verdict == "worse"
    assert result.chosen is not None
    assert result.chosen.treatment == "mixtral"
    assert set(result.money) == {"llama", "mixtral"}
    assert all((c.p_adjusted or 0) >= (c.p_value or 0) for c in result.comparisons)
    assert any(reason.startswith("llama: worse") for reason in result.verdict().reasons)


def test_a_dropped_arm_does_not_buy_alpha_for_the_rest(ledger: Ledger) -> None:
    weights = ({"gpt-4o": 0.4, "mixtral": 0.3, "llama": 0.3},)
    units = units_of({"gpt-4o": 0.06, "mixtral": 0.058, "llama": 0.01}, 20_000, weights=weights)
    given = plan(planned_units=20_000)
    first = analyse(counted(units, as_of=44), given, ledger, NOW)
    assert {c.treatment: c.verdict for c in first.comparisons} == {"llama": "worse", "mixtral": "cannot tell"}
    later = analyse(counted(units, as_of=74), given, ledger, NOW)
    alone = analyse(counted(units, as_of=74), given, now=NOW)
    kept = {c.treatment: c for c in later.comparisons}
    assert kept["llama"].look == 1
    assert kept["mixtral"].look == 2
    assert kept["mixtral"].ratio_ci == pytest.approx(
        next(c for c in alone.comparisons if c.treatment == "mixtral").ratio_ci, rel=0.02
    )


def test_one_arm_only() -> None:
    units = [u for u in made() if u["arm"] == "gpt-4o"]
    for u in units:
        u["probability"] = 1.0
    result = analyse(counted(units), plan(), now=NOW)
    assert result.comparisons == ()
    assert result.verdict().decision is Decision.HOLD
    assert "one arm only" in result.verdict().summary
    result.data()
    str(result)


def test_an_arm_without_replies(ledger: Ledger) -> None:
    result = analyse(
        counted(made(0.0, 0.05)), plan(planned_units=12_000, value_per_reply_usd=9.0), ledger, NOW
    )
    data = result.data()
    assert data["comparisons"][0]["ratio"] == 0
    assert data["comparisons"][0]["verdict"] == "worse"
    assert data["arms"][0]["cost_per_reply"] is None
    json.dumps(data, allow_nan=False)
    control = analyse(counted(made(0.05, 0.0)), plan(planned_units=12_000), now=NOW).data()
    assert control["comparisons"][0]["ratio"] is None
    assert control["comparisons"][0]["ratio_ci"][1] is None
    assert control["comparisons"][0]["verdict"] == "better"


def test_no_replies_at_all() -> None:
    result = analyse(counted(made(0.0, 0.0)), plan(planned_units=12_000), now=NOW)
    assert result.occasion.kind == "waiting"
    assert result.data()["power"]["units_needed"] is None
    assert power_curve(result) == []
    assert "with no reply yet it cannot be said how many leads" in result.verdict().summary


def test_nothing_is_mature_yet() -> None:
    result = analyse(counted(made(n=2000), as_of=10), plan(), now=NOW)
    assert result.verdict().decision is Decision.HOLD
    assert result.data()["arms"][0]["units"] == 0
    json.dumps(result.data(), allow_nan=False)


def test_without_costs_money_is_unknown() -> None:
    result = analyse(counted(made(costs=None)), plan(planned_units=12_000, value_per_reply_usd=9.0), now=NOW)
    assert result.money == {}
    assert result.data()["arms"][0]["cost_usd"] is None
    assert result.comparisons[0].net_value is None


def test_a_drift_with_a_change_of_split_is_stratified() -> None:
    weights = ({"gpt-4o": 0.5, "mixtral": 0.5}, {"gpt-4o": 0.1, "mixtral": 0.9})
    result = analyse(
        counted(made(0.02, 0.02, 30_000, weights=weights, drift=2.0)), plan(planned_units=30_000), now=NOW
    )
    (c,) = result.comparisons
    mixtral, gpt = result.arms
    assert mixtral.rate is not None
    assert gpt.rate is not None
    assert mixtral.rate / gpt.rate > 1.15  # the paradox
    assert c.ratio == pytest.approx(1.0, abs=0.12)
    assert c.ratio_ci is not None
    assert c.ratio_ci.low < 1 < c.ratio_ci.high
    assert "stratified over 2 strata" in c.method


def test_clusters_widen_what_decides() -> None:
    units = made(0.06, 0.06, 6000, clusters=30, spread=0.02)
    with_clusters = analyse(counted(units), plan(planned_units=6000), now=NOW)
    without = analyse(dataclasses.replace(counted(units), clusters=()), plan(planned_units=6000), now=NOW)
    assert with_clusters.design_effects is not None
    one, two = with_clusters.comparisons[0].ratio_ci, without.comparisons[0].ratio_ci
    assert one is not None
    assert two is not None
    assert one.high - one.low > two.high - two.low
    assert with_clusters.arms[0].rate_ci != without.arms[0].rate_ci


def test_guardrails_are_watched_before_a_look(equal: list[dict[str, Any]]) -> None:
    rows = (
        GuardrailCounts("complaints", "mixtral", "", 6000, 160),
        GuardrailCounts("complaints", "gpt-4o", "", 6000, 60),
    )
    counts = dataclasses.replace(counted(equal), guardrails=rows)
    result = analyse(counts, plan(planned_units=100_000, guardrails={"complaints": 1.25}), now=NOW)
    assert not result.shows_effect
    (guard,) = result.guardrails
    assert guard.verdict == "broken"
    assert any("Guardrail broken" in reason for reason in result.verdict().reasons)
    with pytest.raises(UsageError, match="of which the source tells nothing"):
        analyse(counts, plan(guardrails={"unsubscribes": 1.25}), now=NOW)


def test_guardrails_that_are_kept_and_that_cannot_be_told(equal: list[dict[str, Any]]) -> None:
    kept = (GuardrailCounts("c", "mixtral", "", 60_000, 600), GuardrailCounts("c", "gpt-4o", "", 60_000, 610))
    few = (GuardrailCounts("c", "mixtral", "", 600, 6), GuardrailCounts("c", "gpt-4o", "", 600, 6))
    none = (GuardrailCounts("c", "mixtral", "", 600, 0), GuardrailCounts("c", "gpt-4o", "", 600, 0))
    for rows, verdict in ((kept, "kept"), (few, "cannot tell"), (none, "cannot tell")):
        counts = dataclasses.replace(counted(equal), guardrails=rows)
        result = analyse(counts, plan(guardrails={"c": 1.25}), now=NOW)
        assert result.guardrails[0].verdict == verdict
    untested = analyse(dataclasses.replace(counted(equal), guardrails=kept), plan(), now=NOW)
    assert untested.guardrails[0].verdict == "not tested"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"control": "gpt-5"}, "control is 'gpt-5', which is no arm; they are gpt-4o, mixtral"),
        ({"window_days": 7}, "reply window of 14 days and the plan one of 7"),
        ({"split": {"gpt-4o": 1, "llama": 1}}, "split names 'llama'"),
        ({"fixed_costs_usd": {"llama": 1}}, "fixed_costs_usd names 'llama'"),
    ],
)
def test_a_plan_that_does_not_go_with_the_counts(
    equal: list[dict[str, Any]], changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        analyse(counted(equal), plan(**changes), now=NOW)


def test_counts_of_another_experiment_or_impossible_ones(equal: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="experiment 'other'"):
        analyse(counted(equal, experiment_id="other"), plan(), now=NOW)
    bad = UnitSums("mixtral", "", 5, 6, 5, 6, 5, 6, 5, 0, 0, 0, 0, 0, None)
    counts: Counts = dataclasses.replace(counted(equal), arms=(bad,))
    with pytest.raises(UsageError, match="6 replies of 5 units"):
        analyse(counts, plan(), now=NOW)


def test_a_cut_off_before_the_first_lead(equal: list[dict[str, Any]]) -> None:
    early = dataclasses.replace(counted(equal), arms=(), assigned=())
    with pytest.raises(UsageError, match=r"No lead was in the experiment before the cut-off .*a later as_of"):
        analyse(early, plan(), now=NOW)


def test_a_result_shows_itself_and_turns_into_pandas(equal: list[dict[str, Any]]) -> None:
    result = analyse(counted(equal), plan(planned_units=12_000), now=NOW)
    frame = result.to_pandas()
    assert list(frame["arm"]) == ["mixtral", "gpt-4o"]
    assert frame.loc[0, "verdict"] == result.comparisons[0].verdict
    html = result._repr_html_()
    assert "<table>" in html
    assert result.verdict().decision in html
    assert "mixtral" in str(result)
    assert repr(result) == str(result)


def test_names_are_escaped() -> None:
    units = made(n=3000)
    for u in units:
        u["arm"] = {"mixtral": "<b>x</b>"}.get(u["arm"], u["arm"])
    html = analyse(counted(units), plan(planned_units=3000), now=NOW)._repr_html_()
    assert "<b>x</b>" not in html


def test_series_and_curves(equal: list[dict[str, Any]]) -> None:
    result = analyse(counted(equal), plan(planned_units=12_000), now=NOW)
    series = day_series(result)
    assert 2 < len(series) <= 60
    last = series[-1]
    assert last.units == 12_000
    assert last.ratio == pytest.approx(result.comparisons[0].ratio)
    assert last.low < last.fixed_low < last.ratio < last.fixed_high < last.high
    (label, units, powers), (_, _, equal_powers) = power_curve(result)
    assert label == "planned split"
    assert powers == sorted(powers)
    assert 0 < powers[0] < powers[-1] < 1
    assert len(units) == len(equal_powers)


def test_units_of_an_epoch_without_the_other_arm_are_counted(equal: list[dict[str, Any]]) -> None:
    weights = (
        {"gpt-4o": 0.5, "mixtral": 0.5, "llama": 0.0},
        {"gpt-4o": 0.4, "mixtral": 0.3, "llama": 0.3},
    )
    units = units_of({"gpt-4o": 0.05, "mixtral": 0.05, "llama": 0.05}, 8000, weights=weights)
    result = analyse(counted(units), plan(planned_units=8000), now=NOW)
    alone = sum(u["stratum"] == "epoch 1" and u["arm"] == "gpt-4o" for u in units)
    (row,) = result.uncompared
    assert (row.reason, row.rows) == (
        "units of epochs or campaigns without both llama and gpt-4o: not compared there", alone
    )  # fmt: skip
    assert result.data()["excluded"][-1] == {"reason": row.reason, "rows": alone}
    assert analyse(counted(equal), plan(planned_units=12_000), now=NOW).uncompared == ()


def test_a_difference_that_lets_all_be_lost_is_told() -> None:
    given = plan(planned_units=12_000, scale="difference", margin=-0.06)
    result = analyse(counted(made()), given, now=NOW)
    assert any("an arm without a reply would pass" in each for each in result.verdict().reasons)
    tight = analyse(counted(made()), plan(planned_units=12_000, scale="difference", margin=-0.01), now=NOW)
    assert not any("would pass" in each for each in tight.verdict().reasons)
