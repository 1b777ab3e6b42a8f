"""A training file, examined before it is paid for."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from llmbench.catalog import TrainingMethod, training_terms
from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.costs import TrainingCost, bare_model, training_cost
from llmbench.finetune.evaluation_items import evaluation_items
from llmbench.finetune.examination import Examination, Place, facts_of
from llmbench.finetune.findings import Findings
from llmbench.finetune.formats import VENDORS, check_vendor
from llmbench.finetune.near_duplicates import NearDuplicates, check_near
from llmbench.finetune.overlap import Overlap
from llmbench.finetune.reading import open_training, rows
from llmbench.finetune.report import TrainingReport
from llmbench.finetune.shingles import ShinglesAt, shared_wording
from llmbench.types import ModelCapability

__all__ = ["check"]

_USUAL = {
    "openai": ("gpt-4o-mini", "gpt-4o", "gpt-4.1-mini", "gpt-4.1"),
    "together": ("llama-3.1-8b", "llama-3.1-70b"),
    "replicate": ("llama-3-8b",),
}
"""Models that are priced where none is named; the first counts the tokens for all of them."""


def check(
    path: str | Path,
    base_model: str | None = None,
    *,
    vendor: str | None = None,
    evaluation: Any = None,
    evaluation_column: str = "prompt",
    epochs: int | None = None,
    method: TrainingMethod | None = None,
    near: float | None = 0.8,
    keep: int = 10_000,
) -> TrainingReport:
    """Examine a training file of JSON lines: messages, prompt with completion, or text.

    Every bad line is named: what the vendor refuses, empty turns, examples too long for `base_model`,
    examples that repeat or nearly repeat others, that hold questions of `evaluation`, or personal data.
    Tokens are counted offline, and priced with a date.

    Args:
        path: the file. It is read once or twice, a line at a time; memory holds some 70 bytes of each line.
        base_model: a name of the catalog, an id, or endpoint/model; None prices usual models.
        vendor: "openai", "together" or "replicate"; None: where `base_model` is listed, else all three.
        evaluation: questions that must not be trained on: a path (JSONL or CSV), a data set, a table or rows.
        evaluation_column: where such a row has its question; rows of messages need none.
        epochs: of a job; None is each vendor's default.
        method: "lora" or "full", where a vendor prices both; None prices both.
        near: the least likeness (Jaccard's, of runs of three words) of two examples that are nearly the
            same; None looks for none.
        keep: findings of each kind that are kept, of all that are counted.

    Raises DatasetError for a file that cannot be read as JSON lines at all, or was changed meanwhile, and
    UsageError for parameters that cannot be meant.

    >>> import json, tempfile
    >>> row = {"messages": [{"role": "user", "content": "2+2?"}, {"role": "assistant", "content": "4"}]}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "train.jsonl"
    ...     _ = file.write_text((json.dumps(row) + chr(10)) * 11, encoding="utf-8")
    ...     report = check(file, "gpt-4o-mini")
    >>> report.ok, report.count("duplicate"), report.costs[0].epochs, report.costs[0].trained_tokens
    (True, 10, 9, 1584)
    """
    check_vendor(vendor)
    check_near(near)
    _check_numbers(keep, epochs)
    file, base_model = Path(path), None if base_model is None else bare_model(base_model)
    vendors = _vendors(vendor, base_model)
    only = vendors[0] if len(vendors) == 1 else None
    questions = None if evaluation is None else evaluation_items(evaluation, evaluation_column)
    seen = Examination(
        findings=Findings(keep),
        vendor=only,
        places=[Place(each, base_model or _USUAL[each][0]) for each in vendors],
        refusers=[only] if only else list(VENDORS),
        overlap=None if questions is None else Overlap(questions),
        near=None if near is None else NearDuplicates(near),
        shared=frozenset() if near is None else shared_wording(file),
    )
    digest = hashlib.sha256()
    with open_training(file) as content:
        stamp = _stamp(os.fstat(content.fileno()))
        for row in rows(content, digest.update):
            seen.take(row)
    if not seen.examples:
        raise DatasetError(f"{file} holds nothing but blank lines; a training file has one example a line.")
    try:
        _repeats(file, seen)
        changed = _stamp(file.stat()) != stamp
    except OSError:
        changed = True
    if changed:
        raise DatasetError(f"{file} was changed while it was read; call again when nothing writes to it.")
    _of_the_file(seen, only, stamp[0])
    totals = seen.places[0].totals()
    costs = tuple(_costs(seen, base_model, epochs, method))
    return TrainingReport(
        path=file,
        sha256=digest.hexdigest(),
        size=stamp[0],
        vendor=only,
        base_model=base_model,
        form=seen.form,
        examples=seen.examples,
        findings=seen.findings.kept(),
        counts=dict(seen.findings.counts),
        refused=seen.names(),
        tokens=totals,
        lengths=seen.places[0].lengths.summary(),
        costs=costs,
        notes=(
            *_notes(seen, base_model, questions=None if questions is None else len(questions)),
            *_price_notes(costs),
        ),
        by_example=seen.places[0].lengths,
    )


def _check_numbers(keep: int, epochs: int | None) -> None:
    for name, value in (("keep", keep), ("epochs", epochs)):
        if value is not None and (type(value) is not int or value < 1):
            raise UsageError(f"{name} must be a whole number of at least 1; it is {value!r}.")


def _vendors(vendor: str | None, base_model: str | None) -> list[str]:
    facts = facts_of(base_model)
    listed = [each for each in VENDORS if facts is not None and each in facts.backends]
    if vendor is None:
        return listed or list(VENDORS)
    if facts is not None and facts.backends and vendor not in facts.backends:
        raise UsageError(
            f"{facts.name} is not at {vendor}; the catalog lists it at {', '.join(facts.backends)}."
        )
    return [vendor]


def _stamp(found: os.stat_result) -> tuple[int, int]:
    return found.st_size, found.st_mtime_ns


def _repeats(file: Path, seen: Examination) -> None:
    lines, identities = seen.lines, seen.identities
    for members in seen.same.groups():
        for number in members[1:]:
            seen.findings.add(lines[number], "warning", "duplicate", f"repeats line {lines[members[0]]}")
    for members in seen.asked.groups():
        first = members[0]
        for number in members[1:]:
            if identities[number] != identities[first]:
                seen.findings.add(
                    lines[number], "warning", "same_prompt",
                    f"asks what line {lines[first]} asks, and has another answer",
                )  # fmt: skip
    if seen.near is None:
        return
    best: dict[int, tuple[float, int]] = {}
    for number, other, likeness in seen.near.alike(ShinglesAt(file, seen.shared).at):
        if identities[number] != identities[other]:
            best[number] = max(best.get(number, (0.0, 0)), (likeness, -other))
    for number, (likeness, other) in sorted(best.items()):
        seen.findings.add(
            lines[number], "warning", "near_duplicate",
            f"is nearly line {lines[-other]} (likeness {likeness:.2f})",
        )  # fmt: skip


def _of_the_file(seen: Examination, vendor: str | None, size: int) -> None:
    if vendor is None:
        return
    terms = training_terms(vendor)
    if seen.examples < terms.least:
        seen.findings.add(
            None,
            "error",
            "too_few",
            f"has {_examples(seen.examples)}, and {vendor} wants at least {terms.least}",
        )
    if terms.largest is not None and size > terms.largest:
        seen.findings.add(
            None, "error", "too_large", f"has {size:,} bytes, and {vendor} takes at most {terms.largest:,}"
        )


def _examples(number: int) -> str:
    return f"{number:,} example{'s' * (number != 1)}"


def _costs(
    seen: Examination, base_model: str | None, epochs: int | None, method: TrainingMethod | None
) -> Iterator[TrainingCost]:
    for place in seen.places:
        totals = place.totals()
        if totals is None:
            continue
        terms = training_terms(place.vendor)
        methods: tuple[TrainingMethod, ...] = (method,) if method else ("lora", "full")
        tokens = (totals.tokens - totals.cut, totals.low, totals.high)
        for model in (base_model,) if base_model else _USUAL[place.vendor]:
            for each in methods if terms.by_method else methods[:1]:
                cost = training_cost(
                    model, place.vendor, tokens, examples=len(seen.lines), epochs=epochs, method=each
                )
                if not place.whole and cost.usd is not None:
                    why = "the file holds images or other parts, whose tokens are not counted"
                    cost = cost._replace(trained_tokens=None, usd=None, usd_low=None, usd_high=None, note=why)
                yield cost


def _price_notes(costs: Iterable[TrainingCost]) -> Iterator[str]:
    """What must be known beside a price of the table, with the models that it is of."""
    models: dict[str, dict[str, None]] = {}
    for cost in costs:
        if cost.usd is not None and cost.note:
            models.setdefault(cost.note, {})[cost.model] = None
    for note, names in models.items():
        yield f"Training {', '.join(names)}: {note}."


def _notes(seen: Examination, base_model: str | None, *, questions: int | None) -> Iterator[str]:
    facts = facts_of(base_model)
    place = seen.places[0]
    if place.limit is None:
        yield f"How long an example {place.model} can be trained on is not known; lengths were not checked."
    if place.lengths.lines:
        yield f"Tokens: {place.tokenizer}, {place.note}."
    for vendor in seen.refusers if len(seen.refusers) > 1 else ():
        if seen.examples < (least := training_terms(vendor).least):
            yield f"{vendor} wants at least {least} examples; the file has {seen.examples}."
    left = seen.examples - len(seen.lines)
    if left:
        yield f"Lines with errors, {left:,} of them, are in no count of tokens and in no cost."
    if questions is not None:
        yield f"{len(seen.met):,} of {questions:,} questions of the evaluation set are in the file."
    if seen.near is None:
        yield "Examples that are nearly the same were not looked for."
    elif seen.shared:
        yield "Wording that more than a tenth of the examples share was left out when looking for near ones."
    if seen.crlf:
        yield f"{seen.crlf:,} lines end in CRLF, which the vendors take."
    if facts is not None and ModelCapability.FINE_TUNING not in facts.capabilities:
        yield f"The catalog has {facts.name} as a model that is not fine-tuned."
    for where, day in sorted((facts.fine_tuning_until if facts else {}).items()):
        yield f"{where} takes no new jobs for {base_model} after {day}."
