"""The parameters of a notebook: declared in one tagged cell, checked before anything runs.

papermill only warns about a name that it does not know, and then runs the notebook with the
defaults; here such a name is an error, raised before a kernel starts.
"""

from __future__ import annotations

import ast
import datetime as dt
import difflib
import itertools
import json
import math
import os
import re
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from llmbench.errors import ReportError, UsageError
from llmbench.numbers import finite
from llmbench.reporting.notebook_file import read_notebook
from llmbench.reporting.secrets import environment_secrets
from llmbench.reporting.text import texts_of

__all__ = ["Parameter", "check_parameters", "lint_parameters", "read_parameter_file", "read_parameters"]

_TYPES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool, "list": list, "dict": dict}
_EXAMPLES = {
    "str": "text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": 'a list as JSON, such as ["a", "b"], or one word',
    "dict": 'a dict as JSON, such as {"name": "value"}',
}
_SECRET_WORDS = {"key", "apikey", "token", "secret", "password", "passwd"}
_MOST_PLACES = 100_000
"""Values that a parameter file may hold, aliases unfolded."""
_INTEGER = re.compile(r"[+-]?\d+")
_DRESSED = re.compile(
    r"[$€]?\s*(?P<whole>\d{1,3}(?:,\d{3})+|\d+)(?P<part>\.\d+|,\d{1,2})?\s*(?P<percent>%)?\s*[$€]?"
)
"""A number as people write it: $20, 1,234.50, 0,03, 12%."""
_BARE_WORD = re.compile(r"[^\s,\[\]{}\"']+")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One line `name: type = default  # help` of the cell tagged `parameters`."""

    name: str
    type: str
    """One of str, int, float, bool, list, dict."""
    default: Any
    help: str


def read_parameters(notebook: str | Path) -> tuple[Parameter, ...]:
    """The parameters that `notebook` declares, in order.

    Raises ReportError naming the notebook and the line when the cell is not as it must be.
    """
    parameters, complaints = _inspect(Path(notebook))
    if complaints:
        raise ReportError(complaints[0])
    return parameters


def lint_parameters(notebook: str | Path) -> list[str]:
    """Everything that is wrong with the cell tagged `parameters`, a sentence each; [] if nothing.

    The cell is also read the way papermill reads it: a line that its pattern cannot parse would
    be a parameter that can be given and is never used.
    """
    path = Path(notebook)
    parameters, complaints = _inspect(path)
    for parameter in parameters:
        if not parameter.help:
            complaints.append(f"{path.name}: parameter {parameter.name!r} has no `# help` on its line.")
    if not complaints:
        seen = _seen_by_papermill(path)
        complaints += [
            f"{path.name}: papermill cannot read the line of parameter {parameter.name!r}; write it simpler."
            for parameter in parameters
            if seen.get(parameter.name) != parameter.type
        ]
    return complaints


def check_parameters(
    declared: Sequence[Parameter], given: Mapping[str, Any], *, where: str = "The notebook"
) -> dict[str, Any]:
    """The values `given`, as the types that were `declared`; nothing is added.

    A string given for a parameter of another type, as the command line does, is read as that
    type: `"16"` for int, `"true"` for bool, JSON for list and dict; one bare word is a list of it.

    Raises UsageError naming the parameter, what it takes and what was given; for an unknown name
    the nearest and all allowed ones; for a value that is a secret of the environment its variable.

    >>> limit = Parameter("limit", "int", 0, "items to run; 0: all")
    >>> check_parameters([limit], {"limit": "16"})
    {'limit': 16}
    >>> check_parameters([limit], {"limt": 16})
    Traceback (most recent call last):
        ...
    llmbench.errors.UsageError: The notebook has no parameter 'limt': did you mean 'limit'? It takes: limit.
    """
    by_name = {parameter.name: parameter for parameter in declared}
    checked: dict[str, Any] = {}
    for name, value in given.items():
        if name not in by_name:
            near = difflib.get_close_matches(name, by_name, n=1, cutoff=0.5)
            hint = f": did you mean {near[0]!r}?" if near else "."
            takes = ", ".join(by_name) if by_name else "none"
            raise UsageError(f"{where} has no parameter {name!r}{hint} It takes: {takes}.")
        checked[name] = _coerce(by_name[name], value)
        _refuse_secret(name, checked[name])
    return checked


def read_parameter_file(path: str | Path) -> dict[str, Any]:
    """Parameters of a run, from a YAML (or JSON) file of `name: value` lines.

    Raises UsageError naming the file, and the line that cannot be read.
    """
    import yaml

    path = Path(path)
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise UsageError(f"The parameter file {path} cannot be read: {error.strerror}.") from error
    # AttributeError is what PyYAML makes of a date that is none.
    except (yaml.YAMLError, ValueError, AttributeError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f", line {mark.line + 1}," if mark else ""
        problem = getattr(error, "problem", None) or str(error)
        if isinstance(error, UnicodeDecodeError):
            problem = "it is not text in UTF-8"
        raise UsageError(f"The parameter file {path}{where} is not YAML: {problem}.") from error
    if values is None:
        return {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise UsageError(f"The parameter file {path} must hold one `name: value` a line.")
    places = itertools.count()
    try:
        return {name: _without_dates(value, places) for name, value in values.items()}
    except (OverflowError, RecursionError) as error:
        raise UsageError(
            f"The parameter file {path} has more than {_MOST_PLACES:,} values, or one within itself; "
            "write values out instead of *aliases."
        ) from error


def _without_dates(value: Any, places: Iterator[int]) -> Any:
    """YAML reads an unquoted 2025-01-23 as a date; no parameter has that type.

    Raises OverflowError for what a few lines of aliases unfold to.
    """
    if next(places) > _MOST_PLACES:
        raise OverflowError
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, list):
        return [_without_dates(item, places) for item in value]
    if isinstance(value, dict):
        return {_without_dates(key, places): _without_dates(item, places) for key, item in value.items()}
    return value


def _inspect(path: Path) -> tuple[tuple[Parameter, ...], list[str]]:
    cells = _tagged_cells(path)
    if len(cells) != 1:
        return (), [f"{path.name} has {len(cells)} cells tagged `parameters`; it must have exactly one."]
    source = cells[0]
    try:
        tree = ast.parse(source)
    except SyntaxError as error:
        return (), [f"{path.name}: line {error.lineno} of the parameters cell is not Python: {error.msg}."]
    except (ValueError, RecursionError) as error:  # a null byte, half a character, brackets without end
        return (), [f"{path.name}: the parameters cell is not Python: {error}."]
    helps = _comments(source)
    parameters: list[Parameter] = []
    complaints: list[str] = []
    for statement in tree.body:
        where = f"{path.name}: line {statement.lineno} of the parameters cell"
        parsed = _declaration(statement)
        if isinstance(parsed, str):
            complaints.append(f"{where} {parsed}.")
            continue
        name, type_name, default = parsed
        if name in {parameter.name for parameter in parameters}:
            complaints.append(f"{where} declares {name!r} a second time.")
        elif _looks_secret(name):
            complaints.append(
                f"{where} declares {name!r}, which looks like a secret; secrets come from the environment."
            )
        else:
            parameters.append(Parameter(name, type_name, default, helps.get(statement.lineno, "")))
    return tuple(parameters), complaints


def _declaration(statement: ast.stmt) -> tuple[str, str, Any] | str:
    """Name, type and default of one line, or what is wrong with it."""
    wanted = "is not `name: type = value  # help`"
    if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
        return wanted
    if statement.value is None or statement.lineno != statement.end_lineno:
        return wanted
    name = statement.target.id
    annotation = ast.unparse(statement.annotation)
    if annotation not in _TYPES:
        return f"gives {name!r} the type {annotation!r}; allowed are {', '.join(_TYPES)}"
    try:
        default = ast.literal_eval(statement.value)
    except ValueError:
        return f"gives {name!r} a default that is not a literal"
    if not _fits(annotation, default):
        return f"gives {name!r} of type {annotation} the default {default!r}"
    return name, annotation, float(default) if annotation == "float" else default


def _tagged_cells(path: Path) -> list[str]:
    try:
        notebook = json.loads(path.read_text(encoding="utf-8"))
        return [
            "".join(cell["source"])
            for cell in notebook["cells"]
            if cell["cell_type"] == "code" and "parameters" in cell.get("metadata", {}).get("tags", [])
        ]
    except OSError as error:
        raise ReportError(f"The notebook {path.name} cannot be read: {error.strerror}.") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ReportError(
            f"{path.name} is not a notebook of format 4; save it again from JupyterLab."
        ) from error


def _comments(source: str) -> dict[int, str]:
    """Line number -> the comment that ends it."""
    tokens = tokenize.generate_tokens(StringIO(source).readline)
    return {
        token.start[0]: token.string.lstrip("# ").strip()
        for token in tokens
        if token.type == tokenize.COMMENT
    }


def _seen_by_papermill(path: Path) -> dict[str, str]:
    from papermill.translators import PythonTranslator

    notebook = read_notebook(path)
    cell = next(c for c in notebook.cells if "parameters" in c.metadata.get("tags", []))
    return {parameter.name: parameter.inferred_type_name for parameter in PythonTranslator.inspect(cell)}


def _coerce(parameter: Parameter, value: Any) -> Any:
    read = _from_text(parameter.type, value) if isinstance(value, str) else value
    if parameter.type == "float" and isinstance(read, int) and not isinstance(read, bool):
        read = float(read)
    if not _fits(parameter.type, read):
        raise UsageError(
            f"Parameter {parameter.name!r} takes {_EXAMPLES[parameter.type]} ({parameter.type}), "
            f"not {value!r} ({type(value).__name__}){_meant(parameter.type, value)}."
        )
    return read


def _meant(type_name: str, value: Any) -> str:
    """How to write a number that was given as a percentage, as money or with separators; else nothing."""
    found = (
        _DRESSED.fullmatch(value.strip())
        if type_name in {"int", "float"} and isinstance(value, str)
        else None
    )
    if found is None:
        return ""
    number = float(found["whole"].replace(",", "") + (found["part"] or ".0").replace(",", "."))
    number = number / 100 if found["percent"] else number
    return f"; write {number:.12g}" if type_name == "float" or number.is_integer() else ""


def _from_text(type_name: str, text: str) -> Any:
    """`text` as a value of the type, or `text` itself when it is none."""
    stripped = text.strip()
    if type_name == "int":
        return int(stripped) if _INTEGER.fullmatch(stripped) else text
    if type_name == "bool":
        return {"true": True, "false": False}.get(stripped.lower(), text)
    if type_name == "float":
        try:
            return float(stripped)
        except ValueError:
            return text
    if type_name in {"list", "dict"}:
        try:
            return json.loads(stripped)
        except (ValueError, RecursionError):
            return [stripped] if type_name == "list" and _BARE_WORD.fullmatch(stripped) else text
    return text


def _fits(type_name: str, value: Any) -> bool:
    if type_name in {"int", "float"} and isinstance(value, bool):
        return False
    if type_name == "float":
        return finite(value) is not None
    return isinstance(value, _TYPES[type_name]) and _is_json(value)


def _is_json(value: Any) -> bool:
    """Whether papermill can write `value` into a cell and result.json can hold it."""
    if isinstance(value, list):
        return all(_is_json(item) for item in value)
    if isinstance(value, dict):
        return all(isinstance(key, str) and _is_json(item) for key, item in value.items())
    if isinstance(value, float):
        return math.isfinite(value)
    return value is None or isinstance(value, str | int | bool)


def _looks_secret(name: str) -> bool:
    """`api_key` and `password` are, `max_tokens` is not."""
    return any(word in _SECRET_WORDS for word in name.lower().split("_"))


def _refuse_secret(name: str, value: Any) -> None:
    secrets = environment_secrets(os.environ)
    for text in texts_of(value):
        for variable, secret in secrets.items():
            if secret in text:
                raise UsageError(
                    f"Parameter {name!r} holds the value of {variable}; leave it out: the provider reads it "
                    f"from the environment."
                )
