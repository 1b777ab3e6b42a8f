from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from llmbench.catalog import all_models
from llmbench.errors import ConfigError, UsageError
from llmbench.routing.features import Features, features_of
from llmbench.routing.table import SHIPPED, routing_table

RULE = {"name": "all", "prefer": ["gpt-4o"]}


def say(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


@pytest.mark.parametrize(
    ("messages", "task_type", "models"),
    [
        ([say("user", "x" * 199)], None, "mixtral-8x7b"),
        ([say("user", "x" * 200)], None, "mixtral-8x7b"),
        ([say("user", "x" * 1000)], None, "mixtral-8x7b"),
        ([say("user", "x" * 1001)], None, "gpt-4o"),
        ([say("system", "s" * 5000), say("user", "short")], None, "mixtral-8x7b"),
        ([say("user", "a"), say("assistant", "b"), say("user", "c")], None, "gpt-4o"),
        ([say("user", "a"), say("user", "c")], None, "gpt-4o"),
        ([say("user", "x" * 5000)], "sentiment", "llama-3.1-8b"),
        ([say("user", "x" * 5000)], "simple", "mixtral-8x7b"),
        ([say("user", "x")], "complex", "gpt-4o"),
        ([say("user", "x"), say("user", "y")], "classification", "mixtral-8x7b"),
        ([say("user", "x")], "no such hint", "mixtral-8x7b"),
    ],
)
def test_document_routes_as_the_document(messages: Any, task_type: str | None, models: str) -> None:
    choice = routing_table("document").choose(features_of(messages, task_type), "key")
    assert choice.models[0] == models


def test_sentiment_goes_to_mixtral_where_there_is_no_llama() -> None:
    choice = routing_table("document").choose(Features("sentiment", False, 3), "")
    assert choice.models == ("llama-3.1-8b", "mixtral-8x7b")


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_tables_name_models_of_the_catalog(name: str) -> None:
    table = routing_table(name)
    assert not [model for model in table.models if model not in all_models()]
    assert set(table.task_types) == {
        "sentiment", "classification", "simple_classification", "complex", "simple", "personalization",
    }  # fmt: skip


def test_split_keeps_its_shares_and_every_unit_its_side() -> None:
    table, seen = routing_table("document"), Features("personalization", False, 9)
    first = [table.choose(seen, f"lead {n}").models[0] for n in range(5000)]
    assert abs(first.count("llama-3.1-70b") / 5000 - 0.8) < 4 * (0.8 * 0.2 / 5000) ** 0.5
    assert first == [table.choose(seen, f"lead {n}").models[0] for n in range(5000)]
    assert "80% of rule 'personalization'" in table.choose(seen, "lead 0").reason


def test_file_of_the_users_own(tmp_path: Path) -> None:
    path = tmp_path / "routes.toml"
    path.write_text('[[rules]]\nname = "all"\nprefer = ["here/my-model"]\n')
    table = routing_table(path)
    assert table.choose(Features(None, True, 1), "").models == ("here/my-model",)
    assert routing_table(str(path)) == table


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, r"has no \[\[rules\]\]"),
        ({"rules": [RULE], "ruels": []}, "unknown key 'ruels'"),
        ({"rules": [{"prefer": ["a"]}]}, "Rule 1 .* has no name"),
        ({"rules": [RULE, RULE]}, "two rules named 'all'"),
        ({"rules": [{"name": "r"}]}, "either prefer"),
        ({"rules": [RULE | {"split": []}]}, "either prefer"),
        ({"rules": [{"name": "r", "prefer": []}]}, "must be a list of models"),
        ({"rules": [{"name": "r", "prefer": "gpt-4o"}]}, "must be a list of models"),
        ({"rules": [RULE | {"when": {"length": 3}}]}, "unknown key 'length'"),
        ({"rules": [RULE | {"when": {"task_type": 3}}]}, "task_type = 3"),
        ({"rules": [RULE | {"when": {"characters_below": -1}}]}, "characters_below = -1"),
        ({"rules": [RULE | {"when": {"multi_turn": "yes"}}]}, "multi_turn = 'yes'"),
        ({"rules": [{"name": "r", "split": [{"share": 0.5, "prefer": ["a"]}]}]}, "sum to 0.5"),
        ({"rules": [{"name": "r", "split": [{"share": -1, "prefer": ["a"]}]}]}, "weight -1"),
        ({"rules": [RULE], "experiment": {"id": "x"}}, "without id and arms"),
        ({"rules": [RULE], "order": {"price": []}}, "unknown key 'price'"),
    ],
)
def test_bad_tables_are_refused_by_name(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        routing_table(data)


def test_table_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml cannot be opened .* document, current"):
        routing_table(tmp_path / "nowhere.toml")
    (tmp_path / "bad.toml").write_text("[[rules")
    with pytest.raises(ConfigError, match=r"bad\.toml cannot be read"):
        routing_table(tmp_path / "bad.toml")


def test_no_rule_applies() -> None:
    table = routing_table({"rules": [RULE | {"when": {"multi_turn": True}}]})
    with pytest.raises(UsageError, match="No rule"):
        table.choose(Features(None, False, 1), "")


@pytest.mark.parametrize("messages", [[], "text", [{"role": "user"}], [1], None])
def test_features_of_no_messages(messages: Any) -> None:
    with pytest.raises(UsageError):
        features_of(messages, None)


def test_table_of_the_documentation() -> None:
    text = (Path(__file__).parents[2] / "docs" / "routing.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    table = routing_table(tomllib.loads(block))
    assert table.choose(Features("sentiment", False, 9), "").models[0] == "llama-3.1-8b"
    assert table.choose(Features(None, False, 1001), "").rule == "long"
