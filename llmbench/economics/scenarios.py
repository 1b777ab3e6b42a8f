"""The same workload bought in every way: on demand, reserved, spot, at night, mixed, from an API."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from llmbench.economics.autoscale import ScaledHours, cold_start_s, scaled_hours
from llmbench.economics.hosting import HostingOption, cheapest
from llmbench.economics.hybrid import hybrid_plans, nightly_job
from llmbench.economics.memory import memory_fit
from llmbench.economics.study import BreakEvenStudy
from llmbench.errors import UsageError
from llmbench.money import dollars

__all__ = ["Scenario", "scenarios"]


class Scenario(NamedTuple):
    """One way to have the workload answered."""

    name: str
    usd_per_month: float
    how: str
    """What it takes."""
    waits: bool = False
    """Only for messages that may wait a day."""


def scenarios(
    study: BreakEvenStudy,
    bought: Mapping[str, Sequence[HostingOption]],
    batch_usd_per_message: float | None = None,
) -> list[Scenario]:
    """Every way, cheapest first. `bought` gives the options by how they are bought (on-demand, spot, ...),
    `batch_usd_per_message` what the API takes for messages that can wait, where it has such a price.
    """
    messages = study.load.messages_per_month
    api = f"API of {study.baseline}"
    found = [Scenario(api, messages * study.usd_per_message(study.baseline), "")]
    if batch_usd_per_message is not None:
        found.append(Scenario(f"{api}, in batches", messages * batch_usd_per_message, "", waits=True))
    for name, options in bought.items():
        own = [option for option in options if option.model == study.model and option.works]
        if not own:
            continue
        option, month = cheapest(own, study.load, study.costs, study.fallback_usd)
        how = f"{month.replicas} x {option.hardware}, {option.dtype}"
        found.append(Scenario(f"own machines, {name}", month.usd, how))
        if name == "spot":
            found.append(_spot_with_api(study, option))
    found += _scaled(study)
    found += _mixed(study)
    found += _nightly(study)
    return sorted(found, key=lambda each: each.usd_per_month)


def _scaled(study: BreakEvenStudy) -> list[Scenario]:
    """Replicas that come and go with the load, down to none: cheaper, and some messages wake one up."""
    load, costs = study.load, study.costs
    mean = load.messages_per_month * (1 - costs.fallback_share) / costs.month_hours
    best: tuple[float, HostingOption, ScaledHours] | None = None
    for option in study.working:
        weights = memory_fit(option.model, option.gpu, option.n_gpu, option.dtype).weights_gb
        hours = scaled_hours(
            [mean * hour for hour in load.hours],
            option.full_per_month(load, costs) / costs.month_hours,
            utilisation_limit=option.limit(costs),
            start_s=cold_start_s(weights),
            month_hours=costs.month_hours,
        )
        rent = hours.replica_hours * option.usd_per_hour
        if best is None or rent < best[0]:
            best = (rent, option, hours)
    if best is None:
        return []
    rent, option, hours = best
    month = study.month(option)
    usd = rent + costs.fixed_usd + month.variable_usd
    how = (
        f"{option.hardware}, {option.dtype}, {hours.replica_hours:,.0f} hours a month; "
        f"{hours.cold_share:.1%} of the "
        "messages wait for a machine to start"
    )
    return [Scenario("own machines that follow the load, down to none", usd, how)]


_AWAY = 0.05
"""Share of a month in which a spot machine is away, its messages answered by the API: an assumption."""


def _spot_with_api(study: BreakEvenStudy, option: HostingOption) -> Scenario:
    """No spare machine: what is interrupted goes to the API."""
    refused = (1 - _AWAY) * study.costs.fallback_share  # of what it is there for, and for another API
    share = _AWAY + refused
    usd = (_AWAY * study.usd_per_message(study.baseline) + refused * study.fallback_usd) / share
    costs = replace(study.costs, spare_replicas=0, fallback_share=share)
    month = option.month(study.load, costs, usd)
    how = f"{month.replicas} x {option.hardware}, no spare, {_AWAY:.0%} answered by the API"
    return Scenario("own machines, spot with the API behind", month.usd, how)


def _mixed(study: BreakEvenStudy) -> list[Scenario]:
    """The best plan that has both machines and an API in it."""
    usd = study.usd_per_message(study.baseline)
    best = None
    for option in study.working:
        try:
            plans = hybrid_plans(
                option, study.load, study.costs, usd, fallback_usd_per_message=study.fallback_usd
            )
        except UsageError:
            continue  # so many replicas that nobody would mix it
        for plan in plans[1:]:
            if best is None or plan.usd < best[1].usd:
                best = (option, plan)
    if best is None:
        return []
    option, plan = best
    how = f"{plan.replicas} x {option.hardware}, no spare, {1 - plan.own_share:z.1%} answered by the API"
    return [Scenario(f"base on own machines, peaks at {study.baseline}", plan.usd, how)]


def _nightly(study: BreakEvenStudy) -> list[Scenario]:
    jobs = []
    for option in study.working:
        try:
            job = nightly_job(option, study.load, study.costs, fallback_usd_per_message=study.fallback_usd)
        except UsageError:
            continue  # it would run around the clock
        jobs.append((job, option))
    if not jobs:
        return []
    job, option = min(jobs, key=lambda pair: pair[0].usd)
    how = (
        f"{option.hardware} for {job.hours:,.0f} hours a month: {dollars(job.rent_usd)} of rent, the rest is "
        f"people and storage{', egress and the fallback' if job.variable_usd else ''}"
    )
    return [Scenario("own machine, rented at night only", job.usd, how, waits=True)]
