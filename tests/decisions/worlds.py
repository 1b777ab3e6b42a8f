"""Forty products that migrate, and what is true of each: nothing in here is what an analysis assumes.

Items come in threads whose answers stand and fall together, scores may be graded, answers are missing where
they would have been wrong. Leads come in mailboxes of very unequal size, each with its own rate of replies in
each arm. Costs of a lead are skewed and higher where it replied. Volumes, tokens, prices and hours lie about
what was stated by laws with other shapes than a triangle.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llmbench.economics import HostingCosts, HostingOption, Range, TokenPrices, Uncertainty, Workload

Numbers = NDArray[np.float64]

SEED = 20250123
PRODUCTS = 40
WEIGHTS = np.array([1.0, 0.75, 0.5, 0.25])
WEIGHT_SHARES = np.array([0.55, 0.25, 0.15, 0.05])
"""Of a graded answer that is right in the main: how right it is."""
BASELINE_MISSING = 0.001


@dataclass(frozen=True)
class Product:
    """One product; rates are what holds on average over threads and mailboxes."""

    # The matrix.
    discordant: float
    """Share of items that only one model gets right, on either side."""
    thread: float
    """Mean items of a thread."""
    alike: float
    """Chance of an answer to go by its thread."""
    graded: bool
    candidates: int
    # The experiment.
    reply_rate: float
    """Of the control."""
    mailbox: float
    """Mean leads of a mailbox."""
    between: float
    """Correlation of the replies of one mailbox in one arm."""
    value_usd: float
    """Of a reply."""
    looks: int
    """More than one: group-sequential, and it ends at the look that decides."""
    # The machines.
    option: HostingOption
    prices: TokenPrices
    load: Workload

    @property
    def weight(self) -> float:
        """Mean score of an answer that is right."""
        return float(WEIGHTS @ WEIGHT_SHARES) if self.graded else 1.0


def product(number: int) -> Product:
    rng = np.random.default_rng([SEED, number])
    rate = float(rng.uniform(0.03, 0.09))
    low = float(rng.uniform(0.5, 0.9))
    tokens_per_s = float(rng.uniform(600, 1500))
    return Product(
        discordant=float(rng.uniform(0.085, 0.12)),
        thread=(1.0, 2.0, 4.0)[number % 3],
        alike=float(rng.uniform(0.2, 0.5)),
        graded=number % 2 == 1,
        candidates=3 if number % 5 == 0 else 1,
        reply_rate=rate,
        mailbox=float(rng.uniform(5, 40)),
        between=float(rng.uniform(0.002, 0.02)),
        value_usd=float(rng.uniform(5, 60)),
        looks=4 if number % 10 == 3 else 1,
        option=HostingOption(
            "A10G", 1, "m", "fp16", float(rng.uniform(0.8, 2.0)), tokens_per_s, low * tokens_per_s,
            float(rng.uniform(1.1, 1.6)) * tokens_per_s,
        ),
        prices=TokenPrices(float(rng.uniform(0.001, 0.003)), float(rng.uniform(0.001, 0.004))),
        load=Workload(float(rng.uniform(2e6, 2e7)), 600, 250),
    )  # fmt: skip


COSTS = HostingCosts(storage_usd=0.0)


def true_factors(rng: np.random.Generator, together: float = 0.0) -> tuple[dict[str, Numbers], Numbers]:
    """By what factor the world is off what was stated, and the log throughput in standard deviations.

    Mean and variance of each are those of its triangle, the shape is not: a lognormal volume, a gamma of
    hours, sellers of two kinds. `together` correlates volume, tokens and peak, in normal scores.
    """
    ranges = Uncertainty().ranges
    z = rng.standard_normal(len(ranges))
    common = math.sqrt(together) * rng.standard_normal()
    found: dict[str, Numbers] = {}
    for place, (name, stated) in enumerate(ranges.items()):
        mean, sd = _moments(stated)
        if name in {"messages", "input_tokens", "output_tokens", "peak_to_mean"}:
            score = common + math.sqrt(1 - together) * z[place]
            spread = math.sqrt(math.log1p((sd / mean) ** 2))
            value = mean * math.exp(spread * score - spread**2 / 2)
        elif name == "operations_hours":
            value = rng.gamma((mean / sd) ** 2, sd**2 / mean)
        elif name == "gpu_price":
            value = mean + sd * (2.0 if rng.random() < 0.2 else -0.5)
        else:
            # A list price, or now and then one that was negotiated.
            value = mean + sd * (-math.sqrt(3) if rng.random() < 0.25 else 1 / math.sqrt(3))
        found[name] = np.array([value])
    throughput = rng.logistic(0.0, math.sqrt(3) / math.pi)
    return found, np.array([throughput])


def _moments(of: Range) -> tuple[float, float]:
    a, c, b = of
    return (a + b + c) / 3, math.sqrt((a * a + b * b + c * c - a * b - a * c - b * c) / 18)
