"""How much traffic an endpoint stands: requests at random moments, their waits, and the knee.

Names are loaded on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from llmbench.lazy import attach

if TYPE_CHECKING:
    from llmbench.loadtest.arrivals import poisson_arrivals
    from llmbench.loadtest.client import Sample
    from llmbench.loadtest.knee import Knee, find_knee
    from llmbench.loadtest.plan import LoadPlan
    from llmbench.loadtest.prompts import read_prompts, synthetic_prompts
    from llmbench.loadtest.results import LoadTest
    from llmbench.loadtest.summary import Latency, Objective, RateResult, summarise
    from llmbench.loadtest.sweep import load_test, open_load_test

__all__ = [
    "Knee",
    "Latency",
    "LoadPlan",
    "LoadTest",
    "Objective",
    "RateResult",
    "Sample",
    "find_knee",
    "load_test",
    "open_load_test",
    "poisson_arrivals",
    "read_prompts",
    "summarise",
    "synthetic_prompts",
]

_NAMES_OF = {
    "arrivals": ("poisson_arrivals",),
    "client": ("Sample",),
    "knee": ("Knee", "find_knee"),
    "plan": ("LoadPlan",),
    "prompts": ("read_prompts", "synthetic_prompts"),
    "results": ("LoadTest",),
    "summary": ("Latency", "Objective", "RateResult", "summarise"),
    "sweep": ("load_test", "open_load_test"),
}

__getattr__, __dir__ = attach(
    __name__, {name: f"llmbench.loadtest.{module}" for module, names in _NAMES_OF.items() for name in names}
)
