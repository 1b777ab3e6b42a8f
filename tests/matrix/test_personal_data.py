from __future__ import annotations

from pathlib import Path

import pytest

from llmbench import CustomProvider, Dataset, FakeProvider, Ledger, Matrix
from llmbench.errors import ConfigError, DatasetError

PLAIN = "id,prompt,expected\n1,2 + 2 =,4\n"
MARKED = "id,prompt,expected,personal_data\n1,2 + 2 =,4,no\n2,Call Ann on 555-0101,ok,Yes\n"


def hosted(ledger: Ledger, **settings: object) -> CustomProvider:
    return CustomProvider(
        {"base_url": "http://127.0.0.1:9/v1", "endpoint": "hosted", "ledger": ledger, **settings}
    )


def matrix(data: Dataset | Path, ledger: Ledger, **settings: object) -> Matrix:
    providers = {"hosted": hosted(ledger, **settings)}
    return Matrix(data, ["hosted/m"], ledger=ledger, providers=providers)


@pytest.mark.parametrize("act", ["quote", "run"])
def test_a_marked_item_is_not_sent_to_an_unmarked_endpoint(project: Path, ledger: Ledger, act: str) -> None:
    path = project / "items.csv"
    path.write_text(MARKED, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"items\.csv .* hosted .*personal_data = true"):
        getattr(matrix(path, ledger), act)()
    assert ledger.spend().calls == 0


def test_a_marked_endpoint_is_sent_marked_items(project: Path, ledger: Ledger) -> None:
    path = project / "items.csv"
    path.write_text(MARKED, encoding="utf-8")
    assert matrix(path, ledger, personal_data=True).quote().calls == 2


def test_items_that_say_nothing_go_anywhere(project: Path, ledger: Ledger) -> None:
    path = project / "items.csv"
    path.write_text(PLAIN, encoding="utf-8")
    assert matrix(path, ledger).quote().calls == 1


def test_the_caller_may_say_it(project: Path, ledger: Ledger) -> None:
    path = project / "items.csv"
    path.write_text(PLAIN, encoding="utf-8")
    data = Dataset.load(path, personal_data=True)
    assert data.limit(1).personal_data
    with pytest.raises(ConfigError, match="hosted"):
        matrix(data, ledger).quote()


def test_the_project_may_say_it(project: Path, ledger: Ledger) -> None:
    (project / "llmbench.toml").write_text('[data]\npersonal = ["crm/*.csv"]\n', encoding="utf-8")
    (project / "crm").mkdir()
    path = project / "crm" / "items.csv"
    path.write_text(PLAIN, encoding="utf-8")
    with pytest.raises(ConfigError, match="hosted"):
        matrix(path, ledger).quote()


def test_what_stays_in_the_process_is_always_allowed(project: Path, ledger: Ledger) -> None:
    path = project / "items.csv"
    path.write_text(MARKED, encoding="utf-8")
    fake = FakeProvider(["4", "ok"], ledger=ledger, endpoint="fake", self_hosted=True)
    results = Matrix(path, ["fake/m"], ledger=ledger, providers={"fake": fake}).run()
    assert results.calls.made == 2


def test_a_word_that_is_neither_yes_nor_no_is_refused(project: Path) -> None:
    path = project / "items.csv"
    path.write_text("id,prompt,personal_data\n1,x,maybe\n", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"items\.csv:2 .*maybe"):
        Dataset.load(path)


@pytest.mark.parametrize("table", ['personal = "crm.csv"', 'personal = ["/etc/x.csv"]', "other = 1"])
def test_a_wrong_data_table_is_refused(project: Path, table: str) -> None:
    from llmbench.config import load_config

    (project / "llmbench.toml").write_text(f"[data]\n{table}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"\[data\]"):
        load_config()
