"""Two runs of a report side by side: what changed in the verdict, in what went in, and in the numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from llmbench.errors import UsageError
from llmbench.numbers import finite
from llmbench.reporting.folder import ReportFolder
from llmbench.reporting.wording import counted
from llmbench.result_files import read_envelope
from llmbench.results import ResultEnvelope
from llmbench.run_files import RESULT, RUNS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Change", "RunDifference", "compare_runs", "find_run"]

_NAMES = (
    "model", "prompt", "params", "baseline", "candidate", "control", "treatment", "arm", "cell", "option",
    "against", "gpu", "dtype", "n_gpu", "name", "id", "column", "segment", "look", "n_train", "seed",
    "category", "reason", "gate", "month",
)  # fmt: skip
"""Fields that say which row of a list a row is."""
_NAMES_ELSE = ("report", "stage")
"""The same, of a row that has none of those: a gate that moves to another stage is the same gate."""
_VOLATILE = {"seen_at", "generated_at"}


class Change(NamedTuple):
    """One thing that is not as it was; None: it was not there, or is not any more."""

    part: str
    """verdict, parameter, input, or number."""
    what: str
    before: Any
    after: Any

    @property
    def relative(self) -> float | None:
        """(after - before) / |before| of two numbers; None of anything else."""
        before, after = finite(self.before), finite(self.after)
        if before is None or after is None or not before:
            return None
        return (after - before) / abs(before)


class RunDifference(NamedTuple):
    """Everything that changed from one run to another, the verdict first."""

    before: ResultEnvelope
    after: ResultEnvelope
    changes: tuple[Change, ...]

    @property
    def verdict_changed(self) -> bool:
        """Whether the decision did."""
        return self.before.verdict.decision != self.after.verdict.decision

    def to_pandas(self) -> pd.DataFrame:
        """One row a change: part, what, before, after, relative."""
        import pandas as pd

        rows = [(*change, change.relative) for change in self.changes]
        return pd.DataFrame(rows, columns=["part", "what", "before", "after", "relative"])

    def line(self) -> str:
        """One line for a log or a message.

        Such as "break_even: NO_GO, as before; 3 numbers changed".
        """
        now, was = self.after.verdict.decision, self.before.verdict.decision
        decided = f"{now}, was {was}" if self.verdict_changed else f"{now}, as before"
        numbers = sum(change.part == "number" for change in self.changes)
        moved = f"{counted(numbers, 'number')} changed" if numbers else "no number changed"
        return f"{self.after.report}: {decided}; {moved}"


def find_run(name: str, out: Path) -> Path:
    """The folder of a run: a path, NOTEBOOK/RUN-ID, a run id alone, NOTEBOOK (its newest run), or NOTEBOOK~1
    (the one before it), under the folder `out` of reports.

    Raises UsageError with the runs that there are.
    """
    given = Path(name)
    if (given / RESULT).is_file():
        return given
    notebook, _, back = name.partition("~")
    if "/" in name and ".." not in given.parts:
        first, run = name.split("/", 1)
        if (out / first / RUNS / run / RESULT).is_file():
            return out / first / RUNS / run
    report = ReportFolder(out, notebook)
    runs = report.run_ids() if Path(notebook).name == notebook and notebook else []
    if runs and (not back or back.isdigit()):
        steps = int(back or 0)
        if steps < len(runs):
            return report.runs / runs[steps]
        raise UsageError(f"{notebook} has {len(runs)} runs, so there is none {steps} before the newest.")
    found = [path.parent for path in out.glob(f"*/{RUNS}/{notebook}/{RESULT}")] if notebook else []
    if len(found) == 1:
        return found[0]
    there = sorted({path.parents[2].name for path in out.glob(f"*/{RUNS}/*/{RESULT}")})
    raise UsageError(
        f"There is no run {name!r}; give a folder, NOTEBOOK/RUN-ID, NOTEBOOK for its newest run or "
        f"NOTEBOOK~1 for the one before. There are runs of {', '.join(there) or 'no notebook'}."
    )


def compare_runs(before: Path, after: Path) -> RunDifference:
    """What changed from the run in the folder `before` to that in `after`.

    Raises UsageError for runs of two notebooks, ReportError for a result that cannot be read.
    """
    old, new = read_envelope(before / RESULT), read_envelope(after / RESULT)
    if old.report != new.report:
        raise UsageError(
            f"{old.report} and {new.report} have no numbers in common; give two runs of one report."
        )
    changes = [
        *_changes("verdict", _verdict(old), _verdict(new)),
        *_changes("parameter", dict(old.parameters), dict(new.parameters)),
        *_changes("input", _inputs(old), _inputs(new)),
        *_changes("number", dict(_leaves(old.data)), dict(_leaves(new.data))),
    ]
    return RunDifference(old, new, tuple(changes))


def _verdict(envelope: ResultEnvelope) -> dict[str, Any]:
    return {"decision": str(envelope.verdict.decision), "summary": envelope.verdict.summary}


def _inputs(envelope: ResultEnvelope) -> dict[str, Any]:
    files = {item.path: item.sha256[:12] + _rows(item.rows) for item in envelope.inputs}
    told = {
        name: getattr(envelope, name)
        for name in (
            "price_book",
            "data_until",
            "llmbench_version",
            "workload_sha256",
            "baseline",
            "candidate",
        )
    }
    return {**files, **told}


def _rows(rows: int | None) -> str:
    return "" if rows is None else f", {counted(rows, 'row')}"


def _changes(part: str, before: Mapping[str, Any], after: Mapping[str, Any]) -> Iterator[Change]:
    for name in dict.fromkeys((*before, *after)):
        was, now = before.get(name), after.get(name)
        if was != now:
            yield Change(part, name, was, now)


def _leaves(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a result under a name that does not depend on the order of rows."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in _VOLATILE:
                yield from _leaves(inner, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value and all(isinstance(row, Mapping) for row in value):
        seen: dict[str, int] = {}
        for row in value:
            keys = [key for key in _NAMES if _says(row.get(key))]
            keys = keys or [key for key in _NAMES_ELSE if _says(row.get(key))][:1]
            name = ", ".join(str(row[key]) for key in keys)
            seen[name] = seen.get(name, 0) + 1
            label = name if seen[name] == 1 else f"{name} ({seen[name]})"
            rest = {key: inner for key, inner in row.items() if key not in keys}
            yield from _leaves(rest, f"{path}[{label}]")
    elif isinstance(value, list):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{path}[{place}]")
    else:
        yield path, value


def _says(value: Any) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool) and value != ""
