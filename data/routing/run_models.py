"""Put the items of this folder to the embedded models, and write results.parquet.

    python data/routing/run_models.py --ledger routing.db --out results.parquet

where llmbench.toml has

    [endpoints.smollm]
    provider = "local"
    model = "smollm2-135m"
    options = { threads = 1, reproducible = false }

    [endpoints.smollm_plain]
    provider = "local"
    model = "smollm2-135m-plain"
    model_path = "smollm2-plain.gguf"
    options = { threads = 1, reproducible = false }

smollm2-plain.gguf is the file of smollm2-135m under a chat template that only joins the messages, so that its
prompt is continued as plain text: `gguf-new-metadata` of the package `gguf` makes it, with PLAIN below as its
--chat-template. What the ledger holds already is not asked again. Costs are modelled, see `price`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from llmbench import Ledger, Matrix
from llmbench.matrix import Dataset

HERE = Path(__file__).resolve().parent
CELLS = (("smollm", "smollm2-135m", "zero_shot"), ("smollm_plain", "smollm2-135m-plain", "few_shot"))
PLAIN = '{% for m in messages %}{{ m.content }}{% if not loop.last %}{{ "\\n" }}{% endif %}{% endfor %}'
PARAMS = {"temperature": 0, "max_tokens": 12, "stop": ["\n"]}
USD_PER_HOUR = 0.10
READ_PER_S, WRITTEN_PER_S = 160.0, 80.0
"""Tokens per second of SmolLM2-135M with one thread on two shared cores, as measured."""


def price(input_tokens: Any, output_tokens: Any, usd_per_hour: float = USD_PER_HOUR) -> Any:
    """USD of answers as if one prompt was worked on at a time, and read from its first token."""
    seconds = input_tokens / READ_PER_S + output_tokens / WRITTEN_PER_S
    return usd_per_hour * seconds / 3600


def run(ledger: Ledger, items: Path = HERE / "items.jsonl") -> pd.DataFrame:
    """One row per item and model, in the columns that `Matrix.from_results` reads."""
    dataset = Dataset.load(items, prompt_column=None)
    levels = {item.id: item.fields["level"] for item in dataset.rows}
    templates = {item.id: item.fields["template"] for item in dataset.rows}
    asked = {item.id: f"{item.fields['question']}\n{item.fields['text']}" for item in dataset.rows}
    frames = []
    for endpoint, model, style in CELLS:
        prompts = {style: HERE / "prompts" / f"{style}.txt"}
        matrix = Matrix(dataset, [f"{endpoint}/{model}"], prompts, PARAMS, ledger=ledger)
        answers = matrix.run().answers
        frames.append(
            pd.DataFrame(
                {
                    "item": answers["item_id"],
                    "model": f"{endpoint}/{model}",
                    "prompt": style,
                    "category": answers["category"],
                    "level": answers["item_id"].map(levels),
                    "template": answers["item_id"].map(templates),
                    "question": answers["item_id"].map(asked),
                    "expected": answers["expected"],
                    "answer": answers["answer"],
                    "score": answers["score"],
                    "note": answers["note"],
                    "cost_usd": price(answers["input_tokens"], answers["output_tokens"]),
                    "latency_ms": answers["latency_ms"].round(1),
                    "input_tokens": answers["input_tokens"],
                    "cached_tokens": answers["cached_tokens"],
                    "output_tokens": answers["output_tokens"],
                    "finish_reason": answers["finish_reason"],
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def main() -> None:
    """Write results.parquet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--items", type=Path, default=HERE / "items.jsonl")
    parser.add_argument("--out", type=Path, default=HERE / "results.parquet")
    given = parser.parse_args()
    with Ledger(given.ledger) as ledger:
        run(ledger, given.items).to_parquet(given.out, index=False, compression="zstd")


if __name__ == "__main__":
    main()
