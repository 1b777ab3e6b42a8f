from __future__ import annotations

from dataclasses import replace

import pytest

from llmbench.catalog.gpu_offers import gpu_offers
from llmbench.economics import BreakEvenStudy, HostingCosts, Workload, api_lines, token_prices, week_profile
from llmbench.economics.options import hosting_options
from llmbench.economics.scenarios import scenarios

LOAD = Workload(100_000, 500, 200, profile=week_profile(3))
SPOT = hosting_options(["llama-3.1-8b"], LOAD, gpu_offers(), gpus=["T4"], purchase="spot")


def study_of(gpus: list[str], names: list[str]) -> BreakEvenStudy:
    """Of llama-3.1-8b on these GPUs against gpt-4o, with the APIs of `names`."""
    return BreakEvenStudy(
        model="llama-3.1-8b",
        load=LOAD,
        costs=HostingCosts(),
        options=tuple(hosting_options(["llama-3.1-8b"], LOAD, gpu_offers(), gpus=gpus)),
        lines=api_lines(LOAD, names),
        prices=token_prices(LOAD, names),
        against=("gpt-4o",),
        baseline="gpt-4o",
    )


def test_a_share_that_falls_back_is_paid_for_in_every_way() -> None:
    alone = study_of(["T4"], ["llama-3.1-8b", "gpt-4o", "gpt-4o-mini"])
    helped = replace(alone, costs=HostingCosts(fallback_share=0.1), fallback="gpt-4o-mini")
    without, found = (
        {
            each.name: each.usd_per_month
            for each in scenarios(study, {"on-demand": alone.options, "spot": SPOT})
        }
        for study in (alone, helped)
    )
    usd = helped.fallback_usd * 100_000 * 0.1
    assert usd > 1
    # Of the messages that find a spot machine there, a tenth; the others go to the baseline as before.
    name = "own machines, spot with the API behind"
    assert found[name] - without[name] == pytest.approx(0.95 * usd)
    for name in ("own machines, on-demand", "own machines, spot", "base on own machines, peaks at gpt-4o"):
        assert found[name] - without[name] == pytest.approx(usd)
    # Fewer hours are rented, and all that falls back is paid for.
    for name in ("own machine, rented at night only", "own machines that follow the load, down to none"):
        assert without[name] < found[name] < without[name] + usd


def test_every_way_to_have_it_answered_cheapest_first() -> None:
    study = study_of(["T4", "L4"], ["llama-3.1-8b", "gpt-4o"])
    found = scenarios(study, {"on-demand": study.options, "spot": SPOT}, 0.001625)
    usd = {each.name: each.usd_per_month for each in found}
    assert list(usd.values()) == sorted(usd.values())
    assert usd["API of gpt-4o"] == pytest.approx(325)
    assert usd["API of gpt-4o, in batches"] == pytest.approx(162.5)
    assert usd["own machines, on-demand"] == pytest.approx(study.best[1].usd)
    assert usd["own machines, spot"] < usd["own machines, on-demand"]
    # No spare, and less than all hours: cheaper than always on, but the people stay.
    scaled = usd["own machines that follow the load, down to none"]
    assert HostingCosts().fixed_usd < scaled < usd["own machines, on-demand"]
    assert usd["own machine, rented at night only"] < scaled
    assert [each.name for each in found if each.waits] == [
        name for name in usd if "batches" in name or "at night" in name
    ]
