"""A study with known machines, which needs no model of throughput."""

from __future__ import annotations

from llmbench.economics import (
    BreakEvenStudy,
    HostingCosts,
    HostingOption,
    Money,
    Workload,
    api_lines,
    token_prices,
    week_profile,
)

AGAINST = ("gpt-4", "gpt-4o", "gpt-4o-mini", "llama-3.1-70b")


def make_study(**changed: object) -> BreakEvenStudy:
    load = Workload(
        400_000,
        500,
        200,
        profile=week_profile(3),
        growth_per_month=float(changed.pop("growth", 0.0)),  # type: ignore[arg-type]
    )
    names = [*AGAINST, "llama-3.1-8b"]
    costs = HostingCosts(**changed.pop("costs", {}))  # type: ignore[arg-type]
    return BreakEvenStudy(
        model="llama-3.1-8b",
        load=load,
        costs=costs,
        options=(
            HostingOption("T4", 1, "llama-3.1-8b", "awq-int4", 0.526, 400, 260, 580, extrapolated=True),
            HostingOption("L4", 1, "llama-3.1-8b", "fp16", 0.84, 320, 260, 400),
        ),
        lines=api_lines(load, names, price_book="2025-01-23"),
        prices=token_prices(load, names, price_book="2025-01-23"),
        against=AGAINST,
        baseline="llama-3.1-8b",
        draws=1000,
        **changed,  # type: ignore[arg-type]
    )


STUDIES = {
    "the defaults": {},
    "all inputs": {
        "growth": 0.08,
        "money": Money(5000, 24, 0.10, 3.0, 1.5),
        "fallback": "gpt-4o",
        "costs": {"fallback_share": 0.05, "egress_usd_per_message": 1e-6, "spare_replicas": 2},
    },
}
