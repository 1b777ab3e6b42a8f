from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console

from llmbench.reporting.console import RunDisplay, live_bars
from llmbench.reporting.progress import Progress, ProgressFile, progress_writer


@dataclass
class _Event:
    done: int
    total: int
    rate: float = 3.0


def test_written_events_are_read_newest_first_and_once(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    reader, write = ProgressFile(path), progress_writer(path)
    assert reader.newest() is None
    write({"done": 1, "total": 9, "unknown": "ignored"})
    write(_Event(2, 9))
    assert reader.newest() == Progress(done=2, total=9, rate=3.0)
    assert reader.newest() is None


def test_a_line_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "progress.jsonl"
    reader = ProgressFile(path)
    path.write_bytes(b'{"done": 1}\n{"do')
    assert reader.newest() == Progress(done=1)
    with path.open("ab") as file:
        file.write(b'ne": 2}\n')
    assert reader.newest() == Progress(done=2)


def test_an_unknown_cost_is_not_shown_as_nothing() -> None:
    assert "$" not in Progress(done=1, total=2).line()
    assert "$0.00 spent" in Progress(done=1, total=2, spent_usd=0.0).line()


def test_plain_output_gets_few_lines_and_the_last() -> None:
    lines = io.StringIO()
    with RunDisplay("small", Console(file=lines, width=200), None) as display:
        for done in range(100):
            display.show(Progress(done=done + 1, total=100))
    shown = lines.getvalue().splitlines()
    assert shown[0] == "small: starting"
    assert shown[-1] == "small: 100 of 100 calls: 0 made, 0 replayed, 0 failed"
    assert len(shown) == 3


def test_a_terminal_gets_a_bar_and_no_markup_of_a_model(tmp_path: Path) -> None:
    lines = io.StringIO()
    console = Console(file=lines, width=120, force_terminal=True)
    with live_bars(console) as bars, RunDisplay("small", console, bars) as display:
        display.show(Progress(done=3, total=4, message="local/m[zero_shot]"))
        assert bars is not None
        assert bars.tasks[0].completed == 3
        bars.refresh()
    assert "local/m[zero_shot]" in lines.getvalue()
