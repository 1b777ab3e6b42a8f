from __future__ import annotations

import subprocess
import sys

import pytest

from llmbench import finetune


@pytest.mark.parametrize(
    ("code", "heavy"),
    [
        ("import llmbench.finetune", {"numpy", "pandas", "sqlite3", "asyncio", "aiohttp"}),
        (
            "from llmbench.finetune import check, split, convert",
            {"pandas", "openai", "together", "replicate", "torch"},
        ),
    ],
)
def test_import_loads_only_what_it_needs(code: str, heavy: set[str]) -> None:
    told = f"import sys; {code}; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", told], capture_output=True, text=True, check=True, timeout=60
    )
    assert not set(done.stdout.split()) & heavy


def test_every_name_is_there() -> None:
    assert sorted(finetune.__all__) == sorted(finetune._MODULE_OF)
    for name in finetune.__all__:
        found = getattr(finetune, name)
        assert getattr(found, "__name__", name) in {name, "Literal"}
