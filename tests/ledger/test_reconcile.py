from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta, timezone
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.cli.ledger import ledger as ledger_command
from llmbench.errors import DatasetError, UsageError
from llmbench.ledger import Ledger
from llmbench.ledger.reconcile import ALL_MODELS, calls_of_vendor, model_family, reconcile
from llmbench.ledger.vendor_exports import ExportRow
from llmbench.types import CallRecord, Usage

DAY = date(2026, 11, 2)
NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.fixture
def call(make_call: Callable[..., CallRecord]) -> Callable[..., CallRecord]:
    """An answered call of gpt-4o: 1,000 tokens in, 100 out, $1."""
    numbers = iter(range(1_000_000))

    def make(model: str = "gpt-4o", **changes: Any) -> CallRecord:
        values = {
            "endpoint": "openai", "provider": "openai", "model": model, "usage": Usage(1000, 100),
            "cost": 1.0, "cost_basis": "priced", "served_model": None, "started_at": NOON,
        }  # fmt: skip
        return make_call(f"c{next(numbers)}", **{**values, **changes})

    return make


def test_both_agree(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call(), call()], [ExportRow(DAY, "gpt-4o-2024-08-06", 2, 2000, 200, 2.015625)])
    assert len(found.lines) == 1
    assert found.gap_usd == 0.015625
    assert found.agrees is True
    assert found.verdict() == (
        "The vendor's $2.02 and the ledger's $2.00 agree within 1.0%: the gap is +$0.016 (+0.78%)."
    )


@pytest.mark.parametrize("served", [None, "gpt-4o-2024-08-06", "a-name-of-the-servers-own"])
@pytest.mark.parametrize("theirs", ["gpt-4o", "gpt-4o-2024-11-20", "GPT-4o"])
def test_snapshots_belong_to_their_family(
    served: str | None, theirs: str, call: Callable[..., CallRecord]
) -> None:
    found = reconcile([call(served_model=served)], [ExportRow(DAY, theirs, usd=1.0)])
    assert [line.model for line in found.lines] == ["gpt-4o"]


def test_a_snapshot_with_a_price_of_its_own_is_no_family_member(call: Callable[..., CallRecord]) -> None:
    # gpt-4o-2024-05-13 costs twice as much as gpt-4o: the catalog lists it as a model.
    found = reconcile(
        [call(served_model="gpt-4o-2024-05-13")], [ExportRow(DAY, "gpt-4o-2024-05-13", usd=1.0)]
    )
    assert [line.model for line in found.lines] == ["gpt-4o-2024-05-13"]
    assert found.agrees


def test_names_that_the_catalog_does_not_know() -> None:
    assert model_family("Claude Unheard 9.5") == model_family("claude-unheard-9-5-20270101")
    assert model_family("some/Model") == "some/model"


def test_sums_are_those_of_a_count_by_hand(call: Callable[..., CallRecord]) -> None:
    rng = random.Random(20250123)
    models = {"gpt-4o": "gpt-4o-2024-08-06", "gpt-4o-mini": "gpt-4o-mini-2024-07-18", "gpt-4": "gpt-4-0613"}
    calls, rows = [], []
    for _ in range(500):
        usage = Usage(rng.randrange(1000), rng.randrange(1000))
        calls.append(
            call(
                rng.choice(list(models)),
                usage=usage,
                cost=rng.random(),
                started_at=NOON + timedelta(hours=rng.randrange(-30, 30)),
            )
        )
    for _ in range(300):
        day = DAY + timedelta(days=rng.randrange(-1, 3))
        rows.append(ExportRow(day, rng.choice(list(models.values())), 1, rng.randrange(99), 7, rng.random()))
    found = reconcile(calls, rows)
    assert found.calls_outside == sum(
        not rows_first <= made.started_at.date() <= rows_last
        for made in calls
        for rows_first, rows_last in [(min(r.day for r in rows), max(r.day for r in rows))]
    )
    for line in found.lines:
        ours = [c for c in calls if (c.started_at.date(), c.model) == (line.day, line.model)]
        theirs = [r for r in rows if (r.day, r.model) == (line.day, models[line.model or ""])]
        here = sum((Fraction(c.cost or 0) for c in ours), Fraction())
        there = sum((Fraction(r.usd or 0) for r in theirs), Fraction())
        assert line.ledger.calls == (len(ours) or None)
        assert line.vendor.calls == (len(theirs) or None)
        assert line.vendor.input_tokens == (sum(r.input_tokens or 0 for r in theirs) if theirs else None)
        assert line.gap_usd == pytest.approx(float(there - here), rel=1e-9, abs=1e-12)
    inside = [c for c in calls if found.first <= c.started_at.date() <= found.last]
    assert sum(line.ledger.calls or 0 for line in found.lines) == len(inside) == found.total.ledger.calls
    assert sum(line.vendor.calls or 0 for line in found.lines) == 300
    assert found.gap_usd == pytest.approx(sum(line.gap_usd or 0 for line in found.lines))
    assert found.gap_usd == pytest.approx(sum(day.gap_usd or 0 for day in found.days))


def test_rows_of_one_side_only_are_shown(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call("gpt-4")], [ExportRow(DAY, "gpt-4o-mini", 3, 10, 10, 9.0)])
    ours, theirs = found.lines
    assert (ours.model, ours.vendor.usd, ours.gap_usd) == ("gpt-4", None, -1.0)
    assert (theirs.model, theirs.ledger.calls, theirs.gap_usd) == ("gpt-4o-mini", None, 9.0)
    assert "gpt-4o-mini on 2026-11-02 explains 112% of it" in found.verdict()
    assert "made outside llmbench" in found.verdict()
    shown = " ".join(" ".join(row) for row in found.table().rows)
    assert "−$1.00" in shown
    assert "+$9.00 (+100.0%)" in shown


def test_attempts_that_may_have_been_charged_for_explain_a_gap(call: Callable[..., CallRecord]) -> None:
    calls = [call(), call(usage=None, status="error", cost=None), call(usage=None, status="error", cost=0.0)]
    found = reconcile(calls, [ExportRow(DAY, "gpt-4o", usd=2.0)])
    assert (found.total.maybe_billed, found.total.ledger.calls) == (1, 1)
    assert "1 failed attempts may have been charged for" in found.verdict()
    assert any("in no sum of the ledger" in note for note in found.notes())


def test_failed_attempts_explain_no_more_than_they_can_cost(call: Callable[..., CallRecord]) -> None:
    calls = [call(), call(usage=None, status="error", cost=None)]
    enough = reconcile(calls, [ExportRow(DAY, "gpt-4o", usd=2.0)]).verdict()
    assert enough.endswith("1 failed attempts may have been charged for (about $1.00 at the mean of a call).")
    assert reconcile(calls, [ExportRow(DAY, "gpt-4o", usd=9.0)]).verdict().endswith("would explain the rest.")


def test_a_line_without_usd_on_either_side_has_no_gap(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call("gpt-4", cost=None), call()], [ExportRow(DAY, "gpt-4o", usd=1.0)])
    assert [line.gap_usd for line in found.lines] == [None, 0.0]
    assert found.gap_usd == 0.0


def test_a_line_of_nothing_but_such_attempts(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call(usage=None, status="cancelled", cost=None)], [ExportRow(DAY, "gpt-4o", usd=2.0)])
    assert found.lines[0].ledger.usd is None
    assert "1 failed attempts may have been charged for" in found.verdict()


@pytest.mark.parametrize(
    ("changes", "row", "said"),
    [
        ({"cost": None}, ExportRow(DAY, "gpt-4o", 1, 1000, 100, 2.0), "knows no price of its 1 calls"),
        ({}, ExportRow(DAY, "gpt-4o", 4, 4000, 400, 4.0), "the vendor counted 3 calls more"),
        ({}, ExportRow(DAY, "gpt-4o", None, 4000, 400, 4.0), "the vendor counted 3,300 tokens more"),
        ({}, ExportRow(DAY, "gpt-4o", 1, 1000, 100, 4.0), "the tokens agree, so the prices do not"),
        ({}, ExportRow(DAY, "gpt-4o", 1, 1000, 100, 0.5), "the tokens agree, so the prices do not"),
        ({}, ExportRow(DAY, "gpt-4o", usd=0.5), "a discount, credits or another price"),
        ({}, ExportRow(DAY, "gpt-4o-mini", usd=0.1), "the export holds nothing of it"),
    ],
)
def test_the_reason_is_told(
    changes: dict[str, Any], row: ExportRow, said: str, call: Callable[..., CallRecord]
) -> None:
    found = reconcile([call(**changes)], [row])
    assert said in found.verdict()
    assert found.agrees is not True


def test_the_model_or_the_day_that_explains_most(call: Callable[..., CallRecord]) -> None:
    days = [DAY + timedelta(days=number) for number in range(5)]
    by_model = [ExportRow(day, "gpt-4o", usd=1.0) for day in days]
    assert "; gpt-4o explains 100% of it" in reconcile([], by_model).verdict()
    by_day = [ExportRow(DAY, model, usd=1.0) for model in ("a", "b", "c", "d")]
    assert "; 2026-11-02 explains 100% of it" in reconcile([], by_day).verdict()
    spread = [ExportRow(day, f"m{number}", usd=1.0) for number, day in enumerate(days)]
    assert "no single model or day explains most of it (5 models, 5 days)" in reconcile([], spread).verdict()


def test_lines_that_cancel_out_are_told(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call()], [ExportRow(DAY, "gpt-4", usd=1.0)])
    assert found.gap_usd == 0.0
    assert "single lines differ by more and cancel out" in found.verdict()


def test_money_that_is_told_by_day_only(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call(), call("gpt-4")], [ExportRow(DAY, None, usd=3.0)])
    assert [line.model for line in found.lines] == [ALL_MODELS, "gpt-4", "gpt-4o"]
    assert [line.gap_usd for line in found.lines] == [None, None, None]
    assert found.gap_usd == 1.0
    assert "2026-11-02 explains 100% of it" in found.verdict()


def test_what_is_no_model_has_a_line_of_its_own(call: Callable[..., CallRecord]) -> None:
    found = reconcile(
        [call()], [ExportRow(DAY, "gpt-4o", usd=1.0), ExportRow(DAY, None, usd=1.0, item="web search")]
    )
    assert [line.model for line in found.lines] == ["[web search]", "gpt-4o"]
    assert "[web search] on 2026-11-02 explains 100% of it" in found.verdict()


def test_an_export_without_costs(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call()], [ExportRow(DAY, "gpt-4o", 2, 2000, 200)])
    assert (found.gap_usd, found.agrees) == (None, None)
    assert found.verdict() == (
        "The export tells no USD, so the gap in USD is unknown; its 2,200 tokens are 1,100 (50.0%) more than "
        "the ledger's 1,100: give the vendor's cost export as well."
    )
    assert "unknown" in found._repr_html_()


def test_days_outside_are_counted_not_lost(call: Callable[..., CallRecord]) -> None:
    calls = [call(started_at=NOON + timedelta(days=number)) for number in range(-2, 3)]
    rows = [ExportRow(DAY + timedelta(days=number), "gpt-4o", usd=1.0) for number in range(-1, 3)]
    found = reconcile(calls, rows, since=DAY, until=DAY + timedelta(days=1))
    assert (found.calls_outside, found.rows_outside, len(found.days)) == (3, 2, 2)
    assert sum("are not compared" in note for note in found.notes()) == 2
    covered = reconcile(calls, rows[:1], covered=(DAY - timedelta(days=1), DAY))
    assert (covered.calls_outside, covered.total.ledger.usd) == (3, 2.0)


def test_a_day_is_one_of_utc(call: Callable[..., CallRecord]) -> None:
    late = datetime(2026, 11, 1, 20, tzinfo=timezone(timedelta(hours=-5)))
    assert reconcile([call(started_at=late)], [ExportRow(DAY, "gpt-4o", usd=1.0)]).agrees


def test_a_vendors_calls(call: Callable[..., CallRecord]) -> None:
    calls = [
        call(),
        call(backend="azure"),
        call(provider="llama", backend="together"),
        call(provider="llama", backend="vllm", cost=0.0, cost_basis="self-hosted"),
        call(provider="data", cost_basis="recorded"),
    ]
    assert list(calls_of_vendor(calls, "openai")) == calls[:1]
    assert list(calls_of_vendor(calls, "together")) == calls[2:3]
    assert list(calls_of_vendor(calls, "anthropic")) == []
    assert list(calls_of_vendor(calls, "generic")) == calls[:3]


@pytest.mark.parametrize(
    "settings", [{"tolerance": -0.1}, {"since": date(2026, 2, 1), "until": date(2026, 1, 1)}]
)
def test_what_cannot_be_meant(settings: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        reconcile([], [], **settings)


def test_nothing_to_compare() -> None:
    found = reconcile([], [])
    assert "nothing to compare" in found.verdict()
    assert found.to_pandas().empty


def test_it_shows_itself(call: Callable[..., CallRecord]) -> None:
    found = reconcile([call()], [ExportRow(DAY, "<b>", 1, 1, 1, 1.0)])
    assert "<b>" not in found._repr_html_()
    frame = found.to_pandas()
    assert frame["ledger_usd"].isna().tolist() == [True, False]
    assert str(frame["vendor_calls"].dtype) == "Int64"
    assert json.dumps(found.data())


async def _record(book: Ledger, calls: list[CallRecord]) -> None:
    for made in calls:
        await book.record(made)


def test_the_command(call: Callable[..., CallRecord], project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    with Ledger() as book:
        asyncio.run(_record(book, [call(), call(endpoint="elsewhere", provider="custom")]))
    (project / "cost.csv").write_text(
        "start_time,end_time,amount_value,amount_currency,line_item\n"
        '1793577600,1793664000,0.9,usd,"gpt-4o-2024-08-06, input"\n'
        '1793577600,1793664000,0.1,usd,"gpt-4o-2024-08-06, output"\n',
        encoding="utf-8",
    )
    (project / "usage.csv").write_text(
        "start_time,end_time,num_model_requests,model,input_tokens,output_tokens\n"
        "1793577600,1793664000,1,gpt-4o-2024-08-06,1000,100\n",
        encoding="utf-8",
    )
    run = CliRunner().invoke
    done = run(ledger_command, ["reconcile", "cost.csv", "usage.csv", "--csv", "out.csv"])
    assert done.exit_code == 0, done.output
    assert "The vendor's $1.00 and the ledger's $1.00 agree within 1.0%" in done.output
    assert "1 of 1 calls priced" in done.output
    assert "\x1b" not in done.output
    assert max(map(len, done.output.split("Days from")[0].splitlines())) <= 80
    assert (project / "out.csv").read_text(encoding="utf-8").count("gpt-4o") == 1
    told = json.loads(run(ledger_command, ["reconcile", "cost.csv", "--json", "--endpoint", "nobody"]).output)
    assert told["total"]["gap_usd"] == 1.0
    columns = "date=start_time,model=line_item,cost=amount_value"
    generic = run(ledger_command, ["reconcile", "cost.csv", "--vendor", "generic", "--columns", columns])
    assert generic.exit_code == 0, generic.output
    assert isinstance(run(ledger_command, ["reconcile", "nowhere.csv"]).exception, DatasetError)
    assert isinstance(run(ledger_command, ["reconcile", "cost.csv", "--columns", "x"]).exception, UsageError)
    assert run(ledger_command, ["reconcile", "cost.csv", "--since", "yesterday"]).exit_code == 2
