"""What the first screen of the memo says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from llmbench.reporting import memo_money_words as cost
from llmbench.reporting import memo_words as say
from llmbench.reporting.memo_study import MemoStudy
from tests.reporting.memos import leave, memo


@pytest.fixture(scope="module")
def study() -> MemoStudy:
    return memo()


def test_the_decision_of_the_example(study: MemoStudy) -> None:
    found = say.verdict(study)
    assert found.decision == "HOLD"
    assert found.summary == (
        "Simulated data: It cannot be told yet whether mixtral-8x7b can go to full traffic: not enough "
        "evidence for replies. It can go to canary-25 (25% of the traffic): those gates are passed."
    )
    assert found.reasons[0] == (
        "Quality: the score is 0.5 points lower (−1.5 to +0.5) on the same 1,198 items, and up to 3 points "
        "lower is good enough. Replies: it gets 100.3% (72.1% to 143.9%) of those of gpt-4o, and at least "
        "90.0% must be kept."
    )
    assert found.reasons[1].startswith(
        "Saving: $296 a month (8 chances in 10: $231 to $379) once all of 100,000"
    )
    assert (
        "$4,000 spent at the start included; at the numbers as stated it is earned back in month 16"
        in (found.reasons[1])
    )
    assert found.reasons[2] == (
        "Main risk: lost replies. The test does not rule out that 27.9% of them are lost, worth $6,676 a "
        "month, 22.6 times what is saved. The chance that any are lost is 49%."
    )


def test_a_stage_that_is_reached_goes_on_and_pays_later() -> None:
    found = say.verdict(memo(stage="canary-25"))
    assert found.decision == "GO"
    found = say.verdict(memo(stage="canary-25", engineering_days=50.0))
    assert found.decision == "GO_WITH_CONDITIONS"
    assert "not expected to be earned back" in found.summary


def test_rollback_in_words(study: MemoStudy) -> None:
    assert study.rollback is not None
    told = say.rollback_sentence(study)
    first = next(bound for bound in study.rollback.bounds if bound.at_most is not None)
    assert f"of the first {first.total:,} replies (day {first.day})" in told
    assert f"only {first.at_most} are" in told
    assert "keeps 90% of the reply rate is taken back by mistake with a chance of at most 2.5%" in told


def test_main_risk_where_replies_are_not_dear() -> None:
    assert "what a reply is worth is not known" in say.main_risk(memo(value_per_reply_usd=0.0))
    unpaid = memo(value_per_reply_usd=0.01, engineering_days=100.0)
    assert say.main_risk(unpaid) == "Main risk: what is spent once is not expected to come back."
    assert "no more than what is saved" in say.main_risk(memo(value_per_reply_usd=0.01))


def test_main_risk_of_a_candidate_that_has_ended() -> None:
    study = memo(as_of="2026-11-28", value_per_reply_usd=0.0)
    assert say.main_risk(study) == "Main risk: mixtral-8x7b has ended at together, on 2026-04-16."


def test_a_dearer_candidate_saves_nothing() -> None:
    told = cost.saving_sentence(memo(candidate="gpt-4", messages_per_month=1e5))
    assert told.startswith("Saving: none; it costs $2,4")
    assert "is not earned back in 24 months" in told


def test_the_same_model_is_said_to_stay() -> None:
    study = memo(phase="abstraction", baseline="gpt-4o", candidate="gpt-4o")
    assert say.quality_sentence(study) == "Quality: gpt-4o stays; only the way to it changes."
    assert "none; both cost the same once all of 100,000 messages" in cost.saving_sentence(study)


def test_no_price_is_said_and_not_0() -> None:
    study = memo(candidate="nobodys-model", messages_per_month=1e5, input_tokens=500.0, output_tokens=200.0)
    told = cost.saving_sentence(study)
    assert told == (
        "Money: no price of nobodys-model (no price book and no result has one) is known, so nothing is said "
        "of what is saved."
    )
    assert "Nobody knows what is spent on nobodys-model." in cost.ending_sentence(study)


def test_unknown_spend_on_a_model_that_ends_is_unknown() -> None:
    told = cost.ending_sentence(memo(as_of="2026-11-28", usage_usd={"gpt-4o": None, "mixtral-8x7b": 42}))
    assert "unknown within 90 days" in told
    assert "$42 a month is on models that have ended: mixtral-8x7b on 2026-04-16" in told


def test_spend_on_models_that_end() -> None:
    told = cost.ending_sentence(memo(as_of="2026-11-28", usage_usd={"gpt-4o": 300, "our-own": 100}))
    assert "$300 a month within 90 days (75%)" in told


def test_contracts_that_are_ended_and_contracts_that_run_on() -> None:
    assert "is stated" in cost.commitment_sentence(memo())
    runs = {"name": "PTU", "usd_per_month": 400, "until": "2025-12-31"}
    told = cost.commitment_sentence(memo(commitments=[runs]))
    assert "no contract is ended early" in told
    told = cost.commitment_sentence(memo(commitments=[{**runs, "penalty_usd": 300}]))
    assert "$300 is paid to end contracts early" in told


def test_messages_of_other_lengths_are_noted(tmp_path: Path) -> None:
    def longer(result: dict[str, Any]) -> None:
        result["data"]["workload"]["input_tokens"] = 2000.0

    assert say.warnings(memo()) == ()
    (told,) = say.warnings(memo(leave(tmp_path, break_even=longer)))
    assert "495 tokens read on average, those that are paid for 2,000" in told


def test_the_memo_says_how_to_make_it_again(study: MemoStudy) -> None:
    assert "as_of 2025-04-02" in say.again_sentence(study)


def test_a_phase_has_its_title_and_promise_for_its_own_two_models_only(study: MemoStudy) -> None:
    assert say.evidence_sentence(study).startswith(
        f"Phase mixtral ({study.phase.title}): mixtral-8x7b instead"
    )
    assert study.phase.expects in say.evidence_sentence(study)
    other = memo(baseline="gpt-4", candidate="gpt-4o-mini", names={"gpt-4o": "gpt-4"})
    other = replace(other, evidence=replace(other.evidence, sources=study.evidence.sources))
    said = say.evidence_sentence(other)
    assert said.startswith("By the gates of the phase mixtral: gpt-4o-mini instead of gpt-4.")
    assert study.phase.title not in said
    assert study.phase.expects not in said


def test_a_break_even_that_does_not_count_is_not_asked_for_as_if_there_were_none(tmp_path: Path) -> None:
    found = memo(leave(tmp_path), baseline="old", candidate="new", names={"gpt-4o": "x"})
    said = cost.saving_sentence(found)
    assert "the break_even report does not count (" in said
    assert "the ab_test report does not count (" in say.main_risk(found)
    assert found.evidence.source("break_even").reason in said
    assert "make a break_even report," in cost.saving_sentence(memo(tmp_path / "none"))


def test_a_risk_of_thousands_of_savings_is_no_power_of_ten(study: MemoStudy) -> None:
    assert study.risk is not None
    told = say.main_risk(replace(study, risk=replace(study.risk, worst_usd=2_000_000.0)))
    assert "e+" not in told
    assert "what is saved" in told
