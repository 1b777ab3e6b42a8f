"""The peers' environments: each in a folder of its own under .bench, made at first use.

A peer that cannot be installed here is left out, and the page says why.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parent / ".bench"
PACKAGES = {
    "litellm": ("litellm==1.106.2",),
    "inspect": ("inspect-ai==0.3.285", "openai==3.54.0"),
    "lm-eval": ("lm_eval[api]==0.4.13",),
    "promptfoo": ("promptfoo@0.121.20",),
    "gbstats": ("duckdb==2.0.0", "gbstats==0.8.0", "pandas==1.5.3", "numpy<2"),
    "tea-tasting": (
        "tea-tasting==1.14.0", "duckdb==2.0.0", "ibis-framework[duckdb]==12.0.0", "pandas==3.1.1",
        "polars==2.1.0", "pyarrow", "statsmodels==0.15.0",
    ),
}  # fmt: skip
DISTRIBUTION = {"inspect": "inspect-ai", "lm-eval": "lm_eval"}


def python(peer: str) -> str:
    return str(FOLDER / peer / "bin" / "python")


def promptfoo() -> str:
    return str(FOLDER / "promptfoo" / "node_modules" / ".bin" / "promptfoo")


def install(peer: str) -> str | None:
    """Install `peer` where it is not there yet; why that failed, else None."""
    folder = FOLDER / peer
    if (folder / "installed").exists():
        return None
    print(f"Installing {peer} into {folder.relative_to(HERE.parent)}.", flush=True)
    try:
        if peer == "promptfoo":
            if shutil.which("npm") is None:
                return "npm is not here"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "package.json").write_text('{"private": true}')
            _run(["npm", "install", "--no-audit", "--no-fund", *PACKAGES[peer]], folder)
        else:
            venv.create(folder, with_pip=True)
            _run([python(peer), "-m", "pip", "install", "--quiet", *PACKAGES[peer]], folder)
    except (OSError, subprocess.CalledProcessError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        return f"its installation failed ({type(error).__name__})"
    (folder / "installed").touch()
    return None


def versions(peer: str) -> str:
    """The version that is really there."""
    if peer == "promptfoo":
        text = (FOLDER / peer / "node_modules" / "promptfoo" / "package.json").read_text(encoding="utf-8")
        return str(json.loads(text)["version"])
    code = f"import importlib.metadata as m; print(m.version({DISTRIBUTION.get(peer, peer)!r}))"
    done = subprocess.run([python(peer), "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def ready(*wanted: str) -> tuple[dict[str, str], dict[str, str]]:
    """Those of `wanted` that are installed, with their versions; and the others, with the reason."""
    there: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for peer in wanted:
        if (problem := install(peer)) is None:
            there[peer] = versions(peer)
        else:
            skipped[peer] = problem
    return there, skipped


def _run(command: list[str], folder: Path) -> None:
    subprocess.run(command, cwd=folder, check=True)
