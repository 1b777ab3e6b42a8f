"""The tables of the notebook `migration_memo` about evidence: gates, sources, what would change it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.decision import STAGES, needed_evidence
from llmbench.numbers import signed, signed_points
from llmbench.reporting.memo_amounts import usd
from llmbench.reporting.report_table import ReportTable
from llmbench.reporting.wording import percent, span, whole
from llmbench.run_files import RESULT
from llmbench.unknown import NONE

if TYPE_CHECKING:
    from collections.abc import Callable

    from llmbench.decision import GateResult, Metric
    from llmbench.decision.units import Unit
    from llmbench.reporting.memo_study import MemoStudy

__all__ = [
    "assumption_table",
    "change_table",
    "gate_rows",
    "gate_table",
    "measured_text",
    "rollback_table",
    "source_table",
    "stage_table",
]


_SHOW: dict[Unit, Callable[[float], str]] = {
    "share": percent,
    "points": signed_points,
    "times": percent,
    "usd": usd,
    "ms": lambda value: f"{whole(value)} ms",
    "probability": lambda value: f"{value:.2g}",
    "count": whole,
}
_WORDS = {"pass": "passed", "fail": "failed", "insufficient": "insufficient"}


def gate_table(study: MemoStudy) -> ReportTable:
    """The gates before the stage that is decided about, in the order of the stages."""
    import pandas as pd

    rows = [_gate_row(result) for result in study.decided]
    shown = [
        {
            "before": result.gate.stage,
            "gate": f"{result.gate.name}: {result.gate.metric.what}",
            "asked": _asked(result),
            "is": measured_text(result),
            "n": NONE if result.measured.n is None else f"{result.measured.n:,}",
            "": _state_of(result),
        }
        for result in study.decided
    ]
    return ReportTable(
        pd.DataFrame(rows, columns=list(_gate_columns())), pd.DataFrame(shown), ("asked", "is", "n")
    )


def _gate_columns() -> tuple[str, ...]:
    return (
        *("gate", "stage", "metric", "source", "at_least", "threshold", "required", "state"),
        *("value", "low", "high", "n", "reason", "accepted_stale", "stale_after_days", "minimum_n"),
    )


def _gate_row(result: GateResult) -> dict[str, object]:
    gate, measured = result.gate, result.measured
    return {
        "gate": gate.name,
        "stage": gate.stage,
        "metric": gate.metric.name,
        "source": gate.metric.source,
        "at_least": gate.at_least,
        "threshold": gate.threshold,
        "required": gate.required,
        "state": result.state,
        "value": measured.value,
        "low": measured.low,
        "high": measured.high,
        "n": measured.n,
        "reason": result.reason,
        "accepted_stale": result.accepted_stale,
        "stale_after_days": gate.stale_after_days,
        "minimum_n": gate.minimum_n,
    }


def gate_rows(study: MemoStudy) -> list[dict[str, object]]:
    """Every gate of the phase for result.json, as the decision takes it."""
    decided = {result.gate.name: result for result in study.decided}
    return [_gate_data(decided.get(result.gate.name, result)) for result in study.results]


def _gate_data(result: GateResult) -> dict[str, object]:
    row = _gate_row(result)
    measured, low, high = (row.pop(name) for name in ("value", "low", "high"))
    ci = None if low is None and high is None else [low, high]
    return {**row, "measured": measured, "ci": ci}


def _asked(result: GateResult) -> str:
    gate = result.gate
    return f"{'≥' if gate.at_least else '≤'} {_shown_by(gate.metric)(gate.threshold)}{_suffix(gate.metric)}"


def _shown_by(metric: Metric) -> Callable[[float], str]:
    return percent if metric.says == "chance" else _SHOW[metric.unit]


def _suffix(metric: Metric) -> str:
    return " points" if metric.unit == "points" else ""


def _state_of(result: GateResult) -> str:
    word = _WORDS[result.state] + (", though too old" if result.accepted_stale else "")
    told = word if result.state == "pass" else f"{word}: {result.reason}"
    return told if result.gate.required else f"{told} (a condition)"


def measured_text(result: GateResult) -> str:
    """What was measured, in the unit of its metric."""
    value, low, high = result.measured[:3]
    metric = result.gate.metric
    show = _shown_by(metric)
    if value is None:
        return NONE
    return (show(value) if metric.certain else span(value, low, high, show)) + _suffix(metric)


def stage_table(study: MemoStudy) -> ReportTable:
    """How far the gates let the migration go."""
    import pandas as pd

    rows = []
    for stage in STAGES:
        own = [r for r in study.results if r.gate.stage == stage]
        before = [r for r in study.before(stage) if r.gate.required]
        states = {state: sum(r.state == state for r in own) for state in _WORDS}
        open_ = all(r.state == "pass" for r in before)
        rows.append({"stage": stage, "open": open_, **states})
    frame = pd.DataFrame(rows)
    shown = pd.DataFrame(
        {
            "stage": [f"{row['stage']}{' (asked)' if row['stage'] == study.stage else ''}" for row in rows],
            "": ["open" if row["open"] else "not open" for row in rows],
            **{word: [str(row[state]) for row in rows] for state, word in _WORDS.items()},
        }
    )
    return ReportTable(frame, shown, tuple(_WORDS.values()))


def rollback_table(study: MemoStudy) -> ReportTable | None:
    """When to go back, by the day; every day is in the file. None without a rule, or where it never fires."""
    import pandas as pd

    bounds = study.rollback.bounds if study.rollback is not None else ()
    first = next((bound for bound in bounds if bound.at_most is not None), None)
    if first is None or study.rollback is None:
        return None
    some = [bound for bound in bounds if bound is first or (bound.day > first.day and bound.day % 7 == 0)]
    shown = pd.DataFrame(
        {
            "day of traffic": [f"{bound.day}" for bound in some],
            "replies to both": [f"{bound.total:,}" for bound in some],
            "to the candidate if as good": [f"{bound.expected:,.0f}" for bound in some],
            "take it back at": [f"{bound.at_most:,} or fewer" for bound in some],
        }
    )
    return ReportTable(study.rollback.to_pandas(), shown, tuple(shown.columns))


def source_table(study: MemoStudy) -> ReportTable:
    """Every result that was looked for, whether it counts, and why not."""
    import pandas as pd

    evidence = study.evidence
    rows = evidence.looked_at
    frame = pd.DataFrame(
        [
            {
                "report": source.report,
                "state": str(source.state),
                "reason": source.reason or ("it ran on example data" if over else ""),
                "passed_over": over,
                "data_until": source.data_until,
                "age_days": source.age_days(evidence.today),
                "run": source.run_id,
                "sha256": source.sha256,
                "workload": source.workload_sha256,
                "simulated": source.simulated,
            }
            for source, over in rows
        ]
    )
    shown = pd.DataFrame(
        {
            "report": frame["report"],
            "": [_state_words(str(source.state), over, source.of_example) for source, over in rows],
            "why": [reason or NONE for reason in frame["reason"]],
            "age, days": [NONE if pd.isna(age) else signed(age, ",.0f") for age in frame["age_days"]],
            "run": [source.run_id or NONE for source, _ in rows],
            RESULT: [source.sha256[:12] if source.sha256 else NONE for source, _ in rows],
            "workload": [(source.workload_sha256 or NONE)[:12] for source, _ in rows],
        }
    )
    return ReportTable(frame, shown, ("age, days",))


def _state_words(state: str, passed_over: bool, example: bool) -> str:
    if passed_over:
        return "passed over"
    return {"used": "counts (example)" if example else "counts"}.get(state, state)


def change_table(study: MemoStudy) -> ReportTable | None:
    """What would have to be seen for the decision to become another one; None where all gates are passed."""
    import pandas as pd

    needed = {each.report: each.what for each in needed_evidence(study.evidence)}
    rows = []
    for result in study.decided:
        if result.state == "pass":
            continue
        gate = result.gate
        if result.state == "fail":
            what = "another candidate, or another threshold"
        elif result.measured.value is None:
            counts = study.evidence.source(gate.metric.source).used
            what = f"a result of {gate.metric.source} that {'tells it' if counts else 'counts'}"
        else:
            what = needed.get(gate.metric.source, f"more data in {gate.metric.source}")
        rows.append({"gate": gate.name, "state": _WORDS[result.state], "what would change it": what})
    if not rows:
        return None
    frame = pd.DataFrame(rows)
    return ReportTable(frame, frame.rename(columns={"state": ""}), ())


def assumption_table(study: MemoStudy) -> ReportTable:
    """What the memo takes for granted, who says so, and of which day it is."""
    import pandas as pd

    today = str(study.evidence.today)
    rows: list[tuple[str, str, str, str]] = []
    if study.traffic is not None:
        t = study.traffic
        tokens = f"{t.input_tokens:,.0f} tokens read and {t.output_tokens:,.0f} written"
        told = f"{t.messages_per_month:,.0f} a month, {tokens}"
        rows.append(("messages", told, t.of, today))
    if study.prices is not None:
        for name, price in zip((study.baseline, study.candidate), study.prices, strict=True):
            message = price.usd_per_message
            cost = f"{usd(None if message is None else 1000 * message)} per 1,000 messages"
            if message is None and price.usd_per_month is not None:
                cost = f"{usd(price.usd_per_month)} a month"
            rows.append((f"price of {name}", cost, price.of, str(price.day or NONE)))
    for saving in study.by_correlation:
        if saving.assumed:
            told = f"correlated by {saving.correlation:g}" if saving.correlation else "drawn apart"
            rows.append(("volume and lengths of messages", told, "parameters", today))
    if study.effect is not None:
        rows.append(("replies per message today", percent(study.effect.reply_rate), "ab_test", _until(study)))
    once = study.one_off
    spent = (
        f"{once.engineering_days:g} days of people at {usd(once.usd_per_day)}, {usd(once.evaluation_usd)} of "
        f"evaluation, {usd(once.training_usd)} of training, {usd(once.decommission_usd)} at the end"
    )
    rows.append(("spent once", spent, "parameters, and what the reports have spent", today))
    for each in study.commitments:
        ended = "cannot be ended" if each.penalty_usd is None else f"ended for {usd(each.penalty_usd)}"
        told = f"{usd(each.usd_per_month)} a month for {each.months} more months, {ended}"
        rows.append((f"commitment {each.name}", told, "parameters", today))
    frame = pd.DataFrame(rows, columns=["assumption", "value", "who says so", "as of"])
    return ReportTable(frame, frame, ())


def _until(study: MemoStudy) -> str:
    return str(study.evidence.source("ab_test").data_until or NONE)[:10]
