"""The numbers that a memo takes from its sources."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from llmbench.decision import (
    Evidence,
    Subject,
    gather,
    measured_quality,
    measured_replies,
    needed_evidence,
    price_of,
    spent_usd,
    traffic_of,
    training_usd,
)
from llmbench.decision.facts import book_of, lengths_apart
from llmbench.errors import UsageError
from llmbench.results import Spend
from tests.decision.left import MATRIX, Leave

RESULTS = Path(__file__).resolve().parents[2] / "data" / "migration"
SUBJECT = Subject("gpt-4o", "mixtral-8x7b", names={"mixtral": "mixtral-8x7b"})
TODAY = date(2026, 11, 28)


@pytest.fixture(scope="module")
def evidence() -> Evidence:
    return gather(RESULTS, SUBJECT, today=date(2025, 4, 2))


def test_quality_is_that_of_the_matrix(evidence: Evidence) -> None:
    found = measured_quality(evidence)
    assert found is not None
    assert (found.n, found.margin, found.report) == (1198, 0.03, "model_matrix")
    assert found.difference == pytest.approx(-0.005008, abs=1e-6)


def test_replies_are_per_message_of_the_control(evidence: Evidence) -> None:
    found = measured_replies(evidence)
    assert found is not None
    assert found.reply_rate == pytest.approx(220 / 18_403)
    assert found.value == pytest.approx(1.00344, abs=1e-5)
    given = measured_replies(evidence, 0.02)
    assert given is not None
    assert given.reply_rate == 0.02


def test_traffic_is_that_of_break_even_but_for_what_is_given(evidence: Evidence) -> None:
    assert traffic_of(evidence) == (100_000, 500, 200, "break_even")
    assert traffic_of(evidence, messages=5.0) == (5, 500, 200, "parameters")


def test_traffic_that_nobody_tells_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'messages_per_month' is needed"):
        traffic_of(gather(tmp_path, SUBJECT, today=TODAY))


def test_prices_by_break_even_and_by_its_book(evidence: Evidence) -> None:
    traffic = traffic_of(evidence)
    found = price_of("openai/gpt-4o", evidence, traffic)
    assert (found.usd_per_message, found.of) == (0.00325, "break_even")
    assert found.day == date(2025, 1, 23)
    other = price_of("gpt-4o", evidence, traffic_of(evidence, input_tokens=1000.0))
    assert other.usd_per_message == pytest.approx((1000 * 2.5 + 200 * 10) / 1e6)
    assert other.of == "price book 2025-01-23"
    assert price_of("nobodys", evidence, traffic).usd_per_message is None


def test_a_machine_of_other_messages_has_no_price(evidence: Evidence) -> None:
    option = "mixtral-8x7b awq-int4 on L40S"
    assert price_of(option, evidence, traffic_of(evidence)).usd_per_month is not None
    other = price_of(option, evidence, traffic_of(evidence, messages=5.0))
    assert (other.usd_per_month, other.usd_per_message) == (None, None)
    assert other.of == "break_even has it for another number or length of messages"


@pytest.mark.parametrize(("told", "book"), [("2025-01-23", "2025-01-23"), ("as we pay", "current")])
def test_a_book_that_only_the_report_had_is_not_asked(leave: Leave, told: str, book: str) -> None:
    reports = leave("break_even", {}, price_book=told)
    found = gather(reports, SUBJECT, today=TODAY)
    assert book_of(found) == book
    assert book_of(found, "2025-01-23") == "2025-01-23"


@pytest.mark.parametrize(("spent", "total"), [(1.5, 1.5), (None, None), (-1.0, None), (float("nan"), None)])
def test_what_was_spent_is_known_or_not(leave: Leave, spent: object, total: float | None) -> None:
    found = gather(leave(spend=Spend(0.0, spent)), SUBJECT, today=TODAY)  # type: ignore[arg-type]
    assert spent_usd(found) == total


def test_a_spend_that_is_no_number_makes_its_report_unreadable(leave: Leave) -> None:
    found = gather(leave(spend=Spend(0.0, "2")), SUBJECT, today=TODAY)  # type: ignore[arg-type]
    (source,) = (each for each in found.sources if each.state != "missing")
    assert source.state == "unreadable"
    assert "actual_usd is '2', which is no number" in source.reason


def test_training_is_known_where_there_is_one(leave: Leave, evidence: Evidence) -> None:
    assert training_usd(evidence) is None
    reports = leave("fine_tune", {"costs": {"training_usd": 12.0}})
    assert training_usd(gather(reports, SUBJECT, today=TODAY)) == 12.0


def test_what_is_needed_is_what_the_test_still_lacks(evidence: Evidence) -> None:
    (found,) = needed_evidence(evidence)
    assert found.report == "ab_test"
    assert found.what.startswith("100,119 more leads, about 81 days")


def test_lengths_may_differ_by_a_quarter(leave: Leave, evidence: Evidence) -> None:
    assert lengths_apart(evidence) is None
    models = [{**MATRIX["models"][0], "tokens": {"input": 400 * 500, "output": 400 * 260}}]
    leave("model_matrix", {**MATRIX, "models": models})
    reports = leave("break_even", {"workload": {"input_tokens": 500, "output_tokens": 200}})
    assert lengths_apart(gather(reports, SUBJECT, today=TODAY)) == ("written", 260.0, 200.0)
