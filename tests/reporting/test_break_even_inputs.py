from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from llmbench.errors import LLMBenchError, UsageError
from llmbench.reporting import read_parameters
from llmbench.reporting.break_even_inputs import Question, ask, input_files, stale_prices
from llmbench.reporting.break_even_report import ways
from llmbench.reporting.break_even_tables import accepted_table, decision_table, decision_text
from llmbench.reporting.break_even_words import verdict, would_pay
from llmbench.results import Decision

NOTEBOOK = Path(__file__).resolve().parents[2] / "notebooks" / "break_even.ipynb"
DEFAULTS = {parameter.name: parameter.default for parameter in read_parameters(NOTEBOOK)} | {"loadtest": ""}
DAY = date(2026, 11, 28)


def put(root: Path, **changed: Any) -> Question:
    return ask(DEFAULTS | {"draws": 1000} | changed, root, DAY)


def test_the_documents_workload_does_not_pay(tmp_path: Path) -> None:
    question = put(tmp_path)
    found = verdict(question)
    assert found.decision is Decision.NO_GO
    assert "does not pay at 100,000 messages" in found.summary
    assert "its own API $12.60" in found.summary
    assert "Where it would pay" in found.reasons[0]
    assert "gpt-4o from" in found.reasons[0]
    assert any("no longer sold" in reason for reason in found.reasons)
    # The savings that the document claims against Llama in the cloud are larger than the whole bill.
    table = decision_table(question).frame.set_index("against")
    assert table.loc["llama-3.1-8b", "difference_usd"] < -1000
    assert table.loc["llama-3.1-8b", "probability_cheaper"] == 0
    assert "llama-3.1-8b" in decision_text(question.study)


def test_the_documents_claims_are_of_its_own_workload(tmp_path: Path) -> None:
    assert put(tmp_path).of_document
    assert not put(tmp_path, messages_per_month=20_000.0).of_document


def test_at_the_documents_prices_too(tmp_path: Path) -> None:
    found = verdict(put(tmp_path, price_book="2025-01-23", against=["gpt-4o", "mixtral-8x22b"]))
    assert found.decision is Decision.NO_GO
    assert "its own API $14.00" in found.summary


def test_at_a_large_volume_against_a_dear_api_it_pays(tmp_path: Path) -> None:
    question = put(tmp_path, messages_per_month=3_000_000.0, baseline="gpt-4o")
    assert verdict(question).decision in {Decision.GO, Decision.GO_WITH_CONDITIONS}
    assert "the API of gpt-4o" in verdict(question).summary
    assert "only if the answers are as good" in would_pay(question.study)


def test_a_discount_moves_the_bill(tmp_path: Path) -> None:
    plain, less = put(tmp_path), put(tmp_path, discounts={"gpt-4o": 0.5})
    assert less.study.usd_per_message("gpt-4o") == pytest.approx(0.5 * plain.study.usd_per_message("gpt-4o"))
    both = put(tmp_path, discounts={"all": 0.5}).study
    assert both.prices["gpt-4o"].input_usd == pytest.approx(0.5 * plain.study.prices["gpt-4o"].input_usd)


@pytest.mark.parametrize("name", ["GPT-4o", "openai/gpt-4o"])
def test_a_discount_is_found_under_every_spelling(name: str, tmp_path: Path) -> None:
    plain, less = put(tmp_path).study, put(tmp_path, discounts={name: 0.5}).study
    assert less.usd_per_message("gpt-4o") == pytest.approx(0.5 * plain.usd_per_message("gpt-4o"))
    assert less.prices["gpt-4o"].output_usd == pytest.approx(0.5 * plain.prices["gpt-4o"].output_usd)
    assert less.usd_per_message("gpt-4") == plain.usd_per_message("gpt-4")


def test_prices_of_ones_own_go_before_lists(tmp_path: Path) -> None:
    question = put(tmp_path, gpu_prices={"L4": 0.3}, gpus=["L4"])
    assert {option.usd_per_hour for option in question.study.working if option.n_gpu == 1} == {0.3}
    assert not stale_prices(question)
    told = " ".join(stale_prices(put(tmp_path)))
    assert "llmbench prices refresh fetches today's." in told
    assert "`" not in told  # reasons are plain text


def test_batch_is_half_price_and_has_no_objective(tmp_path: Path) -> None:
    question = put(tmp_path, latency_class="batch", against=["gpt-4o"], baseline="gpt-4o")
    assert question.study.usd_per_message("gpt-4o") == pytest.approx(0.001625)
    assert question.objective.tpot_ms is None
    assert question.study.load.peak_to_mean == 1


def test_an_api_without_a_batch_price_stays_in_the_comparison(tmp_path: Path) -> None:
    question = put(tmp_path, latency_class="batch")
    assert question.study.baseline == "llama-3.1-8b"
    assert not question.unpriced
    found = verdict(question)
    assert "its own API $12.60" in found.summary
    assert any(
        "no batch price of llama-3.1-8b, llama-3.1-70b, mixtral-8x7b" in each for each in found.reasons
    )
    assert not [way.name for way in ways(question) if "in batches" in way.name]


def test_messages_that_wait_may_pay_as_a_job_at_night(tmp_path: Path) -> None:
    few = {"latency_class": "batch", "against": ["gpt-4o"], "baseline": "gpt-4o"}
    found = verdict(put(tmp_path, **few, operations_hours=0.5, storage_usd=5.0))
    assert found.decision is Decision.GO_WITH_CONDITIONS
    assert "as a job at night" in found.summary
    assert verdict(put(tmp_path, **few)).decision is Decision.NO_GO  # eight hours of people cost more


def test_without_people_and_spare_a_cheap_card_pays(tmp_path: Path) -> None:
    bare = {"operations_hours": 0.0, "storage_usd": 0.0, "spare_replicas": 0}
    question = put(tmp_path, **bare, gpu_prices={"L4": 0.2}, gpus=["L4"], messages_per_month=3_000_000.0)
    assert verdict(question).decision is Decision.GO
    assert question.study.probability("llama-3.1-8b") > 0.9


def test_what_is_named_twice_is_looked_at_once(tmp_path: Path) -> None:
    twice = put(tmp_path, model="llama-3.1-70b", gpus=["H100", "h100 sxm"], dtypes=["fp8", "FP8"])
    names = [option.name for option in twice.study.options]
    assert len(names) == len(set(names))
    assert {option.model for option in twice.study.options} == {"llama-3.1-70b", "mixtral-8x7b"}


def test_a_log_is_the_workload(tmp_path: Path) -> None:
    monday = datetime(2026, 11, 2, tzinfo=UTC)
    lines = [
        {"at": (monday + timedelta(hours=h)).isoformat(), "in": 400 + h % 3 * 100, "out": 150}
        for h in range(336)
    ]
    (tmp_path / "log.jsonl").write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    columns = {"time": "at", "input_tokens": "in", "output_tokens": "out"}
    question = put(tmp_path, log="log.jsonl", log_columns=columns)
    assert question.study.load.messages_per_month == pytest.approx(730)
    assert question.study.load.input_tokens == pytest.approx(500)
    assert question.study.load.output_tokens == 150
    (file,) = input_files(question, tmp_path)
    assert (file.path, file.rows) == ("log.jsonl", 336)
    told = next(each for each in verdict(question).reasons if "336 messages in 14.0 days" in each)
    assert "Less than a week" not in told
    few = "\n".join(json.dumps(line) for line in [*lines[:4], lines[4] | {"in": None}])
    (tmp_path / "few.jsonl").write_text(few, encoding="utf-8")
    short = verdict(put(tmp_path, log="few.jsonl", log_columns=columns)).reasons
    told = next(each for each in short if "5 messages in 4 hours" in each)
    assert "the busiest hour is taken for 3 times the mean" in told
    assert "1 of them has no tokens" in told
    with pytest.raises(UsageError, match="no column 'started_at'"):
        put(tmp_path, log="log.jsonl")
    with pytest.raises(UsageError, match=r"must be \.csv, \.xlsx, \.jsonl, \.parquet"):
        put(tmp_path, log="log.txt")


def test_rows_are_told_of_the_log_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = pd.DataFrame(
        {"started_at": ["2026-11-02T09:00Z", "2026-11-12T10:00Z"], "input_tokens": 400, "output_tokens": 150}
    )
    monkeypatch.setattr("llmbench.reporting.break_even_log._ledger", lambda: calls)
    result = {"report": "model_matrix", "data": {"models": [{"model": "openai/gpt-4o", "score": 0.9}]}}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    question = put(tmp_path, log="ledger", matrix_result="result.json")
    assert question.measured is not None
    assert [(file.path, file.rows) for file in input_files(question, tmp_path)] == [("result.json", None)]


def test_prices_of_ones_own_are_of_the_day_that_is_asked_about(tmp_path: Path) -> None:
    question = put(tmp_path, gpu_prices={"L4": 0.3})
    assert {offer.as_of for offer in question.offers if offer.gpu == "L4"} == {DAY.isoformat()}


def test_scores_of_a_matrix_are_shares_of_good_answers(tmp_path: Path) -> None:
    rows = [{"model": "openai/gpt-4o", "score": 0.9}, {"model": "together/llama-3.1-8b", "score": 0.6}]
    result = {"report": "model_matrix", "data": {"models": rows}}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    question = put(tmp_path, matrix_result="result.json", accepted={"gpt-4o-mini": 0.8})
    assert question.accepted == {"gpt-4o": 0.9, "llama-3.1-8b": 0.6, "gpt-4o-mini": 0.8}
    table = accepted_table(question.study, question.accepted)
    assert table is not None
    own = table.frame.set_index("name").loc["llama-3.1-8b, own machines"]
    assert own["usd_per_accepted"] == pytest.approx(own["usd_per_message"] / 0.6)
    assert accepted_table(question.study, {}) is None
    none = accepted_table(question.study, {"llama-3.1-8b": 0.0, "gpt-4o": 0.9})
    assert none is not None
    assert "never" in none.shown.to_string()
    with pytest.raises(UsageError, match=r"no result\.json of the notebook model_matrix"):
        put(tmp_path, matrix_result="nothing.json")
    told = next(each for each in verdict(question).reasons if each.startswith("A good answer"))
    assert "60.0% of llama-3.1-8b are good" in told
    assert "with 90.0% at gpt-4o" in told
    assert not [each for each in verdict(put(tmp_path)).reasons if each.startswith("A good answer")]


@pytest.mark.parametrize(
    ("rows", "told"),
    [
        ([{"model": "gpt-4o", "score": 7.5}], "score of gpt-4o is 7.5, which is no share"),
        ([{"model": "gpt-4o", "score": "good"}], "score of gpt-4o is 'good'"),
        ([{"score": 0.5}], "no result.json of the notebook"),
        (["gpt-4o"], "no result.json of the notebook"),
    ],
)
def test_a_matrix_without_shares_is_refused(rows: list[Any], told: str, tmp_path: Path) -> None:
    result = {"report": "model_matrix", "data": {"models": rows}}
    (tmp_path / "result.json").write_text(json.dumps(result), encoding="utf-8")
    with pytest.raises(UsageError, match=told):
        put(tmp_path, matrix_result="result.json")


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"messages_per_month": 0.0}, "messages_per_month is 0"),
        ({"messages_per_month": -5.0}, "messages_per_month must be a number of at least 0"),
        ({"gpus": ["L5"]}, r"does not know the GPU .L5.; did you mean .*L4"),
        ({"gpu_prices": {"L4": -1}}, "above 0"),
        ({"operations_usd_per_hour": -1.0}, "operations_usd_per_hour"),
        (
            {"gpus": ["T4"], "dtypes": ["fp16"], "model": "llama-3.1-70b"},
            r"70b fp16 on 8x T4 does not fit into the memory\. The smallest .* is .* in awq-int4\.",
        ),
        ({"ttft_ms": 0.001, "tpot_ms": 0.001}, "within the latency objective"),
        ({"input_tokens": 200_000.0}, "context|131,072"),
        ({"model": "gpt-4o"}, "gpt-4o"),
        ({"model": "lama-3.1-8b"}, r"llama-3\.1-8b"),
        ({"against": []}, "'against' is empty"),
        ({"against": ["gpt-4p"]}, "did you mean"),
        ({"against": ["mixtral-8x22b"], "baseline": "mixtral-8x22b"}, "no price of mixtral-8x22b"),
        ({"price_book": "2020-01-01"}, "There is no price book"),
        ({"purchase": "stolen"}, "'purchase' is one of"),
        ({"latency_class": "slow"}, "'latency_class' is"),
        ({"uncertainty": {"volume": [1, 2, 3]}}, "'uncertainty' holds volume"),
        ({"api_fall_per_year": 0.5}, "api_fall_per_year"),
        ({"draws": 5}, "draws"),
        ({"peak_to_mean": 0.5}, "peak_to_mean"),
        ({"output_tokens": 0.0}, "output_tokens"),
        ({"log_columns": {"when": "x"}, "log": "x.csv"}, "log_columns"),
        ({"log": "nothing.csv"}, r"^The log nothing\.csv cannot be read: No such file or directory\.$"),
        ({"bench": [{"file": "no.json", "gpu": "L4"}]}, r"^no\.json cannot be read .*\(No such file"),
        ({"messages_per_month": 1e15}, "give at most 100,000,000,000"),
        ({"draws": 10**9}, "give at most 1,000,000"),
        ({"seed": -1}, "seed must be"),
        ({"discounts": {"gpt-4o": "half"}}, "'discounts' holds 'half' for gpt-4o; it must be a number"),
        ({"discounts": {"gpt-9": 0.1}}, "discount for gpt-9, which is not among the models compared"),
        ({"uncertainty": {"messages": ["a", 1, 2]}}, "'uncertainty' holds 'a' for messages"),
        ({"uncertainty": {"correlation": [0, 0, 1]}}, "'uncertainty' holds .* for correlation; it must be a"),
        ({"uncertainty": {"correlation": 1.0}}, "must lie from 0 .apart. to below 1"),
        ({"accepted": {"gpt-4o": 1.5}}, "'accepted' holds 1.5 for gpt-4o; it is a share"),
        ({"accepted": {"gpt-4o": "most"}}, "'accepted' holds 'most'"),
    ],
)
def test_bad_input_is_one_clear_sentence(changed: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(LLMBenchError, match=told) as error:
        verdict(put(tmp_path, **changed))
    assert "\n" not in str(error.value)
    assert str(error.value).endswith((".", "?"))
