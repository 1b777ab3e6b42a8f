"""What the processes of our own leave out."""

from __future__ import annotations

import subprocess
import sys

CHECKED = """
from llmbench.quick_start import without_address_grammars
without_address_grammars()
import sys
import nbformat
from jsonschema import Draft202012Validator, FormatChecker
assert "lark" not in sys.modules and sys.modules["rfc3987_syntax"] is None
checks = FormatChecker()
assert "date" in checks.checkers and "iri" not in checks.checkers
assert list(Draft202012Validator({"type": "array"}).iter_errors({}))
nbformat.validate(nbformat.v4.new_notebook())
"""


def test_notebooks_are_read_without_the_grammars_of_addresses() -> None:
    done = subprocess.run([sys.executable, "-c", CHECKED], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_command_line_goes_without_them() -> None:
    code = (
        "import sys; sys.argv = ['llmbench', '--version']; from llmbench.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "assert sys.modules['rfc3987_syntax'] is None"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
