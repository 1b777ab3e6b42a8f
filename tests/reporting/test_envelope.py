from __future__ import annotations

import datetime as dt
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from llmbench.errors import ReportError
from llmbench.reporting.envelope import git_commit, input_file, to_json
from llmbench.results import Decision, InputFile, Spend


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (np.float32(0.5), 0.5),
        (np.float64("nan"), None),
        (np.int64(3), 3),
        (np.bool_(True), True),
        (np.array([[1.0, np.inf]]), [[1.0, None]]),
        (pd.Series([1, 2]), [1, 2]),
        (pd.NA, None),
        (pd.NaT, None),
        (pd.Timestamp("2025-01-23T10:00:00Z"), "2025-01-23T10:00:00+00:00"),
        (dt.date(2025, 1, 23), "2025-01-23"),
        (Decision.NO_GO, "NO_GO"),
        (Spend(1.0, float("-inf")), {"quoted_usd": 1.0, "actual_usd": None}),
        (Path("data") / "a.csv", "data/a.csv"),
        ({3: {"b", "a"}}, {"3": ["a", "b"]}),
        (True, True),
    ],
)
def test_to_json(value: Any, expected: Any) -> None:
    converted = to_json(value)
    assert converted == expected
    assert type(converted) is type(expected)
    json.dumps(converted, allow_nan=False)


def test_to_json_refuses_what_has_no_meaning() -> None:
    with pytest.raises(ReportError, match="A object cannot be written"):
        to_json({"x": object()})


def test_input_file_is_named_from_the_root_and_hashed(tmp_path: Path) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "in.csv").write_bytes(b"inside")
    (tmp_path / "out.csv").write_bytes(b"outside")
    digest = hashlib.sha256(b"inside").hexdigest()
    assert input_file(root, "in.csv", 3) == InputFile("in.csv", digest, 3)
    assert input_file(root, root / "in.csv") == InputFile("in.csv", digest, None)
    assert input_file(root, tmp_path / "out.csv").path == "out.csv"
    with pytest.raises(ReportError, match=r"The input gone\.csv cannot be read"):
        input_file(root, "gone.csv")


def test_git_commit_is_the_one_checked_out(tmp_path: Path) -> None:
    assert git_commit(tmp_path) is None
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.test"]
    subprocess.run([*git, "init", "-q"], check=True)
    assert git_commit(tmp_path) is None
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
    head = subprocess.run([*git, "rev-parse", "HEAD"], check=True, capture_output=True, text=True).stdout
    assert git_commit(tmp_path) == head.strip()
