"""What is refused before a schedule is written, and when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from llmbench.errors import UsageError
from llmbench.reporting.scheduling import next_runs, plan_schedule
from llmbench.reporting.scheduling_crontab import crontab
from llmbench.reporting.scheduling_github import github_workflow
from tests.reporting.conftest import Project, write_notebook

NOON = datetime(2025, 1, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("cron", "zone", "times"),
    [
        ("0 7 * * 1", "UTC", ["01-27 07:00", "02-03 07:00", "02-10 07:00"]),
        ("*/20 12 23 1 *", "UTC", ["01-23 12:20", "01-23 12:40", "01-23 12:00"]),
        ("0 13 * * *", "Europe/Berlin", ["01-24 13:00", "01-25 13:00", "01-26 13:00"]),
        ("0 0 13 * FRI", "UTC", ["01-24 00:00", "01-31 00:00", "02-07 00:00"]),
        ("30 2 30 3 *", "Europe/Berlin", ["03-30 03:00", "03-30 02:30", "03-30 02:30"]),
    ],
)
def test_next_runs(cron: str, zone: str, times: Sequence[str]) -> None:
    assert [f"{time:%m-%d %H:%M}" for time in next_runs(cron, zone, NOON)] == list(times)


@pytest.mark.parametrize(
    ("cron", "said"),
    [
        ("", "has 0 fields"),
        ("@reboot", "has 1 fields"),
        ("5-5 7 * * *", "'5-5' of one value"),
        ("0 07-7/1 * * *", "of one value"),
        ("0 7 * * 1,Mon-MON", "'Mon-MON' of one value"),
        ("0 0 7 * * 1", "has 6 fields"),
        ("60 7 * * 1", "'60' as minute"),
        ("0 24 * * *", "'24' as hour"),
        ("0 7 0 * *", "'0' as day of month"),
        ("0 7 * 13 *", "'13' as month"),
        ("0 7 * * 8", "'8' as day of week"),
        ("0 7 L * *", "'L' as day of month"),
        ("0 7 * * MON#2", "'MON#2' as day of week"),
        ("5/15 * * * *", "'5/15' as minute"),
        ("*/0 * * * *", "'\\*/0' as minute"),
        ("0 9-7 * * *", "'9-7' as hour"),
        ("0 7 30 2 *", "never comes"),
        ("0 7 */2 * 1", "list the days"),
        ("0 7 * * 1; rm", "has 6 fields"),
        ("0\t7 * * $1", "'\\$1' as day of week"),
    ],
)
def test_a_cron_expression_that_not_every_cron_reads_is_refused(cron: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        next_runs(cron, "UTC", NOON)


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "../etc", "Europe", "UTC+2", "UTC\nX"])
def test_an_unknown_time_zone_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="There is no time zone"):
        next_runs("0 7 * * 1", zone, NOON)


@pytest.mark.parametrize("zone", ["localtime", "posixrules", "right/UTC", "posix/Europe/Berlin"])
def test_a_time_zone_of_this_machine_only_is_refused(zone: str) -> None:
    with pytest.raises(UsageError, match="another time zone on another machine"):
        next_runs("0 7 * * 1", zone, NOON)


def test_nicknames_are_written_out(reports_project: Project) -> None:
    for nickname, fields in [
        ("@hourly", "0 * * * *"), ("@Daily", "0 0 * * *"), (" @midnight ", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"), ("@monthly", "0 0 1 * *"), ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ]:  # fmt: skip
        assert next_runs(nickname, "UTC", NOON) == next_runs(fields, "UTC", NOON)
        assert plan_schedule(["small"], nickname).cron == fields
    assert "\n0 0 * * 0 cd " in crontab(plan_schedule(["small"], "@weekly"))
    assert len(next_runs("@hourly", "UTC", NOON, 30)) == 30


def test_notebooks_and_parameters_are_checked_first(reports_project: Project, tmp_path: Path) -> None:
    for notebooks, parameters, said in [
        (["smal"], {}, "did you mean 'small'"),
        (["notebooks/small.ipynb"], {}, "names notebooks of the project"),
        (["small"], {"repaet": "3"}, "did you mean 'repeat'"),
        (["small"], {"repeat": "often"}, "takes a whole number"),
        (["small"], {"greeting": "a\0b"}, "NUL"),
    ]:
        with pytest.raises(UsageError, match=said):
            plan_schedule(notebooks, "0 7 * * 1", parameters)
    with pytest.raises(UsageError, match="cannot be read"):
        plan_schedule(["small"], "0 7 * * 1", file=tmp_path / "none.yaml")


def test_a_plan_knows_its_command(reports_project: Project) -> None:
    file = reports_project.root / "weekly.yaml"
    file.write_text("share: 0.25\nrepeat: 1\n")
    planned = plan_schedule(["small"], " 0  7 * * 1 ", {"repeat": "3", "names": ["ada", "g h"]}, file=file)
    assert planned.values == {"small": {"share": 0.25, "repeat": 3, "names": ["ada", "g h"]}}
    assert planned.commands() == [
        ["report", "small", "-f", "weekly.yaml", "-p", "repeat", "3", "-p", "names", '["ada", "g h"]']
    ]
    assert planned.cron == "0 7 * * 1"
    assert planned.next_line().startswith("Next runs (UTC): Mon ")
    file.unlink()


def test_a_scheduled_matrix_asks_for_answers_of_this_week(project: Path) -> None:
    for name, line in [("aged", "max_answer_age_days: int = 0  # days"), ("plain", "seed: int = 1  # seed")]:
        write_notebook(project / "notebooks" / f"{name}.ipynb", [line], {0: ["parameters"]})
    planned = plan_schedule(["all"], "0 7 * * 1")
    assert planned.values == {"aged": {"max_answer_age_days": 6}, "plain": {}}
    assert planned.commands() == [["report", "plain"], ["report", "aged", "-p", "max_answer_age_days", "6"]]
    steps = yaml.safe_load(github_workflow(planned))["jobs"]["report"]["steps"]
    assert [step.get("if") for step in steps if "llmbench report" in step.get("run", "")] == [
        None, "${{ !cancelled() }}",
    ]  # fmt: skip
    assert "llmbench report plain; " in crontab(planned)
    own = plan_schedule(["aged"], "0 7 * * 1", {"max_answer_age_days": "0"})
    assert own.commands() == [["report", "aged", "-p", "max_answer_age_days", "0"]]
    assert own.values == {"aged": {"max_answer_age_days": 0}}
