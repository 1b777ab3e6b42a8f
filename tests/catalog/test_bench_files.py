from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from llmbench.catalog import read_bench_file
from llmbench.errors import DatasetError, UsageError

VLLM: dict[str, Any] = {
    "date": "20261120-101500",
    "backend": "vllm",
    "model_id": "meta-llama/Llama-3.1-8B-Instruct",
    "num_prompts": 200,
    "request_rate": "inf",
    "max_concurrency": 16,
    "duration": 100.0,
    "completed": 200,
    "failed": 0,
    "total_input_tokens": 100_000,
    "total_output_tokens": 40_000,
    "request_throughput": 2.0,
    "output_throughput": 400.0,
    "mean_ttft_ms": 300.0,
    "mean_tpot_ms": 38.0,
}


def guidellm(streams: int, errored: int = 0) -> dict[str, Any]:
    def mean(value: float) -> dict[str, Any]:
        return {"successful": {"mean": value}, "errored": {"mean": 0.0}}

    return {
        "config": {
            "strategy": {"type_": "concurrent", "streams": streams},
            "backend": {"model": "meta-llama/Llama-3.1-8B-Instruct"},
        },
        "metrics": {
            "request_totals": {"successful": 100, "errored": errored, "incomplete": 3},
            "request_concurrency": mean(streams - 0.2),
            "prompt_token_count": mean(512),
            "output_token_count": mean(128),
            "output_tokens_per_second": mean(25.0 * streams),
            "time_to_first_token_ms": mean(100.0 + streams),
            "inter_token_latency_ms": mean(30.0),
        },
    }


def save(folder: Path, value: Any) -> Path:
    path = folder / "run.json"
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def test_vllm_with_a_limit(tmp_path: Path) -> None:
    (row,) = read_bench_file(save(tmp_path, VLLM), gpu="L4", dtype="bf16")
    assert (row.gpu, row.model, row.dtype, row.engine) == ("L4", "llama-3.1-8b", "bf16", "vllm")
    assert (row.input_tokens, row.output_tokens, row.concurrency) == (500, 200, 16)
    assert (row.output_tokens_per_s, row.ttft_ms, row.tpot_ms) == (400, 300, 38)
    assert row.source == "run.json"


def test_vllm_without_any_limit_has_no_time_to_the_first_token(tmp_path: Path) -> None:
    """It would be the length of the client's queue."""
    (row,) = read_bench_file(save(tmp_path, VLLM | {"max_concurrency": None}), gpu="L4")
    assert (row.concurrency, row.ttft_ms, row.tpot_ms) == (None, None, 38)


def test_vllm_at_a_rate_has_in_flight_what_littles_law_says(tmp_path: Path) -> None:
    (row,) = read_bench_file(save(tmp_path, VLLM | {"max_concurrency": None, "request_rate": 2.0}), gpu="L4")
    assert row.concurrency == pytest.approx(2.0 * (0.3 + 0.038 * 199))


def test_vllm_at_a_rate_below_its_limit_has_in_flight_what_littles_law_says(tmp_path: Path) -> None:
    slow = VLLM | {"request_rate": 2.0}
    (free,) = read_bench_file(save(tmp_path, slow | {"max_concurrency": None}), gpu="L4")
    (capped,) = read_bench_file(save(tmp_path, slow | {"max_concurrency": 500}), gpu="L4")
    assert capped.concurrency == free.concurrency
    (full,) = read_bench_file(save(tmp_path, slow | {"max_concurrency": 1}), gpu="L4")
    assert full.concurrency == 1


def test_vllm_appended_lines(tmp_path: Path) -> None:
    lines = "\n".join(json.dumps(VLLM | {"max_concurrency": c}) for c in (1, 4, 16))
    rows = read_bench_file(save(tmp_path, lines + "\n"), gpu="L4")
    assert [row.concurrency for row in rows] == [1, 4, 16]


def test_guidellm(tmp_path: Path) -> None:
    rows = read_bench_file(
        save(tmp_path, {"benchmarks": [guidellm(1), guidellm(8)]}), gpu="H100", dtype="fp8"
    )
    assert [(row.concurrency, row.output_tokens_per_s, row.ttft_ms) for row in rows] == [
        (1, 25, 101),
        (8, 200, 108),
    ]
    assert rows[0].model == "llama-3.1-8b"


def test_many_failures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"run\.json 20 of 120 requests failed"):
        read_bench_file(save(tmp_path, {"benchmarks": [guidellm(8, errored=20)]}), gpu="H100")
    with pytest.raises(DatasetError, match="requests failed"):
        read_bench_file(save(tmp_path, VLLM | {"failed": 50}), gpu="L4")


@pytest.mark.parametrize("text", ["not json", "[1, 2]", "{}", ""])
def test_another_file_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"run\.json"):
        read_bench_file(save(tmp_path, text), gpu="L4")


def test_an_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_bench_file(tmp_path / "none.json", gpu="L4")


def test_an_unnamed_model_is_asked_for(tmp_path: Path) -> None:
    path = save(tmp_path, VLLM | {"model_id": None})
    with pytest.raises(DatasetError, match="give model="):
        read_bench_file(path, gpu="L4")
    assert read_bench_file(path, gpu="L4", model="mistral-7b")[0].model == "mistral-7b"
    with pytest.raises(UsageError, match="own-model"):
        read_bench_file(save(tmp_path, VLLM | {"model_id": "own-model"}), gpu="L4")


@pytest.mark.parametrize("count", [0, -1, "two", 1.5, True])
def test_a_count_of_gpus_that_cannot_be_meant_is_refused(count: Any, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"n_gpu of run\.json must be a whole number"):
        read_bench_file(save(tmp_path, VLLM), gpu="L4", n_gpu=count)


@pytest.mark.parametrize("value", [VLLM | {"output_throughput": 0}, {"benchmarks": ["x"]}])
def test_a_run_that_measured_nothing_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"run\.json (holds a run of 0|has a benchmark)"):
        read_bench_file(save(tmp_path, value), gpu="L4")


def test_a_time_of_zero_was_not_measured(tmp_path: Path) -> None:
    (row,) = read_bench_file(save(tmp_path, VLLM | {"mean_tpot_ms": 0.0}), gpu="L4")
    assert (row.tpot_ms, row.ttft_ms) == (None, 300)
