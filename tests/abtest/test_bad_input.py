"""Input that cannot be meant: one clear sentence each, with the place."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.abtest.counts import Counts
from llmbench.abtest.cutoff import resolve_cutoff
from llmbench.abtest.reading import read_counts
from llmbench.abtest.source import Assignments, Epoch, OutcomeSource, Replies, Sends
from llmbench.errors import DatasetError, LLMBenchError, UsageError

pytest.importorskip("duckdb")
GOOD = """unit_id,model,sent_at,replied,cost
007,mixtral,2025-01-06T09:00:00+00:00,Y,0.001
008,mixtral,2025-01-06T10:00:00Z,N,0.002
009,gpt-4o,2025-01-07 09:00:00+01,N,
"""


def source(path: Any, **changes: Any) -> OutcomeSource:
    sends = Sends(str(path) if isinstance(path, Path) else path, arm="model", replied="replied", cost="cost")
    given: dict[str, Any] = {"sends": sends, "as_of": "2025-03-01", **changes}
    return OutcomeSource(experiment_id="e", **given)


def write(tmp_path: Path, text: str, name: str = "leads.csv") -> Path:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def read(tmp_path: Path, text: str, **changes: Any) -> Counts:
    return read_counts(source(write(tmp_path, text), **changes))


def test_csv_keeps_ids_and_unknown_costs(tmp_path: Path) -> None:
    counts = read(tmp_path, GOOD)
    gpt, mixtral = counts.arms
    assert (gpt.units, gpt.replied, gpt.costed_units) == (1, 0, 0)
    assert (mixtral.units, mixtral.replied, mixtral.cost_usd) == (2, 1, pytest.approx(0.003))
    assert counts.inputs == {"leads.csv": 3}
    assert counts.days[0].day == datetime(2025, 1, 7).date()  # noqa: DTZ001


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_csv_with_other_delimiters_and_a_byte_order_mark(tmp_path: Path, delimiter: str) -> None:
    assert read(tmp_path, "\ufeff" + GOOD.replace(",", delimiter)).arms == read(tmp_path, GOOD).arms


def test_files_of_a_glob_and_of_a_list_are_one_table(tmp_path: Path) -> None:
    header, *lines = GOOD.splitlines()
    for number, line in enumerate(lines):
        write(tmp_path, f"{header}\n{line}\n", f"part{number}.csv")
    expected = read(tmp_path, GOOD).arms
    assert read_counts(source(str(tmp_path / "part*.csv"))).arms == expected
    assert read_counts(source([str(tmp_path / f"part{n}.csv") for n in range(3)])).arms == expected
    frame = pd.read_csv(tmp_path / "leads.csv", dtype=str)
    frame["cost"] = frame["cost"].astype(float)
    frame.to_parquet(tmp_path / "leads.parquet")
    assert read_counts(source(tmp_path / "leads.parquet")).arms == expected
    assert read_counts(source(frame)).arms == expected


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("sent_at", "sent", r"leads.csv has no column 'sent_at'; the nearest is 'sent'. Its columns: unit"),
        ("N,\n", "maybe,\n", r"'maybe' \(line 4 of leads.csv\), which is neither yes nor no"),
        ("0.002", "cheap", r"'cost' of leads.csv holds 'cheap' \(line 3 of leads.csv\), which is no number"),
        ("0.002", "-0.002", r"holds '-0.002' \(line 3 of leads.csv\), which is below 0"),
        ("2025-01-06T10:00:00Z", "06.01.2025", r"'06.01.2025' \(line 3 of .*, which is no time"),
        ("10:00:00Z", "10:00:00", r"T10:00:00' \(line 3 .*a time without zone .*time_zone"),
        ("2025-01-06T10:00:00Z", "2025-01-06", r"a time without zone"),
        ("Z,N,0.002", "Z,,0.002", r"holds an empty cell \(line 3 .*empty_replied = 'no'"),
        ("Z,N,0.002", "Z,N", r"cannot be read at line 3"),
        ("Z,N,0.002", "Z,N,0.002,5", r"cannot be read at line 3"),
        ("unit_id,model", "unit_id,unit_id", r"has the column 'unit_id' twice in line 1"),
        ("unit_id,model", "unit_id,", r"has no name for column 2 in line 1"),
        ("Y", "1.5", r"neither yes nor no"),
    ],
)  # fmt: skip
def test_a_bad_cell_is_told_with_its_line(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in GOOD
    with pytest.raises(LLMBenchError, match=told) as error:
        read(tmp_path, GOOD.replace(old, new, 1))
    assert str(tmp_path) not in str(error.value)
    assert str(error.value).count("\n") == 0


def test_an_empty_cell_may_mean_no(tmp_path: Path) -> None:
    counts = read(tmp_path, GOOD.replace("Z,N,", "Z,,"), empty_replied="no")
    assert sum(row.replied for row in counts.arms) == 1


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"there is no file nowhere\.csv"):
        read_counts(source(tmp_path / "nowhere.csv"))
    with pytest.raises(DatasetError, match=r"no file fits nowhere\*.parquet"):
        read_counts(source(str(tmp_path / "nowhere*.parquet")))
    with pytest.raises(DatasetError, match="has no header"):
        read(tmp_path, "")
    with pytest.raises(DatasetError, match="has no rows"):
        read(tmp_path, GOOD.splitlines()[0] + "\n")
    write(tmp_path, "PAR1 not really", "broken.parquet")
    with pytest.raises(DatasetError, match=r"broken.parquet cannot be read"):
        read_counts(source(tmp_path / "broken.parquet"))
    path = tmp_path / "latin.csv"
    path.write_bytes(GOOD.replace("mixtral", "mixträl").encode("latin-1"))
    with pytest.raises(DatasetError, match="not UTF-8"):
        read_counts(source(path))


def frame(**columns: Any) -> pd.DataFrame:
    base = {
        "unit_id": ["a", "b", "c", "d"], "model": ["x", "x", "y", "y"],
        "sent_at": pd.to_datetime(["2025-01-06"] * 4, utc=True), "replied": [True, False, True, False],
        "cost": [0.1, 0.1, 0.2, 0.2],
    }  # fmt: skip
    return pd.DataFrame({**base, **columns})


def test_fractional_counts_are_refused() -> None:
    with pytest.raises(DatasetError, match=r"'replied' .* holds '1.5', which is no whole number"):
        read_counts(source(frame(replied=[1.5, 0, 1, 2])))
    given = source(frame(n=[1.0, 2.5, 1, 1]))
    with pytest.raises(DatasetError, match=r"'n' .* holds '2.5', which is no whole number"):
        read_counts(dataclasses.replace(given, sends=dataclasses.replace(given.sends, messages="n")))


def test_whole_counts_are_sums() -> None:
    given = source(frame(n=[3, 0, 1, 2], replied=[2, 0, 0, 5]))
    counts = read_counts(dataclasses.replace(given, sends=dataclasses.replace(given.sends, messages="n")))
    x, y = counts.arms
    assert (x.units, x.messages, x.replies, x.replied) == (1, 3, 2, 1)
    assert (y.units, y.messages, y.replies, y.messages_squared, y.messages_replies) == (2, 3, 5, 5.0, 10.0)
    assert [(row.reason, row.rows) for row in counts.excluded] == [
        ("sends without a time", 1), ("units that were sent nothing", 1),
    ]  # fmt: skip


def test_naive_times_need_a_zone() -> None:
    naive = frame(sent_at=pd.to_datetime(["2025-01-06 00:30"] * 4))
    with pytest.raises(UsageError, match="whose timestamps have no time zone: say which one"):
        read_counts(source(naive))
    assert read_counts(source(naive, time_zone="Europe/Berlin")).days[0].day.day == 5
    with pytest.raises(UsageError, match="time_zone must be a name"):
        read_counts(source(naive, time_zone="Berlin"))


def test_arms_that_cannot_be_meant() -> None:
    with pytest.raises(
        UsageError, match="control is 'z', which is no arm of the source; its arms are 'x', 'y'"
    ):
        read_counts(source(frame(), control="z"))
    with pytest.raises(UsageError, match="arm_map names none of the values of 'model'"):
        read_counts(source(frame(), arm_map={"q": "x"}))
    with pytest.raises(UsageError, match="weights name no weight of the arm 'y'"):
        read_counts(source(frame(), weights={"x": 1}))
    with pytest.raises(DatasetError, match="names no arm: it is empty in every row"):
        read_counts(source(frame(model=[None] * 4)))
    many = pd.concat([frame(model=[f"m{i}{k}" for k in range(4)]) for i in range(15)])
    with pytest.raises(UsageError, match="more than 50 different values"):
        read_counts(source(many))


def test_a_unit_in_two_arms_is_counted_out() -> None:
    counts = read_counts(source(frame(unit_id=["a", "a", "b", "c"], model=["x", "y", "x", "y"])))
    assert {row.reason: row.rows for row in counts.excluded}["units in two arms"] == 1
    assert sum(row.units for row in counts.assigned) == 2


def test_one_arm_only_and_an_arm_without_replies_are_counted() -> None:
    assert len(read_counts(source(frame(model=["x"] * 4))).arms) == 1
    assert [row.replied for row in read_counts(source(frame(replied=[True, True, False, False]))).arms] == [
        2,
        0,
    ]


def test_probabilities_that_change_within_a_stratum_are_refused() -> None:
    table = pd.DataFrame(
        {
            "unit_id": ["a", "b", "c", "d"],
            "arm": ["x", "x", "y", "y"],
            "p": [0.9, 0.5, 0.1, 0.1],
            "epoch": [1, 2, 1, 2],
        }
    )
    given = source(frame())
    sends = dataclasses.replace(given.sends, arm=None)
    with pytest.raises(UsageError, match=r"The arm 'x' has probabilities from 0.5 to 0.9: weights changed"):
        read_counts(dataclasses.replace(given, sends=sends, assignments=Assignments(table, probability="p")))
    part = Assignments(table, probability="p", epoch="epoch")
    counts = read_counts(dataclasses.replace(given, sends=sends, assignments=part))
    assert [(row.arm, row.stratum, row.weight) for row in counts.assigned] == [
        ("x", "1", 0.9), ("x", "2", 0.5), ("y", "1", 0.1), ("y", "2", 0.1),
    ]  # fmt: skip


def test_epochs_by_day_make_strata() -> None:
    days = pd.to_datetime(["2025-01-06", "2025-01-20", "2025-01-06", "2025-01-20"], utc=True)
    epochs = (Epoch("2025-01-01", {"x": 9, "y": 1}), Epoch("2025-01-15", {"x": 1, "y": 1}))
    counts = read_counts(source(frame(sent_at=days), epochs=epochs))
    assert [(row.arm, row.stratum, row.weight) for row in counts.assigned] == [
        ("x", "2025-01-01", 0.9), ("x", "2025-01-15", 0.5), ("y", "2025-01-01", 0.1),
        ("y", "2025-01-15", 0.5),
    ]  # fmt: skip


HOSTILE = "a \"b\" 'c'; DROP TABLE x; -- {0} %s"


def test_hostile_names_and_values_are_only_names_and_values(tmp_path: Path) -> None:
    table = frame(model=["it's; --", "it's; --", '"y"', '"y"']).rename(
        columns={"model": HOSTILE, "unit_id": "select"}
    )
    table[HOSTILE + "2"] = ["it's", "a", "b", None]
    sends = Sends(table, unit="select", arm=HOSTILE, replied="replied")
    given = OutcomeSource(experiment_id="it's", sends=sends, as_of="2025-03-01", segments=(HOSTILE + "2",))
    counts = read_counts(given)
    assert counts.arm_names == ('"y"', "it's; --")
    assert {row.segment for row in counts.segments} == {"it's", "a", "b", "(none)"}
    path = tmp_path / 'it\'s a "file".parquet'
    table.to_parquet(path)
    assert (
        read_counts(dataclasses.replace(given, sends=dataclasses.replace(sends, table=str(path)))).arms
        == counts.arms
    )


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"window_days": 0}, "window_days must be a number of days above 0"),
        ({"as_of": "yesterday"}, "as_of must be a day such as 2025-01-31"),
        ({"as_of": "2025-01-06T10:00"}, "a time without zone"),
        ({"weights": {"x": -1}}, "Weights are numbers of 0 or more"),
        ({"weights": {"x": 1}, "epochs": (Epoch("2025-01-01", {"x": 1}),)}, "The weights are recorded once"),
        ({"epochs": (Epoch("2025-02-01", {}), Epoch("2025-01-01", {}))}, "Epochs are in order of their days"),
        ({"epochs": (Epoch("1 May", {}),)}, "An epoch starts on '1 May'"),
        ({"replied_form": "odd"}, "replied_form must be one of"),
        ({"not_human": ("bounce",)}, "no column holds the kind"),
        ({"replies": Replies("r.csv")}, "give one of both; both are given"),
        (
            {"arm_map": {"m": "mixtral"}, "control": "mixtrl"},
            r"arm_map does not lead to.*do you mean 'mixtral'",
        ),
        ({"experiment_id": ""}, "experiment_id must be a text"),
    ],
)
def test_sources_that_cannot_be_meant(changes: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        read_counts(dataclasses.replace(source(frame()), **changes))


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "sends= names no table"),
        (
            {"sends": {"table": "a.csv", "unitt": "x"}},
            r"sends has no parameter 'unitt' \(do you mean 'unit'\?\)",
        ),
        (
            {"sends": "a.csv", "windowdays": 3},
            r"the source has no parameter 'windowdays' \(do you mean 'window_days'\?\)",
        ),
        ({"sends": {"unit": "x"}}, "sends has no 'table'"),
        ({"sends": {"table": "a.csv", "unit": 3}}, "sends has unit = 3, which must be a text"),
        ({"sends": "a.csv", "guardrails": ["gone"]}, "guardrails must be a list of dicts"),
        ({"sends": "a.csv"}, "neither is given"),
        ({"sends": {"table": "a.csv", "replied": "r"}}, "Nothing says which unit is in which arm"),
    ],
)
def test_parameters_that_cannot_be_meant(parameters: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError, match=told):
        OutcomeSource.from_parameters({"experiment_id": "e", **parameters})


def test_parameters_may_be_empty() -> None:
    given = OutcomeSource.from_parameters(
        {
            "experiment_id": "e", "sends": {"table": "a.csv", "arm": "m", "replied": "r", "cost": ""},
            "replies": "",
            "assignments": {}, "guardrails": [], "segments": [], "cluster": "", "epochs": [],
            "connection": "",
        }
    )  # fmt: skip
    assert given.sends.cost is None
    assert given.cluster is None


def test_cutoffs() -> None:
    now = datetime(2025, 1, 20, 0, 30, tzinfo=UTC)  # a Monday
    assert resolve_cutoff("today", now) == datetime(2025, 1, 20, tzinfo=UTC)
    assert resolve_cutoff("last_monday", now) == datetime(2025, 1, 20, tzinfo=UTC)
    assert resolve_cutoff("today", now, "America/New_York") == datetime(2025, 1, 19, 5, tzinfo=UTC)
    assert resolve_cutoff("2025-01-06", now, "Europe/Berlin") == datetime(2025, 1, 5, 23, tzinfo=UTC)
    assert resolve_cutoff("2025-01-06T10:00:00+02:00", now) == datetime(2025, 1, 6, 8, tzinfo=UTC)
    with pytest.raises(UsageError, match="aware"):
        resolve_cutoff("today", datetime(2025, 1, 20))  # noqa: DTZ001


def test_old_data_are_noted() -> None:
    counts = read_counts(source(frame()))
    assert any("54 days before the cut-off" in note for note in counts.notes)
    assert counts.data_until == datetime(2025, 1, 6, tzinfo=UTC)


def test_simulated_data_say_so() -> None:
    assert read_counts(source(frame(simulated=[True] * 4))).simulated
    assert not read_counts(source(frame())).simulated


def test_numbers_of_replies_as_text_are_counts(tmp_path: Path) -> None:
    def replied(*cells: str) -> int:
        text = GOOD.replace("Z,N,", f"Z,{cells[1]},").replace("00,Y,", f"00,{cells[0]},")
        return sum(row.replied for row in read(tmp_path, text.replace("1,N,", f"1,{cells[2]},")).arms)

    assert replied("2", "0", "1") == 2
    assert replied("1.0", "0.0", "0.0") == 1  # what pandas writes where a column has gaps
    with pytest.raises(DatasetError, match=r"holds '1.5' \(line 2 of leads.csv\), which is no whole number"):
        replied("1.5", "0", "1")
    with pytest.raises(DatasetError, match=r"holds '1736154000' .*, which is no time"):
        replied("1736154000", "1736154000", "1736154000")


def test_a_select_in_a_file(tmp_path: Path) -> None:
    duckdb = pytest.importorskip("duckdb")
    database = tmp_path / "crm.duckdb"
    with duckdb.connect(str(database)) as made:
        path = write(tmp_path, GOOD)
        made.execute(f"CREATE TABLE sent AS SELECT * FROM read_csv('{path}', all_varchar = true)")
    query = write(tmp_path, "-- the leads of spring\n/* all */ SELECT * FROM sent -- all\n;\n", "leads.sql")
    counts = read_counts(source(query, connection=str(database)))
    assert counts.arms == read(tmp_path, GOOD).arms
    with pytest.raises(DatasetError, match=r"there is no file gone\.sql"):
        read_counts(source(tmp_path / "gone.sql", connection=str(database)))
    with pytest.raises(DatasetError, match=r"empty\.sql holds no SELECT"):
        read_counts(source(write(tmp_path, "-- nothing\n", "empty.sql"), connection=str(database)))
    with pytest.raises(DatasetError, match=r"drop\.sql holds no SELECT"):
        read_counts(source(write(tmp_path, "DROP TABLE sent", "drop.sql"), connection=str(database)))
    sends = Sends(str(query), unit="unit", arm="model", replied="replied")
    wrong = dataclasses.replace(source(query, connection=str(database)), sends=sends)
    with pytest.raises(UsageError, match=r"leads.sql has no column 'unit'") as error:
        read_counts(wrong)
    assert str(tmp_path) not in str(error.value)
