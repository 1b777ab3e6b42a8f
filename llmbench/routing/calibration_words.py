"""The recommendation of a calibration in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from llmbench.money import dollars
from llmbench.routing.calibrated import Certificate, Expected, GainFound, Status
from llmbench.unknown import UNKNOWN

__all__ = ["summary_of"]


def summary_of(
    status: Status,
    strong: str,
    models: Sequence[str],
    certificate: Certificate,
    gain: GainFound,
    expected: Expected | None,
    least: int,
) -> str:
    """What to do, and why. `models` by rising cost."""
    stay = f"Route nothing, stay with {strong}: "
    if status is Status.NO_CHEAPER:
        return f"{stay}it is the best model and none is cheaper."
    if status is Status.NOT_ENOUGH_DATA:
        return (
            f"{stay}not enough data. {certificate.units:,} independent prompts with a score of every model "
            f"were kept for the certificate, and it needs at least {least:,}."
        )
    bound = (
        f"with {1 - certificate.level:.0%} confidence at most {certificate.tolerance:.0%} of the quality of "
        f"{strong} is lost (n = {certificate.n:,})"
    )
    if status is Status.NOT_CERTIFIED:
        return (
            f"{stay}no threshold is shown to lose at most {certificate.tolerance:.0%} of its quality "
            f"(n = {certificate.n:,})."
        )
    if status is Status.NO_GAIN:
        p_value = UNKNOWN if gain.p_value is None else f"{gain.p_value:.3f}"
        return (
            f"{stay}the learned choices are not shown to be better than a coin's (p = {p_value}, one-sided, "
            f"against {gain.level:g}; n = {certificate.n:,})."
        )
    saving = "the saving is unknown, as costs are not given"
    if expected is not None and expected.saving_usd is not None and expected.saving_interval is not None:
        found = (expected.saving_usd, *expected.saving_interval)
        mean, low, high = (dollars(1000 * usd) for usd in found)
        saving = f"that saves {mean} per 1,000 prompts ({low} to {high})"
    if status is Status.CHEAPEST or expected is None:
        return f"No router is needed: send all prompts to {models[0]}; {bound}, and {saving}."
    shares = ", ".join(f"{expected.shares[m]:.0%} to {m}" for m in models if expected.shares[m])
    return f"Route {shares}: {bound}, and {saving}."
