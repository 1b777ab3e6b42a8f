"""The numbers of a report that are followed from run to run, where it is not one of models.

Each has the unit in its name, and names what it depends on (the experiment, the volume), so that two runs
of different questions make two trends and not one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from llmbench.numbers import finite
from llmbench.result_data import part_of, rows_of
from llmbench.results import ResultEnvelope

__all__ = ["Measure", "measures_of", "new_data"]


class Measure(NamedTuple):
    """One number of one run."""

    of: str
    """An arm, an option, a policy."""
    what: str
    """The number and its unit."""
    value: float | None


def measures_of(result: ResultEnvelope) -> tuple[Measure, ...]:
    """The numbers of a result that are followed; none of a report that has none, or of odd data.

    ab_test: reply rate, messages and units of each arm, and the ratio of rates of each comparison.
    break_even: USD a month of the recommended option, and of the baseline by API with its price.
    routing: the saving of the recommended policy, and the APGR of each that has one.
    """
    read = _READERS.get(result.report)
    return tuple(read(result)) if read is not None else ()


def new_data(results: Iterable[ResultEnvelope]) -> list[bool]:
    """Of each result, oldest first, whether it is of data that no result before it had.

    Where a report tells until when its data go (ab_test, fine_tune), they are new when that is later than
    before, of the same experiment; of routing when the input files are others. The others count each time:
    what model_matrix made itself, `data.calls` says, and break_even reckons with the prices of the day.
    """
    latest: dict[str, datetime] = {}
    seen: set[tuple[Any, ...]] = set()
    found = []
    for result in results:
        until = _time(result.data_until) if result.report in {"ab_test", "fine_tune"} else None
        if until is not None:
            name = _experiment(result)
            found.append(name not in latest or until > latest[name])
            latest[name] = max(until, latest.get(name, until))
        elif result.report in {"ab_test", "fine_tune", "routing"}:
            inputs = (_experiment(result), *sorted(item.sha256 for item in result.inputs))
            found.append(inputs not in seen)
            seen.add(inputs)
        else:
            found.append(True)
    return found


def _ab_test(result: ResultEnvelope) -> Iterator[Measure]:
    start = f"{name}: " if (name := _experiment(result)) else ""
    for arm in rows_of(result.data, "arms"):
        if isinstance(arm.get("arm"), str):
            of = start + arm["arm"]
            yield Measure(of, "reply rate", finite(arm.get("rate")))
            yield Measure(of, "messages", finite(arm.get("messages")))
            yield Measure(of, "units", finite(arm.get("units")))
    for row in rows_of(result.data, "comparisons"):
        if isinstance(row.get("treatment"), str) and isinstance(row.get("control"), str):
            of = f"{start}{row['treatment']} over {row['control']}"
            yield Measure(of, "ratio of reply rates", finite(row.get("ratio")))


def _break_even(result: ResultEnvelope) -> Iterator[Measure]:
    volume = finite(part_of(result.data, "workload").get("messages_per_month"))
    at = f" at {volume:,.0f} messages a month" if volume is not None else ""
    for row in rows_of(result.data, "options"):
        if row.get("option") == result.candidate:
            yield Measure(f"the recommended option{at}", "USD a month", finite(row.get("usd_per_month")))
    for row in rows_of(result.data, "api"):
        if row.get("model") == result.baseline:
            of = f"{result.baseline} by API"
            yield Measure(of + at, "USD a month", finite(row.get("usd_per_month")))
            per_message = finite(row.get("usd_per_message"))
            price = None if per_message is None else 1000 * per_message
            yield Measure(of, "USD per 1,000 messages", price)


def _routing(result: ResultEnvelope) -> Iterator[Measure]:
    told = part_of(result.data, "recommended")
    if told:
        volume = finite(told.get("requests_per_month"))
        at = f" at {volume:,.0f} requests a month" if volume is not None else ""
        saving = finite(told.get("expected_saving_usd"))
        yield Measure(f"the recommended policy{at}", "saving, USD a month", saving)
    for row in rows_of(result.data, "policies"):
        if isinstance(row.get("name"), str) and (apgr := finite(row.get("apgr"))) is not None:
            yield Measure(row["name"], "APGR", apgr)


_READERS: Mapping[str, Callable[[ResultEnvelope], Iterator[Measure]]] = {
    "ab_test": _ab_test,
    "break_even": _break_even,
    "routing": _routing,
}


def _experiment(result: ResultEnvelope) -> str:
    name = result.parameters.get("experiment_id")
    return name if isinstance(name, str) else ""


def _time(text: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError:
        return None
    return time if time.tzinfo is not None else time.replace(tzinfo=UTC)
