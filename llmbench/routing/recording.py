"""Where a router's calls are kept, and what it reads back when it starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.ledger import Ledger
    from llmbench.providers.base import BaseLLMProvider
    from llmbench.providers.clock import Clock
    from llmbench.routing.limits import Spending
    from llmbench.routing.speeds import Speeds
    from llmbench.routing.targets import Target
    from llmbench.types import Recorder

__all__ = ["open_providers", "recorders", "seed_speeds", "seed_spending"]

_DAY_S = 86_400
_ANSWERS_A_MODEL = 512


def open_providers(
    names: Sequence[str] | None, ledger: Ledger | None
) -> tuple[dict[str, BaseLLMProvider], Ledger]:
    """The endpoints of the project by name (None: all at hand), and the ledger they record to.

    Raises UsageError where there is none.
    """
    from llmbench.config import load_config
    from llmbench.ledger import Ledger
    from llmbench.providers.registry import endpoints_at_hand, open_endpoint

    config = load_config()
    ledger = ledger or Ledger()
    chosen = endpoints_at_hand(config) if names is None else names
    if isinstance(chosen, str):
        raise UsageError(f'providers is {chosen!r}; give a list of endpoints, or {{"name": provider}}.')
    return {name: open_endpoint(name, config=config, recorder=ledger) for name in chosen}, ledger


def recorders(
    providers: Mapping[str, BaseLLMProvider], ledger: Ledger | None, *, texts: bool, redact: Sequence[str]
) -> dict[str, Recorder | None]:
    """Where the calls of each endpoint are kept: the router's ledger, else the provider's own.

    Raises UsageError where a provider has another ledger than the router: one call, one ledger.
    """
    from llmbench.ledger.privacy import Discreet

    found: dict[str, Recorder | None] = {}
    for name, provider in providers.items():
        own = provider.recorder
        if ledger is not None and own is not None and own is not ledger:
            raise UsageError(
                f"The provider {name!r} records to another ledger than the router; give both the same, or "
                "one of them none."
            )
        home = ledger if ledger is not None else own
        found[name] = (
            home if home is None or (texts and not redact) else Discreet(home, texts=texts, redact=redact)
        )
    return found


def seed_speeds(speeds: Speeds, targets: Sequence[Target], ledger: Ledger) -> None:
    """Take in the newest answers that the ledger holds of each target."""
    for target in targets:
        speeds.add_older(target, ledger.newest_latencies(target.endpoint, target.model, _ANSWERS_A_MODEL))


def seed_spending(spending: Spending, ledger: Ledger, clock: Clock) -> None:
    """Count what the ledger holds of the last day. An attempt whose charge is not known counts as the
    dearest known one of its minute, for want of better.
    """
    now, start = clock.now(), clock.monotonic()
    for when, usd in ledger.spend_by_minute(now - timedelta(seconds=_DAY_S)):
        spending.add_past(start - (now - when).total_seconds(), usd)
