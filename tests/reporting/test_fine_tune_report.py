"""What the notebook `fine_tune` says of a folder of answers."""

from __future__ import annotations

import json
import math
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import DatasetError, UsageError
from llmbench.reporting import fine_tune_charts as charts
from llmbench.reporting import fine_tune_money as money
from llmbench.reporting import fine_tune_report as whole
from llmbench.reporting import fine_tune_tables as show
from llmbench.reporting.fine_tune_provenance import provenance_sentence
from llmbench.reporting.fine_tune_results import TunedResults, read_tuned_results
from llmbench.results import Decision

PARAMETERS: dict[str, Any] = {
    "results": "results", "retrain": False, "baseline": "local/base[long]", "candidate": "", "also": [],
    "stronger": "", "training_file": "train.jsonl", "evaluation": "items.jsonl", "evaluation_column": "text",
    "priced_as": "",
    "margin": 0.03, "least_gain": 0.03, "general_margin": 0.05, "requests_per_month": 1000.0,
    "value_per_answer_usd": 0.0, "training_usd": -1.0, "preparation_usd": 0.0, "hosting_usd_per_month": 0.0,
    "usd_per_hour": 3.6, "utilisation": 0.5, "input_tokens_per_s": 100.0, "output_tokens_per_s": 50.0,
    "speeds": {},
    "confidence": 0.95, "seed": 1, "horizon_months": 24.0,
}  # fmt: skip
ITEMS = 120


def _answers(cells: dict[str, float], *, labels: tuple[str, ...] = ("yes", "no")) -> str:
    """Rows of cells `model|prompt` that are right on so many of the items, the first ones."""
    lines = [
        "item,model,prompt,category,expected,answer,score,finish_reason,input_tokens,output_tokens,cost_usd"
    ]
    for name, share in cells.items():
        model, prompt = name.split("|")
        for i in range(ITEMS):
            right = i % 10 < 10 * share
            expected, other = labels[i // 2 % 2], labels[1 - i // 2 % 2]
            answer = expected if right else other if prompt == "short" else f"I say: {other}"
            tokens = 100 if prompt == "long" else 20
            lines.append(
                f"i{i},{model},{prompt},{'ab'[i % 2]},{expected},{answer},{int(right)},stop,{tokens},2,0.0"
            )
    return "\n".join(lines) + "\n"


def _job(size: int, seed: int, **more: Any) -> dict[str, Any]:
    return {"model": f"local/tuned-{size}-{seed}", "n_train": size, "seed": seed, "seconds": 50.0, **more}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "results"
    made.mkdir()
    cells = {
        "local/base|long": 0.3, "local/base|short": 0.1, "local/tuned-10-1|short": 0.5,
        "local/tuned-10-2|short": 0.4, "local/tuned-90-1|short": 0.8, "local/tuned-90-2|short": 0.9,
    }  # fmt: skip
    (made / "answers.csv").write_text(_answers(cells))
    (made / "general.csv").write_text(_answers({"local/base|plain": 0.6, "local/tuned-90-1|plain": 0.6}))
    jobs = [_job(size, seed) for size in (10, 90) for seed in (1, 2)]
    jobs[2]["cpu_seconds"] = 10.0
    (made / "jobs.json").write_text(json.dumps(jobs))
    items = [
        {"id": f"i{i}", "text": f"The sender of this mail, who is number {i}, asks"} for i in range(ITEMS)
    ]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(item) + "\n" for item in items))
    turns = [{"role": "user", "content": "Is it so?"}, {"role": "assistant", "content": "yes"}]
    (tmp_path / "train.jsonl").write_text(json.dumps({"messages": turns}) + "\n")
    return made


def _read(folder: Path, **changed: Any) -> tuple[TunedResults, dict[str, Any]]:
    parameters = {**PARAMETERS, **changed}
    return read_tuned_results(parameters, folder.parent), parameters


def test_the_tuned_model_is_that_of_the_largest_set_and_its_first_seed(folder: Path) -> None:
    tuned, _ = _read(folder)
    assert tuned.candidate == "local/tuned-90-1[short]"
    assert [c.cell for c in tuned.results.cells] == ["local/base[long]", "local/tuned-90-1[short]"]
    assert tuned.trained is not None
    assert tuned.trained.n_train == 90
    assert _read(folder, candidate="local/tuned-10-2[short]")[0].trained.seed == 2  # type: ignore[union-attr]


def test_the_learning_curve_begins_at_the_base_under_the_same_prompt(folder: Path) -> None:
    tuned, _ = _read(folder)
    assert tuned.curve is not None
    found = [(p.n_train, p.seeds, round(p.score, 3)) for p in tuned.curve.points]
    assert found == [(0, 1, 0.1), (10, 2, 0.45), (90, 2, 0.85)]


def test_verdict_money_and_what_was_forgotten(folder: Path) -> None:
    tuned, parameters = _read(folder)
    verdict = whole.verdict(tuned, parameters)
    assert verdict.decision is Decision.GO
    assert "+50.0 points" in verdict.summary
    assert whole.general_sentence(tuned, parameters).startswith("Whether it has lost") is False
    costs = {c.cell: c.cost for c in money.cell_costs(tuned, parameters)}
    # (100 / 100 + 2 / 50) s at $3.6 an hour, half full
    assert costs["local/base[long]"].usd_per_request == pytest.approx(1.04 * 0.001 / 0.5)
    assert costs["local/tuned-90-1[short]"].training_usd == pytest.approx(10 * 0.001)
    back = money.paybacks(tuned, parameters)["local/base[long]"]
    assert back.break_even_requests == pytest.approx(0.01 / (0.8 * 0.001 / 0.5))
    assert "80% fewer" in money.token_sentence(tuned, parameters)


def test_a_charged_price_goes_before_hours(folder: Path) -> None:
    text = (folder / "answers.csv").read_text().replace(",stop,20,2,0.0", ",stop,20,2,0.004")
    (folder / "answers.csv").write_text(text)
    tuned, parameters = _read(folder, training_usd=7.0, preparation_usd=3.0)
    costs = {c.cell: c for c in money.cell_costs(tuned, parameters)}
    assert costs["local/tuned-90-1[short]"].cost.usd_per_request == pytest.approx(0.004)
    assert costs["local/tuned-90-1[short]"].basis == "as charged"
    assert costs["local/tuned-90-1[short]"].cost.training_usd == 10.0
    assert whole.verdict(tuned, parameters).decision is Decision.GO_WITH_CONDITIONS


def test_an_endpoint_whose_price_is_not_told_has_none(folder: Path) -> None:
    text = (
        (folder / "answers.csv")
        .read_text()
        .replace("local/base", "api/base")
        .replace(",100,2,0.0", ",100,2,")
    )
    (folder / "answers.csv").write_text(text)
    tuned, parameters = _read(folder, baseline="api/base[long]")
    assert money.cell_costs(tuned, parameters)[0].cost.usd_per_request is None
    assert "not known" in whole.verdict(tuned, parameters).summary


def test_lost_abilities_are_a_condition_however_few_the_questions(folder: Path) -> None:
    lines = _answers({"local/base|plain": 0.9, "local/tuned-90-1|plain": 0.3}).splitlines()
    few = [line for line in lines if line.startswith("item") or int(line.split(",")[0][1:]) < 40]
    (folder / "general.csv").write_text("\n".join(few) + "\n")
    tuned, parameters = _read(folder)
    verdict = whole.verdict(tuned, parameters)
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert "it has lost what it could do otherwise" in verdict.summary
    assert whole.general_sentence(tuned, parameters).startswith("It has lost some of it: −60.0")


def test_a_tuned_model_that_is_worse_is_no_go(folder: Path) -> None:
    cells = {"local/base|long": 0.9, "local/base|short": 0.1, "local/tuned-90-1|short": 0.5}
    (folder / "answers.csv").write_text(_answers(cells))
    tuned, parameters = _read(folder)
    assert whole.verdict(tuned, parameters).decision is Decision.NO_GO
    assert show.regression_sentence(tuned) == "It is worse than local/base[long] in a, b."


def test_forms_count_labels_and_what_a_milder_grader_could_find(folder: Path) -> None:
    tuned, _ = _read(folder)
    forms = {form.cell: form for form in show.answer_forms(tuned.results)}
    assert forms["local/tuned-90-1[short]"].in_form == ITEMS
    base = forms["local/base[long]"]
    assert (base.in_form, base.has_right, base.cut_off) == (36, 36, 0)


def test_an_evaluation_seen_in_training_is_hold(folder: Path) -> None:
    rows = [f"The sender of this very long mail number {i} wants to know more" for i in range(ITEMS)]
    (folder.parent / "items.jsonl").write_text("".join(json.dumps({"text": row}) + "\n" for row in rows))
    chats = [
        {"messages": [{"role": "user", "content": row}, {"role": "assistant", "content": "yes"}]}
        for row in rows[:3]
    ]
    (folder.parent / "train.jsonl").write_text("".join(json.dumps(chat) + "\n" for chat in chats))
    tuned, parameters = _read(folder, training_file="train.jsonl", evaluation="items.jsonl")
    assert tuned.seen_in_training == 3
    assert whole.verdict(tuned, parameters).decision is Decision.HOLD
    assert "so the scores above mean nothing" in show.training_sentence(tuned)


def test_result_json_has_the_keys_that_others_read(folder: Path) -> None:
    tuned, parameters = _read(folder)
    fields = whole.envelope_fields(tuned, parameters, folder.parent)
    data = fields["data"]
    assert set(data) >= {"dataset", "models", "comparisons", "learning_curve", "costs", "regressions"}
    assert set(data["learning_curve"][0]) == {"n_train", "seed", "score", "ci"}
    assert set(data["costs"]) >= {"training_usd", "per_1k_requests", "break_even_requests"}
    assert (fields["baseline"], fields["candidate"]) == ("local/base[long]", "local/tuned-90-1[short]")
    assert [item.rows for item in fields["inputs"] if item.path.endswith("answers.csv")] == [6 * ITEMS]


def test_without_the_files_that_may_be_missing(folder: Path) -> None:
    for name in ("general.csv", "jobs.json"):
        (folder / name).unlink()
    tuned, parameters = _read(folder, candidate="local/tuned-90-1[short]")
    assert (tuned.curve, tuned.general, tuned.losses) == (None, None, None)
    assert charts.curve_figure(tuned) is charts.loss_figure(tuned) is charts.curve_table(tuned) is None
    verdict = whole.verdict(tuned, parameters)
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert "what it costs is not known" in verdict.summary
    assert "was not looked at" in verdict.summary


@pytest.mark.parametrize("missing", ["training_file", "evaluation"])
def test_a_training_file_that_nobody_looked_into_is_a_condition(folder: Path, missing: str) -> None:
    tuned, parameters = _read(folder, **{missing: ""})
    assert tuned.seen_in_training is None
    verdict = whole.verdict(tuned, parameters)
    assert verdict.decision is Decision.GO_WITH_CONDITIONS
    assert "nobody looked whether" in verdict.summary
    assert "not known" in show.training_sentence(tuned)


def test_examples_show_what_was_asked(folder: Path) -> None:
    found = show.example_table(_read(folder)[0])
    assert found is not None
    assert found.shown["item"].str.startswith("The sender of this mail").all()
    without = show.example_table(_read(folder, evaluation="")[0])
    assert without is not None
    assert "item" not in without.shown


def test_answers_of_several_lines_are_one_row(folder: Path) -> None:
    text = (folder / "answers.csv").read_text().replace("I say: no", '"I say:\nno"')
    (folder / "answers.csv").write_text(text)
    tuned, parameters = _read(folder)
    inputs = whole.envelope_fields(tuned, parameters, folder.parent)["inputs"]
    assert [item.rows for item in inputs if item.path.endswith("answers.csv")] == [6 * ITEMS]


def test_the_verdict_on_what_was_forgotten_is_one(folder: Path) -> None:
    lines = _answers({"local/base|plain": 0.9, "local/tuned-90-1|plain": 0.3}).splitlines()[:61]
    few = [line for line in lines if line.startswith("item") or int(line.split(",")[0][1:]) < 40]
    more = _answers({"local/tuned-90-1|plain": 0.3}).splitlines()[1:41]
    (folder / "general.csv").write_text("\n".join([*few, *more]) + "\n")
    tuned, parameters = _read(folder)
    data = whole.envelope_fields(tuned, parameters, folder.parent)["data"]
    assert [row["verdict"] for row in data["general"]] == ["worse"]


def test_a_prompt_that_is_no_shorter_saves_nothing(folder: Path) -> None:
    tuned, parameters = _read(folder, baseline="local/base[short]")
    assert money.token_sentence(tuned, parameters).endswith("as many as the 20 of local/base[short].")


def test_a_model_of_another_speed_costs_its_own_seconds(folder: Path) -> None:
    tuned, parameters = _read(folder, speeds={"local/base": [50.0, 25.0]})
    before = {each.cell: each for each in money.cell_costs(*_read(folder))}
    after = {each.cell: each for each in money.cell_costs(tuned, parameters)}
    of_base = after["local/base[long]"].cost.usd_per_request
    # 100 tokens read at 50 a second, 2 written at 25: 2.08 s at $3.6 an hour, half of it busy.
    assert of_base == pytest.approx((100 / 50 + 2 / 25) * 3.6 / 3600 / 0.5)
    assert of_base == pytest.approx(2 * (before["local/base[long]"].cost.usd_per_request or 0.0))
    assert after[tuned.candidate] == before[tuned.candidate]


def test_figures_have_their_numbers(folder: Path) -> None:
    (folder / "loss_curves.csv").write_text(
        "n_train,seed,event,step,loss,validation_loss\n10,1,step,1,2.0,\n10,1,validation,1,,2.5\n90,1,step,1,1.0,\n"
    )
    tuned, parameters = _read(folder)
    curve, losses, costs = (
        charts.curve_figure(tuned),
        charts.loss_figure(tuned),
        money.cost_figure(tuned, parameters),
    )
    assert curve is not None
    assert losses is not None
    assert costs is not None
    assert len(curve.frame) == 3 + 5
    assert set(costs.frame["cell"]) == {"local/base[long]", "local/tuned-90-1[short]"}


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"results": "nowhere"}, DatasetError, r"nowhere has no answers\.csv"),
        ({"candidate": "local/x[short]"}, UsageError, "no cell 'local/x"),
        ({"baseline": "local/base"}, UsageError, "no cell 'local/base'"),
        ({"candidate": "local/base[long]"}, UsageError, "'baseline' and 'candidate' are both"),
        ({"also": [3]}, UsageError, r"'also' must be a list of cells"),
        ({"least_gain": 3.0}, UsageError, r"'least_gain' must be a share .* it is 3\.0"),
        ({"general_margin": math.nan}, UsageError, "'general_margin' must be a share"),
        ({"value_per_answer_usd": math.nan}, UsageError, "'value_per_answer_usd' must be an amount"),
        ({"usd_per_hour": -1.0}, UsageError, "'usd_per_hour' must be an amount"),
        ({"utilisation": 0.0}, UsageError, "'utilisation' must be a share above 0 and at most 1"),
        ({"utilisation": 2.0}, UsageError, "'utilisation' must be a share above 0 and at most 1"),
        ({"training_usd": math.nan}, UsageError, "'training_usd' must be an amount"),
        ({"horizon_months": 0.0}, UsageError, "'horizon_months' must be a number above 0"),
        ({"input_tokens_per_s": 0.0}, UsageError, "'input_tokens_per_s' must be a number above 0"),
        ({"speeds": {"a/b": [1.0]}}, UsageError, "'speeds' must be for a/b a list of two numbers above 0"),
        ({"speeds": {"a/b": [1.0, 0]}}, UsageError, "'speeds' must be for a/b a list of two numbers"),
        ({"speeds": {"a/b": "12"}}, UsageError, "'speeds' must be for a/b a list of two numbers"),
        ({"speeds": {"a/b": [1.0, True]}}, UsageError, "'speeds' must be for a/b a list of two numbers"),
        ({"training_file": "no.jsonl"}, DatasetError, "There is no file .*the path of the training file"),
        ({"evaluation": "no.jsonl"}, DatasetError, "There is no file .*the path of the evaluation"),
    ],
)
def test_bad_input_is_named(folder: Path, change: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        _read(folder, **change)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("answers.csv", "item,score\ni1,1\n", r"answers\.csv has no column model; it has item, score"),
        ("general.csv", "item,score\ni1,1\n", r"general\.csv has no column model; it has item, score"),
        ("loss_curves.csv", "a,b\n1,2\n", r"loss_curves\.csv has no column n_train; it has a, b"),
        ("jobs.json", json.dumps([_job(90, 1), _job(90, 1)]), "the model 'local/tuned-90-1' 2 times"),
        (
            "jobs.json",
            json.dumps([_job(90, 1), {**_job(90, 1), "model": "local/tuned-90-2"}]),
            r"a model of \(n_train, seed\) = \(90, 1\) 2 times",
        ),
        ("jobs.json", json.dumps([_job(90, 1, seconds=-1.0)]), "seconds of local/tuned-90-1 is -1.0, which"),
        ("jobs.json", json.dumps([_job(0, 1)]), "n_train 0; a tuned model has learned from one"),
    ],
)
def test_a_file_that_cannot_be_meant_is_named(folder: Path, name: str, text: str, words: str) -> None:
    (folder / name).write_text(text)
    with pytest.raises(DatasetError, match=words):
        _read(folder)


@pytest.mark.parametrize("text", ["{", "3", '[{"model": "a"}]', "[1]"])
def test_a_broken_list_of_jobs_is_named(folder: Path, text: str) -> None:
    (folder / "jobs.json").write_text(text)
    with pytest.raises(DatasetError, match=r"jobs\.json cannot be read"):
        _read(folder)


def test_where_answers_come_from_is_told_and_checked(folder: Path) -> None:
    tuned, parameters = _read(folder)
    assert whole.envelope_fields(tuned, parameters, folder.parent)["data_until"] is None
    assert "there is no provenance.json" in provenance_sentence(tuned.provenance)
    digest = sha256((folder / "answers.csv").read_bytes()).hexdigest()
    told = {
        "base_model": {"name": "base"}, "engine": "llama.cpp 1", "asked_until": "2026-11-28T20:30:16.7Z",
        "files": {"answers.csv": digest, "gone.csv": "x"},
    }  # fmt: skip
    (folder / "provenance.json").write_text(json.dumps(told))
    tuned, parameters = _read(folder)
    fields = whole.envelope_fields(tuned, parameters, folder.parent)
    assert fields["data_until"] == "2026-11-28T20:30:16+00:00"
    assert "results/provenance.json" in [item.path for item in fields["inputs"]]
    said = provenance_sentence(tuned.provenance)
    assert said == "The base model is base. What answered: llama.cpp 1."
    (folder / "answers.csv").write_text((folder / "answers.csv").read_text().replace(",0,stop", ",1,stop"))
    with pytest.raises(DatasetError, match=r"answers\.csv is not the file that provenance\.json tells of"):
        _read(folder)


@pytest.mark.parametrize("text", ["{", "[]", '"x"'])
def test_a_provenance_that_is_none_is_named(folder: Path, text: str) -> None:
    (folder / "provenance.json").write_text(text)
    with pytest.raises(DatasetError, match=r"provenance\.json"):
        _read(folder)
