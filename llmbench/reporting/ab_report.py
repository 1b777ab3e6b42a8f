"""The notebook `ab_test` around its tables: from its parameters to counts, from a result to result.json."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import chdir
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import UsageError
from llmbench.reporting.ab_source import outcome_source, tables_of
from llmbench.results import Spend

if TYPE_CHECKING:
    from llmbench.abtest import AbResult, Counts, Plan, Policy, PolicyValue

__all__ = ["analyse_counts", "envelope_fields", "input_files", "make_plan", "read_counts", "value_policies"]

_POLICY = {"name", "cheapest", "always", "column", "table", "default"}


def make_plan(parameters: Mapping[str, Any]) -> Plan:
    """The plan of the notebook's parameters, in which 0 and "" mean "not given". Raises UsageError."""
    from llmbench.abtest import Plan

    p = parameters
    return Plan(
        p["experiment_id"],
        control=p["control"],
        margin=p["margin"],
        margin_reason=p["margin_reason"],
        scale=p["scale"],
        stopping_rule=p["stopping_rule"],
        looks=p["looks"],
        alpha=p["alpha"],
        power=p["power"],
        planned_units=p["planned_units"] or None,
        expected_rate=p["expected_rate"] or None,
        split=p["split"] or None,
        design_effect=p["design_effect"],
        value_per_reply_usd=p["value_per_reply_usd"] or None,
        fixed_costs_usd=p["fixed_costs_usd"],
        window_days=p["window_days"],
        confidence=p["confidence"],
        guardrails=p["guardrail_margins"],
        min_segment_replies=p["min_segment_replies"],
        bootstrap=p["bootstrap"],
        seed=p["seed"],
    )


def read_counts(parameters: Mapping[str, Any], root: Path, now: datetime | None = None) -> Counts:
    """Counts of the source that the parameters describe; paths are relative to `root`."""
    from llmbench import abtest

    source = outcome_source(parameters)
    with chdir(root):
        return abtest.read_counts(source, now=now)


def input_files(parameters: Mapping[str, Any], counts: Counts, root: Path) -> dict[str, int | None]:
    """The files that were read, with their rows where they are known: for `Report.finish`."""
    from llmbench.abtest.files import is_file, is_select_file, named_files, shown

    with chdir(root):
        files = [
            file
            for table in tables_of(parameters)
            if is_file(table) or is_select_file(table)
            for file in named_files(table)
        ]
    return {file: counts.inputs.get(shown(file)) for file in files}


def analyse_counts(counts: Counts, plan: Plan, parameters: Mapping[str, Any], root: Path) -> AbResult:
    """The result, remembered as a look in the project's ledger where it is one.

    After the look that decided, the source that the parameters describe is read again as of that look.
    """
    from llmbench.abtest import analyse
    from llmbench.ledger import Ledger

    def counts_at(as_of: datetime) -> Counts:
        return read_counts({**parameters, "as_of": as_of.isoformat()}, root)

    with Ledger() as ledger:
        return analyse(counts, plan, ledger, counts_at=counts_at)


def value_policies(result: AbResult, given: Sequence[Any]) -> list[PolicyValue]:
    """Each policy of the parameter `policies` valued from the log; none before an effect may be shown."""
    from llmbench.abtest import evaluate_policy, unit_cost_variances

    named = [_policy(entry, result) for entry in given]
    if not result.shows_effect or not result.counts.contexts:
        return []
    plan, variances = result.plan, unit_cost_variances(result.counts.arms)
    return [
        evaluate_policy(
            name,
            result.counts.contexts,
            policy,
            confidence=plan.confidence,
            draws=plan.bootstrap,
            seed=plan.seed,
            cost_variances=variances,
        )
        for name, policy in named
    ]


def envelope_fields(result: AbResult) -> dict[str, Any]:
    """What `Report.finish` is told of a result, but for its input files."""
    return {
        "verdict": result.verdict(),
        "data": result.data(),
        "baseline": result.plan.control,
        "candidate": result.chosen.treatment if result.chosen else None,
        "price_book": "as charged",
        "data_until": result.counts.data_until,
        "seed": result.plan.seed,
        "spend": Spend(0.0, 0.0),
    }


def _policy(entry: Any, result: AbResult) -> tuple[str, Policy]:
    from llmbench.abtest import always, by_table, cheapest_arm

    if not isinstance(entry, dict) or set(entry) - _POLICY or not isinstance(entry.get("name"), str):
        raise UsageError(
            f"Parameter 'policies' holds {entry!r}; each is a dict of name and one of cheapest (true), "
            "always (an arm), or column, table and default."
        )
    name = entry["name"]
    if entry.get("cheapest"):
        arm = cheapest_arm(result.counts.contexts) if result.counts.contexts else result.plan.control
        return f"{name} ({arm})", always(arm)
    if "always" in entry:
        return name, always(entry["always"])
    if not isinstance(entry.get("table"), dict) or not entry.get("column") or not entry.get("default"):
        raise UsageError(
            f"The policy {name!r} needs cheapest, always, or a column of the context with a table of arms "
            "and a default."
        )
    return name, by_table(entry["column"], entry["table"], entry["default"])
