"""One reading of a training file: what is found in each line, and what is kept to compare lines later."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from llmbench.catalog import ModelFacts, all_models, canonical_name, training_terms
from llmbench.finetune.findings import Findings
from llmbench.finetune.formats import problems_of
from llmbench.finetune.key_file import KeyFile
from llmbench.finetune.lengths import ExampleTokens, Lengths, count_example
from llmbench.finetune.near_duplicates import NearDuplicates
from llmbench.finetune.overlap import Overlap
from llmbench.finetune.personal import KINDS, find_personal
from llmbench.finetune.reading import Row, Turn, compared_text, normalised, turns
from llmbench.finetune.report import TokenTotals
from llmbench.finetune.shingles import digest_of, shingles, without_shared

__all__ = ["Examination", "Place", "facts_of"]

_OVERLAP = {
    "exact": "holds the question {name} of the evaluation set",
    "normalised": "holds the question {name} of the evaluation set, but for case, blanks and signs",
    "n-gram": "holds {share:.0%} of the wording of the question {name} of the evaluation set",
}


def facts_of(model: str | None) -> ModelFacts | None:
    """What the catalog knows of a model, None for one that it does not know."""
    return None if model is None else all_models().get(canonical_name(model) or "")


class Place:
    """A vendor at which the file would be trained, whose model counts the tokens."""

    def __init__(self, vendor: str, model: str) -> None:
        self.vendor, self.model = vendor, model
        facts, own = facts_of(model), training_terms(vendor).longest_example(model)
        self.limit = own if own is not None or facts is None else facts.context
        self.lengths = Lengths()
        self.low = self.high = self.cut = 0
        self.exact, self.whole = True, True
        self.tokenizer = self.note = ""

    def add(self, line: int, found: ExampleTokens, *, textual: bool) -> None:
        """Take in the tokens of one example; `textual` is False where it holds what is not counted."""
        limit = self.limit if self.limit is not None else found.high
        self.lengths.add(line, found.tokens, found.learned)
        self.low += min(limit, found.low)
        self.high += min(limit, found.high)
        self.cut += max(0, found.tokens - limit)
        self.exact = self.exact and found.exact
        self.whole = self.whole and textual
        self.tokenizer = found.tokenizer
        self.note = found.note if len(found.note) > len(self.note) else self.note

    def totals(self) -> TokenTotals | None:
        """The sums; None of no examples."""
        if not self.lengths.lines:
            return None
        return TokenTotals(
            self.model, sum(self.lengths.tokens), self.low, self.high, sum(self.lengths.learned),
            self.exact, self.tokenizer, self.note, self.cut,
        )  # fmt: skip


@dataclass(slots=True)
class Examination:
    """What is known after the lines read so far."""

    findings: Findings
    vendor: str | None
    places: Sequence[Place]
    refusers: Sequence[str]
    overlap: Overlap | None
    near: NearDuplicates | None
    shared: frozenset[int] = frozenset()
    examples: int = 0
    form: str | None = None
    form_line: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    met: set[str] = field(default_factory=set)
    """Questions of the evaluation set that were found."""
    crlf: int = 0
    lines: array[int] = field(default_factory=lambda: array("I"))
    identities: array[int] = field(default_factory=lambda: array("Q"))
    same: KeyFile = field(default_factory=KeyFile)
    asked: KeyFile = field(default_factory=KeyFile)

    def take(self, row: Row) -> None:
        """Look at one line."""
        self.examples += 1
        number = row.line.number
        self.crlf += bool(row.line.content and row.line.content.endswith(b"\r\n"))
        if row.problem is not None:
            self.findings.add(number, "error", *row.problem)
        if row.row is None:
            self.refused.update(self.refusers)
            return
        problems = list(problems_of(row.row, self.vendor))
        for severity, code, text in problems:
            self.findings.add(number, severity, code, text)
        bad = any(problem.severity == "error" for problem in problems)
        for vendor in self.refusers:
            of_vendor = problems if vendor == self.vendor else problems_of(row.row, vendor)
            refused = row.problem is not None or any(each.severity == "error" for each in of_vendor)
            self.refused[vendor] += refused
        if row.form is None:
            return
        if self.form is None:
            self.form, self.form_line = row.form, number
        elif row.form != self.form:
            self.findings.add(
                number, "error", "mixed_forms",
                f"is of the form {row.form}, and line {self.form_line} is of the form {self.form}; "
                "a file has one form",
            )  # fmt: skip
        found = turns(row.row, row.form)
        if self._can_be_written(number, row, found):
            self._personal(number, found)
            self._overlap(number, found)
            if not bad:
                self._count(row, found)
                self._keep(row, found)

    def _can_be_written(self, number: int, row: Row, found: Sequence[Turn]) -> bool:
        if b"\\ud" not in (row.line.content or b"").lower():
            return True
        try:
            "".join(turn.text for turn in found).encode()
        except UnicodeEncodeError:
            self.findings.add(
                number, "error", "half_character", "holds half of a surrogate pair, which is no text"
            )
            return False
        return True

    def _personal(self, number: int, found: Sequence[Turn]) -> None:
        counts: Counter[str] = Counter()
        first: dict[str, tuple[int, str]] = {}
        for position, turn in enumerate(found):
            for kind, hint in find_personal(turn.text):
                counts[kind] += 1
                first.setdefault(kind, (position, hint))
        for kind, (position, hint) in first.items():
            more = f", and {counts[kind] - 1} more" if counts[kind] > 1 else ""
            self.findings.add(
                number,
                "warning",
                f"personal_{kind}",
                f"holds {KINDS[kind]} ({hint}) in message {position}{more}",
            )

    def _overlap(self, number: int, found: Sequence[Turn]) -> None:
        held = self.overlap.find(found) if self.overlap else None
        if held is None:
            return
        self.met.add(held.item.name)
        self.findings.add(
            number,
            "warning" if held.how == "n-gram" else "error",
            f"evaluation_{held.how.replace('-', '_')}",
            _OVERLAP[held.how].format(name=repr(held.item.name), share=held.share),
        )

    def _count(self, row: Row, found: Sequence[Turn]) -> None:
        number, content = row.line.number, row.row or {}
        tools = [content[key] for key in ("tools", "functions") if content.get(key)]
        textual = all(turn.whole for turn in found)
        for place in self.places:
            tokens = count_example(found, row.form or "", place.model, place.vendor, tools)
            place.add(number, tokens, textual=textual)
            if place.limit is None or tokens.high <= place.limit or place is not self.places[0]:
                continue
            surely = tokens.low > place.limit
            self.findings.add(
                number, "error" if surely else "warning", "too_long",
                f"has {tokens.tokens:,} tokens{'' if surely else ' or so'}, and {place.model} trains at most "
                f"{place.limit:,}; what is beyond is cut off",
            )  # fmt: skip

    def _keep(self, row: Row, found: Sequence[Turn]) -> None:
        position = len(self.lines)
        self.lines.append(row.line.number)
        identity = _hash("\x1e".join(f"{turn.role}\x1f{turn.text}" for turn in found))
        self.identities.append(identity)
        self.same.add(identity, position)
        asked = normalised(" ".join(turn.text for turn in found[:-1]))
        if asked:
            self.asked.add(_hash(asked), position)
        if self.near is not None:
            own = without_shared(shingles(compared_text(list(found))), self.shared)
            self.near.add(own, offset=row.line.offset, digest=digest_of(row))

    def names(self) -> Mapping[str, int]:
        """By vendor, how many lines it would not take."""
        return {vendor: self.refused[vendor] for vendor in self.refusers}


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")
