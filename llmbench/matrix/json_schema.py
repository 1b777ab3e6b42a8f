"""Grader by JSON schema: the answer is JSON of the promised shape."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Self

from llmbench.errors import ConfigError
from llmbench.matrix.dataset import Dataset, Item
from llmbench.matrix.grading import DOES_NOT_PARSE, Grade
from llmbench.matrix.strict_json import parse_json

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

__all__ = ["JsonSchema"]

_SHOWN = 160


@dataclass(frozen=True, slots=True)
class JsonSchema:
    """The whole answer, or what one code fence around it holds, is JSON that fits a JSON schema.

    `schema` serves every item; without it, each item's expected value is its schema (an object, or
    its JSON text). The draft is the one that "$schema" names, else 2020-12. References to other
    documents are never fetched, and `format` is not checked. An answer that fits scores 1.

    >>> grader = JsonSchema({"type": "object", "required": ["city"]})
    >>> item = Item("1", {}, None, None, None, 1)
    >>> grader.grade('{"city": "Bonn"}', item).score
    1.0
    >>> grader.grade('{"town": "Bonn"}', item)
    Grade(score=0.0, note="does not fit the schema: 'city' is a required property")
    """

    name: ClassVar[str] = "json_schema"
    schema: Mapping[str, Any] | bool | None = None

    def bind(self, dataset: Dataset) -> Self:  # noqa: ARG002 - part of the protocol
        """See `Grader`."""
        return self

    def problem(self, item: Item) -> str | None:
        """See `Grader`."""
        if self.schema is None and item.expected is None:
            return "has no expected answer, which grader 'json_schema' takes as the schema"
        try:
            _validator(self._text(item))
        except ConfigError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a broken schema makes the library raise
            said = getattr(error, "message", str(error))
            return f"has a schema that is no JSON schema ({said:.{_SHOWN}})"
        return None

    def grade(self, answer: str, item: Item) -> Grade:
        """See `Grader`."""
        try:
            value = parse_json(answer)
        except ValueError as error:
            return Grade(0.0, f"{DOES_NOT_PARSE}: {error}")
        from jsonschema.exceptions import best_match

        misfit = best_match(_validator(self._text(item)).iter_errors(value))
        if misfit is None:
            return Grade(1.0)
        where = "".join(f"[{part!r}]" for part in misfit.absolute_path)
        at = f" at {where}" if where else ""
        return Grade(0.0, f"does not fit the schema{at}: {misfit.message:.{_SHOWN}}")

    def _text(self, item: Item) -> str:
        given = item.expected if self.schema is None else self.schema
        return given if isinstance(given, str) else json.dumps(given, sort_keys=True)


@cache
def _validator(schema: str) -> Validator:
    try:
        from jsonschema import Draft202012Validator
        from jsonschema.validators import validator_for
        from referencing import Registry
    except ImportError as error:
        raise ConfigError(
            "Grader 'json_schema' needs jsonschema: pip install 'llmbench[notebooks]'."
        ) from error
    parsed = json.loads(schema)
    made = validator_for(parsed, default=Draft202012Validator)
    made.check_schema(parsed)
    # The library's own registry would fetch what a "$ref" names from the network.
    validator: Validator = made(parsed, registry=Registry())
    return validator
