from __future__ import annotations

from pathlib import Path

import pytest

from llmbench.errors import UsageError
from llmbench.reporting.break_even_log import read_log

HEAD = "started_at,input_tokens,output_tokens\n"


def test_times_with_and_without_parts_of_a_second(tmp_path: Path) -> None:
    rows = "2026-11-01T10:00:00.5+00:00,10,5\n2026-11-01T10:00:01+00:00,20,5\n2026-11-02 10:00Z,30,5\n"
    (tmp_path / "log.csv").write_text(HEAD + rows)
    assert read_log("log.csv", {}, tmp_path).messages == 3


@pytest.mark.parametrize("time", ["2026-11-01T10:_tokens", "99999-01-01T00:00:00Z", ""])
def test_a_time_that_is_none_is_refused(tmp_path: Path, time: str) -> None:
    (tmp_path / "log.csv").write_text(f"{HEAD}2026-11-01T10:00:00Z,10,5\n{time},10,5\n")
    with pytest.raises(UsageError, match=r"(cannot be read|have no time)"):
        read_log("log.csv", {}, tmp_path)


def test_a_count_longer_than_any_float_is_refused(tmp_path: Path) -> None:
    line = '{"started_at": "2026-11-01T10:00:00Z", "input_tokens": %s, "output_tokens": 5}\n'
    for count in (
        "1" + "0" * 400,
        '10}\n{"started_at": "2026-11-01T10:00:00Z", "input_tokens": 1' + "0" * 400,
    ):
        (tmp_path / "log.jsonl").write_text(line % count + line.replace(', "output_tokens": 5', "") % 3)
        with pytest.raises(UsageError, match="has a number that cannot be read"):
            read_log("log.jsonl", {}, tmp_path)


def test_a_usage_export_with_a_row_for_many_requests_is_refused_and_counted_out(tmp_path: Path) -> None:
    rows = "".join(f"2026-11-{day:02}T00:00:00Z,gpt-4o-mini,100,62000,14000\n" for day in range(1, 11))
    text = "start_time,model,num_model_requests,input_tokens,output_tokens\n" + rows
    (tmp_path / "usage.csv").write_text(text)
    with pytest.raises(UsageError) as refused:
        read_log("usage.csv", {"time": "start_time"}, tmp_path)
    assert "1,000 messages in 10 rows (column 'num_model_requests')" in str(refused.value)
    assert "input_tokens 620 and output_tokens 140" in str(refused.value)
    assert "messages_per_month" in str(refused.value)


def test_a_row_for_one_request_each_is_a_log(tmp_path: Path) -> None:
    rows = "2026-11-01T10:00:00Z,1,10,5\n2026-11-02T10:00:00Z,1,30,5\n"
    (tmp_path / "log.csv").write_text("started_at,num_model_requests,input_tokens,output_tokens\n" + rows)
    assert read_log("log.csv", {}, tmp_path).messages == 2
