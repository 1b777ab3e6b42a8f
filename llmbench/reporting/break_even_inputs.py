"""The notebook `break_even` before its tables: from its parameters, and the files they name, to a study."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from llmbench.catalog import canonical_name
from llmbench.catalog.architectures import architecture
from llmbench.catalog.gpu_offers import GpuOffer, Purchase, age_days, gpu_offers
from llmbench.economics import (
    BreakEvenStudy,
    HostingCosts,
    MeasuredWorkload,
    Money,
    Workload,
    api_lines,
    token_prices,
    week_profile,
)
from llmbench.economics.objective import Objective
from llmbench.economics.options import hosting_options
from llmbench.errors import UsageError
from llmbench.reporting.break_even_accepted import accepted_shares
from llmbench.reporting.break_even_bench import read_bench
from llmbench.reporting.break_even_checks import check_sizes, discounts_in, uncertainty_in
from llmbench.reporting.break_even_log import LEDGER, read_log
from llmbench.reporting.envelope import input_file
from llmbench.results import InputFile

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration

__all__ = ["LATENCY_CLASSES", "Question", "ask", "input_files", "stale_prices"]

_STALE_DAYS = 90
_DOCUMENT = (100_000, 500, 200)
"""Messages a month, tokens read and written of one, as the source document has them."""
_PURCHASES = get_args(Purchase)
LATENCY_CLASSES = ("interactive", "batch")


@dataclass(frozen=True)
class Question:
    """What the notebook was asked, with what was read for it."""

    study: BreakEvenStudy
    offers: tuple[GpuOffer, ...]
    measured: MeasuredWorkload | None
    """Where the workload comes from a log or the ledger."""
    accepted: Mapping[str, float]
    """Share of good answers by model, of a matrix result or as given."""
    today: date
    objective: Objective
    unpriced: tuple[str, ...] = ()
    """Of the APIs to compare with: those whose price the book does not have."""
    files: Mapping[str, int | None] = field(default_factory=dict)
    """What was read, relative to the root, with its rows where they are known."""
    calibrations: Mapping[str, Calibration] = field(default_factory=dict)
    """Of GPUs that were measured by oneself, by the catalog's name."""

    @property
    def of_document(self) -> bool:
        """Whether the workload is the source document's, of which its claims are: what a reader of another
        one has no use for on the first screen.
        """
        load = self.study.load
        asked = (load.messages_per_month, load.input_tokens, load.output_tokens)
        return self.measured is None and asked == _DOCUMENT


def ask(parameters: Mapping[str, Any], root: Path, today: date | None = None) -> Question:
    """The study that the notebook's parameters describe.

    Paths are relative to `root`; 0 and "" mean "not given", because a parameter cannot be None. Raises
    UsageError with a clear sentence, and the nearest thing that works where there is one.
    """
    p, day = parameters, today or datetime.now(UTC).date()
    check_sizes(p)
    load, measured = _workload(p, root)
    costs = HostingCosts(
        month_hours=p["month_hours"],
        spare_replicas=p["spare_replicas"],
        utilisation_limit=p["utilisation_limit"],
        operations_hours=p["operations_hours"],
        operations_usd_per_hour=p["operations_usd_per_hour"],
        storage_usd=p["storage_usd"],
        egress_usd_per_message=p["egress_usd_per_message"],
        fallback_share=p["fallback_share"],
    )
    if load.output_tokens < 1:
        raise UsageError(
            f"output_tokens is {load.output_tokens:g}: what a GPU carries is told in tokens it "
            f"writes; give at least 1."
        )
    model = _hosted(p["model"])
    names = [canonical_name(name) or name for name in p["against"]]
    fallback = canonical_name(p["fallback_model"]) or p["fallback_model"] or None
    lines = api_lines(load, price_book=p["price_book"], discounts=None)
    wanted = _compared(model, names, fallback, lines, p)
    every = list(dict.fromkeys((*(line.model for line in lines), *wanted)))
    terms = discounts_in(p, every)
    lines = api_lines(load, every, price_book=p["price_book"], discounts=terms)
    offers = _offers(p, root, day)
    measured_by_us, bench_files = read_bench(p, root)
    options = hosting_options(
        [model, *(_hosted(each) for each in p["also_host"])],
        load,
        offers,
        gpus=p["gpus"],
        dtypes=p["dtypes"] or ("fp16", "fp8", "awq-int4"),
        engine=p["engine"],
        objective=_objective(p, load),
        purchase=_purchase(p["purchase"]),
        calibrations=measured_by_us,
    )
    accepted, more = accepted_shares(p, root)
    study = BreakEvenStudy(
        model=model,
        load=load,
        costs=costs,
        options=tuple(options),
        lines=lines,
        prices=token_prices(
            load,
            wanted,
            price_book=p["price_book"],
            discounts={name: share for name, share in terms.items() if name in wanted},
        ),
        against=tuple(name for name in names if lines[name].usd_per_message is not None),
        baseline=_baseline(model, names, lines, p),
        money=Money(
            p["migration_usd"],
            p["horizon_months"],
            p["discount_per_year"],
            p["api_fall_per_year"],
            p["gpu_fall_per_year"],
        ),
        uncertainty=uncertainty_in(p),
        fallback=fallback if costs.fallback_share else None,
        draws=p["draws"],
        seed=p["seed"],
    )
    unpriced = tuple(name for name in names if lines[name].usd_per_message is None)
    log = {p["log"]: measured.messages} if measured is not None and p["log"] != LEDGER else {}
    loaded = (p["loadtest"],) if p["loadtest"] else ()
    return Question(
        study,
        offers,
        measured,
        accepted,
        day,
        _objective(p, load),
        unpriced,
        log | dict.fromkeys((*more, *loaded, *bench_files)),
        measured_by_us,
    )


def _workload(p: Mapping[str, Any], root: Path) -> tuple[Workload, MeasuredWorkload | None]:
    waiting = _batch_share(p)
    if not p["log"]:
        load = Workload(
            p["messages_per_month"],
            p["input_tokens"],
            p["output_tokens"],
            batch_share=waiting,
            prefix_tokens=p["prefix_tokens"],
            profile=week_profile(p["peak_to_mean"]),
            growth_per_month=p["growth_per_month"],
        )
        return load, None
    measured = read_log(p["log"], p["log_columns"], root)
    found = measured.workload
    load = Workload(
        found.messages_per_month,
        found.input_tokens,
        found.output_tokens,
        cached_share=0.0 if p["prefix_tokens"] else found.cached_share,
        batch_share=waiting,
        prefix_tokens=p["prefix_tokens"],
        profile=found.profile or week_profile(p["peak_to_mean"]),
        growth_per_month=p["growth_per_month"],
    )
    return load, measured


def _batch_share(p: Mapping[str, Any]) -> float:
    if p["latency_class"] not in LATENCY_CLASSES:
        raise UsageError(
            f"Parameter 'latency_class' is interactive (somebody waits) or batch (it may take a day), not "
            f"{p['latency_class']!r}."
        )
    return 1.0 if p["latency_class"] == "batch" else float(p["batch_share"])


def _objective(p: Mapping[str, Any], load: Workload) -> Objective:
    if load.batch_share == 1.0:
        return Objective(None, None)
    return Objective(p["ttft_ms"] or None, p["tpot_ms"] or None)


def _purchase(word: str) -> Purchase:
    if word not in _PURCHASES:
        raise UsageError(f"Parameter 'purchase' is one of {', '.join(_PURCHASES)}, not {word!r}.")
    return cast("Purchase", word)


def _hosted(name: str) -> str:
    """An open model whose shape is known. Raises UsageError naming those nearest."""
    return architecture(canonical_name(name) or name).name


def _compared(
    model: str, names: Sequence[str], fallback: str | None, lines: Any, p: Mapping[str, Any]
) -> list[str]:
    """The models whose prices are needed; unknown ones are refused by the catalog."""
    if not names:
        raise UsageError("Parameter 'against' is empty; name at least one model, as in gpt-4o-mini.")
    given = [*names, *([p["baseline"]] if p["baseline"] else []), *([fallback] if fallback else [])]
    have = {line.model for line in lines.priced()}
    return list(dict.fromkeys([*given, *([model] if model in have else [])]))


def _baseline(model: str, names: Sequence[str], lines: Any, p: Mapping[str, Any]) -> str:
    """The same model at its vendor, which answers alike; else the cheapest of those compared."""
    if p["baseline"]:
        return canonical_name(p["baseline"]) or str(p["baseline"])
    priced = {line.model: line.usd_per_month for line in lines.priced()}
    if model in priced:
        return model
    known = [name for name in names if name in priced]
    if not known:
        raise UsageError(
            f"None of {', '.join(names)} has a price in the book {p['price_book']}; name another model or "
            "book."
        )
    return min(known, key=lambda name: priced[name])


def _offers(p: Mapping[str, Any], root: Path, today: date) -> tuple[GpuOffer, ...]:
    """The prices at hand, with those of the parameter on top, which are of `today`."""
    given: Mapping[str, Any] = p["gpu_prices"]
    offers = gpu_offers(root)
    own = []
    for gpu, usd in given.items():
        if isinstance(usd, bool) or not isinstance(usd, int | float) or not usd > 0:
            raise UsageError(
                f"Parameter 'gpu_prices' holds {usd!r} for {gpu}; it must be USD an hour, above 0, of one "
                "GPU."
            )
        prices = dict.fromkeys(("usd_per_hour", "spot_usd_per_hour", "reserved_usd_per_hour"), float(usd))
        own.append(GpuOffer(gpu, 1, "yours", gpu, str(today), "parameter gpu_prices", **prices))  # type: ignore[arg-type]
    return (*own, *(offer for offer in offers if offer.gpu not in given))


def stale_prices(question: Question) -> list[str]:
    """What is priced at more than 90 days of age, as sentences."""
    used = {(str(o.price_as_of), o.gpu) for o in question.study.options if o.works and o.price_as_of}
    old = sorted(each for each in used if age_days(each[0], question.today) > _STALE_DAYS)
    notes = []
    if old:
        notes.append(
            f"{len(old)} of {len(used)} GPU prices are older than {_STALE_DAYS} days, the oldest of "
            f"{old[0][0]} ({old[0][1]}): llmbench prices refresh fetches today's."
        )
    book = question.study.lines
    tokens = sorted({line.price_as_of for line in book.priced() if line.price_as_of})
    if tokens and age_days(tokens[0], question.today) > _STALE_DAYS:
        notes.append(f"Token prices of the book {book.price_book} are of {tokens[0]}.")
    return notes


def input_files(question: Question, root: Path) -> list[InputFile]:
    """What was read, with hashes: for `Report.finish`."""
    return [input_file(root, path, rows) for path, rows in question.files.items()]
