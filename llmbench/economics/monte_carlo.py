"""How sure a comparison is: what is not known is drawn many times, the same draws for every option.

Draws are shared (common random numbers): two options differ by what they are, not by luck. Everything
is one array operation over draws x options, so that 40,000 draws over all options take well under a second.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from llmbench.economics.api_lines import TokenPrices
from llmbench.economics.checks import check_amount, check_share, check_whole
from llmbench.economics.correlation import correlated
from llmbench.economics.hosting import HostingCosts, HostingOption
from llmbench.economics.uncertainty import DEMAND, Uncertainty, triangular
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError
from llmbench.shown import shown

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

__all__ = ["P90", "MonteCarlo", "Tornado", "monte_carlo", "tornado"]

_MOST_DRAWS = 10_000_000
P90 = 1.2815515655446004
"""The 90% quantile of the standard normal distribution."""


@shown
@dataclass(frozen=True, slots=True)
class MonteCarlo:
    """The draws of an analysis. Made by `monte_carlo`."""

    options: tuple[str, ...]
    alternatives: tuple[str, ...]
    self_usd: Floats
    """Draws x options: USD a month."""
    api_usd: Floats
    """Draws x alternatives."""
    seed: int

    @property
    def draws(self) -> int:
        """How many."""
        return int(self.self_usd.shape[0])

    def probability_cheaper(self, option: str, against: str) -> float:
        """The share of draws in which `option` costs less than `against`. Raises UsageError for a name that
        was not drawn, here and below.
        """
        own, api = self._columns(option, against)
        return float((own < api).mean())

    def quantiles(self, option: str) -> tuple[float, float, float]:
        """10%, 50% and 90% of the draws of an option's cost, USD a month."""
        import numpy as np

        low, middle, high = np.quantile(self._drawn(option), [0.1, 0.5, 0.9])
        return float(low), float(middle), float(high)

    def saving_quantiles(self, option: str, against: str) -> tuple[float, float, float]:
        """10%, 50% and 90% of what `option` saves against `against`; negative where it costs more."""
        import numpy as np

        own, api = self._columns(option, against)
        low, middle, high = np.quantile(api - own, [0.1, 0.5, 0.9])
        return float(low), float(middle), float(high)

    def saving_interval(self, option: str, against: str, confidence: float = 0.9) -> tuple[float, float]:
        """The middle `confidence` of the draws of what `option` saves: 5% to 95% of them for 0.9.

        Raises UsageError for a confidence that is no share.
        """
        import numpy as np

        if check_share("confidence", confidence, above_zero=True) == 1:
            raise UsageError(f"confidence must lie strictly between 0 and 1; it is {confidence!r}.")
        own, api = self._columns(option, against)
        low, high = np.quantile(api - own, [(1 - confidence) / 2, (1 + confidence) / 2])
        return float(low), float(high)

    def to_pandas(self) -> pd.DataFrame:
        """One row per option and alternative."""
        import pandas as pd

        rows = []
        for option in self.options:
            for against in self.alternatives:
                low, middle, high = self.saving_quantiles(option, against)
                rows.append(
                    {
                        "option": option,
                        "against": against,
                        "probability_cheaper": self.probability_cheaper(option, against),
                        "saving_p10": low,
                        "saving_p50": middle,
                        "saving_p90": high,
                    }
                )
        return pd.DataFrame(rows)

    def _columns(self, option: str, against: str) -> tuple[Floats, Floats]:
        return self._drawn(option), self.api_usd[:, _place("against", against, self.alternatives)]

    def _drawn(self, option: str) -> Floats:
        return self.self_usd[:, _place("option", option, self.options)]


def _place(what: str, name: str, names: tuple[str, ...]) -> int:
    if name not in names:
        raise UsageError(f"{what} must be one of {', '.join(names)}, which were drawn; it is {name!r}.")
    return names.index(name)


def monte_carlo(
    options: Sequence[HostingOption],
    alternatives: Mapping[str, TokenPrices],
    load: Workload,
    costs: HostingCosts,
    *,
    uncertainty: Uncertainty | None = None,
    draws: int = 40_000,
    seed: int = 20250123,
    messages_per_month: float | None = None,
    fallback: TokenPrices | None = None,
) -> MonteCarlo:
    """Draw what is not known and count each option and API at each draw.

    The throughput of an option is lognormal, with its 80% interval between 10% and 90%; the same draw of
    it for all options, because what a model of throughput has wrong it mostly has wrong of all.
    `alternatives` are the parts of a message's price by model, `fallback` those of the model that answers
    the `fallback_share`.

    Raises UsageError where no option works, for fewer than 100 draws or more than 10 million, for a seed
    below 0 and for prices and volumes that cannot be meant.
    """
    import numpy as np

    draws, seed = check_whole("draws", draws), check_whole("seed", seed)
    if not 100 <= draws <= _MOST_DRAWS:
        raise UsageError(
            f"draws must be at least 100, better 10,000, and at most {_MOST_DRAWS:,}; it is {draws!r}."
        )
    working = [option for option in options if option.works]
    if not working:
        raise UsageError("No option works, so there is nothing to draw; see why in the table of options.")
    given = uncertainty or Uncertainty()
    random = np.random.default_rng(seed)
    uniform = random.random((draws, len(given.ranges)))
    together = [list(given.ranges).index(name) for name in DEMAND]
    uniform[:, together] = correlated(uniform[:, together], given.correlation)
    draw = {name: triangular(uniform[:, place], of) for place, (name, of) in enumerate(given.ranges.items())}
    volume = load.messages_per_month
    if messages_per_month is not None:
        volume = check_amount("messages_per_month", messages_per_month)
    for name, price in (*alternatives.items(), *((("the fallback", fallback),) if fallback else ())):
        _check_prices(name, price)
    own, api = _costs(
        working, alternatives, load, costs, volume, draw, random.standard_normal(draws), fallback
    )
    return MonteCarlo(tuple(o.name for o in working), tuple(alternatives), own, api, seed)


def _costs(
    options: Sequence[HostingOption],
    alternatives: Mapping[str, TokenPrices],
    load: Workload,
    costs: HostingCosts,
    volume: float,
    draw: Mapping[str, Floats],
    throughput: Floats,
    fallback: TokenPrices | None,
) -> tuple[Floats, Floats]:
    """Draws x options and draws x alternatives, USD a month."""
    import numpy as np

    messages = volume * draw["messages"]
    inputs = np.array([price.input_usd for price in alternatives.values()])
    outputs = np.array([price.output_usd for price in alternatives.values()])
    per_message = draw["api_price"][:, None] * (
        draw["input_tokens"][:, None] * inputs + draw["output_tokens"][:, None] * outputs
    )
    peak = np.maximum(1.0, load.peak_to_mean * draw["peak_to_mean"])
    capacity = np.array([option.capacity_per_month(load, costs) for option in options]) * load.peak_to_mean
    spread = np.array([_log_spread(option) for option in options])
    # Longer messages take a replica longer: its rate in messages falls as tokens rise.
    share = np.array([option.input_share for option in options])
    length = share * draw["input_tokens"][:, None] + (1 - share) * draw["output_tokens"][:, None]
    carried = capacity * np.exp(spread * throughput[:, None]) / (peak[:, None] * length)
    own_messages = messages * (1 - costs.fallback_share)
    serving = np.maximum(1.0, np.ceil(own_messages[:, None] / carried - 1e-9))
    rent = np.array([option.usd_per_hour for option in options]) * costs.month_hours
    own = (serving + costs.spare_replicas) * rent * draw["gpu_price"][:, None]
    operations = (
        draw["operations_hours"] * costs.operations_hours * costs.operations_usd_per_hour + costs.storage_usd
    )
    variable = own_messages * costs.egress_usd_per_message
    if fallback is not None and costs.fallback_share:
        each = draw["input_tokens"] * fallback.input_usd + draw["output_tokens"] * fallback.output_usd
        variable = variable + costs.fallback_share * messages * draw["api_price"] * each
    own += (operations + variable)[:, None]
    return own, messages[:, None] * per_message


def _check_prices(name: str, price: TokenPrices) -> None:
    for part, usd in price._asdict().items():
        check_amount(f"{part} of {name}", usd)


def _log_spread(option: HostingOption) -> float:
    if option.low <= 0 or option.high <= option.low:
        return 0.0
    return math.log(option.high / option.low) / (2 * P90)


@shown
class Tornado(NamedTuple):
    """What one unknown alone moves the saving by."""

    what: str
    low_usd: float
    """The saving at the unknown's 10% quantile, everything else as stated; USD a month."""
    high_usd: float
    """At its 90% quantile."""

    @property
    def swing(self) -> float:
        """How much it moves."""
        return abs(self.high_usd - self.low_usd)


def tornado(
    option: HostingOption,
    price: TokenPrices,
    load: Workload,
    costs: HostingCosts,
    *,
    uncertainty: Uncertainty | None = None,
    fallback: TokenPrices | None = None,
) -> list[Tornado]:
    """The saving of `option` against an API at each unknown's 10% and 90% quantile, one at a time, the
    widest first; everything else at its stated value. Raises UsageError for prices that cannot be meant.
    """
    import numpy as np

    _check_prices("the API", price)
    given = uncertainty or Uncertainty()
    stated = {name: np.ones(2) for name in given.ranges}
    tails = np.array([0.1, 0.9])

    def saving(draw: Mapping[str, Floats], throughput: Floats) -> Floats:
        own, api = _costs(
            [option], {"": price}, load, costs, load.messages_per_month, draw, throughput, fallback
        )
        return np.asarray(api[:, 0] - own[:, 0])

    found = []
    for name, of in given.ranges.items():
        low, high = saving(stated | {name: triangular(tails, of)}, np.zeros(2))
        found.append(Tornado(name, float(low), float(high)))
    low, high = saving(stated, np.array([-P90, P90]))
    found.append(Tornado("throughput", float(low), float(high)))
    return sorted(found, key=lambda row: -row.swing)
