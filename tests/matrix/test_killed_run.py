from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers.fake import FakeProvider

SCRIPT = """
import sys
from llmbench.ledger import Ledger
from llmbench.matrix import Dataset, Matrix
from llmbench.providers.fake import FakeProvider

ledger, items, log = sys.argv[1:]

def script(messages, params):
    with open(log, "a", encoding="utf-8") as file:
        file.write(messages[-1]["content"] + "\\n")
    return "yes"

with Ledger(ledger) as opened:
    provider = FakeProvider(script, latency_ms=100, self_hosted=True, ledger=opened)
    matrix = Matrix(Dataset.load(items), ["fake/m"], ledger=opened, providers={"fake": provider})
    matrix.run(concurrency=4)
"""


def start(folder: Path) -> subprocess.Popen[str]:
    arguments = [
        str(folder / "ledger.db"),
        str(folder / "items.jsonl"),
        str(folder / "asked.txt"),
    ]
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals are POSIX's")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_the_same_run_again_repeats_only_what_was_in_flight(tmp_path: Path, how: signal.Signals) -> None:
    rows = [{"id": k, "prompt": f"q{k}", "expected": "yes"} for k in range(60)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    asked = tmp_path / "asked.txt"
    asked.touch()
    first = start(tmp_path)
    deadline = time.monotonic() + 60
    while len(asked.read_text(encoding="utf-8").splitlines()) < 24:
        assert first.poll() is None, first.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    first.send_signal(how)
    _, errors = first.communicate(timeout=60)
    assert first.returncode != 0
    if how == signal.SIGINT:
        assert errors.rstrip().endswith("KeyboardInterrupt")
    before = set(asked.read_text(encoding="utf-8").splitlines())
    assert len(before) < 60

    again: list[str] = []

    def script(messages: Sequence[Mapping[str, str]], _params: Mapping[str, Any]) -> str:
        again.append(messages[-1]["content"])
        return "yes"

    with Ledger(tmp_path / "ledger.db") as ledger:
        provider = FakeProvider(script, self_hosted=True, ledger=ledger)
        data = Dataset.load(tmp_path / "items.jsonl")
        results = Matrix(data, ["fake/m"], ledger=ledger, providers={"fake": provider}).run()
    assert results.calls.made == len(again) == 60 - results.calls.replayed
    assert before | set(again) == {row["prompt"] for row in rows}
    # Four were in flight at most; no other call was made twice.
    assert len(before & set(again)) <= 4
