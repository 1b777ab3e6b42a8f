from __future__ import annotations

import subprocess
import sys

import pytest

import llmbench.stats as stats


def test_every_public_name_loads() -> None:
    assert stats.__all__ == sorted(stats.__all__)
    assert set(stats.__all__) == set(stats._MODULE_OF)
    for name in stats.__all__:
        assert getattr(stats, name).__name__ == name
    assert set(stats.__all__) <= set(dir(stats))


def test_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = stats.nothing


def test_importing_the_package_brings_in_no_numpy() -> None:
    code = "import sys, llmbench.stats; sys.exit('numpy' in sys.modules or 'scipy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
