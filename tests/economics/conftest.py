"""Published numbers to check against lie beside the project, not in it."""

from __future__ import annotations

from pathlib import Path

import pytest

VALIDATION = Path(__file__).resolve().parents[3] / "shared" / "validation" / "throughput"


@pytest.fixture(scope="session")
def throughput_data() -> Path:
    if not VALIDATION.is_dir():
        pytest.skip("the folder of published numbers (../shared/validation/throughput) is absent")
    return VALIDATION
