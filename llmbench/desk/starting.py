"""What a form starts from: the parameters of the newest run or of a file, as far as the notebook takes them.

Nothing here needs ipywidgets.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.desk.fields import Field, as_typed
from llmbench.errors import UsageError
from llmbench.reporting.envelope import to_json
from llmbench.reporting.parameters import read_parameter_file
from llmbench.reporting.scrub import Scrubber, absolute_paths
from llmbench.reporting.text import texts_of
from llmbench.reporting.wording import clip, counted, minute
from llmbench.results import ResultEnvelope

__all__ = ["Start", "from_file", "from_run", "other_parameters"]

_MOST_NAMED = 5
"""Parameters that one sentence names."""


class Start(NamedTuple):
    """What a form is filled with."""

    typed: dict[str, str | bool]
    """As it is typed, by name; what is not here stays as the notebook has it."""
    said: str
    """How many were taken from where, in a sentence."""
    left_out: tuple[str, ...] = ()
    """What was not taken and why, a sentence each."""


def from_run(fields: Sequence[Field], run: ResultEnvelope, root: Path) -> Start:
    """The parameters of `run`; what the notebook no longer has or takes, and lost paths, are left out.

    A report keeps no absolute path, only its last part: a text of that kind that names an input which is not
    in the project under `root` would be another file, or none.
    """
    names = {Path(each.path).name for each in run.inputs}
    kept, lost = {}, []
    for name, value in run.parameters.items():
        gone = next((text for text in texts_of(value) if text in names and not (root / text).exists()), None)
        if gone is None:
            kept[name] = value
        else:
            lost.append(
                f"Parameter {name!r} named the file {gone!r}, whose folder the report does not keep; "
                "type its path."
            )
    new = [field.parameter.name for field in fields if field.parameter.name not in run.parameters]
    if new:
        lost.append(f"That run had no {_listed(new)}: as the notebook has it.")
    return _start(fields, kept, f"the newest run, of {minute(run.generated_at)}", lost)


def from_file(fields: Sequence[Field], path: str, root: Path) -> Start:
    """The parameters of a YAML or JSON file, as `llmbench report -f` reads it; relative to `root`.

    Raises UsageError for a file that cannot be read.
    """
    if not path.strip():
        raise UsageError("No file is named; type the path of a YAML file of parameters.")
    try:
        file = root / Path(path.strip()).expanduser()
    except RuntimeError as error:
        raise UsageError(f"The parameter file {path} cannot be found: {error}") from error
    return _start(fields, read_parameter_file(file), f"the file {file.name}", [])


def other_parameters(
    fields: Sequence[Field], typed: Mapping[str, str | bool], run: ResultEnvelope, root: Path
) -> str:
    """That `run` was made with other parameters than are typed, and which, in a sentence, or ""."""
    if fields and not run.parameters:
        return "This result does not say with which parameters it was made."
    names = [name for name in run.parameters if name not in typed]
    said = [f"{name} (the notebook no longer has it)" for name in names]
    said += list(_differing(fields, typed, run.parameters, root))
    if not said:
        return ""
    return f"This result was made with other parameters than the form shows: {_listed(said)}."


def _differing(
    fields: Sequence[Field], typed: Mapping[str, str | bool], made_with: Mapping[str, Any], root: Path
) -> Iterator[str]:
    for field in fields:
        name = field.parameter.name
        if name not in made_with:
            yield f"{name} (the run had none)"
            continue
        try:
            value = field.read(typed[name])
        except UsageError:
            yield f"{name} ({_shown(made_with[name])} there)"
            continue
        # A report has lost the paths of its machine; the same run would lose these.
        if value != made_with[name] and _as_kept(value, root) != made_with[name]:
            yield f"{name} ({_shown(made_with[name])} there, {_shown(value)} here)"


def _as_kept(value: Any, root: Path) -> Any:
    plain = to_json(value)
    return Scrubber(root, names=absolute_paths(plain)).value(plain)


def _start(fields: Sequence[Field], given: Mapping[str, Any], source: str, lost: Sequence[str]) -> Start:
    by_name = {field.parameter.name: field for field in fields}
    typed: dict[str, str | bool] = {}
    unknown = [repr(name) for name in given if name not in by_name]
    left_out = [f"The notebook has no parameter {_listed(unknown)}."] if unknown else []
    for name, field in by_name.items():
        if name in given:
            try:
                typed[name] = field.shown(given[name])
            except UsageError as error:
                left_out.append(str(error))
    said = f"Filled in from {source}: {counted(len(typed), 'parameter')}."
    return Start(typed, said, (*left_out, *lost))


def _listed(texts: Sequence[str]) -> str:
    more = len(texts) - _MOST_NAMED
    return ", ".join(texts[:_MOST_NAMED]) + (f" and {more:,} more" if more > 0 else "")


def _shown(value: Any) -> str:
    typed = as_typed(value)
    return str(typed).lower() if isinstance(typed, bool) else clip(typed) or '""'
