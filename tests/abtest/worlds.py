"""Small worlds full of trouble: random tables with every kind of bad row that must be counted out."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd

START = datetime(2025, 1, 6, tzinfo=UTC)
AS_OF = datetime(2025, 2, 17, tzinfo=UTC)
WINDOW = 7
ARM_MAP = {"mixtral-8x7b": "mixtral", "mixtral": "mixtral", "gpt-4o": "gpt-4o"}


def instant(rng: random.Random, days: float, start: datetime = START) -> datetime:
    # Whole hours, so that instants of two rows often coincide.
    return start + timedelta(hours=rng.randrange(int(days * 24)))


def frame(rows: list[dict[str, Any]], times: tuple[str, ...]) -> pd.DataFrame:
    made = pd.DataFrame(rows)
    for name in times:
        made[name] = pd.to_datetime(made[name], utc=True).astype("datetime64[us, UTC]")
    return made


def wide_world(seed: int, units: int = 60) -> pd.DataFrame:
    """One row a message."""
    rng = random.Random(seed)
    rows: list[dict[str, Any]] = []
    for number in range(units):
        arm = rng.choice(["mixtral-8x7b", "mixtral", "gpt-4o", "gpt-4o", "llama" if rng.random() < 0.2 else "gpt-4o"])
        begun = instant(rng, 45)
        for _ in range(rng.choice([1, 1, 2, 3, 5])):
            sent: datetime | None = begun + timedelta(hours=rng.choice([0, 0, 24, 72, 168, 169, 300]))
            if rng.random() < 0.05:
                sent = None
            at = None
            if rng.random() < 0.3:
                at = (sent or begun) + timedelta(hours=rng.choice([-30, 0, 1, 50, 160, 168, 169, 400]))
            rows.append(
                {
                    "unit_id": None if rng.random() < 0.03 else f"u{number:03}",
                    "arm": None if rng.random() < 0.05 else ("gpt-4o" if rng.random() < 0.03 else arm),
                    "epoch": rng.choice(["1", "1", "2"]) if rng.random() < 0.1 else str(1 + number % 2),
                    "sent_at": sent,
                    "delivered": rng.choice([True] * 12 + [False, None]),
                    "replied_at": at,
                    "replied": at is not None,
                    "kind": rng.choice(["human", "bounce", "auto", None]) if at else None,
                    "cost": None if rng.random() < 0.05 else rng.randrange(1, 2000) / 1e5,
                    "served_model": rng.choice(["mixtral", "gpt-4o", "other", None]),
                    "mailbox": None if rng.random() < 0.1 else f"box{number % 7}",
                    "segment": None if rng.random() < 0.05 else f"s{number % 3}",
                    "message": f"m{len(rows)}",
                }
            )
            while rng.random() < 0.1:
                rows.append(dict(rows[-1]))
    rng.shuffle(rows)
    return frame(rows, ("sent_at", "replied_at"))


def three_tables(seed: int, units: int = 60) -> dict[str, pd.DataFrame]:
    """Sends, replies, assignments and unsubscribes."""
    rng = random.Random(seed)
    sends: list[dict[str, Any]] = []
    replies: list[dict[str, Any]] = []
    assignments: list[dict[str, Any]] = []
    gone: list[dict[str, Any]] = []
    for number in range(units):
        name = f"u{number:03}"
        begun = instant(rng, 45)
        for _ in range(rng.choice([0, 1, 1, 1, 1, 2])):
            assignments.append(
                {
                    "unit_id": None if rng.random() < 0.03 else name,
                    "arm": rng.choice([None, "llama"]) if rng.random() < 0.06 else rng.choice(
                        ["mixtral", "gpt-4o"] if rng.random() < 0.1 else [["mixtral", "gpt-4o"][number % 2]]
                    ),
                    "assigned_at": None if rng.random() < 0.1 else begun + timedelta(hours=rng.choice([-5, 0, 30])),
                    "epoch": str(1 + number // 30),
                }
            )
        for _ in range(rng.choice([0, 1, 1, 2, 3])):
            sends.append(
                {
                    "unit_id": None if rng.random() < 0.03 else name,
                    "sent_at": None if rng.random() < 0.04 else begun + timedelta(hours=rng.choice([0, 24, 168, 169])),
                    "message": f"m{len(sends)}",
                    "cost": rng.randrange(1, 2000) / 1e5,
                    "served_model": rng.choice(["mixtral", "gpt-4o", "other", None]),
                    "mailbox": f"box{number % 7}",
                    "segment": f"s{number % 3}",
                }
            )
            if rng.random() < 0.15:
                sends.append(dict(sends[-1]))
        for table, column, chance in ((replies, "replied_at", 0.5), (gone, "at", 0.2)):
            while rng.random() < chance:
                table.append(
                    {
                        "unit_id": rng.choice([name, name, name, name, None, "stranger"]),
                        column: None if rng.random() < 0.05 else begun + timedelta(
                            hours=rng.choice([-10, 0, 1, 100, 168, 169, 192, 900])
                        ),
                        "kind": rng.choice(["human", "human", "bounce", "auto", None]),
                    }
                )
                if rng.random() < 0.2:
                    table.append(dict(table[-1]))
    return {
        "sends": frame(sends, ("sent_at",)),
        "replies": frame(replies, ("replied_at",)),
        "assignments": frame(assignments, ("assigned_at",)),
        "unsubscribes": frame(gone, ("at",)).drop(columns="kind"),
    }
