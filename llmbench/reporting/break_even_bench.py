"""What load generators measured on GPUs of one's own, and what it makes of the notebook's throughputs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from llmbench.catalog.bench_files import read_bench_file
from llmbench.catalog.gpus import gpu_facts
from llmbench.errors import UsageError

if TYPE_CHECKING:
    from llmbench.economics.calibration import Calibration

__all__ = ["bench_sentence", "read_bench"]

_FIELDS = ("file", "gpu", "n_gpu", "dtype", "engine", "model")


def read_bench(p: Mapping[str, Any], root: Path) -> tuple[dict[str, Calibration], tuple[str, ...]]:
    """Calibrations by GPU from the parameter `bench`, and the files that were read.

    `bench` is a list of {"file": ..., "gpu": ...}, with n_gpu, dtype, engine and model where they are not
    one, the published one, vllm and what the file says. Files of one GPU are fitted together. Raises
    UsageError, and DatasetError for a file that is no such file.
    """
    rows: dict[str, list[Any]] = {}
    names = []
    for entry in p.get("bench") or ():
        if not isinstance(entry, Mapping) or not {"file", "gpu"} <= set(entry) <= set(_FIELDS):
            raise UsageError(
                f"Parameter 'bench' holds {entry!r}; each entry is {{'file': 'sweep.json', 'gpu': 'L4'}}, "
                f"with {', '.join(_FIELDS[2:])} as needed."
            )
        options = {key: value for key, value in entry.items() if key != "file"}
        found = read_bench_file(root / Path(str(entry["file"])).expanduser(), **options)
        rows.setdefault(gpu_facts(entry["gpu"]).name, []).extend(found)
        names.append(str(entry["file"]))
    if not rows:
        return {}, ()
    from llmbench.economics.calibration import adapted

    return {gpu: adapted(found) for gpu, found in rows.items()}, tuple(names)


def bench_sentence(calibrations: Mapping[str, Calibration]) -> str:
    """Which throughputs rest on measurements of one's own."""
    if not calibrations:
        return (
            "All throughputs of GPUs are the model's. What vllm bench serve, GuideLLM or llmbench loadtest "
            'measured on your own goes before it: -p bench \'[{"file": "sweep.json", "gpu": "L4"}]\'.'
        )
    told = ", ".join(f"{gpu} ({fitted.rows} operating points)" for gpu, fitted in calibrations.items())
    return f"Fitted to measurements of your own: {told}. The other GPUs keep the constants of published ones."
