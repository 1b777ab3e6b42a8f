from __future__ import annotations

import json
import tomllib
from importlib.resources import files
from pathlib import Path

import pytest

from llmbench.catalog import all_gpus, gpu_facts
from llmbench.errors import UsageError

HARDWARE = Path(__file__).resolve().parents[3] / "shared" / "validation" / "throughput" / "hardware.json"


def test_any_spelling_is_the_same_gpu() -> None:
    assert gpu_facts("NVIDIA H100 80GB HBM3").name == gpu_facts("h100").name == "H100-80GB-SXM"
    assert gpu_facts("A100-80GB").name == "A100-80GB-SXM"
    assert gpu_facts("GeForce RTX 4090").name == "RTX-4090"


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("NVIDIA H100 PCIe", "H100-80GB-PCIe"),
        ("H100 NVL", "H100-94GB-NVL"),
        ("H100 SXM5 80 GB", "H100-80GB-SXM"),
        ("A100-SXM4-40GB", "A100-40GB-SXM"),
        ("NVIDIA A100-SXM4-80GB", "A100-80GB-SXM"),
        ("A100 (80GB)", "A100-80GB-SXM"),
        ("NVIDIA A100 80GB PCIe", "A100-80GB-PCIe"),
        ("H200 SXM5 141GB", "H200-141GB-SXM"),
        ("B200 192GB", "B200-180GB-SXM"),
        ("AMD Instinct MI300X 192GB", "MI300X"),
        ("Nvidia Tesla T4 16GB", "T4"),
        ("A10G-24GB", "A10G"),
        ("GeForce RTX 5090 32GB", "RTX-5090"),
        ("NVIDIA RTX 6000 Ada Generation", "RTX-6000-Ada"),
        ("RTX PRO 6000 Blackwell Server Edition", "RTX-PRO-6000"),
        ("Tesla V100-SXM2-32GB", "V100-32GB"),
        ("NVIDIA L40S GPU", "L40S"),
    ],
)
def test_a_gpu_is_known_as_sellers_and_drivers_call_it(spelling: str, name: str) -> None:
    assert gpu_facts(spelling).name == name


@pytest.mark.parametrize("wrong", ["H100 96GB", "A100 24GB", "L4 48GB", "1xH100"])
def test_a_memory_or_count_that_is_not_made_is_not_passed_over(wrong: str) -> None:
    with pytest.raises(UsageError, match="does not know the GPU"):
        gpu_facts(wrong)


def test_an_a10g_is_not_an_a10() -> None:
    """The A10 multiplies almost twice as fast, and clouds rent the A10G."""
    assert gpu_facts("A10").tflops["fp16"] == 125
    assert gpu_facts("A10G").tflops["fp16"] == 70


def test_arithmetic_is_dense() -> None:
    """Half of the web copies the figures with sparsity, which are twice these."""
    assert gpu_facts("RTX-4090").tflops["fp8"] == pytest.approx(330.3)
    assert gpu_facts("L4").tflops["fp16"] == 121
    assert gpu_facts("H100").tflops == {"fp16": 989, "bf16": 989, "fp8": 1978, "int8": 1978}
    for facts in all_gpus().values():
        narrow = facts.tflops.get("fp8", 2 * facts.tflops["fp16"])
        assert narrow == pytest.approx(2 * facts.tflops["fp16"], rel=0.03), facts.name


def test_visible_memory_is_less_than_the_label_in_binary_units() -> None:
    for facts in all_gpus().values():
        assert 0.88 * facts.memory_gb < facts.visible_gib < facts.memory_gb, facts.name


def test_an_unknown_gpu_names_the_nearest() -> None:
    with pytest.raises(UsageError, match=r"did you mean .*H200"):
        gpu_facts("H20O")
    with pytest.raises(UsageError, match="knows A10, A100"):
        gpu_facts("quantum")


def test_every_gpu_has_a_source() -> None:
    text = files("llmbench.catalog").joinpath("facts/gpus.toml").read_text(encoding="utf-8")
    assert all(row["source"] for row in tomllib.loads(text).values())


def test_the_facts_are_the_collected_ones() -> None:
    if not HARDWARE.is_file():
        pytest.skip("the folder of published numbers (../shared/validation) is absent")
    for name, row in json.loads(HARDWARE.read_text(encoding="utf-8"))["gpus"].items():
        facts = gpu_facts(name)
        assert facts.name == name
        assert facts.bandwidth_gb_s == row["bw_gbs"]
        assert facts.tflops["fp16"] == row["tflops_fp16_dense"]
        assert facts.tflops.get("fp8") == row.get("tflops_fp8_dense")
        if "usable_mem_gib" in row:
            assert facts.visible_gib == row["usable_mem_gib"]
