"""The instant up to which an experiment is read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from llmbench.errors import UsageError

__all__ = ["resolve_cutoff", "zone_of"]


def resolve_cutoff(as_of: str, now: datetime, time_zone: str = "") -> datetime:
    """The first instant that is no longer counted, in UTC; never after the clock.

    A day stands for its beginning in `time_zone` (UTC where empty), so that all runs of one day, or with
    'last_monday' of one week, read the same data. `now` is the clock, aware. Raises UsageError.

    >>> resolve_cutoff("last_monday", datetime(2025, 1, 23, 15, tzinfo=UTC)).isoformat()
    '2025-01-20T00:00:00+00:00'
    """
    if now.tzinfo is None:
        raise UsageError(f"The clock must be an aware datetime; it says {now!r}.")
    cutoff = _given_cutoff(as_of, now, time_zone)
    if cutoff > now:
        raise UsageError(
            f"as_of is {as_of!r}, which is after the clock ({now.astimezone(UTC):%Y-%m-%d %H:%M} UTC): give "
            "a day that has begun, because replies of days to come would be taken for missing."
        )
    return cutoff


def _given_cutoff(as_of: str, now: datetime, time_zone: str) -> datetime:
    zone = zone_of(time_zone) if time_zone else UTC
    today = now.astimezone(zone).date()
    if as_of == "today":
        return _beginning(today, zone)
    if as_of == "last_monday":
        return _beginning(today - timedelta(days=today.weekday()), zone)
    try:
        if len(as_of) == 10:
            return _beginning(date.fromisoformat(as_of), zone)
        given = datetime.fromisoformat(as_of)
    except (TypeError, ValueError):
        raise UsageError(
            f"as_of must be a day such as 2025-01-31, an instant, 'today' or 'last_monday'; it is {as_of!r}."
        ) from None
    if given.tzinfo is None:
        if not time_zone:
            raise UsageError(
                f"as_of is {as_of!r}, a time without zone; write it as in {as_of}+00:00, or give time_zone."
            )
        given = given.replace(tzinfo=zone)
    return given.astimezone(UTC)


def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name. Raises UsageError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
        raise UsageError(
            f"time_zone must be a name such as 'UTC' or 'Europe/Berlin'; it is {name!r}."
        ) from None


def _beginning(day: date, zone: tzinfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(UTC)
