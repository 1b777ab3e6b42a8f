from __future__ import annotations

from pathlib import Path

import openpyxl
import pytest

from llmbench.errors import UsageError
from llmbench.reporting.break_even_log import read_log

HEAD = "started_at,input_tokens,output_tokens\n"


def test_times_with_and_without_parts_of_a_second(tmp_path: Path) -> None:
    rows = "2026-11-01T10:00:00.5+00:00,10,5\n2026-11-01T10:00:01+00:00,20,5\n2026-11-02 10:00Z,30,5\n"
    (tmp_path / "log.csv").write_text(HEAD + rows)
    assert read_log("log.csv", {}, tmp_path).messages == 3


def test_a_log_across_the_end_of_summer_time_is_read_by_instants(tmp_path: Path) -> None:
    rows = "2026-10-25T02:30:00+02:00,10,5\n2026-10-25T02:30:00+01:00,20,5\n2026-10-25T04:30:00+01:00,30,5\n"
    same = "2026-10-25T00:30:00Z,10,5\n2026-10-25T01:30:00Z,20,5\n2026-10-25T03:30:00Z,30,5\n"
    (tmp_path / "log.csv").write_text(HEAD + rows)
    (tmp_path / "utc.csv").write_text(HEAD + same)
    assert read_log("log.csv", {}, tmp_path) == read_log("utc.csv", {}, tmp_path)


@pytest.mark.parametrize("naive", [1, 2, 3])
def test_a_time_without_a_zone_is_never_taken_for_utc(tmp_path: Path, naive: int) -> None:
    zones = ["", "", ""] if naive == 3 else ["+02:00", "+01:00", "+01:00"]
    zones[naive - 1] = ""
    rows = "".join(f"2026-10-25T0{hour}:30:00{zone},10,5\n" for hour, zone in enumerate(zones, start=2))
    (tmp_path / "log.csv").write_text(HEAD + rows)
    with pytest.raises(UsageError, match=r"time zone"):
        read_log("log.csv", {}, tmp_path)


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


@pytest.mark.parametrize(
    "times", [("03.04.2025 10:00+00:00", "13.04.2025 10:00+00:00"), ("04/03/2025", "04/13/2025")]
)
def test_a_time_whose_day_and_month_could_be_changed_about_is_refused(
    tmp_path: Path, times: tuple[str, str]
) -> None:
    (tmp_path / "log.csv").write_text(HEAD + "".join(f"{time},10,5\n" for time in times))
    with pytest.raises(UsageError, match="2025-01-31T09:30:00"):
        read_log("log.csv", {}, tmp_path)


def test_a_number_that_is_none_is_refused_and_not_left_out_of_the_mean(tmp_path: Path) -> None:
    rows = '2026-11-01T10:00:00Z,950,5\n2026-11-02T10:00:00Z,"1,234",5\n2026-11-03T10:00:00Z,,5\n'
    (tmp_path / "log.csv").write_text(HEAD + rows)
    with pytest.raises(UsageError) as refused:
        read_log("log.csv", {}, tmp_path)
    assert str(refused.value) == (
        "Column 'input_tokens' of the log log.csv holds '1,234' in row 2, which is no number (1 row); write "
        "it as in 1234; an unknown one is an empty cell."
    )


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_csv_as_spreadsheets_save_it_is_read(tmp_path: Path, encoding: str, delimiter: str) -> None:
    rows = "2026-11-01T10:00:00Z,10,5\n2026-11-02T10:00:00Z,30,5\n"
    (tmp_path / "log.csv").write_text((HEAD + rows).replace(",", delimiter), encoding=encoding)
    found = read_log("log.csv", {}, tmp_path)
    assert (found.messages, found.workload.input_tokens) == (2, 20)


@pytest.mark.parametrize("zone", ["+00:00", ""])
def test_a_workbook_is_read(tmp_path: Path, zone: str) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["started_at", "input_tokens", "output_tokens"])
    for day in (1, 2):
        sheet.append([f"2026-11-0{day}T10:00:00{zone}", 10 * day, 5])
    book.save(tmp_path / "log.xlsx")
    if not zone:
        with pytest.raises(UsageError, match="time zone"):
            read_log("log.xlsx", {}, tmp_path)
    else:
        assert read_log("log.xlsx", {}, tmp_path).workload.input_tokens == 15


def test_an_empty_file_and_a_folder_say_what_they_are(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").touch()
    (tmp_path / "folder.csv").mkdir()
    for name, said in (("empty.csv", "is empty"), ("folder.csv", "is a folder")):
        with pytest.raises(UsageError, match=said):
            read_log(name, {}, tmp_path)
