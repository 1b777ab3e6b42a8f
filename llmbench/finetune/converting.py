"""From one vendor's form of training data to another's, without losing anything in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.formats import MESSAGE_KEYS, ROW_KEYS, VENDORS, check_vendor, problems_of
from llmbench.finetune.reading import Row, open_training, rows
from llmbench.finetune.writing import json_line, refuse_same, replacing_all
from llmbench.providers.training_lines import CHAT, COMPLETION, KEYS, TEXT
from llmbench.shown import shown

__all__ = ["Conversion", "convert"]

_PROBLEMS_SHOWN = 20
_DROPPABLE = ("weight", "name", "tools", "extra_keys")
_PLAIN = frozenset({"role", "content"})
_TOOLS = frozenset(
    {"tool_calls", "tool_call_id", "function_call", "tools", "functions", "parallel_tool_calls"}
)

Render = Callable[[Sequence[Mapping[str, Any]]], str]
"""Makes one prompt of the messages before an answer."""


@shown
@dataclass(frozen=True, slots=True)
class Conversion:
    """What was written."""

    source: Path
    path: Path
    to: str
    form: str
    sha256: str
    """Of the file that was written."""
    rows_read: int
    rows_written: int
    """More than were read where a conversation became one row for each answer."""
    dropped: Mapping[str, int]
    """How many rows lost something that `dropping` allowed to be lost, by its name."""

    def __str__(self) -> str:
        lost = "".join(f"; without {name} in {count:,} rows" for name, count in self.dropped.items() if count)
        return (
            f"{self.source.name} to {self.path.name} ({self.to}, {self.form}): {self.rows_read:,} rows read, "
            f"{self.rows_written:,} written{lost}"
        )


def convert(
    path: str | Path,
    out: str | Path,
    to: str,
    *,
    form: str | None = None,
    render: Render | None = None,
    dropping: Sequence[str] = (),
) -> Conversion:
    """Write a training file in the form that another vendor takes, whole or not at all.

    Args:
        path: the file that is read.
        out: the file that is written.
        to: "openai", "together" or "replicate".
        form: "chat", "completion" or "text"; None keeps the file's where `to` takes it, else the nearest.
        render: makes a prompt of messages, for conversations that become prompt and completion. Each answer
            that is learned becomes a row of its own, with all that precedes it as its prompt. Without it,
            only rows of one question and one answer can be converted.
        dropping: what may be lost: "weight", "name" (of speakers), "tools" (definitions that are not used),
            "extra_keys". Nothing else is ever lost.

    Raises DatasetError naming up to 20 lines that cannot be expressed in the new form (weights, tool calls,
    images, several turns), and nothing is written; UsageError for a form that `to` does not take.

    >>> import json, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file, out = Path(folder) / "a.jsonl", Path(folder) / "b.jsonl"
    ...     _ = file.write_text(json.dumps({"prompt": "2+2?", "completion": "4"}), encoding="utf-8")
    ...     done = convert(file, out, "openai")
    ...     print(out.read_text(encoding="utf-8").strip())
    {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
    """
    check_vendor(to)
    unknown = sorted(set(dropping) - set(_DROPPABLE))
    if isinstance(dropping, str) or unknown:
        raise UsageError(f"dropping is a list of {', '.join(_DROPPABLE)}; it is {dropping!r}.")
    if form is not None and form not in VENDORS[to]:
        raise UsageError(f"{to} takes {' and '.join(sorted(VENDORS[to]))}, not {form!r}.")
    source, target = Path(path), Path(out)
    refuse_same(source, target)
    worker = _Converter(to, form, render, frozenset(dropping))
    digest, read, written = sha256(), 0, 0
    problems: list[str] = []
    with replacing_all({"": target}) as files, open_training(source) as content:
        for row in rows(content):
            read += 1
            try:
                made = [_line(each) for each in worker.rows_of(row)]
            except _Inexpressible as reason:
                problems.append(f"{source.name}:{row.line.number} {reason}")
                if len(problems) >= _PROBLEMS_SHOWN:
                    break
                continue
            for line in made:
                digest.update(line)
                files[""].write(line)
                written += 1
        if problems or not written:
            raise DatasetError(
                f"{source.name} cannot be converted for {to}:\n" + "\n".join(problems or ["it has no rows"])
                + "\nNothing was written."
            )  # fmt: skip
    return Conversion(
        source, target, to, worker.form or "", digest.hexdigest(), read, written, dict(worker.dropped)
    )


class _Inexpressible(Exception):  # noqa: N818 - never seen outside
    """Why a row cannot be converted: the end of a sentence that begins with its line."""


def _line(row: Mapping[str, Any]) -> bytes:
    try:
        return json_line(row)
    except UnicodeEncodeError:
        raise _Inexpressible("holds half of a surrogate pair, which is no text") from None


class _Converter:
    def __init__(self, to: str, form: str | None, render: Render | None, dropping: frozenset[str]) -> None:
        self._to, self._render, self._dropping = to, render, dropping
        self.form = form
        self.dropped = dict.fromkeys(sorted(dropping), 0)

    def rows_of(self, row: Row) -> Iterator[dict[str, Any]]:
        """What one row becomes. Raises _Inexpressible."""
        if row.problem is not None or row.row is None or row.form is None:
            raise _Inexpressible(
                row.problem.text if row.problem else "has the keys of no form, or of several"
            )
        bad = next((each.text for each in problems_of(row.row, None) if each.severity == "error"), None)
        if bad:
            raise _Inexpressible(bad)
        if self.form is None:
            # All rows become what the first one becomes, so that the file has one form.
            self.form = (
                row.form if row.form in VENDORS[self._to] else (CHAT if self._to == "openai" else COMPLETION)
            )
        if TEXT in {row.form, self.form} and row.form != self.form:
            raise _Inexpressible(
                f"is of the form {row.form}, which does not say what is asked and what is answered"
            )
        made = list(self._made(row.row, row.form, self.form))
        for each in made:
            wrong = next((p.text for p in problems_of(each, self._to) if p.severity == "error"), None)
            if wrong:
                raise _Inexpressible(wrong)
        yield from made

    def _made(self, row: Mapping[str, Any], form: str, wanted: str) -> Iterator[dict[str, Any]]:
        beside = set(row) - set(KEYS[form]) - (ROW_KEYS[self._to] if wanted == form == CHAT else set())
        self._lose(beside - _TOOLS, "extra_keys", "has the key {}, which has no place there")
        self._lose(beside & _TOOLS, "tools", "has {}, which have no place there")
        if form != CHAT:
            kept = {key: row[key] for key in KEYS[form]}
            if wanted != CHAT:
                yield kept
            else:
                roles = {"user": row["prompt"], "assistant": row["completion"]}
                yield {"messages": [{"role": role, "content": text} for role, text in roles.items()]}
            return
        if wanted == CHAT:
            messages = [
                self._message(number, message, MESSAGE_KEYS[self._to])
                for number, message in enumerate(self._weighed(row["messages"]))
            ]
            also = {key: row[key] for key in row if key != "messages" and key in ROW_KEYS[self._to]}
            yield {"messages": messages, **also}
            return
        yield from self._pairs(row["messages"])

    def _weighed(self, messages: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        """The messages with the weights that mean the same at the new vendor.

        At Together a weight anywhere makes it train on every message without one, the user's too; elsewhere
        only an assistant's message is ever trained on.
        """
        if "weight" in self._dropping or not any("weight" in message for message in messages):
            return list(messages)
        made: list[Mapping[str, Any]] = []
        for number, message in enumerate(messages):
            if message["role"] == "assistant":
                made.append(
                    {**message, "weight": message.get("weight", 1)} if self._to == "together" else message
                )
                continue
            if message.get("weight") and self._to != "together":
                raise _Inexpressible(
                    f"has a message {number} of weight {message['weight']:g} that is not an assistant's; it "
                    'cannot be trained on there; dropping=["weight"] leaves weights out'
                )
            plain = {key: value for key, value in message.items() if key != "weight"}
            made.append({**plain, "weight": message.get("weight", 0)} if self._to == "together" else plain)
        return made

    def _pairs(self, messages: Sequence[Mapping[str, Any]]) -> Iterator[dict[str, Any]]:
        if any(message.get("weight") for message in messages if message["role"] != "assistant"):
            self._lose({"weight"}, "weight", "trains on a message that is not an assistant's ({} 1)")
        plain = [
            self._message(number, {k: v for k, v in message.items() if k != "weight"}, _PLAIN)
            for number, message in enumerate(messages)
        ]
        for number, message in enumerate(plain):
            if not isinstance(message["content"], str):
                raise _Inexpressible(f"has a message {number} that is not text alone")
        learned = [
            number for number, message in enumerate(messages)
            if message["role"] == "assistant" and message.get("weight", 1) != 0
        ]  # fmt: skip
        if self._render is None:
            if [message["role"] for message in plain] != ["user", "assistant"] or not learned:
                raise _Inexpressible(
                    "has more than one question and one answer; give render=, which makes a prompt of them"
                )
            yield {"prompt": plain[0]["content"], "completion": plain[1]["content"]}
            return
        for number in learned:
            prompt = self._render(plain[:number])
            if not prompt:
                raise _Inexpressible("became an empty prompt; look at render=")
            yield {"prompt": prompt, "completion": plain[number]["content"]}

    def _message(self, number: int, message: Mapping[str, Any], taken: frozenset[str]) -> dict[str, Any]:
        over = {key for key in message if key not in taken}
        calls = sorted(over & _TOOLS)
        if calls:
            raise _Inexpressible(f"has a message {number} with {calls[0]}, which has no place there")
        self._lose(over & {"name"}, "name", f"has a message {number} with a {{}}, which has no place there")
        self._lose(
            over - {"name"}, "extra_keys", f"has a message {number} with {{}}, which has no place there"
        )
        kept = {key: value for key, value in message.items() if key in taken}
        if "weight" in self._dropping and "weight" in kept:
            self.dropped["weight"] += 1
            del kept["weight"]
        return kept

    def _lose(self, keys: set[str] | frozenset[str], name: str, what: str) -> None:
        if not keys:
            return
        if name not in self._dropping:
            raise _Inexpressible(what.format(min(keys)) + f'; dropping=["{name}"] leaves it out')
        self.dropped[name] += 1
