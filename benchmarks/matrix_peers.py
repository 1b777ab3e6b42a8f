"""The evaluation tools beside ours in bench_matrix.py: what runs each."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import NamedTuple

import peers

HERE = Path(__file__).parent
_MODELS = ("stub-a", "stub-b")


class Command(NamedTuple):
    """What to run, one after the other; the same again resumes, but where `resume` says otherwise."""

    argv: list[list[str]]
    environment: dict[str, str]
    resume: list[list[str]]


def command(tool: str, url: str, folder: Path, connections: int) -> Command:
    """What runs `tool` over FOLDER/items.jsonl against the server at `url`."""
    if tool == "inspect":
        argv = [[peers.python(tool), str(HERE / "matrix_inspect.py"), str(folder), str(connections)]]
        return Command(argv, {"STUB_API_KEY": "none", "STUB_BASE_URL": url}, argv)
    if tool == "lm-eval":
        return _lm_eval(url, folder, connections)
    if tool == "promptfoo":
        return _promptfoo(url, folder, connections)
    argv = [[sys.executable, str(HERE / "matrix_worker.py"), tool, url, str(folder), str(connections)]]
    return Command(argv, {}, argv)


def _lm_eval(url: str, folder: Path, connections: int) -> Command:
    task = {
        "task": "stub",
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": {"test": str(folder / "items.jsonl")}},
        "test_split": "test",
        "output_type": "generate_until",
        "doc_to_text": "{{prompt}}",
        "doc_to_target": "{{expected}}",
        "generation_kwargs": {"until": ["\n\n"], "do_sample": False, "temperature": 0},
        "metric_list": [{"metric": "exact_match", "aggregation": "mean", "higher_is_better": True}],
    }
    # One model after the other, for it takes one; ten tries, since with its three a fault ends the run.
    (folder / "stub.yaml").write_text(json.dumps(task))
    argv = []
    for model in _MODELS:
        address = f"base_url={url}/chat/completions,num_concurrent={connections}"
        argv.append(
            [
                peers.python("lm-eval"), "-m", "lm_eval", "run",
                "--model", "local-chat-completions", "--tasks", "stub", "--include_path", str(folder),
                "--apply_chat_template", "--log_samples", "--output_path", str(folder / "out"),
                "--use_cache", str(folder / f"cache-{model}"),
                "--model_args", f"model={model},{address},max_retries=10,tokenized_requests=False",
            ]
        )  # fmt: skip
    offline = {"HF_HOME": str(folder / "hf"), "HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1"}
    return Command(argv, {"OPENAI_API_KEY": "none", **offline}, argv)


def _promptfoo(url: str, folder: Path, connections: int) -> Command:
    with (folder / "items.jsonl").open() as lines:
        rows = [json.loads(line) for line in lines]
    config = {
        "prompts": ["{{prompt}}"],
        "providers": [
            {"id": f"openai:chat:{model}", "config": {"apiBaseUrl": url, "apiKey": "none", "temperature": 0}}
            for model in _MODELS
        ],
        "tests": [
            {"vars": {"prompt": row["prompt"]}, "assert": [{"type": "equals", "value": row["expected"]}]}
            for row in rows
        ],
    }
    path = folder / "promptfooconfig.json"
    path.write_text(json.dumps(config))
    evaluate = [peers.promptfoo(), "eval"]
    quiet = ["--no-cache", "--no-progress-bar", "--no-table"]
    first = [
        *evaluate, "-c", str(path), "-j", str(connections), *quiet, "-o", str(folder / "out.json"),
    ]  # fmt: skip
    apart = {
        "PROMPTFOO_CONFIG_DIR": str(folder / "promptfoo"),
        "PROMPTFOO_DISABLE_TELEMETRY": "1",
        "PROMPTFOO_DISABLE_UPDATE": "1",
        "PROMPTFOO_DISABLE_REMOTE_GENERATION": "1",
    }
    return Command([first], apart, [[*evaluate, "--resume", "-j", str(connections), *quiet]])
