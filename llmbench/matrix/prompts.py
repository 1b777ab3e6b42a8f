"""Prompt templates: Jinja2 over the columns of the data set, in a sandbox."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import ConfigError, UsageError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.text import nearest
from llmbench.types import Message

if TYPE_CHECKING:
    from jinja2 import Template
    from jinja2.sandbox import ImmutableSandboxedEnvironment

__all__ = ["Prompt", "prompts_for"]

_SEPARATOR = re.compile(r"^---[ \t]*$", re.MULTILINE)
_NAME = re.compile(r"[^\[\]{}\s][^\[\]{}]*")
_PATH = re.compile(r"[^\s{}]+\.(?:txt|md|j2|jinja2?|prompt)")
"""A template that would be the same for every item, and is meant as a file."""
_LONGEST = 20_000_000
"""Characters of a written prompt: several times what any model reads."""
_LARGEST = 1 << 4096
"""Numbers that a template may reckon with."""
_WIDE = re.compile(r"%[^%A-Za-z]*(?:\d{6,}|\*)")
"""A width of a million and more in a %-format, or one that is not said in it."""


@dataclass(frozen=True, slots=True)
class Prompt:
    r"""One named template.

    The text is the user message; what stands before the first line that is only `---` is the
    system message. Columns are named in double braces. `prompt` is also the name of the data
    set's prompt column. A missing cell is undefined: using it is an error that names the item,
    unless the template asks first (`{% if context is defined %}`).

    >>> prompt = Prompt("terse", "Answer in one word.\n---\n{{ question }}")
    >>> prompt.messages(Item("1", {"question": "2+2?"}, "4", None, None, 1))
    [{'role': 'system', 'content': 'Answer in one word.'}, {'role': 'user', 'content': '2+2?'}]
    """

    name: str
    text: str
    prompt_column: str | None = None

    def messages(self, item: Item) -> list[Message]:
        """The messages for `item`. Raises UsageError naming template, item and column."""
        import jinja2

        context = {column: value for column, value in item.fields.items() if value is not None}
        if self.prompt_column is not None and self.prompt_column in context:
            context["prompt"] = context[self.prompt_column]
        system, user = _compiled(self.text)
        try:
            parts = [("system", _written(system, context))] if system is not None else []
            parts.append(("user", _written(user, context)))
        except jinja2.UndefinedError as error:
            raise UsageError(
                f"Prompt {self.name!r} cannot be written for item {item.id!r} (line {item.line}): "
                f"{error.message}; fill that cell, or ask `is defined` in the template."
            ) from error
        except Exception as error:
            raise UsageError(
                f"Prompt {self.name!r} fails on item {item.id!r} (line {item.line}): "
                f"{type(error).__name__}: {error}; correct the template."
            ) from error
        messages = [Message(role=role, content=_trimmed(text)) for role, text in parts]
        if not messages[-1]["content"].strip():
            raise UsageError(
                f"Prompt {self.name!r} is empty for item {item.id!r} (line {item.line}); "
                "correct the template."
            )
        return [message for message in messages if message["content"].strip()]

    def check(self, dataset: Dataset) -> None:
        """Raise UsageError for a broken template or a column that the data set does not have."""
        import jinja2
        from jinja2 import meta

        try:
            tree = _environment().parse(self.text)
            _compiled(self.text)
        except jinja2.TemplateSyntaxError as error:
            raise UsageError(
                f"Prompt {self.name!r} is not a Jinja2 template: line {error.lineno}: {error.message}."
            ) from error
        known = set(dataset.columns) | ({"prompt"} if self.prompt_column is not None else set())
        for column in sorted(meta.find_undeclared_variables(tree) - known):
            raise UsageError(
                f"Prompt {self.name!r} uses {{{{ {column} }}}}, and {dataset.path.name} has no column "
                f"{column!r}; its columns are: {', '.join(dataset.columns)}."
                f"{nearest(column, dataset.columns)}"
            )


def prompts_for(
    dataset: Dataset, given: Mapping[str, str | Path] | Sequence[str] | str | None
) -> tuple[Prompt, ...]:
    """Checked prompts of a matrix: a mapping of names to templates (text, or a Path to a file),
    one template, or None for the prompt column as it stands.

    Raises UsageError for a name or template that cannot be used.
    """
    if given is None:
        if dataset.prompt_column is None:
            raise UsageError(
                "Give prompts={name: template}: the data set was loaded without a prompt column."
            )
        given = {"prompt": "{{ prompt }}"}
    elif isinstance(given, str):
        given = {"prompt": given}
    elif not isinstance(given, Mapping):
        raise UsageError(f"prompts must be a mapping of names to templates; it is a {type(given).__name__}.")
    if not given:
        raise UsageError("prompts is empty; give at least one template.")
    prompts = tuple(
        Prompt(_checked_name(name), _text(name, text), dataset.prompt_column) for name, text in given.items()
    )
    for prompt in prompts:
        prompt.check(dataset)
    return prompts


def _checked_name(name: object) -> str:
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise UsageError(f"A prompt cannot be named {name!r}; use a word without brackets or braces.")
    return name


def _text(name: str, template: str | Path) -> str:
    if isinstance(template, str):
        if _PATH.fullmatch(template):
            raise UsageError(
                f"Prompt {name!r} is the name of a file, {template!r}; give Path({template!r}) for its text."
            )
        return template
    if not isinstance(template, Path):
        raise UsageError(f"Prompt {name!r} must be text or a Path; it is a {type(template).__name__}.")
    try:
        return template.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"Prompt {name!r}: {template.name} cannot be read ({error}).") from error


@cache
def _environment() -> ImmutableSandboxedEnvironment:
    try:
        from jinja2 import StrictUndefined
        from jinja2.sandbox import ImmutableSandboxedEnvironment
    except ImportError as error:
        raise ConfigError("Prompt templates need jinja2: pip install 'llmbench[notebooks]'.") from error

    class Environment(ImmutableSandboxedEnvironment):
        # Operators named here are not worked out when a template is compiled, but by call_binop.
        intercepted_binops = frozenset(["*", "**", "+", "%"])

        def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
            _refuse_endless(operator, left, right)
            return super().call_binop(context, operator, left, right)

    # No autoescape: a prompt is plain text, and an escaped quote would be another question.
    environment = Environment(undefined=StrictUndefined, autoescape=False, keep_trailing_newline=True)
    # A prompt that is another one each time would make every call anew.
    del environment.filters["random"], environment.globals["lipsum"]
    return environment


@cache
def _compiled(text: str) -> tuple[Template | None, Template]:
    parts = [_template(part) for part in _SEPARATOR.split(text, maxsplit=1)]
    return (None, parts[0]) if len(parts) == 1 else (parts[0], parts[1])


def _template(text: str) -> Template:
    template = _environment().from_string(text)
    # Jinja's own is a chain of mappings, whose copying is more than half of what a rendering takes.
    template.globals = dict(template.globals)
    return template


def _refuse_endless(operator: str, left: Any, right: Any) -> None:
    """Raise OverflowError for an operation whose result is too long or too large for any prompt."""
    sizes = [len(side) for side in (left, right) if isinstance(side, str | bytes | list | tuple)]
    numbers = [abs(side) for side in (left, right) if isinstance(side, int)]
    if operator == "**":
        # Of whole numbers only: those of floats overflow by themselves.
        wrong = len(numbers) == 2 and (left.bit_length() + 1) * max(right, 0) > _LARGEST.bit_length()
    elif operator == "*":
        wrong = sizes[0] * numbers[0] > _LONGEST if sizes and numbers else max(numbers, default=0) > _LARGEST
    elif operator == "%":
        wrong = isinstance(left, str) and _WIDE.search(left) is not None
    else:
        wrong = sum(sizes) > _LONGEST
    if wrong:
        raise OverflowError(f"the result of {operator!r} is too long for a prompt")


def _written(template: Template, context: Mapping[str, Any]) -> str:
    """The text of a template, as long as there is an end to it."""
    parts, length = [], 0
    for part in template.generate(context):
        parts.append(part)
        length += len(part)
        if length > _LONGEST:
            raise OverflowError(f"its text is longer than {_LONGEST:,} characters")
    return "".join(parts)


def _trimmed(text: str) -> str:
    """Without the blank lines that a template's own layout leaves at either end."""
    if "\n" not in text:
        return text  # most
    text = re.sub(r"\A(?:[ \t]*\n)+", "", text)
    # Searched for, the end would be looked for again at each line of a text of blank lines: hours.
    kept = text.rstrip(" \t\n")
    return kept + text[len(kept) :].partition("\n")[0]
