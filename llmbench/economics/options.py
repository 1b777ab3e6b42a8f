"""The machines worth looking at for a model: which hold it, how fast they are, what they rent for."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from llmbench.catalog.architectures import all_architectures, architecture
from llmbench.catalog.dtypes import USUAL_DTYPES, dtype_facts
from llmbench.catalog.gpu_offers import GpuOffer, Purchase, cheapest_offer
from llmbench.catalog.gpus import MACHINE_SIZES, gpu_facts
from llmbench.economics.hosting import HostingOption
from llmbench.economics.memory import memory_fit
from llmbench.economics.objective import Objective, throughput_within
from llmbench.economics.queueing import waiting
from llmbench.economics.throughput import throughput
from llmbench.economics.workload import Workload
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration

__all__ = ["hosting_options"]

_WORKS = ("fits", "starved")
_LATE = 0.05
"""Share of the messages that may begin later than the objective: it is one for the 95th percentile."""


class _Point(NamedTuple):
    """Where a replica is run; times are 95th percentiles."""

    tokens_per_s: float
    low: float
    high: float
    ttft_ms: float | None
    tpot_ms: float | None
    in_flight: float | None
    extrapolated: bool


def hosting_options(
    models: Sequence[str],
    load: Workload,
    offers: Iterable[GpuOffer],
    *,
    gpus: Sequence[str] = (),
    dtypes: Sequence[str] = USUAL_DTYPES,
    engine: str = "vllm",
    objective: Objective | None = None,
    purchase: Purchase = "on-demand",
    calibrations: Mapping[str, Calibration] | None = None,
) -> list[HostingOption]:
    """For each model, number format and GPU the smallest number of GPUs that holds it and, where that one has
    little room, the next; those that do not work are there with the reason.

    What is named twice, under two spellings or one, is looked at once. `gpus` empty: all that are offered.
    The rate is the most that a replica gives within the objective.
    `calibrations`: of GPUs that were measured by oneself, from `adapted`; the others keep the committed one.

    Raises UsageError for an unknown GPU, model or engine, and where nobody offers a GPU so.
    """
    known = list(offers)
    sold = sorted({offer.gpu for offer in known if offer.price(purchase) is not None})
    if not sold:
        raise UsageError(f"No GPU is offered {purchase}; choose another way to buy.")
    names = list(dict.fromkeys(gpu_facts(gpu).name for gpu in gpus)) or sold
    formats = list(dict.fromkeys(dtype_facts(dtype).name for dtype in dtypes))
    own = {gpu_facts(gpu).name: fitted for gpu, fitted in (calibrations or {}).items()}
    found = []
    for model in dict.fromkeys(architecture(each).name for each in models):
        _check_context(model, load)
        for gpu in names:
            for dtype in formats:
                found += _sizes(
                    model, gpu, dtype, load, known, engine, objective or Objective(), purchase, own
                )
    return found


def _check_context(model: str, load: Workload) -> None:
    """Refuse messages that the model cannot read, naming one that can."""
    length = load.input_tokens + load.output_tokens
    shapes = all_architectures()
    if length <= shapes[model].context:
        return
    longer = sorted(
        (abs(math.log(shape.parameters / shapes[model].parameters)), name, shape.context)
        for name, shape in shapes.items()
        if shape.context >= length
    )
    nearest = (
        f"{longer[0][1]}, of about its size, reads {longer[0][2]:,}"
        if longer
        else "no open model of the catalog reads so many"
    )
    raise UsageError(
        f"{model} reads at most {shapes[model].context:,} tokens, input and output together, and a "
        f"message has {length:,.0f}; {nearest}."
    )


def _sizes(
    model: str,
    gpu: str,
    dtype: str,
    load: Workload,
    offers: Sequence[GpuOffer],
    engine: str,
    objective: Objective,
    purchase: Purchase,
    own: Mapping[str, Calibration],
) -> list[HostingOption]:
    fitted = own.get(gpu)
    found: list[HostingOption] = []
    for n_gpu in MACHINE_SIZES:
        bought = cheapest_offer(offers, gpu, n_gpu, purchase)
        if bought is None:
            continue
        offer, usd = bought
        fit = memory_fit(
            model,
            gpu,
            n_gpu,
            dtype,
            input_tokens=load.input_tokens,
            output_tokens=load.output_tokens,
            engine=engine,
        )
        state = fit.state
        point = (
            _point(model, gpu, n_gpu, dtype, load, engine, objective, fitted) if state in _WORKS else _NONE
        )
        if state not in _WORKS and n_gpu != MACHINE_SIZES[-1]:
            continue
        found.append(
            HostingOption(
                gpu=gpu,
                n_gpu=n_gpu,
                model=model,
                dtype=dtype,
                usd_per_hour=usd,
                output_tokens_per_s=point.tokens_per_s,
                low=point.low,
                high=point.high,
                extrapolated=point.extrapolated,
                fits=state,
                engine=engine,
                purchase=purchase,
                offer=offer.name,
                price_as_of=offer.as_of,
                price_source=offer.source,
                ttft_ms=point.ttft_ms,
                tpot_ms=point.tpot_ms,
                in_flight=point.in_flight,
                queue_limit=_queue_limit(point, load, objective),
                input_share=_input_share(model, gpu, n_gpu, dtype, load, engine, point, fitted),
            )
        )
        if state == "fits" and point.tokens_per_s:
            break
    if not found and cheapest_offer(offers, gpu, MACHINE_SIZES[0], purchase) is None:
        raise UsageError(_not_offered(gpu, offers, purchase))
    return found


_NONE = _Point(0.0, 0.0, 0.0, None, None, None, False)


def _point(
    model: str,
    gpu: str,
    n_gpu: int,
    dtype: str,
    load: Workload,
    engine: str,
    objective: Objective,
    fitted: Calibration | None,
) -> _Point:
    """The most tokens within the objective; without one, saturated. 0 where none is within, with the times
    of requests that are alone.
    """
    where = (model, gpu, n_gpu, dtype, engine, load.input_tokens, load.output_tokens)
    if objective.ttft_ms is None and objective.tpot_ms is None:
        found = throughput(*where, calibration=fitted)
    else:
        alone = throughput(*where, concurrency=1, calibration=fitted)
        if not objective.met(alone.ttft_p95_ms, alone.tpot_p95_ms):
            return _NONE._replace(ttft_ms=alone.ttft_p95_ms, tpot_ms=alone.tpot_p95_ms)
        found = throughput_within(
            *where, ttft_ms=objective.ttft_ms, tpot_ms=objective.tpot_ms, calibration=fitted
        )
    return _Point(
        found.output_tokens_per_s,
        found.interval.low,
        found.interval.high,
        found.ttft_p95_ms,
        found.tpot_p95_ms,
        found.concurrency,
        found.extrapolated,
    )


def _queue_limit(point: _Point, load: Workload, objective: Objective) -> float:
    """How full one replica may be for at most 5% of the messages to begin later than the objective.

    Erlang C for its places, alone: replicas behind one balancer share a queue and do a little better. What
    is left for the wait is the objective less the 95th percentile of a request that did not wait.
    """
    if objective.ttft_ms is None or point.in_flight is None or point.ttft_ms is None:
        return 1.0
    places = int(point.in_flight)
    service_s = places * load.output_tokens / point.tokens_per_s
    patience_s = (objective.ttft_ms - point.ttft_ms) / 1000
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        late = waiting(places, middle * places, service_s).beyond(patience_s)
        low, high = (middle, high) if late <= _LATE else (low, middle)
    return low


def _input_share(
    model: str,
    gpu: str,
    n_gpu: int,
    dtype: str,
    load: Workload,
    engine: str,
    point: _Point,
    fitted: Calibration | None,
) -> float:
    """By how much of a percent a message takes longer for each percent of longer input."""
    if not point.tokens_per_s or not load.input_tokens:
        return 0.0
    longer = throughput(
        model,
        gpu,
        n_gpu,
        dtype,
        engine,
        1.2 * load.input_tokens,
        load.output_tokens,
        concurrency=None if point.in_flight is None else int(point.in_flight),
        calibration=fitted,
    )
    return min(1.0, max(0.0, (point.tokens_per_s / longer.output_tokens_per_s - 1) / 0.2))


def _not_offered(gpu: str, offers: Sequence[GpuOffer], purchase: Purchase) -> str:
    sold = sorted({offer.gpu for offer in offers if offer.price(purchase) is not None})
    return f"Nobody offers the GPU {gpu} {purchase} in the prices at hand; there are {', '.join(sold)}."
