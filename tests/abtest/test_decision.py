"""The decision at its boundaries, and the sentences that carry it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from llmbench.abtest import AbResult, Plan, analyse
from llmbench.abtest.counts import GuardrailCounts
from llmbench.abtest.money import NetValue
from llmbench.ledger import Ledger
from llmbench.reporting import ab_money
from llmbench.results import Decision
from llmbench.stats import Interval
from tests.abtest.made import counted, units_of

COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)
NOW = datetime(2026, 12, 1, tzinfo=UTC)
KEPT, BROKEN = (60, 60), (180, 60)


def result_of(
    mixtral: float = 0.09, gpt: float = 0.05, *, complaints: tuple[int, int] = KEPT, **changes: Any
) -> AbResult:
    units = units_of({"gpt-4o": gpt, "mixtral": mixtral}, 6000, weights=HALF, costs=COSTS)
    rows = tuple(
        GuardrailCounts("complaints", arm, "", 3000, events)
        for arm, events in zip(("mixtral", "gpt-4o"), complaints, strict=True)
    )
    given = {
        "planned_units": 6000, "margin": 0.8, "value_per_reply_usd": 20.0, "guardrails": {"complaints": 1.25},
        **changes,
    }  # fmt: skip
    counts = dataclasses.replace(counted(units), guardrails=rows)
    return analyse(counts, Plan("mail-7", control="gpt-4o", **given), now=NOW)


@pytest.fixture(scope="module")
def good() -> AbResult:
    return result_of()


def with_(result: AbResult, **changes: Any) -> AbResult:
    """The same with another comparison."""
    (c,) = result.comparisons
    return dataclasses.replace(result, comparisons=(dataclasses.replace(c, **changes),))


def net(probability: float) -> NetValue:
    return NetValue(10.0, Interval(-1.0, 21.0), probability)


@pytest.mark.parametrize(
    ("verdict", "value", "decision"),
    [
        ("better", net(0.95), Decision.GO),
        ("not worse", net(0.95), Decision.GO),
        ("not worse", net(0.94999), Decision.GO_WITH_CONDITIONS),
        ("not worse", None, Decision.GO_WITH_CONDITIONS),
        ("not worse", net(0.0), Decision.GO_WITH_CONDITIONS),
        ("worse", net(1.0), Decision.NO_GO),
        ("cannot tell", net(1.0), Decision.HOLD),
    ],
)
@pytest.mark.parametrize("broken", [False, True])
def test_the_rule_at_its_boundaries(
    good: AbResult, verdict: Any, value: NetValue | None, decision: Decision, broken: bool
) -> None:
    guard = good.guardrails[0]._replace(verdict="broken" if broken else "kept")
    given = dataclasses.replace(with_(good, verdict=verdict, net_value=value), guardrails=(guard,))
    expected = Decision.GO_WITH_CONDITIONS if broken and decision is Decision.GO else decision
    assert given.verdict().decision is expected


def test_a_broken_guardrail_is_never_go_and_is_named(good: AbResult) -> None:
    assert good.verdict().decision is Decision.GO
    broken = result_of(complaints=BROKEN)
    assert broken.guardrails[0].verdict == "broken"
    verdict = broken.verdict()
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert verdict.summary.endswith(
        "Condition: complaints with mixtral are 300% of gpt-4o's, and at most 125% are allowed; that has to "
        "be solved before the switch."
    )


def test_what_cannot_be_told_of_a_guardrail_breaks_nothing() -> None:
    result = result_of(complaints=(66, 60))
    assert result.guardrails[0].verdict == "cannot tell"
    assert result.verdict().decision is Decision.GO


def test_a_guardrail_without_events_in_the_control_is_told_in_counts() -> None:
    result = result_of(complaints=(90, 0))
    assert result.guardrails[0].verdict == "broken"
    assert "90 leads with complaints with mixtral and none with gpt-4o" in result.verdict().summary


def test_on_hold_a_broken_guardrail_comes_before_going_on() -> None:
    result = result_of(0.05, 0.05, complaints=BROKEN, planned_units=100_000)
    verdict = result.verdict()
    assert verdict.decision is Decision.HOLD
    assert "Before anything more is sent: complaints with mixtral are 300%" in verdict.summary


def test_of_two_good_treatments_the_one_with_its_guardrails_kept_is_chosen(good: AbResult) -> None:
    (c,) = good.comparisons
    for first, second in itertools.permutations(("mixtral", "llama")):
        pair = tuple(
            dataclasses.replace(c, treatment=name, verdict="not worse", net_value=net(p))
            for name, p in ((first, 0.99), (second, 0.97))
        )
        guards = (
            good.guardrails[0]._replace(treatment=first, verdict="broken"),
            good.guardrails[0]._replace(treatment=second, verdict="kept"),
        )
        two = dataclasses.replace(good, comparisons=pair, guardrails=guards)
        assert two.chosen is not None
        assert two.chosen.treatment == second
        assert two.verdict().decision is Decision.GO
        assert any(f"Guardrail broken: complaints with {first}" in each for each in two.verdict().reasons)


def test_a_plan_that_ends_far_below_the_need_says_so() -> None:
    result = result_of(0.05, 0.05, planned_units=8000, margin=0.9)
    assert result.plan_is_short
    summary = result.verdict().summary
    assert "The plan ends after 8,000 leads (about 2,000 more leads" in summary
    assert re.search(
        r"the chance to show that the margin is kept is \d+(\.\d+)?% if the arms are equal", summary
    )
    assert re.search(r"to make it 80% takes about \d\d,\d00 leads in all", summary)
    assert "an answer takes" not in summary
    enough = result_of(0.05, 0.05, planned_units=100_000, margin=0.9)
    assert not enough.plan_is_short
    assert "an answer takes" in enough.verdict().summary


def test_one_arm_left_after_the_decision_says_that_it_stands(tmp_path: Path) -> None:
    units = units_of({"gpt-4o": 0.06, "mixtral": 0.02}, 6000, weights=HALF, costs=COSTS)
    left = [u | {"probability": 1.0} for u in units if u["arm"] == "gpt-4o"]
    given = Plan("mail-7", control="gpt-4o", planned_units=6000)
    with Ledger(tmp_path / "ledger.db") as ledger:
        first = analyse(counted(units, as_of=60), given, ledger, NOW)
        later = analyse(counted(left), given, ledger, NOW)
        read = analyse(counted(left), given, ledger, NOW, counts_at=lambda _: counted(left, as_of=60))
        there = analyse(counted(left, as_of=60), given, ledger, NOW)
    assert later.verdict().decision is first.verdict().decision is Decision.NO_GO
    for other in (read, there):
        assert other.verdict().decision is Decision.NO_GO
        assert other.comparisons == first.comparisons
        assert any("rows came or changed since" in each for each in other.deviations)
    reason = later.verdict().reasons[-1]
    assert "Decided at look 1; that stands. Now only one arm is in the source, gpt-4o." in reason


@pytest.mark.parametrize("saving", [True, False])
def test_money_without_a_reply_of_the_control_is_in_replies(saving: bool) -> None:
    costs = COSTS if saving else {"gpt-4o": 0.0006, "mixtral": 0.004}
    units = units_of({"gpt-4o": 0.0, "mixtral": 0.05}, 6000, weights=HALF, costs=costs)
    given = Plan("mail-7", control="gpt-4o", planned_units=6000, value_per_reply_usd=20.0)
    result = analyse(counted(units), given, now=NOW)
    assert result.money["mixtral"].economic_margin is None
    for text in (ab_money.money_sentence(result), " ".join(result.verdict().reasons)):
        assert "gpt-4o got no reply, so there is no share of its replies to keep" in text
        assert ("pays down to" if saving else "pays from") in text
        assert "nan" not in text
        assert "With value_per_reply_usd" not in text


@pytest.mark.parametrize("silent", ["mixtral", "gpt-4o"])
def test_an_arm_without_a_reply_is_to_be_checked_before_it_is_acted_on(silent: str) -> None:
    rates = {"mixtral": 0.05, "gpt": 0.05} | {silent.removesuffix("-4o"): 0.0}
    told = " ".join(result_of(**rates).verdict().reasons)
    assert re.search(rf"Not one of the [\d,]+ leads of {silent} replied", told)
    assert told.count("Not one of the") == 1


def test_an_arm_without_a_reply_is_not_told_before_a_look() -> None:
    early = result_of(mixtral=0.0, planned_units=60_000, stopping_rule="fixed")
    assert not early.shows_effect
    assert "Not one of the" not in " ".join(early.verdict().reasons)


def undelivered(assigned: int, *, as_of: int | None = None, **changes: Any) -> str:
    """The summary where of so many assigned leads 2,910 have a delivered message."""
    counts = counted(
        units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 2910, weights=HALF, costs=COSTS), as_of=as_of
    )
    rest = assigned - sum(each.units for each in counts.assigned)
    rows = tuple(
        each._replace(units=each.units + half)
        for each, half in zip(counts.assigned, (rest // 2, rest - rest // 2), strict=True)
    )
    given = {"planned_units": 3000, "stopping_rule": "fixed", "expected_rate": 0.05, **changes}
    plan = Plan("mail-7", control="gpt-4o", **given)
    result = analyse(dataclasses.replace(counts, assigned=rows), plan, now=NOW)
    assert result.verdict().decision is Decision.HOLD
    return result.verdict().summary


@pytest.mark.parametrize(
    "changes", [{}, {"margin": 0.3}, {"margin": 0.99, "stopping_rule": "group-sequential"}]
)
def test_a_plan_that_undelivered_leads_keep_from_its_end_says_how_many_to_assign(
    changes: dict[str, Any],
) -> None:
    told = undelivered(3000, **changes)
    if "stopping_rule" not in changes:
        assert "97% of the planned information is there, and the reading needs 100%" in told
    assert "90 of the 3,000 leads assigned (3.0%) have no delivered message" in told
    assert "assign about 93 more" in told  # of 93 as many as 90 are delivered at that share


def test_leads_that_may_still_be_sent_to_are_not_told_as_undelivered() -> None:
    assert "no delivered message" not in undelivered(3000, as_of=70)  # the last windows are open
    assert "no delivered message" not in undelivered(2950)  # not all that is planned is assigned
    assert "no delivered message" not in undelivered(2910)
    assert "no delivered message" not in undelivered(3000, stopping_rule="anytime")


def test_a_net_value_without_limits_says_why(good: AbResult) -> None:
    value = NetValue(10.0, Interval(-math.inf, math.inf), 0.5)
    told = with_(good, verdict="not worse", net_value=value).verdict().summary
    assert "without limits, because no number of leads is planned" in told
    assert "inf" not in told
