"""Training data out of the ledger: answers that were replied to, or accepted."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.errors import DatasetError, UsageError
from llmbench.finetune.export_choice import WHY, Accepted, Choice
from llmbench.finetune.personal import find_personal
from llmbench.finetune.writing import json_line, replacing_all
from llmbench.ledger.privacy import compiled, redacted
from llmbench.ledger.rows import instant_text
from llmbench.plain_table import PlainTable, count_text
from llmbench.shown import shown

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.ledger.outcomes import Event, Outcome
    from llmbench.types import CallRecord

__all__ = ["Export", "export"]


@shown
@dataclass(frozen=True, slots=True)
class Export:
    """What was written, and where it comes from."""

    path: Path
    manifest_path: Path
    sha256: str
    rows: int
    considered: int
    """Answered calls that were looked at."""
    left_out: Mapping[str, int]
    """Answers left out, by reason."""
    models: Mapping[str, int]
    """Rows by endpoint/model that wrote them. Some vendors forbid training other models on their answers."""
    personal: Mapping[str, int]
    """Rows that look as if they held personal data, by kind."""
    personal_lines: tuple[int, ...]
    """Lines of those rows."""

    def __str__(self) -> str:
        kinds = ", ".join(f"{kind} in {count:,}" for kind, count in self.personal.items())
        lines = [
            f"{self.path.name}: {self.rows:,} rows of {self.considered:,} answers; {self.manifest_path.name}"
        ]
        lines += [f"  left out: {count:,}, {WHY[reason]}" for reason, count in self.left_out.items()]
        lines += [f"  personal data: {kinds} rows"] if kinds else []
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        out = PlainTable(
            ("left out because", "answers"), [(WHY[r], count_text(n)) for r, n in self.left_out.items()]
        )
        by = PlainTable(("model", "rows"), [(model, count_text(n)) for model, n in self.models.items()])
        flags = PlainTable(
            ("personal data", "rows"), [(kind, count_text(n)) for kind, n in self.personal.items()]
        )
        head = f"<p><b>{self.rows:,} rows of {self.considered:,} answers</b></p>"
        return head + by.html() + out.html() + (flags.html() if self.personal else "")


def export(
    ledger: Ledger,
    out: str | Path,
    *,
    accepted: Accepted | None = None,
    replied: bool | None = True,
    models: Sequence[str] | None = None,
    experiment_id: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    window_days: float | None = None,
    system: str | None = None,
    redact: Sequence[str] = (),
    keep_redacted: bool = False,
) -> Export:
    """Write answers of the ledger as chat training data, one row for a unit and for a prompt.

    The file appears whole or not at all. Beside it, `OUT.manifest.json` says what was asked for, why answers
    were left out, which call is behind each line, and the sha256 of the file.

    Args:
        ledger: where the answers are.
        out: the file that is written, JSON lines of messages.
        accepted: see `Accepted`; an answer must pass this and `replied`.
        replied: True takes answers whose unit replied: of a unit with several, the one that the reply names,
            else the newest before it. None does not ask for replies: the newest accepted answer counts.
        models: only answers of these, each a model or endpoint/model.
        experiment_id: only answers of this experiment.
        since: only answers from this instant on, and units first sent something from then on.
        until: only answers before this instant, and units first sent something before.
        window_days: days after the first answer to a unit in which a reply counts.
        system: replaces the system messages of the prompts, such as a shorter one that is to be enough.
        redact: personal data to blacken: names of `llmbench.ledger.privacy.PATTERNS`, or expressions.
        keep_redacted: take answers in which the ledger had personal data blackened as well. A model that is
            trained on those may learn to write "[email]".

    Answers without texts, refused or cut off are left out. Of a conversation only the answer itself is
    learned: earlier ones have weight 0 (`convert` puts that in Together's words). Raises UsageError where
    nothing says which answers are good, DatasetError where none is left, and LedgerError.
    """
    if accepted is None and replied is None:
        raise UsageError("Nothing says which answers are good: give accepted=, or replied=True.")
    if replied is False:
        raise UsageError("replied=False would train on answers that nobody replied to; give True or None.")
    if not hasattr(ledger, "outcomes"):
        raise UsageError(
            f'ledger is a Ledger, such as Ledger("calls.db"); it was given a {type(ledger).__name__}.'
        )
    path = Path(out)
    chosen = Choice(ledger, accepted, models, keep_redacted=keep_redacted)
    if replied:
        outcomes = ledger.outcomes(experiment_id, since=since, until=until, window_days=window_days)
        chosen.replied_to = {(o.unit_id, o.experiment_id): _reply(o) for o in outcomes if o.replied}
    for call in _calls(ledger, experiment_id, since, until):
        chosen.look(call)
    if not chosen.by_prompt:
        told = "; ".join(f"{count:,}: {WHY[reason]}" for reason, count in chosen.reasons().items())
        how = " A router keeps texts with store_texts=True." if chosen.reasons().get("no_text") else ""
        raise DatasetError(
            f"No answer of the ledger {ledger.name} is left to train on ({told or 'it has none'}).{how}"
        )
    filters = {
        "accepted": _described(accepted), "replied": replied,
        "models": None if models is None else list(models),
        "experiment_id": experiment_id, "since": since and instant_text(since),
        "until": until and instant_text(until), "window_days": window_days, "system": system,
        "redact": list(redact), "keep_redacted": keep_redacted,
    }  # fmt: skip
    return _write(chosen, path, filters, system, redact, experiment_id, since, until)


def _calls(
    ledger: Ledger, experiment_id: str | None, since: datetime | None, until: datetime | None
) -> Iterator[CallRecord]:
    return (
        call
        for call in ledger.calls(status="ok", since=since)
        if (experiment_id is None or call.experiment_id == experiment_id)
        and (until is None or call.started_at < until)
    )


def _reply(outcome: Outcome) -> Event:
    events: Sequence[Event] = outcome.metadata["events"]
    return next(event for event in events if event.replied)


def _described(accepted: Accepted | None) -> Any:
    if accepted is None:
        return None
    if callable(accepted):
        return getattr(accepted, "__qualname__", type(accepted).__name__)
    return f"{len(accepted):,} ids of calls"


def _write(
    chosen: Choice,
    path: Path,
    filters: Mapping[str, Any],
    system: str | None,
    redact: Sequence[str],
    experiment_id: str | None,
    since: datetime | None,
    until: datetime | None,
) -> Export:
    from llmbench import __version__

    patterns = compiled(redact)
    taken = set(chosen.by_prompt.values())
    digest = sha256()
    models: Counter[str] = Counter()
    personal: Counter[str] = Counter()
    flagged: list[int] = []
    behind: list[dict[str, Any]] = []
    manifest_path = path.with_name(f"{path.name}.manifest.json")
    with replacing_all({"rows": path, "manifest": manifest_path}) as files:
        for call in _calls(chosen.ledger, experiment_id, since, until):
            if call.call_id not in taken:
                continue
            taken.discard(call.call_id)  # a call that was answered twice
            clean = redacted(call, patterns) if patterns else call
            messages = _messages(clean, system)
            line = json_line({"messages": messages})
            digest.update(line)
            files["rows"].write(line)
            models[f"{call.endpoint}/{call.model}"] += 1
            kinds = {each.kind for message in messages for each in find_personal(str(message["content"]))}
            personal.update(kinds)
            behind.append(
                {"line": len(behind) + 1, "call_id": call.call_id, "request_hash": call.request_hash}
            )
            if kinds:
                flagged.append(len(behind))
        told = {
            "schema": 1, "file": path.name, "sha256": digest.hexdigest(), "rows": len(behind),
            "made_at": instant_text(datetime.now(UTC)), "llmbench_version": __version__,
            "ledger": Path(chosen.ledger.name).name, "filters": filters, "considered": chosen.considered,
            "left_out": chosen.reasons(), "models": dict(models.most_common()),
            "personal_data": {"rows": dict(personal), "lines": flagged}, "calls": behind,
        }  # fmt: skip
        files["manifest"].write(json.dumps(told, ensure_ascii=False, indent=1).encode() + b"\n")
    return Export(
        path, manifest_path, digest.hexdigest(), len(behind), chosen.considered, chosen.reasons(),
        dict(models.most_common()), dict(personal), tuple(flagged),
    )  # fmt: skip


def _messages(call: CallRecord, system: str | None) -> list[dict[str, Any]]:
    # Earlier answers of the conversation were not asked about: they are read, and not learned.
    prompt: list[dict[str, Any]] = [
        {**message, "weight": 0} if message["role"] == "assistant" else dict(message)
        for message in call.messages
    ]
    if system is not None:
        prompt = [message for message in prompt if message["role"] not in {"system", "developer"}]
        prompt = ([{"role": "system", "content": system}] if system else []) + prompt
    return [*prompt, {"role": "assistant", "content": call.content}]
