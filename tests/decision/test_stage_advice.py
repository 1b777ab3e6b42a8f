"""The document's stages, worked out again and checked by hand."""

from __future__ import annotations

import json
import math
from datetime import date
from typing import Any

import pytest

from llmbench.catalog import all_models, price_book
from llmbench.decision.stage_advice import DOCUMENT_STAGES, StageAdvice, stage_advice
from llmbench.decision.stage_costs import CLASSES
from llmbench.economics import HostingCosts, HostingOption, audit_claims
from llmbench.errors import UsageError

THEN, TODAY = date(2025, 1, 23), date(2026, 11, 28)
A100 = HostingOption("A100", 1, "llama-3.1-70b", "awq-int4", 1.39, 400, 300, 500)


def _then(**options: Any) -> StageAdvice:
    return stage_advice(**{"today": THEN, "price_book": "2025-01-23", **options})


def _message(model: str, book: str = "2025-01-23", tokens: tuple[float, float] = (500, 200)) -> float:
    """From the book alone."""
    price = price_book(book).find(model, None)
    assert price is not None
    return (tokens[0] * float(price.input) + tokens[1] * float(price.output)) / 1e6


def test_costs_are_those_of_the_price_book() -> None:
    found = _then()
    assert found["early"].derived_usd == pytest.approx(10_000 * _message("gpt-4o-mini"))
    mix = 0.8 * _message("mixtral-8x7b") + 0.2 * _message("gpt-4o")
    assert found["growth"].derived_usd == pytest.approx(100_000 * mix)


def test_other_volumes_and_lengths_are_counted_anew() -> None:
    found = _then(messages_per_month=3_000_000, input_tokens=1000, output_tokens=50, options=[A100])
    assert {row.messages_per_month for row in found.rows} == {3_000_000}
    assert found["early"].derived_usd == pytest.approx(
        3_000_000 * _message("gpt-4o-mini", tokens=(1000, 50)), rel=1e-6
    )
    own = _then(messages_per_month={"growth": 7}, options=[A100])
    assert [row.messages_per_month for row in own.rows] == [10_000, 7, 500_000, 1_000_000]


def test_machines_are_whole_and_have_a_spare_one_and_people() -> None:
    """One replica of 400 tokens a second carries 1.2M of 200 at 70% in a peak of 3; 3.1% fall back."""
    found = _then(messages_per_month=1_000_000, options=[A100])
    share = 50 / 0.00325 / 500_000
    carried = 400 / 200 * 3600 * 730 * 0.7 / 3
    serving = math.ceil(1_000_000 * (1 - share) / carried)
    machines = (serving + 1) * 1.39 * 730 + 825
    assert found["scale"].derived_usd == pytest.approx(machines + 1_000_000 * share * 0.00325)
    serving = math.ceil(1_000_000 / carried)
    assert found["enterprise"].derived_usd == pytest.approx((serving + 1) * 1.39 * 730 + 825)
    cheap = _then(messages_per_month=1_000_000, options=[A100], costs=HostingCosts(operations_hours=0))
    assert cheap["enterprise"].derived_usd == pytest.approx((serving + 1) * 1.39 * 730 + 25)


def test_alternative_is_the_cheapest_of_its_class_that_is_sold() -> None:
    found = stage_advice(today=TODAY)
    for stage, kind in (("early", "small"), ("enterprise", "70b")):
        costs = {}
        for model in CLASSES[kind]:
            ends = [day for place, day in all_models()[model].shutdown.items() if place != "azure"]
            price = price_book("current").find(model, None)
            if price is not None and not (ends and date.fromisoformat(min(ends)) <= date(2027, 2, 26)):
                costs[model] = _message(model, "current")
        row = found[stage]
        assert row.alternative_usd == pytest.approx(row.messages_per_month * min(costs.values()))
        assert any(model in str(row.alternative) for model in costs if costs[model] == min(costs.values()))


def test_machines_pay_from_where_both_cost_the_same() -> None:
    """One machine that carries everything, against the API of the class: rent and people over a message."""
    wide = HostingOption("A100", 1, "llama-3.1-70b", "awq-int4", 1.39, 4e6, 3e6, 5e6)
    volume = (2 * 1.39 * 730 + 825) / 0.00063
    for messages, pays in ((volume * 0.99, False), (volume * 1.2, True)):
        row = _then(messages_per_month=messages, options=[wide])["enterprise"]
        assert row.break_even_messages == pytest.approx(volume)
        assert row.reasons == () if pays else "only from 4," in row.reasons[0]
        assert row.verdict == ("numbers fail" if pays else "fails")
    assert row.alternative is None  # the API costs more


def test_numbers_of_the_document_fail_and_its_advice_may_stand() -> None:
    audit = audit_claims()
    found = _then(options=[A100])
    assert [row.verdict for row in found.rows] == ["numbers fail", "numbers fail", "fails", "fails"]
    for stage, said in DOCUMENT_STAGES.items():
        wrong = [name for name in said.claims if audit[name].verdict in ("wrong", "impossible")]
        assert len(found[stage].document_errors) == len(wrong)
        assert all(audit[name].derivation in " ".join(found[stage].document_errors) for name in wrong)
    assert "does not fit" in found["scale"].document_errors[0]
    assert "Llama, fine-tuned or not, replaces GPT-4" in found["enterprise"].unchecked


def test_claims_are_about_the_stages() -> None:
    """Each claim about a stage is used by one."""
    about = {row.id for row in audit_claims() if row.where.startswith("Stages")}
    assert about == {name for said in DOCUMENT_STAGES.values() for name in said.claims} - {
        "breakeven-20k",
        "fine-tuned-33x",
        "quality",
    }


def test_models_that_end_fail_today_and_not_then() -> None:
    now = stage_advice(today=TODAY, options=[A100])
    assert "gpt-4o-mini ends on 2027-01-14, in 47 days" in now["early"].reasons
    assert "mixtral-8x7b has ended on 2026-04-16" in now["growth"].reasons
    later = stage_advice(today=TODAY, options=[A100], notice_days=46)
    assert later["early"].reasons == ()
    assert not [reason for row in _then(options=[A100]).rows for reason in row.reasons if "end" in reason]


def test_model_that_no_machine_carries_has_no_cost() -> None:
    small = HostingOption("T4", 1, "llama-3.1-70b", "fp16", 0.5, 0, 0, 0, fits="does not fit")
    row = _then(options=[small])["enterprise"]
    assert (row.derived_usd, row.verdict) == (None, "fails")
    assert row.alternative is not None
    assert "does not fit into the memory" in row.reasons[0]
    assert "unknown" in _then(options=[small])._repr_html_()


def test_class_may_be_another() -> None:
    found = _then(
        options=[A100], classes={"small": ["gpt-4o-mini"], "70b": ["meta-llama/Llama-3.1-70B-Instruct"]}
    )
    assert found["early"].alternative is None
    assert found["enterprise"].alternative == "the API of llama-3.1-70b"
    found = _then(options=[A100], classes={"small": []})
    assert found["growth"].alternative is None


def test_little_saving_is_no_reason() -> None:
    assert _then(options=[A100])["early"].alternative == "llama-3.1-8b"
    row = _then(options=[A100], worth_usd=0.5)["early"]
    assert row.reasons == ("llama-3.1-8b costs $1.40 a month, $0.55 less",)


def test_result_shows_itself() -> None:
    found = _then(options=[A100])
    assert json.loads(json.dumps(found.data()))[0]["stage"] == "early"
    assert found.to_pandas()["break_even_messages"].isna().sum() >= 2
    assert "the advice stands, its numbers do not: early, growth" in str(found)
    assert "$500.00 to $1,000.00" in found._repr_html_()
    with pytest.raises(KeyError):
        found["late"]


@pytest.mark.parametrize(
    ("what", "options"),
    [
        ("messages_per_month", {"messages_per_month": -1}),
        ("messages_per_month", {"messages_per_month": math.nan}),
        ("no stage late", {"messages_per_month": {"late": 5}}),
        ("input_tokens", {"input_tokens": 0}),
        ("output_tokens", {"output_tokens": -5}),
        ("peak", {"peak_to_mean": 0.5}),
        ("notice_days", {"notice_days": -1}),
        ("worth_usd", {"worth_usd": math.inf}),
        ("no class tiny", {"classes": {"tiny": []}}),
        ("price book", {"price_book": "1999"}),
    ],
)
def test_advice_that_cannot_be_asked_for(what: str, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=what):
        _then(**{"options": [A100], **options})
