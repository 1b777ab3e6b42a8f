from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from llmbench.catalog.gpus import gpu_facts
from llmbench.errors import DatasetError, UsageError
from llmbench.reporting import read_parameters
from llmbench.reporting.break_even_bench import bench_sentence
from llmbench.reporting.break_even_heat import operations_figure, utilisation_figure
from llmbench.reporting.break_even_inputs import Question, ask, input_files
from llmbench.reporting.break_even_machines import fit_figure, frontier_figure
from llmbench.reporting.break_even_queue import wait_table
from llmbench.reporting.break_even_report import ways
from llmbench.reporting.break_even_roofline import roofline_figure

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "break_even.ipynb"
DEFAULTS = {parameter.name: parameter.default for parameter in read_parameters(NOTEBOOK)} | {
    "loadtest": "",
    "draws": 200,
    "also_host": [],
    "gpus": ["T4", "L4"],
}
DAY = date(2026, 11, 28)


def sweep(root: Path, factor: float) -> str:
    """What `vllm bench serve` would have saved on a GPU of that speed: one line a run."""
    lines = []
    for flight, rate, first, each in ((1, 40, 300, 24), (4, 140, 500, 26), (8, 250, 800, 29)):
        run = {
            "model_id": "meta-llama/Llama-3.1-8B-Instruct", "max_concurrency": flight, "request_rate": "inf",
            "completed": 100, "failed": 0, "total_input_tokens": 50_000, "total_output_tokens": 20_000,
            "output_throughput": rate * factor, "mean_ttft_ms": first / factor, "mean_tpot_ms": each / factor,
        }  # fmt: skip
        lines.append(json.dumps(run))
    (root / "sweep.json").write_text("\n".join(lines), encoding="utf-8")
    return "sweep.json"


def put(root: Path, **changed: Any) -> Question:
    return ask(DEFAULTS | changed, root, DAY)


def of(question: Question, gpu: str) -> Any:
    return next(o for o in question.study.options if o.gpu == gpu and o.dtype == "awq-int4" and o.works)


def test_what_was_measured_goes_before_what_is_modelled(tmp_path: Path) -> None:
    plain = put(tmp_path)
    entry = {"file": sweep(tmp_path, 0.5), "gpu": "Tesla T4", "dtype": "int4"}
    own = put(tmp_path, bench=[entry])
    assert of(plain, "T4").extrapolated
    assert not of(own, "T4").extrapolated
    assert of(own, "T4").output_tokens_per_s < of(plain, "T4").output_tokens_per_s
    assert of(own, "L4") == of(plain, "L4")
    assert "Fitted to measurements of your own: T4 (3 operating points)" in bench_sentence(own.calibrations)
    assert "All throughputs of GPUs are the model's" in bench_sentence(plain.calibrations)
    assert [file.path for file in input_files(own, tmp_path)] == ["sweep.json"]


def test_other_ways_to_buy_are_of_the_same_machines(tmp_path: Path) -> None:
    """Of the GPUs and formats that were asked for, and as fast as they were measured to be."""
    entry = {"file": sweep(tmp_path, 0.5), "gpu": "T4", "dtype": "int4"}
    question = put(tmp_path, gpus=["T4"], dtypes=["awq-int4"], bench=[entry])
    found = [scenario.how for scenario in ways(question)]
    assert any("T4" in name for name in found)
    assert not any(gpu in name for name in found for gpu in ("L4", "L40S", "RTX-4090", "A10G"))


@pytest.mark.parametrize(
    ("bench", "error", "told"),
    [
        (["sweep.json"], UsageError, "each entry is"),
        ([{"file": "sweep.json"}], UsageError, "each entry is"),
        ([{"file": "sweep.json", "gpu": "L4", "gpus": 2}], UsageError, "each entry is"),
        ([{"file": "none.json", "gpu": "L4"}], DatasetError, "cannot be read"),
        ([{"file": "sweep.json", "gpu": "L5"}], UsageError, "does not know the GPU 'L5'"),
    ],
)
def test_bad_entries_are_named(tmp_path: Path, bench: list[Any], error: type[Exception], told: str) -> None:
    sweep(tmp_path, 1.0)
    with pytest.raises(error, match=told):
        put(tmp_path, bench=bench)


def test_the_roofline_is_never_passed(tmp_path: Path) -> None:
    frame = roofline_figure(put(tmp_path)).frame
    for _, rows in frame.groupby("option"):
        roof = rows[rows["of"] == "roof"]["tflops"].max()
        assert rows["tflops"].max() == roof
    answers = frame[frame["of"] == "answers"]
    assert answers.groupby("option")["operations_per_byte"].apply(lambda x: x.is_monotonic_increasing).all()


def test_maps_say_the_same_as_the_study(tmp_path: Path) -> None:
    question = put(tmp_path)
    study = question.study
    people = operations_figure(study, "gpt-4o").frame
    stated = people[people["operations_hours"] == 8.0]
    volume = float(stated["messages_per_month"].iloc[20])
    near = stated.set_index("messages_per_month")["own_over_api"]
    assert near.loc[volume] > 0
    busy = utilisation_figure(study, "gpt-4o").frame
    low, high = (busy[busy["mean_utilisation"] == share]["own_over_api"].to_numpy() for share in (0.05, 1.0))
    assert (high <= low + 1e-9).all()
    assert high[-1] < low[-1]


def test_who_begins_too_late_is_told_by_replicas(tmp_path: Path) -> None:
    table = wait_table(put(tmp_path, messages_per_month=3_000_000.0))
    late = table.frame["probability_late"].to_list()
    assert late == sorted(late, reverse=True)
    chosen = table.shown["serving replicas"].str.contains("chosen").to_numpy()
    assert table.frame["probability_late"].to_numpy()[chosen][0] <= 0.05


def test_measured_points_stand_beside_the_lines(tmp_path: Path) -> None:
    frame = frontier_figure(put(tmp_path, gpus=["L4", "RTX-4090"], dtypes=["fp8", "fp16"])).frame
    assert (frame["measured"] != "").any()
    assert set(frame["measured"]) - {""} <= {"accelmark-all", "mushfiqrahman"}


def test_the_waits_of_thousands_of_machines_are_those_around_the_number_chosen(tmp_path: Path) -> None:
    table = wait_table(put(tmp_path, messages_per_month=1e10))
    assert len(table.frame) == 12
    assert "(chosen)" in table.shown["serving replicas"].iloc[-3]


def test_figures_that_show_some_gpus_say_of_how_many(tmp_path: Path) -> None:
    question = put(tmp_path, gpus=[])
    count = len({option.gpu for option in question.study.working})
    assert count > 6
    plot = frontier_figure(question)
    assert f"The 6 cheapest of {count} GPUs; the CSV has all." in plot.caption
    assert plot.frame["option"].nunique() == count
    assert f"The 3 cheapest of {count} GPUs." in roofline_figure(question).caption


def test_gpus_of_as_much_memory_are_in_one_order_in_every_process(tmp_path: Path) -> None:
    seen = fit_figure(put(tmp_path, gpus=[])).frame["gpu"].drop_duplicates().tolist()
    assert seen == sorted(seen, key=lambda gpu: (gpu_facts(gpu).memory_gb, gpu))
