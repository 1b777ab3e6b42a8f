from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
import pytest

from llmbench.reporting.scrub import Scrubber

HOME = Path("/home/ada")
ROOT = HOME / "desk" / "project"


@pytest.fixture
def scrubber() -> Scrubber:
    return Scrubber(ROOT, home=HOME, names=("/srv/data/items.csv",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{ROOT}/data/a.csv", "./data/a.csv"),
        (f'"{ROOT}"', '"."'),
        (f"file://{ROOT}/a.html", "./a.html"),
        (f"{HOME}/.cache/model.gguf", "~/.cache/model.gguf"),
        (f"{ROOT}-old/x", "~/desk/project-old/x"),
        ("/home/adam/x", "/home/adam/x"),
        ("https://example.test/home/ada/x", "https://example.test/home/ada/x"),
        ("read /srv/data/items.csv first", "read items.csv first"),
        (f"{tempfile.gettempdir()}/abc", "<tmp>/abc"),
        (f"{tempfile.gettempdir()}/ipykernel_12/345.py:3: UserWarning", "<cell>:3: UserWarning"),
        ("POST /api/chat and/or /v1", "POST /api/chat and/or /v1"),
    ],
)
def test_text(scrubber: Scrubber, text: str, expected: str) -> None:
    assert scrubber.text(text) == expected


def test_text_of_this_python(scrubber: Scrubber) -> None:
    scrubbed = scrubber.text(f"{sys.prefix}/lib/site-packages/x.py and {sys.base_prefix}/lib/os.py")
    assert sys.prefix not in scrubbed
    assert sys.base_prefix not in scrubbed


def test_text_leaves_an_embedded_image_whole(scrubber: Scrubber) -> None:
    image = f"data:image/png;base64,AAAA/{str(HOME)[1:]}/BBBB+{HOME}/CC=="
    assert scrubber.text(f'<img src="{image}"> {HOME}/x') == f'<img src="{image}"> ~/x'


def test_value_reaches_into_lists_and_keys(scrubber: Scrubber) -> None:
    assert scrubber.value({f"{ROOT}/k": [f"{ROOT}/v", 3, None, (True,)]}) == {"./k": ["./v", 3, None, [True]]}


def test_notebook_metadata_outputs_and_traceback(scrubber: Scrubber) -> None:
    v4 = nbformat.v4
    notebook = v4.new_notebook()
    notebook.metadata.update(
        papermill={
            "input_path": str(ROOT / "notebooks/a.ipynb"),
            "output_path": "/elsewhere/executed.ipynb",
            "environment_variables": {"USER": "ada"},
            "parameters": {"dataset": "/srv/data/items.csv"},
        },
        kernelspec={"name": "adas-env", "display_name": "Ada's", "language": "python"},
    )
    outputs = [
        v4.new_output("stream", name="stderr", text='  File "/opt/else/lib/module.py", line 3'),
        v4.new_output("display_data", data={"text/html": f"<b>{ROOT}</b>", "image/png": f"AA{HOME}/BB"}),
        v4.new_output(
            "error",
            ename="ValueError",
            evalue=f"no {ROOT}/x",
            traceback=["File \x1b[32m/opt/else/lib/module.py:3\x1b[39m, in f", f"no {ROOT}/x"],
        ),
    ]
    notebook.cells = [v4.new_code_cell(f'dataset = "{ROOT}/a.csv"', outputs=outputs)]
    scrubber.notebook(notebook)
    assert notebook.metadata.papermill == {
        "input_path": "a.ipynb",
        "output_path": "executed.ipynb",
        "parameters": {"dataset": "items.csv"},
    }
    assert notebook.metadata.kernelspec.name == "python3"
    text = nbformat.writes(notebook)
    assert "/opt/else" not in text
    assert "module.py" in text
    assert str(ROOT) not in text
    assert notebook.cells[0].outputs[1].data["image/png"] == f"AA{HOME}/BB"
