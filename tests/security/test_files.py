"""Every file that is read from outside, fuzzed: errors are ours, and no number that is read is wrong."""

from __future__ import annotations

import json
import math
import re
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from llmbench import Matrix, finetune
from llmbench.catalog.bench_files import read_bench_file
from llmbench.config import load_config
from llmbench.decision.gates import read_gates
from llmbench.errors import LLMBenchError
from llmbench.finetune.llama_folder import FolderModel
from llmbench.ledger import Ledger
from llmbench.ledger.lines import line_of
from llmbench.ledger.vendor_exports import read_exports
from llmbench.matrix import Dataset
from llmbench.matrix.labels import import_labels
from llmbench.reporting.parameters import check_parameters, read_parameter_file, read_parameters
from llmbench.result_files import changed_files, read_envelope
from llmbench.routing.calibrated_file import load as load_routes
from tests.ledger.conftest import make_call_of
from tests.matrix.foreign.test_runners import SAMPLES, eval_log, header
from tests.security.hostile import changed_bytes, changed_document, changed_lines, dumped, many, some


def refused(read: Callable[[], Any]) -> Any:
    """What `read` gives; None where it raises an error of ours, which is one sentence of printable text."""
    try:
        return read()
    except LLMBenchError as error:
        said = str(error)
    assert said.strip()
    return None


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "llmbench.toml").touch()
        yield Path(folder)


ROWS = [
    {"id": k, "prompt": f"What is {k}?", "expected": str(k), "category": "sum", "grader": "exact"}
    for k in range(5)
]
JSONL = b"".join(dumped(row) + b"\n" for row in ROWS)
CSV = b"id,prompt,expected\r\n" + b"".join(f'{k},"What, is {k}?",{k}\r\n'.encode() for k in range(5))


def _loaded(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    found = refused(lambda: Dataset.load(path))
    if found is not None:
        assert len({item.id for item in found.rows}) == len(found.rows)
        assert all(item.line >= 1 for item in found.rows)
        refused(lambda: Matrix(found, ["fake/m"], ledger=path.parent / "unused.db"))


@given(changed_lines(ROWS))
@some(10)
def test_items_as_json_lines(place: Path, content: bytes) -> None:
    _loaded(place / "items.jsonl", content)


@given(changed_bytes(CSV) | changed_bytes(CSV.replace(b",", b";")))
@some(10)
def test_items_as_csv(place: Path, content: bytes) -> None:
    _loaded(place / "items.csv", content)


@pytest.fixture(scope="module")
def tables(place: Path) -> dict[str, bytes]:
    import pandas as pd

    frame = pd.DataFrame(ROWS)
    frame.to_parquet(place / "valid.parquet")
    frame.to_excel(place / "valid.xlsx", index=False)
    return {suffix: (place / f"valid.{suffix}").read_bytes() for suffix in ("parquet", "xlsx")}


@pytest.mark.parametrize("suffix", ["parquet", "xlsx"])
@given(data=st.data())
@many(4)
def test_items_as_binary_tables(
    place: Path, tables: dict[str, bytes], suffix: str, data: st.DataObject
) -> None:
    _loaded(place / f"items.{suffix}", data.draw(changed_bytes(tables[suffix])))


TOML = b"""
[endpoints.gpu]
provider = "custom"
base_url = "https://gpu.test/v1"
usd_per_hour = 0.5
max_attempts = 3
[endpoints.gpu.prices]
m = { input = 1.0, output = 4.0, as_of = "2026-11-01" }
[ledger]
path = "a.db"
[data]
personal = ["data/*.csv"]
"""


@given(changed_bytes(TOML) | st.just(b"a = " + b"[" * 5000) | st.just(b"a." * 3000 + b"b = 1"))
@some(15)
def test_llmbench_toml(place: Path, content: bytes) -> None:
    folder = place / "configured"
    folder.mkdir(exist_ok=True)
    (folder / "llmbench.toml").write_bytes(content)
    found = refused(lambda: load_config(folder))
    if found is not None:
        for endpoint in found.endpoints.values():
            assert endpoint.usd_per_hour is None or math.isfinite(endpoint.usd_per_hour)


GATES = b"""
[[gates]]
name = "quality"
stage = "readiness"
metric = "model_matrix.margin"
at_least = -0.03
minimum_n = 100
phases = ["pilot"]
why = "because"
"""


@given(changed_bytes(GATES) | st.just(b"gates = " + b"[" * 5000))
@some(15)
def test_gates(place: Path, content: bytes) -> None:
    (place / "gates.toml").write_bytes(content)
    found = refused(lambda: read_gates(place / "gates.toml"))
    if found is not None:
        assert all(math.isfinite(gate.threshold) for gate in found.gates)


RESULT: dict[str, Any] = {
    "schema": 1, "report": "model_matrix", "title": "Which?",
    "verdict": {"decision": "GO", "summary": "Yes.", "reasons": ["so"]},
    "parameters": {"margin": 0.03}, "inputs": [{"path": "a.csv", "sha256": "0" * 64, "rows": 3}],
    "workload_sha256": None, "baseline": "a", "candidate": "b", "price_book": "current",
    "generated_at": "2026-01-02T00:00:00+00:00", "data_until": None, "llmbench_version": "0",
    "git_commit": None, "seed": 1, "spend": {"quoted_usd": None, "actual_usd": 2.0},
    "data": {"models": [{"model": "a", "n": 100, "score": 0.5, "score_ci": [0.4, 0.6]}]},
}  # fmt: skip


@given(changed_document(RESULT))
@example(dumped({**RESULT, "verdict": {"decision": "GO", "summary": None, "reasons": ["so"]}}))
@example(dumped({**RESULT, "spend": {"quoted_usd": None, "actual_usd": "much"}}))
@some(15)
def test_result_json(place: Path, content: bytes) -> None:
    from llmbench.reporting.index import write_index

    run = place / "reports" / "model_matrix" / "runs" / "20260102T000000Z-abcdef"
    run.mkdir(parents=True, exist_ok=True)
    (run / "result.json").write_bytes(content)
    refused(lambda: read_envelope(run / "result.json"))
    page = write_index(place / "reports").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "<img" not in page
    assert "<svg onload" not in page


@given(changed_bytes(dumped({"result.json": "0" * 64, "../../x": "1"})))
@some(8)
def test_manifest(place: Path, content: bytes) -> None:
    folder = place / "manifested"
    folder.mkdir(exist_ok=True)
    (folder / "manifest.json").write_bytes(content)
    refused(lambda: changed_files(folder))


def _foreign(path: Path) -> None:
    found = refused(lambda: Matrix.from_results(path))
    if found is not None:
        scores = [score for score in found.answers["score"].tolist() if score is not None and score == score]
        assert all(0 <= score <= 1 for score in scores)


@given(changed_document({**header(), "samples": SAMPLES}))
@many(6)
def test_logs_of_inspect(place: Path, content: bytes) -> None:
    (place / "log.json").write_bytes(content)
    _foreign(place / "log.json")


DAMAGES = {
    "a version of the future": (b"PK\x01\x02", 6, b"\x7f\x00"),
    "a password": (b"PK\x01\x02", 8, b"\x01\x00"),
    "an unknown packing": (b"PK\x01\x02", 10, b"\x62\x00"),
    "other bytes": (b"PK\x03\x04", 70, bytes(20)),
}
"""What the list of an archive may say that no reader has, and members that are damaged."""


def patched(content: bytes, mark: bytes, offset: int, value: bytes) -> bytes:
    made = bytearray(content)
    for found in re.finditer(re.escape(mark), content):
        at = found.start() + offset
        made[at : at + len(value)] = value
    return bytes(made)


@pytest.mark.parametrize("how", list(DAMAGES))
def test_archives_of_inspect_that_are_damaged(place: Path, how: str) -> None:
    eval_log(place / "valid.eval")
    (place / "log.eval").write_bytes(patched((place / "valid.eval").read_bytes(), *DAMAGES[how]))
    if how == "a password":  # Zstandard's members are not unpacked by zipfile, and these have none
        assert len(Matrix.from_results(place / "log.eval").answers) == len(SAMPLES)
        return
    with pytest.raises(LLMBenchError):
        Matrix.from_results(place / "log.eval")


@pytest.mark.parametrize("how", list(DAMAGES))
def test_sheets_that_are_damaged(place: Path, tables: dict[str, bytes], how: str) -> None:
    (place / "items.xlsx").write_bytes(patched(tables["xlsx"], *DAMAGES[how]))
    with pytest.raises(LLMBenchError):
        Dataset.load(place / "items.xlsx")


def test_a_sheet_that_grows_without_end_is_refused(place: Path, tables: dict[str, bytes]) -> None:
    declared = (b"PK\x01\x02", 24, b"\xff\xff\xff\x7f")
    (place / "items.xlsx").write_bytes(patched(tables["xlsx"], *declared))
    with pytest.raises(LLMBenchError, match="too much for a sheet"):
        Dataset.load(place / "items.xlsx")


@given(st.data())
@many(6)
def test_archives_of_inspect(place: Path, data: st.DataObject) -> None:
    eval_log(place / "valid.eval")
    (place / "log.eval").write_bytes(data.draw(changed_bytes((place / "valid.eval").read_bytes())))
    _foreign(place / "log.eval")


PROMPTFOO = {
    "evalId": "e", "config": {},
    "results": {"version": 3, "results": [
        {"testIdx": t, "promptIdx": 0, "provider": {"id": p, "label": ""}, "score": 1, "success": True,
         "namedScores": {"a": 0.5}, "vars": {"q": "x"}, "prompt": {"raw": "x", "label": "x"},
         "response": {"output": "y", "tokenUsage": {"total": 3, "prompt": 2, "completion": 1}},
         "failureReason": 0, "latencyMs": 3, "cost": 0.1, "testCase": {"vars": {"q": "x"}}}
        for t in range(2) for p in ("m", "n")
    ]},
}  # fmt: skip


@given(changed_document(PROMPTFOO))
@many(6)
def test_results_of_promptfoo(place: Path, content: bytes) -> None:
    (place / "promptfoo.json").write_bytes(content)
    _foreign(place / "promptfoo.json")


TRAINING = [
    {"messages": [{"role": "user", "content": f"{k} + {k}"}, {"role": "assistant", "content": str(2 * k)}]}
    for k in range(12)
]


@given(changed_lines(TRAINING))
@many(5)
def test_training_files(place: Path, content: bytes) -> None:
    path = place / "training.jsonl"
    path.write_bytes(content)
    found = refused(lambda: finetune.check(path))
    if found is not None:
        repr(found)
        found._repr_html_()


ALIASES = b"a0: &a0 [x]\n" + b"".join(
    b"a%d: &a%d [%s]\n" % (k, k, b",".join([b"*a%d" % (k - 1)] * 9)) for k in range(1, 9)
)


@given(
    changed_bytes(b"greeting: hello\nrepeat: 2\nnames: [a, b]\nextra: {x: 1}\n")
    | st.just(b"a: 2026-13-45") | st.just(b"a: " + b"[" * 3000) | st.just(b"? [a]\n: b")
    | st.just(b"a: !!python/object/apply:os.system ['true']") | st.just(b"a: &a [*a]") | st.just(b"a: 0x_")
    | st.just(ALIASES)
)  # fmt: skip
@some(15)
def test_parameter_files(place: Path, content: bytes) -> None:
    (place / "parameters.yaml").write_bytes(content)
    refused(lambda: read_parameter_file(place / "parameters.yaml"))


CALL: dict[str, Any] = json.loads(line_of(make_call_of("a", cost=0.5, cost_basis="priced")))


@given(changed_lines([CALL]))
@example(dumped({**CALL, "cost": -(10**30)}))
@example(dumped({**CALL, "cost": 10**400}))
@example(dumped({**CALL, "latency_ms": 10**400}))
@some(10)
def test_lines_of_a_ledger(place: Path, content: bytes) -> None:
    (place / "lines.jsonl").write_bytes(content)
    path = place / "lines.db"
    path.unlink(missing_ok=True)
    with Ledger(path) as ledger:
        if refused(lambda: ledger.import_lines(place / "lines.jsonl")) is None:
            assert ledger.spend().calls == 0
        else:
            assert ledger.verify().sound
            assert all(not call.latency_ms < 0 for call in ledger.calls())
            usd = ledger.spend().usd
            assert usd is None or (usd >= 0 and math.isfinite(usd))


BENCH = {
    "backend": "vllm", "model_id": "meta-llama/Llama-3.1-8B-Instruct", "num_prompts": 100, "completed": 100,
    "duration": 10.0, "request_rate": 5.0, "total_input_tokens": 20000, "total_output_tokens": 5000,
    "request_throughput": 10.0, "output_throughput": 500.0, "mean_ttft_ms": 50.0, "mean_tpot_ms": 10.0,
    "median_ttft_ms": 50.0, "p99_ttft_ms": 80.0, "median_tpot_ms": 10.0, "p99_tpot_ms": 20.0,
}  # fmt: skip


LLAMA = {
    "model_type": "llama", "hidden_act": "silu", "num_hidden_layers": 2, "num_attention_heads": 4,
    "num_key_value_heads": 2, "hidden_size": 32, "intermediate_size": 64, "vocab_size": 8,
    "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "rope_theta": 10_000.0, "tie_word_embeddings": True,
}  # fmt: skip
LLAMA_TOKENS = {
    "model": {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2}, "merges": ["a b", ["b", "a"]]},
    "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True},
    "added_tokens": [{"id": 3, "content": "<s>", "special": True}],
    "post_processor": None, "normalizer": None,
}  # fmt: skip
LLAMA_SETTINGS = {"bos_token": "<s>", "eos_token": {"content": "<s>"}, "chat_template": "{{ messages }}"}


class _Written:
    """Stands for GGUFWriter, which refuses what is of another type than the format has."""

    def __getattr__(self, name: str) -> Callable[..., None]:
        def add(value: Any = None, **_: Any) -> None:
            if name in {"add_token_list", "add_token_merges"}:
                assert all(isinstance(each, str) for each in value)
            elif name == "add_token_types":
                assert set(value) <= {1, 3, 4, 5}
            elif name.endswith(("_count", "_length", "_size", "_count_kv")):
                assert 1 <= value < 2**32

        return add


@given(changed_document(LLAMA), changed_document(LLAMA_TOKENS), changed_document(LLAMA_SETTINGS))
@some(20)
@example(dumped(LLAMA), dumped(LLAMA_TOKENS), dumped(LLAMA_SETTINGS))
@example(dumped(LLAMA | {"num_attention_heads": 0}), dumped(LLAMA_TOKENS), dumped(LLAMA_SETTINGS))
@example(dumped(LLAMA | {"vocab_size": 2**40}), dumped(LLAMA_TOKENS), dumped(LLAMA_SETTINGS))
@example(dumped(LLAMA), dumped(LLAMA_TOKENS | {"model": {"type": "BPE"}}), dumped(LLAMA_SETTINGS))
@example(dumped(LLAMA), dumped(LLAMA_TOKENS | {"added_tokens": [{"id": -1}]}), dumped(LLAMA_SETTINGS))
def test_a_folder_of_a_llama_model(place: Path, config: bytes, tokenizer: bytes, tokens: bytes) -> None:
    folder = place / "llama"
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_bytes(config)
    (folder / "tokenizer.json").write_bytes(tokenizer)
    (folder / "tokenizer_config.json").write_bytes(tokens)
    refused(lambda: FolderModel(folder).add_metadata(_Written()))


def test_the_folder_that_is_fuzzed_is_right(tmp_path: Path) -> None:
    for name, content in (
        ("config", LLAMA),
        ("tokenizer", LLAMA_TOKENS),
        ("tokenizer_config", LLAMA_SETTINGS),
    ):
        (tmp_path / f"{name}.json").write_bytes(dumped(content))
    FolderModel(tmp_path).add_metadata(_Written())


@given(changed_document(BENCH))
@some(10)
def test_bench_files(place: Path, content: bytes) -> None:
    (place / "bench.json").write_bytes(content)
    found = refused(lambda: read_bench_file(place / "bench.json", gpu="h100"))
    for row in found or ():
        assert row.output_tokens_per_s is None or 0 <= row.output_tokens_per_s < math.inf


EXPORT = (
    b"date,model,n_requests,n_context_tokens_total,n_generated_tokens_total,cost\n2026-11-01,m,3,100,20,0.5\n"
)
MAPPING = {
    "date": "date", "model": "model", "calls": "n_requests", "input": "n_context_tokens_total",
    "output": "n_generated_tokens_total", "cost": "cost",
}  # fmt: skip


@given(changed_bytes(EXPORT), st.sampled_from(["export.csv", "export.json"]))
@some(10)
def test_vendors_exports(place: Path, content: bytes, name: str) -> None:
    (place / name).write_bytes(content)
    found = refused(lambda: read_exports([place / name], "generic", MAPPING))
    for row in found.rows if found else ():
        assert row.usd is None or math.isfinite(row.usd)


@given(changed_bytes(dumped({"schema": 1, "sha256": "0" * 64, "body": {"models": []}})))
@some(8)
def test_calibrated_routes(place: Path, content: bytes) -> None:
    (place / "routes.json").write_bytes(content)
    refused(lambda: load_routes(place / "routes.json"))


def test_a_key_of_labels_with_half_a_character(place: Path) -> None:
    import pandas as pd

    from llmbench.matrix.labels import export_labels

    answers = {"item_id": ["a"], "cell": "e/m[p]", "repeat": 0, "question": "?", "answer": "x", "score": 1.0}
    export_labels(pd.DataFrame({**answers, "expected": "x"}), place / "half.csv")
    key = place / "half.key.json"
    key.write_bytes(key.read_bytes().replace(b'"e/m[p]"', b'"e/m\\ud83d"'))
    with pytest.raises(LLMBenchError, match="not the key of a sheet"):
        import_labels(place / "half.csv")


@given(st.data())
@some(8)
def test_labels_and_their_key(place: Path, data: st.DataObject) -> None:
    import pandas as pd

    from llmbench.matrix.labels import export_labels

    sheet = place / "sheet.csv"
    key = place / "sheet.key.json"
    sheet.unlink(missing_ok=True)
    key.unlink(missing_ok=True)
    answers = pd.DataFrame(
        {"item_id": ["a", "b"], "cell": "e/m[p]", "repeat": 0, "question": "?", "answer": ["x", "y"],
         "expected": "x", "score": [1.0, 0.0]}
    )  # fmt: skip
    export_labels(answers, sheet)
    sheet.write_bytes(data.draw(st.just(sheet.read_bytes()) | changed_bytes(sheet.read_bytes())))
    key.write_bytes(data.draw(changed_document(json.loads(key.read_text(encoding="utf-8")))))
    found = refused(lambda: import_labels(sheet))
    if found is not None:
        labels = [label for label in found.table["label"].tolist() if label == label and label is not None]
        assert all(0 <= label <= 1 for label in labels)


NOTEBOOK = {
    "cells": [{"cell_type": "code", "execution_count": None, "id": "a", "metadata": {"tags": ["parameters"]},
               "outputs": [],
               "source": "seed: int = 1  # seed\nname: str = 'x'  # name\nshare: float = .5  # s"}],
    "metadata": {}, "nbformat": 4, "nbformat_minor": 5,
}  # fmt: skip


@given(
    changed_document(NOTEBOOK),
    st.dictionaries(st.sampled_from(["seed", "name", "share", "../x"]), st.text(max_size=20)),
)
@example(dumped(NOTEBOOK).replace(b"# seed", b"# \\ud83d"), {})
@example(dumped(NOTEBOOK).replace(b"# seed", b"# \\u0000"), {})
@example(dumped(NOTEBOOK).replace(b"'x'", b"x" + b".x" * 20_000), {})
@some(10)
def test_notebooks_and_parameters(place: Path, content: bytes, values: dict[str, str]) -> None:
    (place / "odd.ipynb").write_bytes(content)
    declared = refused(lambda: read_parameters(place / "odd.ipynb"))
    if declared is not None:
        refused(lambda: check_parameters(declared, values))
