"""What came of calls: replies, and their value, by the unit they were made for."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, overload

from llmbench.errors import UsageError
from llmbench.ledger.rows import Statement, instant_text, stored_text
from llmbench.shown import shown

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["OUTCOME_COLUMNS", "Event", "Outcome", "Outcomes", "outcome_is_whole", "outcome_row"]

OUTCOME_COLUMNS = (
    "digest", "unit_id", "call_id", "replied", "happened_at", "value", "recorded_at", "metadata",
)  # fmt: skip
_INSERT = (
    f"INSERT INTO outcomes ({', '.join(OUTCOME_COLUMNS)}) "  # noqa: S608 - constants of this module
    f"VALUES ({', '.join('?' * len(OUTCOME_COLUMNS))}) ON CONFLICT (digest) DO NOTHING"
)
_PLAIN = (
    "model", "arm", "epoch", "probability", "first_sent", "first_reply", "replies", "value", "cost",
    "unpriced",
)  # fmt: skip


class Event(NamedTuple):
    """One thing that happened after a call, as it was recorded."""

    unit_id: str | None
    call_id: str | None
    replied: bool
    happened_at: datetime
    value: float | None
    """USD."""
    metadata: Mapping[str, Any]


class Outcome(NamedTuple):
    """What came of the calls for one unit, in one experiment or in none.

    `sent` counts answered calls. `replied` is 1 if a reply came after the first of them, within the
    window where there is one, else 0. In `metadata`:

    - `model`: the assigned arm; outside of an experiment the model asked most.
    - `arm`, `epoch`, `probability`: of the assignment in force at the first answer; None where the
      ledger has none. `arms`: all that the unit was ever assigned to, one but for a dropped arm.
    - `served`: {endpoint/model: answered calls}.
    - `first_sent`, `first_reply`, `replies`, `value` (USD, of all `events` counted; None if none has one).
    - `cost` (USD of all attempts, failed ones too; None if none is known), `unpriced` (attempts that
      `cost` lacks).
    - `events`: what was recorded, in order of time, each with its own metadata.
    """

    unit_id: str
    experiment_id: str | None
    sent: int
    replied: int
    metadata: Mapping[str, Any]


@shown
@dataclass(frozen=True, slots=True)
class Outcomes(Sequence[Outcome]):
    """Outcomes of all units that were sent something, the first sent first, and what is not counted.

    The costs of these and of `not_sent` add up to what was spent, but for `attempts_without_unit`.
    """

    rows: tuple[Outcome, ...]
    without_exposure: tuple[Event, ...] = ()
    """Events of a unit or call that the ledger has no answered call of."""
    before_exposure: tuple[Event, ...] = ()
    """Events that happened before the first answer to their unit: not counted."""
    after_window: tuple[Event, ...] = ()
    """Events later than the window: not counted."""
    not_sent: tuple[Outcome, ...] = ()
    """Units that were assigned, or asked for in vain, and to which nothing was answered."""
    attempts_without_unit: int = 0
    """Attempts of an experiment whose unit was forgotten (`Ledger.prune`) or never named: in no unit."""

    @overload
    def __getitem__(self, index: int) -> Outcome: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Outcome]: ...
    def __getitem__(self, index: int | slice) -> Outcome | Sequence[Outcome]:
        return self.rows[index]

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[Outcome]:
        return iter(self.rows)

    def to_pandas(self) -> pd.DataFrame:
        """One row per unit; `served` and `events` are left out."""
        import pandas as pd

        columns: dict[str, list[Any]] = {name: [] for name in (*Outcome._fields[:-1], *_PLAIN)}
        for outcome in self.rows:
            for name, value in zip(Outcome._fields[:-1], outcome[:-1], strict=True):
                columns[name].append(value)
            for name in _PLAIN:
                columns[name].append(outcome.metadata[name])
        frame = pd.DataFrame(columns)
        frame["epoch"] = frame["epoch"].astype("Int64")
        for name in ("probability", "value", "cost"):
            frame[name] = frame[name].astype("float64")
        for name in ("first_sent", "first_reply"):
            frame[name] = frame[name].astype("datetime64[us, UTC]")
        return frame

    def notes(self) -> list[str]:
        """What was not counted, in sentences."""
        told = (
            (len(self.without_exposure), "outcomes belong to no answered call of the ledger"),
            (len(self.before_exposure), "outcomes happened before the first answer to their unit"),
            (len(self.after_window), "outcomes happened after the window"),
            (len(self.not_sent), "units were never sent anything"),
            (self.attempts_without_unit, "attempts of experiments belong to no unit"),
        )
        return [f"{count:,} {what}." for count, what in told if count]

    def _repr_html_(self) -> str:
        from llmbench.plain_table import PlainTable

        by_model: dict[str, list[int]] = {}
        for outcome in self.rows:
            sums = by_model.setdefault(str(outcome.metadata["model"]), [0, 0, 0])
            sums[0] += 1
            sums[1] += outcome.sent
            sums[2] += outcome.replied
        rows = [
            (model, f"{units:,}", f"{sent:,}", f"{replied:,}", f"{replied / units:.2%}")
            for model, (units, sent, replied) in sorted(by_model.items())
        ]
        table = PlainTable(("model", "units", "messages", "units that replied", "share"), rows)
        return table.html() + "".join(f"<p>{note}</p>" for note in self.notes())


def outcome_row(event: Event, recorded_at: datetime) -> Statement:
    """What writes one event; the same event again changes nothing. Raises UsageError."""
    if (event.unit_id is None) == (event.call_id is None):
        raise UsageError("An outcome belongs to a unit or to a call: give either unit_id or call_id.")
    for name, given in (("unit_id", event.unit_id), ("call_id", event.call_id)):
        if given is not None and (type(given) is not str or not given):
            raise UsageError(f"{name} must be a text; it is {given!r}.")
    if not isinstance(event.replied, bool):
        raise UsageError(f"replied must be True or False; it is {event.replied!r}.")
    value = event.value
    if value is not None and not _is_amount(value):
        raise UsageError(f"value must be USD, 0 or more, or None where it is not known; it is {value!r}.")
    if not isinstance(event.happened_at, datetime):
        raise UsageError(f"at must be an aware datetime; it is {event.happened_at!r}.")
    try:
        metadata = json.dumps(dict(event.metadata), sort_keys=True, allow_nan=False, ensure_ascii=False)
    except (TypeError, ValueError) as error:
        raise UsageError(f"The metadata of an outcome must be JSON ({error}).") from error
    at = instant_text(event.happened_at)
    amount = None if value is None else float(value)
    # As it was given (5 is not 5.0), unless the table cannot keep that.
    digest = _digest(
        event.unit_id, event.call_id, event.replied, at, value if value == amount else amount, metadata
    )
    return Statement(
        _INSERT,
        (
            digest,
            stored_text(event.unit_id),
            stored_text(event.call_id),
            int(event.replied),
            at,
            amount,
            instant_text(recorded_at),
            stored_text(metadata),
        ),
    )


def outcome_is_whole(stored: Mapping[str, Any]) -> bool:
    """Whether a row of table `outcomes`, by column, has the digest of its values.

    `recorded_at` is not among them: the digest is also the name by which the same event, sent again at
    another time, is known to be there. Nothing reads it. What counts, in which window and before which
    cut-off, and what `prune` removes, goes by `happened_at`, which is covered. A figure that shall depend on
    it needs a checksum of its own first.
    """
    value, replied = stored["value"], stored["replied"]
    texts = [stored[name] for name in ("unit_id", "call_id", "happened_at", "metadata")]
    try:
        unit_id, call_id, at, metadata = (
            each.decode(errors="surrogatepass") if isinstance(each, bytes) else each for each in texts
        )
        as_stored = [stored_text(each) for each in (unit_id, call_id, at, metadata)]
    except (AttributeError, ValueError):
        return False
    if as_stored != texts or replied not in (0, 1) or not isinstance(value, int | float | None):
        return False
    return any(
        _digest(unit_id, call_id, bool(replied), at, each, metadata) == stored["digest"]
        for each in _spellings(value)
    )


def _spellings(value: float | None) -> list[float | None]:
    """5 and 5.0 are the same in the table, as are 0.0 and -0.0, and not in JSON."""
    if value is None or value % 1:
        return [value]
    return [value, int(value)] if value else [0.0, 0, -0.0]


def _digest(*identity: object) -> bytes:
    return hashlib.blake2b(json.dumps(identity).encode(), digest_size=16).digest()


def _is_amount(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < math.inf
