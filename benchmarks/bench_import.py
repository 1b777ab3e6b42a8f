"""CPU seconds of an import and of a command's start, beyond `python -c pass`, in interleaved rounds."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence

import findings
import peers
import processes

OURS = ("llmbench", "llmbench.providers", "llmbench.ledger", "llmbench.cli")
BESIDE = ("openai", "aiohttp", "pandas")


def commands() -> dict[str, dict[str, Sequence[str]]]:
    """By case and subject."""
    here = sys.executable
    found: dict[str, dict[str, Sequence[str]]] = {"import": {}, "start of the command": {}}
    for module in (*OURS, *BESIDE):
        if _installed(module):
            found["import"][module] = [here, "-c", f"import {module}"]
    found["start of the command"]["llmbench --help"] = [here, "-m", "llmbench", "--help"]
    found["start of the command"]["llmbench report --help"] = [here, "-m", "llmbench", "report", "--help"]
    found["start of the command"]["llmbench ledger spend"] = [here, "-m", "llmbench", "ledger", "spend"]
    return found


def measure(rounds: int) -> findings.Part:
    machine = findings.machine()
    there, skipped = peers.ready("litellm", "inspect", "lm-eval", "promptfoo")
    wanted = commands()
    if "litellm" in there:
        wanted["import"]["litellm"] = [peers.python("litellm"), "-c", "import litellm"]
    if "inspect" in there:
        wanted["import"]["inspect_ai"] = [peers.python("inspect"), "-c", "import inspect_ai"]
        wanted["start of the command"]["inspect --help"] = [_beside("inspect", "inspect"), "--help"]
    if "lm-eval" in there:
        wanted["start of the command"]["lm_eval --help"] = [_beside("lm-eval", "lm_eval"), "--help"]
    if "promptfoo" in there:
        wanted["start of the command"]["promptfoo --help"] = [peers.promptfoo(), "--help"]
    bare = [sys.executable, "-c", "pass"]
    for command in (argv for by_subject in wanted.values() for argv in by_subject.values()):
        processes.run(command)  # the first of all compiles and warms the disk cache
    seen: dict[str, dict[str, list[float]]] = {case: {} for case in wanted}
    for _ in range(rounds):
        nothing = processes.run(bare).cpu
        for case, by_subject in wanted.items():
            for subject, command in by_subject.items():
                seen[case].setdefault(subject, []).append(processes.run(command).cpu - nothing)
    series = [
        *findings.series("import", "CPU s", seen["import"], "openai"),
        *findings.series("start of the command", "CPU s", seen["start of the command"], "llmbench --help"),
    ]
    told = {name: importlib.metadata.version(name) for name in ("openai", "pandas")}
    return findings.Part(
        "Imports and starts",
        "CPU beyond that of `python -c pass` in the same round. The peers' commands are asked for their "
        "help, too.",
        tuple(series), {**told, **there}, skipped, machine,
    )  # fmt: skip


def _beside(peer: str, command: str) -> str:
    return peers.python(peer).removesuffix("python") + command


def _installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False
