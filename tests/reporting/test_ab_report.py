from __future__ import annotations

import asyncio
import dataclasses
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from llmbench.abtest import AbResult, Plan, analyse
from llmbench.abtest.counts import UnitSums
from llmbench.errors import UsageError
from llmbench.ledger import Ledger
from llmbench.reporting import ab_charts as charts
from llmbench.reporting import (
    ab_days,
    ab_effect,
    ab_health,
    ab_money,
    ab_plan,
    ab_report,
    ab_segments,
    read_parameters,
)
from llmbench.reporting import ab_tables as show
from llmbench.reporting.figures import figure_svg
from llmbench.reporting.report_table import ReportTable
from tests.abtest.made import counted, units_of, write_tables
from tests.ledger.conftest import make_call_of

NOW = datetime(2026, 12, 1, tzinfo=UTC)
COSTS = {"gpt-4o": 0.004, "mixtral": 0.0006}
HALF = ({"gpt-4o": 0.5, "mixtral": 0.5},)


def result_of(
    mixtral: float = 0.05,
    gpt: float = 0.05,
    n: int = 6000,
    *,
    made: dict[str, Any] | None = None,
    **changes: Any,
) -> AbResult:
    units = units_of(
        {"gpt-4o": gpt, "mixtral": mixtral}, n, **{"weights": HALF, "costs": COSTS, **(made or {})}
    )
    given = {"planned_units": n, "value_per_reply_usd": 20.0, "guardrails": {"complaints": 1.25}, **changes}
    return analyse(counted(units), Plan("mail-7", control="gpt-4o", **given), now=NOW)


@pytest.fixture(scope="module")
def shown() -> AbResult:
    return result_of(made={"clusters": 300, "spread": 0.002})


@pytest.fixture(scope="module")
def waiting() -> AbResult:
    return result_of(planned_units=100_000)


def all_tables(result: AbResult) -> dict[str, ReportTable]:
    found = {
        "arms": show.arms_table(result),
        "more": show.more_arms_table(result),
        "health": ab_health.health_table(result),
        "effect": ab_effect.effect_table(result),
        "other": ab_effect.other_table(result),
        "sizes": ab_plan.sizes_table(result),
        "segments": ab_segments.segment_table(result),
        "guardrails": ab_segments.guardrail_table(result),
        "needed": ab_plan.needed_table(result),
        "looks": ab_plan.looks_table(result),
        "excluded": ab_health.excluded_table(result),
        "money": ab_money.money_table(result),
    }
    return {name: table for name, table in found.items() if table is not None}


def all_texts(result: AbResult) -> str:
    return " ".join(
        [
            ab_plan.plan_text(result), show.result_text(result), show.first_sentence(result),
            ab_plan.plan_sentence(result), ab_health.health_sentence(result),
            ab_effect.clusters_sentence(result),
            ab_segments.segment_sentence(result), ab_money.money_sentence(result), result.verdict().summary,
            *result.verdict().reasons, *(ab_effect.match_sentence(result, c) for c in result.comparisons),
        ]
    )  # fmt: skip


def all_figures(result: AbResult) -> dict[str, Any]:
    made = {
        "effect": charts.effect_figure,
        "acceptability": charts.acceptability_figure,
        "cumulative": ab_days.cumulative_figure,
        "segments": ab_segments.segment_figure,
        "power": ab_plan.power_figure,
        "progress": charts.progress_figure,
        "weeks": ab_days.weeks_figure,
    }
    return {name: plot for name, make in made.items() if (plot := make(result)) is not None}


def test_every_table_has_its_numbers(shown: AbResult) -> None:
    tables = all_tables(shown)
    assert set(tables) == {
        "arms",
        "more",
        "health",
        "effect",
        "other",
        "sizes",
        "segments",
        "guardrails",
        "needed",
        "looks",
        "excluded",
        "money",
    }
    for name, table in tables.items():
        assert len(table.frame), name
        assert set(table.numbers) <= set(table.shown.columns), name
        assert not re.search(r"\b(nan|inf|None)\b", table.shown.to_string()), name


def test_every_figure_has_its_numbers_and_says_that_it_is_simulated(shown: AbResult) -> None:
    figures = all_figures(shown)
    assert set(figures) == {"effect", "acceptability", "cumulative", "segments", "power", "progress", "weeks"}
    for name, plot in figures.items():
        assert len(plot.frame), name
        assert plot.caption.endswith("Simulated data."), name
        assert figure_svg(plot.figure).startswith(b"<?xml"), name
    assert "do not peek" in figure_text(figures["cumulative"])


def test_printed_text_says_that_it_is_simulated(shown: AbResult) -> None:
    for text in (ab_plan.plan_text(shown), show.result_text(shown)):
        assert text.splitlines()[-1] == "Simulated data."
    real = analyse(dataclasses.replace(shown.counts, simulated=False), shown.plan, now=NOW)
    assert "imulated" not in all_texts(real)


def figure_text(plot: Any) -> str:
    axes = plot.figure.axes[0]
    legend = axes.get_legend()
    return " ".join(text.get_text() for text in (legend.get_texts() if legend else []))


def test_the_same_numbers_give_the_same_figure(shown: AbResult) -> None:
    assert figure_svg(charts.effect_figure(shown).figure) == figure_svg(charts.effect_figure(shown).figure)  # type: ignore[union-attr]


def test_before_a_look_no_table_figure_or_sentence_tells_the_effect(waiting: AbResult) -> None:
    tables, figures = all_tables(waiting), all_figures(waiting)
    assert set(tables) == {"arms", "more", "health", "sizes", "guardrails", "needed", "excluded"}
    assert set(figures) == {"power", "progress"}
    assert [name for name, _ in charts.first_figures(waiting)] == ["progress"]
    arms = tables["arms"]
    assert arms.frame[["replies", "rate", "cost_per_reply"]].isna().to_numpy().all()
    replied = {each.arm: each.replied for each in waiting.counts.arms}
    told = all_texts(waiting) + " ".join(t.shown.to_string() for t in tables.values())
    for count in replied.values():
        assert not re.search(rf"\b{count}\b", told)
    assert "not shown yet" in tables["arms"].shown.to_string()


def test_the_first_screen_has_at_most_two_figures(shown: AbResult) -> None:
    assert [name for name, _ in charts.first_figures(shown)] == ["effect", "acceptability"]
    assert [name for name, _ in charts.first_figures(result_of(made={"costs": None}))] == ["effect"]


@pytest.mark.parametrize(
    ("mixtral", "margin", "answer"),
    [(0.08, 0.9, "It does better"), (0.05, 0.5, "Yes, within the margin"), (0.01, 0.9, "No: fewer than")],
)
def test_the_question_of_the_document_in_words(mixtral: float, margin: float, answer: str) -> None:
    result = result_of(mixtral, margin=margin)
    told = ab_effect.match_sentence(result, result.comparisons[0])
    assert told.startswith("Does mixtral match gpt-4o? ")
    assert answer in told
    assert "Of 1,000 leads" in told


def test_the_answer_where_it_cannot_be_told_or_the_split_is_broken(
    waiting: AbResult, shown: AbResult
) -> None:
    assert "It cannot be told yet" in ab_effect.match_sentence(shown, shown.comparisons[0])
    assert "Not shown yet" in ab_effect.match_sentence(waiting, waiting.comparisons[0])
    units = [
        u
        for k, u in enumerate(units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 6000, weights=HALF))
        if u["arm"] == "gpt-4o" or k % 4
    ]
    broken = analyse(counted(units), Plan("mail-7", control="gpt-4o"), now=NOW)
    assert "the split is broken" in ab_effect.match_sentence(broken, broken.comparisons[0])
    assert ab_health.health_sentence(broken).startswith("No:")
    all_tables(broken)
    all_figures(broken)


def test_needed_sizes_are_those_of_the_research() -> None:
    units = units_of({"gpt-4o": 0.03, "mixtral": 0.03}, 6000, costs=COSTS)
    given = Plan("mail-7", control="gpt-4o", stopping_rule="fixed", expected_rate=0.03)
    result = analyse(counted(units), given, now=NOW)
    frame = ab_plan.sizes_table(result).frame.set_index("margin")
    assert frame.loc[0.9, "units"] == pytest.approx(247_203, abs=1)
    assert frame.loc[0.9, "units_equal_arms"] == pytest.approx(91_513, abs=1)
    assert "247,203" in ab_plan.plan_text(result)
    assert "247,203 leads at the split of 90 / 10" in show.first_sentence(result)


def test_money_stands_beside_the_margin() -> None:
    told = ab_money.money_sentence(result_of())
    assert "With replies worth $20.00 it pays if it keeps more than 99." in told
    assert "the statistical margin asks for 90%" in told
    assert "Money is stricter" in told
    assert "money is undecided" in ab_money.money_sentence(result_of(value_per_reply_usd=None))
    assert "not known" in ab_money.money_sentence(result_of(made={"costs": None}))


def test_the_net_value_of_a_look_says_which_interval_it_is() -> None:
    only = result_of()
    assert "look" not in ab_money.money_sentence(only)
    assert list(all_tables(only)["money"].shown) == [
        "arm",
        "net value of 1,000 leads",
        "probability above zero",
    ]
    level = "interval, were this the only look"
    second = result_of(planned_units=11_500, looks=2)
    told = ab_money.money_sentence(second)
    # Lan and DeMets' bound at half of the information is 2.9626; here there is a little more.
    assert "95% over all is an interval of 99." in told
    table = all_tables(second)["money"]
    assert list(table.shown[level]) == ["95%", "95%", re.search(r"of (99\.\d\d%)", told)[1]]  # type: ignore[index]
    one, two = (each.money["mixtral"].net_value_per_1000 for each in (only, second))
    assert one is not None
    assert two is not None
    assert two.ci.low < one.ci.low < one.ci.high < two.ci.high
    assert second.comparisons[0].net_value == two


def test_the_difference_scale_is_in_points() -> None:
    result = result_of(scale="difference", margin=-0.02)
    assert "difference" in result.verdict().summary
    all_tables(result)
    all_figures(result)
    assert "points" in ab_plan.plan_sentence(result)
    assert "points" in show.first_sentence(result)


@pytest.mark.parametrize("rule", ["fixed", "anytime"])
def test_other_stopping_rules(rule: str) -> None:
    result = result_of(stopping_rule=rule)
    tables, figures = all_tables(result), all_figures(result)
    assert "effect" in tables
    assert "effect" in figures
    assert ("progress" in figures) == (rule == "fixed")
    assert not re.search(r"\b(nan|inf)\b", all_texts(result))


@pytest.mark.parametrize(("mixtral", "gpt"), [(0.0, 0.05), (0.05, 0.0)])
def test_arms_without_replies(mixtral: float, gpt: float) -> None:
    result = result_of(mixtral, gpt)
    for name, table in all_tables(result).items():
        assert not re.search(r"\b(nan|inf)\b", table.shown.to_string()), name
    assert not re.search(r"\b(nan|inf)\b", all_texts(result))
    all_figures(result)


def test_one_arm_shows_what_there_is() -> None:
    units = [u | {"probability": 1.0} for u in units_of({"gpt-4o": 0.05}, 2000, weights=({"gpt-4o": 1.0},))]
    result = analyse(counted(units), Plan("mail-7", control="gpt-4o"), now=NOW)
    all_tables(result)
    all_figures(result)
    all_texts(result)
    assert ab_report.envelope_fields(result)["candidate"] is None


def test_three_arms() -> None:
    weights = ({"gpt-4o": 0.4, "mixtral": 0.3, "llama": 0.3},)
    units = units_of(
        {"gpt-4o": 0.05, "mixtral": 0.05, "llama": 0.04},
        8000,
        weights=weights,
        costs={**COSTS, "llama": 0.0001},
    )
    given = Plan("mail-7", control="gpt-4o", planned_units=8000, value_per_reply_usd=20.0)
    result = analyse(counted(units), given, now=NOW)
    assert len(all_tables(result)["effect"].shown) == 2
    figures = all_figures(result)
    assert set(figures["acceptability"].frame["treatment"]) == {"mixtral", "llama"}
    assert len(all_tables(result)["money"].frame) == 5


def test_policies_of_the_parameters(shown: AbResult, waiting: AbResult) -> None:
    given = [
        {"name": "CHEAPEST", "cheapest": True},
        {"name": "SMART", "column": "industry", "table": {"saas": "gpt-4o"}, "default": "mixtral"},
        {"name": "llama", "always": "llama"},
    ]
    values = ab_report.value_policies(shown, given)
    assert [v.policy for v in values] == ["CHEAPEST (mixtral)", "SMART", "llama"]
    table = ab_money.policy_table(shown, values)
    assert table is not None
    assert "llama has logged probability 0" in table.shown.iloc[2]["refused, because"]
    assert ab_report.value_policies(waiting, given) == []
    assert ab_money.policy_table(waiting, values) is None


@pytest.mark.parametrize(
    "entry",
    [
        {"cheapest": True},
        {"name": "p", "unknown": 1},
        {"name": "p"},
        {"name": "p", "column": "x"},
        "CHEAPEST",
    ],
)
def test_policies_that_cannot_be_meant(shown: AbResult, entry: Any) -> None:
    with pytest.raises(UsageError, match="cheapest"):
        ab_report.value_policies(shown, [entry])


def test_a_broken_guardrail_and_a_fallback_are_told() -> None:
    result = result_of(made={"other": 0.2, "complaint": 0.02})
    rows = tuple(
        g._replace(events=g.events * (4 if g.arm == "mixtral" else 1)) for g in result.counts.guardrails
    )
    loud = analyse(dataclasses.replace(result.counts, guardrails=rows), result.plan, now=NOW)
    reasons = " ".join(loud.verdict().reasons)
    assert "Guardrail broken: complaints" in reasons
    assert "written by another model" in reasons


def test_hostile_names_stay_text() -> None:
    units = units_of({"gpt-4o": 0.05, "mixtral": 0.05}, 3000, weights=HALF, costs=COSTS)
    for u in units:
        u["arm"] = {"mixtral": "$x$ <script>"}.get(u["arm"], u["arm"])
        u["segment"] = "=1+1"
    result = analyse(counted(units), Plan("mail-7", control="gpt-4o", planned_units=3000), now=NOW)
    all_tables(result)
    for plot in all_figures(result).values():
        figure_svg(plot.figure)


def test_unknown_costs_and_served_models_are_unknown(shown: AbResult) -> None:
    arms = tuple(UnitSums(*each[:9], 0, 0, 0.0, 0.0, 0.0, None) for each in shown.counts.arms)
    result = analyse(dataclasses.replace(shown.counts, arms=arms, costs=()), shown.plan, now=NOW)
    assert "unknown" in show.more_arms_table(result).shown.to_string()
    assert "unknown" in show.arms_table(result).shown.to_string()


def test_the_ledger_is_a_source_and_a_price_list(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", str(tmp_path / "ledger.db"))
    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "ab_test.ipynb"
    given = {parameter.name: parameter.default for parameter in read_parameters(notebook)}
    start = datetime(2025, 1, 6, 9, tzinfo=UTC)

    async def fill(ledger: Ledger) -> None:
        for k in range(40):
            arm = "gpt/m" if k % 2 else "mix/m"
            await ledger.record_assignment(
                "e", f"lead{k}", epoch=1, arm=arm, probability=0.5, assigned_at=start - timedelta(hours=1)
            )
            values = {"unit_id": f"lead{k}", "experiment_id": "e", "arm": arm, "endpoint": arm[:3]}
            await ledger.record(make_call_of(f"c{k}", started_at=start, model="m", cost=0.01, **values))

    with Ledger() as ledger:
        ledger.open_epoch("e", {"gpt/m": 0.5, "mix/m": 0.5}, start - timedelta(days=1))
        asyncio.run(fill(ledger))
        for k in range(0, 40, 5):
            ledger.record_outcome(f"lead{k}", at=start + timedelta(days=2))
    given |= {"experiment_id": "e", "control": "gpt/m", "as_of": "2025-03-01", "guardrails": []}
    own = {**given, "sends": "ledger", "cluster": "", "segments": [], "contexts": []}
    counts = ab_report.read_counts(own, tmp_path)
    assert [(arm.arm, arm.units, arm.replied) for arm in counts.arms] == [("gpt/m", 20, 4), ("mix/m", 20, 4)]
    assert ab_report.input_files(own, counts, tmp_path) == {}
    with pytest.raises(UsageError, match="no attribute 'mailbox' of this experiment's units: it has none"):
        ab_report.read_counts({**own, "cluster": "mailbox"}, tmp_path)
    with Ledger() as ledger:
        known = {f"lead{k}": {"mailbox": f"box{k % 3}", "size": k % 4} for k in range(40)}
        ledger.describe_units("e", known)
    named = {"cluster": "mailbox", "segments": ["size"], "contexts": ["size"], "campaign_column": "size"}
    counts = ab_report.read_counts({**own, **named}, tmp_path)
    assert sum(row.clusters for row in counts.clusters if row[:2] == row[2:4]) == 12
    assert {row.segment for row in counts.segments} == {"0", "1", "2", "3"}
    assert {row.stratum for row in counts.arms} == {"0", "1", "2", "3"}
    assert sum(row.units for row in counts.contexts) == 40

    rows = [f"lead{k},{'gpt/m' if k % 2 else 'mix/m'},2025-01-06,{k % 5 == 0}" for k in range(40)]
    (tmp_path / "leads.csv").write_text("\n".join(["lead_id,arm,sent_at,replied", *rows]) + "\n")
    empty = dict.fromkeys(
        ("replies", "assignments", "message_column", "delivered_column", "served_column", "kind_column",
         "replied_at_column", "assigned_at_column", "epoch_column", "probability_column", "cluster"), "",
    )  # fmt: skip
    elsewhere = {
        **given, **empty, "sends": "leads.csv", "costs": "ledger", "replied_column": "replied",
        "weights": {"gpt/m": 0.5, "mix/m": 0.5}, "segments": [], "contexts": [], "time_zone": "UTC",
    }  # fmt: skip
    priced = ab_report.read_counts(elsewhere, tmp_path)
    assert [(arm.costed_units, round(arm.cost_usd, 6)) for arm in priced.arms] == [(20, 0.2), (20, 0.2)]


def test_tables_after_the_decision_say_of_which_data_they_are(tmp_path: Path) -> None:
    units = units_of({"gpt-4o": 0.06, "mixtral": 0.02}, 6000, weights=HALF, costs=COSTS)
    given = Plan("mail-7", control="gpt-4o", planned_units=6000, guardrails={"complaints": 1.25})
    then = counted(units, as_of=60)
    with Ledger(tmp_path / "ledger.db") as ledger:
        first = analyse(then, given, ledger, now=NOW)
        later = analyse(counted(units), given, ledger, now=NOW, counts_at=lambda _: then)
        marked = analyse(counted(units), given, ledger, now=NOW)
    assert show.label(first) == show.label(later) == "Simulated data"
    assert show.arms_table(later).frame.equals(show.arms_table(first).frame)
    assert show.label(marked) == "Simulated data; data up to 2026-11-14, effects up to 2026-10-31"
    for result in (later, marked):
        assert result.cut_off_notes[0] in result.verdict().reasons
    guardrails = ab_segments.guardrail_table(later)
    assert guardrails is not None
    assert set(guardrails.shown["data up to"]) == set(guardrails.frame["as_of"]) == {"2026-11-14"}


def test_the_report_reads_the_source_again_as_of_the_look_that_decided(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LLMBENCH_LEDGER", str(tmp_path / "ledger.db"))
    notebook = Path(__file__).resolve().parents[2] / "notebooks" / "ab_test.ipynb"
    given = {parameter.name: parameter.default for parameter in read_parameters(notebook)}
    units = units_of({"gpt-4o": 0.08, "mixtral": 0.02}, 3000, weights=HALF, costs=COSTS)
    given |= write_tables(units, tmp_path) | {"planned_units": 3000, "not_human": []}
    found = []
    for day in ("2026-11-05", "2026-11-20"):
        p = {**given, "as_of": day}
        counts = ab_report.read_counts(p, tmp_path, now=NOW)
        found.append(ab_report.analyse_counts(counts, ab_report.make_plan(p), p, tmp_path))
    first, later = found
    assert (first.occasion.kind, later.occasion.kind) == ("look", "over")
    assert later.counts.as_of == first.counts.as_of
    assert [(a.units, a.replies, a.rate_ci) for a in later.arms] == [
        (a.units, a.replies, a.rate_ci) for a in first.arms
    ]
    # Sums of cost differ in their last digits, by the order in which the engine added them up.
    assert not later.rows_changed
    assert later.as_of > first.as_of


def test_points_of_few_leads_are_in_the_numbers_and_told_of(shown: AbResult) -> None:
    plot = ab_days.weeks_figure(shown)
    assert plot is not None
    day = shown.counts.days[0]
    lone = day._replace(day=day.day - timedelta(days=28), units=3, replied=0)
    counts = dataclasses.replace(shown.counts, days=(lone, *shown.counts.days))
    more = ab_days.weeks_figure(dataclasses.replace(shown, counts=counts))
    assert more is not None
    assert len(more.frame) == len(plot.frame) + 1
    assert f"Of {len(more.frame)} points 1 with few leads are not drawn; the CSV has all." in more.caption
