"""Which answers of a ledger are good enough to train on, and why others are not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING

from llmbench.errors import UsageError
from llmbench.finetune.reading import normalised

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.ledger.outcomes import Event
    from llmbench.types import CallRecord

__all__ = ["WHY", "Accepted", "Choice"]

Accepted = Callable[["CallRecord"], bool] | Mapping[str, bool] | Collection[str]
"""Which answers count: a function of the record, ids of calls, or {id of a call: whether}."""

WHY = {
    "no_text": "prompt or answer was not kept",
    "redacted": "personal data was blackened in it when it was recorded",
    "cut_off": "the answer was cut off or filtered",
    "other_model": "another model answered",
    "no_reply": "nobody replied to it",
    "not_replied_to": "another answer to the unit was replied to",
    "not_accepted": "not accepted",
    "same_unit": "another answer to the unit is in",
    "same_prompt": "another answer to the prompt is in",
}
"""Why an answer is left out, in the order in which it is asked."""

_NOT_WHOLE = frozenset({"length", "content_filter", "tool_calls"})
_MARKED = "redacted:"


class Choice:
    """Which calls are taken, one for a unit and one for a prompt: `look` at each, and then `by_prompt`."""

    def __init__(
        self, ledger: Ledger, accepted: Accepted | None, models: Sequence[str] | None, *, keep_redacted: bool
    ) -> None:
        if isinstance(accepted, str) or isinstance(models, str):
            raise UsageError("accepted and models are lists, not one text.")
        self.ledger, self._accepted, self._keep_redacted = ledger, accepted, keep_redacted
        self._models = None if models is None else frozenset(models)
        self.replied_to: dict[tuple[str, str | None], Event] | None = None
        self.considered = 0
        self._left: Counter[str] = Counter()
        self._of_unit: dict[tuple[str, str | None], str] = {}
        self._prompts: dict[str, tuple[str, datetime]] = {}

    def look(self, call: CallRecord) -> None:
        """Take in one answered call."""
        unit = (call.unit_id or call.call_id, call.experiment_id)
        if self._of_unit.get(unit) == call.call_id:
            return  # answered twice
        self.considered += 1
        why = self._why_not(call, unit)
        if why:
            self._left[why] += 1
            return
        before = self._of_unit.get(unit)
        if before is not None:
            self._left["same_unit"] += 1
            if self._prompts[before][1] > call.started_at:
                return
            del self._prompts[before]
        self._of_unit[unit] = call.call_id
        self._prompts[call.call_id] = (_prompt_key(call), call.started_at)

    @property
    def by_prompt(self) -> dict[str, str]:
        """{hash of a prompt: the call whose answer is taken}: of several the newest."""
        found: dict[str, str] = {}
        for call_id, (prompt, _) in sorted(self._prompts.items(), key=lambda kept: (kept[1][1], kept[0])):
            found[prompt] = call_id
        return found

    def reasons(self) -> dict[str, int]:
        """Answers left out, by reason."""
        repeated = len(self._prompts) - len(self.by_prompt)
        counts = self._left + Counter({"same_prompt": repeated})
        return {reason: counts[reason] for reason in WHY if counts[reason]}

    def _why_not(self, call: CallRecord, unit: tuple[str, str | None]) -> str | None:
        if not call.content or not call.content.strip() or not call.messages:
            return "no_text"
        if call.request_hash.startswith(_MARKED) and not self._keep_redacted:
            return "redacted"
        if call.finish_reason in _NOT_WHOLE:
            return "cut_off"
        if self._models is not None and not {call.model, f"{call.endpoint}/{call.model}"} & self._models:
            return "other_model"
        return self._not_replied(call, unit) or (None if self._is_accepted(call) else "not_accepted")

    def _not_replied(self, call: CallRecord, unit: tuple[str, str | None]) -> str | None:
        if self.replied_to is None:
            return None
        reply = self.replied_to.get(unit)
        if reply is None:
            return "no_reply"
        named = reply.call_id or (reply.unit_id if reply.unit_id != call.unit_id else None)
        if named is not None:
            return None if named == call.call_id else "not_replied_to"
        return None if call.started_at <= reply.happened_at else "not_replied_to"

    def _is_accepted(self, call: CallRecord) -> bool:
        accepted = self._accepted
        if accepted is None:
            return True
        if callable(accepted):
            return bool(accepted(call))
        if isinstance(accepted, Mapping):
            return bool(accepted.get(call.call_id, False))
        return call.call_id in accepted


def _prompt_key(call: CallRecord) -> str:
    text = json.dumps([[message["role"], normalised(str(message["content"]))] for message in call.messages])
    return sha256(text.encode()).hexdigest()
