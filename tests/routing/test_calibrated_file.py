from __future__ import annotations

import json
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmbench.errors import ConfigError
from llmbench.routing import calibrate
from llmbench.routing.calibrated import CalibratedRouting
from llmbench.routing.calibrated_file import SCHEMA, _canonical, _digest
from tests.routing.test_calibration import EASY, HARD, synthetic

pytest.importorskip("sklearn")


@pytest.fixture(scope="module")
def routing() -> CalibratedRouting:
    return calibrate(synthetic(), penalty=1.0)


@pytest.fixture
def path(routing: CalibratedRouting, tmp_path: Path) -> Path:
    return routing.save(tmp_path / "routes.json")


def test_what_is_loaded_is_what_was_saved(routing: CalibratedRouting, path: Path) -> None:
    found = CalibratedRouting.load(path)
    for name in (
        "models", "strong", "status", "summary", "threshold", "quality", "scorer", "certificate", "gain",
        "expected", "drift", "provenance",
    ):  # fmt: skip
        assert getattr(found, name) == getattr(routing, name), name
    assert found.choose(EASY) == routing.choose(EASY)
    assert found.choose(HARD) == routing.choose(HARD)
    json.dumps(found.data(), allow_nan=False)


def test_routing_needs_no_numpy_and_no_sklearn(path: Path) -> None:
    code = (
        "import sys\n"
        "from llmbench.routing.calibrated import CalibratedRouting\n"
        f"routing = CalibratedRouting.load({str(path)!r})\n"
        "print(routing.choose('hello thanks please?', observe=True).models[0])\n"
        "assert not {'numpy', 'scipy', 'sklearn', 'pickle'} & set(sys.modules), sorted(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "small"


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    """The file with another content and the sha256 of that."""
    body = json.loads(path.read_text(encoding="utf-8"))["body"]
    change(body)
    data = {"schema": SCHEMA, "sha256": _digest(_canonical(body)), "body": body}
    path.write_text(json.dumps(data), encoding="utf-8")
    return path


def put(*keys: Any, value: Any) -> Callable[[dict[str, Any]], None]:
    def change(body: Any) -> None:
        for key in keys[:-1]:
            body = body[key]
        body[keys[-1]] = value

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("scorer", "idf", value=[]), "a list of .* numbers was expected"),
        (put("scorer", "idf", 0, value="1"), "a number was expected"),
        (put("scorer", "idf", 0, value=True), "a number was expected"),
        (put("scorer", "intercepts", 0, value=1e300), "a number was expected"),
        (put("scorer", "scales", 0, value=0), "a scale is not above 0"),
        (put("scorer", "terms", 0, value=7), "a text was expected"),
        (put("scorer", "term_weights", value={}), "rows were expected"),
        (put("scorer", "features", value=["length"]), "by another version"),
        (put("models", value=["large"]), "the models of its parts differ"),
        (put("models", value="large"), "models must be a list"),
        (put("strong", value="small"), "the models of its parts differ"),
        (put("status", value="yes"), "'yes' is not a valid Status"),
        (put("threshold", value=None), "contradict"),
        (put("certificate", "passed", value=0), "not certified"),
        (put("certificate", "level", value=0), "between 0 and 1"),
        (put("drift", "window", value=0), "at least 1"),
        (put("drift", "watched", 0, "counts", value=[1]), "do not fit"),
        (put("expected", "shares", value=[]), "names with values"),
        (lambda body: body.pop("drift"), "'drift'"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(path: Path, change: Any, message: str) -> None:
    with pytest.raises(ConfigError, match=f"routes.json is no calibrated router: .*{message}"):
        CalibratedRouting.load(changed(path, change))


def test_a_changed_file_is_refused(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"tolerance": 0.05', '"tolerance": 0.01'), encoding="utf-8")
    with pytest.raises(ConfigError, match="damaged or changed by hand"):
        CalibratedRouting.load(path)


@pytest.mark.parametrize("keep", [0, 1, 100, 5000])
def test_a_cut_file_is_refused(path: Path, keep: int) -> None:
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(ConfigError, match="is no calibrated router: it is not JSON"):
        CalibratedRouting.load(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"cos\nsystem\n(S'echo'\ntR.", "not JSON"),
        (b"\x80\x04\x95", "not JSON"),
        (b"[" * 9000, "not JSON"),
        (b"[" * 100_000, "more lists"),
        (b"[" + b"[]," * 4_000_000 + b"[]]", "more lists"),
        (b"9" * 10_000, "not JSON"),
        (b'{"schema": NaN}', "not JSON"),
        (b"[1]", "its schema is 'None'"),
        (b'{"schema": "x"}', "its schema is 'x'"),
        (b'{"schema": "llmbench.calibrated-routing/1", "body": [], "sha256": ""}', "damaged"),
        (b'{"schema": "llmbench.calibrated-routing/1", "body": {"a": "\xc3"}}', "not JSON"),
        (b" " * 17_000_000, "more than 16,000,000 bytes"),
    ],
)
def test_a_hostile_file_is_a_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "hostile.json"
    path.write_bytes(content)
    tracemalloc.start()
    try:
        with pytest.raises(ConfigError, match=f"hostile.json is no calibrated router: .*{message}"):
            CalibratedRouting.load(path)
        assert tracemalloc.get_traced_memory()[1] < 60_000_000
    finally:
        tracemalloc.stop()


def test_an_absent_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.json cannot be opened"):
        CalibratedRouting.load(tmp_path / "absent.json")
