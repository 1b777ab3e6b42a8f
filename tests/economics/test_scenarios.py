from __future__ import annotations

from dataclasses import replace

import pytest

from llmbench.catalog.gpu_offers import gpu_offers
from llmbench.economics import BreakEvenStudy, HostingCosts, Workload, api_lines, token_prices, week_profile
from llmbench.economics.options import hosting_options
from llmbench.economics.scenarios import scenarios


def test_a_share_that_falls_back_is_paid_for_in_every_way() -> None:
    load = Workload(100_000, 500, 200, profile=week_profile(3))
    names = ["llama-3.1-8b", "gpt-4o", "gpt-4o-mini"]
    options = hosting_options(["llama-3.1-8b"], load, gpu_offers(), gpus=["T4"])
    spot = hosting_options(["llama-3.1-8b"], load, gpu_offers(), gpus=["T4"], purchase="spot")
    alone = BreakEvenStudy(
        model="llama-3.1-8b",
        load=load,
        costs=HostingCosts(),
        options=tuple(options),
        lines=api_lines(load, names),
        prices=token_prices(load, names),
        against=("gpt-4o",),
        baseline="gpt-4o",
    )
    helped = replace(alone, costs=HostingCosts(fallback_share=0.1), fallback="gpt-4o-mini")
    without, found = (
        {each.name: each.usd_per_month for each in scenarios(study, {"on-demand": options, "spot": spot})}
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
    load = Workload(100_000, 500, 200, profile=week_profile(3))
    names = ["llama-3.1-8b", "gpt-4o"]
    options = hosting_options(["llama-3.1-8b"], load, gpu_offers(), gpus=["T4", "L4"])
    study = BreakEvenStudy(
        model="llama-3.1-8b",
        load=load,
        costs=HostingCosts(),
        options=tuple(options),
        lines=api_lines(load, names),
        prices=token_prices(load, names),
        against=("gpt-4o",),
        baseline="gpt-4o",
    )
    spot = hosting_options(["llama-3.1-8b"], load, gpu_offers(), gpus=["T4"], purchase="spot")
    found = scenarios(study, {"on-demand": options, "spot": spot}, 0.001625)
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
