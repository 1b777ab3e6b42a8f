"""Which lines of a training file belong together: conversations, equal prompts, near duplicates."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from hashlib import blake2b, sha256
from pathlib import Path

from llmbench.errors import DatasetError
from llmbench.finetune.formats import problems_of
from llmbench.finetune.key_file import KeyFile
from llmbench.finetune.near_duplicates import NearDuplicates
from llmbench.finetune.reading import Row, compared_text, normalised, open_training, prompt_of, rows, turns
from llmbench.finetune.shingles import ShinglesAt, digest_of, shared_wording, shingles, without_shared

__all__ = ["Groups"]

_CONVERSATION = "conversation_id"
_PROBLEMS_SHOWN = 20
_LARGE, _LARGE_SHARE = 50, 0.05
"""Examples from which on a group of near ones is a template's, and would not fit into a part."""


class Groups:
    """Which lines of a file belong together: `read`, and then `key` of each example."""

    def __init__(self, source: Path, conversation: str | None, near: float | None) -> None:
        self._source, self._conversation, self._near = source, conversation, near
        self._keys = array("Q")
        self._joined_to = array("Q")
        self._sizes: Counter[int] = Counter()
        self.joined = self.left_apart = 0

    def read(self) -> tuple[str, int]:
        """Read the file; its sha256 and how many examples it has. Raises DatasetError for bad lines."""
        digest, problems = sha256(), []
        together = KeyFile()
        search = None if self._near is None else NearDuplicates(self._near)
        shared = frozenset() if search is None else shared_wording(self._source)
        with open_training(self._source) as content:
            for row in rows(content, digest.update):
                problem = _problem(row)
                if problem:
                    problems.append(f"{self._source.name}:{row.line.number} {problem}")
                if problems or row.row is None:
                    if len(problems) >= _PROBLEMS_SHOWN:
                        break
                    continue
                key = self._own_key(row)
                together.add(key, len(self._keys))
                self._keys.append(key)
                if search is not None:
                    own = without_shared(shingles(compared_text(turns(row.row, row.form))), shared)
                    search.add(own, offset=row.line.offset, digest=digest_of(row))
        if problems:
            raise DatasetError(
                f"{self._source.name} has bad lines:\n"
                + "\n".join(problems)
                + "\nCorrect them; nothing was written."
            )
        if not self._keys:
            raise DatasetError(f"{self._source} holds nothing but blank lines; there is nothing to split.")
        self._join(together, search, ShinglesAt(self._source, shared))
        return digest.hexdigest(), len(self._keys)

    def key(self, number: int) -> int:
        """The key of the group of an example: the least of its members', or its own in one too large."""
        top = self._top(number)
        return self._keys[number] if self._sizes[top] > self._most() else self._least[top]

    def notes(self) -> tuple[str, ...]:
        """What the reader must know, in sentences."""
        if not self.left_apart:
            return ()
        note = (
            f"{self.left_apart:,} examples are alike in groups of more than {self._most():,}, as those of a "
            "template are; they were not kept together, or they would all be in one part."
        )
        return (note,)

    def _own_key(self, row: Row) -> int:
        found = row.row or {}
        name = self._conversation or _CONVERSATION
        metadata = found.get("metadata")
        value = found.get(name, metadata.get(name) if isinstance(metadata, Mapping) else None)
        if value is None and self._conversation is not None:
            raise DatasetError(
                f"{self._source.name}:{row.line.number} has no {name!r}, which conversation= names; "
                "nothing was written."
            )
        said = normalised(prompt_of(turns(found, row.form)))
        text = f"conversation:{value}" if value is not None else f"prompt:{said}"
        return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")

    def _join(self, together: KeyFile, search: NearDuplicates | None, at: ShinglesAt) -> None:
        self._joined_to = array("Q", range(len(self._keys)))
        for members in together.groups():
            for number in members[1:]:
                self._unite(members[0], number)
        if search is not None:
            for number, other, _ in search.alike(at.at):
                self.joined += self._keys[number] != self._keys[other]
                self._unite(number, other)
        self._least: dict[int, int] = {}
        keys: dict[int, set[int]] = {}
        for number, key in enumerate(self._keys):
            top = self._top(number)
            self._sizes[top] += 1
            self._least[top] = min(key, self._least.get(top, key))
            if top != number:
                keys.setdefault(top, {self._keys[top]}).add(key)
        for top, size in list(self._sizes.items()):
            if len(keys.get(top, ())) < 2:
                self._sizes[top] = 0
            elif size > self._most():
                self.left_apart += size

    def _most(self) -> int:
        return max(_LARGE, int(_LARGE_SHARE * len(self._keys)))

    def _top(self, number: int) -> int:
        parents = self._joined_to
        while parents[number] != number:
            parents[number] = parents[parents[number]]
            number = parents[number]
        return number

    def _unite(self, one: int, other: int) -> None:
        first, second = self._top(one), self._top(other)
        self._joined_to[max(first, second)] = min(first, second)


def _problem(row: Row) -> str | None:
    if row.problem is not None or row.row is None:
        return row.problem.text if row.problem else "cannot be read"
    return next((each.text for each in problems_of(row.row, None) if each.severity == "error"), None)
