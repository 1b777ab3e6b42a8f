"""The data that the notebooks start from: well formed, balanced, and what data/README.md says."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from llmbench.matrix import Dataset
from llmbench.matrix.graders import grader_for
from llmbench.matrix.prompts import prompts_for

DATA = Path(__file__).resolve().parents[2] / "data"
SALES_COLUMNS = {"id", "category", "cluster", "text", "question", "expected", "grader", "choices"}
COLD_COLUMNS = {"id", "category", "brief"}
STYLES = {style: DATA / "prompts" / f"{style}.txt" for style in ("zero_shot", "few_shot")}
CRITERIA = ("relevance", "faithfulness", "clarity", "call to action", "constraints")


def rows(name: str) -> list[dict[str, Any]]:
    """Every line of a JSONL file; a line that does not parse, an empty one included, raises."""
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def plain(text: str) -> str:
    """Letters and digits only, so that a changed comma does not hide a copy."""
    return re.sub(r"\W+", " ", text).casefold().strip()


SALES = rows("sales_tasks.jsonl")
COLD = rows("cold_emails.jsonl")


@pytest.mark.parametrize(("items", "columns"), [(SALES, SALES_COLUMNS), (COLD, COLD_COLUMNS)])
def test_rows_have_the_same_filled_columns_and_unique_ids(
    items: list[dict[str, Any]], columns: set[str]
) -> None:
    assert all(set(item) == columns for item in items)
    assert all(
        isinstance(item[column], str) and item[column].strip() == item[column] != ""
        for item in items
        for column in columns - {"choices"}
    )
    assert len({item["id"] for item in items}) == len(items)


def test_sales_categories_hold_enough_items() -> None:
    counts = Counter(item["category"] for item in SALES)
    assert set(counts) == {"reply_sentiment", "intent", "extraction"}
    assert len(SALES) >= 132
    assert min(counts.values()) >= 44


@pytest.mark.parametrize(("category", "n_labels"), [("reply_sentiment", 3), ("intent", 6)])
def test_labels_are_balanced(category: str, n_labels: int) -> None:
    counts = Counter(item["expected"] for item in SALES if item["category"] == category)
    assert len(counts) == n_labels
    assert len(set(counts.values())) == 1


def test_labels_are_not_in_runs_that_betray_them() -> None:
    for category in ("reply_sentiment", "intent"):
        labels = [item["expected"] for item in SALES if item["category"] == category]
        same = sum(one == other for one, other in itertools.pairwise(labels))
        assert same < len(labels) / 2


def test_expected_fits_the_grader() -> None:
    for item in SALES:
        if item["grader"] == "choice":
            assert item["expected"] in item["choices"], item["id"]
            assert len(set(item["choices"])) == len(item["choices"]), item["id"]
        else:
            assert item["grader"] in {"exact", "numeric"}, item["id"]
            assert item["choices"] is None, item["id"]
        if item["grader"] == "numeric":
            assert re.fullmatch(r"\d+", item["expected"]), item["id"]


def test_questions_name_every_label() -> None:
    for item in SALES:
        if item["category"] in {"reply_sentiment", "intent"}:
            assert all(f"{label} = " in item["question"] for label in item["choices"]), item["id"]


def test_exact_answers_stand_in_the_text() -> None:
    for item in SALES:
        if item["grader"] == "exact":
            assert item["expected"] in item["text"], item["id"]


def test_graders_accept_the_expected_answer_and_refuse_others() -> None:
    data = Dataset.load(DATA / "sales_tasks.jsonl", prompt_column=None, cluster_column="cluster")
    grader = grader_for(None, data)
    for item in data.rows:
        assert grader.grade(f" {item.expected}.\n", item).score == 1.0, item.id
        assert grader.grade("I cannot tell.", item).score == 0.0, item.id
        same_question = [row for row in data.rows if row.fields["question"] == item.fields["question"]]
        others = {other.expected for other in same_question}
        for other in others - {item.expected}:
            assert grader.grade(other, item).score == 0.0, (item.id, other)


def test_texts_are_not_repeated() -> None:
    for column, items in (("text", SALES), ("brief", COLD)):
        assert len({plain(item[column]) for item in items}) == len(items)


def test_texts_have_the_promised_length() -> None:
    lengths = [len(item["text"].split()) for item in SALES]
    low, high = min(lengths), max(lengths)
    assert 15 <= low < high <= 90
    assert f"the e-mail, {low} to {high} words" in (DATA / "README.md").read_text(encoding="utf-8")


def test_clusters_are_shared_or_named_by_their_item() -> None:
    sizes = Counter(item["cluster"] for item in SALES)
    for item in SALES:
        assert item["cluster"] == item["id"] or sizes[item["cluster"]] > 1, item["id"]
    shared = {cluster: n for cluster, n in sizes.items() if n > 1}
    assert f"({len(shared)} clusters of 3 or 4 items)" in (DATA / "README.md").read_text(encoding="utf-8")
    assert set(shared.values()) <= {3, 4}


def test_prompts_render_for_every_item_with_its_text_last() -> None:
    data = Dataset.load(DATA / "sales_tasks.jsonl", prompt_column=None)
    for prompt in prompts_for(data, STYLES):
        for item in data.rows:
            user = prompt.messages(item)[-1]["content"]
            assert item.fields["question"] in user, (prompt.name, item.id)
            assert user.endswith(f"Text: {item.fields['text']}\nA:"), (prompt.name, item.id)
            assert "\n\n\n" not in user, (prompt.name, item.id)


def test_prompts_share_their_beginning() -> None:
    data = Dataset.load(DATA / "sales_tasks.jsonl", prompt_column=None)
    by_name = {prompt.name: prompt for prompt in prompts_for(data, STYLES)}
    for category in ("reply_sentiment", "intent", "extraction"):
        first, last = [item for item in data.rows if item.category == category][:: len(SALES) // 3 - 1]
        one, other = (by_name["few_shot"].messages(item)[-1]["content"] for item in (first, last))
        shared = next(i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b)
        assert shared > 0.5 * min(len(one), len(other)), category


def test_few_shot_examples_are_no_items() -> None:
    template = STYLES["few_shot"].read_text(encoding="utf-8")
    examples = [line.removeprefix("Text: ") for line in template.splitlines() if line.startswith("Text: ")]
    examples = [example for example in examples if "{{" not in example]
    assert len(examples) >= 12
    texts = [plain(item["text"]) for item in SALES]
    for example in map(plain, examples):
        assert not any(example in text or text in example for text in texts), example
    assert not any(text in plain(template) for text in texts)


def test_few_shot_shows_each_label_equally_often() -> None:
    template = STYLES["few_shot"].read_text(encoding="utf-8")
    answers = Counter(re.findall(r"^A: (.+)$", template, re.MULTILINE))
    for category in ("reply_sentiment", "intent"):
        labels = next(item["choices"] for item in SALES if item["category"] == category)
        assert len({answers[label] for label in labels}) == 1
        assert all(answers[label] for label in labels)


def test_no_personal_data() -> None:
    for path in DATA.rglob("*"):
        if path.suffix not in {".jsonl", ".txt", ".md"}:
            continue
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"\S@\S", text), path.name
        assert not re.search(r"https?://|www\.", text), path.name
        # Seven characters or more of digits and separators are a telephone number, or a month (2026-11).
        # A sentence may end with a number, and the next begin with one.
        for number in re.findall(r"(?<![\w$-])\+?\(?(?!20\d\d-\d\d\b)\d(?:[\d ()/-]|\.(?! )){5,}\d", text):
            assert re.fullmatch(r"555-01\d\d", number.strip("()")), (path.name, number)


def test_readme_names_each_file_and_its_count() -> None:
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    for path in DATA.rglob("*"):
        if path.is_file() and path.name != "README.md" and "__pycache__" not in path.parts:
            assert f"]({path.relative_to(DATA).as_posix()})" in readme, path.name
    for name, items in (("sales_tasks.jsonl", SALES), ("cold_emails.jsonl", COLD)):
        (line,) = (line for line in readme.splitlines() if line.startswith(f"| [{name}]"))
        assert line.endswith(f"| {len(items)} |")
    kinds = Counter(
        "weekday" if item["grader"] == "choice" else item["grader"]
        for item in SALES
        if item["category"] == "extraction"
    )
    told = f"weekday {kinds['weekday']}, number {kinds['numeric']}, other short text {kinds['exact']}"
    assert told in readme


def test_rubric_has_five_criteria_with_anchors() -> None:
    rubric = (DATA / "cold_emails_rubric.md").read_text(encoding="utf-8")
    lines = [line for line in rubric.splitlines() if line.startswith("| ")]
    named = {line.split("|")[1].strip(): [cell.strip() for cell in line.split("|")[2:-1]] for line in lines}
    assert set(named) == {"criterion", *CRITERIA}
    assert named["criterion"] == ["1", "3", "5"]
    assert all(len(anchors) == 3 and all(anchors) for anchors in named.values())


def test_briefs_state_a_word_limit() -> None:
    assert len(COLD) == 40
    assert all(re.search(r"[Aa]t most \d+ words", item["brief"]) for item in COLD)


def test_data_stays_small() -> None:
    files = [path for path in DATA.rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    outcomes = [path for path in files if path.parent.name == "outcomes"]
    routing = [path for path in files if (DATA / "routing") in path.parents]
    fine_tune = [path for path in files if (DATA / "finetune") in path.parents]
    migration = [path for path in files if (DATA / "migration") in path.parents]
    others = {*files} - {*outcomes, *routing, *fine_tune, *migration}
    assert sum(path.stat().st_size for path in others) < 150_000
    assert sum(path.stat().st_size for path in fine_tune) < 1_250_000
    assert sum(path.stat().st_size for path in outcomes) < 1_000_000
    assert sum(path.stat().st_size for path in routing) < 600_000
    assert sum(path.stat().st_size for path in migration) < 250_000
