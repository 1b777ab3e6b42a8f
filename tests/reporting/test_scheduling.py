"""What is refused before a schedule is written, and when it runs."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from llmbench.config import load_config
from llmbench.errors import UsageError
from llmbench.reporting.scheduling import next_runs, plan_schedule
from llmbench.reporting.scheduling_crontab import crontab
from llmbench.reporting.scheduling_github import github_workflow
from llmbench.reporting.scheduling_memo import memo_note
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
    assert planned.commands() == [["report", "aged", "-p", "max_answer_age_days", "6"], ["report", "plain"]]
    steps = yaml.safe_load(github_workflow(planned))["jobs"]["report"]["steps"]
    assert [step.get("if") for step in steps if "llmbench report" in step.get("run", "")] == [
        None, "${{ !cancelled() }}",
    ]  # fmt: skip
    assert "llmbench report plain ) " in crontab(planned)
    own = plan_schedule(["aged"], "0 7 * * 1", {"max_answer_age_days": "0"})
    assert own.commands() == [["report", "aged", "-p", "max_answer_age_days", "0"]]
    assert own.values == {"aged": {"max_answer_age_days": 0}}


def test_a_plan_knows_where_reports_go_and_as_what(
    reports_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = load_config().root
    planned = plan_schedule(["small"], "0 7 * * 1", out="s3://b/r/", formats=["md,pdf"], paper="LETTER")
    assert planned.commands() == [
        ["report", "small", "--out", "s3://b/r", "--format", "pdf,md", "--paper", "letter"]
    ]
    monkeypatch.chdir(root / "notebooks")  # a command of the schedule runs in the root
    assert plan_schedule(["small"], "0 7 * * 1", out="../shown").out == "shown"
    assert plan_schedule(["small"], "0 7 * * 1", out=str(tmp_path / "x")).out == str(
        (tmp_path / "x").resolve()
    )
    for wrong, said in [
        ({"out": "s3://name:word@b/r"}, "a password"),
        ({"formats": "exe"}, "no report format 'exe'"),
        ({"paper": "A3"}, "no paper 'A3'"),
    ]:
        with pytest.raises(UsageError, match=said):
            plan_schedule(["small"], "0 7 * * 1", **wrong)  # type: ignore[arg-type]


@pytest.fixture
def memo_project(project: Path) -> Path:
    """A memo, whose gate reads ab_test, and three other notebooks."""
    for name in ("ab_test", "break_even"):
        shared = 'reports: str = ""  # as of the memo\nmessages_per_month: float = 0.0  # as of the memo'
        write_notebook(project / "notebooks" / f"{name}.ipynb", [shared], {0: ["parameters"]})
    lines = ["max_answer_age_days: int = 0  # days"]
    write_notebook(project / "notebooks" / "model_matrix.ipynb", lines, {0: ["parameters"]})
    cell = 'phase: str = "one"  # phase\ngates: str = "gates.toml"  # gates\nreports: str = ""  # folder'
    lines = [cell + "\nmessages_per_month: float = 0.0  # of them"]
    write_notebook(project / "notebooks" / "migration_memo.ipynb", lines, {0: ["parameters"]})
    (project / "gates.toml").write_text(
        '[[gates]]\nname = "g"\nstage = "full"\nmetric = "reply_ratio"\nat_least = 0.9\n', encoding="utf-8"
    )
    return project


def test_the_memo_comes_after_what_it_reads(memo_project: Path) -> None:
    planned = plan_schedule(["migration_memo", "ab_test", "model_matrix"], "0 7 * * 1")
    assert planned.notebooks == ("ab_test", "model_matrix", "migration_memo")
    run = [name for words in planned.commands() for name in words[1:] if name in planned.notebooks]
    assert run == ["model_matrix", "ab_test", "migration_memo"]


def test_a_memo_alone_is_told_of_what_it_will_not_find(memo_project: Path) -> None:
    def note(*notebooks: str, alone: bool = False, out: str | None = None, **given: object) -> str | None:
        return memo_note(plan_schedule(notebooks, "0 7 * * 1", given, out=out), alone=alone)

    said = note("migration_memo")
    assert said is not None
    assert said.endswith("llmbench schedule ab_test break_even migration_memo")
    assert note("ab_test") is None
    assert note("migration_memo", "break_even", "ab_test") is None
    for name in ("ab_test", "break_even"):
        folder = memo_project / "kept" / name
        folder.mkdir(parents=True)
        (folder / "result.json").touch()
    assert note("migration_memo", out="kept") is None
    assert note("migration_memo", out="kept", alone=True) is not None  # GitHub has no kept/ of another
    assert note("migration_memo", reports="kept", alone=True) is None
    assert note("ab_test", "migration_memo", messages_per_month=5.0) is None  # nor break_even
    remote = note("migration_memo", "ab_test", "break_even", out="s3://b/r")
    assert remote is not None
    assert "cannot read the other reports at s3://b/r" in remote
