"""Offers of GPUs as gpuhunt (the extra `prices`) collects them from sellers' lists.

It asks the network each time it is used, and its data are of that day only: that is why a snapshot is
written, and why a report never asks it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from llmbench.catalog.gpu_offers import GpuOffer
from llmbench.errors import UsageError

__all__ = ["SELLERS", "fetch_offers"]

SELLERS = ("aws", "gcp", "azure", "lambdalabs", "runpod", "nebius", "oci", "verda")
"""Whose lists gpuhunt's own collection has; each is published apart, so one that fails does not stop the
others."""

# Its name of a GPU and its memory in GB, by ours. Machines of other GPUs are left out.
_NAMES: Mapping[tuple[str, int], str] = {
    ("T4", 16): "T4",
    ("L4", 24): "L4",
    ("A10G", 24): "A10G",
    ("L40S", 48): "L40S",
    ("A100", 40): "A100-40GB-SXM",
    ("A100", 80): "A100-80GB-SXM",
    ("H100", 80): "H100-80GB-SXM",
    ("H200", 141): "H200-141GB-SXM",
    ("B200", 180): "B200-180GB-SXM",
    ("MI300X", 192): "MI300X",
    ("RTX4090", 24): "RTX-4090",
    ("RTX3090", 24): "RTX-3090",
}
_SIZES = (1, 2, 4, 8)


def fetch_offers(day: date, sellers: Iterable[str] = SELLERS) -> list[GpuOffer]:
    """The cheapest offer of each seller, GPU and number of GPUs, on demand and as spot.

    Raises UsageError where the extra is missing, and where no seller's list could be fetched.
    """
    try:
        import gpuhunt
    except ImportError as error:
        raise UsageError("Refreshing GPU prices needs gpuhunt: pip install 'llmbench[prices]'.") from error
    # It logs a traceback for each list that it could not fetch; what came and what did not is said below.
    logging.getLogger("gpuhunt").setLevel(logging.CRITICAL)
    names = sorted({name for name, _ in _NAMES})
    items: list[Any] = []
    failed = []
    for seller in sellers:
        try:
            items += gpuhunt.query(provider=seller, gpu_name=names, min_gpu_count=1)
        except Exception as error:  # noqa: BLE001 - whatever a seller's reader raises, the others go on
            failed.append(f"{seller} ({type(error).__name__})")
    if not items:
        raise UsageError(
            f"No list of GPU prices could be fetched: {', '.join(failed) or 'all were empty'}. "
            f"Check the network; the "
            "prices at hand stay as they are."
        )
    return cheapest_of(items, day)


def cheapest_of(items: Iterable[Any], day: date) -> list[GpuOffer]:
    """Items of gpuhunt as offers: the cheapest of each seller, GPU and size, spot beside on-demand."""
    found: dict[tuple[str, str, int], dict[bool, Any]] = {}
    for item in items:
        gpu = _NAMES.get((str(item.gpu_name), round(item.gpu_memory or 0)))
        if gpu is None or item.gpu_count not in _SIZES or not item.price or item.price <= 0:
            continue
        kept = found.setdefault((item.provider, gpu, item.gpu_count), {})
        if item.spot not in kept or item.price < kept[item.spot].price:
            kept[item.spot] = item
    offers = []
    for (seller, gpu, count), kinds in sorted(found.items()):
        first = kinds.get(False) or kinds[True]
        offers.append(
            GpuOffer(
                gpu=gpu,
                n_gpu=count,
                seller=seller,
                instance=first.instance_name,
                as_of=day.isoformat(),
                source="gpuhunt",
                region=first.location or "",
                usd_per_hour=float(kinds[False].price) if False in kinds else None,
                spot_usd_per_hour=float(kinds[True].price) if True in kinds else None,
            )
        )
    return offers
