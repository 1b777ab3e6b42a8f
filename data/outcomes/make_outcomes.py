"""Make the simulated outcomes of this folder, or larger ones: an A/B test whose truth is known.

    python data/outcomes/make_outcomes.py                    # the files of this folder, value for value
    python data/outcomes/make_outcomes.py --leads 1000000 --out /tmp/outcomes

Nothing here was sent to anybody. Only uniform numbers of a PCG64 generator and plain arithmetic are used,
so that the values do not depend on the version of numpy.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

HERE = Path(__file__).resolve().parent
SEED = 20250123
LEADS = 60_000
START = np.datetime64("2025-01-06T00:00", "m")
DAYS = 70
MINUTES_A_DAY = 1440
SECOND_EPOCH_DAY = 49  # 2025-02-24
WEIGHTS = ({"gpt-4o": 0.1, "mixtral": 0.9}, {"gpt-4o": 0.2, "mixtral": 0.8})
BASE_RATE = (0.036, 0.024)
"""Of a reply within the window, on the first and on the last day: a drift that both arms share."""
RATIO = 1.0
"""Reply rate of mixtral over that of gpt-4o: they are truly equal."""
SIZES = (("small", 0.6, 1.12), ("medium", 0.3, 0.9), ("large", 0.1, 0.65))
INDUSTRIES = ("software", "retail", "health", "finance")
MAILBOXES = 40
MAILBOX_SPREAD = 0.4
LATE_SHARE = 0.06
"""Of all human replies: after the 14 days of the window."""
FALLBACK = {"gpt-4o": 0.002, "mixtral": 0.012}
UNDELIVERED, AUTO_REPLIES = 0.02, 0.035
UNSUBSCRIBES, COMPLAINTS = 0.008, 0.0008
USD_PER_M = {"gpt-4o": (2.5, 10.0), "mixtral": (0.6, 0.6)}
DOUBLED_SENDS, LEADS_IN_TWO_ARMS, STRANGERS = 40, 6, 12


def make(leads: int = LEADS, seed: int = SEED, days: int = DAYS) -> dict[str, pa.Table]:
    """The tables, by name."""
    rng = np.random.Generator(np.random.PCG64(seed))
    lead = np.arange(1, leads + 1)
    begun = np.sort((rng.random(leads) * days * MINUTES_A_DAY).astype(np.int64))
    second = begun >= SECOND_EPOCH_DAY * MINUTES_A_DAY
    p_mixtral = np.where(second, WEIGHTS[1]["mixtral"], WEIGHTS[0]["mixtral"])
    mixtral = rng.random(leads) < p_mixtral
    size = np.searchsorted(np.cumsum([share for _, share, _ in SIZES])[:-1], rng.random(leads), side="right")
    industry = (rng.random(leads) * len(INDUSTRIES)).astype(np.int64)
    mailbox = (rng.random(leads) * MAILBOXES).astype(np.int64)
    mood = 1 + MAILBOX_SPREAD * (2 * rng.random(MAILBOXES) - 1)
    drift = BASE_RATE[0] + (BASE_RATE[1] - BASE_RATE[0]) * begun / (days * MINUTES_A_DAY)
    rate = drift * np.array([factor for _, _, factor in SIZES])[size] * mood[mailbox]
    rate = rate * np.where(mixtral, RATIO, 1.0)
    in_time = rng.random(leads) < rate
    too_late = ~in_time & (rng.random(leads) < rate * LATE_SHARE / (1 - LATE_SHARE))
    delay = np.where(
        in_time, 20 + (rng.random(leads) ** 3 * 13.9 * MINUTES_A_DAY), (14.1 + rng.random(leads) * 20) * MINUTES_A_DAY
    ).astype(np.int64)
    sent_at = begun + 1 + (rng.random(leads) * 30).astype(np.int64)
    reply_at = sent_at + delay
    replied = in_time | too_late

    sends = _sends(rng, leads, sent_at, reply_at, replied, mixtral)
    arm = np.where(mixtral, "mixtral", "gpt-4o")
    p_arm = np.where(mixtral, p_mixtral, np.round(1 - p_mixtral, 6))
    twice = np.arange(LEADS_IN_TWO_ARMS) * (leads // (LEADS_IN_TWO_ARMS + 1)) + 7
    assigned = np.concatenate([np.arange(leads), twice])
    tables = {
        "assignments": {
            "lead_id": lead[assigned],
            "arm": _words(np.concatenate([arm, np.where(mixtral[twice], "gpt-4o", "mixtral")])),
            "epoch": np.where(second, 2, 1)[assigned].astype(np.int8),
            "probability": np.concatenate([p_arm, np.round(1 - p_arm[twice], 6)]),
            "assigned_at": _times(begun[assigned]),
            "company_size": _words(np.array([name for name, _, _ in SIZES])[size][assigned]),
            "industry": _words(np.array(INDUSTRIES)[industry][assigned]),
        },
        "sends": {
            "message_id": sends["message_id"],
            "lead_id": lead[sends["row"]],
            "sent_at": _times(sends["at"]),
            "delivered": sends["delivered"],
            "served_model": _words(sends["served"]),
            "cost_usd": sends["cost"],
            "mailbox": _words(np.array([f"mailbox-{i:02}" for i in range(MAILBOXES)])[mailbox[sends["row"]]]),
        },
    }
    auto = np.flatnonzero(rng.random(leads) < AUTO_REPLIES)
    strangers = leads + 1 + np.arange(STRANGERS)
    who = np.flatnonzero(replied)
    tables["replies"] = {
        "lead_id": np.concatenate([lead[who], lead[auto], strangers]),
        "replied_at": _times(np.concatenate([reply_at[who], sent_at[auto] + 1, 5000 + 100 * np.arange(STRANGERS)])),
        "kind": _words(np.repeat(["human", "auto-reply", "human"], [len(who), len(auto), STRANGERS])),
    }
    for name, share in (("unsubscribes", UNSUBSCRIBES), ("complaints", COMPLAINTS)):
        gone = np.flatnonzero(rng.random(leads) < share)
        tables[name] = {
            "lead_id": lead[gone],
            "at": _times(sent_at[gone] + 60 + (rng.random(len(gone)) * 10 * MINUTES_A_DAY).astype(np.int64)),
        }
    return {name: _table(columns) for name, columns in tables.items()}


def _sends(rng: Any, leads: int, first: Any, reply_at: Any, replied: Any, mixtral: Any) -> dict[str, Any]:
    """One to three messages a lead, on days 0, 4 and 9; a reply ends them."""
    rows, times = [np.arange(leads)], [first]
    for day in (4, 9):
        at = first + day * MINUTES_A_DAY + (rng.random(leads) * 120).astype(np.int64)
        goes_on = (rng.random(leads) < 0.75) & ~(replied & (reply_at <= at))
        rows.append(np.flatnonzero(goes_on))
        times.append(at[goes_on])
    row, at = np.concatenate(rows), np.concatenate(times)
    order = np.lexsort((at, row))
    row, at = row[order], at[order]
    arm = np.where(mixtral[row], "mixtral", "gpt-4o")
    falls_back = rng.random(len(row)) < np.where(mixtral[row], FALLBACK["mixtral"], FALLBACK["gpt-4o"])
    served = np.where(falls_back, np.where(mixtral[row], "gpt-4o", "mixtral"), arm)
    tokens_in = 300 + (rng.random(len(row)) * 8).astype(np.int64) * 20
    tokens_out = 110 + (rng.random(len(row)) * 10).astype(np.int64) * 10
    into, out = (np.where(served == "gpt-4o", *(USD_PER_M[m][i] for m in ("gpt-4o", "mixtral"))) for i in (0, 1))
    found = {
        "row": row,
        "at": at,
        "message_id": np.arange(1, len(row) + 1),
        "delivered": rng.random(len(row)) >= UNDELIVERED,
        "served": served,
        "cost": np.round((tokens_in * into + tokens_out * out) / 1e6, 6),
    }
    doubled = np.arange(DOUBLED_SENDS) * (len(row) // (DOUBLED_SENDS + 1)) + 11
    order = np.sort(np.concatenate([np.arange(len(row)), doubled]), kind="stable")
    return {name: values[order] for name, values in found.items()}


def _times(minutes: Any) -> pa.Array:
    return pa.array((START + minutes.astype("timedelta64[m]")).astype("datetime64[s]")).cast(
        pa.timestamp("ms", tz="UTC")
    )


def _words(values: Any) -> pa.Array:
    return pa.array(values.tolist(), pa.string()).dictionary_encode().cast(pa.string())


def _table(columns: dict[str, Any]) -> pa.Table:
    n = len(next(iter(columns.values())))
    return pa.table({**columns, "simulated": pa.array([True] * n)}).replace_schema_metadata({"simulated": "true"})


def truth(leads: int = LEADS, seed: int = SEED) -> dict[str, Any]:
    """What the verdict is to be judged by."""
    return {
        "simulated": True, "seed": seed, "leads": leads, "ratio_mixtral_over_gpt_4o": RATIO,
        "rate_first_day": BASE_RATE[0], "rate_last_day": BASE_RATE[1], "window_days": 14,
        "weights": [{"start": "2025-01-06", **WEIGHTS[0]}, {"start": "2025-02-24", **WEIGHTS[1]}],
        "late_share": LATE_SHARE, "fallback_share": FALLBACK, "undelivered_share": UNDELIVERED,
        "unsubscribe_rate": UNSUBSCRIBES, "complaint_rate": COMPLAINTS, "interaction_with_segments": 0,
        "sends_listed_twice": DOUBLED_SENDS, "leads_in_two_arms": LEADS_IN_TWO_ARMS,
        "replies_of_strangers": STRANGERS,
    }  # fmt: skip


def write(folder: Path, leads: int = LEADS, seed: int = SEED) -> None:
    """Write all tables and the truth."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in make(leads, seed).items():
        pq.write_table(
            table, folder / f"simulated_{name}.parquet", compression="zstd", compression_level=19,
            use_dictionary=["arm", "served_model", "mailbox", "company_size", "industry", "kind", "cost_usd", "epoch",
                            "probability"],
            column_encoding={
                column: "DELTA_BINARY_PACKED"
                for column in ("lead_id", "message_id", "sent_at", "assigned_at", "replied_at", "at")
                if column in table.column_names
            },
        )  # fmt: skip
    text = json.dumps(truth(leads, seed), indent=2) + "\n"
    (folder / "simulated_truth.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Simulated outcomes of an A/B test.")
    parser.add_argument("--leads", type=int, default=LEADS)
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=HERE)
    given = parser.parse_args()
    write(given.out, given.leads, given.seed)
