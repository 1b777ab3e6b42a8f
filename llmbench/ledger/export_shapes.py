"""What a vendor says it charged: its usage and cost exports, as rows of one shape.

Formats, and where they are described (read in November 2026):

- OpenAI's API, pages of buckets: `organization/usage/completions` and `organization/costs`
  (UsageResponse, UsageCompletionsResult and CostsResult of OpenAI's OpenAPI file).
- OpenAI's dashboard, CSV: the same fields flattened (completions_usage_FROM_TO.csv,
  cost_FROM_TO.csv; a day without usage is a row of blanks).
- Anthropic's console, CSV: tokens (usage_date_utc, model_version, usage_input_tokens_no_cache, ...) and
  cost (usage_date_utc, model, token_type, cost_usd, list_price_usd, cost_type, ...), where the model is
  a display name such as "Claude Haiku 4.5".
- Anthropic's admin API: usage_report/messages (uncached_input_tokens, cache_creation, ...) and
  cost_report, whose `amount` is in cents (platform.claude.com/docs/en/api/admin/cost_report).
- Together's `billing/usage` (beta: docs.together.ai/reference/billing-usage): line items by day.

No vendor documents its CSV: those columns are as public importers of real exports have them, so a
file that differs is refused with the columns it has. All of them count days in UTC.
Anthropic's input tokens exclude cached ones, which are added here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple, NoReturn

from llmbench.catalog import canonical_name
from llmbench.errors import DatasetError

__all__ = ["BUCKET", "ExportRow", "Place", "Reader", "Record", "day_alone", "reader_of"]

_DAY = timedelta(days=1)
BUCKET = frozenset(
    {"object", "start_time", "end_time", "start_time_iso", "end_time_iso", "starting_at", "ending_at", "date"}
    | {"billing.currency"}
)
"""Fields of a bucket itself: one that has no others is a day without usage."""


class ExportRow(NamedTuple):
    """What the vendor counted and charged in one bucket; None where the export does not say."""

    day: date
    """In UTC."""
    model: str | None
    """As the vendor writes it; None for what is not charged by model."""
    calls: int | None = None
    input_tokens: int | None = None
    """Cached tokens included."""
    output_tokens: int | None = None
    usd: float | None = None
    item: str | None = None
    """What was charged for, where that is no model."""


class Place(NamedTuple):
    """Where something stands in a file, for messages."""

    file: str
    where: str

    def refuse(self, what: str, advice: str) -> NoReturn:
        """Raise DatasetError that says where `what` stands, and what to do."""
        raise DatasetError(f"{self.file}, {self.where}: {what}; {advice}.")


Record = Mapping[str, Any]
Reader = Callable[[Record, Place], ExportRow]


def reader_of(
    file: str, names: set[str], order: Sequence[str], mapping: Mapping[str, str] | None
) -> tuple[Reader, str]:
    """What reads records with the columns `names`, and whose export they are of.

    Raises DatasetError with the columns in `order` where they are of no known shape.
    """
    if mapping is not None:
        missing = [column for column in mapping.values() if column not in names]
        if missing:
            raise DatasetError(f"{file} has no column {missing[0]!r}; it has {', '.join(order) or 'none'}.")
        return lambda record, place: _generic(record, place, mapping), "generic"
    for needed, reader, vendor in _SHAPES:
        if needed <= names:
            return reader, vendor
    raise DatasetError(
        f"{file} is no export of a known shape; it has the columns {', '.join(order) or 'none'}: name those "
        "that count by --vendor generic --columns date=...,model=...,input=...,output=...,cost=..."
    )


def _openai_usage(record: Record, place: Place) -> ExportRow:
    return ExportRow(
        day=_bucket_day(record, place),
        model=_word(record.get("model")),
        calls=_whole(record, "num_model_requests", place),
        input_tokens=_whole(record, "input_tokens", place),
        output_tokens=_whole(record, "output_tokens", place),
        item=None,
    )


def _openai_cost(record: Record, place: Place) -> ExportRow:
    _refuse_currency(record.get("amount_currency"), place)
    item = _word(record.get("line_item"))
    return ExportRow(
        day=_bucket_day(record, place),
        model=_model_of_item(item),
        usd=_amount(record, "amount_value", place),
        item=item,
    )


def _model_of_item(item: str | None) -> str | None:
    """The model that a line item is for ("gpt-4o-2024-08-06, input"); "web search tool calls" has none."""
    if item is None:
        return None
    head, comma, _ = item.rpartition(", ")
    if comma:
        return head
    spelled = item.casefold().replace(" ", "-")
    return item if canonical_name(spelled) else None


def _anthropic_usage(record: Record, place: Place) -> ExportRow:
    parts = [
        _whole(record, column, place)
        for column in (
            "usage_input_tokens_no_cache", "usage_input_tokens_cache_read",
            "usage_input_tokens_cache_write_5m", "usage_input_tokens_cache_write_1h",
            "usage_input_tokens_cache_write",
            "uncached_input_tokens", "cache_read_input_tokens",
            "cache_creation_ephemeral_5m_input_tokens", "cache_creation_ephemeral_1h_input_tokens",
        )
        if column in record
    ]  # fmt: skip
    known = [part for part in parts if part is not None]
    output = "usage_output_tokens" if "usage_output_tokens" in record else "output_tokens"
    return ExportRow(
        day=_bucket_day(record, place),
        model=_word(record.get("model_version", record.get("model"))),
        input_tokens=sum(known) if known else None,
        output_tokens=_whole(record, output, place),
    )


def _anthropic_cost(record: Record, place: Place) -> ExportRow:
    return ExportRow(
        day=_bucket_day(record, place),
        model=_word(record.get("model")),
        usd=_amount(record, "cost_usd", place),
        item=_word(record.get("cost_type")),
    )


def _anthropic_cost_api(record: Record, place: Place) -> ExportRow:
    _refuse_currency(record.get("currency"), place)
    cents = _amount(record, "amount", place)
    return ExportRow(
        day=_bucket_day(record, place),
        model=_word(record.get("model")),
        usd=None if cents is None else cents / 100,
        item=_word(record.get("description")),
    )


def _together(record: Record, place: Place) -> ExportRow:
    _refuse_currency(record.get("billing.currency"), place)
    return ExportRow(
        day=_bucket_day(record, place),
        model=_word(record.get("pricing_dimensions_model", record.get("attributes_model"))),
        usd=_amount(record, "cost", place),
        item=_word(record.get("product_name")),
    )


def _generic(record: Record, place: Place, mapping: Mapping[str, str]) -> ExportRow:
    def whole(name: str) -> int | None:
        return _whole(record, mapping[name], place) if name in mapping else None

    return ExportRow(
        day=_day(record.get(mapping["date"]), place, mapping["date"], utc=False),
        model=_word(record.get(mapping["model"])) if "model" in mapping else None,
        calls=whole("calls"),
        input_tokens=whole("input"),
        output_tokens=whole("output"),
        usd=_amount(record, mapping["cost"], place) if "cost" in mapping else None,
    )


# Told by columns that no other shape has; the first that fits.
_SHAPES: tuple[tuple[frozenset[str], Reader, str], ...] = (
    (frozenset({"start_time", "num_model_requests", "output_tokens"}), _openai_usage, "openai"),
    (frozenset({"start_time", "amount_value"}), _openai_cost, "openai"),
    (frozenset({"usage_date_utc", "model_version", "usage_output_tokens"}), _anthropic_usage, "anthropic"),
    (frozenset({"usage_date_utc", "cost_usd"}), _anthropic_cost, "anthropic"),
    (frozenset({"starting_at", "uncached_input_tokens", "output_tokens"}), _anthropic_usage, "anthropic"),
    (frozenset({"starting_at", "amount"}), _anthropic_cost_api, "anthropic"),
    (frozenset({"product_name", "cost"}), _together, "together"),
)  # fmt: skip


def _bucket_day(record: Record, place: Place) -> date:
    start = next(
        (name for name in ("usage_date_utc", "start_time", "starting_at", "date") if record.get(name)), None
    )
    if start is None:
        place.refuse("the row has no date", "export it again, by day")
    end = next((name for name in ("end_time", "ending_at") if record.get(name)), None)
    if end is not None and start != "date":
        length = _instant(record[end], place, end) - _instant(record[start], place, start)
        if length > _DAY:
            place.refuse(f"a bucket of {length.days} days cannot be compared by day", "export it by day")
    return _day(record[start], place, start, utc=True)


def _day(value: Any, place: Place, column: str, *, utc: bool) -> date:
    text = str(value or "").strip()
    try:
        return date.fromisoformat(text)
    except ValueError:
        return _instant(value, place, column, utc=utc).date()


def _instant(value: Any, place: Place, column: str, *, utc: bool = True) -> datetime:
    text = str(value or "").strip()
    try:
        if text.replace(".", "", 1).isdigit() and not isinstance(value, bool):
            return datetime.fromtimestamp(float(text), UTC)
        found = datetime.fromisoformat(text)
    except (ValueError, OverflowError, OSError):
        place.refuse(f"{column} is {text!r:.40}, which is no date", "write dates as 2026-11-22")
    if found.tzinfo is None:
        if not utc:
            place.refuse(
                f"{column} is {text!r} without a time zone", "write the day alone, or add the offset (+00:00)"
            )
        found = found.replace(tzinfo=UTC)
    return found.astimezone(UTC)


def _refuse_currency(currency: Any, place: Place) -> None:
    word = _word(currency)
    if word is not None and word.casefold() != "usd":
        place.refuse(f"the amount is in {word!r}", "the ledger is in USD: export or convert it")


def _word(value: Any) -> str | None:
    text = "" if value is None else str(value).strip()
    return text or None


def _whole(record: Record, column: str, place: Place) -> int | None:
    value = _amount(record, column, place)
    if value is None:
        return None
    if value < 0 or value != int(value):
        place.refuse(f"{column} is {record[column]!r}, which is no count", "correct it")
    return int(value)


def _amount(record: Record, column: str, place: Place) -> float | None:
    text = _word(record.get(column))
    if text is None:
        return None
    try:
        value = float(text.removeprefix("$"))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        # A comma may part thousands or be the decimal sign: it is not guessed which.
        place.refuse(f"{column} is {text!r:.40}, which is no number", "write it as 1234.56")
    return value


def day_alone(record: Record, place: Place) -> ExportRow:
    """A bucket without results: its day belongs to the period."""
    return ExportRow(_bucket_day(record, place), None)
