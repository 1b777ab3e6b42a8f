"""Put the items of this folder to the embedded models, and write results.parquet.

    python data/routing/run_models.py --plain SmolLM2-plain.gguf --ledger routing.db

The second model is the same file as the first under a chat template that only joins the messages, so that
its prompt is continued as plain text. Make it by `gguf-new-metadata` of the package `gguf`, with PLAIN below
as its --chat-template.

What the ledger holds already is not asked again. Costs are modelled, see `price`.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import pandas as pd

from llmbench import Ledger, LocalProvider, Matrix
from llmbench.matrix import Dataset

HERE = Path(__file__).resolve().parent
CELLS = (("smollm", "smollm2-135m", "zero_shot"), ("smollm_plain", "smollm2-135m-plain", "few_shot"))
PLAIN = '{% for m in messages %}{{ m.content }}{% if not loop.last %}{{ "\\n" }}{% endif %}{% endfor %}'
PARAMS = {"temperature": 0, "max_tokens": 12, "stop": ["\n"]}
USD_PER_HOUR = 0.10
READ_PER_S, WRITTEN_PER_S = 160.0, 80.0
"""Tokens per second of SmolLM2-135M with one thread on an idle machine with two cores."""


def price(input_tokens: Any, output_tokens: Any, usd_per_hour: float = USD_PER_HOUR) -> Any:
    """USD of answers as if the machine did nothing else and read every prompt from its first token."""
    seconds = input_tokens / READ_PER_S + output_tokens / WRITTEN_PER_S
    return usd_per_hour * seconds / 3600


def run(plain: Path, ledger: Ledger, items: Path = HERE / "items.jsonl") -> pd.DataFrame:
    """One row per item and model, in the columns that `Matrix.from_results` reads."""
    settings: dict[str, Any] = {"threads": 1, "reproducible": False, "ledger": ledger}
    providers = {
        "smollm": LocalProvider({**settings, "model": "smollm2-135m"}),
        "smollm_plain": LocalProvider(
            {**settings, "model": "smollm2-135m-plain", "model_path": str(plain.resolve())}
        ),
    }
    dataset = Dataset.load(items, prompt_column=None)
    levels = {item.id: item.fields["level"] for item in dataset.rows}
    templates = {item.id: item.fields["template"] for item in dataset.rows}
    asked = {item.id: f"{item.fields['question']}\n{item.fields['text']}" for item in dataset.rows}
    frames = []
    for endpoint, model, style in CELLS:
        prompts = {style: HERE / "prompts" / f"{style}.txt"}
        matrix = Matrix(dataset, [f"{endpoint}/{model}"], prompts, PARAMS, providers=providers, ledger=ledger)
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
    parser.add_argument("--plain", type=Path, required=True, help="the file with the plain chat template")
    parser.add_argument("--ledger", type=Path, required=True)
    parser.add_argument("--items", type=Path, default=HERE / "items.jsonl")
    parser.add_argument("--out", type=Path, default=HERE / "results.parquet")
    given = parser.parse_args()
    with Ledger(given.ledger) as ledger:
        run(given.plain, ledger, given.items).to_parquet(given.out, index=False, compression="zstd")


if __name__ == "__main__":
    main()
