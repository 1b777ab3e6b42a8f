"""Training again from the notebook `fine_tune`: the committed recipe, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from llmbench.config import load_config
from llmbench.errors import ReportError, UsageError
from llmbench.reporting.fine_tune_checks import check_parameters
from llmbench.reporting.fine_tune_provenance import NAME
from llmbench.result_data import cell_label, model_of_cell

__all__ = ["retrain"]

_FOLDER = Path("data") / "finetune"
_MAKER = _FOLDER / "make_results.py"
_PROMPT = "few_shot"


def retrain(parameters: Mapping[str, Any], root: Path, progress: Callable[[Any], None] | None = None) -> None:
    """Train, ask and store again, where the parameters ask for it: into the folder of results.

    The stronger model is asked too where its endpoint is at hand; else its stored answers are taken.
    `progress` is called with `{"message": ...}`, the program's newest line.

    Raises UsageError where the results are those that came with llmbench, which are not overwritten, and
    where there is no way to answers of the stronger model; ReportError when the program fails.
    """
    check_parameters(parameters)  # before hours of training
    if not parameters["retrain"]:
        return
    maker = root / _MAKER
    if not maker.is_file():
        raise UsageError(f"{_MAKER.as_posix()} is not here, and it trains; run `llmbench init .` for it.")
    out = root / Path(parameters["results"]).expanduser()
    if out.resolve() == (root / _FOLDER / "results").resolve():
        raise UsageError(
            "retrain writes into the folder `results`; name another one than that which came with llmbench, "
            "such as -p results .llmbench/fine-tune/results."
        )
    command = [sys.executable, str(maker), "--out", str(out), *_stronger(parameters["stronger"], root)]
    code, said = _run(command, root, progress)
    if code:
        raise ReportError(f"The training failed: {said}; what was trained is kept: run it again to go on.")


def _stronger(cell: str, root: Path) -> list[str]:
    """Options by which the program asks the stronger model; none where its stored answers do."""
    model = model_of_cell(cell)
    if not model:
        return []
    if cell != (asked := cell_label(model, _PROMPT)):
        raise UsageError(
            f"Parameter 'stronger' is {cell!r}; retraining asks a stronger model under {_PROMPT}: name "
            f"{asked}."
        )
    if _at_hand(model, root):
        return ["--stronger", model]
    if model == _stored(root):
        return []
    raise UsageError(
        f"Parameter 'stronger' is {cell!r}, and llmbench.toml has no endpoint that could answer as it; add "
        "one, or leave 'stronger' empty."
    )


def _at_hand(model: str, root: Path) -> bool:
    """Whether llmbench.toml has the endpoint, and the file where it is one of this machine."""
    config = load_config(root)
    endpoint = config.endpoints.get(model.partition("/")[0])
    if endpoint is None:
        return False
    return endpoint.model_path is None or config.resolve(endpoint.model_path).is_file()


def _stored(root: Path) -> str | None:
    try:
        told = json.loads((root / _FOLDER / "results" / NAME).read_text(encoding="utf-8"))
        return str(told["stronger_model"]["name"])
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None


def _run(command: list[str], root: Path, progress: Callable[[Any], None] | None) -> tuple[int, str]:
    """Exit code, and the last line that was said."""
    said = "it said nothing"
    with subprocess.Popen(
        command,
        cwd=root,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",
    ) as running:
        try:
            for line in running.stdout or ():
                if line.strip():
                    said = line.strip()
                    if progress is not None:
                        progress({"message": said})
        except BaseException:  # Ctrl-C: the jobs go on and are found again, the program need not
            running.terminate()
            raise
    return running.returncode, said
