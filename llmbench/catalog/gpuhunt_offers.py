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
from llmbench.catalog.gpus import MACHINE_SIZES
from llmbench.errors import UsageError

__all__ = ["SELLERS", "fetch_offers"]

SELLERS = ("aws", "gcp", "azure", "lambdalabs", "runpod", "nebius", "oci", "verda", "cloudrift")
"""Whose lists gpuhunt's own collection has; each is published apart, so one that fails does not stop the
others."""

# Its name of a GPU and its memory in GB, by ours. Machines of other GPUs are left out. It calls the A100 and
# the H100 of either socket alike, which the machine's name tells apart where it does.
_NAMES: Mapping[tuple[str, int], str] = {
    ("T4", 16): "T4",
    ("L4", 24): "L4",
    ("A10", 24): "A10",
    ("A10G", 24): "A10G",
    ("A40", 48): "A40",
    ("A4000", 16): "RTX-A4000",
    ("A5000", 24): "RTX-A5000",
    ("A6000", 48): "RTX-A6000",
    ("L40", 48): "L40",
    ("L40S", 48): "L40S",
    ("V100", 16): "V100-16GB",
    ("V100", 32): "V100-32GB",
    ("A100", 40): "A100-40GB-SXM",
    ("A100", 80): "A100-80GB-SXM",
    ("H100", 80): "H100-80GB-SXM",
    ("H100NVL", 94): "H100-94GB-NVL",
    ("H200", 141): "H200-141GB-SXM",
    ("H200NVL", 141): "H200-141GB-NVL",
    ("GH200", 96): "GH200-96GB",
    ("B200", 180): "B200-180GB-SXM",
    ("GB200", 186): "GB200-192GB",
    ("B300", 270): "B300-288GB-SXM",
    ("MI300X", 192): "MI300X",
    ("MI325X", 256): "MI325X",
    ("MI355X", 288): "MI355X",
    ("RTX3090", 24): "RTX-3090",
    ("RTX3090Ti", 24): "RTX-3090-Ti",
    ("RTX4000Ada", 20): "RTX-4000-Ada",
    ("RTX4080", 16): "RTX-4080",
    ("RTX4090", 24): "RTX-4090",
    ("RTX5080", 16): "RTX-5080",
    ("RTX5090", 32): "RTX-5090",
    ("RTX6000Ada", 48): "RTX-6000-Ada",
    ("RTXPRO6000", 96): "RTX-PRO-6000",
}
_SOCKETS = {"pcie": {"A100-40GB-SXM": "A100-40GB-PCIe", "A100-80GB-SXM": "A100-80GB-PCIe",
                     "H100-80GB-SXM": "H100-80GB-PCIe"}}  # fmt: skip


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
            "Check the network; the prices at hand stay as they are."
        )
    return cheapest_of(items, day)


def _gpu_of(item: Any) -> str | None:
    """Our name of the GPU; None for one that is not in the catalog.

    Some lists have the memory as the driver reports it, up to a tenth less than the label.
    """
    memory = float(item.gpu_memory or 0)
    near = {
        label: name
        for (known, label), name in _NAMES.items()
        if known == str(item.gpu_name) and 0.9 * label <= memory <= 1.1 * label
    }
    gpu = near[min(near, key=lambda label: abs(label - memory))] if near else None
    for word, others in _SOCKETS.items():
        if gpu in others and word in str(item.instance_name).casefold():
            return others[str(gpu)]
    return gpu


def cheapest_of(items: Iterable[Any], day: date) -> list[GpuOffer]:
    """Items of gpuhunt as offers: the cheapest of each seller, GPU and size, spot beside on-demand."""
    found: dict[tuple[str, str, int], dict[bool, Any]] = {}
    for item in items:
        gpu = _gpu_of(item)
        if gpu is None or item.gpu_count not in MACHINE_SIZES or not item.price or item.price <= 0:
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
