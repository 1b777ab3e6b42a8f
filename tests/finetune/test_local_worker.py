"""What a job says of the ways in which a training ends badly."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from llmbench.errors import DatasetError
from llmbench.finetune import local_worker
from llmbench.providers.local_jobs import LocalJob


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(28, "No space left on device"), "The disk is full; make room and resume"),
        (RuntimeError("PytorchStreamWriter failed: No space left on device"), "The disk is full"),
        (MemoryError(), "The memory is not enough"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried 9 bytes"), "The memory is not"),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), "The memory is not enough"),
        (ImportError("No module named 'peft'"), r"pip install 'llmbench\[train\]'"),
        (DatasetError("t.jsonl:3 is too long."), "^t.jsonl:3 is too long.$"),
        (KeyError("x"), "^KeyError: 'x'; log.txt"),
    ],
)
def test_a_failure_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, said: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(local_worker, "work", fail)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "state.json").write_text(json.dumps({"status": "running"}), encoding="utf-8")
    assert local_worker.main([str(tmp_path)]) == 1
    state = LocalJob(tmp_path).state()
    assert state["status"] == "failed"
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(state["error"])


def test_sigterm_is_a_cancelled_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local_worker, "work", lambda *_: local_worker._end(15, None))
    monkeypatch.setattr("signal.signal", lambda *_: None)
    (tmp_path / "state.json").write_text(json.dumps({"status": "running"}), encoding="utf-8")
    assert local_worker.main([str(tmp_path)]) == 0
    assert LocalJob(tmp_path).state()["status"] == "cancelled"
