"""Reports in a bucket: `llmbench report --out s3://...` against moto's server of S3 on this machine."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.real.install import S3_PYTHON
from tests.real.parts import _SECRETS, Part
from tests.reporting.conftest import REPORT_CELLS, REPORT_TAGS, write_notebook

pytestmark = pytest.mark.skipif(
    not S3_PYTHON.exists(), reason="moto is not installed; the end of .real/install.log says why"
)

URL = "s3://bucket/team/reports"
SERVER = "import sys; from moto.server import main; main(['-H', '127.0.0.1', '-p', sys.argv[1]])"
KEY = "correct-horse-battery"
SIGNED = (
    "AWS4-HMAC-SHA256 Credential=testing/20250123/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0"
)
"""moto asks for a signature and believes it."""


@pytest.fixture(scope="module")
def s3() -> Iterator[Part]:
    with Part(
        "moto", lambda port: [str(S3_PYTHON), "-c", SERVER, str(port)], ready="/moto-api/", within_s=60
    ) as part:
        yield part


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("s3")
    write_notebook(root / "notebooks" / "good.ipynb", REPORT_CELLS, REPORT_TAGS)
    (root / "pyproject.toml").write_text("[project]\nname = 'small'\nversion = '1'\n")
    return root


def _start(s3: Part, root: Path, *words: str) -> subprocess.Popen[str]:
    clean = {key: value for key, value in os.environ.items() if not key.endswith(_SECRETS)}
    own = {
        "AWS_ACCESS_KEY_ID": "testing", "AWS_SECRET_ACCESS_KEY": KEY, "AWS_DEFAULT_REGION": "us-east-1",
        "FSSPEC_S3_ENDPOINT_URL": s3.url,
    }  # fmt: skip
    return subprocess.Popen(
        [str(S3_PYTHON), "-m", "llmbench", *words, "--out", URL],
        env=clean | own,
        cwd=root,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _get(s3: Part, path: str) -> str:
    status, body = s3.get(path, {"Authorization": SIGNED})
    assert status == 200, path
    return body.decode()


def _keys(s3: Part) -> list[str]:
    return re.findall(r"<Key>team/reports/([^<]+)</Key>", _get(s3, "/bucket?list-type=2"))


def test_reports_in_a_bucket(s3: Part, root: Path) -> None:
    missing = _start(s3, root, "report", "good")
    said = missing.communicate(timeout=120)
    assert missing.returncode == 1
    assert "cannot be read or written: FileNotFoundError" in said[1]
    assert "no notebook was run" in said[1]
    assert s3.request("PUT", "/bucket")[0] == 200
    three = [_start(s3, root, "report", "good") for _ in range(3)]
    for process in three:
        said = process.communicate(timeout=240)
        assert process.returncode == 0, said
        assert said[0].splitlines()[-1] == f"{URL}/index.html"
    runs = sorted({key.split("/")[2] for key in _keys(s3) if key.startswith("good/runs/")})
    assert len(runs) == 3
    last = _start(s3, root, "report", "good", "--keep", "2")
    said = last.communicate(timeout=240)
    assert last.returncode == 0, said
    assert "NO_GO, as before" in said[0]
    kept = sorted({key.split("/")[2] for key in _keys(s3) if key.startswith("good/runs/")})
    assert kept[0] == runs[-1]
    assert len(kept) == 2
    newest = json.loads(_get(s3, "/bucket/team/reports/good/manifest.json"))
    assert newest == json.loads(_get(s3, f"/bucket/team/reports/good/runs/{kept[-1]}/manifest.json"))
    assert "good: 2 runs, newest first" in _get(s3, "/bucket/team/reports/index.html")
    assert not any(".written" in key for key in _keys(s3))
    compared = _start(s3, root, "diff", "good~1", "good")
    assert "small: NO_GO, as before" in compared.communicate(timeout=120)[0]
    assert not any(KEY in _get(s3, f"/bucket/team/reports/{key}") for key in _keys(s3))
