from __future__ import annotations

import json
import sys
from datetime import date
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from click.testing import CliRunner

from llmbench.catalog import gpu_facts
from llmbench.catalog.gpu_offers import (
    GpuOffer,
    age_days,
    cheapest_offer,
    gpu_offers,
    read_snapshot,
    write_snapshot,
)
from llmbench.catalog.gpuhunt_offers import _NAMES, cheapest_of, fetch_offers
from llmbench.cli import cli
from llmbench.errors import UsageError

DAY = date(2026, 11, 28)
SHARED = Path(__file__).resolve().parents[3] / "shared" / "validation" / "throughput" / "hardware.json"


def test_the_machines_of_the_document_and_of_its_audit() -> None:
    offer, usd = cheapest_offer(gpu_offers(), "T4", 1) or pytest.fail("no T4")
    assert (offer.name, usd) == ("aws g4dn.xlarge", 0.526)
    assert cheapest_offer(gpu_offers(), "A100-80GB-PCIe", 1)[1] == 1.39  # type: ignore[index]


@pytest.mark.skipif(not SHARED.is_file(), reason="the folder of published numbers is absent")
def test_facts_are_those_that_were_read() -> None:
    rows = json.loads(SHARED.read_text(encoding="utf-8"))["prices"]
    seen = {(row["gpu"], row["n_gpu"], row.get("usd_h")) for row in rows} | {
        (row["gpu"], 1, row.get("usd_h_3yr_rental")) for row in rows
    }
    long = {"H100": "H100-80GB-SXM", "H200": "H200-141GB-SXM", "B200": "B200-180GB-SXM"}
    seen |= {(long[gpu], n, usd) for gpu, n, usd in seen if gpu in long}
    for offer in gpu_offers():
        assert (offer.gpu, offer.n_gpu, offer.usd_per_hour or offer.reserved_usd_per_hour) in seen, offer.name


def test_hosts_without_their_gpu_are_no_offer() -> None:
    """Trap 11: in GCP's rows of that catalog the GPU is priced apart."""
    assert all(offer.seller != "gcp" for offer in gpu_offers())


def test_more_gpus_are_one_machine_or_so_many_times_one() -> None:
    offers = gpu_offers()
    assert cheapest_offer(offers, "A10G", 4)[1] == 5.672  # type: ignore[index]
    assert cheapest_offer(offers, "A10G", 2)[1] == pytest.approx(2.012)  # type: ignore[index]
    assert cheapest_offer(offers, "A100-40GB-SXM", 1) is None
    assert cheapest_offer(offers, "L4", 1, "reserved") is None


@pytest.mark.parametrize(
    ("as_of", "days"), [("2026-11-27", 1), ("2026-11", 27), ("2026", 331), ("2025-01-23", 674)]
)
def test_a_price_is_as_old_as_its_earliest_day(as_of: str, days: int) -> None:
    assert age_days(as_of, DAY) == days


def test_a_snapshot_goes_before_the_facts_of_its_gpus(tmp_path: Path) -> None:
    fresh = GpuOffer("T4", 1, "aws", "g4dn.xlarge", DAY.isoformat(), "gpuhunt", "us-east-1", 0.6, 0.25)
    path = write_snapshot(tmp_path, [fresh], DAY)
    assert path.name == "2026-11-28.csv"
    assert read_snapshot(path) == (fresh,)
    write_snapshot(
        tmp_path, [GpuOffer("T4", 1, "aws", "old", "2026-01-01", "gpuhunt", "", 9.9)], date(2026, 1, 1)
    )
    offers = gpu_offers(tmp_path)
    assert [offer.usd_per_hour for offer in offers if offer.gpu == "T4"] == [0.6]
    assert any(offer.gpu == "L4" for offer in offers)


def test_a_broken_snapshot_says_where(tmp_path: Path) -> None:
    path = write_snapshot(tmp_path, [GpuOffer("T4", 1, "aws", "x", "2026-11-28", "gpuhunt", "", 0.6)], DAY)
    path.write_text(path.read_text(encoding="utf-8").replace("0.6", "-1"), encoding="utf-8")
    with pytest.raises(UsageError, match=r"Line 2 of the snapshot 2026-11-28.csv"):
        gpu_offers(tmp_path)


@pytest.mark.parametrize("content", [b"\xff\xfe\x00", b'gpu,n_gpu\n"' + b"x" * 200_000, b"\x00" * 4096])
def test_a_snapshot_that_is_no_table_says_which(tmp_path: Path, content: bytes) -> None:
    path = write_snapshot(tmp_path, [], DAY)
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"2026-11-28.csv .*remove"):
        gpu_offers(tmp_path)


def test_prices_and_counts_that_cannot_be() -> None:
    with pytest.raises(UsageError, match="above 0 USD"):
        GpuOffer("T4", 1, "aws", "x", "2026", "", "", -0.5)
    bad: list[Any] = [0, 1.5, float("nan"), "2", None]
    for count in bad:
        with pytest.raises(UsageError, match="a whole number of GPUs, at least 1"):
            GpuOffer("T4", count, "aws", "x", "2026", "")
    worse: list[Any] = ["0.5", 10**400, float("nan"), True]
    for price in worse:
        with pytest.raises(UsageError, match="above 0 USD"):
            GpuOffer("T4", 1, "aws", "x", "2026", "", "", price)


def test_another_way_to_buy_is_refused() -> None:
    wished: Any = "weekly"
    with pytest.raises(UsageError, match="purchase must be one of on-demand, spot, reserved; it is 'weekly'"):
        cheapest_offer(gpu_offers(), "T4", 1, wished)


def _item(**fields: object) -> SimpleNamespace:
    plain = {
        "provider": "aws",
        "instance_name": "i",
        "location": "r",
        "price": 1.0,
        "gpu_count": 1,
        "gpu_name": "L4",
        "gpu_memory": 24.0,
        "spot": False,
    }
    return SimpleNamespace(**(plain | fields))


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A gpuhunt that asks no network."""
    asked: list[str] = []

    def query(provider: str, **_: object) -> list[SimpleNamespace]:
        asked.append(provider)
        if provider == "gcp":
            raise RuntimeError("no list today")
        if provider != "aws":
            return []
        return [
            _item(price=0.9), _item(price=0.7, location="cheap"), _item(price=0.3, spot=True),
            _item(gpu_name="A100", gpu_memory=80.0, gpu_count=8, price=20.0), _item(gpu_name="K80"),
            _item(gpu_count=3), _item(price=0.0),
        ]  # fmt: skip

    module = ModuleType("gpuhunt")
    module.query = query  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "gpuhunt", module)
    return asked


def test_gpuhunts_items_become_offers(stub: list[str]) -> None:
    offers = fetch_offers(DAY, ["aws", "gcp"])
    told = [(o.gpu, o.n_gpu, o.usd_per_hour, o.spot_usd_per_hour, o.region) for o in offers]
    assert told == [("A100-80GB-SXM", 8, 20.0, None, "r"), ("L4", 1, 0.7, 0.3, "cheap")]
    assert {offer.as_of for offer in offers} == {"2026-11-28"}


@pytest.mark.parametrize(
    ("item", "gpu"),
    [
        ({"gpu_name": "H100", "gpu_memory": 80.0, "instance_name": "NVIDIA H100 PCIe"}, "H100-80GB-PCIe"),
        ({"gpu_name": "H100", "gpu_memory": 80.0, "instance_name": "NVIDIA H100 80GB HBM3"}, "H100-80GB-SXM"),
        ({"gpu_name": "A100", "gpu_memory": 40.0, "instance_name": "a2-highgpu-1g"}, "A100-40GB-SXM"),
        ({"gpu_name": "A10G", "gpu_memory": 22.0, "instance_name": "g5.xlarge"}, "A10G"),
        ({"gpu_name": "V100", "gpu_memory": 32.0, "instance_name": "p3dn"}, "V100-32GB"),
        ({"gpu_name": "RTXPRO6000", "gpu_memory": 96.0, "instance_name": "x"}, "RTX-PRO-6000"),
    ],
)
def test_gpus_that_gpuhunt_calls_alike_are_told_apart(item: dict[str, object], gpu: str) -> None:
    assert [offer.gpu for offer in cheapest_of([_item(**item)], DAY)] == [gpu]


def test_every_name_is_of_the_catalog() -> None:
    assert {gpu_facts(name).name for name in _NAMES.values()} == set(_NAMES.values())


def test_where_nothing_comes_nothing_is_changed(stub: list[str]) -> None:
    with pytest.raises(UsageError, match=r"gcp \(RuntimeError\).*stay as they are"):
        fetch_offers(DAY, ["gcp"])


def test_refresh_writes_a_dated_snapshot(stub: list[str], project: Path) -> None:
    result = CliRunner().invoke(cli, ["prices", "refresh", "--seller", "aws"])
    assert result.exit_code == 0, result.output
    assert "2 offers of 2 GPUs in .llmbench/gpu-prices/" in result.output
    both = CliRunner().invoke(cli, ["prices", "refresh", "--seller", "aws", "--seller", "gcp"])
    assert "Nothing came from gcp" in both.output
    listed = CliRunner().invoke(cli, ["prices", "list"])
    assert "1x L4" in listed.output
    with pytest.raises(UsageError, match="no seller 'awz'"):
        CliRunner().invoke(cli, ["prices", "refresh", "--seller", "awz"], catch_exceptions=False)


def test_a_snapshot_that_cannot_be_written_is_told(stub: list[str], project: Path) -> None:
    (project / ".llmbench").mkdir(exist_ok=True)
    (project / ".llmbench" / "gpu-prices").write_text("a file", encoding="utf-8")
    with pytest.raises(
        UsageError, match=r"\.llmbench/gpu-prices/.*\.csv cannot be written .*stay as they are"
    ):
        CliRunner().invoke(cli, ["prices", "refresh", "--seller", "aws"], catch_exceptions=False)


def test_without_the_extra_one_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gpuhunt", None)
    with pytest.raises(UsageError, match=r"llmbench\[prices\]"):
        fetch_offers(DAY)
