"""Of which day the numbers of a result are, where they are not all of one.

An effect is that of its look. What stands beside it is of the same cut-off wherever the source can be read
as of then; what is not says so.
"""

from __future__ import annotations

import hashlib
import json
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from llmbench.abtest.counts import Counts
    from llmbench.abtest.looks import Look
    from llmbench.abtest.results import AbResult

__all__ = ["cut_off_notes", "fingerprint", "others_than_seen"]

_BESIDE = "leads, replies, costs, segments and money"


def cut_off_notes(result: AbResult) -> tuple[str, ...]:
    """One sentence for each part of a result that is of other data than the rest."""
    if not result.health.healthy or not result.looks or not any(c.look for c in result.comparisons):
        return ()
    return (*_of_the_run(result), *_of_arms(result))


def fingerprint(counts: Counts) -> str:
    """Of all that is shown beside an effect: two readings of the same rows have the same."""
    arms = [(*e[:6], e.costed_units, e.costed_replied, _rounded(e.cost_usd)) for e in sorted(counts.arms)]
    shown = [arms, sorted(counts.segments), [e.units for e in sorted(counts.assigned, key=lambda e: e[:2])]]
    return hashlib.sha256(json.dumps(shown).encode()).hexdigest()[:16]


def others_than_seen(counts: Counts, look: Look) -> bool:
    """Whether the rows are not those of the look; False where it did not keep what tells them apart."""
    kept = next((each["rows"] for each in look.comparisons if "rows" in each), None)
    return kept is not None and kept != fingerprint(counts)


def _rounded(usd: float) -> str:
    # The last digits of a sum are those of the order in which an engine added it up.
    return f"{usd:.6e}"


def _of_the_run(result: AbResult) -> list[str]:
    last = result.looks[-1]
    if result.occasion.kind == "over" and result.as_of > result.counts.as_of:
        told = (
            f"Everything shown is of data up to {_day(result.counts.as_of)}, as of look {last.number}; only "
            f"unwanted events and what is still needed are of data up to {_day(result.as_of)}."
        )
    elif result.occasion.kind == "over":
        told = (
            f"The effect is of look {last.number}, of data up to {_day(last.cut_off)}; {_BESIDE} are of "
            f"data up to {_day(result.counts.as_of)}."
        )
    elif result.rows_changed:
        told = (
            f"Rows came or changed since look {last.number}: the effect is as the look showed it, and "
            f"{_BESIDE} are of the rows as they are now."
        )
    else:
        return []
    return [told]


def _of_arms(result: AbResult) -> list[str]:
    """Treatments whose effect is of another look than the rest."""
    looks = {look.number: look for look in result.looks}
    newest = result.looks[-1].number
    return [
        f"{c.treatment} was decided at look {c.look}: its effect is of data up to "
        f"{_day(looks[c.look].cut_off)}."
        for c in result.comparisons
        if c.look in looks and (c.look < newest or not result.shows_effect)
    ]


def _day(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d}"
