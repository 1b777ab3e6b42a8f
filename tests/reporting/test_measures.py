"""What is followed of the reports that are not of models, and from which runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import UsageError
from llmbench.reporting import run_history
from llmbench.reporting.index import write_index
from llmbench.reporting.measures import measures_of
from llmbench.result_files import read_envelope
from tests.reporting.runs import keep_run, model

EXAMPLES = Path(__file__).resolve().parents[2] / "reports" / "examples"


def _experiment(rate: float, units: int = 100, ratio: float | None = 1.0) -> dict[str, Any]:
    return {
        "arms": [{"arm": "new", "rate": rate, "messages": 3 * units, "units": units}, {"arm": None}, 3],
        "comparisons": [{"treatment": "new", "control": "old", "ratio": ratio}],
    }


def _keep(out: Path, day: int, data: Mapping[str, Any], until: str | None = None, **more: Any) -> None:
    notebook = more.pop("notebook", "ab_test")
    parameters = {"experiment_id": more.pop("experiment", "x")}
    keep_run(
        out, f"2025010{day}-a", notebook=notebook, data=data, data_until=until, parameters=parameters, **more
    )


def test_an_experiment_counts_where_its_data_go_further(tmp_path: Path) -> None:
    _keep(tmp_path, 1, _experiment(0.03), "2025-01-01T00:00:00+00:00")
    _keep(tmp_path, 2, _experiment(0.03), "2025-01-01T01:00:00+01:00")  # the same moment
    _keep(tmp_path, 3, _experiment(0.04, 200, None), "2025-01-03T00:00:00+00:00")
    _keep(tmp_path, 4, _experiment(0.09), "2025-01-02T00:00:00+00:00")  # older data again
    _keep(tmp_path, 5, _experiment(0.01), "2025-01-01T00:00:00+00:00", experiment="y")
    found = run_history(tmp_path, "ab_test")
    assert [run.new_data for run in found.runs] == [True, False, True, False, True]
    assert found.measure_trend("x: new", "reply rate").values == (0.03, None, 0.04, None, None)
    assert found.measure_trend("y: new", "reply rate").values == (None, None, None, None, 0.01)
    assert found.measure_trend("x: new", "units").values == (100.0, None, 200.0, None, None)
    assert found.measure_trend("x: new over old", "ratio of reply rates").words() == "1 in 1 of 5 runs"
    with pytest.raises(UsageError, match="has no 'speed' of 'x: new'"):
        found.measure_trend("x: new", "speed")
    frame = found.to_pandas()
    assert list(frame[(frame["of"] == "x: new") & (frame["what"] == "messages")]["value"]) == [300.0, 600.0]
    assert len(frame) == 4 + 1 + 4 + 1 + 4
    assert frame["new_data"].sum() == 12


def test_break_even_follows_the_recommended_option_and_the_price_by_api(tmp_path: Path) -> None:
    for day, (candidate, usd, api) in enumerate([("g1", 900.0, 0.002), ("g2", 800.0, 0.001)], start=1):
        data = {
            "workload": {"messages_per_month": 100_000},
            "options": [{"option": "g1", "usd_per_month": 900.0}, {"option": "g2", "usd_per_month": 800.0}],
            "api": [{"model": "m", "usd_per_month": 1e5 * api, "usd_per_message": api}, {"model": "n"}],
        }
        _keep(tmp_path, day, data, notebook="break_even", baseline="m", candidate=candidate)
        assert usd
    found = run_history(tmp_path, "break_even")
    at = " at 100,000 messages a month"
    assert found.measure_trend(f"the recommended option{at}", "USD a month").values == (900.0, 800.0)
    assert found.measure_trend(f"m by API{at}", "USD a month").values == (200.0, 100.0)
    assert found.measure_trend("m by API", "USD per 1,000 messages").values == (2.0, 1.0)


def test_routing_and_fine_tune_count_where_their_data_are_others(tmp_path: Path) -> None:
    for day, (saving, sha256) in enumerate([(2.0, "0"), (2.0, "0"), (3.0, "1")], start=1):
        data = {
            "recommended": {"expected_saving_usd": saving, "requests_per_month": 1000.0},
            "policies": [{"name": "learned", "apgr": 0.9}, {"name": "weak alone", "apgr": None}],
        }
        _keep(tmp_path, day, data, notebook="routing", sha256=sha256 * 64)
        until = f"2025-01-0{1 if day < 3 else 3}T00:00:00+00:00"
        _keep(tmp_path, day, {"models": [model("a", 0.5 + day / 10)]}, until, notebook="fine_tune")
    found = run_history(tmp_path, "routing")
    policy = "the recommended policy at 1,000 requests a month"
    assert found.measure_trend(policy, "saving, USD a month").values == (2.0, None, 3.0)
    assert found.measures()[1:] == (("learned", "APGR"),)
    assert run_history(tmp_path, "fine_tune").trend("a").values == (0.6, None, 0.8)
    page = write_index(tmp_path).read_text()
    assert "Trends of 2 numbers" in page
    assert "Trends of 1 model<" in page
    assert "from 2 to 3 over 2 of 3 runs" in page


@pytest.mark.parametrize(
    "odd", [{}, {"arms": 3, "options": {}, "policies": None, "recommended": [], "api": "x"}]
)
def test_odd_data_have_no_measures_and_the_examples_have_theirs(tmp_path: Path, odd: dict[str, Any]) -> None:
    for notebook, count in (("ab_test", 7), ("break_even", 3), ("routing", 7)):
        folder = keep_run(tmp_path, "20250101-a", notebook=notebook, data=odd)
        assert measures_of(read_envelope(folder / "result.json")) == ()
        found = measures_of(read_envelope(EXAMPLES / notebook / "result.json"))
        assert len(found) == count, found
        assert all(point.value is not None for point in found)
