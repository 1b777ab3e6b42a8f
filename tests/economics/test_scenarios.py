from __future__ import annotations

import pytest

from llmbench.catalog.gpu_offers import gpu_offers
from llmbench.economics import BreakEvenStudy, HostingCosts, Workload, api_lines, token_prices, week_profile
from llmbench.economics.options import hosting_options
from llmbench.economics.scenarios import scenarios


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
