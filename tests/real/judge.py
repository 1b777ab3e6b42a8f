"""prism as the judge of our requests, over the vendors' own OpenAPI files.

The files are given to it a little stricter, and smaller, than they come.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.real.install import ROOT
from tests.real.parts import NODE_MODULES, Part

__all__ = ["close", "keep_paths", "make_nullable", "prism", "read_spec"]

_SPECS = Path(os.environ.get("LLMBENCH_VALIDATION") or ROOT.parent / "shared" / "validation") / "specs"


def read_spec(file: str) -> Any:
    """A vendor's file; the test is skipped where there is none."""
    path = _SPECS / file
    if not path.exists():
        pytest.skip(f"no specs/{file}: set LLMBENCH_VALIDATION to the folder that holds specs/")
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".json":
        return json.loads(text)
    import yaml

    return yaml.safe_load(text)


def prism(name: str, spec: Path) -> Part:
    """prism over the file `spec`."""
    return Part(
        f"prism-{name}",
        lambda port: [
            *[NODE_MODULES / ".bin" / "prism", "mock", "--errors", "--host", "127.0.0.1"],
            *["--port", port, spec],
        ],
        ready="/",  # of no path that it knows: any answer will do
        any_status=True,
        within_s=120,
    )


def keep_paths(spec: Any, beginnings: tuple[str, ...]) -> None:
    """Leave out what we never call: prism reads the rest of OpenAI's file for 15 s."""
    spec["paths"] = {path: item for path, item in spec["paths"].items() if path.startswith(beginnings)}


def close(spec: Any, path: str, beyond: dict[str, Any] | None = None) -> None:
    """Let the body of a POST to `path` hold no field that the file does not name, which would else
    pass unseen; but those of `beyond`.
    """
    content = spec["paths"][path]["post"]["requestBody"]["content"]["application/json"]
    properties, required = _merged(spec, content["schema"])
    content["schema"] = {
        "type": "object",
        "properties": {**properties, **(beyond or {})},
        "required": required,
        "additionalProperties": False,
    }


def _merged(spec: Any, schema: Any) -> tuple[dict[str, Any], list[str]]:
    """Properties and required names of a schema with all that it is made of."""
    while "$ref" in schema:
        found = spec
        for step in schema["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        schema = found
    properties, required = dict(schema.get("properties", {})), list(schema.get("required", []))
    for part in schema.get("allOf", ()):
        more, needed = _merged(spec, part)
        properties |= more
        required += needed
    return properties, required


def make_nullable(node: Any) -> None:
    """Say `nullable` in today's words. Where it stands beside no type, as in OpenAI's file, prism's
    validator refuses the whole schema, and prism then lets every request pass without a word.
    """
    if isinstance(node, list):
        for entry in node:
            make_nullable(entry)
    elif isinstance(node, dict):
        for entry in list(node.values()):
            make_nullable(entry)
        if node.get("nullable") is True and "type" not in node:
            del node["nullable"]
            rest = dict(node)
            node.clear()
            node["anyOf"] = [rest, {"type": "null"}]
