"""Files as Inspect AI 0.3, lm-evaluation-harness 0.4 and promptfoo 0.11x write them, cut to what is read."""

from __future__ import annotations

import copy
import io
import itertools
import json
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from llmbench import Matrix
from llmbench.errors import DatasetError, LLMBenchError
from llmbench.matrix.foreign.reading import Reading, read_results

# Inspect


def sample(item: int, epoch: int, value: Any, **more: Any) -> dict[str, Any]:
    return {
        "id": item, "epoch": epoch, "input": f"What is {item}?", "target": str(item),
        "output": {
            "model": "m", "completion": str(item),
            "choices": [{"message": {"role": "assistant", "content": str(item)}, "stop_reason": "stop"}],
            "usage": {"input_tokens": 10, "output_tokens": 2, "input_tokens_cache_read": 4},
        },
        "scores": {"match": {"value": value, "answer": "x", "explanation": "why"}, "other": {"value": 0.25}},
        "metadata": {"category": "even" if item % 2 == 0 else "odd"}, "model_usage": {},
        "total_time": 0.5, "working_time": 0.25, **more,
    }  # fmt: skip


def failed(item: int, epoch: int) -> dict[str, Any]:
    return sample(item, epoch, "C", scores={}, error={"message": "RuntimeError('boom')", "traceback": ""})


def header(model: str = "mockllm/model", task: str = "arith") -> dict[str, Any]:
    return {"version": 2, "status": "success", "eval": {"model": model, "task": task}, "plan": {}}


SAMPLES = [
    sample(0, 1, "C"),
    sample(0, 2, "I"),
    sample(1, 1, "P"),
    sample(1, 2, "N"),
    failed(2, 1),
    failed(2, 2),
]


def zipped(members: dict[str, bytes]) -> bytes:
    """A zip compressed by Standard 93, Zstandard, which zipfile cannot write before Python 3.14."""
    body, directory = b"", b""
    for name, content in members.items():
        packed = pa.compress(content, codec="zstd", asbytes=True)
        common = struct.pack("<HHHHHIII", 63, 0, 93, 0, 33, zlib.crc32(content), len(packed), len(content))
        place = len(body)
        body += b"PK\3\4" + common + struct.pack("<HH", len(name), 0) + name.encode() + packed
        directory += (
            b"PK\1\2"
            + struct.pack("<H", 63)
            + common
            + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, place)
        )
        directory += name.encode()
    end = struct.pack("<HHHHIIH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    return body + directory + b"PK\5\6" + end


def eval_log(path: Path, samples: list[dict[str, Any]] = SAMPLES, **about: str) -> Path:
    members = {"header.json": header(**about)} | {
        f"samples/{s['id']}_epoch_{s['epoch']}.json": s for s in samples
    }
    path.write_bytes(zipped({name: json.dumps(content).encode() for name, content in members.items()}))
    return path


def json_log(path: Path) -> Path:
    path.write_text(json.dumps({**header(), "samples": SAMPLES}))
    return path


@pytest.mark.parametrize("form", ["eval", "json"])
def test_inspect(tmp_path: Path, form: str) -> None:
    path = eval_log(tmp_path / "a.eval") if form == "eval" else json_log(tmp_path / "a.json")
    results = Matrix.from_results(path)
    (cell,) = results.cells
    assert (cell.cell, cell.n, cell.missing) == ("mockllm/model", 2, 2)
    assert results.answers["score"].tolist()[:4] == [1.0, 0.0, 0.5, 0.0]
    assert results.missing() == [{"model": "mockllm/model", "error": "RuntimeError('boom')", "answers": 2}]
    first = results.answers.iloc[0]
    assert (first["answer"], first["latency_ms"], first["cached_tokens"], first["category"]) == (
        "0",
        250,
        4,
        "even",
    )
    assert cell.cost_usd is None
    assert results.dataset.rows[0].fields["question"] == "What is 0?"
    assert "scores are those of 'match' (others: other)" in results.quote.warnings[0]
    assert Matrix.from_results(path, score="other").cells[0].score == 0.25


def test_inspect_of_several_tasks_keeps_their_items_apart(tmp_path: Path) -> None:
    eval_log(tmp_path / "a.eval")
    eval_log(
        tmp_path / "b.eval", [sample(0, 1, "C", metadata={}), sample(0, 2, "C", metadata={})], task="geo"
    )
    results = Matrix.from_results(tmp_path)
    assert {item.id for item in results.dataset.rows} == {"arith/0", "arith/1", "arith/2", "geo/0"}
    assert results.dataset.rows[-1].category == "geo"


@pytest.mark.parametrize(
    ("samples", "options", "message"),
    [
        ([], {}, "has no samples"),
        ([sample(0, 1, "?")], {}, r"sample 1 has the score '\?', which is neither a number nor one of C"),
        ([sample(0, 1, {"a": 1})], {}, r"a score of several values \(a\)"),
        ([sample(0, 1, "C")], {"score": "nobody"}, r"has no scores by 'nobody'; it has match, other"),
    ],
)
def test_inspect_logs_that_cannot_be_used(tmp_path: Path, samples: Any, options: Any, message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        Matrix.from_results(eval_log(tmp_path / "a.eval", samples), **options)
    assert (
        Matrix.from_results(eval_log(tmp_path / "b.eval", [sample(0, 1, {"a": 1})]), score="match.a")
        .cells[0]
        .score
        == 1
    )


def test_a_broken_archive_is_said_to_be_one(tmp_path: Path) -> None:
    path = eval_log(tmp_path / "a.eval")
    content = path.read_bytes()
    for broken in (content[:100], b"PK\3\4", content.replace(b"header.json", b"hooder.json")):
        path.write_bytes(broken)
        with pytest.raises(DatasetError, match=r"a\.eval"):
            Matrix.from_results(path)
    lying = bytearray(content)
    place = content.rindex(b"PK\1\2")
    lying[place + 24 : place + 28] = struct.pack("<I", 2**31)  # its size, unpacked
    path.write_bytes(bytes(lying))
    with pytest.raises(DatasetError, match="that is too much"):
        Matrix.from_results(path)


# lm-evaluation-harness


def harness(
    tmp_path: Path, lines: list[dict[str, Any]], model: str = "org__model", task: str = "arc"
) -> Path:
    folder = tmp_path / model
    folder.mkdir(exist_ok=True)
    path = folder / f"samples_{task}_2026-11-24T10-00-00.123456.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (folder / "results_2026-11-24T10-00-00.123456.json").write_text("{}")
    return path


def choice(doc: int, acc: float | None, **more: Any) -> dict[str, Any]:
    return {
        "doc_id": doc, "doc": {"subject": "s"}, "target": 1, "filter": "none", "metrics": ["acc", "acc_norm"],
        "arguments": {"gen_args_0": {"arg_0": "Q?", "arg_1": " A"}}, "resps": [], "acc": acc, "acc_norm": 1.0,
        "filtered_resps": [[-3.0, False], [-1.0, True]], **more,
    }  # fmt: skip


def test_harness(tmp_path: Path) -> None:
    harness(tmp_path, [choice(0, 1.0), choice(1, 0.0), choice(2, None)])
    results = Matrix.from_results(tmp_path, category="subject")
    (cell,) = results.cells
    assert (cell.cell, cell.n, cell.missing, cell.score) == ("org/model", 2, 1, 0.5)
    assert results.answers["answer"].tolist()[:2] == ["1", "1"]  # the second choice is the likelier
    assert results.dataset.rows[0].fields["question"] == "Q?"
    assert results.dataset.rows[0].category == "s"
    assert "the metric is 'acc' (others: acc_norm)" in results.quote.warnings[0]
    assert Matrix.from_results(tmp_path, score="acc_norm,none").cells[0].score == 1.0


@pytest.mark.parametrize("kind", ["harness", "inspect", "promptfoo", "table"])
def test_half_a_character_is_refused(tmp_path: Path, kind: str) -> None:
    half = "half \ud83d"
    if kind == "harness":
        path = harness(tmp_path, [choice(0, 1.0, filtered_resps=[half])])
    elif kind == "inspect":
        path = tmp_path / "log.json"
        path.write_text(json.dumps({**header(), "samples": [sample(0, 1, "C", input=half)]}))
    elif kind == "promptfoo":
        path = promptfoo(tmp_path, [outcome(0, "m", 1.0, response={"output": half})])
    else:
        path = tmp_path / "results.jsonl"
        path.write_text(json.dumps({"item": "a", "model": "m", "score": 1, half: 0}) + "\n")
    with pytest.raises(DatasetError, match="half a character"):
        Matrix.from_results(path)


def test_harness_takes_one_filter(tmp_path: Path) -> None:
    lines = [
        choice(0, 1.0, filter=name, filtered_resps=["7"], metrics=["exact_match"], exact_match=value)
        for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))
    ]
    path = harness(tmp_path, lines, task="gsm8k")
    assert Matrix.from_results(path).cells[0].score == 0
    assert Matrix.from_results(path, score="exact_match,flexible-extract").cells[0].score == 1
    with pytest.raises(DatasetError, match=r"has no filter 'x'; it has strict-match, flexible-extract"):
        Matrix.from_results(path, score="exact_match,x")


def test_harness_of_two_models(tmp_path: Path) -> None:
    harness(tmp_path, [choice(0, 1.0)])
    harness(tmp_path, [choice(0, 0.0)], model="org__other")
    results = Matrix.from_results(tmp_path, baseline="org/other")
    assert results.comparisons[0].difference == 1.0


def test_harness_with_a_line_of_something_else(tmp_path: Path) -> None:
    path = harness(tmp_path, [choice(0, 1.0)])
    path.write_text(path.read_text() + "{}\n")
    with pytest.raises(DatasetError, match=r"jsonl:2 is no sample"):
        Matrix.from_results(path)
    path.write_text(path.read_text().replace("{}\n", "{\n"))
    with pytest.raises(DatasetError, match=r"jsonl:2 is no JSON"):
        Matrix.from_results(path)


# promptfoo


def outcome(test: int, provider: str, score: float, reason: int = 0, **more: Any) -> dict[str, Any]:
    return {
        "promptIdx": 0, "testIdx": test, "vars": {"q": f"What is {test}?"}, "success": score == 1,
        "provider": {"id": provider, "label": ""}, "prompt": {"raw": "What is {{q}}?", "label": "p"},
        "testCase": {"metadata": {"category": "sums"}}, "score": score, "latencyMs": 120, "cost": 0.002,
        "failureReason": reason, "gradingResult": {"reason": "as expected"}, "namedScores": {"tone": 0.5},
        "response": {"output": str(test), "tokenUsage": {"total": 12, "prompt": 10, "completion": 2}}, **more,
    }  # fmt: skip


def promptfoo(tmp_path: Path, results: list[dict[str, Any]]) -> Path:
    path = tmp_path / "out.json"
    path.write_text(json.dumps({"evalId": "e", "results": {"version": 3, "results": results}, "config": {}}))
    return path


def test_promptfoo(tmp_path: Path) -> None:
    gone = {"response": {"error": "rate limited"}, "error": "rate limited"}
    path = promptfoo(
        tmp_path,
        [
            outcome(0, "openai:a", 1), outcome(0, "b", 0, reason=1, error="Expected 1"),
            outcome(1, "openai:a", 1, cost=0), outcome(1, "b", 0, reason=2, **gone),
        ],
    )  # fmt: skip
    results = Matrix.from_results(path, baseline="openai:a")
    a, b = results.cells
    assert (a.cell, a.score, a.missing) == ("openai:a", 1.0, 0)
    assert a.cost_usd is None  # promptfoo writes 0 where it knows no price
    assert (b.score, b.missing) == (0.0, 1)  # a failed assertion is an answer, a failed call is none
    assert results.missing() == [{"model": "b", "error": "rate limited", "answers": 1}]
    assert "1 answers have a cost of 0, taken as unknown" in results.quote.warnings[0]
    assert results.dataset.rows[0].category == "sums"
    assert Matrix.from_results(path, score="tone").cells[0].score == 0.5
    with pytest.raises(DatasetError, match=r"has no score 'mood'; it has success, tone"):
        Matrix.from_results(path, score="mood")


def test_promptfoo_repeats_are_draws_of_one_item(tmp_path: Path) -> None:
    same = {"vars": {"q": "one"}}
    path = promptfoo(tmp_path, [outcome(0, "a", 1, **same), outcome(1, "a", 0, **same)])
    results = Matrix.from_results(path)
    assert len(results.dataset) == 1
    assert results.answers["repeat"].tolist() == [0, 1]


def test_promptfoo_times_of_cached_answers_are_not_times(tmp_path: Path) -> None:
    cached = {
        "response": {"output": "1", "cached": True, "tokenUsage": {"total": 12, "cached": 12}},
        "cost": 0,
    }
    results = Matrix.from_results(promptfoo(tmp_path, [outcome(0, "a", 1, **cached)]))
    assert results.cells[0].latency_p50_ms is None
    assert results.cells[0].cost_usd is None


def test_promptfoo_without_results(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has no results"):
        Matrix.from_results(promptfoo(tmp_path, []))


def test_promptfoo_of_old_names_its_provider_by_a_text(tmp_path: Path) -> None:
    results = Matrix.from_results(promptfoo(tmp_path, [{**outcome(0, "a", 1), "provider": "openai:a"}]))
    assert results.cells[0].cell == "openai:a"


# What is not built as it should be


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({**header(), "samples": "x"}, r"a.json: samples of the log is a text, and must be an array"),
        (
            {**header(), "samples": [sample(0, 1, "C"), None]},
            r"a.json: sample 2 is null, and must be an object",
        ),
        ({**header(), "samples": [sample(0, 1, "C", scores=[1])]}, r"a.json: scores of sample 1 is an array"),
        (
            {**header(), "samples": [{**sample(0, 1, "C"), "epoch": "x"}]},
            r"epoch of sample 1 is 'x', and must be a num",
        ),
        ({**header(), "eval": {"task": "t"}, "samples": SAMPLES}, r"a.json names no model in its eval"),
        ({"results": {"results": ["a", None]}}, r"a.json: result 1 is a text, and must be an object"),
        ({"results": {"results": [outcome(0, "a", 1), {"x": 1}]}}, r"a.json: result 2 names no provider"),
    ],
)
def test_documents_of_another_build_are_told_by_record(tmp_path: Path, document: Any, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps(document))
    with pytest.raises(DatasetError, match=message):
        Matrix.from_results(path)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"header.json": []}, r"a.eval: header.json is an array, and must be an object"),
        ({"header.json": {}}, r"a.eval names no model"),
        ({"header.json": header(), "samples/1_epoch_1.json": []}, r"a.eval: sample 1 is an array"),
        (
            {"header.json": header(), "samples/1_epoch_1.json": "{"},
            r"a.eval: samples/1_epoch_1.json is no JSON",
        ),
    ],
)
def test_archives_of_another_build_are_told_by_record(tmp_path: Path, members: Any, message: str) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, member in members.items():
            archive.writestr(name, member if isinstance(member, str) else json.dumps(member))
    (tmp_path / "a.eval").write_bytes(content.getvalue())
    with pytest.raises(DatasetError, match=message):
        Matrix.from_results(tmp_path / "a.eval")


ODD = (None, "", "x", 0, -1, 0.5, 10**400, True, [], [None], ["x"], [[]], {}, {"x": None}, {"x": [1]})


EVERY = 7
"""Of the changes one in so many is tried: all of them take a minute."""


def changed(document: Any, whole: Any, put: Any) -> Iterator[Any]:
    """The document with each of its parts, in turn, put as each odd value."""
    parts = document.items() if isinstance(document, dict) else enumerate(document)
    for name, part in list(parts):
        for odd in ODD:
            document[name] = odd
            yield put(whole)
        document[name] = part
        if isinstance(part, dict | list):
            yield from changed(part, whole, put)


@pytest.mark.parametrize("kind", ["inspect", "promptfoo", "harness", "table"])
def test_no_change_of_one_part_is_an_error_of_python(tmp_path: Path, kind: str) -> None:
    document: Any = {
        "inspect": {**header(), "samples": [sample(0, 1, "C")]},
        "promptfoo": {"results": {"results": [outcome(0, "a", 1)]}},
        "harness": choice(0, 1.0),
        "table": {
            "item": "a",
            "model": "m",
            "score": 1,
            "answer": "x",
            "repeat": 0,
            "category": "c",
            "error": None,
        },
    }[kind]
    document = copy.deepcopy(document)
    path = tmp_path / ("a.jsonl" if kind in {"harness", "table"} else "a.json")
    count = 0
    for text in itertools.islice(changed(document, document, json.dumps), 0, None, EVERY):
        path.write_text(text)
        try:
            read_results(path, Reading({}, False, (), None, (0.0, 1.0), None, None, "category"))
        except LLMBenchError as error:
            unnamed = [] if "a.json" in str(error) else [f"{error} for {text}"]
            assert unnamed == []
        except Exception as error:
            raise AssertionError(f"{error!r} for {text}") from error
        count += 1
    assert count > 10
