"""Which calls a matrix means: cells x items x repeats, in one fixed order, one at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from llmbench.errors import UsageError
from llmbench.matrix.checks import whole_number
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.prompts import Prompt
from llmbench.matrix.recorded import RecordedModel
from llmbench.matrix.text import nearest
from llmbench.result_data import cell_label
from llmbench.types import TIERED_OPTIONS, Message

__all__ = ["Cell", "Plan", "PlannedCall", "baseline_of", "make_plan", "params_sets"]


class Template(Protocol):
    """Writes the messages of a call."""

    @property
    def name(self) -> str:
        """What it is called in messages."""

    @property
    def text(self) -> str:
        """As it was given."""

    def messages(self, item: Item) -> list[Message]:
        """The messages for `item`."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One model under one prompt with one set of parameters. A recorded model is a cell of its
    own: its prompt is "recorded" and it has no endpoint.
    """

    label: str
    """`model[prompt]`, and `{params}` after it where the matrix has several sets of them."""
    model: str
    """As it was named: endpoint/model, or a recorded model's name."""
    prompt: str
    params: str
    endpoint: str | None = None
    asked_model: str | None = None
    template: Template | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    """Parameters sent with each call."""
    repeats: int = 1
    recorded: RecordedModel | None = None


class PlannedCall(NamedTuple):
    """One draw of one cell's answer to one item."""

    cell: Cell
    item: Item
    repeat: int
    """From 0."""
    place: int
    """Position among the calls of its cell, from 0: item by item, each with its repeats."""


@dataclass(frozen=True, slots=True)
class Plan:
    """All cells of a matrix over one data set."""

    dataset: Dataset
    cells: tuple[Cell, ...]

    def calls(self, cell: Cell) -> Iterator[PlannedCall]:
        """The calls of `cell`, item by item in the order of the file. Nothing is kept: a million
        planned calls need no memory.
        """
        for number, item in enumerate(self.dataset.rows):
            for repeat in range(cell.repeats):
                yield PlannedCall(cell, item, repeat, number * cell.repeats + repeat)

    def size(self, cell: Cell) -> int:
        """Number of calls of `cell`."""
        return len(self.dataset) * cell.repeats

    def __len__(self) -> int:
        return sum(self.size(cell) for cell in self.cells)


def make_plan(
    dataset: Dataset,
    models: Sequence[str | RecordedModel],
    prompts: Sequence[Prompt],
    params: Mapping[str, Mapping[str, Any]],
    repeats: int | None,
) -> Plan:
    """Cells in the order of models, then prompts, then params.

    `repeats` None is 1 at temperature 0 and 3 otherwise: a model whose answers vary has to be
    asked more than once, and a temperature that is not given is the vendor's, never 0.
    Raises UsageError for models and labels that cannot be told apart.
    """
    # Imported here: the registry is not needed to grade a file of recorded answers.
    from llmbench.providers.registry import split_model_id

    if isinstance(models, str | RecordedModel) or not models:
        raise UsageError('models must be a list such as ["local/smollm2-135m"], and must not be empty.')
    if repeats is not None:
        whole_number("repeats", repeats)
    cells: list[Cell] = []
    for model in models:
        if isinstance(model, RecordedModel):
            model.check(dataset)
            cells.append(Cell(model.label, model.name, "recorded", "", recorded=model))
            continue
        if any(mark in model for mark in "[]{}"):
            raise UsageError(f"A model is a text endpoint/model or a RecordedModel; got {model!r}.")
        if "/" not in model and model in dataset.columns:
            entry = f'[{{"name": "{model}", "answer_column": "{model}"}}]'
            raise UsageError(
                f"{model!r} is a column of {dataset.path.name} and no endpoint/model to call; past answers "
                f"in a column are a RecordedModel, in a report -p recorded_models '{entry}' (and models '[]' "
                "where none is called)."
            )
        endpoint, asked = split_model_id(model)
        for prompt in prompts:
            for name, options in params.items():
                label = cell_label(model, prompt.name, name if len(params) > 1 else None)
                draws = repeats or (1 if options.get("temperature") == 0 else 3)
                cells.append(Cell(label, model, prompt.name, name, endpoint, asked, prompt, options, draws))
    labels = [cell.label for cell in cells]
    twice = sorted({label for label in labels if labels.count(label) > 1})
    if twice:
        raise UsageError(f"models names {', '.join(twice)} more than once; name each only once.")
    return Plan(dataset, tuple(cells))


def params_sets(
    given: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None,
) -> dict[str, Mapping[str, Any]]:
    """Named sets of parameters: one mapping of parameters, a list of them (named by what differs),
    or a mapping of names to them. None is {"temperature": 0}. Raises UsageError.

    >>> list(params_sets([{"temperature": 0, "max_tokens": 9}, {"temperature": 1, "max_tokens": 9}]))
    ['temperature=0', 'temperature=1']
    """
    if given is None:
        return {"": {"temperature": 0}}
    if isinstance(given, Mapping):
        named = (
            bool(given)
            and not set(given) & TIERED_OPTIONS
            and all(isinstance(v, Mapping) for v in given.values())
        )
        if not named:
            return {"": _checked_params(given)}
        sets = {str(name): _checked_params(options) for name, options in given.items()}
    elif not given:
        raise UsageError(f"params must be a mapping, or a list or mapping of several; it is {given!r:.80}.")
    else:
        checked = [_checked_params(options) for options in given]
        if len(checked) == 1:
            return {"": checked[0]}
        sets = {}
        for options in checked:
            name = _difference(options, checked)
            if name in sets:
                raise UsageError(f"params holds {dict(options)} more than once; give each set once.")
            sets[name] = options
    for name in sets:
        if any(mark in name for mark in "[]{}") and isinstance(given, Mapping):
            raise UsageError(f"A set of params cannot be named {name!r}; use a word without brackets.")
    return sets


def _checked_params(options: Any) -> Mapping[str, Any]:
    if not isinstance(options, Mapping) or not all(isinstance(key, str) for key in options):
        raise UsageError(f'A set of params is a mapping such as {{"temperature": 0}}; got {options!r:.80}.')
    reserved = {"messages", "model", "repeat", "run_id", "deadline_s"} & set(options)
    if reserved:
        raise UsageError(f"params must not hold {', '.join(sorted(reserved))}; the matrix sets it itself.")
    return {key: value for key, value in options.items() if value is not None}


def _difference(options: Mapping[str, Any], all_options: Sequence[Mapping[str, Any]]) -> str:
    keys = dict.fromkeys(key for other in all_options for key in other)
    differing = [key for key in keys if any(other.get(key) != options.get(key) for other in all_options)]
    return ",".join(f"{key}={options.get(key, 'unset')}" for key in differing)


def baseline_of(plan: Plan, given: str | None) -> Cell:
    """The cell meant by `given`: a label, or a model with only one cell. None is the first
    recorded model, else the first cell. Raises UsageError where it is none, or several.
    """
    if given is None:
        return next((cell for cell in plan.cells if cell.recorded is not None), plan.cells[0])
    matches = [cell for cell in plan.cells if given in {cell.label, cell.model}]
    exact = [cell for cell in matches if cell.label == given]
    if len(exact or matches) == 1:
        return (exact or matches)[0]
    labels = [cell.label for cell in plan.cells]
    if matches:
        several = ", ".join(cell.label for cell in matches)
        raise UsageError(f"baseline {given!r} has several cells; name one of {several}.")
    raise UsageError(
        f"baseline {given!r} is no cell of this matrix; name one of {', '.join(labels)}."
        f"{nearest(given, labels)}"
    )
