"""One break-even question, answered: every option and API at one workload, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

from llmbench.catalog.dtypes import USUAL_DTYPES
from llmbench.catalog.gpus import MACHINE_SIZES, all_gpus
from llmbench.economics.api_lines import ApiLine, ApiLines, TokenPrices
from llmbench.economics.break_even import BreakEven, break_even_of
from llmbench.economics.finance import CashFlow, Money, cash_flow
from llmbench.economics.hosting import HostingCosts, HostingOption, MonthlyCost, cheapest
from llmbench.economics.hybrid import JobPlan, nightly_job
from llmbench.economics.memory import memory_fit
from llmbench.economics.monte_carlo import MonteCarlo, monte_carlo
from llmbench.economics.uncertainty import Uncertainty
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.shown import shown

__all__ = ["BreakEvenStudy", "Pays"]


@shown
class Pays(NamedTuple):
    """From which volume on one's own machines cost less than an API, and which of them gets there first."""

    against: str
    option: HostingOption | None
    found: BreakEven | None
    """Of that option; None where no option ever costs less."""

    @property
    def messages_per_month(self) -> float | None:
        """The lowest volume at which it does; None: never."""
        return None if self.found is None else self.found.first


@shown
@dataclass(frozen=True)
class BreakEvenStudy:
    """`model` on machines of one's own against `against`, the decision being made against `baseline`.

    What is costly is worked out at first use and kept.
    """

    model: str
    load: Workload
    costs: HostingCosts
    options: tuple[HostingOption, ...]
    """Of all models looked at; those that do not work too."""
    lines: ApiLines
    prices: Mapping[str, TokenPrices]
    """The parts of a message's price, by model."""
    against: tuple[str, ...]
    baseline: str
    money: Money = field(default_factory=Money)
    uncertainty: Uncertainty = field(default_factory=Uncertainty)
    fallback: str | None = None
    draws: int = 40_000
    seed: int = 20250123

    def __post_init__(self) -> None:
        for name in self.compared:
            self.line(name)
        if self.costs.fallback_share and self.fallback is None:
            raise UsageError("fallback_share is above 0, but no fallback model is named.")

    @property
    def compared(self) -> tuple[str, ...]:
        """The models whose APIs are compared, the baseline first."""
        return tuple(dict.fromkeys((self.baseline, *self.against)))

    @property
    def cheapest_first(self) -> list[str]:
        """Those of `compared`, by what a message costs."""
        return sorted(self.compared, key=self.usd_per_message)

    def line(self, model: str) -> ApiLine:
        """The API of a model. Raises UsageError where its price is not known."""
        line = self.lines[model]
        if line.usd_per_message is None:
            raise UsageError(
                f"The price book {self.lines.price_book} has no price of {model}; leave it out of "
                f"what is compared, or "
                "name another price book."
            )
        return line

    def usd_per_message(self, model: str) -> float:
        """At an API."""
        return float(self.line(model).usd_per_message or 0.0)

    def usd_per_month(self, model: str) -> float:
        """At an API, at the stated volume."""
        return self.load.messages_per_month * self.usd_per_message(model)

    @property
    def own_usd_per_message(self) -> float:
        """On the machines that are cheapest at the stated volume."""
        return self.best[1].usd / self.load.messages_per_month

    @property
    def fallback_usd(self) -> float:
        """What the fallback takes for a message; 0 without one."""
        return self.usd_per_message(self.fallback) if self.fallback else 0.0

    @cached_property
    def working(self) -> list[HostingOption]:
        """Options of the model that answer within the objective. Raises UsageError where none does."""
        own = [option for option in self.options if option.model == self.model]
        found = [option for option in own if option.works]
        if not found:
            raise UsageError(_no_option(self.model, own, self.options))
        return found

    @cached_property
    def best(self) -> tuple[HostingOption, MonthlyCost]:
        """The cheapest at this volume."""
        return cheapest(self.working, self.load, self.costs, self.fallback_usd)

    @cached_property
    def job(self) -> tuple[HostingOption, JobPlan] | None:
        """Where all messages can wait: the cheapest machine that is rented at night only; None otherwise."""
        if self.load.batch_share < 1:
            return None
        jobs = []
        for option in self.working:
            try:
                job = nightly_job(option, self.load, self.costs, fallback_usd_per_message=self.fallback_usd)
            except UsageError:
                continue  # it would run around the clock
            jobs.append((option, job))
        return min(jobs, key=lambda pair: pair[1].usd, default=None)

    def month(self, option: HostingOption) -> MonthlyCost:
        """The month of an option."""
        return option.month(self.load, self.costs, self.fallback_usd)

    def break_even(self, option: HostingOption, against: str) -> BreakEven:
        """One option against one API."""
        return break_even_of(
            option,
            self.load,
            self.costs,
            self.usd_per_message(against),
            fallback_usd_per_message=self.fallback_usd,
        )

    @cached_property
    def pays(self) -> dict[str, Pays]:
        """By API: from which volume on, on the machine that gets there first."""
        found = {}
        for against in self.compared:
            each = [(self.break_even(option, against), option) for option in self.working]
            some = [(one.first, one, option) for one, option in each if one.first is not None]
            if some:
                _, one, option = min(some, key=lambda three: three[0])
                found[against] = Pays(against, option, one)
            else:
                found[against] = Pays(against, None, None)
        return found

    @cached_property
    def simulation(self) -> MonteCarlo:
        """The draws at the stated volume, of all working options of the model."""
        return self.simulate(self.load.messages_per_month, self.working)

    def simulate(self, messages_per_month: float, options: Sequence[HostingOption]) -> MonteCarlo:
        """The draws at another volume."""
        return monte_carlo(
            options,
            {name: self.prices[name] for name in self.compared},
            self.load,
            self.costs,
            uncertainty=self.uncertainty,
            draws=self.draws,
            seed=self.seed,
            messages_per_month=messages_per_month,
            fallback=self.prices[self.fallback] if self.fallback else None,
        )

    def probability(self, against: str) -> float:
        """That the cheapest option costs less than an API, at the stated volume."""
        return self.simulation.probability_cheaper(self.best[0].name, against)

    def flow(
        self, against: str, *, api_fall: float | None = None, option: HostingOption | None = None
    ) -> CashFlow:
        """The months of the horizon; the machine is the one that is cheapest now."""
        chosen = option or self.best[0]
        usd, money = self.usd_per_message(against), self.money
        fixed = self.costs.fixed_usd

        def own(messages: float, rent: float) -> float:
            month = chosen.month(
                replace(self.load, messages_per_month=messages), self.costs, self.fallback_usd
            )
            return month.rent_usd * rent + fixed + month.variable_usd

        return cash_flow(
            lambda messages: messages * usd,
            own,
            self.load.messages_per_month,
            migration_usd=money.migration_usd,
            months=money.months,
            growth_per_month=self.load.growth_per_month,
            api_fall_per_year=money.api_fall_per_year if api_fall is None else api_fall,
            gpu_fall_per_year=money.gpu_fall_per_year,
            discount_per_year=money.discount_per_year,
        )

    def data(self) -> dict[str, Any]:
        """`api`, `options`, `break_even` and `monte_carlo` of result.json."""
        simulated, best = self.simulation, self.best[0]
        return {
            "api": [
                {
                    "model": line.model,
                    "usd_per_month": line.usd_per_month,
                    "usd_per_message": line.usd_per_message,
                }
                for line in self.lines
            ],
            "options": [self.option_row(option) for option in self.options],
            "break_even": [
                self._break_even(option, name) for name in self.compared for option in self.working
            ],
            "monte_carlo": [
                {
                    "against": name,
                    "option": best.name,
                    "probability_cheaper": simulated.probability_cheaper(best.name, name),
                    **_quantiles(simulated.saving_quantiles(best.name, name)),
                }
                for name in self.compared
            ],
        }

    def option_row(self, option: HostingOption) -> dict[str, Any]:
        """An option as `options` of result.json has it."""
        month = self.month(option) if option.works else None
        return {
            "option": option.name,
            "gpu": option.gpu,
            "n_gpu": option.n_gpu,
            "replicas": month.replicas if month else None,
            "model": option.model,
            "dtype": option.dtype,
            "fits": option.fits,
            "output_tokens_per_s": option.output_tokens_per_s if option.works else None,
            "interval": [option.low, option.high] if option.works else None,
            "extrapolated": option.extrapolated,
            "usd_per_month": month.usd if month else None,
            "usd_per_million_tokens": month.usd_per_million_tokens if month else None,
            "utilisation": month.utilisation if month else None,
        }

    def _break_even(self, option: HostingOption, against: str) -> dict[str, Any]:
        found = self.break_even(option, against)
        return {
            "option": option.name,
            "against": against,
            "messages_per_month": found.messages_per_month,
            "below_capacity": found.below_capacity,
            "pays_from": found.pays_from,
            "capacity_per_month": found.capacity_per_month,
            "crossings": [each._asdict() for each in found.crossings[:20]],
        }


def _quantiles(values: tuple[float, float, float]) -> dict[str, float]:
    return dict(zip(("p10", "p50", "p90"), values, strict=True))


def _no_option(model: str, own: Sequence[HostingOption], all_options: Sequence[HostingOption]) -> str:
    """What was asked for does not work, and what comes nearest."""
    slow = [option for option in own if option.fits != "does not fit"]
    # Of those that hold it the fastest is told; where none does, the first reasons.
    told = sorted(slow, key=lambda option: option.tpot_ms or 0.0)[:1] or list(own)[:3]
    reasons = "; ".join(f"{option.name} {option.why_not()}" for option in told) or "none was given"
    more = len(own) - len(told)
    others = [option for option in all_options if option.works]
    if slow:
        nearest = " Give the answers more time, or let them wait (latency_class batch)."
    else:
        nearest = f" {_what_holds(model)}"
        if others:
            nearest += (
                f" Of what was asked for, {min(others, key=lambda each: each.usd_per_hour).name} works."
            )
    return f"No GPU looked at carries {model}: {reasons}{f', nor do {more} others' if more else ''}.{nearest}"


def _what_holds(model: str) -> str:
    """The smallest machine of the catalog that holds a model, by the memory of all its GPUs."""
    fits = [
        (count * facts.memory_gb, place, count, name, dtype)
        for name, facts in all_gpus().items()
        for count in MACHINE_SIZES
        for place, dtype in enumerate(USUAL_DTYPES)
        if memory_fit(model, name, count, dtype).fits
    ]
    if not fits:
        return (
            f"No machine of the catalog with up to {MACHINE_SIZES[-1]} GPUs holds it, in any of "
            f"{', '.join(USUAL_DTYPES)}."
        )
    _, _, count, name, dtype = min(fits)
    return f"The smallest machine that holds it is {count} x {name} in {dtype}."
